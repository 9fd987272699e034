package console

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"rappel/engine"
)

// T returns a text in the reader's language, with its arguments in place.
func (t tongue) T(key string, args ...any) string {
	text := key
	if w, ok := words[key]; ok && t != english {
		text = w[t-1]
	} else if w, ok := codes[key]; ok {
		text = w[t]
	}
	if len(args) > 0 {
		return fmt.Sprintf(text, args...)
	}
	return text
}

// N is T for a text about n of something: its form for one, where there is one.
func (t tongue) N(n int, key string, args ...any) string {
	if w, ok := ones[key]; ok && t.one(float64(n)) {
		key = w[t]
		if len(args) > 0 {
			return fmt.Sprintf(key, args...)
		}
		return key
	}
	return t.T(key, args...)
}

// one tells whether so many take the singular: just one, and in French all that is
// less than two.
func (t tongue) one(n float64) bool {
	if t == french {
		return math.Abs(n) < 2
	}
	return math.Abs(n) == 1
}

// Amount writes so many, as Days does, with their unit.
func (t tongue) Amount(x float64, unit string) string {
	shown := math.Round(x*10) / 10
	key := "unit " + unit
	if w, ok := ones[key]; ok && t.one(shown) {
		return t.Days(x) + " " + w[t]
	}
	return t.Days(x) + " " + t.T(key)
}

// Channel names a channel.
func (t tongue) Channel(name string) string { return t.T("channel " + name) }

// Why words the reason of a hold.
func (t tongue) Why(reason string) string {
	if reason == "" {
		return ""
	}
	return t.T(reason)
}

// Happened names a kind of event of the timeline.
func (t tongue) Happened(kind string) string { return t.T(kind) }

// Fate says what became of a decision to contact.
func (t tongue) Fate(status string) string { return t.T("fate " + status) }

// AlertKind names a kind of alert.
func (t tongue) AlertKind(kind string) string { return t.T("alert " + kind) }

// Grade says what a certainty of a rule means.
func (t tongue) Grade(grade string) string { return t.T("grade " + grade) }

// Languages are the languages of the pages, by code, in their own words.
func (v *visit) Languages() map[string]string {
	return map[string]string{"en": "English", "nl": "Nederlands", "fr": "Français"}
}

// Clocked is the moment that the pages show, where the creditor is.
func (v *visit) Clocked() time.Time { return v.moment.In(v.loc) }

// Moment is the day looked from, for its form.
func (v *visit) Moment() string { return v.Clocked().Format(time.DateOnly) }

// Piece is the address of a figure that is drawn afterwards.
func (v *visit) Piece(f *figure) string { return v.Link("figure", "figure", f.ID, "id", f.debtor) }

// Signed writes an amount with its sign.
func (v *visit) Signed(x float64) string {
	if x > 0 {
		return "+" + v.Money(x)
	}
	return v.Money(x)
}

// Raw writes a number for a field of a form.
func (v *visit) Raw(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// RawPercent writes a share as a percentage for a field of a form.
func (v *visit) RawPercent(x float64) string {
	return strconv.FormatFloat(float64(int64(x*1e8+0.5))/1e6, 'f', -1, 64)
}

// PayDay names the weekday on which a debtor mostly pays; empty where none
// stands out.
func (v *visit) PayDay(shares [7]float64) string {
	for d, x := range shares {
		if x >= 0.35 {
			return longWeekdays[v.tongue][d]
		}
	}
	return ""
}

// Rows counts the rows that a model was trained on.
func (v *visit) Rows(rows map[string]int64) string {
	sum := int64(0)
	for _, n := range rows {
		sum += n
	}
	return v.Count(int(sum))
}

// DetailOf words what else is known of a happening.
func (v *visit) DetailOf(l storyLine) string {
	switch l.Kind {
	case "invoice.issued":
		if d, err := time.Parse(time.DateOnly, l.Detail); err == nil {
			return l.ID + " · " + v.T("due %s", v.Date(d))
		}
	case "invoice.cancelled":
		return l.ID
	case "payment.received":
		return strings.Trim(l.ID+" · "+v.T(l.Detail), " ·")
	case "contact.sent", "decision.contact":
		return v.T(l.Detail)
	case "case.opened", "case.closed":
		return v.T(l.Detail)
	case "rating.changed":
		return l.ID
	case "decision.hold":
		if l.Text == "" {
			return v.Why(l.Detail)
		}
	}
	return ""
}

// Rule words a rule of a policy pack.
func (v *visit) Rule(r engine.Rule) string {
	var parts []string
	add := func(key string, args ...any) { parts = append(parts, v.T(key, args...)) }
	switch r.Kind {
	case "quiet_hours":
		add("no contact from %s to %s", r.From, r.To)
	case "quiet_days":
		days := make([]string, 0, len(r.Days))
		for _, d := range r.Days {
			days = append(days, v.T(d))
		}
		if len(days) > 0 {
			add("no contact on %s", strings.Join(days, ", "))
		}
		if r.Holidays {
			add("no contact on public holidays")
		}
	case "frequency":
		if r.Max > 0 {
			add("at most %s in %s", v.Amount(float64(r.Max), "contacts"), v.Amount(float64(r.Window), "days"))
		}
		if r.Gap > 0 {
			add("%s between contacts", v.Amount(float64(r.Gap), "days"))
		}
		if r.After == "conversation" {
			add("counted from a conversation")
		}
	case "consent":
		add("only with consent")
	case "escalation":
		add("a %s tone only %s after the first reminder", v.T(r.Tone), v.Amount(float64(r.Wait), "days"))
		if r.Post > 0 {
			add("by post counted from the %s. working day", v.Count(r.Post))
		}
	case "notice":
		add(r.Text)
	}
	if len(r.Channels) > 0 {
		channels := make([]string, 0, len(r.Channels))
		for _, c := range r.Channels {
			channels = append(channels, v.Channel(c))
		}
		parts = append(parts, "("+strings.Join(channels, ", ")+")")
	}
	return strings.Join(parts, "; ")
}

// High is from where on a channel's day counts as all but full.
func (v *visit) High(limit int) float64 { return 0.9 * float64(limit) }

// Data is the figure for the page's script.
func (f *figure) Data(v *visit) (template.JS, error) {
	s, err := f.JSON(v)
	return template.JS(s), err // JSON of encoding/json, which escapes <, > and &
}
