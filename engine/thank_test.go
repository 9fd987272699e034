package engine

import (
	"slices"
	"testing"

	"rappel/datasets/ledger"
)

// TestThanksAreSaidOnceAndOnlyWhereWanted: who pays after a reminder is thanked
// by the cheapest channel at a decent hour, once, while no rule forbids it; it
// asks for nothing and is no step of a later reminder.
func TestThanksAreSaidOnceAndOnlyWhereWanted(t *testing.T) {
	reminded := []string{
		"debtor.upserted 2026-03-01T08:00:00Z " + everywhere,
		`invoice.issued 2026-03-01T08:00:00Z {"invoice_id":"i","issued_at":"2026-03-01","due_on":"2026-03-09","amount":200,"currency":"EUR"}`,
		`contact.sent 2026-03-11T09:00:00Z {"contact_id":"c1","channel":"sms"}`,
		`payment.received 2026-03-16T15:00:00Z {"payment_id":"p","invoice_id":"i","amount":200,"method":"app"}`,
	}
	on := func(c *Creditor) { c.ThankYou = true }
	for _, x := range []struct {
		name   string
		edit   func(*Creditor)
		events []string // beside those above, the first leaves out so many of them
		asOf   string
		thanks bool
	}{
		{"wanted", on, nil, "2026-03-17T06:00:00+01:00", true},
		{"not wanted", nil, nil, "2026-03-17T06:00:00+01:00", false},
		{"before the payment", on, nil, "2026-03-16T06:00:00+01:00", false},
		{"too late", on, nil, "2026-03-24T06:00:00+01:00", false},
		{"thanked already", on, []string{`contact.sent 2026-03-17T08:00:00Z {"contact_id":"c2","channel":"email"}`}, "2026-03-18T06:00:00+01:00", false},
		{"something else is open", on, []string{`invoice.issued 2026-03-02T08:00:00Z {"invoice_id":"j","issued_at":"2026-03-02","due_on":"2026-04-20","amount":80,"currency":"EUR"}`}, "2026-03-17T06:00:00+01:00", false},
		{"paid a part alone", on, []string{`invoice.issued 2026-03-02T08:00:00Z {"invoice_id":"j","issued_at":"2026-03-02","due_on":"2026-03-05","amount":80,"currency":"EUR"}`}, "2026-03-17T06:00:00+01:00", false},
		{"in debt mediation", on, []string{`case.opened 2026-03-16T16:00:00Z {"case_id":"k","kind":"debt_mediation"}`}, "2026-03-17T06:00:00+01:00", false},
		{"objects to profiling", on, []string{`case.opened 2026-03-10T16:00:00Z {"case_id":"k","kind":"objection"}`}, "2026-03-17T06:00:00+01:00", false},
		{"contacted often enough", func(c *Creditor) { on(c); c.Cadence.PerWeek = 1 }, nil, "2026-03-17T06:00:00+01:00", false},
		{"unreachable", on, []string{`debtor.upserted 2026-03-12T08:00:00Z {"kind":"consumer","timezone":"Europe/Brussels","country":"BE","channels":[` +
			`{"channel":"email","reachable":false},{"channel":"sms","reachable":false},{"channel":"whatsapp","reachable":false}]}`}, "2026-03-17T06:00:00+01:00", false},
	} {
		t.Run(x.name, func(t *testing.T) {
			d := newDesk(t, x.edit)
			d.tell("d", reminded...)
			d.tell("d", x.events...)
			a := d.ask("d", x.asOf)
			if thanks := a.Offer != nil && *a.Offer == OfferThanks; thanks != x.thanks {
				t.Fatalf("%s", asJSON(t, a))
			}
			if !x.thanks {
				return
			}
			if a.Action != ActionContact || a.Channel != "email" || a.Tone != "friendly" || len(a.Invoices) != 0 || len(a.Attachments) != 0 ||
				a.SendAt.Hour() < 9 || a.Propensity != 1 || a.Reasons[0].Code != "PAID_UP" {
				t.Errorf("%s", asJSON(t, a))
			}
		})
	}
	t.Run("paid unasked", func(t *testing.T) {
		d := newDesk(t, on)
		d.tell("d", reminded[0], reminded[1], reminded[3])
		if a := d.ask("d", "2026-03-17T06:00:00+01:00"); a.Action != ActionHold {
			t.Errorf("%s", asJSON(t, a))
		}
	})
	t.Run("no step of the next reminder", func(t *testing.T) {
		d := newDesk(t, on)
		d.tell("d", reminded...)
		d.tell("d", `contact.sent 2026-03-17T08:00:00Z {"contact_id":"c2","channel":"email"}`,
			`invoice.issued 2026-03-17T06:00:00Z {"invoice_id":"j","issued_at":"2026-03-17","due_on":"2026-03-18","amount":80,"currency":"EUR"}`,
			`payment.received 2026-03-17T07:00:00Z {"payment_id":"q","invoice_id":"j","amount":80,"method":"app"}`,
			`invoice.issued 2026-03-18T09:00:00Z {"invoice_id":"k","issued_at":"2026-03-18","due_on":"2026-03-19","amount":80,"currency":"EUR"}`)
		var f facts
		f.fill(d.books["c"].accounts["d"], moment(t, "2026-03-25T06:00:00+01:00").Unix(), d.zone, d.zone("Europe/Brussels"))
		if f.step != 0 || f.firstAfterDue != 0 || f.silent[0] != 0 || f.contacts7 != 0 || f.contacts28 != 2 {
			t.Errorf("step %d, first contact %v, silent %v, contacts %d and %d; want thanks to count as contact alone",
				f.step, f.firstAfterDue, f.silent, f.contacts7, f.contacts28)
		}
	})
}

// TestAttachmentsGoWithReminders: the first reminder brings a copy of the invoice,
// and what can be clicked a link to pay, unless they never pay by such a thing.
func TestAttachmentsGoWithReminders(t *testing.T) {
	for _, c := range []struct {
		step    int
		channel string
		tone    string
		method  string
		want    []string
	}{
		{0, "email", "friendly", "", []string{"invoice_copy", "payment_link"}},
		{0, "letter", "friendly", "app", []string{"invoice_copy"}},
		{2, "sms", "neutral", "card", []string{"payment_link"}},
		{2, "sms", "neutral", "direct_debit", nil},
		{4, "letter", "formal", "", []string{"invoice_copy"}},
	} {
		s := newScratch()
		s.f.step, s.habit.method = c.step, c.method
		x := candidate{}
		x.channel, x.tone = channelOf(t, c.channel), toneOf(t, c.tone)
		if got := s.attachments(&x); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func channelOf(t *testing.T, name string) ledger.Channel {
	t.Helper()
	c, ok := ledger.ParseChannel(name)
	if !ok {
		t.Fatal(name)
	}
	return c
}

func toneOf(t *testing.T, name string) ledger.Tone {
	t.Helper()
	c, ok := ledger.ParseTone(name)
	if !ok {
		t.Fatal(name)
	}
	return c
}
