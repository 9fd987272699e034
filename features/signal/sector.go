package signal

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"rappel/datasets/ledger"
)

// ReadSector reads a CSV file of signals with a header: period (a date, or a
// month such as 2026-03, or a quarter such as 2026-Q1: its first day) and value;
// sector_code, region, or both; indicator, which is risk where the file does not
// say; and known_at (RFC 3339 or a date), which is the given moment where the
// file does not say.
func ReadSector(r io.Reader, known time.Time) ([]Sector, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	header, err := in.Read()
	if err != nil {
		return nil, &FormatError{Line: 1, Reason: err.Error()}
	}
	columns := map[string]int{}
	for i, name := range header {
		columns[strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))] = i
	}
	for _, name := range []string{"period", "value"} {
		if _, ok := columns[name]; !ok {
			return nil, &FormatError{Line: 1, Column: name, Reason: "is missing"}
		}
	}
	var out []Sector
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, &FormatError{Reason: err.Error()}
		}
		line, _ := in.FieldPos(0)
		cell := func(name string) string {
			if i, ok := columns[name]; ok {
				return strings.Clone(strings.TrimSpace(row[i]))
			}
			return ""
		}
		s := Sector{Code: cell("sector_code"), Region: cell("region"), Indicator: cell("indicator"), Known: known}
		if s.Code == "" && s.Region == "" {
			return nil, &FormatError{Line: line, Column: "sector_code", Reason: "neither sector nor region is given"}
		}
		if s.Indicator == "" {
			s.Indicator = "risk"
		}
		if s.Period, err = period(cell("period")); err != nil {
			return nil, &FormatError{Line: line, Column: "period", Reason: err.Error()}
		}
		if s.Value, err = strconv.ParseFloat(cell("value"), 64); err != nil || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
			return nil, &FormatError{Line: line, Column: "value", Reason: fmt.Sprintf("%q is no number", cell("value"))}
		}
		if text := cell("known_at"); text != "" {
			if s.Known, err = ledger.ParseTime(text); err != nil {
				d, err := ledger.ParseDay(text)
				if err != nil {
					return nil, &FormatError{Line: line, Column: "known_at", Reason: fmt.Sprintf("%q is no moment", text)}
				}
				s.Known = d.UTC()
			}
		}
		out = append(out, s)
	}
}

func period(text string) (ledger.Day, error) {
	if year, quarter, ok := strings.Cut(text, "-Q"); ok {
		q, err := strconv.Atoi(quarter)
		if err == nil && q >= 1 && q <= 4 {
			text = fmt.Sprintf("%s-%02d-01", year, 3*q-2)
		}
	} else if len(text) == len("2026-03") {
		text += "-01"
	}
	d, err := ledger.ParseDay(text)
	if err != nil || d.UTC().Year() < 1900 || d.UTC().Year() > 2200 {
		return 0, fmt.Errorf("%q is no period", text)
	}
	return d, nil
}
