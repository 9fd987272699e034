package models

import "testing"

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
