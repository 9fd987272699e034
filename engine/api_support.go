package engine

import (
	"context"
	"fmt"

	"rappel/datasets/store"
)

// ErrClosed is wrapped by what a store answers that is being closed.
var ErrClosed = store.ErrClosed

// APIKey is a key as it is listed: revoked ones too, never with its text.
type APIKey = store.APIKey

// Keys returns the keys of a creditor, or all where it is empty, in order of
// creation.
func (e *Engine) Keys(ctx context.Context, creditor string) ([]APIKey, error) {
	list, err := e.store.ListKeys(ctx, creditor)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	return list, nil
}

// CreateKey makes a key of a creditor, or of all where it is empty, and
// returns its text, which is told once.
func (e *Engine) CreateKey(ctx context.Context, creditor string, scopes []string, actor string) (string, APIKey, error) {
	if creditor != "" {
		if _, err := e.book(creditor); err != nil {
			return "", APIKey{}, err
		}
	}
	text, key, err := e.store.CreateKey(ctx, creditor, scopes)
	if err != nil {
		return "", APIKey{}, err
	}
	return text, key, e.store.Audit(ctx, creditor, actor, "create key", key.ID, "")
}

// RevokeKey ends a key; ledger.ErrNotFound where there is none that holds.
func (e *Engine) RevokeKey(ctx context.Context, id, actor string) error {
	if err := e.store.RevokeKey(ctx, id); err != nil {
		return err
	}
	return e.store.Audit(ctx, "", actor, "revoke key", id, "")
}

// Scopes are what an API key may be allowed to do.
var Scopes = store.Scopes
