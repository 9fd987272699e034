package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"rappel/engine"
)

// OIDC names an OpenID Connect provider that says who a user is. Who that user
// is here, with which role and creditor, is kept here.
type OIDC struct {
	Issuer   string // such as https://login.example/realms/acme; empty: passwords
	Client   string
	Secret   string
	Redirect string // where the provider sends people back: https://HOST/console/oidc/callback
	Claim    string // that holds the user's name; empty: email
}

// Validate returns what is missing.
func (o OIDC) Validate() error {
	if o.Issuer == "" {
		return nil
	}
	if o.Client == "" || !strings.HasSuffix(o.Redirect, "/console/oidc/callback") {
		return errors.New("an OpenID Connect provider needs a client and a redirect that ends in /console/oidc/callback")
	}
	return nil
}

// oidcCookie carries state, nonce and verifier through the provider.
const oidcCookie = "rappel_oidc"

// oidcLife is how long one may take to sign in at the provider.
const oidcLife = 10 * time.Minute

// provider is a provider that is asked for its keys when it is first needed.
type provider struct {
	cfg OIDC
	mu  sync.Mutex
	is  *oidc.Provider
}

func newProvider(cfg OIDC) *provider {
	if cfg.Claim == "" {
		cfg.Claim = "email"
	}
	return &provider{cfg: cfg}
}

// reach returns the provider. What it fetches later outlives the request.
func (p *provider) reach(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.is == nil {
		is, err := oidc.NewProvider(context.WithoutCancel(ctx), p.cfg.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("provider of identities: %w", err)
		}
		p.is = is
	}
	return p.is, &oauth2.Config{
		ClientID: p.cfg.Client, ClientSecret: p.cfg.Secret, Endpoint: p.is.Endpoint(), RedirectURL: p.cfg.Redirect,
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}, nil
}

// oidcStart leads to the provider.
func (c *console) oidcStart(v *visit) error {
	if c.oidc == nil {
		return errAgain
	}
	_, conf, err := c.oidc.reach(v.r.Context())
	if err != nil {
		return err
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	v.setCookie(oidcCookie, state+"."+nonce+"."+verifier, oidcLife)
	http.Redirect(v.w, v.r, conf.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
	return nil
}

// oidcBack begins a session for whom the provider vouches for, if that is a
// user here.
func (c *console) oidcBack(v *visit) error {
	if c.oidc == nil {
		return errAgain
	}
	name, err := c.vouched(v)
	v.setCookie(oidcCookie, "", -time.Second)
	if err != nil {
		c.log.LogAttrs(v.r.Context(), slog.LevelWarn, "not vouched for", slog.Any("error", err))
		return c.askToSignIn(v, http.StatusForbidden, true)
	}
	token, err := c.engine.SignInVouched(v.r.Context(), name)
	if errors.Is(err, engine.ErrSignIn) {
		c.log.LogAttrs(v.r.Context(), slog.LevelWarn, "vouched for, but no user here")
		return c.askToSignIn(v, http.StatusForbidden, true)
	}
	if err != nil {
		return err
	}
	c.begin(v, token)
	return nil
}

// vouched returns the name that the provider says the reader has.
func (c *console) vouched(v *visit) (string, error) {
	ctx, q := v.r.Context(), v.r.URL.Query()
	cookie, err := v.r.Cookie(oidcCookie)
	if err != nil {
		return "", errForm
	}
	parts := strings.SplitN(cookie.Value, ".", 3)
	if len(parts) != 3 || q.Get("state") != parts[0] {
		return "", errForm
	}
	is, conf, err := c.oidc.reach(ctx)
	if err != nil {
		return "", err
	}
	token, err := conf.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(parts[2]))
	if err != nil {
		return "", fmt.Errorf("exchange the code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := is.Verifier(&oidc.Config{ClientID: c.oidc.cfg.Client, Now: c.now}).Verify(ctx, raw)
	if err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	if id.Nonce != parts[1] {
		return "", errors.New("identity: another nonce")
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return "", fmt.Errorf("identity: %w", err)
	}
	if verified, given := claims["email_verified"].(bool); c.oidc.cfg.Claim == "email" && (!given || !verified) {
		return "", errors.New("identity: the provider has not verified the e-mail address")
	}
	name, _ := claims[c.oidc.cfg.Claim].(string)
	if name == "" {
		return "", fmt.Errorf("identity: no claim %q", c.oidc.cfg.Claim)
	}
	return name, nil
}
