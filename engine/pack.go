package engine

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"rappel/datasets/ledger"
)

// Packs are the rules of law that ship with the binary, as data.
//
//go:embed packs/*.yaml
var packFiles embed.FS

// Pack is a set of rules on when, how often and over which channel a debtor
// may be asked. Every rule carries its source and how certain it is.
type Pack struct {
	ID     string `yaml:"id"`
	Title  string `yaml:"title"`
	Source string `yaml:"source"`
	Rules  []Rule `yaml:"rules"`

	quiet    [ledger.Channels][24]uint8 // index+1 of the rule that forbids the local hour; 0: allowed
	days     [ledger.Channels]uint8     // bit per weekday (0 = Monday) that is forbidden
	holiday  [ledger.Channels]bool      // public holidays are forbidden
	consent  [ledger.Channels]bool      // consent is required
	calendar []string                   // holiday calendars beside the debtor's country
	caps     []Rule                     // frequency rules
	formal   []Rule                     // escalation rules: what must precede a formal tone
}

// Rule is one rule of a pack.
type Rule struct {
	Kind      string   `yaml:"kind"` // quiet_hours quiet_days frequency consent escalation notice
	Channels  []string `yaml:"channels,omitempty"`
	From      string   `yaml:"from,omitempty"` // quiet_hours: local HH:MM, first forbidden
	To        string   `yaml:"to,omitempty"`   // quiet_hours: local HH:MM, first allowed again
	Days      []string `yaml:"days,omitempty"`
	Holidays  bool     `yaml:"holidays,omitempty"`
	Calendar  string   `yaml:"calendar,omitempty"`
	Max       int      `yaml:"max,omitempty"`         // frequency: contacts …
	Window    int      `yaml:"window_days,omitempty"` // … in so many days; of one debtor
	Gap       int      `yaml:"gap_days,omitempty"`    // frequency: days between two contacts
	After     string   `yaml:"after,omitempty"`       // frequency: the gap counts from a contact (default) or a conversation
	Tone      string   `yaml:"tone,omitempty"`        // escalation: the tone that needs an earlier reminder
	Wait      int      `yaml:"wait_days,omitempty"`   // escalation: full calendar days after that reminder
	Post      int      `yaml:"post_working_days,omitempty"`
	Text      string   `yaml:"text,omitempty"` // notice: what the content must hold
	Source    string   `yaml:"source"`
	Certainty string   `yaml:"certainty"` // A primary text … D from memory
	Note      string   `yaml:"note,omitempty"`
}

// PackError reports a fault in a policy pack by rule.
type PackError struct {
	Pack string
	Rule int // 1-based; 0: the pack itself
	Err  error
}

func (e *PackError) Error() string {
	if e.Rule == 0 {
		return fmt.Sprintf("policy pack %q: %v", e.Pack, e.Err)
	}
	return fmt.Sprintf("policy pack %q: rule %d: %v", e.Pack, e.Rule, e.Err)
}

func (e *PackError) Unwrap() error { return e.Err }

// Packs returns the packs that ship with the binary, by id.
func Packs() (map[string]*Pack, error) {
	entries, err := packFiles.ReadDir("packs")
	if err != nil {
		return nil, err
	}
	packs := make(map[string]*Pack, len(entries))
	for _, e := range entries {
		b, err := packFiles.ReadFile("packs/" + e.Name())
		if err != nil {
			return nil, err
		}
		p, err := ParsePack(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		packs[p.ID] = p
	}
	return packs, nil
}

// ParsePack reads one pack; unknown keys are refused.
func ParsePack(b []byte) (*Pack, error) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	p := &Pack{}
	if err := dec.Decode(p); err != nil {
		return nil, &PackError{Pack: p.ID, Err: err}
	}
	if p.ID == "" {
		return nil, &PackError{Err: errors.New("id is missing")}
	}
	if len(p.Rules) > 200 {
		return nil, &PackError{Pack: p.ID, Err: errors.New("more than 200 rules")}
	}
	for i := range p.Rules {
		if err := p.compile(i); err != nil {
			return nil, &PackError{Pack: p.ID, Rule: i + 1, Err: err}
		}
	}
	return p, nil
}

func (p *Pack) compile(i int) error {
	r := &p.Rules[i]
	if !strings.Contains("A B C D", r.Certainty) || len(r.Certainty) != 1 {
		return fmt.Errorf("certainty %q is none of A, B, C, D", r.Certainty)
	}
	if r.Source == "" {
		return errors.New("source is missing")
	}
	var on [ledger.Channels]bool
	for _, name := range r.Channels {
		c, ok := ledger.ParseChannel(name)
		if !ok {
			return fmt.Errorf("unknown channel %q", name)
		}
		on[c] = true
	}
	if len(r.Channels) == 0 {
		on = [ledger.Channels]bool{true, true, true, true, true}
	}
	switch r.Kind {
	case "quiet_hours":
		from, err := clockHour(r.From)
		if err != nil {
			return fmt.Errorf("from: %w", err)
		}
		to, err := clockHour(r.To)
		if err != nil {
			return fmt.Errorf("to: %w", err)
		}
		for c := range on {
			for h := from; on[c] && h != to; h = (h + 1) % 24 {
				p.quiet[c][h] = uint8(i + 1)
			}
		}
	case "quiet_days":
		for _, name := range r.Days {
			d := slices.Index(weekdays[:], name)
			if d < 0 {
				return fmt.Errorf("unknown day %q", name)
			}
			for c := range on {
				if on[c] {
					p.days[c] |= 1 << d
				}
			}
		}
		for c := range on {
			p.holiday[c] = p.holiday[c] || on[c] && r.Holidays
		}
		if r.Calendar != "" {
			p.calendar = append(p.calendar, r.Calendar)
		}
	case "frequency":
		if (r.Max < 1 || r.Window < 1) && r.Gap < 1 {
			return errors.New("frequency needs max and window_days, or gap_days")
		}
		if r.After != "" && r.After != "contact" && r.After != "conversation" {
			return fmt.Errorf("after %q is neither contact nor conversation", r.After)
		}
		p.caps = append(p.caps, *r)
	case "consent":
		for c := range on {
			p.consent[c] = p.consent[c] || on[c]
		}
	case "escalation":
		if _, ok := ledger.ParseTone(r.Tone); !ok {
			return fmt.Errorf("unknown tone %q", r.Tone)
		}
		p.formal = append(p.formal, *r)
	case "notice":
		if r.Text == "" {
			return errors.New("notice needs a text")
		}
	default:
		return fmt.Errorf("unknown kind %q", r.Kind)
	}
	return nil
}

var weekdays = [7]string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}

func clockHour(s string) (int, error) {
	t, err := time.Parse("15:04", s)
	if err != nil || t.Minute() != 0 {
		return 0, fmt.Errorf("%q is not a full hour such as 20:00", s)
	}
	return t.Hour(), nil
}

// covers tells whether the rule speaks of the channel.
func (r *Rule) covers(c ledger.Channel) bool {
	return len(r.Channels) == 0 || slices.Contains(r.Channels, c.String())
}

// quietDay tells whether no contact on c is allowed on a weekday, Monday 0.
// holiday says whether it is a public one.
func (p *Pack) quietDay(c ledger.Channel, wd int, holiday bool) bool {
	return p.days[c]&(1<<wd) != 0 || holiday && p.holiday[c]
}

// earliestFormal is the first local day on which tone may follow the reminder
// first, sent on its local day over c: electronic reminders wait r.Wait full
// days that begin on the next day; those by post begin on the r.Post'th
// working day after sending.
func earliestFormal(r Rule, c ledger.Channel, sent ledger.Day, holiday func(ledger.Day) bool) ledger.Day {
	start := sent + 1
	if c == ledger.Letter && r.Post > 0 {
		start = sent
		for n := 0; n < r.Post; {
			start++
			if wd := start.Weekday(); wd != time.Saturday && wd != time.Sunday && !holiday(start) {
				n++
			}
		}
	}
	return start + ledger.Day(r.Wait)
}
