package world

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDecodeRefuses(t *testing.T) {
	good := string(DefaultYAML())
	cases := []struct{ name, from, to, want string }{
		{"unknown key", "version: 1", "version: 1\nlunch: 12", "lunch"},
		{"another version", "version: 1", "version: 2", "version 2"},
		{"a second document", "version: 1", "version: 1\n---\nversion: 1", ""},
		{"unknown zone", "timezone: Europe/Brussels", "timezone: Europe/Bruges", "Europe/Bruges"},
		{"a channel too many", "  sms: ", "  fax: ", "fax"},
		{"probability above one", "bounce: 0.03", "bounce: 3", "bounce"},
		{"not a number", "fade_days: 6", "fade_days: .nan", "fade_days"},
		{"hazard that goes back in time", "[-12, 0], [-8, 0.05]", "[-8, 0], [-12, 0.05]", "rise"},
		{"unknown payer", "payers: {early: 5, on_time: 20", "payers: {earlier: 5, on_time: 20", "earlier"},
		{"unknown weekday", "days: tue-sun", "days: tue-sumday", "tue-sumday"},
		{"days backwards", "days: tue-sun", "days: sun-tue", "sun-tue"},
		{"unknown signal", "signal: sunshine", "signal: moonshine", "moonshine"},
		{"kind of debtor", "kind: consumer", "kind: cat", "cat"},
		{"negative share", "share: 22", "share: -22", "places[0]"},
		{"a month short", "season: [0.00, ", "season: [", "11 months"},
		{"two archetypes of one name", "name: contractor", "name: restaurant", "name"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(good, c.from) {
				t.Fatalf("the default world has no %q", c.from)
			}
			_, err := Decode(strings.NewReader(strings.Replace(good, c.from, c.to, 1)))
			if !errors.Is(err, ErrSpec) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Decode() = %v, want ErrSpec about %q", err, c.want)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "world.yaml")
	if err := os.WriteFile(path, DefaultYAML(), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Errorf("Load(the default) = %v", err)
	}
	if _, err := Load(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load(missing) = %v, want ErrNotExist", err)
	}
}

// FuzzDecode holds Decode to its promise: an error that wraps ErrSpec, or a
// world that can be played.
func FuzzDecode(f *testing.F) {
	f.Add(DefaultYAML())
	f.Add([]byte("version: 1\n"))
	f.Add([]byte("version: [1]\n"))
	f.Add(bytes.Replace(DefaultYAML(), []byte("days: all"), []byte("days: mon,wed-fri"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrSpec) {
				t.Fatalf("Decode() = %v, does not wrap ErrSpec", err)
			}
			return
		}
		w := New(s, 3, 1, monday)
		w.Opening()
		for day := range 3 {
			w.StepDay(day, nil)
		}
	})
}
