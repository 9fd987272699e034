package bandit

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"testing"
)

// flats plays a market in which each candidate is described by three features,
// a slate has between 2 and 9 of them, and what they earn depends on feature
// times context. It returns the share of the attainable that was earned in the
// last quarter.
func flats(t *testing.T, name string, seed uint64) float64 {
	t.Helper()
	const rounds, d, q = 2000, 2, 3
	l, err := NewLearner(name, d, q)
	if err != nil {
		t.Fatal(err)
	}
	rng := Stream(seed, "flats")
	earned, attainable := 0.0, 0.0
	for n := range rounds {
		k := 2 + rng.IntN(8)
		s := Slate{Context: []float64{rng.NormFloat64(), rng.NormFloat64()}, Actions: make([]float64, k*q)}
		worth := make([]float64, k)
		for i := range k {
			z := s.Actions[i*q : (i+1)*q]
			for j := range z {
				z[j] = rng.NormFloat64()
			}
			worth[i] = 0.5*z[0]*s.Context[0] - 0.5*z[1]*s.Context[1] + 0.2*z[2]
		}
		a := Draw(l.Distribution(make([]float64, k), s), seed, strconv.Itoa(n))
		l.Reward(l.Commit(s, a), worth[a]+0.1*rng.NormFloat64())
		if n >= rounds*3/4 {
			earned += worth[a]
			attainable += slices.Max(worth)
		}
	}
	return earned / attainable
}

func TestLearnersLearnFromFeaturesOfCandidates(t *testing.T) {
	for _, name := range Learners() {
		got := flats(t, name, 1)
		t.Logf("%-9s earns %.3f of the attainable", name, got)
		if got < 0.93 { // epsilon throws 5 % away
			t.Errorf("%s earns %.3f of the attainable", name, got)
		}
	}
}

// scaled hands a learner rewards moved and stretched.
type scaled struct {
	Learner
	move, stretch float64
}

func (s scaled) Reward(t Ticket, reward float64) { s.Learner.Reward(t, s.move+s.stretch*reward) }

func TestNoLearnerButPooledNeedsARewardRange(t *testing.T) {
	for _, name := range Learners() {
		if name == "pooled" {
			continue
		}
		loss := func(move, stretch float64) float64 {
			total := 0.0
			for shuffle := range 5 {
				l, err := NewLearner(name, 2, 0)
				if err != nil {
					t.Fatal(err)
				}
				total += play3(scaled{l, move, stretch}, shuffle) / 5
			}
			return total
		}
		usual := loss(0, 1)
		for _, k := range []struct{ move, stretch float64 }{{-3, 1}, {500, 400}, {0, 1e-3}} {
			// Where rewards say nothing yet, rounding breaks ties differently:
			// the streams differ, their losses by chance alone.
			if got := loss(k.move, k.stretch); math.Abs(got-usual) > 0.05 {
				t.Errorf("%s loses %.3f with rewards %v + %v·r, %.3f with r", name, got, k.move, k.stretch, usual)
			}
		}
	}
}

// play3 plays three classes in the plane and returns the loss.
func play3(l Learner, shuffle int) float64 {
	e := rings(300)
	arms, p := []int32{0, 1, 2}, make([]float64, 3)
	wrong := 0.0
	for n, i := range Stream(1, strconv.Itoa(shuffle)).Perm(len(e.Rows)) {
		s := Slate{Context: e.Rows[i], Arms: arms}
		a := Draw(l.Distribution(p, s), uint64(shuffle), strconv.Itoa(n))
		reward := 0.0
		if arms[a] == e.Label[i] {
			reward = 1
		} else {
			wrong++
		}
		l.Reward(l.Commit(s, a), reward)
	}
	return wrong / float64(len(e.Rows))
}

// A ridge fit that was counted with expectations, corrected, and made to forget
// is that of the normal equations.
func TestRidgeIsTheSolutionOfTheNormalEquations(t *testing.T) {
	const n, before, after, factor = 4, 30, 20, 0.25
	rng := Stream(2, "ridge")
	r := newRidge(n)
	a, b := make([]float64, n*n), make([]float64, n)
	for i := range n {
		a[i*n+i] = 1
	}
	for i := range before + after {
		if i == before {
			r.forget(factor)
		}
		x := make([]float64, n)
		for j := range x {
			x[j] = rng.NormFloat64()
		}
		y, guess := rng.NormFloat64(), rng.NormFloat64()
		r.learn(x, guess)
		r.correct(x, y-guess)
		weight := 1.0
		if i < before {
			weight = factor
		}
		for j := range x {
			axpy(a[j*n:(j+1)*n], weight*x[j], x)
		}
		axpy(b, weight*y, x)
	}
	if !cholesky(a, n) {
		t.Fatal("normal equations are not positive definite")
	}
	want := slices.Clone(b)
	solve(a, n, want)
	for j := range want {
		if math.Abs(r.theta[j]-want[j]) > 1e-12 { // rounding of 50 updates
			t.Errorf("coefficient %d = %v, want %v", j, r.theta[j], want[j])
		}
	}
	x := []float64{1, -2, 0, 0.5}
	z := slices.Clone(x)
	solve(a, n, z)
	if got, want := r.leverage(x), dot(x, z); math.Abs(got-want) > 1e-12 {
		t.Errorf("leverage %v, want %v", got, want)
	}
}

func TestMonitorSeesAChangeAndNoOther(t *testing.T) {
	// Errors like those of a file on which one row in five is wrong.
	falseAlarms, seen := 0, 0
	for seed := range uint64(50) {
		m := newMonitor()
		rng := Stream(seed, "monitor")
		reward := func(wrong float64) float64 {
			if rng.Float64() < wrong {
				return 0
			}
			return 1
		}
		for range 5000 {
			if m.changed(reward(0.2), 0.8) {
				falseAlarms++
			}
		}
		for range 60 {
			if m.changed(reward(0.7), 0.8) {
				seen++
				break
			}
		}
	}
	if falseAlarms > 3 || seen < 48 {
		t.Errorf("%d false alarms in 250,000 rounds, %d of 50 changes seen within 60 rounds", falseAlarms, seen)
	}
}

func TestUnknownLearner(t *testing.T) {
	if _, err := NewLearner("oracle", 1, 0); !errors.Is(err, ErrConfig) {
		t.Errorf("error %v, want %v", err, ErrConfig)
	}
}
