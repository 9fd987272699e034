package bandit

import (
	"fmt"
	"math"
	"slices"
)

// negligible is a mass that only rounding leaves: of a segment that every
// debtor has left, or of a debtor forgotten.
const negligible = 1e-9

// Posterior is what a Pooled learner believed at one Solve. It never changes
// and any number of goroutines may read it.
type Posterior struct {
	layout   layout
	noise    float64 // σ²
	theta    []float64
	spread   []float64 // p×p covariance of θ
	segments []branch  // the last one stands for NoSegment
	leaves   []leaf
	home     []int32   // segment of each leaf
	current  []int32   // leaf of each debtor
	deviance []float64 // prior variance of a debtor's deviation, per deviating coefficient
	mass     float64
}

// branch is the posterior of θ + u_segment: mean (p) and covariance (p×p).
type branch struct {
	mean []float64
	cov  []float64
}

// leaf is the posterior of θ + u_segment + u_debtor where it differs from the
// branch: the deviation of the mean (per position in layout.debtor) and the
// rows of the covariance that belong to the deviating coefficients (q×p). It is
// empty for a debtor without data.
type leaf struct {
	shift []float64
	rows  []float64
}

// message is what eliminating the deviation u of one group leaves behind. With
// M = A_uu + σ²/τ²: gain K = M⁻¹·A_u· (q×p), offset g = M⁻¹·b_u, inverse M⁻¹.
type message struct {
	gain, offset, inverse []float64
}

// Posterior returns the posterior of the last Solve. It takes no lock.
func (p *Pooled) Posterior() *Posterior { return p.posterior.Load() }

// Solve computes the posterior of everything observed so far and publishes it.
// Readers go on with the previous one meanwhile. The cost is one small
// factorisation per debtor, about 2 µs each with 16 features of which two
// deviate.
func (p *Pooled) Solve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.publish()
}

// publish is Solve for a caller that holds the lock.
func (p *Pooled) publish() {
	post, _, ok := p.solve()
	if !ok {
		panic("bandit: posterior precision is not positive definite")
	}
	p.posterior.Store(post)
	clear(p.news)
}

// Tune re-estimates the noise and, level by level, how far groups deviate, by
// rounds steps of expectation-maximisation from the present values, then
// publishes the posterior. The prior guesses of PooledConfig count with the
// weights given there.
//
// The noise step divides by the residual degrees of freedom as in MacKay
// (1992), doi:10.1162/neco.1992.4.3.415; the spreads are the EM step of Laird
// and Ware (1982).
func (p *Pooled) Tune(rounds int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range rounds {
		_, m, ok := p.solve()
		if !ok {
			break // publish reports it
		}
		c := p.config
		prior := float64(c.NoiseSD * c.NoiseSD)
		left := max(p.mass-m.freedom, 0)
		p.hyper.noise = (float64(c.NoiseWeight*prior) + m.residual) / (c.NoiseWeight + left)
		p.retune(p.hyper.segment, p.layout.segment, m.segment, m.segments, func(k Coefficient) float64 { return k.SegmentSD })
		p.retune(p.hyper.debtor, p.layout.debtor, m.debtor, m.debtors, func(k Coefficient) float64 { return k.DebtorSD })
	}
	p.publish()
}

// retune replaces the variances of one level by their expectation over groups
// groups with second moments moment.
func (p *Pooled) retune(variance []float64, positions []int, moment []float64, groups float64, sd func(Coefficient) float64) {
	for i, d := range positions {
		s := sd(p.config.Coefficients[p.layout.deviating[d]])
		prior := float64(s * s)
		variance[i] = (float64(p.config.PoolWeight*prior) + moment[i]) / (p.config.PoolWeight + groups)
	}
}

// moments are the expectations that Tune needs.
type moments struct {
	residual          float64   // Σ w·(r − φ·mean)²
	freedom           float64   // parameters that the data determine
	segment, debtor   []float64 // Σ over groups of E[u²]
	segments, debtors float64   // groups with data
}

// solve eliminates debtors, then segments, then solves for θ and goes back
// down. It reports false where the statistics are not those of any data. The
// caller holds the lock.
func (p *Pooled) solve() (*Posterior, moments, bool) {
	l, n := p.layout, p.layout.p
	noise := p.hyper.noise

	// Upwards. Everything is summed in index order.
	a, b := slices.Clone(p.a), slices.Clone(p.b)
	segments := make([]group, len(p.segment)+1)
	for s := range p.segment {
		segments[s] = group{slices.Clone(p.segment[s].rows), slices.Clone(p.segment[s].b), p.segment[s].mass}
	}
	none := len(p.segment)
	segments[none] = group{rows: make([]float64, len(l.deviating)*n), b: make([]float64, len(l.deviating))}

	quadratic := p.squares // minimum of Σ w·(r − φ·c)² + σ²·penalty, so far
	up := make([]message, len(p.leaf))
	change, shift := make([]float64, n*n), make([]float64, n)
	for i := range p.leaf {
		g := &p.leaf[i]
		if g.mass <= negligible || len(l.debtor) == 0 {
			continue
		}
		var ok bool
		if up[i], ok = eliminate(g, l, l.debtor, p.hyper.debtor, noise); !ok {
			return nil, moments{}, false
		}
		quadratic -= explained(g, l.debtor, up[i].offset)
		reduction(change, shift, g, l, l.debtor, up[i])
		axpy(a, -1, change)
		axpy(b, -1, shift)
		if s := p.home[i]; s >= 0 {
			for d, j := range l.deviating {
				axpy(segments[s].rows[d*n:(d+1)*n], -1, change[j*n:(j+1)*n])
				segments[s].b[d] -= shift[j]
			}
		}
	}
	across := make([]message, len(segments))
	for s := range segments {
		if len(l.segment) == 0 {
			break
		}
		g := &segments[s]
		var ok bool
		if across[s], ok = eliminate(g, l, l.segment, p.hyper.segment, noise); !ok {
			return nil, moments{}, false
		}
		quadratic -= explained(g, l.segment, across[s].offset)
		reduction(change, shift, g, l, l.segment, across[s])
		axpy(a, -1, change)
		axpy(b, -1, shift)
	}
	for j, k := range p.config.Coefficients {
		precision := noise / float64(k.SD*k.SD)
		a[j*n+j] += precision
		b[j] += float64(precision * k.Mean)
		quadratic += float64(precision * float64(k.Mean*k.Mean))
	}
	if !cholesky(a, n) {
		return nil, moments{}, false
	}
	theta := slices.Clone(b)
	solve(a, n, theta)
	quadratic -= dot(b, theta)
	spread := make([]float64, n*n)
	invert(spread, a, n)
	for i := range spread {
		spread[i] *= noise
	}

	post := &Posterior{
		layout: l, noise: noise, theta: theta, spread: spread, mass: p.mass,
		segments: make([]branch, len(segments)),
		leaves:   make([]leaf, len(p.leaf)),
		home:     slices.Clone(p.home),
		current:  slices.Clone(p.current),
		deviance: slices.Clone(p.hyper.debtor),
	}
	m := moments{segment: make([]float64, len(l.segment)), debtor: make([]float64, len(l.debtor))}
	penalty := 0.0
	for j, k := range p.config.Coefficients {
		v, d := float64(k.SD*k.SD), theta[j]-k.Mean
		penalty += float64(d*d) / v
		m.freedom += 1 - spread[j*n+j]/v
	}

	// Downwards.
	for s := range segments {
		mean, rows, second := descend(theta, spread, l, l.segment, across[s], noise)
		full := slices.Clone(theta)
		cov := slices.Clone(spread)
		place(full, cov, l, l.segment, mean, rows)
		post.segments[s] = branch{full, cov}
		if s < none && p.segment[s].mass > negligible {
			m.segments++
			for i, v := range p.hyper.segment {
				m.segment[i] += second[i]
				penalty += float64(mean[i]*mean[i]) / v
				m.freedom += 1 - (second[i]-float64(mean[i]*mean[i]))/v
			}
		}
	}
	for i := range p.leaf {
		if up[i].gain == nil {
			continue
		}
		home := post.branchOf(p.home[i])
		mean, rows, second := descend(home.mean, home.cov, l, l.debtor, up[i], noise)
		post.leaves[i] = leaf{mean, rows}
		m.debtors++
		for k, v := range p.hyper.debtor {
			m.debtor[k] += second[k]
			penalty += float64(mean[k]*mean[k]) / v
			m.freedom += 1 - (second[k]-float64(mean[k]*mean[k]))/v
		}
	}
	m.residual = max(quadratic-float64(noise*penalty), 0)
	return post, m, true
}

// eliminate factors M = A_uu + σ²/τ² of the deviating positions sub of g.
func eliminate(g *group, l layout, sub []int, variance []float64, noise float64) (message, bool) {
	q, n := len(sub), l.p
	out := message{make([]float64, q*n), make([]float64, q), make([]float64, q*q)}
	if g.mass == 0 {
		for i, v := range variance {
			out.inverse[i*q+i] = v / noise
		}
		return out, true
	}
	m := make([]float64, q*q)
	for i, d := range sub {
		for k, e := range sub {
			m[i*q+k] = g.rows[d*n+l.deviating[e]]
		}
		m[i*q+i] += noise / variance[i]
	}
	if !cholesky(m, q) {
		return message{}, false
	}
	invert(out.inverse, m, q)
	for i := range sub {
		for k, e := range sub {
			w := out.inverse[i*q+k]
			axpy(out.gain[i*n:(i+1)*n], w, g.rows[e*n:(e+1)*n])
			out.offset[i] += float64(w * g.b[e])
		}
	}
	return out, true
}

// explained returns b_uᵀ·M⁻¹·b_u.
func explained(g *group, sub []int, offset []float64) float64 {
	sum := 0.0
	for i, d := range sub {
		sum += float64(g.b[d] * offset[i])
	}
	return sum
}

// reduction stores A_uᵀ·K in change (p×p) and A_uᵀ·g in shift (p): what the
// statistics of the parent lose because u is unknown.
func reduction(change, shift []float64, g *group, l layout, sub []int, m message) {
	n := l.p
	clear(change)
	clear(shift)
	for i, d := range sub {
		row, gain := g.rows[d*n:(d+1)*n], m.gain[i*n:(i+1)*n]
		for j, v := range row {
			if v != 0 {
				axpy(change[j*n:(j+1)*n], v, gain)
			}
		}
		axpy(shift, m.offset[i], row)
	}
}

// descend returns, for a group with message m below a parent with the given
// mean and covariance V, the mean of u, the rows of Cov(parent + u) at the
// deviating coefficients (q×p), and E[u²].
func descend(parent, v []float64, l layout, sub []int, m message, noise float64) (mean, rows, second []float64) {
	q, n := len(sub), l.p
	mean, second, rows = make([]float64, q), make([]float64, q), make([]float64, q*n)
	kv := make([]float64, q*n) // K·V
	for i := range sub {
		gain := m.gain[i*n : (i+1)*n]
		mean[i] = m.offset[i] - dot(gain, parent)
		for j, k := range gain {
			if k != 0 {
				axpy(kv[i*n:(i+1)*n], k, v[j*n:(j+1)*n])
			}
		}
	}
	for i, d := range sub {
		j := l.deviating[d]
		row := rows[i*n : (i+1)*n]
		copy(row, v[j*n:(j+1)*n])
		axpy(row, -1, kv[i*n:(i+1)*n])
		for k, e := range sub {
			c := l.deviating[e]
			// Cov(u_i, u_k) = σ²·M⁻¹ + K·V·Kᵀ; symmetric up to rounding.
			u := float64(noise*m.inverse[i*q+k]) + dot(kv[i*n:(i+1)*n], m.gain[k*n:(k+1)*n])
			row[c] += u - kv[k*n+j]
			if i == k {
				second[i] = u + float64(mean[i]*mean[i])
			}
		}
	}
	return mean, rows, second
}

// place adds the deviation to mean and puts its rows, and their mirror image,
// into cov.
func place(mean, cov []float64, l layout, sub []int, shift, rows []float64) {
	n := l.p
	for i, d := range sub {
		j := l.deviating[d]
		mean[j] += shift[i]
		row := rows[i*n : (i+1)*n]
		copy(cov[j*n:(j+1)*n], row)
		for k, v := range row {
			cov[k*n+j] = v
		}
	}
}

func (p *Posterior) branchOf(segment int32) *branch {
	if segment < 0 || int(segment) >= len(p.segments)-1 {
		return &p.segments[len(p.segments)-1]
	}
	return &p.segments[segment]
}

// leafOf returns what sets a debtor apart, nil if nothing does yet, and the
// segment that counts: that of the last observation where there is one.
func (p *Posterior) leafOf(segment, debtor int32) (*leaf, int32) {
	if debtor < 0 || int(debtor) >= len(p.current) {
		return nil, segment
	}
	i := p.current[debtor]
	if int(i) >= len(p.leaves) || p.leaves[i].rows == nil {
		return nil, segment
	}
	return &p.leaves[i], p.home[i]
}

// Workspace is the scratch memory of one goroutine that scores and chooses.
type Workspace struct {
	mean, cov, row []float64
	index          []int
	below          []float64 // of Thompson, grown as needed
}

// NewWorkspace returns a workspace for p features.
func NewWorkspace(p int) *Workspace {
	return &Workspace{
		mean: make([]float64, p), cov: make([]float64, p*p),
		row: make([]float64, p), index: make([]int, p),
	}
}

// load puts mean and covariance of the coefficients of one debtor into w.
func (p *Posterior) load(w *Workspace, segment, debtor int32) {
	l, n := p.layout, p.layout.p
	if len(w.mean) != n {
		panic(fmt.Sprintf("bandit: workspace for %d features, want %d", len(w.mean), n))
	}
	own, segment := p.leafOf(segment, debtor)
	b := p.branchOf(segment)
	copy(w.mean, b.mean)
	copy(w.cov, b.cov)
	if own != nil {
		place(w.mean, w.cov, l, l.debtor, own.shift, own.rows)
		return
	}
	for i, d := range l.debtor {
		j := l.deviating[d]
		w.cov[j*n+j] += p.deviance[i]
	}
}

// Score stores mean and standard deviation of φ·(θ + u_segment + u_debtor), the
// expected reward above the baseline, for each of the k rows of phis (k×p,
// row-major). A segment or debtor that is unknown, or has no data yet, has its
// prior spread; a debtor with data counts in the segment of its last
// observation. mean and sd have length k. It does not allocate and panics where
// lengths disagree.
func (p *Posterior) Score(mean, sd, phis []float64, segment, debtor int32, w *Workspace) {
	p.load(w, segment, debtor)
	n := p.layout.p
	checkRows(mean, sd, phis, n)
	for i := range mean {
		phi := phis[i*n : (i+1)*n]
		mean[i] = dot(phi, w.mean)
		sd[i] = math.Sqrt(w.quadratic(phi))
	}
}

// Contrast stores the same means as Score, and in sd the standard deviation of
// the difference between each row's reward and that of row best, so 0 at best.
// Rewards of one debtor share coefficients; what all candidates share is no
// reason to explore, and is left out here.
func (p *Posterior) Contrast(mean, sd, phis []float64, best int, segment, debtor int32, w *Workspace) {
	p.load(w, segment, debtor)
	n := p.layout.p
	checkRows(mean, sd, phis, n)
	base := phis[best*n : (best+1)*n]
	for i := range mean {
		phi := phis[i*n : (i+1)*n]
		mean[i] = dot(phi, w.mean)
		for j, v := range phi {
			w.row[j] = v - base[j]
		}
		sd[i] = math.Sqrt(w.quadratic(w.row))
	}
}

func checkRows(mean, sd, phis []float64, n int) {
	if len(mean) != len(sd) || len(phis) != len(mean)*n {
		panic(fmt.Sprintf("bandit: %d means, %d SDs, %d features for rows of %d", len(mean), len(sd), len(phis), n))
	}
}

// quadratic returns phiᵀ·cov·phi, at least 0, touching only nonzero features.
func (w *Workspace) quadratic(phi []float64) float64 {
	n, used := len(phi), w.index[:0]
	sum := 0.0
	for i, v := range phi {
		if v == 0 {
			continue
		}
		row := w.cov[i*n : (i+1)*n]
		half := 0.0
		for _, j := range used {
			half += float64(row[j] * phi[j])
		}
		sum += float64(v * (half + half + float64(row[i]*v)))
		used = append(used, i)
	}
	return max(sum, 0)
}

// Mean stores the mean of the coefficients of one debtor, θ + u_segment +
// u_debtor, in dst, which has length p, and returns dst.
func (p *Posterior) Mean(dst []float64, segment, debtor int32) []float64 {
	l := p.layout
	if len(dst) != l.p {
		panic(fmt.Sprintf("bandit: %d means, want %d", len(dst), l.p))
	}
	own, segment := p.leafOf(segment, debtor)
	copy(dst, p.branchOf(segment).mean)
	if own != nil {
		for i, d := range l.debtor {
			dst[l.deviating[d]] += own.shift[i]
		}
	}
	return dst
}

// Features returns p, the length of a feature row.
func (p *Posterior) Features() int { return p.layout.p }

// NoiseSD returns the estimate of σ, the spread of one reward.
func (p *Posterior) NoiseSD() float64 { return math.Sqrt(p.noise) }

// Mass returns Σ weight of what the posterior rests on, after forgetting.
func (p *Posterior) Mass() float64 { return p.mass }
