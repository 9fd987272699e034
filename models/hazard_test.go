package models

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"rappel/features"
)

// anyDay draws a period.
func anyDay(r *rapid.T) Period {
	p := Period{
		DPD: rapid.IntRange(-60, 400).Draw(r, "dpd"), Weekday: rapid.IntRange(0, 6).Draw(r, "weekday"), MonthEnd: rapid.Bool().Draw(r, "month end"),
		LogAmount: rapid.Float64Range(0, 12).Draw(r, "amount"), Opened: rapid.Bool().Draw(r, "opened"), Tone: rapid.IntRange(-1, 2).Draw(r, "tone"),
		PayShare: rapid.Float64Range(0, 1).Draw(r, "share"), Past: features.Past{LateMean: rapid.Float64Range(-30, 90).Draw(r, "late"),
			Before: rapid.Float64Range(0, 1).Draw(r, "before"), Reminded: rapid.Float64Range(0, 1).Draw(r, "reminded"),
			Natural: rapid.Float64Range(0, 1).Draw(r, "natural")},
	}
	for c := range p.Since {
		p.Since[c] = float64(rapid.IntRange(-1, 60).Draw(r, "since"))
	}
	return p
}

// One row of the design against the coefficients is the daily hazard.
func TestDesignIsWhatTheHazardReads(t *testing.T) {
	h := PriorHazard()
	x := make([]float64, HazardColumns)
	rapid.Check(t, func(r *rapid.T) {
		p := anyDay(r)
		Design(x, &p)
		eta := 0.0
		for j, v := range x {
			eta += v * h.Coef[j]
		}
		want := -math.Expm1(-math.Exp(eta))
		if got := h.Day(&p); math.Abs(got-want) > 1e-12 {
			r.Errorf("hazard %v, from the design %v", got, want)
		}
		for _, block := range [][2]int{{colDPD, colOwn}, {colOwn, colWeekday}, {colWeekday, colMonthEnd}} {
			sum := 0.0
			for _, v := range x[block[0]:block[1]] {
				sum += v
			}
			if sum != 1 {
				r.Errorf("%v: indicators %v", HazardNames[block[0]:block[1]], x[block[0]:block[1]])
			}
		}
	})
}

func TestNamesMatchTheColumns(t *testing.T) {
	seen := map[string]bool{}
	for j, name := range HazardNames {
		if name == "" || seen[name] {
			t.Errorf("column %d is called %q", j, name)
		}
		seen[name] = true
	}
	x := make([]float64, HazardColumns)
	for _, c := range []struct {
		p    Period
		want []string
	}{
		{Period{DPD: -8, Weekday: 0, Since: never, LogAmount: 5}, []string{"dpd<-7", "monday"}},
		{Period{DPD: -1, Weekday: 6, Since: never}, []string{"dpd-7..-1", "sunday"}},
		{Period{DPD: 0, MonthEnd: true, Since: never}, []string{"dpd0", "month_end", "own-3..3"}},
		{Period{DPD: 121, Since: never}, []string{"dpd>120", "own>10"}},
		{Period{DPD: 30, Past: features.Past{LateMean: 35}, Since: [5]float64{-1, -1, -1, -1, 0}, Opened: true, Tone: 2}, []string{"dpd15..30", "own-7..-3", "since_phone", "opened", "formal"}},
	} {
		Design(x, &c.p)
		for _, name := range c.want {
			for j := range x {
				if HazardNames[j] == name && x[j] != 1 {
					t.Errorf("%+v: %s is %v, want 1", c.p, name, x[j])
				}
			}
			if !seen[name] {
				t.Errorf("no column %q", name)
			}
		}
	}
}

// never is no contact on any channel.
var never = [5]float64{-1, -1, -1, -1, -1}

func TestSurvivalIsTheProductOfDays(t *testing.T) {
	h := PriorHazard()
	var curve [40]float64
	rapid.Check(t, func(r *rapid.T) {
		p := anyDay(r)
		share := [7]float64{0.1, 0.3, 0.1, 0.1, 0.2, 0.15, 0.05}
		end := func(ahead int) bool { return ahead%9 == 4 }
		h.SurvivalTo(curve[:], p, &share, end)
		alive, last := 1.0, 1.0
		for k, got := range curve {
			p.PayShare, p.MonthEnd = share[p.Weekday], end(k)
			alive *= 1 - h.Day(&p)
			if math.Abs(got-alive) > 1e-12 {
				r.Fatalf("day %d: %v, product of days %v", k, got, alive)
			}
			if got > last || got < 0 {
				r.Fatalf("day %d: %v after %v", k, got, last)
			}
			last = got
			p.DPD, p.Weekday = p.DPD+1, (p.Weekday+1)%7
			for c := range p.Since {
				if p.Since[c] >= 0 {
					p.Since[c]++
				}
			}
		}
	})
}

func TestSurvivalDoesNotAllocate(t *testing.T) {
	h := PriorHazard()
	curve := make([]float64, 29)
	share := [7]float64{}
	end := func(int) bool { return false }
	if n := testing.AllocsPerRun(100, func() { h.SurvivalTo(curve, Period{Since: never}, &share, end) }); n != 0 {
		t.Errorf("SurvivalTo allocates %v times per run", n)
	}
}

// simulate draws invoices that are paid by the hazard h, from ten days before
// the due date on, and appends their days to rows.
func simulate(rng *rand.Rand, h *Hazard, invoices int, rows *Periods) (lives []Life) {
	for range invoices {
		p := Period{
			DPD: -10, Weekday: rng.IntN(7), LogAmount: 3 + 4*rng.Float64(), PayShare: 1.0 / 7, Since: never, Tone: -1,
			Past: features.Past{LateMean: 30*rng.Float64() - 5, Before: rng.Float64(), Reminded: rng.Float64(), Natural: 0.2 * rng.Float64()},
		}
		life := Life{Start: p, Watched: 90}
		for life.Days < 90 && !life.Paid {
			life.Days++
			life.Paid = rng.Float64() < h.Day(&p)
			y := float32(0)
			if life.Paid {
				y = 1
			}
			rows.rows = append(rows.rows, y, 1, float32(p.DPD), float32(p.Weekday), 0, float32(p.LogAmount), -1, -1, -1, -1, -1, 0, -1,
				float32(p.PayShare), float32(p.LateMean), float32(p.Before), float32(p.Reminded), float32(p.Natural))
			p.DPD, p.Weekday = p.DPD+1, (p.Weekday+1)%7
		}
		lives = append(lives, life)
	}
	return lives
}

// truth is a hazard that differs from the prior where data can tell.
func truth() *Hazard {
	h := PriorHazard()
	h.Coef[colWeekday+1] += 1.2 // Tuesdays
	h.Coef[colAmount] -= 0.3
	h.Coef[colBefore] += 1
	return h
}

func TestHazardIsFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	var rows Periods
	simulate(rng, truth(), 3000, &rows)
	fit, err := FitHazard(&rows, PriorHazard(), PriorHazard())
	if err != nil {
		t.Fatal(err)
	}
	var fresh Periods
	simulate(rng, truth(), 200, &fresh)
	worst, prior := 0.0, 0.0
	for i := range fresh.Len() {
		p, _, _ := fresh.At(i)
		want := truth().Day(&p)
		worst += math.Abs(fit.Day(&p)-want) / float64(fresh.Len())
		prior += math.Abs(PriorHazard().Day(&p)-want) / float64(fresh.Len())
	}
	// About 3,000 payments over forty columns.
	if worst > 0.01 || worst > prior/2 {
		t.Errorf("mean error %v, of the prior %v", worst, prior)
	}
	if d := fit.Coef[colWeekday+1] - fit.Coef[colWeekday+2]; math.Abs(d-1.2) > 0.25 { // its standard error is 0.06, the ridge shrinks it
		t.Errorf("Tuesday against Wednesday %v, planted 1.2", d)
	}
}

func TestNothingPaidLeavesWhatWasBelieved(t *testing.T) {
	var rows Periods
	h := PriorHazard()
	h.Coef = append([]float64(nil), h.Coef...)
	for j := range h.Coef {
		h.Coef[j] = 0
	}
	h.Coef[colIntercept] = -40
	simulate(rand.New(rand.NewPCG(1, 1)), h, 20, &rows)
	start := truth()
	fit, err := FitHazard(&rows, PriorHazard(), start)
	if err != nil || fit != start {
		t.Errorf("%v %v", fit, err)
	}
}

func TestEvaluate(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	var rows Periods
	lives := simulate(rng, truth(), 1500, &rows)
	good, poor := truth().Evaluate(lives, 28), &Hazard{Coef: make([]float64, HazardColumns)}
	poor.Coef[colIntercept] = -6
	bad := poor.Evaluate(lives, 28)
	if good.Invoices != 1500 || good.Paid == 0 || good.Horizon != 28 {
		t.Errorf("%+v", good)
	}
	if good.Concordance < 0.6 || bad.Concordance > 0.55 {
		t.Errorf("concordance %v of the truth, %v of a constant", good.Concordance, bad.Concordance)
	}
	if good.Brier >= good.BrierMean || good.Brier >= bad.Brier {
		t.Errorf("Brier %v of the truth, %v of the mean, %v of a constant", good.Brier, good.BrierMean, bad.Brier)
	}
	if good.Calibration > 0.06 { // tenths of 150: 0.04 by chance
		t.Errorf("the truth is off by %v", good.Calibration)
	}
	if good.MAE >= bad.MAE {
		t.Errorf("days off: %v of the truth, %v of a constant", good.MAE, bad.MAE)
	}
	short := simulate(rng, truth(), 50, &rows)
	for i := range short {
		short[i].Watched = 27
	}
	if s := truth().Evaluate(append(short, lives...), 28); math.Abs(s.Brier-good.Brier) > 1e-12 {
		t.Errorf("Brier %v with invoices that were not followed to the horizon, %v without", s.Brier, good.Brier)
	}
	if got := truth().Evaluate(nil, 28); got != (Score{Horizon: 28}) {
		t.Errorf("without invoices %+v", got)
	}
}
