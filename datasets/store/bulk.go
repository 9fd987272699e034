package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"rappel/datasets/ledger"
)

// Bulk writes the rows of files, inside Store.Bulk.
type Bulk struct {
	w   *writer
	ctx context.Context
	tx  *sql.Tx
}

// Rows merges typed rows into their tables.
func (b *Bulk) Rows(rows ledger.Rows) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	return b.w.appendRows(rows)
}

// Events logs events and merges the rows of those that were not known, as
// Append does.
func (b *Bulk) Events(events []ledger.Event) (Receipt, error) {
	if err := b.ctx.Err(); err != nil {
		return Receipt{}, err
	}
	r := &request{events: events}
	err := b.w.appendEvents(b.ctx, []*request{r})
	return r.receipt, err
}

// Table writes rows of a shared or reference table (weather, sector_signals,
// sectors, postcodes, holidays, creditors), each a value per column in the
// order of the table's columns. Amounts are cents.
func (b *Bulk) Table(name string, rows [][]driver.Value) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	return b.w.fill(name, len(rows), func(i int) []driver.Value { return rows[i] })
}

// Count returns how many rows a table has, those of this transaction included.
func (b *Bulk) Count(table string) (n int64, err error) {
	if err := b.tx.QueryRowContext(b.ctx, `SELECT count(*) FROM "`+table+`"`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count %s: %w", table, err)
	}
	return n, nil
}

// Creditor makes sure that a creditor is there, leaves it as it is where it is,
// and returns its time zone.
func (b *Bulk) Creditor(id string) (timezone string, err error) {
	if _, err = b.tx.ExecContext(b.ctx, "INSERT INTO creditors (creditor_id, name) VALUES (?, ?) ON CONFLICT DO NOTHING", id, id); err == nil {
		err = b.tx.QueryRowContext(b.ctx, "SELECT timezone FROM creditors WHERE creditor_id = ?", id).Scan(&timezone)
	}
	if err != nil {
		return "", fmt.Errorf("creditor %s: %w", id, err)
	}
	return timezone, nil
}
