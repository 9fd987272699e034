package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"rappel/models/survival"
)

// writeBills writes n rows with every kind of column that a fit takes: Parquet,
// an Arrow file or an Arrow stream, by the end of the name.
func writeBills(t *testing.T, path string, n int) {
	t.Helper()
	dictionary := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "days", Type: arrow.PrimitiveTypes.Int32},
		{Name: "paid", Type: arrow.FixedWidthTypes.Boolean},
		{Name: "from", Type: arrow.PrimitiveTypes.Float64},
		{Name: "amount", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "age", Type: arrow.PrimitiveTypes.Uint8},
		{Name: "sector", Type: arrow.BinaryTypes.String},
		{Name: "region", Type: dictionary},
		{Name: "weight", Type: arrow.PrimitiveTypes.Float32},
		{Name: "offset", Type: arrow.PrimitiveTypes.Float64},
		{Name: "code", Type: arrow.PrimitiveTypes.Int16},
		{Name: "due", Type: arrow.FixedWidthTypes.Date32},
	}, nil)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var w interface {
		Write(arrow.RecordBatch) error
		Close() error
	}
	switch filepath.Ext(path) {
	case ".parquet":
		w, err = pqarrow.NewFileWriter(schema, struct{ io.Writer }{f}, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	case ".arrow":
		w, err = ipc.NewFileWriter(f, ipc.WithSchema(schema))
	default:
		w = ipc.NewWriter(f, ipc.WithSchema(schema))
	}
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range n {
		days := 3 + (i*37+i*i%101)%60
		b.Field(0).(*array.Int32Builder).Append(int32(days))
		b.Field(1).(*array.BooleanBuilder).Append(i*7%5 != 0)
		b.Field(2).(*array.Float64Builder).Append(float64(days - 1 - i%days))
		if amount := float64(i * 53 % 211); i%97 == 5 {
			b.Field(3).(*array.Float64Builder).AppendNull()
		} else {
			b.Field(3).(*array.Float64Builder).Append(amount)
		}
		b.Field(4).(*array.Uint8Builder).Append(uint8(i * i % 91))
		b.Field(5).(*array.StringBuilder).Append([]string{"retail", "food", "building"}[i*i%7%3])
		if err := b.Field(6).(*array.BinaryDictionaryBuilder).AppendString([]string{"north", "east"}[i*3%11%2]); err != nil {
			t.Fatal(err)
		}
		b.Field(7).(*array.Float32Builder).Append([]float32{1, 0.5, 2, 0}[i%4])
		b.Field(8).(*array.Float64Builder).Append(float64(i%5) / 10)
		b.Field(9).(*array.Int16Builder).Append(int16(1 + i*7%5%2))
		b.Field(10).(*array.Date32Builder).Append(arrow.Date32(19000 + i*5%17))
		if (i+1)%2000 == 0 || i == n-1 {
			rec := b.NewRecordBatch()
			err := w.Write(rec)
			rec.Release()
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// printed runs the command and returns what it prints.
func printed(t *testing.T, args ...string) (map[string]any, error) {
	t.Helper()
	var out bytes.Buffer
	c := newSurvivalCommand()
	c.SetArgs(append([]string{"fit", "--json"}, args...))
	c.SetOut(&out)
	c.SilenceUsage, c.SilenceErrors = true, true
	if err := c.ExecuteContext(t.Context()); err != nil {
		return nil, err
	}
	var r map[string]any
	return r, json.Unmarshal(out.Bytes(), &r)
}

// alike reports the first place where two values of JSON differ by more than
// rounding of sums in another order, which curves far from the data magnify.
func alike(t *testing.T, path string, got, want any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		if len(g) != len(w) {
			t.Fatalf("%s: %d fields, want %d", path, len(g), len(w))
		}
		for k := range w {
			alike(t, path+"/"+k, g[k], w[k])
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			t.Fatalf("%s: %d values, want %d", path, len(g), len(w))
		}
		for k := range w {
			alike(t, fmt.Sprint(path, "/", k), g[k], w[k])
		}
	case float64:
		if g, ok := got.(float64); !ok || math.Abs(g-w) > 1e-8*max(math.Abs(w), 1e-3) {
			t.Fatalf("%s = %v, want %v", path, got, want)
		}
	default:
		if got != want {
			t.Fatalf("%s = %v, want %v", path, got, want)
		}
	}
}

func TestSurvivalFitInPassesIsTheFit(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{}
	for _, kind := range []string{"parquet", "arrow", "stream"} {
		files[kind] = filepath.Join(dir, "bills."+kind)
		writeBills(t, files[kind], 6000)
	}
	for name, args := range map[string][]string{
		"plain":       {"--covariates", "amount,age"},
		"text":        {"--covariates", "age,sector,region,due", "--ties", "breslow"},
		"all at once": {"--covariates", "amount,age", "--entry", "from", "--weights", "weight", "--offset", "offset", "--strata", "region,sector", "--predict", "0,7,7.5,59,900", "--robust"},
		"penalties":   {"--covariates", "amount,age", "--l1", "20", "--l2", "3", "--strata", "region"},
		"curves only": {"--strata", "region"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append(args, "--duration", "days", "--event", "paid")
			if name == "text" {
				args[len(args)-1] = "code" // of 1 and 2
			}
			want, err := printed(t, append(args, "--input", files["parquet"])...)
			if err != nil {
				t.Fatal(err)
			}
			delete(want, "concordance") // these two need all rows at once
			delete(want, "proportionality")
			delete(want, "kkt") // what rounding leaves of zero
			for kind, file := range files {
				got, err := printed(t, append(args, "--stream", "--input", file)...)
				if err != nil {
					t.Fatal(err)
				}
				delete(got, "kkt")
				alike(t, kind, got, want)
			}
		})
	}
}

func TestSurvivalFitInPassesRefusesByName(t *testing.T) {
	dir := t.TempDir()
	file, csv := filepath.Join(dir, "bills.arrow"), filepath.Join(dir, "bills.csv")
	writeBills(t, file, 500)
	if err := os.WriteFile(csv, []byte("days,paid\n1,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ args, want string }{
		{"--model km", "--model km is not for --stream"},
		{"--ties exact", "--ties exact is not for --stream"},
		{"--cluster sector", "--cluster is not for --stream"},
		{"--on-separation firth", "--on-separation firth is not for --stream"},
		{"--covariates colour", `no column "colour"; it has days, paid`},
		{"--weights sector", "column sector is text, a number is needed"},
		{"--event age", "name the event with --cause"},
		{"--entry days", "row 1 (3): entry is not before exit"},
		{"--covariates paid", ""},
		{"--input " + csv, "neither Parquet nor Arrow IPC"},
		{"--stream=false", "is an Arrow IPC file: it is read with --stream"},
	} {
		args := append([]string{"--input", file, "--duration", "days", "--event", "paid", "--stream"}, strings.Fields(tc.args)...)
		got, err := printed(t, args...)
		if tc.want == "" {
			if w := fmt.Sprint(got["warnings"]); err != nil || !strings.Contains(w, "column paid: column separates events from the rest") {
				t.Errorf("%s: %v, warnings %s", tc.args, err, w)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.args, err, tc.want)
		}
	}
}

// weighed asks, now and then, how much memory is in use.
type weighed struct {
	survival.CoxSource
	most *uint64
}

func (w weighed) Pass(yield func(survival.CoxBatch) error) error {
	batches := 0
	return w.CoxSource.Pass(func(b survival.CoxBatch) error {
		if batches++; batches%4 == 1 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			*w.most = max(*w.most, m.HeapAlloc)
		}
		return yield(b)
	})
}

// Four times the rows take the same memory: what stays after a collection, in
// the midst of every pass.
func TestMemoryOfAFitInPassesDoesNotGrowWithRows(t *testing.T) {
	dir := t.TempDir()
	for _, kind := range []string{"parquet", "arrow"} {
		most := map[int]uint64{}
		for _, n := range []int{40_000, 160_000} {
			o := survivalOptions{
				input: filepath.Join(dir, fmt.Sprint(n, ".", kind)), duration: "days", event: "paid", entry: "from",
				covariates: []string{"amount", "age", "sector"}, strata: []string{"region"}, stream: true,
			}
			writeBills(t, o.input, n)
			s, in, err := o.openStream(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			var peak uint64
			fit, err := survival.FitCoxStream(weighed{s, &peak}, s.p, in.data.Names, survival.CoxOptions{Robust: true, MaxIter: 1})
			if err != nil {
				t.Fatal(err)
			}
			if want := n - n/97; fit.Rows < want-1 || fit.Rows > want {
				t.Errorf("%d of %d rows", fit.Rows, n)
			}
			most[n] = peak
		}
		// Six numbers a row of 120,000 more would be 6 MB.
		if more := int64(most[160_000]) - int64(most[40_000]); more > 1<<20 {
			t.Errorf("%s: %d bytes more for four times the rows", kind, more)
		}
	}
}
