package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"rappel/datasets/ledger"
)

const decisionColumns = `creditor_id, decision_id, debtor_id, decided_at, arm, action, channel, send_at, tone,
	propensity, model_id, status, idempotency_key, answer, candidates, vector, baseline`

func scanDecision(row scanner) (d ledger.Decision, err error) {
	var channel, tone, key sql.NullString
	var sendAt sql.NullTime
	var vector duckdb.Composite[[]float64]
	err = row.Scan(&d.Creditor, &d.ID, &d.Debtor, &d.DecidedAt, &d.Arm, &d.Action, &channel, &sendAt, &tone,
		&d.Propensity, &d.ModelID, &d.Status, &key, &d.Answer, &d.Candidates, &vector, &d.Baseline)
	d.Channel, _ = ledger.ParseChannel(channel.String)
	d.Tone, _ = ledger.ParseTone(tone.String)
	d.SendAt, d.IdempotencyKey, d.Vector = sendAt.Time, key.String, vector.Get()
	return d, err
}

// Decision returns one decision, or ledger.ErrNotFound.
func (s *Store) Decision(ctx context.Context, creditor, id string) (ledger.Decision, error) {
	d, err := scanDecision(s.db.QueryRowContext(ctx,
		"SELECT "+decisionColumns+" FROM decisions WHERE creditor_id = ? AND decision_id = ?", creditor, id))
	return d, missing(err, "decision", id)
}

// DecisionByIdempotency returns the decision that was asked for with an
// Idempotency-Key, or ledger.ErrNotFound.
func (s *Store) DecisionByIdempotency(ctx context.Context, creditor, key string) (ledger.Decision, error) {
	d, err := scanDecision(s.db.QueryRowContext(ctx,
		"SELECT "+decisionColumns+` FROM decisions WHERE creditor_id = ? AND idempotency_key = ?
		ORDER BY decided_at, decision_id LIMIT 1`, creditor, key))
	return d, missing(err, "decision of idempotency key", key)
}

// Decisions returns the newest decisions, at most limit, newest first. Empty
// fields of key stand for all; a limit of 0 for all of them.
func (s *Store) Decisions(ctx context.Context, key ledger.Key, limit int) ([]ledger.Decision, error) {
	q := "SELECT " + decisionColumns + ` FROM decisions
		WHERE (? = '' OR creditor_id = ?) AND (? = '' OR debtor_id = ?)
		ORDER BY decided_at DESC, creditor_id, decision_id DESC`
	if limit > 0 {
		q += fmt.Sprintf(" LIMIT %d", limit)
	}
	rows, err := s.db.QueryContext(ctx, q, key.Creditor, key.Creditor, key.Debtor, key.Debtor)
	return collect(rows, err, scanDecision)
}

// LastDecisions returns the last decision of each debtor, of those made within
// three days before the newest, in order of time.
func (s *Store) LastDecisions(ctx context.Context, creditor string) ([]ledger.Decision, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT "+decisionColumns+` FROM decisions
		WHERE creditor_id = ? AND decided_at >= (SELECT max(decided_at) FROM decisions WHERE creditor_id = ?) - INTERVAL 3 DAY
		QUALIFY row_number() OVER (PARTITION BY debtor_id ORDER BY decided_at DESC, decision_id DESC) = 1
		ORDER BY decided_at, decision_id`, creditor, creditor)
	return collect(rows, err, scanDecision)
}

// LastOf returns the last decision before a moment of each of some debtors who
// have one, in no order.
func (s *Store) LastOf(ctx context.Context, creditor string, debtors []string, before time.Time) ([]ledger.Decision, error) {
	args := []any{creditor, before}
	for _, d := range debtors {
		args = append(args, d)
	}
	rows, err := s.db.QueryContext(ctx, `WITH last AS (
			SELECT debtor_id, max(decided_at) AS decided_at FROM decisions
			WHERE creditor_id = ? AND decided_at <= ? AND debtor_id IN (?`+strings.Repeat(", ?", len(debtors)-1)+`) GROUP BY debtor_id)
		SELECT `+decisionColumns+` FROM decisions SEMI JOIN last USING (debtor_id, decided_at)
		WHERE creditor_id = ?`, append(args, creditor)...)
	return collect(rows, err, scanDecision)
}

// SetDecisionStatus changes the status of a decision; it returns
// ledger.ErrNotFound where there is none.
func (s *Store) SetDecisionStatus(ctx context.Context, creditor, id, status string) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx,
			"UPDATE decisions SET status = ? WHERE creditor_id = ? AND decision_id = ?", status, creditor, id))("decision", id)
	})
}

// touched returns ledger.ErrNotFound where a statement changed no row.
func touched(result sql.Result, err error) func(what, id string) error {
	return func(what, id string) error {
		if err == nil {
			var n int64
			if n, err = result.RowsAffected(); err == nil && n == 0 {
				err = sql.ErrNoRows
			}
		}
		return missing(err, what, id)
	}
}
