package world

import (
	"time"

	"rappel/datasets/ledger"
)

// SignalRow is one published monthly figure of a sector.
type SignalRow struct {
	Sector    string
	Period    ledger.Day // first of the month it speaks of
	Indicator string
	KnownAt   time.Time
	Value     float64
}

// PostcodeRow says in which region, and so under which weather, a postcode lies.
type PostcodeRow struct {
	Country, Postcode, Region string
	Latitude                  float64
}

// Weather returns what becomes known of the weather from one moment up to
// another: each hour is forecast once and observed once it is over. A region is
// named as the warehouse names it, by country and first two characters of the
// postcode; those of a place have one weather. They come in the order of the
// world file, hours in order within.
func (w *World) Weather(from, to time.Time) []WeatherRow {
	var out []WeatherRow
	seen := make(map[string]bool)
	lead := time.Duration(w.spec.Weather.ForecastHours) * time.Hour
	for i := range w.spec.Places {
		p := &w.spec.Places[i]
		for _, code := range p.Postcodes {
			if region := area(p.Country, code); !seen[region] {
				seen[region] = true
				out = w.skies[p.Region].known(out, region, from, to, lead)
			}
		}
	}
	return out
}

// area is the region of a postcode.
func area(country, postcode string) string { return country + postcode[:min(2, len(postcode))] }

// known appends what becomes known of a sky in [from, to), as that of a region.
func (s *sky) known(out []WeatherRow, region string, from, to time.Time, lead time.Duration) []WeatherRow {
	begin := time.Unix(s.first*3600, 0).UTC()
	for hour := maxTime(begin, from.Add(-2*time.Hour).Truncate(time.Hour)); hour.Before(to.Add(lead)); hour = hour.Add(time.Hour) {
		x := s.at(hour.Unix())
		row := WeatherRow{Region: region, Hour: hour}
		if at := hour.Add(-lead); !at.Before(from) && at.Before(to) {
			row.KnownAt, row.Observed = at, false
			row.TemperatureC, row.PrecipitationMM, row.SunshineMin = float64(x.temperatureForecast), float64(x.rainForecast), float64(x.sunForecast)
			out = append(out, row)
		}
		if at := hour.Add(time.Hour); !at.Before(from) && at.Before(to) {
			row.KnownAt, row.Observed = at, true
			row.TemperatureC, row.PrecipitationMM, row.SunshineMin = float64(x.temperature), float64(x.rain), float64(x.sun)
			out = append(out, row)
		}
	}
	return out
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Signals returns the sector figures that become known from one moment up to
// another, in order of month, then of sector.
func (w *World) Signals(from, to time.Time) []SignalRow {
	var out []SignalRow
	sectors := w.sectors()
	for month := firstOfMonth(w.start.UTC(), -3); month.Before(to); month = month.AddDate(0, 1, 0) {
		known := month.AddDate(0, 1, w.spec.Indicator.LagDays).Add(8 * time.Hour)
		if known.Before(from) || !known.Before(to) {
			continue
		}
		period := ledger.DayOf(month, time.UTC)
		for _, code := range sectors {
			depth, days := 0.0, 0
			for d := period; d.UTC().Month() == month.Month(); d++ {
				if d >= w.start {
					depth += w.spec.shock(code, int(d-w.start)/7)
				}
				days++
			}
			noise := Stream(w.seed, "signal/"+code+"/"+period.String()).NormFloat64()
			ind := &w.spec.Indicator
			out = append(out, SignalRow{
				Sector: code, Period: period, Indicator: ind.Name, KnownAt: known,
				Value: ind.Level + ind.Spread*noise + ind.Gain*depth/float64(days),
			})
		}
	}
	return out
}

func firstOfMonth(t time.Time, shift int) time.Time {
	return time.Date(t.Year(), t.Month()+time.Month(shift), 1, 0, 0, 0, 0, time.UTC)
}

// sectors returns the sector codes of the world, sorted.
func (w *World) sectors() []string {
	set := make(map[string]bool)
	for i := range w.spec.Archetypes {
		for _, code := range w.spec.Archetypes[i].Sectors {
			if code != "" {
				set[code] = true
			}
		}
	}
	return sortedKeys(set)
}

// Postcodes returns the postcodes of the world with their regions.
func (w *World) Postcodes() []PostcodeRow {
	var out []PostcodeRow
	for i := range w.spec.Places {
		p := &w.spec.Places[i]
		for _, code := range p.Postcodes {
			out = append(out, PostcodeRow{Country: p.Country, Postcode: code, Region: area(p.Country, code), Latitude: p.Latitude})
		}
	}
	return out
}
