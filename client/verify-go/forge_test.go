package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// Makes small chains and proofs, right ones and such that are wrong in one thing with all the rest
// signed and hashed as if it were right. Written from the pages, like the verifier.

const origin = "forge.vigil/00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
func prefixed(b []byte) []byte {
	return append(be32(uint32(len(b))), b...)
}

func cat(parts ...[]byte) (all []byte) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func sha(parts ...[]byte) []byte {
	digest := sha256.Sum256(cat(parts...))
	return digest[:]
}

func signingKey(name string) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(sha([]byte(name))) }
func publicKey(name string) []byte              { return signingKey(name).Public().(ed25519.PublicKey) }

func forgedChainID() []byte {
	genesis, _ := hex.DecodeString(origin[len(origin)-64:])
	return sha([]byte("vigil/chain-id/v1\x00"), genesis)
}

// root and path are those of RFC 6962, sections 2.1 and 2.1.1, from hashes of leaves.
func root(hashes [][]byte) []byte {
	if len(hashes) == 1 {
		return hashes[0]
	}
	k := split(len(hashes))
	return sha([]byte{1}, root(hashes[:k]), root(hashes[k:]))
}

func path(hashes [][]byte, i int) [][]byte {
	if len(hashes) == 1 {
		return nil
	}
	if k := split(len(hashes)); i < k {
		return append(path(hashes[:k], i), root(hashes[k:]))
	} else {
		return append(path(hashes[k:], i-k), root(hashes[:k]))
	}
}

func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

func hashes(leaves [][]byte) (all [][]byte) {
	for _, leaf := range leaves {
		all = append(all, sha([]byte{0}, leaf))
	}
	return all
}

// keyOf is a vkey: kind 1 of a log, 4 of a cosigner.
func keyOf(name string, kind byte, public []byte) string {
	raw := append([]byte{kind}, public...)
	return fmt.Sprintf("%s+%x+%s", name, sha([]byte(name+"\n"), raw)[:4], base64.StdEncoding.EncodeToString(raw))
}

// A signer of a note: a cosigner when it has a time, else a log.
type signer struct {
	keyName, secret string
	time            uint64
}

func (s signer) line(text string) string {
	kind, message, raw := byte(4), fmt.Sprintf("cosignature/v1\ntime %d\n%s", s.time, text), be64(s.time)
	if s.time == 0 {
		kind, message, raw = 1, text, nil
	}
	id, _ := hex.DecodeString(strings.Split(keyOf(s.keyName, kind, publicKey(s.secret)), "+")[1])
	return signatureLine(s.keyName, cat(id, raw, ed25519.Sign(signingKey(s.secret), []byte(message))))
}

func signatureLine(name string, raw []byte) string {
	return "— " + name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

func noteText(size int, root []byte) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root))
}

func note(leaves [][]byte, signers []signer) string {
	text := noteText(len(leaves), root(hashes(leaves)))
	signed := text + "\n"
	for _, s := range signers {
		signed += s.line(text)
	}
	return signed
}

// validatorsOf are those of an epoch: 0 to 3 in the first, 1 to 3 in the second, 1 to 4 in the third.
func validatorsOf(epoch uint64) []string {
	return map[uint64][]string{1: {"acme/v0", "acme/v1", "acme/v2", "acme/v3"}, 2: {"acme/v1", "acme/v2", "acme/v3"},
		3: {"acme/v1", "acme/v2", "acme/v3", "acme/v4"}}[epoch]
}

func cosigner(name string, epoch uint64) string {
	return fmt.Sprintf("%s/v/%s/%d", origin, name, epoch)
}

func signersOf(epoch uint64) []signer {
	all := []signer{{origin, "log acme/v1", 0}}
	for i, name := range validatorsOf(epoch) {
		all = append(all, signer{cosigner(name, epoch), name, 1700000000 + uint64(i)})
	}
	return all
}

// byOldKeys signs in the same names with cosigner keys that the validators had before.
func byOldKeys(signers []signer) []signer {
	for i := range signers[1:] {
		signers[i+1].secret += " before"
	}
	return signers
}

// forgedPolicy is that of the first epoch, policyOf that of a later one with the same validators.
func forgedPolicy() string { return policyOf(1) }

func policyOf(epoch uint64) string {
	text, names := "", validatorsOf(1)
	for _, name := range names {
		text += "log " + keyOf(origin, 1, publicKey("log "+name)) + "\n"
		text += "witness " + name + " " + keyOf(cosigner(name, epoch), 4, publicKey(name)) + "\n"
	}
	return text + "group validators 3 " + strings.Join(names, " ") + "\nquorum validators\n"
}

// sealOf closes the block at a height, with `count` records from `first` on.
func sealOf(height, epoch, executed, first uint64, count uint32, results, set, next []byte) []byte {
	zero := make([]byte, 32)
	header := cat([]byte{0, 1}, forgedChainID(), be64(epoch), be64(1), be64(height), zero, be64(1), zero, be64(executed),
		zero, results, be64(0), zero, set, next, zero, be64(1700000000000+height), be32(0))
	return cat([]byte{1, 25, 0, 0, 1, 138}, header, zero, be64(first), be32(count))
}

// A forgery is a proof in parts. What is derived from what is computed by file(), unless a hook
// changes it; nil hooks leave the proof right.
type forgery struct {
	subject, version, kind, code byte
	author                       string // Who signs the record.
	chainID                      []byte // For which chain.
	event, shown                 []byte // In the batch; in the file.
	item                         uint32
	itemCount                    uint64
	resultOf                     uint64
	position, results            uint32
	signers                      []signer
	index                        uint64
	seal, later                  func([]byte) []byte // The seals of the record's block and over its result.
	sealIndex                    uint64
	sealFirst                    bool // The log begins with the seal, and the record is behind it.
	body, record, result, extra  func([]byte) []byte
	fileText                     func(string) string
}

func honest(subject byte) *forgery {
	event := cat([]byte{0x0a, 1, 7, 0x19}, []byte{1, 0, 0, 0, 0, 0, 0, 0}, []byte{0x4a, 4}, []byte("zeek"))
	return &forgery{subject: subject, version: 1, kind: 1, code: 1, author: "author", chainID: forgedChainID(),
		event: event, shown: event, itemCount: 2, results: 2, signers: signersOf(1), sealIndex: 2}
}

func apply(change func([]byte) []byte, b []byte) []byte {
	if change == nil {
		return b
	}
	return change(b)
}

func pathBytes(path [][]byte) []byte { return append([]byte{byte(len(path))}, cat(path...)...) }

// file is a log of two records, their seal, and the seal that has their results.
func (f *forgery) file() string {
	events := hashes([][]byte{f.event, []byte("other")})
	author := publicKey("author")
	body := apply(f.body, cat([]byte{0x0a, 16}, sha([]byte("vigil/key/v1\x00"), author)[:16], []byte{0x28, byte(f.itemCount), 0x32, 32}, root(events)))
	signature := ed25519.Sign(signingKey(f.author), cat([]byte("vigil/record/v1\x00"), []byte{f.kind}, f.chainID, body))
	record := apply(f.record, cat([]byte{f.version, f.kind}, prefixed(body), signature))
	result := apply(f.result, cat(be64(f.resultOf), []byte{f.code}, prefixed([]byte("acme/fw")), be32(0)))
	results := [][]byte{result, []byte("another")}
	set := sha([]byte("set"))
	seal := apply(f.seal, sealOf(1, 1, 0, 0, 2, set, set, set))
	later := apply(f.later, sealOf(2, 1, 1, 3, 0, root(hashes(results)), set, set))
	leaves, sealAt := [][]byte{record, []byte("second record"), seal, later}, 2
	if f.sealFirst {
		leaves, sealAt = [][]byte{seal, record, []byte("second record"), later}, 0
	}
	all := hashes(leaves)
	sealProof := func(index uint64, leaf []byte, i int) []byte {
		return cat(be64(index), prefixed(leaf), pathBytes(path(all, i)))
	}
	extra, at, index := cat([]byte("vigil/proof/v1\x00"), []byte{f.subject}), 0, f.index
	if f.subject == 3 {
		at = sealAt
		index += 2
		extra = append(extra, prefixed(seal)...)
	} else {
		if f.sealFirst {
			at = 1
		}
		extra = append(extra, cat(prefixed(record), author, sealProof(f.sealIndex, seal, sealAt), prefixed(result),
			be32(f.position), be32(f.results), pathBytes(path(hashes(results), 0)), sealProof(3, later, 3))...)
	}
	if f.subject == 1 {
		extra = append(extra, cat(be32(f.item), events[0], pathBytes(path(events, 0)), prefixed(f.shown))...)
	}
	text := "c2sp.org/tlog-proof@v1\nextra " + base64.StdEncoding.EncodeToString(apply(f.extra, extra)) + "\n"
	text += fmt.Sprintf("index %d\n", index)
	for _, h := range path(all, at) {
		text += base64.StdEncoding.EncodeToString(h) + "\n"
	}
	text += "\n" + note(leaves, f.signers)
	if f.fileText != nil {
		text = f.fileText(text)
	}
	return text
}

// setOf is the validator set of an epoch, with `edit` made to its members.
func setOf(names []string, keys func(name string) string) []byte {
	set := cat([]byte("vigil/validator-set/v1\x00"), be32(uint32(len(names))))
	for _, name := range names {
		set = append(set, cat(prefixed([]byte(name)), publicKey("consensus "+name), publicKey("log "+name), publicKey(keys(name)),
			publicKey("record "+name), make([]byte, 32), be64(9), make([]byte, 16))...)
	}
	return set
}

func sameKey(name string) string { return name }

// A link is an anchor in parts: the end of an epoch with one leaf more than the one before.
type link struct {
	epoch         uint64
	height, first uint64
	own, next     []byte // Hashes in the seal.
	set           []byte
	addresses     string
	signers       []signer
	leaves        [][]byte // Below the seal.
	seal          func([]byte) []byte
	note          func(string) string
	size          int // Of leaves that the checkpoint has after the seal.
	sealBytes     []byte
	alone         bool // There is nothing below its seal.
}

// links are the ends of the first two epochs, in a log of seals alone; the third begins at 4 leaves.
func links() []*link {
	var all []*link
	for epoch := uint64(1); epoch <= 2; epoch++ {
		set := setOf(validatorsOf(epoch+1), sameKey)
		l := &link{epoch: epoch, height: 2 * epoch, first: 2*epoch - 1, own: sha(setOf(validatorsOf(epoch), sameKey)), next: sha(set),
			set: set, signers: signersOf(epoch)}
		all = append(all, l)
	}
	return all
}

func sealsOf(all []*link) (leaves [][]byte) {
	for _, l := range all {
		leaves = append(leaves, []byte("between"))
		if l.leaves = append([][]byte(nil), leaves...); l.alone {
			l.leaves = nil
		}
		l.sealBytes = apply(l.seal, sealOf(l.height, l.epoch, 0, l.first, 0, make([]byte, 32), l.own, l.next))
		leaves = append(leaves, l.sealBytes)
	}
	return leaves
}

func chainOf(all []*link) []byte {
	sealsOf(all)
	chain := cat([]byte("vigil/epoch-chain/v1\x00"), be32(uint32(len(all))))
	for _, l := range all {
		leaves := append(append([][]byte(nil), l.leaves...), l.sealBytes)
		for i := 0; i < l.size; i++ {
			leaves = append(leaves, []byte("after"))
		}
		checkpoint := note(leaves, l.signers)
		if l.note != nil {
			checkpoint = l.note(checkpoint)
		}
		steps := path(hashes(leaves), len(l.leaves))
		chain = append(chain, cat(prefixed(l.sealBytes), be32(uint32(len(steps))), cat(steps...), prefixed([]byte(checkpoint)),
			prefixed(l.set), prefixed([]byte(l.addresses)))...)
	}
	return chain
}

// blockOf is a proof of the seal at `index` under a head of that many leaves, signed in an epoch.
func blockOf(index, size int, signers []signer) string {
	leaves := sealsOf(links())
	for len(leaves) < size {
		leaves = append(leaves, []byte("later"))
	}
	leaves = leaves[:size]
	extra := cat([]byte("vigil/proof/v1\x00\x03"), prefixed(leaves[index]))
	text := fmt.Sprintf("c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n", base64.StdEncoding.EncodeToString(extra), index)
	for _, h := range path(hashes(leaves), index) {
		text += base64.StdEncoding.EncodeToString(h) + "\n"
	}
	return text + "\n" + note(leaves, signers)
}
