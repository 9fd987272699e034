package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// drain reads a text through a mapping, or as the table "payments", without a
// store, and checks every row that comes out.
func drain(t *testing.T, text []byte, ext string, m *Mapping) {
	t.Helper()
	var src source
	var err error
	r, closer := bufio.NewReader(bytes.NewReader(text)), io.NopCloser(nil)
	if ext == ".csv" {
		src, err = newCSV(r, closer, m, ext)
	} else {
		src, err = newNDJSON(r, closer)
	}
	if err != nil {
		return
	}
	drainFrom(t, src, m)
}

// drainFrom is drain once the file is open.
func drainFrom(t *testing.T, src source, m *Mapping) {
	t.Helper()
	var feeds []*plan
	if m == nil {
		m = &Mapping{}
		p, err := newPlan("payments", nil, nil, src, "acme", time.UTC)
		if err != nil {
			return
		}
		feeds = append(feeds, p)
	}
	for i := range m.Tables {
		p, err := newPlan(m.Tables[i].Table, &m.Tables[i], m, src, "acme", time.UTC)
		if err != nil {
			return
		}
		feeds = append(feeds, p)
	}
	b := newBatch()
	for {
		cells, at, err := src.next()
		if broken := (*rowError)(nil); errors.As(err, &broken) {
			continue
		}
		if err != nil {
			break
		}
		for _, p := range feeds {
			if f := p.take(cells, at.row, &b); f != nil && f.reason == "" {
				t.Errorf("a row was kept out without a reason: %+v", f)
			}
		}
	}
	for _, p := range b.rows.Payments {
		if p.Creditor != "acme" || p.ID == "" || p.Cents < 0 || ledger.TimeFault(p.PaidAt) != "" || ledger.TextFault(p.Method) != "" {
			t.Errorf("accepted %+v", p)
		}
	}
}

// FuzzCSV demands of any text that every row of it is taken or refused with a
// reason.
func FuzzCSV(f *testing.F) {
	f.Add([]byte(payments))
	f.Add([]byte("creditor_id;payment_id;invoice_id;debtor_id;paid_at;amount\nacme;\"p\";i;D;0000-01-01;-1\n;;\n"))
	f.Fuzz(func(t *testing.T, text []byte) { drain(t, text, ".csv", nil) })
}

// FuzzNDJSON is FuzzCSV for JSON, one object a line or an array of them.
func FuzzNDJSON(f *testing.F) {
	f.Add([]byte(`{"creditor_id":"acme","payment_id":"p1","invoice_id":"i1","debtor_id":"D1","paid_at":"2026-03-03","amount":12.50}`))
	f.Add([]byte(`[{"payment_id":"p1","invoice_id":"i1","debtor_id":"D1","paid_at":"2026-03-03T00:00:00Z","amount":"1"},null,7]`))
	f.Fuzz(func(t *testing.T, text []byte) { drain(t, text, ".ndjson", nil) })
}

// FuzzParquet is FuzzCSV for files of DuckDB's, whole, cut and damaged.
func FuzzParquet(f *testing.F) {
	db, err := store.Open(f.Context(), "", store.Options{Now: func() time.Time { return time.Unix(0, 0) }, Threads: 1})
	if err != nil {
		f.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(f.TempDir(), "payments.parquet")
	for _, codec := range []string{"uncompressed", "zstd"} {
		if _, err := db.DB().ExecContext(f.Context(), `COPY (SELECT 'p' || i AS payment_id, 'i' || i AS invoice_id, 'D' AS debtor_id,
			TIMESTAMPTZ '2026-03-03' AS paid_at, i::DECIMAL(18,2) AS amount FROM range(30) t(i)) TO '`+path+`' (FORMAT parquet, COMPRESSION `+codec+`)`); err != nil {
			f.Fatal(err)
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
		f.Add(whole[len(whole)/2:])
		for _, at := range []int{0, 20, len(whole) / 2, len(whole) - 30, len(whole) - 6} {
			c := bytes.Clone(whole)
			c[at] ^= 0xff
			f.Add(c)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		src, err := opener{arrow: db.Arrow}.open(t.Context(), path)
		if err != nil {
			return
		}
		drainFrom(t, src, nil)
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
}
