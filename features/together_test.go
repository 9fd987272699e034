package features

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// TestTogether: vectors asked for by many at a time, each as of another moment and
// of other debtors, are those asked for alone, and nothing of it is left behind in
// the warehouse.
func TestTogether(t *testing.T) {
	db := creditors(t)
	fill(t, db, book(9, 20), time.Time{})
	pipe := New(db)
	const many = 8
	asOf := func(i int) time.Time { return day("2025-03-01T10:00:00Z").AddDate(0, 0, i) }
	var want [many]*Set
	for i := range want {
		var err error
		if want[i], err = pipe.Load(t.Context(), asOf(i), Filter{}); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	var got [many][4]*Set
	dir := t.TempDir()
	for i := range many {
		all.Go(func() {
			for k := range got[i] {
				var err error
				if got[i][k], err = pipe.Load(t.Context(), asOf(i), Filter{}); err != nil {
					t.Errorf("as of %v: %v", asOf(i), err)
				}
			}
			if _, err := pipe.Export(t.Context(), filepath.Join(dir, fmt.Sprint(i, ".parquet")), asOf(i), Filter{}); err != nil {
				t.Errorf("export: %v", err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for i := range got {
		for _, set := range got[i] {
			same(t, set, want[i])
		}
	}
	var views int
	if err := db.DB().QueryRow("SELECT count(*) FROM duckdb_views() WHERE NOT internal AND view_name NOT LIKE 'pg_%'").Scan(&views); err != nil || views > 0 {
		t.Errorf("%d views left behind, %v", views, err)
	}
}
