package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"rappel/datasets/ledger"
)

// eventGen draws events over few ids and moments, so that they often meet in
// one row: cancelled before issued, closed before opened, the same fact twice.
func eventGen(t *rapid.T, creditors []string, i int) ledger.Event {
	pick := func(label string, values ...string) string { return rapid.SampledFrom(values).Draw(t, label) }
	at := time.Date(2026, 1, 1+rapid.IntRange(0, 3).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
	e := ledger.Event{
		ID: fmt.Sprint("e", i), Time: at, Creditor: pick("creditor", creditors...), Debtor: pick("debtor", "D1", "D2"),
		Type: pick("type", "invoice.issued", "invoice.cancelled", "payment.received", "contact.sent", "case.opened", "case.closed", "debtor.upserted", "debtor.opted_out", "debtor.opted_in", "rating.changed"),
	}
	id := pick("id", "1", "2")
	channel := ledger.Channel(rapid.IntRange(0, 1).Draw(t, "channel"))
	switch e.Type {
	case "invoice.issued":
		e.Rows.Invoices = []ledger.Invoice{{
			Creditor: e.Creditor, ID: id, Debtor: e.Debtor, ObservedAt: at, IssuedAt: at.Add(-time.Hour),
			DueOn: ledger.Day(rapid.IntRange(1, 2).Draw(t, "due")), Cents: rapid.Int64Range(1, 2).Draw(t, "cents"), Currency: pick("currency", "EUR", "USD"),
		}}
	case "invoice.cancelled":
		e.Rows.Invoices = []ledger.Invoice{{Creditor: e.Creditor, ID: id, Debtor: e.Debtor, CancelledAt: at}}
	case "payment.received":
		e.Rows.Payments = []ledger.Payment{{
			Creditor: e.Creditor, ID: id, Invoice: pick("invoice", "1", "2"), Debtor: e.Debtor, PaidAt: at,
			Cents: rapid.Int64Range(1, 2).Draw(t, "cents"), Method: pick("method", "", "app", "card"),
		}}
	case "contact.sent":
		c := ledger.Contact{
			Creditor: e.Creditor, ID: id, Debtor: e.Debtor, Decision: pick("decision", "", "x"), Channel: channel,
			Tone: ledger.Tone(rapid.IntRange(0, 2).Draw(t, "tone")), SentAt: at, CostCents: rapid.Int64Range(0, 1).Draw(t, "cost"),
		}
		c.Invoices = slices.Repeat([]string{pick("invoice", "1", "2")}, rapid.IntRange(0, 2).Draw(t, "invoices"))
		if len(c.Invoices) == 0 {
			c.Invoices = nil
		}
		e.Rows.Contacts = []ledger.Contact{c}
	case "case.opened":
		e.Rows.Cases = []ledger.Case{{
			Creditor: e.Creditor, ID: id, Debtor: e.Debtor, Invoice: pick("invoice", "", "1"), Kind: pick("kind", "dispute", "promise"),
			OpenedAt: at, ExpiresOn: ledger.Day(rapid.IntRange(0, 2).Draw(t, "expires")),
		}}
	case "case.closed":
		e.Rows.Cases = []ledger.Case{{Creditor: e.Creditor, ID: id, Debtor: e.Debtor, Kind: pick("kind", "", "promise"), ClosedAt: at, Outcome: pick("outcome", "", "kept", "broken")}}
	case "debtor.upserted":
		e.Rows.Debtors = []ledger.Debtor{{Creditor: e.Creditor, ID: e.Debtor, Kind: ledger.Kind(pick("kind", "business", "consumer")), Language: pick("language", "", "nl"), CreatedAt: at, ObservedAt: at}}
		e.Rows.Reach = []ledger.Reach{{Creditor: e.Creditor, Debtor: e.Debtor, Channel: channel, Reachable: rapid.Bool().Draw(t, "reachable"), Unknown: ledger.FacetConsent | ledger.FacetOptedOut, ObservedAt: at}}
	case "debtor.opted_out", "debtor.opted_in":
		e.Rows.Reach = []ledger.Reach{{Creditor: e.Creditor, Debtor: e.Debtor, Channel: channel, OptedOut: e.Type == "debtor.opted_out", Unknown: ledger.FacetConsent | ledger.FacetReachable, ObservedAt: at}}
	case "rating.changed":
		e.Rows.Ratings = []ledger.Rating{{Creditor: e.Creditor, Debtor: e.Debtor, ObservedAt: at, Provider: "x", Score: float64(rapid.IntRange(1, 3).Draw(t, "score"))}}
	}
	if e.Type == "debtor.opted_out" {
		e.Rows.Engagements = []ledger.Engagement{{Creditor: e.Creditor, EventID: e.ID, Debtor: e.Debtor, Channel: channel, HasChannel: true, Kind: "unsubscribed", OccurredAt: at, Precision: "second"}}
	}
	return e
}

// merged returns what the Merge methods of ledger make of rows, in the order
// of Load.
func merged(r ledger.Rows) ledger.Rows {
	type key struct {
		a, b, c string
		at      int64
	}
	out := ledger.Rows{
		Debtors:     unique(r.Debtors, func(d *ledger.Debtor) key { return key{d.Creditor, d.ID, "", d.ObservedAt.Unix()} }, ledger.Debtor.Merge),
		Reach:       unique(r.Reach, func(c *ledger.Reach) key { return key{c.Creditor, c.Debtor, c.Channel.String(), c.ObservedAt.Unix()} }, ledger.Reach.Merge),
		Invoices:    unique(r.Invoices, func(v *ledger.Invoice) key { return key{v.Creditor, v.ID, "", 0} }, ledger.Invoice.Merge),
		Payments:    unique(r.Payments, func(p *ledger.Payment) key { return key{p.Creditor, p.ID, "", 0} }, ledger.Payment.Merge),
		Contacts:    unique(r.Contacts, func(c *ledger.Contact) key { return key{c.Creditor, c.ID, "", 0} }, ledger.Contact.Merge),
		Engagements: unique(r.Engagements, func(e *ledger.Engagement) key { return key{e.Creditor, e.EventID, "", 0} }, ledger.Engagement.Merge),
		Cases:       unique(r.Cases, func(c *ledger.Case) key { return key{c.Creditor, c.ID, "", 0} }, ledger.Case.Merge),
		Ratings:     unique(r.Ratings, func(g *ledger.Rating) key { return key{g.Creditor, g.Debtor, g.Provider, g.ObservedAt.Unix()} }, ledger.Rating.Merge),
	}
	sortRows(&out)
	return out
}

// sortRows puts rows of each table in the order of their keys.
func sortRows(r *ledger.Rows) {
	slices.SortFunc(r.Debtors, func(a, b ledger.Debtor) int {
		return cmp.Or(cmp.Compare(a.Creditor, b.Creditor), cmp.Compare(a.ID, b.ID), a.ObservedAt.Compare(b.ObservedAt))
	})
	slices.SortFunc(r.Reach, func(a, b ledger.Reach) int {
		return cmp.Or(cmp.Compare(a.Creditor, b.Creditor), cmp.Compare(a.Debtor, b.Debtor), cmp.Compare(a.Channel, b.Channel), a.ObservedAt.Compare(b.ObservedAt))
	})
	slices.SortFunc(r.Invoices, func(a, b ledger.Invoice) int {
		return cmp.Or(cmp.Compare(a.Creditor, b.Creditor), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(r.Payments, func(a, b ledger.Payment) int {
		return cmp.Or(cmp.Compare(a.Creditor, b.Creditor), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(r.Contacts, func(a, b ledger.Contact) int {
		return cmp.Or(cmp.Compare(a.Creditor, b.Creditor), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(r.Engagements, func(a, b ledger.Engagement) int {
		return cmp.Or(cmp.Compare(a.Creditor, b.Creditor), cmp.Compare(a.EventID, b.EventID))
	})
	slices.SortFunc(r.Cases, func(a, b ledger.Case) int {
		return cmp.Or(cmp.Compare(a.Creditor, b.Creditor), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(r.Ratings, func(a, b ledger.Rating) int {
		return cmp.Or(cmp.Compare(a.Creditor, b.Creditor), cmp.Compare(a.Debtor, b.Debtor), a.ObservedAt.Compare(b.ObservedAt))
	})
}

// Whatever the order and the batches in which events come, the tables hold
// what the Merge methods of ledger say.
func TestAnyOrderEndsTheSame(t *testing.T) {
	s, n := fresh(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		n++ // creditors of their own let all runs share one file
		creditors := []string{fmt.Sprint("acme", n), fmt.Sprint("bcme", n)}
		count := rapid.IntRange(1, 30).Draw(rt, "events")
		events := make([]ledger.Event, count)
		var told ledger.Rows
		for i := range events {
			events[i] = eventGen(rt, creditors, i)
			told.Add(events[i].Rows)
		}
		want := merged(told)

		shuffled := rapid.Permutation(events).Draw(rt, "order")
		var fresh ledger.Rows
		for len(shuffled) > 0 {
			cut := rapid.IntRange(1, len(shuffled)).Draw(rt, "batch")
			receipt, err := s.Append(context.Background(), shuffled[:cut])
			if err != nil || receipt.Accepted != cut {
				rt.Fatalf("append: %+v, %v", receipt, err)
			}
			fresh.Add(receipt.Fresh)
			shuffled = shuffled[cut:]
		}
		var got ledger.Rows
		for _, creditor := range creditors {
			got.Add(loadOf(t, s, ledger.Key{Creditor: creditor}))
		}
		sortRows(&got)
		if !reflect.DeepEqual(got, want) {
			rt.Errorf("tables\n got %+v\nwant %+v", got, want)
		}
		if got := merged(fresh); !reflect.DeepEqual(got, want) {
			rt.Errorf("fresh rows\n got %+v\nwant %+v", got, want)
		}
		receipt, err := s.Append(context.Background(), events)
		if err != nil || receipt.Accepted != 0 || receipt.Duplicates != count || receipt.Fresh.Len() != 0 {
			rt.Errorf("again: %+v, %v", receipt, err)
		}
	})
}

func TestFirstOfOneIDHolds(t *testing.T) {
	s := fresh(t)
	batch := payments(0, 2)
	batch[1].ID = batch[0].ID // whatever it holds
	other := payments(2, 1)
	other[0].ID, other[0].Creditor = batch[0].ID, "bcme" // ids are unique per creditor
	got, err := s.Append(t.Context(), append(batch, other...))
	if err != nil || got.Accepted != 2 || got.Duplicates != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	if p := got.Fresh.Payments; len(p) != 2 || p[0].ID != "p-0" || p[1].ID != "p-2" {
		t.Errorf("fresh payments %+v", p)
	}
}

// A write that fails takes no other of its group with it.
func TestFailureStaysAlone(t *testing.T) {
	s := fresh(t)
	release := make(chan struct{})
	held := make(chan struct{})
	go func() { // occupies the writer, so that the others form a group
		_ = s.Write(context.Background(), func(*sql.Tx) error {
			close(held)
			<-release
			return nil
		})
	}()
	<-held
	broken := payments(100, 1)
	broken[0].Rows.Payments[0].PaidAt = time.Date(400_000, 1, 1, 0, 0, 0, 0, time.UTC) // later than the column holds
	errFn := errors.New("no")
	errs := make([]error, 4)
	var wg sync.WaitGroup
	wg.Go(func() { _, errs[0] = s.Append(context.Background(), payments(0, 5)) })
	wg.Go(func() { _, errs[1] = s.Append(context.Background(), broken) })
	wg.Go(func() { errs[2] = s.Write(context.Background(), func(*sql.Tx) error { return errFn }) })
	wg.Go(func() { _, errs[3] = s.Append(context.Background(), payments(5, 5)) })
	for len(s.queue) < 4 {
		time.Sleep(time.Millisecond)
	}
	close(release)
	wg.Wait()
	if errs[0] != nil || errs[1] == nil || !errors.Is(errs[2], errFn) || errs[3] != nil {
		t.Fatal(errs)
	}
	if got := loadAll(t, s); len(got.Payments) != 10 {
		t.Errorf("%d payments, want 10", len(got.Payments))
	}
	// What failed may be sent again: its event was not logged.
	if got, err := s.Append(t.Context(), payments(100, 1)); err != nil || got.Accepted != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFullQueueIsBusy(t *testing.T) {
	s := fresh(t)
	release, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = s.Write(context.Background(), func(*sql.Tx) error {
			close(held)
			<-release
			return nil
		})
	})
	<-held
	ctx, cancel := context.WithCancel(context.Background())
	for range queueLength {
		wg.Go(func() { _, _ = s.Append(ctx, payments(0, 1)) })
	}
	for len(s.queue) < queueLength {
		time.Sleep(time.Millisecond)
	}
	if _, err := s.Append(ctx, payments(0, 1)); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	cancel() // nobody waits any more: the writer passes over them
	close(release)
	wg.Wait()
	if _, err := s.Append(t.Context(), payments(0, 1)); err != nil {
		t.Error(err)
	}
}

func TestConcurrentAppends(t *testing.T) {
	s := fresh(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 5 {
				// Every event is sent by two of the eight.
				if _, err := s.Append(context.Background(), payments((g/2*5+i)*10, 10)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := loadAll(t, s); len(got.Payments) != 200 {
		t.Errorf("%d payments, want 200", len(got.Payments))
	}
}
