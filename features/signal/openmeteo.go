package signal

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// The hourly variables asked for and read, by their names at Open-Meteo.
const (
	temperature   = "temperature_2m"
	precipitation = "precipitation"
	sunshine      = "sunshine_duration" // seconds
)

// series are the hourly values of one answer, as Open-Meteo dates them: sums are
// those of the hour before their time.
type series struct {
	times []time.Time
	value map[string][]float64 // NaN: unknown
}

// hours dates the values by the start of their hour. What had passed when the
// answer was made is taken as observed, and known at the end of its hour; the
// rest is a forecast, known from made on.
func (s series) hours(region string, made time.Time) []Hour {
	out := make([]Hour, len(s.times))
	at := func(name string, i int) float64 {
		if v := s.value[name]; i < len(v) {
			return v[i]
		}
		return math.NaN()
	}
	for i, t := range s.times {
		h := Hour{
			Region: region, Start: t.Add(-time.Hour), Known: t, Observed: true,
			Temperature: at(temperature, i), Precipitation: at(precipitation, i), Sunshine: at(sunshine, i) / 60,
		}
		if t.After(made) {
			h.Known, h.Observed = made, false
		}
		out[i] = h
	}
	return out
}

// check refuses values that no weather has.
func (s series) check() error {
	for name, limit := range map[string][2]float64{temperature: {-100, 70}, precipitation: {0, 500}, sunshine: {0, 3600}} {
		for i, v := range s.value[name] {
			if v < limit[0] || v > limit[1] {
				return &FormatError{Column: name, Reason: fmt.Sprintf("%v at %s is outside %v to %v", v, s.times[min(i, len(s.times)-1)].Format(time.RFC3339), limit[0], limit[1])}
			}
		}
	}
	return nil
}

// ReadOpenMeteoJSON reads the hourly part of an answer of Open-Meteo, made at
// the given moment. Unknown members are ignored; null is unknown weather.
func ReadOpenMeteoJSON(r io.Reader, region string, made time.Time) ([]Hour, error) {
	var answer struct {
		Offset int                          `json:"utc_offset_seconds"`
		Hourly map[string][]json.RawMessage `json:"hourly"`
		Reason string                       `json:"reason"`
	}
	if err := json.NewDecoder(r).Decode(&answer); err != nil {
		return nil, &FormatError{Reason: err.Error()}
	}
	if answer.Reason != "" {
		return nil, &FormatError{Reason: answer.Reason}
	}
	if answer.Hourly["time"] == nil {
		return nil, &FormatError{Column: "hourly.time", Reason: "is missing"}
	}
	s := series{value: map[string][]float64{}}
	for _, raw := range answer.Hourly["time"] {
		t, err := openMeteoTime(strings.Trim(string(raw), `"`), answer.Offset)
		if err != nil {
			return nil, &FormatError{Column: "hourly.time", Reason: err.Error()}
		}
		s.times = append(s.times, t)
	}
	for _, name := range []string{temperature, precipitation, sunshine} {
		for _, raw := range answer.Hourly[name] {
			v := math.NaN()
			if string(raw) != "null" {
				if err := json.Unmarshal(raw, &v); err != nil {
					return nil, &FormatError{Column: "hourly." + name, Reason: err.Error()}
				}
			}
			s.value[name] = append(s.value[name], v)
		}
		if n := len(s.value[name]); n != 0 && n != len(s.times) {
			return nil, &FormatError{Column: "hourly." + name, Reason: fmt.Sprintf("%d values for %d times", n, len(s.times))}
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.hours(region, made), nil
}

// openMeteoTime reads a time of an answer whose clock is offset seconds before
// UTC: ISO 8601 without a zone, or seconds since 1970.
func openMeteoTime(text string, offset int) (time.Time, error) {
	if t, err := time.Parse("2006-01-02T15:04", text); err == nil && len(text) == len("2006-01-02T15:04") {
		if y := t.Year(); y < 1900 || y > 2200 {
			return time.Time{}, fmt.Errorf("year %d is none of ours", y)
		}
		return t.Add(-time.Duration(offset) * time.Second), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < -2_208_988_800 || seconds > 7_258_118_400 { // 1900 to 2200
		return time.Time{}, fmt.Errorf("%q is no time", text)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// ReadOpenMeteoCSV reads an hourly CSV file of Open-Meteo, with or without the
// lines of its place before the header.
func ReadOpenMeteoCSV(r io.Reader, region string, made time.Time) ([]Hour, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = -1
	s := series{value: map[string][]float64{}}
	offset, place := 0, -1
	var columns []string
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &FormatError{Reason: err.Error()}
		}
		line, _ := in.FieldPos(0)
		switch {
		case columns == nil && row[0] == "time":
			for _, name := range row {
				name, _, _ = strings.Cut(name, " (")
				columns = append(columns, name)
			}
		case columns == nil:
			for i, name := range row {
				if name == "utc_offset_seconds" {
					place = i
				} else if i == place {
					if offset, err = strconv.Atoi(name); err != nil {
						return nil, &FormatError{Line: line, Column: "utc_offset_seconds", Reason: fmt.Sprintf("%q is no number", name)}
					}
				}
			}
		case len(row) != len(columns):
			return nil, &FormatError{Line: line, Reason: fmt.Sprintf("%d columns, the header has %d", len(row), len(columns))}
		default:
			for i, name := range columns {
				if name == "time" {
					t, err := openMeteoTime(row[i], offset)
					if err != nil {
						return nil, &FormatError{Line: line, Column: name, Reason: err.Error()}
					}
					s.times = append(s.times, t)
					continue
				}
				v := math.NaN()
				if row[i] != "" && row[i] != "NaN" {
					if v, err = strconv.ParseFloat(row[i], 64); err != nil {
						return nil, &FormatError{Line: line, Column: name, Reason: fmt.Sprintf("%q is no number", row[i])}
					}
				}
				s.value[name] = append(s.value[name], v)
			}
		}
	}
	if columns == nil {
		return nil, &FormatError{Reason: "no header line that begins with time"}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s.hours(region, made), nil
}
