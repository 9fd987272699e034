package world

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"rappel/datasets/ledger"
)

// World plays the debtors of one creditor from a first day on. It is not safe
// for concurrent use; different worlds are.
type World struct {
	// Truth keeps what it costs: the measure by which policies are compared.
	Truth *Truth

	spec     *Spec
	seed     uint64
	start    ledger.Day
	loc      *time.Location
	zones    map[string]*zone
	skies    map[string]*sky
	hazards  map[string][]float64
	channels [ledger.Channels]ChannelSpec
	debtors  []*debtor
	byID     map[string]*debtor
	day      int // the next day to be played
	events   []Event
}

// New draws a world of so many debtors; day 0 is start in the creditor's zone.
// Spec must be valid. Equal arguments give equal worlds.
func New(spec *Spec, debtors int, seed uint64, start ledger.Day) *World {
	loc, err := time.LoadLocation(spec.Creditor.Timezone)
	if err != nil {
		panic(err)
	}
	w := &World{
		spec: spec, seed: seed, start: start, loc: loc,
		zones: make(map[string]*zone), skies: make(map[string]*sky), hazards: make(map[string][]float64),
		byID: make(map[string]*debtor, debtors),
	}
	w.Truth = newTruth(w)
	for c, name := range ledger.ChannelNames {
		w.channels[c] = spec.Channels[name]
	}
	first := start.UTC().Unix()/3600 - 48
	for i := range spec.Places {
		p := &spec.Places[i]
		if w.zones[p.Timezone] == nil {
			zl, err := time.LoadLocation(p.Timezone)
			if err != nil {
				panic(err)
			}
			w.zones[p.Timezone] = &zone{loc: zl, first: first}
		}
		if w.skies[p.Region] == nil {
			w.skies[p.Region] = &sky{
				place: p, zone: w.zones[p.Timezone], first: first, error: spec.Weather.ForecastError,
				rng: Stream(seed, "sky/"+p.Region), front: Stream(seed, "front"),
			}
		}
	}
	for name, p := range spec.Payers {
		w.hazards[name] = p.hazardTable()
	}
	for i := range debtors {
		d := w.newDebtor(i)
		w.debtors = append(w.debtors, d)
		w.byID[d.id] = d
	}
	return w
}

// Spec returns the world file that the world was made from.
func (w *World) Spec() *Spec { return w.spec }

// Seed returns the seed that the world was drawn from.
func (w *World) Seed() uint64 { return w.seed }

// Start returns the moment at which a day begins in the creditor's zone.
func (w *World) Start(day int) time.Time { return (w.start + ledger.Day(day)).In(w.loc).UTC() }

// Date returns the date of a day.
func (w *World) Date(day int) ledger.Day { return w.start + ledger.Day(day) }

// Opening returns what is known before day 0: who owes, how they can be
// reached, and the bills that are already out. It may be asked once, first.
func (w *World) Opening() []Event {
	w.events = nil
	for _, d := range w.debtors {
		if d.bornDay > 0 {
			continue
		}
		w.introduce(d, w.Start(0).Add(-60*24*time.Hour))
		for d.nextBill < 0 {
			w.bill(d)
		}
	}
	return w.take(w.Start(0))
}

// StepDay plays one day with the contacts that are sent on it and returns what
// happened, in order of time, the contacts included. Days are played in turn
// from 0 and every action must name a debtor of the world and a moment of the
// day; anything else is a mistake of the caller, and panics.
func (w *World) StepDay(day int, actions []Action) []Event {
	if day != w.day {
		panic(fmt.Sprintf("world: day %d asked for, day %d is next", day, w.day))
	}
	w.day++
	from, to := w.Start(day).Unix(), w.Start(day+1).Unix()
	nth := make(map[string]int)
	for _, a := range actions {
		d := w.byID[a.Debtor]
		at := a.SendAt.Unix()
		if d == nil || at < from || at >= to {
			panic(fmt.Sprintf("world: action %+v is not of day %d", a, day))
		}
		w.plan(d, thing{at: at, kind: sending, action: a, key: nth[a.Debtor]})
		nth[a.Debtor]++
	}
	for _, d := range w.debtors {
		if day < d.bornDay {
			continue
		}
		w.morning(d, day, from)
		for len(d.queue) > 0 && d.queue[0].at < to {
			next := d.queue[0]
			d.queue = append(d.queue[:0], d.queue[1:]...)
			w.happen(d, day, &next)
		}
		w.Truth.evening(d, day)
	}
	return w.take(time.Unix(to, 0))
}

// take hands out the events before a moment, in order of time, then of debtor;
// what was said to come later, such as a letter that will be returned, waits.
func (w *World) take(before time.Time) []Event {
	ev := w.events
	slices.SortStableFunc(ev, func(a, b Event) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Debtor, b.Debtor)) })
	n, _ := slices.BinarySearchFunc(ev, before, func(e Event, t time.Time) int {
		if e.Time.Before(t) {
			return -1
		}
		return 1
	})
	w.events = append(make([]Event, 0, len(ev)), ev[n:]...)
	return ev[:n:n]
}

// say writes an event.
func (w *World) say(d *debtor, unix int64, kind string, data Data) {
	d.sequence++
	w.events = append(w.events, Event{
		ID: "e-" + d.id + "-" + strconv.Itoa(d.sequence), Type: kind, Time: time.Unix(unix, 0).UTC(),
		Creditor: w.spec.Creditor.ID, Debtor: d.id, Data: data,
	})
}

// introduce says who a debtor is.
func (w *World) introduce(d *debtor, at time.Time) {
	data := Data{
		Kind: string(d.archetype.Kind), Language: d.language, Timezone: d.place.Timezone, Country: d.place.Country,
		Postcode: d.postcode, SectorCode: d.sector,
	}
	for c, name := range ledger.ChannelNames {
		data.Channels = append(data.Channels, Reach{Channel: name, Reachable: d.reachable[c], Consent: d.consent[c]})
	}
	w.say(d, at.Unix(), "debtor.upserted", data)
}

// bill sends the next invoice and moves the calendar on.
func (w *World) bill(d *debtor) {
	d.bills++
	n := d.bills
	cents := int64(math.Round(100 * d.median * math.Exp(d.archetype.Billing.Within*d.dice.normal(forAmount, n, 0))))
	inv := invoice{
		number: n, id: "i-" + d.id + "-" + strconv.Itoa(n), due: w.Date(d.nextBill + d.term), cents: max(100, cents),
		contested: d.dice.u(forContested, n, 0) < d.archetype.Dispute,
	}
	d.open = append(d.open, inv)
	at := w.Start(d.nextBill).Add(7 * time.Hour)
	w.say(d, at.Unix(), "invoice.issued", Data{
		InvoiceID: inv.id, IssuedAt: at, DueOn: inv.due, Amount: Money(inv.cents), Currency: w.spec.Creditor.Currency,
	})
	w.Truth.billed(d, &inv)
	d.nextBill += d.interval
}

// morning moves the state of a debtor to a new day: the week's ability to pay,
// new bills, and who pays today without being asked.
func (w *World) morning(d *debtor, day int, from int64) {
	if day == d.bornDay && day > 0 {
		w.introduce(d, time.Unix(from, 0))
	}
	if day%7 == 0 || day == d.bornDay {
		w.weekly(d, day, from)
	}
	for d.nextBill == day {
		w.bill(d)
	}
	if d.rated && day%w.spec.Ratings.IntervalDays == int(uint64(d.dice)%uint64(w.spec.Ratings.IntervalDays)) {
		w.rate(d, day, from)
	}
	if d.insolvent || len(d.open) == 0 || d.heldUntil > from {
		return
	}
	date := w.Date(day)
	runs, gather := d.pays(date)
	for i := range d.open {
		inv := &d.open[i]
		past := int(date - inv.due)
		if past >= 1 && !inv.disputed && inv.contested && d.dice.u(forDispute, inv.number, day) < 0.04 {
			w.dispute(d, inv, from+10*3600, day)
			continue
		}
		if !runs || inv.disputed || inv.paying {
			continue
		}
		hazard := d.hazardAt(past)
		if hazard == 0 {
			continue
		}
		hazard = 1 - math.Pow(1-hazard, gather)
		if past > 0 {
			hazard *= d.ability
		}
		if d.dice.u(forNatural, inv.number, day) < hazard {
			inv.paying = true
			at := w.payHour(d, day, from, inv.number)
			w.plan(d, thing{at: at, kind: naturalPayment, key: inv.number})
			if d.views {
				w.plan(d, thing{at: at - 300, kind: viewing, key: inv.number})
			}
		}
	}
}

// weekly moves the ability to pay, and a few lose it for good.
func (w *World) weekly(d *debtor, day int, from int64) {
	s := w.spec
	m := s.Ability.Memory
	d.wander = m*d.wander + math.Sqrt(1-m*m)*d.dice.normal(forAbility, day/7, 0)
	x := d.archetype.Ability + s.Ability.Spread*d.wander + s.Season[w.Date(day).UTC().Month()-1] - s.shock(d.sector, day/7)
	d.ability = logistic(x)
	if !d.insolvent && d.dice.u(forInsolvency, day/7, 0) < s.Cases.InsolvencyPerYear/52 {
		d.insolvent = true
		kind := "insolvency"
		if d.archetype.Kind == ledger.Consumer {
			kind = "debt_mediation"
		}
		w.say(d, from+9*3600, "case.opened", Data{CaseID: "k-" + d.id + "-end", Kind: kind})
	}
}

// shock returns how deep a sector is in trouble in a week.
func (s *Spec) shock(sector string, week int) float64 {
	depth := 0.0
	for _, x := range s.Shocks {
		if week < x.FromWeek || week >= x.FromWeek+x.Weeks {
			continue
		}
		for _, p := range x.Sectors {
			if len(sector) >= len(p) && sector[:len(p)] == p {
				depth += x.Depth
				break
			}
		}
	}
	return depth
}

// rate publishes a rating where it has moved enough to be worth a mention.
func (w *World) rate(d *debtor, day int, from int64) {
	score := math.Round(min(99, max(1, 15+80*d.ability+4*d.dice.normal(forRating, day, 0))))
	if math.Abs(score-d.score) < 5 {
		return
	}
	d.score = score
	w.say(d, from+6*3600, "rating.changed", Data{Provider: w.spec.Ratings.Provider, Score: score})
}

// payHour returns a moment of the day at which the debtor would do its
// payments: between 7 and 23 local, in proportion to availability.
func (w *World) payHour(d *debtor, day int, from int64, key int) int64 {
	h := d.habit(day)
	var weight [24]float64
	sum := 0.0
	for i := range weight {
		how := d.zone.hourOfWeek(from + int64(i)*3600)
		if how%24 >= 7 && how%24 < 23 {
			weight[i] = float64(h.available[how]) + 0.02
			sum += weight[i]
		}
	}
	u := d.dice.u(forPayHour, key, day) * sum
	for i, x := range weight {
		if u < x {
			return from + int64(i)*3600 + int64(3599*u/x)
		}
		u -= x
	}
	return from + 12*3600
}
