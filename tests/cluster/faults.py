#!/usr/bin/env python3
"""Faults on a cluster of real processes under concurrent clients, and the judgement of what clients saw.

Usage: faults.py BIN_FOLDER [--fault KIND ...] [--runs N] [--rounds N] [--validators N] [--seed S]
                 [--other-bin FOLDER] [--keep FOLDER]

Every run is a new cluster with clients that record their histories (history.h). In each of its rounds the
fault is injected, the clients go on as far as they can, it is healed, and every validator catches up. Then
all is read again, the histories are judged by history_check, and each validator's ledger is verified from
its files. Prints a table in Markdown; exit code 1 when a run failed. Without --fault: all kinds.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import Clients  # noqa: E402
from driver import Cluster  # noqa: E402

ELECTION_MILLIS = (500, 1000)  # The configuration's defaults.


class Skip(Exception):
    """Why this machine cannot have the fault."""


class Run:
    """One cluster with clients and a seed. Faults are written in terms of this."""

    def __init__(self, options, kind, seed):
        self.options = options
        self.random = random.Random(seed)
        self.cluster = Cluster(options.bin, options.validators)
        self.kind = kind
        self.clients = None
        self.seed = seed

    def start(self):
        self.cluster.start_all()
        self.clients = Clients(self.cluster, self.seed)
        self.clients.progress()

    def follower(self):
        leader = self.cluster.leader()
        return self.random.choice([i for i in range(1, self.cluster.count + 1) if i != leader])

    def kill(self, *victims):
        for i in victims:  # All of them before the first is waited for.
            self.cluster.processes[i].send_signal(signal.SIGKILL)
        for i in victims:
            self.cluster.processes.pop(i).wait()
            self.clients.down(i)

    def close(self):
        if self.clients:
            self.clients.close()
        self.cluster.close()


def kill_leader(run):
    victim = run.cluster.leader()
    run.clients.fault(f"kill -9 of the leader, {victim}")
    run.kill(victim)
    run.clients.progress()
    run.clients.healed()
    run.cluster.start(victim)


def kill_follower(run):
    victim = run.follower()
    run.clients.fault(f"kill -9 of a follower, {victim}")
    run.kill(victim)
    run.clients.progress()
    run.clients.healed()
    run.cluster.start(victim)


def kill_all(run):
    run.clients.fault("kill -9 of all")
    run.kill(*run.cluster.processes)
    for i in range(1, run.cluster.count + 1):
        run.cluster.start(i)
    run.clients.progress()
    run.clients.healed()


def stop(run, victim, what):
    """Frozen while the others go on; then it wakes up and believes that no time has passed."""
    run.clients.fault(f"SIGSTOP of {what}, {victim}")
    run.cluster.processes[victim].send_signal(signal.SIGSTOP)
    run.clients.progress()
    run.clients.healed()
    run.cluster.processes[victim].send_signal(signal.SIGCONT)
    run.clients.progress()


def stop_leader(run):
    stop(run, run.cluster.leader(), "the leader")


def stop_follower(run):
    stop(run, run.follower(), "a follower")


def rolling_restart(run):
    """SIGTERM and start, one after the other, while clients go on."""
    for i in range(1, run.cluster.count + 1):
        run.clients.fault(f"restart of {i}")
        assert run.cluster.end(i) == 0
        run.clients.progress()
        run.clients.healed()
        run.cluster.start(i)
        run.cluster.wait_caught_up()


FAULTS = {"kill-leader": kill_leader, "kill-follower": kill_follower, "kill-all": kill_all,
          "stop-leader": stop_leader, "stop-follower": stop_follower, "rolling-restart": rolling_restart}


def judge(run, rounds):
    verdict = run.clients.finish()
    problems = [] if verdict["verdict"] == "linearizable" else [f"{verdict['verdict']}: {verdict['why']}"]
    problems += verdict["sessions"]
    problems += [f"on the chain without effect: {line}" for line in run.clients.odd_answers()]
    if not run.clients.altered_are_refused():
        problems.append("the judge takes an altered history for good")
    for i in list(run.cluster.processes):
        code = run.cluster.end(i)
        if code != 0:
            problems.append(f"validator {i} ended with {code}")
    reports = [run.cluster.verify(i) for i in range(1, run.cluster.count + 1)]
    digests = {one["executed_height"]: one["state_digest"] for one in reports}
    if any(digests[one["executed_height"]] != one["state_digest"] for one in reports):
        problems.append(f"validators differ: {reports}")
    return dict(verdict, problems=problems, silences=run.clients.silences(), rounds=rounds)


def one_run(options, kind, seed):
    """What a run came to; raises Skip where the machine does not allow the fault."""
    run = Run(options, kind, seed)
    try:
        run.start()
        for _ in range(options.rounds):
            FAULTS[kind](run)
            run.cluster.wait_caught_up()
        return judge(run, options.rounds)
    except Skip:
        raise
    except Exception:
        return {"problems": [traceback.format_exc()], "operations": 0, "ok": 0, "open": 0, "duplicates": 0,
                "silences": [], "rounds": 0, "verdict": "broken off", "linearizable_reads": 0}
    finally:
        if options.keep:
            shutil.copytree(run.cluster.folder, pathlib.Path(options.keep) / f"{kind}-{seed}", dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("*.ldb", "keys"))
        run.close()


def row(kind, results):
    silences = [one for result in results for one in result["silences"]]
    total = {key: sum(result[key] for result in results)
             for key in ("rounds", "operations", "ok", "open", "duplicates", "linearizable_reads")}
    good = sum(not result["problems"] for result in results)
    longest = f"{statistics.median(silences):.2f} | {max(silences):.2f}" if silences else "- | -"
    return (f"| {kind} | {len(results)} | {total['rounds']} | {total['operations']} | {total['ok']} | "
            f"{total['open']} | {total['duplicates']} | {total['linearizable_reads']} | {good} of {len(results)} | "
            f"{longest} |")


HEADER = ("| fault | runs | rounds | operations | answered | open | duplicates | linearizable reads | "
          "linearizable, nothing lost | longest time without an acknowledgement, s: median | max |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--fault", action="append", choices=FAULTS)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--validators", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep")
    options = parser.parse_args()
    rows, failed = [], False
    for kind in options.fault or FAULTS:
        results = []
        for seed in range(options.seed, options.seed + options.runs):
            try:
                result = one_run(options, kind, seed)
            except Skip as why:
                rows.append(f"| {kind} | skipped: {why} | | | | | | | | | |")
                print(f"{kind}: skipped: {why}", flush=True)
                break
            results.append(result)
            print(f"{kind}, seed {seed}: {result['verdict']}, {result['operations']} operations, "
                  f"silences {[round(one, 2) for one in result['silences']]}", flush=True)
            for problem in result["problems"]:
                failed = True
                print(f"  {problem}", flush=True)
        if results:
            rows.append(row(kind, results))
    print(f"\nElection timeout {ELECTION_MILLIS[0]} to {ELECTION_MILLIS[1]} ms, {options.validators} validators.\n")
    print(HEADER + "\n" + "\n".join(rows))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
