package models

import (
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"gonum.org/v1/gonum/stat"

	"rappel/datasets/ledger"
	"rappel/models/survival"
)

// Life is one invoice of a holdout: how it stood on its first day, and what
// became of it.
type Life struct {
	Start Period
	Runs  Runs       // of the debtor on that day
	First ledger.Day // that day
	Days  int        // from the first day until it was paid or left, or until last seen
	End   End        // how the last of them ended
}

// Lives collects the invoices issued in a window, from the batches that the
// pipeline gives of them with Window.Issues.
type Lives struct {
	Share uint64 // keep one invoice of so many, by a hash of its id; 0 and 1: all
	byID  map[string]Life
}

// Append adds the rows of a record batch of the hazard relation.
func (l *Lives) Append(rec arrow.RecordBatch) error {
	if l.byID == nil {
		l.byID = map[string]Life{}
	}
	var one Periods
	if err := one.Append(rec); err != nil {
		return err
	}
	runs, err := runsOf(rec)
	if err != nil {
		return err
	}
	column := func(name string) arrow.Array { return rec.Column(rec.Schema().FieldIndices(name)[0]) }
	creditor, ok1 := column("creditor_id").(*array.String)
	invoice, ok2 := column("invoice_id").(*array.String)
	day, ok3 := column("day").(*array.Date32)
	days, ok4 := column("days").(*array.Int32)
	ending, ok5 := column("ending").(*array.Int32)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
		return errors.New("person-periods: columns of other types than creditor_id, invoice_id, day, days and ending have")
	}
	for i := range one.Len() {
		id := creditor.Value(i) + "\x00" + invoice.Value(i)
		if l.Share > 1 {
			h := fnv.New64a()
			_, _ = h.Write([]byte(id))
			if h.Sum64()%l.Share != 0 {
				continue
			}
		}
		p, _, _ := one.At(i)
		l.byID[strings.Clone(id)] = Life{
			Start: p, Runs: runs[i], First: ledger.Day(day.Value(i)), Days: int(days.Value(i)), End: End(ending.Value(i)),
		}
	}
	return nil
}

// All returns the invoices in an order that depends on the data only.
func (l *Lives) All() []Life {
	lives := make([]Life, 0, len(l.byID))
	for _, id := range slices.Sorted(maps.Keys(l.byID)) {
		lives = append(lives, l.byID[id])
	}
	return lives
}

// Score says how well the hazard foretold a holdout.
type Score struct {
	Invoices    int     `json:"invoices"`
	Paid        int     `json:"paid"`
	Concordance float64 `json:"concordance"` // Harrell's, of the expected day of payment
	// MAE is the mean absolute error of days to payment, of paid invoices,
	// foretelling the median of when they are if they are; MAEMean is that of
	// a constant, the median of what was paid.
	MAE     float64 `json:"mae_days"`
	MAEMean float64 `json:"mae_constant"`
	At      []Mark  `json:"at"`
}

// Mark is how well P(paid within Days days of issue) was foretold. Invoices not
// followed so far count through those that were (inverse probability of
// censoring weights); those that left are not paid.
type Mark struct {
	Days        int     `json:"days"`
	Told        float64 `json:"told"`               // mean foretold
	Seen        float64 `json:"seen"`               // share paid
	Brier       float64 `json:"brier"`              // of the foretold
	KaplanMeier float64 `json:"brier_kaplan_meier"` // of Kaplan-Meier on what the hazard was fitted to
	Constant    float64 `json:"brier_constant"`     // of Seen itself
	Calibration float64 `json:"calibration"`        // mean distance of foretold and seen shares, over tenths
	Tenths      []Tenth `json:"tenths"`
}

// Tenth is a tenth of a holdout, by what was foretold of it.
type Tenth struct {
	Told float64 `json:"told"` // mean foretold share paid
	Came float64 `json:"came"` // share that was paid
	N    int     `json:"n"`
}

// Longest is how many days after issue a payment is looked for.
const Longest = 365

// Evaluate scores h on the invoices of a holdout, each foretold on its day of
// issue. past is the incidence of payment by day
// after issue of what h was fitted to, at least as long as every horizon.
func (h *Hazard) Evaluate(lives []Life, leave *Leaving, past []float64, horizons []int) (Score, error) {
	s := Score{Invoices: len(lives)}
	if len(lives) == 0 {
		return s, nil
	}
	var curve [Longest]float64
	expected := make([]float64, len(lives))
	told := make([][]float64, len(horizons))
	var paidDays []float64
	abs := 0.0
	for i := range lives {
		x := &lives[i]
		h.UnpaidTo(curve[:], x.Start, &x.Runs, x.First, leave)
		for _, v := range curve {
			expected[i] += v
		}
		if x.End == Paid {
			s.Paid++
			median, half := 0, (1+curve[Longest-1])/2
			for curve[median] > half {
				median++
			}
			abs += math.Abs(float64(x.Days - 1 - median))
			paidDays = append(paidDays, float64(x.Days-1))
		}
		for k, days := range horizons {
			told[k] = append(told[k], 1-curve[days-1])
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
	d := &survival.Data{Time: make([]float64, len(lives)), Event: make([]uint8, len(lives))}
	for i := range lives {
		d.Time[i] = float64(lives[i].Days)
		switch lives[i].End {
		case Paid:
			d.Event[i] = 1
		case StillOpen:
		default:
			d.Time[i] = 10 * Longest // it left, and is never paid
		}
	}
	s.Concordance = concordance(d, expected)
	g, err := survival.NewCensoring(d)
	if err != nil {
		return s, fmt.Errorf("holdout: %w", err)
	}
	for k, days := range horizons {
		m, err := mark(d, g, told[k], past, days)
		if err != nil {
			return s, fmt.Errorf("holdout at %d days: %w", days, err)
		}
		s.At = append(s.At, m)
	}
	return s, nil
}

// mark scores told, the foretold probabilities of payment within days.
func mark(d *survival.Data, g *survival.Censoring, told, past []float64, days int) (Mark, error) {
	t := float64(days)
	m := Mark{Days: days}
	unpaid := make([]float64, len(told))
	brier := func(p func(i int) float64) float64 {
		for i := range unpaid {
			unpaid[i] = 1 - p(i)
		}
		return survival.Brier(d, t, unpaid, g)
	}
	all, err := survival.Calibration(d, t, make([]float64, len(told)), 1, survival.CurveOptions{})
	if err != nil {
		return m, err
	}
	tenths, err := survival.Calibration(d, t, told, 10, survival.CurveOptions{})
	if err != nil {
		return m, err
	}
	m.Told, m.Seen, m.Calibration = stat.Mean(told, nil), all[0].Observed, survival.CalibrationError(tenths)
	for _, x := range tenths {
		m.Tenths = append(m.Tenths, Tenth{x.Predicted, x.Observed, x.N})
	}
	m.Brier = brier(func(i int) float64 { return told[i] })
	m.KaplanMeier = brier(func(int) float64 { return past[days-1] })
	m.Constant = brier(func(int) float64 { return m.Seen })
	return m, nil
}

// concordance is Harrell's C of expected times.
func concordance(d *survival.Data, expected []float64) float64 {
	risk := make([]float64, len(expected))
	for i, x := range expected {
		risk[i] = -x
	}
	c, err := survival.Concord(d, risk, survival.ConcordanceOptions{})
	if err != nil {
		return 0.5 // no pair of invoices could be compared
	}
	return c.C
}
