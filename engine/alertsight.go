package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/models/anomaly"
)

const (
	daySeconds = 86400
	// ripeDays is how long a message may lie before it counts as not looked at.
	ripeDays = 3
	// recentDays is how far back signs of a cause are looked for.
	recentDays = 90
	// chartPoints is how many points the chart of an alert has at most.
	chartPoints = 30
)

// sight is what the detectors see of one debtor as of a moment. It is scratch
// space: look overwrites it and keeps its memory.
type sight struct {
	a       *account
	at      int64
	loc     *time.Location
	today   ledger.Day
	profile ledger.Debtor
	known   bool  // a profile was known by then
	next    int64 // when something known already happens next, unix seconds

	settled []settled // invoices paid in full, by payment
	unpaid  []claim   // invoices to be waited for, by due date
	paid    []anomaly.Point
	open    []anomaly.Invoice
	euro    float64 // open, due or not
	usual   float64 // euro of a usual invoice
}

type settled struct {
	id   string
	due  ledger.Day
	paid int64
	late int32 // days
}

// look sees debtor a as of at, by nothing that happened later.
func (s *sight) look(a *account, at int64, zone func(string) *time.Location, fallback *time.Location) {
	*s = sight{a: a, at: at, loc: fallback, next: math.MaxInt64, settled: s.settled[:0], unpaid: s.unpaid[:0], paid: s.paid[:0], open: s.open[:0]}
	for i := range a.profile {
		p := &a.profile[i]
		if !s.past(p.ObservedAt.Unix()) {
			break
		}
		s.profile, s.known = *p, true
	}
	if loc := zone(s.profile.Timezone); s.profile.Timezone != "" && loc != nil {
		s.loc = loc
	} else if name := zoneOfCountry[s.profile.Country]; name != "" {
		if loc := zone(name); loc != nil {
			s.loc = loc
		}
	}
	s.today = ledger.DayOf(time.Unix(at, 0), s.loc)
	waiting := false // for a dispute, a plan, a promise, a court
	for i := range a.cases {
		c := &a.cases[i]
		s.past(unixOf(c.OpenedAt))
		s.past(unixOf(c.ClosedAt))
		if c.ExpiresOn != 0 && !c.OpenedAt.IsZero() && c.OpenedAt.Unix() <= at {
			s.past((c.ExpiresOn + 1).In(s.loc).Unix())
		}
		waiting = waiting || c.Invoice == "" && s.runs(c) && c.Kind != "objection"
	}
	var sum float64
	var n int
	for i := range a.invoices {
		v := &a.invoices[i]
		if v.issued == 0 || !s.past(v.issued) || v.cancelled != 0 && s.past(v.cancelled) {
			continue
		}
		explained, blocked := s.explained(v.id)
		sum, n = sum+float64(v.cents)/100, n+1
		if v.paid != 0 && s.past(v.paid) {
			if !explained {
				s.settled = append(s.settled, settled{v.id, v.due, v.paid, int32(ledger.DayOf(time.Unix(v.paid, 0), s.loc) - v.due)})
			}
			continue
		}
		for _, p := range v.pays {
			s.past(p.at)
		}
		cents := v.openAt(at)
		s.euro += float64(cents) / 100
		if !waiting && !blocked && !explained {
			s.unpaid = append(s.unpaid, claim{v.id, cents, v.due, ledger.DayOf(time.Unix(v.issued, 0), s.loc)})
		}
	}
	if n > 0 {
		s.usual = sum / float64(n)
	}
	slices.SortFunc(s.settled, func(x, y settled) int {
		return cmp.Or(cmp.Compare(x.paid, y.paid), cmp.Compare(x.due, y.due), cmp.Compare(x.id, y.id))
	})
	slices.SortFunc(s.unpaid, func(x, y claim) int { return cmp.Or(cmp.Compare(x.due, y.due), cmp.Compare(x.id, y.id)) })
	for _, v := range s.settled {
		s.paid = append(s.paid, anomaly.Point{Due: int32(v.due), Late: float32(v.late)})
	}
	for _, v := range s.unpaid {
		s.open = append(s.open, anomaly.Invoice{ID: v.id, Due: int32(v.due)})
	}
	for i := range a.contacts {
		if t := a.contacts[i].at; s.past(t) {
			s.past(t + ripeDays*daySeconds)
		}
	}
	for i := range a.signs {
		if !s.past(a.signs[i].at) {
			break
		}
	}
	for i := range a.payments {
		if !s.past(a.payments[i].at) {
			break
		}
	}
	for i := range a.ratings {
		if !s.past(a.ratings[i].ObservedAt.Unix()) {
			break
		}
	}
}

// past tells whether a moment is not after the present, and else notes it as
// one at which to look again.
func (s *sight) past(t int64) bool {
	if t <= s.at {
		return true
	}
	s.next = min(s.next, t)
	return false
}

// runs tells whether a case is open.
func (s *sight) runs(c *ledger.Case) bool {
	return !c.OpenedAt.IsZero() && c.OpenedAt.Unix() <= s.at && (c.ClosedAt.IsZero() || c.ClosedAt.Unix() > s.at) &&
		(c.ExpiresOn == 0 || c.ExpiresOn >= s.today)
}

// explained tells whether a dispute or plan explains when an invoice is paid,
// and blocked whether a case of its own has it waiting now.
func (s *sight) explained(invoice string) (explained, blocked bool) {
	for i := range s.a.cases {
		c := &s.a.cases[i]
		if c.Invoice != invoice || c.OpenedAt.IsZero() || c.OpenedAt.Unix() > s.at {
			continue
		}
		explained = explained || c.Kind == "dispute" || c.Kind == "payment_plan"
		blocked = blocked || s.runs(c) && c.Kind != "objection"
	}
	return explained, blocked
}

func (s *sight) day(t int64) ledger.Day { return ledger.DayOf(time.Unix(t, 0), s.loc) }

// risk is the euro at risk: what is open, or a usual invoice where nothing is
// and more will come.
func (s *sight) risk() float64 {
	if s.euro > 0 {
		return math.Round(s.euro*100) / 100
	}
	return math.Round(s.usual*100) / 100
}

// The things whose tests are counted.
const (
	testSilent    = 0
	testAddress   = testSilent + int(ledger.Channels)
	testMethod    = testAddress + int(ledger.Channels)
	testParts     = testMethod + 1
	testDispute   = testParts + 1
	testRating    = testDispute + 1
	testPromise   = testRating + 1
	testKinds     = testPromise + 1
	leastLooked   = 3 // messages looked at before silence says anything
	leastMethod   = 4 // payments by a method before it is the usual one
	partsWindow   = 6 // invoices among which parts are counted
	disputeWindow = 90
)

// tested is one test made of a debtor, or a fact that needs none.
type tested struct {
	kind  anomaly.Kind
	p     float64
	fact  bool
	found found
}

// tests makes the tests that what is new calls for.
func (w *watch) tests(i int, s *sight, n *news) []tested {
	var list []tested
	m := &w.Debtors[i]
	// test adds a test where there is more of a thing than was tested.
	test := func(thing, count int, make func() (tested, bool)) {
		if count <= m.Tests[thing] {
			m.Tests[thing] = count
			return
		}
		m.Tests[thing] = count
		t, ok := make()
		if !ok {
			return
		}
		if a := n.last(m.ID, t.kind.String(), t.found.Channel); a != nil && t.found.Key != "" {
			if _, f, _ := n.state(a); f != nil && f.Key == t.found.Key {
				return // told already
			}
		}
		list = append(list, t)
	}
	s.silence(test)
	s.bounces(test, n.need(w, anomaly.BadAddress))
	s.methods(test)
	s.parts(test)
	s.disputes(test, w.Disputed)
	s.rated(test, w.Scales)
	s.promises(test, n.need(w, anomaly.BrokenPromise))
	return list
}

// need is how many facts of a kind it takes for an alert: more where most of
// them were dismissed.
func (n *news) need(w *watch, k anomaly.Kind) int {
	switch share := w.detector.Tallies[k].False(anomaly.DefaultConfig().FDR); {
	case share > 0.75:
		return 3
	case share > 0.5:
		return 2
	}
	return 1
}

type tester func(thing, count int, make func() (tested, bool))

// silence tests whether the last messages on a channel were not looked at by
// chance.
func (s *sight) silence(test tester) {
	a := s.a
	var looked [][]bool
	var days [][]ledger.Day
	looked, days = make([][]bool, ledger.Channels), make([][]ledger.Day, ledger.Channels)
	seen := make([]bool, len(a.contacts))
	for i := range a.signs {
		g := &a.signs[i]
		if g.at > s.at {
			break
		}
		if g.ref >= 0 && a.attention(g, g.ref, s.at) {
			seen[g.ref] = true
		}
	}
	for i := range a.contacts {
		c := &a.contacts[i]
		if c.at+ripeDays*daySeconds > s.at || c.channel == ledger.Letter {
			continue
		}
		looked[c.channel] = append(looked[c.channel], seen[i])
		days[c.channel] = append(days[c.channel], s.day(c.at))
	}
	for c := range ledger.Channel(ledger.Channels) {
		seq := looked[c]
		test(testSilent+int(c), len(seq), func() (tested, bool) {
			run := 0
			for run < len(seq) && !seq[len(seq)-1-run] {
				run++
			}
			var yes, no float64
			for _, l := range seq[:len(seq)-run] {
				if l {
					yes++
				} else {
					no++
				}
			}
			if yes < leastLooked {
				return tested{}, false
			}
			t := tested{kind: anomaly.Silent, p: 1}
			if run == 0 {
				return t, true
			}
			since := days[c][len(seq)-run]
			t.p = anomaly.Share{Yes: 1, No: 1}.Plus(yes, no).Run(run)
			t.found = found{
				Key: fmt.Sprintf("silent/%v/%v", c, since), Since: since, Unit: "messages", Channel: c.String(),
				Expected: Range{0, no / yes, math.Ceil(3 * (no + 1) / yes)}, Seen: float64(run),
			}
			for k := max(0, len(seq)-chartPoints); k < len(seq); k++ {
				x := AlertPoint{Day: days[c][k], After: k >= len(seq)-run}
				if seq[k] {
					x.Value = 1
				}
				t.found.Evidence = append(t.found.Evidence, x)
			}
			return t, true
		})
	}
}

// bounces looks for a channel on which nothing arrives any more.
func (s *sight) bounces(test tester, need int) {
	a := s.a
	type state struct {
		all, run int
		ever     bool
		first    int64
		points   []AlertPoint
	}
	var by [ledger.Channels]state
	for i := range a.signs {
		g := &a.signs[i]
		if g.at > s.at {
			break
		}
		c := int(g.channel)
		if g.ref >= 0 {
			c = int(a.contacts[g.ref].channel)
		}
		if c < 0 {
			continue
		}
		x := &by[c]
		switch {
		case g.kind == signBounced:
			if x.run == 0 {
				x.first = g.at
			}
			x.all, x.run = x.all+1, x.run+1
			x.points = append(x.points, AlertPoint{Day: s.day(g.at), Value: 1, After: true})
		case g.kind == signDelivered || a.attention(g, g.ref, s.at):
			x.ever, x.run = true, 0
			x.points = append(x.points[:0], AlertPoint{Day: s.day(g.at)})
		}
	}
	for c := range ledger.Channel(ledger.Channels) {
		x := by[c]
		test(testAddress+int(c), x.all, func() (tested, bool) {
			enough := need
			if x.ever && c != ledger.Letter {
				enough++ // a full mailbox is no wrong address
			}
			if x.run < enough {
				return tested{}, false
			}
			since := s.day(x.first)
			return tested{kind: anomaly.BadAddress, fact: true, found: found{
				Key: fmt.Sprintf("bounce/%v/%v", c, since), Since: since, Unit: "messages", Channel: c.String(),
				Expected: Range{0, 0, 0}, Seen: float64(x.run), Confidence: 1 - math.Pow(0.3, float64(x.run)), Evidence: tail(x.points),
			}}, true
		})
	}
}

// methods tests whether the usual way of paying was passed over by chance.
func (s *sight) methods(test tester) {
	type paid struct {
		day    ledger.Day
		method string
	}
	var seq []paid
	var count map[string]int
	for i := range s.a.payments {
		p := &s.a.payments[i]
		if p.at > s.at {
			break
		}
		x := paid{s.day(p.at), p.method}
		if p.method != "" && (len(seq) == 0 || seq[len(seq)-1] != x) {
			seq = append(seq, x)
		}
	}
	test(testMethod, len(seq), func() (tested, bool) {
		count = map[string]int{}
		usual := ""
		for _, x := range seq {
			count[x.method]++
			if n := count[x.method]; n > count[usual] || n == count[usual] && x.method < usual {
				usual = x.method
			}
		}
		run := 0
		for run < len(seq) && seq[len(seq)-1-run].method != usual {
			run++
		}
		yes := float64(count[usual])
		no := float64(len(seq)-run) - yes
		if yes < leastMethod {
			return tested{}, false
		}
		t := tested{kind: anomaly.MethodChange, p: 1}
		if run == 0 {
			return t, true
		}
		since := seq[len(seq)-run].day
		t.p = anomaly.Share{Yes: 1, No: 1}.Plus(yes, no).Run(run)
		t.found = found{
			Key: fmt.Sprintf("method/%s/%v", usual, since), Since: since, Unit: "payments", Method: usual,
			Expected: Range{0, no / yes, math.Ceil(3 * (no + 1) / yes)}, Seen: float64(run),
		}
		for k := max(0, len(seq)-chartPoints); k < len(seq); k++ {
			x := AlertPoint{Day: seq[k].day, After: k >= len(seq)-run}
			if seq[k].method == usual {
				x.Value = 1
			}
			t.found.Evidence = append(t.found.Evidence, x)
		}
		return t, true
	})
}

// parts tests whether as many invoices are paid in parts by chance.
func (s *sight) parts(test tester) {
	type begun struct {
		first int64
		id    string
		due   ledger.Day
		part  bool
	}
	var seq []begun
	all := 0
	for i := range s.a.invoices {
		v := &s.a.invoices[i]
		if v.issued == 0 || v.issued > s.at || v.cancelled != 0 && v.cancelled <= s.at || len(v.pays) == 0 || v.pays[0].at > s.at {
			continue
		}
		x := begun{first: v.pays[0].at, id: v.id, due: v.due}
		whole := v.paid != 0 && v.paid <= s.at && s.day(v.paid) == s.day(x.first)
		x.part = !whole && (v.paid != 0 && v.paid <= s.at || s.past(x.first+ripeDays*daySeconds))
		if x.part {
			all++
		}
		seq = append(seq, x)
	}
	test(testParts, all, func() (tested, bool) {
		slices.SortFunc(seq, func(x, y begun) int { return cmp.Or(cmp.Compare(x.first, y.first), cmp.Compare(x.id, y.id)) })
		from := max(0, len(seq)-partsWindow)
		for from < len(seq) && !seq[from].part {
			from++
		}
		if from == len(seq) {
			return tested{}, false // none of late was in parts
		}
		var before, k float64
		for i, x := range seq {
			switch {
			case x.part && i < from:
				before++
			case x.part:
				k++
			}
		}
		window := len(seq) - from
		share := anomaly.Share{Yes: 0.3, No: 2.7}.Plus(before, float64(from)-before)
		// The window was chosen to begin with a part.
		t := tested{kind: anomaly.PartPayments, p: min(1, partsWindow/2*share.AtLeast(int(k), window))}
		usual := float64(window) * share.Yes / (share.Yes + share.No)
		t.found = found{
			Key: "parts/" + seq[from].id, Since: seq[from].due, Unit: "invoices", Invoice: seq[from].id,
			Expected: Range{0, usual, math.Ceil(usual + 1)}, Seen: k,
		}
		for i := max(0, len(seq)-chartPoints); i < len(seq); i++ {
			x := AlertPoint{Day: s.day(seq[i].first), Invoice: seq[i].id, After: i >= from}
			if seq[i].part {
				x.Value = 1
			}
			t.found.Evidence = append(t.found.Evidence, x)
		}
		return t, true
	})
}

// disputes tests whether as many of the last months' invoices are disputed by
// chance, in a book of which share is.
func (s *sight) disputes(test tester, share float64) {
	const weight = 4 // invoices that the book's share is worth
	var opened []int64
	for i := range s.a.cases {
		if c := &s.a.cases[i]; c.Kind == "dispute" && !c.OpenedAt.IsZero() && c.OpenedAt.Unix() <= s.at {
			opened = append(opened, c.OpenedAt.Unix())
		}
	}
	test(testDispute, len(opened), func() (tested, bool) {
		slices.Sort(opened)
		start := s.at - disputeWindow*daySeconds
		k, _ := slices.BinarySearch(opened, start)
		lately := opened[k:]
		if len(lately) == 0 {
			return tested{}, false
		}
		before, n := 0, 0
		for i := range s.a.invoices {
			if t := s.a.invoices[i].issued; t != 0 && t < start {
				before++
			} else if t != 0 && t <= s.at {
				n++
			}
		}
		n = max(n, len(lately))
		own := anomaly.Share{Yes: weight * share, No: weight * (1 - share)}.Plus(float64(k), float64(max(0, before-k)))
		// One dispute has just been opened, or nothing would be asked: the
		// others are by chance or not.
		t := tested{kind: anomaly.DisputeSpike, p: own.AtLeast(len(lately)-1, n-1)}
		usual := own.Yes / (own.Yes + own.No) * float64(n)
		since := s.day(lately[0])
		t.found = found{
			Key: fmt.Sprintf("disputes/%v", since), Since: since, Unit: "disputes", Expected: Range{0, usual, math.Ceil(usual + 1)}, Seen: float64(len(lately)),
		}
		for i, at := range opened {
			t.found.Evidence = append(t.found.Evidence, AlertPoint{Day: s.day(at), Value: float64(i + 1), After: i >= k})
		}
		t.found.Evidence = tail(t.found.Evidence)
		return t, true
	})
}

// rated tests whether a rating fell more than ratings do.
func (s *sight) rated(test tester, scales map[string]float64) {
	var list []*ledger.Rating
	for i := range s.a.ratings {
		if r := &s.a.ratings[i]; r.ObservedAt.Unix() <= s.at {
			list = append(list, r)
		}
	}
	test(testRating, len(list), func() (tested, bool) {
		last := list[len(list)-1]
		var before *ledger.Rating
		for _, r := range list[:len(list)-1] {
			if r.Provider == last.Provider {
				before = r
			}
		}
		if before == nil {
			return tested{}, false
		}
		t := tested{kind: anomaly.RatingDrop, p: 1}
		if last.Score >= before.Score {
			return t, true
		}
		scale := scales[last.Provider]
		if scale == 0 { // too few in the book: ratings move by a few percent
			scale = max(0.07*math.Abs(before.Score), 1e-6)
		}
		const df = 8
		t.p = anomaly.Drop(before.Score-last.Score, scale, df)
		since := s.day(last.ObservedAt.Unix())
		low, high := before.Score-2*scale, before.Score+2*scale
		t.found = found{
			Key: fmt.Sprintf("rating/%s/%v", last.Provider, since), Since: since, Unit: "points",
			Expected: Range{low, before.Score, high}, Seen: last.Score,
		}
		for _, r := range list {
			if r.Provider == last.Provider {
				t.found.Evidence = append(t.found.Evidence, AlertPoint{
					Day: s.day(r.ObservedAt.Unix()), Value: r.Score, Low: &low, High: &high, After: r == last,
				})
			}
		}
		t.found.Evidence = tail(t.found.Evidence)
		return t, true
	})
}

// promises looks for promises to pay that were not kept.
func (s *sight) promises(test tester, need int) {
	var list []*ledger.Case
	kept := 0
	for i := range s.a.cases {
		c := &s.a.cases[i]
		if c.Kind != "promise" || c.OpenedAt.IsZero() || c.OpenedAt.Unix() > s.at {
			continue
		}
		switch {
		case s.broken(c):
			list = append(list, c)
		case !s.runs(c):
			kept++
		}
	}
	test(testPromise, len(list), func() (tested, bool) {
		if len(list) < need {
			return tested{}, false
		}
		on := func(c *ledger.Case) ledger.Day {
			if c.ExpiresOn != 0 {
				return c.ExpiresOn
			}
			return s.day(c.ClosedAt.Unix())
		}
		slices.SortFunc(list, func(x, y *ledger.Case) int { return cmp.Or(cmp.Compare(on(x), on(y)), cmp.Compare(x.ID, y.ID)) })
		last := list[len(list)-1]
		f := found{
			Key: "promise/" + last.ID, Since: on(last), Unit: "promises", Invoice: last.Invoice,
			Expected: Range{0, 0, 0}, Seen: float64(len(list)),
			Confidence: (float64(len(list)) + 2) / (float64(len(list)+kept) + 2.5),
		}
		for _, c := range list {
			f.Evidence = append(f.Evidence, AlertPoint{Day: on(c), Value: 1, Invoice: c.Invoice, After: c == last})
		}
		f.Evidence = tail(f.Evidence)
		return tested{kind: anomaly.BrokenPromise, fact: true, found: f}, true
	})
}

// broken tells whether a promise was not kept: it was closed as broken, or its
// day went by and what it was about is unpaid.
func (s *sight) broken(c *ledger.Case) bool {
	if !c.ClosedAt.IsZero() && c.ClosedAt.Unix() <= s.at {
		return c.Outcome == "broken"
	}
	if c.ExpiresOn == 0 || c.ExpiresOn >= s.today {
		return false
	}
	end := (c.ExpiresOn + 1).In(s.loc).Unix() - 1
	for i := range s.a.invoices {
		v := &s.a.invoices[i]
		if c.Invoice != "" && v.id != c.Invoice || v.issued == 0 || v.issued > c.OpenedAt.Unix() || v.due > c.ExpiresOn ||
			v.cancelled != 0 && v.cancelled <= s.at {
			continue
		}
		if v.openAt(end) > 0 {
			return true
		}
	}
	return false
}

// tail keeps the last points of a chart.
func tail(points []AlertPoint) []AlertPoint { return points[max(0, len(points)-chartPoints):] }
