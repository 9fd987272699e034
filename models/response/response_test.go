package response

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// world is a truth to draw debtors from: Λ by channel, and what differs.
type world struct {
	rate     [Channels]float64
	coef     [Covariates]float64
	own      float64 // standard deviation of a debtor's own effect
	pair     float64
	segment  func(segment, c int) float64
	natural  float64 // daily intensity
	contacts int
	sweeps   [2]float64 // P(all is paid | unasked, asked); 0: there is but one bill
}

// draw plays one debtor day by day: a contact every third day, whose effect
// comes on the days of the prior's lag, beside nature; the debt is renewed once
// it is paid.
func (w *world) draw(rng *rand.Rand, segment int) Debtor {
	d := Debtor{Segment: segment}
	p := Prior()
	own := w.own * rng.NormFloat64()
	var pair [Channels]float64
	for c := range pair {
		pair[c] = w.pair * rng.NormFloat64()
		if w.segment != nil {
			pair[c] += w.segment(segment, c)
		}
	}
	const gap = 3
	var sent []int // days of the contacts not yet followed by a payment
	first := 0     // the trial of sent[0]
	days := w.contacts * gap
	var rates []float64
	for day := range days + Lags {
		if day%gap == 0 && day < days {
			k := Trial{Channel: rng.IntN(Channels), Weight: 1, Payment: -1}
			eta := math.Log(w.rate[k.Channel]) + own + pair[k.Channel]
			for _, j := range []int{CovFatigue, CovFormal} {
				k.X[j] = float64(rng.IntN(3))
				eta += w.coef[j] * k.X[j]
			}
			if b := w.coef[CovThere]; b != 0 {
				k.X[CovThere] = 2*rng.Float64() - 1
				eta += b * k.X[CovThere]
			}
			if len(sent) == 0 {
				first = len(d.Trials)
			}
			d.Trials = append(d.Trials, k)
			rates, sent = append(rates, math.Exp(eta)), append(sent, day)
		}
		sum := w.natural
		for i, at := range sent {
			if u := day - at; u < Lags {
				sum += rates[first+i] * p.Lag[d.Trials[first+i].Channel*Lags+u]
			}
		}
		paid := rng.Float64() < -math.Expm1(-sum)
		whose := sum*rng.Float64() - w.natural // whose doing it was, one after the other
		asked := 0
		if whose >= 0 {
			asked = 1
		}
		for i, at := range sent {
			k := &d.Trials[first+i]
			k.Lag = day - at
			if !paid {
				k.Lag++ // the day is over
				continue
			}
			added := 0.0
			if k.Lag < Lags {
				k.Payment = len(d.Payments)
				added = rates[first+i] * p.Lag[k.Channel*Lags+k.Lag]
			}
			chance := p.Stray[k.Channel]
			if whose >= 0 && whose < added {
				chance = p.Marked[k.Channel]
			}
			whose -= added
			k.Marked = rng.Float64() < chance
		}
		if paid {
			swept := 0
			if w.sweeps[asked] > 0 {
				if swept = -1; rng.Float64() < w.sweeps[asked] {
					swept = 1
				}
			}
			d.Payments = append(d.Payments, Payment{Day: day, Natural: w.natural, Swept: swept})
			sent = sent[:0]
		}
	}
	for i := range d.Trials {
		if k := &d.Trials[i]; k.Payment < 0 && rng.Float64() < p.Stray[k.Channel] {
			k.Marked = true
		}
	}
	return d
}

func (w *world) book(seed uint64, debtors, segments int) []Debtor {
	rng := rand.New(rand.NewPCG(seed, 7))
	book := make([]Debtor, debtors)
	for i := range book {
		book[i] = w.draw(rng, i%segments)
	}
	return book
}

// known is the prior of so many profiles of which nothing is believed.
func known(profiles int) *Model {
	m := Prior()
	for range profiles {
		m.Extend(&[Channels]float64{})
	}
	return m
}

var plain = world{rate: [Channels]float64{0.1, 0.3, 0.2, 0.15, 0.4}, natural: 0.03, contacts: 12}

func TestFitFindsThePlantedRates(t *testing.T) {
	w := plain
	w.coef[CovFatigue], w.coef[CovFormal] = -0.4, 0.5
	w.own, w.pair = 0.4, 0.4
	w.segment = func(segment, c int) float64 { return 0.6 * float64(2*(segment%2)-1) * float64(2*(c%2)-1) }
	m, err := Fit(w.book(1, 1500, 2), known(2))
	if err != nil {
		t.Fatal(err)
	}
	for c, rate := range w.rate {
		for s := range 2 {
			// Of the mean over debtors. About 1,800 contacts and 200 payments each: 0.1
			// on the log scale; and debtors are believed to differ more than they do.
			want := math.Log(rate) + w.segment(s, c) + (w.own*w.own+w.pair*w.pair)/2
			if got := m.prior(s, c) + (m.OwnVar+m.PairVar)/2; math.Abs(got-want) > 0.3 {
				t.Errorf("segment %d, channel %d: %.2f, planted %.2f", s, c, got, want)
			}
		}
	}
	if got := m.Coef[CovFatigue]; math.Abs(got+0.4) > 0.12 {
		t.Errorf("fatigue %.2f, planted -0.4", got)
	}
	if got := m.Coef[CovFormal]; math.Abs(got-0.5) > 0.15 {
		t.Errorf("formal %.2f, planted 0.5", got)
	}
	if m.OwnVar+m.PairVar < 0.12 {
		t.Errorf("variances %.3f and %.3f, planted 0.16 each", m.OwnVar, m.PairVar)
	}
}

// Where it counts that somebody looks in the very hour of sending, payments tell.
func TestTheHourOfSendingIsLearnt(t *testing.T) {
	w := world{rate: [Channels]float64{0.2, 0.3, 0.3, 0.2, 0.3}, own: 0.3, pair: 0.5, natural: 0.03, contacts: 14}
	for _, want := range []float64{0.6, 1e-9} { // the prior's standard deviation is 0.25
		w.coef[CovThere] = want
		rng := rand.New(rand.NewPCG(7, 8))
		p := Prior()
		p.Extend(&[Channels]float64{})
		var book []Debtor
		for range 400 {
			book = append(book, w.draw(rng, 0))
		}
		m, err := Fit(book, p)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Coef[CovThere]; math.Abs(got-want) > 0.18 { // three standard errors of some 1,500 moved
			t.Errorf("effect of the hour %.2f, want %.2f", got, want)
		}
	}
}

// TestVariancesAreNotLost: not knowing whose doing payments were makes debtors look
// more alike than they are; taking every contact as fully told loses what they
// differ in. Experts are made to believe too little, so that data must say it.
func TestVariancesAreNotLost(t *testing.T) {
	w := world{rate: [Channels]float64{0.12, 0.13, 0.14, 0.12, 0.15}, natural: 0.03, contacts: 15, own: 0.4, pair: 0.7}
	prior := known(1)
	prior.PairVar = 0.2
	m, err := Fit(w.book(5, 1500, 1), prior)
	if err != nil {
		t.Fatal(err)
	}
	if m.PairVar < 0.17 || m.PairVar > 0.6 {
		t.Errorf("variance of debtor × channel %.3f, planted 0.49, believed 0.2", m.PairVar)
	}
}

// TestFewAnswersLeaveTheBelief: a dozen contacts of which few are answered say
// little of how much debtors differ, however many debtors there are.
func TestFewAnswersLeaveTheBelief(t *testing.T) {
	w := world{rate: [Channels]float64{0.03, 0.04, 0.04, 0.03, 0.05}, natural: 0.03, contacts: 12, own: 0.4, pair: 0.7}
	m, err := Fit(w.book(6, 1500, 1), known(1))
	if err != nil {
		t.Fatal(err)
	}
	if m.PairVar < 0.45 || m.PairVar > 0.65 {
		t.Errorf("variance of debtor × channel %.3f, planted 0.49, believed 0.6; data alone say 0.37", m.PairVar)
	}
}

// TestAlike: where debtors do not differ, what one did says little of that one.
func TestAlike(t *testing.T) {
	alike, err := Fit(plain.book(2, 1500, 1), known(1))
	if err != nil {
		t.Fatal(err)
	}
	w := plain
	w.own, w.pair = 0.7, 0.7
	apart, err := Fit(w.book(2, 1500, 1), known(1))
	if err != nil {
		t.Fatal(err)
	}
	for c, rate := range plain.rate {
		// 3,600 contacts and 400 payments or more a channel: 0.05 on the log scale; and
		// what debtors are believed to differ in leaves the rest.
		if got := alike.prior(0, c) + (alike.OwnVar+alike.PairVar)/2; math.Abs(got-math.Log(rate)) > 0.3 {
			t.Errorf("channel %d: log Λ of a stranger %.2f, planted %.2f", c, got, math.Log(rate))
		}
	}
	// What experts believe is worth 200 effects that are known without error.
	if !(alike.OwnVar < 0.9*apart.OwnVar && alike.PairVar < 0.9*apart.PairVar) {
		t.Errorf("variances %.3f and %.3f where none differs, %.3f and %.3f where all do", alike.OwnVar, alike.PairVar, apart.OwnVar, apart.PairVar)
	}
	silent := Debtor{}
	for range 10 {
		silent.Trials = append(silent.Trials, Trial{Channel: 1, Weight: 1, Lag: Lags, Payment: -1})
	}
	one, other := alike.Observe(&silent, nil), apart.Observe(&silent, nil)
	if d1, d2 := one.Own+one.Pair[1], other.Own+other.Pair[1]; !(d1 > -0.8 && d2 < d1-0.1) {
		t.Errorf("ten silences move a debtor by %.2f where all are alike and by %.2f where they differ", d1, d2)
	}
	if other.Var[1] >= other.Var[0] {
		t.Errorf("variance %.3f on the channel that was tried, %.3f on another", other.Var[1], other.Var[0])
	}
}

// logPosterior is the logarithm of likelihood × prior of one debtor's effects,
// written from the definition in the package's documentation, each Λ at its mean
// under the posterior variance of e.
func logPosterior(m *Model, d *Debtor, e *Effects, own float64, pair [Channels]float64) float64 {
	sum := -own * own / (2 * m.OwnVar)
	added := make([]float64, len(d.Payments))
	for i := range added {
		added[i] = d.Payments[i].Natural
	}
	for c := range Channels {
		sum -= pair[c] * pair[c] / (2 * m.PairVar)
	}
	for i := range d.Trials {
		k := &d.Trials[i]
		var tm term
		m.fixed(&tm, d, e, k)
		rate := math.Exp(tm.eta + own + pair[k.Channel] + e.Var[k.Channel]/2)
		sum -= rate * tm.reach
		if k.Payment >= 0 {
			added[k.Payment] += rate * tm.dens
		}
	}
	for _, a := range added {
		sum += math.Log(a)
	}
	return sum
}

// TestObserveIsStationary: the slope of the expected log-posterior, by finite
// differences at the variance found, is zero in every direction.
func TestObserveIsStationary(t *testing.T) {
	w := plain
	w.own, w.pair = 0.5, 0.5
	m := Prior()
	rng := rand.New(rand.NewPCG(3, 4))
	for range 40 {
		d := w.draw(rng, 0)
		asked := make([]float64, len(d.Payments))
		e := m.Observe(&d, asked)
		at := func(own float64, pair [Channels]float64) float64 { return logPosterior(m, &d, &e, own, pair) }
		const h = 1e-5
		slope := (at(e.Own+h, e.Pair) - at(e.Own-h, e.Pair)) / (2 * h)
		// Six rounds of Newton with a bounded curvature: not to the last digit.
		if math.Abs(slope) > 0.02 {
			t.Errorf("slope %.4f by the debtor's own effect at %.3f", slope, e.Own)
		}
		for c := range Channels {
			up, down := e.Pair, e.Pair
			up[c] += h
			down[c] -= h
			if slope := (at(e.Own, up) - at(e.Own, down)) / (2 * h); math.Abs(slope) > 0.02 {
				t.Errorf("slope %.4f by channel %d", slope, c)
			}
		}
		for _, share := range asked {
			if share < 0 || share > 1 {
				t.Errorf("contacts brought %v of a payment", share)
			}
		}
	}
}

// TestSplit: a payment long after, or by one who pays anyway, is less the
// contact's doing; one after a click is more.
func TestSplit(t *testing.T) {
	m := Prior()
	share := func(lag int, natural float64, marked bool) float64 {
		d := Debtor{
			Trials:   []Trial{{Channel: 0, Weight: 1, Lag: lag, Marked: marked}},
			Payments: []Payment{{Natural: natural}},
		}
		asked := make([]float64, 1)
		m.Observe(&d, asked)
		return asked[0]
	}
	soon, late, anyway, clicked := share(0, 0.05, false), share(9, 0.05, false), share(0, 0.5, false), share(0, 0.05, true)
	if !(clicked > soon && soon > late && soon > anyway && late > 0) {
		t.Errorf("shares: after a click %.2f, at once %.2f, late %.2f, of one who pays anyway %.2f", clicked, soon, late, anyway)
	}
}

// TestOrder: the order of the debtors changes nothing but the last digits, and
// a book twice over is as one whose contacts weigh two.
func TestOrder(t *testing.T) {
	w := plain
	w.own = 0.4
	book := w.book(5, 200, 3)
	a, err := Fit(book, known(3))
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(book)
	b, err := Fit(book, known(3))
	if err != nil {
		t.Fatal(err)
	}
	for c := range Channels {
		if math.Abs(a.Base[c]-b.Base[c]) > 1e-9 {
			t.Errorf("channel %d: %v and %v", c, a.Base[c], b.Base[c])
		}
	}
	for i := range a.Segment {
		if math.Abs(a.Segment[i]-b.Segment[i]) > 1e-9 {
			t.Errorf("segment effect %d: %v and %v", i, a.Segment[i], b.Segment[i])
		}
	}
}

func TestNothingKnown(t *testing.T) {
	m, err := Fit(nil, known(2))
	if err != nil {
		t.Fatal(err)
	}
	if p := Prior(); m.Base != p.Base || m.Coef != p.Coef || math.Abs(m.Lag[0]-p.Lag[0]) > 1e-12 {
		t.Error("an empty book moved the model")
	}
	var log, sd [Channels]float64
	unknown := m.Unknown()
	m.Rate(&log, &sd, -1, &unknown)
	for c := range Channels {
		if want := m.Base[c] + (m.OwnVar+m.PairVar)/2; math.Abs(log[c]-want) > 1e-12 || sd[c] <= 0 {
			t.Errorf("channel %d: log Λ %v ± %v of a stranger, want the mean %v", c, log[c], sd[c], want)
		}
	}
	for c := range Channels {
		sum := 0.0
		for _, p := range m.Lag[c*Lags:][:Lags] {
			sum += p
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("channel %d: lags sum to %v", c, sum)
		}
	}
	if _, err := Fit([]Debtor{{Segment: 2}}, known(2)); !errors.Is(err, ErrSegment) {
		t.Errorf("segment 2 of 2: %v", err)
	}
}

// TestSigns: one who opens what comes is likelier to be moved by it than one
// who never does, all else equal.
func TestSigns(t *testing.T) {
	m := Prior()
	with := func(seen bool) float64 {
		d := Debtor{}
		for range 6 {
			d.Trials = append(d.Trials, Trial{Channel: 0, Weight: 1, Lag: Lags, Payment: -1, Asked: true, Seen: seen})
		}
		var log, sd [Channels]float64
		e := m.Observe(&d, nil)
		m.Rate(&log, &sd, 0, &e)
		return log[0]
	}
	if a, b := with(true), with(false); a <= b {
		t.Errorf("log Λ %.2f of one who looks, %.2f of one who does not", a, b)
	}
}

// Moves is the mean of 1 − exp(−Λ) over what is believed of Λ.
func TestMovesIsTheMeanOverBelief(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct{ log, sd float64 }{{-2, 0}, {-2, 0.5}, {-1, 0.9}, {0, 0.7}} {
		sum := 0.0
		const n = 200_000
		for range n {
			sum += -math.Expm1(-math.Exp(c.log - c.sd*c.sd/2 + c.sd*rng.NormFloat64()))
		}
		// Gamma for lognormal: alike but for their tails.
		if got, want := Moves(c.log, c.sd), sum/n; math.Abs(got-want) > 0.03*want {
			t.Errorf("log Λ %v ± %v moves %.4f, want %.4f", c.log, c.sd, got, want)
		}
		if c.sd > 0 && Moves(c.log, c.sd) >= Fired(c.log) {
			t.Errorf("log Λ %v ± %v is moved as easily as if it were known", c.log, c.sd)
		}
	}
}

// Who pays because asked pays all that is due, who pays unasked pays bill by bill:
// that is found, and tells whose doing payments were.
func TestWhatIsSweptTellsWhoseDoingItWas(t *testing.T) {
	w := plain
	w.natural, w.sweeps = 0.15, [2]float64{0.2, 0.9}
	m, err := Fit(w.book(3, 1500, 1), known(1))
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range w.sweeps {
		if math.Abs(m.Sweeps[k]-want) > 0.04 {
			t.Errorf("all is paid in %.2f, want %.2f", m.Sweeps[k], want)
		}
	}
}
