package features

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/duckdb/duckdb-go/v2"

	"rappel/datasets/ledger"
)

//go:embed sql/*.sql
var files embed.FS

// steps are the relations between the points and a result, each from those
// before it and from the warehouse; the text of step x is sql/x.sql.
var steps = []string{
	"point", "zone_number", "who", "clock", "moment",
	"issued", "receipt", "settled", "sent", "bill", "sign", "touch", "natural",
	"payment", "payday", "hours", "response", "context",
}

func text(name string) string {
	b, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // the file is part of the binary
	}
	return string(b)
}

// compose joins the steps over points, a SELECT of creditor_id, debtor_id and
// as_of, to one statement that ends in the relation of the file result.
func compose(points, result string) string {
	var b strings.Builder
	b.WriteString("WITH points AS (" + points + ")")
	for _, s := range steps {
		fmt.Fprintf(&b, ",\n%q AS MATERIALIZED (\n%s)", s, text(s))
	}
	b.WriteString("\n" + text(result))
	return b.String()
}

// DB is where the relations are: a *sql.DB over a DuckDB file or a lake.
type DB interface {
	Conn(ctx context.Context) (*sql.Conn, error)
}

// Pipeline computes features from the relations of one database. It may be used
// from many goroutines; each call has its own connection.
type Pipeline struct{ db DB }

// New returns the pipeline over db, whose relations have the names and columns
// of the warehouse.
func New(db DB) *Pipeline { return &Pipeline{db: db} }

// Filter says whose vectors are wanted. The zero Filter asks for all.
type Filter struct {
	Creditor string       // only this creditor's debtors, if not empty
	Keys     []ledger.Key // only these debtors, if not nil
}

// Point is a debtor at a moment.
type Point struct {
	ledger.Key
	AsOf time.Time
}

// Vectors yields the behaviour vectors, as of one moment, of all debtors
// observed by then, or of those that the filter names, in no particular order.
// A batch has the schema of Schema and lives only during the call of yield; an
// error of yield ends the work and is returned.
func (p *Pipeline) Vectors(ctx context.Context, asOf time.Time, f Filter, yield func(arrow.RecordBatch) error) error {
	asOf = asOf.UTC().Truncate(time.Microsecond)
	points := fmt.Sprintf("SELECT DISTINCT creditor_id, debtor_id, make_timestamptz(%d) AS as_of FROM debtors WHERE us(observed_at) <= %[1]d", asOf.UnixMicro())
	if f.Creditor != "" {
		points += " AND creditor_id = '" + strings.ReplaceAll(f.Creditor, "'", "''") + "'"
	}
	if f.Keys == nil {
		return p.run(ctx, nil, compose(points, "vector"), yield)
	}
	asked := make([]Point, len(f.Keys))
	for i, k := range f.Keys {
		asked[i] = Point{Key: k, AsOf: asOf}
	}
	points = "SELECT * FROM (" + points + ") SEMI JOIN asked USING (creditor_id, debtor_id)"
	return p.run(ctx, asked, compose(points, "vector"), yield)
}

// VectorsAt yields the behaviour vectors of debtors each at its own moment: what
// a model trains on. Points given twice come once.
func (p *Pipeline) VectorsAt(ctx context.Context, points []Point, yield func(arrow.RecordBatch) error) error {
	return p.run(ctx, points, compose("SELECT * FROM asked", "vector"), yield)
}

// Load returns the vectors of Vectors as a Set.
func (p *Pipeline) Load(ctx context.Context, asOf time.Time, f Filter) (*Set, error) {
	s := new(Set)
	err := p.Vectors(ctx, asOf, f, s.Append)
	return s, err
}

// run executes a statement over the relation asked, which holds the given
// points, and yields what it answers.
func (p *Pipeline) run(ctx context.Context, asked []Point, query string, yield func(arrow.RecordBatch) error) (err error) {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("features: connect: %w", err)
	}
	defer func() {
		if e := conn.Close(); err == nil && e != nil {
			err = fmt.Errorf("features: close: %w", e)
		}
	}()
	if _, err := conn.ExecContext(ctx, "SET TimeZone = 'UTC';"+text("macros")); err != nil {
		return fmt.Errorf("features: macros: %w", err)
	}
	return conn.Raw(func(driverConn any) error {
		dc, ok := driverConn.(*duckdb.Conn)
		if !ok {
			return fmt.Errorf("features: %T is no DuckDB connection", driverConn)
		}
		db, err := duckdb.NewArrowFromConn(dc)
		if err != nil {
			return fmt.Errorf("features: arrow: %w", err)
		}
		if asked != nil {
			release, err := register(db, asked)
			if err != nil {
				return fmt.Errorf("features: points: %w", err)
			}
			defer release()
		}
		rows, err := db.QueryContext(ctx, query)
		if err != nil {
			return fmt.Errorf("features: query: %w", err)
		}
		defer rows.Release()
		for rows.Next() {
			rec, err := spread(rows.RecordBatch())
			if err != nil {
				return err
			}
			err = yield(rec)
			rec.Release()
			if err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("features: read: %w", err)
		}
		return nil
	})
}

// register makes the points readable as the relation asked, until release.
func register(db *duckdb.Arrow, points []Point) (release func(), err error) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "creditor_id", Type: arrow.BinaryTypes.String},
		{Name: "debtor_id", Type: arrow.BinaryTypes.String},
		{Name: "as_of", Type: arrow.FixedWidthTypes.Timestamp_us},
	}, nil))
	defer b.Release()
	for _, p := range points {
		b.Field(0).(*array.StringBuilder).Append(p.Creditor)
		b.Field(1).(*array.StringBuilder).Append(p.Debtor)
		b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(p.AsOf.UnixMicro()))
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	rd, err := array.NewRecordReader(rec.Schema(), []arrow.RecordBatch{rec})
	if err != nil {
		return nil, err
	}
	defer rd.Release()
	return db.RegisterView(rd, "asked")
}
