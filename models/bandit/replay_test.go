package bandit

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func records(t *testing.T, text string) [][]string {
	t.Helper()
	out, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExamples(t *testing.T) {
	root := math.Sqrt(1.5) // standardises 1, 2, 3
	cases := []struct {
		name, text, label string
		classes           []string
		rows              [][]float64
	}{
		{
			"header, numbers and words", "size,colour,kind\n1,red,b\n2,blue,a\n3,red,a\n", "kind",
			[]string{"a", "b"},
			[][]float64{{-root, 1, 0}, {0, 0, 1}, {root, 1, 0}},
		},
		{
			"no header, label by number", "b,1\na,2\na,3\n", "1",
			[]string{"a", "b"},
			[][]float64{{-root}, {0}, {root}},
		},
		{
			"no header, label by its usual name", "b,1\na,2\na,3\n", "label",
			[]string{"a", "b"},
			[][]float64{{-root}, {0}, {root}},
		},
		{
			"last column, missing number, constant column", "1,7,b\n?,7,a\n3,7,a\n", "-1",
			[]string{"a", "b"},
			[][]float64{{-root * math.Sqrt(2./3)}, {0}, {root * math.Sqrt(2./3)}},
		},
		{
			"header with the label's name among numbers", "0,1,kind\n1,7,b\n2,7,a\n3,7,a\n", "kind",
			[]string{"a", "b"},
			[][]float64{{-root}, {0}, {root}},
		},
		{
			"labels missing, whole numbers as classes", "x,class\n1,10\n2,2\n3,2\n9,\n9,?\n", "class",
			[]string{"10", "2"},
			[][]float64{{-root}, {0}, {root}},
		},
		{
			"missing in many words, infinity", "b,1\na,null\na,3\na,inf\n", "1",
			[]string{"a", "b"},
			[][]float64{{-1}, {0}, {1}, {0}},
		},
		{
			"words alone are no header if they recur", "red,b\nred,a\nblue,a\n", "2",
			[]string{"a", "b"},
			[][]float64{{1, 0}, {1, 0}, {0, 1}},
		},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			got, err := NewExamples(records(t, k.text), k.label)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Classes, k.classes) {
				t.Errorf("classes %q, want %q", got.Classes, k.classes)
			}
			if want := []int32{1, 0, 0}; len(k.classes) == 2 && k.classes[0] == "a" && !slices.Equal(got.Label[:2], want[:2]) {
				t.Errorf("labels %v, want %v", got.Label, want)
			}
			for i := range k.rows {
				if !slices.EqualFunc(got.Rows[i], k.rows[i], func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
					t.Errorf("row %d = %v, want %v", i, got.Rows[i], k.rows[i])
				}
			}
		})
	}
}

func TestExamplesRefusesWhatCannotBePlayed(t *testing.T) {
	for _, k := range []struct{ name, text, label string }{
		{"nothing", "", "1"},
		{"a header alone", "size,kind\n", "kind"},
		{"unknown column", "size,kind\n1,a\n2,b\n", "colour"},
		{"column out of range", "1,a\n2,b\n", "3"},
		{"column before the first", "1,a\n2,b\n", "-3"},
		{"a name without a header", "1,a\n2,b\n", "kind"},
		{"one class", "1,a\n2,a\n", "2"},
	} {
		t.Run(k.name, func(t *testing.T) {
			if _, err := NewExamples(records(t, k.text), k.label); !errors.Is(err, ErrExamples) {
				t.Errorf("error %v, want %v", err, ErrExamples)
			}
		})
	}
	if _, err := NewExamples([][]string{{"1", "a"}, {"2"}}, "1"); !errors.Is(err, ErrExamples) {
		t.Errorf("ragged rows: error %v, want %v", err, ErrExamples)
	}
}

func FuzzExamples(f *testing.F) {
	f.Add("size,kind\n1,a\n2,b\n", "kind")
	f.Add("1,?,x\n2,NA,y\n", "-1")
	f.Add("1e308,a\n-1e308,b\nInf,c\n", "2")
	f.Add("1e308,a\n1e308,b\n", "2")
	f.Fuzz(func(t *testing.T, text, label string) {
		table, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			return
		}
		e, err := NewExamples(table, label)
		if err != nil {
			return
		}
		for _, row := range e.Rows {
			for _, v := range row {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					t.Fatalf("feature %v", v)
				}
			}
		}
		if _, err := Replay(e, "linucb", 1, 0); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReplayIsFixedBySeedAndShuffle(t *testing.T) {
	e := rings(300)
	for _, name := range Learners() {
		first, err := Replay(e, name, 7, 3)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Replay(e, name, 7, 3)
		if first != again {
			t.Errorf("%s loses %v, then %v", name, first, again)
		}
		if first > 0.5 { // three classes; a guess is wrong two times in three
			t.Errorf("%s loses %v: it learns nothing", name, first)
		}
	}
	if _, err := Replay(e, "oracle", 1, 0); !errors.Is(err, ErrConfig) {
		t.Errorf("unknown learner: error %v, want %v", err, ErrConfig)
	}
}

// rings returns n points in three directions of the plane.
func rings(n int) Examples {
	e := Examples{Classes: []string{"a", "b", "c"}}
	rng := Stream(1, "rings")
	for i := range n {
		class := int32(i % 3)
		angle := 2 * math.Pi * float64(class) / 3
		e.Label = append(e.Label, class)
		e.Rows = append(e.Rows, []float64{math.Cos(angle) + 0.3*rng.NormFloat64(), math.Sin(angle) + 0.3*rng.NormFloat64()})
	}
	return e
}

// The best learner is at or below the best of the reference on every file.
func TestReplayOfReferenceFiles(t *testing.T) {
	for _, k := range []struct {
		file  string
		reach float64 // best of the table in the README of the reference
	}{
		{"ecoli_shuffled.csv", 0.557},
		{"mushroom_shuffled.csv", 0.005},
		{"satimage_shuffled.csv.gz", 0.387},
		{"pendigits_shuffled.csv", 0.327},
	} {
		t.Run(k.file, func(t *testing.T) {
			e, err := NewExamples(readReference(t, "uci", k.file), "label")
			if err != nil {
				t.Fatal(err)
			}
			// The reference takes ten shuffles; three tell as much here, where
			// shuffles differ by less than a tenth of the distance to reach.
			const shuffles = 3
			for _, name := range []string{"greedy", "linucb"} {
				loss := 0.0
				for i := range shuffles {
					l, err := Replay(e, name, 1, i)
					if err != nil {
						t.Fatal(err)
					}
					loss += l / shuffles
				}
				t.Logf("%s loses %.4f", name, loss)
				if loss > k.reach {
					t.Errorf("%s loses %.4f, want at most %.3f", name, loss, k.reach)
				}
			}
		})
	}
}

// readReference returns the records of a reference file. Without the reference
// the test is skipped, in CI it fails.
func readReference(t *testing.T, elements ...string) [][]string {
	t.Helper()
	dir := os.Getenv("RAPPEL_REFERENCE")
	for up := ".."; dir == "" && len(up) < 30; up = filepath.Join(up, "..") {
		candidate := filepath.Join(up, "shared", "reference")
		if _, err := os.Stat(candidate); err == nil {
			dir = candidate
		}
	}
	path := filepath.Join(append([]string{dir}, elements...)...)
	file, err := os.Open(path)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("reference data is absent; set RAPPEL_REFERENCE: %v", err)
		}
		t.Skipf("reference data is absent; set RAPPEL_REFERENCE: %v", err)
	}
	defer file.Close()
	var in io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(file); err != nil {
			t.Fatal(err)
		}
	}
	out, err := csv.NewReader(in).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
