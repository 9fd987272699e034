package survival

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// OnSeparation says what follows when a column separates events from the rest,
// so that its coefficient has no finite maximum.
type OnSeparation int

// What follows separation.
const (
	// ReportSeparation returns the fit as it is, not converged, with a warning
	// that names the columns.
	ReportSeparation OnSeparation = iota
	// RidgeOnSeparation fits again with a ridge.
	RidgeOnSeparation
	// FirthOnSeparation fits again with Firth's penalty.
	FirthOnSeparation
)

// firth maximises the log-likelihood plus half the logarithm of the
// information's determinant: Jeffreys' prior, under which no coefficient runs
// away. Newton's steps take the second derivatives from differences of the
// first.
//
// See Heinze and Schemper (2001), doi:10.1111/j.0006-341X.2001.00114.x.
func (m *coxModel) firth(opt newtonOptions) (*newtonFit, error) {
	if m.exact != nil || m.sub != nil {
		return nil, errors.New("the penalty of Firth is for Cox models with the ties of Efron or Breslow")
	}
	p := m.p
	f := &newtonFit{beta: make([]float64, p), grad: make([]float64, p), info: make([]float64, p*p), stuck: -1}
	var c chol
	// move goes to beta and returns the penalised log-likelihood.
	move := func(beta []float64) float64 {
		f.logLik = m.value(beta)
		m.derivatives(f.grad, f.info)
		if c.factor(f.info, p) >= 0 {
			return math.Inf(-1)
		}
		return f.logLik + c.logDet()/2
	}
	best := move(f.beta)
	f.startLL = f.logLik
	if math.IsInf(best, -1) {
		return nil, collinearError(f.info, p, c.factor(f.info, p), opt.names)
	}
	start := best
	slope, step, next := make([]float64, p), make([]float64, p), make([]float64, p)
	hessian, there := make([]float64, p*p), make([]float64, p)
	for {
		m.addFirth(slope, f.grad, c.inverse())
		// Minus the second derivatives; the information where they are no use,
		// far from the maximum.
		for j := range p {
			const h = 1e-5 // of the column's range: half the digits of the first
			copy(next, f.beta)
			next[j] += h / m.span[j]
			move(next)
			m.addFirth(there, f.grad, c.inverse())
			for k, v := range there {
				hessian[min(j, k)*p+max(j, k)] += (slope[k] - v) * m.span[j] / h / 2
				if j == k {
					hessian[j*p+j] *= 2
				}
			}
		}
		move(f.beta)
		copy(step, slope)
		var s chol
		if s.factor(hessian, p) >= 0 {
			s = c
		}
		s.solve(step)
		clear(hessian)
		gain := 0.0
		for j, v := range step {
			gain += v * slope[j] / 2
		}
		if f.iterations == 0 {
			f.startScore = 2 * gain
		}
		if math.Sqrt(2*max(gain, 0)/max(opt.events, 1)) <= settled {
			f.converged = true
			break
		}
		if f.iterations >= opt.maxIter {
			f.warnings = append(f.warnings, fmt.Sprintf("did not converge in %d iterations", f.iterations))
			break
		}
		f.iterations++
		value := math.Inf(-1)
		for range 30 {
			for j, v := range step {
				next[j] = f.beta[j] + v
				step[j] = v / 2
			}
			if value = move(next); value >= best-1e-12*(1+math.Abs(best)) {
				break
			}
		}
		copy(f.beta, next)
		best = value
	}
	f.kkt = kkt(slope, f.beta, nil)
	f.cov = c.inverse()
	f.penalised = 2 * (best - start)
	return f, nil
}

// logDet returns the logarithm of the determinant of what was factored.
func (c *chol) logDet() float64 {
	s := 0.0
	for j := range c.p {
		s += 2 * (math.Log(c.l[j*c.p+j]) - math.Log(c.scale[j]))
	}
	return s
}

// thirds are sums over rows at risk, and over events among them, of which the
// third moments along a matrix are made: of r, rx, rxxᵀ, and with s = xᵀAx of
// rs and rsx.
type thirds struct {
	s0, t0 float64
	s1, t1 []float64
	s2     []float64 // p×p
}

func newThirds(p int) *thirds {
	return &thirds{s1: make([]float64, p), t1: make([]float64, p), s2: make([]float64, p*p)}
}

func (t *thirds) reset() {
	t.s0, t.t0 = 0, 0
	clear(t.s1)
	clear(t.t1)
	clear(t.s2)
}

// add adds the row x of risk r, or with a negative r takes it out.
func (t *thirds) add(x []float64, r, s float64) {
	t.s0 += r
	t.t0 += r * s
	for j, v := range x {
		v *= r
		t.s1[j] += v
		t.t1[j] += v * s
		to := t.s2[j*len(x) : (j+1)*len(x)]
		for k, u := range x {
			to[k] += v * u
		}
	}
}

// addFirth stores in dst the gradient grad of the log-likelihood plus that of
// half the logarithm of the information's determinant, ½·tr(A·∂I/∂βⱼ) with the
// p×p inverse A of the information: per event the covariance, within its risk
// set, of xⱼ with (x−m)ᵀA(x−m).
func (m *coxModel) addFirth(dst, grad, a []float64) {
	p := m.p
	copy(dst, grad)
	form := func(x []float64) float64 {
		s := 0.0
		for j, v := range x {
			for k, u := range x {
				s += v * u * a[j*p+k]
			}
		}
		return s
	}
	all, dead := newThirds(p), newThirds(p)
	mean, am := make([]float64, p), make([]float64, p)
	row, late := len(m.order)-1, len(m.byLo)-1
	for s := range slices.Backward(m.label) {
		all.reset()
		for g := m.first[s+1] - 1; g >= m.first[s]; g-- {
			dead.reset()
			for ; row >= 0 && m.hi[row] == g; row-- {
				x := m.x[row*p : row*p+p]
				q := form(x)
				all.add(x, m.r[row], q)
				if m.event[row] {
					dead.add(x, m.r[row], q)
				}
			}
			for ; late >= 0 && m.lo[m.byLo[late]] == g; late-- {
				i := int(m.byLo[late])
				x := m.x[i*p : i*p+p]
				all.add(x, -m.r[i], form(x))
			}
			turns, weight := int(m.events[g]), m.dw[g]/float64(max(m.events[g], 1))
			if m.ties == Breslow {
				turns, weight = min(turns, 1), m.dw[g]
			}
			for k := range turns {
				f := float64(k) / float64(turns)
				u := all.s0 - f*dead.s0
				q := (all.t0 - f*dead.t0) / u
				for j := range mean {
					mean[j] = (all.s1[j] - f*dead.s1[j]) / u
				}
				form := 0.0
				for j := range am {
					am[j] = 0
					for l, v := range mean {
						am[j] += a[j*p+l] * v
					}
					form += am[j] * mean[j]
				}
				for j := range dst {
					v := 0.0
					for l, w := range am {
						v += (all.s2[j*p+l] - f*dead.s2[j*p+l]) * w
					}
					third := (all.t1[j]-f*dead.t1[j])/u - q*mean[j] - 2*(v/u-mean[j]*form)
					dst[j] += weight * third / 2
				}
			}
		}
	}
}
