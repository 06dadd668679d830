package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/tlog"
)

// tiles lets x/mod/sumdb/tlog read the copy. Its paths carry the tile's height, those of C2SP
// tlog-tiles do not.
type tiles struct{ m *memory }

func (tiles) Height() int                     { return layout.TileHeight }
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}
func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		width := uint8(0)
		if tile.W < layout.TileWidth {
			width = uint8(tile.W)
		}
		bytes, err := t.m.read(layout.TilePath(uint64(tile.L), uint64(tile.N), width))
		if err != nil {
			return nil, err
		}
		all = append(all, bytes)
	}
	return all, nil
}

func (m *memory) leaf(index uint64) ([]byte, error) {
	width := layout.PartialTileSize(0, index/layout.EntryBundleWidth, m.size)
	bundle, err := m.read(layout.EntriesPath(index/layout.EntryBundleWidth, width))
	if err != nil {
		return nil, err
	}
	var parsed api.EntryBundle
	if err := parsed.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	return parsed.Entries[index%layout.EntryBundleWidth], nil
}

// eachAltered calls f with `bytes` after one of them was altered, for each of them.
func eachAltered(bytes []byte, random *rand.Rand, f func(altered []byte)) {
	for at := range bytes {
		altered := slices.Clone(bytes)
		altered[at] ^= byte(1 + random.IntN(255))
		f(altered)
	}
}

// checkRecord proves one record from the tiles and takes no altered hash or leaf for it.
func checkRecord(m *memory, tree tlog.Tree, index int64, random *rand.Rand, result *report) error {
	leaf, err := m.leaf(uint64(index))
	if err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(tree.N, index, tlog.TileHashReader(tree, tiles{m}))
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("record %d: %w", index, err)
	}
	result.Checked++
	count := func(err error) {
		result.Altered++
		if err != nil {
			result.Refused++
		}
	}
	for i, hash := range proof {
		eachAltered(hash[:], random, func(altered []byte) {
			bad := slices.Clone(proof)
			bad[i] = tlog.Hash(altered)
			count(tlog.CheckRecord(bad, tree.N, tree.Hash, index, tlog.RecordHash(leaf)))
		})
	}
	eachAltered(leaf, random, func(altered []byte) {
		count(tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(altered)))
	})
	return nil
}

func checkConsistency(m *memory, old, tree tlog.Tree, random *rand.Rand) error {
	proof, err := tlog.ProveTree(tree.N, old.N, tlog.TileHashReader(tree, tiles{m}))
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("from %d to %d: %w", old.N, tree.N, err)
	}
	result := report{Tool: "x/mod tlog", What: fmt.Sprintf("consistency of %d with %d", old.N, tree.N), Checked: 1}
	for i, hash := range proof {
		eachAltered(hash[:], random, func(altered []byte) {
			bad := slices.Clone(proof)
			bad[i] = tlog.Hash(altered)
			result.Altered++
			if tlog.CheckTree(bad, tree.N, tree.Hash, old.N, old.Hash) != nil {
				result.Refused++
			}
		})
	}
	return result.print()
}

func tlogCommand(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("tlog", flag.ExitOnError)
	dir := flags.String("dir", "", "copy of the log")
	policyPath := flags.String("policy", "", "tlog-policy")
	oldPath := flags.String("old", "", "an older checkpoint")
	samples := flags.Int64("samples", 200, "records to prove")
	seed := flags.Uint64("seed", 1, "of the choice of records and altered bytes")
	flags.Parse(args)
	p, err := readPolicy(*policyPath)
	if err != nil {
		return err
	}
	m, err := readMirror(*dir)
	if err != nil {
		return err
	}
	_, tree, err := p.open(m.files[layout.CheckpointPath])
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	oldNote, err := os.ReadFile(*oldPath)
	if err != nil {
		return err
	}
	_, old, err := p.open(oldNote)
	if err != nil {
		return fmt.Errorf("%s: %w", *oldPath, err)
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	result := report{Tool: "x/mod note, tlog", What: "records in the checkpoint's tree"}
	for i := int64(0); i < min(*samples, tree.N); i++ {
		index := i
		if tree.N > *samples {
			index = random.Int64N(tree.N)
		}
		if err := checkRecord(m, tree, index, random, &result); err != nil {
			return err
		}
	}
	if err := result.print(); err != nil {
		return err
	}
	return checkConsistency(m, old, tree, random)
}
