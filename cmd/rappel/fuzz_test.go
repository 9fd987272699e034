package main

import (
	"io"
	"os"
	"path/filepath"
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
		if err := root.Execute(); err != nil && usage(err) == nil {
			t.Error(err)
		}
	})
}

// FuzzColumns reads any file at all as the CSV or Parquet of an analyst: in a
// value for each row of each column, or an error.
func FuzzColumns(f *testing.F) {
	f.Add([]byte("x,y\n1,a\n,NA\n"))
	f.Add([]byte("x;y\n\"1\n2\";2026-01-01\n"))
	f.Add([]byte("PAR1\x00\x00\x00\x00\xff\xff\xff\x7fPAR1"))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	path := filepath.Join(f.TempDir(), "table")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		columns, err := readColumns(t.Context(), path, []wanted{{"x", asNumber}, {"y", asText}})
		if err != nil {
			return
		}
		if len(columns) != 2 || len(columns[0].number) != len(columns[1].text) {
			t.Errorf("read %d columns", len(columns))
		}
	})
}
