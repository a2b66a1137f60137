"""What became of patients: the nodes at the end of a map, fed by each patient's last event."""

from __future__ import annotations

import polars as pl

from pathways.mining.kernels import END

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
