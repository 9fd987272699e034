package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
)

// User is a person who may sign in to the console.
type User = store.User

// Session is a person who has signed in.
type Session = store.Session

// Errors of users and of signing in.
var (
	ErrSignIn   = store.ErrSignIn
	ErrPassword = store.ErrPassword
	ErrName     = store.ErrName
	ErrRole     = store.ErrRole
)

// Roles are what a user may be, the least trusted first.
var Roles = store.Roles

// SessionLife is how long a session goes on.
const SessionLife = 12 * time.Hour

// ActorOf is how the books name a user who acts.
func ActorOf(name string) string { return "user:" + name }

// SignIn begins a session for a name and password and returns its token, or
// ErrSignIn.
func (e *Engine) SignIn(ctx context.Context, name, password string) (token string, err error) {
	u, err := e.store.CheckPassword(ctx, name, password)
	if err != nil {
		return "", err
	}
	return e.begin(ctx, u)
}

// SignInVouched begins a session for a user whom a provider of identities
// vouches for; ErrSignIn for one who is not known here, or kept out.
func (e *Engine) SignInVouched(ctx context.Context, name string) (token string, err error) {
	u, err := e.store.User(ctx, name)
	if err != nil || !u.DisabledAt.IsZero() {
		return "", ErrSignIn
	}
	return e.begin(ctx, u)
}

func (e *Engine) begin(ctx context.Context, u User) (token string, err error) {
	if token, err = e.store.BeginSession(ctx, u.Name, SessionLife); err != nil {
		return "", err
	}
	return token, e.store.Audit(ctx, u.Creditor, ActorOf(u.Name), "sign in", u.Name, "")
}

// Session returns the session of a token; ledger.ErrNotFound where there is
// none that goes on.
func (e *Engine) Session(ctx context.Context, token string) (Session, error) {
	return e.store.Session(ctx, token)
}

// SignOut ends the session of a token.
func (e *Engine) SignOut(ctx context.Context, token string) error {
	x, err := e.store.Session(ctx, token)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil // it has ended already
	}
	if err != nil {
		return err
	}
	if err := e.store.EndSession(ctx, token); err != nil {
		return err
	}
	return e.store.Audit(ctx, x.Creditor, ActorOf(x.Name), "sign out", x.Name, "")
}

// LookFrom sets the moment from which a session looks at the books; zero: now.
func (e *Engine) LookFrom(ctx context.Context, token string, asOf time.Time) error {
	x, err := e.store.Session(ctx, token)
	if err != nil {
		return err
	}
	if err := e.store.SetSessionAsOf(ctx, token, asOf); err != nil {
		return err
	}
	from := "now"
	if !asOf.IsZero() {
		from = asOf.Format(time.RFC3339)
	}
	return e.store.Audit(ctx, x.Creditor, ActorOf(x.Name), "look from", x.Name, from)
}

// SetTaste keeps the language and the theme that a user reads in.
func (e *Engine) SetTaste(ctx context.Context, u User, language, theme string) error {
	if err := e.store.SetTaste(ctx, u.Name, language, theme); err != nil {
		return err
	}
	return e.store.Audit(ctx, u.Creditor, ActorOf(u.Name), "set taste", u.Name, strings.TrimSpace(language+" "+theme))
}

// Users returns the users of a creditor, or all where it is empty, by name.
func (e *Engine) Users(ctx context.Context, creditor string) ([]User, error) {
	list, err := e.store.Users(ctx, creditor)
	if err != nil {
		return nil, fmt.Errorf("users: %w", err)
	}
	return list, nil
}

// CreateUser makes a user, without a password one whom a provider of
// identities vouches for.
func (e *Engine) CreateUser(ctx context.Context, u User, password, actor string) (User, error) {
	if u.Creditor != "" {
		if _, err := e.book(u.Creditor); err != nil {
			return User{}, err
		}
	}
	u, err := e.store.CreateUser(ctx, u, password)
	if err != nil {
		return User{}, err
	}
	return u, e.store.Audit(ctx, u.Creditor, actor, "create user", u.Name, u.Role)
}

// UserChange is what may be changed of a user; empty fields stay.
type UserChange struct {
	Role     string
	Password string
	Disabled *bool
}

// ChangeUser changes a user of a creditor, or any where it is empty; what it
// changes ends the user's sessions.
func (e *Engine) ChangeUser(ctx context.Context, creditor, name string, c UserChange, actor string) error {
	u, err := e.store.User(ctx, name)
	if err != nil {
		return err
	}
	if creditor != "" && u.Creditor != creditor {
		return ledger.ErrNotFound
	}
	var did []string
	if c.Role != "" {
		did = append(did, "role "+c.Role)
		err = e.store.SetRole(ctx, u.Name, c.Role)
	}
	if err == nil && c.Password != "" {
		did = append(did, "password")
		err = e.store.SetPassword(ctx, u.Name, c.Password)
	}
	if err == nil && c.Disabled != nil {
		if *c.Disabled {
			did = append(did, "disabled")
			err = e.store.DisableUser(ctx, u.Name)
		} else {
			did = append(did, "enabled")
			err = e.store.EnableUser(ctx, u.Name)
		}
	}
	if err != nil {
		return fmt.Errorf("change user %s: %w", u.Name, err)
	}
	return e.store.Audit(ctx, u.Creditor, actor, "change user", u.Name, strings.Join(did, ", "))
}
