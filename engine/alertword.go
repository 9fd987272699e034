package engine

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"rappel/datasets/ledger"
	"rappel/models/anomaly"
)

// alertSentences are the titles, texts, causes and actions of alerts: English,
// Dutch, French. The arguments are those of wordAlert.
var alertSentences = map[string][3]string{
	"TITLE_late":            {"Pays later than before", "Betaalt later dan vroeger", "Paie plus tard qu'avant"},
	"TITLE_overdue":         {"Should have paid by now", "Had al betaald moeten hebben", "Aurait déjà dû payer"},
	"TITLE_unpaid":          {"Leaves invoices unpaid", "Laat facturen openstaan", "Laisse des factures impayées"},
	"TITLE_silent":          {"No longer looks at %[4]s", "Kijkt niet meer naar %[4]s", "Ne consulte plus %[4]s"},
	"TITLE_broken_promise":  {"Broke a promise to pay", "Brak een betalingsbelofte", "N'a pas tenu sa promesse de payer"},
	"TITLE_bad_address":     {"Messages by %[4]s do not arrive", "Berichten via %[4]s komen niet aan", "Les messages par %[4]s n'arrivent pas"},
	"TITLE_method_change":   {"Changed the way of paying", "Veranderde van betaalwijze", "A changé de moyen de paiement"},
	"TITLE_rating_drop":     {"Credit rating fell", "Kredietscore gedaald", "La cote de crédit a baissé"},
	"TITLE_part_payments":   {"Pays in parts", "Betaalt in delen", "Paie par acomptes"},
	"TITLE_dispute_spike":   {"Disputes more than before", "Betwist meer dan vroeger", "Conteste plus qu'avant"},
	"TITLE_GROUP_late":      {"%[7]s pays later", "%[7]s betaalt later", "%[7]s paie plus tard"},
	"TEXT_late":             {"Since %[1]s invoices are paid %[3]s on average; expected was %[2]s.", "Sinds %[1]s worden facturen gemiddeld %[3]s betaald; verwacht was %[2]s.", "Depuis le %[1]s, les factures sont payées en moyenne %[3]s ; on attendait %[2]s."},
	"TEXT_overdue":          {"Invoice %[5]s, due on %[1]s, has been open for %[10]s since; this debtor pays %[2]s at the latest.", "Factuur %[5]s, vervallen op %[1]s, staat sindsdien %[10]s open; deze debiteur betaalt ten laatste %[2]s.", "La facture %[5]s, échue le %[1]s, reste impayée depuis %[10]s ; ce débiteur paie au plus tard %[2]s."},
	"TEXT_unpaid":           {"No invoice due since %[1]s has been paid in full: %[11]s, open for %[10]s on average; expected was payment %[2]s.", "Geen enkele factuur die sinds %[1]s verviel is volledig betaald: %[11]s, gemiddeld %[10]s open; verwacht was betaling %[2]s.", "Aucune facture échue depuis le %[1]s n'a été payée en entier : %[11]s, en retard de %[10]s en moyenne ; on attendait un paiement %[2]s."},
	"TEXT_silent":           {"Since %[1]s nothing sent by %[4]s was looked at: %[3]s in a row, where %[2]s is usual.", "Sinds %[1]s werd niets meer bekeken via %[4]s: %[3]s na elkaar, terwijl %[2]s gewoon is.", "Depuis le %[1]s, rien n'a été consulté par %[4]s : %[3]s de suite, contre %[2]s d'habitude."},
	"TEXT_broken_promise":   {"The promise for %[1]s was not kept (%[3]s broken so far).", "De belofte voor %[1]s werd niet gehouden (%[3]s gebroken tot nu).", "La promesse pour le %[1]s n'a pas été tenue (en défaut à ce jour : %[3]s)."},
	"TEXT_bad_address":      {"Since %[1]s messages by %[4]s come back: %[3]s in a row.", "Sinds %[1]s komen berichten via %[4]s terug: %[3]s na elkaar.", "Depuis le %[1]s, les messages par %[4]s reviennent : %[3]s de suite."},
	"TEXT_method_change":    {"Since %[1]s no payment by %[6]s any more: %[3]s in a row by another way, where %[2]s is usual.", "Sinds %[1]s geen betaling meer via %[6]s: %[3]s na elkaar op een andere wijze, terwijl %[2]s gewoon is.", "Depuis le %[1]s, plus de paiement par %[6]s : %[3]s de suite autrement, contre %[2]s d'habitude."},
	"TEXT_rating_drop":      {"On %[1]s the rating fell to %[3]s; it was %[2]s.", "Op %[1]s daalde de score naar %[3]s; ze was %[2]s.", "Le %[1]s, la cote est tombée à %[3]s ; elle était de %[2]s."},
	"TEXT_part_payments":    {"Since %[1]s payment of %[3]s in parts, where %[2]s is usual.", "Sinds %[1]s betaling van %[3]s in delen, terwijl %[2]s gewoon is.", "Depuis le %[1]s, paiement de %[3]s par acomptes, contre %[2]s d'habitude."},
	"TEXT_dispute_spike":    {"%[3]s since %[1]s; %[2]s was expected.", "%[3]s sinds %[1]s; verwacht was %[2]s.", "%[3]s depuis le %[1]s ; on attendait %[2]s."},
	"TEXT_GROUP_late":       {"Since %[1]s %[8]d of %[9]d debtors of %[7]s pay %[3]s on average; expected was %[2]s.", "Sinds %[1]s betalen %[8]d van %[9]d debiteuren van %[7]s gemiddeld %[3]s; verwacht was %[2]s.", "Depuis le %[1]s, %[8]d débiteurs sur %[9]d de %[7]s paient en moyenne %[3]s ; on attendait %[2]s."},
	"CAUSE_careless":        {"Probably carelessness", "Wellicht slordigheid", "Sans doute de la négligence"},
	"CAUSE_out_of_money":    {"Probably short of money", "Wellicht geldgebrek", "Sans doute un manque de liquidités"},
	"CAUSE_dispute":         {"A dispute may be brewing", "Er broeit misschien een betwisting", "Une contestation se prépare peut-être"},
	"CAUSE_address":         {"Perhaps a wrong address", "Misschien een verkeerd adres", "Peut-être une mauvaise adresse"},
	"CAUSE_unknown":         {"Cause unknown", "Oorzaak onbekend", "Cause inconnue"},
	"ACTION_call":           {"Call and ask what is going on", "Bel en vraag wat er speelt", "Appeler et demander ce qui se passe"},
	"ACTION_offer_plan":     {"Offer a payment plan, follow it closely", "Bied een afbetalingsplan aan en volg het van nabij", "Proposer un plan de paiement et le suivre de près"},
	"ACTION_settle_dispute": {"Ask what is wrong with the invoice first", "Vraag eerst wat er mis is met de factuur", "Demander d'abord ce qui ne va pas avec la facture"},
	"ACTION_check_address":  {"Check the address or use another channel", "Controleer het adres of kies een ander kanaal", "Vérifier l'adresse ou choisir un autre canal"},
	"ACTION_remind_earlier": {"Remind earlier from now on", "Herinner voortaan vroeger", "Relancer plus tôt désormais"},
	"ACTION_watch":          {"Keep an eye on it; no action yet", "In het oog houden; nog geen actie", "Surveiller ; pas d'action pour l'instant"},
	"SCOPE_sector":          {"Sector %[1]s", "Sector %[1]s", "Le secteur %[1]s"},
	"SCOPE_region":          {"Region %[1]s", "Regio %[1]s", "La région %[1]s"},
	"SCOPE_sector_region":   {"Sector and region %[1]s", "Sector en regio %[1]s", "Le secteur et la région %[1]s"},
	"SCOPE_profile":         {"Profile %[1]s", "Profiel %[1]s", "Le profil %[1]s"},
	"SCOPE_book":            {"The whole book", "Het hele boek", "L'ensemble du portefeuille"},
}

// alertWords words a code without arguments.
func alertWords(code string) Words {
	s := alertSentences[code]
	return Words{EN: s[english], NL: s[dutch], FR: s[french]}
}

// alertUnits are the units of what was expected and seen, one and many.
var alertUnits = map[string][3][2]string{
	"days":     {{"day", "days"}, {"dag", "dagen"}, {"jour", "jours"}},
	"messages": {{"message", "messages"}, {"bericht", "berichten"}, {"message", "messages"}},
	"promises": {{"promise", "promises"}, {"belofte", "beloften"}, {"promesse", "promesses"}},
	"payments": {{"payment", "payments"}, {"betaling", "betalingen"}, {"paiement", "paiements"}},
	"invoices": {{"invoice", "invoices"}, {"factuur", "facturen"}, {"facture", "factures"}},
	"disputes": {{"dispute", "disputes"}, {"betwisting", "betwistingen"}, {"contestation", "contestations"}},
	"points":   {{"point", "points"}, {"punt", "punten"}, {"point", "points"}},
}

// number writes v with one decimal where it is not whole, as the language does.
func (t tongue) number(v float64) string {
	s := strings.TrimSuffix(strconv.FormatFloat(math.Round(v*10)/10, 'f', 1, 64), ".0")
	if s == "-0" {
		s = "0"
	}
	if t != english {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

// amount writes v with its unit.
func (t tongue) amount(v float64, unit string) string {
	u := alertUnits[unit][t]
	if shown := math.Abs(math.Round(v*10) / 10); shown == 1 || t == french && shown < 2 {
		return t.number(v) + " " + u[0]
	}
	return t.number(v) + " " + u[1]
}

// lateness writes when a payment days late comes, by the due date.
func (t tongue) lateness(days float64) string {
	days = math.Round(days*10) / 10
	words := [...][2]string{english: {"after the due date", "before the due date"}, dutch: {"na de vervaldag", "voor de vervaldag"}, french: {"après l'échéance", "avant l'échéance"}}[t]
	switch {
	case days > 0:
		return t.amount(days, "days") + " " + words[0]
	case days < 0:
		return t.amount(-days, "days") + " " + words[1]
	}
	return [...]string{english: "on the due date", dutch: "op de vervaldag", french: "à l'échéance"}[t]
}

// day writes a date as the language does.
func (t tongue) day(d ledger.Day) string {
	if t == english {
		return d.UTC().Format("2 January 2006")
	}
	return d.UTC().Format("02/01/2006")
}

// wordAlert returns the title and the text of an alert.
func wordAlert(x *Alert) (title, text Words) {
	kind := x.Kind
	if x.Scope != ScopeDebtor {
		kind = "GROUP_" + kind
	}
	open := unpaid(x.Evidence)
	invoice, expected := x.Invoice, x.Expected.Mid
	switch {
	case kind == anomaly.Late.String() && open > 1:
		kind = "unpaid"
	case kind == anomaly.Late.String() && open == 1: // and so the last
		kind, invoice = anomaly.Overdue.String(), x.Evidence[len(x.Evidence)-1].Invoice
	}
	if kind == anomaly.Overdue.String() {
		expected = x.Expected.High
	}
	say := func(t tongue) (string, string) {
		channel := x.Channel
		if c, ok := ledger.ParseChannel(x.Channel); ok {
			channel = channelWords[t][c]
		}
		scope := ""
		if s := alertSentences["SCOPE_"+x.Scope][t]; strings.Contains(s, "%[") {
			scope = fmt.Sprintf(s, x.Group)
		} else {
			scope = s
		}
		amount := func(v float64) string { return t.amount(v, x.Unit) }
		if x.Unit == "days" {
			amount = t.lateness
		}
		args := []any{
			t.day(x.Since), amount(expected), amount(x.Seen), channel, invoice, x.Method,
			scope, len(x.Members), x.GroupSize, t.amount(x.Seen, x.Unit), t.amount(float64(open), "invoices"),
		}
		word := func(code string) string {
			s := alertSentences[code][t]
			if !strings.Contains(s, "%[") {
				return s
			}
			return fmt.Sprintf(s, args...) // indexed: what a sentence does not use is no fault
		}
		return word("TITLE_" + kind), word("TEXT_" + kind)
	}
	title.EN, text.EN = say(english)
	title.NL, text.NL = say(dutch)
	title.FR, text.FR = say(french)
	return title, text
}
