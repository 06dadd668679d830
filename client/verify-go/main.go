// Vigil-verify decides offline what a Vigil proof file proves. It is written from
// docs/formats/proof.md and docs/formats.md alone, with nothing but the standard library, so that
// whoever distrusts Vigil's own verifier can read this one instead: the format and the steps here,
// who signed the checkpoint in note.go, what stands in the leaves in record.go.
//
//	vigil-verify FILE --policy POLICY      exit 0: VERIFIED, 6: any other verdict, 2: usage
//
// A proof file is a C2SP tlog-proof (https://c2sp.org/tlog-proof):
//
//	c2sp.org/tlog-proof@v1
//	extra <base64>
//	index <decimal>
//	<base64 of a hash>             path from the leaf to the root, RFC 6962 section 2.1.1
//	<empty line>
//	<network>/<genesis hash>       the checkpoint: origin, tree size, root
//	<tree size>
//	<base64 of the root>
//	<empty line>
//	— <key name> <base64>          a signature line: 4 bytes of key hash, then the signature
//
// The policy (https://c2sp.org/tlog-policy) lists who may sign: keys of the log (type 1) and of
// witnesses (type 4, who sign "cosignature/v1\ntime T\n" + checkpoint), and how many are enough.
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
//
// Every byte is hashed into the tree of the checkpoint before it is interpreted. Of keys, only
// crypto/ed25519 decides; whether those of the policy are fit to be keys is its author's concern.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"os"
	"strings"
)

const (
	fileMax, extraMax, noteMax, policyMax = 4 << 20, 2 << 20, 1 << 20, 1 << 20
	leafMax, eventMax, resultMax          = 32 << 10, 24 << 10, 1 << 20
	pathMax, linesMax, namesMax           = 63, 128, 256
	headerSize, sealSize                  = 350, 400
	resultsMax                            = 64 * 16384 // Heights that execution may lag, records of a block.
)

// A refusal is a verdict other than VERIFIED, with the reason for people.
type refusal struct{ verdict, reason string }

func (r *refusal) Error() string { return r.verdict + ": " + r.reason }

func refuse(verdict, format string, args ...any) error {
	return &refusal{verdict, fmt.Sprintf(format, args...)}
}
func malformed(format string, args ...any) error { return refuse("MALFORMED", format, args...) }

// ---- Hashes and trees -----------------------------------------------------------------------

type hash [32]byte

func sum(parts ...[]byte) hash  { return sha256.Sum256(bytes.Join(parts, nil)) }
func leafHash(leaf []byte) hash { return sum([]byte{0}, leaf) }

// tagged is SHA-256 of a domain tag, one zero byte and the rest.
func tagged(tag string, rest []byte) hash { return sum([]byte(tag), []byte{0}, rest) }

// included follows RFC 9162 section 2.1.3.2.
func included(index, size uint64, leaf hash, path []hash, root hash) error {
	if index >= size {
		return fmt.Errorf("leaf %d of %d", index, size)
	}
	fn, sn, r := index, size-1, leaf
	for _, p := range path {
		if sn == 0 {
			return fmt.Errorf("the path of %d hashes is too long", len(path))
		}
		if fn&1 == 1 || fn == sn {
			r = sum([]byte{1}, p[:], r[:])
			shift := bits.TrailingZeros64(fn) // fn is not 0 here, as fn == sn.
			fn, sn = fn>>shift, sn>>shift
		} else {
			r = sum([]byte{1}, r[:], p[:])
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 || r != root {
		return fmt.Errorf("the path of leaf %d of %d leads to another root", index, size)
	}
	return nil
}

// ---- Proof ----------------------------------------------------------------------------------

// A reader takes big-endian numbers and bytes off the front; past the end it gives zeros and
// remembers that.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.rest)) {
		r.bad = true
		return make([]byte, 32) // Nobody takes more without asking whether it is there.
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}
func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) hash() (h hash) {
	copy(h[:], r.take(32))
	return h
}
func (r *reader) prefixed(limit uint32) []byte {
	n := r.u32()
	r.bad = r.bad || n > limit
	return r.take(uint64(n))
}
func (r *reader) path() (path []hash) {
	n := r.u8()
	for r.bad = r.bad || n > pathMax; n > 0 && !r.bad; n-- {
		path = append(path, r.hash())
	}
	return path
}

type sealProof struct {
	index uint64
	leaf  []byte
	path  []hash
}

func (r *reader) seal() sealProof {
	s := sealProof{r.u64(), r.prefixed(sealSize), r.path()}
	r.bad = r.bad || len(s.leaf) != sealSize
	return s
}

// A seal closes a block; its header is what validators agreed on.
type seal struct {
	chainID, blockHash, resultsRoot                  hash
	epoch, height, executedHeight, timeMillis, first uint64
	proposer, count                                  uint32
}

func readSeal(leaf []byte) (s seal, err error) {
	r := reader{rest: leaf}
	version, kind, size := r.u8(), r.u8(), r.u32()
	if len(leaf) != sealSize || version != 1 || kind != 25 || size != sealSize-6 ||
		!bytes.HasPrefix(r.rest, []byte{0, 1}) {
		return s, malformed("not a seal")
	}
	s.blockHash = tagged("vigil/header/v1", r.rest[:headerSize])
	at := func(offset int) uint64 { return binary.BigEndian.Uint64(leaf[6+offset:]) }
	copy(s.chainID[:], leaf[6+2:])
	copy(s.resultsRoot[:], leaf[6+170:])
	s.epoch, s.height, s.executedHeight, s.timeMillis, s.first = at(34), at(50), at(130), at(338), at(382)
	s.proposer = binary.BigEndian.Uint32(leaf[6+346:])
	s.count = binary.BigEndian.Uint32(leaf[6+390:])
	return s, nil
}

// A proof is a file taken apart, and what has been established about it.
type proof struct {
	policy  *policy
	head    checkpoint
	index   uint64
	path    []hash
	chainID hash
	fact    func(name string, value any)
}

func (p *proof) inTree(what string, index uint64, leaf []byte, path []hash) error {
	if err := included(index, p.head.size, leafHash(leaf), path, p.head.root); err != nil {
		return refuse("NOT_INCLUDED", "%s: %v", what, err)
	}
	return nil
}

// checkSeal decides whether a seal in the tree closes a block of this chain in a known epoch.
func (p *proof) checkSeal(index uint64, leaf []byte) (seal, error) {
	s, err := readSeal(leaf)
	if err != nil {
		return s, err
	}
	if s.chainID != p.chainID {
		return s, refuse("NOT_INCLUDED", "the seal at %d is of another chain", index)
	}
	if listed, newest := p.policy.epochs(p.head.origin); s.epoch == 0 || len(listed) > 0 && s.epoch > newest {
		return s, refuse("UNKNOWN_EPOCH", "the seal at %d is of epoch %d", index, s.epoch)
	}
	if s.first > index || index-s.first != uint64(s.count) {
		return s, refuse("NOT_INCLUDED", "the seal at %d closes %d records from %d on", index, s.count, s.first)
	}
	return s, nil
}

func (p *proof) blockFacts(s seal) {
	p.fact("block_height", s.height)
	p.fact("block_hash", hex.EncodeToString(s.blockHash[:]))
	p.fact("block_epoch", s.epoch)
	p.fact("block_time_unix_ms", s.timeMillis)
	p.fact("block_proposer", s.proposer)
	p.fact("block_first", s.first)
	p.fact("block_records", s.count)
}

// verify runs the steps of docs/formats/proof.md, section Verification, and reports each fact as it
// is proven.
func verify(pol *policy, file []byte, fact func(name string, value any)) error {
	p := &proof{policy: pol, fact: fact}
	extra, err := p.readFile(string(file)) // Step 1.
	if err != nil {
		return err
	}
	if err := pol.checkHead(&p.head, fact); err != nil { // Steps 2 to 4.
		return err
	}
	origin := p.head.origin // Step 5.
	genesis, err := hex.DecodeString(origin[strings.LastIndex(origin, "/")+1:])
	if err != nil || len(genesis) != 32 || !strings.HasSuffix(origin, "/"+hex.EncodeToString(genesis)) {
		return malformed("the origin does not end with a genesis hash")
	}
	p.chainID = tagged("vigil/chain-id/v1", genesis)
	r := &reader{rest: extra} // Step 6; the whole extra is read before anything is checked.
	tag, subject, leaf := string(r.take(15)), r.u8(), r.prefixed(leafMax)
	if tag != "vigil/proof/v1\x00" || subject < 1 || subject > 3 {
		return malformed("the extra line is no vigil/proof/v1")
	}
	var x recordExtra
	if subject != 3 {
		x = r.record(subject == 1)
	}
	if r.bad || len(r.rest) != 0 {
		return malformed("the extra ends too early or too late, or a part is over its maximum")
	}
	fact("subject", []string{"event", "record", "block"}[subject-1])
	if err := p.inTree("leaf", p.index, leaf, p.path); err != nil { // Step 7.
		return err
	}
	if subject == 3 { // Step 8 of a block.
		s, err := p.checkSeal(p.index, leaf)
		if err == nil {
			p.blockFacts(s)
		}
		return err
	}
	return p.checkRecord(leaf, &x, subject == 1)
}

func (p *proof) readFile(text string) (extra []byte, err error) {
	split := strings.Index(text, "\n\n")
	if len(text) > fileMax || split < 0 {
		return nil, malformed("not a tlog-proof")
	}
	line, ok := strings.Split(text[:split], "\n"), true
	if line[0] != "c2sp.org/tlog-proof@v1" {
		return nil, malformed("the first line is not c2sp.org/tlog-proof@v1")
	}
	line = line[1:]
	if len(line) > 0 && strings.HasPrefix(line[0], "extra ") {
		extra, ok = unbase64(line[0][6:])
		if line = line[1:]; !ok || len(extra) == 0 || len(extra) > extraMax {
			return nil, malformed("bad extra line")
		}
	}
	if len(line) == 0 || !strings.HasPrefix(line[0], "index ") || len(line)-1 > pathMax {
		return nil, malformed("no index line, or more than %d hashes", pathMax)
	}
	if p.index, ok = decimal(line[0][6:], math.MaxInt64); !ok {
		return nil, malformed("bad index")
	}
	for _, l := range line[1:] {
		h, ok := unbase64Hash(l)
		if !ok {
			return nil, malformed("a line of the path is no hash")
		}
		p.path = append(p.path, h)
	}
	if p.head, err = readCheckpoint(text[split+2:]); err == nil && p.index >= p.head.size {
		err = malformed("index %d in a tree of %d", p.index, p.head.size)
	}
	return extra, err
}

func main() {
	var file, policyFile string
	for args := os.Args[1:]; len(args) > 0; args = args[1:] {
		switch {
		case args[0] == "--policy" && len(args) > 1 && policyFile == "":
			policyFile, args = args[1], args[1:]
		case file == "" && !strings.HasPrefix(args[0], "-"):
			file = args[0]
		default:
			file, policyFile, args = "", "", args[:1]
		}
	}
	os.Exit(run(file, policyFile))
}

func run(file, policyFile string) int {
	if file == "" || policyFile == "" {
		fmt.Fprintln(os.Stderr, "usage: vigil-verify FILE --policy POLICY")
		return 2
	}
	proofBytes, err := os.ReadFile(file)
	policyBytes, err2 := os.ReadFile(policyFile)
	pol, err3 := readPolicy(string(policyBytes))
	for _, e := range []error{err, err2, err3} {
		if e != nil {
			fmt.Fprintln(os.Stderr, "vigil-verify:", e)
			return 2
		}
	}
	err = verify(&pol, proofBytes, func(name string, value any) { fmt.Printf("%s: %v\n", name, value) })
	if r, ok := err.(*refusal); ok {
		fmt.Printf("%s: %s\n", r.verdict, r.reason)
		return 6
	}
	fmt.Println("VERIFIED")
	return 0
}
