//go:build unix

package engine

import (
	"database/sql"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"rappel/datasets/store"
)

// BenchmarkPlanBook plans a morning of a whole book from its file: every debtor
// overdue with one invoice, five channels by the hour (so sixty options and
// more), calls scarce in two blocks of hours, letters scarce, a budget, and a
// cap on contact pressure. "open" is reading the book, "plan" the plan itself
// with everything logged, in seconds. The process's memory is in "peak-MB".
//
//	make bench-plan DEBTORS=300000
func BenchmarkPlanBook(b *testing.B) {
	for _, n := range []int{10_000, 50_000, 100_000, 200_000, 300_000, 1_000_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for b.Loop() {
				planBook(b, n)
			}
		})
	}
}

func planBook(b *testing.B, n int) {
	b.Helper()
	ctx := b.Context()
	at := moment(b, "2026-03-18T05:00:00Z")
	now := func() time.Time { return at }
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(ctx, filepath.Join(b.TempDir(), "book.duckdb"), store.Options{Now: now, Log: log})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			b.Error(err)
		}
	}()
	if err := st.Write(ctx, func(tx *sql.Tx) error { return fillBook(b, tx, n) }); err != nil {
		b.Fatal(err)
	}
	opened := time.Now()
	e, err := New(ctx, st, Options{Now: now, Log: log, Seed: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(opened).Seconds(), "open-s")
	budget := float64(n) / 5
	spent := processor()
	started := time.Now()
	p, err := e.MakePlan(ctx, PlanRequest{
		Creditor: "c", AsOf: at, Explore: DefaultExplore, Budget: &budget,
		Capacity: map[string]int{"letter": n / 20},
		Blocks:   []Block{{"phone", 9, 12, n / 100}, {"phone", 13, 17, n / 100}},
		Pressure: map[string]float64{"*": 0.6},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(started).Seconds(), "plan-s")
	b.ReportMetric(processor()-spent, "plan-cpu-s")
	b.ReportMetric(peakMB(), "peak-MB")
	b.ReportMetric(100*(p.Bound-p.Optimal)/p.Bound, "%gap")
	if p.Debtors != n || p.Contacts < n/10 {
		b.Fatalf("%+v", p)
	}
	for _, r := range p.Resources {
		if r.Used > r.Capacity+1e-9 {
			b.Errorf("%+v", r)
		}
	}
}

// fillBook writes n debtors with an overdue invoice each, and an e-mail sent to
// every third.
func fillBook(b *testing.B, tx *sql.Tx, n int) error {
	b.Helper()
	for _, query := range []string{
		`INSERT INTO creditors (creditor_id, country, policy_pack) VALUES ('c', 'BE', 'us-regf')`,
		`INSERT INTO debtors (creditor_id, debtor_id, observed_at, kind, country, postcode, sector_code, created_at)
			SELECT 'c', printf('D%07d', i), TIMESTAMPTZ '2025-06-01 00:00:00+00', CASE WHEN i % 3 = 0 THEN 'consumer' ELSE 'business' END, 'BE',
				(1000 + i % 9000)::VARCHAR, CASE WHEN i % 3 = 0 THEN '' ELSE (10 + i % 60)::VARCHAR END, TIMESTAMPTZ '2025-06-01 00:00:00+00'
			FROM range($1) r(i)`,
		`INSERT INTO debtor_channels SELECT 'c', printf('D%07d', i), channel, TIMESTAMPTZ '2025-06-01 00:00:00+00', true, true, false
			FROM range($1) r(i), (SELECT unnest(['email', 'sms', 'whatsapp', 'letter', 'phone']) AS channel)`,
		`INSERT INTO invoices (creditor_id, invoice_id, debtor_id, observed_at, issued_at, due_on, amount, currency)
			SELECT 'c', printf('i%07d', i), printf('D%07d', i), day, day, DATE '2026-02-20' + (i % 20)::INT, 20 + i * 7919 % 3000, 'EUR'
			FROM (SELECT i, TIMESTAMPTZ '2026-01-20 08:00:00+00' + INTERVAL 1 DAY * (i % 20) AS day FROM range($1) r(i))`,
		`INSERT INTO contacts (creditor_id, contact_id, debtor_id, channel, sent_at)
			SELECT 'c', printf('k%07d', i), printf('D%07d', i), 'email', TIMESTAMPTZ '2026-03-12 09:00:00+00' FROM range($1) r(i) WHERE i % 3 = 0`,
	} {
		args := []any{n}
		if query[:21] == "INSERT INTO creditors" {
			args = nil
		}
		if _, err := tx.ExecContext(b.Context(), query, args...); err != nil {
			return err
		}
	}
	return nil
}

// processor is the processor time that this process has used, in seconds.
func processor() float64 {
	u := usage()
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// peakMB is the most memory that this process has held.
func peakMB() float64 {
	kilo := float64(usage().Maxrss)
	if runtime.GOOS == "darwin" {
		kilo /= 1024 // bytes there
	}
	return kilo / 1024
}

func usage() (u syscall.Rusage) {
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // 0 where it is not known
	return u
}
