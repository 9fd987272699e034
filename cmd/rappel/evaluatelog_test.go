package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// evaluateLog runs the command and returns its JSON and exit code.
func evaluateLog(t *testing.T, args ...string) (logAnswer, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(append([]string{"evaluate", "log", "--json"}, args...), &out, &errs)
	var a logAnswer
	if out.Len() > 0 {
		if err := json.Unmarshal(out.Bytes(), &a); err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
	}
	if code != 0 && errs.Len() == 0 {
		t.Fatalf("exit code %d and nothing said", code)
	}
	return a, code
}

func (a logAnswer) named(name string) logEstimate {
	for _, e := range a.Estimates {
		if e.Name == name {
			return e
		}
	}
	return logEstimate{Value: number(math.NaN())}
}

// feedback writes a log of n decisions as CSV: debtors by long numbers, three
// actions by name, the target given whole.
func feedback(t *testing.T, n int) string {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	b.WriteString("debtor,channel,kind,reward,propensity,t_email,t_sms,t_phone,new\n")
	actions := []string{"email", "sms", "phone"}
	target := []float64{0.2, 0.5, 0.3}
	for i := range n {
		a := rng.IntN(3)
		fmt.Fprintf(&b, "%d,%s,%s,%g,%.17g,0.2,0.5,0.3,%g\n", 9007199254740992+int64(i/2), actions[a], []string{"business", "consumer"}[i/2%2], float64(a)/4+rng.Float64()/2, 1.0/3, target[a])
	}
	path := filepath.Join(t.TempDir(), "log.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEvaluateLogReadsParquetAndLongKeys(t *testing.T) {
	path := feedback(t, 600)
	parquet := strings.TrimSuffix(path, ".csv") + ".parquet"
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "COPY (FROM '"+path+"') TO '"+parquet+"'"); err != nil {
		t.Fatal(err)
	}
	args := []string{"--action", "channel", "--reward", "reward", "--propensity", "propensity", "--target", "new", "--cluster", "debtor", "--bootstraps", "200"}
	a, code := evaluateLog(t, append(args, "--input", path)...)
	b, codeParquet := evaluateLog(t, append(args, "--input", parquet)...)
	if code != 0 || codeParquet != 0 || a.Clusters != 300 { // beyond 2⁵³ a float64 would join neighbours
		t.Fatalf("exit codes %d and %d, %d clusters, want 300", code, codeParquet, a.Clusters)
	}
	for k, e := range a.Estimates {
		if p := b.Estimates[k]; e.Value != p.Value || e.Lo != p.Lo || e.Hi != p.Hi {
			t.Errorf("%s is %v from CSV, %v from Parquet", e.Name, e, p)
		}
	}
}

// Three ways to say the same target: whole, recovered from the context, and
// predictions given.
func TestEvaluateLogTargets(t *testing.T) {
	path := feedback(t, 900)
	args := []string{"--input", path, "--action", "channel", "--reward", "reward", "--propensity", "propensity", "--bootstraps", "200", "--context", "kind"}
	whole, code := evaluateLog(t, append(args, "--target", "t_phone,t_email,t_sms")...)
	if code != 0 {
		t.Fatal("refused")
	}
	recovered, _ := evaluateLog(t, append(args, "--target", "new")...)
	if !strings.Contains(recovered.RewardModel, "each action") {
		t.Errorf("the target was not recovered from the context: %s", recovered.RewardModel)
	}
	for _, name := range []string{"ips", "snips", "dm", "dr"} {
		// actions are numbered differently, which only changes the order of sums
		if x, y := whole.named(name).Value, recovered.named(name).Value; math.Abs(float64(x-y)) > 1e-9 {
			t.Errorf("%s = %v whole, %v recovered", name, x, y)
		}
	}
	// truth: 0.5·1/4 + 0.3·2/4 + 1/4
	const truth = 0.525
	for _, name := range []string{"ips", "dr", "dm"} {
		if e := whole.named(name); !(float64(e.Lo) < truth && truth < float64(e.Hi)) {
			t.Errorf("%s: %v to %v misses %v", name, e.Lo, e.Hi, truth)
		}
	}
	given, _ := evaluateLog(t, append(args, "--target", "new", "--q", "reward,new")...)
	if e := given.named("dr"); math.Abs(float64(e.Value-given.named("dm").Value)) > 1e-12 {
		t.Errorf("with the reward itself as q, dr = %v and dm = %v", e.Value, given.named("dm").Value)
	}
	against, _ := evaluateLog(t, append(args, "--target", "new", "--against", "t_email,t_sms,t_phone")...)
	for _, e := range against.Comparison.Estimates {
		if math.Abs(float64(e.Value)) > 1e-9 || math.Abs(float64(*e.Better)-0.5) > 0.2 {
			t.Errorf("the same target against itself: %+v", e)
		}
	}
}

func TestEvaluateLogOfATargetNeverLogged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.csv")
	if err := os.WriteFile(path, []byte("a,r,p,t\n"+strings.Repeat("x,1,0.5,0\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--input", path, "--action", "a", "--reward", "r", "--propensity", "p", "--target", "t"}
	a, code := evaluateLog(t, args...)
	if code != 1 || a.Supported || a.UnsupportedMass != 1 || a.Reason == "" || len(a.Estimates) != 0 {
		t.Errorf("exit code %d, %+v, want a refusal", code, a)
	}
	if a, code = evaluateLog(t, append(args, "--force")...); code != 0 || !a.Forced || a.Supported || len(a.Estimates) == 0 {
		t.Errorf("forced: exit code %d, %+v", code, a)
	}
}

func TestEvaluateLogReportStandsAlone(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.html")
	if _, code := evaluateLog(t, "--input", feedback(t, 300), "--action", "channel", "--reward", "reward", "--propensity", "propensity", "--target", "new", "--slice", "kind", "--bootstraps", "200", "--html", report); code != 0 {
		t.Fatal("refused")
	}
	page, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{"http", "src=", "@import", "url(", "<script"} {
		if bytes.Contains(page, []byte(outside)) {
			t.Errorf("the report asks for something outside: %s", outside)
		}
	}
	if n := bytes.Count(page, []byte("<svg")); n != 6 {
		t.Errorf("%d charts, want values, difference, two sequences, slices and ratios", n)
	}
	if bytes.Contains(page, []byte("NaN")) || bytes.Contains(page, []byte("Inf")) {
		t.Error("the report draws something that is no number")
	}
}
