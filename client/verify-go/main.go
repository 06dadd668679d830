// Vigil-verify decides offline what a Vigil proof file proves. It is written from the pages
// docs/formats/proof.md and docs/formats.md alone, so that whoever distrusts Vigil's own verifier
// can read this one. docs/decisions/0007 says what it leaves unchecked, and why that is safe.
//
//	vigil-verify FILE --policy POLICY [--epochs CHAIN]   0: VERIFIED, 6: other verdict, 2: usage
//
// A proof file is a C2SP tlog-proof (https://c2sp.org), with a checkpoint that is a signed note:
//
//	c2sp.org/tlog-proof@v1
//	extra <base64>
//	index <decimal>
//	<base64 of a hash>             path from the leaf to the root, RFC 6962 section 2.1.1
//	<empty line>
//	<network>/<genesis hash>       origin
//	<tree size>
//	<base64 of the root>
//	<empty line>
//	— <key name> <base64>          per signature: 4 bytes of key hash, then the signature
//
// The extra, with big-endian numbers; "prefixed" is a u32 length and that many bytes:
//
//	"vigil/proof/v1" 00 | u8 subject: 1 event, 2 record, 3 block | prefixed leaf
//	not for blocks: | public key of the author (32)
//	                | seal of the record's block: u64 index, prefixed leaf, path
//	                | prefixed result, u32 position, u32 count, path to the results root
//	                | seal whose header holds that results root: u64 index, prefixed leaf, path
//	events only:    | u32 item | event leaf hash (32) | path to the items root | prefixed event
//	path:           u8 count, that many hashes
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A refusal is a verdict other than VERIFIED, with the reason for people.
type refusal struct{ verdict, reason string }

// require ends everything with a verdict unless a condition holds: the first step that fails
// decides. Whoever began defers catch.
func require(holds bool, verdict, format string, args ...any) {
	if !holds {
		panic(refusal{verdict, fmt.Sprintf(format, args...)})
	}
}

func catch(refused **refusal) {
	if r := recover(); r != nil {
		refusal := r.(refusal)
		*refused = &refusal
	}
}

type hash [32]byte

func (h hash) String() string   { return hex.EncodeToString(h[:]) }
func sum(parts ...[]byte) hash  { return sha256.Sum256(bytes.Join(parts, nil)) }
func leafHash(leaf []byte) hash { return sum([]byte{0}, leaf) }

// tagged is SHA-256 of a domain tag, one zero byte and the rest.
func tagged(tag string, rest []byte) hash { return sum([]byte(tag), []byte{0}, rest) }

// included decides RFC 6962 inclusion: below the point where the paths of this leaf and of the last
// one part, the index says on which side each sibling is; above it, all siblings are left ones.
func included(index, size uint64, leaf hash, path []hash, root hash) bool {
	inner := bits.Len64(index ^ (size - 1))
	if index >= size || len(path) != inner+bits.OnesCount64(index>>inner) {
		return false
	}
	for i, sibling := range path {
		if i < inner && index>>i&1 == 0 {
			leaf = sum([]byte{1}, leaf[:], sibling[:])
		} else {
			leaf = sum([]byte{1}, sibling[:], leaf[:])
		}
	}
	return leaf == root
}

// A reader takes big-endian numbers and bytes off the front.
type reader struct{ rest []byte }

func (r *reader) take(n uint32) []byte {
	require(uint64(n) <= uint64(len(r.rest)), "MALFORMED", "something in the file ends too early")
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}
func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) hash() hash  { return *(*hash)(r.take(32)) }
func (r *reader) prefixed(limit uint32) []byte {
	size := r.u32()
	require(size <= limit, "MALFORMED", "a part of %d bytes, at most %d", size, limit)
	return r.take(size)
}
func (r *reader) path() (path []hash) {
	for count := r.u8(); count > 0; count-- {
		path = append(path, r.hash())
	}
	require(len(path) <= 63, "MALFORMED", "a path of %d hashes", len(path))
	return path
}

// A leaf with its place in the tree.
type leaf struct {
	index uint64
	bytes []byte
	path  []hash
}

func (r *reader) seal() leaf {
	s := leaf{r.u64(), r.prefixed(400), r.path()}
	require(len(s.bytes) == 400, "MALFORMED", "a seal of %d bytes", len(s.bytes))
	return s
}

func decimal(text string, limit uint64) (uint64, bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil && strconv.FormatUint(n, 10) == text && n <= limit
}

// unbase64 takes the one canonical encoding only.
func unbase64(text string) ([]byte, bool) {
	raw, err := base64.StdEncoding.DecodeString(text)
	return raw, err == nil && base64.StdEncoding.EncodeToString(raw) == text
}

func unbase64Hash(text string) hash {
	raw, ok := unbase64(text)
	require(ok && len(raw) == 32, "MALFORMED", "a line that should be a hash is none")
	return *(*hash)(raw)
}

type signature struct {
	name string
	hash uint32
	raw  []byte
}

type checkpoint struct {
	origin, text string
	size         uint64
	root         hash
	lines        []signature
}

func readCheckpoint(note string) (c checkpoint) {
	split := strings.LastIndex(note, "\n\n")
	require(len(note) <= 1<<20 && split >= 0 && strings.HasSuffix(note, "\n") && utf8.ValidString(note) &&
		strings.IndexFunc(note, func(r rune) bool { return r < 0x20 && r != '\n' }) < 0,
		"MALFORMED", "the checkpoint is no signed note in UTF-8")
	c.text = note[:split+1]
	for _, line := range strings.Split(strings.TrimSuffix(note[split+2:], "\n"), "\n") {
		part := strings.Split(line, " ")
		require(len(part) == 3 && part[0] == "—" && part[1] != "" && !strings.ContainsAny(part[1], "+\x7f"), "MALFORMED", "not a signature line")
		raw, ok := unbase64(part[2])
		require(ok && len(raw) > 4 && len(c.lines) < 128, "MALFORMED", "a signature too short, or too many")
		c.lines = append(c.lines, signature{part[1], binary.BigEndian.Uint32(raw), raw[4:]})
	}
	line := strings.Split(c.text, "\n")
	require(len(line) == 4 && line[0] != "" && !strings.Contains(line[0], "\x7f"), "MALFORMED", "not origin, size and root")
	size, ok := decimal(line[1], math.MaxInt64)
	require(ok, "MALFORMED", "bad tree size")
	c.origin, c.size, c.root = line[0], size, unbase64Hash(line[2])
	return c
}

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

// readKey takes a vkey, "name+hash+key".
func readKey(text string, kind byte, name string) key {
	part := append(strings.SplitN(text, "+", 3), "", "")
	raw, ok := unbase64(part[2])
	require(ok && len(raw) == 33 && raw[0] == kind, "POLICY", "not a vkey of type %d: %s", kind, text)
	id := sum([]byte(part[0]+"\n"), raw)
	require(part[1] == hex.EncodeToString(id[:4]), "POLICY", "the key hash is another key's: %s", text)
	return key{part[0], name, kind, binary.BigEndian.Uint32(id[:]), raw[1:]}
}

func readPolicy(text string) (p policy, refused *refusal) {
	defer catch(&refused)
	require(len(text) <= 1<<20 && strings.HasSuffix(text, "\n"), "POLICY", "too large, or the last line is not ended")
	seen := map[string]bool{"name none": true}
	first := func(what string) bool { // Names, keys and members come once.
		was := seen[what]
		seen[what] = true
		return !was
	}
	for _, line := range strings.Split(text, "\n") {
		f := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		switch n := len(f); {
		case f[0] == "log" && (n == 2 || n == 3):
			p.keys = append(p.keys, readKey(f[1], 1, ""))
			require(first("log "+f[1][strings.LastIndex(f[1], "+"):]), "POLICY", "for the second time: %s", line)
		case f[0] == "witness" && (n == 3 || n == 4):
			p.keys = append(p.keys, readKey(f[2], 4, f[1]))
			require(first("name "+f[1]) && first("key "+f[2][strings.LastIndex(f[2], "+"):]), "POLICY", "for the second time: %s", line)
		case f[0] == "group" && n >= 4:
			if word := map[string]string{"any": "1", "all": strconv.Itoa(n - 3)}[f[2]]; word != "" {
				f[2] = word
			}
			threshold, ok := decimal(f[2], uint64(n-3))
			for _, m := range f[3:] {
				ok = ok && m != "none" && seen["name "+m] && first("member "+m)
			}
			require(ok && threshold > 0 && first("name "+f[1]), "POLICY", "threshold, name or member that is not right: %s", line)
			p.groups = append(p.groups, group{f[1], threshold, f[3:]})
		default:
			require(f[0] == "quorum" && n == 2 && p.quorum == "" && seen["name "+f[1]], "POLICY", "not right there: %s", line)
			p.quorum = f[1]
		}
	}
	require(p.quorum != "", "POLICY", "no quorum line")
	return p, nil
}

// signed says whether the key has a line, all of which have to verify, and the time of its last cosignature.
func (k *key) signed(c *checkpoint) (found bool, latest uint64) {
	for _, s := range c.lines {
		if s.name != k.vkeyName || s.hash != k.hash {
			continue
		}
		text, raw, time := c.text, s.raw, uint64(0)
		if k.kind == 4 && len(raw) == 8+64 {
			time, raw = binary.BigEndian.Uint64(raw), raw[8:]
			text = fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
		}
		require(len(raw) == 64 && (k.kind == 1) == (len(s.raw) == 64) && time <= math.MaxInt64 &&
			ed25519.Verify(k.public, []byte(text), raw), "QUORUM_SHORT", "the signature of %s does not verify", k.vkeyName)
		if found = true; time > latest {
			latest = time
		}
	}
	return found, latest
}

// checkHead decides whether the signatures on a checkpoint satisfy the policy.
func (p *policy) checkHead(c *checkpoint, fact func(string, any)) {
	byLog, witnessed, witnesses := false, map[string]bool{"none": true}, []string{}
	for _, k := range p.keys {
		if found, latest := k.signed(c); found && k.kind == 1 {
			byLog = byLog || k.vkeyName == c.origin
		} else if found {
			witnessed[k.name] = true
			witnesses = append(witnesses, fmt.Sprintf("%s %d", k.name, latest))
		}
	}
	require(byLog, "QUORUM_SHORT", "no listed log %s signed the checkpoint", c.origin)
	for _, g := range p.groups {
		count := uint64(0)
		for _, m := range g.members {
			if witnessed[m] {
				count++
			}
		}
		witnessed[g.name] = count >= g.threshold
	}
	require(witnessed[p.quorum], "QUORUM_SHORT", "too few witnesses of %s cosigned: only %v", p.quorum, witnesses)
	fact("origin", c.origin)
	fact("tree_size", c.size)
	fact("root", c.root)
	for _, w := range witnesses {
		fact("witness", w)
	}
}

// A proof is a file taken apart, and what has been established about it.
type proof struct {
	fact                     func(name string, value any)
	head                     checkpoint
	chainID                  hash
	subject, block, covering leaf
	authorKey, result, event []byte
	position, count, item    uint32
	resultPath, eventPath    []hash
	eventLeaf                hash
}

func (p *proof) requireInTree(what string, l leaf) {
	require(included(l.index, p.head.size, leafHash(l.bytes), l.path, p.head.root), "NOT_INCLUDED",
		"%s: leaf %d of %d does not lead to the root", what, l.index, p.head.size)
}

// goodSeal takes a seal in the tree, which has to close a block of this chain.
func (p *proof) goodSeal(l leaf) (height, executedHeight, first uint64, resultsRoot []byte) {
	require(len(l.bytes) == 400 && bytes.HasPrefix(l.bytes, []byte{1, 25, 0, 0, 1, 138, 0, 1}), "MALFORMED", "not a seal")
	header, tail := l.bytes[6:356], reader{l.bytes[388:]}
	at := func(offset int) uint64 { return binary.BigEndian.Uint64(header[offset:]) }
	require(bytes.Equal(header[2:34], p.chainID[:]), "NOT_INCLUDED", "the seal at %d is of another chain", l.index)
	first, count := tail.u64(), uint64(tail.u32())
	require(first <= l.index && l.index-first == count, "NOT_INCLUDED", "the seal at %d closes other records", l.index)
	return at(50), at(130), first, header[170:202]
}

func (p *proof) blockFacts(l leaf) {
	header := l.bytes[6:356]
	p.fact("block_height", binary.BigEndian.Uint64(header[50:]))
	p.fact("block_hash", tagged("vigil/header/v1", header))
	p.fact("block_time_unix_ms", binary.BigEndian.Uint64(header[338:]))
}

// verify runs the steps of docs/formats/proof.md, section Verification, and reports facts as they
// are proven. It returns nil when all of them hold. checkHead is a policy's, or judge of epochs.
func verify(checkHead func(*checkpoint, func(string, any)), file []byte, fact func(name string, value any)) (refused *refusal) {
	defer catch(&refused)
	p := &proof{fact: fact}
	extra := p.readFile(string(file))      // Steps 1 and 2.
	checkHead(&p.head, fact)               // Steps 3 and 4.
	p.chainID = chainID(p.head.origin)     // Step 5.
	subject := p.readExtra(&reader{extra}) // Step 6.
	fact("subject", []string{"event", "record", "block"}[subject-1])
	p.requireInTree("leaf", p.subject) // Step 7.
	if subject == 3 {                  // Step 8 of a block.
		p.goodSeal(p.subject)
		p.blockFacts(p.subject)
		return nil
	}
	numbers, texts := p.checkRecord(subject == 1)
	p.checkBlockAndResult()
	if subject == 1 {
		p.checkEvent(numbers[5], texts[6])
	}
	return nil
}

func (p *proof) readFile(text string) (extra []byte) {
	top, note, found := strings.Cut(text, "\n\n")
	line := append(strings.Split(top, "\n"), "", "")
	require(found && len(text) <= 4<<20 && line[0] == "c2sp.org/tlog-proof@v1", "MALFORMED", "not a tlog-proof")
	line, ok := line[1:len(line)-1], true
	if strings.HasPrefix(line[0], "extra ") {
		extra, ok = unbase64(line[0][6:])
		require(ok && len(extra) > 0 && len(extra) <= 2<<20, "MALFORMED", "bad extra line")
		line = line[1:]
	}
	require(strings.HasPrefix(line[0], "index ") && len(line) <= 65, "MALFORMED", "no index line, or too many hashes")
	p.subject.index, ok = decimal(line[0][6:], math.MaxInt64)
	for _, l := range line[1 : len(line)-1] {
		p.subject.path = append(p.subject.path, unbase64Hash(l))
	}
	p.head = readCheckpoint(note)
	require(ok && p.subject.index < p.head.size, "MALFORMED", "bad index in a tree of %d", p.head.size)
	return extra
}

func (p *proof) readExtra(r *reader) (subject byte) {
	tag, subject := string(r.take(15)), r.u8()
	require(tag == "vigil/proof/v1\x00" && subject >= 1 && subject <= 3, "MALFORMED", "the extra line is no vigil/proof/v1")
	p.subject.bytes = r.prefixed(32 << 10)
	if subject != 3 {
		p.authorKey, p.block = r.take(32), r.seal()
		p.result, p.position, p.count, p.resultPath = r.prefixed(1<<20), r.u32(), r.u32(), r.path()
		require(p.position < p.count && p.count <= 1<<20, "MALFORMED", "result %d of %d", p.position, p.count)
		p.covering = r.seal()
	}
	if subject == 1 {
		p.item, p.eventLeaf, p.eventPath, p.event = r.u32(), r.hash(), r.path(), r.prefixed(24<<10)
	}
	require(len(r.rest) == 0, "MALFORMED", "the extra ends too late")
	return subject
}

// Names of the kinds of records that this version admits.
var kinds = strings.Split(" event_batch heartbeat gap stream_reset alert attestation triage model_commitment fault_proof proposal ballot", " ")

func (p *proof) checkRecord(isEvent bool) (numbers map[uint64]uint64, texts map[uint64][]byte) {
	r := &reader{p.subject.bytes} // Step 8.
	version, kind, content := r.u8(), r.u8(), r.prefixed(32<<10)
	signature := r.take(ed25519.SignatureSize)
	require(version == 1 && int(kind) < len(kinds) && kinds[kind] != "" && len(r.rest) == 0, "MALFORMED", "not an admitted record")
	require(kind == 1 || !isEvent, "MALFORMED", "a record of kind %s has no events", kinds[kind])
	numbers, texts = readMessage(content)
	id := tagged("vigil/key/v1", p.authorKey) // Step 9.
	require(bytes.Equal(id[:16], texts[1]), "MALFORMED", "the author's key is not the one that the record names")
	text := bytes.Join([][]byte{[]byte("vigil/record/v1\x00"), {kind}, p.chainID[:], content}, nil)
	require(ed25519.Verify(p.authorKey, text, signature), "MALFORMED", "not signed by the author for this chain")
	p.fact("index", p.subject.index)
	p.fact("kind", kinds[kind])
	p.fact("author_key", *(*hash)(p.authorKey))
	return numbers, texts
}

func (p *proof) checkBlockAndResult() {
	p.requireInTree("seal of the block", p.block) // Step 10.
	height, _, first, _ := p.goodSeal(p.block)
	require(p.subject.index >= first && p.subject.index < p.block.index, "NOT_INCLUDED", "not in block %d", height)
	p.blockFacts(p.block)
	p.requireInTree("seal over the result", p.covering) // Step 11.
	later, executed, _, root := p.goodSeal(p.covering)
	require(executed >= height && later > height, "NOT_INCLUDED", "block %d does not cover block %d", later, height)
	isResult := included(uint64(p.position), uint64(p.count), leafHash(p.result), p.resultPath, *(*hash)(root)) // Step 12.
	require(isResult, "NOT_INCLUDED", "the result does not lead to the results root in block %d", later)
	r := &reader{p.result} // What follows the signer, the effects, is not read.
	index, code, signer := r.u64(), r.u8(), r.prefixed(129)
	require(code >= 1 && code <= 9, "MALFORMED", "bad result")
	require(index == p.subject.index, "NOT_INCLUDED", "the result is of record %d", index)
	name := strings.Fields("ok duplicate conflict permission_denied gapped not_found stale already_exists invalid")[code-1]
	p.fact("result", name)
	p.fact("signer", string(signer))
	require(code == 1, "NOT_INCLUDED", "the record is in the log, but its result is %s", name)
}

func (p *proof) checkEvent(itemCount uint64, itemsRoot []byte) { // Steps 13 to 15.
	root := &reader{itemsRoot}
	isItem := included(uint64(p.item), itemCount, p.eventLeaf, p.eventPath, root.hash())
	require(isItem, "PAYLOAD_MISMATCH", "event %d of %d does not lead to the items root of the batch", p.item, itemCount)
	require(len(p.event) == 0 || leafHash(p.event) == p.eventLeaf, "PAYLOAD_MISMATCH", "the bytes are not those of event %d", p.item)
	p.fact("item", p.item)
	require(len(p.event) > 0, "PAYLOAD_MISSING", "the bytes of event %d are not in the file", p.item)
	numbers, texts := readMessage(p.event)
	p.fact("event_time_unix_ns", numbers[3])
	p.fact("event_source", string(texts[9]))
}

// readMessage takes a protobuf message apart: numbers and bytes by tag, of a repeated one the last.
func readMessage(raw []byte) (numbers map[uint64]uint64, texts map[uint64][]byte) {
	numbers, texts = map[uint64]uint64{}, map[uint64][]byte{}
	r, last := &reader{raw}, uint64(1)
	varint := func() uint64 {
		n, size := binary.Uvarint(r.rest)
		require(size > 0, "MALFORMED", "a message ends too early, or a number is too large")
		r.take(uint32(size))
		return n
	}
	for len(r.rest) > 0 {
		tagAndType := varint()
		tag := tagAndType >> 3
		require(tag >= last, "MALFORMED", "field %d does not belong there", tag)
		switch last = tag; tagAndType & 7 {
		case 0:
			numbers[tag] = varint()
		case 1:
			numbers[tag] = binary.LittleEndian.Uint64(r.take(8))
		default:
			texts[tag] = r.take(uint32(varint()))
		}
	}
	return numbers, texts
}

// show writes text of others so that it cannot steer a terminal.
func show(name string, value any) {
	fmt.Printf("%s: %s\n", name, strings.Trim(strconv.QuoteToASCII(fmt.Sprint(value)), `"`))
}

func main() {
	arg := os.Args
	if (len(arg) != 4 && (len(arg) != 6 || arg[4] != "--epochs")) || arg[2] != "--policy" {
		usage()
	}
	file, err := os.ReadFile(arg[1])
	policyText, err2 := os.ReadFile(arg[3])
	pol, bad := readPolicy(string(policyText))
	if err != nil || err2 != nil || bad != nil {
		usage("file:", err, "policy:", err2, bad)
	}
	checkHead := pol.checkHead
	if len(arg) == 6 {
		checkHead = withEpochs(pol, arg[5])
	}
	if bad = verify(checkHead, file, show); bad != nil {
		fmt.Printf("%s: %s\n", bad.verdict, strconv.QuoteToASCII(bad.reason))
		os.Exit(6)
	}
	fmt.Println("VERIFIED")
}
