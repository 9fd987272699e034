package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"rappel/datasets/store"
	"rappel/features"
	"rappel/features/signal"
	"rappel/models"
)

// PriorID names the built-in priors as a model.
const PriorID = "prior"

// ModelInfo is one registered artefact.
type ModelInfo struct {
	ID           string           `json:"id"`
	Path         string           `json:"path"`
	Status       string           `json:"status"` // registered, shadow, serving, retired
	RegisteredAt time.Time        `json:"registered_at"`
	PromotedAt   *time.Time       `json:"promoted_at,omitempty"`
	Manifest     *models.Manifest `json:"manifest,omitempty"`
	Evidence     *Evaluation      `json:"evidence,omitempty"` // the last evaluation: what a promotion rests on
}

// loadChampion sets the model that books without a learnt state start from:
// the artefact of the options, else the promoted one, else the priors.
func (e *Engine) loadChampion(ctx context.Context) error {
	e.champion = champion{id: PriorID, model: models.Prior()}
	dir := e.opt.ModelDir
	list, err := e.store.Models(ctx)
	if err != nil {
		return fmt.Errorf("models: %w", err)
	}
	for _, m := range list {
		switch {
		case m.Status == store.Serving && dir == "":
			dir = m.Path
		case m.Status == store.Shadowing:
			trial, _, err := models.Load(m.Path, features.SchemaHash())
			if err != nil {
				e.opt.Log.LogAttrs(ctx, slog.LevelWarn, "the model on trial cannot be loaded", slog.String("model_id", m.ID), slog.Any("error", err))
				continue
			}
			e.trial.Store(&champion{id: m.ID, model: trial})
		}
	}
	if dir == "" {
		return nil
	}
	m, man, err := models.Load(dir, features.SchemaHash())
	if err != nil {
		return err
	}
	e.champion = champion{id: man.ID, model: m}
	return nil
}

// Models lists the registered artefacts, the champion among them.
func (e *Engine) Models(ctx context.Context) ([]ModelInfo, error) {
	list, err := e.store.Models(ctx)
	if err != nil {
		return nil, fmt.Errorf("models: %w", err)
	}
	out := make([]ModelInfo, 0, len(list))
	for _, m := range list {
		info := ModelInfo{ID: m.ID, Path: m.Path, Status: m.Status, RegisteredAt: m.RegisteredAt}
		if !m.PromotedAt.IsZero() {
			info.PromotedAt = &m.PromotedAt
		}
		if man, err := models.ReadManifest(m.Path); err == nil {
			info.Manifest = man
		}
		if info.Evidence, err = e.evidence(ctx, m.ID); err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}

// Register checks the artefact in dir and adds it to the list; the running
// model stays.
func (e *Engine) Register(ctx context.Context, dir, actor string) (ModelInfo, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ModelInfo{}, fmt.Errorf("register: %w", err)
	}
	_, man, err := models.Load(dir, features.SchemaHash())
	if err != nil {
		return ModelInfo{}, err
	}
	info := ModelInfo{ID: man.ID, Path: dir, Status: store.Registered, RegisteredAt: e.opt.Now().UTC(), Manifest: man}
	if err := e.store.RegisterModel(ctx, man.ID, dir); err != nil {
		return ModelInfo{}, fmt.Errorf("register %s: %w", man.ID, err)
	}
	detail := fmt.Sprintf("%s; trained on data from %s to %s, seed %d", dir, man.From.UTC().Format(time.DateOnly), man.To.UTC().Format(time.DateOnly), man.Seed)
	return info, e.store.Audit(ctx, "", actor, "register", man.ID, detail)
}

// Promote makes a registered artefact the champion. Every book starts again
// from it and learns what has happened since at its next learning; questions
// meanwhile are answered by the one before. The audit log keeps on which
// interval the promotion rests: that of the model's last evaluation.
func (e *Engine) Promote(ctx context.Context, id, actor string) (ModelInfo, error) {
	return e.promote(ctx, id, "promote", actor)
}

func (e *Engine) promote(ctx context.Context, id, action, actor string) (ModelInfo, error) {
	row, c, man, err := e.registered(ctx, id)
	if err != nil {
		return ModelInfo{}, err
	}
	at := e.opt.Now().UTC()
	info := ModelInfo{ID: id, Path: row.Path, Status: store.Serving, RegisteredAt: row.RegisteredAt, PromotedAt: &at, Manifest: man}
	if info.Evidence, err = e.evidence(ctx, id); err != nil {
		return ModelInfo{}, err
	}
	messages, err := e.tell(TellModel, fmt.Sprintf("msg_%s_%d", id, at.UnixMicro()), "", "", at, info)
	if err != nil {
		return ModelInfo{}, err
	}
	if err := e.store.PromoteModel(ctx, id, messages...); err != nil {
		return ModelInfo{}, fmt.Errorf("%s %s: %w", action, id, err)
	}
	e.ring()
	if err := e.store.Audit(ctx, "", actor, action, id, info.Evidence.String()); err != nil {
		return ModelInfo{}, err
	}
	if t := e.trial.Load(); t != nil && t.id == id {
		e.trial.Store(nil)
	}
	e.crown(c)
	return info, nil
}

// ErrNoPrevious reports a rollback where no champion came before.
var ErrNoPrevious = errors.New("engine: no model was champion before this one")

// Rollback makes the champion before the present one champion again.
func (e *Engine) Rollback(ctx context.Context, actor string) (ModelInfo, error) {
	list, err := e.store.Models(ctx)
	if err != nil {
		return ModelInfo{}, fmt.Errorf("models: %w", err)
	}
	var previous *store.Model
	for i := range list {
		m := &list[i]
		if m.Status == store.Retired && !m.PromotedAt.IsZero() && (previous == nil || m.PromotedAt.After(previous.PromotedAt)) {
			previous = m
		}
	}
	if previous == nil {
		return ModelInfo{}, ErrNoPrevious
	}
	return e.promote(ctx, previous.ID, "rollback", actor)
}

// crown starts every book from c. What a book had learnt of single debtors
// comes back from its vectors and events; the posterior is c's.
func (e *Engine) crown(c champion) {
	e.mu.Lock()
	e.champion = c
	books := slices.Collect(maps.Values(e.books))
	e.mu.Unlock() // a learning under way asks for it
	for _, b := range books {
		e.restart(b, c)
	}
}

// restart lets a book start again from c.
func (e *Engine) restart(b *book, c champion) {
	b.learning.Lock()
	defer b.learning.Unlock()
	b.learned.Store(e.fromChampion(b, c, b.learned.Load()))
}

// holidayYears and holidayCountries are those whose public holidays a new
// warehouse is given; a tenant adds others, and days decreed for one year, as
// rows.
var (
	holidayYears     = [2]int{2000, 2045}
	holidayCountries = []string{"BE", "NL", "FR", "DE", "GB", "US"}
)

// loadCalendar reads the public holidays, after writing them where there are
// none.
func (e *Engine) loadCalendar(ctx context.Context) error {
	days, err := e.store.Holidays(ctx)
	if err != nil {
		return err
	}
	if len(days) == 0 {
		var all []signal.Holiday
		for _, country := range holidayCountries {
			list, err := signal.Holidays(country, holidayYears[0], holidayYears[1])
			if err != nil {
				return fmt.Errorf("holidays of %s: %w", country, err)
			}
			all = append(all, list...)
		}
		if err := signal.Write(ctx, e.store, nil, nil, all); err != nil {
			return fmt.Errorf("holidays: %w", err)
		}
		if days, err = e.store.Holidays(ctx); err != nil {
			return err
		}
	}
	e.calendar.Store(&calendar{days})
	return nil
}
