package features

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/duckdb/duckdb-go/v2"
)

// crowdSteps lead to crowd, and fromGathered reads it from where gather put it:
// rates are shrunk to those of all debtors of the creditor, whoever is asked for.
var (
	crowdSteps   = append(slices.Clone(vectorSteps[:slices.Index(vectorSteps, "payment")]), "crowd")
	fromGathered = map[string]string{"crowd": "SELECT * FROM gathered"}
)

// session is one connection while it works for one call.
type session struct {
	ctx context.Context
	db  *duckdb.Arrow
}

// start defines the macros.
func (c session) start() error { return c.exec(text("macros")) }

// exec runs statements that answer nothing.
func (c session) exec(statements string) error {
	rows, err := c.db.QueryContext(c.ctx, statements)
	if err != nil {
		return fmt.Errorf("features: query: %w", err)
	}
	rows.Release()
	return nil
}

// read runs a statement and yields what it answers.
func (c session) read(query string, yield func(arrow.RecordBatch) error) error {
	rows, err := c.db.QueryContext(c.ctx, query)
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
}

// gather computes crowd, over all debtors known at a moment that also satisfies
// the given condition, into the table gathered.
func (c session) gather(asOf time.Time, of string) error {
	points := "SELECT * FROM (" + observed(asOf) + ") " + of
	return c.exec("CREATE OR REPLACE TEMP TABLE gathered AS " + compose(points, nil, crowdSteps, "crowd"))
}

// ask puts the points into the table asked.
func (c session) ask(points []Point) error {
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
	return c.keep("asked", rec.Schema(), []arrow.RecordBatch{rec})
}

// keep copies batches to a temporary table.
func (c session) keep(name string, s *arrow.Schema, batches []arrow.RecordBatch) error {
	rd, err := array.NewRecordReader(s, batches)
	if err != nil {
		return fmt.Errorf("features: %s: %w", name, err)
	}
	defer rd.Release()
	release, err := c.db.RegisterView(rd, name+"_stream")
	if err != nil {
		return fmt.Errorf("features: %s: %w", name, err)
	}
	defer release()
	return c.exec("CREATE OR REPLACE TEMP TABLE " + name + " AS FROM " + name + "_stream; DROP VIEW " + name + "_stream")
}
