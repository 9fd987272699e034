package anomaly

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// oddities are the planted kinds of odd debtor: far off in one measure, two
// measures that go together going apart, and a little off in all of them.
const oddities = 3

// vectors returns n standardised vectors of eight measures of behaviour, in
// pairs that go together with correlation 0.9, and of each kind of oddity
// planted; kinds[i] is its kind, or -1.
func vectors(seed uint64, n, planted int) (x [][]float64, kinds []int) {
	r := rand.New(rand.NewPCG(seed, 0x0dd))
	for i := range n {
		v := make([]float64, 8)
		for j := 0; j < len(v); j += 2 {
			v[j] = r.NormFloat64()
			v[j+1] = 0.9*v[j] + math.Sqrt(1-0.81)*r.NormFloat64()
		}
		kind := -1
		if i < oddities*planted {
			kind = i % oddities
		}
		switch kind {
		case 0:
			v[1] = 5
		case 1:
			v[0], v[1] = 1.5, -1.5
		case 2:
			for j := range v {
				v[j] = 2 * math.Copysign(1, v[j-j%2])
			}
		}
		x, kinds = append(x, v), append(kinds, kind)
	}
	return x, kinds
}

// forest scores by the isolation forest of Liu, Ting and Zhou (2008),
// doi:10.1109/ICDM.2008.17: the depth at which random cuts leave a point
// alone, over a hundred trees of 256 points, negated.
func forest(x [][]float64) []float64 {
	r := rand.New(rand.NewPCG(1, 0xf0e57))
	score := make([]float64, len(x))
	all := make([]int, len(x))
	for i := range all {
		all[i] = i
	}
	average := func(n int) float64 {
		if n < 2 {
			return 0
		}
		return 2*(math.Log(float64(n-1))+0.5772156649) - 2*float64(n-1)/float64(n)
	}
	var cut func(sample, points []int, depth int)
	cut = func(sample, points []int, depth int) {
		j := r.IntN(len(x[0]))
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, i := range sample {
			lo, hi = min(lo, x[i][j]), max(hi, x[i][j])
		}
		if len(sample) < 2 || depth == 8 || lo == hi {
			for _, i := range points {
				score[i] -= float64(depth) + average(len(sample))
			}
			return
		}
		at := lo + r.Float64()*(hi-lo)
		below := func(from []int) (under, over []int) {
			for _, i := range from {
				if x[i][j] < at {
					under = append(under, i)
				} else {
					over = append(over, i)
				}
			}
			return under, over
		}
		su, so := below(sample)
		pu, po := below(points)
		cut(su, pu, depth+1)
		cut(so, po, depth+1)
	}
	for range 100 {
		sample := r.Perm(len(x))[:256]
		cut(sample, all, 0)
	}
	return score
}

// largest scores by the measure that is furthest off, which is what a test
// for each measure sees.
func largest(x [][]float64) []float64 {
	s := make([]float64, len(x))
	for i, v := range x {
		for _, z := range v {
			s[i] = max(s[i], math.Abs(z))
		}
	}
	return s
}

// odd scores by Odd.
func odd(x [][]float64) []float64 {
	m := mat.NewDense(len(x), len(x[0]), slices.Concat(x...))
	normalScores(m)
	s := oddness(make([]float64, len(x)), m)
	for i := range s {
		s[i] = -s[i]
	}
	return s
}

// foundOdd returns the share of each kind of oddity among the fiftieth of
// debtors with the highest score.
func foundOdd(score []float64, kinds []int) (share [oddities]float64) {
	limit := slices.Sorted(slices.Values(score))[len(score)*98/100]
	var all [oddities]float64
	for i, k := range kinds {
		if k < 0 {
			continue
		}
		all[k]++
		if score[i] >= limit {
			share[k]++
		}
	}
	for k := range share {
		share[k] /= all[k]
	}
	return share
}

// TestOddAgainstForest is why Odd takes part and no isolation forest does: it
// finds all that the forest finds and single tests miss, and what the forest
// does not find besides, with a probability that can be tested.
func TestOddAgainstForest(t *testing.T) {
	var byTest, byForest, byOdd [oddities]float64
	const seeds = 3
	for seed := range uint64(seeds) {
		x, kinds := vectors(seed, 2000, 5)
		for _, c := range []struct {
			score func([][]float64) []float64
			into  *[oddities]float64
		}{{largest, &byTest}, {forest, &byForest}, {odd, &byOdd}} {
			for k, s := range foundOdd(c.score(x), kinds) {
				c.into[k] += s / seeds
			}
		}
	}
	t.Logf("found in the first fiftieth: one measure far off, a pair apart, all a little off")
	t.Logf("largest measure   %.2f", byTest)
	t.Logf("isolation forest  %.2f", byForest)
	t.Logf("Odd               %.2f", byOdd)
	for k := range oddities {
		// Fifteen planted: one of them may go either way by chance.
		if byOdd[k] < byForest[k]-0.1 {
			t.Errorf("oddity %d: Odd finds %.2f, the forest %.2f", k, byOdd[k], byForest[k])
		}
	}
	if byOdd[1] < 0.9 || byTest[1] > 0.5 {
		t.Errorf("a pair apart: Odd finds %.2f, single tests %.2f", byOdd[1], byTest[1])
	}
}

// TestOddOfOrdinary: probabilities of ordinary debtors are no smaller than
// they claim.
func TestOddOfOrdinary(t *testing.T) {
	const n = 20000
	x, _ := vectors(11, n, 0)
	for i := range x {
		for j := range x[i] {
			x[i][j] = math.Exp(2 * x[i][j]) // long tails make nobody odd
		}
	}
	m := mat.NewDense(n, len(x[0]), slices.Concat(x...))
	normalScores(m)
	p := oddness(make([]float64, n), m)
	for _, level := range []float64{0.1, 0.01, 0.001} {
		var below float64
		for _, p := range p {
			if p <= level {
				below++
			}
		}
		// Three standard errors, and a third for the chi-square with the mean
		// and variance of a sum whose tail is a little heavier.
		if got, want := below/n, level*1.33+3*math.Sqrt(level/n); got > want {
			t.Errorf("%.5f of ordinary debtors have a probability below %v, want %.5f at most", got, level, want)
		}
	}
}

func TestScores(t *testing.T) {
	x := mat.NewDense(5, 1, []float64{7, math.NaN(), 3, 7, -100})
	normalScores(x)
	q := distuv.UnitNormal.Quantile
	for i, want := range []float64{q(0.75), 0, q(0.375), q(0.75), q(0.125)} {
		if got := x.At(i, 0); math.Abs(got-want) > 1e-12 {
			t.Errorf("score %d is %v, want %v", i, got, want)
		}
	}
}

func TestOddOfFew(t *testing.T) {
	x := mat.NewDense(9, 1, []float64{0, 0, 0, 0, 0, 0, 0, 0, 50})
	for i, p := range oddness(make([]float64, 9), x) {
		if p != 1 {
			t.Errorf("debtor %d of nine has probability %v", i, p)
		}
	}
}

// normalScores replaces each column of x by its normal scores: the value with rank
// r of n becomes the normal quantile of (r-½)/n, so that no measure weighs
// more for having long tails. Equal values get their mean rank, and NaN, a
// measure not known, becomes 0. x is n×k, one row a debtor.
func normalScores(x *mat.Dense) {
	n, k := x.Dims()
	order := make([]int, 0, n)
	for j := range k {
		order = order[:0]
		for i := range n {
			if math.IsNaN(x.At(i, j)) {
				x.Set(i, j, 0)
				continue
			}
			order = append(order, i)
		}
		value := mat.Col(nil, j, x)
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(value[a], value[b]) })
		for from := 0; from < len(order); {
			to := from + 1
			for to < len(order) && value[order[to]] == value[order[from]] {
				to++
			}
			z := distuv.UnitNormal.Quantile(float64(from+to) / 2 / float64(len(order)))
			for _, i := range order[from:to] {
				x.Set(i, j, z)
			}
			from = to
		}
	}
}

// oddness stores in dst, for each row of x, the probability that an ordinary
// debtor has a vector as unlike the others: the second opinion for what no
// single test sees. It returns dst.
//
// x is n×k, one row a debtor, columns as normalScores makes them. Two ways of
// being odd are looked at, and the smaller probability counts twice: being far
// from the middle, by the squared length against the scaled chi-square that
// has its mean and variance (Satterthwaite, 1946, doi:10.2307/3002019), and
// combining measures as nobody does, by the Mahalanobis distance against
// chi-square. With fewer than ten rows a column there is nothing to compare
// with and every probability is 1. oddness panics if dst is not of length n.
func oddness(dst []float64, x *mat.Dense) []float64 {
	n, k := x.Dims()
	if len(dst) != n {
		panic("anomaly: length of dst differs from the rows of x")
	}
	for i := range dst {
		dst[i] = 1
	}
	if n < 10*k {
		return dst
	}
	var cov mat.SymDense
	stat.CovarianceMatrix(&cov, x, nil)
	var trace, square float64
	for i := range k {
		cov.SetSym(i, i, cov.At(i, i)+ridge) // columns may repeat one another
		for j := range k {
			square += cov.At(i, j) * cov.At(i, j)
		}
		trace += cov.At(i, i)
	}
	length := distuv.ChiSquared{K: trace * trace / square}
	distance := distuv.ChiSquared{K: float64(k)}
	var c mat.Cholesky
	if !c.Factorize(&cov) {
		return dst
	}
	var y mat.VecDense
	for i := range n {
		v := x.RowView(i)
		if err := c.SolveVecTo(&y, v); err != nil {
			return dst
		}
		p := min(length.Survival(mat.Dot(v, v)*trace/square), distance.Survival(mat.Dot(v, &y)))
		dst[i] = min(1, 2*p)
	}
	return dst
}

// ridge is the variance that every measure is given beyond its own.
const ridge = 0.01
