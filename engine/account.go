package engine

import (
	"cmp"
	"slices"
	"time"

	"rappel/datasets/ledger"
)

// account is everything that happened with one debtor, in memory: the hard
// facts a decision must know to the event. It is folded from the same typed
// rows whether they come from a commit or from the file at start, and asked as
// of a moment: whatever lies after that moment plays no part.
type account struct {
	key      ledger.Key
	profile  []ledger.Debtor                 // by ObservedAt
	reach    [ledger.Channels][]ledger.Reach // by ObservedAt
	invoices []invoice                       // by ID, as they came
	contacts []contact                       // by sentAt
	signs    []sign                          // by at
	cases    []ledger.Case
	ratings  []ledger.Rating // by ObservedAt
	payments []payment       // by at
	revision uint64          // counts what was folded in; tells a cache that it is stale
	sifted   sifted
}

type invoice struct {
	id        string
	issued    int64 // unix seconds; 0: not known yet
	due       ledger.Day
	cents     int64
	cancelled int64 // 0: stands
	paid      int64 // when its payments first covered it; 0: not yet
	pays      []payment
}

type payment struct {
	at     int64
	cents  int64
	method string
}

type contact struct {
	id, decision string
	channel      ledger.Channel
	tone         ledger.Tone
	at           int64
	cents        int64
	idle         bool // nothing was owed
}

type sign struct {
	event, contact string
	kind           signKind
	channel        int8 // -1: unknown
	precise        bool // to the hour or better
	second         bool // to the second
	machine        bool
	at             int64
	found          int64 // when a learning found it to be a machine's, unix seconds; 0: never
	ref            int   // index of the contact it speaks of; -1: none
}

type signKind uint8

const (
	signDelivered signKind = iota
	signBounced
	signOpened
	signViewed
	signClicked
	signReplied
	signAnswered
	signUnsubscribed
	signComplained
)

var signKinds = map[string]signKind{
	"delivered": signDelivered, "bounced": signBounced, "opened": signOpened, "viewed": signViewed,
	"clicked": signClicked, "replied": signReplied, "answered": signAnswered,
	"unsubscribed": signUnsubscribed, "complained": signComplained,
}

var signNames = func() (names [signComplained + 1]string) {
	for name, k := range signKinds {
		names[k] = name
	}
	return names
}()

// human tells whether the sign shows a person's attention, by what was known at
// a moment.
func (s *sign) human(at int64) bool {
	return !s.machine && (s.found == 0 || s.found > at) && s.kind >= signOpened && s.kind <= signAnswered
}

func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// insertBy keeps list sorted by when: late events find their place.
func insertBy[T any](list []T, x T, when func(*T) int64) []T {
	i := len(list)
	for i > 0 && when(&list[i-1]) > when(&x) {
		i--
	}
	return slices.Insert(list, i, x)
}

// fold adds rows of this debtor. Rows may come late, out of order and in
// parts: a case closed before it was opened, an invoice cancelled before it
// was issued.
func (a *account) fold(r *ledger.Rows) {
	a.revision++
	for _, d := range r.Debtors {
		a.profile = insertBy(a.profile, d, func(d *ledger.Debtor) int64 { return d.ObservedAt.Unix() })
	}
	for _, x := range r.Reach {
		a.reach[x.Channel] = insertBy(a.reach[x.Channel], x, func(x *ledger.Reach) int64 { return x.ObservedAt.Unix() })
	}
	for _, x := range r.Invoices {
		v := a.invoice(x.ID)
		if !x.IssuedAt.IsZero() && v.issued == 0 {
			v.issued, v.due, v.cents = x.IssuedAt.Unix(), x.DueOn, x.Cents
			v.settle()
		}
		if !x.CancelledAt.IsZero() && v.cancelled == 0 {
			v.cancelled = x.CancelledAt.Unix()
		}
	}
	for _, x := range r.Payments {
		p := payment{x.PaidAt.Unix(), x.Cents, x.Method}
		when := func(p *payment) int64 { return p.at }
		a.payments = insertBy(a.payments, p, when)
		v := a.invoice(x.Invoice)
		v.pays = insertBy(v.pays, p, when)
		v.settle()
	}
	for _, x := range r.Contacts {
		a.contacts = insertBy(a.contacts, contact{id: x.ID, decision: x.Decision, channel: x.Channel, tone: x.Tone, at: x.SentAt.Unix(), cents: x.CostCents},
			func(c *contact) int64 { return c.at })
	}
	for _, x := range r.Engagements {
		s := sign{
			event: x.EventID, contact: x.Contact, kind: signKinds[x.Kind], channel: -1,
			precise: x.Precision != "date", second: x.Precision == "second", machine: x.Machine, at: x.OccurredAt.Unix(),
		}
		if x.HasChannel {
			s.channel = int8(x.Channel)
		}
		a.signs = insertBy(a.signs, s, func(s *sign) int64 { return s.at })
	}
	if len(r.Contacts)+len(r.Engagements) > 0 {
		a.relate()
	}
	if len(r.Contacts)+len(r.Invoices)+len(r.Payments) > 0 {
		for i := range a.contacts {
			a.contacts[i].idle = a.idle(i)
		}
	}
	for _, x := range r.Cases {
		i := slices.IndexFunc(a.cases, func(c ledger.Case) bool { return c.ID == x.ID })
		if i < 0 {
			a.cases = append(a.cases, x)
			continue
		}
		c := &a.cases[i]
		c.Kind = cmp.Or(c.Kind, x.Kind)
		c.Invoice = cmp.Or(c.Invoice, x.Invoice)
		c.Outcome = cmp.Or(c.Outcome, x.Outcome)
		c.ExpiresOn = cmp.Or(c.ExpiresOn, x.ExpiresOn)
		if c.OpenedAt.IsZero() {
			c.OpenedAt = x.OpenedAt
		}
		if c.ClosedAt.IsZero() {
			c.ClosedAt = x.ClosedAt
		}
	}
	for _, x := range r.Ratings {
		a.ratings = insertBy(a.ratings, x, func(x *ledger.Rating) int64 { return x.ObservedAt.Unix() })
	}
}

// invoice returns the invoice of an id; a new one where it is not known yet.
func (a *account) invoice(id string) *invoice {
	for i := len(a.invoices) - 1; i >= 0; i-- {
		if a.invoices[i].id == id {
			return &a.invoices[i]
		}
	}
	a.invoices = append(a.invoices, invoice{id: id})
	return &a.invoices[len(a.invoices)-1]
}

// settle finds when the payments of v first covered it.
func (v *invoice) settle() {
	v.paid = 0
	if v.issued == 0 {
		return
	}
	open := v.cents
	for _, p := range v.pays {
		if open -= p.cents; open <= 0 {
			v.paid = p.at
			return
		}
	}
}

// relate finds the contact that each sign speaks of.
func (a *account) relate() {
	for i := range a.signs {
		a.signs[i].ref = a.contactOf(&a.signs[i])
	}
}

// profileAt returns what was known of the debtor at a moment; the first thing
// ever known where the moment lies before it, so that a debtor whose profile
// arrived late is not without a zone.
func (a *account) profileAt(at int64) *ledger.Debtor {
	var found *ledger.Debtor
	for i := range a.profile {
		if found == nil || a.profile[i].ObservedAt.Unix() <= at {
			found = &a.profile[i]
		}
	}
	return found
}

// openAt returns what was open of the invoice at a moment, in cents.
func (v *invoice) openAt(at int64) int64 {
	if v.paid != 0 && v.paid <= at {
		return 0
	}
	open := v.cents
	for _, p := range v.pays {
		if p.at > at {
			break
		}
		open -= p.cents
	}
	return max(open, 0)
}

// contactOf returns the index of the contact that a sign speaks of, or the
// last one sent before it on its channel, or -1.
func (a *account) contactOf(s *sign) int {
	for i := len(a.contacts) - 1; i >= 0; i-- {
		c := &a.contacts[i]
		if s.contact != "" {
			if c.id == s.contact {
				return i
			}
			continue
		}
		if c.at <= s.at && s.channel >= 0 && int8(c.channel) == s.channel {
			return i
		}
	}
	return -1
}

// prefetchSeconds after sending an e-mail, an open is a scanner's.
const prefetchSeconds = 10

// attention tells whether sign s is a person's, given the contact it belongs
// to (or -1), by what was known at a moment.
func (a *account) attention(s *sign, contact int, at int64) bool {
	if !s.human(at) {
		return false
	}
	return s.kind != signOpened || contact < 0 || a.contacts[contact].channel != ledger.Email ||
		!s.precise || s.at-a.contacts[contact].at > prefetchSeconds
}
