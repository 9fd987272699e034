package anomaly

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
)

// habit feeds d with n debtors that pay their weekly invoices mean(i) days
// late with noise of half a day, until day, and returns them indexed.
func habit(tb testing.TB, d *clerk, n int, until int32, mean func(i int) float64) *rand.Rand {
	tb.Helper()
	r := rand.New(rand.NewPCG(4, 4))
	for i := range n {
		d.AddDebtor(0)
		for k, due := 0, int32(epoch+i%7); due+7 < until; k, due = k+1, due+7 {
			id := fmt.Sprint("h", k)
			d.Issue(i, id, due)
			d.Pay(i, id, float64(due)+math.Round(mean(i)+0.5*r.NormFloat64()))
		}
	}
	d.Refit()
	d.Tick(until)
	return r
}

// TestOverdueOnTheDay: a debtor who has always paid within days of the due
// date is found while the invoice is unpaid, not when it is paid, as overdue or
// as a change that begins with it or an invoice before; and is told of once.
func TestOverdueOnTheDay(t *testing.T) {
	d := mustNew(t)
	habit(t, d, 30, epoch+300, func(i int) float64 { return 2 })
	const due = epoch + 300
	d.Issue(7, "open", due)
	for day := int32(due + 1); ; day++ {
		if day > due+8 {
			t.Fatal("not found in eight days")
		}
		r := d.Tick(day)
		if len(r.Findings) == 0 {
			continue
		}
		f := r.Findings[0]
		if f.Debtor != 7 || f.Invoice != "open" || len(r.Findings) > 1 {
			t.Errorf("found %+v", r.Findings)
		}
		switch f.Kind {
		case Overdue:
			if f.Since != due || f.Seen != float64(day-due) {
				t.Errorf("found %+v, want it since day %d", f, due)
			}
		case Late:
			if f.Since > due || f.Since < due-13 {
				t.Errorf("found %+v, want it since day %d or the invoice before", f, due)
			}
		default:
			t.Errorf("found %+v", f)
		}
		if past := float64(day - due); f.Expected.Low > 2 || f.Expected.High < 2 || f.Expected.High > 4 || past <= f.Expected.High {
			t.Errorf("expected %+v, %v days past due: want a band about 2 that does not reach it", f.Expected, past)
		}
		if f.Confidence < 0.9 || f.Confidence > 1 {
			t.Errorf("confidence %v", f.Confidence)
		}
		break
	}
	for day := d.Day + 1; day < due+60; day++ {
		if r := d.Tick(day); len(r.Findings) > 0 {
			t.Fatalf("told again on day %d: %+v", day-due, r.Findings)
		}
	}
}

// TestWorkedOff: a paid or cancelled invoice is not overdue.
func TestWorkedOff(t *testing.T) {
	d := mustNew(t)
	habit(t, d, 30, epoch+300, func(i int) float64 { return 2 })
	d.Issue(3, "credited", epoch+300)
	d.Issue(4, "paid", epoch+300)
	d.Issue(4, "not yet due", epoch+400)
	d.Tick(epoch + 302)
	d.Cancel(3, "credited")
	d.Pay(4, "paid", epoch+302)
	for day := int32(epoch + 303); day < epoch+360; day++ {
		if r := d.Tick(day); len(r.Findings) > 0 {
			t.Fatalf("day %d: %+v", day-epoch, r.Findings)
		}
	}
}

// TestLateOnce: a change is told once, is the habit from then on, and the
// return from it is told as early. The first payments of a new habit do not tell
// it to the day, so that in one book of four another finding may follow, which
// the engine takes for more evidence of the alert that stands.
func TestLateOnce(t *testing.T) {
	const books = 20
	var right, others int
	for seed := range uint64(books) {
		d := mustNew(t)
		habit(t, d, 150, epoch+300, func(i int) float64 { return 2 })
		r := rand.New(rand.NewPCG(seed, 9))
		var late, early int
		for k := range int32(40) {
			due := epoch + 300 + 7*k
			days := 6.0
			if k >= 20 {
				days = 2
			}
			d.Issue(9, fmt.Sprint("n", k), due)
			d.Pay(9, fmt.Sprint("n", k), float64(due)+math.Round(days+0.5*r.NormFloat64()))
			for day := due + 1; day <= due+7; day++ {
				for _, f := range d.Tick(day).Findings {
					switch moved, from := f.Seen-f.Expected.Mid, (f.Since-epoch-300)/7; {
					case f.Kind == Late && math.Abs(moved-4) <= 1.5 && from == 0:
						late++
					case f.Kind == Early && math.Abs(moved+4) <= 1.5 && (from == 19 || from == 20):
						early++
					default:
						others++
					}
				}
			}
		}
		if late == 1 && early == 1 {
			right++
		}
		if b := d.Band(9, d.Day, 0.9); b.Low > 2 || b.High < 2 || b.High > 4 {
			t.Errorf("book %d: the band is now %+v, want one about 2", seed, b)
		}
	}
	if right < books-1 || others > books/4 {
		t.Errorf("in %d of %d books four days later were told since the first invoice and four days earlier since the twenty-first or the one before, once each; %d other findings", right, books, others)
	}
}

// TestResume: a Detector written down and read back finds what the first
// would have found.
func TestResume(t *testing.T) {
	a := mustNew(t)
	habit(t, a, 40, epoch+300, func(i int) float64 { return float64(i % 5) })
	a.Add(Evidence{Debtor: 2, Kind: Silent, P: 1e-7, Since: epoch + 290})
	a.Issue(5, "open", epoch+300)
	a.hear()
	text, err := json.Marshal(a.State)
	if err != nil {
		t.Fatal(err)
	}
	var state State
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	b, err := Resume(DefaultConfig(), state)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for day := int32(epoch + 301); day < epoch+320; day++ {
		x, y := a.Tick(day), b.Tick(day)
		found += len(x.Findings)
		if !reflect.DeepEqual(x, y) {
			t.Fatalf("day %d: %+v, resumed %+v", day-epoch, x, y)
		}
	}
	if found < 2 {
		t.Errorf("found %d, want the silence and the overdue invoice", found)
	}
	x, err := json.Marshal(a.State)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b.State)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(x, y) {
		t.Error("states differ after the same days")
	}
}

// TestTickOnce: a day is told once, however often it is asked for.
func TestTickOnce(t *testing.T) {
	d := mustNew(t)
	d.AddDebtor(0)
	d.Add(Evidence{Kind: BadAddress, P: 1e-9})
	if n := len(d.Tick(epoch).Findings); n != 1 {
		t.Fatalf("%d findings, want 1", n)
	}
	d.Add(Evidence{Kind: BadAddress, P: 1e-9})
	if n := len(d.Tick(epoch).Findings); n != 0 {
		t.Errorf("%d findings on the same day, want none", n)
	}
	if n := len(d.Tick(epoch + 1).Findings); n != 1 {
		t.Errorf("%d findings the day after, want 1", n)
	}
}

// TestVerdictsMoveThreshold: evidence that was enough is not once most of its
// kind were dismissed, and other kinds are not touched. The evidence is twice as
// strong as the first test of a book needs.
func TestVerdictsMoveThreshold(t *testing.T) {
	found := func(dismissed int, kind Kind) int {
		d := mustNew(t)
		d.AddDebtor(0)
		for range dismissed {
			d.Verdict(Silent, false)
		}
		d.Add(Evidence{Kind: kind, P: (&Stream{}).level(epoch, 1, free, DefaultConfig().FDR) / 2})
		return len(d.Tick(epoch).Findings)
	}
	if got := found(0, Silent); got != 1 {
		t.Errorf("%d findings before any verdict, want 1", got)
	}
	if got := found(60, Silent); got != 0 {
		t.Errorf("%d findings after sixty dismissals, want none", got)
	}
	if got := found(60, DisputeSpike); got != 1 {
		t.Errorf("%d findings of another kind, want 1", got)
	}
}

func TestAddRefusesOwnKinds(t *testing.T) {
	for _, e := range []Evidence{{Kind: Late, P: 0.5}, {Kind: Overdue}, {Kind: Kind(Kinds)}, {Kind: Silent, P: 1.5}, {Kind: Silent, P: math.NaN()}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v is taken", e)
				}
			}()
			mustNew(t).Add(e)
		}()
	}
}

func TestValidate(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"rate of zero":      func(c *Config) { c.FDR = 0 },
		"rate not a number": func(c *Config) { c.FDR = math.NaN() },
		"no false findings": func(c *Config) { c.PerYear = 0 },
		"shift of zero":     func(c *Config) { c.Shift[Weekly] = 0 },
		"no spread":         func(c *Config) { c.Prior[Monthly].Between = 0 },
		"negative days":     func(c *Config) { c.Resolution = -1 },
		"no roll-ups":       func(c *Config) { c.RollUpRate = 0 },
		"short roll-ups":    func(c *Config) { c.RollUpDays = 0 },
	} {
		c := DefaultConfig()
		spoil(&c)
		if _, err := New(c); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
}

// TestQuietDayDoesNotAllocate: a day on which nothing is due costs no memory
// beyond the counts of the groups.
func TestQuietDayDoesNotAllocate(t *testing.T) {
	d := mustNew(t)
	habit(t, d, 40, epoch+300, func(i int) float64 { return 2 })
	for i := range d.Debtors {
		d.Issue(i, "open", epoch+299)
	}
	day := d.Day
	d.Tick(day + 1)
	var r Report
	if n := testing.AllocsPerRun(50, func() {
		for i := range d.Debtors {
			for k := range d.batch {
				d.batch[k] = d.batch[k][:0]
			}
			d.examine(&r, i, day+1)
		}
	}); n != 0 {
		t.Errorf("examining debtors allocates %v times", n)
	}
}

// BenchmarkTick measures a morning of 5,000 debtors with one open invoice
// each.
func BenchmarkTick(b *testing.B) {
	d := mustNew(b)
	habit(b, d, 5000, epoch+300, func(i int) float64 { return float64(i % 5) })
	for i := range d.Debtors {
		d.Issue(i, "open", epoch+299)
	}
	day := d.Day
	for b.Loop() {
		d.Day = day
		d.Tick(day + 1)
	}
}

// BenchmarkHear measures one payment, the new baseline included.
func BenchmarkHear(b *testing.B) {
	d := mustNew(b)
	habit(b, d, 1, epoch+400, func(i int) float64 { return 2 })
	for due := int32(epoch + 400); b.Loop(); due += 7 {
		d.Issue(0, "open", due)
		d.Pay(0, "open", float64(due+2))
		d.hear()
	}
}

// BenchmarkRefit measures learning from a book of 5,000 debtors.
func BenchmarkRefit(b *testing.B) {
	d := mustNew(b)
	habit(b, d, 5000, epoch+300, func(i int) float64 { return float64(i % 5) })
	for b.Loop() {
		d.Refit()
	}
}

func Example() {
	d, err := New(DefaultConfig())
	if err != nil {
		panic(err)
	}
	baker := d.AddDebtor(0)
	day := int32(20000)
	var paid []Point
	for range 30 { // pays every weekly invoice the day after it is due
		paid = append(paid, Point{Due: day, Late: 1})
		d.Hear(baker, paid, nil)
		d.Tick(day + 2)
		day += 7
	}
	d.Hear(baker, paid, []Invoice{{ID: "invoice 30", Due: day}})
	for past := int32(1); past < 30; past++ {
		for _, f := range d.Tick(day + past).Findings {
			fmt.Printf("%s: %s expected within %.0f days, open for %.0f\n", f.Kind, f.Invoice, f.Expected.High, f.Seen)
		}
	}
	// Output:
	// overdue: invoice 30 expected within 2 days, open for 3
}
