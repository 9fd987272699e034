package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rappel/engine"
)

// newAlertsCommand returns `rappel alerts`: whose behaviour has changed.
func newAlertsCommand() *cobra.Command {
	var db, asOf, language string
	var asJSON bool
	var q engine.AlertQuery
	c := &cobra.Command{
		Use:   "alerts --db FILE --creditor ID",
		Short: "The debtors and groups whose behaviour has changed",
		Long: `Alerts draws up the lists of alerts of every day until --as-of that has none
yet, as a server would have done each morning, writes them to the warehouse and
prints those that stand: the most euro at risk × confidence first. A list rests
on nothing that happened after its day.`,
		Example: `  rappel alerts --db rappel.duckdb --creditor acme
  rappel alerts --db rappel.duckdb --creditor acme --as-of 2026-03-01 --status open --json`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if db == "" || q.Creditor == "" {
				return usage(errors.New("alerts needs --db and --creditor"))
			}
			if q.AsOf, err = moment("--as-of", asOf); err != nil {
				return err
			}
			o, err := openData(cmd, db, "", "")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, o.store.Close()) }()
			if err := o.engine.Watch(cmd.Context(), q.Creditor, q.AsOf); err != nil {
				return err
			}
			page, err := o.engine.Alerts(cmd.Context(), q)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), page)
			}
			return printAlerts(cmd.OutOrStdout(), page, language)
		},
	}
	f := c.Flags()
	f.StringVar(&db, "db", "", "warehouse `file`")
	f.StringVar(&q.Creditor, "creditor", "", "`id` of the creditor")
	f.StringVar(&asOf, "as-of", "", "`time` of the list, RFC 3339 or a date (default: now)")
	f.StringVar(&q.Status, "status", "", "only those that are open, confirmed, dismissed, snoozed or rolled_up (default: all but the last)")
	f.StringVar(&q.Kind, "kind", "", "only those of a `kind`, such as late or overdue")
	f.StringVar(&q.Debtor, "debtor", "", "only those of a debtor (`id`)")
	f.BoolVar(&q.Current, "current", false, "only those that are still true: raised in the last 60 days, and not over")
	f.IntVar(&q.Limit, "limit", 0, "how many at most; 0: all")
	f.StringVar(&q.Cursor, "cursor", "", "the next_cursor of the page before")
	f.StringVar(&language, "language", "en", "nl, fr or en")
	f.BoolVar(&asJSON, "json", false, "the answer as JSON")
	return c
}

// printAlerts writes the list as a table, in colour on a terminal.
func printAlerts(w io.Writer, page *engine.AlertPage, language string) error {
	colour := false
	if f, ok := w.(*os.File); ok && os.Getenv("NO_COLOR") == "" {
		colour = term.IsTerminal(int(f.Fd()))
	}
	var lines strings.Builder
	t := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "raised\tstatus\twho\tkind\tsince\texpected\tseen\tat risk\tsure\tcause\taction")
	for i := range page.Alerts {
		a := &page.Alerts[i]
		who := a.Debtor
		if a.Scope != engine.ScopeDebtor {
			who = fmt.Sprintf("%s %s (%d of %d)", a.Scope, a.Group, len(a.Members), a.GroupSize)
		}
		kind := a.Kind
		if a.Channel != "" {
			kind += " " + a.Channel
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%v\t%.1f to %.1f %s\t%.1f\t%.2f\t%.0f %%\t%s\t%s\n",
			a.RaisedAt.Format(time.DateOnly), a.Status, who, kind, a.Since, a.Expected.Low, a.Expected.High, a.Unit, a.Seen,
			a.EuroAtRisk, 100*a.Confidence, a.Cause.Code, a.Action.Text.In(language))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i, line := range strings.SplitAfter(lines.String(), "\n") {
		if colour && i == 0 {
			line = "\x1b[1m" + strings.TrimSuffix(line, "\n") + "\x1b[0m\n"
		} else if colour && i <= len(page.Alerts) {
			line = shade(&page.Alerts[i-1]) + strings.TrimSuffix(line, "\n") + "\x1b[0m\n"
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
	}
	noun := "alerts"
	if page.Total == 1 {
		noun = "alert"
	}
	_, err := fmt.Fprintln(w, page.Total, noun)
	return err
}

// shade is the colour of a line: red for what is open and sure, yellow for
// what is open, dim for what is dealt with.
func shade(a *engine.Alert) string {
	switch {
	case a.Status != engine.AlertOpen:
		return "\x1b[2m"
	case a.Confidence >= 0.9:
		return "\x1b[31m"
	}
	return "\x1b[33m"
}
