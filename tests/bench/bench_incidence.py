"""Honest delays of a synthetic log, in one run: CPU-seconds to count and to estimate, and the ratio to scikit-survival.

Run ``python tests/bench/bench_incidence.py [--patients 1000000]``. Each patient has six events of twelve activities,
one in five a death, one in twenty an exit; then the data end. scikit-survival is given the same waits, one row a
patient; the run stops where the two curves differ.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from eventlogs.log import EventLog
from pathways.mining.incidence import CAUSES, Waits, cumulative_incidence, edge_waits, index_waits, medians

ACTIVITIES, EVENTS_A_PATIENT, FOLLOWED_DAYS = 12, 6, 1800


def synthetic_log(n_patients: int, seed: int = 0) -> EventLog:
    """Return a log whose events, deaths and exits are drawn at random."""
    rng = np.random.default_rng(seed)
    size = n_patients * EVENTS_A_PATIENT
    zero = pl.lit(datetime(2018, 1, 1))
    index = rng.integers(0, 600, n_patients)
    numbers = pl.DataFrame({"patient": np.repeat(np.arange(n_patients), EVENTS_A_PATIENT)})
    name = pl.col("patient").cast(pl.String).str.zfill(17)
    events = numbers.select(
        patient_id=name,
        activity=pl.format(
            "activity_{}", pl.Series(rng.integers(0, ACTIVITIES, size)).cast(pl.String).str.zfill(2)
        ),
        start=zero
        + pl.duration(days=pl.Series(np.repeat(index, EVENTS_A_PATIENT) + rng.geometric(0.005, size))),
    )
    died, left = (
        np.where(rng.random(n_patients) < share, index + rng.geometric(0.001, n_patients), -1)
        for share in (0.2, 0.05)
    )
    patients = pl.DataFrame(
        {"patient": np.arange(n_patients), "index": index, "died": died, "left": left}
    ).select(
        patient_id=name,
        index_date=zero + pl.duration(days="index"),
        death_date=pl.when(pl.col("died") >= 0).then(zero + pl.duration(days="died")),
        exit_date=pl.when(pl.col("left") >= 0).then(zero + pl.duration(days="left")),
    )
    until = zero + pl.duration(days=FOLLOWED_DAYS)
    horizons = pl.select(patient_id=pl.lit(None, pl.String), source=pl.lit("all"), observed_until=until)
    return EventLog.create(events, patients, horizons)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result and its CPU-seconds, all threads."""
    began = time.process_time()
    return work(), time.process_time() - began


def theirs(waits: Waits) -> tuple[Any, float]:
    """Return scikit-survival's curves of the same waits, and their CPU-seconds."""
    from sksurv.nonparametric import cumulative_incidence_competing_risks

    rows = waits.counts.select(pl.col("day", "cause").repeat_by("n").explode())
    event = rows["cause"].replace_strict(dict(zip(CAUSES, (1, 2, 3, 0), strict=True))).to_numpy()
    return timed(lambda: cumulative_incidence_competing_risks(event, rows["day"].to_numpy().astype(float)))


def main() -> None:
    """Print one line an operation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=100_000)
    n_patients = parser.parse_args().patients
    log, created = timed(lambda: synthetic_log(n_patients))
    print(
        f"{n_patients:,} patients, {log.n_events:,} events, {ACTIVITIES} activities; CPU-seconds, all threads"
    )
    print(f"{'make the log':44} {created:9.3f}")
    since, counted = timed(lambda: index_waits(log))
    print(f"{'count waits since the index':44} {counted:9.3f}  {since.counts.height:,} rows")
    edges, counted = timed(lambda: edge_waits(log))
    print(f"{'count waits for the next event':44} {counted:9.3f}  {edges.counts.height:,} rows")
    for words, work in (
        ("estimate one curve", partial(cumulative_incidence, since.of(target="activity_03"))),
        ("estimate all since the index", partial(cumulative_incidence, since)),
        ("estimate all edges", partial(cumulative_incidence, edges)),
        ("estimate all edges on 20 days", partial(cumulative_incidence, edges, range(0, 400, 20))),
        ("medians of all edges", partial(medians, edges)),
    ):
        told, cost = timed(work)
        print(f"{words:44} {cost:9.3f}  {told.height:,} rows")
    one = since.of(target="activity_03")
    (days, shares), their_cost = theirs(one)
    mine, cost = timed(lambda: cumulative_incidence(one).filter(cause="step"))
    equal = mine["day"].to_list() == days.tolist() and np.allclose(
        mine["incidence"].to_numpy(), shares[1], atol=1e-12
    )
    print(
        f"{'one curve: scikit-survival, ratio, equal':44} {their_cost:9.3f} {their_cost / cost:7.0f}  {equal}"
    )
    if not equal:
        sys.exit(1)


if __name__ == "__main__":
    main()
