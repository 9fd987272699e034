package features

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rappel/datasets/ledger"
)

// Refresher keeps the vectors of one creditor's debtors up to date for serving.
// The first refresh of a debtor's day computes all vectors: ages are whole days on
// the debtor's calendar, so at midnight every vector moves. Between two midnights
// only the debtors concerned are computed. What it holds equals what Vectors would
// answer. It is for one goroutine at a time.
type Refresher struct {
	p        *Pipeline
	creditor string

	filter Filter    // of the last refresh
	asOf   time.Time // of the last refresh; zero before the first
	today  map[string]ledger.Day
	pool   *pool // of the last full computation
	marks  map[ledger.Key]uint64
	set    *Set
}

// NewRefresher returns a Refresher of a creditor, or of all where it is empty,
// that holds no vectors yet.
func NewRefresher(p *Pipeline, creditor string) *Refresher {
	return &Refresher{p: p, creditor: creditor}
}

// Changes say what was written since the last refresh: what happens between two
// refreshes is found without being told. The zero Changes says that nothing
// arrived late.
type Changes struct {
	Keys []ledger.Key // debtors of whom something was written, whatever its moment
	All  bool         // a creditor, a holiday or anything else was edited
}

// Refreshed says what a refresh did.
type Refreshed struct {
	Full bool // all vectors were computed again
	Rows int  // how many were
}

// Refresh returns all vectors as of a moment, with the half-life of habits that
// Filter knows. The Set is the caller's to read for as long as it likes: the next
// refresh makes another.
func (r *Refresher) Refresh(ctx context.Context, asOf time.Time, halfLife float64, late Changes) (set *Set, done Refreshed, err error) {
	asOf = asOf.UTC().Truncate(time.Microsecond)
	filter := Filter{Creditor: r.creditor, HalfLife: halfLife}
	if late.All || asOf.Before(r.asOf) || filter.HalfLife != r.filter.HalfLife || r.newDay(asOf) {
		return r.all(ctx, asOf, filter)
	}
	ok := false
	err = r.p.vectors(ctx, asOf, filter, func(c *session) error {
		keys, err := r.concerned(c, late)
		if err == nil {
			set, ok, err = r.some(c, asOf, keys)
		}
		done = Refreshed{Rows: len(keys)}
		return err
	})
	if err == nil && !ok {
		return r.all(ctx, asOf, filter)
	}
	return set, done, err
}

// newDay reports whether the date has changed for any debtor.
func (r *Refresher) newDay(asOf time.Time) bool {
	if r.set == nil {
		return true
	}
	for zone, day := range r.today {
		if loc, err := time.LoadLocation(zone); err != nil || ledger.DayOf(asOf, loc) != day {
			return true
		}
	}
	return false
}

// all computes every vector.
func (r *Refresher) all(ctx context.Context, asOf time.Time, filter Filter) (set *Set, done Refreshed, err error) {
	marks := make(map[ledger.Key]uint64)
	var p *pool
	set = new(Set)
	err = r.p.vectors(ctx, asOf, filter, func(c *session) error {
		if err := c.build(observed(asOf, filter.Creditor), nil, vectorSteps, slices.Concat(vectorFiles, poolFiles, []string{"mark"})...); err != nil {
			return err
		}
		if p, err = c.pool(); err != nil {
			return err
		}
		if err := c.readVectors(p, set.Append); err != nil {
			return err
		}
		return c.marks(marks)
	})
	if err != nil {
		return nil, done, err
	}
	today := make(map[string]ledger.Day)
	if err := note(today, set, asOf); err != nil {
		return nil, done, err
	}
	*r = Refresher{p: r.p, creditor: r.creditor, filter: filter, asOf: asOf, today: today, pool: p, marks: marks, set: set}
	return set, Refreshed{Full: true, Rows: set.Len()}, nil
}

// some computes the vectors of the given debtors. It returns false where others
// are touched too, because what these add to the pool has changed.
func (r *Refresher) some(c *session, asOf time.Time, keys []ledger.Key) (*Set, bool, error) {
	fresh := new(Set)
	if len(keys) > 0 {
		if err := c.ask(pointsOf(keys, asOf)); err != nil {
			return nil, false, err
		}
		points := "SELECT * FROM (" + observed(asOf, r.creditor) + ") SEMI JOIN asked USING (creditor_id, debtor_id)"
		if err := c.build(points, nil, vectorSteps, slices.Concat(vectorFiles, []string{"mark"})...); err != nil {
			return nil, false, err
		}
		marks := make(map[ledger.Key]uint64)
		if err := c.marks(marks); err != nil {
			return nil, false, err
		}
		for _, k := range keys {
			if marks[k] != r.marks[k] {
				return nil, false, nil
			}
		}
		if err := c.readVectors(r.pool, fresh.Append); errors.Is(err, errDay) {
			return nil, false, nil
		} else if err != nil {
			return nil, false, err
		}
		if err := note(r.today, fresh, asOf); err != nil {
			return nil, false, err
		}
	}
	set := r.set.clone()
	for _, k := range keys {
		if _, ok := fresh.Row(k); !ok {
			set.Remove(k) // erased
		}
	}
	set.merge(fresh)
	for i := range set.AsOf {
		set.AsOf[i] = asOf.UnixMicro()
	}
	r.asOf, r.set = asOf, set
	return set, true, nil
}

// note adds the day on which each zone of a set is.
func note(today map[string]ledger.Day, set *Set, asOf time.Time) error {
	for _, zone := range set.Timezone {
		if _, ok := today[zone]; ok {
			continue
		}
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return fmt.Errorf("features: zone %s: %w", zone, err)
		}
		today[zone] = ledger.DayOf(asOf, loc)
	}
	return nil
}

// concerned returns, sorted, the debtors whose vectors may differ from those of
// the last refresh.
func (r *Refresher) concerned(c *session, late Changes) ([]ledger.Key, error) {
	keys := slices.Clone(late.Keys)
	areas, sectors := map[string]bool{}, map[string]bool{}
	if err := c.exec("SET VARIABLE window_start = " + moment(r.asOf)); err != nil {
		return nil, err
	}
	err := c.read(text("concerned"), func(rec arrow.RecordBatch) error {
		what, creditor, id := rec.Column(0).(*array.String), rec.Column(1).(*array.String), rec.Column(2).(*array.String)
		for i := range int(rec.NumRows()) {
			switch s := strings.Clone(id.Value(i)); what.Value(i) {
			case "area":
				areas[s] = true
			case "sector":
				sectors[s] = true
			default:
				if r.creditor == "" || r.creditor == creditor.Value(i) {
					keys = append(keys, ledger.Key{Creditor: strings.Clone(creditor.Value(i)), Debtor: s})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(areas)+len(sectors) > 0 {
		for i := range r.set.Len() {
			if areas[r.set.Area[i]] || areas[r.set.Country[i]] || sectors[r.set.Sector[i]] {
				keys = append(keys, r.set.Key(i))
			}
		}
	}
	slices.SortFunc(keys, func(a, b ledger.Key) int {
		if c := strings.Compare(a.Creditor, b.Creditor); c != 0 {
			return c
		}
		return strings.Compare(a.Debtor, b.Debtor)
	})
	return slices.Compact(keys), nil
}

// marks reads the fingerprints of what debtors add to the pool.
func (c *session) marks(dst map[ledger.Key]uint64) error {
	return c.read(text("mark"), func(rec arrow.RecordBatch) error {
		creditor, debtor := rec.Column(0).(*array.String), rec.Column(1).(*array.String)
		for i, m := range rec.Column(2).(*array.Uint64).Values() {
			dst[ledger.Key{Creditor: strings.Clone(creditor.Value(i)), Debtor: strings.Clone(debtor.Value(i))}] = m
		}
		return nil
	})
}

// clone returns a copy that shares nothing but texts.
func (s *Set) clone() *Set {
	t := &Set{rows: maps.Clone(s.rows)}
	v, w := reflect.ValueOf(s).Elem(), reflect.ValueOf(t).Elem()
	for _, c := range columns {
		f := v.Field(c.index)
		w.Field(c.index).Set(reflect.AppendSlice(reflect.MakeSlice(f.Type(), 0, f.Len()), f))
	}
	return t
}
