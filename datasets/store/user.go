package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rappel/datasets/ledger"
)

// Roles are what a user may be, the least trusted first.
var Roles = []string{"controller", "analyst", "manager", "admin"}

// Errors of users and of signing in.
var (
	ErrRole = errors.New("store: a role is one of controller, analyst, manager, admin")
	ErrName = errors.New("store: a user's name has 1 to 100 letters, digits or any of . _ - @ +")
	// ErrSignIn says no more than that: whether the name, the password or too
	// many attempts were wrong is nobody's business.
	ErrSignIn = errors.New("store: not signed in")
)

const (
	maxFailures = 5                // wrong passwords in a row …
	lockedFor   = 15 * time.Minute // … and how long the name is then refused
)

// User is a person who may sign in to the console.
type User struct {
	Name        string
	Creditor    string // empty: all of them
	Role        string
	Language    string // nl fr en; empty: the browser's
	Theme       string // light dark; empty: the browser's
	HasPassword bool
	CreatedAt   time.Time
	DisabledAt  time.Time // zero while the user may sign in
	LockedUntil time.Time // zero or past: not locked
}

const userColumns = "name, creditor_id, role, language, theme, password, created_at, disabled_at, failures, locked_until"

type userRow struct {
	User
	password string
	failures int
}

func scanUser(row scanner) (u userRow, err error) {
	var disabled, locked sql.NullTime
	err = row.Scan(&u.Name, &u.Creditor, &u.Role, &u.Language, &u.Theme, &u.password, &u.CreatedAt, &disabled, &u.failures, &locked)
	u.HasPassword, u.DisabledAt, u.LockedUntil = u.password != "", disabled.Time, locked.Time
	return u, err
}

// foldName returns the one spelling of a user's name.
func foldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

func plainName(name string) bool {
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-@+", r) {
			return false
		}
	}
	return name != "" && len(name) <= 100
}

// CreateUser makes a user; without a password it is one whom an OpenID Connect
// provider vouches for. It returns ledger.ErrConflict for a name that is taken.
func (s *Store) CreateUser(ctx context.Context, u User, password string) (User, error) {
	if u.Name = foldName(u.Name); !plainName(u.Name) {
		return User{}, ErrName
	}
	if !slices.Contains(Roles, u.Role) {
		return User{}, ErrRole
	}
	hash := ""
	if password != "" {
		var err error
		if hash, err = hashPassword(password); err != nil {
			return User{}, err
		}
	}
	u.CreatedAt, u.HasPassword = s.now().UTC().Truncate(time.Microsecond), hash != ""
	err := s.Write(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO users (name, creditor_id, role, password, language, created_at)
			VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, u.Name, u.Creditor, u.Role, hash, u.Language, u.CreatedAt)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ledger.ErrConflict)
		}
		return nil
	})
	if err != nil {
		return User{}, fmt.Errorf("create user %s: %w", u.Name, err)
	}
	return u, nil
}

// User returns one user, or ledger.ErrNotFound.
func (s *Store) User(ctx context.Context, name string) (User, error) {
	u, err := s.user(ctx, foldName(name))
	return u.User, err
}

func (s *Store) user(ctx context.Context, name string) (userRow, error) {
	u, err := scanUser(s.db.QueryRowContext(ctx, "SELECT "+userColumns+" FROM users WHERE name = ?", name))
	return u, missing(err, "user", name)
}

// Users returns the users of a creditor, or all where it is empty, by name.
func (s *Store) Users(ctx context.Context, creditor string) ([]User, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT "+userColumns+" FROM users WHERE ? = '' OR creditor_id = ? ORDER BY name", creditor, creditor)
	return collect(rows, err, func(row scanner) (User, error) {
		u, err := scanUser(row)
		return u.User, err
	})
}

// changeUser runs one statement on a user whose last argument is the name, and
// ends the sessions of that user where out is set.
func (s *Store) changeUser(ctx context.Context, out bool, statement string, args ...any) error {
	name := args[len(args)-1].(string)
	return s.Write(ctx, func(tx *sql.Tx) error {
		if err := touched(tx.ExecContext(ctx, statement, args...))("user", name); err != nil || !out {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE name = ?", name)
		return missing(err, "sessions of", name)
	})
}

// SetPassword gives a user a new password, lifts a lock and ends the user's
// sessions.
func (s *Store) SetPassword(ctx context.Context, name, password string) error {
	hash, err := hashPassword(password)
	if err != nil {
		return err
	}
	return s.changeUser(ctx, true, "UPDATE users SET password = ?, failures = 0, locked_until = NULL WHERE name = ?", hash, foldName(name))
}

// SetRole gives a user another role and ends the user's sessions.
func (s *Store) SetRole(ctx context.Context, name, role string) error {
	if !slices.Contains(Roles, role) {
		return ErrRole
	}
	return s.changeUser(ctx, true, "UPDATE users SET role = ? WHERE name = ?", role, foldName(name))
}

// DisableUser keeps a user out, and ends the user's sessions; EnableUser lets
// the user in again and lifts a lock.
func (s *Store) DisableUser(ctx context.Context, name string) error {
	return s.changeUser(ctx, true, "UPDATE users SET disabled_at = ? WHERE name = ?", s.now(), foldName(name))
}

// EnableUser lets a user in again and lifts a lock.
func (s *Store) EnableUser(ctx context.Context, name string) error {
	return s.changeUser(ctx, false, "UPDATE users SET disabled_at = NULL, failures = 0, locked_until = NULL WHERE name = ?", foldName(name))
}

// SetTaste keeps the language and the theme that a user reads in.
func (s *Store) SetTaste(ctx context.Context, name, language, theme string) error {
	return s.changeUser(ctx, false, "UPDATE users SET language = ?, theme = ? WHERE name = ?", language, theme, foldName(name))
}

// CheckPassword returns the user of a name and password. Any other answer is
// ErrSignIn, and takes as long. maxFailures wrong passwords in a row lock the
// name for a while; attempts are taken one at a time, so that none slips
// through beside another.
func (s *Store) CheckPassword(ctx context.Context, name, password string) (User, error) {
	s.signing.Lock()
	defer s.signing.Unlock()
	name = foldName(name)
	now := s.now()
	u, err := s.user(ctx, name)
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return User{}, err
	}
	open := err == nil && u.DisabledAt.IsZero() && !now.Before(u.LockedUntil)
	hash := u.password
	if !open {
		hash = ""
	}
	good, err := checkPassword(hash, password)
	if err != nil {
		return User{}, err
	}
	if !open || u.password == "" {
		return User{}, ErrSignIn
	}
	failures, locked := 0, sql.NullTime{}
	if !good {
		if failures = u.failures + 1; failures >= maxFailures {
			failures, locked = 0, sql.NullTime{Time: now.Add(lockedFor), Valid: true}
		}
	}
	if !good || u.failures > 0 {
		if err := s.changeUser(ctx, false, "UPDATE users SET failures = ?, locked_until = ? WHERE name = ?", failures, locked, name); err != nil {
			return User{}, err
		}
	}
	if !good {
		return User{}, ErrSignIn
	}
	return u.User, nil
}

// Session is a person who has signed in.
type Session struct {
	User
	CSRF  string    // what every form of this session must bring
	AsOf  time.Time // the moment from which the books are looked at; zero: now
	Until time.Time
}

// BeginSession starts a session of a user and returns its token, of which only
// the hash is kept. Sessions that have ended are swept out.
func (s *Store) BeginSession(ctx context.Context, name string, life time.Duration) (token string, err error) {
	token, csrf, now := rand.Text()+rand.Text(), rand.Text(), s.now()
	hash := sha256.Sum256([]byte(token))
	err = s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE expires_at <= ?", now); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO sessions (hash, name, csrf, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
			hash[:], foldName(name), csrf, now, now.Add(life))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("begin session: %w", err)
	}
	return token, nil
}

// Session returns the session of a token, or ledger.ErrNotFound where there is
// none that goes on.
func (s *Store) Session(ctx context.Context, token string) (Session, error) {
	hash := sha256.Sum256([]byte(token))
	var x Session
	var asOf, disabled sql.NullTime
	err := s.db.QueryRowContext(ctx, `SELECT u.name, u.creditor_id, u.role, u.language, u.theme, u.disabled_at, s.csrf, s.as_of, s.expires_at
		FROM sessions s JOIN users u ON u.name = s.name WHERE s.hash = ?`, hash[:]).
		Scan(&x.Name, &x.Creditor, &x.Role, &x.Language, &x.Theme, &disabled, &x.CSRF, &asOf, &x.Until)
	if err == nil && (disabled.Valid || !s.now().Before(x.Until)) {
		err = sql.ErrNoRows
	}
	x.AsOf = asOf.Time
	return x, missing(err, "a", "session")
}

// SetSessionAsOf keeps the moment from which a session looks at the books.
func (s *Store) SetSessionAsOf(ctx context.Context, token string, asOf time.Time) error {
	hash := sha256.Sum256([]byte(token))
	return s.Write(ctx, func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx, "UPDATE sessions SET as_of = ? WHERE hash = ?", nullTime(asOf), hash[:]))("a", "session")
	})
}

// EndSession ends the session of a token, if there is one.
func (s *Store) EndSession(ctx context.Context, token string) error {
	hash := sha256.Sum256([]byte(token))
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE hash = ?", hash[:])
		return missing(err, "a", "session")
	})
}
