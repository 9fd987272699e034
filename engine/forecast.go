package engine

import (
	"context"
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
	// invoices of a week share.
	Level    float64       `json:"level"`
	Shock    float64       `json:"shock"`
	Check    ForecastCheck `json:"check"`
	Backtest *Backtest     `json:"backtest,omitempty"` // where it was asked for
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

// ForecastCheck is what the same hazard would have foretold of each of the weeks
// before when it began, before it was levelled, and what came on the same
// invoices.
type ForecastCheck struct {
	AsOf     time.Time `json:"as_of"` // when the first of them began
	Weeks    int       `json:"weeks"`
	Expected float64   `json:"expected"`
	Came     float64   `json:"came"`
}

// Backtest compares the forecasts as they would have been answered in the past,
// by what was learnt then, with what came on the same invoices.
type Backtest struct {
	Weeks  []PastWeek `json:"weeks"`  // each as foretold when it began, oldest first
	Within float64    `json:"within"` // share of the weeks foretold, however far ahead, that lay between p10 and p90
	Cells  int        `json:"cells"`  // how many those are
}

// PastWeek is a forecast and what came.
type PastWeek struct {
	ForecastWeek
	Came float64 `json:"came"`
}

const (
	// forecastPaths is the number of futures drawn: the standard error of a
	// quantile is then about two points of coverage.
	forecastPaths = 1000
	// priorShock is the shock believed in before any week was checked, and
	// priorWeeks how many weeks that belief weighs.
	priorShock, priorWeeks = 0.25, 3
	// priorInvoices is how many average invoices, paid as foretold, the belief
	// in the hazard's own level weighs.
	priorInvoices = 10
	// checkWeeks is how many weeks are looked back at to learn level and shock,
	// fewer where the book is large: at most checkClaims claims, but four weeks.
	checkWeeks, checkClaims = 13, 200_000
)

// Forecast foretells the cash of so many weeks from asOf on; backtest asks for
// that many past weeks beside it.
//
// Each invoice has the daily hazard of the model under usual contacts, summed
// to cumulative hazards H(week). It is paid in the first week in which
// E ≤ Σ ΔH(week)·Level·exp(Shock·z), with E exponential, its own, and z standard
// normal, shared by all invoices: half its variance by the whole future, half
// by the week. Debtors' luck averages out over a book, what hits all of them
// does not. Level and Shock come from the forecasts that the same hazard would
// have made in the weeks before. The same seed gives the same figures.
func (e *Engine) Forecast(ctx context.Context, creditor string, asOf time.Time, weeks, backtest int, seed uint64) (*Forecast, error) {
	if weeks < 1 || weeks > 52 {
		return nil, &FieldError{Pointer: "/weeks", Detail: "is not from 1 to 52"}
	}
	if backtest < 0 || backtest > 52 {
		return nil, &FieldError{Pointer: "/backtest", Detail: "is not from 0 to 52"}
	}
	b, err := e.book(creditor)
	if err != nil {
		return nil, err
	}
	asOf = e.now(asOf)
	f, _, err := e.forecast(ctx, b, asOf, weeks, seed)
	if err != nil || backtest == 0 {
		return f, err
	}
	f.Backtest = &Backtest{Weeks: []PastWeek{}}
	within := 0
	for k := backtest; k >= 1; k-- {
		then, came, err := e.forecast(ctx, b, asOf.AddDate(0, 0, -7*k), weeks, seed)
		if err != nil {
			return nil, err
		}
		if then.Invoices == 0 {
			continue
		}
		for lead := range min(weeks, k) {
			c := float64(came[lead]) / 100
			if lead == 0 {
				f.Backtest.Weeks = append(f.Backtest.Weeks, PastWeek{then.Weeks[0], c})
			}
			f.Backtest.Cells++
			if c >= then.Weeks[lead].P10 && c <= then.Weeks[lead].P90 {
				within++
			}
		}
	}
	if f.Backtest.Cells > 0 {
		f.Backtest.Within = float64(within) / float64(f.Backtest.Cells)
	}
	return f, nil
}

// forecast answers as of a moment, with what came since, by week, in cents.
func (e *Engine) forecast(ctx context.Context, b *book, asOf time.Time, weeks int, seed uint64) (*Forecast, []int64, error) {
	l, err := e.learnedAt(ctx, b, asOf)
	if err != nil {
		return nil, nil, err
	}
	if l.set == nil { // never learnt: the vectors of now
		then := *l
		if then.set, err = e.pipe.Load(ctx, asOf, features.Filter{Creditor: b.id, HalfLife: l.model.HalfLife}); err != nil {
			return nil, nil, fmt.Errorf("forecast %s: vectors: %w", b.id, err)
		}
		if then.past, err = e.pasts(ctx, b, nil, time.Time{}, asOf); err != nil {
			return nil, nil, fmt.Errorf("forecast %s: %w", b.id, err)
		}
		l = &then
	}
	now := e.outlook(b, l, asOf, weeks)
	first := time.Unix(b.firstIssue(), 0)
	var before []*outlook
	for k := 1; k <= min(checkWeeks, max(4, checkClaims/max(len(now.cents), 1))); k++ {
		origin := asOf.AddDate(0, 0, -7*k)
		if origin.Before(first) {
			break
		}
		before = append(before, e.outlook(b, l, origin, min(k, weeks)))
	}
	f := &Forecast{
		Creditor: b.id, AsOf: asOf, Currency: b.creditor.Load().Currency, Invoices: len(now.cents),
		Open: float64(now.open) / 100, Held: float64(now.held) / 100,
	}
	f.Level, f.Shock, f.Check = check(before)
	f.Check.AsOf = asOf.AddDate(0, 0, -7*len(before))
	f.Weeks = now.draw(f.Level, f.Shock, seed)
	today := ledger.DayOf(asOf, b.location.Load())
	for w := range f.Weeks {
		f.Weeks[w].From = today + ledger.Day(7*w)
	}
	return f, now.came, nil
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
// debtors and invoices, by what l knows.
func (e *Engine) outlook(b *book, l *learned, asOf time.Time, weeks int) *outlook {
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
		l.habit(&h, a.key, &f)
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
	return o
}

// period describes today for one claim, as features/sql/hazard.sql describes its
// days to training.
func (f *facts) period(h *habit, c *claim) models.Period {
	p := models.Period{
		DPD: int(f.today - c.due), Age: int(f.today - c.issued), Weekday: (int(f.today.Weekday()) + 6) % 7,
		LogAmount: math.Log1p(float64(c.cents) / 100),
		MonthEnd:  f.today.MonthEnd(), Month: int(f.today.UTC().Month()), Past: h.past(c.id),
	}
	p.Lift = h.runs.Lift(p.Weekday, p.MonthEnd)
	return p
}

// week is what an outlook foretold of one week, without the shock.
type week struct{ told, luck, came float64 }

// foretold adds up the weeks of an outlook: the mean, the variance by the luck
// of each debtor alone, and what came.
func (o *outlook) foretold() []week {
	list := make([]week, o.weeks)
	for i, cents := range o.cents {
		x := float64(cents) / 100
		unpaid := 1.0
		for w := range o.weeks {
			still := math.Exp(-o.hazard[i*o.weeks+w])
			p := unpaid - still
			unpaid = still
			list[w].told += x * p
			list[w].luck += x * x * p * (1 - p)
		}
	}
	for w := range list {
		list[w].came = float64(o.came[w]) / 100
	}
	return list
}

// check compares outlooks with what came: the level that would have been right,
// and the shock under which the first week of each is likeliest, normal about
// what was foretold, wider for how little is known of the level.
func check(before []*outlook) (level, shock float64, c ForecastCheck) {
	var firsts []week
	told, came, money, claims, cells := 0.0, 0.0, 0.0, 0, 0
	for _, o := range before {
		if len(o.cents) == 0 {
			continue
		}
		c.Weeks++
		claims += len(o.cents)
		for _, cents := range o.cents {
			money += float64(cents) / 100
		}
		list := o.foretold()
		for _, w := range list {
			told += w.told
			came += w.came
		}
		c.Expected, c.Came = c.Expected+list[0].told, c.Came+list[0].came
		firsts, cells = append(firsts, list[0]), cells+len(list)
	}
	level = 1
	if claims > 0 {
		// The outlooks hold the same invoices again and again.
		prior := priorInvoices * money / float64(claims) * float64(cells) / float64(c.Weeks)
		level = min(max((came+prior)/(told+prior), 0.1), 10)
	}
	best := math.Inf(-1)
	for s := 0.02; s < 2; s *= 1.1 {
		// The prior: so many weeks that deviated by priorShock.
		ll := -priorWeeks * (math.Log(s) + priorShock*priorShock/(2*s*s))
		for _, w := range firsts {
			told := level * w.told
			v := level*w.luck + s*s*told*told
			if v > 0 {
				ll -= math.Log(v)/2 + (w.came-told)*(w.came-told)/(2*v)
			}
		}
		if ll > best {
			best, shock = ll, s
		}
	}
	return level, shock * math.Sqrt(1+2/float64(priorWeeks+len(firsts))), c
}

// draw plays the futures of an outlook and returns its weeks, without days.
func (o *outlook) draw(level, shock float64, seed uint64) []ForecastWeek {
	cash := make([][]float64, o.weeks) // by week, in cents
	for w := range cash {
		cash[w] = make([]float64, forecastPaths)
	}
	scale := make([]float64, o.weeks)
	for k := range forecastPaths {
		rng := rand.New(rand.NewPCG(seed, uint64(k)))
		all := rng.NormFloat64()
		for w := range scale {
			scale[w] = level * math.Exp(shock*math.Sqrt2/2*(all+rng.NormFloat64()))
		}
		for i, cents := range o.cents {
			e := rng.ExpFloat64()
			h, last := o.hazard[i*o.weeks:(i+1)*o.weeks], 0.0
			for w := range o.weeks {
				if e -= (h[w] - last) * scale[w]; e <= 0 {
					cash[w][k] += float64(cents)
					break
				}
				last = h[w]
			}
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
