package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sort"

	"github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/tlog"
)

const extraTag = "vigil/proof/v1\x00"

// leafOf is the leaf in the extra of one of Vigil's proofs (docs/formats/proof.md).
func leafOf(extra []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(extra, []byte(extraTag))
	if !ok || len(rest) < 5 {
		return nil, errors.New("the extra is not Vigil's")
	}
	size := binary.BigEndian.Uint32(rest[1:])
	if uint64(size) > uint64(len(rest)-5) {
		return nil, errors.New("the extra ends in its leaf")
	}
	return rest[5 : 5+size], nil
}

// facts are everything that stock tools read off a proof.
type facts struct {
	index  uint64
	hashes [][32]byte
	leaf   []byte
	text   string
	lines  []string // Names and values of the signatures that verified.
	others int      // Lines of keys that the policy does not have.
	extra  []byte
}

func (a facts) sameButExtra(b facts) bool {
	return a.index == b.index && slices.Equal(a.hashes, b.hashes) && bytes.Equal(a.leaf, b.leaf) &&
		a.text == b.text && slices.Equal(a.lines, b.lines)
}

// checkProof is a verifier put together from stock parts. `leaf` is nil for proofs that carry it.
func checkProof(p *policy, file, leaf []byte) (facts, error) {
	var parsed proof.TLogProof
	if err := parsed.Unmarshal(file); err != nil {
		return facts{}, err
	}
	if leaf == nil {
		var err error
		if leaf, err = leafOf(parsed.ExtraData); err != nil {
			return facts{}, err
		}
	}
	opened, tree, err := p.open(parsed.Checkpoint)
	if err != nil {
		return facts{}, err
	}
	var path tlog.RecordProof
	for _, hash := range parsed.Hashes {
		path = append(path, tlog.Hash(hash))
	}
	if parsed.Index >= uint64(tree.N) {
		return facts{}, errors.New("the index is outside the tree")
	}
	if err := tlog.CheckRecord(path, tree.N, tree.Hash, int64(parsed.Index), tlog.RecordHash(leaf)); err != nil {
		return facts{}, err
	}
	found := facts{index: parsed.Index, hashes: parsed.Hashes, leaf: leaf, text: opened.Text,
		others: len(opened.UnverifiedSigs), extra: parsed.ExtraData}
	for _, line := range opened.Sigs {
		value, err := decodeSignature(line.Base64)
		if err != nil {
			return facts{}, err
		}
		found.lines = append(found.lines, line.Name+" "+value)
	}
	sort.Strings(found.lines)
	return found, nil
}

// sweep alters each byte of a proof file in turn. Whoever alters the name on a line makes it one of
// an unknown key, which verifiers pass over; to have every byte count, such lines are refused here.
func sweep(p *policy, file, leaf []byte, good facts, random *rand.Rand, result *report) {
	eachAltered(file, random, func(altered []byte) {
		result.Altered++
		found, err := checkProof(p, altered, leaf)
		switch {
		case err != nil || found.others > 0:
			result.Refused++
		case !found.sameButExtra(good): // Counted nowhere, so print() fails.
		case bytes.Equal(found.extra, good.extra):
			result.Same++
		default:
			result.Unread++
		}
	})
}

// checkOthers demands that a proof verifies under the policy `demanding` and not under `refusing`.
// An empty path asks nothing.
func checkOthers(demanding, refusing string, file, leaf []byte) error {
	for _, path := range []string{demanding, refusing} {
		if path == "" {
			continue
		}
		p, err := readPolicy(path)
		if err != nil {
			return err
		}
		if _, err := checkProof(p, file, leaf); (err == nil) != (path == demanding) {
			return fmt.Errorf("under %s: %v", path, err)
		}
	}
	return nil
}

func proofCommand(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("proof", flag.ExitOnError)
	policyPath := flags.String("policy", "", "tlog-policy")
	leafPath := flags.String("leaf", "", "the leaf, if the proofs do not carry it")
	demand := flags.String("demanding", "", "another policy under which each proof must verify")
	refuse := flags.String("refusing", "", "a policy under which each proof must not verify")
	leaves := flags.Bool("leaves", false, "write the leaf of each proof beside it")
	seed := flags.Uint64("seed", 1, "of the alterations")
	flags.Parse(args)
	p, err := readPolicy(*policyPath)
	if err != nil {
		return err
	}
	var leaf []byte
	if *leafPath != "" {
		if leaf, err = os.ReadFile(*leafPath); err != nil {
			return err
		}
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	result := report{Tool: "formats proof, witness", What: fmt.Sprintf("tlog-proof under a policy of %d keys", p.lines)}
	for _, path := range flags.Args() {
		file, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		good, err := checkProof(p, file, leaf)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		result.Checked++
		if good.others > 0 {
			return fmt.Errorf("%s: %d lines of keys that %s does not have", path, good.others, *policyPath)
		}
		if err := checkOthers(*demand, *refuse, file, leaf); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if *leaves {
			if err := os.WriteFile(path+".leaf", good.leaf, 0o644); err != nil {
				return err
			}
		}
		sweep(p, file, leaf, good, random, &result)
	}
	return result.print()
}

// proveCommand writes a tlog-proof and its leaf beside it, with nothing of Vigil's in it.
func proveCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("prove", flag.ExitOnError)
	dir := flags.String("dir", "", "copy of the log")
	index := flags.Uint64("index", 0, "of the record")
	out := flags.String("out", "", "proof to write; the leaf goes into the same name with .leaf")
	flags.Parse(args)
	m, err := readMirror(*dir)
	if err != nil {
		return err
	}
	builder, err := client.NewProofBuilder(ctx, m.size, m.ReadTile)
	if err != nil {
		return err
	}
	path, err := builder.InclusionProof(ctx, *index)
	if err != nil {
		return err
	}
	made := proof.TLogProof{Index: *index, Checkpoint: m.files[layout.CheckpointPath]}
	for _, hash := range path {
		made.Hashes = append(made.Hashes, [32]byte(hash))
	}
	leaf, err := m.leaf(*index)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*out+".leaf", leaf, 0o644); err != nil {
		return err
	}
	return os.WriteFile(*out, made.Marshal(), 0o644)
}

// checkpointCommand checks a checkpoint's log signature and cosignatures under two policies.
func checkpointCommand(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("checkpoint", flag.ExitOnError)
	policyPath := flags.String("policy", "", "tlog-policy with every key that signed")
	demand := flags.String("demanding", "", "another policy that it must satisfy")
	seed := flags.Uint64("seed", 1, "of the alterations")
	flags.Parse(args)
	file, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	p, err := readPolicy(*policyPath)
	if err != nil {
		return err
	}
	demanding, err := readPolicy(*demand)
	if err != nil {
		return err
	}
	if _, _, err := demanding.open(file); err != nil {
		return fmt.Errorf("under %s: %w", *demand, err)
	}
	good, tree, err := p.open(file)
	if err != nil {
		return err
	}
	result := report{Tool: "x/mod, formats note", What: fmt.Sprintf("checkpoint with %d lines", len(good.Sigs)), Checked: 1}
	eachAltered(file, rand.New(rand.NewPCG(*seed, 0)), func(altered []byte) {
		result.Altered++
		opened, changed, err := p.open(altered)
		if err != nil || len(opened.UnverifiedSigs) > 0 {
			result.Refused++
		} else if opened.Text == good.Text && changed == tree && len(opened.Sigs) == len(good.Sigs) {
			result.Same++
		}
	})
	return result.print()
}
