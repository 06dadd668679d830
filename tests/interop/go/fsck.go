package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

func leafHashes(bundle []byte) ([][]byte, error) {
	var parsed api.EntryBundle
	if err := parsed.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	var hashes [][]byte
	for _, entry := range parsed.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(entry))
	}
	return hashes, nil
}

// check runs tessera's fsck. A worker of it that finds a wrong tile ends, and fsck waits for ever
// when no other is left, hence more than one. It indexes hashes by what the checkpoint says, so a
// bundle that holds fewer leaves ends it with a panic; that is a refusal too.
func check(ctx context.Context, m *memory, key note.Verifier) (err error) {
	defer func() {
		if stopped := recover(); stopped != nil {
			err = fmt.Errorf("fsck panicked: %v", stopped)
		}
	}()
	return fsck.New(key.Name(), key, m, leafHashes, fsck.Opts{N: 4}).Check(ctx)
}

// A place is one byte of a file of the log.
type place struct {
	path string
	at   int
}

// places are up to `count` different bytes of the tiles and bundles, at least one of each file;
// all of them if there are not more. Of the checkpoint, fsck reads one key's line only; the sweep
// over proofs alters all of it.
func (m *memory) places(count int, random *rand.Rand) []place {
	var all, chosen []place
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		if path == layout.CheckpointPath {
			continue
		}
		chosen = append(chosen, place{path, random.IntN(len(m.files[path]))})
		for at := range m.files[path] {
			all = append(all, place{path, at})
		}
	}
	if count >= len(all) {
		return all
	}
	for len(chosen) < count {
		chosen = append(chosen, all[random.IntN(len(all))])
	}
	return chosen
}

func fsckCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("fsck", flag.ExitOnError)
	dir := flags.String("dir", "", "copy of the log")
	policyPath := flags.String("policy", "", "tlog-policy")
	flips := flags.Int("flips", 4000, "altered copies")
	seed := flags.Uint64("seed", 1, "of the choice of altered bytes")
	flags.Parse(args)
	p, err := readPolicy(*policyPath)
	if err != nil {
		return err
	}
	m, err := readMirror(*dir)
	if err != nil {
		return err
	}
	result := report{Tool: "tessera fsck", What: fmt.Sprintf("tree of %d leaves from its entries", m.size)}
	var signed []note.Verifier
	for _, key := range p.logs {
		// The log's keys share its name. A stock tool knows one, and each that signed must do.
		if _, err := note.Open(m.files[layout.CheckpointPath], note.VerifierList(key)); err != nil {
			continue
		}
		signed = append(signed, key)
		if err := check(ctx, m, key); err != nil {
			return fmt.Errorf("under %08x: %w", key.KeyHash(), err)
		}
	}
	if len(signed) == 0 {
		return errors.New("no key of the log signed the checkpoint")
	}
	result.Checked = len(signed)
	random := rand.New(rand.NewPCG(*seed, 0))
	for _, place := range m.places(*flips, random) {
		altered := slices.Clone(m.files[place.path])
		altered[place.at] ^= byte(1 + random.IntN(255))
		copied := &memory{files: maps.Clone(m.files), size: m.size}
		copied.files[place.path] = altered
		result.Altered++
		if check(ctx, copied, signed[0]) != nil {
			result.Refused++
		}
	}
	return result.print()
}
