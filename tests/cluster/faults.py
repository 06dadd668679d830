#!/usr/bin/env python3
"""Faults on a cluster of real processes under concurrent clients, and the judgement of what clients saw.

Usage: faults.py BIN_FOLDER [--fault KIND ...] [--runs N] [--rounds N] [--validators N] [--seed S]
                 [--other-bin FOLDER] [--local-reads] [--keep FOLDER]

Every run is a new cluster with clients that record their histories (history.h). In each of its rounds the
fault is injected, the clients go on as far as they can, it is healed, and every validator catches up. Then
all is read again, the histories are judged by history_check, and each validator's ledger is verified from
its files. Prints a table in Markdown; exit code 1 when a run failed. Without --fault: all kinds.
  --other-bin    programs of another build, for rolling-upgrade
  --local-reads  for another build that has no linearizable reads: it answers them locally
  --keep         where histories and logs of every run are copied
"""
import argparse
import pathlib
import shutil
import signal
import statistics
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from kinds import ELECTION_MILLIS, FAULTS, Run, Skip  # noqa: E402


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


def broken_off(run, why):
    """A run that came to no end; what clients saw until then is judged all the same."""
    result = {"operations": 0, "ok": 0, "open": 0, "duplicates": 0, "linearizable_reads": 0, "why": "", "sessions": []}
    if run.clients:
        try:
            run.clients.tell("stop")
            result = run.clients.judge()
        except Exception:
            why += traceback.format_exc()
    seen = [result["why"]] if result["why"] else []
    return dict(result, verdict="broken off", problems=[why, *seen, *result["sessions"]], silences=[], rounds=0)


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
        return broken_off(run, traceback.format_exc())
    finally:
        if options.keep:
            shutil.copytree(run.cluster.folder, options.keep / f"{kind}-{seed}", dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("data", "keys", "ballast"))
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
    parser.add_argument("--other-bin", type=pathlib.Path)
    parser.add_argument("--local-reads", action="store_true")
    parser.add_argument("--keep", type=pathlib.Path)
    options = parser.parse_args()
    # Ended from outside it cleans up as well: mounts, namespaces, processes.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
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
