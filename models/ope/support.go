package ope

import (
	"fmt"
	"math"
	"strings"
)

// lonely is how many rows' worth of the smallest effective sample a single row
// must carry to speak for what the log has almost never tried: a tenth of the
// answer at the default gate.
const lonely = 5

// Gate says how much of the target the log must have seen before a value is
// given.
type Gate struct {
	MinESS         float64 // smallest effective sample size, in rows
	MaxUnsupported float64 // largest mass of the target that the log has (almost) never tried
}

// DefaultGate returns the gate used where nothing else is said: fewer than 50
// effective rows leave one row with up to a seventh of the answer.
func DefaultGate() Gate { return Gate{MinESS: 50, MaxUnsupported: 0.05} }

// Support tells how well a log speaks about a policy.
type Support struct {
	Rows, Clusters int
	ESS            float64 // (Σw)² / Σw², in rows
	MaxWeight      float64 // largest importance ratio
	// UnsupportedMass is the share of the policy that lies where the log has none
	// or almost none. None is Log.Untried or, where that is not known, what the
	// mean of the ratios lacks of 1 beyond four standard errors. Almost none is
	// the share of all ratios on rows of which a single one carries a tenth
	// (lonely / MinESS).
	UnsupportedMass float64
	Supported       bool
	Reason          string // why not, with the numbers and what could be asked instead

	// MixtureShare is the largest ε for which the log does support the policy
	// that follows the target with probability ε and the logged policy
	// otherwise; 1 where the target itself is supported.
	MixtureShare float64
}

// SupportError is returned instead of a value that the log cannot carry.
type SupportError struct{ Support Support }

func (e *SupportError) Error() string { return "ope: " + e.Support.Reason }

// Support measures how well the log speaks about its target, before any model
// is fitted.
func (l *Log) Support(gate Gate) (Support, error) {
	if err := l.validate(); err != nil {
		return Support{}, err
	}
	_, m := l.units()
	return l.support(gate, m), nil
}

// support measures the log against the gate.
func (l *Log) support(gate Gate, clusters int) Support {
	// first and second moments of the row weight a and of a·ratio
	var f0, f1, s00, s01, s11, untried float64
	s := Support{Rows: len(l.Reward), Clusters: clusters, MixtureShare: 1, Supported: true}
	for i := range l.Reward {
		a, w := l.weight(i), l.ratio(i)
		f0 += a
		f1 += a * w
		s00 += a * a
		s01 += a * a * w
		s11 += a * a * w * w
		s.MaxWeight = max(s.MaxWeight, w)
		if l.Untried != nil {
			untried += a * l.Untried[i]
		}
	}
	ess := func(share float64) float64 {
		first := (1-share)*f0 + share*f1
		second := (1-share)*(1-share)*s00 + 2*share*(1-share)*s01 + share*share*s11
		if second == 0 {
			return 0
		}
		return first * first / second
	}
	s.ESS = ess(1)
	mean := f1 / f0
	se := math.Sqrt(max(0, s11-2*mean*s01+mean*mean*s00)) / f0
	none := max(0, 1-mean-4*se)
	if l.Untried != nil {
		none = untried / f0
	}
	// mass is what is unsupported of the mixture that follows the target in this
	// share of the decisions.
	mass := func(share float64) float64 {
		total, almost := (1-share)*f0+share*f1, 0.0
		for i := range l.Reward {
			if x := l.weight(i) * (1 - share + share*l.ratio(i)); x*gate.MinESS > lonely*total {
				almost += x / total
			}
		}
		return min(share*none+almost, 1)
	}
	s.UnsupportedMass = mass(1)

	var why []string
	if s.ESS < gate.MinESS {
		why = append(why, fmt.Sprintf("effective sample size %.3g of %d rows (at least %g needed, largest weight %.4g)", s.ESS, s.Rows, gate.MinESS, s.MaxWeight))
	}
	if s.UnsupportedMass > gate.MaxUnsupported {
		why = append(why, fmt.Sprintf("%.3g of the target lies where the log has almost nothing (at most %g allowed)", s.UnsupportedMass, gate.MaxUnsupported))
	}
	if why == nil {
		return s
	}
	s.Supported = false
	lo, hi := 0.0, 1.0
	within := func(share float64) bool {
		return ess(share) >= gate.MinESS && mass(share) <= gate.MaxUnsupported
	}
	for range 40 {
		if mid := (lo + hi) / 2; within(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	s.MixtureShare = lo
	s.Reason = "the log does not support this policy: " + strings.Join(why, ", and ") + s.instead(gate)
	return s
}

// instead says what the log could answer.
func (s *Support) instead(gate Gate) string {
	var ask string
	switch {
	case float64(s.Rows) < gate.MinESS:
		ask = "; the log is too short for any policy"
	case s.MixtureShare < 0.001:
		ask = "; ask instead for a policy closer to the logged one"
	default:
		ask = fmt.Sprintf("; ask instead for a policy that follows it in at most %.2g of the decisions and the logged one otherwise", s.MixtureShare)
	}
	if s.ESS > 0 && s.ESS < gate.MinESS {
		ask += fmt.Sprintf(", or collect about %.2g rows like these", float64(s.Rows)*gate.MinESS/s.ESS)
	}
	return ask
}
