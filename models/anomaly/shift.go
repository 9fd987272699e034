package anomaly

import "math"

// Shift is the evidence in a sequence of scores that they moved by a given
// amount at some point of it and stayed there.
type Shift struct {
	Evidence float64 // logarithm of the Shiryaev-Roberts statistic
	From     int     // index of the first score after the shift, where it most likely began
}

// maxEvidence bounds what one payment can say for a shift, as if one in two
// hundred were an outlier whatever happens, so that one alone proves little.
const maxEvidence = 5.5

// whole is up to how many standard deviations a payment counts whole beside
// others, whatever the shift.
const whole = 4

// Detect returns the evidence of an upward shift by effect standard deviations
// within scores, a sequence of standard scores around a baseline that is
// itself known only as well as n observations tell. The shift may begin at any
// score before which at least least observations lie, those of the baseline
// included, and lasts until the last score. Echo is the correlation of each
// score with the next, in [0, 1).
//
// It is the statistic of Shiryaev (1963) and Roberts (1966), the sum over all
// beginnings of the likelihood ratio of a shift to none: the odds of a change
// when it is as likely to begin with one invoice as with another. The mean
// before the shift is integrated out: the means of m scores after it and k
// observations before it differ by N(0, 1/m+1/k) without a shift and by
// N(effect, 1/m+1/k) with one, where nothing echoes. It does not allocate.
func Detect(scores []float64, n, least, effect, echo float64) Shift {
	bound := max(whole, effect/2+maxEvidence/effect)
	var total float64
	for _, z := range scores {
		total += min(max(z, -bound), bound)
	}
	var s Shift
	var before, sum float64
	best := math.Inf(-1)
	for i, z := range scores {
		k, m := n+float64(i), float64(len(scores)-i)
		if k >= least {
			d := (total-before)/m - before/k
			e := effect * (d - effect/2) / (meanVariance(m, echo) + meanVariance(k, echo))
			if m == 1 {
				e = min(e, maxEvidence)
			}
			if e > best {
				best, s.From = e, i
			}
			if e > best-40 { // or it adds nothing
				sum += math.Exp(e)
			}
		}
		before += min(max(z, -bound), bound)
	}
	s.Evidence = math.Log(sum)
	return s
}

// meanVariance returns the variance of the mean of n scores of variance 1, of
// which each has correlation echo with the next and its powers with those
// after it.
func meanVariance(n, echo float64) float64 {
	if echo == 0 {
		return 1 / n
	}
	r := 1 - echo
	return (1+echo)/r/n - 2*echo*(1-math.Pow(echo, n))/(r*r*n*n)
}

// Rate returns how many false alarms per observation are raised by alarming at
// this evidence of a shift by effect: one over the average run length of the
// Shiryaev-Roberts procedure, by Pollak (1987), doi:10.1214/aos/1176350373,
// with the mean overshoot of normal scores. It serves as a p-value: alarming
// whenever Rate is at most a gives a false alarms per observation.
func Rate(evidence, effect float64) float64 {
	return min(1, math.Exp(-evidence-0.583*effect))
}
