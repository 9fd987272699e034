package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// The states of a model.
const (
	Registered = "registered"
	Shadowing  = "shadow" // decides beside the serving one, for the log only
	Serving    = "serving"
	Retired    = "retired"
)

// Model is an artefact that the server knows of.
type Model struct {
	ID, Path     string
	RegisteredAt time.Time
	PromotedAt   time.Time // zero while it never served
	Status       string    // Registered, Shadowing, Serving or Retired
}

// RegisterModel notes an artefact. The same again changes nothing.
func (s *Store) RegisterModel(ctx context.Context, id, path string) error {
	at := s.now()
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO models (model_id, path, registered_at, status)
			VALUES (?, ?, ?, 'registered') ON CONFLICT (model_id) DO NOTHING`, id, path, at)
		return missing(err, "model", id)
	})
}

// PromoteModel makes one model the serving one and retires the one before, and
// writes down the messages that tell of it; it returns ledger.ErrNotFound where
// there is no such model.
func (s *Store) PromoteModel(ctx context.Context, id string, messages ...Message) error {
	at := s.now()
	return s.Write(ctx, func(tx *sql.Tx) error {
		if err := touched(tx.ExecContext(ctx,
			"UPDATE models SET status = 'serving', promoted_at = ? WHERE model_id = ?", at, id))("model", id); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE models SET status = 'retired' WHERE status = 'serving' AND model_id <> ?", id); err != nil {
			return missing(err, "model", id)
		}
		return putMessages(ctx, tx, messages)
	})
}

// Models returns all models, the last promoted first, then the last
// registered.
func (s *Store) Models(ctx context.Context) ([]Model, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT model_id, path, registered_at, promoted_at, status FROM models
		ORDER BY promoted_at DESC NULLS LAST, registered_at DESC, model_id`)
	return collect(rows, err, func(row scanner) (m Model, err error) {
		var promoted sql.NullTime
		err = row.Scan(&m.ID, &m.Path, &m.RegisteredAt, &promoted, &m.Status)
		m.PromotedAt = promoted.Time
		return m, err
	})
}

// Audit notes who did what to what.
func (s *Store) Audit(ctx context.Context, creditor, actor, action, object, detail string) error {
	at := s.now()
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO audit_log VALUES (?, ?, ?, ?, ?, ?)",
			at, creditor, actor, action, object, detail); err != nil {
			return fmt.Errorf("audit %s: %w", action, err)
		}
		return nil
	})
}
