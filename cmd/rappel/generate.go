package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rappel/datasets/ledger"
	"rappel/datasets/world"
)

// generateOptions are the flags of `rappel generate`.
type generateOptions struct {
	world   string
	out     string
	start   string
	debtors int
	weeks   int
	seed    uint64
	example bool
}

// newGenerateCommand returns `rappel generate`: the files of a synthetic
// creditor.
func newGenerateCommand() *cobra.Command {
	var o generateOptions
	c := &cobra.Command{
		Use:   "generate --out DIR",
		Short: "Write the files of a synthetic creditor",
		Long: `Write the files of a synthetic creditor, one CSV file for each table of the
warehouse, ready for rappel ingest.

The world file says who the debtors are, when they look, what they answer to and
when they pay; without --world the built-in one is used, and --example prints it
with its comments. In these files the creditor followed a fixed ladder of
reminders at irregular office hours. The same flags give the same bytes.`,
		Example: `  rappel generate --out data --debtors 500 --weeks 52
  rappel generate --example > world.yaml
  rappel generate --world world.yaml --out data --seed 7`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runGenerate(cmd, &o) },
	}
	f := c.Flags()
	f.StringVar(&o.world, "world", "", "world `file` (default: the built-in world)")
	f.StringVar(&o.out, "out", "", "`folder` to write to")
	f.IntVar(&o.debtors, "debtors", 500, "how many debtors")
	f.IntVar(&o.weeks, "weeks", 52, "how many weeks")
	f.Uint64Var(&o.seed, "seed", 1, "seed of everything drawn")
	f.StringVar(&o.start, "start", defaultStart, "first `day`")
	f.BoolVar(&o.example, "example", false, "print the built-in world file and stop")
	return c
}

// defaultStart is the first day of a synthetic creditor, a Monday.
const defaultStart = "2025-01-06"

var errSize = errors.New("--debtors and --weeks must be at least 1")

// runGenerate carries out `rappel generate`.
func runGenerate(cmd *cobra.Command, o *generateOptions) error {
	if o.example {
		_, err := cmd.OutOrStdout().Write(world.DefaultYAML())
		return err
	}
	if o.out == "" {
		return usage(errors.New("--out is needed: the folder to write to"))
	}
	if o.debtors < 1 || o.weeks < 1 {
		return usage(errSize)
	}
	start, err := ledger.ParseDay(o.start)
	if err != nil {
		return usage(fmt.Errorf("--start: %w", err))
	}
	spec, err := world.Load(o.world)
	if err != nil {
		return err
	}
	rows, err := world.Generate(cmd.Context(), world.New(spec, o.debtors, o.seed, start), o.weeks, o.out)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(cmd.ErrOrStderr(), 0, 4, 2, ' ', 0)
	for _, name := range world.Tables() {
		fmt.Fprintf(t, "%s\t%9d rows\n", name, rows[name])
	}
	return t.Flush()
}
