#!/usr/bin/env python3
"""Detection quality of `vigil detector` beside scikit-learn's IsolationForest, in one table.

Usage: detector_quality.py VIGIL_PROGRAM [--shared FOLDER] [--seeds N] [SET ...]

Sets: nsl-normal, nsl-5-percent, http, smtp (default: all), read from FOLDER/nsl_kdd and
FOLDER/kdd99_http_smtp and written as CSV to a temporary folder. Both sides train on the same rows
(16,384 drawn per seed) and are judged on the same rows by the same code; labels serve that alone,
and for nsl-normal and nsl-5-percent to draw the training rows. scikit-learn gets categories
one-hot. Needs numpy and scikit-learn. Medians over the seeds.
"""
import argparse
import csv
import gzip
import pathlib
import subprocess
import tempfile
import time

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

ROWS = 16_384
NSL_TEXT = (1, 2, 3)


def figures(labels, scores):
    false_rate, true_rate, _ = roc_curve(labels, scores)
    return roc_auc_score(labels, scores), average_precision_score(labels, scores), np.interp(0.01, false_rate, true_rate)


def load_nsl(shared, name):
    with gzip.open(shared / "nsl_kdd" / name, "rt") as file:
        rows = [line.rstrip("\n").split(",")[:42] for line in file]
    return [row[:41] for row in rows], np.array([row[41] != "normal" for row in rows])


def load_service(shared, name):
    data = np.load(shared / "kdd99_http_smtp" / name)
    # Stored as log(x + 0.1): the counters themselves again.
    return np.rint(np.exp(data["X"]) - 0.1).astype(np.int64).tolist(), data["y"].astype(bool)


def one_hot(train, test):
    """Numbers as they are, categories of the training rows one column each."""
    columns_train, columns_test = [], []
    for i in range(len(train[0])):
        if len(train[0]) == 41 and i in NSL_TEXT:
            for value in sorted({row[i] for row in train}):
                columns_train.append([row[i] == value for row in train])
                columns_test.append([row[i] == value for row in test])
        else:
            columns_train.append([row[i] for row in train])
            columns_test.append([row[i] for row in test])
    return (np.array(columns, dtype=float).T for columns in (columns_train, columns_test))


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"column {i + 1}" for i in range(len(rows[0]))])
        writer.writerows(rows)


def ours(vigil, folder, train, test_path, seed):
    train_path, schema, model = folder / "train.csv", folder / "schema.json", folder / "table.model"
    write_csv(train_path, train)
    schema.unlink(missing_ok=True)
    command = [vigil, "detector", "train", train_path, "--infer", "--schema", schema, "--model", model,
               "--seed", str(seed)]
    subprocess.run(command, check=True, capture_output=True)
    command = [vigil, "detector", "score", test_path, "--model", model, "-o", "csv"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return np.array([float(line.split(",", 3)[2]) for line in text.splitlines()[1:]])


def draw(random, labels, name):
    """Positions of the training rows."""
    if name in ("http", "smtp"):
        return random.choice(len(labels), ROWS, replace=False)
    attacks = ROWS // 20 if name == "nsl-5-percent" else 0
    normal = random.choice(np.flatnonzero(~labels), ROWS - attacks, replace=False)
    chosen = np.concatenate([normal, random.choice(np.flatnonzero(labels), attacks, replace=False)])
    random.shuffle(chosen)
    return chosen


def run_set(args, name, folder):
    if name in ("http", "smtp"):
        train, train_labels = load_service(args.shared, "16_http.npz" if name == "http" else "34_smtp.npz")
        test, test_labels = train, train_labels
    else:
        train, train_labels = load_nsl(args.shared, "KDDTrain+.txt.gz")
        test, test_labels = load_nsl(args.shared, "KDDTest+.txt.gz")
    test_path = folder / "test.csv"
    write_csv(test_path, test)
    results = {"vigil": [], "scikit-learn": []}
    for seed in range(args.seeds):
        chosen = [train[i] for i in draw(np.random.RandomState(seed), train_labels, name)]
        results["vigil"].append(figures(test_labels, ours(args.vigil, folder, chosen, test_path, seed)))
        matrix, test_matrix = one_hot(chosen, test)
        forest = IsolationForest(random_state=seed).fit(matrix)
        results["scikit-learn"].append(figures(test_labels, -forest.score_samples(test_matrix)))
    cells = [" / ".join(f"{value:.4f}" for value in np.median(results[who], axis=0)) for who in results]
    print(f"| {name} | {len(test)} | {int(test_labels.sum())} | {cells[0]} | {cells[1]} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vigil", type=pathlib.Path)
    parser.add_argument("--shared", type=pathlib.Path, default=pathlib.Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("sets", nargs="*", metavar="SET")
    args = parser.parse_intermixed_args()
    args.vigil = args.vigil.resolve()
    print("AUC / average precision / true positive rate at 1 % false positives, medians")
    print("| set | rows | attacks | vigil | scikit-learn |\n|---|---|---|---|---|")
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vigil-quality-") as folder:
        for name in args.sets or ["nsl-normal", "nsl-5-percent", "http", "smtp"]:
            run_set(args, name, pathlib.Path(folder))
    print(f"{args.seeds} seeds, {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
