package ingest

import (
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

func clock() time.Time { return time.Date(2026, 3, 4, 6, 0, 0, 0, time.UTC) }

func fresh(tb testing.TB) *store.Store {
	tb.Helper()
	s, err := store.Open(context.Background(), filepath.Join(tb.TempDir(), "w.duckdb"),
		store.Options{Now: clock, Log: slog.New(slog.DiscardHandler), Threads: 1})
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

func rows(tb testing.TB, s *store.Store) (all ledger.Rows) {
	tb.Helper()
	err := s.Load(context.Background(), ledger.Key{}, func(r ledger.Rows) error {
		all.Add(r)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

// write writes a file into a folder of the test and returns its path.
func write(tb testing.TB, dir, name, text string) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
	return path
}

func parse(tb testing.TB, text string) *Mapping {
	tb.Helper()
	m, err := ParseMapping([]byte(text))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func date(y int, m time.Month, d, h, min int) time.Time {
	return time.Date(y, m, d, h, min, 0, 0, time.UTC)
}

const payments = `creditor_id,payment_id,invoice_id,debtor_id,paid_at,amount,method,colour
acme,p1,i1,D1,2026-03-03T15:12:09+01:00,12.50,app,red
acme,p2,i2,D1,2026-03-03,7,,red
`

// wantPayments are the rows of payments above.
var wantPayments = []ledger.Payment{
	{Creditor: "acme", ID: "p2", Invoice: "i2", Debtor: "D1", PaidAt: date(2026, 3, 3, 0, 0), Cents: 700},
	{Creditor: "acme", ID: "p1", Invoice: "i1", Debtor: "D1", PaidAt: date(2026, 3, 3, 14, 12).Add(9 * time.Second), Cents: 1250, Method: "app"},
}

// Every kind of file gives the same rows, and a second run changes nothing.
func TestFormats(t *testing.T) {
	dir := t.TempDir()
	semicolons := strings.ReplaceAll(payments, ",", ";")
	ndjson := `{"creditor_id":"acme","payment_id":"p1","invoice_id":"i1","debtor_id":"D1","paid_at":"2026-03-03T15:12:09+01:00","amount":12.50,"method":"app","colour":"red"}

{"creditor_id":"acme","payment_id":"p2","invoice_id":"i2","debtor_id":"D1","paid_at":"2026-03-03","amount":"7","method":null,"colour":{"r":1}}`
	files := map[string]string{
		"csv":       write(t, dir, "a/payments.csv", payments),
		"bom":       write(t, dir, "b/payments.csv", "\ufeff"+payments),
		"semicolon": write(t, dir, "c/payments.csv", semicolons),
		"tab":       write(t, dir, "d/payments.tsv", strings.ReplaceAll(payments, ",", "\t")),
		"crlf":      write(t, dir, "e/payments.csv", strings.ReplaceAll(payments, "\n", "\r\n")),
		"ndjson":    write(t, dir, "f/payments.ndjson", ndjson),
		"array":     write(t, dir, "g/payments.json", "["+strings.Replace(ndjson, "\n\n", ",", 1)+"]"),
		"folder":    write(t, dir, "payments/creditor=acme/part-0.csv", payments),
	}
	gz := filepath.Join(dir, "payments.csv.gz")
	zipped := filepath.Join(dir, "all.zip")
	pack(t, gz, zipped)
	files["gzip"], files["zip member"] = gz, zipped+"#in/payments.csv"
	maker := fresh(t)
	parquet := filepath.Join(dir, "payments.parquet")
	if _, err := maker.DB().ExecContext(t.Context(), `COPY (SELECT 'acme' creditor_id, 'p' || i payment_id, 'i' || i invoice_id, 'D1' debtor_id,
		CASE i WHEN 1 THEN TIMESTAMPTZ '2026-03-03 14:12:09+00' ELSE TIMESTAMPTZ '2026-03-03 00:00:00+00' END paid_at,
		CASE i WHEN 1 THEN 12.50 ELSE 7.00 END::DECIMAL(10,2) amount, CASE i WHEN 1 THEN 'app' END "method", 1.5 colour
		FROM range(1, 3) t(i)) TO '`+parquet+`' (FORMAT parquet)`); err != nil {
		t.Fatal(err)
	}
	files["parquet"] = parquet
	for name, path := range files {
		t.Run(name, func(t *testing.T) {
			s := fresh(t)
			for run, added := range []int64{2, 0} {
				got, err := Run(t.Context(), s, Options{}, path)
				want := []Report{{
					Path: path, Read: 2, Tables: []TableReport{{Table: "payments", Rows: 2, New: added}}, Ignored: []string{"colour"},
				}}
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("run %d: got %+v, %v\nwant %+v", run, got, err, want)
				}
			}
			if got := rows(t, s).Payments; !reflect.DeepEqual(got, wantPayments) {
				t.Errorf("got %+v\nwant %+v", got, wantPayments)
			}
			if _, err := s.Creditor(t.Context(), "acme"); err != nil {
				t.Error(err)
			}
		})
	}
}

// pack writes payments as gzip and as a member of a zip.
func pack(t *testing.T, gz, zipped string) {
	t.Helper()
	for path, pack := range map[string]func(*os.File) error{
		gz: func(f *os.File) error {
			w := gzip.NewWriter(f)
			_, err := w.Write([]byte(payments))
			return errors.Join(err, w.Close())
		},
		zipped: func(f *os.File) error {
			z := zip.NewWriter(f)
			for _, name := range []string{"in/payments.csv", "in/other.csv", "__MACOSX/in/payments.csv"} {
				w, err := z.Create(name)
				if err != nil {
					return err
				}
				if _, err := w.Write([]byte(payments)); err != nil {
					return err
				}
			}
			return z.Close()
		},
	} {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(pack(f), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBadRowsAreReportedAndGoodOnesStay(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "invoices.csv", `invoice_id,debtor_id,issued_at,due_on,amount,currency
i1,D1,2026-03-01,2026-03-31,10,EUR
i2,D1,2026-03-01,2026-03-31,-10,EUR
i3,D1,0000-03-01,2026-03-31,10,EUR
i4,D1,2026-03-01,31/03/2026,10,EUR
i5,D1,2026-03-01,2026-03-31,10,euro
i6,,2026-03-01,2026-03-31,10,EUR
i7,D1,2026-03-01
i8,"D"1,2026-03-01,2026-03-31,10,EUR
i9,D1,2026-03-01,2026-03-31,10.005,EUR
i10,D1,2026-03-01,2026-03-31,10.00,eur
`)
	s := fresh(t)
	got, err := Run(t.Context(), s, Options{Creditor: "acme"}, path)
	if err != nil || len(got) != 1 || got[0].Read != 10 || got[0].Rejected != 8 || got[0].Tables[0] != (TableReport{"invoices", 2, 2}) {
		t.Fatalf("%+v, %v", got, err)
	}
	text, err := os.ReadFile(path + ".rejected.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`{"file":"FILE","row":2,"line":3,"table":"invoices","column":"amount","reason":"is negative","value":"-10"}
{"file":"FILE","row":3,"line":4,"table":"invoices","column":"issued_at","reason":"has the year 0, outside 1970 to 2200","value":"0000-03-01"}
{"file":"FILE","row":4,"line":5,"table":"invoices","column":"due_on","reason":"is not a date such as 2026-03-04","value":"31/03/2026"}
{"file":"FILE","row":5,"line":6,"table":"invoices","column":"currency","reason":"is not a currency code of three letters","value":"euro"}
{"file":"FILE","row":6,"line":7,"table":"invoices","column":"debtor_id","reason":"is missing"}
{"file":"FILE","row":7,"line":8,"table":"invoices","reason":"3 cells under 6 columns"}
{"file":"FILE","row":8,"line":9,"table":"invoices","reason":"bare \" in non-quoted-field"}
{"file":"FILE","row":9,"line":10,"table":"invoices","column":"amount","reason":"has more than two decimals","value":"10.005"}
`, "FILE", path)
	want = strings.Replace(want, `bare \" in non-quoted-field`, `extraneous or missing \" in quoted-field`, 1)
	if string(text) != want {
		t.Errorf("rejected rows\n got %s\nwant %s", text, want)
	}

	// With stop the first bad row ends it, and nothing of any file stays.
	s = fresh(t)
	good := write(t, dir, "payments.csv", payments)
	_, err = Run(t.Context(), s, Options{Creditor: "acme", Stop: true}, good, path)
	var bad *RowError
	if !errors.As(err, &bad) || bad.Row != 2 || bad.Column != "amount" {
		t.Errorf("got %v, want the fault of row 2", err)
	}
	if got := rows(t, s); got.Len() != 0 {
		t.Errorf("%d rows stay, want none", got.Len())
	}

	// Put right, the file of rejected rows goes.
	write(t, dir, "invoices.csv", "invoice_id,debtor_id,issued_at,due_on,amount,currency\ni1,D1,2026-03-01,2026-03-31,10,EUR\n")
	if got, err := Run(t.Context(), s, Options{Creditor: "acme"}, path); err != nil || got[0].Rejected != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := os.Stat(path + ".rejected.ndjson"); err == nil {
		t.Error("the file of rejected rows of an earlier run is still there")
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		file, text string
		o          Options
		want       string
	}{
		"no table":         {"stuff.csv", payments, Options{}, `"stuff" is not the name of a table`},
		"wrong table":      {"payments.csv", payments, Options{Table: "payment"}, `table "payment" is none of`},
		"no creditor":      {"debtors.csv", "debtor_id,kind\nD1,business\n", Options{}, "--creditor"},
		"missing column":   {"debtors.csv", "debtor_id,sort\nD1,business\n", Options{Creditor: "a"}, `no column "kind", which debtors needs; there are debtor_id, sort`},
		"empty file":       {"debtors.csv", "", Options{Creditor: "a"}, "not even a header"},
		"broken gzip":      {"debtors.csv.gz", "hello", Options{Creditor: "a"}, "gzip"},
		"broken zip":       {"debtors.zip", "hello", Options{Creditor: "a"}, "zip"},
		"broken parquet":   {"debtors.parquet", "hello", Options{Creditor: "a"}, "arquet"},
		"events as CSV":    {"events.csv", "id\n1\n", Options{}, "NDJSON"},
		"nothing there":    {"", "", Options{}, "no such file"},
		"mapping, no such": {"x.csv", "a\n1\n", Options{Creditor: "a", Mapping: parse(t, "tables: [{table: sectors, columns: {sector_code: code}}]")}, `sector_code: no column "code"; there are a`},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "missing.csv")
			if c.file != "" {
				path = write(t, filepath.Join(dir, strings.ReplaceAll(name, " ", "-")), c.file, c.text)
			}
			s := fresh(t)
			if _, err := Run(t.Context(), s, c.o, path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want …%s…", err, c.want)
			}
		})
	}
}

func TestForeignCreditorIsKeptOut(t *testing.T) {
	s := fresh(t)
	path := write(t, t.TempDir(), "payments.csv", payments+"bcme,p3,i1,D1,2026-03-03,1,,\n,p4,i1,D1,2026-03-03,1,,\n")
	got, err := Run(t.Context(), s, Options{Creditor: "acme"}, path)
	if err != nil || got[0].Rejected != 1 || got[0].Tables[0].New != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Times without an offset are in the creditor's zone, on both sides of a
// change of clocks; a day is midnight there.
func TestCreditorsZone(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "creditors.csv", "creditor_id,name,country,timezone,currency\nacme,Acme,BE,Europe/Brussels,EUR\n")
	write(t, dir, "contacts.csv", `contact_id,debtor_id,channel,sent_at,invoice_ids
c1,D1,sms,2026-03-28 12:00:00,i1;i2
c2,D1,sms,2026-03-30T12:00,"[""i1"",""i2""]"
c3,D1,letter,2026-07-01,
`)
	s := fresh(t)
	if _, err := Run(t.Context(), s, Options{Creditor: "acme"}, dir); err != nil {
		t.Fatal(err)
	}
	contact := func(id string, c ledger.Channel, at time.Time, invoices ...string) ledger.Contact {
		return ledger.Contact{Creditor: "acme", ID: id, Debtor: "D1", Channel: c, SentAt: at, Invoices: invoices}
	}
	want := []ledger.Contact{
		contact("c1", ledger.SMS, date(2026, 3, 28, 11, 0), "i1", "i2"),
		contact("c2", ledger.SMS, date(2026, 3, 30, 10, 0), "i1", "i2"),
		contact("c3", ledger.Letter, date(2026, 6, 30, 22, 0)),
	}
	if got := rows(t, s).Contacts; !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	c, err := s.Creditor(t.Context(), "acme")
	if err != nil || c.Name != "Acme" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestEventsFile(t *testing.T) {
	event := func(id, kind, data string) string {
		return fmt.Sprintf(`{"id":%q,"type":%q,"time":"2026-03-03T15:12:09Z","creditor_id":"acme","debtor_id":"D1","data":%s}`, id, kind, data)
	}
	path := write(t, t.TempDir(), "events.ndjson", strings.Join([]string{
		event("e1", "invoice.cancelled", `{"invoice_id":"i1"}`),
		event("e2", "invoice.vanished", `{"invoice_id":"i1"}`),
		event("e1", "debtor.complained", `{}`),
	}, "\n"))
	s := fresh(t)
	for run, added := range []int64{1, 0} {
		got, err := Run(t.Context(), s, Options{}, path)
		if err != nil || got[0].Read != 3 || got[0].Rejected != 1 || got[0].Tables[0] != (TableReport{"events", 2, added}) {
			t.Errorf("run %d: %+v, %v", run, got, err)
		}
	}
	if got := rows(t, s); len(got.Invoices) != 1 || got.Len() != 1 {
		t.Errorf("%+v", got)
	}
}

func TestMappingFeedsSeveralTables(t *testing.T) {
	path := write(t, t.TempDir(), "log.txt", `F1|made|3.4.2024|1.234,50|N
F1|paid|5.4.2024|1.000,00|N
F1|paid|6.4.2024|234,50|N
F2|made|7.4.2024|-5,00|Y
F2|noise||x|
`)
	m := parse(t, `
delimiter: "|"
header: [case, what, on, sum, flag]
timezone: Europe/Rome
decimal: ","
tables:
  - table: invoices
    where: {what: made}
    columns:
      invoice_id: {join: [case, flag], with: "/"}
      debtor_id: {template: "{flag:1}-{case:9}"}
      issued_at: {from: "on", format: "%d.%m.%Y"}
      due_on: {from: "on", format: "%d.%m.%Y", add_days: "30"}
      amount: sum
      currency: {value: EUR}
  - table: payments
    where: {what: [paid, refunded]}
    unless: {flag: "Y"}
    columns:
      payment_id: {template: "{case}-{n}"}
      invoice_id: {join: [case, flag], with: "/"}
      debtor_id: {template: "D-{case}"}
      paid_at: {from: "on", format: "%d.%m.%Y"}
      amount: sum
      method: {from: flag, map: {N: transfer, "*": card}}
`)
	s := fresh(t)
	for run, added := range []int64{1, 0} {
		got, err := Run(t.Context(), s, Options{Creditor: "fines", Mapping: m}, path)
		if err != nil || got[0].Read != 5 || got[0].Rejected != 1 || !slices.Equal(got[0].Tables, []TableReport{{"invoices", 1, added}, {"payments", 2, 2 * added}}) {
			t.Errorf("run %d: %+v, %v", run, got, err)
		}
	}
	all := rows(t, s)
	due, _ := ledger.ParseDay("2024-05-03")
	issued := date(2024, 4, 2, 22, 0)
	if want := []ledger.Invoice{{Creditor: "fines", ID: "F1/N", Debtor: "N-F1", ObservedAt: issued, IssuedAt: issued, DueOn: due, Cents: 123450, Currency: "EUR"}}; !reflect.DeepEqual(all.Invoices, want) {
		t.Errorf("got %+v\nwant %+v", all.Invoices, want)
	}
	want := []ledger.Payment{
		{Creditor: "fines", ID: "F1-1", Invoice: "F1/N", Debtor: "D-F1", PaidAt: date(2024, 4, 4, 22, 0), Cents: 100000, Method: "transfer"},
		{Creditor: "fines", ID: "F1-2", Invoice: "F1/N", Debtor: "D-F1", PaidAt: date(2024, 4, 5, 22, 0), Cents: 23450, Method: "transfer"},
	}
	if !reflect.DeepEqual(all.Payments, want) {
		t.Errorf("got %+v\nwant %+v", all.Payments, want)
	}
}

func TestRepeat(t *testing.T) {
	path := write(t, t.TempDir(), "calls.csv", "month,times\nmay,3\nnov,1\ndec,many\n")
	m := parse(t, `
tables:
  - table: contacts
    repeat: times
    columns:
      contact_id: {template: "call-{row}-{n}"}
      debtor_id: {template: "call-{row}"}
      channel: {value: phone}
      sent_at: {template: "2009-{month}", format: "%Y-%b", add_days: "{n}"}
`)
	s := fresh(t)
	got, err := Run(t.Context(), s, Options{Creditor: "bank", Mapping: m}, path)
	if err != nil || got[0].Rejected != 1 || got[0].Tables[0] != (TableReport{"contacts", 4, 4}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if c := rows(t, s).Contacts[2]; c.ID != "call-1-3" || !c.SentAt.Equal(date(2009, 5, 3, 22, 0)) {
		t.Errorf("third call %+v", c)
	}
}

// Rows of one key, in one chunk or in two, merge as in the warehouse.
func TestSameKeyTwiceInOneFile(t *testing.T) {
	var b strings.Builder
	b.WriteString("case_id,debtor_id,kind,opened_at,closed_at\n")
	for i := range chunkRows + 10 {
		fmt.Fprintf(&b, "k%d,D1,dispute,2026-03-01T00:00:00Z,\n", i)
	}
	b.WriteString("k1,D1,dispute,,2026-03-09T00:00:00Z\nk2,D1,promise,2026-02-01T00:00:00Z,\nk1,D1,,,2026-03-08T00:00:00Z\n")
	s := fresh(t)
	got, err := Run(t.Context(), s, Options{Creditor: "acme"}, write(t, t.TempDir(), "cases.csv", b.String()))
	if err != nil || got[0].Rejected != 0 || got[0].Tables[0].New != chunkRows+10 {
		t.Fatalf("%+v, %v", got, err)
	}
	at := func(m time.Month, d int) time.Time { return date(2026, m, d, 0, 0) }
	want := map[string]ledger.Case{
		"k1": {Creditor: "acme", ID: "k1", Debtor: "D1", Kind: "dispute", OpenedAt: at(3, 1), ClosedAt: at(3, 8)},
		"k2": {Creditor: "acme", ID: "k2", Debtor: "D1", Kind: "promise", OpenedAt: at(2, 1)},
	}
	for _, c := range rows(t, s).Cases {
		if want, ok := want[c.ID]; ok && c != want {
			t.Errorf("got %+v\nwant %+v", c, want)
		}
	}
}

func TestSharedTables(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "weather.csv", "region,hour,known_at,observed,temperature_c,sunshine_min\nBE90,2026-03-01T10:00:00Z,2026-03-01T12:00:00Z,true,7.5,\nBE90,2026-03-01T10:00:00Z,2026-03-01T12:00:00Z,true,9,\n")
	write(t, dir, "sector_signals.csv", "sector_code,region,period,indicator,known_at,value\n,BE,2026-01-01,risk,2026-02-01,0.2\n56,,2026-01-01,risk,2026-02-01,1.5\n")
	write(t, dir, "sectors.csv", "sector_code,name_nl\n56,Eet- en drinkgelegenheden\n")
	write(t, dir, "postcodes.csv", "country,postcode,region,latitude\nBE,9000,BE90,51.05\n")
	write(t, dir, "holidays.csv", "country,day,name\nBE,2026-07-21,Nationale feestdag\n")
	s := fresh(t)
	for run, added := range []int64{1, 0} {
		got, err := Run(t.Context(), s, Options{}, dir)
		if err != nil || len(got) != 5 {
			t.Fatalf("%+v, %v", got, err)
		}
		for _, r := range got {
			want := added
			if r.Tables[0].Table == "sector_signals" {
				want = 2 * added
			}
			if r.Tables[0].New != want || r.Rejected != 0 {
				t.Errorf("run %d: %+v", run, r)
			}
		}
	}
	var temperature float64
	if err := s.DB().QueryRowContext(t.Context(), "SELECT temperature_c FROM weather").Scan(&temperature); err != nil || temperature != 7.5 {
		t.Errorf("temperature %v, %v", temperature, err)
	}
}
