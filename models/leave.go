package models

// Leaving holds the daily hazards of what keeps an invoice from being paid as
// usual: a dispute, a payment plan, being handed over. Each is a rate by days
// past due, estimated on its own (cause-specific hazards).
type Leaving struct {
	// Rate holds, for Disputed, Planned and Handed in turn, the probability of
	// one day by bin of days past due.
	Rate []float64
}

// leaveBins is how many bins of days past due there are.
const leaveBins = len(dpdEdges) + 1

// leavePrior is the daily probability believed in before any data, and
// leaveWeight the number of events that the rate over all days past due weighs
// against that of one bin.
const leavePrior, leaveWeight = 1e-4, 3

// NewLeaving returns the rates before any data.
func NewLeaving() *Leaving {
	l := &Leaving{Rate: make([]float64, causes*leaveBins)}
	for k := range l.Rate {
		l.Rate[k] = leavePrior
	}
	return l
}

// causes is how many causes of leaving there are.
const causes = int(Ends - Disputed)

// FitLeaving estimates the rates from person-periods: Gamma-Poisson, each bin
// shrunk to all days of its cause, and these to the prior.
func FitLeaving(rows *Periods) *Leaving {
	rows.settle()
	var days, events [causes * leaveBins]float64
	var allDays float64
	var all [causes]float64
	for i := range rows.Len() {
		p, end, w := rows.At(i)
		k := bin(p.DPD, dpdEdges[:])
		allDays += w
		for c := range causes {
			days[c*leaveBins+k] += w
		}
		if end >= Disputed {
			c := int(end - Disputed)
			events[c*leaveBins+k] += w
			all[c] += w
		}
	}
	l := NewLeaving()
	for c := range causes {
		rate := (all[c] + 1) / (allDays + 1/leavePrior)
		for k := range leaveBins {
			j := c*leaveBins + k
			l.Rate[j] = (events[j] + leaveWeight) / (days[j] + leaveWeight/rate)
		}
	}
	return l
}

// Day returns the probability that an invoice leaves, for whatever cause, on a
// day so many days past due.
func (l *Leaving) Day(dpd int) float64 {
	k, sum := bin(dpd, dpdEdges[:]), 0.0
	for c := range causes {
		sum += l.Rate[c*leaveBins+k]
	}
	return min(sum, 1)
}
