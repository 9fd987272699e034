package bandit

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

const horizon = 28

// hazardous returns P(T > t), t = 0 … horizon−1, of a daily hazard from day 1 on.
func hazardous(hazard func(day int) float64) []float64 {
	s := make([]float64, horizon)
	s[0] = 1
	for t := 1; t < horizon; t++ {
		s[t] = s[t-1] * (1 - hazard(t))
	}
	return s
}

func TestExpectedIsTheMeanOfWhatMayStillCome(t *testing.T) {
	s := hazardous(func(day int) float64 { return 0.02 + 0.1*float64(day%7)/7 })
	for elapsed := -1; elapsed <= horizon+2; elapsed++ {
		want, mass := 0.0, 0.0
		for day := max(elapsed, 1); day < horizon; day++ { // nobody pays on day 0
			p := s[day-1] - s[day]
			want += p * Reward(float64(day), horizon)
			mass += p
		}
		if elapsed < horizon {
			want /= mass + s[horizon-1] // the rest pays later and earns nothing
		}
		if got := Expected(s, float64(elapsed)); math.Abs(got-want) > 1e-14 {
			t.Errorf("Expected after %d days = %v, want %v", elapsed, got, want)
		}
	}
	if got, want := Expected(s, 3.5), Expected(s, 3)-0.5/horizon; math.Abs(got-want) > 1e-14 {
		t.Errorf("Expected after 3.5 days = %v, want %v: half a day is lost", got, want)
	}
	if got := Expected([]float64{1, 0, 0}, 2); math.Abs(got-1.0/3) > 1e-15 {
		t.Errorf("Expected where the curve says that it cannot be = %v, want what payment at once earns, 1/3", got)
	}
}

// What is expected today is the mean of what will be expected tomorrow: the
// corrections of a decision are a martingale.
func TestCorrectionsAreFairOnAverage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hazard := rapid.SliceOfN(rapid.Float64Range(0, 0.9), horizon+1, horizon+1).Draw(t, "hazard")
		s := hazardous(func(day int) float64 { return hazard[day] })
		e := rapid.IntRange(1, horizon-1).Draw(t, "elapsed")
		if s[e-1] < 1e-9 {
			return
		}
		pays := 1 - s[e]/s[e-1]
		got := pays*Reward(float64(e), horizon) + (1-pays)*Expected(s, float64(e+1))
		if want := Expected(s, float64(e)); math.Abs(got-want) > 1e-10 {
			t.Fatalf("tomorrow's mean = %v, today's expectation %v", got, want)
		}
	})
}
