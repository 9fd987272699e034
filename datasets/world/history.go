package world

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rappel/datasets/ledger"
)

// habitLadder is what the creditor did in the past.
var habitLadder = append(append(Ladder{}, FixedLadder...),
	Step{45, ledger.SMS, 10, ledger.Neutral},
	Step{60, ledger.Phone, 10, ledger.Formal},
	Step{90, ledger.Letter, 10, ledger.Formal},
)

// Habit is how the creditor worked before: a fixed ladder, followed by people,
// so at any office hour, now and then over another channel, now and then not.
type Habit struct {
	*Fixed
	Seed uint64
}

// NewHabit returns the past practice of a creditor.
func NewHabit(seed uint64) *Habit { return &Habit{Fixed: NewFixed(habitLadder), Seed: seed} }

// Name returns "habit".
func (h *Habit) Name() string { return "habit" }

// Act follows the ladder with the irregularities of people.
func (h *Habit) Act(ctx context.Context, m Morning) ([]Action, error) {
	steps, err := h.Fixed.Act(ctx, m)
	if err != nil {
		return nil, err
	}
	out := steps[:0]
	for _, act := range steps {
		rng := Stream(h.Seed, "habit/"+act.Debtor+"/"+m.Date.String())
		skip, stray, channel := rng.Float64() < 0.08, rng.Float64() < 0.25, ledger.Channel(rng.IntN(ledger.Channels))
		hour := 8 + 10*rng.Float64()
		if skip {
			continue
		}
		a := m.Book.Account(act.Debtor)
		if !stray || !a.Usable[channel] {
			channel = act.Channel
		}
		if act, ok := m.send(a, channel, hour, act.Tone); ok {
			out = append(out, act)
		}
	}
	return out, nil
}

// Generate plays so many weeks of the creditor's past practice and writes them
// to dir as CSV files, one for each table of the warehouse, by its name and
// with its columns. It returns the number of rows of each file.
func Generate(ctx context.Context, w *World, weeks int, dir string) (rows map[string]int, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	a := &archive{creditor: w.spec.Creditor.ID, dir: dir, files: make(map[string]*file), rows: make(map[string]int), cases: make(map[string][]string), invoices: make(map[string][]string)}
	defer func() {
		if e := a.close(); err == nil {
			err = e
		}
	}()
	recorder := &recording{Policy: NewHabit(w.seed), archive: a}
	if _, err := Play(ctx, w, recorder, 7*weeks); err != nil {
		return nil, err
	}
	for _, id := range a.caseOrder {
		a.write("cases", a.cases[id]...)
	}
	for _, id := range a.invoiceOrder {
		a.write("invoices", a.invoices[id]...)
	}
	c := &w.spec.Creditor
	a.write("creditors", c.ID, c.Name, c.Country, c.Timezone, c.Currency)
	a.signals(w, 7*weeks)
	return a.rows, nil
}

// WriteSignals writes weather.csv, sector_signals.csv and postcodes.csv of the
// first days of a world to dir: all that becomes known in them.
func WriteSignals(w *World, days int, dir string) (err error) {
	a := &archive{dir: dir, files: make(map[string]*file), rows: make(map[string]int)}
	defer func() {
		if e := a.close(); err == nil {
			err = e
		}
	}()
	a.signals(w, days)
	return nil
}

// recording passes events on to the archive.
type recording struct {
	Policy
	archive *archive
}

// Observe writes the events down.
func (r *recording) Observe(ctx context.Context, m Morning, events []Event) error {
	for i := range events {
		r.archive.record(&events[i])
	}
	return r.Policy.Observe(ctx, m, events)
}

// headers are the columns of each file, after creditor_id where it has one.
var headers = map[string]string{
	"creditors":       "creditor_id,name,country,timezone,currency",
	"debtors":         "creditor_id,debtor_id,observed_at,kind,language,timezone,country,postcode,sector_code,created_at",
	"debtor_channels": "creditor_id,debtor_id,channel,observed_at,reachable,consent,opted_out",
	"invoices":        "creditor_id,invoice_id,debtor_id,issued_at,due_on,amount,currency,cancelled_at",
	"payments":        "creditor_id,payment_id,invoice_id,debtor_id,paid_at,amount,method",
	"contacts":        "creditor_id,contact_id,debtor_id,channel,tone,sent_at,cost,invoice_ids",
	"engagements":     "creditor_id,event_id,debtor_id,contact_id,channel,kind,occurred_at,precision",
	"cases":           "creditor_id,case_id,debtor_id,invoice_id,kind,opened_at,expires_on,closed_at,outcome",
	"ratings":         "creditor_id,debtor_id,observed_at,provider,score",
	"weather":         "region,hour,known_at,observed,temperature_c,precipitation_mm,sunshine_min",
	"sector_signals":  "sector_code,region,period,indicator,known_at,value",
	"postcodes":       "country,postcode,region,latitude",
}

// Tables returns the names of the files that Generate writes.
func Tables() []string { return sortedKeys(headers) }

// archive writes rows to CSV files; cases and invoices, which change, are kept
// until the end.
type archive struct {
	creditor     string
	dir          string
	files        map[string]*file
	rows         map[string]int
	cases        map[string][]string
	caseOrder    []string
	invoices     map[string][]string
	invoiceOrder []string
	err          error
}

type file struct {
	f   *os.File
	buf *bufio.Writer
	csv *csv.Writer
}

// write adds a row to a table; the first error is kept for close.
func (a *archive) write(table string, fields ...string) {
	if a.err != nil {
		return
	}
	out := a.files[table]
	if out == nil {
		f, err := os.Create(filepath.Join(a.dir, table+".csv"))
		if err != nil {
			a.err = err
			return
		}
		buf := bufio.NewWriterSize(f, 1<<16)
		out = &file{f: f, buf: buf, csv: csv.NewWriter(buf)}
		a.files[table] = out
		a.err = out.csv.Write(strings.Split(headers[table], ","))
	}
	if err := out.csv.Write(fields); err != nil && a.err == nil {
		a.err = err
	}
	a.rows[table]++
}

// close flushes every file and returns the first error of all writing.
func (a *archive) close() error {
	for _, name := range sortedKeys(a.files) {
		out := a.files[name]
		out.csv.Flush()
		for _, err := range []error{out.csv.Error(), out.buf.Flush(), out.f.Close()} {
			if err != nil && a.err == nil {
				a.err = fmt.Errorf("%s.csv: %w", name, err)
			}
		}
	}
	return a.err
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func number(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) }

// kinds of engagement by type of event.
var engagementKinds = map[string]string{
	"contact.delivered": "delivered", "contact.bounced": "bounced", "contact.opened": "opened", "contact.clicked": "clicked",
	"contact.replied": "replied", "contact.answered": "answered", "invoice.viewed": "viewed",
	"debtor.complained": "complained", "debtor.opted_out": "unsubscribed",
}

// record writes the rows that one event makes.
func (a *archive) record(e *Event) {
	d := &e.Data
	at := stamp(e.Time)
	switch e.Type {
	case "debtor.upserted":
		a.write("debtors", a.creditor, e.Debtor, at, d.Kind, d.Language, d.Timezone, d.Country, d.Postcode, d.SectorCode, at)
		for _, r := range d.Channels {
			a.write("debtor_channels", a.creditor, e.Debtor, r.Channel, at, strconv.FormatBool(r.Reachable), strconv.FormatBool(r.Consent), "false")
		}
	case "invoice.issued":
		a.invoiceOrder = append(a.invoiceOrder, d.InvoiceID)
		a.invoices[d.InvoiceID] = []string{a.creditor, d.InvoiceID, e.Debtor, stamp(d.IssuedAt), d.DueOn.String(), d.Amount.String(), d.Currency, ""}
	case "invoice.cancelled":
		a.invoices[d.InvoiceID][7] = at
	case "payment.received":
		a.write("payments", a.creditor, d.PaymentID, d.InvoiceID, e.Debtor, at, d.Amount.String(), d.Method)
	case "contact.sent":
		a.write("contacts", a.creditor, d.ContactID, e.Debtor, d.Channel, d.Tone, at, d.Cost.String(), strings.Join(d.InvoiceIDs, ";"))
	case "case.opened":
		expires := ""
		if d.ExpiresOn != 0 {
			expires = d.ExpiresOn.String()
		}
		a.caseOrder = append(a.caseOrder, d.CaseID)
		a.cases[d.CaseID] = []string{a.creditor, d.CaseID, e.Debtor, d.InvoiceID, d.Kind, at, expires, "", ""}
	case "case.closed":
		a.cases[d.CaseID][7], a.cases[d.CaseID][8] = at, d.Outcome
	case "rating.changed":
		a.write("ratings", a.creditor, e.Debtor, at, d.Provider, number(d.Score))
	case "debtor.opted_out":
		a.write("debtor_channels", a.creditor, e.Debtor, d.Channel, at, "true", "true", "true")
	}
	if kind := engagementKinds[e.Type]; kind != "" {
		a.write("engagements", a.creditor, e.ID, e.Debtor, d.ContactID, d.Channel, kind, at, "second")
	}
}

// signals writes what the outside world published in the first days.
func (a *archive) signals(w *World, days int) {
	from, to := w.Start(0).Add(-48*time.Hour), w.Start(days)
	for _, r := range w.Weather(from, to) {
		a.write("weather", r.Region, stamp(r.Hour), stamp(r.KnownAt), strconv.FormatBool(r.Observed),
			number(r.TemperatureC), number(r.PrecipitationMM), number(r.SunshineMin))
	}
	for _, r := range w.Signals(from.AddDate(0, -2, 0), to) {
		a.write("sector_signals", r.Sector, "", r.Period.String(), r.Indicator, stamp(r.KnownAt), number(r.Value))
	}
	for _, r := range w.Postcodes() {
		a.write("postcodes", r.Country, r.Postcode, r.Region, number(r.Latitude))
	}
}
