package survival

import (
	"fmt"
	"math"
)

// objective is a log-likelihood that Newton's method climbs.
type objective interface {
	// value returns the log-likelihood at beta, or −Inf or NaN where it
	// cannot be computed.
	value(beta []float64) float64
	// derivatives stores gradient and information (minus the Hessian, upper
	// triangle) at the beta that value saw last.
	derivatives(grad, info []float64)
}

// newtonOptions steer maximise. events is the scale of the log-likelihood.
type newtonOptions struct {
	names            []string
	start, ridge, l1 []float64
	maxIter          int
	events           float64
}

// newtonFit is where maximise ended, and the derivatives at its start.
type newtonFit struct {
	beta        []float64
	logLik      float64 // unpenalised
	startLL     float64
	startScore  float64   // gᵀI⁻¹g/1 at the start: the score statistic
	grad, info  []float64 // at beta, unpenalised
	cov         []float64 // inverse of info plus ridge; nil where it has none
	iterations  int
	evaluations int
	converged   bool
	kkt         float64
	penalised   float64 // by Firth: twice what the penalised log-likelihood gained from zero
	stuck       int     // column that lost its information on the way, or −1
	warnings    []string
}

// settled is the root mean square change of the linear predictor at events
// below which a Newton step is the last. It is still taken, which leaves an
// error of about its square; derivatives are those just before it.
const settled = 1e-10

// maximise climbs f by Newton's method from opt.start with step halving. With
// l1 each step minimises the penalised quadratic model.
func maximise(f objective, p int, opt newtonOptions) (*newtonFit, error) {
	r := &newtonFit{
		beta: make([]float64, p), grad: make([]float64, p), info: make([]float64, p*p), stuck: -1,
	}
	if opt.start != nil {
		copy(r.beta, opt.start)
	}
	lasso := false
	for _, v := range opt.l1 {
		lasso = lasso || v > 0
	}
	penalty := func(b []float64) float64 {
		s := 0.0
		for j, v := range b {
			s += at(opt.ridge, j)*v*v/2 + at(opt.l1, j)*math.Abs(v)
		}
		return s
	}
	step, next := make([]float64, p), make([]float64, p)
	a := make([]float64, p*p)
	var c chol
	ll := f.value(r.beta)
	r.evaluations++
	best := ll - penalty(r.beta)
	if math.IsNaN(best) || math.IsInf(best, 0) {
		return nil, fmt.Errorf("log-likelihood at the start is %v: %w", best, ErrNotConverged)
	}
	r.startLL = ll
	for {
		f.derivatives(r.grad, r.info)
		r.logLik = ll
		copy(a, r.info)
		copy(step, r.grad)
		for j := range p {
			a[j*p+j] += at(opt.ridge, j)
			step[j] -= at(opt.ridge, j) * r.beta[j]
		}
		r.kkt = kkt(step, r.beta, opt.l1)
		gain := 0.0
		if lasso {
			copy(next, r.beta)
			quadraticL1(next, r.beta, step, a, opt.l1, p)
			gain = quadraticGain(next, r.beta, step, a, opt.l1, p)
		} else {
			if j := c.factor(a, p); j >= 0 {
				if r.iterations == 0 {
					return nil, collinearError(a, p, j, opt.names)
				}
				r.stuck = j
				return r, nil
			}
			copy(next, step)
			c.solve(next)
			for j := range p {
				gain += step[j] * next[j] / 2
				next[j] += r.beta[j]
			}
			if r.iterations == 0 {
				r.startScore = 2 * gain
			}
		}
		if math.Sqrt(2*math.Max(gain, 0)/max(opt.events, 1)) <= settled {
			r.converged = true
			r.logLik += math.Max(gain, 0) + penalty(next) - penalty(r.beta)
			copy(r.beta, next)
			break
		}
		if r.iterations >= opt.maxIter {
			r.warnings = append(r.warnings, fmt.Sprintf("did not converge in %d iterations", r.iterations))
			break
		}
		r.iterations++
		// Rounding of the log-likelihood must not pass for a fall.
		slack := 1e-12 * (1 + math.Abs(best))
		ok := false
		for range 30 {
			ll = f.value(next)
			r.evaluations++
			if v := ll - penalty(next); v >= best-slack && !math.IsInf(v, 0) {
				best, ok = v, true
				break
			}
			for j := range p {
				next[j] = (next[j] + r.beta[j]) / 2
			}
		}
		if !ok {
			// No step helps: as far as numbers can tell this is the maximum.
			f.value(r.beta)
			r.converged = gain < 1e-6
			if !r.converged {
				r.warnings = append(r.warnings, "no step along Newton's direction raises the likelihood")
			}
			break
		}
		copy(r.beta, next)
	}
	if !lasso {
		r.cov = c.inverse()
	}
	return r, nil
}
