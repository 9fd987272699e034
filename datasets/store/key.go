package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// Scopes are what an API key may be allowed to do.
var Scopes = []string{"recommend", "ingest", "review", "train", "admin"}

// APIKey is a key as the store knows it: without its text, of which only the
// SHA-256 is kept.
type APIKey struct {
	ID        string
	Creditor  string // empty: all of them, an operator's key
	Scopes    []string
	CreatedAt time.Time
	RevokedAt time.Time // zero while it holds
}

// CreateKey makes a key and returns its text, which is shown once: rk_ and 32
// random bytes in base 62. An empty list of scopes stands for all of them.
func (s *Store) CreateKey(ctx context.Context, creditor string, scopes []string) (text string, key APIKey, err error) {
	if len(scopes) == 0 {
		scopes = Scopes
	}
	for _, scope := range scopes {
		if !slices.Contains(Scopes, scope) {
			return "", APIKey{}, fmt.Errorf("scope %q is none of %s", scope, strings.Join(Scopes, ", "))
		}
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails
	digits := new(big.Int).SetBytes(secret).Text(62)
	text = "rk_" + strings.Repeat("0", 43-len(digits)) + digits // 62⁴³ > 2²⁵⁶
	hash := sha256.Sum256([]byte(text))
	key = APIKey{ID: fmt.Sprintf("key_%x", hash[:6]), Creditor: creditor, Scopes: scopes, CreatedAt: s.now().UTC().Truncate(time.Microsecond)}
	err = s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO api_keys (key_id, hash, creditor_id, scopes, created_at) VALUES (?, ?, ?, ?, ?)",
			key.ID, hash[:], creditor, scopes, key.CreatedAt)
		return err
	})
	if err != nil {
		return "", APIKey{}, fmt.Errorf("create key: %w", err)
	}
	return text, key, nil
}

const keyColumns = "key_id, creditor_id, scopes, created_at, revoked_at"

func scanKey(row scanner) (k APIKey, err error) {
	var scopes duckdb.Composite[[]string]
	var revoked sql.NullTime
	err = row.Scan(&k.ID, &k.Creditor, &scopes, &k.CreatedAt, &revoked)
	k.Scopes, k.RevokedAt = scopes.Get(), revoked.Time
	return k, err
}

// LookupKey returns the key of a text, revoked ones too, or
// ledger.ErrNotFound.
func (s *Store) LookupKey(ctx context.Context, text string) (APIKey, error) {
	hash := sha256.Sum256([]byte(text))
	k, err := scanKey(s.db.QueryRowContext(ctx, "SELECT "+keyColumns+" FROM api_keys WHERE hash = ?", hash[:]))
	return k, missing(err, "API", "key")
}

// ListKeys returns the keys of a creditor, or all where it is empty, in order
// of creation.
func (s *Store) ListKeys(ctx context.Context, creditor string) ([]APIKey, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT "+keyColumns+` FROM api_keys
		WHERE ? = '' OR creditor_id = ? ORDER BY created_at, key_id`, creditor, creditor)
	return collect(rows, err, scanKey)
}

// RevokeKey ends a key; it returns ledger.ErrNotFound where there is none that
// still holds.
func (s *Store) RevokeKey(ctx context.Context, id string) error {
	at := s.now()
	return s.Write(ctx, func(tx *sql.Tx) error {
		return touched(tx.ExecContext(ctx,
			"UPDATE api_keys SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL", at, id))("key", id)
	})
}
