package models

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"rappel/datasets/ledger"
)

func TestRuns(t *testing.T) {
	for _, c := range []struct {
		name     string
		days     [7]float64
		monthEnd float64
		run      int // index of the likeliest
		at       float64
	}{
		{"nobody is known", [7]float64{}, 0, 0, 0.75},
		{"six Thursdays", [7]float64{0, 0, 0, 6, 0, 0, 0}, 1, 4, 0.95},
		{"six Thursdays and a Monday", [7]float64{1, 0, 0, 6, 0, 0, 0}, 1, 4, 0.95},
		{"all over the week", [7]float64{2, 1, 2, 1, 2, 0, 0}, 1, 0, 0.95},
		{"four ends of months", [7]float64{1, 1, 1, 0, 1, 0, 0}, 4, 8, 0.95},
		{"two Tuesdays", [7]float64{0, 2, 0, 0, 0, 0, 0}, 0, 2, 0.3},
	} {
		r := RunsOf(&c.days, c.monthEnd)
		best, sum := 0, 0.0
		for k, p := range r {
			sum += p
			if p > r[best] {
				best = k
			}
		}
		if best != c.run || r[best] < c.at || math.Abs(sum-1) > 1e-12 {
			t.Errorf("%s: %v", c.name, r)
		}
	}
}

// Over the days of four years a debtor pays as often as it pays: lifts weighted
// by how days of payment are usually spread are one on average.
func TestLiftsAverageToOne(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var days [7]float64
		for d := range days {
			days[d] = rapid.Float64Range(0, 10).Draw(r, "days")
		}
		runs := RunsOf(&days, rapid.Float64Range(0, 10).Draw(r, "month end"))
		sum, weight := 0.0, 0.0
		for d := ledger.Day(19000); d < 19000+1461; d++ {
			wd := (int(d.Weekday()) + 6) % 7
			w := WeekdayShare[wd]
			sum += w * runs.Lift(wd, d.MonthEnd() > 0)
			weight += w
		}
		if math.Abs(sum/weight-1) > 0.01 { // the calendar is no exact mix of weekdays and months' ends
			r.Fatalf("%v: mean lift %v", runs, sum/weight)
		}
	})
}
