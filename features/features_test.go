package features

import (
	"log/slog"
	"math"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// warehouse opens an empty store in a file.
func warehouse(tb testing.TB) *store.Store {
	tb.Helper()
	db, err := store.Open(tb.Context(), tb.TempDir()+"/test.db", store.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler), Threads: 1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

func exec(tb testing.TB, db *store.Store, stmt string) {
	tb.Helper()
	if _, err := db.DB().ExecContext(tb.Context(), stmt); err != nil {
		tb.Fatal(err)
	}
}

func day(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func load(tb testing.TB, db *store.Store, asOf string, f Filter) *Set {
	tb.Helper()
	s, err := New(db).Load(tb.Context(), day(asOf), f)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestVectorOfOneDebtor(t *testing.T) {
	db := warehouse(t)
	exec(t, db, `
		INSERT INTO creditors (creditor_id) VALUES ('acme');
		INSERT INTO debtors VALUES
			('acme', 'd', '2025-01-01', 'business', 'nl', '', 'BE', '9000', '56.101', '2025-01-01');
		INSERT INTO invoices BY NAME
			SELECT 'acme' AS creditor_id, id AS invoice_id, 'd' AS debtor_id, issued::TIMESTAMPTZ AS issued_at, issued_at AS observed_at, due::DATE AS due_on, amount
			FROM (VALUES ('1', '2025-01-06 08:00:00+00', '2025-02-05', 100), ('2', '2025-02-06 08:00:00+00', '2025-03-08', 300),
			             ('3', '2025-03-06 08:00:00+00', '2025-04-05', 50)) v(id, issued, due, amount);
		INSERT INTO payments VALUES
			('acme', 'p1', '1', 'd', '2025-02-04 10:00:00+00', 100, 'app'),
			('acme', 'p2', '2', 'd', '2025-03-12 10:00:00+00', 100, 'app'),
			('acme', 'p3', '2', 'd', '2025-03-18 10:00:00+00', 200, 'transfer'),
			('acme', 'p4', '3', 'd', '2025-04-10 23:30:00+00', 20, 'app');
		INSERT INTO contacts BY NAME SELECT 'acme' AS creditor_id, 'c1' AS contact_id, 'd' AS debtor_id, 'email' AS channel, '2025-03-13 09:20:00+00'::TIMESTAMPTZ AS sent_at;
		INSERT INTO engagements BY NAME SELECT 'acme' AS creditor_id, * FROM (VALUES
			('e1', 'd', 'c1', 'opened', '2025-03-13 09:20:04+00'::TIMESTAMPTZ), ('e2', 'd', 'c1', 'opened', '2025-03-13 14:40:00+00'))
			v(event_id, debtor_id, contact_id, kind, occurred_at);`)
	s := load(t, db, "2025-04-11T12:00:00Z", Filter{})
	if s.Len() != 1 {
		t.Fatalf("%d vectors, want 1", s.Len())
	}
	i, ok := s.Row(ledger.Key{Creditor: "acme", Debtor: "d"})
	if !ok || s.Kind[i] != "business" || s.Sector[i] != "56" || s.Area[i] != "BE90" || s.Timezone[i] != "Europe/Brussels" {
		t.Errorf("profile %v %v %v %v", s.Kind[i], s.Sector[i], s.Area[i], s.Timezone[i])
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"invoices_seen", s.InvoicesSeen[i], 3},
		{"invoices_paid", s.InvoicesPaid[i], 2},
		{"days_late_mean", s.DaysLateMean[i], 4.5}, // one day early, ten late
		{"days_late_mean_amount", s.DaysLateMeanAmount[i], 7.25},
		{"share_paid_before_due", s.SharePaidBeforeDue[i], 0.5},
		{"share_paid_after_reminder", s.SharePaidAfterReminder[i], 0.5},
		{"reminders_per_paid", s.RemindersPerPaid[i], 0.5},
		{"open_balance", s.OpenBalance[i], 30},
		{"overdue_balance", s.OverdueBalance[i], 30},
		{"oldest_dpd", s.OldestDPD[i], 6},
		{"cadence", s.Cadence[i], 0},                     // two gaps are too few
		{"natural_days", s.NaturalDays[i], 4 + 5},        // 9–12 March, and 6–10 April; shadow 13–20 March
		{"natural_payments", s.NaturalPayments[i], 0},    // one before due, one five days after a contact
		{"days_since_payment", s.DaysSincePayment[i], 0}, // 23:30 UTC is the 11th in Brussels
		{"machine_opens", s.MachineOpens[i], 1},
		{"sends email", float64(s.Sends[i*5]), 1},
		{"opened email", float64(s.Opened[i*5]), 1},
		{"paid_7d email", float64(s.Paid7d[i*5]), 1},
		{"hours_since_contact", s.HoursSinceContact[i], 29 * 24},
		{"step", s.Step[i], 0},
	} {
		if d := c.got - c.want; d > 1e-6 || d < -1e-6 { // float32 columns
			t.Errorf("%s = %v, want %v", c.name, c.got, c.want)
		}
	}
	if s.UsualMethod[i] != "app" {
		t.Errorf("usual method %q, want app", s.UsualMethod[i])
	}
	// Opened on Thursday at 15:40 in Brussels, 29 days ago; unread from 10 to 16.
	open := s.Opens[i*HoursOfWeek : (i+1)*HoursOfWeek]
	lay := s.Exposure[i*HoursOfWeek : (i+1)*HoursOfWeek]
	const weight = 0.8943 // 2^(-29/180)
	for h := range HoursOfWeek {
		wantOpen, wantLay := float32(0), float32(0)
		if h == 3*24+15 {
			wantOpen = weight
		}
		if h >= 3*24+10 && h <= 3*24+15 {
			wantLay = weight
		}
		if d := open[h] - wantOpen; d > 1e-3 || d < -1e-3 { // weight is rounded to four digits
			t.Errorf("opens[%d] = %v, want %v", h, open[h], wantOpen)
		}
		if d := lay[h] - wantLay; d > 1e-3 || d < -1e-3 {
			t.Errorf("exposure[%d] = %v, want %v", h, lay[h], wantLay)
		}
	}
}

// What a debtor does unasked counts only while something is overdue and a week
// after the last contact, and at most one payment a day.
func TestNaturalPayments(t *testing.T) {
	db := warehouse(t)
	exec(t, db, `
		INSERT INTO creditors (creditor_id) VALUES ('acme');
		INSERT INTO debtors VALUES ('acme', 'd', '2025-01-01', 'business', 'nl', '', 'BE', '9000', '', '2025-01-01');
		INSERT INTO invoices BY NAME
			SELECT 'acme' AS creditor_id, id AS invoice_id, 'd' AS debtor_id, '2025-01-02'::TIMESTAMPTZ AS issued_at, issued_at AS observed_at, due::DATE AS due_on, 10 AS amount
			FROM (VALUES ('1', '2025-01-10'), ('2', '2025-01-12'), ('3', '2025-01-31'), ('4', '2025-02-10'), ('5', '2025-02-20')) v(id, due);
		INSERT INTO contacts BY NAME SELECT 'acme' AS creditor_id, 'c1' AS contact_id, 'd' AS debtor_id, 'email' AS channel, '2025-02-03 12:00:00+00'::TIMESTAMPTZ AS sent_at;
		INSERT INTO payments BY NAME SELECT 'acme' AS creditor_id, 'd' AS debtor_id, 'p' || id AS payment_id, id AS invoice_id, t::TIMESTAMPTZ AS paid_at, 10 AS amount
			FROM (VALUES ('1', '2025-01-15 12:00:00+00'), ('2', '2025-01-15 13:00:00+00'), ('3', '2025-02-05 12:00:00+00'), ('4', '2025-02-13 12:00:00+00'))
			v(id, t);`)
	for _, c := range []struct {
		asOf           string
		days, payments float64
	}{
		{"2025-01-10T12:00:00Z", 0, 0},
		{"2025-01-13T12:00:00Z", 2, 0},         // the 11th and 12th
		{"2025-01-15T23:30:00Z", 5, 1},         // already the 16th in Brussels: 11 to 15 January, two invoices on one day
		{"2025-02-06T12:00:00Z", 5 + 2, 1},     // 1 and 2 February; paid in the week after the contact of the 3rd
		{"2025-02-20T12:00:00Z", 5 + 2 + 3, 2}, // 11 to 13 February: the shadow of the contact ends on the 10th
		{"2025-02-23T12:00:00Z", 5 + 2 + 3 + 2, 2},
	} {
		s := load(t, db, c.asOf, Filter{})
		if s.NaturalDays[0] != c.days || s.NaturalPayments[0] != c.payments {
			t.Errorf("%s: %v days, %v payments, want %v and %v", c.asOf, s.NaturalDays[0], s.NaturalPayments[0], c.days, c.payments)
		}
	}
}

// TestSignOfAnUnknownContact: what names a contact that nobody reported is a sign of
// the debtor, and says nothing of the contacts that are known.
func TestSignOfAnUnknownContact(t *testing.T) {
	db := warehouse(t)
	exec(t, db, `
		INSERT INTO creditors (creditor_id) VALUES ('acme');
		INSERT INTO debtors VALUES ('acme', 'd', '2025-01-01', 'business', 'nl', '', 'BE', '9000', '56.101', '2025-01-01');
		INSERT INTO contacts BY NAME SELECT 'acme' AS creditor_id, 'c1' AS contact_id, 'd' AS debtor_id, 'email' AS channel, '2025-03-03 09:00:00+00'::TIMESTAMPTZ AS sent_at;
		INSERT INTO engagements BY NAME SELECT 'acme' AS creditor_id, 'd' AS debtor_id, * FROM (VALUES
			('e1', 'gone', 'delivered', '2025-03-03 09:01:00+00'::TIMESTAMPTZ), ('e2', 'gone', 'opened', '2025-03-03 14:40:00+00'), ('e3', 'gone', 'replied', '2025-03-03 15:00:00+00'))
			v(event_id, contact_id, kind, occurred_at);`)
	s := load(t, db, "2025-03-20T12:00:00Z", Filter{})
	if s.Sends[0] != 1 || s.Delivered[0] != 0 || s.Opened[0] != 0 || s.Answered[0] != 0 || s.SilentRun[0] != 1 {
		t.Errorf("%v sent, %v delivered, %v opened, %v answered, %v in a row unnoticed; want 1, 0, 0, 0 and 1", s.Sends[0], s.Delivered[0], s.Opened[0], s.Answered[0], s.SilentRun[0])
	}
	if looked := s.Opens[15] + s.Opens[16]; looked < 1.8 { // Monday, 14 and 15 h UTC
		t.Errorf("%v signs at the hours of the two, want nearly 2", looked)
	}
}

// TestUnreadSinks: a message that nobody saw counts for the hours in which it was
// fresh, and hardly for those of the days after; two count twice.
func TestUnreadSinks(t *testing.T) {
	u := new(unpacked)
	u.reset(1)
	const monday = 4 * 24 // hours since 1970 began, on a Thursday
	stretch := func(first, length int64) int64 { return first<<38 | length<<31 | one }
	u.unread(0, []int64{stretch(monday, 96), stretch(monday+24, 2)})
	for _, c := range []struct {
		hour int
		want float64
	}{
		{0, 1},
		{5, 1},
		{6, 0.5},
		{11, 0.5},
		{12, 6. / 32},
		{23, 6. / 32},
		{24, 1 + 1./32},
		{25, 1 + 1./32},
		{26, 1. / 32},
		{95, 1. / 32},
		{96, 0},
		{167, 0},
	} {
		if got := float64(u.Exposure[c.hour]); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("exposure of hour %d: %v, want %v", c.hour, got, c.want)
		}
	}
}
