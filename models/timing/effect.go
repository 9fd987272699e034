package timing

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Trial is one contact: when it was sent, and what came of it.
type Trial struct {
	Hour    int32   // hour of the week of sending
	Outcome float64 // noticed or not, paid or not, a reward: any number
	// Expected is the outcome that a model foretells for that hour; only its
	// differences within a stratum count.
	Expected float64
	Stratum  int32 // within which outcomes could as well have been swapped: a debtor, or debtor × channel
	Profile  int32 // −1 where unknown
}

// EffectOptions are the settings of HoursMatter.
type EffectOptions struct {
	// Permutations is the most times that outcomes are shuffled within strata;
	// where no effect shows, far fewer do.
	Permutations int
	// Claim is the p-value up to which an effect is claimed. The p-value is
	// exact, so that a share Claim of books without an effect claims one.
	Claim float64
	// Seed draws the permutations.
	Seed uint64
}

// DefaultEffectOptions claims at 1 %, so that of a hundred books in which hours
// do not matter more than five claim practically never (5e-4).
func DefaultEffectOptions() EffectOptions {
	return EffectOptions{Permutations: 9999, Claim: 0.01, Seed: 1}
}

// Effect says whether the hour of sending matters.
type Effect struct {
	Trials    int
	Informed  int     // trials in strata where both hours and outcomes differ: only they can tell
	Statistic float64 // standardised sum of squares of the hours' scores
	P         float64 // exact under permutation; 1 where nothing can be told
	Claimed   bool
	// Slope is by how much outcomes differ within strata for each unit by which
	// Expected does, and SE its standard error: 1 where the model is right, 0
	// where its hours say nothing. Both are 0 where Expected never differs.
	Slope, SE float64
	// Parts is how many of the eight parts of the day hold a twentieth of the
	// informed trials each: below 3 they cannot tell one hour from another.
	Parts int
}

// Refuted tells whether the hours of the model that gave Expected are to be
// set aside: no effect shows, and of what the model foretells less than half is
// left, the slope being believed to be 1 ± 0.7 before. Where little was seen, or
// all was sent about the same hour, nothing is refuted and the model stands.
func (e Effect) Refuted() bool {
	const before, sd, left = 1, 0.7, 0.5
	if e.Claimed || e.SE == 0 || e.Parts < 3 {
		return false
	}
	seen, believed := 1/(e.SE*e.SE), 1/(sd*sd)
	return (e.Slope*seen+before*believed)/(seen+believed) < left
}

// HoursMatter tests whether the outcome depends on the hour of sending, for all
// trials and for each profile. Profiles are claimed with the false discovery
// rate held at opt.Claim; see Benjamini and Hochberg (1995).
//
// Under the hypothesis that hours do not matter, outcomes within a stratum are
// exchangeable. They are shuffled there, and P is the share of shuffles whose T
// is as large: at most u with probability at most u, whatever the distribution
// of the outcomes; see Phipson and Smyth (2010), doi:10.2202/1544-6115.1585. T sums
// the squared scores Σ(outcome − mean of its stratum) of eight parts of the day
// and seven weekdays, each over its variance.
//
// It returns a RowError for a trial it cannot use.
func HoursMatter(trials []Trial, profiles int, opt EffectOptions) (all Effect, by []Effect, err error) {
	for i, t := range trials {
		switch {
		case t.Hour < 0 || t.Hour >= Hours:
			err = ErrHour
		case math.IsNaN(t.Outcome) || math.IsInf(t.Outcome, 0):
			err = ErrNotFinite
		case t.Profile < -1 || int(t.Profile) >= profiles:
			err = ErrProfile
		default:
			continue
		}
		return Effect{}, nil, fmt.Errorf("do hours matter: %w", &RowError{Column: "trials", Row: i, Err: err})
	}
	ordered := slices.Clone(trials)
	slices.SortStableFunc(ordered, func(a, b Trial) int {
		return cmp.Or(cmp.Compare(a.Profile, b.Profile), cmp.Compare(a.Stratum, b.Stratum))
	})
	all = effect(ordered, opt, 0)
	by = make([]Effect, profiles)
	for p := range by {
		by[p].P = 1
	}
	for len(ordered) > 0 {
		p, n := ordered[0].Profile, 1
		for n < len(ordered) && ordered[n].Profile == p {
			n++
		}
		if p >= 0 {
			by[p] = effect(ordered[:n], opt, uint64(p)+1)
		}
		ordered = ordered[n:]
	}
	discover(by, opt.Claim)
	return all, by, nil
}

// discover claims the profiles whose false discovery rate stays within level.
func discover(by []Effect, level float64) {
	order := make([]int, len(by))
	for i := range order {
		order[i] = i
		by[i].Claimed = false
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(by[a].P, by[b].P) })
	last := -1
	for k, i := range order {
		if by[i].P <= level*float64(k+1)/float64(len(by)) {
			last = k
		}
	}
	for _, i := range order[:last+1] {
		by[i].Claimed = true
	}
}

const dayParts = 8

// cells of a trial's hour: part of the day, and weekday.
func effectCells(hour int32) (part, day int) {
	return int(hour) % dayHours * dayParts / dayHours, dayParts + int(hour)/dayHours
}

// effect tests trials ordered by stratum.
func effect(trials []Trial, opt EffectOptions, stream uint64) Effect {
	e := Effect{Trials: len(trials), P: 1}
	var strata [][2]int // ranges in residuals
	var residual []float64
	var parts, days []int
	var foretold, told, together float64 // sums of squares and products within strata
	var pairs [][2]float64               // residuals of outcome and forecast
	var variance [dayParts + Days]float64
	for from := 0; from < len(trials); {
		to, mean := from, 0.0
		for ; to < len(trials) && trials[to].Stratum == trials[from].Stratum; to++ {
			mean += trials[to].Outcome
		}
		n := float64(to - from)
		mean /= n
		ahead := 0.0
		for _, t := range trials[from:to] {
			ahead += t.Expected / n
		}
		for _, t := range trials[from:to] {
			r, m := t.Outcome-mean, t.Expected-ahead
			foretold += m * m
			together += r * m
			pairs = append(pairs, [2]float64{r, m})
		}
		square, hours := 0.0, false
		var share [dayParts + Days]float64
		for _, t := range trials[from:to] {
			square += (t.Outcome - mean) * (t.Outcome - mean)
			part, day := effectCells(t.Hour)
			share[part]++
			share[day]++
			if p0, d0 := effectCells(trials[from].Hour); part != p0 || day != d0 {
				hours = true
			}
		}
		if hours && square > 0 {
			at := len(residual)
			for _, t := range trials[from:to] {
				part, day := effectCells(t.Hour)
				residual = append(residual, t.Outcome-mean)
				parts, days = append(parts, part), append(days, day)
			}
			strata = append(strata, [2]int{at, len(residual)})
			for c, k := range share { // of the score of a cell, outcomes shuffled
				variance[c] += square / (n - 1) * k * (n - k) / n
			}
		}
		from = to
	}
	e.Informed = len(residual)
	var sent [dayParts]int
	for _, p := range parts {
		sent[p]++
	}
	for _, n := range sent {
		if n > 0 && 20*n >= len(parts) {
			e.Parts++
		}
	}
	if foretold > 0 {
		e.Slope = together / foretold
		for _, p := range pairs {
			miss := (p[0] - e.Slope*p[1]) * p[1]
			told += miss * miss
		}
		e.SE = math.Sqrt(told) / foretold
	}
	if len(strata) == 0 {
		return e
	}
	for c, v := range variance {
		if v > 0 {
			variance[c] = 1 / v
		}
	}
	statistic := func() float64 {
		var score [dayParts + Days]float64
		for i, r := range residual {
			score[parts[i]] += r
			score[days[i]] += r
		}
		sum := 0.0
		for c, s := range score {
			sum += s * s * variance[c]
		}
		return sum
	}
	e.Statistic = statistic()
	rng := rand.New(rand.NewPCG(opt.Seed, stream))
	// Shuffled sums differ from the observed one in the last digits though
	// they be the same arrangement.
	bar := e.Statistic * (1 - 1e-12)
	e.P = permutationP(opt.Permutations, func() bool {
		for _, s := range strata {
			part := residual[s[0]:s[1]]
			rng.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
		}
		return statistic() >= bar
	})
	e.Claimed = e.P <= opt.Claim
	return e
}

// enough is the number of permutations as extreme as what was seen after which
// no more are drawn.
const enough = 20

// permutationP returns the p-value of a test from at most so many permutations,
// where extreme draws one and says whether it is as extreme as what was seen.
// It stops early where the answer is plain, and stays valid.
//
// See Besag and Clifford (1991), doi:10.1093/biomet/78.2.301.
func permutationP(permutations int, extreme func() bool) float64 {
	above := 0
	for n := 1; n <= permutations; n++ {
		if !extreme() {
			continue
		}
		if above++; above == enough {
			return float64(above) / float64(n)
		}
	}
	return float64(1+above) / float64(1+permutations)
}
