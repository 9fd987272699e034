package survival

import (
	"math"
	"slices"
)

// Censoring is the Kaplan-Meier estimate of the probability G(t) of not being
// censored by t. At equal times events come before censorings, so rows with an
// event at t are no longer at risk of being censored there.
type Censoring struct {
	time, g []float64
}

// NewCensoring estimates the censoring of d, over all strata together.
func NewCensoring(d *Data) (*Censoring, error) {
	all := *d
	all.Stratum = nil
	cs, err := all.censorings(false)
	if err != nil {
		return nil, err
	}
	return cs[0], nil
}

// censorings returns the estimate per stratum. With together, rows with an
// event at the time of a censoring count as at risk of being censored there.
func (d *Data) censorings(together bool) ([]*Censoring, error) {
	var out []*Censoring
	err := d.strata(func(_ int, rows []int32, entry, exit []float64) {
		c := &Censoring{}
		byEntry := entriesOf(rows, entry)
		risk, e, g := 0.0, 0, 1.0
		if entry == nil {
			for _, i := range rows {
				risk += d.weight(int(i))
			}
		}
		timeGroups(rows, exit, func(lo, hi int) {
			for t := exit[rows[lo]]; e < len(byEntry) && entry[byEntry[e]] < t; e++ {
				risk += d.weight(int(byEntry[e]))
			}
			lost, dead := 0.0, 0.0
			for _, i := range rows[lo:hi] {
				if w := d.weight(int(i)); d.Event[i] != 0 {
					dead += w
				} else {
					lost += w
				}
			}
			if lost > 0 {
				at := risk
				if !together {
					at -= dead
				}
				g *= max(0, 1-lost/at)
				c.time = append(c.time, exit[rows[lo]])
				c.g = append(c.g, g)
			}
			risk -= lost + dead
		})
		out = append(out, c)
	})
	return out, err
}

// At returns G(t), the probability of not being censored up to and at t.
func (c *Censoring) At(t float64) float64 {
	if k := upTo(c.time, t); k > 0 {
		return c.g[k-1]
	}
	return 1
}

// Before returns G(t−), the probability of not being censored before t.
func (c *Censoring) Before(t float64) float64 {
	k, _ := slices.BinarySearch(c.time, t)
	if k > 0 {
		return c.g[k-1]
	}
	return 1
}

// Brier returns the mean squared error of predicted survival at time t:
// surv[i] is the predicted probability that row i is without event at t. Rows
// censored before t count through those that are not (inverse probability of
// censoring weights): an event at s ≤ t by 1/G(s−), a row beyond t by 1/G(t),
// and the sum is divided by the weight of all rows.
//
// See Graf et al. (1999), doi:10.1002/(SICI)1097-0258(19990915/30)18:17/18.
func Brier(d *Data, t float64, surv []float64, g *Censoring) float64 {
	if len(surv) != len(d.Time) {
		panic("survival: predictions and times differ in length")
	}
	sum, weight := 0.0, 0.0
	for i, s := range surv {
		w := d.weight(i)
		weight += w
		switch {
		case d.Time[i] <= t && d.Event[i] != 0:
			sum += w * s * s / g.Before(d.Time[i])
		case d.Time[i] > t:
			sum += w * (1 - s) * (1 - s) / g.At(t)
		}
	}
	return sum / weight
}

// IntegratedBrier returns the trapezoid mean of scores over times:
// ∫ score dt / (last − first).
func IntegratedBrier(times, scores []float64) float64 {
	s := 0.0
	for k := 1; k < len(times); k++ {
		s += (times[k] - times[k-1]) * (scores[k] + scores[k-1]) / 2
	}
	return s / (times[len(times)-1] - times[0])
}

// AUC returns the probability that of a row with its event by time t and one
// still without at t the former has the higher risk, by inverse probability
// of censoring weights (cumulative cases, dynamic controls). It is NaN where
// there is no such pair.
//
// See Hung and Chiang (2010), doi:10.1002/cjs.10046.
func AUC(d *Data, t float64, risk []float64, g *Censoring) float64 {
	if len(risk) != len(d.Time) {
		panic("survival: predictions and times differ in length")
	}
	order := argsort(risk)
	controls, won, cases := 0.0, 0.0, 0.0
	for lo := 0; lo < len(order); {
		hi := lo + 1
		for hi < len(order) && risk[order[hi]] == risk[order[lo]] {
			hi++
		}
		same, here := 0.0, 0.0
		for _, i := range order[lo:hi] {
			switch {
			case d.Time[i] > t:
				same += d.weight(int(i))
			case d.Event[i] != 0:
				here += d.weight(int(i)) / g.Before(d.Time[i])
			}
		}
		won += here * (controls + same/2)
		controls += same
		cases += here
		lo = hi
	}
	return won / (cases * controls)
}

// CalibrationBin is one group of rows with similar predictions.
type CalibrationBin struct {
	N         int
	Weight    float64
	Predicted float64 // mean predicted probability of the event by the horizon
	Observed  float64 // one less Kaplan-Meier at the horizon
	Lower     float64 // limits of Observed
	Upper     float64
}

// Calibration compares predicted probabilities of the event by time t with
// what Kaplan-Meier finds in groups of equal size by prediction. Rows with
// equal predictions stay together, so there may be fewer groups than asked
// for.
func Calibration(d *Data, t float64, prob []float64, groups int, opt CurveOptions) ([]CalibrationBin, error) {
	if len(prob) != len(d.Time) {
		panic("survival: predictions and times differ in length")
	}
	order := argsort(prob)
	var out []CalibrationBin
	for lo, g := 0, 1; lo < len(order); g++ {
		hi := max(lo+1, len(order)*g/groups)
		for hi < len(order) && prob[order[hi]] == prob[order[hi-1]] {
			hi++
		}
		part := &Data{}
		bin := CalibrationBin{N: hi - lo}
		for _, i := range order[lo:hi] {
			w := d.weight(int(i))
			part.Time = append(part.Time, d.Time[i])
			part.Event = append(part.Event, d.Event[i])
			part.Weight = append(part.Weight, w)
			if d.Entry != nil {
				part.Entry = append(part.Entry, d.Entry[i])
			}
			bin.Predicted += w * prob[i]
			bin.Weight += w
		}
		if bin.Weight > 0 {
			km, err := KaplanMeier(part, opt)
			if err != nil {
				return nil, err
			}
			p := km[0].At(t)
			bin.Predicted /= bin.Weight
			bin.Observed, bin.Lower, bin.Upper = 1-p.Survival, 1-p.Upper, 1-p.Lower
			out = append(out, bin)
		}
		lo = hi
	}
	return out, nil
}

// CalibrationError returns the expected calibration error of bins: the mean
// distance between predicted and observed, by weight.
func CalibrationError(bins []CalibrationBin) float64 {
	sum, weight := 0.0, 0.0
	for _, b := range bins {
		sum += b.Weight * math.Abs(b.Predicted-b.Observed)
		weight += b.Weight
	}
	return sum / weight
}
