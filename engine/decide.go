package engine

import (
	"math"
	"slices"
	"time"

	"rappel/datasets/ledger"
	"rappel/features"
	"rappel/models"
	"rappel/models/bandit"
	"rappel/models/response"
	"rappel/models/timing"
)

const (
	// rewardHorizon is H of the reward, in days.
	rewardHorizon = 28
	// commitHours is how far ahead a contact is promised. What is better done
	// later is answered with wait and a review: so a system that asks every
	// morning never holds two promises for one debtor.
	commitHours = 24
	// firstHour and lastHour bound the local hours at which a slot starts,
	// whatever the policy pack would allow.
	firstHour, lastHour = 7, 20
	// preDueDays is how long before the due date a reminder may go out.
	preDueDays = 1
	// slotSharpness concentrates the choice of the hour on the best one: the
	// γ of inverse-gap weighting on values relative to the best.
	slotSharpness = 1000
)

// exploration is how much the engine tries. A debtor gives a dozen answers in
// half a year, so that a wrong try is dear: see docs/decisions.
var exploration = bandit.Exploration{Scale: 0.1, Floor: 0.002}

// scratch is the working memory of one decision.
type scratch struct {
	f        facts
	avail    [timing.Hours]float64
	calm     [timing.Hours]float64 // avail without the weather
	slots    []slot
	noticed  [ledger.Channels][timing.Hours]float64
	notice   [ledger.Channels][timing.Hours]float64
	plain    [ledger.Channels][timing.Hours]float64 // notice in ordinary weather
	there    [timing.Hours]float64                  // log of avail against its average
	usually  [timing.Hours]float64                  // there in ordinary weather
	options  []option
	relative []float64
	surv     [rewardHorizon + 1]float64
	tail     [rewardHorizon + 2]float64
	gains    [ledger.Channels][rewardHorizon + 1]float64
	tired    [rewardHorizon + 1]float64 // by day: fatigue from the contacts before
	weary    [rewardHorizon + 1]float64 // by day: the annoyance of a contact, in currency
	usable   [timing.Hours]uint8        // bit per channel: the hour is not quiet
	rates    [7][ledger.Channels]float64
	delay    [ledger.Channels]float64 // mean days from sending to payment
	vague    [ledger.Channels]float64 // response.Spread of what is believed of Λ
	trust    [ledger.Channels]float64 // what rewards make of P(moved)
	ahead    ahead
	cands    []candidate
	phis     []float64
	mean, sd []float64
	prob     []float64
	theta    [models.Effects]float64
	earliest [ledger.Channels]int64
	capped   [ledger.Channels]string
	habit    habit
	text     []byte // of an explanation
	order    []int  // of candidates by value
	work     *bandit.Workspace
}

func newScratch() *scratch { return &scratch{work: bandit.NewWorkspace(models.Effects)} }

// slot is one hour in which a contact could be sent.
type slot struct {
	at    int64 // unix seconds
	day   int   // local days from today
	hour  int
	how   int
	allow uint8 // bit per channel
}

// habit is what has been learnt of one debtor, drawn from the model and its
// behaviour vector as of the last learning.
type habit struct {
	profile         int
	debtor          int32
	rate, rateSD    [ledger.Channels]float64 // log of the hazard a contact adds: see response.Model
	opens, exposure *[timing.Hours]float32   // nil: nothing seen
	looks           [timing.Hours]float32    // what opens points at
	area            string                   // of the weather
	payShare        [7]float64               // of days with a payment, Monday first, shrunk
	runs            models.Runs              // on which days this debtor pays
	payRuns         *models.Runs             // the same, not fooled by due dates; nil: never contacted
	now             features.Past            // as of the last learning
	issued          map[string]features.Past // by invoice: as of its issue
	method          string
	sends, answers  [ledger.Channels]float64 // for words: contacts, and those answered or paid upon
}

// question is everything a decision is made from. It is a pure function of
// these: no clock, no storage.
type question struct {
	creditor *Creditor
	pack     *Pack
	calendar *calendar
	learned  *learned
	req      *Request
	id       string // decision id: keys the random draw
	seed     uint64
	full     [ledger.Channels]bool // capacity of the day is used up
}

// holiday tells whether a day is a public holiday for a debtor.
func (q *question) holiday(f *facts, d ledger.Day) bool {
	return q.calendar.holiday(f.profile.Country, q.creditor.Country, q.pack, d)
}

// verdict is the outcome of a decision before it is put into words.
type verdict struct {
	hold    string
	till    ledger.Day // when a hold ends; 0 unknown
	cands   []candidate
	chosen  int // index in cands
	sendAt  int64
	prob    float64
	money   int64   // cents asked for
	euro    float64 // value of a full horizon saved, in currency
	alone   float64 // P(paid in 7 days) without contact
	base    float64 // expected reward without contact
	blocked []string
	byModel bool // the models valued the candidates
	thanks  bool // nothing is asked for
}

// decide answers q from the facts in s.f. The result's slices live in s.
func decide(s *scratch, q *question) verdict {
	f := &s.f
	v := verdict{hold: f.hold, till: f.holdTill}
	if v.hold != "" {
		return v
	}
	if f.dpd < -preDueDays && f.overdueCents == 0 {
		return verdict{hold: HoldNothingDue, till: f.oldest - preDueDays}
	}
	for i := range f.claims {
		if c := &f.claims[i]; c.due <= f.today+preDueDays {
			v.money += c.cents
		}
	}
	s.baseline(q, &v)
	s.awaitRun(q)
	reachable := s.enumerate(q, &v)
	if reachable == 0 {
		v.hold = HoldNoChannel
		return v
	}
	v.byModel = true
	s.candidates(q, &v)
	s.choose(q, &v)
	return v
}

// baseline computes what happens if nobody does anything.
func (s *scratch) baseline(q *question, v *verdict) {
	f, h := &s.f, &s.habit
	p := f.period(h, &claim{f.oldestID, v.money / int64(max(len(f.claims), 1)), f.oldest, f.issued})
	m := q.learned.model
	m.Hazard.UnpaidTo(s.surv[:], p, &h.runs, f.today, m.Leave)
	// tail[τ]: the share of the horizon that is saved when the money comes on
	// day τ instead, counting only days past due.
	s.tail[rewardHorizon], s.tail[rewardHorizon+1] = 0, 0
	for t := rewardHorizon - 1; t >= 0; t-- {
		s.tail[t] = s.tail[t+1]
		if f.dpd+t >= 0 {
			s.tail[t] += s.surv[t] / rewardHorizon
		}
	}
	v.alone = 1 - s.surv[6]
	// r = 1 − E[min(T, H)]/H with T the day of payment.
	sum := 0.0
	for t := range rewardHorizon {
		if f.dpd+t >= 0 {
			sum += s.surv[t]
		}
	}
	v.base = 1 - sum/rewardHorizon
	value := &q.creditor.Value
	v.euro = float64(v.money) / 100 * (value.LossRate + value.CapitalRate*rewardHorizon/365)
}

// enumerate fills s.slots with the hours of the horizon and the channels each
// allows, and returns how many channels could be used at all.
func (s *scratch) enumerate(q *question, v *verdict) int {
	f := &s.f
	var open uint8
	for c := range ledger.Channel(ledger.Channels) {
		switch {
		case len(q.req.Channels) > 0 && !slices.Contains(q.req.Channels, c.String()):
		case !f.reachable[c] || f.bounced[c]:
			v.blocked = append(v.blocked, "UNREACHABLE_"+upper[c])
		case q.pack.consent[c] && !f.consented[c]:
			v.blocked = append(v.blocked, "NO_CONSENT_"+upper[c])
		case q.full[c]:
			v.blocked = append(v.blocked, "CAPACITY_"+upper[c])
		default:
			open |= 1 << c
		}
	}
	if open == 0 {
		return 0
	}
	s.slots = s.slots[:0]
	s.usable = [timing.Hours]uint8{}
	quiet, capped := false, false
	for day := range q.req.HorizonDays {
		d := f.today + ledger.Day(day)
		if f.dpd+day < -preDueDays {
			continue
		}
		holiday := q.holiday(f, d)
		start := d.In(f.loc)
		regular := (d+1).In(f.loc).Unix()-start.Unix() == 86400
		wd := weekdayOf(d)
		var rest uint8 // bit per channel: a quiet day
		for c := range ledger.Channel(ledger.Channels) {
			if q.pack.quietDay(c, wd, holiday) {
				rest |= 1 << c
			}
		}
		for hour := firstHour; hour <= lastHour; hour++ {
			at := start.Unix() + int64(hour)*3600
			if !regular {
				t := time.Date(start.Year(), start.Month(), start.Day(), hour, 0, 0, 0, f.loc)
				if t.Hour() != hour {
					continue // the hour that a clock change skips
				}
				at = t.Unix()
			}
			if at < f.at {
				// The running hour still serves, from the next five minutes on.
				if at = f.at - f.at%300 + 300; at >= start.Unix()+int64(hour+1)*3600 || !regular {
					continue
				}
			}
			allow := uint8(0)
			for c := range ledger.Channel(ledger.Channels) {
				switch {
				case open&(1<<c) == 0:
				case rest&(1<<c) != 0 || q.pack.quiet[c][hour] != 0:
					quiet = true
				case at < s.earliest[c]:
					capped = true
					s.usable[wd*24+hour] |= 1 << c
				default:
					allow |= 1 << c
				}
			}
			s.usable[wd*24+hour] |= allow
			if allow != 0 {
				s.slots = append(s.slots, slot{at: at, day: day, hour: hour, how: wd*24 + hour, allow: allow})
			}
		}
	}
	if quiet {
		v.blocked = append(v.blocked, "QUIET_HOURS")
	}
	if capped {
		for c := range s.capped {
			if why := s.capped[c]; why != "" && open&(1<<c) != 0 && !slices.Contains(v.blocked, why) {
				v.blocked = append(v.blocked, why)
			}
		}
	}
	n := 0
	for c := range ledger.Channels {
		n += int(open >> c & 1)
	}
	return n
}

// within is how long after sending a message on a channel counts as noticed in
// time: a call is taken at once or not at all.
var withinHours = [ledger.Channels]int{24, 24, 24, 48, 1}

// candidates finds each channel's best slot within the commitment and its
// value in every tone that is allowed, against waiting.
func (s *scratch) candidates(q *question, v *verdict) {
	f, h, l := &s.f, &s.habit, q.learned
	r := l.model.Response
	l.availability(&s.avail, h)
	s.calm = s.avail
	weathered := l.modulate(&s.avail, f, h)
	l.post.Mean(s.theta[:], int32(h.profile), h.debtor)
	cost := q.creditor.Value.costs()
	limit := f.at + commitHours*3600
	s.cands = s.cands[:0]
	s.options = slices.Grow(s.options[:0], ledger.Channels*32)
	for day := range min(q.req.HorizonDays, 2) {
		noon := f.at + int64(day)*86400 + 6*3600
		s.tired[day], s.weary[day] = fatigue(s.f.recent, noon), s.annoyance(q, noon)
	}
	s.present(&s.calm)
	s.usually = s.there
	if weathered {
		s.present(&s.avail)
	}
	for c := range ledger.Channel(ledger.Channels) {
		s.noticing(c, &s.calm, l.model)
		s.plain[c] = s.notice[c]
		if weathered {
			s.noticing(c, &s.avail, l.model)
		}
		s.gain(c, r)
		s.trust[c], s.vague[c] = s.static(c), response.Spread(h.rateSD[c])
	}
	s.solve(q, v)
	rested := s.ahead.at(1, s.tired[0]*fading)
	after := s.ahead.rest(1, max(q.creditor.Cadence.GapDays, 1)-1, (s.tired[0]+1)*fading)
	for c := range ledger.Channel(ledger.Channels) {
		stake := max(s.ahead.alive[0]*(after-s.ahead.late[1]*s.delay[c]), 0)
		toll := s.ahead.alive[0] * (after - rested)
		best, bestAt := math.Inf(-1), -1
		first := len(s.options)
		for i := range s.slots {
			sl := &s.slots[i]
			if sl.allow&(1<<c) == 0 || sl.at > limit {
				continue
			}
			worth := max(stake-s.ahead.late[1]*float64(sl.day), 0)
			x := s.push(r, c, ledger.Friendly, sl)
			value := worth*s.believe(int(c), -math.Expm1(-response.Effective(h.rate[c]+x.sum(), s.vague[c]))) - toll - cost[c] - s.weary[sl.day]
			s.options = append(s.options, option{at: sl.at, value: value})
			if value > best {
				best, bestAt = value, i
			}
		}
		if bestAt < 0 {
			continue
		}
		sl := &s.slots[bestAt]
		options := s.options[first:len(s.options):len(s.options)]
		s.spread(options, best)
		for tone := range ledger.Tone(ledger.Tones) {
			if !s.toneAllowed(q, c, tone, sl) {
				continue
			}
			x := s.push(r, c, tone, sl)
			s.cands = append(s.cands, candidate{
				channel: c, tone: tone, slots: options, at: sl.at, day: sl.day, hour: sl.hour, how: sl.how,
				gain: s.gainAt(c, sl), stake: max(stake-s.ahead.late[1]*float64(sl.day), 0),
				moved: response.Moves(h.rate[c]+x.sum(), h.rateSD[c]), push: x, seen24: s.noticed[c][sl.how],
				cost: cost[c], annoy: s.weary[sl.day] + toll,
			})
		}
	}
	s.cands = append(s.cands, candidate{wait: true})
	v.cands = s.cands
	s.score(q, v)
}

// dayHours are the hours of the week at which a slot may start.
var dayHours = func() (how [7 * (lastHour - firstHour + 1)]int32) {
	for i := range how {
		how[i] = int32(i/(len(how)/7)*24 + firstHour + i%(len(how)/7))
	}
	return how
}()

// noticing fills s.noticed[c] with the chance that a message on c is noticed in
// time, by hour of the week of sending, and s.notice[c] with its logarithm
// against the average hour at which anything is sent. An hour is at most four
// times as good as the average, so that one lucky hour does not decide all.
func (s *scratch) noticing(c ledger.Channel, avail *[timing.Hours]float64, m *models.Model) {
	noticed, notice := &s.noticed[c], &s.notice[c]
	if c == ledger.Letter { // post is read when it comes
		for _, how := range dayHours {
			noticed[how], notice[how] = 1, 0
		}
		return
	}
	var seen [len(dayHours)]float64
	timing.NoticedWithin(seen[:], avail, m.Speeds[c], dayHours[:], withinHours[c])
	mean := 0.0
	for _, p := range seen {
		mean += p
	}
	mean = max(mean/float64(len(seen)), 1e-9)
	for i, how := range dayHours {
		noticed[how], notice[how] = seen[i], against(seen[i], mean)
	}
}

// against is the logarithm of a chance over the mean of all hours, bounded.
func against(x, mean float64) float64 { return math.Log(min(max(x/mean, 0.05), 4)) }

// present fills s.there, bounded as notice is: what is found at once may move more
// than what is found later. Of a call and of post nothing is left to say.
func (s *scratch) present(avail *[timing.Hours]float64) {
	mean := 0.0
	for _, how := range dayHours {
		mean += avail[how]
	}
	mean = max(mean/float64(len(dayHours)), 1e-9)
	for _, how := range dayHours {
		s.there[how] = against(avail[how], mean)
	}
}

// waits tells whether a message on c lies until it is noticed.
func waits(c ledger.Channel) bool { return c != ledger.Letter && c != ledger.Phone }

// gain fills s.gains[c]: by day of sending, the share of the horizon that is
// saved if the contact fires.
func (s *scratch) gain(c ledger.Channel, r *response.Model) {
	lag := r.Lag[int(c)*response.Lags:][:response.Lags]
	for day := range s.gains[c] {
		g := 0.0
		for u, p := range lag {
			g += p * s.tail[min(day+u, rewardHorizon)]
		}
		s.gains[c][day] = g
	}
}

// static is by how much the rewards seen so far correct what the models expect
// of channel c, whatever the slot, in a friendly tone.
func (s *scratch) static(c ledger.Channel) float64 {
	f := &s.f
	k := s.theta[models.EffectResponse] + s.theta[models.EffectEmail+int(c)] +
		s.theta[models.EffectFatigue]*float64(f.contacts7) + s.theta[models.EffectPressure]*float64(f.contacts28)/4
	if s.repeats(c) {
		k += s.theta[models.EffectRepeat]
	}
	return k
}

func (s *scratch) repeats(c ledger.Channel) bool {
	return s.f.lastAny != 0 && s.f.lastChannel == c && !s.f.seenSince && s.f.silent[c] > 0
}

// push is what modulates a contact, on the scale of log Λ.
type push struct {
	hour, weather, tone, early, tired, late float64
}

func (p *push) sum() float64 { return p.hour + p.weather + p.tone + p.early + p.tired + p.late }

// push returns what modulates a contact on c in a tone at sl.
func (s *scratch) push(r *response.Model, c ledger.Channel, tone ledger.Tone, sl *slot) push {
	dpd := s.f.dpd + sl.day
	late := response.Late(dpd)
	p := push{
		hour:    r.Coef[response.CovNotice] * s.plain[c][sl.how],
		weather: r.Coef[response.CovNotice] * (s.notice[c][sl.how] - s.plain[c][sl.how]),
		tired:   r.Coef[response.CovFatigue] * s.tired[sl.day],
		late:    r.Coef[response.CovLate] * late,
	}
	if waits(c) {
		p.hour += r.Coef[response.CovThere] * s.usually[sl.how]
		p.weather += r.Coef[response.CovThere] * (s.there[sl.how] - s.usually[sl.how])
	}
	switch tone {
	case ledger.Neutral:
		p.tone = r.Coef[response.CovNeutral] + r.Coef[response.CovNeutralLate]*late
	case ledger.Formal:
		p.tone = r.Coef[response.CovFormal] + r.Coef[response.CovFormalLate]*late
	}
	if dpd < 0 {
		p.early = r.Coef[response.CovPreDue]
	}
	if sl.how >= 5*24 {
		p.hour += r.Coef[response.CovWeekend]
	}
	if s.repeats(c) {
		p.tired += r.Coef[response.CovRepeat]
	}
	return p
}

// gainAt is the share of the horizon that is saved if a contact on c in sl
// moves the debtor. Money is late by days: within one, no hour is dearer.
func (s *scratch) gainAt(c ledger.Channel, sl *slot) float64 {
	return max(s.gains[c][sl.day], 1e-6)
}

// fatigue is how much the contacts before a moment still weigh.
func fatigue(sent []int64, at int64) float64 {
	f := 0.0
	for _, t := range sent {
		f += math.Exp(-float64(at-t) / (response.Fade * 86400))
	}
	return f
}

// annoyance is what a contact at a moment costs the relation.
func (s *scratch) annoyance(q *question, at int64) float64 {
	n := 0
	for _, t := range s.f.recent {
		if at-t < 7*86400 {
			n++
		}
	}
	return q.creditor.Value.Annoyance * float64((1+n)*(1+n))
}

// spread gives each option of a channel its probability.
func (s *scratch) spread(options []option, best float64) {
	s.relative = s.relative[:0]
	unit := max(math.Abs(best), 1e-6)
	for i := range options {
		s.relative = append(s.relative, options[i].value/unit)
	}
	n := len(options)
	s.prob = slices.Grow(s.prob[:0], n)[:n]
	bandit.InverseGap(s.prob, s.relative, slotSharpness)
	for i := range options {
		options[i].prob = s.prob[i]
	}
}

// toneAllowed: neutral from the second contact or a week past due, formal only
// late, after a reminder, and once the policy pack's waiting term has passed.
func (s *scratch) toneAllowed(q *question, c ledger.Channel, tone ledger.Tone, sl *slot) bool {
	f := &s.f
	switch tone {
	case ledger.Friendly:
		return f.step < 4
	case ledger.Neutral:
		return f.step >= 1 || f.dpd > 7
	default:
		if f.step < 2 || f.dpd+sl.day <= 14 || f.firstAfterDue == 0 {
			return false
		}
	}
	for _, r := range q.pack.formal {
		if r.Tone != tone.String() || !r.covers(c) {
			continue
		}
		holiday := func(d ledger.Day) bool { return q.holiday(f, d) }
		if f.today+ledger.Day(sl.day) < earliestFormal(r, f.firstChannel, f.firstAfterDue, holiday) {
			return false
		}
	}
	return true
}

// phi stores the features of c in dst.
func (s *scratch) phi(dst []float64, c *candidate) {
	clear(dst)
	if c.wait {
		return
	}
	f := &s.f
	base := c.moved * c.gain
	dst[models.EffectResponse] = base
	dst[models.EffectNotice] = base * (c.push.hour + c.push.weather)
	switch c.tone {
	case ledger.Neutral:
		dst[models.EffectNeutral] = base
	case ledger.Formal:
		dst[models.EffectFormal] = base
		if f.dpd > 30 {
			dst[models.EffectFormalLate] = base
		}
	}
	dst[models.EffectFatigue] = base * float64(f.contacts7)
	dst[models.EffectPressure] = base * float64(f.contacts28) / 4
	dst[models.EffectEmail+int(c.channel)] = base
	if f.dpd+c.day < 0 {
		dst[models.EffectPreDue] = base
	}
	if s.repeats(c.channel) {
		dst[models.EffectRepeat] = base
	}
	if c.how >= 5*24 {
		dst[models.EffectWeekend] = base
	}
}

// score gives every candidate its expected value and how sure it is.
func (s *scratch) score(q *question, v *verdict) {
	k, h := len(s.cands), &s.habit
	s.phis = slices.Grow(s.phis[:0], k*models.Effects)[:k*models.Effects]
	s.mean = slices.Grow(s.mean[:0], k)[:k]
	s.sd = slices.Grow(s.sd[:0], k)[:k]
	for i := range s.cands {
		s.phi(s.phis[i*models.Effects:][:models.Effects], &s.cands[i])
	}
	post := q.learned.post
	post.Score(s.mean, s.sd, s.phis, int32(h.profile), h.debtor, s.work)
	for i := range s.cands {
		c := &s.cands[i]
		if c.wait {
			s.sd[i] = 0
			continue
		}
		// In units of P(moved), not of days saved: what that is worth today is
		// the stake.
		moved := min(max(s.mean[i]/c.gain, 0), 0.95)
		c.mean = c.stake*moved - c.cost - c.annoy
		own := h.rateSD[c.channel] * (1 - c.moved) * -math.Log1p(-c.moved) // dρ = (1 − ρ)·Λ·d log Λ
		c.sd = c.stake * math.Hypot(s.sd[i]/c.gain, own)
	}
	for i := range s.cands {
		s.mean[i], s.sd[i] = s.cands[i].mean, s.cands[i].sd
	}
}

// choose draws the candidate and its slot with exactly the probabilities that
// are logged.
func (s *scratch) choose(q *question, v *verdict) {
	k := len(s.cands)
	s.prob = slices.Grow(s.prob[:0], k)[:k]
	if k == 1 {
		s.prob[0] = 1
	} else {
		bandit.Thompson(s.prob, s.mean, s.sd, exploration, s.work)
	}
	for i := range s.cands {
		s.cands[i].prob = s.prob[i]
	}
	v.chosen = bandit.Draw(s.prob, q.seed, q.id)
	c := &s.cands[v.chosen]
	v.prob = c.prob
	if c.wait {
		return
	}
	n := len(c.slots)
	s.prob = slices.Grow(s.prob[:0], n)[:n]
	for i := range c.slots {
		s.prob[i] = c.slots[i].prob
	}
	k = bandit.Draw(s.prob, q.seed+1, q.id)
	v.sendAt = c.slots[k].at
	v.prob *= c.slots[k].prob
}
