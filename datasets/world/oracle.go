package world

import (
	"context"
	"math"

	"rappel/datasets/ledger"
)

// Oracle knows every debtor's true hours, affinities, ability, patience and
// hazard, and the forecast, though not what chance will bring. Each morning it
// solves, for each debtor with an open claim, the stopping problem of the days
// to come: contact now, or wait, given that fatigue grows with each contact and
// fades with time. It is the yardstick of what could be reached.
type Oracle struct {
	w *World
	// minds keeps the chance that a decision to pay is already on its way.
	minds map[string]mind
}

type mind struct {
	day     int
	decided float64
	sent    int // contacts counted so far
}

// NewOracle returns the policy that knows the truth of a world.
func NewOracle(w *World) *Oracle { return &Oracle{w: w, minds: make(map[string]mind)} }

// Name returns "oracle".
func (o *Oracle) Name() string { return "oracle" }

// Observe learns nothing: it knows.
func (o *Oracle) Observe(context.Context, Morning, []Event) error { return nil }

// option is one way to contact a debtor today.
type option struct {
	channel ledger.Channel
	hour    int
	tone    ledger.Tone
	offer   string
	notice  float64 // chance of being noticed
	act     float64 // chance of being acted on once noticed, rested
	cost    float64
	fatigue float64
}

const (
	fatigueLevels = 10
	fatigueStep   = 0.5
)

// Act returns the contacts that are worth more today than any later.
func (o *Oracle) Act(_ context.Context, m Morning) ([]Action, error) {
	var out []Action
	for _, a := range m.Book.Accounts {
		cents, oldest := a.Claim(m.Date, reminded)
		if cents == 0 {
			delete(o.minds, a.ID)
			continue
		}
		d := o.w.byID[a.ID]
		best, ok := o.decide(&m, a, d, int(m.Date-oldest))
		if !ok {
			continue
		}
		if act, ok := m.send(a, best.channel, float64(best.hour), best.tone); ok {
			act.Offer = best.offer
			mind := o.minds[a.ID]
			p := best.notice * best.act * o.rest(d, m.Now.Unix())
			mind.decided += (1 - mind.decided) * p
			mind.day = m.Day
			o.minds[a.ID] = mind
			out = append(out, act)
		}
	}
	return out, nil
}

// rest returns the factor that fatigue puts on the chance to act.
func (o *Oracle) rest(d *debtor, unix int64) float64 {
	return math.Exp(-d.sensitivity * max(0, d.tired(unix, o.w.spec.Fatigue.FadeDays)-o.w.spec.Fatigue.Tolerance))
}

// decide solves the days ahead by backward induction over (day, fatigue) and
// returns the contact to make today, if any. A claim is paid unasked with its
// true hazard, or after a contact with the true chance; each day it stays open
// past due costs the creditor's day rate.
func (o *Oracle) decide(m *Morning, a *Account, d *debtor, pastDue int) (option, bool) {
	w := o.w
	today := o.options(m, a, d, pastDue)
	if len(today) == 0 {
		return option{}, false
	}
	rate := w.spec.dayRate() / 100
	var late, hazard [horizon + 1]float64
	for j := range late {
		date := m.Date + ledger.Day(j)
		runs, gather := d.pays(date)
		var open, weighed float64
		for i := range a.Open {
			inv := &a.Open[i]
			if inv.Disputed != "" {
				continue
			}
			past := int(date - inv.Due)
			if past > 0 {
				late[j] += float64(inv.Cents) * rate
			}
			if past >= -reminded {
				open += float64(inv.Cents)
				h := d.hazardAt(past)
				if past > 0 {
					h *= d.ability
				}
				weighed += h * float64(inv.Cents)
			}
		}
		if runs && open > 0 {
			hazard[j] = 1 - math.Pow(1-weighed/open, gather)
		}
	}
	mind := o.minds[a.ID]
	decided := mind.decided * math.Exp(-float64(m.Day-mind.day)/2)
	fade := math.Exp(-1 / w.spec.Fatigue.FadeDays)
	var value [fatigueLevels + 1]float64
	end := late[horizon] * 20
	for f := range value {
		value[f] = end
	}
	at := func(v *[fatigueLevels + 1]float64, tired float64) float64 {
		x := min(float64(fatigueLevels)-1e-9, tired/fatigueStep)
		i := int(x)
		return v[i] + (x-float64(i))*(v[i+1]-v[i])
	}
	var choice option
	found := false
	tired0 := d.tired(m.Now.Unix()+12*3600, w.spec.Fatigue.FadeDays)
	for j := horizon - 1; j >= 0; j-- {
		var next [fatigueLevels + 1]float64
		lag := float64(d.nextRun(m.Date+ledger.Day(j))-m.Date) - float64(j)
		keep := math.Pow(1-w.spec.Response.IntentionFade, lag)
		delay := late[j] * (0.5*w.spec.Response.PaymentDelayDays + lag)
		levels := fatigueLevels + 1
		if j == 0 {
			levels = 1
		}
		for f := range levels {
			tired := float64(f) * fatigueStep
			if j == 0 {
				tired = tired0
			}
			stay := 1 - hazard[j]
			wait := late[j] + stay*at(&value, tired*fade)
			lowest := wait
			rest := math.Exp(-d.sensitivity * max(0, tired-w.spec.Fatigue.Tolerance))
			for i := range today {
				op := &today[i]
				p := op.notice * op.act * rest * keep
				if j == 0 {
					p *= 1 - decided
				}
				complaint, optOut := w.annoyance(d, op.channel, op.tone, pastDue+j, tired)
				x := op.cost + op.notice*(complaint*w.spec.Creditor.ComplaintCost+optOut*w.spec.Creditor.OptOutCost) +
					late[j] + stay*(p*delay+(1-p)*at(&value, (tired+op.fatigue)*fade))
				if x < lowest {
					lowest = x
					if j == 0 {
						choice, found = *op, true
					}
				}
			}
			next[f] = lowest
		}
		value = next
	}
	return choice, found
}

// options returns, for each channel that may be used, the best hour of today
// and the best tone.
func (o *Oracle) options(m *Morning, a *Account, d *debtor, pastDue int) []option {
	w := o.w
	h := d.habit(m.Day)
	var out []option
	for c := range ledger.Channel(ledger.Channels) {
		if !a.Usable[c] || d.badAddress[c] {
			continue
		}
		op := option{channel: c, cost: w.channels[c].Cost, fatigue: w.channels[c].Fatigue}
		for hour := firstHour; hour <= lastHour; hour++ {
			act, ok := m.send(a, c, float64(hour), 0)
			if !ok {
				continue
			}
			if p := w.noticeChance(d, h, c, act.SendAt.Unix()); p > op.notice+1e-9 {
				op.notice, op.hour = p, hour
			}
			if c == ledger.Letter {
				break
			}
		}
		if op.notice == 0 {
			continue
		}
		for tone := range ledger.Tone(ledger.Tones) {
			if p := w.actChance(d, h, c, tone, pastDue, 0, ""); p > op.act {
				op.act, op.tone = p, tone
			}
		}
		out = append(out, op)
	}
	return out
}

// noticeChance returns the probability that a contact sent at a moment will be
// noticed, under the weather that is forecast.
func (w *World) noticeChance(d *debtor, h *habit, c ledger.Channel, unix int64) float64 {
	how := d.zone.hourOfWeek(unix)
	if c == ledger.Phone {
		return h.attention[c] * min(1, float64(h.available[how])*d.sky.mood(d.archetype.Weather, unix, how%24, true))
	}
	ch := &w.channels[c]
	sum, level := 0.0, ch.Speed*h.attention[c]
	fade := math.Exp(-1 / max(0.01, ch.DecayHours))
	arrive := unix + int64(ch.DelayHours*3600)
	for age := int64(0); age < noticeWithin && level > 1e-3; age++ {
		t := arrive + age*3600
		how := d.zone.hourOfWeek(t)
		sum += level * float64(h.available[how]) * d.sky.mood(d.archetype.Weather, t, how%24, true)
		level *= fade
	}
	return -math.Expm1(-sum)
}
