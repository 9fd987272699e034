package world

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"rappel/datasets/ledger"
)

//go:embed world.yaml
var defaultYAML []byte

// DefaultYAML returns the built-in world file, with its comments.
func DefaultYAML() []byte { return bytes.Clone(defaultYAML) }

// ErrSpec is wrapped by every refusal of a world file.
var ErrSpec = errors.New("world: bad world file")

// Spec is a world file: everything that makes a synthetic creditor but its
// size, its length and its seed. The keys are explained in world.yaml.
type Spec struct {
	Version    int                    `yaml:"version"`
	Creditor   CreditorSpec           `yaml:"creditor"`
	Places     []Place                `yaml:"places"`
	Channels   map[string]ChannelSpec `yaml:"channels"`
	Fatigue    FatigueSpec            `yaml:"fatigue"`
	Response   ResponseSpec           `yaml:"response"`
	Payers     map[string]PayerSpec   `yaml:"payers"`
	Ability    AbilitySpec            `yaml:"ability"`
	Season     []float64              `yaml:"season"`
	Shocks     []Shock                `yaml:"shocks"`
	Indicator  IndicatorSpec          `yaml:"indicator"`
	Drift      DriftSpec              `yaml:"drift"`
	Newcomers  NewcomerSpec           `yaml:"newcomers"`
	Cases      CaseSpec               `yaml:"cases"`
	Machines   MachineSpec            `yaml:"machines"`
	Ratings    RatingSpec             `yaml:"ratings"`
	Weather    WeatherSpec            `yaml:"weather"`
	Archetypes []Archetype            `yaml:"archetypes"`
}

// CreditorSpec is whose money it is and what time and annoyance cost it.
type CreditorSpec struct {
	ID            string  `yaml:"id"`
	Name          string  `yaml:"name"`
	Country       string  `yaml:"country"`
	Timezone      string  `yaml:"timezone"`
	Currency      string  `yaml:"currency"`
	LossRate      float64 `yaml:"loss_rate"`
	CapitalRate   float64 `yaml:"capital_rate"`
	ComplaintCost float64 `yaml:"complaint_cost"`
	OptOutCost    float64 `yaml:"opt_out_cost"`
}

// Place is an area where debtors live, with one weather and one time zone.
type Place struct {
	Country   string             `yaml:"country"`
	Region    string             `yaml:"region"`
	Timezone  string             `yaml:"timezone"`
	Share     float64            `yaml:"share"`
	Languages map[string]float64 `yaml:"languages"`
	Postcodes []string           `yaml:"postcodes"`
	Latitude  float64            `yaml:"latitude"`
}

// ChannelSpec is how a channel carries a message.
type ChannelSpec struct {
	Cost       float64 `yaml:"cost"`
	Speed      float64 `yaml:"speed"`
	DecayHours float64 `yaml:"decay_hours"`
	DelayHours float64 `yaml:"delay_hours"`
	Fatigue    float64 `yaml:"fatigue"`
	Reachable  float64 `yaml:"reachable"`
	Consent    float64 `yaml:"consent"`
	Bounce     float64 `yaml:"bounce"`
	Tracked    float64 `yaml:"tracked"`
}

// FatigueSpec is what many contacts do.
type FatigueSpec struct {
	FadeDays    float64 `yaml:"fade_days"`
	Tolerance   float64 `yaml:"tolerance"`
	Sensitivity float64 `yaml:"sensitivity"`
	Spread      float64 `yaml:"spread"`
	Complaint   float64 `yaml:"complaint"`
	OptOut      float64 `yaml:"opt_out"`
	Growth      float64 `yaml:"growth"`
}

// ResponseSpec is how debtors act on what they noticed.
type ResponseSpec struct {
	TonePenalty      float64 `yaml:"tone_penalty"`
	PreDue           float64 `yaml:"pre_due"`
	PaymentDelayDays float64 `yaml:"payment_delay_days"`
	IntentionFade    float64 `yaml:"intention_fade"`
	Promise          float64 `yaml:"promise"`
	PromisePhone     float64 `yaml:"promise_phone"`
	PromiseDays      float64 `yaml:"promise_days"`
	Plan             float64 `yaml:"plan"`
	Instalments      int     `yaml:"instalments"`
	Partial          float64 `yaml:"partial"`
}

// PayerSpec is when a kind of payer pays without being asked, and how strongly
// it follows a reminder; from some the creditor collects by direct debit.
type PayerSpec struct {
	Response  float64      `yaml:"response"`
	Collected bool         `yaml:"collected"`
	Hazard    [][2]float64 `yaml:"hazard"`
}

// AbilitySpec is how the ability to pay wanders from week to week.
type AbilitySpec struct {
	Memory float64 `yaml:"memory"`
	Spread float64 `yaml:"spread"`
}

// Shock is a sector in trouble for some weeks. Sectors are prefixes of codes.
type Shock struct {
	Sectors  []string `yaml:"sectors"`
	FromWeek int      `yaml:"from_week"`
	Weeks    int      `yaml:"weeks"`
	Depth    float64  `yaml:"depth"`
}

// IndicatorSpec is the monthly figure that is published per sector.
type IndicatorSpec struct {
	Name    string  `yaml:"name"`
	Level   float64 `yaml:"level"`
	Spread  float64 `yaml:"spread"`
	Gain    float64 `yaml:"gain"`
	LagDays int     `yaml:"lag_days"`
}

// DriftSpec is who changes habits, and when.
type DriftSpec struct {
	Share    float64 `yaml:"share"`
	FromWeek int     `yaml:"from_week"`
	Weeks    int     `yaml:"weeks"`
}

// NewcomerSpec is who arrives after the start.
type NewcomerSpec struct {
	Share float64 `yaml:"share"`
	Weeks int     `yaml:"weeks"`
}

// CaseSpec is how often things go to law or to dispute.
type CaseSpec struct {
	InsolvencyPerYear float64 `yaml:"insolvency_per_year"`
	DisputeDays       float64 `yaml:"dispute_days"`
	DisputeUpheld     float64 `yaml:"dispute_upheld"`
}

// MachineSpec is the mail gateways that open messages by themselves.
type MachineSpec struct {
	Share           float64 `yaml:"share"`
	Opens           int     `yaml:"opens"`
	PrefetchAtNight float64 `yaml:"prefetch_at_night"`
}

// RatingSpec is the credit ratings that arrive for a share of the businesses.
type RatingSpec struct {
	Provider     string  `yaml:"provider"`
	IntervalDays int     `yaml:"interval_days"`
	Share        float64 `yaml:"share"`
}

// WeatherSpec is how early and how well the weather is forecast.
type WeatherSpec struct {
	ForecastHours int     `yaml:"forecast_hours"`
	ForecastError float64 `yaml:"forecast_error"`
}

// Archetype is a kind of debtor.
type Archetype struct {
	Name          string             `yaml:"name"`
	Share         float64            `yaml:"share"`
	Kind          ledger.Kind        `yaml:"kind"`
	Sectors       []string           `yaml:"sectors"`
	Floor         float64            `yaml:"floor"`
	Shift         float64            `yaml:"shift"`
	Taste         float64            `yaml:"taste"`
	Availability  []Bump             `yaml:"availability"`
	Weather       []WeatherEffect    `yaml:"weather"`
	Attention     map[string]float64 `yaml:"attention"`
	Affinity      map[string]float64 `yaml:"affinity"`
	Concentration float64            `yaml:"concentration"`
	Deaf          float64            `yaml:"deaf"`
	Payers        map[string]float64 `yaml:"payers"`
	Ability       float64            `yaml:"ability"`
	Billing       BillingSpec        `yaml:"billing"`
	Runs          RunSpec            `yaml:"runs"`
	Methods       map[string]float64 `yaml:"methods"`
	Attitude      float64            `yaml:"attitude"`
	Dispute       float64            `yaml:"dispute"`
	Reliability   float64            `yaml:"reliability"`
}

// Bump is one stretch of the week in which a debtor looks.
type Bump struct {
	Days   Days    `yaml:"days"`
	At     float64 `yaml:"at"`
	Width  float64 `yaml:"width"`
	Weight float64 `yaml:"weight"`
}

// WeatherEffect is how weather moves availability in some hours of the day.
type WeatherEffect struct {
	Signal string  `yaml:"signal"`
	From   int     `yaml:"from"`
	To     int     `yaml:"to"`
	Effect float64 `yaml:"effect"`
}

// BillingSpec is how often, on what terms and for how much a debtor is billed.
// Terms are days, drawn evenly; amounts are log-normal around Median with
// spread Between debtors and Within the invoices of one.
type BillingSpec struct {
	Weekly  float64 `yaml:"weekly"`
	Monthly float64 `yaml:"monthly"`
	Terms   []int   `yaml:"terms"`
	Median  float64 `yaml:"median"`
	Between float64 `yaml:"between"`
	Within  float64 `yaml:"within"`
}

// RunSpec is the share of debtors who pay in runs only: on one weekday, or at
// the end of the month.
type RunSpec struct {
	None     float64 `yaml:"none"`
	Weekday  float64 `yaml:"weekday"`
	MonthEnd float64 `yaml:"month_end"`
}

// Days is a set of weekdays, bit 0 for Monday. In YAML it is a list of names or
// ranges such as "mon-fri,sun", or "all".
type Days uint8

var dayNames = [7]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// UnmarshalText reads the form used in a world file.
func (d *Days) UnmarshalText(b []byte) error {
	if string(b) == "all" {
		*d = 0x7f
		return nil
	}
	*d = 0
	for part := range strings.SplitSeq(string(b), ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		i, j := slices.Index(dayNames[:], first), slices.Index(dayNames[:], last)
		if i < 0 || j < i {
			return fmt.Errorf("%w: days %q", ErrSpec, b)
		}
		for ; i <= j; i++ {
			*d |= 1 << i
		}
	}
	return nil
}

// Default returns the built-in world.
func Default() *Spec {
	s, err := Decode(bytes.NewReader(defaultYAML))
	if err != nil {
		panic(err)
	}
	return s
}

// Load reads a world file; the empty path is the built-in world.
func Load(path string) (*Spec, error) {
	if path == "" {
		return Default(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// Decode reads one world file. It refuses unknown keys, a second document and
// values that no world can have; every error wraps ErrSpec.
func Decode(r io.Reader) (*Spec, error) {
	dec := yaml.NewDecoder(r)
	dec.KnownFields(true)
	s := new(Spec)
	if err := dec.Decode(s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSpec, err)
	}
	if err := dec.Decode(new(Spec)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: more than one document", ErrSpec)
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return s, nil
}

// checker collects the first fault of a spec.
type checker struct{ err error }

func (c *checker) ok(good bool, format string, args ...any) {
	if !good && c.err == nil {
		c.err = fmt.Errorf("%w: %s", ErrSpec, fmt.Sprintf(format, args...))
	}
}

// in checks that x lies in [lo, hi]; a NaN does not.
func (c *checker) in(x, lo, hi float64, name string) {
	c.ok(x >= lo && x <= hi, "%s is %v, not within %v … %v", name, x, lo, hi)
}

// shares checks weights for a draw: none negative, one positive.
func (c *checker) shares(m map[string]float64, name string) {
	sum := 0.0
	for _, k := range sortedKeys(m) {
		c.in(m[k], 0, 1e6, name+"."+k)
		sum += m[k]
	}
	c.ok(sum > 0, "%s holds no share above 0", name)
}

// channels checks one probability for each channel.
func (c *checker) channels(m map[string]float64, name string) {
	c.ok(len(m) == ledger.Channels, "%s needs each of %v", name, ledger.ChannelNames)
	for _, k := range sortedKeys(m) {
		_, known := ledger.ParseChannel(k)
		c.ok(known, "%s: unknown channel %q", name, k)
		c.in(m[k], 0, 1, name+"."+k)
	}
}

func (c *checker) zone(name, where string) {
	_, err := time.LoadLocation(name)
	c.ok(err == nil && name != "" && name != "Local", "%s: unknown time zone %q", where, name)
}

// Validate returns the first fault found, wrapping ErrSpec, or nil.
func (s *Spec) Validate() error {
	c := new(checker)
	c.ok(s.Version == 1, "version %d is not 1", s.Version)
	c.ok(s.Creditor.ID != "", "creditor.id is empty")
	c.ok(len(s.Creditor.Currency) == 3, "creditor.currency %q is not three letters", s.Creditor.Currency)
	c.zone(s.Creditor.Timezone, "creditor")
	c.in(s.Creditor.LossRate, 0, 1, "creditor.loss_rate")
	c.in(s.Creditor.CapitalRate, 0, 1, "creditor.capital_rate")
	c.in(s.Creditor.ComplaintCost, 0, 1e6, "creditor.complaint_cost")
	c.in(s.Creditor.OptOutCost, 0, 1e6, "creditor.opt_out_cost")

	c.ok(len(s.Places) > 0 && len(s.Places) <= 200, "places: %d, not within 1 … 200", len(s.Places))
	places := make(map[string]float64)
	for i, p := range s.Places {
		name := fmt.Sprintf("places[%d]", i)
		c.ok(p.Country != "" && p.Region != "", "%s needs country and region", name)
		c.ok(len(p.Postcodes) > 0, "%s has no postcode", name)
		c.zone(p.Timezone, name)
		c.shares(p.Languages, name+".languages")
		c.in(p.Latitude, -66, 66, name+".latitude")
		places[name] = p.Share
	}
	c.shares(places, "places")

	c.ok(len(s.Channels) == ledger.Channels, "channels needs each of %v", ledger.ChannelNames)
	for _, k := range sortedKeys(s.Channels) {
		_, known := ledger.ParseChannel(k)
		c.ok(known, "channels: unknown channel %q", k)
		ch := s.Channels[k]
		c.in(ch.Cost, 0, 1000, k+".cost")
		c.in(ch.Speed, 0, 100, k+".speed")
		c.in(ch.DecayHours, 0, 200, k+".decay_hours")
		c.in(ch.DelayHours, 0, 240, k+".delay_hours")
		c.in(ch.Fatigue, 0, 10, k+".fatigue")
		c.in(ch.Reachable, 0, 1, k+".reachable")
		c.in(ch.Consent, 0, 1, k+".consent")
		c.in(ch.Bounce, 0, 1, k+".bounce")
		c.in(ch.Tracked, 0, 1, k+".tracked")
	}
	f := s.Fatigue
	c.in(f.FadeDays, 0.1, 60, "fatigue.fade_days")
	c.in(f.Tolerance, 0, 10, "fatigue.tolerance")
	c.in(f.Sensitivity, 0, 10, "fatigue.sensitivity")
	c.in(f.Spread, 0, 2, "fatigue.spread")
	c.in(f.Complaint, 0, 1, "fatigue.complaint")
	c.in(f.OptOut, 0, 1, "fatigue.opt_out")
	c.in(f.Growth, 0, 3, "fatigue.growth")
	r := s.Response
	c.in(r.TonePenalty, 0, 1, "response.tone_penalty")
	c.in(r.PreDue, 0, 1, "response.pre_due")
	c.in(r.PaymentDelayDays, 0, 30, "response.payment_delay_days")
	c.in(r.IntentionFade, 0, 1, "response.intention_fade")
	c.in(r.Promise, 0, 1, "response.promise")
	c.in(r.PromisePhone, 0, 1, "response.promise_phone")
	c.in(r.PromiseDays, 1, 60, "response.promise_days")
	c.in(r.Plan, 0, 1, "response.plan")
	c.in(float64(r.Instalments), 2, 12, "response.instalments")
	c.in(r.Partial, 0, 1, "response.partial")

	c.ok(len(s.Payers) > 0, "payers is empty")
	for _, k := range sortedKeys(s.Payers) {
		p := s.Payers[k]
		c.in(p.Response, 0, 10, k+".response")
		c.ok(len(p.Hazard) > 0, "payers.%s has no hazard", k)
		for i, knot := range p.Hazard {
			c.in(knot[0], -365, 3650, k+".hazard")
			c.in(knot[1], 0, 1, k+".hazard")
			c.ok(i == 0 || knot[0] > p.Hazard[i-1][0], "payers.%s: days of the hazard must rise", k)
		}
	}
	c.in(s.Ability.Memory, 0, 0.999, "ability.memory")
	c.in(s.Ability.Spread, 0, 10, "ability.spread")
	c.ok(len(s.Season) == 12, "season has %d months", len(s.Season))
	for _, x := range s.Season {
		c.in(x, -10, 10, "season")
	}
	for i, x := range s.Shocks {
		name := fmt.Sprintf("shocks[%d]", i)
		c.ok(len(x.Sectors) > 0, "%s has no sector", name)
		c.in(float64(x.FromWeek), 0, 5200, name+".from_week")
		c.in(float64(x.Weeks), 1, 5200, name+".weeks")
		c.in(x.Depth, -10, 10, name+".depth")
	}
	c.ok(s.Indicator.Name != "", "indicator.name is empty")
	c.in(s.Indicator.Level, -1e6, 1e6, "indicator.level")
	c.in(s.Indicator.Spread, 0, 1e6, "indicator.spread")
	c.in(s.Indicator.Gain, -1e6, 1e6, "indicator.gain")
	c.in(float64(s.Indicator.LagDays), 0, 365, "indicator.lag_days")
	c.in(s.Drift.Share, 0, 1, "drift.share")
	c.in(float64(s.Drift.FromWeek), 0, 5200, "drift.from_week")
	c.in(float64(s.Drift.Weeks), 1, 5200, "drift.weeks")
	c.in(s.Newcomers.Share, 0, 1, "newcomers.share")
	c.in(float64(s.Newcomers.Weeks), 1, 5200, "newcomers.weeks")
	c.in(s.Cases.InsolvencyPerYear, 0, 1, "cases.insolvency_per_year")
	c.in(s.Cases.DisputeDays, 1, 365, "cases.dispute_days")
	c.in(s.Cases.DisputeUpheld, 0, 1, "cases.dispute_upheld")
	c.in(s.Machines.Share, 0, 1, "machines.share")
	c.in(float64(s.Machines.Opens), 1, 100, "machines.opens")
	c.in(s.Machines.PrefetchAtNight, 0, 1, "machines.prefetch_at_night")
	c.ok(s.Ratings.Provider != "", "ratings.provider is empty")
	c.in(float64(s.Ratings.IntervalDays), 1, 3650, "ratings.interval_days")
	c.in(s.Ratings.Share, 0, 1, "ratings.share")
	c.in(float64(s.Weather.ForecastHours), 1, 240, "weather.forecast_hours")
	c.in(s.Weather.ForecastError, 0, 1, "weather.forecast_error")

	c.ok(len(s.Archetypes) > 0 && len(s.Archetypes) <= 200, "archetypes: %d, not within 1 … 200", len(s.Archetypes))
	kinds := make(map[string]float64)
	for i := range s.Archetypes {
		s.Archetypes[i].validate(c, s.Payers)
		kinds[s.Archetypes[i].Name] += s.Archetypes[i].Share
	}
	c.ok(len(kinds) == len(s.Archetypes), "two archetypes share a name")
	c.shares(kinds, "archetypes")
	return c.err
}

func (a *Archetype) validate(c *checker, payers map[string]PayerSpec) {
	name := a.Name
	c.ok(name != "", "an archetype has no name")
	c.ok(a.Kind == ledger.Business || a.Kind == ledger.Consumer, "%s.kind is %q", name, a.Kind)
	c.ok(len(a.Sectors) > 0, "%s has no sector (\"\" for none)", name)
	c.in(a.Floor, 0, 1, name+".floor")
	c.in(a.Shift, 0, 24, name+".shift")
	c.in(a.Taste, 0, 2, name+".taste")
	for _, b := range a.Availability {
		c.ok(b.Days != 0, "%s.availability needs days", name)
		c.in(b.At, 0, 24, name+".at")
		c.in(b.Width, 0.1, 24, name+".width")
		c.in(b.Weight, 0, 1, name+".weight")
	}
	for _, e := range a.Weather {
		c.ok(e.Signal == "sunshine" || e.Signal == "rain", "%s.weather: unknown signal %q", name, e.Signal)
		c.ok(e.From >= 0 && e.From <= e.To && e.To <= 24, "%s.weather: hours %d … %d", name, e.From, e.To)
		c.in(e.Effect, -5, 5, name+".effect")
	}
	c.channels(a.Attention, name+".attention")
	c.channels(a.Affinity, name+".affinity")
	c.in(a.Concentration, 0.1, 1e6, name+".concentration")
	c.in(a.Deaf, 0, 1, name+".deaf")
	c.shares(a.Payers, name+".payers")
	for _, k := range sortedKeys(a.Payers) {
		_, known := payers[k]
		c.ok(known, "%s.payers: unknown payer %q", name, k)
	}
	c.in(a.Ability, -10, 10, name+".ability")
	c.shares(map[string]float64{"weekly": a.Billing.Weekly, "monthly": a.Billing.Monthly}, name+".billing")
	c.ok(len(a.Billing.Terms) > 0, "%s.billing has no terms", name)
	for _, t := range a.Billing.Terms {
		c.in(float64(t), 0, 120, name+".terms")
	}
	c.in(a.Billing.Median, 0.01, 1e7, name+".median")
	c.in(a.Billing.Between, 0, 3, name+".between")
	c.in(a.Billing.Within, 0, 3, name+".within")
	c.shares(map[string]float64{"none": a.Runs.None, "weekday": a.Runs.Weekday, "month_end": a.Runs.MonthEnd}, name+".runs")
	c.shares(a.Methods, name+".methods")
	c.in(a.Attitude, 0, 1, name+".attitude")
	c.in(a.Dispute, 0, 1, name+".dispute")
	c.in(a.Reliability, 0, 1, name+".reliability")
}

// hazardTable lays the knots of a payer out by day, from −hazardBefore on;
// outside the knots the nearest holds.
func (p PayerSpec) hazardTable() []float64 {
	t := make([]float64, hazardBefore+hazardAfter)
	for i := range t {
		day := float64(i - hazardBefore)
		k := p.Hazard
		switch {
		case day < k[0][0]:
			t[i] = 0
		case day >= k[len(k)-1][0]:
			t[i] = k[len(k)-1][1]
		default:
			j := 0
			for day >= k[j+1][0] {
				j++
			}
			w := (day - k[j][0]) / (k[j+1][0] - k[j][0])
			t[i] = math.Max(0, k[j][1]+w*(k[j+1][1]-k[j][1]))
		}
	}
	return t
}

// The days before and after the due date that a hazard table covers.
const hazardBefore, hazardAfter = 30, 180

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
