package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/features"
	"rappel/models"
)

// Forecast is the cash expected week by week from the invoices that are open
// as of a moment. Invoices yet to be issued play no part.
type Forecast struct {
	Creditor string         `json:"creditor_id"`
	AsOf     time.Time      `json:"as_of"`
	Currency string         `json:"currency"`
	Invoices int            `json:"invoices"` // open, and not held
	Open     float64        `json:"open"`     // what is open on them
	Held     float64        `json:"held"`     // open, but disputed, promised, with a collector …: not in the weeks
	Weeks    []ForecastWeek `json:"weeks"`
	// Level is by how much the hazard is scaled so that Check would have come
	// out right, and Shock the standard deviation of the logarithm of what all
	// invoices share.
	Level float64       `json:"level"`
	Shock float64       `json:"shock"`
	Check ForecastCheck `json:"check"`
}

// ForecastWeek is the cash of seven days, in the creditor's currency. The
// quantiles are those of single weeks: they do not add up.
type ForecastWeek struct {
	From ledger.Day `json:"from"` // first day
	Mean float64    `json:"mean"`
	P10  float64    `json:"p10"`
	P50  float64    `json:"p50"`
	P90  float64    `json:"p90"`
}

// ForecastCheck is the forecast that the same hazard would have made as many
// weeks earlier, before it was levelled, and what came on the same invoices.
type ForecastCheck struct {
	AsOf     time.Time `json:"as_of"`
	Expected float64   `json:"expected"`
	Came     float64   `json:"came"`
}

// ErrWeeks reports a forecast of less than a week or more than a year.
var ErrWeeks = errors.New("engine: a forecast spans 1 to 52 weeks")

const (
	// forecastPaths is the number of futures drawn: the standard error of a
	// quantile is then about two points of coverage.
	forecastPaths = 1000
	// priorShock and priorWeeks are the shock believed in before any week was
	// checked, and how many weeks that belief weighs.
	priorShock, priorWeeks = 0.15, 4
	// priorInvoices is how many average invoices, paid as foretold, the belief
	// in the hazard's own level weighs.
	priorInvoices = 10
)

// Forecast foretells the cash of so many weeks from asOf on.
//
// Each invoice has the daily hazard of the model, if nobody were contacted
// anew, summed to cumulative hazards H(week). It is paid in the first week in
// which E ≤ H(week)·Level·exp(Shock·z), with E exponential, its own, and z
// standard normal, shared by all invoices of a future: debtors' luck averages
// out over a book, what hits all of them does not. Level and Shock come from
// the same forecast made as many weeks earlier; the effect of the contacts that
// the creditor usually makes is thus in Level. The same seed gives the same
// figures.
func (e *Engine) Forecast(ctx context.Context, creditor string, asOf time.Time, weeks int, seed uint64) (*Forecast, error) {
	if weeks < 1 || weeks > 52 {
		return nil, ErrWeeks
	}
	b, err := e.book(creditor)
	if err != nil {
		return nil, err
	}
	asOf = e.now(asOf)
	l, err := e.learnedAt(ctx, b, asOf)
	if err != nil {
		return nil, err
	}
	earlier := asOf.AddDate(0, 0, -7*weeks)
	before, err := e.outlook(ctx, b, l, earlier, weeks)
	if err != nil {
		return nil, err
	}
	now, err := e.outlook(ctx, b, l, asOf, weeks)
	if err != nil {
		return nil, err
	}
	f := &Forecast{
		Creditor: creditor, AsOf: asOf, Currency: b.creditor.Load().Currency, Invoices: len(now.cents),
		Open: float64(now.open) / 100, Held: float64(now.held) / 100,
	}
	f.Level, f.Shock, f.Check = before.check()
	f.Check.AsOf = earlier
	f.Weeks = now.draw(f.Level, f.Shock, seed)
	today := ledger.DayOf(asOf, b.location.Load())
	for w := range f.Weeks {
		f.Weeks[w].From = today + ledger.Day(7*w)
	}
	return f, nil
}

// outlook is what is open as of a moment, invoice by invoice.
type outlook struct {
	weeks      int
	cents      []int64
	hazard     []float64 // len(cents)×weeks: cumulative at the end of each week
	came       []int64   // by week: cents received on these invoices since
	open, held int64
}

// outlook foretells every open invoice of b as of a moment, in the order of
// debtors and invoices.
func (e *Engine) outlook(ctx context.Context, b *book, l *learned, asOf time.Time, weeks int) (*outlook, error) {
	then := *l
	if l.set == nil || !l.asOf.Equal(asOf) {
		set, err := e.pipe.Load(ctx, asOf, features.Filter{Creditor: b.id})
		if err != nil {
			return nil, fmt.Errorf("forecast %s: vectors: %w", b.id, err)
		}
		then.set = set
	}
	o := &outlook{weeks: weeks, came: make([]int64, weeks)}
	curve := make([]float64, 7*weeks)
	at := asOf.Unix()
	var f facts
	var h habit
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, id := range slices.Sorted(maps.Keys(b.accounts)) {
		a := b.accounts[id]
		if !a.knownAt(at) {
			continue
		}
		f.fill(a, at, e.zone, b.location.Load())
		o.held += f.openCents
		if f.hold != "" || len(f.claims) == 0 {
			continue
		}
		then.habit(&h, a.key, &f)
		for i := range f.claims {
			c := &f.claims[i]
			p := f.period(&h, c)
			l.model.Usual.UnpaidTo(curve, p, &h.runs, f.today, l.model.Leave)
			o.cents = append(o.cents, c.cents)
			for w := range weeks {
				o.hazard = append(o.hazard, -math.Log(max(curve[7*w+6], 1e-300)))
			}
			o.open += c.cents
			o.held -= c.cents
			v := a.invoice(c.id)
			for w := range weeks {
				from, to := f.at+int64(w)*7*86400, f.at+int64(w+1)*7*86400
				o.came[w] += v.openAt(from) - v.openAt(to)
			}
		}
	}
	return o, nil
}

// period describes today for one claim, as features/sql/hazard.sql describes its
// days to training.
func (f *facts) period(h *habit, c *claim) models.Period {
	p := models.Period{
		DPD: int(f.today - c.due), Age: int(f.today - c.issued), Weekday: (int(f.today.Weekday()) + 6) % 7,
		LogAmount: math.Log1p(float64(c.cents) / 100),
		MonthEnd:  f.today.MonthEnd(), Past: h.past(c.id),
	}
	p.Lift = h.runs.Lift(p.Weekday, p.MonthEnd)
	return p
}

// check compares an outlook with what came: the level that would have been
// right, and the spread of weeks around it beyond the luck of each debtor.
func (o *outlook) check() (level, shock float64, c ForecastCheck) {
	expected, chance := make([]float64, o.weeks), make([]float64, o.weeks)
	money := 0.0
	for i, cents := range o.cents {
		x := float64(cents) / 100
		money += x
		unpaid := 1.0
		for w := range o.weeks {
			still := math.Exp(-o.hazard[i*o.weeks+w])
			p := unpaid - still
			unpaid = still
			expected[w] += x * p
			chance[w] += x * x * p * (1 - p)
		}
	}
	for w := range o.weeks {
		c.Expected += expected[w]
		c.Came += float64(o.came[w]) / 100
	}
	prior := priorInvoices * money / float64(max(len(o.cents), 1))
	level = 1
	if prior > 0 {
		level = min(max((c.Came+prior)/(c.Expected+prior), 0.1), 10)
	}
	beyond, scale := 0.0, 0.0
	for w := range o.weeks {
		told := level * expected[w]
		d := float64(o.came[w])/100 - told
		beyond += d*d - level*chance[w]
		scale += told * told
	}
	variance := priorShock * priorShock * priorWeeks
	if scale > 0 {
		variance += max(beyond/scale, 0) * float64(o.weeks)
		variance /= float64(priorWeeks + o.weeks)
	} else {
		variance /= priorWeeks
	}
	return level, math.Sqrt(variance), c
}

// draw plays the futures of an outlook and returns its weeks, without days.
func (o *outlook) draw(level, shock float64, seed uint64) []ForecastWeek {
	cash := make([][]float64, o.weeks) // by week, in cents
	for w := range cash {
		cash[w] = make([]float64, forecastPaths)
	}
	for k := range forecastPaths {
		rng := rand.New(rand.NewPCG(seed, uint64(k)))
		scale := 1 / (level * math.Exp(shock*rng.NormFloat64()))
		for i, cents := range o.cents {
			e := rng.ExpFloat64() * scale
			h := o.hazard[i*o.weeks : (i+1)*o.weeks]
			if e > h[o.weeks-1] {
				continue
			}
			w := 0
			for h[w] < e {
				w++
			}
			cash[w][k] += float64(cents)
		}
	}
	list := make([]ForecastWeek, o.weeks)
	for w, paths := range cash {
		slices.Sort(paths)
		sum := 0.0
		for _, x := range paths {
			sum += x
		}
		at := func(q float64) float64 { return math.Round(paths[int(q*(forecastPaths-1))]) / 100 }
		list[w] = ForecastWeek{Mean: math.Round(sum/forecastPaths) / 100, P10: at(0.1), P50: at(0.5), P90: at(0.9)}
	}
	return list
}
