"""Map kernels and pm4py on the same synthetic unsorted log, in one run: CPU-seconds, ratios, equal counts.

Run ``python tests/bench/bench_maps.py [--events 6000000]``. Patients are text of 17 characters. pm4py is given the
frame that its own `format_dataframe` makes, already in our order, as it breaks ties by the order of the rows.
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
from pathways.mining.kernels import directly_follows, start_activities, variants
from pathways.mining.maps import ProcessMap
from pathways.mining.pm4py_door import discover

ACTIVITIES = 40
EVENTS_A_PATIENT = 30


def synthetic_events(n_events: int, seed: int = 0) -> pl.DataFrame:
    """Return ``patient_id``, ``activity``, ``start`` (days, unsorted) of a synthetic Markov chain of activities."""
    rng = np.random.default_rng(seed)
    n_patients = max(1, n_events // EVENTS_A_PATIENT)
    patient = rng.integers(0, n_patients, n_events)
    activity = (patient + rng.geometric(0.3, n_events)) % ACTIVITIES
    day = rng.integers(0, 1500, n_events)
    start = pl.lit(datetime(2019, 1, 1)) + pl.duration(days="day")
    frame = pl.DataFrame({"patient": patient, "activity": activity, "day": day})
    return frame.select(
        patient_id=pl.col("patient").cast(pl.String).str.zfill(17),
        activity=pl.format("activity_{}", pl.col("activity").cast(pl.String).str.zfill(2)),
        start=start,
    )


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result and its CPU-seconds, all threads."""
    began = time.process_time()
    return work(), time.process_time() - began


def main() -> None:
    """Print one line an operation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=600_000)
    n_events = parser.parse_args().events
    raw = synthetic_events(n_events)

    import pm4py

    log, created = timed(lambda: EventLog.create(raw))
    ordered = log.events.select("patient_id", "activity", "start")
    pandas = ordered.sample(fraction=1, shuffle=True, seed=1).to_pandas()
    names = {"case_id": "patient_id", "activity_key": "activity", "timestamp_key": "start"}
    frame, formatted = timed(lambda: pm4py.format_dataframe(pandas, **names))
    frame = pm4py.format_dataframe(ordered.to_pandas(), **names)
    operations: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any], Callable[[Any, Any], bool]]] = [
        ("directly-follows, durations", directly_follows, pm4py.discover_performance_dfg, same_edges),
        ("start activities", start_activities, pm4py.get_start_activities, same_starts),
        ("variants", variants, pm4py.get_variants, same_variants),
    ]
    print(
        f"{n_events:,} events, {log.n_patients:,} patients, {ACTIVITIES} activities; CPU-seconds, all threads"
    )
    print(f"{'operation':34} {'ours':>8} {'pm4py':>8} {'ratio':>7}  same counts")
    print(f"{'sort and check':34} {created:8.2f} {formatted:8.2f} {formatted / created:7.1f}")
    for name, ours, theirs, same in operations:
        mine, cost = timed(partial(ours, log))
        other, their_cost = timed(partial(theirs, frame))
        equal = same(mine, other)
        print(f"{name:34} {cost:8.2f} {their_cost:8.2f} {their_cost / cost:7.1f}  {equal}")
        if not equal:
            sys.exit(1)
    one, cost = timed(lambda: ProcessMap.from_log(log))
    print(f"{'whole ProcessMap':34} {cost:8.2f}")
    if n_events <= 100_000:
        print(f"{'discovery from variants':34} {timed(lambda: discover(one))[1]:8.2f}")


def same_edges(mine: pl.DataFrame, other: Any) -> bool:
    """Compare the edges and their medians, in seconds."""
    ours = {(s, t): days * 86_400 for s, t, days in mine.select("source", "target", "median_days").rows()}
    theirs = {edge: numbers["median"] for edge, numbers in other[0].items()}
    return ours.keys() == theirs.keys() and all(abs(ours[edge] - theirs[edge]) < 1 for edge in ours)


def same_starts(mine: pl.DataFrame, other: dict[str, int]) -> bool:
    """Compare counts by activity."""
    return dict(mine.select("activity", "n_patients").rows()) == dict(other)


def same_variants(mine: pl.DataFrame, other: dict[tuple[str, ...], int]) -> bool:
    """Compare counts by sequence."""
    return {tuple(word): n for word, n in mine.select("variant", "n_patients").rows()} == dict(other)


if __name__ == "__main__":
    main()
