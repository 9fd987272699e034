package models

import (
	"slices"
	"testing"

	"rappel/datasets/ledger"
	"rappel/models/response"
)

// What is believed of a profile is where its contacts start from.
func TestBelieved(t *testing.T) {
	m := Prior()
	m.AddProfiles([]string{ProfileKey("business", "56", ""), ProfileKey("business", "84", ""), ProfileKey("business", "", ""), ProfileKey("consumer", "", "")})
	unknown := m.Response.Unknown()
	var rate [4][5]float64
	for i := range rate {
		var sd [5]float64
		m.Response.Rate(&rate[i], &sd, i, &unknown)
	}
	const email, sms, whatsApp = 0, 1, 2
	kitchen, office, nobody, home := rate[0], rate[1], rate[2], rate[3]
	if !(kitchen[sms]-kitchen[email] > nobody[sms]-nobody[email] && nobody[sms]-nobody[email] > office[sms]-office[email]) {
		t.Errorf("a text against an e-mail: kitchen %v, of no sector %v, public body %v", kitchen, nobody, office)
	}
	if home[whatsApp] <= nobody[whatsApp] {
		t.Errorf("WhatsApp: at home %.2f, a business of no sector %.2f", home[whatsApp], nobody[whatsApp])
	}
	if err := len(m.Response.Segment) - len(m.Profiles)*5; err != 0 || m.Response.Segments != 4 {
		t.Errorf("%d effects of %d profiles", len(m.Response.Segment), m.Response.Segments)
	}
}

// A text is read sooner than an e-mail, before any data.
func TestPriorSpeeds(t *testing.T) {
	speeds := PriorSpeeds()
	early := func(c ledger.Channel) float64 { return speeds[c].Rate[0] / speeds[c].Rate[len(speeds[c].Rate)-1] }
	for _, c := range []ledger.Channel{ledger.SMS, ledger.WhatsApp} {
		if early(c) <= early(ledger.Email) {
			t.Errorf("%s: first hours against the last %.3g, of e-mail %.3g", c, early(c), early(ledger.Email))
		}
	}
}

// A profile keeps what a model knows of it, whatever its place there; one that the
// model does not know has what experts believe.
func TestResponseOf(t *testing.T) {
	kitchen, desk, home := ProfileKey("business", "56", ""), ProfileKey("business", "62", ""), ProfileKey("consumer", "", "")
	m := Prior()
	m.AddProfiles([]string{kitchen, desk})
	for i := range m.Response.Segment {
		m.Response.Segment[i], m.Response.SegmentSeen[i] = float64(i), float64(100+i)
	}
	r := m.ResponseOf([]string{home, desk})
	const n = response.Channels
	if r.Segments != 2 || !slices.Equal(r.Segment[:n], Believed(home)[:]) || r.SegmentSeen[0] != 1 {
		t.Errorf("of a new profile: %v, signs %v", r.Segment[:n], r.SegmentSeen[:n])
	}
	if !slices.Equal(r.Segment[n:], m.Response.Segment[n:]) || !slices.Equal(r.SegmentSeen[n:], m.Response.SegmentSeen[n:]) {
		t.Errorf("of a known profile: %v, signs %v", r.Segment[n:], r.SegmentSeen[n:])
	}
	if m.Response.Segments != 2 || m.Response.Segment[0] != 0 {
		t.Error("the model was changed")
	}
}
