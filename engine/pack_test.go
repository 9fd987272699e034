package engine

import (
	"errors"
	"strings"
	"testing"

	"rappel/datasets/ledger"
)

func TestShippedPacksNameTheirSources(t *testing.T) {
	packs, err := Packs()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"be-b2c", "be-b2b", "nl-b2c", "nl-b2b", "us-regf", "open"} {
		p := packs[id]
		if p == nil {
			t.Fatalf("no pack %q", id)
		}
		if p.Title == "" || p.Source == "" || len(p.Rules) == 0 {
			t.Errorf("%s: title %q, source %q, %d rules", id, p.Title, p.Source, len(p.Rules))
		}
		for i, r := range p.Rules {
			if r.Source == "" || len(r.Certainty) != 1 || !strings.Contains("ABCD", r.Certainty) {
				t.Errorf("%s rule %d (%s): source %q, certainty %q", id, i+1, r.Kind, r.Source, r.Certainty)
			}
		}
	}
}

func TestQuietHoursOfThePacks(t *testing.T) {
	packs, err := Packs()
	if err != nil {
		t.Fatal(err)
	}
	day := func(s string) ledger.Day {
		d, err := ledger.ParseDay(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	const monday, saturday, sunday = "2026-03-02", "2026-03-07", "2026-03-08"
	for _, c := range []struct {
		pack    string
		channel ledger.Channel
		day     string
		hour    int
		holiday bool
		quiet   bool
	}{
		// Besluit kwaliteit incassodienstverlening art. 4.2: 20:00 to 07:00, e-mail too.
		{"nl-b2c", ledger.Email, monday, 6, false, true},
		{"nl-b2c", ledger.Email, monday, 7, false, false},
		{"nl-b2c", ledger.Email, monday, 19, false, false},
		{"nl-b2c", ledger.Email, monday, 20, false, true},
		{"nl-b2c", ledger.Phone, saturday, 12, false, false},
		{"nl-b2c", ledger.Email, sunday, 12, false, true},
		{"nl-b2c", ledger.SMS, monday, 12, true, true},
		{"be-b2c", ledger.Phone, monday, 7, false, true},
		{"be-b2c", ledger.Phone, monday, 8, false, false},
		{"be-b2c", ledger.Phone, monday, 22, false, true},
		{"be-b2c", ledger.Email, sunday, 12, false, true},
		{"be-b2c", ledger.Letter, monday, 12, true, true},
		{"be-b2b", ledger.Email, monday, 7, false, false},
		// Regulation F: 8 to 21 at the debtor's place, Sundays too; letters at any hour.
		{"us-regf", ledger.Phone, monday, 7, false, true},
		{"us-regf", ledger.Phone, monday, 8, false, false},
		{"us-regf", ledger.Phone, monday, 20, false, false},
		{"us-regf", ledger.Phone, monday, 21, false, true},
		{"us-regf", ledger.Phone, sunday, 12, true, false},
		{"us-regf", ledger.Letter, monday, 7, false, false},
		{"open", ledger.Email, monday, 7, false, true},
		{"open", ledger.Email, sunday, 8, true, false},
		{"open", ledger.Email, monday, 20, false, true},
	} {
		p, weekday := packs[c.pack], (int(day(c.day).Weekday())+6)%7
		if got := p.quiet[c.channel][c.hour] != 0 || p.quietDay(c.channel, weekday, c.holiday); got != c.quiet {
			t.Errorf("%s: %v on %s at %d:00, holiday %v: quiet %v, want %v", c.pack, c.channel, c.day, c.hour, c.holiday, got, c.quiet)
		}
	}
}

// Art. XIX.2: fourteen calendar days, from the next day after an e-mail, from
// the third working day after a letter was sent.
func TestEarliestFormalDateInBelgium(t *testing.T) {
	d := newDesk(t, nil)
	var rule Rule
	for _, r := range d.packs["be-b2c"].formal {
		rule = r
	}
	for _, c := range []struct {
		channel    ledger.Channel
		sent, want string
	}{
		{ledger.Email, "2026-03-02", "2026-03-17"},  // Monday; begins the 3rd
		{ledger.Email, "2026-02-20", "2026-03-07"},  // counts calendar days, over the month's end
		{ledger.Letter, "2026-03-02", "2026-03-19"}, // begins Thursday the 5th
		{ledger.Letter, "2026-03-06", "2026-03-25"}, // Friday: Monday, Tuesday, Wednesday the 11th
		{ledger.Letter, "2026-04-30", "2026-05-20"}, // 1 May and the weekend do not count: the 6th
		{ledger.Letter, "2026-12-23", "2027-01-12"}, // nor do Christmas and the weekend: the 29th
		{ledger.Email, "2028-02-28", "2028-03-14"},  // 29 February counts
	} {
		sent, err := ledger.ParseDay(c.sent)
		if err != nil {
			t.Fatal(err)
		}
		holiday := func(x ledger.Day) bool { return d.calendar.Load().has("BE", x) }
		if got := earliestFormal(rule, c.channel, sent, holiday).String(); got != c.want {
			t.Errorf("%v sent %s: %s, want %s", c.channel, c.sent, got, c.want)
		}
	}
}

func TestBadPacksAreRefused(t *testing.T) {
	const rule = "id: x\nrules:\n  - {kind: consent, source: s, certainty: A}\n  - "
	for _, c := range []struct {
		name, text, want string
	}{
		{"no id", "title: x\n", "id is missing"},
		{"unknown key", "id: x\nrule: []\n", "not found"},
		{"unknown kind", rule + "{kind: silence, source: s, certainty: A}\n", `policy pack "x": rule 2: unknown kind "silence"`},
		{"no source", rule + "{kind: consent, certainty: A}\n", `policy pack "x": rule 2: source is missing`},
		{"no certainty", rule + "{kind: consent, source: s}\n", `policy pack "x": rule 2: certainty "" is none of A, B, C, D`},
		{"channel", rule + "{kind: consent, channels: [fax], source: s, certainty: A}\n", `rule 2: unknown channel "fax"`},
		{"hour", rule + "{kind: quiet_hours, from: '20:30', to: '07:00', source: s, certainty: A}\n", `rule 2: from: "20:30" is not a full hour`},
		{"day", rule + "{kind: quiet_days, days: [zondag], source: s, certainty: A}\n", `rule 2: unknown day "zondag"`},
		{"frequency", rule + "{kind: frequency, max: 3, source: s, certainty: A}\n", "rule 2: frequency needs"},
		{"after", rule + "{kind: frequency, gap_days: 3, after: lunch, source: s, certainty: A}\n", `rule 2: after "lunch"`},
		{"tone", rule + "{kind: escalation, tone: angry, source: s, certainty: A}\n", `rule 2: unknown tone "angry"`},
		{"notice", rule + "{kind: notice, source: s, certainty: A}\n", "rule 2: notice needs a text"},
		{"many", "id: x\nrules:\n" + strings.Repeat("  - {kind: consent, source: s, certainty: A}\n", 201), "more than 200 rules"},
	} {
		_, err := ParsePack([]byte(c.text))
		var fault *PackError
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func FuzzPack(f *testing.F) {
	entries, err := packFiles.ReadDir("packs")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		b, err := packFiles.ReadFile("packs/" + e.Name())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("id: x\nrules:\n  - {kind: quiet_hours, from: '23:00', to: '23:00', source: s, certainty: A}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePack(b)
		if err != nil {
			if fault := (*PackError)(nil); !errors.As(err, &fault) {
				t.Errorf("%v is no PackError", err)
			}
			return
		}
		if p.ID == "" {
			t.Error("a pack without id was taken")
		}
		for i := range p.Rules {
			if p.Rules[i].Source == "" {
				t.Errorf("rule %d without source was taken", i+1)
			}
		}
	})
}
