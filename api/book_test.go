package api_test

import (
	"fmt"
	"maps"
	"net/url"
	"time"
)

// A small book, replayed: creditor acme with business debtors D-0, D-1, … in
// Belgium. Monday 2 March 2026, 06:00 in Brussels, is the morning of the
// questions.
const acme = "acme"

var morning = time.Date(2026, 3, 2, 6, 0, 0, 0, time.FixedZone("", 3600))

type object = map[string]any

var serial int

// event is one event of acme; its id is new.
func event(kind, debtor string, at time.Time, data object) object {
	serial++
	return object{
		"id": fmt.Sprintf("evt-%d", serial), "type": kind, "time": at.Format(time.RFC3339),
		"creditor_id": acme, "debtor_id": debtor, "data": data,
	}
}

// days is a moment some days from the morning.
func days(n int) time.Time { return morning.AddDate(0, 0, n) }

func debtorEvent(debtor string, at time.Time) object {
	return event("debtor.upserted", debtor, at, object{
		"kind": "business", "language": "nl", "country": "BE", "postcode": "9000", "sector_code": "56.101",
		"channels": []object{
			{"channel": "email", "reachable": true, "consent": true},
			{"channel": "sms", "reachable": true, "consent": true},
			{"channel": "phone", "reachable": true, "consent": true},
		},
	})
}

func invoiceEvent(debtor, invoice string, issued, due time.Time, amount float64) object {
	return event("invoice.issued", debtor, issued, object{
		"invoice_id": invoice, "issued_at": issued.Format(time.DateOnly), "due_on": due.Format(time.DateOnly),
		"amount": amount, "currency": "EUR",
	})
}

// history is half a year of n debtors: a monthly invoice, an e-mail when it is
// late, an open the same afternoon, a payment two days after. The last invoice
// is open and a week past due.
func history(n int) []object {
	var list []object
	for i := range n {
		d := fmt.Sprintf("D-%d", i)
		list = append(list, debtorEvent(d, days(-200)))
		for month := range 6 {
			issued := days(-7 - 30 - 30*month)
			due := issued.AddDate(0, 0, 30)
			invoice := fmt.Sprintf("i-%d-%d", i, month)
			list = append(list, invoiceEvent(d, invoice, issued, due, 100+float64(i)))
			if month == 0 {
				continue
			}
			sent := due.AddDate(0, 0, 2).Add(3 * time.Hour)
			contact := "c-" + invoice
			list = append(list,
				event("contact.sent", d, sent, object{"contact_id": contact, "channel": "email", "tone": "friendly", "cost": 0.01, "invoice_ids": []string{invoice}}),
				event("contact.opened", d, sent.Add(6*time.Hour), object{"contact_id": contact, "channel": "email"}),
				event("payment.received", d, sent.AddDate(0, 0, 2), object{"payment_id": "p-" + invoice, "invoice_id": invoice, "amount": 100 + float64(i), "method": "app"}),
			)
		}
	}
	return list
}

// book makes acme with the history of n debtors, learnt as of the morning.
func (s *server) book(n int) {
	s.t.Helper()
	s.must(200, "PUT", "/v1/creditors/"+acme, object{
		"name": "Acme", "policy_pack": "be-b2b", "autonomy": "approve",
		"value": object{"loss_rate": 0.1}, // small claims that are worth a text message
	})
	events := history(n)
	a := into[receipt](s.t, s.must(200, "POST", "/v1/events", events))
	if a.Accepted != len(events) {
		s.t.Fatalf("accepted %d of %d events: %+v", a.Accepted, len(events), a.Rejected)
	}
	s.must(200, "POST", "/v1/learn", object{"creditor_id": acme, "as_of": morning})
}

type receipt struct {
	Accepted, Duplicates int
	Rejected             []struct {
		Index    int
		ID, Code string
	}
}

type decision struct {
	ID          string `json:"decision_id"`
	Debtor      string `json:"debtor_id"`
	Action      string
	HoldReason  string `json:"hold_reason"`
	Channel     string
	SendAt      time.Time `json:"send_at"`
	Propensity  float64
	Status      string
	Reviews     []struct{ Verdict, Channel, Note, Actor string }
	Invoices    []string `json:"invoice_ids"`
	Approval    bool     `json:"requires_approval"`
	Expected    map[string]float64
	Constraints []struct{ Code string }
}

// question is the body that asks for one debtor.
func question(debtor string, more ...object) object {
	q := object{"creditor_id": acme, "debtor_id": debtor, "as_of": morning}
	for _, m := range more {
		maps.Copy(q, m)
	}
	return q
}

func debtorPath(debtor, creditor string) string {
	return "/v1/debtors/" + url.PathEscape(debtor) + "?creditor_id=" + url.QueryEscape(creditor)
}
