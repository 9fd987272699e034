package features

import (
	"errors"
	"strings"
	"testing"

	"rappel/datasets/ledger"
)

func TestReadPoints(t *testing.T) {
	got, err := ReadPoints(strings.NewReader("\ufeffas_of,outcome,debtor_id,creditor_id\n2026-03-01T06:00:00+01:00,paid,D-1,acme\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := Point{ledger.Key{Creditor: "acme", Debtor: "D-1"}, day("2026-03-01T05:00:00Z")}
	if len(got) != 1 || got[0].Key != want.Key || !got[0].AsOf.Equal(want.AsOf) {
		t.Errorf("%v, want %v", got, want)
	}
	tests := []struct{ name, text, want string }{
		{"nothing", "", "line 1: EOF"},
		{"no moments", "creditor_id,debtor_id\n", "line 1: as_of: is missing"},
		{"no debtor", "creditor_id,debtor_id,as_of\na,,2026-03-01T06:00:00Z\n", "line 2: debtor_id: is empty"},
		{"no zone", "creditor_id,debtor_id,as_of\n\na,d,2026-03-01T06:00:00\n", `line 3: as_of: "2026-03-01T06:00:00" is no moment`},
		{"year 0", "creditor_id,debtor_id,as_of\na,d,0000-03-01T06:00:00Z\n", "line 2: as_of: has the year 0"},
		{"too few cells", "creditor_id,debtor_id,as_of\na,d\n", "line 2: wrong number of fields"},
	}
	for _, tt := range tests {
		_, err := ReadPoints(strings.NewReader(tt.text))
		if bad := (*PointError)(nil); !errors.As(err, &bad) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}

func FuzzPoints(f *testing.F) {
	f.Add("creditor_id,debtor_id,as_of\nacme,D-1,2026-03-01T06:00:00+01:00\n")
	f.Add("as_of;creditor_id\n\"")
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ReadPoints(strings.NewReader(s))
		if bad := (*PointError)(nil); err != nil && !errors.As(err, &bad) {
			t.Errorf("%v names no line", err)
		}
		for _, p := range list {
			if p.Creditor == "" || p.Debtor == "" || ledger.TimeFault(p.AsOf) != "" {
				t.Errorf("accepted %+v", p)
			}
		}
	})
}
