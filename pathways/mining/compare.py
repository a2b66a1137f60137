"""Groups compared: what differs, by how much, how surely, and what remains at equal age, sex and deprivation.

Rules
-----
- Two groups are compared with each other; with three or more, each with the patients of all others.
- A *share* is of the patients with events of a group: with the step, on the edge, on the variant. An *exit share* is
  of the events that leave a step for another. A *median* is of one number a patient: the first day of a step since
  index, the delay of the first passage on an edge, the days from first to last event. Delays are those of the patients
  who took the step: who has not taken it yet is not in them.
- Nothing is said of a measure where a group has fewer patients than the minimum, where fewer than the minimum in both
  have the event, or where the expected count of a cell is under 5 (Cochran, Biometrics 10, 1954).
- q-values are over all the differences that are said, of all groups. Ranked: those with q < 0.05, by the size of the
  standardised difference (the difference itself where none can be standardised); shares, exit shares and days apart.
- Standard population: the compared groups pooled, by age band, sex and deprivation; unknown is a stratum.
  Intervals, tests and their sources: see `pathways.mining.inference`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.errors import LogError, did_you_mean
from eventlogs.log import EventLog
from pathways.definition import Pathway
from pathways.mining.funnels import between_units, divided, funnel_limits
from pathways.mining.groups import COLUMNS, Groups
from pathways.mining.inference import (
    ClusterSums,
    Difference,
    Z,
    combine,
    difference_of_ratios,
    difference_of_shares,
    heterogeneity,
    median_ranks,
    p_of_shares,
    q_values,
    standard_weights,
    standardised_shares,
)
from pathways.mining.kernels.sequences import Integers
from pathways.mining.measures import MEASURE_COLUMNS, Exits, Facts, Shares, Values, facts

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

MINIMUM = 11
"""Patients under which nothing is said."""

LEAST_EXPECTED = 5
"""Expected count of a cell under which the χ² test is not relied upon (Cochran 1954)."""

LEVEL = 0.05
"""False discovery rate under which a difference is significant."""

STANDARD = ("age", "sex", "deprivation")
"""What differences are standardised on."""

STRATA = {"age": "age_band", "sex": "sex", "deprivation": "deprivation"}
"""Columns of `pathways.mining.groups` that can be standardised on."""

DIFFERENCE_COLUMNS: dict[str, Any] = {
    "group": pl.String,
    "other": pl.String,
    **MEASURE_COLUMNS,
    "unit": pl.String,
    "n_a": pl.Int64,
    "k_a": pl.Int64,
    "value_a": pl.Float64,
    "n_b": pl.Int64,
    "k_b": pl.Int64,
    "value_b": pl.Float64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
    "standardised_a": pl.Float64,
    "standardised_b": pl.Float64,
    "standardised": pl.Float64,
    "standardised_low": pl.Float64,
    "standardised_high": pl.Float64,
    "covered": pl.Float64,
    "significant": pl.Boolean,
    "rank": pl.Int64,
}
"""Columns of `Comparison.differences`: ``group`` is A and ``other`` B; ``k`` patients with the event among ``n``;
``unit`` is ``share``, ``exits`` (0 to 1 both) or ``days``."""

HETEROGENEITY_COLUMNS: dict[str, Any] = {
    **MEASURE_COLUMNS,
    "n_groups": pl.Int64,
    "p": pl.Float64,
    "q": pl.Float64,
}
"""Columns of `Comparison.heterogeneity`."""

COUNT_COLUMNS: dict[str, Any] = {"group": pl.String, **MEASURE_COLUMNS, "n": pl.Int64, "k": pl.Int64}
"""Columns of `Comparison.counts`: ``k`` of the ``n`` patients with events of a group."""

FUNNEL_COLUMNS: dict[str, Any] = {
    "group": pl.String,
    **MEASURE_COLUMNS,
    "n": pl.Int64,
    "k": pl.Int64,
    "rate": pl.Float64,
    "expected": pl.Float64,
    "adjusted": pl.Float64,
    "overall": pl.Float64,
    "low_95": pl.Float64,
    "high_95": pl.Float64,
    "low_998": pl.Float64,
    "high_998": pl.Float64,
    "outside": pl.String,
}
"""Columns of `Comparison.funnel`: ``outside`` is ``95``, ``99.8`` or ``no``; rates 0 to 1."""


@dataclass(frozen=True)
class Comparison:
    """What differs between groups.

    Parameters
    ----------
    groups : polars.DataFrame
        ``group``, ``n_patients`` (with at least one event), by name.
    differences : polars.DataFrame
        `DIFFERENCE_COLUMNS`: ranked ones first, then by p-value.
    heterogeneity : polars.DataFrame
        `HETEROGENEITY_COLUMNS`: whether all groups are alike, one row a measure; of three groups or more.
    funnel : polars.DataFrame
        `FUNNEL_COLUMNS`: each group's share of patients with each activity, of three groups or more.
    counts : polars.DataFrame
        `COUNT_COLUMNS`: who has what in every group, those too small to compare and who is in none (null) included.
    by : str
        What the groups are.
    n_neither, n_both : int
        Patients in no group, and in two: left out.
    minimum : int
        Patients under which nothing is said.

    Notes
    -----
    Counts here may be small: a comparison leaves through `pathways.disclosure` only.
    """

    groups: pl.DataFrame = field(repr=False)
    differences: pl.DataFrame = field(repr=False)
    heterogeneity: pl.DataFrame = field(repr=False)
    funnel: pl.DataFrame = field(repr=False)
    counts: pl.DataFrame = field(repr=False)
    by: str
    n_neither: int
    n_both: int
    minimum: int

    def nodes(self) -> pl.DataFrame:
        """Return the activities of a difference map: ``activity``, ``delta``, ``significant`` (two groups)."""
        return self._shares("activity").select("activity", delta="difference", significant="significant")

    def edges(self) -> pl.DataFrame:
        """Return the edges of a difference map: ``source``, ``target``, ``delta``, ``significant`` (two groups)."""
        return self._shares("edge").select("source", "target", delta="difference", significant="significant")

    def _shares(self, kind: str) -> pl.DataFrame:
        if self.groups.height > 2:
            raise LogError(
                f"a difference map is of two groups and these are {self.groups.height}; "
                "choose one with Groups.against_others"
            )
        return self.differences.filter(kind=kind, measure="share")

    def __repr__(self) -> str:
        found = int(self.differences["significant"].sum())
        return (
            f"Comparison({self.by}: {self.groups.height} groups, {found} of {self.differences.height} differences "
            f"at q < {LEVEL})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>"


def compare(
    log: EventLog,
    groups: Groups,
    pathway: Pathway | None = None,
    *,
    minimum: int = MINIMUM,
    standard: Sequence[str] = STANDARD,
) -> Comparison:
    """Compare groups of patients: steps, edges, variants, delays and durations.

    Parameters
    ----------
    log : EventLog
        The log, at the level to compare at.
    groups : Groups
        See `pathways.mining.groups`. Those with fewer patients than the minimum are not compared; with three groups or
        more, they stay among the others.
    pathway : Pathway, optional
        Gives the milestones that variants are made of.
    minimum : int
        Patients under which nothing is said.
    standard : sequence of {'age', 'sex', 'deprivation'}
        What the differences are standardised on; what the groups themselves are is left out.

    Returns
    -------
    Comparison

    Raises
    ------
    LogError
        There are fewer than two groups, or the standard is not known.
    """
    known = facts(log, pathway)
    names = groups.names
    member = _numbers(known, groups.of, names)
    sizes = np.bincount(member[member >= 0], minlength=len(names))
    big = [code for code in range(len(names)) if sizes[code] >= minimum]
    if len(names) < 2 or not big:
        raise LogError(
            f"groups by {groups.by}: {len(names)}, of which {len(big)} of {minimum} patients or more; "
            "two are needed, group by something else"
        )
    stratum = _strata(log, known, [word for word in standard if STRATA.get(word) != groups.column])
    rows = [
        _contrast(known, side, stratum, minimum).with_columns(**said)
        for said, side in _sides(names, big, member)
    ]
    many = len(names) > 2
    differences = _ranked(pl.concat(rows))
    return Comparison(
        groups=pl.DataFrame(
            {"group": names, "n_patients": sizes}, schema={"group": pl.String, "n_patients": pl.Int64}
        ),
        differences=differences,
        heterogeneity=_heterogeneous(
            known, member, len(names), minimum, differences if many else differences.clear()
        ),
        funnel=_funnel(known.shares, member, stratum, names, big if many else []),
        counts=_all_counts(known.shares, member, names),
        by=groups.by,
        n_neither=groups.n_neither,
        n_both=groups.n_both,
        minimum=minimum,
    )


def _sides(
    names: Sequence[str], big: Sequence[int], member: Integers
) -> Iterator[tuple[Mapping[str, pl.Expr], Integers]]:
    """Yield each pair to compare: its names, and per patient 0 (A), 1 (B) or -1."""
    pairs = [(0, names[1])] if len(names) == 2 else [(code, "all others") for code in big]
    for code, other in pairs:
        side = np.where(member < 0, -1, np.where(member == code, 0, 1)).astype(np.int8)
        yield {"group": pl.lit(names[code]), "other": pl.lit(other)}, side


def _numbers(known: Facts, of: pl.DataFrame, names: Sequence[str]) -> Integers:
    """Return the group's number of each patient, -1 without one."""
    codes = pl.DataFrame(
        {"group": names, "code": range(len(names))}, schema={"group": pl.String, "code": pl.Int64}
    )
    ids = pl.DataFrame({"patient_id": known.patients})
    found = ids.join(of.join(codes, on="group"), on="patient_id", how="left", maintain_order="left")
    return found["code"].fill_null(-1).to_numpy()


def _strata(log: EventLog, known: Facts, standard: Sequence[str]) -> Integers:
    """Return the number of each patient's stratum; what is not known is a value of its own."""
    for word in standard:
        if word not in STRATA:
            raise LogError(f"differences can't be standardised on '{word}'{did_you_mean(word, STRATA)}")
    said = [COLUMNS[STRATA[word]]().fill_null("?").alias(word) for word in standard]
    people = log.patients.select(
        "patient_id", pl.concat_str([pl.lit(""), *said], separator="\t").alias("stratum")
    )
    ids = pl.DataFrame({"patient_id": known.patients})
    placed = ids.join(people, on="patient_id", how="left", maintain_order="left")
    return (placed["stratum"].rank("dense").cast(pl.Int64) - 1).to_numpy()


def _contrast(known: Facts, side: Integers, stratum: Integers, minimum: int) -> pl.DataFrame:
    """Compare two sides on everything; only rows that may be said."""
    n_strata = int(stratum.max(initial=-1)) + 1
    frames = [
        _of_shares(known.shares, side, stratum, n_strata, minimum),
        _of_values(known.values, side, stratum, n_strata, minimum),
        _of_exits(known.exits, side, minimum),
    ]
    return pl.concat(frames)


def _cells(measure: Integers, side: Integers, stratum: Integers, shape: tuple[int, int, int]) -> Numbers:
    """Count by measure, side and stratum; the rows must have a side."""
    cell = (measure.astype(np.int64) * shape[1] + side) * shape[2] + stratum
    return np.bincount(cell, minlength=shape[0] * shape[1] * shape[2]).reshape(shape).astype(np.float64)


def _of_shares(
    shares: Shares, side: Integers, stratum: Integers, n_strata: int, minimum: int
) -> pl.DataFrame:
    inside = side >= 0
    sizes = _cells(np.zeros(inside.sum(), dtype=np.int64), side[inside], stratum[inside], (1, 2, n_strata))[0]
    kept = inside[shares.patient]
    who = shares.patient[kept]
    counts = _cells(shares.measure[kept], side[who], stratum[who], (shares.names.height, 2, n_strata))
    k, n = counts.sum(axis=2), sizes.sum(axis=1)
    shown = sayable(k, np.broadcast_to(n, k.shape), minimum)
    k_a, k_b = k[shown].astype(np.int64).T
    n_a, n_b = (np.full(len(k_a), size, dtype=np.int64) for size in n)
    found = standardised_shares(counts[shown, 0], sizes[0], counts[shown, 1], sizes[1])
    standard = (found.a, found.b, found.low, found.high, found.covered)
    return _frame(
        shares.names.filter(shown),
        "share",
        (n_a, k_a, k_a / n_a, n_b, k_b, k_b / n_b),
        difference_of_shares(k_a, n_a, k_b, n_b),
        standard,
    )


def sayable(k: Numbers, n: Numbers, minimum: int) -> Flags:
    """Say of which rows a share can be compared: enough patients, enough with the event, expected counts of 5.

    Parameters
    ----------
    k, n : array of shape (measures, 2)
        Patients with the event, and all, in A and B.
    """
    total = n.sum(axis=1)
    pooled = k.sum(axis=1) / np.maximum(total, 1)
    expected = n.min(axis=1) * np.minimum(pooled, 1 - pooled)
    return np.asarray((n.min(axis=1) >= minimum) & (k.sum(axis=1) >= minimum) & (expected >= LEAST_EXPECTED))


def _of_values(
    values: Values, side: Integers, stratum: Integers, n_strata: int, minimum: int
) -> pl.DataFrame:
    kept = side[values.patient] >= 0
    who, measure = values.patient[kept], values.measure[kept]
    counts = _cells(measure, side[who], stratum[who], (values.names.height, 2, n_strata))
    n = counts.sum(axis=2).astype(np.int64)
    shown = n.min(axis=1) >= max(minimum, 6)
    weights, covered = standard_weights(counts[:, 0], counts[:, 1])
    medians = []
    for one in (0, 1):
        rows = shown[measure] & (side[who] == one)
        weight = np.divide(weights, counts[:, one], out=np.zeros_like(weights), where=counts[:, one] > 0)
        each = weight[measure[rows], stratum[who[rows]]]
        medians.append(_medians(measure[rows], values.value[kept][rows], each, shown))
    (a, a_low, a_high, wa, wa_low, wa_high), (b, b_low, b_high, wb, wb_low, wb_high) = medians
    n_a, n_b = n[shown].T
    p = _moods(values, side, shown)
    return _frame(
        values.names.filter(shown),
        "days",
        (n_a, n_a, a, n_b, n_b, b),
        Difference(a - b, *combine(a, (a_low, a_high), b, (b_low, b_high)), p),
        (wa, wb, *combine(wa, (wa_low, wa_high), wb, (wb_low, wb_high)), covered[shown]),
    )


def _moods(values: Values, side: Integers, shown: Flags) -> Numbers:
    """Return the p-values of Mood's median test of the shown measures."""
    above, n = (each[shown].astype(np.int64) for each in _above_median(values, side, 2))
    return p_of_shares(above[:, 0], n[:, 0], above[:, 1], n[:, 1])


def _medians(measure: Integers, value: Numbers, weight: Numbers, shown: Flags) -> tuple[Numbers, ...]:
    """Return median, its limits, and the same weighted, of each shown measure; values are sorted within measures.

    Limits of a weighted median are the quantiles ``0.5 ± 1.96 · 0.5 / √n`` (Woodruff, Journal of the American
    Statistical Association 47, 1952), with Kish's effective number ``1 / Σw²`` in place of n.
    """
    n = np.bincount(measure, minlength=len(shown))
    start, n = (np.cumsum(n) - n)[shown], n[shown]
    low, high = median_ranks(n)
    middle = (value[start + (n - 1) // 2] + value[start + n // 2]) / 2
    plain = (middle, value[start + low], value[start + high])
    reach = np.cumsum(weight)
    before = np.where(start > 0, reach[start - 1], 0.0)
    total = reach[start + n - 1] - before
    squares = np.bincount(measure, weights=weight**2, minlength=len(shown))[shown]
    half = Z * 0.5 * np.sqrt(squares) / np.maximum(total, 1e-12)

    def quantile(share: Numbers) -> Numbers:
        target = before + np.clip(share, 0, 1) * total
        place = [np.searchsorted(reach, target + nudge) for nudge in (-1e-9, 1e-9)]
        inside = [np.clip(each, start, start + n - 1) for each in place]
        found = (value[inside[0]] + value[inside[1]]) / 2
        return np.where(total > 0, found, np.nan)

    half = np.minimum(half, 0.5)
    return *plain, quantile(np.full(len(n), 0.5)), quantile(0.5 - half), quantile(0.5 + half)


def _of_exits(exits: Exits, side: Integers, minimum: int) -> pl.DataFrame:
    height = exits.names.height
    sums = [_cluster_sums(exits, side == one, height) for one in (0, 1)]
    k = np.column_stack([_weighted_count(exits.edge, (side == one)[exits.patient], height) for one in (0, 1)])
    n = np.column_stack([each.n for each in sums])
    shown = sayable(k, n, minimum)
    a, b = (ClusterSums(*(getattr(each, name)[shown] for name in CLUSTER_FIELDS)) for each in sums)
    empty = np.full(int(shown.sum()), np.nan)
    counted = n[shown].astype(np.int64), k[shown].astype(np.int64)
    return _frame(
        exits.names.filter(shown),
        "exits",
        (counted[0][:, 0], counted[1][:, 0], a.y / a.x, counted[0][:, 1], counted[1][:, 1], b.y / b.x),
        difference_of_ratios(a, b),
        (empty, empty, empty, empty, empty),
    )


CLUSTER_FIELDS = ("n", "y", "x", "yy", "xy", "xx")


def _weighted_count(cell: Integers, rows: Flags, size: int, weights: Numbers | None = None) -> Numbers:
    chosen = None if weights is None else weights[rows]
    return np.bincount(cell[rows], weights=chosen, minlength=size).astype(np.float64)


def _cluster_sums(exits: Exits, chosen: Flags, height: int) -> ClusterSums:
    taken, leaving = chosen[exits.patient], chosen[exits.source_patient]
    n_sources = int(exits.source.max(initial=-1)) + 1

    def of_source(weights: Numbers | None) -> Numbers:
        return _weighted_count(exits.source_code, leaving, n_sources, weights)[exits.source]

    return ClusterSums(
        n=of_source(None),
        y=_weighted_count(exits.edge, taken, height, exits.taken),
        x=of_source(exits.source_left),
        yy=_weighted_count(exits.edge, taken, height, exits.taken**2),
        xy=_weighted_count(exits.edge, taken, height, exits.taken * exits.left),
        xx=of_source(exits.source_left**2),
    )


def _frame(
    names: pl.DataFrame,
    unit: str,
    sides: tuple[Any, ...],
    found: Difference,
    standard: tuple[Numbers, ...],
) -> pl.DataFrame:
    columns = dict(zip(("n_a", "k_a", "value_a", "n_b", "k_b", "value_b"), sides, strict=True))
    columns |= {"difference": found.estimate, "low": found.low, "high": found.high, "p": found.p}
    fields = ("standardised_a", "standardised_b", "standardised_low", "standardised_high", "covered")
    columns |= dict(zip(fields, standard, strict=True))
    columns["standardised"] = columns["standardised_a"] - columns["standardised_b"]
    frame = names.with_columns(pl.Series(name, array) for name, array in columns.items())
    nothing = pl.col("covered").fill_nan(0.0) == 0
    blank = pl.col(*(name for name in columns if name.startswith("standardised")), "covered")
    return frame.with_columns(pl.lit(unit).alias("unit"), pl.when(~nothing).then(blank).name.keep())


def _ranked(rows: pl.DataFrame) -> pl.DataFrame:
    """Add q-values, significance and ranks, and put the rows in order."""
    size = pl.coalesce("standardised", "difference").abs()
    tested = rows.with_columns(q=pl.Series(q_values(rows["p"].to_numpy()))).with_columns(
        significant=pl.col("q") < LEVEL, size=size
    )
    order = ["significant", "unit", "size", "p", "group", "kind", "activity", "source", "target"]
    down = [True, True, True, False, False, False, False, False, False]
    placed = tested.sort(order, descending=down, nulls_last=True)
    rank = pl.int_range(1, pl.len() + 1).over("significant", "unit")
    ranked = placed.with_columns(rank=pl.when("significant").then(rank))
    return ranked.select(pl.col(name).cast(dtype) for name, dtype in DIFFERENCE_COLUMNS.items())


def _heterogeneous(
    known: Facts, member: Integers, n_groups: int, minimum: int, said: pl.DataFrame
) -> pl.DataFrame:
    """Test whether all groups are alike on the measures of which something is said.

    Medians are compared by Mood's test: shares of patients above the pooled median.
    """
    frames = [
        _alike(known.shares.names, *_group_counts(known.shares, member, n_groups)),
        _alike(known.values.names, *_above_median(known.values, member, n_groups)),
    ]
    wanted = said.select(measure_key()).unique()
    tested = pl.concat(frames).with_columns(measure_key()).join(wanted, on="key", how="semi")
    with_q = tested.with_columns(q=pl.Series(q_values(tested["p"].to_numpy()))).sort("p", maintain_order=True)
    return with_q.select(pl.col(name).cast(dtype) for name, dtype in HETEROGENEITY_COLUMNS.items())


def measure_key() -> pl.Expr:
    """Return a word that tells measures apart, ``key``: a list can't be joined on."""
    words = [pl.col(name).fill_null("") for name in MEASURE_COLUMNS if name != "variant"]
    return pl.concat_str([*words, pl.col("variant").list.join("\t").fill_null("")], separator="\n").alias(
        "key"
    )


def _alike(names: pl.DataFrame, k: Numbers, n: Numbers) -> pl.DataFrame:
    return names.with_columns(n_groups=pl.Series((n > 0).sum(axis=1)), p=pl.Series(heterogeneity(k, n)))


def _table(measure: Integers, group: Integers, height: int, n_groups: int) -> Numbers:
    cell = measure.astype(np.int64) * n_groups + group
    return np.bincount(cell, minlength=height * n_groups).reshape(height, n_groups).astype(np.float64)


def _group_counts(shares: Shares, member: Integers, n_groups: int) -> tuple[Numbers, Numbers]:
    group = member[shares.patient]
    kept = group >= 0
    k = _table(shares.measure[kept], group[kept], shares.names.height, n_groups)
    n = np.bincount(member[member >= 0], minlength=n_groups).astype(np.float64)
    return k, np.broadcast_to(n, k.shape)


def _all_counts(shares: Shares, member: Integers, names: Sequence[str]) -> pl.DataFrame:
    """Count everybody, by group and measure; the last group is none."""
    everybody = np.where(member < 0, len(names), member)
    k, n = _group_counts(shares, everybody, len(names) + 1)
    groups = pl.Series("group", [*names, None], dtype=pl.String)
    place = pl.DataFrame({"place": np.arange(k.size)})
    cells = place.select(
        groups.gather(place["place"] % len(groups)),
        *(shares.names[name].gather(place["place"] // len(groups)) for name in MEASURE_COLUMNS),
        n=pl.Series(n.ravel()).cast(pl.Int64),
        k=pl.Series(k.ravel()).cast(pl.Int64),
    )
    return cells.filter(pl.col("group").is_not_null() | (pl.col("n") > 0)).select(*COUNT_COLUMNS)


def _above_median(values: Values, member: Integers, n_groups: int) -> tuple[Numbers, Numbers]:
    group = member[values.patient]
    kept, height = group >= 0, values.names.height
    measure, value, group = values.measure[kept], values.value[kept], group[kept]
    size = np.bincount(measure, minlength=height)
    start = np.cumsum(size) - size
    there = size > 0
    median = np.zeros(height)
    low, high = (start + (size - 1) // 2)[there], (start + size // 2)[there]
    median[there] = (value[low] + value[high]) / 2
    above = value > median[measure]
    return _table(measure[above], group[above], height, n_groups), _table(measure, group, height, n_groups)


def _funnel(
    shares: Shares, member: Integers, stratum: Integers, names: Sequence[str], big: Sequence[int]
) -> pl.DataFrame:
    """Put the groups of enough patients in a funnel for each activity, at the pooled rates of their strata."""
    if not big:
        return pl.DataFrame(schema=FUNNEL_COLUMNS)
    n_strata, n_groups = int(stratum.max(initial=-1)) + 1, len(names)
    nodes = shares.names.filter(kind="activity")
    group = member[shares.patient]
    kept = (group >= 0) & (shares.measure < nodes.height)
    inside = member >= 0
    people = _table(stratum[inside], member[inside], n_strata, n_groups)
    having = _cells(
        shares.measure[kept], group[kept], stratum[shares.patient[kept]], (nodes.height, n_groups, n_strata)
    )
    likely = having.sum(axis=1) / np.maximum(people.sum(axis=1), 1)
    units = np.array(big)
    rows = [
        _funnel_of(row, having[place].sum(axis=1), likely[place], people, units)
        for place, row in enumerate(nodes.iter_rows(named=True))
    ]
    group_name = pl.Series(names, dtype=pl.String).gather(pl.concat(rows)["unit"])
    frame = pl.concat(rows).with_columns(group=group_name)
    conformed = frame.select(pl.col(name).cast(dtype) for name, dtype in FUNNEL_COLUMNS.items())
    return conformed.sort("activity", "group")


def _funnel_of(
    row: Mapping[str, Any], k: Numbers, likely: Numbers, people: Numbers, units: Integers
) -> pl.DataFrame:
    """Return one activity's funnel: rates adjusted by indirect standardisation, limits at their own variance."""
    n, expected = people.sum(axis=0), likely @ people
    variance = (likely * (1 - likely)) @ people
    overall = float(k.sum() / n.sum())
    spread = between_units(k[units], expected[units], variance[units])
    of_rate = overall**2 * variance / np.maximum(expected, 1e-12) ** 2
    adjusted = np.clip(overall * divided(k, expected), 0, 1)
    inner, outer = (funnel_limits(overall, of_rate, spread, level) for level in (0.95, 0.998))
    outside = np.select(
        [(adjusted < outer[0]) | (adjusted > outer[1]), (adjusted < inner[0]) | (adjusted > inner[1])],
        ["99.8", "95"],
        "no",
    )
    arrays = {
        "n": n, "k": k, "rate": k / np.maximum(n, 1), "expected": expected, "adjusted": adjusted,
        "low_95": inner[0], "high_95": inner[1], "low_998": outer[0], "high_998": outer[1], "outside": outside,
    }  # fmt: skip
    said = {name: pl.lit(value, dtype=MEASURE_COLUMNS[name]) for name, value in row.items()}
    columns = {"unit": units} | {name: array[units] for name, array in arrays.items()}
    return pl.DataFrame(columns).with_columns(**said, overall=pl.lit(overall))
