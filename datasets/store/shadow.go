package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"rappel/datasets/ledger"
)

// Shadow is what a model on trial would have decided beside a decision.
type Shadow struct {
	Creditor, Decision, Debtor, Model string // Decision is the champion's
	DecidedAt                         time.Time
	Action, Channel, Tone             string
	SendAt                            time.Time
	Propensity                        float64 // of what it would have drawn
	Target                            float64 // of what the champion drew
	Value                             float64
}

// LogShadows notes what a model on trial would have decided.
func (s *Store) LogShadows(ctx context.Context, list []Shadow) error {
	if len(list) == 0 {
		return nil
	}
	return s.Write(ctx, func(tx *sql.Tx) error {
		for i := range list {
			x := &list[i]
			if _, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO shadow_decisions (creditor_id, decision_id, debtor_id, model_id,
				decided_at, action, channel, send_at, tone, propensity, target, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				x.Creditor, x.Decision, x.Debtor, x.Model, x.DecidedAt, x.Action, null(x.Channel), nullTime(x.SendAt), null(x.Tone),
				x.Propensity, x.Target, x.Value); err != nil {
				return fmt.Errorf("shadow of %s: %w", x.Decision, err)
			}
		}
		return nil
	})
}

// Trial is what a model on trial has done so far.
type Trial struct {
	Decisions    int       `json:"decisions"`
	Since        time.Time `json:"since,omitzero"`
	Until        time.Time `json:"until,omitzero"`
	SameAction   float64   `json:"same_action"`   // share in which it would have contacted, or waited, as the champion did
	SameChannel  float64   `json:"same_channel"`  // share of contacts of both that go by the same channel
	ContactShare float64   `json:"contact_share"` // of its decisions
	Champion     float64   `json:"champion_contact_share"`
	Ratio        float64   `json:"ratio"` // mean of target over propensity: near 1 where the log covers it
}

// Trial summarises the shadow decisions of a model.
func (s *Store) Trial(ctx context.Context, model string) (t Trial, err error) {
	var since, until sql.NullTime
	var numbers [5]sql.NullFloat64
	err = s.db.QueryRowContext(ctx, `SELECT count(*), min(x.decided_at), max(x.decided_at), avg((x.action = d.action)::DOUBLE),
		avg(CASE WHEN x.action = 'contact' AND d.action = 'contact' THEN (x.channel = d.channel)::DOUBLE END),
		avg((x.action = 'contact')::DOUBLE), avg((d.action = 'contact')::DOUBLE), avg(x.target / d.propensity)
		FROM shadow_decisions x JOIN decisions d USING (creditor_id, decision_id) WHERE x.model_id = ?`, model).
		Scan(&t.Decisions, &since, &until, &numbers[0], &numbers[1], &numbers[2], &numbers[3], &numbers[4])
	t.Since, t.Until = since.Time, until.Time
	t.SameAction, t.SameChannel, t.ContactShare = numbers[0].Float64, numbers[1].Float64, numbers[2].Float64
	t.Champion, t.Ratio = numbers[3].Float64, numbers[4].Float64
	if err != nil {
		return t, fmt.Errorf("trial of %s: %w", model, err)
	}
	return t, nil
}

// SetTrial puts a registered model on trial, or, where id is empty, none. It
// returns ledger.ErrConflict for a model that serves.
func (s *Store) SetTrial(ctx context.Context, id string) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE models SET status = CASE WHEN promoted_at IS NULL THEN 'registered' ELSE 'retired' END
			WHERE status = 'shadow'`); err != nil {
			return fmt.Errorf("model %s: %w", id, err)
		}
		if id == "" {
			return nil
		}
		var status string
		if err := tx.QueryRowContext(ctx, "SELECT status FROM models WHERE model_id = ?", id).Scan(&status); err != nil {
			return missing(err, "model", id)
		}
		if status == Serving {
			return fmt.Errorf("model %s serves: %w", id, ledger.ErrConflict)
		}
		return touched(tx.ExecContext(ctx, "UPDATE models SET status = 'shadow' WHERE model_id = ?", id))("model", id)
	})
}

// PutEvaluation notes what a model would have earned, as JSON.
func (s *Store) PutEvaluation(ctx context.Context, model string, at time.Time, report []byte) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO evaluations (model_id, evaluated_at, report) VALUES (?, ?, ?)",
			model, at, string(report)); err != nil {
			return fmt.Errorf("evaluation of %s: %w", model, err)
		}
		return nil
	})
}

// Evaluation returns the last evaluation of a model, or ledger.ErrNotFound.
func (s *Store) Evaluation(ctx context.Context, model string) ([]byte, error) {
	var text string
	err := s.db.QueryRowContext(ctx, "SELECT report FROM evaluations WHERE model_id = ? ORDER BY evaluated_at DESC LIMIT 1", model).Scan(&text)
	return []byte(text), missing(err, "evaluation of", model)
}
