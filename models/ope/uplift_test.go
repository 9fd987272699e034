package ope_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"rappel/models/ope"
)

// trial draws debtors of whom a fifth are control; treatment earns effect, and
// the period before tells three quarters of the variance.
func trial(seed uint64, n int, effect float64) *ope.Trial {
	rng := rand.New(rand.NewPCG(seed, 9))
	t := &ope.Trial{Before: mat.NewDense(n, 1, nil)}
	for i := range n {
		before := rng.ExpFloat64()
		treated := rng.Float64() >= 0.2
		y := 5 + math.Sqrt(3)*before + rng.NormFloat64()
		if treated {
			y += effect
		}
		t.Before.Set(i, 0, before)
		t.Treated = append(t.Treated, treated)
		t.Outcome = append(t.Outcome, y)
	}
	return t
}

func TestUpliftCoversAndGainsPower(t *testing.T) {
	const n, effect = 1000, 0.3
	var plainCovers, covers, plainFound, found, missed, reduction float64
	for run := range runs {
		u, err := ope.MeasureUplift(trial(uint64(run), n, effect), 0.95, 1000)
		if err != nil {
			t.Fatal(err)
		}
		count := func(to *float64, yes bool) {
			if yes {
				*to += 1.0 / runs
			}
		}
		count(&plainCovers, u.Plain.Lo <= effect && effect <= u.Plain.Hi)
		count(&covers, u.Adjusted.Lo <= effect && effect <= u.Adjusted.Hi)
		count(&plainFound, u.Plain.Lo > 0)
		count(&found, u.Adjusted.Lo > 0)
		count(&missed, u.Sequence.Lo > effect || u.Sequence.Hi < effect)
		reduction += u.VarianceReduction / runs
	}
	t.Logf("plain: covers %.3f, finds %.3f; adjusted: covers %.3f, finds %.3f; variance reduced by %.3f; sequence misses %.3f", plainCovers, plainFound, covers, found, reduction, missed)
	for _, c := range []float64{plainCovers, covers} {
		if c < 0.93 || c > 0.97 {
			t.Errorf("an interval covers in %.3f of runs, want 0.93 to 0.97", c)
		}
	}
	if math.Abs(reduction-0.75) > 0.02 { // 3 of 4 parts of the variance lie in Before
		t.Errorf("variance reduced by %v, want 0.75", reduction)
	}
	if found < plainFound+0.2 {
		t.Errorf("power %v adjusted, %v plain: nothing was gained", found, plainFound)
	}
	if missed > 0.05 {
		t.Errorf("the sequence misses in %v of runs", missed)
	}
}

// Without a period before, the estimate is the difference of means, and its
// error Welch's up to the one degree of freedom.
func TestUpliftWithoutBefore(t *testing.T) {
	tr := &ope.Trial{
		Outcome: []float64{1, 2, 3, 4, 10, 12, 11, 13, 12},
		Treated: []bool{false, false, false, false, true, true, true, true, true},
	}
	u, err := ope.MeasureUplift(tr, 0.95, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if want := 11.6 - 2.5; math.Abs(u.Adjusted.Value-want) > 1e-6 || math.Abs(u.Plain.Value-want) > 1e-6 {
		t.Errorf("difference %v, want %v", u.Adjusted.Value, want)
	}
	if math.Abs(u.Total-5*9.1) > 1e-5 || u.Treated != 5 || u.Control != 4 {
		t.Errorf("total %v for %d treated", u.Total, u.Treated)
	}
	// Σ(y−ȳ₁)²/n₁² + Σ(y−ȳ₀)²/n₀², times n/(n−1)
	if want := math.Sqrt((5.2/25 + 5.0/16) * 9 / 8); math.Abs(u.Plain.SE-want) > 1e-6 {
		t.Errorf("standard error %v, want %v", u.Plain.SE, want)
	}
}

func TestUpliftRefuses(t *testing.T) {
	one := &ope.Trial{Outcome: []float64{1, 2, 3}, Treated: []bool{true, true, false}}
	if _, err := ope.MeasureUplift(one, 0.95, 1000); !errors.Is(err, ope.ErrArms) {
		t.Errorf("one control debtor: %v", err)
	}
	bad := trial(1, 100, 0)
	bad.Outcome[7] = math.NaN()
	var row *ope.RowError
	if _, err := ope.MeasureUplift(bad, 0.95, 1000); !errors.As(err, &row) || row.Row != 7 {
		t.Errorf("a missing outcome: %v", err)
	}
	if _, err := ope.MeasureUplift(trial(1, 100, 0), 1.5, 1000); err == nil {
		t.Error("level 1.5: accepted")
	}
}
