#!/usr/bin/env python3
"""Has clang check the lock annotations (-Wthread-safety) and the #includes of whatever uses vigil::Mutex.

Usage: locks.py BUILD_FOLDER        a folder that `cmake --preset clang` configured

Reads every source of ours that includes ledger/base/mutex.h, directly or through headers of ours, without making
code: minutes less than a build. Exits 1 when clang has something to say.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FOLDERS = ("ledger", "consensus", "detector", "node", "client")
MUTEX = "ledger/base/mutex.h"
WITH_VALUE = ("-o", "-MF", "-MT")
OF_A_BUILD = ("-c", "-MD", "-MMD")


def reaches_mutex(source):
    waiting, seen = [source], set()
    while waiting:
        name = waiting.pop()
        if name == MUTEX:
            return True
        path = ROOT / name
        if name not in seen and path.exists():
            seen.add(name)
            waiting += re.findall(r'^#include "([^"]+)"', path.read_text(), re.M)
    return False


def check(entry):
    words, kept = shlex.split(entry["command"]), []
    skip = False
    for word in words:
        if skip or word in WITH_VALUE:
            skip = not skip
        elif word not in OF_A_BUILD and os.path.basename(word) != "ccache":
            kept.append(word)
    done = subprocess.run(kept + ["-fsyntax-only"], cwd=entry["directory"], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    targets = subprocess.run(["ninja", "-C", build, "-t", "targets", "all"], capture_output=True, text=True, check=True)
    headers = [line.split(":")[0] for line in targets.stdout.splitlines() if line.split(":")[0].endswith(".pb.h")]
    subprocess.run(["ninja", "-C", build, "--quiet"] + headers, check=True)
    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        name = os.path.relpath(entry["file"], ROOT)
        if name.split("/")[0] in FOLDERS and reaches_mutex(name):
            entries[name] = entry
    if not entries or "clang" not in next(iter(entries.values()))["command"]:
        sys.exit(f"locks: {build} was not configured with: cmake --preset clang")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, (code, said) in zip(entries, pool.map(check, entries.values())):
            if code != 0:
                failed += 1
                print(f"{name}\n{said}", file=sys.stderr)
    print(f"locks: {len(entries)} sources use vigil::Mutex, clang finds fault with {failed}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
