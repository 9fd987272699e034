package survival

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// CoxBatch is some rows of survival data, in any order.
type CoxBatch struct {
	X       []float64 // Rows×p, row-major
	Entry   []float64 // nil where rows are at risk from the beginning
	Time    []float64
	Event   []uint8   // 1 is the event, all else is censored
	Weight  []float64 // nil is one for each
	Offset  []float64 // nil is zero
	Stratum []int     // nil is one stratum
	Rows    int
}

// CoxSource is data that can be read again from its beginning, always in the
// same batches. Shards are one source after another: what a pass sums up is
// additive.
type CoxSource interface {
	// Pass calls yield for every batch in order, and stops at the first
	// error, which it returns. The batch belongs to the source again when
	// yield returns.
	Pass(yield func(CoxBatch) error) error
}

// CoxShards reads sources one after another.
type CoxShards []CoxSource

// Pass yields the batches of every shard.
func (s CoxShards) Pass(yield func(CoxBatch) error) error {
	for k, shard := range s {
		if err := shard.Pass(yield); err != nil {
			return fmt.Errorf("shard %d: %w", k, err)
		}
	}
	return nil
}

// ErrTooManyTimes says that a streamed fit met more distinct event times than
// it keeps sums for.
var ErrTooManyTimes = errors.New("too many distinct event times for a streamed fit")

// ErrNeedsRows says that a streamed fit, which keeps no rows, has been asked for
// what takes all of them at once.
var ErrNeedsRows = errors.New("not in a streamed fit: needs all rows at once")

// streamCells bounds the sums that a streamed fit keeps, in numbers.
const streamCells = 6 << 20

// FitCoxStream fits a Cox model by Efron's or Breslow's method in passes over
// a source of p columns: one pass to learn the event times and means, then two
// a Newton step. It keeps sums per distinct event time and stratum and no
// rows, so that memory does not grow with them; times are taken as they are,
// without care for nearly equal ones. Robust takes one pass more. What needs
// all rows at once (exact ties, Firth's penalty, OnSeparation, residuals and
// concordance of the result) is refused.
//
// Errors are those of [FitCox], [ErrTooManyTimes] and [ErrNeedsRows].
func FitCoxStream(src CoxSource, p int, names []string, opt CoxOptions) (*Cox, error) {
	switch {
	case opt.Ties == Exact:
		return nil, fmt.Errorf("exact ties: %w", ErrNeedsRows)
	case opt.Firth || opt.OnSeparation == FirthOnSeparation:
		return nil, fmt.Errorf("penalty of Firth: %w", ErrNeedsRows)
	case opt.OnSeparation != ReportSeparation:
		return nil, fmt.Errorf("another fit on separation: %w", ErrNeedsRows)
	}
	if opt.MaxIter == 0 {
		opt.MaxIter = 50
	}
	s, err := newCoxStream(src, p, names, opt.Ties)
	if err != nil {
		return nil, err
	}
	f, err := maximise(s, p, newtonOptions{names: names, start: opt.Start, ridge: opt.Ridge, l1: opt.L1, maxIter: opt.MaxIter, events: s.sumEvents})
	if s.err != nil {
		return nil, s.err
	}
	if err != nil {
		return nil, err
	}
	c := &Cox{
		Ties: opt.Ties, Names: names, Coef: f.beta, Cov: f.cov, Mean: s.mean, LogLik: f.logLik, LogLikNull: f.startLL, KKT: f.kkt,
		Rows: s.rows, Events: s.total, Iterations: f.iterations, Converged: f.converged, Warnings: f.warnings, model: s.coxModel,
	}
	if away := s.runaway(f, opt.Ridge); away != nil {
		c.Converged = false
		c.Warnings = append(c.Warnings, away.Error())
	}
	score := f.startScore
	if opt.Start != nil || opt.Ridge != nil || opt.L1 != nil {
		zero, grad, info := make([]float64, p), make([]float64, p), make([]float64, p*p)
		c.LogLikNull = s.value(zero)
		s.derivatives(grad, info)
		var ch chol
		score = math.NaN()
		if ch.factor(info, p) < 0 {
			x := slices.Clone(grad)
			ch.solve(x)
			score = 0
			for j, g := range grad {
				score += g * x[j]
			}
		}
		s.value(f.beta)
		s.derivatives(grad, info)
	}
	c.Score, c.LR = chiSquare(score, p), chiSquare(2*(c.LogLik-c.LogLikNull), p)
	if c.Cov != nil {
		c.Wald = chiSquare(quadraticForm(f.info, c.Coef, p), p)
	}
	if opt.Robust && len(c.Cov) > 0 {
		c.Robust = s.sandwich(c.Cov)
	}
	return c, s.err
}

// coxStream is a coxModel whose rows pass by.
type coxStream struct {
	*coxModel
	src   CoxSource
	lanes []streamLane
	beta  []float64
	err   error
	index map[int]int32 // stratum label → its number
}

// streamLane holds one lane's share of the sums of a pass.
type streamLane struct {
	s0, d0, s1, d1 []float64
	gram           *gram
	ll             float64
	x, eta, v      []float64 // scratch of blockRows rows
	hi, lo         []int32
}

// newCoxStream reads the source once for its event times and means.
func newCoxStream(src CoxSource, p int, names []string, ties Ties) (*coxStream, error) {
	sets := &riskSets{}
	m := &coxModel{riskSets: sets, p: p, ties: ties, d: &Data{Names: names, Columns: make([][]float64, p)}}
	s := &coxStream{coxModel: m, src: src, index: map[int]int32{}}
	m.mean, m.span, m.eventSum = make([]float64, p), make([]float64, p), make([]float64, p)
	type cell struct {
		events int32
		weight float64
	}
	cells := map[int]map[float64]*cell{}
	lo, hi := slices.Repeat([]float64{math.Inf(1)}, p), slices.Repeat([]float64{math.Inf(-1)}, p)
	weight, count, seen := 0.0, 0, 0
	sum := make([]float64, p)
	var offsets float64
	err := src.Pass(func(b CoxBatch) error {
		if err := s.check(b, seen); err != nil {
			return err
		}
		seen += b.Rows
		for i := range b.Rows {
			w, label := 1.0, 0
			if b.Weight != nil {
				w = b.Weight[i]
			}
			if w == 0 {
				continue
			}
			sets.rows++
			if b.Stratum != nil {
				label = b.Stratum[i]
			}
			x := b.X[i*p : i*p+p]
			for j, v := range x {
				sum[j] += w * v
				lo[j], hi[j] = min(lo[j], v), max(hi[j], v)
			}
			weight += w
			if b.Offset != nil {
				offsets += w * b.Offset[i]
			}
			of := cells[label]
			if of == nil {
				of = map[float64]*cell{}
				cells[label] = of
			}
			if b.Event[i] != 1 {
				continue
			}
			c := of[b.Time[i]]
			if c == nil {
				if count++; count*(2*p+4) > streamCells {
					return ErrTooManyTimes
				}
				c = &cell{}
				of[b.Time[i]] = c
			}
			c.events++
			c.weight += w
			for j, v := range x {
				m.eventSum[j] += w * v
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case sets.rows == 0:
		return nil, ErrNoRows
	case count == 0:
		return nil, ErrNoEvents
	}
	for j := range p {
		m.mean[j], m.span[j] = sum[j]/weight, hi[j]-lo[j]
		if isConstant(lo[j], hi[j]) {
			return nil, &ColumnError{Columns: []string{columnName(names, j)}, Row: -1, Err: ErrConstant}
		}
	}
	m.shift = offsets / weight
	for label := range cells {
		m.label = append(m.label, label)
	}
	slices.Sort(m.label)
	for k, label := range m.label {
		s.index[label] = int32(k)
		m.first = append(m.first, int32(len(m.time)))
		m.time, m.events, m.dw = append(m.time, math.Inf(-1)), append(m.events, 0), append(m.dw, 0)
		var times []float64
		for t := range cells[label] {
			times = append(times, t)
		}
		slices.Sort(times)
		for _, t := range times {
			c := cells[label][t]
			m.time, m.events, m.dw = append(m.time, t), append(m.events, c.events), append(m.dw, c.weight)
			m.total += int(c.events)
			m.sumEvents += c.weight
		}
	}
	m.first = append(m.first, int32(len(m.time)))
	for j := range m.eventSum {
		m.eventSum[j] -= m.sumEvents * m.mean[j]
	}
	k := len(m.time)
	for _, v := range []*[]float64{&m.s0, &m.d0, &m.h, &m.hd, &m.a, &m.b, &m.c, &m.cum} {
		*v = make([]float64, k)
	}
	m.s1 = make([]float64, k*p)
	tied := slices.ContainsFunc(m.events, func(e int32) bool { return e > 1 })
	if tied && ties == Efron {
		m.d1 = make([]float64, k*p)
	}
	for l := range m.lane {
		m.lane[l] = coxLane{gram: newGram(p), weight: make([]float64, blockRows), block: make([]float64, blockRows*p)}
	}
	// As many lanes as memory allows: a number that the data alone decides.
	n := max(1, min(lanes, streamCells/(k*(2*p+2))))
	for range n {
		l := streamLane{
			s0: make([]float64, k), d0: make([]float64, k), s1: make([]float64, k*p), gram: newGram(p),
			x: make([]float64, blockRows*p), eta: make([]float64, blockRows), v: make([]float64, blockRows),
			hi: make([]int32, blockRows), lo: make([]int32, blockRows),
		}
		if m.d1 != nil {
			l.d1 = make([]float64, k*p)
		}
		s.lanes = append(s.lanes, l)
	}
	return s, nil
}

// check panics where lengths disagree and returns an error for the first
// value of a batch that cannot be used. before is the number of rows seen.
func (s *coxStream) check(b CoxBatch, before int) error {
	p, n := s.p, b.Rows
	if len(b.X) != n*p || len(b.Time) != n || len(b.Event) != n {
		panic(fmt.Sprintf("survival: batch of %d rows and %d columns has %d values, %d times, %d events", n, p, len(b.X), len(b.Time), len(b.Event)))
	}
	d := Data{Entry: b.Entry, Time: b.Time, Event: b.Event, Weight: b.Weight, Offset: b.Offset, Stratum: b.Stratum}
	if n == 0 {
		return nil
	}
	if err := d.check(); err != nil {
		if row, ok := errors.AsType[*RowError](err); ok {
			row.Row += before
		}
		return err
	}
	for k, v := range b.X {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return &ColumnError{Columns: []string{columnName(s.d.Names, k%p)}, Row: before + k/p, Err: ErrNotFinite}
		}
	}
	return nil
}

// pass deals the blocks of every batch to the lanes.
func (s *coxStream) pass(work func(lane int, b CoxBatch, lo, hi int)) {
	n := len(s.lanes)
	first := 0
	err := s.src.Pass(func(b CoxBatch) error {
		blocks := (b.Rows + blockRows - 1) / blockRows
		eachLane(func(lane int) {
			if lane >= n {
				return
			}
			for k := (lane - first + n) % n; k < blocks; k += n {
				lo := k * blockRows
				work(lane, b, lo, min(lo+blockRows, b.Rows))
			}
		})
		first = (first + blocks) % n
		return nil
	})
	if err != nil && s.err == nil {
		s.err = err
	}
}

// block finds the risk sets of rows lo…hi, centres them and stores r in l.eta
// and the sum of w·η over events in l.ll.
func (s *coxStream) block(l *streamLane, b CoxBatch, lo, hi int) {
	p := s.p
	for i := lo; i < hi; i++ {
		k := i - lo
		to := l.x[k*p : k*p+p]
		for j, v := range b.X[i*p : i*p+p] {
			to[j] = v - s.mean[j]
		}
		stratum := int32(0)
		if b.Stratum != nil {
			stratum = s.index[b.Stratum[i]]
		} else if len(s.label) > 1 {
			stratum = s.index[0]
		}
		empty := s.first[stratum]
		times := s.time[empty+1 : s.first[stratum+1]]
		l.hi[k] = empty + int32(upTo(times, b.Time[i]))
		l.lo[k] = empty
		if b.Entry != nil {
			l.lo[k] += int32(upTo(times, b.Entry[i]))
		}
		l.eta[k] = 0
		if b.Offset != nil {
			l.eta[k] = b.Offset[i] - s.shift
		}
	}
	eta := l.eta[:hi-lo]
	addDot(eta, l.x[:(hi-lo)*p], s.beta)
	for k, v := range eta {
		w := 1.0
		if b.Weight != nil {
			w = b.Weight[lo+k]
		}
		if b.Event[lo+k] == 1 {
			l.ll += w * v
		}
		if eta[k] = 0; w > 0 {
			eta[k] = w * math.Exp(v)
		}
	}
}

// sandwich returns Cov·(Σ over rows of uuᵀ)·Cov, u being a row's weighted score
// residual, in one pass.
func (s *coxStream) sandwich(cov []float64) []float64 {
	p, cum := s.p, s.cumulativeMeans(nil)
	type scratch struct{ u, mean, ones []float64 }
	own := make([]scratch, len(s.lanes))
	for k := range s.lanes {
		s.lanes[k].gram.reset()
		own[k] = scratch{make([]float64, blockRows*p), make([]float64, p), slices.Repeat([]float64{1}, blockRows)}
	}
	s.pass(func(lane int, b CoxBatch, lo, hi int) {
		l, u, mean := &s.lanes[lane], own[lane].u, own[lane].mean
		s.block(l, b, lo, hi)
		for k, r := range l.eta[:hi-lo] {
			w, to := 1.0, u[k*p:k*p+p]
			if b.Weight != nil {
				w = b.Weight[lo+k]
			}
			if clear(to); w == 0 {
				continue
			}
			event := b.Event[lo+k] == 1
			if event {
				s.eventMean(mean, int(l.hi[k]))
			}
			s.rowScore(to, l.x[k*p:k*p+p], cum, mean, int(l.lo[k]), int(l.hi[k]), r/w, event)
			for j := range to {
				to[j] *= w
			}
		}
		l.gram.add(u[:(hi-lo)*p], own[lane].ones[:hi-lo])
	})
	meat := make([]float64, p*p)
	for k := range s.lanes {
		s.lanes[k].gram.addTo(meat)
	}
	return congruence(cov, meat, p)
}

// value is that of coxModel, in one pass.
func (s *coxStream) value(beta []float64) float64 {
	s.beta = slices.Clone(beta)
	for k := range s.lanes {
		l := &s.lanes[k]
		l.ll = 0
		clear(l.s0)
		clear(l.d0)
	}
	s.pass(func(lane int, b CoxBatch, lo, hi int) {
		l := &s.lanes[lane]
		s.block(l, b, lo, hi)
		for k, r := range l.eta[:hi-lo] {
			l.s0[l.hi[k]] += r
			if b.Entry != nil {
				l.s0[l.lo[k]] -= r
			}
			if b.Event[lo+k] == 1 {
				l.d0[l.hi[k]] += r
			}
		}
	})
	if s.err != nil {
		return math.NaN()
	}
	clear(s.s0)
	clear(s.d0)
	ll := 0.0
	for k := range s.lanes {
		l := &s.lanes[k]
		ll += l.ll
		for g, v := range l.s0 {
			s.s0[g] += v
		}
		for g, v := range l.d0 {
			s.d0[g] += v
		}
	}
	s.suffixRisk()
	return ll + s.hazards()
}

// derivatives is that of coxModel, in one pass.
func (s *coxStream) derivatives(grad, info []float64) {
	p := s.p
	for k := range s.lanes {
		l := &s.lanes[k]
		clear(l.s1)
		clear(l.d1)
		l.gram.reset()
	}
	s.pass(func(lane int, b CoxBatch, lo, hi int) {
		l := &s.lanes[lane]
		s.block(l, b, lo, hi)
		for k, r := range l.eta[:hi-lo] {
			g, from := int(l.hi[k]), int(l.lo[k])
			cum := s.cum[g] - s.cum[from]
			x := l.x[k*p : k*p+p]
			to := l.s1[g*p : g*p+p]
			if event := b.Event[lo+k] == 1; event {
				cum -= s.h[g] - s.hd[g]
				if l.d1 != nil {
					to = l.d1[g*p : g*p+p]
				}
			}
			l.v[k] = r * cum
			for j, v := range x {
				to[j] += r * v
			}
			if b.Entry != nil {
				to := l.s1[from*p : from*p+p]
				for j, v := range x {
					to[j] -= r * v
				}
			}
		}
		l.gram.add(l.x[:(hi-lo)*p], l.v[:hi-lo])
	})
	clear(s.s1)
	clear(s.d1)
	clear(info)
	for k := range s.lanes {
		l := &s.lanes[k]
		for g, v := range l.s1 {
			s.s1[g] += v
		}
		for g, v := range l.d1 {
			s.d1[g] += v
		}
		l.gram.addTo(info)
	}
	for g, v := range s.d1 {
		s.s1[g] += v
	}
	s.scan()
	s.finishDerivatives(grad, info)
}
