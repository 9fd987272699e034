package survival

import (
	"fmt"
	"math"
)

// Ties says how events at the same time share their risk set.
type Ties int

// The ways to treat ties.
const (
	// Efron lets each of d tied events see the others leave by parts. It is
	// close to the exact likelihood at the price of Breslow's.
	Efron Ties = iota
	// Breslow lets every tied event see the whole risk set.
	Breslow
	// Exact is the conditional likelihood over all subsets of the risk set
	// that could have been the d events. For few ties and few rows.
	Exact
)

func (t Ties) String() string { return [...]string{"efron", "breslow", "exact"}[t] }

// CoxOptions say how a Cox model is fitted. The zero value is Efron's method
// without penalty; MaxIter of zero stands for its default.
type CoxOptions struct {
	Ties Ties
	// Ridge takes ½·Ridgeⱼ·βⱼ² from the log-likelihood; nil is none.
	Ridge []float64
	// L1 takes L1ⱼ·|βⱼ| from it; nil is none.
	L1 []float64
	// Start is where Newton begins; nil is zero.
	Start []float64
	// MaxIter is the largest number of Newton steps. 0 is 50.
	MaxIter int
	// Firth maximises the log-likelihood with Firth's penalty, under which
	// coefficients are finite even where a column separates events from the
	// rest. LR is then of the penalised likelihood.
	Firth bool
	// OnSeparation says what follows when coefficients run away. A fit that
	// was repeated says so in its warnings.
	OnSeparation OnSeparation
	// SeparationRidge is the ridge of RidgeOnSeparation per unit of variance
	// of each column. 0 is 1.
	SeparationRidge float64
	// Robust asks for the sandwich variance also where Data has no clusters;
	// each row is then one.
	Robust bool
}

// Cox is a fitted proportional-hazards model.
type Cox struct {
	Ties       Ties
	Names      []string
	Coef       []float64
	Cov        []float64 // p×p row-major: inverse information (plus ridge); nil with L1
	Robust     []float64 // p×p sandwich variance by cluster; nil where not asked for
	Mean       []float64 // weighted column means, about which columns were centred
	LogLik     float64   // partial log-likelihood, without penalties
	LogLikNull float64   // at zero coefficients
	Score      Test      // of all coefficients being zero
	Wald       Test
	LR         Test
	Rows       int
	Events     int
	Iterations int
	Converged  bool
	KKT        float64 // largest violation of the optimality conditions
	Warnings   []string

	model *coxModel
}

// Test is a χ² statistic with its degrees of freedom and p-value.
type Test struct {
	Stat float64
	DF   int
	P    float64
}

// SE returns the standard errors from the information, or nil without Cov.
func (c *Cox) SE() []float64 { return roots(c.Cov, len(c.Coef)) }

// RobustSE returns the standard errors from the sandwich, or nil without it.
func (c *Cox) RobustSE() []float64 { return roots(c.Robust, len(c.Coef)) }

// roots returns the square roots of the diagonal of a p×p matrix.
func roots(a []float64, p int) []float64 {
	if a == nil {
		return nil
	}
	se := make([]float64, p)
	for j := range se {
		se[j] = math.Sqrt(a[j*p+j])
	}
	return se
}

// coxModel is the partial likelihood on rows in the order of their risk sets.
//
// Sums over a risk set are running sums from the end of a stratum. Only two
// of the three need rows: with r = w·exp(η) and H the increments of hazard,
// the information is Σᵢ rᵢ·(H(tᵢ)−H(sᵢ))·xᵢxᵢᵀ, one weighted product over all
// rows, minus one product of means per event time. No risk set has a matrix
// of its own.
type coxModel struct {
	*riskSets
	p     int
	ties  Ties
	cause uint8 // the code of the event
	d     *Data
	x     []float64 // rows in use × p, centred
	mean  []float64
	span  []float64 // range of each column
	w     []float64 // nil for ones
	off   []float64 // nil for zeros
	event []bool
	cut   [lanes + 1]int // rows of each lane
	cutLo [lanes + 1]int // the same in the order byLo
	runs  [lanes][]run   // what the rows of each lane belong to

	eta, r   []float64
	shift    float64   // of the offsets
	eventSum []float64 // Σ w·x over the events
	// Σ w·(offset − shift) over them.
	eventOffset float64
	factor      []float64 // weight of each position in the derivatives; nil for ones
	// Per position: sums over the risk set and over the events in it.
	s0, d0, dw []float64
	// Per position, from these: increments of hazard for those at risk (h)
	// and for the events themselves (hd); weights of the products of means.
	h, hd, a, b, c []float64
	cum            []float64 // running sum of h within the stratum
	s1, d1         []float64 // positions × p, as s0 and d0; d1 is nil where no events are tied under Efron
	lane           [lanes]coxLane
	exact          *exactTies
	sub            *subdistribution // nil unless Fine-Gray
}

// run is a number of consecutive rows of one position that were entered at
// another, all events or none, which end at row end. It does not cross a block.
type run struct {
	end, position, entry int32
	event                bool
}

type coxLane struct {
	gram          *gram
	head, headD   []float64 // sums of the position shared with the lane before
	headLo        []float64
	risk, riskD   float64   // the same of r alone
	entered       []float64 // positions × (p+1): r·x and r of rows entered there; nil where that is too much
	sum           []float64 // r·x of a run
	v             []float64 // weights in the information of a block of rows
	ll            float64
	block, weight []float64 // a block of positions
}

// enteredCells bounds what all lanes keep of rows entered late by position, in
// numbers. Beyond it such rows are summed in the order of their entry, which
// memory likes less.
const enteredCells = 4 << 20

// newCoxModel sorts and centres the data.
func newCoxModel(d *Data, cause uint8, ties Ties, competing bool) (*coxModel, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	sets, err := newRiskSets(d, cause, competing)
	if err != nil {
		return nil, err
	}
	p := len(d.Columns)
	m := &coxModel{riskSets: sets, p: p, ties: ties, cause: cause, d: d}
	n := len(m.order)
	m.mean, m.span, m.eventSum = make([]float64, p), make([]float64, p), make([]float64, p)
	m.x = make([]float64, n*p)
	m.event = make([]bool, n)
	for i, row := range m.order {
		m.event[i] = d.Event[row] == cause
	}
	if d.Weight != nil {
		m.w = make([]float64, n)
		for i, row := range m.order {
			m.w[i] = d.Weight[row]
		}
	}
	if d.Offset != nil {
		m.off = make([]float64, n)
		for i, row := range m.order {
			m.off[i] = d.Offset[row]
			m.shift += (m.off[i] - m.shift) / float64(i+1)
		}
		for i, o := range m.off {
			if m.event[i] {
				m.eventOffset += m.weight(i) * (o - m.shift)
			}
		}
	}
	for l := range m.cut {
		m.cut[l] = n * l / lanes
	}
	m.cutLo = m.cut
	bad := make([]error, p)
	eachLane(func(lane int) {
		for j := lane; j < p; j += lanes {
			bad[j] = m.moments(j)
		}
	})
	for _, err := range bad {
		if err != nil {
			return nil, err
		}
	}
	m.fill()
	m.findRuns()
	m.eta, m.r = make([]float64, n), make([]float64, n)
	k := len(m.time)
	for _, v := range []*[]float64{&m.s0, &m.d0, &m.dw, &m.h, &m.hd, &m.a, &m.b, &m.c, &m.cum} {
		*v = make([]float64, k)
	}
	m.s1 = make([]float64, k*p)
	tied := false
	for _, e := range m.events {
		tied = tied || e > 1
	}
	if tied && ties != Breslow {
		m.d1 = make([]float64, k*p)
	}
	for i, e := range m.event {
		if e {
			m.dw[m.hi[i]] += m.weight(i)
		}
	}
	for l := range m.lane {
		s := &m.lane[l]
		s.gram = newGram(p)
		s.head, s.headD, s.headLo = make([]float64, p), make([]float64, p), make([]float64, p)
		s.v, s.weight, s.block = make([]float64, blockRows), make([]float64, blockRows), make([]float64, blockRows*p)
		if m.byLo != nil && lanes*k*(p+1) <= enteredCells {
			s.entered, s.sum = make([]float64, k*(p+1)), make([]float64, p)
		}
	}
	if ties == Exact {
		if d.Weight != nil {
			return nil, fmt.Errorf("exact ties do not take weights: %w", ErrWeight)
		}
		m.exact = newExactTies(m)
	}
	return m, nil
}

// fill copies the columns into x. The columns are read in their own order,
// which memory likes, and each row is written where it belongs.
func (m *coxModel) fill() {
	d, p := m.d, m.p
	at := make([]int32, d.Rows())
	if len(m.order) < len(at) {
		for i := range at {
			at[i] = -1
		}
	}
	for i, row := range m.order {
		at[row] = int32(i)
	}
	eachLane(func(lane int) {
		end := len(at) * (lane + 1) / lanes
		block := make([]float64, blockRows*p)
		for lo := len(at) * lane / lanes; lo < end; lo += blockRows {
			hi := min(lo+blockRows, end)
			rowsOf(block, p, d.Columns, m.mean, lo, hi)
			for i, to := range at[lo:hi] {
				if to >= 0 {
					copy(m.x[int(to)*p:int(to)*p+p], block[i*p:])
				}
			}
		}
	})
	m.addEvents(m.eventSum, nil)
}

// findRuns fills runs.
func (m *coxModel) findRuns() {
	eachLane(func(lane int) {
		end := m.cut[lane+1]
		for lo := m.cut[lane]; lo < end; lo += blockRows {
			hi := min(lo+blockRows, end)
			for i := lo; i < hi; {
				r := run{position: m.hi[i], entry: m.lo[i], event: m.event[i]}
				for i++; i < hi && m.hi[i] == r.position && m.lo[i] == r.entry && m.event[i] == r.event; i++ {
				}
				r.end = int32(i)
				m.runs[lane] = append(m.runs[lane], r)
			}
		}
	})
}

// one returns v[g], and one where v is nil.
func one(v []float64, g int) float64 {
	if v == nil {
		return 1
	}
	return v[g]
}

// weight returns the weight of row i in use.
func (m *coxModel) weight(i int) float64 {
	if m.w == nil {
		return 1
	}
	return m.w[i]
}

// moments stores mean and range of column j over all rows of positive weight
// and returns an error where a value is not finite or all are the same.
func (m *coxModel) moments(j int) error {
	col, d := m.d.Columns[j], m.d
	var sum, weight float64
	lo, hi := math.Inf(1), math.Inf(-1)
	if d.Weight == nil {
		for _, v := range col {
			sum += v
			lo, hi = min(lo, v), max(hi, v)
		}
		weight = float64(len(col))
	} else {
		for i, w := range d.Weight {
			if w > 0 {
				sum += w * col[i]
				weight += w
				lo, hi = min(lo, col[i]), max(hi, col[i])
			}
		}
	}
	name := []string{columnName(d.Names, j)}
	if math.IsNaN(sum) || math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		for i, v := range col {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return &ColumnError{Columns: name, Row: i, Err: ErrNotFinite}
			}
		}
	}
	m.mean[j], m.span[j] = sum/weight, hi-lo
	if isConstant(lo, hi) {
		return &ColumnError{Columns: name, Row: -1, Err: ErrConstant}
	}
	return nil
}

// size returns the standard deviation of column j.
func (m *coxModel) size(j int) float64 {
	if m.d.Columns[j] == nil { // streamed: at most half the range
		return m.span[j] / 2
	}
	sum, weight := 0.0, 0.0
	for i, v := range m.d.Columns[j] {
		w := m.d.weight(i)
		sum += w * (v - m.mean[j]) * (v - m.mean[j])
		weight += w
	}
	return math.Sqrt(sum / weight)
}

// value stores η and r = w·exp(η) of every row, sums r, and r·x, over risk
// sets, and returns the partial log-likelihood.
func (m *coxModel) value(beta []float64) float64 {
	m.sumRows(beta)
	if m.exact != nil {
		return m.exact.value()
	}
	m.suffixRisk()
	ll := m.eventOffset
	for j, b := range beta {
		ll += b * m.eventSum[j]
	}
	return ll + m.hazards()
}

// sumRows fills eta and r, and s0, d0, s1 and d1 with sums over the rows of a
// position while they are in the cache. Linear predictors are shifted to a
// mean of about zero, which the partial likelihood does not see, so that
// offsets of any size do not overflow.
func (m *coxModel) sumRows(beta []float64) {
	clear(m.s0)
	clear(m.d0)
	clear(m.s1)
	clear(m.d1)
	eachLane(func(lane int) { m.sumLane(lane, beta) })
	p := m.p
	// Positions shared by two lanes, in order.
	for l := range m.lane {
		if m.cut[l] == m.cut[l+1] {
			continue
		}
		s := &m.lane[l]
		g := int(m.hi[m.cut[l]])
		m.s0[g] += s.risk
		m.d0[g] += s.riskD
		for j, v := range s.head {
			m.s1[g*p+j] += v
		}
		if m.d1 != nil {
			for j, v := range s.headD {
				m.d1[g*p+j] += v
			}
		}
	}
	for k, v := range m.d1 {
		m.s1[k] += v
	}
	for k, v := range m.d0 {
		m.s0[k] += v
	}
	switch {
	case m.lane[0].entered != nil:
		for l := range m.lane {
			for g := range m.s0 {
				from := m.lane[l].entered[g*(p+1) : (g+1)*(p+1)]
				m.s0[g] -= from[p]
				to := m.s1[g*p : g*p+p]
				for j, v := range from[:p] {
					to[j] -= v
				}
			}
		}
	case m.byLo != nil:
		eachLane(m.leaveLane)
		for l := range m.lane {
			if m.cutLo[l] == m.cutLo[l+1] {
				continue
			}
			s := &m.lane[l]
			g := int(m.lo[m.byLo[m.cutLo[l]]])
			m.s0[g] -= s.risk
			for j, v := range s.headLo {
				m.s1[g*p+j] -= v
			}
		}
	}
	m.scan()
}

// sumLane does the work of one lane in sumRows.
func (m *coxModel) sumLane(lane int, beta []float64) {
	s, p := &m.lane[lane], m.p
	clear(s.head)
	clear(s.headD)
	clear(s.entered)
	s.risk, s.riskD = 0, 0
	end := m.cut[lane+1]
	if m.cut[lane] == end {
		return
	}
	shared := m.hi[m.cut[lane]]
	runs := m.runs[lane]
	for lo := m.cut[lane]; lo < end; lo += blockRows {
		hi := min(lo+blockRows, end)
		eta, r := m.eta[lo:hi], m.r[lo:hi]
		if m.off != nil {
			for i := range eta {
				eta[i] = m.off[lo+i] - m.shift
			}
		} else {
			clear(eta)
		}
		addDot(eta, m.x[lo*p:hi*p], beta)
		expTo(r, eta)
		if m.w != nil {
			for i := range r {
				r[i] *= m.w[lo+i]
			}
		}
		for first := lo; first < hi; runs = runs[1:] {
			g, end := int(runs[0].position), int(runs[0].end)
			to, risk := s.head, &s.risk
			own := runs[0].position != shared
			switch {
			case runs[0].event && own:
				risk = &m.d0[g]
			case runs[0].event:
				risk = &s.riskD
			case own:
				risk = &m.s0[g]
			}
			of := m.s1
			if runs[0].event && m.d1 != nil {
				of, to = m.d1, s.headD
			}
			if own {
				to = of[g*p : g*p+p]
			}
			sum := sumOf(m.r[first:end])
			*risk += sum
			if s.entered == nil {
				addXtV(to, m.x[first*p:end*p], m.r[first:end])
			} else {
				clear(s.sum)
				addXtV(s.sum, m.x[first*p:end*p], m.r[first:end])
				out := s.entered[int(runs[0].entry)*(p+1):][:p+1]
				for j, v := range s.sum {
					to[j] += v
					out[j] += v
				}
				out[p] += sum
			}
			first = end
		}
	}
}

// suffixRisk turns s0 from sums of a position's own rows into sums over risk
// sets.
func (m *coxModel) suffixRisk() {
	for s := range m.label {
		sum := 0.0
		for g := m.first[s+1] - 1; g > m.first[s]; g-- {
			sum += m.s0[g]
			// What was entered later and taken out again leaves rounding
			// behind; a risk set is never less than its events.
			m.s0[g] = max(sum, m.d0[g])
		}
	}
	if m.sub != nil {
		m.sub.addRisk(m)
	}
}

// hazards fills the per-position numbers that follow from s0, d0 and dw, and
// returns what the risk sets add to the log-likelihood.
func (m *coxModel) hazards() float64 {
	k := len(m.time)
	eachLane(func(lane int) {
		ll := 0.0
		for g := k * lane / lanes; g < k*(lane+1)/lanes; g++ {
			if m.events[g] > 0 {
				ll -= m.position(g)
			}
		}
		m.lane[lane].ll = ll
	})
	ll := 0.0
	for l := range m.lane {
		ll += m.lane[l].ll
	}
	for s := range m.label {
		sum := 0.0
		for g := m.first[s]; g < m.first[s+1]; g++ {
			sum += m.h[g]
			m.cum[g] = sum
		}
	}
	if m.sub != nil {
		m.sub.accumulate(m)
	}
	return ll
}

// position fills h, hd, a, b and c of one position and returns the logarithm
// of the denominator of its likelihood.
func (m *coxModel) position(g int) float64 {
	s, dw, d := m.s0[g], m.dw[g], float64(m.events[g])
	if m.ties == Breslow || d == 1 {
		m.h[g] = dw / s
		m.hd[g] = m.h[g]
		m.a[g] = dw / (s * s)
		return dw * math.Log(s)
	}
	// With f = k/d and u = 1 − f·D/S the sums over k of 1/u, f/u, 1/u² and so
	// on are those of the d risk sets that shrink by a d-th of the events.
	share := m.d0[g] / s / d
	var h, hf, a, b, c float64
	logs, product := 0.0, 1.0
	for k := 0.0; k < d; k++ {
		u := 1 - k*share
		product *= u
		if product < 1e-200 {
			logs += math.Log(product)
			product = 1
		}
		q, f := 1/u, k/d
		h += q
		hf += f * q
		q *= q
		a += q
		b += f * q
		c += f * f * q
	}
	logs += math.Log(product)
	mw := dw / d
	m.h[g] = mw * h / s
	m.hd[g] = mw * (h - hf) / s
	mw /= s * s
	m.a[g], m.b[g], m.c[g] = mw*a, -mw*b, mw*c
	return dw*math.Log(s) + dw/d*logs
}

// derivatives stores gradient and information at the last value.
func (m *coxModel) derivatives(grad, info []float64) {
	if m.exact != nil {
		m.exact.derivatives(grad, info)
		return
	}
	eachLane(m.gramLane)
	clear(info)
	for l := range m.lane {
		m.lane[l].gram.addTo(info)
	}
	m.finishDerivatives(grad, info)
}

// finishDerivatives stores the gradient, and takes the means of the risk sets
// from info, which holds the rows' information.
func (m *coxModel) finishDerivatives(grad, info []float64) {
	p := m.p
	clear(grad)
	m.gradient(grad)
	raw := make([]float64, p)
	for j := range p {
		raw[j] = info[j*p+j]
	}
	m.subtractMeans(info)
	for j := range p {
		// Within rounding of nothing: constant in every risk set.
		if m.factor == nil && info[j*p+j] <= 1e-13*raw[j] {
			info[j*p+j] = 0
		}
	}
}

// addEvents adds the covariates of the events, weighted by f at their
// positions (nil for ones).
func (m *coxModel) addEvents(dst, f []float64) {
	p := m.p
	for i, e := range m.event {
		if e {
			w := m.weight(i) * one(f, int(m.hi[i]))
			for j, v := range m.x[i*p : i*p+p] {
				dst[j] += w * v
			}
		}
	}
}

// gradient stores the covariates of the events less their risk sets' means.
func (m *coxModel) gradient(grad []float64) {
	p := m.p
	if m.factor != nil {
		m.addEvents(grad, m.factor)
	} else {
		copy(grad, m.eventSum)
	}
	for g, h := range m.h {
		if m.events[g] == 0 {
			continue
		}
		for j, v := range m.s1[g*p : g*p+p] {
			grad[j] -= h * v
		}
		if less := h - m.hd[g]; m.d1 != nil {
			for j, v := range m.d1[g*p : g*p+p] {
				grad[j] += less * v
			}
		}
	}
}

// gramLane adds up the information of one lane's rows.
func (m *coxModel) gramLane(lane int) {
	s, p := &m.lane[lane], m.p
	s.gram.reset()
	end := m.cut[lane+1]
	for lo := m.cut[lane]; lo < end; lo += blockRows {
		hi := min(lo+blockRows, end)
		v := s.v[:hi-lo]
		for i := lo; i < hi; i++ {
			g := m.hi[i]
			h := m.cum[g]
			if m.event[i] {
				h -= m.h[g] - m.hd[g]
			}
			if m.byLo != nil {
				h -= m.cum[m.lo[i]]
			}
			if m.sub != nil {
				h += m.sub.after(i, g)
			}
			v[i-lo] = m.r[i] * h
		}
		s.gram.add(m.x[lo*p:hi*p], v)
	}
}

// leaveLane takes the rows entered after a position out of its sums.
func (m *coxModel) leaveLane(lane int) {
	p, end := m.p, m.cutLo[lane+1]
	head := m.lane[lane].headLo
	clear(head)
	m.lane[lane].risk = 0
	if m.cutLo[lane] == end {
		return
	}
	shared := m.lo[m.byLo[m.cutLo[lane]]]
	for k := m.cutLo[lane]; k < end; k++ {
		i := int(m.byLo[k])
		r, row := m.r[i], m.x[i*p:i*p+p]
		if g := m.lo[i]; g != shared {
			to := m.s1[int(g)*p : int(g)*p+p]
			m.s0[g] -= r
			for j, v := range row {
				to[j] -= r * v
			}
			continue
		}
		m.lane[lane].risk += r
		for j, v := range row {
			head[j] += r * v
		}
	}
}

// scan turns s1 from sums of a position's own rows into sums over risk sets.
func (m *coxModel) scan() {
	p := m.p
	for s := range m.label {
		for g := int(m.first[s+1]) - 2; g > int(m.first[s]); g-- {
			to := m.s1[g*p : g*p+p]
			for j, v := range m.s1[(g+1)*p : (g+1)*p+p] {
				to[j] += v
			}
		}
	}
	if m.sub != nil {
		m.sub.addMeans(m)
	}
}

// subtractMeans takes Σ a·S₁S₁ᵀ + b·(S₁D₁ᵀ + D₁S₁ᵀ) + c·D₁D₁ᵀ over all
// positions from info. Completing the square makes it two weighted products.
func (m *coxModel) subtractMeans(info []float64) {
	p, k := m.p, len(m.time)
	eachLane(func(lane int) {
		s := &m.lane[lane]
		s.gram.reset()
		for lo := k * lane / lanes; lo < k*(lane+1)/lanes; lo += blockRows {
			hi := min(lo+blockRows, k*(lane+1)/lanes)
			if m.d1 == nil {
				s.gram.add(m.s1[lo*p:hi*p], m.a[lo:hi])
				continue
			}
			rest := s.weight[:hi-lo]
			for g := lo; g < hi; g++ {
				ratio := 0.0
				if m.a[g] != 0 {
					ratio = m.b[g] / m.a[g]
				}
				rest[g-lo] = m.c[g] - ratio*m.b[g]
				to := s.block[(g-lo)*p : (g-lo)*p+p]
				for j := range to {
					to[j] = m.s1[g*p+j] + ratio*m.d1[g*p+j]
				}
			}
			s.gram.add(s.block[:(hi-lo)*p], m.a[lo:hi])
			s.gram.add(m.d1[lo*p:hi*p], rest)
		}
	})
	sum := make([]float64, p*p)
	for l := range m.lane {
		m.lane[l].gram.addTo(sum)
	}
	for j, v := range sum {
		info[j] -= v
	}
}

// FitCox fits a proportional-hazards model by maximum partial likelihood.
// Rows whose Event is 1 end in the event, all others are censored.
//
// It returns a [ColumnError] for values that are not finite and for constant
// and collinear columns, a [RowError] for impossible times, weights and
// offsets, [ErrNoRows] and [ErrNoEvents]. Where a column separates events
// from the rest the fit is returned with a warning that names it, or repeated
// as opt.OnSeparation says.
//
// See Cox (1972), doi:10.1111/j.2517-6161.1972.tb00899.x, Efron (1977),
// doi:10.2307/2286217, and Therneau and Grambsch (2000),
// doi:10.1007/978-1-4757-3294-8.
func FitCox(d *Data, opt CoxOptions) (*Cox, error) {
	m, err := newCoxModel(d, 1, opt.Ties, false)
	if err != nil {
		return nil, err
	}
	return m.fit(opt)
}

func (m *coxModel) fit(opt CoxOptions) (*Cox, error) {
	p, d := m.p, m.d
	if opt.MaxIter == 0 {
		opt.MaxIter = 50
	}
	c := &Cox{Ties: opt.Ties, Names: d.Names, Rows: m.rows, Events: m.total, Mean: m.mean, model: m}
	if p == 0 {
		c.Coef, c.Cov = []float64{}, []float64{}
		c.LogLik = m.value(c.Coef)
		c.LogLikNull, c.Converged = c.LogLik, true
		if m.exact != nil {
			m.suffixRisk()
			m.hazards()
		}
		return c, nil
	}
	nopt := newtonOptions{names: d.Names, start: opt.Start, ridge: opt.Ridge, l1: opt.L1, maxIter: opt.MaxIter, events: m.sumEvents}
	climb := func() (*newtonFit, error) { return maximise(m, p, nopt) }
	if opt.Firth {
		climb = func() (*newtonFit, error) { return m.firth(nopt) }
	}
	f, err := climb()
	if err != nil {
		return nil, err
	}
	if away := m.runaway(f, opt.Ridge); away != nil {
		switch opt.OnSeparation {
		case ReportSeparation:
			f.converged = false
			f.warnings = append(f.warnings, away.Error())
		case RidgeOnSeparation:
			setDefault(&opt.SeparationRidge, 1)
			nopt.start, nopt.ridge = nil, make([]float64, p)
			for j := range nopt.ridge {
				size := m.size(j)
				nopt.ridge[j] = at(opt.Ridge, j) + opt.SeparationRidge*size*size
			}
			if f, err = maximise(m, p, nopt); err != nil {
				return nil, err
			}
			f.warnings = append(f.warnings, fmt.Sprintf("%v; fitted with a ridge of %g instead", away, opt.SeparationRidge))
		case FirthOnSeparation:
			if f, err = m.firth(nopt); err != nil {
				return nil, err
			}
			f.warnings = append(f.warnings, fmt.Sprintf("%v; fitted with Firth's penalty instead", away))
		}
	}
	c.Coef, c.Cov, c.LogLik, c.KKT = f.beta, f.cov, f.logLik, f.kkt
	c.Iterations, c.Converged, c.Warnings = f.iterations, f.converged, f.warnings
	c.LogLikNull = f.startLL
	score := f.startScore
	if nopt.start != nil || nopt.ridge != nil || nopt.l1 != nil {
		c.LogLikNull, score = m.null()
		m.value(c.Coef)
	}
	if m.exact != nil {
		// Baseline and residuals are Efron's.
		m.suffixRisk()
		m.hazards()
	}
	c.Score = chiSquare(score, p)
	c.LR = chiSquare(2*(c.LogLik-c.LogLikNull), p)
	if f.penalised != 0 {
		c.LR = chiSquare(f.penalised, p)
	}
	if c.Cov != nil {
		c.Wald = chiSquare(quadraticForm(f.info, c.Coef, p), p)
	}
	if (d.Cluster != nil || opt.Robust) && len(c.Cov) > 0 {
		c.Robust = c.sandwich()
	}
	return c, nil
}

// null returns log-likelihood and score statistic at zero.
func (m *coxModel) null() (ll, score float64) {
	p := m.p
	g, info := make([]float64, p), make([]float64, p*p)
	ll = m.value(make([]float64, p))
	m.derivatives(g, info)
	var c chol
	if c.factor(info, p) >= 0 {
		return ll, math.NaN()
	}
	s := append([]float64(nil), g...)
	c.solve(s)
	for j := range g {
		score += g[j] * s[j]
	}
	return ll, score
}

// runaway names the columns whose coefficients have no finite estimate:
// theirs is the information that vanished, so that a standard deviation of
// the column is known to no better than a factor exp(±1000).
func (m *coxModel) runaway(f *newtonFit, ridge []float64) error {
	if f.cov == nil && f.stuck < 0 {
		return nil
	}
	var cols []string
	for j := range m.p {
		away := j == f.stuck
		if f.cov != nil {
			away = math.Sqrt(f.cov[j*m.p+j])*m.span[j] > 1e3 && math.Sqrt(f.cov[j*m.p+j])*m.size(j) > 1e3
		}
		if away && at(ridge, j) == 0 {
			cols = append(cols, columnName(m.d.Names, j))
		}
	}
	if cols == nil {
		return nil
	}
	return &ColumnError{Columns: cols, Row: -1, Err: ErrSeparated}
}

// quadraticForm returns bᵀAb for the symmetric A whose upper triangle is a.
func quadraticForm(a, b []float64, p int) float64 {
	s := 0.0
	for i := range p {
		s += a[i*p+i] * b[i] * b[i]
		for j := i + 1; j < p; j++ {
			s += 2 * a[i*p+j] * b[i] * b[j]
		}
	}
	return s
}
