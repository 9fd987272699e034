package survival

import (
	"fmt"
	"math"
	"slices"
)

// Baseline is the cumulative hazard of one stratum at the event times of that
// stratum, for a row whose covariates and offset are all zero.
type Baseline struct {
	Stratum int
	Time    []float64 // ascending
	CumHaz  []float64
}

// Baselines returns the baseline of every stratum that has events, in
// ascending order of the strata's labels: Breslow's estimator for Breslow
// ties, Efron's otherwise.
func (c *Cox) Baselines() []Baseline {
	m := c.model
	unit := m.unit(nil, c.Coef)
	var out []Baseline
	for s, label := range m.label {
		lo, hi := m.first[s]+1, m.first[s+1]
		if lo == hi {
			continue
		}
		b := Baseline{Stratum: label, Time: slices.Clone(m.time[lo:hi]), CumHaz: slices.Clone(m.cum[lo:hi])}
		for k := range b.CumHaz {
			b.CumHaz[k] *= unit
		}
		out = append(out, b)
	}
	return out
}

// unit is the relative risk of covariates x (nil for zeros) on the scale on
// which the model keeps its hazards.
func (m *coxModel) unit(x, coef []float64) float64 {
	eta := -m.shift
	for j, b := range coef {
		eta += b * (at(x, j) - m.mean[j])
	}
	return math.Exp(eta)
}

// CoxCurve is what the model expects of one set of covariates.
type CoxCurve struct {
	Time     []float64
	CumHaz   []float64
	SECumHaz []float64 // standard error of CumHaz, of coefficients and baseline together
	Survival []float64 // exp(−CumHaz)
}

// Interval returns the limits of the survival.
func (c *CoxCurve) Interval(opt CurveOptions) (lower, upper []float64) {
	z := opt.z()
	lower, upper = make([]float64, len(c.Time)), make([]float64, len(c.Time))
	for k, s := range c.Survival {
		lower[k], upper[k] = opt.limits(s, c.SECumHaz[k], z)
	}
	return lower, upper
}

// Curve returns cumulative hazard and survival at the given times for
// covariates x (nil for zeros) in a stratum. Standard errors use the robust
// variance where the fit has one. A stratum without events has no hazard; one
// without rows is an error.
func (c *Cox) Curve(x []float64, stratum int, times []float64) (*CoxCurve, error) {
	m, p := c.model, c.model.p
	s, ok := slices.BinarySearch(m.label, stratum)
	if !ok {
		return nil, fmt.Errorf("stratum %d: %w", stratum, ErrNoRows)
	}
	out := &CoxCurve{
		Time: slices.Clone(times), CumHaz: make([]float64, len(times)),
		SECumHaz: make([]float64, len(times)), Survival: make([]float64, len(times)),
	}
	lo, hi := int(m.first[s]), int(m.first[s+1])
	unit := m.unit(x, c.Coef)
	cov := c.Robust
	if cov == nil {
		cov = c.Cov
	}
	// Sums up to each position: of hazard, of its variance, of mean covariates
	// times hazard.
	variance, mean := make([]float64, hi-lo), make([]float64, (hi-lo)*p)
	for g := lo + 1; g < hi; g++ {
		k := g - lo
		variance[k] = variance[k-1] + m.a[g]
		for j := range p {
			v := m.a[g] * m.s1[g*p+j]
			if m.d1 != nil {
				v += m.b[g] * m.d1[g*p+j]
			}
			mean[k*p+j] = mean[(k-1)*p+j] + v
		}
	}
	d := make([]float64, p)
	for i, t := range times {
		k := upTo(m.time[lo+1:hi], t)
		h := m.cum[lo+k]
		out.CumHaz[i] = unit * h
		out.Survival[i] = math.Exp(-unit * h)
		if cov == nil {
			out.SECumHaz[i] = math.NaN()
			continue
		}
		for j := range d {
			d[j] = mean[k*p+j] - (at(x, j)-m.mean[j])*h
		}
		out.SECumHaz[i] = unit * math.Sqrt(variance[k]+quadraticForm(cov, d, p))
	}
	return out, nil
}

// upTo returns how many of the ascending times are at or before t.
func upTo(times []float64, t float64) int {
	lo, hi := 0, len(times)
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); times[mid] <= t {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// PathTo stores in dst the probability of being without event at each of the
// ascending times, given that there was none at time alive, and returns it.
// The covariates change along the way: row k of path (row-major, one row of
// len(coef) a time) holds from the time before, or from alive, until times[k].
// It does not allocate.
func (b *Baseline) PathTo(dst []float64, coef []float64, alive float64, times, path []float64) []float64 {
	p := len(coef)
	if len(dst) != len(times) || len(path) != len(times)*p {
		panic(fmt.Sprintf("survival: %d values for %d times of %d columns, into %d", len(path), len(times), p, len(dst)))
	}
	k := upTo(b.Time, alive)
	last, sum := 0.0, 0.0
	if k > 0 {
		last = b.CumHaz[k-1]
	}
	clear(dst)
	addDot(dst, path, coef)
	for i, t := range times {
		// Horizons are often close together: walk before searching.
		for step := 0; k < len(b.Time) && b.Time[k] <= t; k++ {
			if step++; step == 16 {
				k += upTo(b.Time[k:], t)
				break
			}
		}
		h := 0.0
		if k > 0 {
			h = b.CumHaz[k-1]
		}
		sum += math.Exp(dst[i]) * (h - last)
		last = h
		dst[i] = math.Exp(-sum)
	}
	return dst
}
