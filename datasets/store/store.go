// Package store is the warehouse: one DuckDB file, its migrations, and the one
// writer that owns it. It knows the tables and how rows merge; it knows nothing
// of features, models or HTTP.
//
// All writes pass through one goroutine, which commits what waits together and
// answers only when the commit is on disk. Readers use DB or Arrow and never
// wait for the writer.
package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// Sentinels that callers branch on.
var (
	ErrBusy   = errors.New("store: the write queue is full")
	ErrClosed = errors.New("store: closed")
	ErrLocked = errors.New("store: another process has the file open; stop it, or ask the running server over HTTP")
	ErrNewer  = errors.New("store: the file was written by a newer rappel; use that version")
)

// Options are what a store needs besides its file.
type Options struct {
	Now         func() time.Time // the clock of the migration log, the keys and the audit log
	Log         *slog.Logger
	Threads     int    // of DuckDB; 0: one while the warehouse is small, then all processors
	MemoryLimit string // of DuckDB, such as "2GB"; empty: DuckDB's own, 80 % of memory
}

// queueLength is how many write requests may wait before ErrBusy.
const queueLength = 1024

// checkpointAt is the size of the write-ahead log at which a commit also folds
// it into the file. It bounds the time of an open after a crash, and is large
// enough that few commits pay for it.
const checkpointAt = "64MB"

// Store is an open warehouse.
type Store struct {
	path      string
	now       func() time.Time
	log       *slog.Logger
	connector *duckdb.Connector
	db        *sql.DB

	signing sync.Mutex // one attempt to sign in at a time

	queue   chan *request
	stop    chan struct{} // closed by Close: take nothing more
	stopped chan struct{} // closed by the writer when it has ended
}

// Open opens the file, or creates it, and brings its schema up to date. An
// empty path keeps everything in memory. It returns ErrLocked while another
// process has the file open and ErrNewer for a file of a newer version.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	connector, err := duckdb.NewConnector(path, func(execer driver.ExecerContext) error {
		_, err := execer.ExecContext(context.Background(), "SET TimeZone = 'UTC'", nil)
		return err
	})
	if err != nil {
		if strings.Contains(err.Error(), "Could not set lock") {
			return nil, fmt.Errorf("open %s: %w", path, ErrLocked)
		}
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s := &Store{
		path: path, now: o.Now, log: o.Log, connector: connector, db: sql.OpenDB(connector),
		queue: make(chan *request, queueLength), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	if err := s.start(ctx, o.Threads, o.MemoryLimit); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), s.db.Close(), connector.Close())
	}
	return s, nil
}

// start configures the database, migrates it and starts the writer.
func (s *Store) start(ctx context.Context, threads int, memory string) error {
	grows := threads == 0
	settings := []string{
		fmt.Sprintf("SET GLOBAL threads = %d", max(threads, 1)),
		"SET GLOBAL autoinstall_known_extensions = false",
		"SET GLOBAL preserve_insertion_order = false", // who needs an order asks for it
		"SET GLOBAL checkpoint_threshold = '" + checkpointAt + "'",
	}
	if memory != "" {
		settings = append(settings, "SET GLOBAL memory_limit = '"+strings.ReplaceAll(memory, "'", "''")+"'")
	}
	for _, q := range settings {
		if _, err := s.db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	if err := migrate(ctx, s.db, s.now); err != nil {
		return err
	}
	w, err := newWriter(ctx, s)
	if err != nil {
		return err
	}
	w.grows = grows && runtime.GOMAXPROCS(0) > 1
	if err := w.grow(ctx); err != nil {
		return errors.Join(err, w.conn.Close())
	}
	go w.run(context.WithoutCancel(ctx))
	return nil
}

// Close answers the requests that wait, ends the writer and closes the file.
// No method may be called after it.
func (s *Store) Close() error {
	close(s.stop)
	<-s.stopped
	return errors.Join(s.db.Close(), s.connector.Close())
}

// DB returns the database for readers. Whoever writes through it steps around
// the one writer: use Write.
func (s *Store) DB() *sql.DB { return s.db }

// Path returns the file of the store.
func (s *Store) Path() string { return s.path }

// Arrow calls fn with DuckDB's Arrow interface on a connection of its own,
// which lives as long as the call. A record that fn reads lives until the next.
func (s *Store) Arrow(ctx context.Context, fn func(*duckdb.Arrow) error) (err error) {
	conn, err := s.connector.Connect(ctx)
	if err != nil {
		return fmt.Errorf("arrow connection: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	a, err := duckdb.NewArrowFromConn(conn)
	if err != nil {
		return fmt.Errorf("arrow connection: %w", err)
	}
	return fn(a)
}
