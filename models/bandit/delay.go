package bandit

import "fmt"

// Expected returns what a reward r = 1 − min(T, H)/H is worth when so many days
// after the decision payment has not come: E[r | T ≥ elapsed], with survival[t] =
// P(T > t) for t = 0 … H−1 and H = len(survival) ≥ 1. T counts whole days, 0 is
// the day of the decision; a part of a day of elapsed is lost, and tells nothing.
// From H on the reward is 0.
//
//	E[min(T, H) | T ≥ e] = e + Σ_{t=e}^{H−1} S(t)/S(e−1),  S(−1) = 1
//
// A decision that is counted with Expected from its first day and corrected as
// days pass is neither too good nor too bad on average, if survival is right;
// counted as 0 until money comes, it is too bad.
func Expected(survival []float64, elapsed float64) float64 {
	horizon := len(survival)
	if horizon < 1 {
		panic("bandit: survival of no days")
	}
	elapsed = max(elapsed, 0)
	if elapsed >= float64(horizon) {
		return 0
	}
	e, alive := int(elapsed), 1.0
	if e > 0 {
		alive = survival[e-1]
	}
	lost := elapsed
	if alive > 1e-9 { // else it cannot be, and is worth what payment at once earns
		for _, s := range survival[e:] {
			lost += s / alive
		}
	}
	return Reward(lost, horizon)
}

// Reward returns r = 1 − min(days, horizon)/horizon for a payment days after
// the decision; a payment before it counts as at once.
func Reward(days float64, horizon int) float64 {
	if horizon < 1 {
		panic(fmt.Sprintf("bandit: horizon of %d days", horizon))
	}
	h := float64(horizon)
	return 1 - min(max(days, 0), h)/h
}
