package engine

import (
	"strings"
	"testing"
)

// TestTranslate: every sentence, with arguments such as are put into it, comes out
// in each language as if it had been said in it.
func TestTranslate(t *testing.T) {
	for key := range sentences {
		code := key
		args := map[string][3][]any{
			"ANSWERS":     {{"phone", 4, 5}, {"telefoon", 4, 5}, {"téléphone", 4, 5}},
			"EXPECTED":    {{"text message"}, {"sms"}, {"SMS"}},
			"UNREACHABLE": {{"letter"}, {"brief"}, {"lettre"}},
			"NO_CONSENT":  {{"letter"}, {"brief"}, {"lettre"}},
			"CAPACITY":    {{"phone"}, {"telefoon"}, {"téléphone"}},
			"OPENS":       {{9, 11}, {9, 11}, {9, 11}},
			"TONE":        {{"formal"}, {"formele"}, {"formel"}},
			"RESTRAINT":   {{2}, {2}, {2}},
			"COST":        {{1.6}, {1.6}, {1.6}},
			"PAYS_ALONE":  {{63.0}, {63.0}, {63.0}},
			"LADDER":      {{3}, {3}, {3}},
		}[key]
		if len(args[0]) > 0 && key != "LADDER" && key != "COST" && key != "RESTRAINT" && key != "PAYS_ALONE" {
			code += "_X"
		}
		for from := range args {
			for to := range args {
				want := say(tongue(to), key, args[to]...)
				if strings.Contains(want, "%!") {
					t.Fatalf("%s: %s: give it arguments", key, want)
				}
				if got := translate(code, say(tongue(from), key, args[from]...), tongue(to)); got != want {
					t.Errorf("%s: %q, want %q", key, got, want)
				}
			}
		}
	}
	if got := translate("OWN_WORDS", "a person's words", dutch); got != "a person's words" {
		t.Errorf("an unknown text became %q", got)
	}
}
