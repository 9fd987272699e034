package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
	"rappel/models/timing"
)

// availability fills dst with the hazard at which a debtor notices, by hour of
// the week. Where the hours of its profile were refuted, every hour is alike,
// and cost, cadence and pay runs decide.
func (l *learned) availability(dst *[timing.Hours]float64, h *habit) {
	l.model.Timing.Posterior(dst, h.opens, h.exposure, h.profile)
	if !l.model.FlatHours(h.profile) {
		return
	}
	mean := 0.0
	for _, v := range dst {
		mean += v / timing.Hours
	}
	for i := range dst {
		dst[i] = mean
	}
}

// TimingReport says what a training found about hours.
type TimingReport struct {
	timing.Report
	HalfLife float64          `json:"half_life_days"` // of openings
	Groups   int              `json:"groups"`         // kept, of those learnt from behaviour
	Hours    HoursReport      `json:"hours"`
	Weather  []WeatherSectors `json:"weather"` // by sector with signs and weather
}

// HoursReport says whether the hour of sending matters.
type HoursReport struct {
	All      timing.Effect            `json:"all"`
	Profiles map[string]timing.Effect `json:"profiles"` // those of which something can be told
	Flat     []string                 `json:"flat"`     // profiles whose hours are set aside
}

// WeatherSectors says whether the weather moves the hours of a sector.
type WeatherSectors struct {
	Sector string  `json:"sector"`
	P      float64 `json:"p"`
	Gain   float64 `json:"gain"` // nats an event, held out
	Kept   bool    `json:"kept"`
}

// timingWindow is how far back contacts tell of noticing, in seconds.
const timingWindow = 180 * 86400

// firstSigns returns, by contact, when a person first noticed it, 0 for never
// or not to the hour, and whether any was.
func (a *account) firstSigns(at int64) (first []int64, any bool) {
	first = make([]int64, len(a.contacts))
	for k := range a.signs {
		s := &a.signs[k]
		if s.at <= at && s.precise && s.ref >= 0 && first[s.ref] == 0 && a.attention(s, s.ref, at) {
			first[s.ref], any = s.at, true
		}
	}
	return first, any
}

// firstDays returns, by contact, the day on which a person first noticed it where
// only the day is known; 0: never, or not by date alone.
func (a *account) firstDays(at int64, loc *time.Location) []ledger.Day {
	days := make([]ledger.Day, len(a.contacts))
	for k := range a.signs {
		s := &a.signs[k]
		if s.at <= at && !s.precise && s.ref >= 0 && days[s.ref] == 0 && a.attention(s, s.ref, at) {
			days[s.ref] = ledger.DayOf(time.Unix(s.at, 0), loc)
		}
	}
	return days
}

// hourOfWeek returns the hour of the week of a moment, Monday 00:00 is 0.
func hourOfWeek(unix int64, loc *time.Location) int {
	t := time.Unix(unix, 0).In(loc)
	return (int(t.Weekday())+6)%7*24 + t.Hour()
}

// maxNotices bounds the messages that a half-life is chosen on.
const maxNotices = 10_000

// exposed is how many hours a message is taken to lie unread.
const exposed = 96

// chooseHalfLife chooses, for all books, how fast openings are forgotten: as foretells
// best when the next message of a debtor is noticed. Where
// too little was seen, what was believed stays.
func (e *Engine) chooseHalfLife(m *models.Model, asOf time.Time, books ...*book) error {
	const enough = 200
	at := asOf.Unix()
	var notices []timing.Notice
	var f facts
	id := int32(0)
	for _, b := range books {
		b.mu.RLock()
		for _, key := range slices.Sorted(maps.Keys(b.accounts)) {
			a := b.accounts[key]
			n := len(notices)
			id++
			first, any := a.firstSigns(at)
			if !any {
				continue
			}
			f.place(a, at, e.zone, b.location.Load())
			profile := int32(m.Profile(models.ProfileKey(string(f.profile.Kind), sectorOf(f.profile.Sector), "")))
			for i, s := range first {
				c := &a.contacts[i]
				if s == 0 || s < c.at || s > c.at+exposed*3600 {
					continue
				}
				notices = append(notices, timing.Notice{
					Debtor: id, Profile: profile, Hour: int32(hourOfWeek(s, f.loc)), Waited: int32((s - c.at) / 3600), Day: float64(s) / 86400,
					Speed: &m.Speeds[c.channel],
				})
			}
			if len(notices)-n < 2 {
				notices = notices[:n] // one alone foretells nothing
			}
			if len(notices) >= maxNotices {
				break
			}
		}
		b.mu.RUnlock()
	}
	if len(notices) < enough {
		return nil
	}
	best, _, err := m.Timing.HalfLife(notices, timing.HalfLives())
	if err != nil {
		return err
	}
	m.HalfLife = best
	return nil
}

// learnPermutations is how fine the p-values are of a learning, trainPermutations
// those of a training.
const learnPermutations, trainPermutations = 999, 9999

// maxTrials bounds the contacts that the test of hours looks at.
const maxTrials = 20_000

// trials lists the contacts of the last half year with the hour of sending,
// whether they were noticed in time, and what the model foretells of each from
// half of the others. Only debtors
// who show signs on the channel can tell. Debtors are numbered from *stratum
// on; every so many is taken.
func (e *Engine) trials(trials []timing.Trial, b *book, l *learned, stratum *int32, every int) []timing.Trial {
	at := l.asOf.Unix()
	var f facts
	var h habit
	var slot [1]int32
	var chance [1]float64
	b.mu.RLock()
	defer b.mu.RUnlock()
	for k, id := range slices.Sorted(maps.Keys(b.accounts)) {
		a := b.accounts[id]
		if k%every != 0 || len(a.contacts) < 2 {
			continue
		}
		first, any := a.firstSigns(at)
		if !any {
			continue
		}
		f.place(a, at, e.zone, b.location.Load())
		days := a.firstDays(at, f.loc)
		shows := shows(a, first, days)
		l.habit(&h, a.key, &f)
		// Each half of the contacts is foretold from the other: what is foretold of a
		// contact must not know what came of it, nor of those it is compared with.
		var halves [2][timing.Hours]float64
		for fold := range halves {
			other := *l.looks[a.key]
			for i := fold; i < len(a.contacts); i += 2 {
				if c := &a.contacts[i]; c.at <= at && shows[c.channel] {
					other.add(c, first[i], days[i], at, f.loc, l.model, -1)
				}
			}
			for how := range other.seen {
				other.seen[how] = max(other.seen[how], 0)
			}
			l.model.Timing.Posterior(&halves[fold], &other.seen, &other.lain, h.profile)
		}
		for i := range a.contacts {
			c := &a.contacts[i]
			within := int64(withinHours[c.channel]) * 3600
			if c.at+within > at || c.at < at-timingWindow || c.channel == ledger.Letter || !shows[c.channel] {
				continue
			}
			slot[0] = int32(hourOfWeek(c.at, f.loc))
			timing.NoticedWithin(chance[:], &halves[i%2], l.model.Speeds[c.channel], slot[:], withinHours[c.channel])
			t := timing.Trial{Hour: slot[0], Stratum: *stratum + int32(2*int(c.channel)+i%2), Profile: int32(h.profile), Expected: chance[0]}
			if s := first[i]; s != 0 && s < c.at+within {
				t.Outcome = 1
			}
			trials = append(trials, t)
		}
		*stratum += 2 * ledger.Channels
	}
	return trials
}

// testHours sets aside the hours of all, or of profiles, where they are refuted.
func (e *Engine) testHours(l *learned, permutations int, books ...*book) (HoursReport, error) {
	m := l.model
	contacts := 0
	for _, b := range books {
		b.mu.RLock()
		for _, a := range b.accounts {
			contacts += len(a.contacts)
		}
		b.mu.RUnlock()
	}
	var trials []timing.Trial
	stratum := int32(0)
	for _, b := range books {
		trials = e.trials(trials, b, l, &stratum, contacts/maxTrials+1)
	}
	opt := timing.DefaultEffectOptions()
	opt.Permutations = permutations
	all, by, err := timing.HoursMatter(trials, len(m.Profiles), opt)
	if err != nil {
		return HoursReport{}, err
	}
	r := HoursReport{All: all, Profiles: map[string]timing.Effect{}, Flat: []string{}}
	m.Flat = make([]int32, 1+len(by))
	if all.Refuted() {
		m.Flat[0] = 1
	}
	for p, x := range by {
		// A profile that says nothing of itself goes with all.
		if x.Refuted() || m.Flat[0] == 1 && !x.Claimed {
			m.Flat[1+p] = 1
			r.Flat = append(r.Flat, m.Profiles[p])
		}
		if x.Informed > 0 {
			r.Profiles[m.Profiles[p]] = x
		}
	}
	return r, nil
}

// fitTiming estimates hours, speeds, whether hours matter, and what the weather
// does to them, from the books that l has the vectors of.
func (e *Engine) fitTiming(l *learned, seed uint64, permutations int, books ...*book) (TimingReport, error) {
	m := l.model
	r := TimingReport{HalfLife: m.HalfLife}
	// Hours are what noticing leaves when speeds are taken out, and the other way
	// round: each is fitted given the other, hours last.
	for round := range 2 {
		l.looks = nil
		for _, b := range books {
			e.look(b, l)
		}
		if err := m.FitTiming(e.rowsOfLooks(l, books), seed); err != nil {
			return r, err
		}
		if round > 0 {
			break
		}
		var delays []timing.Delay
		for _, b := range books {
			delays = append(delays, e.delays(b, l)...)
		}
		if len(delays) == 0 {
			break
		}
		speeds, err := timing.FitSpeed(delays, models.PriorSpeeds(), 20)
		if err != nil {
			return r, fmt.Errorf("speeds: %w", err)
		}
		m.Speeds = speeds
	}
	for _, b := range books {
		e.look(b, l) // as a restart will
	}
	r.Report, r.Groups = m.Timing.Report, len(m.Timing.Groups)/timing.Hours
	var err error
	if r.Hours, err = e.testHours(l, permutations, books...); err != nil {
		return r, err
	}
	r.Weather, err = e.fitWeather(l, permutations, books...)
	return r, err
}

// delays lists the contacts of the last half year and when a person noticed
// them, debtor by debtor.
func (e *Engine) delays(b *book, l *learned) []timing.Delay {
	const long = 336 * 3600
	at := l.asOf.Unix()
	var delays []timing.Delay
	var f facts
	var h habit
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, id := range slices.Sorted(maps.Keys(b.accounts)) {
		a := b.accounts[id]
		if len(a.contacts) == 0 {
			continue
		}
		first, any := a.firstSigns(at)
		if !any {
			continue // a feed without signs teaches nothing of noticing
		}
		f.place(a, at, e.zone, b.location.Load())
		l.habit(&h, a.key, &f)
		days := a.firstDays(at, f.loc)
		shows := shows(a, first, days)
		avail := &[timing.Hours]float64{}
		l.model.Timing.Posterior(avail, h.opens, h.exposure, h.profile)
		for i := range a.contacts {
			c := &a.contacts[i]
			if c.at > at || c.at < at-timingWindow || c.channel == ledger.Letter || !shows[c.channel] || days[i] != 0 {
				continue
			}
			d := timing.Delay{
				Channel: int32(c.channel), Sent: int32(hourOfWeek(c.at, f.loc)), Avail: avail,
				Hours: float64(min(at-c.at, long)) / 3600,
			}
			if s := first[i]; s >= c.at && s > 0 {
				d.Hours, d.Noticed = float64(s-c.at)/3600, true
			}
			delays = append(delays, d)
		}
	}
	return delays
}
