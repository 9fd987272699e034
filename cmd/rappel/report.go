package main

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rappel/engine"
	"rappel/models/timing"
)

//go:embed sql/report_*.sql
var reportSQL embed.FS

// reportOptions are the flags of `rappel report`.
type reportOptions struct {
	db, model, creditor, spells string
	asOf                        time.Time
	weeks, backtest             int
	seed                        uint64
}

// newReportCommand returns `rappel report`: what a book says of its debtors.
func newReportCommand() *cobra.Command {
	var o reportOptions
	var asOf string
	var asJSON bool
	c := &cobra.Command{
		Use:   "report --db FILE --creditor ID",
		Short: "Who pays when, what they answer to, and the cash to come",
		Long: `Report reads a warehouse and prints, as of a moment:

  payers    how many invoices were paid in time and late, asked and unasked
  weekdays  the days on which money comes
  response  signs and payments after contacts, by channel and attempt
  opens     the hours of the week at which people open, machines set apart
  forecast  the cash of the coming weeks from open invoices, with a range

--spells also writes the life of every invoice in pieces between contacts, to
a .csv or .parquet file: rows of a regression of the time to pay with contacts
as time-varying covariates, for rappel survival fit.`,
		Example: `  rappel report --db rappel.duckdb --model models/march --creditor acme --as-of 2026-03-01
  rappel report --db rappel.duckdb --creditor acme --spells spells.csv
  rappel survival fit --input spells.csv --entry start --duration stop --event paid --covariates letter,overdue`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.db == "" || o.creditor == "" {
				return usage(errors.New("report needs --db and --creditor"))
			}
			if ext := filepath.Ext(o.spells); o.spells != "" && ext != ".csv" && ext != ".parquet" {
				return usage(fmt.Errorf("--spells: %s ends in neither .csv nor .parquet", o.spells))
			}
			if o.asOf, err = moment("--as-of", asOf); err != nil {
				return err
			}
			if o.asOf.IsZero() {
				o.asOf = time.Now()
			}
			x, err := openData(cmd, o.db, "", o.model)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, x.store.Close()) }()
			r, err := newReport(cmd.Context(), x, &o)
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), r)
			}
			return r.print(cmd.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&o.db, "db", "", "warehouse `file`")
	f.StringVar(&o.model, "model", "", "model artefact (`folder`) of the forecast (default: the promoted one, else the built-in priors)")
	f.StringVar(&o.creditor, "creditor", "", "`id` of the creditor")
	f.StringVar(&asOf, "as-of", "", "`time` of the report, RFC 3339 or a date (default: now)")
	f.IntVar(&o.weeks, "weeks", 8, "weeks of the forecast")
	f.IntVar(&o.backtest, "backtest", 0, "past weeks whose forecast is compared with what came")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the forecast")
	f.StringVar(&o.spells, "spells", "", "also write pieces of invoices' lives to this `file`")
	f.BoolVar(&asJSON, "json", false, "the report as JSON")
	c.AddCommand(newUpliftCommand())
	return c
}

// report is what `rappel report` prints.
type report struct {
	Creditor string           `json:"creditor_id"`
	AsOf     time.Time        `json:"as_of"`
	Currency string           `json:"currency"`
	Payers   []payers         `json:"payers"`
	Weekdays [7]weekdayLine   `json:"weekdays"` // Monday first
	Response []responseLine   `json:"response"`
	Opens    *opensReport     `json:"opens,omitempty"`
	Forecast *engine.Forecast `json:"forecast,omitempty"`
	Spells   int64            `json:"spells,omitempty"` // rows written
}

// payers is one way of paying an invoice.
type payers struct {
	What     string   `json:"what"`
	Invoices int      `json:"invoices"`
	Share    float64  `json:"share"` // of all invoices
	Amount   float64  `json:"amount"`
	Days     *float64 `json:"days_median"` // from issue to settlement; null: open
	Late     *float64 `json:"late_median"`
}

// payerWords are the ways of paying, in order.
var payerWords = []struct{ what, words string }{
	{"in_time_unasked", "paid in time, not asked"},
	{"in_time_asked", "paid in time, after a contact"},
	{"late_unasked", "paid late, not asked"},
	{"late_asked", "paid late, after a contact"},
	{"open_not_due", "open, not yet due"},
	{"open_overdue", "open, overdue"},
}

type weekdayLine struct {
	Payments int     `json:"payments"`
	Amount   float64 `json:"amount"`
}

type responseLine struct {
	Channel string `json:"channel"`
	Attempt int    `json:"attempt"` // 6: the sixth and later
	Sends   int    `json:"sends"`
	Signs   int    `json:"signs"`
	Paid7   int    `json:"paid_7d"`
	Ripe7   int    `json:"ripe_7d"`
	Paid28  int    `json:"paid_28d"`
	Ripe28  int    `json:"ripe_28d"`
}

// opensReport is when people open, and how much of the log they are.
type opensReport struct {
	Opens        int                   `json:"opens"`
	Machine      int                   `json:"machine"`
	MachineShare float64               `json:"machine_share"`
	Verdicts     map[string]int        `json:"verdicts"`
	Machines     int                   `json:"machine_debtors"` // machines on the whole
	Debtors      int                   `json:"debtors"`         // people
	Hours        [timing.Hours]float64 `json:"hours"`           // people's openings by hour of the week
	// NatsForAll and NatsPerDebtor are the held-out log-likelihoods of an
	// opening's hour under one curve for all, and under each debtor's own.
	NatsForAll    number `json:"nats_for_all"`
	NatsPerDebtor number `json:"nats_per_debtor"`
}

func newReport(ctx context.Context, x *opened, o *reportOptions) (*report, error) {
	c, err := x.engine.Creditor(o.creditor)
	if err != nil {
		return nil, err
	}
	r := &report{Creditor: o.creditor, AsOf: o.asOf, Currency: c.Currency}
	conn, err := x.store.DB().Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	db := reader{ctx, conn}
	if _, err := conn.ExecContext(ctx, reportText("bill"), o.creditor, o.asOf); err != nil {
		return nil, fmt.Errorf("invoices: %w", err)
	}
	steps := []struct {
		name string
		fill func(reader, *reportOptions) error
	}{{"payers", r.payers}, {"weekdays", r.weekdays}, {"response", r.response}, {"opens", r.opens}, {"spells", r.spells}}
	for _, s := range steps {
		if err := s.fill(db, o); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if len(r.Payers) == 0 {
		return r, nil // nothing to foretell
	}
	r.Forecast, err = x.engine.Forecast(ctx, o.creditor, o.asOf, o.weeks, o.backtest, o.seed)
	return r, err
}

func reportText(name string) string {
	b, err := reportSQL.ReadFile("sql/report_" + name + ".sql")
	if err != nil {
		panic(err) // the file is part of the binary
	}
	return string(b)
}

// reader reads the queries of a report on one connection.
type reader struct {
	ctx  context.Context
	conn *sql.Conn
}

// each runs the query of a name and calls row for each row of its answer.
func (d reader) each(name string, row func(scan func(...any) error) error, args ...any) error {
	rows, err := d.conn.QueryContext(d.ctx, reportText(name), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (r *report) payers(db reader, o *reportOptions) error {
	byWhat := map[string]payers{}
	all := 0
	err := db.each("payers", func(scan func(...any) error) error {
		var p payers
		err := scan(&p.What, &p.Invoices, &p.Amount, &p.Days, &p.Late)
		byWhat[p.What] = p
		all += p.Invoices
		return err
	}, o.asOf)
	for _, w := range payerWords {
		if p, ok := byWhat[w.what]; ok {
			p.Share = float64(p.Invoices) / float64(all)
			r.Payers = append(r.Payers, p)
		}
	}
	return err
}

func (r *report) weekdays(db reader, o *reportOptions) error {
	return db.each("weekday", func(scan func(...any) error) error {
		var day int
		var w weekdayLine
		err := scan(&day, &w.Payments, &w.Amount)
		r.Weekdays[day] = w
		return err
	}, o.creditor, o.asOf)
}

func (r *report) response(db reader, o *reportOptions) error {
	return db.each("response", func(scan func(...any) error) error {
		var l responseLine
		err := scan(&l.Channel, &l.Attempt, &l.Sends, &l.Signs, &l.Paid7, &l.Ripe7, &l.Paid28, &l.Ripe28)
		r.Response = append(r.Response, l)
		return err
	}, o.creditor, o.asOf)
}

func (r *report) opens(db reader, o *reportOptions) error {
	var opens []timing.Open
	var hours []int
	var flagged []bool
	ids := map[string]int32{}
	err := db.each("opens", func(scan func(...any) error) error {
		var id string
		var open timing.Open
		var hour int
		var machine bool
		err := scan(&id, &open.Time, &hour, &open.Delivered, &machine)
		if _, ok := ids[id]; !ok {
			ids[id] = int32(len(ids))
		}
		open.Debtor = ids[id]
		opens, hours, flagged = append(opens, open), append(hours, hour), append(flagged, machine)
		return err
	}, o.creditor, o.asOf)
	if err != nil || len(opens) == 0 {
		return err
	}
	verdicts := make([]timing.Verdict, len(opens))
	found := timing.Machines(verdicts, opens, timing.DefaultMachineOptions())
	a := &opensReport{Opens: len(opens), Machines: len(found.Readers), Debtors: len(ids) - len(found.Readers), Verdicts: map[string]int{}}
	counts := make([]float32, len(ids)*timing.Hours)
	for i, v := range verdicts {
		if flagged[i] && !v.Machine() {
			a.Verdicts["flagged"]++
			a.Machine++
			continue
		}
		a.Verdicts[v.String()]++
		if v.Machine() {
			a.Machine++
		}
		if v == timing.Human {
			a.Hours[hours[i]]++
			counts[int(opens[i].Debtor)*timing.Hours+hours[i]]++
		}
	}
	a.MachineShare = float64(a.Machine) / float64(a.Opens)
	profile := make([]int32, len(ids))
	for i := range profile {
		profile[i] = -1
	}
	fit, err := timing.Fit(timing.Rows{Counts: counts, Profile: profile}, timing.DefaultOptions(0))
	if err != nil {
		return err
	}
	a.NatsForAll, a.NatsPerDebtor = number(fit.Report.All), number(fit.Report.Debtor)
	r.Opens = a
	return nil
}

func (r *report) spells(db reader, o *reportOptions) error {
	if o.spells == "" {
		return nil
	}
	const table = "report_spells"
	if _, err := db.conn.ExecContext(db.ctx, "CREATE OR REPLACE TEMP TABLE "+table+" AS "+reportText("spells"), o.creditor, o.asOf); err != nil {
		return err
	}
	result, err := db.conn.ExecContext(db.ctx, "COPY "+table+" TO '"+strings.ReplaceAll(o.spells, "'", "''")+"'")
	if err != nil {
		return err
	}
	r.Spells, err = result.RowsAffected()
	return err
}

// print writes the report as tables, in colour where w is a terminal.
func (r *report) print(w io.Writer) error {
	p := page{w: w}
	if f, ok := w.(*os.File); ok && os.Getenv("NO_COLOR") == "" {
		p.colour = term.IsTerminal(int(f.Fd()))
	}
	fmt.Fprintf(w, "%s as of %s\n", r.Creditor, r.AsOf.Format(time.RFC3339))
	return errors.Join(
		r.printPayers(&p), r.printWeekdays(&p), r.printResponse(&p), r.printOpens(&p), r.printForecast(&p), r.printSpells(w))
}

// page is where a report is printed.
type page struct {
	w      io.Writer
	colour bool
}

// section prints a heading and what write puts in the columns of a table.
func (p *page) section(title string, write func(t io.Writer)) error {
	if p.colour {
		title = "\x1b[1m" + title + "\x1b[0m"
	}
	fmt.Fprintf(p.w, "\n%s\n", title)
	t := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	write(t)
	return t.Flush()
}

// blocks draws a share of width cells, to an eighth of one.
func blocks(share float64, width int) string {
	eighths := int(math.Round(share * float64(width) * 8))
	s := strings.Repeat("█", eighths/8)
	if k := eighths % 8; k > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[k-1])
	}
	return s
}

func (r *report) printPayers(p *page) error {
	if len(r.Payers) == 0 {
		return nil
	}
	return p.section("Who pays", func(t io.Writer) {
		fmt.Fprintf(t, "invoice\tinvoices\tshare\t%s\tdays to pay\tdays late\n", r.Currency)
		for _, line := range r.Payers {
			words := ""
			for _, w := range payerWords {
				if w.what == line.What {
					words = w.words
				}
			}
			fmt.Fprintf(t, "%s\t%d\t%.1f %%\t%.0f\t%s\t%s\n", words, line.Invoices, 100*line.Share, line.Amount, days(line.Days), days(line.Late))
		}
	})
}

// days shows a median of days.
func days(x *float64) string {
	if x == nil {
		return ""
	}
	return fmt.Sprintf("%.0f", *x)
}

// weekdayNames are the days of a week, Monday first.
var weekdayNames = [7]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

func (r *report) printWeekdays(p *page) error {
	most := 0
	for _, d := range r.Weekdays {
		most = max(most, d.Payments)
	}
	if most == 0 {
		return nil
	}
	return p.section("Weekday of payment", func(t io.Writer) {
		for k, d := range r.Weekdays {
			fmt.Fprintf(t, "%s\t%d\t%s\n", weekdayNames[k], d.Payments, blocks(float64(d.Payments)/float64(most), 40))
		}
	})
}

func (r *report) printResponse(p *page) error {
	if len(r.Response) == 0 {
		return nil
	}
	return p.section("Response by channel and attempt", func(t io.Writer) {
		fmt.Fprintln(t, "channel\tattempt\tsent\tsign of a person\tpaid in 7 days\tpaid in 28 days")
		for _, l := range r.Response {
			attempt := strconv.Itoa(l.Attempt)
			if l.Attempt == 6 {
				attempt = "6+"
			}
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", l.Channel, attempt, l.Sends,
				percent(l.Signs, l.Sends), percent(l.Paid7, l.Ripe7), percent(l.Paid28, l.Ripe28))
		}
	})
}

func percent(k, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", 100*float64(k)/float64(n))
}

// shades are the steps of a heat map, and heat their colours on a terminal
// (the 256-colour palette).
var (
	shades = []rune(" ░▒▓█")
	heat   = [...]int{234, 22, 28, 34, 40, 118, 226, 220, 214, 208}
)

func (r *report) printOpens(p *page) error {
	o := r.Opens
	if o == nil {
		return nil
	}
	most := 0.0
	for _, n := range o.Hours {
		most = max(most, n)
	}
	return p.section("Hours at which people open", func(t io.Writer) {
		fmt.Fprintf(t, "%d opens, %.1f %% by machines; %d debtors are machines, %d people\n", o.Opens, 100*o.MachineShare, o.Machines, o.Debtors)
		fmt.Fprintf(t, "an open's hour, held out: %.3f nats from one curve for all, %.3f from each debtor's own\n",
			float64(o.NatsForAll), float64(o.NatsPerDebtor))
		fmt.Fprintln(t, "    0     3     6     9     12    15    18    21")
		for day := range 7 {
			var b strings.Builder
			for hour := range 24 {
				share := 0.0
				if most > 0 {
					share = o.Hours[day*24+hour] / most
				}
				if p.colour {
					fmt.Fprintf(&b, "\x1b[48;5;%dm  \x1b[0m", heat[min(int(share*float64(len(heat))), len(heat)-1)])
					continue
				}
				c := string(shades[int(math.Ceil(share*float64(len(shades)-1)))])
				b.WriteString(c + c)
			}
			fmt.Fprintf(t, "%s %s\n", weekdayNames[day], b.String())
		}
	})
}

func (r *report) printForecast(p *page) error {
	f := r.Forecast
	if f == nil {
		return nil
	}
	most := 0.0
	for _, w := range f.Weeks {
		most = max(most, w.P90)
	}
	return p.section("Cash to come, "+f.Currency, func(t io.Writer) {
		fmt.Fprintln(t, "week of\tp10\tp50\tp90")
		for _, w := range f.Weeks {
			line := ""
			if most > 0 {
				line = blocks(w.P50/most, 30)
			}
			fmt.Fprintf(t, "%s\t%.0f\t%.0f\t%.0f\t%s\n", w.From, w.P10, w.P50, w.P90, line)
		}
		fmt.Fprintf(t, "from %d open invoices of %.0f; %.0f more is held (disputes, plans, collectors)\n", f.Invoices, f.Open, f.Held)
		fmt.Fprintf(t, "of the %d weeks before: %.0f foretold, %.0f came; hence level %.2f, shared shock %.2f\n",
			f.Check.Weeks, f.Check.Expected, f.Check.Came, f.Level, f.Shock)
		if f.Backtest != nil {
			fmt.Fprintf(t, "as it would have been foretold: %.0f %% of %d weeks lay between p10 and p90\n", 100*f.Backtest.Within, f.Backtest.Cells)
		}
	})
}

func (r *report) printSpells(w io.Writer) error {
	if r.Spells == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%d pieces of invoices' lives written\n", r.Spells)
	return err
}
