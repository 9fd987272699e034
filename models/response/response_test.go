package response

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestAttribute(t *testing.T) {
	lag := Prior().Lag[:Lags]
	for _, c := range []struct {
		name        string
		rho, hazard float64
		lag         int
		paid        bool
		fired       float64
		trial       float64
	}{
		{"paid before it was sent", 0.3, 0.05, -1, true, 0, 0},
		{"nobody pays unasked", 0.3, 0, 2, true, 1, 1},
		{"the channel moves nobody", 0, 0.05, 2, true, 0, lag[0] + lag[1] + lag[2]},
		{"paid after the last lag", 0.3, 0.05, Lags, true, 0, 1},
		{"just sent", 0.3, 0.05, 0, false, 0, 0},
		{"one day of silence", 0.3, 0.05, 1, false, 0, lag[0]},
		{"silence to the end", 0.3, 0.05, Lags + 5, false, 0, 1},
		{"paid by neither", 0, 0, 3, true, 0, 1},
	} {
		fired, trial := Attribute(c.rho, lag, c.hazard, c.lag, c.paid)
		if math.Abs(fired-c.fired) > 1e-12 || math.Abs(trial-c.trial) > 1e-12 {
			t.Errorf("%s: fired %v, trial %v, want %v and %v", c.name, fired, trial, c.fired, c.trial)
		}
	}
	// A payment long after, or by one who pays anyway, is less the contact's doing.
	soon, _ := Attribute(0.3, lag, 0.05, 0, true)
	late, _ := Attribute(0.3, lag, 0.05, 10, true)
	own, _ := Attribute(0.3, lag, 0.5, 0, true)
	if !(soon > late && soon > own) {
		t.Errorf("fired %v at once, %v late, %v of one who pays anyway", soon, late, own)
	}
}

// planted draws the rows of debtors whose P(fire) is rate by channel, times a
// factor of each debtor's own.
func planted(rng *rand.Rand, debtors, contacts int, rate [Channels]float64, own func(i int) float64) []Row {
	rows := make([]Row, debtors)
	for i := range rows {
		for c := range Channels {
			for range contacts {
				rows[i].Trials[c]++
				if rng.Float64() < rate[c]*own(i) {
					rows[i].Fired[c]++
				}
			}
		}
	}
	return rows
}

func TestFitFindsTheRates(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	rate := [Channels]float64{0.1, 0.35, 0.2, 0.3, 0.5}
	rows := planted(rng, 400, 8, rate, func(int) float64 { return 1 })
	m, err := Fit(rows, 1, Prior())
	if err != nil {
		t.Fatal(err)
	}
	for c := range Channels {
		// 3,200 contacts: standard deviation below 0.009.
		if math.Abs(m.Mean[c]-rate[c]) > 0.03 {
			t.Errorf("channel %d: %v, planted %v", c, m.Mean[c], rate[c])
		}
	}
	// All are alike, so that what one did says little of that one.
	var mean, sd [Channels]float64
	m.Posterior(&mean, &sd, &Row{Trials: [Channels]float64{8}, Fired: [Channels]float64{}})
	if mean[0] < rate[0]/2 {
		t.Errorf("eight silences take %v to %v although debtors do not differ", rate[0], mean[0])
	}
}

// Where debtors differ, a debtor's own counts are believed more.
func TestPoolingFollowsTheData(t *testing.T) {
	rate := [Channels]float64{0.2, 0.2, 0.2, 0.2, 0.2}
	after := func(own func(int) float64) float64 {
		m, err := Fit(planted(rand.New(rand.NewPCG(3, 4)), 400, 10, rate, own), 1, Prior())
		if err != nil {
			t.Fatal(err)
		}
		var mean, sd [Channels]float64
		r := Row{}
		for c := range Channels {
			r.Trials[c], r.Fired[c] = 10, 7
		}
		m.Posterior(&mean, &sd, &r)
		return mean[0]
	}
	alike := after(func(int) float64 { return 1 })
	apart := after(func(i int) float64 { return []float64{0.1, 0.1, 0.1, 3.7}[i%4] })
	if apart < alike+0.05 {
		t.Errorf("seven of ten give %v where debtors differ and %v where they do not", apart, alike)
	}
}

func TestSegmentsAreToldApart(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	rate := [Channels]float64{0.2, 0.2, 0.2, 0.2, 0.2}
	rows := planted(rng, 300, 6, rate, func(i int) float64 { return []float64{0.4, 1.6}[i%2] })
	for i := range rows {
		rows[i].Segment = i % 2
	}
	m, err := Fit(rows, 3, Prior())
	if err != nil {
		t.Fatal(err)
	}
	var slow, fast, none, unknown, sd [Channels]float64
	m.Posterior(&slow, &sd, &Row{Segment: 0})
	m.Posterior(&fast, &sd, &Row{Segment: 1})
	m.Posterior(&none, &sd, &Row{Segment: 2})
	m.Posterior(&unknown, &sd, &Row{Segment: -1})
	for c := range Channels {
		if !(slow[c] < 0.14 && fast[c] > 0.26) {
			t.Errorf("channel %d: newcomers of the segments %v and %v, planted 0.08 and 0.32", c, slow[c], fast[c])
		}
		if none[c] != unknown[c] || math.Abs(unknown[c]-0.2) > 0.03 {
			t.Errorf("channel %d: a segment without debtors %v, an unknown one %v, want the mean", c, none[c], unknown[c])
		}
	}
}

func TestUnknownSegmentIsRefused(t *testing.T) {
	for _, segment := range []int{-1, 2} {
		if _, err := Fit([]Row{{Segment: segment}}, 2, Prior()); !errors.Is(err, ErrSegment) {
			t.Errorf("segment %d of 2: %v", segment, err)
		}
	}
}

func TestNothingSeenIsThePrior(t *testing.T) {
	m, err := Fit(nil, 2, Prior())
	if err != nil {
		t.Fatal(err)
	}
	if m.Mean != Prior().Mean || m.Channel != Prior().Channel || m.Lag != Prior().Lag {
		t.Errorf("%+v", m)
	}
	for _, f := range m.Factor {
		if f != 1 {
			t.Errorf("factors %v, want 1", m.Factor)
			break
		}
	}
}

func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	rows := planted(rand.New(rand.NewPCG(7, 8)), 100, 4, Prior().Mean, func(i int) float64 { return 0.5 + float64(i%3)/2 })
	for i := range rows {
		rows[i].Segment = i % 4
	}
	a, err := Fit(rows, 4, Prior())
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(rows)
	b, err := Fit(rows, 4, Prior())
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Factor {
		if math.Abs(a.Factor[i]-b.Factor[i]) > 1e-12 { // whole counts: rounding only
			t.Errorf("factor %d: %v and %v", i, a.Factor[i], b.Factor[i])
		}
	}
	if a.Channel != b.Channel || a.Debtor != b.Debtor || a.SeenPower != b.SeenPower {
		t.Errorf("strengths %v %v %v and %v %v %v", a.Channel, a.Debtor, a.SeenPower, b.Channel, b.Debtor, b.SeenPower)
	}
}

func TestFitTireFindsWhatWasPlanted(t *testing.T) {
	if got := FitTire(nil); got != 0.3 {
		t.Errorf("without data %v, want the prior's 0.3", got)
	}
	for _, tire := range []float64{0, 0.3, 0.65} {
		rng := rand.New(rand.NewPCG(9, uint64(100*tire)))
		rows := make([]Fatigue, 1500)
		for i := range rows {
			own := 0.1 + 0.6*rng.Float64()
			for range 10 {
				f := 3 * rng.Float64()
				fired := 0.0
				if rng.Float64() < own*math.Exp(-tire*f) {
					fired = 1
				}
				rows[i].Add(fired, 1, f)
			}
		}
		if got := FitTire(rows); got != tire {
			t.Errorf("%v, planted %v", got, tire)
		}
	}
}

func TestLagsAreDistributions(t *testing.T) {
	prior := Prior()
	var counts [Channels * Lags]float64
	counts[3] = 1000 // e-mail: on the third day
	m := *prior
	m.FitLag(&counts, prior)
	for c := range Channels {
		sum := 0.0
		for u := range Lags {
			if m.Lag[c*Lags+u] < 0 {
				t.Errorf("channel %d day %d: %v", c, u, m.Lag[c*Lags+u])
			}
			sum += m.Lag[c*Lags+u]
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("channel %d sums to %v", c, sum)
		}
	}
	if m.Lag[3] < 0.95 || math.Abs(m.Lag[Lags+3]-prior.Lag[Lags+3]) > 1e-12 {
		t.Errorf("e-mail %v, text message %v", m.Lag[3], m.Lag[Lags+3])
	}
}

func TestPosteriorDoesNotAllocate(t *testing.T) {
	m := Prior()
	var mean, sd [Channels]float64
	r := Row{Segment: -1, Trials: [Channels]float64{3, 1}, Fired: [Channels]float64{1}, Asked: [Channels]float64{3}, Seen: [Channels]float64{2}}
	if n := testing.AllocsPerRun(100, func() { m.Posterior(&mean, &sd, &r) }); n != 0 {
		t.Errorf("Posterior allocates %v times per run", n)
	}
}
