package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxEvents is how many events one body may hold.
const MaxEvents = 10_000

// Errors of a body that cannot be read as events at all.
var (
	ErrUnreadable    = errors.New("ledger: body is neither a JSON array of events nor one event a line")
	ErrTooManyEvents = fmt.Errorf("ledger: more than %d events in one body", MaxEvents)
)

// Codes of rejected events.
const (
	CodeBadJSON      = "bad_json"      // a line that is not JSON
	CodeUnknownType  = "unknown_type"  // a type that is not in the contract
	CodeMissingField = "missing_field" // a required field is absent, null or empty
	CodeUnknownField = "unknown_field" // a field that is not in the contract
	CodeWrongType    = "wrong_type"    // a field, or the event, of another JSON type
	CodeBadTime      = "bad_time"      // a time or a date that cannot be read, or outside the years 1970 to 2200
	CodeBadValue     = "bad_value"     // a value that cannot be
)

// Event is one thing that happened, decoded: its envelope, and the rows that
// it adds to the ledger. An event that changes a row, such as a cancellation,
// brings a partial row, to be merged with what is there.
type Event struct {
	ID, Type         string
	Time             time.Time // UTC, whole microseconds
	Creditor, Debtor string
	Rows             Rows
}

// Rejected says why one event of a body was refused.
type Rejected struct {
	Index  int    `json:"index"` // its place in the body, from 0
	ID     string `json:"id"`    // empty where the event has none
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// EventError is a fault of one event.
type EventError struct{ ID, Code, Detail string }

// Error returns the code and the detail.
func (e *EventError) Error() string { return e.Code + ": " + e.Detail }

// ParseEvents decodes the body of POST /v1/events: a JSON array, or with ndjson
// one event a line. It returns the good events in order with their places in
// the body, and for every other one why it was refused. The error, which wraps
// ErrUnreadable or ErrTooManyEvents, is for a body that holds no events at all.
func ParseEvents(body []byte, ndjson bool) (events []Event, index []int, rejected []Rejected, err error) {
	items, err := split(body, ndjson)
	if err != nil {
		return nil, nil, nil, err
	}
	events, index = make([]Event, 0, len(items)), make([]int, 0, len(items))
	for i, item := range items {
		e, err := ParseEvent(item)
		if fault := (*EventError)(nil); errors.As(err, &fault) {
			rejected = append(rejected, Rejected{i, fault.ID, fault.Code, fault.Detail})
			continue
		}
		events, index = append(events, e), append(index, i)
	}
	return events, index, rejected, nil
}

// split cuts a body into the JSON texts of its events.
func split(body []byte, ndjson bool) ([]json.RawMessage, error) {
	var items []json.RawMessage
	if !ndjson {
		if err := json.Unmarshal(body, &items); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		if items == nil { // null
			return nil, ErrUnreadable
		}
		if len(items) > MaxEvents {
			return nil, ErrTooManyEvents
		}
		return items, nil
	}
	readable := false
	for line := range bytes.SplitSeq(body, []byte{'\n'}) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(items) == MaxEvents {
			return nil, ErrTooManyEvents
		}
		readable = readable || json.Valid(line)
		items = append(items, line)
	}
	if !readable && len(items) > 0 {
		return nil, ErrUnreadable
	}
	return items, nil
}

// ParseEvent decodes one event. Every error is an *EventError.
func ParseEvent(text []byte) (Event, error) {
	var e Event
	fault := func(code, detail string) (Event, error) {
		return Event{}, &EventError{ID: e.ID, Code: code, Detail: detail}
	}
	envelope := fields{}
	if !envelope.open(text) {
		if !json.Valid(text) {
			return fault(CodeBadJSON, "the event is not JSON")
		}
		return fault(CodeWrongType, "an event is a JSON object")
	}
	e.ID = envelope.text("id", required)
	e.Type = envelope.text("type", required)
	decode, known := payloads[e.Type]
	if e.Type != "" && !known {
		return fault(CodeUnknownType, fmt.Sprintf("type: %q is not an event type", e.Type))
	}
	local := envelope.moment("time", required)
	e.Time = local.UTC()
	e.Creditor = envelope.text("creditor_id", required)
	e.Debtor = envelope.text("debtor_id", required)
	data := fields{path: "data.", zone: local.Location()}
	if raw := envelope.take("data"); raw != nil && !data.open(raw) {
		envelope.fail(CodeWrongType, "data", "is not an object")
	}
	if err := envelope.close(); err != nil {
		return fault(err.Code, err.Detail)
	}
	decode(&e, &data)
	if err := data.close(); err != nil {
		return fault(err.Code, err.Detail)
	}
	return e, nil
}

// payloads decode the data of each type of event into rows.
var payloads = map[string]func(*Event, *fields){
	"debtor.upserted":   debtorUpserted,
	"invoice.issued":    invoiceIssued,
	"invoice.cancelled": invoiceCancelled,
	"payment.received":  paymentReceived,
	"contact.sent":      contactSent,
	"contact.delivered": contactSign,
	"contact.bounced":   contactSign,
	"contact.opened":    contactSign,
	"contact.clicked":   contactSign,
	"contact.replied":   contactSign,
	"contact.answered":  contactSign,
	"invoice.viewed":    invoiceViewed,
	"debtor.opted_out":  debtorOptedOut,
	"debtor.opted_in":   debtorOptedIn,
	"debtor.complained": debtorComplained,
	"case.opened":       caseOpened,
	"case.closed":       caseClosed,
	"rating.changed":    ratingChanged,
}

// EventTypes returns the types of event, sorted.
func EventTypes() []string { return slices.Sorted(maps.Keys(payloads)) }

func debtorUpserted(e *Event, f *fields) {
	d := Debtor{
		Creditor: e.Creditor, ID: e.Debtor, CreatedAt: e.Time, ObservedAt: e.Time,
		Kind:     Kind(f.word("kind", required, string(Business), string(Consumer))),
		Language: f.text("language", optional),
		Timezone: f.text("timezone", optional),
		Country:  f.text("country", optional),
		Postcode: f.text("postcode", optional),
		Sector:   f.text("sector_code", optional),
	}
	if d.Timezone != "" && !ZoneExists(d.Timezone) {
		f.fail(CodeBadValue, "timezone", fmt.Sprintf("%q is not an IANA zone", d.Timezone))
	}
	if d.Country != "" && !upper(d.Country, 2) {
		f.fail(CodeBadValue, "country", fmt.Sprintf("%q is not a country code of two capitals", d.Country))
	}
	e.Rows.Debtors = []Debtor{d}
	for i, raw := range f.list("channels") {
		c := fields{path: fmt.Sprintf("data.channels[%d].", i)}
		if !c.open(raw) {
			f.fail(CodeWrongType, fmt.Sprintf("channels[%d]", i), "is not an object")
			return
		}
		r := Reach{Creditor: e.Creditor, Debtor: e.Debtor, ObservedAt: e.Time, Unknown: FacetOptedOut}
		r.Channel, _ = c.channel(required)
		var known bool
		if r.Reachable, known = c.flag("reachable"); !known {
			r.Unknown |= FacetReachable
		}
		if r.Consent, known = c.flag("consent"); !known {
			r.Unknown |= FacetConsent
		}
		if err := c.close(); err != nil {
			f.err = firstFault(f.err, err)
			return
		}
		e.Rows.Reach = append(e.Rows.Reach, r)
	}
}

func invoiceIssued(e *Event, f *fields) {
	v := Invoice{
		Creditor: e.Creditor, Debtor: e.Debtor, ObservedAt: e.Time,
		ID:       f.text("invoice_id", required),
		IssuedAt: f.momentOrDay("issued_at"),
		DueOn:    f.day("due_on", required),
		Cents:    f.cents("amount", required, noise),
		Currency: f.text("currency", required),
	}
	if v.IssuedAt.IsZero() {
		v.IssuedAt = e.Time
	}
	if v.Currency != "" && !upper(v.Currency, 3) {
		f.fail(CodeBadValue, "currency", fmt.Sprintf("%q is not a currency code of three capitals", v.Currency))
	}
	e.Rows.Invoices = []Invoice{v}
}

func invoiceCancelled(e *Event, f *fields) {
	e.Rows.Invoices = []Invoice{{
		Creditor: e.Creditor, Debtor: e.Debtor, CancelledAt: e.Time,
		ID: f.text("invoice_id", required),
	}}
}

func paymentReceived(e *Event, f *fields) {
	e.Rows.Payments = []Payment{{
		Creditor: e.Creditor, Debtor: e.Debtor, PaidAt: e.Time,
		ID:      f.text("payment_id", required),
		Invoice: f.text("invoice_id", required),
		Cents:   f.cents("amount", required, noise),
		Method:  f.text("method", optional),
	}}
}

func contactSent(e *Event, f *fields) {
	c := Contact{
		Creditor: e.Creditor, Debtor: e.Debtor, SentAt: e.Time,
		ID:        f.text("contact_id", required),
		Decision:  f.text("decision_id", optional),
		CostCents: f.cents("cost", optional, cent/2),
	}
	c.Channel, _ = f.channel(required)
	if tone := f.word("tone", optional, ToneNames[:]...); tone != "" {
		c.Tone, _ = ParseTone(tone)
	}
	for i, raw := range f.list("invoice_ids") {
		c.Invoices = append(c.Invoices, f.readText(fmt.Sprintf("invoice_ids[%d]", i), raw))
	}
	e.Rows.Contacts = []Contact{c}
}

// sign reads what every sign of a debtor may say and adds it.
func sign(e *Event, f *fields, kind string, channel need) {
	g := Engagement{
		Creditor: e.Creditor, EventID: e.ID, Debtor: e.Debtor, Kind: kind, OccurredAt: e.Time,
		Contact:   f.text("contact_id", optional),
		Precision: f.word("precision", optional, "date", "hour", "second"),
	}
	g.Channel, g.HasChannel = f.channel(channel)
	g.Machine, _ = f.flag("is_machine")
	if g.Precision == "" {
		g.Precision = "second"
	}
	e.Rows.Engagements = []Engagement{g}
}

func contactSign(e *Event, f *fields) {
	sign(e, f, strings.TrimPrefix(e.Type, "contact."), optional)
	if g := e.Rows.Engagements[0]; g.Contact == "" && !g.HasChannel {
		f.fail(CodeMissingField, "contact_id", "or channel is needed")
	}
}

func invoiceViewed(e *Event, f *fields) {
	sign(e, f, "viewed", optional)
	e.Rows.Engagements[0].Invoice = f.text("invoice_id", required)
}

func debtorOptedOut(e *Event, f *fields) {
	sign(e, f, "unsubscribed", required)
	e.Rows.Reach = []Reach{{
		Creditor: e.Creditor, Debtor: e.Debtor, Channel: e.Rows.Engagements[0].Channel, ObservedAt: e.Time,
		OptedOut: true, Unknown: FacetReachable | FacetConsent,
	}}
}

func debtorOptedIn(e *Event, f *fields) {
	c, _ := f.channel(required)
	e.Rows.Reach = []Reach{{
		Creditor: e.Creditor, Debtor: e.Debtor, Channel: c, ObservedAt: e.Time,
		OptedOut: false, Unknown: FacetReachable | FacetConsent,
	}}
}

func debtorComplained(e *Event, f *fields) { sign(e, f, "complained", optional) }

func caseOpened(e *Event, f *fields) {
	c := Case{
		Creditor: e.Creditor, Debtor: e.Debtor, OpenedAt: e.Time,
		ID:        f.text("case_id", required),
		Kind:      f.word("kind", required, CaseKinds...),
		Invoice:   f.text("invoice_id", optional),
		ExpiresOn: f.day("expires_on", optional),
	}
	f.text("outcome", optional) // an outcome belongs to the closing
	e.Rows.Cases = []Case{c}
}

func caseClosed(e *Event, f *fields) {
	c := Case{
		Creditor: e.Creditor, Debtor: e.Debtor, ClosedAt: e.Time,
		ID:      f.text("case_id", required),
		Kind:    f.word("kind", optional, CaseKinds...),
		Invoice: f.text("invoice_id", optional),
		Outcome: f.text("outcome", optional),
	}
	f.day("expires_on", optional) // the term belongs to the opening
	e.Rows.Cases = []Case{c}
}

func ratingChanged(e *Event, f *fields) {
	e.Rows.Ratings = []Rating{{
		Creditor: e.Creditor, Debtor: e.Debtor, ObservedAt: e.Time,
		Provider: f.text("provider", required),
		Score:    f.number("score", required),
	}}
}

// need says whether a field may be absent.
type need bool

const (
	required need = true
	optional need = false
)

// fields reads the members of one JSON object by name and keeps the first
// fault. A member that nobody took is an unknown field.
type fields struct {
	path string // prefix of names in messages
	zone *time.Location
	left map[string]json.RawMessage
	err  *EventError
}

// open reads the object and reports whether it is one.
func (f *fields) open(text []byte) bool {
	return json.Unmarshal(text, &f.left) == nil && f.left != nil
}

func (f *fields) fail(code, name, detail string) {
	f.err = firstFault(f.err, &EventError{Code: code, Detail: f.path + name + " " + detail})
}

// firstFault keeps the first fault.
func firstFault(first, next *EventError) *EventError {
	if first != nil {
		return first
	}
	return next
}

// close returns the fault of the object, if there is one. An unknown field
// goes before a missing one, which its misspelling may have caused.
func (f *fields) close() *EventError {
	if len(f.left) > 0 && (f.err == nil || f.err.Code == CodeMissingField) {
		name := slices.Min(slices.Collect(maps.Keys(f.left)))
		return &EventError{Code: CodeUnknownField, Detail: fmt.Sprintf("%s%s is not a field of this event", f.path, clip(name))}
	}
	return f.err
}

// clip keeps a foreign text short enough for a message.
func clip(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

// take removes a member and returns its text, nil where it is absent or null.
func (f *fields) take(name string) json.RawMessage {
	raw, ok := f.left[name]
	if !ok {
		return nil
	}
	delete(f.left, name)
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func (f *fields) missing(name string, n need) {
	if n == required {
		f.fail(CodeMissingField, name, "is missing")
	}
}

// maxText is the longest text, in bytes, that an event may hold.
const maxText = 256

func (f *fields) readText(name string, raw json.RawMessage) string {
	var s string
	if plain(raw) {
		s = string(raw[1 : len(raw)-1])
	} else if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		f.fail(CodeWrongType, name, "is not a text")
		return ""
	}
	if fault := TextFault(s); fault != "" {
		f.fail(CodeBadValue, name, fault)
		return ""
	}
	return s
}

// plain reports whether a JSON value is a text that stands for itself: printable
// ASCII without an escape. Nearly all are.
func plain(raw json.RawMessage) bool {
	if raw[0] != '"' {
		return false
	}
	for _, c := range raw[1 : len(raw)-1] {
		if c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

// TextFault says what keeps s from being an identifier or another short text
// of the ledger, or returns the empty string: at most 256 bytes of UTF-8
// without control characters.
func TextFault(s string) string {
	if len(s) > maxText {
		return fmt.Sprintf("is longer than %d bytes", maxText)
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return "holds a control character or broken UTF-8"
		}
	}
	return ""
}

func (f *fields) text(name string, n need) string {
	raw := f.take(name)
	if raw == nil {
		f.missing(name, n)
		return ""
	}
	s := f.readText(name, raw)
	if s == "" && f.err == nil {
		f.missing(name, n)
	}
	return s
}

func (f *fields) word(name string, n need, words ...string) string {
	s := f.text(name, n)
	if s != "" && !slices.Contains(words, s) {
		f.fail(CodeBadValue, name, fmt.Sprintf("%q is none of %s", clip(s), strings.Join(words, ", ")))
		return ""
	}
	return s
}

func (f *fields) channel(n need) (Channel, bool) {
	return ParseChannel(f.word("channel", n, ChannelNames[:]...))
}

func (f *fields) flag(name string) (value, known bool) {
	switch raw := f.take(name); string(raw) {
	case "":
		return false, false
	case "true":
		return true, true
	case "false":
		return false, true
	}
	f.fail(CodeWrongType, name, "is not true or false")
	return false, false
}

func (f *fields) number(name string, n need) float64 {
	raw := f.take(name)
	if raw == nil {
		f.missing(name, n)
		return 0
	}
	var v float64
	if c := raw[0]; c != '-' && (c < '0' || c > '9') {
		f.fail(CodeWrongType, name, "is not a number")
	} else if json.Unmarshal(raw, &v) != nil || math.IsInf(v, 0) {
		f.fail(CodeBadValue, name, "is out of range")
	}
	return v
}

func (f *fields) list(name string) []json.RawMessage {
	raw := f.take(name)
	if raw == nil {
		return nil
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		f.fail(CodeWrongType, name, "is not a list")
	}
	return items
}

// How far a JSON number may lie from whole cents, in cents: a computed sum such as
// 0.30000000000000004 is what was meant; a cost, often a fraction of a cent, is
// rounded.
const noise, cent = 1e-6, 1.0

func (f *fields) cents(name string, n need, slack float64) int64 {
	raw := f.take(name)
	if raw == nil {
		f.missing(name, n)
		return 0
	}
	s := string(raw)
	switch c := raw[0]; {
	case c == '"':
		if s = f.readText(name, raw); s == "" {
			if f.err == nil {
				f.missing(name, required)
			}
			return 0
		}
	case c != '-' && (c < '0' || c > '9'):
		f.fail(CodeWrongType, name, "is neither a number nor a text")
		return 0
	}
	v, err := ParseCents(s)
	if errors.Is(err, errFine) && raw[0] != '"' {
		v, err = nearCents(raw, slack)
	}
	if err == nil && v < 0 {
		err = errNegative
	}
	if err != nil {
		f.fail(CodeBadValue, name, err.Error())
		return 0
	}
	return v
}

// nearCents reads a JSON number of more than two decimals that lies within slack of
// whole cents.
func nearCents(raw []byte, slack float64) (int64, error) {
	x, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || math.Abs(x) > maxCents/100 {
		return 0, errLarge
	}
	whole := math.Round(100 * x)
	if math.Abs(100*x-whole) > slack {
		return 0, errFine
	}
	return int64(whole), nil
}

// Reasons why a text is not an amount of money.
var (
	errNegative   = errors.New("is negative")
	errNotDecimal = errors.New("is not a plain decimal number such as 12.50")
	errFine       = errors.New("has more than two decimals")
	errLarge      = errors.New("is larger than ten trillion")
)

// maxCents bounds amounts, so that sums of many stay exact.
const maxCents = 1_000_000_000_000_000

// ParseCents reads a plain decimal number such as -12.5 as whole cents,
// without rounding.
func ParseCents(s string) (int64, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, part, point := strings.Cut(digits, ".")
	if whole == "" || point && part == "" {
		return 0, errNotDecimal
	}
	for _, c := range []byte(whole + part) {
		if c < '0' || c > '9' {
			return 0, errNotDecimal
		}
	}
	if part = strings.TrimRight(part, "0"); len(part) > 2 {
		return 0, errFine
	}
	var v int64
	for _, c := range []byte(whole + (part + "00")[:2]) {
		if v = 10*v + int64(c-'0'); v > maxCents {
			return 0, errLarge
		}
	}
	if negative {
		v = -v
	}
	return v, nil
}

// First and last year of a time that makes sense here.
const (
	firstYear = 1970
	lastYear  = 2200
)

// TimeFault says what keeps t from being a moment of the ledger, or returns
// the empty string.
func TimeFault(t time.Time) string {
	if y := t.UTC().Year(); y < firstYear || y > lastYear {
		return fmt.Sprintf("has the year %d, outside %d to %d", y, firstYear, lastYear)
	}
	return ""
}

func (f *fields) moment(name string, n need) time.Time {
	s := f.text(name, n)
	if s == "" {
		return time.Time{}
	}
	return f.readMoment(name, s)
}

// readMoment keeps the offset of the text.
func (f *fields) readMoment(name, s string) time.Time {
	t, err := ParseTime(s)
	if err != nil {
		f.fail(CodeBadTime, name, fmt.Sprintf("%q is not a time such as 2026-03-03T15:12:09+01:00", clip(s)))
		return time.Time{}
	}
	if fault := TimeFault(t); fault != "" {
		f.fail(CodeBadTime, name, fault)
		return time.Time{}
	}
	return t.Truncate(time.Microsecond)
}

// momentOrDay reads an optional time, or a date as its midnight at the offset
// of the event's own time.
func (f *fields) momentOrDay(name string) time.Time {
	s := f.text(name, optional)
	if s == "" {
		return time.Time{}
	}
	if len(s) > len(time.DateOnly) {
		return f.readMoment(name, s).UTC()
	}
	return f.readDay(name, s).In(f.zone).UTC()
}

func (f *fields) day(name string, n need) Day {
	s := f.text(name, n)
	if s == "" {
		return 0
	}
	return f.readDay(name, s)
}

func (f *fields) readDay(name, s string) Day {
	d, err := ParseDay(s)
	if err != nil {
		f.fail(CodeBadTime, name, fmt.Sprintf("%q is not a date such as 2026-03-04", clip(s)))
		return 0
	}
	if fault := TimeFault(d.UTC()); fault != "" {
		f.fail(CodeBadTime, name, fault)
		return 0
	}
	return d
}

// upper reports whether s is n capitals.
func upper(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for _, c := range []byte(s) {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}
