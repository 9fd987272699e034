package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// doctor runs the command and returns its exit code and findings.
func doctor(t *testing.T, args ...string) (code int, f findings) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(append([]string{"doctor", "--json"}, args...), &out, &errs)
	if err := json.Unmarshal(out.Bytes(), &f); err != nil {
		t.Fatalf("%v: %s %s", err, out.String(), errs.String())
	}
	return code, f
}

func TestDoctor(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "w.duckdb")
	var out, errs bytes.Buffer
	if code := run([]string{"key", "create", "--db", db}, &out, &errs); code != 0 {
		t.Fatalf("key create: %s", errs.String())
	}
	if code, f := doctor(t, "--db", db); code != 0 || !f.OK || len(f.Checks) < 10 {
		t.Errorf("a new file: exit %d, %+v", code, f)
	}
	wrong := func(check string, code int, f findings) {
		t.Helper()
		for _, c := range f.Checks {
			if !c.OK {
				if c.Check != check || code != 1 || f.OK {
					t.Errorf("exit %d, ok %v, %+v is wrong, want exit 1 for %s", code, f.OK, c, check)
				}
				return
			}
		}
		t.Errorf("nothing is wrong, want %s", check)
	}
	code, f := doctor(t, "--db", filepath.Join(dir, "none.duckdb"))
	wrong("file", code, f)
	code, f = doctor(t, "--db", db, "--model", dir)
	wrong("model", code, f)

	text := filepath.Join(dir, "text.duckdb")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, f = doctor(t, "--db", text)
	wrong("file", code, f)

	out.Reset()
	if code := run([]string{"doctor", "--db", db}, &out, &errs); code != 0 || !strings.Contains(out.String(), "schema") {
		t.Errorf("as a table: exit %d, %s", code, out.String())
	}
	if code := run([]string{"doctor"}, &out, &errs); code != 2 {
		t.Errorf("without a file: exit %d, want 2", code)
	}
}
