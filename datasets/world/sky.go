package world

import (
	"math"
	"math/rand/v2"
	"time"

	"rappel/datasets/ledger"
)

// zone answers what local hour of the week it is, from a table that grows.
type zone struct {
	loc    *time.Location
	first  int64   // hour since 1970 of off[0]
	offset []int32 // seconds east of UTC, by hour
}

func (z *zone) shift(unix int64) int64 {
	i := unix/3600 - z.first
	if i < 0 {
		_, off := time.Unix(unix, 0).In(z.loc).Zone()
		return int64(off)
	}
	for int64(len(z.offset)) <= i {
		_, off := time.Unix((z.first+int64(len(z.offset)))*3600, 0).In(z.loc).Zone()
		z.offset = append(z.offset, int32(off))
	}
	return int64(z.offset[i])
}

// hourOfWeek returns the local hour, 0 for Monday from midnight.
func (z *zone) hourOfWeek(unix int64) int {
	h := (unix+z.shift(unix))/3600 + 72 // 1970 began on a Thursday
	return int(((h % 168) + 168) % 168)
}

// day returns the local date.
func (z *zone) day(unix int64) ledger.Day {
	s := unix + z.shift(unix)
	if s < 0 {
		s -= 86399
	}
	return ledger.Day(s / 86400)
}

// WeatherRow is one hour of one region, as observed or as it was forecast.
type WeatherRow struct {
	Region          string
	Hour            time.Time
	KnownAt         time.Time
	Observed        bool
	TemperatureC    float64
	PrecipitationMM float64
	SunshineMin     float64
}

// weatherHour is an hour as it came and as it was forecast.
type weatherHour struct{ sun, rain, temperature, sunForecast, rainForecast, temperatureForecast float32 }

// sky is the weather of one region, day after day.
type sky struct {
	place *Place
	zone  *zone
	rng   *rand.Rand // own clouds
	front *rand.Rand // clouds shared by all regions: the same stream for each
	error float64
	first int64 // hour since 1970 of hours[0]
	hours []weatherHour
	cloud float64
}

// until lays out the weather up to and including the hour.
func (s *sky) until(hour int64) {
	for s.first+int64(len(s.hours)) <= hour {
		s.nextDay()
	}
}

// nextDay draws 24 hours: a cloud cover that wanders from day to day, shared
// for the larger part with the other regions, sunshine where the sun is up and
// the clouds leave it, rain under thick clouds.
func (s *sky) nextDay() {
	start := s.first + int64(len(s.hours))
	noon := time.Unix((start+12)*3600, 0).UTC()
	year := 2 * math.Pi * float64(noon.YearDay()-1) / 365.25
	s.cloud = 0.7*s.cloud + 0.714*(0.8*s.front.NormFloat64()+0.6*s.rng.NormFloat64())
	warm := s.rng.NormFloat64() * 2.5
	miss := s.rng.NormFloat64() * s.error
	declination := -0.409 * math.Cos(year+0.17)
	phi := s.place.Latitude * math.Pi / 180
	for h := range int64(24) {
		unix := (start + h) * 3600
		local := float64((unix+s.zone.shift(unix))%86400)/3600 + 0.5
		up := math.Sin(phi)*math.Sin(declination) + math.Cos(phi)*math.Cos(declination)*math.Cos((local-13)*math.Pi/12)
		cover := logistic(1.6*s.cloud + 0.25*math.Cos(year) + 0.8*s.rng.NormFloat64())
		drops, doubt := s.rng.ExpFloat64(), s.rng.NormFloat64()*s.error
		seen := min(1, max(0, cover+miss+doubt))
		mean := 10.5 - 7.5*math.Cos(year) - 3.5*math.Cos((local-3)*math.Pi/12) + warm
		s.hours = append(s.hours, weatherHour{
			sun: float32(sunshine(up, cover)), rain: float32(rainfall(cover, drops)), temperature: float32(mean - 3*cover),
			sunForecast: float32(sunshine(up, seen)), rainForecast: float32(rainfall(seen, drops)), temperatureForecast: float32(mean - 3*seen + 4*miss),
		})
	}
}

// sunshine returns the sunny minutes of an hour with the sun's height up.
func sunshine(up, cover float64) float64 {
	if up <= 0.03 {
		return 0
	}
	return 60 * min(1, max(0, 1.15-1.3*cover))
}

// rainfall returns millimetres in an hour under a cloud cover.
func rainfall(cover, drops float64) float64 { return max(0, cover-0.72) * 5 * drops }

func (s *sky) at(unix int64) weatherHour {
	hour := unix / 3600
	s.until(hour)
	if hour < s.first {
		return weatherHour{}
	}
	return s.hours[hour-s.first]
}

// mood returns the factor by which weather multiplies availability of an
// archetype at a moment: with the weather that came, or as it was forecast.
func (s *sky) mood(effects []WeatherEffect, unix int64, hourOfDay int, forecast bool) float64 {
	x := 0.0
	for _, e := range effects {
		if hourOfDay < e.From || hourOfDay >= e.To {
			continue
		}
		w := s.at(unix)
		if forecast {
			w.sun, w.rain = w.sunForecast, w.rainForecast
		}
		if e.Signal == "sunshine" {
			x += e.Effect * float64(w.sun) / 60
		} else {
			x += e.Effect * min(1, float64(w.rain))
		}
	}
	if x == 0 {
		return 1
	}
	return math.Exp(x)
}
