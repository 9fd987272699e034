package bandit

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
)

// NoDebtor and NoSegment stand for a debtor or segment of which nothing is
// known: Score then adds the full prior spread of that level.
const (
	NoDebtor  int32 = -1
	NoSegment int32 = -1
)

// Coefficient is the prior of one coefficient before any data. SDs are in
// reward per unit of the feature.
type Coefficient struct {
	Mean      float64 // expected value of θ
	SD        float64 // spread of θ around Mean; greater than 0
	SegmentSD float64 // spread of segments around θ; 0: the same for all segments
	DebtorSD  float64 // spread of debtors around their segment; 0: the same for all debtors
}

// PooledConfig is the prior of a Pooled learner.
type PooledConfig struct {
	Coefficients []Coefficient
	// NoiseSD is the prior guess of σ, the spread of a reward around its
	// expectation; NoiseWeight is how many observations that guess is worth.
	NoiseSD     float64
	NoiseWeight float64
	// PoolWeight is how many debtors (and segments) the prior SegmentSD and
	// DebtorSD are worth when Tune estimates them.
	PoolWeight float64
	// ChangeAlarm is the height of the CUSUM, in standard deviations, at which
	// the rewards of a debtor have fallen short for too long to be chance: then
	// what is known of that debtor alone is set aside and learnt anew, from the
	// segment. At 4, chance alone does so about once in 340 rewards. Of decisions
	// about one debtor between two calls of Solve only the first can count. 0:
	// never.
	ChangeAlarm float64
}

// DefaultPooledConfig returns p coefficients N(0, 1) of which none deviates,
// noise 0.4 worth 20 observations, spreads worth 20 debtors and an alarm at 4.
func DefaultPooledConfig(p int) PooledConfig {
	c := PooledConfig{
		Coefficients: make([]Coefficient, p),
		NoiseSD:      0.4, NoiseWeight: 20, PoolWeight: 20,
	}
	for j := range c.Coefficients {
		c.Coefficients[j].SD = 1
	}
	return c
}

// ErrConfig is wrapped by every error about a configuration.
var ErrConfig = errors.New("bandit: bad configuration")

// Validate returns an error that wraps ErrConfig where a value cannot be used.
func (c PooledConfig) Validate() error {
	if len(c.Coefficients) == 0 {
		return fmt.Errorf("%w: no coefficients", ErrConfig)
	}
	for j, k := range c.Coefficients {
		switch {
		case math.IsNaN(k.Mean) || math.IsInf(k.Mean, 0):
			return fmt.Errorf("%w: coefficient %d: mean %v", ErrConfig, j, k.Mean)
		case !(k.SD > 0) || math.IsInf(k.SD, 0):
			return fmt.Errorf("%w: coefficient %d: SD %v is not positive", ErrConfig, j, k.SD)
		case !(k.SegmentSD >= 0) || math.IsInf(k.SegmentSD, 0):
			return fmt.Errorf("%w: coefficient %d: segment SD %v", ErrConfig, j, k.SegmentSD)
		case !(k.DebtorSD >= 0) || math.IsInf(k.DebtorSD, 0):
			return fmt.Errorf("%w: coefficient %d: debtor SD %v", ErrConfig, j, k.DebtorSD)
		}
	}
	if !(c.NoiseSD > 0) || math.IsInf(c.NoiseSD, 0) {
		return fmt.Errorf("%w: noise SD %v is not positive", ErrConfig, c.NoiseSD)
	}
	if !(c.NoiseWeight > 0) || !(c.PoolWeight > 0) {
		return fmt.Errorf("%w: noise weight %v and pool weight %v must be positive", ErrConfig, c.NoiseWeight, c.PoolWeight)
	}
	if !(c.ChangeAlarm >= 0) {
		return fmt.Errorf("%w: change alarm %v is negative", ErrConfig, c.ChangeAlarm)
	}
	return nil
}

// Handle names one observed decision until it is closed. Handles are given in
// order from 1 and never reused.
type Handle uint64

// observation is one decision whose reward may still be corrected.
type observation struct {
	segment, debtor int32
	leaf            int32 // statistics of the debtor's present habits, or NoDebtor
	phi             []float64
	target, weight  float64
	expected, sd    float64 // of the target when it was decided
}

// group holds the sufficient statistics of one segment or debtor, as far as the
// deviating coefficients D need them: the rows D of A = Σ w·φφᵀ (q×p), the
// entries D of b = Σ w·φ·r, and the mass Σ w.
type group struct {
	rows []float64
	b    []float64
	mass float64
}

// hyper are the parameters of the prior that Tune estimates: variances.
type hyper struct {
	noise           float64
	segment, debtor []float64 // per deviating coefficient of that level
}

// Pooled learns r − baseline = φ·(θ + u_segment + u_debtor) + ε exactly, with
// an informative Gaussian prior per coefficient. Only the coefficients with a
// positive SegmentSD or DebtorSD deviate on that level.
//
// A decision counts from the moment that Observe is given its expected reward;
// Correct moves that expectation as days pass. A = Σ w·φφᵀ never changes by it.
//
// Methods that write may be called from any goroutine and exclude each other.
// Posterior never waits for them.
//
// The model is the linear mixed model of Laird and Ware (1982),
// doi:10.2307/2529876, its tree-shaped precision matrix eliminated from the
// leaves upwards.
type Pooled struct {
	mu      sync.Mutex
	config  PooledConfig
	layout  layout
	hyper   hyper
	a, b    []float64 // Σ w·φφᵀ (p×p) and Σ w·φ·r of all
	squares float64   // Σ w·r²
	mass    float64   // Σ w
	segment []group
	leaf    []group   // one per debtor and spell of habits
	home    []int32   // segment of each leaf
	current []int32   // leaf of each debtor
	short   []float64 // CUSUM of each debtor
	news    []bool    // of each leaf: observed since the last Solve
	open    map[Handle]*observation
	scratch *Workspace
	next    Handle

	posterior atomic.Pointer[Posterior]
}

// layout says which of the p coefficients deviate.
type layout struct {
	p               int
	deviating       []int // coefficients with a deviation on either level, ascending
	segment, debtor []int // positions in deviating
}

func newLayout(c []Coefficient) layout {
	l := layout{p: len(c)}
	for j, k := range c {
		if k.SegmentSD == 0 && k.DebtorSD == 0 {
			continue
		}
		if k.SegmentSD > 0 {
			l.segment = append(l.segment, len(l.deviating))
		}
		if k.DebtorSD > 0 {
			l.debtor = append(l.debtor, len(l.deviating))
		}
		l.deviating = append(l.deviating, j)
	}
	return l
}

// NewPooled returns a learner that knows its prior and publishes it as the
// first posterior. The error wraps ErrConfig.
func NewPooled(c PooledConfig) (*Pooled, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Coefficients = append([]Coefficient(nil), c.Coefficients...)
	l := newLayout(c.Coefficients)
	p := &Pooled{
		config: c, layout: l,
		a: make([]float64, l.p*l.p), b: make([]float64, l.p),
		open: map[Handle]*observation{}, next: 1, scratch: NewWorkspace(l.p),
	}
	p.untune()
	p.Solve()
	return p, nil
}

// untune goes back to the prior guesses of what Tune estimates.
func (p *Pooled) untune() {
	c, l := p.config, p.layout
	p.hyper = hyper{noise: float64(c.NoiseSD * c.NoiseSD)}
	for _, d := range l.segment {
		sd := c.Coefficients[l.deviating[d]].SegmentSD
		p.hyper.segment = append(p.hyper.segment, float64(sd*sd))
	}
	for _, d := range l.debtor {
		sd := c.Coefficients[l.deviating[d]].DebtorSD
		p.hyper.debtor = append(p.hyper.debtor, float64(sd*sd))
	}
}

// Features returns p, the length of a feature row.
func (p *Pooled) Features() int { return p.layout.p }

// Observe counts one decision: feature row phi (copied), its target, the
// reward expected by now minus the baseline, and its weight (1 for a whole
// decision). Segment and debtor are handles from 0 chosen by the caller, dense
// enough to index a slice, or NoSegment and NoDebtor; both levels grow as
// needed. A debtor seen in another segment than before moves there with all it
// has taught. It panics if phi has not p entries, a value is not finite, or
// weight is negative.
func (p *Pooled) Observe(segment, debtor int32, phi []float64, target, weight float64) Handle {
	if len(phi) != p.layout.p {
		panic(fmt.Sprintf("bandit: %d features, want %d", len(phi), p.layout.p))
	}
	for _, v := range phi {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			panic("bandit: feature is not finite")
		}
	}
	if math.IsNaN(target) || math.IsInf(target, 0) || !(weight >= 0) || math.IsInf(weight, 0) {
		panic(fmt.Sprintf("bandit: target %v, weight %v", target, weight))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grow(segment, debtor)

	o := &observation{
		segment: segment, debtor: debtor, leaf: NoDebtor,
		phi: append([]float64(nil), phi...), target: target, weight: weight,
	}
	if debtor >= 0 {
		o.leaf = p.current[debtor]
		p.foretell(o)
		p.news[o.leaf] = true
	}
	h := p.next
	p.next++
	p.open[h] = o

	for i, v := range phi {
		if v != 0 {
			axpy(p.a[i*p.layout.p:(i+1)*p.layout.p], float64(weight*v), phi)
		}
	}
	axpy(p.b, float64(weight*target), phi)
	p.squares += float64(weight * float64(target*target))
	p.mass += weight
	for _, g := range p.groupsOf(o) {
		if g == nil {
			continue
		}
		g.mass += weight
		for d, j := range p.layout.deviating {
			if v := phi[j]; v != 0 {
				axpy(g.rows[d*p.layout.p:(d+1)*p.layout.p], float64(weight*v), phi)
				g.b[d] += float64(float64(weight*target) * v)
			}
		}
	}
	return h
}

// Correct adds delta to the target of an open decision: the change of its
// expected reward by what was seen since. It returns false if h is not open.
func (p *Pooled) Correct(h Handle, delta float64) bool {
	if math.IsNaN(delta) || math.IsInf(delta, 0) {
		panic(fmt.Sprintf("bandit: correction by %v", delta))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.open[h]
	if !ok {
		return false
	}
	step := float64(o.weight * delta)
	axpy(p.b, step, o.phi)
	for _, g := range p.groupsOf(o) {
		if g == nil {
			continue
		}
		for d, j := range p.layout.deviating {
			g.b[d] += float64(step * o.phi[j])
		}
	}
	p.squares += float64(step * (o.target + o.target + delta))
	o.target += delta
	return true
}

// Target returns the present target of an open decision, and false if h is
// not open.
func (p *Pooled) Target(h Handle) (float64, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.open[h]
	if !ok {
		return 0, false
	}
	return o.target, true
}

// Close ends the corrections of a decision: its reward is final. What it
// taught stays. It reports whether this reward raised the alarm that the habits
// of the debtor have changed. Closing twice does no harm.
func (p *Pooled) Close(h Handle) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o, ok := p.open[h]
	if !ok {
		return false
	}
	delete(p.open, h)
	if o.sd == 0 || o.leaf != p.current[o.debtor] {
		return false
	}
	// Page (1954), one-sided with slack ½, each reward counting at most 3.
	const slack, most = 0.5, 3
	miss := min((o.expected-o.target)/o.sd, most)
	p.short[o.debtor] = max(p.short[o.debtor]+miss-slack, 0)
	if p.short[o.debtor] < p.config.ChangeAlarm {
		return false
	}
	p.short[o.debtor] = 0
	p.current[o.debtor] = p.newLeaf(p.home[o.leaf])
	return true
}

// foretell notes what the last posterior expects of a new observation, if its
// reward can tell anything about the debtor and that posterior knows all of the
// debtor that is known.
func (p *Pooled) foretell(o *observation) {
	tells := false
	for _, d := range p.layout.debtor {
		tells = tells || o.phi[p.layout.deviating[d]] != 0
	}
	if p.config.ChangeAlarm == 0 || o.weight == 0 || !tells || p.news[o.leaf] {
		return
	}
	post := p.posterior.Load()
	var mean, sd [1]float64
	post.Score(mean[:], sd[:], o.phi, o.segment, o.debtor, p.scratch)
	o.expected = mean[0]
	o.sd = math.Sqrt(float64(sd[0]*sd[0]) + post.noise/o.weight)
}

// Forget multiplies the weight of everything seen so far by factor in [0, 1],
// so that habits may change; the prior keeps its weight. With half-life T and
// a step of t, factor is 2^(−t/T).
func (p *Pooled) Forget(factor float64) {
	if !(factor >= 0 && factor <= 1) {
		panic(fmt.Sprintf("bandit: forget with factor %v", factor))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	scale := func(x []float64) {
		for i := range x {
			x[i] *= factor
		}
	}
	scale(p.a)
	scale(p.b)
	p.squares *= factor
	p.mass *= factor
	for _, level := range [][]group{p.segment, p.leaf} {
		for i := range level {
			scale(level[i].rows)
			scale(level[i].b)
			level[i].mass *= factor
		}
	}
	for _, o := range p.open {
		o.weight *= factor
	}
}

// groupsOf returns the statistics that o is part of; nil where it is in none.
func (p *Pooled) groupsOf(o *observation) [2]*group {
	var g [2]*group
	if o.segment >= 0 {
		g[0] = &p.segment[o.segment]
	}
	if o.leaf >= 0 {
		g[1] = &p.leaf[o.leaf]
	}
	return g
}

// empty returns the statistics of a group without data.
func (l layout) empty() group {
	q := len(l.deviating)
	return group{rows: make([]float64, q*l.p), b: make([]float64, q)}
}

// newLeaf returns the index of a leaf without data in a segment.
func (p *Pooled) newLeaf(segment int32) int32 {
	p.leaf = append(p.leaf, p.layout.empty())
	p.home = append(p.home, segment)
	p.news = append(p.news, false)
	return int32(len(p.leaf) - 1)
}

// grow makes room for segment and debtor and moves the debtor to segment.
func (p *Pooled) grow(segment, debtor int32) {
	for int(segment) >= len(p.segment) {
		p.segment = append(p.segment, p.layout.empty())
	}
	for int(debtor) >= len(p.current) {
		p.current = append(p.current, p.newLeaf(NoSegment))
		p.short = append(p.short, 0)
	}
	if debtor < 0 {
		return
	}
	leaf := p.current[debtor]
	from, g := p.home[leaf], &p.leaf[leaf]
	if from == segment {
		return
	}
	p.home[leaf] = segment
	if from >= 0 {
		p.segment[from].add(g, -1)
	}
	if segment >= 0 {
		p.segment[segment].add(g, 1)
	}
	for _, o := range p.open {
		if o.leaf == leaf {
			o.segment = segment
		}
	}
}

// add adds sign times the statistics of o.
func (g *group) add(o *group, sign float64) {
	axpy(g.rows, sign, o.rows)
	axpy(g.b, sign, o.b)
	g.mass += float64(sign * o.mass)
}
