package bandit

import (
	"math"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"
)

func TestNormalIsTheNormalDistributionFunction(t *testing.T) {
	for i := -65_000; i <= 65_000; i++ {
		x := float64(i) / 10_000
		got := normalAt((x + normalLimit) * normalSteps)
		// A line between points h apart errs by h²/8·max|φ'| = 1.9e-6.
		if want := distuv.UnitNormal.CDF(x); math.Abs(got-want) > 2e-6 {
			t.Fatalf("Φ(%v) = %v, want %v", x, got, want)
		}
	}
	for i, got := range normalTable {
		if want := distuv.UnitNormal.CDF(-normalLimit + float64(i)/normalSteps); math.Abs(got-want) > 1e-15 {
			t.Fatalf("table at %d = %v, want %v", i, got, want)
		}
	}
}

// Every distribution sums to one within 1e-12, has no negative entry and keeps
// its floor, whatever the scores.
func TestDistributionsAreDistributions(t *testing.T) {
	w := NewWorkspace(1)
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 40).Draw(t, "k")
		score := rapid.OneOf(rapid.Float64Range(-1, 1), rapid.Float64Range(-1e6, 1e6), rapid.Just(0.25))
		spread := rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64Range(0, 1e6), rapid.Just(0.0), rapid.Just(1e-9))
		mean := rapid.SliceOfN(score, k, k).Draw(t, "mean")
		sd := rapid.SliceOfN(spread, k, k).Draw(t, "sd")
		floor := rapid.Float64Range(0, 1).Draw(t, "floor")
		for name, p := range map[string][]float64{
			"thompson":    Thompson(make([]float64, k), mean, sd, Exploration{Scale: 0.7, Floor: floor}, w),
			"inverse gap": InverseGap(make([]float64, k), mean, 100*floor),
			"epsilon":     EpsilonGreedy(make([]float64, k), mean, floor),
			"eliminate":   Eliminate(make([]float64, k), mean, sd),
		} {
			sum := 0.0
			for i, v := range p {
				sum += v
				if !(v >= 0) {
					t.Fatalf("%s: p[%d] = %v", name, i, v)
				}
				if (name == "thompson" || name == "epsilon") && v < floor/float64(k)*(1-1e-9) {
					t.Fatalf("%s: p[%d] = %v is below the floor %v", name, i, v, floor/float64(k))
				}
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Fatalf("%s sums to 1%+g", name, sum-1)
			}
		}
	})
}

func TestThompsonIsTheProbabilityOfBeingBest(t *testing.T) {
	w := NewWorkspace(1)
	cases := []struct {
		name     string
		mean, sd []float64
		grid     float64
	}{
		{"two", []float64{0, 0.5}, []float64{1, 1}, 0.003},
		{"equals", []float64{1, 1, 1, 1}, []float64{2, 2, 2, 2}, 0.003},
		{"a sure best", []float64{1, 0.5, 0.2}, []float64{0, 0.5, 1}, 0.003},
		{"narrow among wide", []float64{0.3, 0, 0, 0}, []float64{0.02, 1, 0.5, 1}, 0.01},
		{"hopeless", []float64{0, -50}, []float64{1, 1}, 0.003},
	}
	const draws = 200_000
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			p := Thompson(make([]float64, len(k.mean)), k.mean, k.sd, Exploration{Scale: 1}, w)
			rng := Stream(1, k.name)
			wins := make([]float64, len(k.mean))
			sample := make([]float64, len(k.mean))
			for range draws {
				for i := range sample {
					sample[i] = k.mean[i] + k.sd[i]*rng.NormFloat64()
				}
				wins[Best(sample)]++
			}
			for i := range p {
				// Four standard errors of the draws, and the error of the grid.
				if got, want := p[i], wins[i]/draws; math.Abs(got-want) > 4*math.Sqrt(0.25/draws)+k.grid {
					t.Errorf("p[%d] = %.4f, drawn %.4f", i, got, want)
				}
			}
		})
	}
	if p := Thompson(make([]float64, 2), []float64{0, 1}, []float64{1, 1}, Exploration{}, w); p[1] != 1 {
		t.Errorf("without scale p = %v, want the greedy choice", p)
	}
}

func TestInverseGapIsTheFormulaOfThePaper(t *testing.T) {
	got := InverseGap(make([]float64, 3), []float64{0.5, 0.9, 0.1}, 10)
	want := []float64{1.0 / 7, 1 - 1.0/7 - 1.0/11, 1.0 / 11}
	for i := range got {
		if math.Abs(got[i]-want[i]) > 1e-15 {
			t.Errorf("p[%d] = %v, want %v", i, got[i], want[i])
		}
	}
}

func TestEliminateKeepsWhatMayBeBest(t *testing.T) {
	got := Eliminate(make([]float64, 4), []float64{0.9, 0.5, 0.7, 0.1}, []float64{0.1, 0.1, 0.15, 0.75})
	want := []float64{1.0 / 3, 0, 1.0 / 3, 1.0 / 3}
	for i := range got {
		if math.Abs(got[i]-want[i]) > 1e-15 {
			t.Errorf("p[%d] = %v, want %v", i, got[i], want[i])
		}
	}
}

// The frequencies of 10⁶ draws with consecutive identifiers agree with the
// very probabilities that are logged, also at 1e-4.
func TestDrawsFollowTheLoggedProbabilities(t *testing.T) {
	const draws = 1_000_000
	p := []float64{1e-4, 0.3, 1e-4, 0.1, 0, 0.05, 0.4497, 1e-3, 0.0991}
	sum := 0.0
	for _, v := range p {
		sum += v
	}
	p[1] += 1 - sum
	for _, seed := range []uint64{0, 1, 0xdeadbeef} {
		count := make([]float64, len(p))
		id := []byte("decision-")
		for i := range draws {
			count[Draw(p, seed, string(strconv.AppendInt(id, int64(i), 10)))]++
		}
		statistic := 0.0
		for i := range p {
			if p[i] == 0 {
				if count[i] != 0 {
					t.Errorf("seed %d: drew an impossible candidate %v times", seed, count[i])
				}
				continue
			}
			statistic += (count[i] - draws*p[i]) * (count[i] - draws*p[i]) / (draws * p[i])
		}
		// 7 degrees of freedom; a right generator fails one seed in 10,000.
		if limit := (distuv.ChiSquared{K: 7}).Quantile(1 - 1e-4); statistic > limit {
			t.Errorf("seed %d: χ² = %.1f > %.1f, counts %v", seed, statistic, limit, count)
		}
	}
}

func TestDrawIsFixedBySeedAndDecision(t *testing.T) {
	p := []float64{0.2, 0.3, 0.5}
	got := make([]int, 0, 12)
	for i := range 12 {
		got = append(got, Draw(p, 7, strconv.Itoa(i)))
	}
	want := []int{1, 1, 2, 0, 2, 0, 2, 2, 2, 2, 1, 2}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("draws %v, want %v as on every platform", got, want)
		}
	}
}
