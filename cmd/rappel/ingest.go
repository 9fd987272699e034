package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rappel/datasets/ingest"
	"rappel/datasets/store"
)

// ingestOptions are the flags of `rappel ingest`.
type ingestOptions struct {
	db, creditor, table, mapping, onError, rejected string
}

// newIngestCommand returns `rappel ingest`: files into the warehouse.
func newIngestCommand() *cobra.Command {
	var o ingestOptions
	c := &cobra.Command{
		Use:   "ingest --db FILE PATH...",
		Short: "Read CSV, Parquet and NDJSON files into the warehouse",
		Long: `Read files into the warehouse: CSV (also .gz, or one of a .zip as
FILE.zip#MEMBER), Parquet, NDJSON, and folders of them.

A file named after a table (debtors.csv, payments.parquet) or in a folder named
after one feeds that table; otherwise --table says which, or --mapping how the
columns of a foreign file become ours. A file events.ndjson holds events as the
API takes them. Mappings for real data sets are in docs/mappings; docs/ingest.md
explains all of it.

Rows that cannot be read go to PATH.rejected.ndjson with row number, column and
reason; the others stay. With --on-error stop the first one ends the run and
nothing is kept. A second run of the same file changes nothing.

The tables: ` + strings.Join(ingest.Tables(), " ") + `.`,
		Example: `  rappel ingest --db rappel.duckdb data/
  rappel ingest --db rappel.duckdb --creditor acme --table payments march.csv
  rappel ingest --db rappel.duckdb --creditor fines --mapping docs/mappings/traffic-fines.yaml log.csv.gz`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runIngest(cmd, &o, args) },
	}
	f := c.Flags()
	f.StringVar(&o.db, "db", "", "warehouse `file`; a new one is created")
	f.StringVar(&o.creditor, "creditor", "", "`id` of the creditor whose data it is, where the files do not say")
	f.StringVar(&o.table, "table", "", "`name` of the table, where file names do not say")
	f.StringVar(&o.mapping, "mapping", "", "YAML `file` that says how foreign columns become ours")
	f.StringVar(&o.onError, "on-error", "skip", "stop or skip: what a bad row does")
	f.StringVar(&o.rejected, "rejected", "", "`folder` for rejected rows instead of beside their file")
	return c
}

func runIngest(cmd *cobra.Command, o *ingestOptions, paths []string) (err error) {
	if o.db == "" {
		return usage(errors.New("--db is needed"))
	}
	if o.onError != "stop" && o.onError != "skip" {
		return usage(fmt.Errorf("--on-error: %q is neither stop nor skip", o.onError))
	}
	opt := ingest.Options{Creditor: o.creditor, Table: o.table, Stop: o.onError == "stop", Rejected: o.rejected}
	if o.mapping != "" {
		if opt.Mapping, err = ingest.ReadMapping(o.mapping); err != nil {
			return err
		}
	}
	erase := func() {}
	if out, ok := cmd.ErrOrStderr().(*os.File); ok && term.IsTerminal(int(out.Fd())) {
		opt.Progress = func(path string, rows int) { fmt.Fprintf(out, "\r\x1b[K%s: %d rows", path, rows) }
		erase = func() { fmt.Fprint(out, "\r\x1b[K") }
	}
	s, err := store.Open(cmd.Context(), o.db, store.Options{Now: time.Now, Log: logger(cmd)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	reports, err := ingest.Run(cmd.Context(), s, opt, paths...)
	erase()
	return errors.Join(printReports(cmd.OutOrStdout(), reports), err)
}

// printReports prints what became of each file.
func printReports(out io.Writer, reports []ingest.Report) error {
	if len(reports) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "file\ttable\trows\tnew\trejected")
	for _, r := range reports {
		for i, t := range r.Tables {
			rejected := ""
			if i == 0 {
				rejected = strconv.Itoa(r.Rejected)
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\n", r.Path, t.Table, t.Rows, t.New, rejected)
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range reports {
		if len(r.Ignored) > 0 {
			fmt.Fprintf(out, "%s: ignored columns: %s\n", r.Path, strings.Join(r.Ignored, ", "))
		}
		if r.RejectedPath != "" {
			fmt.Fprintf(out, "%s: %d of %d rows rejected, see %s\n", r.Path, r.Rejected, r.Read, r.RejectedPath)
		}
	}
	return nil
}
