package signal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/cz"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/us"

	"rappel/datasets/ledger"
)

var calendars = map[string][]*cal.Holiday{
	"AT": at.Holidays, "BE": be.Holidays, "CH": ch.Holidays, "CZ": cz.Holidays, "DE": de.Holidays, "DK": dk.Holidays,
	"ES": es.Holidays, "FR": fr.Holidays, "GB": gb.Holidays, "IE": ie.Holidays, "IT": it.Holidays, "NL": nl.Holidays,
	"NO": no.Holidays, "PL": pl.Holidays, "SE": se.Holidays, "US": us.Holidays,
}

// Countries returns the countries whose public holidays are known, sorted.
func Countries() []string {
	var list []string
	for c := range calendars {
		list = append(list, c)
	}
	slices.Sort(list)
	return list
}

// Holidays returns the public holidays of a country in the years from first to
// last, both included, by date: the day off, where it is moved from the day
// itself. It returns a *FormatError for a country that is not in Countries.
func Holidays(country string, first, last int) ([]Holiday, error) {
	list, ok := calendars[strings.ToUpper(country)]
	if !ok {
		return nil, &FormatError{Column: "country", Reason: fmt.Sprintf("%q is none of %s", country, strings.Join(Countries(), " "))}
	}
	days := map[ledger.Day]string{}
	for year := first; year <= last; year++ {
		for _, h := range list {
			actual, observed := h.Calc(year)
			if observed.IsZero() {
				observed = actual
			}
			if observed.IsZero() {
				continue // not kept in that year
			}
			y, m, d := observed.Date()
			day := ledger.DayOf(time.Date(y, m, d, 0, 0, 0, 0, time.UTC), time.UTC)
			if _, ok := days[day]; !ok {
				days[day] = h.Name
			}
		}
	}
	var out []Holiday
	for d, name := range days {
		out = append(out, Holiday{Country: strings.ToUpper(country), Day: d, Name: name})
	}
	slices.SortFunc(out, func(a, b Holiday) int { return int(a.Day - b.Day) })
	return out, nil
}
