#!/usr/bin/env python3
"""How a cluster behaves as its chain grows: what it commits per second, and how long a validator takes to start.

Usage: growth.py BIN_FOLDER [VALIDATORS] [EVENTS ...]      (default: 3 validators; 100000 1000000 10000000)

At each number of events: events per second of a closed loop, bytes of the first validator's folder, and the time from
the start of its process, once after SIGTERM and once after kill -9, until it answers, and until it has executed all
that the others have and its search index and detector have caught up.
"""
import json
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cluster"))
from driver import Cluster, wait_until  # noqa: E402
from metrics import metric  # noqa: E402


def bench(cluster, seconds):
    return json.loads(cluster.vigil("bench", "--batch", 1000, "--callers", 16, "--event-bytes", 256, "--seconds", seconds,
                                    "-o", "json").stdout)


def folder_bytes(folder):
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def start_seconds(cluster, how):
    """(until it answers, until it has everything), of validator 1."""
    goal = metric(cluster, 2, "vigil_committed_height")
    cluster.end(1, how)
    begin = time.monotonic()
    cluster.start(1)
    wait_until("it answers", lambda: metric(cluster, 1, "vigil_executed_height") is not None)
    answers = time.monotonic() - begin

    def has_everything():
        return all((metric(cluster, 1, name) or 0) >= goal
                   for name in ("vigil_executed_height", "vigil_indexed_height", "vigil_detector_height"))

    wait_until("it has everything", has_everything, 600)
    return round(answers, 2), round(time.monotonic() - begin, 2)


def main():
    validators = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    sizes = [int(one) for one in sys.argv[3:]] or [100_000, 1_000_000, 10_000_000]
    cluster = Cluster(sys.argv[1], validators)
    try:
        cluster.start_all()
        for size in sizes:
            while metric(cluster, 2, "vigil_events_total") < size:
                row = bench(cluster, 5)
            row = bench(cluster, 10)
            cluster.wait_caught_up()
            row = {"events": int(metric(cluster, 2, "vigil_events_total")),
                   "blocks": int(metric(cluster, 2, "vigil_committed_height")),
                   "events_per_second": row["events_per_second"], "p99_millis": row["p99_millis"],
                   "folder_bytes": folder_bytes(cluster.data(1)),
                   "resident_mib": round(metric(cluster, 1, "vigil_resident_bytes") / (1 << 20))}
            for name, how in (("after_sigterm", signal.SIGTERM), ("after_kill", signal.SIGKILL)):
                row[name + "_answers_seconds"], row[name + "_has_everything_seconds"] = start_seconds(cluster, how)
            row["resident_after_start_mib"] = round(metric(cluster, 1, "vigil_resident_bytes") / (1 << 20))
            print(json.dumps(row), flush=True)
    finally:
        cluster.close()


if __name__ == "__main__":
    main()
