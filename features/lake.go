package features

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"rappel/datasets/store"
)

// relations are the tables of the warehouse that the pipeline reads.
var relations = []string{
	"creditors", "debtors", "invoices", "payments", "contacts", "engagements", "cases", "ratings",
	"weather", "sector_signals", "holidays", "machine_opens",
}

// Lake is a folder of Parquet files that stands in for the warehouse: for each
// relation DIR/<relation>/**/*.parquet, Hive-partitioned or not, or
// DIR/<relation>.parquet. A relation without files is empty.
type Lake struct {
	connector *duckdb.Connector
	views     string
}

// OpenLake opens the folder. Its files may change between two calls of Arrow,
// not during one.
func OpenLake(ctx context.Context, dir string) (*Lake, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("features: lake: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("features: lake: %s is no folder", dir)
	}
	empty, err := emptyRelations(ctx)
	if err != nil {
		return nil, err
	}
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return nil, fmt.Errorf("features: lake: %w", err)
	}
	var b strings.Builder
	b.WriteString("SET TimeZone = 'UTC'; SET preserve_insertion_order = false;")
	found := false
	for _, name := range relations {
		b.WriteString(empty[name])
		for _, pattern := range []string{filepath.Join(dir, name, "**", "*.parquet"), filepath.Join(dir, name+".parquet")} {
			files, err := glob(pattern)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("features: lake: %w", err), connector.Close())
			}
			if !files {
				continue
			}
			found = true
			// By name over an empty relation of the right types: a lake may lack
			// columns, and its partitions come as text.
			fmt.Fprintf(&b, "CREATE OR REPLACE TEMP VIEW %[1]s AS FROM none_%[1]s UNION ALL BY NAME "+
				"SELECT * FROM read_parquet(%[2]s, hive_partitioning = true, hive_types_autocast = false, union_by_name = true);", name, quote(pattern))
			break
		}
	}
	if !found {
		return nil, errors.Join(fmt.Errorf("features: lake: %s holds no Parquet file of %s", dir, strings.Join(relations, ", ")), connector.Close())
	}
	return &Lake{connector: connector, views: b.String()}, nil
}

// glob reports whether any file matches; ** stands for folders at any depth.
func glob(pattern string) (bool, error) {
	root, _, deep := strings.Cut(pattern, string(filepath.Separator)+"**")
	if !deep {
		_, err := os.Stat(pattern)
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	found := false
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() && strings.HasSuffix(path, ".parquet") {
			found = true
			return filepath.SkipAll
		}
		return nil
	})
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return found, err
}

// emptyRelations returns, for each relation, statements that define it, and
// none_<relation>, without rows and with the columns of the warehouse.
func emptyRelations(ctx context.Context) (map[string]string, error) {
	s, err := store.Open(ctx, "", store.Options{ // its migrations say the columns; nothing else is read
		Now: func() time.Time { return time.Unix(0, 0) }, Log: slog.New(slog.DiscardHandler), Threads: 1,
	})
	if err != nil {
		return nil, fmt.Errorf("features: lake: %w", err)
	}
	defer s.Close()
	rows, err := s.DB().QueryContext(ctx, "SELECT table_name, column_name, data_type FROM duckdb_columns() ORDER BY table_name, column_index")
	if err != nil {
		return nil, fmt.Errorf("features: lake: %w", err)
	}
	defer rows.Close()
	columns := map[string][]string{}
	for rows.Next() {
		var table, column, kind string
		if err := rows.Scan(&table, &column, &kind); err != nil {
			return nil, fmt.Errorf("features: lake: %w", err)
		}
		columns[table] = append(columns[table], fmt.Sprintf("NULL::%s AS %q", kind, column))
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("features: lake: %w", err)
	}
	out := make(map[string]string)
	for table, list := range columns {
		out[table] = fmt.Sprintf("CREATE OR REPLACE TEMP VIEW none_%[1]s AS SELECT %[2]s WHERE false; CREATE OR REPLACE TEMP VIEW %[1]s AS FROM none_%[1]s;",
			table, strings.Join(list, ", "))
	}
	return out, nil
}

// Arrow calls fn with a connection of its own to the relations of the lake.
func (l *Lake) Arrow(ctx context.Context, fn func(*duckdb.Arrow) error) (err error) {
	conn, err := l.connector.Connect(ctx)
	if err != nil {
		return fmt.Errorf("features: lake: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, l.views, nil); err != nil {
		return fmt.Errorf("features: lake: %w", err)
	}
	db, err := duckdb.NewArrowFromConn(conn)
	if err != nil {
		return fmt.Errorf("features: lake: %w", err)
	}
	return fn(db)
}

// Close releases the lake.
func (l *Lake) Close() error { return l.connector.Close() }
