package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
				"INSERT OR IGNORE INTO %s BY NAME SELECT * FROM read_parquet('%s', hive_partitioning = true, hive_types_autocast = false, union_by_name = true)",
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

// ErrNotALake reports a folder that a snapshot would replace and that is none.
var ErrNotALake = errors.New("store: the folder holds something else than a lake; choose another")

// lakeMark is the file by which a lake is known.
const lakeMark = "_lake"

// WriteLake writes the tables as a lake: Parquet files of one moment, by
// creditor where a table has them, under DIR/<table>/creditor_id=…/. It is
// written aside and takes the place of DIR in one rename, so that a reader
// never sees half of it; an earlier lake in DIR goes. Nothing waits for it:
// reads and writes go on meanwhile. It returns the rows by table.
func (s *Store) WriteLake(ctx context.Context, dir string) (rows map[string]int64, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	old, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("lake: %w", err)
	}
	if len(old) > 0 && !slices.ContainsFunc(old, func(e os.DirEntry) bool { return e.Name() == lakeMark }) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotALake)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	aside, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")
	if err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(aside)) }()
	fresh := filepath.Join(aside, "new")
	if rows, err = s.copyLake(ctx, fresh); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	if err := os.WriteFile(filepath.Join(fresh, lakeMark), nil, 0o600); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	if old != nil {
		if err := os.Rename(dir, filepath.Join(aside, "old")); err != nil {
			return nil, fmt.Errorf("lake: %w", err)
		}
	}
	if err := os.Rename(fresh, dir); err != nil {
		return nil, fmt.Errorf("lake: %w", err)
	}
	return rows, nil
}

// copyLake writes the tables of one transaction into a new folder.
func (s *Store) copyLake(ctx context.Context, dir string) (rows map[string]int64, err error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }() // it only reads
	rows = map[string]int64{}
	for _, table := range lakeTables {
		var n int64
		var shared bool
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&n); err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
		if rows[table] = n; n == 0 {
			continue
		}
		if err := tx.QueryRowContext(ctx, `SELECT count(*) = 0 FROM duckdb_columns()
			WHERE table_name = ? AND column_name = 'creditor_id'`, table).Scan(&shared); err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
		to, options := filepath.Join(dir, table), "(FORMAT parquet, PARTITION_BY (creditor_id), WRITE_PARTITION_COLUMNS true)"
		if shared || table == "creditors" {
			to, options = to+".parquet", "(FORMAT parquet)"
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("COPY (FROM %s) TO '%s' %s", table, strings.ReplaceAll(to, "'", "''"), options)); err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
	}
	return rows, nil
}
