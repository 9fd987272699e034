//go:build !unix

package main

// peakMB is the most memory that this process has held; 0: not known.
func peakMB() float64 { return 0 }
