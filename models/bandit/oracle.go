package bandit

import (
	"fmt"
	"math"
)

// oracle is an online regression of rewards on slates: ridge regression by
// recursive least squares, one model per arm, or one for all candidates where
// these have features.
//
// Coefficients shrink towards a flat model: a candidate of which nothing is
// known is expected to earn the mean reward so far. As that mean moves, so does
// the fit, since a ridge fit is linear in its targets: it is kept as
// theta − mean·ones, with ones the fit to a reward of 1 everywhere.
type oracle struct {
	q       int // action features, 0 where arms have models of their own
	models  []*ridge
	open    map[Ticket]*expectation
	next    Ticket
	row     []float64
	monitor monitor

	rounds  float64 // rewards seen
	sum     float64 // Σ reward
	squares float64 // Σ of squared errors, leverage taken out
	regret  float64 // Σ leverage/(1 + leverage): what estimating has cost, in units of σ²
}

// expectation is an open decision.
type expectation struct {
	model    *ridge
	row      []float64
	target   float64
	weight   float64
	leverage float64
}

func newOracle(d, q int) *oracle {
	return &oracle{q: q, open: map[Ticket]*expectation{}, row: make([]float64, width(d, q)), monitor: newMonitor()}
}

// model returns the model of candidate i.
func (o *oracle) model(s Slate, i int) *ridge {
	arm := 0
	if o.q == 0 {
		arm = int(s.Arms[i])
	}
	for arm >= len(o.models) {
		o.models = append(o.models, newRidge(len(o.row)))
	}
	return o.models[arm]
}

// flat returns the mean reward so far.
func (o *oracle) flat() float64 {
	if o.rounds == 0 {
		return 0
	}
	return o.sum / o.rounds
}

// predict stores the expected reward of each candidate in mean and, unless sd
// is nil, the standard deviation of that expectation.
func (o *oracle) predict(mean, sd []float64, s Slate) {
	flat, noise := o.flat(), math.Sqrt(o.variance())
	for i := range mean {
		if i == 0 || o.q > 0 { // arms share the row
			crossed(o.row, s, i, o.q)
		}
		m := o.model(s, i)
		mean[i] = m.predict(o.row, flat)
		if sd != nil {
			sd[i] = float64(noise * math.Sqrt(m.leverage(o.row)))
		}
	}
}

// commit counts a decision with its expected reward.
func (o *oracle) commit(s Slate, i int) Ticket {
	m := o.model(s, i)
	crossed(o.row, s, i, o.q)
	e := &expectation{model: m, row: append([]float64(nil), o.row...), target: m.predict(o.row, o.flat()), weight: 1}
	e.leverage = m.learn(e.row, e.target)
	o.regret += e.leverage / (1 + e.leverage)
	o.next++
	o.open[o.next] = e
	return o.next
}

// reward puts the reward in place of what was expected.
func (o *oracle) reward(t Ticket, reward float64) {
	e, ok := o.open[t]
	if !ok {
		panic(fmt.Sprintf("bandit: ticket %d has no decision", t))
	}
	delete(o.open, t)
	now := e.model.predict(e.row, o.flat()) // it may be long since the decision
	e.model.correct(e.row, float64(e.weight*(reward-e.target)))
	o.rounds++
	o.sum += reward
	o.squares += float64((reward-now)*(reward-now)) / (1 + e.leverage)
	if !o.monitor.changed(reward, now) {
		return
	}
	for _, m := range o.models {
		m.forget(forgetFactor)
	}
	for _, e := range o.open {
		e.weight *= forgetFactor
	}
	o.regret *= forgetFactor
	o.sum, o.rounds, o.squares = o.sum*forgetFactor, o.rounds*forgetFactor, o.squares*forgetFactor
}

// variance estimates σ², starting from a quarter of the squared range.
func (o *oracle) variance() float64 {
	span := 1.0
	if o.monitor.high > o.monitor.low {
		span = o.monitor.high - o.monitor.low
	}
	return (o.squares + float64(0.25*float64(span*span))) / (o.rounds + 1)
}

// gamma returns the learning rate of inverse-gap weighting for k candidates,
// √(k·t/Reg) with Reg the squared regret of the estimates so far, in place of
// the horizon and bound that the theory assumes known.
func (o *oracle) gamma(k int) float64 {
	return float64(gammaScale * math.Sqrt(float64(float64(k)*(o.rounds+1))/float64(o.variance()*(o.regret+1))))
}

// ridge is a regression with penalty |θ|² by recursive least squares: with
// A = I + Σ w·xxᵀ it holds A⁻¹, theta = A⁻¹·Σ w·x·r and ones = A⁻¹·Σ w·x.
type ridge struct {
	theta, ones []float64
	inverse     []float64
	step        []float64
	used        []int
}

func newRidge(n int) *ridge {
	r := &ridge{
		theta: make([]float64, n), ones: make([]float64, n), step: make([]float64, n),
		inverse: make([]float64, n*n), used: make([]int, n),
	}
	for i := range n {
		r.inverse[i*n+i] = 1
	}
	return r
}

// predict returns the expected reward of x where flat is that of an x of which
// nothing is known.
func (r *ridge) predict(x []float64, flat float64) float64 {
	theta, ones := r.theta[:len(x)], r.ones[:len(x)]
	reward, known := 0.0, 0.0
	for i, v := range x {
		reward += float64(theta[i] * v)
		known += float64(ones[i] * v)
	}
	return reward + float64(flat*(1-known))
}

// leverage returns xᵀA⁻¹x, touching only nonzero features.
func (r *ridge) leverage(x []float64) float64 {
	n, used := len(x), r.used[:0]
	sum := 0.0
	for i, v := range x {
		if v == 0 {
			continue
		}
		row := r.inverse[i*n : (i+1)*n]
		half := 0.0
		for _, j := range used {
			half += float64(row[j] * x[j])
		}
		sum += float64(v * (half + half + float64(row[i]*v)))
		used = append(used, i)
	}
	return max(sum, 0)
}

// solve stores A⁻¹x in r.step.
func (r *ridge) solve(x []float64) {
	n := len(x)
	clear(r.step)
	for i, v := range x {
		if v != 0 {
			axpy(r.step, v, r.inverse[i*n:(i+1)*n])
		}
	}
}

// learn counts one observation and returns the leverage it had before, by the
// formula of Sherman and Morrison (1950).
func (r *ridge) learn(x []float64, target float64) float64 {
	n := len(x)
	r.solve(x)
	leverage := max(dot(x, r.step), 0)
	scale := 1 / (1 + leverage)
	axpy(r.theta, float64((target-dot(r.theta, x))*scale), r.step)
	axpy(r.ones, float64((1-dot(r.ones, x))*scale), r.step)
	for i, v := range r.step {
		if v != 0 {
			axpy(r.inverse[i*n:(i+1)*n], -float64(v*scale), r.step)
		}
	}
	return leverage
}

// correct adds delta to the target of an observation x that was counted.
func (r *ridge) correct(x []float64, delta float64) {
	r.solve(x)
	axpy(r.theta, delta, r.step)
}

// forget multiplies the weight of all observations by factor; the penalty
// stays.
func (r *ridge) forget(factor float64) {
	n := len(r.theta)
	a := make([]float64, n*n)
	l := append([]float64(nil), r.inverse...)
	if !cholesky(l, n) {
		*r = *newRidge(n) // rounding has eaten the model: start again
		return
	}
	invert(a, l, n)
	right := make([]float64, n)
	shrink := func(fit []float64) {
		for i := range right {
			right[i] = float64(factor * dot(a[i*n:(i+1)*n], fit))
		}
		copy(fit, right)
	}
	shrink(r.theta)
	shrink(r.ones)
	for i := range n {
		for j := range n {
			a[i*n+j] *= factor
		}
		a[i*n+i] += 1 - factor
	}
	if !cholesky(a, n) {
		panic("bandit: a weighted mean of positive definite matrices is not")
	}
	solve(a, n, r.theta)
	solve(a, n, r.ones)
	invert(r.inverse, a, n)
}
