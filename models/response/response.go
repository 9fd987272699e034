// Package response estimates who answers a contact on which channel.
//
// A contact either fires, that is, moves the debtor to pay, or it does not; a
// debtor also pays without being asked. Attribute splits a payment between the
// two by a noisy-or; Fit pools the resulting counts, debtor × channel, towards
// the debtor's own responsiveness, the segment and all, with strengths found
// by maximum marginal likelihood. The package sees counts, never debtors.
package response

import (
	"errors"
	"fmt"
	"math"
)

// Channels is the number of channels of every per-channel array here.
const Channels = 5

// Lags is the number of days after sending over which a contact can fire.
const Lags = 14

// Fade is how many days it takes for a contact to weigh 1/e as fatigue.
const Fade = 6

// Tires are the values of Model.Tire that FitTire chooses among.
var Tires = [...]float64{0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.65}

// Fatigue is what the contacts of one debtor say of Tire: sufficient for the
// likelihood, given its total of firings, of how they fell on its contacts.
type Fatigue struct {
	Fired  float64             // Σ fired
	Weight float64             // Σ fired·f
	Trials [len(Tires)]float64 // Σ trial·exp(−tire·f) for each of Tires
}

// Add counts one contact that met fatigue f.
func (t *Fatigue) Add(fired, trial, f float64) {
	t.Fired += fired
	t.Weight += fired * f
	for k, tire := range Tires {
		t.Trials[k] += trial * math.Exp(-tire*f)
	}
}

// FitTire returns the value of Tires that is most likely for debtors whose
// firings are split over their contacts in proportion to trial·exp(−tire·f);
// what a debtor is like drops out. A hundred firings overrule the prior, which
// lies at 0.3.
func FitTire(rows []Fatigue) float64 {
	best, at := math.Inf(-1), 0.3
	for k, tire := range Tires {
		l := -8 * sq(tire-0.3)
		for i := range rows {
			if r := &rows[i]; r.Fired > 0 && r.Trials[k] > 0 {
				l -= tire*r.Weight + r.Fired*math.Log(r.Trials[k])
			}
		}
		if l > best {
			best, at = l, tire
		}
	}
	return at
}

// ErrSegment reports a row whose segment is out of range.
var ErrSegment = errors.New("response: segment out of range")

// Row is what one debtor did on each channel: decayed counts.
type Row struct {
	Segment int
	Trials  [Channels]float64 // contacts × their modulation, as far as their outcome is known
	Fired   [Channels]float64 // expected number of contacts that moved the debtor to pay
	Seen    [Channels]float64 // contacts with a human sign: opened, clicked, replied, answered
	Asked   [Channels]float64 // contacts that could have shown a sign
}

// Model is the pooled estimate. It is plain data; copy it by value of its
// slices only.
type Model struct {
	Mean      [Channels]float64 // P(fire) of an average debtor
	SeenMean  [Channels]float64 // P(sign) of an average debtor
	Segments  int
	Factor    []float64 // Segments × Channels, relative to Mean
	SeenScale []float64 // Segments × Channels, relative to SeenMean
	Debtor    float64   // strength, in expected firings, of the prior on a debtor's own responsiveness
	Channel   float64   // strength, in contacts, of the prior on debtor × channel
	SeenPrior float64   // strength, in contacts, of the prior on a debtor's signs
	// Tire is how much less a contact moves a debtor per recent contact: P(fire)
	// falls by exp(−Tire·f) with f = Σ exp(−days since/Fade) over contacts before.
	Tire      float64
	SeenPower float64                  // how far signs move the expectation of firing: 0 not at all, 1 in proportion
	Lag       [Channels * Lags]float64 // P(days from sending to payment | fired), each channel sums to 1
}

// Prior returns the model before any data: expert figures of what a reminder
// on each channel moves, deliberately weak in Channel so that a dozen contacts
// overrule them.
func Prior() *Model {
	m := &Model{
		Mean:      [Channels]float64{0.22, 0.28, 0.28, 0.20, 0.40},
		SeenMean:  [Channels]float64{0.45, 0.60, 0.60, 0.05, 0.50},
		Debtor:    3,
		Channel:   4,
		SeenPrior: 4,
		SeenPower: 0.5,
		Tire:      0.3,
	}
	delay := [Channels]float64{0, 0, 0, 2, 0} // a letter is two days on its way
	for c := range Channels {
		sum := 0.0
		for u := range Lags {
			v := 0.0
			if t := float64(u) - delay[c]; t >= 0 {
				v = math.Exp(-t / 1.5)
			}
			m.Lag[c*Lags+u] = v
			sum += v
		}
		for u := range Lags {
			m.Lag[c*Lags+u] /= sum
		}
	}
	return m
}

// Attribute returns the probability that a contact fired, given that the
// debtor paid on day lag after it, and how much of a trial it was.
//
// rho is the prior probability of firing; lagPDF holds the Lags probabilities
// of the day of payment once fired; hazard is the natural daily probability of
// paying. Where paid is false the contact has been followed for lag days
// without payment: fired is then zero and trial the share of firings that
// would have shown by then.
func Attribute(rho float64, lagPDF []float64, hazard float64, lag int, paid bool) (fired, trial float64) {
	if lag < 0 {
		return 0, 0
	}
	cdf := 0.0
	for u := 0; u < min(lag, Lags); u++ {
		cdf += lagPDF[u]
	}
	if !paid {
		return 0, min(cdf, 1)
	}
	if lag >= Lags {
		return 0, 1
	}
	byContact := rho * lagPDF[lag]
	alone := (1 - rho*cdf) * hazard
	if byContact+alone <= 0 {
		return 0, 1
	}
	fired = byContact / (byContact + alone)
	// A natural payment hides whether the contact would have fired later.
	return fired, fired + (1-fired)*min(cdf+lagPDF[lag], 1)
}

// Fit pools rows towards prior. segments is the number of segments; a row's
// Segment in [0, segments). It is deterministic and independent of the order
// in which equal rows come only up to rounding.
func Fit(rows []Row, segments int, prior *Model) (*Model, error) {
	for i := range rows {
		if rows[i].Segment < 0 || rows[i].Segment >= segments {
			return nil, fmt.Errorf("row %d: segment %d of %d: %w", i, rows[i].Segment, segments, ErrSegment)
		}
	}
	m := *prior
	m.Segments = segments
	m.Factor = make([]float64, segments*Channels)
	m.SeenScale = make([]float64, segments*Channels)

	const overall = 8 // contacts that the expert figures are worth
	var fired, trials, seen, asked [Channels]float64
	segFired := make([]float64, segments*Channels)
	segTrials := make([]float64, segments*Channels)
	segSeen := make([]float64, segments*Channels)
	segAsked := make([]float64, segments*Channels)
	for i := range rows {
		r := &rows[i]
		for c := range Channels {
			at := r.Segment*Channels + c
			fired[c] += r.Fired[c]
			trials[c] += r.Trials[c]
			seen[c] += r.Seen[c]
			asked[c] += r.Asked[c]
			segFired[at] += r.Fired[c]
			segTrials[at] += r.Trials[c]
			segSeen[at] += r.Seen[c]
			segAsked[at] += r.Asked[c]
		}
	}
	for c := range Channels {
		m.Mean[c] = (overall*prior.Mean[c] + fired[c]) / (overall + trials[c])
		m.SeenMean[c] = (overall*prior.SeenMean[c] + seen[c]) / (overall + asked[c])
	}

	pool := strength(segFired, segTrials, m.Mean)
	seenPool := strength(segSeen, segAsked, m.SeenMean)
	for s := range segments {
		for c := range Channels {
			at := s*Channels + c
			m.Factor[at] = (pool + segFired[at]/m.Mean[c]) / (pool + segTrials[at])
			m.SeenScale[at] = (seenPool + segSeen[at]/m.SeenMean[c]) / (seenPool + segAsked[at])
		}
	}
	m.tune(rows)
	return &m, nil
}

// grid of pooling strengths, in contacts; geometric since only the order of
// magnitude matters.
var grid = [...]float64{1, 2, 4, 8, 16, 32, 64}

// strength returns the Gamma prior strength that maximises the negative
// binomial marginal likelihood of counts given exposures, both groups ×
// Channels, with means per channel. Without information it returns the middle
// of the grid.
func strength(counts, exposure []float64, mean [Channels]float64) float64 {
	best, at := math.Inf(-1), 16.0
	for _, k := range grid {
		// Weak preference for the middle, so that an empty book does not pick an end.
		l := -0.05 * sq(math.Log(k/16))
		for i, n := range exposure {
			if n > 0 {
				// In contacts: a Gamma(k·mean, k) prior on the rate.
				l += marginal(counts[i], n, k*mean[i%Channels], k)
			}
		}
		if l > best {
			best, at = l, k
		}
	}
	return at
}

// marginal is the log marginal likelihood, up to a constant of the data, of a
// Poisson count over exposure n under a Gamma(a, b) rate.
func marginal(count, n, a, b float64) float64 {
	g1, _ := math.Lgamma(a + count)
	g0, _ := math.Lgamma(a)
	return g1 - g0 + a*math.Log(b) - (a+count)*math.Log(b+n)
}

// tune chooses the debtor-level strengths and the power of signs by coordinate
// ascent on the marginal likelihood over debtor × channel.
func (m *Model) tune(rows []Row) {
	informative := 0
	for i := range rows {
		for c := range Channels {
			if rows[i].Trials[c] > 0 {
				informative++
			}
		}
	}
	if informative == 0 {
		return
	}
	best := m.logLik(rows)
	try := func(p *float64, values []float64) {
		keep := *p
		for _, v := range values {
			*p = v
			if l := m.logLik(rows); l > best {
				best, keep = l, v
			}
		}
		*p = keep
	}
	for range 2 {
		try(&m.Channel, grid[:])
		try(&m.Debtor, grid[:])
		try(&m.SeenPower, []float64{0, 0.25, 0.5, 0.75, 1, 1.5})
		try(&m.SeenPrior, grid[:6])
	}
}

func (m *Model) logLik(rows []Row) float64 {
	l := -0.5*sq(math.Log(m.Channel/6)) - 0.5*sq(math.Log(m.Debtor/3)) -
		0.25*sq(m.SeenPower-0.5) - 0.05*sq(math.Log(m.SeenPrior/4))
	for i := range rows {
		r := &rows[i]
		// Leave the channel itself out of the debtor's responsiveness, so that
		// a count is not predicted from itself.
		var all, expected float64
		var mean [Channels]float64
		for c := range Channels {
			mean[c] = m.center(r, c)
			all += r.Fired[c]
			expected += r.Trials[c] * mean[c]
		}
		for c := range Channels {
			n := r.Trials[c]
			if n <= 0 {
				continue
			}
			own := (m.Debtor + all - r.Fired[c]) / (m.Debtor + expected - n*mean[c])
			l += marginal(r.Fired[c], n, m.Channel*clamp(mean[c]*own), m.Channel)
		}
	}
	return l
}

// center is the expected P(fire) of a debtor on channel c from its segment and
// from the signs it gave there.
func (m *Model) center(r *Row, c int) float64 {
	factor, scale := 1.0, 1.0
	if r.Segment >= 0 && r.Segment < m.Segments {
		factor = m.Factor[r.Segment*Channels+c]
		scale = m.SeenScale[r.Segment*Channels+c]
	}
	p := m.Mean[c] * factor
	if m.SeenPower > 0 && r.Asked[c] > 0 {
		base := clamp(m.SeenMean[c] * scale)
		ratio := (m.SeenPrior*base + r.Seen[c]) / (m.SeenPrior + r.Asked[c]) / base
		p *= math.Pow(ratio, m.SeenPower)
	}
	return clamp(p)
}

// Posterior stores the mean and standard deviation of P(fire) on each channel
// for one debtor. A segment that the model does not know counts as average. It
// does not allocate.
func (m *Model) Posterior(mean, sd *[Channels]float64, r *Row) {
	var all, expected float64
	var center [Channels]float64
	for c := range Channels {
		center[c] = m.center(r, c)
		all += r.Fired[c]
		expected += r.Trials[c] * center[c]
	}
	for c := range Channels {
		own := (m.Debtor + all - r.Fired[c]) / (m.Debtor + expected - r.Trials[c]*center[c])
		a := m.Channel*clamp(center[c]*own) + r.Fired[c]
		b := m.Channel + r.Trials[c]
		mean[c] = clamp(a / b)
		sd[c] = math.Sqrt(mean[c] * (1 - mean[c]) / (b + 1))
	}
}

// FitLag re-estimates the days from sending to payment from responsibilities:
// counts[c*Lags+u] expected firings on day u, shrunk to the prior's shape.
func (m *Model) FitLag(counts *[Channels * Lags]float64, prior *Model) {
	const weight = 20 // firings that the prior's shape is worth
	for c := range Channels {
		sum := 0.0
		for u := range Lags {
			v := weight*prior.Lag[c*Lags+u] + counts[c*Lags+u]
			m.Lag[c*Lags+u] = v
			sum += v
		}
		for u := range Lags {
			m.Lag[c*Lags+u] /= sum
		}
	}
}

func clamp(p float64) float64 { return min(max(p, 1e-3), 0.97) }

func sq(x float64) float64 { return x * x }
