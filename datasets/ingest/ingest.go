// Package ingest reads files into the warehouse: CSV, Parquet and NDJSON, under
// our own column names or through a Mapping. It reads every value strictly: a
// row that cannot be read is kept out and reported by file, row, column and
// reason, the others stay. The same file again changes nothing.
package ingest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// Options say what to read and how.
type Options struct {
	Creditor string   // whose data it is; empty: the files say so
	Table    string   // of files whose name is not a table; not with a Mapping
	Mapping  *Mapping // nil: the files have our column names
	// Stop ends at the first bad row and keeps nothing of any file. Otherwise
	// bad rows are written beside their file, as PATH.rejected.ndjson.
	Stop bool
	// Rejected is another folder for those files, where not empty.
	Rejected string
	// Progress, where not nil, is told now and then how far a file has been
	// read.
	Progress func(path string, rows int)
}

// Report says what became of one file.
type Report struct {
	Path     string
	Read     int // rows of the file
	Rejected int // rows of the file that were kept out, in whole or in part
	Tables   []TableReport
	Ignored  []string // columns of the file that nothing was taken from
	// RejectedPath is the file with the rows that were kept out, where there
	// are any.
	RejectedPath string
}

// TableReport says what became of the rows for one table.
type TableReport struct {
	Table string
	Rows  int   // that the file gave
	New   int64 // that were not there before
}

// RowError is a row that cannot be used.
type RowError struct {
	File   string `json:"file"`
	Row    int    `json:"row"`            // among the rows, from 1
	Line   int    `json:"line,omitempty"` // of the file
	Table  string `json:"table"`
	Column string `json:"column,omitempty"`
	Reason string `json:"reason"`
	Value  string `json:"value,omitempty"` // what was there, shortened
}

// Error names the file, the row, the column and the reason.
func (e *RowError) Error() string {
	s := fmt.Sprintf("%s: row %d", e.File, e.Row)
	if e.Column != "" {
		s += ": " + e.Column
	}
	if e.Value != "" {
		s += fmt.Sprintf(" %q", e.Value)
	}
	return s + ": " + e.Reason
}

// Run reads files and folders into the store.
func Run(ctx context.Context, s *store.Store, o Options, paths ...string) ([]Report, error) {
	if o.Mapping != nil && o.Table != "" {
		return nil, errors.New("a mapping names its tables itself: leave --table out")
	}
	if o.Table != "" && !slices.Contains(Tables(), o.Table) {
		return nil, fmt.Errorf("table %q is none of %s", o.Table, strings.Join(Tables(), ", "))
	}
	files, err := expand(paths)
	if err != nil {
		return nil, err
	}
	r := &reader{o: o, store: s}
	groups := slices.Collect(slices.Chunk(files, 1)) // what is written together
	if o.Stop {
		groups = [][]string{files}
	}
	for _, group := range groups {
		err := s.Bulk(ctx, func(b *store.Bulk) error {
			for _, file := range group {
				report, err := r.file(ctx, b, file)
				if err != nil {
					return fmt.Errorf("ingest %s: %w", file, err)
				}
				r.reports = append(r.reports, report)
			}
			return nil
		})
		if err != nil {
			return r.reports, err
		}
	}
	return r.reports, nil
}

// zone returns the zone of times without one: the mapping's, the creditor's,
// or UTC.
func (o *Options) zone(b *store.Bulk) (*time.Location, error) {
	name := ""
	if o.Mapping != nil {
		name = o.Mapping.Timezone
	}
	if name == "" && o.Creditor != "" {
		var err error
		if name, err = b.Creditor(o.Creditor); err != nil {
			return nil, err
		}
	}
	return ledger.Zone(name) // the empty name is UTC
}

// expand lists the files, those of folders sorted, the creditors first: they
// say in which zone the times of other files are.
func expand(paths []string) (files []string, err error) {
	for _, name := range paths {
		file, _ := splitPath(name)
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, name)
			continue
		}
		n := len(files)
		err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			_, ext := plainName(path)
			if err != nil || d.IsDir() || !slices.Contains(extensions, ext) || strings.HasSuffix(path, rejectedSuffix) {
				return err
			}
			files = append(files, path)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(files) == n {
			return nil, fmt.Errorf("%s: no file that ends in %s", name, strings.Join(extensions, ", "))
		}
	}
	slices.SortStableFunc(files, func(a, b string) int {
		return cmp.Compare(rank(a), rank(b))
	})
	return files, nil
}

// rank puts the files of creditors before all others.
func rank(file string) int {
	if base, _ := plainName(file); base == "creditors" {
		return 0
	}
	return 1
}

const rejectedSuffix = ".rejected.ndjson"

// reader reads files one after the other.
type reader struct {
	o       Options
	store   *store.Store
	reports []Report
}

// tableOf returns the table that a file is named for: its own name, or that of
// the nearest folder.
func (r *reader) tableOf(file string) (string, error) {
	if r.o.Table != "" {
		return r.o.Table, nil
	}
	base, _ := plainName(file)
	if slices.Contains(Tables(), base) {
		return base, nil
	}
	path, _ := splitPath(file)
	for dir := filepath.Dir(path); dir != "." && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if name := filepath.Base(dir); slices.Contains(Tables(), name) {
			return name, nil
		}
	}
	return "", fmt.Errorf("%q is not the name of a table: give --table or --mapping; the tables are %s", base, strings.Join(Tables(), ", "))
}

// chunkRows is how many rows are written at a time.
const chunkRows = 100_000

// file reads one file.
func (r *reader) file(ctx context.Context, b *store.Bulk, path string) (report Report, err error) {
	report.Path = path
	src, err := opener{r.o.Mapping, r.store.Arrow}.open(ctx, path)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	bad := &rejects{path: r.rejectedPath(path), stop: r.o.Stop}
	defer func() { err = errors.Join(err, bad.close()) }()
	zone, err := r.o.zone(b)
	if err != nil {
		return report, err
	}

	var feeds []*plan
	if r.o.Mapping == nil {
		name, err := r.tableOf(path)
		if err != nil {
			return report, err
		}
		if name == eventTable {
			err = r.events(b, src, &report, bad)
			return report, err
		}
		p, err := newPlan(name, nil, nil, src, r.o.Creditor, zone)
		if err != nil {
			return report, err
		}
		feeds = append(feeds, p)
	} else {
		for i := range r.o.Mapping.Tables {
			e := &r.o.Mapping.Tables[i]
			p, err := newPlan(e.Table, e, r.o.Mapping, src, r.o.Creditor, zone)
			if err != nil {
				return report, fmt.Errorf("%s: %w", e.Table, err)
			}
			feeds = append(feeds, p)
		}
	}
	if err := r.rows(b, src, feeds, &report, bad); err != nil {
		return report, err
	}
	if r.o.Mapping == nil {
		for _, name := range src.names() {
			if feeds[0].table.index(name) < 0 {
				report.Ignored = append(report.Ignored, name)
			}
		}
	}
	return report, nil
}

// rows reads all rows of a source into the tables that it feeds.
func (r *reader) rows(b *store.Bulk, src source, feeds []*plan, report *Report, bad *rejects) error {
	before, given := map[string]int64{}, map[string]int{}
	var names []string
	for _, p := range feeds {
		if _, ok := before[p.name]; ok {
			continue
		}
		n, err := b.Count(p.name)
		if err != nil {
			return err
		}
		before[p.name], names = n, append(names, p.name)
	}
	w := newWriting(b)
	for {
		cells, at, err := src.next()
		if errors.Is(err, io.EOF) {
			break
		}
		report.Read++
		if broken := (*rowError)(nil); errors.As(err, &broken) {
			report.Rejected++
			if err := bad.add(&RowError{File: report.Path, Row: at.row, Line: at.line, Table: names[0], Reason: broken.reason}); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", at.row, err)
		}
		rejected := false
		for _, p := range feeds {
			n := w.batch.len()
			if f := p.take(cells, at.row, &w.batch); f != nil {
				rejected = true
				e := &RowError{File: report.Path, Row: at.row, Line: at.line, Table: p.name, Column: f.column, Reason: f.reason, Value: short(f.value)}
				if err := bad.add(e); err != nil {
					return err
				}
			}
			given[p.name] += w.batch.len() - n
		}
		if rejected {
			report.Rejected++
		}
		if w.batch.len() >= chunkRows {
			if err := w.flush(); err != nil {
				return err
			}
			r.progress(report)
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	for _, name := range names {
		n, err := b.Count(name)
		if err != nil {
			return err
		}
		report.Tables = append(report.Tables, TableReport{Table: name, Rows: given[name], New: n - before[name]})
	}
	r.finish(report, bad)
	return nil
}

func (r *reader) progress(report *Report) {
	if r.o.Progress != nil {
		r.o.Progress(report.Path, report.Read)
	}
}

func (r *reader) finish(report *Report, bad *rejects) {
	if bad.written() {
		report.RejectedPath = bad.path
	}
	r.progress(report)
}

// events reads a file of events as the API takes them.
func (r *reader) events(b *store.Bulk, src source, report *Report, bad *rejects) error {
	lines, ok := src.(*ndjsonSource)
	if !ok {
		return errors.New("events come as NDJSON or as a JSON array")
	}
	w := newWriting(b)
	given := 0
	for {
		err := lines.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", lines.at.row, err)
		}
		report.Read++
		e, err := ledger.ParseEvent(lines.raw)
		if err == nil && r.o.Creditor != "" && e.Creditor != r.o.Creditor {
			err = &ledger.EventError{ID: e.ID, Code: ledger.CodeBadValue, Detail: "creditor_id is not " + r.o.Creditor}
		}
		if err != nil {
			report.Rejected++
			if err := bad.add(&RowError{File: report.Path, Row: lines.at.row, Line: lines.at.line, Table: eventTable, Reason: err.Error()}); err != nil {
				return err
			}
			continue
		}
		given++
		w.batch.events = append(w.batch.events, e)
		if w.batch.len() >= chunkRows {
			if err := w.flush(); err != nil {
				return err
			}
			r.progress(report)
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	report.Tables = []TableReport{{Table: eventTable, Rows: given, New: int64(w.accepted)}}
	r.finish(report, bad)
	return nil
}

// writing passes batches to the store, and makes sure that their creditors are
// there.
type writing struct {
	bulk      *store.Bulk
	batch     batch
	creditors map[string]bool
	accepted  int // events
}

func newWriting(b *store.Bulk) *writing {
	return &writing{bulk: b, batch: newBatch(), creditors: map[string]bool{}}
}

func (w *writing) flush() error {
	for _, id := range creditorsOf(&w.batch) {
		if !w.creditors[id] {
			if _, err := w.bulk.Creditor(id); err != nil {
				return err
			}
			w.creditors[id] = true
		}
	}
	if err := w.bulk.Rows(w.batch.rows); err != nil {
		return err
	}
	for _, name := range Tables() {
		if err := w.bulk.Table(name, w.batch.shared[name]); err != nil {
			return err
		}
	}
	if len(w.batch.events) > 0 {
		receipt, err := w.bulk.Events(w.batch.events)
		if err != nil {
			return err
		}
		w.accepted += receipt.Accepted
	}
	w.batch.clear()
	return nil
}

// rejectedPath returns where the bad rows of a file go.
func (r *reader) rejectedPath(path string) string {
	file, member := splitPath(path)
	if member != "" {
		file += "-" + strings.ReplaceAll(member, "/", "-")
	}
	if r.o.Rejected != "" {
		file = filepath.Join(r.o.Rejected, filepath.Base(file))
	}
	return file + rejectedSuffix
}

// rejects writes bad rows beside their file.
type rejects struct {
	path string
	stop bool
	f    *os.File
	out  *bufio.Writer
}

// add writes one bad row; where the first ends everything it returns it.
func (r *rejects) add(e *RowError) error {
	if r.stop {
		return e
	}
	if r.f == nil {
		f, err := os.Create(r.path)
		if err != nil {
			return fmt.Errorf("%w; the rejected rows cannot be written there, give --rejected FOLDER", errors.Join(e, err))
		}
		r.f, r.out = f, bufio.NewWriter(f)
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = r.out.Write(append(line, '\n'))
	return err
}

func (r *rejects) written() bool { return r.f != nil }

// close ends the file. Where no row was bad it takes away the file that an
// earlier run may have left, which is out of date now.
func (r *rejects) close() error {
	if r.f != nil {
		return errors.Join(r.out.Flush(), r.f.Close())
	}
	_ = os.Remove(r.path) // mostly there is none
	return nil
}

// short keeps a foreign text short enough to be reported.
func short(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "…"
	}
	return s
}
