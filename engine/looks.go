package engine

import (
	"maps"
	"math"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/models"
	"rappel/models/timing"
)

// looks is when one debtor noticed messages, and when it could have: by hour of
// the week, old messages weighing less.
//
// An hour in which a message lay unread counts by how fast messages of that
// channel and age are noticed (timing.Speed), so that seen over lain is the
// availability alone: counted alike at every age, the hour at which a creditor
// always sends looks the best one, and stays it. A channel on which this debtor
// never showed a sign tells nothing of its hours.
type looks struct {
	seen, lain [timing.Hours]float32
	dated      [timing.Days]float32 // signs of which only the day is known, by weekday
}

// forgotten is after how many half-lives a message tells nothing any more.
const forgotten = 6

// look fills k from the contacts of an account as of a moment.
func (k *looks) look(a *account, at int64, loc *time.Location, m *models.Model) {
	*k = looks{}
	first, _ := a.firstSigns(at)
	days := a.firstDays(at, loc)
	shows := shows(a, first, days)
	for i := range a.contacts {
		if c := &a.contacts[i]; c.at <= at && shows[c.channel] {
			k.add(c, first[i], days[i], at, loc, m, 1)
		}
	}
	k.views(a, at, loc, m)
}

// add counts one contact, first noticed at a moment or known by date to have been
// on a day (0: neither); a share of −1 takes it out again.
func (k *looks) add(c *contact, first int64, day ledger.Day, at int64, loc *time.Location, m *models.Model, share float64) {
	age := float64(at-c.at) / 86400
	if c.channel == ledger.Letter || age > forgotten*m.HalfLife {
		return
	}
	weight := share * math.Exp2(-age/m.HalfLife)
	end := min(c.at+exposed*3600, at)
	if c.channel == ledger.Phone {
		end = min(end, c.at+3600) // answered at once or not at all
	}
	switch {
	case first != 0:
		end = min(end, first+1)
		k.seen[hourOfWeek(first, loc)] += float32(weight)
	case day != 0:
		end = min(end, (day + 1).In(loc).Unix())
		k.dated[weekdayOf(day)] += float32(weight)
	}
	speed := &m.Speeds[c.channel]
	how, local := hourOfWeek(c.at, loc), time.Unix(c.at, 0).In(loc)
	next := c.at + 3600 - int64(local.Minute()*60+local.Second()) // the end of the local hour
	for t := c.at; t < end; next += 3600 {
		until := min(next, end)
		age := int32((t + until - 2*c.at) / 7200)
		lain := weight * speed.At(age) * float64(until-t) / 3600
		k.lain[how] = float32(max(float64(k.lain[how])+lain, 0))
		if how++; how == timing.Hours {
			how = 0
		}
		t = until
	}
}

// views counts what a debtor did of its own accord, and upon letters: as often as
// it may have done so at any hour, so that its hours speak and its number does
// not.
func (k *looks) views(a *account, at int64, loc *time.Location, m *models.Model) {
	total := 0.0
	for i := range a.signs {
		s := &a.signs[i]
		age := float64(at-s.at) / 86400
		if s.at > at || age > forgotten*m.HalfLife || s.ref >= 0 && a.contacts[s.ref].channel != ledger.Letter || !a.attention(s, s.ref, at) {
			continue
		}
		w := math.Exp2(-age / m.HalfLife)
		if how := hourOfWeek(s.at, loc); s.precise {
			k.seen[how] += float32(w)
		} else {
			k.dated[how/24] += float32(w)
		}
		total += w
	}
	if total == 0 {
		return
	}
	var usual [timing.Hours]float64
	m.Timing.Posterior(&usual, nil, nil, -1)
	sum := 0.0
	for _, v := range usual {
		sum += v
	}
	for h := range k.lain {
		k.lain[h] += float32(total / sum)
	}
}

// shows tells on which channels a debtor ever gave a sign.
func shows(a *account, first []int64, days []ledger.Day) (shows [ledger.Channels]bool) {
	for i := range first {
		if first[i] != 0 || days[i] != 0 {
			shows[a.contacts[i].channel] = true
		}
	}
	return shows
}

// look finds the looks of all accounts of a book with signs.
func (e *Engine) look(b *book, l *learned) {
	if l.looks == nil {
		l.looks = map[ledger.Key]*looks{}
	}
	var f facts
	at := l.asOf.Unix()
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, a := range b.accounts {
		if len(a.signs) == 0 {
			continue
		}
		f.place(a, at, e.zone, b.location.Load())
		k := l.looks[a.key]
		if k == nil {
			k = new(looks)
			l.looks[a.key] = k
		}
		k.look(a, at, f.loc, l.model)
	}
}

// rowsOfLooks lists the looks of books, debtor by debtor, for the fit of hours.
func (e *Engine) rowsOfLooks(l *learned, books []*book) timing.Rows {
	var rows timing.Rows
	var f facts
	var seen [timing.Hours]float32
	at := l.asOf.Unix()
	for _, b := range books {
		b.mu.RLock()
		for _, id := range slices.Sorted(maps.Keys(b.accounts)) {
			a := b.accounts[id]
			k := l.looks[a.key]
			if k == nil {
				continue
			}
			f.place(a, at, e.zone, b.location.Load())
			profile := l.model.Profile(models.ProfileKey(string(f.profile.Kind), sectorOf(f.profile.Sector), ""))
			l.model.Timing.Impute(&seen, &k.seen, &k.lain, &k.dated, profile)
			rows.Counts = append(rows.Counts, seen[:]...)
			rows.Exposure = append(rows.Exposure, k.lain[:]...)
			rows.Profile = append(rows.Profile, int32(profile))
		}
		b.mu.RUnlock()
	}
	return rows
}
