package store

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"rappel/datasets/ledger"
)

// A lake read into a new warehouse holds what it was written from, whatever
// creditors are called; a folder with something else in it stays.
func TestLakeThereAndBack(t *testing.T) {
	ctx := t.Context()
	s := fresh(t)
	events := payments(0, 50)
	for i := range events {
		name := []string{"acme", "007", "a/b c=é", "1e3"}[i%4]
		events[i].Creditor, events[i].Rows.Payments[0].Creditor = name, name
	}
	if _, err := s.Append(ctx, events); err != nil {
		t.Fatal(err)
	}
	if err := s.PutCreditor(ctx, ledger.Creditor{ID: "a/b c=é", Country: "BE", Timezone: "Europe/Brussels", Currency: "EUR"}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "lake")
	for range 2 { // the second takes the place of the first
		rows, err := s.WriteLake(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		if rows["payments"] != 50 || rows["creditors"] != 1 || rows["contacts"] != 0 {
			t.Errorf("rows %v", rows)
		}
	}
	again := fresh(t)
	if err := again.ReadLake(ctx, dir); err != nil {
		t.Fatal(err)
	}
	if got, want := loadAll(t, again), loadAll(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
	list, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*"))
	if err != nil || len(list) > 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}

	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "letter.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteLake(ctx, other); !errors.Is(err, ErrNotALake) {
		t.Errorf("over a folder with a letter: %v", err)
	}
}
