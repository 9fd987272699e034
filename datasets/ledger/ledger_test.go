package ledger

import "testing"

func TestMonthEnd(t *testing.T) {
	for day, want := range map[string]int{
		"2024-02-26": 0, "2024-02-27": 1, "2024-02-28": 2, "2024-02-29": 3, "2024-03-01": 4, "2024-03-02": 5, "2024-03-03": 0,
		"2025-12-28": 0, "2025-12-29": 1, "2025-12-31": 3, "2026-01-01": 4,
	} {
		d, err := ParseDay(day)
		if got := d.MonthEnd(); err != nil || got != want {
			t.Errorf("%s: %d, want %d (%v)", day, got, want, err)
		}
	}
}
