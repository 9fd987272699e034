package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rappel/engine"
)

// openData opens a warehouse file, or a lake as an in-memory warehouse over it.
func openData(cmd *cobra.Command, db, lake, model string) (*opened, error) {
	if lake != "" {
		return openLake(cmd.Context(), lake, model, quiet(cmd))
	}
	if err := existing(db); err != nil {
		return nil, err
	}
	return open(cmd.Context(), db, model, 1, quiet(cmd))
}

// existing returns an error where there is no warehouse file: a command that only
// reads makes none, so that a wrong path is not answered from an empty one.
func existing(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no warehouse %s; rappel ingest, serve and demo make one", path)
	}
	if err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder, not the file of a warehouse", path)
	}
	return err
}

// quiet is the logger of a command that answers on stdout: warnings only,
// unless asked for more.
func quiet(cmd *cobra.Command) *slog.Logger {
	if cmd.Flags().Changed("log-level") {
		return logger(cmd)
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// newRecommendCommand returns `rappel recommend`.
func newRecommendCommand() *cobra.Command {
	var db, model, asOf, out string
	var asJSON, all bool
	req := engine.Request{HorizonDays: 7, Alternatives: 3}
	c := &cobra.Command{
		Use:   "recommend --db FILE --creditor ID --debtor ID|--all",
		Short: "The next best action for one debtor, or for all who are overdue",
		Long: `Recommend answers what POST /v1/recommendations would, from the warehouse file
and, with --model, a trained artefact. The decision is logged. It learns first
from what has happened until --as-of.

With --all it decides for every debtor with something overdue and writes one
decision a line (NDJSON) to --out, or to stdout.`,
		Example: "  rappel recommend --db rappel.duckdb --model models/march --creditor acme --debtor D-1007\n  rappel recommend --db rappel.duckdb --model models/march --creditor acme --all --out decisions.ndjson",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if db == "" || req.Creditor == "" || (req.Debtor == "") == !all {
				return usage(errors.New("recommend needs --db, --creditor and one of --debtor and --all"))
			}
			if out != "" && !all {
				return usage(errors.New("--out goes with --all"))
			}
			if req.AsOf, err = moment("--as-of", asOf); err != nil {
				return err
			}
			o, err := openData(cmd, db, "", model)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, o.store.Close()) }()
			if _, err := o.engine.Learn(cmd.Context(), req.Creditor, req.AsOf); err != nil {
				return err
			}
			if all {
				return recommendAll(cmd, o.engine, req, out)
			}
			d, err := o.engine.Recommend(cmd.Context(), req)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), d)
			}
			return printDecision(cmd.OutOrStdout(), d)
		},
	}
	f := c.Flags()
	f.StringVar(&db, "db", "", "warehouse `file`")
	f.StringVar(&model, "model", "", "model artefact (`folder`)")
	f.StringVar(&req.Creditor, "creditor", "", "`id` of the creditor")
	f.StringVar(&req.Debtor, "debtor", "", "`id` of the debtor")
	f.BoolVar(&all, "all", false, "decide for every debtor with something overdue")
	f.StringVar(&out, "out", "", "`file` for the decisions of --all, one a line (default: stdout)")
	f.StringVar(&asOf, "as-of", "", "`time` of the decision, RFC 3339 or a date (default: now)")
	f.IntVar(&req.HorizonDays, "horizon", req.HorizonDays, "days to look ahead")
	f.IntVar(&req.Alternatives, "alternatives", req.Alternatives, "how many runners-up to show")
	f.StringVar(&req.Language, "language", "", "nl, fr or en (default: the debtor's)")
	f.BoolVar(&asJSON, "json", false, "the answer as JSON")
	return c
}

// recommendAll writes a decision for every overdue debtor, and on stderr what
// they come to.
func recommendAll(cmd *cobra.Command, e *engine.Engine, req engine.Request, path string) (err error) {
	ids, err := e.Overdue(req.Creditor, req.AsOf)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if path != "" {
		file, e := os.Create(path)
		if e != nil {
			return e
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		out = file
	}
	buffer := bufio.NewWriter(out)
	enc := json.NewEncoder(buffer)
	counts := map[string]int{}
	if err := e.Batch(cmd.Context(), req, ids, func(d *engine.Decision) error {
		counts[strings.TrimSpace(d.Action+" "+d.Channel+d.HoldReason)]++
		return enc.Encode(d)
	}); err != nil {
		return errors.Join(err, buffer.Flush())
	}
	t := tabwriter.NewWriter(cmd.ErrOrStderr(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "decisions\t%d\n", len(ids))
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(t, "%s\t%d\n", what, counts[what])
	}
	return errors.Join(buffer.Flush(), t.Flush())
}

func printDecision(w io.Writer, d *engine.Decision) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "debtor\t%s of %s\n", d.Debtor, d.Creditor)
	switch d.Action {
	case engine.ActionContact:
		fmt.Fprintf(t, "action\tcontact by %s at %s, %s\n", d.Channel, d.SendAt.Format("Mon 2006-01-02 15:04 MST"), d.Tone)
	case engine.ActionHold:
		fmt.Fprintf(t, "action\thold: %s, until %s\n", d.HoldReason, d.ReviewAt.Format("Mon 2006-01-02 15:04 MST"))
	default:
		fmt.Fprintf(t, "action\twait, look again at %s\n", d.ReviewAt.Format("Mon 2006-01-02 15:04 MST"))
	}
	if d.Action != engine.ActionHold {
		fmt.Fprintf(t, "expected\t%.0f %% paid in 7 days (%.0f %% without), %.1f days saved, worth %.2f\n",
			100*d.Expected.Paid7d, 100*d.Expected.Paid7dAlone, d.Expected.DaysSaved, d.Expected.ValueEUR)
		fmt.Fprintf(t, "probability\t%.3f of drawing just this\n", d.Propensity)
	}
	for i, r := range d.Reasons {
		label := "because"
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(t, "%s\t%+.2f  %s\n", label, r.Contribution, r.Text)
	}
	for i, a := range d.Alternatives {
		label := "instead"
		if i > 0 {
			label = ""
		}
		what := "wait"
		if a.Channel != "" {
			what = fmt.Sprintf("%s at %s, %s", a.Channel, a.SendAt.Format("Mon 15:04"), a.Tone)
		}
		fmt.Fprintf(t, "%s\t%+.2f  %s\n", label, a.ValueEUR, what)
	}
	for i, x := range d.Constraints {
		label := "kept out"
		if i > 0 {
			label = ""
		}
		fmt.Fprintf(t, "%s\t%s\n", label, x.Text)
	}
	fmt.Fprintf(t, "decision\t%s, model %s\n", d.ID, d.Model.ID)
	return t.Flush()
}
