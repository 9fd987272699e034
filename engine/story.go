package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// Happening is one point of the timeline.
type Happening struct {
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	ID      string    `json:"id,omitempty"`
	Channel string    `json:"channel,omitempty"`
	Amount  float64   `json:"amount,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	// Status is what became of a decision to contact: sent, waiting, planned,
	// rejected, superseded (another was made) or expired.
	Status string     `json:"status,omitempty"`
	SendAt *time.Time `json:"send_at,omitempty"` // when the contact was to go out
	Actor  string     `json:"actor,omitempty"`   // who did it
	Text   string     `json:"text,omitempty"`    // what a person wrote, or why nothing was sent
	why    Reason     // what Text says, where it is one of our sentences
}

// In returns what the happening says in a language.
func (h *Happening) In(language string) string {
	return inWords(tongueOf(language), h.why.Code, h.Text, h.why.Contribution < 0, h.why.Args)
}

// storyLength is how many decisions, and how many notes, a timeline reaches
// back.
const storyLength = 200

// story lists what happened with a debtor, what was decided and what people
// said of it, by a moment, newest first.
func (e *Engine) story(ctx context.Context, b *book, key ledger.Key, at time.Time, loc *time.Location) ([]Happening, error) {
	b.mu.RLock()
	a := b.accounts[key.Debtor]
	if a == nil {
		b.mu.RUnlock()
		return nil, &DebtorError{key.Debtor}
	}
	list := a.timeline(at.Unix(), loc)
	sent := map[string]bool{} // decisions that a contact carried out
	for i := range a.contacts {
		if k := &a.contacts[i]; k.decision != "" && k.at <= at.Unix() {
			sent[k.decision] = true
		}
	}
	b.mu.RUnlock()

	decisions, err := e.store.Decisions(ctx, key, storyLength)
	if err != nil {
		return nil, fmt.Errorf("decisions of %s: %w", key.Debtor, err)
	}
	later := false // a later decision was made
	for i := range decisions {
		row := &decisions[i]
		if row.DecidedAt.After(at) {
			continue
		}
		d, err := parseAnswer(row)
		if err != nil {
			return nil, err
		}
		h := Happening{At: row.DecidedAt.In(loc), Kind: "decision." + d.Action, ID: d.ID, Channel: d.Channel, Detail: d.HoldReason, SendAt: d.SendAt}
		switch d.Action {
		case ActionContact:
			h.Status, h.Detail = fate(row, d, sent[d.ID], later, at), d.Tone
		case ActionWait, ActionHold:
			h.why = whyNot(d)
			h.Text = h.why.Text
		}
		list, later = append(list, h), true
		if row.Status == "proposed" {
			continue
		}
		reviews, err := e.store.Reviews(ctx, key.Creditor, d.ID)
		if err != nil {
			return nil, fmt.Errorf("reviews of %s: %w", d.ID, err)
		}
		for _, r := range reviews {
			if r.At.After(at) {
				continue
			}
			h := Happening{At: r.At.In(loc), Kind: "review." + r.Verdict, ID: d.ID, Channel: r.Channel, Actor: r.Actor, Text: r.Note}
			if r.SendAt != nil {
				sendAt := r.SendAt.In(loc)
				h.SendAt = &sendAt
			}
			list = append(list, h)
		}
	}
	notes, err := e.store.Notes(ctx, key, storyLength)
	if err != nil {
		return nil, fmt.Errorf("notes on %s: %w", key.Debtor, err)
	}
	for _, n := range notes {
		if !n.At.After(at) {
			list = append(list, Happening{At: n.At.In(loc), Kind: "note", ID: n.Object, Actor: n.Actor, Text: n.Text})
		}
	}
	slices.SortStableFunc(list, func(a, b Happening) int { return b.At.Compare(a.At) })
	return list, nil
}

// fate is what became of a decision to contact.
func fate(row *ledger.Decision, d *Decision, sent, later bool, at time.Time) string {
	switch {
	case sent:
		return "sent"
	case row.Status == "rejected":
		return "rejected"
	case later:
		return "superseded"
	case row.Status == "proposed" && d.RequiresApproval && d.ExpiresAt.After(at):
		return "waiting"
	case row.Status != "overridden" && !d.ExpiresAt.After(at):
		return "expired"
	}
	return "planned"
}

// whyNot is why a decision was not to contact, a constraint as a reason.
func whyNot(d *Decision) Reason {
	if d.HoldReason != "" {
		for _, c := range d.Constraints {
			if c.Code == d.HoldReason {
				return Reason{Code: c.Code, Text: c.Text}
			}
		}
	}
	if len(d.Reasons) > 0 {
		return d.Reasons[0]
	}
	return Reason{}
}

// timeline lists what happened by a moment.
func (a *account) timeline(at int64, loc *time.Location) []Happening {
	list := []Happening{}
	add := func(when int64, h Happening) {
		if when != 0 && when <= at {
			h.At = time.Unix(when, 0).In(loc)
			list = append(list, h)
		}
	}
	for i := range a.invoices {
		v := &a.invoices[i]
		add(v.issued, Happening{Kind: "invoice.issued", ID: v.id, Amount: float64(v.cents) / 100, Detail: v.due.String()})
		add(v.cancelled, Happening{Kind: "invoice.cancelled", ID: v.id})
		for _, p := range v.pays {
			add(p.at, Happening{Kind: "payment.received", ID: v.id, Amount: float64(p.cents) / 100, Detail: p.method})
		}
	}
	for i := range a.contacts {
		c := &a.contacts[i]
		add(c.at, Happening{Kind: "contact.sent", ID: c.id, Channel: c.channel.String(), Detail: c.tone.String()})
	}
	for i := range a.signs {
		s := &a.signs[i]
		h := Happening{Kind: "sign." + signNames[s.kind], ID: s.contact}
		if s.channel >= 0 {
			h.Channel = ledger.Channel(s.channel).String()
		}
		add(s.at, h)
	}
	for i := range a.cases {
		c := &a.cases[i]
		add(unixOf(c.OpenedAt), Happening{Kind: "case.opened", ID: c.ID, Detail: c.Kind})
		add(unixOf(c.ClosedAt), Happening{Kind: "case.closed", ID: c.ID, Detail: c.Outcome})
	}
	for i := range a.ratings {
		r := &a.ratings[i]
		add(r.ObservedAt.Unix(), Happening{Kind: "rating.changed", ID: r.Provider, Amount: r.Score})
	}
	return list
}

// AddNote keeps what a person wrote about a debtor.
func (e *Engine) AddNote(ctx context.Context, key ledger.Key, text string, p Person) error {
	return e.note(ctx, key, "", text, p)
}

// Person is who does something, and when.
type Person struct {
	Actor string
	AsOf  time.Time // zero: the engine's clock
}

func (e *Engine) note(ctx context.Context, key ledger.Key, object, text string, p Person) error {
	if err := e.knows(key); err != nil {
		return err
	}
	id, at := e.personID("note", p)
	n := store.Note{ID: id, At: at, Actor: p.Actor, Object: object, Text: text}
	if err := e.store.AddNote(ctx, key, n); err != nil {
		return err
	}
	return e.store.Audit(ctx, key.Creditor, p.Actor, "note", key.Debtor, "")
}

// HoldDebtor blocks a debtor from contact, for a reason, until a day ends.
func (e *Engine) HoldDebtor(ctx context.Context, key ledger.Key, reason string, until ledger.Day, p Person) error {
	if err := e.knows(key); err != nil {
		return err
	}
	id, at := e.personID("hold", p)
	row := ledger.Case{Creditor: key.Creditor, ID: id, Debtor: key.Debtor, Kind: "hold", OpenedAt: at, ExpiresOn: until}
	event := ledger.Event{ID: id, Type: "case.opened", Time: at, Creditor: key.Creditor, Debtor: key.Debtor, Rows: ledger.Rows{Cases: []ledger.Case{row}}}
	if _, _, err := e.Ingest(ctx, []ledger.Event{event}); err != nil {
		return err
	}
	if err := e.note(ctx, key, id, reason, p); err != nil {
		return err
	}
	return e.store.Audit(ctx, key.Creditor, p.Actor, "hold", key.Debtor, until.String())
}

// ReleaseDebtor ends the holds of a debtor that people set.
func (e *Engine) ReleaseDebtor(ctx context.Context, key ledger.Key, p Person) error {
	b, err := e.book(key.Creditor)
	if err != nil {
		return err
	}
	at := e.now(p.AsOf)
	var events []ledger.Event
	b.mu.RLock()
	if a := b.accounts[key.Debtor]; a != nil {
		for i := range a.cases {
			if c := &a.cases[i]; c.Kind == "hold" && c.ClosedAt.IsZero() {
				row := ledger.Case{Creditor: key.Creditor, ID: c.ID, Debtor: key.Debtor, ClosedAt: at, Outcome: "released"}
				events = append(events, ledger.Event{
					ID: c.ID + "-released", Type: "case.closed", Time: at, Creditor: key.Creditor, Debtor: key.Debtor, Rows: ledger.Rows{Cases: []ledger.Case{row}},
				})
			}
		}
	}
	b.mu.RUnlock()
	if len(events) == 0 {
		return fmt.Errorf("%q has no hold: %w", key.Debtor, ledger.ErrConflict)
	}
	if _, _, err := e.Ingest(ctx, events); err != nil {
		return err
	}
	return e.store.Audit(ctx, key.Creditor, p.Actor, "release", key.Debtor, "")
}

// KnowsDebtor tells whether the book holds a debtor.
func (e *Engine) KnowsDebtor(key ledger.Key) bool { return e.knows(key) == nil }

// knows returns ErrDebtor for a debtor that the book does not hold.
func (e *Engine) knows(key ledger.Key) error {
	b, err := e.book(key.Creditor)
	if err != nil {
		return err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.accounts[key.Debtor] == nil {
		return &DebtorError{key.Debtor}
	}
	return nil
}

// personID names what a person did, and returns when.
func (e *Engine) personID(what string, p Person) (id string, at time.Time) {
	return what + "-" + strings.ToLower(rand.Text()), e.now(p.AsOf)
}
