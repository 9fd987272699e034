package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// survivalReference returns the folder of survival's reference results.
// Without it a test is skipped, but never in CI.
func survivalReference(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("RAPPEL_REFERENCE")
	if dir == "" {
		dir = "../../../shared/reference"
	}
	dir = filepath.Join(dir, "survival")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("reference results are absent: %v", err)
		}
		t.Skip("reference results are absent: set RAPPEL_REFERENCE to their folder")
	}
	return dir
}

type survivalReport struct {
	N, Events int
	Null      float64 `json:"loglik_null"`
	LogLik    float64
	Coef      []struct {
		Name     string
		Coef, SE float64
		RobustSE float64 `json:"robust_se"`
	}
	Concordance struct{ C, SE, Concordant, Discordant float64 }
	Baseline    []struct{ Time, CumHaz, Survival float64 }
	Curves      []struct{ Time, Survival, Incidence, SE float64 }
}

func fitSurvival(t *testing.T, args ...string) survivalReport {
	t.Helper()
	var out bytes.Buffer
	c := newSurvivalCommand()
	c.SetArgs(append([]string{"fit", "--json"}, args...))
	c.SetOut(&out)
	if err := c.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var r survivalReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	return r
}

func TestSurvivalFitReadsWhatRReads(t *testing.T) {
	dir := survivalReference(t)
	raw, err := os.ReadFile(filepath.Join(dir, "reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ref map[string]json.RawMessage
	if err := json.Unmarshal(raw, &ref); err != nil {
		t.Fatal(err)
	}
	type want struct {
		Coef, SE []float64
		RobustSE []float64 `json:"robust_se"`
		Null     float64   `json:"loglik_null"`
		LogLik   float64
		Baseline struct{ Times, CumHaz, Surv []float64 } `json:"baseline_x0"`
	}
	tests := []struct {
		id, ties string
		args     []string
	}{
		{"rossi", "efron", []string{"--input", dir + "/data/rossi.csv", "--duration", "week", "--event", "arrest", "--covariates", "fin,age,race,wexp,mar,paro,prio"}},
		{"rossi", "breslow", []string{"--ties", "breslow", "--input", dir + "/data/rossi.csv", "--duration", "week", "--event", "arrest", "--covariates", "fin,age,race,wexp,mar,paro,prio"}},
		{"heart_startstop", "efron", []string{"--input", dir + "/data/heart.csv", "--entry", "start", "--duration", "stop", "--event", "event", "--covariates", "age,year,surgery,transplant", "--cluster", "id"}},
		{"lung", "efron", []string{"--input", dir + "/data/lung.csv", "--duration", "time", "--event", "status", "--covariates", "age,sex,ph.ecog"}},
	}
	for _, tc := range tests {
		t.Run(tc.id+"/"+tc.ties, func(t *testing.T) {
			var byTies map[string]json.RawMessage
			if err := json.Unmarshal(ref[tc.id], &byTies); err != nil {
				t.Fatal(err)
			}
			var w want
			if err := json.Unmarshal(byTies[tc.ties], &w); err != nil {
				t.Fatal(err)
			}
			got := fitSurvival(t, tc.args...)
			close := func(what string, a, b float64) {
				t.Helper()
				if math.Abs(a-b) > 1e-8*math.Abs(b) {
					t.Errorf("%s = %.12g, want %.12g", what, a, b)
				}
			}
			close("null", got.Null, w.Null)
			close("loglik", got.LogLik, w.LogLik)
			for j, c := range got.Coef {
				close(c.Name, c.Coef, w.Coef[j])
				close(c.Name+" se", c.SE, w.SE[j])
				close(c.Name+" robust se", c.RobustSE, w.RobustSE[j])
			}
			for k, at := range w.Baseline.Times {
				h := 0.0
				for _, b := range got.Baseline {
					if b.Time <= at {
						h = b.CumHaz
					}
				}
				close("baseline", h, w.Baseline.CumHaz[k])
			}
		})
	}
}

func TestSurvivalFitExpandsPeriods(t *testing.T) {
	dir := survivalReference(t)
	got := fitSurvival(t, "--input", dir+"/data/rossi.csv", "--duration", "week", "--event", "arrest",
		"--covariates", "fin,age,race,wexp,mar,paro,prio", "--model", "cloglog", "--band", "4")
	// glm of R on the same person-weeks; see reference.R, discrete_time_rossi_cloglog.
	if len(got.Coef) != 20 || math.Abs(got.LogLik+678.197933314134) > 1e-7 || math.Abs(got.Coef[0].Coef+4.98748837679518) > 1e-7 {
		t.Errorf("log-likelihood %v, first of %d coefficients %+v", got.LogLik, len(got.Coef), got.Coef[0])
	}
	if got.N != 432 || got.Events != 114 {
		t.Errorf("%d rows, %d events", got.N, got.Events)
	}
}

// The same rows as quoted CSV and as Parquet with every type that numbers and
// labels come in.
func TestSurvivalFitReadsEveryType(t *testing.T) {
	dir := t.TempDir()
	parquet, csv := filepath.Join(dir, "rows.parquet"), filepath.Join(dir, "rows.csv")
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const rows = `SELECT i::INTEGER AS days, (i * 7 % 5 <> 0) AS paid, (i * 37 % 11)::DECIMAL(18,2) AS "the ""amount"", €",
		(i % 4 = 0) AS big, DATE '2024-01-01' + (i * 5 % 17)::INTEGER AS due, TIMESTAMP '2024-01-01' + to_hours(i * 53 % 71) AS seen,
		['b', 'a', 'c, "d"'][1 + i % 3] AS label, (i * 3 % 7)::UTINYINT AS tiny,
		CASE WHEN i = 9 THEN NULL ELSE i * i % 13 END AS holes FROM range(1, 61) t(i)`
	for _, q := range []string{
		"CREATE TYPE letters AS ENUM ('a', 'b', 'c, \"d\"')",
		"COPY (SELECT * REPLACE (label::letters AS label) FROM (" + rows + ")) TO '" + parquet + "' (FORMAT parquet)",
		"COPY (" + rows + ") TO '" + csv + "' (HEADER, FORCE_QUOTE *)",
	} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	fit := func(file string) survivalReport {
		return fitSurvival(t, "--input", file, "--duration", "days", "--event", "paid", "--covariates", `"the ""amount"", €",big,due,seen,label,tiny,holes`)
	}
	a, b := fit(parquet), fit(csv)
	names := []string{`the "amount", €`, "big", "due", "seen", "labelb", `labelc, "d"`, "tiny", "holes"}
	if len(a.Coef) != len(names) || len(b.Coef) != len(names) || a.N != 59 || b.N != 59 {
		t.Fatalf("%d and %d coefficients of %d and %d rows, want %d of 59", len(a.Coef), len(b.Coef), a.N, b.N, len(names))
	}
	for j, name := range names {
		if a.Coef[j].Name != name || b.Coef[j].Name != name || math.Abs(a.Coef[j].Coef-b.Coef[j].Coef) > 1e-9 {
			t.Errorf("coefficient %d is %+v of Parquet, %+v of CSV, want %s", j, a.Coef[j], b.Coef[j], name)
		}
	}
}

// A spreadsheet of these countries writes 1,5 and divides by semicolons.
func TestSurvivalFitReadsDecimalCommas(t *testing.T) {
	dir := t.TempDir()
	points, commas := filepath.Join(dir, "points.csv"), filepath.Join(dir, "commas.csv")
	text := "days,paid,size,place\n1.5,1,0.25,Gent\n2,0,1.5,Mons\n3.25,1,2,Gent\n4,1,0.1,Mons\n5,0,3,Gent\n7.75,1,1.25,Mons\n"
	for path, text := range map[string]string{points: text, commas: strings.NewReplacer(",", ";", ".", ",").Replace(text)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--duration", "days", "--event", "paid", "--covariates", "size,place"}
	want := fitSurvival(t, append([]string{"--input", points}, args...)...)
	got := fitSurvival(t, append([]string{"--input", commas}, args...)...)
	if len(got.Coef) != 2 || !reflect.DeepEqual(got.Coef, want.Coef) || got.LogLik != want.LogLik {
		t.Errorf("%+v, with points %+v", got.Coef, want.Coef)
	}
}

// Periods in which nobody is at risk, as before the first entry, have no
// hazard: without them the fit is the same.
func TestSurvivalFitLeavesOutEmptyPeriods(t *testing.T) {
	dir := t.TempDir()
	fit := func(shift int, args ...string) survivalReport {
		var csv strings.Builder
		csv.WriteString("from,to,paid,size\n")
		for i := range 60 {
			fmt.Fprintf(&csv, "%d,%d,%d,%d\n", shift+i%3, shift+3+i*7%13, min(1, i%4), i*37%11)
		}
		path := filepath.Join(dir, fmt.Sprintf("%d.csv", shift))
		if err := os.WriteFile(path, []byte(csv.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return fitSurvival(t, append([]string{"--input", path, "--entry", "from", "--duration", "to", "--event", "paid", "--covariates", "size", "--model", "cloglog"}, args...)...)
	}
	early, late := fit(0, "--band", "5"), fit(100, "--band", "5")
	if len(early.Coef) != len(late.Coef) || math.Abs(early.LogLik-late.LogLik) > 1e-9 {
		t.Fatalf("log-likelihood %v of %d coefficients, a hundred periods later %v of %d", early.LogLik, len(early.Coef), late.LogLik, len(late.Coef))
	}
	for j, c := range early.Coef {
		if math.Abs(c.Coef-late.Coef[j].Coef) > 1e-9 {
			t.Errorf("%s is %v, a hundred periods later %s is %v", c.Name, c.Coef, late.Coef[j].Name, late.Coef[j].Coef)
		}
	}
}
