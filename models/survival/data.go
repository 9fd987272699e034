package survival

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// Data is time-to-event data, one row per interval at risk. A subject may
// have several rows (start-stop, time-varying covariates, repeated events).
type Data struct {
	Columns [][]float64 // p covariates of n values each
	Names   []string    // their names for reports; nil gives x1, x2, …

	// Entry is the time from which a row is at risk, exclusive: a row is at
	// risk during (Entry, Time]. nil is from the beginning.
	Entry []float64
	Time  []float64 // end of the row: of its event or of its observation
	// Event is 0 for a row that ends without event and 1 for one that ends in
	// it; with competing risks it is the cause, 1, 2, ….
	Event []uint8

	// Upper makes Time the lower end of an interval (Time, Upper] in which the
	// event came: equal to Time for an event seen, +Inf for none so far, and
	// Time zero for an event before Upper. Only FitAFT reads it, and does not
	// read Event then.
	Upper []float64

	Weight  []float64 // case weights ≥ 0; nil is one for each
	Offset  []float64 // known part of the linear predictor; nil is zero
	Stratum []int     // rows of different strata share coefficients, not baselines; nil is one stratum
	Cluster []int     // rows of one cluster may depend on each other; nil is none
}

// Rows returns the number of rows.
func (d *Data) Rows() int { return len(d.Time) }

// weight returns the weight of row i.
func (d *Data) weight(i int) float64 {
	if d.Weight == nil {
		return 1
	}
	return d.Weight[i]
}

// check panics where lengths disagree and returns an error for the first
// value that no estimator of this package can use.
func (d *Data) check() error {
	n := len(d.Time)
	same := func(what string, have int, isNil bool) {
		if !isNil && have != n {
			panic(fmt.Sprintf("survival: %d %s for %d times", have, what, n))
		}
	}
	same("events", len(d.Event), false)
	same("entries", len(d.Entry), d.Entry == nil)
	same("upper ends", len(d.Upper), d.Upper == nil)
	same("weights", len(d.Weight), d.Weight == nil)
	same("offsets", len(d.Offset), d.Offset == nil)
	same("strata", len(d.Stratum), d.Stratum == nil)
	same("clusters", len(d.Cluster), d.Cluster == nil)
	for _, c := range d.Columns {
		same("values of a column", len(c), false)
	}
	if n == 0 {
		return ErrNoRows
	}
	for i, t := range d.Time {
		if math.IsNaN(t) || math.IsInf(t, 0) {
			return &RowError{Row: i, Value: t, Err: ErrNotFinite}
		}
		if t < 0 && d.Entry == nil {
			return &RowError{Row: i, Value: t, Err: ErrTime}
		}
	}
	for i, s := range d.Entry {
		if math.IsNaN(s) || math.IsInf(s, 1) {
			return &RowError{Row: i, Value: s, Err: ErrNotFinite}
		}
		if !(s < d.Time[i]) {
			return &RowError{Row: i, Value: s, Err: ErrEntry}
		}
	}
	for i, w := range d.Weight {
		if !(w >= 0) || math.IsInf(w, 0) {
			return &RowError{Row: i, Value: w, Err: ErrWeight}
		}
	}
	for i, v := range d.Offset {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return &RowError{Row: i, Value: v, Err: ErrNotFinite}
		}
	}
	return nil
}

// checkColumns returns an error for the first value that is not finite, and for
// a column that is the same everywhere.
func (d *Data) checkColumns() error {
	bad := make([]error, len(d.Columns))
	eachLane(func(lane int) {
		for j := lane; j < len(d.Columns); j += lanes {
			bad[j] = d.checkColumn(j)
		}
	})
	for _, err := range bad {
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Data) checkColumn(j int) error {
	c, name := d.Columns[j], []string{columnName(d.Names, j)}
	lo, hi, sum := c[0], c[0], 0.0
	for _, v := range c {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
		sum += v * 0 // NaN where v is not finite
	}
	if sum != 0 {
		for i, v := range c {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return &ColumnError{Columns: name, Row: i, Err: ErrNotFinite}
			}
		}
	}
	if isConstant(lo, hi) {
		return &ColumnError{Columns: name, Row: -1, Err: ErrConstant}
	}
	return nil
}

// isConstant reports whether values from lo to hi are one but for rounding.
func isConstant(lo, hi float64) bool { return !(hi-lo > 1e-13*max(math.Abs(lo), math.Abs(hi))) }

// sortKey maps a float64 to an unsigned integer of the same order.
func sortKey(v float64) uint64 {
	b := math.Float64bits(v + 0) // −0 becomes 0
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// argsort returns the stable order of v: a radix sort by bytes, which skips
// the bytes that all values share and so takes two or three passes over whole
// days.
func argsort(v []float64) []int32 {
	n := len(v)
	type pair struct {
		key uint64
		row int32
	}
	if n < 1<<10 {
		out := make([]int32, n)
		for i := range out {
			out[i] = int32(i)
		}
		slices.SortStableFunc(out, func(a, b int32) int {
			switch {
			case v[a] < v[b]:
				return -1
			case v[a] > v[b]:
				return 1
			}
			return 0
		})
		return out
	}
	a, b := make([]pair, n), make([]pair, n)
	var count [8][256]int32
	for i, t := range v {
		k := sortKey(t)
		a[i] = pair{k, int32(i)}
		for by := range 8 {
			count[by][byte(k>>(8*by))]++
		}
	}
	for by := range 8 {
		c := &count[by]
		if c[byte(a[0].key>>(8*by))] == int32(n) {
			continue
		}
		sum := int32(0)
		for k, m := range c {
			c[k] = sum
			sum += m
		}
		for _, e := range a {
			k := byte(e.key >> (8 * by))
			b[c[k]] = e
			c[k]++
		}
		a, b = b, a
	}
	out := make([]int32, n)
	for i, e := range a {
		out[i] = e.row
	}
	return out
}

// sameTime is the gap below which two times count as one, absolute and
// relative to the mean: what is left of equal times after arithmetic.
const sameTime = 1.4901161193847656e-08 // √2⁻⁵²

// tieTimes returns times in which values closer than sameTime are made equal
// to the first of them, over entries and exits together. The slices are
// returned as they are when there is nothing to change.
func tieTimes(entry, exit []float64, order []int32) ([]float64, []float64) {
	// Whole numbers need no care, and are what most data has.
	whole := true
	for _, s := range [][]float64{exit, entry} {
		for _, t := range s {
			if t != math.Trunc(t) {
				whole = false
				break
			}
		}
	}
	if whole {
		return entry, exit
	}
	unique := make([]float64, 0, len(exit))
	for _, i := range order {
		if t := exit[i]; len(unique) == 0 || t != unique[len(unique)-1] {
			unique = append(unique, t)
		}
	}
	if entry != nil {
		for _, t := range entry {
			if !math.IsInf(t, -1) {
				unique = append(unique, t)
			}
		}
		slices.Sort(unique)
		unique = slices.Compact(unique)
	}
	mean := 0.0
	for _, t := range unique {
		mean += math.Abs(t)
	}
	mean /= float64(len(unique))
	limit := sameTime * max(1, mean)
	cuts := unique[:0:0]
	tied := false
	for k, t := range unique {
		if k > 0 && t-unique[k-1] <= limit {
			tied = true
			continue
		}
		cuts = append(cuts, t)
	}
	if !tied {
		return entry, exit
	}
	snap := func(v []float64) []float64 {
		out := make([]float64, len(v))
		for i, t := range v {
			k := sort.SearchFloat64s(cuts, t)
			if k == len(cuts) || cuts[k] != t {
				k--
			}
			out[i] = t
			if k >= 0 {
				out[i] = cuts[k]
			}
		}
		return out
	}
	exit = snap(exit)
	if entry != nil {
		entry = snap(entry)
	}
	return entry, exit
}

// riskSets is the data in the order in which risk sets are summed: by
// stratum, then by time. Every distinct event time of a stratum has a
// position; before the first of each stratum lies one empty position. A row
// is at risk at the positions lo+1…hi.
type riskSets struct {
	order  []int32 // rows in use, by stratum and time; rows never at risk at an event are left out
	hi, lo []int32 // per row in use
	byLo   []int32 // rows in use by lo; nil without entry
	time   []float64
	first  []int32 // empty position of each stratum, ascending, then the number of positions
	label  []int   // the strata's labels, ascending
	events []int32 // events per position
	exit   []float64
	entry  []float64
	// Rows used and events of all, before any is left out.
	rows, total int
	sumEvents   float64
}

// newRiskSets sorts d and finds its risk sets at events of the given cause.
// Rows of weight zero take no part. Rows with another event are kept, even
// where they are never at risk, if competing says so.
func newRiskSets(d *Data, cause uint8, competing bool) (*riskSets, error) {
	order := argsort(d.Time)
	r := &riskSets{}
	r.entry, r.exit = tieTimes(d.Entry, d.Time, order)
	for i, s := range r.entry {
		if !(s < r.exit[i]) {
			return nil, &RowError{Row: i, Value: d.Entry[i], Err: ErrEntry}
		}
	}
	if d.Weight != nil {
		order = slices.DeleteFunc(order, func(i int32) bool { return d.Weight[i] == 0 })
	}
	r.rows = len(order)
	bounds := []int{0, len(order)}
	r.label = []int{0}
	if d.Stratum != nil {
		order, bounds, r.label = byStratum(order, d.Stratum)
	}
	n := len(order)
	r.hi, r.lo = make([]int32, 0, n), make([]int32, 0, n)
	r.order = make([]int32, 0, n)
	var keys []uint64
	for s := range r.label {
		rows := order[bounds[s]:bounds[s+1]]
		empty := int32(len(r.time))
		r.first = append(r.first, empty)
		r.time = append(r.time, math.Inf(-1))
		r.events = append(r.events, 0)
		for k := 0; k < len(rows); {
			t := r.exit[rows[k]]
			dead := int32(0)
			e := k
			for ; e < len(rows) && r.exit[rows[e]] == t; e++ {
				if d.Event[rows[e]] == cause {
					dead++
					r.sumEvents += d.weight(int(rows[e]))
				}
			}
			if dead > 0 {
				r.time = append(r.time, t)
				r.events = append(r.events, dead)
				r.total += int(dead)
			}
			hi := int32(len(r.time) - 1)
			// Events first, then by entry, so that rows of equal positions lie
			// together and are summed as one.
			use := func(row int32) {
				lo := empty
				if r.entry != nil {
					// Positions whose time is at or before entry.
					lo = empty + int32(upTo(r.time[empty+1:hi+1], r.entry[row]))
				}
				if e := d.Event[row]; lo < hi || (competing && e != 0 && e != cause) {
					r.order = append(r.order, row)
					r.hi = append(r.hi, hi)
					r.lo = append(r.lo, lo)
				}
			}
			begin := len(r.order)
			if dead > 0 {
				for _, row := range rows[k:e] {
					if d.Event[row] == cause {
						use(row)
					}
				}
				keys = r.sortByLo(begin, keys)
			}
			begin = len(r.order)
			for _, row := range rows[k:e] {
				if d.Event[row] != cause {
					use(row)
				}
			}
			keys = r.sortByLo(begin, keys)
			k = e
		}
	}
	r.first = append(r.first, int32(len(r.time)))
	if r.entry != nil {
		count := make([]int32, len(r.time)+1)
		for _, l := range r.lo {
			count[l+1]++
		}
		for k := 1; k < len(count); k++ {
			count[k] += count[k-1]
		}
		r.byLo = make([]int32, len(r.lo))
		for i, l := range r.lo {
			r.byLo[count[l]] = int32(i)
			count[l]++
		}
	}
	if r.total == 0 {
		return nil, ErrNoEvents
	}
	return r, nil
}

// sortByLo orders the rows in use from begin on by lo, then as they were. keys
// is scratch, which it returns.
func (r *riskSets) sortByLo(begin int, keys []uint64) []uint64 {
	if r.entry == nil {
		return keys
	}
	keys = keys[:0]
	for k, l := range r.lo[begin:] {
		keys = append(keys, uint64(l)<<32|uint64(r.order[begin+k]))
	}
	slices.Sort(keys)
	for k, key := range keys {
		r.lo[begin+k], r.order[begin+k] = int32(key>>32), int32(uint32(key))
	}
	return keys
}

// byStratum orders rows by the labels of their strata, ascending, keeping the
// order within each. Stratum s holds out[bounds[s]:bounds[s+1]].
func byStratum(order []int32, stratum []int) (out []int32, bounds, label []int) {
	index, n := denseLabels(stratum)
	seen := make([]bool, n)
	for _, i := range order {
		if k := index[i]; !seen[k] {
			seen[k] = true
			label = append(label, stratum[i])
		}
	}
	slices.Sort(label)
	// From the number of a label to its place among the sorted ones in use.
	place := make([]int32, n)
	for i, l := range stratum {
		if k := index[i]; seen[k] {
			at, _ := slices.BinarySearch(label, l)
			place[k], seen[k] = int32(at), false
		}
	}
	bounds = make([]int, len(label)+1)
	for _, i := range order {
		bounds[place[index[i]]+1]++
	}
	for k := range label {
		bounds[k+1] += bounds[k]
	}
	next := slices.Clone(bounds)
	out = make([]int32, len(order))
	for _, i := range order {
		k := place[index[i]]
		out[next[k]] = i
		next[k]++
	}
	return out, bounds, label
}
