package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
)

// TestPayRuns: whose payments show a run, and whose do not.
func TestPayRuns(t *testing.T) {
	const first = ledger.Day(20454) // Thursday, 1 January 2026
	rng := rand.New(rand.NewPCG(3, 4))
	book := func(n, every int, paid func(k int, due ledger.Day) ledger.Day) models.Runs {
		a := &account{}
		var last ledger.Day
		for k := range n {
			due := first + ledger.Day(every*k)
			if every == 30 { // at the end of each month
				due = ledger.DayOf(time.Date(2026, time.Month(2+k), 1, 0, 0, 0, 0, time.UTC), time.UTC) - 1
			}
			last = max(last, paid(k, due))
			a.invoices = append(a.invoices, invoice{id: strconv.Itoa(k), issued: due.UTC().Unix() - 30*86400, due: due, cents: 100, paid: paid(k, due).UTC().Unix() + 43200})
		}
		return a.payRuns(last.UTC().Unix()+86400, time.UTC)
	}
	next := func(day ledger.Day, k int) ledger.Day {
		for !onRun(k, day) {
			day++
		}
		return day
	}
	jitter := make([]ledger.Day, 60)
	for k := range jitter {
		jitter[k] = ledger.Day(rng.IntN(12))
	}
	tests := []struct {
		name string
		runs models.Runs
		k    int // of the run; 0: none
	}{
		{"weekly bills, paid at the end of the month", book(20, 7, func(_ int, due ledger.Day) ledger.Day { return next(due, models.RunEnd) }), models.RunEnd},
		{"bills due on any day, paid on Wednesdays", book(16, 11, func(k int, due ledger.Day) ledger.Day { return next(due+jitter[k], 3) }), 3},
		{"due at the end of the month, paid two days later", book(14, 30, func(_ int, due ledger.Day) ledger.Day { return due + 2 }), 0},
		{"due on Thursdays, paid the day after", book(20, 7, func(_ int, due ledger.Day) ledger.Day { return due + 1 }), 0},
		{"paid on any day", book(30, 11, func(k int, due ledger.Day) ledger.Day { return due + jitter[k] }), 0},
		{"one payment", book(1, 7, func(_ int, due ledger.Day) ledger.Day { return due }), 0},
		{"none", book(0, 7, nil), 0},
	}
	for _, tt := range tests {
		sum := 0.0
		for k, p := range tt.runs {
			sum += p
			if believed := p >= certain; k > 0 && believed != (k == tt.k) {
				t.Errorf("%s: run %d believed with %.3f, the run is %d", tt.name, k, p, tt.k)
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("%s: beliefs sum to %v", tt.name, sum)
		}
	}
}

// TestADebtorWithARunIsAskedBeforeIt: one who pays on a fixed weekday, and only
// once asked, is asked in the three working days before it or the weekend between,
// and the wait says why and until when.
func TestADebtorWithARunIsAskedBeforeIt(t *testing.T) {
	o := newOffice(t)
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	const weeks, debtors = 26, 20
	rng := rand.New(rand.NewPCG(5, 6))
	bill := func(id, debtor string, due time.Time) string {
		return fmt.Sprintf(`invoice.issued %s {"invoice_id":%q,"issued_at":"%[1]s","due_on":%[3]q,"amount":2000,"currency":"EUR"}`,
			due.AddDate(0, 0, -14).Format(time.RFC3339), id, due.Format(time.DateOnly))
	}
	end := start.AddDate(0, 0, 7*(weeks+3))
	for d := range debtors {
		id, run := fmt.Sprintf("d%d", d), time.Weekday(1+d%5)
		lines := []string{fmt.Sprintf(`debtor.upserted %s {"kind":"business","timezone":"Europe/Brussels","country":"BE","sector_code":"2511","channels":[{"channel":"email","reachable":true,"consent":true},{"channel":"sms","reachable":true,"consent":true}]}`, start.AddDate(0, 0, -30).Format(time.RFC3339))}
		for k := range weeks {
			due, name := start.AddDate(0, 0, 7*k+rng.IntN(7)), fmt.Sprintf("%s-%d", id, k)
			sent := due.AddDate(0, 0, 1+rng.IntN(10)).Add(time.Duration(8+rng.IntN(8)) * time.Hour)
			paid := sent.Truncate(24*time.Hour).AddDate(0, 0, 1)
			for paid.Weekday() != run {
				paid = paid.AddDate(0, 0, 1)
			}
			lines = append(lines, bill(name, id, due),
				fmt.Sprintf(`contact.sent %s {"contact_id":"c%s","channel":%q}`, sent.Format(time.RFC3339), name, []string{"email", "sms"}[rng.IntN(2)]),
				fmt.Sprintf(`payment.received %s {"payment_id":"p%s","invoice_id":"%[2]s","amount":2000}`, paid.Add(15*time.Hour).Format(time.RFC3339), name))
		}
		o.tell(id, lines...)
		o.tell(id, bill("n"+id, id, end.AddDate(0, 0, -1+d/5%7)))
	}
	o.learn(end.Add(5 * time.Hour))
	before, said := 0, 0
	var working [6]int
	for d := range debtors {
		id, run := fmt.Sprintf("d%d", d), time.Weekday(1+d%5)
		for day := max(0, d/5%7-2); day < 24; day++ {
			a := o.ask(id, end.AddDate(0, 0, day).Add(6*time.Hour))
			if a.Action != ActionContact {
				for i := range a.Constraints {
					if c := &a.Constraints[i]; c.Code == payRunWord && a.ReviewAt != nil && a.ReviewAt.After(end.AddDate(0, 0, day)) {
						said++
					}
				}
				continue
			}
			n := 0
			for x := *a.SendAt; x.Weekday() != run; x = x.AddDate(0, 0, 1) {
				if wd := x.Weekday(); wd != time.Saturday && wd != time.Sunday {
					n++
				}
			}
			working[min(n, 5)]++
			if n <= 3 && a.SendAt.Weekday() != run {
				before++
			}
			break
		}
	}
	t.Logf("working days from the first contact to the next run: %v", working)
	// No belief is certain: one in ten may be asked as anybody is.
	if before < debtors*9/10 {
		t.Errorf("%d of %d first contacts come one to three working days before the run", before, debtors)
	}
	if said < debtors/4 {
		t.Errorf("%d waits say that a run is waited for", said)
	}
}

// TestARunFarAwayIsWaitedFor: one who pays at the end of the month is not asked in
// its first week; the answer is to wait, says why, and asks to be asked again at
// midnight in Brussels of the third working day before.
func TestARunFarAwayIsWaitedFor(t *testing.T) {
	midnight := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	for _, tt := range []struct {
		name, country string
		due, at, want time.Time
	}{
		{"the 31st is a Saturday, and the clocks changed on the 25th", "BE", midnight(2026, 10, 2), midnight(2026, 10, 5), midnight(2026, 10, 28).Add(-time.Hour)},
		{"Whit Monday is no working day", "BE", midnight(2023, 5, 2), midnight(2023, 5, 3), midnight(2023, 5, 25).Add(-2 * time.Hour)},
		{"Boxing Day is one in Belgium", "BE", midnight(2025, 12, 2), midnight(2025, 12, 3), midnight(2025, 12, 26).Add(-time.Hour)},
		{"and none in the Netherlands", "NL", midnight(2025, 12, 2), midnight(2025, 12, 3), midnight(2025, 12, 24).Add(-time.Hour)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := newOffice(t)
			from := tt.due.AddDate(0, -9, 4)
			lines := []string{`debtor.upserted ` + from.AddDate(0, -1, 0).Format(time.RFC3339) + ` {"kind":"business","timezone":"Europe/Brussels","country":"` + tt.country + `","sector_code":"2511","channels":[{"channel":"email","reachable":true,"consent":true}]}`}
			bill := func(k int, due time.Time) {
				lines = append(lines, fmt.Sprintf(`invoice.issued %s {"invoice_id":"i%d","issued_at":"%[1]s","due_on":%[3]q,"amount":2000,"currency":"EUR"}`,
					due.AddDate(0, 0, -14).Format(time.RFC3339), k, due.Format(time.DateOnly)))
			}
			due := from
			for k := 0; due.Before(midnight(tt.due.Year(), tt.due.Month(), 1)); k, due = k+1, due.AddDate(0, 0, 7) {
				bill(k, due)
				lines = append(lines,
					fmt.Sprintf(`contact.sent %s {"contact_id":"c%d","channel":"email"}`, due.Add(9*time.Hour).Format(time.RFC3339), k),
					fmt.Sprintf(`payment.received %s {"payment_id":"p%d","invoice_id":"i%[2]d","amount":2000}`, midnight(due.Year(), due.Month()+1, 0).Add(12*time.Hour).Format(time.RFC3339), k))
			}
			bill(99, tt.due)
			o.tell("d", lines...)
			at := tt.at.Add(6 * time.Hour)
			o.learn(at)
			a := o.ask("d", at)
			if a.Action != ActionWait || a.ReviewAt == nil || !a.ReviewAt.Equal(tt.want) {
				t.Errorf("%s, again at %v; want to wait until %v", a.Action, a.ReviewAt, tt.want)
			}
			if !slices.ContainsFunc(a.Constraints, func(c Constraint) bool { return c.Code == payRunWord }) {
				t.Errorf("constraints %+v do not name the run", a.Constraints)
			}
		})
	}
}
