"""Clusters and drift of synthetic logs beside their peers, in one run: CPU-seconds, ratio, and what each finds.

Run ``python tests/bench/bench_cluster.py [--patients 3000] [--large 200000]``. Clusters: TanaT (not in the constraints:
skipped with a message where it is absent) computes the edit distance of every pair of patients and PAM; the cost of its
medoids and of ours is told by the same distance. Drift: pm4py's Bose windows on the same log.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from eventlogs.log import EventLog
from pathways.mining.cluster import clusters, sequence_distances
from pathways.mining.drift import drift

WAYS = ("abcdbdbe", "abdbdbdbd", "cbadcbad", "aebaebae", "fgfhgfhg")
K = len(WAYS)
CHANGE = datetime(2018, 9, 1)


def cpu(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU-seconds of a call, and its result."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def synthetic_log(n_patients: int, seed: int = 0) -> EventLog:
    """Return patients on a few ways through care, each step lost with a chance of 15 %; synthetic."""
    rng = np.random.default_rng(seed)
    longest = max(map(len, WAYS))
    letters = np.array([list(way.ljust(longest)) for way in WAYS])[rng.integers(0, K, n_patients)]
    kept = (letters != " ") & (rng.random(letters.shape) > 0.15)
    kept[:, 0] = True
    day = np.broadcast_to(np.arange(longest) * 30, letters.shape) + rng.integers(0, 1500, (n_patients, 1))
    patient = np.repeat(np.arange(n_patients), kept.sum(axis=1))
    return EventLog.create(
        pl.DataFrame({"patient": patient, "activity": letters[kept], "day": day[kept]}).select(
            patient_id=pl.col("patient").cast(pl.String).str.zfill(8),
            activity="activity",
            start=pl.lit(datetime(2016, 1, 1)) + pl.duration(days="day"),
        )
    )


def changing_log(n_patients: int, seed: int = 0) -> EventLog:
    """Return patients whose step after surgery changes in September 2018; synthetic."""
    rng = np.random.default_rng(seed)
    index = rng.integers(0, 1826, n_patients)
    zero = datetime(2016, 1, 1)
    changed = index >= (CHANGE - zero).days
    chemo = rng.random(n_patients) < np.where(changed, 0.4, 0.7)
    days = np.column_stack([index - 20, index, index + rng.integers(5, 30, n_patients)])
    names = np.column_stack(
        [np.full(n_patients, "biopsy"), np.full(n_patients, "surgery"), np.where(chemo, "chemo", "radio")]
    )
    events = pl.DataFrame(
        {"patient": np.repeat(np.arange(n_patients), 3), "activity": names.ravel(), "day": days.ravel()}
    )
    return EventLog.create(
        events.select(
            patient_id=pl.col("patient").cast(pl.String).str.zfill(8),
            activity="activity",
            start=pl.lit(zero) + pl.duration(days="day"),
        )
    )


def by_tanat(log: EventLog) -> list[str]:
    """Return the patients who are TanaT's medoids."""
    from tanat.clustering.type.pam import PAMClusterer
    from tanat.metric.sequence.type.edit.metric import EditSequenceMetric
    from tanat.sequence import build_events

    frame = log.collapse_repeats().events.select(
        "patient_id", "start", pl.col("activity").cast(pl.Categorical)
    )
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        pool = build_events(frame, id_column="patient_id", time_column="start")
        clusterer = PAMClusterer(metric=EditSequenceMetric(normalize=True), n_clusters=K)
        clusterer.fit(pool)
    return [str(patient) for patient in clusterer.medoids or []]


def cost(log: EventLog, medoids: list[str]) -> float:
    """Return the mean distance of patients to the nearest of some words."""
    words = (
        log.collapse_repeats()
        .events.group_by("patient_id")
        .agg(pl.col("activity").sort_by("rank").str.join(""))
    )
    counts = words.group_by("activity").len()
    nearest = sequence_distances(counts["activity"].to_list(), medoids).min(axis=1)
    return float(np.average(nearest, weights=counts["len"].to_numpy()))


def compare_clusters(n_patients: int) -> None:
    log = synthetic_log(n_patients)
    ours, found = cpu(lambda: clusters(log, None, k=K, n_bootstrap=0))
    medoids = ["".join(medoid) for medoid in found.clusters["medoid"].to_list()]
    print(f"clusters of {n_patients} patients, {found.sequences.height} sequences, k = {K}")
    print(f"  ours   {ours:8.2f} CPU-s, mean distance to the medoid {cost(log, medoids):.4f}")
    try:
        by_tanat(log)  # compiles
    except ImportError:
        print("  TanaT is not installed: skipped (pip install TanaT)")
        return
    theirs, chosen = cpu(lambda: by_tanat(log))
    words = dict(
        log.collapse_repeats()
        .events.filter(pl.col("patient_id").is_in(chosen))
        .group_by("patient_id")
        .agg(pl.col("activity").sort_by("rank").str.join(""))
        .rows()
    )
    mean = cost(log, [words[patient] for patient in chosen])
    print(f"  TanaT  {theirs:8.2f} CPU-s, mean distance to the medoid {mean:.4f}")
    print(f"  ratio  {theirs / ours:8.1f}")


def large(n_patients: int) -> None:
    log = synthetic_log(n_patients)
    seconds, found = cpu(lambda: clusters(log, None))
    print(f"clusters of {n_patients} patients, k chosen and bootstrap: {seconds:.2f} CPU-s, {found}")


def compare_drift(n_patients: int) -> None:
    from pm4py.algo.concept_drift.algorithm import apply

    from pathways.mining.pm4py_door import to_pm4py

    log = changing_log(n_patients)
    ours, found = cpu(lambda: drift(log, within_days=60))
    edges = found.changes.filter(kind="edge")
    print(f"drift of {n_patients} patients, planted in {CHANGE:%Y-%m}")
    print(
        f"  ours   {ours:8.2f} CPU-s, edges changed in {sorted({f'{day:%Y-%m}' for day in edges['month']})}"
    )
    frame = to_pm4py(log)
    theirs, (_, stamps, p_values) = cpu(lambda: apply(frame))
    told = [
        f"{datetime.fromtimestamp(stamp):%Y-%m} (p = {p:.3f})"
        for stamp, p in zip(stamps, p_values, strict=True)
    ]
    print(f"  Bose   {theirs:8.2f} CPU-s, changes in {told}")
    print(f"  ratio  {theirs / ours:8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=3000)
    parser.add_argument("--large", type=int, default=200_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        compare_clusters(args.patients)
    large(args.large)
    compare_drift(args.patients)


if __name__ == "__main__":
    main()
