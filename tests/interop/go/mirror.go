package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
)

// Partial tiles go once the full ones are there, so a copy of a growing log may have to begin
// again with a newer checkpoint. A log that outruns this many beginnings is not copied.
const beginningsMax = 20

const bundles = -1 // The level of entry bundles, which have no number.

// forEachResource calls f for every tile and bundle of a tree of `size` leaves.
func forEachResource(size uint64, f func(level int, index uint64, width uint8) error) error {
	for level, count := -1, size; count > 0; level++ {
		for index := uint64(0); index*layout.TileWidth < count; index++ {
			width := uint8(0)
			if (index+1)*layout.TileWidth > count {
				width = uint8(count % layout.TileWidth)
			}
			if err := f(level, index, width); err != nil {
				return err
			}
		}
		if level >= 0 { // Bundles and tiles of level 0 both stand over the leaves.
			count /= layout.TileWidth
		}
	}
	return nil
}

func resourcePath(level int, index uint64, width uint8) string {
	if level == bundles {
		return layout.EntriesPath(index, width)
	}
	return layout.TilePath(uint64(level), index, width)
}

func writeFile(path string, bytes []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, bytes, 0o644)
}

// trimmed is the partial tile or bundle in what was served: the full one, once the partial one is
// gone.
func trimmed(level int, width uint8, bytes []byte) ([]byte, error) {
	if width == 0 {
		return bytes, nil
	}
	end := int(width) * sha256.Size
	if level == bundles {
		var parsed api.EntryBundle
		if err := parsed.UnmarshalText(bytes); err != nil {
			return nil, err
		}
		if end = 0; len(parsed.Entries) >= int(width) {
			for _, entry := range parsed.Entries[:width] {
				end += 2 + len(entry) // A u16 with the length stands before each.
			}
		}
	}
	if end == 0 || end > len(bytes) {
		return nil, fmt.Errorf("%d bytes are not %d leaves or hashes", len(bytes), width)
	}
	return bytes[:end], nil
}

// sizeOf reads the size off a checkpoint whose signatures are checked by whoever uses the copy.
func sizeOf(checkpoint []byte) (uint64, error) {
	var parsed log.Checkpoint
	if _, err := parsed.Unmarshal(checkpoint); err != nil {
		return 0, err
	}
	return parsed.Size, nil
}

// copyLog copies the checkpoint that is served now and what belongs to it. os.ErrNotExist: the log
// grew meanwhile.
func copyLog(ctx context.Context, from *client.HTTPFetcher, dir string) (files int, size uint64, err error) {
	checkpoint, err := from.ReadCheckpoint(ctx)
	if err != nil {
		return 0, 0, err
	}
	if size, err = sizeOf(checkpoint); err != nil {
		return 0, 0, err
	}
	err = forEachResource(size, func(level int, index uint64, width uint8) error {
		path := filepath.Join(dir, resourcePath(level, index, width))
		files++
		if _, err := os.Stat(path); err == nil && width == 0 {
			return nil // Full ones never change.
		}
		read := func() ([]byte, error) {
			if level == bundles {
				return from.ReadEntryBundle(ctx, index, width)
			}
			return from.ReadTile(ctx, uint64(level), index, width)
		}
		bytes, err := read()
		if err != nil {
			return err
		}
		if bytes, err = trimmed(level, width, bytes); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return writeFile(path, bytes)
	})
	if err != nil {
		return 0, 0, err
	}
	return files, size, writeFile(filepath.Join(dir, layout.CheckpointPath), checkpoint)
}

func mirrorCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("mirror", flag.ExitOnError)
	base := flags.String("url", "", "the log")
	dir := flags.String("dir", "", "folder of the copy")
	flags.Parse(args)
	root, err := url.Parse(*base)
	if err != nil {
		return err
	}
	from, err := client.NewHTTPFetcher(root, nil)
	if err != nil {
		return err
	}
	for beginning := 1; ; beginning++ {
		files, size, err := copyLog(ctx, from, *dir)
		if err == nil {
			return report{Tool: "tessera client", What: fmt.Sprintf("copied %d leaves", size), Checked: files}.print()
		}
		if !errors.Is(err, os.ErrNotExist) || beginning == beginningsMax {
			return err
		}
	}
}

// memory is a log held in memory, for copies of it with one byte altered.
type memory struct {
	files map[string][]byte
	size  uint64
}

func readMirror(dir string) (*memory, error) {
	m := &memory{files: map[string][]byte{}}
	checkpoint, err := os.ReadFile(filepath.Join(dir, layout.CheckpointPath))
	if err != nil {
		return nil, err
	}
	if m.size, err = sizeOf(checkpoint); err != nil {
		return nil, err
	}
	m.files[layout.CheckpointPath] = checkpoint
	return m, forEachResource(m.size, func(level int, index uint64, width uint8) error {
		path := resourcePath(level, index, width)
		bytes, err := os.ReadFile(filepath.Join(dir, path))
		m.files[path] = bytes
		return err
	})
}

func (m *memory) read(path string) ([]byte, error) {
	if bytes, ok := m.files[path]; ok {
		return bytes, nil
	}
	return nil, fmt.Errorf("%s: %w", path, os.ErrNotExist)
}

func (m *memory) ReadCheckpoint(context.Context) ([]byte, error) {
	return m.read(layout.CheckpointPath)
}

func (m *memory) ReadTile(_ context.Context, level, index uint64, width uint8) ([]byte, error) {
	return m.read(layout.TilePath(level, index, width))
}

func (m *memory) ReadEntryBundle(_ context.Context, index uint64, width uint8) ([]byte, error) {
	return m.read(layout.EntriesPath(index, width))
}
