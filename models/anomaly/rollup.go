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
// explains, the most marked of them, with the probability of as many in that
// group alone; -1 where there is none below limit. All holds every debtor
// tested lately, each once; groups may overlap and nest.
//
// What chance explains is the share that moved outside the group, or usual
// where that is more, or where less lies outside than within. A group must
// hold at least five that moved and exceed it by ten points, so that a slight
// difference in a large group is not called a shock; and by a third where
// little lies outside to compare with. Markedness is the likelihood ratio of
// Kulldorff (1997), doi:10.1080/03610929708831995, which prefers the group
// that holds the shock to those that contain it.
func Scan(groups []Group, all Group, usual, limit float64) (group int, p float64) {
	group, p = -1, 1
	var best float64
	for i, g := range groups {
		if g.Moved < 5 {
			continue
		}
		n, c, share, excess := float64(g.Size), float64(g.Moved), usual, 1.0/3
		if rest := float64(all.Size - g.Size); rest >= n {
			share, excess = max(share, (float64(all.Moved-g.Moved)+1)/(rest+1)), 0.1
		}
		if c/n < share+excess {
			continue
		}
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
