package engine

import "rappel/datasets/ledger"

// Offers of a decision.
const (
	OfferPlan   = "payment_plan"
	OfferCall   = "call_first" // a person should speak to them
	OfferThanks = "thank_you"  // asks for nothing: what was asked for has been paid
)

const (
	// thankDays is how long after a payment thanks still make sense.
	thankDays = 3
	// thankAfterDays is how long before a payment a reminder may have led to it.
	thankAfterDays = 28
)

// idle tells whether nothing was owed when contact i was sent: then it asked for
// nothing, and is no step of a reminder.
func (a *account) idle(i int) bool {
	at := a.contacts[i].at
	for k := range a.invoices {
		v := &a.invoices[k]
		if v.issued != 0 && v.issued <= at && (v.cancelled == 0 || v.cancelled > at) && v.openAt(at) > 0 {
			return false
		}
	}
	return true
}

// paidUp returns when a payment after a reminder was made, the last thing between
// debtor and creditor, a few days ago at most; 0 where there is none.
func (a *account) paidUp(at int64) int64 {
	const day = 86400
	last := int64(0)
	for i := len(a.payments) - 1; i >= 0 && last == 0; i-- {
		if a.payments[i].at <= at {
			last = a.payments[i].at
		}
	}
	if last == 0 || at-last > thankDays*day {
		return 0
	}
	for i := len(a.contacts) - 1; i >= 0; i-- {
		switch c := &a.contacts[i]; {
		case c.at > at:
		case c.at > last:
			return 0 // thanked already, or something else was said
		case !c.idle:
			if last-c.at <= thankAfterDays*day {
				return last
			}
			return 0
		}
	}
	return 0
}

// thank answers with thanks where the creditor wants that and they are due: the
// cheapest channel of those that cost no time, at nine in the morning or the next
// allowed hour after it. Caps, quiet hours and consent hold as for any contact.
func thank(s *scratch, q *question) (v verdict, due bool) {
	f := &s.f
	if !q.creditor.ThankYou || f.hold != HoldNothingDue || f.openCents > 0 || f.paidUp == 0 {
		return v, false
	}
	v = verdict{prob: 1, thanks: true}
	if s.enumerate(q, &v) == 0 {
		return v, false
	}
	cost := q.creditor.Value.costs()
	best := -1
	var channel ledger.Channel
	for i := range s.slots {
		sl := &s.slots[i]
		if sl.hour < 9 || sl.at > f.at+commitHours*3600 {
			continue
		}
		for _, c := range []ledger.Channel{ledger.Email, ledger.WhatsApp, ledger.SMS} {
			if sl.allow&(1<<c) != 0 && (best < 0 || cost[c] < cost[channel]) {
				best, channel = i, c
			}
		}
	}
	if best < 0 {
		return v, false
	}
	sl := &s.slots[best]
	s.cands = append(s.cands[:0], candidate{
		channel: channel, tone: ledger.Friendly, at: sl.at, day: sl.day, hour: sl.hour, how: sl.how, prob: 1, cost: cost[channel],
	})
	v.cands, v.sendAt = s.cands, sl.at
	return v, true
}

// attachments proposes what goes with a reminder: a copy of the invoice with the
// first one and with a formal one, and a link to pay where it can be clicked, and
// is not what they never use.
func (s *scratch) attachments(c *candidate) []string {
	var list []string
	if s.f.step == 0 || c.tone == ledger.Formal {
		list = append(list, "invoice_copy")
	}
	clicks := c.channel == ledger.Email || c.channel == ledger.SMS || c.channel == ledger.WhatsApp
	if m := s.habit.method; clicks && m != "direct_debit" && m != "cash" {
		list = append(list, "payment_link")
	}
	return list
}
