package engine

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/models/anomaly"
)

// The states of an alert.
const (
	AlertOpen      = "open"
	AlertConfirmed = "confirmed" // a person said that it is right
	AlertDismissed = "dismissed" // a person said that it is not, or does not matter
	AlertSnoozed   = "snoozed"   // hidden until a moment
	AlertRolledUp  = "rolled_up" // told by another alert instead
)

// Steps in the life of an alert beside the states.
const (
	stepOpened   = "opened"
	stepReopened = "reopened" // new evidence came after a verdict
	stepUpdated  = "updated"  // new evidence came while it was open
)

// Scopes of alerts.
const (
	ScopeDebtor       = "debtor"
	ScopeSector       = "sector"
	ScopeRegion       = "region"
	ScopeSectorRegion = "sector_region"
	ScopeProfile      = "profile"
	ScopeBook         = "book"
)

// Alert is one change of behaviour as it stood at a moment.
type Alert struct {
	ID           string       `json:"id"`
	Creditor     string       `json:"creditor_id"`
	Debtor       string       `json:"debtor_id,omitempty"` // empty: of a group
	Scope        string       `json:"scope"`               // debtor sector region sector_region profile book
	Group        string       `json:"group,omitempty"`     // of the scope, such as "56", "90" or "56/90"
	GroupSize    int          `json:"group_size,omitempty"`
	Members      []string     `json:"members,omitempty"` // debtors of the group that moved, in order
	Kind         string       `json:"kind"`
	Status       string       `json:"status"`
	Current      bool         `json:"current"` // still true at that moment, and not yet what one is used to
	SnoozedUntil *time.Time   `json:"snoozed_until,omitempty"`
	RolledUpIn   string       `json:"rolled_up_in,omitempty"` // the alert that tells it: of a group, or of the change that an unpaid invoice belongs to
	OpenedAt     time.Time    `json:"opened_at"`              // first
	RaisedAt     time.Time    `json:"raised_at"`              // last opened or re-opened
	Since        ledger.Day   `json:"since"`
	Unit         string       `json:"unit"` // of Expected and Seen: days messages promises payments invoices disputes points
	Expected     Range        `json:"expected"`
	Seen         float64      `json:"seen"`
	Channel      string       `json:"channel,omitempty"`
	Invoice      string       `json:"invoice_id,omitempty"`
	Method       string       `json:"method,omitempty"`
	Cause        AlertReason  `json:"cause"`  // careless out_of_money dispute address unknown
	Action       AlertReason  `json:"action"` // call offer_plan settle_dispute check_address remind_earlier watch
	EuroAtRisk   float64      `json:"euro_at_risk"`
	Confidence   float64      `json:"confidence"` // that the change is real
	Priority     float64      `json:"priority"`   // euro at risk × confidence
	Title        Words        `json:"title"`
	Text         Words        `json:"text"`
	Evidence     []AlertPoint `json:"evidence"`
	History      []AlertStep  `json:"history"` // oldest first
}

// Range is the band in which something is expected.
type Range struct {
	Low  float64 `json:"low"`
	Mid  float64 `json:"mid"`
	High float64 `json:"high"`
}

// AlertReason is a code with its words and how likely it is.
type AlertReason struct {
	Code   string  `json:"code"`
	Weight float64 `json:"weight"` // share of belief, 0 to 1
	Text   Words   `json:"text"`
}

// Words are a text in the languages of people who read alerts.
type Words struct {
	NL string `json:"nl"`
	FR string `json:"fr"`
	EN string `json:"en"`
}

// In returns the words in a language: nl, fr, or else English.
func (w Words) In(language string) string {
	switch tongueOf(language) {
	case dutch:
		return w.NL
	case french:
		return w.FR
	}
	return w.EN
}

// AlertPoint is one point of the chart of an alert: what was seen on a day and
// the band that was expected of it.
type AlertPoint struct {
	Day     ledger.Day `json:"day"`
	Value   float64    `json:"value"`
	Low     *float64   `json:"low,omitempty"`
	High    *float64   `json:"high,omitempty"`
	Invoice string     `json:"invoice_id,omitempty"`
	Open    bool       `json:"open,omitempty"`  // unpaid: the value is what it has come to so far
	After   bool       `json:"after,omitempty"` // since the change
}

// AlertStep is one step in the life of an alert.
type AlertStep struct {
	At      time.Time  `json:"at"`
	Verdict string     `json:"verdict"` // opened reopened updated rolled_up confirmed dismissed snoozed
	Until   *time.Time `json:"until,omitempty"`
	Note    string     `json:"note,omitempty"`
	By      string     `json:"by,omitempty"`
}

// found is what a detector found: the body of a step.
type found struct {
	Key        string // what the evidence is; the same again is not news
	Scope      string
	Group      string
	GroupSize  int
	Since      ledger.Day
	Unit       string
	Expected   Range
	Seen       float64
	Channel    string
	Invoice    string
	Method     string
	Cause      string
	CauseShare float64
	Action     string
	Euro       float64
	Confidence float64
	RolledUpIn string
	Evidence   []AlertPoint
}

// filed is an alert in memory.
type filed struct {
	id, debtor, kind string
	opened           time.Time
	members          []store.Member
	steps            []store.AlertStep
	bodies           []*found // by step; nil: nothing was found there
}

// add puts a step in its place in time.
func (a *filed) add(x store.AlertStep, f *found) {
	i := len(a.steps)
	for i > 0 && a.steps[i-1].At.After(x.At) {
		i--
	}
	a.steps, a.bodies = slices.Insert(a.steps, i, x), slices.Insert(a.bodies, i, f)
}

// at returns the state of the alert at a moment; ok is false where it was not
// open yet.
func (a *filed) at(t time.Time) (status string, until time.Time, f *found, raised time.Time, ok bool) {
	status = AlertOpen
	for i := range a.steps {
		x := &a.steps[i]
		if x.At.After(t) {
			continue
		}
		ok = true
		until = time.Time{}
		switch x.Verdict {
		case stepOpened, stepReopened:
			status, raised = AlertOpen, x.At
		case stepUpdated:
		default:
			status, until = x.Verdict, x.Until
		}
		if a.bodies[i] != nil {
			f = a.bodies[i]
		}
	}
	if status == AlertSnoozed && !until.IsZero() && !until.After(t) {
		status, until = AlertOpen, time.Time{}
	}
	return status, until, f, raised, ok
}

// freshDays is how long an alert is news. Nobody who reads a list for the first
// time wants what has been so for longer than that.
const freshDays = 60

// current tells whether an alert is still true at a moment: what it says is not
// over, and it was raised in the last freshDays. acc is the account of its
// debtor; nil: it is of a group.
func (a *filed) current(acc *account, f *found, raised, t time.Time) bool {
	if t.Sub(raised) > freshDays*24*time.Hour {
		return false
	}
	if acc == nil || a.kind != anomaly.Overdue.String() && a.kind != anomaly.BrokenPromise.String() {
		return true
	}
	for i := range acc.invoices {
		v := &acc.invoices[i]
		if (f.Invoice == "" || v.id == f.Invoice) && v.issued != 0 && v.issued <= raised.Unix() &&
			(v.cancelled == 0 || v.cancelled > t.Unix()) && v.openAt(t.Unix()) > 0 {
			return true
		}
	}
	return false
}

// show words the alert of a debtor with that account as of a moment; nil where it
// was not open yet.
func (a *filed) show(creditor string, acc *account, t time.Time, loc *time.Location) *Alert {
	status, until, f, raised, ok := a.at(t)
	if !ok || f == nil {
		return nil
	}
	x := &Alert{
		ID: a.id, Creditor: creditor, Debtor: a.debtor, Scope: f.Scope, Group: f.Group, GroupSize: f.GroupSize, Kind: a.kind,
		Status: status, RolledUpIn: f.RolledUpIn, OpenedAt: a.opened.In(loc), RaisedAt: raised.In(loc), Since: f.Since,
		Unit: f.Unit, Expected: f.Expected, Seen: f.Seen, Channel: f.Channel, Invoice: f.Invoice, Method: f.Method,
		Cause:      AlertReason{f.Cause, f.CauseShare, alertWords("CAUSE_" + f.Cause)},
		Action:     AlertReason{f.Action, 1, alertWords("ACTION_" + f.Action)},
		EuroAtRisk: f.Euro, Confidence: f.Confidence, Priority: f.Euro * f.Confidence,
		Evidence: f.Evidence, History: []AlertStep{}, Current: a.current(acc, f, raised, t),
	}
	if x.Evidence == nil {
		x.Evidence = []AlertPoint{}
	}
	if !until.IsZero() {
		u := until.In(loc)
		x.SnoozedUntil = &u
	}
	for _, m := range a.members {
		if !m.JoinedAt.After(t) {
			x.Members = append(x.Members, m.Debtor)
		}
	}
	slices.Sort(x.Members)
	for i := range a.steps {
		s := &a.steps[i]
		if s.At.After(t) {
			continue
		}
		step := AlertStep{At: s.At.In(loc), Verdict: s.Verdict, Note: s.Note, By: s.Actor}
		if !s.Until.IsZero() {
			u := s.Until.In(loc)
			step.Until = &u
		}
		x.History = append(x.History, step)
	}
	x.Title, x.Text = wordAlert(x)
	return x
}

// AlertQuery asks for alerts of a creditor.
type AlertQuery struct {
	Creditor string
	Status   string    // one of the states; empty: all but rolled_up
	Kind     string    // empty: all
	Debtor   string    // empty: all; else its own alerts and those of groups it is a member of
	Current  bool      // only those that are still true
	AsOf     time.Time // zero: the engine's clock
	Cursor   string    // of the page before
	Limit    int       // 0: all
}

// AlertPage is a part of a list of alerts.
type AlertPage struct {
	Alerts []Alert `json:"alerts"`
	Next   string  `json:"next_cursor,omitempty"`
	Total  int     `json:"total"` // in all pages
}

// Alerts returns a creditor's alerts as they stood at a moment, those with the
// most euro at risk × confidence first.
func (e *Engine) Alerts(_ context.Context, q AlertQuery) (*AlertPage, error) {
	b, err := e.book(q.Creditor)
	if err != nil {
		return nil, err
	}
	if q.Status != "" && !slices.Contains([]string{AlertOpen, AlertConfirmed, AlertDismissed, AlertSnoozed, AlertRolledUp}, q.Status) {
		return nil, &FieldError{"/status", fmt.Sprintf("%q is none of open, confirmed, dismissed, snoozed, rolled_up", q.Status)}
	}
	after, err := alertMark(q.Cursor)
	if err != nil {
		return nil, err
	}
	at, loc := e.now(q.AsOf), b.location.Load()
	type entry struct {
		alertPlace
		filed *filed
	}
	page := &AlertPage{Alerts: []Alert{}}
	var list []entry
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, a := range b.alerts {
		if q.Kind != "" && a.kind != q.Kind || q.Debtor != "" && !a.concerns(q.Debtor) {
			continue
		}
		status, _, f, raised, ok := a.at(at)
		if !ok || f == nil || q.Status != "" && status != q.Status || q.Status == "" && status == AlertRolledUp ||
			q.Current && !a.current(b.accounts[a.debtor], f, raised, at) {
			continue
		}
		page.Total++
		if x := (entry{alertPlace{f.Euro * f.Confidence, a.id}, a}); q.Cursor == "" || x.compare(after) > 0 {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(x, y entry) int { return x.compare(y.alertPlace) })
	if q.Limit > 0 && len(list) > q.Limit {
		list = list[:q.Limit]
		page.Next = list[q.Limit-1].String()
	}
	for _, x := range list {
		page.Alerts = append(page.Alerts, *x.filed.show(b.id, b.accounts[x.filed.debtor], at, loc))
	}
	return page, nil
}

// alertPlace is the place of an alert in a list.
type alertPlace struct {
	priority float64
	id       string
}

func (p alertPlace) compare(o alertPlace) int {
	return cmp.Or(cmp.Compare(o.priority, p.priority), cmp.Compare(o.id, p.id))
}

func (p alertPlace) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatFloat(p.priority, 'g', -1, 64) + " " + p.id))
}

// alertMark reads the place that a cursor stands for.
func alertMark(cursor string) (p alertPlace, err error) {
	if cursor == "" {
		return p, nil
	}
	wrong := &FieldError{"/cursor", "is not one that was answered"}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return p, wrong
	}
	number, id, _ := strings.Cut(string(text), " ")
	if p.priority, err = strconv.ParseFloat(number, 64); err != nil || id == "" {
		return p, wrong
	}
	p.id = id
	return p, nil
}

// concerns tells whether the alert speaks of a debtor.
func (a *filed) concerns(debtor string) bool {
	return a.debtor == debtor || slices.ContainsFunc(a.members, func(m store.Member) bool { return m.Debtor == debtor })
}

// Alert returns one alert as it stands, or ledger.ErrNotFound. An empty
// creditor stands for any.
func (e *Engine) Alert(_ context.Context, creditor, id string, asOf time.Time) (*Alert, error) {
	b, a, err := e.findAlert(creditor, id)
	if err != nil {
		return nil, err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if x := a.show(b.id, b.accounts[a.debtor], e.now(asOf), b.location.Load()); x != nil {
		return x, nil
	}
	return nil, fmt.Errorf("alert %q: %w", id, ledger.ErrNotFound)
}

func (e *Engine) findAlert(creditor, id string) (*book, *filed, error) {
	creditors := []string{creditor}
	if creditor == "" {
		creditors = e.Creditors()
	}
	for _, c := range creditors {
		b, err := e.book(c)
		if err != nil {
			return nil, nil, err
		}
		b.mu.RLock()
		i := slices.IndexFunc(b.alerts, func(a *filed) bool { return a.id == id })
		var a *filed
		if i >= 0 {
			a = b.alerts[i]
		}
		b.mu.RUnlock()
		if a != nil {
			return b, a, nil
		}
	}
	return nil, nil, fmt.Errorf("alert %q: %w", id, ledger.ErrNotFound)
}

// VerdictRequest is what a person says of an alert.
type VerdictRequest struct {
	Verdict string    // confirmed dismissed snoozed; open takes a verdict back
	Until   time.Time // of snoozed
	Note    string
	By      string
	AsOf    time.Time // when it was said; zero: the engine's clock
}

// Verdict notes what a person says of an alert and returns the alert after it.
// Confirmed and dismissed move the evidence that alerts of this kind and
// creditor need from then on. It returns ledger.ErrNotFound for an alert that
// the creditor does not have, and ledger.ErrConflict for one that a group's
// alert tells.
func (e *Engine) Verdict(ctx context.Context, id, creditor string, r VerdictRequest) (*Alert, error) {
	b, a, err := e.findAlert(creditor, id)
	if err != nil {
		return nil, err
	}
	at := e.now(r.AsOf)
	step := store.AlertStep{At: at, Verdict: r.Verdict, Note: r.Note, Actor: r.By}
	switch r.Verdict {
	case AlertConfirmed, AlertDismissed:
		if !r.Until.IsZero() {
			return nil, &FieldError{"/until", "belongs to snoozed"}
		}
	case AlertOpen:
		if !r.Until.IsZero() {
			return nil, &FieldError{"/until", "belongs to snoozed"}
		}
		step.Verdict = stepReopened
	case AlertSnoozed:
		if r.Until.IsZero() {
			return nil, &FieldError{"/until", "is missing: until when?"}
		}
		if !r.Until.After(at) {
			return nil, &FieldError{"/until", "lies in the past"}
		}
		step.Until = r.Until.UTC().Truncate(time.Microsecond)
	default:
		return nil, &FieldError{"/verdict", fmt.Sprintf("%q is none of confirmed, dismissed, snoozed, open", r.Verdict)}
	}
	b.learning.Lock() // the detectors write alerts, too
	defer b.learning.Unlock()
	b.mu.RLock()
	status, _, f, _, ok := a.at(at)
	from := len(a.steps)
	b.mu.RUnlock()
	if !ok || f == nil {
		return nil, &FieldError{"/as_of", "lies before the alert"}
	}
	if status == AlertRolledUp {
		return nil, fmt.Errorf("alert %s is told by another: %w", id, ledger.ErrConflict)
	}
	if err := e.store.PutAlerts(ctx, store.AlertBatch{
		Creditor: b.id,
		Changes: []store.AlertChange{{
			Alert: store.Alert{Creditor: b.id, ID: id, Debtor: a.debtor, Kind: a.kind, Steps: []store.AlertStep{step}}, From: from,
		}},
		Audit: []store.AuditEntry{{Actor: r.By, Action: "alert " + r.Verdict, Object: id, Detail: r.Note}},
	}); err != nil {
		return nil, fmt.Errorf("verdict on %s: %w", id, err)
	}
	b.mu.Lock()
	a.add(step, nil)
	b.mu.Unlock()
	return e.Alert(ctx, b.id, id, at)
}

// loadAlerts reads the alerts of a book from the file.
func (e *Engine) loadAlerts(ctx context.Context, b *book) error {
	rows, err := e.store.Alerts(ctx, b.id)
	if err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	for i := range rows {
		r := &rows[i]
		a := &filed{id: r.ID, debtor: r.Debtor, kind: r.Kind, opened: r.OpenedAt, members: r.Members, steps: r.Steps, bodies: make([]*found, len(r.Steps))}
		for k, s := range r.Steps {
			if s.Body == nil {
				continue
			}
			a.bodies[k] = &found{}
			if err := json.Unmarshal(s.Body, a.bodies[k]); err != nil {
				return fmt.Errorf("alert %s: %w", r.ID, err)
			}
			a.steps[k].Body = nil // held once
		}
		b.alerts = append(b.alerts, a)
	}
	return nil
}

// forgetAlerts drops the alerts of a debtor, and the debtor from those of
// groups.
func (b *book) forgetAlerts(debtor string) {
	b.alerts = slices.DeleteFunc(b.alerts, func(a *filed) bool { return a.debtor == debtor })
	for _, a := range b.alerts {
		a.members = slices.DeleteFunc(a.members, func(m store.Member) bool { return m.Debtor == debtor })
	}
}
