package survival

import (
	"errors"
	"fmt"
	"math"
)

// Link is how a linear predictor becomes a probability per period.
type Link int

// The links of a discrete-time hazard.
const (
	// CLogLog is h = 1 − exp(−exp(η)): proportional hazards observed in
	// periods, a grouped Cox model. exp(coefficient) is a hazard ratio.
	CLogLog Link = iota
	// Logit is h = 1/(1 + exp(−η)). exp(coefficient) is an odds ratio.
	Logit
)

func (l Link) String() string {
	if l == Logit {
		return "logit"
	}
	return "cloglog"
}

// Prob returns the probability of the event in one period at linear
// predictor eta.
func (l Link) Prob(eta float64) float64 {
	if l == Logit {
		if eta < 0 {
			e := math.Exp(eta)
			return e / (1 + e)
		}
		return 1 / (1 + math.Exp(-eta))
	}
	return -math.Expm1(-math.Exp(eta))
}

// LogSurv returns log(1 − h), the log probability that one period passes
// without the event.
func (l Link) LogSurv(eta float64) float64 {
	if l == Logit {
		return -softplus(eta)
	}
	return -math.Exp(eta)
}

// Eta returns the linear predictor at which the probability is h.
func (l Link) Eta(h float64) float64 {
	if l == Logit {
		return math.Log(h) - math.Log1p(-h)
	}
	return math.Log(-math.Log1p(-h))
}

// softplus returns log(1 + exp(x)).
func softplus(x float64) float64 {
	if x > 0 {
		return x + math.Log1p(math.Exp(-x))
	}
	return math.Log1p(math.Exp(x))
}

// etaMax keeps exp(η) finite. No probability changes beyond it.
const etaMax = 600

// term returns the log-likelihood of one row, its derivative in η, and its
// information: minus the second derivative, or the expectation of that over y.
func (l Link) term(eta, y float64, expected bool) (ll, d, info float64) {
	if l == Logit {
		h := l.Prob(eta)
		return y*eta - softplus(eta), y - h, h * (1 - h)
	}
	eta = min(eta, etaMax)
	mu := math.Exp(eta)
	// q = μ/(exp(μ) − 1) is the derivative of log(1 − exp(−μ)) in η.
	var q, logh float64
	switch {
	case mu < 1e-8:
		q, logh = 1-mu/2, eta-mu/2
	case mu > 700:
		q, logh = 0, 0
	default:
		em := math.Expm1(mu)
		q, logh = mu/em, math.Log(em)-mu
	}
	switch {
	case expected:
		info = mu * q
	case y == 0:
		info = mu
	default:
		// q(q + μ − 1), by its series where the difference would cancel.
		event := q * (q + mu - 1)
		if mu < 1e-3 {
			event = q * mu * (0.5 + mu/12)
		}
		info = y*event + (1-y)*mu
	}
	if y == 0 { // far the most rows
		return -mu, -mu, info
	}
	return y*logh - (1-y)*mu, y*q - (1-y)*mu, info
}

// Batch is some rows of person-period data: one row for each period during
// which one subject was at risk.
type Batch struct {
	X      []float64 // Rows×p, row-major
	Y      []float64 // 1 where the event came in that period, 0 where not
	W      []float64 // weights; nil is one for every row
	Offset []float64 // known part of the linear predictor; nil is zero
	Rows   int
}

// Source is data that can be read again from its beginning, always in the
// same batches. Batches need not fit in memory together: a fit reads a few
// passes and keeps nothing. All processors are used on batches of 4096 rows
// or more.
type Source interface {
	// Pass calls yield for every batch in order, and stops at the first
	// error, which it returns. The batch belongs to the source again when
	// yield returns.
	Pass(yield func(Batch) error) error
}

// Pass makes a Batch a Source of itself, for data that is in memory.
func (b Batch) Pass(yield func(Batch) error) error { return yield(b) }

// Batches is a Source of batches in memory.
type Batches []Batch

// Pass yields the batches in order.
func (bs Batches) Pass(yield func(Batch) error) error {
	for _, b := range bs {
		if err := yield(b); err != nil {
			return err
		}
	}
	return nil
}

// HazardOptions say how a discrete-time hazard is fitted. The zero value is
// an unpenalised cloglog fit from zero; MaxIter and Tol of zero stand for
// their defaults, since neither has a use for zero.
type HazardOptions struct {
	Link Link
	// Names are the columns' names for reports; nil gives x1, x2, …
	Names []string
	// Ridge is the precision of a Gaussian prior per column around Prior:
	// the log-likelihood loses ½·Ridgeⱼ·(βⱼ − Priorⱼ)². nil is none.
	Ridge []float64
	// Prior is the mean of that prior; nil is zero.
	Prior []float64
	// L1 is the weight per column of |βⱼ| in the penalty; nil is none.
	L1 []float64
	// Start is where Newton begins (a warm start); nil is Prior, else zero.
	Start []float64
	// MaxIter is the largest number of Newton steps. 0 is 50.
	MaxIter int
	// Tol ends the fit when a step gains less log-likelihood than this, or
	// when the step after it would gain less than Tol² as Newton's steps
	// shrink. The step is still taken. 0 is 1e-8: coefficients are then good
	// to far below a thousandth of their standard errors.
	Tol float64
	// Expected asks for Cov from the expected information at the final
	// coefficients, as glm of R does, at the price of one more pass.
	// Otherwise it is the observed information of the last pass, one small
	// step before the end.
	Expected bool
	// SeparationRidge, where positive, is the ridge per squared size with which
	// columns get a second fit that separate events from the rest. The fit then
	// says so in its warnings.
	SeparationRidge float64
}

// Hazard is a fitted discrete-time hazard.
type Hazard struct {
	Link       Link
	Names      []string
	Coef       []float64 // p
	Cov        []float64 // p×p row-major: inverse of information plus Ridge; nil where L1 made it meaningless
	LogLik     float64   // without penalties
	Penalised  float64   // with them: what was maximised
	Rows       int       // rows in one pass
	Weight     float64   // sum of weights
	Events     float64   // sum of w·y
	Iterations int       // Newton steps taken
	Passes     int       // times the source was read
	Converged  bool
	KKT        float64  // largest violation of the optimality conditions at the last pass
	Warnings   []string // what a reader of the numbers should know
}

// SE returns the standard errors of the coefficients, or nil without Cov.
func (h *Hazard) SE() []float64 {
	if h.Cov == nil {
		return nil
	}
	p := len(h.Coef)
	se := make([]float64, p)
	for j := range se {
		se[j] = math.Sqrt(h.Cov[j*p+j])
	}
	return se
}

// Eta returns x·β.
func (h *Hazard) Eta(x []float64) float64 {
	s := 0.0
	for j, b := range h.Coef {
		s += b * x[j]
	}
	return s
}

// ProbTo stores the event probability of each row of x (row-major, len(dst)
// rows) in dst and returns it. It does not allocate.
func (h *Hazard) ProbTo(dst, x []float64) []float64 {
	p := len(h.Coef)
	if len(x) != len(dst)*p {
		panic(fmt.Sprintf("survival: %d values for %d rows of %d columns", len(x), len(dst), p))
	}
	clear(dst)
	addDot(dst, x, h.Coef)
	for i, eta := range dst {
		dst[i] = h.Link.Prob(eta)
	}
	return dst
}

// SurvivalTo stores in dst the probability of being without event after each
// of the coming periods, given that there was none so far: dst[k] belongs to
// the end of period k, whose covariates are row k of path (row-major,
// len(dst) rows). It does not allocate.
func (h *Hazard) SurvivalTo(dst, path []float64) []float64 {
	p := len(h.Coef)
	if len(path) != len(dst)*p {
		panic(fmt.Sprintf("survival: %d values for %d periods of %d columns", len(path), len(dst), p))
	}
	clear(dst)
	addDot(dst, path, h.Coef)
	logS := 0.0
	for k, eta := range dst {
		logS += h.Link.LogSurv(eta)
		dst[k] = math.Exp(logS)
	}
	return dst
}

// hazardLane holds one lane's share of the sums of a pass.
type hazardLane struct {
	ll, weight, events float64
	rows               int
	grad, info         []float64
	gram               *gram
	sumX, sumX2        []float64 // Σ w·x and Σ w·x², of the first pass only
	sumOffset          float64   // Σ w·offset, likewise
	eta, d, w          []float64 // scratch of blockRows
	badRow             int       // first row at fault in the batch, or −1
	badErr             error
}

// reading says what a pass over the data sums up.
type reading int

const (
	// newton sums the log-likelihood, its gradient and observed information.
	newton reading = iota
	// fisher does so with the expected information.
	fisher
	// moments sums Σ w·y·x in place of the gradient and Σ w·xxᵀ in place of
	// the information: what a first guess needs.
	moments
)

type hazardFit struct {
	p        int
	opt      HazardOptions
	lane     [lanes]hazardLane
	first    bool // in the first pass
	rowsSeen int
}

// init makes the lanes' sums.
func (f *hazardFit) init() {
	p := f.p
	for l := range f.lane {
		f.lane[l] = hazardLane{
			grad: make([]float64, p), info: make([]float64, p*p), gram: newGram(p),
			sumX: make([]float64, p), sumX2: make([]float64, p),
			eta: make([]float64, blockRows), d: make([]float64, blockRows), w: make([]float64, blockRows),
		}
	}
}

// pass reads the source once at beta and leaves the sums in lane 0.
func (f *hazardFit) pass(src Source, beta []float64, what reading) error {
	for l := range f.lane {
		s := &f.lane[l]
		s.ll, s.weight, s.events, s.rows, s.badRow, s.badErr = 0, 0, 0, 0, -1, nil
		clear(s.grad)
		clear(s.info)
		s.gram.reset()
	}
	first := 0 // lane of the next block
	f.rowsSeen = 0
	err := src.Pass(func(b Batch) error {
		if len(b.X) != b.Rows*f.p || len(b.Y) != b.Rows || (b.W != nil && len(b.W) != b.Rows) || (b.Offset != nil && len(b.Offset) != b.Rows) {
			panic(fmt.Sprintf("survival: batch of %d rows and %d columns has %d values, %d outcomes", b.Rows, f.p, len(b.X), len(b.Y)))
		}
		blocks := (b.Rows + blockRows - 1) / blockRows
		work := func(lane int) {
			for k := (lane - first + lanes) % lanes; k < blocks; k += lanes {
				lo := k * blockRows
				f.block(&f.lane[lane], b, lo, min(lo+blockRows, b.Rows), beta, what)
			}
		}
		if blocks == 1 {
			work(first)
		} else {
			eachLane(work)
		}
		first = (first + blocks) % lanes
		bad := -1
		for l := range f.lane {
			if r := f.lane[l].badRow; r >= 0 && (bad < 0 || r < f.lane[bad].badRow) {
				bad = l
			}
		}
		if bad >= 0 {
			return f.blame(b, f.lane[bad].badRow, f.lane[bad].badErr)
		}
		f.rowsSeen += b.Rows
		return nil
	})
	if err != nil {
		return err
	}
	s := &f.lane[0]
	for l := range f.lane {
		f.lane[l].gram.addTo(s.info)
	}
	for l := 1; l < lanes; l++ {
		o := &f.lane[l]
		s.ll += o.ll
		s.weight += o.weight
		s.events += o.events
		s.rows += o.rows
		for j, v := range o.grad {
			s.grad[j] += v
		}
		if f.first {
			s.sumOffset += o.sumOffset
			for j := range f.p {
				s.sumX[j] += o.sumX[j]
				s.sumX2[j] += o.sumX2[j]
			}
		}
	}
	return nil
}

// block adds rows lo…hi of b to the sums of a lane.
func (f *hazardFit) block(s *hazardLane, b Batch, lo, hi int, beta []float64, what reading) {
	n := hi - lo
	eta, d, w := s.eta[:n], s.d[:n], s.w[:n]
	x := b.X[lo*f.p : hi*f.p]
	if b.Offset != nil {
		copy(eta, b.Offset[lo:hi])
	} else {
		clear(eta)
	}
	addDot(eta, x, beta)
	for i := range n {
		y, wi := b.Y[lo+i], 1.0
		if b.W != nil {
			wi = b.W[lo+i]
		}
		ok := !math.IsNaN(eta[i]) && !math.IsInf(eta[i], 0) && y >= 0 && y <= 1 && wi >= 0 && !math.IsInf(wi, 0)
		if !ok {
			if s.badRow < 0 {
				s.badRow = lo + i
				switch {
				case !(y >= 0 && y <= 1):
					s.badErr = ErrEvent
				case !(wi >= 0) || math.IsInf(wi, 0):
					s.badErr = ErrWeight
				default:
					s.badErr = ErrNotFinite
				}
			}
			return
		}
		s.weight += wi
		s.events += wi * y
		if what == moments {
			d[i], w[i] = wi*y, wi
			continue
		}
		ll, di, info := f.opt.Link.term(eta[i], y, what == fisher)
		s.ll += wi * ll
		d[i], w[i] = wi*di, wi*info
	}
	s.rows += n
	if f.first {
		s.addMoments(f.p, b, lo, hi)
	}
	addXtV(s.grad, x, d)
	s.gram.add(x, w)
}

// addMoments adds rows lo…hi of b to the first and second moments of the
// columns and of the offset.
func (s *hazardLane) addMoments(p int, b Batch, lo, hi int) {
	for i := lo; i < hi; i++ {
		w := 1.0
		if b.W != nil {
			w = b.W[i]
		}
		for j, v := range b.X[i*p : i*p+p] {
			s.sumX[j] += w * v
			s.sumX2[j] += w * v * v
		}
		if b.Offset != nil {
			s.sumOffset += w * b.Offset[i]
		}
	}
}

// guess replaces beta by one Fisher step from the best constant hazard, from
// the sums of a pass over the moments. beta is left alone where that is not
// possible; the next pass then says why.
func (f *hazardFit) guess(beta []float64) {
	s, p, link := &f.lane[0], f.p, f.opt.Link
	h := s.events / s.weight
	if !(h > 0 && h < 1) {
		return
	}
	eta := link.Eta(h)
	slope := h * (1 - h) // dh/dη
	if link == CLogLog {
		slope = math.Exp(eta) * (1 - h)
	}
	scale := slope * slope / (h * (1 - h)) // information of one row
	a, b := make([]float64, p*p), make([]float64, p)
	for j := range p {
		for k := j; k < p; k++ {
			a[j*p+k] = scale * s.info[j*p+k]
		}
		a[j*p+j] += at(f.opt.Ridge, j)
		b[j] = scale * ((eta-s.sumOffset/s.weight)*s.sumX[j] + (s.grad[j]-h*s.sumX[j])/slope)
	}
	var c chol
	if c.factor(a, p) >= 0 {
		return
	}
	c.solve(b)
	copy(beta, b)
}

// blame finds which value of a batch's row is at fault.
func (f *hazardFit) blame(b Batch, row int, why error) error {
	at := f.rowsSeen + row
	switch {
	case errors.Is(why, ErrEvent):
		return &RowError{Row: at, Value: b.Y[row], Err: why}
	case errors.Is(why, ErrWeight):
		return &RowError{Row: at, Value: b.W[row], Err: why}
	}
	for j := range f.p {
		if v := b.X[row*f.p+j]; math.IsNaN(v) || math.IsInf(v, 0) {
			return &ColumnError{Columns: []string{columnName(f.opt.Names, j)}, Row: at, Err: why}
		}
	}
	value := math.NaN()
	if b.Offset != nil {
		value = b.Offset[row]
	}
	return &RowError{Row: at, Value: value, Err: why}
}

// penalty returns what ridge and L1 take from the log-likelihood at beta.
func (o *HazardOptions) penalty(beta []float64) float64 {
	s := 0.0
	for j, b := range beta {
		if o.Ridge != nil {
			d := b - at(o.Prior, j)
			s += o.Ridge[j] * d * d / 2
		}
		s += at(o.L1, j) * math.Abs(b)
	}
	return s
}

// at returns v[j], and zero where v is nil.
func at(v []float64, j int) float64 {
	if v == nil {
		return 0
	}
	return v[j]
}

// FitHazard fits a discrete-time hazard to person-period rows of p columns by
// Newton's method with step halving, reading src once a step. An intercept is
// a column of ones. Memory does not grow with the number of rows, and the
// result is the same on any number of processors.
//
// With L1 each step minimises the penalised quadratic model by coordinate
// descent (a proximal Newton method). It returns a [ColumnError] for a value
// that is not finite and for a constant or collinear column without Ridge,
// [ErrNoRows], [ErrNoEvents], and panics when lengths disagree. A fit that
// stops early or whose coefficients run away is returned with Converged false
// or Warnings that name the columns.
//
// See Prentice and Gloeckler (1978), doi:10.2307/2529588, and Lee, Sun and
// Saunders (2014), doi:10.1137/130921428.
func FitHazard(src Source, p int, opt HazardOptions) (*Hazard, error) {
	for _, v := range [][]float64{opt.Ridge, opt.Prior, opt.L1, opt.Start} {
		if v != nil && len(v) != p {
			panic(fmt.Sprintf("survival: option of length %d for %d columns", len(v), p))
		}
	}
	if opt.MaxIter == 0 {
		opt.MaxIter = 50
	}
	if opt.Tol == 0 {
		opt.Tol = 1e-8
	}
	f := &hazardFit{p: p, opt: opt}
	f.init()
	h := &Hazard{Link: opt.Link, Names: opt.Names}
	sum := &f.lane[0]
	beta, rms := make([]float64, p), make([]float64, p)
	what := newton
	switch {
	case opt.Start != nil:
		copy(beta, opt.Start)
	case opt.Prior != nil:
		copy(beta, opt.Prior)
	default:
		what = moments
	}
	lasso := false
	for _, v := range opt.L1 {
		lasso = lasso || v > 0
	}
	best := math.Inf(-1)
	step, next := make([]float64, p), make([]float64, p)
	good, info := make([]float64, p), make([]float64, p*p)
	copy(good, beta)
	var c chol
	halvings, gained := 0, 0.0
	for {
		f.first = h.Passes == 0
		if err := f.pass(src, beta, what); err != nil {
			return nil, err
		}
		h.Passes++
		if f.first {
			h.Rows, h.Weight, h.Events = sum.rows, sum.weight, sum.events
			switch {
			case sum.rows == 0:
				return nil, ErrNoRows
			case sum.events == 0:
				return nil, ErrNoEvents
			}
			for j := range rms {
				rms[j] = math.Sqrt(sum.sumX2[j] / sum.weight)
			}
		}
		if what == moments {
			f.guess(beta)
			what = newton
			continue
		}
		pen := sum.ll - opt.penalty(beta)
		if !(pen >= best-1e-10*(1+math.Abs(best))) { // also where it is NaN
			halvings++
			if halvings > 30 || h.Passes > 2*opt.MaxIter {
				copy(beta, good)
				h.Warnings = append(h.Warnings, fmt.Sprintf("stopped after %d step halvings", halvings))
				break
			}
			for j := range beta {
				beta[j] = good[j] + (beta[j]-good[j])/4
			}
			gained = 0
			continue
		}
		halvings, best = 0, pen
		h.LogLik, h.Penalised = sum.ll, pen
		copy(good, beta)

		// The gradient and information of the smooth part.
		copy(info, sum.info)
		copy(step, sum.grad)
		for j := range p {
			r := at(opt.Ridge, j)
			step[j] -= r * (beta[j] - at(opt.Prior, j))
			info[j*p+j] += r
		}
		h.KKT = kkt(step, beta, opt.L1)
		gain := 0.0
		if lasso {
			copy(next, beta)
			quadraticL1(next, beta, step, info, opt.L1, p)
			gain = quadraticGain(next, beta, step, info, opt.L1, p)
		} else {
			if j := c.factor(info, p); j >= 0 {
				if h.Iterations == 0 {
					return nil, collinearError(info, p, j, opt.Names)
				}
				h.Coef = beta
				h.Warnings = append(h.Warnings, "no information is left on column "+columnName(opt.Names, j))
				return h, nil
			}
			copy(next, step)
			c.solve(next)
			for j := range p {
				gain += step[j] * next[j] / 2
				next[j] += beta[j]
			}
		}
		copy(beta, next)
		h.Iterations++
		// Newton squares its error: gainₖ₊₁ ≈ gainₖ³/gainₖ₋₁².
		squares := gain < 1e-4 && gain*gain*gain <= opt.Tol*opt.Tol*gained*gained
		gained = gain
		if gain <= opt.Tol || squares {
			h.Converged = true
			h.Penalised += gain
			h.LogLik = h.Penalised + opt.penalty(beta)
			break
		}
		if h.Iterations >= opt.MaxIter {
			h.Warnings = append(h.Warnings, fmt.Sprintf("did not converge in %d iterations", h.Iterations))
			break
		}
	}
	h.Coef = beta
	if lasso {
		return h, nil
	}
	if opt.Expected {
		if err := f.pass(src, beta, fisher); err != nil {
			return nil, err
		}
		h.Passes++
		copy(info, sum.info)
		for j := range p {
			info[j*p+j] += at(opt.Ridge, j)
		}
		c.factor(info, p)
	}
	h.Cov = c.inverse()
	var away []string
	ridge := make([]float64, p)
	for j, s := range h.SE() {
		ridge[j] = at(opt.Ridge, j)
		// A separated column keeps growing while its information vanishes.
		// One event is enough to keep its standard error times its size near
		// one.
		if ridge[j] == 0 && s*rms[j] > 20 {
			away = append(away, columnName(opt.Names, j))
			ridge[j] = opt.SeparationRidge * rms[j] * rms[j]
		}
	}
	if away == nil {
		return h, nil
	}
	warning := (&ColumnError{Columns: away, Row: -1, Err: ErrSeparated}).Error()
	if opt.SeparationRidge <= 0 {
		h.Warnings = append(h.Warnings, warning)
		return h, nil
	}
	passes := h.Passes
	opt.Ridge = ridge
	h, err := FitHazard(src, p, opt)
	if err != nil {
		return nil, err
	}
	h.Passes += passes
	h.Warnings = append(h.Warnings, fmt.Sprintf("%s; fitted with a ridge of %g instead", warning, opt.SeparationRidge))
	return h, nil
}

// kkt returns the largest violation of the optimality conditions of a smooth
// gradient g (ascent direction) and an L1 penalty at b.
func kkt(g, b, l1 []float64) float64 {
	worst := 0.0
	for j, gj := range g {
		l := at(l1, j)
		switch {
		case b[j] > 0:
			gj -= l
		case b[j] < 0:
			gj += l
		default:
			gj = soft(gj, l)
		}
		worst = max(worst, math.Abs(gj))
	}
	return worst
}

// quadraticGain returns how much the penalised quadratic model rises from b0
// to b.
func quadraticGain(b, b0, g, a, l1 []float64, p int) float64 {
	s := 0.0
	for i := range p {
		di := b[i] - b0[i]
		s += g[i]*di - a[i*p+i]*di*di/2 - at(l1, i)*(math.Abs(b[i])-math.Abs(b0[i]))
		for j := i + 1; j < p; j++ {
			s -= a[i*p+j] * di * (b[j] - b0[j])
		}
	}
	return s
}
