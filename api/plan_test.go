package api_test

import (
	"fmt"
	"math"
	"testing"
)

type planned struct {
	ID        string  `json:"plan_id"`
	Debtors   int     `json:"debtors"`
	Contacts  int     `json:"contacts"`
	Value     float64 `json:"value_eur"`
	Optimal   float64 `json:"optimal_eur"`
	Bound     float64 `json:"bound_eur"`
	Cost      float64 `json:"cost_eur"`
	Resources []struct {
		Kind, Channel  string
		Capacity, Used float64
		Price          float64 `json:"price_eur"`
		From, To       int
		Text           string
	}
	Caller *struct {
		Calls int
		Price float64 `json:"price_eur"`
		Text  string
	} `json:"one_more_caller"`
	Actions []struct {
		Debtor     string `json:"debtor_id"`
		Decision   string `json:"decision_id"`
		Action     string
		Channel    string
		Propensity float64
	}
}

// Three e-mails, one call between nine and twelve, and a little money for
// twenty debtors.
func TestPlan(t *testing.T) {
	s := start(t)
	s.book(20)
	body := object{
		"creditor_id": acme, "as_of": morning, "date": "2026-03-02", "capacity": object{"email": 3, "sms": 2},
		"blocks": []object{{"channel": "phone", "from": 9, "to": 12, "capacity": 1}}, "budget_eur": 6.5, "explore": 0.3,
		"pressure": object{"consumer": 1, "business/62": 1, "*": 1}, "calls_per_caller": 30,
	}
	p := into[planned](t, s.must(200, "POST", "/v1/plans", body))
	if p.Debtors != 20 || len(p.Actions) != 20 || p.Contacts == 0 || p.Cost > 6.5 || p.Optimal > p.Bound+1e-6 || p.Bound <= 0 {
		t.Errorf("plan %+v", p)
	}
	count := map[string]int{}
	for _, a := range p.Actions {
		if a.Propensity <= 0 || a.Propensity > 1 {
			t.Errorf("%+v", a)
		}
		count[a.Channel]++
		d := into[decision](t, s.must(200, "GET", "/v1/decisions/"+a.Decision, nil))
		if d.Action != a.Action || d.Channel != a.Channel || math.Abs(d.Propensity-a.Propensity) > 1e-12 {
			t.Errorf("planned %+v, logged %+v", a, d)
		}
	}
	if count["email"] > 3 || count["sms"] > 2 || count["phone"] > 1 {
		t.Errorf("contacts %v", count)
	}
	scarce := false
	for _, r := range p.Resources {
		if r.Used > r.Capacity {
			t.Errorf("%+v", r)
		}
		scarce = scarce || r.Price > 0 && r.Text != ""
	}
	if !scarce {
		t.Errorf("nothing has a price: %+v", p.Resources)
	}
	again := into[planned](t, s.must(200, "GET", "/v1/plans/"+p.ID, nil))
	if again.ID != p.ID || len(again.Actions) != 20 || again.Actions[3] != p.Actions[3] {
		t.Errorf("later: %+v", again)
	}

	// Large claims, long overdue, of debtors who have a telephone only: one more
	// caller has a price.
	var events []object
	for i := range 6 {
		d := fmt.Sprintf("N-%d", i)
		events = append(events, event("debtor.upserted", d, days(-200), object{
			"kind": "business", "country": "BE", "channels": []object{{"channel": "phone", "reachable": true, "consent": true}},
		}), invoiceEvent(d, "i-"+d, days(-70), days(-40), 5000))
	}
	s.must(200, "POST", "/v1/events", events)
	body["blocks"], body["budget_eur"] = []object{{"channel": "phone", "from": 13, "to": 17, "capacity": 1}}, 100
	p = into[planned](t, s.must(200, "POST", "/v1/plans", body))
	if c := p.Caller; c == nil || c.Calls != 30 || c.Price <= 0 || c.Text != fmt.Sprintf("one more caller, of 30 calls a day, is worth up to %.2f EUR a day", c.Price) {
		t.Errorf("one more caller: %+v of %+v", c, p)
	}
	again = into[planned](t, s.must(200, "GET", "/v1/plans/"+p.ID, nil))
	if again.Caller == nil || *again.Caller != *p.Caller {
		t.Errorf("later one more caller is %+v, was %+v", again.Caller, p.Caller)
	}
	s.must(404, "GET", "/v1/plans/other", nil)
	s.must(422, "POST", "/v1/plans", object{"creditor_id": acme, "capacity": object{"pigeon": 3}})
	s.must(422, "POST", "/v1/plans", object{"creditor_id": acme, "calls_per_caller": -1})
	s.must(422, "POST", "/v1/plans", object{"creditor_id": acme, "pressure": object{"agriculture": 0.5}})
	s.must(422, "POST", "/v1/plans", object{"creditor_id": acme, "as_of": morning, "date": "2026-03-09"})
	s.must(404, "POST", "/v1/plans", object{"creditor_id": "other"})
}
