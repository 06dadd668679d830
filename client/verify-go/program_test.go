package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The test program is the verifier itself when it is told so.
func TestMain(m *testing.M) {
	if os.Getenv("VIGIL_VERIFY_MAIN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestProgram(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	policy, none := write("policy", forgedPolicy()), filepath.Join(folder, "none")
	unfit := write("unfit", "log "+keyOf(origin, 1, publicKey("log acme/v1"))+"\nquorum none\n")
	bad, empty := write("bad", strings.Replace(forgedPolicy(), "quorum", "quota", 1)), write("empty", "")
	chain := write("chain", string(chainOf(links())))
	third, first := write("third", blockOf(1, 5, signersOf(3))), write("first", blockOf(1, 2, signersOf(1)))
	for _, c := range []struct {
		args string
		code int
		said string // How the last line begins, on stdout but for usage.
	}{
		{first + " --policy " + policy, 0, "VERIFIED"},
		{third + " --policy " + policy + " --epochs " + chain, 0, "VERIFIED"},
		{third + " --policy " + policy, 6, `QUORUM_SHORT: "`},
		{third + " --policy " + policy + " --epochs " + empty, 6, `MALFORMED: "`},
		{third + " --policy " + policy + " --epochs " + first, 6, `MALFORMED: "`},
		{empty + " --policy " + policy, 6, `MALFORMED: "`},
		{third + " --policy " + unfit + " --epochs " + chain, 2, ""},
		{third + " --policy " + bad, 2, ""},
		{third + " --policy " + empty, 2, ""},
		{none + " --policy " + policy, 2, ""},
		{third + " --policy " + none, 2, ""},
		{third + " --policy " + policy + " --epochs " + none, 2, ""},
		{third + " --policy " + policy + " --what " + chain, 2, ""},
		{third + " --what " + policy, 2, ""},
		{third + " --policy " + policy + " --epochs", 2, ""},
		{third, 2, ""},
		{"", 2, ""},
	} {
		command := exec.Command(os.Args[0], strings.Fields(c.args)...)
		command.Env = append(os.Environ(), "VIGIL_VERIFY_MAIN=1")
		var errors strings.Builder
		command.Stderr = &errors
		out, _ := command.Output()
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		usage := c.code != 2 || len(out) == 0 && errors.Len() > 0 && !strings.Contains(errors.String(), "goroutine")
		if code := command.ProcessState.ExitCode(); code != c.code || !strings.HasPrefix(lines[len(lines)-1], c.said) || !usage {
			t.Errorf("%s: exit %d, should be %d\n%s%s", c.args, code, c.code, out, errors.String())
		}
	}
}
