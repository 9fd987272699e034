package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"rappel/datasets/ledger"
	"rappel/engine"
	"rappel/models"
)

// newTrainCommand returns `rappel train`: vectors and history to an artefact.
func newTrainCommand() *cobra.Command {
	var out string
	d := trainingData{o: engine.DefaultTrainOptions()}
	c := &cobra.Command{
		Use:   "train --db FILE --out MODELDIR",
		Short: "Train a model on the warehouse and write its artefact",
		Long: `Train estimates the pay hazard, open times, the response of channels and the
rewards of decisions on everything seen in the window, and writes them as an
artefact: a folder with a manifest and Arrow files. The report scores the pay
hazard on the end of the window, fitted to what lay before. The same data and
seed give the same bytes.`,
		Example: "  rappel train --db rappel.duckdb --out models/march --to 2026-04-01",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if out == "" {
				return usage(errors.New("train needs --out"))
			}
			x, err := d.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, x.store.Close()) }()
			erase := progress(cmd.ErrOrStderr(), &d.o.Progress)
			m, r, err := x.engine.Train(cmd.Context(), d.o)
			erase()
			if err != nil {
				return err
			}
			if err := m.Save(out, &r.Manifest); err != nil {
				return err
			}
			if d.db != "" { // a lake keeps no audit log
				if err := x.store.Audit(cmd.Context(), "", "cli", "train", r.Manifest.ID, out); err != nil {
					return err
				}
			}
			if d.json {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			return printTraining(cmd.OutOrStdout(), r, out)
		},
	}
	c.Flags().StringVar(&out, "out", "", "`folder` of the artefact")
	c.Flags().Uint64Var(&d.o.Seed, "seed", d.o.Seed, "seed")
	d.flags(c.Flags())
	return c
}

// trainingData is the flags of `rappel train` and `evaluate hazard`: which data
// is fitted to, and on which of it a fit is scored.
type trainingData struct {
	db, lake, from, to, cut string
	o                       engine.TrainOptions
	json                    bool
}

func (d *trainingData) flags(f *pflag.FlagSet) {
	f.StringVar(&d.db, "db", "", "warehouse `file`")
	f.StringVar(&d.lake, "lake", "", "`folder` of Parquet files instead of a warehouse")
	f.StringVar(&d.from, "from", "", "begin of the data window, RFC 3339 or a date (default: the first invoice)")
	f.StringVar(&d.to, "to", "", "end of the data window (default: now)")
	f.Float64Var(&d.o.Holdout, "holdout", d.o.Holdout, "share of the window, at its end, that the report is scored on")
	f.StringVar(&d.cut, "holdout-from", "", "begin of what the report is scored on, RFC 3339 or a date (instead of --holdout)")
	f.IntSliceVar(&d.o.Horizons, "horizon", d.o.Horizons, "`days` after issue of the Brier score and the calibration; several by commas")
	f.BoolVar(&d.json, "json", false, "the report as JSON")
}

// open checks the flags, puts them into d.o and opens the data.
func (d *trainingData) open(cmd *cobra.Command) (x *opened, err error) {
	if (d.db == "") == (d.lake == "") {
		return nil, usage(fmt.Errorf("%s needs one of --db and --lake", cmd.Name()))
	}
	if d.o.From, err = moment("--from", d.from); err != nil {
		return nil, err
	}
	if d.o.To, err = moment("--to", d.to); err != nil {
		return nil, err
	}
	if d.o.Cut, err = moment("--holdout-from", d.cut); err != nil {
		return nil, err
	}
	for _, days := range d.o.Horizons {
		if days < 1 || days > models.Longest {
			return nil, usage(fmt.Errorf("--horizon: %d is not between 1 and %d", days, models.Longest))
		}
	}
	if d.o.Holdout <= 0 || d.o.Holdout >= 1 {
		return nil, usage(fmt.Errorf("--holdout: %v is not between 0 and 1", d.o.Holdout))
	}
	return openData(cmd, d.db, d.lake, "")
}

// moment reads a flag that is an RFC 3339 time or a date in UTC; empty is zero.
func moment(flag, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := ledger.ParseTime(s); err == nil {
		return t, nil
	}
	if d, err := ledger.ParseDay(s); err == nil {
		return d.UTC(), nil
	}
	return time.Time{}, usage(fmt.Errorf("%s: %q is neither an RFC 3339 time nor a date", flag, s))
}

// progress shows steps on a terminal; erase takes them away.
func progress(w io.Writer, step *func(string)) (erase func()) {
	out, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) {
		return func() {}
	}
	*step = func(s string) { fmt.Fprintf(out, "\r\x1b[K%s …", s) }
	return func() { fmt.Fprint(out, "\r\x1b[K") }
}

func printTraining(w io.Writer, r *engine.TrainReport, dir string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	s := &r.Score
	fmt.Fprintf(t, "artefact\t%s\t%s\n", r.Manifest.ID, dir)
	fmt.Fprintf(t, "window\t%s to %s\tholdout from %s\n", day(r.Manifest.From), day(r.Manifest.To), day(r.Cut))
	fmt.Fprintf(t, "rows\t%d debtors, %d person-periods\t%d contacts, %d rewards\n",
		r.Manifest.Rows["debtors"], r.Manifest.Rows["person_periods"], r.Contacts, r.Rewards)
	printScore(t, s)
	if r.Machines.Opens > 0 {
		fmt.Fprintf(t, "openings\t%d\t%.1f %% by machines, left out\n", r.Machines.Opens, 100*r.Machines.Share)
	}
	x := &r.Timing
	if x.Events > 0 {
		fmt.Fprintf(t, "open times\t%.0f signs\t%.3f nats a sign for all, %.3f per debtor, held out; half-life %.0f days\n",
			x.Events, x.All, x.Debtor, x.HalfLife)
		fmt.Fprintf(t, "behaviour groups\t%d tried\t%+.3f ± %.3f nats a sign, held out; %d kept\n",
			x.GroupsTried, x.GroupGain, x.GroupSE, x.Groups)
	}
	if h := &x.Hours; h.All.Trials > 0 {
		claimed := 0
		for _, p := range h.Profiles {
			if p.Claimed {
				claimed++
			}
		}
		fmt.Fprintf(t, "do hours matter\tp = %.4f\t%.2f ± %.2f of what is foretold; claimed for %d of %d profiles, set aside in %d\n",
			h.All.P, h.All.Slope, h.All.SE, claimed, len(h.Profiles), len(h.Flat))
	}
	for _, w := range x.Weather {
		if w.Kept {
			fmt.Fprintf(t, "weather\tsector %s\tp = %.4f, %+.3f nats a sign, held out\n", w.Sector, w.P, w.Gain)
		}
	}
	fmt.Fprintf(t, "rewards\thalf-life %.0f days\n", r.RewardHalfLife)
	return t.Flush()
}
