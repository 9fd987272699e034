package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"

	"rappel/datasets/ledger"
)

// Receipt says what became of a batch of events.
type Receipt struct {
	Accepted   int
	Duplicates int // seen before, in this batch or earlier
	// Fresh holds the rows of the accepted events, in the order of the batch,
	// as each event told them: a reader that keeps state merges them as the
	// warehouse does, by the Merge methods of ledger.
	Fresh ledger.Rows
}

// request is one write that waits for its answer.
type request struct {
	ctx       context.Context
	events    []ledger.Event
	decisions []ledger.Decision
	write     func(*sql.Tx) error
	bulk      func(*Bulk) error

	receipt Receipt
	err     error
	done    chan struct{}
}

// Append logs events and merges their rows into the tables. When it returns
// without error all of them are on disk. The first of several events of one
// creditor and id holds, whatever the others say. It returns ErrBusy when too
// much waits; when ctx ends before the answer, the events may or may not have
// been written, and may be sent again.
func (s *Store) Append(ctx context.Context, events []ledger.Event) (Receipt, error) {
	if len(events) == 0 {
		return Receipt{}, nil
	}
	r := &request{ctx: ctx, events: events}
	err := s.submit(ctx, r)
	return r.receipt, err
}

// LogDecisions writes decisions down, in the same group commits as events. A
// decision whose id is there already is left as it was.
func (s *Store) LogDecisions(ctx context.Context, decisions []ledger.Decision) error {
	if len(decisions) == 0 {
		return nil
	}
	return s.submit(ctx, &request{ctx: ctx, decisions: decisions})
}

// Write runs fn in a transaction of the one writer. fn may run several times,
// when another write of its group fails; only the last run counts. It must not
// commit, and must not ask the store for another write.
func (s *Store) Write(ctx context.Context, fn func(*sql.Tx) error) error {
	return s.submit(ctx, &request{ctx: ctx, write: fn})
}

// Bulk runs fn with a writer of whole files, in one transaction of the one
// writer: all of it stays, or nothing where fn returns an error. Other writes
// wait until it ends, so it serves a command that has the file to itself.
func (s *Store) Bulk(ctx context.Context, fn func(*Bulk) error) error {
	return s.submit(ctx, &request{ctx: ctx, bulk: fn})
}

func (s *Store) submit(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	select {
	case <-s.stop:
		return ErrClosed
	default:
	}
	select {
	case s.queue <- r:
	default:
		return ErrBusy
	}
	select {
	case <-r.done:
		return r.err
	case <-s.stopped:
		select {
		case <-r.done: // answered in the writer's last round
			return r.err
		default:
			return ErrClosed
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

// roundEvents is about how many events one commit takes.
const roundEvents = 20_000

// writer owns the connection that writes.
type writer struct {
	store    *Store
	conn     *sql.Conn
	mode     mode // of the transaction
	appender [2]appenders
	arrival  int64 // of the last accepted event
	grows    bool  // DuckDB runs on one thread until the warehouse is large
	sized    int64 // arrival when its size was last looked at
}

// manyRows is from which size on DuckDB is given all processors. The statements
// over a smaller warehouse last milliseconds, and two threads that hand each
// other their parts took half as much time again as one.
const manyRows = 2_000_000

// grow gives DuckDB all processors once the warehouse holds many rows.
func (w *writer) grow(ctx context.Context) error {
	if !w.grows {
		return nil
	}
	w.sized = w.arrival
	var rows int64
	if err := w.conn.QueryRowContext(ctx, "SELECT coalesce(sum(estimated_size), 0)::BIGINT FROM duckdb_tables()").Scan(&rows); err != nil {
		return fmt.Errorf("size: %w", err)
	}
	if rows < manyRows {
		return nil
	}
	w.grows = false
	_, err := w.conn.ExecContext(ctx, fmt.Sprintf("SET GLOBAL threads = %d", runtime.GOMAXPROCS(0)))
	return err
}

// mode says how rows go into tables.
type mode uint8

const (
	// plain appends them, several times as fast, and fails where a key is
	// there already.
	plain mode = iota
	// merge joins them with what is there, by the statements in merge/.
	merge
)

func newWriter(ctx context.Context, s *Store) (*writer, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{store: s, conn: conn}
	if err := w.readArrival(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return w, nil
}

func (w *writer) readArrival(ctx context.Context) error {
	return w.conn.QueryRowContext(ctx, "SELECT coalesce(max(arrival), 0) FROM events").Scan(&w.arrival)
}

// run commits what waits, round by round, until the store closes.
func (w *writer) run(ctx context.Context) {
	defer close(w.store.stopped)
	defer func() {
		if err := errors.Join(w.appender[plain].close(), w.appender[merge].close(), w.conn.Close()); err != nil {
			w.store.log.Error("closed the writer", slog.Any("error", err))
		}
	}()
	for {
		select {
		case r := <-w.store.queue:
			w.round(ctx, w.gather(r))
		case <-w.store.stop:
			select {
			case r := <-w.store.queue:
				w.round(ctx, w.gather(r))
			default:
				return
			}
		}
	}
}

// gather takes what else waits, up to a full round.
func (w *writer) gather(first *request) []*request {
	group, n := []*request{first}, len(first.events)
	for n < roundEvents && first.bulk == nil {
		select {
		case r := <-w.store.queue:
			group, n = append(group, r), n+len(r.events)
		default:
			return group
		}
	}
	return group
}

// round commits a group together. Where that fails each request of it gets a
// transaction of its own, so that one bad write takes no other with it.
func (w *writer) round(ctx context.Context, group []*request) {
	waiting := group[:0:0]
	for _, r := range group {
		if r.err = r.ctx.Err(); r.err != nil {
			close(r.done) // nobody waits for it any more
			continue
		}
		waiting = append(waiting, r)
	}
	if len(waiting) == 0 {
		return
	}
	err := w.write(ctx, waiting)
	if err != nil && len(waiting) > 1 {
		w.store.log.Warn("group commit failed, writing one by one", slog.Int("requests", len(waiting)), slog.Any("error", err))
		for _, r := range waiting {
			r.err = w.write(ctx, []*request{r})
		}
	} else {
		waiting[0].err = err
	}
	for _, r := range waiting {
		if r.err != nil {
			r.receipt = Receipt{}
		}
		close(r.done)
	}
	if w.arrival-w.sized >= roundEvents || slices.ContainsFunc(group, func(r *request) bool { return r.bulk != nil }) {
		if err := w.grow(ctx); err != nil {
			w.store.log.Warn("one thread is kept", slog.Any("error", err))
		}
	}
}

// write commits a group, first as if all of it were new: mostly it is.
func (w *writer) write(ctx context.Context, group []*request) error {
	if allNew(group) && w.commit(ctx, group, plain) == nil {
		return nil
	}
	return w.commit(ctx, group, merge)
}

// allNew reports whether a group only adds rows, as far as it says so itself:
// it holds events or decisions, and none that closes or cancels.
func allNew(group []*request) bool {
	some := false
	for _, r := range group {
		if r.bulk != nil {
			return false
		}
		some = some || len(r.events)+len(r.decisions) > 0
		for i := range r.events {
			rows := &r.events[i].Rows
			for j := range rows.Invoices {
				if rows.Invoices[j].ObservedAt.IsZero() {
					return false
				}
			}
			for j := range rows.Cases {
				if rows.Cases[j].OpenedAt.IsZero() {
					return false
				}
			}
		}
	}
	return some
}

// commit writes a group in one transaction. ctx is the writer's own, not that
// of any one request: the others need the commit.
func (w *writer) commit(ctx context.Context, group []*request, m mode) (err error) {
	w.mode = m
	tx, err := w.conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	arrival := w.arrival
	defer func() {
		if err != nil {
			w.arrival = arrival
			w.appender[m].reset() // an appender that failed holds rows and is of no more use
			if e := tx.Rollback(); e != nil && !errors.Is(e, sql.ErrTxDone) {
				err = errors.Join(err, e)
			}
		}
	}()
	if err := w.appendEvents(ctx, group); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	var decisions []ledger.Decision
	for _, r := range group {
		decisions = append(decisions, r.decisions...)
	}
	if err := w.appendDecisions(decisions); err != nil {
		return fmt.Errorf("write decisions: %w", err)
	}
	for _, r := range group {
		if r.write != nil {
			err = r.write(tx)
		} else if r.bulk != nil {
			err = r.bulk(&Bulk{w: w, ctx: r.ctx, tx: tx})
		}
		if err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// appendEvents logs the events of a group, and writes the rows of those that
// were not known.
func (w *writer) appendEvents(ctx context.Context, group []*request) error {
	type id struct{ creditor, event string }
	seen := map[id]bool{}
	first := w.arrival + 1
	var offered []*ledger.Event // by arrival, from first
	var owner []*request
	for _, r := range group {
		r.receipt = Receipt{Duplicates: len(r.events)}
		for i := range r.events {
			e := &r.events[i]
			if k := (id{e.Creditor, e.ID}); !seen[k] {
				seen[k] = true
				offered, owner = append(offered, e), append(owner, r)
			}
		}
	}
	if len(offered) == 0 {
		return nil
	}
	if err := w.appendLog(first, offered); err != nil {
		return err
	}
	w.arrival += int64(len(offered))
	if w.mode == plain {
		var fresh ledger.Rows
		for i, e := range offered {
			accept(owner[i], e, &fresh)
		}
		return w.appendRows(fresh)
	}
	rows, err := w.conn.QueryContext(ctx, "SELECT arrival FROM events WHERE arrival >= ? ORDER BY arrival", first)
	if err != nil {
		return err
	}
	defer rows.Close()
	var fresh ledger.Rows
	for rows.Next() {
		var arrival int64
		if err := rows.Scan(&arrival); err != nil {
			return err
		}
		accept(owner[arrival-first], offered[arrival-first], &fresh)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return w.appendRows(fresh)
}

// accept counts an event that was not known, and collects its rows.
func accept(r *request, e *ledger.Event, fresh *ledger.Rows) {
	r.receipt.Accepted++
	r.receipt.Duplicates--
	r.receipt.Fresh.Add(e.Rows)
	fresh.Add(e.Rows)
}
