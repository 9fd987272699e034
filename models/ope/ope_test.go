package ope_test

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"rappel/models/ope"
)

// reference returns a file of the reference data. Without that data the test
// is skipped, except in CI, where it fails.
func reference(t *testing.T, name string) string {
	t.Helper()
	roots := []string{os.Getenv("RAPPEL_REFERENCE")}
	if roots[0] == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
			roots = append(roots, filepath.Join(dir, "shared", "reference"))
		}
	}
	for _, root := range roots {
		path := filepath.Join(root, name)
		if _, err := os.Stat(path); root != "" && err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("reference data %s is absent; set RAPPEL_REFERENCE", name)
	}
	t.Skipf("reference data %s is absent; set RAPPEL_REFERENCE", name)
	return ""
}

func readLog(t *testing.T, path string) *ope.Log {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) float64 {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	l := &ope.Log{}
	for _, row := range rows[1:] { // timestamp, item_id, position, click, propensity, target
		l.Reward = append(l.Reward, number(row[3]))
		l.Propensity = append(l.Propensity, number(row[4]))
		l.Target = append(l.Target, number(row[5]))
	}
	return l
}

// The values are Open Bandit Pipeline's, rounded to nine decimals in the
// README of the reference data, so agreement to 1e-9 is all that can be asked.
func TestOpenBanditReference(t *testing.T) {
	for _, c := range []struct {
		file               string
		ips, snips         float64
		largest, effective float64
	}{
		{"obd/men_r2b.csv", .004533560, .004604232, 10.69, 2467},
		{"obd/men_b2r.csv", .003008626, .003189423, 178.3, 656},
	} {
		l := readLog(t, reference(t, c.file))
		cfg := ope.DefaultConfig()
		cfg.Interval = ope.Delta
		got, err := ope.Evaluate(l, cfg)
		if err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		want := map[string]float64{ope.IPS: c.ips, ope.SNIPS: c.snips}
		for _, e := range got.Estimates {
			if v, ok := want[e.Name]; ok && math.Abs(e.Value-v) > 1e-9 {
				t.Errorf("%s: %s = %.12f, want %.9f", c.file, e.Name, e.Value, v)
			}
		}
		if s := got.Support; math.Abs(s.MaxWeight/c.largest-1) > 5e-3 || math.Round(s.ESS) != c.effective {
			t.Errorf("%s: largest weight %v and effective sample size %v, want %v and %v", c.file, s.MaxWeight, s.ESS, c.largest, c.effective)
		}
	}
}
