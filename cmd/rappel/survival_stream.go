package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime/debug"
	"slices"
	"strings"

	"rappel/models/survival"
)

// validateStream refuses by name what a fit in passes does not do.
func (o *survivalOptions) validateStream() error {
	for _, refused := range []struct {
		is   bool
		what string
	}{
		{o.model != "cox", "--model " + o.model},
		{o.ties == "exact", "--ties exact"},
		{o.cluster != "", "--cluster"},
		{o.onSeparation != "report", "--on-separation " + o.onSeparation},
	} {
		if refused.is {
			return fmt.Errorf("%s is not for --stream", refused.what)
		}
	}
	return nil
}

// coxFile serves the rows of a file to a streamed fit: those without an empty
// value in a column in use, text as indicators, events as 0 and 1.
type coxFile struct {
	ctx     context.Context //nolint:containedctx // what serves passes has no other way to be told to stop
	o       *survivalOptions
	file    recordFile
	columns []string            // in use, ascending
	levels  map[string][]string // of a covariate of text
	strata  map[string]int
	event   uint8 // the code of the event
	p       int

	batch survival.CoxBatch // reused, as are
	rows  []int             // which rows of the record are in it, and
	holes []bool            // which rows have empty values
}

// fitStream fits Cox in passes over the file.
func (o *survivalOptions) fitStream(ctx context.Context) (*survivalAnswer, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(25)) // a reader of Parquet leaves much behind
	s, in, err := o.openStream(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.input, err)
	}
	a := &survivalAnswer{Model: o.model, Ties: o.ties, Warnings: append([]string{}, in.warnings...)}
	ties, err := o.tiesOf()
	if err != nil {
		return nil, err
	}
	fit, err := survival.FitCoxStream(s, s.p, in.data.Names, survival.CoxOptions{
		Ties: ties, L1: perColumn(o.l1, s.p), Ridge: perColumn(o.l2, s.p), Robust: true,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.input, err)
	}
	a.coxTests(fit)
	if err := o.reportCox(a, in, fit); err != nil {
		return nil, fmt.Errorf("%s: %w", o.input, err)
	}
	return a, nil
}

// openStream opens the file and reads it once for what it holds.
func (o *survivalOptions) openStream(ctx context.Context) (*coxFile, *survivalInput, error) {
	f, err := openRecords(o.input)
	if err != nil {
		return nil, nil, err
	}
	s := &coxFile{ctx: ctx, o: o, file: f, columns: o.columns(), levels: map[string][]string{}, strata: map[string]int{}}
	in, err := s.survey()
	return s, in, err
}

// survey reads the file once for what a pass needs to know: which columns have
// empty values, the levels of text and strata, and which code is the event.
func (s *coxFile) survey() (*survivalInput, error) {
	o, in := s.o, &survivalInput{atRisk: s.atRisk}
	with, labels, texts := map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}
	var seen [256]bool
	n, left := 0, 0
	err := s.file.pass(s.ctx, s.columns, func(rec record) error {
		rows := s.complete(rec, with)
		left += rec.rows - len(rows)
		for k, name := range s.columns {
			c := rec.cells[k]
			switch {
			case name == o.event && c.number != nil:
				for _, i := range rows {
					code, err := o.eventCode(c.number[i], n+i)
					if err != nil {
						return err
					}
					seen[code] = true
				}
			case c.number != nil:
				for _, i := range rows {
					if math.IsInf(c.number[i], 0) {
						return fmt.Errorf("column %s, row %d: %w", name, n+i+1, survival.ErrNotFinite)
					}
				}
			case name == o.event:
				if o.cause == "" {
					return fmt.Errorf("column %s is text: name the event with --cause", name)
				}
			case slices.Contains(o.covariates, name):
				if texts[name] == nil {
					texts[name] = map[string]bool{}
				}
				for _, i := range rows {
					if v := c.value(i); !texts[name][v] {
						texts[name][strings.Clone(v)] = true
					}
				}
			case !slices.Contains(o.strata, name):
				return fmt.Errorf("column %s is text, a number is needed", name)
			}
		}
		if len(o.strata) > 0 {
			for _, i := range rows {
				labels[s.label(rec, i)] = true
			}
		}
		n += rec.rows
		return nil
	})
	if err != nil {
		return nil, err
	}
	if left > 0 {
		in.warnings = append(in.warnings, fmt.Sprintf("%d of %d rows left out: empty values in %s", left, n, strings.Join(slices.Sorted(maps.Keys(with)), ", ")))
	}
	if seen != [256]bool{} {
		if s.event, err = in.eventOf(seen, o); err != nil {
			return nil, err
		}
		s.event = max(s.event, 1)
	}
	if len(o.strata) > 0 {
		in.strata = sortedNames(labels)
		for k, label := range in.strata {
			s.strata[label] = k
		}
	}
	var names []string
	for _, name := range o.covariates {
		if texts[name] == nil {
			names = append(names, name)
			continue
		}
		s.levels[name] = sortedNames(texts[name])
		for _, level := range s.levels[name][min(1, len(s.levels[name])):] {
			names = append(names, name+level)
		}
	}
	s.p = len(names)
	in.data = &survival.Data{Names: names, Columns: make([][]float64, s.p)}
	return in, nil
}

// sortedNames returns the names in a set in the order of levels.
func sortedNames(set map[string]bool) []string {
	_, names := levels(slices.Collect(maps.Keys(set)), true)
	return names
}

// complete returns the rows without an empty value in any column, and adds the
// names of columns with one to with.
func (s *coxFile) complete(rec record, with map[string]bool) []int {
	s.holes = slices.Grow(s.holes[:0], rec.rows)[:rec.rows]
	clear(s.holes)
	for k, c := range rec.cells {
		any := false
		switch {
		case c.number != nil:
			for i, v := range c.number {
				if math.IsNaN(v) {
					s.holes[i], any = true, true
				}
			}
		case c.text.NullN() > 0:
			any = true
			for i := range s.holes {
				s.holes[i] = s.holes[i] || c.text.IsNull(i)
			}
		}
		if any {
			with[s.columns[k]] = true
		}
	}
	s.rows = s.rows[:0]
	for i, hole := range s.holes {
		if !hole {
			s.rows = append(s.rows, i)
		}
	}
	return s.rows
}

// cells returns the column of a name, which is in use.
func (s *coxFile) cells(rec record, name string) cells {
	k, _ := slices.BinarySearch(s.columns, name)
	return rec.cells[k]
}

// label returns the stratum of row i.
func (s *coxFile) label(rec record, i int) string {
	parts := make([]string, len(s.o.strata))
	for k, name := range s.o.strata {
		parts[k] = s.cells(rec, name).value(i)
	}
	return strings.Join(parts, ", ")
}

// Pass implements [survival.CoxSource]. Errors that name rows of the batches
// are made to name those of the file, counted from one.
func (s *coxFile) Pass(yield func(survival.CoxBatch) error) error {
	served, before := 0, 0
	return s.file.pass(s.ctx, s.columns, func(rec record) error {
		s.fill(rec)
		if s.batch.Rows == 0 {
			before += rec.rows
			return nil
		}
		err := yield(s.batch)
		if re, ok := errors.AsType[*survival.RowError](err); ok {
			return fmt.Errorf("row %d (%v): %w", before+s.rows[re.Row-served]+1, re.Value, re.Err)
		}
		served += s.batch.Rows
		before += rec.rows
		return err
	})
}

// fill puts the complete rows of a record into the batch.
func (s *coxFile) fill(rec record) {
	o, b := s.o, &s.batch
	rows := s.complete(rec, map[string]bool{})
	n := len(rows)
	b.Rows = n
	numbers := func(dst []float64, name string) []float64 {
		if name == "" {
			return nil
		}
		dst = slices.Grow(dst[:0], n)
		from := s.cells(rec, name).number
		for _, i := range rows {
			dst = append(dst, from[i])
		}
		return dst
	}
	b.Time, b.Entry = numbers(b.Time, o.duration), numbers(b.Entry, o.entry)
	b.Weight, b.Offset = numbers(b.Weight, o.weights), numbers(b.Offset, o.offset)
	b.Event = b.Event[:0]
	event := s.cells(rec, o.event)
	for _, i := range rows {
		e := uint8(0)
		if (event.number != nil && uint8(event.number[i]) == s.event) || (event.number == nil && event.value(i) == o.cause) {
			e = 1
		}
		b.Event = append(b.Event, e)
	}
	if len(o.strata) > 0 {
		b.Stratum = b.Stratum[:0]
		for _, i := range rows {
			b.Stratum = append(b.Stratum, s.strata[s.label(rec, i)])
		}
	}
	b.X = slices.Grow(b.X[:0], n*s.p)[:n*s.p]
	j := 0
	for _, name := range o.covariates {
		c := s.cells(rec, name)
		if c.number != nil {
			for k, i := range rows {
				b.X[k*s.p+j] = c.number[i]
			}
			j++
			continue
		}
		for _, level := range s.levels[name][min(1, len(s.levels[name])):] {
			for k, i := range rows {
				b.X[k*s.p+j] = 0
				if c.value(i) == level {
					b.X[k*s.p+j] = 1
				}
			}
			j++
		}
	}
}

// atRisk finds in one pass the first ends of rows that are not before the
// times, and in another what is at risk there.
func (s *coxFile) atRisk(strata []int, times [][]float64) ([][]float64, error) {
	index := map[int]int{}
	ends, out := make([][]float64, len(strata)), make([][]float64, len(strata))
	order := make([][]int, len(strata)) // of the times, ascending
	for k, t := range times {
		index[strata[k]] = k
		out[k] = make([]float64, len(t))
		order[k] = make([]int, len(t))
		for i := range t {
			order[k][i] = i
		}
		slices.SortStableFunc(order[k], func(a, b int) int { return cmp.Compare(t[a], t[b]) })
		for range t {
			ends[k] = append(ends[k], math.Inf(1))
		}
	}
	// The place among its stratum's times up to which a time reaches.
	each := func(work func(k int, b survival.CoxBatch, i int)) error {
		return s.Pass(func(b survival.CoxBatch) error {
			for i := range b.Rows {
				stratum := 0
				if b.Stratum != nil {
					stratum = b.Stratum[i]
				}
				if k, ok := index[stratum]; ok && (b.Weight == nil || b.Weight[i] > 0) {
					work(k, b, i)
				}
			}
			return nil
		})
	}
	err := each(func(k int, b survival.CoxBatch, i int) {
		// The last of the times that is not after the row's end.
		at := upTo(len(order[k]), func(j int) bool { return times[k][order[k][j]] <= b.Time[i] })
		if at > 0 {
			ends[k][at-1] = min(ends[k][at-1], b.Time[i])
		}
	})
	if err != nil {
		return nil, err
	}
	for k := range ends { // ascending from here on
		for j := len(ends[k]) - 2; j >= 0; j-- {
			ends[k][j] = min(ends[k][j], ends[k][j+1])
		}
	}
	sums := make([][]float64, len(strata))
	for k := range sums {
		sums[k] = make([]float64, len(ends[k])+1)
	}
	err = each(func(k int, b survival.CoxBatch, i int) {
		w, from := 1.0, 0
		if b.Weight != nil {
			w = b.Weight[i]
		}
		if b.Entry != nil {
			from = upTo(len(ends[k]), func(j int) bool { return ends[k][j] <= b.Entry[i] })
		}
		sums[k][from] += w
		sums[k][upTo(len(ends[k]), func(j int) bool { return ends[k][j] <= b.Time[i] })] -= w
	})
	for k, of := range sums {
		now := 0.0
		for j, i := range order[k] {
			now += of[j]
			out[k][i] = now
		}
	}
	return out, err
}

// upTo returns how many of the first n numbers, for which is holds up to some
// point, it holds for.
func upTo(n int, is func(int) bool) int {
	lo, hi := 0, n
	for lo < hi {
		if mid := int(uint(lo+hi) >> 1); is(mid) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
