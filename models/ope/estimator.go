package ope

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Names of the estimators.
const (
	IPS      = "ips"       // inverse propensity: mean of w·r
	SNIPS    = "snips"     // self-normalised: Σ w·r / Σ w
	DM       = "dm"        // direct method: mean of V
	DR       = "dr"        // doubly robust: mean of V + w·(r − Q)
	SNDR     = "sndr"      // self-normalised doubly robust: mean of V + Σ w·(r − Q) / Σ w
	SwitchDR = "switch-dr" // doubly robust where w ≤ τ, direct elsewhere
	DRos     = "dros"      // doubly robust with optimistic shrinkage, w → λw / (w² + λ)
	SGIPS    = "sg-ips"    // sub-Gaussian, w → w / (1 − λ + λw)
	SGDR     = "sg-dr"     // sub-Gaussian doubly robust
	IPCWIPS  = "ipcw-ips"  // IPS on right-censored rewards
	IPCWDR   = "ipcw-dr"   // DR on right-censored rewards, doubly robust in the censoring too

	IPCWSNIPS = "ipcw-snips" // SNIPS on right-censored rewards
)

// Estimators returns the names that serve complete rewards, in the order in
// which reports show them.
func Estimators() []string {
	return []string{IPS, SNIPS, DM, DR, SNDR, SwitchDR, DRos, SGIPS, SGDR}
}

// CensoredEstimators returns the names that serve right-censored rewards.
func CensoredEstimators() []string { return []string{IPCWIPS, IPCWSNIPS, IPCWDR} }

// Headline is the estimator to quote of a log with these columns: doubly robust
// where there is a model, self-normalised otherwise. Among rows chosen by what
// was done (one channel's, say) only the latter is a mean reward.
func (l *Log) Headline(chosenByAction bool) string {
	model := l.Q != nil && !chosenByAction
	switch {
	case l.Censoring != nil && model:
		return IPCWDR
	case l.Censoring != nil:
		return IPCWSNIPS
	case model:
		return DR
	default:
		return SNIPS
	}
}

// Biased says whether an estimator trades bias for variance, so that its
// standard error does not tell how far it may be off.
func Biased(name string) bool {
	return slices.Contains([]string{DM, SwitchDR, DRos, SGIPS, SGDR}, name)
}

// needsModel says whether an estimator reads Q and V.
func needsModel(name string) bool {
	return !slices.Contains([]string{IPS, SNIPS, SGIPS, IPCWIPS, IPCWSNIPS}, name)
}

// estimator is one named value as a sum of ratios of column totals.
type estimator struct {
	name  string
	terms []term
	tuned float64 // parameter chosen by SLOPE; 0 where there is none
	check []term  // the unbiased estimator that a biased one leans away from; nil for unbiased ones
}

// term is sign · total(num) / total(den).
type term struct {
	num, den int
	sign     float64
}

// table holds the totals of every column for each unit (cluster, or row where
// rows are independent): sum[u*p+c] is column c of unit u. Column 0 is always
// the row weight, so total(c)/total(0) is a weighted mean.
type table struct {
	m, p int
	sum  []float64
	rows [][]float64 // columns by row while the table is being built
	of   []int32     // row → unit
}

const colWeight = 0

func newTable(l *Log) *table {
	of, m := l.units()
	t := &table{m: m, of: of}
	w := make([]float64, len(of))
	for i := range w {
		w[i] = l.weight(i)
	}
	t.column(w)
	return t
}

// column adds a column given by row (already times the row's weight), unless
// it is there already, and returns its index.
func (t *table) column(byRow []float64) int {
	for c, have := range t.rows {
		if slices.Equal(have, byRow) {
			return c
		}
	}
	t.rows = append(t.rows, byRow)
	return len(t.rows) - 1
}

// seal sums rows to units; no column may follow.
func (t *table) seal() {
	t.p = len(t.rows)
	t.sum = make([]float64, t.m*t.p)
	for c, col := range t.rows {
		for i, x := range col {
			t.sum[int(t.of[i])*t.p+c] += x
		}
	}
}

// totals stores the column totals in dst and returns it.
func (t *table) totals(dst []float64) []float64 {
	clear(dst)
	for u := range t.m {
		for c, x := range t.sum[u*t.p : (u+1)*t.p] {
			dst[c] += x
		}
	}
	return dst
}

// value returns the estimate that column totals imply. A ratio without a
// denominator (no row left that the target would ever play) counts as 0, and
// so does what is left by rounding where terms cancel.
func value(terms []term, total []float64) float64 {
	v, size := 0.0, 0.0
	for _, t := range terms {
		if d := total[t.den]; d != 0 {
			r := total[t.num] / d
			v += t.sign * r
			size += math.Abs(r)
		}
	}
	if math.Abs(v) < 1e-14*size {
		return 0
	}
	return v
}

// influence stores each unit's linear share of the estimate in dst (length
// m) and returns dst: Σ_u dst[u] = 0 and the variance of the estimate is about
// m/(m−1) Σ dst². This is the delta method; for a ratio it is the true ratio
// variance, with the normaliser free to vary.
func (t *table) influence(dst []float64, terms []term, total []float64) []float64 {
	clear(dst)
	for _, tm := range terms {
		d := total[tm.den]
		if d == 0 {
			continue
		}
		r := total[tm.num] / d
		for u := range dst {
			row := t.sum[u*t.p : (u+1)*t.p]
			dst[u] += tm.sign * (row[tm.num] - r*row[tm.den]) / d
		}
	}
	return dst
}

// standardError returns the delta-method error from influences, NaN with
// fewer than two units.
func standardError(influence []float64) float64 {
	m := float64(len(influence))
	if m < 2 {
		return math.NaN()
	}
	s := 0.0
	for _, x := range influence {
		s += x * x
	}
	return math.Sqrt(s * m / (m - 1))
}

// critical returns the point that an estimate's standard errors are multiplied
// by: Student's t with the degrees of freedom that the influences' kurtosis
// leaves to their variance (Satterthwaite 1946, doi:10.2307/3002019), m for
// normal ones, hardly more than twice the informed units for heavy tails.
func critical(influence []float64, level float64) float64 {
	var s2, s4 float64
	for _, x := range influence {
		s2 += x * x
		s4 += x * x * x * x
	}
	m := float64(len(influence))
	p := (1 + level) / 2
	excess := m*s4/(s2*s2) - 1 // kurtosis less 1
	if !(excess > 1e-6) {
		return distuv.UnitNormal.Quantile(p)
	}
	return distuv.StudentsT{Sigma: 1, Nu: max(1, 2*m/excess)}.Quantile(p)
}

// add puts the columns of the named estimators for one policy into the table
// and returns the estimators.
func (t *table) add(l *Log, names []string) ([]estimator, error) {
	n := len(l.Reward)
	weighted := func(f func(i int) float64) int {
		col := make([]float64, n)
		for i := range col {
			if w := l.weight(i); w != 0 {
				col[i] = w * f(i)
			}
		}
		return t.column(col)
	}
	residual := func(i int) float64 { return l.Reward[i] - l.Q[i] }
	w := func() int { return weighted(l.ratio) }
	wr := func() int { return weighted(func(i int) float64 { return l.ratio(i) * l.Reward[i] }) }
	v := func() int { return weighted(func(i int) float64 { return l.V[i] }) }
	wres := func() int { return weighted(func(i int) float64 { return l.ratio(i) * residual(i) }) }

	var out []estimator
	for _, name := range names {
		if needsModel(name) && l.Q == nil {
			return nil, fmt.Errorf("%s: %w", name, ErrNoModel)
		}
		if (l.Censoring != nil) != slices.Contains(CensoredEstimators(), name) {
			return nil, fmt.Errorf("%s: %w", name, ErrCensored)
		}
		e := estimator{name: name}
		mean := func(c int) term { return term{c, colWeight, 1} }
		switch name {
		case IPS:
			e.terms = []term{mean(wr())}
		case SNIPS:
			e.terms = []term{{wr(), w(), 1}}
		case DM:
			e.terms = []term{mean(v())}
			e.check = []term{mean(v()), mean(wres())}
		case DR:
			e.terms = []term{mean(v()), mean(wres())}
		case SNDR:
			e.terms = []term{mean(v()), {wres(), w(), 1}}
		case SwitchDR, DRos, SGDR:
			e.tuned = slope(l, t.of, t.m, grid(name, l), shrink(name), true)
			e.terms = []term{mean(v()), mean(weighted(func(i int) float64 {
				return shrink(name)(l.ratio(i), e.tuned) * residual(i)
			}))}
			e.check = []term{mean(v()), mean(wres())}
		case SGIPS:
			e.tuned = slope(l, t.of, t.m, grid(name, l), shrink(name), false)
			e.terms = []term{mean(weighted(func(i int) float64 {
				return shrink(name)(l.ratio(i), e.tuned) * l.Reward[i]
			}))}
			e.check = []term{mean(wr())}
		case IPCWIPS, IPCWSNIPS, IPCWDR:
			scores, err := l.Censoring.scores(l, name == IPCWDR)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			e.terms = []term{mean(weighted(func(i int) float64 { return scores[i] }))}
			if name == IPCWSNIPS {
				e.terms[0].den = w()
			}
		default:
			return nil, fmt.Errorf("ope: unknown estimator %q", name)
		}
		out = append(out, e)
	}
	return out, nil
}
