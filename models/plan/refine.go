package plan

import (
	"cmp"
	"slices"
)

// offer is a chooser that would take another option.
type offer struct {
	i, to int
	by    float64 // gained or lost by it, at prices
}

// exchange lets choosers who do not have their best option at the prices take a
// better one that does not fit, where another who stands in the way gives up
// less than the first gains.
func (s *solver) exchange(c *picked, price []float64) {
	const rounds = 20
	cost := s.kindPrices(price)
	users := make([][]offer, len(s.capacity)) // by resource: who could give it up
	for range rounds {
		wishes, most := s.wishes(c, cost, price)
		s.givers(users, c, cost, price, most)
		changed := false
		moved := map[int]bool{}
		for _, w := range wishes {
			if moved[w.i] {
				continue
			}
			now := int(c.at[w.i])
			s.take(w.i, now, c.used, -1)
			blocked := s.blocker(w.i, w.to, c.used)
			done := blocked < 0
			if !done {
				done = s.giveWay(users[blocked], w, c, moved)
			}
			if done {
				c.at[w.i] = int32(w.to)
				moved[w.i], changed = true, true
			}
			s.take(w.i, int(c.at[w.i]), c.used, 1)
		}
		if !changed {
			break
		}
	}
	order := make([]int32, len(c.at))
	for i := range order {
		order[i] = int32(i)
	}
	s.improve(c, order)
}

// net is what an option is worth at prices.
func (s *solver) net(j int, cost []float64, group float64) float64 {
	x := float64(s.value[j])
	if k := s.kind[j]; k != 0 {
		x -= cost[k] + group
	}
	return x
}

// wishes lists the options that choosers would rather have, the dearest wish
// first, and how much the first is worth.
func (s *solver) wishes(c *picked, cost, price []float64) (list []offer, most float64) {
	for i := range c.at {
		group := s.groupPrice(i, price)
		now := s.net(int(c.at[i]), cost, group)
		from, to := s.options(i)
		for j := from; j < to; j++ {
			if by := s.net(j, cost, group) - now; by > 1e-9 {
				list = append(list, offer{i, j, by})
				most = max(most, by)
			}
		}
	}
	slices.SortFunc(list, func(a, b offer) int {
		return cmp.Or(cmp.Compare(b.by, a.by), cmp.Compare(a.i, b.i), cmp.Compare(a.to, b.to))
	})
	return list, most
}

// givers fills users with those who would give up a resource for less than
// most, the cheapest first.
func (s *solver) givers(users [][]offer, c *picked, cost, price []float64, most float64) {
	for r := range users {
		users[r] = users[r][:0]
	}
	for i := range c.at {
		at := int(c.at[i])
		if s.kind[at] == 0 {
			continue
		}
		group := s.groupPrice(i, price)
		now := s.net(at, cost, group)
		from, to := s.options(i)
		s.take(i, at, c.used, -1)
		for j := from; j < to; j++ {
			by := now - s.net(j, cost, group)
			if j == at || by >= most || !s.fits(i, j, c.used) {
				continue
			}
			s.each(i, at, func(r int, amount int64) {
				if s.amount(i, j, r) < amount {
					users[r] = append(users[r], offer{i, j, by})
				}
			})
		}
		s.take(i, at, c.used, 1)
	}
	for _, list := range users {
		slices.SortFunc(list, func(a, b offer) int {
			return cmp.Or(cmp.Compare(a.by, b.by), cmp.Compare(a.i, b.i), cmp.Compare(a.to, b.to))
		})
	}
}

// giveWay lets the cheapest of the users make room for w, whose own option has
// been taken off c.used, and tells whether one could.
func (s *solver) giveWay(users []offer, w offer, c *picked, moved map[int]bool) bool {
	const tried = 64
	tries := 0
	for _, g := range users {
		if g.by >= w.by || tries == tried {
			return false
		}
		if g.i == w.i || moved[g.i] {
			continue
		}
		tries++
		had := int(c.at[g.i])
		s.take(g.i, had, c.used, -1)
		if s.fits(g.i, g.to, c.used) {
			s.take(g.i, g.to, c.used, 1)
			if s.fits(w.i, w.to, c.used) {
				c.at[g.i] = int32(g.to)
				moved[g.i] = true
				return true
			}
			s.take(g.i, g.to, c.used, -1)
		}
		s.take(g.i, had, c.used, 1)
	}
	return false
}

// each calls f with what an option of chooser i uses.
func (s *solver) each(i, j int, f func(r int, amount int64)) {
	for _, u := range s.kinds[s.kind[j]] {
		f(u.Resource, u.Amount)
	}
	if g := s.group[i]; g >= 0 && s.kind[j] != 0 {
		f(int(g), 1)
	}
}

// amount is what an option of chooser i uses of a resource.
func (s *solver) amount(i, j, r int) (amount int64) {
	s.each(i, j, func(q int, n int64) {
		if q == r {
			amount += n
		}
	})
	return amount
}

// blocker is the first resource that an option would use too much of; −1: it fits.
func (s *solver) blocker(i, j int, used []int64) int {
	found := -1
	s.each(i, j, func(r int, n int64) {
		if found < 0 && used[r]+n > s.capacity[r] {
			found = r
		}
	})
	return found
}

// search looks, depth first, for a better choice among the choosers whose best
// option at the prices is in doubt: those who would lose less than the gap by
// another. The bound on the rest of a branch is that of the prices. It ends
// after exactNodes, with the best choice that it has come by.
func (s *solver) search(best *priced) {
	price := best.price
	cost := s.kindPrices(price)
	n := s.Len()
	gap := best.bound - s.best.value
	type candidate struct {
		at  int
		net float64
	}
	open := make([][]candidate, 0, n)
	who := make([]int, 0, n)
	at := make([]int32, n)
	used := make([]int64, len(price))
	value := 0.0
	for i := range n {
		from, to := s.options(i)
		group := s.groupPrice(i, price)
		_, top := s.bestAt(i, cost, group)
		var list []candidate
		for j := from; j < to; j++ {
			x := s.net(j, cost, group)
			if top-x <= gap {
				list = append(list, candidate{j, x})
			}
		}
		if len(list) == 1 {
			at[i] = int32(list[0].at)
			s.take(i, list[0].at, used, 1)
			value += float64(s.value[list[0].at])
			continue
		}
		slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(b.net, a.net) })
		open, who = append(open, list), append(who, i)
		if len(open) > exactChoosers {
			return
		}
	}
	for r, u := range used {
		if u > s.capacity[r] {
			return // only where numbers round: the gap says that no better choice exists
		}
	}
	// Those who lose most by their second best first.
	order := make([]int, len(open))
	for k := range order {
		order[k] = k
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(open[b][0].net-open[b][1].net, open[a][0].net-open[a][1].net)
	})
	rest := make([]float64, len(order)+1) // Σ best net of those still to come
	for k := len(order) - 1; k >= 0; k-- {
		rest[k] = rest[k+1] + open[order[k]][0].net
	}
	left := 0.0 // Σ price × what is left
	for r, c := range s.capacity {
		left += price[r] * float64(c-used[r])
	}
	nodes := 0
	var visit func(k int, value, left float64)
	visit = func(k int, value, left float64) {
		if k == len(order) {
			if value > s.best.value+1e-9 {
				found := &picked{at: slices.Clone(at), used: slices.Clone(used), value: value}
				s.best = found
			}
			return
		}
		i := who[order[k]]
		for _, c := range open[order[k]] {
			if nodes++; nodes > exactNodes {
				return
			}
			// Whatever follows is worth at most its net and the price of what is left.
			if value+left+c.net+rest[k+1] <= s.best.value+1e-9 {
				return // the others of this chooser are worth less
			}
			if !s.fits(i, c.at, used) {
				continue
			}
			at[i] = int32(c.at)
			s.take(i, c.at, used, 1)
			v := float64(s.value[c.at])
			visit(k+1, value+v, left-(v-c.net))
			s.take(i, c.at, used, -1)
		}
	}
	visit(0, value, left)
}
