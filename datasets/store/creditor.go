package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"rappel/datasets/ledger"
)

// Change is one change of a creditor's settings.
type Change struct {
	At     time.Time
	Actor  string
	Field  string // JSON pointer
	Before string // JSON
	After  string
}

// PutCreditor creates a creditor, or replaces what is known of it, and keeps
// who changed what, for the page of settings and in the audit log: all or nothing.
func (s *Store) PutCreditor(ctx context.Context, c ledger.Creditor, changes ...Change) error {
	settings := c.Settings
	if len(settings) == 0 {
		settings = []byte("{}")
	}
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO creditors
			(creditor_id, name, country, timezone, currency, autonomy, approval_above, control_share, policy_pack, settings)
			VALUES (?, ?, ?, ?, ?, ?, CAST(? AS BIGINT) * CAST(0.01 AS DECIMAL(3,2)), ?, ?, ?)`,
			c.ID, c.Name, c.Country, c.Timezone, c.Currency, c.Autonomy, c.ApprovalAbove, c.ControlShare, c.PolicyPack, string(settings))
		for _, x := range changes {
			if err == nil {
				_, err = tx.ExecContext(ctx, "INSERT INTO settings_history (creditor_id, changed_at, actor, field, before, after) VALUES (?, ?, ?, ?, ?, ?)",
					c.ID, x.At, x.Actor, x.Field, x.Before, x.After)
			}
		}
		if err == nil && len(changes) > 0 {
			fields := make([]string, len(changes))
			for i := range changes {
				fields[i] = changes[i].Field
			}
			_, err = tx.ExecContext(ctx, "INSERT INTO audit_log VALUES (?, ?, ?, ?, ?, ?)",
				changes[0].At, c.ID, changes[0].Actor, "change settings", c.ID, strings.Join(fields, ", "))
		}
		if err != nil {
			return fmt.Errorf("put creditor %s: %w", c.ID, err)
		}
		return nil
	})
}

// Changes returns the newest changes of a creditor's settings, at most limit,
// newest first.
func (s *Store) Changes(ctx context.Context, creditor string, limit int) ([]Change, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT changed_at, actor, field, before, after FROM settings_history
		WHERE creditor_id = ? ORDER BY changed_at DESC, field LIMIT ?`, creditor, limit)
	return collect(rows, err, func(row scanner) (c Change, err error) {
		err = row.Scan(&c.At, &c.Actor, &c.Field, &c.Before, &c.After)
		return c, err
	})
}

const creditorColumns = `creditor_id, name, country, timezone, currency, autonomy,
	CAST(approval_above * 100 AS BIGINT), control_share, policy_pack, CAST(settings AS VARCHAR)`

func scanCreditor(row interface{ Scan(...any) error }) (c ledger.Creditor, err error) {
	var settings string
	err = row.Scan(&c.ID, &c.Name, &c.Country, &c.Timezone, &c.Currency, &c.Autonomy,
		&c.ApprovalAbove, &c.ControlShare, &c.PolicyPack, &settings)
	c.Settings = []byte(settings)
	return c, err
}

// Creditor returns one creditor, or ledger.ErrNotFound.
func (s *Store) Creditor(ctx context.Context, id string) (ledger.Creditor, error) {
	c, err := scanCreditor(s.db.QueryRowContext(ctx, "SELECT "+creditorColumns+" FROM creditors WHERE creditor_id = ?", id))
	return c, missing(err, "creditor", id)
}

// Creditors returns all creditors, by id.
func (s *Store) Creditors(ctx context.Context) ([]ledger.Creditor, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT "+creditorColumns+" FROM creditors ORDER BY creditor_id")
	return collect(rows, err, scanCreditor)
}

// missing turns the absence of a row into ledger.ErrNotFound.
func missing(err error, what, id string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s %s: %w", what, id, ledger.ErrNotFound)
	}
	return fmt.Errorf("%s %s: %w", what, id, err)
}

// scanner is one row of a result.
type scanner = interface{ Scan(...any) error }

// collect reads all rows of a result.
func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) (list []T, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
