package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"

	"rappel/datasets/ledger"
)

// Load streams the typed rows of the warehouse: all of them, those of a
// creditor, or those of one debtor, by which fields of key are not empty. It
// goes table by table, in each by creditor, debtor, moment and id, in chunks
// of a few thousand rows. It stops at the first error of yield.
func (s *Store) Load(ctx context.Context, key ledger.Key, yield func(ledger.Rows) error) error {
	return s.Arrow(ctx, func(a *duckdb.Arrow) error {
		for _, t := range loads {
			if err := load(ctx, a, t, key, yield); err != nil {
				return fmt.Errorf("load %s: %w", t.table, err)
			}
		}
		return nil
	})
}

func load(ctx context.Context, a *duckdb.Arrow, t tableLoad, key ledger.Key, yield func(ledger.Rows) error) error {
	where, args := "", []any{}
	if key.Creditor != "" {
		where, args = where+" AND creditor_id = ?", append(args, key.Creditor)
	}
	if key.Debtor != "" {
		where, args = where+" AND debtor_id = ?", append(args, key.Debtor)
	}
	records, err := a.QueryContext(ctx, "SELECT "+t.columns+" FROM "+t.table+" WHERE true"+where+" ORDER BY "+t.order, args...)
	if err != nil {
		return err
	}
	defer records.Release()
	for records.Next() {
		var rows ledger.Rows
		t.read(record{records.RecordBatch()}, &rows)
		if err := yield(rows); err != nil {
			return err
		}
	}
	return records.Err()
}

// tableLoad says how the rows of a table become rows of the ledger. Moments
// are selected as microseconds and amounts as cents, both BIGINT.
type tableLoad struct {
	table, columns, order string
	read                  func(record, *ledger.Rows)
}

var loads = []tableLoad{
	{
		"debtors",
		"creditor_id, debtor_id, kind, language, timezone, country, postcode, sector_code, epoch_us(created_at), epoch_us(observed_at)",
		"creditor_id, debtor_id, observed_at",
		each(func(to *ledger.Rows) *[]ledger.Debtor { return &to.Debtors }, func(r record, i int) ledger.Debtor {
			return ledger.Debtor{
				Creditor: r.text(0, i), ID: r.text(1, i), Kind: ledger.Kind(r.text(2, i)), Language: r.text(3, i),
				Timezone: r.text(4, i), Country: r.text(5, i), Postcode: r.text(6, i), Sector: r.text(7, i),
				CreatedAt: r.moment(8, i), ObservedAt: r.moment(9, i),
			}
		}),
	},
	{
		"debtor_channels",
		"creditor_id, debtor_id, channel, reachable, consent, opted_out, epoch_us(observed_at)",
		"creditor_id, debtor_id, observed_at, channel",
		each(func(to *ledger.Rows) *[]ledger.Reach { return &to.Reach }, func(r record, i int) ledger.Reach {
			c := ledger.Reach{
				Creditor: r.text(0, i), Debtor: r.text(1, i), Channel: r.channel(2, i),
				Reachable: r.flag(3, i), Consent: r.flag(4, i), OptedOut: r.flag(5, i), ObservedAt: r.moment(6, i),
			}
			for k, facet := range []ledger.Facet{ledger.FacetReachable, ledger.FacetConsent, ledger.FacetOptedOut} {
				if r.null(3+k, i) {
					c.Unknown |= facet
				}
			}
			return c
		}),
	},
	{
		"invoices",
		"creditor_id, invoice_id, debtor_id, epoch_us(observed_at), epoch_us(issued_at), due_on, CAST(amount * 100 AS BIGINT), currency, epoch_us(cancelled_at)",
		"creditor_id, debtor_id, observed_at, invoice_id",
		each(func(to *ledger.Rows) *[]ledger.Invoice { return &to.Invoices }, func(r record, i int) ledger.Invoice {
			return ledger.Invoice{
				Creditor: r.text(0, i), ID: r.text(1, i), Debtor: r.text(2, i), ObservedAt: r.moment(3, i),
				IssuedAt: r.moment(4, i), DueOn: r.day(5, i), Cents: r.number(6, i), Currency: r.text(7, i),
				CancelledAt: r.moment(8, i),
			}
		}),
	},
	{
		"payments",
		"creditor_id, payment_id, invoice_id, debtor_id, epoch_us(paid_at), CAST(amount * 100 AS BIGINT), method",
		"creditor_id, debtor_id, paid_at, payment_id",
		each(func(to *ledger.Rows) *[]ledger.Payment { return &to.Payments }, func(r record, i int) ledger.Payment {
			return ledger.Payment{
				Creditor: r.text(0, i), ID: r.text(1, i), Invoice: r.text(2, i), Debtor: r.text(3, i),
				PaidAt: r.moment(4, i), Cents: r.number(5, i), Method: r.text(6, i),
			}
		}),
	},
	{
		"contacts",
		"creditor_id, contact_id, debtor_id, decision_id, channel, tone, epoch_us(sent_at), CAST(cost * 100 AS BIGINT), invoice_ids",
		"creditor_id, debtor_id, sent_at, contact_id",
		each(func(to *ledger.Rows) *[]ledger.Contact { return &to.Contacts }, func(r record, i int) ledger.Contact {
			c := ledger.Contact{
				Creditor: r.text(0, i), ID: r.text(1, i), Debtor: r.text(2, i), Decision: r.text(3, i),
				Channel: r.channel(4, i), SentAt: r.moment(6, i), CostCents: r.number(7, i), Invoices: r.texts(8, i),
			}
			c.Tone, _ = ledger.ParseTone(r.text(5, i))
			return c
		}),
	},
	{
		"engagements",
		"creditor_id, event_id, debtor_id, contact_id, invoice_id, channel, kind, epoch_us(occurred_at), precision, is_machine",
		"creditor_id, debtor_id, occurred_at, event_id",
		each(func(to *ledger.Rows) *[]ledger.Engagement { return &to.Engagements }, func(r record, i int) ledger.Engagement {
			return ledger.Engagement{
				Creditor: r.text(0, i), EventID: r.text(1, i), Debtor: r.text(2, i), Contact: r.text(3, i),
				Invoice: r.text(4, i), Channel: r.channel(5, i), HasChannel: !r.null(5, i), Kind: r.text(6, i),
				OccurredAt: r.moment(7, i), Precision: r.text(8, i), Machine: r.flag(9, i),
			}
		}),
	},
	{
		"cases",
		"creditor_id, case_id, debtor_id, invoice_id, kind, epoch_us(opened_at), expires_on, epoch_us(closed_at), outcome",
		"creditor_id, debtor_id, opened_at, case_id",
		each(func(to *ledger.Rows) *[]ledger.Case { return &to.Cases }, func(r record, i int) ledger.Case {
			return ledger.Case{
				Creditor: r.text(0, i), ID: r.text(1, i), Debtor: r.text(2, i), Invoice: r.text(3, i), Kind: r.text(4, i),
				OpenedAt: r.moment(5, i), ExpiresOn: r.day(6, i), ClosedAt: r.moment(7, i), Outcome: r.text(8, i),
			}
		}),
	},
	{
		"ratings",
		"creditor_id, debtor_id, epoch_us(observed_at), provider, score",
		"creditor_id, debtor_id, observed_at, provider",
		each(func(to *ledger.Rows) *[]ledger.Rating { return &to.Ratings }, func(r record, i int) ledger.Rating {
			return ledger.Rating{
				Creditor: r.text(0, i), Debtor: r.text(1, i), ObservedAt: r.moment(2, i),
				Provider: r.text(3, i), Score: r.Column(4).(*array.Float64).Value(i),
			}
		}),
	},
}

// each reads the rows of a batch one by one into the list that they belong to.
func each[T any](list func(*ledger.Rows) *[]T, row func(r record, i int) T) func(record, *ledger.Rows) {
	return func(r record, to *ledger.Rows) {
		rows := slices.Grow(*list(to), r.len())
		for i := range r.len() {
			rows = append(rows, row(r, i))
		}
		*list(to) = rows
	}
}

// record reads single values of an Arrow batch. Texts are copied: the batch
// does not outlive its turn.
type record struct{ arrow.RecordBatch }

func (r record) len() int               { return int(r.NumRows()) }
func (r record) null(col, row int) bool { return r.Column(col).IsNull(row) }

func (r record) text(col, row int) string {
	a := r.Column(col).(*array.String)
	if a.IsNull(row) {
		return ""
	}
	return string([]byte(a.Value(row)))
}

func (r record) texts(col, row int) []string {
	list := r.Column(col).(*array.List)
	from, to := list.ValueOffsets(row)
	if list.IsNull(row) || from == to {
		return nil
	}
	values := list.ListValues().(*array.String)
	out := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		out = append(out, string([]byte(values.Value(int(i)))))
	}
	return out
}

func (r record) flag(col, row int) bool {
	a := r.Column(col).(*array.Boolean)
	return a.IsValid(row) && a.Value(row)
}

func (r record) number(col, row int) int64 {
	a := r.Column(col).(*array.Int64)
	if a.IsNull(row) {
		return 0
	}
	return a.Value(row)
}

func (r record) moment(col, row int) time.Time {
	if r.null(col, row) {
		return time.Time{}
	}
	return time.UnixMicro(r.number(col, row)).UTC()
}

func (r record) day(col, row int) ledger.Day {
	if r.null(col, row) {
		return 0
	}
	return ledger.Day(r.Column(col).(*array.Date32).Value(row))
}

func (r record) channel(col, row int) ledger.Channel {
	c, _ := ledger.ParseChannel(r.text(col, row))
	return c
}
