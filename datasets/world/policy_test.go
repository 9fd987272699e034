package world

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rappel/datasets/ledger"
)

// TestOrderOfPolicies: knowing all beats counting beats the calendar, on every
// seed, and what the oracle does not know costs it.
func TestOrderOfPolicies(t *testing.T) {
	trial := Trial{
		Spec: Default(), Debtors: 150, Weeks: 17, Seed: 21, Seeds: 2, Start: monday,
		Policies: []string{"fixed", "simple", "oracle", "oracle-channels"}, Make: NewPolicy,
	}
	late := make(map[string]map[uint64]float64)
	trial.Progress = func(name string, seed uint64, o Outcome) {
		if late[name] == nil {
			late[name] = make(map[uint64]float64)
		}
		late[name][seed] = o.DaysLateEUR
	}
	r, err := trial.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seed := range late["fixed"] {
		if f, s, o := late["fixed"][seed], late["simple"][seed], late["oracle"][seed]; !(o < s && s < f) {
			t.Errorf("seed %d: oracle %.2f, simple %.2f, fixed %.2f days late", seed, o, s, f)
		}
	}
	by := make(map[string]Outcome)
	for _, o := range r.Policies {
		by[o.Name] = o
		if len(o.ByMonth) != 5 || o.ByMonth[0].Month != "2025-01" {
			t.Errorf("%s: months %+v", o.Name, o.ByMonth)
		}
	}
	if a, b := by["oracle"].TotalEUR, by["oracle-channels"].TotalEUR; a >= b {
		t.Errorf("not knowing the channels saves: %.0f with, %.0f without", a, b)
	}
	if g := by["fixed"].GapClosed; g == nil || *g != 0 {
		t.Errorf("gap closed by fixed = %v, want 0", g)
	}
	for name, o := range by {
		if g := o.LessLate; g == nil || (*g == 0) != (name == "fixed") {
			t.Errorf("%s is less late than fixed by %v", name, g)
		}
	}
	if g := by["oracle"].GapClosed; g == nil || *g != 1 {
		t.Errorf("gap closed by oracle = %v, want 1", g)
	}
	for _, m := range by["simple"].ByMonth {
		if m.GapClosed == nil || m.Interval["gap_closed"] == 0 || m.Interval["days_late_eur"] == 0 {
			t.Errorf("%s of two seeds has no gap or no interval: %+v", m.Month, m)
		}
	}
	if by["simple"].Interval["gap_closed"] == 0 {
		t.Error("no interval over two seeds")
	}
	if _, err := NewPolicy(t.Context(), "prayer", New(Default(), 1, 1, monday), 7); !errors.Is(err, ErrPolicy) {
		t.Errorf("NewPolicy(prayer) = %v", err)
	}
}

// TestSegmented: the pilot never chooses worse than the fixed ladder for the
// pilot's own debtors.
func TestSegmented(t *testing.T) {
	s, err := NewSegmented(t.Context(), Default(), 60, 5, monday, 60)
	if err != nil {
		t.Fatal(err)
	}
	cost := func(p Policy) float64 {
		w := New(Default(), 60, 5, monday)
		if _, err := Play(t.Context(), w, p, 60); err != nil {
			t.Fatal(err)
		}
		total := w.Truth.Total()
		return w.spec.Cost(&total)
	}
	if got, fixed := cost(s), cost(NewFixed(FixedLadder)); got > fixed+0.01 {
		t.Errorf("segment costs %.2f in its own pilot, fixed %.2f", got, fixed)
	}
}

func TestFixedLadder(t *testing.T) {
	loc, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	a := &Account{ID: "D1", Zone: loc, Usable: [5]bool{true, true, true, true, true}, Open: []OpenInvoice{{ID: "i", Due: monday, Cents: 100}}}
	book := &Book{Accounts: []*Account{a}}
	p := NewFixed(FixedLadder)
	var got []string
	for day := range 45 {
		m := Morning{Day: day, Date: monday + ledger.Day(day), Now: (monday + ledger.Day(day)).In(loc), Book: book}
		acts, err := p.Act(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range acts {
			got = append(got, fmt.Sprint(day, " ", x.Channel, " ", x.Tone, " ", x.SendAt.In(loc).Format("15:04")))
			a.Sent = append(a.Sent, SentContact{Channel: x.Channel, At: x.SendAt})
		}
	}
	// Day 20 is a Sunday: the letter goes on the Monday.
	want := "3 email friendly 09:00, 10 email neutral 09:00, 21 letter formal 09:00, 30 phone formal 09:00"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// TestSendTimes: a local hour is that hour in the debtor's zone on every day of
// a year, daylight-saving days included, or is not sent at all.
func TestSendTimes(t *testing.T) {
	brussels, err := time.LoadLocation("Europe/Brussels")
	if err != nil {
		t.Fatal(err)
	}
	for _, zone := range []string{"Europe/Brussels", "Europe/London", "America/New_York"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		sent := 0
		for day := monday; day < monday+365; day++ {
			m := Morning{Date: day, Now: day.In(brussels)}
			for hour := firstHour; hour <= lastHour; hour++ {
				act, ok := m.send(&Account{Zone: loc}, ledger.Email, float64(hour), ledger.Friendly)
				if !ok {
					continue
				}
				sent++
				if act.SendAt.In(loc).Hour() != hour || ledger.DayOf(act.SendAt, brussels) != day {
					t.Fatalf("%s %v at %d: sent %v", zone, day, hour, act.SendAt.In(loc))
				}
			}
		}
		if sent < 365*11 {
			t.Errorf("%s: only %d of %d hours can be sent at", zone, sent, 365*12)
		}
	}
}

// TestGenerate: every file has the columns of the warehouse's table, the same
// seed gives the same bytes, and the rows agree with each other.
func TestGenerate(t *testing.T) {
	dirs := [2]string{t.TempDir(), t.TempDir()}
	var rows map[string]int
	for _, dir := range dirs {
		var err error
		if rows, err = Generate(t.Context(), New(Default(), 60, 9, monday), 16, dir); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := os.ReadFile("../store/migrations/0001_warehouse.sql")
	if err != nil {
		t.Fatal(err)
	}
	tables := make(map[string][][]string)
	for _, name := range Tables() {
		a, err := os.ReadFile(filepath.Join(dirs[0], name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dirs[1], name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("%s differs between two runs", name)
		}
		records, err := csv.NewReader(strings.NewReader(string(a))).ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tables[name] = records[1:]
		if rows[name] != len(records)-1 || rows[name] == 0 {
			t.Errorf("%s: %d rows said, %d written", name, rows[name], len(records)-1)
		}
		_, table, found := strings.Cut(string(schema), "CREATE TABLE "+name+" (")
		table, _, _ = strings.Cut(table, "\n);")
		for _, column := range records[0] {
			if !found || !strings.Contains(table, "\n    "+column+" ") {
				t.Errorf("%s has no column %s in the warehouse", name, column)
			}
		}
	}
	debtors := make(map[string]bool)
	for _, r := range tables["debtors"] {
		debtors[r[1]] = true
	}
	invoices := make(map[string]bool)
	for _, r := range tables["invoices"] {
		invoices[r[1]] = true
		if !debtors[r[2]] {
			t.Fatalf("invoice %s of nobody", r[1])
		}
	}
	for _, r := range tables["payments"] {
		if !invoices[r[2]] {
			t.Fatalf("payment %s of no invoice", r[1])
		}
	}
	hours := make(map[string]bool)
	for _, r := range tables["contacts"] {
		hours[r[5][11:13]] = true
	}
	if len(hours) < 8 {
		t.Errorf("contacts were sent at %d different hours only", len(hours))
	}
}

// TestRemote plays against a server that answers as the contract says: with one
// contact today, one meant for tomorrow, one to wait for.
func TestRemote(t *testing.T) {
	var learnt, batches, busy int
	var created map[string]any
	sent := make(map[string]bool)
	events := make(map[string]int)
	mux := http.NewServeMux()
	var callable []string // this morning: something is due within three days
	mux.HandleFunc("PUT /v1/creditors/{id}", func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&created); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /v1/events", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer rk_1" {
			t.Errorf("Authorization %q", r.Header.Get("Authorization"))
		}
		if busy++; busy == 2 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		good, _, rejected, err := ledger.ParseEvents(body, false)
		if err != nil || len(rejected) > 0 {
			t.Errorf("events: %v, %v", err, rejected)
		}
		for i := range good {
			events[good[i].Type]++
			for _, c := range good[i].Rows.Contacts {
				sent[c.Decision] = true
			}
		}
		fmt.Fprintf(w, `{"accepted": %d, "duplicates": 0, "rejected": []}`, len(good))
	})
	mux.HandleFunc("POST /v1/learn", func(http.ResponseWriter, *http.Request) { learnt++ })
	mux.HandleFunc("POST /v1/recommendations/batch", func(w http.ResponseWriter, r *http.Request) {
		var ask struct {
			AsOf    time.Time `json:"as_of"`
			Debtors []string  `json:"debtor_ids"`
		}
		if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || !slices.Equal(ask.Debtors, callable) {
			t.Errorf("asked %+v, %v; callable are %v", ask, err, callable)
		}
		batches++
		for i, in := range []time.Duration{9 * time.Hour, 33 * time.Hour} {
			fmt.Fprintf(w, `{"decision_id": "d-%d-%d", "debtor_id": "D0000%d", "action": "contact", "channel": "sms", "tone": "friendly", "offer": null, "send_at": %q}`+"\n",
				batches, i, i+1, ask.AsOf.Add(in).Format(time.RFC3339))
		}
		fmt.Fprintln(w, `{"decision_id": "x", "debtor_id": "D00003", "action": "wait", "channel": null, "send_at": null}`)
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	w := New(Default(), 20, 1, monday)
	r := watched{NewRemote(w.Spec(), server.URL+"/", "rk_1"), &callable}
	if _, err := Play(t.Context(), w, r, 3); err != nil {
		t.Fatal(err)
	}
	if created["policy_pack"] != "open" || created["timezone"] != "Europe/Brussels" {
		t.Errorf("creditor %v", created)
	}
	if learnt != 3 || batches != 3 || events["contact.sent"] != 3 || events["debtor.upserted"] == 0 {
		t.Errorf("learnt %d, asked %d, events %v", learnt, batches, events)
	}
	for i := range 3 {
		if !sent[fmt.Sprintf("d-%d-0", i+1)] || sent[fmt.Sprintf("d-%d-1", i+1)] {
			t.Errorf("day %d: sent %v", i, sent)
		}
	}
}

// watched is a remote policy that tells whom it may ask for.
type watched struct {
	*Remote
	callable *[]string
}

func (w watched) Act(ctx context.Context, m Morning) ([]Action, error) {
	*w.callable = nil
	for _, a := range m.Book.Accounts {
		if cents, _ := a.Claim(m.Date, 3); cents > 0 {
			*w.callable = append(*w.callable, a.ID)
		}
	}
	return w.Remote.Act(ctx, m)
}

// FuzzRemote plays against a server that answers anything at all.
func FuzzRemote(f *testing.F) {
	f.Add([]byte(`{"accepted": 9, "duplicates": 0, "rejected": []}`))
	f.Add([]byte(`{"decision_id": "d", "debtor_id": "D00001", "action": "contact", "channel": "sms", "tone": "friendly", "send_at": "2025-01-06T10:00:00Z", "rejected": [7]}`))
	f.Add([]byte("null\n{}\n[]"))
	var body atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(body.Load().([]byte))
	}))
	defer server.Close()
	w := New(Default(), 3, 1, monday)
	at := Morning{Now: monday.UTC(), Date: monday, Book: NewBook()}
	f.Fuzz(func(t *testing.T, answer []byte) {
		body.Store(answer)
		r := NewRemote(w.Spec(), server.URL, "k")
		for _, err := range []error{r.Observe(t.Context(), at, []Event{{}}), second(r.Act(t.Context(), at))} {
			if err != nil && !errors.Is(err, ErrServer) {
				t.Errorf("%v is no fault of the server", err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestRemoteRefused: what the server says is wrong comes back as an error.
func TestRemoteRefused(t *testing.T) {
	for _, c := range []struct{ name, path, answer, want string }{
		{"no such creditor", "/v1/creditors/demo", "", "404"},
		{"a rejected event", "/v1/events", `{"accepted": 0, "rejected": [{"index": 0, "code": "bad_time"}]}`, "bad_time"},
		{"no JSON", "/v1/recommendations/batch", "<html>", "html"},
		{"a debtor of somebody else", "/v1/recommendations/batch", `{"action": "contact", "debtor_id": "X", "channel": "sms", "tone": "formal", "send_at": "2025-01-06T10:00:00+01:00"}`, "debtor_id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == c.path && c.answer == "":
					w.WriteHeader(http.StatusNotFound)
				case r.URL.Path == c.path:
					fmt.Fprint(w, c.answer)
				case r.URL.Path == "/v1/events":
					body, _ := io.ReadAll(r.Body)
					var events []json.RawMessage
					if err := json.Unmarshal(body, &events); err != nil {
						t.Error(err)
					}
					fmt.Fprintf(w, `{"accepted": %d}`, len(events))
				}
			}))
			defer server.Close()
			w := New(Default(), 5, 1, monday)
			_, err := Play(context.Background(), w, NewRemote(w.Spec(), server.URL, "k"), 1)
			if !errors.Is(err, ErrServer) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Play() = %v, want ErrServer about %q", err, c.want)
			}
		})
	}
}

func BenchmarkHalfYear(b *testing.B) {
	for _, name := range []string{"fixed", "simple", "oracle"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w := New(Default(), 1500, 1, monday)
				p, err := NewPolicy(b.Context(), name, w, 182)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := Play(b.Context(), w, p, 182); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// An oracle's name says what it is blind to, to one thing or several.
func TestBlind(t *testing.T) {
	for _, c := range []struct {
		name string
		want []string
		ok   bool
	}{
		{"oracle", nil, true},
		{"oracle-channels", []string{"channels"}, true},
		{"oracle-channels+runs+moods", []string{"channels", "runs", "moods"}, true},
		{"oracle-", nil, false},
		{"oracle-channels+luck", nil, false},
		{"simple", nil, false},
	} {
		got, ok := Blind(c.name)
		if ok != c.ok || ok && !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v, want %q, %v", c.name, got, ok, c.want, c.ok)
		}
		if w := New(Default(), 1, 1, 0); ok && NewOracle(w, got...).Name() != c.name {
			t.Errorf("the oracle blind to %q is called %q, want %q", got, NewOracle(w, got...).Name(), c.name)
		}
	}
}
