package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"rappel/engine"
	"rappel/features"
	"rappel/models"
	"rappel/models/ope"
)

// policyOptions are the flags of `rappel evaluate policy`.
type policyOptions struct {
	db, lake, model, against, creditor string
	from, to                           string
	bootstraps                         int
	minESS, maxUnsupported             float64
	force, json                        bool
}

// newEvaluatePolicyCommand returns `rappel evaluate policy`: what an artefact
// would have earned on our own logged decisions.
func newEvaluatePolicyCommand() *cobra.Command {
	cfg := ope.DefaultConfig()
	var o policyOptions
	c := &cobra.Command{
		Use:   "policy --db FILE --model MODELDIR",
		Short: "What a model would have earned on the decisions we logged, with intervals",
		Long: `Policy asks a model every question that was answered in the window, on the
facts as of then, and weighs what followed each logged decision by how much more
often the model would have taken it. The answer is compared with what was
logged, or with another model.

The model is taken as it is: it learns nothing on the way. A decision's reward
is 1 − min(days to payment, 28)/28, weighted by amount, from the contact until
the debtor's next one; from the decision to wait until the next contact or
decision. Rewards not yet complete at --to are censored, and weighed by IPCW.

A model trained on the decisions it is judged by flatters itself: let --from
begin where its training data ends. A log that hardly saw what the model does is
refused, with the numbers; --force answers all the same and says so.`,
		Example: `  rappel evaluate policy --db rappel.duckdb --model models/march --from 2026-04-01
  rappel evaluate policy --db rappel.duckdb --model models/april --against models/march --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := c.Flags()
	f.StringVar(&o.db, "db", "", "warehouse `file`")
	f.StringVar(&o.lake, "lake", "", "`folder` of Parquet files instead of a warehouse")
	f.StringVar(&o.model, "model", "", "artefact in question (`folder`)")
	f.StringVar(&o.against, "against", "logged", "artefact to compare with (`folder`), or logged")
	f.StringVar(&o.creditor, "creditor", "", "`id` of one creditor (default: all)")
	f.StringVar(&o.from, "from", "", "first decision, RFC 3339 or a date (default: all)")
	f.StringVar(&o.to, "to", "", "until when decisions are taken and rewards seen (default: the last event)")
	f.IntVar(&o.bootstraps, "bootstraps", cfg.Replicates, "replicates of the bootstrap")
	f.Float64Var(&o.minESS, "min-ess", cfg.Gate.MinESS, "refuse below this effective sample size")
	f.Float64Var(&o.maxUnsupported, "max-unsupported", cfg.Gate.MaxUnsupported, "refuse above this share of the model's choices that the log never tried")
	f.BoolVar(&o.force, "force", false, "answer although the log does not support the model")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return c
}

func (o *policyOptions) run(cmd *cobra.Command) (err error) {
	if (o.db == "") == (o.lake == "") || o.model == "" {
		return usage(errors.New("evaluate policy needs --model and one of --db and --lake"))
	}
	opt := engine.PolicyOptions{Creditor: o.creditor}
	if opt.From, err = moment("--from", o.from); err != nil {
		return err
	}
	if opt.To, err = moment("--to", o.to); err != nil {
		return err
	}
	cfg := ope.DefaultConfig()
	cfg.Replicates, cfg.Force = o.bootstraps, o.force
	cfg.Gate = ope.Gate{MinESS: o.minESS, MaxUnsupported: o.maxUnsupported}
	if err := cfg.Validate(); err != nil {
		return usage(err)
	}
	m, man, err := models.Load(o.model, features.SchemaHash())
	if err != nil {
		return err
	}
	opt.Model = m
	if o.against != "logged" {
		if opt.Against, _, err = models.Load(o.against, features.SchemaHash()); err != nil {
			return fmt.Errorf("--against: %w", err)
		}
	}
	x, err := openData(cmd, o.db, o.lake, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, x.store.Close()) }()
	erase := progress(cmd.ErrOrStderr(), &opt.Progress)
	log, err := x.engine.PolicyLog(cmd.Context(), opt)
	erase()
	if err != nil {
		return err
	}
	a, err := o.answer(log, man, cfg)
	if _, short := errors.AsType[*ope.HorizonError](err); short {
		return fmt.Errorf("the log from %s to %s is too short for rewards of 28 days: %w",
			log.From.Format(time.DateOnly), log.To.Format(time.DateOnly), err)
	}
	if _, refused := errors.AsType[*ope.SupportError](err); err != nil && !refused {
		return err
	}
	write := a.text
	if o.json {
		write = a.json
	}
	return errors.Join(write(cmd.OutOrStdout()), err)
}

// answer evaluates the model and compares it with --against. Where the gate
// refuses it returns the support alone, and the *ope.SupportError.
func (o *policyOptions) answer(log *engine.PolicyLog, man *models.Manifest, cfg ope.Config) (*policyAnswer, error) {
	support, err := log.Model.Support(cfg.Gate)
	if err != nil {
		return nil, err
	}
	model := ""
	if support.Supported || cfg.Force {
		if model, err = log.FitRewards(ope.DefaultRewardConfig()); err != nil && !errors.Is(err, ope.ErrEmpty) {
			return nil, err
		}
	}
	rep, err := ope.Compare(log.Model, log.Against, cfg)
	input := o.db
	if o.lake != "" {
		input = o.lake
	}
	a := &policyAnswer{
		logAnswer: logAnswer{
			Input: input, Target: man.ID, Level: cfg.Level, RewardModel: model,
			Rows: rep.Support.Rows, Clusters: rep.Support.Clusters,
			ESS: number(rep.Support.ESS), MaxWeight: number(rep.Support.MaxWeight), UnsupportedMass: number(rep.Support.UnsupportedMass),
			Supported: rep.Support.Supported, Forced: rep.Forced, Reason: rep.Support.Reason,
			MixtureShare: number(rep.Support.MixtureShare), Estimates: estimatesOf(rep.Estimates, false),
		},
		From: log.From, To: log.To, Censored: log.Censored, Lost: log.Lost, Changed: log.Changed,
		TrainedUntil: man.To, Trained: man.To.After(log.From), Against: o.against, Difference: []logEstimate{},
	}
	if err != nil {
		return a, err
	}
	lo, hi := rewardRange(log.Model)
	a.Sequence = sequenceOf(rep.Sequence, lo, hi)
	a.Difference = estimatesOf(rep.Differences, true)
	a.DifferenceReason = rep.ChampionSupport.Reason
	a.DifferenceSequence = sequenceOf(rep.DifferenceSequence, lo-hi, hi-lo)
	return a, nil
}

// policyAnswer is the JSON of `evaluate policy`: that of `evaluate log`, of
// whose rows it says more.
type policyAnswer struct {
	logAnswer

	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	Censored     int       `json:"censored"`
	Lost         int       `json:"lost"`    // decisions left out: their question cannot be asked again
	Changed      int       `json:"changed"` // rows with other candidates than were logged
	TrainedUntil time.Time `json:"trained_until"`
	Trained      bool      `json:"trained_on_rows"`

	Against            string        `json:"against"`
	Difference         []logEstimate `json:"difference"`
	DifferenceReason   string        `json:"difference_reason,omitempty"`
	DifferenceSequence *logSequence  `json:"difference_sequence,omitempty"`
}

func (a *policyAnswer) json(out io.Writer) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(a)
}

func (a *policyAnswer) text(out io.Writer) error {
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	fmt.Fprintf(out, "model %s on the decisions from %s to %s\n", a.Target, day(a.From), day(a.To))
	fmt.Fprintf(out, "rewards not yet complete %d, decisions left out %d, candidates changed since %d\n", a.Censored, a.Lost, a.Changed)
	if a.Trained {
		fmt.Fprintf(out, "CAUTION: the model was trained on data until %s, some of which it is judged by\n", day(a.TrainedUntil))
	}
	table := a.logAnswer
	if len(a.Difference) > 0 || a.DifferenceReason != "" {
		table.Comparison = &logComparison{Against: a.Against, Reason: a.DifferenceReason, Estimates: a.Difference, Sequence: a.DifferenceSequence}
	}
	return table.text(out)
}
