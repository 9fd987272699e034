package main

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"
)

// wanted is a column to read from a file, and how.
type wanted struct {
	name string
	as   reading
}

type reading int

const (
	asItIs   reading = iota // numbers, booleans, dates and times as numbers, the rest as text
	asNumber                // text that is no number is refused
	asText
)

// column is one column of a file, as numbers or as text.
type column struct {
	name    string
	number  []float64 // NaN where empty
	text    []string  // nil: numbers
	missing []bool    // of text
	days    bool      // dates or times, as days since 1970
}

// value returns row i as text.
func (c *column) value(i int) string {
	if c.text != nil {
		return c.text[i]
	}
	return strconv.FormatFloat(c.number[i], 'g', -1, 64)
}

func (c *column) isMissing(i int) bool {
	if c.text != nil {
		return c.missing[i]
	}
	return math.IsNaN(c.number[i])
}

// readColumns reads columns of a CSV or Parquet file, in its order of rows, and
// returns them in the order of wants. What the file is is told from how it
// begins: CSV may be compressed by gzip or zstd, and divided by commas,
// semicolons, tabs or bars, with decimal commas where they are not the divider.
// Empty cells and NA are missing. Dates and times become days since 1970.
func readColumns(ctx context.Context, path string, wants []wanted) (columns []*column, err error) {
	f, err := openFile(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	conn, from := f.conn, f.from
	if err := oneOfEach(ctx, conn, from, f.names, wants); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	expressions := make([]string, len(wants))
	for k, w := range wants {
		kind, ok := f.types[w.name]
		if !ok {
			return nil, fmt.Errorf("%s: %w", path, missingColumn(ctx, conn, from, w.name, f.names))
		}
		c := &column{name: w.name, days: kind == "DATE" || strings.HasPrefix(kind, "TIMESTAMP")}
		quoted := `"` + strings.ReplaceAll(w.name, `"`, `""`) + `"`
		expressions[k], ok = asDouble(quoted, kind)
		if w.as == asText || !ok {
			expressions[k], c.text = quoted+"::VARCHAR", []string{}
		}
		if strings.HasSuffix(kind, "]") || strings.HasPrefix(kind, "STRUCT") || strings.HasPrefix(kind, "MAP") {
			return nil, fmt.Errorf("%s: column %s is neither number nor text but %s", path, w.name, kind)
		}
		columns = append(columns, c)
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
			for k, c := range columns {
				if err := c.append(rec.Column(k)); err != nil {
					return err
				}
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, firstLine(err))
	}
	for k, w := range wants {
		if w.as == asNumber && columns[k].text != nil {
			if err := columns[k].parse(); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return columns, nil
}

// relation is how DuckDB reads a file, told from how it begins.
func relation(path string) (string, error) {
	begin, err := beginning(path, 4)
	if err != nil {
		return "", err
	}
	literal := "'" + strings.ReplaceAll(path, "'", "''") + "'"
	compression := "none"
	switch begin {
	case "":
		return "", fmt.Errorf("%s is empty", path)
	case "PAR1":
		return "read_parquet(" + literal + ")", nil
	case "\x28\xb5\x2f\xfd":
		compression = "zstd"
	default:
		if strings.HasPrefix(begin, "\x1f\x8b") {
			compression = "gzip"
		}
	}
	return "read_csv(" + literal + ", header = true, sample_size = -1, nullstr = ['', 'NA'], compression = '" + compression + "')", nil
}

// columnNames returns the names of a file's columns, in order.
func columnNames(ctx context.Context, path string) ([]string, error) {
	f, err := openFile(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.close()
	return f.names, nil
}

// source is a CSV or Parquet file as DuckDB reads it.
type source struct {
	db    *sql.DB
	conn  *sql.Conn
	from  string            // the relation
	types map[string]string // of the columns, by name
	names []string          // of the columns, in order
}

func openFile(ctx context.Context, path string) (_ *source, err error) {
	f := new(source)
	if f.from, err = relation(path); err != nil {
		return nil, err
	}
	if f.db, err = sql.Open("duckdb", ""); err != nil {
		return nil, err
	}
	if f.conn, err = f.db.Conn(ctx); err == nil {
		if f.types, f.names, err = columnTypes(ctx, f.conn, f.from); err == nil {
			err = f.decimals(ctx)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", path, firstLine(err))
		}
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

func (f *source) close() {
	if f.conn != nil {
		f.conn.Close()
	}
	f.db.Close()
}

// decimals reads a CSV file that is not divided by commas with decimal commas,
// where more of its columns are numbers then.
func (f *source) decimals(ctx context.Context) error {
	numbers := func(types map[string]string) (n int) {
		for _, kind := range types {
			if _, ok := asDouble("", kind); ok {
				n++
			}
		}
		return n
	}
	if numbers(f.types) == len(f.types) {
		return nil
	}
	if _, delimiter, err := firstLineOf(ctx, f.conn, f.from); err != nil || delimiter == ',' || delimiter == 0 {
		return err
	}
	from, _ := withOptions(f.from, "sample_size = -1, header = true, nullstr = ['', 'NA'], decimal_separator = ','")
	types, names, err := columnTypes(ctx, f.conn, from)
	if err != nil { // it is no such file
		return nil //nolint:nilerr // and can be read without
	}
	if numbers(types) > numbers(f.types) {
		f.from, f.types, f.names = from, types, names
	}
	return nil
}

// withOptions changes how DuckDB reads a CSV file; ok is false for another file.
func withOptions(from, options string) (_ string, ok bool) {
	path, rest, ok := strings.Cut(from, ", sample_size")
	_, compression, _ := strings.Cut(rest, ", compression")
	return path + ", " + options + ", compression" + compression, ok
}

// firstLineOf returns the cells of a CSV file's first line and what divides
// them; no cells for another file.
func firstLineOf(ctx context.Context, conn *sql.Conn, from string) (cells []string, delimiter rune, err error) {
	lines, ok := withOptions(from, `auto_detect = false, header = false, delim = '\x1f', quote = '', escape = '', columns = {line: 'VARCHAR'}`)
	if !ok {
		return nil, 0, nil
	}
	var line string
	if err := conn.QueryRowContext(ctx, "SELECT line FROM "+lines+" LIMIT 1").Scan(&line); err != nil {
		return nil, 0, firstLine(err)
	}
	for _, d := range ",;\t|" {
		if strings.Count(line, string(d)) > strings.Count(line, string(delimiter)) || delimiter == 0 {
			delimiter = d
		}
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(line, "\ufeff")))
	r.Comma, r.LazyQuotes = delimiter, true
	cells, err = r.Read()
	for k := range cells {
		cells[k] = strings.TrimSpace(cells[k])
	}
	return cells, delimiter, err
}

// oneOfEach refuses a CSV file in which a wanted name stands above two columns.
// DuckDB calls the second name_1, as may be the name of another column: only
// the first line itself tells.
func oneOfEach(ctx context.Context, conn *sql.Conn, from string, known []string, wants []wanted) error {
	if !slices.ContainsFunc(wants, func(w wanted) bool { return slices.Contains(known, w.name+"_1") }) {
		return nil
	}
	cells, _, err := firstLineOf(ctx, conn, from)
	if err != nil {
		return err
	}
	for _, w := range wants {
		n := 0
		for _, cell := range cells {
			if cell == w.name {
				n++
			}
		}
		if n > 1 {
			return fmt.Errorf("%d columns are named %q", n, w.name)
		}
	}
	return nil
}

var unevenLine = regexp.MustCompile(`CSV Error on Line: (\d+)(?s:.*)Expected Number of Columns: (\d+) Found: (\d+)`)

// missingColumn is the error of a name that a file has not. Where the lines of a
// CSV file differ in how many cells they have, DuckDB takes it for something
// else altogether: then that is the error.
func missingColumn(ctx context.Context, conn *sql.Conn, from, name string, known []string) error {
	cells, delimiter, err := firstLineOf(ctx, conn, from)
	if err != nil || len(cells) < 2 || !slices.Contains(cells, name) {
		return noColumn(name, known)
	}
	columns := make([]string, len(cells))
	for k := range columns {
		columns[k] = fmt.Sprintf("c%d: 'VARCHAR'", k)
	}
	all, _ := withOptions(from, `auto_detect = false, header = true, quote = '"', delim = '`+string(delimiter)+"', columns = {"+strings.Join(columns, ", ")+"}")
	var n int
	if err := conn.QueryRowContext(ctx, "SELECT count(c0) FROM "+all).Scan(&n); err != nil {
		if found := unevenLine.FindStringSubmatch(err.Error()); found != nil {
			return fmt.Errorf("line %s has %s cells, the first line %s", found[1], found[3], found[2])
		}
	}
	return noColumn(name, known)
}

// asDouble is the expression of a column as a number; ok is false where it is
// none.
func asDouble(quoted, kind string) (expression string, ok bool) {
	switch {
	case kind == "DATE":
		return "(" + quoted + " - DATE '1970-01-01')::DOUBLE", true
	case strings.HasPrefix(kind, "TIMESTAMP"):
		return "epoch_us(" + quoted + ")::DOUBLE / 86400e6", true
	case strings.HasPrefix(kind, "DECIMAL"), slices.Contains([]string{
		"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "BOOLEAN",
	}, kind):
		return quoted + "::DOUBLE", true
	}
	return "", false
}

// append copies the values of an Arrow column.
func (c *column) append(values arrow.Array) error {
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

// parse turns text into numbers.
func (c *column) parse() error {
	c.number = make([]float64, len(c.text))
	for i, s := range c.text {
		x, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if c.missing[i] {
			x, err = math.NaN(), nil
		}
		if err != nil {
			return fmt.Errorf("row %d: %s is %q, a number is needed", i+1, c.name, s)
		}
		c.number[i] = x
	}
	c.text, c.missing = nil, nil
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

// firstLine is an error of DuckDB without the pages of advice that follow it.
func firstLine(err error) error {
	line, _, cut := strings.Cut(err.Error(), "\n")
	if !cut {
		return err
	}
	return errors.New(strings.TrimSpace(line))
}

// levels numbers values in order of first appearance, or in sorted order, as
// numbers where all are.
func levels(values []string, sorted bool) (level []int, names []string) {
	index := map[string]int{}
	for _, v := range values {
		if _, ok := index[v]; !ok {
			index[v] = len(names)
			names = append(names, v)
		}
	}
	if sorted {
		slices.SortFunc(names, byNumber(names))
		for k, name := range names {
			index[name] = k
		}
	}
	level = make([]int, len(values))
	for i, v := range values {
		level[i] = index[v]
	}
	return level, names
}

// byNumber compares as numbers where all names are numbers, else as text.
func byNumber(names []string) func(a, b string) int {
	value := make(map[string]float64, len(names))
	for _, name := range names {
		x, err := strconv.ParseFloat(name, 64)
		if err != nil {
			return strings.Compare
		}
		value[name] = x
	}
	return func(a, b string) int {
		switch {
		case value[a] < value[b]:
			return -1
		case value[a] > value[b]:
			return 1
		default:
			return strings.Compare(a, b)
		}
	}
}
