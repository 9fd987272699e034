package models

import (
	"cmp"
	"errors"
	"hash/fnv"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"rappel/models/survival"
)

// Life is one invoice of a holdout: how it stood on its first day, and when it
// was paid.
type Life struct {
	Start Period
	Days  int  // from the first day until it was paid, or until last seen
	Paid  bool // false: censored then
	// Watched is how many days it was in the window at most: from the first
	// day to the window's last.
	Watched int
	first   arrow.Date32
}

// Lives collects the invoices of person-period batches that were issued after
// the first day of the window, each seen from its issue on.
type Lives struct {
	Share uint64 // keep one invoice of so many, by a hash of its id; 0 and 1: all
	byID  map[string]*Life
	begin arrow.Date32 // the first day of the window
	end   arrow.Date32 // its last
}

// Append adds the rows of a record batch of the hazard relation.
func (l *Lives) Append(rec arrow.RecordBatch) error {
	if l.byID == nil {
		l.byID, l.begin, l.end = map[string]*Life{}, math.MaxInt32, math.MinInt32
	}
	var one Periods
	if err := one.Append(rec); err != nil {
		return err
	}
	creditor, ok1 := rec.Column(rec.Schema().FieldIndices("creditor_id")[0]).(*array.String)
	invoice, ok2 := rec.Column(rec.Schema().FieldIndices("invoice_id")[0]).(*array.String)
	day, ok3 := rec.Column(rec.Schema().FieldIndices("day")[0]).(*array.Date32)
	if !ok1 || !ok2 || !ok3 {
		return errors.New("person-periods: columns of other types than creditor_id, invoice_id and day have")
	}
	for i := range one.Len() {
		l.begin, l.end = min(l.begin, day.Value(i)), max(l.end, day.Value(i))
		id := creditor.Value(i) + "\x00" + invoice.Value(i)
		if l.Share > 1 {
			h := fnv.New64a()
			_, _ = h.Write([]byte(id))
			if h.Sum64()%l.Share != 0 {
				continue
			}
		}
		p, paid, _ := one.At(i)
		x := l.byID[id]
		if x == nil {
			x = &Life{first: math.MaxInt32}
			l.byID[string([]byte(id))] = x
		}
		if day.Value(i) < x.first {
			x.first, x.Start = day.Value(i), p
		}
		x.Days++
		x.Paid = x.Paid || paid
	}
	return nil
}

// All returns the invoices issued within the window, in an order that depends
// on the data only.
func (l *Lives) All() []Life {
	ids := make([]string, 0, len(l.byID))
	for id, x := range l.byID {
		if x.first > l.begin {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	lives := make([]Life, len(ids))
	for i, id := range ids {
		lives[i] = *l.byID[id]
		lives[i].Watched = int(l.end-lives[i].first) + 1
	}
	return lives
}

// Score says how well the hazard foretold a holdout.
type Score struct {
	Invoices    int
	Paid        int
	Concordance float64 // Harrell's, of the expected day of payment
	MAE         float64 // mean absolute error of days to payment, of paid invoices, predicting the median
	MAEMean     float64 // the same of a constant: the median of what was paid
	Brier       float64 // of P(paid within Horizon days), where that is known
	BrierMean   float64 // the same of the share that was paid
	Calibration float64 // mean absolute difference of foretold and seen shares, over tenths
	Horizon     int
}

// Evaluate scores h on the invoices of a holdout, each foretold from its first
// day with nobody contacted since.
func (h *Hazard) Evaluate(lives []Life, horizon int) Score {
	const longest = 365
	s := Score{Invoices: len(lives), Horizon: horizon}
	if len(lives) == 0 {
		return s
	}
	var curve [longest]float64
	expected := make([]float64, len(lives))
	type known struct {
		p float64
		y bool
	}
	var seen []known
	var paidDays []float64
	abs := 0.0
	for i := range lives {
		x := &lives[i]
		var share [7]float64
		for d := range share {
			share[d] = 1.0 / 7
		}
		share[x.Start.Weekday] = x.Start.PayShare
		h.SurvivalTo(curve[:], x.Start, &share, func(int) bool { return false })
		median := longest
		for t, v := range curve {
			expected[i] += v
			if v < 0.5 {
				median = t
				break
			}
		}
		for t := median + 1; t < longest; t++ {
			expected[i] += curve[t]
		}
		if x.Paid {
			s.Paid++
			abs += math.Abs(float64(x.Days - 1 - median))
			paidDays = append(paidDays, float64(x.Days-1))
		}
		// An invoice that could not be followed to the horizon says nothing: to
		// count it only where it was paid would make payment look likelier.
		if x.Watched >= horizon && (x.Paid || x.Days >= horizon) {
			seen = append(seen, known{1 - curve[min(horizon, longest)-1], x.Paid && x.Days <= horizon})
		}
	}
	if s.Paid > 0 {
		s.MAE = abs / float64(s.Paid)
		slices.Sort(paidDays)
		middle := paidDays[len(paidDays)/2]
		for _, d := range paidDays {
			s.MAEMean += math.Abs(d-middle) / float64(s.Paid)
		}
	}
	s.Concordance = concordance(lives, expected)
	if len(seen) == 0 {
		return s
	}
	mean := 0.0
	for _, k := range seen {
		mean += indicator(k.y) / float64(len(seen))
	}
	slices.SortFunc(seen, func(a, b known) int { return cmp.Compare(a.p, b.p) })
	for _, k := range seen {
		d, m := indicator(k.y)-k.p, indicator(k.y)-mean
		s.Brier += d * d / float64(len(seen))
		s.BrierMean += m * m / float64(len(seen))
	}
	const tenths = 10
	for g := range tenths {
		part := seen[g*len(seen)/tenths : (g+1)*len(seen)/tenths]
		told, came := 0.0, 0.0
		for _, k := range part {
			told += k.p
			came += indicator(k.y)
		}
		s.Calibration += math.Abs(told-came) / float64(len(seen))
	}
	return s
}

func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// concordance is Harrell's C of expected times.
func concordance(lives []Life, expected []float64) float64 {
	d := survival.Data{Time: make([]float64, len(lives)), Event: make([]uint8, len(lives))}
	risk := make([]float64, len(lives))
	for i := range lives {
		d.Time[i] = float64(lives[i].Days)
		if lives[i].Paid {
			d.Event[i] = 1
		}
		risk[i] = -expected[i]
	}
	c, err := survival.Concord(&d, risk, survival.ConcordanceOptions{})
	if err != nil {
		return 0.5 // no pair of invoices could be compared
	}
	return c.C
}
