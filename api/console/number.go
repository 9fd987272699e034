package console

import (
	"math"
	"strconv"
	"strings"
	"time"

	xlanguage "golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	"rappel/datasets/ledger"
)

// printers write numbers as the Unicode locale data say.
var printers = [3]*message.Printer{
	english: message.NewPrinter(xlanguage.MustParse("en-GB")),
	dutch:   message.NewPrinter(xlanguage.MustParse("nl-BE")),
	french:  message.NewPrinter(xlanguage.MustParse("fr-BE")),
}

// Number writes a number with so many decimals, grouped by thousands.
func (t tongue) Number(x float64, decimals int) string {
	if x == 0 {
		x = 0 // no −0
	}
	return printers[t].Sprint(number.Decimal(x, number.Scale(decimals)))
}

// Count writes a whole number.
func (t tongue) Count(n int) string { return t.Number(float64(n), 0) }

// Days writes a number of days, with a decimal where it is small.
func (t tongue) Days(x float64) string {
	if math.Abs(x) < 10 && x != math.Trunc(x) {
		return t.Number(x, 1)
	}
	return t.Number(math.Round(x), 0)
}

// Percent writes a share, with a decimal below ten.
func (t tongue) Percent(x float64) string {
	decimals := 0
	if math.Abs(x) < 0.0995 && x != 0 {
		decimals = 1
	}
	gap := "\u00a0%"
	if t == english {
		gap = "%"
	}
	return t.Number(100*x, decimals) + gap
}

var signs = map[string]string{"EUR": "€", "USD": "$", "GBP": "£"}

// money writes an amount in a currency.
func (t tongue) money(currency string, x float64, decimals int) string {
	sign, known := signs[currency]
	if !known {
		sign = currency
	}
	minus, text := "", t.Number(math.Abs(x), decimals)
	if x < 0 && strings.Trim(text, "0.,") != "" {
		minus = "−"
	}
	switch {
	case t == french:
		return minus + text + "\u00a0" + sign
	case t == dutch || !known:
		return minus + sign + "\u00a0" + text
	}
	return minus + sign + text
}

// Money writes an amount to the cent.
func (v *visit) Money(x float64) string { return v.money(v.Currency, x, 2) }

// Euros writes a large amount without cents.
func (v *visit) Euros(x float64) string { return v.money(v.Currency, x, 0) }

var (
	weekdays = [3][7]string{
		{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"},
		{"ma", "di", "wo", "do", "vr", "za", "zo"},
		{"lun.", "mar.", "mer.", "jeu.", "ven.", "sam.", "dim."},
	}
	longWeekdays = [3][7]string{
		{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
		{"maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag", "zondag"},
		{"lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"},
	}
	months = [3][12]string{
		{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
		{"jan", "feb", "mrt", "apr", "mei", "jun", "jul", "aug", "sep", "okt", "nov", "dec"},
		{"janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."},
	}
	longMonths = [3][12]string{
		{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
		{"januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober", "november", "december"},
		{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
	}
)

func weekday(t time.Time) int { return (int(t.Weekday()) + 6) % 7 }

// Date writes a day: 4 mrt 2026.
func (t tongue) Date(at time.Time) string {
	return t.ordinal(at.Day()) + " " + months[t][at.Month()-1] + " " + strconv.Itoa(at.Year())
}

// ordinal writes the first of a month as the French do.
func (t tongue) ordinal(day int) string {
	if t == french && day == 1 {
		return "1er"
	}
	return strconv.Itoa(day)
}

// Day writes a day without a zone.
func (t tongue) Day(d ledger.Day) string { return t.Date(d.UTC()) }

// Month writes a month: mrt 2026.
func (t tongue) Month(d ledger.Day) string {
	at := d.UTC()
	return months[t][at.Month()-1] + " " + strconv.Itoa(at.Year())
}

// LongDate writes a day in full: woensdag 4 maart 2026.
func (t tongue) LongDate(at time.Time) string {
	return longWeekdays[t][weekday(at)] + " " + t.ordinal(at.Day()) + " " + longMonths[t][at.Month()-1] + " " + strconv.Itoa(at.Year())
}

// When writes a moment in its own zone: wo 4 mrt 2026 15:20.
func (t tongue) When(at time.Time) string {
	return weekdays[t][weekday(at)] + " " + t.Date(at) + " " + at.Format("15:04")
}

// Soon writes a moment of the coming days: wo 4 mrt 15:20.
func (t tongue) Soon(at time.Time) string {
	return weekdays[t][weekday(at)] + " " + t.ordinal(at.Day()) + " " + months[t][at.Month()-1] + " " + at.Format("15:04")
}

// Clock writes a moment of today: 15:20.
func (v *visit) Clock(at time.Time) string { return at.Format("15:04") }

// Local is a moment where the creditor is.
func (v *visit) Local(at time.Time) time.Time { return at.In(v.loc) }

// ISO writes a moment for machines.
func (v *visit) ISO(at time.Time) string { return at.Format(time.RFC3339) }
