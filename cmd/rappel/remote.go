package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// remote is a running server that a command asks.
type remote struct{ url, key string }

// flags adds --url and --key to a command.
func (r *remote) flags(c *cobra.Command) {
	c.Flags().StringVar(&r.url, "url", "http://127.0.0.1:8080", "address of the running server")
	c.Flags().StringVar(&r.key, "key", "", "API key of an operator (or RAPPEL_KEY)")
}

// ask sends a request and decodes the answer. A refusal is an error in the
// server's words.
func (r *remote) ask(ctx context.Context, method, path string, body, answer any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(r.url, "/")+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode > 299 {
		var p struct{ Detail, Title string }
		_ = json.Unmarshal(said, &p) // what is no problem document has no words
		return fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, cmp.Or(p.Detail, p.Title, string(said)))
	}
	if answer == nil || len(said) == 0 {
		return nil
	}
	return json.Unmarshal(said, answer)
}

// job is work of the server.
type job struct {
	ID     string          `json:"id"`
	Status string          `json:"status"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`
}

// do starts a job and waits for its result.
func (r *remote) do(ctx context.Context, path string, result any) error {
	var j job
	if err := r.ask(ctx, http.MethodPost, path, nil, &j); err != nil {
		return err
	}
	for j.Status == "running" {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
		if err := r.ask(ctx, http.MethodGet, "/v1/jobs/"+j.ID, nil, &j); err != nil {
			return err
		}
	}
	if j.Status != "done" {
		return fmt.Errorf("job %s: %s", j.ID, j.Error)
	}
	return json.Unmarshal(j.Result, result)
}

// newSnapshotCommand returns `rappel snapshot`.
func newSnapshotCommand() *cobra.Command {
	var db, out string
	var r remote
	var asJSON bool
	c := &cobra.Command{
		Use:   "snapshot --db FILE --out LAKEDIR",
		Short: "Write the warehouse as a lake of Parquet files",
		Long: `Snapshot writes all tables as of one moment: LAKEDIR/<table>/creditor_id=…/ of
Parquet files, which --lake of the other commands reads, as do Spark and others.
They are written aside and take the place of an earlier lake at once.

A server that runs holds its file: ask it with --url and --key instead of --db.
It writes its own lake (rappel serve --lake) and the command prints where.`,
		Example: "  rappel snapshot --db rappel.duckdb --out lake\n  rappel snapshot --url http://127.0.0.1:8080 --key rk_…",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			var s snapshotAnswer
			switch {
			case db != "" && out != "":
				x, err := openData(cmd, db, "", "")
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, x.store.Close()) }()
				made, err := x.engine.Snapshot(cmd.Context(), out)
				if err != nil {
					return err
				}
				s = snapshotAnswer(*made)
			case db == "" && out == "" && r.key != "":
				if err := r.do(cmd.Context(), "/v1/snapshots", &s); err != nil {
					return err
				}
			default:
				return usage(errors.New("snapshot needs --db and --out, or --url and --key"))
			}
			if asJSON {
				return writeJSON(cmd.OutOrStdout(), s)
			}
			total := int64(0)
			for _, n := range s.Rows {
				total += n
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d rows of %d tables\n", s.Path, total, len(s.Rows))
			return nil
		},
	}
	c.Flags().StringVar(&db, "db", "", "warehouse `file` that no server has open")
	c.Flags().StringVar(&out, "out", "", "`folder` of the lake")
	r.flags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "the answer as JSON")
	return c
}

type snapshotAnswer struct {
	Path string           `json:"path"`
	Rows map[string]int64 `json:"rows"`
}
