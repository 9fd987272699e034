package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"rappel/models/survival"
)

// survivalInput is the file as the estimators want it.
type survivalInput struct {
	data     *survival.Data
	strata   []string // labels by number
	rows     []int    // which rows of the file these are
	warnings []string
	// atRisk returns the weight at risk in strata, each at its own times: just
	// before the first end of a row that is not before.
	atRisk func(strata []int, times [][]float64) ([][]float64, error)
}

// riskOf is atRisk of data in memory.
func riskOf(d *survival.Data) func([]int, [][]float64) ([][]float64, error) {
	return func(strata []int, times [][]float64) ([][]float64, error) {
		km, err := survival.KaplanMeier(d, survival.CurveOptions{})
		if err != nil {
			return nil, err
		}
		out := make([][]float64, len(strata))
		for k, s := range strata {
			for _, c := range km {
				if c.Stratum != s {
					continue
				}
				for _, t := range times[k] {
					out[k] = append(out[k], c.AtRiskAt(t))
				}
			}
		}
		return out, nil
	}
}

// inFile turns an error that names a row of the data into one that names the
// row of the file, counted from one without the header.
func (in *survivalInput) inFile(err error) error {
	if re, ok := errors.AsType[*survival.RowError](err); ok && re.Row < len(in.rows) {
		return fmt.Errorf("row %d (%v): %w", in.rows[re.Row]+1, re.Value, re.Err)
	}
	return err
}

// columns returns the names of all columns in use, in order.
func (o *survivalOptions) columns() []string {
	names := slices.Concat([]string{o.duration, o.event, o.entry, o.weights, o.offset, o.cluster, o.upper}, o.covariates, o.strata)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// load reads the file and turns its columns into data: rows with an empty
// value are left out, text becomes indicators, events become codes.
func (o *survivalOptions) load(ctx context.Context) (*survivalInput, error) {
	if isArrow, err := beginsAsArrow(o.input); err != nil || isArrow {
		return nil, cmp.Or(err, usage(fmt.Errorf("%s is an Arrow IPC file: it is read with --stream", o.input)))
	}
	var wants []wanted
	for _, name := range o.columns() {
		wants = append(wants, wanted{name: name})
	}
	list, err := readColumns(ctx, o.input, wants)
	if err != nil {
		return nil, err
	}
	columns := make(map[string]*column, len(list))
	for _, c := range list {
		columns[c.name] = c
	}
	in := &survivalInput{data: &survival.Data{}}
	in.atRisk = riskOf(in.data)
	rows := in.complete(columns, o)
	in.rows = rows
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: %w", strings.Join(append([]string{o.input}, in.warnings...), ": "), survival.ErrNoRows)
	}
	if columns[o.duration].days && o.entry == "" {
		in.warnings = append(in.warnings, fmt.Sprintf("column %s holds dates, which count from 1970: --entry names the date from which a row is at risk", o.duration))
	}
	d := in.data
	pick := func(name string) ([]float64, error) {
		if name == "" {
			return nil, nil
		}
		c := columns[name]
		if c.text != nil {
			return nil, c.parse() // which names the row
		}
		out := make([]float64, len(rows))
		for k, i := range rows {
			if out[k] = c.number[i]; math.IsInf(out[k], 0) && name != o.upper {
				return nil, fmt.Errorf("column %s, row %d: %w", name, i+1, survival.ErrNotFinite)
			}
		}
		return out, nil
	}
	for to, name := range map[*[]float64]string{
		&d.Time: o.duration, &d.Entry: o.entry, &d.Weight: o.weights, &d.Offset: o.offset, &d.Upper: o.upper,
	} {
		if *to, err = pick(name); err != nil {
			return nil, err
		}
	}
	if err := in.events(columns, rows, o); err != nil {
		return nil, err
	}
	for _, name := range o.covariates {
		c := columns[name]
		if c.text == nil {
			v, err := pick(name)
			if err != nil {
				return nil, err
			}
			d.Columns, d.Names = append(d.Columns, v), append(d.Names, name)
			continue
		}
		in.indicators(c, rows)
	}
	if len(o.strata) > 0 {
		strata := make([]string, len(rows))
		for k, i := range rows {
			var parts []string
			for _, name := range o.strata {
				parts = append(parts, columns[name].value(i))
			}
			strata[k] = strings.Join(parts, ", ")
		}
		d.Stratum, in.strata = levels(strata, true)
	}
	if o.cluster != "" {
		who := make([]string, len(rows))
		for k, i := range rows {
			who[k] = columns[o.cluster].value(i)
		}
		d.Cluster, _ = levels(who, false)
	}
	return in, nil
}

// complete returns the rows without an empty value in any column in use.
func (in *survivalInput) complete(columns map[string]*column, o *survivalOptions) []int {
	if o.upper != "" { // an empty end is an open one: from zero on, or without end
		lower, upper := columns[o.duration].number, columns[o.upper].number
		for i := range min(len(lower), len(upper)) {
			switch {
			case math.IsNaN(lower[i]) && math.IsNaN(upper[i]): // nothing is known
			case math.IsNaN(lower[i]):
				lower[i] = 0
			case math.IsNaN(upper[i]):
				upper[i] = math.Inf(1)
			}
		}
	}
	n := 0
	var blame []string
	for name, c := range columns {
		n = max(len(c.number), len(c.text))
		blame = append(blame, name)
	}
	slices.Sort(blame)
	bad := make([]bool, n)
	var with []string
	for _, name := range blame {
		c, any := columns[name], false
		for i := range bad {
			if c.isMissing(i) {
				bad[i], any = true, true
			}
		}
		if any {
			with = append(with, name)
		}
	}
	var rows []int
	for i, b := range bad {
		if !b {
			rows = append(rows, i)
		}
	}
	if left := n - len(rows); left > 0 {
		in.warnings = append(in.warnings, fmt.Sprintf("%d of %d rows left out: empty values in %s", left, n, strings.Join(with, ", ")))
	}
	return rows
}

// indicators adds one column for every level of c but the first, named by
// column and level.
func (in *survivalInput) indicators(c *column, rows []int) {
	values := make([]string, len(rows))
	for k, i := range rows {
		values[k] = c.text[i]
	}
	level, names := levels(values, true)
	for k := 1; k < len(names); k++ {
		v := make([]float64, len(rows))
		for r, l := range level {
			if l == k {
				v[r] = 1
			}
		}
		in.data.Columns = append(in.data.Columns, v)
		in.data.Names = append(in.data.Names, c.name+names[k])
	}
}

// events turns the event column into codes. With --cause only rows of that
// value are events of a single-event model; aj and fine-gray keep the others
// as competing.
func (in *survivalInput) events(columns map[string]*column, rows []int, o *survivalOptions) error {
	d := in.data
	d.Event = make([]uint8, len(rows))
	if o.upper != "" && o.event == "" {
		return nil
	}
	c := columns[o.event]
	if c.text != nil {
		return in.textEvents(c, rows, o)
	}
	var seen [256]bool
	for k, i := range rows {
		code, err := o.eventCode(c.number[i], i)
		if err != nil {
			return err
		}
		d.Event[k] = code
		seen[code] = true
	}
	only, err := in.eventOf(seen, o)
	if err != nil || only == 0 {
		return err
	}
	for i, e := range d.Event {
		d.Event[i] = 0
		if e == only {
			d.Event[i] = 1
		}
	}
	return nil
}

// eventCode returns the number in the event column of a row as a code.
func (o *survivalOptions) eventCode(v float64, row int) (uint8, error) {
	if v != math.Trunc(v) || v < 0 || v > 255 {
		return 0, fmt.Errorf("column %s, row %d: event code %v is not a whole number from 0 to 255", o.event, row+1, v)
	}
	return uint8(v), nil
}

// eventOf returns the code that is the event where others are censored, or 0
// where codes stay as they are, from which codes there are.
func (in *survivalInput) eventOf(seen [256]bool, o *survivalOptions) (uint8, error) {
	var causes []uint8
	for code := 1; code < 256; code++ {
		if seen[code] {
			causes = append(causes, uint8(code))
		}
	}
	if o.cause != "" {
		code, err := strconv.ParseUint(o.cause, 10, 8)
		if !o.competing() && isOne(strings.ToLower(o.cause), "true", "yes", "t", "y") && (len(causes) == 0 || slices.Equal(causes, []uint8{1})) {
			code, err = 1, nil // the file's own word, which was read as a truth value
		}
		if err != nil || code == 0 {
			return 0, fmt.Errorf("--cause %s is not an event code from 1 to 255", o.cause)
		}
		if o.competing() {
			return 0, nil
		}
		return uint8(code), nil
	}
	switch {
	case o.competing() || len(causes) == 0 || slices.Equal(causes, []uint8{1}):
		return 0, nil
	case slices.Equal(causes, []uint8{1, 2}) && !seen[0]:
		// Censored and event written as 1 and 2.
		in.warnings = append(in.warnings, fmt.Sprintf("column %s has the codes 1 and 2: 2 is taken as the event", o.event))
		return 2, nil
	}
	return 0, fmt.Errorf("column %s has the codes %v: name the event with --cause", o.event, causes)
}

// textEvents reads events from text: the value of --cause is the event.
func (in *survivalInput) textEvents(c *column, rows []int, o *survivalOptions) error {
	if o.cause == "" || o.competing() {
		return fmt.Errorf("column %s is text: name the event with --cause; competing events need whole numbers", o.event)
	}
	for k, i := range rows {
		if c.text[i] == o.cause {
			in.data.Event[k] = 1
		}
	}
	return nil
}
