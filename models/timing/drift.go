package timing

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Notice is one message that a debtor noticed, and when.
type Notice struct {
	Debtor  int32
	Profile int32   // −1 where unknown
	Hour    int32   // hour of the week in which it was noticed
	Waited  int32   // whole hours that it had lain unread by then
	Day     float64 // of noticing, in days since any start
	Speed   *Speed  // of its channel; nil: the same at every age
}

// rate is how fast a message of an age is noticed.
func (n *Notice) rate(age int32) float64 {
	if n.Speed == nil {
		return 1
	}
	return n.Speed.At(age)
}

// HalfLives are the half-lives tried by default, in days; the last, ten years,
// hardly forgets.
func HalfLives() []float64 { return []float64{14, 28, 56, 112, 224, 3650} }

// HalfLife chooses how fast what a debtor noticed loses weight: the half-life,
// in days, under which the earlier messages of each debtor best foretell when the
// next is noticed, given when it came. A shorter one than the longest is taken only
// where it foretells better by more than twice the standard error, debtors being
// drawn anew. It also returns the mean log-likelihood per message of each half-life
// tried, NaN where no debtor has two: then the answer is the longest. It returns a
// RowError for a message it cannot use.
//
// See Dawid (1984), doi:10.2307/2981683, on prequential prediction.
func (m *Model) HalfLife(events []Notice, halfLives []float64) (best float64, scores []float64, err error) {
	for i, e := range events {
		switch {
		case e.Hour < 0 || e.Hour >= Hours:
			err = ErrHour
		case math.IsNaN(e.Day) || math.IsInf(e.Day, 0):
			err = ErrNotFinite
		case e.Waited < 0:
			err = ErrNegative
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
	longest := slices.Index(halfLives, slices.Max(halfLives))
	by := make([][]float64, len(halfLives)) // by debtor
	n := 0
	for i, halfLife := range halfLives {
		by[i], n = m.prequential(ordered, halfLife)
		scores[i] = floats.Sum(by[i]) / float64(n)
	}
	best, top := halfLives[longest], 0.0
	for i, halfLife := range halfLives {
		gain, square := 0.0, 0.0
		for d, x := range by[i] {
			x -= by[longest][d]
			gain += x
			square += x * x
		}
		if gain > top && gain > 2*math.Sqrt(square) {
			best, top = halfLife, gain
		}
	}
	return best, scores, nil
}

// prequential is the log-likelihood, debtor by debtor, of the moments of noticing
// given the earlier messages of the same debtor, and how many there are: log λ at
// the hour, less λ summed over the hours of waiting. Events are ordered by debtor
// and day.
func (m *Model) prequential(events []Notice, halfLife float64) (by []float64, n int) {
	var counts, exposure [Hours]float32
	var avail [Hours]float64
	for i := range events {
		e := &events[i]
		if i == 0 || events[i-1].Debtor != e.Debtor {
			counts, exposure = [Hours]float32{}, [Hours]float32{}
			by = append(by, 0)
		} else {
			if keep := float32(math.Exp2(-(e.Day - events[i-1].Day) / halfLife)); keep < 1 {
				for h := range counts {
					counts[h] *= keep
					exposure[h] *= keep
				}
			}
			m.Posterior(&avail, &counts, &exposure, int(e.Profile))
			x := math.Log(avail[e.Hour] * e.rate(e.Waited))
			for k := range e.Waited + 1 {
				x -= avail[before(e.Hour, k)] * e.rate(e.Waited-k)
			}
			by[len(by)-1] += x
			n++
		}
		counts[e.Hour]++
		for k := range e.Waited + 1 {
			exposure[before(e.Hour, k)] += float32(e.rate(e.Waited - k))
		}
	}
	return by, n
}

// before is the hour of the week k hours before another.
func before(hour, k int32) int32 { return ((hour-k)%Hours + Hours) % Hours }
