package engine

import (
	"time"

	"rappel/datasets/ledger"
)

// Actions of a decision.
const (
	ActionContact = "contact"
	ActionWait    = "wait"
	ActionHold    = "hold"
)

// Reasons of a hold.
const (
	HoldNothingDue = "NOTHING_DUE"
	HoldDisputed   = "DISPUTED"
	HoldPlan       = "PAYMENT_PLAN"
	HoldPromise    = "PROMISE"
	HoldInsolvency = "INSOLVENCY"
	HoldMediation  = "DEBT_MEDIATION"
	HoldNoChannel  = "NO_CHANNEL"
	HoldCap        = "CAP_REACHED"
	HoldCreditor   = "CREDITOR_HOLD"
)

// Arms of the experiment that proves what the engine earns.
const (
	Treatment = "treatment"
	Control   = "control"
)

// Request asks for the next best action of one debtor.
type Request struct {
	Creditor     string
	Debtor       string
	AsOf         time.Time // zero: the engine's clock
	HorizonDays  int       // 1 to 28
	Channels     []string  // only these; empty: all
	Alternatives int       // how many runners-up to name
	Language     string    // nl, fr, en; empty: the debtor's, else English
	Key          string    // idempotency key; empty: none
}

// Decision is the next best action of one debtor, as it is answered.
type Decision struct {
	ID               string        `json:"decision_id"`
	Creditor         string        `json:"creditor_id"`
	Debtor           string        `json:"debtor_id"`
	DecidedAt        time.Time     `json:"decided_at"`
	ExpiresAt        time.Time     `json:"expires_at"`
	Action           string        `json:"action"`
	HoldReason       string        `json:"hold_reason,omitempty"`
	ReviewAt         *time.Time    `json:"review_at,omitempty"`
	Channel          string        `json:"channel,omitempty"`
	SendAt           *time.Time    `json:"send_at,omitempty"`
	Window           *Window       `json:"window,omitempty"`
	Tone             string        `json:"tone,omitempty"`
	PaymentMethod    string        `json:"payment_method,omitempty"`
	Offer            *string       `json:"offer"`
	Attachments      []string      `json:"attachments,omitempty"` // to propose: invoice_copy, payment_link
	Invoices         []string      `json:"invoice_ids"`
	Arm              string        `json:"arm"`
	Propensity       float64       `json:"propensity"`
	RequiresApproval bool          `json:"requires_approval"`
	Expected         Expected      `json:"expected"`
	Reasons          []Reason      `json:"reasons"`
	Alternatives     []Alternative `json:"alternatives"`
	Constraints      []Constraint  `json:"constraints"`
	Model            ModelRef      `json:"model"`
}

// Window is when a contact may go out and still be what was decided.
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// Expected is what the engine expects of its decision.
type Expected struct {
	Noticed24h  float64 `json:"noticed_24h"`
	Paid7d      float64 `json:"paid_7d"`
	Paid7dAlone float64 `json:"paid_7d_without"`
	DaysSaved   float64 `json:"days_saved"`
	ValueEUR    float64 `json:"value_eur"`
}

// Reason is one part of the difference in value between the choice and the
// runner-up, in the creditor's currency; all parts add up to it.
type Reason struct {
	Code         string    `json:"code"`
	Contribution float64   `json:"contribution"`
	Text         string    `json:"text"`           // in the language asked for
	Args         []float64 `json:"args,omitempty"` // the numbers in it, in the order of its English sentence
}

// Alternative is a candidate that was not chosen.
type Alternative struct {
	Action     string     `json:"action"`
	Channel    string     `json:"channel,omitempty"`
	SendAt     *time.Time `json:"send_at,omitempty"`
	Tone       string     `json:"tone,omitempty"`
	ValueEUR   float64    `json:"value_eur"`
	Propensity float64    `json:"propensity"`
}

// Constraint is a rule that took candidates away.
type Constraint struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// ModelRef names what decided.
type ModelRef struct {
	ID     string `json:"id"`
	Vector string `json:"vector"`
}

// candidate is one arm: a channel in a tone at its best slot, or wait.
type candidate struct {
	wait    bool
	channel ledger.Channel
	tone    ledger.Tone
	slots   []option // the hours over which the choice of the slot spreads, with probabilities
	at      int64    // best slot, unix seconds
	day     int      // local days from today
	hour    int
	how     int     // hour of the week
	gain    float64 // share of the horizon saved if the contact moves the debtor and nothing else does
	stake   float64 // what moving the debtor is worth, in currency, given what will be done later
	moved   float64 // P(it moves the debtor)
	push    push    // what makes that differ from P(moved) by an average contact
	seen24  float64
	cost    float64
	annoy   float64 // what it costs the relation, and the contacts after it
	mean    float64 // expected value, euro
	sd      float64
	prob    float64
}

// option is one slot of a candidate.
type option struct {
	at    int64
	value float64
	prob  float64
}
