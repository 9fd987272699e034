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
		o.cents, o.first = append(o.cents, 10_000), append(o.first, 0)
		o.ends = append(o.ends, len(o.cents))
		for w := range o.weeks {
			o.hazard = append(o.hazard, -math.Log(0.9)*float64(w+1))
		}
	}
	return o
}

func TestForecastDraw(t *testing.T) {
	o := book4()
	calm, moved := tides{{weight: 1}}, tides{{weight: 1, s: 0.3, rho: 0.5, phi: 0.9, varU: 0.045}}
	alone, shared := o.draw(calm, 0, 7), o.draw(moved, 0, 7)
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
	if !slices.Equal(shared, o.draw(moved, 0, 7)) {
		t.Error("the same seed draws another future")
	}
	if slices.Equal(shared, o.draw(moved, 0, 8)) {
		t.Error("another seed draws the same future")
	}
}

// A debtor that pays together makes the band wider and leaves its middle where it
// was; how often debtors do is found.
func TestForecastOfDebtorsWhoPayTogether(t *testing.T) {
	const each = 5
	group := func(o *outlook) *outlook { // debtors of five invoices
		o.ends = o.ends[:0]
		for k := each; k <= len(o.cents); k += each {
			o.ends = append(o.ends, k)
		}
		return o
	}
	o, calm := group(book4()), tides{{weight: 1}}
	apart, together := o.draw(calm, 0, 7), o.draw(calm, 1, 7)
	for w := range o.weeks {
		a, b := apart[w], together[w]
		// By one luck five invoices vary as one five times as large.
		if ratio := (b.P90 - b.P10) / (a.P90 - a.P10); math.Abs(ratio-math.Sqrt(each)) > 0.35 {
			t.Errorf("week %d: the band is %.2f times as wide, want %.2f", w, ratio, math.Sqrt(each))
		}
		if math.Abs(b.Mean/a.Mean-1) > 0.03 {
			t.Errorf("week %d: mean %.0f, of invoices apart %.0f", w, b.Mean, a.Mean)
		}
	}
	rng := rand.New(rand.NewPCG(8, 9))
	for _, want := range []float64{0, 0.4, 1} {
		var before []*outlook
		for range checkWeeks {
			o := group(book4())
			for from := 0; from < len(o.cents); from += each {
				one, luck := rng.Float64() < want, rng.Float64()
				for i := from; i < from+each; i++ {
					if !one {
						luck = rng.Float64()
					}
					if luck < 0.1 {
						o.first[i] = o.cents[i]
						o.came[0] += o.cents[i]
					}
				}
			}
			before = append(before, o)
		}
		if _, joint, _ := check(before); math.Abs(joint-want) > 0.08 {
			t.Errorf("debtors pay together %.2f of the time, want %.1f", joint, want)
		}
	}
}

// A week is as long when it begins at noon: half of the day that has begun, and
// half of the eighth.
func TestForecastFromWithinADay(t *testing.T) {
	curve := make([]float64, 8)
	for k := range curve {
		curve[k] = math.Exp(-float64((k + 1) * (k + 1))) // hazards 1, 3, 5 …
	}
	if got := hazardTo(curve, 7.5) - hazardTo(curve, 0.5); math.Abs(got-(49+7.5-0.5)) > 1e-9 {
		t.Errorf("hazard of the week from noon on %v, want 56", got)
	}
	if got := hazardTo(curve, 7); math.Abs(got-49) > 1e-9 {
		t.Errorf("hazard of a week %v, want 49", got)
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
		shared, _, c := check(before)
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
		return shared.ahead(book4().foretold().slope)
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
		shared, joint, _ := check(before)
		o := pay([]float64{factor(), factor(), factor(), factor()})
		for w, f := range o.draw(shared, joint, uint64(round)) {
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

// What the forecast said of the built-in world, week by week over a year and as by
// what had been learnt up to half a year before, holds: eight in ten weeks come to
// lie between p10 and p90.
func TestForecastBandsHoldOnTheBuiltInWorld(t *testing.T) {
	e, end := lived(t, 150, 74, "2025-01-06")
	creditor := e.Creditors()[0]
	const back = 52
	for _, ago := range []int{back, back / 2} {
		if _, err := e.Learn(t.Context(), creditor, end.AddDate(0, 0, -7*ago)); err != nil {
			t.Fatal(err)
		}
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
	// Of 52 weeks the share has a standard error of 5.5 points, and weeks foretold
	// several times tell little more.
	if share := 1 - float64(below+above)/back; share < 0.69 || share > 0.92 {
		t.Errorf("%.2f of the weeks lie between p10 and p90, want 0.8", share)
	}
	if f.Backtest.Within < 0.70 || f.Backtest.Within > 0.91 {
		t.Errorf("%.2f of all weeks lie between p10 and p90, want 0.8", f.Backtest.Within)
	}
	if came < 0.9*told || came > 1.1*told {
		t.Errorf("%.0f came of %.0f that were foretold", came, told)
	}
}
