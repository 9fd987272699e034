package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
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

// runStream runs `rappel survival fit --stream` on the file and prints its time
// and its peak memory above that of a rappel which only prints its help.
func runStream(ctx context.Context, out io.Writer, rappel, path string) error {
	run := func(args ...string) ([]byte, *os.ProcessState, error) {
		c := exec.CommandContext(ctx, rappel, args...) //nolint:gosec // the program and the file are the caller's
		c.Stderr = os.Stderr
		answer, err := c.Output()
		return answer, c.ProcessState, err
	}
	peak := func(p *os.ProcessState) float64 { return float64(p.SysUsage().(*syscall.Rusage).Maxrss) / 1024 }
	_, idle, err := run("survival", "fit", "--help")
	if err != nil {
		return err
	}
	args := []string{"survival", "fit", "--stream", "--json", "--input", path, "--duration", "time", "--event", "status", "--predict", "60", "--covariates", "x1"}
	for j := 2; j <= columns; j++ {
		args[len(args)-1] += fmt.Sprintf(",x%d", j)
	}
	start := now()
	answer, state, err := run(args...)
	if err != nil {
		return err
	}
	r := result{Task: "cox_streamed", Seconds: now().Sub(start).Seconds(), CPU: (state.UserTime() + state.SystemTime()).Seconds(), MB: peak(state) - peak(idle)}
	var fit struct {
		N          float64
		Iterations float64
		Null       float64 `json:"loglik_null"`
		LogLik     float64
		Coef       []struct{ Coef, SE float64 }
	}
	if err := json.Unmarshal(answer, &fit); err != nil {
		return err
	}
	r.Answer = map[string]float64{"rows": fit.N, "loglik_null": fit.Null, "loglik": fit.LogLik, "iterations": fit.Iterations}
	for _, c := range fit.Coef {
		r.Coef, r.SE = append(r.Coef, c.Coef), append(r.SE, c.SE)
	}
	return json.NewEncoder(out).Encode(r)
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
