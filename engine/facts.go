package engine

import (
	"time"

	"rappel/datasets/ledger"
)

// claim is one invoice that may be asked for.
type claim struct {
	id     string
	cents  int64
	due    ledger.Day
	issued ledger.Day // in the debtor's zone
}

// facts are the hard facts of one debtor as of a moment. A facts value is
// scratch space: fill overwrites it and keeps its memory.
type facts struct {
	at       int64
	loc      *time.Location
	today    ledger.Day // in loc
	profile  ledger.Debtor
	known    bool // a profile was known
	claims   []claim
	hold     string // why the debtor must not be contacted; empty: may be
	holdTill ledger.Day
	holdCase string
	objects  bool // objection to profiling: the fixed calendar decides

	openCents    int64
	overdueCents int64
	openOverdue  bool       // something is past due, asked for or not
	dpd          int        // days past due of the oldest claim; negative before due
	oldest       ledger.Day // its due date
	oldestID     string     // and its invoice
	issued       ledger.Day // local day of issue of the oldest claim

	reachable             [ledger.Channels]bool
	consented             [ledger.Channels]bool
	optedOut              [ledger.Channels]bool
	contacts7, contacts28 int
	today24               int                    // contacts in the last 24 hours
	step                  int                    // contacts since the oldest claim fell due
	last                  [ledger.Channels]int64 // unix seconds of the last contact; 0 none
	lastAny               int64
	lastChannel           ledger.Channel
	lastTone              ledger.Tone
	recent                []int64    // when contacts of the last 35 days were sent, oldest first
	firstAfterDue         ledger.Day // local day of the first contact on the oldest claim
	firstChannel          ledger.Channel
	seenSince             bool                 // a person's sign since the last contact
	silent                [ledger.Channels]int // contacts in a row without sign or payment
	bounced               [ledger.Channels]bool
	talked                int64 // last conversation by phone
	rating                float64
	ratingChange          float64
	complaints            int
	paidUp                int64 // when a reminder was paid upon, days ago at most, and nothing was said since; 0: not
}

// holdOf maps an open case to the reason of a hold.
var holdOf = map[string]string{
	"insolvency": HoldInsolvency, "debt_mediation": HoldMediation, "legal": HoldCreditor, "hold": HoldCreditor,
}

// place finds who and where the debtor was as of at. zone gives the location
// of an IANA name.
func (f *facts) place(a *account, at int64, zone func(string) *time.Location, fallback *time.Location) {
	*f = facts{at: at, claims: f.claims[:0], recent: f.recent[:0], loc: fallback}
	if p := a.profileAt(at); p != nil {
		f.profile, f.known = *p, true
		if loc := zone(p.Timezone); p.Timezone != "" && loc != nil {
			f.loc = loc
		} else if name := zoneOfCountry[p.Country]; name != "" {
			if loc := zone(name); loc != nil {
				f.loc = loc
			}
		}
	}
	f.today = ledger.DayOf(time.Unix(at, 0), f.loc)
}

// fill computes all facts as of at.
func (f *facts) fill(a *account, at int64, zone func(string) *time.Location, fallback *time.Location) {
	f.place(a, at, zone, fallback)
	f.fillClaims(a)
	f.fillReach(a)
	f.fillContacts(a)
	f.paidUp = a.paidUp(at)
	for i := range a.ratings {
		if r := &a.ratings[i]; r.ObservedAt.Unix() <= at {
			if f.rating != 0 {
				f.ratingChange = r.Score - f.rating
			}
			f.rating = r.Score
		}
	}
}

// zoneOfCountry stands in where a debtor has a country but no zone.
var zoneOfCountry = map[string]string{
	"BE": "Europe/Brussels", "NL": "Europe/Amsterdam", "FR": "Europe/Paris", "LU": "Europe/Luxembourg",
	"DE": "Europe/Berlin", "GB": "Europe/London", "IE": "Europe/Dublin", "ES": "Europe/Madrid",
	"IT": "Europe/Rome", "PT": "Europe/Lisbon", "AT": "Europe/Vienna", "PL": "Europe/Warsaw",
	"CH": "Europe/Zurich", "DK": "Europe/Copenhagen", "SE": "Europe/Stockholm",
}

func (f *facts) fillClaims(a *account) {
	disputed, planned, promised := false, false, false
	for i := range a.cases {
		c := &a.cases[i]
		if !f.caseOpen(c) || c.Invoice != "" {
			continue
		}
		switch {
		case holdOf[c.Kind] != "" && f.hold == "":
			f.hold, f.holdTill, f.holdCase = holdOf[c.Kind], c.ExpiresOn, c.ID
		case c.Kind == "dispute":
			disputed = true
		case c.Kind == "payment_plan":
			planned = true
		case c.Kind == "promise":
			promised = true
		case c.Kind == "objection":
			f.objects = true
		}
		if c.Kind == "promise" || c.Kind == "payment_plan" {
			f.holdTill = max(f.holdTill, c.ExpiresOn)
		}
	}
	first := true
	for i := range a.invoices {
		v := &a.invoices[i]
		if v.issued == 0 || v.issued > f.at || v.cancelled != 0 && v.cancelled <= f.at {
			continue
		}
		open := v.openAt(f.at)
		if open == 0 {
			continue
		}
		// The disputed invoice leaves the claim, the rest stays.
		blocked := ""
		for j := range a.cases {
			c := &a.cases[j]
			if c.Invoice != v.id || !f.caseOpen(c) {
				continue
			}
			switch c.Kind {
			case "dispute":
				disputed, blocked = true, c.Kind
			case "payment_plan":
				planned, blocked = true, c.Kind
			case "promise":
				promised, blocked = true, c.Kind
			default:
				if holdOf[c.Kind] != "" {
					blocked = c.Kind
				}
			}
			f.holdTill = max(f.holdTill, c.ExpiresOn)
		}
		f.openCents += open
		f.openOverdue = f.openOverdue || v.due < f.today
		if blocked != "" {
			continue
		}
		issued := ledger.DayOf(time.Unix(v.issued, 0), f.loc)
		f.claims = append(f.claims, claim{v.id, open, v.due, issued})
		if v.due < f.today {
			f.overdueCents += open
		}
		if dpd := int(f.today - v.due); first || dpd > f.dpd {
			f.dpd, f.oldest, f.oldestID = dpd, v.due, v.id
			f.issued = issued
			first = false
		}
	}
	if f.hold != "" {
		return
	}
	whole := func(kind string) bool {
		for i := range a.cases {
			if c := &a.cases[i]; c.Kind == kind && c.Invoice == "" && f.caseOpen(c) {
				return true
			}
		}
		return false
	}
	switch {
	case disputed && (len(f.claims) == 0 || whole("dispute")):
		f.hold = HoldDisputed
	case planned && (len(f.claims) == 0 || whole("payment_plan")):
		f.hold = HoldPlan
	case promised && (len(f.claims) == 0 || whole("promise")):
		f.hold = HoldPromise
	case len(f.claims) == 0:
		f.hold = HoldNothingDue
	default:
		f.holdTill = 0
	}
}

// caseOpen tells whether the case is open as of the moment. A promise or plan
// whose date has passed is no longer kept, and a creditor's block ends on its
// date.
func (f *facts) caseOpen(c *ledger.Case) bool {
	return !c.OpenedAt.IsZero() && c.OpenedAt.Unix() <= f.at &&
		(c.ClosedAt.IsZero() || c.ClosedAt.Unix() > f.at) &&
		(c.ExpiresOn == 0 || c.ExpiresOn >= f.today)
}

func (f *facts) fillReach(a *account) {
	listed := false
	for c := range a.reach {
		state := ledger.Reach{Unknown: ledger.FacetReachable | ledger.FacetConsent | ledger.FacetOptedOut}
		for i := range a.reach[c] {
			if a.reach[c][i].ObservedAt.Unix() > f.at {
				break
			}
			state = a.reach[c][i].After(state)
			listed = listed || state.Unknown&ledger.FacetReachable == 0
		}
		f.reachable[c] = state.Reachable && !state.OptedOut
		f.consented[c] = state.Consent
		if state.Unknown&ledger.FacetConsent != 0 {
			// Who says nothing of consent may be written to and called, not texted.
			f.consented[c] = c != int(ledger.SMS) && c != int(ledger.WhatsApp)
		}
		f.optedOut[c] = state.OptedOut
	}
	if !listed {
		// A feed that lists no channels still writes: every debtor has an
		// address to write to, and whatever has been used before exists.
		f.reachable[ledger.Letter], f.reachable[ledger.Email] = !f.optedOut[ledger.Letter], !f.optedOut[ledger.Email]
		for i := range a.contacts {
			if c := &a.contacts[i]; c.at <= f.at && !f.optedOut[c.channel] {
				f.reachable[c.channel], f.consented[c.channel] = true, true
			}
		}
	}
}

func (f *facts) fillContacts(a *account) {
	const day = 86400
	for i := range a.contacts {
		c := &a.contacts[i]
		if c.at > f.at {
			break
		}
		age := f.at - c.at
		if age < 35*day {
			f.recent = append(f.recent, c.at)
		}
		if age < 7*day {
			f.contacts7++
		}
		if age < 28*day {
			f.contacts28++
		}
		if age < day {
			f.today24++
		}
		f.last[c.channel], f.lastAny = c.at, c.at
		if c.idle {
			continue // it asked for nothing: pressure, but no step
		}
		sent := ledger.DayOf(time.Unix(c.at, 0), f.loc)
		if len(f.claims) > 0 && sent >= f.issued {
			if f.firstAfterDue == 0 {
				f.firstAfterDue, f.firstChannel = sent, c.channel
			}
			if sent > f.oldest {
				f.step++
			}
		}
		f.lastChannel, f.lastTone = c.channel, c.tone
		f.silent[c.channel]++
	}
	for i := range a.signs {
		s := &a.signs[i]
		if s.at > f.at {
			break
		}
		k := s.ref
		if s.kind == signComplained {
			f.complaints++
		}
		ch := int(s.channel)
		if k >= 0 {
			ch = int(a.contacts[k].channel)
		}
		if ch < 0 {
			continue
		}
		switch {
		case s.kind == signBounced:
			f.bounced[ch] = true
		case s.kind == signDelivered:
			f.bounced[ch] = false
		case a.attention(s, k, f.at):
			f.seenSince = f.seenSince || s.at >= f.lastAny
			f.bounced[ch] = false
			// Contacts after the answer are the silent run.
			run := 0
			for j := len(a.contacts) - 1; j >= 0 && a.contacts[j].at > s.at; j-- {
				if c := &a.contacts[j]; int(c.channel) == ch && c.at <= f.at && !c.idle {
					run++
				}
			}
			f.silent[ch] = run
			if s.kind == signAnswered && ch == int(ledger.Phone) {
				f.talked = s.at
			}
		}
	}
}
