package ope

import (
	"math"
	"slices"
)

// gridSize is how many values of a parameter are tried.
const gridSize = 16

// shrink returns how an estimator replaces the importance ratio w, given its
// parameter.
//
// Switch: Wang, Agarwal, Dudík (2017), arXiv:1612.01205. Optimistic shrinkage:
// Su et al. (2020), arXiv:1907.09623. Sub-Gaussian: Metelli, Russo, Restelli
// (2021), NeurIPS 34.
func shrink(name string) func(w, parameter float64) float64 {
	switch name {
	case SwitchDR:
		return func(w, tau float64) float64 {
			if w > tau {
				return 0
			}
			return w
		}
	case DRos:
		return func(w, lambda float64) float64 {
			if w == 0 || lambda == 0 {
				return 0
			}
			return w / (w*w/lambda + 1)
		}
	default: // sub-Gaussian
		return func(w, lambda float64) float64 {
			if w == 0 {
				return 0
			}
			return w / (1 - lambda + lambda*w)
		}
	}
}

// grid returns the parameters to try, from no shrinkage (no bias, most
// variance) to the most.
func grid(name string, l *Log) []float64 {
	ratios := l.Ratios(nil)
	slices.Sort(ratios)
	top := ratios[len(ratios)-1]
	out := make([]float64, gridSize)
	for k := range out {
		f := float64(k) / (gridSize - 1) // 0 … 1
		switch name {
		case SwitchDR: // thresholds at quantiles of the ratios, ending below them all
			if k == gridSize-1 {
				out[k] = 0
			} else {
				out[k] = ratios[int((1-f)*float64(len(ratios)-1))]
			}
		case DRos: // from far above the largest squared ratio down to 0
			if k == gridSize-1 {
				out[k] = 0
			} else {
				out[k] = 1e4 * (top*top + 1) * math.Pow(10, -8*f)
			}
		default: // λ from 0 to 1, denser near 0
			out[k] = f * f
		}
	}
	return out
}

// slope chooses the parameter of an estimator: the most shrunken one whose
// interval still agrees with those of all less shrunken ones, so that variance
// is given up only while no bias shows.
//
// See Su, Srinath, Krishnamurthy (2020), "Adaptive estimator selection for
// off-policy evaluation", arXiv:2002.07729: with half-widths falling in k,
// take the last k with |θ_k − θ_j| ≤ c_k + (√6 − 1) c_j for every j < k. The
// half-widths here are one standard error: bias is then let in up to the order
// of the noise that it saves.
func slope(l *Log, of []int32, m int, parameters []float64, shrink func(w, p float64) float64, model bool) float64 {
	value := make([]float64, len(parameters))
	width := make([]float64, len(parameters))
	unit := make([]float64, 2*m) // per unit: Σ weight·score, Σ weight
	best := 0
	for k, parameter := range parameters {
		clear(unit)
		var num, den float64
		for i := range l.Reward {
			weight, ratio := l.weight(i), shrink(l.ratio(i), parameter)
			var score float64
			if model {
				score = l.V[i] + ratio*(l.Reward[i]-l.Q[i])
			} else {
				score = ratio * l.Reward[i]
			}
			u := 2 * int(of[i])
			unit[u] += weight * score
			unit[u+1] += weight
			num += weight * score
			den += weight
		}
		value[k] = num / den
		ss := 0.0
		for u := range m {
			d := (unit[2*u] - value[k]*unit[2*u+1]) / den
			ss += d * d
		}
		width[k] = math.Sqrt(ss)
		for j := range k {
			if math.Abs(value[k]-value[j]) > width[k]+(math.Sqrt(6)-1)*width[j] {
				return parameters[best]
			}
		}
		best = k
	}
	return parameters[best]
}
