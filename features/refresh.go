package features

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rappel/datasets/ledger"
)

// Refresher keeps the vectors of all debtors up to date for serving. Between
// two local midnights it recomputes only the debtors concerned, and what it
// holds equals what Vectors would answer.
type Refresher struct {
	p *Pipeline

	work  sync.Mutex // held while vectors are computed; guards what follows
	asOf  time.Time  // of the last refresh; zero before the first
	today map[string]ledger.Day
	pool  []arrow.RecordBatch // the relation pool of the last full computation
	marks map[ledger.Key]uint64

	mu  sync.RWMutex // held while set is read or exchanged
	set *Set
}

// NewRefresher returns a Refresher that holds no vectors yet.
func NewRefresher(p *Pipeline) *Refresher { return &Refresher{p: p, set: new(Set)} }

// Changes say what was written since the last refresh with a moment before it:
// what happens between two refreshes is found without being told. The zero
// Changes says that nothing arrived late.
type Changes struct {
	Keys []ledger.Key // debtors to whom something happened
	// Areas of new weather and regional signals, Sectors (two digits) of new
	// sector signals.
	Areas, Sectors []string
	All            bool // a creditor, a holiday or anything else was edited
}

// Refreshed says what a refresh did.
type Refreshed struct {
	Full bool // all vectors were computed again
	Rows int  // how many were
}

// View calls fn with the vectors of the last refresh. fn must not keep or
// change the set, and should be brief: a refresh waits for it.
func (r *Refresher) View(fn func(*Set)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	fn(r.set)
}

// Refresh brings all vectors to a moment. Readers see the vectors from before
// until it has succeeded.
func (r *Refresher) Refresh(ctx context.Context, asOf time.Time, late Changes) (done Refreshed, err error) {
	asOf = asOf.UTC().Truncate(time.Microsecond)
	r.work.Lock()
	defer r.work.Unlock()
	err = r.p.session(ctx, func(c *session) error {
		if err := c.horizon(asOf); err != nil {
			return err
		}
		if late.All || asOf.Before(r.asOf) || r.newDay(asOf) {
			done, err = r.all(c, asOf)
			return err
		}
		keys, err := r.concerned(c, asOf, late)
		if err != nil {
			return err
		}
		ok, err := r.some(c, asOf, keys)
		if err != nil {
			return err
		}
		if !ok {
			done, err = r.all(c, asOf)
			return err
		}
		done = Refreshed{Rows: len(keys)}
		return nil
	})
	return done, err
}

// newDay reports whether the date has changed for any debtor.
func (r *Refresher) newDay(asOf time.Time) bool {
	if r.asOf.IsZero() {
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
func (r *Refresher) all(c *session, asOf time.Time) (Refreshed, error) {
	if err := c.build(observed(asOf), nil, vectorSteps, "vector", "mark", "pool_all"); err != nil {
		return Refreshed{}, err
	}
	set := new(Set)
	if err := c.read(text("vector"), set.Append); err != nil {
		return Refreshed{}, err
	}
	marks, err := readMarks(c)
	if err != nil {
		return Refreshed{}, err
	}
	var pool []arrow.RecordBatch
	err = c.read(text("pool_all"), func(rec arrow.RecordBatch) error {
		rec.Retain()
		pool = append(pool, rec)
		return nil
	})
	if err != nil {
		return Refreshed{}, err
	}
	for _, rec := range r.pool {
		rec.Release()
	}
	r.asOf, r.pool, r.marks = asOf, pool, marks
	r.today = make(map[string]ledger.Day)
	for _, zone := range set.Timezone {
		if _, ok := r.today[zone]; ok {
			continue
		}
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return Refreshed{}, fmt.Errorf("features: zone %s: %w", zone, err)
		}
		r.today[zone] = ledger.DayOf(asOf, loc)
	}
	r.mu.Lock()
	r.set = set
	r.mu.Unlock()
	return Refreshed{Full: true, Rows: set.Len()}, nil
}

// some computes the vectors of the given debtors. It returns false where others
// are touched too, because what these add to the pool has changed.
func (r *Refresher) some(c *session, asOf time.Time, keys []ledger.Key) (bool, error) {
	fresh := new(Set)
	if len(keys) > 0 {
		if err := c.ask(pointsOf(keys, asOf)); err != nil {
			return false, err
		}
		if len(r.pool) == 0 {
			return false, nil
		}
		if err := c.keep("kept", r.pool[0].Schema(), r.pool); err != nil {
			return false, err
		}
		points := "SELECT * FROM (" + observed(asOf) + ") SEMI JOIN asked USING (creditor_id, debtor_id)"
		instead := map[string]string{"pool": text("pool_kept")}
		if err := c.build(points, instead, vectorSteps, "vector", "mark", "kept_fits"); err != nil {
			return false, err
		}
		misfits := int64(0)
		err := c.read(text("kept_fits"), func(rec arrow.RecordBatch) error {
			misfits = rec.Column(0).(*array.Int64).Value(0)
			return nil
		})
		if err != nil || misfits > 0 {
			return false, err
		}
		marks, err := readMarks(c)
		if err != nil {
			return false, err
		}
		for _, k := range keys {
			if marks[k] != r.marks[k] {
				return false, nil
			}
		}
		if err := c.read(text("vector"), fresh.Append); err != nil {
			return false, err
		}
		for _, zone := range fresh.Timezone {
			loc, err := time.LoadLocation(zone)
			if err != nil {
				return false, fmt.Errorf("features: zone %s: %w", zone, err)
			}
			r.today[zone] = ledger.DayOf(asOf, loc)
		}
	}
	r.asOf = asOf
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		if _, ok := fresh.Row(k); !ok {
			r.set.Remove(k) // erased
		}
	}
	r.set.merge(fresh)
	for i := range r.set.AsOf {
		r.set.AsOf[i] = asOf.UnixMicro()
	}
	return true, nil
}

// concerned returns, sorted, the debtors whose vectors may differ from those of
// the last refresh.
func (r *Refresher) concerned(c *session, asOf time.Time, late Changes) ([]ledger.Key, error) {
	keys := slices.Clone(late.Keys)
	areas, sectors := map[string]bool{}, map[string]bool{}
	for _, a := range late.Areas {
		areas[a] = true
	}
	for _, s := range late.Sectors {
		sectors[s] = true
	}
	lapse := "CREATE OR REPLACE TEMP TABLE lapse AS SELECT " + moment(r.asOf) + " AS since, " + moment(asOf) + " AS until"
	if err := c.exec(lapse); err != nil {
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
				keys = append(keys, ledger.Key{Creditor: strings.Clone(creditor.Value(i)), Debtor: s})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(areas)+len(sectors) > 0 {
		for i := range r.set.Len() { // only Refresh changes set, and it holds work
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

func readMarks(c *session) (map[ledger.Key]uint64, error) {
	marks := make(map[ledger.Key]uint64)
	err := c.read(text("mark"), func(rec arrow.RecordBatch) error {
		creditor, debtor := rec.Column(0).(*array.String), rec.Column(1).(*array.String)
		for i, m := range rec.Column(2).(*array.Uint64).Values() {
			marks[ledger.Key{Creditor: strings.Clone(creditor.Value(i)), Debtor: strings.Clone(debtor.Value(i))}] = m
		}
		return nil
	})
	return marks, err
}
