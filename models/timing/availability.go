package timing

import "math"

// Model says how likely a debtor is to look in each hour of the week, for all,
// per profile and, through Posterior, per debtor. Every field is a number or a
// flat slice of numbers, row-major, so that it can be stored as columns.
//
// The hazard of a debtor is level · curve(h) · r(h): curve is the hazard of
// the profile per exposed hour; level is Gamma(Level, Level), how often this
// debtor looks; r(h) is Gamma(κ(h), κ(h)), how unlike the profile this hour is,
// with κ(h) = Strength·(curve(h)/mean curve)^Tilt in events. Counts are
// Poisson, so that posterior means are ratios of seen to expected.
//
// See Clayton and Kaldor (1987), doi:10.2307/2532003, for the Gamma-Poisson
// ratio under empirical Bayes.
type Model struct {
	// Curves is (profiles+1)×168: the hazard of noticing per hour in which
	// something lay unread. Row 0 is for all, row p+1 for profile p.
	Curves []float64
	// Level is the shape of the Gamma of debtors' levels; high is alike.
	Level float64
	// Strength is the pooling of hours, in events: a debtor's own hours
	// weigh half at this many events nearby.
	Strength float64
	// Tilt is between 0, where an hour is pooled by events whatever the
	// profile expects there, and 1, where by exposed hours, so that an
	// unusual hour is soon believed.
	Tilt float64
	// Bandwidth in hours and Daily, the share of a habit common to every
	// day, are the smoothing on the circle.
	Bandwidth, Daily float64
	// Groups is g×168: curves learnt from behaviour, relative to that of the
	// profile; empty where they do not help.
	Groups []float64
	// GroupShares is (profiles+1)×g, rows as in Curves; each sums to one.
	GroupShares []float64
	// GroupHeat is the number of events past which more of them add little
	// to the certainty of a debtor's membership.
	GroupHeat float64
	// Report says how well the model does on what it had not seen.
	Report Report
}

// Report holds what was found in fitting. Scores are mean log-likelihoods in
// nats per event: the log probability of the hour of an event among the hours
// of the week that were exposed.
type Report struct {
	Rows   int     // debtors
	Events float64 // their counts, after decay
	// All, Profile, Debtor and Group are the held-out scores of the curve for
	// all, the profile's, the debtor's own, and the debtor's own from soft
	// groups; 0 where there was nothing to score.
	All, Profile, Debtor, Group float64
	// GroupGain and GroupSE are the gain of groups over none, per event, on
	// debtors held out of drawing them, and its standard error. Groups are
	// kept where the gain exceeds twice the error.
	GroupGain, GroupSE float64
	GroupsTried        int // the number of groups that did best, kept or not
}

// Posterior stores the expected hazard of noticing of one debtor, per hour of
// the week in 1/h, in dst.
//
// counts are engagements by hour of week; exposure is the number of times that
// something lay unread in that hour, decayed alike. nil counts are none; with
// nil exposure every hour counts as equally exposed, and only the shape is
// learnt, not the level. A profile outside the model is answered from all.
// Posterior does not allocate and may be called concurrently.
func (m *Model) Posterior(dst *[Hours]float64, counts, exposure *[Hours]float32, profile int) {
	m.posterior(dst, nil, counts, exposure, profile)
}

// Known stores in dst which share of Posterior's answer, hour by hour, rests on
// the debtor's own events, from 0 (all of it is borrowed) to 1.
func (m *Model) Known(dst *[Hours]float64, counts, exposure *[Hours]float32, profile int) {
	var answer [Hours]float64
	clear(dst[:])
	m.posterior(&answer, dst, counts, exposure, profile)
}

func (m *Model) posterior(dst, known *[Hours]float64, counts, exposure *[Hours]float32, profile int) {
	row := m.row(profile)
	curve := (*[Hours]float64)(m.Curves[row*Hours:])
	var none [Hours]float32
	if counts == nil {
		counts = &none
	}
	var n, e [Hours]float64 // events seen, and expected at level 1
	var seen, expected, mean float64
	for h, c := range curve {
		n[h] = float64(counts[h])
		e[h] = c
		if exposure != nil {
			e[h] *= float64(exposure[h])
		}
		seen += n[h]
		expected += e[h]
		mean += c
	}
	mean /= Hours
	*dst = *curve
	if len(m.Groups) > 0 {
		m.mix(dst, &n, &e, seen, expected, row)
	}
	level, own := 1.0, 0.0 // own: the level at which e is what is expected of this debtor
	if exposure != nil {
		level = (m.Level + seen) / (m.Level + expected)
		own = level
	} else if expected > 0 {
		own = seen / expected
	}
	if own == 0 {
		return
	}

	// r(h) = (κ(h) + seen nearby)/(κ(h) + expected nearby).
	var sn, se [Hours]float64
	newKernel(m.Bandwidth, m.Daily).smooth(&sn, &se, &n, &e)
	unit := m.Strength / math.Pow(mean, m.Tilt)
	after := 0.0
	for h := range dst {
		k := leastStrength
		switch m.Tilt {
		case 0.5:
			k += unit * math.Sqrt(dst[h])
		case 1:
			k += unit * dst[h]
		default:
			k += unit * math.Pow(dst[h], m.Tilt)
		}
		if known != nil {
			known[h] = own * se[h] / (k + own*se[h])
		}
		r := (k + sn[h]) / (k + own*se[h])
		after += e[h] * r
		dst[h] *= r
	}
	if after > 0 { // r is about hours alone: the level stays
		level *= expected / after
	}
	for h := range dst {
		dst[h] *= level
	}
}

// Impute adds to counts the events of which only the weekday is known, and
// stores the sum in dst: those of a day are spread over its hours as the
// profile expects them there, so that they speak for the day and say nothing
// of its hours. nil exposure is the same in every hour, as is that of a day
// without any. dst may be counts. It does not allocate.
func (m *Model) Impute(dst, counts, exposure *[Hours]float32, dated *[Days]float32, profile int) {
	curve := (*[Hours]float64)(m.Curves[m.row(profile)*Hours:])
	*dst = *counts
	for d, n := range dated {
		if n == 0 {
			continue
		}
		var share [dayHours]float64
		sum, bare := 0.0, 0.0
		for h := range share {
			c := curve[d*dayHours+h]
			bare += c
			share[h] = c
			if exposure != nil {
				share[h] *= float64(exposure[d*dayHours+h])
			}
			sum += share[h]
		}
		for h := range share {
			if sum > 0 {
				share[h] /= sum
			} else {
				share[h] = curve[d*dayHours+h] / bare
			}
			dst[d*dayHours+h] += n * float32(share[h])
		}
	}
}

// leastStrength keeps an hour that is dead in the profile from being believed
// at the first event, and the ratio finite.
const leastStrength = 0.05

// row is the row of Curves for a profile, 0 for one outside the model.
func (m *Model) row(profile int) int {
	if profile < 0 || (profile+2)*Hours > len(m.Curves) {
		return 0
	}
	return profile + 1
}

// Profiles is the number of profiles the model knows.
func (m *Model) Profiles() int { return len(m.Curves)/Hours - 1 }

// Modes appends to dst the hours of the local maxima of avail around the
// circle that reach at least share of the highest hour, in order of the week.
// A flat top counts once, at its first hour.
func Modes(dst []int, avail *[Hours]float64, share float64) []int {
	top := 0.0
	for _, v := range avail {
		top = max(top, v)
	}
	for h, v := range avail {
		if v < share*top || v <= avail[(h+Hours-1)%Hours] {
			continue
		}
		next := h + 1
		for next < h+Hours && avail[next%Hours] == v {
			next++
		}
		if avail[next%Hours] < v {
			dst = append(dst, h)
		}
	}
	return dst
}
