package ope

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Interval names a way to put an interval around an estimate.
type Interval string

// The intervals. Each lets clusters, not rows, vary.
const (
	// BCa is the bias-corrected and accelerated cluster bootstrap. Ratios are
	// recomputed in every replicate, normaliser included.
	BCa Interval = "bca"
	// Delta is the estimate ± t standard errors of the delta method, for
	// self-normalised estimators the true ratio interval.
	Delta Interval = "delta"
	// Bernstein is the empirical Bernstein interval of Maurer and Pontil
	// (2009), arXiv:0907.3740, theorem 4: it holds at every sample size, for
	// ratios up to the largest one seen. Self-normalised and censored
	// estimators are no means of bounded scores and get Delta.
	Bernstein Interval = "bernstein"
)

// Config says what to estimate and how surely.
type Config struct {
	Estimators []string // names; nil means all that the log's columns allow
	Level      float64  // of intervals, in (0, 1)
	Interval   Interval
	Replicates int    // of the bootstrap
	Seed       uint64 // of the bootstrap
	Gate       Gate
	Force      bool // answer although the gate refuses

	Planned int // units at which the confidence sequence is tightest; fixed before looking
	Looks   int // how many points of the sequence to report, the last at the end
}

// DefaultConfig returns the configuration used where nothing else is said.
func DefaultConfig() Config {
	return Config{Level: 0.95, Interval: BCa, Replicates: 10_000, Seed: 1, Gate: DefaultGate(), Planned: 1000, Looks: 50}
}

// Validate returns the first setting that cannot be used.
func (c *Config) Validate() error {
	switch {
	case !(c.Level > 0 && c.Level < 1):
		return fmt.Errorf("ope: level %v is not between 0 and 1", c.Level)
	case !slices.Contains([]Interval{BCa, Delta, Bernstein}, c.Interval):
		return fmt.Errorf("ope: unknown interval %q", c.Interval)
	case c.Replicates < 100:
		return fmt.Errorf("ope: %d bootstrap replicates are fewer than 100", c.Replicates)
	case c.Planned < 1 || c.Looks < 1:
		return fmt.Errorf("ope: a confidence sequence needs a planned size and a look of at least 1, not %d and %d", c.Planned, c.Looks)
	}
	for _, name := range c.Estimators {
		if !slices.Contains(Estimators(), name) && !slices.Contains(CensoredEstimators(), name) {
			return fmt.Errorf("ope: unknown estimator %q", name)
		}
	}
	return nil
}

// Estimate is the value of a policy, or a difference of two, with its interval.
//
// Estimators that trade bias for variance (dm, switch-dr, dros, sg-ips, sg-dr)
// have small standard errors around a value that may be off; no interval can
// be both short and honest for all of them. Theirs is stretched to take in the
// interval of the estimator without that bias (dr, or ips), and so covers
// whenever that one does.
type Estimate struct {
	Name          string
	Value, SE     float64
	Lo, Hi        float64
	Method        Interval
	Parameter     float64 // the shrinkage that SLOPE chose; 0 where the estimator has none
	ProbabilityUp float64 // in a comparison: the probability that the challenger is better
}

// Report is the answer of [Evaluate] and [Compare].
type Report struct {
	Support   Support
	Forced    bool // the gate refused and Config.Force overruled it
	Estimates []Estimate
	Sequence  []Look // doubly robust where the log has Q and V; last at the end of the log

	// Of a comparison only: the challenger less the champion.
	ChampionSupport    Support
	Differences        []Estimate // nil where the champion is not supported
	DifferenceSequence []Look
}

// Evaluate estimates what the policy behind l.Target would have earned. It
// returns a *SupportError, and a report with Support only, when the gate
// refuses.
func Evaluate(l *Log, cfg Config) (Report, error) { return evaluate(l, nil, cfg) }

// Compare is Evaluate of the challenger that also estimates how much more it
// would have earned than the champion, pairing the two on every row: only
// Target, Q and V may differ between the logs. The biased estimators take no
// part in differences: a difference of two biases is no evidence.
func Compare(challenger, champion *Log, cfg Config) (Report, error) {
	if len(challenger.Reward) != len(champion.Reward) {
		panic("ope: two policies are compared on the same rows")
	}
	return evaluate(challenger, champion, cfg)
}

func evaluate(l, champion *Log, cfg Config) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	if err := l.validate(); err != nil {
		return Report{}, err
	}
	names := cfg.Estimators
	if names == nil {
		names = l.available()
	}
	t := newTable(l)
	rep := Report{Support: l.support(cfg.Gate, t.m)}
	if !rep.Support.Supported {
		if !cfg.Force {
			return rep, &SupportError{rep.Support}
		}
		rep.Forced = true
	}
	if champion != nil {
		if err := champion.validate(); err != nil {
			return Report{}, err
		}
		if rep.ChampionSupport = champion.support(cfg.Gate, t.m); !rep.ChampionSupport.Supported && !cfg.Force {
			champion = nil
		}
	}

	values, err := t.add(l, names)
	if err != nil {
		return rep, err
	}
	watched, err := t.add(l, l.watched(SNIPS))
	if err != nil {
		return rep, err
	}
	var differences, watchedDifference []estimator
	if champion != nil {
		if differences, err = t.differences(l, champion, slices.DeleteFunc(slices.Clone(names), Biased)); err != nil {
			return rep, err
		}
		if watchedDifference, err = t.differences(l, champion, l.watched(IPS)); err != nil {
			return rep, err
		}
	}
	t.seal()

	var drawn []float64
	if cfg.Interval == BCa {
		drawn = t.replicates(cfg.Replicates, cfg.Seed)
	}
	rep.Estimates = t.estimates(values, drawn, []*Log{l}, cfg)
	rep.Sequence = t.watch(watched, cfg)
	if champion != nil {
		rep.Differences = t.estimates(differences, drawn, []*Log{l, champion}, cfg)
		rep.DifferenceSequence = t.watch(watchedDifference, cfg)
	}
	return rep, nil
}

// available returns the estimators that the log's columns allow.
func (l *Log) available() []string {
	names := Estimators()
	if l.Censoring != nil {
		names = CensoredEstimators()
	}
	return slices.DeleteFunc(names, func(name string) bool { return l.Q == nil && needsModel(name) })
}

// watched returns the estimator of the confidence sequence, and the one that
// shows what the rewards alone say, plain where they are complete. The first
// is centred as far as the columns allow, so that ratios not seen yet are not
// mistaken for rewards that will not come.
func (l *Log) watched(plain string) []string {
	switch {
	case l.Censoring != nil && l.Q != nil:
		return []string{IPCWDR, IPCWIPS}
	case l.Censoring != nil:
		return []string{IPCWIPS, IPCWIPS}
	case l.Q != nil:
		return []string{DR, plain}
	default:
		return []string{plain, plain}
	}
}

// differences adds the named estimators of the challenger less the champion.
func (t *table) differences(challenger, champion *Log, names []string) ([]estimator, error) {
	out, err := t.add(challenger, names)
	if err != nil {
		return nil, err
	}
	second, err := t.add(champion, names)
	for k, e := range second {
		for _, term := range e.terms {
			term.sign = -term.sign
			out[k].terms = append(out[k].terms, term)
		}
	}
	return out, err
}

// estimates puts intervals around the estimators' values. drawn holds the
// bootstrap's column totals, and logs the policies that the estimators read.
func (t *table) estimates(estimators []estimator, drawn []float64, logs []*Log, cfg Config) []Estimate {
	total := t.totals(make([]float64, t.p))
	influence := make([]float64, t.m)
	reps := make([]float64, len(drawn)/t.p)

	one := func(terms []term) Estimate {
		t.influence(influence, terms, total)
		r := Estimate{Value: value(terms, total), SE: standardError(influence), Method: cfg.Interval}
		if r.Method == Bernstein && (!isMean(terms) || logs[0].Censoring != nil) {
			r.Method = Delta
		}
		switch r.Method {
		case BCa:
			for b := range reps {
				reps[b] = value(terms, drawn[b*t.p:(b+1)*t.p])
			}
			r.Lo, r.Hi = bca(r.Value, reps, influence, cfg.Level)
		case Delta:
			h := critical(influence, cfg.Level) * r.SE
			r.Lo, r.Hi = r.Value-h, r.Value+h
		case Bernstein:
			h := t.bernstein(logs, influence, 1-cfg.Level)
			r.Lo, r.Hi = r.Value-h, r.Value+h
		}
		if len(logs) == 2 {
			r.ProbabilityUp = probabilityUp(r, reps)
		}
		return r
	}
	out := make([]Estimate, len(estimators))
	for k, e := range estimators {
		out[k] = one(e.terms)
		out[k].Name, out[k].Parameter = e.name, e.tuned
		if e.check != nil {
			unbiased := one(e.check)
			out[k].Lo, out[k].Hi = min(out[k].Lo, unbiased.Lo), max(out[k].Hi, unbiased.Hi)
			out[k].ProbabilityUp = unbiased.ProbabilityUp
		}
	}
	return out
}

// probabilityUp returns the share of bootstrap replicates above 0, or the
// normal approximation where nothing was resampled.
func probabilityUp(r Estimate, reps []float64) float64 {
	if r.Method != BCa {
		if r.SE == 0 {
			return 0.5
		}
		return distuv.UnitNormal.CDF(r.Value / r.SE)
	}
	up := 0.0
	for _, x := range reps {
		switch {
		case x > 0:
			up++
		case x == 0:
			up += 0.5
		}
	}
	return (up + 0.5) / float64(len(reps)+1)
}

// isMean says whether an estimator is a plain mean of scores.
func isMean(terms []term) bool {
	return !slices.ContainsFunc(terms, func(t term) bool { return t.den != colWeight })
}

// bernstein returns the half-width of the empirical Bernstein interval of a
// mean whose units have these influences. The range of a unit's score is
// bounded by its rows' rewards moved across the whole range seen, at the
// largest ratio seen.
func (t *table) bernstein(logs []*Log, influence []float64, alpha float64) float64 {
	lo, hi := math.Inf(1), math.Inf(-1)
	weight := make([]float64, t.m)
	top, sum := 0.0, 0.0
	for i, r := range logs[0].Reward {
		lo, hi = min(lo, r), max(hi, r)
		weight[t.of[i]] += logs[0].weight(i)
		sum += logs[0].weight(i)
	}
	for _, l := range logs {
		highest := 0.0
		for i := range l.Reward {
			highest = max(highest, l.ratio(i))
		}
		if l.Q != nil {
			highest++ // V moves too
		}
		top += highest
	}
	m := float64(t.m)
	span := top * (hi - lo) * slices.Max(weight) * m / sum
	variance := 0.0
	for _, x := range influence {
		variance += x * x
	}
	variance *= m * m / (m - 1)
	log := math.Log(4 / alpha)
	return math.Sqrt(2*variance*log/m) + 7*span*log/(3*(m-1))
}
