//go:build unix

package engine

import (
	"runtime"
	"syscall"
)

// processor is the processor time that this process has used, in seconds.
func processor() float64 {
	u := usage()
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

// peakMB is the most memory that this process has held.
func peakMB() float64 {
	kilo := float64(usage().Maxrss)
	if runtime.GOOS == "darwin" {
		kilo /= 1024 // bytes there
	}
	return kilo / 1024
}

func usage() (u syscall.Rusage) {
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // 0 where it is not known
	return u
}
