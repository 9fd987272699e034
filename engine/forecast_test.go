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
	alone, shared := o.draw(1, 0, 7), o.draw(1, 0.3, 7)
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
	if !slices.Equal(shared, o.draw(1, 0.3, 7)) {
		t.Error("the same seed draws another future")
	}
	if slices.Equal(shared, o.draw(1, 0.3, 8)) {
		t.Error("another seed draws the same future")
	}
}

func TestForecastCheck(t *testing.T) {
	o := book4()
	for w := range o.weeks { // half as much again as foretold, week after week
		o.came[w] = int64(math.Round(1.5 * 1_000_000 * math.Pow(0.9, float64(w))))
	}
	level, shock, c := check([]*outlook{o})
	if c.Weeks != 1 || math.Abs(c.Expected-10_000) > 1e-6 || math.Abs(c.Came-1.5*c.Expected) > 0.1 {
		t.Errorf("check = %+v", c)
	}
	// The prior of ten average invoices a week pulls 1.5 back by 4,000 in 34,000 euro.
	if level < 1.4 || level > 1.5 {
		t.Errorf("level = %v, want a little below 1.5", level)
	}
	if shock > 2*priorShock {
		t.Errorf("shock = %v although no spread beyond luck was seen", shock)
	}
	o.came = []int64{2_000_000, 0, 1_600_000, 0} // now much, now nothing
	none := *o
	none.came = []int64{0, 0, 0, 0}
	if _, wild, _ := check([]*outlook{o, &none, o, &none}); wild < 2*shock {
		t.Errorf("shock = %v where weeks swing between nothing and twice as much, %v where they do not", wild, shock)
	}
	if level, shock, _ := check([]*outlook{{weeks: 4, came: make([]int64, 4)}}); level != 1 || math.Abs(shock-1.3*priorShock) > 0.03 { // wide: of the level nothing is known
		t.Errorf("nothing to check: level %v, shock %v; want 1, %v", level, shock, priorShock)
	}
}

// Eighty of a hundred weeks lie between p10 and p90 where the world has the
// shocks that the forecast learns from weeks before.
func TestForecastBandsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	play := func() *outlook {
		o := book4()
		for i := range o.cents {
			o.cents[i] = int64(5_000 + rng.IntN(20_000))
		}
		all := rng.NormFloat64()
		factor := make([]float64, o.weeks)
		for w := range factor {
			factor[w] = 1.1 * math.Exp(0.35*math.Sqrt2/2*(all+rng.NormFloat64()))
		}
		for _, cents := range o.cents {
			for w := range o.weeks {
				if rng.Float64() < 1-math.Pow(0.9, factor[w]) {
					o.came[w] += cents
					break
				}
			}
		}
		return o
	}
	in, n := 0, 0
	for round := range 40 {
		var before []*outlook
		for range checkWeeks {
			before = append(before, play())
		}
		level, shock, _ := check(before)
		o := play()
		for w, f := range o.draw(level, shock, uint64(round)) {
			n++
			if came := float64(o.came[w]) / 100; came >= f.P10 && came <= f.P90 {
				in++
			}
		}
	}
	// 160 weeks of 40 futures: a standard error of about 5 points.
	if share := float64(in) / float64(n); share < 0.70 || share > 0.92 {
		t.Errorf("%.2f of the weeks lie between p10 and p90, want 0.8", share)
	}
}
