package engine

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rappel/features"
	"rappel/models"
)

// What serving tells the hazard of an open invoice is what training is told of
// the same invoice on the same day.
func TestServingSeesWhatTrainingSaw(t *testing.T) {
	o := newOffice(t)
	o.tell("d",
		`debtor.upserted 2025-10-01T08:00:00Z `+everywhere,
		// Paid twelve days late, unasked.
		`invoice.issued 2025-10-01T08:00:00Z {"invoice_id":"a","issued_at":"2025-10-01T08:00:00Z","due_on":"2025-10-15","amount":100,"currency":"EUR"}`,
		`payment.received 2025-10-27T09:00:00Z {"payment_id":"pa","invoice_id":"a","amount":100}`,
		// Open since, long overdue, and reminded once.
		`invoice.issued 2025-11-01T08:00:00Z {"invoice_id":"b","issued_at":"2025-11-01T08:00:00Z","due_on":"2025-11-15","amount":200,"currency":"EUR"}`,
		`contact.sent 2026-02-20T09:00:00Z {"contact_id":"k","channel":"email","tone":"neutral"}`,
		`contact.opened 2026-02-20T19:00:00Z {"contact_id":"k"}`,
		// Issued while b lay overdue.
		`invoice.issued 2026-02-01T08:00:00Z {"invoice_id":"c","issued_at":"2026-02-01T08:00:00Z","due_on":"2026-02-15","amount":300,"currency":"EUR"}`,
	)
	now := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	o.learn(now.AddDate(0, 0, -30))
	// What comes late finds its place: a call of last year.
	o.tell("d", `contact.sent 2025-10-20T09:00:00Z {"contact_id":"late","channel":"phone","tone":"friendly"}`)
	for range 2 { // learnt as days passed, and found again after a restart
		o.learn(now)
		var rows models.Periods
		var names []string
		w := features.Window{From: now.Truncate(24 * time.Hour), To: now.Truncate(24*time.Hour).AddDate(0, 0, 1)}
		err := o.pipe.Hazard(t.Context(), w, func(rec arrow.RecordBatch) error {
			ids := rec.Column(rec.Schema().FieldIndices("invoice_id")[0]).(*array.String)
			for i := range ids.Len() {
				names = append(names, strings.Clone(ids.Value(i)))
			}
			return rows.Append(rec)
		})
		if err != nil {
			t.Fatal(err)
		}
		if rows.Len() != 2 {
			t.Fatalf("%d invoices at risk, want b and c", rows.Len())
		}
		l, err := o.learnedAt(t.Context(), o.books["c"], now)
		if err != nil {
			t.Fatal(err)
		}
		var f facts
		var h habit
		b := o.books["c"]
		a := b.accounts["d"]
		f.fill(a, now.Unix(), o.zone, b.location.Load())
		l.habit(&h, a.key, &f)
		for i, name := range names {
			trained, _, _ := rows.At(i)
			for k := range f.claims {
				if c := &f.claims[k]; c.id == name {
					if served := f.period(&h, c); !alike(served, trained) {
						t.Errorf("invoice %s: served %+v\ntrained %+v", name, served, trained)
					}
				}
			}
		}
		// The days that b itself lay overdue are none of its history; c knows them.
		if !(h.past("c").Natural < h.past("b").Natural) {
			t.Errorf("natural rate at the issue of c %v, of b %v: want less", h.past("c").Natural, h.past("b").Natural)
		}
		o.reopen()
	}
}

// alike compares periods; training keeps its numbers in single precision.
func alike(p, q models.Period) bool {
	near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*(1+math.Abs(b)) }
	return p.DPD == q.DPD && p.Age == q.Age && p.Weekday == q.Weekday && p.MonthEnd == q.MonthEnd && near(p.Lift, q.Lift) && near(p.EndRun, q.EndRun) &&
		near(p.LogAmount, q.LogAmount) && near(p.LateMean, q.LateMean) && near(p.Before, q.Before) &&
		near(p.Reminded, q.Reminded) && near(p.Natural, q.Natural)
}
