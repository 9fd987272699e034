package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"rappel/datasets/ledger"
	"rappel/models/anomaly"
)

// Probable causes.
const (
	causeCareless = "careless"
	causeMoney    = "out_of_money"
	causeDispute  = "dispute"
	causeAddress  = "address"
	causeUnknown  = "unknown"
)

// Suggested actions.
const (
	actionCall    = "call"
	actionPlan    = "offer_plan"
	actionSettle  = "settle_dispute"
	actionAddress = "check_address"
	actionEarlier = "remind_earlier"
	actionWatch   = "watch"
)

// finding turns what the detectors found of one debtor into an alert.
func (n *news) finding(w *watch, x *anomaly.Finding, s *sight, zone func(string) *time.Location) {
	id := w.Debtors[x.Debtor].ID
	if x.RollUp != 0 { // the alert of the group tells it
		if a := n.group(w.RollUps[x.RollUp]); a != nil {
			n.join(a, id)
		}
		return
	}
	if x.Kind == anomaly.Early {
		return // good news: the detector has taken the new level for the habit
	}
	var f found
	s.look(n.book.accounts[id], n.at.Unix(), zone, n.book.location.Load())
	if x.Kind == anomaly.Late || x.Kind == anomaly.Overdue {
		f = s.lateness(x)
	} else {
		f = n.evidence[[2]int{x.Debtor, int(x.Kind)}]
	}
	f.Confidence = max(0, min(1, x.Confidence))
	if x.Kind == anomaly.Overdue {
		if a, was := n.standing(id, anomaly.Late); a != nil && was.Since <= f.Since { // of a change told already
			f.Key, f.Since, f.Expected, f.Invoice = was.Key, was.Since, was.Expected, cmp.Or(was.Invoice, f.Invoice)
			f.Confidence = max(f.Confidence, was.Confidence)
			f.Evidence, f.Seen = s.points(&f)
			n.fill(anomaly.Late, &f, s)
			n.step(a, stepUpdated, &f)
			return
		}
	}
	a := n.open(id, x.Kind, f, s)
	if x.Kind == anomaly.Late {
		if own, was := n.standing(id, anomaly.Overdue); own != nil && was.Since >= f.Since {
			n.takeUp(own, was, a)
		}
	}
}

// standing returns the open alert of a debtor and kind that is not yet what one is
// used to, and what it tells; nil: there is none.
func (n *news) standing(debtor string, k anomaly.Kind) (*filed, *found) {
	a := n.last(debtor, k.String(), "")
	if a == nil {
		return nil, nil
	}
	status, f, raised := n.state(a)
	if status != AlertOpen || f == nil || !a.current(n.book.accounts[debtor], f, raised, n.at) {
		return nil, nil
	}
	return a, f
}

// takeUp has an alert told by another from now on.
func (n *news) takeUp(own *filed, was *found, by *filed) {
	told := *was
	told.RolledUpIn = by.id
	n.step(own, AlertRolledUp, &told)
}

// fact turns a fact into an alert.
func (n *news) fact(w *watch, debtor int, k anomaly.Kind, f found, s *sight, zone func(string) *time.Location) {
	id := w.Debtors[debtor].ID
	s.look(n.book.accounts[id], n.at.Unix(), zone, n.book.location.Load())
	n.open(id, k, f, s)
}

// open raises an alert of one debtor.
func (n *news) open(debtor string, k anomaly.Kind, f found, s *sight) *filed {
	n.fill(k, &f, s)
	return n.raise(debtor, k.String(), f)
}

// fill adds cause, action and euro to what was found of one debtor.
func (n *news) fill(k anomaly.Kind, f *found, s *sight) {
	f.Scope = ScopeDebtor
	f.Euro = s.risk()
	f.Cause, f.CauseShare = s.cause(k, f)
	f.Action = actionFor(k, f, s)
}

// lateness describes payments that come later than they used to, or do not
// come.
func (s *sight) lateness(x *anomaly.Finding) found {
	f := found{
		Since: ledger.Day(x.Since), Unit: "days", Invoice: x.Invoice, Seen: x.Seen,
		Expected: Range{x.Expected.Low, x.Expected.Mid, x.Expected.High},
		Key:      fmt.Sprintf("%v/%v/%s", x.Kind, ledger.Day(x.Since), x.Invoice),
	}
	f.Evidence, _ = s.points(&f)
	return f
}

// points returns the chart of days late around the band of f, and the mean days
// late since f began.
func (s *sight) points(f *found) (points []AlertPoint, seen float64) {
	low, high := f.Expected.Low, f.Expected.High
	for _, v := range s.settled {
		points = append(points, AlertPoint{
			Day: v.due, Value: float64(v.late), Low: &low, High: &high, Invoice: v.id, After: v.due >= f.Since,
		})
	}
	for _, v := range s.unpaid {
		if v.due < s.today {
			points = append(points, AlertPoint{
				Day: v.due, Value: float64(s.today - v.due), Low: &low, High: &high, Invoice: v.id, Open: true, After: v.due >= f.Since,
			})
		}
	}
	slices.SortStableFunc(points, func(a, b AlertPoint) int { return cmp.Compare(a.Day, b.Day) })
	count := 0.0
	for i := range points {
		if points[i].After {
			seen, count = seen+points[i].Value, count+1
		}
	}
	return tail(points), seen / max(1, count)
}

// unpaid returns how many invoices fell due since the change of a chart of days
// late, if none of them has been paid; 0: one has.
func unpaid(points []AlertPoint) (n int) {
	for i := range points {
		switch p := &points[i]; {
		case p.After && !p.Open:
			return 0
		case p.After:
			n++
		}
	}
	return n
}

// cause weighs what may be behind an alert: signs of the last months, each
// with a weight that says how much more often it comes with this cause.
func (s *sight) cause(k anomaly.Kind, f *found) (code string, share float64) {
	const (
		careless = iota
		money
		dispute
		address
		unknown
	)
	weight := [...]float64{unknown: 0.5}
	since := s.at - recentDays*daySeconds
	a := s.a
	switch k {
	case anomaly.Late, anomaly.Overdue:
		weight[careless] = 1
		if shift := f.Seen - f.Expected.High; shift > 10 {
			weight[money]++
		} else if shift < 5 {
			weight[careless] += 0.5
		}
		if unpaid(f.Evidence) > 1 { // who forgets, forgets one
			weight[careless] = 0.5
			weight[money]++
			weight[dispute] += 0.5
		}
	case anomaly.BadAddress:
		weight[address] = 6
	case anomaly.Silent:
		weight[address] = 1.5
		weight[careless] = 0.5
	case anomaly.DisputeSpike:
		weight[dispute] = 5
	case anomaly.PartPayments, anomaly.BrokenPromise:
		weight[money] = 2.5
	case anomaly.RatingDrop:
		weight[money] = 3
	case anomaly.MethodChange:
		weight[careless] = 0.5
		weight[money] = 0.5
	}
	looked, replied := 0, 0
	for i := range a.signs {
		g := &a.signs[i]
		if g.at > s.at {
			break
		}
		if g.at < since {
			continue
		}
		switch {
		case g.kind == signBounced:
			weight[address]++
		case g.kind == signComplained:
			weight[dispute] += 2
		case a.attention(g, g.ref, s.at):
			looked++
			if g.kind == signReplied {
				replied++
			}
		}
	}
	late := s.euro > 0 && len(s.unpaid) > 0 && s.unpaid[0].due < s.today
	if late && looked >= 2 { // they know and do not pay
		weight[money]++
	}
	if late && replied > 0 {
		weight[dispute]++
	}
	for i := range a.cases {
		c := &a.cases[i]
		if c.OpenedAt.IsZero() || c.OpenedAt.Unix() > s.at || c.OpenedAt.Unix() < since {
			continue
		}
		switch c.Kind {
		case "dispute":
			weight[dispute] += 2
		case "payment_plan", "insolvency", "debt_mediation":
			weight[money] += 2
		case "promise":
			if s.broken(c) {
				weight[money] += 2
			}
		}
	}
	for i := range a.invoices {
		v := &a.invoices[i]
		if n := len(v.pays); n > 1 && v.pays[1].at <= s.at && v.pays[1].at >= since && s.day(v.pays[1].at) != s.day(v.pays[0].at) {
			weight[money]++
		}
	}
	var before float64
	known := false
	for i := range a.ratings {
		r := &a.ratings[i]
		if r.ObservedAt.Unix() > s.at {
			break
		}
		if known && r.ObservedAt.Unix() >= since && r.Score < 0.9*before {
			weight[money]++
		}
		before, known = r.Score, true
	}
	best, sum := unknown, 0.0
	for i, w := range weight {
		sum += w
		if w > weight[best] {
			best = i
		}
	}
	return [...]string{causeCareless, causeMoney, causeDispute, causeAddress, causeUnknown}[best], weight[best] / sum
}

// actionFor suggests what to do about an alert.
func actionFor(k anomaly.Kind, f *found, s *sight) string {
	switch f.Cause {
	case causeAddress:
		return actionAddress
	case causeDispute:
		return actionSettle
	case causeMoney:
		if s.euro > 2*s.usual { // more than usual has piled up
			return actionPlan
		}
		return actionCall
	}
	switch k {
	case anomaly.Late:
		if unpaid(f.Evidence) > 0 {
			return actionCall
		}
		return actionEarlier
	case anomaly.Overdue, anomaly.BrokenPromise:
		return actionCall
	case anomaly.Silent:
		return actionAddress
	}
	return actionWatch
}

// group returns the alert of an id among those of the book and the new ones.
func (n *news) group(id string) *filed {
	for a := range n.all() {
		if a.id == id {
			return a
		}
	}
	return nil
}

// rollUp opens the alert of a group that moved at once. It takes the place of
// its members' own alerts of that change.
func (n *news) rollUp(w *watch, x *anomaly.RollUp) {
	f := found{
		Key: fmt.Sprintf("group/%d", x.ID), Scope: ScopeBook, GroupSize: x.Size, Since: ledger.Day(x.Since), Unit: "days",
		Confidence: 1 - min(1, x.P),
	}
	if x.Group != anomaly.WholeBook {
		f.Scope, f.Group, _ = strings.Cut(w.Groups[x.Group], ":")
	}
	var seen, low, mid, high float64
	count := 0.0
	weeks := map[int32][2]float64{} // sum and number of days late by week of the due date
	for _, i := range x.Members {
		a := n.book.accounts[w.Debtors[i].ID]
		s := &w.now
		s.look(a, n.at.Unix(), func(string) *time.Location { return nil }, n.book.location.Load())
		f.Euro += s.euro
		band := w.detector.Was(i, x.Since, 0.9)
		low, mid, high = low+band.Low, mid+band.Mid, high+band.High
		add := func(due ledger.Day, late float64) {
			if due < f.Since-70 {
				return
			}
			k := int32(due) / 7
			weeks[k] = [2]float64{weeks[k][0] + late, weeks[k][1] + 1}
			if due >= f.Since {
				seen, count = seen+late, count+1
			}
		}
		for _, v := range s.settled {
			add(v.due, float64(v.late))
		}
		for _, v := range s.unpaid {
			if v.due < s.today {
				add(v.due, float64(s.today-v.due))
			}
		}
	}
	if size := float64(len(x.Members)); size > 0 {
		f.Expected = Range{low / size, mid / size, high / size}
	}
	f.Seen = seen / max(1, count)
	f.Euro = math.Round(f.Euro*100) / 100
	f.Cause, f.CauseShare = causeUnknown, 0.5
	f.Action = actionCall
	if f.Scope != ScopeBook && f.Scope != ScopeRegion { // a trade in trouble is short of money for a while
		f.Cause, f.CauseShare, f.Action = causeMoney, 0.6, actionPlan
	}
	for k, v := range weeks {
		f.Evidence = append(f.Evidence, AlertPoint{
			Day: ledger.Day(k * 7), Value: v[0] / v[1], Low: &f.Expected.Low, High: &f.Expected.High, After: ledger.Day(k*7) >= f.Since,
		})
	}
	slices.SortFunc(f.Evidence, func(a, b AlertPoint) int { return cmp.Compare(a.Day, b.Day) })
	a := &filed{id: alertID(n.book.id, "", anomaly.Late.String(), n.at, &f), kind: anomaly.Late.String(), opened: n.at}
	n.fresh = append(n.fresh, a)
	n.step(a, stepOpened, &f)
	n.raised = append(n.raised, raised{a, n.at})
	w.RollUps[x.ID] = a.id
	for _, i := range x.Members {
		n.join(a, w.Debtors[i].ID)
	}
	for own := range n.all() {
		if own.debtor == "" || own.kind != anomaly.Late.String() && own.kind != anomaly.Overdue.String() || !n.isMember(a, own.debtor) {
			continue
		}
		status, old, at := n.state(own)
		if status != AlertOpen || old == nil || n.at.Sub(at) > rollBackDays*24*time.Hour || old.Since < f.Since-rollBackDays {
			continue
		}
		n.takeUp(own, old, a)
	}
}

func (n *news) isMember(a *filed, debtor string) bool {
	for _, m := range a.members {
		if m.Debtor == debtor {
			return true
		}
	}
	return false
}
