package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/features"
)

// featuresOptions are the flags of `rappel features`.
type featuresOptions struct {
	db, lake, out, asOf, creditor, points string
}

// newFeaturesCommand returns `rappel features`: behaviour vectors to a file.
func newFeaturesCommand() *cobra.Command {
	var o featuresOptions
	c := &cobra.Command{
		Use:   "features --db FILE|--lake DIR --out FILE",
		Short: "Write the behaviour vectors of all debtors to a file",
		Long: `Write the behaviour vector of every debtor as of a moment, one row a debtor, to a
Parquet (.parquet) or Arrow IPC (.arrow) file. Nothing later than the moment
plays any part. docs/features.md says what each column means; the file repeats
the hash of the schema, which a model trained on it asks for.

With --points, the vector of each debtor as of its own moment: what a model is
trained on, such as one row a contact as of when it was sent. The file is CSV with
the columns creditor_id, debtor_id and as_of (RFC 3339); others are passed over.`,
		Example: `  rappel features --db rappel.duckdb --out vectors.parquet
  rappel features --lake lake/ --as-of 2026-03-01T06:00:00+01:00 --out vectors.arrow
  rappel features --db rappel.duckdb --points contacts.csv --out training.parquet`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runFeatures(cmd, &o) },
	}
	f := c.Flags()
	f.StringVar(&o.db, "db", "", "warehouse `file`")
	f.StringVar(&o.lake, "lake", "", "`folder` of Parquet files instead of a warehouse")
	f.StringVar(&o.out, "out", "", "`file` to write, .parquet or .arrow")
	f.StringVar(&o.asOf, "as-of", "", "`moment` (RFC 3339); now, if empty")
	f.StringVar(&o.creditor, "creditor", "", "only the debtors of this creditor `id`")
	f.StringVar(&o.points, "points", "", "CSV `file` of debtors and moments, instead of everyone at one")
	return c
}

func runFeatures(cmd *cobra.Command, o *featuresOptions) (err error) {
	if (o.db == "") == (o.lake == "") {
		return usage(errors.New("one of --db and --lake is needed"))
	}
	if o.out == "" {
		return usage(errors.New("--out is needed"))
	}
	if o.points != "" && (o.asOf != "" || o.creditor != "") {
		return usage(errors.New("--points says whose vectors and as of when: leave out --as-of and --creditor"))
	}
	asOf, err := momentFlag("as-of", o.asOf)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	src, closeSource, err := openSource(cmd, o.db, o.lake)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	if o.points != "" {
		return exportPoints(cmd, features.New(src), o)
	}
	n, err := features.New(src).Export(ctx, o.out, asOf, features.Filter{Creditor: o.creditor})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d vectors %s as of %s\n", o.out, n, features.SchemaHash(), asOf.Format(time.RFC3339))
	return nil
}

// exportPoints writes the vectors of the points in a file.
func exportPoints(cmd *cobra.Command, p *features.Pipeline, o *featuresOptions) error {
	file, err := os.Open(o.points)
	if err != nil {
		return err
	}
	defer file.Close()
	points, err := features.ReadPoints(file)
	if err != nil {
		return fmt.Errorf("%s: %w", o.points, err)
	}
	n, err := p.ExportAt(cmd.Context(), o.out, points)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %d vectors %s of %d points\n", o.out, n, features.SchemaHash(), len(points))
	return nil
}

// openSource opens a warehouse or, if the path of a lake is given, that.
func openSource(cmd *cobra.Command, db, lake string) (features.Source, func() error, error) {
	if lake != "" {
		l, err := features.OpenLake(cmd.Context(), lake)
		if err != nil {
			return nil, nil, err
		}
		return l, l.Close, nil
	}
	if err := existing(db); err != nil {
		return nil, nil, err
	}
	s, err := store.Open(cmd.Context(), db, store.Options{Now: time.Now, Log: logger(cmd)})
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// momentFlag reads a moment given as a flag; an empty one is now.
func momentFlag(name, text string) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	t, err := ledger.ParseTime(text)
	if err != nil {
		return time.Time{}, usage(fmt.Errorf("--%s: %q is no moment such as 2026-03-01T06:00:00+01:00", name, text))
	}
	return t, nil
}
