package console

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"rappel/engine"
)

// identities is a provider of identities that vouches for whoever its claims
// name.
type identities struct {
	*httptest.Server
	t      *testing.T
	key    *rsa.PrivateKey
	claims map[string]any
	forge  *rsa.PrivateKey // signs instead, where set
	code   string
	nonce  string
	proof  string // code challenge
}

func newIdentities(t *testing.T) *identities {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &identities{t: t, key: key}
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"keys": []map[string]string{{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
			"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("GET /auth", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		p.code, p.nonce, p.proof = rand.Text(), q.Get("nonce"), q.Get("code_challenge")
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {p.code}, "state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if r.PostFormValue("code") != p.code || base64.RawURLEncoding.EncodeToString(sum[:]) != p.proof {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.token()})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// token is a signed identity.
func (p *identities) token() string {
	claims := map[string]any{"iss": p.URL, "aud": "console", "sub": "1", "nonce": p.nonce, "iat": morning.Unix(), "exp": morning.Unix() + 300}
	maps.Copy(claims, p.claims)
	body, err := json.Marshal(claims)
	if err != nil {
		p.t.Error(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"one"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	key := p.key
	if p.forge != nil {
		key = p.forge
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Error(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// With a provider configured, it says who signs in; who that is here, and what
// that person may do, is kept here.
func TestSignInByProvider(t *testing.T) {
	p := newIdentities(t)
	cfg := Config{OIDC: OIDC{Issuer: p.URL, Client: "console", Secret: "s", Redirect: "http://unused.example/console/oidc/callback"}}
	if err := cfg.OIDC.Validate(); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, cfg)
	d.console.oidc.cfg.Redirect = d.URL + "/console/oidc/callback"
	if _, err := d.engine.CreateUser(t.Context(), engine.User{Name: "jan@acme.example", Creditor: "acme", Role: "controller"}, "", "test"); err != nil {
		t.Fatal(err)
	}
	good := map[string]any{"email": "Jan@acme.example", "email_verified": true}
	p.claims = good
	r := d.stranger()
	wants(t, "the page", r.get("/console/sign-in"), "Aanmelden met je organisatie")
	if _, page, at := r.ask("/console/oidc", nil); at != "/console/" || !strings.Contains(page, "jan@acme.example") {
		t.Fatalf("led to %s", at)
	}

	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		claims map[string]any
		forge  *rsa.PrivateKey
	}{
		"unknown here":   {map[string]any{"email": "eva@acme.example", "email_verified": true}, nil},
		"not verified":   {map[string]any{"email": "jan@acme.example", "email_verified": false}, nil},
		"without e-mail": {nil, nil},
		"another client": {map[string]any{"email": "jan@acme.example", "email_verified": true, "aud": "other"}, nil},
		"expired":        {map[string]any{"email": "jan@acme.example", "email_verified": true, "exp": morning.Unix() - 600}, nil},
		"another nonce":  {map[string]any{"email": "jan@acme.example", "email_verified": true, "nonce": "x"}, nil},
		"a forged key":   {good, other},
	} {
		p.claims, p.forge = c.claims, c.forge
		if status, _, at := d.stranger().ask("/console/oidc", nil); status != 403 {
			t.Errorf("%s: status %d at %s", what, status, at)
		}
	}
	p.claims, p.forge = good, nil
	if status, _, _ := d.stranger().ask("/console/oidc/callback?code=x&state=y", nil); status != 403 {
		t.Errorf("a callback that was not asked for: status %d", status)
	}
}
