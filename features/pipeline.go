package features

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"

	"rappel/datasets/ledger"
)

//go:embed sql/*.sql
var files embed.FS

// steps are the relations between the points and the results, each made from
// those before it and from the warehouse; the text of step x is sql/x.sql, unless
// it is one of folds. Each becomes a temporary table, so that the next is planned
// for its true size, and goes when nothing that is still to come reads it.
var (
	history = []string{
		"point", "zone_number", "who", "clock", "moment",
		"issued", "receipt", "sent", "settled", "bill", "sign", "touch", "natural", "payment",
	}
	crowdSteps  = append(slices.Clone(history[:slices.Index(history, "natural")]), "crowd")
	vectorSteps = append(slices.Clone(history), "context", "crowd", "place", "forecast", "sector", "holiday")
	pastSteps   = append(slices.Clone(history), "past")
	hazardSteps = append(slices.Clone(pastSteps), "stretch")
)

func text(name string) string {
	b, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // the file is part of the binary
	}
	return string(b)
}

// Source is where the relations are: a store, or a Lake.
type Source interface {
	// Arrow calls fn with a connection of its own, whose session is in UTC.
	Arrow(ctx context.Context, fn func(*duckdb.Arrow) error) error
}

// Pipeline computes features from the relations of one database. It may be used
// from many goroutines; each call has its own connection.
type Pipeline struct {
	src   Source
	path  string     // where names are looked up, once the words are there
	words sync.Mutex // of path
}

// New returns the pipeline over src, whose relations have the names and columns
// of the warehouse.
func New(src Source) *Pipeline { return &Pipeline{src: src} }

// Filter says whose vectors are wanted. The zero Filter asks for all.
type Filter struct {
	Creditor string       // only this creditor's debtors, if not empty
	Keys     []ledger.Key // only these debtors, if not nil
	// HalfLife is that of the columns opens, exposure and open_weekday, in days;
	// HalfLife, the constant, if 0.
	HalfLife float64
}

// HalfLife is the half-life of habits where none was chosen, in days.
const HalfLife = 180

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
	return p.vectors(ctx, asOf, f, func(c *session) error {
		everyone := observed(asOf, f.Creditor)
		if f.Keys == nil {
			return c.answerVectors(everyone, nil, yield)
		}
		if err := c.ask(pointsOf(f.Keys, asOf)); err != nil {
			return err
		}
		if err := c.gather(asOf); err != nil {
			return err
		}
		points := "SELECT * FROM (" + everyone + ") SEMI JOIN asked USING (creditor_id, debtor_id)"
		return c.answerVectors(points, fromGathered, yield)
	})
}

// vectors calls fn with a session that knows nothing after asOf and has the
// half-life of f.
func (p *Pipeline) vectors(ctx context.Context, asOf time.Time, f Filter, fn func(*session) error) error {
	return p.session(ctx, func(c *session) error {
		if f.HalfLife != 0 {
			if err := c.exec(fmt.Sprintf("SET VARIABLE look_half_life = %v::DOUBLE", f.HalfLife)); err != nil {
				return err
			}
		}
		if err := c.horizon(asOf); err != nil {
			return err
		}
		return fn(c)
	})
}

// VectorsAt yields the behaviour vectors of debtors each at its own moment: what
// a model trains on. Points given twice come once.
func (p *Pipeline) VectorsAt(ctx context.Context, points []Point, yield func(arrow.RecordBatch) error) error {
	if len(points) == 0 {
		return nil
	}
	last := slices.MaxFunc(points, func(a, b Point) int { return a.AsOf.Compare(b.AsOf) })
	return p.session(ctx, func(c *session) error {
		if err := c.horizon(last.AsOf); err != nil {
			return err
		}
		if err := c.ask(points); err != nil {
			return err
		}
		if err := c.gather(last.AsOf); err != nil {
			return err
		}
		return c.answerVectors("SELECT * FROM asked", fromGathered, yield)
	})
}

func pointsOf(keys []ledger.Key, asOf time.Time) []Point {
	points := make([]Point, len(keys))
	for i, k := range keys {
		points[i] = Point{Key: k, AsOf: asOf}
	}
	return points
}

// Load returns the vectors of Vectors as a Set.
func (p *Pipeline) Load(ctx context.Context, asOf time.Time, f Filter) (*Set, error) {
	s := new(Set)
	err := p.Vectors(ctx, asOf, f, s.Append)
	return s, err
}

// Window is a stretch of time to learn from.
type Window struct {
	From, To time.Time // [From, To)
	Creditor string    // only this creditor's, if not empty
	// Issues asks Hazard for the invoices issued in the window only, and of each
	// the first day.
	Issues bool
	// Keep is the share of the days without an event that Hazard keeps; the rows
	// carry the weight that makes up for it. 0 means 1.
	Keep float64
}

// Hazard yields one row per invoice and day at risk in the window, with the
// columns of sql/hazard.sql, knowing nothing from w.To on. Batches live only during the call of yield.
func (p *Pipeline) Hazard(ctx context.Context, w Window, yield func(arrow.RecordBatch) error) error {
	keep := w.Keep
	if keep == 0 {
		keep = 1
	}
	if keep < 0 || keep > 1 {
		return fmt.Errorf("features: hazard: keep is %v, not in (0, 1]", keep)
	}
	points := "SELECT creditor_id, debtor_id, issued_at AS as_of FROM invoices WHERE issued_at < " + moment(w.To)
	if w.Issues {
		points += " AND issued_at >= " + moment(w.From)
	}
	// What is known at w.To is what lies before it.
	w.Keep = keep
	return p.inParts(ctx, w, points, w.To.Add(-time.Microsecond), hazardSteps, "hazard", yield)
}

// partSize is how many points one statement is given: a result is held whole
// until it is read, so this bounds memory.
const partSize = 200_000

// inParts answers for the points of w, with what is known at a moment.
func (p *Pipeline) inParts(ctx context.Context, w Window, points string, known time.Time, steps []string, result string, yield func(arrow.RecordBatch) error) error {
	if w.Creditor != "" {
		points += " AND creditor_id = " + quote(w.Creditor)
	}
	return p.session(ctx, func(c *session) error {
		if err := c.window(w, known); err != nil {
			return err
		}
		return c.inParts(points, steps, result, yield)
	})
}

// inParts answers for one part of the debtors after the other. points ends in
// a condition.
func (c *session) inParts(points string, steps []string, result string, yield func(arrow.RecordBatch) error) error {
	parts := int64(1)
	err := c.read("SELECT count(*) // "+strconv.Itoa(partSize)+" + 1 AS parts FROM ("+points+")", func(rec arrow.RecordBatch) error {
		parts = rec.Column(0).(*array.Int64).Value(0)
		return nil
	})
	for i := int64(0); i < parts && err == nil; i++ {
		part := fmt.Sprintf("%s AND hash(creditor_id, debtor_id) %% %d = %d", points, parts, i)
		err = c.answer(part, nil, steps, result, yield)
	}
	return err
}

// moment and quote write literals of SQL.
func moment(t time.Time) string { return fmt.Sprintf("make_timestamptz(%d)", t.UnixMicro()) }
func quote(s string) string     { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// observed is the SELECT of the debtors of a creditor, or of all where it is
// empty, known at a moment, as points.
func observed(asOf time.Time, creditor string) string {
	q := "SELECT DISTINCT creditor_id, debtor_id, " + moment(asOf) + " AS as_of FROM debtors WHERE observed_at <= " + moment(asOf)
	if creditor != "" {
		q += " AND creditor_id = " + quote(creditor)
	}
	return q
}
