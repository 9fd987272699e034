package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
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

// A small warehouse is served by one thread of DuckDB, a large one by all.
func TestThreads(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	}
	opt := testOptions()
	opt.Threads = 0
	s, err := Open(t.Context(), "", opt)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	threads := func() (n int) {
		t.Helper()
		if err := s.DB().QueryRowContext(t.Context(), "SELECT current_setting('threads')").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := threads(); got != 1 {
		t.Errorf("an empty warehouse has %d threads", got)
	}
	err = s.Bulk(t.Context(), func(b *Bulk) error {
		_, err := b.tx.ExecContext(t.Context(), `INSERT INTO weather (region, hour, known_at, observed)
			SELECT 'BE', make_timestamptz(i * 3600000000), make_timestamptz(0), true FROM range($1) t(i)`, manyRows)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// Once the next write is answered, what the one before led to is done.
	if err := s.Write(t.Context(), func(*sql.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got, want := threads(), runtime.GOMAXPROCS(0); got != want {
		t.Errorf("a large warehouse has %d threads, want %d", got, want)
	}
}
