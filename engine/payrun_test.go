package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestAContactBeforeAPayRunIsWorthMore: of one who pays on Fridays, a contact on
// Thursday is carried out on the morrow, one on Saturday six days later, when
// some have forgotten: the answer takes that off, and says how long the run is
// away.
func TestAContactBeforeAPayRunIsWorthMore(t *testing.T) {
	o := newOffice(t)
	friday := time.Date(2026, 1, 9, 15, 0, 0, 0, time.UTC)
	for _, id := range []string{"fridays", "any"} {
		lines := []string{`debtor.upserted 2025-12-01T08:00:00Z {"kind":"business","timezone":"Europe/Brussels","country":"BE","channels":[{"channel":"email","reachable":true,"consent":true}]}`}
		for k := range 10 {
			paid := friday.AddDate(0, 0, 7*k)
			if id == "any" {
				paid = paid.AddDate(0, 0, k%5-4)
			}
			issued := paid.AddDate(0, 0, -24)
			lines = append(lines,
				fmt.Sprintf(`invoice.issued %[1]s {"invoice_id":"%[2]s%[3]d","issued_at":"%[1]s","due_on":"%[4]s","amount":900,"currency":"EUR"}`,
					issued.Format(time.RFC3339), id, k, issued.AddDate(0, 0, 14).Format(time.DateOnly)),
				fmt.Sprintf(`payment.received %[1]s {"payment_id":"p%[2]s%[3]d","invoice_id":"%[2]s%[3]d","amount":900}`, paid.Format(time.RFC3339), id, k))
		}
		last := friday.AddDate(0, 0, 72)
		lines = append(lines, fmt.Sprintf(`invoice.issued %[1]s {"invoice_id":"%[2]s","issued_at":"%[1]s","due_on":"%[3]s","amount":5000,"currency":"EUR"}`,
			last.AddDate(0, 0, -30).Format(time.RFC3339), id, last.AddDate(0, 0, -16).Format(time.DateOnly)))
		o.tell(id, lines...)
	}
	o.learn(friday.AddDate(0, 0, 66)) // Monday 16 March
	thursday := time.Date(2026, 3, 19, 7, 0, 0, 0, time.UTC)
	run := func(debtor string, day time.Time) Reason {
		d := o.ask(debtor, day)
		if d.Action != ActionContact {
			t.Fatalf("%s on %s: %s", debtor, day.Weekday(), d.Action)
		}
		for _, r := range d.Reasons {
			if r.Code == "PAY_RUN" {
				return r
			}
		}
		return Reason{}
	}
	before, after := run("fridays", thursday), run("fridays", thursday.AddDate(0, 0, 2))
	if !(after.Contribution < 3*before.Contribution && before.Contribution <= 0) {
		t.Errorf("the run takes %.3f from a contact on Thursday and %.3f from one on Saturday", -before.Contribution, -after.Contribution)
	}
	if !strings.Contains(after.Text, "6") {
		t.Errorf("on Saturday: %q, want six days", after.Text)
	}
	if free := run("any", thursday.AddDate(0, 0, 2)); free.Contribution < after.Contribution/3 {
		t.Errorf("it takes %.3f from one who pays on any day", -free.Contribution)
	}
}
