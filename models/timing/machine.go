package timing

import (
	"cmp"
	"slices"
)

// Open is one opening, known to the second.
type Open struct {
	Debtor    int32
	Time      int64 // seconds since the Unix epoch
	Delivered int64 // when the message that was opened arrived; 0 where unknown
}

// Verdict says who made an opening.
type Verdict uint8

// The verdicts. All but Human and Repeat are machines.
const (
	Human    Verdict = iota
	Repeat           // the same reader again within one session: counts once
	Prefetch         // fetched at delivery
	Burst            // many within a minute
	TooMany          // more in an hour or a day than anyone opens
	Clock            // awake around the clock
	Reader           // an opening of a reader who is a machine on the whole
	verdicts
)

// Machine is true of openings that no person made.
func (v Verdict) Machine() bool { return v > Repeat }

func (v Verdict) String() string {
	return [verdicts]string{"human", "repeat", "prefetch", "burst", "too_many", "clock", "reader"}[v]
}

// MachineOptions are the limits of what a person does.
type MachineOptions struct {
	// PrefetchSeconds after delivery nobody has read a message yet. A reader
	// most of whose openings (at least three) come within
	// PrefetchHabitSeconds is a scanner, and those are prefetched too.
	PrefetchSeconds, PrefetchHabitSeconds int64
	// PerMinute, PerHour and PerDay are the most openings of a person within
	// 60 seconds, 60 minutes and 24 hours.
	PerMinute, PerHour, PerDay int
	// SleepSeconds is the shortest sleep; who stays active, without a pause
	// that long, for longer than AwakeSeconds does not sleep.
	SleepSeconds, AwakeSeconds int64
	// QuietShare is the least share of openings in the quietest six hours of
	// the day that shows a reader who knows no night, and QuietEvents the
	// openings needed to say so.
	QuietShare  float64
	QuietEvents int
	// SessionSeconds joins openings of one reader into one.
	SessionSeconds int64
	// ReaderShare is the share of machine openings from which a reader is a
	// machine on the whole, and ReaderEvents the fewest of them.
	ReaderShare  float64
	ReaderEvents int
}

// DefaultMachineOptions returns limits that people stay well within.
func DefaultMachineOptions() MachineOptions {
	return MachineOptions{
		PrefetchSeconds: 3, PrefetchHabitSeconds: 60,
		PerMinute: 6, PerHour: 20, PerDay: 60,
		SleepSeconds: 4 * 3600, AwakeSeconds: 36 * 3600,
		QuietShare: 0.12, QuietEvents: 100,
		SessionSeconds: 1800,
		ReaderShare:    0.5, ReaderEvents: 20,
	}
}

// MachineReport is the share of machines among openings.
type MachineReport struct {
	Opens    int
	Machine  int // openings by machines
	Verdicts [verdicts]int
	Readers  []int32 // debtors all of whose openings were left out, rising
}

// Share is the share of openings that machines made; 0 for none.
func (r MachineReport) Share() float64 {
	if r.Opens == 0 {
		return 0
	}
	return float64(r.Machine) / float64(r.Opens)
}

// Machines stores who made each opening in dst, which has the length of opens.
// opens may come in any order.
func Machines(dst []Verdict, opens []Open, opt MachineOptions) MachineReport {
	if len(dst) != len(opens) {
		panic("timing: dst and opens differ in length")
	}
	order := make([]int, len(opens))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(
			cmp.Compare(opens[a].Debtor, opens[b].Debtor),
			cmp.Compare(opens[a].Time, opens[b].Time),
			cmp.Compare(a, b),
		)
	})
	report := MachineReport{Opens: len(opens)}
	for len(order) > 0 {
		n := 1
		for n < len(order) && opens[order[n]].Debtor == opens[order[0]].Debtor {
			n++
		}
		if reader(dst, opens, order[:n], &opt) {
			report.Readers = append(report.Readers, opens[order[0]].Debtor)
		}
		order = order[n:]
	}
	for _, v := range dst {
		report.Verdicts[v]++
		if v.Machine() {
			report.Machine++
		}
	}
	return report
}

// reader judges the openings of one reader, in order of time, and says whether
// it is a machine on the whole.
func reader(dst []Verdict, opens []Open, order []int, opt *MachineOptions) bool {
	for _, i := range order {
		dst[i] = Human
	}
	prefetched(dst, opens, order, opt)
	crowded(dst, opens, order, 60, opt.PerMinute, Burst)
	crowded(dst, opens, order, 3600, opt.PerHour, TooMany)
	crowded(dst, opens, order, 86400, opt.PerDay, TooMany)
	sleepless(dst, opens, order, opt)
	machines := 0
	for _, i := range order {
		if dst[i].Machine() {
			machines++
		}
	}
	whole := nightless(opens, order, opt) ||
		machines >= opt.ReaderEvents && float64(machines) >= opt.ReaderShare*float64(len(order))
	last := int64(0)
	for j, i := range order {
		switch {
		case dst[i].Machine():
			continue
		case whole:
			dst[i] = Reader
			continue
		case j > 0 && last > 0 && opens[i].Time-last < opt.SessionSeconds:
			dst[i] = Repeat
		}
		last = opens[i].Time
	}
	return whole
}

// prefetched marks what was fetched at delivery.
func prefetched(dst []Verdict, opens []Open, order []int, opt *MachineOptions) {
	known, soon := 0, 0
	for _, i := range order {
		if opens[i].Delivered == 0 {
			continue
		}
		known++
		if d := opens[i].Time - opens[i].Delivered; d >= 0 && d <= opt.PrefetchHabitSeconds {
			soon++
		}
	}
	limit := opt.PrefetchSeconds
	if soon >= 3 && 2*soon > known {
		limit = opt.PrefetchHabitSeconds
	}
	for _, i := range order {
		if d := opens[i].Time - opens[i].Delivered; opens[i].Delivered != 0 && d >= 0 && d <= limit {
			dst[i] = Prefetch
		}
	}
}

// crowded marks every window of so many seconds that holds more than most.
func crowded(dst []Verdict, opens []Open, order []int, seconds int64, most int, v Verdict) {
	from, marked := 0, 0
	for to := range order {
		for opens[order[to]].Time-opens[order[from]].Time >= seconds {
			from++
		}
		if to-from+1 <= most {
			continue
		}
		for marked = max(marked, from); marked <= to; marked++ {
			if i := order[marked]; dst[i] == Human {
				dst[i] = v
			}
		}
	}
}

// sleepless marks runs of openings too long for anyone awake.
func sleepless(dst []Verdict, opens []Open, order []int, opt *MachineOptions) {
	from := 0
	for to := range order {
		if to+1 < len(order) && opens[order[to+1]].Time-opens[order[to]].Time < opt.SleepSeconds {
			continue
		}
		if opens[order[to]].Time-opens[order[from]].Time > opt.AwakeSeconds {
			for _, i := range order[from : to+1] {
				if dst[i] == Human {
					dst[i] = Clock
				}
			}
		}
		from = to + 1
	}
}

// nightless is true of a reader whose quietest six hours of the day are hardly
// quieter than the others.
func nightless(opens []Open, order []int, opt *MachineOptions) bool {
	if len(order) < opt.QuietEvents {
		return false
	}
	var hours [dayHours]int
	for _, i := range order {
		h := opens[i].Time / 3600 % dayHours
		hours[(h+dayHours)%dayHours]++
	}
	least := len(order)
	for h := range hours {
		sum := 0
		for k := range 6 {
			sum += hours[(h+k)%dayHours]
		}
		least = min(least, sum)
	}
	return float64(least) > opt.QuietShare*float64(len(order))
}
