package api_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"
)

// Half of the debtors are control. All that are treated pay the next day, all
// others after three weeks.
func TestUplift(t *testing.T) {
	s := start(t)
	s.book(40)
	type uplift struct {
		Treated, Control, Young int
		Reason                  string
		Measures                []struct {
			Name        string
			TreatedMean float64 `json:"treated_mean"`
			ControlMean float64 `json:"control_mean"`
		}
		Earned *struct {
			Euro, Fee float64
			Lo        *float64
			OnEuro    float64 `json:"fee_on_euro"`
		}
	}
	ask := func(at time.Time) uplift {
		return into[uplift](t, s.must(200, "GET", "/v1/reports/uplift?creditor_id=acme&fee_share=0.1&as_of="+url.QueryEscape(at.Format(time.RFC3339)), nil))
	}
	if u := ask(days(1)); u.Reason == "" || u.Earned != nil {
		t.Errorf("before any decision: %+v", u)
	}
	s.must(200, "PUT", "/v1/creditors/acme", object{"control_share": 0.5})
	var events []object
	for i, d := range into[[]struct {
		Arm    string
		Debtor string `json:"debtor_id"`
	}](t, s.must(200, "POST", "/v1/recommendations/batch",
		object{"creditor_id": acme, "debtor_ids": "all_overdue", "as_of": morning})) {
		on := days(1)
		if d.Arm == "control" {
			on = days(21)
		}
		number := d.Debtor[2:]
		events = append(events, event("payment.received", d.Debtor, on, object{
			"payment_id": fmt.Sprint("p", i), "invoice_id": "i-" + number + "-0", "amount": 140,
		}))
	}
	s.must(200, "POST", "/v1/events", events)
	if u := ask(days(29)); u.Young != 40 || u.Treated+u.Control != 0 {
		t.Errorf("too early: %+v", u)
	}
	u := ask(days(40))
	if u.Treated+u.Control != 40 || u.Control < 10 || u.Treated < 10 || len(u.Measures) != 7 {
		t.Fatalf("%+v", u)
	}
	want := map[string][2]float64{"days_outstanding": {1, 21}, "collected_7d": {1, 0}, "collected_14d": {1, 0}, "collected_30d": {1, 1}}
	for _, m := range u.Measures {
		if w, ok := want[m.Name]; ok && (m.TreatedMean != w[0] || m.ControlMean != w[1]) {
			t.Errorf("%s: %v treated, %v control, want %v", m.Name, m.TreatedMean, m.ControlMean, w)
		}
	}
	if e := u.Earned; e == nil || e.Euro <= 0 || e.Lo == nil || e.Fee > e.OnEuro || e.OnEuro != 0.1*e.Euro {
		t.Errorf("earned %+v", e)
	}
	s.must(422, "GET", "/v1/reports/uplift?creditor_id=acme&fee_share=2", nil)
	s.must(404, "GET", "/v1/reports/uplift?creditor_id=other", nil)
}
