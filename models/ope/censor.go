package ope

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Censoring says how long each row's reward was watched. A reward that is
// complete (paid, or unpaid for the whole horizon) is read; of another only
// the time it was watched is used.
type Censoring struct {
	Time     []float64 // until the reward was complete, or until the log was cut; ≥ 0
	Complete []bool
	Stratum  []int // rows that share one censoring distribution, any labels; nil means all
}

// HorizonError means that rewards last longer than anybody was watched: some
// row was cut at or after the last moment at which a reward of its stratum was
// completed, so nothing is known of what follows.
type HorizonError struct {
	Stratum int
	Time    float64 // the last time at which a reward was completed
}

func (e *HorizonError) Error() string {
	return fmt.Sprintf("ope: stratum %d: no reward is complete after time %v although rows were still watched then; take a shorter reward horizon", e.Stratum, e.Time)
}

func (c *Censoring) validate(n int) error {
	sameLength(n, "Censoring.Time", c.Time)
	sameLength(n, "Censoring.Complete", c.Complete)
	if c.Stratum != nil {
		sameLength(n, "Censoring.Stratum", c.Stratum)
	}
	for i, u := range c.Time {
		if !(u >= 0) || math.IsInf(u, 1) {
			return &RowError{i, "time", u, "a finite number of at least 0"}
		}
	}
	return nil
}

// moment is one distinct time of a stratum at which rows were cut.
type moment struct {
	time  float64
	first int     // rows from here on (by time, completed first) are watched beyond this time
	risk  float64 // λ: share of those still watched and incomplete that was cut
	stay  float64 // G: probability of not having been cut up to and including this time
}

// stratum is the Kaplan-Meier estimate of staying watched.
type stratum struct {
	rows    []int // by time, completed before cut
	moments []moment
}

// strata estimates the censoring distribution of each stratum, weighted. At a
// shared time completions come before cuts.
func (c *Censoring) strata(weight func(int) float64) ([]stratum, error) {
	groups := map[int][]int{}
	var labels []int
	for i := range c.Time {
		label := 0
		if c.Stratum != nil {
			label = c.Stratum[i]
		}
		if groups[label] == nil {
			labels = append(labels, label)
		}
		groups[label] = append(groups[label], i)
	}
	out := make([]stratum, 0, len(labels))
	for _, label := range labels {
		rows := groups[label]
		slices.SortStableFunc(rows, func(a, b int) int {
			if d := cmp.Compare(c.Time[a], c.Time[b]); d != 0 || c.Complete[a] == c.Complete[b] {
				return d
			}
			if c.Complete[a] {
				return -1
			}
			return 1
		})
		s := stratum{rows: rows}
		watched := 0.0
		for _, i := range rows {
			watched += weight(i)
		}
		stay, last := 1.0, math.Inf(-1)
		for k := 0; k < len(rows); {
			i := rows[k]
			if c.Complete[i] {
				watched -= weight(i)
				last = c.Time[i]
				k++
				continue
			}
			m := moment{time: c.Time[i]}
			cut := 0.0
			for ; k < len(rows) && c.Time[rows[k]] == m.time; k++ {
				cut += weight(rows[k])
			}
			m.first = k
			if k == len(rows) {
				return nil, &HorizonError{label, last}
			}
			if watched > 0 {
				m.risk = cut / watched
			}
			watched -= cut
			stay *= 1 - m.risk
			m.stay = stay
			s.moments = append(s.moments, m)
		}
		out = append(out, s)
	}
	return out, nil
}

// Weights stores in dst, and returns, what a row's reward must count for so
// that complete rows stand for all: 1/G(time) of complete rows, 0 of others.
// Use it to train a reward model on censored rewards. dst may be nil; weight
// is the rows' own weight, nil for 1 each.
func (c *Censoring) Weights(dst, weight []float64) ([]float64, error) {
	if dst == nil {
		dst = make([]float64, len(c.Time))
	}
	sameLength(len(c.Time), "dst", dst)
	strata, err := c.strata(func(i int) float64 {
		if weight == nil {
			return 1
		}
		return weight[i]
	})
	if err != nil {
		return nil, err
	}
	clear(dst)
	for _, s := range strata {
		s.inverse(c, dst)
	}
	return dst, nil
}

// inverse stores 1/G just before completion for the stratum's complete rows.
func (s *stratum) inverse(c *Censoring, dst []float64) {
	stay, m := 1.0, 0
	for k, i := range s.rows {
		for m < len(s.moments) && s.moments[m].first <= k {
			stay = s.moments[m].stay
			m++
		}
		if c.Complete[i] {
			dst[i] = 1 / stay
		}
	}
}

// scores returns per row a number whose weighted mean is the value of the
// policy although some rewards are incomplete:
//
//	V + w·(δR/G − Q) + ∫ (w·m(u) + c(u)) / G(u) dM(u)
//
// with G the probability of staying watched, δ complete, M the censoring
// martingale of the row, and m(u) = a(u) + b(u)·Q the expected reward of a row
// still incomplete at u, a line fitted at every u to the complete rows that
// lasted longer. c(u) is what remains on average: its part of the mean is
// exactly 0, but with it each score carries the row's share in estimating G,
// so that intervals built on scores are right. Without a model Q, V and m are
// 0 and the mean is that of w·δR/G.
//
// See Tsiatis (2006), Semiparametric Theory and Missing Data, chapter 10, and
// Bang and Tsiatis (2000), doi:10.1093/biomet/87.2.329.
func (c *Censoring) scores(l *Log, model bool) ([]float64, error) {
	strata, err := c.strata(l.weight)
	if err != nil {
		return nil, err
	}
	inverse := make([]float64, len(c.Time))
	out := make([]float64, len(c.Time))
	for _, s := range strata {
		s.inverse(c, inverse)
		s.scores(out, inverse, l, model)
	}
	return out, nil
}

// line is m(u) = a + b·q and the mean remainder c at one moment.
type line struct{ a, b, c float64 }

func (s *stratum) scores(dst, inverse []float64, l *Log, model bool) {
	q := func(i int) float64 {
		if !model {
			return 0
		}
		return l.Q[i]
	}

	// Backwards: sums over complete rows that were watched beyond each moment.
	lines := make([]line, len(s.moments))
	var n, sq, sqq, sr, sqr, sw, swq, swr float64
	k := len(s.rows)
	for m := len(s.moments) - 1; m >= 0; m-- {
		for k > s.moments[m].first {
			k--
			i := s.rows[k]
			if g := inverse[i] * l.weight(i); g != 0 {
				r, w := l.Reward[i], l.ratio(i)
				n += g
				sq += g * q(i)
				sqq += g * q(i) * q(i)
				sr += g * r
				sqr += g * q(i) * r
				sw += g * w
				swq += g * w * q(i)
				swr += g * w * r
			}
		}
		if n == 0 {
			continue
		}
		var f line
		if model {
			if spread := sqq - sq*sq/n; spread > 1e-9*sqq { // else Q is one number here
				f.b = (sqr - sq*sr/n) / spread
			}
			f.a = (sr - f.b*sq) / n
		}
		f.c = (swr - f.a*sw - f.b*swq) / n
		lines[m] = f
	}

	// Forwards: ∫ (w·m + c)/G dM per row. sum holds Σ λ(u)/G(u) of each part.
	var sum line
	m := 0
	for k, i := range s.rows {
		w, r := l.ratio(i), 0.0
		for m < len(s.moments) && s.moments[m].first <= k {
			sum = sum.plus(lines[m], s.moments[m].risk/s.moments[m].stay)
			m++
		}
		integral := -(w*(sum.a+sum.b*q(i)) + sum.c)
		if inverse[i] == 0 { // cut at moment m
			now := s.moments[m]
			cut := sum.plus(lines[m], now.risk/now.stay)
			f := lines[m]
			integral = (w*(f.a+f.b*q(i))+f.c)/now.stay - (w*(cut.a+cut.b*q(i)) + cut.c)
		} else {
			r = inverse[i] * l.Reward[i]
		}
		dst[i] = w*(r-q(i)) + integral
		if model {
			dst[i] += l.V[i]
		}
	}
}

func (s line) plus(f line, times float64) line {
	return line{s.a + times*f.a, s.b + times*f.b, s.c + times*f.c}
}
