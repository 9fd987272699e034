package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// book4 is a thousand invoices of 100 euro with a daily hazard that makes a
// tenth of what is open come each week.
func book4() *outlook {
	o := &outlook{weeks: 4, came: make([]int64, 4)}
	for range 1000 {
		o.cents = append(o.cents, 10_000)
		for w := range o.weeks {
			o.hazard = append(o.hazard, -math.Log(0.9)*float64(w+1))
		}
	}
	return o
}

func TestForecastDraw(t *testing.T) {
	o := book4()
	calm, moved := tides{{weight: 1}}, tides{{weight: 1, s: 0.3, rho: 0.5, phi: 0.9, varU: 0.045}}
	alone, shared := o.draw(calm, 7), o.draw(moved, 7)
	for w := range o.weeks {
		want := 100_000 * 0.1 * math.Pow(0.9, float64(w))
		sd := 100 * math.Sqrt(1000*0.1*0.9) // of one week, in euro; less in later ones
		// A thousand futures: the mean is known to sd/31, a tenth to about sd/15.
		if math.Abs(alone[w].Mean-want) > sd/8 {
			t.Errorf("week %d: mean %.0f, want %.0f", w, alone[w].Mean, want)
		}
		if half := (alone[w].P90 - alone[w].P10) / 2; half > 1.28*sd*1.15 {
			t.Errorf("week %d: half width %.0f is wider than each debtor's own luck, %.0f", w, half, 1.28*sd)
		}
		if !(alone[w].P10 < alone[w].P50 && alone[w].P50 < alone[w].P90) {
			t.Errorf("week %d: quantiles out of order: %+v", w, alone[w])
		}
	}
	if a, s := alone[0].P90-alone[0].P10, shared[0].P90-shared[0].P10; s < 2*a {
		t.Errorf("a shared shock of 0.3 widens the first week from %.0f to %.0f only", a, s)
	}
	if !slices.Equal(shared, o.draw(moved, 7)) {
		t.Error("the same seed draws another future")
	}
	if slices.Equal(shared, o.draw(moved, 8)) {
		t.Error("another seed draws the same future")
	}
}

func TestForecastCheck(t *testing.T) {
	off := func(by ...float64) []*outlook { // the first weeks came off by so much, the latest first
		var list []*outlook
		for _, x := range by {
			o := book4()
			o.came[0] = int64(math.Round(x * 1_000_000))
			list = append(list, o)
		}
		return list
	}
	said := func(before []*outlook) (level, shock float64) {
		shared, c := check(before)
		told, came := 0.0, 0.0
		for _, o := range before {
			told, came = told+10_000, came+float64(o.came[0])/100
		}
		if c.Weeks != len(before) || math.Abs(c.Expected-told) > 1e-6 || math.Abs(c.Came-came) > 1e-6 {
			t.Errorf("check = %+v", c)
		}
		sum := 0.0
		for i := range shared {
			sum += shared[i].weight
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("weights sum to %v", sum)
		}
		return shared.ahead()
	}
	level, none := said(nil)
	if math.Abs(level-1) > 0.1 || none < priorShock || none > 3*priorShock {
		t.Errorf("nothing to check: level %v, shock %v; want about 1 and more than %v", level, none, priorShock)
	}
	level, even := said(off(1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5, 1.5))
	if level < 1.4 || level > 1.55 || even > none/2 {
		t.Errorf("half as much again, week after week: level %v, shock %v, want 1.5, and less than half of the %v of nothing known", level, even, none)
	}
	if _, wild := said(off(1.9, 0.1, 1.8, 0.2, 1.9, 0.1, 1.9, 0.2)); wild < 2*even {
		t.Errorf("shock = %v where weeks swing between nothing and twice as much, %v where they do not", wild, even)
	}
	// What lasted counts on: the same weeks, in another order.
	rose, _ := said(off(1.6, 1.5, 1.6, 1.5, 0.6, 0.5, 0.6, 0.5))
	fell, _ := said(off(0.5, 0.6, 0.5, 0.6, 1.5, 1.6, 1.5, 1.6))
	if rose < 1.2 || fell > 0.8 {
		t.Errorf("level %v after weeks of much, %v after weeks of little", rose, fell)
	}
}

// Eighty of a hundred weeks lie between p10 and p90 where the world has the
// shocks that the forecast learns from weeks before.
func TestForecastBandsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	in, n := 0, 0
	for round := range 60 {
		swell := 0.25 * rng.NormFloat64()
		factor := func() float64 {
			f := 1.1 * math.Exp(swell+0.2*rng.NormFloat64())
			swell = 0.8*swell + 0.25*0.6*rng.NormFloat64()
			return f
		}
		pay := func(factor []float64) *outlook {
			o := book4()
			for i := range o.cents {
				o.cents[i] = int64(5_000 + rng.IntN(20_000))
				for w, f := range factor {
					if rng.Float64() < 1-math.Pow(0.9, f) {
						o.came[w] += o.cents[i]
						break
					}
				}
			}
			return o
		}
		var before []*outlook
		for range checkWeeks {
			before = append([]*outlook{pay([]float64{factor()})}, before...)
		}
		shared, _ := check(before)
		o := pay([]float64{factor(), factor(), factor(), factor()})
		for w, f := range o.draw(shared, uint64(round)) {
			n++
			if came := float64(o.came[w]) / 100; came >= f.P10 && came <= f.P90 {
				in++
			}
		}
	}
	// 240 weeks of 60 futures, which hang together: a standard error of about 4
	// points.
	if share := float64(in) / float64(n); share < 0.70 || share > 0.90 {
		t.Errorf("%.2f of the weeks lie between p10 and p90, want 0.8", share)
	}
}

// What the forecast said of the built-in world, week by week as by what had been
// learnt half a year before, holds: eight in ten weeks come to lie between p10
// and p90.
func TestForecastBandsHoldOnTheBuiltInWorld(t *testing.T) {
	e, end := lived(t, 150, 48, "2025-01-06")
	creditor := e.Creditors()[0]
	const back = 26
	if _, err := e.Learn(t.Context(), creditor, end.AddDate(0, 0, -7*back)); err != nil {
		t.Fatal(err)
	}
	f, err := e.Forecast(t.Context(), creditor, end, 4, back, 1)
	if err != nil {
		t.Fatal(err)
	}
	told, came, below, above := 0.0, 0.0, 0, 0
	for _, w := range f.Backtest.Weeks {
		told, came = told+w.Mean, came+w.Came
		switch {
		case w.Came < w.P10:
			below++
		case w.Came > w.P90:
			above++
		}
	}
	t.Logf("of %d weeks %d lay below p10 and %d above p90; of %d foretold up to four weeks ahead %.2f lay within; %.0f came of %.0f",
		back, below, above, f.Backtest.Cells, f.Backtest.Within, came, told)
	if len(f.Backtest.Weeks) != back {
		t.Fatalf("%d weeks, want %d", len(f.Backtest.Weeks), back)
	}
	// Of 26 weeks the share has a standard error of eight points; weeks foretold
	// from neighbouring days hang together, so that more of them tell little more.
	if share := 1 - float64(below+above)/back; share < 0.64 || share > 0.96 {
		t.Errorf("%.2f of the weeks lie between p10 and p90, want 0.8", share)
	}
	if f.Backtest.Within < 0.6 || f.Backtest.Within > 0.96 {
		t.Errorf("%.2f of all weeks lie between p10 and p90, want 0.8", f.Backtest.Within)
	}
	if came < 0.9*told || came > 1.1*told {
		t.Errorf("%.0f came of %.0f that were foretold", came, told)
	}
}
