// Package models joins the estimators to behaviour vectors: it trains the
// three of them, pay hazard, timing and bandit, together with the response of
// channels, keeps them in one Model, and writes and reads the artefact. It has
// no clock and no random source but the seed it is given.
package models

import (
	"slices"

	"rappel/datasets/ledger"
	"rappel/features"
	"rappel/models/bandit"
	"rappel/models/response"
	"rappel/models/timing"
)

// Model is all that has been learnt, and all that a decision needs of it.
type Model struct {
	Hazard *Hazard  // of payment, if nobody contacts anew
	Usual  *Hazard  // of payment, under the contacts that the creditor makes
	Leave  *Leaving // of what keeps an invoice from being paid as usual
	Timing *timing.Model
	Speeds []timing.Speed // by channel
	// HalfLife is that of openings, in days: the vectors that Timing is fitted to
	// and asked with are made with it.
	HalfLife float64
	// Flat is 1 where the hours of Timing were refuted: for all, then by profile.
	// A profile past its end goes with all.
	Flat []int32
	// Weather is how the weather moves the hours of a sector; WeatherSectors are
	// the sectors' codes (two digits), sorted.
	Weather        timing.Weather
	WeatherSectors []string
	Response       *response.Model
	Bandit         *bandit.Pooled
	// Profiles are the keys of the profiles, in the order of their index in
	// Timing, Flat, Response and the segments of Bandit.
	Profiles []string
	// Debtors are the keys (creditor and debtor, NUL between) of the debtors
	// that Bandit knows, in the order of their index there.
	Debtors []string
	// Handles are the bandit's handles of the decisions whose reward may still
	// change, and Decisions their ids.
	Handles   []uint64
	Decisions []string
	// RewardHalfLife is how fast the rewards of decisions lose weight, in days.
	RewardHalfLife float64
	// FittedAt is when the slow parts were last estimated, FirstFitAt when they
	// first were, Until the end of the data that an artefact was trained on:
	// unix seconds, 0 never.
	FittedAt, FirstFitAt, Until int64

	profile map[string]int
	debtor  map[string]int32
}

// Effects are the features of debtor × action, in the order of φ. Each is a
// share of the horizon that a contact may save.
const (
	EffectResponse = iota // P(moved) × days that would save: what the other models expect
	EffectNotice          // the same × what the hour adds to log Λ, beyond that
	EffectNeutral         // the same, by tone
	EffectFormal
	EffectFormalLate // formal and more than 30 days past due
	EffectFatigue    // × contacts in the last 7 days
	EffectPressure   // × contacts in the last 28 days / 4
	EffectEmail      // × channel, in the order of the ledger
	EffectSMS
	EffectWhatsApp
	EffectLetter
	EffectPhone
	EffectPreDue  // sent before the due date
	EffectRepeat  // the channel of the last contact, still unanswered
	EffectWeekend // sent on Saturday or Sunday
	EffectLevel   // the baseline is too low, for whatever action: 1
	EffectRisk    // the same, in proportion to what it leaves unpaid
	Effects       // how many there are
)

// EffectNames names the features of φ, in order.
var EffectNames = [Effects]string{
	"response", "notice", "neutral", "formal", "formal_late", "fatigue", "pressure",
	"email", "sms", "whatsapp", "letter", "phone", "pre_due", "repeat", "weekend", "level", "risk",
}

// BanditConfig is the prior of the reward model: the structural expectation
// counts fully, everything else is a correction that must earn its place.
func BanditConfig() bandit.PooledConfig {
	c := bandit.DefaultPooledConfig(Effects)
	c.NoiseSD, c.NoiseWeight = 0.3, 50
	set := func(j int, mean, sd, segment, debtor float64) {
		c.Coefficients[j] = bandit.Coefficient{Mean: mean, SD: sd, SegmentSD: segment, DebtorSD: debtor}
	}
	set(EffectResponse, 1, 0.05, 0.05, 0.05)
	set(EffectNotice, 0, 0.1, 0, 0)
	set(EffectNeutral, 0, 0.1, 0.1, 0)
	set(EffectFormal, 0, 0.1, 0.1, 0)
	set(EffectFormalLate, 0, 0.1, 0, 0)
	set(EffectFatigue, 0, 0.04, 0, 0)
	set(EffectPressure, 0, 0.04, 0, 0)
	for j := EffectEmail; j <= EffectPhone; j++ {
		set(j, 0, 0.05, 0.05, 0)
	}
	set(EffectPreDue, 0, 0.1, 0, 0)
	set(EffectRepeat, 0, 0.1, 0, 0)
	set(EffectWeekend, 0, 0.1, 0, 0)
	// Whatever is decided is a contact: with a free hand, these would take the
	// average effect of contacts away from it.
	set(EffectLevel, 0, 0.02, 0.02, 0.05)
	set(EffectRisk, 0, 0.02, 0, 0)
	return c
}

// Prior returns the model before any data: expert figures only.
func Prior() *Model {
	pool, err := bandit.NewPooled(BanditConfig())
	if err != nil {
		panic(err) // the configuration is a constant of this package
	}
	opt := timing.DefaultOptions(0)
	m := &Model{
		Hazard:   PriorHazard(),
		Usual:    PriorHazard(),
		Leave:    NewLeaving(),
		Timing:   timing.Prior(opt),
		HalfLife: features.HalfLife,

		RewardHalfLife: 150,
		Response:       response.Prior(),
		Bandit:         pool,
	}
	m.Speeds = PriorSpeeds()
	m.index()
	return m
}

func (m *Model) index() {
	m.profile = make(map[string]int, len(m.Profiles))
	for i, p := range m.Profiles {
		m.profile[p] = i
	}
	m.debtor = make(map[string]int32, len(m.Debtors))
	for i, d := range m.Debtors {
		if d != "" {
			m.debtor[d] = int32(i)
		}
	}
}

// Profile returns the index of a profile key, or −1 for one never seen.
func (m *Model) Profile(key string) int {
	if i, ok := m.profile[key]; ok {
		return i
	}
	return -1
}

// FlatHours tells whether the hours of a profile, −1 for none, were refuted.
func (m *Model) FlatHours(profile int) bool {
	if i := profile + 1; i > 0 && i < len(m.Flat) {
		return m.Flat[i] == 1
	}
	return len(m.Flat) > 0 && m.Flat[0] == 1
}

// Debtor returns the bandit's handle of a debtor, or bandit.NoDebtor.
func (m *Model) Debtor(key ledger.Key) int32 {
	if i, ok := m.debtor[key.Creditor+"\x00"+key.Debtor]; ok {
		return i
	}
	return bandit.NoDebtor
}

// AddProfiles appends the keys that are new, so that indices never change.
func (m *Model) AddProfiles(keys []string) {
	for _, k := range keys {
		if _, ok := m.profile[k]; !ok {
			m.profile[k] = len(m.Profiles)
			m.Profiles = append(m.Profiles, k)
			m.Response.Extend(Believed(k))
		}
	}
}

// ResponseOf returns what m knows of the response of these profiles, in their
// order: of those new to it, what experts believe.
func (m *Model) ResponseOf(profiles []string) *response.Model {
	r := *m.Response
	r.Segments, r.Segment, r.SegmentSeen = 0, nil, nil
	for at, key := range profiles {
		r.Extend(Believed(key))
		if i := m.Profile(key); i >= 0 {
			const n = response.Channels
			copy(r.Segment[at*n:][:n], m.Response.Segment[i*n:][:n])
			copy(r.SegmentSeen[at*n:][:n], m.Response.SegmentSeen[i*n:][:n])
		}
	}
	return &r
}

// AddDebtor returns the bandit's handle of a debtor, a new one where it has none.
func (m *Model) AddDebtor(key ledger.Key) int32 {
	k := key.Creditor + "\x00" + key.Debtor
	i, ok := m.debtor[k]
	if !ok {
		i = int32(len(m.Debtors))
		m.Debtors = append(m.Debtors, k)
		m.debtor[k] = i
	}
	return i
}

// Drop forgets the handle of a decision whose reward is final.
func (m *Model) Drop(decision string) {
	if i := slices.Index(m.Decisions, decision); i >= 0 {
		m.Decisions = slices.Delete(m.Decisions, i, i+1)
		m.Handles = slices.Delete(m.Handles, i, i+1)
	}
}

// Forget takes the name of a debtor out of the model. What is left of it is its
// share in sums over all.
func (m *Model) Forget(key ledger.Key) {
	k := key.Creditor + "\x00" + key.Debtor
	if i, ok := m.debtor[k]; ok {
		m.Debtors[i] = "" // the index stays taken
		delete(m.debtor, k)
	}
}

// ProfileKey is the profile of a debtor: kind, sector (two digits), and area
// (country and first digits of the postcode).
func ProfileKey(kind, sector, area string) string { return kind + "|" + sector + "|" + area }
