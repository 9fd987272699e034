package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/features"
	"rappel/models"
	"rappel/models/ope"
)

// Shadow puts a registered artefact on trial beside the champion: it is asked
// whatever the champion is asked, its answers are logged, and none of them is
// ever sent, counted in a capacity or learnt from. An empty id ends the trial.
func (e *Engine) Shadow(ctx context.Context, id, actor string) (*ModelInfo, error) {
	if id == "" {
		if err := e.store.SetTrial(ctx, ""); err != nil {
			return nil, err
		}
		e.trial.Store(nil)
		return nil, e.store.Audit(ctx, "", actor, "end shadow", "", "")
	}
	row, c, man, err := e.registered(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := e.store.SetTrial(ctx, id); err != nil {
		return nil, err
	}
	e.trial.Store(&c)
	info := &ModelInfo{ID: id, Path: row.Path, Status: store.Shadowing, RegisteredAt: row.RegisteredAt, Manifest: man}
	return info, e.store.Audit(ctx, "", actor, "shadow", id, "")
}

// registered loads an artefact of the list.
func (e *Engine) registered(ctx context.Context, id string) (row store.Model, c champion, man *models.Manifest, err error) {
	list, err := e.store.Models(ctx)
	if err != nil {
		return row, c, nil, fmt.Errorf("models: %w", err)
	}
	for _, row := range list {
		if row.ID == id {
			m, man, err := models.Load(row.Path, features.SchemaHash())
			return row, champion{id: id, model: m}, man, err
		}
	}
	return row, c, nil, fmt.Errorf("model %q: %w", id, ledger.ErrNotFound)
}

// Trial is what the shadow decisions of a model say.
type Trial struct {
	Model string `json:"model_id"`
	store.Trial
}

// Trial summarises the shadow decisions of a model.
func (e *Engine) Trial(ctx context.Context, id string) (*Trial, error) {
	if _, _, _, err := e.registered(ctx, id); err != nil {
		return nil, err
	}
	t, err := e.store.Trial(ctx, id)
	return &Trial{id, t}, err
}

// understudy is what the model on trial knows of a book: the vectors and
// outcomes of the last learning, nothing of its own.
type understudy struct {
	of    *learned
	trial *champion
	state *learned
}

// beside returns the state of the model on trial; nil where there is none.
func (e *Engine) beside(b *book, l *learned) *learned {
	trial := e.trial.Load()
	if trial == nil {
		return nil
	}
	if u := b.understudy.Load(); u != nil && u.of == l && u.trial == trial {
		return u.state
	}
	state := e.fromChampion(b, *trial, l)
	b.understudy.Store(&understudy{l, trial, state})
	return state
}

// fromChampion is what a model knows of a book that was learnt with another.
func (e *Engine) fromChampion(b *book, c champion, last *learned) *learned {
	l := newLearned(c, last.asOf)
	l.set, l.past, l.sky = last.set, last.past, last.sky
	l.rows = e.follow(b, l)
	return l
}

// shadow lets the model on trial answer the same questions, and logs it. What
// goes wrong there is no fault of the request.
func (e *Engine) shadow(ctx context.Context, b *book, l *learned, req Request, rows []ledger.Decision) {
	state := e.beside(b, l)
	if state == nil {
		return
	}
	s := e.scratch.Get().(*scratch)
	defer e.scratch.Put(s)
	var list []store.Shadow
	for i := range rows {
		d := &rows[i]
		if d.Arm == Control || d.Action == ActionHold {
			continue
		}
		one := req
		one.Debtor, one.AsOf = d.Debtor, d.DecidedAt
		q, err := e.ask(s, b, state, &one)
		if err != nil {
			continue // erased meanwhile
		}
		v := e.resolve(s, q)
		if !v.scored() {
			continue
		}
		x := store.Shadow{
			Creditor: d.Creditor, Decision: d.ID, Debtor: d.Debtor, Model: state.id, DecidedAt: d.DecidedAt,
			Action: ActionWait, Propensity: v.prob, Value: v.cands[v.chosen].mean,
		}
		if c := &v.cands[v.chosen]; !c.wait {
			x.Action, x.Channel, x.Tone, x.SendAt = ActionContact, c.channel.String(), c.tone.String(), time.Unix(v.sendAt, 0).UTC()
		}
		var policy [actions]float64
		x.Target = v.spread(d, &policy)
		list = append(list, x)
	}
	if err := e.store.LogShadows(ctx, list); err != nil {
		e.opt.Log.LogAttrs(ctx, slog.LevelWarn, "shadow decisions", slog.String("model_id", state.id), slog.Any("error", err))
	}
}

// Evaluation is what a registered model would have earned on the decisions that
// were logged, in shares of the 28 days that a reward spans, and what a
// promotion rests on.
type Evaluation struct {
	Model       string    `json:"model_id"`
	EvaluatedAt time.Time `json:"evaluated_at"`
	From        time.Time `json:"from,omitzero"` // first decision
	To          time.Time `json:"to,omitzero"`   // until when rewards were seen
	Rows        int       `json:"rows"`
	Debtors     int       `json:"debtors"`
	Censored    int       `json:"censored"`
	ESS         float64   `json:"ess"`
	Trained     bool      `json:"trained_on_rows"` // the model has seen some of them
	Supported   bool      `json:"supported"`
	Forced      bool      `json:"forced,omitempty"` // answered although the log does not support it
	Reason      string    `json:"reason,omitempty"` // why there is no interval, or what was overruled
	Estimator   string    `json:"estimator,omitempty"`
	Level       float64   `json:"level"`
	Value       *Gain     `json:"value,omitempty"`
	Difference  *Gain     `json:"difference,omitempty"` // to what was logged
	Sequence    *Bounds   `json:"sequence,omitempty"`   // of the difference; may be watched
	Better      float64   `json:"probability_better"`
}

// Gain is an estimate with its interval.
type Gain struct {
	Value float64 `json:"value"`
	SE    float64 `json:"se"`
	Lo    float64 `json:"lo"`
	Hi    float64 `json:"hi"`
}

// String is the evaluation in one line, as the audit log keeps it.
func (v *Evaluation) String() string {
	switch {
	case v == nil:
		return "rests on no evaluation"
	case v.Difference == nil:
		return "rests on no interval: " + v.Reason
	}
	d := v.Difference
	text := fmt.Sprintf("rests on %s of %d decisions until %s: %+.4f more than logged, %.0f %% interval %+.4f to %+.4f",
		v.Estimator, v.Rows, v.To.Format(time.DateOnly), d.Value, 100*v.Level, d.Lo, d.Hi)
	if v.Forced {
		text += "; FORCED: " + v.Reason
	}
	return text
}

// EvaluateModel says what a registered model would have earned on our own log:
// on the decisions after its training, or, where there are none, on all. It
// keeps the answer for a promotion to rest on. force answers, and says so, although
// the log does not support it.
func (e *Engine) EvaluateModel(ctx context.Context, id, actor string, force bool) (*Evaluation, error) {
	_, c, man, err := e.registered(ctx, id)
	if err != nil {
		return nil, err
	}
	cfg := ope.DefaultConfig()
	cfg.Force = force
	out := &Evaluation{Model: id, EvaluatedAt: e.opt.Now().UTC(), Level: cfg.Level}
	log, err := e.PolicyLog(ctx, PolicyOptions{Model: c.model, From: man.To})
	if errors.Is(err, ErrNoDecisions) {
		log, err = e.PolicyLog(ctx, PolicyOptions{Model: c.model})
	}
	switch {
	case errors.Is(err, ErrNoDecisions):
		out.Reason = "no decision has been logged"
	case err != nil:
		return nil, err
	default:
		if err := out.judge(log, cfg); err != nil {
			return nil, fmt.Errorf("evaluate %s: %w", id, err)
		}
		out.Trained = man.To.After(log.From)
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", id, err)
	}
	if err := e.store.PutEvaluation(ctx, id, out.EvaluatedAt, text); err != nil {
		return nil, err
	}
	return out, e.store.Audit(ctx, "", actor, "evaluate", id, out.String())
}

// judge fills in what the log says.
func (v *Evaluation) judge(log *PolicyLog, cfg ope.Config) error {
	v.From, v.To, v.Rows, v.Censored = log.From, log.To, len(log.rows), log.Censored
	if _, err := log.FitRewards(ope.DefaultRewardConfig()); err != nil && !errors.Is(err, ope.ErrEmpty) {
		return err
	}
	rep, err := ope.Compare(log.Model, log.Against, cfg)
	v.Supported, v.Reason, v.Debtors = rep.Support.Supported, rep.Support.Reason, rep.Support.Clusters
	v.Forced = rep.Forced
	if ess := rep.Support.ESS; ess == ess { // not NaN
		v.ESS = ess
	}
	var refused *ope.SupportError
	var short *ope.HorizonError
	switch {
	case errors.As(err, &refused):
		return nil
	case errors.As(err, &short), errors.Is(err, ope.ErrEmpty):
		v.Supported, v.Reason = false, "the log is too short for rewards of 28 days"
		return nil
	case err != nil:
		return err
	}
	v.Estimator = log.Model.Headline(false)
	gain := func(list []ope.Estimate) *Gain {
		i := slices.IndexFunc(list, func(x ope.Estimate) bool { return x.Name == v.Estimator })
		if i < 0 {
			return nil
		}
		v.Better = list[i].ProbabilityUp
		return &Gain{list[i].Value, list[i].SE, list[i].Lo, list[i].Hi}
	}
	v.Value = gain(rep.Estimates)
	if v.Difference = gain(rep.Differences); v.Difference == nil {
		v.Reason = rep.ChampionSupport.Reason
		return nil
	}
	last := rep.DifferenceSequence[len(rep.DifferenceSequence)-1]
	bounds := boundsOf(last.Lo, last.Hi)
	v.Sequence = &bounds
	return nil
}

// StartEvaluation is EvaluateModel as a job.
func (e *Engine) StartEvaluation(ctx context.Context, id, actor string, force bool) (*Job, error) {
	if _, _, _, err := e.registered(ctx, id); err != nil {
		return nil, err
	}
	return e.start(ctx, "evaluation", "", func(ctx context.Context) (any, error) { return e.EvaluateModel(ctx, id, actor, force) })
}

// evidence is the last evaluation of a model; nil: it has none.
func (e *Engine) evidence(ctx context.Context, id string) (*Evaluation, error) {
	text, err := e.store.Evaluation(ctx, id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, nil //nolint:nilnil // a promotion may rest on nothing, and says so
	}
	if err != nil {
		return nil, err
	}
	v := &Evaluation{}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("evaluation of %s: %w", id, err)
	}
	return v, nil
}
