package engine

import (
	"cmp"
	"math"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
)

// payRunWord is the constraint that awaitRun sets.
const payRunWord = "PAY_RUN"

const (
	// certain is the share of belief from which a payment run is reckoned with.
	certain = 0.9
	// beforeRun is how many working days before a run a contact comes at the
	// soonest, and at least one.
	beforeRun = 3

	earliestPaid, latestPaid = -15, 60 // days past due between which payments tell of runs
	maxPaid                  = 40      // invoices looked at, the latest
)

// nearby spreads a payment over the days around it. It is narrow: who always pays
// the day after the due date keeps to that, and to no weekday.
var nearby = [...]float64{0.03, 0.94, 0.03}

// paidInvoice is when an invoice was due, and when it was paid.
type paidInvoice struct{ due, day ledger.Day }

// payRuns returns what the days on which an account paid until a moment say of its
// payment run. A payment on the day of a run speaks for it by how rarely that
// invoice would have been paid on such a day without one: by how late the account
// pays its other invoices (a kernel density, those of the day itself left out,
// beside a flat one). Who is always due at the end of the month, and pays two days
// later, has shown no run.
func (a *account) payRuns(at int64, loc *time.Location) models.Runs {
	var paid []paidInvoice
	for i := range a.invoices {
		if v := &a.invoices[i]; v.paid != 0 && v.paid <= at && v.issued != 0 {
			paid = append(paid, paidInvoice{v.due, ledger.DayOf(time.Unix(v.paid, 0), loc)})
		}
	}
	slices.SortFunc(paid, func(x, y paidInvoice) int { return cmp.Or(cmp.Compare(x.day, y.day), cmp.Compare(x.due, y.due)) })
	paid = paid[max(0, len(paid)-maxPaid):]
	today := ledger.DayOf(time.Unix(at, 0), loc)
	weight := func(x paidInvoice) float64 { return math.Exp2(-float64(today-x.day) / habitHalfLife) }
	var late [latestPaid - earliestPaid + 1]float64 // density of days past due
	add := func(x paidInvoice, weight float64) {
		for k, p := range nearby {
			if t := int(x.day-x.due) - earliestPaid + k - len(nearby)/2; t >= 0 && t < len(late) {
				late[t] += weight * p
			}
		}
	}
	for t := range late { // flat, worth one payment
		late[t] = 1. / float64(len(late))
	}
	for _, x := range paid {
		add(x, weight(x))
	}
	var score models.Runs
	for len(paid) > 0 {
		n := 1
		for n < len(paid) && paid[n].day == paid[0].day {
			n++
		}
		day, w := paid[0].day, weight(paid[0])
		for _, x := range paid[:n] {
			add(x, -w)
		}
		var usual models.Runs // P(on such a day | no run), the mean over the day's invoices
		for _, x := range paid[:n] {
			var on models.Runs
			sum := 0.0
			for t, p := range late {
				due := x.due + ledger.Day(t+earliestPaid)
				wd := weekdayOf(due)
				p *= models.WeekdayShare[wd]
				sum += p
				on[1+wd] += p
				if due.MonthEnd() > 0 {
					on[models.RunEnd] += p
				}
			}
			for k := range on {
				usual[k] += on[k] / sum / float64(n)
			}
		}
		for k := 1; k < len(score); k++ {
			q := min(max(usual[k], 0.02), 0.98)
			if k == models.RunEnd && day.MonthEnd() > 0 || k == 1+weekdayOf(day) {
				score[k] += w * math.Log(models.RunKept/q)
			} else {
				score[k] += w * math.Log((1-models.RunKept)/(1-q))
			}
		}
		for _, x := range paid[:n] {
			add(x, w)
		}
		paid = paid[n:]
	}
	return models.RunsGiven(&score)
}

// weekdayOf returns the day of the week, Monday 0.
func weekdayOf(d ledger.Day) int { return (int(d.Weekday()) + 6) % 7 }

// onRun tells whether a day is that of run k of models.Runs.
func onRun(k int, day ledger.Day) bool {
	if k == models.RunEnd {
		return (day + 1).UTC().Day() == 1
	}
	return weekdayOf(day) == k-1
}

// awaitRun keeps contacts with a debtor who pays on fixed days to the working days
// before the next one: sooner, they tire, and bring nothing sooner. Who was asked
// for most of what is owed, and let a run go by, is asked on any day.
func (s *scratch) awaitRun(q *question) {
	f, runs := &s.f, s.habit.payRuns
	k := 0
	for j := 1; runs != nil && j < len(runs); j++ {
		if runs[j] >= certain {
			k = j
		}
	}
	if k == 0 || len(f.claims) == 0 {
		return
	}
	last := f.today - 1
	for !onRun(k, last) {
		last--
	}
	var missed, owed int64
	first := ledger.Day(math.MaxInt32)
	for i := range f.claims {
		c := &f.claims[i]
		owed += c.cents
		if f.askedBetween(c.due-preDueDays, last) {
			missed += c.cents
		}
		first = min(first, c.due)
	}
	if 2*missed > owed {
		return
	}
	next := max(f.today+1, first)
	for !onRun(k, next) {
		next++
	}
	from := next
	for working := 0; working < beforeRun && from > f.today; {
		from--
		if weekdayOf(from) < 5 && !q.holiday(f, from) {
			working++
		}
	}
	if from <= f.today {
		return
	}
	for c := range s.earliest {
		if at := from.In(f.loc).Unix(); at > s.earliest[c] {
			s.earliest[c], s.capped[c] = at, payRunWord
		}
	}
}

// askedBetween tells whether a contact of late was sent on one of these local days.
func (f *facts) askedBetween(from, to ledger.Day) bool {
	return slices.ContainsFunc(f.recent, func(at int64) bool {
		day := ledger.DayOf(time.Unix(at, 0), f.loc)
		return day >= from && day <= to
	})
}
