package world

import (
	"math"
	"slices"
	"strconv"

	"rappel/datasets/ledger"
)

// thing is something that will happen to a debtor.
type thing struct {
	at      int64
	kind    thingKind
	key     int // an invoice number, or the rank of the contact in its day
	contact string
	action  Action
	day     int     // day of sending
	tired   float64 // fatigue just before sending
	cents   int64   // of an instalment
}

type thingKind uint8

const (
	sending thingKind = iota
	delivery
	noticing
	machineOpen
	viewing
	naturalPayment
	intendedPayment
	promiseDue
	instalment
	disputeEnd
)

// plan puts a thing in a debtor's calendar.
func (w *World) plan(d *debtor, t thing) {
	i, _ := slices.BinarySearchFunc(d.queue, t.at+1, func(q thing, at int64) int {
		if q.at < at {
			return -1
		}
		return 1
	})
	d.queue = slices.Insert(d.queue, i, t)
}

// happen carries out one thing.
func (w *World) happen(d *debtor, day int, t *thing) {
	switch t.kind {
	case sending:
		w.send(d, day, t)
	case delivery:
		w.say(d, t.at, "contact.delivered", Data{ContactID: t.contact, Channel: t.action.Channel.String()})
	case noticing:
		w.notice(d, day, t)
	case machineOpen:
		w.say(d, t.at, "contact.opened", Data{ContactID: t.contact, Channel: t.action.Channel.String()})
	case viewing:
		if i := d.find(t.key); i >= 0 {
			w.say(d, t.at, "invoice.viewed", Data{InvoiceID: d.open[i].id})
		}
	case naturalPayment:
		if i := d.find(t.key); i >= 0 && !d.insolvent && !d.open[i].disputed {
			w.pay(d, t.at, i, d.open[i].cents, d.method)
		}
	case intendedPayment:
		d.intentDay = never
		w.payAll(d, day, t)
	case promiseDue:
		w.promiseEnd(d, day, t)
	case instalment:
		w.instalment(d, t)
	case disputeEnd:
		w.disputeEnd(d, day, t)
	}
}

// find returns the place of an open invoice, or -1.
func (d *debtor) find(number int) int {
	return slices.IndexFunc(d.open, func(i invoice) bool { return i.number == number })
}

// callable returns what is open, not disputed and due within so many days.
func (d *debtor) callable(date ledger.Day, within int) (cents int64, oldest ledger.Day, ids []string) {
	oldest = math.MaxInt32
	for i := range d.open {
		if inv := &d.open[i]; !inv.disputed && int(inv.due-date) <= within {
			cents += inv.cents
			oldest = min(oldest, inv.due)
			ids = append(ids, inv.id)
		}
	}
	return cents, oldest, ids
}

// A debtor whose ability to pay is below planBelow and who owes more cents than
// planAbove may ask for a plan.
const planBelow, planAbove = 0.4, 15000

// reminded is how many days before its due date a reminder covers an invoice.
const reminded = 3

// send carries out a contact: its cost, its fatigue, and the moment, if any,
// at which it will be noticed.
func (w *World) send(d *debtor, day int, t *thing) {
	c := t.action.Channel
	ch := &w.channels[c]
	d.sent++
	t.contact, t.day = "c-"+d.id+"-"+strconv.Itoa(d.sent), day
	t.tired = d.tired(t.at, w.spec.Fatigue.FadeDays)
	_, _, ids := d.callable(w.Date(day), reminded)
	w.say(d, t.at, "contact.sent", Data{
		ContactID: t.contact, DecisionID: t.action.Decision, Channel: c.String(), Tone: t.action.Tone.String(),
		Cost: Money(math.Round(100 * ch.Cost)), InvoiceIDs: ids,
	})
	w.Truth.sent(d, day, ch.Cost)
	if !d.reachable[c] || d.badAddress[c] {
		late := int64(40)
		if c == ledger.Letter {
			late = 5 * 86400
		}
		w.say(d, t.at+late, "contact.bounced", Data{ContactID: t.contact, Channel: c.String()})
		return
	}
	d.fatigue, d.fatigueAt = t.tired+ch.Fatigue, t.at
	h := d.habit(day)
	key := int(c) + ledger.Channels*t.key
	if c == ledger.Phone {
		how := d.zone.hourOfWeek(t.at)
		p := h.attention[c] * min(1, float64(h.available[how])*d.sky.mood(d.archetype.Weather, t.at, how%24, false))
		if d.dice.u(forAnswer, day, key) < p {
			t.kind, t.at = noticing, t.at+25
			w.plan(d, *t)
		}
		return
	}
	arrive := t.at + int64(ch.DelayHours*3600) + 4
	if c != ledger.Letter {
		t2 := *t
		t2.kind, t2.at = delivery, arrive
		w.plan(d, t2)
		if c == ledger.Email && d.machine {
			w.machines(d, day, t, arrive)
		}
	}
	if at := w.noticedAt(d, h, c, arrive, -math.Log(d.dice.u(forNotice, day, key))); at > 0 {
		t.kind, t.at = noticing, at
		w.plan(d, *t)
	}
}

// noticeWithin is how many hours a message can wait before nobody will look.
const noticeWithin = 240

// noticedAt walks through the hours after arrival until the accumulated hazard
// of noticing reaches the threshold, a standard exponential draw; 0 is never.
func (w *World) noticedAt(d *debtor, h *habit, c ledger.Channel, arrive int64, threshold float64) int64 {
	ch := &w.channels[c]
	level := ch.Speed * h.attention[c]
	for at, age := arrive, 0.0; age < noticeWithin && level > 1e-6; {
		step := 3600 - at%3600
		how := d.zone.hourOfWeek(at)
		rate := level * float64(h.available[how]) * d.sky.mood(d.archetype.Weather, at, how%24, false)
		hours := float64(step) / 3600
		if rate*hours >= threshold {
			return at + int64(threshold/rate*3600)
		}
		threshold -= rate * hours
		at += step
		age += hours
		level = ch.Speed * h.attention[c] * math.Exp(-age/max(0.01, ch.DecayHours))
	}
	return 0
}

// machines plans the opens that a mail gateway makes by itself.
func (w *World) machines(d *debtor, day int, t *thing, arrive int64) {
	n := 1 + int(d.dice.u(forMachine, day, t.key)*float64(w.spec.Machines.Opens))
	for i := range n {
		t2 := *t
		t2.kind, t2.at = machineOpen, arrive+1+int64(3*i)
		w.plan(d, t2)
	}
	if d.nightly {
		t2 := *t
		t2.kind, t2.at = machineOpen, w.Start(day+1).Unix()+int64(4*3600*d.dice.u(forMachine, day, 100+t.key))
		w.plan(d, t2)
	}
}

// actChance returns the probability that a noticed contact is acted on.
//
// pastDue is days past the oldest due date, negative before it, and tired the
// fatigue from earlier contacts. The offer of a plan helps who cannot pay.
func (w *World) actChance(d *debtor, h *habit, c ledger.Channel, tone ledger.Tone, pastDue int, tired float64, offer string) float64 {
	r := &w.spec.Response
	wanted := 0.5*d.attitude + 0.5*min(1, max(0, float64(pastDue)/45))
	p := h.affinity[c] * d.response * (1 - r.TonePenalty*math.Abs(float64(tone)/2-wanted))
	p *= math.Exp(-d.sensitivity * max(0, tired-w.spec.Fatigue.Tolerance))
	if offer == "payment_plan" {
		p *= max(d.ability, 0.75)
	} else {
		p *= d.ability
	}
	if pastDue < 0 {
		p *= r.PreDue
	}
	return min(0.97, p)
}

// annoyance returns the chance of a complaint and of an opt-out once a contact
// is noticed.
func (w *World) annoyance(d *debtor, c ledger.Channel, tone ledger.Tone, pastDue int, tired float64) (complaint, optOut float64) {
	f := &w.spec.Fatigue
	heat := math.Exp(f.Growth * tired)
	if tone == ledger.Formal && pastDue < 30 {
		heat *= 1.6
	}
	if pastDue < 0 {
		heat *= 1.5
	}
	if !d.consent[c] {
		heat *= 5
	}
	if d.optedOut[c] {
		heat *= 20
	}
	complaint = min(0.5, f.Complaint*heat)
	if c == ledger.Email || c == ledger.SMS || c == ledger.WhatsApp {
		optOut = min(0.5, f.OptOut*heat)
	}
	return complaint, optOut
}

// notice is the moment at which a debtor sees a contact: it leaves its traces,
// annoys some, and makes some decide to pay, to promise, to ask for a plan or
// to dispute.
func (w *World) notice(d *debtor, day int, t *thing) {
	c := t.action.Channel
	key := int(c) + ledger.Channels*t.key
	data := Data{ContactID: t.contact, Channel: c.String()}
	date := w.Date(day)
	cents, oldest, _ := d.callable(date, reminded)
	pastDue := -1
	if cents > 0 {
		pastDue = int(date - oldest)
	}
	switch {
	case c == ledger.Phone:
		w.say(d, t.at, "contact.answered", data)
	case d.tracked[c] && (c == ledger.Email || c == ledger.WhatsApp):
		w.say(d, t.at, "contact.opened", data)
	}
	complaint, optOut := w.annoyance(d, c, t.action.Tone, pastDue, t.tired)
	if d.dice.u(forComplaint, t.day, key) < complaint {
		w.say(d, t.at+600, "debtor.complained", Data{ContactID: t.contact})
		w.Truth.complained(d, day)
	}
	if !d.optedOut[c] && d.dice.u(forOptOut, t.day, key) < optOut {
		d.optedOut[c] = true
		w.say(d, t.at+90, "debtor.opted_out", Data{Channel: c.String()})
		w.Truth.optedOut(d, day)
	}
	if cents == 0 || d.insolvent || d.heldUntil > t.at {
		return
	}
	for i := range d.open {
		if inv := &d.open[i]; inv.contested && !inv.disputed && inv.due <= date+reminded {
			w.dispute(d, inv, t.at+1200, day)
			return
		}
	}
	h := d.habit(t.day)
	acts := d.dice.u(forAct, t.day, key) < w.actChance(d, h, c, t.action.Tone, pastDue, t.tired, t.action.Offer)
	u := d.dice.u(forReply, t.day, key)
	if !acts {
		if c != ledger.Phone && u < 0.05 {
			w.say(d, t.at+900, "contact.replied", data)
		}
		return
	}
	if d.intentDay != never {
		return // has already decided
	}
	r := &w.spec.Response
	switch p := d.dice.u(forPromise, t.day, key); {
	case (t.action.Offer == "payment_plan" || d.ability < planBelow) && cents > planAbove && d.dice.u(forPlan, t.day, key) < r.Plan:
		w.replied(d, t.at+700, c, data)
		w.startPlan(d, day, t.at+900, cents)
	case c == ledger.Phone && p < r.PromisePhone, c != ledger.Phone && p < r.Promise:
		w.replied(d, t.at+700, c, data)
		w.promise(d, day, t.at+900, t)
	default:
		link := c == ledger.Email || c == ledger.SMS || c == ledger.WhatsApp
		clicked := link && d.dice.u(forClick, t.day, key) < 0.55
		if clicked {
			w.say(d, t.at+60, "contact.clicked", data)
		} else if c != ledger.Phone && u < 0.25 {
			w.replied(d, t.at+1500, c, data)
		}
		w.intend(d, day, t, oldest, clicked)
	}
}

// replied says that the debtor wrote back; on the phone it was said already.
func (w *World) replied(d *debtor, at int64, c ledger.Channel, data Data) {
	if c != ledger.Phone {
		w.say(d, at, "contact.replied", data)
	}
}

// intend plans a payment that was decided on: at once from a link, else after
// some days, on the next run where there are runs, and not before the due
// date. The longer it takes, the likelier it is forgotten.
func (w *World) intend(d *debtor, day int, t *thing, oldest ledger.Day, clicked bool) {
	key := int(t.action.Channel) + ledger.Channels*t.key
	date := w.Date(day)
	due := max(date, oldest-1)
	wait := 0
	if !clicked {
		wait = int(-math.Log(d.dice.u(forDelay, t.day, key)) * w.spec.Response.PaymentDelayDays)
	}
	when := d.nextRun(due + ledger.Day(wait))
	lag := int(when - date)
	if d.dice.u(forFade, t.day, key) > math.Pow(1-w.spec.Response.IntentionFade, float64(lag)) {
		return
	}
	at := t.at + 900
	if lag > 0 {
		at = w.payHour(d, day+lag, w.Start(day+lag).Unix(), 1000+key)
	} else if !clicked {
		at = max(at, w.payHour(d, day, w.Start(day).Unix(), 1000+key))
	}
	d.intentDay = day + lag
	pay := thing{at: at, kind: intendedPayment, key: key, day: t.day}
	if clicked {
		pay.cents = 1 // through the link
	}
	w.plan(d, pay)
}

// payAll pays what is due, or part of it where money is short.
func (w *World) payAll(d *debtor, day int, t *thing) {
	if d.insolvent {
		return
	}
	date := w.Date(day)
	method := d.method
	if t.cents == 1 && d.dice.u(forMethod, t.day, t.key) < 0.6 {
		method = "link"
	}
	part := d.dice.u(forPartial, t.day, t.key) < w.spec.Response.Partial*2*(1-d.ability)
	for i := 0; i < len(d.open); {
		inv := &d.open[i]
		if inv.disputed || inv.due > date+reminded {
			i++
			continue
		}
		if part && inv.cents > 200 {
			w.pay(d, t.at, i, inv.cents/2, method)
			return
		}
		w.pay(d, t.at, i, inv.cents, method)
	}
}

// pay books money on the i-th open invoice and drops it once it is paid.
func (w *World) pay(d *debtor, at int64, i int, cents int64, method string) {
	inv := &d.open[i]
	w.say(d, at, "payment.received", Data{
		PaymentID: "p-" + d.id + "-" + strconv.Itoa(d.sequence), InvoiceID: inv.id, Amount: Money(cents), Method: method,
	})
	inv.cents -= cents
	inv.paying = false
	if inv.cents == 0 {
		d.open = slices.Delete(d.open, i, i+1)
	}
}

// promise names a date; some keep it.
func (w *World) promise(d *debtor, day int, at int64, t *thing) {
	key := int(t.action.Channel) + ledger.Channels*t.key
	days := 1 + int(2*d.dice.u(forPromiseDays, t.day, key)*(w.spec.Response.PromiseDays-1))
	when := d.nextRun(w.Date(day + days))
	days = int(when - w.Date(day))
	id := "k-" + d.id + "-" + strconv.Itoa(d.sequence)
	w.say(d, at, "case.opened", Data{CaseID: id, Kind: "promise", ExpiresOn: when})
	end := w.Start(day+days).Unix() + 20*3600
	d.heldUntil = end
	w.plan(d, thing{at: end, kind: promiseDue, contact: id, key: key, day: t.day})
}

// promiseEnd pays what was promised, or does not.
func (w *World) promiseEnd(d *debtor, day int, t *thing) {
	kept := d.dice.u(forPromiseKept, t.day, t.key) < d.reliability*(0.4+0.6*d.ability) && !d.insolvent
	outcome := "broken"
	if kept {
		outcome = "kept"
		w.payAll(d, day, t)
	}
	w.say(d, t.at+60, "case.closed", Data{CaseID: t.contact, Kind: "promise", Outcome: outcome})
	d.heldUntil = 0
}

// startPlan spreads what is due over equal monthly parts.
func (w *World) startPlan(d *debtor, day int, at, cents int64) {
	parts := w.spec.Response.Instalments
	id := "k-" + d.id + "-" + strconv.Itoa(d.sequence)
	last := day + 1 + 30*(parts-1)
	w.say(d, at, "case.opened", Data{CaseID: id, Kind: "payment_plan", ExpiresOn: w.Date(last)})
	d.heldUntil, d.plan = w.Start(last).Unix()+12*3600, id
	for i := range parts {
		w.plan(d, thing{at: w.Start(day+1+30*i).Unix() + 12*3600, kind: instalment, key: parts - i, contact: id, cents: cents/int64(parts) + 1, day: day})
	}
}

// instalment pays one part of a plan on what has been open longest. One who
// fails breaks the plan, and the rest of it.
func (w *World) instalment(d *debtor, t *thing) {
	if d.plan != t.contact || d.insolvent {
		return
	}
	if d.dice.u(forPlan, t.day, 100+t.key) > 0.75+0.25*d.reliability {
		w.say(d, t.at, "case.closed", Data{CaseID: t.contact, Kind: "payment_plan", Outcome: "broken"})
		d.heldUntil, d.plan = 0, ""
		return
	}
	left := t.cents
	date := d.zone.day(t.at)
	for i := 0; i < len(d.open) && left > 0; {
		if inv := &d.open[i]; inv.disputed || inv.due > date {
			i++
			continue
		}
		part := min(left, d.open[i].cents)
		left -= part
		w.pay(d, t.at, i, part, d.method)
	}
	if t.key == 1 {
		w.say(d, t.at+60, "case.closed", Data{CaseID: t.contact, Kind: "payment_plan", Outcome: "kept"})
		d.heldUntil, d.plan = 0, ""
	}
}

// dispute contests one invoice.
func (w *World) dispute(d *debtor, inv *invoice, at int64, day int) {
	inv.disputed, inv.contested = true, false
	w.say(d, at, "case.opened", Data{CaseID: "k-" + inv.id, Kind: "dispute", InvoiceID: inv.id})
	days := 2 + int(-math.Log(d.dice.u(forDisputeEnd, inv.number, 0))*w.spec.Cases.DisputeDays)
	w.plan(d, thing{at: w.Start(day+days).Unix() + 11*3600, kind: disputeEnd, key: inv.number})
}

// disputeEnd decides a dispute: the invoice falls, or stands again.
func (w *World) disputeEnd(d *debtor, day int, t *thing) {
	i := d.find(t.key)
	if i < 0 {
		return
	}
	data := Data{CaseID: "k-" + d.open[i].id, Kind: "dispute", InvoiceID: d.open[i].id, Outcome: "rejected"}
	if d.dice.u(forUpheld, t.key, 0) < w.spec.Cases.DisputeUpheld {
		data.Outcome = "upheld"
		w.say(d, t.at, "case.closed", data)
		w.say(d, t.at+60, "invoice.cancelled", Data{InvoiceID: d.open[i].id})
		d.open = slices.Delete(d.open, i, i+1)
		return
	}
	d.open[i].disputed = false
	w.say(d, t.at, "case.closed", data)
}
