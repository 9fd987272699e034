package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The test binary plays the command for tests that need a process of its own.
func init() {
	if os.Getenv("RAPPEL_TEST_PLAYS_COMMAND") != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "RAPPEL_TEST_PLAYS_COMMAND=1")
	return cmd
}

// served is a `rappel serve` of its own process.
type served struct {
	*exec.Cmd
	t        *testing.T
	url, key string
}

func serveProcess(t *testing.T, db, key string, flags ...string) *served {
	t.Helper()
	cmd := command(t, append([]string{"serve", "--db", db, "--addr", "127.0.0.1:0"}, flags...)...)
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	for b := make([]byte, 1); !strings.HasSuffix(said.String(), "\n") || !strings.Contains(said.String(), "listening on "); {
		if _, err := errs.Read(b); err != nil {
			t.Fatalf("%v: %s", err, said.String())
		}
		said.Write(b)
	}
	go func() { _, _ = io.Copy(io.Discard, errs) }()
	_, url, _ := strings.Cut(strings.TrimSpace(said.String()), "listening on ")
	return &served{cmd, t, url, key}
}

func createKey(t *testing.T, db string) string {
	t.Helper()
	made, err := command(t, "key", "create", "--db", db).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(made))
}

// ask wants a 2xx and decodes the answer.
func (s *served) ask(method, path string, body, answer any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Content-Type", "application/json")
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		s.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, said, err)
	}
	if err := json.Unmarshal(said, answer); err != nil {
		s.t.Fatal(err)
	}
}

// kill is a kill −9.
func (s *served) kill() {
	s.t.Helper()
	if err := s.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = s.Wait()
}

// What an answer counts as accepted is there after a kill −9 in the next
// instant, time and again; a signal ends the command in order.
func TestServeSurvivesKill(t *testing.T) {
	db := filepath.Join(t.TempDir(), "w.duckdb")
	key := createKey(t, db)
	var receipt struct{ Accepted, Duplicates int }
	events := []map[string]any{}
	for round := range 3 {
		s := serveProcess(t, db, key)
		var creditor map[string]any
		s.ask("PUT", "/v1/creditors/acme", map[string]any{}, &creditor)
		s.ask("POST", "/v1/events", events, &receipt)
		if receipt.Duplicates != len(events) {
			t.Errorf("after kill %d: %d of %d events were known", round, receipt.Duplicates, len(events))
		}
		for i := range 5 {
			id := fmt.Sprintf("e-%d-%d", round, i)
			e := map[string]any{
				"id": id, "type": "invoice.issued", "time": "2026-03-02T06:00:00+01:00", "creditor_id": "acme", "debtor_id": "D-1",
				"data": map[string]any{"invoice_id": id, "due_on": "2026-03-20", "amount": 10, "currency": "EUR"},
			}
			events = append(events, e)
			s.ask("POST", "/v1/events", []any{e}, &receipt)
		}
		s.kill()
	}
	s := serveProcess(t, db, key)
	var profile struct {
		Open float64 `json:"open_balance"`
	}
	s.ask("GET", "/v1/debtors/D-1?creditor_id=acme", nil, &profile)
	if want := 10 * float64(len(events)); profile.Open != want {
		t.Errorf("open balance %v, want %v", profile.Open, want)
	}
	if err := s.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("a stop by signal: %v", err)
	}
}
