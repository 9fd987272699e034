package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// lakeTables are the tables that a lake may hold.
var lakeTables = []string{
	"creditors", "debtors", "debtor_channels", "invoices", "payments", "contacts", "engagements", "cases", "ratings",
	"weather", "sector_signals", "sectors", "postcodes", "holidays", "decisions", "rewards", "machine_opens",
}

// ErrNoLake reports a folder without a table.
var ErrNoLake = errors.New("store: the folder holds no table as DIR/<table>/… or DIR/<table>.parquet")

// ReadLake copies a lake into the warehouse: for each table the Parquet files
// of DIR/<table>, Hive-partitioned or not, or DIR/<table>.parquet. Columns that
// a file lacks take their defaults; rows whose key is there already stay.
func (s *Store) ReadLake(ctx context.Context, dir string) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		found := false
		for _, table := range lakeTables {
			pattern := filepath.Join(dir, table+".parquet")
			if info, err := os.Stat(filepath.Join(dir, table)); err == nil && info.IsDir() {
				pattern = filepath.Join(dir, table, "**", "*.parquet")
			} else if _, err := os.Stat(pattern); err != nil {
				continue
			}
			found = true
			if _, err := tx.ExecContext(ctx, fmt.Sprintf(
				"INSERT OR IGNORE INTO %s BY NAME SELECT * FROM read_parquet('%s', hive_partitioning = true, union_by_name = true)",
				table, strings.ReplaceAll(pattern, "'", "''"))); err != nil {
				return fmt.Errorf("lake: %s: %w", table, err)
			}
		}
		if !found {
			return fmt.Errorf("%s: %w", dir, ErrNoLake)
		}
		return nil
	})
}
