package world

import (
	"slices"
	"time"

	"rappel/datasets/ledger"
)

// Book is what the creditor knows of its debtors: what the events said and no
// more. Policies decide on it.
type Book struct {
	Accounts []*Account // in order of arrival
	byID     map[string]*Account
}

// Account is one debtor as the creditor knows it.
type Account struct {
	ID       string
	Kind     ledger.Kind
	Language string
	Country  string
	Region   string // postcode area: country and first two characters
	Sector   string
	Zone     *time.Location
	Usable   [ledger.Channels]bool // reachable, with consent, not opted out and not bounced
	Open     []OpenInvoice
	Sent     []SentContact

	blocked map[string]ledger.Day // case id → the day it ends, or a far one
}

// OpenInvoice is one unpaid bill as the creditor knows it.
type OpenInvoice struct {
	ID       string
	Due      ledger.Day
	Cents    int64
	Disputed string // id of the case, or empty
}

// SentContact is one contact that was sent.
type SentContact struct {
	ID      string
	Channel ledger.Channel
	At      time.Time
}

// Profile is the segment that a creditor would put an account in: the division
// of its sector and its kind.
func (a *Account) Profile() string { return string(a.Kind) + "/" + a.Sector[:min(2, len(a.Sector))] }

// Claim returns what may be asked for on a day, and the oldest due date of it:
// invoices not disputed that are due within so many days. Nothing may be asked
// of an account that is held.
func (a *Account) Claim(date ledger.Day, within int) (cents int64, oldest ledger.Day) {
	for _, until := range a.blocked {
		if until >= date {
			return 0, 0
		}
	}
	for i := range a.Open {
		if inv := &a.Open[i]; inv.Disputed == "" && int(inv.Due-date) <= within {
			if cents == 0 || inv.Due < oldest {
				oldest = inv.Due
			}
			cents += inv.Cents
		}
	}
	return cents, oldest
}

// NewBook returns an empty book.
func NewBook() *Book { return &Book{byID: make(map[string]*Account)} }

// Account returns the account of a debtor, or nil.
func (b *Book) Account(debtor string) *Account { return b.byID[debtor] }

// Apply takes in events, in order of time.
func (b *Book) Apply(events []Event) {
	for i := range events {
		b.apply(&events[i])
	}
}

func (b *Book) apply(e *Event) {
	a := b.byID[e.Debtor]
	if a == nil {
		a = &Account{ID: e.Debtor, Zone: time.UTC, blocked: make(map[string]ledger.Day)}
		b.byID[e.Debtor] = a
		b.Accounts = append(b.Accounts, a)
	}
	d := &e.Data
	c, _ := ledger.ParseChannel(d.Channel)
	switch e.Type {
	case "debtor.upserted":
		a.Kind, a.Language, a.Country, a.Sector = ledger.Kind(d.Kind), d.Language, d.Country, d.SectorCode
		a.Region = d.Country + d.Postcode[:min(2, len(d.Postcode))]
		if loc, err := time.LoadLocation(d.Timezone); err == nil {
			a.Zone = loc
		}
		for _, r := range d.Channels {
			c, _ := ledger.ParseChannel(r.Channel)
			a.Usable[c] = r.Reachable && r.Consent
		}
	case "invoice.issued":
		a.Open = append(a.Open, OpenInvoice{ID: d.InvoiceID, Due: d.DueOn, Cents: int64(d.Amount)})
	case "invoice.cancelled":
		a.Open = slices.DeleteFunc(a.Open, func(i OpenInvoice) bool { return i.ID == d.InvoiceID })
	case "payment.received":
		for i := range a.Open {
			if a.Open[i].ID == d.InvoiceID {
				a.Open[i].Cents -= int64(d.Amount)
			}
		}
		a.Open = slices.DeleteFunc(a.Open, func(i OpenInvoice) bool { return i.Cents <= 0 })
	case "contact.sent":
		a.Sent = append(a.Sent, SentContact{ID: d.ContactID, Channel: c, At: e.Time})
	case "contact.bounced", "debtor.opted_out":
		a.Usable[c] = false
	case "case.opened":
		if d.Kind == "dispute" {
			a.dispute(d.InvoiceID, d.CaseID)
			return
		}
		until := d.ExpiresOn
		if until == 0 {
			until = never
		}
		a.blocked[d.CaseID] = until
	case "case.closed":
		delete(a.blocked, d.CaseID)
		a.dispute(d.InvoiceID, "")
	}
}

// Machine tells whether an open came within a minute of sending, as those of
// mail gateways do.
func (a *Account) Machine(e *Event) bool {
	s := a.contact(e.Data.ContactID)
	return s != nil && e.Time.Sub(s.At) < time.Minute
}

// contact returns a contact by id, or nil.
func (a *Account) contact(id string) *SentContact {
	for i := len(a.Sent) - 1; i >= 0; i-- {
		if a.Sent[i].ID == id {
			return &a.Sent[i]
		}
	}
	return nil
}

func (a *Account) dispute(invoice, by string) {
	for i := range a.Open {
		if a.Open[i].ID == invoice {
			a.Open[i].Disputed = by
		}
	}
}

// Last returns the moment of the last contact, zero if there was none.
func (a *Account) Last() time.Time {
	if n := len(a.Sent); n > 0 {
		return a.Sent[n-1].At
	}
	return time.Time{}
}
