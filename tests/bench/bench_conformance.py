"""Conformance to a reference pathway beside a pandas checker of the same rules, in one run: CPU-seconds, same counts.

Run ``python tests/bench/bench_conformance.py [--patients 20000]``: a synthetic log of 36 events a patient. The pandas
checker is what an analyst writes: for each rule, group by patient, merge, filter the window. It is given the frame
already sorted, and knows neither conditions nor excuses, so that the rules compared have none; the definition of breast
cancer, which has both, is timed alone.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[2]))

from eventlogs.log import EventLog
from pathways.definition import ReferenceRule, load, parse
from pathways.mining.conformance import check_conformance

DAY_0, DAYS, EVENTS_A_PATIENT = datetime(2018, 1, 1), 2000, 36
HORIZON = DAY_0 + timedelta(days=DAYS)

DEFINITION = """
id = "bench"
version = "1"
label = { fr = "Banc", en = "Bench" }
"""
RULE = """
[reference.{id}]
kind = "{kind}"
label = {{ fr = "", en = "" }}
violation = {{ fr = "", en = "" }}
exits = ["palliative_care"]
evidence = "operational"
source = "rule of the bench"
{keys}
"""
RULES = {
    "existence": 'anchor = ["mastectomy"]\nsteps = ["gp_consultation"]\nfrom_days = 1\nwithin_days = 183',
    "response": 'anchor = ["breast_biopsy"]\nsteps = ["mastectomy", "chemotherapy_session"]\nwithin_days = 42',
    "precedence": 'anchor = ["mastectomy"]\nsteps = ["breast_biopsy"]\nlookback_days = 180',
    "absence": 'anchor = ["mastectomy"]\nsteps = ["emergency_visit"]\nfrom_days = 1\nwithin_days = 30',
    "alternatives": 'options = [["mastectomy", "radiotherapy_session"], ["chemotherapy_session"]]\nwithin_days = 365',
}


def synthetic_log(n_patients: int, seed: int = 0) -> EventLog:
    """Return a synthetic log of the activities of breast cancer, at random days around each index."""
    rng = np.random.default_rng(seed)
    names = [name for name in load("breast_cancer").activities if name != "death"]
    weights = rng.dirichlet(np.ones(len(names)))
    weights[names.index("palliative_care")] = 0.0003
    n_events = n_patients * EVENTS_A_PATIENT
    patient = np.repeat(np.arange(n_patients), EVENTS_A_PATIENT)
    index = rng.integers(200, DAYS - 100, n_patients)
    day = np.clip(index[patient] + rng.integers(-170, 900, n_events), 0, DAYS)
    events = pl.DataFrame(
        {"patient": patient, "day": day, "activity": rng.choice(names, n_events, p=weights / weights.sum())}
    ).select(
        patient_id=_named(pl.col("patient")),
        activity="activity",
        start=pl.lit(DAY_0) + pl.duration(days="day"),
    )
    dies = pl.when(pl.Series(rng.random(n_patients) < 0.1)).then(
        pl.Series(index + rng.integers(0, 900, n_patients))
    )
    patients = pl.select(
        patient_id=_named(pl.int_range(n_patients)),
        index_date=pl.lit(DAY_0) + pl.duration(days=pl.Series(index)),
        death_date=pl.lit(DAY_0) + pl.duration(days=dies),
    )
    horizons = pl.DataFrame({"patient_id": [None], "source": ["all"], "observed_until": [HORIZON]})
    return EventLog.create(events, patients, horizons.cast({"patient_id": pl.String}))


def _named(number: pl.Expr) -> pl.Expr:
    return number.cast(pl.String).str.zfill(17)


def plain_counts(events: Any, patients: Any, rules: list[ReferenceRule]) -> dict[str, tuple[int, int]]:
    """Return satisfied and violated by rule, with pandas: one merge a rule and step."""
    left = patients.set_index("patient_id")["death_date"]
    care = events[events["activity"] == "palliative_care"].groupby("patient_id")["at"].min()
    exits = left.to_frame("death").join(care.to_frame("care"))
    exits["exit"] = exits[["death", "care"]].min(axis=1)
    return {rule.id: _plain_rule(events, patients, exits["exit"], rule) for rule in rules}


def _plain_rule(events: Any, patients: Any, exits: Any, rule: ReferenceRule) -> tuple[int, int]:
    import pandas as pd

    if rule.anchor:
        of_anchor = events[events["activity"].isin(rule.anchor)]
        anchor = of_anchor.groupby("patient_id")["at"].min()
    else:
        anchor = patients.set_index("patient_id")["index_date"]
    opened = anchor.to_frame("anchor").join(exits)
    opened = opened[~(opened["exit"] < opened["anchor"])]
    opens = opened["anchor"].dt.floor("D") + pd.Timedelta(days=rule.from_days - rule.lookback_days)
    if rule.kind == "response":
        opens = opened["anchor"] + pd.Timedelta(microseconds=1)
    done = [
        pd.concat([_first(events, [word], opens) for word in option], axis=1).max(axis=1, skipna=False)
        for option in (rule.options or [])
    ]
    done = pd.concat(done, axis=1).min(axis=1) if done else _first(events, rule.steps, opens)
    due = opened["anchor"].dt.floor("D") + pd.Timedelta(days=rule.within_days + 1)
    if rule.kind == "precedence":
        satisfied = done < opened["anchor"]
        return int(satisfied.sum()), int((~satisfied).sum())
    seen = (done < due) & ~(opened["exit"] <= done)
    over = (due <= HORIZON + timedelta(days=1)) & ~(opened["exit"] < due)
    kept, broken = (~seen & over, seen) if rule.kind == "absence" else (seen, ~seen & over)
    return int(kept.sum()), int(broken.sum())


def _first(events: Any, words: Any, opens: Any) -> Any:
    """Return the first of some events since a time, by patient."""
    steps = events[events["activity"].isin(words)]
    beside = steps.merge(opens.rename("opens"), left_on="patient_id", right_index=True)
    inside = beside[beside["at"] >= beside["opens"]]
    return inside.groupby("patient_id")["at"].min().reindex(opens.index)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result and its CPU-seconds, all threads."""
    began = time.process_time()
    return work(), time.process_time() - began


def main() -> None:
    """Print one line an operation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=20_000)
    log = synthetic_log(parser.parse_args().patients)
    texts = (RULE.format(id=name, kind=name, keys=keys) for name, keys in RULES.items())
    pathway = parse("\n".join([DEFINITION, *texts]), "bench.toml")
    breast = load("breast_cancer")
    print(f"{log.n_events:,} events, {log.n_patients:,} patients; CPU-seconds, all threads")
    result, cost = timed(lambda: check_conformance(log, pathway))
    mine, counted = timed(lambda: result.summary().select("rule", "n_satisfied", "n_violated").rows())
    whole, breast_cost = timed(lambda: check_conformance(log, breast))
    summed = timed(whole.summary)[1]
    print(
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB, the log included"
    )
    # Place inside a day as microseconds, so that pandas sees the log's order.
    ordered = log.events.select(
        "patient_id",
        "activity",
        at=pl.col("start") + pl.duration(microseconds=pl.col("rank").cast(pl.Int64) + 1),
    ).to_pandas()
    patients = log.patients.select(
        "patient_id", "index_date", death_date=pl.col("death_date") + pl.duration(hours=23)
    ).to_pandas()
    other, their_cost = timed(lambda: plain_counts(ordered, patients, list(pathway.reference)))
    same = {rule: counts for rule, *counts in mine} == {rule: list(counts) for rule, counts in other.items()}
    print(f"{'operation':44} {'ours':>8} {'pandas':>8} {'ratio':>7}  same counts")
    print(f"{'five rules, decided and counted':44} {cost + counted:8.2f} {their_cost:8.2f} ", end="")
    print(f"{their_cost / (cost + counted):7.1f}  {same}")
    print(f"{f'breast cancer, {len(breast.reference)} rules, decided':44} {breast_cost:8.2f}")
    print(f"{'breast cancer, counted':44} {summed:8.2f}")
    if not same:
        sys.exit(1)


if __name__ == "__main__":
    main()
