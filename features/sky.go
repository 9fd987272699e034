package features

import (
	"cmp"
	"slices"
)

// skyAt is the observed weather of a place, hour by hour.
type skyAt struct {
	hours []int64  // local, since 1970; rising
	known []int64  // us since 1970 when all of the hours so far was known
	total []skySum // of the hours so far
}

// skySum counts hours by part of the day: night, morning, afternoon and evening.
type skySum struct {
	n, sun, wet [4]int64 // hours, minutes of sun, hours with rain
}

// partOf is the part of the day of an hour.
func partOf(hour int64) int64 { return ((hour%24 + 24) % 24) / 6 }

// skiesOf adds up the rows of sky.sql, by place.
func skiesOf(rows *grouped) []skyAt {
	skies := make([]skyAt, len(rows.from)-1)
	for p := range skies {
		of := func(column int) []int64 { return rows.of(int32(p), column) }
		hour, known, sun, wet := of(0), of(1), of(2), of(3)
		order := make([]int, len(hour))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Compare(hour[a], hour[b]) })
		s := &skies[p]
		var sum skySum
		last := int64(none)
		for _, i := range order {
			part := partOf(hour[i])
			sum.n[part]++
			sum.sun[part] += sun[i]
			sum.wet[part] += wet[i]
			last = max(last, known[i])
			s.hours, s.known, s.total = append(s.hours, hour[i]), append(s.known, last), append(s.total, sum)
		}
	}
	return skies
}

// respond fills in whether sun or rain moves the hours at which a debtor looks, by
// part of the day: the mean of sunshine (share of the hour) or rain (yes or no) at
// human signs, less that of the hours when something lay unread, shrunk to 0 with
// the weight of ten signs. looks are the hours of signs, or none; unread as
// contacts_of.sql packs it. Only hours count of which all before was known by upto;
// of a stretch, the hour before it and its last must have been observed.
func (s *skyAt) respond(sun, rain []float32, upto int64, looks, unread []int64) {
	if len(s.hours) == 0 {
		return
	}
	var own, base skySum
	for _, h := range looks {
		i, ok := s.at(h, upto)
		if !ok {
			continue
		}
		part, before := partOf(h), skySum{}
		if i > 0 {
			before = s.total[i-1]
		}
		own.n[part]++
		own.sun[part] += s.total[i].sun[part] - before.sun[part]
		own.wet[part] += s.total[i].wet[part] - before.wet[part]
	}
	if own.n == ([4]int64{}) {
		return
	}
	for _, v := range unread {
		if v == none {
			continue
		}
		first, length := v>>38, v>>31&127
		to, ok := s.at(first+length-1, upto)
		from, there := s.at(first-1, upto)
		if !ok || !there {
			continue
		}
		for p := range base.n {
			base.n[p] += s.total[to].n[p] - s.total[from].n[p]
			base.sun[p] += s.total[to].sun[p] - s.total[from].sun[p]
			base.wet[p] += s.total[to].wet[p] - s.total[from].wet[p]
		}
	}
	for p := range base.n {
		n, of := float64(own.n[p]), float64(base.n[p])
		if n == 0 || of == 0 {
			continue
		}
		sun[p] = float32((float64(own.sun[p])/60/n - float64(base.sun[p])/60/of) * n / (n + 10))
		rain[p] = float32((float64(own.wet[p])/n - float64(base.wet[p])/of) * n / (n + 10))
	}
}

// at finds an observed hour, all before which was known by upto.
func (s *skyAt) at(hour, upto int64) (int, bool) {
	i, ok := slices.BinarySearch(s.hours, hour)
	return i, ok && s.known[i] <= upto
}
