package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"rappel/datasets/ledger"
)

// Alert is one alert as it is kept.
type Alert struct {
	Creditor, ID, Debtor, Kind string // Debtor is empty for an alert of a group
	OpenedAt                   time.Time
	Members                    []Member    // of the group, in order of joining
	Steps                      []AlertStep // by time
}

// Member is a debtor that an alert of a group speaks of.
type Member struct {
	Debtor   string
	JoinedAt time.Time
}

// AlertStep is one step in the life of an alert.
type AlertStep struct {
	At      time.Time
	Verdict string
	Until   time.Time // zero: no end
	Note    string
	Actor   string
	Body    []byte // JSON; nil where nothing was found at this step
}

// AlertChange adds steps and members to an alert, and the alert itself where
// its first step is among them.
type AlertChange struct {
	Alert     // Steps and Members are those to add
	From  int // how many steps it had before
}

// AlertBatch is written as a whole or not at all.
type AlertBatch struct {
	Creditor string
	Changes  []AlertChange
	AsOf     time.Time // of State
	State    []byte    // what the detectors remember; nil: as before
	Messages []Message // to subscribers
	Audit    []AuditEntry
}

// AuditEntry says who did what to what.
type AuditEntry struct {
	Actor, Action, Object, Detail string
}

// PutAlerts writes what became of alerts.
func (s *Store) PutAlerts(ctx context.Context, b AlertBatch) error {
	at := s.now()
	return s.Write(ctx, func(tx *sql.Tx) error {
		for i := range b.Changes {
			if err := putAlert(ctx, tx, &b.Changes[i]); err != nil {
				return fmt.Errorf("alert %s: %w", b.Changes[i].ID, err)
			}
		}
		if b.State != nil {
			if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO alert_states (creditor_id, as_of, state) VALUES (?, ?, ?)",
				b.Creditor, b.AsOf, b.State); err != nil {
				return fmt.Errorf("alert state: %w", err)
			}
		}
		if err := putMessages(ctx, tx, b.Messages); err != nil {
			return err
		}
		for _, a := range b.Audit {
			if _, err := tx.ExecContext(ctx, "INSERT INTO audit_log VALUES (?, ?, ?, ?, ?, ?)",
				at, b.Creditor, a.Actor, a.Action, a.Object, a.Detail); err != nil {
				return fmt.Errorf("audit %s: %w", a.Action, err)
			}
		}
		return nil
	})
}

func putAlert(ctx context.Context, tx *sql.Tx, c *AlertChange) error {
	if c.From == 0 {
		if _, err := tx.ExecContext(ctx, "INSERT INTO alerts (creditor_id, alert_id, debtor_id, kind, opened_at) VALUES (?, ?, ?, ?, ?)",
			c.Creditor, c.ID, c.Debtor, c.Kind, c.OpenedAt); err != nil {
			return err
		}
	}
	for i, x := range c.Steps {
		var body any
		if x.Body != nil {
			body = string(x.Body)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO alert_verdicts
			(creditor_id, alert_id, step, occurred_at, verdict, until, note, actor, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			c.Creditor, c.ID, c.From+i, x.At, x.Verdict, nullTime(x.Until), x.Note, x.Actor, body); err != nil {
			return err
		}
	}
	if len(c.Members) == 0 {
		return nil
	}
	debtors, at := make([]string, len(c.Members)), make([]int64, len(c.Members))
	for i, m := range c.Members {
		debtors[i], at[i] = m.Debtor, m.JoinedAt.UnixMicro()
	}
	_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO alert_members (creditor_id, alert_id, debtor_id, joined_at)
		SELECT ?, ?, debtor, make_timestamptz(joined) FROM (SELECT unnest(?::VARCHAR[]) AS debtor, unnest(?::BIGINT[]) AS joined)`,
		c.Creditor, c.ID, debtors, at)
	return err
}

// Alerts returns all alerts of a creditor with their steps, in order of
// opening.
func (s *Store) Alerts(ctx context.Context, creditor string) ([]Alert, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT alert_id, debtor_id, kind, opened_at FROM alerts
		WHERE creditor_id = ? ORDER BY opened_at, alert_id`, creditor)
	list, err := collect(rows, err, func(row scanner) (a Alert, err error) {
		err = row.Scan(&a.ID, &a.Debtor, &a.Kind, &a.OpenedAt)
		a.Creditor, a.OpenedAt = creditor, a.OpenedAt.UTC()
		return a, err
	})
	if err != nil || len(list) == 0 {
		return list, err
	}
	at := make(map[string]int, len(list))
	for i := range list {
		at[list[i].ID] = i
	}
	rows, err = s.db.QueryContext(ctx, `SELECT alert_id, occurred_at, verdict, until, note, actor, body FROM alert_verdicts
		WHERE creditor_id = ? ORDER BY alert_id, occurred_at, step`, creditor)
	if _, err = collect(rows, err, func(row scanner) (_ struct{}, err error) {
		var id string
		var x AlertStep
		var until sql.NullTime
		var body sql.NullString
		err = row.Scan(&id, &x.At, &x.Verdict, &until, &x.Note, &x.Actor, &body)
		x.At = x.At.UTC()
		if until.Valid {
			x.Until = until.Time.UTC()
		}
		if body.Valid {
			x.Body = []byte(body.String)
		}
		if i, ok := at[id]; ok {
			list[i].Steps = append(list[i].Steps, x)
		}
		return struct{}{}, err
	}); err != nil {
		return nil, err
	}
	rows, err = s.db.QueryContext(ctx, `SELECT alert_id, debtor_id, joined_at FROM alert_members
		WHERE creditor_id = ? ORDER BY alert_id, joined_at, debtor_id`, creditor)
	_, err = collect(rows, err, func(row scanner) (_ struct{}, err error) {
		var id string
		var m Member
		err = row.Scan(&id, &m.Debtor, &m.JoinedAt)
		m.JoinedAt = m.JoinedAt.UTC()
		if i, ok := at[id]; ok {
			list[i].Members = append(list[i].Members, m)
		}
		return struct{}{}, err
	})
	return list, err
}

// AlertState returns what the detectors of a creditor remember, or
// ledger.ErrNotFound.
func (s *Store) AlertState(ctx context.Context, creditor string) (asOf time.Time, state []byte, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT as_of, state FROM alert_states WHERE creditor_id = ?", creditor).Scan(&asOf, &state)
	if errors.Is(err, sql.ErrNoRows) {
		err = ledger.ErrNotFound
	}
	return asOf.UTC(), state, err
}
