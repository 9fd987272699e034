package world

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"rappel/datasets/ledger"
)

// Oracle knows every debtor's true hours, affinities, ability, patience and
// hazard, and the forecast, though not what chance will bring. Each morning it
// solves, for each debtor with an open claim, the stopping problem of the days
// to come: contact now, or wait, given that fatigue grows with each contact and
// fades with time. It is the yardstick of what could be reached.
//
// What it is told to be blind to, it replaces by what is typical of the
// debtor's archetype: the loss prices that piece of knowledge.
type Oracle struct {
	w       *World
	blind   []string
	minds   map[string]mind
	typical map[string]*habit // by archetype
}

// Blindnesses are what an oracle can be told not to know: who answers to which
// channel, who looks at which hours, what the weather does, that habits have
// changed, how each debtor pays when left alone and follows reminders, who pays in
// runs, and who has the money this week, tires of being asked and likes which tone.
var Blindnesses = []string{"channels", "hours", "weather", "drift", "payers", "runs", "moods"}

// mind is the chance, as of a day, that a debtor has decided to pay already,
// and the day until which it would wait with that.
type mind struct {
	day     int
	decided float64
	until   ledger.Day
}

// age moves a mind to a day: a decision is soon carried out, on the next run
// where there are runs, so that silence says that there was none.
func (x *mind) age(m *Morning) {
	if m.Date > x.until {
		x.decided *= math.Exp(-float64(m.Day-x.day) / 2)
	}
	x.day = m.Day
}

// NewOracle returns the policy that knows the truth of a world, but for what it
// is blind to: some of Blindnesses.
func NewOracle(w *World, blind ...string) *Oracle {
	o := &Oracle{w: w, blind: blind, minds: make(map[string]mind), typical: make(map[string]*habit)}
	for i := range w.spec.Archetypes {
		a := &w.spec.Archetypes[i]
		h := a.habit(nil)
		o.typical[a.Name] = &h
	}
	return o
}

// Name returns "oracle", or "oracle-" and what it is blind to, joined by "+".
func (o *Oracle) Name() string {
	if len(o.blind) == 0 {
		return "oracle"
	}
	return oraclePrefix + strings.Join(o.blind, "+")
}

const oraclePrefix = "oracle-"

// Blind returns what the oracle of a name is blind to; ok is false where the name
// is not that of an oracle, or names what is none of Blindnesses.
func Blind(name string) (blind []string, ok bool) {
	list, ok := strings.CutPrefix(name, oraclePrefix)
	if !ok {
		return nil, name == "oracle"
	}
	blind = strings.Split(list, "+")
	return blind, !slices.ContainsFunc(blind, func(b string) bool { return !slices.Contains(Blindnesses, b) })
}

// knows tells whether the oracle was left a piece of knowledge.
func (o *Oracle) knows(what string) bool { return !slices.Contains(o.blind, what) }

// habit returns the habits of a debtor as far as the oracle knows them.
func (o *Oracle) habit(d *debtor, day int) *habit {
	h, typical := d.habit(day), o.typical[d.archetype.Name]
	if !o.knows("drift") {
		h = &d.habits[0]
	}
	if o.knows("hours") && o.knows("channels") {
		return h
	}
	mixed := *typical
	if o.knows("hours") {
		mixed.available = h.available
	}
	if o.knows("channels") {
		mixed.attention, mixed.affinity = h.attention, h.affinity
	}
	return &mixed
}

// seen returns the debtor as far as the oracle knows it.
func (o *Oracle) seen(d *debtor) *debtor {
	a := d.archetype
	if o.knows("payers") && o.knows("runs") && o.knows("moods") {
		return d
	}
	x := *d
	if !o.knows("payers") {
		sum, total := 0.0, 0.0
		for _, name := range sortedKeys(a.Payers) {
			sum += a.Payers[name] * o.w.spec.Payers[name].Response
			total += a.Payers[name]
		}
		x.response = sum / total
	}
	if !o.knows("runs") {
		x.run = noRun
	}
	if !o.knows("moods") {
		x.ability = 1 / (1 + math.Exp(-a.Ability))
		x.sensitivity, x.attitude, x.reliability = o.w.spec.Fatigue.Sensitivity, a.Attitude, a.Reliability
	}
	return &x
}

// hazardAt returns the daily hazard of paying unasked as far as it is known.
func (o *Oracle) hazardAt(d *debtor, past int) float64 {
	if o.knows("payers") {
		return d.hazardAt(past)
	}
	sum, total := 0.0, 0.0
	i := min(hazardBefore+hazardAfter-1, max(0, past+hazardBefore))
	for _, name := range sortedKeys(d.archetype.Payers) {
		share := d.archetype.Payers[name]
		sum += share * o.w.hazards[name][i]
		total += share
	}
	return sum / total
}

// Observe learns nothing: it knows.
func (o *Oracle) Observe(context.Context, Morning, []Event) error { return nil }

// option is one way to contact a debtor.
type option struct {
	channel ledger.Channel
	hour    int // today
	tone    ledger.Tone
	notice  [7]float64 // chance of being noticed, sent at the best hour of each day from today on
	act     float64    // chance that a noticed contact ends in payment, when rested
	delay   float64    // days from there to the payment
	cost    float64
	anger   float64 // cost of complaints and opt-outs once noticed, when rested
	fatigue float64
}

// price is the expected cost of taking the option j days from now, when late is
// lost each day: the claim stays unpaid that day with probability stay, the
// contact works with its chance times press and then costs the delay and the
// lag to the next run, and otherwise the future costs after.
func (op *option) price(j int, late, stay, lag, press, heat, after float64) float64 {
	p := op.notice[j%7] * op.act * press
	return op.cost + op.notice[j%7]*op.anger*heat + late + stay*(p*late*(op.delay+lag)+(1-p)*after)
}

// The grid of fatigue on which the days ahead are solved.
const (
	fatigueLevels = 9
	fatigueStep   = 0.6
)

// silence is how long the oracle waits for the effect of a contact before it
// plans the next: what is in flight it does not see.
const silence = 40 * time.Hour

// Act returns the contacts that are worth more today than any later.
func (o *Oracle) Act(_ context.Context, m Morning) ([]Action, error) {
	var out []Action
	for _, a := range m.Book.Accounts {
		cents, oldest := a.Claim(m.Date, reminded)
		if cents == 0 {
			delete(o.minds, a.ID)
			continue
		}
		d := o.seen(o.w.byID[a.ID])
		mind := o.minds[a.ID]
		mind.age(&m)
		if m.Now.Sub(a.Last()) < silence {
			o.minds[a.ID] = mind
			continue
		}
		best, chance := o.decide(&m, a, d, int(m.Date-oldest), cents, mind.decided)
		if chance > 0 {
			if act, ok := m.send(a, best.channel, float64(best.hour), best.tone); ok {
				mind.decided += (1 - mind.decided) * chance
				mind.until = d.nextRun(m.Date)
				out = append(out, act)
			}
		}
		o.minds[a.ID] = mind
	}
	return out, nil
}

// decide solves the days ahead by backward induction over (day, fatigue) and
// returns the contact to make today and its chance of working; the zero option
// is to wait. A claim is paid unasked with its true hazard, or after a contact
// with the true chance; each day it stays open past due costs the day rate.
func (o *Oracle) decide(m *Morning, a *Account, d *debtor, pastDue int, cents int64, decided float64) (option, float64) {
	options := o.options(m, a, d, pastDue, cents)
	if len(options) == 0 {
		return option{}, 0
	}
	late, hazard := o.outlook(m, a, d)
	fatigue, response := &o.w.spec.Fatigue, &o.w.spec.Response
	fade := math.Exp(-1 / fatigue.FadeDays)

	// What fatigue does, at each level of the grid and, last, as it is today.
	const today = fatigueLevels
	var tired, rest, heat [fatigueLevels + 1]float64
	for f := range tired {
		tired[f] = float64(f) * fatigueStep
		if f == today {
			tired[f] = d.tired(m.Now.Unix()+12*3600, fatigue.FadeDays)
		}
		rest[f] = math.Exp(-d.sensitivity * max(0, tired[f]-fatigue.Tolerance))
		heat[f] = math.Exp(fatigue.Growth * tired[f])
	}

	var value, next [fatigueLevels]float64
	for f := range value {
		value[f] = late[horizon] * staysOpen
	}
	after := func(tired float64) float64 {
		x := min(fatigueLevels-1-1e-9, tired*fade/fatigueStep)
		i := int(x)
		return value[i] + (x-float64(i))*(value[i+1]-value[i])
	}
	run := d.nextRun(m.Date + horizon)
	for j := horizon - 1; ; j-- {
		day := m.Date + ledger.Day(j)
		if ok, _ := d.pays(day); ok {
			run = day
		}
		lag := float64(run - day)
		keep := math.Pow(1-response.IntentionFade, lag)
		stay := 1 - hazard[j]
		if pastDue < 0 && pastDue+j >= 0 && response.PreDue > 0 {
			keep /= response.PreDue // options are priced as of today
		}
		if j == 0 {
			var best option
			lowest := late[0] + stay*after(tired[today])
			press := keep * (1 - decided) * rest[today]
			for i := range options {
				op := &options[i]
				if x := op.price(0, late[0], stay, lag, press, heat[today], after(tired[today]+op.fatigue)); x < lowest {
					lowest, best = x, *op
				}
			}
			return best, best.notice[0] * best.act * press
		}
		for f := range next {
			lowest := late[j] + stay*after(tired[f])
			for i := range options {
				op := &options[i]
				lowest = min(lowest, op.price(j, late[j], stay, lag, keep*rest[f], heat[f], after(tired[f]+op.fatigue)))
			}
			next[f] = lowest
		}
		value = next
	}
}

// staysOpen is how many days a claim that outlived the horizon will stay open.
const staysOpen = 20

// outlook returns, for each day ahead, what is lost while the claim stays open
// and the chance that it is paid unasked.
func (o *Oracle) outlook(m *Morning, a *Account, d *debtor) (late, hazard [horizon + 1]float64) {
	rate := o.w.spec.dayRate() / 100
	for j := range late {
		date := m.Date + ledger.Day(j)
		var open, weighed float64
		for i := range a.Open {
			inv := &a.Open[i]
			past := int(date - inv.Due)
			if inv.Disputed != "" || past < -reminded {
				continue
			}
			h := o.hazardAt(d, past)
			if past > 0 {
				late[j] += float64(inv.Cents) * rate
				h *= d.ability
			}
			open += float64(inv.Cents)
			weighed += h * float64(inv.Cents)
		}
		runs, gather := d.pays(date)
		switch {
		case !runs || open == 0:
		case gather == 1:
			hazard[j] = weighed / open
		default:
			hazard[j] = 1 - math.Pow(1-weighed/open, gather)
		}
	}
	return late, hazard
}

// options returns, for each channel that may be used, the best hour of today
// and the best tone.
func (o *Oracle) options(m *Morning, a *Account, d *debtor, pastDue int, cents int64) []option {
	w, r := o.w, &o.w.spec.Response
	h := o.habit(d, m.Day)
	first := localTime(a.Zone, m.Date, firstHour).Unix()
	var looks, sunk [lookAhead]float64
	w.looks(looks[:], d, h, first, o.knows("weather"))
	kept := d.reliability * (0.4 + 0.6*d.ability)
	var out []option
	for c := range ledger.Channel(ledger.Channels) {
		if !a.Usable[c] || d.badAddress[c] {
			continue
		}
		ch := &w.channels[c]
		op := option{channel: c, cost: ch.Cost, fatigue: ch.Fatigue, hour: -1}
		sinking(sunk[:], looks[:], ch.DecayHours)
		for i := range 7 * 24 {
			hour := firstHour + i%24
			if hour > lastHour {
				continue
			}
			var p float64
			switch c {
			case ledger.Letter:
				p = -math.Expm1(-ch.Speed * h.attention[c] * sunk[int(ch.DelayHours)])
			case ledger.Phone:
				p = h.attention[c] * min(1, looks[i])
			default:
				p = -math.Expm1(-ch.Speed * h.attention[c] * sunk[i])
			}
			if p > op.notice[i/24] {
				op.notice[i/24] = p
				if i < 24 {
					op.hour = hour
				}
			}
		}
		for tone := range ledger.Tone(ledger.Tones) {
			if p := w.actChance(d, h, c, tone, pastDue, 0, ""); p > op.act {
				op.act, op.tone = p, tone
			}
		}
		if op.hour < 0 || op.act == 0 {
			continue
		}
		promised := r.Promise
		if c == ledger.Phone {
			promised = r.PromisePhone
		}
		op.act *= (1-promised)*math.Pow(1-r.IntentionFade, r.PaymentDelayDays) + promised*kept
		op.delay = (1-promised)*0.5*r.PaymentDelayDays + promised*r.PromiseDays
		if d.ability < planBelow && cents > planAbove {
			op.act *= 1 - r.Plan/2 // a plan brings the money, but late
		}
		complaint, optOut := w.annoyance(d, c, op.tone, pastDue, 0)
		op.anger = complaint*w.spec.Creditor.ComplaintCost + optOut*w.spec.Creditor.OptOutCost
		out = append(out, op)
	}
	return out
}

// lookAhead is how many hours of availability the best hours of a week are
// sought in: a week, and time for a message to sink.
const lookAhead = 240

// looks fills dst with the availability of a debtor in the hours from a moment
// on, under the weather that is forecast where it is minded.
func (w *World) looks(dst []float64, d *debtor, h *habit, from int64, weather bool) {
	for i := range dst {
		at := from + int64(i)*3600
		how := d.zone.hourOfWeek(at)
		dst[i] = float64(h.available[how])
		if weather && len(d.archetype.Weather) > 0 {
			dst[i] *= d.sky.mood(d.archetype.Weather, at, how%24, true)
		}
	}
}

// sinking stores Σ looks[i+u]·exp(−u/decay) over u in dst[i]: how much a message
// that arrives at i and sinks in its pile will be looked at.
func sinking(dst, looks []float64, decay float64) {
	fade := math.Exp(-1 / max(0.01, decay))
	sum := 0.0
	for i := len(looks) - 1; i >= 0; i-- {
		sum = looks[i] + fade*sum
		dst[i] = sum
	}
}
