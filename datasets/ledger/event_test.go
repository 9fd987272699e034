package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// envelope returns an event of a type with its data.
func envelope(kind, data string) string {
	return fmt.Sprintf(`{"id":"e1","type":%q,"time":"2026-03-03T15:12:09+01:00","creditor_id":"acme","debtor_id":"D1","data":%s}`, kind, data)
}

var at = time.Date(2026, 3, 3, 14, 12, 9, 0, time.UTC)

func TestParseEventGivesRows(t *testing.T) {
	reach := func(c Channel, reachable, consent, out bool, unknown Facet) Reach {
		return Reach{Creditor: "acme", Debtor: "D1", Channel: c, Reachable: reachable, Consent: consent, OptedOut: out, Unknown: unknown, ObservedAt: at}
	}
	sign := func(kind string) Engagement {
		return Engagement{Creditor: "acme", EventID: "e1", Debtor: "D1", Kind: kind, OccurredAt: at, Precision: "second"}
	}
	with := func(e Engagement, change func(*Engagement)) Rows {
		change(&e)
		return Rows{Engagements: []Engagement{e}}
	}
	for _, c := range []struct {
		kind, data string
		want       Rows
	}{
		{
			"debtor.upserted", `{"kind":"consumer","language":"nl","timezone":"Europe/Brussels","country":"BE","postcode":"9000","sector_code":"56.101","channels":[{"channel":"email","reachable":true,"consent":false},{"channel":"letter","reachable":true}]}`,
			Rows{
				Debtors: []Debtor{{Creditor: "acme", ID: "D1", Kind: Consumer, Language: "nl", Timezone: "Europe/Brussels", Country: "BE", Postcode: "9000", Sector: "56.101", CreatedAt: at, ObservedAt: at}},
				Reach:   []Reach{reach(Email, true, false, false, FacetOptedOut), reach(Letter, true, false, false, FacetOptedOut|FacetConsent)},
			},
		},
		{
			"invoice.issued", `{"invoice_id":"i1","issued_at":"2026-03-01T00:00:00+01:00","due_on":"2026-03-31","amount":120.5,"currency":"EUR"}`,
			Rows{Invoices: []Invoice{{Creditor: "acme", ID: "i1", Debtor: "D1", ObservedAt: at, IssuedAt: time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC), DueOn: day("2026-03-31"), Cents: 12050, Currency: "EUR"}}},
		},
		{
			// A date is midnight at the offset of the event's time.
			"invoice.issued", `{"invoice_id":"i1","issued_at":"2026-03-01","due_on":"2026-03-31","amount":"0.07","currency":"USD"}`,
			Rows{Invoices: []Invoice{{Creditor: "acme", ID: "i1", Debtor: "D1", ObservedAt: at, IssuedAt: time.Date(2026, 2, 28, 23, 0, 0, 0, time.UTC), DueOn: day("2026-03-31"), Cents: 7, Currency: "USD"}}},
		},
		{"invoice.cancelled", `{"invoice_id":"i1"}`, Rows{Invoices: []Invoice{{Creditor: "acme", ID: "i1", Debtor: "D1", CancelledAt: at}}}},
		{"payment.received", `{"payment_id":"p1","invoice_id":"i1","amount":"99","method":"app"}`, Rows{Payments: []Payment{{Creditor: "acme", ID: "p1", Invoice: "i1", Debtor: "D1", PaidAt: at, Cents: 9900, Method: "app"}}}},
		{
			"contact.sent", `{"contact_id":"c1","decision_id":"x","channel":"letter","tone":"formal","cost":1.60,"invoice_ids":["i1","i2"]}`,
			Rows{Contacts: []Contact{{Creditor: "acme", ID: "c1", Debtor: "D1", Decision: "x", Channel: Letter, Tone: Formal, SentAt: at, CostCents: 160, Invoices: []string{"i1", "i2"}}}},
		},
		{ // what adding binary fractions leaves
			"payment.received", `{"payment_id":"p1","invoice_id":"i1","amount":0.30000000000000004}`,
			Rows{Payments: []Payment{{Creditor: "acme", ID: "p1", Invoice: "i1", Debtor: "D1", PaidAt: at, Cents: 30}}},
		},
		{ // a message costs a fraction of a cent
			"contact.sent", `{"contact_id":"c1","channel":"sms","cost":0.067}`,
			Rows{Contacts: []Contact{{Creditor: "acme", ID: "c1", Debtor: "D1", Channel: SMS, SentAt: at, CostCents: 7}}},
		},
		{"contact.delivered", `{"contact_id":"c1"}`, with(sign("delivered"), func(e *Engagement) { e.Contact = "c1" })},
		{"contact.bounced", `{"channel":"sms"}`, with(sign("bounced"), func(e *Engagement) { e.Channel, e.HasChannel = SMS, true })},
		{"contact.opened", `{"contact_id":"c1","is_machine":true,"precision":"date"}`, with(sign("opened"), func(e *Engagement) { e.Contact, e.Machine, e.Precision = "c1", true, "date" })},
		{"contact.clicked", `{"contact_id":"c1"}`, with(sign("clicked"), func(e *Engagement) { e.Contact = "c1" })},
		{"contact.replied", `{"contact_id":"c1"}`, with(sign("replied"), func(e *Engagement) { e.Contact = "c1" })},
		{"contact.answered", `{"contact_id":"c1","channel":"phone"}`, with(sign("answered"), func(e *Engagement) { e.Contact, e.Channel, e.HasChannel = "c1", Phone, true })},
		{"invoice.viewed", `{"invoice_id":"i1","channel":"email"}`, with(sign("viewed"), func(e *Engagement) { e.Invoice, e.Channel, e.HasChannel = "i1", Email, true })},
		{
			"debtor.opted_out", `{"channel":"whatsapp"}`,
			Rows{
				Reach:       []Reach{reach(WhatsApp, false, false, true, FacetReachable|FacetConsent)},
				Engagements: with(sign("unsubscribed"), func(e *Engagement) { e.Channel, e.HasChannel = WhatsApp, true }).Engagements,
			},
		},
		{"debtor.opted_in", `{"channel":"whatsapp"}`, Rows{Reach: []Reach{reach(WhatsApp, false, false, false, FacetReachable|FacetConsent)}}},
		{"debtor.complained", `{}`, Rows{Engagements: []Engagement{sign("complained")}}},
		{
			"case.opened", `{"case_id":"k1","kind":"promise","invoice_id":"i1","expires_on":"2026-03-10"}`,
			Rows{Cases: []Case{{Creditor: "acme", ID: "k1", Debtor: "D1", Invoice: "i1", Kind: "promise", OpenedAt: at, ExpiresOn: day("2026-03-10")}}},
		},
		{"case.closed", `{"case_id":"k1","kind":"promise","outcome":"kept"}`, Rows{Cases: []Case{{Creditor: "acme", ID: "k1", Debtor: "D1", Kind: "promise", ClosedAt: at, Outcome: "kept"}}}},
		{"rating.changed", `{"provider":"graydon","score":-3.5}`, Rows{Ratings: []Rating{{Creditor: "acme", Debtor: "D1", ObservedAt: at, Provider: "graydon", Score: -3.5}}}},
	} {
		got, err := ParseEvent([]byte(envelope(c.kind, c.data)))
		want := Event{ID: "e1", Type: c.kind, Time: at, Creditor: "acme", Debtor: "D1", Rows: c.want}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s\n got %+v (%v)\nwant %+v", c.kind, c.data, got, err, want)
		}
	}
}

func day(s string) Day {
	d, err := ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

func TestParseEventRefuses(t *testing.T) {
	issued := func(field, value string) string {
		fields := map[string]string{"invoice_id": `"i1"`, "issued_at": `"2026-03-01T00:00:00Z"`, "due_on": `"2026-03-31"`, "amount": "1", "currency": `"EUR"`}
		fields[field] = value
		var parts []string
		for k, v := range fields {
			if v != "" {
				parts = append(parts, fmt.Sprintf("%q:%s", k, v))
			}
		}
		return envelope("invoice.issued", "{"+strings.Join(parts, ",")+"}")
	}
	timed := func(s string) string {
		return fmt.Sprintf(`{"id":"e1","type":"debtor.complained","time":%s,"creditor_id":"a","debtor_id":"d"}`, s)
	}
	for _, c := range []struct{ event, code, detail string }{
		{`{"id":`, CodeBadJSON, "JSON"},
		{`[]`, CodeWrongType, "object"},
		{`null`, CodeWrongType, "object"},
		{`{}`, CodeMissingField, "id is missing"},
		{`{"id":""}`, CodeMissingField, "id is missing"},
		{`{"id":7,"type":"debtor.complained"}`, CodeWrongType, "id is not a text"},
		{`{"id":"e1","type":"debtor.vanished"}`, CodeUnknownType, `"debtor.vanished"`},
		{`{"id":"e1","type":"debtor.complained","time":"2026-01-01T00:00:00Z","creditor_id":"a"}`, CodeMissingField, "debtor_id"},
		{`{"id":"e1","type":"debtor.complained","time":"2026-01-01T00:00:00Z","creditor_id":"a","debtor_id":"d","colour":1}`, CodeUnknownField, "colour"},
		{`{"id":"e1","type":"debtor.complained","time":"2026-01-01T00:00:00Z","creditor_id":"a","debtor_id":"d","data":[]}`, CodeWrongType, "data"},
		{timed(`"0000-01-01T00:00:00Z"`), CodeBadTime, "the year 0, outside 1970 to 2200"},
		{timed(`"1969-12-31T23:59:59Z"`), CodeBadTime, "year 1969"},
		{timed(`"2201-01-01T00:00:00Z"`), CodeBadTime, "year 2201"},
		{timed(`"2026-02-30T00:00:00Z"`), CodeBadTime, "not a time"},
		{timed(`"2026-02-20"`), CodeBadTime, "not a time"},
		{timed(`"yesterday"`), CodeBadTime, "not a time"},
		{timed(`1772546400`), CodeWrongType, "time is not a text"},
		{issued("amount", "-1"), CodeBadValue, "amount is negative"},
		{issued("amount", `"-0.01"`), CodeBadValue, "amount is negative"},
		{issued("amount", "1.005"), CodeBadValue, "two decimals"},
		{issued("amount", "1e3"), CodeBadValue, "plain decimal"},
		{issued("amount", `"1,50"`), CodeBadValue, "plain decimal"},
		{issued("amount", "99999999999999"), CodeBadValue, "larger than ten trillion"},
		{issued("amount", "true"), CodeWrongType, "amount"},
		{issued("amount", ""), CodeMissingField, "data.amount is missing"},
		{issued("amount", "null"), CodeMissingField, "data.amount is missing"},
		{issued("amount", `""`), CodeMissingField, "data.amount is missing"},
		{issued("currency", `"euro"`), CodeBadValue, "currency"},
		{issued("currency", `"eur"`), CodeBadValue, "currency"},
		{issued("due_on", `"31/03/2026"`), CodeBadTime, "not a date"},
		{issued("due_on", `"0000-03-31"`), CodeBadTime, "the year 0"},
		{issued("issued_at", `"0000-03-31"`), CodeBadTime, "the year 0"},
		{issued("invoice_id", `"a\u0000b"`), CodeBadValue, "control character"},
		{issued("invoice_id", `"`+strings.Repeat("x", 257)+`"`), CodeBadValue, "longer than 256"},
		{issued("amounts", "1"), CodeUnknownField, "data.amounts"},
		{envelope("contact.sent", `{"contact_id":"c1","channel":"pigeon"}`), CodeBadValue, `"pigeon" is none of email`},
		{envelope("contact.sent", `{"contact_id":"c1","channel":"sms","tone":"angry"}`), CodeBadValue, `"angry" is none of friendly`},
		{envelope("contact.sent", `{"contact_id":"c1","channel":"sms","invoice_ids":"i1"}`), CodeWrongType, "invoice_ids is not a list"},
		{envelope("contact.sent", `{"contact_id":"c1","channel":"sms","invoice_ids":[1]}`), CodeWrongType, "invoice_ids[0]"},
		{envelope("contact.opened", `{}`), CodeMissingField, "contact_id or channel"},
		{envelope("contact.opened", `{"channel":"sms","is_machine":"yes"}`), CodeWrongType, "is_machine"},
		{envelope("contact.opened", `{"channel":"sms","precision":"month"}`), CodeBadValue, "precision"},
		{envelope("case.opened", `{"case_id":"k","kind":"quarrel"}`), CodeBadValue, "kind"},
		{envelope("debtor.upserted", `{"kind":"robot"}`), CodeBadValue, "kind"},
		{envelope("debtor.upserted", `{}`), CodeMissingField, "kind"},
		{envelope("debtor.upserted", `{"kind":"business","timezone":"Mars/Olympus"}`), CodeBadValue, "IANA"},
		{envelope("debtor.upserted", `{"kind":"business","timezone":"Local"}`), CodeBadValue, "IANA"},
		{envelope("debtor.upserted", `{"kind":"business","country":"Belgium"}`), CodeBadValue, "country"},
		{envelope("debtor.upserted", `{"kind":"business","channels":[{"channel":"fax"}]}`), CodeBadValue, "data.channels[0].channel"},
		{envelope("debtor.upserted", `{"kind":"business","channels":["sms"]}`), CodeWrongType, "data.channels[0]"},
		{envelope("debtor.upserted", `{"kind":"business","channels":[{"channel":"sms","opted":true}]}`), CodeUnknownField, "data.channels[0].opted"},
		{envelope("rating.changed", `{"provider":"x","score":"A"}`), CodeWrongType, "score"},
		{envelope("rating.changed", `{"provider":"x","score":1e999}`), CodeBadValue, "score"},
	} {
		_, err := ParseEvent([]byte(c.event))
		var fault *EventError
		if !errors.As(err, &fault) || fault.Code != c.code || !strings.Contains(fault.Detail, c.detail) {
			t.Errorf("%s\n got %v\nwant %s: …%s…", c.event, err, c.code, c.detail)
		}
	}
}

func TestParseEventsKeepsGoodOnes(t *testing.T) {
	good, bad := envelope("debtor.complained", "{}"), envelope("debtor.vanished", "{}")
	for name, c := range map[string]struct {
		body   string
		ndjson bool
	}{
		"array":       {"[" + good + "," + bad + "," + good + "]", false},
		"ndjson":      {good + "\n" + bad + "\r\n\n" + good, true},
		"broken line": {good + "\n{\"id\":\n" + good + "\n", true},
	} {
		events, index, rejected, err := ParseEvents([]byte(c.body), c.ndjson)
		if err != nil || len(events) != 2 || !reflect.DeepEqual(index, []int{0, 2}) || len(rejected) != 1 || rejected[0].Index != 1 {
			t.Errorf("%s: %v %v %v %v", name, events, index, rejected, err)
		}
	}
	for name, c := range map[string]struct {
		body   string
		ndjson bool
		want   error
	}{
		"empty":         {"", false, ErrUnreadable},
		"null":          {"null", false, ErrUnreadable},
		"object":        {good, false, ErrUnreadable},
		"truncated":     {"[" + good, false, ErrUnreadable},
		"ndjson noise":  {"hello\nworld", true, ErrUnreadable},
		"too many":      {"[" + strings.Repeat("1,", MaxEvents) + "1]", false, ErrTooManyEvents},
		"too many rows": {strings.Repeat("1\n", MaxEvents+1), true, ErrTooManyEvents},
	} {
		if _, _, _, err := ParseEvents([]byte(c.body), c.ndjson); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestRejectedAsJSON(t *testing.T) {
	_, _, rejected, err := ParseEvents([]byte("["+envelope("nope", "{}")+"]"), false)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(rejected)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"index":0,"id":"e1","code":"unknown_type","detail":"type: \"nope\" is not an event type"}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseTime(t *testing.T) {
	for s, want := range map[string]string{
		"2026-03-03T15:12:09+01:00":       "2026-03-03T14:12:09Z",
		"2026-03-03T15:12:09Z":            "2026-03-03T15:12:09Z",
		"2026-03-03T15:12:09.25Z":         "2026-03-03T15:12:09.25Z",
		"2026-03-03T5:12:09Z":             "",
		"2026-03-03T15:12:09,25Z":         "",
		"2026-03-03T15:12:09":             "",
		"2026-03-03 15:12:09Z":            "",
		"2026-03-03t15:12:09z":            "",
		"2026-03-03":                      "",
		"":                                "",
		"2026-02-30T15:12:09Z":            "",
		"2026-03-03T24:00:00Z":            "",
		"2026-03-03T15:12:09+1:00":        "",
		"2026-03-03T15:12:09.1234567890Z": "2026-03-03T15:12:09.123456789Z",
	} {
		got, err := ParseTime(s)
		if err != nil && want == "" {
			continue
		}
		if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("ParseTime(%q) = %v, %v, want %q", s, got, err, want)
		}
	}
}

func TestParseCents(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "12": 1200, "12.5": 1250, "12.05": 1205, "12.500": 1250, "-3.10": -310, "007": 700, "10000000000000": maxCents,
	} {
		if got, err := ParseCents(text); err != nil || got != want {
			t.Errorf("ParseCents(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-", ".5", "5.", "1 000", "1,5", "+1", "0x10", "1.001", "--1", "10000000000000.01", "１"} {
		if got, err := ParseCents(text); err == nil {
			t.Errorf("ParseCents(%q) = %d, want an error", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.Int64Range(-maxCents, maxCents).Draw(t, "cents")
		sign, abs := "", want
		if want < 0 {
			sign, abs = "-", -want
		}
		text := fmt.Sprintf("%s%d.%02d", sign, abs/100, abs%100)
		if got, err := ParseCents(text); err != nil || got != want {
			t.Fatalf("ParseCents(%q) = %d, %v", text, got, err)
		}
	})
}

// FuzzParseEvents demands of any body that every item is either an event whose
// values a table can hold, or rejected, and that nothing panics.
func FuzzParseEvents(f *testing.F) {
	for _, kind := range EventTypes() {
		f.Add([]byte("["+envelope(kind, `{"invoice_id":"i","contact_id":"c","channel":"sms","amount":"1.5","case_id":"k","kind":"hold"}`)+"]"), false)
		f.Add([]byte(envelope(kind, `{}`)+"\n"), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, ndjson bool) {
		events, index, rejected, err := ParseEvents(body, ndjson)
		if err != nil {
			if events != nil || rejected != nil {
				t.Error("an unreadable body gave events")
			}
			return
		}
		seen := map[int]bool{}
		for _, i := range index {
			seen[i] = true
		}
		for _, r := range rejected {
			if seen[r.Index] || r.Code == "" || r.Detail == "" {
				t.Errorf("rejected %+v", r)
			}
			seen[r.Index] = true
		}
		if len(seen) != len(events)+len(rejected) {
			t.Errorf("%d events and %d rejected cover %d places", len(events), len(rejected), len(seen))
		}
		for _, e := range events {
			if e.ID == "" || e.Creditor == "" || e.Debtor == "" || TimeFault(e.Time) != "" || e.Rows.Len() == 0 {
				t.Errorf("accepted %+v", e)
			}
			for _, v := range e.Rows.Invoices {
				if v.Cents < 0 || v.ID == "" {
					t.Errorf("accepted %+v", v)
				}
			}
		}
	})
}

func BenchmarkParseEvents(b *testing.B) {
	item := envelope("invoice.issued", `{"invoice_id":"i1","issued_at":"2026-03-01T00:00:00+01:00","due_on":"2026-03-31","amount":120.5,"currency":"EUR"}`)
	body := []byte("[" + strings.Repeat(item+",", 999) + item + "]")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if events, _, _, err := ParseEvents(bytes.Clone(body), false); err != nil || len(events) != 1000 {
			b.Fatal(len(events), err)
		}
	}
}

func TestTextsOfAnyScript(t *testing.T) {
	for raw, want := range map[string]string{`D-1`: "D-1", `Société Ł`: "Société Ł", `a\u0042\"c`: `aB"c`, `\/`: "/"} {
		e, err := ParseEvent([]byte(`{"id":"e1","type":"debtor.complained","time":"2026-01-01T00:00:00Z","creditor_id":"a","debtor_id":"` + raw + `"}`))
		if err != nil || e.Debtor != want {
			t.Errorf("%s: got %q, %v, want %q", raw, e.Debtor, err, want)
		}
	}
}
