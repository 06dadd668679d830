// Interop checks what a running Vigil network publishes with libraries that its authors did not
// write: golang.org/x/mod/sumdb (note, tlog), transparency-dev/formats (cosignatures, witness
// policy, tlog-proof) and transparency-dev/tessera (tile client, fsck). The code here only carries
// bytes to them; the one thing of Vigil's that it reads is where the leaf lies in a proof's extra
// (docs/formats/proof.md).
//
//	interop mirror --url URL --dir DIR                         copy of a log over HTTP
//	interop fsck   --dir DIR --policy FILE --flips N           tessera fsck of the copy
//	interop tlog   --dir DIR --policy FILE --old CHECKPOINT --samples N
//	interop prove  --dir DIR --index I --out FILE              a tlog-proof from the copy's tiles
//	interop checkpoint --policy FILE --demanding FILE CHECKPOINT   its lines, and every altered byte
//	interop proof  --policy FILE [--leaf FILE] PROOF ...       proofs, and every altered byte of them
//
// Each prints one JSON object per line and exits with 0 only if all held.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"k8s.io/klog/v2"
)

// A report is one line of the table: what was checked, and of altered copies how many were refused.
type report struct {
	Tool    string `json:"tool"`
	What    string `json:"what"`
	Checked int    `json:"checked"`
	Altered int    `json:"altered"`
	Refused int    `json:"refused"`
	// Altered copies that decode to the very same values: unused bits of base64.
	Same int `json:"same"`
	// Altered copies whose only difference is in bytes that stock tools do not interpret.
	Unread int `json:"unread"`
}

func (r report) print() error {
	if r.Refused+r.Same+r.Unread != r.Altered {
		return fmt.Errorf("%s, %s: %d of %d altered copies were taken as good", r.Tool, r.What,
			r.Altered-r.Refused-r.Same-r.Unread, r.Altered)
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func main() {
	klog.SetOutput(os.Stderr)
	commands := map[string]func(context.Context, []string) error{
		"mirror": mirrorCommand, "fsck": fsckCommand, "tlog": tlogCommand,
		"prove": proveCommand, "proof": proofCommand,
		"checkpoint": checkpointCommand,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: interop mirror|fsck|tlog|prove|proof|checkpoint [flags]")
		os.Exit(2)
	}
	if err := commands[os.Args[1]](context.Background(), os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "interop %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
