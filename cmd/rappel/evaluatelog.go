package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/mat"

	"rappel/models/ope"
)

// logOptions are the flags of `rappel evaluate log`.
type logOptions struct {
	evaluation

	input                               string
	action, reward, propensity          string
	target, against, q, context, slices []string
	cluster, weight                     string
	followup, complete, stratum         string
}

// newEvaluateLogCommand returns `rappel evaluate log`: the off-policy value of
// any logged bandit feedback.
func newEvaluateLogCommand() *cobra.Command {
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
column per action, named by a common prefix and the action (p_email, p_sms, or
in short 'p_*'), it is the whole policy; reward models then tell actions apart.
With one column and --context, the whole policy is recovered where the context
determines it.

--q gives your own reward predictions, made without the row itself: with one
target column the two columns "reward of the logged action" and "reward under
the target"; with a target column per action, one column per action likewise.
Without --q a reward model is cross-fitted on --context.

A log that hardly saw what the target does is refused, with the numbers and
what could be asked instead; --force answers all the same and says so.`,
		Example: `  rappel evaluate log --input feedback.csv --action channel --reward paid_14d \
    --propensity propensity --target p_new --cluster debtor_id --json
  rappel evaluate log --input feedback.parquet --action channel --reward saved --propensity p \
    --target p_new --followup days_watched --complete settled --html report.html
  rappel evaluate log --input feedback.csv --action item --reward click --propensity p --target 'new_*' --context position`,
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
	f.StringSliceVar(&o.target, "target", nil, "column of the logged action's probability under the policy in question, or one column per action; a * stands for all columns of such a name, here and in --against, --q, --context, --slice")
	f.StringSliceVar(&o.against, "against", []string{"logged"}, "policy to compare with: `logged`, or columns as for --target")
	f.StringSliceVar(&o.q, "q", nil, "columns of given reward predictions")
	f.StringSliceVar(&o.context, "context", nil, "columns known before the decision, for the reward model")
	f.StringSliceVar(&o.slices, "slice", nil, "columns by whose values the answer is split")
	f.StringVar(&o.cluster, "cluster", "", "column of whom the row belongs to; rows of one are not independent")
	f.StringVar(&o.weight, "weight", "", "column of row weights")
	f.StringVar(&o.followup, "followup", "", "right-censored rewards: column of how long the reward was watched")
	f.StringVar(&o.complete, "complete", "", "right-censored rewards: column that is 1 where the reward is complete, 0 where the log was cut first")
	f.StringVar(&o.stratum, "censoring-stratum", "", "column of groups that were cut differently")
	o.flags(f)
	return c
}

func (o *logOptions) run(ctx context.Context, out io.Writer) error {
	if err := o.validate(); err != nil {
		return usage(err)
	}
	asked := *o
	if err := o.expand(ctx); err != nil {
		return err
	}
	frame, err := o.frame(ctx)
	if err != nil {
		return err
	}
	a, err := o.answer(frame, &asked)
	if _, refused := errors.AsType[*ope.SupportError](err); err != nil && !refused {
		return fmt.Errorf("%s: %w", o.input, err)
	}
	return errors.Join(o.tell(out, a), err)
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
	}
	return o.evaluation.validate()
}

// expand puts the columns of the file in the place of patterns.
func (o *logOptions) expand(ctx context.Context) error {
	lists := []*[]string{&o.target, &o.against, &o.q, &o.context, &o.slices}
	var known []string
	for _, list := range lists {
		var full []string
		for _, name := range *list {
			if !strings.Contains(name, "*") {
				full = append(full, name)
				continue
			}
			if known == nil {
				var err error
				if known, err = columnNames(ctx, o.input); err != nil {
					return err
				}
			}
			found := 0
			pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, "(.*)") + "$")
			for _, column := range known {
				if pattern.MatchString(column) {
					full = append(full, column)
					found++
				}
			}
			if found == 0 {
				return fmt.Errorf("%s: %w", o.input, noColumn(name, known))
			}
		}
		*list = full
	}
	switch {
	case len(o.q) > 0 && len(o.target) == 1 && len(o.q) != 2:
		return usage(fmt.Errorf("--q has %d columns; with one target column it takes two: the reward of the logged action and the reward under the target", len(o.q)))
	case len(o.q) > 0 && len(o.target) > 1 && len(o.q) != len(o.target):
		return usage(fmt.Errorf("--q has %d columns, --target %d", len(o.q), len(o.target)))
	}
	return nil
}

// answer evaluates the target, compares it with --against and splits it. Where the gate
// refuses it returns the support alone, and the *ope.SupportError. asked is what
// was typed, which the answer repeats.
func (o *logOptions) answer(f *frame, asked *logOptions) (*answer, error) {
	cfg := o.config()
	target, err := o.policy(f, o.target, o.q)
	if err != nil {
		return nil, err
	}
	champion, err := o.champion(f, target)
	if err != nil {
		return nil, fmt.Errorf("against %s: %w", strings.Join(asked.against, ","), err)
	}
	a, err := newAnswer(target.log, champion.log, strings.Join(asked.against, ","), cfg)
	a.Input, a.Target, a.RewardModel = o.input, strings.Join(asked.target, ","), target.model
	if err != nil {
		return a, err
	}
	for _, column := range o.slices {
		split, err := sliced(target.log, column, f.texts[column], column == o.action, cfg)
		if err != nil {
			return nil, err
		}
		a.Slices = append(a.Slices, split...)
	}
	return a, nil
}

// champion returns the policy of --against.
func (o *logOptions) champion(f *frame, target *policy) (*policy, error) {
	if o.againstLogged() {
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

// sumTolerance is how far from 1 a row's probabilities may add up to: they may
// be written with few digits. Estimators take them as they are, so a value is
// off by as much at most.
const sumTolerance = 1e-3

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
		if !(math.Abs(sum-1) < sumTolerance) {
			return nil, fmt.Errorf("row %d: the target's probabilities sum to %.6g", i+1, sum)
		}
	}
	if len(q) == 0 {
		return p, p.fit(o, f, whole)
	}
	l.Q, l.V, p.model = make([]float64, n), make([]float64, n), "given"
	q = byAction(q, names)
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
	cfg := o.rewards()
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

// frame is columns of one file in its order of rows.
type frame struct {
	rows    int
	numbers map[string][]float64 // NaN where empty
	texts   map[string][]string
}

// frame reads what the flags name: a column may be needed as numbers and as
// text.
func (o *logOptions) frame(ctx context.Context) (*frame, error) {
	var wants []wanted
	want := func(as reading, names ...string) {
		for _, name := range names {
			if name != "" && !slices.Contains(wants, wanted{name, as}) {
				wants = append(wants, wanted{name, as})
			}
		}
	}
	want(asNumber, o.reward, o.propensity, o.weight, o.followup, o.complete)
	want(asNumber, o.target...)
	if !o.againstLogged() {
		want(asNumber, o.against...)
	}
	want(asNumber, o.q...)
	want(asText, o.action, o.cluster, o.stratum)
	want(asText, o.slices...)
	// As text too: cells of alike decisions are told apart by it.
	want(asText, o.context...)
	want(asItIs, o.context...)
	columns, err := readColumns(ctx, o.input, wants)
	if err != nil {
		return nil, err
	}
	f := &frame{numbers: map[string][]float64{}, texts: map[string][]string{}}
	for k, c := range columns {
		f.rows = max(len(c.number), len(c.text))
		if c.text != nil {
			f.texts[c.name] = c.text
			if i := slices.Index(c.missing, true); i >= 0 && slices.Contains([]string{o.action, o.cluster, o.stratum}, c.name) {
				return nil, fmt.Errorf("%s: row %d: %s is empty", o.input, i+1, c.name)
			}
			continue
		}
		f.numbers[c.name] = c.number
		if i := slices.IndexFunc(c.number, math.IsNaN); i >= 0 && (c.name != o.reward || o.complete == "") {
			return nil, fmt.Errorf("%s: row %d: %s is empty or no number", o.input, i+1, wants[k].name)
		}
	}
	return f, nil
}

func (o *logOptions) againstLogged() bool { return slices.Equal(o.against, []string{"logged"}) }

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

// byAction puts columns that are named by all the actions in their order; others
// stay as they are.
func byAction(columns, actions []string) []string {
	named := suffixes(columns)
	out := make([]string, len(columns))
	for k, action := range actions {
		at := slices.Index(named, action)
		if at < 0 {
			return columns
		}
		out[k] = columns[at]
	}
	return out
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
