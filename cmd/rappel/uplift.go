package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rappel/engine"
)

// newUpliftCommand returns `rappel report uplift`: treatment against control.
func newUpliftCommand() *cobra.Command {
	var db, from, asOf string
	var asJSON bool
	o := engine.UpliftOptions{FeeShare: 0.2}
	c := &cobra.Command{
		Use:   "uplift --db FILE --creditor ID",
		Short: "What the engine earned against the control group, with its interval",
		Long: `Uplift compares the debtors of the treatment arm with those of the control arm,
who follow the creditor's fixed calendar (control_share of the creditor).

A debtor enters with its first decision and counts once it was watched for 30
days. Differences are adjusted for what was known of each debtor before it
entered (CUPED). "at any time" is a confidence sequence: it may be looked at
every day and acted on when it leaves 0; a results-based fee rests on its lower
bound.`,
		Example: "  rappel report uplift --db rappel.duckdb --creditor acme --fee-share 0.15",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if db == "" || o.Creditor == "" {
				return usage(errors.New("report uplift needs --db and --creditor"))
			}
			if o.From, err = moment("--from", from); err != nil {
				return err
			}
			if o.AsOf, err = moment("--as-of", asOf); err != nil {
				return err
			}
			x, err := openData(cmd, db, "", "")
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, x.store.Close()) }()
			u, err := x.engine.Uplift(cmd.Context(), o)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), u)
			}
			return printUplift(cmd.OutOrStdout(), u)
		},
	}
	f := c.Flags()
	f.StringVar(&db, "db", "", "warehouse `file`")
	f.StringVar(&o.Creditor, "creditor", "", "`id` of the creditor")
	f.StringVar(&from, "from", "", "debtors enter from this `time` on (default: the first decision of the control arm)")
	f.StringVar(&asOf, "as-of", "", "`time` of the report, RFC 3339 or a date (default: now)")
	f.Float64Var(&o.FeeShare, "fee-share", o.FeeShare, "share of what was earned that a results-based fee would be")
	f.BoolVar(&asJSON, "json", false, "the report as JSON")
	return c
}

// upliftWords name the measures for people.
var upliftWords = map[string]string{
	"days_outstanding": "days outstanding", "collected_7d": "collected in 7 days", "collected_14d": "collected in 14 days",
	"collected_30d": "collected in 30 days", "cost": "cost of contacts", "complaints": "complaints", "earned": "earned, net",
}

func printUplift(w io.Writer, u *engine.Uplift) error {
	fmt.Fprintf(w, "%s as of %s: %d debtors treated, %d control, since %s; %d too young to count\n",
		u.Creditor, u.AsOf.Format(time.DateOnly), u.Treated, u.Control, u.From.Format(time.DateOnly), u.Young)
	if u.Reason != "" {
		fmt.Fprintf(w, "%s\n", u.Reason)
	}
	if len(u.Measures) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\na debtor\ttreated\tcontrol\tdifference\t%.0f %%\tat any time\tunadjusted\n", 100*u.Level)
	for _, m := range u.Measures {
		fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%+.3f\t%s\t%s\t%+.3f\n", upliftWords[m.Name], m.TreatedMean, m.ControlMean,
			m.Difference.Value, between(&m.Difference.Lo, &m.Difference.Hi), between(m.Sequence.Lo, m.Sequence.Hi), m.Plain.Value)
	}
	if x := u.Earned; x != nil {
		fmt.Fprintf(t, "\nearned\t%.2f %s\tat any time %s\tbetter with probability %.3f\n", x.Euro, u.Currency, between(x.Lo, x.Hi), x.Better)
		fmt.Fprintf(t, "fee of %.0f %%\t%.2f on what is proved\t%.2f on the estimate\n", 100*x.FeeShare, x.Fee, x.FeeOnPoint)
	}
	return t.Flush()
}

// between shows an interval; a bound that is not known yet as a dash.
func between(lo, hi *float64) string {
	word := func(x *float64) string {
		if x == nil {
			return "–"
		}
		return fmt.Sprintf("%+.3f", *x)
	}
	return word(lo) + " to " + word(hi)
}
