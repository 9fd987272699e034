package features

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"pgregory.net/rapid"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// A check asks a real DuckDB file several of the largest statements there are,
// about 50 debtors at a time: a few checks see as much as many small ones.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": "2", "rapid.nofailfile": "true", "rapid.shrinktime": "5s"} {
		if given[name] {
			continue
		}
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// fact is one row of the warehouse, as it stands at a moment.
type fact struct {
	table string
	key   ledger.Key // whose
	at    time.Time  // from when it is known
	ends  time.Time  // when it is cancelled or closed; zero: never
	sql   func(ended bool) string
}

// book draws what happens to some debtors from January to March 2025, over the
// change of clocks of 30 March and both sides of it.
func book(seed uint64, debtors int) []fact {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	start := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func() time.Time {
		t := start.Add(time.Duration(r.IntN(100*24)) * time.Hour)
		if r.IntN(2) == 0 {
			t = t.Add(time.Duration(r.IntN(3600)) * time.Second)
		}
		return t
	}
	ts := func(t time.Time) string { return "'" + t.Format("2006-01-02 15:04:05+00") + "'" }
	var facts []fact
	add := func(table string, k ledger.Key, t, ends time.Time, format string, args ...any) {
		row := fmt.Sprintf(format, args...)
		facts = append(facts, fact{table, k, t, ends, func(ended bool) string {
			if ended {
				return strings.ReplaceAll(row, "ENDS", ts(ends))
			}
			return strings.ReplaceAll(row, "ENDS", "NULL")
		}})
	}
	for d := range debtors {
		k := ledger.Key{Creditor: pick("a", "a", "b"), Debtor: fmt.Sprintf("d%d", d)}
		born := start.Add(-time.Hour)
		if r.IntN(5) == 0 {
			born = at()
		}
		for n := range 1 + r.IntN(3) {
			add("debtors", k, born, time.Time{}, "('%s','%s',%s,'%s','nl','%s','%s','%s','%s',%s)", k.Creditor, k.Debtor, ts(born),
				pick("business", "consumer"), pick("", "", "Europe/Brussels", "America/New_York", "Asia/Tokyo", "nowhere"), pick("BE", "NL", ""),
				pick("9000", "1000", ""), pick("56.10", "41", ""), ts(born))
			born = born.Add(time.Duration(1+r.IntN(40*24)) * time.Hour * time.Duration(n+1))
		}
		var invoices, contacts []string
		var issues, sends []time.Time
		for n := range r.IntN(8) {
			id, t := fmt.Sprintf("i%d-%d", d, n), at()
			var ends time.Time
			if r.IntN(8) == 0 {
				ends = t.Add(time.Duration(r.IntN(60*24)) * time.Hour)
			}
			known := t
			if r.IntN(5) == 0 {
				known = known.Add(time.Duration(r.IntN(600)-100) * time.Hour)
			}
			latest := known
			if t.After(known) {
				latest = t
			}
			add("invoices", k, latest, ends, "('%s','%s','%s',%s,%s,'%s',%d.%02d,'EUR',ENDS)", k.Creditor, id, k.Debtor, ts(known), ts(t),
				t.AddDate(0, 0, r.IntN(30)).Format(time.DateOnly), r.IntN(500), r.IntN(100))
			invoices, issues = append(invoices, id), append(issues, t)
		}
		for n := range r.IntN(2 * (len(invoices) + 1)) {
			if len(invoices) == 0 {
				break
			}
			i := r.IntN(len(invoices))
			t := issues[i].Add(time.Duration(r.IntN(50*24)) * time.Hour)
			add("payments", k, t, time.Time{}, "('%s','p%d-%d','%s','%s',%s,%d.5,'%s')", k.Creditor, d, n, invoices[i], k.Debtor, ts(t), r.IntN(400),
				pick("app", "transfer", "cheque"))
		}
		for n := range r.IntN(9) {
			id, t := fmt.Sprintf("c%d-%d", d, n), at()
			add("contacts", k, t, time.Time{}, "('%s','%s','%s',NULL,'%s','%s',%s,0,[])", k.Creditor, id, k.Debtor, pick(ledger.ChannelNames[:]...),
				pick(ledger.ToneNames[:]...), ts(t))
			contacts, sends = append(contacts, id), append(sends, t)
		}
		for n := range r.IntN(14) {
			contact, channel, t := "NULL", "NULL", at()
			if len(contacts) > 0 && r.IntN(4) > 0 {
				i := r.IntN(len(contacts))
				contact, t = "'"+contacts[i]+"'", sends[i].Add(time.Duration(r.IntN(400_000))*time.Second)
			} else if r.IntN(2) == 0 {
				channel = "'" + pick(ledger.ChannelNames[:]...) + "'"
			}
			add("engagements", k, t, time.Time{}, "('%s','e%d-%d','%s',%s,NULL,%s,'%s',%s,'%s',%v)", k.Creditor, d, n, k.Debtor, contact, channel,
				pick("delivered", "bounced", "opened", "viewed", "clicked", "replied", "answered", "unsubscribed", "complained"), ts(t),
				pick("date", "hour", "second", "second"), r.IntN(6) == 0)
		}
		for n := range r.IntN(3) {
			t := at()
			ends := t.Add(time.Duration(r.IntN(30*24)) * time.Hour)
			add("cases", k, t, ends, "('%s','x%d-%d','%s',NULL,'%s',%s,'%s',ENDS,%s)", k.Creditor, d, n, k.Debtor, pick("dispute", "promise", "payment_plan"),
				ts(t), t.AddDate(0, 0, 9).Format(time.DateOnly), pick("'kept'", "'broken'", "NULL"))
		}
		for range r.IntN(3) {
			t := at()
			add("ratings", k, t, time.Time{}, "('%s','%s',%s,'%s',%d)", k.Creditor, k.Debtor, ts(t), pick("x", "y"), r.IntN(100))
		}
	}
	for h := range 100 * 24 {
		if h%7 == 0 || h < 40*24 {
			continue
		}
		t := start.Add(time.Duration(h) * time.Hour)
		add("weather", ledger.Key{}, t.Add(time.Hour), time.Time{}, "('BE90',%s,%s,true,10,%d,%d)", ts(t), ts(t.Add(time.Hour)), r.IntN(2), r.IntN(61))
		if h%72 == 5 {
			for ahead := range 72 {
				u := t.Add(time.Duration(ahead) * time.Hour)
				add("weather", ledger.Key{}, t, time.Time{}, "('BE90',%s,%s,false,10,%d,%d)", ts(u), ts(t), r.IntN(2), r.IntN(61))
			}
		}
	}
	for m := range 3 {
		t := start.AddDate(0, m, 14)
		add("sector_signals", ledger.Key{}, t, time.Time{}, "('56','','%s','risk',%s,%d)", start.AddDate(0, m, 0).Format(time.DateOnly), ts(t), r.IntN(9))
		add("sector_signals", ledger.Key{}, t, time.Time{}, "('','BE','%s','risk',%s,%d)", start.AddDate(0, m, 0).Format(time.DateOnly), ts(t), r.IntN(9))
	}
	return facts
}

// fill empties the warehouse and writes what is known at a moment; with a zero
// moment everything.
func fill(tb testing.TB, db *store.Store, facts []fact, known time.Time) {
	tb.Helper()
	rows := map[string][]string{}
	for _, f := range facts {
		if known.IsZero() || !f.at.After(known) {
			rows[f.table] = append(rows[f.table], f.sql(!f.ends.IsZero() && (known.IsZero() || !f.ends.After(known))))
		}
	}
	var b strings.Builder
	for _, table := range []string{"debtors", "invoices", "payments", "contacts", "engagements", "cases", "ratings", "weather", "sector_signals"} {
		b.WriteString("DELETE FROM " + table + ";\n")
		if len(rows[table]) > 0 {
			b.WriteString("INSERT OR IGNORE INTO " + table + " VALUES " + strings.Join(rows[table], ",\n") + ";\n")
		}
	}
	exec(tb, db, b.String())
}

func creditors(tb testing.TB) *store.Store {
	tb.Helper()
	db := warehouse(tb)
	exec(tb, db, `INSERT INTO creditors (creditor_id, timezone) VALUES ('a', 'Europe/Brussels'), ('b', 'Europe/London');
		INSERT INTO holidays VALUES ('BE', '2025-04-21', 'Easter Monday')`)
	return db
}

// same reports the first difference between two sets, row by row in the order of
// keys; as_of is not compared.
func same(t interface {
	Helper()
	Fatalf(string, ...any)
}, got, want *Set,
) {
	t.Helper()
	g, w := got.Sorted(), want.Sorted()
	if len(g) != len(w) {
		t.Fatalf("%d vectors, want %d", len(g), len(w))
	}
	gv, wv := reflect.ValueOf(got).Elem(), reflect.ValueOf(want).Elem()
	for n := range g {
		for _, c := range columns {
			if c.name == "as_of" {
				continue
			}
			width := max(c.width, 1)
			a := gv.Field(c.index).Slice(g[n]*width, (g[n]+1)*width).Interface()
			b := wv.Field(c.index).Slice(w[n]*width, (w[n]+1)*width).Interface()
			if !reflect.DeepEqual(a, b) {
				t.Fatalf("%v: %s = %v, want %v", want.Key(w[n]), c.name, a, b)
			}
		}
	}
}

// moments draws a moment of the book, often one at which something happened.
func moments(rt *rapid.T, facts []fact, label string) time.Time {
	if rapid.Bool().Draw(rt, label+" at an event") {
		return facts[rapid.IntRange(0, len(facts)-1).Draw(rt, label)].at
	}
	return time.Date(2025, 1, 10, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 90*24*60).Draw(rt, label)) * time.Minute)
}

// What happens after the moment of a vector does not move it.
func TestFutureEventsChangeNothing(t *testing.T) {
	db := creditors(t)
	rapid.Check(t, func(rt *rapid.T) {
		facts := book(rapid.Uint64().Draw(rt, "book"), 40)
		asOf := moments(rt, facts, "as of")
		fill(t, db, facts, asOf)
		before := load(t, db, asOf.Format(time.RFC3339), Filter{})
		fill(t, db, facts, time.Time{})
		after := load(t, db, asOf.Format(time.RFC3339), Filter{})
		same(rt, after, before)
	})
}

// A vector is the same alone, among all and among those of other moments.
func TestServingEqualsTraining(t *testing.T) {
	db := creditors(t)
	rapid.Check(t, func(rt *rapid.T) {
		facts := book(rapid.Uint64().Draw(rt, "book"), 30)
		fill(t, db, facts, time.Time{})
		times := []time.Time{moments(rt, facts, "first"), moments(rt, facts, "second"), moments(rt, facts, "third")}
		slices.SortFunc(times, time.Time.Compare)
		times = slices.Compact(times)
		var points []Point
		want := map[int64]*Set{}
		for _, at := range times {
			set := load(t, db, at.Format(time.RFC3339), Filter{})
			want[at.UnixMicro()] = set
			for i := range set.Len() {
				points = append(points, Point{Key: set.Key(i), AsOf: at})
			}
		}
		got := map[int64]*Set{}
		err := New(db).VectorsAt(t.Context(), points, func(rec arrow.RecordBatch) error {
			mixed := new(Set)
			for r := range rec.NumRows() { // one at a time: a Set holds a debtor once
				row := rec.NewSlice(r, r+1)
				err := mixed.Append(row)
				row.Release()
				if err != nil {
					return err
				}
				at := mixed.AsOf[mixed.Len()-1]
				if got[at] == nil {
					got[at] = new(Set)
				}
				got[at].merge(mixed)
				mixed = new(Set)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for at, set := range want {
			if set.Len() > 0 {
				same(rt, got[at], set)
			}
		}
		if all := want[times[0].UnixMicro()]; all.Len() > 0 {
			one := all.Key(rapid.IntRange(0, all.Len()-1).Draw(rt, "one"))
			alone := load(t, db, times[0].Format(time.RFC3339), Filter{Keys: []ledger.Key{one}})
			i, ok := all.Row(one)
			if !ok || alone.Len() != 1 {
				t.Fatalf("%d vectors of %v", alone.Len(), one)
			}
			only := new(Set)
			only.merge(alone)
			if !reflect.DeepEqual(alone.Opens, all.Opens[i*HoursOfWeek:(i+1)*HoursOfWeek]) || !reflect.DeepEqual(alone.OpenRate, all.OpenRate[i*5:(i+1)*5]) {
				t.Fatalf("%v differs when asked for alone", one)
			}
		}
	})
}

// After any sequence of news and late news, within a day and over midnight, the
// Refresher of a creditor holds what a full computation gives, and leaves alone
// what it gave before.
func TestRefresherEqualsFullComputation(t *testing.T) {
	db := creditors(t)
	rapid.Check(t, func(rt *rapid.T) {
		facts := book(rapid.Uint64().Draw(rt, "book"), 30)
		asOf := moments(rt, facts, "first")
		// Some facts are posted late: hidden until told.
		hidden := map[int]bool{}
		for range rapid.IntRange(0, 6).Draw(rt, "late facts") {
			hidden[rapid.IntRange(0, len(facts)-1).Draw(rt, "late")] = true
		}
		known := func() []fact {
			var out []fact
			for i, f := range facts {
				if !hidden[i] {
					out = append(out, f)
				}
			}
			return out
		}
		f := Filter{Creditor: rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "creditor")}
		r := NewRefresher(New(db), f.Creditor)
		var before, copied *Set
		for step := range 4 {
			var late Changes
			if step > 1 {
				for i := range hidden {
					switch f := facts[i]; f.table {
					case "weather", "sector_signals":
						late.All = true
					default:
						late.Keys = append(late.Keys, f.key)
					}
				}
				clear(hidden)
			}
			if step > 2 && rapid.Bool().Draw(rt, "half-life changes") {
				f.HalfLife = 90
			}
			fill(t, db, known(), time.Time{})
			set, _, err := r.Refresh(t.Context(), asOf, f.HalfLife, late)
			if err != nil {
				t.Fatal(err)
			}
			same(rt, set, load(t, db, asOf.Format(time.RFC3339), f))
			if before != nil {
				same(rt, before, copied)
			}
			before, copied = set, set.clone()
			asOf = asOf.Add(time.Duration(rapid.IntRange(1, 20*60).Draw(rt, "minutes")) * time.Minute)
		}
	})
}

// Between two midnights only those are computed of whom there is news; after one,
// everyone is.
func TestRefreshIsPartialWithinADay(t *testing.T) {
	db := creditors(t)
	facts := book(1, 30)
	noon := day("2025-03-10T12:00:00Z") // the same date from New York to Tokyo, at one o'clock too
	late := slices.IndexFunc(facts, func(f fact) bool { return f.table == "ratings" && f.at.Before(noon) && f.key.Creditor == "a" })
	r := NewRefresher(New(db), "a")
	for _, step := range []struct {
		after time.Duration
		late  Changes
		facts []fact
		full  bool
	}{
		{0, Changes{}, slices.Delete(slices.Clone(facts), late, late+1), true},
		{time.Minute, Changes{Keys: []ledger.Key{facts[late].key}}, facts, false},
		{time.Hour, Changes{}, facts, false}, // the weather of the hour became known
		{12 * time.Hour, Changes{}, facts, true},
	} {
		fill(t, db, step.facts, time.Time{})
		asOf := noon.Add(step.after)
		set, done, err := r.Refresh(t.Context(), asOf, 0, step.late)
		if err != nil {
			t.Fatal(err)
		}
		if done.Full != step.full || done.Rows == 0 || done.Full != (done.Rows == set.Len()) {
			t.Errorf("after %v: %+v of %d vectors, want all of them: %v", step.after, done, set.Len(), step.full)
		}
		same(t, set, load(t, db, asOf.Format(time.RFC3339), Filter{Creditor: "a"}))
	}
}
