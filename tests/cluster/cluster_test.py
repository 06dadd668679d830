#!/usr/bin/env python3
"""Real processes on loopback: what users do to a cluster, and what may go wrong under them.

Usage: cluster_test.py BIN_FOLDER SCENARIO

Waits on state (`vigil wait`), never on time. Ends only processes it started, by id.
"""
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import rules  # noqa: E402
from driver import Cluster, ingest_args, sample, wait_until  # noqa: E402


def scenario_killed_leader(cluster):
    """kill -9 of the leader in the middle of an ingest, twice: every event is there exactly once."""
    cluster.start_all()
    file, lines = sample(cluster, "big", 20000)
    ingest = subprocess.Popen([str(cluster.bin / "vigil"), *map(str, ingest_args(cluster, file))], env=cluster.env,
                              stdout=subprocess.PIPE, text=True)
    for reached in (lines // 4, lines // 2):
        cluster.vigil("wait", "--events", reached, "--timeout", 60)
        victim = cluster.leader()
        cluster.end(victim, signal.SIGKILL)
        cluster.vigil("wait", "--leader", "--timeout", 60)
        cluster.start(victim)
    report = json.loads(ingest.communicate()[0])
    assert ingest.returncode == 0, report
    assert int(report["total"]["accepted"]) == lines, report
    cluster.vigil("wait", "--all", "--events", lines, "--timeout", 60)
    again = json.loads(cluster.vigil(*ingest_args(cluster, file)).stdout)
    assert int(again["total"]["already_covered"]) == lines and int(again["total"]["accepted"]) == 0, again
    for i in range(1, cluster.count + 1):
        assert cluster.end(i) == 0
    reports = [cluster.verify(i) for i in range(1, cluster.count + 1)]
    assert all(int(one["events"]) == lines for one in reports), reports
    heights = {one["executed_height"]: one["state_digest"] for one in reports}
    assert all(heights[one["executed_height"]] == one["state_digest"] for one in reports)


def crc32c(data):
    """CRC-32C as docs/formats/journal.md uses it; slow and obvious."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def repair_frame(content, place):
    """Renews the CRC of the frame around `place` of a journal segment, as whoever alters it on purpose would."""
    at = 40
    while True:
        size = struct.unpack_from(">I", content, at + 4)[0]
        if place < at + 28 + size:
            break
        at += 28 + size + 4
    covered = content[12:28] + content[at:at + 24] + content[at + 28:at + 28 + size]
    struct.pack_into(">I", content, at + 28 + size, crc32c(covered))


def scenario_altered_ledger(cluster):
    """One flipped bit in a stored event, a record leaf or a header is found and located, and never served."""
    cluster.start_all()
    file, lines = sample(cluster, "few", 300)
    cluster.vigil(*ingest_args(cluster, file, stream="altered"))
    cluster.vigil("wait", "--all", "--events", lines, "--timeout", 60)
    chain_id = bytes.fromhex(cluster.statuses()[0]["chain_id"])
    for i in range(1, cluster.count + 1):
        cluster.end(i)
    cluster.verify(1)
    segment = sorted((cluster.data(1) / "journal").glob("*"))[0]
    sound = segment.read_bytes()
    batch = sound.find(b"altered")  # The stream's name stands in the body of every batch.
    header = sound.rfind(chain_id, 0, batch)
    for what, place in {"header": header + 60, "leaf": batch, "event": sound.find(b".example", batch)}.items():
        assert 0 < header < place, (what, place)
        for purpose in (True, False):  # On purpose, with the CRC made to fit, and by accident.
            content = bytearray(sound)
            content[place] ^= 1
            if purpose:
                repair_frame(content, place)
            segment.write_bytes(content)
            report = cluster.verify(1, expect=6)
            found = next(line for line in report["findings"] if "offset" in line)
            assert report["verdict"] == "DAMAGED" and ("journal_damaged" in found) != purpose, (what, report)
            print(f"{what}, CRC {'made to fit' if purpose else 'as it was'}: {found}")
    cluster.start(1)
    done = cluster.run("vigil", "wait", "--leader", "--timeout", 2, expect=7)
    assert "1 of" not in done.stderr
    status = subprocess.run([str(cluster.bin / "vigil"), "status", "-o", "ndjson"], env=cluster.env, capture_output=True,
                            text=True)
    assert status.returncode == 8 and "refusing" in status.stdout, (status.stdout, status.stderr)


def scenario_full_disk(cluster):
    """A validator whose disk fills up says so and ends; the others go on; with room again it catches up."""
    disk = cluster.net / "validator-1/data"
    made = shutil.copytree(disk, cluster.folder / "made")
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "vigil-test", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        print("skipped: a small disk needs the right to mount a tmpfs")
        return
    try:
        shutil.copytree(made, disk, dirs_exist_ok=True)
        cluster.start_all()
        file, lines = sample(cluster, "much", 40000)
        report = json.loads(cluster.vigil(*ingest_args(cluster, file)).stdout)
        assert int(report["total"]["accepted"]) == lines, report
        assert cluster.processes.pop(1).wait() == 1
        log = (cluster.folder / "validator-1.log").read_text()
        assert "No space left on device" in log and "free space" in log, log[-2000:]
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        cluster.start(1)
        cluster.vigil("wait", "--all", "--events", lines, "--timeout", 60)
        for i in range(1, cluster.count + 1):
            assert cluster.end(i) == 0
        assert int(cluster.verify(1)["events"]) == lines
    finally:
        for i in list(cluster.processes):
            cluster.end(i, signal.SIGKILL)
        subprocess.run(["umount", str(disk)], check=True)


def scenario_bad_input(cluster):
    """Wrong configuration, an occupied port and requests that cannot be served say what to do."""
    config = cluster.net / "validator-1/vigild.toml"
    good = config.read_text()
    config.write_text(good.replace("identity =", "identiti =", 1))
    done = cluster.run("vigild", "validate-config", "-c", config, expect=2)
    assert f"{config}:" in done.stderr and "did you mean 'identity'" in done.stderr, done.stderr
    config.write_text(good)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", cluster.port))
        taken.listen()
        done = cluster.run("vigild", "start", "-c", config, expect=1)
        assert "port is taken" in done.stderr and str(cluster.port) in done.stderr, done.stderr
    cluster.start_all()
    done = cluster.run("vigild", "start", "-c", config, expect=1)
    assert "vigild:" in done.stderr, done.stderr
    assert "999" in cluster.vigil("block", "get", "999", expect=5).stderr
    cluster.vigil("event", "get", "nonsense", expect=2)
    cluster.vigil("block", "list", "--limit", "5000", expect=2)
    cluster.vigil("--endpoints", "127.0.0.1:1", "block", "list", expect=3)


def connect(port, count):
    """So many connections that say nothing. Those that are refused at once count too."""
    sockets = []
    for _ in range(count):
        one = socket.socket()
        one.settimeout(5)
        try:
            one.connect(("127.0.0.1", port))
        except OSError:
            pass
        sockets.append(one)
    return sockets


def scenario_idle_connections(cluster):
    """Hundreds of connections from nobody in particular: the validator lives, commits, and serves again."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    cluster.start(1, descriptors_max=256)
    cluster.vigil("wait", "--leader", "--timeout", 60)
    before = int(cluster.statuses()[0]["committed_height"])
    idle = [one for port in range(3) for one in connect(cluster.port + port, 400)]
    try:
        # It goes on committing while they are there: heartbeats need the journal and the guard.
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            assert cluster.processes[1].poll() is None, "the validator died"
            select.select([], [], [], 0.2)
    finally:
        for one in idle:
            one.close()
    # Waits on state: clients are served as soon as the connections are gone.
    cluster.vigil("wait", "--leader", "--timeout", 60)
    status = cluster.statuses()[0]
    assert int(status["committed_height"]) >= before + 5, (before, status)
    with urllib.request.urlopen(f"http://127.0.0.1:{cluster.port + 2}/readyz", timeout=10) as answer:
        assert answer.status == 200
    file, lines = sample(cluster, "few", 300)
    cluster.vigil(*ingest_args(cluster, file))
    assert cluster.end(1) == 0
    assert "Too many open files" not in (cluster.folder / "validator-1.log").read_text()
    assert "LimitNOFILE" in (cluster.folder / "validator-1.log").read_text()


def scenario_stop_without_quorum(cluster):
    """SIGTERM ends a validator at once though clients wait for a quorum that is not there."""
    cluster.start_all()
    bench = subprocess.Popen([str(cluster.bin / "vigil"), "bench", "--seconds", "60"], env=cluster.env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        cluster.vigil("wait", "--events", 1, "--timeout", 60)
        for i in (2, 3):
            cluster.end(i, signal.SIGKILL)
        begin = time.monotonic()
        assert cluster.end(1) == 0
        assert time.monotonic() - begin < 10, "SIGTERM took too long"
    finally:
        bench.kill()
        bench.wait()


class Witness:
    """A `vigil witness` of its own folder, over the validators' policy."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.folder = cluster.folder / name
        self.name = name
        self.policy = cluster.folder / f"{name}-policy.txt"
        self.policy.write_text(cluster.vigil("log", "policy", "--genesis", cluster.net / "genesis.json").stdout)
        self.vkey = cluster.vigil("witness", "init", "--dir", self.folder, "--name", name).stdout.strip()
        self.address = f"127.0.0.1:{cluster.port + 9}"  # Of the cluster's range, and no validator's.
        self.log = cluster.folder / f"{name}.log"

    def start(self):
        with open(self.log, "ab") as log:
            self.cluster.processes[self.name] = subprocess.Popen(
                [str(self.cluster.bin / "vigil"), "witness", "run", "--dir", str(self.folder), "--listen", self.address,
                 "--log", str(self.policy)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def sizes(self):
        """Of the cosignatures that left, in their order."""
        words = [line.split() for line in self.log.read_text().splitlines()]
        return [int(line[5]) for line in words if line[2] == "200"]

    def kept(self):
        shown = json.loads(self.cluster.vigil("witness", "show", "--dir", self.folder, "-o", "json").stdout)
        return int(shown["origins"][0]["size"])


def served_note(cluster):
    return cluster.vigil("log", "checkpoint").stdout


def wait_for_line(cluster, name, above):
    """The size of the first served checkpoint larger than `above` that bears a line of `name`."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        note = served_note(cluster)
        size = int(note.splitlines()[1])
        if size > above and f"\n\u2014 {name} " in note:
            return size
    raise AssertionError(f"no line of {name} above size {above}: {note}")


def check_proofs(cluster, policy, *witness):
    """Proofs of everything from a running cluster, verified offline by the program under `policy`."""
    found = json.loads(cluster.vigil("event", "search", "--limit", 1, "-o", "json").stdout)["events"][0]
    old = cluster.folder / "old-checkpoint"
    files = {}
    for what, subject in (("event", found["ref"]), ("record", found["ref"].split(".")[0]), ("block", found["height"]),
                          ("consistency", old)):
        files[what] = cluster.folder / f"{what}.proof"
        cluster.vigil("proof", what, subject, *witness, "--wait", 60, "--file", files[what])
        old.write_text(files["event"].read_text().split("\n\n", 1)[1])
        verdict = cluster.vigil("verify", files[what], "--policy", policy).stdout.splitlines()[-1]
        assert verdict == "VERIFIED", (what, verdict)
    altered = cluster.folder / "altered.proof"
    lines = files["event"].read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if line.startswith("extra "))
    half = len(lines[at]) // 2
    lines[at] = lines[at][:half] + ("A" if lines[at][half] != "A" else "B") + lines[at][half + 1:]
    altered.write_text("".join(lines))
    refused = cluster.vigil("verify", altered, "--policy", policy, expect=6)
    assert not refused.stdout.endswith("VERIFIED\n"), refused.stdout
    cluster.vigil("proof", "record", 10**9, "--wait", 0, expect=5)
    return files


def scenario_outside_witness(cluster):
    """A witness outside cosigns what is served; killed, it holds up nothing, and goes on where it was."""
    witness = Witness(cluster, "witness.example")
    for i in range(1, cluster.count + 1):
        with open(cluster.net / f"validator-{i}/vigild.toml", "a") as config:
            config.write(f'\n[[witnesses]]\nvkey = "{witness.vkey}"\nurl = "http://{witness.address}"\n')
    witness.start()
    cluster.start_all()
    file, lines = sample(cluster, "few", 300)
    cluster.vigil(*ingest_args(cluster, file))
    size = wait_for_line(cluster, witness.name, above=lines // 100)
    witnessed = cluster.vigil("log", "checkpoint", "--witness", witness.vkey, "--wait", 60).stdout
    assert int(witnessed.splitlines()[1]) >= size and f"\n\u2014 {witness.name} " in witnessed, witnessed
    nobody = subprocess.run([str(cluster.bin / "vigil"), "log", "checkpoint", "--witness", "nobody.example", "--wait", "0"],
                            env=cluster.env, capture_output=True, text=True)
    assert nobody.returncode != 0 and nobody.stdout == "", nobody
    again = cluster.run("vigil", "witness", "run", "--dir", witness.folder, "--listen", "127.0.0.1:0", "--log",
                        witness.policy, expect=1)
    assert "another witness runs" in again.stderr, again.stderr

    # Killed: what is submitted becomes final all the same.
    cluster.end(witness.name, signal.SIGKILL)
    promised = max(witness.sizes())
    assert witness.kept() >= promised >= size, (witness.kept(), promised, size)
    file, _ = sample(cluster, "more", 300, "--seed", 2)
    cluster.vigil(*ingest_args(cluster, file, stream="more"), "--ack", "final")
    final = int(served_note(cluster).splitlines()[1])
    assert final > promised, (final, promised)

    # Back again: it goes on above what it had promised.
    witness.start()
    assert wait_for_line(cluster, witness.name, above=final) > final
    assert witness.sizes() == sorted(witness.sizes()), witness.sizes()
    policy = cluster.folder / "outside.txt"
    policy.write_text(cluster.vigil("log", "policy", "--genesis", cluster.net / "genesis.json", "--witness",
                                    witness.vkey).stdout)
    assert "quorum both" in policy.read_text(), policy.read_text()
    files = check_proofs(cluster, policy, "--witness", witness.name)
    facts = cluster.vigil("verify", files["event"], "--policy", policy).stdout
    assert f"witness: {witness.name} " in facts, facts
    refused = cluster.run("vigil", "witness", "run", "--dir", witness.folder, "--log", policy, expect=2)
    assert "cannot wait for its own cosignature" in refused.stderr, refused.stderr
    assert cluster.end(witness.name) == 0
    for i in range(1, cluster.count + 1):
        assert cluster.end(i) == 0


def wait_until_votes(cluster, i, times=1):
    log = cluster.folder / f"validator-{i}.log"
    deadline = time.monotonic() + 60
    while log.read_text().count("may vote again") < times:
        assert time.monotonic() < deadline, log.read_text()[-2000:]
        select.select([], [], [], 0.05)


def scenario_rejoin(cluster):
    """A validator that lost its folder, then also its rollback guard, comes back by one command and votes."""
    cluster.start_all()
    lines = 0
    config = cluster.net / "validator-2/vigild.toml"
    for round, loses_guard in enumerate((False, True)):
        file, more = sample(cluster, f"few-{round}", 300, "--seed", round + 1)
        lines += more
        cluster.vigil(*ingest_args(cluster, file, stream=f"round-{round}"))
        cluster.vigil("wait", "--all", "--events", lines, "--timeout", 60)
        cluster.end(2, signal.SIGKILL)
        refused = cluster.run("vigild", "rejoin", "-c", config, expect=1)
        assert "--even-if-sound" in refused.stderr, refused.stderr
        shutil.rmtree(cluster.data(2))
        if loses_guard:
            (cluster.net / "validator-2/keys/rollback_guard").unlink()
        refused = cluster.run("vigild", "start", "-c", config, expect=1)
        assert "vigild " + ("init" if loses_guard else "rejoin") in refused.stderr, refused.stderr
        cluster.run("vigild", "rejoin", "-c", config)
        cluster.start(2)
        cluster.vigil("wait", "--all", "--events", lines, "--timeout", 60)
        busy = cluster.run("vigild", "rejoin", "--even-if-sound", "-c", config, expect=1)
        assert "stop that one first" in busy.stderr, busy.stderr
        # With another one down it is one of the three that are needed.
        wait_until_votes(cluster, 2, times=round + 1)
        cluster.end(3, signal.SIGKILL)
        file, more = sample(cluster, f"with-{round}", 100, "--seed", round + 11)
        lines += more
        cluster.vigil(*ingest_args(cluster, file, stream=f"with-{round}"), "--ack", "final")
        cluster.start(3)
        cluster.vigil("wait", "--leader", "--all", "--events", lines, "--timeout", 60)
    for i in range(1, cluster.count + 1):
        assert cluster.end(i) == 0
    assert int(cluster.verify(2)["events"]) == lines


def incidents_of(cluster, alert):
    """The alert, which is closed, shows through in its incident; filters find it by its own entity."""
    def asked(*words):
        return json.loads(cluster.vigil(*words, "-o", "json").stdout)

    whole = asked("alert", "get", alert)
    incident = asked("incident", "get", whole["incident"])
    states = {one["record_index"]: one["triage"]["state"] for one in incident["alerts"]}
    assert states[alert] == "closed", incident
    assert incident["state"] == ("closed" if set(states.values()) == {"closed"} else "open"), incident
    assert incident["closed_count"] == list(states.values()).count("closed"), incident
    listed = asked("incident", "list", "--all", "--state", incident["state"])["incidents"]
    assert [one["alert_count"] for one in listed if one["number"] == incident["number"]] == [len(states)], listed
    name = f"{incident['entity_kind']}:{incident['entity']}"
    found = asked("alert", "list", "--all", "--entity", name, "--component", whole["component"])["alerts"]
    assert alert in {one["record_index"] for one in found}, name
    assert all(one["component"] == whole["component"] for one in found), found
    assert incident["entity"] in cluster.vigil("incident", "get", whole["incident"]).stdout


def triage(cluster, alert):
    """An analyst works on an alert; nobody else may, and nobody is overwritten unseen."""
    def keys(name):
        return ["--signing-key", cluster.net / f"clients/{name}.key"]

    def act(verb, *words, key="org-1-analyst", expect=0):
        return cluster.vigil("alert", verb, alert, *words, *keys(key), expect=expect)

    def shown():
        return json.loads(cluster.vigil("alert", "get", alert, "-o", "json").stdout)["triage"]

    def listed(*words):
        page = json.loads(cluster.vigil("alert", "list", *words, "--all", "-o", "json").stdout)
        return [one["record_index"] for one in page["alerts"]]

    assert shown()["state"] == "open" and alert in listed("--triage", "open")
    act("ack", key="org-1-sensor-1", expect=4)
    act("ack", key="org-2-analyst", expect=4)
    act("reopen", expect=1)
    assert "proven to be in the log" in act("ack").stdout
    act("assign", "--to", "org-2/analyst", expect=1)
    act("assign")
    assert listed("--assignee", "org-1/analyst") == [alert] and alert not in listed("--triage", "open")
    act("close", "--verdict", "perhaps", expect=2)
    act("close", "--verdict", "true-positive", "--revision", 1, expect=9)
    act("close", "--verdict", "true-positive")
    state = shown()
    assert [step["action"] for step in state["steps"]] == ["acknowledge", "assign", "close"], state
    assert (state["state"], state["verdict"], state["assignee"]) == ("closed", "true-positive", "org-1/analyst"), state
    assert listed("--triage", "closed") == [alert]
    incidents_of(cluster, alert)
    rows = json.loads(cluster.vigil("detector", "precision", "-o", "json").stdout)["precision"]
    assert [row["true_positive"] for row in rows] == ["1"], rows
    act("reopen", "--trust")
    rows = json.loads(cluster.vigil("detector", "precision", "-o", "json").stdout)["precision"]
    assert [row["true_positive"] for row in rows] == ["0"], rows


def alerts_of_models(cluster):
    """Confirmed alerts that rest on a model, which a stranger can compute again, newest first."""
    page = json.loads(cluster.vigil("alert", "list", "--state", "confirmed", "--all", "-o", "json").stdout)
    return [one for one in page["alerts"] if one["component"] != "rule"]


def attack_until_confirmed(cluster, count):
    """Ingests attacked traffic until so many alerts are confirmed; returns the lines of the first file.

    Where detectors lag, as on a busy machine, they cite models that were replaced, and their alerts are rejected: then
    the attack comes once more, two days later."""
    first = None
    for attempt in range(4):
        name = f"attacked-{attempt}" if attempt else "attacked"
        file, lines = sample(cluster, name, 1000, "--seed", 2 + attempt, "--attacks", "--start",
                             f"2026-01-0{1 + 2 * attempt}T12:00:00Z")
        first = first or lines
        cluster.vigil(*ingest_args(cluster, file, stream=name))
        try:
            wait_until(f"{count} confirmed alerts", lambda: len(alerts_of_models(cluster)) >= count, 60)
            return first
        except AssertionError as error:
            print(f"attack {attempt + 1}: {error}")
    raise AssertionError(f"no {count} confirmed alerts after four attacks")


def confirmed_alerts(cluster):
    return {one["record_index"]: (one["event"]["ref"], one["score_bits"], one["confirmed_height"])
            for one in alerts_of_models(cluster)}


def scenario_evidence(cluster):
    """Evidence of an event, an alert and a span from a running network verifies offline; altered, it does not."""
    cluster.start_all()
    ordinary, _ = sample(cluster, "ordinary", 20000)
    cluster.vigil(*ingest_args(cluster, ordinary))
    cluster.vigil("wait", "--models", 2, "--all", "--timeout", 120)
    lines = attack_until_confirmed(cluster, 1)
    policy = cluster.folder / "policy.txt"
    policy.write_text(cluster.vigil("log", "policy", "--genesis", cluster.net / "genesis.json").stdout)
    alert = alerts_of_models(cluster)[0]
    span = ["--since", "2026-01-01T12:00:00Z", "--until", "2026-01-02T00:00:00Z"]
    for name, words, says in (("event", ["event", alert["event"]["ref"]], "events_shown: 1\n"),
                              ("alert", ["alert", alert["record_index"]], "\nconfirmed_by: "),
                              ("span", ["span", *span], f" attacked sequence 1 to "),
                              ("some", ["span", *span, "--address", "203.0.113.9", "--only-matching"], " incomplete")):
        file = cluster.folder / f"{name}.evidence"
        cluster.vigil("evidence", "export", *words, "--wait", 60, "--file", file)
        facts = cluster.vigil("evidence", "verify", file, "--policy", policy).stdout
        assert says in facts and facts.endswith("\nVERIFIED\n"), (name, facts)
        if name == "span":
            assert f"events {lines} of {lines} complete" in facts, facts
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 4
        file.write_bytes(data)
        cluster.vigil("evidence", "verify", file, "--policy", policy, expect=6)
    page = cluster.folder / "page.html"
    cluster.vigil("evidence", "export", "alert", alert["record_index"], "--file", cluster.folder / "again")
    cluster.vigil("evidence", "page", cluster.folder / "again", "--policy", policy, "--file", page)
    assert "confirmed by the chain" in page.read_text()
    cluster.vigil("evidence", "export", "event", "1000000.1", "--wait", 0, "--file", page, expect=5)
    triage(cluster, alert["record_index"])
    for i in range(1, cluster.count + 1):
        assert cluster.end(i) == 0


def forge(cluster, event, *rule):
    """An alert that validator 1's key signs and its detector never raised; of a rule, if one is given."""
    tool = cluster.bin.parent / "tests/forge_alert"
    done = subprocess.run([tool, cluster.net / "clients/vigil.toml", cluster.net / "genesis.json",
                           cluster.net / "validator-1/keys/record.key", event, *map(str, rule)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def forged_rule_alert(cluster):
    """Rules are replaced while events flow, and validator 1 lies about the new one; returns evidence files of an
    alert from before, one from behind, and of the lie, with the verdict on each."""
    wait_until("an alert of a rule is confirmed", lambda: rules.rule_alerts(cluster, "--state", "confirmed"))
    before = {one["record_index"]: one for one in rules.rule_alerts(cluster, "--state", "confirmed")}
    models = confirmed_alerts(cluster)
    old, new = rules.replace_while_events_flow(cluster)
    assert {one["rule"]["rules_digest"] for one in before.values()} == {old}
    late = json.loads(cluster.vigil("event", "search", "--limit", 200, "--newest", "-o", "json").stdout)["events"]
    taken = {one["event"]["ref"] for one in rules.rule_alerts(cluster)}
    lie = forge(cluster, next(one["ref"] for one in late if one["ref"] not in taken and one["event"]["dst"].get("port")), 99)

    def faults():
        found = json.loads(cluster.vigil("alert", "faults", "-o", "json").stdout)["faults"]
        return [one for one in found if one["alert"] == lie]

    told = wait_until("the lie about the rule is on the chain", faults)
    assert {one["fault"] for one in told} == {"rule"} and told[0]["proposer"].endswith("/validator-1"), told
    now = {one["record_index"]: one for one in rules.rule_alerts(cluster, "--state", "confirmed")}
    assert before.keys() <= now.keys() and lie not in now, (before.keys(), now.keys(), lie)
    assert models.items() <= confirmed_alerts(cluster).items()
    behind = next(one for one in now.values() if one["rule"]["rules_digest"] == new and one["rule"]["number"] == 99)
    files = {}
    for name, alert, verdict in (("before", next(iter(before)), "VERIFIED"), ("behind", behind["record_index"], "VERIFIED"),
                                 ("lie", lie, "RULE_DIFFERS")):
        file = cluster.folder / f"{name}.rule.evidence"
        cluster.vigil("evidence", "export", "alert", alert, "--wait", 60, "--file", file)
        files[file] = verdict
    said = cluster.vigil("alert", "verify", lie, "--genesis", cluster.net / "genesis.json", "--wait", 60, expect=6).stdout
    assert "RULE_DIFFERS: " in said and said.count("the alert says") == 1 and "rules active" in said, said
    return files


def scenario_forged_alert(cluster):
    """A validator forges alerts, of a model and of a rule that came while events flowed: they are contested and
    recorded, what is confirmed stays, and a stranger recomputes all of them with no validator running."""
    cluster.start_all()
    ordinary, _ = sample(cluster, "ordinary", 20000)
    cluster.vigil(*ingest_args(cluster, ordinary))
    cluster.vigil("wait", "--models", 2, "--all", "--timeout", 120)
    attack_until_confirmed(cluster, 3)
    policy = cluster.folder / "policy.txt"
    policy.write_text(cluster.vigil("log", "policy", "--genesis", cluster.net / "genesis.json").stdout)
    before = confirmed_alerts(cluster)
    search = json.loads(cluster.vigil("event", "search", "--limit", 40, "-o", "json").stdout)["events"]
    flows = [one["ref"] for one in search if one["ref"] not in {ref for ref, _, _ in before.values()}]
    forged = [forge(cluster, event) for event in flows[:2]]

    def faults():
        return json.loads(cluster.vigil("alert", "faults", "-o", "json").stdout)["faults"]

    wait_until("the faults on the chain", lambda: {one["alert"] for one in faults()} == set(forged))
    for one in faults():
        assert one["proposer"].endswith("/validator-1") and one["fault"] == "score", one
        assert not one["recorded_by"].endswith("/validator-1"), one
        assert one["claimed_score_bits"] != one["score_bits"], one
    now = confirmed_alerts(cluster)
    assert before.items() <= now.items() and not set(forged) & set(now), (before, now, forged)
    right, wrong = next(iter(before)), forged[0]
    evidence, fault = cluster.folder / "right.evidence", cluster.folder / "wrong.evidence"
    genesis = ["--genesis", cluster.net / "genesis.json"]
    assert cluster.vigil("alert", "verify", right, *genesis, "--wait", 60).stdout.endswith("VERIFIED\n")
    said = cluster.vigil("alert", "verify", wrong, *genesis, "--wait", 60, "--fault", fault, expect=6)
    assert "\nSCORE_DIFFERS: " in said.stdout and "recorded on the chain by" in said.stdout, said.stdout
    cluster.vigil("evidence", "export", "alert", right, "--wait", 60, "--file", evidence)
    words = cluster.vigil("alert", "explain", right).stdout
    assert "decided by" in words and " rows of the window" in words or "in the window" in words, words
    status = json.loads(cluster.vigil("detector", "status", "-o", "json").stdout)
    flow = status["types"][0]
    assert flow["state"] == "warm" and int(flow["alerts"]["raised"]) + int(flow["previous"]["raised"]) > 0, status
    assert int(flow["previous"]["events"]) > 0 or flow["previous"]["period"] == "0", status
    of_rules = forged_rule_alert(cluster)
    for i in range(1, cluster.count + 1):
        assert cluster.end(i) == 0
    # Nothing runs any more.
    assert cluster.vigil("alert", "verify", evidence, "--policy", policy).stdout.endswith("VERIFIED\n")
    assert "decided by" in cluster.vigil("alert", "explain", evidence, "--policy", policy).stdout
    said = json.loads(cluster.vigil("alert", "verify", fault, "--policy", policy, "-o", "json", expect=6).stdout)
    assert said["verdict"] == "SCORE_DIFFERS" and said["fault_of"].endswith("/validator-1"), said
    assert any(one["name"] == "fault_proof" for one in said["facts"]), said
    cluster.vigil("evidence", "verify", fault, "--policy", policy)
    for file, verdict in of_rules.items():
        said = json.loads(cluster.vigil("alert", "verify", file, "--policy", policy, "-o", "json",
                                        expect=6 if verdict == "RULE_DIFFERS" else 0).stdout)
        assert said["verdict"] == verdict, said
        assert verdict != "RULE_DIFFERS" or said["fault_of"].endswith("/validator-1"), said
    for file in (evidence, *of_rules):
        data = bytearray(file.read_bytes())
        data[-100] ^= 1  # In the model, or the rule file.
        file.write_bytes(data)
        assert "MODEL_DIFFERS" in cluster.vigil("alert", "verify", file, "--policy", policy, expect=6).stdout


def scenario_join(cluster):
    """A fifth validator joins by a snapshot, killed -9 three times on the way; what it had fetched it keeps."""
    genesis = cluster.net / "genesis.json"
    content = json.loads(genesis.read_text())
    content["parameters"].update(snapshot_interval_blocks=65, heartbeat_millis=100)
    genesis.write_text(json.dumps(content))
    for i in range(1, 6):
        with open(cluster.net / f"validator-{i}/vigild.toml", "a") as config:
            config.write("\n[fetch]\nbytes_per_second = 65536\n")
    config = cluster.net / "validator-5/vigild.toml"
    shutil.rmtree(cluster.data(5))
    (cluster.net / "validator-5/keys/rollback_guard").unlink()
    cluster.run("vigild", "init", "-c", config)
    for i in range(1, 5):
        cluster.start(i)
    cluster.vigil("wait", "--leader", "--timeout", 60)
    lines = 0
    while min(int(one["final_height"]) for one in cluster.statuses()) < 140:
        file, more = sample(cluster, f"few-{lines}", 500, "--seed", lines + 1)
        cluster.vigil("ingest", "--quiet", "--batch", 10, "--stream", f"s{lines}", "--spool",
                      cluster.folder / f"spool-{lines}", file)
        lines += more

    folder = cluster.data(5)
    log = cluster.folder / "validator-5.log"
    for reached in (folder / "join/goal", folder / "join/chunks", folder / "snapshots"):
        cluster.start(5)
        deadline = time.monotonic() + 60
        # A snapshot of one chunk may be there before anybody looks.
        while not (reached.exists() or "follows from now on" in log.read_text()):
            assert time.monotonic() < deadline, (reached, log.read_text())
            select.select([], [], [], 0.005)
        cluster.end(5, signal.SIGKILL)
    cluster.start(5)
    cluster.vigil("wait", "--all", "--events", lines, "--timeout", 120)
    assert "joins by the snapshot of height" in log.read_text(), log.read_text()
    assert "the log up to there; follows from now on" in log.read_text(), log.read_text()
    # With two others down it is one of the three that are needed.
    wait_until_votes(cluster, 5)
    cluster.end(1, signal.SIGKILL)
    cluster.end(2, signal.SIGKILL)
    file, more = sample(cluster, "more", 100, "--seed", 999)
    cluster.vigil(*ingest_args(cluster, file, stream="more"), "--ack", "final")
    for i in (1, 2):
        cluster.start(i)
    cluster.vigil("wait", "--all", "--events", lines + more, "--timeout", 60)
    digests = {one["executed_height"]: one["state_digest"] for one in cluster.statuses()}
    for one in cluster.statuses():
        assert digests.get(one["executed_height"], one["state_digest"]) == one["state_digest"]

    # Its folder verifies above the snapshot, and the report says that it is so.
    for i in (1, 5):
        assert cluster.end(i) == 0
    whole, report = cluster.verify(1), cluster.verify(5, expect=9)
    base = int(report["base_height"])
    assert report["verdict"] == "VERIFIED_FROM_BASE" and report["missing_heights"] == f"1 to {base}", report
    start = int(report["executed_from_snapshot"])
    assert report["store_compared"] and report["executed_height"] == report["committed_height"], report
    # Two snapshots are kept, so that of the base may be gone.
    assert ("not_executed_heights" in report) == (start > base), report
    assert report["base_in_log"].startswith("its block, seal and root"), report
    assert report["checkpoint"] == whole["checkpoint"] == "matches", (report, whole)
    assert int(report["blocks"]) + base == int(report["committed_height"]), report
    name = f"{start:020}.snapshot"
    with open(folder / "snapshots" / name, "r+b") as snapshot:
        snapshot.seek(1000)
        byte = snapshot.read(1)
        snapshot.seek(1000)
        snapshot.write(bytes([byte[0] ^ 1]))
    assert any("snapshot_differs" in one for one in cluster.verify(5, expect=6)["findings"])


def big_events(cluster, name, count, first):
    """A file of events of about 15 KiB, so that a journal has several segments after a few seconds."""
    file = cluster.folder / f"{name}.json"
    with open(file, "w") as out:
        for n in range(first, first + count):
            filler = f"{n:08x}" * 127
            out.write(json.dumps({
                "time": "2026-11-20T14:00:00Z", "class_uid": 3002, "activity_id": 1, "severity_id": 1,
                "status_id": 2, "source": "vpn.auth", "message": filler, "url_or_query": filler,
                "src": {"ip": f"203.0.{n // 250 % 250}.{n % 250}", "port": 1024 + n % 60000},
                "actor": {"user": f"user-{n % 50}", "cmd_line": filler * 4},
                "unmapped": {f"filler-{k}": filler for k in range(7)}}) + "\n")
    return file


def scenario_archive(cluster):
    """Validators archive while they run; archive and journal verify together; a flipped byte is named."""
    genesis = cluster.net / "genesis.json"
    content = json.loads(genesis.read_text())
    content["parameters"].update(snapshot_interval_blocks=65)
    content["parameters"]["detector"].update(window_rows_max=512, window_rows_min=64)
    genesis.write_text(json.dumps(content))
    archives = {i: cluster.folder / f"archive-{i}" for i in range(1, cluster.count + 1)}
    for i, archive in archives.items():
        with open(cluster.net / f"validator-{i}/vigild.toml", "a") as config:
            config.write(f'\n[retention]\njournal_bytes_max = {128 << 20}\narchive_dir = "{archive}"\n')
    cluster.start_all()

    def journal(i):
        return sorted(one.name for one in (cluster.data(i) / "journal").glob("*.journal"))

    def archived(i):
        return journal(i)[0] != f"{0:020}.journal"

    lines = 0
    deadline = time.monotonic() + 200
    while not all(map(archived, archives)):
        assert time.monotonic() < deadline, {i: journal(i) for i in archives}
        file = big_events(cluster, f"big-{lines}", 2000, lines)
        cluster.vigil("ingest", "--quiet", "--format", "vigil", "--batch", 60, "--stream", f"s{lines}", "--spool",
                      cluster.folder / f"spool-{lines}", file)
        file.unlink()
        lines += 2000
    cluster.vigil("wait", "--all", "--events", lines, "--timeout", 60)
    for i in archives:
        assert cluster.end(i) == 0

    def verify(*args, expect):
        done = cluster.vigil("verify", "ledger", *args, "--genesis", genesis, "-o", "json", expect=expect)
        return json.loads(done.stdout)

    digests = {}
    for i, archive in archives.items():
        assert (archive / "MANIFEST").exists() and (archive / f"{0:020}.journal").exists()
        whole = verify(cluster.data(i), "--archive", archive, expect=0)
        assert whole["verdict"] == "VERIFIED" and int(whole["events"]) == lines, whole
        assert digests.setdefault(whole["executed_height"], whole["state_digest"]) == whole["state_digest"], whole
    # Alone the folder says where it begins, and the archive where it ends.
    alone = verify(cluster.data(1), expect=9)
    assert alone["verdict"] == "VERIFIED_FROM_BASE", alone
    segment = archives[2] / f"{0:020}.journal"
    with open(segment, "r+b") as file:
        file.seek(segment.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    damaged = verify(cluster.data(2), "--archive", archives[2], expect=6)
    assert damaged["verdict"] == "DAMAGED", damaged
    assert any("archive_differs" in one and str(segment) in one for one in damaged["findings"]), damaged["findings"]
    print("\n".join(damaged["findings"][:3]))
    # What is left is backed up and brought back without the archive.
    backup, back, guard = cluster.folder / "backup", cluster.folder / "back", cluster.net / "validator-1/keys/rollback_guard"
    cluster.run("vigild", "data", "backup", cluster.data(1), backup, "--genesis", genesis)
    cluster.run("vigild", "data", "restore", backup, back, "--genesis", genesis, "--guard", guard)
    restored = verify(back, "--journal-only", expect=9)
    assert restored["verdict"] == "VERIFIED_FROM_BASE" and restored["state_digest"] == alone["state_digest"], restored


SCENARIOS = {"killed-leader": (scenario_killed_leader, 3), "altered-ledger": (scenario_altered_ledger, 1),
             "full-disk": (scenario_full_disk, 3), "bad-input": (scenario_bad_input, 3),
             "idle-connections": (scenario_idle_connections, 1),
             "stop-without-quorum": (scenario_stop_without_quorum, 3),
             "outside-witness": (scenario_outside_witness, 4), "rejoin": (scenario_rejoin, 4),
             "join": (scenario_join, 5), "evidence": (scenario_evidence, 4),
             "forged-alert": (scenario_forged_alert, 4), "archive": (scenario_archive, 3)}


def main():
    scenario, validators = SCENARIOS[sys.argv[2]]
    cluster = Cluster(sys.argv[1], validators)
    try:
        scenario(cluster)
    except BaseException:
        for log in sorted(cluster.folder.glob("*.log")):
            print(f"-- {log.name}\n{log.read_text()[-3000:]}")
        raise
    finally:
        cluster.close()
    print(f"{sys.argv[2]}: ok")


if __name__ == "__main__":
    main()
