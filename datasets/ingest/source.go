package ingest

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"
)

// source gives the rows of one file as texts; an empty text is an absent
// value.
type source interface {
	// column returns the place of a column in the cells, or −1.
	column(name string) int
	// names returns the columns of the file, as far as it was read.
	names() []string
	// next returns the cells of the next row, valid until the next call, and
	// where it is. It returns io.EOF after the last, and a *rowError for a row
	// that cannot be read where those after it can.
	next() (cells []string, at position, err error)
	io.Closer
}

// position is where a row is: its number among the rows, from 1, and the line
// of the file, 0 where the file has no lines.
type position struct{ row, line int }

// rowError is one row that cannot be read.
type rowError struct{ reason string }

func (e *rowError) Error() string { return e.reason }

// extensions are the endings of files that can be read.
var extensions = []string{".csv", ".tsv", ".txt", ".ndjson", ".jsonl", ".json", ".parquet"}

// splitPath cuts file.zip#member into its parts; member is empty elsewhere.
func splitPath(name string) (file, member string) {
	if i := strings.Index(name, ".zip#"); i >= 0 {
		return name[:i+4], name[i+5:]
	}
	return name, ""
}

// plainName returns the last element of a path without its extensions, and the
// one that says how to read it.
func plainName(name string) (base, ext string) {
	file, member := splitPath(name)
	if member != "" {
		file = member
	}
	base = filepath.Base(file)
	for _, packed := range []string{".gz", ".zip"} {
		base = strings.TrimSuffix(base, packed)
	}
	ext = strings.ToLower(filepath.Ext(base))
	return strings.TrimSuffix(base, filepath.Ext(base)), ext
}

// opener opens sources.
type opener struct {
	mapping *Mapping // may be nil
	arrow   func(context.Context, func(*duckdb.Arrow) error) error
}

// open opens a file.
func (o opener) open(ctx context.Context, name string) (source, error) {
	_, ext := plainName(name)
	if ext == ".parquet" {
		return o.openParquet(ctx, name)
	}
	r, err := openText(name)
	if err != nil {
		return nil, err
	}
	_, member := splitPath(name)
	if member == "" && strings.HasSuffix(strings.ToLower(name), ".zip") {
		ext = strings.ToLower(path.Ext(r.member))
	}
	buffered := bufio.NewReaderSize(r, 1<<16)
	if mark, _ := buffered.Peek(3); string(mark) == "\ufeff" {
		_, _ = buffered.Discard(3)
	}
	var s source
	switch ext {
	case ".ndjson", ".jsonl", ".json":
		s, err = newNDJSON(buffered, r)
	default:
		s, err = newCSV(buffered, r, o.mapping, ext)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return s, nil
}

// textFile is an open file, unpacked, and what to close after it.
type textFile struct {
	io.Reader
	member  string // of a zip
	closers []io.Closer
}

// Close closes the file and what unpacks it.
func (t *textFile) Close() error {
	var errs []error
	for _, c := range slices.Backward(t.closers) {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// openText opens a file; one that ends in .gz is unpacked, and of a zip the
// member after #, or the only one.
func openText(name string) (*textFile, error) {
	file, member := splitPath(name)
	if strings.HasSuffix(strings.ToLower(file), ".zip") {
		return openZip(file, member)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	t := &textFile{Reader: f, closers: []io.Closer{f}}
	if strings.HasSuffix(strings.ToLower(file), ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("gzip: %w", err), f.Close())
		}
		t.Reader, t.closers = z, append(t.closers, z)
	}
	return t, nil
}

func openZip(file, member string) (*textFile, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	var names []string
	for _, f := range z.File {
		if f.FileInfo().IsDir() || strings.HasPrefix(f.Name, "__MACOSX/") || strings.HasPrefix(path.Base(f.Name), ".") {
			continue
		}
		names = append(names, f.Name)
	}
	if member == "" && len(names) == 1 {
		member = names[0]
	}
	if !slices.Contains(names, member) {
		return nil, errors.Join(fmt.Errorf("name one of its files after #: %s", strings.Join(names, ", ")), z.Close())
	}
	f, err := z.Open(member)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("zip: %w", err), z.Close())
	}
	return &textFile{Reader: f, member: member, closers: []io.Closer{z, f}}, nil
}

// csvSource reads CSV.
type csvSource struct {
	io.Closer
	csv    *csv.Reader
	header []string
	row    int
}

// delimiters are tried, in this order, on the first line.
const delimiters = ",;\t|"

func newCSV(r *bufio.Reader, closer io.Closer, m *Mapping, ext string) (*csvSource, error) {
	s := &csvSource{Closer: closer, csv: csv.NewReader(r)}
	s.csv.ReuseRecord = true
	s.csv.FieldsPerRecord = -1 // checked here, row by row
	switch {
	case m != nil && m.Delimiter != "":
		s.csv.Comma = []rune(m.Delimiter)[0]
	case ext == ".tsv":
		s.csv.Comma = '\t'
	default:
		first, _ := r.Peek(4096)
		first, _, _ = bytes.Cut(first, []byte{'\n'})
		best := 0
		for _, d := range delimiters {
			if n := bytes.Count(first, []byte(string(d))); n > best {
				best, s.csv.Comma = n, d
			}
		}
	}
	if m != nil && len(m.Header) > 0 {
		s.header = m.Header
		return s, nil
	}
	header, err := s.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty: not even a header")
	}
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	for _, name := range header {
		s.header = append(s.header, strings.TrimSpace(name))
	}
	return s, nil
}

func (s *csvSource) column(name string) int { return slices.Index(s.header, name) }
func (s *csvSource) names() []string        { return s.header }

func (s *csvSource) next() ([]string, position, error) {
	cells, err := s.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, position{}, err
	}
	s.row++
	at := position{row: s.row}
	if parse := (*csv.ParseError)(nil); errors.As(err, &parse) {
		at.line = parse.StartLine
		return nil, at, &rowError{parse.Err.Error()}
	}
	if err != nil {
		return nil, at, err
	}
	at.line, _ = s.csv.FieldPos(0)
	if len(cells) != len(s.header) {
		return nil, at, &rowError{fmt.Sprintf("%d cells under %d columns", len(cells), len(s.header))}
	}
	return cells, at, nil
}

// ndjsonSource reads one JSON object a line, or an array of them. A column
// that nobody asked for is only noted.
type ndjsonSource struct {
	io.Closer
	lines *bufio.Reader
	array *json.Decoder // instead of lines
	place map[string]int
	cells []string
	other map[string]bool
	at    position
	raw   []byte // the text of the last row
}

// maxLine bounds a line, so that a file that is no NDJSON is not read whole.
const maxLine = 8 << 20

func newNDJSON(r *bufio.Reader, closer io.Closer) (*ndjsonSource, error) {
	s := &ndjsonSource{Closer: closer, lines: r, place: map[string]int{}, other: map[string]bool{}}
	if head, _ := r.Peek(512); bytes.HasPrefix(bytes.TrimSpace(head), []byte{'['}) {
		s.array = json.NewDecoder(r)
		if _, err := s.array.Token(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *ndjsonSource) column(name string) int {
	i, ok := s.place[name]
	if !ok {
		i = len(s.cells)
		s.place[name], s.cells = i, append(s.cells, "")
		delete(s.other, name)
	}
	return i
}

func (s *ndjsonSource) names() []string {
	var names []string
	for name := range s.place {
		names = append(names, name)
	}
	for name := range s.other {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// read puts the text of the next row in raw.
func (s *ndjsonSource) read() error {
	if s.array != nil {
		if !s.array.More() {
			return io.EOF
		}
		s.at.row++
		var raw json.RawMessage
		err := s.array.Decode(&raw)
		s.raw = raw
		return err
	}
	for {
		s.raw = s.raw[:0]
		s.at.line++
		for {
			part, err := s.lines.ReadSlice('\n')
			s.raw = append(s.raw, part...)
			if len(s.raw) > maxLine {
				return fmt.Errorf("line %d is longer than %d MiB", s.at.line, maxLine>>20)
			}
			if errors.Is(err, io.EOF) && len(bytes.TrimSpace(s.raw)) == 0 {
				return io.EOF
			}
			if err == nil || errors.Is(err, io.EOF) {
				break
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				return err
			}
		}
		if s.raw = bytes.TrimSpace(s.raw); len(s.raw) > 0 {
			s.at.row++
			return nil
		}
	}
}

func (s *ndjsonSource) next() ([]string, position, error) {
	if err := s.read(); err != nil {
		return nil, s.at, err
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(s.raw, &object) != nil || object == nil {
		return nil, s.at, &rowError{"is not a JSON object"}
	}
	clear(s.cells)
	for name, raw := range object {
		i, ok := s.place[name]
		if !ok {
			s.other[name] = true
			continue
		}
		switch {
		case string(raw) == "null":
		case raw[0] == '"':
			if err := json.Unmarshal(raw, &s.cells[i]); err != nil {
				return nil, s.at, &rowError{"is not a JSON object"}
			}
		default:
			s.cells[i] = string(raw)
		}
	}
	return s.cells, s.at, nil
}

// parquetSource reads a Parquet file through DuckDB, every value as text.
type parquetSource struct {
	header []string
	cells  []string
	row    int
	rows   chan []string // batches, flat, row by row
	batch  []string
	err    error
	cancel context.CancelFunc
	ended  chan struct{}
}

func (o opener) openParquet(ctx context.Context, name string) (*parquetSource, error) {
	if _, err := os.Stat(name); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &parquetSource{rows: make(chan []string, 1), cancel: cancel, ended: make(chan struct{})}
	opened := make(chan error, 1)
	go func() {
		defer close(s.ended)
		defer close(s.rows)
		s.err = o.arrow(ctx, func(a *duckdb.Arrow) error { return s.stream(ctx, a, name, opened) })
		if s.err != nil {
			select {
			case opened <- s.err:
			default:
			}
		}
	}()
	if err := <-opened; err != nil {
		cancel()
		<-s.ended
		return nil, err
	}
	return s, nil
}

// stream reads the file in its order, and says on opened when its columns are
// known.
func (s *parquetSource) stream(ctx context.Context, a *duckdb.Arrow, name string, opened chan<- error) error {
	file := "read_parquet('" + strings.ReplaceAll(name, "'", "''") + "')"
	columns, err := describe(ctx, a, file)
	if err != nil {
		return err
	}
	var texts []string
	for _, c := range columns {
		s.header = append(s.header, c.name)
		quoted := `"` + strings.ReplaceAll(c.name, `"`, `""`) + `"`
		switch {
		case strings.HasSuffix(c.kind, "]"): // a list
			quoted = "to_json(" + quoted + ")"
		case c.kind == "TIMESTAMP WITH TIME ZONE":
			quoted = "strftime(" + quoted + " AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
		}
		texts = append(texts, "coalesce(CAST("+quoted+" AS VARCHAR), '')")
	}
	records, err := a.QueryContext(ctx, "SELECT "+strings.Join(texts, ", ")+" FROM "+file)
	if err != nil {
		return err
	}
	defer records.Release()
	opened <- nil
	for records.Next() {
		r := records.RecordBatch()
		n, width := int(r.NumRows()), int(r.NumCols())
		flat := make([]string, n*width)
		for c := range width {
			values := r.Column(c).(*array.String)
			for i := range n {
				flat[i*width+c] = strings.Clone(values.Value(i))
			}
		}
		select {
		case s.rows <- flat:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return records.Err()
}

type parquetColumn struct{ name, kind string }

func describe(ctx context.Context, a *duckdb.Arrow, file string) (columns []parquetColumn, err error) {
	records, err := a.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+file+")")
	if err != nil {
		return nil, err
	}
	defer records.Release()
	for records.Next() {
		names, types := records.RecordBatch().Column(0).(*array.String), records.RecordBatch().Column(1).(*array.String)
		for i := range names.Len() {
			columns = append(columns, parquetColumn{strings.Clone(names.Value(i)), strings.Clone(types.Value(i))})
		}
	}
	return columns, records.Err()
}

func (s *parquetSource) column(name string) int { return slices.Index(s.header, name) }
func (s *parquetSource) names() []string        { return s.header }

func (s *parquetSource) next() ([]string, position, error) {
	for len(s.batch) == 0 {
		batch, ok := <-s.rows
		if !ok {
			if s.err != nil {
				return nil, position{}, s.err
			}
			return nil, position{}, io.EOF
		}
		s.batch = batch
	}
	s.row++
	s.cells, s.batch = s.batch[:len(s.header)], s.batch[len(s.header):]
	return s.cells, position{row: s.row}, nil
}

// Close stops the reading.
func (s *parquetSource) Close() error {
	s.cancel()
	for range s.rows { // lets the reader end
	}
	<-s.ended
	return nil
}
