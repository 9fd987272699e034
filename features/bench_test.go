package features

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/duckdb/duckdb-go/v2"

	"rappel/datasets/store"
)

var benchDebtors = flag.Int("debtors", 20_000, "debtors of BenchmarkVectors, with 20 events each")

// bigBook fills the warehouse with 5 invoices, 4.5 payments, 4 contacts and some
// 7 engagements for each of n debtors in a year.
func bigBook(b *testing.B, db *store.Store, n int) {
	b.Helper()
	exec(b, db, fmt.Sprintf(`
		INSERT INTO creditors (creditor_id) VALUES ('acme');
		INSERT INTO debtors SELECT 'acme', 'D-' || i, '2024-01-01', 'business', 'nl', '', 'BE', (1000 + i %% 9000)::VARCHAR, (10 + i %% 80) || '.10', '2024-01-01'
			FROM range(%d) t(i);
		INSERT INTO invoices BY NAME
			SELECT 'acme' AS creditor_id, 'i-' || i || '-' || j AS invoice_id, 'D-' || i AS debtor_id, t AS observed_at, t AS issued_at,
				t::DATE + 30 AS due_on, 50 + hash(i, j, 7) %% 1000 AS amount, 'EUR' AS currency
			FROM (SELECT i, j, TIMESTAMPTZ '2025-01-01' + INTERVAL (hash(i, j) %% 31536000) SECOND AS t FROM range(%[1]d) t(i), range(5) u(j));
		INSERT INTO payments SELECT creditor_id, 'p' || invoice_id, invoice_id, debtor_id, issued_at + INTERVAL (hash(invoice_id) %% 5000000) SECOND,
			amount, ['transfer', 'app', 'card'][1 + (hash(invoice_id, 1) %% 3)::INT] FROM invoices WHERE hash(invoice_id, 2) %% 10 < 9;
		INSERT INTO contacts SELECT creditor_id, 'c' || invoice_id, debtor_id, NULL,
			['email', 'sms', 'whatsapp', 'letter', 'phone'][1 + (hash(invoice_id, 3) %% 5)::INT], 'friendly',
			issued_at + INTERVAL (hash(invoice_id, 4) %% 5000000) SECOND, 0.1, [invoice_id] FROM invoices WHERE hash(invoice_id, 5) %% 10 < 8;
		INSERT INTO engagements BY NAME SELECT creditor_id, 'e' || contact_id || k AS event_id, debtor_id, contact_id, channel,
			['delivered', 'opened', 'clicked'][k::INT + 1] AS kind, sent_at + INTERVAL (k * hash(contact_id, k) %% 200000) SECOND AS occurred_at
			FROM contacts, range(3) u(k) WHERE hash(contact_id, k, 6) %% 10 < 6;
		CHECKPOINT`, n))
}

// BenchmarkVectors computes the vectors of all debtors as of one moment, and, in
// the same run, a bare count and maximum by debtor over the same events. It
// reports the ratio of the two, the number of events and the peak of memory.
//
//	go test -run NONE -bench Vectors -benchtime 3x ./features -debtors 300000
func BenchmarkVectors(b *testing.B) {
	db, err := store.Open(b.Context(), b.TempDir()+"/bench.db", store.Options{Now: time.Now, Threads: 2, MemoryLimit: "3GB"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	bigBook(b, db, *benchDebtors)
	const bare = `SELECT debtor_id, count(*) AS n, max(t) AS last FROM (
		SELECT debtor_id, issued_at AS t FROM invoices UNION ALL SELECT debtor_id, paid_at FROM payments
		UNION ALL SELECT debtor_id, sent_at FROM contacts UNION ALL SELECT debtor_id, occurred_at FROM engagements) GROUP BY debtor_id`
	events := 0
	err = db.DB().QueryRow("SELECT sum(n)::BIGINT FROM (" + bare + ")").Scan(&events)
	if err != nil {
		b.Fatal(err)
	}
	asOf := day("2026-01-15T10:00:00Z")
	var ours, theirs time.Duration
	for b.Loop() {
		start := time.Now()
		err := db.Arrow(b.Context(), func(a *duckdb.Arrow) error {
			return (&session{b.Context(), a}).read(bare, func(arrow.RecordBatch) error { return nil })
		})
		if err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		rows := int64(0)
		err = New(db).Vectors(b.Context(), asOf, Filter{}, func(rec arrow.RecordBatch) error {
			rows += rec.NumRows()
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		if rows != int64(*benchDebtors) {
			b.Fatalf("%d vectors of %d debtors", rows, *benchDebtors)
		}
		theirs += middle.Sub(start)
		ours += time.Since(middle)
	}
	b.ReportMetric(float64(ours)/float64(theirs), "×bare")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "s/bare")
	b.ReportMetric(ours.Seconds()/float64(b.N), "s/vectors")
	b.ReportMetric(float64(events), "events")
	b.ReportMetric(peakMB(b), "MB-peak")
}

// peakMB returns the largest resident memory of the process so far, 0 where the
// system does not say.
func peakMB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			var n float64
			if _, err := fmt.Sscan(kb, &n); err != nil {
				b.Fatal(err)
			}
			return n / 1024
		}
	}
	return 0
}

// BenchmarkRefresh brings the vectors of a book up to date after events of ten
// debtors.
func BenchmarkRefresh(b *testing.B) {
	db, err := store.Open(b.Context(), b.TempDir()+"/bench.db", store.Options{Now: time.Now, Threads: 2, MemoryLimit: "3GB"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	bigBook(b, db, *benchDebtors)
	r := NewRefresher(New(db))
	asOf := day("2026-01-15T10:00:00Z")
	if _, err := r.Refresh(b.Context(), asOf, Changes{}); err != nil {
		b.Fatal(err)
	}
	var late Changes
	r.View(func(s *Set) {
		for i := range 10 {
			late.Keys = append(late.Keys, s.Key(i))
		}
	})
	for b.Loop() {
		asOf = asOf.Add(time.Second)
		done, err := r.Refresh(b.Context(), asOf, late)
		if err != nil || done.Full || done.Rows != 10 {
			b.Fatalf("%+v, %v", done, err)
		}
	}
}
