package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/features"
	"rappel/models"
	"rappel/models/bandit"
)

// TrainOptions say what to train on.
type TrainOptions struct {
	From, To time.Time // data window; a zero From is the first invoice, a zero To now
	Seed     uint64
	Holdout  float64   // share of the window, at its end, that the report is scored on
	Cut      time.Time // begin of the holdout; zero: as Holdout says
	Horizons []int     // days of the report's Brier scores and calibrations, at most a year each
	Progress func(step string)
}

// DefaultTrainOptions returns the options where nothing is said.
func DefaultTrainOptions() TrainOptions {
	return TrainOptions{Seed: 1, Holdout: 0.2, Horizons: []int{28}}
}

// TrainReport says what a training saw and how good it is.
type TrainReport struct {
	Manifest models.Manifest `json:"manifest"`
	Cut      time.Time       `json:"holdout_from"`
	Score    models.Score    `json:"holdout"`
	Timing   TimingReport    `json:"timing"`
	Machines Machines        `json:"machines"` // openings that no person made
	Contacts int             `json:"contacts"`
	Rewards  int             `json:"rewards"`
	// RewardHalfLife is how fast rewards lose weight, in days, chosen where there
	// were enough.
	RewardHalfLife float64 `json:"reward_half_life_days"`
}

// ErrNothing reports a warehouse with nothing to train on.
var ErrNothing = errors.New("engine: no invoices in the window to train on")

// Train estimates a model on everything seen in a window, over all creditors
// of the warehouse. The hazard is scored on the end of the window, fitted to
// what lay before, and then fitted to all. The same data and seed give the
// same model.
func (e *Engine) Train(ctx context.Context, o TrainOptions) (*models.Model, *TrainReport, error) {
	books, err := e.frame(&o)
	if err != nil {
		return nil, nil, err
	}
	r := &TrainReport{Cut: o.Cut}

	o.Progress("openings by machines")
	for _, b := range books {
		found, err := e.sift(ctx, b, o.To)
		if err != nil {
			return nil, nil, fmt.Errorf("train %s: %w", b.id, err)
		}
		r.Machines.add(found)
	}
	o.Progress("behaviour vectors")
	m := models.Prior()
	if err := e.chooseHalfLife(m, o.To, books...); err != nil {
		return nil, nil, fmt.Errorf("half-life: %w", err)
	}
	set, err := e.pipe.Load(ctx, o.To, features.Filter{HalfLife: m.HalfLife})
	if err != nil {
		return nil, nil, fmt.Errorf("vectors: %w", err)
	}
	l := &learned{id: PriorID, asOf: o.To, model: m, set: set}
	if l.sky, err = e.weather(ctx, o.To, timingWindow/86400); err != nil {
		return nil, nil, err
	}
	m.AddProfiles(l.profiles())

	if r.Score, _, err = e.holdout(ctx, books, m, &o); err != nil {
		return nil, nil, err
	}
	o.Progress("pay hazard on all")
	periods, err := e.trainHazard(ctx, books, m, o.From, o.To)
	if err != nil {
		return nil, nil, err
	}
	o.Progress("open times")
	if r.Timing, err = e.fitTiming(l, o.Seed, trainPermutations, books...); err != nil {
		return nil, nil, err
	}

	o.Progress("response of channels")
	known := make([]pasts, len(books))
	for i, b := range books {
		if known[i], err = e.pasts(ctx, b, nil, time.Time{}, o.To); err != nil {
			return nil, nil, err
		}
	}
	if err := e.respond(l, models.Prior(), books, known); err != nil {
		return nil, nil, err
	}
	for i, b := range books {
		l.past = known[i]
		r.Contacts += followed(e.follow(b, l))
	}

	o.Progress("rewards of decisions")
	var windows []*book
	var log []bandit.Decision
	for _, b := range books {
		window := &book{id: b.id, accounts: b.accounts, logged: map[string]*logged{}}
		window.location.Store(b.location.Load())
		err := e.store.Contacting(ctx, b.id, o.From, func(d ledger.Decision, _ bool) error {
			if len(d.Vector) == models.Effects+rewardHorizon && d.DecidedAt.Before(o.To) {
				window.logged[d.ID] = loggedOf(&d)
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		windows = append(windows, window)
		log = append(log, e.rewardLog(window, l, o.From.Unix())...)
	}
	if err := chooseForgetting(m, log); err != nil {
		return nil, nil, fmt.Errorf("forgetting: %w", err)
	}
	r.RewardHalfLife = m.RewardHalfLife
	for _, window := range windows {
		r.Rewards += len(e.rewardsSince(window, l, o.From.Unix()))
	}
	m.Bandit.Tune(3)
	m.Bandit.Solve()
	m.Until, m.FittedAt, m.FirstFitAt = o.To.Unix(), o.To.Unix(), o.From.Unix()

	r.Manifest = models.Manifest{
		Vector: features.SchemaHash(), From: o.From.UTC(), To: o.To, Seed: o.Seed,
		Rows: map[string]int64{
			"debtors": int64(set.Len()), "person_periods": int64(periods.Len()), "contacts": int64(r.Contacts),
			"rewards": int64(r.Rewards), "holdout_invoices": int64(r.Score.Invoices),
		},
		Parameters: map[string]float64{"holdout": o.Holdout, "max_periods": maxTrainPeriods},
		Metrics:    map[string]float64{"concordance": r.Score.Concordance, "mae_days": r.Score.MAE},
	}
	for _, s := range r.Score.At {
		r.Manifest.Metrics[fmt.Sprintf("brier_%dd", s.Days)] = s.Brier
		r.Manifest.Metrics[fmt.Sprintf("calibration_%dd", s.Days)] = s.Calibration
	}
	if len(r.Score.At) > 0 {
		r.Manifest.Tenths = r.Score.At[0].Tenths
	}
	return m, r, nil
}

// HazardReport says how well invoices were foretold that a fit did not see.
type HazardReport struct {
	From    time.Time    `json:"from"`
	To      time.Time    `json:"to"`
	Cut     time.Time    `json:"holdout_from"`
	Periods int          `json:"person_periods"`
	Score   models.Score `json:"holdout"`
}

// EvaluateHazard fits the pay hazard to what lies before the holdout and scores
// it there, as Train does, and nothing else.
func (e *Engine) EvaluateHazard(ctx context.Context, o TrainOptions) (*HazardReport, error) {
	books, err := e.frame(&o)
	if err != nil {
		return nil, err
	}
	r := &HazardReport{From: o.From.UTC(), To: o.To, Cut: o.Cut}
	r.Score, r.Periods, err = e.holdout(ctx, books, models.Prior(), &o)
	return r, err
}

// frame fills in the window where o leaves it open, and returns the books in
// order.
func (e *Engine) frame(o *TrainOptions) ([]*book, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	books := e.sorted()
	first := e.firstIssue(books)
	o.To = e.now(o.To)
	if first == 0 || time.Unix(first, 0).After(o.To) {
		return nil, ErrNothing
	}
	if o.From.IsZero() {
		o.From = time.Unix(first, 0).UTC()
	}
	if !o.From.Before(o.To) {
		return nil, fmt.Errorf("the window from %s to %s is empty", o.From.Format(time.RFC3339), o.To.Format(time.RFC3339))
	}
	if o.Cut.IsZero() {
		o.Cut = o.To.Add(-time.Duration(o.Holdout * float64(o.To.Sub(o.From))))
	}
	if !o.Cut.After(o.From) || !o.Cut.Before(o.To) {
		return nil, fmt.Errorf("the holdout begins %s, which is not within the window", o.Cut.Format(time.RFC3339))
	}
	return books, nil
}

// holdout fits m's hazards to what lies before the holdout, so many
// person-periods, and scores them there.
func (e *Engine) holdout(ctx context.Context, books []*book, m *models.Model, o *TrainOptions) (models.Score, int, error) {
	o.Progress("pay hazard on the first part")
	before, err := e.trainHazard(ctx, books, m, o.From, o.Cut)
	if err != nil {
		return models.Score{}, 0, err
	}
	o.Progress("score on the holdout")
	s, err := e.score(ctx, m, before, o.Cut, o.To, o.Horizons)
	return s, before.Len(), err
}

// maxTrainPeriods bounds the person-periods that training keeps in memory.
const maxTrainPeriods = 600_000

// trainHazard fits m's hazards to a window of all books.
func (e *Engine) trainHazard(ctx context.Context, books []*book, m *models.Model, from, to time.Time) (*models.Periods, error) {
	days := 0
	for _, b := range books {
		days += b.riskDays(from, to)
	}
	keep := 1.0
	if days > maxTrainPeriods {
		keep = maxTrainPeriods / float64(days)
	}
	var rows models.Periods
	if err := e.pipe.Hazard(ctx, features.Window{From: from, To: to, Keep: keep}, rows.Append); err != nil {
		return nil, fmt.Errorf("person-periods: %w", err)
	}
	if rows.Len() == 0 {
		return nil, ErrNothing
	}
	return &rows, m.FitHazards(&rows, models.Prior())
}

// score foretells the invoices issued in [from, to) with m, fitted to before.
func (e *Engine) score(ctx context.Context, m *models.Model, before *models.Periods, from, to time.Time, horizons []int) (models.Score, error) {
	const enough = 20_000
	issued := 0
	for _, b := range e.sorted() {
		for _, a := range b.accounts {
			for i := range a.invoices {
				if v := a.invoices[i].issued; v >= from.Unix() && v < to.Unix() {
					issued++
				}
			}
		}
	}
	lives := models.Lives{Share: uint64(issued/enough + 1)}
	if err := e.pipe.Hazard(ctx, features.Window{From: from, To: to, Issues: true}, lives.Append); err != nil {
		return models.Score{}, fmt.Errorf("holdout: %w", err)
	}
	return m.Usual.Evaluate(lives.All(), m.Leave, before.Incidence(models.Longest), horizons)
}

// sorted returns the books in the order of their ids.
func (e *Engine) sorted() []*book {
	e.mu.RLock()
	defer e.mu.RUnlock()
	books := make([]*book, 0, len(e.books))
	for _, id := range slices.Sorted(maps.Keys(e.books)) {
		books = append(books, e.books[id])
	}
	return books
}

// firstIssue is when the first invoice of the books was issued; 0: never.
func (e *Engine) firstIssue(books []*book) int64 {
	first := int64(0)
	for _, b := range books {
		if at := b.firstIssue(); at != 0 && (first == 0 || at < first) {
			first = at
		}
	}
	return first
}

func (b *book) firstIssue() int64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	first := int64(0)
	for _, a := range b.accounts {
		for i := range a.invoices {
			if at := a.invoices[i].issued; at != 0 && (first == 0 || at < first) {
				first = at
			}
		}
	}
	return first
}

// riskDays counts the days on which invoices were open in a window.
func (b *book) riskDays(from, to time.Time) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	days := 0
	for _, a := range b.accounts {
		for i := range a.invoices {
			v := &a.invoices[i]
			if v.issued == 0 || v.issued > to.Unix() {
				continue
			}
			end := to.Unix()
			if v.paid != 0 {
				end = min(end, v.paid)
			}
			days += int(max(end-max(v.issued, from.Unix()), 0)/86400) + 1
		}
	}
	return days
}
