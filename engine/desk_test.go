package engine

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/features/signal"
	"rappel/models"
)

// desk is an engine in memory alone, with one creditor "c": decisions need no
// file.
type desk struct {
	*Engine
	t testing.TB
	n int // events so far
}

// newDesk opens a desk; edit changes the creditor's settings.
func newDesk(t testing.TB, edit func(*Creditor)) *desk {
	t.Helper()
	packs, err := Packs()
	if err != nil {
		t.Fatal(err)
	}
	e := &Engine{
		opt: Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), Seed: 1}, packs: packs, books: map[string]*book{},
		champion: champion{id: PriorID, model: models.Prior()},
	}
	e.scratch.New = func() any { return newScratch() }
	days := map[string]map[ledger.Day]struct{}{}
	for _, country := range holidayCountries {
		list, err := signal.Holidays(country, 2024, 2030)
		if err != nil {
			t.Fatal(err)
		}
		days[country] = map[ledger.Day]struct{}{}
		for _, h := range list {
			days[country][h.Day] = struct{}{}
		}
	}
	e.calendar.Store(&calendar{days})
	d := &desk{Engine: e, t: t}
	d.settle(edit)
	return d
}

// settle opens the book of the creditor, empty.
func (d *desk) settle(edit func(*Creditor)) {
	d.t.Helper()
	c := DefaultCreditor("c")
	if edit != nil {
		edit(&c)
	}
	if err := c.Validate(d.packs); err != nil {
		d.t.Fatal(err)
	}
	d.books["c"] = d.newBook(&c)
}

// tell folds events of debtor, each "type time {data}".
func (d *desk) tell(debtor string, lines ...string) {
	d.t.Helper()
	for _, ev := range events(d.t, debtor, &d.n, lines...) {
		d.fold(d.t.Context(), &ev.Rows)
	}
}

// events reads lines "type time {data}" of one debtor of creditor c; n counts
// them.
func events(t testing.TB, debtor string, n *int, lines ...string) []ledger.Event {
	t.Helper()
	var body strings.Builder
	for _, line := range lines {
		part := strings.SplitN(line, " ", 3)
		*n++
		fmt.Fprintf(&body, `{"id":"e%d","type":%q,"time":%q,"creditor_id":"c","debtor_id":%q,"data":%s}`+"\n", *n, part[0], part[1], debtor, part[2])
	}
	list, _, rejected, err := ledger.ParseEvents([]byte(body.String()), true)
	if err != nil || len(rejected) > 0 {
		t.Fatalf("%v %+v", err, rejected)
	}
	return list
}

// ask answers without a log.
func (d *desk) answerTo(req Request) (*Decision, ledger.Decision) {
	d.t.Helper()
	req.Creditor = "c"
	b := d.books["c"]
	a, row, err := d.answer(newScratch(), b, b.learned.Load(), &req)
	if err != nil {
		d.t.Fatal(err)
	}
	return a, row
}

func (d *desk) ask(debtor, asOf string) *Decision {
	d.t.Helper()
	a, _ := d.answerTo(Request{Debtor: debtor, AsOf: moment(d.t, asOf)})
	return a
}

func moment(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// everywhere is a debtor who may be reached on every channel.
const everywhere = `{"kind":"consumer","language":"nl","timezone":"Europe/Brussels","country":"BE","channels":[` +
	`{"channel":"email","reachable":true,"consent":true},{"channel":"sms","reachable":true,"consent":true},` +
	`{"channel":"whatsapp","reachable":true,"consent":true},{"channel":"letter","reachable":true,"consent":true},` +
	`{"channel":"phone","reachable":true,"consent":true}]}`
