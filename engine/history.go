package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rappel/datasets/store"
)

// Change is one change of a creditor's settings.
type Change = store.Change

// Act is one line of the audit log.
type Act = store.Act

// Changes returns the newest changes of a creditor's settings, at most limit.
func (e *Engine) Changes(ctx context.Context, creditor string, limit int) ([]Change, error) {
	list, err := e.store.Changes(ctx, creditor, limit)
	if err != nil {
		return nil, fmt.Errorf("changes of %s: %w", creditor, err)
	}
	return list, nil
}

// Audit notes what a person, or a key, did that leaves no other trace of who.
func (e *Engine) Audit(ctx context.Context, creditor, actor, action, object, detail string) error {
	return e.store.Audit(ctx, creditor, actor, action, object, detail)
}

// Acts returns the newest lines of the audit log, before one line, about a
// creditor or about all of them, at most limit.
func (e *Engine) Acts(ctx context.Context, creditor string, before int64, limit int) ([]Act, error) {
	list, err := e.store.Acts(ctx, creditor, before, limit)
	if err != nil {
		return nil, fmt.Errorf("audit log of %s: %w", creditor, err)
	}
	return list, nil
}

// changes lists the fields in which two settings differ, as JSON pointers with
// their JSON before and after, in order of pointer. A list counts as one field.
func changes(before, after *Creditor) ([]Change, error) {
	was, err := leaves(before)
	if err != nil {
		return nil, err
	}
	is, err := leaves(after)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(was)
	maps.Copy(all, is)
	var list []Change
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if was[field] != is[field] {
			list = append(list, Change{Field: field, Before: was[field], After: is[field]})
		}
	}
	return list, nil
}

// leaves maps the JSON pointer of each field to its JSON.
func leaves(c *Creditor) (map[string]string, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	var walk func(pointer string, raw json.RawMessage) error
	walk = func(pointer string, raw json.RawMessage) error {
		if !strings.HasPrefix(string(raw), "{") {
			out[pointer] = string(raw)
			return nil
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			return err
		}
		for name, member := range members {
			if err := walk(pointer+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), member); err != nil {
				return err
			}
		}
		return nil
	}
	return out, walk("", b)
}
