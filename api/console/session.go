package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"rappel/engine"
)

const (
	sessionCookie = "rappel_session"
	formCookie    = "rappel_form" // guards the form of those who have not signed in
	maxForm       = 64 << 10
)

// enter finds the session of a request, if there is one that goes on.
func (v *visit) enter(ctx context.Context) {
	cookie, err := v.r.Cookie(sessionCookie)
	if err != nil {
		return
	}
	s, err := v.console.engine.Session(ctx, cookie.Value)
	if err != nil {
		return
	}
	v.User, v.token, v.CSRF, v.Theme = &s, cookie.Value, s.CSRF, s.Theme
	if i := slices.Index(languages[:], s.Language); i >= 0 {
		v.tongue, v.Language = tongue(i), s.Language
	}
}

// genuine tells whether a form brings the token of the page it stood on: its
// session's, or that of the form with which one signs in.
func (v *visit) genuine(r route) bool {
	want := v.CSRF
	if r.right == anyone {
		cookie, err := v.r.Cookie(formCookie)
		if err != nil {
			return false
		}
		want = cookie.Value
	}
	return want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(v.r.PostFormValue("csrf"))) == 1
}

type signInBody struct {
	Wrong   bool
	Vouched bool // by a provider of identities, not by passwords
}

func (c *console) signInPage(v *visit) error { return c.askToSignIn(v, http.StatusOK, false) }

func (c *console) askToSignIn(v *visit, status int, wrong bool) error {
	v.User, v.CSRF = nil, rand.Text()
	v.setCookie(formCookie, v.CSRF, time.Hour)
	return v.show(status, "signin", v.T("Sign in"), signInBody{wrong, c.oidc != nil})
}

// signIn begins a session for a name and password.
func (c *console) signIn(v *visit) error {
	if c.oidc != nil {
		return c.askToSignIn(v, http.StatusForbidden, true)
	}
	token, err := c.engine.SignIn(v.r.Context(), v.r.PostFormValue("name"), v.r.PostFormValue("password"))
	if errors.Is(err, engine.ErrSignIn) {
		return c.askToSignIn(v, http.StatusForbidden, true)
	}
	if err != nil {
		return err
	}
	if v.User != nil { // as someone else until now
		if err := c.engine.SignOut(v.r.Context(), v.token); err != nil {
			return err
		}
	}
	c.begin(v, token)
	return nil
}

// begin hands out the cookie of a session and leads to the first page.
func (c *console) begin(v *visit, token string) {
	v.setCookie(sessionCookie, token, engine.SessionLife)
	v.setCookie(formCookie, "", -time.Second)
	http.Redirect(v.w, v.r, "/console/", http.StatusSeeOther)
}

func (c *console) signOut(v *visit) error {
	if err := c.engine.SignOut(v.r.Context(), v.token); err != nil {
		return err
	}
	v.setCookie(sessionCookie, "", -time.Second)
	http.Redirect(v.w, v.r, "/console/sign-in", http.StatusSeeOther)
	return nil
}

// setCookie keeps a value from scripts and from forms of other sites. Links
// from elsewhere, such as a ticket or the provider of identities, find the
// session: nothing changes by following one.
func (v *visit) setCookie(name, value string, life time.Duration) {
	http.SetCookie(v.w, &http.Cookie{
		Name: name, Value: value, Path: "/console/", MaxAge: int(life / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: v.r.TLS != nil || v.r.Header.Get("X-Forwarded-Proto") == "https",
	})
}

// taste keeps the language and the theme of a reader.
func (c *console) taste(v *visit) error {
	language, theme := v.r.PostFormValue("language"), v.r.PostFormValue("theme")
	if language != "" && !slices.Contains(languages[:], language) || !slices.Contains([]string{"", "light", "dark"}, theme) {
		return errNoField
	}
	if err := c.engine.SetTaste(v.r.Context(), v.User.User, language, theme); err != nil {
		return err
	}
	return v.back("")
}

// clock sets the moment from which a reader looks at the books: eight in the
// morning of a day, or now.
func (c *console) clock(v *visit) error {
	day := strings.TrimSpace(v.r.PostFormValue("day"))
	asOf := time.Time{}
	if day != "" {
		var err error
		if asOf, err = time.ParseInLocation("2006-01-02 15:04", day+" 08:00", v.loc); err != nil {
			return errNoField
		}
	}
	if err := c.engine.LookFrom(v.r.Context(), v.token, asOf); err != nil {
		return err
	}
	return v.back("")
}
