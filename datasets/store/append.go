package store

import (
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"rappel/datasets/ledger"
)

// merges holds, by table, the statement that merges appended rows into it.
//
//go:embed merge/*.sql
var merges embed.FS

// appenders holds one open appender a table. It collects rows in memory; its
// flush puts them in the table.
type appenders map[string]*duckdb.Appender

func (a *appenders) close() error {
	var errs []error
	for _, p := range *a {
		errs = append(errs, p.Close())
	}
	*a = nil
	return errors.Join(errs...)
}

// reset drops the appenders with what they hold. Closing one that failed
// reports its failure again; that one has been told.
func (a *appenders) reset() {
	for _, p := range *a {
		_ = p.Clear()
	}
	_ = a.close()
}

// fill appends n rows, of which row gives the i-th in the order of the table's
// columns, into the table.
func (w *writer) fill(table string, n int, row func(i int) []driver.Value) error {
	if n == 0 {
		return nil
	}
	p, err := w.open(table)
	if err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	for i := range n {
		if err := p.AppendRow(row(i)...); err != nil {
			return fmt.Errorf("%s: %w", table, err)
		}
	}
	if err := p.Flush(); err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	return nil
}

func (w *writer) open(table string) (*duckdb.Appender, error) {
	if p := w.appender[w.mode][table]; p != nil {
		return p, nil
	}
	var p *duckdb.Appender
	err := w.conn.Raw(func(c any) (err error) {
		conn := c.(driver.Conn)
		if w.mode == plain {
			p, err = duckdb.NewAppender(conn, "", "main", table)
			return err
		}
		statement, err := merges.ReadFile("merge/" + table + ".sql")
		if err != nil {
			return err
		}
		p, err = duckdb.NewTableAppender(conn, string(statement), "", "main", table, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	if w.appender[w.mode] == nil {
		w.appender[w.mode] = appenders{}
	}
	w.appender[w.mode][table] = p
	return p, nil
}

// null returns nil for the zero value, and v otherwise.
func null[T comparable](v T) driver.Value {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

func nullTime(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t
}

func nullDay(d ledger.Day) driver.Value {
	if d == 0 {
		return nil
	}
	return d.UTC()
}

// when returns v where said holds, else nil.
func when(said bool, v driver.Value) driver.Value {
	if !said {
		return nil
	}
	return v
}

// unique merges rows of one key into the first of them, keeping the order.
func unique[T any, K comparable](rows []T, key func(*T) K, merge func(a, b T) T) []T {
	if len(rows) < 2 {
		return rows
	}
	place := make(map[K]int, len(rows))
	out := make([]T, 0, len(rows))
	for i := range rows {
		k := key(&rows[i])
		if j, ok := place[k]; ok {
			out[j] = merge(out[j], rows[i])
			continue
		}
		place[k] = len(out)
		out = append(out, rows[i])
	}
	return out
}

// appendLog logs events, the i-th as arrival first+i.
func (w *writer) appendLog(first int64, events []*ledger.Event) error {
	return w.fill("events", len(events), func(i int) []driver.Value {
		e := events[i]
		return []driver.Value{e.Creditor, e.ID, e.Debtor, e.Type, e.Time, first + int64(i)}
	})
}

// appendRows puts rows into their tables. Amounts go in as cents: the
// appender takes an integer for the unscaled value of a DECIMAL(18,2).
func (w *writer) appendRows(r ledger.Rows) error {
	type key struct {
		creditor, id, part string
		at                 int64
	}
	debtors := unique(r.Debtors, func(d *ledger.Debtor) key {
		return key{d.Creditor, d.ID, "", d.ObservedAt.UnixMicro()}
	}, ledger.Debtor.Merge)
	reach := unique(r.Reach, func(c *ledger.Reach) key {
		return key{c.Creditor, c.Debtor, c.Channel.String(), c.ObservedAt.UnixMicro()}
	}, ledger.Reach.Merge)
	invoices := unique(r.Invoices, func(v *ledger.Invoice) key { return key{v.Creditor, v.ID, "", 0} }, ledger.Invoice.Merge)
	payments := unique(r.Payments, func(p *ledger.Payment) key { return key{p.Creditor, p.ID, "", 0} }, ledger.Payment.Merge)
	contacts := unique(r.Contacts, func(c *ledger.Contact) key { return key{c.Creditor, c.ID, "", 0} }, ledger.Contact.Merge)
	engagements := unique(r.Engagements, func(e *ledger.Engagement) key { return key{e.Creditor, e.EventID, "", 0} }, ledger.Engagement.Merge)
	cases := unique(r.Cases, func(c *ledger.Case) key { return key{c.Creditor, c.ID, "", 0} }, ledger.Case.Merge)
	ratings := unique(r.Ratings, func(g *ledger.Rating) key {
		return key{g.Creditor, g.Debtor, g.Provider, g.ObservedAt.UnixMicro()}
	}, ledger.Rating.Merge)

	return errors.Join(
		w.fill("debtors", len(debtors), func(i int) []driver.Value {
			d := &debtors[i]
			return []driver.Value{
				d.Creditor, d.ID, d.ObservedAt, string(d.Kind), d.Language, d.Timezone, d.Country,
				d.Postcode, d.Sector, d.CreatedAt,
			}
		}),
		w.fill("debtor_channels", len(reach), func(i int) []driver.Value {
			c := &reach[i]
			return []driver.Value{
				c.Creditor, c.Debtor, c.Channel.String(), c.ObservedAt,
				when(c.Unknown&ledger.FacetReachable == 0, c.Reachable),
				when(c.Unknown&ledger.FacetConsent == 0, c.Consent),
				when(c.Unknown&ledger.FacetOptedOut == 0, c.OptedOut),
			}
		}),
		w.fill("invoices", len(invoices), func(i int) []driver.Value {
			v := &invoices[i]
			issued := !v.ObservedAt.IsZero()
			return []driver.Value{
				v.Creditor, v.ID, v.Debtor, nullTime(v.ObservedAt), nullTime(v.IssuedAt),
				when(issued, v.DueOn.UTC()), when(issued, v.Cents), null(v.Currency), nullTime(v.CancelledAt),
			}
		}),
		w.fill("payments", len(payments), func(i int) []driver.Value {
			p := &payments[i]
			return []driver.Value{p.Creditor, p.ID, p.Invoice, p.Debtor, p.PaidAt, p.Cents, p.Method}
		}),
		w.fill("contacts", len(contacts), func(i int) []driver.Value {
			c := &contacts[i]
			invoices := c.Invoices
			if invoices == nil {
				invoices = []string{}
			}
			return []driver.Value{
				c.Creditor, c.ID, c.Debtor, null(c.Decision), c.Channel.String(), c.Tone.String(), c.SentAt,
				c.CostCents, invoices,
			}
		}),
		w.fill("engagements", len(engagements), func(i int) []driver.Value {
			e := &engagements[i]
			return []driver.Value{
				e.Creditor, e.EventID, e.Debtor, null(e.Contact), null(e.Invoice),
				when(e.HasChannel, e.Channel.String()), e.Kind, e.OccurredAt, e.Precision, e.Machine,
			}
		}),
		w.fill("cases", len(cases), func(i int) []driver.Value {
			c := &cases[i]
			return []driver.Value{
				c.Creditor, c.ID, c.Debtor, null(c.Invoice), null(c.Kind), nullTime(c.OpenedAt),
				nullDay(c.ExpiresOn), nullTime(c.ClosedAt), null(c.Outcome),
			}
		}),
		w.fill("ratings", len(ratings), func(i int) []driver.Value {
			g := &ratings[i]
			return []driver.Value{g.Creditor, g.Debtor, g.ObservedAt, g.Provider, g.Score}
		}),
	)
}

// appendDecisions logs decisions.
func (w *writer) appendDecisions(decisions []ledger.Decision) error {
	type key struct{ creditor, id string }
	decisions = unique(decisions, func(d *ledger.Decision) key { return key{d.Creditor, d.ID} },
		func(a, _ ledger.Decision) ledger.Decision { return a })
	return w.fill("decisions", len(decisions), func(i int) []driver.Value {
		d := &decisions[i]
		contact := d.Action == "contact"
		vector := d.Vector
		if vector == nil {
			vector = []float64{}
		}
		return []driver.Value{
			d.Creditor, d.ID, d.Debtor, d.DecidedAt, d.Arm, d.Action,
			when(contact, d.Channel.String()), nullTime(d.SendAt), when(contact, d.Tone.String()),
			d.Propensity, d.ModelID, d.Status, null(d.IdempotencyKey), bytesOf(d.Answer), bytesOf(d.Candidates),
			vector, d.Baseline,
		}
	})
}

// bytesOf keeps an empty text from becoming NULL.
func bytesOf(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
