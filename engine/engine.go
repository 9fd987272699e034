package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"rappel/datasets/ledger"
	"rappel/datasets/store"
	"rappel/features"
	"rappel/models"
)

// Options are the surroundings of an engine.
type Options struct {
	Now      func() time.Time // answers where a request names no as-of
	Log      *slog.Logger
	Seed     uint64 // of every draw
	ModelDir string // artefact to start from; empty: the promoted one, else the built-in priors
}

// Engine decides, learns and keeps the books of all creditors. Its methods may
// be called from any goroutine.
type Engine struct {
	store *store.Store
	pipe  *features.Pipeline
	opt   Options
	packs map[string]*Pack

	zones    sync.Map // IANA name → *time.Location; nil where there is none
	calendar atomic.Pointer[calendar]
	scratch  sync.Pool
	asking   [64]sync.Mutex // by idempotency key: the same question is answered once
	hash     maphash.Seed

	bell  chan struct{}             // messages wait to be sent
	hooks atomic.Pointer[[]Webhook] // subscribers

	jobs     jobs
	snapshot sync.Mutex               // one at a time
	trial    atomic.Pointer[champion] // the model on trial; nil: none

	mu       sync.RWMutex
	books    map[string]*book
	champion champion

	overviews overviews
}

// champion is the model that new books start from.
type champion struct {
	id    string
	model *models.Model
}

// book is one creditor's debtors and what has been learnt of them.
type book struct {
	id       string
	zone     func(name string) *time.Location
	creditor atomic.Pointer[Creditor]
	location atomic.Pointer[time.Location]
	learned  atomic.Pointer[learned]
	replayed atomic.Bool // see paced
	// understudy is what the model on trial knows of the last state it was asked
	// beside.
	understudy atomic.Pointer[understudy]

	mu       sync.RWMutex
	accounts map[string]*account
	dirty    map[string]struct{} // debtors with events since their vector was computed
	logged   map[string]*logged  // decisions to contact, by id, whose reward may still change
	plans    map[string]planned  // by debtor: the contact that was last decided
	// proposals are the same contacts with what people see of them.
	proposals map[string]proposal
	owing     owing
	changes   uint64 // counts what was folded into its accounts, and erasures

	alerts []*filed // by opening

	edited bool // something was edited on which all vectors depend

	learning sync.Mutex          // one learning, or verdict, at a time
	watch    *watch              // what draws up alerts; nil before the first list
	vectors  *features.Refresher // held by learning
	past     []*learned          // states restored for questions as of an earlier moment, newest first
}

// logged is what the learner needs of a decision to contact.
type logged struct {
	debtor   string
	at       int64 // decided, unix seconds
	phi      []float64
	curve    []float64 // daily survival without contact from then on
	baseline float64
	done     bool // its reward is final
}

// planned is a contact that was decided and not yet seen sent.
type planned struct {
	day     ledger.Day
	channel ledger.Channel
}

// New opens the books in st. It rebuilds the accounts from the file and
// resumes from what had been learnt, so that a restart changes no answer.
func New(ctx context.Context, st *store.Store, opt Options) (*Engine, error) {
	packs, err := Packs()
	if err != nil {
		return nil, err
	}
	e := &Engine{store: st, pipe: features.New(st), opt: opt, packs: packs, books: map[string]*book{}, hash: maphash.MakeSeed(), bell: make(chan struct{}, 1)}
	e.scratch.New = func() any { return newScratch() }
	if err := e.loadCalendar(ctx); err != nil {
		return nil, err
	}
	if err := e.loadChampion(ctx); err != nil {
		return nil, err
	}
	if err := st.AbandonJobs(ctx, "The server stopped before it ended."); err != nil {
		return nil, err
	}
	if err := e.loadHooks(ctx); err != nil {
		return nil, err
	}
	creditors, err := st.Creditors(ctx)
	if err != nil {
		return nil, fmt.Errorf("creditors: %w", err)
	}
	for _, row := range creditors {
		c, err := creditorOf(row)
		if err != nil {
			return nil, err
		}
		if err := c.Validate(packs); err != nil {
			return nil, fmt.Errorf("creditor %s: %w", c.ID, err)
		}
		e.books[c.ID] = e.newBook(&c)
	}
	if err := st.Load(ctx, ledger.Key{}, func(r ledger.Rows) error {
		e.fold(ctx, &r)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	machines, err := st.MachineOpens(ctx)
	if err != nil {
		return nil, fmt.Errorf("machine opens: %w", err)
	}
	for i := range machines {
		if b := e.books[machines[i].Creditor]; b != nil {
			b.mark(machines[i : i+1])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(e.books)) {
		if err := e.resume(ctx, e.books[id]); err != nil {
			return nil, fmt.Errorf("resume %s: %w", id, err)
		}
		// What was learnt with another model than the one that is to serve, given
		// by name or promoted just before the end, is no answer of this one.
		if b := e.books[id]; e.champion.id != PriorID && b.learned.Load().id != e.champion.id {
			e.restart(b, e.champion)
		}
	}
	return e, nil
}

func (e *Engine) newBook(c *Creditor) *book {
	b := &book{
		id: c.ID, zone: e.zone, accounts: map[string]*account{}, dirty: map[string]struct{}{}, vectors: features.NewRefresher(e.pipe, c.ID),
		logged: map[string]*logged{}, plans: map[string]planned{}, proposals: map[string]proposal{},
	}
	b.creditor.Store(c)
	b.location.Store(e.zone(c.Timezone))
	b.learned.Store(newLearned(e.champion, time.Time{}))
	return b
}

// zone returns the location of an IANA name, nil where there is none.
func (e *Engine) zone(name string) *time.Location {
	if l, ok := e.zones.Load(name); ok {
		return l.(*time.Location)
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		l = nil
	}
	e.zones.Store(name, l)
	return l
}

// now returns asOf, or the engine's clock where it is zero, to the microsecond
// that the warehouse keeps.
func (e *Engine) now(asOf time.Time) time.Time {
	if asOf.IsZero() {
		asOf = e.opt.Now()
	}
	return asOf.UTC().Truncate(time.Microsecond)
}

func (e *Engine) book(id string) (*book, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	b := e.books[id]
	if b == nil {
		return nil, fmt.Errorf("creditor %q: %w", id, ledger.ErrNotFound)
	}
	return b, nil
}

// PutCreditor creates a creditor or changes its settings, and keeps what actor
// changed.
func (e *Engine) PutCreditor(ctx context.Context, c Creditor, actor string) error {
	if err := c.Validate(e.packs); err != nil {
		return err
	}
	row, err := c.row()
	if err != nil {
		return fmt.Errorf("creditor %s: %w", c.ID, err)
	}
	var before Creditor
	if b, err := e.book(c.ID); err == nil {
		before = *b.creditor.Load()
	}
	changes, err := changes(&before, &c)
	if err != nil {
		return fmt.Errorf("creditor %s: %w", c.ID, err)
	}
	for i := range changes {
		changes[i].At, changes[i].Actor = e.opt.Now().UTC(), actor
	}
	if err := e.store.PutCreditor(ctx, row, changes...); err != nil {
		return fmt.Errorf("creditor %s: %w", c.ID, err)
	}
	if len(changes) == 0 {
		if err := e.store.Audit(ctx, c.ID, actor, "change settings", c.ID, "nothing"); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if b := e.books[c.ID]; b != nil {
		b.creditor.Store(&c)
		b.location.Store(e.zone(c.Timezone))
		b.edit()
		return nil
	}
	e.books[c.ID] = e.newBook(&c)
	return nil
}

// Creditor returns a creditor's settings.
func (e *Engine) Creditor(id string) (Creditor, error) {
	b, err := e.book(id)
	if err != nil {
		return Creditor{}, err
	}
	return *b.creditor.Load(), nil
}

// Creditors returns the ids of all creditors, in order.
func (e *Engine) Creditors() []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Sorted(maps.Keys(e.books))
}

// Ingest makes events durable and folds them into the accounts. When it
// returns, what it counts as accepted survives any crash.
func (e *Engine) Ingest(ctx context.Context, events []ledger.Event) (accepted, duplicates int, err error) {
	receipt, err := e.store.Append(ctx, events)
	if err != nil {
		return 0, 0, fmt.Errorf("append events: %w", err)
	}
	e.fold(ctx, &receipt.Fresh)
	return receipt.Accepted, receipt.Duplicates, nil
}

// fold adds rows to the accounts they speak of.
func (e *Engine) fold(ctx context.Context, r *ledger.Rows) {
	for k, p := range r.ByDebtor() {
		b, err := e.book(k.Creditor)
		if err != nil {
			e.opt.Log.LogAttrs(ctx, slog.LevelWarn, "rows of an unknown creditor",
				slog.String("creditor_id", k.Creditor))
			continue
		}
		b.mu.Lock()
		a := b.accounts[k.Debtor]
		if a == nil {
			a = &account{key: k}
			b.accounts[k.Debtor] = a
		}
		a.fold(p)
		b.changes++
		b.dirty[k.Debtor] = struct{}{}
		b.mu.Unlock()
	}
}

// ErrDebtor reports a debtor that the creditor's book does not hold.
var ErrDebtor = fmt.Errorf("debtor: %w", ledger.ErrNotFound)

// DebtorError is an ErrDebtor that says which.
type DebtorError struct{ ID string }

func (e *DebtorError) Error() string { return fmt.Sprintf("%q: %v", e.ID, ErrDebtor) }

func (e *DebtorError) Unwrap() error { return ErrDebtor }

// Recommend decides the next best action of one debtor and logs it before it
// answers. The same idempotency key gives the same answer.
func (e *Engine) Recommend(ctx context.Context, req Request) (*Decision, error) {
	b, err := e.book(req.Creditor)
	if err != nil {
		return nil, err
	}
	if req.Key != "" {
		lock := &e.asking[maphash.String(e.hash, req.Creditor+"\x00"+req.Key)%64]
		lock.Lock()
		defer lock.Unlock()
		d, err := e.store.DecisionByIdempotency(ctx, req.Creditor, req.Key)
		if err == nil {
			if d.Debtor != req.Debtor {
				return nil, fmt.Errorf("idempotency key was used for another debtor: %w", ledger.ErrConflict)
			}
			return parseAnswer(&d)
		}
		if !errors.Is(err, ledger.ErrNotFound) {
			return nil, fmt.Errorf("idempotency key: %w", err)
		}
	}
	e.paced(b, req.AsOf)
	l, err := e.learnedAt(ctx, b, e.now(req.AsOf))
	if err != nil {
		return nil, err
	}
	s := e.scratch.Get().(*scratch)
	defer e.scratch.Put(s)
	d, row, err := e.answer(s, b, l, &req)
	if err != nil {
		return nil, err
	}
	if err := e.logDecisions(ctx, []ledger.Decision{row}); err != nil {
		return nil, fmt.Errorf("log decision: %w", err)
	}
	b.remember(d, &row, s)
	e.shadow(ctx, b, l, req, []ledger.Decision{row})
	return d, nil
}

// answer decides and words the decision; it writes nothing.
func (e *Engine) answer(s *scratch, b *book, l *learned, req *Request) (*Decision, ledger.Decision, error) {
	q, err := e.ask(s, b, l, req)
	if err != nil {
		return nil, ledger.Decision{}, err
	}
	v := e.resolve(s, q)
	d := s.word(q, &v)
	row, err := rowOf(s, d, &v, req.Key)
	return d, row, err
}

// ask gathers the facts of one question in s.
func (e *Engine) ask(s *scratch, b *book, l *learned, req *Request) (*question, error) {
	c := b.creditor.Load()
	at := e.now(req.AsOf)
	if req.HorizonDays == 0 {
		req.HorizonDays = 7
	}
	b.mu.RLock()
	a := b.accounts[req.Debtor]
	if a == nil || !a.knownAt(at.Unix()) {
		b.mu.RUnlock()
		return nil, &DebtorError{req.Debtor}
	}
	s.f.fill(a, at.Unix(), e.zone, b.location.Load())
	pack := e.packs[c.PolicyPack]
	s.bounds(a, c, pack)
	id := decisionID(e.opt.Seed, a, at, l, req)
	full := b.full(c, s.f.today, req.Debtor)
	b.mu.RUnlock()
	l.habit(&s.habit, a.key, &s.f)
	req.AsOf = at
	return &question{
		creditor: c, pack: pack, calendar: e.calendar.Load(), learned: l, req: req, id: id, seed: e.opt.Seed, full: full,
	}, nil
}

// knownAt tells whether anything was known of the debtor at a moment.
func (a *account) knownAt(at int64) bool { return a.knownFrom() <= at }

// knownFrom returns the moment of the first that is known of an account, in unix
// seconds.
func (a *account) knownFrom() int64 {
	from := int64(math.MaxInt64)
	if len(a.profile) > 0 {
		from = a.profile[0].ObservedAt.Unix()
		if c := a.profile[0].CreatedAt; !c.IsZero() {
			from = min(from, c.Unix())
		}
	}
	if len(a.contacts) > 0 {
		from = min(from, a.contacts[0].at)
	}
	if len(a.payments) > 0 {
		from = min(from, a.payments[0].at)
	}
	for i := range a.invoices {
		if t := a.invoices[i].issued; t != 0 {
			from = min(from, t)
		}
	}
	return from
}

// decisionID names a decision by what it rests on, so that the same question
// on the same book has the same id, and thus the same draw, after a restart.
func decisionID(seed uint64, a *account, at time.Time, l *learned, req *Request) string {
	h := sha256.New()
	var n [8]byte
	number := func(x int64) {
		binary.LittleEndian.PutUint64(n[:], uint64(x))
		h.Write(n[:])
	}
	text := func(s string) {
		number(int64(len(s)))
		h.Write([]byte(s))
	}
	number(int64(seed))
	text(a.key.Creditor)
	text(a.key.Debtor)
	text(req.Key)
	text(l.id)
	number(at.UnixMicro())
	number(l.asOf.UnixMicro())
	number(int64(req.HorizonDays))
	number(int64(req.Alternatives))
	text(req.Language)
	for _, c := range req.Channels {
		text(c)
	}
	for _, n := range a.known(at.Unix()) {
		number(n)
	}
	var id ulid.ULID
	_ = id.SetTime(uint64(max(at.UnixMilli(), 0)))
	_ = id.SetEntropy(h.Sum(nil)[:10])
	return id.String()
}

// known counts what had happened by a moment, by kind.
func (a *account) known(at int64) (n [7]int64) {
	count := func(k int, when int64) {
		if when != 0 && when <= at {
			n[k]++
		}
	}
	for i := range a.profile {
		count(0, a.profile[i].ObservedAt.Unix())
	}
	for i := range a.invoices {
		count(1, a.invoices[i].issued)
		count(1, a.invoices[i].cancelled)
	}
	for i := range a.payments {
		count(2, a.payments[i].at)
	}
	for i := range a.contacts {
		count(3, a.contacts[i].at)
	}
	for i := range a.signs {
		count(4, a.signs[i].at)
	}
	for i := range a.cases {
		count(5, unixOf(a.cases[i].OpenedAt))
		count(5, unixOf(a.cases[i].ClosedAt))
	}
	for i := range a.ratings {
		count(6, a.ratings[i].ObservedAt.Unix())
	}
	return n
}

// bounds finds from when on each channel may be used, by the cadence and by
// the pack, and what says so.
func (s *scratch) bounds(a *account, c *Creditor, p *Pack) {
	const day = 86400
	s.earliest = [ledger.Channels]int64{}
	s.capped = [ledger.Channels]string{}
	raise := func(ch int, at int64, why string) {
		if at > s.earliest[ch] {
			s.earliest[ch], s.capped[ch] = at, why
		}
	}
	f := &s.f
	if c.Cadence.GapDays > 0 && f.lastAny != 0 {
		// Full days: the gap ends with a local day, not at the hour of sending.
		free := ledger.DayOf(time.Unix(f.lastAny, 0), f.loc) + ledger.Day(c.Cadence.GapDays)
		for ch := range ledger.Channels {
			raise(ch, free.In(f.loc).Unix(), "MIN_GAP")
		}
	}
	// The nth last contact, of the channels that a rule covers, frees its place
	// when it leaves the window.
	limit := func(max, window int, covers func(ledger.Channel) bool, why string) {
		left := max
		for i := len(a.contacts) - 1; i >= 0; i-- {
			k := &a.contacts[i]
			if k.at > f.at || !covers(k.channel) {
				continue
			}
			if left--; left == 0 {
				for ch := range ledger.Channel(ledger.Channels) {
					if covers(ch) {
						raise(int(ch), k.at+int64(window)*day, why)
					}
				}
				return
			}
		}
	}
	all := func(ledger.Channel) bool { return true }
	if c.Cadence.PerWeek > 0 {
		limit(c.Cadence.PerWeek, 7, all, "CAP_WEEK")
	}
	if c.Cadence.PerMonth > 0 {
		limit(c.Cadence.PerMonth, 28, all, "CAP_MONTH")
	}
	for i := range p.caps {
		r := &p.caps[i]
		if r.Max > 0 {
			limit(r.Max, r.Window, r.covers, "LAW_CAP")
		}
		if r.Gap == 0 {
			continue
		}
		for ch := range ledger.Channel(ledger.Channels) {
			if !r.covers(ch) {
				continue
			}
			since := f.last[ch]
			if r.After == "conversation" {
				since = f.talked
			}
			if since != 0 {
				raise(int(ch), since+int64(r.Gap)*day, "LAW_GAP")
			}
		}
	}
}

// full tells which channels have no capacity left on a day, not counting the
// debtor itself. The caller holds b.mu.
func (b *book) full(c *Creditor, day ledger.Day, debtor string) (full [ledger.Channels]bool) {
	if len(c.Capacities) == 0 {
		return full
	}
	var used [ledger.Channels]int
	for d, p := range b.plans {
		if p.day == day && d != debtor {
			used[p.channel]++
		}
	}
	for ch, name := range ledger.ChannelNames {
		if n, ok := c.Capacities[name]; ok && used[ch] >= n {
			full[ch] = true
		}
	}
	return full
}

// remember keeps what learning and capacity need of a decision that has been
// logged.
func (b *book) remember(d *Decision, row *ledger.Decision, s *scratch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.propose(d, "proposed")
	if d.Action != ActionContact {
		delete(b.plans, d.Debtor)
		return
	}
	b.plans[d.Debtor] = planned{ledger.DayOf(row.SendAt, s.f.loc), row.Channel}
	if b.logged[d.ID] == nil && len(row.Vector) > 0 {
		b.logged[d.ID] = loggedOf(row)
	}
}

func loggedOf(row *ledger.Decision) *logged {
	k := models.Effects
	return &logged{
		debtor: row.Debtor, at: row.DecidedAt.Unix(), phi: row.Vector[:k:k], curve: row.Vector[k:], baseline: row.Baseline,
	}
}

// Overdue returns the debtors with overdue claims as of a moment, in order.
func (e *Engine) Overdue(creditor string, asOf time.Time) ([]string, error) {
	b, err := e.book(creditor)
	if err != nil {
		return nil, err
	}
	at := e.now(asOf).Unix()
	b.mu.RLock()
	defer b.mu.RUnlock()
	var f facts
	var ids []string
	for id, a := range b.accounts {
		if !a.knownAt(at) {
			continue
		}
		if f.fill(a, at, e.zone, b.location.Load()); f.openOverdue {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Batch decides for many debtors of one creditor, in the order given, and
// calls yield with each answer once it is logged. Unknown debtors are an
// error before anything is decided.
func (e *Engine) Batch(ctx context.Context, req Request, debtors []string, yield func(*Decision) error) error {
	const chunk = 500
	b, err := e.book(req.Creditor)
	if err != nil {
		return err
	}
	e.paced(b, req.AsOf)
	l, err := e.learnedAt(ctx, b, e.now(req.AsOf))
	if err != nil {
		return err
	}
	b.mu.RLock()
	for _, id := range debtors {
		if b.accounts[id] == nil {
			b.mu.RUnlock()
			return &DebtorError{id}
		}
	}
	b.mu.RUnlock()
	s := e.scratch.Get().(*scratch)
	defer e.scratch.Put(s)
	rows := make([]ledger.Decision, 0, chunk)
	answers := make([]*Decision, 0, chunk)
	for part := range slices.Chunk(debtors, chunk) {
		rows, answers = rows[:0], answers[:0]
		for _, id := range part {
			one := req
			one.Debtor = id
			d, row, err := e.answer(s, b, l, &one)
			if errors.Is(err, ErrDebtor) {
				continue // not known yet as of this moment, or erased meanwhile
			}
			if err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
			b.remember(d, &row, s) // capacity counts within the batch, too
			rows, answers = append(rows, row), append(answers, d)
		}
		if err := e.logDecisions(ctx, rows); err != nil {
			return fmt.Errorf("log decisions: %w", err)
		}
		e.shadow(ctx, b, l, req, rows)
		for _, d := range answers {
			if err := yield(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseAnswer returns a decision as it was answered.
func parseAnswer(row *ledger.Decision) (*Decision, error) {
	d := &Decision{}
	if err := json.Unmarshal(row.Answer, d); err != nil {
		return nil, fmt.Errorf("decision %s: %w", row.ID, err)
	}
	return d, nil
}

// Arm returns the arm of a debtor: a keyed hash, so that it never changes
// while the control share stays, and a larger share keeps the smaller one's.
func Arm(seed uint64, key ledger.Key, share float64) string {
	if share <= 0 {
		return Treatment
	}
	h := sha256.Sum256(fmt.Appendf(nil, "arm\x00%d\x00%s\x00%s", seed, key.Creditor, key.Debtor))
	u := float64(binary.LittleEndian.Uint64(h[:])>>11) / (1 << 53)
	if u < share {
		return Control
	}
	return Treatment
}

// tongueFor picks the language of an answer.
func tongueFor(req *Request, f *facts) tongue {
	return tongueOf(cmp.Or(req.Language, f.profile.Language))
}
