#!/usr/bin/env python3
"""Real processes: the set of validators changes under an ingest; the leader falls at the change; a machine
that was broken into gets other keys, and the new one learns before the ballot that decides and goes on as a
validator without a restart; another one goes; proofs of every epoch verify from genesis. Those who stay have a
new cosigner key in every epoch, and the old ones are nowhere on their disks.

Usage: epochs_test.py BIN_FOLDER

Waits on state, never on time. Ends only processes it started, by id.
"""
import json
import signal
import subprocess
import sys
import time

from cluster_test import Cluster, ingest_args, sample, wait_until
from hand_over_test import endpoint, log_of


def admin(cluster, org, *args, expect=0):
    return cluster.vigil("--signing-key", cluster.net / f"clients/org-{org}-admin.key", "--identity",
                         f"org-{org}/admin", "-o", "json", "admin", "validator", *args, expect=expect)


def propose(cluster, org, *args):
    return int(json.loads(admin(cluster, org, *args, "--yes").stdout)["proposal"])


def approve(cluster, org, proposal, expect=0):
    return admin(cluster, org, "approve", proposal, "--yes", expect=expect)


def epoch(cluster, i):
    done = subprocess.run(cluster.command("vigil", "--endpoints", endpoint(cluster, i), "-o", "json", "validators"),
                          env=cluster.env, capture_output=True, text=True)
    return int(json.loads(done.stdout)["epoch"]) if done.returncode == 0 else 0


def wait_for_epoch(cluster, number, members):
    wait_until(f"validators {members} are in epoch {number}", lambda: all(epoch(cluster, i) == number for i in members))


def validators(cluster):
    return json.loads(cluster.vigil("-o", "json", "admin", "validator", "list").stdout)["validators"]


def wait_for_announced(cluster, members):
    """Every one of these has told the chain which cosigner key it has next."""
    names = {f"org-{i}/validator-{i}" for i in members}
    wait_until(f"validators {members} announce their next keys", lambda: names <= {
        one["identity"] for one in validators(cluster) if one["next_cosigner_key"]})


def secret(cluster, i, keys="keys"):
    """The private half in the file of the cosigner key in use."""
    text = (cluster.net / f"validator-{i}/{keys}/cosigner.key").read_text()
    return text.split("seed ")[1][:64]


def holding(cluster, i, key):
    """Files of validator i's folder with the private key in them, as text or as it is."""
    needles = (key.encode(), bytes.fromhex(key))
    folder = cluster.net / f"validator-{i}"
    return [str(file) for file in folder.rglob("*") if file.is_file() and any(
        needle in file.read_bytes() for needle in needles)]


def wait_for_destroyed(cluster, old, members):
    """New cosigner keys are in use, and the old ones are gone from every file."""
    def moved(i):
        return not (cluster.net / f"validator-{i}/keys/cosigner.next.key").exists()
    wait_until(f"validators {members} destroyed their old keys", lambda: all(map(moved, members)))
    for i in members:
        assert secret(cluster, i) != old[i]
        assert not holding(cluster, i, old[i]), holding(cluster, i, old[i])
        assert holding(cluster, i, secret(cluster, i))  # The search finds what is there.


def start_ingest(cluster, file, stream):
    return subprocess.Popen([str(cluster.bin / "vigil"), *map(str, ingest_args(cluster, file, stream))], env=cluster.env,
                            stdout=subprocess.PIPE, text=True)


def ended(ingest, lines):
    report = json.loads(ingest.communicate(timeout=240)[0])
    assert ingest.returncode == 0 and int(report["total"]["accepted"]) == lines, report


def newcomer(cluster, proposal):
    """What every present validator that is up sees of it; nothing, unless all see one."""
    seen = []
    for i in (1, 2, 3):
        done = subprocess.run(cluster.command("vigil", "--endpoints", endpoint(cluster, i), "-o", "json", "validators"),
                              env=cluster.env, capture_output=True, text=True)
        if done.returncode == 0:
            seen += [one for one in json.loads(done.stdout)["newcomers"] if int(one["proposal"]) == proposal]
    return seen if len(seen) == 3 else []


def caught_up(cluster, proposal):
    return all(one["caught_up"] for one in newcomer(cluster, proposal)) and newcomer(cluster, proposal)


def replace_keys(cluster):
    """Validator 4 was broken into: its machine is taken off, and another with new keys learns under its name."""
    old = cluster.net / "validator-4"
    entry = cluster.folder / "entry.json"
    cluster.run("vigild", "keys", "--dir", old / "keys-new", "--reveal-length", 4096, "--identity", "org-4/validator-4",
                "--entry", entry)
    assert cluster.end(4) == 0
    toml = old / "vigild.toml"
    (old / "old.toml").write_text(toml.read_text())
    toml.write_text(toml.read_text().replace('data_dir = "data"', 'data_dir = "data-new"').replace(
        'keys_dir = "keys"', 'keys_dir = "keys-new"'))
    cluster.run("vigild", "init", "-c", toml, "--entry", entry)
    # Before anybody proposes it, it is refused, and waits.
    cluster.start(4)
    wait_until("it is told that no proposal names it", lambda: "no open proposal" in log_of(cluster, 4))

    # One organisation of four, and no admin of none, decides nothing.
    rejected = propose(cluster, 1, "replace", entry, "--reason", "too early")
    wait_until("it learns", lambda: any(one["learns"] for one in newcomer(cluster, rejected)))
    for org in (2, 3):
        admin(cluster, org, "reject", rejected, "--yes", expect=0)
    # What the chain decided ends it, and its process says what to do.
    assert cluster.processes.pop(4).wait(60) == 1
    wait_until("it says so", lambda: "remove its data folder" in log_of(cluster, 4))

    proposal = propose(cluster, 1, "replace", entry, "--reason", "validator-4 was broken into")
    # Nobody approves what does not run, unless told to.
    refused = approve(cluster, 2, proposal, expect=1)
    assert "not seen" in refused.stderr, refused.stderr
    cluster.start(4)
    cluster.end(4, signal.SIGKILL)
    cluster.start(4)
    wait_until("the newcomer has caught up", lambda: caught_up(cluster, proposal))
    approve(cluster, 1, proposal, expect=1)
    approve(cluster, 2, proposal)
    assert all(epoch(cluster, i) == 1 for i in range(1, 4))
    return proposal


def old_machine_is_refused(cluster):
    """Somebody starts the old machine once more, elsewhere: its keys open no stream."""
    toml = cluster.net / "validator-4/old.toml"
    log = cluster.folder / "old-4.log"
    with open(log, "wb") as out:
        process = subprocess.Popen([str(cluster.bin / "vigild"), "start", "-c", str(toml), "--listen.api", "127.0.0.1:0",
                                    "--listen.peer", "127.0.0.1:0", "--listen.http", ""], stdout=out, stderr=out)
    try:
        wait_until("the others refuse it", lambda: "the other epoch is over" in log.read_text())
    finally:
        process.kill()
        process.wait()


def scenario(cluster):
    cluster.start_all()
    genesis = cluster.net / "genesis.json"
    policy = cluster.folder / "policy.txt"
    policy.write_text(cluster.vigil("log", "policy").stdout)
    file, lines = sample(cluster, "first", 3000)
    ingest = start_ingest(cluster, file, "first")

    old = {i: secret(cluster, i) for i in range(1, 5)}
    proposal = replace_keys(cluster)
    wait_for_announced(cluster, [1, 2, 3])
    # The leader falls as the last approval is being agreed on.
    leader = cluster.leader()
    third = subprocess.Popen(cluster.command("vigil", "--signing-key", cluster.net / "clients/org-3-admin.key", "--identity",
                                             "org-3/admin", "admin", "validator", "approve", proposal, "--yes"), env=cluster.env,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    at = "ended with block"
    wait_until("the approval is on its way", lambda: third.poll() is not None or any(
        at in log_of(cluster, i) for i in range(1, 5)), 30)
    cluster.end(leader, signal.SIGKILL)
    fallen = time.monotonic()
    cluster.start(leader)
    third.wait(60)
    if third.returncode != 0:  # Its answer fell with the leader: whether it counted, the chain says.
        shown = json.loads(admin(cluster, 1, "show", proposal).stdout)
        if shown["state"] == "open":
            admin(cluster, 3, "approve", proposal, "--yes", "--even-if-behind")
    stay = [1, 2, 3]
    wait_for_epoch(cluster, 2, stay)
    print(f"epoch 2 on every validator {time.monotonic() - fallen:.1f} s after the leader fell")
    ended(ingest, lines)
    wait_for_destroyed(cluster, old, stay)
    since = {one["identity"]: int(one["cosigner_epoch"]) for one in validators(cluster)}
    assert since == {f"org-{i}/validator-{i}": 2 for i in range(1, 5)}, since

    chain = cluster.folder / "epochs.chain"
    cluster.vigil("log", "epochs", "-o", chain)
    # The newcomer's process is the one that learned, and it is a validator now.
    wait_for_epoch(cluster, 2, [1, 2, 3, 4])
    cluster.vigil("wait", "--leader", "--all", "--timeout", 60)
    cluster.wait_caught_up()
    assert cluster.processes[4].poll() is None
    old_machine_is_refused(cluster)

    # An event of the first epoch is proven by those who validate now.
    found = json.loads(cluster.vigil("-o", "ndjson", "event", "search", "--all", "--limit", 1).stdout.splitlines()[0])
    proof = cluster.folder / "event.tlog-proof"
    cluster.vigil("proof", "event", found["ref"], "--wait", 60, "--file", proof)
    verdict = cluster.vigil("verify", proof, "--policy", policy, "--epochs", chain)
    assert "VERIFIED" in verdict.stdout, verdict.stdout
    unknown = cluster.vigil("verify", proof, "--policy", policy, expect=6)
    assert "UNKNOWN_EPOCH" in unknown.stdout + unknown.stderr, unknown

    # Validator 3 goes, under an ingest.
    more, more_lines = sample(cluster, "second", 3000, "--seed", 5)
    ingest = start_ingest(cluster, more, "second")
    old = {i: secret(cluster, i) for i in (1, 2, 3)}
    going = propose(cluster, 2, "remove", "org-3/validator-3", "--reason", "retired")
    wait_for_announced(cluster, [1, 2, 3, 4])
    for org in (1, 4):
        approve(cluster, org, going)
    wait_for_epoch(cluster, 3, [1, 2, 4])
    ended(ingest, more_lines)
    wait_until("validator 3 says so", lambda: "no validator any more since epoch 3" in log_of(cluster, 3))
    wait_for_destroyed(cluster, old, [1, 2])
    cluster.end(3)
    assert not holding(cluster, 3, old[3]), holding(cluster, 3, old[3])
    sets = json.loads(cluster.vigil("-o", "json", "validators").stdout)
    assert int(sets["epoch"]) == 3 and len(sets["validators"]) == 3, sets
    cluster.vigil("wait", "--events", lines + more_lines, "--timeout", 60)

    # What each kept verifies from genesis, over all epochs.
    for i in (1, 2):
        cluster.end(i)
    cluster.end(4)
    first = cluster.verify(1)
    assert first["verdict"] == "VERIFIED" and int(first["events"]) == lines + more_lines, first
    second = cluster.verify(2)
    assert second["verdict"] == "VERIFIED", second
    removed = cluster.verify(3)
    assert removed["verdict"] == "VERIFIED", removed


def main():
    cluster = Cluster(sys.argv[1], 4)
    try:
        scenario(cluster)
    except BaseException:
        for log in sorted(cluster.folder.glob("*.log")):
            print(f"-- {log.name}\n{log.read_text()[-3000:]}")
        raise
    finally:
        cluster.close()
    print("epochs: ok")


if __name__ == "__main__":
    main()
