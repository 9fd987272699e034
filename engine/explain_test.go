package engine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestReasonsInTheReadersLanguage: a logged decision is worded from codes and
// numbers, whatever language it was asked for in; a row logged without numbers, and
// words that are not ours, read as they were written.
func TestReasonsInTheReadersLanguage(t *testing.T) {
	asked := Decision{
		Reasons: []Reason{
			reason(french, "ANSWERS_PHONE", 3, 4, 5), reason(french, "ANSWERS_SMS", -1, 1, 5), reason(french, "TONE_FORMAL", 2), reason(french, "OPENS_MORNING", 1, 9, 11),
			reason(french, "COST", -1, 1.6), reason(french, "PAYS_ALONE", 1, 63.2), reason(french, "LATER", 1),
			{Code: "RESTRAINT", Contribution: 1, Text: "words of an older version"},
			{Code: "OWN_WORDS", Text: "a person's words"},
		},
		Constraints: []Constraint{constraint(french, "CAPACITY_LETTER"), constraint(french, "QUIET_HOURS")},
	}
	row, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	var logged Decision
	if err := json.Unmarshal(row, &logged); err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string]string{
		"nl-BE": "Reageert beter op telefoon: 4 van 5 contacten beantwoord of betaald|Reageert minder op sms: 1 van 5 contacten beantwoord of betaald|Een formele toon werkt nu beter|Kijkt meestal tussen 9 en 11 uur|" +
			"Kosten van het contact: 1.60|Betaalt wellicht vanzelf: 63% binnen 7 dagen|Een later moment is meer waard|words of an older version|a person's words|" +
			"De capaciteit van vandaag voor brief is op|Geen contact in rusturen, op rustdagen en feestdagen|",
		"en": "Responds better to phone: 4 of 5 contacts answered or paid|Responds less to text message: 1 of 5 contacts answered or paid|A formal tone works better now|Usually looks between 9:00 and 11:00|" +
			"Costs of contact: 1.60|Probably pays without being asked: 63% within 7 days|A later moment is worth more|words of an older version|a person's words|" +
			"Today's capacity for letter is used up|No contact in quiet hours, on quiet days and holidays|",
	} {
		var got strings.Builder
		d := logged.In(language)
		for _, r := range d.Reasons {
			fmt.Fprint(&got, r.Text, "|")
		}
		for _, c := range d.Constraints {
			fmt.Fprint(&got, c.Text, "|")
		}
		if got.String() != want {
			t.Errorf("%s:\n%s, want\n%s", language, got.String(), want)
		}
	}
	if logged.Reasons[0].Text != asked.Reasons[0].Text {
		t.Error("wording changed the logged decision")
	}
}

// TestSentencesTakeTheSameNumbers: what is logged with a code fits its sentence in
// each language.
func TestSentencesTakeTheSameNumbers(t *testing.T) {
	check := func(code string, s [3]string, against bool) {
		n := strings.Count(s[english], "#") + strings.Count(s[english], "$")
		for _, in := range []tongue{english, dutch, french} {
			got := string(say(nil, in, code, against, make([]float64, n)...))
			if got == "" {
				t.Errorf("%s in language %d: %q", code, in, got)
			}
			if strings.Contains(s[in], "@") != strings.Contains(s[english], "@") {
				t.Errorf("%s names a word in one language only", code)
			}
		}
	}
	for code, s := range sentences {
		check(code, s, false)
	}
	for code, s := range contrary {
		if sentences[code] == [3]string{} || strings.Count(s[english], "#") != strings.Count(sentences[code][english], "#") {
			t.Errorf("%s: takes other numbers when it speaks against", code)
		}
		check(code, s, true)
	}
}
