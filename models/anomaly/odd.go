package anomaly

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Scores replaces each column of x by its normal scores: the value with rank
// r of n becomes the normal quantile of (r-½)/n, so that no measure weighs
// more for having long tails. Equal values get their mean rank, and NaN, a
// measure not known, becomes 0. x is n×k, one row a debtor.
func Scores(x *mat.Dense) {
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

// Odd stores in dst, for each row of x, the probability that an ordinary
// debtor has a vector as unlike the others: the second opinion for what no
// single test sees. It returns dst.
//
// x is n×k, one row a debtor, columns as [Scores] makes them. Two ways of
// being odd are looked at, and the smaller probability counts twice: being far
// from the middle, by the squared length against the scaled chi-square that
// has its mean and variance (Satterthwaite, 1946, doi:10.2307/3002019), and
// combining measures as nobody does, by the Mahalanobis distance against
// chi-square. With fewer than ten rows a column there is nothing to compare
// with and every probability is 1. Odd panics if dst is not of length n.
func Odd(dst []float64, x *mat.Dense) []float64 {
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
