package signal

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// ReadKNMI reads a file of daily weather of the Dutch meteorological institute
// (etmgeg_*.txt) as hours of a region, for a station at the given degrees north
// and east. Days without any value are left out.
//
// The sunshine of a day (SQ) is spread evenly over its daylight, by sunrise and
// sunset at the station: an hour has 60·f·SQ/D minutes, f the part of the hour
// between them and D the hours of daylight. The rain of a day (RH) falls in DR
// hours in a row, rounded and at least one, with the wettest of them (RHXH) in
// the middle as far as the day allows: RHX in that hour, the rest of RH evenly in
// the others. Temperature is the mean of the day (TG). A day, which begins at
// midnight UTC, is known when it is over.
func ReadKNMI(r io.Reader, region string, north, east float64) ([]Hour, error) {
	var hours []Hour
	var columns map[string]int
	in := bufio.NewScanner(r)
	for line := 1; in.Scan(); line++ {
		text := strings.TrimSpace(in.Text())
		if head, ok := strings.CutPrefix(text, "#"); ok {
			columns = map[string]int{}
			for i, name := range strings.Split(head, ",") {
				columns[strings.TrimSpace(name)] = i
			}
			for _, name := range []string{"YYYYMMDD", "TG", "SQ", "DR", "RH", "RHX", "RHXH"} {
				if _, ok := columns[name]; !ok {
					return nil, &FormatError{Line: line, Column: name, Reason: "is missing"}
				}
			}
			continue
		}
		if columns == nil || text == "" {
			continue
		}
		cells := strings.Split(text, ",")
		if len(cells) < len(columns) {
			return nil, &FormatError{Line: line, Reason: fmt.Sprintf("%d columns, the header has %d", len(cells), len(columns))}
		}
		date, err := time.Parse("20060102", strings.TrimSpace(cells[columns["YYYYMMDD"]]))
		if err != nil || date.Year() < 1900 || date.Year() > 2200 {
			return nil, &FormatError{Line: line, Column: "YYYYMMDD", Reason: fmt.Sprintf("%q is no date", cells[columns["YYYYMMDD"]])}
		}
		d := knmiDay{temperature: math.NaN(), sun: math.NaN(), rain: math.NaN()}
		any := false
		for name, set := range map[string]func(tenths float64){
			"TG":   func(v float64) { d.temperature = v / 10 },
			"SQ":   func(v float64) { d.sun = max(v, 0) / 10 },
			"RH":   func(v float64) { d.rain = max(v, 0) / 10 },
			"DR":   func(v float64) { d.rainHours = v / 10 },
			"RHX":  func(v float64) { d.wettest = max(v, 0) / 10 },
			"RHXH": func(v float64) { d.wettestHour = int(v) - 1 },
		} {
			cell := strings.TrimSpace(cells[columns[name]])
			if cell == "" {
				continue
			}
			v, err := strconv.Atoi(cell)
			if err != nil || v < -1000 || v > 10000 {
				return nil, &FormatError{Line: line, Column: name, Reason: fmt.Sprintf("%q is no value", cell)}
			}
			set(float64(v))
			any = true
		}
		if any {
			hours = append(hours, d.hours(region, date, north, east)...)
		}
	}
	if err := in.Err(); err != nil {
		return nil, &FormatError{Reason: err.Error()}
	}
	if columns == nil {
		return nil, &FormatError{Reason: "no header line that begins with #"}
	}
	return hours, nil
}

// knmiDay is one line: °C, hours of sun, mm; NaN where unknown.
type knmiDay struct {
	temperature, sun, rain, rainHours, wettest float64
	wettestHour                                int // 0 to 23
}

func (d knmiDay) hours(region string, date time.Time, north, east float64) []Hour {
	out := make([]Hour, 24)
	rise, set := daylight(date, north, east)
	rain := d.rainByHour()
	for h := range out {
		// The light of the day may begin before midnight UTC or end after it.
		f := 0.0
		for _, shift := range []float64{-24, 0, 24} {
			f += max(0, min(set+shift, float64(h+1))-max(rise+shift, float64(h)))
		}
		sun := 0.0
		if set > rise {
			sun = 60 * min(f, 1) * min(d.sun/(set-rise), 1)
		}
		if math.IsNaN(d.sun) {
			sun = math.NaN()
		}
		out[h] = Hour{
			Region: region, Start: date.Add(time.Duration(h) * time.Hour), Known: date.AddDate(0, 0, 1), Observed: true,
			Temperature: d.temperature, Precipitation: rain[h], Sunshine: sun,
		}
	}
	return out
}

func (d knmiDay) rainByHour() (rain [24]float64) {
	if math.IsNaN(d.rain) {
		for h := range rain {
			rain[h] = math.NaN()
		}
		return rain
	}
	if d.rain == 0 {
		return rain
	}
	n := min(max(int(math.Round(d.rainHours)), 1), 24)
	peak := min(max(d.wettestHour, 0), 23)
	first := min(max(peak-n/2, 0), 24-n)
	wettest := min(d.wettest, d.rain)
	if n == 1 {
		wettest = d.rain
	}
	for h := first; h < first+n; h++ {
		if h == peak {
			rain[h] = wettest
		} else {
			rain[h] = (d.rain - wettest) / float64(n-1)
		}
	}
	return rain
}

// daylight returns sunrise and sunset of a date in hours UTC, from the
// declination of Cooper (1969), doi:10.1016/0038-092X(69)90047-4, and the
// equation of time of Spencer as given by Duffie and Beckman; within some five
// minutes, which is enough to spread sunshine by the hour.
func daylight(date time.Time, north, east float64) (rise, set float64) {
	n := float64(date.YearDay())
	declination := 23.45 * math.Pi / 180 * math.Sin(2*math.Pi*(284+n)/365)
	b := 2 * math.Pi * (n - 1) / 365
	minutes := 229.2 * (0.000075 + 0.001868*math.Cos(b) - 0.032077*math.Sin(b) - 0.014615*math.Cos(2*b) - 0.04089*math.Sin(2*b))
	cos := -math.Tan(north*math.Pi/180) * math.Tan(declination)
	half := 12 / math.Pi * math.Acos(min(max(cos, -1), 1)) // hours
	noon := 12 - east/15 - minutes/60
	return noon - half, noon + half
}
