"""Tables of a selection: rounded, and without what another release of the same study would turn into a small count.

A selection is a part of the study's patients, whose own tables are released exactly: each number of a selection can be
subtracted from another. So, after the gate of each table,

- a number that differs by 1 to 10 from that of a release whose patients contain it, or are contained in it, is hidden;
- what the study's own table hides stays hidden: a part that is shown bounds the whole;
- all other counts are rounded to multiples of the threshold, so that a difference spans that many values and no sum of
  hidden and shown ones is exact; shares are quotients of rounded counts;
- a table that `SHAPES` does not describe does not leave with a selection.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from pathways.disclosure.policy import DisclosurePolicy, Origin, Released, conform, released_table
from pathways.mining.kernels import ELSEWHERE


@dataclass(frozen=True)
class Shape:
    """What the columns of a released table are.

    Parameters
    ----------
    keys : tuple of str
        Say which row it is, in every release.
    counts : tuple of str
        Counts of patients or events.
    shares : mapping of str to (str or None, str or None)
        Column → the counts that it is the quotient of. None above: a part that the table does not say, share times
        whole; None below: the sum of the counts above, by the first key.
    unsaid : tuple of str
        Columns that tell counts in another way: null in a selection.
    rows_leave : bool
        A row with a hidden count is left out; else only the count is null.
    pooled : polars.Expr
        The rows that hold what is not shown: nobody's own, so they are rounded only, and take up what is left out.
    of_events : bool
        Rows are sets of patients only as long as no event is cut: two steps become one where what lay between is cut.
    of_expectations : bool
        Decided on what was expected and did not come: never from a log that lacks activities.
    """

    keys: tuple[str, ...]
    counts: tuple[str, ...]
    shares: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()
    rows_leave: bool = False
    pooled: pl.Expr = field(default_factory=lambda: pl.lit(False), repr=False)
    of_events: bool = False
    of_expectations: bool = False


SHAPES: dict[str, Shape] = {
    "nodes": Shape(("level", "activity"), ("n_patients",)),
    "edges": Shape(
        ("level", "source", "target"),
        ("n_events", "n_patients"),
        {"tied_share": (None, "n_events")},
        rows_leave=True,
        pooled=pl.col("source") == ELSEWHERE,
        of_events=True,
    ),
    "variants": Shape(
        ("level", "variant"),
        ("n_patients",),
        {"share": ("n_patients", None)},
        rows_leave=True,
        pooled=pl.col("variant").list.len() == 0,
        of_events=True,
    ),
    "breakdowns": Shape(
        ("breakdown",), ("n_patients", "kept", "broken", "excused", "undecidable"), of_expectations=True
    ),
    "conformance": Shape(
        ("rule",),
        ("n_patients", "n_applicable", "n_satisfied", "n_violated", "n_excused", "n_undecidable", "n_late"),
        unsaid=("share_conforming", "words_fr", "words_en"),
        of_expectations=True,
    ),
    "summary": Shape(("pathway_id",), ("n_patients",)),
}
"""Tables that leave with a selection. Histograms of delays do not: each release merges days in its own way, so that
sums of their bins could be subtracted."""

ATTRITION_COLUMNS: dict[str, Any] = {
    "step": pl.Int64,
    "verb": pl.String,
    "words_fr": pl.String,
    "words_en": pl.String,
    "n_patients": pl.Int64,
    "n_excluded": pl.Int64,
}
"""Columns of the released ``attrition``: step 0 is everybody."""


@dataclass(frozen=True)
class Beside:
    """What a selection's tables stand beside.

    Parameters
    ----------
    whole : mapping of str to polars.DataFrame
        The study's own released tables.
    nested : sequence of mappings of str to polars.DataFrame
        The tables, as shown before they were rounded, of releases whose patients contain, or are contained in, those
        of the selection.
    cuts_events, cuts_activities : bool
        Whether the selection keeps some events only; whether it leaves out activities.
    """

    whole: Mapping[str, pl.DataFrame] = field(repr=False)
    nested: Sequence[Mapping[str, pl.DataFrame]] = field(repr=False)
    cuts_events: bool = False
    cuts_activities: bool = False


def protect_tables(
    tables: Iterable[Released], beside: Beside, policy: DisclosurePolicy
) -> tuple[dict[str, pl.DataFrame], list[Released]]:
    """Protect the tables of a selection beside what the study releases.

    Parameters
    ----------
    tables : iterable of Released
        Each passed its own gate.
    beside : Beside
        The other releases.
    policy : DisclosurePolicy
        Counts become multiples of its threshold.

    Returns
    -------
    shown : dict of str to polars.DataFrame
        What is shown, before it is rounded: for the study's ledger, never to leave.
    released : list of Released
        What leaves, rounded.
    """
    described = [one for one in tables if one.name in SHAPES]
    kept = [one for one in described if not (beside.cuts_activities and SHAPES[one.name].of_expectations)]
    shown = {one.name: _shown(one, beside, policy) for one in kept}
    if {"edges", "nodes"} <= shown.keys() and beside.cuts_events:
        shown["edges"] = _apart_from_nodes(shown["edges"], beside.whole, policy)
    return shown, [_leaving(one, shown[one.name], policy) for one in kept]


def _shown(table: Released, beside: Beside, policy: DisclosurePolicy) -> pl.DataFrame:
    """Hide what differs little from a nested release, and what the study's own table hides."""
    shape, frame = SHAPES[table.name], table.frame
    others = [one[table.name] for one in (beside.whole, *beside.nested) if table.name in one]
    few = pl.DataFrame({name: pl.repeat(False, frame.height, eager=True) for name in shape.counts})
    for other in others:
        matched = _matched(frame, other, shape)
        small = [policy.is_small((pl.col(name) - pl.col(f"{name}_other")).abs()) for name in shape.counts]
        few = few.select(
            pl.col(name) | found.fill_null(False)
            for name, found in zip(shape.counts, matched.select(small), strict=True)
        )
    withheld = few.clear(frame.height).fill_null(False)
    if table.name in beside.whole and not (shape.of_events and beside.cuts_events):
        matched = _matched(frame, beside.whole[table.name], shape)
        withheld = matched.select(pl.col(f"{name}_other").is_null().alias(name) for name in shape.counts)
    hidden = _hide(frame, shape, few, withheld)
    fixed = table.name in beside.whole and not shape.rows_leave
    return _as_in(hidden, beside.whole[table.name], shape) if fixed else hidden


def _as_in(frame: pl.DataFrame, whole: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """Put the rows in the order of the study's own table: their own would compare counts that are hidden."""
    places = whole.select(shape.keys).with_row_index("place")
    placed = frame.join(places, on=list(shape.keys), how="left", nulls_equal=True, maintain_order="left")
    return placed.sort("place", nulls_last=True, maintain_order=True).drop("place")


def _matched(frame: pl.DataFrame, other: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """Return the counts with those of the same row of another release, null where it has none."""
    theirs = other.select(*shape.keys, pl.col(shape.counts).name.suffix("_other"))
    ours = frame.select(*shape.keys, *shape.counts)
    return ours.join(theirs, on=list(shape.keys), how="left", nulls_equal=True, maintain_order="left")


def _hide(frame: pl.DataFrame, shape: Shape, few: pl.DataFrame, withheld: pl.DataFrame) -> pl.DataFrame:
    """Empty the counts that are hidden; where rows leave, add them to what is pooled."""
    pooled = frame.select(pooled=shape.pooled).to_series()
    gone = (few.select(pl.any_horizontal(pl.all())).to_series() | withheld[shape.counts[0]]) & ~pooled
    kept = frame.with_columns(
        pl.when(~(few[name] | withheld[name]) | pooled).then(name).alias(name) for name in shape.counts
    )
    if not shape.rows_leave or not gone.any():
        return kept
    left = frame.filter(gone).group_by(shape.keys[0]).agg(pl.col(shape.counts).sum().name.suffix("_left"))
    more = kept.select(shape.keys[0]).join(left, on=shape.keys[0], how="left", maintain_order="left")
    added = [
        pl.when(pooled).then(pl.col(name) + more[f"{name}_left"].fill_null(0)).otherwise(name).alias(name)
        for name in shape.counts
    ]
    return kept.with_columns(added).filter(~gone)


def _apart_from_nodes(
    edges: pl.DataFrame, whole: Mapping[str, pl.DataFrame], policy: DisclosurePolicy
) -> pl.DataFrame:
    """Leave out the edges of cut events that take nearly all patients of one of the study's own nodes."""
    few = pl.lit(False)
    for side in ("source", "target"):
        nodes = whole["nodes"].select(
            "level", pl.col("activity").alias(side), pl.col("n_patients").alias(f"of_{side}")
        )
        edges = edges.join(nodes, on=["level", side], how="left", maintain_order="left")
        few |= policy.is_small(pl.col(f"of_{side}") - pl.col("n_patients")).fill_null(False)
    return edges.filter(~few).drop("of_source", "of_target")


def _leaving(table: Released, shown: pl.DataFrame, policy: DisclosurePolicy) -> Released:
    """Round the counts, make the shares anew from rounded counts, and say so."""
    shape, step = SHAPES[table.name], policy.threshold
    denominator = table.meta["denominator"]
    everybody = _rounded(denominator, step) if isinstance(denominator, int) else denominator
    shares = [_quotient(share, *of, shape.keys[0], step).alias(share) for share, of in shape.shares.items()]
    told = shown.with_columns(pl.lit(None).alias(name) for name in shape.unsaid)
    frame = told.with_columns(shares).with_columns(_rounded(pl.col(name), step) for name in shape.counts)
    cells = [one.select(pl.col(shape.counts).count()).sum_horizontal().item() for one in (table.frame, shown)]
    meta = table.meta | {
        "denominator": everybody,
        "suppressed": int(str(table.meta["suppressed"])) + cells[0] - cells[1],
        "rounded": f"counts to multiples of {step}; {table.meta['rounded']}",
    }
    return Released(table.name, conform(frame, dict(table.frame.schema)), meta)


def _rounded(count: Any, step: int) -> Any:
    """Round a number, or a column, to a multiple of `step`, halves up."""
    return (count * 2 + step) // (2 * step) * step


def _quotient(share: str, above: str | None, below: str | None, group: str, step: int) -> pl.Expr:
    """Return a share as the quotient of its rounded counts; see `Shape`."""
    whole = pl.col(str(above)).sum().over(group) if below is None else pl.col(below)
    part = (pl.col(share) * whole).round().cast(pl.Int64) if above is None else pl.col(above)
    low, high = pl.Expr.floordiv(2 * part + step, 2 * step), pl.Expr.floordiv(2 * whole + step, 2 * step)
    return (low / pl.max_horizontal(low, high)).fill_nan(0).round(2)


def release_attrition(steps: pl.DataFrame, *, policy: DisclosurePolicy, origin: Origin) -> Released:
    """Release whom each verb of a stack leaves out.

    Parameters
    ----------
    steps : polars.DataFrame
        ``step``, ``verb``, ``words_fr``, ``words_en``, ``n_patients`` left after it; step 0 is everybody. Null where
        the size of this set of patients may not be told: the next step that may tells of both.

    Returns
    -------
    Released
        `ATTRITION_COLUMNS`: patients to multiples of the threshold; ``n_excluded`` since the last step that tells.
    """
    counts = _rounded(pl.col("n_patients"), policy.threshold)
    rounded = steps.with_columns(n_patients=counts)
    before = pl.col("n_patients").forward_fill().shift()
    frame = rounded.with_columns(n_excluded=before - pl.col("n_patients"))
    return released_table(
        "attrition",
        conform(frame, ATTRITION_COLUMNS),
        policy,
        origin,
        numerator="patients left after each filter",
        denominator="patients of the study",
        suppressed=frame["n_patients"].null_count(),
        rounded=f"counts to multiples of {policy.threshold}",
    )
