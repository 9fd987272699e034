package ledger

import (
	"cmp"
	"slices"
	"time"
)

// Merging. Events come late and out of order, so what two rows of one key say
// together must not depend on which came first. An id names one fact: of two
// rows that claim the same fact the one with the earlier moment holds, at the
// same moment the lesser by value; a cancellation or a closing is a fact of its
// own and joins the row whenever it comes. Each Merge is commutative,
// associative and idempotent. To correct an invoice, cancel it and issue
// another; to prolong a case, close it and open another.

// byTime orders moments, the zero moment (unknown) last.
func byTime(a, b time.Time) int {
	switch {
	case a.IsZero() && b.IsZero():
		return 0
	case a.IsZero():
		return 1
	case b.IsZero():
		return -1
	}
	return a.Compare(b)
}

// byDay orders days, day zero (none) last.
func byDay(a, b Day) int {
	switch {
	case a == b:
		return 0
	case a == 0:
		return 1
	case b == 0:
		return -1
	}
	return cmp.Compare(a, b)
}

// byText orders texts, the empty one (unknown) last.
func byText(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	return cmp.Compare(a, b)
}

// Merge returns what a and b, two rows of one invoice, say together.
func (a Invoice) Merge(b Invoice) Invoice {
	first, other := a, b
	if cmp.Or(
		byTime(a.ObservedAt, b.ObservedAt),
		byTime(a.IssuedAt, b.IssuedAt),
		byDay(a.DueOn, b.DueOn),
		cmp.Compare(a.Cents, b.Cents),
		byText(a.Currency, b.Currency),
		byText(a.Debtor, b.Debtor),
	) > 0 {
		first, other = b, a
	}
	if byTime(other.CancelledAt, first.CancelledAt) < 0 {
		first.CancelledAt = other.CancelledAt
	}
	return first
}

// Merge returns what a and b, two rows of one payment, say together.
func (a Payment) Merge(b Payment) Payment {
	if cmp.Or(
		byTime(a.PaidAt, b.PaidAt),
		byText(a.Invoice, b.Invoice),
		byText(a.Debtor, b.Debtor),
		cmp.Compare(a.Cents, b.Cents),
		byText(a.Method, b.Method),
	) > 0 {
		return b
	}
	return a
}

// Merge returns what a and b, two rows of one contact, say together.
func (a Contact) Merge(b Contact) Contact {
	if cmp.Or(
		byTime(a.SentAt, b.SentAt),
		byText(a.Debtor, b.Debtor),
		byText(a.Channel.String(), b.Channel.String()),
		byText(a.Tone.String(), b.Tone.String()),
		cmp.Compare(a.CostCents, b.CostCents),
		byText(a.Decision, b.Decision),
		slices.Compare(a.Invoices, b.Invoices),
	) > 0 {
		return b
	}
	return a
}

// Merge returns what a and b, two rows of one case, say together: the opening
// of the earlier, and the earlier closing with its outcome.
func (a Case) Merge(b Case) Case {
	first, other := a, b
	if cmp.Or(
		byTime(a.OpenedAt, b.OpenedAt),
		byText(a.Kind, b.Kind),
		byText(a.Invoice, b.Invoice),
		byDay(a.ExpiresOn, b.ExpiresOn),
		byText(a.Debtor, b.Debtor),
	) > 0 {
		first, other = b, a
	}
	if cmp.Or(byTime(other.ClosedAt, first.ClosedAt), byText(other.Outcome, first.Outcome)) < 0 {
		first.ClosedAt, first.Outcome = other.ClosedAt, other.Outcome
	}
	return first
}

// Merge returns what a and b, two rows of one debtor at one moment, say
// together.
func (a Debtor) Merge(b Debtor) Debtor {
	if cmp.Or(
		byText(string(a.Kind), string(b.Kind)),
		byText(a.Language, b.Language),
		byText(a.Timezone, b.Timezone),
		byText(a.Country, b.Country),
		byText(a.Postcode, b.Postcode),
		byText(a.Sector, b.Sector),
		byTime(a.CreatedAt, b.CreatedAt),
	) > 0 {
		return b
	}
	return a
}

// Merge returns what a and b, two rows of one channel at one moment, say
// together; where they disagree the more careful word holds.
func (a Reach) Merge(b Reach) Reach {
	pick := func(f Facet, x, y, careful bool) bool {
		switch {
		case a.Unknown&f != 0:
			return y
		case b.Unknown&f != 0:
			return x
		case x == careful || y == careful:
			return careful
		}
		return !careful
	}
	a.Reachable, a.Consent, a.OptedOut, a.Unknown =
		pick(FacetReachable, a.Reachable, b.Reachable, false),
		pick(FacetConsent, a.Consent, b.Consent, false),
		pick(FacetOptedOut, a.OptedOut, b.OptedOut, true),
		a.Unknown&b.Unknown
	return a
}

// After returns a with what it does not say taken from earlier, what held
// until then. Folding all rows of a channel up to a moment in order of
// ObservedAt, from Reach{Unknown: all facets}, gives the state at that moment.
func (a Reach) After(earlier Reach) Reach {
	if a.Unknown&FacetReachable != 0 {
		a.Reachable = earlier.Reachable
	}
	if a.Unknown&FacetConsent != 0 {
		a.Consent = earlier.Consent
	}
	if a.Unknown&FacetOptedOut != 0 {
		a.OptedOut = earlier.OptedOut
	}
	a.Unknown &= earlier.Unknown
	return a
}

// Merge returns what a and b, two ratings of one provider at one moment, say
// together: the worse.
func (a Rating) Merge(b Rating) Rating {
	a.Score = min(a.Score, b.Score)
	return a
}

// Merge returns what a and b, two rows of one event, say together. The event
// log keeps a second row of one id out; files may hold one.
func (a Engagement) Merge(b Engagement) Engagement {
	channel := func(e Engagement) string {
		if !e.HasChannel {
			return ""
		}
		return e.Channel.String()
	}
	if cmp.Or(
		byTime(a.OccurredAt, b.OccurredAt),
		byText(a.Debtor, b.Debtor),
		byText(a.Kind, b.Kind),
		byText(a.Contact, b.Contact),
		byText(a.Invoice, b.Invoice),
		byText(channel(a), channel(b)),
		byText(a.Precision, b.Precision),
		byBool(a.Machine, b.Machine),
	) > 0 {
		return b
	}
	return a
}

// byBool orders false before true.
func byBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// Len returns the number of rows.
func (r *Rows) Len() int {
	return len(r.Debtors) + len(r.Reach) + len(r.Invoices) + len(r.Payments) +
		len(r.Contacts) + len(r.Engagements) + len(r.Cases) + len(r.Ratings)
}

// Add appends the rows of other to r.
func (r *Rows) Add(other Rows) {
	r.Debtors = append(r.Debtors, other.Debtors...)
	r.Reach = append(r.Reach, other.Reach...)
	r.Invoices = append(r.Invoices, other.Invoices...)
	r.Payments = append(r.Payments, other.Payments...)
	r.Contacts = append(r.Contacts, other.Contacts...)
	r.Engagements = append(r.Engagements, other.Engagements...)
	r.Cases = append(r.Cases, other.Cases...)
	r.Ratings = append(r.Ratings, other.Ratings...)
}
