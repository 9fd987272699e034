package models

import (
	"math"

	"rappel/features"
	"rappel/models/survival"
)

// Period describes one day on which an invoice could be paid: a row of the
// person-period data, in training from SQL and in serving from the account.
type Period struct {
	DPD           int        // days past due on that day
	Weekday       int        // 0 = Monday
	MonthEnd      bool       // last three or first two days of a month
	LogAmount     float64    // natural logarithm of the amount in the creditor's currency
	Since         [5]float64 // days since the last contact by channel; −1: none in 60 days
	Opened        bool       // a person's open since the last contact
	Tone          int        // tone of the last contact
	PayShare      float64    // share of the debtor's payments on this weekday, shrunk to 1/7
	features.Past            // of the debtor, when the invoice was issued
}

// The columns of the hazard's design.
const (
	colIntercept = iota
	colDPD                     // 10 indicators, see dpdEdges
	colOwn       = colDPD + 10 // 5 indicators of days past due against the debtor's own mean
	colWeekday   = colOwn + 5
	colMonthEnd  = colWeekday + 7
	colAmount    = colMonthEnd + 1
	colContact   = colAmount + 1 // 5 kernels of days since contact
	colOpened    = colContact + 5
	colFormal    = colOpened + 1
	colPayShare  = colFormal + 1
	colLateMean  = colPayShare + 1
	colBefore    = colLateMean + 1
	colReminded  = colBefore + 1
	colNatural   = colReminded + 1

	// HazardColumns is the width of the design.
	HazardColumns = colNatural + 1
)

// HazardNames names the columns of the design, in order.
var HazardNames = [HazardColumns]string{
	"intercept",
	"dpd<-7", "dpd-7..-1", "dpd0", "dpd1..3", "dpd4..7", "dpd8..14", "dpd15..30", "dpd31..60", "dpd61..120", "dpd>120",
	"own<-7", "own-7..-3", "own-3..3", "own3..10", "own>10",
	"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
	"month_end", "log_amount",
	"since_email", "since_sms", "since_whatsapp", "since_letter", "since_phone",
	"opened", "formal", "pay_share", "late_mean", "paid_before", "paid_reminded", "natural",
}

var (
	dpdEdges = [9]int{-8, -1, 0, 3, 7, 14, 30, 60, 120} // upper ends
	ownEdges = [4]float64{-7, -3, 3, 10}
)

// contactDecay is how many days after a contact its push has fallen to 1/e.
const contactDecay = 3

// Design stores the columns of p in dst, of length HazardColumns.
func Design(dst []float64, p *Period) {
	clear(dst)
	dst[colIntercept] = 1
	fixed(dst, p)
	daily(p, func(j int, v float64) { dst[j] = v })
}

// fixed stores what does not change from day to day.
func fixed(dst []float64, p *Period) {
	dst[colAmount] = p.LogAmount - 5
	dst[colLateMean] = min(max(p.LateMean, -20), 60) / 10
	dst[colBefore] = p.Before - 0.5
	dst[colReminded] = p.Reminded - 0.3
	dst[colNatural] = math.Log(min(max(p.Natural, 0.002), 0.5) / 0.05)
}

// daily calls set for each column that changes from day to day and is not zero.
func daily(p *Period, set func(j int, v float64)) {
	k := 0
	for k < len(dpdEdges) && p.DPD > dpdEdges[k] {
		k++
	}
	set(colDPD+k, 1)
	own := float64(p.DPD) - p.LateMean
	k = 0
	for k < len(ownEdges) && own > ownEdges[k] {
		k++
	}
	set(colOwn+k, 1)
	set(colWeekday+p.Weekday, 1)
	if p.MonthEnd {
		set(colMonthEnd, 1)
	}
	latest := 0.0
	for c, u := range p.Since {
		if u >= 0 {
			v := math.Exp(-u / contactDecay)
			set(colContact+c, v)
			latest = max(latest, v)
		}
	}
	if latest > 0 {
		if p.Opened {
			set(colOpened, latest)
		}
		if p.Tone == 2 {
			set(colFormal, latest)
		}
	}
	set(colPayShare, min(math.Log(7*max(p.PayShare, 0.02)), 1.5))
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
	copy(mean[colDPD:], []float64{-1.6, -0.5, 0.6, 0.3, 0.1, 0, -0.1, -0.3, -0.7, -1.2})
	copy(mean[colOwn:], []float64{-0.5, -0.1, 0.4, 0.1, -0.2})
	copy(mean[colWeekday:], []float64{0.15, 0.1, 0.1, 0.1, 0.1, -0.6, -0.9})
	mean[colMonthEnd] = 0.15
	// Whom a policy contacts are those who do not pay: from such data alone,
	// contacts look useless and paying unasked too likely. So the push of a
	// contact is held close to what experiments say of reminders.
	for c := range 5 {
		mean[colContact+c], precision[colContact+c] = 0.9, 2000
	}
	mean[colOpened], precision[colOpened] = 0.3, 500
	precision[colFormal] = 500
	mean[colPayShare], precision[colPayShare] = 0.5, 8
	mean[colNatural], precision[colNatural] = 0.5, 8
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
	eta := h.static(p)
	daily(p, func(j int, v float64) { eta += v * h.Coef[j] })
	return survival.CLogLog.Prob(eta)
}

func (h *Hazard) static(p *Period) float64 {
	var x [HazardColumns]float64
	fixed(x[:], p)
	eta := h.Coef[colIntercept]
	for _, j := range [...]int{colAmount, colLateMean, colBefore, colReminded, colNatural} {
		eta += x[j] * h.Coef[j]
	}
	return eta
}

// SurvivalTo stores in dst the probability that the invoice is still unpaid at
// the end of each coming day, dst[0] being the end of p's own day, if nobody
// is contacted again. share holds the debtor's share of payments by weekday,
// Monday first; monthEnd tells of a day so many days ahead. It does not
// allocate.
func (h *Hazard) SurvivalTo(dst []float64, p Period, share *[7]float64, monthEnd func(ahead int) bool) {
	base := h.static(&p)
	alive := 1.0
	for t := range dst {
		p.PayShare, p.MonthEnd = share[p.Weekday], monthEnd(t)
		eta := base
		daily(&p, func(j int, v float64) { eta += v * h.Coef[j] })
		alive *= 1 - survival.CLogLog.Prob(eta)
		dst[t] = alive
		p.DPD++
		p.Weekday = (p.Weekday + 1) % 7
		for c := range p.Since {
			if p.Since[c] >= 0 {
				p.Since[c]++
			}
		}
	}
}
