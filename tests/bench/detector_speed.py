#!/usr/bin/env python3
"""Speed of one thread of the detector beside scikit-learn's and isotree's isolation forests, in one run.

Usage: detector_speed.py DETECTOR_SPEED_PROGRAM [--rounds N] [--single N]

All fit 100 trees of 256 rows on the same 16,384 generated flows and judge the same 100,000: Vigil from the event, with
encoding, three components and reasons; the others scores alone, of rows that are encoded already, categories as plain
numbers. CPU time of one thread, systems in turn, medians over the rounds. Needs numpy and scikit-learn; isotree's rows
are left out where it is not installed.
"""
import argparse
import json
import os
import pathlib
import pickle
import statistics
import subprocess
import tempfile
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
from sklearn.ensemble import IsolationForest  # noqa: E402

try:
    from isotree import IsolationForest as IsotreeForest
except ImportError:
    IsotreeForest = None


def seconds_of(work):
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def one_round(model, fit, judge, single):
    fit_seconds, _ = seconds_of(lambda: model.fit(fit))
    score = model.predict if type(model).__module__.startswith("isotree") else model.score_samples
    batch, _ = seconds_of(lambda: score(judge))
    rows = [judge[i:i + 1] for i in range(single)]
    alone, _ = seconds_of(lambda: [score(row) for row in rows])
    return {"fit_seconds": fit_seconds, "batch_micros": 1e6 * batch / len(judge), "single_micros": 1e6 * alone / single,
            "model_bytes": len(pickle.dumps(model))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--single", type=int, default=200, help="events judged one by one by the others")
    options = parser.parse_args()
    makers = {"scikit-learn": lambda seed: IsolationForest(n_estimators=100, max_samples=256, random_state=seed)}
    if IsotreeForest is not None:
        makers["isotree"] = lambda seed: IsotreeForest(ntrees=100, sample_size=256, ndim=1, missing_action="fail",
                                                       nthreads=1, random_seed=seed)
    ours, others = [], {name: [] for name in makers}
    with tempfile.TemporaryDirectory(prefix="vigil-speed-") as name:
        file = pathlib.Path(name) / "rows"
        for seed in range(options.rounds):
            ours.append(json.loads(subprocess.run([options.program, "1", file], check=True, capture_output=True,
                                                  text=True).stdout))
            shape = ours[-1]["fit_rows"], ours[-1]["judged"], ours[-1]["columns"]
            rows = np.fromfile(file, dtype="<i8").reshape(shape[0] + shape[1], shape[2]).astype(float)
            rows[rows < 0] = -1
            for system, make in makers.items():
                others[system].append(one_round(make(seed), rows[:shape[0]], rows[shape[0]:], options.single))

    def median(results, key):
        return statistics.median(result[key] for result in results)

    print(f"{'':14} {'fit, s':>8} {'batch, us':>10} {'single, us':>11} {'with entities, us':>18} {'model, bytes':>13}")
    print(f"{'vigil':14} {median(ours, 'fit_seconds'):8.3f} {median(ours, 'score_row_micros'):10.2f} "
          f"{median(ours, 'event_micros'):11.2f} {median(ours, 'event_with_entities_micros'):18.2f} "
          f"{median(ours, 'model_bytes'):13.0f}")
    for system, results in others.items():
        print(f"{system:14} {median(results, 'fit_seconds'):8.3f} {median(results, 'batch_micros'):10.2f} "
              f"{median(results, 'single_micros'):11.2f} {'':18} {median(results, 'model_bytes'):13.0f}")
    print(f"rounds: {options.rounds}; vigil's batch: rows, score alone; single: event to score with reasons; peak memory "
          f"{max(result['peak_kilobytes'] for result in ours)} KB with {ours[0]['judged']} events of the benchmark")


if __name__ == "__main__":
    main()
