package models

import (
	"math"
	"testing"
	"time"

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
			w := weekdayShare[wd]
			sum += w * runs.Lift(wd, d.MonthEnd())
			weight += w
		}
		if math.Abs(sum/weight-1) > 0.01 { // the calendar is no exact mix of weekdays and months' ends
			r.Fatalf("%v: mean lift %v", runs, sum/weight)
		}
	})
}

// A wait ends on the first day of the run, counted day by day.
func TestWaits(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		first := ledger.Day(rapid.IntRange(19000, 22000).Draw(r, "first"))
		waits := make([]Waits, rapid.IntRange(1, 60).Draw(r, "days"))
		FillWaits(waits, first)
		for i, w := range waits {
			for k, days := range w {
				at := first + ledger.Day(i)
				want := 0
				for on := func(d ledger.Day) bool {
					return k == 0 || k == runEnd && d.MonthEnd() || k < runEnd && (int(d.Weekday())+6)%7 == k-1
				}; !on(at); at++ {
					want++
				}
				if int(days) != want {
					r.Fatalf("day %s, run %d: waits %d days, counted %d", first+ledger.Day(i), k, days, want)
				}
			}
		}
	})
	friday := RunsOf(&[7]float64{0, 0, 0, 0, 12, 0, 0}, 0)
	var week [7]Waits
	monday := ledger.DayOf(time.Date(2026, 3, 16, 12, 0, 0, 0, time.UTC), time.UTC)
	FillWaits(week[:], monday)
	mean := func(d int) float64 { return friday.Wait(&week[d], func(days int) float64 { return float64(days) }) }
	// One payment in fourteen lies off the run.
	if math.Abs(mean(0)-runKept*4) > 0.05 || mean(4) > 0.05 || math.Abs(mean(5)-runKept*6) > 0.05 {
		t.Errorf("who pays on Fridays waits %.2f days from Monday, %.2f from Friday, %.2f from Saturday", mean(0), mean(4), mean(5))
	}
	if sure := friday.Wait(&week[0], func(int) float64 { return 1 }); math.Abs(sure-1) > 1e-12 {
		t.Errorf("the chances sum to %v", sure)
	}
}
