package main

import (
	"bytes"
	"testing"
)

// A log that grows answers a request for a partial tile or bundle with the full one.
func TestTrimmedKeepsThePartialOne(t *testing.T) {
	bundle := []byte{0, 1, 'a', 0, 2, 'b', 'c', 0, 0}
	hashes := make([]byte, 3*32)
	for _, c := range []struct {
		level  int
		width  uint8
		served []byte
		end    int // 0: refused.
	}{
		{bundles, 2, bundle, 7}, {bundles, 3, bundle, 9}, {bundles, 0, bundle, 9}, {bundles, 4, bundle, 0},
		{bundles, 2, bundle[:6], 0}, {0, 2, hashes, 64}, {1, 3, hashes, 96}, {0, 0, hashes, 96}, {0, 4, hashes, 0},
	} {
		got, err := trimmed(c.level, c.width, c.served)
		if (err != nil) != (c.end == 0) || !bytes.Equal(got, c.served[:c.end]) {
			t.Errorf("level %d, width %d: %v, %v", c.level, c.width, got, err)
		}
	}
}
