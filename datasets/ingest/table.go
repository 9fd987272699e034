package ingest

import (
	"database/sql/driver"
	"maps"
	"slices"

	"rappel/datasets/ledger"
)

// kind is how the text of a cell is read.
type kind uint8

const (
	text     kind = iota // any short text
	ident                // a text that names something
	word                 // one of a few
	moment               // a time, or a day as its midnight
	day                  // a date
	cents                // an amount of money, never negative
	number               // any number
	flag                 // true or false
	list                 // texts, as a JSON array or between ; | or ,
	zone                 // an IANA zone
	country              // two capitals
	currency             // three capitals
)

// column is one column of a table as a file gives it.
type column struct {
	name     string
	kind     kind
	required bool
	words    []string // of a word
}

// table is one table that files can feed.
type table struct {
	columns []column
	// add turns one row of read cells into a row for the store.
	add func(*row, *batch) *fault
}

func (t *table) index(name string) int {
	return slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
}

// batch collects rows until they are written.
type batch struct {
	rows   ledger.Rows
	shared map[string][][]driver.Value // of shared and reference tables
	events []ledger.Event
}

func (b *batch) len() int {
	n := b.rows.Len() + len(b.events)
	for _, rows := range b.shared {
		n += len(rows)
	}
	return n
}

// addShared collects a row of a shared table: the cells in the order of its
// columns.
func addShared(name string) func(*row, *batch) *fault {
	return func(r *row, b *batch) *fault {
		values := make([]driver.Value, len(r.cells))
		for i := range r.cells {
			if c := &r.cells[i]; c.set {
				values[i] = c.value(r.table.columns[i].kind)
			} else if d, ok := sharedDefaults[name+"."+r.table.columns[i].name]; ok {
				values[i] = d
			}
		}
		b.shared[name] = append(b.shared[name], values)
		return nil
	}
}

// sharedDefaults are what absent cells of shared tables stand for.
var sharedDefaults = map[string]driver.Value{
	"creditors.name": "", "creditors.country": "BE", "creditors.timezone": "Europe/Brussels", "creditors.currency": "EUR",
	"creditors.autonomy": "auto", "creditors.approval_above": int64(0), "creditors.control_share": 0.0,
	"creditors.policy_pack": "open", "creditors.settings": "{}",
	"postcodes.region": "", "holidays.name": "", "sector_signals.sector_code": "", "sector_signals.region": "",
}

var (
	channels    = ledger.ChannelNames[:]
	tones       = ledger.ToneNames[:]
	engagements = []string{"delivered", "bounced", "opened", "viewed", "clicked", "replied", "answered", "unsubscribed", "complained"}
	precisions  = []string{"date", "hour", "second"}
	kinds       = []string{string(ledger.Business), string(ledger.Consumer)}
)

const must = true

// Tables returns the names of the tables that files can feed.
func Tables() []string { return append(slices.Sorted(maps.Keys(tables)), eventTable) }

// eventTable is the name of files that hold events as the API takes them.
const eventTable = "events"

// tables holds them by name. In each of the creditor's own, creditor_id comes
// first.
var tables = map[string]*table{
	"debtors": {
		columns: []column{
			{"creditor_id", ident, must, nil},
			{"debtor_id", ident, must, nil},
			{"kind", word, must, kinds},
			{"observed_at", moment, false, nil},
			{"language", text, false, nil},
			{"timezone", zone, false, nil},
			{"country", country, false, nil},
			{"postcode", text, false, nil},
			{"sector_code", text, false, nil},
			{"created_at", moment, false, nil},
		},
		add: func(r *row, b *batch) *fault {
			d := ledger.Debtor{
				Creditor: r.text(0), ID: r.text(1), Kind: ledger.Kind(r.text(2)), ObservedAt: r.time(3), Language: r.text(4),
				Timezone: r.text(5), Country: r.text(6), Postcode: r.text(7), Sector: r.text(8), CreatedAt: r.time(9),
			}
			switch {
			case d.ObservedAt.IsZero() && d.CreatedAt.IsZero():
				return &fault{column: "observed_at", reason: "is missing, and so is created_at"}
			case d.ObservedAt.IsZero():
				d.ObservedAt = d.CreatedAt
			case d.CreatedAt.IsZero():
				d.CreatedAt = d.ObservedAt
			}
			b.rows.Debtors = append(b.rows.Debtors, d)
			return nil
		},
	},
	"debtor_channels": {
		columns: []column{
			{"creditor_id", ident, must, nil},
			{"debtor_id", ident, must, nil},
			{"channel", word, must, channels},
			{"observed_at", moment, must, nil},
			{"reachable", flag, false, nil},
			{"consent", flag, false, nil},
			{"opted_out", flag, false, nil},
		},
		add: func(r *row, b *batch) *fault {
			c := ledger.Reach{Creditor: r.text(0), Debtor: r.text(1), ObservedAt: r.time(3), Reachable: r.flag(4), Consent: r.flag(5), OptedOut: r.flag(6)}
			c.Channel, _ = ledger.ParseChannel(r.text(2))
			for i, facet := range []ledger.Facet{ledger.FacetReachable, ledger.FacetConsent, ledger.FacetOptedOut} {
				if !r.cells[4+i].set {
					c.Unknown |= facet
				}
			}
			b.rows.Reach = append(b.rows.Reach, c)
			return nil
		},
	},
	"invoices": {
		columns: []column{
			{"creditor_id", ident, must, nil},
			{"invoice_id", ident, must, nil},
			{"debtor_id", ident, must, nil},
			{"issued_at", moment, must, nil},
			{"due_on", day, must, nil},
			{"amount", cents, must, nil},
			{"currency", currency, must, nil},
			{"observed_at", moment, false, nil},
			{"cancelled_at", moment, false, nil},
		},
		add: func(r *row, b *batch) *fault {
			v := ledger.Invoice{
				Creditor: r.text(0), ID: r.text(1), Debtor: r.text(2), IssuedAt: r.time(3), DueOn: r.day(4),
				Cents: r.int(5), Currency: r.text(6), ObservedAt: r.time(7), CancelledAt: r.time(8),
			}
			if v.ObservedAt.IsZero() {
				v.ObservedAt = v.IssuedAt
			}
			b.rows.Invoices = append(b.rows.Invoices, v)
			return nil
		},
	},
	"payments": {
		columns: []column{
			{"creditor_id", ident, must, nil},
			{"payment_id", ident, must, nil},
			{"invoice_id", ident, must, nil},
			{"debtor_id", ident, must, nil},
			{"paid_at", moment, must, nil},
			{"amount", cents, must, nil},
			{"method", text, false, nil},
		},
		add: func(r *row, b *batch) *fault {
			b.rows.Payments = append(b.rows.Payments, ledger.Payment{
				Creditor: r.text(0), ID: r.text(1), Invoice: r.text(2), Debtor: r.text(3), PaidAt: r.time(4), Cents: r.int(5), Method: r.text(6),
			})
			return nil
		},
	},
	"contacts": {
		columns: []column{
			{"creditor_id", ident, must, nil},
			{"contact_id", ident, must, nil},
			{"debtor_id", ident, must, nil},
			{"channel", word, must, channels},
			{"sent_at", moment, must, nil},
			{"decision_id", text, false, nil},
			{"tone", word, false, tones},
			{"cost", cents, false, nil},
			{"invoice_ids", list, false, nil},
		},
		add: func(r *row, b *batch) *fault {
			c := ledger.Contact{
				Creditor: r.text(0), ID: r.text(1), Debtor: r.text(2), SentAt: r.time(4), Decision: r.text(5),
				CostCents: r.int(7), Invoices: r.cells[8].list,
			}
			c.Channel, _ = ledger.ParseChannel(r.text(3))
			c.Tone, _ = ledger.ParseTone(r.text(6))
			b.rows.Contacts = append(b.rows.Contacts, c)
			return nil
		},
	},
	"engagements": {
		columns: []column{
			{"creditor_id", ident, must, nil},
			{"event_id", ident, must, nil},
			{"debtor_id", ident, must, nil},
			{"kind", word, must, engagements},
			{"occurred_at", moment, must, nil},
			{"contact_id", text, false, nil},
			{"invoice_id", text, false, nil},
			{"channel", word, false, channels},
			{"precision", word, false, precisions},
			{"is_machine", flag, false, nil},
		},
		add: func(r *row, b *batch) *fault {
			e := ledger.Engagement{
				Creditor: r.text(0), EventID: r.text(1), Debtor: r.text(2), Kind: r.text(3), OccurredAt: r.time(4),
				Contact: r.text(5), Invoice: r.text(6), HasChannel: r.cells[7].set, Precision: r.text(8), Machine: r.flag(9),
			}
			e.Channel, _ = ledger.ParseChannel(r.text(7))
			switch {
			case e.Precision != "":
			case r.cells[4].dateOnly:
				e.Precision = "date"
			default:
				e.Precision = "second"
			}
			b.rows.Engagements = append(b.rows.Engagements, e)
			return nil
		},
	},
	"cases": {
		columns: []column{
			{"creditor_id", ident, must, nil},
			{"case_id", ident, must, nil},
			{"debtor_id", ident, must, nil},
			{"kind", word, false, ledger.CaseKinds},
			{"opened_at", moment, false, nil},
			{"invoice_id", text, false, nil},
			{"expires_on", day, false, nil},
			{"closed_at", moment, false, nil},
			{"outcome", text, false, nil},
		},
		add: func(r *row, b *batch) *fault {
			c := ledger.Case{
				Creditor: r.text(0), ID: r.text(1), Debtor: r.text(2), Kind: r.text(3), OpenedAt: r.time(4), Invoice: r.text(5),
				ExpiresOn: r.day(6), ClosedAt: r.time(7), Outcome: r.text(8),
			}
			switch {
			case c.OpenedAt.IsZero() && c.ClosedAt.IsZero():
				return &fault{column: "opened_at", reason: "is missing, and so is closed_at"}
			case c.Kind == "" && !c.OpenedAt.IsZero():
				return &fault{column: "kind", reason: "is missing"}
			}
			b.rows.Cases = append(b.rows.Cases, c)
			return nil
		},
	},
	"ratings": {
		columns: []column{
			{"creditor_id", ident, must, nil},
			{"debtor_id", ident, must, nil},
			{"observed_at", moment, must, nil},
			{"provider", ident, must, nil},
			{"score", number, must, nil},
		},
		add: func(r *row, b *batch) *fault {
			b.rows.Ratings = append(b.rows.Ratings, ledger.Rating{
				Creditor: r.text(0), Debtor: r.text(1), ObservedAt: r.time(2), Provider: r.text(3), Score: r.cells[4].f,
			})
			return nil
		},
	},
	"creditors": {
		columns: []column{
			{"creditor_id", ident, must, nil},
			{"name", text, false, nil},
			{"country", country, false, nil},
			{"timezone", zone, false, nil},
			{"currency", currency, false, nil},
			{"autonomy", word, false, []string{"advise", "approve", "auto"}},
			{"approval_above", cents, false, nil},
			{"control_share", number, false, nil},
			{"policy_pack", text, false, nil},
			{"settings", text, false, nil},
		},
		add: addShared("creditors"),
	},
	"weather": {
		columns: []column{
			{"region", ident, must, nil},
			{"hour", moment, must, nil},
			{"known_at", moment, must, nil},
			{"observed", flag, must, nil},
			{"temperature_c", number, false, nil},
			{"precipitation_mm", number, false, nil},
			{"sunshine_min", number, false, nil},
		},
		add: addShared("weather"),
	},
	"sector_signals": {
		columns: []column{
			{"sector_code", text, false, nil},
			{"region", text, false, nil},
			{"period", day, must, nil},
			{"indicator", ident, must, nil},
			{"known_at", moment, must, nil},
			{"value", number, must, nil},
		},
		add: addShared("sector_signals"),
	},
	"sectors": {
		columns: []column{
			{"sector_code", ident, must, nil},
			{"name_nl", text, false, nil},
			{"name_fr", text, false, nil},
			{"name_en", text, false, nil},
		},
		add: addShared("sectors"),
	},
	"postcodes": {
		columns: []column{
			{"country", country, must, nil},
			{"postcode", ident, must, nil},
			{"region", text, false, nil},
			{"latitude", number, false, nil},
			{"longitude", number, false, nil},
		},
		add: addShared("postcodes"),
	},
	"holidays": {
		columns: []column{
			{"country", country, must, nil},
			{"day", day, must, nil},
			{"name", text, false, nil},
		},
		add: addShared("holidays"),
	},
}

func newBatch() batch { return batch{shared: map[string][][]driver.Value{}} }

// clear empties the batch and keeps its memory.
func (b *batch) clear() {
	r := &b.rows
	b.rows = ledger.Rows{
		Debtors: r.Debtors[:0], Reach: r.Reach[:0], Invoices: r.Invoices[:0], Payments: r.Payments[:0],
		Contacts: r.Contacts[:0], Engagements: r.Engagements[:0], Cases: r.Cases[:0], Ratings: r.Ratings[:0],
	}
	b.events = b.events[:0]
	clear(b.shared)
}

// creditorsOf returns the creditors that the rows of a batch belong to.
func creditorsOf(b *batch) []string {
	seen := map[string]bool{}
	each := func(r *ledger.Rows) {
		for i := range r.Debtors {
			seen[r.Debtors[i].Creditor] = true
		}
		for i := range r.Reach {
			seen[r.Reach[i].Creditor] = true
		}
		for i := range r.Invoices {
			seen[r.Invoices[i].Creditor] = true
		}
		for i := range r.Payments {
			seen[r.Payments[i].Creditor] = true
		}
		for i := range r.Contacts {
			seen[r.Contacts[i].Creditor] = true
		}
		for i := range r.Engagements {
			seen[r.Engagements[i].Creditor] = true
		}
		for i := range r.Cases {
			seen[r.Cases[i].Creditor] = true
		}
		for i := range r.Ratings {
			seen[r.Ratings[i].Creditor] = true
		}
	}
	each(&b.rows)
	for i := range b.events {
		seen[b.events[i].Creditor] = true
	}
	return slices.Sorted(maps.Keys(seen))
}
