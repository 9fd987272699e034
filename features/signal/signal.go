// Package signal reads what moves debtors from outside: weather by the hour,
// risk of sectors and regions, public holidays. It turns the files and answers
// of others into rows of the shared tables of the warehouse, each with the
// moment from which it was known. It knows nothing of debtors.
package signal

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// Hour is the weather of one hour in one region.
type Hour struct {
	Region   string    // country and first two characters of the postcode
	Start    time.Time // the hour is [Start, Start+1h)
	Known    time.Time // from when this was known
	Observed bool      // not a forecast

	Temperature   float64 // °C; NaN: unknown
	Precipitation float64 // mm; NaN: unknown
	Sunshine      float64 // minutes, 0 to 60; NaN: unknown
}

// Sector is one value of an indicator of a sector, a region, or a sector in a
// region. The indicator read into vectors is "risk".
type Sector struct {
	Code      string // NACE, or empty: the region as a whole
	Region    string // empty: everywhere
	Period    ledger.Day
	Indicator string
	Known     time.Time
	Value     float64
}

// Holiday is a day on which a country does not work.
type Holiday struct {
	Country string // ISO 3166 alpha-2, capitals
	Day     ledger.Day
	Name    string
}

// FormatError reports input that cannot be read.
type FormatError struct {
	Line   int    // from 1; 0: the input as a whole
	Column string // may be empty
	Reason string
}

func (e *FormatError) Error() string {
	s := "signal: "
	if e.Line > 0 {
		s += fmt.Sprintf("line %d: ", e.Line)
	}
	if e.Column != "" {
		s += e.Column + ": "
	}
	return s + e.Reason
}

// Write adds rows to the warehouse. A row that is there already, by region, hour
// and moment of knowing, or by all but its value, stays as it is.
func Write(ctx context.Context, s *store.Store, hours []Hour, sectors []Sector, holidays []Holiday) error {
	return s.Bulk(ctx, func(b *store.Bulk) error {
		if err := b.Table("weather", hourRows(hours)); err != nil {
			return fmt.Errorf("signal: weather: %w", err)
		}
		rows := make([][]driver.Value, len(sectors))
		for i, v := range sectors {
			rows[i] = []driver.Value{v.Code, v.Region, v.Period.UTC(), v.Indicator, v.Known.UTC(), v.Value}
		}
		if err := b.Table("sector_signals", rows); err != nil {
			return fmt.Errorf("signal: sector signals: %w", err)
		}
		rows = make([][]driver.Value, len(holidays))
		for i, h := range holidays {
			rows[i] = []driver.Value{h.Country, h.Day.UTC(), h.Name}
		}
		if err := b.Table("holidays", rows); err != nil {
			return fmt.Errorf("signal: holidays: %w", err)
		}
		return nil
	})
}

func hourRows(hours []Hour) [][]driver.Value {
	rows := make([][]driver.Value, len(hours))
	for i, h := range hours {
		rows[i] = []driver.Value{h.Region, h.Start.UTC(), h.Known.UTC(), h.Observed, null(h.Temperature), null(h.Precipitation), null(h.Sunshine)}
	}
	return rows
}

func null(x float64) driver.Value {
	if math.IsNaN(x) {
		return nil
	}
	return x
}
