"""What two groups are compared on: who has a step, takes an edge, follows a variant, and when, as integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.log import EventLog
from pathways.definition import Pathway
from pathways.mining.kernels.activities import day_zero
from pathways.mining.kernels.follows import Passages
from pathways.mining.kernels.sequences import DAY_US, END, START, Integers, Sequences, runs_of
from pathways.mining.maps import milestone_log

Numbers = NDArray[np.float64]

MEASURE_COLUMNS: dict[str, Any] = {
    "kind": pl.String,
    "measure": pl.String,
    "activity": pl.String,
    "source": pl.String,
    "target": pl.String,
    "variant": pl.List(pl.String),
}
"""What a measure is of: ``kind`` (activity, edge, variant, case), ``measure`` (share, median_day, …), and its names."""


@dataclass(frozen=True)
class Shares:
    """Yes or no, by patient: ``measure[i]`` holds for ``patient[i]``, each pair once. ``names``: `MEASURE_COLUMNS`."""

    names: pl.DataFrame
    measure: Integers
    patient: Integers


@dataclass(frozen=True)
class Values:
    """A number of days, by patient: sorted by measure, then by value; a patient has one of a measure at most."""

    names: pl.DataFrame
    measure: Integers
    patient: Integers
    value: Numbers


@dataclass(frozen=True)
class Exits:
    """Events that leave a step, by patient and edge: ``taken`` of ``left`` exits from the edge's source.

    ``source`` is the number of the source of each edge; ``source_*`` say how often each patient leaves each source.
    """

    names: pl.DataFrame
    edge: Integers
    patient: Integers
    taken: Numbers
    left: Numbers
    source: Integers
    source_code: Integers
    source_patient: Integers
    source_left: Numbers


@dataclass(frozen=True)
class Facts:
    """All that is compared, with ``patient_id`` by patient number."""

    patients: pl.Series
    shares: Shares
    values: Values
    exits: Exits


def facts(log: EventLog, pathway: Pathway | None = None) -> Facts:
    """Write a log as facts about patients.

    Parameters
    ----------
    log : EventLog
        The log, at the level to compare at.
    pathway : Pathway, optional
        With milestones, variants are their sequences; without, whole sequences of activities, repeats written once.

    Returns
    -------
    Facts
        Patients with at least one event. A patient counts with the first day of a step since the index date (the first
        event, without one) and with the delay of their first passage on an edge: one number a patient, so that
        patients can be taken as independent.
    """
    seq = Sequences.of(log)
    steps = Passages.of(seq)
    ids = log.events["patient_id"].gather(seq.first)
    order, runs = runs_of(seq.activity, seq.patient, len(seq.activities))
    rows, passages = order[runs], steps.order[steps.runs]
    case = np.arange(len(seq.first))
    starts, ends = _terminals(seq)
    nodes = _named("activity", activity=pl.Series(seq.activities, dtype=pl.String))
    edges = _named("edge", **{name.name: name for name in steps.named(seq.activities)})
    shares = _stacked(
        (nodes, seq.activity[rows], seq.patient[rows]),
        (edges, steps.edge[passages], steps.patient[passages]),
        (starts, seq.activity[seq.first], case),
        (ends, seq.activity[seq.last], case),
        _variants(log, pathway, ids),
    )
    days = (seq.start_us[rows] - day_zero(seq)[seq.patient[rows]]) / DAY_US
    spans = (seq.start_us[seq.last] - seq.start_us[seq.first]) / DAY_US
    whole = _named("case", activity=pl.Series([None], dtype=pl.String))
    values = _values(
        (nodes, "median_day", seq.activity[rows], seq.patient[rows], days),
        (
            edges,
            "median_delay",
            steps.edge[passages],
            steps.patient[passages],
            steps.delay_us[passages] / DAY_US,
        ),
        (whole, "median_duration", np.zeros(len(case), dtype=np.int64), case, spans),
    )
    return Facts(ids, shares, values, _exits(steps, edges, len(seq.activities)))


def _terminals(seq: Sequences) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the edges from ``▶`` to each activity and from each to ``■``."""
    names = pl.Series(seq.activities, dtype=pl.String)
    start, end = (pl.repeat(word, len(names), dtype=pl.String, eager=True) for word in (START, END))
    return _named("edge", source=start, target=names), _named("edge", source=names, target=end)


Parts = tuple[pl.DataFrame, Integers, Integers]


def _named(kind: str, **names: pl.Series) -> pl.DataFrame:
    height = max(len(series) for series in names.values())
    columns = {
        name: names.get(name, pl.repeat(None, height, dtype=dtype, eager=True))
        for name, dtype in MEASURE_COLUMNS.items()
    }
    return pl.DataFrame(columns).with_columns(kind=pl.lit(kind), measure=pl.lit("share"))


def _stacked(*parts: Parts) -> Shares:
    offsets = np.cumsum([0, *(names.height for names, _, _ in parts)])
    return Shares(
        names=pl.concat([names for names, _, _ in parts]),
        measure=np.concatenate(
            [measure + offset for (_, measure, _), offset in zip(parts, offsets, strict=False)]
        ),
        patient=np.concatenate([patient for _, _, patient in parts]),
    )


def _values(*parts: tuple[pl.DataFrame, str, Integers, Integers, Numbers]) -> Values:
    stacked = _stacked(*((names, measure, patient) for names, _, measure, patient, _ in parts))
    words = [word for names, word, *_ in parts for _ in range(names.height)]
    value = np.concatenate([values for *_, values in parts])
    order = np.lexsort((value, stacked.measure))
    return Values(
        names=stacked.names.with_columns(measure=pl.Series(words, dtype=pl.String)),
        measure=stacked.measure[order],
        patient=stacked.patient[order],
        value=value[order],
    )


def _exits(steps: Passages, edges: pl.DataFrame, n_activities: int) -> Exits:
    taken = np.diff(np.append(steps.runs, len(steps.order)))
    passages = steps.order[steps.runs]
    edge, patient = steps.edge[passages], steps.patient[passages]
    source = steps.sources[edge]
    n_patients = int(patient.max(initial=-1)) + 1
    key = source.astype(np.int64) * n_patients + patient
    cells, place = np.unique(key, return_inverse=True)
    left = np.bincount(place, weights=taken, minlength=len(cells))
    return Exits(
        names=edges.with_columns(measure=pl.lit("exit_share")),
        edge=edge,
        patient=patient,
        taken=taken.astype(np.float64),
        left=left[place].astype(np.float64),
        source=steps.sources,
        source_code=cells // max(n_patients, 1),
        source_patient=cells % max(n_patients, 1),
        source_left=left.astype(np.float64),
    )


def _variants(log: EventLog, pathway: Pathway | None, ids: pl.Series) -> Parts:
    """Return the variants and who follows them; nobody follows the empty one."""
    milestones = pathway is not None and bool(pathway.milestones)
    reduced = milestone_log(log, pathway) if pathway is not None and milestones else log.collapse_repeats()
    sequences = reduced.events.group_by("patient_id", maintain_order=True).agg(variant="activity")
    number = pl.DataFrame({"patient_id": ids}).with_row_index("patient")
    known = sequences.join(number, on="patient_id", maintain_order="left").with_columns(
        code=pl.col("variant").list.join("\t").rank("dense").cast(pl.Int64) - 1
    )
    names = known.unique("code").sort("code")["variant"].cast(pl.List(pl.String))
    return _named("variant", variant=names), known["code"].to_numpy(), known["patient"].to_numpy()
