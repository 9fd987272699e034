package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to the numbered files of migrations. Each runs
// once, in a transaction with the note that it has run.
func migrate(ctx context.Context, db *sql.DB, now func() time.Time) error {
	return migrateFrom(ctx, db, migrations, now)
}

func migrateFrom(ctx context.Context, db *sql.DB, files fs.FS, now func() time.Time) error {
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_versions (
		version INTEGER PRIMARY KEY, name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL)`); err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, "SELECT version FROM schema_versions ORDER BY version")
	have, err := collect(rows, err, func(row scanner) (v int, err error) { return v, row.Scan(&v) })
	if err != nil {
		return err
	}
	names, err := fs.Glob(files, "migrations/*.sql") // sorted
	if err != nil {
		return err
	}
	newest := 0
	for _, name := range names {
		number, _, _ := strings.Cut(strings.TrimPrefix(name, "migrations/"), "_")
		if newest, err = strconv.Atoi(number); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
		if slices.Contains(have, newest) {
			continue
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if err := apply(ctx, db, newest, name, string(text), now()); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	if n := len(have); n > 0 && have[n-1] > newest {
		return fmt.Errorf("%w: its schema is version %d, this binary knows %d", ErrNewer, have[n-1], newest)
	}
	return nil
}

func apply(ctx context.Context, db *sql.DB, version int, name, text string, at time.Time) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if _, err = tx.ExecContext(ctx, text); err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, "INSERT INTO schema_versions VALUES (?, ?, ?)", version, name, at); err != nil {
		return err
	}
	return tx.Commit()
}

// SchemaVersion returns the version of the file's schema.
func (s *Store) SchemaVersion(ctx context.Context) (version int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT max(version) FROM schema_versions").Scan(&version)
	return version, err
}
