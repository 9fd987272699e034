package bandit

import (
	"fmt"
	"math"
	"strings"
)

// Slate is what one decision chooses among: k candidates in a situation.
//
// With Arms, candidate i is the arm Arms[i], which has coefficients of its own
// for the context. With Actions, candidate i is described by row i of the k×q
// matrix Actions, every action feature is crossed with the context, and all
// candidates share the coefficients. Exactly one of the two is given, always
// the same one, and k may differ from slate to slate.
type Slate struct {
	Context []float64 // d features of the situation
	Arms    []int32   // k arms, numbered from 0
	Actions []float64 // k×q features, row-major
}

// Ticket names a decision whose reward has not come yet.
type Ticket uint64

// Learner chooses and learns. It belongs to one goroutine.
type Learner interface {
	// Distribution stores the exact probability of each candidate in dst, which
	// has length k, and returns dst.
	Distribution(dst []float64, s Slate) []float64
	// Commit counts candidate i of s as chosen, at once, with the reward that
	// is expected of it: what was tried is known before what it earned.
	Commit(s Slate, i int) Ticket
	// Reward puts the reward of a decision in place of its expectation, after
	// any number of other decisions. A ticket is good for one reward.
	Reward(t Ticket, reward float64)
}

// Learners returns the names that NewLearner knows.
func Learners() []string {
	return []string{"epsilon", "greedy", "linucb", "pooled", "regcb", "squarecb", "thompson"}
}

// NewLearner returns a learner for contexts of d features and, where slates
// have Actions, q features of a candidate (0 where they have Arms).
//
//	epsilon   the best estimate, but any candidate with probability 0.05
//	greedy    the best estimate
//	linucb    the best upper confidence bound: Li et al. (2010), arXiv:1003.0146
//	pooled    Thompson sampling on Pooled, whose groups are the arms
//	regcb     evenly among what may still be best: see Eliminate
//	squarecb  inverse-gap weighting at the rate that the estimates earn: see InverseGap
//	thompson  the probability of being best, arms apart: see Thompson
//
// All but pooled need no scale: estimates and widths move with the mean and the
// range of the rewards. pooled has priors for rewards between 0 and 1. The
// features should have a spread of about one. It returns an error that wraps
// ErrConfig for any other name.
func NewLearner(name string, d, q int) (Learner, error) {
	if d < 0 || q < 0 {
		panic(fmt.Sprintf("bandit: %d context and %d action features", d, q))
	}
	switch name {
	case "pooled":
		return newPooledLearner(d, q), nil
	case "epsilon", "greedy", "linucb", "regcb", "squarecb", "thompson":
		return &explorer{kind: name, oracle: newOracle(d, q)}, nil
	}
	return nil, fmt.Errorf("%w: no learner %q, there are %s", ErrConfig, name, strings.Join(Learners(), ", "))
}

// How far the explorers look beyond the best estimate. Theory gives the rate
// and leaves the constant; these were chosen on the four classification files
// that docs/bandit.md names, where a factor of two either way changes little.
const (
	epsilonMass   = 0.05 // probability of a random candidate
	linUCBWidth   = 0.5  // standard deviations
	regCBWidth    = 0.4  // standard deviations
	thompsonScale = 0.25 // standard deviations
	gammaScale    = 30
	pooledScale   = 0.5
)

// explorer turns the estimates of an oracle into a choice.
type explorer struct {
	kind     string
	oracle   *oracle
	mean, sd []float64
	w        Workspace
}

// Distribution implements Learner.
func (e *explorer) Distribution(dst []float64, s Slate) []float64 {
	k := len(dst)
	for len(e.mean) < k {
		e.mean, e.sd = append(e.mean, 0), append(e.sd, 0)
	}
	mean, sd := e.mean[:k], e.sd[:k]
	switch e.kind {
	case "greedy", "epsilon", "squarecb":
		e.oracle.predict(mean, nil, s)
	default:
		e.oracle.predict(mean, sd, s)
	}
	switch e.kind {
	case "greedy":
		return EpsilonGreedy(dst, mean, 0)
	case "epsilon":
		return EpsilonGreedy(dst, mean, epsilonMass)
	case "squarecb":
		return InverseGap(dst, mean, e.oracle.gamma(k))
	case "linucb":
		axpy(mean, linUCBWidth, sd)
		return EpsilonGreedy(dst, mean, 0)
	case "regcb":
		for i := range sd {
			sd[i] = float64(regCBWidth * sd[i])
		}
		return Eliminate(dst, mean, sd)
	default: // thompson
		return Thompson(dst, mean, sd, Exploration{Scale: thompsonScale}, &e.w)
	}
}

// Commit implements Learner.
func (e *explorer) Commit(s Slate, i int) Ticket { return e.oracle.commit(s, i) }

// Reward implements Learner.
func (e *explorer) Reward(t Ticket, reward float64) { e.oracle.reward(t, reward) }

// pooledLearner plays Pooled as a Learner. With Arms every arm is a segment,
// so that what all arms have in common is learnt from all of them.
type pooledLearner struct {
	q             int
	pool          *Pooled
	w             *Workspace
	rows          []float64
	mean, sd      []float64
	open          map[Ticket]pledge
	monitor       monitor
	solved, tuned float64 // rewards at the last Solve and Tune
	rewards       float64
}

// pledge is an open decision of a pooledLearner and the target it counts with.
type pledge struct {
	segment  int32
	row      []float64
	expected float64
}

func newPooledLearner(d, q int) *pooledLearner {
	n := width(d, q)
	c := DefaultPooledConfig(n)
	for j := range c.Coefficients {
		c.Coefficients[j].SD = 0.3
		if q == 0 {
			c.Coefficients[j].SegmentSD = 0.3
		}
	}
	pool, err := NewPooled(c)
	if err != nil {
		panic(err) // the configuration above is valid
	}
	return &pooledLearner{q: q, pool: pool, w: NewWorkspace(n), open: map[Ticket]pledge{}, monitor: newMonitor()}
}

// segment returns the group that candidate i belongs to.
func (l *pooledLearner) segment(s Slate, i int) int32 {
	if l.q > 0 {
		return NoSegment
	}
	return s.Arms[i]
}

func (l *pooledLearner) score(s Slate, i int, scale []float64, mean []float64) {
	n := l.pool.Features()
	row := l.rows[i*n : (i+1)*n]
	crossed(row, s, i, l.q)
	l.pool.Posterior().Score(mean, scale, row, l.segment(s, i), NoDebtor, l.w)
}

// Distribution implements Learner.
func (l *pooledLearner) Distribution(dst []float64, s Slate) []float64 {
	k := len(dst)
	if len(l.mean) < k {
		l.mean, l.sd = make([]float64, k), make([]float64, k)
		l.rows = make([]float64, k*l.pool.Features())
	}
	for i := range k {
		l.score(s, i, l.sd[i:i+1], l.mean[i:i+1])
	}
	return Thompson(dst, l.mean[:k], l.sd[:k], Exploration{Scale: pooledScale}, l.w)
}

// Commit implements Learner.
func (l *pooledLearner) Commit(s Slate, i int) Ticket {
	n := l.pool.Features()
	row := make([]float64, n)
	crossed(row, s, i, l.q)
	o := pledge{segment: l.segment(s, i), row: row}
	o.expected = l.expect(o)
	t := Ticket(l.pool.Observe(o.segment, NoDebtor, row, o.expected, 1))
	l.open[t] = o
	l.refresh()
	return t
}

// expect returns the reward that is expected now of an open decision.
func (l *pooledLearner) expect(o pledge) float64 {
	var mean, sd [1]float64
	l.pool.Posterior().Score(mean[:], sd[:], o.row, o.segment, NoDebtor, l.w)
	return mean[0]
}

// Reward implements Learner.
func (l *pooledLearner) Reward(t Ticket, reward float64) {
	o, ok := l.open[t]
	if !ok {
		panic(fmt.Sprintf("bandit: ticket %d has no decision", t))
	}
	delete(l.open, t)
	l.pool.Correct(Handle(t), reward-o.expected)
	l.pool.Close(Handle(t))
	l.rewards++
	if l.monitor.changed(reward, l.expect(o)) {
		l.pool.Forget(forgetFactor)
		l.pool.untune()
		l.solved, l.tuned, l.rewards = 0, 0, 0
	}
	l.refresh()
}

// refresh publishes a posterior whenever a tenth was added, and tunes it
// whenever the rewards have doubled.
func (l *pooledLearner) refresh() {
	mass := l.pool.mass
	switch {
	case l.rewards >= max(32, l.tuned+l.tuned):
		l.tuned, l.solved = l.rewards, mass
		l.pool.Tune(3)
	case mass >= l.solved+max(1, l.solved/10):
		l.solved = mass
		l.pool.Solve()
	}
}

// width returns the length of a feature row.
func width(d, q int) int {
	if q == 0 {
		return 1 + d
	}
	return 1 + q*(1+d)
}

// crossed stores the feature row of candidate i: a constant 1, then the context
// or, where there are action features, each of them alone and times the
// context. It panics if the slate has not the features that dst has room for.
func crossed(dst []float64, s Slate, i, q int) {
	if width(len(s.Context), q) != len(dst) {
		panic(fmt.Sprintf("bandit: %d context and %d action features for a row of %d", len(s.Context), q, len(dst)))
	}
	dst[0] = 1
	if q == 0 {
		copy(dst[1:], s.Context)
		return
	}
	at := 1
	for _, z := range s.Actions[i*q : (i+1)*q] {
		dst[at] = z
		at++
		for _, x := range s.Context {
			dst[at] = float64(z * x)
			at++
		}
	}
}

// monitor watches the squared errors of a learner for a change in the world: a
// one-sided CUSUM of their excess over what was usual, on the scale of the
// range of rewards.
//
// See Page (1954), doi:10.1093/biomet/41.1-2.100.
type monitor struct {
	low, high float64
	rounds    float64
	total     float64 // Σ of squared errors since the last change
	excess    float64
}

const (
	monitorSlack  = 0.1 // excess per round that is not a change
	monitorAlarm  = 6   // sum of excess that is
	monitorWarmUp = 100 // rounds before the usual error is known
	forgetFactor  = 0.01
)

func newMonitor() monitor { return monitor{low: math.Inf(1), high: math.Inf(-1)} }

// changed counts one reward and what was expected, and reports a change.
func (m *monitor) changed(reward, expected float64) bool {
	m.low, m.high = min(m.low, reward), max(m.high, reward)
	span := m.high - m.low
	if span == 0 {
		return false
	}
	miss := (reward - expected) / span
	squared := min(float64(miss*miss), 1)
	if m.rounds >= monitorWarmUp {
		m.excess = max(m.excess+squared-m.total/m.rounds-monitorSlack, 0)
	}
	m.rounds++
	m.total += squared
	if m.excess < monitorAlarm {
		return false
	}
	m.rounds, m.total, m.excess = 0, 0, 0
	return true
}
