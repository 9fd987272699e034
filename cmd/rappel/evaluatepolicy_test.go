package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rappel/engine"
)

// loggedDecisions makes a warehouse with decisions of the built-in priors on
// three mornings, and a model trained on what lay before them.
func loggedDecisions(t *testing.T) (db, model string, from time.Time) {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	data := filepath.Join(dir, "data")
	db, model = filepath.Join(dir, "w.duckdb"), filepath.Join(dir, "model")
	end, err := generateDemo(ctx, data, 80, 9, 1)
	if err != nil {
		t.Fatal(err)
	}
	creditor, err := ingestDemo(ctx, db, data)
	if err != nil {
		t.Fatal(err)
	}
	o, err := open(ctx, db, "", 1, discard)
	if err != nil {
		t.Fatal(err)
	}
	from = end.AddDate(0, 0, -40)
	opt := engine.DefaultTrainOptions()
	opt.To = from
	m, report, err := o.engine.Train(ctx, opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Save(model, &report.Manifest); err != nil {
		t.Fatal(err)
	}
	for morning := range 3 {
		at := from.AddDate(0, 0, 2*morning)
		ids, err := o.engine.Overdue(creditor, at)
		if err != nil {
			t.Fatal(err)
		}
		err = o.engine.Batch(ctx, engine.Request{Creditor: creditor, AsOf: at}, ids, func(*engine.Decision) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := o.store.Close(); err != nil {
		t.Fatal(err)
	}
	return db, model, from
}

func TestEvaluatePolicy(t *testing.T) {
	db, model, from := loggedDecisions(t)
	runOn := func(args ...string) (code int, out, errs string) {
		var o, e bytes.Buffer
		code = run(args, &o, &e)
		return code, o.String(), e.String()
	}
	evaluate := func(args ...string) (code int, out, errs string) {
		return runOn(append([]string{"evaluate", "policy", "--db", db, "--model", model, "--bootstraps", "200"}, args...)...)
	}

	report := filepath.Join(t.TempDir(), "report.html")
	code, out, errs := evaluate("--json", "--min-ess", "1", "--max-unsupported", "0.9", "--html", report)
	var a answer
	if err := json.Unmarshal([]byte(out), &a); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s %s", code, err, out, errs)
	}
	if !a.From.Equal(from) || a.Trained || a.Rows < 50 || a.Lost != 0 || a.Changed != 0 {
		t.Errorf("%+v", a)
	}
	if len(a.Estimates) < 2 || len(a.Comparison.Estimates) == 0 || a.Comparison.Estimates[0].Better == nil || a.RewardModel == "" {
		t.Errorf("estimates %v, difference %v by %q", a.Estimates, a.Comparison.Estimates, a.RewardModel)
	}
	standsAlone(t, report, 7) // values, difference, two sequences, slices, contact pressure and ratios
	split := map[string]int{}
	for _, s := range a.Slices {
		split[s.Column] += s.Rows
	}
	for _, by := range []string{"channel", "kind", "sector", "area", "cohort"} {
		if split[by] != a.Rows {
			t.Errorf("%d of %d rows by %s", split[by], a.Rows, by)
		}
	}
	pressed := map[string]int{}
	for _, p := range a.Pressure {
		pressed[p.By] += p.Decisions
		if math.Abs(float64(p.Target-p.Against-p.Difference.Value)) > 1e-9 {
			t.Errorf("contact pressure %+v", p)
		}
	}
	if pressed["kind"] != a.Rows || pressed["area"] != a.Rows {
		t.Errorf("contact pressure of %v of %d decisions", pressed, a.Rows)
	}
	for _, e := range a.Estimates {
		if e.Lo > e.Value || e.Value > e.Hi {
			t.Errorf("%s: %v outside %v to %v", e.Name, e.Value, e.Lo, e.Hi)
		}
	}

	// Against itself nothing differs, whatever the log.
	code, out, errs = evaluate("--json", "--min-ess", "1", "--max-unsupported", "0.9", "--against", model)
	if err := json.Unmarshal([]byte(out), &a); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s %s", code, err, out, errs)
	}
	for _, d := range a.Comparison.Estimates {
		if d.Value != 0 {
			t.Errorf("against itself: %s %v", d.Name, d.Value)
		}
	}

	for _, p := range a.Pressure {
		if p.Difference.Value != 0 {
			t.Errorf("against itself: %+v", p)
		}
	}

	// Every interval and estimator of evaluate log is there, too.
	code, out, errs = evaluate("--min-ess", "1", "--max-unsupported", "0.9", "--interval", "bernstein", "--estimators", "ips,snips", "--reward-model", "ridge", "--level", "0.9", "--planned", "100")
	if code != 0 || !strings.Contains(out, "90 % interval") || !strings.Contains(out, "bernstein") || strings.Contains(out, "switch-dr") ||
		!strings.Contains(out, "contact pressure") || !strings.Contains(out, "kind=business") {
		t.Errorf("exit %d: %s %s", code, out, errs)
	}

	code, out, _ = evaluate("--min-ess", "1e6")
	if code != 1 || !strings.Contains(out, "NOT SUPPORTED") || strings.Contains(out, "estimator") {
		t.Errorf("refused: exit %d, %s", code, out)
	}
	code, out, _ = evaluate("--min-ess", "1e6", "--force")
	if code != 0 || !strings.Contains(out, "forced") || !strings.Contains(out, "estimator") {
		t.Errorf("forced: exit %d, %s", code, out)
	}
	if code, _, errs := runOn("train", "--db", db, "--out", filepath.Join(t.TempDir(), "model"), "--to", from.Format(time.DateOnly)); code != 0 {
		t.Errorf("train: exit %d, %s", code, errs)
	}
	o, err := open(t.Context(), db, "", 1, discard)
	if err != nil {
		t.Fatal(err)
	}
	acts, err := o.store.Acts(t.Context(), "", math.MaxInt64, 100)
	if err := errors.Join(err, o.store.Close()); err != nil {
		t.Fatal(err)
	}
	if len(acts) != 6 || acts[0].Action != "train" || acts[5].Action != "evaluate" || !strings.Contains(acts[5].Detail, "more than logged, 95 % interval") || !strings.Contains(acts[2].Detail, "does not support") {
		t.Errorf("audit log %+v", acts)
	}
	if code, _, errs = evaluate("--creditor", "nobody"); code != 1 || !strings.Contains(errs, "nobody") {
		t.Errorf("an unknown creditor: exit %d, %s", code, errs)
	}
	if code, _, _ = evaluate("--lake", "x"); code != 2 {
		t.Errorf("two sources: exit %d, want 2", code)
	}
}
