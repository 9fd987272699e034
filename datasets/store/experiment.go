package store

import (
	"context"
	"time"
)

// Entry is when a debtor was first decided for, and in which arm.
type Entry struct {
	Debtor   string
	At       time.Time
	Arm      string
	Switched bool // a later decision was in the other arm
}

// Entries returns the first decision of every debtor of a creditor within
// [from, to), in order of time. A zero from stands for the first decision of
// the control arm: before it there was no experiment.
func (s *Store) Entries(ctx context.Context, creditor string, from, to time.Time) ([]Entry, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT debtor_id, min(decided_at), arg_min(arm, decided_at), count(DISTINCT arm) > 1
		FROM decisions
		WHERE creditor_id = ? AND decided_at < ? AND decided_at >= coalesce(?,
			(SELECT min(decided_at) FROM decisions WHERE creditor_id = ? AND arm = 'control'))
		GROUP BY debtor_id ORDER BY min(decided_at), debtor_id`, creditor, to, nullTime(from), creditor)
	return collect(rows, err, func(row scanner) (e Entry, err error) {
		err = row.Scan(&e.Debtor, &e.At, &e.Arm, &e.Switched)
		e.At = e.At.UTC()
		return e, err
	})
}
