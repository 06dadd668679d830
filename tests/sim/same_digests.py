#!/usr/bin/env python3
"""Runs the same seeds with several builds of vigil-sim and compares the digests.

Usage: same_digests.py PROGRAM PROGRAM ... [--seed 1] [--seeds 8]

A digest that differs means that something depends on the compiler, its options or the process: the
order of a hash map, bytes that nobody set, an address, a distribution of the standard library.
"""
import argparse
import subprocess
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=8)
    arguments = parser.parse_args()
    seen = {}
    for program in arguments.programs:
        run = subprocess.run([program, "run", "--digests", "--seed", str(arguments.seed), "--seeds",
                              str(arguments.seeds)], text=True, capture_output=True)
        lines = run.stdout.splitlines()
        if len(lines) != arguments.seeds:
            sys.exit(f"same_digests: {program}: {run.stdout}{run.stderr}")
        for line in lines:
            name, digest = line.rsplit(" ", 1)
            seen.setdefault(name, {}).setdefault(digest, []).append(program)
    differing = {name: digests for name, digests in seen.items() if len(digests) > 1}
    for name, digests in differing.items():
        for digest, programs in digests.items():
            print(f"{name} {digest} {' '.join(programs)}")
    print(f"same_digests: {len(seen)} seeds, {len(arguments.programs)} builds, "
          f"{len(differing)} seeds differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
