package ope_test

import (
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"

	"rappel/models/ope"
)

// seed is that of the first run: another one shows that a figure is not luck.
//
//	go test -v -run 'IntervalsCover|MustNotBeIgnored|WatchedFiftyTimes' ./models/ope -seed 10000
var seed = flag.Uint64("seed", 0, "seed of the first simulated log")

const (
	runs    = 500
	horizon = 28.0 // days
)

// debtors is a world whose policy values are known: a debtor has one number x,
// three actions are tried with probabilities that depend on x, and the debtor
// pays after an exponential time whose rate depends on both.
type debtors struct {
	cut    float64 // rate at which the log loses sight of a debtor, per day; 0 for never
	repeat int     // decisions per debtor, who keeps one temper throughout
}

func (debtors) logged(x float64) [3]float64 { return softmax(0.4*x, 0, -0.4*x) }
func (debtors) target(x float64) [3]float64 { return softmax(-0.4*x, 0.3, 0.6*x) }

func softmax(a, b, c float64) [3]float64 {
	p := [3]float64{math.Exp(a), math.Exp(b), math.Exp(c)}
	s := p[0] + p[1] + p[2]
	return [3]float64{p[0] / s, p[1] / s, p[2] / s}
}

// rate is the hazard of paying, per day.
func (debtors) rate(x float64, action int) float64 {
	return 0.05 * math.Exp(0.4*x+[3]float64{0, 0.5, -0.5}[action])
}

// reward of paying after t days.
func reward(t float64) float64 { return 1 - min(t, horizon)/horizon }

// value integrates the expected reward of a policy over x ~ N(0, 1).
func (w debtors) value(policy func(x float64) [3]float64) float64 {
	const points = 4000
	v := 0.0
	for k := range points {
		x := distuv.UnitNormal.Quantile((float64(k) + 0.5) / points)
		for a, p := range policy(x) {
			h := w.rate(x, a) * horizon
			v += p * (1 - (1-math.Exp(-h))/h) / points // E(1 − min(T, H)/H) of exponential T
		}
	}
	return v
}

// draw returns n logged decisions, with a reward model when fit.
func (w debtors) draw(t *testing.T, seed uint64, n int, fit bool) *ope.Log {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	l := &ope.Log{}
	if w.cut > 0 {
		l.Censoring = &ope.Censoring{}
	}
	x := mat.NewDense(n, 1, nil)
	var action []int
	var temper, who float64
	for i := range n {
		if w.repeat == 0 || i%w.repeat == 0 {
			who, temper = rng.NormFloat64(), rng.ExpFloat64()
		}
		if w.repeat > 0 {
			l.Cluster = append(l.Cluster, i/w.repeat)
		} else {
			temper = rng.ExpFloat64()
		}
		x.Set(i, 0, who)
		p, q := w.logged(who), w.target(who)
		a, u := 0, rng.Float64()
		for ; a < 2 && u > p[a]; a++ {
			u -= p[a]
		}
		action = append(action, a)
		l.Propensity = append(l.Propensity, p[a])
		l.Target = append(l.Target, q[a])
		settled := min(temper/w.rate(who, a), horizon)
		if w.cut > 0 {
			lost := rng.ExpFloat64() / w.cut
			l.Censoring.Time = append(l.Censoring.Time, min(settled, lost))
			l.Censoring.Complete = append(l.Censoring.Complete, settled <= lost)
		}
		l.Reward = append(l.Reward, reward(settled))
	}
	if fit {
		_, err := l.FitModel(ope.Features{X: x, Action: action, Actions: 3, Policy: func(i, a int) float64 {
			return w.target(x.At(i, 0))[a]
		}}, ope.DefaultRewardConfig())
		if err != nil {
			t.Fatal(err)
		}
	}
	return l
}

// covered is what an estimator did over many logs: how often its interval held
// the truth, the mean and deviation of its values, and the mean error it gave.
type covered struct{ share, mean, sd, se float64 }

// coverage runs the configuration on fresh logs.
func coverage(t *testing.T, w debtors, n int, cfg ope.Config) map[string]covered {
	t.Helper()
	truth := w.value(w.target)
	out := map[string]covered{}
	for run := range runs {
		rep, err := ope.Evaluate(w.draw(t, *seed+uint64(run), n, true), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range rep.Estimates {
			c := out[e.Name]
			c.mean += e.Value / runs
			c.sd += (e.Value - truth) * (e.Value - truth) / runs
			c.se += e.SE / runs
			if e.Lo <= truth && truth <= e.Hi {
				c.share += 1.0 / runs
			}
			out[e.Name] = c
		}
	}
	for name, c := range out {
		c.sd = math.Sqrt(c.sd - (c.mean-truth)*(c.mean-truth))
		out[name] = c
	}
	return out
}

func TestIntervalsCover(t *testing.T) {
	cfg := ope.DefaultConfig()
	cfg.Looks = 1
	for _, c := range []struct {
		name     string
		world    debtors
		interval ope.Interval
		reps     int
		names    []string
	}{
		{"delta", debtors{}, ope.Delta, 100, []string{ope.IPS, ope.SNIPS, ope.DR, ope.SNDR}},
		{"bootstrap", debtors{}, ope.BCa, 400, []string{ope.IPS, ope.SNIPS, ope.DR}},
		{"censored", debtors{cut: 0.04}, ope.Delta, 100, []string{ope.IPCWIPS, ope.IPCWSNIPS, ope.IPCWDR}},
		{"censored bootstrap", debtors{cut: 0.04}, ope.BCa, 400, []string{ope.IPCWDR}},
		{"five decisions a debtor", debtors{repeat: 5}, ope.Delta, 100, []string{ope.IPS, ope.SNIPS, ope.DR}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := cfg
			cfg.Interval, cfg.Replicates, cfg.Estimators = c.interval, c.reps, c.names
			got := coverage(t, c.world, 1000, cfg)
			for _, name := range c.names {
				e := got[name]
				t.Logf("%s covers in %.1f %% of %d runs, mean %.4f, truth %.4f, deviation %.4f, error given %.4f", name, 100*e.share, runs, e.mean, c.world.value(c.world.target), e.sd, e.se)
				if e.share < 0.93 || e.share > 0.97 {
					t.Errorf("%s covers in %.1f %%, want 93 to 97", name, 100*e.share)
				}
				// 500 runs know a deviation to 3 %
				if math.Abs(e.se/e.sd-1) > 0.09 {
					t.Errorf("%s gives an error of %.4f and deviates by %.4f", name, e.se, e.sd)
				}
			}
		})
	}
}

// Rows of one debtor move together; taking them for independent gives
// intervals that are too short.
func TestClustersMatter(t *testing.T) {
	w := debtors{repeat: 10}
	l := w.draw(t, 1, 2000, false)
	cfg := ope.DefaultConfig()
	cfg.Interval, cfg.Estimators = ope.Delta, []string{ope.SNIPS}
	byDebtor, err := ope.Evaluate(l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	l.Cluster = nil
	byRow, err := ope.Evaluate(l, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if byDebtor.Support.Clusters != 200 || byRow.Support.Clusters != 2000 {
		t.Errorf("clusters = %d and %d, want 200 and 2000", byDebtor.Support.Clusters, byRow.Support.Clusters)
	}
	if a, b := byDebtor.Estimates[0], byRow.Estimates[0]; math.Abs(a.Value-b.Value) > 1e-12 || a.SE < 1.3*b.SE {
		t.Errorf("by debtor %v ± %v, by row %v ± %v: want the same value and a clearly larger error", a.Value, a.SE, b.Value, b.SE)
	}
}

// With 40 % of the rewards cut, IPCW-DR stays within 2 % of the truth; the
// same estimator on complete rows alone does not.
func TestCensoringMustNotBeIgnored(t *testing.T) {
	w := debtors{cut: 0.04}
	truth := w.value(w.target)
	cfg := ope.DefaultConfig()
	cfg.Interval, cfg.Looks = ope.Delta, 1
	var ipcw, naive, cut float64
	const n = 1000
	for run := range runs {
		l := w.draw(t, *seed+uint64(run), n, true)
		cfg.Estimators = []string{ope.IPCWDR}
		rep, err := ope.Evaluate(l, cfg)
		if err != nil {
			t.Fatal(err)
		}
		ipcw += rep.Estimates[0].Value / runs
		var complete []int
		for i, c := range l.Censoring.Complete {
			if c {
				complete = append(complete, i)
			}
		}
		cut += float64(n-len(complete)) / n / runs
		l = l.Select(complete)
		l.Censoring = nil
		cfg.Estimators = []string{ope.DR}
		if rep, err = ope.Evaluate(l, cfg); err != nil {
			t.Fatal(err)
		}
		naive += rep.Estimates[0].Value / runs
	}
	t.Logf("%.0f %% cut: truth %.4f, ipcw-dr %.4f, dr on complete rows %.4f", 100*cut, truth, ipcw, naive)
	if math.Abs(cut-0.4) > 0.02 {
		t.Errorf("%.3f of rewards are cut, want 0.4", cut)
	}
	if math.Abs(ipcw/truth-1) > 0.02 {
		t.Errorf("ipcw-dr is %.4f on average, truth %.4f", ipcw, truth)
	}
	if math.Abs(naive/truth-1) < 0.02 {
		t.Errorf("ignoring censoring gives %.4f, which should miss %.4f", naive, truth)
	}
}

// A log may be looked at 50 times: the confidence sequence then misses at some
// look in at most 5 % of runs, and is at most 2.2 times as wide at the end as
// the interval for one look. A fixed-time interval misses far more often.
func TestSequenceWatchedFiftyTimes(t *testing.T) {
	w := debtors{}
	truth := w.value(w.target)
	cfg := ope.DefaultConfig()
	cfg.Interval, cfg.Estimators = ope.Delta, []string{ope.DR}
	missed, ratio, gaussian := 0, 0.0, 0
	for run := range runs {
		rep, err := ope.Evaluate(w.draw(t, *seed+uint64(run), 2000, true), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if len(rep.Sequence) != 50 {
			t.Fatalf("%d looks, want 50", len(rep.Sequence))
		}
		out, outGaussian := false, false
		for _, k := range rep.Sequence {
			out = out || k.Lo > truth || k.Hi < truth
			e := rep.Estimates[0]
			h := (e.Hi - e.Value) * math.Sqrt(2000/float64(k.Units))
			outGaussian = outGaussian || math.Abs(k.Value-truth) > h
		}
		if out {
			missed++
		}
		if outGaussian {
			gaussian++
		}
		last, e := rep.Sequence[49], rep.Estimates[0]
		ratio += (last.Hi - last.Lo) / (e.Hi - e.Lo) / runs
	}
	t.Logf("sequence misses in %.1f %% of %d runs, %.2f times as wide at the end; fixed-time interval misses in %.1f %%", 100*float64(missed)/runs, runs, ratio, 100*float64(gaussian)/runs)
	if float64(missed)/runs > 0.05 {
		t.Errorf("the sequence misses in %d of %d runs", missed, runs)
	}
	if ratio > 2.2 {
		t.Errorf("the sequence is %.2f times as wide as the fixed-time interval", ratio)
	}
	if float64(gaussian)/runs < 0.1 {
		t.Errorf("peeking at the fixed-time interval misses in %d of %d runs only: the test has no teeth", gaussian, runs)
	}
}

// Rewards that are rare or carried by a few huge ratios are where asymptotic
// sequences fail early.
func TestSequenceOnHardRewards(t *testing.T) {
	const n = 2000
	for _, c := range []struct {
		name  string
		truth float64
		row   func(rng *rand.Rand) (w, r float64)
	}{
		{"one in 200 clicks", 0.005, func(rng *rand.Rand) (w, r float64) {
			return math.Exp(rng.NormFloat64() - 0.5), bernoulli(rng, 0.005)
		}},
		{"ratios up to 20", 0.36, func(rng *rand.Rand) (w, r float64) {
			switch u := rng.Float64(); {
			case u < 0.02:
				return 20, bernoulli(rng, 0.6)
			case u < 0.52:
				return 1.2, bernoulli(rng, 0.2)
			}
			return 0, bernoulli(rng, 0.5)
		}},
		{"target seen once in 100", 0.5, func(rng *rand.Rand) (w, r float64) {
			return 100 * bernoulli(rng, 0.01), bernoulli(rng, 0.5)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := ope.DefaultConfig()
			cfg.Interval, cfg.Estimators, cfg.Force = ope.Delta, []string{ope.DR}, true
			missed := 0
			for run := range runs {
				rng := rand.New(rand.NewPCG(uint64(run), 3))
				l := &ope.Log{}
				for range n {
					w, r := c.row(rng)
					l.Reward = append(l.Reward, r)
					l.Propensity = append(l.Propensity, 0.001)
					l.Target = append(l.Target, min(0.001*w, 1))
				}
				if _, err := l.FitModel(ope.Features{}, ope.DefaultRewardConfig()); err != nil {
					t.Fatal(err)
				}
				rep, err := ope.Evaluate(l, cfg)
				if err != nil {
					t.Fatal(err)
				}
				for _, k := range rep.Sequence {
					if k.Lo > c.truth || k.Hi < c.truth {
						missed++
						break
					}
				}
			}
			t.Logf("misses in %.1f %% of %d runs", 100*float64(missed)/runs, runs)
			// 5 %, and two standard errors of 500 runs
			if float64(missed)/runs > 0.07 {
				t.Errorf("the sequence misses in %d of %d runs", missed, runs)
			}
		})
	}
}

func bernoulli(rng *rand.Rand, p float64) float64 {
	if rng.Float64() < p {
		return 1
	}
	return 0
}

// The empirical Bernstein interval promises at least 95 % at any size.
func TestBernsteinHoldsOnSmallLogs(t *testing.T) {
	w := debtors{}
	truth := w.value(w.target)
	cfg := ope.DefaultConfig()
	cfg.Interval, cfg.Estimators, cfg.Looks, cfg.Gate = ope.Bernstein, []string{ope.IPS, ope.DR, ope.SNIPS}, 1, ope.Gate{MinESS: 1, MaxUnsupported: 1}
	missed := 0
	for run := range runs {
		rep, err := ope.Evaluate(w.draw(t, *seed+uint64(run), 60, true), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range rep.Estimates[:2] {
			if e.Method != ope.Bernstein {
				t.Fatalf("%s has a %s interval", e.Name, e.Method)
			}
			if e.Lo > truth || e.Hi < truth {
				missed++
			}
		}
		if m := rep.Estimates[2].Method; m != ope.Delta {
			t.Fatalf("a ratio got a %s interval", m)
		}
	}
	if float64(missed)/(2*runs) > 0.05 {
		t.Errorf("missed %d of %d", missed, 2*runs)
	}
}

// The challenger is better by construction. The interval of the paired
// difference covers what it is, and its sequence may be watched.
func TestComparePairs(t *testing.T) {
	w := debtors{}
	gain := w.value(w.target) - w.value(w.logged)
	cfg := ope.DefaultConfig()
	cfg.Interval = ope.Delta
	covered, missed := 0, 0
	for run := range runs {
		challenger := w.draw(t, *seed+uint64(run), 1000, true)
		champion := *challenger
		champion.Target = challenger.Propensity
		champion.V = champion.Q // at ratio 1 the doubly robust value is the mean reward whatever Q
		rep, err := ope.Compare(challenger, &champion, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range rep.Differences {
			if ope.Biased(e.Name) {
				t.Fatalf("%s takes part in a difference", e.Name)
			}
			if e.Name == ope.DR && e.Lo <= gain && gain <= e.Hi {
				covered++
			}
			if (e.Value > 0) != (e.ProbabilityUp > 0.5) {
				t.Fatalf("%s: difference %v with probability %v", e.Name, e.Value, e.ProbabilityUp)
			}
		}
		for _, k := range rep.DifferenceSequence {
			if k.Lo > gain || k.Hi < gain {
				missed++
				break
			}
		}
	}
	if c := float64(covered) / runs; c < 0.93 || c > 0.97 {
		t.Errorf("the difference's interval covers in %.3f of runs", c)
	}
	if m := float64(missed) / runs; m > 0.05 {
		t.Errorf("the difference's sequence misses in %.3f of runs", m)
	}
}

// A policy is worth exactly as much as itself, and pairing leaves no doubt.
func TestCompareWithItself(t *testing.T) {
	l := debtors{}.draw(t, 1, 1000, true)
	rep, err := ope.Compare(l, l, ope.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range rep.Differences {
		if e.Value != 0 || e.Lo != 0 || e.Hi != 0 || e.ProbabilityUp != 0.5 {
			t.Errorf("%s of a policy against itself is %+v", e.Name, e)
		}
	}
}

// A champion that the log cannot speak about leaves the challenger's value.
func TestCompareWithAnUnsupportedChampion(t *testing.T) {
	l := debtors{}.draw(t, 1, 1000, true)
	champion := *l
	champion.Target = make([]float64, 1000)
	champion.Target[3] = 1
	rep, err := ope.Compare(l, &champion, open())
	if err != nil || len(rep.Estimates) == 0 {
		t.Fatalf("err %v, %d estimates", err, len(rep.Estimates))
	}
	cfg := open()
	cfg.Gate = ope.DefaultGate()
	if rep, err = ope.Compare(l, &champion, cfg); err != nil || rep.Differences != nil || rep.ChampionSupport.Supported || rep.ChampionSupport.Reason == "" {
		t.Errorf("err %v, differences %v, support %+v", err, rep.Differences, rep.ChampionSupport)
	}
}

func TestGateRefusesAnEffectiveSampleOfTwo(t *testing.T) {
	const n = 10_000
	l := &ope.Log{}
	for i := range n {
		p, q := 0.9999, 1e-7 // what the log does and the target almost never would
		if i < 2 {
			p, q = 1e-4, 0.9999
		}
		l.Propensity = append(l.Propensity, p)
		l.Target = append(l.Target, q)
		l.Reward = append(l.Reward, float64(i%2))
	}
	cfg := ope.DefaultConfig()
	cfg.Replicates = 200
	rep, err := ope.Evaluate(l, cfg)
	var refused *ope.SupportError
	if !errors.As(err, &refused) || len(rep.Estimates) != 0 {
		t.Fatalf("err = %v with %d estimates, want a refusal and none", err, len(rep.Estimates))
	}
	s := rep.Support
	if math.Round(s.ESS) != 2 || s.Supported || s.Rows != n || s.UnsupportedMass < 0.99 {
		t.Errorf("support = %+v, want an effective sample size of 2", s)
	}
	const want = "ope: the log does not support this policy: effective sample size 2 of 10000 rows (at least 50 needed, largest weight 9999), " +
		"and 1 of the target lies where the log has almost nothing (at most 0.05 allowed); " +
		"ask instead for a policy that follows it in at most 0.11 of the decisions and the logged one otherwise, or collect about 2.5e+05 rows like these"
	if err.Error() != want {
		t.Errorf("refusal says\n%s, want\n%s", err, want)
	}

	// The mixture that the refusal offers is one that the gate lets through.
	mixed := *l
	mixed.Target = nil
	for i := range n {
		mixed.Target = append(mixed.Target, s.MixtureShare*l.Target[i]+(1-s.MixtureShare)*l.Propensity[i])
	}
	if rep, err := ope.Evaluate(&mixed, cfg); err != nil {
		t.Errorf("the policy offered instead: %v (effective sample size %v)", err, rep.Support.ESS)
	}

	cfg.Force = true
	rep, err = ope.Evaluate(l, cfg)
	if err != nil || !rep.Forced || rep.Support.Supported || len(rep.Estimates) == 0 {
		t.Errorf("forced: err %v, report %+v", err, rep)
	}
}

func TestGateSeesWhatTheLogNeverTried(t *testing.T) {
	// A tenth of the target lies on an action that was never drawn.
	l := &ope.Log{}
	for i := range 2000 {
		l.Propensity = append(l.Propensity, 0.5)
		l.Target = append(l.Target, 0.45)
		l.Reward = append(l.Reward, float64(i%2))
	}
	rep, err := ope.Evaluate(l, ope.DefaultConfig())
	var refused *ope.SupportError
	if !errors.As(err, &refused) || math.Abs(rep.Support.UnsupportedMass-0.1) > 1e-9 {
		t.Errorf("err = %v, unsupported mass %v, want a refusal at 0.1", err, rep.Support.UnsupportedMass)
	}
}
