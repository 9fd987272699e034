package engine

import (
	"math"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
	"rappel/models/bandit"
	"rappel/models/response"
)

// habitHalfLife is how many days it takes for an answer to count half.
const habitHalfLife = 150

// outcomes is what became of the contacts of one account as of a moment.
type outcomes struct {
	row  response.Row
	lags [response.Channels * response.Lags]float64 // expected firings by day
	n    int                                        // contacts
	tire response.Fatigue
	told [ledger.Channels][2]float64 // contacts, and those answered or paid upon
}

// believed is the P(fire) with which payments are split between contact and
// nature. It is the same for all debtors and channels: were it their own
// estimate, that estimate would feed on itself and everyone come out alike.
const believed = 0.3

// observe attributes the payments of an account to its contacts and to what
// the pay hazard says of the debtor, h, had nobody asked.
func (a *account) observe(o *outcomes, l *learned, h *habit, at int64, loc *time.Location) {
	m := l.model.Response
	segment := o.row.Segment
	*o = outcomes{row: response.Row{Segment: segment}}
	today := ledger.DayOf(time.Unix(at, 0), loc)
	seenBy := make([]bool, len(a.contacts))
	for k := range a.signs {
		if s := &a.signs[k]; s.at <= at && s.ref >= 0 && a.attention(s, s.ref, at) {
			seenBy[s.ref] = true
		}
	}
	tired, since := 0.0, int64(0)
	for i := range a.contacts {
		c := &a.contacts[i]
		if c.at > at {
			break
		}
		o.n++
		f := tired * math.Exp(-float64(c.at-since)/(response.Fade*86400))
		tired, since = f+1, c.at
		cents, oldest := a.owing(c.at)
		if cents == 0 {
			continue
		}
		day := ledger.DayOf(time.Unix(c.at, 0), loc)
		end := at
		if i+1 < len(a.contacts) && a.contacts[i+1].at < end {
			end = a.contacts[i+1].at
		}
		w := math.Exp2(-float64(today-day) / habitHalfLife)
		lag, paid := int(ledger.DayOf(time.Unix(end, 0), loc)-day), false
		hazard := 0.0
		for k := range a.payments {
			if p := &a.payments[k]; p.at >= c.at && p.at <= end {
				pd := ledger.DayOf(time.Unix(p.at, 0), loc)
				lag, paid = int(pd-day), true
				wd := (int(pd.Weekday()) + 6) % 7
				hazard = l.model.Hazard.Day(&models.Period{
					DPD: int(pd - oldest.due), Age: int(pd - ledger.DayOf(time.Unix(oldest.issued, 0), loc)),
					Weekday: wd, MonthEnd: pd.MonthEnd(), LogAmount: math.Log1p(float64(cents) / 100),
					Since: never, Tone: -1, Lift: h.runs.Lift(wd, pd.MonthEnd()), Past: h.past(oldest.id),
				})
				break
			}
		}
		pdf := m.Lag[int(c.channel)*response.Lags:][:response.Lags]
		fired, trial := response.Attribute(believed, pdf, min(hazard, 0.9), lag, paid)
		o.tire.Add(w*fired, w*trial, f)
		o.row.Fired[c.channel] += w * fired
		o.row.Trials[c.channel] += w * trial * math.Exp(-m.Tire*f)
		if paid && lag < response.Lags {
			o.lags[int(c.channel)*response.Lags+lag] += w * fired
		}
		seen := seenBy[i]
		if c.channel != ledger.Letter {
			// Silence of an hour says little, of two days all.
			asked := min(float64(at-c.at)/(2*86400), 1)
			if seen {
				asked = 1
				o.row.Seen[c.channel] += w
			}
			o.row.Asked[c.channel] += w * asked
		}
		o.told[c.channel][0]++
		if seen || paid && lag <= 7 {
			o.told[c.channel][1]++
		}
	}
}

// never is the days since contact on each channel of one never contacted.
var never = [ledger.Channels]float64{-1, -1, -1, -1, -1}

// owing returns what was owed at a moment, in cents, on average per invoice,
// the invoice that fell due first.
func (a *account) owing(moment int64) (cents int64, oldest *invoice) {
	n := int64(0)
	for i := range a.invoices {
		v := &a.invoices[i]
		if v.issued == 0 || v.issued > moment || v.cancelled != 0 && v.cancelled <= moment ||
			v.paid != 0 && v.paid <= moment {
			continue
		}
		if n == 0 || v.due < oldest.due {
			oldest = v
		}
		cents += v.cents
		n++
	}
	return cents / max(n, 1), oldest
}

// reward is what a contact that was sent turned out to be worth, as far as is
// known: r = 1 − min(days to payment, H)/H, weighted by amount, with the
// expectation of what is still open.
type reward struct {
	value float64
	until int64 // observed until, unix seconds
	final bool
}

// rewardOf evaluates a decision whose contact was sent as the i-th contact of
// the account. What follows after the next contact is that contact's doing, so
// the expectation from there on is that of doing nothing more.
func (a *account) rewardOf(l *logged, i int, m *response.Model, at int64) reward {
	const day = 86400
	c := &a.contacts[i]
	end := c.at + rewardHorizon*day
	if i+1 < len(a.contacts) {
		end = min(end, a.contacts[i+1].at)
	}
	final := end <= at
	end = min(end, at)
	var money, earned float64
	open := false
	for k := range a.invoices {
		v := &a.invoices[k]
		if v.issued == 0 || v.issued > c.at || v.cancelled != 0 && v.cancelled <= at {
			continue
		}
		due := v.due.UTC().Unix()
		if due > c.at+(preDueDays+1)*day {
			continue
		}
		paid := v.paid
		if paid > end {
			paid = 0
		}
		if paid != 0 && paid <= c.at {
			continue
		}
		from := max(c.at, due)
		w := float64(v.cents)
		money += w
		if paid != 0 {
			earned += w * bandit.Reward(float64(paid-from)/day, rewardHorizon)
			continue
		}
		open = true
		earned += w * l.expect(int(c.channel), m, float64(end-from)/day, final)
	}
	if money == 0 {
		return reward{value: l.baseline, until: end, final: true}
	}
	return reward{value: earned / money, until: end, final: final || !open}
}

// expect is E[r | unpaid for so many days]: the natural curve from there on,
// and, while the contact may still fire, its lag.
func (l *logged) expect(c int, m *response.Model, elapsed float64, replaced bool) float64 {
	if elapsed >= rewardHorizon {
		return 0
	}
	e := int(max(elapsed, 0))
	natural := bandit.Expected(l.curve[:rewardHorizon], elapsed)
	if replaced || e >= response.Lags {
		return natural
	}
	// Still pending: P(fires later | not yet).
	pdf := m.Lag[c*response.Lags:][:response.Lags]
	gone, wait, mass := 0.0, 0.0, 0.0
	for u, p := range pdf {
		if u < e {
			gone += p
			continue
		}
		mass += p
		wait += p * float64(u)
	}
	rho := m.Mean[c]
	pending := rho * (1 - gone) / max(1-rho*gone, 1e-9)
	if mass < 1e-9 {
		return natural
	}
	return pending*bandit.Reward(wait/mass, rewardHorizon) + (1-pending)*natural
}
