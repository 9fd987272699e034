package survival

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Dist is the distribution of survival times in a parametric model: T =
// exp(x·β + σ·W), with W standard extreme value, normal or logistic.
type Dist int

// The distributions.
const (
	Weibull Dist = iota
	Exponential
	LogNormal
	LogLogistic
)

func (d Dist) String() string {
	return [...]string{"weibull", "exponential", "lognormal", "loglogistic"}[d]
}

const logSqrt2Pi = 0.91893853320467274178032973640562

// density returns log f(w), its first derivative and minus its second.
func (d Dist) density(w float64) (l, d1, info float64) {
	switch d {
	case LogNormal:
		return -w*w/2 - logSqrt2Pi, -w, 1
	case LogLogistic:
		p := Logit.Prob(w)
		return w - 2*softplus(w), 1 - 2*p, 2 * p * (1 - p)
	default:
		e := math.Exp(w)
		return w - e, 1 - e, e
	}
}

// survivor returns log S(w), its first derivative and minus its second.
func (d Dist) survivor(w float64) (l, d1, info float64) {
	switch d {
	case LogNormal:
		lq := logNormalSurvivor(w)
		mills := math.Exp(-w*w/2 - logSqrt2Pi - lq)
		return lq, -mills, max(0, mills*(mills-w))
	case LogLogistic:
		p := Logit.Prob(w)
		return -softplus(w), -p, p * (1 - p)
	default:
		e := math.Exp(w)
		return -e, -e, e
	}
}

// distribution returns log F(w), its first derivative and minus its second.
func (d Dist) distribution(w float64) (l, d1, info float64) {
	switch d {
	case LogNormal, LogLogistic: // symmetric
		l, d1, info = d.survivor(-w)
		return l, -d1, info
	default:
		return CLogLog.term(w, 1, false)
	}
}

// logNormalSurvivor returns log of the probability beyond w of a standard
// normal.
func logNormalSurvivor(w float64) float64 {
	if w < 30 {
		return math.Log(math.Erfc(w/math.Sqrt2) / 2)
	}
	// Asymptotic series; the next term is below 1e-8 of these.
	q := 1 / (w * w)
	return -w*w/2 - logSqrt2Pi - math.Log(w) + math.Log1p(-q+3*q*q-15*q*q*q)
}

// quantile returns the w with F(w) = p.
func (d Dist) quantile(p float64) float64 {
	switch d {
	case LogNormal:
		return normalQuantile(p)
	case LogLogistic:
		return Logit.Eta(p)
	default:
		return CLogLog.Eta(p)
	}
}

// AFTOptions say how a parametric model is fitted. MaxIter of zero stands for
// its default.
type AFTOptions struct {
	Dist    Dist
	MaxIter int // 0 is 100
}

// AFT is a fitted accelerated failure time model. Coefficients are on the
// logarithm of time: exp(coefficient) stretches it.
type AFT struct {
	Dist       Dist
	Names      []string  // "(Intercept)", the columns, and "Log(scale)" unless exponential
	Coef       []float64 // intercept and columns
	Scale      float64   // σ
	Cov        []float64 // q×q row-major, in the order of Names
	LogLik     float64   // of the times themselves
	LogLikNull float64   // with the intercept (and scale) only
	Rows       int
	Events     int // rows whose event was seen or is known to have come
	Iterations int
	Converged  bool
	Warnings   []string
}

// SE returns the standard errors in the order of Names.
func (a *AFT) SE() []float64 { return roots(a.Cov, len(a.Names)) }

// linear returns x·β with the intercept.
func (a *AFT) linear(x []float64) float64 {
	s := a.Coef[0]
	for j, v := range x {
		s += v * a.Coef[j+1]
	}
	return s
}

// Quantile returns the time by which a row of covariates x has its event with
// probability p.
func (a *AFT) Quantile(x []float64, p float64) float64 {
	return math.Exp(a.linear(x) + a.Scale*a.Dist.quantile(p))
}

// Survival returns the probability that a row of covariates x is without
// event at time t.
func (a *AFT) Survival(x []float64, t float64) float64 {
	if t <= 0 {
		return 1
	}
	l, _, _ := a.Dist.survivor((math.Log(t) - a.linear(x)) / a.Scale)
	return math.Exp(l)
}

// Kinds of rows in an aftModel.
const (
	seen     = iota // event at the time
	later           // event after it
	earlier         // event before it
	interval        // event between two times
)

// aftModel is the log-likelihood in γ = β/σ and κ = 1/σ, in which it is
// concave: w = κ·log t − x·γ is linear in both, so with the row u = (−x, log t)
// it is that of a generalised linear model.
//
// See Burridge (1981), doi:10.1111/j.2517-6161.1981.tb01152.x.
type aftModel struct {
	dist  Dist
	q     int       // parameters: intercept, columns, κ unless fixed at one
	fixed bool      // κ is one
	u     []float64 // rows × q
	log   []float64 // log t less its mean, where κ is fixed
	upper []float64 // log of the upper end less the mean; NaN unless interval
	kind  []uint8
	w     []float64 // weights; nil for ones
	seen  float64   // weight of the events seen
	z     []float64
	e     []float64 // exp(z), which is all that extreme values need; nil for the rest
	kappa float64
	lane  [lanes]hazardLane
	cut   [lanes + 1]int
}

// FitAFT fits a parametric model by maximum likelihood to right-censored data,
// or to intervals where d.Upper is given. It returns a [ColumnError] or a
// [RowError] for bad values: times must be positive, except the lower end of
// an interval. Clusters are not read; entry times and strata are refused.
//
// See Kalbfleisch and Prentice (2002), doi:10.1002/9781118032985.
func FitAFT(d *Data, opt AFTOptions) (*AFT, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if err := d.checkColumns(); err != nil {
		return nil, err
	}
	if d.Entry != nil {
		return nil, fmt.Errorf("parametric model with entry times: %w", ErrEntry)
	}
	if d.Stratum != nil {
		return nil, errors.New("parametric model with strata: the scale is common to all")
	}
	if opt.Dist != Exponential && d.Upper == nil && d.Offset == nil && isConstant(slices.Min(d.Time), slices.Max(d.Time)) {
		return nil, &ColumnError{Columns: []string{"time"}, Row: -1, Err: ErrConstant} // no spread to learn
	}
	if opt.MaxIter == 0 {
		opt.MaxIter = 100
	}
	a := &AFT{Dist: opt.Dist, Rows: d.Rows()}
	weight := 0.0
	for i := range d.Time {
		kind, err := d.kindOf(i)
		if err != nil {
			return nil, err
		}
		if kind != later {
			a.Events++
			weight += d.weight(i)
		}
	}
	if weight == 0 {
		return nil, ErrNoEvents
	}
	p := len(d.Columns)
	a.Names = append(a.Names, "(Intercept)")
	for j := range p {
		a.Names = append(a.Names, columnName(d.Names, j))
	}
	if opt.Dist != Exponential {
		a.Names = append(a.Names, "Log(scale)")
	}
	m, centre, mean := newAFTModel(d.withoutColumns(), opt.Dist)
	null, err := maximise(m, m.q, newtonOptions{maxIter: opt.MaxIter, events: float64(a.Events), start: m.start(nil), names: []string{"(Intercept)", "Log(scale)"}})
	if err != nil {
		return nil, err
	}
	a.LogLikNull = null.logLik - centre.jacobian
	fit := null
	if p > 0 {
		m, centre, mean = newAFTModel(d, opt.Dist)
		fit, err = maximise(m, m.q, newtonOptions{maxIter: opt.MaxIter, events: float64(a.Events), start: m.start(null.beta), names: a.Names})
		if err != nil {
			return nil, err
		}
	}
	a.LogLik = fit.logLik - centre.jacobian
	a.Iterations, a.Converged, a.Warnings = fit.iterations, fit.converged, fit.warnings
	if err := d.runawayAFT(a.Names, fit); err != nil {
		a.Converged, a.Warnings = false, append(a.Warnings, err.Error())
	}
	m.finish(a, fit, centre.log, mean)
	return a, nil
}

// runawayAFT names what has no finite estimate: the information on it vanished.
// Names are those of the model, of which fit.beta and fit.cov have the order.
func (d *Data) runawayAFT(names []string, fit *newtonFit) error {
	if fit.stuck >= 0 && names[fit.stuck] == "Log(scale)" {
		return ErrNoScale
	}
	var away []string
	for j, c := range d.Columns {
		k := j + 1
		if k == fit.stuck || fit.cov != nil && math.Sqrt(fit.cov[k*len(names)+k])*(slices.Max(c)-slices.Min(c)) > 1e3 {
			away = append(away, names[k])
		}
	}
	if away == nil {
		return nil
	}
	return &ColumnError{Columns: away, Row: -1, Err: ErrSeparated}
}

// withoutColumns returns d without its columns. Rows that then say the same are
// one row, of the weight of all.
func (d *Data) withoutColumns() *Data {
	none := *d
	none.Columns, none.Names = nil, nil
	if d.Upper != nil || d.Offset != nil {
		return &none
	}
	none.Time, none.Event, none.Weight = nil, nil, nil
	order := argsort(d.Time)
	timeGroups(order, d.Time, func(lo, hi int) {
		var weight [2]float64
		for _, i := range order[lo:hi] {
			k := 0
			if d.Event[i] != 0 {
				k = 1
			}
			weight[k] += d.weight(int(i))
		}
		for k, w := range weight {
			if w > 0 {
				none.Time, none.Event, none.Weight = append(none.Time, d.Time[order[lo]]), append(none.Event, uint8(k)), append(none.Weight, w)
			}
		}
	})
	return &none
}

// kindOf says what is known of row i.
func (d *Data) kindOf(i int) (int, error) {
	t := d.Time[i]
	if d.Upper == nil {
		if !(t > 0) {
			return 0, &RowError{Row: i, Value: t, Err: ErrTime}
		}
		if d.Event[i] != 0 {
			return seen, nil
		}
		return later, nil
	}
	u := d.Upper[i]
	switch {
	case !(u >= t) || !(t >= 0) || u == 0:
		return 0, &RowError{Row: i, Value: u, Err: ErrTime}
	case u == t:
		return seen, nil
	case math.IsInf(u, 1):
		if t == 0 {
			return 0, &RowError{Row: i, Value: t, Err: ErrTime}
		}
		return later, nil
	case t == 0:
		return earlier, nil
	}
	return interval, nil
}

// aftCentre is what was subtracted from the logarithms of time, and what the
// density of T has more than that of log T.
type aftCentre struct{ log, jacobian float64 }

func newAFTModel(d *Data, dist Dist) (*aftModel, aftCentre, []float64) {
	n, p := d.Rows(), len(d.Columns)
	m := &aftModel{dist: dist, fixed: dist == Exponential, q: p + 2, w: d.Weight}
	if m.fixed {
		m.q--
	}
	m.u, m.z = make([]float64, n*m.q), make([]float64, n)
	if dist == Weibull || dist == Exponential {
		m.e = make([]float64, n)
	}
	m.log, m.kind = make([]float64, n), make([]uint8, n)
	var c aftCentre
	weight := 0.0
	for i, t := range d.Time {
		kind, _ := d.kindOf(i)
		m.kind[i] = uint8(kind)
		switch kind {
		case earlier:
			t = d.Upper[i]
		case interval:
			if m.upper == nil {
				m.upper = make([]float64, n)
			}
			m.upper[i] = math.Log(d.Upper[i])
		}
		w := d.weight(i)
		m.log[i] = math.Log(t)
		if kind == seen {
			m.seen += w
			c.jacobian += w * m.log[i]
		}
		if d.Offset != nil { // what is known of log t is as if it were zero
			m.log[i] -= d.Offset[i]
			if kind == interval {
				m.upper[i] -= d.Offset[i]
			}
		}
		c.log += w * m.log[i]
		weight += w
	}
	c.log /= weight
	mean := make([]float64, p)
	for j, col := range d.Columns {
		for i, v := range col {
			mean[j] += d.weight(i) * v
		}
		mean[j] /= weight
	}
	for l := range m.cut {
		m.cut[l] = n * l / lanes
	}
	eachLane(func(lane int) {
		for lo := m.cut[lane]; lo < m.cut[lane+1]; lo += blockRows {
			hi := min(lo+blockRows, m.cut[lane+1])
			if p > 0 {
				rowsOf(m.u[lo*m.q+1:], m.q, d.Columns, mean, lo, hi)
			}
			for i := lo; i < hi; i++ {
				row := m.u[i*m.q : i*m.q+m.q]
				row[0] = -1
				for j, v := range row[1 : p+1] {
					row[j+1] = -v
				}
				m.log[i] -= c.log
				if m.upper != nil {
					m.upper[i] -= c.log
				}
				if !m.fixed {
					row[p+1] = m.log[i]
				}
			}
		}
	})
	for l := range m.lane {
		m.lane[l] = hazardLane{
			grad: make([]float64, m.q), info: make([]float64, m.q*m.q), gram: newGram(m.q),
			d: make([]float64, blockRows), w: make([]float64, blockRows),
		}
	}
	return m, c, mean
}

// start returns where Newton begins: the null model's parameters, or a
// spread of one around the mean.
func (m *aftModel) start(null []float64) []float64 {
	b := make([]float64, m.q)
	if null != nil {
		b[0] = null[0]
	}
	if !m.fixed {
		b[m.q-1] = 1
		if null != nil {
			b[m.q-1] = null[1]
		}
	}
	return b
}

func (m *aftModel) weight(i int) float64 {
	if m.w == nil {
		return 1
	}
	return m.w[i]
}

func (m *aftModel) value(phi []float64) float64 {
	m.kappa = 1
	if !m.fixed {
		m.kappa = phi[m.q-1]
	}
	if !(m.kappa > 0) {
		return math.Inf(-1)
	}
	eachLane(func(lane int) {
		lo, hi := m.cut[lane], m.cut[lane+1]
		z := m.z[lo:hi]
		if m.fixed {
			copy(z, m.log[lo:hi])
		} else {
			clear(z)
		}
		addDot(z, m.u[lo*m.q:hi*m.q], phi)
		if m.e != nil {
			expTo(m.e[lo:hi], z)
		}
		ll := 0.0
		for i, w := range z {
			l := 0.0
			switch kind := m.kind[lo+i]; {
			case kind == seen && m.e != nil:
				l = w - m.e[lo+i]
			case kind == later && m.e != nil:
				l = -m.e[lo+i]
			case kind == seen:
				l, _, _ = m.dist.density(w)
			case kind == later:
				l, _, _ = m.dist.survivor(w)
			case kind == earlier:
				l, _, _ = m.dist.distribution(w)
			default:
				l = math.Log(m.dist.between(w, m.second(lo+i)))
			}
			ll += m.weight(lo+i) * l
		}
		m.lane[lane].ll = ll
	})
	ll := m.seen * math.Log(m.kappa)
	for l := range m.lane {
		ll += m.lane[l].ll
	}
	return ll
}

// second returns w at the upper end of interval row i.
func (m *aftModel) second(i int) float64 {
	return m.z[i] + m.kappa*(m.upper[i]-m.log[i])
}

// between returns F(b) − F(a), from the tail in which it does not cancel.
func (d Dist) between(a, b float64) float64 {
	if a > 0 {
		la, _, _ := d.survivor(a)
		lb, _, _ := d.survivor(b)
		return math.Exp(la) * -math.Expm1(lb-la)
	}
	la, _, _ := d.distribution(a)
	lb, _, _ := d.distribution(b)
	return math.Exp(lb) * -math.Expm1(la-lb)
}

func (m *aftModel) derivatives(grad, info []float64) {
	eachLane(func(lane int) {
		s := &m.lane[lane]
		clear(s.grad)
		clear(s.info)
		s.gram.reset()
		end := m.cut[lane+1]
		for lo := m.cut[lane]; lo < end; lo += blockRows {
			hi := min(lo+blockRows, end)
			g, h := s.d[:hi-lo], s.w[:hi-lo]
			for i := lo; i < hi; i++ {
				var d1, d2 float64
				switch kind := m.kind[i]; {
				case kind == seen && m.e != nil:
					d1, d2 = 1-m.e[i], m.e[i]
				case kind == later && m.e != nil:
					d1, d2 = -m.e[i], m.e[i]
				case kind == seen:
					_, d1, d2 = m.dist.density(m.z[i])
				case kind == later:
					_, d1, d2 = m.dist.survivor(m.z[i])
				case kind == earlier:
					_, d1, d2 = m.dist.distribution(m.z[i])
				default:
					d1, d2 = m.addInterval(s, i)
				}
				w := m.weight(i)
				g[i-lo], h[i-lo] = w*d1, w*d2
			}
			addXtV(s.grad, m.u[lo*m.q:hi*m.q], g)
			s.gram.add(m.u[lo*m.q:hi*m.q], h)
		}
	})
	clear(grad)
	clear(info)
	for l := range m.lane {
		for j, v := range m.lane[l].grad {
			grad[j] += v
		}
		for j, v := range m.lane[l].info {
			info[j] += v
		}
		m.lane[l].gram.addTo(info)
	}
	if !m.fixed {
		k := m.q - 1
		grad[k] += m.seen / m.kappa
		info[k*m.q+k] += m.seen / (m.kappa * m.kappa)
	}
}

// addInterval returns what interval row i adds along its row u, taken at the
// lower end, and adds to s what the upper end adds along κ alone: w₂ = w₁ +
// κ·(log t₂ − log t₁).
func (m *aftModel) addInterval(s *hazardLane, i int) (d1, d2 float64) {
	a, b := m.z[i], m.second(i)
	p := m.dist.between(a, b)
	la, da, _ := m.dist.density(a)
	lb, db, _ := m.dist.density(b)
	fa, fb := math.Exp(la)/p, math.Exp(lb)/p
	ga, gb := -fa, fb // derivatives in w₁ and w₂
	haa, hbb, hab := fa*da+fa*fa, fb*fb-fb*db, -fa*fb
	w, gap := m.weight(i), 0.0
	if !m.fixed {
		gap = m.upper[i] - m.log[i]
		k := m.q - 1
		s.grad[k] += w * gb * gap
		// Along u and κ: the cross term, then κ twice.
		u := m.u[i*m.q : i*m.q+m.q]
		for j := range k {
			s.info[j*m.q+k] += w * u[j] * gap * (hab + hbb)
		}
		s.info[k*m.q+k] += w * (2*u[k]*gap*(hab+hbb) + gap*gap*hbb)
	}
	return ga + gb, haa + 2*hab + hbb
}

// finish turns γ and κ into β and σ, with their covariance.
func (m *aftModel) finish(a *AFT, f *newtonFit, logMean float64, mean []float64) {
	q, p := m.q, len(mean)
	kappa := 1.0
	if !m.fixed {
		kappa = f.beta[q-1]
	}
	a.Scale = 1 / kappa
	gamma := slices.Clone(f.beta[:p+1])
	// w = κ(log t − centre) − γ₀ − (x − mean)·γ.
	for j, v := range mean {
		gamma[0] -= v * gamma[j+1]
	}
	a.Coef = make([]float64, p+1)
	for j, v := range gamma {
		a.Coef[j] = v / kappa
	}
	a.Coef[0] += logMean
	if f.cov == nil {
		return
	}
	// Jacobian of (β, log σ) in the parameters.
	jac := make([]float64, q*q)
	for j := range p + 1 {
		jac[j*q+j] = 1 / kappa
		if !m.fixed {
			jac[j*q+q-1] = -gamma[j] / (kappa * kappa)
		}
	}
	for j, v := range mean {
		jac[j+1] = -v / kappa
	}
	if !m.fixed {
		jac[q*q-1] = -1 / kappa
	}
	t := make([]float64, q*q)
	for i := range q {
		for j := range q {
			t[i*q+j] = jac[j*q+i]
		}
	}
	a.Cov = product(product(jac, f.cov, q), t, q)
}
