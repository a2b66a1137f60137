"""Breakdowns: by status, and by territory of residence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pathways.definition import BreakdownDefinition, Pathway
from pathways.disclosure.maps import phase_groups
from pathways.disclosure.policy import (
    POLICY,
    UNFILTERED,
    DisclosurePolicy,
    Origin,
    Released,
    conform,
    released_table,
)
from pathways.disclosure.suppression import protect_sum
from pathways.mining.territories import ANY, STATUSES, UNKNOWN

Flags = NDArray[np.bool_]

DEFINED = ("kind", "within_days", "grace_days", "evidence", "source")
"""What a row of ``breakdowns`` repeats of its definition."""

BREAKDOWN_COLUMNS: dict[str, Any] = {
    "breakdown": pl.String,
    "label_fr": pl.String,
    "label_en": pl.String,
    "kind": pl.String,
    "n_patients": pl.Int64,
    **dict.fromkeys(STATUSES, pl.Int64),
    "within_days": pl.Int64,
    "grace_days": pl.Int64,
    "evidence": pl.String,
    "source": pl.String,
}
TERRITORY_COLUMNS: dict[str, Any] = {
    "breakdown": pl.String,
    "territory": pl.String,
    "n_evaluable": pl.Int64,
    "n_broken": pl.Int64,
    "rate": pl.Float64,
    "expected": pl.Float64,
    "ratio": pl.Float64,
    "ratio_low": pl.Float64,
    "ratio_high": pl.Float64,
    "shrunk_ratio": pl.Float64,
    "funnel_low": pl.Float64,
    "funnel_high": pl.Float64,
    "hotspot": pl.Boolean,
    "suppressed": pl.Boolean,
}


HIDE_FIRST = ("excused", "undecidable", "kept", "broken")
"""Which status is hidden with a small one: the least useful to the reader first."""


def release_breakdowns(
    counts: pl.DataFrame,
    pathway: Pathway,
    *,
    nodes: Released | None = None,
    withheld: Mapping[str, Collection[str]] | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release how many patients kept and broke each expectation.

    Parameters
    ----------
    counts : polars.DataFrame
        ``breakdown``, ``kept``, ``broken``, ``excused``, ``undecidable``: patients by status, one row a breakdown.
    pathway : Pathway
        Gives labels, windows and sources; its breakdowns are the rows.
    nodes : Released, optional
        From `release_map` on the same log: patients whose trigger was not seen, or opened nothing, must not be
        counted by subtraction from all patients or from those with the trigger.
    withheld : mapping of str to collection of str, optional
        From `pathways.disclosure.conformance.withheld_statuses`, which looks at the patients themselves: what is
        hidden, instead of what `nodes` alone would ask for.

    Returns
    -------
    Released
        `BREAKDOWN_COLUMNS`. A status of 1 to 10 patients is null, and another with it, since they add up to
        ``n_patients``; ``broken`` is the last that is hidden for another. A zero concerns nobody and stays.
    """
    known = {row["breakdown"]: [row[status] for status in STATUSES] for row in counts.to_dicts()}
    rows = []
    for item in pathway.breakdowns.values():
        statuses = np.array(known.get(item.id, [0] * len(STATUSES)), dtype=np.int64)
        if withheld is None:
            shown = _shown_statuses(statuses, _patients_around(item, pathway, nodes), policy)
        else:
            shown = _without(statuses, withheld.get(item.id, ()), policy)
        described = {
            "breakdown": item.id,
            "label_fr": item.label["fr"],
            "label_en": item.label["en"],
            **{name: getattr(item, name) for name in DEFINED},
        }
        rows.append(described | dict(zip(("n_patients", *STATUSES), shown, strict=True)))
    frame = pl.DataFrame(rows, schema=BREAKDOWN_COLUMNS)
    return released_table(
        "breakdowns",
        frame,
        policy,
        origin,
        numerator="patients by the state of the expectation",
        denominator="patients whose trigger was seen",
        suppressed=int(frame.select(pl.col("n_patients", *STATUSES).null_count()).sum_horizontal().item()),
        rounded="nothing",
    )


def _patients_around(item: BreakdownDefinition, pathway: Pathway, nodes: Released | None) -> list[int]:
    """Return published counts that contain the patients of a breakdown: all, its only trigger, its triggers' phase."""
    if nodes is None:
        return []
    phases = {phase_groups(pathway).get(word, word) for word in item.trigger}
    around = {"activity": set(item.trigger), "phase": phases}
    counts = [
        nodes.frame.filter(pl.col("level") == level, pl.col("activity").is_in(words))[
            "n_patients"
        ].drop_nulls()
        for level, words in around.items()
        if len(words) == 1
    ]
    return [int(str(nodes.meta["denominator"])), *(count for part in counts for count in part.to_list())]


def _shown_statuses(
    counts: NDArray[np.int64], around: Sequence[int], policy: DisclosurePolicy
) -> list[int | None]:
    """Return the total and the statuses, null where hidden."""
    total = int(counts.sum())
    if 0 < total < policy.threshold:
        return [None] * (1 + len(counts))
    outside = sorted(whole - total for whole in around if 0 < whole - total < policy.threshold)[:1]
    cells = np.append(counts, np.array(outside, dtype=np.int64))
    order = [STATUSES.index(status) for status in HIDE_FIRST]
    hidden = protect_sum(cells, (cells > 0) & (cells < policy.threshold), policy.threshold, order)
    shown = [None if gone else int(n) for n, gone in zip(counts, hidden, strict=False)]
    return [None if outside else total, *shown]


def _without(
    counts: NDArray[np.int64], withheld: Collection[str], policy: DisclosurePolicy
) -> list[int | None]:
    """Return the total and the statuses, null where withheld; nothing of few patients."""
    total = int(counts.sum())
    numbers = zip(("n_patients", *STATUSES), (total, *counts.tolist()), strict=True)
    few = 0 < total < policy.threshold
    return [None if few or name in withheld else number for name, number in numbers]


def release_territories(
    rates: pl.DataFrame,
    breakdowns: Released,
    *,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release rates by territory.

    Parameters
    ----------
    rates : polars.DataFrame
        From `pathways.mining.territories.territory_rates`.
    breakdowns : Released
        From `release_breakdowns`: the territories add up to it.

    Returns
    -------
    Released
        `TERRITORY_COLUMNS`. A row with fewer patients than the threshold among those evaluable, with a breakdown, or
        without one, has no number; so have others where the country or the row ``any`` would give it away. A territory
        without any number has no row, else the rows of a rare breakdown would each be a patient or a few.
    """
    cells = rates.with_columns(n_kept=pl.col("n_evaluable") - pl.col("n_broken"))
    small = pl.any_horizontal(pl.col("n_broken", "n_kept") < policy.threshold) | (
        pl.col("territory") == UNKNOWN
    )
    no_country = breakdowns.frame.filter(pl.col("broken").is_null())["breakdown"].to_list()
    no_kept = breakdowns.frame.filter(pl.col("kept").is_null())["breakdown"].to_list()
    hidden = cells.select(small | pl.col("breakdown").is_in(no_country)).to_series().to_numpy()
    hidden = hidden | _nearly_any(cells, policy)
    hidden = _protect_territories(cells, hidden, no_kept, policy)
    flagged = cells.with_columns(suppressed=pl.Series(hidden, dtype=pl.Boolean))
    decimals = {"rate": 3, "expected": 1, "funnel_low": 3, "funnel_high": 3}
    ratios = dict.fromkeys(("ratio", "ratio_low", "ratio_high", "shrunk_ratio"), 2)
    numbers = [pl.col(name).round(places) for name, places in (decimals | ratios).items()]
    counts = [pl.col(name) for name in ("n_evaluable", "n_broken", "hotspot")]
    shown = flagged.filter(~pl.col("suppressed")).with_columns([*counts, *numbers])
    frame = _grid(flagged, shown)
    return released_table(
        "territories",
        conform(frame, TERRITORY_COLUMNS),
        policy,
        origin,
        numerator="patients with the breakdown, by territory of residence",
        denominator="patients in whom it can be decided and is not excused",
        suppressed=flagged.filter(pl.col("territory") != UNKNOWN).height - shown.height,
        rounded="rates to 3 decimals, ratios to 2, expected counts to 1",
    )


def _grid(cells: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each breakdown of each territory that has a number: a row without one tells of nobody."""
    breakdowns = cells.select(pl.col("breakdown").unique(maintain_order=True))
    grid = breakdowns.join(shown.select(pl.col("territory").unique().sort()), how="cross")
    rows = grid.join(shown, on=["breakdown", "territory"], how="left", maintain_order="left")
    return rows.with_columns(pl.col("suppressed").fill_null(True))


def _nearly_any(cells: pl.DataFrame, policy: DisclosurePolicy) -> Flags:
    """Return the rows that the row ``any`` of their territory exceeds by a few patients: the rest could be told."""
    whole = cells.filter(breakdown=ANY).select(
        "territory", any_evaluable="n_evaluable", any_broken="n_broken"
    )
    beside = cells.join(whole, on="territory", how="left", maintain_order="left")
    differences = (pl.col("any_evaluable") - pl.col("n_evaluable"), pl.col("any_broken") - pl.col("n_broken"))
    few = pl.any_horizontal(policy.is_small(difference) for difference in differences)
    return beside.select((few & (pl.col("breakdown") != ANY)).fill_null(False)).to_series().to_numpy()


def _protect_territories(
    cells: pl.DataFrame, hidden: Flags, no_kept: Sequence[str], policy: DisclosurePolicy
) -> Flags:
    """Hide more until neither the country's sums nor the row ``any`` pins a hidden number.

    Where the country's ``kept`` is hidden, the territories must not add up to it: some of them are hidden too.
    """
    while True:
        wider = hidden.copy()
        for name in cells["breakdown"].unique():
            rows = np.flatnonzero((cells["breakdown"] == name).to_numpy())
            wider[rows] = _protect_country(cells[rows], wider[rows], name in no_kept, policy)
        pinned = _pinned_territories(cells, wider, policy)
        wider |= cells["territory"].is_in(pinned).to_numpy()
        if (wider == hidden).all():
            return hidden
        hidden = wider


def _protect_country(
    cells: pl.DataFrame, hidden: Flags, some_at_least: bool, policy: DisclosurePolicy
) -> Flags:
    """Hide the smallest shown rows of one breakdown until the hidden ones add up to enough of each kind."""
    hidden = hidden.copy()
    broken, kept = cells["n_broken"].to_numpy(), cells["n_kept"].to_numpy()
    for row in np.argsort(broken + kept, kind="stable"):
        sums = broken[hidden].sum(), kept[hidden].sum()
        nothing_to_keep = not hidden.any() and not some_at_least
        if nothing_to_keep or (hidden.sum() > 1 and min(sums) >= policy.threshold):
            break
        hidden[row] = True
    return hidden


def _pinned_territories(cells: pl.DataFrame, hidden: Flags, policy: DisclosurePolicy) -> list[str]:
    """Return territories where ``any`` and the single breakdowns pin each other.

    A union holds at least its largest part and at most the sum of its parts.
    """
    flagged = cells.with_columns(hidden=pl.Series(hidden, dtype=pl.Boolean))
    pinned: set[str] = set()
    for count in ("n_broken", "n_evaluable"):
        hidden_sum = pl.col(count).filter("hidden").sum().over("breakdown")
        high = pl.when("hidden").then(hidden_sum).otherwise(count)
        bounds = flagged.with_columns(low=pl.when("hidden").then(0).otherwise(count), high=high)
        unions = bounds.filter(pl.col("breakdown") == ANY).select("territory", "hidden", "low", "high")
        parts = bounds.filter(pl.col("breakdown") != ANY)
        pinned |= set(_narrow_unions(parts, unions, policy)) | set(_narrow_parts(parts, unions, policy))
    return sorted(pinned)


def _narrow_unions(parts: pl.DataFrame, unions: pl.DataFrame, policy: DisclosurePolicy) -> pl.Series:
    sides = parts.group_by("territory").agg(least=pl.col("low").max(), most=pl.col("high").sum())
    span = pl.min_horizontal("high", "most") - pl.col("least")
    hidden = unions.filter("hidden").join(sides, on="territory")
    return hidden.filter(span < policy.threshold, pl.col("least") > 0)["territory"]


def _narrow_parts(parts: pl.DataFrame, unions: pl.DataFrame, policy: DisclosurePolicy) -> pl.Series:
    whole = unions.select("territory", union_low="low", union_high="high")
    others = pl.col("high").sum().over("territory") - pl.col("high")
    bounded = parts.with_columns(others=others).join(whole, on="territory").filter("hidden")
    least = pl.max_horizontal(pl.col("union_low") - pl.col("others"), 0)
    span = pl.min_horizontal("high", "union_high") - least
    return bounded.filter(span < policy.threshold, pl.col("union_low") > 0)["territory"]
