package ledger

import (
	"sync"
	"time"
	_ "time/tzdata" // the zones travel with the binary: a bare container has none
)

// zones remembers the zones that exist; it holds no name that does not.
var zones sync.Map // string → *time.Location

// Zone returns the location of an IANA name such as Europe/Brussels. It reads
// each zone once.
func Zone(name string) (*time.Location, error) {
	if z, ok := zones.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	zones.Store(name, z)
	return z, nil
}

// ZoneExists reports whether name is an IANA zone. The empty name and Local,
// which mean another zone on another machine, are not.
func ZoneExists(name string) bool {
	if name == "" || name == "Local" {
		return false
	}
	_, err := Zone(name)
	return err == nil
}
