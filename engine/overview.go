package engine

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"rappel/datasets/ledger"
)

// AgeBuckets are how long past due the ageing tells apart, in days: the first
// day of each bucket. Before the first is what is not yet due.
var AgeBuckets = [4]int{1, 31, 61, 91}

// Overview is how a creditor's receivables and contacts went, month by month.
type Overview struct {
	AsOf     time.Time
	Currency string
	Months   []Month         // oldest first; the last ends at AsOf
	Channels []ChannelReport // of all months
	Pressure []Pressure      // of the last PressureDays days
}

// Month is one month of an overview; amounts are in the creditor's currency.
type Month struct {
	From, To   ledger.Day // first and last day
	Ageing     [5]float64 // open at the end: not due, then by AgeBuckets
	Issued     float64
	Collected  float64 // received
	Late       float64 // of that, on invoices past due
	DSO        float64 // open at the end / issued in the 90 days before it × 90; 0 where nothing was issued
	Contacts   int
	Cost       float64 // of contacts
	Complaints int
	OptOuts    int
}

// Open is what was open at the end of the month.
func (m *Month) Open() (sum float64) {
	for _, x := range m.Ageing {
		sum += x
	}
	return sum
}

// ChannelReport is what one channel cost and what came after it.
type ChannelReport struct {
	Channel   string
	Contacts  int
	Cost      float64
	Collected float64 // on overdue invoices, within 14 days after a contact and before the next one
}

// PressureDays is how many days the report of contact pressure spans.
const PressureDays = 90

// Pressure is how often a group of debtors was contacted while something of
// theirs was overdue.
type Pressure struct {
	By       string // all, kind, area
	Name     string
	Debtors  int     // with an overdue invoice in the window
	Contacts int     // with them
	Rate     float64 // contacts per debtor and 30 days
}

// creditDays is how long after a contact a payment counts as its channel's.
const creditDays = 14

// overviewLife is how long an overview of now serves again.
const overviewLife = 10 * time.Minute

// overviews keeps the last overview of each creditor.
type overviews struct {
	mu   sync.Mutex
	last map[string]*Overview
}

// Overview returns how so many months until asOf went. One of now may be some
// minutes old: its AsOf says.
func (e *Engine) Overview(creditor string, asOf time.Time, months int) (*Overview, error) {
	b, err := e.book(creditor)
	if err != nil {
		return nil, err
	}
	at := e.now(asOf)
	b.mu.RLock()
	small := len(b.accounts) <= smallBook
	b.mu.RUnlock()
	e.overviews.mu.Lock()
	defer e.overviews.mu.Unlock()
	if o := e.overviews.last[creditor]; o != nil && len(o.Months) == months &&
		(o.AsOf.Equal(at) || asOf.IsZero() && !at.Before(o.AsOf) && at.Sub(o.AsOf) < overviewLife && !small) {
		return o, nil
	}
	o := e.overview(b, at, months)
	if e.overviews.last == nil {
		e.overviews.last = map[string]*Overview{}
	}
	e.overviews.last[creditor] = o
	return o, nil
}

// smallBook is how many accounts can be gone through at every question.
const smallBook = 2000

// tally adds up an overview in cents.
type tally struct {
	loc     *time.Location
	at      int64
	from    []int64 // start of each month, and of what follows the last
	end     []int64 // moment at which each month's balance is struck
	today   []ledger.Day
	ageing  [][5]int64
	issued  []int64
	issued9 []int64 // in the 90 days before the end
	got     []int64
	late    []int64
	counts  [][3]int // contacts, complaints, opt-outs
	cost    []int64
	channel [ledger.Channels]struct {
		n               int
		cost, collected int64
	}
	pressure map[[2]string]*Pressure
}

func (e *Engine) overview(b *book, at time.Time, months int) *Overview {
	loc := b.location.Load()
	t := newTally(at, loc, months)
	b.mu.RLock()
	ids := slices.Sorted(maps.Keys(b.accounts))
	b.mu.RUnlock()
	for part := range slices.Chunk(ids, 1000) { // so that events need not wait for all of it
		b.mu.RLock()
		for _, id := range part {
			if a := b.accounts[id]; a != nil {
				t.add(a)
			}
		}
		b.mu.RUnlock()
	}
	return t.overview(at, b.creditor.Load().Currency)
}

func newTally(at time.Time, loc *time.Location, months int) *tally {
	t := &tally{
		loc: loc, at: at.Unix(), pressure: map[[2]string]*Pressure{},
		ageing: make([][5]int64, months), issued: make([]int64, months), issued9: make([]int64, months),
		got: make([]int64, months), late: make([]int64, months), counts: make([][3]int, months), cost: make([]int64, months),
	}
	y, m, _ := at.In(loc).Date()
	for i := range months {
		start := time.Date(y, m-time.Month(months-1-i), 1, 0, 0, 0, 0, loc)
		end := min(start.AddDate(0, 1, 0).Unix()-1, t.at)
		t.from = append(t.from, start.Unix())
		t.end = append(t.end, end)
		t.today = append(t.today, ledger.DayOf(time.Unix(end, 0), loc))
	}
	return t
}

// month is the index of the month of a moment, -1 outside.
func (t *tally) month(at int64) int {
	if at > t.at {
		return -1
	}
	i, found := slices.BinarySearch(t.from, at)
	if found {
		return i
	}
	return i - 1
}

func (t *tally) add(a *account) {
	since := t.at - PressureDays*86400
	overdue := false
	for i := range a.invoices {
		v := &a.invoices[i]
		if v.issued == 0 || v.issued > t.at {
			continue
		}
		due := v.due.In(t.loc).Unix() + 86400 // the first moment past due
		gone := v.paid
		if v.cancelled != 0 && (gone == 0 || v.cancelled < gone) {
			gone = v.cancelled
		}
		if due <= t.at && (gone == 0 || gone > max(due, since)) {
			overdue = true
		}
		if m := t.month(v.issued); m >= 0 {
			t.issued[m] += v.cents
		}
		for m, end := range t.end {
			if v.issued > end {
				continue
			}
			if v.issued > end-90*86400 && (v.cancelled == 0 || v.cancelled > end) {
				t.issued9[m] += v.cents
			}
			if gone != 0 && gone <= end {
				continue
			}
			age := int(t.today[m] - v.due)
			k := 0
			for k < len(AgeBuckets) && age >= AgeBuckets[k] {
				k++
			}
			t.ageing[m][k] += v.openAt(end)
		}
		for _, p := range v.pays {
			m := t.month(p.at)
			if m < 0 {
				continue
			}
			t.got[m] += p.cents
			if p.at < due {
				continue
			}
			t.late[m] += p.cents
			if k := a.lastContact(p.at); k != nil && p.at-k.at <= creditDays*86400 {
				t.channel[k.channel].collected += p.cents
			}
		}
	}
	recent := 0
	for i := range a.contacts {
		k := &a.contacts[i]
		m := t.month(k.at)
		if m < 0 {
			continue
		}
		t.counts[m][0]++
		t.cost[m] += k.cents
		t.channel[k.channel].n++
		t.channel[k.channel].cost += k.cents
		if k.at > since {
			recent++
		}
	}
	for i := range a.signs {
		if s := &a.signs[i]; s.kind == signComplained {
			if m := t.month(s.at); m >= 0 {
				t.counts[m][1]++
			}
		}
	}
	for c := range a.reach {
		out := false
		for i := range a.reach[c] {
			r := &a.reach[c][i]
			if r.Unknown&ledger.FacetOptedOut != 0 {
				continue
			}
			if m := t.month(r.ObservedAt.Unix()); m >= 0 && r.OptedOut && !out {
				t.counts[m][2]++
			}
			out = r.OptedOut
		}
	}
	if overdue {
		t.press(a, recent)
	}
}

// lastContact is the last contact before a moment.
func (a *account) lastContact(at int64) *contact {
	for i := len(a.contacts) - 1; i >= 0; i-- {
		if a.contacts[i].at <= at {
			return &a.contacts[i]
		}
	}
	return nil
}

// areaOf is the country and the first two characters of the postcode; empty
// where that is not known.
func areaOf(p *ledger.Debtor) string {
	if p.Postcode == "" {
		return ""
	}
	return p.Country + " " + p.Postcode[:min(2, len(p.Postcode))]
}

func (t *tally) press(a *account, contacts int) {
	p := a.profileAt(t.at)
	groups := [][2]string{{"all", ""}}
	if p != nil {
		groups = append(groups, [2]string{"kind", string(p.Kind)})
		if area := areaOf(p); area != "" {
			groups = append(groups, [2]string{"area", area})
		}
	}
	for _, g := range groups {
		x := t.pressure[g]
		if x == nil {
			x = &Pressure{By: g[0], Name: g[1]}
			t.pressure[g] = x
		}
		x.Debtors++
		x.Contacts += contacts
	}
}

func (t *tally) overview(at time.Time, currency string) *Overview {
	money := func(cents int64) float64 { return float64(cents) / 100 }
	o := &Overview{AsOf: at, Currency: currency}
	for i := range t.from {
		m := Month{
			From: ledger.DayOf(time.Unix(t.from[i], 0), t.loc), To: t.today[i], Issued: money(t.issued[i]), Collected: money(t.got[i]),
			Late: money(t.late[i]), Contacts: t.counts[i][0], Complaints: t.counts[i][1], OptOuts: t.counts[i][2], Cost: money(t.cost[i]),
		}
		for k, cents := range t.ageing[i] {
			m.Ageing[k] = money(cents)
		}
		if t.issued9[i] > 0 {
			m.DSO = m.Open() / money(t.issued9[i]) * 90
		}
		o.Months = append(o.Months, m)
	}
	for c, x := range t.channel {
		o.Channels = append(o.Channels, ChannelReport{ledger.ChannelNames[c], x.n, money(x.cost), money(x.collected)})
	}
	for _, p := range t.pressure {
		p.Rate = float64(p.Contacts) / float64(p.Debtors) / PressureDays * 30
		o.Pressure = append(o.Pressure, *p)
	}
	rank := map[string]int{"all": 0, "kind": 1, "area": 2}
	slices.SortFunc(o.Pressure, func(x, y Pressure) int {
		return cmp.Or(cmp.Compare(rank[x.By], rank[y.By]), cmp.Compare(y.Debtors, x.Debtors), cmp.Compare(x.Name, y.Name))
	})
	return o
}
