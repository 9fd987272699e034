package bandit

import (
	"fmt"
	"math"
)

// Exploration says how far Thompson departs from the greedy choice.
type Exploration struct {
	Scale float64 // multiplies every standard deviation; 0 is greedy
	Floor float64 // mass in [0, 1] that is spread evenly over all candidates
}

// Best returns the index of the greatest mean, the first of equals.
func Best(mean []float64) int {
	best := 0
	for i, m := range mean {
		if m > mean[best] {
			best = i
		}
	}
	return best
}

const (
	thompsonNodes = 24 // intervals of the quadrature
	thompsonReach = 4  // standard deviations of a score that are looked at; 3e-5 of its mass is beyond
)

// Thompson stores in dst the probability that candidate i has the greatest of
// k independent scores N(mean[i], (Scale·sd[i])²), mixed with the floor, and
// returns dst. With means and SDs from Contrast the scores are those of the
// gaps to the best candidate.
//
// The integral ∫ Π_{j≠i} Φ_j(x) dΦ_i(x) is taken on a grid. What the grid
// misses, 1e-3 or 1e-2 where one spread is far narrower than the rest, is no
// error of the logged propensity: dst is the very distribution that is drawn
// from. All lengths are k ≥ 1. It does not
// allocate once w has seen k candidates.
//
// See Thompson (1933), doi:10.1093/biomet/25.3-4.285.
func Thompson(dst, mean, sd []float64, e Exploration, w *Workspace) []float64 {
	k := check(dst, mean)
	if len(sd) != k {
		panic(fmt.Sprintf("bandit: %d SDs for %d candidates", len(sd), k))
	}
	// The maximum lies above low, which one candidate all but guarantees, and
	// below high.
	low, high, anchor := math.Inf(-1), math.Inf(-1), 0
	for i, m := range mean {
		reach := float64(thompsonReach * float64(e.Scale*sd[i]))
		if !(reach >= 0) || math.IsInf(reach, 0) {
			panic(fmt.Sprintf("bandit: SD %v, scale %v", sd[i], e.Scale))
		}
		if m-reach > low {
			low, anchor = m-reach, i
		}
		high = max(high, m+reach)
	}
	clear(dst)
	step := (high - low) / thompsonNodes
	if !(step > 0) {
		dst[anchor] = 1
		return finish(dst, e.Floor)
	}

	// P(score i < low + n·step) for every candidate that may lie above low, and
	// the product over candidates.
	const points = thompsonNodes + 1
	if len(w.below) < k*points {
		w.below = make([]float64, k*points)
	}
	var product [points]float64
	for n := range product {
		product[n] = 1
	}
	for i, m := range mean {
		below := (*[points]float64)(w.below[i*points:])
		below[0] = 1
		s := float64(e.Scale * sd[i])
		if s < 1e-12*step { // as good as no spread, and then m is no higher than low
			continue
		}
		z := (low - m) / s
		if z >= thompsonReach {
			continue // no chance
		}
		start := float64((z + normalLimit) * normalSteps)
		stride := float64(step / s * normalSteps)
		for n := range below {
			below[n] = normalAt(start + float64(stride*float64(n)))
			product[n] = float64(product[n] * below[n])
		}
	}
	first := 1 // below the first point the maximum is not
	for product[first] < 1e-9 {
		first++
	}
	dst[anchor] = product[0] // all below low, and a score without spread
	for i := range dst {
		below := (*[points]float64)(w.below[i*points:])
		if below[0] == 1 {
			continue
		}
		sum, last := 0.0, 0.0 // last: P(all others < x) at the point before
		if first == 1 && below[0] > 0 {
			last = product[0] / below[0]
		}
		for n := first; n < points; n++ {
			others := product[n] / below[n]
			if below[n-1] == 0 {
				last = others
			}
			sum += float64((below[n] - below[n-1]) * (last + others))
			last = others
		}
		dst[i] += float64(0.5 * sum)
	}
	return finish(dst, e.Floor)
}

// InverseGap stores in dst the inverse-gap weighting of SquareCB and returns
// dst: every candidate but the best has probability 1/(k + gamma·gap), the best
// has the rest. gamma ≥ 0 in units of 1/reward; larger is greedier.
//
// See Foster and Rakhlin (2020), arXiv:2002.04926.
func InverseGap(dst, mean []float64, gamma float64) []float64 {
	k := check(dst, mean)
	best := Best(mean)
	rest := 1.0
	for i, m := range mean {
		if i == best {
			continue
		}
		dst[i] = 1 / (float64(k) + float64(gamma*(mean[best]-m)))
		rest -= dst[i]
	}
	dst[best] = rest
	return finish(dst, 0)
}

// EpsilonGreedy stores in dst the distribution that gives the best mean
// 1 − epsilon and spreads epsilon evenly over all, and returns dst.
func EpsilonGreedy(dst, mean []float64, epsilon float64) []float64 {
	check(dst, mean)
	best := Best(mean)
	clear(dst)
	dst[best] = 1
	return finish(dst, epsilon)
}

// Eliminate stores in dst the even distribution over the candidates whose
// upper bound mean + width reaches the greatest lower bound mean − width, and
// returns dst.
//
// See Foster, Agarwal, Dudík, Luo and Schapire (2018), arXiv:1803.01088.
func Eliminate(dst, mean, width []float64) []float64 {
	k := check(dst, mean)
	if len(width) != k {
		panic(fmt.Sprintf("bandit: %d widths for %d candidates", len(width), k))
	}
	bar := math.Inf(-1)
	for i, m := range mean {
		bar = max(bar, m-width[i])
	}
	for i, m := range mean {
		dst[i] = 0
		if m+width[i] >= bar {
			dst[i] = 1
		}
	}
	return finish(dst, 0)
}

// check panics unless dst and mean have the same length k ≥ 1 and every mean
// is a number, and returns k.
func check(dst, mean []float64) int {
	if len(dst) != len(mean) || len(mean) == 0 {
		panic(fmt.Sprintf("bandit: %d probabilities for %d candidates", len(dst), len(mean)))
	}
	for _, m := range mean {
		if math.IsNaN(m) || math.IsInf(m, 0) {
			panic(fmt.Sprintf("bandit: mean %v", m))
		}
	}
	return len(mean)
}

// finish scales dst to sum to 1, mixes it with floor spread evenly, and gives
// what rounding left over to the greatest entry.
func finish(dst []float64, floor float64) []float64 {
	if !(floor >= 0 && floor <= 1) {
		panic(fmt.Sprintf("bandit: floor %v", floor))
	}
	total := 0.0
	for _, p := range dst {
		total += p
	}
	even := floor / float64(len(dst))
	scale := (1 - floor) / total
	sum, most := 0.0, 0
	for i := range dst {
		dst[i] = float64(dst[i]*scale) + even
		sum += dst[i]
		if dst[i] > dst[most] {
			most = i
		}
	}
	dst[most] += 1 - sum
	return dst
}
