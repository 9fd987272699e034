package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// FuzzConfig reads a file of --config with any text at all: it sets flags of a
// command, or is wrong usage.
func FuzzConfig(f *testing.F) {
	f.Add("log-level: debug\nserve:\n  addr: :9090\n")
	f.Add("serve: {db: [a, b], rate: 1e9}\nunknown: 1\n")
	f.Add("serve: &a [*a]\n? {}\n: 1\n")
	path := filepath.Join(f.TempDir(), "rappel.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		root := newRootCommand()
		root.SetOut(io.Discard)
		root.SetErr(io.Discard)
		serve, _, err := root.Find([]string{"serve"})
		if err != nil {
			t.Fatal(err)
		}
		serve.RunE = func(*cobra.Command, []string) error { return nil }
		root.SetArgs([]string{"serve", "--config", path})
		err = root.Execute()
		if wrong := (*usageError)(nil); err != nil && !errors.As(err, &wrong) {
			t.Errorf("%v is no wrong usage", err)
		}
	})
}

// FuzzTable reads a file of any bytes at all as the input of survival fit and
// bandit replay: columns of one length, or an error that names the file or the
// column.
func FuzzTable(f *testing.F) {
	f.Add([]byte("days,paid,size\n1.5,1,0.25\n2,0,NA\n"))
	f.Add([]byte("days;paid;size\n1,5;1;0,25\n2;0;\"a;b\"\n"))
	f.Add([]byte("PAR1\x00\x00PAR1"))
	f.Add([]byte("\x1f\x8bdays"))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "rows")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		names, err := columnNames(t.Context(), path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%v names no file", err)
			}
			return
		}
		wants := make([]wanted, min(len(names), 4))
		for k := range wants {
			wants[k] = wanted{name: names[k], as: reading(k % 3)}
		}
		columns, err := readColumns(t.Context(), path, wants)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%v names no file", err)
			}
			return
		}
		for _, c := range columns {
			if n := max(len(c.number), len(c.text)); n != max(len(columns[0].number), len(columns[0].text)) || c.text != nil && len(c.missing) != n {
				t.Errorf("column %s has %d values, the first another number", c.name, n)
			}
		}
	})
}
