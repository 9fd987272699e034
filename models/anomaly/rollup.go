package anomaly

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Group is a count over the debtors of one sector, region, profile, or their
// crossing.
type Group struct {
	Size  int // debtors tested lately
	Moved int // of which pay suspiciously late
}

// Scan returns the group in which more debtors moved at once than chance
// explains, the most marked of them, with the probability of seeing as many in
// any one group; -1 where there is none below limit.
//
// share is the part of debtors that move where nothing happened. A group must
// hold at least five that moved and exceed share by at least ten points, so
// that a slight difference in a large group is not called a shock. Markedness
// is the likelihood ratio of Kulldorff (1997), doi:10.1080/03610929708831995,
// which prefers the group that holds the shock to those that contain it.
func Scan(groups []Group, share, limit float64) (group int, p float64) {
	group, p = -1, 1
	var best float64
	for i, g := range groups {
		n, c := float64(g.Size), float64(g.Moved)
		if g.Moved < 5 || c/n < share+0.1 {
			continue
		}
		// P(X ≥ c) of a binomial is the regularised incomplete beta function.
		q := distuv.Binomial{N: n, P: share}.Survival(c - 1)
		if q > limit {
			continue
		}
		ratio := c * math.Log(c/(n*share))
		if c < n {
			ratio += (n - c) * math.Log((n-c)/(n*(1-share)))
		}
		if ratio > best {
			best, group, p = ratio, i, q
		}
	}
	return group, p
}
