package store

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"rappel/datasets/ledger"
)

func clock() time.Time { return time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC) }

func testOptions() Options {
	return Options{Now: clock, Log: slog.New(slog.DiscardHandler), Threads: 2}
}

// open opens a store on a fresh file that closes with the test.
func open(tb testing.TB, path string) *Store {
	tb.Helper()
	s, err := Open(context.Background(), path, testOptions())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func fresh(tb testing.TB) *Store {
	tb.Helper()
	return open(tb, filepath.Join(tb.TempDir(), "w.duckdb"))
}

// loadAll returns all rows of the store.
func loadAll(tb testing.TB, s *Store) ledger.Rows {
	tb.Helper()
	return loadOf(tb, s, ledger.Key{})
}

// loadOf returns the rows of a key.
func loadOf(tb testing.TB, s *Store, key ledger.Key) (all ledger.Rows) {
	tb.Helper()
	err := s.Load(context.Background(), key, func(r ledger.Rows) error {
		all.Add(r)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// payments returns n distinct payment events.
func payments(from, n int) []ledger.Event {
	events := make([]ledger.Event, n)
	for i := range events {
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(from+i) * time.Minute)
		debtor := fmt.Sprintf("D-%d", (from+i)%1000)
		events[i] = ledger.Event{
			ID: fmt.Sprintf("evt-%d", from+i), Type: "payment.received", Time: at, Creditor: "acme", Debtor: debtor,
			Rows: ledger.Rows{Payments: []ledger.Payment{{
				Creditor: "acme", ID: fmt.Sprintf("p-%d", from+i), Invoice: fmt.Sprintf("i-%d", from+i), Debtor: debtor,
				PaidAt: at, Cents: 1250, Method: "transfer",
			}}},
		}
	}
	return events
}

func TestAppendThenLoad(t *testing.T) {
	s := fresh(t)
	got, err := s.Append(t.Context(), payments(0, 10))
	if err != nil || got.Accepted != 10 || len(got.Fresh.Payments) != 10 {
		t.Fatal(got, err)
	}
	got, err = s.Append(t.Context(), append(payments(5, 10), payments(14, 2)...))
	if err != nil || got.Accepted != 6 || got.Duplicates != 6 {
		t.Fatal(got, err)
	}
	if all := loadAll(t, s); len(all.Payments) != 16 {
		t.Fatal(len(all.Payments))
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		b.Run(fmt.Sprintf("events=%d", n), func(b *testing.B) {
			s := fresh(b)
			next := 0
			for b.Loop() {
				b.StopTimer()
				batch := payments(next, n)
				next += n
				b.StartTimer()
				if _, err := s.Append(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
