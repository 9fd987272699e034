package main

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// evaluateLog runs the command and returns its JSON and exit code.
func evaluateLog(t *testing.T, args ...string) (answer, int) {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(append([]string{"evaluate", "log", "--json"}, args...), &out, &errs)
	var a answer
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

func (a answer) named(name string) estimate {
	for _, e := range a.Estimates {
		if e.Name == name {
			return e
		}
	}
	return estimate{Value: number(math.NaN())}
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

// Predictions per action are matched to the target's columns by the actions that
// both name, whatever their order.
func TestEvaluateLogPredictionsByName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log.csv")
	rows := strings.Repeat("x,1,0.5,0.5,0.5,0,1\ny,0,0.5,0.5,0.5,0,1\n", 60)
	if err := os.WriteFile(path, []byte("a,r,p,t_x,t_y,q_y,q_x\n"+rows), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--input", path, "--action", "a", "--reward", "r", "--propensity", "p", "--target", "t_*", "--interval", "delta"}
	a, code := evaluateLog(t, append(args, "--q", "q_*")...)
	if dr := a.named("dr"); code != 0 || dr.Value != 0.5 || dr.SE != 0 { // right predictions leave no noise
		t.Errorf("exit code %d, dr %+v", code, dr)
	}
	for flag, says := range map[string]string{"q_x": "--q has 1 columns, --target 2", "n_*": `no column "n_*"; it has a, r, p, t_x`} {
		var out, errs bytes.Buffer
		if code := run(append([]string{"evaluate", "log", "--q", flag}, args...), &out, &errs); code == 0 || !strings.Contains(errs.String(), says) {
			t.Errorf("--q %s: exit code %d, %s, want %q", flag, code, errs.String(), says)
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
	short, _ := evaluateLog(t, append(args, "--target", "t_*")...)
	if x, y := whole.named("dr").Value, short.named("dr").Value; math.Abs(float64(x-y)) > 1e-9 || short.Target != "t_*" {
		t.Errorf("dr = %v by the names of the columns, %v by their pattern %q", x, y, short.Target)
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

// The reference values of two campaigns, and the shapes that such files come in:
// other names and orders of columns, an index, other separators, compressed
// whatever the name. A log that cannot be read is answered with why.
func TestEvaluateLogShapes(t *testing.T) {
	open := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(obdReference(t), name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	write := func(name string, text []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	zipped := func(text []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	r2b := open("men_r2b.csv")
	var turned strings.Builder // an index without a name first, the columns backwards and divided by semicolons
	for i, line := range strings.Split(strings.TrimSpace(string(r2b)), "\n") {
		cells := append(strings.Split(strings.TrimSpace(line), ","), strconv.Itoa(i-1))
		if i == 0 {
			cells[len(cells)-1] = ""
		}
		slices.Reverse(cells)
		turned.WriteString(strings.Join(cells, ";") + "\n")
	}
	args := func(path string) []string {
		return []string{"--input", path, "--action", "item_id", "--reward", "click", "--propensity", "propensity", "--target", "target", "--interval", "delta"}
	}
	// Open Bandit Pipeline's values, as the README of the reference data rounds them.
	for name, want := range map[string]struct {
		path       string
		ips, snips float64
	}{
		"men_r2b":    {write("log.csv", r2b), .004533560, .004604232},
		"men_b2r":    {write("log.csv", open("men_b2r.csv")), .003008626, .003189423},
		"gzip":       {write("log.csv.gz", zipped(r2b)), .004533560, .004604232},
		"no name":    {write("log", zipped(r2b)), .004533560, .004604232},
		"semicolons": {write("log.txt", []byte(turned.String())), .004533560, .004604232},
		"tabs":       {write("log.tsv", bytes.ReplaceAll(r2b, []byte(","), []byte("\t"))), .004533560, .004604232},
		"unix":       {write("log.csv", bytes.ReplaceAll(r2b, []byte("\r"), nil)), .004533560, .004604232},
		"byte order": {write("log.csv", append([]byte("\ufeff"), r2b...)), .004533560, .004604232},
	} {
		a, code := evaluateLog(t, args(want.path)...)
		if code != 0 || math.Abs(float64(a.named("ips").Value)-want.ips) > 1e-9 || math.Abs(float64(a.named("snips").Value)-want.snips) > 1e-9 {
			t.Errorf("%s: exit code %d, ips %v and snips %v, want %v and %v", name, code, a.named("ips").Value, a.named("snips").Value, want.ips, want.snips)
		}
	}

	// The columns of a log may be named once, in a file.
	path := write("log.csv", r2b)
	config := write("columns.yaml", []byte("evaluate:\n  log:\n    input: "+path+"\n    action: item_id\n    reward: click\n    propensity: propensity\n    target: [target]\n    slice: [position, item_id]\n    context: [position]\n    bootstraps: 200\n"))
	a, code := evaluateLog(t, "--config", config)
	if code != 0 || a.named("dr").Name == "" || len(a.Slices) != 3+34 {
		t.Fatalf("exit code %d, %d slices of 3 positions and 34 items", code, len(a.Slices))
	}
	for _, s := range a.Slices { // by position whatever was shown, by item what the target earns with it
		if want := map[string]string{"position": "dr", "item_id": "snips"}[s.Column]; s.Estimate != nil && s.Estimate.Name != want {
			t.Errorf("%s=%s by %s, want %s", s.Column, s.Level, s.Estimate.Name, want)
		}
	}

	for name, c := range map[string]struct {
		text string
		says string
	}{
		"text for a number": {"item_id,click,propensity,target\n1,clicked,0.5,0.5\n2,not,0.5,0.5\n", `row 1: click is "clicked", a number is needed`},
		"an empty cell":     {"item_id,click,propensity,target\n1,1,0.5,0.5\n2,,0.5,0.5\n", "row 2: click is empty"},
		"another name":      {"item_id,click,propensity_score,target\n1,1,0.5,0.5\n", `no column "propensity"; it has item_id, click, propensity_score, target`},
		"a percentage":      {"item_id,click,propensity,target\n1,1,50,0.5\n", "row 1: propensity is 50, want a probability above 0, and at most 1"},
		"a chance of 0":     {"item_id,click,propensity,target\n1,1,0.5,0.5\n2,1,0,0.5\n", "row 2: propensity is 0, want a probability above 0"},
		"a target below 0":  {"item_id,click,propensity,target\n1,1,0.5,-0.5\n", "row 1: target is -0.5, want a probability from 0 to 1"},
		"no action":         {"item_id,click,propensity,target\n,1,0.5,0.5\n2,1,0.5,0.5\n", "row 1: item_id is empty"},
		"a name twice":      {"item_id,click,propensity,target,target\n1,1,0.5,0.5,0.1\n", `2 columns are named "target"`},
		"a cell too many":   {"item_id,click,propensity,target\n1,1,0.5,0.5\n2,1,0.5,0.5,7\n", "line 3 has 5 cells, the first line 4"},
		"a cell too few":    {"item_id;click;propensity;target\n1;1;0.5;0.5\n2;1;0.5\n", "line 3 has 3 cells, the first line 4"},
		"no rows":           {"item_id,click,propensity,target\n", "the log has no rows"},
		"nothing":           {"", "is empty"},
		"one row":           {"item_id,click,propensity,target\n1,1,0.5,0.5\n", "the log is too short for any policy"},
	} {
		var out, errs bytes.Buffer
		if code := run(append([]string{"evaluate", "log"}, args(write("log.csv", []byte(c.text)))...), &out, &errs); code != 1 || !strings.Contains(errs.String(), c.says) || strings.Count(errs.String(), "\n") > 1 {
			t.Errorf("%s: exit code %d, %s, want %q", name, code, errs.String(), c.says)
		}
	}
}

// A campaign of eighty items and a propensity of its own in every row: the value
// is the one that a loop over the rows gives. Where nobody clicks, no interval
// is taken for knowledge.
func TestEvaluateLogOfEightyActions(t *testing.T) {
	const items, n = 80, 4000
	rng := rand.New(rand.NewPCG(5, 5))
	var clicked, still, whole strings.Builder
	header := "timestamp,item_id,position,click,propensity,target"
	clicked.WriteString(header + "\n")
	still.WriteString(header + "\n")
	whole.WriteString(header)
	for a := range items {
		fmt.Fprintf(&whole, ",new_%d", items-1-a)
	}
	whole.WriteByte('\n')
	var sum, ratios float64
	for i := range n {
		policy := make([]float64, items)
		total := 0.0
		for a := range policy {
			policy[a] = math.Exp(1.5 * rng.NormFloat64())
			total += policy[a]
		}
		a := rng.IntN(items)
		p := (0.5 + rng.Float64()) / items
		q := math.Round(policy[a]/total*1e6) / 1e6
		click := 0
		if rng.Float64() < 0.05 {
			click = 1
		}
		sum += float64(click) * q / p
		ratios += q / p
		stamp := fmt.Sprintf("2019-11-24 00:%02d:%02d.%06d+00:00", i/60%60, i%60, rng.IntN(1e6))
		fmt.Fprintf(&clicked, "%s,%d,%d,%d,%.17g,%g\n", stamp, a, 1+i%3, click, p, q)
		fmt.Fprintf(&still, "%s,%d,%d,0,%.17g,%g\n", stamp, a, 1+i%3, p, q)
		fmt.Fprintf(&whole, "%s,%d,%d,%d,%.17g,%g", stamp, a, 1+i%3, click, p, q)
		for a := range policy {
			fmt.Fprintf(&whole, ",%.6f", policy[items-1-a]/total)
		}
		whole.WriteByte('\n')
	}
	write := func(text string) []string {
		path := filepath.Join(t.TempDir(), "campaign.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{"--input", path, "--action", "item_id", "--reward", "click", "--propensity", "propensity", "--interval", "delta"}
	}
	same := func(name string, a answer) {
		if ips, snips := float64(a.named("ips").Value), float64(a.named("snips").Value); math.Abs(ips-sum/n) > 1e-12 || math.Abs(snips-sum/ratios) > 1e-12 {
			t.Errorf("%s: ips %v and snips %v, want %v and %v", name, ips, snips, sum/n, sum/ratios)
		}
	}
	a, code := evaluateLog(t, append(write(clicked.String()), "--target", "target", "--slice", "item_id")...)
	if same("one column", a); code != 0 || len(a.Estimates) != 9 || len(a.Slices) != items || a.Caution != "" {
		t.Errorf("exit code %d, %d estimates, %d slices, caution %q", code, len(a.Estimates), len(a.Slices), a.Caution)
	}
	a, code = evaluateLog(t, append(write(whole.String()), "--target", "new_*", "--context", "position")...)
	if same("a column per item", a); code != 0 || a.Target != "new_*" || !strings.Contains(a.RewardModel, "each action") {
		t.Errorf("exit code %d, target %s, %s", code, a.Target, a.RewardModel)
	}
	report := filepath.Join(t.TempDir(), "report.html")
	a, code = evaluateLog(t, append(write(still.String()), "--target", "target", "--html", report)...)
	// Nothing in so many effective rows: in 95 of 100 cases what it was nothing of is rarer than this.
	want := fmt.Sprintf("every reward is 0, so no interval has a width: something else may still follow up to %.2g %% of what the policy does (95 %% sure)",
		100*(1-math.Pow(0.05, 1/float64(a.ESS))))
	page, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if code != 0 || a.Caution != want || a.named("ips").Value != 0 || !bytes.Contains(page, []byte(want)) {
		t.Errorf("nobody clicks: exit code %d, %+v, caution %q, want %q", code, a.named("ips"), a.Caution, want)
	}
}

// obdReference returns the folder of the Open Bandit Dataset. Without it a test
// is skipped, but never in CI.
func obdReference(t *testing.T) string {
	t.Helper()
	return filepath.Join(filepath.Dir(survivalReference(t)), "obd")
}

// Effective sample size 2 of 10,000: refused, with the numbers, on every way
// out.
func TestEvaluateLogRefusesAnEffectiveSampleOfTwo(t *testing.T) {
	var b strings.Builder
	b.WriteString("item,click,propensity,target\n")
	for i := range 10_000 {
		if i < 2 {
			b.WriteString("rare,1,0.0001,0.9999\n")
		} else {
			b.WriteString("usual,0,0.9999,0.0001\n")
		}
	}
	path, report := filepath.Join(t.TempDir(), "log.csv"), filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--input", path, "--action", "item", "--reward", "click", "--propensity", "propensity", "--target", "target"}
	a, code := evaluateLog(t, append(args, "--html", report)...)
	if code != 1 || a.Supported || math.Round(float64(a.ESS)) != 2 || a.UnsupportedMass < 0.9 || a.MaxWeight != 9999 || len(a.Estimates) != 0 {
		t.Errorf("exit code %d, %+v, want a refusal", code, a)
	}
	page, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, says := range []string{"effective sample size 2 of 10000 rows", "ask instead for a policy that follows it in at most"} {
		if !strings.Contains(a.Reason, says) || !bytes.Contains(page, []byte(says)) {
			t.Errorf("the refusal does not say %q: %s", says, a.Reason)
		}
	}
	if a, code = evaluateLog(t, append(args, "--force", "--bootstraps", "200")...); code != 0 || !a.Forced || a.Supported || len(a.Estimates) == 0 {
		t.Errorf("forced: exit code %d, %+v", code, a)
	}
}

func TestEvaluateLogReportStandsAlone(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.html")
	if _, code := evaluateLog(t, "--input", feedback(t, 300), "--action", "channel", "--reward", "reward", "--propensity", "propensity", "--target", "new", "--slice", "kind", "--bootstraps", "200", "--html", report); code != 0 {
		t.Fatal("refused")
	}
	standsAlone(t, report, 6) // values, difference, two sequences, slices and ratios
}

// standsAlone fails where a report asks for something outside, or has not so
// many charts.
func standsAlone(t *testing.T, report string, charts int) {
	t.Helper()
	page, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	for _, outside := range []string{"http", "src=", "@import", "url(", "<script"} {
		if bytes.Contains(page, []byte(outside)) {
			t.Errorf("the report asks for something outside: %s", outside)
		}
	}
	if n := bytes.Count(page, []byte("<svg")); n != charts {
		t.Errorf("%d charts, want %d", n, charts)
	}
	if bytes.Contains(page, []byte("NaN")) || bytes.Contains(page, []byte("Inf")) {
		t.Error("the report draws something that is no number")
	}
}
