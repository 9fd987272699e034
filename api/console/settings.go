package console

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"rappel/datasets/ledger"
	"rappel/engine"
)

type settingsBody struct {
	engine.Creditor
	Limits  []limit
	Packs   []*engine.Pack
	Pack    *engine.Pack // the one in force
	Changes []engine.Change
	Acts    []engine.Act
	Keys    []engine.APIKey
	Scopes  []string
	Users   []engine.User
	Roles   []string
	Vouched bool
}

// limit is how many contacts a day one channel takes.
type limit struct {
	Channel string
	Value   string // empty: no bound
}

// historyShown is how many changes and acts the page of settings lists.
const historyShown = 50

// settings shows what a creditor has decided, and who decided it when.
func (c *console) settings(v *visit) error {
	if v.Creditor == "" {
		return v.show(http.StatusOK, "today", v.T("Settings"), nil)
	}
	body := settingsBody{Packs: c.engine.PolicyPacks(), Scopes: engine.Scopes, Roles: engine.Roles, Vouched: c.oidc != nil}
	ctx := v.r.Context()
	var err error
	if body.Creditor, err = c.engine.Creditor(v.Creditor); err != nil {
		return err
	}
	for _, p := range body.Packs {
		if p.ID == body.PolicyPack {
			body.Pack = p
		}
	}
	for _, name := range ledger.ChannelNames {
		l := limit{Channel: name}
		if n, bounded := body.Capacities[name]; bounded {
			l.Value = strconv.Itoa(n)
		}
		body.Limits = append(body.Limits, l)
	}
	if body.Changes, err = c.engine.Changes(ctx, v.Creditor, historyShown); err != nil {
		return err
	}
	if v.may(access) {
		if body.Keys, err = c.engine.Keys(ctx, v.User.Creditor); err != nil {
			return err
		}
		if body.Users, err = c.engine.Users(ctx, v.User.Creditor); err != nil {
			return err
		}
		if body.Acts, err = c.engine.Acts(ctx, v.Creditor, math.MaxInt64, historyShown); err != nil {
			return err
		}
	}
	return v.show(http.StatusOK, "settings", v.T("Settings"), body)
}

// changeSettings changes the fields that its form holds; the others stay.
func (c *console) changeSettings(v *visit) error {
	s, err := c.engine.Creditor(v.Creditor)
	if err != nil {
		return err
	}
	form := v.r.PostForm
	number := func(field string, scale float64, to *float64) {
		if !form.Has(field) || err != nil {
			return
		}
		x, bad := strconv.ParseFloat(strings.TrimSpace(form.Get(field)), 64)
		if bad != nil {
			err = &engine.FieldError{Pointer: "/" + field, Detail: "is no number"}
			return
		}
		*to = x / scale
	}
	whole := func(field string, to *int) {
		x := float64(*to)
		if number(field, 1, &x); err == nil {
			*to = int(x)
		}
	}
	if form.Has("autonomy") {
		s.Autonomy = form.Get("autonomy")
	}
	if form.Has("policy_pack") {
		s.PolicyPack = form.Get("policy_pack")
	}
	number("approval_above", 1, &s.ApprovalAbove)
	number("control_share", 100, &s.ControlShare)
	number("loss_rate", 100, &s.Value.LossRate)
	number("capital_rate", 100, &s.Value.CapitalRate)
	number("annoyance", 1, &s.Value.Annoyance)
	whole("gap_days", &s.Cadence.GapDays)
	whole("per_week", &s.Cadence.PerWeek)
	whole("per_month", &s.Cadence.PerMonth)
	s.Capacities, s.Value.Cost = maps.Clone(s.Capacities), maps.Clone(s.Value.Cost)
	for _, name := range ledger.ChannelNames {
		field := "capacity_" + name
		if form.Has(field) && strings.TrimSpace(form.Get(field)) == "" {
			delete(s.Capacities, name)
		} else if form.Has(field) {
			n := 0
			if whole(field, &n); s.Capacities == nil {
				s.Capacities = engine.Capacity{}
			}
			s.Capacities[name] = n
		}
	}
	if err != nil {
		return err
	}
	if err := c.engine.PutCreditor(v.r.Context(), s, v.actor()); err != nil {
		return err
	}
	return v.back("Settings saved.")
}

type keyBody struct {
	Text string
	ID   string
}

// createKey makes an API key and shows its text, once.
func (c *console) createKey(v *visit) error {
	scopes := v.r.PostForm["scope"]
	for _, s := range scopes {
		if !slices.Contains(engine.Scopes, s) {
			return errNoField
		}
	}
	if len(scopes) == 0 {
		return &engine.FieldError{Pointer: "/scope", Detail: "is missing"}
	}
	text, key, err := c.engine.CreateKey(v.r.Context(), v.Creditor, scopes, v.actor())
	if err != nil {
		return err
	}
	return v.show(http.StatusOK, "key", v.T("A new key"), keyBody{text, key.ID})
}

// revokeKey ends an API key of the reader's creditor, or of any where the
// reader serves all.
func (c *console) revokeKey(v *visit) error {
	id := v.r.PostFormValue("key")
	mine, err := c.engine.Keys(v.r.Context(), v.User.Creditor)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(mine, func(k engine.APIKey) bool { return k.ID == id }) {
		return ledger.ErrNotFound
	}
	if err := c.engine.RevokeKey(v.r.Context(), id, v.actor()); err != nil {
		return err
	}
	c.forget()
	return v.back("The key no longer holds.")
}

// createUser makes a user of the creditor.
func (c *console) createUser(v *visit) error {
	u := engine.User{Name: v.r.PostFormValue("name"), Creditor: v.Creditor, Role: v.r.PostFormValue("role")}
	password := v.r.PostFormValue("password")
	if password == "" && c.oidc == nil {
		return engine.ErrPassword
	}
	if c.oidc != nil {
		password = ""
	}
	if _, err := c.engine.CreateUser(v.r.Context(), u, password, v.actor()); err != nil {
		return err
	}
	return v.back("The user may sign in.")
}

// changeUser gives a user another role or password, keeps one out, or lets one
// in again. Nobody changes their own role or keeps themselves out.
func (c *console) changeUser(v *visit) error {
	name := v.r.PostFormValue("name")
	change := engine.UserChange{}
	out := true
	switch v.r.PostFormValue("do") {
	case "role":
		change.Role = v.r.PostFormValue("role")
	case "password":
		change.Password = v.r.PostFormValue("password")
		out = false
	case "disable":
		change.Disabled = &out
	case "enable":
		in := false
		change.Disabled = &in
	default:
		return errNoField
	}
	if out && name == v.User.Name {
		return ledger.ErrConflict
	}
	if err := c.engine.ChangeUser(v.r.Context(), v.User.Creditor, name, change, v.actor()); err != nil {
		return err
	}
	return v.back("The user has been changed.")
}

// Until is the end of a lock that goes on; zero where there is none.
func (v *visit) Until(at time.Time) time.Time {
	if at.After(v.console.now()) {
		return at
	}
	return time.Time{}
}
