package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// TestMain lets the test binary play the process that is killed: with a file
// in this variable it appends batches for ever and prints each that was
// answered.
func TestMain(m *testing.M) {
	if path := os.Getenv("RAPPEL_TEST_APPEND_TO"); path != "" {
		appendForEver(path)
	}
	os.Exit(m.Run())
}

func appendForEver(path string) {
	s, err := Open(context.Background(), path, testOptions())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for n := 0; ; n++ {
		if _, err := s.Append(context.Background(), payments(3*n, 3)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

// What was answered is on disk: a kill −9 in the next instant loses none.
func TestKillLosesNothingAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "RAPPEL_TEST_APPEND_TO="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	answered := 0
	for lines := bufio.NewScanner(out); answered < 20 && lines.Scan(); answered++ {
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if answered != 20 {
		t.Fatalf("%d batches were answered before the kill, want 20", answered)
	}
	got := loadAll(t, open(t, path))
	if len(got.Payments) < 60 || len(got.Payments)%3 != 0 {
		t.Errorf("%d payments after the kill, want at least 60 in whole batches of 3", len(got.Payments))
	}
}

func TestOpenExplainsLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "RAPPEL_TEST_APPEND_TO="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	bufio.NewScanner(out).Scan() // the first answer: it has the file
	if _, err := Open(t.Context(), path, testOptions()); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want ErrLocked", err)
	}
}

func TestReopenKeepsEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	s, err := Open(t.Context(), path, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), payments(0, 3)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Append(t.Context(), payments(3, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v, want ErrClosed", err)
	}
	again := open(t, path)
	if got, err := again.Append(t.Context(), payments(2, 2)); err != nil || got.Accepted != 1 || got.Duplicates != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestMigrateRefusesNewerFile(t *testing.T) {
	s := fresh(t)
	older := fstest.MapFS{"migrations/0000_nothing.sql": {Data: []byte("SELECT 1")}}
	if err := migrateFrom(t.Context(), s.DB(), older, clock); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v, want ErrNewer", err)
	}
}

// A migration that fails leaves nothing behind, and those before it stand.
func TestMigrateIsAllOrNothing(t *testing.T) {
	s := fresh(t)
	have, err := s.SchemaVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{
		fmt.Sprintf("migrations/%04d_good.sql", have+1): {Data: []byte("CREATE TABLE good (i INTEGER)")},
		fmt.Sprintf("migrations/%04d_bad.sql", have+2):  {Data: []byte("CREATE TABLE half (i INTEGER); SELECT * FROM nowhere")},
	}
	if err := migrateFrom(t.Context(), s.DB(), files, clock); err == nil || !strings.Contains(err.Error(), "_bad.sql") {
		t.Errorf("got %v, want a failure of the bad file", err)
	}
	if got, err := s.SchemaVersion(t.Context()); err != nil || got != have+1 {
		t.Errorf("version %d, %v, want %d", got, err, have+1)
	}
	if _, err := s.DB().ExecContext(t.Context(), "SELECT * FROM half"); err == nil {
		t.Error("half a migration was kept")
	}
}
