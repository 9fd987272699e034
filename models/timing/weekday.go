package timing

import (
	"fmt"
	"math"
)

// Weekday says on which days of the week a debtor acts, from events known by
// date only: payments, and feeds without hours. It is Dirichlet-multinomial,
// the Gamma-Poisson given the total, from debtor to profile to all.
type Weekday struct {
	// Shares is (profiles+1)×7, Monday first; each row sums to one. Row 0 is
	// for all, row p+1 for profile p.
	Shares []float64
	// Strength is the pooling of a debtor to the profile, in events.
	Strength float64
	// ProfileStrength is the pooling of a profile to all, in events.
	ProfileStrength float64
}

// PriorWeekday is the belief before any data: every day alike.
func PriorWeekday(profiles int) *Weekday {
	w := &Weekday{Shares: make([]float64, (profiles+1)*Days), Strength: 20, ProfileStrength: 20}
	for i := range w.Shares {
		w.Shares[i] = 1.0 / Days
	}
	return w
}

// FitWeekday learns from n×7 counts, Monday first, and n profiles (−1 where
// unknown). Both strengths maximise the marginal likelihood. It returns a
// RowError for values it cannot use and panics if lengths disagree.
func FitWeekday(counts []float32, profile []int32, profiles int) (*Weekday, error) {
	if len(counts) != len(profile)*Days {
		panic("timing: counts and profiles differ in length")
	}
	if err := checkCells("weekdays", counts, Days); err != nil {
		return nil, fmt.Errorf("fit weekdays: %w", err)
	}
	for r, p := range profile {
		if p < -1 || int(p) >= profiles {
			return nil, fmt.Errorf("fit weekdays: %w", &RowError{Column: "profile", Row: r, Err: ErrProfile})
		}
	}
	w := PriorWeekday(profiles)
	own := make([]week, 0, len(profile)) // rows that hold anything
	for r := range profile {
		s := week{parent: w.row(int(profile[r])) * Days}
		for d := range s.n {
			s.n[d] = float64(counts[r*Days+d])
			s.sum += s.n[d]
		}
		if s.sum > 0 {
			own = append(own, s)
		}
	}
	for range 3 { // shares and strengths lean on each other; three rounds settle
		w.spread(own)
		w.Strength = strengthOf(own, w.Shares)
	}
	return w, nil
}

// week is that of one unit: what it saw, and where in Shares the row
// stands that it is pooled to.
type week struct {
	n      [Days]float64
	sum    float64
	parent int
}

// spread refits the shares of all and of the profiles, given the strength of
// debtors. A debtor's n events say as much of the others as
// n(κ+1)/(κ+n) independent ones do.
func (w *Weekday) spread(own []week) {
	profiles := len(w.Shares)/Days - 1
	units := make([]week, profiles+1)
	for _, s := range own {
		weight := (w.Strength + 1) / (w.Strength + s.sum)
		for d, v := range s.n {
			v *= weight
			units[0].n[d] += v
			units[0].sum += v
			if s.parent > 0 {
				u := &units[s.parent/Days]
				u.n[d] += v
				u.sum += v
			}
		}
	}
	for d := range Days { // one event a day keeps every share above zero
		w.Shares[d] = (1 + units[0].n[d]) / (Days + units[0].sum)
	}
	if profiles == 0 {
		return
	}
	w.ProfileStrength = strengthOf(units[1:], w.Shares)
	for p := 1; p <= profiles; p++ {
		for d := range Days {
			w.Shares[p*Days+d] = (w.ProfileStrength*w.Shares[d] + units[p].n[d]) / (w.ProfileStrength + units[p].sum)
		}
	}
}

// strengthOf maximises the marginal likelihood of Dirichlet-multinomial weeks.
func strengthOf(units []week, shares []float64) float64 {
	loglik := func(logKappa float64) float64 {
		k := math.Exp(logKappa)
		base, _ := math.Lgamma(k)
		sum := 0.0
		for i := range units {
			u := &units[i]
			if u.sum == 0 {
				continue
			}
			g, _ := math.Lgamma(k + u.sum)
			sum += base - g
			for d, v := range u.n {
				if v > 0 {
					a := k * shares[u.parent+d]
					hi, _ := math.Lgamma(a + v)
					lo, _ := math.Lgamma(a)
					sum += hi - lo
				}
			}
		}
		return sum
	}
	return math.Exp(maximise(loglik, math.Log(0.5), math.Log(5000)))
}

func (w *Weekday) row(profile int) int {
	if profile < 0 || (profile+2)*Days > len(w.Shares) {
		return 0
	}
	return profile + 1
}

// Posterior stores the expected share of each weekday, Monday first, in dst.
// nil counts are none. It does not allocate.
func (w *Weekday) Posterior(dst *[Days]float64, counts *[Days]float32, profile int) {
	shares := w.Shares[w.row(profile)*Days:][:Days]
	copy(dst[:], shares)
	if counts == nil {
		return
	}
	sum := w.Strength
	for _, v := range counts {
		sum += float64(v)
	}
	for d, v := range counts {
		dst[d] = (w.Strength*shares[d] + float64(v)) / sum
	}
}

// Modulate gives avail the weekdays of a debtor whose hours are not known:
// each day is scaled by the debtor's share of it over the profile's, and the
// sum over the week is kept.
func (w *Weekday) Modulate(avail *[Hours]float64, share *[Days]float64, profile int) {
	shares := w.Shares[w.row(profile)*Days:][:Days]
	before, after := 0.0, 0.0
	for h := range avail {
		d := h / dayHours
		before += avail[h]
		avail[h] *= share[d] / shares[d]
		after += avail[h]
	}
	if after > 0 {
		scale(avail[:], before/after)
	}
}
