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

// denseRanks returns the order of v and the rank of each value among the
// distinct ones, from 0.
func denseRanks(v []float64) (order, rank []int32) {
	order = argsort(v)
	rank = make([]int32, len(v))
	n := int32(0)
	for k, i := range order {
		if k > 0 && v[i] != v[order[k-1]] {
			n++
		}
		rank[i] = n
	}
	return order, rank
}

// pairItem is a row as it takes part in pairs. A row that is entered late
// takes part twice: from its end with its weight, and from its entry with the
// weight negative, which takes out its pairs with events before it was at
// risk.
type pairItem struct {
	rank, row int32
	w         float64
	f         float64 // what a pair counts whose earlier event this is; 0 unless an event
	// Weight of the concordant less discordant partners so far, and of all.
	net, all float64
}

// pairs counts comparable pairs by merging. Items lie in groups in the order
// of time: the events of one time, then what ends or is entered from then until
// the next event. Each group is in order of score. When two neighbouring runs
// of groups are merged by score, the events of the first meet all of the
// second.
type pairs struct {
	items, spare []pairItem
	start        []int32 // first item of each group, then the number of items
}

// pairSum is what pairs add up to.
type pairSum struct{ con, dis, tie float64 }

// forkItems is the number of items from which the halves of a merge are done
// side by side.
const forkItems = 1 << 15

// count merges the groups lo…hi−1 and returns the sums of their pairs. The
// items end up in spare, or where they are.
func (q *pairs) count(lo, hi int, inSpare bool) pairSum {
	from, to := int(q.start[lo]), int(q.start[hi])
	if hi-lo == 1 || from == to {
		if inSpare {
			copy(q.spare[from:to], q.items[from:to])
		}
		return pairSum{}
	}
	at, _ := slices.BinarySearch(q.start[lo:hi+1], int32((from+to)/2))
	mid := min(max(lo+at, lo+1), hi-1)
	var a, b pairSum
	if to-from < forkItems {
		a, b = q.count(lo, mid, !inSpare), q.count(mid, hi, !inSpare)
	} else {
		var wg sync.WaitGroup
		wg.Go(func() { a = q.count(lo, mid, !inSpare) })
		b = q.count(mid, hi, !inSpare)
		wg.Wait()
	}
	cut := int(q.start[mid])
	src, dst := q.spare, q.items
	if inSpare {
		src, dst = q.items, q.spare
	}
	c := merge(dst[from:to], src[from:cut], src[cut:to])
	return pairSum{a.con + b.con + c.con, a.dis + b.dis + c.dis, a.tie + b.tie + c.tie}
}

// merge writes the items of earlier and later, both in order of score, to dst
// in order of score, and adds the pairs of events of earlier with items of
// later to both.
func merge(dst, earlier, later []pairItem) pairSum {
	var sum pairSum
	events, weight := 0.0, 0.0 // of all
	for i := range earlier {
		events += earlier[i].f * earlier[i].w
	}
	for i := range later {
		weight += later[i].w
	}
	passedE, passedL := 0.0, 0.0 // of lower scores
	for n := 0; n < len(dst); {
		switch {
		case len(later) == 0 || (len(earlier) > 0 && earlier[0].rank < later[0].rank):
			e := &dst[n]
			*e = earlier[0]
			n++
			earlier = earlier[1:]
			if e.f != 0 {
				above := weight - passedL
				e.net += e.f * (passedL - above)
				e.all += e.f * weight
				fw := e.f * e.w
				sum.con += fw * passedL
				sum.dis += fw * above
				passedE += fw
			}
		case len(earlier) == 0 || later[0].rank < earlier[0].rank:
			l := &dst[n]
			*l = later[0]
			n++
			later = later[1:]
			// An earlier event with a higher score is concordant.
			l.net += events - 2*passedE
			l.all += events
			passedL += l.w
		default:
			rank := earlier[0].rank
			e, l := 0, 0
			tieE, tieL := 0.0, 0.0
			for ; e < len(earlier) && earlier[e].rank == rank; e++ {
				tieE += earlier[e].f * earlier[e].w
			}
			for ; l < len(later) && later[l].rank == rank; l++ {
				tieL += later[l].w
			}
			above := weight - passedL - tieL
			for _, it := range earlier[:e] {
				if it.f != 0 {
					it.net += it.f * (passedL - above)
					it.all += it.f * weight
					fw := it.f * it.w
					sum.con += fw * passedL
					sum.dis += fw * above
					sum.tie += fw * tieL
				}
				dst[n] = it
				n++
			}
			for _, it := range later[:l] {
				it.net += events - 2*passedE - tieE
				it.all += events
				dst[n] = it
				n++
			}
			passedE += tieE
			passedL += tieL
			earlier, later = earlier[e:], later[l:]
		}
	}
	return sum
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
	c := &Concordance{}
	order, rank := denseRanks(score)
	l, err := d.pairLayout(factor)
	if err != nil {
		return nil, err
	}
	q := l.deal(d, order, rank)
	var sum pairSum
	for s := range len(l.first) - 1 {
		if l.first[s] < l.first[s+1] {
			part := q.count(l.first[s], l.first[s+1], false)
			sum = pairSum{sum.con + part.con, sum.dis + part.dis, sum.tie + part.tie}
		}
	}
	c.Concordant, c.Discordant, c.TiedX = sum.con, sum.dis, sum.tie
	c.TiedY, c.TiedXY = l.tiedY, l.tiedXY
	pairs := c.Concordant + c.Discordant + c.TiedX
	if pairs == 0 {
		return nil, ErrNoEvents
	}
	c.C = (c.Concordant + c.TiedX/2) / pairs
	// C = ½ + ½·net/all, so the derivative in a row's weight is
	// (½·netᵢ + ½·allᵢ − C·allᵢ)/pairs.
	index, n := []int32(nil), len(score)
	if d.Cluster != nil {
		index, n = denseLabels(d.Cluster)
	}
	u := make([]float64, n)
	for i := range q.items {
		it := &q.items[i]
		to := it.row
		if index != nil {
			to = index[to]
		}
		u[to] += it.w * (it.net/2 + (0.5-c.C)*it.all) / pairs
	}
	v := 0.0
	for _, x := range u {
		v += x * x
	}
	c.SE = math.Sqrt(v)
	return c, nil
}

// pairLayout says to which groups of pairs the rows belong.
type pairLayout struct {
	end, entry []int32   // group of each row's end, of its entry; −1 where it meets no event
	factor     []float64 // per group: what its events count, 0 for groups without
	first      []int     // first group of each stratum, then the number of groups

	tiedY, tiedXY float64 // filled by deal
}

func (d *Data) pairLayout(factor func(float64) float64) (*pairLayout, error) {
	l := &pairLayout{end: slices.Repeat([]int32{-1}, d.Rows())}
	if d.Entry != nil {
		l.entry = slices.Repeat([]int32{-1}, d.Rows())
	}
	err := d.strata(func(_ int, rows []int32, entry, exit []float64) {
		base := len(l.factor)
		l.first = append(l.first, base)
		var times []float64
		timeGroups(rows, exit, func(lo, hi int) {
			t := exit[rows[lo]]
			if slices.ContainsFunc(rows[lo:hi], func(i int32) bool { return d.Event[i] != 0 }) {
				times = append(times, t)
				l.factor = append(l.factor, factor(t), 0)
			}
			g := int32(len(l.factor)) - 1
			if len(times) == 0 {
				return
			}
			for _, i := range rows[lo:hi] {
				l.end[i] = g
				if d.Event[i] != 0 {
					l.end[i] = g - 1
				}
			}
		})
		if entry == nil {
			return
		}
		for _, i := range rows {
			if k := upTo(times, entry[i]); k > 0 {
				l.entry[i] = int32(base + 2*k - 1)
			}
		}
	})
	l.first = append(l.first, len(l.factor))
	return l, err
}

// deal puts the rows into their groups in order of score, and counts the pairs
// of events at the same time.
func (l *pairLayout) deal(d *Data, order, rank []int32) *pairs {
	groups := len(l.factor)
	q := &pairs{start: make([]int32, groups+1)}
	for _, of := range [][]int32{l.end, l.entry} {
		for _, g := range of {
			if g >= 0 {
				q.start[g+1]++
			}
		}
	}
	for g := range groups {
		q.start[g+1] += q.start[g]
	}
	q.items = make([]pairItem, q.start[groups])
	q.spare = make([]pairItem, len(q.items))
	next := slices.Clone(q.start)
	put := func(g, row int32, w float64) {
		if g >= 0 {
			q.items[next[g]] = pairItem{rank: rank[row], row: row, w: w, f: l.factor[g]}
			next[g]++
		}
	}
	for _, row := range order {
		w := d.weight(int(row))
		put(l.end[row], row, w)
		if l.entry != nil {
			put(l.entry[row], row, -w)
		}
	}
	for g, f := range l.factor {
		items := q.items[q.start[g]:q.start[g+1]]
		if f == 0 || len(items) < 2 {
			continue
		}
		weight, squares, ties := 0.0, 0.0, 0.0
		for lo := 0; lo < len(items); {
			same, sameSquares := 0.0, 0.0
			hi := lo
			for ; hi < len(items) && items[hi].rank == items[lo].rank; hi++ {
				same += items[hi].w
				sameSquares += items[hi].w * items[hi].w
			}
			ties += (same*same - sameSquares) / 2
			weight += same
			squares += sameSquares
			lo = hi
		}
		l.tiedXY += f * ties
		l.tiedY += f * ((weight*weight-squares)/2 - ties)
	}
	return q
}

// Concordance compares the fitted linear predictors with what happened; its
// error is by cluster where the data has them. Under Fine-Gray rows with a competing event stay comparable for ever.
func (c *Cox) Concordance() (*Concordance, error) {
	m, d := c.model, c.model.d
	if d.Rows() == 0 {
		return nil, ErrNeedsRows
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
	one.Event = make([]uint8, len(d.Event))
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
