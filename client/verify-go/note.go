// Checkpoints and policies: signed notes, keys, and whether enough of those whom the reader trusts
// signed (https://c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy).
package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ---- Text: decimals, base64, signed notes, checkpoints --------------------------------------

func decimal(text string, limit uint64) (uint64, bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil && strconv.FormatUint(n, 10) == text && n <= limit
}

// unbase64 takes the one canonical encoding only.
func unbase64(text string) ([]byte, bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	return raw, err == nil && base64.StdEncoding.EncodeToString(raw) == text
}

func unbase64Hash(text string) (h hash, ok bool) {
	raw, ok := unbase64(text)
	return h, copy(h[:], raw) == len(h) && ok && len(raw) == len(h)
}

func isKeyName(name string) bool {
	return name != "" && utf8.ValidString(name) && strings.IndexFunc(name, func(r rune) bool {
		return r < 0x20 || r == 0x7f || r == '+' || unicode.IsSpace(r)
	}) < 0
}

type signature struct {
	name string
	hash uint32
	raw  []byte
}

type checkpoint struct {
	origin string
	size   uint64
	root   hash
	text   string
	lines  []signature
}

func readCheckpoint(note string) (c checkpoint, err error) {
	split := strings.LastIndex(note, "\n\n")
	if len(note) > noteMax || split < 0 || !strings.HasSuffix(note, "\n") || !utf8.ValidString(note) ||
		strings.IndexFunc(note, func(r rune) bool { return r < 0x20 && r != '\n' }) >= 0 {
		return c, malformed("checkpoint: not a signed note in UTF-8")
	}
	c.text = note[:split+1]
	for _, line := range strings.SplitAfter(note[split+2:], "\n") {
		if line == "" && len(c.lines) > 0 { // Behind the last newline.
			break
		}
		part := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		if len(part) != 3 || part[0] != "—" || !isKeyName(part[1]) || len(c.lines) == linesMax {
			return c, malformed("checkpoint: a signature line is a dash, a key name and base64")
		}
		raw, ok := unbase64(part[2])
		if !ok || len(raw) < 5 {
			return c, malformed("checkpoint: a signature is not base64 of a key hash and more")
		}
		c.lines = append(c.lines, signature{part[1], binary.BigEndian.Uint32(raw), raw[4:]})
	}
	line := strings.Split(c.text, "\n")
	if len(line) != 4 || line[0] == "" || strings.Contains(line[0], "\x7f") {
		return c, malformed("checkpoint: not exactly an origin, a size and a root")
	}
	var okSize, okRoot bool
	c.origin = line[0]
	c.size, okSize = decimal(line[1], math.MaxInt64)
	c.root, okRoot = unbase64Hash(line[2])
	if !okSize || !okRoot {
		return c, malformed("checkpoint: bad size or root")
	}
	return c, nil
}

// ---- Policy ---------------------------------------------------------------------------------

type key struct {
	vkeyName, name string // On signature lines; in the policy.
	kind           byte   // 1 log, 4 witness.
	hash           uint32
	public         ed25519.PublicKey
}

type group struct {
	name      string
	threshold uint64
	members   []string
}

type policy struct {
	keys   []key
	groups []group
	quorum string
}

func readKey(text string, kind byte) (k key, err error) {
	part := strings.SplitN(text, "+", 3)
	if len(part) != 3 || !isKeyName(part[0]) {
		return k, fmt.Errorf("a vkey is name+hash+key")
	}
	raw, ok := unbase64(part[2])
	if !ok || len(raw) != 33 || raw[0] != kind {
		return k, fmt.Errorf("not a key of type %d", kind)
	}
	id := sum([]byte(part[0]+"\n"), raw)
	if part[1] != hex.EncodeToString(id[:4]) {
		return k, fmt.Errorf("the key hash is another key's")
	}
	return key{part[0], "", kind, binary.BigEndian.Uint32(id[:]), raw[1:]}, nil
}

func readPolicy(text string) (p policy, err error) {
	if len(text) > policyMax || text != "" && !strings.HasSuffix(text, "\n") {
		return p, fmt.Errorf("policy: too large, or the last line is not ended")
	}
	defined, member, seen, count := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]int{}
	for number, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		bad := func(why string) error { return fmt.Errorf("policy: line %d: %s", number+1, why) }
		for i := 0; i < len(line); i++ {
			if line[i] < 0x20 && line[i] != '\t' || line[i] == 0x7f {
				return p, bad("control character")
			}
		}
		f := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		if count[f[0]]++; count[f[0]] > namesMax {
			return p, bad("too many lines of this kind")
		}
		switch n := len(f); {
		case f[0] == "log" && (n == 2 || n == 3), f[0] == "witness" && (n == 3 || n == 4):
			kind, at := byte(1), 1
			if f[0] == "witness" {
				kind, at = 4, 2
			}
			k, err := readKey(f[at], kind)
			if err != nil {
				return p, bad(err.Error())
			}
			if kind == 4 {
				if k.name = f[1]; k.name == "none" || defined[k.name] {
					return p, bad("defined already: " + k.name)
				}
				defined[k.name] = true
			}
			if id := string(kind) + string(k.public); seen[id] {
				return p, bad("a public key for the second time")
			} else {
				seen[id] = true
			}
			p.keys = append(p.keys, k)
		case f[0] == "group" && n >= 4:
			for _, m := range f[3:] {
				if !defined[m] || member[m] {
					return p, bad("not defined above, or a member already: " + m)
				}
				member[m] = true
			}
			threshold, ok := decimal(f[2], uint64(n-3))
			if f[2] == "any" || f[2] == "all" {
				threshold, ok = map[string]uint64{"any": 1, "all": uint64(n - 3)}[f[2]], true
			}
			if !ok || threshold == 0 || f[1] == "none" || defined[f[1]] {
				return p, bad("bad threshold, or defined already: " + f[1])
			}
			defined[f[1]] = true
			p.groups = append(p.groups, group{f[1], threshold, f[3:]})
		case f[0] == "quorum" && n == 2 && p.quorum == "" && (f[1] == "none" || defined[f[1]]):
			p.quorum = f[1]
		default:
			return p, bad("not a log, witness, group or quorum line that is right here")
		}
	}
	if p.quorum == "" {
		return p, fmt.Errorf("policy: no quorum line")
	}
	return p, nil
}

// epochOf reads the epoch off a validator's key name, "<origin>/v/<org>/<validator>/<epoch>".
func epochOf(origin, name string) (uint64, bool) {
	rest := strings.TrimPrefix(name, origin+"/v/")
	slash := strings.LastIndex(rest, "/")
	if rest == name || slash < 0 {
		return 0, false
	}
	return decimal(rest[slash+1:], math.MaxUint64)
}

func (p *policy) epochs(origin string) (epochs map[uint64]bool, newest uint64) {
	epochs = map[uint64]bool{}
	for _, k := range p.keys {
		if epoch, ok := epochOf(origin, k.vkeyName); ok && k.kind == 4 {
			if epochs[epoch] = true; epoch > newest {
				newest = epoch
			}
		}
	}
	return epochs, newest
}

// verifyLine returns the time of a cosignature; ok is false when the signature is wrong.
func (k *key) verifyLine(text string, s signature) (time uint64, ok bool) {
	if k.kind == 4 {
		if len(s.raw) != 8+64 {
			return 0, false
		}
		time = binary.BigEndian.Uint64(s.raw)
		text = "cosignature/v1\ntime " + strconv.FormatUint(time, 10) + "\n" + text
		s.raw = s.raw[8:]
	}
	return time, time <= math.MaxInt64 && len(s.raw) == 64 && ed25519.Verify(k.public, []byte(text), s.raw)
}

// checkHead decides whether the signatures on a checkpoint satisfy the policy.
func (p *policy) checkHead(c *checkpoint, fact func(string, any)) error {
	signed, witnessed := false, map[string]bool{"none": true}
	var witnesses []string
	for _, k := range p.keys {
		found, latest := false, uint64(0)
		for _, s := range c.lines {
			if s.name != k.vkeyName || s.hash != k.hash {
				continue
			}
			time, ok := k.verifyLine(c.text, s)
			if !ok {
				return refuse("QUORUM_SHORT", "the signature of %s does not verify", k.vkeyName)
			}
			if found = true; time > latest {
				latest = time
			}
		}
		if found && k.kind == 1 && k.vkeyName == c.origin {
			signed = true
		} else if found && k.kind == 4 {
			witnessed[k.name] = true
			witnesses = append(witnesses, fmt.Sprintf("%s %d", escape(k.name), latest))
		}
	}
	if !signed {
		return refuse("QUORUM_SHORT", "no listed log %s signed the checkpoint", c.origin)
	}
	for _, g := range p.groups {
		n := uint64(0)
		for _, m := range g.members {
			if witnessed[m] {
				n++
			}
		}
		witnessed[g.name] = n >= g.threshold
	}
	if !witnessed[p.quorum] {
		listed, _ := p.epochs(c.origin)
		for _, s := range c.lines {
			if epoch, ok := epochOf(c.origin, s.name); ok && len(listed) > 0 && !listed[epoch] {
				return refuse("UNKNOWN_EPOCH", "cosigned in epoch %d, which the policy does not list", epoch)
			}
		}
		return refuse("QUORUM_SHORT", "too few witnesses of %s cosigned: only %v", p.quorum, witnesses)
	}
	fact("origin", escape(c.origin))
	fact("tree_size", c.size)
	fact("root", hex.EncodeToString(c.root[:]))
	for _, w := range witnesses {
		fact("witness", w)
	}
	return nil
}
