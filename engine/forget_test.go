package engine

import (
	"math/rand/v2"
	"testing"

	"rappel/models"
	"rappel/models/bandit"
)

// TestForgettingIsChosenFromTheRewards: where what a channel brings stays, old
// rewards keep their weight; where it turns round every few weeks, they lose it;
// and few rewards leave what was believed.
func TestForgettingIsChosenFromTheRewards(t *testing.T) {
	log := func(n int, turns bool) []bandit.Decision {
		rng := rand.New(rand.NewPCG(7, 8))
		var out []bandit.Decision
		for i := range n {
			day := 360 * float64(i) / float64(n)
			phi := make([]float64, models.Effects)
			phi[models.EffectEmail], phi[models.EffectResponse] = 1, 0.1
			effect := 0.3
			if turns && int(day/60)%2 == 1 {
				effect = -0.3
			}
			out = append(out, bandit.Decision{
				Day: day, Segment: bandit.NoSegment, Debtor: bandit.NoDebtor, Phi: phi, Target: effect + 0.2*rng.NormFloat64(), Weight: 1,
			})
		}
		return out
	}
	for _, c := range []struct {
		name     string
		n        int
		turns    bool
		min, max float64
	}{
		{"stays", 2000, false, 224, 3650},
		{"turns", 2000, true, 28, 56},
		{"too few", 300, true, 150, 150},
	} {
		m := models.Prior()
		if err := chooseForgetting(m, log(c.n, c.turns)); err != nil {
			t.Fatal(err)
		}
		if got := m.RewardHalfLife; got < c.min || got > c.max {
			t.Errorf("%s: half-life %v days, want %v to %v", c.name, got, c.min, c.max)
		}
	}
}
