package bandit

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

const horizon = 28

// hazardous returns P(T > t), t = 0 … horizon, of a daily hazard.
func hazardous(hazard func(day int) float64) []float64 {
	s := make([]float64, horizon+1)
	s[0] = 1
	for t := 1; t <= horizon; t++ {
		s[t] = s[t-1] * (1 - hazard(t))
	}
	return s
}

func payday(s []float64, rng *rand.Rand) int {
	u := rng.Float64()
	for t := 1; t < len(s); t++ {
		if u >= s[t] {
			return t
		}
	}
	return len(s) // later than the horizon
}

func TestExpectedIsTheMeanOfWhatMayStillCome(t *testing.T) {
	s := hazardous(func(day int) float64 { return 0.02 + 0.1*float64(day%7)/7 })
	for elapsed := -1; elapsed <= horizon+2; elapsed++ {
		want, mass := 0.0, 0.0
		e := max(elapsed, 0)
		for day := e + 1; day <= horizon; day++ {
			p := s[day-1] - s[day]
			want += p * Reward(day, horizon)
			mass += p
		}
		if e < horizon {
			want /= mass + s[horizon] // the rest pays later and earns nothing
		}
		if got := Expected(s, elapsed); math.Abs(got-want) > 1e-14 {
			t.Errorf("Expected after %d days = %v, want %v", elapsed, got, want)
		}
	}
	if got := Expected([]float64{1, 0, 0}, 1); got != 0 {
		t.Errorf("Expected where the curve says that it cannot be = %v, want what payment the next day earns, 0", got)
	}
}

// What is expected today is the mean of what will be expected tomorrow: the
// corrections of a decision are a martingale.
func TestCorrectionsAreFairOnAverage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hazard := rapid.SliceOfN(rapid.Float64Range(0, 0.9), horizon+1, horizon+1).Draw(t, "hazard")
		s := hazardous(func(day int) float64 { return hazard[day] })
		e := rapid.IntRange(0, horizon-1).Draw(t, "elapsed")
		pays := 1 - s[e+1]/s[e]
		if s[e] == 0 {
			return
		}
		got := pays*Reward(e+1, horizon) + (1-pays)*Expected(s, e+1)
		if want := Expected(s, e); math.Abs(got-want) > 1e-10 {
			t.Fatalf("tomorrow's mean = %v, today's expectation %v", got, want)
		}
	})
}

func TestCensoringWeightsAreThoseOfKaplanMeier(t *testing.T) {
	// Cuts at day 1 (one of 5 still watched) and day 3 (one of 2, after the
	// payment of that day).
	days := []int{1, 1, 2, 2, 3, 3}
	observed := []bool{true, false, true, true, true, false}
	got := CensoringWeights(make([]float64, 6), days, observed)
	want := []float64{1, 0, 1 / 0.8, 1 / 0.8, 1 / 0.8, 0}
	for i := range got {
		if math.Abs(got[i]-want[i]) > 1e-15 {
			t.Errorf("weight %d = %v, want %v", i, got[i], want[i])
		}
	}
}

// lifeTable estimates P(T > t) per contact from decisions as their days pass.
type lifeTable struct{ paid, watched [horizon + 1]float64 }

func (l *lifeTable) survival() []float64 {
	return hazardous(func(day int) float64 {
		return (l.paid[day] + 0.5) / (l.watched[day] + 20) // before any data a guess of 2.5 % a day
	})
}

// late is one decision of the book below.
type late struct {
	contact, day, pays int
	handle             Handle
	counted            float64
}

// A book of known truth: three contacts whose debtors pay with different
// hazards, decided over 90 days, seen on day 90, the best one tried only in the
// last 40 days. Each way of counting late rewards gives its estimate of the
// mean reward of each contact.
func TestLateRewardsAreCountedWithoutBias(t *testing.T) {
	const contacts, perDay, days = 3, 400, 90
	truth := [contacts][]float64{
		hazardous(func(int) float64 { return 0.02 }),
		hazardous(func(day int) float64 { return 0.01 + 0.004*float64(day) }),
		hazardous(func(day int) float64 { return 0.12 / (1 + 0.1*float64(day)) }),
	}
	c := DefaultPooledConfig(contacts)
	for j := range c.Coefficients {
		c.Coefficients[j].SD = 10 // flat
	}
	observe := func(p *Pooled, contact int, r, weight float64) Handle {
		phi := make([]float64, contacts)
		phi[contact] = 1
		return p.Observe(NoSegment, NoDebtor, phi, r, weight)
	}
	expected, weighted, zero, finished := mustPooled(t, c), mustPooled(t, c), mustPooled(t, c), mustPooled(t, c)

	rng := Stream(11, "late")
	var open []*late
	var tables [contacts]lifeTable
	var watched [contacts][]int
	var outcome [contacts][]bool
	for day := range days {
		// What this day shows of the decisions taken before.
		for _, d := range open {
			e := day - d.day
			tables[d.contact].watched[e]++
			if d.pays == e {
				tables[d.contact].paid[e]++
			}
		}
		var curves [contacts][]float64
		for contact := range curves {
			curves[contact] = tables[contact].survival()
		}
		still := open[:0]
		for _, d := range open {
			e := day - d.day
			done := d.pays <= e || e >= horizon
			now := Expected(curves[d.contact], e)
			if done {
				now = Reward(d.pays, horizon)
			}
			expected.Correct(d.handle, now-d.counted)
			d.counted = now
			if done {
				expected.Close(d.handle)
			} else {
				still = append(still, d)
			}
		}
		open = still
		for range perDay {
			d := &late{contact: rng.IntN(contacts), day: day}
			if d.contact == 2 && day < 50 {
				d.contact = rng.IntN(2)
			}
			d.pays = payday(truth[d.contact], rng)
			d.counted = Expected(curves[d.contact], 0)
			d.handle = observe(expected, d.contact, d.counted, 1)
			open = append(open, d)

			// The other ways look once, on the last day.
			seen := days - 1 - day
			done := d.pays <= seen || seen >= horizon
			watched[d.contact] = append(watched[d.contact], min(d.pays, seen, horizon))
			outcome[d.contact] = append(outcome[d.contact], done)
			r := 0.0
			if done {
				r = Reward(d.pays, horizon)
				observe(finished, d.contact, r, 1)
			}
			observe(zero, d.contact, r, 1)
		}
	}
	for contact := range contacts {
		w := CensoringWeights(make([]float64, len(watched[contact])), watched[contact], outcome[contact])
		for i, wi := range w {
			if wi > 0 {
				observe(weighted, contact, Reward(watched[contact][i], horizon), wi)
			}
		}
	}

	bias := func(p *Pooled, contact int) float64 {
		p.Solve()
		return p.Posterior().Mean(make([]float64, contacts), NoSegment, NoDebtor)[contact]/Expected(truth[contact], 0) - 1
	}
	for contact := range contacts {
		t.Logf("contact %d, mean reward %.4f: expected %+.2f%%, censoring weights %+.2f%%, zero %+.1f%%, finished alone %+.1f%%", contact,
			Expected(truth[contact], 0), 100*bias(expected, contact), 100*bias(weighted, contact), 100*bias(zero, contact), 100*bias(finished, contact))
		// About 10,000 decisions each: a standard error near 0.7 %.
		if got := bias(expected, contact); math.Abs(got) > 0.02 {
			t.Errorf("contact %d: expected rewards are biased by %.2f%%, want at most 2%%", contact, 100*got)
		}
		if got := bias(weighted, contact); math.Abs(got) > 0.02 {
			t.Errorf("contact %d: censoring weights are biased by %.2f%%, want at most 2%%", contact, 100*got)
		}
		if got := bias(zero, contact); got > -0.05 {
			t.Errorf("contact %d: late rewards as zero are biased by %.1f%% only: the test shows nothing", contact, 100*got)
		}
	}
}
