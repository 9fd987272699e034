package store

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// The cost of a password: the second recommended option of RFC 9106, section 4.
const (
	argonPasses  = 3
	argonMemory  = 64 << 10 // KiB
	argonThreads = 4
	argonSalt    = 16 // bytes
	argonKey     = 32 // bytes
)

// MinPassword is how many characters a password has at least.
const MinPassword = 10

// ErrPassword reports a password that is too short or too long.
var ErrPassword = fmt.Errorf("store: a password has %d to 200 characters", MinPassword)

// hashPassword returns the Argon2id hash of a password in PHC form.
func hashPassword(password string) (string, error) {
	if n := utf8.RuneCountInString(password); n < MinPassword || n > 200 {
		return "", ErrPassword
	}
	salt := make([]byte, argonSalt)
	rand.Read(salt) // never fails
	key := argon2.IDKey([]byte(password), salt, argonPasses, argonMemory, argonThreads, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

var errHash = errors.New("store: not an Argon2id hash in PHC form")

// checkPassword tells whether a password has a hash. It takes as long for an
// empty hash, which no password has.
func checkPassword(hash, password string) (bool, error) {
	var version int
	passes, memory, threads := uint32(argonPasses), uint32(argonMemory), uint8(argonThreads)
	salt, key := make([]byte, argonSalt), make([]byte, argonKey)
	if hash != "" {
		parts := strings.Split(hash, "$")
		if len(parts) != 6 || parts[1] != "argon2id" {
			return false, errHash
		}
		if _, err := fmt.Sscanf(parts[2], "v=%d", &version); err != nil || version != argon2.Version {
			return false, errHash
		}
		if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); err != nil {
			return false, errHash
		}
		var err1, err2 error
		salt, err1 = base64.RawStdEncoding.DecodeString(parts[4])
		key, err2 = base64.RawStdEncoding.DecodeString(parts[5])
		if err1 != nil || err2 != nil || len(key) == 0 {
			return false, errHash
		}
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, threads, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1 && hash != "", nil
}
