package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"rappel/datasets/store"
	"rappel/engine"
	"rappel/features"
	"rappel/models"
)

// finding is the outcome of one check.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// findings is what the doctor answers.
type findings struct {
	OK     bool      `json:"ok"`
	Checks []finding `json:"checks"`
}

func (f *findings) note(check string, err error, detail string, args ...any) {
	said := fmt.Sprintf(detail, args...)
	if err != nil {
		said = err.Error()
		f.OK = false
	}
	f.Checks = append(f.Checks, finding{check, err == nil, said})
}

var errUnwell = errors.New("doctor: something is wrong")

// newDoctorCommand returns `rappel doctor`: is this file, this model and this
// machine fit to serve?
func newDoctorCommand() *cobra.Command {
	var db, model string
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor --db FILE [--model DIR]",
		Short: "Check a warehouse, a model and the machine",
		Long: `Check versions, the schema and the integrity of the warehouse, the clock, the
disk, and whether the model was trained on the behaviour vectors that this
version computes. Every block of the file is read. No server may have it open,
and an older schema is brought up to date, as by any other command. Exit code 1
where something is wrong.`,
		Example: "  rappel doctor --db rappel.duckdb --model models/2026-03-01",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if db == "" {
				return usage(errors.New("--db is missing"))
			}
			f := examine(cmd, db, model)
			if err := f.print(cmd.OutOrStdout(), asJSON); err != nil {
				return err
			}
			if !f.OK {
				return errUnwell
			}
			return nil
		},
	}
	c.Flags().StringVar(&db, "db", "", "warehouse `file` (DuckDB)")
	c.Flags().StringVar(&model, "model", "", "model artefact `folder` to check too")
	c.Flags().BoolVar(&asJSON, "json", false, "answer as JSON")
	return c
}

func (f *findings) print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(f)
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, c := range f.Checks {
		mark := "ok"
		if !c.OK {
			mark = "WRONG"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Check, mark, c.Detail)
	}
	return t.Flush()
}

// examine runs all checks; one that needs what an earlier one found broken is
// left out.
func examine(cmd *cobra.Command, db, model string) *findings {
	ctx, now := cmd.Context(), time.Now()
	f := &findings{OK: true}
	f.note("rappel", nil, "%s, %s, %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	_, err := time.LoadLocation("Europe/Brussels")
	f.note("time zones", err, "known")
	if model != "" {
		f.artefact("model", model)
	}
	info, err := os.Stat(db)
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder", db)
	}
	if err != nil {
		f.note("file", err, "")
		return f
	}
	st, err := store.Open(ctx, db, store.Options{Now: time.Now, Log: logger(cmd)})
	if err != nil {
		f.note("file", err, "")
		return f
	}
	defer func() { f.note("close", st.Close(), "in order") }()
	f.note("file", nil, "%s, %.1f MB", db, float64(info.Size())/1e6)
	f.note("disk", st.Room(), "room enough")
	f.warehouse(ctx, st, now)
	list, err := st.Models(ctx)
	f.note("models", err, "%d registered", len(list))
	for _, m := range list {
		if m.Status == store.Serving {
			f.artefact("serving model", m.Path)
		}
	}
	if !f.OK {
		return f
	}
	e, err := engine.New(ctx, st, engine.Options{Now: time.Now, Log: logger(cmd), ModelDir: model})
	if err != nil {
		f.note("books", err, "")
		return f
	}
	f.note("books", nil, "%d creditors; what was learnt of each can be taken up", len(e.Creditors()))
	return f
}

func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		return b.Main.Version
	}
	return "unknown version"
}

func (f *findings) artefact(check, dir string) {
	_, m, err := models.Load(dir, features.SchemaHash())
	if err != nil {
		f.note(check, err, "")
		return
	}
	f.note(check, nil, "%s: whole, and trained on the vectors that this version computes (%s)", m.ID, m.Vector)
}

// laws are what must hold of the rows, each as a query that counts exceptions.
var laws = []struct{ check, query string }{
	{"rows have creditors", `SELECT count(*) FROM (SELECT creditor_id FROM events UNION ALL SELECT creditor_id FROM invoices UNION ALL
		SELECT creditor_id FROM debtors) WHERE creditor_id NOT IN (SELECT creditor_id FROM creditors)`},
	{"no amount is negative", `SELECT (SELECT count(*) FROM invoices WHERE amount < 0) + (SELECT count(*) FROM payments WHERE amount < 0)`},
	{"payments meet their debtor's invoices", `SELECT count(*) FROM payments p JOIN invoices i USING (creditor_id, invoice_id)
		WHERE p.debtor_id <> i.debtor_id`},
	{"propensities lie in (0, 1]", `SELECT count(*) FROM decisions WHERE NOT (propensity > 0 AND propensity <= 1)`},
	{"rewards have decisions", `SELECT count(*) FROM rewards r WHERE NOT EXISTS
		(SELECT 1 FROM decisions d WHERE d.creditor_id = r.creditor_id AND d.decision_id = r.decision_id)`},
}

// warehouse checks schema, blocks, rows and clock.
func (f *findings) warehouse(ctx context.Context, st *store.Store, now time.Time) {
	db := st.DB()
	var engineVersion string
	err := db.QueryRowContext(ctx, "SELECT version()").Scan(&engineVersion)
	f.note("DuckDB", err, "%s", engineVersion)
	schema, err := st.SchemaVersion(ctx)
	f.note("schema", err, "version %d, the newest that this version knows", schema)

	rows, tables, err := readAll(ctx, st)
	f.note("blocks", err, "every block of %d tables with %d rows can be read", tables, rows)
	for _, law := range laws {
		var n int64
		err := db.QueryRowContext(ctx, law.query).Scan(&n)
		if err == nil && n > 0 {
			err = fmt.Errorf("broken by %d rows", n)
		}
		f.note(law.check, err, "holds")
	}

	// The machine wrote these times itself: none can lie ahead of its clock.
	var last time.Time
	err = db.QueryRowContext(ctx, `SELECT max(t) FROM (SELECT max(applied_at) t FROM schema_versions UNION ALL
		SELECT max(created_at) FROM api_keys UNION ALL SELECT max(occurred_at) FROM audit_log)`).Scan(&last)
	if err == nil && last.After(now.Add(time.Minute)) {
		err = fmt.Errorf("it is %s here, and the file was written at %s", now.UTC().Format(time.RFC3339), last.UTC().Format(time.RFC3339))
	}
	f.note("clock", err, "%s, not behind what it wrote before", now.UTC().Format(time.RFC3339))
}

// readAll reads every column of every table, and so has DuckDB compare the
// checksum of every block.
func readAll(ctx context.Context, st *store.Store) (rows int64, tables int, err error) {
	db := st.DB()
	list, err := db.QueryContext(ctx, "SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_catalog = current_database() ORDER BY table_name")
	if err != nil {
		return 0, 0, err
	}
	defer list.Close()
	for list.Next() {
		var name string
		if err := list.Scan(&name); err != nil {
			return 0, 0, err
		}
		var n int64
		var sum *uint64
		if err := db.QueryRowContext(ctx, fmt.Sprintf(`SELECT count(*), bit_xor(hash(t)) FROM "%s" t`, name)).Scan(&n, &sum); err != nil {
			return 0, 0, fmt.Errorf("table %s: %w", name, err)
		}
		rows, tables = rows+n, tables+1
	}
	return rows, tables, list.Err()
}
