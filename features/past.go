package features

import (
	"context"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rappel/datasets/ledger"
)

// Past is what was known of a debtor when an invoice was issued, as far as the
// pay hazard asks for it. Means and shares are shrunk: see sql/past.sql.
type Past struct {
	LateMean float64 // mean days late of the invoices paid
	Before   float64 // share of them paid before due
	Reminded float64 // share of them paid only after a reminder
	Natural  float64 // daily rate of paying without contact while overdue
	Paid     float64 // how many were paid
	Overdue  float64 // of those paid or overdue, the share that is overdue
}

// Unknown is the Past of a debtor of whom nothing is known.
var Unknown = Past{Before: 0.5, Reminded: 0.5, Natural: 0.02}

// PastOf is the past as a behaviour vector of some moment has it: that of an
// invoice which would be issued then.
func (s *Set) PastOf(row int) Past {
	n := s.InvoicesPaid[row]
	return Past{
		LateMean: n * s.DaysLateMean[row] / (n + 2),
		Before:   (n*s.SharePaidBeforeDue[row] + 1) / (n + 2),
		Reminded: (n*s.SharePaidAfterReminder[row] + 1) / (n + 2),
		Natural:  (s.NaturalPayments[row] + 0.6) / (s.NaturalDays[row] + 30),
		Paid:     n,
		Overdue:  s.OverdueInvoices[row] / (n + s.OverdueInvoices[row] + 2),
	}
}

// Pasts calls yield for each invoice that the debtors named by f were issued
// until asOf, in no particular order: the same figures, from the same text, as
// the rows of Hazard have.
func (p *Pipeline) Pasts(ctx context.Context, asOf time.Time, f Filter, yield func(debtor ledger.Key, invoice string, past Past)) error {
	points := "SELECT creditor_id, debtor_id, issued_at AS as_of FROM invoices"
	if f.Keys != nil {
		points += " SEMI JOIN (SELECT DISTINCT creditor_id, debtor_id FROM asked) USING (creditor_id, debtor_id)"
	}
	points += " WHERE issued_at <= " + moment(asOf)
	if f.Creditor != "" {
		points += " AND creditor_id = " + quote(f.Creditor)
	}
	return p.session(ctx, func(c *session) error {
		if err := c.horizon(asOf); err != nil {
			return err
		}
		if f.Keys != nil {
			if err := c.ask(pointsOf(f.Keys, asOf)); err != nil {
				return err
			}
		}
		return c.inParts(points, pastSteps, "issue", func(rec arrow.RecordBatch) error {
			creditor, debtor, invoice := rec.Column(0).(*array.String), rec.Column(1).(*array.String), rec.Column(2).(*array.String)
			var v [6][]float64
			for k := range v {
				v[k] = rec.Column(3 + k).(*array.Float64).Values()
			}
			for i := range int(rec.NumRows()) {
				key := ledger.Key{Creditor: strings.Clone(creditor.Value(i)), Debtor: strings.Clone(debtor.Value(i))}
				yield(key, strings.Clone(invoice.Value(i)), Past{v[0][i], v[1][i], v[2][i], v[3][i], v[4][i], v[5][i]})
			}
			return nil
		})
	})
}
