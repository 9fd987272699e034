package ope

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Trial is a population split at random into a treated and a control group,
// one row a debtor in the order in which they entered.
type Trial struct {
	Outcome []float64 // of the period after entry, for example euro or days
	Treated []bool
	// Before is n×p, what was known of each debtor before entry (CUPED); nil
	// for none. The same quantity over the period before serves best.
	Before *mat.Dense
}

// Uplift is what treatment changed, per debtor and in total.
type Uplift struct {
	Treated, Control         int
	TreatedMean, ControlMean float64  // plain means of Outcome
	Plain                    Estimate // difference of the plain means
	Adjusted                 Estimate // difference after adjustment for Before
	VarianceReduction        float64  // 1 − (SE adjusted / SE plain)²
	Sequence                 Look     // anytime-valid, of the adjusted difference
	Total, TotalLo, TotalHi  float64  // adjusted difference × treated debtors, with the sequence's bounds: ±Inf while too few outcomes differ
	ProbabilityAboveZero     float64  // that the adjusted difference is above 0, normal approximation
}

// ErrArms means a trial without at least two debtors more in each arm than
// columns of Before.
var ErrArms = errors.New("ope: each arm needs more debtors than there are columns to adjust for, plus two")

// MeasureUplift estimates treatment minus control. Each arm gets its own
// regression of the outcome on Before, centred on everybody (Lin 2013,
// doi:10.1214/12-AOAS583), which is CUPED with a slope per arm: it cannot be
// less precise than the plain difference in large samples, whatever the truth.
// planned is the number of debtors at which the confidence sequence is
// tightest; it must stay the same from day to day.
func MeasureUplift(t *Trial, level float64, planned int) (Uplift, error) {
	n := len(t.Outcome)
	sameLength(n, "Treated", t.Treated)
	columns := 0
	if t.Before != nil {
		var rows int
		if rows, columns = t.Before.Dims(); rows != n {
			panic(fmt.Sprintf("ope: Before has %d rows, Outcome has %d", rows, n))
		}
	}
	if !(level > 0 && level < 1) || planned < 1 {
		return Uplift{}, fmt.Errorf("ope: level %v or planned size %d cannot be used", level, planned)
	}
	for i, y := range t.Outcome {
		if !finite(y) {
			return Uplift{}, &RowError{i, "outcome", y, "a finite number"}
		}
		for j := range columns {
			if x := t.Before.At(i, j); !finite(x) {
				return Uplift{}, &RowError{i, "before", x, "a finite number"}
			}
		}
	}

	var u Uplift
	for _, treated := range t.Treated {
		if treated {
			u.Treated++
		} else {
			u.Control++
		}
	}
	if min(u.Treated, u.Control) < columns+2 {
		return u, ErrArms
	}

	plain := t.scores(nil)
	adjusted := plain
	if t.Before != nil {
		adjusted = t.scores(t.Before)
	}
	u.TreatedMean, u.ControlMean = t.means()
	u.Plain = meanOf("plain", plain, level, 0)
	u.Adjusted = meanOf("adjusted", adjusted, level, 2*columns)
	if u.Plain.SE > 0 {
		u.VarianceReduction = 1 - (u.Adjusted.SE*u.Adjusted.SE)/(u.Plain.SE*u.Plain.SE)
	}
	u.ProbabilityAboveZero = u.Adjusted.ProbabilityUp
	ones := make([]float64, n)
	for i := range ones {
		ones[i] = 1
	}
	u.Sequence = watch(adjusted, ones, Watch(plain, ones, 1-level, planned).Informed, 1-level, planned)
	k := float64(u.Treated)
	u.Total, u.TotalLo, u.TotalHi = k*u.Adjusted.Value, k*u.Sequence.Lo, k*u.Sequence.Hi
	return u, nil
}

func (t *Trial) means() (treated, control float64) {
	var n1, n0 float64
	for i, y := range t.Outcome {
		if t.Treated[i] {
			treated += y
			n1++
		} else {
			control += y
			n0++
		}
	}
	return treated / n1, control / n0
}

// scores returns one number per debtor whose mean is the (adjusted)
// difference: f₁ − f₀ + (y − f₁)/share for the treated and f₁ − f₀ −
// (y − f₀)/(1 − share) for the others, f the regressions of the two arms. It
// is the doubly robust score with the arm sizes known.
func (t *Trial) scores(before *mat.Dense) []float64 {
	n := len(t.Outcome)
	d := newDesign(&RewardData{X: before, Reward: t.Outcome})
	arms := [2]normal{newNormal(d.p), newNormal(d.p)}
	z := make([]float64, d.p)
	size := [2]float64{}
	arm := func(i int) int {
		if t.Treated[i] {
			return 1
		}
		return 0
	}
	for i, y := range t.Outcome {
		arms[arm(i)].add(d.row(z, i), 1, y)
		size[arm(i)]++
	}
	var beta [2][]float64
	for a := range arms {
		// the penalty only keeps collinear columns solvable: far below one debtor
		b, ok := arms[a].solve(1e-9 * size[a])
		if !ok {
			b = make([]float64, d.p)
			b[0] = arms[a].zy[0] / size[a]
		}
		beta[a] = b
	}
	out := make([]float64, n)
	for i, y := range t.Outcome {
		d.row(z, i)
		var f [2]float64
		for a := range f {
			for j, v := range z {
				f[a] += beta[a][j] * v
			}
		}
		out[i] = f[1] - f[0]
		if a := arm(i); a == 1 {
			out[i] += (y - f[1]) * float64(n) / size[1]
		} else {
			out[i] -= (y - f[0]) * float64(n) / size[0]
		}
	}
	return out
}

// meanOf returns the mean of scores with its normal interval; used is how many
// coefficients were spent on them.
func meanOf(name string, scores []float64, level float64, used int) Estimate {
	n := float64(len(scores))
	e := Estimate{Name: name, Method: Delta}
	for _, s := range scores {
		e.Value += s / n
	}
	ss := 0.0
	for _, s := range scores {
		ss += (s - e.Value) * (s - e.Value)
	}
	e.SE = math.Sqrt(ss / n / (n - 1 - float64(used)))
	z := distuv.UnitNormal.Quantile((1 + level) / 2)
	e.Lo, e.Hi = e.Value-z*e.SE, e.Value+z*e.SE
	e.ProbabilityUp = 0.5
	if e.SE > 0 {
		e.ProbabilityUp = distuv.UnitNormal.CDF(e.Value / e.SE)
	}
	return e
}
