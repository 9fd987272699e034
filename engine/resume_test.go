package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// office is an engine over a file that can be closed and opened again.
type office struct {
	*Engine
	t     *testing.T
	path  string
	store *store.Store
	n     int
}

func newOffice(t *testing.T) *office {
	o := &office{t: t, path: filepath.Join(t.TempDir(), "w.duckdb")}
	o.open()
	c := DefaultCreditor("c")
	if err := o.PutCreditor(t.Context(), c, "test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.store.Close() })
	return o
}

func (o *office) open() {
	o.t.Helper()
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(o.t.Context(), o.path, store.Options{Now: time.Now, Log: log, Threads: 1})
	if err != nil {
		o.t.Fatal(err)
	}
	e, err := New(o.t.Context(), st, Options{Now: time.Now, Log: log, Seed: 1})
	if err != nil {
		o.t.Fatal(err)
	}
	o.Engine, o.store = e, st
}

func (o *office) reopen() {
	o.t.Helper()
	if err := o.store.Close(); err != nil {
		o.t.Fatal(err)
	}
	o.open()
}

func (o *office) tell(debtor string, lines ...string) {
	o.t.Helper()
	if _, _, err := o.Ingest(o.t.Context(), events(o.t, debtor, &o.n, lines...)); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) learn(at time.Time) {
	o.t.Helper()
	if _, err := o.Learn(o.t.Context(), "c", at); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) ask(debtor string, at time.Time) *Decision {
	o.t.Helper()
	d, err := o.Recommend(o.t.Context(), Request{Creditor: "c", Debtor: debtor, AsOf: at, Alternatives: 2})
	if err != nil {
		o.t.Fatal(err)
	}
	return d
}

const offices = 6 // debtors

var opening = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC) // of an office

// found issues the first invoices of a small book.
func (o *office) found() {
	o.t.Helper()
	for i := range offices {
		issued := opening.AddDate(0, 0, -40).Format(time.RFC3339)
		lines := []string{"debtor.upserted " + issued + " " + everywhere}
		for k := range 3 {
			lines = append(lines, fmt.Sprintf(`invoice.issued %s {"invoice_id":"i%d-%d","issued_at":%q,"due_on":"2026-0%d-%02d","amount":%d,"currency":"EUR"}`,
				issued, i, k, issued, 2+k/2, 5+i+7*(k%2), 100*(i+1)))
		}
		o.tell(fmt.Sprintf("d%d", i), lines...)
	}
}

// rhythm says how many days lie between two learnings, and between two mornings
// on which everyone is asked for.
type rhythm struct{ learn, ask int }

// live plays days of the book: what is proposed is sent; every third is read and
// every fifth moves the debtor to pay. Every four weeks there is a new invoice.
// before is called each morning.
func (o *office) live(from, to int, every rhythm, before func(day int)) (answers []string) {
	o.t.Helper()
	for day := from; day < to; day++ {
		at := opening.AddDate(0, 0, day)
		if before != nil {
			before(day)
		}
		if day > 0 && day%28 == 0 {
			for i := range offices {
				o.tell(fmt.Sprintf("d%d", i), fmt.Sprintf(`invoice.issued %s {"invoice_id":"m%d-%d","issued_at":%q,"due_on":%q,"amount":%d,"currency":"EUR"}`,
					at.Format(time.RFC3339), day, i, at.Format(time.RFC3339), at.AddDate(0, 0, 10).Format(time.DateOnly), 100*(i+1)))
			}
		}
		if day%every.learn == 0 {
			o.learn(at)
		}
		if day%every.ask != 0 {
			continue
		}
		for i := range offices {
			debtor := fmt.Sprintf("d%d", i)
			d := o.ask(debtor, at)
			answers = append(answers, asJSON(o.t, d))
			if d.Action != ActionContact {
				continue
			}
			sent, id := d.SendAt.UTC(), fmt.Sprintf("k%d-%d", day, i)
			lines := []string{fmt.Sprintf(`contact.sent %s {"contact_id":%q,"decision_id":%q,"channel":%q,"tone":%q}`, sent.Format(time.RFC3339), id, d.ID, d.Channel, d.Tone)}
			if (day+i)%3 == 0 && d.Channel != "letter" {
				lines = append(lines, fmt.Sprintf(`contact.replied %s {"contact_id":%q}`, sent.Add(time.Hour).Format(time.RFC3339), id))
			}
			if (day+i)%5 == 0 && len(d.Invoices) > 0 {
				lines = append(lines, fmt.Sprintf(`payment.received %s {"payment_id":%q,"invoice_id":%q,"amount":%d}`,
					sent.Add(2*time.Hour).Format(time.RFC3339), "p"+id, d.Invoices[0], 100*(i+1)))
			}
			o.tell(debtor, lines...)
		}
	}
	return answers
}

// died returns an office that opens what is on disk at this moment, as after a
// process that was killed.
func (o *office) died() *office {
	o.t.Helper()
	heir := &office{t: o.t, path: filepath.Join(o.t.TempDir(), "w.duckdb"), n: o.n}
	for _, end := range []string{"", ".wal"} {
		b, err := os.ReadFile(o.path + end)
		if end != "" && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			o.t.Fatal(err)
		}
		if err := os.WriteFile(heir.path+end, b, 0o600); err != nil {
			o.t.Fatal(err)
		}
	}
	heir.open()
	o.t.Cleanup(func() { _ = heir.store.Close() })
	return heir
}

// Killed in the middle of five months with a learning a week, nearly each of which
// estimates everything anew, the engine gives for the rest of it the answers that
// it gives undisturbed.
func TestKilledInTheMiddle(t *testing.T) {
	const weeks, middle = 22, 13
	every := rhythm{learn: 7, ask: 5}
	plain := newOffice(t)
	plain.found()
	plain.live(0, middle*7+3, every, nil)
	heir := plain.died()
	want := plain.live(middle*7+3, weeks*7, every, nil)
	got := heir.live(middle*7+3, weeks*7, every, nil)
	contacts := 0
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("answer %d after the kill:\n%s\nwithout\n%s", i, got[i], want[i])
		}
		if strings.Contains(want[i], `"action":"contact"`) {
			contacts++
		}
	}
	if len(want) < 10*offices || contacts < offices {
		t.Errorf("%d answers, %d of them contacts: little was tested", len(want), contacts)
	}
	if plain.books["c"].learned.Load().model.FittedAt < opening.AddDate(0, 0, (weeks-3)*7).Unix() {
		t.Error("nothing was estimated anew after the kill")
	}
}

func TestRestartChangesNoAnswer(t *testing.T) {
	plain := newOffice(t)
	every := rhythm{learn: 4, ask: 1}
	plain.found()
	want := plain.live(0, 10, every, nil)
	broken := newOffice(t)
	broken.found()
	got := broken.live(0, 10, every, func(day int) {
		if day%3 == 2 {
			broken.reopen()
		}
	})
	contacts := 0
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("day %d, debtor %d: after restarts\n%s\nwithout\n%s", i/offices, i%offices, got[i], want[i])
		}
		if strings.Contains(want[i], `"action":"contact"`) {
			contacts++
		}
	}
	if contacts < offices {
		t.Errorf("%d contacts proposed: little was tested", contacts)
	}

	// Long after, the same question as of the first days has the same answer:
	// from what had been learnt by then, whatever came since.
	at := time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC)
	for i := range offices {
		if got := asJSON(t, plain.ask(fmt.Sprintf("d%d", i), at)); got != want[2*offices+i] {
			t.Errorf("debtor %d, asked again\n%s\nthen\n%s", i, got, want[2*offices+i])
		}
	}

	key := ledger.Key{Creditor: "c", Debtor: "d1"}
	if err := plain.Erase(t.Context(), key, "test"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := plain.Recommend(t.Context(), Request{Creditor: "c", Debtor: "d1", AsOf: at}); err == nil {
			t.Error("an erased debtor is still known")
		}
		l := plain.books["c"].learned.Load()
		if _, known := l.rows["d1"]; known || l.model.Debtor(key) >= 0 {
			t.Error("what was learnt of an erased debtor is still there")
		}
		plain.reopen()
	}
}
