package ingest

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"rappel/datasets/ledger"
)

// fault is what keeps a row out: the column, why, and the text that was there.
type fault struct{ column, reason, value string }

// cell is one value as it was read.
type cell struct {
	set      bool
	dateOnly bool   // a moment that was given as a date
	s        string // text, ident, word, zone, country, currency
	n        int64  // cents; day; flag
	f        float64
	t        time.Time
	list     []string
}

// value returns what the store takes for a cell of a kind.
func (c *cell) value(k kind) driver.Value {
	switch k {
	case moment:
		return c.t
	case day:
		return ledger.Day(c.n).UTC()
	case cents:
		return c.n
	case number:
		return c.f
	case flag:
		return c.n == 1
	case list:
		return c.list
	}
	return c.s
}

// row is one row of a table while it is read.
type row struct {
	table *table
	cells []cell
}

func (r *row) text(i int) string    { return r.cells[i].s }
func (r *row) time(i int) time.Time { return r.cells[i].t }
func (r *row) int(i int) int64      { return r.cells[i].n }
func (r *row) flag(i int) bool      { return r.cells[i].n == 1 }
func (r *row) day(i int) ledger.Day { return ledger.Day(r.cells[i].n) }

// reading says how the texts of one column are written.
type reading struct {
	zone    *time.Location
	layout  string // empty: the usual ones
	comma   bool   // decimal comma
	addDays int
}

// read reads the text of a cell, not empty, and returns why it cannot be read,
// or the empty string.
func (c *cell) read(col *column, s string, how reading) string {
	c.set = true
	switch col.kind {
	case text, ident:
		c.s = s
		if col.name == "settings" {
			if !json.Valid([]byte(s)) {
				return "is not JSON"
			}
			return ""
		}
		return ledger.TextFault(s)
	case word:
		c.s = strings.ToLower(s)
		if !slices.Contains(col.words, c.s) {
			return "is none of " + strings.Join(col.words, ", ")
		}
	case zone:
		if c.s = s; !ledger.ZoneExists(s) {
			return "is not an IANA zone"
		}
	case country:
		return c.readCapitals(s, 2, "is not a country code of two letters")
	case currency:
		return c.readCapitals(s, 3, "is not a currency code of three letters")
	case moment, day:
		return c.readTime(col.kind, s, how)
	case cents:
		v, err := ledger.ParseCents(decimal(s, how.comma))
		switch {
		case err != nil:
			return err.Error()
		case v < 0:
			return "is negative"
		}
		c.n = v
	case number:
		v, err := strconv.ParseFloat(decimal(s, how.comma), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return "is not a number"
		}
		c.f = v
	case flag:
		switch strings.ToLower(s) {
		case "true", "t", "yes", "y", "1":
			c.n = 1
		case "false", "f", "no", "n", "0":
			c.n = 0
		default:
			return "is neither true nor false"
		}
	case list:
		return c.readList(s)
	}
	return ""
}

func (c *cell) readCapitals(s string, n int, reason string) string {
	c.s = strings.ToUpper(s)
	if len(c.s) != n {
		return reason
	}
	for _, b := range []byte(c.s) {
		if b < 'A' || b > 'Z' {
			return reason
		}
	}
	return ""
}

func (c *cell) readList(s string) string {
	if strings.HasPrefix(s, "[") {
		if json.Unmarshal([]byte(s), &c.list) != nil {
			return "is not a JSON list of texts"
		}
	} else {
		c.list = strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == ',' || r == '|' || r == ' ' })
	}
	for _, item := range c.list {
		if fault := ledger.TextFault(item); fault != "" {
			return fault
		}
	}
	return ""
}

// decimal rewrites a number with a decimal comma, and perhaps thousands
// between points or spaces, as one with a point.
func decimal(s string, comma bool) string {
	if !comma {
		return s
	}
	s = strings.NewReplacer(".", "", " ", "", "\u00a0", "", "\u202f", "").Replace(s)
	return strings.Replace(s, ",", ".", 1)
}

// layouts are the usual ways to write a time: with an offset, without, and a
// day alone. Go reads fractions of a second in all of them.
var layouts = []struct {
	text             string
	offset, dateOnly bool
}{
	{time.RFC3339, true, false},
	{time.DateOnly, false, true},
	{"2006-01-02 15:04:05Z07:00", true, false},
	{"2006-01-02 15:04:05-07", true, false},
	{"2006-01-02 15:04:05 MST", true, false},
	{"2006-01-02T15:04:05", false, false},
	{time.DateTime, false, false},
	{"2006-01-02T15:04", false, false},
	{"2006-01-02 15:04", false, false},
}

func (c *cell) readTime(k kind, s string, how reading) string {
	t, ok := time.Time{}, false
	if how.layout != "" {
		parsed, err := time.ParseInLocation(how.layout, s, how.zone)
		t, ok = parsed, err == nil
		c.dateOnly = !strings.Contains(how.layout, "15") && !strings.Contains(how.layout, "3")
	} else {
		for _, l := range layouts {
			parsed, err := time.ParseInLocation(l.text, s, how.zone)
			if err != nil || l.text == "2006-01-02 15:04:05 MST" && parsed.Location() != time.UTC {
				continue // a zone that is only letters is known for UTC alone
			}
			t, ok, c.dateOnly = parsed, true, l.dateOnly
			break
		}
	}
	if !ok {
		if how.layout != "" {
			return "is not a time in the format of the mapping"
		}
		if k == day {
			return "is not a date such as 2026-03-04"
		}
		return "is not a time such as 2026-03-04T15:20:00+01:00"
	}
	if how.addDays != 0 {
		t = t.In(how.zone).AddDate(0, 0, how.addDays)
	}
	if fault := ledger.TimeFault(t); fault != "" {
		return fault
	}
	if k == day {
		zone := how.zone
		if c.dateOnly {
			zone = t.Location()
		}
		c.n = int64(ledger.DayOf(t, zone))
		return ""
	}
	c.t = t.Truncate(time.Microsecond).UTC()
	return ""
}

// days reads a number of days.
func days(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < -100_000 || n > 100_000 {
		return 0, fmt.Errorf("%q is not a number of days", s)
	}
	return n, nil
}
