// Package response estimates who answers a contact on which channel.
//
// A contact adds to the hazard of payment for some days: on day u after sending
// by Λ·Lag(u), on top of the natural hazard with which the debtor pays unasked.
// So the contact moves the debtor to pay with probability 1 − exp(−Λ), and a
// payment is the contacts' and nature's in proportion to what each added on its
// day: an excess hazard (Estève et al. 1990, doi:10.1002/sim.4780090506).
//
//	log Λ = base(channel) + profile × channel + debtor + debtor × channel + coefficients · x
//
// The three groups of effects are normal, those of profiles around what experts
// believe of them; their variances are found from the data by empirical Bayes in
// a Gaussian variational approximation (Ormerod and Wand 2012,
// doi:10.1198/jcgs.2011.09118), so that each debtor is as much like the others as
// debtors are. The package sees contacts
// and days, never who.
package response

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Channels is the number of channels of every per-channel array here, in the
// order of the ledger; Phone is the one that is answered at once or not at all.
const (
	Channels = 5
	Phone    = 4
)

// Lags is the number of days after sending over which a contact can move a
// debtor.
const Lags = 14

// Fade is how many days it takes for a contact to weigh 1/e as fatigue.
const Fade = 6

// What modulates a contact, beside who it goes to on which channel.
const (
	CovNotice      = iota // log of P(noticed) at this hour against the average hour
	CovFatigue            // Σ exp(−days since/Fade) over the contacts before it
	CovNeutral            // tone, against friendly
	CovFormal             //
	CovNeutralLate        // the same × Late(days past due)
	CovFormalLate         //
	CovLate               // Late(days past due)
	CovPreDue             // sent before the due date
	CovRepeat             // on the channel of the last contact, which met silence
	CovWeekend            // sent on Saturday or Sunday
	CovThere              // log of the hazard of looking in the hour of sending against the average hour
	Covariates            // how many there are
)

// CovariateNames names the covariates, in order.
var CovariateNames = [Covariates]string{
	"notice", "fatigue", "neutral", "formal", "neutral_late", "formal_late", "late", "pre_due", "repeat", "weekend", "there",
}

// Late maps days past due to 0 at the due date and 1 from day 45 on.
func Late(dpd int) float64 { return min(1, max(0, float64(dpd)/45)) }

// Trial is one contact and what became of it.
type Trial struct {
	Channel int
	Weight  float64 // 1, or less for what is long ago
	X       [Covariates]float64
	Lag     int  // days from sending to the payment; where there is none, days followed
	Payment int  // index of the payment in Debtor.Payments; −1: none came
	Marked  bool // a person clicked, replied, or took the call
	Seen    bool // a person's sign of any kind
	Asked   bool // could have shown one by now
}

// Debtor is what is known of one debtor.
type Debtor struct {
	Segment  int
	Trials   []Trial
	Payments []Payment
}

// Payment is a day on which a debtor paid within reach of a contact.
type Payment struct {
	Day     int     // for the caller
	Natural float64 // intensity (−log of not paying) of that day had nobody asked
	// Swept tells whether all that was due was paid: 1 yes, −1 a part of several
	// invoices, 0 where there was but one.
	Swept int
}

// Model is the pooled estimate. It is plain data.
type Model struct {
	Base   [Channels]float64   // log Λ of an average debtor
	Coef   [Covariates]float64 // effect of each covariate on log Λ
	Sign   float64             // effect of the log of the debtor's share of seen contacts against its profile's
	Seen   [Channels]float64   // P(sign) of an average debtor
	Marked [Channels]float64   // P(mark | moved)
	Stray  [Channels]float64   // P(mark | not moved)
	Sweeps [2]float64          // P(all that was due is paid | paid unasked, moved), where several invoices were due
	Told   [Channels]float64   // share of what contacts tell that is left without knowing whose doing payments were
	// Segments is the number of profiles, Segment their effects, Segments ×
	// Channels, and SegmentSeen how much more or less they show signs.
	Segments    int
	Segment     []float64
	SegmentSeen []float64
	// Variances of the effects of profile × channel, debtor, debtor × channel.
	SegmentVar, OwnVar, PairVar float64
	// Lag is P(days from sending to payment | moved), each channel sums to 1.
	Lag [Channels * Lags]float64
}

// Effects is what one debtor differs in.
type Effects struct {
	Own  float64
	Pair [Channels]float64
	// Var is the posterior variance of Own + Pair on each channel.
	Var [Channels]float64
	// Seen and Asked count contacts with a sign, and those that could have had one.
	Seen, Asked [Channels]float64
}

// seenPrior is how many contacts the profile's share of signs is worth against
// a debtor's own.
const seenPrior = 4

// priorSD are the standard deviations of what experts believe.
var (
	priorBaseSD = 0.5
	priorSignSD = 0.3
	priorCoefSD = [Covariates]float64{0.1, 0.12, 0.25, 0.25, 0.35, 0.35, 0.25, 0.3, 0.15, 0.2, 0.25}
)

// Prior returns the model before any data: experts' figures of what a reminder
// on each channel moves.
func Prior() *Model {
	m := &Model{
		Seen:   [Channels]float64{0.45, 0.5, 0.6, 0.05, 0.5},
		Marked: [Channels]float64{0.4, 0.4, 0.4, 0.1, 0.95},
		Stray:  [Channels]float64{0.04, 0.04, 0.04, 0.02, 0.4},
		Sweeps: [2]float64{0.4, 0.8},
		Sign:   0.5, SegmentVar: 0.15, OwnVar: 0.25, PairVar: 0.6,
	}
	for c, moved := range [Channels]float64{0.1, 0.14, 0.14, 0.08, 0.12} {
		m.Told[c] = 0.6
		m.Base[c] = math.Log(-math.Log1p(-moved)) - (m.OwnVar+m.PairVar)/2
	}
	m.Coef = [Covariates]float64{CovNotice: 1, CovFatigue: -0.4, CovFormal: -0.3, CovNeutralLate: 0.25, CovFormalLate: 0.5, CovPreDue: -0.4, CovRepeat: -0.05}
	delay := [Channels]float64{0, 0, 0, 2, 0} // a letter is two days on its way
	for c := range Channels {
		for u := range Lags {
			if t := float64(u) - delay[c]; t >= 0 {
				m.Lag[c*Lags+u] = math.Exp(-t / 1.5)
			}
		}
	}
	m.normalise()
	return m
}

func (m *Model) normalise() {
	for c := range Channels {
		lag := m.Lag[c*Lags:][:Lags]
		sum := 0.0
		for _, p := range lag {
			sum += p
		}
		for u := range lag {
			lag[u] /= sum
		}
	}
}

// Extend appends a profile of which experts believe these effects.
func (m *Model) Extend(effects *[Channels]float64) {
	m.Segments++
	m.Segment = append(m.Segment, effects[:]...)
	for range Channels {
		m.SegmentSeen = append(m.SegmentSeen, 1)
	}
}

// ErrSegment reports a debtor whose segment is out of range.
var ErrSegment = errors.New("response: segment out of range")

// seen returns the expected share of signs of a profile.
func (m *Model) seen(segment, c int) float64 {
	p := m.Seen[c]
	if segment >= 0 && segment < m.Segments {
		p *= m.SegmentSeen[segment*Channels+c]
	}
	return min(max(p, 1e-3), 0.97)
}

// sign is the log of the debtor's share of signs against its profile's.
func (m *Model) sign(segment, c int, seen, asked float64) float64 {
	p := m.seen(segment, c)
	return math.Log((seenPrior*p + seen) / (seenPrior + asked) / p)
}

// prior is log Λ on a channel from all that others tell.
func (m *Model) prior(segment, c int) float64 {
	eta := m.Base[c]
	if segment >= 0 && segment < m.Segments {
		eta += m.Segment[segment*Channels+c]
	}
	return eta
}

// Rate stores the logarithm of the mean of Λ on each channel, for a contact whose
// covariates are all 0, and the posterior standard deviation of log Λ.
func (m *Model) Rate(log, sd *[Channels]float64, segment int, e *Effects) {
	for c := range Channels {
		log[c] = m.prior(segment, c) + m.Sign*m.sign(segment, c, e.Seen[c], e.Asked[c]) + e.Own + e.Pair[c] + e.Var[c]/2
		sd[c] = math.Sqrt(e.Var[c])
	}
}

// Unknown returns the effects of a debtor of whom nothing is known.
func (m *Model) Unknown() Effects {
	var e Effects
	for c := range e.Var {
		e.Var[c] = m.OwnVar + m.PairVar
	}
	return e
}

// Fired is the probability that a contact of this log Λ moves the debtor.
func Fired(log float64) float64 { return -math.Expm1(-math.Exp(min(log, 2))) }

// Moves is the probability that a contact moves a debtor of whom the logarithm of
// the mean of Λ is believed with a standard deviation of log Λ: Λ is taken to be
// Gamma, of the lognormal's coefficient of variation, so that
//
//	E[1 − exp(−Λ)] = 1 − (1 + μv)^(−1/v),  v = exp(sd²) − 1
//
// which is Fired for sd = 0, and less for all others: who is hardly known is not
// twice as easily moved for being possibly twice as willing.
func Moves(log, sd float64) float64 { return -math.Expm1(-Effective(log, Spread(sd))) }

// Spread is the v of Moves: the squared coefficient of variation of Λ.
func Spread(sd float64) float64 { return math.Expm1(min(sd*sd, 3)) }

// Effective is the Λ that moves as surely as one of which the logarithm of the mean
// and the spread v are believed: Moves is 1 − exp(−Λ) of it.
func Effective(log, v float64) float64 {
	mean := math.Exp(min(log, 2))
	if v < 1e-6 {
		return mean
	}
	return math.Log1p(mean*v) / v
}

// term is a trial in the course of a fit: what does not change within it.
type term struct {
	eta    float64 // log Λ but for the debtor's effects
	reach  float64 // share of Lag that has passed
	dens   float64 // Lag on the day of the payment × what the marks say
	lambda float64 // Λ
	moved  float64 // P(this contact brought the payment)
}

// fixed fills t with what the population says of a trial of d.
func (m *Model) fixed(t *term, d *Debtor, e *Effects, k *Trial) {
	c := k.Channel
	seen, asked := e.Seen[c], e.Asked[c]
	if k.Asked { // what a contact showed does not foretell itself
		asked -= k.Weight
		if k.Seen {
			seen -= k.Weight
		}
	}
	t.eta = m.prior(d.Segment, c) + m.Sign*m.sign(d.Segment, c, max(seen, 0), max(asked, 0))
	for j, x := range k.X {
		t.eta += m.Coef[j] * x
	}
	lag := m.Lag[c*Lags:][:Lags]
	t.reach, t.dens = 0, 0
	for _, p := range lag[:min(max(k.Lag, 0), Lags)] {
		t.reach += p
	}
	if k.Payment >= 0 && k.Lag < Lags {
		t.dens = lag[k.Lag]
		t.reach += t.dens / 2 // 1 − exp(−a) = a·exp(−a/2), up to a third power of a
		if k.Marked {
			t.dens *= m.Marked[c] / m.Stray[c]
		} else {
			t.dens *= (1 - m.Marked[c]) / (1 - m.Stray[c])
		}
		switch d.Payments[k.Payment].Swept {
		case 1:
			t.dens *= m.Sweeps[1] / m.Sweeps[0]
		case -1:
			t.dens *= (1 - m.Sweeps[1]) / (1 - m.Sweeps[0])
		}
	}
}

// split finds Λ of every trial of d under e and whose doing each payment was.
func split(terms []term, added []float64, d *Debtor, e *Effects) {
	for i := range d.Payments {
		added[i] = d.Payments[i].Natural
	}
	for i := range d.Trials {
		k, t := &d.Trials[i], &terms[i]
		t.lambda = math.Exp(min(t.eta+e.Own+e.Pair[k.Channel]+e.Var[k.Channel]/2, 2))
		if k.Payment >= 0 {
			added[k.Payment] += t.lambda * t.dens
		}
	}
	for i := range d.Trials {
		k, t := &d.Trials[i], &terms[i]
		t.moved = 0
		if k.Payment >= 0 && added[k.Payment] > 0 {
			t.moved = t.lambda * t.dens / added[k.Payment]
		}
	}
}

// slope is the derivative of a trial's log-likelihood by log Λ.
func (t *term) slope() float64 { return t.moved - t.lambda*t.reach }

// curve is what a trial tells of log Λ on average: the negative second
// derivative, of which not knowing whose doing the payments were leaves a part
// (Louis 1982, doi:10.1111/j.2517-6161.1982.tb01203.x).
func (m *Model) curve(t *term, c int) float64 { return t.lambda * t.reach * m.Told[c] }

// rounds of Newton on one debtor's effects; the likelihood is smooth and the
// prior proper, so that a few suffice.
const rounds = 8

// own finds the effects of one debtor given the population: mean and variance of a
// Gaussian near their posterior, in which Λ counts with its mean over the Gaussian.
func (m *Model) own(e *Effects, terms []term, added []float64, d *Debtor, n int) {
	var g, h [Channels]float64
	for range n {
		split(terms, added, d, e)
		g, h = [Channels]float64{}, [Channels]float64{}
		for i := range d.Trials {
			k, t := &d.Trials[i], &terms[i]
			g[k.Channel] += k.Weight * t.slope()
			h[k.Channel] += k.Weight * m.curve(t, k.Channel)
		}
		// The block of (own, pair…) is an arrow: eliminate the pairs.
		top, slope := 1/m.OwnVar, -e.Own/m.OwnVar
		for c := range Channels {
			q := 1/m.PairVar + h[c]
			gc := g[c] - e.Pair[c]/m.PairVar
			top += h[c] - h[c]*h[c]/q
			slope += g[c] - h[c]*gc/q
		}
		step := limit(slope / top)
		for c := range Channels {
			q := 1/m.PairVar + h[c]
			e.Pair[c] += limit((g[c] - e.Pair[c]/m.PairVar - h[c]*step) / q)
		}
		e.Own += step
		for c := range Channels {
			// Var(own + pair) from the inverse of the arrow.
			q := 1/m.PairVar + h[c]
			share := 1 - h[c]/q
			e.Var[c] = 1/q + share*share/top
		}
	}
}

func limit(step float64) float64 { return min(max(step, -1), 1) }

// Observe finds what one debtor differs in, and stores in asked, of the length
// of d.Payments, how much of each payment was the doing of contacts.
func (m *Model) Observe(d *Debtor, asked []float64) Effects {
	e := m.counts(d)
	if len(d.Trials) == 0 {
		return e
	}
	terms := make([]term, len(d.Trials))
	for i := range d.Trials {
		m.fixed(&terms[i], d, &e, &d.Trials[i])
	}
	m.own(&e, terms, asked, d, rounds)
	split(terms, asked, d, &e)
	for i, all := range asked {
		asked[i] = 1 - d.Payments[i].Natural/all
	}
	return e
}

// counts returns effects of zero with the signs counted.
func (m *Model) counts(d *Debtor) Effects {
	e := m.Unknown()
	for i := range d.Trials {
		if k := &d.Trials[i]; k.Asked {
			e.Asked[k.Channel] += k.Weight
			if k.Seen {
				e.Seen[k.Channel] += k.Weight
			}
		}
	}
	return e
}

// sweeps of the fit: each splits the payments, takes a Newton step on the
// population and finds the debtors' effects and all variances anew.
const sweeps = 25

// columns of the population's dense part: bases, covariates, the power of signs.
const columns = Channels + Covariates + 1

// Fit estimates the population from a book, pulled towards prior. The profiles are
// those of prior: a debtor's Segment lies in [0, prior.Segments). The result depends
// on the order of the debtors only by rounding.
func Fit(book []Debtor, prior *Model) (*Model, error) {
	for i := range book {
		if s := book[i].Segment; s < 0 || s >= prior.Segments {
			return nil, fmt.Errorf("debtor %d: segment %d of %d: %w", i, s, prior.Segments, ErrSegment)
		}
	}
	m := *prior
	m.Segment, m.SegmentSeen = slices.Clone(prior.Segment), make([]float64, len(prior.Segment))
	f := newFit(&m, prior, book)
	m.fitSigns(book, f.effects, prior)
	for sweep := range sweeps {
		f.expect()
		f.population()
		f.debtors()
		if sweep >= 2 {
			f.spread()
			f.shape()
		}
	}
	return &m, nil
}

// fit is the working memory of Fit.
type fit struct {
	m, prior *Model
	book     []Debtor
	effects  []Effects
	terms    [][]term
	added    []float64
}

func newFit(m, prior *Model, book []Debtor) *fit {
	f := &fit{m: m, prior: prior, book: book, effects: make([]Effects, len(book)), terms: make([][]term, len(book))}
	trials, payments := 0, 0
	for i := range book {
		trials += len(book[i].Trials)
		payments = max(payments, len(book[i].Payments))
	}
	all := make([]term, trials)
	for i := range book {
		n := len(book[i].Trials)
		f.terms[i], all = all[:n:n], all[n:]
		f.effects[i] = m.counts(&book[i])
	}
	f.added = make([]float64, payments)
	return f
}

// expect splits all payments under the current model.
func (f *fit) expect() {
	for i := range f.book {
		d, e := &f.book[i], &f.effects[i]
		for j := range d.Trials {
			f.m.fixed(&f.terms[i][j], d, e, &d.Trials[j])
		}
		split(f.terms[i], f.added[:len(d.Payments)], d, e)
	}
}

// debtors finds the effects of every debtor.
func (f *fit) debtors() {
	for i := range f.book {
		d := &f.book[i]
		for j := range d.Trials {
			f.m.fixed(&f.terms[i][j], d, &f.effects[i], &d.Trials[j])
		}
		f.m.own(&f.effects[i], f.terms[i], f.added[:len(d.Payments)], d, 2)
	}
}

// population takes one Newton step on bases, covariates and signs together, and
// on each profile's effects.
func (f *fit) population() {
	m := f.m
	var grad [columns]float64
	var hess [columns][columns]float64
	segGrad, segHess := make([]float64, len(m.Segment)), make([]float64, len(m.Segment))
	var x [columns]float64
	for i := range f.book {
		d, e := &f.book[i], &f.effects[i]
		for j := range d.Trials {
			k, t := &d.Trials[j], &f.terms[i][j]
			clear(x[:])
			x[k.Channel] = 1
			copy(x[Channels:], k.X[:])
			seen, asked := e.Seen[k.Channel], e.Asked[k.Channel]
			if k.Asked {
				asked -= k.Weight
				if k.Seen {
					seen -= k.Weight
				}
			}
			x[columns-1] = m.sign(d.Segment, k.Channel, max(seen, 0), max(asked, 0))
			g, h := k.Weight*t.slope(), k.Weight*m.curve(t, k.Channel)
			for a, xa := range x {
				if xa == 0 {
					continue
				}
				grad[a] += g * xa
				for b, xb := range x[:a+1] {
					hess[a][b] += h * xa * xb
				}
			}
			at := d.Segment*Channels + k.Channel
			segGrad[at] += g
			segHess[at] += h
		}
	}
	pull := func(j int, value, mean, sd float64) {
		grad[j] -= (value - mean) / (sd * sd)
		hess[j][j] += 1 / (sd * sd)
	}
	for c := range Channels {
		pull(c, m.Base[c], f.prior.Base[c], priorBaseSD)
	}
	for j := range Covariates {
		pull(Channels+j, m.Coef[j], f.prior.Coef[j], priorCoefSD[j])
	}
	pull(columns-1, m.Sign, f.prior.Sign, priorSignSD)
	solve(&hess, &grad)
	for c := range Channels {
		m.Base[c] += limit(grad[c])
	}
	for j := range Covariates {
		m.Coef[j] += limit(grad[Channels+j])
	}
	m.Sign += limit(grad[columns-1])
	for at := range m.Segment {
		// The base has moved already: what is left of the slope.
		left := segGrad[at] - segHess[at]*limit(grad[at%Channels]) - (m.Segment[at]-f.prior.Segment[at])/m.SegmentVar
		m.Segment[at] += limit(left / (segHess[at] + 1/m.SegmentVar))
	}
}

// solve overwrites g with the solution of h·x = g by Cholesky; h holds its
// lower triangle and is positive definite by its prior.
func solve(h *[columns][columns]float64, g *[columns]float64) {
	for j := range columns {
		for k := range j {
			h[j][j] -= h[j][k] * h[j][k]
		}
		h[j][j] = math.Sqrt(h[j][j])
		for i := j + 1; i < columns; i++ {
			for k := range j {
				h[i][j] -= h[i][k] * h[j][k]
			}
			h[i][j] /= h[j][j]
		}
	}
	for i := range columns {
		for k := range i {
			g[i] -= h[i][k] * g[k]
		}
		g[i] /= h[i][i]
	}
	for i := columns - 1; i >= 0; i-- {
		for k := i + 1; k < columns; k++ {
			g[i] -= h[k][i] * g[k]
		}
		g[i] /= h[i][i]
	}
}

// What experts' variances are worth, in numbers of effects: much, since a dozen
// contacts of which one in ten is answered make debtors look alike, however many
// debtors there are (the bias of approximations to binary data, Breslow and Lin
// 1995, doi:10.1093/biomet/82.1.81).
const varianceWeight = 200

// spread re-estimates the variances: each is the mean square of its effects per
// degree of freedom that they take (Schall 1991, doi:10.1093/biomet/78.4.719).
func (f *fit) spread() {
	m := f.m
	var own, pair, seg float64
	var nOwn, nPair, nSeg float64
	segHess := make([]float64, len(m.Segment))
	var h [Channels]float64
	for i := range f.book {
		d, e := &f.book[i], &f.effects[i]
		if len(d.Trials) == 0 {
			continue
		}
		h = [Channels]float64{}
		for j := range d.Trials {
			k := &d.Trials[j]
			v := k.Weight * m.curve(&f.terms[i][j], k.Channel)
			h[k.Channel] += v
			segHess[d.Segment*Channels+k.Channel] += v
		}
		top := 1 / m.OwnVar
		for c := range Channels {
			top += h[c] - h[c]*h[c]/(1/m.PairVar+h[c])
		}
		own += e.Own * e.Own
		nOwn += 1 - 1/(top*m.OwnVar)
		for c := range Channels {
			if h[c] > 0 {
				q := 1/m.PairVar + h[c]
				pair += e.Pair[c] * e.Pair[c]
				nPair += max(1-(1/q+h[c]*h[c]/(q*q*top))/m.PairVar, 0)
			}
		}
	}
	for at, v := range segHess {
		if v > 0 {
			seg += (m.Segment[at] - f.prior.Segment[at]) * (m.Segment[at] - f.prior.Segment[at])
			nSeg += 1 - 1/(v*m.SegmentVar+1)
		}
	}
	// In place of what experts believe: so many effects, known without error.
	m.OwnVar = (own + varianceWeight*f.prior.OwnVar) / (nOwn + varianceWeight)
	m.PairVar = (pair + varianceWeight*f.prior.PairVar) / (nPair + varianceWeight)
	m.SegmentVar = (seg + varianceWeight*f.prior.SegmentVar) / (nSeg + varianceWeight)
}

// shape re-estimates the days to payment and what marks mean from whose doing
// the payments were.
func (f *fit) shape() {
	const weight = 20 // contacts that the prior's shapes are worth
	m := f.m
	var moved, movedMarks, still, stillMarks, full, lost [Channels]float64
	sweeps := [2][2]float64{ // all and a part, unasked and moved
		{weight * f.prior.Sweeps[0], weight * (1 - f.prior.Sweeps[0])},
		{weight * f.prior.Sweeps[1], weight * (1 - f.prior.Sweeps[1])},
	}
	for at, p := range f.prior.Lag {
		m.Lag[at] = weight * p
	}
	for i := range f.book {
		d := &f.book[i]
		for j := range d.Payments {
			p := &d.Payments[j]
			if p.Swept == 0 {
				continue
			}
			asked := 0.0
			for u := range d.Trials {
				if d.Trials[u].Payment == j {
					asked += f.terms[i][u].moved
				}
			}
			part := (1 - p.Swept) / 2
			sweeps[0][part] += 1 - asked
			sweeps[1][part] += asked
		}
		for j := range d.Trials {
			k, t := &d.Trials[j], &f.terms[i][j]
			c, w := k.Channel, k.Weight*t.moved
			if k.Payment >= 0 && k.Lag < Lags {
				m.Lag[c*Lags+k.Lag] += w
			}
			moved[c] += w
			full[c] += k.Weight * t.lambda * t.reach
			lost[c] += w * (1 - t.moved)
			still[c] += k.Weight - w
			if k.Marked {
				movedMarks[c] += w
				stillMarks[c] += k.Weight - w
			}
		}
	}
	m.normalise()
	for k, n := range sweeps {
		m.Sweeps[k] = n[0] / (n[0] + n[1])
	}
	for c := range Channels {
		m.Marked[c] = (weight*f.prior.Marked[c] + movedMarks[c]) / (weight + moved[c])
		m.Told[c] = max(1-((1-f.prior.Told[c])*2+lost[c])/(2+full[c]), 0.1)
		m.Stray[c] = (weight*f.prior.Stray[c] + stillMarks[c]) / (weight + still[c])
	}
}

// fitSigns estimates how often contacts show signs, by channel and profile.
func (m *Model) fitSigns(book []Debtor, effects []Effects, prior *Model) {
	const overall, profile = 8, 16 // contacts that all, and a profile, are shrunk by
	var seen, asked [Channels]float64
	segSeen, segAsked := make([]float64, len(m.SegmentSeen)), make([]float64, len(m.SegmentSeen))
	for i := range book {
		for c := range Channels {
			e, at := &effects[i], book[i].Segment*Channels+c
			seen[c] += e.Seen[c]
			asked[c] += e.Asked[c]
			segSeen[at] += e.Seen[c]
			segAsked[at] += e.Asked[c]
		}
	}
	for c := range Channels {
		m.Seen[c] = (overall*prior.Seen[c] + seen[c]) / (overall + asked[c])
	}
	for at := range m.SegmentSeen {
		p := m.Seen[at%Channels]
		m.SegmentSeen[at] = (profile + segSeen[at]/p) / (profile + segAsked[at])
	}
}
