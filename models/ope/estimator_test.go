package ope_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"rappel/models/ope"
)

func values(t *testing.T, l *ope.Log, cfg ope.Config) map[string]ope.Estimate {
	t.Helper()
	rep, err := ope.Evaluate(l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]ope.Estimate{}
	for _, e := range rep.Estimates {
		out[e.Name] = e
	}
	return out
}

// open lets every log through.
func open() ope.Config {
	cfg := ope.DefaultConfig()
	cfg.Interval = ope.Delta
	cfg.Gate = ope.Gate{MinESS: 0, MaxUnsupported: 1}
	cfg.Looks = 1
	return cfg
}

// Four rows, worked by hand: ratios 2, 0.5, 1, 0.
func TestEstimatorsByHand(t *testing.T) {
	l := &ope.Log{
		Propensity: []float64{0.25, 0.5, 0.5, 0.5},
		Target:     []float64{0.5, 0.25, 0.5, 0},
		Reward:     []float64{1, 0, 1, 1},
		Q:          []float64{0.5, 0.5, 0.5, 0.5},
		V:          []float64{0.4, 0.6, 0.4, 0.6},
	}
	got := values(t, l, open())
	for name, want := range map[string]float64{
		ope.IPS:   3.0 / 4,              // (2·1 + 0.5·0 + 1·1 + 0)/4
		ope.SNIPS: 3.0 / 3.5,            // Σw = 3.5
		ope.DM:    0.5,                  // mean V
		ope.DR:    0.5 + (1-0.25+0.5)/4, // residuals ½, −½, ½, ½
		ope.SNDR:  0.5 + (1-0.25+0.5)/3.5,
	} {
		if e := got[name]; math.Abs(e.Value-want) > 1e-15 {
			t.Errorf("%s = %v, want %v", name, e.Value, want)
		}
	}
	// the ratio's delta-method error, from the definition:
	// ψ_i = (w_i r_i − θ w_i)/Σw, se² = n/(n−1) Σψ²
	theta := 3.0 / 3.5
	ss := 0.0
	for i, w := range []float64{2, 0.5, 1, 0} {
		psi := (w*l.Reward[i] - theta*w) / 3.5
		ss += psi * psi
	}
	if want := math.Sqrt(ss * 4 / 3); math.Abs(got[ope.SNIPS].SE-want) > 1e-15 {
		t.Errorf("snips se = %v, want %v", got[ope.SNIPS].SE, want)
	}
}

// logs draws any log with a reward model.
func logs(t *rapid.T) *ope.Log {
	n := rapid.IntRange(10, 60).Draw(t, "rows")
	unit := rapid.Float64Range(0, 1)
	l := &ope.Log{}
	for range n {
		l.Reward = append(l.Reward, rapid.Float64Range(-5, 5).Draw(t, "reward"))
		l.Propensity = append(l.Propensity, rapid.Float64Range(0.05, 1).Draw(t, "propensity"))
		l.Target = append(l.Target, rapid.Float64Range(0.01, 1).Draw(t, "target"))
		l.Q = append(l.Q, unit.Draw(t, "q"))
		l.V = append(l.V, unit.Draw(t, "v"))
	}
	return l
}

func TestEstimatorLaws(t *testing.T) {
	cfg := open()
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(1+math.Abs(a)) } // sums of at most 60 terms of size 100
	must := func(t *rapid.T, l *ope.Log) map[string]ope.Estimate {
		rep, err := ope.Evaluate(l, cfg)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]ope.Estimate{}
		for _, e := range rep.Estimates {
			out[e.Name] = e
		}
		return out
	}
	t.Run("the logged policy is worth its mean reward", rapid.MakeCheck(func(t *rapid.T) {
		l := logs(t)
		l.Target = l.Propensity
		got := must(t, l)
		mean := 0.0
		for _, r := range l.Reward {
			mean += r / float64(len(l.Reward))
		}
		if !near(got[ope.IPS].Value, mean) || !near(got[ope.SNIPS].Value, mean) {
			t.Fatalf("ips %v, snips %v, want %v", got[ope.IPS].Value, got[ope.SNIPS].Value, mean)
		}
	}))
	t.Run("self-normalised values move with the rewards", rapid.MakeCheck(func(t *rapid.T) {
		l := logs(t)
		before := must(t, l)[ope.SNIPS].Value
		shifted := *l
		shifted.Reward = slices.Clone(l.Reward)
		for i := range shifted.Reward {
			shifted.Reward[i] += 7
		}
		if after := must(t, &shifted)[ope.SNIPS].Value; !near(after, before+7) {
			t.Fatalf("snips moved from %v to %v", before, after)
		}
	}))
	t.Run("a perfect model needs no ratios", rapid.MakeCheck(func(t *rapid.T) {
		l := logs(t)
		l.Q = l.Reward
		got := must(t, l)
		for _, name := range []string{ope.DR, ope.SNDR, ope.SwitchDR, ope.DRos, ope.SGDR} {
			if !near(got[name].Value, got[ope.DM].Value) {
				t.Fatalf("%s = %v, dm %v", name, got[name].Value, got[ope.DM].Value)
			}
		}
	}))
	t.Run("a row of weight 2 is two rows", rapid.MakeCheck(func(t *rapid.T) {
		l := logs(t)
		n := len(l.Reward)
		weighted := *l
		weighted.Weight = make([]float64, n)
		var rows []int
		for i := range n {
			k := rapid.IntRange(0, 2).Draw(t, "times")
			if i == 0 {
				k = 2
			}
			weighted.Weight[i] = float64(k)
			for range k {
				rows = append(rows, i)
			}
		}
		a, b := must(t, &weighted), must(t, l.Select(rows))
		for _, name := range []string{ope.IPS, ope.SNIPS, ope.DM, ope.DR, ope.SNDR} {
			if !near(a[name].Value, b[name].Value) {
				t.Fatalf("%s = %v weighted, %v repeated", name, a[name].Value, b[name].Value)
			}
		}
	}))
	t.Run("a biased estimator's interval takes in the unbiased one's", rapid.MakeCheck(func(t *rapid.T) {
		got := must(t, logs(t))
		for _, name := range ope.Estimators() {
			check := ope.DR
			if name == ope.SGIPS {
				check = ope.IPS
			}
			if ope.Biased(name) && (got[name].Lo > got[check].Lo || got[name].Hi < got[check].Hi) {
				t.Fatalf("%s %+v does not take in %+v", name, got[name], got[check])
			}
		}
	}))
	t.Run("the mixture that a refusal offers passes the gate", rapid.MakeCheck(func(t *rapid.T) {
		l := logs(t)
		strict := cfg
		strict.Gate = ope.Gate{MinESS: rapid.Float64Range(1, float64(len(l.Reward))).Draw(t, "gate"), MaxUnsupported: 0.05}
		rep, err := ope.Evaluate(l, strict)
		if err == nil {
			return
		}
		mixed := *l
		mixed.Target = nil
		for i, p := range l.Propensity {
			mixed.Target = append(mixed.Target, rep.Support.MixtureShare*l.Target[i]+(1-rep.Support.MixtureShare)*p)
		}
		again, err := ope.Evaluate(&mixed, strict)
		if again.Support.ESS < strict.Gate.MinESS-1e-6 {
			t.Fatalf("effective sample size %v of the mixture, gate %v: %v", again.Support.ESS, strict.Gate.MinESS, err)
		}
	}))
}

// What the shrunken estimators do when shrinkage would show as bias, and when
// it would not.
func TestSlopeShrinksOnlyWhatDoesNotShow(t *testing.T) {
	const n = 4000
	rng := rand.New(rand.NewPCG(1, 2))
	build := func(bias float64) *ope.Log {
		l := &ope.Log{}
		for range n {
			w := math.Exp(rng.NormFloat64() - 0.5)
			l.Propensity = append(l.Propensity, 0.01)
			l.Target = append(l.Target, min(1, 0.01*w))
			l.Reward = append(l.Reward, 0.5+bias*(w-1)+0.1*rng.NormFloat64()) // rises with the ratio
			l.Q = append(l.Q, 0.5)
			l.V = append(l.V, 0.5)
		}
		return l
	}
	cfg := open()
	right, wrong := values(t, build(0), cfg), values(t, build(0.2), cfg)
	for _, name := range []string{ope.SwitchDR, ope.DRos, ope.SGDR} {
		if right[name].SE > 0.9*right[ope.DR].SE {
			t.Errorf("right model: %s has error %v, dr %v: nothing was gained", name, right[name].SE, right[ope.DR].SE)
		}
		// a wrong model costs no more than the noise it would save
		if d := math.Abs(wrong[name].Value - wrong[ope.DR].Value); d > 4*wrong[ope.DR].SE {
			t.Errorf("wrong model: %s = %v is %v from dr, whose error is %v", name, wrong[name].Value, d, wrong[ope.DR].SE)
		}
	}
}

func TestUnusableLogs(t *testing.T) {
	good := func() *ope.Log {
		return &ope.Log{Reward: []float64{1, 0, 1}, Propensity: []float64{0.5, 0.5, 1}, Target: []float64{0.5, 0, 1}}
	}
	for name, spoil := range map[string]func(*ope.Log){
		"propensity": func(l *ope.Log) { l.Propensity[1] = 0 },
		"target":     func(l *ope.Log) { l.Target[1] = 1.5 },
		"reward":     func(l *ope.Log) { l.Reward[1] = math.NaN() },
		"weight":     func(l *ope.Log) { l.Weight = []float64{1, -1, 1} },
		"q":          func(l *ope.Log) { l.Q, l.V = []float64{0, math.Inf(1), 0}, []float64{0, 0, 0} },
		"time": func(l *ope.Log) {
			l.Censoring = &ope.Censoring{Time: []float64{1, -1, 1}, Complete: []bool{true, true, true}}
		},
	} {
		l := good()
		spoil(l)
		_, err := ope.Evaluate(l, open())
		var row *ope.RowError
		if !errors.As(err, &row) || row.Row != 1 || row.Column != name {
			t.Errorf("%s: err = %v, want a RowError of row 1", name, err)
		}
	}
	if _, err := ope.Evaluate(&ope.Log{}, open()); !errors.Is(err, ope.ErrEmpty) {
		t.Errorf("empty log: %v", err)
	}
	cfg := open()
	cfg.Estimators = []string{ope.DR}
	if _, err := ope.Evaluate(good(), cfg); !errors.Is(err, ope.ErrNoModel) {
		t.Errorf("dr without a model: %v", err)
	}
	cfg.Estimators = []string{ope.IPCWIPS}
	if _, err := ope.Evaluate(good(), cfg); !errors.Is(err, ope.ErrCensored) {
		t.Errorf("ipcw on complete rewards: %v", err)
	}
}

func TestConfigFaults(t *testing.T) {
	for name, spoil := range map[string]func(*ope.Config){
		"level":      func(c *ope.Config) { c.Level = 1 },
		"interval":   func(c *ope.Config) { c.Interval = "wald" },
		"replicates": func(c *ope.Config) { c.Replicates = 99 },
		"planned":    func(c *ope.Config) { c.Planned = 0 },
		"looks":      func(c *ope.Config) { c.Looks = 0 },
		"estimator":  func(c *ope.Config) { c.Estimators = []string{"magic"} },
	} {
		cfg := ope.DefaultConfig()
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		spoil(&cfg)
		if cfg.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSameAnswerOnAnyNumberOfProcessors(t *testing.T) {
	l := debtors{}.draw(t, 1, 500, true)
	cfg := ope.DefaultConfig()
	cfg.Replicates = 300
	want := values(t, l, cfg)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for name, e := range values(t, l, cfg) {
		if e != want[name] {
			t.Errorf("%s = %+v on one processor, %+v on more", name, e, want[name])
		}
	}
}
