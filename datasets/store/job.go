package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// The states of a job.
const (
	JobRunning = "running"
	JobDone    = "done"
	JobFailed  = "failed"
)

// Job is work that outlasts the request that asked for it.
type Job struct {
	ID, Creditor, Kind, Status string
	CreatedAt, FinishedAt      time.Time
	Result                     []byte // JSON; nil while there is none
	Error                      string
}

// PutJob notes a job that begins.
func (s *Store) PutJob(ctx context.Context, j *Job) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO jobs (job_id, creditor_id, kind, status, created_at) VALUES (?, ?, ?, ?, ?)",
			j.ID, j.Creditor, j.Kind, j.Status, j.CreatedAt); err != nil {
			return fmt.Errorf("job %s: %w", j.ID, err)
		}
		return nil
	})
}

// EndJob notes what became of a job.
func (s *Store) EndJob(ctx context.Context, j *Job) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE jobs SET status = ?, finished_at = ?, result = ?, error = ? WHERE job_id = ?",
			j.Status, j.FinishedAt, null(string(j.Result)), null(j.Error), j.ID); err != nil {
			return fmt.Errorf("job %s: %w", j.ID, err)
		}
		return nil
	})
}

// AbandonJobs ends the jobs that were running when their process ended.
func (s *Store) AbandonJobs(ctx context.Context, why string) error {
	at := s.now()
	return s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE jobs SET status = 'failed', finished_at = ?, error = ? WHERE status = 'running'", at, why); err != nil {
			return fmt.Errorf("jobs: %w", err)
		}
		return nil
	})
}

// Job returns a job, or ledger.ErrNotFound.
func (s *Store) Job(ctx context.Context, id string) (j Job, err error) {
	var finished sql.NullTime
	var result, fault sql.NullString
	err = s.db.QueryRowContext(ctx, `SELECT job_id, creditor_id, kind, status, created_at, finished_at, result, error
		FROM jobs WHERE job_id = ?`, id).Scan(&j.ID, &j.Creditor, &j.Kind, &j.Status, &j.CreatedAt, &finished, &result, &fault)
	j.FinishedAt, j.Error = finished.Time, fault.String
	if result.Valid {
		j.Result = []byte(result.String)
	}
	return j, missing(err, "job", id)
}
