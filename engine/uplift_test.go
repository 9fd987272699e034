package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/world"
)

// switched follows the fixed ladder until a day, and another policy from then.
type switched struct {
	day           int
	before, after world.Policy
	events        func([]world.Event) error
}

func (s *switched) Name() string { return "switched" }

func (s *switched) Act(ctx context.Context, m world.Morning) ([]world.Action, error) {
	if m.Day < s.day {
		return s.before.Act(ctx, m)
	}
	return s.after.Act(ctx, m)
}

func (s *switched) Observe(ctx context.Context, m world.Morning, events []world.Event) error {
	if err := s.events(events); err != nil {
		return err
	}
	return s.after.Observe(ctx, m, events)
}

// lives plays a world under the fixed ladder until a day and under after from
// then, and returns the accounts. The same chance falls on each debtor whatever
// is done, so two lives of one seed are what would have been.
func lives(tb testing.TB, seed uint64, debtors, day, weeks int, after func(*world.Spec) world.Policy) (map[string]*account, time.Time) {
	tb.Helper()
	start, err := ledger.ParseDay("2026-01-05")
	if err != nil {
		tb.Fatal(err)
	}
	spec := world.Default()
	w := world.New(spec, debtors, seed, start)
	accounts := map[string]*account{}
	p := &switched{day: day, before: world.NewFixed(world.FixedLadder), after: after(spec), events: func(events []world.Event) error {
		for i := range events {
			text, err := json.Marshal(events[i])
			if err != nil {
				return err
			}
			x, err := ledger.ParseEvent(bytes.TrimSpace(text))
			if err != nil {
				return fmt.Errorf("%s: %w", text, err)
			}
			a := accounts[x.Debtor]
			if a == nil {
				a = &account{key: ledger.Key{Creditor: x.Creditor, Debtor: x.Debtor}}
				accounts[x.Debtor] = a
			}
			a.fold(&x.Rows)
		}
		return nil
	}}
	if _, err := world.Play(tb.Context(), w, p, 7*weeks); err != nil {
		tb.Fatal(err)
	}
	return accounts, w.Start(day)
}

// experiment is every debtor of one world in both arms, as seen at some looks.
type experiment struct {
	treated, control [][]participant // by look, by debtor
}

// entryWeek is when the experiment begins: the weeks before are known.
const entryWeek = 20

// newExperiment plays a world twice: fixed for ever, and a better policy from
// the entry on. Looks are in weeks since.
func newExperiment(tb testing.TB, seed uint64, debtors int, looks []int) *experiment {
	tb.Helper()
	weeks := entryWeek + slices.Max(looks)
	fixed, at := lives(tb, seed, debtors, 7*entryWeek, weeks, func(*world.Spec) world.Policy { return world.NewFixed(world.FixedLadder) })
	simple, _ := lives(tb, seed, debtors, 7*entryWeek, weeks, func(s *world.Spec) world.Policy { return world.NewSimple(s) })
	value := DefaultCreditor("").Value
	x := &experiment{}
	for _, week := range looks {
		seen := at.AddDate(0, 0, 7*week).Unix()
		var t, c []participant
		for _, id := range slices.Sorted(maps.Keys(fixed)) {
			if !fixed[id].knownAt(at.Unix()) {
				continue
			}
			c = append(c, fixed[id].participate(at.Unix(), seen, &value))
			one := simple[id].participate(at.Unix(), seen, &value)
			one.treated = true
			t = append(t, one)
		}
		x.treated, x.control = append(x.treated, t), append(x.control, c)
	}
	return x
}

// truth is what treating all would have brought about by a look, per debtor.
func (x *experiment) truth(look, k int) float64 {
	sum, n := 0.0, 0.0
	for i := range x.treated[look] {
		if d := x.treated[look][i].out[k] - x.control[look][i].out[k]; !math.IsNaN(d) {
			sum += d
			n++
		}
	}
	return sum / n
}

// draw is what is seen at a look where a fifth is control, by the keyed hash
// of a seed.
func (x *experiment) draw(look int, seed uint64) []participant {
	list := make([]participant, len(x.treated[look]))
	for i := range list {
		list[i] = x.treated[look][i]
		if Arm(seed, ledger.Key{Creditor: "c", Debtor: strconv.Itoa(i)}, 0.2) == Control {
			list[i] = x.control[look][i]
		}
	}
	return list
}

// scoreboard counts what intervals of one measure did over runs.
type scoreboard struct {
	runs                                            int
	covers, plainCovers, found, plainFound, reduced float64
	missed                                          int // runs in which the sequence missed at any look
}

func (s *scoreboard) add(m *Measure, truth float64) {
	s.runs++
	count := func(to *float64, yes bool) {
		if yes {
			*to++
		}
	}
	count(&s.covers, m.Difference.Lo <= truth && truth <= m.Difference.Hi)
	count(&s.plainCovers, m.Plain.Lo <= truth && truth <= m.Plain.Hi)
	count(&s.found, m.Difference.Lo > 0 || m.Difference.Hi < 0)
	count(&s.plainFound, m.Plain.Lo > 0 || m.Plain.Hi < 0)
	s.reduced += m.VarianceReduction
}

func (s *scoreboard) String() string {
	n := float64(s.runs)
	return fmt.Sprintf("covers %.3f, plain %.3f; power %.3f, plain %.3f; variance reduced by %.2f",
		s.covers/n, s.plainCovers/n, s.found/n, s.plainFound/n, s.reduced/n)
}

// compare plays assignments of an experiment and returns the scores by measure.
func (x *experiment) compare(tb testing.TB, seeds []uint64, board *[outcomeCount]scoreboard) {
	tb.Helper()
	last := len(x.treated) - 1
	for _, seed := range seeds {
		for k := range upliftMeasures {
			if k == outComplaints {
				continue // too few in a small world
			}
			missed := false
			for look := range x.treated {
				m, _, err := measureOne(x.draw(look, seed), k)
				if err != nil {
					tb.Fatal(err)
				}
				truth := x.truth(look, k)
				missed = missed || m.Sequence.Lo != nil && (*m.Sequence.Lo > truth || *m.Sequence.Hi < truth)
				if look == last {
					board[k].add(&m, truth)
				}
			}
			if missed {
				board[k].missed++
			}
		}
	}
}

// On synthetic debtors whose lives under both arms are known, the intervals
// hold what they promise, and knowing the time before makes them find more.
func TestUpliftOnWorld(t *testing.T) {
	const worlds, assignments = 2, 50
	var board [outcomeCount]scoreboard
	for w := range worlds {
		x := newExperiment(t, uint64(w+1), 400, []int{6, 10})
		seeds := make([]uint64, assignments)
		for i := range seeds {
			seeds[i] = uint64(1000*w + i)
		}
		x.compare(t, seeds, &board)
	}
	told(t, &board)
}

// told prints the scores, and fails where an interval or a sequence does not
// hold what it promises, or knowing the time before was of no use.
func told(tb testing.TB, board *[outcomeCount]scoreboard) {
	tb.Helper()
	for k, name := range upliftMeasures {
		s := &board[k]
		if s.runs == 0 {
			continue
		}
		tb.Logf("%-17s %s; sequence missed in %d of %d", name, s, s.missed, s.runs)
		n := float64(s.runs)
		if least := 0.95 - 3*math.Sqrt(0.95*0.05/n); s.covers/n < least || s.plainCovers/n < least { // three standard errors
			tb.Errorf("%s: %s, want at least %.3f covered", name, s, least)
		}
		if s.missed > s.runs/20 {
			tb.Errorf("%s: the sequence missed in %d of %d runs", name, s.missed, s.runs)
		}
	}
	if s := &board[outDays]; s.reduced/float64(s.runs) < 0.1 || s.found < s.plainFound {
		tb.Errorf("days outstanding: %s: the time before was of no use", s)
	}
}

// BenchmarkUplift prints coverage and power over 200 worlds with a control
// group of a fifth, each seen every fortnight, and fails as the test above. One
// run is enough: -benchtime 1x.
func BenchmarkUplift(b *testing.B) {
	const worlds = 200
	for b.Loop() {
		var board [outcomeCount]scoreboard
		for w := range worlds {
			x := newExperiment(b, uint64(w+1), 400, []int{6, 8, 10, 12, 14, 16, 18, 20})
			x.compare(b, []uint64{uint64(w)}, &board)
		}
		told(b, &board)
	}
}

// One invoice of 100, issued twenty days before the entry.
func TestParticipate(t *testing.T) {
	const day = 86400
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	at := func(days int) int64 { return start.Unix() + int64(days)*day }
	pay := func(days int, cents int64) payment { return payment{at: at(days), cents: cents} }
	value := Value{LossRate: 0.1, Cost: map[string]float64{"letter": 2}}
	for _, c := range []struct {
		name     string
		due      int
		pays     []payment
		seen     int
		days     float64
		collect  [3]float64
		earned   float64
		contacts []contact
	}{
		{name: "overdue, paid on day 10", due: -5, pays: []payment{pay(10, 10_000)}, seen: 40, days: 10, collect: [3]float64{0, 1, 1}, earned: 10 * 18.0 / 28},
		{name: "due on day 3, paid a week after", due: 3, pays: []payment{pay(10, 10_000)}, seen: 40, days: 7, collect: [3]float64{1, 1, 1}, earned: 7.5},
		{name: "paid ahead of the due date", due: 3, pays: []payment{pay(1, 10_000)}, seen: 40, days: 0, collect: [3]float64{1, 1, 1}, earned: 10},
		{name: "half on day 4", due: -5, pays: []payment{pay(4, 5000)}, seen: 40, days: 4 + 24.0/2, collect: [3]float64{0.5, 0.5, 0.5}, earned: 10 * 12.0 / 28},
		{name: "never paid, a letter", due: -5, seen: 40, days: 28, earned: -2, contacts: []contact{{channel: ledger.Letter, at: at(1)}}},
		{name: "what the contact told", due: -5, seen: 40, days: 28, earned: -3, contacts: []contact{{channel: ledger.Letter, at: at(1), cents: 300}}},
		{name: "paid before the entry", due: -5, pays: []payment{pay(-1, 10_000)}, seen: 40, days: math.NaN(), collect: [3]float64{math.NaN(), math.NaN(), math.NaN()}},
		{name: "seen on day 10", due: -5, pays: []payment{pay(2, 10_000)}, seen: 10, days: math.NaN(), collect: [3]float64{1, math.NaN(), math.NaN()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := invoice{id: "i", issued: at(-20), due: ledger.DayOf(start, time.UTC) + ledger.Day(c.due), cents: 10_000, pays: c.pays}
			v.settle()
			a := &account{invoices: []invoice{v}, contacts: c.contacts}
			p := a.participate(at(0), at(c.seen), &value)
			want := map[int]float64{outDays: c.days, out7: c.collect[0], out14: c.collect[1], out30: c.collect[2], outEarned: c.earned}
			for k, w := range want {
				if g := p.out[k]; math.Abs(g-w) > 1e-9 || math.IsNaN(g) != math.IsNaN(w) {
					t.Errorf("%s is %v, want %v", upliftMeasures[k], g, w)
				}
			}
		})
	}
}
