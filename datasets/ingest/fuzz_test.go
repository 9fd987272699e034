package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"rappel/datasets/ledger"
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
