package survival

import (
	"math"
	"slices"
)

// Scale is the scale on which limits of a survival curve are symmetric.
type Scale int

// The scales of limits.
const (
	LogLog Scale = iota // log(−log S): stays within 0 and 1
	Log                 // log S, cut at 1
	Plain               // S, cut at 0 and 1
)

// CurveOptions say how limits are formed. The zero value is 95 % on the
// log-log scale; Level of zero stands for its default.
type CurveOptions struct {
	Level float64 // coverage; 0 is 0.95
	Scale Scale
}

func (o CurveOptions) z() float64 {
	if o.Level == 0 {
		o.Level = 0.95
	}
	return normalQuantile(0.5 + o.Level/2)
}

// Curve is a Kaplan-Meier and a Nelson-Aalen estimate of one stratum, at the
// distinct times at which something happened there, events and censorings.
type Curve struct {
	Stratum  int
	N        int       // rows
	Time     []float64 // ascending
	AtRisk   []float64 // weight at risk just before
	Events   []float64 // weight of the events at that time
	Survival []float64 // Kaplan-Meier
	SE       []float64 // of Survival, by Greenwood; see Robust
	Lower    []float64
	Upper    []float64
	CumHaz   []float64 // Nelson-Aalen
	SECumHaz []float64 // √Σ d/n²
	// Robust says that SE is the infinitesimal jackknife: the weights are not
	// all whole numbers, so they do not count rows.
	Robust bool
}

// logLogLimits returns the limits of a survival s whose logarithm has
// standard error se.
func logLogLimits(s, se, z float64) (lower, upper float64) {
	if !(s > 0 && s < 1) {
		return s, s
	}
	theta := math.Log(-math.Log(s))
	w := z * se / -math.Log(s)
	return math.Exp(-math.Exp(theta + w)), math.Exp(-math.Exp(theta - w))
}

// limits returns the limits of s, whose logarithm has standard error se.
func (o CurveOptions) limits(s, se, z float64) (lower, upper float64) {
	switch o.Scale {
	case Log:
		if s <= 0 {
			return s, s
		}
		return s * math.Exp(-z*se), min(1, s*math.Exp(z*se))
	case Plain:
		return max(0, s-z*se*s), min(1, s+z*se*s)
	default:
		return logLogLimits(s, se, z)
	}
}

// Limits returns the limits of a probability whose standard error is se, such
// as a cumulative incidence.
func (o CurveOptions) Limits(prob, se float64) (lower, upper float64) {
	if prob <= 0 {
		return prob, prob
	}
	return o.limits(prob, se/prob, o.z())
}

// timeGroups walks the rows of a stratum, which are in order of time, and
// calls yield with the rows lo…hi−1 of each distinct time.
func timeGroups(rows []int32, exit []float64, yield func(lo, hi int)) {
	for lo := 0; lo < len(rows); {
		hi := lo + 1
		for hi < len(rows) && exit[rows[hi]] == exit[rows[lo]] {
			hi++
		}
		yield(lo, hi)
		lo = hi
	}
}

// strata checks and sorts d and calls yield with the rows of every stratum in
// order of time, and with their times after ties are made exact.
func (d *Data) strata(yield func(label int, rows []int32, entry, exit []float64)) error {
	if err := d.check(); err != nil {
		return err
	}
	order := argsort(d.Time)
	entry, exit := tieTimes(d.Entry, d.Time, order)
	for i, s := range entry {
		if !(s < exit[i]) {
			return &RowError{Row: i, Value: d.Entry[i], Err: ErrEntry}
		}
	}
	if d.Weight != nil {
		order = slices.DeleteFunc(order, func(i int32) bool { return d.Weight[i] == 0 })
		if len(order) == 0 {
			return ErrNoRows
		}
	}
	bounds, label := []int{0, len(order)}, []int{0}
	if d.Stratum != nil {
		order, bounds, label = byStratum(order, d.Stratum)
	}
	for s, l := range label {
		yield(l, order[bounds[s]:bounds[s+1]], entry, exit)
	}
	return nil
}

// entriesOf returns the rows in order of entry, or nil without entries.
func entriesOf(rows []int32, entry []float64) []int32 {
	if entry == nil {
		return nil
	}
	at := make([]float64, len(rows))
	for k, i := range rows {
		at[k] = entry[i]
	}
	order := argsort(at)
	for k, i := range order {
		order[k] = rows[i]
	}
	return order
}

// KaplanMeier returns one curve per stratum, in ascending order of the
// strata's labels. Any Event other than 0 counts as the event.
//
// See Kaplan and Meier (1958), doi:10.1080/01621459.1958.10501452, Aalen
// (1978), doi:10.1214/aos/1176344247.
func KaplanMeier(d *Data, opt CurveOptions) ([]*Curve, error) {
	z := opt.z()
	robust := slices.ContainsFunc(d.Weight, func(w float64) bool { return w != math.Trunc(w) })
	var out []*Curve
	err := d.strata(func(label int, rows []int32, entry, exit []float64) {
		c := &Curve{Stratum: label, N: len(rows), Robust: robust}
		byEntry := entriesOf(rows, entry)
		// Weight at risk, from the end, so that little is lost to rounding.
		var first []int
		timeGroups(rows, exit, func(lo, _ int) { first = append(first, lo) })
		risk := make([]float64, len(first))
		sum, e := 0.0, len(byEntry)
		for k := len(first) - 1; k >= 0; k-- {
			hi := len(rows)
			if k+1 < len(first) {
				hi = first[k+1]
			}
			t := exit[rows[first[k]]]
			for e > 0 && entry[byEntry[e-1]] >= t {
				e--
				sum -= d.weight(int(byEntry[e]))
			}
			for _, i := range rows[first[k]:hi] {
				sum += d.weight(int(i))
			}
			risk[k] = sum
		}
		s, green, h, vh := 1.0, 0.0, 0.0, 0.0
		k := 0
		timeGroups(rows, exit, func(lo, hi int) {
			n, dead := risk[k], 0.0
			k++
			for _, i := range rows[lo:hi] {
				if d.Event[i] != 0 {
					dead += d.weight(int(i))
				}
			}
			if dead > 0 {
				h += dead / n
				vh += dead / (n * n)
				left := n - dead
				if left <= 1e-12*n {
					s = 0
				} else {
					s *= left / n
					green += dead / (n * left)
				}
			}
			c.Time = append(c.Time, exit[rows[lo]])
			c.AtRisk = append(c.AtRisk, n)
			c.Events = append(c.Events, dead)
			c.Survival = append(c.Survival, s)
			c.SE = append(c.SE, s*math.Sqrt(green))
			c.CumHaz = append(c.CumHaz, h)
			c.SECumHaz = append(c.SECumHaz, math.Sqrt(vh))
		})
		if robust {
			in := newInfluence(c.Time, c.AtRisk, c.Events, c.Survival)
			for k, v := range in.variance(d, rows, entry, exit, nil) {
				c.SE[k] = math.Sqrt(v)
			}
		}
		for k, s := range c.Survival {
			se := 0.0
			if s > 0 {
				se = c.SE[k] / s
			}
			lo, hi := opt.limits(s, se, z)
			c.Lower = append(c.Lower, lo)
			c.Upper = append(c.Upper, hi)
		}
		out = append(out, c)
	})
	return out, err
}

// AtRiskAt returns the weight at risk just before the first time of the curve
// that is not before t: without entry times, just before t itself.
func (c *Curve) AtRiskAt(t float64) float64 {
	k, _ := slices.BinarySearch(c.Time, t)
	if k == len(c.Time) {
		return 0
	}
	return c.AtRisk[k]
}

// Point is a curve at one time.
type Point struct {
	Time, AtRisk, Survival, SE, Lower, Upper, CumHaz, SECumHaz float64
}

// At returns the curve at time t: what the last step at or before t left.
func (c *Curve) At(t float64) Point {
	p := Point{Time: t, AtRisk: c.AtRiskAt(t), Survival: 1, Lower: 1, Upper: 1}
	if k := upTo(c.Time, t); k > 0 {
		k--
		p.Survival, p.SE, p.Lower, p.Upper = c.Survival[k], c.SE[k], c.Lower[k], c.Upper[k]
		p.CumHaz, p.SECumHaz = c.CumHaz[k], c.SECumHaz[k]
	}
	return p
}

// Median returns the time at which the curve falls to one half, or NaN, and
// where its limits do. A curve that rests at one half gives the middle of that
// rest.
func (c *Curve) Median() (median, lower, upper float64) {
	return crossing(c.Time, c.Survival, 0.5), crossing(c.Time, c.Lower, 0.5), crossing(c.Time, c.Upper, 0.5)
}

// crossing returns where the falling curve s comes to level.
func crossing(time, s []float64, level float64) float64 {
	const slack = sameTime
	for k, v := range s {
		if !(v < level+slack) {
			continue
		}
		if math.Abs(v-level) < slack {
			for l := k + 1; l < len(s); l++ {
				if s[l] < v {
					return (time[k] + time[l]) / 2
				}
			}
		}
		return time[k]
	}
	return math.NaN()
}

// RMST returns the mean of time without event up to tau, the area under the
// curve, and its standard error.
func (c *Curve) RMST(tau float64) (mean, se float64) {
	n := upTo(c.Time, tau)
	area := make([]float64, n+1) // from each step to tau
	right, sum := tau, 0.0
	for k := n - 1; k >= 0; k-- {
		sum += c.Survival[k] * (right - c.Time[k])
		area[k] = sum
		right = c.Time[k]
	}
	mean = sum + right
	v := 0.0
	for k := range n {
		if left := c.AtRisk[k] - c.Events[k]; c.Events[k] > 0 && left > 0 {
			v += area[k] * area[k] * c.Events[k] / (c.AtRisk[k] * left)
		}
	}
	return mean, math.Sqrt(v)
}

// RMSTDifference returns how much longer a stays without event than b up to
// tau, its standard error and the two-sided p-value of no difference.
func RMSTDifference(a, b *Curve, tau float64) (diff, se, p float64) {
	ma, sa := a.RMST(tau)
	mb, sb := b.RMST(tau)
	se = math.Hypot(sa, sb)
	return ma - mb, se, NormalP((ma - mb) / se)
}

// Incidence is an Aalen-Johansen estimate of one stratum: the probabilities
// of being without event and of having had each cause first. They add up to
// one.
type Incidence struct {
	Stratum  int
	N        int
	Time     []float64
	AtRisk   []float64
	Survival []float64 // without any event
	SE       []float64 // of Survival, by the infinitesimal jackknife
	Cause    []uint8   // codes, ascending
	CIF      [][]float64
	SECIF    [][]float64

	curve *Curve
}

// AalenJohansen returns the cumulative incidence of every cause per stratum,
// in ascending order of the strata's labels. Causes at the same time share
// the risk set, so that ties are exact.
//
// See Aalen and Johansen (1978), Scandinavian Journal of Statistics 5.
func AalenJohansen(d *Data) ([]*Incidence, error) {
	var seen [256]bool
	for _, e := range d.Event {
		seen[e] = true
	}
	var causes []uint8
	for c := 1; c < 256; c++ {
		if seen[c] {
			causes = append(causes, uint8(c))
		}
	}
	km, err := KaplanMeier(d, CurveOptions{})
	if err != nil {
		return nil, err
	}
	var out []*Incidence
	err = d.strata(func(label int, rows []int32, entry, exit []float64) {
		c := km[len(out)]
		in := &Incidence{Stratum: label, N: c.N, Time: c.Time, AtRisk: c.AtRisk, Survival: c.Survival, Cause: causes, curve: c}
		f := newInfluence(c.Time, c.AtRisk, c.Events, c.Survival)
		in.SE = f.variance(d, rows, entry, exit, nil)
		for _, cause := range causes {
			dead := make([]float64, len(c.Time))
			k := 0
			timeGroups(rows, exit, func(lo, hi int) {
				for _, i := range rows[lo:hi] {
					if d.Event[i] == cause {
						dead[k] += d.weight(int(i))
					}
				}
				k++
			})
			cif, s, sum := make([]float64, len(dead)), 1.0, 0.0
			for k, n := range c.AtRisk {
				sum += s * dead[k] / n
				cif[k] = sum
				s = c.Survival[k]
			}
			in.CIF = append(in.CIF, cif)
			f.ofCause(cause, dead, cif)
			in.SECIF = append(in.SECIF, f.variance(d, rows, entry, exit, cif))
		}
		for _, v := range append([][]float64{in.SE}, in.SECIF...) {
			for k := range v {
				v[k] = math.Sqrt(v[k])
			}
		}
		out = append(out, in)
	})
	return out, err
}

// IncidencePoint is an Aalen-Johansen estimate at one time.
type IncidencePoint struct {
	Time, AtRisk, Survival, SE float64
	CIF, SECIF                 []float64
}

// At returns the estimate at time t.
func (in *Incidence) At(t float64) IncidencePoint {
	p := IncidencePoint{
		Time: t, AtRisk: in.curve.AtRiskAt(t), Survival: 1,
		CIF: make([]float64, len(in.Cause)), SECIF: make([]float64, len(in.Cause)),
	}
	if k := upTo(in.Time, t); k > 0 {
		p.Survival, p.SE = in.Survival[k-1], in.SE[k-1]
		for c := range in.Cause {
			p.CIF[c], p.SECIF[c] = in.CIF[c][k-1], in.SECIF[c][k-1]
		}
	}
	return p
}

// influence is the infinitesimal jackknife of a curve: the sum over rows of
// the square of the derivative of the curve in the row's weight.
//
// While a row is at risk its derivative is the same function of time for all
// rows, and afterwards a fixed multiple of how far the curve still moves. So
// the squares of all rows at all times come from a few running sums.
type influence struct {
	time, risk, surv []float64
	left             []float64 // weight that survives each time
	a                []float64 // Σ h/(n−d): minus the derivative of log S while at risk
	cause            uint8     // 0 for survival itself
	g                []float64 // derivative of the incidence while at risk since the beginning
	f                []float64 // the incidence
	before           []float64 // survival just before each time
}

func newInfluence(time, risk, events, surv []float64) *influence {
	in := &influence{time: time, risk: risk, surv: surv}
	sum, s := 0.0, 1.0
	for k, n := range risk {
		left := n - events[k]
		if left <= 1e-12*n {
			left = 0
		}
		if left > 0 {
			sum += events[k] / (n * left)
		}
		in.left = append(in.left, left)
		in.a = append(in.a, sum)
		in.before = append(in.before, s)
		s = surv[k]
	}
	return in
}

// ofCause prepares for the incidence of one cause.
func (in *influence) ofCause(cause uint8, dead, cif []float64) {
	in.cause, in.f = cause, cif
	in.g = make([]float64, len(dead))
	sum, a := 0.0, 0.0
	for k, n := range in.risk {
		h := dead[k] / n
		sum += in.before[k] * h * (a - 1/n)
		in.g[k] = sum
		a = in.a[k]
	}
}

// variance returns the variance at each time: of the survival where cif is
// nil, else of the incidence of the cause prepared last.
func (in *influence) variance(d *Data, rows []int32, entry, exit []float64, cif []float64) []float64 {
	out := make([]float64, len(in.time))
	byEntry := entriesOf(rows, entry)
	// At risk: (base(t) − aₛ·move(t) − kₛ)², with base and move functions of
	// time. Gone: (e + c·move(t))².
	var n0, na, naa, nk, nkk, nak float64
	var gee, gec, gcc float64
	e, k := 0, 0
	at := func(v []float64, k int) float64 {
		if k == 0 {
			return 0
		}
		return v[k-1]
	}
	// For the survival, log S is linearised: base = a(t), move = 1.
	origin := func(i int32) (as, ks float64) {
		if entry == nil {
			return 0, 0
		}
		m := upTo(in.time, entry[i])
		if cif == nil {
			return 0, at(in.a, m)
		}
		as = at(in.a, m)
		return as, at(in.g, m) - as*at(in.f, m)
	}
	join := func(i int32, sign float64) {
		w := d.weight(int(i))
		w *= w * sign
		as, ks := origin(i)
		n0 += w
		na += w * as
		naa += w * as * as
		nk += w * ks
		nkk += w * ks * ks
		nak += w * as * ks
	}
	if entry == nil {
		for _, i := range rows {
			join(i, 1)
		}
	}
	timeGroups(rows, exit, func(lo, hi int) {
		t := in.time[k]
		for e < len(byEntry) && entry[byEntry[e]] < t {
			join(byEntry[e], 1)
			e++
		}
		for _, i := range rows[lo:hi] {
			join(i, -1)
			w := d.weight(int(i))
			w *= w
			as, ks := origin(i)
			dead := 0.0
			if d.Event[i] != 0 && in.left[k] > 0 {
				dead = 1 / in.left[k]
			}
			if cif == nil {
				v := in.a[k] - ks - dead
				gee += w * v * v
				continue
			}
			c := in.a[k] - as - dead
			v := in.g[k] - as*in.f[k] - ks
			if d.Event[i] == in.cause {
				v += in.before[k] / in.risk[k]
			}
			v -= c * in.f[k]
			gee += w * v * v
			gec += w * v * c
			gcc += w * c * c
		}
		if cif == nil {
			s := in.surv[k]
			base := in.a[k]
			out[k] = s * s * max(0, base*base*n0-2*base*nk+nkk+gee)
		} else {
			base, move := in.g[k], in.f[k]
			risk := base*base*n0 - 2*base*(move*na+nk) + move*move*naa + 2*move*nak + nkk
			out[k] = max(0, risk+gee+2*move*gec+move*move*gcc)
		}
		k++
	})
	return out
}

// LogRankTest compares the hazards of groups.
type LogRankTest struct {
	Group    []int // labels, ascending
	Observed []float64
	Expected []float64
	Test     Test
}

// LogRank tests whether groups share one hazard, within strata of d where it
// has any. rho is the power of the pooled survival by which times are
// weighted: 0 is the log-rank test, 1 Peto and Peto's.
//
// See Harrington and Fleming (1982), doi:10.1093/biomet/69.3.553.
func LogRank(d *Data, group []int, rho float64) (*LogRankTest, error) {
	if len(group) != len(d.Time) {
		panic("survival: groups and times differ in length")
	}
	label := slices.Clone(group)
	slices.Sort(label)
	label = slices.Compact(label)
	q := len(label)
	of := func(i int32) int { k, _ := slices.BinarySearch(label, group[i]); return k }
	out := &LogRankTest{Group: label, Observed: make([]float64, q), Expected: make([]float64, q)}
	v := make([]float64, q*q)
	events := 0.0
	err := d.strata(func(_ int, rows []int32, entry, exit []float64) {
		byEntry := entriesOf(rows, entry)
		risk := make([]float64, q)
		if entry == nil {
			for _, i := range rows {
				risk[of(i)] += d.weight(int(i))
			}
		}
		s, e := 1.0, 0
		dead := make([]float64, q)
		timeGroups(rows, exit, func(lo, hi int) {
			for t := exit[rows[lo]]; e < len(byEntry) && entry[byEntry[e]] < t; e++ {
				risk[of(byEntry[e])] += d.weight(int(byEntry[e]))
			}
			clear(dead)
			n, all := 0.0, 0.0
			for _, i := range rows[lo:hi] {
				if d.Event[i] != 0 {
					dead[of(i)] += d.weight(int(i))
					all += d.weight(int(i))
				}
			}
			for _, r := range risk {
				n += r
			}
			if all > 0 {
				w := math.Pow(s, rho)
				for k, r := range risk {
					out.Observed[k] += w * dead[k]
					out.Expected[k] += w * all * r / n
					if n <= 1 {
						continue
					}
					c := w * w * all * (n - all) / (n - 1) * r / n
					v[k*q+k] += c
					for l, rl := range risk {
						v[k*q+l] -= c * rl / n
					}
				}
				events += all
				s *= (n - all) / n
			}
			for _, i := range rows[lo:hi] {
				risk[of(i)] -= d.weight(int(i))
			}
		})
	})
	switch {
	case err != nil:
		return nil, err
	case events == 0:
		return nil, ErrNoEvents
	}
	// Groups never at risk at an event play no part; one of the rest is
	// redundant.
	var use []int
	for k := range label {
		if out.Expected[k] > 0 {
			use = append(use, k)
		}
	}
	df := len(use) - 1
	if df < 1 {
		out.Test = Test{Stat: 0, DF: 0, P: math.NaN()}
		return out, nil
	}
	a, b := make([]float64, df*df), make([]float64, df)
	for i, k := range use[:df] {
		b[i] = out.Observed[k] - out.Expected[k]
		for j, l := range use[:df] {
			a[i*df+j] = v[k*q+l]
		}
	}
	var c chol
	if c.factor(a, df) >= 0 {
		out.Test = Test{Stat: math.NaN(), DF: df, P: math.NaN()}
		return out, nil
	}
	x := slices.Clone(b)
	c.solve(x)
	stat := 0.0
	for i := range b {
		stat += b[i] * x[i]
	}
	out.Test = chiSquare(stat, df)
	return out, nil
}
