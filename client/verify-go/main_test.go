package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const golden = "../../tests/ledger/proof/golden"

func read(t *testing.T, path ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func testPolicy(t *testing.T, folder, name string) policy {
	t.Helper()
	var p policy
	if refused := attempt(func() { p = readPolicy(read(t, folder, name)) }); refused != nil {
		t.Fatal(refused)
	}
	return p
}

// judged is what the verifier says of a file, in the form of the program's output; chain is nil or
// an epoch chain.
func judged(p policy, chain, file []byte) (verdict, facts string, refused *refusal) {
	var out strings.Builder
	refused = attempt(func() {
		epochs := []policy{p}
		if chain != nil {
			epochs[0].findValidators()
			epochs = readEpochs(epochs[0], chain)
		}
		verify(epochs, string(file), &out)
	})
	verdict = "VERIFIED"
	if refused != nil {
		verdict = refused.verdict
	}
	return verdict, out.String(), refused
}

// oneLine is the verdict and the facts, as the corpus has them.
func oneLine(p policy, file []byte) string {
	line, facts, _ := judged(p, nil, file)
	for _, fact := range strings.Split(strings.TrimSuffix(facts, "\n"), "\n") {
		if fact != "" {
			line += " " + strings.Replace(fact, ": ", "=", 1)
		}
	}
	return line
}

// What this verifier does not report.
var unreported = regexp.MustCompile(" (leaf_hash|author|author_key|stream|sequence|block_epoch|block_time_unix_ms|" +
	"block_proposer|block_first|block_records|item_count|event_leaf_hash|event_bytes|event_type_uid)=[^ ]*")

// agrees says whether this verifier says what the other does, but for what docs/decisions/0007
// leaves to it. `how` is how the file was made.
func agrees(how, here, there string) bool {
	there = unreported.ReplaceAllString(unreported.ReplaceAllString(there, ""), "")
	here = unreported.ReplaceAllString(here, "")
	hereVerdict, hereFacts, _ := strings.Cut(here, " ")
	thereVerdict, thereFacts, _ := strings.Cut(there, " ")
	if here == there {
		return true
	}
	// What a quorum is known to have signed, and is not canonical, or is of an epoch to come.
	forged := strings.HasPrefix(how, "record of kind") || how == "event" || how == "result"
	sealed := how == "seal" || how == "block seal" || how == "covering seal"
	if thereVerdict == "MALFORMED" && forged || thereVerdict == "UNKNOWN_EPOCH" && sealed {
		return strings.HasPrefix(hereFacts, thereFacts)
	}
	// Elsewhere the two may differ in why they refuse, and never in whether.
	refusals := map[string]string{"UNKNOWN_EPOCH": "QUORUM_SHORT", "MALFORMED": "QUORUM_SHORT"}
	return refusals[thereVerdict] == hereVerdict && hereFacts == thereFacts
}

func TestGoldenProofsVerify(t *testing.T) {
	p := testPolicy(t, golden, "policy.txt")
	for name, want := range map[string]string{"event": " event_source=zeek.conn", "record": " kind=heartbeat ",
		"block": " subject=block block_height=3 "} {
		line := oneLine(p, []byte(read(t, golden, name+".tlog-proof")))
		if !strings.HasPrefix(line, "VERIFIED origin=test.vigil/") || !strings.Contains(line, want) {
			t.Errorf("%s: %s", name, line)
		}
	}
}

func TestFlippedBitsNeverVerifyOtherFacts(t *testing.T) {
	p := testPolicy(t, golden, "policy.txt")
	// A cosigner whose line was renamed is a stranger and counts no more; three are enough.
	witness := regexp.MustCompile(" witness=[^ ]* ?[0-9]*")
	for _, name := range []string{"event", "record", "block"} {
		file := []byte(read(t, golden, name+".tlog-proof"))
		want := witness.ReplaceAllString(oneLine(p, file), "")
		for i := range file {
			flipped := append([]byte(nil), file...)
			flipped[i] ^= 1 << (i % 8)
			line := oneLine(p, flipped)
			if strings.HasPrefix(line, "VERIFIED") &&
				(witness.ReplaceAllString(line, "") != want || strings.Count(line, " witness=") < 3) {
				t.Errorf("%s, byte %d: %s", name, i, line)
			}
		}
	}
}

// Of an epoch chain only lines of cosigners that are not needed, and addresses, may change.
func TestFlippedBitsOfAChainNeverLeadElsewhere(t *testing.T) {
	p := policyFrom(t, forgedPolicy())
	proof := []byte(blockOf(1, 5, signersOf(3)))
	all := links()
	all[0].signers = all[0].signers[:4] // The log and three of four,
	all[1].signers = all[1].signers[:3] // and two of three: all are needed.
	all[1].addresses = "a:1,b:2,,d:44"
	chain := chainOf(all)
	free := bytes.Index(chain, []byte(all[1].addresses))
	if verdict, _, refused := judged(p, chain, proof); verdict != "VERIFIED" {
		t.Fatal(refused)
	}
	for i := range chain {
		flipped := append([]byte(nil), chain...)
		flipped[i] ^= 1 << (i % 8)
		verdict, _, _ := judged(p, flipped, proof)
		if verdict == "VERIFIED" && (i < free || i >= free+len(all[1].addresses)) {
			t.Errorf("byte %d of %d", i, len(chain))
		}
	}
}

func TestPolicyRefusals(t *testing.T) {
	good := read(t, golden, "policy.txt")
	lines := strings.SplitAfter(good, "\n")
	witness := strings.Fields(lines[1])
	for name, text := range map[string]string{
		"no quorum":           strings.Join(lines[:len(lines)-2], ""),
		"two quorums":         good + "quorum none\n",
		"unknown keyword":     good + "logs x\n",
		"unknown name":        good + "group more 1 nobody\n",
		"member twice":        good + "group more 1 " + witness[1] + "\n",
		"name twice":          good + lines[1],
		"key twice":           good + "witness other " + witness[2] + "\n",
		"log key of a log":    good + lines[0],
		"witness key as log":  "log " + witness[2] + "\nquorum none\n",
		"threshold zero":      lines[1] + "group g 0 " + witness[1] + "\nquorum g\n",
		"threshold too large": lines[1] + "group g 2 " + witness[1] + "\nquorum g\n",
		"no newline":          strings.TrimSuffix(good, "\n"),
		"wrong key hash":      strings.Replace(good, "+", "+0", 1),
		"empty":               "",
	} {
		if refused := attempt(func() { readPolicy(text) }); refused == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, text := range map[string]string{
		"comments and tabs": "# c\n\n \t" + strings.ReplaceAll(good, " ", "\t  "),
		"a url":             strings.Replace(good, "\n", " https://log.example/\n", 1),
		"one witness":       lines[1] + "quorum " + witness[1] + "\n",
		"no one":            "quorum none\n",
	} {
		if refused := attempt(func() { readPolicy(text) }); refused != nil {
			t.Errorf("%s: %v", name, refused)
		}
	}
}

// The corpus of tests/ledger/proof/proof_corpus.cc, below the folder in VIGIL_CORPUS.
func TestCorpus(t *testing.T) {
	folder := os.Getenv("VIGIL_CORPUS")
	if folder == "" {
		t.Skip("VIGIL_CORPUS names no corpus")
	}
	p := testPolicy(t, folder, "policy.txt")
	rest := []byte(read(t, folder, "corpus.bin"))
	lines := strings.Split(strings.TrimSuffix(read(t, folder, "expected.txt"), "\n"), "\n")
	verdicts, lenient, wrong := map[string]int{}, map[string]int{}, 0
	for i, line := range lines {
		size := binary.BigEndian.Uint32(rest)
		file := rest[4 : 4+size]
		rest = rest[4+size:]
		how, want, _ := strings.Cut(line, "\t")
		got := oneLine(p, file)
		verdicts[strings.Fields(got)[0]]++
		if agrees(how, got, want) {
			if !strings.HasPrefix(want, strings.Fields(got)[0]) {
				lenient[strings.Fields(want)[0]+" there, "+strings.Fields(got)[0]+" here, "+strings.Fields(how)[0]]++
			}
			continue
		}
		if wrong++; wrong <= 10 {
			path := filepath.Join(folder, fmt.Sprintf("disagree-%d.tlog-proof", i))
			os.WriteFile(path, file, 0o644)
			_, _, refused := judged(p, nil, file)
			t.Errorf("%s, %s\n here: %s (%v)\nthere: %s", path, how, got, refused, want)
		}
	}
	if len(rest) != 0 || wrong > 0 {
		t.Errorf("%d of %d disagree; %d bytes are left over", wrong, len(lines), len(rest))
	}
	t.Logf("%d files: %v; differing as docs/decisions/0007 says: %v", len(lines), verdicts, lenient)
	for _, verdict := range strings.Fields("VERIFIED PAYLOAD_MISSING PAYLOAD_MISMATCH NOT_INCLUDED " +
		"QUORUM_SHORT MALFORMED") {
		if verdicts[verdict] == 0 {
			t.Errorf("the corpus never reaches %s", verdict)
		}
	}
}

// The corpus of epoch chains, with a proof each.
func TestEpochCorpus(t *testing.T) {
	folder := os.Getenv("VIGIL_CORPUS")
	if folder == "" {
		t.Skip("VIGIL_CORPUS names no corpus")
	}
	p := testPolicy(t, folder, "epochs-policy.txt")
	rest := []byte(read(t, folder, "epochs.bin"))
	take := func() []byte {
		size := binary.BigEndian.Uint32(rest)
		part := rest[4 : 4+size]
		rest = rest[4+size:]
		return part
	}
	verdicts, wrong := map[string]int{}, 0
	for i, line := range strings.Split(strings.TrimSuffix(read(t, folder, "epochs.txt"), "\n"), "\n") {
		chain, file := take(), take()
		how, want, _ := strings.Cut(line, "\t")
		got, _, refused := judged(p, chain, file)
		verdicts[got]++
		// The two may differ in whether a line is no signature or one that does not verify.
		form := func(v string) bool { return v == "MALFORMED" || v == "QUORUM_SHORT" }
		if got != want && !(form(got) && form(want) && strings.HasPrefix(how, "damage")) {
			if wrong++; wrong <= 10 {
				t.Errorf("%d, %s: here %s (%v), there %s", i, how, got, refused, want)
			}
		}
	}
	if len(rest) != 0 || wrong > 0 {
		t.Errorf("%d disagree; %d bytes are left over", wrong, len(rest))
	}
	t.Logf("epochs: %v", verdicts)
	for _, verdict := range strings.Fields("VERIFIED MALFORMED QUORUM_SHORT UNKNOWN_EPOCH KEY_REVOKED") {
		if verdicts[verdict] == 0 {
			t.Errorf("the corpus never reaches %s", verdict)
		}
	}
}
