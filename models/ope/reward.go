package ope

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
)

// Family is the shape of a reward model.
type Family string

// The families.
const (
	Ridge    Family = "ridge"    // least squares
	Logistic Family = "logistic" // rewards of 0 and 1
)

// RewardConfig says how a reward model is fitted.
type RewardConfig struct {
	Family Family
	Folds  int // parts of the log, no more than clusters; each is predicted by a model of the others
	Seed   uint64
}

// DefaultRewardConfig returns a ridge regression in five folds.
func DefaultRewardConfig() RewardConfig { return RewardConfig{Family: Ridge, Folds: 5, Seed: 1} }

// RewardData is what a reward model learns from.
type RewardData struct {
	X       *mat.Dense // n×p, what was known before the decision; nil for none
	Action  []int      // 0 … Actions−1 of each row; nil when Actions is 0
	Actions int        // 0 for a model of the reward whatever the action
	Reward  []float64  // ignored where Weight is 0
	Weight  []float64  // nil means 1 each; with Actions 0 use the importance ratios, and the model is of the reward under the target
	Cluster []int      // rows of one cluster are predicted by a model without any of them; nil means each row alone
}

// RewardModel is cross-fitted: a row is predicted by coefficients that never
// saw its cluster, which is what keeps the doubly robust estimators' errors
// honest with a fitted model.
type RewardModel struct {
	data   *RewardData
	family Family
	fold   []int
	beta   [][]float64 // by fold: intercept, columns of X, actions
	lo, hi float64     // of rewards seen; predictions stay within
	// Penalty is the ridge penalty, in rows, that predicted the held-out rows best.
	Penalty float64
}

// FitReward fits a cross-fitted reward model. Columns are standardised; an
// action's own level is drawn towards the common one by the same penalty, so a
// rarely tried action is not believed on two rows. It returns an error when no
// row has weight, or when there is one cluster only, and panics when lengths
// disagree.
//
// See Chernozhukov et al. (2018), doi:10.1111/ectj.12097, for cross-fitting.
func FitReward(data *RewardData, cfg RewardConfig) (*RewardModel, error) {
	n := len(data.Reward)
	if cfg.Family != Ridge && cfg.Family != Logistic {
		return nil, fmt.Errorf("ope: unknown reward model %q", cfg.Family)
	}
	if cfg.Folds < 2 {
		return nil, fmt.Errorf("ope: %d folds are fewer than 2", cfg.Folds)
	}
	m := &RewardModel{data: data, family: cfg.Family, lo: math.Inf(1), hi: math.Inf(-1)}
	for i, r := range data.Reward {
		if data.weight(i) == 0 {
			continue
		}
		if !finite(r) {
			return nil, &RowError{i, "reward", r, "a finite number"}
		}
		if cfg.Family == Logistic && r != 0 && r != 1 {
			return nil, &RowError{i, "reward", r, "0 or 1 for a logistic model"}
		}
		m.lo, m.hi = min(m.lo, r), max(m.hi, r)
	}
	if m.lo > m.hi {
		return nil, ErrEmpty
	}

	// Whole clusters go to a fold, in random order.
	l := Log{Reward: data.Reward, Cluster: data.Cluster}
	of, units := l.units()
	if units < 2 {
		return nil, fmt.Errorf("ope: a reward model is fitted and tested on different clusters, and there is %d", units)
	}
	folds := min(cfg.Folds, units)
	order := rand.New(rand.NewPCG(cfg.Seed, 0)).Perm(units)
	m.fold = make([]int, n)
	for i, u := range of {
		m.fold[i] = order[u] % folds
	}

	m.beta = make([][]float64, folds)
	d := newDesign(data)
	moments := make([]normal, folds)
	for f := range moments {
		moments[f] = newNormal(d.p)
	}
	z := make([]float64, d.p)
	for i, r := range data.Reward {
		if w := data.weight(i); w != 0 {
			moments[m.fold[i]].add(d.row(z, i), w, r)
		}
	}
	all := newNormal(d.p)
	for _, part := range moments {
		all.plus(part, 1)
	}
	best := math.Inf(1)
	for _, penalty := range []float64{0.1, 1, 10, 100, 1000, 10_000} {
		beta := make([][]float64, folds)
		loss := 0.0
		for f, held := range moments {
			rest := newNormal(d.p)
			rest.plus(all, 1)
			rest.plus(held, -1)
			b, ok := rest.solve(penalty)
			if !ok {
				loss = math.Inf(1)
				break
			}
			beta[f] = b
			loss += held.loss(b)
		}
		if loss < best {
			best, m.beta, m.Penalty = loss, beta, penalty
		}
	}
	if math.IsInf(best, 1) {
		return nil, fmt.Errorf("ope: the reward model's columns hold no usable rows: %w", ErrEmpty)
	}
	if cfg.Family == Logistic {
		m.logistic(d, all)
	}
	for f := range m.beta {
		m.beta[f] = d.unscale(m.beta[f])
	}
	return m, nil
}

// Predict returns the expected reward of row i had action been taken (ignored
// for a model without actions). It does not allocate.
func (m *RewardModel) Predict(i, action int) float64 {
	b := m.beta[m.fold[i]]
	eta := b[0]
	k := 1
	if x := m.data.X; x != nil {
		for j, v := range x.RawRowView(i) {
			eta += b[k+j] * v
		}
		_, p := x.Dims()
		k += p
	}
	if m.data.Actions > 0 {
		eta += b[k+action]
	}
	if m.family == Logistic {
		return sigmoid(eta)
	}
	return min(max(eta, m.lo), m.hi)
}

// logistic refits each fold by Newton's method from the ridge penalty chosen,
// scaled to the curvature of the likelihood at the mean reward.
func (m *RewardModel) logistic(d *design, all normal) {
	mean := all.zy[0] / all.zz.At(0, 0)
	curvature := max(mean*(1-mean), 1e-6)
	z := make([]float64, d.p)
	for f := range m.beta {
		beta := make([]float64, d.p)
		beta[0] = math.Log((mean + 1e-9) / (1 - mean + 1e-9))
		for range 25 {
			step := newNormal(d.p)
			for i, r := range m.data.Reward {
				w := m.data.weight(i)
				if w == 0 || m.fold[i] == f {
					continue
				}
				d.row(z, i)
				eta := 0.0
				for j, v := range z {
					eta += beta[j] * v
				}
				p := sigmoid(eta)
				v := max(p*(1-p), 1e-9)
				step.add(z, w*v, eta+(r-p)/v)
			}
			next, ok := step.solve(m.Penalty * curvature)
			if !ok {
				break
			}
			change := 0.0
			for j := range next {
				change = max(change, math.Abs(next[j]-beta[j]))
			}
			beta = next
			if change < 1e-8 {
				break
			}
		}
		m.beta[f] = beta
	}
}

func sigmoid(eta float64) float64 { return 1 / (1 + math.Exp(-eta)) }

func (d *RewardData) weight(i int) float64 {
	if d.Weight == nil {
		return 1
	}
	return d.Weight[i]
}

// design turns rows into 1, standardised columns, action indicators.
type design struct {
	data        *RewardData
	p, columns  int
	mean, scale []float64
}

func newDesign(data *RewardData) *design {
	n := len(data.Reward)
	if data.Weight != nil {
		sameLength(n, "Weight", data.Weight)
	}
	if data.Actions > 0 {
		sameLength(n, "Action", data.Action)
	}
	d := &design{data: data, p: 1 + data.Actions}
	if data.X == nil {
		return d
	}
	rows, columns := data.X.Dims()
	if rows != n {
		panic(fmt.Sprintf("ope: X has %d rows, Reward has %d", rows, n))
	}
	d.columns, d.p = columns, d.p+columns
	d.mean, d.scale = make([]float64, columns), make([]float64, columns)
	total := 0.0
	for i := range n {
		w := data.weight(i)
		total += w
		for j, v := range data.X.RawRowView(i) {
			d.mean[j] += w * v
			d.scale[j] += w * v * v
		}
	}
	for j := range d.mean {
		d.mean[j] /= total
		if v := d.scale[j]/total - d.mean[j]*d.mean[j]; v > 1e-12*d.scale[j]/total {
			d.scale[j] = 1 / math.Sqrt(v)
		} else {
			d.scale[j] = 0 // a constant column says nothing
		}
	}
	return d
}

// row stores row i of the design in dst.
func (d *design) row(dst []float64, i int) []float64 {
	clear(dst)
	dst[0] = 1
	if d.columns > 0 {
		for j, v := range d.data.X.RawRowView(i) {
			dst[1+j] = (v - d.mean[j]) * d.scale[j]
		}
	}
	if d.data.Actions > 0 {
		dst[1+d.columns+d.data.Action[i]] = 1
	}
	return dst
}

// unscale returns coefficients for columns as they are.
func (d *design) unscale(beta []float64) []float64 {
	for j := range d.columns {
		beta[1+j] *= d.scale[j]
		beta[0] -= beta[1+j] * d.mean[j]
	}
	return beta
}

// normal is the normal equations of a weighted least squares problem.
type normal struct {
	zz *mat.SymDense
	zy []float64
	yy float64
}

func newNormal(p int) normal { return normal{mat.NewSymDense(p, nil), make([]float64, p), 0} }

func (e *normal) add(z []float64, w, y float64) {
	raw := e.zz.RawSymmetric()
	for j, a := range z {
		if a == 0 {
			continue
		}
		a *= w
		upper := raw.Data[j*raw.Stride : j*raw.Stride+len(z)]
		for k := j; k < len(z); k++ {
			upper[k] += a * z[k]
		}
		e.zy[j] += a * y
	}
	e.yy += w * y * y
}

func (e *normal) plus(o normal, sign float64) {
	raw, other := e.zz.RawSymmetric(), o.zz.RawSymmetric()
	for k, v := range other.Data {
		raw.Data[k] += sign * v
	}
	for j, v := range o.zy {
		e.zy[j] += sign * v
	}
	e.yy += sign * o.yy
}

// solve returns the ridge solution; the intercept is not penalised.
func (e *normal) solve(penalty float64) ([]float64, bool) {
	p := len(e.zy)
	a := mat.NewSymDense(p, nil)
	a.CopySym(e.zz)
	for j := 1; j < p; j++ {
		a.SetSym(j, j, a.At(j, j)+penalty)
	}
	var chol mat.Cholesky
	if !chol.Factorize(a) {
		return nil, false
	}
	beta := make([]float64, p)
	if err := chol.SolveVecTo(mat.NewVecDense(p, beta), mat.NewVecDense(p, e.zy)); err != nil {
		return nil, false
	}
	return beta, true
}

// loss returns the squared error of coefficients on these equations' rows.
func (e *normal) loss(beta []float64) float64 {
	b := mat.NewVecDense(len(beta), beta)
	return e.yy - 2*mat.Dot(b, mat.NewVecDense(len(beta), e.zy)) + mat.Inner(b, e.zz, b)
}
