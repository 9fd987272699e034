package models

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"rappel/datasets/ledger"
	"rappel/features"
)

// anyDay draws a period.
func anyDay(r *rapid.T) Period {
	p := Period{
		DPD: rapid.IntRange(-60, 400).Draw(r, "dpd"), Weekday: rapid.IntRange(0, 6).Draw(r, "weekday"), MonthEnd: rapid.IntRange(0, 5).Draw(r, "month end"), Month: rapid.IntRange(0, 12).Draw(r, "month"),
		LogAmount: rapid.Float64Range(0, 12).Draw(r, "amount"),
		Age:       rapid.IntRange(0, 400).Draw(r, "age"), Lift: rapid.Float64Range(0.05, 8).Draw(r, "lift"), EndRun: rapid.Float64Range(0, 1).Draw(r, "end run"), Past: features.Past{
			LateMean: rapid.Float64Range(-30, 90).Draw(r, "late"),
			Before:   rapid.Float64Range(0, 1).Draw(r, "before"), Reminded: rapid.Float64Range(0, 1).Draw(r, "reminded"),
			Natural: rapid.Float64Range(0, 1).Draw(r, "natural"),
		},
	}
	return p
}

// One row of the design against the coefficients is the daily hazard.
func TestDesignIsWhatTheHazardReads(t *testing.T) {
	h := PriorHazard()
	x := make([]float64, HazardColumns)
	rapid.Check(t, func(r *rapid.T) {
		p := anyDay(r)
		Design(x, &p)
		eta := 0.0
		for j, v := range x {
			eta += v * h.Coef[j]
		}
		want := -math.Expm1(-math.Exp(eta))
		if got := h.Day(&p); math.Abs(got-want) > 1e-12 {
			r.Errorf("hazard %v, from the design %v", got, want)
		}
		for _, block := range [][2]int{{colDPD, colOwn}, {colOwn, colAge}, {colAge, colWeekday}, {colWeekday, colMonthEnd}, {colMonth, colAmount}, {colHat, colLift}} {
			sum := 0.0
			for _, v := range x[block[0]:block[1]] {
				sum += v
			}
			if math.Abs(sum-1) > 1e-12 {
				r.Errorf("%v: indicators %v", HazardNames[block[0]:block[1]], x[block[0]:block[1]])
			}
		}
	})
}

func TestNamesMatchTheColumns(t *testing.T) {
	seen := map[string]bool{}
	for j, name := range HazardNames {
		if name == "" || seen[name] {
			t.Errorf("column %d is called %q", j, name)
		}
		seen[name] = true
	}
	x := make([]float64, HazardColumns)
	for _, c := range []struct {
		p    Period
		want []string
	}{
		{Period{DPD: -8, Lift: 1, Weekday: 0, LogAmount: 5}, []string{"dpd..-8", "monday", "age..0"}},
		{Period{DPD: -1, Lift: 1, Weekday: 6, Age: 29}, []string{"dpd..-1", "sunday", "age..30"}},
		{Period{DPD: 0, Lift: 1, MonthEnd: 3, EndRun: 1, LogAmount: math.Log(20)}, []string{"dpd..0", "month_end", "end_run", "own..1", "amount_20"}},
		{Period{DPD: 181, Lift: math.E, Age: 200, Past: features.Past{Before: 1.5}}, []string{"dpd>180", "own>30", "age>90", "pay_run", "paid_before_late"}},
		{Period{DPD: 30, Lift: 1, Past: features.Past{LateMean: 35}}, []string{"dpd..30", "own..-3"}},
	} {
		Design(x, &c.p)
		for _, name := range c.want {
			for j := range x {
				if HazardNames[j] == name && math.Abs(x[j]-1) > 1e-12 {
					t.Errorf("%+v: %s is %v, want 1", c.p, name, x[j])
				}
			}
			if !seen[name] {
				t.Errorf("no column %q", name)
			}
		}
	}
}

// Payment, leaving, and what stays open share what was open the day before.
func TestUnpaidIsOneLessTheIncidence(t *testing.T) {
	h, leave := PriorHazard(), NewLeaving()
	var curve [40]float64
	rapid.Check(t, func(r *rapid.T) {
		p := anyDay(r)
		today := ledger.Day(rapid.IntRange(18000, 21000).Draw(r, "today"))
		p.Weekday = (int(today.Weekday()) + 6) % 7
		for k := range leave.Rate {
			leave.Rate[k] = rapid.Float64Range(0, 0.1).Draw(r, "rate")
		}
		runs := RunsOf(&[7]float64{2, 0, 5, 0, 1, 0, 0}, 2)
		h.UnpaidTo(curve[:], p, &runs, today, leave)
		open, paid, left, last := 1.0, 0.0, 0.0, 1.0
		for k, got := range curve {
			p.MonthEnd, p.Month = (today + ledger.Day(k)).MonthEnd(), int((today + ledger.Day(k)).UTC().Month())
			p.Lift, p.EndRun = runs.Lift(p.Weekday, p.MonthEnd > 0), runs[RunEnd]
			pay := h.Day(&p)
			paid += open * pay
			left += open * (1 - pay) * leave.Day(p.DPD, p.Age)
			open *= (1 - pay) * (1 - leave.Day(p.DPD, p.Age))
			if math.Abs(open+paid+left-1) > 1e-12 || math.Abs(got-(1-paid)) > 1e-12 {
				r.Fatalf("day %d: open %v, paid %v, left %v; unpaid %v", k, open, paid, left, got)
			}
			if got > last || got < 0 {
				r.Fatalf("day %d: %v after %v", k, got, last)
			}
			last = got
			p.DPD, p.Age, p.Weekday = p.DPD+1, p.Age+1, (p.Weekday+1)%7
		}
	})
}

func TestUnpaidDoesNotAllocate(t *testing.T) {
	h, leave := PriorHazard(), NewLeaving()
	curve := make([]float64, 29)
	var runs Runs
	if n := testing.AllocsPerRun(100, func() { h.UnpaidTo(curve, Period{}, &runs, 20000, leave) }); n != 0 {
		t.Errorf("UnpaidTo allocates %v times per run", n)
	}
}

// simulate draws invoices that are paid by the hazard h, from ten days before
// the due date on, and appends their days to rows. One in three hundred leaves a
// day, disputed.
func simulate(rng *rand.Rand, h *Hazard, invoices int, rows *Periods) (lives []Life) {
	for range invoices {
		first := ledger.Day(20000 + rng.IntN(300))
		p := Period{
			DPD: -10, Weekday: (int(first.Weekday()) + 6) % 7, LogAmount: 3 + 4*rng.Float64(),
			Past: features.Past{LateMean: 30*rng.Float64() - 5, Before: rng.Float64(), Reminded: rng.Float64(), Natural: 0.2 * rng.Float64()},
		}
		life := Life{Start: p, Runs: Runs{1}, First: first}
		for life.Days < 90 && life.End == StillOpen {
			day := first + ledger.Day(life.Days)
			p.MonthEnd, p.Month = day.MonthEnd(), int(day.UTC().Month())
			p.Lift, p.EndRun = life.Runs.Lift(p.Weekday, p.MonthEnd > 0), life.Runs[RunEnd]
			life.Days++
			y, competing := float32(0), float32(0)
			switch {
			case rng.Float64() < h.Day(&p):
				life.End, y = Paid, 1
			case rng.Float64() < 1./300:
				life.End, competing = Disputed, 1
			}
			rows.rows = append(rows.rows, y, 1, float32(p.DPD), float32(p.Weekday), float32(p.MonthEnd), float32(p.LogAmount),
				float32(p.Age), competing, float32(p.LateMean), float32(p.Before), float32(p.Reminded), float32(p.Natural), 0, 0, float32(p.Month), float32(p.Lift), float32(p.EndRun), 0)
			p.DPD, p.Age, p.Weekday = p.DPD+1, p.Age+1, (p.Weekday+1)%7
		}
		lives = append(lives, life)
	}
	return lives
}

// truth is a hazard that differs from the prior where data can tell.
func truth() *Hazard {
	h := PriorHazard()
	h.Coef[colWeekday+1] += 1.2 // Tuesdays
	h.Coef[colAmount] -= 0.3
	for k := range 3 {
		h.Coef[colHistory+k*historyColumns+histBefore] += 1
	}
	return h
}

func TestHazardIsFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	var rows Periods
	simulate(rng, truth(), 3000, &rows)
	m := Prior()
	if err := m.FitHazards(&rows, Prior()); err != nil {
		t.Fatal(err)
	}
	fit := m.Hazard
	var fresh Periods
	simulate(rng, truth(), 200, &fresh)
	worst, prior := 0.0, 0.0
	for i := range fresh.Len() {
		p, _, _ := fresh.At(i)
		want := truth().Day(&p)
		worst += math.Abs(fit.Day(&p)-want) / float64(fresh.Len())
		prior += math.Abs(PriorHazard().Day(&p)-want) / float64(fresh.Len())
	}
	// About 3,000 payments over ninety columns.
	if worst > 0.01 || worst > prior/2 {
		t.Errorf("mean error %v, of the prior %v", worst, prior)
	}
	if d := fit.Coef[colWeekday+1] - fit.Coef[colWeekday+2]; math.Abs(d-1.2) > 0.25 { // its standard error is 0.06, the ridge shrinks it
		t.Errorf("Tuesday against Wednesday %v, planted 1.2", d)
	}
}

func TestNothingPaidLeavesWhatWasBelieved(t *testing.T) {
	var rows Periods
	h := PriorHazard()
	h.Coef = append([]float64(nil), h.Coef...)
	for j := range h.Coef {
		h.Coef[j] = 0
	}
	h.Coef[colIntercept] = -40
	simulate(rand.New(rand.NewPCG(1, 1)), h, 20, &rows)
	m := Prior()
	m.Hazard = truth()
	want := m.Hazard
	if err := m.FitHazards(&rows, Prior()); err != nil || m.Hazard != want {
		t.Errorf("%v %v", m.Hazard, err)
	}
}

// Who pays at the end of a month does so on its last day in this book: the
// hazard learns the day, and that others do not.
func TestTheDayOfAMonthsEndIsLearnt(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	var rows Periods
	for i := range 600 {
		end := float32(i % 2)
		for day := range 60 {
			row := make([]float32, periodWidth)
			month := (ledger.Day(20000+i) + ledger.Day(day)).MonthEnd()
			row[1], row[2], row[3], row[4], row[5], row[6] = 1, float32(day-10), float32((i+day)%7), float32(month), 5, float32(day)
			row[periodLift], row[periodEnd] = 1, end
			paid := rng.Float64() < 0.04
			if end == 1 {
				paid = month == 3
			}
			if paid {
				row[0] = 1
			}
			rows.rows = append(rows.rows, row...)
			if paid {
				break
			}
		}
	}
	m := Prior()
	if err := m.FitHazards(&rows, Prior()); err != nil {
		t.Fatal(err)
	}
	for month, want := range [6]float64{0, 0, 0, 1, 0, 0} {
		p := Period{DPD: 5, Age: 15, LogAmount: 5, Lift: 1, MonthEnd: month, EndRun: 1}
		got := m.Usual.Day(&p)
		if month > 0 && (want == 0 && got > 0.05 || want == 1 && got < 0.7) { // the ridge keeps it from 0 and 1
			t.Errorf("day %d of a month's end: hazard %v, want %v", month, got, want)
		}
		// The ridge leaves part of what month-end payers do to the column of all.
		if p.EndRun = 0; month > 0 && math.Abs(m.Usual.Day(&p)-0.04) > 0.08 {
			t.Errorf("day %d of a month's end: hazard %v of who pays on any day, want 0.04", month, m.Usual.Day(&p))
		}
	}
}

// The cause-specific rates are found, bin by bin where the data say so.
func TestLeavingIsFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	var rows Periods
	simulate(rng, PriorHazard(), 4000, &rows)
	l := FitLeaving(&rows)
	for _, dpd := range []int{-9, 0, 5, 20, 50} {
		if got := l.Day(dpd, dpd+10); math.Abs(got-1./300) > 0.0012 { // fifty events or so a bin: 14 %, and the prior
			t.Errorf("%d days past due: %v, planted %v", dpd, got, 1./300)
		}
	}
	if got := FitLeaving(&Periods{}).Day(3, 13); got > 1e-3 {
		t.Errorf("without rows: %v", got)
	}
}

// Where a file knows only that an invoice was disputed, its issue is the day: who
// was not disputed then is not expected to be.
func TestLeavingOnTheDayOfIssue(t *testing.T) {
	var rows Periods
	for i := range 4000 {
		disputed := i%4 == 0
		for age := range 10 {
			row := make([]float32, periodWidth)
			row[1], row[2], row[6] = 1, float32(age-30), float32(age)
			if disputed {
				row[7] = 1
			}
			rows.rows = append(rows.rows, row...)
			if disputed {
				break
			}
		}
	}
	l := FitLeaving(&rows)
	// Shrunk a little to 1,000 events in 31,000 days and to the prior; the later days to
	// three events.
	if first, later := l.Day(-30, 0), l.Day(-29, 1); math.Abs(first-0.25) > 0.05 || later > 2e-3 {
		t.Errorf("on the day of issue %v, want 0.25; on the next %v, want next to none", first, later)
	}
}

func TestEvaluate(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	var rows Periods
	simulate(rng, truth(), 1500, &rows)
	past, leave := rows.Incidence(90), FitLeaving(&rows)
	lives := simulate(rng, truth(), 1500, &rows)
	evaluate := func(h *Hazard, lives []Life) Score {
		s, err := h.Evaluate(lives, leave, past, []int{14, 28})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	poor := &Hazard{Coef: make([]float64, HazardColumns)}
	poor.Coef[colIntercept] = -6
	good, bad := evaluate(truth(), lives), evaluate(poor, lives)
	if good.Invoices != 1500 || good.Paid == 0 || len(good.At) != 2 || good.At[1].Days != 28 {
		t.Errorf("%+v", good)
	}
	if good.Concordance < 0.6 || bad.Concordance > 0.55 {
		t.Errorf("concordance %v of the truth, %v of a constant", good.Concordance, bad.Concordance)
	}
	for k, m := range good.At {
		if m.Brier >= m.KaplanMeier || m.Brier >= m.Constant || m.Brier >= bad.At[k].Brier {
			t.Errorf("%d days: %+v; of a constant hazard %+v", m.Days, m, bad.At[k])
		}
		// Kaplan-Meier on as many invoices like these is hardly worse than the
		// share itself, though it takes those that left for lost from sight.
		if m.KaplanMeier < m.Constant-1e-9 || m.KaplanMeier > m.Constant*1.03 {
			t.Errorf("%d days: %v of Kaplan-Meier, %v of the share", m.Days, m.KaplanMeier, m.Constant)
		}
		if m.Calibration > 0.06 || math.Abs(m.Told-m.Seen) > 0.04 { // tenths of 150: 0.04 by chance; all: 0.013
			t.Errorf("the truth is off: %+v", m)
		}
	}
	if good.MAE >= bad.MAE {
		t.Errorf("days off: %v of the truth, %v of a constant", good.MAE, bad.MAE)
	}
	// An invoice that was lost sight of on its first day adds nothing.
	lost := make([]Life, 50)
	for i := range lost {
		lost[i] = lives[i]
		lost[i].Days, lost[i].End = 1, StillOpen
	}
	with := evaluate(truth(), append(lost, lives...))
	if d := with.At[1].Brier - good.At[1].Brier; math.Abs(d) > 0.002 {
		t.Errorf("Brier %v with invoices that were not followed, %v without", with.At[1].Brier, good.At[1].Brier)
	}
	if got := evaluate(truth(), nil); got.Invoices != 0 || got.At != nil {
		t.Errorf("without invoices %+v", got)
	}
}
