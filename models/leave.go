package models

// Leaving holds the daily hazards of what keeps an invoice from being paid as
// usual: a dispute, a payment plan, being handed over. Each is a rate by days
// past due, the day of issue apart, estimated on its own (cause-specific
// hazards). Some files know only that an invoice was disputed: it is so from its
// issue on, and who was not on that day will not be.
type Leaving struct {
	// Rate holds, for Disputed, Planned and Handed in turn, the probability of
	// one day by bin of days past due, and at the end that of the day of issue.
	Rate []float64
}

// leaveBins is how many bins there are.
const leaveBins = len(dpdEdges) + 2

// leaveBin is the bin of a day.
func leaveBin(dpd, age int) int {
	if age <= 0 {
		return leaveBins - 1
	}
	return bin(dpd, dpdEdges[:])
}

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
		k := leaveBin(p.DPD, p.Age)
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
// day so many days past due and since its issue.
func (l *Leaving) Day(dpd, age int) float64 {
	k, sum := leaveBin(dpd, age), 0.0
	for c := range causes {
		sum += l.Rate[c*leaveBins+k]
	}
	return min(sum, 1)
}
