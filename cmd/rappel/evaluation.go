package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"rappel/engine"
	"rappel/models/ope"
)

// evaluation is what `rappel evaluate log` and `evaluate policy` have in
// common: how to estimate, and how to answer.
type evaluation struct {
	estimators             []string
	rewardModel, interval  string
	level                  float64
	bootstraps, planned    int
	seed                   uint64
	minESS, maxUnsupported float64
	force, json            bool
	html                   string
}

func (o *evaluation) flags(f *pflag.FlagSet) {
	cfg := ope.DefaultConfig()
	f.StringSliceVar(&o.estimators, "estimators", nil, "of "+strings.Join(append(ope.Estimators(), ope.CensoredEstimators()...), ", ")+" (default: all that apply)")
	f.StringVar(&o.rewardModel, "reward-model", string(ope.Ridge), "ridge or logistic")
	f.StringVar(&o.interval, "interval", string(cfg.Interval), "bca, delta or bernstein")
	f.Float64Var(&o.level, "level", cfg.Level, "confidence level of intervals")
	f.IntVar(&o.bootstraps, "bootstraps", cfg.Replicates, "replicates of the bootstrap")
	f.IntVar(&o.planned, "planned", cfg.Planned, "clusters at which the confidence sequence is tightest; keep it the same from look to look")
	f.Uint64Var(&o.seed, "seed", cfg.Seed, "seed of folds and bootstrap")
	f.Float64Var(&o.minESS, "min-ess", cfg.Gate.MinESS, "refuse below this effective sample size")
	f.Float64Var(&o.maxUnsupported, "max-unsupported", cfg.Gate.MaxUnsupported, "refuse above this share of the target that the log never or almost never tried")
	f.BoolVar(&o.force, "force", false, "answer although the log does not support the target")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.html, "html", "", "also write a self-contained HTML report to this `file`")
}

func (o *evaluation) config() ope.Config {
	cfg := ope.DefaultConfig()
	cfg.Estimators = o.estimators
	cfg.Level, cfg.Interval, cfg.Replicates, cfg.Seed = o.level, ope.Interval(o.interval), o.bootstraps, o.seed
	cfg.Gate = ope.Gate{MinESS: o.minESS, MaxUnsupported: o.maxUnsupported}
	cfg.Force, cfg.Planned = o.force, o.planned
	return cfg
}

func (o *evaluation) rewards() ope.RewardConfig {
	cfg := ope.DefaultRewardConfig()
	cfg.Family, cfg.Seed = ope.Family(o.rewardModel), o.seed
	return cfg
}

func (o *evaluation) validate() error {
	if o.rewardModel != string(ope.Ridge) && o.rewardModel != string(ope.Logistic) {
		return fmt.Errorf("--reward-model: %q is neither ridge nor logistic", o.rewardModel)
	}
	cfg := o.config()
	return cfg.Validate()
}

// tell writes the answer: one page where --html asks for it, and JSON or text.
func (o *evaluation) tell(out io.Writer, a *answer) error {
	if o.html != "" {
		if err := writeReport(o.html, a); err != nil {
			return err
		}
	}
	if o.json {
		return writeJSON(out, a)
	}
	return a.text(out)
}

// answer is the JSON of `evaluate log` and `evaluate policy`.
type answer struct {
	Input           string      `json:"input"`
	Target          string      `json:"target"`
	*OwnLog                     // of `evaluate policy`
	Rows            int         `json:"rows"`
	Clusters        int         `json:"clusters"`
	ESS             number      `json:"ess"`
	MaxWeight       number      `json:"max_weight"`
	UnsupportedMass number      `json:"unsupported_mass"`
	Supported       bool        `json:"supported"`
	Forced          bool        `json:"forced,omitempty"`
	Reason          string      `json:"reason,omitempty"`
	Caution         string      `json:"caution,omitempty"` // what the intervals cannot tell
	MixtureShare    number      `json:"mixture_share"`
	Level           float64     `json:"level"`
	RewardModel     string      `json:"reward_model,omitempty"`
	Estimates       []estimate  `json:"estimates"`
	Sequence        *sequence   `json:"sequence,omitempty"`
	Comparison      *comparison `json:"comparison,omitempty"`
	Slices          []slice     `json:"slices,omitempty"`
	Pressure        []pressure  `json:"pressure,omitempty"` // of `evaluate policy`

	ratios  []float64
	against string
}

// OwnLog is what is known of decisions that we took ourselves.
type OwnLog struct {
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	Censored     int       `json:"censored"`
	Lost         int       `json:"lost"`    // decisions left out: their question cannot be asked again
	Changed      int       `json:"changed"` // rows with other candidates than were logged
	TrainedUntil time.Time `json:"trained_until"`
	Trained      bool      `json:"trained_on_rows"`
}

type estimate struct {
	Name      string  `json:"name"`
	Value     number  `json:"value"`
	SE        number  `json:"se"`
	Lo        number  `json:"lo"`
	Hi        number  `json:"hi"`
	Method    string  `json:"method"`
	Parameter *number `json:"parameter,omitempty"`
	Better    *number `json:"probability_better,omitempty"`
}

type sequence struct {
	Lo       number `json:"lo"`
	Hi       number `json:"hi"`
	Informed bool   `json:"informed"` // false: lo and hi are only the range of the rewards seen
	Looks    []look `json:"looks"`
}

type look struct {
	Clusters int    `json:"clusters"`
	Value    number `json:"value"`
	Lo       number `json:"lo"`
	Hi       number `json:"hi"`
	Informed bool   `json:"informed"`
}

type comparison struct {
	Against   string     `json:"against"`
	Reason    string     `json:"reason,omitempty"`
	Estimates []estimate `json:"estimates"`
	Sequence  *sequence  `json:"sequence,omitempty"`
}

type slice struct {
	Column    string    `json:"column"`
	Level     string    `json:"level"`
	Rows      int       `json:"rows"`
	ESS       number    `json:"ess"`
	Supported bool      `json:"supported"`
	Reason    string    `json:"reason,omitempty"`
	Estimate  *estimate `json:"estimate,omitempty"`
}

// pressure is the share of a group's decisions that are a contact.
type pressure struct {
	By         string   `json:"by"`
	Name       string   `json:"name"`
	Decisions  int      `json:"decisions"`
	Debtors    int      `json:"debtors"`
	Target     number   `json:"target"`
	Against    number   `json:"against"`
	Difference estimate `json:"difference"`
}

// newAnswer compares two policies on the same rows. Where the gate refuses it
// returns the support alone, and the *ope.SupportError.
func newAnswer(target, against *ope.Log, name string, cfg ope.Config) (*answer, error) {
	rep, err := ope.Compare(target, against, cfg)
	a := &answer{
		Level: cfg.Level, Rows: rep.Support.Rows, Clusters: rep.Support.Clusters,
		ESS: number(rep.Support.ESS), MaxWeight: number(rep.Support.MaxWeight), UnsupportedMass: number(rep.Support.UnsupportedMass),
		Supported: rep.Support.Supported, Forced: rep.Forced, Reason: rep.Support.Reason,
		MixtureShare: number(rep.Support.MixtureShare), Estimates: estimatesOf(rep.Estimates, false),
		ratios: target.Ratios(nil), against: name,
	}
	if err != nil {
		return a, err
	}
	lo, hi := rewardRange(target)
	if lo == hi {
		unseen := 1 - math.Pow(1-cfg.Level, 1/rep.Support.ESS)
		a.Caution = fmt.Sprintf("every reward is %g, so no interval has a width: something else may still follow up to %.2g %% of what the policy does (%g %% sure)",
			lo, 100*unseen, 100*cfg.Level)
	}
	a.Sequence = sequenceOf(rep.Sequence, lo, hi)
	a.Comparison = &comparison{
		Against: name, Reason: rep.ChampionSupport.Reason,
		Estimates: estimatesOf(rep.Differences, true), Sequence: sequenceOf(rep.DifferenceSequence, lo-hi, hi-lo),
	}
	return a, nil
}

// headline is the comparison by one estimator in a line, as the audit log keeps
// it.
func (a *answer) headline(name string) string {
	if a.Comparison == nil {
		return a.Reason
	}
	i := slices.IndexFunc(a.Comparison.Estimates, func(e estimate) bool { return e.Name == name })
	if i < 0 {
		return a.Comparison.Reason
	}
	e := a.Comparison.Estimates[i]
	return fmt.Sprintf("%s of %d decisions: %+.4f more than %s, %.0f %% interval %+.4f to %+.4f",
		e.Name, a.Rows, float64(e.Value), a.against, 100*a.Level, float64(e.Lo), float64(e.Hi))
}

func estimatesOf(in []ope.Estimate, compared bool) []estimate {
	out := make([]estimate, len(in))
	for k, e := range in {
		out[k] = estimate{Name: e.Name, Value: number(e.Value), SE: number(e.SE), Lo: number(e.Lo), Hi: number(e.Hi), Method: string(e.Method)}
		if slices.Contains([]string{ope.SwitchDR, ope.DRos, ope.SGIPS, ope.SGDR}, e.Name) && !compared {
			out[k].Parameter = new(number(e.Parameter))
		}
		if compared {
			out[k].Better = new(number(e.ProbabilityUp))
		}
	}
	return out
}

// rewardRange returns the least and the greatest complete reward.
func rewardRange(l *ope.Log) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for i, r := range l.Reward {
		if l.Censoring == nil || l.Censoring.Complete[i] {
			lo, hi = min(lo, r), max(hi, r)
		}
	}
	return lo, hi
}

// sequenceOf takes over the looks, within the range in which a mean of rewards
// seen must lie, also before the sequence says anything. It is nil without
// looks.
func sequenceOf(looks []ope.Look, lo, hi float64) *sequence {
	if len(looks) == 0 {
		return nil
	}
	s := &sequence{}
	for _, k := range looks {
		s.Informed = !math.IsInf(k.Hi, 1)
		k.Lo, k.Hi = max(k.Lo, lo), min(k.Hi, hi)
		s.Lo, s.Hi = number(k.Lo), number(k.Hi)
		s.Looks = append(s.Looks, look{k.Units, number(k.Value), s.Lo, s.Hi, s.Informed})
	}
	return s
}

// sliced evaluates a policy on the rows of each value of a column. byAction:
// the column says what was done, so that the value is the mean reward of the
// decisions in which the policy does that.
func sliced(l *ope.Log, column string, values []string, byAction bool, cfg ope.Config) ([]slice, error) {
	level, names := levels(values, true)
	if len(names) > 200 {
		return nil, fmt.Errorf("slice %s: %d different values are too many to split by", column, len(names))
	}
	rows := make([][]int, len(names))
	for i, k := range level {
		rows[k] = append(rows[k], i)
	}
	cfg.Interval, cfg.Looks, cfg.Estimators = ope.Delta, 1, []string{l.Headline(byAction)}
	if byAction {
		cfg.Gate.MaxUnsupported = 1 // a policy may well do this less often than the log
	}
	var out []slice
	for k, name := range names {
		rep, err := ope.Evaluate(l.Select(rows[k]), cfg)
		s := slice{Column: column, Level: name, Rows: len(rows[k]), ESS: number(rep.Support.ESS), Supported: rep.Support.Supported, Reason: rep.Support.Reason}
		switch horizon, short := errors.AsType[*ope.HorizonError](err); {
		case short:
			s.Supported, s.Reason = false, horizon.Error()
		case err == nil:
			s.Estimate = &estimatesOf(rep.Estimates, false)[0]
		default:
			if _, refused := errors.AsType[*ope.SupportError](err); !refused {
				return nil, fmt.Errorf("slice %s=%s: %w", column, name, err)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

func pressureOf(in []engine.PolicyPressure) []pressure {
	out := make([]pressure, len(in))
	for k, x := range in {
		out[k] = pressure{x.By, x.Name, x.Decisions, x.Debtors, number(x.Model), number(x.Against), estimatesOf([]ope.Estimate{x.Difference}, false)[0]}
	}
	return out
}

// nameOf shows the value of a group; an unknown one too.
func nameOf(level string) string { return cmp.Or(level, "(none)") }

func (a *answer) text(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	if o := a.OwnLog; o != nil {
		day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
		line("model %s on the decisions from %s to %s", a.Target, day(o.From), day(o.To))
		line("rewards not yet complete %d, decisions left out %d, candidates changed since %d", o.Censored, o.Lost, o.Changed)
		if o.Trained {
			line("CAUTION: the model was trained on data until %s, some of which it is judged by", day(o.TrainedUntil))
		}
	}
	line("rows %d, clusters %d, effective sample size %.4g, largest weight %.4g, unsupported mass %.3g", a.Rows, a.Clusters, float64(a.ESS), float64(a.MaxWeight), float64(a.UnsupportedMass))
	if a.RewardModel != "" {
		line("reward model: %s", a.RewardModel)
	}
	if !a.Supported {
		line("")
		line("NOT SUPPORTED: %s", a.Reason)
	}
	if a.Caution != "" {
		line("CAUTION: %s", a.Caution)
	}
	if a.Forced {
		line("forced: the numbers below must not be relied on")
	}
	table := func(rows []estimate, last string) {
		line("")
		line("estimator\tvalue\tse\t%g %% interval\t\tmethod\t%s", 100*a.Level, last)
		for _, e := range rows {
			extra := ""
			switch {
			case e.Better != nil:
				extra = fmt.Sprintf("%.4f", float64(*e.Better))
			case e.Parameter != nil:
				extra = fmt.Sprintf("%.3g", float64(*e.Parameter))
			}
			line("%s\t%.6g\t%.3g\t%.6g\t%.6g\t%s\t%s", e.Name, float64(e.Value), float64(e.SE), float64(e.Lo), float64(e.Hi), e.Method, extra)
		}
	}
	if len(a.Estimates) > 0 {
		table(a.Estimates, "parameter")
	}
	if s := a.Sequence; s != nil && s.Informed {
		line("")
		line("watched at any time: %.6g to %.6g", float64(s.Lo), float64(s.Hi))
	}
	if c := a.Comparison; c != nil {
		line("")
		line("difference to %s %s", c.Against, c.Reason)
		if len(c.Estimates) > 0 {
			table(c.Estimates, "P(better)")
		}
		if s := c.Sequence; s != nil && s.Informed {
			line("")
			line("watched at any time: %.6g to %.6g", float64(s.Lo), float64(s.Hi))
		}
	}
	if len(a.Slices) > 0 {
		line("")
		line("slice\trows\tess\tvalue\t%g %% interval", 100*a.Level)
		for _, s := range a.Slices {
			if s.Estimate == nil {
				line("%s=%s\t%d\t%.4g\tnot supported", s.Column, nameOf(s.Level), s.Rows, float64(s.ESS))
				continue
			}
			line("%s=%s\t%d\t%.4g\t%.6g\t%s\t%s", s.Column, nameOf(s.Level), s.Rows, float64(s.ESS), float64(s.Estimate.Value), shown("%.6g", s.Estimate.Lo), shown("%.6g", s.Estimate.Hi))
		}
	}
	if len(a.Pressure) > 0 {
		line("")
		line("contact pressure\tdecisions\tdebtors\tcontacts, target\t%s\tdifference\t%g %% interval", a.against, 100*a.Level)
		for _, p := range a.Pressure {
			d := p.Difference
			line("%s=%s\t%d\t%d\t%.1f %%\t%.1f %%\t%s\t%s\t%s", p.By, nameOf(p.Name), p.Decisions, p.Debtors,
				100*float64(p.Target), 100*float64(p.Against), points(d.Value), points(d.Lo), points(d.Hi))
		}
	}
	return w.Flush()
}
