package console

import (
	"math"
	"strconv"
	"strings"
)

// tongue is a language of the pages.
type tongue int

const (
	english tongue = iota
	dutch
	french
)

var languages = [3]string{"en", "nl", "fr"}

// tongueOf picks the first language of an Accept-Language header that the
// pages speak; browsers list them by preference.
func tongueOf(header string) tongue {
	for part := range strings.SplitSeq(strings.ToLower(header), ",") {
		for t, name := range languages {
			if strings.HasPrefix(strings.TrimSpace(part), name) {
				return tongue(t)
			}
		}
	}
	return english
}

var weekdays = [3][7]string{
	{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"},
	{"ma", "di", "wo", "do", "vr", "za", "zo"},
	{"lu", "ma", "me", "je", "ve", "sa", "di"},
}

// words are the texts of the pages: English, Dutch, French.
var words = map[string][3]string{
	"console":     {"Rappel console", "Rappel-console", "Console Rappel"},
	"sign in":     {"Sign in", "Aanmelden", "Se connecter"},
	"sign out":    {"Sign out", "Afmelden", "Se déconnecter"},
	"key":         {"API key with the scope review", "API-sleutel met de scope review", "Clé API avec la portée review"},
	"bad key":     {"This key is unknown, was revoked, or may not review.", "Deze sleutel is onbekend, ingetrokken of mag niet beoordelen.", "Cette clé est inconnue, révoquée ou sans droit d'examen."},
	"creditor":    {"Creditor", "Schuldeiser", "Créancier"},
	"as of":       {"As of", "Op datum van", "À la date du"},
	"show":        {"Show", "Tonen", "Afficher"},
	"overdue":     {"Overdue debtors", "Debiteuren met achterstand", "Débiteurs en retard"},
	"nobody":      {"Nobody is overdue.", "Niemand heeft achterstand.", "Personne n'est en retard."},
	"debtor":      {"Debtor", "Debiteur", "Débiteur"},
	"amount due":  {"Overdue", "Vervallen", "Échu"},
	"open":        {"Open", "Openstaand", "Ouvert"},
	"days":        {"Days past due", "Dagen te laat", "Jours de retard"},
	"next":        {"Next best action", "Volgende beste actie", "Prochaine meilleure action"},
	"none yet":    {"not asked yet", "nog niet gevraagd", "pas encore demandée"},
	"at":          {"at", "op", "le"},
	"contact":     {"contact", "contact", "contact"},
	"wait":        {"wait", "wachten", "attendre"},
	"hold":        {"hold", "stop", "suspendre"},
	"approval":    {"needs approval", "goedkeuring nodig", "approbation requise"},
	"previous":    {"Previous page", "Vorige pagina", "Page précédente"},
	"following":   {"Next page", "Volgende pagina", "Page suivante"},
	"hours":       {"When this debtor looks (local time)", "Wanneer deze debiteur kijkt (lokale tijd)", "Quand ce débiteur regarde (heure locale)"},
	"channels":    {"Response by channel", "Reactie per kanaal", "Réaction par canal"},
	"channel":     {"Channel", "Kanaal", "Canal"},
	"sends":       {"Contacts", "Contacten", "Contacts"},
	"answered":    {"Answered or paid", "Beantwoord of betaald", "Répondu ou payé"},
	"response":    {"Response, pooled", "Reactie, gepoold", "Réaction, mutualisée"},
	"silent":      {"Silent in a row", "Stil op rij", "Silences de suite"},
	"unreachable": {"not to be used", "niet te gebruiken", "à ne pas utiliser"},
	"survival":    {"Still unpaid without contact, coming 28 days", "Nog onbetaald zonder contact, komende 28 dagen", "Encore impayé sans contact, 28 jours à venir"},
	"timeline":    {"Timeline", "Tijdlijn", "Chronologie"},
	"cut":         {"Older entries are not shown.", "Oudere regels worden niet getoond.", "Les lignes plus anciennes ne sont pas affichées."},
	"method":      {"Usual method", "Gebruikelijke betaalwijze", "Mode de paiement habituel"},
	"held":        {"On hold", "Geblokkeerd", "Suspendu"},
	"back":        {"Back to the list", "Terug naar de lijst", "Retour à la liste"},
	"not found":   {"There is no such page.", "Deze pagina bestaat niet.", "Cette page n'existe pas."},
	"went wrong":  {"Something went wrong; the log says what.", "Er ging iets mis; het logboek zegt wat.", "Une erreur s'est produite ; le journal dit laquelle."},
}

// say returns a text; a key without one stands for itself.
func say(t tongue, key string) string {
	if w, ok := words[key]; ok {
		return w[t]
	}
	return key
}

// money writes an amount with two decimals, grouped by thousands.
func money(t tongue, x float64) string {
	group, point := ",", "."
	switch t {
	case dutch:
		group, point = ".", ","
	case french:
		group, point = "\u202f", ","
	}
	cents := int64(math.Round(math.Abs(x) * 100))
	whole := strconv.FormatInt(cents/100, 10)
	var b strings.Builder
	if x < 0 && cents > 0 {
		b.WriteByte('-')
	}
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(group)
		}
		b.WriteRune(digit)
	}
	b.WriteString(point)
	b.WriteString(strconv.FormatInt(100+cents%100, 10)[1:])
	return b.String()
}
