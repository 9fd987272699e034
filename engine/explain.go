package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"rappel/datasets/ledger"
	"rappel/models"
	"rappel/models/response"
)

var upper = [ledger.Channels]string{"EMAIL", "SMS", "WHATSAPP", "LETTER", "PHONE"}

// Codes of reasons about a channel, and about a tone.
var (
	answersCode  = [ledger.Channels]string{"ANSWERS_EMAIL", "ANSWERS_SMS", "ANSWERS_WHATSAPP", "ANSWERS_LETTER", "ANSWERS_PHONE"}
	expectedCode = [ledger.Channels]string{"EXPECTED_EMAIL", "EXPECTED_SMS", "EXPECTED_WHATSAPP", "EXPECTED_LETTER", "EXPECTED_PHONE"}
	toneCode     = [ledger.Tones]string{"TONE_FRIENDLY", "TONE_NEUTRAL", "TONE_FORMAL"}
)

// tongue is a language of explanations.
type tongue int

const (
	english tongue = iota
	dutch
	french
)

func tongueOf(language string) tongue {
	switch {
	case strings.HasPrefix(language, "nl"):
		return dutch
	case strings.HasPrefix(language, "fr"):
		return french
	}
	return english
}

var channelWords = [3][ledger.Channels]string{
	{"e-mail", "text message", "WhatsApp", "letter", "phone"},
	{"e-mail", "sms", "WhatsApp", "brief", "telefoon"},
	{"e-mail", "SMS", "WhatsApp", "lettre", "téléphone"},
}

var toneWords = [3][ledger.Tones]string{
	{"friendly", "neutral", "formal"},
	{"vriendelijke", "neutrale", "formele"},
	{"amical", "neutre", "formel"},
}

// sentences are the reasons and constraints in words: English, Dutch, French.
var sentences = map[string][3]string{
	"ANSWERS": {
		"Responds better to %[1]s: %[2]d of %[3]d contacts answered or paid",
		"Reageert beter op %[1]s: %[2]d van %[3]d contacten beantwoord of betaald",
		"Réagit mieux par %[1]s : %[2]d contacts sur %[3]d suivis d'une réponse ou d'un paiement",
	},
	"EXPECTED": {
		"Debtors like this one respond better to %[1]s",
		"Gelijkaardige debiteuren reageren beter op %[1]s",
		"Les débiteurs semblables réagissent mieux par %[1]s",
	},
	"OPENS": {
		"Usually looks between %[1]d:00 and %[2]d:00",
		"Kijkt meestal tussen %[1]d en %[2]d uur",
		"Consulte d'habitude entre %[1]d h et %[2]d h",
	},
	"WEATHER":    {"The weather forecast changes when people look", "Het voorspelde weer verschuift de uren waarop er gekeken wordt", "La météo annoncée déplace les heures de consultation"},
	"SOONER":     {"Money comes sooner this way", "Zo komt het geld vroeger", "L'argent rentre plus tôt ainsi"},
	"TONE":       {"A %[1]s tone works better now", "Een %[1]s toon werkt nu beter", "Un ton %[1]s convient mieux à présent"},
	"RESTRAINT":  {"Few contacts keep the relation: %[1]d in the last week", "Weinig contact spaart de relatie: %[1]d in de laatste week", "Peu de contacts préservent la relation : %[1]d la semaine passée"},
	"COST":       {"Costs of contact: %.2[1]f", "Kosten van het contact: %.2[1]f", "Coût du contact : %.2[1]f"},
	"PRE_DUE":    {"A reminder before the due date", "Een herinnering voor de vervaldag", "Un rappel avant l'échéance"},
	"PAYS_ALONE": {"Probably pays without being asked: %.0[1]f%% within 7 days", "Betaalt wellicht vanzelf: %.0[1]f%% binnen 7 dagen", "Paiera sans doute sans rappel : %.0[1]f %% dans les 7 jours"},
	"LATER":      {"A later moment is worth more", "Een later moment is meer waard", "Un moment ultérieur vaut mieux"},
	"EXPLORES":   {"Tried now and then, to keep learning", "Af en toe geprobeerd, om te blijven leren", "Essayé de temps en temps, pour continuer à apprendre"},
	"PAID_UP":    {"Paid after a reminder: thanks", "Betaald na een herinnering: een bedankje", "Payé après un rappel : un merci"},
	"LADDER":     {"Fixed calendar: step %[1]d", "Vaste kalender: stap %[1]d", "Calendrier fixe : étape %[1]d"},

	"QUIET_HOURS": {"No contact in quiet hours, on quiet days and holidays", "Geen contact in rusturen, op rustdagen en feestdagen", "Pas de contact aux heures et jours de repos, ni les jours fériés"},
	"UNREACHABLE": {"Cannot be reached by %[1]s", "Niet bereikbaar via %[1]s", "Injoignable par %[1]s"},
	"NO_CONSENT":  {"No consent for %[1]s", "Geen toestemming voor %[1]s", "Pas de consentement pour %[1]s"},
	"CAPACITY":    {"Today's capacity for %[1]s is used up", "De capaciteit van vandaag voor %[1]s is op", "La capacité du jour pour %[1]s est épuisée"},
	"MIN_GAP":     {"Too soon after the last contact", "Te kort na het vorige contact", "Trop tôt après le dernier contact"},
	"CAP_WEEK":    {"Enough contacts in the last 7 days", "Genoeg contacten in de laatste 7 dagen", "Assez de contacts ces 7 derniers jours"},
	"CAP_MONTH":   {"Enough contacts in the last 28 days", "Genoeg contacten in de laatste 28 dagen", "Assez de contacts ces 28 derniers jours"},
	"LAW_GAP":     {"The policy pack asks for more time after the last contact", "De regels vragen meer tijd na het vorige contact", "Les règles imposent un délai après le dernier contact"},
	"LAW_CAP":     {"The policy pack allows no more contacts now", "De regels laten nu geen contact meer toe", "Les règles ne permettent plus de contact à présent"},

	HoldNothingDue: {"Nothing to ask for", "Er is niets te vragen", "Rien à réclamer"},
	HoldDisputed:   {"The debt is disputed", "De schuld is betwist", "La créance est contestée"},
	HoldPlan:       {"A payment plan is being kept", "Er loopt een afbetalingsplan", "Un plan de paiement est en cours"},
	HoldPromise:    {"A promise to pay is running", "Er loopt een betalingsbelofte", "Une promesse de paiement est en cours"},
	HoldInsolvency: {"The debtor is protected from creditors", "De schuldenaar is beschermd tegen schuldeisers", "Le débiteur est protégé de ses créanciers"},
	HoldMediation:  {"Collective debt settlement", "Collectieve schuldenregeling", "Règlement collectif de dettes"},
	HoldNoChannel:  {"No channel may be used", "Geen enkel kanaal mag gebruikt worden", "Aucun canal ne peut être utilisé"},
	HoldCap:        {"Contacted often enough", "Vaak genoeg gecontacteerd", "Contacté assez souvent"},
	HoldCreditor:   {"Blocked by the creditor", "Geblokkeerd door de schuldeiser", "Bloqué par le créancier"},
}

// say words a code, whose channel suffix it knows how to name.
func say(t tongue, code string, args ...any) string {
	if s, ok := sentences[code]; ok {
		if len(args) == 0 {
			return s[t]
		}
		return fmt.Sprintf(s[t], args...)
	}
	for c, name := range upper {
		if base, ok := strings.CutSuffix(code, "_"+name); ok {
			return fmt.Sprintf(sentences[base][t], channelWords[t][c])
		}
	}
	return code
}

// explain splits the difference in value between the chosen candidate and the
// best one of another channel over groups of features. The contributions add
// up to that difference to rounding.
func (s *scratch) explain(v *verdict, t tongue) []Reason {
	chosen := &v.cands[v.chosen]
	rival := -1
	for i := range v.cands {
		c := &v.cands[i]
		if i == v.chosen || !c.wait && !chosen.wait && c.channel == chosen.channel {
			continue
		}
		if rival < 0 || c.mean > v.cands[rival].mean {
			rival = i
		}
	}
	if rival < 0 {
		// Only wait was left: nothing else could be done within reach.
		if chosen.mean > 0 {
			return []Reason{{"LATER", chosen.mean, say(t, "LATER")}}
		}
		return []Reason{}
	}
	other := &v.cands[rival]
	var a, b parts
	s.split(&a, chosen)
	s.split(&b, other)

	// The product of P(fire) and gain is split at the midpoint.
	sooner := (chosen.stake - other.stake) * (a.rate + b.rate) / 2
	if chosen.wait || other.wait {
		sooner = 0
	}
	h := &s.habit
	w := wording{tongue: t, text: s.text[:0], reasons: make([]Reason, 0, 10)}
	subject := chosen
	if chosen.wait {
		subject = other
	}
	c := subject.channel
	if chosen.wait {
		w.add("PAYS_ALONE", "PAYS_ALONE", a.channel-b.channel, 100*v.alone)
		w.add("LATER", "LATER", a.later)
	} else {
		if h.sends[c] < 2 {
			w.add(expectedCode[c], "EXPECTED", a.channel-b.channel-sooner, channelWords[t][c])
		} else {
			w.add(answersCode[c], "ANSWERS", a.channel-b.channel-sooner, channelWords[t][c], int(math.Round(h.answers[c])), int(math.Round(h.sends[c])))
		}
		w.add("SOONER", "SOONER", sooner)
		w.add("LATER", "LATER", a.later-b.later)
	}
	w.add(daypart(subject.hour), "OPENS", a.hour-b.hour, subject.hour, subject.hour+2)
	w.add("WEATHER", "WEATHER", a.weather-b.weather)
	w.add(toneCode[subject.tone], "TONE", a.tone-b.tone, toneWords[t][subject.tone])
	w.add("PRE_DUE", "PRE_DUE", a.early-b.early)
	w.add("RESTRAINT", "RESTRAINT", a.pressure-b.pressure, s.f.contacts7)
	w.add("COST", "COST", a.cost-b.cost, subject.cost)
	reasons := w.done()
	s.text = w.text
	slices.SortStableFunc(reasons, func(x, y Reason) int { return cmp.Compare(y.Contribution, x.Contribution) })
	if chosen.mean < other.mean {
		reasons = append(reasons, Reason{"EXPLORES", 0, say(t, "EXPLORES")})
	}
	return reasons
}

// wording collects reasons. Their sentences are written one after the other and
// become one string, of which each reason has its part.
type wording struct {
	tongue
	text    []byte
	ends    [10]int // where the sentence of each reason ends in text
	reasons []Reason
}

// add words a reason, unless it makes no difference.
func (w *wording) add(code, sentence string, value float64, args ...any) {
	if math.Abs(value) <= 1e-9 {
		return
	}
	if format := sentences[sentence][w.tongue]; len(args) == 0 {
		w.text = append(w.text, format...)
	} else {
		w.text = fmt.Appendf(w.text, format, args...)
	}
	w.ends[len(w.reasons)] = len(w.text)
	w.reasons = append(w.reasons, Reason{Code: code, Contribution: value})
}

func (w *wording) done() []Reason {
	all, from := string(w.text), 0
	for i := range w.reasons {
		w.reasons[i].Text = all[from:w.ends[i]]
		from = w.ends[i]
	}
	return w.reasons
}

func daypart(hour int) string {
	switch {
	case hour < 12:
		return "OPENS_MORNING"
	case hour < 18:
		return "OPENS_AFTERNOON"
	}
	return "OPENS_EVENING"
}

// parts are the groups that a candidate's value is the sum of, in currency,
// and its rate: P(fire) × coefficients, per unit of gain.
type parts struct {
	channel, hour, weather, tone, early, pressure, cost, later, rate float64
}

// split takes the value of c apart. What modulates P(moved) acts together: its
// effect is split in proportion to the logarithms.
func (s *scratch) split(p *parts, c *candidate) {
	if c.wait {
		p.later = c.mean
		return
	}
	var phi [models.Effects]float64
	s.phi(phi[:], c)
	at := func(j ...int) float64 {
		sum := 0.0
		for _, j := range j {
			sum += phi[j] * s.theta[j]
		}
		return c.stake / c.gain * sum
	}
	structure := at(models.EffectResponse, models.EffectEmail+int(c.channel), models.EffectRepeat)
	p.hour = at(models.EffectNotice, models.EffectWeekend)
	p.tone = at(models.EffectNeutral, models.EffectFormal, models.EffectFormalLate)
	p.early = at(models.EffectPreDue)
	p.pressure = at(models.EffectFatigue, models.EffectPressure) - c.annoy
	p.cost = -c.cost
	if x := c.push.sum() - c.push.late; math.Abs(x) > 1e-9 && c.moved > 0 {
		average := response.Fired(s.habit.rate[c.channel] + c.push.late)
		unit := structure * (c.moved - average) / c.moved / x
		p.hour += unit * c.push.hour
		p.weather = unit * c.push.weather
		p.tone += unit * c.push.tone
		p.early += unit * c.push.early
		p.pressure += unit * c.push.tired
	}
	p.channel = c.mean - (p.hour + p.weather + p.tone + p.early + p.pressure + p.cost)
	if c.stake > 0 {
		p.rate = p.channel / c.stake
	}
}
