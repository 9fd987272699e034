package bandit

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// State is everything a Pooled learner knows, as columns. P is the number of
// features, Q that of the coefficients that deviate on either level.
type State struct {
	// The prior, one entry per coefficient, and its weights.
	PriorMean, PriorSD, SegmentSD, DebtorSD []float64 // P
	NoiseSD, NoiseWeight, PoolWeight        float64
	ChangeAlarm                             float64
	// What Tune estimated: variances.
	Noise                           float64
	SegmentVariance, DebtorVariance []float64
	// Statistics of all: Σ w·φφᵀ (P×P), Σ w·φ·r, Σ w·r², Σ w.
	A, B          []float64
	Squares, Mass float64
	// Statistics per segment and leaf: rows (Q×P each), b (Q each), Σ w. A leaf
	// is a debtor, or a spell of habits of one.
	SegmentRows, SegmentB, SegmentMass []float64
	LeafRows, LeafB, LeafMass          []float64
	LeafSegment                        []int32
	// Per debtor: the leaf of the present habits and how far rewards fell short.
	DebtorLeaf  []int32
	DebtorShort []float64
	// Open decisions by handle: features (P each), target, weight, and mean and
	// SD of the target as expected when it was decided.
	Open                              []uint64
	OpenSegment, OpenDebtor, OpenLeaf []int32
	OpenPhi                           []float64
	OpenTarget, OpenWeight            []float64
	OpenExpected, OpenSD              []float64
	Next                              uint64
}

// ErrState is wrapped by every error about a state that cannot be restored.
var ErrState = errors.New("bandit: bad state")

// State publishes the posterior of everything observed so far and returns a
// copy of all that it rests on. A learner restored from it, and this one,
// decide and learn from here on identically, bit for bit.
func (p *Pooled) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.publish()
	c := p.config
	s := State{
		NoiseSD: c.NoiseSD, NoiseWeight: c.NoiseWeight, PoolWeight: c.PoolWeight, ChangeAlarm: c.ChangeAlarm,
		Noise:           p.hyper.noise,
		SegmentVariance: slices.Clone(p.hyper.segment),
		DebtorVariance:  slices.Clone(p.hyper.debtor),
		A:               slices.Clone(p.a), B: slices.Clone(p.b), Squares: p.squares, Mass: p.mass,
		LeafSegment: slices.Clone(p.home), DebtorLeaf: slices.Clone(p.current), DebtorShort: slices.Clone(p.short),
		Next: uint64(p.next),
	}
	for _, k := range c.Coefficients {
		s.PriorMean = append(s.PriorMean, k.Mean)
		s.PriorSD = append(s.PriorSD, k.SD)
		s.SegmentSD = append(s.SegmentSD, k.SegmentSD)
		s.DebtorSD = append(s.DebtorSD, k.DebtorSD)
	}
	s.SegmentRows, s.SegmentB, s.SegmentMass = columns(p.segment)
	s.LeafRows, s.LeafB, s.LeafMass = columns(p.leaf)
	for h := range p.open {
		s.Open = append(s.Open, uint64(h))
	}
	slices.Sort(s.Open)
	for _, h := range s.Open {
		o := p.open[Handle(h)]
		s.OpenSegment = append(s.OpenSegment, o.segment)
		s.OpenDebtor = append(s.OpenDebtor, o.debtor)
		s.OpenLeaf = append(s.OpenLeaf, o.leaf)
		s.OpenPhi = append(s.OpenPhi, o.phi...)
		s.OpenTarget = append(s.OpenTarget, o.target)
		s.OpenWeight = append(s.OpenWeight, o.weight)
		s.OpenExpected = append(s.OpenExpected, o.expected)
		s.OpenSD = append(s.OpenSD, o.sd)
	}
	return s
}

func columns(level []group) (rows, b, mass []float64) {
	for _, g := range level {
		rows = append(rows, g.rows...)
		b = append(b, g.b...)
		mass = append(mass, g.mass)
	}
	return rows, b, mass
}

// Restore returns the learner that s was taken from. An error wraps ErrState
// or ErrConfig.
func Restore(s State) (*Pooled, error) {
	n := len(s.PriorMean)
	if len(s.PriorSD) != n || len(s.SegmentSD) != n || len(s.DebtorSD) != n {
		return nil, fmt.Errorf("%w: prior columns differ in length", ErrState)
	}
	c := PooledConfig{NoiseSD: s.NoiseSD, NoiseWeight: s.NoiseWeight, PoolWeight: s.PoolWeight, ChangeAlarm: s.ChangeAlarm}
	for j := range n {
		c.Coefficients = append(c.Coefficients, Coefficient{s.PriorMean[j], s.PriorSD[j], s.SegmentSD[j], s.DebtorSD[j]})
	}
	p, err := NewPooled(c)
	if err != nil {
		return nil, err
	}
	q, segments, leaves, debtors, open := len(p.layout.deviating), len(s.SegmentMass), len(s.LeafMass), len(s.DebtorLeaf), len(s.Open)
	for _, column := range []struct {
		name      string
		got, want int
	}{
		{"segment variance", len(s.SegmentVariance), len(p.layout.segment)},
		{"debtor variance", len(s.DebtorVariance), len(p.layout.debtor)},
		{"a", len(s.A), n * n},
		{"b", len(s.B), n},
		{"segment rows", len(s.SegmentRows), segments * q * n},
		{"segment b", len(s.SegmentB), segments * q},
		{"leaf rows", len(s.LeafRows), leaves * q * n},
		{"leaf b", len(s.LeafB), leaves * q},
		{"leaf segment", len(s.LeafSegment), leaves},
		{"debtor short", len(s.DebtorShort), debtors},
		{"open segment", len(s.OpenSegment), open},
		{"open debtor", len(s.OpenDebtor), open},
		{"open leaf", len(s.OpenLeaf), open},
		{"open phi", len(s.OpenPhi), open * n},
		{"open target", len(s.OpenTarget), open},
		{"open weight", len(s.OpenWeight), open},
		{"open expected", len(s.OpenExpected), open},
		{"open sd", len(s.OpenSD), open},
	} {
		if column.got != column.want {
			return nil, fmt.Errorf("%w: %s has %d entries, want %d", ErrState, column.name, column.got, column.want)
		}
	}
	for _, column := range [][]float64{
		{s.Squares, s.Mass, s.Noise},
		s.A, s.B, s.SegmentVariance, s.DebtorVariance,
		s.SegmentRows, s.SegmentB, s.SegmentMass, s.LeafRows, s.LeafB, s.LeafMass,
		s.DebtorShort, s.OpenPhi, s.OpenTarget, s.OpenWeight, s.OpenExpected, s.OpenSD,
	} {
		for _, v := range column {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%w: a value is not finite", ErrState)
			}
		}
	}
	for _, column := range [][]float64{{s.Noise}, s.SegmentVariance, s.DebtorVariance} {
		for _, v := range column {
			if v <= 0 {
				return nil, fmt.Errorf("%w: variance %v is not positive", ErrState, v)
			}
		}
	}
	known := func(ids []int32, limit int) bool {
		return !slices.ContainsFunc(ids, func(id int32) bool { return id < -1 || int(id) >= limit })
	}
	if !known(s.LeafSegment, segments) || !known(s.OpenSegment, segments) || !known(s.OpenDebtor, debtors) ||
		!known(s.OpenLeaf, leaves) || !known(s.DebtorLeaf, leaves) || slices.Contains(s.DebtorLeaf, NoDebtor) {
		return nil, fmt.Errorf("%w: a segment, debtor or leaf is out of range", ErrState)
	}
	for i, leaf := range s.OpenLeaf {
		if (leaf < 0) != (s.OpenDebtor[i] < 0) {
			return nil, fmt.Errorf("%w: open decision %d has a debtor or a leaf, not both", ErrState, s.Open[i])
		}
	}

	p.hyper = hyper{s.Noise, slices.Clone(s.SegmentVariance), slices.Clone(s.DebtorVariance)}
	p.a, p.b = slices.Clone(s.A), slices.Clone(s.B)
	p.squares, p.mass = s.Squares, s.Mass
	p.segment = groups(s.SegmentRows, s.SegmentB, s.SegmentMass, n)
	p.leaf = groups(s.LeafRows, s.LeafB, s.LeafMass, n)
	p.home = slices.Clone(s.LeafSegment)
	p.news = make([]bool, leaves)
	p.current, p.short = slices.Clone(s.DebtorLeaf), slices.Clone(s.DebtorShort)
	p.next = Handle(s.Next)
	for i, h := range s.Open {
		if h == 0 || h >= s.Next || (i > 0 && h <= s.Open[i-1]) {
			return nil, fmt.Errorf("%w: open handle %d", ErrState, h)
		}
		p.open[Handle(h)] = &observation{
			s.OpenSegment[i], s.OpenDebtor[i], s.OpenLeaf[i],
			slices.Clone(s.OpenPhi[i*n : (i+1)*n]), s.OpenTarget[i], s.OpenWeight[i],
			s.OpenExpected[i], s.OpenSD[i],
		}
	}
	post, _, ok := p.solve()
	if !ok {
		return nil, fmt.Errorf("%w: the statistics are not positive definite", ErrState)
	}
	p.posterior.Store(post)
	return p, nil
}

func groups(rows, b, mass []float64, n int) []group {
	out := make([]group, len(mass))
	for i := range out {
		q := len(b) / len(mass)
		out[i] = group{slices.Clone(rows[i*q*n : (i+1)*q*n]), slices.Clone(b[i*q : (i+1)*q]), mass[i]}
	}
	return out
}
