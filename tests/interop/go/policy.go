package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A policy is a C2SP tlog-policy: who may sign as the log, who cosigns, and how many are enough.
type policy struct {
	logs    []note.Verifier
	all     note.Verifiers
	quorum  witness.Group
	lines   int // Of logs and witnesses.
	origins map[string]bool
}

// readPolicy reads the keys off the lines and gives the whole to formats/witness. That demands a
// URL of every witness, which the specification makes optional, so one is put where none stands.
func readPolicy(path string) (*policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &policy{origins: map[string]bool{}}
	var verifiers []note.Verifier
	var complete strings.Builder
	for _, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 2 && fields[0] == "log":
			key, err := note.NewVerifier(fields[1])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", fields[1], err)
			}
			p.logs = append(p.logs, key)
			p.origins[key.Name()] = true
			verifiers = append(verifiers, key)
		case len(fields) >= 3 && fields[0] == "witness":
			key, err := f_note.NewVerifierForCosignatureV1(fields[2])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", fields[2], err)
			}
			verifiers = append(verifiers, key)
			if len(fields) == 3 {
				line += " https://none.invalid/"
			}
		}
		complete.WriteString(line + "\n")
	}
	if p.quorum, err = witness.ParsePolicy([]byte(complete.String())); err != nil {
		return nil, err
	}
	p.all = note.VerifierList(verifiers...)
	p.lines = len(verifiers)
	return p, nil
}

// open is what a checkpoint says, if a log key of the policy signed it and the quorum cosigned it.
func (p *policy) open(checkpoint []byte) (*note.Note, tlog.Tree, error) {
	opened, err := note.Open(checkpoint, p.all)
	if err != nil {
		return nil, tlog.Tree{}, err
	}
	if !p.quorum.Satisfied(checkpoint) {
		return nil, tlog.Tree{}, errors.New("the quorum is not reached")
	}
	origin, rest, _ := strings.Cut(opened.Text, "\n")
	sizeLine, rest, _ := strings.Cut(rest, "\n")
	rootLine, rest, _ := strings.Cut(rest, "\n")
	root, err := base64.StdEncoding.DecodeString(rootLine)
	if err != nil || rest != "" || len(root) != tlog.HashSize {
		return nil, tlog.Tree{}, errors.New("not a checkpoint of three lines")
	}
	tree := tlog.Tree{Hash: tlog.Hash(root)}
	if _, err := fmt.Sscanf(sizeLine+"\n", "%d\n", &tree.N); err != nil {
		return nil, tlog.Tree{}, err
	}
	for _, line := range opened.Sigs {
		if line.Name == origin && p.origins[origin] {
			return opened, tree, nil
		}
	}
	return nil, tlog.Tree{}, errors.New("no key of the log signed")
}

// decodeSignature is a signature line's value without the bits of base64 that mean nothing.
func decodeSignature(text string) (string, error) {
	value, err := base64.StdEncoding.DecodeString(text)
	return string(value), err
}
