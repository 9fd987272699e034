package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// recordRows is the largest number of rows of a batch read from Parquet; those
// of an Arrow file are as it was written.
const recordRows = 16384

// recordFile is a Parquet or Arrow IPC file that is read in passes, batch by
// batch: what is held in memory is one batch, and of Parquet the pages of the
// columns in use.
type recordFile struct {
	path string
	kind recordKind
}

type recordKind int

const (
	parquetFile recordKind = iota
	arrowFile              // Arrow IPC with a footer
	arrowStream
)

// openRecords tells from how a file begins what it is.
func openRecords(path string) (recordFile, error) {
	head, err := beginning(path, 8)
	if err != nil {
		return recordFile{}, err
	}
	switch {
	case strings.HasPrefix(head, "PAR1"):
		return recordFile{path, parquetFile}, nil
	case strings.HasPrefix(head, "ARROW1"):
		return recordFile{path, arrowFile}, nil
	case strings.HasPrefix(head, "\xff\xff\xff\xff"):
		return recordFile{path, arrowStream}, nil
	}
	return recordFile{}, errors.New("neither Parquet nor Arrow IPC, which --stream reads")
}

// beginsAsArrow reports whether a file begins as an Arrow IPC file or stream.
func beginsAsArrow(path string) (bool, error) {
	head, err := beginning(path, 6)
	return head == "ARROW1" || strings.HasPrefix(head, "\xff\xff\xff\xff"), err
}

// beginning returns the first n bytes of a file, or what there is.
func beginning(path string, n int) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, n)
	n, err = io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	return string(head[:n]), nil
}

// record is a batch of rows. It lives until the callback returns.
type record struct {
	rows  int
	cells []cells // in the order in which columns were asked for
}

// cells is one column of a batch.
type cells struct {
	number []float64   // NaN where empty; nil: text
	text   arrow.Array // nil: numbers
}

// value returns row i as text.
func (c cells) value(i int) string {
	if c.number != nil {
		return strconv.FormatFloat(c.number[i], 'g', -1, 64)
	}
	return c.text.ValueStr(i)
}

// pass reads the columns of these names and calls yield for every batch, in
// the order of the file.
func (r recordFile) pass(ctx context.Context, names []string, yield func(record) error) (err error) {
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer f.Close()
	next, stop, err := r.batches(ctx, f, names)
	if err != nil {
		return err
	}
	defer stop()
	rec := record{cells: make([]cells, len(names))}
	own := make([][]float64, len(names)) // where numbers that are no float64 go
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err = rec.read(batch, names, own); err == nil {
			err = yield(rec)
		}
		batch.Release()
		if err != nil {
			return err
		}
	}
}

// batches opens the file: next returns its batches, which are to be released,
// and io.EOF after the last.
func (r recordFile) batches(ctx context.Context, f *os.File, names []string) (next func() (arrow.RecordBatch, error), stop func(), err error) {
	switch r.kind {
	case arrowFile:
		in, err := ipc.NewFileReader(f)
		if err != nil {
			return nil, nil, err
		}
		k := 0
		return func() (arrow.RecordBatch, error) {
			if k == in.NumRecords() {
				return nil, io.EOF
			}
			k++
			return in.RecordBatchAt(k - 1)
		}, func() { _ = in.Close() }, nil
	case arrowStream:
		in, err := ipc.NewReader(f)
		if err != nil {
			return nil, nil, err
		}
		return retained(in), in.Release, nil
	}
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = true
	pf, err := file.NewParquetReader(f, file.WithReadProps(props))
	if err != nil {
		return nil, nil, err
	}
	var leaves []int
	for _, name := range names {
		k := pf.MetaData().Schema.ColumnIndexByName(name)
		if k < 0 {
			var known []string
			for j := range pf.MetaData().Schema.NumColumns() {
				known = append(known, pf.MetaData().Schema.Column(j).Path())
			}
			return nil, nil, noColumn(name, known)
		}
		leaves = append(leaves, k)
	}
	pr, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: recordRows}, memory.DefaultAllocator)
	if err != nil {
		return nil, nil, err
	}
	in, err := pr.GetRecordReader(ctx, leaves, nil)
	if err != nil {
		return nil, nil, err
	}
	return retained(in), in.Release, nil
}

// retained serves the batches of a reader as ones to be released.
func retained(in array.RecordReader) func() (arrow.RecordBatch, error) {
	return func() (arrow.RecordBatch, error) {
		if !in.Next() {
			if err := in.Err(); err != nil {
				return nil, err
			}
			return nil, io.EOF
		}
		b := in.RecordBatch()
		b.Retain()
		return b, nil
	}
}

func noColumn(name string, known []string) error {
	return fmt.Errorf("no column %q; it has %s", name, strings.Join(known, ", "))
}

// read takes the columns of these names from a batch.
func (rec *record) read(batch arrow.RecordBatch, names []string, own [][]float64) error {
	rec.rows = int(batch.NumRows())
	schema := batch.Schema()
	for k, name := range names {
		at := schema.FieldIndices(name)
		if len(at) == 0 {
			var known []string
			for _, f := range schema.Fields() {
				known = append(known, f.Name)
			}
			return noColumn(name, known)
		}
		values := batch.Column(at[0])
		if isText(values.DataType()) {
			rec.cells[k] = cells{text: values}
			continue
		}
		if v, ok := values.(*array.Float64); ok && v.NullN() == 0 {
			rec.cells[k] = cells{number: v.Float64Values()}
			continue
		}
		number := numberOf(values)
		if number == nil {
			return fmt.Errorf("column %s is neither number nor text but %s", name, values.DataType())
		}
		own[k] = slices.Grow(own[k][:0], rec.rows)[:rec.rows]
		for i := range own[k] {
			if own[k][i] = math.NaN(); values.IsValid(i) {
				own[k][i] = number(i)
			}
		}
		rec.cells[k] = cells{number: own[k]}
	}
	return nil
}

// isText reports whether a type's values are text.
func isText(t arrow.DataType) bool {
	if d, ok := t.(*arrow.DictionaryType); ok {
		t = d.ValueType
	}
	switch t.ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW:
		return true
	}
	return false
}

// numberOf returns what reads row i as a number, dates and times as days since
// 1970, or nil where values are no numbers.
func numberOf(values arrow.Array) func(i int) float64 {
	switch v := values.(type) {
	case *array.Float64:
		return v.Value
	case *array.Float32:
		return func(i int) float64 { return float64(v.Value(i)) }
	case *array.Int64:
		return func(i int) float64 { return float64(v.Value(i)) }
	case *array.Int32:
		return func(i int) float64 { return float64(v.Value(i)) }
	case *array.Int16:
		return func(i int) float64 { return float64(v.Value(i)) }
	case *array.Int8:
		return func(i int) float64 { return float64(v.Value(i)) }
	case *array.Uint64:
		return func(i int) float64 { return float64(v.Value(i)) }
	case *array.Uint32:
		return func(i int) float64 { return float64(v.Value(i)) }
	case *array.Uint16:
		return func(i int) float64 { return float64(v.Value(i)) }
	case *array.Uint8:
		return func(i int) float64 { return float64(v.Value(i)) }
	case *array.Boolean:
		return func(i int) float64 {
			if v.Value(i) {
				return 1
			}
			return 0
		}
	case *array.Decimal128:
		scale := v.DataType().(*arrow.Decimal128Type).Scale
		return func(i int) float64 { return v.Value(i).ToFloat64(scale) }
	case *array.Date32:
		return func(i int) float64 { return float64(v.Value(i)) }
	case *array.Date64:
		return func(i int) float64 { return float64(v.Value(i)) / 86400e3 }
	case *array.Timestamp:
		unit := v.DataType().(*arrow.TimestampType).Unit
		return func(i int) float64 { return float64(v.Value(i).ToTime(unit).UnixMicro()) / 86400e6 }
	}
	return nil
}
