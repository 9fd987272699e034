package timing

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Rows are the debtors to learn from: n of them, each a week of 168 cells.
type Rows struct {
	// Counts is n×168: engagements by hour of week, decayed or whole.
	Counts []float32
	// Exposure is n×168: how often something lay unread in that hour, decayed
	// alike. nil takes every hour as equally exposed.
	Exposure []float32
	// Profile is the profile of each row; −1 where unknown.
	Profile []int32
	// Later is n×168 or nil: what came after Counts. Where given, pooling and
	// smoothing are those that predict Later from Counts; without it, those
	// that predict each event from the debtor's others. The curves are then
	// fitted to both.
	Later []float32
	// LaterExposure is the exposure of Later; needed where Later and Exposure
	// are given.
	LaterExposure []float32
}

// Len is the number of rows.
func (r *Rows) Len() int { return len(r.Profile) }

// Check returns a RowError for the first value that cannot be used. It panics
// if the columns disagree in length.
func (r *Rows) Check(profiles int) error {
	n := r.Len() * Hours
	if len(r.Counts) != n || r.Exposure != nil && len(r.Exposure) != n || r.Later != nil && len(r.Later) != n {
		panic("timing: columns of rows differ in length")
	}
	if r.Later != nil && r.Exposure != nil && len(r.LaterExposure) != n {
		panic("timing: later counts without their exposure")
	}
	for row, p := range r.Profile {
		if p < -1 || int(p) >= profiles {
			return &RowError{Column: "profile", Row: row, Err: ErrProfile}
		}
	}
	for _, c := range []struct {
		name  string
		cells []float32
	}{
		{"counts", r.Counts},
		{"exposure", r.Exposure},
		{"later", r.Later},
		{"later exposure", r.LaterExposure},
	} {
		if err := checkCells(c.name, c.cells, Hours); err != nil {
			return err
		}
	}
	return nil
}

// Options are the settings of Fit.
type Options struct {
	// Profiles is the number of profiles; Rows.Profile is below it.
	Profiles int
	// Shape is what is believed of the hours before any data, up to a factor;
	// every hour must be above zero.
	Shape [Hours]float64
	// Rate is the hazard per exposed hour believed before any data, in 1/h.
	Rate float64
	// PriorEvents is how many events Shape and Rate are worth.
	PriorEvents float64
	// Groups is the largest number of behaviour groups to try, at most 8;
	// below 2 none are drawn.
	Groups int
	// Sample bounds the debtors on whom pooling and smoothing are chosen.
	Sample int
	// Seed draws that sample and the starts of the groups.
	Seed uint64
}

// DefaultOptions returns the settings for a number of profiles: daytime hours,
// one notice in thirty exposed hours, up to six groups.
func DefaultOptions(profiles int) Options {
	return Options{
		Profiles:    profiles,
		Shape:       Daytime(),
		Rate:        1.0 / 30,
		PriorEvents: 20,
		Groups:      6,
		Sample:      500,
		Seed:        1,
	}
}

// Daytime is a weak belief about when people look at messages: awake from
// seven to eleven, most in the morning and early evening, a little less at
// weekends. Its mean is 1.
func Daytime() [Hours]float64 {
	day := [dayHours]float64{
		3, 2, 1, 1, 1, 2, 5, 9, 13, 15, 15, 14,
		12, 12, 13, 13, 13, 13, 13, 13, 13, 12, 9, 5,
	}
	var shape [Hours]float64
	sum := 0.0
	for h := range shape {
		shape[h] = day[h%dayHours]
		if h >= 5*dayHours {
			shape[h] *= 0.75
		}
		sum += shape[h]
	}
	for h := range shape {
		shape[h] *= Hours / sum
	}
	return shape
}

// Prior returns the model that knows nothing but the options: what Fit gives
// for no rows. Its pooling and smoothing are about what openings of real people
// ask for (docs/timing.md).
func Prior(opt Options) *Model {
	m := &Model{
		Curves: make([]float64, (opt.Profiles+1)*Hours),
		Level:  2, Strength: 1, Tilt: 1, Bandwidth: 1.5, Daily: 0.75, GroupHeat: 20,
	}
	sum := 0.0
	for _, v := range opt.Shape {
		sum += v
	}
	for h := range Hours {
		m.Curves[h] = opt.Rate * opt.Shape[h] * Hours / sum
	}
	for p := range opt.Profiles {
		copy(m.Curves[(p+1)*Hours:], m.Curves[:Hours])
	}
	return m
}

// Fit learns the curves and chooses pooling, smoothing and groups by what
// predicts best: empirical Bayes on the rows given. Levels are pooled by the
// marginal likelihood of the negative binomial; hours, whose smoothing has no
// closed marginal likelihood, by leave-one-out prediction of events, or by
// prediction of Rows.Later. It returns a RowError for values it cannot use.
//
// See Geisser and Eddy (1979), doi:10.2307/2286745, for prediction in place
// of marginal likelihood.
func Fit(rows Rows, opt Options) (*Model, error) {
	if opt.Rate <= 0 || opt.PriorEvents <= 0 || opt.Groups > maxGroups || opt.Profiles < 0 {
		panic("timing: rate and prior events must be above zero, groups at most 8")
	}
	for _, v := range opt.Shape {
		if !(v > 0) {
			panic("timing: every hour of the shape must be above zero")
		}
	}
	if err := rows.Check(opt.Profiles); err != nil {
		return nil, fmt.Errorf("fit availability: %w", err)
	}
	f := &fitter{
		rows: &rows, opt: &opt, m: Prior(opt),
		rng: rand.New(rand.NewPCG(opt.Seed, 0x71a1)),
	}
	f.m.Report.Rows = rows.Len()
	for _, v := range rows.Counts {
		f.m.Report.Events += float64(v)
	}
	for _, v := range rows.Later {
		f.m.Report.Events += float64(v)
	}
	if f.m.Report.Events == 0 && rows.Exposure == nil {
		return f.m, nil
	}
	f.population(false)
	f.cases = f.draw()
	f.choose()
	f.group()
	if rows.Later != nil {
		f.population(true)
	}
	return f.m, nil
}

type fitter struct {
	rows  *Rows
	opt   *Options
	m     *Model
	rng   *rand.Rand
	cases []target
}

// target is one thing to predict: the hour of an event that is left out of a
// row, or everything later in it.
type target struct {
	row    int32
	hour   int16 // −1: all that came later
	weight float64
}

// folds is the number of parts the debtors are cut into, to predict each part
// from the others.
const folds = 4

// tally holds events seen and expected, by fold.
type tally struct {
	seen, expected [folds][Hours]float64
}

// total sums the folds but one; −1 leaves none out.
func (t *tally) total(n, e *[Hours]float64, but int) {
	*n, *e = [Hours]float64{}, [Hours]float64{}
	for f := range folds {
		if f == but {
			continue
		}
		for h := range Hours {
			n[h] += t.seen[f][h]
			e[h] += t.expected[f][h]
		}
	}
}

// population fits level and curve for all and then for each profile. With
// later, what came later is learnt from as well.
func (f *fitter) population(later bool) {
	m, opt := f.m, f.opt
	fresh := Prior(*opt)
	copy(m.Curves, fresh.Curves)

	// The level of all, then of each profile: Gamma-Poisson on totals.
	totals := f.totals(later)
	var seen, expected float64
	for _, t := range totals {
		seen += t.seen
		expected += t.expected
	}
	if f.rows.Exposure != nil {
		scale(m.Curves, (opt.PriorEvents+seen)/(opt.PriorEvents+expected))
		m.Level = pooling(f.totals(later))
	}

	all := f.tallies(later, func(int) int { return 0 }, 1)
	f.m.Report.All = pool(all, [][]float64{m.Curves[:Hours]})
	for p := range opt.Profiles {
		copy(m.Curves[(p+1)*Hours:], m.Curves[:Hours])
	}
	if f.rows.Exposure != nil {
		f.levels(later)
	}
	if opt.Profiles > 0 {
		byProfile := f.tallies(later, func(r int) int { return int(f.rows.Profile[r]) }, opt.Profiles)
		curves := make([][]float64, opt.Profiles)
		for p := range curves {
			curves[p] = m.Curves[(p+1)*Hours:][:Hours]
		}
		f.m.Report.Profile = pool(byProfile, curves)
	}
	if f.rows.Exposure != nil {
		f.m.Level = pooling(f.totals(later))
	}
}

func scale(dst []float64, by float64) {
	for i := range dst {
		dst[i] *= by
	}
}

// total is what was seen and expected of one unit.
type total struct{ seen, expected float64 }

// totals returns events seen and expected of each row under its curve.
func (f *fitter) totals(later bool) []total {
	out := make([]total, f.rows.Len())
	var n, e [Hours]float64
	for r := range out {
		f.cells(r, later, &n, &e)
		for h := range Hours {
			out[r].seen += n[h]
			out[r].expected += e[h]
		}
	}
	return out
}

// cells stores the events of a row and those expected under its curve at
// level 1; without exposure, as many as were seen.
func (f *fitter) cells(r int, later bool, n, e *[Hours]float64) {
	rows := f.rows
	curve := f.m.Curves[f.m.row(int(rows.Profile[r]))*Hours:][:Hours]
	o := r * Hours
	var seen, sum float64
	for h := range Hours {
		v := float64(rows.Counts[o+h])
		if later && rows.Later != nil {
			v += float64(rows.Later[o+h])
		}
		n[h] = v
		seen += v
		x := 1.0
		if rows.Exposure != nil {
			x = float64(rows.Exposure[o+h])
			if later && rows.Later != nil {
				x += float64(rows.LaterExposure[o+h])
			}
		}
		e[h] = curve[h] * x
		sum += e[h]
	}
	if rows.Exposure == nil && sum > 0 {
		for h := range e {
			e[h] *= seen / sum
		}
	}
}

// levels scales the curve of each profile to how often its debtors look,
// pooled to all. Debtors of a profile differ, so that its count varies more
// than a Poisson count would: seen and expected are divided by how much.
func (f *fitter) levels(later bool) {
	rows := f.totals(later)
	spread, sum := 0.0, 0.0
	byProfile := make([]total, f.opt.Profiles)
	for r, t := range rows {
		spread += (t.seen - t.expected) * (t.seen - t.expected)
		sum += t.expected
		if p := f.rows.Profile[r]; p >= 0 {
			byProfile[p].seen += t.seen
			byProfile[p].expected += t.expected
		}
	}
	if sum == 0 {
		return
	}
	over := max(1, spread/sum)
	for p := range byProfile {
		byProfile[p].seen /= over
		byProfile[p].expected /= over
	}
	alpha := pooling(byProfile)
	for p, t := range byProfile {
		scale(f.m.Curves[(p+1)*Hours:][:Hours], (alpha+t.seen)/(alpha+t.expected))
	}
}

// pooling returns the shape α of a Gamma(α, α) of levels that maximises the
// marginal likelihood, a product of negative binomials with means expected.
func pooling(units []total) float64 {
	loglik := func(logAlpha float64) float64 {
		a := math.Exp(logAlpha)
		base, _ := math.Lgamma(a)
		sum := 0.0
		for _, u := range units {
			g, _ := math.Lgamma(a + u.seen)
			sum += g - base - a*math.Log1p(u.expected/a)
			if u.seen > 0 {
				sum -= u.seen * math.Log(a+u.expected)
			}
		}
		return sum
	}
	// α is believed to lie between very unlike and practically alike.
	return math.Exp(maximise(loglik, math.Log(0.05), math.Log(1000)))
}

// maximise finds the maximum of f over [lo, hi]: a grid, then golden section
// around its best point.
func maximise(f func(float64) float64, lo, hi float64) float64 {
	const points = 24
	best, at := math.Inf(-1), 0
	for i := range points + 1 {
		if v := f(lo + (hi-lo)*float64(i)/points); v > best {
			best, at = v, i
		}
	}
	step := (hi - lo) / points
	a, b := lo+step*float64(max(0, at-1)), lo+step*float64(min(points, at+1))
	const golden = 0.6180339887498949
	c, d := b-golden*(b-a), a+golden*(b-a)
	fc, fd := f(c), f(d)
	for range 30 {
		if fc >= fd {
			b, d, fd = d, c, fc
			c = b - golden*(b-a)
			fc = f(c)
		} else {
			a, c, fc = c, d, fd
			d = a + golden*(b-a)
			fd = f(d)
		}
	}
	return (a + b) / 2
}

// tallies sums events seen and expected over rows by unit and fold; the levels
// of debtors are taken out first. A unit below zero is left out.
func (f *fitter) tallies(later bool, unit func(row int) int, units int) []tally {
	out := make([]tally, units)
	var n, e [Hours]float64
	for r := range f.rows.Len() {
		u := unit(r)
		if u < 0 {
			continue
		}
		f.cells(r, later, &n, &e)
		level := 1.0
		if f.rows.Exposure != nil {
			var seen, expected float64
			for h := range Hours {
				seen += n[h]
				expected += e[h]
			}
			level = (f.m.Level + seen) / (f.m.Level + expected)
		}
		t := &out[u]
		k := r % folds
		for h := range Hours {
			t.seen[k][h] += n[h]
			t.expected[k][h] += level * e[h]
		}
	}
	return out
}

// pooled multiplies curve by how its hours differ from those expected, pooled
// at strength events an hour.
func pooled(curve []float64, n, e *[Hours]float64, strength float64, k kernel) {
	var sn, se [Hours]float64
	k.smooth(&sn, &se, n, e)
	var before, after float64
	for h := range curve {
		r := (strength + sn[h]) / (strength + se[h])
		before += e[h]
		after += e[h] * r
		curve[h] *= r
	}
	if after > 0 {
		scale(curve, before/after)
	}
}

var (
	strengths  = []float64{0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 1024}
	bandwidths = []float64{0, 0.5, 1, 1.5, 2, 3, 4, 6}
	dailies    = []float64{0, 0.25, 0.5, 0.75, 0.9, 1}
	// Of debtors' own hours: nobody is taken to be so like the others that
	// thirty openings at an unusual hour count for nothing.
	ownStrengths = strengths[:7]
	tilts        = []float64{0.5, 1}
)

// pool fits the curves of units in place, with the one strength and smoothing
// that best predict each fold of debtors from the others, and returns that
// score; 0 without events.
func pool(units []tally, curves [][]float64) float64 {
	score, set := bestPool(units, curves)
	if math.IsNaN(score) {
		return 0
	}
	k := set.kernel()
	var n, e [Hours]float64
	for u := range units {
		units[u].total(&n, &e, -1)
		pooled(curves[u], &n, &e, set.strength, k)
	}
	return score
}

// setting is a point of the grid of pooling and smoothing.
type setting struct{ strength, bandwidth, daily float64 }

func (s setting) kernel() kernel { return newKernel(s.bandwidth, s.daily) }

// bestPool searches the grid one axis at a time and returns the best mean
// log-likelihood per event of a fold given the others.
func bestPool(units []tally, curves [][]float64) (float64, setting) {
	set := setting{strength: 16, bandwidth: 1, daily: 0.5}
	score := func(s setting) float64 { return foldScore(units, curves, s) }
	best := score(set)
	for range 2 {
		best = along(strengths, &set.strength, best, func() float64 { return score(set) })
		best = along(bandwidths, &set.bandwidth, best, func() float64 { return score(set) })
		best = along(dailies, &set.daily, best, func() float64 { return score(set) })
	}
	return best, set
}

// along climbs along one axis of the grid from where *x is now, whose score is
// best, while the score rises; it leaves *x at the top and returns its score.
func along(grid []float64, x *float64, best float64, score func() float64) float64 {
	at := 0
	for i, v := range grid {
		if math.Abs(v-*x) < math.Abs(grid[at]-*x) {
			at = i
		}
	}
	for _, step := range []int{1, -1} {
		moved := false
		for next := at + step; next >= 0 && next < len(grid); next += step {
			*x = grid[next]
			s := score()
			if s <= best || math.IsNaN(s) {
				break
			}
			best, at, moved = s, next, true
		}
		if moved {
			break
		}
	}
	*x = grid[at]
	return best
}

// foldScore is the mean log-likelihood per event of the hours of each fold's
// events under curves fitted to the other folds.
func foldScore(units []tally, curves [][]float64, s setting) float64 {
	k := s.kernel()
	var sum, events float64
	var n, e [Hours]float64
	curve := make([]float64, Hours)
	for u := range units {
		for out := range folds {
			units[u].total(&n, &e, out)
			copy(curve, curves[u])
			pooled(curve, &n, &e, s.strength, k)
			seen, exp := &units[u].seen[out], &units[u].expected[out]
			z := 0.0
			for h := range Hours {
				z += exp[h] * curve[h] / curves[u][h]
			}
			if z == 0 {
				continue
			}
			for h := range Hours {
				if seen[h] > 0 && exp[h] > 0 {
					sum += seen[h] * math.Log(exp[h]*curve[h]/curves[u][h]/z)
					events += seen[h]
				}
			}
		}
	}
	if events == 0 {
		return math.NaN()
	}
	return sum / events
}

// perRow bounds the hours left out of one row, for time; perRowEvents what they
// weigh together, so that those who look most do not choose for all.
const (
	perRow       = 4
	perRowEvents = 20
)

// draw picks the rows, and the events in them, on which debtors' pooling is
// chosen.
func (f *fitter) draw() []target {
	var rows []int32
	for r := range f.rows.Len() {
		what := f.rows.Counts
		if f.rows.Later != nil {
			what = f.rows.Later
		}
		for _, v := range what[r*Hours : (r+1)*Hours] {
			if v > 0 {
				rows = append(rows, int32(r))
				break
			}
		}
	}
	f.rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	if f.opt.Sample > 0 && len(rows) > f.opt.Sample {
		rows = rows[:f.opt.Sample]
	}
	var cases []target
	for _, r := range rows {
		if f.rows.Later != nil {
			cases = append(cases, target{row: r, hour: -1, weight: 1})
			continue
		}
		var hours []int16
		sum := 0.0
		for h, v := range f.rows.Counts[int(r)*Hours:][:Hours] {
			if v > 0 {
				hours = append(hours, int16(h))
				sum += float64(v)
			}
		}
		f.rng.Shuffle(len(hours), func(i, j int) { hours[i], hours[j] = hours[j], hours[i] })
		some := hours[:min(len(hours), perRow)]
		picked := 0.0
		for _, h := range some {
			picked += float64(f.rows.Counts[int(r)*Hours+int(h)])
		}
		for _, h := range some {
			v := float64(f.rows.Counts[int(r)*Hours+int(h)])
			cases = append(cases, target{row: r, hour: h, weight: v * min(sum, perRowEvents) / picked})
		}
	}
	return cases
}

// predict stores the log-likelihood of each case in dst (summed over its
// events) and returns their sum and number of events.
func (f *fitter) predict(dst []float64) (sum, events float64) {
	var post [Hours]float64
	var counts, exposure [Hours]float32
	for i, c := range f.cases {
		dst[i] = 0
		o := int(c.row) * Hours
		copy(counts[:], f.rows.Counts[o:o+Hours])
		var e, le *[Hours]float32
		if f.rows.Exposure != nil {
			copy(exposure[:], f.rows.Exposure[o:o+Hours])
			e = &exposure
		}
		if c.hour >= 0 {
			counts[c.hour] -= min(1, counts[c.hour])
			f.m.Posterior(&post, &counts, e, int(f.rows.Profile[c.row]))
			dst[i] = c.weight * LogShare(&post, e, int(c.hour))
			sum, events = sum+dst[i], events+c.weight
			continue
		}
		f.m.Posterior(&post, &counts, e, int(f.rows.Profile[c.row]))
		if e != nil {
			le = (*[Hours]float32)(f.rows.LaterExposure[o:])
		}
		for h, v := range f.rows.Later[o : o+Hours] {
			if v > 0 {
				dst[i] += float64(v) * LogShare(&post, le, h)
				events += float64(v)
			}
		}
		sum += dst[i]
	}
	return sum, events
}

// LogShare is the log of the probability that an event, given that there is
// one, falls in an hour of the week: the share of availability × exposure in
// that hour. nil exposure is the same in every hour. An event where there was
// no exposure is an hour exposed once.
func LogShare(avail *[Hours]float64, exposure *[Hours]float32, hour int) float64 {
	sum, own := 0.0, avail[hour]
	if exposure == nil {
		for _, v := range avail {
			sum += v
		}
		return math.Log(own / sum)
	}
	for h, v := range avail {
		sum += v * float64(exposure[h])
	}
	if exposure[hour] > 0 {
		own *= float64(exposure[hour])
	} else {
		sum += own
	}
	return math.Log(own / sum)
}

// choose sets the pooling and smoothing of debtors' own hours.
func (f *fitter) choose() {
	if len(f.cases) == 0 {
		return
	}
	dst := make([]float64, len(f.cases))
	score := func() float64 {
		sum, events := f.predict(dst)
		return sum / events
	}
	m := f.m
	best := score()
	for range 2 {
		best = along(ownStrengths, &m.Strength, best, score)
		best = along(tilts, &m.Tilt, best, score)
		best = along(bandwidths, &m.Bandwidth, best, score)
		best = along(dailies, &m.Daily, best, score)
	}
	m.Report.Debtor = best
}
