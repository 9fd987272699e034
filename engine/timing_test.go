package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"rappel/datasets/ledger"
	"rappel/features/signal"
	"rappel/models/timing"
)

// kitchens fills an office with restaurants that get an e-mail every third day
// at a random hour for so many weeks, and look at it, and pay a bill, with a
// probability that rate gives for each hour (0 to 23, local) and sunshine, less
// when the e-mail is hours old.
func kitchens(o *office, debtors, weeks int, start time.Time, sunny func(day int) bool, rate func(hour int, sun bool) float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	zone := o.zone("Europe/Brussels")
	for d := range debtors {
		id := fmt.Sprintf("k%02d", d)
		lines := []string{
			fmt.Sprintf("debtor.upserted %s {\"kind\":\"business\",\"timezone\":\"Europe/Brussels\",\"country\":\"BE\",\"postcode\":\"9000\",\"sector_code\":\"56101\",\"channels\":[{\"channel\":\"email\",\"reachable\":true,\"consent\":true}]}", start.Format(time.RFC3339)),
			fmt.Sprintf("invoice.issued %[1]s {\"invoice_id\":\"i%[2]s\",\"issued_at\":\"%[3]s\",\"due_on\":\"%[3]s\",\"amount\":5000,\"currency\":\"EUR\"}", start.Format(time.RFC3339), id, start.Format(time.DateOnly)),
		}
		for k := 0; 3*k < 7*weeks; k++ {
			sent := start.AddDate(0, 0, 3*k).Add(time.Duration(8+rng.IntN(12)) * time.Hour)
			bill := fmt.Sprintf("%s-%d", id, k)
			lines = append(lines, fmt.Sprintf("invoice.issued %[1]s {\"invoice_id\":\"%[2]s\",\"issued_at\":\"%[3]s\",\"due_on\":\"%[3]s\",\"amount\":50,\"currency\":\"EUR\"}",
				sent.AddDate(0, 0, -2).Format(time.RFC3339), bill, sent.AddDate(0, 0, -2).Format(time.DateOnly)))
			lines = append(lines, fmt.Sprintf("contact.sent %s {\"contact_id\":\"%s-%d\",\"channel\":\"email\"}", sent.Format(time.RFC3339), id, k))
			for t := sent.Add(time.Duration(1+rng.IntN(59)) * time.Minute); t.Before(sent.Add(72 * time.Hour)); t = t.Add(time.Hour) {
				local := t.In(zone)
				chance := rate(local.Hour(), sunny(int(t.Sub(start).Hours()/24)))
				if t.Sub(sent) > 4*time.Hour {
					chance *= 0.2 // it lies below others by now
				}
				if rng.Float64() < chance {
					lines = append(lines, fmt.Sprintf("contact.opened %s {\"contact_id\":\"%s-%d\"}", t.Format(time.RFC3339), id, k),
						fmt.Sprintf("payment.received %s {\"payment_id\":\"p%[2]s\",\"invoice_id\":\"%[2]s\",\"amount\":50,\"method\":\"app\"}", t.Format(time.RFC3339), bill))
					break
				}
			}
		}
		o.tell(id, lines...)
	}
}

// TestARestaurantOnASunnyDayIsAskedBefore: where the sun keeps restaurants from
// their mail from noon on, learning finds it for them, a sunny forecast moves
// the question to the morning, a grey one does not, and the answer says why.
func TestARestaurantOnASunnyDayIsAskedBefore(t *testing.T) {
	o := newOffice(t)
	c := DefaultCreditor("c")
	c.Value.Annoyance = 0
	c.Cadence = Cadence{}
	if err := o.PutCreditor(t.Context(), c, "test"); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	const weeks = 20
	rng := rand.New(rand.NewPCG(3, 4))
	bright := make([]bool, 7*weeks+9)
	for i := range bright {
		bright[i] = rng.Float64() < 0.5
	}
	sunny := func(day int) bool { return bright[day] }
	kitchens(o, 60, weeks, start, sunny, func(hour int, sun bool) float64 {
		switch {
		case hour >= 9 && hour < 12:
			return 0.16
		case hour >= 12 && hour < 21 && sun:
			return 0.02
		case hour >= 12 && hour < 21:
			return 0.32
		}
		return 0.005
	})
	end := start.AddDate(0, 0, 7*weeks)
	// The forecast of the day after the end is the question: it comes in two ways.
	ask := func(sun bool) *Decision {
		t.Helper()
		var hours []signal.Hour
		now := end.Add(time.Hour)
		if sun {
			now = now.Add(time.Hour)
		}
		for day := range 7*weeks + 8 {
			for h := range 24 {
				at := start.AddDate(0, 0, day).Add(time.Duration(h) * time.Hour)
				x := signal.Hour{Region: "BE90", Start: at, Known: at.Add(-48 * time.Hour), Precipitation: 0, Temperature: math.NaN()}
				bright := sunny(day)
				if day >= 7*weeks {
					x.Known, bright = now.Add(-time.Minute), sun
				}
				if bright && h >= 7 && h < 19 {
					x.Sunshine = 60
				}
				hours = append(hours, x)
			}
		}
		if err := signal.Write(t.Context(), o.store, hours, nil, nil); err != nil {
			t.Fatal(err)
		}
		o.learn(now)
		d, err := o.Recommend(t.Context(), Request{Creditor: "c", Debtor: "k00", AsOf: now, Language: "nl", HorizonDays: 1})
		if err != nil {
			t.Fatal(err)
		}
		if d.Action != ActionContact {
			t.Fatalf("%s %s, want a contact: %+v", d.Action, d.HoldReason, d.Reasons)
		}
		return d
	}
	grey, sun := ask(false), ask(true)
	m := o.books["c"].learned.Load().model
	if len(m.WeatherSectors) != 1 || m.Weather.Kept[0] != 1 {
		t.Fatalf("the weather moves sectors %v: %v, want restaurants kept", m.WeatherSectors, m.Weather.Kept)
	}
	// Early afternoon: from 0.32 to 0.02 an hour is a factor e^−2.8, between no sun
	// and a full hour of it, which are 1/0.3 units apart. Shrinking to 0 and a few
	// hundred openings leave a quarter of doubt (models/timing holds a fifth of it).
	if beta, want := m.Weather.Beta[4*weatherSignals], -2.8*unusual; math.Abs(beta/want-1) > 0.25 {
		t.Errorf("effect of sun in the early afternoon %.2f, want %.2f within a quarter", beta, want)
	}
	if h := grey.SendAt.Hour(); h < 11 {
		t.Errorf("asked at %d:00 on a grey day, want towards the afternoon", h)
	}
	if h := sun.SendAt.Hour(); h >= 11 {
		t.Errorf("asked at %d:00 on a sunny day, want in the morning", h)
	}
	found := ""
	for _, r := range sun.Reasons {
		if r.Code == "WEATHER" {
			found = r.Text
		}
	}
	if found != sentences["WEATHER"][dutch] {
		t.Errorf("reasons %+v do not say that it is the weather", sun.Reasons)
	}
	// A restart changes nothing, of what is asked now or of what was asked before.
	o.reopen()
	for _, want := range []*Decision{grey, sun} {
		got, err := o.Recommend(t.Context(), Request{Creditor: "c", Debtor: "k00", AsOf: want.DecidedAt, Language: "nl", HorizonDays: 1})
		if err != nil {
			t.Fatal(err)
		}
		if !got.SendAt.Equal(*want.SendAt) || got.Expected != want.Expected {
			t.Errorf("as of %s after a restart: %s %+v, before %s %+v", want.DecidedAt, got.SendAt, got.Expected, want.SendAt, want.Expected)
		}
	}
}

// TestHoursThatDoNotMatterAreSetAside: where every e-mail is read within hours
// of its coming whatever the hour, no hour is claimed to be better than another;
// where they look at one time of day, it is.
func TestHoursThatDoNotMatterAreSetAside(t *testing.T) {
	for _, c := range []struct {
		name string
		rate func(hour int, sun bool) float64
		flat bool
	}{
		{"read at any hour", func(int, bool) float64 { return 0.05 }, true},
		{"read in the evening", func(hour int, _ bool) float64 {
			if hour >= 17 && hour < 22 {
				return 0.1
			}
			return 0.01
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOffice(t)
			start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
			kitchens(o, 40, 20, start, func(int) bool { return false }, c.rate)
			o.learn(start.AddDate(0, 0, 140))
			l := o.books["c"].learned.Load()
			p := l.model.Profile("business|56|")
			if p < 0 || l.model.FlatHours(p) != c.flat {
				t.Fatalf("profile %d, hours set aside: %v, want %v", p, l.model.FlatHours(p), c.flat)
			}
			var f facts
			var h habit
			a := o.books["c"].accounts["k00"]
			f.place(a, l.asOf.Unix(), o.zone, time.UTC)
			l.habit(&h, a.key, &f)
			var avail [timing.Hours]float64
			l.availability(&avail, &h)
			same := true
			for _, v := range avail {
				same = same && v == avail[0]
			}
			if same != c.flat {
				t.Errorf("availability alike at all hours: %v, want %v", same, c.flat)
			}
		})
	}
}

// TestSignsKnownByDateSpeakForTheWeekday: a feed without hours still teaches on
// which days a debtor looks.
func TestSignsKnownByDateSpeakForTheWeekday(t *testing.T) {
	o := newOffice(t)
	start := time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC) // a Monday
	o.tell("d", "debtor.upserted 2026-01-05T08:00:00Z {\"kind\":\"business\",\"timezone\":\"Europe/Brussels\",\"country\":\"BE\",\"sector_code\":\"56101\"}",
		"invoice.issued 2026-01-05T08:00:00Z {\"invoice_id\":\"i\",\"issued_at\":\"2026-01-05\",\"due_on\":\"2026-01-06\",\"amount\":50,\"currency\":\"EUR\"}")
	for k := range 12 {
		sent := start.AddDate(0, 0, 7*k)
		o.tell("d", fmt.Sprintf("contact.sent %s {\"contact_id\":\"%d\",\"channel\":\"letter\"}", sent.Format(time.RFC3339), k),
			fmt.Sprintf("contact.replied %s {\"contact_id\":\"%d\",\"precision\":\"date\"}", sent.AddDate(0, 0, 3).Format(time.RFC3339), k))
	}
	o.learn(start.AddDate(0, 0, 84))
	l := o.books["c"].learned.Load()
	var f facts
	var h habit
	f.place(o.books["c"].accounts["d"], l.asOf.Unix(), o.zone, time.UTC)
	l.habit(&h, ledger.Key{Creditor: "c", Debtor: "d"}, &f)
	var days [timing.Days]float64
	for i, v := range h.opens {
		days[i/24] += float64(v)
	}
	for d, v := range days {
		if want := d == 3; (v > 5) != want {
			t.Errorf("weekday %d: %.2f signs, want them on Thursday", d, v)
		}
	}
}
