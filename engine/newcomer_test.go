package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestANewcomerIsAskedAsItsProfileLikes: where debtors of one sector answer
// texts and those of another e-mails, the first contact with a newcomer goes
// where its sector answers. Experts believe nothing of these two sectors.
func TestANewcomerIsAskedAsItsProfileLikes(t *testing.T) {
	o := newOffice(t)
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	const weeks = 16
	answers := []struct{ sector, liked string }{{"2511", "email"}, {"4711", "sms"}}
	born := func(sector string, at time.Time) string {
		var channels []string
		for _, c := range []string{"email", "sms"} {
			channels = append(channels, fmt.Sprintf(`{"channel":%q,"reachable":true,"consent":true}`, c))
		}
		return fmt.Sprintf(`debtor.upserted %s {"kind":"business","timezone":"Europe/Brussels","country":"BE","sector_code":%q,"channels":[%s]}`,
			at.Format(time.RFC3339), sector, strings.Join(channels, ","))
	}
	billed := func(id string, at time.Time, late int) string {
		return fmt.Sprintf(`invoice.issued %s {"invoice_id":%q,"issued_at":"%[1]s","due_on":%[3]q,"amount":5000,"currency":"EUR"}`,
			at.AddDate(0, 0, -late-7).Format(time.RFC3339), id, at.AddDate(0, 0, -late).Format(time.DateOnly))
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, a := range answers {
		for d := range 25 {
			id := fmt.Sprintf("d%s-%d", a.sector, d)
			lines := []string{born(a.sector, start.AddDate(0, 0, -10))}
			for k := range weeks {
				sent := start.AddDate(0, 0, 7*k).Add(10 * time.Hour)
				bill, channel := fmt.Sprintf("%s-%d", id, k), []string{"email", "sms"}[rng.IntN(2)]
				lines = append(lines, billed(bill, sent, 3),
					fmt.Sprintf(`contact.sent %s {"contact_id":"c%s","channel":%q}`, sent.Format(time.RFC3339), bill, channel))
				paid := sent.AddDate(0, 0, 6)
				if channel == a.liked && rng.Float64() < 0.5 {
					paid = sent.Add(2 * time.Hour)
				}
				lines = append(lines, fmt.Sprintf(`payment.received %s {"payment_id":"p%s","invoice_id":"%[2]s","amount":5000}`, paid.Format(time.RFC3339), bill))
			}
			o.tell(id, lines...)
		}
	}
	end := start.AddDate(0, 0, 7*weeks).Add(8 * time.Hour)
	for _, a := range answers {
		o.tell("new"+a.sector, born(a.sector, end.AddDate(0, 0, -20)), billed("i"+a.sector, end, 3))
	}
	o.learn(end)
	for _, a := range answers {
		d := o.ask("new"+a.sector, end)
		if d.Action != ActionContact || d.Channel != a.liked {
			t.Errorf("a newcomer of sector %s: %s %s, want a contact by %s", a.sector, d.Action, d.Channel, a.liked)
		}
	}
}
