package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"

	"rappel/models/survival"
)

// survivalColumn is one column of the input, as numbers or as text.
type survivalColumn struct {
	name    string
	number  []float64 // NaN where empty
	text    []string
	missing []bool // of text
}

// value returns row i as text.
func (c *survivalColumn) value(i int) string {
	if c.text != nil {
		return c.text[i]
	}
	return strconv.FormatFloat(c.number[i], 'g', -1, 64)
}

func (c *survivalColumn) isMissing(i int) bool {
	if c.text != nil {
		return c.missing[i]
	}
	return math.IsNaN(c.number[i])
}

// readColumns reads the named columns of a CSV or Parquet file: numbers,
// booleans, dates and times become numbers (days since 1970), the rest text.
func readColumns(ctx context.Context, path string, names []string) (columns map[string]*survivalColumn, err error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	from := "read_csv_auto(" + sqlText(path) + ", sample_size = -1, nullstr = ['', 'NA'])"
	if strings.EqualFold(filepath.Ext(path), ".parquet") {
		from = "read_parquet(" + sqlText(path) + ")"
	}
	types, known, err := columnTypes(ctx, conn, from)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	names = slices.Clone(names)
	slices.Sort(names)
	names = slices.Compact(names)
	columns = map[string]*survivalColumn{}
	var expressions []string
	for _, name := range names {
		kind, ok := types[name]
		if !ok {
			return nil, fmt.Errorf("%s: no column %q; it has %s", path, name, strings.Join(known, ", "))
		}
		quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
		c := &survivalColumn{name: name}
		switch {
		case kind == "DATE":
			expressions = append(expressions, "("+quoted+" - DATE '1970-01-01')::DOUBLE")
		case strings.HasPrefix(kind, "TIMESTAMP"):
			expressions = append(expressions, "epoch_us("+quoted+")::DOUBLE / 86400e6")
		case kind == "VARCHAR", kind == "UUID", strings.HasPrefix(kind, "ENUM"):
			expressions = append(expressions, quoted+"::VARCHAR")
			c.text = []string{}
		case strings.HasSuffix(kind, "]"), strings.HasPrefix(kind, "STRUCT"), strings.HasPrefix(kind, "MAP"):
			return nil, fmt.Errorf("%s: column %s is neither number nor text but %s", path, name, kind)
		default:
			expressions = append(expressions, quoted+"::DOUBLE")
		}
		columns[name] = c
	}
	err = conn.Raw(func(driver any) error {
		dc, ok := driver.(*duckdb.Conn)
		if !ok {
			return fmt.Errorf("%T is no DuckDB connection", driver)
		}
		ar, err := duckdb.NewArrowFromConn(dc)
		if err != nil {
			return err
		}
		rows, err := ar.QueryContext(ctx, "SELECT "+strings.Join(expressions, ", ")+" FROM "+from)
		if err != nil {
			return err
		}
		defer rows.Release()
		for rows.Next() {
			rec := rows.RecordBatch()
			for k, name := range names {
				if err := columns[name].append(rec.Column(k)); err != nil {
					return err
				}
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return columns, nil
}

// append copies the values of an Arrow column.
func (c *survivalColumn) append(values arrow.Array) error {
	switch v := values.(type) {
	case *array.Float64:
		if v.NullN() == 0 {
			c.number = append(c.number, v.Float64Values()...)
			return nil
		}
		for i := range v.Len() {
			x := math.NaN()
			if v.IsValid(i) {
				x = v.Value(i)
			}
			c.number = append(c.number, x)
		}
	case *array.String:
		for i := range v.Len() {
			s := ""
			if v.IsValid(i) {
				s = strings.Clone(v.Value(i))
			}
			c.text = append(c.text, s)
			c.missing = append(c.missing, !v.IsValid(i))
		}
	default:
		return fmt.Errorf("column %s: %s is neither number nor text", c.name, values.DataType())
	}
	return nil
}

// columnTypes returns the types of a relation's columns, and their names in
// order.
func columnTypes(ctx context.Context, conn *sql.Conn, from string) (types map[string]string, names []string, err error) {
	rows, err := conn.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+from+")")
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	types = map[string]string{}
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, nil, err
		}
		types[name] = kind
		names = append(names, name)
	}
	return types, names, rows.Err()
}

// sqlText quotes a string for SQL.
func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// survivalInput is the file as the estimators want it.
type survivalInput struct {
	data     *survival.Data
	strata   []string // labels by number
	rows     []int    // which rows of the file these are
	causes   []uint8
	warnings []string
}

// inFile turns an error that names a row of the data into one that names the
// row of the file, counted from one without the header.
func (in *survivalInput) inFile(err error) error {
	if re, ok := errors.AsType[*survival.RowError](err); ok && re.Row < len(in.rows) {
		return fmt.Errorf("row %d (%v): %w", in.rows[re.Row]+1, re.Value, re.Err)
	}
	return err
}

// load reads the file and turns its columns into data: rows with an empty
// value are left out, text becomes indicators, events become codes.
func (o *survivalOptions) load(ctx context.Context) (*survivalInput, error) {
	names := []string{o.duration, o.event}
	for _, s := range [][]string{o.covariates, o.strata, {o.entry, o.weights, o.offset, o.cluster, o.upper}} {
		for _, name := range s {
			if name != "" {
				names = append(names, name)
			}
		}
	}
	names = slices.DeleteFunc(names, func(s string) bool { return s == "" })
	columns, err := readColumns(ctx, o.input, names)
	if err != nil {
		return nil, err
	}
	in := &survivalInput{data: &survival.Data{}}
	rows := in.complete(columns, o)
	in.rows = rows
	d := in.data
	pick := func(name string) ([]float64, error) {
		if name == "" {
			return nil, nil
		}
		c := columns[name]
		if c.text != nil {
			return nil, fmt.Errorf("column %s is text, a number is needed", name)
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
		in.strata, d.Stratum = labels(rows, func(i int) string {
			var parts []string
			for _, name := range o.strata {
				parts = append(parts, columns[name].value(i))
			}
			return strings.Join(parts, ", ")
		})
	}
	if o.cluster != "" {
		_, d.Cluster = labels(rows, columns[o.cluster].value)
	}
	return in, nil
}

// labels numbers the values of rows in sorted order; numbers sort as numbers.
func labels(rows []int, value func(i int) string) (names []string, index []int) {
	number := map[string]int{}
	for _, i := range rows {
		number[value(i)] = 0
	}
	for name := range number {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		if errX == nil && errY == nil && x != y {
			if x < y {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for k, name := range names {
		number[name] = k
	}
	index = make([]int, len(rows))
	for k, i := range rows {
		index[k] = number[value(i)]
	}
	return names, index
}

// complete returns the rows without an empty value in any column in use.
func (in *survivalInput) complete(columns map[string]*survivalColumn, o *survivalOptions) []int {
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
			if c.isMissing(i) && (name != o.upper || o.upper == "") {
				bad[i], any = true, true
			}
		}
		if any {
			with = append(with, name)
		}
	}
	if o.upper != "" { // an open end is an interval without end
		u := columns[o.upper]
		for i, v := range u.number {
			if math.IsNaN(v) {
				u.number[i] = math.Inf(1)
			}
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
func (in *survivalInput) indicators(c *survivalColumn, rows []int) {
	levels := make([]string, 0, 8)
	seen := map[string]bool{}
	for _, i := range rows {
		if s := c.text[i]; !seen[s] {
			seen[s] = true
			levels = append(levels, s)
		}
	}
	slices.Sort(levels)
	for k, level := range levels {
		if k == 0 {
			continue
		}
		v := make([]float64, len(rows))
		for r, i := range rows {
			if c.text[i] == level {
				v[r] = 1
			}
		}
		in.data.Columns = append(in.data.Columns, v)
		in.data.Names = append(in.data.Names, c.name+level)
	}
}

// events turns the event column into codes. With --cause only rows of that
// value are events of a single-event model; aj and fine-gray keep the others
// as competing.
func (in *survivalInput) events(columns map[string]*survivalColumn, rows []int, o *survivalOptions) error {
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
		v := c.number[i]
		if v != math.Trunc(v) || v < 0 || v > 255 {
			return fmt.Errorf("column %s, row %d: event code %v is not a whole number from 0 to 255", o.event, i+1, v)
		}
		d.Event[k] = uint8(v)
		seen[uint8(v)] = true
	}
	for code := 1; code < 256; code++ {
		if seen[code] {
			in.causes = append(in.causes, uint8(code))
		}
	}
	if o.cause != "" {
		code, err := strconv.ParseUint(o.cause, 10, 8)
		if err != nil || code == 0 {
			return fmt.Errorf("--cause %s is not an event code from 1 to 255", o.cause)
		}
		in.single(uint8(code), o)
		return nil
	}
	switch {
	case o.competing() || len(in.causes) == 0 || slices.Equal(in.causes, []uint8{1}):
	case slices.Equal(in.causes, []uint8{1, 2}) && !seen[0]:
		// Censored and event written as 1 and 2.
		in.warnings = append(in.warnings, fmt.Sprintf("column %s has the codes 1 and 2: 2 is taken as the event", o.event))
		in.single(2, o)
	default:
		return fmt.Errorf("column %s has the codes %v: name the event with --cause", o.event, in.causes)
	}
	return nil
}

// single makes code the event 1. Other codes become censored, or cause 2 and
// up where they compete.
func (in *survivalInput) single(code uint8, o *survivalOptions) {
	if o.competing() {
		return
	}
	for i, e := range in.data.Event {
		in.data.Event[i] = 0
		if e == code {
			in.data.Event[i] = 1
		}
	}
}

// textEvents reads events from text: the value of --cause is the event.
func (in *survivalInput) textEvents(c *survivalColumn, rows []int, o *survivalOptions) error {
	if o.cause == "" || o.competing() {
		return fmt.Errorf("column %s is text: name the event with --cause; competing events need whole numbers", o.event)
	}
	for k, i := range rows {
		if c.text[i] == o.cause {
			in.data.Event[k] = 1
		}
	}
	in.causes = []uint8{1}
	return nil
}
