"""Variants: whole sequences of activities, of phases or of milestones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.abstraction import Level
from pathways.definition import Pathway
from pathways.disclosure.maps import in_order, phase_groups
from pathways.disclosure.policy import POLICY, UNFILTERED, DisclosurePolicy, Origin, Released, released_table
from pathways.disclosure.suppression import protect_parts
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.outcomes import one_end

Flags = NDArray[np.bool_]

VARIANT_COLUMNS: dict[str, Any] = {
    "level": pl.String,
    "rank": pl.Int64,
    "variant": pl.List(pl.String),
    "n_patients": pl.Int64,
    "share": pl.Float64,
    "median_days": pl.Int64,
}


def release_variants(
    variants: Mapping[Level, pl.DataFrame],
    nodes: Released,
    edges: Released,
    *,
    pathway: Pathway | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release the whole sequences that enough patients share, and pool the rarer ones.

    Parameters
    ----------
    variants : mapping of level to polars.DataFrame
        From `pathways.mining.maps.variants` with ``collapse=True``.
    nodes, edges : Released
        From `release_map` on the same log.
    pathway : Pathway, optional
        Gives the phase of each activity.

    Returns
    -------
    Released
        `VARIANT_COLUMNS`, rank 1 the most frequent; the row with an empty variant pools all others of its level.

    Notes
    -----
    A variant is listed where every edge it takes is shown, and where what remains of each node, edge and phase
    variant after its listed variants are taken off is nobody or at least the threshold.
    """
    listed: dict[Level, pl.DataFrame] = {}
    for level in reversed(in_order(variants)):
        candidates = _candidates(variants[level], level, edges, policy)
        coarser = listed.get("phase")
        totals = _variant_totals(int(variants[level]["n_patients"].sum()), nodes, edges, coarser)
        uses = [
            _uses(each, level, phase_groups(pathway), coarser) for each in candidates["variant"].to_list()
        ]
        listed[level] = candidates.filter(_listable(candidates["n_patients"], uses, totals, policy))
    whole = {level: int(frame["n_patients"].sum()) for level, frame in variants.items()}
    frames = [_variant_frame(whole[level], listed[level], level, policy) for level in in_order(variants)]
    n_listed = sum(frame.height for frame in listed.values())
    return released_table(
        "variants",
        pl.concat([pl.DataFrame(schema=VARIANT_COLUMNS), *frames]),
        policy,
        origin,
        numerator="patients with this whole sequence, repeats written once",
        denominator="patients with at least one event",
        suppressed=sum(frame.height for frame in variants.values()) - n_listed,
        rounded="durations to whole days, shares to 3 decimals",
    )


def release_milestones(
    sequences: pl.DataFrame,
    nodes: Released,
    n_patients: int,
    *,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release the sequences of milestones that enough patients share, and pool the rarer ones.

    Parameters
    ----------
    sequences : polars.DataFrame
        From `pathways.mining.maps.variants` of a `pathways.mining.maps.milestone_log`.
    nodes : Released
        From `release_map` on the same log: each sequence is part of the patients of its phases.
    n_patients : int
        Patients with at least one event: those without any milestone are pooled with the rarer sequences.

    Returns
    -------
    Released
        `VARIANT_COLUMNS` with ``level`` = ``milestone``; named ``variants``.

    Notes
    -----
    A sequence is listed where what remains of all patients, and of each of its phases, after the listed sequences
    are taken off is nobody or at least the threshold.
    """
    steps = nodes.frame.filter(~pl.col("activity").str.starts_with(END), level="phase")
    phases = steps.select("activity", "n_patients").drop_nulls()
    totals: dict[tuple[str, ...], int] = {
        ("all",): n_patients,
        **{("node", name): n for name, n in phases.rows()},
    }
    frequent = sequences.filter(pl.col("n_patients") >= policy.threshold).sort(
        "n_patients", descending=True, maintain_order=True
    )
    uses = [{("all",): 1, **{("node", name): 1 for name in each}} for each in frequent["variant"].to_list()]
    listed = frequent.filter(_listable(frequent["n_patients"], uses, totals, policy))
    return released_table(
        "variants",
        _variant_frame(n_patients, listed, "milestone", policy),
        policy,
        origin,
        numerator="patients with this whole sequence of milestones, repeats written once",
        denominator="patients with at least one event",
        suppressed=sequences.height - listed.height,
        rounded="durations to whole days, shares to 3 decimals",
    )


def _listable(
    parts: pl.Series,
    uses: Sequence[Mapping[tuple[str, ...], int]],
    totals: Mapping[tuple[str, ...], int],
    policy: DisclosurePolicy,
) -> Flags:
    """Say which parts may be listed: what remains of each total, and of all patients without a node, is not small."""
    matrix = np.array([[use.get(key, 0) for key in totals] for use in uses], dtype=np.float64)
    matrix = matrix.reshape(len(uses), len(totals))
    counts = np.array(list(totals.values()), dtype=np.int64)
    node = np.array([key[0] == "node" for key in totals], dtype=np.bool_)
    without = 1 - matrix[:, node], totals[("all",)] - counts[node]
    every = np.hstack([matrix, without[0]]), np.concatenate([counts, without[1]])
    return protect_parts(parts.to_numpy(), *every, policy.threshold)


def _candidates(
    variants: pl.DataFrame, level: Level, edges: Released, policy: DisclosurePolicy
) -> pl.DataFrame:
    """Return the variants of enough patients whose edges are all shown."""
    flow = edges.frame.filter(pl.col("level") == level)
    shown = set(flow.select("source", "target").rows())
    shown |= {(name, END) for name in _ends_said(variants, flow)}
    frequent = variants.filter(pl.col("n_patients") >= policy.threshold)
    seen = [shown.issuperset(_steps(sequence)) for sequence in frequent["variant"].to_list()]
    return frequent.filter(pl.Series(seen, dtype=pl.Boolean)).sort(
        "n_patients", descending=True, maintain_order=True
    )


def _ends_said(variants: pl.DataFrame, flow: pl.DataFrame) -> list[str]:
    """Return the last activities whose flow to the end, whatever the outcome, is wholly shown."""
    last = variants.group_by(source=pl.col("variant").list.last()).agg(n=pl.col("n_patients").sum())
    said = one_end(flow).filter(pl.col("target") == END)
    return last.join(said, on="source").filter(pl.col("n") == pl.col("n_events"))["source"].to_list()


def _steps(sequence: Sequence[str]) -> list[tuple[str, str]]:
    return list(pairwise([START, *sequence, END]))


def _variant_totals(
    n_patients: int, nodes: Released, edges: Released, coarser: pl.DataFrame | None
) -> dict[tuple[str, ...], int]:
    """Return the published counts that variants are part of: patients, nodes, edges, coarser variants."""
    flow = edges.frame.filter(pl.col("source") != ELSEWHERE, ~pl.col("source").str.starts_with(END))
    drawn = flow.filter(pl.col("source") != pl.col("target"), ~pl.col("target").str.starts_with(END))
    steps = nodes.frame.filter(~pl.col("activity").str.starts_with(END))
    totals: dict[tuple[str, ...], int] = {("all",): n_patients}
    for level, name, n in steps.select("level", "activity", "n_patients").drop_nulls().rows():
        totals["node", level, name] = n
    for (level,), part in flow.group_by("level", maintain_order=True):
        ends = one_end(part).filter(pl.col("target") == END)
        totals |= {("flow", str(level), name, END): n for name, _, n in ends.drop_nulls().rows()}
    for what, count in (("edge", "n_patients"), ("flow", "n_events")):
        for level, source, target, n in drawn.select("level", "source", "target", count).drop_nulls().rows():
            totals[what, level, source, target] = n
    if coarser is not None:
        totals |= {
            ("variant", *sequence): n for sequence, n in coarser.select("variant", "n_patients").rows()
        }
        rest = n_patients - sum(coarser["n_patients"])
        totals |= {("others",): rest} if rest else {}
    return totals


def _uses(
    sequence: Sequence[str], level: Level, groups: Mapping[str, str], coarser: pl.DataFrame | None
) -> Counter[tuple[str, ...]]:
    """Count how often one patient of a variant counts in each total."""
    uses = Counter({("all",): 1}) + _uses_of_level(sequence, level)
    if coarser is not None:
        image = [group for group, _ in groupby(groups.get(name, name) for name in sequence)]
        listed = image in coarser["variant"].to_list()
        uses += _uses_of_level(image, "phase") + Counter([("variant", *image) if listed else ("others",)])
    return uses


def _uses_of_level(sequence: Sequence[str], level: Level) -> Counter[tuple[str, ...]]:
    flows = Counter(("flow", level, *step) for step in _steps(sequence))
    sets = [("edge", level, *step) for step in set(_steps(sequence))]
    return Counter([*sets, *(("node", level, name) for name in set(sequence))]) + flows


def _variant_frame(total: int, listed: pl.DataFrame, level: str, policy: DisclosurePolicy) -> pl.DataFrame:
    rest = total - int(listed["n_patients"].sum())
    shown = listed.select(
        "variant",
        "n_patients",
        rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        median_days=pl.when(pl.col("n_patients") >= 2 * policy.threshold).then(pl.col("median_days").round()),
    ).cast({"median_days": pl.Int64})
    others = pl.DataFrame(
        {"variant": [[]], "n_patients": [rest]}, schema_overrides={"variant": pl.List(pl.String)}
    )
    whole = pl.concat([shown, others.filter(pl.col("n_patients") > 0)], how="diagonal")
    return whole.with_columns(level=pl.lit(level), share=(pl.col("n_patients") / total).round(3)).select(
        *VARIANT_COLUMNS
    )
