package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"rappel/datasets/ledger"
)

// Note is what a person wrote about a debtor.
type Note struct {
	ID     string
	At     time.Time
	Actor  string
	Object string // what it is about: a decision, a case, an alert; empty: the debtor
	Text   string
}

// AddNote keeps a note.
func (s *Store) AddNote(ctx context.Context, key ledger.Key, n Note) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO notes (creditor_id, note_id, debtor_id, written_at, actor, object, text) VALUES (?, ?, ?, ?, ?, ?, ?)",
			key.Creditor, n.ID, key.Debtor, n.At, n.Actor, n.Object, n.Text)
		if err != nil {
			return fmt.Errorf("note on %s: %w", key.Debtor, err)
		}
		return nil
	})
}

// Notes returns the newest notes on a debtor, at most limit, newest first.
func (s *Store) Notes(ctx context.Context, key ledger.Key, limit int) ([]Note, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT note_id, written_at, actor, object, text FROM notes
		WHERE creditor_id = ? AND debtor_id = ? ORDER BY written_at DESC, note_id DESC LIMIT ?`, key.Creditor, key.Debtor, limit)
	return collect(rows, err, func(row scanner) (n Note, err error) {
		err = row.Scan(&n.ID, &n.At, &n.Actor, &n.Object, &n.Text)
		return n, err
	})
}

// Act is one line of the audit log.
type Act struct {
	Line     int64     `json:"line"` // its place in the log
	At       time.Time `json:"occurred_at"`
	Creditor string    `json:"creditor_id,omitempty"` // empty: about all of them
	Actor    string    `json:"actor"`
	Action   string    `json:"action"`
	Object   string    `json:"object"`
	Detail   string    `json:"detail,omitempty"`
}

// Acts returns the newest lines of the audit log before one line that are about
// a creditor, or about all of them, at most limit, newest first.
func (s *Store) Acts(ctx context.Context, creditor string, before int64, limit int) ([]Act, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT rowid, occurred_at, creditor_id, actor, action, object, detail FROM audit_log
		WHERE creditor_id IN ('', ?) AND rowid < ? ORDER BY rowid DESC LIMIT ?`, creditor, before, limit)
	return collect(rows, err, func(row scanner) (a Act, err error) {
		err = row.Scan(&a.Line, &a.At, &a.Creditor, &a.Actor, &a.Action, &a.Object, &a.Detail)
		a.At = a.At.UTC()
		return a, err
	})
}
