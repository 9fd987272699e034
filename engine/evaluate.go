package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"gonum.org/v1/gonum/mat"

	"rappel/datasets/ledger"
	"rappel/features"
	"rappel/models"
	"rappel/models/ope"
)

// PolicyOptions say which logged decisions are judged, and by which model.
type PolicyOptions struct {
	Model    *models.Model // the policy in question: this model as it is, learning nothing on the way
	Against  *models.Model // the policy it is compared with; nil: what was logged
	Creditor string        // empty: all
	From, To time.Time     // decisions in [From, To), rewards as seen at To; a zero To is the last event
	Progress func(step string)
}

// PolicyLog is logged decisions with what each of two policies would have done
// on the same facts, in order of time.
type PolicyLog struct {
	Model   *ope.Log // Target is of PolicyOptions.Model
	Against *ope.Log // the same rows; Target is of PolicyOptions.Against, or the logged propensity

	From, To time.Time // first decision, and until when rewards were seen
	Censored int       // rows whose reward is not yet known
	Lost     int       // decisions whose question cannot be asked again, left out
	Changed  int       // rows with other candidates than were logged

	against bool // Against is a model
	rows    []judged
}

// ErrNoDecisions reports a log in which no decision was drawn.
var ErrNoDecisions = errors.New("engine: no decision of the treatment arm in the window")

// actions are waiting, and each channel in each tone.
const actions = 1 + ledger.Channels*ledger.Tones

func actionOf(c ledger.Channel, t ledger.Tone) int { return 1 + int(c)*ledger.Tones + int(t) }

// judged is one logged decision.
type judged struct {
	row     *ledger.Decision
	reward  reward
	watched float64 // days
	context [6]float64
	action  int
	target  [2]float64          // probability of just this: of Model and Against
	policy  [2][actions]float64 // of each action, all its slots together
	untried [2]float64          // of what the log gave no chance
	group   [groups]string      // by PolicyGroups
	changed bool
}

// PolicyLog asks the models, for every decision that was drawn, what they would
// have drawn on the facts as of then, and finds what the decision turned out to
// be worth. It writes nothing.
//
// The vectors and outcomes that a model looks at are those as of the start of
// the decision's UTC day. A contact's reward counts from when it was sent; that
// of a wait, or of a contact never sent, from the decision until the debtor's
// next contact or decision. What is then still open counts as the model that
// drew the decision expected of it without contact: the same for both policies.
func (e *Engine) PolicyLog(ctx context.Context, o PolicyOptions) (*PolicyLog, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	books := e.sorted()
	if o.Creditor != "" {
		b, err := e.book(o.Creditor)
		if err != nil {
			return nil, err
		}
		books = []*book{b}
	}
	if o.To.IsZero() {
		o.To = lastEvent(books, e.now(time.Time{}))
	}
	p := &PolicyLog{To: e.now(o.To), against: o.Against != nil}
	for _, b := range books {
		if err := e.judge(ctx, b, &o, p); err != nil {
			return nil, fmt.Errorf("decisions of %s: %w", b.id, err)
		}
	}
	if len(p.rows) == 0 {
		return nil, ErrNoDecisions
	}
	slices.SortFunc(p.rows, func(x, y judged) int {
		return cmp.Or(x.row.DecidedAt.Compare(y.row.DecidedAt), cmp.Compare(x.row.Creditor, y.row.Creditor), cmp.Compare(x.row.ID, y.row.ID))
	})
	p.From = p.rows[0].row.DecidedAt.UTC()
	p.columns()
	return p, nil
}

// lastEvent is when the last thing that the books know of happened, at most now.
func lastEvent(books []*book, now time.Time) time.Time {
	last := int64(0)
	for _, b := range books {
		b.mu.RLock()
		for _, a := range b.accounts {
			for i := range a.invoices {
				last = max(last, a.invoices[i].issued)
			}
			if n := len(a.payments); n > 0 {
				last = max(last, a.payments[n-1].at)
			}
			if n := len(a.contacts); n > 0 {
				last = max(last, a.contacts[n-1].at)
			}
			if n := len(a.signs); n > 0 {
				last = max(last, a.signs[n-1].at)
			}
		}
		b.mu.RUnlock()
	}
	return time.Unix(min(last+1, now.Unix()), 0).UTC()
}

// judge appends the decisions of one book to p.
func (e *Engine) judge(ctx context.Context, b *book, o *PolicyOptions, p *PolicyLog) error {
	all, err := e.store.Decisions(ctx, ledger.Key{Creditor: b.id}, 0)
	if err != nil {
		return err
	}
	slices.Reverse(all)
	next := map[string]int64{} // by debtor: the decision after this one
	follows := make([]int64, len(all))
	for i := len(all) - 1; i >= 0; i-- {
		follows[i] = next[all[i].Debtor]
		next[all[i].Debtor] = all[i].DecidedAt.Unix()
	}
	s := e.scratch.Get().(*scratch)
	defer e.scratch.Put(s)
	var day time.Time
	var states [2]*learned
	for i := range all {
		d := &all[i]
		if d.Arm != Treatment || d.Action == ActionHold || len(d.Candidates) == 0 ||
			d.DecidedAt.Before(o.From) || !d.DecidedAt.Before(p.To) {
			continue
		}
		if today := d.DecidedAt.UTC().Truncate(24 * time.Hour); !today.Equal(day) {
			day = today
			o.Progress(b.id + " " + day.Format(time.DateOnly))
			if states, err = e.frozen(ctx, b, day, o); err != nil {
				return err
			}
		}
		j := judged{row: d}
		ok, err := e.revisit(ctx, s, b, states, follows[i], p.To, &j)
		if err != nil {
			return fmt.Errorf("%s: %w", d.ID, err)
		}
		if !ok {
			p.Lost++
			continue
		}
		p.rows = append(p.rows, j)
	}
	return nil
}

// frozen returns what the models know of a book as of a moment, without having
// learnt from it.
func (e *Engine) frozen(ctx context.Context, b *book, asOf time.Time, o *PolicyOptions) (states [2]*learned, err error) {
	sky, err := e.weather(ctx, asOf, 0)
	if err != nil {
		return states, err
	}
	for k, m := range []*models.Model{o.Model, o.Against} {
		if m == nil {
			continue
		}
		l := newLearned(champion{model: m}, asOf)
		l.sky = sky
		if l.set, err = e.pipe.Load(ctx, asOf, features.Filter{Creditor: b.id, HalfLife: m.HalfLife}); err != nil {
			return states, fmt.Errorf("vectors as of %s: %w", asOf.Format(time.DateOnly), err)
		}
		if l.past, err = e.pasts(ctx, b, nil, time.Time{}, asOf); err != nil {
			return states, err
		}
		l.rows = e.follow(b, l)
		states[k] = l
	}
	return states, nil
}

// revisit asks the question of a logged decision again; ok is false where it no
// longer leads to a choice.
func (e *Engine) revisit(ctx context.Context, s *scratch, b *book, states [2]*learned, next int64, to time.Time, j *judged) (ok bool, err error) {
	d := j.row
	log, err := readDrawn(d.Candidates)
	if err != nil {
		return false, fmt.Errorf("candidates: %w", err)
	}
	if d.Action == ActionContact {
		j.action = actionOf(d.Channel, d.Tone)
	}
	was, err := e.learnedAt(ctx, b, d.DecidedAt)
	if err != nil {
		return false, err
	}
	before := chances(log)
	entry := &logged{baseline: d.Baseline}
	for k, l := range []*learned{was, states[0], states[1]} {
		if l == nil {
			continue
		}
		v, err := e.again(s, b, l, d, log)
		if errors.Is(err, ErrDebtor) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if !v.scored() {
			return false, nil
		}
		if k == 0 {
			entry.curve = slices.Clone(s.surv[:rewardHorizon])
			f := &s.f
			j.context = [6]float64{
				d.Baseline, math.Log1p(float64(v.money) / 100), float64(f.dpd),
				float64(f.contacts7), float64(f.contacts28), float64(f.step),
			}
			j.changed = !sameCandidates(v.cands, log)
			j.groupBy(f)
			continue
		}
		j.target[k-1] = v.spread(d, &j.policy[k-1])
		j.untried[k-1] = v.untried(before)
	}
	if states[1] == nil { // against what was logged
		j.target[1] = d.Propensity
		for x, p := range before {
			j.policy[1][x.action] += p
		}
	}
	if k := models.Effects; len(d.Vector) == k+rewardHorizon {
		entry.curve = d.Vector[k:]
	}
	b.mu.RLock()
	j.group[groups-1] = b.accounts[d.Debtor].cohortOf()
	b.mu.RUnlock()
	j.reward, j.watched = e.outcome(b, entry, d, next, to.Unix())
	return true, nil
}

// again decides a logged question anew. Where the request allowed fewer
// channels than there are, or the capacity of one was used up, the log shows
// those that were left.
func (e *Engine) again(s *scratch, b *book, l *learned, d *ledger.Decision, log []drawn) (verdict, error) {
	req := Request{Creditor: d.Creditor, Debtor: d.Debtor, AsOf: d.DecidedAt}
	for {
		q, err := e.ask(s, b, l, &req)
		if err != nil {
			return verdict{}, err
		}
		q.full = [ledger.Channels]bool{} // of today's plans, not of then
		v := decide(s, q)
		if req.Channels != nil || !slices.ContainsFunc(v.cands, func(c candidate) bool { return !c.wait && !offers(log, c.channel) }) {
			return v, nil
		}
		req.Channels = []string{"none"} // no channel has this name: waiting alone was left
		for c, name := range ledger.ChannelNames {
			if offers(log, ledger.Channel(c)) {
				req.Channels = append(req.Channels, name)
			}
		}
	}
}

func offers(log []drawn, c ledger.Channel) bool {
	return slices.ContainsFunc(log, func(x drawn) bool { return !x.Wait && x.Channel == c.String() })
}

// sameCandidates tells whether the choice was among the same actions and hours.
func sameCandidates(cands []candidate, log []drawn) bool {
	return slices.EqualFunc(cands, log, func(c candidate, x drawn) bool {
		if c.wait || x.Wait {
			return c.wait == x.Wait
		}
		return c.channel.String() == x.Channel && c.tone.String() == x.Tone &&
			slices.EqualFunc(c.slots, x.Slots, func(o option, y drawnAt) bool { return o.at == y.At })
	})
}

// exact is one option of a choice: an action and, of a contact, its moment.
type exact struct {
	action int
	at     int64
}

// chances is the distribution that a decision was drawn from.
func chances(log []drawn) map[exact]float64 {
	out := map[exact]float64{}
	for _, x := range log {
		if x.Wait {
			out[exact{}] += x.Prob
			continue
		}
		c, _ := ledger.ParseChannel(x.Channel) // written by rowOf
		t, _ := ledger.ParseTone(x.Tone)
		for _, o := range x.Slots {
			out[exact{actionOf(c, t), o.At}] += x.Prob * o.Prob
		}
	}
	return out
}

// untried is the probability of what had no chance before.
func (v *verdict) untried(before map[exact]float64) (p float64) {
	for i := range v.cands {
		c := &v.cands[i]
		if c.wait {
			if before[exact{}] == 0 {
				p += c.prob
			}
			continue
		}
		for _, o := range c.slots {
			if before[exact{actionOf(c.channel, c.tone), o.at}] == 0 {
				p += c.prob * o.prob
			}
		}
	}
	return min(p, 1)
}

// spread stores the probability of every action in dst and returns that of
// just what was logged: its channel, tone and hour.
func (v *verdict) spread(d *ledger.Decision, dst *[actions]float64) (p float64) {
	for i := range v.cands {
		c := &v.cands[i]
		if c.wait {
			dst[0] += c.prob
			if d.Action == ActionWait {
				p += c.prob
			}
			continue
		}
		dst[actionOf(c.channel, c.tone)] += c.prob
		if d.Action != ActionContact || c.channel != d.Channel || c.tone != d.Tone {
			continue
		}
		for _, o := range c.slots {
			if o.at == d.SendAt.Unix() {
				p += c.prob * o.prob
			}
		}
	}
	return min(p, 1)
}

// outcome is the reward of a decision as seen at a moment, and how many days
// it took to be complete, or was watched. next is when the debtor's next decision was taken, 0:
// never.
func (e *Engine) outcome(b *book, entry *logged, d *ledger.Decision, next, at int64) (reward, float64) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	a := b.accounts[d.Debtor]
	start, end := d.DecidedAt.Unix(), next
	if end > at {
		end = 0
	}
	if i := slices.IndexFunc(a.contacts, func(c contact) bool { return c.decision == d.ID && c.at <= at }); i >= 0 {
		start, end = a.contacts[i].at, 0
	}
	for i := range a.contacts {
		if c := &a.contacts[i]; c.at > start && c.at <= at && c.decision != d.ID {
			if end == 0 || c.at < end {
				end = c.at
			}
			break
		}
	}
	// The window as rewardOf sees it: from one contact to the next.
	window := account{key: a.key, invoices: a.invoices, contacts: []contact{{channel: d.Channel, at: start}}}
	if end != 0 {
		window.contacts = append(window.contacts, contact{at: end})
	}
	m := e.base().Response
	r := window.rewardOf(entry, 0, m, at)
	// A reward is complete from the first second that settles it.
	whole := sort.Search(int(r.until-start), func(k int) bool { return window.rewardOf(entry, 0, m, start+int64(k)).final })
	return r, float64(whole) / 86400
}

// columns turns the rows into logs.
func (p *PolicyLog) columns() {
	n := len(p.rows)
	l := &ope.Log{
		Reward: make([]float64, n), Propensity: make([]float64, n), Target: make([]float64, n),
		Cluster: make([]int, n), Untried: make([]float64, n),
	}
	c := &ope.Censoring{Time: make([]float64, n), Complete: make([]bool, n)}
	other := &ope.Log{Target: make([]float64, n), Untried: make([]float64, n)}
	label := map[ledger.Key]int{}
	for i := range p.rows {
		j := &p.rows[i]
		l.Reward[i], l.Propensity[i] = j.reward.value, j.row.Propensity
		l.Target[i], l.Untried[i] = j.target[0], j.untried[0]
		other.Target[i], other.Untried[i] = j.target[1], j.untried[1]
		c.Time[i], c.Complete[i] = j.watched, j.reward.final
		key := ledger.Key{Creditor: j.row.Creditor, Debtor: j.row.Debtor}
		if _, ok := label[key]; !ok {
			label[key] = len(label)
		}
		l.Cluster[i] = label[key]
		if !j.reward.final {
			p.Censored++
		}
		if j.changed {
			p.Changed++
		}
	}
	if p.Censored > 0 {
		l.Censoring = c
	}
	other.Reward, other.Propensity, other.Cluster, other.Censoring = l.Reward, l.Propensity, l.Cluster, l.Censoring
	p.Model, p.Against = l, other
}

// FitRewards gives both logs the predictions of a reward model, for the doubly
// robust estimators, and says in words which.
func (p *PolicyLog) FitRewards(cfg ope.RewardConfig) (string, error) {
	x := mat.NewDense(len(p.rows), len(judged{}.context), nil)
	action := make([]int, len(p.rows))
	for i := range p.rows {
		x.SetRow(i, p.rows[i].context[:])
		action[i] = p.rows[i].action
	}
	fit := func(l *ope.Log, k int) (*ope.RewardModel, error) {
		m, err := l.FitModel(ope.Features{
			X: x, Action: action, Actions: actions,
			Policy: func(i, action int) float64 { return p.rows[i].policy[k][action] },
		}, cfg)
		if err != nil {
			return nil, fmt.Errorf("reward model: %w", err)
		}
		return m, nil
	}
	m, err := fit(p.Model, 0)
	if err != nil {
		return "", err
	}
	if p.against {
		_, err = fit(p.Against, 1)
	} else {
		// At ratio 1 every estimator is the mean reward, whatever the model.
		p.Against.Q = make([]float64, len(p.rows))
		p.Against.V = p.Against.Q
	}
	return fmt.Sprintf("%s of the reward of each channel and tone, %d folds, penalty %g", cfg.Family, cfg.Folds, m.Penalty), err
}
