package main

import (
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

func testPolicy(t *testing.T, folder string) *policy {
	t.Helper()
	p, err := readPolicy(read(t, folder, "policy.txt"))
	if err != nil {
		t.Fatal(err)
	}
	return &p
}

// oneLine is the verdict and all facts, as the corpus has them.
func oneLine(p *policy, file []byte) string {
	var facts strings.Builder
	err := verify(p, file, func(name string, value any) { fmt.Fprintf(&facts, " %s=%v", name, value) })
	verdict := "VERIFIED"
	if err != nil {
		verdict = err.(*refusal).verdict
	}
	return verdict + facts.String()
}

func TestGoldenProofsVerify(t *testing.T) {
	p := testPolicy(t, golden)
	for name, want := range map[string]string{"event": " event_source=zeek.conn", "record": " kind=heartbeat ",
		"block": " subject=block block_height=3 "} {
		line := oneLine(p, []byte(read(t, golden, name+".tlog-proof")))
		if !strings.HasPrefix(line, "VERIFIED origin=test.vigil/") || !strings.Contains(line, want) {
			t.Errorf("%s: %s", name, line)
		}
	}
}

func TestFlippedBitsNeverVerifyOtherFacts(t *testing.T) {
	p := testPolicy(t, golden)
	file := []byte(read(t, golden, "event.tlog-proof"))
	// A cosigner whose line was renamed is a stranger and counts no more; three are enough.
	witness := regexp.MustCompile(" witness=[^ ]* ?[0-9]*")
	want := witness.ReplaceAllString(oneLine(p, file), "")
	for i := range file {
		flipped := append([]byte(nil), file...)
		flipped[i] ^= 1 << (i % 8)
		line := oneLine(p, flipped)
		if strings.HasPrefix(line, "VERIFIED") &&
			(witness.ReplaceAllString(line, "") != want || strings.Count(line, " witness=") < 3) {
			t.Errorf("byte %d: %s", i, line)
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
		"control character":   good + "# \x01\n",
		"wrong key hash":      strings.Replace(good, "+", "+0", 1),
		"empty":               "",
	} {
		if _, err := readPolicy(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for name, text := range map[string]string{
		"comments and tabs": "# c\n\n \t" + strings.ReplaceAll(good, " ", "\t  "),
		"a url":             strings.Replace(good, "\n", " https://log.example/\n", 1),
		"one witness":       lines[1] + "quorum " + witness[1] + "\n",
		"no one":            "quorum none\n",
	} {
		if _, err := readPolicy(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The corpus of tests/ledger/proof/proof_corpus.cc, below the folder in VIGIL_CORPUS.
func TestCorpus(t *testing.T) {
	folder := os.Getenv("VIGIL_CORPUS")
	if folder == "" {
		t.Skip("VIGIL_CORPUS names no corpus")
	}
	p := testPolicy(t, folder)
	rest := []byte(read(t, folder, "corpus.bin"))
	lines := strings.Split(strings.TrimSuffix(read(t, folder, "expected.txt"), "\n"), "\n")
	verdicts, wrong := map[string]int{}, 0
	for i, line := range lines {
		size := binary.BigEndian.Uint32(rest)
		file := rest[4 : 4+size]
		rest = rest[4+size:]
		how, want, _ := strings.Cut(line, "\t")
		got := oneLine(p, file)
		verdicts[strings.Fields(got)[0]]++
		if got == want {
			continue
		}
		if wrong++; wrong <= 10 {
			path := filepath.Join(folder, fmt.Sprintf("disagree-%d.tlog-proof", i))
			os.WriteFile(path, file, 0o644)
			err := verify(p, file, func(string, any) {})
			t.Errorf("%s, %s\n here: %s (%v)\nthere: %s", path, how, got, err, want)
		}
	}
	if len(rest) != 0 || wrong > 0 {
		t.Errorf("%d of %d disagree; %d bytes are left over", wrong, len(lines), len(rest))
	}
	t.Logf("%d files: %v", len(lines), verdicts)
	for _, verdict := range strings.Fields("VERIFIED PAYLOAD_MISSING PAYLOAD_MISMATCH NOT_INCLUDED " +
		"QUORUM_SHORT UNKNOWN_EPOCH MALFORMED") {
		if verdicts[verdict] == 0 {
			t.Errorf("the corpus never reaches %s", verdict)
		}
	}
}
