package models

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rappel/datasets/ledger"
	"rappel/features"
	"rappel/models/survival"
)

// periodColumns are the columns of the hazard relation that a Period is read
// from: the first of them as they are, in the order of Periods.rows, and those
// of runColumns as the lift of the day.
var (
	periodColumns = [...]string{
		"y", "weight", "dpd", "weekday", "month_end", "log_amount",
		"age", "competing", "days_late_mean", "share_paid_before_due", "share_paid_after_reminder", "natural_rate",
		"invoices_paid", "share_overdue", "month",
	}
	runColumns = [...]string{
		"paid_monday", "paid_tuesday", "paid_wednesday", "paid_thursday", "paid_friday", "paid_saturday", "paid_sunday", "paid_month_end",
	}
)

// A row of Periods: periodColumns, the lift, how likely it is that the debtor
// pays at the end of a month, and how much of a payment was the
// doing of contacts.
const (
	periodLift  = len(periodColumns)
	periodEnd   = periodLift + 1
	periodAsked = periodEnd + 1
	periodWidth = periodAsked + 1
)

// End is how a day ended for an invoice.
type End uint8

// What may come of an invoice on a day. Payment wins over the others.
const (
	StillOpen End = iota
	Paid
	Disputed
	Planned // a payment plan was agreed
	Handed  // to a collector or a court, or the debtor is insolvent
	Ends
)

// Periods is person-period data in memory, compact: the design is spelt out
// batch by batch as a fit passes over it.
type Periods struct {
	// Asked, if not nil, is how much of a payment was the doing of contacts.
	Asked func(creditor, debtor string, day ledger.Day) float64

	rows   []float32 // periodWidth a row
	sorted bool      // in the order that settle gives
}

// Len is the number of rows.
func (p *Periods) Len() int { return len(p.rows) / periodWidth }

// Append adds the rows of a record batch of the hazard relation.
func (p *Periods) Append(rec arrow.RecordBatch) error {
	p.sorted = false
	from, n := len(p.rows), int(rec.NumRows())
	p.rows = append(p.rows, make([]float32, n*periodWidth)...)
	for k, name := range periodColumns {
		err := numbers(rec, name, func(i int, v float64) { p.rows[from+i*periodWidth+k] = float32(v) })
		if err != nil {
			return err
		}
	}
	runs, err := runsOf(rec)
	if err != nil {
		return err
	}
	for i := range n {
		r := p.rows[from+i*periodWidth:][:periodWidth]
		r[periodLift], r[periodEnd] = float32(runs[i].Lift(int(r[3]), r[4] != 0)), float32(runs[i][RunEnd])
	}
	if p.Asked == nil {
		return nil
	}
	creditor, debtor, day, err := whose(rec)
	if err != nil {
		return err
	}
	for i := range n {
		if r := p.rows[from+i*periodWidth:][:periodWidth]; r[0] != 0 {
			r[periodAsked] = float32(p.Asked(creditor.Value(i), debtor.Value(i), ledger.Day(day.Value(i))))
		}
	}
	return nil
}

// whose returns the columns that say of whom and of which day a row speaks.
func whose(rec arrow.RecordBatch) (creditor, debtor *array.String, day *array.Date32, err error) {
	column := func(name string) arrow.Array {
		if at := rec.Schema().FieldIndices(name); len(at) == 1 {
			return rec.Column(at[0])
		}
		return nil
	}
	creditor, ok1 := column("creditor_id").(*array.String)
	debtor, ok2 := column("debtor_id").(*array.String)
	day, ok3 := column("day").(*array.Date32)
	if !ok1 || !ok2 || !ok3 {
		return nil, nil, nil, errors.New("person-periods: no creditor, debtor and day")
	}
	return creditor, debtor, day, nil
}

// runsOf reads the payment runs of each row of the hazard relation.
func runsOf(rec arrow.RecordBatch) ([]Runs, error) {
	paid := make([][len(runColumns)]float64, rec.NumRows())
	for k, name := range runColumns {
		if err := numbers(rec, name, func(i int, v float64) { paid[i][k] = v }); err != nil {
			return nil, err
		}
	}
	runs := make([]Runs, len(paid))
	for i := range paid {
		runs[i] = RunsOf((*[7]float64)(paid[i][:]), paid[i][7])
	}
	return runs, nil
}

// numbers calls set with each value of a column.
func numbers(rec arrow.RecordBatch, name string, set func(i int, v float64)) error {
	at := rec.Schema().FieldIndices(name)
	if len(at) != 1 {
		return fmt.Errorf("person-periods: no column %q", name)
	}
	switch col := rec.Column(at[0]).(type) {
	case *array.Float64:
		for i, v := range col.Values() {
			set(i, v)
		}
	case *array.Int32:
		for i, v := range col.Values() {
			set(i, float64(v))
		}
	default:
		return fmt.Errorf("person-periods: column %q is %s", name, col.DataType())
	}
	return nil
}

// At returns row i: the period, how it ended, and its weight.
func (p *Periods) At(i int) (q Period, end End, weight float64) {
	r := p.rows[i*periodWidth:][:periodWidth]
	q = Period{
		DPD: int(r[2]), Weekday: int(r[3]), MonthEnd: int(r[4]), EndRun: float64(r[periodEnd]), LogAmount: float64(r[5]), Age: int(r[6]), Lift: float64(r[periodLift]),
		Past: features.Past{
			LateMean: float64(r[8]), Before: float64(r[9]), Reminded: float64(r[10]), Natural: float64(r[11]),
			Paid: float64(r[12]), Overdue: float64(r[13]),
		},
		Month: int(r[14]),
	}
	switch {
	case r[0] != 0:
		end = Paid
	case r[7] != 0:
		end = Paid + End(r[7])
	}
	return q, end, float64(r[1])
}

// settle puts the rows in an order that depends on what they hold and not on
// how they came, so that sums over them are the same to the last bit: by hash,
// then by content; rows that are alike may trade places.
func (p *Periods) settle() {
	const width = periodWidth
	if p.sorted {
		return
	}
	type key struct {
		hash uint64
		row  int32
	}
	keys := make([]key, p.Len())
	for i := range keys {
		h := uint64(14695981039346656037) // FNV-1a over the bits of the row
		for _, v := range p.rows[i*width:][:width] {
			h = (h ^ uint64(math.Float32bits(v))) * 1099511628211
		}
		keys[i] = key{h, int32(i)}
	}
	slices.SortFunc(keys, func(a, b key) int {
		if a.hash != b.hash {
			return cmp.Compare(a.hash, b.hash)
		}
		return slices.Compare(p.rows[int(a.row)*width:][:width], p.rows[int(b.row)*width:][:width])
	})
	rows := make([]float32, 0, len(p.rows))
	for _, k := range keys {
		rows = append(rows, p.rows[int(k.row)*width:][:width]...)
	}
	p.rows, p.sorted = rows, true
}

// Pass yields the design and what was paid in batches, in an order that is the
// rows' own.
func (p *Periods) Pass(yield func(survival.Batch) error) error { return p.pass(Paid, false, yield) }

// unasked are the same rows without what contacts brought: a payment counts for
// nature's share of it.
type unasked struct{ *Periods }

func (u unasked) Pass(yield func(survival.Batch) error) error { return u.pass(Paid, true, yield) }

// pass yields the design with end as the event, less what contacts brought where
// that is left out.
func (p *Periods) pass(event End, alone bool, yield func(survival.Batch) error) error {
	p.settle()
	const size = 8192
	b := survival.Batch{
		X: make([]float64, size*HazardColumns), Y: make([]float64, size), W: make([]float64, size),
	}
	for from := 0; from < p.Len(); from += size {
		n := min(size, p.Len()-from)
		for i := range n {
			q, end, w := p.At(from + i)
			Design(b.X[i*HazardColumns:][:HazardColumns], &q)
			b.Y[i], b.W[i] = 0, w
			if end == event {
				b.Y[i] = 1
				if alone {
					b.Y[i] -= float64(p.rows[(from+i)*periodWidth+periodAsked])
				}
			}
		}
		part := survival.Batch{X: b.X[:n*HazardColumns], Y: b.Y[:n], W: b.W[:n], Rows: n}
		if err := yield(part); err != nil {
			return err
		}
	}
	return nil
}

// Incidence is the share of invoices paid by each day after issue, 0 the day of
// issue itself, whatever is known of them: Kaplan-Meier on the rows that lie
// within so many days.
func (p *Periods) Incidence(days int) []float64 {
	p.settle()
	risk, paid := make([]float64, days), make([]float64, days)
	for i := range p.Len() {
		if q, end, w := p.At(i); q.Age >= 0 && q.Age < days {
			risk[q.Age] += w
			if end == Paid {
				paid[q.Age] += w
			}
		}
	}
	curve, unpaid := make([]float64, days), 1.0
	for t := range curve {
		if risk[t] > 0 {
			unpaid *= 1 - paid[t]/risk[t]
		}
		curve[t] = 1 - unpaid
	}
	return curve
}
