package engine

import (
	"fmt"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/features"
)

// TestMachinesAreLeftOut: a gateway that opens every e-mail a dozen times in a
// minute teaches nothing of hours or channels, a person who opens hers does;
// and both stay as they were for questions of before, and after a restart.
func TestMachinesAreLeftOut(t *testing.T) {
	o := newOffice(t)
	start := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC) // a Monday
	for _, d := range []string{"gateway", "person"} {
		o.tell(d, "debtor.upserted 2026-03-01T08:00:00Z {\"kind\":\"business\",\"timezone\":\"Europe/Brussels\",\"country\":\"BE\",\"sector_code\":\"56101\",\"channels\":[{\"channel\":\"email\",\"reachable\":true,\"consent\":true}]}",
			"invoice.issued 2026-03-01T08:00:00Z {\"invoice_id\":\"i\",\"issued_at\":\"2026-03-01\",\"due_on\":\"2026-03-02\",\"amount\":500,\"currency\":\"EUR\"}")
		for k := range 6 {
			sent := start.AddDate(0, 0, 3*k)
			o.tell(d, fmt.Sprintf("contact.sent %s {\"contact_id\":\"%s%d\",\"channel\":\"email\"}", sent.Format(time.RFC3339), d, k))
			if d == "person" {
				o.tell(d, fmt.Sprintf("contact.opened %s {\"contact_id\":\"%s%d\"}", sent.Add(5*time.Hour).Format(time.RFC3339), d, k))
				continue
			}
			for s := range 12 { // a minute after delivery: no simple rule of seconds sees it
				o.tell(d, fmt.Sprintf("contact.opened %s {\"contact_id\":\"%s%d\"}", sent.Add(time.Minute+time.Duration(s)*time.Second).Format(time.RFC3339), d, k))
			}
		}
	}
	early, late := start.AddDate(0, 0, 1), start.AddDate(0, 0, 20)
	if first, err := o.Learn(t.Context(), "c", start.Add(-time.Hour)); err != nil || first.Machines.Opens != 0 {
		t.Fatalf("before anything was sent: %+v, %v", first, err)
	}
	r, err := o.Learn(t.Context(), "c", late)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Machines{Opens: 78, Machine: 72, Share: 72.0 / 78, Found: 72}); r.Machines != want {
		t.Errorf("machines %+v, want %+v", r.Machines, want)
	}
	for range 2 {
		for _, c := range []struct {
			debtor  string
			asOf    time.Time
			signs   float64 // looks that count
			flagged float64
			asked   float64 // contacts noticed
		}{
			{"person", late, 6, 0, 6},
			{"gateway", late, 0, 72, 0},
			{"gateway", early, 12, 0, 1}, // nobody knew
		} {
			set, err := o.pipe.Load(t.Context(), c.asOf, features.Filter{Creditor: "c", Keys: []ledger.Key{{Creditor: "c", Debtor: c.debtor}}})
			if err != nil {
				t.Fatal(err)
			}
			signs := 0.0
			for _, v := range set.Opens {
				signs += float64(v)
			}
			if signs > c.signs || signs < 0.9*c.signs || set.MachineOpens[0] != c.flagged { // decayed over three weeks
				t.Errorf("%s as of %s: %v signs, %v by machines; want %v and %v", c.debtor, c.asOf, signs, set.MachineOpens[0], c.signs, c.flagged)
			}
			a := o.books["c"].accounts[c.debtor]
			noticed := map[int]bool{}
			for k := range a.signs {
				if s := &a.signs[k]; s.at <= c.asOf.Unix() && a.attention(s, s.ref, c.asOf.Unix()) {
					noticed[s.ref] = true
				}
			}
			if float64(len(noticed)) != c.asked {
				t.Errorf("%s as of %s: %d contacts noticed, want %v", c.debtor, c.asOf, len(noticed), c.asked)
			}
		}
		o.reopen()
	}
}
