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

// A book of known truth: three contacts whose debtors pay with different
// hazards, decided over 90 days, seen on day 90, the best one tried only in the
// last 40 days. Each way of counting late rewards gives its estimate of the
// mean reward of each contact.
func TestLateRewardsAreCountedWithoutBias(t *testing.T) {
	const arms, perDay, days = 3, 400, 90
	curves := [arms][]float64{
		hazardous(func(int) float64 { return 0.02 }),
		hazardous(func(day int) float64 { return 0.01 + 0.004*float64(day) }),
		hazardous(func(day int) float64 { return 0.12 / (1 + 0.1*float64(day)) }),
	}
	c := DefaultPooledConfig(arms)
	c.Coefficients = []Coefficient{{SD: 10}, {SD: 10}, {SD: 10}} // flat
	learner := func() *Pooled { return mustPooled(t, c) }
	expected, zero, weighted, finished := learner(), learner(), learner(), learner()

	rng := Stream(11, "late")
	type decision struct {
		arm, day, pays int
		handle         Handle
		counted        float64
	}
	unit := func(arm int) []float64 {
		phi := make([]float64, arms)
		phi[arm] = 1
		return phi
	}
	var open []*decision
	var watched [arms][]int
	var outcome [arms][]bool
	for day := range days {
		// What the day brings to decisions taken before, corrected in place.
		still := open[:0]
		for _, d := range open {
			e := day - d.day
			now := Expected(curves[d.arm], e)
			if d.pays <= e {
				now = Reward(d.pays, horizon)
			}
			expected.Correct(d.handle, now-d.counted)
			d.counted = now
			if d.pays <= e || e >= horizon {
				expected.Close(d.handle)
				continue
			}
			still = append(still, d)
		}
		open = still
		for range perDay {
			d := &decision{arm: rng.IntN(arms), day: day}
			if d.arm == 2 && day < 50 {
				d.arm = rng.IntN(2)
			}
			d.pays = payday(curves[d.arm], rng)
			d.counted = Expected(curves[d.arm], 0)
			d.handle = expected.Observe(NoSegment, NoDebtor, unit(d.arm), d.counted, 1)
			open = append(open, d)

			// The other ways look once, on the last day.
			seen := days - 1 - day
			done := d.pays <= seen || seen >= horizon
			watched[d.arm] = append(watched[d.arm], min(d.pays, seen, horizon))
			outcome[d.arm] = append(outcome[d.arm], done)
			r := 0.0
			if done {
				r = Reward(d.pays, horizon)
				finished.Close(finished.Observe(NoSegment, NoDebtor, unit(d.arm), r, 1))
			}
			zero.Close(zero.Observe(NoSegment, NoDebtor, unit(d.arm), r, 1))
		}
	}
	for arm := range arms {
		w := CensoringWeights(make([]float64, len(watched[arm])), watched[arm], outcome[arm])
		for i, wi := range w {
			if wi > 0 {
				weighted.Close(weighted.Observe(NoSegment, NoDebtor, unit(arm), Reward(watched[arm][i], horizon), wi))
			}
		}
	}

	bias := func(p *Pooled, arm int) float64 {
		p.Solve()
		truth := Expected(curves[arm], 0)
		return p.Posterior().Mean(make([]float64, arms), NoSegment, NoDebtor)[arm]/truth - 1
	}
	for arm := range arms {
		t.Logf("contact %d, truth %.4f: expected %+.2f%%, censoring weights %+.2f%%, zero %+.1f%%, finished alone %+.1f%%", arm,
			Expected(curves[arm], 0), 100*bias(expected, arm), 100*bias(weighted, arm), 100*bias(zero, arm), 100*bias(finished, arm))
		// About 10,000 decisions an arm: a standard error near 0.7 %.
		if got := bias(expected, arm); math.Abs(got) > 0.02 {
			t.Errorf("contact %d: expected rewards are biased by %.2f%%, want at most 2%%", arm, 100*got)
		}
		if got := bias(weighted, arm); math.Abs(got) > 0.02 {
			t.Errorf("contact %d: censoring weights are biased by %.2f%%, want at most 2%%", arm, 100*got)
		}
	}
	// The new contact is where it hurts.
	if got := bias(zero, 2); got > -0.05 {
		t.Errorf("treating late rewards as zero is biased by %.1f%% only: the test shows nothing", 100*got)
	}
}
