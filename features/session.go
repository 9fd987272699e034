package features

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/duckdb/duckdb-go/v2"
)

// fromGathered reads crowd from where gather put it: rates are shrunk to those of
// all debtors of the creditor, whoever is asked for.
var fromGathered = map[string]string{"crowd": "SELECT * FROM gathered"}

// session is one connection while it works for one call.
type session struct {
	ctx      context.Context
	db       *duckdb.Arrow
	invoices *grouped // those of the last payment made: the rows of invoices_of
}

// session calls fn with a connection on which the macros are defined.
func (p *Pipeline) session(ctx context.Context, fn func(c *session) error) error {
	return p.src.Arrow(ctx, func(db *duckdb.Arrow) error {
		c := &session{ctx: ctx, db: db}
		path, err := p.define(c)
		if err == nil {
			err = c.exec("SET search_path = " + quote(path))
		}
		if err != nil {
			return err
		}
		return fn(c)
	})
}

// define puts the macros into a database of their own, in memory, beside that of
// the relations, where all connections find them: to define them for each took
// longer than a small statement. It returns the path on which names are found, and
// the first of which views of streams are made in: never in the file of a warehouse.
func (p *Pipeline) define(c *session) (path string, err error) {
	p.words.Lock()
	defer p.words.Unlock()
	if p.path != "" {
		return p.path, nil
	}
	definitions.Lock() // another pipeline may have the same source
	defer definitions.Unlock()
	there := false
	err = c.read("SELECT current_database() AS own, count(*) FILTER (database_name = 'words') AS words FROM duckdb_databases()", func(rec arrow.RecordBatch) error {
		path = `words.main,"` + strings.ReplaceAll(rec.Column(0).(*array.String).Value(0), `"`, `""`) + `".main`
		there = rec.Column(1).(*array.Int64).Value(0) > 0
		return nil
	})
	if err == nil && !there {
		err = c.exec("ATTACH ':memory:' AS words; USE words; " + text("macros"))
	}
	if err != nil {
		return "", err
	}
	p.path = path
	return path, nil
}

var definitions sync.Mutex

// horizon sets the end of what may be read at all.
func (c *session) horizon(t time.Time) error {
	return c.exec("SET VARIABLE horizon = " + moment(t))
}

// window sets the horizon, and the window for those who read it.
func (c *session) window(w Window, until time.Time) error {
	return c.exec(fmt.Sprintf("SET VARIABLE window_start = %s; SET VARIABLE horizon = %s; SET VARIABLE keep = %v::DOUBLE; SET VARIABLE first_only = %v",
		moment(w.From), moment(until), w.Keep, w.Issues))
}

// reads finds the relations that a text reads.
var reads = regexp.MustCompile(`(?i)\b(?:FROM|JOIN)\s+"?(\w+)"?`)

// build makes the steps, in their order, from points, a SELECT of creditor_id,
// debtor_id and as_of. instead holds texts that take the place of the file of a
// step. What neither a later step nor a result reads is not left behind where there
// are many points.
func (c *session) build(points string, instead map[string]string, steps []string, results ...string) error {
	texts := make([]string, len(steps))
	last := map[string]int{} // the last step that reads a relation; len(steps): a result
	note := func(text string, at int) {
		for _, m := range reads.FindAllStringSubmatch(text, -1) {
			last[m[1]] = max(last[m[1]], at)
		}
	}
	for _, r := range results {
		note(text(r), len(steps))
	}
	for i, s := range slices.Backward(steps) {
		var ok bool
		if texts[i], ok = instead[s]; !ok {
			texts[i] = textOf(s)
		}
		if last[s] > 0 { // what nothing reads is not made, and reads nothing
			note(texts[i], i)
		}
	}
	many := false // a table of few is not worth the statement that drops it
	err := c.read("CREATE OR REPLACE TEMP TABLE points AS "+points, func(rec arrow.RecordBatch) error {
		many = rec.Column(0).(*array.Int64).Value(0) > 10_000
		return nil
	})
	if err != nil {
		return err
	}
	for i, s := range steps {
		if last[s] == 0 {
			continue
		}
		if f, ok := folds[s]; ok {
			if err := f.make(c); err != nil {
				return err
			}
		} else if err := c.exec(fmt.Sprintf("CREATE OR REPLACE TEMP TABLE %q AS %s", s, texts[i])); err != nil {
			return err
		}
		for _, done := range steps[:i] {
			if many && last[done] == i {
				if err := c.exec(fmt.Sprintf("DROP TABLE %q", done)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// textOf is the text of a step, or the texts that a fold reads.
func textOf(step string) string {
	f, ok := folds[step]
	if !ok {
		return text(step)
	}
	var all strings.Builder
	for _, name := range f.reads {
		all.WriteString(text(name))
	}
	return all.String()
}

// answer builds the steps and yields the rows of the file result.
func (c *session) answer(points string, instead map[string]string, steps []string, result string, yield func(arrow.RecordBatch) error) error {
	if err := c.build(points, instead, steps, result); err != nil {
		return err
	}
	return c.read(text(result), yield)
}

// exec runs statements that answer nothing.
func (c *session) exec(statements string) error {
	rows, err := c.db.QueryContext(c.ctx, statements)
	if err != nil {
		return fmt.Errorf("features: query: %w", err)
	}
	rows.Release()
	return nil
}

// read runs a statement and yields what it answers.
func (c *session) read(query string, yield func(arrow.RecordBatch) error) error {
	rows, err := c.db.QueryContext(c.ctx, query)
	if err != nil {
		return fmt.Errorf("features: query: %w", err)
	}
	defer rows.Release()
	for rows.Next() {
		if err := yield(rows.RecordBatch()); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("features: read: %w", err)
	}
	return nil
}

// gather computes crowd, over all debtors known at a moment of the creditors
// asked for, into the table gathered.
func (c *session) gather(asOf time.Time) error {
	points := "SELECT * FROM (" + observed(asOf, "") + ") SEMI JOIN asked USING (creditor_id)"
	if err := c.build(points, nil, crowdSteps, "gathered"); err != nil {
		return err
	}
	return c.exec("CREATE OR REPLACE TEMP TABLE gathered AS " + text("gathered"))
}

// ask puts the points into the table asked.
func (c *session) ask(points []Point) error {
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
	return c.keepBuilt("asked", b)
}

// keepBuilt makes a temporary table of what was built.
func (c *session) keepBuilt(name string, b *array.RecordBuilder) error {
	rec := b.NewRecordBatch()
	defer rec.Release()
	return c.keep(name, rec.Schema(), []arrow.RecordBatch{rec})
}

// keep copies batches to a temporary table.
func (c *session) keep(name string, s *arrow.Schema, batches []arrow.RecordBatch) error {
	rd, err := array.NewRecordReader(s, batches)
	if err != nil {
		return fmt.Errorf("features: %s: %w", name, err)
	}
	defer rd.Release()
	return c.view(rd, func(stream string) error {
		return c.exec("CREATE OR REPLACE TEMP TABLE \"" + name + "\" AS FROM " + stream)
	})
}

// streams numbers the views of streams, which all connections see.
var streams atomic.Int64

// view calls fn with the name of a relation of what rd reads.
func (c *session) view(rd array.RecordReader, fn func(name string) error) error {
	name := "stream_" + strconv.FormatInt(streams.Add(1), 10)
	release, err := c.db.RegisterView(rd, name)
	if err != nil {
		return fmt.Errorf("features: %s: %w", name, err)
	}
	defer release()
	err = fn(name)
	after := session{ctx: context.WithoutCancel(c.ctx), db: c.db} // nothing may read it once it is released
	return errors.Join(err, after.exec("DROP VIEW "+name))
}
