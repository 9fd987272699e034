package anomaly

import (
	"cmp"
	"math"
	"slices"
)

// Stream holds the false discovery rate of one kind of finding over days. Every
// test is made at the same level on a day, and the tests of a day are charged
// with the false findings to expect of them at that level: their number times
// the level. What a rolling year was charged stays within the claimed share of
// what it found. The zero value is ready.
//
// It is LORD++ of Ramdas, Yang, Wainwright and Jordan (2017), Online control of
// the false discovery rate with decaying memory, NeurIPS, which holds the rate
// by holding that very estimate of it: levels follow from earlier days alone, so
// what a day is charged is what it may be expected to find falsely. A day's tests
// share one level, so that the order of debtors does not matter. Three changes:
// wealth is spent by a constant share a day rather than by a series that begins
// anew with each discovery; a year forgets, so that quiet years do not use up the
// power of later ones; and some discoveries are reckoned with before any is made.
type Stream struct {
	Days []Batch // the past year's, oldest first
}

// Batch is what one day's tests used and found.
type Batch struct {
	Day    int32   // days since 1 January 1970
	Tests  float64 // how many were new
	Charge float64 // false findings to expect of them
	Found  float64 // findings
	Logs   float64 // over those, the sum of -log of how far the p-value is below the level
}

const (
	year   = 365      // days over which the rate is held
	spend  = 1.0 / 15 // share of what is left that a day may use
	free   = 5        // discoveries that are reckoned with before any is made
	each   = 200      // debtors for which one is, in books of more than a thousand
	strict = 0.03     // no test is made at a higher level
	few    = 5        // findings that what is believed of their p-values is worth
	faint  = 4        // mean of Batch.Logs by finding before any is made
)

// reckoned returns how many discoveries are reckoned with in a book of so many
// debtors before any is made. It grows with the book, or the first finding of a
// large one would need evidence that no change gives.
func reckoned(debtors int) float64 { return max(free, float64(debtors)/each) }

// Test stores in found the indices of the p-values discovered on day, most
// surprising first, at false discovery rate fdr, and returns it with the level:
// the largest p-value that would have been discovered. Before any is made, reckoned
// discoveries are reckoned with. Each element of fresh is a
// test not made before, by the level beyond which it discovers nothing; the other
// p-values, of tests that an earlier day was charged for, are asked again. It
// panics if days go back.
func (s *Stream) Test(found []int, day int32, p, fresh []float64, reckoned, fdr float64) ([]int, float64) {
	found = found[:0]
	if len(p) == 0 {
		return found, 0
	}
	if n := len(s.Days); n > 0 && s.Days[n-1].Day > day {
		panic("anomaly: day before the last")
	}
	s.Days = slices.DeleteFunc(s.Days, func(b Batch) bool { return b.Day <= day-year })
	level := s.level(day, float64(len(fresh)), reckoned, fdr)
	for i := range p {
		if p[i] <= level {
			found = append(found, i)
		}
	}
	slices.SortStableFunc(found, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	charge := 0.0
	for _, most := range fresh {
		charge += min(level, most)
	}
	b := Batch{Day: day, Tests: float64(len(fresh)), Charge: charge, Found: float64(len(found))}
	for _, i := range found {
		b.Logs -= math.Log(max(p[i]/level, math.SmallestNonzeroFloat64))
	}
	s.Days = append(s.Days, b)
	return found, level
}

// False returns the probability that a finding with p-value p, at that level, is
// false, where the share fdr of all findings is: the local false discovery rate
// of Efron (2004), doi:10.1198/016214504000000089. False findings lie evenly below
// the level, and all of them by the Beta density of Pounds and Morris (2003),
// doi:10.1093/bioinformatics/btg148, that the past year's show.
func (s *Stream) False(p, level, fdr float64) float64 {
	n, logs := float64(few), float64(few*faint)
	for _, b := range s.Days {
		n, logs = n+b.Found, logs+b.Logs
	}
	a := min(1, n/logs)
	return min(1, fdr/a*math.Pow(p/level, 1-a))
}

// level returns the level of the tests of day: a share of what is left of the
// false findings that fdr grants, over as many tests as a day usually has. Of
// what is granted before anything is found, half is there at first and the rest
// comes over the year.
func (s *Stream) level(day int32, fresh, reckoned, fdr float64) float64 {
	left, tests, days, since := 0.0, fresh, 1.0, 1.0
	for _, b := range s.Days {
		left += fdr*b.Found - b.Charge
		tests += b.Tests
	}
	if n := len(s.Days); n > 0 {
		days = float64(day - s.Days[0].Day + 1)
		since = max(1, float64(day-s.Days[n-1].Day))
	}
	left += fdr * reckoned * (1 + days/year) / 2
	share := 1 - math.Pow(1-spend, since)
	return min(strict, max(0, share*left/max(1, tests/days)))
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
