package bandit

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Examples is a classification file as numbers, to be played as bandit
// feedback: the learner sees the features, names a class, and is told only
// whether that was the right one.
type Examples struct {
	Classes []string    // in sorted order; the arms
	Label   []int32     // the right class of each row
	Rows    [][]float64 // features of each row
}

// ErrExamples is wrapped by every error about a table that cannot be played.
var ErrExamples = errors.New("bandit: bad examples")

// maxLevels is the number of values of a text column that get an indicator of
// their own, the most frequent first; the rest share none.
const maxLevels = 100

// NewExamples encodes a table of text cells, one record a row, all of one
// length. The first record is a header if one of its cells is label and does not
// occur again in its column, or else if none of its cells is a number and none
// occurs again in its own column. label is a name of the header, or the
// number of a column counted from 1 (0 is the first too, −1 the last); in a
// table without a header "label" is the first column.
//
// A column of numbers is standardised to mean 0 and SD 1; cells that are empty,
// "?", "NA", "null" and the like take the mean, and so do infinities. Any other
// column becomes indicators of its values; of those with more than maxLevels
// only values that recur count, so that a column of names or ids says nothing.
// Neither looks at the labels. Columns that never vary are dropped, and so are
// rows whose label is empty or "?".
func NewExamples(records [][]string, label string) (Examples, error) {
	if len(records) == 0 {
		return Examples{}, fmt.Errorf("%w: no rows", ErrExamples)
	}
	width := len(records[0])
	for i, r := range records {
		if len(r) != width {
			return Examples{}, fmt.Errorf("%w: row %d has %d columns, the first has %d", ErrExamples, i+1, len(r), width)
		}
	}
	var header []string
	if isHeader(records, label) {
		header, records = records[0], records[1:]
	}
	if len(records) == 0 {
		return Examples{}, fmt.Errorf("%w: no rows below the header", ErrExamples)
	}
	target, err := column(header, width, label)
	if err != nil {
		return Examples{}, err
	}

	known := make([][]string, 0, len(records))
	for _, r := range records {
		if class := strings.TrimSpace(r[target]); class != "" && class != "?" {
			known = append(known, r)
		}
	}
	if records = known; len(records) == 0 {
		return Examples{}, fmt.Errorf("%w: label column %q is empty", ErrExamples, label)
	}

	e := Examples{Label: make([]int32, len(records)), Rows: make([][]float64, len(records))}
	for _, r := range records {
		e.Classes = append(e.Classes, strings.TrimSpace(r[target]))
	}
	slices.Sort(e.Classes)
	e.Classes = slices.Compact(e.Classes)
	if len(e.Classes) < 2 {
		return Examples{}, fmt.Errorf("%w: label column %q has one value", ErrExamples, label)
	}
	for i, r := range records {
		class, _ := slices.BinarySearch(e.Classes, strings.TrimSpace(r[target]))
		e.Label[i] = int32(class)
	}
	cells := make([]string, len(records))
	for c := range width {
		if c == target {
			continue
		}
		for i, r := range records {
			cells[i] = strings.TrimSpace(r[c])
		}
		if numbers, ok := standardised(cells); ok {
			if numbers == nil {
				continue
			}
			for i, v := range numbers {
				e.Rows[i] = append(e.Rows[i], v)
			}
			continue
		}
		levels := frequent(cells)
		if len(levels) < 2 {
			continue
		}
		for i, cell := range cells {
			for _, level := range levels {
				v := 0.0
				if cell == level {
					v = 1
				}
				e.Rows[i] = append(e.Rows[i], v)
			}
		}
	}
	return e, nil
}

// isHeader reports whether the first record names the columns.
func isHeader(records [][]string, label string) bool {
	if _, err := strconv.Atoi(label); err != nil { // a number is a place
		for c, name := range records[0] {
			if strings.TrimSpace(name) == label {
				return !slices.ContainsFunc(records[1:], func(r []string) bool { return r[c] == name })
			}
		}
	}
	for c, name := range records[0] {
		if _, err := strconv.ParseFloat(strings.TrimSpace(name), 64); err == nil || isMissing(name) && name != "" {
			return false
		}
		for _, r := range records[1:] {
			if r[c] == name {
				return false
			}
		}
	}
	return true
}

func isMissing(cell string) bool {
	switch strings.ToLower(cell) {
	case "", "?", "na", "n/a", "nan", "null", "none", "-", ".":
		return true
	}
	return false
}

// column returns the index of the column called label.
func column(header []string, width int, label string) (int, error) {
	for c, name := range header {
		if strings.TrimSpace(name) == label {
			return c, nil
		}
	}
	if header == nil && label == "label" {
		return 0, nil
	}
	n, err := strconv.Atoi(label)
	switch {
	case err != nil && header == nil:
		return 0, fmt.Errorf("%w: no column %q: the table has no header, so give its number from 1", ErrExamples, label)
	case err != nil:
		return 0, fmt.Errorf("%w: no column %q in %s", ErrExamples, label, strings.Join(header, ", "))
	case n < 0 && -n <= width:
		return width + n, nil
	case n == 0:
		return 0, nil
	case n > 0 && n <= width:
		return n - 1, nil
	}
	return 0, fmt.Errorf("%w: no column %d among %d", ErrExamples, n, width)
}

// standardised returns cells as numbers of mean 0 and SD 1, nil where they do
// not vary, and false where a cell is no number.
func standardised(cells []string) ([]float64, bool) {
	out := make([]float64, len(cells))
	n, sum := 0.0, 0.0
	for i, cell := range cells {
		if isMissing(cell) {
			out[i] = math.NaN()
			continue
		}
		v, err := strconv.ParseFloat(cell, 64)
		if err != nil && !math.IsInf(v, 0) {
			return nil, false
		}
		if math.IsInf(v, 0) {
			v = math.NaN()
		}
		out[i] = v
		if !math.IsNaN(v) {
			n++
			sum += v
		}
	}
	if n == 0 {
		return nil, true
	}
	mean, squares := sum/n, 0.0
	for i := range out {
		out[i] -= mean
		if math.IsNaN(out[i]) {
			out[i] = 0
		}
		squares += float64(out[i] * out[i])
	}
	sd := math.Sqrt(squares / n)
	if math.IsInf(mean, 0) || math.IsInf(sd, 0) {
		return nil, false // beyond what can be added up
	}
	if sd == 0 {
		return nil, true
	}
	for i := range out {
		out[i] /= sd
	}
	return out, true
}

// frequent returns the distinct cells, the most frequent first, equals in
// sorted order, no more than maxLevels; where there are more, those that recur.
func frequent(cells []string) []string {
	count := map[string]int{}
	for _, cell := range cells {
		count[cell]++
	}
	levels := make([]string, 0, len(count))
	for level := range count {
		levels = append(levels, level)
	}
	slices.SortFunc(levels, func(a, b string) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(a, b)
	})
	if len(levels) > maxLevels {
		levels = slices.DeleteFunc(levels, func(level string) bool { return count[level] == 1 })
	}
	return levels[:min(len(levels), maxLevels)]
}

// Replay plays all examples once, in the order of shuffle number shuffle under
// seed, to a fresh learner of the given name, and returns the share of rows
// whose class it named wrongly. An error wraps ErrConfig.
func Replay(e Examples, learner string, seed uint64, shuffle int) (loss float64, err error) {
	l, err := NewLearner(learner, len(e.Rows[0]), 0)
	if err != nil {
		return 0, err
	}
	arms := make([]int32, len(e.Classes))
	for i := range arms {
		arms[i] = int32(i)
	}
	p := make([]float64, len(arms))
	key := "shuffle " + strconv.Itoa(shuffle)
	id := append([]byte(key), ':')
	wrong := 0
	for n, i := range Stream(seed, key).Perm(len(e.Rows)) {
		s := Slate{Context: e.Rows[i], Arms: arms}
		l.Distribution(p, s)
		a := Draw(p, seed, string(strconv.AppendInt(id, int64(n), 10)))
		reward := 0.0
		if arms[a] == e.Label[i] {
			reward = 1
		} else {
			wrong++
		}
		l.Reward(l.Commit(s, a), reward)
	}
	return float64(wrong) / float64(len(e.Rows)), nil
}
