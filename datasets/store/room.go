package store

import (
	"fmt"
	"path/filepath"
	"syscall"
)

// minimumRoom is how much of the disk must stay free for the file to be
// written safely.
const minimumRoom = 64 << 20

// Room returns an error where the disk that holds the file is all but full.
func (s *Store) Room() error {
	if s.path == "" {
		return nil
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(s.path), &st); err != nil {
		return fmt.Errorf("store: free space: %w", err)
	}
	if free := st.Bavail * uint64(st.Bsize); free < minimumRoom {
		return fmt.Errorf("store: only %d MiB of the disk are free", free>>20)
	}
	return nil
}
