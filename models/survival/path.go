package survival

import (
	"fmt"
	"math"
	"slices"
)

// PathOptions say how an elastic-net path is fitted. What is maximised per λ
// is
//
//	logLik(β)/n − λ·Σⱼ (α·|βⱼ| + (1−α)/2·βⱼ²)
//
// with n the sum of weights, on columns of variance one if Standardize says
// so: the scale of glmnet. Coefficients come back on the scale of the data.
type PathOptions struct {
	Ties        Ties    // Efron, or Breslow as glmnet has it
	Alpha       float64 // 1 is the lasso, 0 is ridge
	Standardize bool
	Lambda      []float64 // descending; nil is a grid of Count from the first λ that frees a column
	Count       int       // 0 is 50
	MinRatio    float64   // last λ over first; 0 is 1e-4, or 1e-2 with more columns than rows
	// Tol is the largest violation of the optimality conditions that is let
	// pass, relative to the λ at which the first column is freed. 0 is 1e-6.
	Tol float64
	// MaxPasses bounds the passes over the data per λ. 0 is 100.
	MaxPasses int
}

// CoxPath is a fitted elastic-net path.
type CoxPath struct {
	Lambda       []float64
	Coef         [][]float64 // per λ
	DF           []int       // coefficients other than zero
	LogLik       []float64
	DevRatio     []float64 // share of the null deviance explained
	KKT          []float64 // largest violation of the optimality conditions, in units of λ
	NullDeviance float64
	LambdaMax    float64 // the smallest λ at which all coefficients are zero
	Passes       int     // over the data, for all λ together
	Warnings     []string
}

// FitCoxPath fits an elastic-net path with warm starts. Each λ begins with the
// quadratic model of the one before, corrected by what the gradients since have
// shown; the information is only formed anew where gradients, which are cheaper,
// stop closing in. Data and errors are as for [FitCox].
//
// See Simon et al. (2011), doi:10.18637/jss.v039.i05.
func FitCoxPath(d *Data, opt PathOptions) (*CoxPath, error) {
	if opt.Ties == Exact {
		return nil, fmt.Errorf("path with exact ties: %w", ErrWeight)
	}
	m, err := newCoxModel(d, 1, opt.Ties, false)
	if err != nil {
		return nil, err
	}
	return m.path(opt)
}

func (m *coxModel) path(opt PathOptions) (*CoxPath, error) {
	p := m.p
	if !(opt.Alpha >= 0 && opt.Alpha <= 1) {
		panic(fmt.Sprintf("survival: alpha %v is not in 0…1", opt.Alpha))
	}
	setDefault(&opt.Tol, 1e-6)
	if opt.Count == 0 {
		opt.Count = 50
	}
	if opt.MaxPasses == 0 {
		opt.MaxPasses = 100
	}
	n, size := 0.0, make([]float64, p)
	for i := range m.d.Time {
		n += m.d.weight(i)
	}
	for j := range size {
		size[j] = 1
		if opt.Standardize {
			size[j] = m.size(j)
		}
	}
	beta := make([]float64, p)
	grad, info := make([]float64, p), make([]float64, p*p)
	null := m.value(beta)
	m.derivatives(grad, info)
	out := &CoxPath{Passes: 1}
	for j, g := range grad {
		out.LambdaMax = max(out.LambdaMax, math.Abs(g)/(n*size[j]*max(opt.Alpha, 1e-3)))
	}
	out.Lambda = opt.Lambda
	if out.Lambda == nil {
		if opt.MinRatio == 0 {
			opt.MinRatio = 1e-4
			if p > m.rows {
				opt.MinRatio = 1e-2
			}
		}
		out.Lambda = make([]float64, opt.Count)
		for k := range out.Lambda {
			out.Lambda[k] = out.LambdaMax * math.Pow(opt.MinRatio, float64(k)/float64(max(opt.Count-1, 1)))
		}
	}
	saturated := m.saturated()
	out.NullDeviance = 2 * (saturated - null)
	tol := opt.Tol * out.LambdaMax * n * max(opt.Alpha, 1e-3)

	l1, ridge := make([]float64, p), make([]float64, p)
	penalty := func(b []float64) float64 {
		s := 0.0
		for j, v := range b {
			s += l1[j]*math.Abs(v) + ridge[j]*v*v/2
		}
		return s
	}
	next, slope := make([]float64, p), make([]float64, p)
	model := make([]float64, p*p)
	moved, before := make([]float64, p), make([]float64, p)
	ll := null
	// What the first model of the last λ missed, and the square of its step:
	// the miss is of second order, so the next one is foreseen from it.
	missed, first, lastStep := make([]float64, p), make([]float64, p), 0.0
	for _, lambda := range out.Lambda {
		for j, s := range size {
			l1[j] = n * lambda * opt.Alpha * s
			ridge[j] = n * lambda * (1 - opt.Alpha) * s * s
		}
		// smooth stores the gradient with the ridge's share.
		smooth := func() {
			for j, b := range beta {
				slope[j] = grad[j] - ridge[j]*b
			}
		}
		smooth()
		violation, passes := kkt(slope, beta, l1), 0
		for violation > tol {
			copy(model, info)
			for j := range p {
				model[j*p+j] += ridge[j]
			}
			copy(next, beta)
			quadraticL1(next, beta, slope, model, l1, p)
			if slices.Equal(next, beta) {
				break // as close as numbers come
			}
			if passes == 0 {
				copy(first, next)
				step := squareDistance(next, beta)
				if lastStep > 0 {
					foresee(next, missed, min(1, step/lastStep))
				}
				lastStep = step
			}
			passes++
			best := ll - penalty(beta)
			v := m.value(next)
			for range 30 {
				if v-penalty(next) >= best-1e-12*math.Abs(best) {
					break
				}
				passes++
				for j := range next {
					next[j] = (next[j] + beta[j]) / 2
				}
				v = m.value(next)
			}
			ll = v
			copy(before, grad)
			for j := range p {
				moved[j] = next[j] - beta[j]
			}
			copy(beta, next)
			clear(grad)
			m.gradient(grad)
			smooth()
			for j := range p {
				before[j] -= grad[j]
			}
			secant(info, moved, before, p)
			last := violation
			violation = kkt(slope, beta, l1)
			if violation > tol && violation > last/20 {
				m.derivatives(grad, info)
			}
			if passes >= opt.MaxPasses {
				out.Warnings = append(out.Warnings, fmt.Sprintf("λ %g did not converge in %d passes", lambda, passes))
				break
			}
		}
		if passes > 0 {
			for j := range missed {
				missed[j] = beta[j] - first[j]
			}
		}
		out.Passes += passes
		df := 0
		for _, b := range beta {
			if b != 0 {
				df++
			}
		}
		out.Coef = append(out.Coef, slices.Clone(beta))
		out.DF = append(out.DF, df)
		out.LogLik = append(out.LogLik, ll)
		out.DevRatio = append(out.DevRatio, 1-2*(saturated-ll)/out.NullDeviance)
		out.KKT = append(out.KKT, violation/n)
	}
	return out, nil
}

// secant changes the information a, of which the upper triangle is there, so
// that it says what gradients have shown: a step s changes them by −y.
//
// See Nocedal and Wright (2006), doi:10.1007/978-0-387-40065-5, section 6.1.
func secant(a, s, y []float64, p int) {
	as, sas, sy := make([]float64, p), 0.0, 0.0
	for i := range p {
		for j := range p {
			as[i] += a[min(i, j)*p+max(i, j)] * s[j]
		}
		sas += as[i] * s[i]
		sy += s[i] * y[i]
	}
	if !(sas > 0) || !(sy > 0) {
		return
	}
	for i := range p {
		for j := i; j < p; j++ {
			a[i*p+j] += y[i]*y[j]/sy - as[i]*as[j]/sas
		}
	}
}

// squareDistance returns |a − b|².
func squareDistance(a, b []float64) float64 {
	s := 0.0
	for j, v := range a {
		s += (v - b[j]) * (v - b[j])
	}
	return s
}

// foresee adds share of missed to the coefficients of b that are not zero and
// keep their sign.
func foresee(b, missed []float64, share float64) {
	for j, v := range b {
		if w := v + share*missed[j]; v*w > 0 {
			b[j] = w
		}
	}
}

// saturated returns the largest log-likelihood that any linear predictors
// could have: each event's own terms alone in its risk set.
func (m *coxModel) saturated() float64 {
	ll := 0.0
	for g, d := range m.events {
		switch {
		case d == 0:
		case m.ties == Breslow:
			ll -= m.dw[g] * math.Log(m.dw[g])
		default:
			for k := range d {
				ll -= m.dw[g] / float64(d) * math.Log(m.dw[g]*(1-float64(k)/float64(d)))
			}
		}
	}
	return ll
}

// setDefault replaces a zero.
func setDefault(v *float64, def float64) {
	if *v == 0 {
		*v = def
	}
}

// CrossValidation is the out-of-fold deviance of a path.
type CrossValidation struct {
	Lambda    []float64
	Mean      []float64 // deviance per event left out
	SE        []float64 // of Mean, over folds
	LambdaMin float64   // where Mean is least
	Lambda1SE float64   // the largest λ within one SE of that
	Path      *CoxPath  // on all rows
}

// CrossValidate fits the path on all rows, and without each fold in turn, and
// adds up by how much the deviance of all rows exceeds that of the rows kept:
// what the fold left out adds to the partial likelihood. fold labels the fold
// of each row.
//
// See Verweij and van Houwelingen (1993), doi:10.1002/sim.4780122407.
func CrossValidate(d *Data, opt PathOptions, fold []int) (*CrossValidation, error) {
	if len(fold) != d.Rows() {
		panic("survival: folds and times differ in length")
	}
	all, err := newCoxModel(d, 1, opt.Ties, false)
	if err != nil {
		return nil, err
	}
	path, err := all.path(opt)
	if err != nil {
		return nil, err
	}
	opt.Lambda = path.Lambda
	labels := slices.Clone(fold)
	slices.Sort(labels)
	labels = slices.Compact(labels)
	k := len(path.Lambda)
	out := &CrossValidation{Lambda: path.Lambda, Path: path, Mean: make([]float64, k), SE: make([]float64, k)}
	deviance := make([][]float64, len(labels))
	events := make([]float64, len(labels))
	total := 0.0
	for f, label := range labels {
		part := d.subset(func(i int) bool { return fold[i] != label })
		m, err := newCoxModel(part, 1, opt.Ties, false)
		if err != nil {
			return nil, fmt.Errorf("without fold %d: %w", label, err)
		}
		fit, err := m.path(opt)
		if err != nil {
			return nil, fmt.Errorf("without fold %d: %w", label, err)
		}
		for i, e := range d.Event {
			if e == 1 && fold[i] == label {
				events[f] += d.weight(i)
			}
		}
		total += events[f]
		deviance[f] = make([]float64, k)
		for l, beta := range fit.Coef {
			whole := 2 * (all.saturated() - all.value(beta))
			kept := 2 * (m.saturated() - fit.LogLik[l])
			deviance[f][l] = (whole - kept) / events[f]
			out.Mean[l] += events[f] * deviance[f][l]
		}
	}
	least := 0
	for l := range out.Mean {
		out.Mean[l] /= total
		for f := range labels {
			e := deviance[f][l] - out.Mean[l]
			out.SE[l] += events[f] / total * e * e
		}
		out.SE[l] = math.Sqrt(out.SE[l] / float64(len(labels)-1))
		if out.Mean[l] < out.Mean[least] {
			least = l
		}
	}
	out.LambdaMin, out.Lambda1SE = path.Lambda[least], path.Lambda[least]
	for l, m := range out.Mean {
		if m <= out.Mean[least]+out.SE[least] {
			out.Lambda1SE = max(out.Lambda1SE, path.Lambda[l])
		}
	}
	return out, nil
}

// subset returns the rows for which keep holds, copied.
func (d *Data) subset(keep func(i int) bool) *Data {
	var rows []int
	for i := range d.Time {
		if keep(i) {
			rows = append(rows, i)
		}
	}
	out := &Data{Names: d.Names, Time: pick(d.Time, rows), Event: pick(d.Event, rows)}
	for _, c := range d.Columns {
		out.Columns = append(out.Columns, pick(c, rows))
	}
	out.Entry, out.Weight, out.Offset, out.Upper = pick(d.Entry, rows), pick(d.Weight, rows), pick(d.Offset, rows), pick(d.Upper, rows)
	out.Stratum, out.Cluster = pick(d.Stratum, rows), pick(d.Cluster, rows)
	return out
}

// pick returns the given elements of v, or nil for nil.
func pick[T any](v []T, rows []int) []T {
	if v == nil {
		return nil
	}
	out := make([]T, len(rows))
	for k, i := range rows {
		out[k] = v[i]
	}
	return out
}
