package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// newPlanCommand returns `rappel plan`: one action for every debtor, at once.
func newPlanCommand() *cobra.Command {
	var db, model, date, asOf, out string
	var capacity map[string]int
	var pressure map[string]string
	var blocks []string
	var budget float64
	var asJSON bool
	req := engine.PlanRequest{Explore: engine.DefaultExplore, CallsPerCaller: engine.DefaultCallsPerCaller}
	c := &cobra.Command{
		Use:   "plan --db FILE --creditor ID --out plan.csv|plan.parquet",
		Short: "One action for every debtor of a morning, under shared capacities",
		Long: `Plan decides for all debtors at once: so many contacts a day by channel
(--capacity), by hour (--block), a budget for contacts, and how many of a
profile's debtors may be contacted (--pressure). Each contact goes where it is
worth most; no capacity is ever passed. The table shows what one more unit of
each, and one more caller, would be worth.

Decisions are logged with the probability with which they were drawn under all
constraints. --explore is the share of debtors decided for as if alone, where
that fits; without it a plan cannot be evaluated against another.`,
		Example: `  rappel plan --db rappel.duckdb --model models/march --creditor acme --capacity phone=120,letter=400 --budget 900 --out plan.csv
  rappel plan --db rappel.duckdb --creditor acme --block phone@9-12=40 --block phone@13-17=60 --pressure '*=0.3' --out plan.parquet`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if db == "" || req.Creditor == "" || out == "" {
				return usage(errors.New("plan needs --db, --creditor and --out"))
			}
			if ext := filepath.Ext(out); ext != ".csv" && ext != ".parquet" {
				return usage(fmt.Errorf("--out: %s ends in neither .csv nor .parquet", out))
			}
			if date != "" {
				if req.Day, err = ledger.ParseDay(date); err != nil {
					return usage(fmt.Errorf("--date: %w", err))
				}
			}
			if req.AsOf, err = moment("--as-of", asOf); err != nil {
				return err
			}
			req.Capacity = capacity
			if cmd.Flags().Changed("budget") {
				req.Budget = &budget
			}
			if req.Blocks, err = parseBlocks(blocks); err != nil {
				return usage(err)
			}
			req.Pressure = map[string]float64{}
			for name, text := range pressure {
				if req.Pressure[name], err = strconv.ParseFloat(text, 64); err != nil {
					return usage(fmt.Errorf("--pressure: %s=%s is no share", name, text))
				}
			}
			x, err := openData(cmd, db, "", model)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, x.store.Close()) }()
			if _, err := x.engine.Learn(cmd.Context(), req.Creditor, req.AsOf); err != nil {
				return err
			}
			erase := progress(cmd.ErrOrStderr(), &req.Progress)
			p, err := x.engine.MakePlan(cmd.Context(), req)
			erase()
			if fields := engine.FieldErrors(nil); errors.As(err, &fields) {
				return usage(err)
			}
			if err != nil {
				return err
			}
			if err := x.engine.Audit(cmd.Context(), req.Creditor, "cli", "plan", p.ID, ""); err != nil {
				return err
			}
			if _, err := x.store.WritePlan(cmd.Context(), p.Creditor, p.ID, out); err != nil {
				return err
			}
			peak := peakMB()
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), struct {
					*engine.Plan
					Peak number `json:"peak_mb,omitempty"`
				}{p, number(peak)})
			}
			return printPlan(cmd.OutOrStdout(), p, out, peak)
		},
	}
	f := c.Flags()
	f.StringVar(&db, "db", "", "warehouse `file`")
	f.StringVar(&model, "model", "", "model artefact (`folder`)")
	f.StringVar(&req.Creditor, "creditor", "", "`id` of the creditor")
	f.StringVar(&date, "date", "", "`day` of the contacts (default: that of --as-of)")
	f.StringVar(&asOf, "as-of", "", "`time` of the plan, RFC 3339 or a date (default: the start of --date, or now)")
	f.StringToIntVar(&capacity, "capacity", nil, "contacts of the day by channel, such as phone=120,letter=400 (default: the creditor's)")
	f.StringArrayVar(&blocks, "block", nil, "contacts of a channel within hours, `channel@from-to=n`; may be repeated")
	f.Float64Var(&budget, "budget", 0, "for contacts, in the creditor's currency (default: none)")
	f.StringToStringVar(&pressure, "pressure", nil, "share of a profile's debtors that may be contacted, by kind and sector, kind, or * for all others, such as 'business/56=0.2,consumer=0.1,*=0.3'")
	f.IntVar(&req.CallsPerCaller, "calls-per-caller", req.CallsPerCaller, "calls that one more caller would make on the day")
	f.Float64Var(&req.Explore, "explore", req.Explore, "share of debtors decided for as if alone")
	f.StringVar(&req.Language, "language", "", "nl, fr or en (default: the debtor's)")
	f.StringVar(&out, "out", "", "`file` for the actions, .csv or .parquet")
	f.BoolVar(&asJSON, "json", false, "the summary as JSON")
	return c
}

// parseBlocks reads channel@from-to=n.
func parseBlocks(list []string) (blocks []engine.Block, err error) {
	for _, text := range list {
		var b engine.Block
		channel, rest, ok := strings.Cut(text, "@")
		if _, err := fmt.Sscanf(rest, "%d-%d=%d", &b.From, &b.To, &b.Capacity); err != nil || !ok {
			return nil, fmt.Errorf("--block: %q is not like phone@9-12=40", text)
		}
		b.Channel = channel
		blocks = append(blocks, b)
	}
	return blocks, nil
}

func printPlan(w io.Writer, p *engine.Plan, path string, peak float64) error {
	fmt.Fprintf(w, "plan %s of %s for %s: %d debtors, %d contacts, %d wait, %d held; %s\n",
		p.ID, p.Creditor, p.Day, p.Debtors, p.Contacts, p.Waits, p.Holds, path)
	fmt.Fprintf(w, "worth %.2f %s (%.2f without exploring, no plan more than %.2f), contacts for %.2f; %.1f s",
		p.Value, p.Currency, p.Optimal, p.Bound, p.Cost, p.Seconds)
	if peak > 0 {
		fmt.Fprintf(w, ", %.0f MB of memory at most", peak)
	}
	fmt.Fprintln(w)
	if len(p.Resources) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\ncapacity\tused\tof\tone more is worth")
	for _, r := range p.Resources {
		name := r.Kind
		switch r.Kind {
		case "channel":
			name = r.Channel
		case "block":
			name = fmt.Sprintf("%s %d–%d h", r.Channel, r.From, r.To)
		case "pressure":
			name = "contacts with " + r.Profile
		}
		fmt.Fprintf(t, "%s\t%.4g\t%.4g\t%.2f\n", name, r.Used, r.Capacity, r.Price)
	}
	if p.Caller != nil {
		fmt.Fprintf(t, "\n%s\n", p.Caller.Text)
	}
	return t.Flush()
}
