package api_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// as_of is the only clock: what was learnt or happened after it plays no part,
// whenever it was told.
func TestAsOf(t *testing.T) {
	s := start(t)
	s.book(4)
	ask := func(as time.Time) string {
		return string(s.must(200, "POST", "/v1/recommendations", question("D-1", object{"as_of": as})).body)
	}
	profile := func(as time.Time) string {
		return string(s.must(200, "GET", debtorPath("D-1", acme)+"&as_of="+as.UTC().Format(time.RFC3339), nil).body)
	}
	before, known := ask(morning), profile(morning)
	s.must(200, "POST", "/v1/events", []object{
		event("payment.received", "D-1", days(1), object{"payment_id": "p-later", "invoice_id": "i-1-0", "amount": 101}),
		event("debtor.opted_out", "D-1", days(2), object{"channel": "sms"}),
		event("case.opened", "D-1", morning.Add(time.Second), object{"case_id": "k-later", "kind": "insolvency"}),
	})
	if got := ask(morning); got != before {
		t.Errorf("with later events %s, want %s", got, before)
	}
	report := into[struct {
		AsOf time.Time `json:"as_of"`
	}](t, s.must(200, "POST", "/v1/learn", object{"creditor_id": acme, "as_of": days(5)}))
	if !report.AsOf.Equal(days(5)) {
		t.Errorf("learnt as of %v", report.AsOf)
	}
	if got := ask(morning); got != before {
		t.Errorf("after a later learning %s, want %s", got, before)
	}
	var a, b object
	if err := json.Unmarshal([]byte(known), &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(profile(morning)), &b); err != nil {
		t.Fatal(err)
	}
	delete(a, "timeline") // the questions asked meanwhile are in it
	delete(b, "timeline")
	if !reflect.DeepEqual(a, b) {
		t.Errorf("profile after a later learning %v, want %v", b, a)
	}
	if d := into[decision](t, s.must(200, "POST", "/v1/recommendations", question("D-1", object{"as_of": days(5)}))); d.HoldReason != "INSOLVENCY" {
		t.Errorf("as of later: %+v, want the hold", d)
	}
	back := into[struct {
		AsOf time.Time `json:"as_of"`
	}](t, s.must(200, "POST", "/v1/learn", object{"creditor_id": acme, "as_of": days(1)}))
	if !back.AsOf.Equal(days(5)) {
		t.Errorf("learning back to %v, want none", back.AsOf)
	}
}

// A restart changes no answer.
func TestRestart(t *testing.T) {
	s := start(t)
	s.book(12)
	ask := func(s *server, as time.Time) string {
		return string(s.must(200, "POST", "/v1/recommendations/batch", object{"creditor_id": acme, "debtor_ids": "all_overdue", "as_of": as}).body)
	}
	first := ask(s, morning)
	var sent []object
	for _, d := range into[[]decision](t, answer{body: []byte(first)}) {
		if d.Action == "contact" {
			sent = append(sent, event("contact.sent", d.Debtor, d.SendAt, object{"contact_id": "c-" + d.ID, "decision_id": d.ID, "channel": d.Channel}))
		}
	}
	s.must(200, "POST", "/v1/events", sent)
	s.must(200, "POST", "/v1/learn", object{"creditor_id": acme, "as_of": days(3)})
	want := ask(s, days(3))
	s.stop()
	r := open(t, s.path)
	r.admin = s.admin
	if got := ask(r, days(3)); got != want {
		t.Errorf("after a restart\n%s\nwant\n%s", got, want)
	}
	if got := ask(r, morning); len(got) == 0 {
		t.Error("no answer as of the first morning")
	}
}
