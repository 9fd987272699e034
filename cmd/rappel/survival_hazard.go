package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"rappel/models/survival"
)

const (
	// maxBands is the largest number of baseline hazards chosen unasked.
	maxBands = 200
	// maxPeriods is the largest number of periods that a time may span.
	maxPeriods = 1_000_000
)

// errPeriods says that a time spans more periods than there may be.
var errPeriods = fmt.Errorf("time is longer than %d periods: give a longer --period", maxPeriods)

// periods turns rows of durations into one row per period at risk, on the
// way: what it holds in memory is the rows as they were read and one batch.
type periods struct {
	data        *survival.Data
	width       float64
	from, until []int // periods of each row, from exclusive
	bandOf      []int // band of each period, by its number; −1 where no event can come
	bands       int
	p           int // bands and covariates
}

// newPeriods lays the periods of length width over the data. Periods share a
// baseline hazard in bands: of the given number of periods, or (band 0) each
// period with an event is one, and the others, whose hazard is estimated to be
// zero, take no part. Where there are too many of those, each band ends with
// one. Nor does a period count in which no row is at risk.
//
// A row is at risk from the period after that of its entry on; where its event
// falls in no such period, as at time zero, it is refused.
func newPeriods(d *survival.Data, width, band float64) (*periods, error) {
	if !(width > 0) || band < 0 || band != math.Trunc(band) {
		return nil, fmt.Errorf("--period %v and --band %v: want a positive length and a whole number of periods", width, band)
	}
	s := &periods{data: d, width: width, from: make([]int, d.Rows()), until: make([]int, d.Rows())}
	number := func(t float64) float64 { return math.Ceil(t/width - 1e-9) }
	last := 0
	eventful := map[int]bool{}
	for i, t := range d.Time {
		entry := 0.0
		if d.Entry != nil {
			entry = d.Entry[i]
		}
		from, until := number(entry), number(t)
		switch event := d.Event[i] != 0; {
		case t < 0 || event && until < 1:
			return nil, &survival.RowError{Row: i, Value: t, Err: survival.ErrTime}
		case entry < 0:
			return nil, &survival.RowError{Row: i, Value: entry, Err: survival.ErrTime}
		case d.Entry != nil && (entry >= t || event && from >= until):
			return nil, &survival.RowError{Row: i, Value: entry, Err: survival.ErrEntry}
		case until > maxPeriods:
			return nil, &survival.RowError{Row: i, Value: t, Err: errPeriods}
		}
		s.from[i], s.until[i] = int(from), int(until)
		last = max(last, s.until[i])
		if d.Event[i] != 0 {
			eventful[s.until[i]] = true
		}
	}
	if len(eventful) == 0 {
		return nil, survival.ErrNoEvents
	}
	var ends []int // last period of each band
	alone := false
	switch {
	case band > 0:
		for e := int(band); e < last+int(band); e += int(band) {
			ends = append(ends, e)
		}
	default:
		for e := range eventful {
			ends = append(ends, e)
		}
		slices.Sort(ends)
		if n := len(ends); n <= maxBands {
			alone = true
			break
		}
		thin := make([]int, 0, maxBands)
		for k := 1; k <= maxBands; k++ {
			thin = append(thin, ends[len(ends)*k/maxBands-1])
		}
		ends = thin
		ends[maxBands-1] = last // what is left after the last event has its hazard
	}
	// How many rows are at risk in each period.
	risk := make([]int, last+2)
	for i, k := range s.until {
		if s.from[i] < k {
			risk[s.from[i]+1]++
			risk[k+1]--
		}
	}
	s.bandOf = make([]int, last+1)
	s.bandOf[0] = -1
	before := -1 // the end that the last band counted was of
	for k, e := 1, 0; k <= last; k++ {
		risk[k] += risk[k-1]
		for e < len(ends) && k > ends[e] {
			e++
		}
		if e == len(ends) || alone && k != ends[e] || risk[k] == 0 {
			s.bandOf[k] = -1
			continue
		}
		if e != before {
			before = e
			s.bands++
		}
		s.bandOf[k] = s.bands - 1
	}
	s.p = s.bands + len(d.Columns)
	return s, nil
}

// names returns the names of all columns, baselines first.
func (s *periods) names() []string {
	if s.bands == 1 {
		return append([]string{"(Intercept)"}, s.data.Names...)
	}
	first, last := make([]int, s.bands), make([]int, s.bands)
	for k := len(s.bandOf) - 1; k > 0; k-- {
		if b := s.bandOf[k]; b >= 0 {
			first[b] = k
		}
	}
	for k, b := range s.bandOf {
		if b >= 0 {
			last[b] = k
		}
	}
	var out []string
	for b := range s.bands {
		name := "period " + strconv.Itoa(first[b])
		if last[b] > first[b] {
			name += "-" + strconv.Itoa(last[b])
		}
		out = append(out, name)
	}
	return append(out, s.data.Names...)
}

// Pass yields the person-period rows in batches.
func (s *periods) Pass(yield func(survival.Batch) error) error {
	const size = 8192
	d := s.data
	b := survival.Batch{X: make([]float64, 0, size*s.p), Y: make([]float64, 0, size), W: make([]float64, 0, size), Offset: make([]float64, 0, size)}
	flush := func() error {
		if b.Rows == 0 {
			return nil
		}
		err := yield(b)
		b.X, b.Y, b.W, b.Offset, b.Rows = b.X[:0], b.Y[:0], b.W[:0], b.Offset[:0], 0
		return err
	}
	row := make([]float64, s.p)
	for i := range s.until {
		for j, c := range d.Columns {
			row[s.bands+j] = c[i]
		}
		w, offset := 1.0, 0.0
		if d.Weight != nil {
			w = d.Weight[i]
		}
		if d.Offset != nil {
			offset = d.Offset[i]
		}
		for k := s.from[i] + 1; k <= s.until[i]; k++ {
			if s.bandOf[k] < 0 {
				continue
			}
			clear(row[:s.bands])
			row[s.bandOf[k]] = 1
			y := 0.0
			if k == s.until[i] && d.Event[i] != 0 {
				y = 1
			}
			b.X = append(b.X, row...)
			b.Y, b.W, b.Offset = append(b.Y, y), append(b.W, w), append(b.Offset, offset)
			if b.Rows++; b.Rows == size {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// fitHazard fits the discrete-time models.
func (o *survivalOptions) fitHazard(a *survivalAnswer, in *survivalInput) error {
	d := in.data
	if d.Stratum != nil {
		return fmt.Errorf("--strata are not for %s", o.model)
	}
	link := survival.CLogLog
	if o.model == "logit" {
		link = survival.Logit
	}
	s, err := newPeriods(d, o.period, o.band)
	if err != nil {
		return err
	}
	opt := survival.HazardOptions{Link: link, Names: s.names(), Expected: true}
	if o.onSeparation == "ridge" {
		opt.SeparationRidge = 1
	}
	if o.l1 > 0 {
		opt.L1 = make([]float64, s.p)
	}
	if o.l2 > 0 {
		opt.Ridge = make([]float64, s.p)
	}
	for j := s.bands; j < s.p; j++ { // baselines are free
		if o.l1 > 0 {
			opt.L1[j] = o.l1
		}
		if o.l2 > 0 {
			opt.Ridge[j] = o.l2
		}
	}
	fit, err := survival.FitHazard(s, s.p, opt)
	if err != nil {
		return err
	}
	bare := *d
	bare.Columns, bare.Names = nil, nil
	base, err := newPeriods(&bare, o.period, o.band)
	if err != nil {
		return err
	}
	null, err := survival.FitHazard(base, base.p, survival.HazardOptions{Link: link, Names: base.names()})
	if err != nil {
		return err
	}
	a.Events, a.Converged, a.Iterations = int(math.Round(fit.Events)), fit.Converged, fit.Iterations
	if d.Weight != nil {
		a.Events = 0
		for _, e := range d.Event {
			a.Events += int(e)
		}
	}
	a.LogLikNull, a.LogLik = maybe(null.LogLik), maybe(fit.LogLik)
	a.Warnings = append(a.Warnings, fit.Warnings...)
	a.coefficients(fit.Names, fit.Coef, fit.SE(), nil, false)
	if o.l1 > 0 {
		a.KKT = maybe(fit.KKT)
	}
	if len(d.Columns) > 0 {
		lp := make([]float64, d.Rows())
		for j, c := range d.Columns {
			for i, v := range c {
				lp[i] += v * fit.Coef[s.bands+j]
			}
		}
		a.concordance(survival.Concord(d, lp, survival.ConcordanceOptions{}))
	}
	return o.hazardCurve(a, in, s, fit)
}

// survival returns the probability of being without event after each period
// for covariates x.
func (s *periods) survival(fit *survival.Hazard, x []float64) []float64 {
	out := make([]float64, len(s.bandOf)-1)
	row, h, now := make([]float64, s.p), make([]float64, 1), 1.0
	copy(row[s.bands:], x)
	for k := range out {
		if b := s.bandOf[k+1]; b >= 0 {
			clear(row[:s.bands])
			row[b] = 1
			now *= 1 - fit.ProbTo(h, row)[0]
		}
		out[k] = now
	}
	return out
}

// hazardCurve adds the baseline, and the curve of --at at --predict.
func (o *survivalOptions) hazardCurve(a *survivalAnswer, in *survivalInput, s *periods, fit *survival.Hazard) error {
	x, err := o.row(in.data.Names)
	if err != nil {
		return err
	}
	baseline := s.survival(fit, make([]float64, len(x)))
	for k, v := range baseline {
		a.Baseline = append(a.Baseline, baselineLine{Time: number(float64(k+1) * s.width), CumHaz: number(-math.Log(v)), Survival: number(v)})
	}
	curve := s.survival(fit, x)
	times := o.predict
	if times == nil {
		for k := range curve {
			times = append(times, float64(k+1)*s.width)
		}
	}
	km, err := survival.KaplanMeier(in.data, survival.CurveOptions{})
	if err != nil {
		return err
	}
	for _, t := range times {
		v := 1.0
		if k := min(int(math.Floor(t/s.width+1e-9)), len(curve)); k > 0 {
			v = curve[k-1]
		}
		nan := number(math.NaN())
		a.Curves = append(a.Curves, curveLine{
			Time: number(t), NRisk: number(km[0].AtRiskAt(t)), Survival: number(v), SE: nan, Lo: nan, Hi: nan,
			Incidence: number(1 - v), CumHaz: maybe(-math.Log(v)),
		})
	}
	return nil
}

// fitFineGray fits the subdistribution hazard of --cause.
func (o *survivalOptions) fitFineGray(a *survivalAnswer, in *survivalInput) error {
	ties, err := o.tiesOf()
	if err != nil {
		return err
	}
	code, err := strconv.ParseUint(o.cause, 10, 8)
	if err != nil {
		return fmt.Errorf("--cause %s is not an event code", o.cause)
	}
	fit, err := survival.FitFineGray(in.data, survival.FineGrayOptions{
		CoxOptions: survival.CoxOptions{Ties: ties, Robust: true}, Cause: uint8(code),
	})
	if err != nil {
		return err
	}
	a.Ties, a.N = o.ties, fit.Rows
	return o.reportCox(a, in, fit)
}
