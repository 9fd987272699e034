package engine

import (
	"bytes"
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/models"
	"rappel/models/anomaly"
)

const (
	// watchDays is how far back the first watch of a book goes.
	watchDays = 1100
	// refitDays is how often detectors learn anew what debtors have in common.
	refitDays = 7
	// newsDays is how long an alert is re-opened by new evidence; later, that
	// is a new alert.
	newsDays = 180
	// stateVersion heads what is remembered of the detectors. What another version
	// wrote is not read: the detectors learn anew from the events.
	stateVersion = "rappel alert state 3\n"
	// rollBackDays is how long before the change of a group its members' own
	// alerts are taken to be of it.
	rollBackDays = 21
)

// watch is the detectors of a book. What it holds follows from the accounts
// and from watchState; it is used by whoever holds the book's learning lock.
type watch struct {
	watchState
	detector *anomaly.Detector
	index    map[string]int // of a debtor; those erased have none
	revision []uint64       // of the account when it was last told, by debtor
	next     []int64        // when something known already happens to a debtor, unix seconds
	groups   names
	profiles names
	now      sight      // scratch
	told     ledger.Day // of the last list of alerts, told by detectors whose state is lost; 0: it is not
}

// watchState is what a watch remembers beyond the events.
type watchState struct {
	Day      ledger.Day // of the last list of alerts
	Refit    ledger.Day // of the last refit
	Debtors  []mark     // by index
	Groups   []string   // scope and group, by index
	Profiles []string
	RollUps  map[int]string     // by id of the detector: the alert that tells it
	Scales   map[string]float64 // how much a provider's ratings usually move
	Disputed float64            // share of invoices that are disputed
	Detector anomaly.State      // without Debtors
}

// mark is what is remembered of one debtor.
type mark struct {
	ID      string // empty: erased
	Count   int
	Seen    int
	From    int32
	Told    []string
	Tested  int32
	Moved   int32
	Since   int32
	Carried anomaly.Carried
	Peak    [2]float64
	Tests   [testKinds]int // how many things of a kind were tested
}

// profileUnknown is the profile of a debtor that nothing is known of.
const profileUnknown = "|"

func newWatch() (*watch, error) {
	d, err := anomaly.New(anomaly.DefaultConfig())
	if err != nil {
		return nil, err
	}
	return &watch{
		watchState: watchState{RollUps: map[int]string{}, Scales: map[string]float64{}, Disputed: 0.01},
		detector:   d, index: map[string]int{},
	}, nil
}

// loadWatch takes up the detectors where the file left them.
func (e *Engine) loadWatch(ctx context.Context, b *book) error {
	asOf, blob, err := e.store.AlertState(ctx, b.id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("alert state: %w", err)
	}
	body, ok := bytes.CutPrefix(blob, []byte(stateVersion))
	if !ok {
		e.opt.Log.LogAttrs(ctx, slog.LevelWarn, "alert state is of another version: the detectors learn anew from the events, alerts stay as they are",
			slog.String("creditor_id", b.id), slog.Time("as_of", asOf))
		if b.watch, err = newWatch(); err != nil {
			return err
		}
		b.watch.told = ledger.DayOf(asOf, b.location.Load())
		return nil
	}
	if b.watch, err = decodeWatch(body); err != nil {
		return fmt.Errorf("alert state of %s is damaged: %w", b.id, err)
	}
	return nil
}

// decodeWatch reads what save wrote, but for the version.
func decodeWatch(body []byte) (*watch, error) {
	w := &watch{index: map[string]int{}}
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(&w.watchState); err != nil {
		return nil, err
	}
	if w.RollUps == nil {
		w.RollUps = map[int]string{}
	}
	if w.Scales == nil {
		w.Scales = map[string]float64{}
	}
	state := w.Detector
	state.Debtors = make([]anomaly.Debtor, len(w.Debtors))
	for i := range w.Debtors {
		m := &w.Debtors[i]
		state.Debtors[i] = anomaly.Debtor{
			Count: m.Count, Seen: m.Seen, From: m.From, Told: m.Told, Tested: m.Tested, Moved: m.Moved, Since: m.Since, Carried: m.Carried, Peak: m.Peak,
		}
		if m.ID != "" {
			w.index[m.ID] = i
		}
	}
	var err error
	if w.detector, err = anomaly.Resume(anomaly.DefaultConfig(), state); err != nil {
		return nil, err
	}
	w.revision, w.next = make([]uint64, len(w.Debtors)), make([]int64, len(w.Debtors))
	return w, nil
}

// save returns what is to be remembered.
func (w *watch) save() ([]byte, error) {
	for i := range w.Debtors {
		d, m := &w.detector.Debtors[i], &w.Debtors[i]
		m.Count, m.Seen, m.From, m.Told, m.Tested, m.Moved, m.Since = d.Count, d.Seen, d.From, d.Told, d.Tested, d.Moved, d.Since
		m.Carried, m.Peak = d.Carried, d.Peak
	}
	w.Detector = w.detector.State
	w.Detector.Debtors = nil
	buf := *bytes.NewBufferString(stateVersion)
	if err := gob.NewEncoder(&buf).Encode(&w.watchState); err != nil {
		return nil, fmt.Errorf("alert state: %w", err)
	}
	return buf.Bytes(), nil
}

// forget empties the place of a debtor and returns what is to be remembered.
func (w *watch) forget(debtor string) ([]byte, error) {
	if i, ok := w.index[debtor]; ok {
		delete(w.index, debtor)
		w.Debtors[i] = mark{}
		w.detector.Forget(i)
		for k := range w.detector.RollUps {
			r := &w.detector.RollUps[k]
			r.Members = slices.DeleteFunc(r.Members, func(j int) bool { return j == i })
		}
	}
	return w.save()
}

// Watch draws up the alerts of a creditor for every day until asOf that has
// none yet. Learn does it too.
func (e *Engine) Watch(ctx context.Context, creditor string, asOf time.Time) error {
	b, err := e.book(creditor)
	if err != nil {
		return err
	}
	b.learning.Lock()
	defer b.learning.Unlock()
	return e.watch(ctx, b, e.now(asOf))
}

// watch draws up the list of each day of the creditor's zone once: at the
// first learning of that day, from what had happened by then; of days without
// a learning, from what had happened by the same hour of that day.
func (e *Engine) watch(ctx context.Context, b *book, asOf time.Time) error {
	w := b.watch
	if w == nil {
		var err error
		if w, err = newWatch(); err != nil {
			return err
		}
	}
	loc := b.location.Load()
	today := ledger.DayOf(asOf, loc)
	if today <= w.Day {
		return nil
	}
	day := w.Day + 1
	if w.Day == 0 {
		first := b.firstIssue()
		if first == 0 || first > asOf.Unix() {
			return nil // nothing to watch yet
		}
		day = max(ledger.DayOf(time.Unix(first, 0), loc), today-watchDays)
	}
	hour := asOf.Sub(today.In(loc))
	news, again := news{book: b}, news{book: &book{id: b.id, accounts: b.accounts}}
	again.book.location.Store(loc)
	stirring := w.stir(b)
	for ; day <= today; day++ {
		at := asOf
		if day < today {
			at = day.In(loc).Add(hour)
		}
		if err := ctx.Err(); err != nil {
			b.watch = nil // half way: take up again where the file left it
			return errors.Join(err, e.loadWatch(context.WithoutCancel(ctx), b))
		}
		if day <= w.told {
			e.tick(b, w, &again, stirring, day, at)
		} else {
			e.tick(b, w, &news, stirring, day, at)
		}
	}
	w.told = 0
	state, err := w.save()
	if err != nil {
		return err
	}
	batch := store.AlertBatch{Creditor: b.id, AsOf: asOf, State: state}
	if batch.Changes, err = news.changes(); err != nil {
		return err
	}
	if batch.Messages, err = e.tellAlerts(&news, b.id, loc); err != nil {
		return err
	}
	if err := e.store.PutAlerts(ctx, batch); err != nil {
		b.watch = nil
		return errors.Join(fmt.Errorf("alerts of %s: %w", b.id, err), e.loadWatch(context.WithoutCancel(ctx), b))
	}
	b.watch = w
	b.mu.Lock()
	news.keep()
	b.mu.Unlock()
	if len(batch.Messages) > 0 {
		e.ring()
	}
	return nil
}

// stir is a moment from which a debtor must be looked at.
type stir struct {
	at     int64 // unix seconds
	debtor string
}

// stirring is a heap of those to come (container/heap): the days of a backlog are
// many, and on each of them few debtors stir.
type stirring []stir

func (h stirring) Len() int           { return len(h) }
func (h stirring) Less(i, j int) bool { return h[i].at < h[j].at }
func (h stirring) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *stirring) Push(x any)        { *h = append(*h, x.(stir)) }
func (h *stirring) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// stir lists when the debtors of a book must be looked at next: at once where
// something was heard since, else when something that is known already happens.
func (w *watch) stir(b *book) *stirring {
	b.mu.RLock()
	defer b.mu.RUnlock()
	list := make(stirring, 0, len(b.accounts))
	for id, a := range b.accounts {
		at := int64(math.MinInt64)
		if i, ok := w.index[id]; !ok {
			at = a.knownFrom()
		} else if w.revision[i] == a.revision {
			at = w.next[i]
		}
		if at != math.MaxInt64 {
			list = append(list, stir{at, id})
		}
	}
	heap.Init(&list)
	return &list
}

// tick draws up the list of one day.
func (e *Engine) tick(b *book, w *watch, n *news, stirring *stirring, day ledger.Day, at time.Time) {
	n.at = at
	n.tally(w.detector)
	b.mu.RLock()
	defer b.mu.RUnlock()
	var touched []string
	unix := at.Unix()
	for len(*stirring) > 0 && (*stirring)[0].at <= unix {
		touched = append(touched, heap.Pop(stirring).(stir).debtor)
	}
	slices.Sort(touched)
	var facts []found
	var whose []int
	var kinds []anomaly.Kind
	for _, id := range touched {
		a := b.accounts[id]
		if a == nil {
			continue // erased since
		}
		i, ok := w.index[id]
		if !ok {
			i = w.detector.AddDebtor(0)
			w.index[id] = i
			w.Debtors = append(w.Debtors, mark{ID: id})
			w.revision, w.next = append(w.revision, 0), append(w.next, 0)
		}
		s := &w.now
		s.look(a, unix, e.zone, b.location.Load())
		profile, groups := w.place(s)
		w.detector.Belong(i, profile, groups...)
		w.detector.Hear(i, s.paid, s.open)
		for _, t := range w.tests(i, s, n) {
			if t.fact {
				facts, whose, kinds = append(facts, t.found), append(whose, i), append(kinds, t.kind)
				continue
			}
			w.detector.Add(anomaly.Evidence{Debtor: i, Kind: t.kind, P: t.p, Since: int32(t.found.Since)})
			n.pending(i, t.kind, t.found)
		}
		w.revision[i], w.next[i] = a.revision, s.next
		if s.next != math.MaxInt64 {
			heap.Push(stirring, stir{s.next, id})
		}
	}
	if w.Refit == 0 || day-w.Refit >= refitDays {
		w.Refit = day
		w.detector.Refit()
		w.Scales, w.Disputed = ratingScales(b.accounts, unix), disputedShare(b.accounts, unix)
	}
	w.Day = day
	r := w.detector.Tick(int32(day))
	for _, x := range r.RollUps {
		n.rollUp(w, &x)
	}
	for k := range r.Findings {
		x := &r.Findings[k]
		n.finding(w, x, &w.now, e.zone)
	}
	for k := range facts {
		n.fact(w, whose[k], kinds[k], facts[k], &w.now, e.zone)
	}
	n.evidence = nil
}

// place returns the profile and the groups of a debtor.
func (w *watch) place(s *sight) (profile int, groups []int) {
	key := profileUnknown
	groups = make([]int, 0, 4)
	add := func(scope, group string) {
		groups = append(groups, w.groups.intern(&w.Groups, scope+":"+group))
	}
	if s.known {
		sector := sectorOf(s.profile.Sector)
		key = string(s.profile.Kind) + "|" + sector
		region := ""
		if pc := s.profile.Postcode; len(pc) >= 2 {
			region = s.profile.Country + pc[:2]
		}
		if sector != "" {
			add(ScopeSector, sector)
		}
		if region != "" {
			add(ScopeRegion, region)
		}
		if sector != "" && region != "" {
			add(ScopeSectorRegion, sector+" "+region)
		}
		add(ScopeProfile, models.ProfileKey(string(s.profile.Kind), sector, ""))
	}
	return w.profiles.intern(&w.Profiles, key), groups
}

// names finds the index of a name in a list.
type names map[string]int

// intern returns the index of name in list, where it is added if it is new.
func (n *names) intern(list *[]string, name string) int {
	if *n == nil || len(*n) != len(*list) {
		*n = names{}
		for i, s := range *list {
			(*n)[s] = i
		}
	}
	i, ok := (*n)[name]
	if !ok {
		i = len(*list)
		*list, (*n)[name] = append(*list, name), i
	}
	return i
}

// ratingScales returns how much the ratings of each provider usually move:
// the standard deviation that the median absolute change of a normal implies.
func ratingScales(accounts map[string]*account, at int64) map[string]float64 {
	const least = 20 // changes before they say anything
	moves := map[string][]float64{}
	for _, a := range accounts {
		last := map[string]float64{}
		for i := range a.ratings {
			r := &a.ratings[i]
			if r.ObservedAt.Unix() > at {
				break
			}
			if old, ok := last[r.Provider]; ok && old != r.Score {
				moves[r.Provider] = append(moves[r.Provider], math.Abs(r.Score-old))
			}
			last[r.Provider] = r.Score
		}
	}
	scales := map[string]float64{}
	for _, p := range slices.Sorted(maps.Keys(moves)) {
		if m := moves[p]; len(m) >= least {
			slices.Sort(m)
			scales[p] = m[len(m)/2] / 0.6745
		}
	}
	return scales
}

// disputedShare returns the share of invoices that are disputed, in a book that
// shows little of it one in a hundred.
func disputedShare(accounts map[string]*account, at int64) float64 {
	disputes, invoices := 0.5, 50.0
	for _, a := range accounts {
		for i := range a.cases {
			if c := &a.cases[i]; c.Kind == "dispute" && !c.OpenedAt.IsZero() && c.OpenedAt.Unix() <= at {
				disputes++
			}
		}
		for i := range a.invoices {
			if t := a.invoices[i].issued; t != 0 && t <= at {
				invoices++
			}
		}
	}
	return min(0.9, disputes/invoices)
}

// news collects what becomes of alerts while lists are drawn up. Nothing of
// it is in the book until it is on disk.
type news struct {
	book     *book
	at       time.Time
	fresh    []*filed  // new alerts
	steps    []newStep // of others
	members  []newMember
	raised   []raised
	evidence map[[2]int]found // by debtor and kind: what a pending p-value is of
}

type newStep struct {
	alert *filed
	step  store.AlertStep
	found *found
}

type newMember struct {
	alert  *filed
	member store.Member
}

// raised is an alert that was opened or re-opened, and when.
type raised struct {
	alert *filed
	at    time.Time
}

func (n *news) pending(debtor int, k anomaly.Kind, f found) {
	if n.evidence == nil {
		n.evidence = map[[2]int]found{}
	}
	n.evidence[[2]int{debtor, int(k)}] = f
}

// tally counts the verdicts until now by kind: the last of each alert.
func (n *news) tally(d *anomaly.Detector) {
	d.Tallies = [anomaly.Kinds]anomaly.Tally{}
	for a := range n.all() {
		k, ok := kindOf(a.kind)
		if !ok {
			continue
		}
		switch verdictAt(a, n.at) {
		case AlertConfirmed:
			d.Tallies[k].Confirmed++
		case AlertDismissed:
			d.Tallies[k].Dismissed++
		}
	}
}

// verdictAt returns the last confirmed or dismissed of an alert by a moment,
// taken back or not; empty: none.
func verdictAt(a *filed, at time.Time) (verdict string) {
	for i := range a.steps {
		x := &a.steps[i]
		if x.At.After(at) {
			break
		}
		switch {
		case x.Verdict == AlertConfirmed || x.Verdict == AlertDismissed:
			verdict = x.Verdict
		case x.Verdict == stepReopened && x.Actor != "":
			verdict = ""
		}
	}
	return verdict
}

func kindOf(name string) (anomaly.Kind, bool) {
	for k := range anomaly.Kinds {
		if anomaly.Kind(k).String() == name {
			return anomaly.Kind(k), true
		}
	}
	return 0, false
}

// all yields the alerts of the book and the new ones.
func (n *news) all() func(func(*filed) bool) {
	return func(yield func(*filed) bool) {
		for _, a := range n.book.alerts {
			if !yield(a) {
				return
			}
		}
		for _, a := range n.fresh {
			if !yield(a) {
				return
			}
		}
	}
}

// last returns the newest alert of a debtor and kind (and channel).
func (n *news) last(debtor, kind, channel string) (last *filed) {
	for a := range n.all() {
		if a.debtor == debtor && a.kind == kind && len(a.bodies) > 0 && a.channel() == channel {
			last = a
		}
	}
	return last
}

// channel returns the channel that the alert is of; empty: of none.
func (a *filed) channel() string {
	for _, f := range a.bodies {
		if f != nil {
			return f.Channel
		}
	}
	return ""
}

// step adds a step to an alert; the book shows it after keep.
func (n *news) step(a *filed, verdict string, f *found) {
	if slices.Contains(n.fresh, a) {
		a.add(store.AlertStep{At: n.at, Verdict: verdict}, f)
		return
	}
	n.steps = append(n.steps, newStep{a, store.AlertStep{At: n.at, Verdict: verdict}, f})
}

// whole returns an alert with the steps that are new.
func (n *news) whole(a *filed) *filed {
	x := *a
	x.steps, x.bodies = slices.Clone(a.steps), slices.Clone(a.bodies)
	for i := range n.steps {
		if s := &n.steps[i]; s.alert == a {
			x.add(s.step, s.found)
		}
	}
	return &x
}

// state returns the state of an alert with the steps that are new.
func (n *news) state(a *filed) (status string, f *found, raised time.Time) {
	status, _, f, raised, _ = n.whole(a).at(n.at)
	return status, f, raised
}

// raise opens an alert, re-opens one by new evidence, or adds to an open one.
func (n *news) raise(debtor, kind string, f found) *filed {
	a := n.last(debtor, kind, f.Channel)
	if a != nil {
		status, old, at := n.state(a)
		switch {
		case old != nil && old.Key == f.Key:
			return a // no news
		case n.at.Sub(at) > newsDays*24*time.Hour && status != AlertOpen:
			a = nil
		case status == AlertOpen:
			f.Since = min(f.Since, old.Since)
			n.step(a, stepUpdated, &f)
			return a
		}
	}
	if a == nil {
		a = &filed{id: alertID(n.book.id, debtor, kind, n.at, &f), debtor: debtor, kind: kind, opened: n.at}
		n.fresh = append(n.fresh, a)
		n.step(a, stepOpened, &f)
	} else {
		n.step(a, stepReopened, &f)
	}
	n.raised = append(n.raised, raised{a, n.at})
	return a
}

// alertID names an alert by what it rests on, so that a replay gives it the
// same id.
func alertID(creditor, debtor, kind string, at time.Time, f *found) string {
	h := sha256.New()
	for _, s := range []string{creditor, debtor, kind, f.Scope, f.Group, f.Channel, f.Key} {
		fmt.Fprintf(h, "%d\x00%s", len(s), s)
	}
	var id ulid.ULID
	_ = id.SetTime(uint64(max(at.UnixMilli(), 0)))
	_ = id.SetEntropy(h.Sum(nil)[:10])
	return id.String()
}

// join adds a debtor to the alert of a group.
func (n *news) join(a *filed, debtor string) {
	m := store.Member{Debtor: debtor, JoinedAt: n.at}
	has := func(x store.Member) bool { return x.Debtor == debtor }
	if slices.ContainsFunc(a.members, has) {
		return
	}
	if slices.Contains(n.fresh, a) {
		a.members = append(a.members, m)
		return
	}
	if slices.ContainsFunc(n.members, func(x newMember) bool { return x.alert == a && has(x.member) }) {
		return
	}
	n.members = append(n.members, newMember{a, m})
}

// changes returns what is to be written.
func (n *news) changes() ([]store.AlertChange, error) {
	var list []store.AlertChange
	add := func(a *filed, from int, steps []store.AlertStep, bodies []*found, members []store.Member) error {
		c := store.AlertChange{Alert: store.Alert{
			Creditor: n.book.id, ID: a.id, Debtor: a.debtor, Kind: a.kind, OpenedAt: a.opened, Members: members,
		}, From: from}
		for i, x := range steps {
			if bodies[i] != nil {
				var err error
				if x.Body, err = json.Marshal(bodies[i]); err != nil {
					return fmt.Errorf("alert %s: %w", a.id, err)
				}
			}
			c.Steps = append(c.Steps, x)
		}
		list = append(list, c)
		return nil
	}
	for _, a := range n.fresh {
		if err := add(a, 0, a.steps, a.bodies, a.members); err != nil {
			return nil, err
		}
	}
	var changed []*filed
	for i := range n.steps {
		if a := n.steps[i].alert; !slices.Contains(changed, a) {
			changed = append(changed, a)
		}
	}
	for i := range n.members {
		if a := n.members[i].alert; !slices.Contains(changed, a) {
			changed = append(changed, a)
		}
	}
	for _, a := range changed {
		var steps []store.AlertStep
		var bodies []*found
		for _, s := range n.steps {
			if s.alert == a {
				steps, bodies = append(steps, s.step), append(bodies, s.found)
			}
		}
		var members []store.Member
		for _, m := range n.members {
			if m.alert == a {
				members = append(members, m.member)
			}
		}
		if err := add(a, len(a.steps), steps, bodies, members); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// keep puts the news into the book. The caller holds its lock.
func (n *news) keep() {
	n.book.alerts = append(n.book.alerts, n.fresh...)
	for _, s := range n.steps {
		s.alert.add(s.step, s.found)
	}
	for _, m := range n.members {
		m.alert.members = append(m.alert.members, m.member)
	}
}
