package models

import (
	"fmt"
	"math"

	"rappel/datasets/ledger"
	"rappel/features"
	"rappel/models/survival"
)

// Period describes one day on which an invoice could be paid: a row of the
// person-period data, in training from SQL and in serving from the account.
type Period struct {
	DPD           int     // days past due on that day
	Age           int     // days since its issue
	Weekday       int     // 0 = Monday
	MonthEnd      int     // which of the last three (1–3) or first two (4, 5) days of a month, or 0
	Month         int     // 1 = January … 12 = December, or 0
	LogAmount     float64 // natural logarithm of the amount in the creditor's currency
	Lift          float64 // how the debtor's payment runs favour this day: Runs.Lift
	EndRun        float64 // how likely it is that the debtor pays at the end of a month: Runs[RunEnd]
	features.Past         // of the debtor, when the invoice was issued
}

// The upper ends of the bins of days: the last bin has none.
var (
	dpdEdges = [...]int{-31, -15, -8, -4, -2, -1, 0, 1, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180}
	ownEdges = [...]float64{-15, -7, -3, -1, 1, 3, 7, 15, 30} // days past due less the debtor's mean
	ageEdges = [...]int{0, 1, 2, 4, 7, 10, 14, 21, 30, 45, 60, 90}
)

// The columns of the hazard's design.
const (
	colIntercept = iota
	colDPD                                    // indicators of days past due
	colOwn       = colDPD + len(dpdEdges) + 1 // of days past due against the debtor's own mean
	colAge       = colOwn + len(ownEdges) + 1 // of days since issue
	colWeekday   = colAge + len(ageEdges) + 1
	colMonthEnd  = colWeekday + 7
	colMonth     = colMonthEnd + 1 // January …
	colAmount    = colMonth + 12
	colHat       = colAmount + 1 // hats in log amount, see hatOf
	colLift      = colHat + hats
	colOff       = colLift + 1              // of days that its runs do not favour
	colEndRun    = colOff + 1               // of who pays at the end of a month, by its days
	colHistory   = colEndRun + monthEndDays // 3 spells of the columns of the debtor's history

	// HazardColumns is the width of the design.
	HazardColumns = colHistory + 3*historyColumns
)

// monthEndDays are the last three and first two days of a month.
const monthEndDays = 5

// The debtor's history counts apart before the due date, in the two weeks from
// it on, and after.
const (
	histLate = iota
	histBefore
	histReminded
	histNatural
	histNew
	histOverdue
	historyColumns
)

func spellOf(dpd int) int {
	switch {
	case dpd < 0:
		return 0
	case dpd <= 14:
		return 1
	}
	return 2
}

// HazardNames names the columns of the design, in order.
var HazardNames = func() (names [HazardColumns]string) {
	put := func(from int, list ...string) { copy(names[from:], list) }
	put(colIntercept, "intercept")
	put(colDPD, bins("dpd", dpdEdges[:])...)
	own := make([]int, len(ownEdges))
	for k, v := range ownEdges {
		own[k] = int(v)
	}
	put(colOwn, bins("own", own)...)
	put(colAge, bins("age", ageEdges[:])...)
	put(colWeekday, "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
	put(colMonthEnd, "month_end")
	put(colEndRun, "end_run-2", "end_run-1", "end_run", "end_run+1", "end_run+2")
	put(colMonth, "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
	put(colAmount, "log_amount")
	for k := range hats {
		put(colHat+k, fmt.Sprintf("amount_%.0f", math.Exp(hatFirst+hatStep*float64(k))))
	}
	put(colLift, "pay_run", "off_run")
	for k, spell := range []string{"_early", "_due", "_late"} {
		put(colHistory+k*historyColumns, "late_mean"+spell, "paid_before"+spell, "paid_reminded"+spell, "natural"+spell, "new"+spell, "overdue"+spell)
	}
	return names
}()

// bins names the bins of a number of days by their upper ends.
func bins(what string, edges []int) []string {
	names := make([]string, 0, len(edges)+1)
	for _, e := range edges {
		names = append(names, fmt.Sprintf("%s..%d", what, e))
	}
	return append(names, fmt.Sprintf("%s>%d", what, edges[len(edges)-1]))
}

// Design stores the columns of p in dst, of length HazardColumns.
func Design(dst []float64, p *Period) {
	clear(dst)
	dst[colIntercept] = 1
	fixed(dst, p)
	daily(p, func(j int, v float64) { dst[j] = v })
	history((*[historyColumns]float64)(dst[colHistory+spellOf(p.DPD)*historyColumns:]), p)
}

// fixed stores what does not change from day to day.
func fixed(dst []float64, p *Period) {
	dst[colAmount] = p.LogAmount - 5
	k, w := hatOf(p.LogAmount)
	dst[colHat+k], dst[colHat+k+1] = 1-w, w
}

// history stores the columns of the debtor's history in dst.
func history(dst *[historyColumns]float64, p *Period) {
	dst[histLate] = min(max(p.LateMean, -20), 60) / 10
	dst[histBefore] = p.Before - 0.5
	dst[histReminded] = p.Reminded - 0.3
	dst[histNatural] = math.Log(min(max(p.Natural, 0.002), 0.5) / 0.05)
	dst[histNew] = 2 / (2 + p.Paid)
	dst[histOverdue] = p.Overdue
}

// Hats are the basis of a broken line in the logarithm of the amount, with knots
// at 10, 20, 40 … of the currency.
const (
	hats     = 12
	hatFirst = math.Ln10
	hatStep  = math.Ln2
)

// hatOf returns the knot at or below an amount, the last but one at most, and
// the weight of the next.
func hatOf(logAmount float64) (k int, w float64) {
	x := min(max((logAmount-hatFirst)/hatStep, 0), hats-1)
	k = min(int(x), hats-2)
	return k, x - float64(k)
}

// daily calls set for each column that changes from day to day and is not zero.
func daily(p *Period, set func(j int, v float64)) {
	set(colDPD+bin(p.DPD, dpdEdges[:]), 1)
	set(colOwn+bin(float64(p.DPD)-p.LateMean, ownEdges[:]), 1)
	set(colAge+bin(p.Age, ageEdges[:]), 1)
	set(colWeekday+p.Weekday, 1)
	if p.MonthEnd > 0 {
		set(colMonthEnd, 1)
		set(colEndRun+p.MonthEnd-1, p.EndRun)
	}
	set(colMonth+(p.Month+11)%12, 1)
	lift := math.Log(p.Lift)
	set(colLift, lift)
	set(colOff, min(lift, 0))
}

// bin is the index of the first edge that v does not exceed.
func bin[T int | float64](v T, edges []T) int {
	k := 0
	for k < len(edges) && v > edges[k] {
		k++
	}
	return k
}

// hazardPrior is what is believed of the coefficients before any data, with
// ridge precisions: experts' figures for a daily hazard around the due date.
func hazardPrior() (mean, precision []float64) {
	mean = make([]float64, HazardColumns)
	precision = make([]float64, HazardColumns)
	for j := range precision {
		precision[j] = 4
	}
	mean[colIntercept], precision[colIntercept] = -3.1, 1
	copy(mean[colDPD:], []float64{
		-2, -1.8, -1.6, -0.9, -0.5, -0.2, 0.6, 0.5, 0.3, 0.1, 0.1, 0, 0, -0.1, -0.1, -0.3, -0.3, -0.7, -0.7, -1.2, -1.2,
	})
	copy(mean[colOwn:], []float64{-0.8, -0.5, -0.2, 0.2, 0.5, 0.3, 0.1, -0.1, -0.3, -0.3})
	copy(mean[colWeekday:], []float64{0.15, 0.1, 0.1, 0.1, 0.1, -0.6, -0.9})
	mean[colMonthEnd] = 0.15
	// Summer holidays and the end of the year: a first year cannot tell seasons
	// from anything else that changes.
	copy(mean[colMonth:], []float64{0, 0, 0, 0, 0, 0, -0.15, -0.2, 0, 0, 0, -0.1})
	for k := range 12 {
		precision[colMonth+k] = 60
	}
	mean[colLift], precision[colLift] = 0.9, 20
	for k := range 3 {
		j := colHistory + k*historyColumns
		mean[j+histNatural], precision[j+histNatural] = 0.5, 8
	}
	return mean, precision
}

// Hazard is the daily pay hazard: complementary log-log on Design's columns, a
// grouped Cox model (Prentice and Gloeckler 1978, doi:10.2307/2529588).
type Hazard struct {
	Coef []float64 // HazardColumns
}

// PriorHazard returns the hazard before any data.
func PriorHazard() *Hazard {
	mean, _ := hazardPrior()
	return &Hazard{Coef: mean}
}

// Day returns the probability of payment on the day of p, given none before.
func (h *Hazard) Day(p *Period) float64 {
	eta := h.static(p)[spellOf(p.DPD)]
	daily(p, func(j int, v float64) { eta += v * h.Coef[j] })
	return survival.CLogLog.Prob(eta)
}

// static is what does not change from day to day of the linear predictor, by
// spell.
func (h *Hazard) static(p *Period) (eta [3]float64) {
	var x [historyColumns]float64
	history(&x, p)
	k, w := hatOf(p.LogAmount)
	base := h.Coef[colIntercept] + h.Coef[colAmount]*(p.LogAmount-5) + h.Coef[colHat+k]*(1-w) + h.Coef[colHat+k+1]*w
	for spell := range eta {
		eta[spell] = base
		for j, v := range x {
			eta[spell] += v * h.Coef[colHistory+spell*historyColumns+j]
		}
	}
	return eta
}

// UnpaidTo stores in dst the probability that the invoice is still unpaid at
// the end of each coming day, dst[0] being the end of p's own day, if nobody is
// contacted again. An invoice that leaves, by the hazards of leave, stays unpaid
// from then on: 1 − dst is the incidence of payment among competing events
// (Aalen and Johansen 1978). runs are the debtor's, today is p's own day. It
// does not allocate.
func (h *Hazard) UnpaidTo(dst []float64, p Period, runs *Runs, today ledger.Day, leave *Leaving) {
	base := h.static(&p)
	open, unpaid := 1.0, 1.0
	for t := range dst {
		day := today + ledger.Day(t)
		p.MonthEnd, p.Month = day.MonthEnd(), int(day.UTC().Month())
		p.Lift, p.EndRun = runs.Lift(p.Weekday, p.MonthEnd > 0), runs[RunEnd]
		eta := base[spellOf(p.DPD)]
		daily(&p, func(j int, v float64) { eta += v * h.Coef[j] })
		paid := survival.CLogLog.Prob(eta)
		unpaid -= open * paid
		open *= (1 - paid) * (1 - leave.Day(p.DPD, p.Age))
		dst[t] = max(unpaid, 0)
		p.DPD++
		p.Age++
		p.Weekday = (p.Weekday + 1) % 7
	}
}
