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
// 7 engagements for each of n debtors in a year, and the log of these events; all
// in the order of their times, as events arrive.
func bigBook(tb testing.TB, db *store.Store, n int) {
	tb.Helper()
	exec(tb, db, fmt.Sprintf(`
		INSERT INTO creditors (creditor_id) VALUES ('acme');
		INSERT INTO debtors SELECT 'acme', 'D-' || i, '2024-01-01', 'business', 'nl', '', 'BE', (1000 + i %% 9000)::VARCHAR, (10 + i %% 80) || '.10', '2024-01-01'
			FROM range(%d) t(i);
		INSERT INTO invoices BY NAME
			SELECT 'acme' AS creditor_id, 'i-' || i || '-' || j AS invoice_id, 'D-' || i AS debtor_id, t AS observed_at, t AS issued_at,
				t::DATE + 30 AS due_on, 50 + hash(i, j, 7) %% 1000 AS amount, 'EUR' AS currency
			FROM (SELECT i, j, TIMESTAMPTZ '2025-01-01' + INTERVAL (hash(i, j) %% 31536000) SECOND AS t FROM range(%[1]d) t(i), range(5) u(j)) ORDER BY t;
		INSERT INTO payments SELECT creditor_id, 'p' || invoice_id, invoice_id, debtor_id, issued_at + INTERVAL (hash(invoice_id) %% 5000000) SECOND AS t,
			amount, ['transfer', 'app', 'card'][1 + (hash(invoice_id, 1) %% 3)::INT] FROM invoices WHERE hash(invoice_id, 2) %% 10 < 9 ORDER BY t;
		INSERT INTO contacts SELECT creditor_id, 'c' || invoice_id, debtor_id, NULL,
			['email', 'sms', 'whatsapp', 'letter', 'phone'][1 + (hash(invoice_id, 3) %% 5)::INT], 'friendly',
			issued_at + INTERVAL (hash(invoice_id, 4) %% 5000000) SECOND AS t, 0.1, [invoice_id] FROM invoices WHERE hash(invoice_id, 5) %% 10 < 8 ORDER BY t;
		INSERT INTO engagements BY NAME SELECT creditor_id, 'e' || contact_id || k AS event_id, debtor_id, contact_id, channel,
			['delivered', 'opened', 'clicked'][k::INT + 1] AS kind, sent_at + INTERVAL (k * hash(contact_id, k) %% 200000) SECOND AS occurred_at
			FROM contacts, range(3) u(k) WHERE hash(contact_id, k, 6) %% 10 < 6 ORDER BY occurred_at;
		INSERT INTO events SELECT creditor_id, id, debtor_id, type, t, row_number() OVER (ORDER BY t, id) FROM (
			SELECT creditor_id, 'evt-' || invoice_id AS id, debtor_id, 'invoice.issued' AS type, issued_at AS t FROM invoices
			UNION ALL SELECT creditor_id, 'evt-' || payment_id, debtor_id, 'payment.received', paid_at FROM payments
			UNION ALL SELECT creditor_id, 'evt-' || contact_id, debtor_id, 'contact.sent', sent_at FROM contacts
			UNION ALL SELECT creditor_id, 'evt-' || event_id, debtor_id, 'contact.' || kind, occurred_at FROM engagements) ORDER BY t;
		CHECKPOINT`, n))
}

// BenchmarkVectors computes the vectors of all debtors as of one moment, and, in
// the same run, a bare count and maximum by debtor over the same events, once in
// their log and once in the tables that the vectors are made from. It reports the
// ratios, the number of events and the peak of memory; and, per event, how the
// time compares to that of a tenth of the debtors.
//
//	go test -run NONE -bench Vectors -benchtime 3x ./features -debtors 300000
func BenchmarkVectors(b *testing.B) {
	tenth := vectorsOf(b, *benchDebtors/10, 1)
	all := vectorsOf(b, *benchDebtors, b.N)
	b.ReportMetric(all.vectors/all.log, "×log")
	b.ReportMetric(all.vectors/all.tables, "×tables")
	b.ReportMetric(all.log, "s/log")
	b.ReportMetric(all.tables, "s/tables")
	b.ReportMetric(all.vectors, "s/vectors")
	b.ReportMetric(all.events, "events")
	b.ReportMetric(all.vectors/tenth.vectors, "×tenth")
	b.ReportMetric(peakMB(b), "MB-peak")
	b.ReportMetric(0, "ns/op") // it says nothing: it counts the writing of the book
}

// seconds is what the vectors and the bare queries of a book took, on average.
type seconds struct{ log, tables, vectors, events float64 }

func vectorsOf(b *testing.B, debtors, times int) (s seconds) {
	b.Helper()
	db, err := store.Open(b.Context(), b.TempDir()+"/bench.db", store.Options{Now: time.Now, Threads: 2, MemoryLimit: "3GB"})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	bigBook(b, db, debtors)
	const log = "SELECT debtor_id, count(*) AS n, max(occurred_at) AS last FROM events GROUP BY debtor_id"
	const tables = `SELECT debtor_id, count(*) AS n, max(t) AS last FROM (
		SELECT debtor_id, issued_at AS t FROM invoices UNION ALL SELECT debtor_id, paid_at FROM payments
		UNION ALL SELECT debtor_id, sent_at FROM contacts UNION ALL SELECT debtor_id, occurred_at FROM engagements) GROUP BY debtor_id`
	if err := db.DB().QueryRowContext(b.Context(), "SELECT sum(n)::DOUBLE FROM ("+tables+")").Scan(&s.events); err != nil {
		b.Fatal(err)
	}
	bare := func(query string) float64 {
		start := time.Now()
		err := db.Arrow(b.Context(), func(a *duckdb.Arrow) error {
			return (&session{ctx: b.Context(), db: a}).read(query, func(arrow.RecordBatch) error { return nil })
		})
		if err != nil {
			b.Fatal(err)
		}
		return time.Since(start).Seconds() / float64(times)
	}
	for range times {
		s.log += bare(log)
		s.tables += bare(tables)
		start, rows := time.Now(), 0
		err := New(db).Vectors(b.Context(), day("2026-01-15T10:00:00Z"), Filter{}, func(rec arrow.RecordBatch) error {
			rows += int(rec.NumRows())
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		if rows != debtors {
			b.Fatalf("%d vectors of %d debtors", rows, debtors)
		}
		s.vectors += time.Since(start).Seconds() / float64(times)
	}
	return s
}

// BenchmarkVectorsOfFew computes the vectors of 300 debtors: the least that a call
// takes, most of it the planning of its statements.
func BenchmarkVectorsOfFew(b *testing.B) {
	db := warehouse(b)
	bigBook(b, db, 300)
	for b.Loop() {
		if _, err := New(db).Load(b.Context(), day("2026-01-15T10:00:00Z"), Filter{}); err != nil {
			b.Fatal(err)
		}
	}
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
	r := NewRefresher(New(db), "acme")
	asOf := day("2026-01-15T10:00:00Z")
	set, _, err := r.Refresh(b.Context(), asOf, 0, Changes{})
	if err != nil {
		b.Fatal(err)
	}
	var late Changes
	for i := range 10 {
		late.Keys = append(late.Keys, set.Key(i))
	}
	for b.Loop() {
		asOf = asOf.Add(time.Second)
		_, done, err := r.Refresh(b.Context(), asOf, 0, late)
		if err != nil || done.Full || done.Rows != 10 {
			b.Fatalf("%+v, %v", done, err)
		}
	}
}
