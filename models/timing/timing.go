// Package timing learns when a debtor looks.
//
// Noticing a message is a counting process: u hours after sending over
// channel c, at hour h of the week, it is noticed with hazard
//
//	speed_c(u) · availability_d(h)
//
// per hour. Availability is a hierarchical Gamma-Poisson on the circle of 168
// hours (debtor, profile, all); Speed says how much faster or slower a fresh
// message is noticed than an old one. Beside them stand the recognition of
// machine opens, a test of whether hours matter at all, the effect of weather,
// and the half-life of habits.
//
// The package sees numbers, never debtors: no clock, no files, no global
// random source. Hour 0 is Monday 00:00 in the debtor's zone.
package timing

import (
	"errors"
	"fmt"
	"math"
)

const (
	// Hours is the length of a week in hours: the circle of availability.
	Hours = 168
	// Days is the length of a week in days.
	Days = 7

	dayHours = Hours / Days
)

// Errors found in data; RowError says where.
var (
	// ErrNegative reports a count or an exposure below zero.
	ErrNegative = errors.New("timing: negative value")
	// ErrNotFinite reports a NaN or an infinity.
	ErrNotFinite = errors.New("timing: value is not finite")
	// ErrHour reports an hour outside the week.
	ErrHour = errors.New("timing: hour outside the week")
	// ErrProfile reports a profile index past the number of profiles.
	ErrProfile = errors.New("timing: profile out of range")
)

// RowError names the row, and the cell in it, that cannot be used.
type RowError struct {
	Column string
	Row    int
	Cell   int
	Err    error
}

func (e *RowError) Error() string {
	return fmt.Sprintf("%s, row %d, cell %d: %v", e.Column, e.Row, e.Cell, e.Err)
}

func (e *RowError) Unwrap() error { return e.Err }

// checkCells returns a RowError for the first cell of an n×width column that
// is negative or not finite.
func checkCells(column string, cells []float32, width int) error {
	for i, v := range cells {
		var err error
		switch {
		case v < 0:
			err = ErrNegative
		case math.IsNaN(float64(v)) || math.IsInf(float64(v), 0):
			err = ErrNotFinite
		default:
			continue
		}
		return &RowError{Column: column, Row: i / width, Cell: i % width, Err: err}
	}
	return nil
}
