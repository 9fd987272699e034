package engine

import "rappel/datasets/store"

// ErrClosed is wrapped by what a store answers that is being closed.
var ErrClosed = store.ErrClosed
