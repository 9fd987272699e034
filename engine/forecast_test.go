package engine

import (
	"math"
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
	level, shock, c := o.check()
	if math.Abs(c.Expected-100_000*(1-math.Pow(0.9, 4))) > 1e-6 || math.Abs(c.Came-1.5*c.Expected) > 0.1 {
		t.Errorf("check = %+v", c)
	}
	// The prior of ten average invoices pulls 1.5 back by 1,000 in 34,000 euro.
	if level < 1.47 || level > 1.5 {
		t.Errorf("level = %v, want a little below 1.5", level)
	}
	// No spread beyond luck was seen in four weeks: half of the prior variance.
	if want := priorShock * math.Sqrt(0.5); math.Abs(shock-want) > 0.01 {
		t.Errorf("shock = %v, want %v", shock, want)
	}

	o.came = []int64{2_000_000, 0, 1_600_000, 0} // now much, now nothing
	if _, wild, _ := o.check(); wild < 3*shock {
		t.Errorf("shock = %v where weeks swing between nothing and twice as much", wild)
	}

	empty := &outlook{weeks: 4, came: make([]int64, 4)}
	if level, shock, _ := empty.check(); level != 1 || shock != priorShock {
		t.Errorf("nothing to check: level %v, shock %v; want 1, %v", level, shock, priorShock)
	}
}
