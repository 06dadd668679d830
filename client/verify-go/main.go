// Vigil-verify decides offline what a Vigil proof file proves, for whoever distrusts Vigil's own
// verifier. Each part names the page it is written from; docs/decisions/0007 says what is left out.
//
//	vigil-verify FILE --policy POLICY [--epochs CHAIN]   0: VERIFIED, 6: other verdict, 2: usage
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// A refusal is a verdict other than VERIFIED, with the reason: docs/formats/proof.md, Verdicts.
type refusal struct{ verdict, reason string }

// require refuses unless a condition holds. The first step that fails decides.
func require(holds bool, verdict, format string, args ...any) {
	if !holds {
		panic(&refusal{verdict, fmt.Sprintf(format, args...)})
	}
}

func must[T any](value T, err error) T {
	require(err == nil, "MALFORMED", "%v", err)
	return value
}

func attempt(steps func()) (refused *refusal) {
	defer func() {
		if r := recover(); r != nil {
			refused = r.(*refusal)
		}
	}()
	steps()
	return nil
}

// A cursor takes big-endian numbers and bytes off the front: docs/formats.md, Conventions.
type cursor []byte

func (c *cursor) take(size uint64) cursor {
	taken := (*c)[:upTo(uint64(len(*c)), size)]
	*c = (*c)[size:]
	return taken
}
func (c *cursor) u8() uint64                   { return uint64(c.take(1)[0]) }
func (c *cursor) u32() uint64                  { return uint64(binary.BigEndian.Uint32(c.take(4))) }
func (c *cursor) u64() uint64                  { return binary.BigEndian.Uint64(c.take(8)) }
func (c *cursor) hash() hash                   { return *(*hash)(c.take(32)) }
func (c *cursor) prefixed(limit uint64) cursor { return c.take(upTo(limit, c.u32())) }
func (c *cursor) ReadByte() (byte, error)      { return byte(c.u8()), nil }
func (c *cursor) varint() uint64               { return must(binary.ReadUvarint(c)) }
func (c *cursor) end()                         { upTo(0, uint64(len(*c))) }
func upTo(limit, n uint64) uint64 {
	require(n <= limit, "MALFORMED", "%d bytes or parts where %d may be", n, limit)
	return n
}

// Hashes and trees: docs/formats.md, Conventions and Domain tags.
type hash [32]byte

// A leaf with its place in a tree, and the hashes on the path from there to the root.
type leaf struct {
	index       uint64
	bytes, path cursor
}

func sum(parts ...[]byte) hash { return sha256.Sum256(bytes.Join(parts, nil)) }
func (l *leaf) hash() hash     { return sum([]byte{0}, l.bytes) }

// leads decides RFC 6962 inclusion: below the point where the paths of this leaf and of the last
// one part, the index says on which side each sibling is; above it, all siblings are left ones.
func (l *leaf) leads(from hash, size uint64, root hash) bool {
	inner, path := bits.Len64(l.index^(size-1)), l.path
	if l.index >= size || len(path) != 32*(inner+bits.OnesCount64(l.index>>inner)) {
		return false
	}
	for i := 0; len(path) > 0; i++ {
		if sibling := path.take(32); i < inner && l.index>>i&1 == 0 {
			from = sum([]byte{1}, from[:], sibling)
		} else {
			from = sum([]byte{1}, sibling, from[:])
		}
	}
	return from == root
}

// Texts: docs/formats.md, Checkpoint, Policy and Proof. Numbers and bytes are written in one way.
const (
	number    = `(0|[1-9][0-9]*)`
	hashLine  = `([^\s=]{43}=)\n`
	signature = `— ([^+\pZ\x00-\x1f\x7f\x{85}]+) (\S+)\n` // Key name; 4 bytes of key hash, signature.
	vkey      = `(([^+ ]+)\+[0-9a-f]{8})\+([^\s=]{44})`   // Key name, key hash; kind and public key.
	address   = `([!-+\--~]+:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?`
)

var (
	checkpointForm = regexp.MustCompile(`^(([^\x00-\x1f\x7f]+)\n` + number + `\n` + hashLine + `)\n((?:` + signature + `)+)$`)
	signatureForm  = regexp.MustCompile(signature)
	rowForm        = regexp.MustCompile(`(?m)^[ \t]*[^# \t\n].*$`) // Neither empty nor a comment.
	policyForm     = regexp.MustCompile(`^(?:log ` + vkey + `(?: \S+)?|witness (\S+) ` + vkey + `(?: \S+)?|` +
		`group (\S+) (any|all|[1-9][0-9]*) (.+)|quorum (\S+))$`)
	proofForm = regexp.MustCompile(`^c2sp\.org/tlog-proof@v1\n(?:extra (\S+)\n)?index ` + number + `\n` +
		`((?:` + hashLine + `)*)\n((?s:.*))$`)
	unseen = regexp.MustCompile(`[^!-\[\]-~]`)
)

func decimal(text string) uint64  { return must(strconv.ParseUint(text, 10, 63)) }
func unbase64(text string) cursor { return must(base64.StdEncoding.Strict().DecodeString(text)) }

// escaped is text of others, which cannot steer a terminal: docs/formats/proof.md, Facts.
func escaped(text string) string {
	hex := func(s string) string { return strings.ReplaceAll(fmt.Sprintf(" % x", s), " ", `\x`) }
	return unseen.ReplaceAllStringFunc(text, hex)
}

type checkpoint struct {
	text, origin string
	size         uint64
	root         hash
	signatures   map[string][]cursor // By "<key name>+<key hash>".
	epochs       map[uint64]bool     // That key names tell.
}

func readCheckpoint(note string) *checkpoint {
	part := checkpointForm.FindStringSubmatch(note)
	valid := part != nil && len(note) <= 1<<20 && strings.ToValidUTF8(note, "") == note
	require(valid && strings.Count(note, "\n") <= 4+128, "MALFORMED", "no signed checkpoint, or too many signatures")
	c := &checkpoint{part[1], part[2], decimal(part[3]), *(*hash)(unbase64(part[4])), map[string][]cursor{}, map[uint64]bool{}}
	for _, line := range signatureForm.FindAllStringSubmatch(part[5], -1) {
		raw := unbase64(line[2])
		id := fmt.Sprintf("%s+%x", line[1], raw.take(4))
		require(len(raw) > 0, "MALFORMED", "an empty signature of %s", line[1])
		c.signatures[id] = append(c.signatures[id], raw)
		if epoch, is := epochOf(c.origin, line[1]); is {
			c.epochs[epoch] = true
		}
	}
	return c
}

// chainID follows from the genesis hash that an origin ends with.
func chainID(origin string) hash {
	genesis := []byte{}
	fmt.Sscanf(origin[strings.LastIndex(origin, "/")+1:], "%x", &genesis)
	require(len(genesis) == 32 && strings.HasSuffix(origin, fmt.Sprintf("/%x", genesis)), "MALFORMED", "no genesis hash")
	return sum([]byte("vigil/chain-id/v1\x00"), genesis)
}

// A policy says whom the reader trusts: docs/formats.md, Policy.
type policy struct {
	own, lines     []*line // In an epoch chain, those of logs and validators stand apart.
	origin, quorum string
	epoch, end     uint64 // In a chain; the end is the size of the log by then, 0 if it lasts.
	validators     *line  // Their group, in a chain.
}

type line struct {
	kind                        byte   // As in a vkey: 1 log, 4 witness; 0 group.
	name, keyName, keyID, group string // The id is "<key name>+<key hash>"; the group is the one it is in.
	public                      ed25519.PublicKey
	threshold, members          uint64
}

// keyLine takes a key with its kind in front, as in a vkey.
func keyLine(name, keyName, group string, key []byte) *line {
	keyHash := sum([]byte(keyName+"\n"), key)
	return &line{key[0], name, keyName, fmt.Sprintf("%s+%x", keyName, keyHash[:4]), group, key[1:], 0, 0}
}

func readPolicy(text string) (p policy) {
	require(len(text) <= 1<<20 && strings.HasSuffix(text, "\n"), "MALFORMED", "too large, or not whole lines")
	known := map[string]*line{"none": {group: "none"}} // Names and keys, which come once.
	for _, row := range rowForm.FindAllString(text, -1) {
		row = strings.Join(strings.FieldsFunc(row, func(r rune) bool { return r == ' ' || r == '\t' }), " ")
		part := policyForm.FindStringSubmatch(row)
		require(part != nil, "MALFORMED", "not a line of a policy: %s", row)
		var l *line
		switch {
		case part[1] != "":
			l = keyLine(row, part[2], "", unbase64(part[3]))
			require(l.kind == 1 && l.keyID == part[1], "MALFORMED", "not a vkey of a log: %s", row)
			p.origin = l.keyName
		case part[4] != "":
			l = keyLine(part[4], part[6], "", unbase64(part[7]))
			require(l.kind == 4 && l.keyID == part[5], "MALFORMED", "not a vkey of a witness: %s", row)
		case part[8] != "":
			members := strings.Split(part[10], " ")
			count := fmt.Sprint(len(members))
			threshold := decimal(strings.NewReplacer("any", "1", "all", count).Replace(part[9]))
			l = &line{name: part[8], members: decimal(count), threshold: upTo(decimal(count), threshold)}
			for _, name := range members {
				m := known[name]
				require(m != nil && m.group == "", "MALFORMED", "no member, or of another group: %s", name)
				m.group = l.name
			}
		default:
			require(p.quorum == "" && known[part[11]] != nil, "MALFORMED", "not right there: %s", row)
			p.quorum = part[11]
			continue
		}
		key := fmt.Sprintf("key %d %x", l.kind, l.public)
		require(known[l.name] == nil && (l.kind == 0 || known[key] == nil), "MALFORMED", "for the second time: %s", row)
		known[l.name], known[key] = l, l
		p.lines = append(p.lines, l)
	}
	require(p.quorum != "", "MALFORMED", "no quorum line")
	return p
}

// checkHead decides whether a log and the quorum signed a checkpoint, and that no line of a listed
// key fails to verify. It returns who cosigned when, as facts.
func checkHead(lines []*line, quorum string, c *checkpoint) (witnesses string) {
	byLog, enough, members := false, quorum == "none", map[string]uint64{}
	for _, l := range lines {
		latest := uint64(0)
		for _, raw := range c.signatures[l.keyID] {
			text, time, valid := c.text, uint64(0), len(raw) == map[byte]int{1: 64, 4: 8 + 64}[l.kind]
			if valid && l.kind == 4 {
				time = raw.u64()
				text = fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, text)
			}
			valid = valid && time < 1<<63 && ed25519.Verify(l.public, []byte(text), raw)
			require(valid, "QUORUM_SHORT", "the signature of %s does not verify", l.keyName)
			if time > latest {
				latest = time
			}
		}
		if len(c.signatures[l.keyID]) == 0 && (l.kind != 0 || members[l.name] < l.threshold) {
			continue
		}
		if l.kind == 4 {
			witnesses += fmt.Sprintf("witness: %s %d\n", escaped(l.name), latest)
		}
		byLog, enough = byLog || l.kind == 1 && l.keyName == c.origin, enough || l.name == quorum
		members[l.group]++
	}
	require(byLog && enough, "QUORUM_SHORT", "log %s signed: %v, enough witnesses: %v", c.origin, byLog, enough)
	return witnesses
}

// A seal is the record that closes a block: docs/formats.md, Seal and Header.
type seal struct {
	chainID, results, set, nextSet        hash
	epoch, height, executed, first, count uint64
	facts                                 string
}

func readSeal(c cursor) (s seal) {
	start := []byte{1, 25, 0, 0, 1, 138, 0, 1} // Version, kind, size; format of the header.
	require(len(c) == 400 && bytes.HasPrefix(c, start), "MALFORMED", "not a seal")
	blockHash, _ := sum([]byte("vigil/header/v1\x00"), c[6:356]), c.take(8)
	s.chainID, s.epoch, _, s.height, _ = c.hash(), c.u64(), c.u64(), c.u64(), c.take(32+8+32) // _: view; parent, its view, body
	s.executed, _, s.results, _ = c.u64(), c.hash(), c.hash(), c.take(8+32)                   // _: state; snapshot.
	s.set, s.nextSet, _ = c.hash(), c.hash(), c.hash()                                        // _: reveal.
	time, _ := c.u64(), c.take(4+32)                                                          // _: proposer, seal before
	s.first, s.count = c.u64(), c.u32()
	s.facts = fmt.Sprintf("block_height: %d\nblock_hash: %x\nblock_time_unix_ms: %d\n", s.height, blockHash, time)
	return s
}

// epochOf reads the name of a validator's cosigner key, "<origin>/v/<org>/<name>/<epoch>".
func epochOf(origin, keyName string) (epoch uint64, is bool) {
	rest := strings.TrimPrefix(keyName, origin+"/v/")
	epoch, _ = strconv.ParseUint(rest[strings.LastIndex(rest, "/")+1:], 10, 64)
	return epoch, rest != keyName && strings.HasSuffix(rest, fmt.Sprintf("/%d", epoch))
}

// findValidators sets apart the log, the validators of one epoch, and the group of exactly them.
func (p *policy) findValidators() {
	count, own, outside, group := uint64(0), []*line{}, []*line{}, line{}
	for _, l := range p.lines {
		epoch, is := epochOf(p.origin, l.keyName)
		switch {
		case is:
			first := count == 0 && epoch > 0
			require(first || p.epoch == epoch && group.name == l.group, "MALFORMED", "validators of several epochs")
			p.epoch, group.name, count = epoch, l.group, count+1
		case l.kind == 1:
			require(l.keyName == p.origin, "MALFORMED", "a policy of two logs")
		case l.name == group.name:
			group = *l
		default:
			outside = append(outside, l)
			continue
		}
		own = append(own, l)
	}
	require(group.members == count && group.threshold == count/2+1, "MALFORMED", "no majority of validators")
	p.own, p.lines, p.validators = own, outside, &group
}

// next puts the validators of a set in the place of the epoch's own.
func (p policy) next(set cursor) policy {
	require(string(set.take(23)) == "vigil/validator-set/v1\x00", "MALFORMED", "no validator set")
	count, group, taken := 1+upTo(6, set.u32()-1), *p.validators, map[string]bool{} // 1 to 7.
	for _, l := range append(p.lines, &group) {
		taken[l.name], taken[string(l.public)] = true, true
	}
	p.own, p.epoch, p.validators, group.members, group.threshold = nil, p.epoch+1, &group, count, count/2+1
	for ; count > 0; count-- {
		name, _, log, cosigner := string(set.prefixed(129)), set.hash(), set.take(32), set.take(32)
		set.take(32 + 32 + 8 + 16) // Record key, reveal anchor, reveal length, journal id.
		require(!taken[name] && !taken[string(cosigner)], "MALFORMED", "name or key of another: %s", name)
		keyName := fmt.Sprintf("%s/v/%s/%d", p.origin, name, p.epoch)
		p.own = append(p.own, keyLine(" ", p.origin, "", append([]byte{1}, log...)))
		p.own = append(p.own, keyLine(name, keyName, group.name, append([]byte{4}, cosigner...)))
	}
	set.end()
	p.own = append(p.own, &group)
	return p
}

// readEpochs walks an epoch chain from the pinned policy on: docs/formats/epoch_chain.md.
func readEpochs(pinned policy, file cursor) []policy {
	require(len(file) <= 32<<20 && string(file.take(21)) == "vigil/epoch-chain/v1\x00", "MALFORMED", "no epoch chain")
	anchors := make([][5]cursor, upTo(4096, file.u32()))
	for i := range anchors { // Seal, path, checkpoint, next set, addresses.
		seal, path := file.prefixed(400), file.take(32*upTo(64, file.u32()))
		anchors[i] = [5]cursor{seal, path, file.prefixed(32 << 10), file.prefixed(32 << 10), file.prefixed(32 << 10)}
	}
	file.end()
	epochs, last := []policy{pinned}, seal{}
	for i := pinned.epoch - 1; i < uint64(len(anchors)); i++ {
		a, p, first := anchors[i], &epochs[len(epochs)-1], len(epochs) == 1
		s, next := readSeal(a[0]), p.next(a[3])
		is := s.chainID == chainID(p.origin) && s.epoch == p.epoch && s.height > last.height
		require(is && (first || s.set == last.nextSet), "MALFORMED", "the seal is not of epoch %d", p.epoch)
		require(s.nextSet != s.set && s.nextSet == sum(a[3]), "MALFORMED", "the seal names another next set")
		form := fmt.Sprintf("^(%[1]s(,%[1]s){%d})?$", address, next.validators.members-1)
		require(regexp.MustCompile(form).Match(a[4]), "MALFORMED", "not addresses: %s", a[4])
		head, end := readCheckpoint(string(a[2])), leaf{s.first + s.count, a[0], a[1]}
		checkHead(p.own, p.validators.name, head)
		is = (first || end.index > last.first+last.count) && head.size == end.index+1
		require(is && end.leads(end.hash(), head.size, head.root), "MALFORMED", "the checkpoint is not of the end of epoch %d", p.epoch)
		last, p.end = s, head.size
		epochs = append(epochs, next)
	}
	return epochs
}

// judge lets the newest epoch decide that a checkpoint names and that is satisfied, up to its end.
func judge(epochs []policy, c *checkpoint) (witnesses string) {
	newest, known, revoked, short := epochs[len(epochs)-1], 0, false, (*refusal)(nil)
	for i := len(epochs) - 1; i >= 0; i-- {
		if p := epochs[i]; c.epochs[p.epoch] {
			short = attempt(func() { witnesses = checkHead(append(p.own, p.lines...), p.quorum, c) })
			if short == nil && (p.end == 0 || c.size <= p.end) {
				return witnesses
			}
			known, revoked = known+1, revoked || short == nil
		}
	}
	require(!revoked, "KEY_REVOKED", "signed by the validators of an epoch that was over by then")
	require(known == len(c.epochs) || newest.epoch == 0, "UNKNOWN_EPOCH", "signed in an epoch that the chain does not reach")
	require(short == nil, "QUORUM_SHORT", "%v", short)
	return checkHead(append(newest.own, newest.lines...), newest.quorum, c)
}

// The extra of a proof file, taken apart: docs/formats/proof.md, Extra.
type extra struct {
	subject, results                     uint64 // 1 event, 2 record, 3 block; how many results there are.
	leaf, block, result, covering, event leaf
	author                               cursor
	eventHash                            hash
}

func readExtra(c cursor) (e extra) {
	path := func() cursor { return c.take(32 * upTo(63, c.u8())) }
	seal := func() leaf { return leaf{c.u64(), c.take(400 + upTo(0, c.u32()-400)), path()} } // Exactly 400 bytes.
	require(string(c.take(15)) == "vigil/proof/v1\x00", "MALFORMED", "no vigil/proof/v1")
	e.subject, e.leaf.bytes = upTo(3, c.u8()), c.prefixed(32<<10)
	if e.subject != 3 {
		e.author, e.block, e.result.bytes = c.take(32), seal(), c.prefixed(1<<20)
		e.result.index, e.results, e.result.path, e.covering = c.u32(), upTo(1<<20, c.u32()), path(), seal()
		require(e.subject > 0 && e.result.index < e.results, "MALFORMED", "result %d of %d", e.result.index, e.results)
	}
	if e.subject == 1 {
		e.event.index, e.eventHash, e.event.path, e.event.bytes = c.u32(), c.hash(), path(), c.prefixed(24<<10)
	}
	c.end()
	return e
}

// Kinds of records that this version admits, and codes of results: docs/formats.md.
var kinds = strings.Fields(`none event_batch heartbeat gap stream_reset alert attestation triage
	model_commitment fault_proof proposal ballot . . . . . . . . . . . . . . cosigner_key`)
var codes = strings.Fields("none ok duplicate conflict permission_denied gapped not_found stale already_exists invalid")

// verify takes the steps of docs/formats/proof.md, Verification, and writes facts as they are proven.
func verify(epochs []policy, file string, out io.Writer) {
	part := proofForm.FindStringSubmatch(file) // Steps 1 and 2.
	require(len(file) <= 4<<20 && part != nil && len(part[3]) <= 63*45, "MALFORMED", "not a tlog-proof")
	index, rawExtra, head, path := decimal(part[2]), unbase64(part[1]), readCheckpoint(part[5]), cursor{}
	require(index < head.size && len(rawExtra) <= 2<<20, "MALFORMED", "index %d of %d, or a long extra", index, head.size)
	for _, row := range strings.Fields(part[3]) {
		path = append(path, unbase64(row)...)
	}
	witnesses := judge(epochs, head) // Steps 3 and 4.
	fmt.Fprintf(out, "origin: %s\ntree_size: %d\nroot: %x\n%s", escaped(head.origin), head.size, head.root, witnesses)
	chain, e := chainID(head.origin), readExtra(rawExtra) // Steps 5 and 6.
	fmt.Fprintf(out, "subject: %s\n", []string{1: "event", 2: "record", 3: "block"}[e.subject])
	e.leaf.index, e.leaf.path = index, path
	inTree := func(l leaf) bool { return l.leads(l.hash(), head.size, head.root) }
	goodSeal := func(l leaf) seal {
		require(inTree(l), "NOT_INCLUDED", "the seal at %d does not lead to the root", l.index)
		s := readSeal(l.bytes)
		require(s.chainID == chain && s.first <= l.index && l.index-s.first == s.count, "NOT_INCLUDED", "seal %d is of others", l.index)
		return s
	}
	require(inTree(e.leaf), "NOT_INCLUDED", "leaf %d does not lead to the root", index) // Step 7.
	if e.subject == 3 {
		fmt.Fprint(out, goodSeal(e.leaf).facts) // Step 8 of a block.
		return
	}
	c := e.leaf.bytes // Step 8.
	version, kind, body, signature := c.u8(), c.u8(), c.prefixed(32<<10), c.take(64)
	c.end()
	admitted := version == 1 && kind > 0 && kind < uint64(len(kinds)) && kinds[kind] != "."
	require(admitted && (kind == 1 || e.subject != 1), "MALFORMED", "not a record of kind %d, or not one with events", kind)
	numbers, texts := message(body)
	keyID := sum([]byte("vigil/key/v1\x00"), e.author) // Step 9.
	require(bytes.Equal(keyID[:16], texts[1]), "MALFORMED", "the author's key is not the one that the record names")
	text := bytes.Join([][]byte{[]byte("vigil/record/v1\x00"), {byte(kind)}, chain[:], body}, nil)
	require(ed25519.Verify([]byte(e.author), text, signature), "MALFORMED", "not signed by the author for this chain")
	fmt.Fprintf(out, "index: %d\nkind: %s\nauthor_key: %x\n", index, kinds[kind], e.author)
	block := goodSeal(e.block) // Step 10.
	require(index >= block.first && index < e.block.index, "NOT_INCLUDED", "not in block %d", block.height)
	fmt.Fprint(out, block.facts)
	later := goodSeal(e.covering) // Step 11.
	require(later.executed >= block.height && later.height > block.height, "NOT_INCLUDED", "no results of block %d", block.height)
	r := e.result.bytes // Step 12. What follows the signer, the effects, is not read.
	require(e.result.leads(e.result.hash(), e.results, later.results), "NOT_INCLUDED", "no result of block %d", later.height)
	resultIndex, code, signer := r.u64(), r.u8(), r.prefixed(129)
	require(code > 0 && code < uint64(len(codes)), "MALFORMED", "bad result")
	require(resultIndex == index, "NOT_INCLUDED", "the result is of record %d", resultIndex)
	fmt.Fprintf(out, "result: %s\nsigner: %s\n", codes[code], escaped(string(signer)))
	require(code == 1, "NOT_INCLUDED", "the record is in the log, but its result is %s", codes[code])
	if e.subject == 1 {
		itemsRoot, event := texts[6], e.event.bytes // Step 13.
		is := e.event.leads(e.eventHash, numbers[5], itemsRoot.hash()) && (len(event) == 0 || e.event.hash() == e.eventHash)
		require(is, "PAYLOAD_MISMATCH", "this is not event %d of the batch's %d", e.event.index, numbers[5])
		fmt.Fprintf(out, "item: %d\n", e.event.index)
		require(len(event) > 0, "PAYLOAD_MISSING", "the bytes of event %d are not in the file", e.event.index)
		numbers, texts = message(event) // Steps 14 and 15.
		fmt.Fprintf(out, "event_time_unix_ns: %d\nevent_source: %s\n", numbers[3], escaped(string(texts[9])))
	}
}

// message takes protobuf apart, by tag: docs/formats.md, Canonical messages.
func message(c cursor) (numbers map[uint64]uint64, texts map[uint64]cursor) {
	numbers, texts = map[uint64]uint64{}, map[uint64]cursor{}
	for last := uint64(1); len(c) > 0; {
		form := c.varint()
		tag := form >> 3
		require(tag >= last, "MALFORMED", "field %d does not belong there", tag)
		switch last = tag; form & 7 {
		case 0:
			numbers[tag] = c.varint()
		case 1:
			numbers[tag] = binary.LittleEndian.Uint64(c.take(8))
		default:
			texts[tag] = c.take(c.varint())
		}
	}
	return numbers, texts
}

func main() {
	arg, text, code, out := os.Args, [3]string{}, 2, os.Stderr
	refused := attempt(func() {
		right := len(arg) == 4 || len(arg) == 6 && arg[4] == "--epochs"
		require(right && arg[2] == "--policy", "usage", "vigil-verify FILE --policy POLICY [--epochs CHAIN]")
		for i := 1; i < len(arg); i += 2 {
			text[i/2] = string(must(os.ReadFile(arg[i])))
		}
		epochs := []policy{readPolicy(text[1])}
		if len(arg) == 6 {
			epochs[0].findValidators()
			code, out = 6, os.Stdout
			epochs = readEpochs(epochs[0], cursor(text[2]))
		}
		code, out = 6, os.Stdout
		verify(epochs, text[0], out)
	})
	if refused != nil {
		fmt.Fprintf(out, "%s: %+q\n", refused.verdict, refused.reason)
		os.Exit(code)
	}
	fmt.Println("VERIFIED")
}
