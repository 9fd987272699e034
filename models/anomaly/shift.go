package anomaly

import "math"

// Shift is the strongest evidence in a sequence of scores that they moved by
// a given amount at some point of it.
type Shift struct {
	Evidence float64 // log likelihood ratio of the shift; 0 where there is none
	From     int     // index of the first score after the shift
	Size     float64 // mean of the scores after it less the mean before
}

// maxEvidence bounds what one payment can say for a shift: as if one in two
// hundred were an outlier whatever happens, so that one alone proves nothing.
const maxEvidence = 5.5

// Detect returns the strongest evidence of an upward shift by effect standard
// deviations within scores, a sequence of standard scores around a baseline
// that is itself known only as well as n observations tell. The shift may
// begin at any score before which at least least observations lie, those of
// the baseline included, and lasts until the last score.
//
// It is the window-limited CUSUM of Lai (1995), doi:10.1111/j.2517-6161.1995.tb02052.x,
// on the likelihood ratio in which the mean before the shift is integrated
// out: with m scores after the shift and k observations before it, their
// means differ by N(0, 1/m+1/k) without and N(effect, 1/m+1/k) with a shift.
// With a long baseline it is Page's CUSUM with reference value effect/2.
// It does not allocate.
func Detect(scores []float64, n, least, effect float64) Shift {
	bound := effect/2 + maxEvidence/effect
	var total float64
	for _, z := range scores {
		total += clip(z, bound)
	}
	var best Shift
	var before float64
	for i, z := range scores {
		k, m := n+float64(i), float64(len(scores)-i)
		if k >= least {
			d := (total-before)/m - before/k
			if e := effect * (d - effect/2) / (1/m + 1/k); e > best.Evidence {
				best = Shift{Evidence: e, From: i, Size: d}
			}
		}
		before += clip(z, bound)
	}
	return best
}

func clip(z, bound float64) float64 { return min(max(z, -bound), bound) }

// Rate returns how many false alarms per observation a CUSUM tuned to effect
// raises if it alarms at this evidence: one over its average run length, by
// Siegmund (1985), Sequential Analysis, eq. 2.56 with the overshoot of normal
// scores. The alarm at evidence e has this rate as its p-value: raised
// whenever Rate ≤ a, false alarms come at a per observation.
func Rate(evidence, effect float64) float64 {
	if evidence <= 0 {
		return 1
	}
	x := evidence + 1.166*effect
	return min(1, effect*effect/2/(math.Exp(x)-x-1))
}
