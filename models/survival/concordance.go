package survival

import (
	"math"
	"slices"
	"sync"
)

// PairWeight is how much a pair counts whose earlier event is at time t.
type PairWeight int

// The weights of pairs.
const (
	// Harrell counts every comparable pair once.
	Harrell PairWeight = iota
	// Uno divides by G(t)², the squared probability of not being censored
	// before t, so that the limit does not depend on the censoring.
	Uno
)

// ConcordanceOptions say which pairs count. The zero value is Harrell's
// concordance over all times.
type ConcordanceOptions struct {
	Weight PairWeight
	// Until, where positive, leaves out pairs whose earlier event is later.
	Until float64
}

// Concordance is the share of comparable pairs that a score orders rightly.
// Pairs are weighted by the product of their rows' weights, and by
// [ConcordanceOptions]. A pair is comparable within a stratum where one row
// has its event while the other is at risk; a row censored at the time of an
// event is at risk there.
type Concordance struct {
	C          float64 // (Concordant + TiedX/2) / (Concordant + Discordant + TiedX)
	SE         float64 // by the infinitesimal jackknife
	Concordant float64 // the higher score had its event first
	Discordant float64
	TiedX      float64 // equal scores
	TiedY      float64 // events at the same time, different scores
	TiedXY     float64 // events at the same time, equal scores
}

// fenwick holds weights by rank and sums them over lower ranks in log time.
type fenwick struct {
	tree, own []float64
	total     float64
}

func newFenwick(n int) *fenwick {
	return &fenwick{tree: make([]float64, n+1), own: make([]float64, n)}
}

func (f *fenwick) add(rank int32, w float64) {
	f.own[rank] += w
	f.total += w
	for k := int(rank) + 1; k < len(f.tree); k += k & -k {
		f.tree[k] += w
	}
}

// below returns the weight at lower ranks.
func (f *fenwick) below(rank int32) float64 {
	s := 0.0
	for k := int(rank); k > 0; k &= k - 1 {
		s += f.tree[k]
	}
	return s
}

// denseRanks returns the rank of each value among the distinct values, from 0.
func denseRanks(v []float64) (rank []int32, n int) {
	order := argsort(v)
	rank = make([]int32, len(v))
	for k, i := range order {
		if k > 0 && v[i] != v[order[k-1]] {
			n++
		}
		rank[i] = int32(n)
	}
	return rank, n + 1
}

// Concord compares the score of every row, higher meaning an earlier event,
// with what happened, in O(n log n). Any Event other than 0 counts. It returns
// the errors of bad data, and [ErrNoEvents] where no pair is comparable.
//
// See Harrell, Lee and Mark (1996), doi:10.1002/(SICI)1097-0258, and Uno et
// al. (2011), doi:10.1002/sim.4154.
func Concord(d *Data, score []float64, opt ConcordanceOptions) (*Concordance, error) {
	if len(score) != len(d.Time) {
		panic("survival: scores and times differ in length")
	}
	for i, s := range score {
		if math.IsNaN(s) {
			return nil, &RowError{Row: i, Value: s, Err: ErrNotFinite}
		}
	}
	var g *Censoring
	if opt.Weight == Uno {
		var err error
		if g, err = NewCensoring(d); err != nil {
			return nil, err
		}
	}
	rank, ranks := denseRanks(score)
	// Per row: weight of its concordant less discordant partners, and of all.
	n := len(score)
	net, all := make([]float64, n), make([]float64, n)
	netLater, allLater := make([]float64, n), make([]float64, n)
	c := &Concordance{}
	err := d.strata(func(_ int, rows []int32, entry, exit []float64) {
		byEntry := entriesOf(rows, entry)
		factor := func(t float64) float64 {
			switch {
			case opt.Until > 0 && t > opt.Until:
				return 0
			case g != nil:
				v := g.Before(t)
				return 1 / (v * v)
			}
			return 1
		}
		var wg sync.WaitGroup
		wg.Go(func() { concordEvents(c, d, rows, byEntry, entry, exit, rank, ranks, factor, net, all) })
		concordLater(d, rows, byEntry, entry, exit, rank, ranks, factor, netLater, allLater)
		wg.Wait()
	})
	if err != nil {
		return nil, err
	}
	pairs := c.Concordant + c.Discordant + c.TiedX
	if pairs == 0 {
		return nil, ErrNoEvents
	}
	c.C = (c.Concordant + c.TiedX/2) / pairs
	// C = ½ + ½·net/all, so the derivative in a row's weight is
	// (½·netᵢ + ½·allᵢ − C·allᵢ)/pairs.
	v := 0.0
	sum := map[int]float64{}
	for i := range net {
		u := d.weight(i) * ((net[i]+netLater[i])/2 + (0.5-c.C)*(all[i]+allLater[i])) / pairs
		if d.Cluster != nil {
			sum[d.Cluster[i]] += u
			continue
		}
		v += u * u
	}
	if d.Cluster != nil {
		index, k := denseLabels(d.Cluster)
		total := make([]float64, k)
		for i, l := range index {
			total[l] = sum[d.Cluster[i]]
		}
		for _, u := range total {
			v += u * u
		}
	}
	c.SE = math.Sqrt(v)
	return c, nil
}

// concordEvents goes back in time, and for every event compares it with the
// rows at risk after it.
func concordEvents(c *Concordance, d *Data, rows, byEntry []int32, entry, exit []float64, rank []int32, ranks int, factor func(float64) float64, net, all []float64) {
	later := newFenwick(ranks)
	same := map[int32][2]float64{} // events of one time by score: weight and its square
	e := len(byEntry)
	for hi := len(rows); hi > 0; {
		t := exit[rows[hi-1]]
		lo, events := hi, 0
		for ; lo > 0 && exit[rows[lo-1]] == t; lo-- {
			if i := rows[lo-1]; d.Event[i] == 0 {
				later.add(rank[i], d.weight(int(i)))
			} else {
				events++
			}
		}
		for ; e > 0 && entry[byEntry[e-1]] >= t; e-- {
			later.add(rank[byEntry[e-1]], -d.weight(int(byEntry[e-1])))
		}
		f := 0.0
		if events > 0 {
			f = factor(t)
		}
		if f > 0 {
			clear(same)
			weight, squares := 0.0, 0.0
			for _, i := range rows[lo:hi] {
				if d.Event[i] == 0 {
					continue
				}
				w := d.weight(int(i))
				con := later.below(rank[i])
				tie := later.own[rank[i]]
				dis := later.total - con - tie
				c.Concordant += w * f * con
				c.Discordant += w * f * dis
				c.TiedX += w * f * tie
				net[i] += f * (con - dis)
				all[i] += f * later.total
				if events > 1 {
					s := same[rank[i]]
					same[rank[i]] = [2]float64{s[0] + w, s[1] + w*w}
					weight += w
					squares += w * w
				}
			}
			if events > 1 {
				pairs, ties := (weight*weight-squares)/2, 0.0
				for _, i := range rows[lo:hi] {
					if s, ok := same[rank[i]]; ok && d.Event[i] != 0 {
						ties += (s[0]*s[0] - s[1]) / 2
						delete(same, rank[i])
					}
				}
				c.TiedXY += f * ties
				c.TiedY += f * (pairs - ties)
			}
		}
		for _, i := range rows[lo:hi] {
			if d.Event[i] != 0 {
				later.add(rank[i], d.weight(int(i)))
			}
		}
		hi = lo
	}
}

// concordLater goes forward in time, and compares every row with the events
// that came before its end while it was at risk.
func concordLater(d *Data, rows, byEntry []int32, entry, exit []float64, rank []int32, ranks int, factor func(float64) float64, net, all []float64) {
	earlier := newFenwick(ranks)
	seen := func(i int32, sign float64) {
		below, tie := earlier.below(rank[i]), earlier.own[rank[i]]
		above := earlier.total - below - tie
		// An earlier event with a higher score is concordant.
		net[i] += sign * (above - below)
		all[i] += sign * earlier.total
	}
	e := 0
	timeGroups(rows, exit, func(lo, hi int) {
		t := exit[rows[lo]]
		for ; e < len(byEntry) && entry[byEntry[e]] < t; e++ {
			seen(byEntry[e], -1)
		}
		events := 0
		for _, i := range rows[lo:hi] {
			if d.Event[i] != 0 {
				seen(i, 1)
				events++
			}
		}
		if events > 0 {
			if f := factor(t); f > 0 {
				for _, i := range rows[lo:hi] {
					if d.Event[i] != 0 {
						earlier.add(rank[i], f*d.weight(int(i)))
					}
				}
			}
		}
		for _, i := range rows[lo:hi] {
			if d.Event[i] == 0 {
				seen(i, 1)
			}
		}
	})
}

// Concordance compares the fitted linear predictors with what happened. Under
// Fine-Gray rows with a competing event stay comparable for ever.
func (c *Cox) Concordance() (*Concordance, error) {
	m, d := c.model, c.model.d
	if d.Rows() == 0 { // a streamed fit keeps no rows
		return nil, ErrNoRows
	}
	score := make([]float64, d.Rows())
	for j, b := range c.Coef {
		for i, v := range d.Columns[j] {
			score[i] += b * (v - c.Mean[j])
		}
	}
	for i, o := range d.Offset {
		score[i] += o
	}
	one := *d
	one.Event, one.Cluster = make([]uint8, len(d.Event)), nil
	if m.sub != nil {
		one.Time = slices.Clone(d.Time)
	}
	last := slices.Max(d.Time)
	for i, e := range d.Event {
		switch {
		case e == m.cause:
			one.Event[i] = 1
		case e != 0 && m.sub != nil:
			one.Time[i] = last + 1
		}
	}
	return Concord(&one, score, ConcordanceOptions{})
}
