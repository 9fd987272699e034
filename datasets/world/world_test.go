package world

import (
	"context"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"rappel/datasets/ledger"
)

// monday is 2025-01-06.
const monday = ledger.Day(20094)

// tape plays a policy and keeps everything that was said.
type tape struct {
	Policy
	events []Event
}

func (p *tape) Observe(ctx context.Context, m Morning, events []Event) error {
	p.events = append(p.events, events...)
	return p.Policy.Observe(ctx, m, events)
}

// play runs a policy by name on the default world, changed as told.
func play(tb testing.TB, name string, debtors, days int, seed uint64, change func(*Spec)) (*World, []Event) {
	tb.Helper()
	spec := Default()
	if change != nil {
		change(spec)
	}
	w := New(spec, debtors, seed, monday)
	var p Policy
	var err error
	if name == "habit" {
		p = NewHabit(seed)
	} else if p, err = NewPolicy(tb.Context(), name, w, days); err != nil {
		tb.Fatal(err)
	}
	rec := &tape{Policy: p}
	if _, err := Play(tb.Context(), w, rec, days); err != nil {
		tb.Fatal(err)
	}
	return w, rec.events
}

func TestDeterminism(t *testing.T) {
	for _, name := range []string{"fixed", "random", "simple", "oracle", "habit"} {
		w1, a := play(t, name, 60, 60, 7, nil)
		w2, b := play(t, name, 60, 60, 7, nil)
		if !reflect.DeepEqual(a, b) || w1.Truth.Total() != w2.Truth.Total() {
			t.Errorf("%s: two runs of one seed differ", name)
		}
		_, c := play(t, name, 60, 60, 8, nil)
		if reflect.DeepEqual(a, c) {
			t.Errorf("%s: two seeds give the same run", name)
		}
	}
}

// TestCommonRandomNumbers: what one debtor is sent changes nothing for any
// other, and nothing for itself before it is sent.
func TestCommonRandomNumbers(t *testing.T) {
	const disturbed, from = "D00007", 20
	run := func(disturb bool) map[string][]Event {
		w := New(Default(), 80, 3, monday)
		by := make(map[string][]Event)
		keep := func(events []Event) {
			for _, e := range events {
				by[e.Debtor] = append(by[e.Debtor], e)
			}
		}
		keep(w.Opening())
		for day := range 60 {
			var actions []Action
			at := w.Start(day).Add(9 * time.Hour)
			for i := range 80 {
				id := "D" + pad(i+1, 5)
				if (day+i)%5 == 0 {
					actions = append(actions, Action{Debtor: id, Channel: ledger.Channel(i % 5), Tone: ledger.Neutral, SendAt: at})
				}
				if disturb && id == disturbed && day >= from {
					actions = append(actions, Action{Debtor: id, Channel: ledger.SMS, SendAt: at.Add(5 * time.Hour)})
				}
			}
			keep(w.StepDay(day, actions))
		}
		return by
	}
	calm, wild := run(false), run(true)
	early := func(events []Event) []Event {
		return slices.DeleteFunc(slices.Clone(events), func(e Event) bool {
			return e.Time.After((monday + from).UTC())
		})
	}
	for id, events := range calm {
		switch {
		case id != disturbed && !reflect.DeepEqual(events, wild[id]):
			t.Errorf("%s behaves otherwise because of %s", id, disturbed)
		case id == disturbed && reflect.DeepEqual(events, wild[id]):
			t.Errorf("%s is not disturbed", id)
		case id == disturbed && !reflect.DeepEqual(early(events), early(wild[id])):
			t.Errorf("%s behaves otherwise before anything differed", id)
		}
	}
}

// TestEventsAreOfTheContract: the API's own decoder takes every event.
func TestEventsAreOfTheContract(t *testing.T) {
	_, events := play(t, "random", 150, 120, 1, func(s *Spec) {
		s.Cases.InsolvencyPerYear, s.Fatigue.Complaint, s.Fatigue.OptOut = 0.2, 0.02, 0.02
	})
	ids := make(map[string]bool)
	types := make(map[string]bool)
	for len(events) > 0 {
		n := min(len(events), ledger.MaxEvents)
		body, err := json.Marshal(events[:n])
		if err != nil {
			t.Fatal(err)
		}
		good, _, rejected, err := ledger.ParseEvents(body, false)
		if err != nil || len(rejected) > 0 {
			t.Fatalf("ParseEvents() = %d good, %v, first refusals %v", len(good), err, rejected[:min(3, len(rejected))])
		}
		for i, e := range events[:n] {
			if ids[e.ID] {
				t.Fatalf("id %s is used twice", e.ID)
			}
			ids[e.ID], types[e.Type] = true, true
			if i > 0 && e.Time.Before(events[i-1].Time) {
				t.Fatalf("event %s comes after one of %v", e.ID, events[i-1].Time)
			}
		}
		events = events[n:]
	}
	for _, want := range []string{
		"debtor.upserted", "invoice.issued", "invoice.cancelled", "payment.received", "contact.sent", "contact.delivered", "contact.bounced",
		"contact.opened", "contact.clicked", "contact.replied", "contact.answered", "invoice.viewed", "debtor.opted_out", "debtor.complained",
		"case.opened", "case.closed", "rating.changed",
	} {
		if !types[want] {
			t.Errorf("no %s in four months of 150 debtors", want)
		}
	}
}

// TestMoneyAddsUp: what was billed is paid, cancelled or open, and no payment
// comes before its bill or on a bill that is settled.
func TestMoneyAddsUp(t *testing.T) {
	w, events := play(t, "simple", 200, 150, 5, nil)
	open := make(map[string]Money)
	for _, e := range events {
		switch e.Type {
		case "invoice.issued":
			open[e.Data.InvoiceID] = e.Data.Amount
		case "invoice.cancelled":
			delete(open, e.Data.InvoiceID)
		case "payment.received":
			left, known := open[e.Data.InvoiceID]
			if !known || e.Data.Amount <= 0 || e.Data.Amount > left {
				t.Fatalf("payment %s of %v on %s, of which %v is open", e.Data.PaymentID, e.Data.Amount, e.Data.InvoiceID, left)
			}
			if open[e.Data.InvoiceID] -= e.Data.Amount; open[e.Data.InvoiceID] == 0 {
				delete(open, e.Data.InvoiceID)
			}
		}
	}
	var want Money
	n := 0
	for _, d := range w.debtors {
		for _, inv := range d.open {
			want += Money(inv.cents)
			n++
		}
	}
	var got Money
	for _, x := range open {
		got += x
	}
	if got != want || len(open) != n {
		t.Errorf("events leave %v open on %d invoices, the world %v on %d", got, len(open), want, n)
	}
}

// share is a fraction with what it is out of.
type share struct{ hits, of float64 }

func (s share) rate() float64 { return s.hits / math.Max(1, s.of) }

// TestFeaturesShow: each thing that a world file can say shows in the data. A
// test compares a world with the feature to one without, or two groups in it.
func TestFeaturesShow(t *testing.T) {
	only := func(names ...string) func(*Spec) {
		return func(s *Spec) {
			s.Archetypes = slices.DeleteFunc(s.Archetypes, func(a Archetype) bool { return !slices.Contains(names, a.Name) })
		}
	}
	count := func(kind string) func(*World, []Event) float64 {
		return func(_ *World, events []Event) float64 {
			n := 0.0
			for _, e := range events {
				if e.Type == kind {
					n++
				}
			}
			return n
		}
	}
	late := func(w *World, _ []Event) float64 { x := w.Truth.Total(); return x.DaysLateMoney() }
	// hours returns the share of human signs between two local hours.
	hours := func(from, to int) func(*World, []Event) float64 {
		return func(w *World, events []Event) float64 {
			var s share
			for _, e := range events {
				if e.Type == "invoice.viewed" || e.Type == "contact.clicked" {
					h := e.Time.In(w.byID[e.Debtor].zone.loc).Hour()
					s.of++
					if h >= from && h < to {
						s.hits++
					}
				}
			}
			return s.rate()
		}
	}
	paidBy := func(method string) func(*World, []Event) float64 {
		return func(_ *World, events []Event) float64 {
			var s share
			for _, e := range events {
				if e.Type == "payment.received" {
					s.of++
					if e.Data.Method == method {
						s.hits++
					}
				}
			}
			return s.rate()
		}
	}
	cases := []struct {
		name    string
		policy  string
		measure func(*World, []Event) float64
		less    func(*Spec) // the world in which there is less of it
		more    func(*Spec)
		factor  float64 // more ≥ factor × less
	}{
		{"hours: offices by day, consumers in the evening", "fixed", hours(18, 23), only("office"), only("consumer_evening"), 3},
		{"two modes: restaurants after the evening shift", "fixed", hours(21, 23), only("office"), only("restaurant"), 5},
		{"deaf to e-mail", "fixed", count("contact.opened"), func(s *Spec) { each(s, func(a *Archetype) { a.Deaf = 1 }) }, func(s *Spec) { each(s, func(a *Archetype) { a.Deaf = 0 }) }, 4},
		{"early payers are not late", "fixed", late, payers(map[string]float64{"early": 1}), payers(map[string]float64{"late": 1}), 3},
		{"reminder-dependent payers wait", "fixed", late, payers(map[string]float64{"on_time": 1}), payers(map[string]float64{"reminder": 1}), 2},
		{"direct debit", "fixed", late, payers(map[string]float64{"debit": 1}), payers(map[string]float64{"on_time": 1}), 3},
		{"methods", "fixed", paidBy("cash"), only("office"), only("senior", "restaurant"), 10},
		{"weekly billing", "fixed", count("invoice.issued"), billing(0, 1), billing(1, 0), 3},
		{"sector shock", "fixed", late, func(s *Spec) { only("contractor")(s); s.Shocks = nil }, func(s *Spec) {
			only("contractor")(s)
			s.Shocks = []Shock{{Sectors: []string{"43"}, FromWeek: 0, Weeks: 26, Depth: 3}}
		}, 1.2},
		{"season", "fixed", late, nil, func(s *Spec) { s.Season = slices.Repeat([]float64{-3}, 12) }, 1.2},
		{"fatigue lowers response", "random", late, func(s *Spec) { s.Fatigue.Sensitivity = 0 }, func(s *Spec) { s.Fatigue.Sensitivity = 5 }, 1.03},
		{"complaints", "random", count("debtor.complained"), func(s *Spec) { s.Fatigue.Complaint = 0.001 }, func(s *Spec) { s.Fatigue.Complaint = 0.05 }, 5},
		{"opt-outs", "random", count("debtor.opted_out"), func(s *Spec) { s.Fatigue.OptOut = 0.001 }, func(s *Spec) { s.Fatigue.OptOut = 0.05 }, 4},
		{"disputes and cancellations", "fixed", count("invoice.cancelled"), func(s *Spec) { each(s, func(a *Archetype) { a.Dispute = 0.01 }) }, func(s *Spec) { each(s, func(a *Archetype) { a.Dispute = 0.2 }) }, 5},
		{"plans", "fixed", caseKind("payment_plan", ""), nil, func(s *Spec) { each(s, func(a *Archetype) { a.Ability = -1 }) }, 2},
		{"promises broken", "random", caseKind("promise", "broken"), func(s *Spec) { each(s, func(a *Archetype) { a.Reliability, a.Ability = 1, 10 }) }, func(s *Spec) { each(s, func(a *Archetype) { a.Reliability = 0.1 }) }, 5},
		{"promises kept", "random", caseKind("promise", "kept"), func(s *Spec) { each(s, func(a *Archetype) { a.Reliability = 0.1 }) }, func(s *Spec) { each(s, func(a *Archetype) { a.Reliability = 1 }) }, 2},
		{"insolvency and debt mediation", "fixed", caseKind("insolvency", ""), func(s *Spec) { s.Cases.InsolvencyPerYear = 0 }, func(s *Spec) { s.Cases.InsolvencyPerYear = 0.3 }, 5},
		{"machine opens", "fixed", fastOpens, func(s *Spec) { s.Machines.Share = 0 }, func(s *Spec) { s.Machines.Share = 1 }, 20},
		{"bounces", "fixed", count("contact.bounced"), bounce(0.01), bounce(0.5), 5},
		{"ratings", "fixed", count("rating.changed"), func(s *Spec) { s.Ratings.Share = 0.1 }, func(s *Spec) { s.Ratings.Share = 1 }, 4},
		{"newcomers", "fixed", arrivals, func(s *Spec) { s.Newcomers.Share = 0 }, func(s *Spec) { s.Newcomers.Share = 0.5 }, 10},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w, events := play(t, c.policy, 150, 110, 11, c.less)
			less := c.measure(w, events)
			w, events = play(t, c.policy, 150, 110, 11, c.more)
			more := c.measure(w, events)
			if more < c.factor*math.Max(less, 1e-3) || more == 0 {
				t.Errorf("got %.4g with and %.4g without, want a factor of %v", more, less, c.factor)
			}
		})
	}
}

func each(s *Spec, f func(*Archetype)) {
	for i := range s.Archetypes {
		f(&s.Archetypes[i])
	}
}

func payers(shares map[string]float64) func(*Spec) {
	return func(s *Spec) { each(s, func(a *Archetype) { a.Payers = shares }) }
}

func billing(weekly, monthly float64) func(*Spec) {
	return func(s *Spec) {
		each(s, func(a *Archetype) { a.Billing.Weekly, a.Billing.Monthly = weekly, monthly })
	}
}

func bounce(p float64) func(*Spec) {
	return func(s *Spec) {
		for _, name := range ledger.ChannelNames {
			ch := s.Channels[name]
			ch.Bounce, ch.Reachable = p, 1
			s.Channels[name] = ch
		}
	}
}

func caseKind(kind, outcome string) func(*World, []Event) float64 {
	return func(_ *World, events []Event) float64 {
		n := 0.0
		for _, e := range events {
			if e.Data.Kind == kind && e.Data.Outcome == outcome {
				n++
			}
		}
		return n
	}
}

func fastOpens(_ *World, events []Event) float64 {
	book := NewBook()
	n := 0.0
	for i := range events {
		book.apply(&events[i])
		if e := &events[i]; e.Type == "contact.opened" && book.Account(e.Debtor).Machine(e) {
			n++
		}
	}
	return n
}

func arrivals(w *World, events []Event) float64 {
	n := 0.0
	for _, e := range events {
		if e.Type == "debtor.upserted" && e.Time.After(w.Start(0)) {
			n++
		}
	}
	return n
}

// TestPaymentRuns: who pays in runs pays on the weekday or the month end of it.
func TestPaymentRuns(t *testing.T) {
	for _, c := range []struct {
		name string
		runs RunSpec
	}{{"weekday", RunSpec{Weekday: 1}}, {"month end", RunSpec{MonthEnd: 1}}} {
		w, events := play(t, "simple", 100, 120, 2, func(s *Spec) {
			each(s, func(a *Archetype) { a.Runs, a.Dispute = c.runs, 0 })
			s.Response.Plan = 0
		})
		paid := 0
		for _, e := range events {
			d := w.byID[e.Debtor]
			if e.Type != "payment.received" {
				continue
			}
			paid++
			// The run is a day of the creditor's calendar; the ledger's too.
			if ok, _ := d.pays(ledger.DayOf(e.Time, w.loc)); !ok {
				t.Fatalf("%s: %s paid on %v, its run is %d", c.name, d.id, e.Time, d.run)
			}
		}
		if paid < 50 {
			t.Errorf("%s: only %d payments", c.name, paid)
		}
	}
}

// TestDrift: after the drift the habits of the share concerned are others, and
// of nobody else.
func TestDrift(t *testing.T) {
	w := New(Default(), 2000, 1, monday)
	changed := 0
	for _, d := range w.debtors {
		before, after := d.habit(0), d.habit(7*40)
		if before != after {
			changed++
			if before.available == after.available || before.affinity == after.affinity {
				t.Fatalf("%s drifts and stays the same", d.id)
			}
		}
	}
	// 2,000 draws with share 0.25: four standard errors are 0.039.
	if got := float64(changed) / 2000; math.Abs(got-0.25) > 0.039 {
		t.Errorf("%v of the debtors drift, want 0.25", got)
	}
}

// TestWeatherMovesNotice: on sunny hours restaurants look less, on rainy hours
// contractors more, in the very factor of the world file.
func TestWeatherMovesNotice(t *testing.T) {
	spec := Default()
	w := New(spec, 1, 1, monday)
	s := w.skies["BE-VAN"]
	sunny, rainy := 0, 0
	for hour := range int64(24 * 150) {
		unix := w.Start(0).Unix() + 3600*hour
		x := s.at(unix)
		for _, c := range []struct {
			effect WeatherEffect
			signal float64
		}{
			{WeatherEffect{Signal: "sunshine", From: 0, To: 24, Effect: -1.4}, float64(x.sun) / 60},
			{WeatherEffect{Signal: "rain", From: 0, To: 24, Effect: 1.3}, min(1, float64(x.rain))},
		} {
			got, want := s.mood([]WeatherEffect{c.effect}, unix, 12, false), math.Exp(c.effect.Effect*c.signal)
			if math.Abs(got-want) > 1e-12 { // one exp of the same number
				t.Fatalf("mood = %v, want %v", got, want)
			}
		}
		if x.sun > 50 {
			sunny++
		}
		if x.rain > 0.2 {
			rainy++
		}
		if got := s.mood([]WeatherEffect{{"sunshine", 0, 12, -1}}, unix, 12, false); got != 1 {
			t.Fatalf("mood outside its hours = %v", got)
		}
	}
	if sunny < 100 || rainy < 100 {
		t.Errorf("%d sunny and %d rainy hours in 150 days", sunny, rainy)
	}
}

// TestWeatherIsForecast: each hour is forecast once, before it is observed, and
// the forecast is close to what comes.
func TestWeatherIsForecast(t *testing.T) {
	w := New(Default(), 1, 1, monday)
	type hour struct {
		region string
		hour   time.Time
	}
	forecast := make(map[hour]WeatherRow)
	n, sum, base := 0.0, 0.0, 0.0
	for day := 0; day < 60; day += 7 { // any cut of time gives the same rows
		for _, r := range w.Weather(w.Start(day), w.Start(day+7)) {
			if r.KnownAt.Before(w.Start(day)) || !r.KnownAt.Before(w.Start(day+7)) {
				t.Fatalf("row known at %v in the week of %v", r.KnownAt, w.Start(day))
			}
			k := hour{r.Region, r.Hour}
			if !r.Observed {
				if _, twice := forecast[k]; twice || !r.KnownAt.Before(r.Hour) {
					t.Fatalf("forecast %+v", r)
				}
				forecast[k] = r
				continue
			}
			if !r.KnownAt.After(r.Hour) {
				t.Fatalf("%v observed at %v", r.Hour, r.KnownAt)
			}
			if f, ok := forecast[k]; ok && r.SunshineMin+f.SunshineMin > 0 {
				n++
				sum += math.Abs(f.SunshineMin - r.SunshineMin)
				base += math.Abs(r.SunshineMin - 25)
			}
		}
	}
	if n < 1000 || sum > 0.7*base {
		t.Errorf("forecast misses by %.1f minutes over %.0f hours, a constant by %.1f", sum/n, n, base/n)
	}
}

// TestSectorSignals: the published figure rises in the months of a shock, and
// is known only after the month.
func TestSectorSignals(t *testing.T) {
	w := New(Default(), 1, 1, monday)
	shocked, calm := share{}, share{}
	for _, r := range w.Signals(w.Start(0).AddDate(0, -6, 0), w.Start(300)) {
		if r.KnownAt.Before(r.Period.UTC().AddDate(0, 1, 0)) {
			t.Fatalf("%v known at %v", r.Period, r.KnownAt)
		}
		if r.Sector[:2] != "43" {
			continue
		}
		// Weeks 9 to 16 from 6 January: April 2025 lies in them for the larger part.
		if m := r.Period.UTC().Month(); r.Period.UTC().Year() == 2025 && (m == time.March || m == time.April) {
			shocked.hits += r.Value
			shocked.of++
		} else {
			calm.hits += r.Value
			calm.of++
		}
	}
	if shocked.of == 0 || shocked.rate() < calm.rate()+10 {
		t.Errorf("indicator %v in the shock, %v outside", shocked.rate(), calm.rate())
	}
}

// TestOptOutAndConsent: nobody in the reference policies contacts where they
// may not.
func TestOptOutAndConsent(t *testing.T) {
	for _, name := range []string{"fixed", "random", "simple", "oracle"} {
		_, events := play(t, name, 150, 120, 4, func(s *Spec) { s.Fatigue.OptOut = 0.03 })
		book := NewBook()
		for i := range events {
			e := &events[i]
			a := book.Account(e.Debtor)
			if e.Type == "contact.sent" {
				c, _ := ledger.ParseChannel(e.Data.Channel)
				local := e.Time.In(a.Zone)
				if !a.Usable[c] && !optedOutSince(events[:i], e, 24*time.Hour) {
					t.Fatalf("%s: %s over %v, which it may not use", name, e.Debtor, c)
				}
				if local.Hour() < firstHour || local.Hour() > lastHour {
					t.Fatalf("%s: %s at %v", name, e.Debtor, local)
				}
			}
			book.apply(e)
		}
	}
}

// optedOutSince tells whether the way was lost so recently that the decision
// of the morning could not know.
func optedOutSince(events []Event, sent *Event, within time.Duration) bool {
	for i := len(events) - 1; i >= 0 && sent.Time.Sub(events[i].Time) < within; i-- {
		e := &events[i]
		if e.Debtor == sent.Debtor && e.Data.Channel == sent.Data.Channel && (e.Type == "debtor.opted_out" || e.Type == "contact.bounced") {
			return true
		}
	}
	return false
}
