package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/features"
	"rappel/models"
	"rappel/models/response"
	"rappel/models/timing"
)

// Errors of the layers below that callers of the engine branch on.
var (
	ErrBusy     = store.ErrBusy
	ErrArtefact = models.ErrArtefact
)

// Key is an API key that may be used.
type Key struct {
	ID       string
	Creditor string // empty: an operator's, for all creditors
	Scopes   []string
}

// Key returns the key of a text; ledger.ErrNotFound for one unknown or revoked.
func (e *Engine) Key(ctx context.Context, text string) (Key, error) {
	k, err := e.store.LookupKey(ctx, text)
	if err != nil {
		return Key{}, err
	}
	if !k.RevokedAt.IsZero() {
		return Key{}, ledger.ErrNotFound
	}
	return Key{ID: k.ID, Creditor: k.Creditor, Scopes: k.Scopes}, nil
}

// Knows tells whether there is such a creditor.
func (e *Engine) Knows(creditor string) bool {
	_, err := e.book(creditor)
	return err == nil
}

// Ready returns why decisions could not be made now, or nil.
func (e *Engine) Ready(ctx context.Context) error {
	if err := e.store.DB().PingContext(ctx); err != nil {
		return errors.New("the warehouse does not answer")
	}
	return e.store.Room()
}

// Reviewed is a decision with what people made of it.
type Reviewed struct {
	Decision
	Status  string          `json:"status"` // proposed approved rejected overridden
	Reviews []ledger.Review `json:"reviews"`
}

// Decision returns a logged decision as it was answered. An empty creditor
// stands for any.
func (e *Engine) Decision(ctx context.Context, creditor, id string) (*Reviewed, error) {
	row, err := e.findDecision(ctx, creditor, id)
	if err != nil {
		return nil, err
	}
	d, err := parseAnswer(&row)
	if err != nil {
		return nil, err
	}
	reviews, err := e.store.Reviews(ctx, row.Creditor, id)
	if err != nil {
		return nil, fmt.Errorf("reviews of %s: %w", id, err)
	}
	return &Reviewed{*d, row.Status, reviews}, nil
}

func (e *Engine) findDecision(ctx context.Context, creditor, id string) (ledger.Decision, error) {
	if creditor != "" {
		return e.store.Decision(ctx, creditor, id)
	}
	for _, c := range e.Creditors() {
		row, err := e.store.Decision(ctx, c, id)
		if err == nil || !errors.Is(err, ledger.ErrNotFound) {
			return row, err
		}
	}
	return ledger.Decision{}, ledger.ErrNotFound
}

// Review is what a person says of a decision.
type Review struct {
	Verdict string // approve reject override
	Channel string // override: by this channel instead
	SendAt  time.Time
	Note    string
	Actor   string
	AsOf    time.Time // when it was said; zero: the engine's clock
}

// statusOf maps a verdict to the decision's status.
var statusOf = map[string]string{"approve": "approved", "reject": "rejected", "override": "overridden"}

// Review notes a person's verdict. Only a proposed contact can be reviewed; an
// override names a channel, a moment, or both.
func (e *Engine) Review(ctx context.Context, creditor, id string, r Review) (*Reviewed, error) {
	row, err := e.findDecision(ctx, creditor, id)
	if err != nil {
		return nil, err
	}
	if row.Action != ActionContact {
		return nil, fmt.Errorf("decision %s is a %s: %w", id, row.Action, ledger.ErrConflict)
	}
	if row.Status != "proposed" && row.Status != statusOf[r.Verdict] {
		return nil, fmt.Errorf("decision %s is %s: %w", id, row.Status, ledger.ErrConflict)
	}
	review := ledger.Review{At: e.now(r.AsOf), Verdict: r.Verdict, Note: r.Note, Actor: r.Actor}
	if r.Verdict == "override" {
		if r.Channel == "" && r.SendAt.IsZero() {
			return nil, &FieldError{"/channel", "an override names a channel, send_at, or both"}
		}
		if _, ok := ledger.ParseChannel(r.Channel); r.Channel != "" && !ok {
			return nil, &FieldError{"/channel", fmt.Sprintf("unknown channel %q", r.Channel)}
		}
		review.Channel = r.Channel
		if !r.SendAt.IsZero() {
			if r.SendAt.Before(row.DecidedAt) {
				return nil, &FieldError{"/send_at", "lies before the decision"}
			}
			at := r.SendAt.UTC()
			review.SendAt = &at
		}
	}
	if err := e.store.PutReview(ctx, row.Creditor, id, statusOf[r.Verdict], review); err != nil {
		return nil, fmt.Errorf("review %s: %w", id, err)
	}
	if b, err := e.book(row.Creditor); err == nil {
		b.reviewed(row.Debtor, id, statusOf[r.Verdict], &review)
	}
	if err := e.store.Audit(ctx, row.Creditor, r.Actor, r.Verdict, id, r.Note); err != nil {
		return nil, err
	}
	return e.Decision(ctx, row.Creditor, id)
}

// Profile is what is known of one debtor.
type Profile struct {
	Creditor  string           `json:"creditor_id"`
	Debtor    string           `json:"debtor_id"`
	AsOf      time.Time        `json:"as_of"`
	Kind      string           `json:"kind"`
	Language  string           `json:"language"`
	Timezone  string           `json:"timezone"`
	Country   string           `json:"country"`
	Sector    string           `json:"sector_code"`
	Open      float64          `json:"open_balance"`
	Overdue   float64          `json:"overdue_balance"`
	DPD       int              `json:"days_past_due"`
	Hold      string           `json:"hold_reason,omitempty"`
	OpenTimes OpenTimes        `json:"open_times"`
	Channels  []ChannelProfile `json:"channels"`
	Method    string           `json:"usual_method"`
	PayDays   [7]float64       `json:"pay_weekday"` // share of payments, Monday first
	Survival  []float64        `json:"survival"`    // P(unpaid) at the end of each coming day, without contact
	DaysToPay float64          `json:"days_to_pay"` // expected, of Survival: at most the horizon of 28 days; 0 where nothing is open
	Hastened  *Hastened        `json:"hastened,omitempty"`
	Timeline  []Happening      `json:"timeline"`
	Alerts    []Alert          `json:"alerts"` // its own and those of its groups, whatever their status
}

// OpenTimes is the heat map of 7 × 24 hours, Monday 00:00 first.
type OpenTimes struct {
	Availability []float64 `json:"availability"` // hazard of noticing per hour, borrowed from the profile where little is known
	Opens        []float64 `json:"opens"`        // what was seen, decayed
	Exposure     []float64 `json:"exposure"`     // hours at which something lay unread, decayed
	Known        []float64 `json:"known"`        // share of availability that rests on this debtor's own opens; the rest is borrowed
}

// ChannelProfile is how the debtor responds on one channel.
type ChannelProfile struct {
	Channel   string  `json:"channel"`
	Reachable bool    `json:"reachable"`
	Consent   bool    `json:"consent"`
	Sends     int     `json:"sends"`
	Answered  int     `json:"answered_or_paid"`
	Response  float64 `json:"response"` // P(a contact moves the debtor to pay), pooled
	SD        float64 `json:"response_sd"`
	Silent    int     `json:"silent_run"`
}

// Debtor returns the profile of a debtor as of a moment.
func (e *Engine) Debtor(ctx context.Context, key ledger.Key, asOf time.Time) (*Profile, error) {
	b, err := e.book(key.Creditor)
	if err != nil {
		return nil, err
	}
	at := e.now(asOf)
	l, err := e.learnedAt(ctx, b, at)
	if err != nil {
		return nil, err
	}
	s := e.scratch.Get().(*scratch)
	defer e.scratch.Put(s)
	req := &Request{Creditor: key.Creditor, Debtor: key.Debtor, AsOf: at}
	q, err := e.ask(s, b, l, req)
	if err != nil {
		return nil, err
	}
	f, h := &s.f, &s.habit
	p := &Profile{
		Creditor: key.Creditor, Debtor: key.Debtor, AsOf: at.In(f.loc), Kind: string(f.profile.Kind), Language: f.profile.Language,
		Timezone: f.loc.String(), Country: f.profile.Country, Sector: f.profile.Sector,
		Open: float64(f.openCents) / 100, Overdue: float64(f.overdueCents) / 100, DPD: f.dpd, Hold: f.hold,
		Method: h.method, PayDays: h.payShare,
	}
	alerts, err := e.Alerts(ctx, AlertQuery{Creditor: key.Creditor, Debtor: key.Debtor, AsOf: at})
	if err != nil {
		return nil, err
	}
	p.Alerts = alerts.Alerts
	var v verdict
	for i := range f.claims {
		v.money += f.claims[i].cents
	}
	s.baseline(q, &v)
	p.Survival = slices.Clone(s.surv[:])
	if p.Hastened = s.hasten(q); p.Hastened != nil {
		copy(p.Survival, s.surv[:]) // of the same claims
		p.Hastened.DaysToPay = daysToPay(p.Hastened.Survival)
	}
	if p.Open > 0 {
		p.DaysToPay = daysToPay(p.Survival)
	}
	var known [timing.Hours]float64
	l.model.Timing.Known(&known, h.opens, h.exposure, h.profile)
	l.availability(&s.avail, h)
	p.OpenTimes = OpenTimes{
		Availability: slices.Clone(s.avail[:]), Opens: widen(h.opens), Exposure: widen(h.exposure), Known: known[:],
	}
	for c := range ledger.Channel(ledger.Channels) {
		rho := response.Moves(h.rate[c], h.rateSD[c])
		p.Channels = append(p.Channels, ChannelProfile{
			Channel: c.String(), Reachable: f.reachable[c], Consent: f.consented[c], Sends: int(h.sends[c]),
			Answered: int(h.answers[c]), Response: rho, SD: h.rateSD[c] * (1 - rho) * -math.Log1p(-rho), Silent: f.silent[c],
		})
	}
	if p.Timeline, err = e.story(ctx, b, key, at, f.loc); err != nil {
		return nil, err
	}
	return p, nil
}

// daysToPay is the mean of the days until payment, those beyond the horizon
// counting as the horizon, of the probabilities of being unpaid at the end of
// each coming day.
func daysToPay(unpaid []float64) float64 {
	days := 0.0
	for _, p := range unpaid[:rewardHorizon] {
		days += p
	}
	return days
}

func widen(v *[timing.Hours]float32) []float64 {
	out := make([]float64, timing.Hours)
	if v != nil {
		for i, x := range v {
			out[i] = float64(x)
		}
	}
	return out
}

// Erase removes everything of a debtor: from the file, the accounts and what
// was learnt of it alone.
func (e *Engine) Erase(ctx context.Context, key ledger.Key, actor string) error {
	b, err := e.book(key.Creditor)
	if err != nil {
		return err
	}
	b.learning.Lock()
	defer b.learning.Unlock()
	b.mu.RLock()
	_, known := b.accounts[key.Debtor]
	b.mu.RUnlock()
	if !known {
		return &DebtorError{key.Debtor}
	}
	if _, err := e.store.Erase(ctx, key); err != nil {
		return err
	}
	b.mu.Lock()
	delete(b.accounts, key.Debtor)
	delete(b.dirty, key.Debtor)
	delete(b.plans, key.Debtor)
	b.forgetAlerts(key.Debtor)
	delete(b.proposals, key.Debtor)
	b.changes++
	for id, l := range b.logged {
		if l.debtor == key.Debtor {
			delete(b.logged, id)
		}
	}
	b.past = nil
	b.mu.Unlock()
	if b.watch != nil {
		state, err := b.watch.forget(key.Debtor)
		if err != nil {
			return err
		}
		if err := e.store.PutAlerts(ctx, store.AlertBatch{Creditor: b.id, AsOf: b.watch.Day.UTC(), State: state}); err != nil {
			return fmt.Errorf("forget: %w", err)
		}
	}
	return e.forget(ctx, b, key, actor)
}

// forget takes a debtor out of the learnt state and writes the state anew.
func (e *Engine) forget(ctx context.Context, b *book, key ledger.Key, actor string) error {
	last := b.learned.Load()
	l := *last
	m, err := last.model.Clone()
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	m.Forget(key)
	l.model, l.post = m, m.Bandit.Posterior()
	rows := make(map[string]*outcomes, len(last.rows))
	for id, o := range last.rows {
		if id != key.Debtor {
			rows[id] = o
		}
	}
	l.rows = rows
	l.past = maps.Clone(last.past)
	delete(l.past, key.Debtor)
	if last.set != nil { // its vector goes, too
		if l.set, err = e.pipe.Load(ctx, last.asOf, features.Filter{Creditor: b.id, HalfLife: m.HalfLife}); err != nil {
			return fmt.Errorf("forget: vectors: %w", err)
		}
		b.edit()
	}
	b.learned.Store(&l)
	if last.asOf.IsZero() {
		return e.store.Audit(ctx, key.Creditor, actor, "erase", "debtor", "")
	}
	blob, err := m.MarshalBinary()
	if err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	if err := e.store.ReplaceLearned(ctx, key.Creditor, ledger.Learned{AsOf: last.asOf, ModelID: last.id, Blob: blob}); err != nil {
		return fmt.Errorf("forget: %w", err)
	}
	return e.store.Audit(ctx, key.Creditor, actor, "erase", "debtor", "")
}
