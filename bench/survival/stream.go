package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"rappel/models/survival"
)

// batchRows is the number of rows of a record batch.
const batchRows = 16384

// recordWriter writes record batches to an Arrow IPC stream or a Parquet file, by
// the end of its name.
func recordWriter(f *os.File, schema *arrow.Schema) (write func(arrow.RecordBatch) error, finish func() error, err error) {
	if !strings.HasSuffix(f.Name(), ".parquet") {
		w := ipc.NewWriter(f, ipc.WithSchema(schema))
		return w.Write, w.Close, nil
	}
	w, err := pqarrow.NewFileWriter(schema, struct{ io.Writer }{f}, parquet.NewWriterProperties(parquet.WithDictionaryDefault(false)), pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, nil, err
	}
	return w.Write, w.Close, nil // a batch is a row group
}

// writeRecords copies a file of gen_synth.py into an Arrow IPC stream or a Parquet
// file.
func writeRecords(to, from string, copies int) (err error) {
	d, err := read(from)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	fields := []arrow.Field{{Name: "time", Type: arrow.PrimitiveTypes.Float64}, {Name: "status", Type: arrow.PrimitiveTypes.Uint8}}
	for _, name := range d.Names {
		fields = append(fields, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64})
	}
	schema := arrow.NewSchema(fields, nil)
	write, finish, err := recordWriter(f, schema)
	if err != nil {
		return err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for range copies {
		for lo := 0; lo < d.Rows(); lo += batchRows {
			hi := min(lo+batchRows, d.Rows())
			b.Field(0).(*array.Float64Builder).AppendValues(d.Time[lo:hi], nil)
			b.Field(1).(*array.Uint8Builder).AppendValues(d.Event[lo:hi], nil)
			for j, c := range d.Columns {
				b.Field(j+2).(*array.Float64Builder).AppendValues(c[lo:hi], nil)
			}
			rec := b.NewRecordBatch()
			err := write(rec)
			rec.Release()
			if err != nil {
				return err
			}
		}
	}
	return finish()
}

// recordFile serves the rows of an Arrow IPC stream or a Parquet file.
type recordFile struct {
	path string
	x    []float64
}

// records opens the file's record batches.
func (a *recordFile) records(f *os.File) (array.RecordReader, error) {
	if !strings.HasSuffix(a.path, ".parquet") {
		return ipc.NewReader(f)
	}
	props := parquet.NewReaderProperties(memory.DefaultAllocator)
	props.BufferedStreamEnabled = true
	pf, err := file.NewParquetReader(f, file.WithReadProps(props))
	if err != nil {
		return nil, err
	}
	r, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: batchRows}, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	return r.GetRecordReader(context.Background(), nil, nil)
}

// Pass implements [survival.CoxSource].
func (a *recordFile) Pass(yield func(survival.CoxBatch) error) error {
	f, err := os.Open(a.path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := a.records(f)
	if err != nil {
		return err
	}
	defer r.Release()
	for r.Next() {
		rec := r.RecordBatch()
		n := int(rec.NumRows())
		if len(a.x) < n*columns {
			a.x = make([]float64, n*columns)
		}
		x := a.x[:n*columns]
		for j := range columns {
			for i, v := range rec.Column(j + 2).(*array.Float64).Float64Values() {
				x[i*columns+j] = v
			}
		}
		b := survival.CoxBatch{
			X: x, Rows: n,
			Time:  rec.Column(0).(*array.Float64).Float64Values(),
			Event: rec.Column(1).(*array.Uint8).Uint8Values(),
		}
		if err := yield(b); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// memoryMB returns a line of /proc/self/status in megabytes.
func memoryMB(key string) (float64, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no %s", key)
}

// measured runs work once and prints its result with time and peak memory.
func measured(out io.Writer, task string, work func() (result, error)) error {
	before, err := memoryMB("VmRSS")
	if err != nil {
		return err
	}
	start, used := now(), cpu()
	r, err := work()
	if err != nil {
		return err
	}
	peak, err := memoryMB("VmHWM")
	if err != nil {
		return err
	}
	r.Task, r.Seconds, r.CPU, r.MB = task, now().Sub(start).Seconds(), cpu()-used, peak-before
	return json.NewEncoder(out).Encode(r)
}

func runStream(out io.Writer, path string) error {
	debug.SetGCPercent(25) // a reader of Parquet leaves much behind
	return measured(out, "cox_streamed", func() (result, error) {
		names := make([]string, columns)
		for j := range names {
			names[j] = fmt.Sprintf("x%d", j+1)
		}
		fit, err := survival.FitCoxStream(&recordFile{path: path}, columns, names, survival.CoxOptions{})
		if err != nil {
			return result{}, err
		}
		return result{
			Answer: map[string]float64{"rows": float64(fit.Rows), "loglik_null": fit.LogLikNull, "loglik": fit.LogLik, "iterations": float64(fit.Iterations)},
			Coef:   fit.Coef, SE: fit.SE(),
		}, nil
	})
}

// personPeriods serves the first rows of d as person-periods, over and over:
// what a pass reads is made on the way.
type personPeriods struct {
	d            *survival.Data
	rows, copies int
}

// Pass implements [survival.Source].
func (s personPeriods) Pass(yield func(survival.Batch) error) error {
	d := s.d
	b := survival.Batch{X: make([]float64, batchRows*columns), Y: make([]float64, batchRows)}
	for range s.copies {
		for lo := 0; lo < s.rows; lo += batchRows {
			b.Rows = min(batchRows, s.rows-lo)
			b.X, b.Y = b.X[:b.Rows*columns], b.Y[:b.Rows]
			for j, c := range d.Columns {
				for i, v := range c[lo : lo+b.Rows] {
					b.X[i*columns+j] = v
				}
			}
			for i := range b.Y {
				b.Y[i] = 0
				if d.Event[lo+i] == 1 && d.Time[lo+i] < 8 {
					b.Y[i] = 1
				}
			}
			if err := yield(b); err != nil {
				return err
			}
			b.X, b.Y = b.X[:batchRows*columns], b.Y[:batchRows]
		}
	}
	return nil
}

func runPersonPeriods(out io.Writer, file string, copies int) error {
	d, err := read(file)
	if err != nil {
		return err
	}
	return measured(out, "cloglog_streamed", func() (result, error) {
		start := now()
		fit, err := survival.FitHazard(personPeriods{d, d.Rows(), copies}, columns, survival.HazardOptions{})
		if err != nil {
			return result{}, err
		}
		rows, passes := float64(fit.Rows), float64(fit.Passes)
		return result{Answer: map[string]float64{
			"rows": rows, "passes": passes, "rows_per_second_and_pass": rows * passes / now().Sub(start).Seconds(), "loglik": fit.LogLik,
		}, Coef: fit.Coef}, nil
	})
}

// runWarm fits the rows but the last hundredth, then all of them from there,
// and all of them from nothing.
func runWarm(out io.Writer, file string, copies int) error {
	d, err := read(file)
	if err != nil {
		return err
	}
	fit := func(rows int, start []float64) (*survival.Hazard, error) {
		return survival.FitHazard(personPeriods{d, rows, copies}, columns, survival.HazardOptions{Start: start})
	}
	return measured(out, "cloglog_warm", func() (result, error) {
		yesterday, err := fit(d.Rows()*99/100, nil)
		if err != nil {
			return result{}, err
		}
		warm, err := fit(d.Rows(), yesterday.Coef)
		if err != nil {
			return result{}, err
		}
		cold, err := fit(d.Rows(), nil)
		if err != nil {
			return result{}, err
		}
		apart := 0.0
		for j, b := range cold.Coef {
			apart = max(apart, math.Abs(warm.Coef[j]-b))
		}
		return result{Answer: map[string]float64{
			"rows": float64(warm.Rows), "passes": float64(warm.Passes), "passes_cold": float64(cold.Passes), "largest_difference": apart,
		}}, nil
	})
}
