#!/usr/bin/env python3
"""Tools that the project did not write check a running cluster.

Usage: interop_test.py BIN_FOLDER WORK_FOLDER [--events N] [--batch N] [--flips N] [--first-port N]

Starts four validators, `vigil witness` and the stock witness of transparency-dev (omniwitness), ingests
synthetic events, copies the log over HTTP, and lets the Go program in go/ and the Node program in npm/ check
copy and proofs, each also with single bytes altered. Prints a table. Go modules and npm packages are pinned by
go.sum and package-lock.json; built programs and packages lie in WORK_FOLDER, Go's caches where Go puts them.

Exits 77, which ctest shows as skipped, where go, node or npm is missing or too old, or no registry answers. Waits on
state, never on time. Ends only processes it started, by id.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cluster"))
from cluster_test import Cluster, Witness, sample  # noqa: E402

STOCK_WITNESS = "stock-witness.example"
OWN_WITNESS = "witness.example"
STOCK_PACKAGES = ["github.com/transparency-dev/witness/cmd/" + name for name in ("omniwitness", "generate_keys")]
UNREACHABLE = re.compile(r"dial tcp|no such host|i/o timeout|connection refused|network is unreachable|Forbidden|"
                         r"ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN|E403|E503|proxyconnect|TLS handshake", re.I)


class Skip(Exception):
    pass


def prepare(command, folder):
    """Runs what may need a registry. Without one the test is skipped; anything else that is wrong fails it."""
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stdout[-2000:] + done.stderr[-2000:]
        if UNREACHABLE.search(said):
            raise Skip(f"no registry answers: {command[0]}: {said.strip().splitlines()[-1]}")
        raise SystemExit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{said}")
    return done.stdout


def version(program, *args):
    if shutil.which(program) is None:
        raise Skip(f"no {program} on this machine")
    said = subprocess.run([program, *args], capture_output=True, text=True).stdout
    return tuple(map(int, re.search(r"(\d+)\.(\d+)", said).groups()))


class Tools:
    """The stock tools, installed and built as the lock files say."""

    def __init__(self, work):
        self.bin = work / "bin"
        self.npm = work / "npm"
        needed = re.search(r"^go (\d+)\.(\d+)", (HERE / "go/go.mod").read_text(), re.M).groups()
        if version("go", "env", "GOVERSION") < tuple(map(int, needed)):
            raise Skip(f"go is older than {'.'.join(needed)}, which the pinned modules need")
        if version("node", "--version") < (20, 17):
            raise Skip("node is older than 20.17, which @sigstore/verify needs")
        version("npm", "--version")
        self.bin.mkdir(parents=True, exist_ok=True)
        self.npm.mkdir(parents=True, exist_ok=True)
        prepare(["go", "test", "./..."], HERE / "go")
        prepare(["go", "build", "-o", f"{self.bin}/", ".", *STOCK_PACKAGES], HERE / "go")
        for name in ("package.json", "package-lock.json", "verify.mjs"):
            shutil.copy(HERE / "npm" / name, self.npm)
        prepare(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], self.npm)

    def run(self, *command):
        """The report lines that a program prints."""
        begin = time.monotonic()
        done = subprocess.run(list(map(str, command)), cwd=self.npm, capture_output=True, text=True)
        assert done.returncode == 0, (command, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        return [dict(row, seconds=time.monotonic() - begin) for row in rows]

    def interop(self, *args):
        return self.run(self.bin / "interop", *args)

    def sigstore(self, policy, *files):
        return self.run("node", "verify.mjs", policy, *files)


class StockWitness:
    """transparency-dev's omniwitness, as its operators run it. It knows one key of a log."""

    def __init__(self, cluster, tools):
        self.cluster, self.tools = cluster, tools
        self.folder = cluster.folder / "stock-witness"
        self.folder.mkdir()
        self.address = f"127.0.0.1:{cluster.port + 8}"
        self.log = cluster.folder / "stock-witness.log"
        keys = [self.folder / "key", self.folder / "vkey"]
        subprocess.run([str(tools.bin / "generate_keys"), f"--origin={STOCK_WITNESS}", f"--out_priv={keys[0]}",
                        f"--out_pub={keys[1]}"], check=True, capture_output=True)
        self.vkey = keys[1].read_text().strip()

    def watch(self, vkey):
        """As the key of the log."""
        origin = vkey.split("+")[0]
        (self.folder / "logs.yaml").write_text(
            f"Logs:\n  - Origin: {origin}\n    URL: http://{self.address}/\n    PublicKey: {vkey}\n")

    def start(self):
        with open(self.log, "ab") as log:
            self.cluster.processes[STOCK_WITNESS] = subprocess.Popen(
                [str(self.tools.bin / "omniwitness"), "--logtostderr", f"--listen={self.address}", "--metrics_listen=",
                 f"--private_key_path={self.folder / 'key'}", f"--db_file={self.folder / 'witness.db'}", "--db_max_conns=1",  # More get in each other's way.
                 f"--additional_logs={self.folder / 'logs.yaml'}"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def policy_file(cluster, name, *witnesses):
    path = cluster.folder / name
    more = [word for vkey in witnesses for word in ("--witness", vkey)]
    path.write_text(cluster.vigil("log", "policy", "--genesis", cluster.net / "genesis.json", *more).stdout)
    return path


def without_demand(cluster, policy):
    """The same keys, but the validators' quorum is enough: checkpoints may be newer than what witnesses saw."""
    quorum = [line for line in (cluster.folder / f"{OWN_WITNESS}-policy.txt").read_text().splitlines()
              if line.startswith("quorum ")]
    path = cluster.folder / "listed.txt"
    path.write_text("".join(line + "\n" for line in policy.read_text().splitlines() if not line.startswith("quorum ")) +
                    quorum[0] + "\n")
    return path


def start(cluster, tools):
    """Validators that ask both witnesses."""
    own, stock = Witness(cluster, OWN_WITNESS), StockWitness(cluster, tools)
    # The stock witness knows one key of a log, so it takes the checkpoints that this validator's line is on. The
    # validator itself is the one who asks it, and the one who makes proofs with its cosignature.
    first = next(line.split()[1] for line in own.policy.read_text().splitlines() if line.startswith("log "))
    stock.watch(first)
    for i in range(1, cluster.count + 1):
        path = cluster.net / f"validator-{i}/vigild.toml"
        config = path.read_text()
        assert "public_entries = true" in config  # fsck reads entries.
        for witness in (own, stock) if i == 1 else (own,):
            config += f'\n[[witnesses]]\nvkey = "{witness.vkey}"\nurl = "http://{witness.address}"\n'
        path.write_text(config)
    own.start()
    stock.start()
    cluster.start_all()
    return own, stock


def mirror(cluster, tools):
    """Copies the log over HTTP; what is there already of full tiles is not copied again."""
    return tools.interop("mirror", "--url", f"http://127.0.0.1:{cluster.port + 2}/log/", "--dir", cluster.folder / "mirror")


def ingest(cluster, tools, events, batch):
    """Returns the file of a checkpoint from the middle of it, and what was copied then."""
    file, lines = sample(cluster, "events", events)
    command = [str(cluster.bin / "vigil"), "ingest", "--quiet", "-o", "json", "--batch", str(batch), "--stream", "interop",
               "--spool", str(cluster.folder / "spool"), str(file)]
    began = time.monotonic()
    running = subprocess.Popen(command, env=cluster.env, stdout=subprocess.PIPE, text=True)
    cluster.vigil("wait", "--events", lines // 3, "--timeout", 600)
    old = cluster.folder / "old-checkpoint"
    old.write_text(cluster.vigil("log", "checkpoint").stdout)
    rows = mirror(cluster, tools)
    report = json.loads(running.communicate()[0])
    assert running.returncode == 0 and int(report["total"]["accepted"]) == lines, report
    cluster.vigil("wait", "--all", "--events", lines, "--timeout", 600)
    print(f"{lines} events in batches of {batch} on {cluster.count} validators: {time.monotonic() - began:.1f} s",
          flush=True)
    return old, rows


def check_log(cluster, tools, old, policy, flips):
    """The log as a mirror has it: copy, whole tree, records, growth, and proofs made from its tiles."""
    rows = mirror(cluster, tools)
    copy = cluster.folder / "mirror"
    rows += tools.interop("fsck", "--dir", copy, "--policy", policy, "--flips", flips)
    rows += tools.interop("tlog", "--dir", copy, "--policy", policy, "--old", old)
    size = int((copy / "checkpoint").read_text().splitlines()[1])
    for index in (0, size // 2, size - 1):
        proof = cluster.folder / f"record-{index}.tlog-proof"
        leaf = pathlib.Path(f"{proof}.leaf")
        tools.interop("prove", "--dir", copy, "--index", index, "--out", proof)
        rows += tools.interop("proof", "--policy", policy, "--leaf", leaf, proof)
        rows += tools.sigstore(policy, proof, leaf)
    return rows


def event_proofs(cluster, demanding, both):
    """Proofs of events under checkpoints that both witnesses cosigned, verified by our own program too."""
    files = []
    for order in ([], ["--newest"]):
        found = json.loads(cluster.vigil("event", "search", "--limit", 2, *order, "-o", "json").stdout)["events"]
        for event in found:
            file = cluster.folder / f"event-{len(files)}.tlog-proof"
            cluster.vigil("--endpoints", f"127.0.0.1:{cluster.port}", "proof", "event", event["ref"],
                          "--witness", STOCK_WITNESS, "--witness", OWN_WITNESS, "--wait", 60, "--file", file)
            for policy, names in ((demanding, [STOCK_WITNESS]), (both, [STOCK_WITNESS, OWN_WITNESS])):
                facts = cluster.vigil("verify", file, "--policy", policy).stdout.splitlines()
                assert facts[-1] == "VERIFIED", facts
                for name in names:
                    assert any(line.startswith(f"witness: {name} ") for line in facts), (name, facts)
            files.append(file)
    return files


def check_proofs(cluster, tools, both, flips):
    """Events proven under a policy that demands the stock witness, and not under one that demands an absent one."""
    demanding = policy_file(cluster, "stock.txt", (cluster.folder / "stock-witness/vkey").read_text().strip())
    absent = cluster.folder / "absent"
    absent_vkey = cluster.vigil("witness", "init", "--dir", absent, "--name", "absent.example").stdout.strip()
    refusing = policy_file(cluster, "absent.txt", absent_vkey)
    witnessed = cluster.folder / "witnessed-checkpoint"
    stock, own = ((cluster.folder / name / "vkey").read_text().strip() for name in ("stock-witness", OWN_WITNESS))
    witnessed.write_text(cluster.vigil("--endpoints", f"127.0.0.1:{cluster.port}", "log", "checkpoint", "--witness", stock,
                                       "--witness", own, "--wait", 60).stdout)
    rows = tools.interop("checkpoint", "--policy", both, "--demanding", demanding, witnessed)
    files = event_proofs(cluster, demanding, both)
    rows += tools.interop("proof", "--policy", both, "--demanding", demanding, "--refusing", refusing, "--leaves", *files)
    rows += tools.sigstore(both, *(name for file in files for name in (file, f"{file}.leaf")))
    row = {"tool": "vigil verify", "what": "the same, with what is unread by others", "checked": len(files), "altered": 0,
           "refused": 0, "same": 0, "unread": 0}
    begin = time.monotonic()
    for file in files:
        assert cluster.vigil("verify", file, "--policy", refusing, expect=6).stdout.strip().split()[-1]
        sound = file.read_bytes()
        # Above the signature lines, of which the quorum does not need all.
        end = sound.index("\n\n\u2014 ".encode())
        for at in range(0, end, max(1, end * len(files) * 10 // flips)):
            altered = bytearray(sound)
            altered[at] ^= 1
            (cluster.folder / "altered.tlog-proof").write_bytes(altered)
            cluster.vigil("verify", cluster.folder / "altered.tlog-proof", "--policy", both, expect=6)
            row["altered"] += 1
            row["refused"] += 1
    return rows + [dict(row, seconds=time.monotonic() - begin)]


def merged(rows):
    """One row of each tool and subject."""
    sums = {}
    for row in rows:
        kept = sums.setdefault((row["tool"], row["what"]), dict.fromkeys(row, 0))
        for name, value in row.items():
            kept[name] = value if isinstance(value, str) else kept[name] + value
    return sums.values()


def print_witnesses(cluster, own, stock):
    """What each did, from the logs: its own cosignatures, and how often a validator complained of one."""
    print(f"{OWN_WITNESS} cosigned {len(own.sizes())} times")
    for name in (OWN_WITNESS, STOCK_WITNESS):
        lines = [line for i in range(1, cluster.count + 1)
                 for line in (cluster.folder / f"validator-{i}.log").read_text().splitlines() if f"witness: {name}" in line]
        print(f"validators' complaints of {name}: {len(lines)}", *lines[:4], sep="\n  ")


def print_table(rows):
    print(f"{'tool':<24}{'what':<46}{'good':>6}{'altered':>9}{'refused':>9}{'same':>6}{'unread':>8}{'s':>8}")
    for row in merged(rows):
        print(f"{row['tool']:<24}{row['what']:<46}{row['checked']:>6}{row['altered']:>9}{row['refused']:>9}"
              f"{row['same']:>6}{row['unread']:>8}{row['seconds']:>8.1f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin_folder")
    parser.add_argument("work_folder", type=pathlib.Path)
    parser.add_argument("--events", type=int, default=20000)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--flips", type=int, default=4000, help="altered copies of the tree that fsck is to refuse")
    parser.add_argument("--first-port", type=int)
    options = parser.parse_args()
    try:
        tools = Tools(options.work_folder.resolve())
    except Skip as skip:
        print(f"skipped: {skip}")
        return 77
    cluster = Cluster(options.bin_folder, 4, first_port=options.first_port)
    try:
        own, stock = start(cluster, tools)
        old, rows = ingest(cluster, tools, options.events, options.batch)
        both = policy_file(cluster, "both.txt", own.vkey, stock.vkey)
        rows += check_log(cluster, tools, old, without_demand(cluster, both), options.flips)
        print_table(rows + check_proofs(cluster, tools, both, options.flips))
        print_witnesses(cluster, own, stock)
        for name in [OWN_WITNESS, *range(1, cluster.count + 1)]:
            assert cluster.end(name) == 0, name
    except BaseException:
        for log in sorted(cluster.folder.glob("*.log")):
            print(f"-- {log.name}\n{log.read_text()[-3000:]}")
        raise
    finally:
        cluster.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
