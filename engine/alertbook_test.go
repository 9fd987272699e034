package engine

import (
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// planted says what book of debtors to play and what changes to plant in it.
type planted struct {
	name     string
	noise    string  // "" normal, long tails, skewed, unequal, echoing, working days, outliers
	debtors  int     // in the book
	gap      int     // days between invoices
	sigma    float64 // of one payment, days
	shift    float64 // planted change, days
	share    float64 // of debtors that change
	from, to int     // days of the year between which changes begin
	shocked  float64 // share of one sector and region that moves at once on day from
	shock    float64 // by this many days
	within   int     // invoices within which a change should be found
}

const (
	bookDays    = 365
	bookSectors = 8
	bookRegions = 5
)

// unmoved is a day after the end of every book.
const unmoved = 10_000

var bookStart, _ = ledger.ParseDay("2025-01-01")

// payer is one debtor as the book plays it.
type payer struct {
	id    string
	mean  float64
	sigma float64
	at    int       // day from which invoices due are shifted; beyond the end: never
	lates []float64 // by invoice
	dues  []int
	third ledger.Day // day on which the within'th shifted invoice was paid; 0: never
	cell  bool       // of the shocked sector and region
	moved bool       // part of the shock
}

// draw is the lateness of one payment, in whole days.
func (p *planted) draw(r *rand.Rand, b *payer, due int, last *float64) float64 {
	z, sigma := r.NormFloat64(), b.sigma
	switch p.noise {
	case "long tails": // Student-t with 3 degrees of freedom, of variance 1
		x, y, w := r.NormFloat64(), r.NormFloat64(), r.NormFloat64()
		z /= math.Sqrt(x*x + y*y + w*w)
	case "skewed": // log-normal
		z = (math.Exp(0.8*z) - math.Exp(0.32)) / 1.3
	case "very skewed":
		z = (r.ExpFloat64() - 1)
	case "echoing":
		*last = 0.4**last + math.Sqrt(1-0.4*0.4)*z
		z = *last
	case "outliers":
		if r.Float64() < 0.02 {
			z += 10 / sigma
		}
	}
	late := math.Round(b.mean + sigma*z)
	if p.noise == "working days" {
		switch (bookStart + ledger.Day(due+int(late))).Weekday() {
		case time.Saturday:
			late += 2
		case time.Sunday:
			late++
		}
	}
	return late
}

// book plays the debtors: the rows of their invoices and payments.
func (p *planted) book(seed uint64) ([]payer, *ledger.Rows) {
	r := rand.New(rand.NewPCG(seed, 0xa1e7))
	list, rows := make([]payer, p.debtors), &ledger.Rows{}
	for i := range list {
		b := &list[i]
		*b = payer{id: fmt.Sprintf("D%05d", i), mean: 3 + 3*r.NormFloat64(), sigma: p.sigma, at: unmoved}
		if p.noise == "unequal" {
			b.sigma *= math.Exp(0.5 * r.NormFloat64())
		}
		if p.noise == "very skewed" || p.noise == "skewed" {
			b.mean = math.Abs(b.mean)
		}
		sector, region := i%bookSectors, i/bookSectors%bookRegions
		b.cell = p.shocked > 0 && sector == 0 && region == 0
		shift := p.shift
		switch {
		case b.cell && r.Float64() < p.shocked:
			b.at, b.moved, shift = p.from, true, p.shock
		case !b.cell && r.Float64() < p.share:
			b.at = p.from + r.IntN(p.to-p.from)
		}
		rows.Debtors = append(rows.Debtors, ledger.Debtor{
			Creditor: "acme", ID: b.id, ObservedAt: bookStart.UTC(), Kind: "business", Country: "BE", Timezone: "UTC",
			Sector: fmt.Sprint(10+sector, "100"), Postcode: fmt.Sprint(1+region, "000"), CreatedAt: bookStart.UTC(),
		})
		var last float64
		shifted := 0
		for k, due := 0, r.IntN(p.gap)+1; due <= bookDays; k, due = k+1, due+p.gap {
			late := p.draw(r, b, due, &last)
			if due >= b.at {
				late += shift
			}
			issued := max(0, due-14)
			paid := max(issued, due+int(late))
			late = float64(paid - due)
			b.lates, b.dues = append(b.lates, late), append(b.dues, due)
			id := fmt.Sprint(b.id, "-", k)
			rows.Invoices = append(rows.Invoices, ledger.Invoice{
				Creditor: "acme", ID: id, Debtor: b.id, ObservedAt: (bookStart + ledger.Day(issued)).UTC(),
				IssuedAt: (bookStart + ledger.Day(issued)).UTC(), DueOn: bookStart + ledger.Day(due), Cents: 10000, Currency: "EUR",
			})
			if paid > bookDays {
				continue
			}
			at := (bookStart + ledger.Day(paid)).UTC().Add(12 * time.Hour)
			rows.Payments = append(rows.Payments, ledger.Payment{
				Creditor: "acme", ID: id, Invoice: id, Debtor: b.id, PaidAt: at, Cents: 10000, Method: "transfer",
			})
			if due >= b.at {
				if shifted++; shifted == p.within {
					b.third = bookStart + ledger.Day(paid)
				}
			}
		}
	}
	return list, rows
}

// desk is an engine without debtors, over a warehouse in memory.
func alertDesk(tb testing.TB) (*Engine, *book) {
	tb.Helper()
	log := slog.New(slog.DiscardHandler)
	now := func() time.Time { return (bookStart + 400).UTC() }
	st, err := store.Open(tb.Context(), "", store.Options{Now: now, Log: log, Threads: 1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = st.Close() })
	e, err := New(tb.Context(), st, Options{Now: now, Log: log, Seed: 1})
	if err != nil {
		tb.Fatal(err)
	}
	c := DefaultCreditor("acme")
	c.Timezone = "UTC"
	if err := e.PutCreditor(tb.Context(), c, "test"); err != nil {
		tb.Fatal(err)
	}
	b, err := e.book("acme")
	if err != nil {
		tb.Fatal(err)
	}
	return e, b
}

// result is what the alerts of a book came to.
type result struct {
	changed, found float64 // debtors whose within'th shifted invoice was paid; of them found by the morning after
	falsely, truly float64 // alerts
	kinds          map[string]float64
	years          float64 // debtor-years without a change
	groups         []Alert
	members        float64 // alerts of members of the shocked cell since the shock
	replaced       float64 // of them told by the group's
}

// watched draws up the alerts of the book over the year, by the engine that
// serves.
func (p *planted) watched(tb testing.TB, seed uint64) (list []payer, r result) {
	tb.Helper()
	e, b := alertDesk(tb)
	list, rows := p.book(seed)
	e.fold(tb.Context(), rows)
	if err := e.Watch(tb.Context(), "acme", (bookStart + bookDays).UTC().Add(6*time.Hour)); err != nil {
		tb.Fatal(err)
	}
	_ = b
	return list, p.judge(tb, e, list)
}

func (p *planted) judge(tb testing.TB, e *Engine, list []payer) (r result) {
	tb.Helper()
	by := make(map[string]*payer, len(list))
	for i := range list {
		by[list[i].id] = &list[i]
		r.years += float64(min(list[i].at, bookDays)) / 365
	}
	var alerts []Alert
	for _, status := range []string{"", AlertRolledUp} {
		page, err := e.Alerts(tb.Context(), AlertQuery{Creditor: "acme", Status: status})
		if err != nil {
			tb.Fatal(err)
		}
		alerts = append(alerts, page.Alerts...)
	}
	r.kinds = map[string]float64{}
	first := map[string]ledger.Day{}
	told := map[string]bool{}
	for _, a := range alerts {
		if a.Scope != ScopeDebtor {
			r.groups = append(r.groups, a)
			for _, m := range a.Members {
				told[m] = true
			}
		}
	}
	for _, a := range alerts {
		if a.Scope != ScopeDebtor {
			continue
		}
		x := by[a.Debtor]
		for _, h := range a.History {
			if h.Verdict == AlertRolledUp || h.Verdict == stepUpdated {
				continue
			}
			day := ledger.DayOf(h.At, time.UTC)
			if day <= bookStart+ledger.Day(x.at) {
				r.falsely++
				r.kinds[a.Kind]++
				continue
			}
			r.truly++
			if first[a.Debtor] == 0 || day < first[a.Debtor] {
				first[a.Debtor] = day
			}
		}
		if x.cell && p.shocked > 0 && ledger.DayOf(a.OpenedAt, time.UTC) > bookStart+ledger.Day(p.from) {
			r.members++
			if a.Status == AlertRolledUp {
				r.replaced++
			}
		}
	}
	for i := range list {
		x := &list[i]
		if x.cell && told[x.id] {
			r.members++
			r.replaced++
		}
		if x.third == 0 || x.cell {
			continue
		}
		r.changed++
		if d := first[x.id]; d != 0 && d <= x.third+1 {
			r.found++
		}
	}
	return r
}

// cusum returns what Page's CUSUM finds that is told each debtor's noise and
// the shift, and learns the mean from all payments so far, at the threshold
// at which it raises rate false alarms a debtor-year on this book.
func (p *planted) cusum(list []payer, rate float64) (found float64) {
	run := func(h float64) (alarms, years, share float64) {
		var hit, all float64
		for i := range list {
			x := &list[i]
			var s, mean float64
			n, since := 0.0, 0
			caught := false
			for k, late := range x.lates {
				if n >= 4 {
					s = max(0, s+(late-mean)/x.sigma-p.shift/x.sigma/2)
				}
				n++
				mean += (late - mean) / n
				if x.dues[k] >= x.at {
					since++
				}
				if s >= h {
					if since == 0 {
						alarms++
					} else if since <= p.within {
						caught = true
					}
					s = 0
				}
			}
			years += float64(min(x.at, bookDays)) / 365
			if x.third != 0 {
				all++
				if caught {
					hit++
				}
			}
		}
		return alarms, years, hit / max(1, all)
	}
	lo, hi := 0.0, 60.0
	for range 20 {
		mid := (lo + hi) / 2
		if alarms, years, _ := run(mid); alarms/years > rate {
			lo = mid
		} else {
			hi = mid
		}
	}
	_, _, found = run(hi)
	return found
}

// rows of the table: what the alerts are held to.
var plantedRows = []planted{
	{name: "weekly +2, noise 0.5", gap: 7, sigma: 0.5, shift: 2, within: 3},
	{name: "weekly +2, noise 1", gap: 7, sigma: 1, shift: 2, within: 3},
	{name: "weekly +2, noise 2", gap: 7, sigma: 2, shift: 2, within: 3},
	{name: "monthly +7, noise 2", gap: 30, sigma: 2, shift: 7, within: 2},
	{name: "weekly +3, noise 1, long tails", noise: "long tails", gap: 7, sigma: 1, shift: 3, within: 3},
	{name: "weekly +3, noise 1, skewed", noise: "skewed", gap: 7, sigma: 1, shift: 3, within: 3},
	{name: "weekly +3, noise 1, very skewed", noise: "very skewed", gap: 7, sigma: 1, shift: 3, within: 3},
	{name: "weekly +3, noise 1, unequal", noise: "unequal", gap: 7, sigma: 1, shift: 3, within: 3},
	{name: "weekly +3, noise 1, echoing", noise: "echoing", gap: 7, sigma: 1, shift: 3, within: 3},
	{name: "weekly +3, noise 1, working days", noise: "working days", gap: 7, sigma: 1, shift: 3, within: 3},
	{name: "weekly +3, noise 1, outliers", noise: "outliers", gap: 7, sigma: 1, shift: 3, within: 3},
	{name: "monthly +7, noise 2, long tails", noise: "long tails", gap: 30, sigma: 2, shift: 7, within: 2},
	{name: "monthly +7, noise 2, skewed", noise: "skewed", gap: 30, sigma: 2, shift: 7, within: 2},
	{name: "monthly +7, noise 2, unequal", noise: "unequal", gap: 30, sigma: 2, shift: 7, within: 2},
	{name: "monthly +7, noise 2, echoing", noise: "echoing", gap: 30, sigma: 2, shift: 7, within: 2},
	{name: "monthly +7, noise 2, working days", noise: "working days", gap: 30, sigma: 2, shift: 7, within: 2},
}

// How large the table of planted changes is; make bench-alerts asks for books of
// 5,000 debtors and five seeds.
var (
	benchDebtors = flag.Int("debtors", 500, "debtors of a planted book")
	benchSeeds   = flag.Int("seeds", 1, "planted books a row")
	benchRow     = flag.String("row", "", "only the row of this name, or those whose names hold this")
)

// BenchmarkAlerts prints the table of planted changes: make bench-alerts.
func BenchmarkAlerts(b *testing.B) {
	debtors, seeds := *benchDebtors, *benchSeeds
	exact := slices.ContainsFunc(plantedRows, func(p planted) bool { return p.name == *benchRow })
	for range b.N {
		for _, p := range plantedRows {
			if p.name == *benchRow || !exact && strings.Contains(p.name, *benchRow) {
				p.line(b, debtors, seeds)
			}
		}
		if *benchRow != "" && *benchRow != "shock" {
			continue
		}
		shock := planted{name: "shock of 4 days on 30 % of one sector and region", gap: 7, sigma: 0.5, shift: 2, share: 0.1, from: 200, to: 330, within: 3, shocked: 0.3, shock: 4, debtors: debtors}
		for seed := range uint64(seeds) {
			_, r := shock.watched(b, seed)
			var what []string
			for _, g := range r.groups {
				what = append(what, fmt.Sprintf("%s %s (%d of %d)", g.Scope, g.Group, len(g.Members), g.GroupSize))
			}
			b.Logf("%s, seed %d: roll-ups %v; replaces %.0f %% of %.0f alerts of its members", shock.name, seed, what, 100*r.replaced/r.members, r.members)
		}
	}
}

// planting is what one row of the table came to.
type planting struct {
	found, fair    float64 // shares of the changes: by the alerts, and by the CUSUM
	rate           float64 // false alerts a debtor-year
	falsely, truly float64 // alerts
}

// line plays one row and prints it.
func (p planted) line(tb testing.TB, debtors, seeds int) planting {
	tb.Helper()
	p.debtors, p.share, p.from, p.to = debtors, 0.1, 150, 330
	if p.gap == 30 {
		p.from = 210
	}
	var sum result
	kinds := map[string]float64{}
	var lists [][]payer
	for seed := range uint64(seeds) {
		list, r := p.watched(tb, seed)
		lists = append(lists, list)
		sum.changed, sum.found = sum.changed+r.changed, sum.found+r.found
		sum.falsely, sum.truly, sum.years = sum.falsely+r.falsely, sum.truly+r.truly, sum.years+r.years
		for k, v := range r.kinds {
			kinds[k] += v
		}
		sum.groups = append(sum.groups, r.groups...)
	}
	l := planting{found: sum.found / sum.changed, rate: sum.falsely / sum.years, falsely: sum.falsely, truly: sum.truly}
	l.fair = p.cusum(slices.Concat(lists...), l.rate)
	alerts := l.falsely + l.truly
	tb.Logf("%-34s found within %d: %5.1f %% (CUSUM told noise and shift: %5.1f %%); false alerts %.4f a debtor-year; false discoveries %4.1f %% of %.0f %v; groups %d",
		p.name, p.within, 100*l.found, 100*l.fair, l.rate, 100*l.falsely/max(1, alerts), alerts, kinds, len(sum.groups))
	return l
}
