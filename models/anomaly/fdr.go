package anomaly

import (
	"cmp"
	"math"
	"slices"
)

// Stream holds the false discovery rate of one kind of finding over days:
// every day's tests are one batch of a Benjamini-Hochberg step-up, at a level
// that the batches of the past year leave. The zero value is ready.
//
// It is BatchBH of Zrnic, Jiang, Ramdas and Jordan (2020), The power of
// batching in multiple hypothesis testing, AISTATS, with two changes. The
// critical values stop rising after three discoveries (a shape function in the
// sense of Blanchard and Roquain, 2008, doi:10.1214/08-EJS180), so that a day
// need not be charged as if all of its tests could be discovered. And the rate
// is held over a rolling year, so that quiet years do not use up the power of
// later ones. It is controlled when a day's tests are independent. A batch a
// day is what a controller reads in the morning, and does not depend on the
// order of debtors within it.
type Stream struct {
	Days []Batch // the past year's, oldest first
}

// Batch is what one day's tests used and found.
type Batch struct {
	Day   int32   // days since 1 January 1970
	Level float64 // level of the step-up
	Found float64 // discoveries
	Plus  float64 // discoveries had one more p-value been zero
}

const (
	year  = 365      // days over which the rate is held
	spend = 1.0 / 15 // share of what is left that a day may use
	steps = 3        // discoveries after which the critical value of a day stops rising
	free  = 3        // discoveries that are reckoned with before any is made
)

// Test stores in found the indices of the p-values discovered on day, most
// surprising first, at false discovery rate fdr, and returns it with the
// largest p-value that would have been discovered. It panics if days go back.
func (s *Stream) Test(found []int, day int32, p []float64, fdr float64) ([]int, float64) {
	found = found[:0]
	if len(p) == 0 {
		return found, 0
	}
	if n := len(s.Days); n > 0 && s.Days[n-1].Day > day {
		panic("anomaly: day before the last")
	}
	s.Days = slices.DeleteFunc(s.Days, func(b Batch) bool { return b.Day <= day-year })
	level := s.level(day, fdr)
	for i := range p {
		found = append(found, i)
	}
	slices.SortStableFunc(found, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	critical := func(k int) float64 { return level * float64(min(k, steps)) / float64(len(p)) }
	r, plus := 0, 1
	for i, j := range found {
		if p[j] <= critical(i+1) {
			r = i + 1
		}
		if p[j] <= critical(i+2) {
			plus = i + 2
		}
	}
	s.Days = append(s.Days, Batch{Day: day, Level: level, Found: float64(r), Plus: float64(min(plus, len(p)))})
	return found[:r], critical(max(r, 1))
}

// level returns the level of a batch on day: a share of what is left of fdr,
// of which half is granted at first and the rest over a year, when each past
// batch is charged its level times the most that one false discovery of it
// could weigh among all.
func (s *Stream) level(day int32, fdr float64) float64 {
	all := float64(free)
	for _, b := range s.Days {
		all += b.Found
	}
	days, since := 0.0, 1.0
	if n := len(s.Days); n > 0 {
		days = float64(day - s.Days[0].Day)
		since = max(1, float64(day-s.Days[n-1].Day))
	}
	left := fdr * (1 + min(1, days/(year-1))) / 2
	for _, b := range s.Days {
		left -= b.Level * min(b.Plus, steps) / (b.Plus + all - b.Found)
	}
	share := 1 - math.Pow(1-spend, since)
	return min(fdr, max(0, share*left)*(steps+all)/steps)
}

// Tally is what controllers said of the findings of one kind.
type Tally struct {
	Confirmed, Dismissed float64
}

// tallyWeight is how many verdicts the claimed rate itself is worth.
const tallyWeight = 20

// False returns the share of findings expected to be dismissed: the mean of a
// Beta posterior whose prior is the claimed rate, worth twenty verdicts.
func (t Tally) False(fdr float64) float64 {
	return (tallyWeight*fdr + t.Dismissed) / (tallyWeight + t.Confirmed + t.Dismissed)
}

// Level returns the rate to test at, so that the share dismissed comes to
// fdr: lower when controllers dismiss more than was claimed, higher when they
// dismiss less, within a factor of ten down and two up.
func (t Tally) Level(fdr float64) float64 {
	return fdr * min(2, max(0.1, fdr/t.False(fdr)))
}
