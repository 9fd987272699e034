package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// Job is work that outlasts the request that asked for it.
type Job struct {
	ID         string          `json:"id"`
	Creditor   string          `json:"creditor_id,omitempty"`
	Kind       string          `json:"kind"`
	Status     string          `json:"status"` // running, done, failed
	CreatedAt  time.Time       `json:"created_at"`
	FinishedAt *time.Time      `json:"finished_at,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"`
	Error      string          `json:"error,omitempty"`
}

// jobs are those under way.
type jobs struct {
	mu      sync.Mutex
	stopped bool
	cancel  []context.CancelFunc
	running sync.WaitGroup
}

// start begins a job and returns at once. Its result is what work returns, as
// JSON; of an error it tells only that it failed, the log says why.
func (e *Engine) start(ctx context.Context, kind, creditor string, work func(context.Context) (any, error)) (*Job, error) {
	row := store.Job{ID: ulid.Make().String(), Creditor: creditor, Kind: kind, Status: store.JobRunning, CreatedAt: e.opt.Now().UTC()}
	if err := e.store.PutJob(ctx, &row); err != nil {
		return nil, err
	}
	free, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.jobs.mu.Lock()
	if e.jobs.stopped {
		e.jobs.mu.Unlock()
		cancel()
		return nil, ErrClosed
	}
	e.jobs.cancel = append(e.jobs.cancel, cancel)
	e.jobs.running.Add(1)
	e.jobs.mu.Unlock()
	go func() {
		defer e.jobs.running.Done()
		e.finish(context.WithoutCancel(ctx), row, func() (any, error) { return work(free) })
	}()
	return jobOf(&row), nil
}

// finish does the work of a job and notes what came of it.
func (e *Engine) finish(ctx context.Context, row store.Job, work func() (any, error)) {
	result, err := work()
	if err == nil {
		row.Result, err = json.Marshal(result)
	}
	row.Status, row.FinishedAt = store.JobDone, e.opt.Now().UTC()
	if err != nil {
		row.Status, row.Error = store.JobFailed, "It failed; the server's log names it by its id."
		e.opt.Log.LogAttrs(ctx, slog.LevelError, "job failed", slog.String("job_id", row.ID), slog.String("kind", row.Kind), slog.Any("error", err))
	}
	if err := e.store.EndJob(ctx, &row); err != nil {
		e.opt.Log.LogAttrs(ctx, slog.LevelError, "job", slog.String("job_id", row.ID), slog.Any("error", err))
	}
}

// StopJobs interrupts the jobs under way and waits for their end.
func (e *Engine) StopJobs() {
	e.jobs.mu.Lock()
	e.jobs.stopped = true
	for _, cancel := range e.jobs.cancel {
		cancel()
	}
	e.jobs.mu.Unlock()
	e.jobs.running.Wait()
}

// Job returns a job. An empty creditor stands for any.
func (e *Engine) Job(ctx context.Context, creditor, id string) (*Job, error) {
	row, err := e.store.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	if creditor != "" && row.Creditor != creditor {
		return nil, fmt.Errorf("job %s: %w", id, ledger.ErrNotFound)
	}
	return jobOf(&row), nil
}

func jobOf(row *store.Job) *Job {
	j := &Job{
		ID: row.ID, Creditor: row.Creditor, Kind: row.Kind, Status: row.Status, CreatedAt: row.CreatedAt.UTC(),
		Result: row.Result, Error: row.Error,
	}
	if !row.FinishedAt.IsZero() {
		at := row.FinishedAt.UTC()
		j.FinishedAt = &at
	}
	return j
}

// Snapshot is a lake that was written.
type Snapshot struct {
	Path string           `json:"path"`
	Rows map[string]int64 `json:"rows"` // by table
}

// Snapshot writes the warehouse as a lake in dir. See [store.Store.WriteLake].
func (e *Engine) Snapshot(ctx context.Context, dir string) (*Snapshot, error) {
	rows, err := e.store.WriteLake(ctx, dir)
	if err != nil {
		return nil, err
	}
	return &Snapshot{Path: dir, Rows: rows}, nil
}

// StartSnapshot is Snapshot as a job, one at a time. An empty folder stands for
// the one beside the warehouse.
func (e *Engine) StartSnapshot(ctx context.Context, dir, actor string) (*Job, error) {
	if dir == "" {
		if e.store.Path() == "" {
			return nil, &FieldError{"", "a warehouse in memory has no place for a lake"}
		}
		dir = e.store.Path() + ".lake"
	}
	if err := e.store.Audit(ctx, "", actor, "snapshot", dir, ""); err != nil {
		return nil, err
	}
	return e.start(ctx, "snapshot", "", func(ctx context.Context) (any, error) {
		e.snapshot.Lock()
		defer e.snapshot.Unlock()
		return e.Snapshot(ctx, dir)
	})
}
