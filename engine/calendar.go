package engine

import "rappel/datasets/ledger"

// calendar holds the public holidays by country.
type calendar struct {
	days map[string]map[ledger.Day]struct{}
}

func (c *calendar) has(country string, d ledger.Day) bool {
	_, ok := c.days[country][d]
	return ok
}

// holiday tells whether d is a public holiday where the debtor is (where the
// creditor is, for want of that), or in a calendar that the pack names.
func (c *calendar) holiday(debtor, creditor string, p *Pack, d ledger.Day) bool {
	country := debtor
	if country == "" {
		country = creditor
	}
	if c.has(country, d) {
		return true
	}
	for _, name := range p.calendar {
		if c.has(name, d) {
			return true
		}
	}
	return false
}
