package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/features"
	"rappel/models"
	"rappel/models/bandit"
	"rappel/models/response"
)

// learned is what a creditor's book has taught as of a moment: the model, and
// what follows from it for each debtor. It is immutable once published.
type learned struct {
	id    string // of the champion it grew from
	asOf  time.Time
	model *models.Model
	post  *bandit.Posterior
	ref   ModelRef
	set   *features.Set         // vectors as of asOf; nil before the first learning
	sky   skies                 // the weather to come, as known at asOf
	past  pasts                 // what was known at the issue of each invoice
	looks map[ledger.Key]*looks // when debtors noticed messages
	rows  map[string]*outcomes  // by debtor: what became of the contacts
}

func newLearned(c champion, asOf time.Time) *learned {
	return &learned{
		id: c.id, asOf: asOf, model: c.model, post: c.model.Bandit.Posterior(),
		ref: ModelRef{ID: c.id, Vector: features.SchemaHash()},
	}
}

// LearnReport says what a learning did.
type LearnReport struct {
	Creditor  string    `json:"creditor_id"`
	AsOf      time.Time `json:"as_of"`
	Debtors   int       `json:"debtors"`   // with a vector
	Refreshed int       `json:"refreshed"` // vectors computed anew
	Contacts  int       `json:"contacts"`  // whose outcome is followed
	Rewards   int       `json:"rewards"`   // decisions whose reward entered or changed
	Refitted  bool      `json:"refitted"`  // hazard, timing and pooling were estimated anew
	Machines  Machines  `json:"machines"`  // openings that no person made
	Seconds   float64   `json:"seconds"`
}

// Learn brings vectors, posterior and rewards of a creditor up to everything
// seen until asOf. Learning as of a moment that is not after the last one
// changes nothing.
func (e *Engine) Learn(ctx context.Context, creditor string, asOf time.Time) (*LearnReport, error) {
	b, err := e.book(creditor)
	if err != nil {
		return nil, err
	}
	b.learning.Lock()
	defer b.learning.Unlock()
	started := e.opt.Now()
	e.paced(b, asOf)
	asOf = e.now(asOf)
	last := b.learned.Load()
	report := &LearnReport{Creditor: creditor, AsOf: asOf}
	if !asOf.After(last.asOf) {
		report.AsOf = last.asOf
		return report, nil
	}
	if report.Machines, err = e.sift(ctx, b, asOf); err != nil {
		return nil, fmt.Errorf("learn %s: %w", creditor, err)
	}
	if err := e.watch(ctx, b, asOf); err != nil {
		return nil, fmt.Errorf("learn %s: %w", creditor, err)
	}
	m, err := last.model.Clone()
	if err != nil {
		return nil, fmt.Errorf("learn %s: %w", creditor, err)
	}
	due := e.refitDue(b, m, asOf)
	skyDays := 0
	if due {
		skyDays = timingWindow / 86400
		if err := e.chooseHalfLife(m, asOf, b); err != nil {
			return nil, fmt.Errorf("learn %s: %w", creditor, err)
		}
	}
	set, refreshed, err := e.refresh(ctx, b, asOf, m.HalfLife)
	if err != nil {
		return nil, fmt.Errorf("learn %s: vectors: %w", creditor, err)
	}
	report.Debtors, report.Refreshed = set.Len(), refreshed
	l := &learned{id: last.id, asOf: asOf, model: m, ref: last.ref, set: set}
	if l.sky, err = e.weather(ctx, asOf, skyDays); err != nil {
		return nil, fmt.Errorf("learn %s: %w", creditor, err)
	}
	if l.past, err = e.pasts(ctx, b, last.past, last.asOf, asOf); err != nil {
		return nil, fmt.Errorf("learn %s: %w", creditor, err)
	}
	m.AddProfiles(l.profiles())
	e.look(b, l)
	if due {
		if err := e.refit(ctx, b, l); err != nil {
			return nil, fmt.Errorf("learn %s: %w", creditor, err)
		}
		report.Refitted = true
	}
	l.rows = e.follow(b, l)
	report.Contacts = followed(l.rows)

	rewards := e.reward(b, l, last.asOf)
	report.Rewards = len(rewards)
	if report.Refitted {
		m.Bandit.Tune(2)
	}
	m.Bandit.Solve()
	l.post = m.Bandit.Posterior()
	blob, err := m.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("learn %s: %w", creditor, err)
	}
	if err := e.store.PutLearned(ctx, creditor, ledger.Learned{AsOf: asOf, ModelID: last.id, Blob: blob}, rewards); err != nil {
		return nil, fmt.Errorf("learn %s: %w", creditor, err)
	}
	b.learned.Store(l)
	report.Seconds = e.opt.Now().Sub(started).Seconds()
	e.opt.Log.LogAttrs(ctx, slog.LevelInfo, "learned", slog.String("creditor_id", creditor),
		slog.Time("as_of", asOf), slog.Int("rewards", report.Rewards), slog.Bool("refitted", report.Refitted), slog.Float64("seconds", report.Seconds))
	return report, nil
}

// profiles returns the profile keys of the vectors, in order.
func (l *learned) profiles() []string {
	seen := map[string]struct{}{}
	for i := range l.set.Len() {
		seen[profileOf(l.set, i)] = struct{}{}
	}
	return slices.Sorted(maps.Keys(seen))
}

func profileOf(s *features.Set, i int) string {
	return models.ProfileKey(s.Kind[i], s.Sector[i], "")
}

// habit fills h with what is known of one debtor.
func (l *learned) habit(h *habit, key ledger.Key, f *facts) {
	*h = habit{
		profile: -1, debtor: l.model.Debtor(key), now: features.Unknown, issued: l.past[key.Debtor].of(),
	}
	h.profile = l.model.Profile(models.ProfileKey(string(f.profile.Kind), sectorOf(f.profile.Sector), ""))
	effects := l.model.Response.Unknown()
	if o := l.rows[key.Debtor]; o != nil {
		effects, h.payRuns = o.effects, &o.payRuns
		for c := range o.told {
			h.sends[c], h.answers[c] = o.told[c][0], o.told[c][1]
		}
	}
	l.model.Response.Rate(&h.rate, &h.rateSD, h.profile, &effects)
	for d := range h.payShare {
		h.payShare[d] = 1.0 / 7
	}
	h.runs = models.RunsOf(&[7]float64{}, 0)
	if k := l.looks[key]; k != nil {
		l.model.Timing.Impute(&h.looks, &k.seen, &k.lain, &k.dated, h.profile)
		h.opens, h.exposure = &h.looks, &k.lain
	}
	if l.set != nil {
		if i, ok := l.set.Row(key); ok {
			s := l.set
			h.area = s.Area[i]
			l.own(h, i)
			h.method = s.UsualMethod[i]
		}
	}
}

// own fills in a debtor's figures.
func (l *learned) own(h *habit, i int) {
	s := l.set
	h.now = s.PastOf(i)
	days := s.PayWeekday[i*7:][:7]
	sum := 0.0
	var count [7]float64
	for d, v := range days {
		count[d] = float64(v)
		sum += float64(v)
	}
	h.runs = models.RunsOf(&count, sum*s.PayMonthEnd[i])
	for d, v := range days {
		h.payShare[d] = (float64(v) + 1) / (sum + 7)
	}
}

func sectorOf(code string) string {
	if len(code) > 2 {
		return code[:2]
	}
	return code
}

// base is the model that pooling shrinks to: what the champion knows.
func (e *Engine) base() *models.Model {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.champion.model
}

// follow finds what each account with contacts differs in.
func (e *Engine) follow(b *book, l *learned) map[string]*outcomes {
	rows := map[string]*outcomes{}
	e.each(b, l, func(a *account, loc *time.Location, d *response.Debtor, told *[ledger.Channels][2]float64) {
		asked := make([]float64, len(d.Payments))
		o := &outcomes{told: *told, n: len(d.Trials), payRuns: a.payRuns(l.asOf.Unix(), loc)}
		o.effects = l.model.Response.Observe(d, asked)
		for i := range asked {
			o.asked = append(o.asked, paidDay{ledger.Day(d.Payments[i].Day), asked[i]})
		}
		rows[a.key.Debtor] = o
	})
	return rows
}

// each calls do with what became of the contacts of every account that has any,
// in the order of their ids.
func (e *Engine) each(b *book, l *learned, do func(a *account, loc *time.Location, d *response.Debtor, told *[ledger.Channels][2]float64)) {
	at := l.asOf.Unix()
	s := newScratch()
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, id := range slices.Sorted(maps.Keys(b.accounts)) {
		a := b.accounts[id]
		if len(a.contacts) == 0 || a.contacts[0].at > at {
			continue
		}
		s.f.place(a, at, e.zone, b.location.Load())
		l.habit(&s.habit, a.key, &s.f)
		var d response.Debtor
		var told [ledger.Channels][2]float64
		a.follow(&d, &told, s, l)
		do(a, s.f.loc, &d, &told)
	}
}

// asked returns how much of a payment on a day was the doing of contacts, given
// the outcomes by creditor and debtor.
func asked(rows map[string]map[string]*outcomes) func(creditor, debtor string, day ledger.Day) float64 {
	return func(creditor, debtor string, day ledger.Day) float64 {
		if o := rows[creditor][debtor]; o != nil {
			for i := range o.asked {
				if o.asked[i].day == day {
					return o.asked[i].share
				}
			}
		}
		return 0
	}
}

// followed counts the contacts behind the outcomes of a book.
func followed(rows map[string]*outcomes) int {
	n := 0
	for _, o := range rows {
		n += o.n
	}
	return n
}

// respond estimates the response of channels from what became of the contacts
// of books, each with what was known at the issue of its invoices, pulled towards
// what base knows.
func (e *Engine) respond(l *learned, base *models.Model, books []*book, known []pasts) error {
	var all []response.Debtor
	for i, b := range books {
		l.past = known[i]
		e.each(b, l, func(_ *account, _ *time.Location, d *response.Debtor, _ *[ledger.Channels][2]float64) {
			if d.Segment >= 0 && len(d.Trials) > 0 {
				all = append(all, *d)
			}
		})
	}
	fit, err := response.Fit(all, base.ResponseOf(l.model.Profiles))
	if err != nil {
		return err
	}
	l.model.Response = fit
	return nil
}

// refitDue: the slow parts are estimated once three weeks of history are there,
// and anew after a quarter of the time since, at least daily and at most weekly
// apart.
func (e *Engine) refitDue(b *book, m *models.Model, asOf time.Time) bool {
	const day = 86400
	if m.FittedAt == 0 {
		first := b.firstIssue()
		return first != 0 && asOf.Unix()-first >= 21*day
	}
	age := asOf.Unix() - m.FittedAt
	return age >= min(max((m.FittedAt-m.FirstFitAt)/4, day), 7*day)
}

// hazardWindow is how far back person-periods are read for the pay hazard.
const hazardWindow = 180 * 24 * time.Hour

// refit estimates what changes slowly: hazard, hours, speeds, weather.
func (e *Engine) refit(ctx context.Context, b *book, l *learned) error {
	m := l.model
	if err := e.fitHazard(ctx, b, l); err != nil {
		return err
	}
	r, err := e.fitTiming(l, e.opt.Seed, learnPermutations, b)
	if err != nil {
		return err
	}
	e.opt.Log.LogAttrs(ctx, slog.LevelInfo, "refitted", slog.String("creditor_id", b.id), slog.Time("as_of", l.asOf), slog.Any("timing", r))
	if err := e.respond(l, e.base(), []*book{b}, []pasts{l.past}); err != nil {
		return err
	}
	m.FittedAt = l.asOf.Unix()
	if m.FirstFitAt == 0 {
		m.FirstFitAt = m.FittedAt
	}
	return nil
}

// maxPeriods bounds the person-periods that one fit reads.
const maxPeriods = 80_000

// fitHazard estimates the pay hazard on the last half year.
func (e *Engine) fitHazard(ctx context.Context, b *book, l *learned) error {
	from := l.asOf.Add(-hazardWindow)
	if first := time.Unix(b.firstIssue(), 0).UTC(); first.After(from) {
		from = first
	}
	days := b.riskDays(from, l.asOf)
	keep := 1.0
	if days > maxPeriods {
		keep = maxPeriods / float64(days)
	}
	rows := models.Periods{Asked: asked(map[string]map[string]*outcomes{b.id: e.follow(b, l)})}
	w := features.Window{From: from, To: l.asOf, Creditor: b.id, Keep: keep}
	if err := e.pipe.Hazard(ctx, w, rows.Append); err != nil {
		return fmt.Errorf("person-periods: %w", err)
	}
	if rows.Len() == 0 {
		return nil
	}
	return l.model.FitHazards(&rows, e.base())
}

// reward forgets a little, and follows the decisions of the last weeks.
func (e *Engine) reward(b *book, l *learned, since time.Time) []ledger.Reward {
	if !since.IsZero() {
		days := l.asOf.Sub(since).Hours() / 24
		l.model.Bandit.Forget(math.Exp2(-days / l.model.RewardHalfLife))
	}
	return e.rewardsSince(b, l, l.asOf.Unix()-(rewardHorizon+7)*86400)
}

// rewardsSince enters the decisions whose contact was sent after a moment, and
// corrects those entered before by what has been seen since.
func (e *Engine) rewardsSince(b *book, l *learned, from int64) []ledger.Reward {
	m, at := l.model, l.asOf.Unix()
	entered := make(map[string]bandit.Handle, len(m.Handles))
	for k, id := range m.Decisions {
		entered[id] = bandit.Handle(m.Handles[k])
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	var rewards []ledger.Reward
	var f facts
	for _, s := range b.sentSince(from, at) {
		if s.entry.done {
			continue
		}
		r := s.a.rewardOf(s.entry, s.i, m.Response, at)
		target := r.value - s.entry.baseline
		h, known := entered[s.id]
		change := true
		if known {
			old, _ := m.Bandit.Target(h)
			change = math.Abs(target-old) > 1e-12
			if change {
				m.Bandit.Correct(h, target-old)
			}
		} else if s.a.contacts[s.i].at > m.Until {
			f.place(s.a, at, e.zone, b.location.Load())
			profile := m.Profile(models.ProfileKey(string(f.profile.Kind), sectorOf(f.profile.Sector), ""))
			age := float64(at-s.a.contacts[s.i].at) / 86400
			h = m.Bandit.Observe(int32(profile), m.AddDebtor(s.a.key), s.entry.phi, target, math.Exp2(-age/m.RewardHalfLife))
			entered[s.id] = h
			m.Handles, m.Decisions = append(m.Handles, uint64(h)), append(m.Decisions, s.id)
		} else {
			continue // the artefact was trained on it
		}
		if r.final {
			m.Bandit.Close(h)
			m.Drop(s.id)
			s.entry.done = true
		}
		if change || r.final {
			rewards = append(rewards, ledger.Reward{
				Creditor: b.id, Decision: s.id, Value: r.value, Imputed: !r.final,
				ObservedUntil: time.Unix(r.until, 0).UTC(),
			})
		}
	}
	return rewards
}

// learnedAt returns the last learnt state that is not after asOf.
func (e *Engine) learnedAt(ctx context.Context, b *book, asOf time.Time) (*learned, error) {
	l := b.learned.Load()
	if !l.asOf.After(asOf) {
		return l, nil
	}
	b.mu.RLock()
	past := b.past
	b.mu.RUnlock()
	at, err := e.store.LearnedMoment(ctx, b.id, asOf)
	if errors.Is(err, ledger.ErrNotFound) {
		e.mu.RLock()
		defer e.mu.RUnlock()
		return newLearned(e.champion, time.Time{}), nil
	}
	if err != nil {
		return nil, fmt.Errorf("learnt state of %s: %w", b.id, err)
	}
	for _, p := range past {
		if p.asOf.Equal(at) {
			return p, nil
		}
	}
	p, err := e.restore(ctx, b, at)
	if err != nil {
		return nil, err
	}
	const keep = 4
	b.mu.Lock()
	b.past = append([]*learned{p}, past[:min(len(past), keep-1)]...)
	b.mu.Unlock()
	return p, nil
}

// restore rebuilds the learnt state of a moment: the model from the file, and
// what follows from it from the events until then.
func (e *Engine) restore(ctx context.Context, b *book, at time.Time) (*learned, error) {
	state, err := e.store.LearnedAt(ctx, b.id, at)
	if err != nil {
		return nil, fmt.Errorf("learnt state of %s: %w", b.id, err)
	}
	m, err := models.Unmarshal(state.Blob)
	if err != nil {
		return nil, fmt.Errorf("learnt state of %s as of %s: %w", b.id, state.AsOf.Format(time.RFC3339), err)
	}
	set, err := e.pipe.Load(ctx, state.AsOf, features.Filter{Creditor: b.id, HalfLife: m.HalfLife})
	if err != nil {
		return nil, fmt.Errorf("vectors of %s: %w", b.id, err)
	}
	l := &learned{
		id: state.ModelID, asOf: state.AsOf, model: m, set: set,
		ref: ModelRef{ID: state.ModelID, Vector: features.SchemaHash()},
	}
	if l.sky, err = e.weather(ctx, state.AsOf, 0); err != nil {
		return nil, fmt.Errorf("learnt state of %s: %w", b.id, err)
	}
	if l.past, err = e.pasts(ctx, b, nil, time.Time{}, state.AsOf); err != nil {
		return nil, fmt.Errorf("learnt state of %s: %w", b.id, err)
	}
	l.post = m.Bandit.Posterior()
	e.look(b, l)
	l.rows = e.follow(b, l)
	return l, nil
}
