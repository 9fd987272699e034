package survival

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// cumulativeMeans returns the running sums within each stratum of the mean
// covariates of the risk set times the increment of hazard, positions × p,
// each position weighted by f (nil for ones).
func (m *coxModel) cumulativeMeans(f []float64) []float64 {
	p := m.p
	c := make([]float64, len(m.s1))
	for s := range m.label {
		for g := int(m.first[s]) + 1; g < int(m.first[s+1]); g++ {
			for j := range p {
				v := m.a[g] * m.s1[g*p+j]
				if m.d1 != nil {
					v += m.b[g] * m.d1[g*p+j]
				}
				c[g*p+j] = c[(g-1)*p+j] + v*one(f, g)
			}
		}
	}
	return c
}

// eventMean stores in dst the mean covariates of the risk set that the events
// of position g saw, averaged over their turns under Efron.
func (m *coxModel) eventMean(dst []float64, g int) {
	p := m.p
	h, less := m.h[g]/m.dw[g], 0.0
	if m.d1 != nil {
		less = (m.h[g] - m.hd[g]) / m.dw[g]
	}
	for j := range dst {
		dst[j] = h * m.s1[g*p+j]
		if less != 0 {
			dst[j] -= less * m.d1[g*p+j]
		}
	}
}

// scores calls yield with the weight and score residual of every row in use.
func (m *coxModel) scores(yield func(i int, w float64, score []float64)) {
	p := m.p
	cum := m.cumulativeMeans(nil)
	var tail []float64
	if m.sub != nil {
		tail = m.cumulativeMeans(m.sub.g)
	}
	score, mean := make([]float64, p), make([]float64, p)
	last := int32(-1)
	for i := range m.order {
		w, g, lo := m.weight(i), m.hi[i], m.lo[i]
		risk := m.r[i] / w
		if m.event[i] && g != last {
			m.eventMean(mean, int(g))
			last = g
		}
		m.rowScore(score, m.x[i*p:i*p+p], cum, mean, int(lo), int(g), risk, m.event[i])
		if tail != nil && !m.event[i] {
			m.sub.addScore(score, m, i, risk, tail)
		}
		yield(i, w, score)
	}
}

// rowScore stores the score residual of a row of covariates x and relative
// risk risk, at risk at the positions lo+1…g; cum is from cumulativeMeans, and
// mean what the events of g saw.
func (m *coxModel) rowScore(score, x, cum, mean []float64, lo, g int, risk float64, event bool) {
	p := m.p
	h := m.cum[g] - m.cum[lo]
	from, to := cum[lo*p:lo*p+p], cum[g*p:g*p+p]
	if !event {
		for j, v := range x {
			score[j] = risk * (to[j] - from[j] - v*h)
		}
		return
	}
	h -= m.h[g] - m.hd[g]
	for j, v := range x {
		c := to[j] - from[j]
		if m.d1 != nil {
			c += m.b[g]*m.s1[g*p+j] + m.c[g]*m.d1[g*p+j]
		}
		score[j] = v - mean[j] + risk*(c-v*h)
	}
}

// sandwich returns Cov·(Σ over clusters of uuᵀ)·Cov, u being the sum of a
// cluster's weighted score residuals.
//
// See Lin and Wei (1989), doi:10.2307/2290085.
func (c *Cox) sandwich() []float64 {
	m, p := c.model, c.model.p
	var u []float64 // clusters × p
	if m.d.Cluster == nil {
		u = make([]float64, len(m.order)*p)
		m.scores(func(i int, w float64, s []float64) {
			for j, v := range s {
				u[i*p+j] = w * v
			}
		})
	} else {
		index, n := denseLabels(m.d.Cluster)
		u = make([]float64, n*p)
		m.scores(func(i int, w float64, s []float64) {
			k := int(index[m.order[i]])
			to := u[k*p : k*p+p]
			for j, v := range s {
				to[j] += w * v
			}
		})
	}
	ones := make([]float64, len(u)/p)
	for i := range ones {
		ones[i] = 1
	}
	meat, g := make([]float64, p*p), newGram(p)
	g.add(u, ones)
	g.addTo(meat)
	return congruence(c.Cov, meat, p)
}

// denseLabels numbers the labels 0, 1, … in order of appearance.
func denseLabels(label []int) (index []int32, n int) {
	index = make([]int32, len(label))
	lo, hi := slices.Min(label), slices.Max(label)
	if span := hi - lo; span >= 0 && span < 4*len(label)+1024 {
		seen := make([]int32, span+1)
		for i, l := range label {
			k := &seen[l-lo]
			if *k == 0 {
				n++
				*k = int32(n)
			}
			index[i] = *k - 1
		}
		return index, n
	}
	seen := map[int]int32{}
	for i, l := range label {
		k, ok := seen[l]
		if !ok {
			k = int32(len(seen))
			seen[l] = k
		}
		index[i] = k
	}
	return index, len(seen)
}

// congruence returns VMV for a symmetric V and the symmetric M whose upper
// triangle is m, p×p.
func congruence(v, m []float64, p int) []float64 {
	full := slices.Clone(m)
	for i := range p {
		for j := range i {
			full[i*p+j] = full[j*p+i]
		}
	}
	return product(product(v, full, p), v, p)
}

func product(a, b []float64, p int) []float64 {
	out := make([]float64, p*p)
	for i := range p {
		for k := range p {
			v := a[i*p+k]
			for j := range p {
				out[i*p+j] += v * b[k*p+j]
			}
		}
	}
	return out
}

// Martingale returns, per row of the data, the events it had less those that
// the model expected of it. Rows of weight zero have zero.
func (c *Cox) Martingale() []float64 {
	m := c.model
	out := make([]float64, m.d.Rows())
	for i, row := range m.order {
		g := m.hi[i]
		h := m.cum[g] - m.cum[m.lo[i]]
		if m.event[i] {
			h -= m.h[g] - m.hd[g]
			out[row] = 1
		}
		if m.sub != nil {
			h += m.sub.after(i, g)
		}
		out[row] -= m.r[i] / m.weight(i) * h
	}
	return out
}

// Deviance returns the martingale residuals, made more symmetric: their
// squares add up to a deviance.
func (c *Cox) Deviance() []float64 {
	out := c.Martingale()
	for i, r := range out {
		v := -r
		if c.model.d.Event[i] == c.model.cause && r < 1 {
			v -= math.Log(1 - r)
		}
		out[i] = math.Copysign(math.Sqrt(2*max(0, v)), r)
	}
	return out
}

// ScoreResiduals returns, per row of the data, its share in the derivative of
// the log-likelihood, rows × p, without weights.
func (c *Cox) ScoreResiduals() []float64 {
	m, p := c.model, c.model.p
	out := make([]float64, m.d.Rows()*p)
	m.scores(func(i int, _ float64, s []float64) { copy(out[int(m.order[i])*p:], s) })
	return out
}

// DFBeta returns, per row of the data, about how much each coefficient would
// fall without it, rows × p.
func (c *Cox) DFBeta() []float64 {
	out, p := c.ScoreResiduals(), len(c.Coef)
	row := make([]float64, p)
	for i := 0; i < len(out); i += p {
		copy(row, out[i:i+p])
		for j := range p {
			s := 0.0
			for k, v := range row {
				s += v * c.Cov[k*p+j]
			}
			out[i+j] = s * c.model.d.weight(i/p)
		}
	}
	return out
}

// Schoenfeld returns, per event in order of stratum and time, its covariates
// less the mean of its risk set, events × p, and the events' rows.
func (c *Cox) Schoenfeld() (residual []float64, rows []int) {
	m, p := c.model, c.model.p
	mean := make([]float64, p)
	for i, row := range m.order {
		if !m.event[i] {
			continue
		}
		m.eventMean(mean, int(m.hi[i]))
		for j, v := range m.x[i*p : i*p+p] {
			residual = append(residual, v-mean[j])
		}
		rows = append(rows, int(row))
	}
	return residual, rows
}

// Transform is the scale of time on which coefficients are tested for drift.
type Transform int

// The scales of time.
const (
	KMTime       Transform = iota // one less the Kaplan-Meier curve just before
	IdentityTime                  // time as it is
	RankTime                      // rank among all times
	LogTime                       // natural logarithm; times must be positive
)

// Proportionality is the test of proportional hazards of each column, and of
// all together.
type Proportionality struct {
	Column []Test
	Global Test
}

// Proportional tests whether coefficients drift with time: the score test of
// coefficients β + θ·g(t) at θ = 0.
//
// See Grambsch and Therneau (1994), doi:10.1093/biomet/81.3.515; as in R's
// survival 3, with the full information instead of its average.
func (c *Cox) Proportional(tr Transform) (*Proportionality, error) {
	m, p := c.model, c.model.p
	if m.d.Rows() == 0 {
		return nil, ErrNeedsRows
	}
	if m.sub != nil {
		return nil, errors.New("proportionality of subdistribution hazards is not tested")
	}
	if m.exact != nil {
		return nil, errors.New("proportionality under exact ties is not defined")
	}
	g, err := m.timeScale(tr)
	if err != nil {
		return nil, err
	}
	u := make([]float64, p)
	i00, i01, i11 := make([]float64, p*p), make([]float64, p*p), make([]float64, p*p)
	none := make([]float64, p)
	squares := make([]float64, len(g))
	for k, v := range g {
		squares[k] = v * v
	}
	m.scaled(g, u, i01)
	m.scaled(squares, none, i11)
	m.hazards()
	m.derivatives(none, i00)
	test := func(cols []int) Test {
		q := p + len(cols)
		a, b := make([]float64, q*q), make([]float64, q)
		for i := range p {
			for j := i; j < p; j++ {
				a[i*q+j] = i00[i*p+j]
			}
			for k, j := range cols {
				a[i*q+p+k] = i01[min(i, j)*p+max(i, j)]
			}
		}
		for k, i := range cols {
			b[p+k] = u[i]
			for l := k; l < len(cols); l++ {
				a[(p+k)*q+p+l] = i11[i*p+cols[l]]
			}
		}
		var f chol
		if f.factor(a, q) >= 0 {
			return Test{Stat: math.NaN(), DF: len(cols), P: math.NaN()}
		}
		s := slices.Clone(b)
		f.solve(s)
		stat := 0.0
		for i, v := range b {
			stat += v * s[i]
		}
		return chiSquare(stat, len(cols))
	}
	out := &Proportionality{}
	all := make([]int, p)
	for j := range p {
		all[j] = j
		out.Column = append(out.Column, test([]int{j}))
	}
	out.Global = test(all)
	return out, nil
}

// scaled stores gradient and information with every position weighted by f.
// hazards restores what it changed.
func (m *coxModel) scaled(f, grad, info []float64) {
	m.hazards()
	for g, v := range f {
		m.h[g] *= v
		m.hd[g] *= v
		m.a[g] *= v
		m.b[g] *= v
		m.c[g] *= v
	}
	for s := range m.label {
		sum := 0.0
		for g := m.first[s]; g < m.first[s+1]; g++ {
			sum += m.h[g]
			m.cum[g] = sum
		}
	}
	m.factor = f
	m.derivatives(grad, info)
	m.factor = nil
}

// timeScale returns g(t) per position, centred over the events.
func (m *coxModel) timeScale(tr Transform) ([]float64, error) {
	g := make([]float64, len(m.time))
	at := func(float64) float64 { return 0 }
	switch tr {
	case IdentityTime:
		at = func(t float64) float64 { return t }
	case LogTime:
		at = math.Log
	case RankTime:
		sorted := slices.Clone(m.exit)
		slices.Sort(sorted)
		at = func(t float64) float64 {
			lo, _ := slices.BinarySearch(sorted, t)
			hi := lo
			for hi < len(sorted) && sorted[hi] == t {
				hi++
			}
			return float64(lo+hi+1) / 2
		}
	case KMTime:
		all := *m.d
		all.Stratum, all.Weight = nil, nil // R's scale of time has no weights
		event := make([]uint8, len(m.d.Event))
		for i, row := range m.order {
			if m.event[i] {
				event[row] = 1
			}
		}
		all.Event = event
		km, err := KaplanMeier(&all, CurveOptions{})
		if err != nil {
			return nil, err
		}
		curve := km[0]
		at = func(t float64) float64 {
			k, _ := slices.BinarySearch(curve.Time, t)
			if k == 0 {
				return 0
			}
			return 1 - curve.Survival[k-1]
		}
	}
	mean, n := 0.0, 0.0
	for k, d := range m.events {
		if d == 0 {
			continue
		}
		if tr == LogTime && m.time[k] <= 0 {
			return nil, fmt.Errorf("logarithm of time %v: %w", m.time[k], ErrTime)
		}
		g[k] = at(m.time[k])
		mean += g[k] * float64(d)
		n += float64(d)
	}
	for k, d := range m.events {
		if d > 0 {
			g[k] -= mean / n
		}
	}
	return g, nil
}
