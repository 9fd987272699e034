package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/datasets/world"
	"rappel/features/signal"
)

// simulateOptions are the flags of `rappel simulate`.
type simulateOptions struct {
	world    string
	policies []string
	debtors  int
	weeks    int
	seed     uint64
	seeds    int
	start    string
	url      string
	key      string
	json     bool
	months   bool
}

// newSimulateCommand returns `rappel simulate`: policies compared on a world.
func newSimulateCommand() *cobra.Command {
	var o simulateOptions
	c := &cobra.Command{
		Use:   "simulate",
		Short: "Compare policies on synthetic debtors",
		Long: `Compare policies on synthetic debtors: each plays the same people, day by day,
and the same chance falls on each of them, so that what differs is the policy.

  rappel    this product, asked over HTTP each morning: at --url with --key, or
            on a server of its own that starts empty
  fixed     e-mail on day 3 and 10 past due, letter on day 20, call on day 30
  segment   the fixed ladder that did best for each sector in a pilot
  random    a random channel at a random hour, every fourth day
  simple    a rule of sixty lines: counts shrunk to sector and all, greedy
  oracle    knows every debtor's true habits and plans ahead with them
  oracle-X  the oracle blind to X: ` + strings.Join(world.Blindnesses, ", ") + `,
            or to some of them, as oracle-channels+hours

Days late are weighted by money. Less late is by which share of the days of fixed,
the gap closed how far a policy comes from fixed (0) to oracle (1). With several seeds the table shows means and the
half-width of their 95 % intervals.`,
		Example: `  rappel simulate --policy rappel,fixed,oracle --debtors 400 --weeks 26 --seeds 3
  rappel simulate --world world.yaml --policy fixed,simple,oracle --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSimulate(cmd, &o) },
	}
	f := c.Flags()
	f.StringVar(&o.world, "world", "", "world `file` (default: the built-in world)")
	f.StringSliceVar(&o.policies, "policy", []string{"fixed", "simple", "oracle"}, "policies to compare, separated by commas")
	f.IntVar(&o.debtors, "debtors", 400, "how many debtors")
	f.IntVar(&o.weeks, "weeks", 26, "how many weeks")
	f.Uint64Var(&o.seed, "seed", 1, "first seed")
	f.IntVar(&o.seeds, "seeds", 1, "how many seeds, counted up from the first")
	f.StringVar(&o.start, "start", defaultStart, "first `day`")
	f.StringVar(&o.url, "url", "", "address of a running server for the policy rappel")
	f.StringVar(&o.key, "key", "", "API key for that server")
	f.BoolVar(&o.json, "json", false, "print JSON")
	f.BoolVar(&o.months, "months", false, "show each month in the table")
	return c
}

// runSimulate carries out `rappel simulate`.
func runSimulate(cmd *cobra.Command, o *simulateOptions) error {
	if o.debtors < 1 || o.weeks < 1 {
		return usage(errSize)
	}
	if o.seeds < 1 {
		return usage(errors.New("--seeds must be at least 1"))
	}
	for _, name := range o.policies {
		_, oracle := world.Blind(name)
		if name != "rappel" && !slices.Contains(world.PolicyNames, name) && !oracle {
			return usage(fmt.Errorf("--policy: %q is none of rappel, %s and oracle-%s", name, strings.Join(world.PolicyNames, ", "), strings.Join(world.Blindnesses, ", oracle-")))
		}
	}
	start, err := ledger.ParseDay(o.start)
	if err != nil {
		return usage(fmt.Errorf("--start: %w", err))
	}
	spec, err := world.Load(o.world)
	if err != nil {
		return err
	}
	trial := world.Trial{
		Spec: spec, Debtors: o.debtors, Weeks: o.weeks, Seed: o.seed, Seeds: o.seeds, Start: start, Policies: o.policies,
		Make: func(ctx context.Context, name string, w *world.World, days int) (world.Policy, error) {
			if name == "rappel" {
				return newRappelPolicy(ctx, o, w, days)
			}
			return world.NewPolicy(ctx, name, w, days)
		},
		Progress: func(name string, seed uint64, x world.Outcome) {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s, seed %d: %.2f days late by money, %.0f contacts\n", name, seed, x.DaysLateEUR, x.Contacts)
		},
	}
	report, err := trial.Run(cmd.Context())
	if err != nil {
		return err
	}
	if o.json {
		enc := json.NewEncoder(cmd.OutOrStdout())
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	return printReport(cmd.OutOrStdout(), report, o.months)
}

// newRappelPolicy returns the policy behind a server: the one at --url, where
// each seed is a creditor of its own, or a fresh one in this process.
func newRappelPolicy(ctx context.Context, o *simulateOptions, w *world.World, days int) (world.Policy, error) {
	if o.url != "" {
		r := world.NewRemote(w.Spec(), o.url, o.key)
		if o.seeds > 1 {
			r.Creditor = fmt.Sprintf("%s-%d", r.Creditor, w.Seed())
		}
		return r, nil
	}
	dir, err := os.MkdirTemp("", "rappel-simulate-")
	if err != nil {
		return nil, err
	}
	db := filepath.Join(dir, "world.duckdb")
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	st, url, key, stop, err := serveLoopback(ctx, db, w.Seed(), log)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	r := world.NewRemote(w.Spec(), url, key)
	r.Signals = func(ctx context.Context, from, to time.Time) error { return publish(ctx, st, w, from, to) }
	r.Done = func() error { return errors.Join(stop(), os.RemoveAll(dir)) }
	return r, nil
}

// publish writes to the warehouse what became known of weather and sectors: what
// an operator's job beside the server would bring in.
func publish(ctx context.Context, st *store.Store, w *world.World, from, to time.Time) error {
	var hours []signal.Hour
	for _, r := range w.Weather(from, to) {
		hours = append(hours, signal.Hour{
			Region: r.Region, Start: r.Hour, Known: r.KnownAt, Observed: r.Observed,
			Temperature: r.TemperatureC, Precipitation: r.PrecipitationMM, Sunshine: r.SunshineMin,
		})
	}
	var sectors []signal.Sector
	for _, r := range w.Signals(from, to) {
		sectors = append(sectors, signal.Sector{Code: r.Sector, Period: r.Period, Indicator: r.Indicator, Known: r.KnownAt, Value: r.Value})
	}
	return signal.Write(ctx, st, hours, sectors, nil)
}

// printReport writes the comparison as a table.
func printReport(out io.Writer, r *world.Report, months bool) error {
	fmt.Fprintf(out, "%d debtors, %d weeks, seeds %d to %d\n\n", r.Debtors, r.Weeks, r.Seed, r.Seed+uint64(r.Seeds)-1)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "policy\tdays late €\tdays late\tcost €\tcontacts\tcomplaints\topt-outs\ttotal €\tless late\tgap closed\t")
	for i := range r.Policies {
		p := &r.Policies[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", p.Name,
			figure(p.Interval, "days_late_eur", 2, &p.DaysLateEUR), figure(p.Interval, "days_late", 2, &p.DaysLate),
			figure(p.Interval, "cost_eur", 0, &p.CostEUR), figure(p.Interval, "contacts", 0, &p.Contacts),
			figure(p.Interval, "complaints", 1, &p.Complaints), figure(p.Interval, "opt_outs", 1, &p.OptOuts),
			figure(p.Interval, "total_eur", 0, &p.TotalEUR), figure(p.Interval, "less_late", 3, p.LessLate), figure(p.Interval, "gap_closed", 3, p.GapClosed))
		if !months {
			continue
		}
		for _, m := range p.ByMonth {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\t\t%s\t\n", m.Month,
				figure(m.Interval, "days_late_eur", 2, &m.DaysLateEUR), figure(m.Interval, "days_late", 2, &m.DaysLate),
				figure(m.Interval, "cost_eur", 0, &m.CostEUR), figure(m.Interval, "contacts", 0, &m.Contacts),
				figure(m.Interval, "complaints", 1, &m.Complaints), figure(m.Interval, "opt_outs", 1, &m.OptOuts),
				figure(m.Interval, "gap_closed", 3, m.GapClosed))
		}
	}
	return t.Flush()
}

// figure words a number with the half-width of its interval, where there is one.
func figure(interval map[string]float64, name string, digits int, x *float64) string {
	if x == nil {
		return "–"
	}
	s := fmt.Sprintf("%.*f", digits, *x)
	if half, ok := interval[name]; ok {
		s += fmt.Sprintf(" ±%.*f", digits, half)
	}
	return s
}
