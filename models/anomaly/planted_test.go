package anomaly

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// plan says what book of debtors to play and what to plant in it.
type plan struct {
	debtors, days int
	gap           int     // days between invoices
	noise         float64 // standard deviation of one payment, days
	shift         float64 // planted change, days
	planted       float64 // share of debtors that change
	from, to      int     // days between which changes begin
	outliers      float64 // share of payments that are ten days late once
	groups        int     // sector × region cells; debtor i is in cell i mod groups
	shocked       float64 // share of cell 0 that moves at once, on day from, and nobody else in it
	shock         float64 // by this many days
}

// played is one debtor as the plan plays them.
type played struct {
	mean, noise, shift float64
	at                 int       // day from which invoices due are shifted; beyond the end if never
	lates              []float64 // by invoice
	told, moved        bool
}

// outcome is what the Detector made of a book.
type outcome struct {
	plan
	book        []played
	falseAlerts float64
	trueAlerts  float64
	exposure    float64     // debtor-years without a planted change
	foundAfter  map[int]int // by debtor: shifted invoices paid when found, the paid one included
	due         map[int]int // by debtor: shifted invoices paid by the end
	rollUps     []RollUp
	alerts      []alerted // of members of the shocked cell
	byKind      [Kinds]int
}

// alerted is one finding on a member of the shocked cell.
type alerted struct {
	debtor, day int
	told        bool // by a roll-up
}

// replaced returns the share of findings on members of the first roll-up that
// it replaces: told by it, or told before it of one of its members.
func (o outcome) replaced() float64 {
	if len(o.rollUps) == 0 {
		return 0
	}
	var all, by float64
	for _, a := range o.alerts {
		all++
		if a.told || slices.Contains(o.rollUps[0].Members, a.debtor) {
			by++
		}
	}
	return by / all
}

// play runs a Detector over the book of plan p with the given seed.
func play(tb testing.TB, p plan, seed uint64, cfg Config) outcome {
	tb.Helper()
	r := rand.New(rand.NewPCG(seed, 0xb00c))
	d, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	out := outcome{plan: p, book: make([]played, p.debtors), foundAfter: map[int]int{}, due: map[int]int{}}
	type event struct {
		debtor, invoice int
		paid            float64
	}
	issue := make([][]event, p.days+1)
	pay := make([][]event, p.days+1)
	for i := range out.book {
		b := &out.book[i]
		*b = played{mean: 3 + 3*r.NormFloat64(), noise: p.noise, at: p.days + 1000}
		var groups []int
		if p.groups > 0 {
			groups = []int{i % p.groups}
		}
		if r.Float64() < p.planted && (p.shocked == 0 || i%p.groups != 0) {
			b.at, b.shift = p.from+r.IntN(p.to-p.from), p.shift
		}
		if p.groups > 0 && i%p.groups == 0 && float64(i) < p.shocked*float64(p.debtors) {
			b.at, b.shift = p.from, p.shock
		}
		d.AddDebtor(0, groups...)
		for k, due := 0, r.IntN(p.gap)+1; due <= p.days; k, due = k+1, due+p.gap {
			late := b.mean + b.noise*r.NormFloat64()
			if due >= b.at {
				late += b.shift
				if !b.moved {
					b.at, b.moved = due, true
				}
			}
			if r.Float64() < p.outliers {
				late += 10
			}
			late = math.Round(late)
			b.lates = append(b.lates, late)
			issue[max(0, due-14)] = append(issue[max(0, due-14)], event{i, k, float64(due)})
			if paid := max(0, due-14, due+int(late)); paid <= p.days {
				pay[paid] = append(pay[paid], event{i, k, float64(due) + late})
			}
		}
	}
	shifted := make([]int, p.debtors) // paid invoices due since the change
	const epoch = 20000               // some day in 2024
	for day := range p.days + 1 {
		for _, e := range issue[day] {
			d.Issue(e.debtor, strconv.Itoa(e.invoice), int32(epoch+e.paid))
		}
		// A day's findings are told in the morning, before its payments.
		rep := d.Tick(int32(epoch + day))
		out.rollUps = append(out.rollUps, rep.RollUps...)
		for _, f := range rep.Findings {
			b := &out.book[f.Debtor]
			if b.at > day || f.Kind == Early {
				if f.RollUp == 0 {
					out.falseAlerts++
					out.byKind[f.Kind]++
				}
				continue
			}
			if _, ok := out.foundAfter[f.Debtor]; !ok {
				out.foundAfter[f.Debtor] = shifted[f.Debtor]
			}
			if f.RollUp == 0 && f.Kind == Late {
				if b.told {
					out.falseAlerts++ // nothing changed twice
					out.byKind[f.Kind]++
				} else {
					out.trueAlerts++
				}
				b.told = true
			}
			if p.groups > 0 && f.Debtor%p.groups == 0 {
				out.alerts = append(out.alerts, alerted{f.Debtor, day, f.RollUp != 0})
			}
		}
		for _, e := range pay[day] {
			d.Pay(e.debtor, strconv.Itoa(e.invoice), epoch+e.paid)
			if b := &out.book[e.debtor]; int(e.paid-b.lates[e.invoice]) >= b.at {
				shifted[e.debtor]++
				out.due[e.debtor]++
			}
		}
		if day%28 == 27 {
			d.Refit()
		}
	}
	for i := range out.book {
		out.exposure += float64(min(out.book[i].at, p.days)) / 365
	}
	return out
}

// within returns the share of changed debtors found by the time their nth
// shifted invoice is paid: alerts are told the morning after a payment.
func (o outcome) within(n int) float64 {
	var found, all float64
	for i := range o.book {
		if o.due[i] < n {
			continue
		}
		all++
		if k, ok := o.foundAfter[i]; ok && k <= n {
			found++
		}
	}
	return found / all
}

func TestPlantedWeekly(t *testing.T) {
	p := plan{debtors: 400, days: 300, gap: 7, noise: 0.5, shift: 2, planted: 0.1, from: 120, to: 270}
	o := play(t, p, 1, DefaultConfig())
	if got := o.within(3); got < 0.9 {
		t.Errorf("found within three invoices: %.2f, want 0.9", got)
	}
	if got := o.falseAlerts / o.exposure; got > 0.05 {
		t.Errorf("false alerts per debtor-year: %.3f, want 0.05", got)
	}
}

func TestShock(t *testing.T) {
	for seed := range uint64(4) {
		p := plan{debtors: 2000, days: 330, gap: 7, noise: 0.5, shift: 2, planted: 0.1, from: 200, to: 300, groups: 40, shocked: .3, shock: 4}
		o := play(t, p, seed, DefaultConfig())
		for _, r := range o.rollUps {
			r.Members = r.Members[:len(r.Members):len(r.Members)]
			t.Logf("%+v", r)
		}
		t.Logf("member alerts %d replaced %.2f; false %v within %v", len(o.alerts), o.replaced(), o.byKind, o.within(3))
	}
}
