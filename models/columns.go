package models

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A part of a model is a struct of numbers and flat slices of numbers or text.
// It is stored as one Arrow IPC file with a row per field: its name, and its
// values as floats, whole numbers or texts.
var partSchema = arrow.NewSchema([]arrow.Field{
	{Name: "field", Type: arrow.BinaryTypes.String},
	{Name: "numbers", Type: arrow.ListOf(arrow.PrimitiveTypes.Float64)},
	{Name: "integers", Type: arrow.ListOf(arrow.PrimitiveTypes.Int64)},
	{Name: "texts", Type: arrow.ListOf(arrow.BinaryTypes.String)},
}, nil)

// ErrPart is wrapped by every error about a file of an artefact that cannot be
// read as what it should hold.
var ErrPart = errors.New("models: bad part")

// encodePart writes the exported fields of *part. It panics on a field whose
// type it does not know: that is a fault of the program.
func encodePart(part any) ([]byte, error) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, partSchema)
	defer b.Release()
	w := partWriter{b}
	w.fields("", reflect.ValueOf(part).Elem())
	rec := b.NewRecordBatch()
	defer rec.Release()
	var buf bytes.Buffer
	iw, err := ipc.NewFileWriter(&buf, ipc.WithSchema(partSchema))
	if err != nil {
		return nil, err
	}
	if err := iw.Write(rec); err != nil {
		return nil, err
	}
	if err := iw.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

type partWriter struct{ b *array.RecordBuilder }

func (w partWriter) fields(prefix string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.IsExported() {
			w.field(prefix+f.Name, v.Field(i))
		}
	}
}

func (w partWriter) field(name string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		w.fields(name+".", v)
		return
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Struct || v.Type().Elem().Kind() == reflect.Slice {
			w.row(name, reflect.ValueOf([]int{v.Len()}))
			for i := range v.Len() {
				w.field(fmt.Sprintf("%s.%d", name, i), v.Index(i))
			}
			return
		}
		w.row(name, v)
	default:
		one := reflect.MakeSlice(reflect.SliceOf(v.Type()), 1, 1)
		one.Index(0).Set(v)
		w.row(name, one)
	}
}

func (w partWriter) row(name string, v reflect.Value) {
	w.b.Field(0).(*array.StringBuilder).Append(name)
	var lists [3]*array.ListBuilder
	for k := range lists {
		lists[k] = w.b.Field(k + 1).(*array.ListBuilder)
		lists[k].Append(true)
	}
	for i := range v.Len() {
		switch x := v.Index(i); x.Kind() {
		case reflect.Float64, reflect.Float32:
			lists[0].ValueBuilder().(*array.Float64Builder).Append(x.Float())
		case reflect.Int, reflect.Int32, reflect.Int64:
			lists[1].ValueBuilder().(*array.Int64Builder).Append(x.Int())
		case reflect.Uint8, reflect.Uint32, reflect.Uint64:
			lists[1].ValueBuilder().(*array.Int64Builder).Append(int64(x.Uint()))
		case reflect.String:
			lists[2].ValueBuilder().(*array.StringBuilder).Append(x.String())
		default:
			panic(fmt.Sprintf("models: field %s of kind %s cannot be stored", name, x.Kind()))
		}
	}
}

// fileMagic is what Arrow files begin with, padded; partHead is that and the message
// with the schema of a part.
var (
	fileMagic = []byte("ARROW1\x00\x00")
	partHead  = headOf(partSchema)
)

func headOf(schema *arrow.Schema) []byte {
	var buf bytes.Buffer
	w, err := ipc.NewFileWriter(&buf, ipc.WithSchema(schema))
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // the schema is a constant
	}
	// A message is a mark of four bytes, a length of four, and that many.
	at := len(fileMagic)
	n := binary.LittleEndian.Uint32(buf.Bytes()[at+4:])
	return buf.Bytes()[:at+8+int(n)]
}

// decodePart reads what encodePart wrote into *part. Every field must be there
// and none beside them.
func decodePart(file []byte, part any) (err error) {
	// The reader of Arrow files panics on offsets that point nowhere.
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %v", ErrPart, fault)
		}
	}()
	// A part begins as every part does: the reader of schemas believes whatever
	// counts it is told, and asks for the memory. The batches are read as a stream,
	// in which a damaged length is not worth more memory than there is file.
	if !bytes.HasPrefix(file, partHead) {
		return fmt.Errorf("%w: foreign schema", ErrPart)
	}
	limit := int64(len(file))
	options := []ipc.Option{ipc.WithMetadataSizeLimit(limit), ipc.WithBodySizeLimit(limit), ipc.WithAllocator(&rationed{left: 2*limit + 1<<16})}
	// Given to NewReader, the limits would be ignored.
	r, err := ipc.NewReaderFromMessageReader(ipc.NewMessageReader(bytes.NewReader(file[len(fileMagic):]), options...), options...)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPart, err)
	}
	defer r.Release()
	rows := map[string]partRow{}
	for r.Next() {
		rec := r.RecordBatch()
		rec.Retain()
		defer rec.Release()
		names := rec.Column(0).(*array.String)
		for k := range int(rec.NumRows()) {
			rows[names.Value(k)] = partRow{rec, k}
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrPart, err)
	}
	p := partReader{rows: rows}
	p.fields("", reflect.ValueOf(part).Elem())
	if p.err == nil && len(rows) > 0 {
		for name := range rows {
			return fmt.Errorf("%w: unknown field %q", ErrPart, name)
		}
	}
	return p.err
}

// rationed allocates as long as something is left, and panics then.
type rationed struct {
	memory.GoAllocator
	left int64
}

func (m *rationed) Allocate(size int) []byte {
	m.take(size)
	return m.GoAllocator.Allocate(size)
}

func (m *rationed) Reallocate(size int, b []byte) []byte {
	m.take(size - len(b))
	return m.GoAllocator.Reallocate(size, b)
}

func (m *rationed) take(size int) {
	if m.left -= int64(size); m.left < 0 {
		panic("a length beyond that of the file")
	}
}

type partRow struct {
	rec arrow.RecordBatch
	row int
}

// list returns the values of one of the three list columns.
func (r partRow) list(column int) (arrow.Array, int, int) {
	l := r.rec.Column(column).(*array.List)
	from, to := l.ValueOffsets(r.row)
	return l.ListValues(), int(from), int(to)
}

type partReader struct {
	rows map[string]partRow
	err  error
}

func (p *partReader) fail(name, why string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: field %q %s", ErrPart, name, why)
	}
}

func (p *partReader) fields(prefix string, v reflect.Value) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if f.IsExported() {
			p.field(prefix+f.Name, v.Field(i))
		}
	}
}

func (p *partReader) field(name string, v reflect.Value) {
	if p.err != nil {
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		p.fields(name+".", v)
	case reflect.Slice, reflect.Array:
		if e := v.Type().Elem().Kind(); e == reflect.Struct || e == reflect.Slice {
			var n []int
			p.row(name, reflect.ValueOf(&n).Elem())
			// Each element has at least one row of its own.
			if p.err != nil || len(n) != 1 || n[0] < 0 || n[0] > len(p.rows) {
				p.fail(name, "has no length")
				return
			}
			if v.Kind() == reflect.Slice {
				v.Set(reflect.MakeSlice(v.Type(), n[0], n[0]))
			}
			if v.Len() != n[0] {
				p.fail(name, "has another length")
				return
			}
			for i := range v.Len() {
				if p.err != nil {
					return
				}
				p.field(fmt.Sprintf("%s.%d", name, i), v.Index(i))
			}
			return
		}
		p.row(name, v)
	default:
		one := reflect.New(reflect.ArrayOf(1, v.Type())).Elem()
		p.row(name, one)
		v.Set(one.Index(0))
	}
}

func (p *partReader) row(name string, v reflect.Value) {
	row, ok := p.rows[name]
	if !ok {
		p.fail(name, "is missing")
		return
	}
	delete(p.rows, name)
	column := 1
	switch v.Type().Elem().Kind() {
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint32, reflect.Uint64:
		column = 2
	case reflect.String:
		column = 3
	}
	values, from, to := row.list(column)
	n := to - from
	if v.Kind() == reflect.Slice {
		if n == 0 {
			v.SetZero()
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
	}
	if v.Len() != n {
		p.fail(name, "has another length")
		return
	}
	for i := range n {
		x := v.Index(i)
		switch a := values.(type) {
		case *array.Float64:
			x.SetFloat(a.Value(from + i))
		case *array.Int64:
			if x.CanUint() {
				x.SetUint(uint64(a.Value(from + i)))
			} else {
				x.SetInt(a.Value(from + i))
			}
		case *array.String:
			x.SetString(a.Value(from + i))
		}
	}
}
