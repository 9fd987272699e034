package engine

import (
	"cmp"
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
	// Level is by how much the hazard is scaled in the first week on average, as
	// the weeks of Check say, and Shock the standard deviation of the logarithm of
	// what all invoices share in it.
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
	// priorShock is the median of the shock believed in before any week was checked,
	// which is half-Cauchy: none at all is as credible as a little.
	priorShock = 0.3
	// priorLevel is the variance of the logarithm of the book's own level that is
	// believed in before.
	priorLevel = 0.1
	// priorJoint is how often a debtor is believed to pay by one luck before any
	// week was checked, and priorPairs how many pairs of paid invoices that weighs.
	priorJoint, priorPairs = 0.3, 10
	// farthest is the largest logarithm of a factor on the hazard.
	farthest = math.Ln10
	// checkWeeks is how many weeks are looked back at to learn level and shock,
	// fewer where the book is large: at most checkClaims claims, but four weeks.
	checkWeeks, checkClaims = 26, 600_000
)

// Forecast foretells the cash of so many weeks from asOf on; backtest asks for
// that many past weeks beside it.
//
// Each invoice has the daily hazard of the model under usual contacts, summed
// to cumulative hazards H(week). It is paid in the first week in which
// E ≤ ΔH(week)·F(week), with E exponential, drawn each week, and F the factor that
// all invoices share in that week: see tide. So often as its invoices were paid
// together, a debtor has one E for all of them, otherwise each has its own. This
// luck averages out over a book, what hits all debtors does not. What F is, how it
// moves, and how often a debtor pays together comes from the forecasts that the
// same hazard would have made of the weeks before. The same seed gives the same
// figures.
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
		before = append(before, e.outlook(b, l, origin, 1))
	}
	f := &Forecast{
		Creditor: b.id, AsOf: asOf, Currency: b.creditor.Load().Currency, Invoices: len(now.cents),
		Open: float64(now.open) / 100, Held: float64(now.held) / 100,
	}
	var shared tides
	var joint float64
	shared, joint, f.Check = check(before)
	f.Check.AsOf = asOf.AddDate(0, 0, -7*len(before))
	f.Level, f.Shock = shared.ahead(now.foretold().slope)
	f.Weeks = now.draw(shared, joint, seed)
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
	ends       []int     // of each debtor's claims among cents: where the next one's begin
	hazard     []float64 // len(cents)×weeks: cumulative at the end of each week
	first      []int64   // by claim: cents received in the first week
	came       []int64   // by week: cents received on these invoices since
	open, held int64
}

// outlook foretells every open invoice of b as of a moment, in the order of
// debtors and invoices, by what l knows.
func (e *Engine) outlook(b *book, l *learned, asOf time.Time, weeks int) *outlook {
	o := &outlook{weeks: weeks, came: make([]int64, weeks)}
	curve := make([]float64, 7*weeks+1)
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
		gone := float64(f.at-f.today.In(f.loc).Unix()) / 86400 // of today
		for i := range f.claims {
			c := &f.claims[i]
			p := f.period(&h, c)
			l.model.Usual.UnpaidTo(curve, p, &h.runs, f.today, l.model.Leave)
			o.cents = append(o.cents, c.cents)
			for w := range weeks {
				o.hazard = append(o.hazard, hazardTo(curve, gone+float64(7*w+7))-hazardTo(curve, gone))
			}
			o.open += c.cents
			o.held -= c.cents
			v := a.invoice(c.id)
			for w := range weeks {
				from, to := f.at+int64(w)*7*86400, f.at+int64(w+1)*7*86400
				got := v.openAt(from) - v.openAt(to)
				o.came[w] += got
				if w == 0 {
					o.first = append(o.first, got)
				}
			}
		}
		o.ends = append(o.ends, len(o.cents))
	}
	return o
}

// hazardTo is the cumulative hazard of so many days from the midnight on at which
// a curve begins, which says what is unpaid at the end of each day: within a day
// it rises evenly.
func hazardTo(curve []float64, days float64) float64 {
	at := func(day int) float64 {
		if day == 0 {
			return 0
		}
		return -math.Log(max(curve[day-1], 1e-300))
	}
	day := min(int(days), len(curve)-1)
	from := at(day)
	return from + (at(day+1)-from)*min(days-float64(day), 1)
}

// period describes today for one claim, as features/sql/hazard.sql describes its
// days to training.
func (f *facts) period(h *habit, c *claim) models.Period {
	p := models.Period{
		DPD: int(f.today - c.due), Age: int(f.today - c.issued), Weekday: weekdayOf(f.today),
		LogAmount: math.Log1p(float64(c.cents) / 100),
		MonthEnd:  f.today.MonthEnd(), Month: int(f.today.UTC().Month()), Past: h.past(c.id),
	}
	p.Lift, p.EndRun = h.runs.Lift(p.Weekday, p.MonthEnd > 0), h.runs[models.RunEnd]
	return p
}

// week is what an outlook foretold of its first week, without the shock.
type week struct {
	told, came float64
	slope      float64 // of the logarithm of what is foretold, in that of the hazard
	luck       float64 // variance where each invoice is paid or not on its own
	together   float64 // what there is more of it where a debtor pays by one luck
	// Over pairs of invoices of one debtor: the sum of the products of what came
	// beyond what was foretold, as a share of the invoice, and what that would be
	// by one luck.
	pairs, most float64
}

// claimed is one claim in a week: its amount, how likely it was to be paid, and
// the share of it that was.
type claimed struct{ x, p, paid float64 }

// foretold adds up the first week of an outlook.
func (o *outlook) foretold() week {
	w := week{came: float64(o.came[0]) / 100}
	var claims []claimed
	from := 0
	for _, to := range o.ends {
		claims = claims[:0]
		for i := from; i < to; i++ {
			cents := float64(o.cents[i])
			h := o.hazard[i*o.weeks]
			w.slope += cents / 100 * h * math.Exp(-h)
			claims = append(claims, claimed{cents / 100, -math.Expm1(-h), float64(o.first[i]) / cents})
		}
		from = to
		// By one luck the likelier invoice is paid wherever the other is.
		slices.SortFunc(claims, func(a, b claimed) int { return cmp.Compare(a.p, b.p) })
		var told, p, off, square float64
		for _, c := range claims {
			w.luck += c.x * c.x * c.p * (1 - c.p)
			w.together += 2 * told * c.x * (1 - c.p)
			w.most += p * (1 - c.p)
			told += c.x * c.p
			p += c.p
			off += c.paid - c.p
			square += (c.paid - c.p) * (c.paid - c.p)
		}
		w.told += told
		w.pairs += (off*off - square) / 2
	}
	if w.told > 0 {
		w.slope /= w.told
	}
	return w
}

// tide is one way in which the factor F of all invoices may move from week to
// week, and what the weeks before say of it under this way:
//
//	log F = m + u + e − a·s²/2,  u' = φ·u + noise,  var u = s²·ρ,  var e = s²·(1 − ρ)
//
// m is the book's own level, u a swell that goes by, with the autocorrelation φ
// from week to week, and e the week's alone. What comes goes with F to the power of
// a, the slope of the week: who pays anyway pays no more for a higher hazard. It is
// on average as foretold where m is 0.
type tide struct {
	weight        float64
	s, rho, phi   float64
	m, u          float64 // means in the coming week
	varM, varU, c float64 // variances and covariance
}

// tides are weighted by how likely they made what came; the weights sum to one.
type tides []tide

// priorTides are the ways believed in before any week was checked.
func priorTides() tides {
	var list tides
	for s := 0.05; s < 1.5; s *= 1.4 {
		for _, rho := range [...]float64{0, 0.3, 0.6, 0.9} {
			for _, phi := range [...]float64{0.5, 0.8, 0.95} {
				// The density of log s.
				weight := math.Log(s) - math.Log1p(s*s/(priorShock*priorShock))
				list = append(list, tide{weight: weight, s: s, rho: rho, phi: phi, varM: priorLevel, varU: s * s * rho})
			}
		}
	}
	return list
}

// see learns from a week and moves on to the next: a step of the Kalman filter on
// came/told, linear about what was expected, whose variance is that of e and of
// the luck of debtors. weight is a logarithm.
func (t *tide) see(w week) {
	if w.told > 0 {
		f := math.Exp(min(w.slope*(t.m+t.u), farthest))
		off := w.came/w.told/f - 1
		v := w.slope*w.slope*(t.varM+t.varU+2*t.c+t.s*t.s*(1-t.rho)) + w.luck/(w.told*w.told*f)
		t.weight -= math.Log(v)/2 + off*off/(2*v) + math.Log(f)
		toM, toU := w.slope*(t.varM+t.c), w.slope*(t.varU+t.c)
		t.m += toM / v * off
		t.u += toU / v * off
		t.varM -= toM * toM / v
		t.varU -= toU * toU / v
		t.c -= toM * toU / v
	}
	t.u *= t.phi
	t.c *= t.phi
	t.varU = t.phi*t.phi*t.varU + t.s*t.s*t.rho*(1-t.phi*t.phi)
}

// ahead returns the mean of the coming week's factor and the standard deviation
// of its logarithm, given the slope of the week.
func (ts tides) ahead(slope float64) (level, shock float64) {
	mean, square := 0.0, 0.0
	for i := range ts {
		t := &ts[i]
		x := t.m + t.u - slope*t.s*t.s/2
		v := t.varM + t.varU + 2*t.c + t.s*t.s*(1-t.rho)
		level += t.weight * math.Exp(min(x+v/2, farthest))
		mean += t.weight * x
		square += t.weight * (x*x + v)
	}
	return level, math.Sqrt(max(square-mean*mean, 0))
}

// draw stores the factors of the coming weeks in dst, given the slope of the
// first: one of the ways, by their weights, and one future of it.
func (ts tides) draw(dst []float64, slope float64, rng *rand.Rand) {
	at, i := rng.Float64(), 0
	for ; i < len(ts)-1 && at >= ts[i].weight; i++ {
		at -= ts[i].weight
	}
	t := &ts[i]
	sd := math.Sqrt(t.varM)
	z := rng.NormFloat64()
	m, u, left := t.m+sd*z, t.u, t.varU
	if sd > 0 {
		u += t.c / sd * z
		left -= t.c * t.c / t.varM
	}
	u += math.Sqrt(max(left, 0)) * rng.NormFloat64()
	for w := range dst {
		e := t.s * math.Sqrt(1-t.rho) * rng.NormFloat64()
		dst[w] = math.Exp(min(m+u+e-slope*t.s*t.s/2, farthest))
		u = t.phi*u + t.s*math.Sqrt(t.rho*(1-t.phi*t.phi))*rng.NormFloat64()
	}
}

// check compares the first weeks of outlooks, the latest first, with what came.
// joint is how often a debtor pays by one luck.
func check(before []*outlook) (shared tides, joint float64, c ForecastCheck) {
	var list []week
	pairs, most := priorJoint*priorPairs, float64(priorPairs)
	for _, o := range slices.Backward(before) {
		w := o.foretold()
		if len(o.cents) > 0 {
			c.Weeks++
			c.Expected, c.Came = c.Expected+w.told, c.Came+w.came
		}
		pairs, most = pairs+w.pairs, most+w.most
		list = append(list, w)
	}
	joint = min(max(pairs/most, 0), 1)
	shared = priorTides()
	for _, w := range list {
		w.luck += joint * w.together
		for i := range shared {
			shared[i].see(w)
		}
	}
	top, sum := math.Inf(-1), 0.0
	for i := range shared {
		top = max(top, shared[i].weight)
	}
	for i := range shared {
		shared[i].weight = math.Exp(shared[i].weight - top)
		sum += shared[i].weight
	}
	for i := range shared {
		shared[i].weight /= sum
	}
	return shared, joint, c
}

// paths plays the futures of an outlook: the cash of each week in cents, the
// least first.
func (o *outlook) paths(shared tides, joint float64, seed uint64) [][]float64 {
	cash := make([][]float64, o.weeks) // by week, in cents
	for w := range cash {
		cash[w] = make([]float64, forecastPaths)
	}
	scale, luck := make([]float64, o.weeks), make([]float64, o.weeks)
	slope := o.foretold().slope
	for k := range forecastPaths {
		rng := rand.New(rand.NewPCG(seed, uint64(k)))
		shared.draw(scale, slope, rng)
		from := 0
		for _, to := range o.ends {
			together := to-from > 1 && rng.Float64() < joint
			if together {
				for w := range luck {
					luck[w] = rng.ExpFloat64()
				}
			}
			for ; from < to; from++ {
				h, last := o.hazard[from*o.weeks:(from+1)*o.weeks], 0.0
				own := 0.0
				if !together {
					own = rng.ExpFloat64() // one will do for all weeks: what is left of it is exponential again
				}
				for w := range o.weeks {
					if together {
						own = luck[w]
					}
					if own -= (h[w] - last) * scale[w]; own <= 0 {
						cash[w][k] += float64(o.cents[from])
						break
					}
					last = h[w]
				}
			}
		}
	}
	for _, paths := range cash {
		slices.Sort(paths)
	}
	return cash
}

// draw plays the futures of an outlook and returns its weeks, without days.
func (o *outlook) draw(shared tides, joint float64, seed uint64) []ForecastWeek {
	list := make([]ForecastWeek, o.weeks)
	for w, paths := range o.paths(shared, joint, seed) {
		sum := 0.0
		for _, x := range paths {
			sum += x
		}
		at := func(q float64) float64 { return math.Round(paths[int(q*(forecastPaths-1))]) / 100 }
		list[w] = ForecastWeek{Mean: math.Round(sum/forecastPaths) / 100, P10: at(0.1), P50: at(0.5), P90: at(0.9)}
	}
	return list
}
