package features

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// table reads all rows as text, column by name.
func table(t *testing.T, f func(yield func(arrow.RecordBatch) error) error) []map[string]string {
	t.Helper()
	var rows []map[string]string
	err := f(func(rec arrow.RecordBatch) error {
		for r := range int(rec.NumRows()) {
			row := map[string]string{}
			for c := range int(rec.NumCols()) {
				row[rec.ColumnName(c)] = strings.Clone(rec.Column(c).ValueStr(r)) // the batch dies
			}
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func reminded(t *testing.T) *store.Store {
	t.Helper()
	db := warehouse(t)
	exec(t, db, `
		INSERT INTO creditors (creditor_id) VALUES ('acme');
		INSERT INTO debtors VALUES
			('acme', 'd', '2025-01-01', 'business', 'nl', '', 'BE', '9000', '56.101', '2025-01-01'),
			('acme', 'e', '2025-01-01', 'consumer', 'nl', '', 'BE', '9000', '', '2025-01-01');
		INSERT INTO invoices BY NAME
			SELECT 'acme' AS creditor_id, id AS invoice_id, debtor AS debtor_id, issued::TIMESTAMPTZ AS issued_at, issued_at AS observed_at, due::DATE AS due_on, amount
			FROM (VALUES ('1', 'd', '2025-03-01 08:00:00+00', '2025-03-04', 99), ('2', 'd', '2025-03-05 08:00:00+00', '2025-03-06', 50),
				('3', 'e', '2025-03-05 08:00:00+00', '2025-03-06', 50)) v(id, debtor, issued, due, amount);
		INSERT INTO payments VALUES ('acme', 'p1', '1', 'd', '2025-03-08 10:00:00+00', 99, 'app');
		INSERT INTO cases BY NAME SELECT 'acme' AS creditor_id, 'x' AS case_id, 'e' AS debtor_id, '3' AS invoice_id, 'dispute' AS kind, '2025-03-07 10:00:00+00'::TIMESTAMPTZ AS opened_at;
		INSERT INTO contacts BY NAME SELECT 'acme' AS creditor_id, 'd' AS debtor_id, * FROM (VALUES
			('c1', NULL, 'email', 'friendly', '2025-03-05 09:00:00+00'::TIMESTAMPTZ), ('c2', 'D', 'sms', 'formal', '2025-03-07 09:00:00+00'))
			v(contact_id, decision_id, channel, tone, sent_at);
		INSERT INTO engagements BY NAME SELECT 'acme' AS creditor_id, 'd' AS debtor_id, 'e1' AS event_id, 'c1' AS contact_id, 'opened' AS kind, '2025-03-05 21:00:00+00'::TIMESTAMPTZ AS occurred_at;`)
	return db
}

func TestHazardRows(t *testing.T) {
	db := reminded(t)
	got := map[string]string{}
	for _, r := range table(t, func(yield func(arrow.RecordBatch) error) error {
		return New(db).Hazard(t.Context(), Window{From: day("2025-03-04T00:00:00Z"), To: day("2025-03-10T00:00:00Z")}, yield)
	}) {
		got[r["invoice_id"]+" "+r["day"]] = strings.Join([]string{r["y"], r["competing"], r["dpd"], r["weekday"], r["paid_saturday"], r["invoices_paid"], r["share_overdue"]}, " ")
	}
	want := map[string]string{
		"1 2025-03-04": "0 0 0 1 0 0 0",
		"1 2025-03-05": "0 0 1 2 0 0 0",
		"1 2025-03-06": "0 0 2 3 0 0 0",
		"1 2025-03-07": "0 0 3 4 0 0 0",
		"1 2025-03-08": "1 0 4 5 0 0 0",                   // paid
		"2 2025-03-05": "0 0 -1 2 0 0 0.3333333333333333", // the first is overdue
		"2 2025-03-06": "0 0 0 3 0 0 0.3333333333333333",
		"2 2025-03-07": "0 0 1 4 0 0 0.3333333333333333",
		"2 2025-03-08": "0 0 2 5 0 0 0.3333333333333333",
		"2 2025-03-09": "0 0 3 6 0.9961565872205753 0 0.3333333333333333", // a day old, of a half-life of 180
		"3 2025-03-05": "0 0 -1 2 0 0 0",
		"3 2025-03-06": "0 0 0 3 0 0 0",
		"3 2025-03-07": "0 1 1 4 0 0 0", // disputed, and gone
	}
	for k, w := range want {
		if got[k] != w {
			t.Errorf("%s: %s, want %s", k, got[k], w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d rows, want %d: %v", len(got), len(want), got)
	}
}

// A sample of the days without an event stands for all of them by its weights.
func TestHazardKeepsAShare(t *testing.T) {
	db := warehouse(t)
	exec(t, db, `INSERT INTO creditors (creditor_id) VALUES ('acme');
		INSERT INTO debtors SELECT 'acme', 'd' || i, '2025-01-01', 'consumer', '', '', 'BE', '', '', '2025-01-01' FROM range(100) t(i);
		INSERT INTO invoices BY NAME SELECT 'acme' AS creditor_id, 'i' || i AS invoice_id, 'd' || i AS debtor_id,
			'2025-01-01'::TIMESTAMPTZ AS issued_at, issued_at AS observed_at, '2025-02-01'::DATE AS due_on, 10 AS amount FROM range(100) t(i);
		INSERT INTO payments SELECT 'acme', 'p' || i, 'i' || i, 'd' || i, '2025-02-01 10:00:00+00', 10, '' FROM range(100) t(i);`)
	w := Window{From: day("2025-01-01T00:00:00Z"), To: day("2025-03-01T00:00:00Z"), Keep: 0.25}
	var rows, paid, weight float64
	err := New(db).Hazard(t.Context(), w, func(rec arrow.RecordBatch) error {
		y := rec.Column(rec.Schema().FieldIndices("y")[0]).(*array.Float64).Values()
		wt := rec.Column(rec.Schema().FieldIndices("weight")[0]).(*array.Float64).Values()
		for i := range y {
			rows++
			paid += y[i]
			weight += wt[i]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if paid != 100 {
		t.Errorf("%v paid, want all 100", paid)
	}
	// 3100 days without payment, each kept with 1/4: the sum of the weights has
	// standard deviation 4·√(3100·3/16) = 96.
	if weight < 3200-4*96 || weight > 3200+4*96 || rows > 1100 {
		t.Errorf("%v rows of weight %v, want about 875 of 3200", rows, weight)
	}
}

func TestYieldEndsTheWork(t *testing.T) {
	db := reminded(t)
	calls := 0
	err := New(db).Vectors(t.Context(), day("2025-03-12T09:00:00Z"), Filter{}, func(arrow.RecordBatch) error {
		calls++
		return context.Canceled
	})
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%v after %d calls, want the error of yield after one", err, calls)
	}
}

// The history at issue is the same whether training asks for it, or serving
// does, for one debtor or for all.
func TestPastsAreThoseOfTheHazard(t *testing.T) {
	db := reminded(t)
	want := map[string]string{}
	for _, r := range table(t, func(yield func(arrow.RecordBatch) error) error {
		return New(db).Hazard(t.Context(), Window{From: day("2025-03-01T00:00:00Z"), To: day("2025-03-10T00:00:00Z")}, yield)
	}) {
		want[r["invoice_id"]] = strings.Join([]string{r["days_late_mean"], r["share_paid_before_due"], r["share_paid_after_reminder"], r["natural_rate"], r["invoices_paid"], r["share_overdue"]}, " ")
	}
	for _, keys := range [][]ledger.Key{nil, {{Creditor: "acme", Debtor: "d"}}, {{Creditor: "acme", Debtor: "e"}, {Creditor: "acme", Debtor: "d"}}} {
		n := 0
		err := New(db).Pasts(t.Context(), day("2025-03-09T23:00:00Z"), Filter{Creditor: "acme", Keys: keys}, func(_ ledger.Key, invoice string, p Past) {
			n++
			if got := fmt.Sprintf("%v %v %v %v %v %v", p.LateMean, p.Before, p.Reminded, p.Natural, p.Paid, p.Overdue); got != want[invoice] {
				t.Errorf("%s: %s, want %s", invoice, got, want[invoice])
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if all := []int{3, 2, 3}[len(keys)]; n != all {
			t.Errorf("%d invoices of %v, want %d", n, keys, all)
		}
	}
}
