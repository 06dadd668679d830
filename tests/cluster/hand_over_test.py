#!/usr/bin/env python3
"""Real processes: `vigil admin transfer`, a leader that is stopped in order, and linearizable queries.

Usage: hand_over_test.py BIN_FOLDER

Waits on state, never on time. Ends only processes it started, by id.
"""
import json
import subprocess
import sys

from cluster_test import Cluster, ingest_args, sample


def endpoint(cluster, i):
    return cluster.endpoint(i)


def log_of(cluster, i):
    return (cluster.folder / f"validator-{i}.log").read_text()


def check_transfer(cluster):
    """The one that is named leads; strangers may not ask, and nobody may name a stranger."""
    leader = cluster.leader()
    to = leader % cluster.count + 1
    name = f"org-{to}/validator-{to}"
    said = json.loads(cluster.vigil("admin", "transfer", "--to", name, "-o", "json").stdout)
    assert said == {"leader": name}, said
    assert cluster.leader() == to
    # Once more: it leads already.
    assert name in cluster.vigil("admin", "transfer", "--to", name).stdout
    tls = cluster.net / f"validator-{leader}"
    denied = cluster.vigil("--certificate", tls / "tls.pem", "--key", tls / "tls.key", "admin", "transfer", expect=4)
    assert "admin.clients" in denied.stderr, denied.stderr
    cluster.vigil("admin", "transfer", "--to", "org-9/nobody", expect=2)


def check_rolling_restart(cluster, file, lines):
    """Each validator is restarted in order, the leader too, under an ingest: it hands over first."""
    ingest = subprocess.Popen([str(cluster.bin / "vigil"), *map(str, ingest_args(cluster, file))], env=cluster.env,
                              stdout=subprocess.PIPE, text=True)
    handed = 0
    for _ in range(cluster.count):
        leader = cluster.leader()
        before = log_of(cluster, leader).count("handed leadership over")
        assert cluster.end(leader) == 0
        handed += log_of(cluster, leader).count("handed leadership over") - before
        cluster.start(leader)
        cluster.vigil("wait", "--leader", "--all", "--timeout", 60)
    report = json.loads(ingest.communicate()[0])
    assert ingest.returncode == 0 and int(report["total"]["accepted"]) == lines, report
    # A leader that was just replaced by chance has nothing to hand over.
    assert handed >= cluster.count - 1, handed


def check_linearizable(cluster, lines):
    """Right after an acknowledgement every validator shows the event to whoever insists."""
    for i in range(1, cluster.count + 1):
        file, more = sample(cluster, f"more-{i}", 100, "--seed", 100 + i)
        cluster.vigil(*ingest_args(cluster, file, stream=f"more-{i}"))
        lines += more
        for at in range(1, cluster.count + 1):
            found = cluster.vigil("--endpoints", endpoint(cluster, at), "--consistency", "linearizable", "-o",
                                  "ndjson", "event", "search", "--all", "--limit", 1000).stdout
            assert len(found.splitlines()) == lines, (at, len(found.splitlines()), lines)


def check_without_quorum(cluster):
    """One validator alone answers locally, and says why it cannot answer linearizably."""
    for i in range(2, cluster.count + 1):
        cluster.end(i)
    alone = ["--endpoints", endpoint(cluster, 1)]
    cluster.vigil(*alone, "block", "list")
    refused = subprocess.run([str(cluster.bin / "vigil"), *alone, "--consistency", "linearizable", "block", "list"],
                             env=cluster.env, capture_output=True, text=True)
    assert refused.returncode in (3, 7) and "local" in refused.stderr, (refused.returncode, refused.stderr)


def main():
    cluster = Cluster(sys.argv[1], 3)
    try:
        cluster.start_all()
        check_transfer(cluster)
        file, lines = sample(cluster, "rolling", 3000)
        check_rolling_restart(cluster, file, lines)
        check_linearizable(cluster, lines)
        check_without_quorum(cluster)
    finally:
        cluster.close()


if __name__ == "__main__":
    main()
