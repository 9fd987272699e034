package timing

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Notice is one engagement of a debtor, with its moment.
type Notice struct {
	Debtor  int32
	Profile int32   // −1 where unknown
	Hour    int32   // hour of the week
	Day     float64 // days since any start
}

// HalfLives are the half-lives tried by default, in days; the last never
// forgets.
func HalfLives() []float64 { return []float64{14, 28, 56, 112, 224, math.Inf(1)} }

// HalfLife chooses how fast the engagements of a debtor lose weight: the
// half-life, in days, under which the earlier ones of each debtor best predict
// the hour of the next. It also returns the mean log-likelihood per event of
// each half-life tried, NaN where no debtor has two events. Ties go to the
// longest. It returns a RowError for an event it cannot use.
//
// See Dawid (1984), doi:10.2307/2981683, on prequential prediction.
func (m *Model) HalfLife(events []Notice, halfLives []float64) (best float64, scores []float64, err error) {
	for i, e := range events {
		switch {
		case e.Hour < 0 || e.Hour >= Hours:
			err = ErrHour
		case math.IsNaN(e.Day) || math.IsInf(e.Day, 0):
			err = ErrNotFinite
		default:
			continue
		}
		return 0, nil, fmt.Errorf("choose half-life: %w", &RowError{Column: "events", Row: i, Err: err})
	}
	ordered := slices.Clone(events)
	slices.SortStableFunc(ordered, func(a, b Notice) int {
		return cmp.Or(cmp.Compare(a.Debtor, b.Debtor), cmp.Compare(a.Day, b.Day))
	})
	scores = make([]float64, len(halfLives))
	best, top := math.Inf(1), math.Inf(-1)
	for i, halfLife := range halfLives {
		scores[i] = m.prequential(ordered, halfLife)
		if scores[i] > top || scores[i] == top && halfLife > best {
			best, top = halfLife, scores[i]
		}
	}
	return best, scores, nil
}

// prequential is the mean log-likelihood per event of the hours of events given
// the earlier ones of the same debtor; events are ordered by debtor and day.
func (m *Model) prequential(events []Notice, halfLife float64) float64 {
	var counts [Hours]float32
	var avail [Hours]float64
	sum, n := 0.0, 0
	for i, e := range events {
		if i == 0 || events[i-1].Debtor != e.Debtor {
			counts = [Hours]float32{}
		} else {
			if keep := float32(math.Exp2(-(e.Day - events[i-1].Day) / halfLife)); keep < 1 {
				for h := range counts {
					counts[h] *= keep
				}
			}
			m.Posterior(&avail, &counts, nil, int(e.Profile))
			sum += LogShare(&avail, nil, int(e.Hour))
			n++
		}
		counts[e.Hour]++
	}
	return sum / float64(n)
}
