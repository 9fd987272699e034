package survival

import (
	"errors"
	"fmt"
	"strings"
)

// Reasons for which data is refused. They are wrapped in a [ColumnError] or a
// [RowError] where one column or row is to blame.
var (
	// ErrNoRows says that there is nothing to fit.
	ErrNoRows = errors.New("no rows")
	// ErrNoEvents says that no row ends in an event, so no rate can be learnt.
	ErrNoEvents = errors.New("no events")
	// ErrNotFinite says that a value is NaN or infinite.
	ErrNotFinite = errors.New("value is not finite")
	// ErrConstant says that a column has the same value wherever it matters,
	// so its coefficient cannot be told from the baseline.
	ErrConstant = errors.New("column is constant")
	// ErrCollinear says that a column is a linear combination of columns
	// before it.
	ErrCollinear = errors.New("column is a linear combination of others")
	// ErrSeparated says that a column tells events from non-events perfectly,
	// so that its coefficient has no finite estimate.
	ErrSeparated = errors.New("column separates events from the rest, its coefficient runs away")
	// ErrNoScale says that a parametric model fits the times without error, so
	// that its likelihood grows without end as its scale falls.
	ErrNoScale = errors.New("times lie on a line of the columns, the scale runs to zero")
	// ErrTime says that a time is negative or zero where it must not be.
	ErrTime = errors.New("time is not allowed")
	// ErrEntry says that a row is entered at or after its end.
	ErrEntry = errors.New("entry is not before exit")
	// ErrWeight says that a weight is negative or not finite.
	ErrWeight = errors.New("weight is negative or not finite")
	// ErrEvent says that an event code is not one of the allowed values.
	ErrEvent = errors.New("event code is not allowed")
	// ErrNotConverged says that the iterations ended without a maximum.
	ErrNotConverged = errors.New("did not converge")
)

// ColumnError reports columns whose values cannot be used.
type ColumnError struct {
	Columns []string // names, in the order of the data
	Row     int      // first row at fault, or −1 where no single row is
	Err     error    // one of the reasons of this package
}

func (e *ColumnError) Error() string {
	if e.Row >= 0 {
		return fmt.Sprintf("column %s, row %d: %v", strings.Join(e.Columns, ", "), e.Row, e.Err)
	}
	return fmt.Sprintf("column %s: %v", strings.Join(e.Columns, ", "), e.Err)
}

// Unwrap returns the reason.
func (e *ColumnError) Unwrap() error { return e.Err }

// RowError reports a row whose time, event or weight cannot be used.
type RowError struct {
	Row   int     // counted from 0
	Value float64 // what was found there
	Err   error   // one of the reasons of this package
}

func (e *RowError) Error() string {
	return fmt.Sprintf("row %d (%v): %v", e.Row, e.Value, e.Err)
}

// Unwrap returns the reason.
func (e *RowError) Unwrap() error { return e.Err }

// columnName returns the name of column j, or x1, x2, … where none is given.
func columnName(names []string, j int) string {
	if j < len(names) {
		return names[j]
	}
	return fmt.Sprintf("x%d", j+1)
}
