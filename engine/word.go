package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
)

// resolve decides q: by the models in the treatment arm, by the fixed calendar
// in the control arm and for a debtor who objects to profiling.
func (e *Engine) resolve(s *scratch, q *question) verdict {
	if s.f.objects || Arm(e.opt.Seed, ledger.Key{Creditor: q.req.Creditor, Debtor: q.req.Debtor}, q.creditor.ControlShare) == Control {
		return fixed(s, q)
	}
	if v, due := thank(s, q); due {
		return v
	}
	return decide(s, q)
}

// fixed follows the creditor's ladder: the first rung that is due and not yet
// climbed, at nine in the morning or the first allowed hour after it, on the
// rung's channel or, where that is closed, the first open one.
func fixed(s *scratch, q *question) verdict {
	f := &s.f
	v := verdict{hold: f.hold, till: f.holdTill, prob: 1}
	if v.hold != "" {
		return v
	}
	for i := range f.claims {
		if f.claims[i].due < f.today {
			v.money += f.claims[i].cents
		}
	}
	if v.money == 0 {
		v.hold, v.till = HoldNothingDue, f.oldest+1
		return v
	}
	s.baseline(q, &v)
	if s.enumerate(q, &v) == 0 {
		v.hold = HoldNoChannel
		return v
	}
	v.cands = append(s.cands[:0], candidate{wait: true, prob: 1})
	s.cands = v.cands
	ladder := q.creditor.Ladder
	if f.step >= len(ladder) || f.dpd < ladder[f.step].Day {
		return v
	}
	rung := ladder[f.step]
	want, _ := ledger.ParseChannel(rung.Channel)
	tone, _ := ledger.ParseTone(rung.Tone)
	try := func(c ledger.Channel) bool {
		for i := range s.slots {
			sl := &s.slots[i]
			if sl.allow&(1<<c) == 0 || sl.hour < 9 || sl.at > f.at+commitHours*3600 {
				continue
			}
			v.cands[0] = candidate{
				channel: c, tone: tone, at: sl.at, day: sl.day, hour: sl.hour, how: sl.how, prob: 1,
				cost: q.creditor.Value.costs()[c],
			}
			v.sendAt = sl.at
			return true
		}
		return false
	}
	if try(want) {
		return v
	}
	for c := range ledger.Channel(ledger.Channels) {
		if try(c) {
			break
		}
	}
	return v
}

// word puts a verdict into the answer's form, in the language asked for.
func (s *scratch) word(q *question, v *verdict) *Decision {
	f := &s.f
	t := tongueFor(q.req, f)
	d := &Decision{
		ID: q.id, Creditor: q.req.Creditor, Debtor: q.req.Debtor, DecidedAt: time.Unix(f.at, 0).In(f.loc),
		Arm: Treatment, Propensity: 1, Invoices: []string{}, Reasons: []Reason{}, Alternatives: []Alternative{}, Constraints: []Constraint{},
		Model: q.learned.ref,
	}
	if Arm(q.seed, ledger.Key{Creditor: d.Creditor, Debtor: d.Debtor}, q.creditor.ControlShare) == Control {
		d.Arm = Control
	}
	for _, code := range v.blocked {
		d.Constraints = append(d.Constraints, constraint(t, code))
	}
	if v.hold != "" {
		d.Action, d.HoldReason = ActionHold, v.hold
		d.Constraints = append(d.Constraints, constraint(t, v.hold))
		review := tomorrow(f)
		if v.till > f.today {
			review = v.till.In(f.loc).Add(6 * time.Hour)
			if v.hold != HoldNothingDue {
				review = (v.till + 1).In(f.loc).Add(6 * time.Hour)
			}
		}
		d.ReviewAt, d.ExpiresAt = &review, review
		return d
	}
	for i := range f.claims {
		if c := &f.claims[i]; c.due <= f.today+preDueDays {
			d.Invoices = append(d.Invoices, c.id)
		}
	}
	c := &v.cands[v.chosen]
	d.Propensity = v.prob
	d.PaymentMethod = s.habit.method
	d.Expected.Paid7dAlone = v.alone
	d.Expected.Paid7d = v.alone
	switch {
	case v.scored():
		d.Reasons = s.explain(v, t)
		d.Alternatives = s.alternatives(v, q.req.Alternatives)
	case v.thanks:
		d.Reasons = append(d.Reasons, reason(t, "PAID_UP", 0))
	default:
		d.Reasons = append(d.Reasons, reason(t, "LADDER", 0, float64(f.step+1)))
	}
	if c.wait {
		capped, at := s.capHold()
		if capped && slices.Contains(v.blocked, payRunWord) {
			review := time.Unix(at, 0).In(f.loc)
			d.Action, d.ReviewAt, d.ExpiresAt = ActionWait, &review, review
			return d
		}
		if capped {
			// Nothing could be sent within reach, whatever it was worth.
			d.Action, d.HoldReason = ActionHold, HoldCap
			d.Constraints = append(d.Constraints, constraint(t, HoldCap))
			review := time.Unix(at, 0).In(f.loc)
			d.ReviewAt, d.ExpiresAt = &review, review
			d.Propensity = 1
			return d
		}
		d.Action = ActionWait
		review := tomorrow(f)
		d.ReviewAt, d.ExpiresAt = &review, review
		d.Expected.ValueEUR = c.mean
		return d
	}
	sendAt := time.Unix(v.sendAt, 0).In(f.loc)
	d.Action, d.Channel, d.Tone = ActionContact, c.channel.String(), c.tone.String()
	d.SendAt = &sendAt
	d.Window = s.window(sendAt, c.channel)
	d.ExpiresAt = d.Window.To
	if d.Offer = s.offer(q, v, c); !v.thanks {
		d.Attachments = s.attachments(c)
	}
	d.RequiresApproval = q.creditor.Autonomy != Auto ||
		q.creditor.ApprovalAbove > 0 && float64(v.money)/100 > q.creditor.ApprovalAbove
	d.Expected.Noticed24h = c.seen24
	d.Expected.ValueEUR = c.mean
	effect := s.effect(c)
	d.Expected.DaysSaved = effect * rewardHorizon
	if c.gain > 0 {
		fire := min(max(effect/c.gain, 0), 1)
		lag := q.learned.model.Response.Lag[int(c.channel)*len(q.learned.model.Response.Lag)/ledger.Channels:]
		soon := 0.0
		for u := 0; u+c.day <= 6; u++ {
			soon += lag[u]
		}
		d.Expected.Paid7d = 1 - (1-v.alone)*(1-fire*soon)
	}
	return d
}

// tomorrow is when a debtor is looked at again.
func tomorrow(f *facts) time.Time { return (f.today + 1).In(f.loc).Add(6 * time.Hour) }

// scored tells whether the models valued the candidates.
func (v *verdict) scored() bool { return v.byModel && len(v.cands) > 0 }

// effect is the expected share of the horizon that c saves.
func (s *scratch) effect(c *candidate) float64 {
	var phi [models.Effects]float64
	s.phi(phi[:], c)
	sum := 0.0
	for j, x := range phi {
		sum += x * s.theta[j]
	}
	return sum
}

// capHold tells whether cadence and law, not value, leave nothing to send
// within the whole horizon, and until when.
func (s *scratch) capHold() (bool, int64) {
	if len(s.slots) > 0 {
		return false, 0
	}
	at := int64(0)
	for c := range s.earliest {
		if s.capped[c] != "" && (at == 0 || s.earliest[c] < at) {
			at = s.earliest[c]
		}
	}
	return at > s.f.at, at
}

// window is how long the contact may still go out: two hours, as far as they
// are allowed.
func (s *scratch) window(sendAt time.Time, c ledger.Channel) *Window {
	// The end of the local hour: zones differ by half hours, too.
	to := sendAt.Add(time.Hour - time.Duration(sendAt.Minute()*60+sendAt.Second())*time.Second)
	for i := range s.slots {
		if sl := &s.slots[i]; sl.at == to.Unix() && sl.allow&(1<<c) != 0 {
			to = to.Add(time.Hour)
			break
		}
	}
	return &Window{From: sendAt, To: to}
}

// A plan brings the money late: it is offered to those whom so many reminders
// within so many days past due did not move, and who will hardly pay unasked
// within a week.
const (
	planSteps = 8
	planDays  = 60
	planAlone = 0.15
)

// offer proposes a payment plan where patience serves better than pressure,
// and a call by a person where that is what is left.
func (s *scratch) offer(q *question, v *verdict, c *candidate) *string {
	f := &s.f
	var offer string
	switch {
	case v.thanks:
		offer = OfferThanks
	case f.step >= planSteps && f.dpd > planDays && v.alone < planAlone:
		offer = OfferPlan
	case c.channel == ledger.Phone && (f.step >= 2 || q.creditor.ApprovalAbove > 0 && float64(v.money)/100 > q.creditor.ApprovalAbove):
		offer = OfferCall
	default:
		return nil
	}
	return &offer
}

// alternatives lists the runners-up by value.
func (s *scratch) alternatives(v *verdict, n int) []Alternative {
	order := s.order[:0]
	for i := range v.cands {
		if i != v.chosen {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := v.cands[a].mean, v.cands[b].mean; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	s.order = order
	n = min(n, len(order))
	out, times := make([]Alternative, 0, n), make([]time.Time, n)
	for k, i := range order[:n] {
		c := &v.cands[i]
		a := Alternative{Action: ActionWait, ValueEUR: c.mean, Propensity: c.prob}
		if !c.wait {
			times[k] = time.Unix(c.at, 0).In(s.f.loc)
			a.Action, a.Channel, a.Tone, a.SendAt = ActionContact, c.channel.String(), c.tone.String(), &times[k]
			for _, o := range c.slots {
				if o.at == c.at {
					a.Propensity = c.prob * o.prob
				}
			}
		}
		out = append(out, a)
	}
	return out
}

// rowOf is the decision as it is logged.
func rowOf(s *scratch, d *Decision, v *verdict, key string) (ledger.Decision, error) {
	answer, err := json.Marshal(d)
	if err != nil {
		return ledger.Decision{}, fmt.Errorf("decision %s: %w", d.ID, err)
	}
	row := ledger.Decision{
		Creditor: d.Creditor, ID: d.ID, Debtor: d.Debtor, DecidedAt: time.Unix(s.f.at, 0).UTC(), Arm: d.Arm, Action: d.Action,
		Propensity: d.Propensity, ModelID: d.Model.ID, Status: "proposed", IdempotencyKey: key, Answer: answer, Baseline: v.base,
	}
	if v.scored() {
		row.Candidates = appendDrawn(nil, v.cands)
	}
	if d.Action == ActionContact {
		c := &v.cands[v.chosen]
		row.Channel, row.Tone, row.SendAt = c.channel, c.tone, d.SendAt.UTC()
		if v.scored() {
			row.Vector = make([]float64, models.Effects, models.Effects+rewardHorizon)
			s.phi(row.Vector, c)
			row.Vector[models.EffectLevel], row.Vector[models.EffectRisk] = 1, 1-v.base
			row.Vector = append(row.Vector, s.surv[:rewardHorizon]...)
		}
	}
	return row, nil
}
