package engine

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"rappel/datasets/ingest"
	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/datasets/world"
	"rappel/models"
	"rappel/models/ope"
)

// practised returns an engine over ten weeks of 120 debtors' past, and the
// morning after.
func practised(t *testing.T) (*Engine, time.Time) {
	t.Helper()
	return lived(t, 120, 10, "2026-01-05")
}

// lived returns an engine over so many weeks of the built-in world, and the
// morning after.
func lived(t *testing.T, debtors, weeks int, from string) (*Engine, time.Time) {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	start, err := ledger.ParseDay(from)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := world.Generate(ctx, world.New(world.Default(), debtors, 3, start), weeks, dir); err != nil {
		t.Fatal(err)
	}
	end := (start + ledger.Day(7*weeks)).UTC()
	opt := Options{Now: func() time.Time { return end }, Log: slog.New(slog.DiscardHandler), Seed: 1}
	st, err := store.Open(ctx, "", store.Options{Now: opt.Now, Log: opt.Log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := ingest.Run(ctx, st, ingest.Options{}, dir); err != nil {
		t.Fatal(err)
	}
	e, err := New(ctx, st, opt)
	if err != nil {
		t.Fatal(err)
	}
	return e, end
}

// logWith lets a model, as it is, decide for all overdue debtors on mornings
// two days apart: with few e-mails a day, and on the last by letter and phone
// only.
func logWith(ctx context.Context, t *testing.T, e *Engine, m *models.Model, mornings []time.Time) (creditor string, decisions []*Decision) {
	t.Helper()
	creditor = e.Creditors()[0]
	b, err := e.book(creditor)
	if err != nil {
		t.Fatal(err)
	}
	c := *b.creditor.Load()
	c.Capacities = map[string]int{"email": 5} // the rest of a morning has to do without
	if err := e.PutCreditor(ctx, c, "test"); err != nil {
		t.Fatal(err)
	}
	for i, at := range mornings {
		req := Request{Creditor: creditor, AsOf: at}
		if i == len(mornings)-1 {
			req.Channels = []string{"letter", "phone"}
		}
		states, err := e.frozen(ctx, b, at.Truncate(24*time.Hour), &PolicyOptions{Model: m})
		if err != nil {
			t.Fatal(err)
		}
		b.learned.Store(states[0])
		ids, err := e.Overdue(creditor, at)
		if err != nil {
			t.Fatal(err)
		}
		err = e.Batch(ctx, req, ids, func(d *Decision) error {
			decisions = append(decisions, d)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return creditor, decisions
}

func TestPolicyLog(t *testing.T) {
	ctx := t.Context()
	e, end := practised(t)
	var mornings []time.Time
	for ahead := 40; ahead > 32; ahead -= 2 {
		mornings = append(mornings, end.AddDate(0, 0, -ahead).Add(5*time.Hour))
	}
	logging := models.Prior()
	creditor, decisions := logWith(ctx, t, e, logging, mornings)

	t.Run("the model that logged has ratios of 1 and earns the mean reward", func(t *testing.T) {
		p, err := e.PolicyLog(ctx, PolicyOptions{Model: logging, Creditor: creditor})
		if err != nil {
			t.Fatal(err)
		}
		drawn := 0
		for _, d := range decisions {
			if d.Arm == Treatment && d.Action != ActionHold {
				drawn++
			}
		}
		if n := len(p.Model.Reward); n != drawn || n < 60 || p.Lost != 0 || p.Changed != 0 {
			t.Errorf("%d rows of %d drawn, %d lost, %d changed", n, drawn, p.Lost, p.Changed)
		}
		for i, w := range p.Model.Ratios(nil) {
			// The log keeps every digit: JSON writes floats so that they read back.
			if math.Abs(w-1) > 1e-12 {
				t.Fatalf("row %d, %s %s: ratio %v", i, p.rows[i].row.Action, p.rows[i].row.DecidedAt, w)
			}
			sum := 0.0
			for _, q := range p.rows[i].policy[0] {
				sum += q
			}
			if math.Abs(sum-1) > 1e-9 || p.Model.Untried[i] != 0 {
				t.Errorf("row %d: the policy sums to %v, of what was never tried to %v", i, sum, p.Model.Untried[i])
			}
			if g := p.rows[i].group; slices.Contains(g[:], "") != (g[1] == "consumer" && g[2] == "") {
				t.Errorf("row %d is of %q", i, g) // consumers have no sector
			}
		}
		pressure, err := p.Pressure(0.95)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range pressure {
			if math.Abs(x.Model-x.Against) > 1e-9 {
				t.Errorf("the same policy contacts %v and %v", x.Model, x.Against)
			}
		}
		// With everything complete IPS is the plain mean, and nothing differs.
		p.keepComplete()
		mean := 0.0
		for _, r := range p.Model.Reward {
			mean += r / float64(len(p.Model.Reward))
		}
		if !(mean > 0.05 && mean < 0.95) {
			t.Errorf("mean reward %v", mean)
		}
		cfg := ope.DefaultConfig()
		cfg.Estimators, cfg.Replicates = []string{ope.IPS, ope.SNIPS}, 200
		rep, err := ope.Compare(p.Model, p.Against, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for k, x := range rep.Estimates {
			if math.Abs(x.Value-mean) > 1e-9 || math.Abs(rep.Differences[k].Value) > 1e-9 {
				t.Errorf("%s: %v, difference %v, want %v and 0", x.Name, x.Value, rep.Differences[k].Value, mean)
			}
		}
	})

	t.Run("another model differs", func(t *testing.T) {
		m := models.Prior() // that believes twice as much in letters, and half in the rest
		for c := range m.Response.Base {
			m.Response.Base[c] -= math.Ln2
		}
		m.Response.Base[ledger.Letter] += 2 * math.Ln2
		p, err := e.PolicyLog(ctx, PolicyOptions{Model: m, Against: logging, To: end})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.FitRewards(ope.DefaultRewardConfig()); err != nil {
			t.Fatal(err)
		}
		pressure, err := p.Pressure(0.95)
		if err != nil {
			t.Fatal(err)
		}
		decisions := map[string]int{}
		for _, x := range pressure {
			decisions[x.By] += x.Decisions
			if d := x.Difference; math.Abs(d.Value-(x.Model-x.Against)) > 1e-12 || x.Debtors > 1 && !(d.Lo <= d.Value && d.Value <= d.Hi) {
				t.Errorf("%+v", x)
			}
		}
		if n := len(p.Model.Reward); decisions["kind"] != n || decisions["area"] != n || len(pressure) < 4 {
			t.Errorf("contact pressure of %v decisions in %d groups, want of %d by kind and by area", decisions, len(pressure), n)
		}
		same := 0
		for i, w := range p.Model.Ratios(nil) {
			if math.Abs(w-1) < 1e-9 {
				same++
			}
			if math.Abs(p.Against.Target[i]-p.Against.Propensity[i]) > 1e-12 {
				t.Errorf("row %d: the logging model takes it with %v, logged %v", i, p.Against.Target[i], p.Against.Propensity[i])
			}
		}
		if n := len(p.Model.Reward); same > n/2 {
			t.Errorf("%d of %d rows have the ratio 1", same, n)
		}
	})

	t.Run("an empty window", func(t *testing.T) {
		if _, err := e.PolicyLog(ctx, PolicyOptions{Model: logging, From: end}); !errors.Is(err, ErrNoDecisions) {
			t.Errorf("got %v, want ErrNoDecisions", err)
		}
	})
}

// keepComplete leaves the rows whose reward is known.
func (p *PolicyLog) keepComplete() {
	var rows []judged
	for _, j := range p.rows {
		if j.reward.final {
			rows = append(rows, j)
		}
	}
	p.rows, p.Censored = rows, 0
	p.columns()
}

// One invoice of 100, due when the debtor is asked on day 0.
func TestOutcome(t *testing.T) {
	const day = 86400
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	at := func(days int) int64 { return start.Unix() + int64(days)*day }
	curve := make([]float64, rewardHorizon) // nobody pays alone
	for i := range curve {
		curve[i] = 1
	}
	for _, c := range []struct {
		name       string
		sent, paid int // days; −1: never
		others     []int
		next       int
		to         int
		value      float64
		watched    float64
		final      bool
	}{
		{name: "waited, paid on day 7", sent: -1, paid: 7, next: -1, to: 40, value: 0.75, watched: 7, final: true},
		{name: "waited until the next decision", sent: -1, paid: 7, next: 2, to: 40, value: 0, watched: 2, final: true},
		{name: "waited until the next contact", sent: -1, paid: 7, others: []int{3}, next: 5, to: 40, value: 0, watched: 3, final: true},
		{name: "sent on day 1, decisions since do not end it", sent: 1, paid: 8, next: 2, to: 40, value: 0.75, watched: 7, final: true},
		{name: "sent on day 1, the next contact does", sent: 1, paid: 20, others: []int{10}, next: 2, to: 40, value: 0, watched: 9, final: true},
		{name: "never paid", sent: 1, paid: -1, next: -1, to: 40, value: 0, watched: 28, final: true},
		{name: "cut", sent: 1, paid: 20, next: -1, to: 10, watched: 9},
		{name: "cut after payment", sent: 1, paid: 8, next: -1, to: 10, value: 0.75, watched: 7, final: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &account{
				key:      ledger.Key{Creditor: "c", Debtor: "d"},
				invoices: []invoice{{id: "i", issued: at(-30), due: ledger.DayOf(start, time.UTC), cents: 10_000}},
			}
			if c.paid >= 0 {
				a.invoices[0].paid = at(c.paid)
			}
			if c.sent >= 0 {
				a.contacts = append(a.contacts, contact{decision: "x", at: at(c.sent)})
			}
			for _, o := range c.others {
				a.contacts = append(a.contacts, contact{at: at(o)})
			}
			next := int64(0)
			if c.next >= 0 {
				next = at(c.next)
			}
			e := &Engine{champion: champion{model: models.Prior()}}
			b := &book{accounts: map[string]*account{"d": a}}
			d := &ledger.Decision{ID: "x", Debtor: "d", DecidedAt: start}
			r, watched := e.outcome(b, &logged{curve: curve}, d, next, at(c.to))
			if r.final != c.final || c.final && math.Abs(r.value-c.value) > 1e-12 {
				t.Errorf("reward %v, final %v; want %v, %v", r.value, r.final, c.value, c.final)
			}
			if math.Abs(watched-c.watched) > 1e-9 {
				t.Errorf("watched %v days, want %v", watched, c.watched)
			}
		})
	}
}
