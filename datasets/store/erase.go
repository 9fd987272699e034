package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"rappel/datasets/ledger"
)

// Erase deletes everything of one debtor: its rows in every table that has
// some, and what hangs on its decisions. It returns how many rows went.
// Learned states are not of one debtor; whoever keeps them learns anew.
func (s *Store) Erase(ctx context.Context, key ledger.Key) (erased int64, err error) {
	if key.Creditor == "" || key.Debtor == "" {
		panic("store: Erase of an incomplete key")
	}
	tables, err := s.debtorTables(ctx)
	if err != nil {
		return 0, fmt.Errorf("erase: %w", err)
	}
	err = s.Write(ctx, func(tx *sql.Tx) error {
		erased = 0
		del := func(query string) error {
			result, err := tx.ExecContext(ctx, query, key.Creditor, key.Debtor)
			if err != nil {
				return fmt.Errorf("erase: %w", err)
			}
			n, err := result.RowsAffected()
			erased += n
			return err
		}
		for _, t := range tables {
			if !t.debtor { // first, while the decisions still say whose they are
				if err := del(`DELETE FROM "` + t.name + `" WHERE (creditor_id, decision_id) IN
					(SELECT (creditor_id, decision_id) FROM decisions WHERE creditor_id = ? AND debtor_id = ?)`); err != nil {
					return err
				}
			}
		}
		// The steps of an alert say nothing of whose they are.
		if err := del(`DELETE FROM alert_verdicts WHERE (creditor_id, alert_id) IN
			(SELECT (creditor_id, alert_id) FROM alerts WHERE creditor_id = ? AND debtor_id = ?)`); err != nil {
			return err
		}
		for _, t := range tables {
			if t.debtor {
				if err := del(`DELETE FROM "` + t.name + `" WHERE creditor_id = ? AND debtor_id = ?`); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	// Deleted rows stay readable in the file until the log is folded into it.
	if _, err := s.db.ExecContext(ctx, "CHECKPOINT"); err != nil {
		s.log.WarnContext(ctx, "erased rows stay in the file until the next checkpoint", slog.Any("error", err))
	}
	return erased, nil
}

// debtorTable is a table with rows of single debtors: by a debtor_id, or else
// by a decision_id.
type debtorTable struct {
	name   string
	debtor bool
}

func (s *Store) debtorTables(ctx context.Context) ([]debtorTable, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT c.table_name, bool_or(c.column_name = 'debtor_id')
		FROM information_schema.columns c JOIN information_schema.tables t USING (table_catalog, table_schema, table_name)
		WHERE t.table_type = 'BASE TABLE' AND c.table_catalog = current_database() AND c.table_schema = 'main' AND c.column_name IN ('debtor_id', 'decision_id')
		GROUP BY c.table_name ORDER BY c.table_name`)
	return collect(rows, err, func(row scanner) (t debtorTable, err error) {
		err = row.Scan(&t.name, &t.debtor)
		return t, err
	})
}
