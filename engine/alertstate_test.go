package engine

import (
	"bytes"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// TestAlertStateOfAnotherVersion: detectors that another version wrote down are
// not read but learn anew from the events; what was told stays as it was and is not
// told again, and new evidence is told as if nothing had happened.
func TestAlertStateOfAnotherVersion(t *testing.T) {
	ctx := t.Context()
	s := &story{}
	for k := range 30 {
		s.bill(k, 20+7*k, 1, 1, "transfer")
	}
	s.rating(20, 80)
	s.rating(200, 40)
	for name, rewrite := range map[string]func([]byte) []byte{
		"same version": func(b []byte) []byte { return b },
		"older":        func(b []byte) []byte { return bytes.Replace(b, []byte("state 3"), []byte("state 2"), 1) },
		"unversioned":  func(b []byte) []byte { return bytes.TrimPrefix(b, []byte(stateVersion)) },
		"empty":        func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			log := slog.New(slog.NewTextHandler(&said, nil))
			now := func() time.Time { return dayAt(360) }
			st, err := store.Open(ctx, "", store.Options{Now: now, Log: log, Threads: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = st.Close() })
			open := func() *Engine {
				e, err := New(ctx, st, Options{Now: now, Log: log, Seed: 1})
				if err != nil {
					t.Fatal(err)
				}
				return e
			}
			e := open()
			c := DefaultCreditor("acme")
			c.Timezone = "UTC"
			if err := e.PutCreditor(ctx, c, "test"); err != nil {
				t.Fatal(err)
			}
			if _, _, err := e.Ingest(ctx, s.events()); err != nil {
				t.Fatal(err)
			}
			if err := e.Watch(ctx, "acme", dayAt(210)); err != nil {
				t.Fatal(err)
			}
			list := func(e *Engine, day int) []Alert {
				t.Helper()
				page, err := e.Alerts(ctx, AlertQuery{Creditor: "acme", AsOf: dayAt(day)})
				if err != nil {
					t.Fatal(err)
				}
				return page.Alerts
			}
			before := list(e, 210)
			if len(before) != 1 || before[0].Kind != "rating_drop" {
				t.Fatalf("told %+v, want one rating_drop", before)
			}
			asOf, state, err := st.AlertState(ctx, "acme")
			if err != nil || !bytes.HasPrefix(state, []byte(stateVersion)) {
				t.Fatalf("state %.30q, %v", state, err)
			}
			if err := st.PutAlerts(ctx, store.AlertBatch{Creditor: "acme", AsOf: asOf, State: append([]byte{}, rewrite(state)...)}); err != nil {
				t.Fatal(err)
			}

			e = open()
			if warned := strings.Contains(said.String(), "alert state is of another version"); warned != (name != "same version") {
				t.Errorf("warned %v:\n%s", warned, said.String())
			}
			if got := list(e, 210); !reflect.DeepEqual(got, before) {
				t.Errorf("after the restart %+v, before %+v", got, before)
			}
			// A verdict, and then a day on which nothing is new: the alert of before is
			// neither told again nor re-opened.
			if _, err := e.Verdict(ctx, before[0].ID, "acme", VerdictRequest{Verdict: AlertDismissed, AsOf: dayAt(211), By: "eve"}); err != nil {
				t.Fatal(err)
			}
			if err := e.Watch(ctx, "acme", dayAt(215)); err != nil {
				t.Fatal(err)
			}
			after := list(e, 215)
			if len(after) != 1 || after[0].ID != before[0].ID || after[0].Status != AlertDismissed || len(after[0].History) != 2 {
				t.Errorf("nothing is new, but told %+v", after)
			}
			next := &story{}
			next.rating(220, 5)
			if _, _, err := e.Ingest(ctx, []ledger.Event{{ID: "more", Type: "rating.changed", Time: dayAt(220), Creditor: "acme", Debtor: "D", Rows: next.rows}}); err != nil {
				t.Fatal(err)
			}
			if err := e.Watch(ctx, "acme", dayAt(222)); err != nil {
				t.Fatal(err)
			}
			if got := list(e, 222); len(got) != 1 || got[0].Status != AlertOpen || got[0].History[len(got[0].History)-1].Verdict != stepReopened {
				t.Errorf("new evidence: %+v", got)
			}
			if _, state, err = st.AlertState(ctx, "acme"); err != nil || !bytes.HasPrefix(state, []byte(stateVersion)) {
				t.Errorf("state written now: %.30q, %v", state, err)
			}
		})
	}
}

// TestDaysToldByAnotherVersion: what another version did not tell of its days is
// not told afterwards.
func TestDaysToldByAnotherVersion(t *testing.T) {
	ctx := t.Context()
	first, b := alertDesk(t)
	s := &story{}
	for k := range 30 {
		s.bill(k, 20+7*k, 1, 1, "transfer")
	}
	s.rating(20, 80)
	s.rating(200, 40)
	if _, _, err := first.Ingest(ctx, s.events()); err != nil {
		t.Fatal(err)
	}
	if err := first.store.PutAlerts(ctx, store.AlertBatch{Creditor: b.id, AsOf: dayAt(210), State: []byte("rappel alert state 1\n")}); err != nil {
		t.Fatal(err)
	}
	e, err := New(ctx, first.store, first.opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Watch(ctx, "acme", dayAt(215)); err != nil {
		t.Fatal(err)
	}
	page, err := e.Alerts(ctx, AlertQuery{Creditor: "acme"})
	if err != nil || page.Total != 0 {
		t.Errorf("%+v, %v, want none", page, err)
	}
}

// TestCurrentAlerts: an alert is current for 60 days, and an overdue invoice only
// as long as it is unpaid and not cancelled.
func TestCurrentAlerts(t *testing.T) {
	for _, end := range []string{"paid", "cancelled"} {
		s := &story{}
		for k := range 30 {
			s.bill(k, 20+7*k, 1, 1, "transfer")
		}
		s.rating(20, 80)
		s.rating(200, 40)
		if end == "paid" {
			s.bill(30, 230, 25, 1, "transfer")
		} else {
			s.bill(30, 230, -2000, 1, "")
			s.rows.Invoices = append(s.rows.Invoices, ledger.Invoice{Creditor: "acme", ID: "i30", Debtor: "D", CancelledAt: dayAt(255)})
		}
		e, _ := alertDesk(t)
		e.fold(t.Context(), &s.rows)
		if err := e.Watch(t.Context(), "acme", dayAt(320)); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			day  int
			want []string
		}{
			{199, nil},
			{205, []string{"rating_drop"}},
			{250, []string{"overdue", "rating_drop"}},
			{256, []string{"rating_drop"}}, // the invoice is no longer owed since day 255
			{262, nil},                     // and the rating fell more than sixty days ago
		} {
			all, err := e.Alerts(t.Context(), AlertQuery{Creditor: "acme", AsOf: dayAt(tt.day)})
			if err != nil {
				t.Fatal(err)
			}
			var marked, asked []string
			for _, a := range all.Alerts {
				if a.Current {
					marked = append(marked, a.Kind)
				}
			}
			page, err := e.Alerts(t.Context(), AlertQuery{Creditor: "acme", AsOf: dayAt(tt.day), Current: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.Alerts {
				asked = append(asked, a.Kind)
			}
			slices.Sort(marked)
			slices.Sort(asked)
			if !slices.Equal(marked, tt.want) || !slices.Equal(asked, tt.want) || page.Total != len(tt.want) {
				t.Errorf("%s, day %d: marked %v, asked for %v of %d, want %v", end, tt.day, marked, asked, page.Total, tt.want)
			}
			if tt.day > 255 && all.Total < 2 {
				t.Errorf("%s, day %d: what is over has left the list of all: %d", end, tt.day, all.Total)
			}
		}
	}
}

// TestSubscribersHearNoOldNews: of a backlog that is learnt at once only what was
// raised in the last tellDays is told.
func TestSubscribersHearNoOldNews(t *testing.T) {
	for _, tt := range []struct{ until, want int }{{205, 1}, {200 + tellDays, 1}, {202 + tellDays, 0}, {260, 0}} {
		e, _ := alertDesk(t)
		hook := Webhook{ID: "w1", Creditor: "acme", Types: []string{TellAlert}}
		e.hooks.Store(&[]Webhook{hook})
		s := &story{}
		for k := range 30 {
			s.bill(k, 20+7*k, 1, 1, "transfer")
		}
		s.rating(20, 80)
		s.rating(200, 40) // told on the list of day 200
		e.fold(t.Context(), &s.rows)
		if err := e.Watch(t.Context(), "acme", dayAt(tt.until)); err != nil {
			t.Fatal(err)
		}
		var told int
		if err := e.store.DB().QueryRowContext(t.Context(), "SELECT count(*) FROM webhook_messages WHERE type = 'alert.opened'").Scan(&told); err != nil {
			t.Fatal(err)
		}
		if told != tt.want {
			t.Errorf("learnt on day %d: %d messages, want %d", tt.until, told, tt.want)
		}
	}
}

// FuzzAlertState reads any bytes as the detectors of a creditor: they are refused,
// or are what is written down again.
func FuzzAlertState(f *testing.F) {
	w, err := newWatch()
	if err != nil {
		f.Fatal(err)
	}
	w.Debtors, w.index["d"] = []mark{{ID: "d", Told: []string{"i"}, Count: 3}}, 0
	w.detector.AddDebtor(0)
	w.revision, w.next = make([]uint64, 1), make([]int64, 1)
	blob, err := w.save()
	if err != nil {
		f.Fatal(err)
	}
	body := bytes.TrimPrefix(blob, []byte(stateVersion))
	f.Add(body)
	f.Add(body[:len(body)/2])
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := decodeWatch(body)
		if err != nil {
			return
		}
		once, err := w.save()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeWatch(bytes.TrimPrefix(once, []byte(stateVersion)))
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		if len(again.Debtors) != len(w.Debtors) || len(again.index) != len(w.index) || again.Detector.Day != w.Detector.Day {
			t.Errorf("%d debtors as of day %d, written and read %d as of day %d", len(w.Debtors), w.Detector.Day, len(again.Debtors), again.Detector.Day)
		}
	})
}
