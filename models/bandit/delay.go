package bandit

import (
	"fmt"
	"slices"
)

// Expected returns what a reward r = 1 − min(T, H)/H is worth when payment has
// not been seen elapsed days after the decision: E[r | T > elapsed], with
// survival[t] = P(T > t) for t = 0 … H and H = len(survival) − 1 ≥ 1. Days are
// whole; elapsed before the decision counts as 0, and from H on the reward is 0.
//
//	E[min(T, H) | T > e] = e + Σ_{t=e}^{H−1} S(t)/S(e)
//
// A decision that is counted with Expected from its first day and corrected as
// days pass is neither too good nor too bad on average, if survival is right;
// counted as 0 until money comes, it is too bad.
func Expected(survival []float64, elapsed int) float64 {
	horizon := len(survival) - 1
	if horizon < 1 {
		panic(fmt.Sprintf("bandit: survival of %d days", len(survival)))
	}
	elapsed = max(elapsed, 0)
	if elapsed >= horizon {
		return 0
	}
	days := 1.0 // the day of elapsed itself; T > elapsed is known
	if survival[elapsed] > 0 {
		for _, s := range survival[elapsed+1 : horizon] {
			days += s / survival[elapsed]
		}
	}
	return 1 - (float64(elapsed)+days)/float64(horizon)
}

// Reward returns r = 1 − min(days, horizon)/horizon for a payment days after
// the decision; a payment before it counts as at once.
func Reward(days, horizon int) float64 {
	if horizon < 1 {
		panic(fmt.Sprintf("bandit: horizon of %d days", horizon))
	}
	return 1 - float64(min(max(days, 0), horizon))/float64(horizon)
}

// CensoringWeights stores in dst the inverse-probability-of-censoring weight of
// each decision and returns dst: 0 where its outcome is not observed yet, else
// 1/P(C ≥ days), with C the days after which decisions are cut off, estimated
// by Kaplan-Meier with payments and cuts changing places. days[i] is when the
// outcome came (payment, or the end of the horizon) if observed[i], else how
// long decision i has been watched. On one day payments come before cuts.
//
// It is the alternative to Expected that needs no model of payment, at the cost
// of the decisions it leaves out: Observe finished decisions alone, with these
// weights. See Robins and Rotnitzky (1992).
func CensoringWeights(dst []float64, days []int, observed []bool) []float64 {
	if len(days) != len(dst) || len(observed) != len(dst) {
		panic(fmt.Sprintf("bandit: %d weights, %d days, %d outcomes", len(dst), len(days), len(observed)))
	}
	if len(dst) == 0 {
		return dst
	}
	last := slices.Max(days)
	paid, cut := make([]float64, last+1), make([]float64, last+1)
	for i, d := range days {
		if observed[i] {
			paid[d]++
		} else {
			cut[d]++
		}
	}
	kept := make([]float64, last+1) // P(C ≥ day)
	left, g := float64(len(days)), 1.0
	for d := range kept {
		kept[d] = g
		left -= paid[d]
		if cut[d] > 0 {
			g = float64(g * (1 - cut[d]/left))
		}
		left -= cut[d]
	}
	for i, d := range days {
		dst[i] = 0
		if observed[i] {
			dst[i] = 1 / kept[d]
		}
	}
	return dst
}
