#!/usr/bin/env python3
"""Prints how many published vectors of each folder the tests judged, and demands that it is all of them.

Usage: table.py TEST_BINARY...

Runs the tests tagged [vectors] of each binary and adds up the lines that they print (CountVectors of
tests/support/vectors.h). The published counts are taken from the files themselves. Exits 77, which ctest
shows as skipped, where the vectors are not beside the checkout (below $VIGIL_SHARED_DIR, else ../shared).
"""
import collections
import json
import os
import pathlib
import subprocess
import sys


def cases(file):
    """Of a file of JSON: a list of cases, or Wycheproof's groups."""
    content = json.loads(file.read_text())
    return len(content) if isinstance(content, list) else sum(len(group["tests"]) for group in content["testGroups"])


def published(folder):
    """How many cases each folder holds, counted in its own form."""
    tessera = folder / "tessera-testlog/testdata/log"
    notes = json.loads((folder / "signed-note-examples/notes.json").read_text())
    ristretto = json.loads((folder / "ristretto255-encodings/vectors.json").read_text())
    voprf = json.loads((folder / "voprf-rfc9497/allVectors.json").read_text())
    return {
        "cctv-ed25519": cases(folder / "cctv-ed25519/ed25519vectors.json"),
        "ed25519-speccheck": cases(folder / "ed25519-speccheck/cases.json"),
        "ristretto255-encodings": sum(map(len, ristretto.values())),
        "signed-note-examples": len(notes["notes"]) + len(notes["bad_vkeys"]),
        "tessera-testlog": len(list(tessera.glob("checkpoint.*"))) + len(list(tessera.glob("tile/*/000.p/*"))),
        "tlog-proof-derived": len(list((folder / "tlog-proof-derived").glob("*.tlog-proof"))),
        "transparency-dev-merkle": len(list((folder / "transparency-dev-merkle/testdata").rglob("*.json"))),
        "voprf-rfc9497": sum(len(group["vectors"]) for group in voprf),
        "wycheproof": sum(map(cases, (folder / "wycheproof").glob("*_test.json"))),
    }


def main():
    source = pathlib.Path(os.environ.get("VIGIL_SOURCE_DIR", pathlib.Path(__file__).parents[3]))
    folder = pathlib.Path(os.environ.get("VIGIL_SHARED_DIR", source / ".." / "shared")) / "vectors"
    if not folder.is_dir():
        print(f"skipped: {folder} is not there")
        return 77
    judged = collections.defaultdict(list)
    for binary in sys.argv[1:]:
        done = subprocess.run([binary, "[vectors]"], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{binary}: exit {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        for line in done.stdout.splitlines():
            if line.startswith("vectors\t"):
                _, name, what, count = line.split("\t")
                judged[name].append((what, int(count)))
    expected = published(folder)
    wrong = sorted(set(expected) ^ {one.name for one in folder.iterdir() if one.is_dir()})
    print(f"{'folder':<26}{'published':>10}{'judged':>8}  of what")
    for name, count in sorted(expected.items()):
        rows = judged[name]
        done = sum(n for what, n in rows if not what.startswith("not checked"))
        left = sum(n for what, n in rows if what.startswith("not checked"))
        print(f"{name:<26}{count:>10}{done:>8}  {', '.join(f'{what} {n}' for what, n in rows)}")
        if done + left != count:
            wrong.append(name)
    if wrong:
        sys.exit(f"not every case was judged: {', '.join(wrong)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
