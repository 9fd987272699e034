package world

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"rappel/datasets/ledger"
)

// ErrPolicy is wrapped where a policy of that name is not known.
var ErrPolicy = errors.New("world: unknown policy")

// PolicyNames are the policies that need nothing but the world; beside them
// there is "oracle-" and some of Blindnesses, joined by "+".
var PolicyNames = []string{"fixed", "segment", "random", "simple", "oracle"}

// NewPolicy returns a policy by name for a world that is to be played for so
// many days. The pilot of "segment" runs on another seed.
func NewPolicy(ctx context.Context, name string, w *World, days int) (Policy, error) {
	switch name {
	case "fixed":
		return NewFixed(FixedLadder), nil
	case "segment":
		return NewSegmented(ctx, w.spec, min(len(w.debtors), 600), w.seed+1_000_003, w.start, min(days, 120))
	case "random":
		return &Random{Seed: w.seed, Every: 4}, nil
	case "simple":
		return NewSimple(w.spec), nil
	case "oracle":
		return NewOracle(w), nil
	}
	if blind, ok := Blind(name); ok {
		return NewOracle(w, blind...), nil
	}
	return nil, fmt.Errorf("%w %q", ErrPolicy, name)
}

// Trial is what is compared: policies by name, on worlds of one spec.
type Trial struct {
	Spec     *Spec
	Debtors  int
	Weeks    int
	Seed     uint64
	Seeds    int
	Start    ledger.Day
	Policies []string
	// Make returns a policy by name; NewPolicy unless a caller has more.
	Make func(ctx context.Context, name string, w *World, days int) (Policy, error)
	// Progress, if not nil, hears of each run that ends.
	Progress func(name string, seed uint64, o Outcome)
}

// Report is the answer of a trial, in the shape that `rappel simulate --json`
// prints.
type Report struct {
	Seed     uint64    `json:"seed"`
	Seeds    int       `json:"seeds"`
	Debtors  int       `json:"debtors"`
	Weeks    int       `json:"weeks"`
	Policies []Outcome `json:"policies"`
}

// Outcome is what one policy brought about: means over seeds, and under
// Interval the half-width of their 95 % interval (0 with one seed).
type Outcome struct {
	Name        string             `json:"name"`
	DaysLate    float64            `json:"days_late"`     // of the average invoice
	DaysLateEUR float64            `json:"days_late_eur"` // of the average euro
	CostEUR     float64            `json:"cost_eur"`      // of contacts
	Contacts    float64            `json:"contacts"`
	Complaints  float64            `json:"complaints"`
	OptOuts     float64            `json:"opt_outs"`
	TotalEUR    float64            `json:"total_eur"`            // lateness, contacts and annoyance as money
	LessLate    *float64           `json:"less_late,omitempty"`  // (fixed − x) / fixed on days_late_eur
	GapClosed   *float64           `json:"gap_closed,omitempty"` // (fixed − x) / (fixed − oracle) on days_late_eur
	Interval    map[string]float64 `json:"interval,omitempty"`
	ByMonth     []Month            `json:"by_month"`
}

// Month is one month of an outcome.
type Month struct {
	Month       string             `json:"month"`
	DaysLate    float64            `json:"days_late"`
	DaysLateEUR float64            `json:"days_late_eur"`
	CostEUR     float64            `json:"cost_eur"`
	Contacts    float64            `json:"contacts"`
	Complaints  float64            `json:"complaints"`
	OptOuts     float64            `json:"opt_outs"`
	GapClosed   *float64           `json:"gap_closed,omitempty"`
	Interval    map[string]float64 `json:"interval,omitempty"` // as that of Outcome
}

// Run plays every policy on every seed. The gap needs both fixed and oracle
// among the policies.
func (t *Trial) Run(ctx context.Context) (*Report, error) {
	outcomes := make([][]Outcome, len(t.Policies)) // by policy, by seed
	for i, name := range t.Policies {
		for k := range t.Seeds {
			seed := t.Seed + uint64(k)
			o, err := t.run(ctx, name, seed)
			if err != nil {
				return nil, fmt.Errorf("policy %s, seed %d: %w", name, seed, err)
			}
			outcomes[i] = append(outcomes[i], o)
			if t.Progress != nil {
				t.Progress(name, seed, o)
			}
		}
	}
	t.gaps(outcomes)
	r := &Report{Seed: t.Seed, Seeds: t.Seeds, Debtors: t.Debtors, Weeks: t.Weeks}
	for _, seeds := range outcomes {
		r.Policies = append(r.Policies, pool(seeds))
	}
	return r, nil
}

func (t *Trial) run(ctx context.Context, name string, seed uint64) (Outcome, error) {
	w := New(t.Spec, t.Debtors, seed, t.Start)
	days := 7 * t.Weeks
	p, err := t.Make(ctx, name, w, days)
	if err != nil {
		return Outcome{}, err
	}
	if c, ok := p.(interface{ Close() error }); ok {
		defer c.Close()
	}
	if _, err := Play(ctx, w, p, days); err != nil {
		return Outcome{}, err
	}
	total := w.Truth.Total()
	o := Outcome{
		Name: name, DaysLate: total.DaysLate(), DaysLateEUR: total.DaysLateMoney(), CostEUR: total.Cost,
		Contacts: float64(total.Contacts), Complaints: float64(total.Complaints), OptOuts: float64(total.OptOuts),
		TotalEUR: t.Spec.Cost(&total),
	}
	for _, m := range w.Truth.Months() {
		o.ByMonth = append(o.ByMonth, Month{
			Month: m.Month, DaysLate: m.DaysLate(), DaysLateEUR: m.DaysLateMoney(), CostEUR: m.Cost,
			Contacts: float64(m.Contacts), Complaints: float64(m.Complaints), OptOuts: float64(m.OptOuts),
		})
	}
	return o, nil
}

// gaps fills in by which share each run was less late than fixed, and the share
// of the way from fixed to oracle that it went.
func (t *Trial) gaps(outcomes [][]Outcome) {
	fixed, oracle := slices.Index(t.Policies, "fixed"), slices.Index(t.Policies, "oracle")
	if fixed < 0 {
		return
	}
	share := func(from, to, x float64) *float64 {
		if from == to {
			return nil
		}
		g := (from - x) / (from - to)
		return &g
	}
	for i := range outcomes {
		for k := range outcomes[i] {
			outcomes[i][k].LessLate = share(outcomes[fixed][k].DaysLateEUR, 0, outcomes[i][k].DaysLateEUR)
		}
	}
	if oracle < 0 {
		return
	}
	for i := range outcomes {
		for k := range outcomes[i] {
			f, o, x := &outcomes[fixed][k], &outcomes[oracle][k], &outcomes[i][k]
			x.GapClosed = share(f.DaysLateEUR, o.DaysLateEUR, x.DaysLateEUR)
			for m := range x.ByMonth {
				if m < len(f.ByMonth) && m < len(o.ByMonth) {
					x.ByMonth[m].GapClosed = share(f.ByMonth[m].DaysLateEUR, o.ByMonth[m].DaysLateEUR, x.ByMonth[m].DaysLateEUR)
				}
			}
		}
	}
}

// pool averages the outcomes of one policy over seeds.
func pool(seeds []Outcome) Outcome {
	out := Outcome{Name: seeds[0].Name}
	less := map[string]func(*Outcome) **float64{
		"less_late":  func(o *Outcome) **float64 { return &o.LessLate },
		"gap_closed": func(o *Outcome) **float64 { return &o.GapClosed },
	}
	out.Interval = means(&out, seeds, map[string]func(*Outcome) *float64{
		"days_late":     func(o *Outcome) *float64 { return &o.DaysLate },
		"days_late_eur": func(o *Outcome) *float64 { return &o.DaysLateEUR },
		"cost_eur":      func(o *Outcome) *float64 { return &o.CostEUR },
		"contacts":      func(o *Outcome) *float64 { return &o.Contacts },
		"complaints":    func(o *Outcome) *float64 { return &o.Complaints },
		"opt_outs":      func(o *Outcome) *float64 { return &o.OptOuts },
		"total_eur":     func(o *Outcome) *float64 { return &o.TotalEUR },
	}, less)
	for m := range seeds[0].ByMonth {
		months := make([]Month, 0, len(seeds))
		for i := range seeds {
			if m < len(seeds[i].ByMonth) {
				months = append(months, seeds[i].ByMonth[m])
			}
		}
		month := Month{Month: seeds[0].ByMonth[m].Month}
		month.Interval = means(&month, months, map[string]func(*Month) *float64{
			"days_late":     func(o *Month) *float64 { return &o.DaysLate },
			"days_late_eur": func(o *Month) *float64 { return &o.DaysLateEUR },
			"cost_eur":      func(o *Month) *float64 { return &o.CostEUR },
			"contacts":      func(o *Month) *float64 { return &o.Contacts },
			"complaints":    func(o *Month) *float64 { return &o.Complaints },
			"opt_outs":      func(o *Month) *float64 { return &o.OptOuts },
		}, map[string]func(*Month) **float64{"gap_closed": func(o *Month) **float64 { return &o.GapClosed }})
		out.ByMonth = append(out.ByMonth, month)
	}
	return out
}

// means fills in each figure of out with its mean over rows, those of shares only
// where every row has one, and returns the half-widths of their 95 % intervals by
// name; nil for one row.
func means[T any](out *T, rows []T, figures map[string]func(*T) *float64, shares map[string]func(*T) **float64) map[string]float64 {
	for name, get := range shares {
		if !slices.ContainsFunc(rows, func(row T) bool { return *get(&row) == nil }) {
			*get(out) = new(float64)
			figures[name] = func(o *T) *float64 { return *get(o) }
		}
	}
	n := len(rows)
	var interval map[string]float64
	for name, get := range figures {
		xs := make([]float64, n)
		for i := range rows {
			xs[i] = *get(&rows[i])
		}
		mean, sd := stat.MeanStdDev(xs, nil)
		*get(out) = mean
		if n > 1 {
			if interval == nil {
				interval = make(map[string]float64, len(figures))
			}
			t := distuv.StudentsT{Sigma: 1, Nu: float64(n - 1)}.Quantile(0.975)
			interval[name] = t * sd / math.Sqrt(float64(n))
		}
	}
	return interval
}
