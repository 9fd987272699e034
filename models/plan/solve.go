package plan

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
)

const (
	// rounds of prices on a part of the choosers and on all of them.
	sampleRounds, wholeRounds = 300, 60
	// sampleSize is about how many choosers the first prices are found on.
	sampleSize = 20_000
	// chunk is how many choosers are looked at together: sums are per chunk and
	// in its order, so that the number of processors does not show.
	chunk = 4096
	// closeEnough is the relative gap at which prices are good enough.
	closeEnough = 1e-4
	// exactChoosers and exactNodes bound the search that closes what gap is left.
	exactChoosers, exactNodes = 2000, 1_000_000
)

// Solve finds prices and the choice. The same problem has the same solution,
// whatever the number of processors.
func (p *Problem) Solve() *Solution {
	s := &solver{Problem: p, price: make([]float64, len(p.capacity)), scale: make([]float64, len(p.capacity))}
	for r, c := range p.capacity {
		s.scale[r] = float64(max(c, 1))
	}
	s.stride = max(p.Len()/sampleSize, 1)
	best := s.descend(sampleRounds, nil)
	if s.stride > 1 {
		s.stride = 1
		best = s.descend(wholeRounds, best)
	}
	s.finish(best)
	s.priceFirst(best.price)
	out := &Solution{
		Choice: make([]int, p.Len()), Kind: make([]int, p.Len()),
		Value: s.best.value, Bound: max(best.bound, s.best.value), Price: best.price, Used: s.best.used,
	}
	for i, at := range s.best.at {
		out.Choice[i], out.Kind[i] = int(p.place[at]), int(p.kind[at])
	}
	return out
}

// priced is prices and the bound that they prove.
type priced struct {
	price []float64
	bound float64
}

// picked is a feasible choice: by chooser the index of its option.
type picked struct {
	at    []int32
	used  []int64
	value float64
}

type solver struct {
	*Problem
	stride int // every how manieth chooser is looked at
	price  []float64
	scale  []float64
	best   *picked
}

// kindPrices is what each kind costs at prices: +Inf where one alone would use
// more than there is.
func (s *solver) kindPrices(price []float64) []float64 {
	cost := make([]float64, len(s.kinds))
	for k, uses := range s.kinds {
		for _, u := range uses {
			if cost[k] += price[u.Resource] * float64(u.Amount); u.Amount > s.capacity[u.Resource] {
				cost[k] = math.Inf(1)
			}
		}
	}
	return cost
}

// groupPrice is what chooser i pays beside the price of a kind that uses anything.
func (s *solver) groupPrice(i int, price []float64) float64 {
	switch g := s.group[i]; {
	case g < 0:
		return 0
	case s.capacity[g] == 0:
		return math.Inf(1)
	default:
		return price[g]
	}
}

// response lets every chooser take its best option at prices; it returns what
// they gain in sum and what they use. Choosers that stand for others count as
// often.
func (s *solver) response(price []float64) (gain float64, used []float64) {
	cost := s.kindPrices(price)
	n := s.Len()
	chunks := (n + chunk - 1) / chunk
	type part struct {
		gain float64
		used []float64
	}
	parts := make([]part, chunks)
	work := func(from, step int) {
		for c := from; c < chunks; c += step {
			x := part{used: make([]float64, len(price))}
			for i := c * chunk; i < min((c+1)*chunk, n); i++ {
				if i%s.stride != 0 {
					continue
				}
				at, net := s.bestAt(i, cost, s.groupPrice(i, price))
				x.gain += net
				if k := s.kind[at]; k != 0 {
					for _, u := range s.kinds[k] {
						x.used[u.Resource] += float64(u.Amount)
					}
					if g := s.group[i]; g >= 0 {
						x.used[g]++
					}
				}
			}
			parts[c] = x
		}
	}
	if workers := min(runtime.GOMAXPROCS(0), chunks); workers < 2 {
		work(0, 1)
	} else {
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() { work(w, workers) })
		}
		wg.Wait()
	}
	used = make([]float64, len(price))
	for _, x := range parts {
		gain += x.gain
		for r, u := range x.used {
			used[r] += u
		}
	}
	times := float64(s.stride)
	for r := range used {
		used[r] *= times
	}
	return gain * times, used
}

// priceFirst prices the resources of which there is nothing: at what the first
// unit would add. No price of theirs takes part in the search, where whatever
// uses one is out of the question, nor in the bound.
func (s *solver) priceFirst(price []float64) {
	none := func(r int) bool { return s.capacity[r] == 0 }
	if !slices.ContainsFunc(s.capacity, func(c int64) bool { return c == 0 }) {
		return
	}
	cost := s.kindPrices(price)
	// By kind, the one resource that is wanting and how much of it an option
	// takes; −1: more are wanting than one more unit of one would help.
	type want struct {
		resource int
		amount   float64
		cost     float64 // of all else
	}
	wants := make([]want, len(s.kinds))
	for k, uses := range s.kinds {
		w := want{resource: -1}
		missing := 0
		for _, u := range uses {
			switch {
			case none(u.Resource):
				missing++
				w.resource, w.amount = u.Resource, float64(u.Amount)
			case u.Amount > s.capacity[u.Resource]:
				missing = math.MinInt // for ever
			default:
				w.cost += price[u.Resource] * float64(u.Amount)
			}
		}
		if missing > 1 || missing < 0 {
			w.resource = -1
		}
		wants[k] = w
	}
	first := make([]float64, len(price))
	for i := range s.Len() {
		group := s.groupPrice(i, price)
		_, net := s.bestAt(i, cost, group)
		from, to := s.options(i)
		for j := from; j < to; j++ {
			k := s.kind[j]
			if k == 0 {
				continue
			}
			w := wants[k]
			switch {
			case w.resource >= 0 && !math.IsInf(group, 1):
				first[w.resource] = max(first[w.resource], (float64(s.value[j])-w.cost-group-net)/w.amount)
			case math.IsInf(group, 1) && !math.IsInf(cost[k], 1):
				g := s.group[i]
				first[g] = max(first[g], float64(s.value[j])-cost[k]-net)
			}
		}
	}
	for r := range price {
		if none(r) {
			price[r] = first[r]
		}
	}
}

// bestAt returns the best option of chooser i where kinds cost so much, and
// what it gains. Of equals the first wins.
func (s *solver) bestAt(i int, cost []float64, group float64) (at int, net float64) {
	from, to := s.options(i)
	net = math.Inf(-1)
	for j := from; j < to; j++ {
		if x := s.net(j, cost, group); x > net {
			at, net = j, x
		}
	}
	return at, net
}

// descend lowers the bound Σ price·capacity + Σ gain over prices, by
// subgradients with Polyak's step towards the best choice known
// (Polyak 1969, doi:10.1016/0041-5553(69)90061-5), each resource in units of
// its capacity. It starts from prices that were found before, if any.
func (s *solver) descend(rounds int, start *priced) *priced {
	price := make([]float64, len(s.capacity))
	if start != nil {
		copy(price, start.price)
	}
	best := &priced{price: slices.Clone(price), bound: math.Inf(1)}
	target := 0.0
	pace, stale := 1.0, 0
	slope := make([]float64, len(price))
	for round := range rounds {
		gain, used := s.response(price)
		bound, norm := gain, 0.0
		fits := true
		for r, c := range s.capacity {
			bound += price[r] * float64(c)
			d := (used[r] - float64(c)) / s.scale[r]
			fits = fits && d <= 0
			if price[r] == 0 && d < 0 {
				d = 0
			}
			// Part of the last direction stays: it dampens the zigzag between two
			// neighbouring answers.
			slope[r] = d + 0.3*slope[r]
			norm += slope[r] * slope[r]
		}
		if bound < best.bound {
			best.bound = bound
			copy(best.price, price)
			stale = 0
		} else if stale++; stale >= 8 {
			pace, stale = pace/2, 0
			copy(price, best.price)
			clear(slope)
			if pace < 1e-4 {
				break
			}
			continue
		}
		if s.stride == 1 && (round%20 == 0 || round == rounds-1) {
			s.offer(s.round(price))
		} else if s.stride > 1 && round == 0 {
			target = s.idle()
		}
		if s.stride == 1 {
			target = s.best.value
		}
		if fits && norm == 0 || best.bound-target <= closeEnough*math.Abs(target) && s.stride == 1 {
			break
		}
		step := pace * max(bound-target, closeEnough*math.Abs(bound)) / norm
		for r := range price {
			price[r] = max(price[r]+step*slope[r]/s.scale[r], 0)
		}
	}
	return best
}

// idle is a value that the choosers of a sample surely reach: nobody uses
// anything.
func (s *solver) idle() float64 {
	sum := 0.0
	for i := 0; i < s.Len(); i += s.stride {
		from, to := s.options(i)
		for j := from; j < to; j++ {
			if s.kind[j] == 0 {
				sum += float64(s.value[j])
			}
		}
	}
	return sum * float64(s.stride)
}

func (s *solver) offer(c *picked) {
	if s.best == nil || c.value > s.best.value {
		s.best = c
	}
}

// fits tells whether an option of chooser i may be taken beside what is used.
func (s *solver) fits(i, j int, used []int64) bool {
	k := s.kind[j]
	if k == 0 {
		return true
	}
	for _, u := range s.kinds[k] {
		if used[u.Resource]+u.Amount > s.capacity[u.Resource] {
			return false
		}
	}
	g := s.group[i]
	return g < 0 || used[g] < s.capacity[g]
}

// take adds an option's use, times 1 or −1.
func (s *solver) take(i, j int, used []int64, times int64) {
	k := s.kind[j]
	if k == 0 {
		return
	}
	for _, u := range s.kinds[k] {
		used[u.Resource] += times * u.Amount
	}
	if g := s.group[i]; g >= 0 {
		used[g] += times
	}
}

// round turns prices into a choice: whoever would lose most by the second best
// chooses first, among what is left; then everybody who can do better does.
func (s *solver) round(price []float64) *picked {
	cost := s.kindPrices(price)
	n := s.Len()
	c := &picked{at: make([]int32, n), used: make([]int64, len(price))}
	regret := make([]float64, n)
	order := make([]int32, n)
	for i := range n {
		from, to := s.options(i)
		group := s.groupPrice(i, price)
		first, second := math.Inf(-1), math.Inf(-1)
		for j := from; j < to; j++ {
			x := s.net(j, cost, group)
			if x > first {
				first, second = x, first
			} else {
				second = max(second, x)
			}
		}
		order[i], regret[i] = int32(i), first-second
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(regret[b], regret[a]) })
	for _, i := range order {
		from, to := s.options(int(i))
		group := s.groupPrice(int(i), price)
		at, best := -1, math.Inf(-1)
		for j := from; j < to; j++ {
			x := s.net(j, cost, group)
			if x > best && s.fits(int(i), j, c.used) {
				at, best = j, x
			}
		}
		c.at[i] = int32(at)
		s.take(int(i), at, c.used, 1)
	}
	s.improve(c, order)
	return c
}

// improve lets choosers move to what is worth more and fits, until none can,
// and values the choice.
func (s *solver) improve(c *picked, order []int32) {
	for range 5 {
		moved := false
		for _, i := range order {
			at := int(c.at[i])
			s.take(int(i), at, c.used, -1)
			from, to := s.options(int(i))
			for j := from; j < to; j++ {
				if s.value[j] > s.value[at] && s.fits(int(i), j, c.used) {
					at, moved = j, true
				}
			}
			s.take(int(i), at, c.used, 1)
			c.at[i] = int32(at)
		}
		if !moved {
			break
		}
	}
	c.value = 0
	for _, at := range c.at {
		c.value += float64(s.value[at])
	}
}

// finish closes what is left of the gap: exchanges between two choosers, and,
// where few are in doubt, a search through all they could do.
func (s *solver) finish(best *priced) {
	if s.best == nil {
		s.offer(s.round(best.price))
	}
	s.offer(s.round(best.price))
	if s.Len() <= exactChoosers {
		// Where one option takes much of a resource other prices may do better.
		other := make([]float64, len(best.price))
		for _, times := range []float64{0, 0.25, 0.5, 2} {
			for r, x := range best.price {
				other[r] = times * x
			}
			s.offer(s.round(other))
		}
	}
	if best.bound-s.best.value > closeEnough*math.Abs(s.best.value) {
		s.exchange(s.best, best.price)
	}
	if best.bound-s.best.value > closeEnough*math.Abs(s.best.value) {
		s.search(best)
	}
}
