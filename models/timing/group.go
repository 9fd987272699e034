package timing

import "math"

// maxGroups bounds the number of groups, so that mixing needs no allocation.
const maxGroups = 8

// mix multiplies prior by the debtor's own mixture of group curves and scales
// e, the events expected, with it. Both keep their sum over what was exposed.
func (m *Model) mix(prior, n, e *[Hours]float64, seen, expected float64, row int) {
	var share [maxGroups]float64
	g := m.membership(&share, n, e, seen, expected, row)
	for h := range prior {
		r := 0.0
		for c := range g {
			r += share[c] * m.Groups[c*Hours+h]
		}
		prior[h] *= r
		e[h] *= r
	}
}

// membership stores the probability of each group given the events, divided by
// the mean of the group's curve over what was exposed, and returns the number
// of groups. The likelihood of events among the exposed hours is tempered:
// a debtor's events repeat each other, so that the first few say most.
func (m *Model) membership(share *[maxGroups]float64, n, e *[Hours]float64, seen, expected float64, row int) int {
	g := len(m.Groups) / Hours
	var mean [maxGroups]float64
	heat := 1 / (1 + seen/m.GroupHeat)
	top := math.Inf(-1)
	for c := range g {
		curve := m.Groups[c*Hours:][:Hours]
		sum, score := 0.0, 0.0
		for h, r := range curve {
			sum += e[h] * r
		}
		mean[c] = 1
		if expected > 0 {
			mean[c] = sum / expected
		}
		if seen > 0 {
			for h, v := range n {
				if v > 0 {
					score += v * math.Log(curve[h])
				}
			}
			score -= seen * math.Log(mean[c])
		}
		share[c] = math.Log(m.GroupShares[row*g+c]) + heat*score
		top = max(top, share[c])
	}
	sum := 0.0
	for c := range g {
		share[c] = math.Exp(share[c] - top)
		sum += share[c]
	}
	for c := range g {
		share[c] /= sum * mean[c]
	}
	return g
}

// group draws behaviour groups and keeps them where they help.
func (f *fitter) group() {}
