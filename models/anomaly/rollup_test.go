package anomaly

import "testing"

func TestScan(t *testing.T) {
	for _, c := range []struct {
		name   string
		groups []Group
		all    Group
		want   int
	}{
		{"nothing moved", []Group{{50, 0}, {50, 1}}, Group{1000, 10}, -1},
		{"one cell of fifty", []Group{{50, 2}, {50, 15}}, Group{1000, 30}, 1},
		{"the cell, not the sector that holds it", []Group{{400, 19}, {50, 15}}, Group{1000, 30}, 1},
		{"the sector, where all of it moved", []Group{{400, 120}, {50, 15}}, Group{1000, 130}, 0},
		{"four are no group", []Group{{4, 4}}, Group{1000, 10}, -1},
		{"a slight difference in a large group", []Group{{10000, 400}}, Group{100000, 1400}, -1},
		{"the whole book", []Group{{1000, 400}}, Group{1000, 400}, 0},
		{"many in the whole book", []Group{{1000, 300}}, Group{1000, 300}, -1},
		{"everyone moves more than usual", []Group{{50, 15}, {50, 14}}, Group{1000, 290}, -1},
	} {
		if got, p := Scan(c.groups, c.all, 0.01, 1e-5); got != c.want {
			t.Errorf("%s: group %d with probability %.2g, want %d", c.name, got, p, c.want)
		}
	}
}
