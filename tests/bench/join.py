#!/usr/bin/env python3
"""A fifth validator joins a long chain by a snapshot, killed -9 three times, while clients submit.

Usage: join.py BIN_FOLDER [EVENTS] [FETCH_BYTES_PER_SECOND]

Prints what the others committed per second without and with the joining, in one run, how long it took from the first
start to the last event, and the bytes that the others served.
"""
import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cluster"))
from driver import Cluster  # noqa: E402
from metrics import metric  # noqa: E402

JOINS = 5


def served(cluster):
    return sum(metric(cluster, i, "vigil_fetch_bytes_total") or 0 for i in range(1, JOINS))


def bench(cluster, seconds, wait=True):
    others = ",".join(f"127.0.0.1:{cluster.port + 10 * i}" for i in range(JOINS - 1))
    process = subprocess.Popen(
        [str(cluster.bin / "vigil"), "--endpoints", others, "bench", "--batch", "100", "--callers", "64",
         "--event-bytes", "200", "--seconds", str(seconds), "-o", "json"], env=cluster.env, stdout=subprocess.PIPE, text=True)
    return json.loads(process.communicate()[0]) if wait else process


def rate(report):
    return f"{report['events_per_second']} events/s, p99 {report['p99_millis']} ms"


def prepare(cluster, bytes_per_second):
    genesis = cluster.net / "genesis.json"
    content = json.loads(genesis.read_text())
    content["parameters"]["snapshot_interval_blocks"] = 512
    genesis.write_text(json.dumps(content))
    for i in range(1, JOINS + 1):
        with open(cluster.net / f"validator-{i}/vigild.toml", "a") as config:
            config.write(f"\n[fetch]\nbytes_per_second = {bytes_per_second}\n")
    shutil.rmtree(cluster.data(JOINS))
    (cluster.net / f"validator-{JOINS}/keys/rollback_guard").unlink()
    cluster.run("vigild", "init", "-c", cluster.net / f"validator-{JOINS}/vigild.toml")
    for i in range(1, JOINS):
        cluster.start(i)
    cluster.vigil("wait", "--leader", "--timeout", 60)


def kill_three_times(cluster):
    """Kills it when a quarter, a half and three quarters of its chunks are here."""
    for quarters in (1, 2, 3):
        while True:
            chunks = metric(cluster, JOINS, "vigil_join_chunks")
            kept = metric(cluster, JOINS, "vigil_join_chunks_kept")
            if chunks and kept and kept * 4 >= chunks * quarters:
                break
            if metric(cluster, JOINS, "vigil_join_active") == 0:
                print(f"it had joined before kill {quarters}")
                return
        print(f"kill -9 at {kept:.0f} of {chunks:.0f} chunks")
        cluster.end(JOINS, signal.SIGKILL)
        cluster.start(JOINS)


def main():
    events = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    bytes_per_second = int(sys.argv[3]) if len(sys.argv) > 3 else 16 << 20
    cluster = Cluster(sys.argv[1], JOINS)
    try:
        prepare(cluster, bytes_per_second)
        while metric(cluster, 1, "vigil_events_total") < events:
            bench(cluster, 5)
        print(f"chain: {metric(cluster, 1, 'vigil_events_total'):.0f} events, "
              f"{metric(cluster, 1, 'vigil_executed_height'):.0f} blocks; "
              f"snapshot: {metric(cluster, 1, 'vigil_snapshot_bytes'):.0f} bytes")
        print("without joining:", rate(bench(cluster, 15)))
        before = served(cluster)
        load = bench(cluster, 15, wait=False)
        begin = time.monotonic()
        cluster.start(JOINS)
        kill_three_times(cluster)
        while metric(cluster, JOINS, "vigil_join_active") != 0:
            time.sleep(0.05)
        print(f"follows after {time.monotonic() - begin:.1f} s")
        print("with joining:", rate(json.loads(load.communicate()[0])))
        last = metric(cluster, 1, "vigil_events_total")
        cluster.vigil("wait", "--all", "--events", int(last), "--timeout", 300)
        print(f"has everything after {time.monotonic() - begin:.1f} s; "
              f"the others served {served(cluster) - before:.0f} bytes")
    finally:
        cluster.close()


if __name__ == "__main__":
    main()
