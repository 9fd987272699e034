package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/features"
	"rappel/models/timing"
)

const (
	// weatherBlocks are the parts of a day that the weather may move each in its
	// own way, and weatherSignals sun and rain.
	weatherBlocks, weatherSignals = 8, 2
	// usualDays before an hour say what is usual at it for the season; fewer
	// than usualLeast known say nothing.
	usualDays, usualLeast = 28, 7
	// unusual is by how much sun, as a share of the hour, and rain, in mm up to
	// 1, commonly differ from the usual.
	unusual = 0.3
)

// skies are the departures of the weather from the usual, by region, as known
// before each hour.
type skies map[string]*departures

// departures are sun and rain of consecutive hours, from first on, in units of
// what is common; 0 where not known.
type departures struct {
	first int64 // hour since 1970
	x     [][weatherSignals]float64
}

// on returns the departures in an hour since 1970, 0 where not known.
func (d *departures) on(hour int64) [weatherSignals]float64 {
	if i := hour - d.first; d != nil && i >= 0 && i < int64(len(d.x)) {
		return d.x[i]
	}
	return [weatherSignals]float64{}
}

// weather reads that of the days before asOf and of those to come, as it could be
// known.
func (e *Engine) weather(ctx context.Context, asOf time.Time, days int) (skies, error) {
	rows, err := e.pipe.Outlook(ctx, asOf.AddDate(0, 0, -days-usualDays-1), asOf)
	if err != nil {
		return nil, fmt.Errorf("weather: %w", err)
	}
	s := make(skies, len(rows))
	for region, sky := range rows {
		s[region] = depart(sky)
	}
	return s, nil
}

// depart compares each hour with the same hour of the days before.
func depart(s *features.Sky) *departures {
	n := s.Hours[len(s.Hours)-1] - s.Hours[0] + 1
	known := make([]bool, n)
	level := make([][weatherSignals]float64, n)
	for k, h := range s.Hours {
		i := h - s.Hours[0]
		known[i], level[i] = true, [weatherSignals]float64{s.Sun[k], s.Wet[k]}
	}
	d := &departures{first: s.Hours[0], x: make([][weatherSignals]float64, n)}
	for i := range d.x {
		if !known[i] {
			continue
		}
		days := 0.0
		var sum [weatherSignals]float64
		for k := 1; k <= usualDays && i-24*k >= 0; k++ {
			if j := i - 24*k; known[j] {
				days++
				for v := range sum {
					sum[v] += level[j][v]
				}
			}
		}
		if days < usualLeast {
			continue
		}
		for v := range sum {
			d.x[i][v] = (level[i][v] - sum[v]/days) / unusual
		}
	}
	return d
}

// weatherSector is the sector of a debtor among those of the model; −1: none.
func (l *learned) weatherSector(sector string) int {
	i, ok := slices.BinarySearch(l.model.WeatherSectors, sectorOf(sector))
	if !ok {
		return -1
	}
	return i
}

// modulate changes the availability of a debtor by the weather forecast for the
// week from now on, and tells whether it moves anything.
func (l *learned) modulate(avail *[timing.Hours]float64, f *facts, h *habit) bool {
	m := &l.model.Weather
	sky, sector := l.sky[h.area], l.weatherSector(f.profile.Sector)
	if sky == nil || sector < 0 || m.Kept[sector] == 0 {
		return false
	}
	var x [timing.Hours * weatherSignals]float64
	start, now := hourOfWeek(f.at, f.loc), floorHour(f.at)
	for k := range timing.Hours {
		h := (start + k) % timing.Hours
		v := sky.on(now + int64(k))
		copy(x[h*weatherSignals:], v[:])
	}
	m.Modulate(avail, sector, x[:])
	return true
}

// fitWeather learns what the weather does to the hours of each sector. Each hour
// in which a message lay unread counts, with the hazard of noticing expected of
// it, for its sector, part of the day, date and region.
func (e *Engine) fitWeather(l *learned, permutations int, books ...*book) ([]WeatherSectors, error) {
	m, s := l.model, l.sky
	m.Weather, m.WeatherSectors = timing.Weather{}, nil
	if len(s) == 0 {
		return nil, nil
	}
	type cell struct {
		sector, area string
		day          ledger.Day
		block        int
	}
	type count struct {
		events, expected float64
		hours            float64
		x                [weatherSignals]float64
	}
	cells := map[cell]*count{}
	at := l.asOf.Unix()
	var f facts
	var h habit
	var avail [timing.Hours]float64
	for _, b := range books {
		b.mu.RLock()
		for _, id := range slices.Sorted(maps.Keys(b.accounts)) {
			a := b.accounts[id]
			first, any := a.firstSigns(at)
			if !any {
				continue
			}
			f.place(a, at, e.zone, b.location.Load())
			sector := sectorOf(f.profile.Sector)
			i, known := l.set.Row(a.key)
			if !known || sector == "" || s[l.set.Area[i]] == nil {
				continue
			}
			sky := s[l.set.Area[i]]
			l.habit(&h, a.key, &f)
			m.Timing.Posterior(&avail, h.opens, h.exposure, h.profile)
			for k := range a.contacts {
				c := &a.contacts[k]
				if c.at < at-timingWindow || c.channel == ledger.Letter || c.channel == ledger.Phone {
					continue
				}
				end := min(c.at+exposed*3600, at)
				noticed := first[k] >= c.at && first[k] < end && first[k] != 0
				if noticed {
					end = first[k] + 1
				}
				speed := &m.Speeds[c.channel]
				for t, age := c.at, int32(0); t < end; t, age = t+3600, age+1 {
					x := sky.on(floorHour(t))
					how := hourOfWeek(t, f.loc)
					key := cell{sector, l.set.Area[i], ledger.DayOf(time.Unix(t, 0), f.loc), how % 24 * weatherBlocks / 24}
					n := cells[key]
					if n == nil {
						n = &count{}
						cells[key] = n
					}
					n.expected += speed.At(age) * avail[how] * min(float64(end-t)/3600, 1)
					n.hours++
					for v := range x {
						n.x[v] += x[v]
					}
					if noticed && t+3600 >= end {
						n.events++
					}
				}
			}
		}
		b.mu.RUnlock()
	}
	if len(cells) == 0 {
		return nil, nil
	}
	names := map[string]bool{}
	for k := range cells {
		names[k.sector] = true
	}
	m.WeatherSectors = slices.Sorted(maps.Keys(names))
	var rows timing.WeatherRows
	order := slices.SortedFunc(maps.Keys(cells), func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.sector, b.sector), cmp.Compare(a.block, b.block), cmp.Compare(a.day, b.day), cmp.Compare(a.area, b.area))
	})
	firstDay := order[0].day
	for _, k := range order {
		firstDay = min(firstDay, k.day)
	}
	firstDay -= (firstDay + 3) % 7 // a Monday
	for _, k := range order {
		n := cells[k]
		if n.expected == 0 {
			continue
		}
		rows.Sector = append(rows.Sector, int32(l.weatherSector(k.sector)))
		rows.Block, rows.Day = append(rows.Block, int32(k.block)), append(rows.Day, int32(k.day-firstDay))
		rows.Events, rows.Expected = append(rows.Events, n.events), append(rows.Expected, n.expected)
		for _, x := range n.x {
			rows.X = append(rows.X, x/n.hours)
		}
	}
	opt := timing.DefaultWeatherOptions(len(m.WeatherSectors), weatherBlocks, weatherSignals)
	opt.Permutations = permutations
	fit, err := timing.FitWeather(rows, opt)
	if err != nil {
		return nil, err
	}
	m.Weather = *fit
	report := make([]WeatherSectors, len(m.WeatherSectors))
	for i, name := range m.WeatherSectors {
		report[i] = WeatherSectors{Sector: name, P: fit.P[i], Gain: fit.Gain[i], Kept: fit.Kept[i] == 1}
	}
	return report, nil
}

// floorHour is a moment's hour since 1970.
func floorHour(unix int64) int64 { return int64(math.Floor(float64(unix) / 3600)) }
