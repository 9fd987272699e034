package store

import (
	"context"
	"database/sql"
	"fmt"

	"rappel/datasets/ledger"
)

// PutReview notes a person's verdict on a decision and its new status.
func (s *Store) PutReview(ctx context.Context, creditor, decision, status string, r ledger.Review) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if err := touched(tx.ExecContext(ctx, "UPDATE decisions SET status = ? WHERE creditor_id = ? AND decision_id = ?",
			status, creditor, decision))("decision", decision); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO reviews
			(creditor_id, decision_id, reviewed_at, verdict, channel, send_at, note, actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			creditor, decision, r.At, r.Verdict, null(r.Channel), r.SendAt, r.Note, r.Actor)
		if err != nil {
			return fmt.Errorf("review of %s: %w", decision, err)
		}
		return nil
	})
}

// Reviews returns the verdicts on a decision, oldest first.
func (s *Store) Reviews(ctx context.Context, creditor, decision string) ([]ledger.Review, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT reviewed_at, verdict, coalesce(channel, ''), send_at, note, actor FROM reviews
		WHERE creditor_id = ? AND decision_id = ? ORDER BY reviewed_at`, creditor, decision)
	list, err := collect(rows, err, func(row scanner) (r ledger.Review, err error) {
		var at sql.NullTime
		err = row.Scan(&r.At, &r.Verdict, &r.Channel, &at, &r.Note, &r.Actor)
		if at.Valid {
			r.SendAt = &at.Time
		}
		return r, err
	})
	if list == nil {
		list = []ledger.Review{}
	}
	return list, err
}
