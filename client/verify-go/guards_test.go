package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"go/format"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a stranger is to read in one sitting.
const linesMax = 500

func TestReadInOneSitting(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines += bytes.Count(text, []byte("\n"))
		if formatted, err := format.Source(text); err != nil || !bytes.Equal(text, formatted) {
			t.Errorf("%s: not as gofmt writes it", file)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if len(line) > 130 {
				t.Errorf("%s:%d: %d columns", file, i+1, len(line))
			}
		}
	}
	if lines == 0 || lines > linesMax {
		t.Errorf("%d lines, at most %d", lines, linesMax)
	}
}

func policyFrom(t *testing.T, text string) (p policy) {
	t.Helper()
	if refused := attempt(func() { p = readPolicy(text) }); refused != nil {
		t.Fatal(refused)
	}
	return p
}

func TestHonestForgeriesVerify(t *testing.T) {
	p := policyFrom(t, forgedPolicy())
	for subject, want := range map[byte]string{1: "event_time_unix_ns: 1\nevent_source: zeek\n",
		2: "result: ok\nsigner: acme/fw\n", 3: "subject: block\nblock_height: 1\n"} {
		verdict, facts, refused := judged(p, nil, []byte(honest(subject).file()))
		if verdict != "VERIFIED" || !strings.Contains(facts, want) || strings.Count(facts, "witness: ") != 4 {
			t.Errorf("subject %d: %v\n%s", subject, refused, facts)
		}
	}
}

// Every leaf of small trees, by the slow definition of RFC 6962; and no other index, size or path.
func TestInclusionIsThatOfSlowTrees(t *testing.T) {
	for size := 1; size <= 20; size++ {
		var leaves [][]byte
		for i := 0; i < size; i++ {
			leaves = append(leaves, []byte{byte(i), byte(size)})
		}
		all := hashes(leaves)
		is := func(index, of int, from, siblings []byte) bool {
			l := leaf{index: uint64(index), path: siblings}
			return l.leads(*(*hash)(from), uint64(of), *(*hash)(root(all)))
		}
		for i := range all {
			right := cat(path(all, i)...)
			if !is(i, size, all[i], right) {
				t.Errorf("leaf %d of %d does not lead to the root", i, size)
			}
			for j := 0; j <= 2*size; j++ {
				if j != i && is(j, size, all[i], right) {
					t.Errorf("leaf %d of %d at %d", i, size, j)
				}
			}
			for cut := 0; cut < len(right); cut += 32 {
				if is(i, size, all[i], right[:cut]) || is(i, size, all[i], append(right[:len(right):len(right)], right[cut:cut+32]...)) {
					t.Errorf("leaf %d of %d with another path", i, size)
				}
				if altered := cat(right); is(i, size, all[i], set(cut, altered[cut]^1)(altered)) {
					t.Errorf("leaf %d of %d with an altered path", i, size)
				}
			}
		}
	}
	// An index beyond the size, below a root that was made for it.
	h, sibling := sha([]byte("leaf")), sha([]byte("sibling"))
	made := *(*hash)(sha([]byte{1}, sibling, h))
	for _, size := range []uint64{0, 1} {
		if l := (leaf{index: 1, path: sibling}); l.leads(*(*hash)(h), size, made) {
			t.Errorf("index 1 of %d", size)
		}
	}
}

// set puts bytes at an offset.
func set(offset int, with ...byte) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[offset:], with)
		return b
	}
}

// resized is as long as wanted.
func resized(size int) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, make([]byte, size)...)[:size] }
}

func replaced(old, new string) func(string) string {
	return func(text string) string { return strings.Replace(text, old, new, 1) }
}

// inExtra finds a part of the extra, which is there once, and writes others in its place.
func inExtra(old, new []byte) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, old, new, 1) }
}

// The header begins at 6 in a seal; first index and count end it.
func TestEachStepRefuses(t *testing.T) {
	p := policyFrom(t, forgedPolicy())
	first := func(f *forgery) signer { return f.signers[1] }
	long := strings.Repeat("A", 4<<20)
	for _, c := range []struct {
		name    string
		subject byte
		verdict string
		change  func(*forgery)
	}{
		{"file too large", 3, "MALFORMED", func(f *forgery) {
			f.fileText = func(text string) string { return strings.Replace(text, "extra ", "extra "+long, 1) }
		}},
		{"another first line", 3, "MALFORMED", func(f *forgery) { f.fileText = replaced("@v1", "@v2") }},
		{"extra too large", 3, "MALFORMED", func(f *forgery) { f.extra = resized(2<<20 + 1) }},
		{"no extra", 3, "MALFORMED", func(f *forgery) {
			f.fileText = func(text string) string {
				return text[:strings.Index(text, "extra")] + text[strings.Index(text, "index"):]
			}
		}},
		{"index of the size", 3, "MALFORMED", func(f *forgery) { f.index = 2 }},
		{"index with zeros", 3, "MALFORMED", func(f *forgery) { f.fileText = replaced("index 2", "index 02") }},
		{"64 hashes", 3, "MALFORMED", func(f *forgery) {
			f.fileText = replaced("index 2\n", "index 2\n"+strings.Repeat(strings.Repeat("A", 43)+"=\n", 62))
		}},
		{"63 hashes", 3, "NOT_INCLUDED", func(f *forgery) {
			f.fileText = replaced("index 2\n", "index 2\n"+strings.Repeat(strings.Repeat("A", 43)+"=\n", 61))
		}},
		{"a hash of 31 bytes", 3, "MALFORMED", func(f *forgery) {
			f.fileText = replaced("index 2\n", "index 2\n"+strings.Repeat("A", 42)+"==\n")
		}},
		{"two hashes on a line", 3, "MALFORMED", func(f *forgery) {
			f.fileText = func(text string) string { return strings.Replace(text, "=\n", "= ", 1) }
		}},
		{"base64 with other bits behind", 3, "MALFORMED", func(f *forgery) {
			f.fileText = replaced("index 2\n", "index 2\n"+strings.Repeat("A", 42)+"B=\n")
		}},
		{"base64 with a carriage return", 3, "MALFORMED", func(f *forgery) { f.fileText = replaced("extra d", "extra \rd") }},
		{"a fourth line in the checkpoint", 3, "MALFORMED", func(f *forgery) { f.fileText = replaced("\n\n— ", "\nmore\n\n— ") }},
		{"no signatures", 3, "MALFORMED", func(f *forgery) { f.signers = nil }},
		{"129 signatures", 3, "MALFORMED", func(f *forgery) {
			f.fileText = func(text string) string {
				return text + strings.Repeat(signatureLine("stranger", make([]byte, 9)), 124)
			}
		}},
		{"128 signatures", 3, "VERIFIED", func(f *forgery) {
			f.fileText = func(text string) string {
				return text + strings.Repeat(signatureLine("stranger", make([]byte, 9)), 123)
			}
		}},
		{"checkpoint too large", 3, "MALFORMED", func(f *forgery) {
			f.fileText = func(text string) string { return text + signatureLine("stranger", make([]byte, 800_000)) }
		}},
		{"checkpoint not UTF-8", 3, "MALFORMED", func(f *forgery) {
			f.fileText = func(text string) string { return text + signatureLine("stranger\xff", make([]byte, 9)) }
		}},
		{"a name with a wide space", 3, "MALFORMED", func(f *forgery) {
			f.fileText = func(text string) string { return text + signatureLine("a\u2003b", make([]byte, 9)) }
		}},
		{"an empty signature", 3, "MALFORMED", func(f *forgery) {
			f.fileText = func(text string) string { return text + signatureLine("stranger", make([]byte, 4)) }
		}},
		{"a stranger", 3, "VERIFIED", func(f *forgery) {
			f.fileText = func(text string) string { return text + signatureLine("stranger", make([]byte, 5)) }
		}},
		{"no log signed", 3, "QUORUM_SHORT", func(f *forgery) { f.signers = f.signers[1:] }},
		{"two of four", 3, "QUORUM_SHORT", func(f *forgery) { f.signers = f.signers[:3] }},
		{"three of four", 3, "VERIFIED", func(f *forgery) { f.signers = f.signers[:4] }},
		{"one three times", 3, "QUORUM_SHORT", func(f *forgery) {
			f.signers = append(f.signers[:2], first(f), first(f))
		}},
		{"a line that does not verify, beside a quorum", 3, "QUORUM_SHORT", func(f *forgery) {
			id := strings.Split(keyOf(first(f).keyName, 4, publicKey(first(f).secret)), "+")[1]
			f.fileText = func(text string) string {
				raw := []byte{}
				fmt.Sscanf(id, "%x", &raw)
				return text + signatureLine(first(f).keyName, append(raw, make([]byte, 72)...))
			}
		}},
		{"a cosignature cut to its time", 3, "QUORUM_SHORT", func(f *forgery) {
			id := strings.Split(keyOf(first(f).keyName, 4, publicKey(first(f).secret)), "+")[1]
			f.fileText = func(text string) string {
				raw := []byte{}
				fmt.Sscanf(id, "%x", &raw)
				return text + signatureLine(first(f).keyName, append(raw, make([]byte, 7)...))
			}
		}},
		{"a cosignature without its time", 3, "QUORUM_SHORT", func(f *forgery) {
			id := strings.Split(keyOf(first(f).keyName, 4, publicKey(first(f).secret)), "+")[1]
			f.fileText = func(text string) string {
				raw, body := []byte{}, text[strings.Index(text, origin):strings.Index(text, "\n— ")]
				fmt.Sscanf(id, "%x", &raw)
				return text + signatureLine(first(f).keyName, cat(raw, signNote(body, first(f).secret)))
			}
		}},
		{"a time beyond 2^63", 3, "QUORUM_SHORT", func(f *forgery) { f.signers[1].time = 1 << 63 }},
		{"the last time", 3, "VERIFIED", func(f *forgery) { f.signers[1].time = math.MaxInt64 }},
		{"another tag", 3, "MALFORMED", func(f *forgery) { f.extra = set(12, '2') }},
		{"subject 0", 3, "MALFORMED", func(f *forgery) { f.extra = set(15, 0) }},
		{"subject 0 of a record", 2, "MALFORMED", func(f *forgery) { f.extra = set(15, 0) }},
		{"subject 4", 2, "MALFORMED", func(f *forgery) { f.extra = set(15, 4) }},
		{"extra cut", 1, "MALFORMED", func(f *forgery) { f.extra = func(b []byte) []byte { return b[:len(b)-1] } }},
		{"extra too long", 3, "MALFORMED", func(f *forgery) { f.extra = func(b []byte) []byte { return append(b, 0) } }},
		{"leaf too large", 3, "MALFORMED", func(f *forgery) { f.seal = resized(32<<10 + 1) }},
		{"a path of 64 hashes", 2, "MALFORMED", func(f *forgery) {
			f.extra = func(b []byte) []byte {
				at := bytes.LastIndex(b, be32(400)) + 4 + 400
				return cat(b[:at], []byte{64}, make([]byte, 64*32))
			}
		}},
		{"a path of 63 hashes", 2, "NOT_INCLUDED", func(f *forgery) {
			f.extra = func(b []byte) []byte {
				at := bytes.LastIndex(b, be32(400)) + 4 + 400
				return cat(b[:at], []byte{63}, make([]byte, 63*32))
			}
		}},
		{"position beyond the results", 2, "MALFORMED", func(f *forgery) { f.position = 2 }},
		{"too many results", 2, "MALFORMED", func(f *forgery) { f.results = 1<<20 + 1 }},
		{"other results", 2, "NOT_INCLUDED", func(f *forgery) { f.results = 1 << 20 }},
		{"result too large", 2, "MALFORMED", func(f *forgery) { f.result = resized(1<<20 + 1) }},
		{"event too large", 1, "MALFORMED", func(f *forgery) { f.shown = make([]byte, 24<<10+1) }},
		{"another leaf", 2, "NOT_INCLUDED", func(f *forgery) { f.index = 1 }},
		{"another path of the record alone", 2, "NOT_INCLUDED", func(f *forgery) {
			f.fileText = func(text string) string {
				at := strings.Index(text, "index 0\n") + 8
				return text[:at] + strings.Repeat("A", 43) + text[at+43:]
			}
		}},
		{"a seal cut", 3, "MALFORMED", func(f *forgery) { f.seal = resized(399) }},
		{"a seal too long", 3, "MALFORMED", func(f *forgery) { f.seal = resized(401) }},
		{"seal of the record cut", 2, "MALFORMED", func(f *forgery) { f.seal = resized(399) }},
		{"no seal of the record", 2, "MALFORMED", func(f *forgery) {
			f.extra = func(b []byte) []byte {
				at := bytes.Index(b, be32(400))
				return cat(b[:at], be32(0), b[at+4+400:])
			}
		}},
		{"seal of another version", 3, "MALFORMED", func(f *forgery) { f.seal = set(0, 2) }},
		{"seal of another kind", 3, "MALFORMED", func(f *forgery) { f.seal = set(1, 24) }},
		{"seal of another format", 3, "MALFORMED", func(f *forgery) { f.seal = set(7, 2) }},
		{"seal of another chain", 3, "NOT_INCLUDED", func(f *forgery) { f.seal = set(8, 9) }},
		{"seal of more records", 3, "NOT_INCLUDED", func(f *forgery) { f.seal = set(396, be32(3)...) }},
		{"seal that begins behind itself", 3, "NOT_INCLUDED", func(f *forgery) {
			f.seal = func(b []byte) []byte { return set(396, be32(5)...)(set(388, be64(math.MaxUint64-2)...)(b)) }
		}},
		{"record of version 2", 2, "MALFORMED", func(f *forgery) { f.version = 2 }},
		{"record of kind 0", 2, "MALFORMED", func(f *forgery) { f.kind = 0 }},
		{"record of kind 12", 2, "MALFORMED", func(f *forgery) { f.kind = 12 }},
		{"record of kind 25", 2, "MALFORMED", func(f *forgery) { f.kind = 25 }},
		{"record of kind 27", 2, "MALFORMED", func(f *forgery) { f.kind = 27 }},
		{"a cosigner key", 2, "VERIFIED", func(f *forgery) { f.kind = 26 }},
		{"event of a heartbeat", 1, "MALFORMED", func(f *forgery) { f.kind = 2 }},
		{"a heartbeat", 2, "VERIFIED", func(f *forgery) { f.kind = 2 }},
		{"record too long", 2, "MALFORMED", func(f *forgery) { f.record = func(b []byte) []byte { return append(b, 0) } }},
		{"fields that do not ascend", 2, "MALFORMED", func(f *forgery) {
			f.body = func(b []byte) []byte { return append(b, b[:18]...) }
		}},
		{"a field that ends too early", 2, "MALFORMED", func(f *forgery) {
			f.body = func(b []byte) []byte { return append(b, 0x3a, 9) }
		}},
		{"a length beyond 2^32", 2, "MALFORMED", func(f *forgery) {
			f.body = func(b []byte) []byte { return append(binary.AppendUvarint(append(b, 0x3a), 1<<32+1), 0) }
		}},
		{"a number that does not end", 2, "MALFORMED", func(f *forgery) {
			f.body = func(b []byte) []byte { return append(b, 0x38, 0xff) }
		}},
		{"the key of another", 2, "MALFORMED", func(f *forgery) {
			f.extra = inExtra(publicKey("author"), publicKey("eve"))
		}},
		{"signed by another who says so", 2, "MALFORMED", func(f *forgery) {
			f.author, f.extra = "eve", inExtra(publicKey("author"), publicKey("eve"))
		}},
		{"signed by another", 2, "MALFORMED", func(f *forgery) { f.author = "eve" }},
		{"signed for another chain", 2, "MALFORMED", func(f *forgery) { f.chainID = make([]byte, 32) }},
		{"another place of the block's seal", 2, "NOT_INCLUDED", func(f *forgery) { f.sealIndex = 1 }},
		{"block without the record", 2, "NOT_INCLUDED", func(f *forgery) {
			f.seal = func(b []byte) []byte { return set(396, be32(1)...)(set(388, be64(1)...)(b)) }
		}},
		{"block before the record", 2, "NOT_INCLUDED", func(f *forgery) {
			f.sealFirst, f.sealIndex, f.index, f.resultOf, f.seal = true, 0, 1, 1, set(396, 0, 0, 0, 0)
		}},
		{"seal over the result without it", 2, "NOT_INCLUDED", func(f *forgery) { f.later = set(6+130, be64(0)...) }},
		{"seal over the result of the same height", 2, "NOT_INCLUDED", func(f *forgery) { f.later = set(6+50, be64(1)...) }},
		{"seal over the result of another chain", 2, "NOT_INCLUDED", func(f *forgery) { f.later = set(8, 9) }},
		{"other results root", 2, "NOT_INCLUDED", func(f *forgery) { f.later = set(6+170, 9) }},
		{"result 0", 2, "MALFORMED", func(f *forgery) { f.code = 0 }},
		{"result 10", 2, "MALFORMED", func(f *forgery) { f.code = 10 }},
		{"result of another record", 2, "NOT_INCLUDED", func(f *forgery) { f.resultOf = 1 }},
		{"not accepted", 2, "NOT_INCLUDED", func(f *forgery) { f.code = 4 }},
		{"signer too long", 2, "MALFORMED", func(f *forgery) {
			f.result = func(b []byte) []byte { return cat(b[:9], prefixed(make([]byte, 130))) }
		}},
		{"another item", 1, "PAYLOAD_MISMATCH", func(f *forgery) { f.item = 1 }},
		{"another count of items", 1, "PAYLOAD_MISMATCH", func(f *forgery) { f.itemCount = 1 }},
		{"another event", 1, "PAYLOAD_MISMATCH", func(f *forgery) { f.shown = []byte("other") }},
		{"no event", 1, "PAYLOAD_MISSING", func(f *forgery) { f.shown = nil }},
		{"no items root", 1, "MALFORMED", func(f *forgery) { f.body = func(b []byte) []byte { return b[:20] } }},
	} {
		f := honest(c.subject)
		c.change(f)
		verdict, facts, refused := judged(p, nil, []byte(f.file()))
		if verdict != c.verdict {
			t.Errorf("%s: %s, should be %s: %v", c.name, verdict, c.verdict, refused)
		}
		if verdict != "VERIFIED" && strings.Contains(facts, "event_source") {
			t.Errorf("%s: refused with all facts\n%s", c.name, facts)
		}
	}
}

// An origin that is not a network and its genesis hash, signed as it should be.
func TestOriginsThatAreNoChain(t *testing.T) {
	text := honest(3).file()
	for name, other := range map[string]string{"no slash": strings.Replace(origin, "/", "-", 1), "short": origin[:len(origin)-2],
		"upper case": strings.Replace(origin, "aabb", "AABB", 1), "long": origin + "00", "no hex": strings.Replace(origin, "aa", "ga", 1)} {
		body := text[strings.Index(text, origin):strings.Index(text, "\n— ")]
		body = strings.Replace(body, origin, other, 1)
		raw := append([]byte{1}, publicKey("log")...)
		id := sha([]byte(other+"\n"), raw)[:4]
		signed := body + "\n" + signatureLine(other, cat(id, signNote(body, "log")))
		file := text[:strings.Index(text, origin)] + signed
		p := policyFrom(t, "log "+keyOf(other, 1, publicKey("log"))+"\nquorum none\n")
		if verdict, facts, refused := judged(p, nil, []byte(file)); verdict != "MALFORMED" || !strings.Contains(facts, "root: ") {
			t.Errorf("%s: %s %v\n%s", name, verdict, refused, facts)
		}
	}
}

func TestTextOfOthersIsEscaped(t *testing.T) {
	f := honest(1)
	f.event = cat([]byte{0x4a, 7}, []byte("a\x1b\\ \xc3\xa4\xff"))
	f.shown = f.event
	_, facts, refused := judged(policyFrom(t, forgedPolicy()), nil, []byte(f.file()))
	if refused != nil || !strings.HasSuffix(facts, "event_source: a\\x1b\\x5c\\x20\\xc3\\xa4\\xff\n") {
		t.Errorf("%v\n%s", refused, facts)
	}
}

func TestTheNewestTimeOfAWitnessIsShown(t *testing.T) {
	for _, more := range []uint64{100, math.MaxUint64 - 99} { // Later; 100 s earlier.
		f := honest(3)
		again := f.signers[1]
		again.time += more
		f.signers = append(f.signers, again)
		want := "witness: acme/v0 1700000000\n"
		if more == 100 {
			want = "witness: acme/v0 1700000100\n"
		}
		_, facts, refused := judged(policyFrom(t, forgedPolicy()), nil, []byte(f.file()))
		if refused != nil || strings.Count(facts, "witness: acme/v0 ") != 1 || !strings.Contains(facts, want) {
			t.Errorf("%v\n%s", refused, facts)
		}
	}
}

// Groups of groups, and a policy whose log is another than the checkpoint's.
func TestPoliciesOfManyShapes(t *testing.T) {
	file := []byte(honest(3).file())
	wit := func(name, secret string) string {
		return "witness " + name + " " + keyOf(cosigner(secret, 1), 4, publicKey(secret)) + "\n"
	}
	log := "log " + keyOf(origin, 1, publicKey("log acme/v1")) + "\n"
	two := log + wit("a", "acme/v0") + wit("b", "acme/v1")
	absent := "witness c " + keyOf("c.example", 4, publicKey("c")) + "\n"
	for text, want := range map[string]string{
		two + "quorum a\n":                                                                "VERIFIED",
		two + absent + "quorum c\n":                                                       "QUORUM_SHORT",
		two + absent + "group g 2 a b c\nquorum g\n":                                      "VERIFIED",
		two + absent + "group g all a b c\nquorum g\n":                                    "QUORUM_SHORT",
		two + absent + "group g any a c\nquorum g\n":                                      "VERIFIED",
		two + absent + "group g any c\nquorum g\n":                                        "QUORUM_SHORT",
		two + absent + "group g all a b\ngroup h 2 g c\nquorum h\n":                       "QUORUM_SHORT",
		two + absent + "group g all a b\ngroup h any g c\nquorum h\n":                     "VERIFIED",
		two + absent + "group g all a c\ngroup h any g b\nquorum g\n":                     "QUORUM_SHORT",
		log + "quorum none\n":                                                             "VERIFIED",
		two[len(log):] + "quorum a\n":                                                     "QUORUM_SHORT",
		"log " + keyOf("other.vigil/00", 1, publicKey("log acme/v1")) + "\nquorum none\n": "QUORUM_SHORT",
		"log " + keyOf(origin, 1, publicKey("log acme/v2")) + "\nquorum none\n":           "QUORUM_SHORT",
	} {
		if verdict, _, refused := judged(policyFrom(t, text), nil, file); verdict != want {
			t.Errorf("%s\n%s, should be %s: %v", text, verdict, want, refused)
		}
	}
	f := honest(3) // Neither another log's line nor a witness with the log's name is the log's.
	f.signers = []signer{{"other.vigil/00", "other", 0}, {origin, "w", 1}}
	text := "log " + keyOf("other.vigil/00", 1, publicKey("other")) + "\nwitness w " + keyOf(origin, 4, publicKey("w")) + "\n"
	if verdict, _, refused := judged(policyFrom(t, text+"quorum w\n"), nil, []byte(f.file())); verdict != "QUORUM_SHORT" {
		t.Errorf("%s %v", verdict, refused)
	}
	f.signers = append(f.signers, signer{origin, "log acme/v1", 0})
	if verdict, _, refused := judged(policyFrom(t, log+text+"quorum w\n"), nil, []byte(f.file())); verdict != "VERIFIED" {
		t.Errorf("%s %v", verdict, refused)
	}
}

func TestEpochs(t *testing.T) {
	p := policyFrom(t, forgedPolicy())
	outside := "witness outside " + keyOf("out.example", 4, publicKey("outside")) + "\n"
	named := func(names ...string) func([]*link) {
		return func(l []*link) {
			l[1].set = setOf(names, sameKey)
			l[1].next = sha(l[1].set)
		}
	}
	third := blockOf(1, 5, signersOf(3))
	for _, c := range []struct {
		name, verdict, proof string
		change               func([]*link)
		edit                 func([]byte) []byte
	}{
		{"head of the third epoch", "VERIFIED", third, nil, nil},
		{"head of the second", "VERIFIED", blockOf(1, 4, signersOf(2)), nil, nil},
		{"head of the first", "VERIFIED", blockOf(1, 2, signersOf(1)), nil, nil},
		{"first epoch beyond its end", "KEY_REVOKED", blockOf(1, 3, signersOf(1)), nil, nil},
		{"second epoch beyond its end", "KEY_REVOKED", blockOf(1, 5, signersOf(2)), nil, nil},
		{"an old epoch beyond its end, beside too few of the newest", "KEY_REVOKED",
			blockOf(1, 5, append(signersOf(2), signersOf(3)[1:3]...)), nil, nil},
		{"keys that were replaced, under the newest names", "QUORUM_SHORT", blockOf(1, 5, byOldKeys(signersOf(3))), nil, nil},
		{"an old epoch beyond its end, beside an unknown one", "KEY_REVOKED",
			blockOf(1, 5, append(signersOf(2), signer{cosigner("acme/v9", 7), "x", 1})), nil, nil},
		{"signed in both", "VERIFIED", blockOf(1, 4, append(signersOf(2), signersOf(3)[1:]...)), nil, nil},
		{"too few of the newest", "QUORUM_SHORT", blockOf(1, 5, signersOf(3)[:3]), nil, nil},
		{"nobody named", "QUORUM_SHORT", blockOf(1, 5, signersOf(3)[:1]), nil, nil},
		{"an epoch to come", "UNKNOWN_EPOCH", blockOf(1, 5, []signer{{origin, "log acme/v1", 0}, {cosigner("acme/v1", 4), "acme/v1", 1}}), nil, nil},
		{"epoch 0", "UNKNOWN_EPOCH", blockOf(1, 5, []signer{{origin, "log acme/v1", 0}, {cosigner("acme/v1", 0), "acme/v1", 1}}), nil, nil},
		{"a name of another log", "QUORUM_SHORT", blockOf(1, 5, []signer{{origin, "log acme/v1", 0}, {"x/v/acme/v1/4", "acme/v1", 1}}), nil, nil},
		{"a name without an epoch", "QUORUM_SHORT", blockOf(1, 5, []signer{{origin, "log acme/v1", 0}, {origin + "/v/4", "acme/v1", 1}}), nil, nil},
		{"an epoch with a zero", "QUORUM_SHORT", blockOf(1, 5, []signer{{origin, "log acme/v1", 0}, {origin + "/v/acme/v1/04", "acme/v1", 1}}), nil, nil},
		{"another tag", "MALFORMED", third, nil, set(19, '2')},
		{"too many anchors", "MALFORMED", third, nil, set(21, be32(4097)...)},
		{"too large", "MALFORMED", third, nil, resized(32<<20 + 1)},
		{"bytes left over", "MALFORMED", third, nil, func(b []byte) []byte { return append(b, 0) }},
		{"cut", "MALFORMED", third, nil, func(b []byte) []byte { return b[:len(b)-1] }},
		{"a path of 65", "MALFORMED", third, func(l []*link) { l[1].note = nil }, func(b []byte) []byte {
			return cat(b[:25+4+400], be32(65), make([]byte, 65*32), b[25+4+400+4+32:])
		}},
		{"a path of 64", "MALFORMED", third, nil, func(b []byte) []byte {
			return cat(b[:25+4+400], be32(64), make([]byte, 64*32), b[25+4+400+4+32:])
		}},
		{"checkpoint too large", "MALFORMED", third, func(l []*link) {
			l[0].note = func(text string) string { return text + signatureLine("stranger", make([]byte, 25_000)) }
		}, nil},
		{"addresses too large", "MALFORMED", third, func(l []*link) { l[0].addresses = strings.Repeat("a", 33_000) + ":1,," }, nil},
		{"no seal", "MALFORMED", third, func(l []*link) { l[0].seal = resized(399) }, nil},
		{"a seal of another kind", "MALFORMED", third, func(l []*link) { l[0].seal = set(1, 1) }, nil},
		{"another chain", "MALFORMED", third, func(l []*link) { l[0].seal = set(8, 9) }, nil},
		{"another epoch", "MALFORMED", third, func(l []*link) { l[1].seal = set(6+34, be64(3)...) }, nil},
		{"a height not above the last", "MALFORMED", third, func(l []*link) { l[1].height = l[0].height }, nil},
		{"another set than the last named", "MALFORMED", third, func(l []*link) { l[1].own = make([]byte, 32) }, nil},
		{"a set that nobody pinned", "VERIFIED", third, func(l []*link) { l[0].own = make([]byte, 32) }, nil},
		{"the same set goes on", "MALFORMED", third, func(l []*link) { l[1].set, l[1].next = setOf(validatorsOf(2), sameKey), l[1].own }, nil},
		{"another next set", "MALFORMED", third, func(l []*link) { l[1].next = make([]byte, 32) }, nil},
		{"no set", "MALFORMED", third, func(l []*link) { l[1].set = []byte("x"); l[1].next = sha(l[1].set) }, nil},
		{"set of another tag", "MALFORMED", third, func(l []*link) { l[1].set[0] = 'x'; l[1].next = sha(l[1].set) }, nil},
		{"set too long", "MALFORMED", third, func(l []*link) { l[1].set = append(l[1].set, 0); l[1].next = sha(l[1].set) }, nil},
		{"nobody in the set", "MALFORMED", third, named(), nil},
		{"eight in the set", "MALFORMED", third, named("a", "b", "c", "d", "e", "f", "g", "h"), nil},
		{"a name too long", "MALFORMED", third, named(strings.Repeat("n", 130)), nil},
		{"others in the set", "QUORUM_SHORT", third, named("acme/v1", "acme/v2", "acme/v3", "acme/v5", "acme/v6", "acme/v7", "acme/v8"), nil},
		{"a validator with the name of a witness", "MALFORMED", third, named("outside"), nil},
		{"a validator with the key of a witness", "MALFORMED", third, func(l []*link) {
			l[1].set = setOf([]string{"acme/v1"}, func(string) string { return "outside" })
			l[1].next = sha(l[1].set)
		}, nil},
		{"a validator with the name of the group", "MALFORMED", third, named("validators"), nil},
		{"a validator with the name of another group", "MALFORMED", third, named("both"), nil},
		{"addresses", "VERIFIED", third, func(l []*link) { l[0].addresses = "a:1,[::1]:65535," }, nil},
		{"no address", "VERIFIED", third, func(l []*link) { l[0].addresses = ",," }, nil},
		{"fewer addresses", "MALFORMED", third, func(l []*link) { l[0].addresses = "a:1,b:2" }, nil},
		{"more addresses", "MALFORMED", third, func(l []*link) { l[0].addresses = "a:1,b:2,c:3,d:4" }, nil},
		{"port 0", "MALFORMED", third, func(l []*link) { l[0].addresses = "a:0,," }, nil},
		{"port 65536", "MALFORMED", third, func(l []*link) { l[0].addresses = "a:65536,," }, nil},
		{"a port with a sign", "MALFORMED", third, func(l []*link) { l[0].addresses = "a:+80,," }, nil},
		{"a port with a zero before it", "MALFORMED", third, func(l []*link) { l[0].addresses = "a:080,," }, nil},
		{"a port that is no decimal", "MALFORMED", third, func(l []*link) { l[0].addresses = "a:0x50,," }, nil},
		{"no host", "MALFORMED", third, func(l []*link) { l[0].addresses = ":1,," }, nil},
		{"no port", "MALFORMED", third, func(l []*link) { l[0].addresses = "a,," }, nil},
		{"a space", "MALFORMED", third, func(l []*link) { l[0].addresses = "a b:1,," }, nil},
		{"no checkpoint", "MALFORMED", third, func(l []*link) { l[0].note = func(string) string { return "x" } }, nil},
		{"too few at the end", "QUORUM_SHORT", third, func(l []*link) { l[0].signers = l[0].signers[:3] }, nil},
		{"no log at the end", "QUORUM_SHORT", third, func(l []*link) { l[0].signers = l[0].signers[1:] }, nil},
		{"those of the next at the end", "QUORUM_SHORT", third, func(l []*link) { l[0].signers = signersOf(2) }, nil},
		{"a checkpoint beyond the end", "MALFORMED", third, func(l []*link) { l[0].size = 1 }, nil},
		{"an end that is elsewhere", "MALFORMED", third, func(l []*link) { l[0].first = 0 }, nil},
		{"an end below the last", "MALFORMED", third, func(l []*link) { l[1].first = 1 }, nil},
		{"an end below the last, in another history", "MALFORMED", third, func(l []*link) { l[1].first, l[1].alone = 0, true }, nil},
		{"an epoch of one block", "UNKNOWN_EPOCH", third, nil, func([]byte) []byte {
			l := links()[:1]
			l[0].first, l[0].alone = 0, true
			return chainOf(l)
		}},
		{"another leaf below the checkpoint", "MALFORMED", third, nil, func(b []byte) []byte {
			b[25+4+400+4] ^= 1
			return b
		}},
		{"the second alone", "MALFORMED", third, nil, func([]byte) []byte { return chainOf(links()[1:]) }},
		{"none", "UNKNOWN_EPOCH", third, nil, func([]byte) []byte { return chainOf(nil) }},
	} {
		all := links()
		if c.change != nil {
			c.change(all)
		}
		pinned := p
		if strings.Contains(c.name, "of a witness") || strings.Contains(c.name, "another group") {
			members := strings.Replace(forgedPolicy(), "quorum", outside+"group both all validators outside\nquorum", 1)
			pinned = policyFrom(t, members)
		}
		verdict, _, refused := judged(pinned, apply(c.edit, chainOf(all)), []byte(c.proof))
		if verdict != c.verdict {
			t.Errorf("%s: %s, should be %s: %v", c.name, verdict, c.verdict, refused)
		}
	}
}

// Anchors of epochs before the pinned one are only taken apart.
func TestChainLimits(t *testing.T) {
	p := policyFrom(t, policyOf(5000))
	signers := signersOf(1)
	for i := range signers[1:] {
		signers[1+i].keyName = cosigner(signers[1+i].secret, 5000)
	}
	proof := []byte(blockOf(1, 5, signers))
	part := func(size int) []byte { return prefixed(make([]byte, size)) }
	anchor := func(seal, hashes, note, set, addresses int) []byte {
		return cat(part(seal), be32(uint32(hashes)), make([]byte, 32*hashes), part(note), part(set), part(addresses))
	}
	most := anchor(400, 64, 32<<10, 32<<10, 32<<10)
	for _, c := range []struct {
		name, verdict string
		count         int
		anchor        []byte
	}{
		{"one of the largest", "VERIFIED", 1, most},
		{"as many as there may be", "VERIFIED", 4096, anchor(0, 0, 0, 0, 0)},
		{"one more", "MALFORMED", 4097, anchor(0, 0, 0, 0, 0)},
		{"as large as may be", "VERIFIED", 32 << 20 / len(most), most},
		{"larger", "MALFORMED", 32<<20/len(most) + 1, most},
		{"seal", "MALFORMED", 1, anchor(401, 0, 0, 0, 0)},
		{"path", "MALFORMED", 1, anchor(0, 65, 0, 0, 0)},
		{"checkpoint", "MALFORMED", 1, anchor(0, 0, 32<<10+1, 0, 0)},
		{"set", "MALFORMED", 1, anchor(0, 0, 0, 32<<10+1, 0)},
		{"addresses", "MALFORMED", 1, anchor(0, 0, 0, 0, 32<<10+1)},
	} {
		chain := cat([]byte("vigil/epoch-chain/v1\x00"), be32(uint32(c.count)), bytes.Repeat(c.anchor, c.count))
		if verdict, _, refused := judged(p, chain, proof); verdict != c.verdict {
			t.Errorf("%s: %s, should be %s: %v", c.name, verdict, c.verdict, refused)
		}
	}
}

// A witness outside is asked for heads, and not for ends of epochs.
func TestWitnessesOutsideStayOverEpochs(t *testing.T) {
	text := strings.Replace(forgedPolicy(), "quorum validators", "witness outside "+keyOf("out.example", 4, publicKey("outside"))+
		"\ngroup both all validators outside\nquorum both", 1)
	p := policyFrom(t, text)
	chain := chainOf(links())
	witnessed := append(signersOf(3), signer{"out.example", "outside", 5})
	if verdict, facts, refused := judged(p, chain, []byte(blockOf(1, 5, witnessed))); verdict != "VERIFIED" ||
		!strings.Contains(facts, "witness: acme/v4 ") || !strings.Contains(facts, "witness: outside 5\n") {
		t.Errorf("%s %v\n%s", verdict, refused, facts)
	}
	if verdict, _, refused := judged(p, chain, []byte(blockOf(1, 5, signersOf(3)))); verdict != "QUORUM_SHORT" {
		t.Errorf("without it: %s %v", verdict, refused)
	}
}

// The newest epoch is not asked where an older one is named, even if it would do.
func TestNamesSayWhichEpochDecides(t *testing.T) {
	p := policyFrom(t, strings.Replace(forgedPolicy(), "quorum validators", "witness outside "+keyOf("out.example", 4, publicKey("outside"))+
		"\nquorum outside", 1))
	signers := []signer{{origin, "log acme/v4", 0}, {"out.example", "outside", 5}}
	if verdict, _, refused := judged(p, chainOf(links()), []byte(blockOf(1, 5, signers))); verdict != "VERIFIED" {
		t.Errorf("none named: %s %v", verdict, refused)
	}
	signers = append(signers, signer{cosigner("acme/v1", 2), "acme/v1", 5})
	if verdict, _, refused := judged(p, chainOf(links()), []byte(blockOf(1, 4, signers))); verdict != "QUORUM_SHORT" {
		t.Errorf("the second named: %s %v", verdict, refused)
	}
}

// Only a policy of one log and one epoch, decided by its validators, leads to the next.
func TestPoliciesThatDoNotLeadOn(t *testing.T) {
	good := forgedPolicy()
	for name, text := range map[string]string{
		"another threshold":    strings.Replace(good, "validators 3", "validators 2", 1),
		"a smaller group":      strings.Replace(strings.Replace(good, "validators 3", "validators 2", 1), " acme/v3\nquorum", "\nquorum", 1),
		"no group":             good[:strings.Index(good, "group")] + "quorum acme/v0\n",
		"somebody else inside": strings.Replace(good, "group validators 3", "witness w "+keyOf("w", 4, publicKey("w"))+"\ngroup validators 3 w", 1),
		"two epochs":           strings.Replace(good, keyOf(cosigner("acme/v3", 1), 4, publicKey("acme/v3")), keyOf(cosigner("acme/v3", 2), 4, publicKey("acme/v3")), 1),
		"epoch 0": strings.NewReplacer(keyOf(cosigner("acme/v0", 1), 4, publicKey("acme/v0")), keyOf(cosigner("acme/v0", 0), 4, publicKey("acme/v0"))).
			Replace("log " + keyOf(origin, 1, publicKey("log")) + "\nwitness a " + keyOf(cosigner("acme/v0", 1), 4, publicKey("acme/v0")) + "\ngroup g 1 a\nquorum g\n"),
		"two logs": "log " + keyOf("other", 1, publicKey("other")) + "\n" + good,
		"no epoch": "log " + keyOf(origin, 1, publicKey("log")) + "\nquorum none\n",
	} {
		p := policyFrom(t, text)
		if refused := attempt(p.findValidators); refused == nil {
			t.Errorf("%s: leads on", name)
		}
	}
	p := policyFrom(t, good)
	if refused := attempt(p.findValidators); refused != nil {
		t.Error(refused)
	}
}

func TestPolicyLimits(t *testing.T) {
	good := forgedPolicy()
	comment := "#" + strings.Repeat("c", 1<<20-len(good)-2) + "\n"
	policyFrom(t, comment+good)
	vkey := keyOf("w", 4, publicKey("w"))
	for name, text := range map[string]string{
		"too large":        "#" + comment + good,
		"another key hash": strings.Replace("witness w "+vkey+"\nquorum w\n", vkey[2:10], keyOf("x", 4, publicKey("w"))[2:10], 1),
		"another log key hash": strings.Replace("log "+keyOf("w", 1, publicKey("w"))+"\nquorum none\n",
			keyOf("w", 1, publicKey("w"))[2:10], keyOf("x", 1, publicKey("w"))[2:10], 1),
		"kind 7":           "witness w " + keyOf("w", 7, publicKey("w")) + "\nquorum w\n",
		"kind 0":           "witness w " + keyOf("w", 0, publicKey("w")) + "\nquorum w\n",
		"a log of kind 4":  "log " + vkey + "\nquorum none\n",
		"short key":        "witness w " + keyOf("w", 4, publicKey("w")[:31]) + "\nquorum w\n",
		"none as a name":   "witness none " + vkey + "\nquorum none\n",
		"none as a member": "witness w " + vkey + "\ngroup g 1 none\nquorum g\n",
		"below":            "quorum w\nwitness w " + vkey + "\n",
		"members twice":    "witness w " + vkey + "\ngroup g 1 w\ngroup h 1 w\nquorum h\n",
		"of itself":        "witness w " + vkey + "\ngroup g 1 w g\nquorum g\n",
		"group of a name":  "witness w " + vkey + "\ngroup w 1 w\nquorum w\n",
		"no members":       "group g 1\nquorum g\n",
		"threshold 01":     "witness w " + vkey + "\ngroup g 01 w\nquorum g\n",
		"huge threshold":   "witness w " + vkey + "\ngroup g 18446744073709551617 w\nquorum g\n",
		"four fields":      "witness w " + vkey + " https://w more\nquorum w\n",
		"quorum of two":    "quorum none none\n",
	} {
		if refused := attempt(func() { readPolicy(text) }); refused == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func signNote(text, secret string) []byte { return ed25519.Sign(signingKey(secret), []byte(text)) }
