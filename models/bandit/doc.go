// Package bandit learns what to try from rewards that come late, and says with
// exactly which probability it tries it. It sees numbers only: feature rows,
// rewards, handles. It knows nothing of debtors, channels or clocks, does no
// I/O, and takes every random number from a stream named by a seed and a key.
//
// # The engine's learner
//
// [Pooled] is a Gaussian linear model with partial pooling on three levels,
//
//	r − baseline = φ·(θ + u_segment + u_debtor) + ε,  ε ~ N(0, σ²/weight)
//
// whose posterior is computed exactly. One goroutine at a time writes; readers
// work on an immutable [Posterior] behind an atomic pointer and take no lock:
//
//	pool, err := bandit.NewPooled(config)
//	h := pool.Observe(segment, debtor, phi, expected-baseline, 1) // counts at once
//	pool.Correct(h, newExpected-oldExpected)                     // as days pass
//	changed := pool.Close(h)                                     // reward is final; habits changed?
//	pool.Forget(0.995)                                           // drift, once a day
//	pool.Tune(3)                                                 // noise and pooling from data
//	pool.Solve()                                                 // publish a new Posterior
//
//	post, ws := pool.Posterior(), bandit.NewWorkspace(p)         // a workspace per goroutine
//	post.Score(mean, sd, phis, segment, debtor, ws)
//	best := bandit.Best(mean)
//	post.Contrast(mean, sd, phis, best, segment, debtor, ws)     // sd of the gap to the best
//	bandit.Thompson(prob, mean, sd, bandit.Exploration{Scale: 0.5, Floor: 0.01}, ws)
//	i := bandit.Draw(prob, seed, decisionID)                     // log prob[i]
//
// [Pooled.State] and [Restore] save and resume with identical decisions.
//
// [Expected] says what a reward is worth that has not come yet,
// [CensoringWeights] is the alternative, [ChooseHalfLife] picks the half-life
// for Forget from a log.
//
// # Learners
//
// [NewLearner] gives the classic learners behind one interface, [Learner];
// [Replay] plays them on a classification file.
//
// # Distributions
//
// [Thompson], [InverseGap], [EpsilonGreedy] and [Eliminate] turn estimates into
// exact probabilities; [Draw] draws with those very numbers.
//
// # Reproducibility
//
// A fused multiply-add rounds once where two operations round twice, and Go may
// fuse x*y+z on arm64 but not on amd64. Every product that reaches a decision
// is therefore written float64(x*y), which forbids fusing, and the path uses
// only +, −, ×, ÷ and √, which IEEE 754 fixes to the bit: no assembly, no
// math.Exp, no goroutine-dependent order of summation. The same inputs give the
// same distribution on every platform.
package bandit
