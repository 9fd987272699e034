package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rappel/engine"
	"rappel/models"
)

// newEvaluateHazardCommand returns `rappel evaluate hazard`: how well invoices
// are foretold that the fit has not seen.
func newEvaluateHazardCommand() *cobra.Command {
	var gate float64
	d := trainingData{o: engine.DefaultTrainOptions()}
	c := &cobra.Command{
		Use:   "hazard --db FILE --holdout-from DATE",
		Short: "How well the pay hazard foretells invoices it was not fitted to",
		Long: `Hazard fits the pay hazard to one part of the data, foretells each invoice of
the next part on its day of issue, and compares with what came of it until --to:
Brier score and calibration of P(paid within so many days), beside Kaplan-Meier
on the first part and beside a constant that knows the answer. Invoices not
followed so far count through those that were (inverse probability of censoring
weights); those disputed, put on a plan or handed over are not paid.

It writes nothing. With --gate it exits 1 unless the calibration error is at
most so much, and the Brier score below that of Kaplan-Meier, at every horizon.`,
		Example: "  rappel evaluate hazard --db rappel.duckdb --holdout-from 2026-01-01 --horizon 28,60 --gate 0.03",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			x, err := d.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, x.store.Close()) }()
			erase := progress(cmd.ErrOrStderr(), &d.o.Progress)
			r, err := x.engine.EvaluateHazard(cmd.Context(), d.o)
			erase()
			if err != nil {
				return err
			}
			if d.json {
				err = writeJSON(cmd.OutOrStdout(), r)
			} else {
				err = printHazard(cmd.OutOrStdout(), r)
			}
			if err == nil && cmd.Flags().Changed("gate") {
				err = passes(&r.Score, gate)
			}
			return err
		},
	}
	d.flags(c.Flags())
	c.Flags().Float64Var(&gate, "gate", 0, "largest calibration error that passes")
	return c
}

// passes returns why a score does not pass the gate, or nil.
func passes(s *models.Score, gate float64) error {
	if len(s.At) == 0 {
		return errors.New("no invoice of the holdout to judge by")
	}
	var errs []error
	for _, m := range s.At {
		if m.Calibration > gate {
			errs = append(errs, fmt.Errorf("calibration error at %d days is %.4f, above %v", m.Days, m.Calibration, gate))
		}
		if m.Brier >= m.KaplanMeier {
			errs = append(errs, fmt.Errorf("a Brier score at %d days is %.4f, not below the %.4f of Kaplan-Meier", m.Days, m.Brier, m.KaplanMeier))
		}
	}
	return errors.Join(errs...)
}

func printHazard(w io.Writer, r *engine.HazardReport) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "window\t%s to %s\tholdout from %s\n", r.From.Format(time.DateOnly), r.To.Format(time.DateOnly), r.Cut.Format(time.DateOnly))
	fmt.Fprintf(t, "fitted to\t%d person-periods\n", r.Periods)
	printScore(t, &r.Score)
	return t.Flush()
}

func printScore(t io.Writer, s *models.Score) {
	fmt.Fprintf(t, "holdout\t%d invoices\t%d paid\n", s.Invoices, s.Paid)
	fmt.Fprintf(t, "concordance\t%.4f\tof the expected day of payment\n", s.Concordance)
	fmt.Fprintf(t, "days to payment, MAE\t%.2f\t%.2f for a constant\n", s.MAE, s.MAEMean)
	for _, m := range s.At {
		fmt.Fprintf(t, "Brier at %d days\t%.4f\t%.4f for Kaplan-Meier, %.4f for a constant\n", m.Days, m.Brier, m.KaplanMeier, m.Constant)
		fmt.Fprintf(t, "calibration error\t%.4f\tmean over tenths; paid %.4f, foretold %.4f\n", m.Calibration, m.Seen, m.Told)
	}
}
