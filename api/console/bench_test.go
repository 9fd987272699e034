package console

import (
	"fmt"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// BenchmarkPages answers each page with 100,000 debtors in the warehouse, half
// of them overdue, each with two invoices, a payment and a contact. "first" is
// the time of the first answer after a restart, in milliseconds; later ones are the benchmark's.
func BenchmarkPages(b *testing.B) {
	const n = 100_000
	d := newDesk(b, Config{})
	var events []ledger.Event
	flush := func() {
		if _, _, err := d.engine.Ingest(b.Context(), events); err != nil {
			b.Fatal(err)
		}
		events = events[:0]
	}
	issued := morning.AddDate(0, 0, -50)
	due := ledger.DayOf(morning, time.UTC) - 20
	for i := range n {
		id := fmt.Sprintf("D-%06d", i)
		add := func(kind string, rows ledger.Rows) {
			events = append(events, ledger.Event{ID: fmt.Sprint(id, kind), Type: kind, Time: issued, Creditor: "acme", Debtor: id, Rows: rows})
		}
		invoice := func(name string, cents int64) ledger.Invoice {
			return ledger.Invoice{Creditor: "acme", ID: name + id, Debtor: id, ObservedAt: issued, IssuedAt: issued, DueOn: due, Cents: cents, Currency: "EUR"}
		}
		add("debtor.upserted", ledger.Rows{
			Debtors: []ledger.Debtor{{Creditor: "acme", ID: id, Kind: ledger.Business, Country: "BE", Postcode: strconv.Itoa(1000 + i%9000), CreatedAt: issued, ObservedAt: issued}},
			Reach:   []ledger.Reach{{Creditor: "acme", Debtor: id, Reachable: true, Consent: true, ObservedAt: issued}},
		})
		rows := ledger.Rows{Invoices: []ledger.Invoice{invoice("a", int64(1000+i)), invoice("b", 5000)}}
		rows.Payments = []ledger.Payment{{Creditor: "acme", ID: "p" + id, Invoice: "b" + id, Debtor: id, PaidAt: morning.AddDate(0, 0, -15), Cents: 5000}}
		if i%2 == 0 {
			rows.Payments = append(rows.Payments, ledger.Payment{Creditor: "acme", ID: "q" + id, Invoice: "a" + id, Debtor: id, PaidAt: morning.AddDate(0, 0, -10), Cents: int64(1000 + i)})
		}
		rows.Contacts = []ledger.Contact{{Creditor: "acme", ID: "c" + id, Debtor: id, Channel: ledger.Email, SentAt: morning.AddDate(0, 0, -18), CostCents: 1}}
		add("invoice.issued", rows)
		if len(events) >= 10_000 {
			flush()
		}
	}
	flush()
	for i := range 300 {
		d.recommend("acme", fmt.Sprintf("D-%06d", n-1-2*i))
	}
	// A restart, so that the first answer is that of a server that has just begun.
	clock, log := func() time.Time { return d.now }, slog.New(slog.DiscardHandler)
	var err error
	if d.engine, err = engine.New(b.Context(), d.store, engine.Options{Now: clock, Log: log, Seed: 1}); err != nil {
		b.Fatal(err)
	}
	d.console, d.Config.Handler = build(d.engine, Config{KeyRevoked: func() {}}, clock, log)
	r := d.as("acme", "admin")
	for _, path := range []string{"", "debtors", "debtors?page=500", "debtors?q=99", "debtor?id=D-099999", "alerts", "reports", "models", "settings"} {
		name := path
		if name == "" {
			name = "today"
		}
		started := time.Now()
		r.get("/console/" + path)
		first := time.Since(started)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				r.get("/console/" + path)
			}
			b.ReportMetric(float64(first.Milliseconds()), "first-ms")
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/page")
		})
	}
}
