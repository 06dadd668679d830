#!/usr/bin/env python3
"""What a cluster takes, beside etcd, in one run: rates, latencies, CPU by stage, bytes written, memory.

Usage: compare.py BIN_FOLDER [--seconds S] [--rounds R] [--validators N ...]

Everything, the load generator too, shares this machine, and systems take turns, so that ratios hold when the machine
drifts: compare within a run. fsync, mTLS and signatures are on for Vigil; etcd (Debian's etcd-server, on the PATH; left
out where it is missing) has three members, its defaults and no TLS. Callers wait for their answers; Vigil's speak to the
leader. Per row of Vigil:

  events/s      of the commit path: acknowledged while the load ran, index and detector may lag
  sustained     the same events, over the time until every validator has indexed them and its detector has seen them
  CPU by stage  seconds per million events per validator until then, by what the validators' threads are called: gRPC's
                receive, check signatures and answer; `replica` builds and agrees, `peer` sends, `log` reads blocks
                again, hashes and cosigns
  written       bytes that went to the disk per byte of the events, per validator, also until then
  MiB           resident memory of the largest validator at the end

Prints one line of JSON per row, and at the end a table of medians over the rounds.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cluster"))
from driver import Cluster, dies_with_us, free_port_range, wait_until  # noqa: E402
from metrics import metric  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
# Callers, batch, bytes of an event. A submission has at most 1 MiB, so that 10,000 events of 256 bytes do not fit.
ROWS = [(1, 1, 256), (16, 1, 256), (256, 1, 256), (16, 100, 256), (16, 1000, 256), (4, 4000, 256), (16, 100, 1024),
        (16, 100, 4096)]
ETCD_ROWS = [(1, 1), (16, 1), (256, 1), (16, 128)]
STAGES = {"replica": "replica", "journal": "journal", "apply": "apply", "index": "index", "detect": "detect",
          "log": "log", "snapshot": "other", "scrub": "other", "epoch": "other", "feed": "other", "archive": "other"}


def stage_of(thread):
    if thread.startswith("peer-"):
        return "peer"
    if thread.startswith("leveldb"):
        return "leveldb"
    return STAGES.get(thread, "grpc")


def cpu_by_stage(pids):
    """Seconds so far, over all threads that live."""
    seconds = collections.Counter()
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            try:
                name, _, rest = (task / "stat").read_text().partition("(")[2].rpartition(")")
            except OSError:
                continue  # It has just ended.
            fields = rest.split()
            seconds[stage_of(name)] += (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def written(pids):
    return sum(int(next(line for line in pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
                        if line.startswith("write_bytes")).split()[1]) for pid in pids)


def resident_mib(pids):
    return max(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids) * 4096 // (1 << 20)


def follow(cluster):
    """Waits until every validator has indexed and judged all that is committed."""
    goal = max(metric(cluster, i, "vigil_committed_height") for i in range(1, cluster.count + 1))
    names = ("vigil_executed_height", "vigil_indexed_height", "vigil_detector_height")
    wait_until("index and detector have caught up",
               lambda: all(metric(cluster, i, name) >= goal for i in range(1, cluster.count + 1) for name in names), 600)


def vigil_row(cluster, row, seconds):
    callers, batch, event_bytes = row
    pids = [process.pid for process in cluster.processes.values()]
    follow(cluster)
    cpu, disk, begin = cpu_by_stage(pids), written(pids), time.monotonic()
    done = json.loads(cluster.vigil("bench", "-o", "json", "--callers", callers, "--batch", batch, "--event-bytes",
                                    event_bytes, "--seconds", seconds).stdout)
    follow(cluster)
    took = time.monotonic() - begin
    events = int(done["events"])
    used = cpu_by_stage(pids)
    per_million = {stage: round((used[stage] - cpu[stage]) / cluster.count / events * 1e6, 2) for stage in used}
    return {"system": "vigil", "validators": cluster.count, "callers": callers, "batch": batch,
            "event_bytes": event_bytes, "events": events, "events_per_second": float(done["events_per_second"]),
            "sustained_per_second": round(events / took), "p50_millis": float(done["p50_millis"]),
            "p99_millis": float(done["p99_millis"]), "p999_millis": float(done["p999_millis"]),
            "cpu_seconds_per_million": round(sum(per_million.values()), 2), "cpu_by_stage": per_million,
            "written_per_event_byte": round((written(pids) - disk) / cluster.count / (events * event_bytes), 2),
            "resident_mib": resident_mib(pids)}


def vigil_rows(bin_folder, validators, seconds):
    cluster = Cluster(bin_folder, validators, testnet=("--period-events", 4096, "--reveal-length", 1_000_000))
    try:
        cluster.start_all()
        for row in ROWS:
            yield vigil_row(cluster, row, seconds)
    finally:
        cluster.close()


def etcd_rows(bin_folder, seconds):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="vigil-etcd-"))
    base = free_port_range(6, 23000)
    peers = [f"http://127.0.0.1:{base + 3 + i}" for i in range(3)]
    cluster = ",".join(f"e{i}={peer}" for i, peer in enumerate(peers))
    processes = []
    try:
        for i, peer in enumerate(peers):
            client = f"http://127.0.0.1:{base + i}"
            with open(folder / f"e{i}.log", "wb") as log:
                processes.append(subprocess.Popen(
                    ["etcd", "--name", f"e{i}", "--data-dir", str(folder / f"e{i}"), "--listen-client-urls", client,
                     "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls",
                     peer, "--initial-cluster", cluster], stdout=log, stderr=log, preexec_fn=dies_with_us))

        def healthy():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{base}/health", timeout=5) as answer:
                    return b"true" in answer.read()
            except (OSError, urllib.error.URLError):
                return False

        wait_until("etcd is healthy", healthy)
        pids = [process.pid for process in processes]
        for callers, operations in ETCD_ROWS:
            cpu = sum(cpu_by_stage(pids).values())
            done = json.loads(subprocess.run([str(bin_folder / "etcd_loader"), f"127.0.0.1:{base}", str(callers),
                                              str(operations), str(seconds)], capture_output=True, text=True,
                                             check=True).stdout)
            rate = float(done["events_per_second"])
            used = (sum(cpu_by_stage(pids).values()) - cpu) / 3 / (rate * seconds) * 1e6
            yield {"system": "etcd", "validators": 3, "callers": callers, "batch": operations, "event_bytes": 256,
                   "events_per_second": rate, "p50_millis": float(done["p50_millis"]),
                   "p99_millis": float(done["p99_millis"]), "cpu_seconds_per_million": round(used, 2),
                   "resident_mib": resident_mib(pids)}
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait()
        shutil.rmtree(folder)


def print_table(rows):
    of_row = collections.defaultdict(list)
    for row in rows:
        of_row[tuple(row[name] for name in ("system", "validators", "callers", "batch", "event_bytes"))].append(row)
    columns = ("events_per_second", "sustained_per_second", "p50_millis", "p99_millis", "p999_millis",
               "cpu_seconds_per_million", "written_per_event_byte", "resident_mib")
    print("\n| system | validators | callers | batch | event bytes | events/s | sustained | p50 ms | p99 ms | p99.9 ms | "
          "CPU s per million | written | MiB |\n|" + "---|" * 13)
    for key, runs in of_row.items():
        medians = [statistics.median(run[name] for run in runs) if name in runs[0] else "-" for name in columns]
        print("|", " | ".join(str(one) for one in (*key, *(f"{one:g}" if one != "-" else one for one in medians))), "|")
    print("\nCPU seconds per million events per validator, by stage:\n")
    stages = sorted({stage for row in rows for stage in row.get("cpu_by_stage", {})})
    print("| validators | callers | batch | event bytes |", " | ".join(stages), "|\n|" + "---|" * (4 + len(stages)))
    for key, runs in of_row.items():
        if "cpu_by_stage" in runs[0]:
            medians = [statistics.median(run["cpu_by_stage"].get(stage, 0) for run in runs) for stage in stages]
            print("|", " | ".join(str(one) for one in (*key[1:], *(f"{one:g}" for one in medians))), "|")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin_folder", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=5, help="of load per row")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--validators", type=int, nargs="+", default=[3, 5])
    options = parser.parse_args()
    have_etcd = shutil.which("etcd") is not None
    if not have_etcd:
        print("etcd is not installed: its rows are left out", file=sys.stderr)
    rows = []
    for _ in range(options.rounds):
        turns = [vigil_rows(options.bin_folder, count, options.seconds) for count in options.validators]
        if have_etcd:
            turns.insert(0, etcd_rows(options.bin_folder, options.seconds))
        for turn in turns:
            for row in turn:
                print(json.dumps(row), flush=True)
                rows.append(row)
    print_table(rows)


if __name__ == "__main__":
    main()
