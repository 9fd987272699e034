package console

import (
	"strings"
	"time"
	"unicode/utf8"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// maxNote is the longest text that a person may write, in bytes.
const maxNote = 2000

// formText returns a text that a form must bring, without the space around it.
func (v *visit) formText(field string, needed bool) (string, error) {
	s := strings.TrimSpace(v.r.PostFormValue(field))
	if len(s) > maxNote || needed && s == "" || !utf8.ValidString(s) {
		return "", &engine.FieldError{Pointer: "/" + field, Detail: "is missing or too long"}
	}
	return s, nil
}

// person is the reader, at the moment looked from.
func (v *visit) person() engine.Person { return engine.Person{Actor: v.actor(), AsOf: v.asOf} }

// debtorKey is the debtor whom a form speaks of.
func (v *visit) debtorKey() ledger.Key {
	return ledger.Key{Creditor: v.Creditor, Debtor: v.r.PostFormValue("id")}
}

// decide approves, rejects or overrides a proposal.
func (c *console) decide(v *visit) error {
	r := engine.Review{Verdict: v.r.PostFormValue("verdict"), Actor: v.actor(), AsOf: v.asOf}
	var err error
	if r.Note, err = v.formText("note", false); err != nil {
		return err
	}
	switch r.Verdict {
	case "approve", "reject":
	case "override":
		r.Channel = v.r.PostFormValue("channel")
		if text := v.r.PostFormValue("send_at"); text != "" {
			zone := v.loc
			if z, err := time.LoadLocation(v.r.PostFormValue("zone")); err == nil && v.r.PostFormValue("zone") != "" {
				zone = z
			}
			if r.SendAt, err = time.ParseInLocation("2006-01-02T15:04", text, zone); err != nil {
				return &engine.FieldError{Pointer: "/send_at", Detail: "is no date with a time"}
			}
		}
	default:
		return errNoField
	}
	if _, err := c.engine.Review(v.r.Context(), v.Creditor, v.r.PostFormValue("decision"), r); err != nil {
		return err
	}
	return v.back(map[string]string{"approve": "Approved.", "reject": "Rejected.", "override": "Changed as you asked."}[r.Verdict])
}

// recommend asks for the next best action now, in the reader's language.
func (c *console) recommend(v *visit) error {
	key := v.debtorKey()
	d, err := c.engine.Recommend(v.r.Context(), engine.Request{
		Creditor: key.Creditor, Debtor: key.Debtor, AsOf: v.asOf, HorizonDays: 7, Alternatives: 4, Language: v.Language,
	})
	if err != nil {
		return err
	}
	if err := c.engine.Audit(v.r.Context(), key.Creditor, v.actor(), "recommend", d.ID, ""); err != nil {
		return err
	}
	return v.back("The next best action is new.")
}

// hold blocks a debtor, for a reason, until a day ends.
func (c *console) hold(v *visit) error {
	reason, err := v.formText("reason", true)
	if err != nil {
		return err
	}
	until, err := ledger.ParseDay(v.r.PostFormValue("until"))
	if err != nil || until < ledger.DayOf(v.moment, v.loc) {
		return &engine.FieldError{Pointer: "/until", Detail: "is no day to come"}
	}
	if err := c.engine.HoldDebtor(v.r.Context(), v.debtorKey(), reason, until, v.person()); err != nil {
		return err
	}
	return v.back("On hold.")
}

// release ends the holds that people set.
func (c *console) release(v *visit) error {
	if err := c.engine.ReleaseDebtor(v.r.Context(), v.debtorKey(), v.person()); err != nil {
		return err
	}
	return v.back("The hold has ended.")
}

// note keeps what a person writes about a debtor.
func (c *console) note(v *visit) error {
	text, err := v.formText("text", true)
	if err != nil {
		return err
	}
	if err := c.engine.AddNote(v.r.Context(), v.debtorKey(), text, v.person()); err != nil {
		return err
	}
	return v.back("Noted.")
}

// changeModel promotes a model or goes back to the one before.
func (c *console) changeModel(v *visit) (err error) {
	switch v.r.PostFormValue("do") {
	case "promote":
		_, err = c.engine.Promote(v.r.Context(), v.r.PostFormValue("model"), v.actor())
	case "rollback":
		_, err = c.engine.Rollback(v.r.Context(), v.actor())
	default:
		err = errNoField
	}
	if err != nil {
		return err
	}
	return v.back("Another model serves now.")
}
