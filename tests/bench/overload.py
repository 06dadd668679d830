#!/usr/bin/env python3
"""Offers a cluster three times what it can take, for a minute, while an analyst works on an alert.

Usage: overload.py BIN_FOLDER [VALIDATORS] [SECONDS] [FACTOR] [BATCH]

First measures what the cluster accepts from callers that wait for answers; then offers FACTOR times that on a schedule
that waits for nobody. Prints both rows, the alerts' lane as an analyst sees it (whole `vigil alert` commands, so with
the start of a process) without and with the load, and the memory of every validator over time. The load generator
shares the machine, so the offered rate is what it could make: see submissions_not_offered.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cluster"))
from driver import Cluster, ingest_args, sample  # noqa: E402
from metrics import metric  # noqa: E402


def bench(cluster, *args):
    done = subprocess.run(cluster.command("vigil", "bench", "-o", "json", *args), env=cluster.env, capture_output=True,
                          text=True)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def some_alert(cluster):
    ordinary, _ = sample(cluster, "ordinary", 20000)
    cluster.vigil(*ingest_args(cluster, ordinary))
    cluster.vigil("wait", "--models", 2, "--all", "--timeout", 120)
    attacked, _ = sample(cluster, "attacked", 1000, "--seed", 2, "--attacks", "--start", "2026-01-01T12:00:00Z")
    cluster.vigil(*ingest_args(cluster, attacked, stream="attacked"))
    cluster.vigil("wait", "--alerts-confirmed", 1, "--timeout", 120)
    listed = json.loads(cluster.vigil("alert", "list", "--state", "confirmed", "-o", "json").stdout)["alerts"]
    return listed[0]["record_index"]


class Analyst(threading.Thread):
    """Closes and reopens one alert until told to stop; remembers how long each command took."""

    def __init__(self, cluster, alert):
        super().__init__()
        self.cluster, self.alert, self.times, self.over, self.failed = cluster, alert, [], False, None

    def run(self):
        verbs = [["close", self.alert, "--verdict", "true-positive"], ["reopen", self.alert]]
        # The next analyst finds the alert open again, as this one did.
        while not self.over or len(self.times) % 2:
            begin = time.monotonic()
            try:
                self.cluster.vigil("alert", *verbs[len(self.times) % 2], "--trust", "--signing-key",
                                   self.cluster.net / "clients/org-1-analyst.key")
            except AssertionError as error:
                self.failed = error
                return
            self.times.append((time.monotonic() - begin) * 1000)

    def stop(self):
        self.over = True
        self.join()
        assert self.failed is None, self.failed
        ordered = sorted(self.times)
        return {"commands": len(ordered), "median_millis": round(statistics.median(ordered)),
                "p99_millis": round(ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]),
                "max_millis": round(ordered[-1])}


class Memory(threading.Thread):
    """Resident bytes of every validator, about once a second."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster, self.samples, self.over = cluster, [], threading.Event()

    def run(self):
        while not self.over.wait(1):
            now = [metric(self.cluster, i, "vigil_resident_bytes") for i in range(1, self.cluster.count + 1)]
            if None not in now:
                self.samples.append([round(one / (1 << 20)) for one in now])

    def stop(self):
        self.over.set()
        self.join()
        half = len(self.samples) // 2
        highest = [list(map(max, zip(*part))) for part in (self.samples[:half], self.samples[half:])]
        return {"samples": len(self.samples), "first_mib": self.samples[0], "highest_first_half_mib": highest[0],
                "highest_second_half_mib": highest[1]}


def during(cluster, alert, work):
    analyst, memory = Analyst(cluster, alert), Memory(cluster)
    analyst.start()
    memory.start()
    try:
        row = work()
    finally:
        resident = memory.stop()
        lane = analyst.stop()
    return {"load": row, "alerts_lane": lane, "memory": resident}


def main():
    validators, seconds, factor, batch = [int(sys.argv[i]) if len(sys.argv) > i else default
                                          for i, default in ((2, 3), (3, 60), (4, 3), (5, 100))]
    cluster = Cluster(sys.argv[1], validators)
    try:
        cluster.start_all()
        alert = some_alert(cluster)
        words = ["--batch", str(batch), "--event-bytes", "256", "--seconds"]
        print(json.dumps({"idle": during(cluster, alert, lambda: time.sleep(10))}), flush=True)
        capacity = during(cluster, alert, lambda: bench(cluster, *words, "15", "--callers", "64"))
        print(json.dumps({"capacity": capacity}), flush=True)
        offered = factor * int(capacity["load"]["events_per_second"])
        overload = during(cluster, alert, lambda: bench(cluster, *words, str(seconds), "--callers", "4096", "--rate",
                                                        str(offered)))
        print(json.dumps({"overload": overload}), flush=True)
        cluster.wait_caught_up()
        for i in range(1, validators + 1):
            assert cluster.end(i) == 0
        counts = [cluster.verify(i)["events"] for i in range(1, validators + 1)]
        print(json.dumps({"events_on_each": counts}))
        assert len(set(counts)) == 1, counts
    finally:
        cluster.close()


if __name__ == "__main__":
    main()
