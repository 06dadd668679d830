#!/usr/bin/env python3
"""What the `vigil` program says to wrong arguments, wrong files and signals, and its exit codes.

Usage: command_line_test.py BIN_FOLDER

Runs no validator: every endpoint is a port where nobody listens. Ends only processes it started.
"""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

# Nobody listens on the port of the first TCP service, and nobody may start to without being root.
ENDPOINT = "127.0.0.1:1"
CONN = '{"_path":"conn","ts":1.5,"uid":"C%d","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2"}\n'
failures = []


class Vigil:
    def __init__(self, bin_folder, folder):
        self.bin = pathlib.Path(bin_folder).resolve()
        self.folder = folder
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("VIGIL_")}
        self.net = folder / "net"
        subprocess.run([self.bin / "vigild", "testnet", "--dir", self.net, "--validators", "1",
                        "--base-port", "20000"], check=True, capture_output=True)
        # The sensor's files, and an endpoint that is not there.
        self.context = self.net / "clients/offline.toml"
        lines = (self.net / "clients/vigil.toml").read_text().splitlines()
        self.context.write_text("\n".join(f'endpoints = ["{ENDPOINT}"]' if line.startswith("endpoints") else line
                                          for line in lines) + "\n")

    def start(self, *args, env=None, **pipes):
        words = [os.fsencode(str(self.bin / "vigil"))]
        words += [arg if isinstance(arg, bytes) else os.fsencode(str(arg)) for arg in args]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes}
        return subprocess.Popen(words, env=dict(self.env, **(env or {})), cwd=self.folder, **pipes)

    def check(self, code, *args, says=(), **more):
        """Runs `vigil` and compares exit code, unless it is None, and what it prints."""
        process = self.start(*args, **more)
        try:
            out, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        said = ((out or b"") + err).decode(errors="replace")
        says = [says] if isinstance(says, str) else says
        missing = [text for text in says if text not in said]
        if (code is not None and process.returncode != code) or missing or "terminate called" in said:
            failures.append(f"{args}: exit {process.returncode}, expected {code}; missing {missing}\n{said}")
        return said

    def ingest(self, code, *args, spool="spool", **more):
        return self.check(code, "--context", self.context, "ingest", "--quiet", "--spool", spool, *args, **more)


def check_detector(vigil):
    """Tables of the user's own: schema, model, scores, curves, and what goes wrong by line and column."""
    table, schema, model = vigil.folder / "t.csv", vigil.folder / "t.json", vigil.folder / "t.model"
    rows = [f"{100 + 37 * i % 900},{i % 7 / 8},{'http' if i % 9 else 'dns'},normal" for i in range(600)]
    rows += [f"9000000{i},55.5,{'x' * i},attack" for i in range(1, 9)]
    table.write_text("bytes,load,service,label\r\n" + "\r\n".join(rows) + "\r\n")
    train = ("detector", "train", table)
    vigil.check(2, *train, says="--model FILE is missing")
    vigil.check(2, *train, "--model", model, says="--infer --schema FILE")
    vigil.check(2, *train, "--infer", says="--infer needs --schema")
    vigil.check(0, *train, "--infer", "--schema", schema, says='"load": {')
    vigil.check(1, *train, "--infer", "--schema", schema, says="is there already")
    vigil.check(2, *train, "--schema", schema, "--model", model, "--quantile", "9", says="--quantile 9")
    vigil.check(2, *train, "--schema", schema, "--model", model, "--delimiter", "ab", says="--delimiter ab")
    vigil.check(0, *train, "--schema", schema, "--model", model, "--normal-only", says="threshold")
    score = ("detector", "score", table, "--model", model)
    said = vigil.check(0, *score, "--top", 8, says="608 rows")
    if said.count("attack") != 8:
        failures.append(f"detector score: not all attacks are among the strangest\n{said}")
    said = vigil.check(0, *score, "-o", "csv", says="row,line,score_bits,alert,decided_by,label,reasons")
    if said.count(",1,") < 8 or len(said.splitlines()) != 610:
        failures.append(f"detector score -o csv: {len(said.splitlines())} lines\n{said[:300]}")
    vigil.check(0, *score, "-o", "json", says='"decided_by"')
    vigil.check(0, *score, "-o", "ndjson", says='"decided_by"')
    vigil.check(2, "detector", "models", "-o", "csv", says="-o csv is for")
    vigil.check(0, "detector", "backtest", table, "--schema", schema, "--rounds", 2, "--curves", vigil.folder / "t",
                says=["median", "t-roc.svg and .png", "t-precision-recall.svg and .png"])
    for name in ("t-roc.png", "t-precision-recall.png"):
        if (vigil.folder / name).read_bytes()[:4] != b"\x89PNG":
            failures.append(f"{name} is no PNG")
    table.write_text("bytes,load,service,label\n1,2,a,normal\n1,x,a,normal\n")
    vigil.check(2, *score, says="line 3: column 2 (load): 'x' is no number")
    table.write_text("bytes,load\n1,2\n")
    vigil.check(2, *score, says="the schema's column 'service' is not in the header")
    table.write_text("bytes,load,service,label\n1,2,a,normal\n")
    vigil.check(1, *train, "--schema", schema, "--model", model, says="1 rows to train on")
    model.write_bytes(model.read_bytes()[:-1])
    vigil.check(6, *score, says="no model of `vigil detector train`")
    vigil.check(5, "detector", "score", table, "--model", vigil.folder / "none")


def check_arguments(vigil):
    at = ["--endpoints", ENDPOINT, "--insecure"]
    big = str(2**64)
    for words in (["block", "list", "--from", big], ["block", "watch", "--from", "-1"], ["alert", "list", "--cursor", "-1"],
                  ["alert", "get", "-1"], ["alert", "get", big], ["wait", "--events", "-1"],
                  ["wait", "--timeout", "-1"], ["event", "search", "--limit", "-1"], ["event", "search", "--class", "-1"],
                  ["event", "watch", "--count", "-1"], ["detector", "models", "--limit", "x"],
                  ["bench", "--rate", "-1"], ["bench", "--rate", str(2**64 - 1)], ["bench", "--seconds", "0"],
                  ["sample", "--dir", "d", "--seed", "-1"]):
        vigil.check(2, *at, *words, says="a number from")
    vigil.check(2, "nosuch", says=["no command 'nosuch'", "status"])
    vigil.check(2, "statsu", says="did you mean 'status'?")
    vigil.check(2, "block", "lsit", says="did you mean 'list'?")
    vigil.check(2, "-o", "xml", "status", says="table, json, ndjson or csv")
    assert "table|json|ndjson" in vigil.check(0, "--help")
    for words in ([b"event", b"search", b"--term", b"\xff"], [b"ingest", b"--spool", b"s", b"--stream", b"a\xffb", b"x"]):
        vigil.check(2, *at, *words, says="is not UTF-8")
    vigil.check(2, *at, "event", "search", "--until", "0", says="--until")
    vigil.check(2, *at, "event", "search", "--until", "1970-01-01T00:00:00Z", says="--until")
    vigil.check(2, *at, "event", "search", "--since", "1900-01-01T00:00:00Z", says="1970")
    vigil.check(2, "status", says="--endpoints")
    vigil.check(5, "--endpoints", ENDPOINT, "status", says=["--ca", "--insecure"])
    vigil.check(3, *at, "status", says=ENDPOINT + ": ")


def check_files(vigil):
    (vigil.folder / "file").write_text("x")
    for folder in ("file", "file/below", "/proc/foo"):
        vigil.check(1, "sample", "--dir", folder, "--events", "100", says=folder)
    vigil.check(2, "sample", "--dir", "d", "--start", "1900-01-01T00:00:00Z", says="1970")
    vigil.check(2, "--context", "x" * 5000, "status", says="context file")
    vigil.check(2, "--context", vigil.net, "status", says="is a folder")
    (vigil.folder / "bad.toml").write_text('insecure = "yes"\n')
    vigil.check(2, "--context", "bad.toml", "status", says="bad.toml:1:")
    vigil.check(2, "status", env={"VIGIL_INSECURE": "yes"}, says="VIGIL_INSECURE")


    # A folder where the lock file belongs cannot be locked, and nobody uses it. The journal is empty.
    (vigil.folder / "data/journal").mkdir(parents=True)
    (vigil.folder / "data/LOCK").mkdir()
    said = vigil.check(None, "verify", "ledger", "data", "--genesis", vigil.net / "genesis.json",
                       says="not locked against a validator that starts")
    if "in use" in said:
        failures.append(f"verify: {said}")


def check_proof_files(vigil):
    """Verdicts and exit codes of `vigil verify FILE`; the golden files are those of the other verifiers."""
    golden = pathlib.Path(__file__).resolve().parents[2] / "ledger/proof/golden"
    policy = ["--policy", golden / "policy.txt"]
    vigil.check(0, "verify", golden / "event.tlog-proof", *policy,
                says=["subject: event\n", "event_source: ", "result: ok\n", "\nVERIFIED\n"])
    vigil.check(0, "verify", golden / "record.tlog-proof", *policy, says=["subject: record\n", "\nVERIFIED\n"])
    vigil.check(0, "verify", golden / "block.tlog-proof", *policy, says=["block_height: ", "\nVERIFIED\n"])
    vigil.check(0, "verify", golden / "consistency.txt", *policy,
                says=["older_tree_size: ", "newer_tree_size: ", "\nVERIFIED\n"])
    vigil.check(0, "-o", "json", "verify", golden / "block.tlog-proof", *policy, says='"verdict": "VERIFIED"')

    event = (golden / "event.tlog-proof").read_bytes()
    head, note = event.split(b"\n\n", 1)
    text, lines = note.split(b"\n\n", 1)
    other = (golden / "consistency.txt").read_bytes().replace(b"old ", b"old 1", 1)
    wrong = {"QUORUM_SHORT": b"\n\n".join([head, text, b"".join(lines.splitlines(keepends=True)[:2])]),
             "NOT_INCLUDED": event.replace(b"\nindex 0\n", b"\nindex 1\n"), "MALFORMED": event[:-1]}
    for verdict, data in wrong.items():
        (vigil.folder / "wrong").write_bytes(data)
        vigil.check(6, "verify", "wrong", *policy, says=[f"{verdict}: "])
    (vigil.folder / "wrong").write_bytes(other)
    vigil.check(6, "verify", "wrong", *policy, says="MALFORMED")
    with open(vigil.folder / "large", "wb") as large:
        large.truncate(1 << 40)
    vigil.check(6, "verify", "large", *policy, says="MALFORMED")
    for words in (["verify"], ["verify", "wrong"], ["verify", *policy], ["verify", "none", *policy],
                  ["verify", "wrong", "--policy", "none"], ["verify", "wrong", "--policy", "wrong"],
                  ["verify", "wrong", "--policy", "large"]):
        vigil.check(2, *words)
    at = ["--endpoints", ENDPOINT, "--insecure"]
    for words in (["event", "1"], ["event", "1.x"], ["event", "zz.1"], ["record", "-1"], ["block", "x"],
                  ["record", "1", "--wait", "61"], ["consistency", "large"]):
        vigil.check(2, *at, "proof", *words)
    vigil.check(3, *at, "proof", "event", "1.1", "--wait", "0", says=ENDPOINT)


def check_evidence_files(vigil):
    """`vigil evidence verify` and `page` on the golden file, and on what it is not."""
    golden = pathlib.Path(__file__).resolve().parents[2] / "ledger/evidence/golden"
    policy = ["--policy", golden / "policy.txt"]
    file = golden / "alert.evidence"
    vigil.check(0, "evidence", "verify", file, *policy, "--extract", "proofs",
                says=["question: alert ", "confirmed_by: ", "\nVERIFIED\n"])
    proofs = sorted((vigil.folder / "proofs").iterdir())
    if len(proofs) != 7:
        failures.append(f"evidence: {len(proofs)} proofs extracted")
    for proof in proofs:
        vigil.check(0, "verify", proof, *policy, says=["subject: record\n", "\nVERIFIED\n"])
    vigil.check(0, "-o", "json", "evidence", "verify", file, *policy, says='"verdict": "VERIFIED"')
    vigil.check(0, "evidence", "page", file, *policy, "--file", "page.html")
    if "confirmed by the chain" not in (vigil.folder / "page.html").read_text():
        failures.append("evidence: the page does not say that the alert is confirmed")
    data = file.read_bytes()
    for wrong in (data[:-1], data[:-40] + bytes([data[-40] ^ 1]) + data[-39:], b"x"):
        (vigil.folder / "wrong").write_bytes(wrong)
        vigil.check(6, "evidence", "verify", "wrong", *policy)
        vigil.check(6, "evidence", "page", "wrong", *policy, "--file", "wrong.html")
    # Its model is not in it: neither right nor wrong.
    for verb in ("verify", "explain"):
        vigil.check(5, "alert", verb, file, *policy, says="the file carries no model")
    vigil.check(5, "alert", "verify", file, *policy, "-o", "json", "--fault", "none.fault", says='"MODEL_UNKNOWN"')
    if (vigil.folder / "none.fault").exists():
        failures.append("alert verify: a fault proof of an alert that nobody recomputed")
    vigil.check(6, "alert", "verify", "wrong", *policy, says="EVIDENCE_REFUSED: MALFORMED")
    vigil.check(2, "alert", "verify", file, says="whom to trust?")
    vigil.check(2, "alert", "verify", "none", *policy)
    vigil.check(3, "--endpoints", ENDPOINT, "--insecure", "alert", "verify", "5", *policy, says=ENDPOINT)
    # Larger than any file of its kind: a verdict, and not a byte is read.
    with open(vigil.folder / "huge", "wb") as huge:
        huge.truncate((1 << 30) + 1)
    vigil.check(6, "evidence", "verify", "huge", *policy, says="MALFORMED: evidence: more than 1073741824 bytes")
    vigil.check(6, "verify", "huge", *policy, says="MALFORMED")
    vigil.check(2, "verify", "huge", "--policy", "huge")
    vigil.check(2, "evidence", "verify", "huge", "--policy", "huge")
    if (vigil.folder / "wrong.html").exists():
        failures.append("evidence: a page of what does not verify")
    for words in (["verify"], ["verify", file], ["verify", "none", *policy], ["verify", file, "--policy", file],
                  ["export", "event", "1", "--file", "x"], ["export", "alert", "x", "--file", "x"],
                  ["export", "event", "1.1"]):
        vigil.check(2, "--endpoints", ENDPOINT, "--insecure", "evidence", *words)
    vigil.check(2, "--endpoints", ENDPOINT, "--insecure", "evidence", "export", "span", "--since", "5", "--file", "x",
                says="--until")


def check_full_output(vigil):
    with open("/dev/full", "wb") as full:
        vigil.check(1, "--help", stdout=full, says="standard output cannot be written")


def check_ingest(vigil):
    logs = {"bad.json": '{"ts":\n' * 3, "what.log": "who knows\n", "empty.log": ""}
    for name, text in logs.items():
        (vigil.folder / name).write_text(text)
    vigil.ingest(5, "nonexist", says="nonexist")
    vigil.ingest(1, vigil.folder, says="is a folder")
    vigil.ingest(1, "what.log", says="cannot tell the format")
    vigil.ingest(9, "empty.log", "nonexist")
    vigil.ingest(2, "--receipts", "maybe", "empty.log", says="verify or trust")
    vigil.ingest(9, "--format", "zeek-json", "--quarantine", "q.ndjson", "bad.json", says="every line was quarantined")
    vigil.ingest(1, "--format", "zeek-json", "--quarantine", "/tmp", "--stream", "q", "bad.json", spool="spool-q")
    vigil.ingest(1, "empty.log", spool="file/below")
    identity = next(line.split('"')[1] for line in vigil.context.read_text().splitlines() if "identity" in line)
    vigil.ingest(2, "--identity", "org-9/nobody", "empty.log", says=[f"is {identity}", "--identity says org-9/nobody"])


def check_stop(vigil):
    """SIGINT and SIGTERM end the command while it waits for whatever it waits for."""
    os.mkfifo(vigil.folder / "fifo")
    (vigil.folder / "conn.log").write_text("".join(CONN % i for i in range(10)))
    quiet, never_written = os.pipe()
    for number, (what, args, stdin) in enumerate((("quiet input", ["-"], quiet), ("no writer", ["fifo"], None),
                                                  ("endless line", ["--format", "zeek-json", "/dev/zero"], None),
                                                  ("dead network", ["conn.log"], None))):
        for how in (signal.SIGINT, signal.SIGTERM):
            process = vigil.start("--context", vigil.context, "ingest", "--quiet", "--spool", f"stop-{number}", *args,
                                  stdin=subprocess.DEVNULL if stdin is None else stdin)
            wait_until_handled(process, how)
            process.send_signal(how)
            try:
                err = process.communicate(timeout=20)[1].decode()
            except subprocess.TimeoutExpired:
                process.kill()
                err = "not ended after 20 s"
            if process.returncode != 130 or "interrupted" not in err:
                failures.append(f"{what}, {how.name}: exit {process.returncode}: {err}")
    os.close(never_written)
    os.close(quiet)


def wait_until_handled(process, how):
    """Until the process has a handler for the signal, so that it would not just be killed."""
    while process.poll() is None:
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt"))
        if caught >> (how - 1) & 1:
            return


def main():
    with tempfile.TemporaryDirectory(prefix="vigil-command-line-") as folder:
        vigil = Vigil(sys.argv[1], pathlib.Path(folder))
        for check in (check_arguments, check_detector, check_files, check_proof_files, check_evidence_files,
                      check_full_output, check_ingest, check_stop):
            check(vigil)
    for failure in failures:
        print("FAILED", failure, file=sys.stderr)
    sys.exit(1 if failures else 0)


main()
