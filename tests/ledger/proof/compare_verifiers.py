#!/usr/bin/env python3
"""Runs the C++ and the Go verifier on one seeded corpus and demands equal verdicts and facts, but for
what docs/decisions/0007 leaves out of the second one.

Exits 77, which ctest shows as skipped, where there is no go. VIGIL_TEST_SEED picks another corpus,
VIGIL_CORPUS_COUNT another size.
"""
import argparse
import os
import pathlib
import shutil
import struct
import subprocess
import sys

COUNT = 4000


def entries(folder):
    data = (folder / "corpus.bin").read_bytes()
    lines = (folder / "expected.txt").read_text().splitlines()
    at = 0
    for line in lines:
        (size,) = struct.unpack_from(">I", data, at)
        how, said = line.split("\t")
        yield how, data[at + 4:at + 4 + size], said
        at += 4 + size


def check_program(program, folder):
    """The program's output and exit code on one file of every verdict, and on wrong usage."""
    examples = {}
    for how, file, line in entries(folder):
        # What a quorum forged may be told otherwise; `go test` says how.
        if how in ("good", "lines", "mix", "signers", "extra"):
            examples.setdefault(line.split(" ")[0], (file, line))
    for verdict, (file, line) in sorted(examples.items()):
        path = folder / "example.tlog-proof"
        path.write_bytes(file)
        run = subprocess.run([program, path, "--policy", folder / "policy.txt"],
                             capture_output=True, text=True)
        lines = run.stdout.splitlines()
        facts = ["=".join(fact.split(": ", 1)) for fact in lines[:-1]]
        expected = 0 if verdict == "VERIFIED" else 6
        said = {"UNKNOWN_EPOCH": "QUORUM_SHORT"}.get(verdict, verdict)
        if lines[-1].split(":")[0] != said or run.returncode != expected or any(f not in line for f in facts):
            sys.exit(f"{verdict}: exit {run.returncode}, output:\n{run.stdout}{run.stderr}")
    for args in ([], ["x"], ["x", "--policy"], ["--policy", "x"], ["x", "y", "--policy", "z"],
                 ["x", "--what", "--policy", "z"], [folder / "none", "--policy", folder / "policy.txt"]):
        code = subprocess.run([program, *args], capture_output=True).returncode
        if code != 2:
            sys.exit(f"{args}: exit {code}, 2 is usage")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--go", required=True, type=pathlib.Path)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    options = parser.parse_args()
    go = shutil.which("go")
    if go is None:
        print("skipped: no go on this machine (Debian: apt install golang-go)")
        return 77
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    work = options.work.resolve()
    seed = os.environ.get("VIGIL_TEST_SEED", "1")
    count = os.environ.get("VIGIL_CORPUS_COUNT", str(COUNT))
    print(f"replay with VIGIL_TEST_SEED={seed}", flush=True)
    subprocess.run([options.corpus, work, seed, count], check=True)
    environment = dict(os.environ, VIGIL_CORPUS=str(work), GOFLAGS="-mod=mod", GOPROXY="off",
                       GOTOOLCHAIN="local", GOCACHE=str(work.parent / "go-cache"), CGO_ENABLED="0")
    subprocess.run([go, "build", "-o", work / "vigil-verify", "."], cwd=options.go, check=True,
                   env=environment)
    tests = subprocess.run([go, "test", "-count=1", "-v", "."], cwd=options.go, env=environment)
    if tests.returncode != 0:
        return 1
    check_program(work / "vigil-verify", work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
