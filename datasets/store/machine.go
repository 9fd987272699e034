package store

import (
	"context"
	"database/sql"
	"fmt"

	"rappel/datasets/ledger"
)

// PutMachineOpens notes openings found to be machines'. One that was known
// before keeps the earlier moment.
func (s *Store) PutMachineOpens(ctx context.Context, opens []ledger.MachineOpen) error {
	if len(opens) == 0 {
		return nil
	}
	n := len(opens)
	creditors, events, debtors, verdicts := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	known := make([]int64, n)
	for i, o := range opens {
		creditors[i], events[i], debtors[i], verdicts[i], known[i] = o.Creditor, o.Event, o.Debtor, o.Verdict, o.KnownAt.UnixMicro()
	}
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO machine_opens (creditor_id, event_id, debtor_id, known_at, verdict)
			SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), make_timestamptz(unnest(?::BIGINT[])), unnest(?::VARCHAR[])
			ON CONFLICT DO UPDATE SET known_at = least(known_at, excluded.known_at)`,
			creditors, events, debtors, known, verdicts); err != nil {
			return fmt.Errorf("machine opens: %w", err)
		}
		return nil
	})
}

// MachineOpens returns all openings found to be machines', by creditor and event.
func (s *Store) MachineOpens(ctx context.Context) ([]ledger.MachineOpen, error) {
	rows, err := s.db.QueryContext(ctx,
		"SELECT creditor_id, event_id, debtor_id, known_at, verdict FROM machine_opens ORDER BY creditor_id, event_id")
	return collect(rows, err, func(row scanner) (o ledger.MachineOpen, err error) {
		err = row.Scan(&o.Creditor, &o.Event, &o.Debtor, &o.KnownAt, &o.Verdict)
		return o, err
	})
}
