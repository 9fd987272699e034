package main

import (
	"errors"
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
		err = root.Execute()
		if wrong := (*usageError)(nil); err != nil && !errors.As(err, &wrong) {
			t.Errorf("%v is no wrong usage", err)
		}
	})
}
