package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	_ "github.com/duckdb/duckdb-go/v2" // reads CSV and Parquet
	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/mat"

	"rappel/models/ope"
)

// logOptions are the flags of `rappel evaluate log`.
type logOptions struct {
	input                               string
	action, reward, propensity          string
	target, against, q, context, slices []string
	cluster, weight                     string
	followup, complete, stratum         string
	estimators                          []string
	rewardModel, interval               string
	level                               float64
	bootstraps, planned                 int
	seed                                uint64
	minESS, maxUnsupported              float64
	force, json                         bool
	html                                string
}

// newEvaluateLogCommand returns `rappel evaluate log`: the off-policy value of
// any logged bandit feedback.
func newEvaluateLogCommand() *cobra.Command {
	cfg := ope.DefaultConfig()
	var o logOptions
	c := &cobra.Command{
		Use:   "log",
		Short: "What another policy would have earned on logged decisions, with intervals",
		Long: `What another policy would have earned on logged decisions, with intervals.

The input is a CSV or Parquet file with one row a decision: the action taken,
the reward that followed, the probability with which the action was drawn
(--propensity) and the probability with which the policy in question would
draw it (--target). Rows stand in order of time.

--target with one column is the probability of the logged action. With one
column per action, named by a common prefix and the action (p_email, p_sms), it
is the whole policy; reward models then tell actions apart. With one column and
--context, the whole policy is recovered where the context determines it.

--q gives your own reward predictions, made without the row itself: with one
target column the two columns "reward of the logged action" and "reward under
the target"; with a target column per action, one column per action likewise.
Without --q a reward model is cross-fitted on --context.

A log that hardly saw what the target does is refused, with the numbers and
what could be asked instead; --force answers all the same and says so.`,
		Example: `  rappel evaluate log --input feedback.csv --action channel --reward paid_14d \
    --propensity propensity --target p_new --cluster debtor_id --json
  rappel evaluate log --input feedback.parquet --action channel --reward saved --propensity p \
    --target p_new --followup days_watched --complete settled --html report.html`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.input, "input", "", "CSV or Parquet file, one row a decision in order of time")
	f.StringVar(&o.action, "action", "", "column of the logged action")
	f.StringVar(&o.reward, "reward", "", "column of the reward")
	f.StringVar(&o.propensity, "propensity", "", "column of the probability of the logged action when it was drawn")
	f.StringSliceVar(&o.target, "target", nil, "column of the logged action's probability under the policy in question, or one column per action")
	f.StringSliceVar(&o.against, "against", []string{"logged"}, "policy to compare with: `logged`, or columns as for --target")
	f.StringSliceVar(&o.q, "q", nil, "columns of given reward predictions")
	f.StringSliceVar(&o.context, "context", nil, "columns known before the decision, for the reward model")
	f.StringSliceVar(&o.slices, "slice", nil, "columns by whose values the answer is split")
	f.StringVar(&o.cluster, "cluster", "", "column of whom the row belongs to; rows of one are not independent")
	f.StringVar(&o.weight, "weight", "", "column of row weights")
	f.StringVar(&o.followup, "followup", "", "right-censored rewards: column of how long the reward was watched")
	f.StringVar(&o.complete, "complete", "", "right-censored rewards: column that is 1 where the reward is complete, 0 where the log was cut first")
	f.StringVar(&o.stratum, "censoring-stratum", "", "column of groups that were cut differently")
	f.StringSliceVar(&o.estimators, "estimators", nil, "of "+strings.Join(append(ope.Estimators(), ope.CensoredEstimators()...), ", ")+" (default: all that apply)")
	f.StringVar(&o.rewardModel, "reward-model", string(ope.Ridge), "ridge or logistic")
	f.StringVar(&o.interval, "interval", string(cfg.Interval), "bca, delta or bernstein")
	f.Float64Var(&o.level, "level", cfg.Level, "confidence level of intervals")
	f.IntVar(&o.bootstraps, "bootstraps", cfg.Replicates, "replicates of the bootstrap")
	f.IntVar(&o.planned, "planned", cfg.Planned, "clusters at which the confidence sequence is tightest; keep it the same from look to look")
	f.Uint64Var(&o.seed, "seed", cfg.Seed, "seed of folds and bootstrap")
	f.Float64Var(&o.minESS, "min-ess", cfg.Gate.MinESS, "refuse below this effective sample size")
	f.Float64Var(&o.maxUnsupported, "max-unsupported", cfg.Gate.MaxUnsupported, "refuse above this share of the target that the log never tried")
	f.BoolVar(&o.force, "force", false, "answer although the log does not support the target")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.html, "html", "", "also write a self-contained HTML report to this file")
	return c
}

func (o *logOptions) run(ctx context.Context, out io.Writer) error {
	if err := o.validate(); err != nil {
		return usage(err)
	}
	frame, err := readFrame(ctx, o.input, o.columns())
	if err != nil {
		return err
	}
	answer, err := o.answer(frame)
	var refused *ope.SupportError
	if err != nil && !errors.As(err, &refused) {
		return fmt.Errorf("%s: %w", o.input, err)
	}
	if o.html != "" {
		if err := writeLogReport(o.html, answer); err != nil {
			return err
		}
	}
	print := answer.text
	if o.json {
		print = answer.json
	}
	if err := print(out); err != nil {
		return err
	}
	return err
}

func (o *logOptions) validate() error {
	for _, flag := range [][2]string{{"input", o.input}, {"action", o.action}, {"reward", o.reward}, {"propensity", o.propensity}, {"target", strings.Join(o.target, ",")}} {
		if flag[1] == "" {
			return fmt.Errorf("--%s is needed", flag[0])
		}
	}
	switch {
	case (o.followup == "") != (o.complete == ""):
		return errors.New("--followup and --complete go together")
	case o.stratum != "" && o.followup == "":
		return errors.New("--censoring-stratum needs --followup and --complete")
	case len(o.q) > 0 && len(o.target) == 1 && len(o.q) != 2:
		return fmt.Errorf("--q has %d columns; with one target column it takes two: the reward of the logged action and the reward under the target", len(o.q))
	case len(o.q) > 0 && len(o.target) > 1 && len(o.q) != len(o.target):
		return fmt.Errorf("--q has %d columns, --target %d", len(o.q), len(o.target))
	case o.rewardModel != string(ope.Ridge) && o.rewardModel != string(ope.Logistic):
		return fmt.Errorf("--reward-model: %q is neither ridge nor logistic", o.rewardModel)
	}
	cfg := o.config()
	return cfg.Validate()
}

func (o *logOptions) config() ope.Config {
	cfg := ope.DefaultConfig()
	cfg.Estimators = o.estimators
	cfg.Level, cfg.Interval, cfg.Replicates, cfg.Seed = o.level, ope.Interval(o.interval), o.bootstraps, o.seed
	cfg.Gate = ope.Gate{MinESS: o.minESS, MaxUnsupported: o.maxUnsupported}
	cfg.Force, cfg.Planned = o.force, o.planned
	return cfg
}

// answer evaluates the target, compares it with --against and splits it. Where the gate
// refuses it returns the support alone, and the *ope.SupportError.
func (o *logOptions) answer(f *frame) (*logAnswer, error) {
	cfg := o.config()
	target, err := o.policy(f, o.target, o.q)
	if err != nil {
		return nil, err
	}
	champion, err := o.champion(f, target)
	if err != nil {
		return nil, fmt.Errorf("against %s: %w", strings.Join(o.against, ","), err)
	}
	rep, err := ope.Compare(target.log, champion.log, cfg)
	a := &logAnswer{
		Input: o.input, Target: strings.Join(o.target, ","), Level: o.level, RewardModel: target.model,
		Rows: rep.Support.Rows, Clusters: rep.Support.Clusters,
		ESS: number(rep.Support.ESS), MaxWeight: number(rep.Support.MaxWeight), UnsupportedMass: number(rep.Support.UnsupportedMass),
		Supported: rep.Support.Supported, Forced: rep.Forced, Reason: rep.Support.Reason,
		MixtureShare: number(rep.Support.MixtureShare), Estimates: estimatesOf(rep.Estimates, false),
		ratios: target.log.Ratios(nil),
	}
	if err != nil {
		return a, err
	}
	lo, hi := rewardRange(target.log)
	a.Sequence = sequenceOf(rep.Sequence, lo, hi)
	a.Comparison = &logComparison{
		Against: strings.Join(o.against, ","), Reason: rep.ChampionSupport.Reason,
		Estimates: estimatesOf(rep.Differences, true), Sequence: sequenceOf(rep.DifferenceSequence, lo-hi, hi-lo),
	}
	for _, column := range o.slices {
		split, err := target.slice(f, column, cfg)
		if err != nil {
			return nil, fmt.Errorf("slice %s: %w", column, err)
		}
		a.Slices = append(a.Slices, split...)
	}
	return a, nil
}

// champion returns the policy of --against.
func (o *logOptions) champion(f *frame, target *policy) (*policy, error) {
	if slices.Equal(o.against, []string{"logged"}) {
		// At ratio 1 every estimator is the mean reward, whatever the model.
		l := *target.log
		l.Target = f.numbers[o.propensity]
		if l.Q != nil {
			l.Q = make([]float64, f.rows)
			l.V = l.Q
		}
		return &policy{log: &l}, nil
	}
	q := o.q
	if len(o.against) != len(o.target) || len(o.target) == 1 {
		q = nil // the given prediction under the target is not one under this policy
	}
	return o.policy(f, o.against, q)
}

// policy is one policy on the log, with its reward model.
type policy struct {
	log   *ope.Log
	model string // what Q and V come from, in words
}

// policy reads the columns of one policy and fits or reads its reward model.
func (o *logOptions) policy(f *frame, target, q []string) (*policy, error) {
	n := f.rows
	l := &ope.Log{Reward: f.numbers[o.reward], Propensity: f.numbers[o.propensity], Weight: f.numbers[o.weight]}
	if o.cluster != "" {
		l.Cluster, _ = levels(f.texts[o.cluster], false)
	}
	if o.followup != "" {
		l.Censoring = &ope.Censoring{Time: f.numbers[o.followup], Complete: make([]bool, n)}
		for i, x := range f.numbers[o.complete] {
			l.Censoring.Complete[i] = x != 0
		}
		if o.stratum != "" {
			l.Censoring.Stratum, _ = levels(f.texts[o.stratum], false)
		}
	}
	p := &policy{log: l}
	if len(target) == 1 {
		l.Target = f.numbers[target[0]]
		if len(q) > 0 {
			l.Q, l.V, p.model = f.numbers[q[0]], f.numbers[q[1]], "given"
			return p, nil
		}
		return p, p.fit(o, f, nil)
	}

	// One column per action.
	names := suffixes(target)
	action := make([]int, n)
	l.Target = make([]float64, n)
	for i, a := range f.texts[o.action] {
		if action[i] = slices.Index(names, a); action[i] < 0 {
			return nil, fmt.Errorf("row %d: action %q has no target column; the columns speak of %s", i+1, a, strings.Join(names, ", "))
		}
		l.Target[i] = f.numbers[target[action[i]]][i]
	}
	whole := &ope.Features{Action: action, Actions: len(target), Policy: func(i, a int) float64 { return f.numbers[target[a]][i] }}
	for i := range n {
		sum := 0.0
		for a := range target {
			sum += whole.Policy(i, a)
		}
		if !(math.Abs(sum-1) < 1e-6) {
			return nil, fmt.Errorf("row %d: the target's probabilities sum to %v", i+1, sum)
		}
	}
	if len(q) == 0 {
		return p, p.fit(o, f, whole)
	}
	l.Q, l.V, p.model = make([]float64, n), make([]float64, n), "given"
	for i := range n {
		l.Q[i] = f.numbers[q[action[i]]][i]
		for a := range target {
			l.V[i] += whole.Policy(i, a) * f.numbers[q[a]][i]
		}
	}
	return p, nil
}

// fit cross-fits a reward model, per action where the whole policy is given or
// can be recovered, of the reward under the policy otherwise.
func (p *policy) fit(o *logOptions, f *frame, whole *ope.Features) error {
	support, err := p.log.Support(o.config().Gate)
	if err != nil || !support.Supported && !o.force {
		return err // a log that is going to be refused needs no model
	}
	features := ope.Features{X: f.design(o.context)}
	kind := "of the reward under the target"
	if whole == nil && len(o.context) > 0 {
		action, names := levels(f.texts[o.action], true)
		if recovered, ok := ope.RecoverPolicy(f.cells(o.context), action, len(names), p.log.Target, 1e-6); ok {
			whole = &ope.Features{Action: action, Actions: len(names), Policy: recovered}
		}
	}
	if whole != nil {
		features.Action, features.Actions, features.Policy = whole.Action, whole.Actions, whole.Policy
		kind = "of the reward of each action"
	}
	cfg := ope.DefaultRewardConfig()
	cfg.Family, cfg.Seed = ope.Family(o.rewardModel), o.seed
	model, err := p.log.FitModel(features, cfg)
	if errors.Is(err, ope.ErrEmpty) { // forced, and the target never does what was logged
		p.model = "none"
		return nil
	}
	if err != nil {
		return err
	}
	p.model = fmt.Sprintf("%s %s, %d folds, penalty %g", o.rewardModel, kind, cfg.Folds, model.Penalty)
	return nil
}

// slice evaluates the policy on the rows of each value of a column.
func (p *policy) slice(f *frame, column string, cfg ope.Config) ([]logSlice, error) {
	level, names := levels(f.texts[column], true)
	if len(names) > 200 {
		return nil, fmt.Errorf("%d different values are too many to split by", len(names))
	}
	rows := make([][]int, len(names))
	for i, k := range level {
		rows[k] = append(rows[k], i)
	}
	cfg.Interval, cfg.Looks = ope.Delta, 1
	switch {
	case p.log.Censoring != nil && p.log.Q != nil:
		cfg.Estimators = []string{ope.IPCWDR}
	case p.log.Censoring != nil:
		cfg.Estimators = []string{ope.IPCWIPS}
	case p.log.Q != nil:
		cfg.Estimators = []string{ope.DR}
	default:
		cfg.Estimators = []string{ope.SNIPS}
	}
	var out []logSlice
	for k, name := range names {
		part := p.log.Select(rows[k])
		rep, err := ope.Evaluate(part, cfg)
		s := logSlice{Column: column, Level: name, Rows: len(rows[k]), ESS: number(rep.Support.ESS), Supported: rep.Support.Supported, Reason: rep.Support.Reason}
		var refused *ope.SupportError
		var horizon *ope.HorizonError
		switch {
		case errors.As(err, &refused):
		case errors.As(err, &horizon):
			s.Supported, s.Reason = false, horizon.Error()
		case err != nil:
			return nil, err
		default:
			e := estimatesOf(rep.Estimates, false)[0]
			s.Estimate = &e
		}
		out = append(out, s)
	}
	return out, nil
}

// logAnswer is the JSON of `evaluate log`.
type logAnswer struct {
	Input           string         `json:"input"`
	Target          string         `json:"target"`
	Rows            int            `json:"rows"`
	Clusters        int            `json:"clusters"`
	ESS             number         `json:"ess"`
	MaxWeight       number         `json:"max_weight"`
	UnsupportedMass number         `json:"unsupported_mass"`
	Supported       bool           `json:"supported"`
	Forced          bool           `json:"forced,omitempty"`
	Reason          string         `json:"reason,omitempty"`
	MixtureShare    number         `json:"mixture_share"`
	Level           float64        `json:"level"`
	RewardModel     string         `json:"reward_model,omitempty"`
	Estimates       []logEstimate  `json:"estimates"`
	Sequence        *logSequence   `json:"sequence,omitempty"`
	Comparison      *logComparison `json:"comparison,omitempty"`
	Slices          []logSlice     `json:"slices,omitempty"`

	ratios []float64
}

type logEstimate struct {
	Name      string  `json:"name"`
	Value     number  `json:"value"`
	SE        number  `json:"se"`
	Lo        number  `json:"lo"`
	Hi        number  `json:"hi"`
	Method    string  `json:"method"`
	Parameter *number `json:"parameter,omitempty"`
	Better    *number `json:"probability_better,omitempty"`
}

type logSequence struct {
	Lo       number    `json:"lo"`
	Hi       number    `json:"hi"`
	Informed bool      `json:"informed"` // false: lo and hi are only the range of the rewards seen
	Looks    []logLook `json:"looks"`
}

type logLook struct {
	Clusters int    `json:"clusters"`
	Value    number `json:"value"`
	Lo       number `json:"lo"`
	Hi       number `json:"hi"`
	Informed bool   `json:"informed"`
}

type logComparison struct {
	Against   string        `json:"against"`
	Reason    string        `json:"reason,omitempty"`
	Estimates []logEstimate `json:"estimates"`
	Sequence  *logSequence  `json:"sequence,omitempty"`
}

type logSlice struct {
	Column    string       `json:"column"`
	Level     string       `json:"level"`
	Rows      int          `json:"rows"`
	ESS       number       `json:"ess"`
	Supported bool         `json:"supported"`
	Reason    string       `json:"reason,omitempty"`
	Estimate  *logEstimate `json:"estimate,omitempty"`
}

func estimatesOf(in []ope.Estimate, compared bool) []logEstimate {
	out := make([]logEstimate, len(in))
	for k, e := range in {
		out[k] = logEstimate{Name: e.Name, Value: number(e.Value), SE: number(e.SE), Lo: number(e.Lo), Hi: number(e.Hi), Method: string(e.Method)}
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
func sequenceOf(looks []ope.Look, lo, hi float64) *logSequence {
	if len(looks) == 0 {
		return nil
	}
	s := &logSequence{}
	for _, k := range looks {
		s.Informed = !math.IsInf(k.Hi, 1)
		k.Lo, k.Hi = max(k.Lo, lo), min(k.Hi, hi)
		s.Lo, s.Hi = number(k.Lo), number(k.Hi)
		s.Looks = append(s.Looks, logLook{k.Units, number(k.Value), s.Lo, s.Hi, s.Informed})
	}
	return s
}

func (a *logAnswer) json(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(a)
}

func (a *logAnswer) text(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
	line("rows %d, clusters %d, effective sample size %.4g, largest weight %.4g, unsupported mass %.3g", a.Rows, a.Clusters, float64(a.ESS), float64(a.MaxWeight), float64(a.UnsupportedMass))
	if a.RewardModel != "" {
		line("reward model: %s", a.RewardModel)
	}
	if !a.Supported {
		line("")
		line("NOT SUPPORTED: %s", a.Reason)
	}
	if a.Forced {
		line("forced: the numbers below must not be relied on")
	}
	table := func(rows []logEstimate, last string) {
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
				line("%s=%s\t%d\t%.4g\tnot supported", s.Column, s.Level, s.Rows, float64(s.ESS))
				continue
			}
			line("%s=%s\t%d\t%.4g\t%.6g\t%.6g\t%.6g", s.Column, s.Level, s.Rows, float64(s.ESS), float64(s.Estimate.Value), float64(s.Estimate.Lo), float64(s.Estimate.Hi))
		}
	}
	return w.Flush()
}

// columns returns what to read: numbers as they are, the rest as text. A
// column may be needed as both.
func (o *logOptions) columns() frameColumns {
	numbers := append([]string{o.reward, o.propensity, o.weight, o.followup, o.complete}, o.target...)
	if !slices.Equal(o.against, []string{"logged"}) {
		numbers = append(numbers, o.against...)
	}
	return frameColumns{
		numbers: append(numbers, o.q...),
		texts:   append([]string{o.action, o.cluster, o.stratum}, o.slices...),
		either:  o.context,
		missing: map[string]bool{o.reward: o.complete != ""},
	}
}

// frameColumns names the columns of a file that are needed; empty names are
// skipped.
type frameColumns struct {
	numbers, texts []string
	either         []string        // numbers where the file has numbers, texts otherwise
	missing        map[string]bool // columns of numbers that may have empty cells, read as NaN
}

// frame is columns of one file in its order of rows.
type frame struct {
	rows    int
	numbers map[string][]float64
	texts   map[string][]string
}

// readFrame reads columns of a CSV or Parquet file.
func readFrame(ctx context.Context, path string, want frameColumns) (*frame, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	literal := "'" + strings.ReplaceAll(path, "'", "''") + "'"
	from := "read_csv(" + literal + ", sample_size = -1)"
	if strings.HasSuffix(path, ".parquet") {
		from = "read_parquet(" + literal + ")"
	}
	types, names, err := describe(ctx, db, from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}

	f := &frame{numbers: map[string][]float64{}, texts: map[string][]string{}}
	var expressions, order []string
	add := func(name string, number bool) error {
		if name == "" {
			return nil
		}
		if _, ok := types[name]; !ok {
			return fmt.Errorf("%s: no column %q; it has %s", path, name, strings.Join(names, ", "))
		}
		quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		if number {
			if _, ok := f.numbers[name]; ok {
				return nil
			}
			f.numbers[name] = nil
			expressions = append(expressions, quoted+"::DOUBLE")
		} else {
			if _, ok := f.texts[name]; ok {
				return nil
			}
			f.texts[name] = nil
			expressions = append(expressions, "coalesce("+quoted+"::VARCHAR, '')")
		}
		order = append(order, name)
		return nil
	}
	for _, name := range want.numbers {
		if err := add(name, true); err != nil {
			return nil, err
		}
	}
	for _, name := range want.either {
		// as text too: cells of alike decisions are told apart by it
		if err := errors.Join(add(name, numeric(types[name])), add(name, false)); err != nil {
			return nil, err
		}
	}
	for _, name := range want.texts {
		if err := add(name, false); err != nil {
			return nil, err
		}
	}

	rows, err := db.QueryContext(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer rows.Close()
	values := make([]sql.NullFloat64, len(order))
	texts := make([]string, len(order))
	scan := make([]any, len(order))
	for k := range order {
		if strings.HasSuffix(expressions[k], "::DOUBLE") {
			scan[k] = &values[k]
		} else {
			scan[k] = &texts[k]
		}
	}
	for ; rows.Next(); f.rows++ {
		if err := rows.Scan(scan...); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", path, f.rows+1, err)
		}
		for k, name := range order {
			if _, number := scan[k].(*sql.NullFloat64); !number {
				f.texts[name] = append(f.texts[name], texts[k])
				continue
			}
			x := values[k].Float64
			if !values[k].Valid {
				if !want.missing[name] {
					return nil, fmt.Errorf("%s: row %d: %s is empty", path, f.rows+1, name)
				}
				x = math.NaN()
			}
			f.numbers[name] = append(f.numbers[name], x)
		}
	}
	return f, rows.Err()
}

// describe returns the columns of a relation and their types.
func describe(ctx context.Context, db *sql.DB, from string) (types map[string]string, names []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+from+")")
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	types = map[string]string{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, nil, err
		}
		types[name] = kind
		names = append(names, name)
	}
	return types, names, rows.Err()
}

func numeric(kind string) bool {
	return slices.Contains([]string{
		"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT", "DOUBLE", "BOOLEAN",
	}, kind) || strings.HasPrefix(kind, "DECIMAL")
}

// design returns the columns of a reward model: numbers as they are, text as
// indicators against the first level in sorted order. It is nil without
// columns.
func (f *frame) design(columns []string) *mat.Dense {
	var x [][]float64
	for _, name := range columns {
		if numbers, ok := f.numbers[name]; ok {
			x = append(x, numbers)
			continue
		}
		level, names := levels(f.texts[name], true)
		for k := 1; k < len(names); k++ {
			indicator := make([]float64, f.rows)
			for i, l := range level {
				if l == k {
					indicator[i] = 1
				}
			}
			x = append(x, indicator)
		}
	}
	if len(x) == 0 || f.rows == 0 {
		return nil
	}
	out := mat.NewDense(f.rows, len(x), nil)
	for j, column := range x {
		out.SetCol(j, column)
	}
	return out
}

// cells labels rows by the values of all the columns together.
func (f *frame) cells(columns []string) []int {
	keys := make([]string, f.rows)
	for i := range keys {
		parts := make([]string, len(columns))
		for j, name := range columns {
			parts[j] = f.texts[name][i]
		}
		keys[i] = strings.Join(parts, "\x00")
	}
	cell, _ := levels(keys, false)
	return cell
}

// levels numbers values in order of first appearance, or in sorted order, as
// numbers where all are.
func levels(values []string, sorted bool) (level []int, names []string) {
	index := map[string]int{}
	for _, v := range values {
		if _, ok := index[v]; !ok {
			index[v] = len(names)
			names = append(names, v)
		}
	}
	if sorted {
		slices.SortFunc(names, byNumber(names))
		for k, name := range names {
			index[name] = k
		}
	}
	level = make([]int, len(values))
	for i, v := range values {
		level[i] = index[v]
	}
	return level, names
}

// byNumber compares as numbers where all names are numbers, else as text.
func byNumber(names []string) func(a, b string) int {
	value := make(map[string]float64, len(names))
	for _, name := range names {
		x, err := strconv.ParseFloat(name, 64)
		if err != nil {
			return strings.Compare
		}
		value[name] = x
	}
	return func(a, b string) int {
		switch {
		case value[a] < value[b]:
			return -1
		case value[a] > value[b]:
			return 1
		default:
			return strings.Compare(a, b)
		}
	}
}

// suffixes returns what tells column names apart: p_email and p_sms are email
// and sms. The common prefix ends at a separator.
func suffixes(columns []string) []string {
	prefix := columns[0]
	for _, c := range columns[1:] {
		for !strings.HasPrefix(c, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	prefix = prefix[:strings.LastIndexAny(prefix, "_.:- ")+1]
	out := make([]string, len(columns))
	for k, c := range columns {
		out[k] = c[len(prefix):]
	}
	return out
}
