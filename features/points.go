package features

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"rappel/datasets/ledger"
)

// PointError reports a line of a file of points that cannot be read.
type PointError struct {
	Line   int    // from 1
	Column string // may be empty
	Reason string
}

func (e *PointError) Error() string {
	at := fmt.Sprintf("features: points: line %d: ", e.Line)
	if e.Column != "" {
		at += e.Column + ": "
	}
	return at + e.Reason
}

// ReadPoints reads a CSV file with the columns creditor_id, debtor_id and as_of
// (RFC 3339) among its own, in any order. It returns a *PointError for the first
// line that names no debtor or no moment.
func ReadPoints(r io.Reader) ([]Point, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, &PointError{Line: 1, Reason: err.Error()}
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	names := [3]string{"creditor_id", "debtor_id", "as_of"}
	var at [3]int
	for k, name := range names {
		if at[k] = slices.Index(header, name); at[k] < 0 {
			return nil, &PointError{Line: 1, Column: name, Reason: "is missing"}
		}
	}
	var out []Point
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if broken := (*csv.ParseError)(nil); errors.As(err, &broken) {
			return nil, &PointError{Line: broken.Line, Reason: broken.Err.Error()}
		}
		if err != nil {
			return nil, fmt.Errorf("features: points: %w", err)
		}
		line, _ := in.FieldPos(0)
		var cells [3]string
		for k, name := range names {
			cells[k] = strings.Clone(row[at[k]])
			if fault := ledger.TextFault(cells[k]); fault != "" {
				return nil, &PointError{line, name, fault}
			}
			if cells[k] == "" {
				return nil, &PointError{line, name, "is empty"}
			}
		}
		p := Point{Key: ledger.Key{Creditor: cells[0], Debtor: cells[1]}}
		if p.AsOf, err = ledger.ParseTime(cells[2]); err != nil {
			return nil, &PointError{line, names[2], fmt.Sprintf("%q is no moment such as 2026-03-01T06:00:00+01:00", cells[2])}
		}
		if fault := ledger.TimeFault(p.AsOf); fault != "" {
			return nil, &PointError{line, names[2], fault}
		}
		out = append(out, p)
	}
}
