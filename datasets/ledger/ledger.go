// Package ledger is the vocabulary of the field: creditor, debtor, invoice,
// payment, contact, engagement, case, rating, event, decision. It knows
// nothing of files, databases or models and imports only the standard library.
//
// Money is a whole number of cents of a currency. A moment is a time.Time in
// UTC; a day is a Day, a date without a zone, read in the debtor's zone.
package ledger

import (
	"errors"
	"fmt"
	"time"
)

// Sentinels that callers branch on.
var (
	ErrNotFound = errors.New("ledger: not found")
	ErrConflict = errors.New("ledger: conflict")
)

// Key names one debtor of one creditor.
type Key struct{ Creditor, Debtor string }

// Kind tells a business from a consumer; the law differs.
type Kind string

// The two kinds of debtor.
const (
	Business Kind = "business"
	Consumer Kind = "consumer"
)

// Channel is a way to reach a debtor.
type Channel uint8

// The channels, in the order in which every per-channel list of five is kept.
const (
	Email Channel = iota
	SMS
	WhatsApp
	Letter
	Phone
	Channels = 5 // how many there are
)

// ChannelNames are the wire names of the channels, by their number.
var ChannelNames = [Channels]string{"email", "sms", "whatsapp", "letter", "phone"}

// String returns the wire name.
func (c Channel) String() string { return ChannelNames[c] }

// ParseChannel returns the channel of a wire name, and whether there is one.
func ParseChannel(s string) (Channel, bool) {
	for i, n := range ChannelNames {
		if n == s {
			return Channel(i), true
		}
	}
	return 0, false
}

// Tone is how a contact speaks, from a friendly reminder to a formal notice.
type Tone uint8

// The tones, mildest first.
const (
	Friendly Tone = iota
	Neutral
	Formal
	Tones = 3 // how many there are
)

// ToneNames are the wire names of the tones, by their number.
var ToneNames = [Tones]string{"friendly", "neutral", "formal"}

// String returns the wire name.
func (t Tone) String() string { return ToneNames[t] }

// ParseTone returns the tone of a wire name, and whether there is one.
func ParseTone(s string) (Tone, bool) {
	for i, n := range ToneNames {
		if n == s {
			return Tone(i), true
		}
	}
	return 0, false
}

// Methods are the payment methods that a vector keeps apart; any other counts
// as "other", which is not among them.
var Methods = [6]string{"transfer", "app", "card", "direct_debit", "cash", "link"}

// ParseTime reads an RFC 3339 time such as 2026-03-03T15:12:09+01:00, in capitals,
// and keeps its offset. It is stricter than time.Parse, which also takes an hour of
// one digit and a comma before the fraction.
func ParseTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err == nil && (s[13] != ':' || s[19] == ',') {
		return time.Time{}, fmt.Errorf("parse time %q: not as RFC 3339 has it", s)
	}
	return t, err
}

// Day is a date without zone, counted in days since 1970-01-01.
type Day int32

// DayOf returns the date of t in loc.
func DayOf(t time.Time, loc *time.Location) Day {
	y, m, d := t.In(loc).Date()
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// ParseDay reads an ISO 8601 date such as 2026-03-04.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, err
	}
	return Day(t.Unix() / 86400), nil
}

// UTC returns midnight UTC of the day.
func (d Day) UTC() time.Time { return time.Unix(int64(d)*86400, 0).UTC() }

// In returns the start of the day in loc: midnight, or the first moment after
// it where a zone skips midnight.
func (d Day) In(loc *time.Location) time.Time {
	y, m, day := d.UTC().Date()
	return time.Date(y, m, day, 0, 0, 0, 0, loc)
}

// Weekday returns the day of the week.
func (d Day) Weekday() time.Weekday { return d.UTC().Weekday() }

// MonthEnd tells which of the last three (1, 2 and 3, the last) or first two (4
// and 5) days of a month d is, as month_end of the feature pipeline does; 0: another.
func (d Day) MonthEnd() int {
	if day := d.UTC().Day(); day <= 2 {
		return 3 + day
	}
	if day := (d + 3).UTC().Day(); day <= 3 {
		return day
	}
	return 0
}

// String returns the ISO 8601 date.
func (d Day) String() string { return d.UTC().Format(time.DateOnly) }

// MarshalText writes the ISO 8601 date.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads an ISO 8601 date.
func (d *Day) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDay(string(b))
	return err
}

// Debtor is what is known of a debtor from ObservedAt on.
type Debtor struct {
	Creditor, ID string
	Kind         Kind
	Language     string // nl, fr, en, …
	Timezone     string // IANA name; empty: the creditor's
	Country      string // ISO 3166 alpha-2
	Postcode     string
	Sector       string // NACE-BEL or SBI code
	CreatedAt    time.Time
	ObservedAt   time.Time
}

// Reach is what was said of one channel of one debtor at ObservedAt. It may say
// less than everything: a field named in Unknown holds false and means that the
// earlier word stands (see Reach.After). The zero Unknown says all three.
type Reach struct {
	Creditor, Debtor string
	Channel          Channel
	Reachable        bool
	Consent          bool
	OptedOut         bool
	Unknown          Facet
	ObservedAt       time.Time
}

// Facet is a set of the three things that a Reach says.
type Facet uint8

// The facets of a Reach.
const (
	FacetReachable Facet = 1 << iota
	FacetConsent
	FacetOptedOut
)

// Invoice is one bill. A row that only cancels has zero ObservedAt, IssuedAt,
// DueOn and Cents and no Currency.
type Invoice struct {
	Creditor, ID, Debtor string
	ObservedAt           time.Time // when it became known: no answer as of an earlier moment may use it
	IssuedAt             time.Time
	DueOn                Day
	Cents                int64 // never negative
	Currency             string
	CancelledAt          time.Time // zero while it stands
}

// Payment is money received on an invoice.
type Payment struct {
	Creditor, ID, Invoice, Debtor string
	PaidAt                        time.Time
	Cents                         int64 // never negative
	Method                        string
}

// Contact is one message or call to a debtor.
type Contact struct {
	Creditor, ID, Debtor string
	Decision             string // empty where it was not ours
	Channel              Channel
	Tone                 Tone
	SentAt               time.Time
	CostCents            int64
	Invoices             []string
}

// Engagement is a sign that a debtor gave, or the fate of a contact.
type Engagement struct {
	Creditor, EventID, Debtor string
	Contact                   string // empty where unknown
	Invoice                   string // empty where unknown; what was viewed
	Channel                   Channel
	HasChannel                bool
	Kind                      string // delivered bounced opened viewed clicked replied answered unsubscribed complained
	OccurredAt                time.Time
	Precision                 string // date hour second
	Machine                   bool
}

// Case is a state that changes what may be asked: dispute, payment_plan,
// promise, insolvency, debt_mediation, legal, objection (to profiling), or hold
// (the creditor's own). A row that only closes has zero OpenedAt and ExpiresOn.
type Case struct {
	Creditor, ID, Debtor string
	Invoice              string // empty: all of the debtor
	Kind                 string
	OpenedAt             time.Time
	ExpiresOn            Day       // 0: none
	ClosedAt             time.Time // zero while open
	Outcome              string
}

// CaseKinds are the kinds of case that the engine knows.
var CaseKinds = []string{"dispute", "payment_plan", "promise", "insolvency", "debt_mediation", "legal", "hold", "objection"}

// Rating is a credit rating observed of a debtor.
type Rating struct {
	Creditor, Debtor string
	ObservedAt       time.Time
	Provider         string
	Score            float64
}

// Rows is a set of rows of the typed tables: what a batch of events wrote, or
// a part of the warehouse streamed at start.
type Rows struct {
	Debtors     []Debtor
	Reach       []Reach
	Invoices    []Invoice
	Payments    []Payment
	Contacts    []Contact
	Engagements []Engagement
	Cases       []Case
	Ratings     []Rating
}

// ByDebtor returns the rows of each debtor, in the order they have here.
func (r *Rows) ByDebtor() map[Key]*Rows {
	by := map[Key]*Rows{}
	deal(by, r.Debtors, func(x *Debtor) Key { return Key{x.Creditor, x.ID} }, func(r *Rows) *[]Debtor { return &r.Debtors })
	deal(by, r.Reach, func(x *Reach) Key { return Key{x.Creditor, x.Debtor} }, func(r *Rows) *[]Reach { return &r.Reach })
	deal(by, r.Invoices, func(x *Invoice) Key { return Key{x.Creditor, x.Debtor} }, func(r *Rows) *[]Invoice { return &r.Invoices })
	deal(by, r.Payments, func(x *Payment) Key { return Key{x.Creditor, x.Debtor} }, func(r *Rows) *[]Payment { return &r.Payments })
	deal(by, r.Contacts, func(x *Contact) Key { return Key{x.Creditor, x.Debtor} }, func(r *Rows) *[]Contact { return &r.Contacts })
	deal(by, r.Engagements, func(x *Engagement) Key { return Key{x.Creditor, x.Debtor} }, func(r *Rows) *[]Engagement { return &r.Engagements })
	deal(by, r.Cases, func(x *Case) Key { return Key{x.Creditor, x.Debtor} }, func(r *Rows) *[]Case { return &r.Cases })
	deal(by, r.Ratings, func(x *Rating) Key { return Key{x.Creditor, x.Debtor} }, func(r *Rows) *[]Rating { return &r.Ratings })
	return by
}

// deal adds each row to the list of its debtor.
func deal[T any](by map[Key]*Rows, rows []T, key func(*T) Key, list func(*Rows) *[]T) {
	for i := range rows {
		k := key(&rows[i])
		if by[k] == nil {
			by[k] = &Rows{}
		}
		to := list(by[k])
		*to = append(*to, rows[i])
	}
}

// Decision is one answer of the engine, as it is logged before it is given.
type Decision struct {
	Creditor, ID, Debtor string
	DecidedAt            time.Time // the as-of moment, the decision's only clock
	Arm                  string    // treatment or control
	Action               string    // contact wait hold
	Channel              Channel
	SendAt               time.Time
	Tone                 Tone
	Propensity           float64
	ModelID              string
	Status               string // proposed approved rejected overridden superseded
	IdempotencyKey       string
	Answer               []byte    // the JSON answer that was given
	Candidates           []byte    // the exact distribution over candidates, compact
	Vector               []float64 // φ of the chosen candidate, what the learner updates with
	Baseline             float64   // expected reward without contact
}

// Reward is what a decision was worth, as far as was seen by ObservedUntil.
type Reward struct {
	Creditor, Decision string
	Value              float64
	Imputed            bool // part of it is still an expectation
	ObservedUntil      time.Time
}

// Review is a person's verdict on a decision.
type Review struct {
	At      time.Time  `json:"at"`
	Verdict string     `json:"verdict"` // approve reject override
	Channel string     `json:"channel,omitempty"`
	SendAt  *time.Time `json:"send_at,omitempty"`
	Note    string     `json:"note,omitempty"`
	Actor   string     `json:"actor"`
}

// Learned is what had been learnt of a creditor's book as of a moment.
type Learned struct {
	AsOf    time.Time
	ModelID string
	Blob    []byte
}

// MachineOpen is an opening that a learning found to be made by a machine.
type MachineOpen struct {
	Creditor, Event, Debtor string
	KnownAt                 time.Time // as of which the learning was
	Verdict                 string    // how it showed
}

// Creditor is a tenant and how it wants to be served.
type Creditor struct {
	ID            string
	Name          string
	Country       string
	Timezone      string
	Currency      string
	Autonomy      string // advise approve auto
	ApprovalAbove int64  // cents; 0: none
	ControlShare  float64
	PolicyPack    string
	Settings      []byte // JSON of value parameters and capacities
}
