package models

import "math"

// Runs says on which days a debtor pays: the probabilities that it does so on
// no fixed day, on each weekday, Monday first, and at the end of the month.
type Runs [9]float64

// runEnd is the index of the month's end in Runs.
const runEnd = 8

const (
	// runKept is the share of the days with a payment that lie on the run of a
	// debtor who has one.
	runKept = 0.93
	// monthEndShare is that of days among the last three or first two of a month.
	monthEndShare = 5 / 30.4375
)

// weekdayShare is how the days with a payment of debtors without a run are
// spread over the week.
var weekdayShare = [7]float64{0.19, 0.17, 0.17, 0.17, 0.16, 0.08, 0.06}

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
	r := runPrior
	if n == 0 {
		return r
	}
	// Log likelihood ratios against no run, then the weights of all nine.
	top := 0.0
	var score [len(r)]float64
	for k := 1; k < len(r); k++ {
		on, q := monthEnd, monthEndShare
		if k < runEnd {
			on, q = weekday[k-1], weekdayShare[k-1]
		}
		score[k] = on*math.Log(runKept/q) + max(n-on, 0)*math.Log((1-runKept)/(1-q))
		top = max(top, score[k])
	}
	sum := 0.0
	for k := range r {
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
	for k := range weekdayShare {
		if k == weekday {
			lift += r[k+1] * runKept / weekdayShare[weekday]
		} else {
			lift += r[k+1] * (1 - runKept) / (1 - weekdayShare[k])
		}
	}
	if monthEnd {
		return lift + r[runEnd]*runKept/monthEndShare
	}
	return lift + r[runEnd]*(1-runKept)/(1-monthEndShare)
}
