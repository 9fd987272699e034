//go:build unix

package main

import (
	"runtime"
	"syscall"
)

// peakMB is the most memory that this process has held; 0: not known.
func peakMB() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	kilo := float64(u.Maxrss)
	if runtime.GOOS == "darwin" {
		kilo /= 1024 // bytes there
	}
	return kilo / 1024
}
