package survival

import (
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// referenceDir returns the folder of reference results, which are not part of
// the repository. Without it a test is skipped, but never in CI.
func referenceDir(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("RAPPEL_REFERENCE")
	if dir == "" {
		wd, err := os.Getwd()
		if err != nil {
			tb.Fatal(err)
		}
		for d := wd; d != filepath.Dir(d); d = filepath.Dir(d) {
			c := filepath.Join(d, "..", "shared", "reference")
			if _, err := os.Stat(c); err == nil {
				dir = c
				break
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "survival", "reference.json")); err != nil || dir == "" {
		if os.Getenv("CI") != "" {
			tb.Fatalf("reference results are absent (RAPPEL_REFERENCE=%q); they are required in CI", dir)
		}
		tb.Skip("reference results are absent: set RAPPEL_REFERENCE to their folder")
	}
	return dir
}

// table is a CSV file by column, as text.
type table struct {
	n    int
	text map[string][]string
}

func readTable(tb testing.TB, name string) *table {
	tb.Helper()
	f, err := os.Open(filepath.Join(referenceDir(tb), "survival", "data", name))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	recs, err := csv.NewReader(f).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	d := &table{n: len(recs) - 1, text: map[string][]string{}}
	for j, name := range recs[0] {
		col := make([]string, d.n)
		for i := range col {
			col[i] = recs[i+1][j]
		}
		d.text[name] = col
	}
	return d
}

// num returns a column as numbers, NaN where the field is empty.
func (d *table) num(name string) []float64 {
	out := make([]float64, d.n)
	for i, s := range d.text[name] {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			v = math.NaN()
		}
		out[i] = v
	}
	return out
}

// where returns the rows for which keep holds.
func (d *table) where(keep func(i int) bool) *table {
	out := &table{text: map[string][]string{}}
	for i := range d.n {
		if keep(i) {
			out.n++
			for k, col := range d.text {
				out.text[k] = append(out.text[k], col[i])
			}
		}
	}
	return out
}

// set adds a column of numbers.
func (d *table) set(name string, v []float64) {
	col := make([]string, d.n)
	for i := range col {
		col[i] = strconv.FormatFloat(v[i], 'g', -1, 64)
	}
	d.text[name] = col
}

// matrix returns columns side by side, row-major.
func (d *table) matrix(names ...string) []float64 {
	x := make([]float64, d.n*len(names))
	for j, name := range names {
		for i, v := range d.num(name) {
			x[i*len(names)+j] = v
		}
	}
	return x
}

// reference holds the results of R by case.
type reference map[string]json.RawMessage

// casesRead are the cases that tests have asked for.
var casesRead sync.Map

// of returns a case.
func (r reference) of(id string) json.RawMessage {
	casesRead.Store(id, true)
	return r[id]
}

func readReference(tb testing.TB, file string) reference {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(referenceDir(tb), "survival", file))
	if err != nil {
		tb.Fatal(err)
	}
	var m reference
	if err := json.Unmarshal(b, &m); err != nil {
		tb.Fatal(err)
	}
	delete(m, "meta")
	delete(m, "interval_columns") // names of the columns of aft_interval_diabetes
	return m
}

// TestMain fails where all tests ran and one of R's results was not asked for.
func TestMain(m *testing.M) {
	code := m.Run()
	whole := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == ""
	if raw, err := os.ReadFile(filepath.Join(os.Getenv("RAPPEL_REFERENCE"), "survival", "reference.json")); err == nil && code == 0 && whole {
		var all reference
		if err := json.Unmarshal(raw, &all); err != nil {
			panic(err)
		}
		for id := range all {
			if _, ok := casesRead.Load(id); !ok && id != "meta" && id != "interval_columns" {
				fmt.Printf("no test asked for the case %s of reference.json\n", id)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// The table of docs/survival.md names every case of reference.json, and none
// that is not there.
func TestTheTableNamesEveryCase(t *testing.T) {
	raw, err := os.ReadFile("../../docs/survival.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(raw), "| case of `reference.json` |")
	table, _, _ = strings.Cut(table, "\n\n")
	named := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for k, id := range strings.Split(cells[1], "`") {
			if k%2 == 1 {
				named[id] = true
			}
		}
	}
	ref := readReference(t, "reference.json")
	for id := range ref {
		if !named[id] {
			t.Errorf("the table does not name %s", id)
		}
	}
	for id := range named {
		if ref[id] == nil && id != "cox_zph" {
			t.Errorf("the table names %s, which is no case", id)
		}
	}
}

func decode[T any](tb testing.TB, raw json.RawMessage) T {
	tb.Helper()
	var v T
	if err := json.Unmarshal(raw, &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

// relDiff is |got−want| relative to |want|, or to 1 where want is smaller
// than floor.
func relDiff(got, want, floor float64) float64 {
	return math.Abs(got-want) / max(math.Abs(want), floor)
}

// near reports every value off by more than tol, relative to want but never
// to less than floor.
func near(tb testing.TB, what string, got, want []float64, tol, floor float64) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	for i := range want {
		if d := relDiff(got[i], want[i], floor); !(d <= tol) {
			tb.Errorf("%s[%d] = %.15g, want %.15g (off by %.2g, allowed %.2g)", what, i, got[i], want[i], d, tol)
		}
	}
}
