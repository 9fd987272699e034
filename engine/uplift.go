package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"gonum.org/v1/gonum/mat"

	"rappel/models/ope"
)

// Uplift is what the treatment arm brought about against the control arm.
//
// A debtor enters with its first decision, in the arm that its keyed hash gave
// it, and is followed from there, whatever was done with it: nothing that
// treatment changes decides who is counted. It counts once its first invoices
// have been watched for upliftWatch days.
type Uplift struct {
	Creditor string    `json:"creditor_id"`
	Currency string    `json:"currency"`
	From     time.Time `json:"from"` // first entry
	AsOf     time.Time `json:"as_of"`
	Treated  int       `json:"treated"` // debtors that count
	Control  int       `json:"control"`
	Young    int       `json:"young"`    // debtors that entered too lately to count
	Switched int       `json:"switched"` // debtors that count and were later decided for in the other arm
	Level    float64   `json:"level"`
	Reason   string    `json:"reason,omitempty"` // why nothing can be said yet
	Measures []Measure `json:"measures"`
	Earned   *Earned   `json:"earned,omitempty"`
}

// Measure is one outcome, of the average debtor. An invoice is watched from its
// due date, or from its debtor's entry where that is later.
type Measure struct {
	Name        string     `json:"name"` // see upliftMeasures
	Treated     int        `json:"treated"`
	Control     int        `json:"control"`
	TreatedMean float64    `json:"treated_mean"`
	ControlMean float64    `json:"control_mean"`
	Plain       Difference `json:"plain"`      // of the means
	Difference  Difference `json:"difference"` // adjusted for what was known before entry
	// VarianceReduction is 1 − (SE adjusted / SE plain)².
	VarianceReduction float64 `json:"variance_reduction"`
	Sequence          Bounds  `json:"sequence"` // of Difference; may be watched daily
}

// Difference is treatment less control with a fixed-time interval.
type Difference struct {
	Value float64 `json:"value"`
	SE    float64 `json:"se"`
	Lo    float64 `json:"lo"`
	Hi    float64 `json:"hi"`
}

// Bounds are those of an interval; null: none yet.
type Bounds struct {
	Lo *float64 `json:"lo"`
	Hi *float64 `json:"hi"`
}

func boundsOf(lo, hi float64) (b Bounds) {
	if !math.IsInf(lo, 0) {
		b.Lo = &lo
	}
	if !math.IsInf(hi, 0) {
		b.Hi = &hi
	}
	return b
}

// Earned is what treating all treated debtors brought in, after the costs of
// contacts, against the fixed calendar.
type Earned struct {
	Euro       float64 `json:"euro"`
	Bounds             // of the confidence sequence: a fee may rest on Lo
	Better     float64 `json:"probability_better"` // that it is above 0
	FeeShare   float64 `json:"fee_share"`
	Fee        float64 `json:"fee"`         // FeeShare of Lo, or 0: what has been proved
	FeeOnPoint float64 `json:"fee_on_euro"` // FeeShare of Euro, or 0
}

// UpliftOptions say what is compared.
type UpliftOptions struct {
	Creditor string
	From     time.Time // entries from then on; zero: from the first decision of the control arm
	AsOf     time.Time // zero: now
	FeeShare float64   // of what was earned, in [0, 1]
}

const (
	// upliftWatch is how long a debtor is watched before it counts, in days:
	// the longest window of a measure.
	upliftWatch = 30
	// upliftBefore is how far back before its entry a debtor is known by, in days.
	upliftBefore = 180
	// upliftLevel is that of all intervals.
	upliftLevel = 0.95
	// upliftPlanned is the number of debtors at which the confidence sequence is
	// tightest. It stays the same from day to day, or the sequence would not
	// hold.
	upliftPlanned = 1000
	// upliftPerColumn is how many debtors an arm needs a column before outcomes
	// are adjusted: slopes of fewer are noise, and the intervals too short.
	upliftPerColumn = 10
)

// The outcomes of a debtor.
const (
	outDays = iota
	out7
	out14
	out30
	outCost
	outComplaints
	outEarned
	outcomeCount
)

// upliftMeasures names the outcomes: days outstanding per unit of money, of at
// most rewardHorizon; shares of money collected; contact costs, complaints and
// the value of time saved less costs, each of a debtor since its entry.
var upliftMeasures = [outcomeCount]string{
	"days_outstanding", "collected_7d", "collected_14d", "collected_30d", "cost", "complaints", "earned",
}

// participant is one debtor of the experiment.
type participant struct {
	treated bool
	before  [beforeColumns]float64
	out     [outcomeCount]float64 // NaN: nothing of the kind yet
}

// beforeColumns is what is known of a debtor before its entry: days outstanding
// so far and whether there was anything to wait for, what is open, in money and
// its logarithm, the age of the oldest claim, contacts, and when it entered.
const beforeColumns = 7

// Uplift compares the arms of a creditor.
func (e *Engine) Uplift(ctx context.Context, o UpliftOptions) (*Uplift, error) {
	if !(o.FeeShare >= 0 && o.FeeShare <= 1) {
		return nil, &FieldError{"/fee_share", fmt.Sprintf("%v is not between 0 and 1", o.FeeShare)}
	}
	b, err := e.book(o.Creditor)
	if err != nil {
		return nil, err
	}
	asOf := e.now(o.AsOf)
	entries, err := e.store.Entries(ctx, o.Creditor, o.From, asOf)
	if err != nil {
		return nil, fmt.Errorf("uplift of %s: %w", o.Creditor, err)
	}
	c := b.creditor.Load()
	u := &Uplift{Creditor: o.Creditor, Currency: c.Currency, From: asOf, AsOf: asOf, Level: upliftLevel, Measures: []Measure{}}
	if len(entries) > 0 {
		u.From = entries[0].At
	}
	ripe := asOf.AddDate(0, 0, -upliftWatch)
	var list []participant
	b.mu.RLock()
	for _, x := range entries {
		a := b.accounts[x.Debtor]
		switch {
		case a == nil: // erased
			continue
		case x.At.After(ripe):
			u.Young++
			continue
		case x.Switched:
			u.Switched++
		}
		p := a.participate(x.At.Unix(), asOf.Unix(), &c.Value)
		p.treated = x.Arm == Treatment
		p.before[beforeColumns-1] = x.At.Sub(u.From).Hours() / 24
		if p.treated {
			u.Treated++
		} else {
			u.Control++
		}
		list = append(list, p)
	}
	b.mu.RUnlock()
	u.measure(list, o.FeeShare)
	return u, nil
}

// measure fills in what the participants, in order of entry, say.
func (u *Uplift) measure(list []participant, fee float64) {
	for k, name := range upliftMeasures {
		m, found, err := measureOne(list, k)
		if errors.Is(err, ope.ErrArms) {
			u.Reason = fmt.Sprintf("each arm needs at least two debtors that entered %d days ago or more", upliftWatch)
			if u.Control == 0 && u.Treated > 0 {
				u.Reason = "no debtor is in the control arm: set control_share"
			}
			continue
		}
		if err != nil {
			u.Reason = err.Error()
			continue
		}
		m.Name = name
		u.Measures = append(u.Measures, m)
		if k != outEarned {
			continue
		}
		u.Earned = &Earned{
			Euro: found.Total, Bounds: boundsOf(found.TotalLo, found.TotalHi), Better: found.ProbabilityAboveZero,
			FeeShare: fee, FeeOnPoint: fee * max(found.Total, 0),
		}
		if lo := u.Earned.Lo; lo != nil {
			u.Earned.Fee = fee * max(*lo, 0)
		}
	}
}

// measureOne compares one outcome between the arms.
func measureOne(list []participant, k int) (Measure, ope.Uplift, error) {
	t := &ope.Trial{}
	var before []float64
	arms := [2]int{}
	for i := range list {
		p := &list[i]
		if math.IsNaN(p.out[k]) {
			continue
		}
		t.Outcome, t.Treated = append(t.Outcome, p.out[k]), append(t.Treated, p.treated)
		before = append(before, p.before[:]...)
		if p.treated {
			arms[1]++
		} else {
			arms[0]++
		}
	}
	if min(arms[0], arms[1]) >= upliftPerColumn*(beforeColumns+1) {
		t.Before = mat.NewDense(len(t.Outcome), beforeColumns, before)
	}
	u, err := ope.MeasureUplift(t, upliftLevel, upliftPlanned)
	if err != nil {
		return Measure{}, u, err
	}
	difference := func(x *ope.Estimate) Difference { return Difference{x.Value, x.SE, x.Lo, x.Hi} }
	return Measure{
		Treated: u.Treated, Control: u.Control, TreatedMean: u.TreatedMean, ControlMean: u.ControlMean,
		Plain: difference(&u.Plain), Difference: difference(&u.Adjusted), VarianceReduction: u.VarianceReduction,
		Sequence: boundsOf(u.Sequence.Lo, u.Sequence.Hi),
	}, u, nil
}

// participate says what was known of the account when it entered and what
// became of it until asOf, both in unix seconds.
//
// Every invoice counts that was open at the entry or issued after it, once its
// window has passed, also where it was paid before it fell due: a reminder sent
// ahead of the due date must not make the invoice disappear.
func (a *account) participate(entry, asOf int64, value *Value) (p participant) {
	const day = 86400
	rate := value.LossRate + value.CapitalRate*rewardHorizon/365
	var money, waited float64 // Σ money of ripe invoices, and of money × days
	var ripe, collected [3]float64
	windows := [3]int64{7, 14, 30}
	var past, pastWaited float64
	oldest := entry
	for i := range a.invoices {
		v := &a.invoices[i]
		if v.issued == 0 || v.issued > asOf || v.cancelled != 0 && v.cancelled <= asOf {
			continue
		}
		due := v.due.UTC().Unix()
		if due < entry && v.issued <= entry && due >= entry-upliftBefore*day { // what was known before
			from := max(due, v.issued)
			to := min(from+rewardHorizon*day, entry)
			if w := float64(v.openAt(v.issued)) / 100; w > 0 && to > from {
				past += w
				pastWaited += v.moneyDays(from, to)
			}
		}
		if v.issued <= entry {
			if open := v.openAt(entry); open > 0 {
				p.before[2] += float64(open) / 100
				oldest = min(oldest, due)
			}
		}
		from := max(entry, due)
		w := float64(v.openAt(max(entry, v.issued))) / 100
		if w == 0 {
			continue
		}
		if to := from + rewardHorizon*day; to <= asOf {
			money += w
			waited += v.moneyDays(from, to)
		}
		for k, days := range windows {
			if to := from + days*day; to <= asOf {
				ripe[k] += w
				collected[k] += w - float64(v.openAt(to))/100
			}
		}
	}
	p.before[1] = 1
	if past > 0 {
		p.before[0], p.before[1] = pastWaited/past, 0
	}
	p.before[3] = math.Log1p(p.before[2])
	p.before[4] = min(float64(entry-oldest)/day, 90)

	costs := value.costs()
	for i := range a.contacts {
		c := &a.contacts[i]
		switch {
		case c.at <= entry:
			if c.at > entry-upliftBefore*day {
				p.before[5]++
			}
		case c.at <= asOf:
			spent := float64(c.cents) / 100
			if c.cents == 0 {
				spent = costs[c.channel]
			}
			p.out[outCost] += spent
		}
	}
	for i := range a.signs {
		if s := &a.signs[i]; s.kind == signComplained && s.at > entry && s.at <= asOf {
			p.out[outComplaints]++
		}
	}
	p.out[outDays] = waited / money // NaN where nothing is ripe
	for k := range windows {
		p.out[out7+k] = collected[k] / ripe[k]
	}
	p.out[outEarned] = rate*(money-waited/rewardHorizon) - p.out[outCost]
	return p
}

// moneyDays is the money open of v, summed over the days from one moment to
// another.
func (v *invoice) moneyDays(from, to int64) float64 {
	const day = 86400
	sum, at := 0.0, from
	for _, p := range v.pays {
		if p.at <= at || p.at >= to {
			continue
		}
		sum += float64(v.openAt(at)) * float64(p.at-at)
		at = p.at
	}
	sum += float64(v.openAt(at)) * float64(to-at)
	return sum / 100 / day
}
