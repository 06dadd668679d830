#!/usr/bin/env python3
"""Takes one guard out of a copy of the program at a time, and looks for the seed that notices.

Usage: mutations.py WORK_FOLDER [NAME ...] [--seeds 60] [--jobs N] [--only build|run]

Copies the checkout's HEAD into WORK_FOLDER (a git worktree that is made once and can be deleted),
applies each tests/sim/mutations/NAME.patch there (all of them by default), builds vigil-sim and
runs seed after seed until one fails, or the one schedule that the patch names ("Run: --schedule
FILE"), or the cases of a test binary ("Test: TARGET PATTERN"). Prints a line of the table in docs/testing.md per patch. Exits
1 when a guard was not missed by any seed, 2 when a patch no longer applies or builds.
"""
import argparse
import pathlib
import re
import shutil
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
REPOSITORY = FOLDER.parents[2]


def run(arguments, folder, **options):
    return subprocess.run(arguments, cwd=folder, text=True, capture_output=True, **options)


def prepare(work, jobs):
    if not (work / ".git").exists():
        made = run(["git", "worktree", "add", "--detach", str(work), "HEAD"], REPOSITORY)
        if made.returncode:
            sys.exit(f"mutations: {work}: {made.stderr}")
    run(["git", "checkout", "-q", "--force", "--detach",
         run(["git", "rev-parse", "HEAD"], REPOSITORY).stdout.strip()], work)
    run(["cmake", "--preset", "dev"], work, check=True)
    return build(work, jobs)


def build(work, jobs, target="vigil-sim"):
    return run(["cmake", "--build", "--preset", "dev", "--target", target, "-j", str(jobs)], work)


def field(text, name):
    found = re.search(rf"^{name}: (.*)$", text, re.M)
    return found.group(1) if found else None


def target_of(name):
    test = field((FOLDER / f"{name}.patch").read_text(), "Test")
    return test.split()[0] if test else "vigil-sim"


def first_line(ended):
    lines = ended.stdout.splitlines()
    return next((line.strip() for line in lines[1:] if line.strip()), "?")[:160]


def failing_case(program, pattern):
    """The first case of a test binary that fails; None when all pass."""
    ended = run([str(program), pattern, "--reporter", "compact"], FOLDER)
    if ended.returncode == 0:
        return None
    listed = run([str(program), pattern, "--list-test-names-only"], FOLDER).stdout.splitlines()
    for case in filter(None, map(str.strip, listed)):
        if run([str(program), case], FOLDER).returncode:
            return "-", case
    return "-", first_line(ended)


def first_failure(program, options, seeds):
    """Seeds that passed before, and what is wrong; None when nothing is."""
    words = options.split()
    if words[0] == "--schedule":
        ended = run([str(program), "run", *words], REPOSITORY)
        return ("-", first_line(ended)) if ended.returncode else None
    first = int(words[words.index("--seed") + 1])
    rest = words[:words.index("--seed")] + words[words.index("--seed") + 2:]
    for seed in range(first, first + seeds):
        ended = run([str(program), "run", "--seed", str(seed), *rest], FOLDER)
        if ended.returncode:
            return seed, first_line(ended)
    return None


def build_all(work, names, jobs):
    """Builds each mutant to WORK_FOLDER/mutants/NAME. Returns those that cannot be built."""
    (work / "mutants").mkdir(exist_ok=True)
    failed = []
    for name in names:
        run(["git", "checkout", "-q", "."], work)
        made = run(["git", "apply", "--recount", str(FOLDER / f"{name}.patch")], work)
        if made.returncode == 0:
            made = build(work, jobs, target_of(name))
        if made.returncode:
            print(f"mutations: {name}: {(made.stderr or made.stdout)[-2000:]}", file=sys.stderr)
            failed.append(name)
            continue
        target = target_of(name)
        folder = "bin" if target == "vigil-sim" else "tests"
        shutil.copy(work / "build/dev" / folder / target, work / "mutants" / name)
    run(["git", "checkout", "-q", "."], work)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=["build", "run"], help="one half of the work")
    arguments = parser.parse_intermixed_args()
    work = arguments.work.resolve()
    names = arguments.names or sorted(path.stem for path in FOLDER.glob("*.patch"))
    failed = []
    if arguments.only != "run":
        if prepare(work, arguments.jobs).returncode:
            sys.exit("mutations: the program does not build as it is")
        failed = build_all(work, names, arguments.jobs)
    if arguments.only == "build":
        return 2 if failed else 0
    print("| patch | the guard that is gone | options | seed | what the run says |\n|---|---|---|---|---|")
    missed = False
    for name in names:
        if name in failed:
            continue
        text = (FOLDER / f"{name}.patch").read_text()
        options = field(text, "Run") or field(text, "Test")
        if field(text, "Test"):
            found = failing_case(work / "mutants" / name, options.split(maxsplit=1)[1])
        else:
            found = first_failure(work / "mutants" / name, options, arguments.seeds)
        seed, wrong = found if found else ("none", f"{arguments.seeds} seeds pass")
        missed |= found is None
        print(f"| `{name}` | {field(text, 'What')} | `{options}` | {seed} | {wrong} |", flush=True)
    return 2 if failed else int(missed)


if __name__ == "__main__":
    sys.exit(main())
