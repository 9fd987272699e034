package engine

import (
	"cmp"
	"math"
	"slices"
	"strconv"
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

// sentences are the reasons and constraints in words: English, Dutch, French. @ is
// the word that the rest of the code names, a channel or a tone; # the next of the
// numbers logged with the code, $ the next with two decimals.
var sentences = map[string][3]string{
	"ANSWERS": {
		"Responds better to @: # of # contacts answered or paid",
		"Reageert beter op @: # van # contacten beantwoord of betaald",
		"Réagit mieux par @ : # contacts sur # suivis d'une réponse ou d'un paiement",
	},
	"EXPECTED": {
		"Debtors like this one respond better to @",
		"Gelijkaardige debiteuren reageren beter op @",
		"Les débiteurs semblables réagissent mieux par @",
	},
	"OPENS": {
		"Usually looks between #:00 and #:00",
		"Kijkt meestal tussen # en # uur",
		"Consulte d'habitude entre # h et # h",
	},
	"WEATHER":    {"The weather forecast changes when people look", "Het voorspelde weer verschuift de uren waarop er gekeken wordt", "La météo annoncée déplace les heures de consultation"},
	"SOONER":     {"Money comes sooner this way", "Zo komt het geld vroeger", "L'argent rentre plus tôt ainsi"},
	"TONE":       {"A @ tone works better now", "Een @ toon werkt nu beter", "Un ton @ convient mieux à présent"},
	"RESTRAINT":  {"Few contacts keep the relation: # in the last week", "Weinig contact spaart de relatie: # in de laatste week", "Peu de contacts préservent la relation : # la semaine passée"},
	"COST":       {"Costs of contact: $", "Kosten van het contact: $", "Coût du contact : $"},
	"PRE_DUE":    {"A reminder before the due date", "Een herinnering voor de vervaldag", "Un rappel avant l'échéance"},
	"PAYS_ALONE": {"Probably pays without being asked: #% within 7 days", "Betaalt wellicht vanzelf: #% binnen 7 dagen", "Paiera sans doute sans rappel : # % dans les 7 jours"},
	"LATER":      {"A later moment is worth more", "Een later moment is meer waard", "Un moment ultérieur vaut mieux"},
	"EXPLORES":   {"Tried now and then, to keep learning", "Af en toe geprobeerd, om te blijven leren", "Essayé de temps en temps, pour continuer à apprendre"},
	"ELSEWHERE":  {"What can be done today is worth more elsewhere", "Wat er vandaag kan, brengt elders meer op", "Ce qui est possible aujourd'hui rapporte plus ailleurs"},
	"PAID_UP":    {"Paid after a reminder: thanks", "Betaald na een herinnering: een bedankje", "Payé après un rappel : un merci"},
	"LADDER":     {"Fixed calendar: step #", "Vaste kalender: stap #", "Calendrier fixe : étape #"},

	"QUIET_HOURS": {"No contact in quiet hours, on quiet days and holidays", "Geen contact in rusturen, op rustdagen en feestdagen", "Pas de contact aux heures et jours de repos, ni les jours fériés"},
	"UNREACHABLE": {"Cannot be reached by @", "Niet bereikbaar via @", "Injoignable par @"},
	"NO_CONSENT":  {"No consent for @", "Geen toestemming voor @", "Pas de consentement pour @"},
	"CAPACITY":    {"Today's capacity for @ is used up", "De capaciteit van vandaag voor @ is op", "La capacité du jour pour @ est épuisée"},
	"MIN_GAP":     {"Too soon after the last contact", "Te kort na het vorige contact", "Trop tôt après le dernier contact"},
	"CAP_WEEK":    {"Enough contacts in the last 7 days", "Genoeg contacten in de laatste 7 dagen", "Assez de contacts ces 7 derniers jours"},
	"CAP_MONTH":   {"Enough contacts in the last 28 days", "Genoeg contacten in de laatste 28 dagen", "Assez de contacts ces 28 derniers jours"},
	payRunWord:    {"Pays on fixed days: asked shortly before", "Betaalt op vaste dagen: wordt kort ervoor gevraagd", "Paie à jours fixes : relancé peu avant"},
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

// contrary are the sentences of reasons that speak against what was chosen; where
// there is none, the same one serves for both.
var contrary = map[string][3]string{
	"ANSWERS": {
		"Responds less to @: # of # contacts answered or paid",
		"Reageert minder op @: # van # contacten beantwoord of betaald",
		"Réagit moins par @ : # contacts sur # suivis d'une réponse ou d'un paiement",
	},
	"EXPECTED": {
		"Debtors like this one respond less to @",
		"Gelijkaardige debiteuren reageren minder op @",
		"Les débiteurs semblables réagissent moins par @",
	},
	"OPENS": {
		"Looks less often between #:00 and #:00",
		"Kijkt minder vaak tussen # en # uur",
		"Consulte moins souvent entre # h et # h",
	},
	"SOONER": {"Money comes later this way", "Zo komt het geld later", "L'argent rentre plus tard ainsi"},
	"TONE":   {"A @ tone works less well now", "Een @ toon werkt nu minder goed", "Un ton @ convient moins à présent"},
}

// sentence returns the sentence of a code and the word that its rest names.
func sentence(t tongue, code string, against bool) (format, word string) {
	of := func(code string) string {
		if s, ok := contrary[code]; ok && against {
			return s[t]
		}
		return sentences[code][t]
	}
	if _, ok := sentences[code]; ok {
		return of(code), ""
	}
	i := strings.LastIndexByte(code, '_')
	if i < 0 {
		return "", ""
	}
	if c := slices.Index(upper[:], code[i+1:]); c >= 0 {
		word = channelWords[t][c]
	} else if n := slices.Index(toneCode[:], code); n >= 0 {
		word = toneWords[t][n]
	}
	return of(code[:i]), word
}

// say appends to dst the words of a code and its numbers, against tells of a reason
// that it counts against the choice; nothing where the code has none, or other
// numbers belong to it.
func say(dst []byte, t tongue, code string, against bool, numbers ...float64) []byte {
	format, word := sentence(t, code, against)
	if strings.Count(format, "#")+strings.Count(format, "$") != len(numbers) {
		return dst
	}
	for {
		i := strings.IndexAny(format, "@#$")
		if i < 0 {
			return append(dst, format...)
		}
		dst = append(dst, format[:i]...)
		switch format[i] {
		case '@':
			dst = append(dst, word...)
		case '#':
			dst, numbers = strconv.AppendFloat(dst, numbers[0], 'f', 0, 64), numbers[1:]
		case '$':
			dst, numbers = strconv.AppendFloat(dst, numbers[0], 'f', 2, 64), numbers[1:]
		}
		format = format[i+1:]
	}
}

// inWords returns the words of a code and its numbers, or else the text that was
// logged with it.
func inWords(t tongue, code, logged string, against bool, numbers []float64) string {
	var line [128]byte
	if said := say(line[:0], t, code, against, numbers...); len(said) > 0 {
		return string(said)
	}
	return logged
}

// In returns the decision with its reasons and constraints in a language: nl, fr,
// or else English. A decision is logged with their codes and numbers, and read by
// people who speak other languages than the one it was asked for in.
func (d *Decision) In(language string) *Decision {
	t, out := tongueOf(language), *d
	out.Reasons, out.Constraints = slices.Clone(d.Reasons), slices.Clone(d.Constraints)
	for i := range out.Reasons {
		r := &out.Reasons[i]
		r.Text = inWords(t, r.Code, r.Text, r.Contribution < 0, r.Args)
	}
	for i := range out.Constraints {
		c := &out.Constraints[i]
		c.Text = inWords(t, c.Code, c.Text, false, nil)
	}
	return &out
}

// reason words a reason that stands alone.
func reason(t tongue, code string, value float64, numbers ...float64) Reason {
	return Reason{Code: code, Contribution: value, Text: inWords(t, code, "", value < 0, numbers), Args: numbers}
}

// constraint words what rules something out.
func constraint(t tongue, code string) Constraint {
	return Constraint{Code: code, Text: inWords(t, code, code, false, nil)}
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
			return []Reason{reason(t, "LATER", chosen.mean)}
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
	w := wording{tongue: t, text: s.text[:0], numbers: make([]float64, 0, 8), reasons: make([]Reason, 0, 10)}
	subject := chosen
	if chosen.wait {
		subject = other
	}
	c := subject.channel
	if chosen.wait {
		w.add("PAYS_ALONE", a.channel-b.channel, 100*v.alone)
		w.add("LATER", a.later)
	} else {
		if h.sends[c] < 2 {
			w.add(expectedCode[c], a.channel-b.channel-sooner)
		} else {
			w.add(answersCode[c], a.channel-b.channel-sooner, math.Round(h.answers[c]), math.Round(h.sends[c]))
		}
		w.add("SOONER", sooner)
		w.add("LATER", a.later-b.later)
	}
	w.add(daypart(subject.hour), a.hour-b.hour, float64(subject.hour), float64(subject.hour+2))
	w.add("WEATHER", a.weather-b.weather)
	w.add(toneCode[subject.tone], a.tone-b.tone)
	w.add("PRE_DUE", a.early-b.early)
	w.add("RESTRAINT", a.pressure-b.pressure, float64(s.f.contacts7))
	w.add("COST", a.cost-b.cost, subject.cost)
	reasons := w.done()
	s.text = w.text
	slices.SortStableFunc(reasons, func(x, y Reason) int { return cmp.Compare(y.Contribution, x.Contribution) })
	if chosen.mean < other.mean {
		reasons = append(reasons, reason(t, "EXPLORES", 0))
	}
	return reasons
}

// wording collects reasons. Their sentences are written one after the other and
// become one string, of which each reason has its part.
type wording struct {
	tongue
	text    []byte
	numbers []float64
	ends    [10]int // where the sentence of each reason ends in text
	reasons []Reason
}

// add words a reason, unless it makes no difference.
func (w *wording) add(code string, value float64, numbers ...float64) {
	if math.Abs(value) <= 1e-9 {
		return
	}
	w.text = say(w.text, w.tongue, code, value < 0, numbers...)
	w.ends[len(w.reasons)] = len(w.text)
	r := Reason{Code: code, Contribution: value}
	if len(numbers) > 0 {
		from := len(w.numbers)
		w.numbers = append(w.numbers, numbers...)
		r.Args = w.numbers[from:len(w.numbers):len(w.numbers)]
	}
	w.reasons = append(w.reasons, r)
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
		average := response.Moves(s.habit.rate[c.channel]+c.push.late, s.habit.rateSD[c.channel])
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
