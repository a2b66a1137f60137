"""What became of patients: the nodes at the end of a map, fed by each patient's last event."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl

from eventlogs.log import EventLog
from pathways.mining.kernels import END
from pathways.mining.kernels.sequences import Sequences

DEAD, LOST, FOLLOWED = f"{END}death", f"{END}lost", f"{END}followed"
OUTCOMES = (DEAD, LOST, FOLLOWED)
"""Nodes between the last events and ``■``: died, lost to follow-up, still followed at the horizon."""

DEATH = "death"
"""The activity of the built-in definitions that ends a life."""

LABELS = {
    DEAD: {"fr": "Décès", "en": "Death"},
    LOST: {"fr": "Perdus de vue", "en": "Lost to follow-up"},
    FOLLOWED: {"fr": "Toujours suivis", "en": "Still followed"},
}


LEFT = ("scheme_exit", "abroad")
"""Exits after which nothing would be seen (`eventlogs.activities.Exit`)."""

OUTCOME_COLUMNS: dict[str, Any] = {
    "activity": pl.String,
    "outcome": pl.String,
    "n_patients": pl.Int64,
    "tied_share": pl.Float64,
    "n_tied_patients": pl.Int64,
}
"""Columns of `count_outcomes`: patients by their last activity and what became of them."""


def outcomes(log: EventLog, silence_days: int | None = None) -> pl.DataFrame:
    """Say what became of each patient.

    *Dead*: a date of death, or an event *death*. *Lost*: left the scheme or the country (``exit_reason``), or a
    horizon of the patient's own before the log's (`EventLog.observed_until`); where no exit of any kind is stated in
    the log, also no event in the last `silence_days` before the horizon (a build from claims decides that itself,
    on care of any kind). *Followed*: all others, observed to the horizon.

    Parameters
    ----------
    log : EventLog
        Any log.
    silence_days : int, optional
        Days without care after which a patient counts as lost: ``silence_days`` of the definition's cohort.

    Returns
    -------
    polars.DataFrame
        ``patient_id``, ``outcome``, by patient; no row where the log says of nobody how the follow-up ended.
    """
    until = log.observed_until
    own = log.horizons.drop_nulls("patient_id").group_by("patient_id").agg(own=pl.col("observed_until").min())
    events = log.events.group_by("patient_id").agg(
        died=(pl.col("activity") == DEATH).any(), last=pl.max_horizontal("start", "end").max()
    )
    known = log.patients.join(own, on="patient_id", how="left").join(events, on="patient_id", how="left")
    dead = pl.col("death_date").is_not_null() | pl.col("died").fill_null(False)
    stated = dead | pl.col("exit_reason").is_not_null() | pl.col("own").is_not_null()
    if not known.select(stated.any()).item():
        return known.select("patient_id", outcome=pl.lit(FOLLOWED)).clear()
    left = pl.col("exit_reason").is_in(LEFT) | (pl.col("own") < until)
    if silence_days is not None and until is not None and not known["exit_reason"].count():
        left = left | (pl.col("last") < until - timedelta(days=silence_days))
    fate = pl.when(dead).then(pl.lit(DEAD)).when(left.fill_null(False)).then(pl.lit(LOST))
    return known.select("patient_id", outcome=fate.otherwise(pl.lit(FOLLOWED))).sort("patient_id")


def count_outcomes(seq: Sequences, ids: pl.Series, found: pl.DataFrame) -> pl.DataFrame:
    """Count patients by last activity and outcome: `OUTCOME_COLUMNS`, most frequent first.

    Parameters
    ----------
    seq : Sequences
        The log.
    ids : polars.Series
        The patient of each sequence.
    found : polars.DataFrame
        From `outcomes`; empty gives an empty table.
    """
    if found.is_empty():
        return pl.DataFrame(schema=OUTCOME_COLUMNS)
    names = pl.Series(seq.activities, dtype=pl.String)
    last = pl.DataFrame(
        {"patient_id": ids, "activity": names.gather(seq.activity[seq.last]), "tied": seq.on_tie[seq.last]}
    )
    counts = (
        last.join(found, on="patient_id")
        .group_by("activity", "outcome")
        .agg(
            n_patients=pl.len().cast(pl.Int64),
            tied_share=pl.col("tied").mean(),
            n_tied_patients=pl.col("tied").sum().cast(pl.Int64),
        )
    )
    return counts.select(*OUTCOME_COLUMNS).sort(
        "n_patients", "activity", "outcome", descending=[True, False, False]
    )


def one_end(edges: pl.DataFrame) -> pl.DataFrame:
    """Return edges ``source``, ``target``, ``n_events`` with all outcomes as the one end ``■``."""
    flow = edges.filter(~pl.col("source").str.starts_with(END)).with_columns(
        target=pl.when(pl.col("target").str.starts_with(END)).then(pl.lit(END)).otherwise("target")
    )
    return flow.group_by("source", "target", maintain_order=True).agg(pl.col("n_events").sum())


def is_outcome(activity: str) -> bool:
    """Say whether a node tells what became of patients: an outcome, the bare end, or the activity *death*."""
    return activity.startswith(END) or activity == DEATH


def fold_death(nodes: pl.DataFrame, edges: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a map of one level without what says the same death twice, and without the passages to ``■``.

    Where death is an activity, the node of that activity stands for the outcome too, unless other events lead
    straight to the outcome.

    Parameters
    ----------
    nodes : polars.DataFrame
        With ``activity``.
    edges : polars.DataFrame
        With ``source``, ``target``.
    """
    inner = edges.filter(~pl.col("source").str.starts_with(END))
    if DEATH not in nodes["activity"]:
        return nodes, inner
    said_once = inner.filter(~((pl.col("source") == DEATH) & (pl.col("target") == DEAD)))
    if DEAD in said_once["target"]:
        return nodes, said_once
    return nodes.filter(pl.col("activity") != DEAD), said_once
