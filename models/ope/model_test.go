package ope_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"rappel/models/ope"
)

// A row is predicted without any row of its own cluster: whatever the cluster's
// rewards, its predictions stay.
func TestPredictionsDoNotSeeTheirOwnCluster(t *testing.T) {
	const n = 200
	rng := rand.New(rand.NewPCG(1, 1))
	x := mat.NewDense(n, 1, nil)
	data := &ope.RewardData{X: x}
	for i := range n {
		x.Set(i, 0, rng.NormFloat64())
		data.Reward = append(data.Reward, rng.Float64())
		data.Cluster = append(data.Cluster, i/4)
	}
	before, err := ope.FitReward(data, ope.DefaultRewardConfig())
	if err != nil {
		t.Fatal(err)
	}
	changed := *data
	changed.Reward = append([]float64(nil), data.Reward...)
	for i := 40; i < 44; i++ {
		changed.Reward[i] = 0.5 // within the range, which bounds predictions
	}
	after, err := ope.FitReward(&changed, ope.DefaultRewardConfig())
	if err != nil {
		t.Fatal(err)
	}
	if before.Penalty != after.Penalty {
		t.Fatalf("penalty moved from %v to %v", before.Penalty, after.Penalty)
	}
	moved := false
	for i := range n {
		same := math.Abs(before.Predict(i, 0)-after.Predict(i, 0)) < 1e-12
		if i >= 40 && i < 44 && !same {
			t.Errorf("row %d sees its own cluster: %v, was %v", i, after.Predict(i, 0), before.Predict(i, 0))
		}
		moved = moved || !same
	}
	if !moved {
		t.Error("no other row learnt from the changed cluster")
	}
}

func TestRidgeRecoversALine(t *testing.T) {
	const n = 3000
	rng := rand.New(rand.NewPCG(2, 2))
	x := mat.NewDense(n, 2, nil)
	data := &ope.RewardData{X: x, Actions: 3}
	truth := func(i, a int) float64 { return 2 + 0.5*x.At(i, 0) - 3*x.At(i, 1) + float64(a) }
	for i := range n {
		x.SetRow(i, []float64{10 + rng.NormFloat64(), 0.1 * rng.NormFloat64()})
		data.Action = append(data.Action, rng.IntN(3))
		data.Reward = append(data.Reward, truth(i, data.Action[i])+0.1*rng.NormFloat64())
	}
	m, err := ope.FitReward(data, ope.DefaultRewardConfig())
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		// noise 0.1 over about 1,000 rows an action leaves 0.1/√1000 ≈ 0.003; four coefficients, five deviations
		if got, want := m.Predict(i, 1), truth(i, 1); math.Abs(got-want) > 0.03 {
			t.Fatalf("row %d: %v, want %v", i, got, want)
		}
	}
}

func TestRewardModelRefuses(t *testing.T) {
	cfg := ope.DefaultRewardConfig()
	few := &ope.RewardData{Reward: []float64{1, 0, 1}, Cluster: []int{4, 4, 4}}
	if _, err := ope.FitReward(few, cfg); err == nil {
		t.Error("one cluster: accepted")
	}
	none := &ope.RewardData{Reward: make([]float64, 10), Weight: make([]float64, 10)}
	if _, err := ope.FitReward(none, cfg); !errors.Is(err, ope.ErrEmpty) {
		t.Errorf("no row with weight: %v", err)
	}
	cfg.Family = ope.Logistic
	var row *ope.RowError
	if _, err := ope.FitReward(&ope.RewardData{Reward: []float64{0, 1, 0.5, 1, 0, 1}}, cfg); !errors.As(err, &row) || row.Row != 2 {
		t.Errorf("a logistic model of 0.5: %v", err)
	}
	cfg.Family = "forest"
	if _, err := ope.FitReward(few, cfg); err == nil {
		t.Error("unknown family: accepted")
	}
}

func TestRecoverPolicy(t *testing.T) {
	// Two cells, two actions: (0.3, 0.7) and (1, 0).
	cell, action := []int{0, 1, 0, 1, 0}, []int{0, 0, 1, 0, 0}
	policy, ok := ope.RecoverPolicy(cell, action, 2, []float64{0.3, 1, 0.7, 1, 0.3}, 1e-9)
	if !ok {
		t.Fatal("not recovered")
	}
	for _, c := range []struct {
		row, action int
		want        float64
	}{{0, 0, 0.3}, {0, 1, 0.7}, {1, 0, 1}, {1, 1, 0}, {4, 1, 0.7}} {
		if got := policy(c.row, c.action); got != c.want {
			t.Errorf("row %d, action %d: %v, want %v", c.row, c.action, got, c.want)
		}
	}
	for name, target := range map[string][]float64{
		"differs within a cell": {0.3, 1, 0.7, 1, 0.4},
		"does not sum to 1":     {0.3, 1, 0.6, 1, 0.3},
	} {
		if _, ok := ope.RecoverPolicy(cell, action, 2, target, 1e-9); ok {
			t.Errorf("%s: recovered", name)
		}
	}
}

// Without censoring the weights are 1 and ipcw-ips is ips, ipcw-dr is dr.
func TestNothingCensored(t *testing.T) {
	l := debtors{}.draw(t, 3, 300, true)
	plain := values(t, l, open())
	l.Censoring = &ope.Censoring{Time: make([]float64, 300), Complete: make([]bool, 300)}
	for i := range 300 {
		l.Censoring.Time[i], l.Censoring.Complete[i] = float64(i%28), true
	}
	got := values(t, l, open())
	for ipcw, name := range map[string]string{ope.IPCWIPS: ope.IPS, ope.IPCWDR: ope.DR} {
		if math.Abs(got[ipcw].Value-plain[name].Value) > 1e-12 || math.Abs(got[ipcw].SE-plain[name].SE) > 1e-12 {
			t.Errorf("%s = %+v, %s = %+v", ipcw, got[ipcw], name, plain[name])
		}
	}
}

// Five rows by hand. At 2 one of four still watched is cut (G = 3/4), at 3,
// where a completion comes first, one of two (G = 3/8).
func TestCensoringWeightsByHand(t *testing.T) {
	c := &ope.Censoring{
		Time:     []float64{1, 2, 3, 3, 5},
		Complete: []bool{true, false, true, false, true},
	}
	got, err := c.Weights(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{1, 0, 4.0 / 3, 0, 8.0 / 3} {
		if math.Abs(got[i]-want) > 1e-15 {
			t.Errorf("row %d weighs %v, want %v", i, got[i], want)
		}
	}
	// Nobody completes after the last cut: what follows is unknown.
	c.Complete[4] = false
	var horizon *ope.HorizonError
	if _, err := c.Weights(nil, nil); !errors.As(err, &horizon) || horizon.Time != 3 {
		t.Errorf("err = %v, want a HorizonError after time 3", err)
	}
}

func TestCensoringLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(5, 80).Draw(t, "rows")
		l := &ope.Log{Censoring: &ope.Censoring{}}
		for i := range n {
			l.Reward = append(l.Reward, rapid.Float64Range(0, 1).Draw(t, "reward"))
			l.Propensity = append(l.Propensity, rapid.Float64Range(0.1, 1).Draw(t, "propensity"))
			l.Target = append(l.Target, rapid.Float64Range(0.1, 1).Draw(t, "target"))
			l.Weight = append(l.Weight, rapid.Float64Range(0.5, 2).Draw(t, "weight"))
			l.Censoring.Stratum = append(l.Censoring.Stratum, i%2)
			// integer times, so that ties are common; the last of each stratum completes
			time, complete := float64(rapid.IntRange(0, 9).Draw(t, "time")), rapid.Bool().Draw(t, "complete")
			if i >= n-2 {
				time, complete = 10, true
			}
			l.Censoring.Time = append(l.Censoring.Time, time)
			l.Censoring.Complete = append(l.Censoring.Complete, complete)
		}
		inverse, err := l.Censoring.Weights(nil, l.Weight)
		if err != nil {
			t.Fatal(err)
		}
		// Complete rows stand for all, and the part of the scores that only
		// carries the error of G has mean 0.
		var stand, all, want float64
		for i, g := range inverse {
			all += l.Weight[i]
			if g != 0 {
				stand += g * l.Weight[i]
				want += g * l.Weight[i] * l.Target[i] / l.Propensity[i] * l.Reward[i]
			}
		}
		if math.Abs(stand-all) > 1e-9*all {
			t.Fatalf("complete rows stand for %v of %v", stand, all)
		}
		cfg := open()
		cfg.Estimators = []string{ope.IPCWIPS}
		rep, err := ope.Evaluate(l, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if got := rep.Estimates[0].Value; math.Abs(got-want/all) > 1e-9*(1+want/all) {
			t.Fatalf("ipcw-ips = %v, want Σ w δ r/G = %v", got, want/all)
		}
	})
}
