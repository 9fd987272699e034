package anomaly

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Share is what is known of a debtor's share of yeses: a Beta distribution.
// Start from the profile's and add the debtor's own counts.
type Share struct {
	Yes, No float64 // pseudo-counts, positive
}

// Plus returns the share after yes more yeses and no more noes.
func (s Share) Plus(yes, no float64) Share { return Share{s.Yes + yes, s.No + no} }

// Run returns the probability of n noes in a row: that a channel on which the
// debtor opens this share stays silent over n messages though nothing changed,
// that the usual payment method is passed over n times, and so on. It is
// Γ(b+n)Γ(a+b) / Γ(b)Γ(a+b+n), the Beta-binomial at zero.
func (s Share) Run(n int) float64 {
	return math.Exp(mathext.Lbeta(s.Yes, s.No+float64(n)) - mathext.Lbeta(s.Yes, s.No))
}

// AtLeast returns the probability of k or more yeses in n: the Beta-binomial
// upper tail. It serves part payments, broken promises and bounces.
func (s Share) AtLeast(k, n int) float64 {
	if k <= 0 {
		return 1
	}
	base := mathext.Lbeta(s.Yes, s.No)
	var p float64
	for i := k; i <= n; i++ {
		x, y := float64(i), float64(n-i)
		p += math.Exp(lchoose(n, i) + mathext.Lbeta(s.Yes+x, s.No+y) - base)
	}
	return min(1, p)
}

// lchoose returns the logarithm of n over k.
func lchoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n) + 1)
	b, _ := math.Lgamma(float64(k) + 1)
	c, _ := math.Lgamma(float64(n-k) + 1)
	return a - b - c
}

// Drop returns the probability that a rating falls by drop or more between
// two observations, where changes have mean zero, standard deviation scale
// and df degrees of freedom: the Student-t tail.
func Drop(drop, scale, df float64) float64 {
	return distuv.StudentsT{Sigma: scale, Nu: df}.Survival(drop)
}
