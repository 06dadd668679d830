#!/usr/bin/env python3
"""Builds the detector's core many ways and checks that all print one and the same digest.

Usage: digest.py SOURCE_FOLDER [--require-all]

g++ and clang++ without and with all optimisations for this CPU, sanitizers, and aarch64 and riscv64
under qemu-user. A build whose compiler or emulator is not installed is skipped and named, unless
--require-all is there or VIGIL_REQUIRE_ALL_BUILDS is set; `deploy/install-packages cross` installs them. `golden` beside this file holds the digest.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# (name, compiler, flags, emulator)
BUILDS = [
    ("g++ -O0", "g++", ["-O0"], None),
    ("g++ -O3 native", "g++", ["-O3", "-march=native"], None),
    ("clang++ -O0", "clang++", ["-O0"], None),
    ("clang++ -O3 native", "clang++", ["-O3", "-march=native"], None),
    ("g++ sanitizers", "g++", ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"], None),
    ("aarch64", "aarch64-linux-gnu-g++", ["-O2", "-static"], "qemu-aarch64"),
    ("riscv64", "riscv64-linux-gnu-g++", ["-O2", "-static"], "qemu-riscv64"),
]
EIGEN = "/usr/include/eigen3"


def one_file(source, folder):
    """All of the core in one file: the compiler then reads Eigen once per build."""
    core = sorted(path for part in ("features", "forest", "model") for path in (source / "detector" / part).glob("*.cc"))
    core.append(source / "tests/detector/digest/digest_main.cc")
    whole = folder / "whole.cc"
    whole.write_text("".join(f'#include "{path}"\n' for path in core))
    return whole


def run_build(source, folder, whole, name, compiler, flags, emulator):
    program = folder / "".join(c if c.isalnum() else "_" for c in name)
    # Another CPU's compiler must not see /usr/include, only Eigen, which is headers alone.
    eigen = folder / "eigen"
    if not eigen.exists():
        eigen.symlink_to(EIGEN)
    subprocess.run([compiler, "-std=c++20", *flags, "-I", source, "-isystem", eigen, whole, "-o", program], check=True)
    command = [program] if emulator is None else [emulator, program]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main():
    source = pathlib.Path(sys.argv[1]).resolve()
    require_all = "--require-all" in sys.argv or "VIGIL_REQUIRE_ALL_BUILDS" in os.environ
    golden = (source / "tests/detector/digest/golden").read_text().strip()
    skipped, wrong, good = [], [], 0
    with tempfile.TemporaryDirectory(prefix="vigil-digest-") as name:
        folder = pathlib.Path(name)
        whole = one_file(source, folder)
        for build, compiler, flags, emulator in BUILDS:
            missing = [tool for tool in (compiler, emulator) if tool and shutil.which(tool) is None]
            if missing:
                skipped.append(f"{build} ({', '.join(missing)} not installed)")
                continue
            digest = run_build(source, folder, whole, build, compiler, flags, emulator)
            print(f"{build:20} {digest}", flush=True)
            if digest == golden:
                good += 1
            else:
                wrong.append(build)
    for build in skipped:
        print(f"skipped: {build}")
    if wrong:
        sys.exit(f"{', '.join(wrong)}: not the digest {golden}")
    if good == 0 or (skipped and require_all):
        sys.exit("not every build was made")


if __name__ == "__main__":
    main()
