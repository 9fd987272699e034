package models

import "math"

// Runs says on which days a debtor pays: the probabilities that it does so on
// no fixed day, on each weekday, Monday first, and at the end of the month.
type Runs [9]float64

// RunEnd is the index of the month's end in Runs.
const RunEnd = 8

const (
	// RunKept is the share of the days with a payment that lie on the run of a
	// debtor who has one.
	RunKept = 0.93
	// monthEndShare is that of days among the last three or first two of a month.
	monthEndShare = 5 / 30.4375
)

// WeekdayShare is how the days with a payment of debtors without a run are
// spread over the week.
var WeekdayShare = [7]float64{0.19, 0.17, 0.17, 0.17, 0.16, 0.08, 0.06}

// runPrior is what is believed of a debtor who never paid: one in three
// businesses and one in seven consumers have a run.
var runPrior = Runs{0.753, 0.035, 0.035, 0.035, 0.035, 0.035, 0.001, 0.001, 0.07}

// RunsOf returns what a debtor's days with a payment say: their counts by
// weekday, Monday first, and of those at the end of a month; old days may count
// less.
func RunsOf(weekday *[7]float64, monthEnd float64) Runs {
	n := 0.0
	for _, v := range weekday {
		n += v
	}
	if n == 0 {
		return runPrior
	}
	var score Runs
	for k := 1; k < len(score); k++ {
		on, q := monthEnd, monthEndShare
		if k < RunEnd {
			on, q = weekday[k-1], WeekdayShare[k-1]
		}
		score[k] = on*math.Log(RunKept/q) + max(n-on, 0)*math.Log((1-RunKept)/(1-q))
	}
	return RunsGiven(&score)
}

// RunsGiven returns what log-likelihood ratios against no run, of which the first
// plays no part, make of what is believed of a debtor who never paid.
func RunsGiven(score *Runs) Runs {
	r := runPrior
	top := 0.0
	for _, x := range score[1:] {
		top = max(top, x)
	}
	sum := math.Exp(-top) * r[0]
	r[0] = sum
	for k := 1; k < len(r); k++ {
		r[k] *= math.Exp(score[k] - top)
		sum += r[k]
	}
	for k := range r {
		r[k] /= sum
	}
	return r
}

// Lift is how many times as many of the debtor's payments as of others' fall on
// a weekday (0 = Monday) that is, or is not, at the end of a month.
func (r *Runs) Lift(weekday int, monthEnd bool) float64 {
	lift := r[0]
	for k := range WeekdayShare {
		if k == weekday {
			lift += r[k+1] * RunKept / WeekdayShare[weekday]
		} else {
			lift += r[k+1] * (1 - RunKept) / (1 - WeekdayShare[k])
		}
	}
	if monthEnd {
		return lift + r[RunEnd]*RunKept/monthEndShare
	}
	return lift + r[RunEnd]*(1-RunKept)/(1-monthEndShare)
}
