package models

import (
	"strconv"
	"strings"

	"rappel/datasets/ledger"
	"rappel/models/response"
	"rappel/models/timing"
)

// believed is what experts believe of who answers where, before any data: how
// much more or less a contact moves debtors of a kind or sector (NACE division,
// first to last) than it moves others, on the scale of log Λ, by channel. They
// are weak: a profile's spread around them is estimated.
var believed = []struct {
	kind        string
	first, last int
	effects     [response.Channels]float64 // e-mail, SMS, WhatsApp, letter, phone
}{
	{"business", 1, 9, [response.Channels]float64{-0.3, 0.3, 0.3, 0, 0}},     // on the land
	{"business", 41, 43, [response.Channels]float64{-0.3, 0.3, 0.3, 0, 0}},   // on the site
	{"business", 49, 53, [response.Channels]float64{-0.3, 0.3, 0.3, 0, 0}},   // on the road
	{"business", 55, 56, [response.Channels]float64{-0.3, 0.3, 0.4, 0, 0}},   // in the kitchen
	{"business", 58, 82, [response.Channels]float64{0.4, -0.4, -0.5, 0, 0}},  // at a desk
	{"business", 84, 88, [response.Channels]float64{0.2, -0.8, -1, 0.3, 0}},  // public bodies, schools, care
	{"consumer", 0, 99, [response.Channels]float64{-0.1, 0.1, 0.2, 0, -0.1}}, // at home
}

// Believed returns what experts believe of a profile key, by channel.
func Believed(profile string) *[response.Channels]float64 {
	kind, rest, _ := strings.Cut(profile, "|")
	sector, _, _ := strings.Cut(rest, "|")
	division, _ := strconv.Atoi(sector) // 0 where there is none
	for i := range believed {
		if b := &believed[i]; b.kind == kind && b.first <= division && division <= b.last {
			return &b.effects
		}
	}
	return &[response.Channels]float64{}
}

// PriorSpeeds are the speeds of noticing before any data, by channel: a text is
// read in the first hours or not at all, an e-mail waits until the evening.
func PriorSpeeds() []timing.Speed {
	speeds := make([]timing.Speed, ledger.Channels)
	for c := range speeds {
		speeds[c] = timing.DefaultSpeed()
	}
	speeds[ledger.SMS].Rate = []float64{6, 3, 1.5, 0.6, 0.25, 0.12, 0.06, 0.03, 0.01}
	speeds[ledger.WhatsApp].Rate = []float64{5, 3, 1.8, 1, 0.5, 0.25, 0.12, 0.06, 0.02}
	return speeds
}
