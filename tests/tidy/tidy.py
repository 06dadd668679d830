#!/usr/bin/env python3
"""Checks what a script can: include layers, sizes, banned calls, test names. Exits 1 with a list.

Usage: tidy.py REPOSITORY            check
       tidy.py REPOSITORY --ratchet  rewrite ratchet.txt with today's oversize functions and files
"""
import pathlib
import re
import sys

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800
SOURCE_FOLDERS = ("ledger", "consensus", "detector", "node", "client")
PROTO_GROUPS = {"event": "proto:records", "record": "proto:records", "genesis": "proto:records",
                "api": "proto:api", "learners": "proto:api", "peer": "proto:peer"}
SINGLE_FILE_LIBRARIES = ("simdjson.h", "httplib.h")
# (pattern, what to use instead, folders where it is allowed)
BANNED = [
    (r"\babsl::Mutex\b", "vigil::Mutex (ledger/base/mutex.h): TSan does not see absl::Mutex", ()),
    (r"\bstd::(mutex|condition_variable)\b", "vigil::Mutex and CondVar", ("ledger/base/mutex.h",)),
    (r"#include <sodium", "ledger/crypto", ("ledger/crypto/", "tests/ledger/")),
    (r"#include <openssl/", "ledger/crypto", ("ledger/crypto/", "node/app/certificates.cc", "node/app/pki.cc", "tests/ledger/")),
    (r"#include [<\"]leveldb/", "ledger/storage", ("ledger/storage/", "tests/ledger/storage/")),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b", "wait on a condition",
     ("ledger/storage/leveldb_env.cc",)),
    (r"\bstd::random_device\b|\brand\(\)", "SplitMix64 with a seed, or RandomBytes", ()),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", "do it, or write it in the tracker", ()),
    (r"\bthrow\b(?! away)", "absl::Status", ()),
    (r"\.grpc\.pb\.h", "node/api, node/peer or client/lib",
     ("node/api/", "node/peer/", "client/lib/", "tests/")),
]
PURE_FOLDERS = ("ledger/state/", "ledger/chain/", "ledger/log/", "consensus/", "detector/")
BANNED_IN_PURE = [
    (r"\bunordered_(map|set)\b|\bflat_hash_(map|set)\b", "std::map: every replica iterates alike"),
    (r"#include <(thread|chrono|random|ctime)>", "time and randomness come in as arguments"),
]


def sources(root, folders):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc"):
                yield path, path.relative_to(root).as_posix()


def strip_comments(text):
    return re.sub(r'//[^\n]*|/\*.*?\*/', lambda m: "\n" * m.group().count("\n"), text, flags=re.S)


def read_layers(root):
    layers = {}
    for line in (root / "tests/tidy/layers.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            folder, _, reach = line.rpartition(":") if line.endswith(":") else line.partition(": ")
            layers[folder] = set(reach.split())
    return layers


def find_cycle(layers):
    done, path = set(), []

    def visit(folder):
        if folder in path:
            return path[path.index(folder):] + [folder]
        if folder in done:
            return None
        path.append(folder)
        for other in sorted(layers.get(folder, ())):
            cycle = visit(other)
            if cycle:
                return cycle
        path.pop()
        done.add(folder)
        return None

    for folder in sorted(layers):
        cycle = visit(folder)
        if cycle:
            return cycle
    return None


def folder_of(include):
    parts = include.split("/")
    if include.startswith("vigil/v1/"):
        return PROTO_GROUPS.get(parts[2].split(".")[0], "proto:?")
    if parts[0] in SOURCE_FOLDERS:
        return "/".join(parts[:2])
    return None if len(parts) == 1 and include not in SINGLE_FILE_LIBRARIES else ""


def check_layers(root, layers, problems):
    cycle = find_cycle(layers)
    if cycle:
        problems.append("tests/tidy/layers.txt: cycle " + " -> ".join(cycle))
    for path, name in sources(root, SOURCE_FOLDERS):
        own = "/".join(name.split("/")[:2])
        if own not in layers:
            problems.append(f"{name}: folder {own} is not in tests/tidy/layers.txt")
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'#include "([^"]+)"', line)
            if not match:
                continue
            target = folder_of(match.group(1))
            if target is None:
                problems.append(f"{name}:{number}: include {match.group(1)}: use the full path of a layer")
            elif target and target != own and target not in layers[own]:
                problems.append(f"{name}:{number}: {own} may not include {target} ({match.group(1)})")


def function_sizes(text):
    """Yields (name, first line, lines) of functions at namespace or class level, by clang-format's shape."""
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines):
        opens = re.match(r"^( {0,2})(?! )(?!namespace|class|struct|enum|union|extern|using|#|//)\S.*[({].*$", line)
        if start is None and opens and not line.endswith("= {"):
            start, indent = number, opens.group(1)
        if start is not None:
            if line == indent + "}" or line == indent + "};":
                yield lines[start].strip()[:60], start + 1, number - start + 1
                start = None
            elif line.endswith(";") and line.startswith(indent) and not line.startswith(indent + " ") and "{" not in lines[start]:
                start = None
            elif number > start and re.match(r"^\S", line) and not re.match(r"^[})\s]", line) and indent == "  ":
                start = None


def read_ratchet(root):
    path = root / "tests/tidy/ratchet.txt"
    entries = {}
    if path.exists():
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                size, _, key = line.partition(" ")
                entries[key] = int(size)
    return entries


def oversize(root):
    found = {}
    for path, name in sources(root, SOURCE_FOLDERS + ("tests",)):
        text = path.read_text()
        count = len(text.splitlines())
        if count > FILE_LINES_MAX:
            found[name] = count
        if "tests/" in name:
            continue
        for title, _, size in function_sizes(text):
            if size > FUNCTION_LINES_MAX:
                found[f"{name}: {title}"] = size
    return found


def check_sizes(root, problems):
    allowed = read_ratchet(root)
    for key, size in oversize(root).items():
        if size > allowed.get(key, 0):
            problems.append(f"{key}: {size} lines; functions stay within {FUNCTION_LINES_MAX}, "
                            f"files within {FILE_LINES_MAX}: split by idea")


def check_banned(root, problems):
    for path, name in sources(root, SOURCE_FOLDERS + ("tests",)):
        raw = path.read_text()
        for number, line in enumerate(strip_comments(raw).splitlines(), 1):
            for pattern, remedy, allowed in BANNED:
                if re.search(pattern, line) and not name.startswith(tuple(allowed) or "\0"):
                    problems.append(f"{name}:{number}: banned '{line.strip()[:60]}'; use {remedy}")
            if name.startswith(PURE_FOLDERS):
                for pattern, remedy in BANNED_IN_PURE:
                    if re.search(pattern, line):
                        problems.append(f"{name}:{number}: '{line.strip()[:60]}': {remedy}")
        if re.search(r"//.*\b(TODO|FIXME)\b", raw):
            problems.append(f"{name}: a comment says TODO or FIXME: do it, or write it in the tracker")
        if path.suffix == ".h":
            guard = "VIGIL_" + re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_"
            if f"#ifndef {guard}\n#define {guard}" not in raw:
                problems.append(f"{name}: include guard {guard} is missing")


def check_tests(root, problems):
    for path, name in sources(root, ("tests",)):
        text = path.read_text()
        for match in re.finditer(r'TEST_CASE\(\s*"((?:[^"\\]|\\.)*)"', text):
            if re.search(r"[;,\[\]]", match.group(1)):
                problems.append(f"{name}: test name '{match.group(1)}': no ; , [ or ]: Catch2 2 would match nothing")
        if "catch2/" in text and name != "tests/support/catch.h":
            problems.append(f"{name}: include tests/support/catch.h instead of catch2")


def check_docs(root, problems):
    for path in sorted(list((root / "docs").rglob("*.md")) + [root / "README.md"]):
        if not path.exists():
            continue
        text = path.read_text()
        outside = re.sub(r"```.*?```", "", text, flags=re.S)
        if len(re.findall(r"^# ", outside, flags=re.M)) != 1:
            problems.append(f"{path.relative_to(root)}: one '# Title' per document")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", outside):
            if not (path.parent / target).exists():
                problems.append(f"{path.relative_to(root)}: dead link {target}")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    if "--ratchet" in sys.argv:
        lines = ["# Oversize on the day it was listed: may shrink, never grow. size and name"]
        lines += [f"{size} {key}" for key, size in sorted(oversize(root).items())]
        (root / "tests/tidy/ratchet.txt").write_text("\n".join(lines) + "\n")
        return 0
    problems = []
    check_layers(root, read_layers(root), problems)
    check_sizes(root, problems)
    check_banned(root, problems)
    check_tests(root, problems)
    check_docs(root, problems)
    for problem in problems:
        print(problem)
    print(f"tidy: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
