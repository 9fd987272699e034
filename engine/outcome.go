package engine

import (
	"cmp"
	"math"
	"slices"
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
	effects response.Effects
	told    [ledger.Channels][2]float64 // contacts, and those answered or paid upon
	n       int                         // contacts
	payRuns models.Runs                 // what its payments say of its payment run
	asked   []paidDay
}

// paidDay is a local day on which money came and how much of that was the doing
// of contacts.
type paidDay struct {
	day   ledger.Day
	share float64
}

// unasked is the natural intensity of a promise or a plan: hardly anyone offers
// one without being asked.
const unasked = 0.002

// follow lists what became of the contacts of an account as of s.f, whose habit
// is in s.habit: what payments each preceded, and what the pay hazard says of
// the debtor on those days had nobody asked. told counts contacts, and those
// answered or paid upon, by channel.
func (a *account) follow(d *response.Debtor, told *[ledger.Channels][2]float64, s *scratch, l *learned) {
	at, loc, h, m := s.f.at, s.f.loc, &s.habit, l.model
	*d = response.Debtor{Segment: h.profile}
	l.availability(&s.avail, h)
	s.present(&s.avail)
	for c := range ledger.Channel(ledger.Channels) {
		s.noticing(c, &s.avail, m)
	}
	today := ledger.DayOf(time.Unix(at, 0), loc)
	seen, marked := make([]bool, len(a.contacts)), make([]bool, len(a.contacts))
	for k := range a.signs {
		x := &a.signs[k]
		if x.at > at || x.ref < 0 || !a.attention(x, x.ref, at) {
			continue
		}
		seen[x.ref] = true
		marked[x.ref] = marked[x.ref] || x.kind == signClicked || x.kind == signReplied || x.kind == signAnswered
	}
	ends := a.ends(at)
	next, last := 0, -1 // the first end after the contact, and the one that Payments speaks of last
	tired, since := 0.0, int64(0)
	for i := range a.contacts {
		c := &a.contacts[i]
		if c.at > at {
			break
		}
		f := tired * math.Exp(-float64(c.at-since)/(response.Fade*86400))
		tired, since = f+1, c.at
		cents, due := a.owing(c.at)
		if cents == 0 {
			continue
		}
		t := time.Unix(c.at, 0).In(loc)
		day := ledger.DayOf(t, loc)
		dpd := int(day - due)
		how := (int(t.Weekday())+6)%7*24 + t.Hour()
		k := response.Trial{
			Channel: int(c.channel), Weight: math.Exp2(-float64(today-day) / habitHalfLife), Payment: -1,
			Lag: int(today - day), Marked: marked[i], Seen: seen[i],
			// Silence of two days says that it was not seen.
			Asked: c.channel != ledger.Letter && (seen[i] || at-c.at >= 2*86400),
		}
		k.X[response.CovNotice] = s.notice[c.channel][how]
		if waits(c.channel) {
			k.X[response.CovThere] = s.there[how]
		}
		k.X[response.CovFatigue] = f
		late := response.Late(dpd)
		k.X[response.CovLate] = late
		switch c.tone {
		case ledger.Neutral:
			k.X[response.CovNeutral], k.X[response.CovNeutralLate] = 1, late
		case ledger.Formal:
			k.X[response.CovFormal], k.X[response.CovFormalLate] = 1, late
		}
		if dpd < 0 {
			k.X[response.CovPreDue] = 1
		}
		if how >= 5*24 {
			k.X[response.CovWeekend] = 1
		}
		if i > 0 && a.contacts[i-1].channel == c.channel && !seen[i-1] {
			k.X[response.CovRepeat] = 1
		}
		for next < len(ends) && ends[next].at < c.at {
			next++
		}
		if next < len(ends) {
			end := &ends[next]
			on := ledger.DayOf(time.Unix(end.at, 0), loc)
			k.Lag = int(on - day)
			if end.kind != endHeld && k.Lag < response.Lags {
				if last != next {
					natural, swept := a.natural(end, m.Hazard, h, on, loc)
					d.Payments, last = append(d.Payments, response.Payment{Day: int(on), Natural: natural, Swept: swept}), next
				}
				k.Payment = len(d.Payments) - 1
			}
		}
		d.Trials = append(d.Trials, k)
		told[c.channel][0]++
		if seen[i] || k.Payment >= 0 && k.Lag <= 7 {
			told[c.channel][1]++
		}
	}
}

// end is what ends the wait for the effect of the contacts before it.
type end struct {
	at   int64
	kind endKind
}

type endKind uint8

const (
	endPaid     endKind = iota
	endPromised         // a promise or a plan
	endHeld             // a dispute, or what else forbids to wait
)

// ends lists the payments and cases of an account until a moment, in order.
func (a *account) ends(at int64) []end {
	var list []end
	for i := range a.payments {
		if p := a.payments[i].at; p <= at {
			list = append(list, end{p, endPaid})
		}
	}
	for i := range a.cases {
		c := &a.cases[i]
		if c.OpenedAt.IsZero() || c.OpenedAt.Unix() > at || c.Outcome == "broken" && c.ClosedAt.Unix() <= at {
			continue // what was not kept moved nobody
		}
		kind := endHeld
		if c.Kind == "promise" || c.Kind == "payment_plan" {
			kind = endPromised
		}
		list = append(list, end{c.OpenedAt.Unix(), kind})
	}
	slices.SortStableFunc(list, func(x, y end) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.kind, y.kind)) })
	return list
}

// natural is the intensity with which an account would have paid or promised
// what it did on a local day had nobody asked, and whether it paid all that was
// due (response.Payment). Where a part was paid, any of what was due could have
// been, and their hazards add up; where all was, it was paid in one go, with the
// hazard of an invoice.
func (a *account) natural(e *end, hazard *models.Hazard, h *habit, day ledger.Day, loc *time.Location) (intensity float64, swept int) {
	if e.kind == endPromised {
		return unasked, 0
	}
	wd := weekdayOf(day)
	sum, due, paid := 0.0, 0, 0
	for i := range a.invoices {
		v := &a.invoices[i]
		if v.issued == 0 || v.issued > e.at || v.cancelled != 0 && v.cancelled <= e.at {
			continue
		}
		now := slices.ContainsFunc(v.pays, func(p payment) bool { return ledger.DayOf(time.Unix(p.at, 0), loc) == day })
		if !now && (v.paid != 0 && v.paid <= e.at || v.due > day+preDueDays) {
			continue
		}
		p := hazard.Day(&models.Period{
			DPD: int(day - v.due), Age: int(day - ledger.DayOf(time.Unix(v.issued, 0), loc)),
			Weekday: wd, MonthEnd: day.MonthEnd(), Month: int(day.UTC().Month()), LogAmount: math.Log1p(float64(v.cents) / 100),
			Lift: h.runs.Lift(wd, day.MonthEnd() > 0), EndRun: h.runs[models.RunEnd], Past: h.past(v.id),
		})
		sum -= math.Log1p(-min(p, 0.9))
		due++
		if now {
			paid++
		}
	}
	switch {
	case due > 1 && paid < due:
		return max(sum, 1e-4), -1
	case due > 1:
		return max(sum/float64(due), 1e-4), 1
	}
	return max(sum, 1e-4), 0
}

// owing returns what was owed at a moment, in cents, and the oldest due date.
func (a *account) owing(moment int64) (cents int64, due ledger.Day) {
	for i := range a.invoices {
		v := &a.invoices[i]
		if v.issued == 0 || v.issued > moment || v.cancelled != 0 && v.cancelled <= moment ||
			v.paid != 0 && v.paid <= moment {
			continue
		}
		if cents == 0 || v.due < due {
			due = v.due
		}
		cents += v.cents
	}
	return cents, due
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
	rho := response.Fired(m.Base[c])
	pending := rho * (1 - gone) / max(1-rho*gone, 1e-9)
	if mass < 1e-9 {
		return natural
	}
	return pending*bandit.Reward(wait/mass, rewardHorizon) + (1-pending)*natural
}
