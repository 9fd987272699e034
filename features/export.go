package features

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// Export writes the vectors as of a moment to a file, in Parquet (.parquet) or
// Arrow IPC (.arrow) by its name, and returns how many there are. The file names
// SchemaHash in its metadata, and appears when it is complete.
func (p *Pipeline) Export(ctx context.Context, path string, asOf time.Time, f Filter) (rows int64, err error) {
	return p.export(ctx, path, func(ctx context.Context, yield func(arrow.RecordBatch) error) error {
		return p.Vectors(ctx, asOf, f, yield)
	})
}

// ExportAt writes those of VectorsAt as Export does.
func (p *Pipeline) ExportAt(ctx context.Context, path string, points []Point) (rows int64, err error) {
	return p.export(ctx, path, func(ctx context.Context, yield func(arrow.RecordBatch) error) error {
		return p.VectorsAt(ctx, points, yield)
	})
}

// batches yields batches of vectors.
type batches func(ctx context.Context, yield func(arrow.RecordBatch) error) error

func (p *Pipeline) export(ctx context.Context, path string, from batches) (rows int64, err error) {
	write := exportArrow
	switch filepath.Ext(path) {
	case ".arrow":
	case ".parquet":
		write = p.exportParquet
	default:
		return 0, fmt.Errorf("features: export: %s ends in neither .parquet nor .arrow", path)
	}
	part := path + ".part"
	rows, err = write(ctx, part, from)
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		if e := os.Remove(part); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
		return rows, fmt.Errorf("features: export: %w", err)
	}
	return rows, nil
}

func exportArrow(ctx context.Context, path string, from batches) (rows int64, err error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w, err := ipc.NewFileWriter(file, ipc.WithSchema(schema), ipc.WithLZ4())
	if err != nil {
		return 0, err
	}
	err = from(ctx, func(rec arrow.RecordBatch) error {
		rows += rec.NumRows()
		return w.Write(rec)
	})
	return rows, errors.Join(err, w.Close())
}

// exportParquet hands the batches, as they come, to a DuckDB that writes them.
func (p *Pipeline) exportParquet(ctx context.Context, path string, from batches) (rows int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream := &stream{batches: make(chan arrow.RecordBatch), failed: make(chan error, 1)}
	stream.refs.Store(1)
	go func() {
		defer close(stream.batches)
		err := from(ctx, func(rec arrow.RecordBatch) error {
			rec.Retain()
			select {
			case stream.batches <- rec:
				return nil
			case <-ctx.Done():
				rec.Release()
				return ctx.Err()
			}
		})
		if err != nil {
			stream.failed <- err
		}
	}()
	err = p.session(ctx, func(c *session) error {
		return c.view(stream, func(name string) error {
			return c.exec("COPY (FROM " + name + ") TO " + quote(path) +
				" (FORMAT parquet, COMPRESSION zstd, KV_METADATA {'rappel.vector': " + quote(SchemaHash()) + "})")
		})
	})
	cancel()
	for rec := range stream.batches { // what was not taken
		rec.Release()
	}
	return stream.rows, err
}

// stream reads batches from a channel as they come, for one reader.
type stream struct {
	batches chan arrow.RecordBatch
	failed  chan error // why batches was closed early
	refs    atomic.Int64
	rows    int64
	current arrow.RecordBatch
	err     error
}

var _ array.RecordReader = (*stream)(nil)

func (s *stream) Schema() *arrow.Schema          { return schema }
func (s *stream) RecordBatch() arrow.RecordBatch { return s.current }
func (s *stream) Record() arrow.RecordBatch      { return s.current }
func (s *stream) Err() error                     { return s.err }
func (s *stream) Retain()                        { s.refs.Add(1) }

func (s *stream) Release() {
	if s.refs.Add(-1) == 0 {
		s.drop()
	}
}

func (s *stream) drop() {
	if s.current != nil {
		s.current.Release()
		s.current = nil
	}
}

// Next waits for a batch.
func (s *stream) Next() bool {
	s.drop()
	rec, ok := <-s.batches
	if !ok {
		select {
		case s.err = <-s.failed:
		default:
		}
		return false
	}
	s.current = rec
	s.rows += rec.NumRows()
	return true
}
