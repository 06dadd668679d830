// Records, events and results: what stands in the leaves, and what makes it well-formed
// (docs/formats.md, Canonical messages, Record, Event, Results).
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The rest of the extra of a record or event.
type recordExtra struct {
	authorKey       []byte
	block, covering sealProof
	result          []byte
	position, count uint32
	resultPath      []hash
	item            uint32
	eventLeaf       hash
	eventPath       []hash
	event           []byte
}

func (r *reader) record(isEvent bool) (x recordExtra) {
	x.authorKey, x.block = r.take(32), r.seal()
	x.result, x.position, x.count, x.resultPath = r.prefixed(resultMax), r.u32(), r.u32(), r.path()
	r.bad = r.bad || x.position >= x.count || x.count > resultsMax
	x.covering = r.seal()
	if isEvent {
		x.item, x.eventLeaf, x.eventPath, x.event = r.u32(), r.hash(), r.path(), r.prefixed(eventMax)
	}
	return x
}

// checkRecord runs steps 8 to 15 for a record or event whose leaf is in the tree.
func (p *proof) checkRecord(leaf []byte, x *recordExtra, isEvent bool) error {
	kind, body, err := readRecord(leaf) // Step 8.
	if err != nil {
		return err
	}
	if isEvent && kind != 1 {
		return malformed("a record of kind %d has no events", kind)
	}
	author := body.bytes(1) // Step 9.
	id := tagged("vigil/key/v1", x.authorKey)
	if !bytes.Equal(id[:16], author) {
		return malformed("the author's key is not the one that the record names")
	}
	split := len(leaf) - ed25519.SignatureSize
	message := bytes.Join([][]byte{[]byte("vigil/record/v1\x00"), {kind}, p.chainID[:], leaf[6:split]}, nil)
	if !ed25519.Verify(x.authorKey, message, leaf[split:]) {
		return malformed("the record is not signed by its author for this chain")
	}
	hash := leafHash(leaf)
	p.fact("index", p.index)
	p.fact("leaf_hash", hex.EncodeToString(hash[:]))
	p.fact("kind", kinds[kind].name)
	p.fact("author", hex.EncodeToString(author))
	p.fact("author_key", hex.EncodeToString(x.authorKey))
	if kind <= 3 {
		p.fact("stream", escape(string(body.bytes(2))))
		p.fact("sequence", body.number(3))
	}
	if err := p.checkBlockAndResult(x); err != nil {
		return err
	}
	if isEvent {
		return p.checkEvent(body, x)
	}
	return nil
}

func (p *proof) checkBlockAndResult(x *recordExtra) error {
	if err := p.inTree("seal of the block", x.block.index, x.block.leaf, x.block.path); err != nil { // Step 10.
		return err
	}
	block, err := p.checkSeal(x.block.index, x.block.leaf)
	if err != nil {
		return err
	}
	if p.index < block.first || p.index >= x.block.index {
		return refuse("NOT_INCLUDED", "record %d is not in block %d", p.index, block.height)
	}
	p.blockFacts(block)
	if err := p.inTree("seal over the result", x.covering.index, x.covering.leaf, x.covering.path); err != nil { // Step 11.
		return err
	}
	covering, err := p.checkSeal(x.covering.index, x.covering.leaf)
	if err != nil {
		return err
	}
	if covering.executedHeight < block.height || covering.height <= block.height {
		return refuse("NOT_INCLUDED", "block %d does not commit to results of block %d", covering.height, block.height)
	}
	err = included(uint64(x.position), uint64(x.count), leafHash(x.result), x.resultPath, covering.resultsRoot) // Step 12.
	if err != nil {
		return refuse("NOT_INCLUDED", "result: %v", err)
	}
	index, code, signer, ok := readResult(x.result)
	if !ok {
		return malformed("bad result")
	}
	if index != p.index {
		return refuse("NOT_INCLUDED", "the result is of record %d", index)
	}
	name := strings.Fields("ok duplicate conflict permission_denied gapped not_found stale already_exists invalid")[code-1]
	p.fact("result", name)
	p.fact("signer", escape(signer))
	if code != 1 {
		return refuse("NOT_INCLUDED", "the record is in the log, but its result is %s", strings.ToUpper(name))
	}
	return nil
}

func (p *proof) checkEvent(batch message, x *recordExtra) error { // Steps 13 to 15.
	var itemsRoot hash
	copy(itemsRoot[:], batch.bytes(6))
	if err := included(uint64(x.item), batch.number(5), x.eventLeaf, x.eventPath, itemsRoot); err != nil {
		return refuse("PAYLOAD_MISMATCH", "event: %v", err)
	}
	if len(x.event) != 0 && leafHash(x.event) != x.eventLeaf {
		return refuse("PAYLOAD_MISMATCH", "the bytes of event %d are not those of the batch", x.item)
	}
	p.fact("item", x.item)
	p.fact("item_count", batch.number(5))
	p.fact("event_leaf_hash", hex.EncodeToString(x.eventLeaf[:]))
	if len(x.event) == 0 {
		return refuse("PAYLOAD_MISSING", "the bytes of event %d are not in the file", x.item)
	}
	event, err := scan("Event", x.event)
	if err != nil {
		return malformed("event: %v", err)
	}
	p.fact("event_bytes", len(x.event))
	p.fact("event_time_unix_ns", event.number(3))
	p.fact("event_type_uid", event.number(4))
	p.fact("event_source", escape(string(event.bytes(9))))
	return nil
}

// readResult reads what execution said of a record: docs/formats.md, Results.
func readResult(raw []byte) (index uint64, code byte, signer string, ok bool) {
	r := &reader{rest: raw}
	index, code, signer = r.u64(), r.u8(), string(r.prefixed(129))
	effects := r.u32()
	r.bad = r.bad || code < 1 || code > 9 || effects > 1024
	for ; effects > 0 && !r.bad; effects-- {
		kind := r.u8()
		r.u64()
		r.prefixed(1024)
		r.bad = r.bad || kind < 1 || kind > 6
	}
	return index, code, signer, !r.bad && len(r.rest) == 0
}

// kinds of records that this version admits, with the largest body of each.
var kinds = map[byte]struct {
	name    string
	bodyMax int
}{1: {"event_batch", 256}, 2: {"heartbeat", 256}, 3: {"gap", 512}, 4: {"stream_reset", 512},
	5: {"alert", 512}, 6: {"attestation", 8192}, 8: {"model_commitment", 256}}

func readRecord(leaf []byte) (kind byte, body message, err error) {
	r := &reader{rest: leaf}
	version, kind, raw := r.u8(), r.u8(), r.prefixed(leafMax)
	r.take(ed25519.SignatureSize)
	info, known := kinds[kind]
	if r.bad || len(r.rest) != 0 || version != 1 || !known || len(raw) > info.bodyMax {
		return 0, nil, malformed("not a record of a kind that this version admits")
	}
	if body, err = scan(info.name, raw); err == nil {
		err = checkBody(kind, body)
	}
	if err != nil {
		return 0, nil, malformed("%s: %v", info.name, err)
	}
	return kind, body, nil
}

// checkBody holds what the rules of single fields cannot say.
func checkBody(kind byte, body message) error {
	if kind <= 3 && (body.number(3) == 1) != (body.bytes(4) == nil) {
		return fmt.Errorf("previous is absent exactly at sequence 1")
	}
	if kind == 1 && body.number(8) > body.number(9) ||
		kind == 3 && body.number(7) != 0 && body.number(6) > body.number(7) {
		return fmt.Errorf("a time after the one behind it")
	}
	for i := 1; kind == 5 && i < len(body[9]); i++ {
		if body[9][i-1].sub.number(2) < body[9][i].sub.number(2) {
			return fmt.Errorf("reasons are not largest first")
		}
	}
	for i := 1; kind == 6 && i < len(body[2]); i++ {
		if body[2][i-1].sub.number(1) >= body[2][i].sub.number(1) {
			return fmt.Errorf("alert_index does not ascend")
		}
	}
	return nil
}

// rules of every message, one word per field in order of tag, from record.proto and event.proto:
//
//	n<max> number   s sint64   f fixed64 below 2^63   t<max> text   b<min>-<max> bytes
//	h hash, not all zero   i IP address   m<Message>   e<Message>, which may be empty
//	<field>*<count> repeated   <field>! required
var rules = map[string]string{
	"event_batch":      "b16-16! t64! n! h n10000! h! h f! f! n1048576!",
	"heartbeat":        "b16-16! t64! n! h f",
	"gap":              "b16-16! t64! n! h n f f t256",
	"stream_reset":     "b16-16! t129! t64! n t256!",
	"alert":            "b16-16! eEventRef! n5! n! h! n4294967295 n4294967295 n3! mReason*5 h! h",
	"attestation":      "b16-16! mVerdict*256!",
	"model_commitment": "b16-16! n5! n! n! h! n4294967295 h n4294967295",
	"EventRef":         "n n9999",
	"Reason":           "n4294967295 n4294967295",
	"Verdict":          "n n2! n4294967295",
	"Event": "n1! b16-16! f! n429496729599! n99 n99 n99 n99 t64! t128 t64 mActor mEndpoint mEndpoint mEndpoint " +
		"n255 t32 mTraffic n t128 t512 t16*16 mObservable*32 mMetric*32 mPair*32 b1-8192 b32-32 n4294967295 " +
		"t2048 mFile t2048 t64 n4294967295 f n4 t64 mSealedGroup*8",
	"Actor":       "t256 t128 t256 t256 t1024 t4096 n t256 t128",
	"Endpoint":    "i n65535 t256 b6-6 t128 t64",
	"Traffic":     "n n n n",
	"Observable":  "n99 t1024!",
	"Metric":      "t64! s",
	"Pair":        "t128! t2048",
	"File":        "t256 t1024 b32-32 n",
	"SealedGroup": "t64! b32-32! n4294967295",
}

// A message holds the values of its fields by tag.
type message map[int][]value
type value struct {
	number uint64
	bytes  []byte
	sub    message
}

func (m message) number(tag int) uint64 {
	if len(m[tag]) == 0 {
		return 0
	}
	return m[tag][0].number
}
func (m message) bytes(tag int) []byte {
	if len(m[tag]) == 0 {
		return nil
	}
	return m[tag][0].bytes
}

// varint reads one minimal varint.
func varint(b []byte) (n uint64, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || size > 1 && b[size-1] == 0 {
		return 0, nil, fmt.Errorf("bad varint")
	}
	return n, b[size:], nil
}

// scan takes a canonical message apart: ascending tags, right wire types, nothing empty or zero,
// nothing unknown, nothing over its maximum, everything that is required.
func scan(name string, b []byte) (message, error) {
	fields, m, last := strings.Fields(rules[name]), message{}, 0
	for len(b) > 0 {
		tagAndType, rest, err := varint(b)
		tag := tagAndType >> 3
		if err != nil || tag == 0 || tag > uint64(len(fields)) || int(tag) < last {
			return nil, fmt.Errorf("%s: field %d does not belong there", name, tag)
		}
		last = int(tag)
		rule, limit, _ := strings.Cut(strings.TrimSuffix(fields[tag-1], "!"), "*")
		var v value
		if v, b, err = scanValue(rule, tagAndType&7, rest); err != nil {
			return nil, fmt.Errorf("%s: field %d: %v", name, tag, err)
		}
		m[last] = append(m[last], v)
		if count, _ := strconv.Atoi(limit); len(m[last]) > 1 && len(m[last]) > count {
			return nil, fmt.Errorf("%s: field %d comes too often", name, tag)
		}
	}
	text := 0 // Of all unmapped pairs together.
	for i, field := range fields {
		if strings.HasSuffix(field, "!") && len(m[i+1]) == 0 {
			return nil, fmt.Errorf("%s: field %d is missing", name, i+1)
		}
		for _, v := range m[i+1] {
			if strings.HasPrefix(field, "mPair") {
				text += len(v.sub.bytes(1)) + len(v.sub.bytes(2))
			}
		}
	}
	if text > 8192 {
		return nil, fmt.Errorf("%s: %d bytes of unmapped text", name, text)
	}
	return m, nil
}

func scanValue(rule string, wire uint64, b []byte) (v value, rest []byte, err error) {
	switch rule[0] {
	case 'n', 's':
		limit, parsed := strconv.ParseUint(rule[1:], 10, 64)
		if parsed != nil {
			limit = math.MaxUint64
		}
		if v.number, rest, err = varint(b); err != nil || wire != 0 || v.number == 0 || v.number > limit {
			return v, nil, fmt.Errorf("not a number from 1 to %d", limit)
		}
		return v, rest, nil
	case 'f':
		if wire != 1 || len(b) < 8 {
			return v, nil, fmt.Errorf("not a fixed64")
		}
		if v.number = binary.LittleEndian.Uint64(b); v.number == 0 || v.number > math.MaxInt64 {
			return v, nil, fmt.Errorf("a time of zero, or from 2^63 on")
		}
		return v, b[8:], nil
	}
	size, rest, err := varint(b)
	if err != nil || wire != 2 || size > uint64(len(rest)) {
		return v, nil, fmt.Errorf("bad length or wire type")
	}
	v.bytes, rest = rest[:size], rest[size:]
	if rule[0] == 'm' || rule[0] == 'e' {
		v.sub, err = scan(rule[1:], v.bytes)
		if size == 0 && rule[0] == 'm' {
			err = fmt.Errorf("an empty message")
		}
		return v, rest, err
	}
	if !fits(rule, v.bytes) {
		return v, nil, fmt.Errorf("%d bytes that are not %s", size, rule)
	}
	return v, rest, nil
}

// fits says whether bytes, text, hashes and addresses have the right size and form.
func fits(rule string, b []byte) bool {
	switch rule[0] {
	case 't':
		limit, _ := strconv.Atoi(rule[1:])
		return len(b) > 0 && len(b) <= limit && utf8.Valid(b)
	case 'h':
		return len(b) == 32 && !bytes.Equal(b, make([]byte, 32))
	case 'i':
		mapped := append(make([]byte, 10), 0xff, 0xff)
		return len(b) == 4 || len(b) == 16 && !bytes.HasPrefix(b, mapped)
	}
	low, high, _ := strings.Cut(rule[1:], "-")
	min, _ := strconv.Atoi(low)
	max, _ := strconv.Atoi(high)
	return len(b) >= min && len(b) <= max
}

// escape keeps text of others from steering a terminal: \xNN for all but visible ASCII.
func escape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if c := text[i]; c > 0x20 && c < 0x7f && c != '\\' {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "\\x%02x", c)
		}
	}
	return out.String()
}
