package survival

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// chiSquare returns the test of a statistic that is χ² with df degrees of
// freedom.
func chiSquare(stat float64, df int) Test {
	p := math.NaN()
	if df > 0 && stat >= 0 {
		p = mathext.GammaIncRegComp(float64(df)/2, stat/2)
	}
	return Test{Stat: stat, DF: df, P: p}
}

// NormalP returns the two-sided p-value of a z statistic.
func NormalP(z float64) float64 { return math.Erfc(math.Abs(z) / math.Sqrt2) }

// normalQuantile returns the value below which a standard normal lies with
// probability p.
func normalQuantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }
