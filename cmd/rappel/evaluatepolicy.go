package main

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"rappel/engine"
	"rappel/features"
	"rappel/models"
	"rappel/models/ope"
)

// policyOptions are the flags of `rappel evaluate policy`.
type policyOptions struct {
	evaluation

	db, lake, model, against, creditor string
	from, to                           string
}

// newEvaluatePolicyCommand returns `rappel evaluate policy`: what an artefact
// would have earned on our own logged decisions.
func newEvaluatePolicyCommand() *cobra.Command {
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
refused, with the numbers; --force answers all the same and says so.

The value is split by channel, kind, sector, area and cohort (the month of a
debtor's first invoice), and contact pressure compared by kind and area: how
often either policy contacts, on the facts of the same decisions.`,
		Example: `  rappel evaluate policy --db rappel.duckdb --model models/march --from 2026-04-01
  rappel evaluate policy --db rappel.duckdb --model models/april --against models/march --html report.html`,
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
	o.flags(f)
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
	if err := o.validate(); err != nil {
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
	a, err := o.answer(log, man)
	if _, short := errors.AsType[*ope.HorizonError](err); short {
		return fmt.Errorf("the log from %s to %s is too short for rewards of 28 days: %w",
			log.From.Format(time.DateOnly), log.To.Format(time.DateOnly), err)
	}
	if _, refused := errors.AsType[*ope.SupportError](err); err != nil && !refused {
		return err
	}
	if o.db != "" { // a lake keeps no audit log
		err = errors.Join(err, x.store.Audit(cmd.Context(), o.creditor, "cli", "evaluate", man.ID, a.headline(log.Model.Headline(false))))
	}
	return errors.Join(o.tell(cmd.OutOrStdout(), a), err)
}

// answer evaluates the model, compares it with --against and splits it by
// channel, kind, sector, area and cohort. Where the gate refuses it returns the
// support and the contact pressure, and the *ope.SupportError.
func (o *policyOptions) answer(log *engine.PolicyLog, man *models.Manifest) (*answer, error) {
	cfg := o.config()
	support, err := log.Model.Support(cfg.Gate)
	if err != nil {
		return nil, err
	}
	model := ""
	if support.Supported || cfg.Force {
		if model, err = log.FitRewards(o.rewards()); err != nil && !errors.Is(err, ope.ErrEmpty) {
			return nil, err
		}
	}
	a, err := newAnswer(log.Model, log.Against, o.against, cfg)
	a.Input, a.Target, a.RewardModel = cmp.Or(o.db, o.lake), man.ID, model
	a.OwnLog = &OwnLog{
		From: log.From, To: log.To, Censored: log.Censored, Lost: log.Lost, Changed: log.Changed,
		TrainedUntil: man.To, Trained: man.To.After(log.From),
	}
	contacts, fault := log.Pressure(cfg.Level)
	if fault != nil {
		return nil, fault
	}
	a.Pressure = pressureOf(contacts)
	if err != nil {
		return a, err
	}
	for _, by := range engine.PolicyGroups {
		split, err := sliced(log.Model, by, log.Group(by), by == "channel", cfg)
		if err != nil {
			return nil, err
		}
		a.Slices = append(a.Slices, split...)
	}
	return a, nil
}
