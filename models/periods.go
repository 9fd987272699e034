package models

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rappel/features"
	"rappel/models/survival"
)

// periodColumns are the columns of the hazard relation that a Period is read
// from, in the order of Periods.rows.
var periodColumns = [...]string{
	"y", "weight", "dpd", "weekday", "month_end", "log_amount",
	"u_email", "u_sms", "u_whatsapp", "u_letter", "u_phone", "opened_since", "tone_last",
	"pay_weekday_share", "days_late_mean", "share_paid_before_due", "share_paid_after_reminder", "natural_rate",
}

// Periods is person-period data in memory, compact: the design is spelt out
// batch by batch as a fit passes over it.
type Periods struct {
	rows   []float32 // len(periodColumns) a row
	sorted bool      // in the order that settle gives
}

// Len is the number of rows.
func (p *Periods) Len() int { return len(p.rows) / len(periodColumns) }

// Append adds the rows of a record batch of the hazard relation.
func (p *Periods) Append(rec arrow.RecordBatch) error {
	const width = len(periodColumns)
	p.sorted = false
	from := len(p.rows)
	p.rows = append(p.rows, make([]float32, int(rec.NumRows())*width)...)
	for k, name := range periodColumns {
		at := rec.Schema().FieldIndices(name)
		if len(at) != 1 {
			return fmt.Errorf("person-periods: no column %q", name)
		}
		switch col := rec.Column(at[0]).(type) {
		case *array.Float64:
			for i, v := range col.Values() {
				p.rows[from+i*width+k] = float32(v)
			}
		case *array.Int32:
			for i, v := range col.Values() {
				p.rows[from+i*width+k] = float32(v)
			}
		default:
			return fmt.Errorf("person-periods: column %q is %s", name, col.DataType())
		}
	}
	return nil
}

// At returns row i: the period, whether it ended in payment, and its weight.
func (p *Periods) At(i int) (q Period, paid bool, weight float64) {
	r := p.rows[i*len(periodColumns):][:len(periodColumns)]
	q = Period{
		DPD: int(r[2]), Weekday: int(r[3]), MonthEnd: r[4] != 0, LogAmount: float64(r[5]),
		Opened: r[11] != 0, Tone: int(r[12]), PayShare: float64(r[13]),
		Past: features.Past{LateMean: float64(r[14]), Before: float64(r[15]), Reminded: float64(r[16]), Natural: float64(r[17])},
	}
	for c := range q.Since {
		q.Since[c] = float64(r[6+c])
	}
	return q, r[0] != 0, float64(r[1])
}

// settle puts the rows in an order that depends on what they hold and not on
// how they came, so that sums over them are the same to the last bit: by hash,
// then by content; rows that are alike may trade places.
func (p *Periods) settle() {
	const width = len(periodColumns)
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

// Pass yields the design in batches, in an order that is the rows' own.
func (p *Periods) Pass(yield func(survival.Batch) error) error {
	p.settle()
	const size = 8192
	b := survival.Batch{
		X: make([]float64, size*HazardColumns), Y: make([]float64, size), W: make([]float64, size),
	}
	for from := 0; from < p.Len(); from += size {
		n := min(size, p.Len()-from)
		for i := range n {
			q, paid, w := p.At(from + i)
			Design(b.X[i*HazardColumns:][:HazardColumns], &q)
			b.Y[i], b.W[i] = 0, w
			if paid {
				b.Y[i] = 1
			}
		}
		part := survival.Batch{X: b.X[:n*HazardColumns], Y: b.Y[:n], W: b.W[:n], Rows: n}
		if err := yield(part); err != nil {
			return err
		}
	}
	return nil
}
