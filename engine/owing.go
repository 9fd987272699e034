package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rappel/datasets/ledger"
)

// Owing is a debtor with overdue claims, as a list of work shows it.
type Owing struct {
	Debtor      string
	Kind        string
	Sector      string
	Open        float64
	Overdue     float64
	DaysPastDue int
	Hold        string    // why the debtor must not be contacted; empty: may be
	Next        *Decision // the last that was decided; nil: none was asked for
}

// Worklist is a part of the debtors with overdue claims.
type Worklist struct {
	Debtors []Owing
	Total   int // with overdue claims that match
	Open    float64
	Overdue float64 // of all debtors of the book
}

// owing keeps the overdue debtors of a book as of one local day, so that a page
// of them costs what changed since the last, not the whole book.
type owing struct {
	mu      sync.Mutex
	day     ledger.Day
	at      int64
	changes uint64 // of the book, when the list was made
	later   bool   // an entry knows of events after at
	entries map[string]owingEntry
	sorted  []Owing // with overdue claims, the largest first
	open    int64   // cents, of the whole book
	overdue int64
}

type owingEntry struct {
	Owing
	revision      uint64
	open, overdue int64
	later         bool // the account knows of events after at
}

// refresh brings the list to a moment and returns it; the slice is not changed
// afterwards.
func (o *owing) refresh(b *book, at int64) (list []Owing, open, overdue int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	day := ledger.DayOf(time.Unix(at, 0), b.location.Load())
	if o.entries == nil || day != o.day || at < o.at {
		o.entries, o.sorted = map[string]owingEntry{}, nil
	}
	b.mu.RLock()
	if o.sorted != nil && o.changes == b.changes && !o.later {
		b.mu.RUnlock()
		o.at = at
		return o.sorted, o.open, o.overdue
	}
	o.day, o.at, o.changes, o.later = day, at, b.changes, false
	changed := o.sorted == nil
	var f facts
	for id, a := range b.accounts {
		e, ok := o.entries[id]
		if ok && e.revision == a.revision && !e.later {
			continue
		}
		changed = true
		e = owingEntry{revision: a.revision, later: a.latest() > at}
		o.later = o.later || e.later
		if a.knownAt(at) {
			f.fill(a, at, b.zone, b.location.Load())
			e.open, e.overdue = f.openCents, f.overdueCents
			if f.openOverdue {
				e.Owing = Owing{
					Debtor: id, Kind: string(f.profile.Kind), Sector: f.profile.Sector, Open: float64(f.openCents) / 100,
					Overdue: float64(f.overdueCents) / 100, DaysPastDue: f.dpd, Hold: f.hold,
				}
			}
		}
		o.entries[id] = e
	}
	for id := range o.entries {
		if len(o.entries) == len(b.accounts) {
			break
		}
		if b.accounts[id] == nil { // erased
			delete(o.entries, id)
			changed = true
		}
	}
	b.mu.RUnlock()
	if changed {
		o.sorted, o.open, o.overdue = make([]Owing, 0, len(o.entries)), 0, 0
		for _, e := range o.entries {
			o.open += e.open
			o.overdue += e.overdue
			if e.Debtor != "" {
				o.sorted = append(o.sorted, e.Owing)
			}
		}
		slices.SortFunc(o.sorted, func(x, y Owing) int {
			return cmp.Or(cmp.Compare(y.Overdue, x.Overdue), cmp.Compare(x.Debtor, y.Debtor))
		})
	}
	return o.sorted, o.open, o.overdue
}

// latest is when the last thing happened that the account knows of.
func (a *account) latest() int64 {
	t := int64(0)
	if n := len(a.profile); n > 0 {
		t = a.profile[n-1].ObservedAt.Unix()
	}
	if n := len(a.contacts); n > 0 {
		t = max(t, a.contacts[n-1].at)
	}
	if n := len(a.payments); n > 0 {
		t = max(t, a.payments[n-1].at)
	}
	if n := len(a.signs); n > 0 {
		t = max(t, a.signs[n-1].at)
	}
	for i := range a.invoices {
		t = max(t, a.invoices[i].issued, a.invoices[i].cancelled)
	}
	for i := range a.cases {
		t = max(t, unixOf(a.cases[i].OpenedAt), unixOf(a.cases[i].ClosedAt))
	}
	return t
}

// Worklist returns the n debtors from the from'th on of those with overdue
// claims as of a moment whose id holds a text, the largest first.
func (e *Engine) Worklist(ctx context.Context, creditor, text string, asOf time.Time, from, n int) (*Worklist, error) {
	b, err := e.book(creditor)
	if err != nil {
		return nil, err
	}
	at := e.now(asOf)
	list, open, overdue := b.owing.refresh(b, at.Unix())
	if text != "" {
		text = strings.ToLower(text)
		var found []Owing
		for i := range list {
			if strings.Contains(strings.ToLower(list[i].Debtor), text) {
				found = append(found, list[i])
			}
		}
		list = found
	}
	w := &Worklist{Total: len(list), Open: float64(open) / 100, Overdue: float64(overdue) / 100}
	w.Debtors = slices.Clone(list[min(from, len(list)):min(from+n, len(list))])
	if len(w.Debtors) == 0 {
		return w, nil
	}
	ids := make([]string, len(w.Debtors))
	for i := range w.Debtors {
		ids[i] = w.Debtors[i].Debtor
	}
	last, err := e.store.LastOf(ctx, creditor, ids, at)
	if err != nil {
		return nil, fmt.Errorf("decisions of %s: %w", creditor, err)
	}
	for i := range last {
		d, err := parseAnswer(&last[i])
		if err != nil {
			return nil, err
		}
		if k := slices.Index(ids, d.Debtor); k >= 0 {
			w.Debtors[k].Next = d
		}
	}
	return w, nil
}
