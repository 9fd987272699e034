package world

import (
	"strconv"
	"time"

	"rappel/datasets/ledger"
)

// Event is one thing that happened, in the envelope that the HTTP API takes.
type Event struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Time     time.Time `json:"time"`
	Creditor string    `json:"creditor_id"`
	Debtor   string    `json:"debtor_id"`
	Data     Data      `json:"data"`
}

// Data is the data of an event: the fields that its type has.
type Data struct {
	ContactID  string     `json:"contact_id,omitempty"`
	DecisionID string     `json:"decision_id,omitempty"`
	Channel    string     `json:"channel,omitempty"`
	Tone       string     `json:"tone,omitempty"`
	Cost       Money      `json:"cost,omitzero"`
	InvoiceIDs []string   `json:"invoice_ids,omitempty"`
	InvoiceID  string     `json:"invoice_id,omitempty"`
	IssuedAt   time.Time  `json:"issued_at,omitzero"`
	DueOn      ledger.Day `json:"due_on,omitzero"`
	PaymentID  string     `json:"payment_id,omitempty"`
	Amount     Money      `json:"amount,omitzero"`
	Currency   string     `json:"currency,omitempty"`
	Method     string     `json:"method,omitempty"`
	CaseID     string     `json:"case_id,omitempty"`
	Kind       string     `json:"kind,omitempty"`
	ExpiresOn  ledger.Day `json:"expires_on,omitzero"`
	Outcome    string     `json:"outcome,omitempty"`
	Provider   string     `json:"provider,omitempty"`
	Score      float64    `json:"score,omitempty"`
	Language   string     `json:"language,omitempty"`
	Timezone   string     `json:"timezone,omitempty"`
	Country    string     `json:"country,omitempty"`
	Postcode   string     `json:"postcode,omitempty"`
	SectorCode string     `json:"sector_code,omitempty"`
	Channels   []Reach    `json:"channels,omitempty"`
}

// Reach is what the creditor has of one channel of a debtor.
type Reach struct {
	Channel   string `json:"channel"`
	Reachable bool   `json:"reachable"`
	Consent   bool   `json:"consent"`
}

// Money is an amount in cents; in JSON it is a number with two decimals.
type Money int64

// String returns the amount with two decimals.
func (m Money) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	return sign + strconv.FormatInt(int64(m)/100, 10) + "." + pad(int(m%100), 2)
}

// MarshalJSON writes the amount with two decimals.
func (m Money) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// Action is one contact that a creditor sends.
type Action struct {
	Debtor   string
	Decision string // id of the decision it follows, or empty
	Channel  ledger.Channel
	Tone     ledger.Tone
	SendAt   time.Time
	Offer    string // "", "payment_plan" or "call_first"
}
