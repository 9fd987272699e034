package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"rappel/api"
	"rappel/datasets/ingest"
	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/datasets/world"
	"rappel/engine"
)

// newDemoCommand returns `rappel demo`: everything, once, on synthetic debtors.
func newDemoCommand() *cobra.Command {
	var debtors, weeks int
	var seed uint64
	var addr, dir string
	c := &cobra.Command{
		Use:   "demo",
		Short: "One synthetic creditor, from files to an open console",
		Long: `Demo generates the files of a synthetic creditor, ingests them, computes
behaviour vectors, trains a model and serves it. It prints one recommendation
and the console's address, and answers until it is stopped.`,
		Example: "  rappel demo --debtors 300 --weeks 30 --addr :8080",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if debtors < 1 || weeks < 1 {
				return usage(errSize)
			}
			return runDemo(cmd, debtors, weeks, seed, addr, dir)
		},
	}
	f := c.Flags()
	f.IntVar(&debtors, "debtors", 300, "how many debtors")
	f.IntVar(&weeks, "weeks", 40, "how many weeks")
	f.Uint64Var(&seed, "seed", 1, "seed of everything drawn")
	f.StringVar(&addr, "addr", ":8080", "address to listen on")
	f.StringVar(&dir, "dir", "", "`folder` for files, warehouse and model (default: a temporary one)")
	return c
}

func runDemo(cmd *cobra.Command, debtors, weeks int, seed uint64, addr, dir string) (err error) {
	ctx, errs := cmd.Context(), cmd.ErrOrStderr()
	// First the address: nothing is more annoying than a taken port at the end.
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w (choose another with --addr)", err)
	}
	defer func() { _ = listener.Close() }()
	if dir == "" {
		if dir, err = os.MkdirTemp("", "rappel-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	started := time.Now()
	step := func(format string, args ...any) {
		fmt.Fprintf(errs, "%5.1fs  %s\n", time.Since(started).Seconds(), fmt.Sprintf(format, args...))
	}

	step("generating %d debtors over %d weeks", debtors, weeks)
	data, db, model := filepath.Join(dir, "data"), filepath.Join(dir, "rappel.duckdb"), filepath.Join(dir, "model")
	end, err := generateDemo(ctx, data, debtors, weeks, seed)
	if err != nil {
		return err
	}
	step("ingesting %s", data)
	creditor, err := ingestDemo(ctx, db, data)
	if err != nil {
		return err
	}
	log := quiet(cmd)
	// The debtors live in the past: the server's clock starts on the morning
	// after their last day, and runs on from there.
	opened := time.Now()
	now := func() time.Time { return end.Add(time.Since(opened)) }
	o, err := openAt(ctx, db, "", seed, now, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.store.Close()) }()

	opt := engine.DefaultTrainOptions()
	opt.To, opt.Seed = end, seed
	opt.Progress = func(s string) { step("training: %s", s) }
	m, report, err := o.engine.Train(ctx, opt)
	if err != nil {
		return err
	}
	if err := m.Save(model, &report.Manifest); err != nil {
		return err
	}
	if err := printTraining(errs, report, model); err != nil {
		return err
	}
	info, err := o.engine.Register(ctx, model, "demo")
	if err != nil {
		return err
	}
	if _, err := o.engine.Promote(ctx, info.ID, "demo"); err != nil {
		return err
	}
	step("learning until %s", end.Format(time.DateOnly))
	if _, err := o.engine.Learn(ctx, creditor, end); err != nil {
		return err
	}
	key, _, err := o.store.CreateKey(ctx, "", nil)
	if err != nil {
		return err
	}
	settings, err := o.engine.Creditor(creditor)
	if err != nil {
		return err
	}
	settings.Autonomy, settings.ApprovalAbove, settings.Capacities = engine.Auto, demoApproval, engine.Capacity{"phone": 12, "letter": 25}
	if err := o.engine.PutCreditor(ctx, settings, "demo"); err != nil {
		return err
	}
	password := madePassword()
	if _, err := o.engine.CreateUser(ctx, engine.User{Name: demoUser, Role: "admin"}, password, "demo"); err != nil {
		return err
	}
	if err := showOne(ctx, cmd.OutOrStdout(), o.engine, creditor, end); err != nil {
		return err
	}
	url := urlOf(listener)
	fmt.Fprintf(cmd.OutOrStdout(), "\nserver\t%s\nkey\t%s\nconsole\t%s/console/\nsign in\t%s\npassword\t%s\n", url, key, url, demoUser, password)
	step("open; stop with Ctrl-C")
	cfg := api.DefaultConfig()
	return api.New(o.engine, cfg, now, log).Serve(ctx, listener)
}

// demoUser signs in to the demo's console; its creditor lets a person approve
// what asks for more than demoApproval.
const (
	demoUser     = "eva"
	demoApproval = 1500
)

// generateDemo writes the files and returns the morning after their last day.
func generateDemo(ctx context.Context, dir string, debtors, weeks int, seed uint64) (time.Time, error) {
	start, err := ledger.ParseDay(defaultStart)
	if err != nil {
		return time.Time{}, err
	}
	if _, err := world.Generate(ctx, world.New(world.Default(), debtors, seed, start), weeks, dir); err != nil {
		return time.Time{}, err
	}
	return (start + ledger.Day(7*weeks)).UTC().Add(5 * time.Hour), nil
}

// ingestDemo reads the files into a new warehouse and returns the creditor.
func ingestDemo(ctx context.Context, db, data string) (creditor string, err error) {
	st, err := store.Open(ctx, db, store.Options{Now: time.Now, Log: discard})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if _, err := ingest.Run(ctx, st, ingest.Options{}, data); err != nil {
		return "", err
	}
	creditors, err := st.Creditors(ctx)
	if err != nil {
		return "", err
	}
	if len(creditors) == 0 {
		return "", errors.New("the files hold no creditor")
	}
	return creditors[0].ID, nil
}

// showOne prints the recommendation that is worth most among the overdue.
func showOne(ctx context.Context, w io.Writer, e *engine.Engine, creditor string, asOf time.Time) error {
	ids, err := e.Overdue(creditor, asOf)
	if err != nil {
		return err
	}
	var best *engine.Decision
	req := engine.Request{Creditor: creditor, AsOf: asOf, HorizonDays: 7, Alternatives: 3, Language: "en"}
	err = e.Batch(ctx, req, ids, func(d *engine.Decision) error {
		if best == nil || d.Action == engine.ActionContact &&
			(best.Action != engine.ActionContact || d.Expected.ValueEUR > best.Expected.ValueEUR) {
			best = d
		}
		return nil
	})
	if err != nil {
		return err
	}
	if best == nil {
		return errors.New("nobody is overdue: try more debtors")
	}
	fmt.Fprintf(w, "%d debtors are overdue on %s; the first to ask:\n\n", len(ids), asOf.Format(time.DateOnly))
	return printDecision(w, best)
}
