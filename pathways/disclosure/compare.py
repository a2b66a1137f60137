"""Comparisons of groups: what may be said of them beside what the study released of everybody.

The groups of a comparison, with those who are in none, add up to all patients, whose counts are published. So:

- a share needs the threshold of patients with the event and without it, in each group: no rate of 0 or of 100 %;
- only what the study's own ``nodes``, ``edges`` and ``variants`` count is compared: else the groups would add up to it;
- of two groups, a row is shown for both or for none. Which rows can be shown is found with linear programs over all
  that is published: sums over groups, edges inside their steps, exits and entries of a step, variants that add up to
  a group. Every hidden count of few patients, and every difference of nested counts that is one, spans the threshold,
  or as much as it does where nothing of the groups is shown;
- of many groups, only steps are shown, one row a group; each group that is hidden for a step may have any of the
  threshold of counts, given the others and the sum;
- medians need the threshold of patients on each side, their limits too, and are said in whole days; no p-value is said
  of them, which would count the patients above the pooled median. Exit shares, counts of events, never leave.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.stats import binom

from eventlogs.errors import DisclosureRefused
from pathways.definition import Pathway
from pathways.disclosure.policy import (
    POLICY,
    UNFILTERED,
    DisclosurePolicy,
    Origin,
    Released,
    conform,
    released_table,
)
from pathways.disclosure.suppression import FlowSystem, farthest, protect_flows, protect_sum
from pathways.mining.compare import Comparison
from pathways.mining.kernels import END, START
from pathways.mining.measures import MEASURE_COLUMNS

Flags = NDArray[np.bool_]
Integers = NDArray[np.int64]
Key = tuple[str, ...]
"""A measure of patients: ``(activity, name)``, ``(edge, source, target)``, ``(variant, name, ...)``."""

SIDES = ("n_a", "k_a", "value_a", "n_b", "k_b", "value_b")

CONTRAST_COLUMNS: dict[str, Any] = {
    "rank": pl.Int64,
    "unit": pl.String,
    "group": pl.String,
    "other": pl.String,
    **MEASURE_COLUMNS,
    **{name: pl.Float64 if name.startswith("value") else pl.Int64 for name in SIDES},
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "q": pl.Float64,
    "standardised": pl.Float64,
    "standardised_low": pl.Float64,
    "standardised_high": pl.Float64,
    "significant": pl.Boolean,
}
DELTA_COLUMNS: dict[str, Any] = {
    "share_a": pl.Float64,
    "share_b": pl.Float64,
    "difference": pl.Float64,
    "delta": pl.Float64,
    "significant": pl.Boolean,
}
CONTRAST_NODE_COLUMNS: dict[str, Any] = {
    "level": pl.String,
    "activity": pl.String,
    "label_fr": pl.String,
    "label_en": pl.String,
    **DELTA_COLUMNS,
}
CONTRAST_EDGE_COLUMNS: dict[str, Any] = {
    "level": pl.String,
    "source": pl.String,
    "target": pl.String,
    **DELTA_COLUMNS,
}
RELEASED_FUNNEL_COLUMNS: dict[str, Any] = {
    "group": pl.String,
    "activity": pl.String,
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

BESIDE_COLUMNS: dict[str, Any] = {
    "group": pl.String,
    "key": pl.String,
    "k": pl.Int64,
    "n": pl.Int64,
    "same": pl.Boolean,
}
"""What was released of sets that contain a group, are part of it, or are it (``same``): ``k`` of ``n`` patients.

``key`` is the words of the measure (`key_of`) with tabs between; null: of any measure. A null ``k`` was hidden.
"""

EVERYBODY: Key = ("all",)
"""The key of a group's own size."""


def release_contrast(
    comparison: Comparison,
    done: Mapping[str, Released],
    *,
    pathway: Pathway | None = None,
    beside: pl.DataFrame | None = None,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> list[Released]:
    """Release a comparison.

    Parameters
    ----------
    comparison : Comparison
        From `pathways.mining.compare.compare`, of the log whose map was released.
    done : mapping of str to Released
        The study's ``nodes``, ``edges`` and ``variants``.
    pathway : Pathway, optional
        Variants are compared where it has milestones: whole sequences of activities are parts of steps and edges.
    beside : polars.DataFrame, optional
        `BESIDE_COLUMNS`: what is known already of sets that contain a group or are part of it.

    Returns
    -------
    list of Released
        ``contrast`` (`CONTRAST_COLUMNS`); with two groups ``contrast_nodes`` and ``contrast_edges``, for a difference
        map (``delta`` is null where the difference is not significant); with more ``funnel``.

    Raises
    ------
    DisclosureRefused
        A group, or who is in none, has fewer patients than the threshold, or nothing of it can be protected.
    """
    counted = _sets(comparison, done, pathway, policy)
    near = _near(pl.DataFrame(schema=BESIDE_COLUMNS) if beside is None else beside)
    many = comparison.groups.height > 2
    shown = _shown_of_many(counted, near, policy) if many else _shown_of_two(counted, near, policy)
    rows = _rows(comparison, shown, policy)
    tables = {"contrast": (rows, CONTRAST_COLUMNS)}
    if many:
        tables["funnel"] = (_funnel(comparison, shown), RELEASED_FUNNEL_COLUMNS)
    else:
        tables["contrast_nodes"] = (_delta(rows, "activity", done["nodes"]), CONTRAST_NODE_COLUMNS)
        tables["contrast_edges"] = (_delta(rows, "edge", done["edges"]), CONTRAST_EDGE_COLUMNS)
    meta = {
        "numerator": "patients of a group with the step, on the edge, or on the variant",
        "denominator": "patients of the group with at least one event",
        "suppressed": comparison.differences.height - rows.height,
        "rounded": "days to whole days, shares to 4 decimals",
    }
    return [
        released_table(name, conform(frame, columns), policy, origin, **meta)
        for name, (frame, columns) in tables.items()
    ]


@dataclass(frozen=True)
class _Sets:
    """Patients by measure and group. ``k[m, g]`` of ``n[g]``; the last ``n_groups - n_named`` groups are nobody's.

    ``pairs``: how many pairs (patient, edge) of each edge that is not among the keys, for what leaves a step otherwise.
    """

    keys: list[Key]
    groups: list[str]
    k: Integers = field(repr=False)
    n: Integers = field(repr=False)
    comparable: Flags = field(repr=False)
    unpublished: Mapping[Key, Integers] = field(repr=False)
    alone: Mapping[str, str] = field(repr=False)

    @property
    def left_out(self) -> bool:
        """Whether the last group is who is in none."""
        return len(self.n) > len(self.groups)


def _sets(
    comparison: Comparison, done: Mapping[str, Released], pathway: Pathway | None, policy: DisclosurePolicy
) -> _Sets:
    """Take what the study published from the counts; what else there is of edges is kept apart."""
    published = _published(done, pathway)
    groups = comparison.groups["group"].to_list()
    place = {name: i for i, name in enumerate([*groups, None])}
    width = len(groups) + int(comparison.counts["group"].null_count() > 0)
    counts: dict[Key, Integers] = {}
    sizes = np.zeros(width, dtype=np.int64)
    for row in comparison.counts.iter_rows(named=True):
        cell = counts.setdefault(key_of(row), np.zeros(width, dtype=np.int64))
        cell[place[row["group"]]] = row["k"]
        sizes[place[row["group"]]] = row["n"]
    keys = [key for key in counts if key in published]
    return _Sets(
        keys=keys,
        groups=groups,
        k=np.array([counts[key] for key in keys], dtype=np.int64).reshape(len(keys), width),
        n=sizes,
        comparable=_comparable(comparison, keys, groups),
        unpublished={key: cell for key, cell in counts.items() if key not in published and key[0] == "edge"},
        alone=_alone(pathway, [key[1] for key in counts if key[0] == "activity"]),
    )


def _comparable(comparison: Comparison, keys: Sequence[Key], groups: Sequence[str]) -> Flags:
    """Say which cells the comparison speaks of; of two groups, a row of the first speaks of both."""
    shares = comparison.differences.filter(measure="share").iter_rows(named=True)
    said = {(row["group"], key_of(row)) for row in shares}
    first = groups[0] if len(groups) == 2 else None
    rows = [[(first or name, key) in said for name in groups] for key in keys]
    return np.array(rows, dtype=np.bool_).reshape(len(keys), len(groups))


def key_of(row: Mapping[str, Any]) -> Key:
    """Return the measure of patients that a row is of."""
    names = {"activity": ["activity"], "edge": ["source", "target"]}.get(row["kind"])
    words = row["variant"] or [] if names is None else [row[name] for name in names]
    return (row["kind"], *words)


def _published(done: Mapping[str, Released], pathway: Pathway | None) -> set[Key]:
    """Return the measures whose count of all patients is published."""
    counted = pl.col("n_patients").is_not_null()
    nodes = done["nodes"].frame.filter(counted, pl.col("level") == "activity")["activity"]
    edges = done["edges"].frame.filter(counted, pl.col("level") == "activity").select("source", "target")
    keys: set[Key] = {("activity", name) for name in nodes} | {("edge", *pair) for pair in edges.rows()}
    if pathway is not None and pathway.milestones and "variants" in done:
        listed = done["variants"].frame.filter(
            pl.col("level") == "milestone", pl.col("variant").list.len() > 0
        )
        keys |= {("variant", *words) for words in listed["variant"].to_list()}
    return keys


def _alone(pathway: Pathway | None, activities: Sequence[str]) -> dict[str, str]:
    """Return the only activity of each milestone that has one only: its patients are those of the variants."""
    if pathway is None:
        return {}
    phases = pathway.phase_of()
    inside = {one: [name for name in activities if phases.get(name) == one] for one in pathway.milestones}
    return {phase: names[0] for phase, names in inside.items() if len(names) == 1}


@dataclass(frozen=True)
class _Near:
    """What is known of sets that contain a group or are part of it, by group and key: (k, n, same)."""

    rows: Mapping[tuple[str, str | None], list[tuple[int | None, int | None, bool]]]

    def of(self, group: str, key: Key) -> list[tuple[int | None, int | None, bool]]:
        """Return what is known of a cell."""
        return [*self.rows.get((group, "\t".join(key)), []), *self.rows.get((group, None), [])]

    def forbids(self, group: str, key: Key, count: int, size: int, policy: DisclosurePolicy) -> bool:
        """Say whether a count was hidden, or differs by a few from one that is known, with the event or without it.

        What was told of the very group may be told again.
        """
        if self.knows(group, key):
            return False
        for k, n, _ in self.of(group, key):
            gaps = [] if k is None else [abs(count - k)]
            gaps += [] if k is None or n is None else [abs(abs(size - n) - abs(count - k))]
            if k is None or any(0 < gap < policy.threshold for gap in gaps):
                return True
        return False

    def knows(self, group: str, key: Key) -> bool:
        """Say whether the very count is known."""
        return any(same and k is not None for k, _, same in self.of(group, key))


def _near(beside: pl.DataFrame) -> _Near:
    rows: dict[tuple[str, str | None], list[tuple[int | None, int | None, bool]]] = {}
    for group, key, k, n, same in beside.select(*BESIDE_COLUMNS).rows():
        rows.setdefault((group, key), []).append((k, n, same))
    return _Near(rows)


def _known_cells(counted: _Sets, near: _Near) -> Flags:
    """Return the cells of named groups that were released before: they can't be hidden."""
    known = [[near.knows(name, key) for name in counted.groups] for key in counted.keys]
    return np.array(known, dtype=np.bool_).reshape(len(counted.keys), len(counted.groups))


def _shown_of_two(counted: _Sets, near: _Near, policy: DisclosurePolicy) -> set[tuple[str, Key]]:
    """Return the measures of two groups that can be shown: a row of A stands for both."""
    _check_sizes(counted, near, policy)
    for kinds in (("activity", "edge", "variant"), ("activity", "variant"), ("activity",)):
        kept = np.array([key[0] in kinds for key in counted.keys], dtype=np.bool_)
        try:
            shown = _protected_rows(_subset(counted, kept), near, policy)
        except DisclosureRefused:
            continue
        return {(counted.groups[0], key) for key in shown}
    raise DisclosureRefused(
        "no row of this comparison can be protected beside what the study released; compare larger groups"
    )


def _check_sizes(counted: _Sets, near: _Near, policy: DisclosurePolicy) -> None:
    sizes = dict(zip(counted.groups, counted.n.tolist(), strict=False))
    few = any(size < policy.threshold for size in counted.n.tolist() if size)
    if few or any(near.forbids(name, EVERYBODY, size, size, policy) for name, size in sizes.items()):
        raise DisclosureRefused(
            "the size of a group, of who is in none, or its difference to what was released before, is below the "
            f"threshold of {policy.threshold} patients; compare groups that leave out nobody or more"
        )


def _subset(counted: _Sets, kept: Flags) -> _Sets:
    """Keep some measures; edges that are not kept still leave their steps."""
    dropped = {
        key: counted.k[row] for row, key in enumerate(counted.keys) if not kept[row] and key[0] == "edge"
    }
    return _Sets(
        keys=[key for row, key in enumerate(counted.keys) if kept[row]],
        groups=counted.groups,
        k=counted.k[kept],
        n=counted.n,
        comparable=counted.comparable[kept],
        unpublished={**counted.unpublished, **dropped},
        alone=counted.alone,
    )


def _small_cells(counted: _Sets, near: _Near, policy: DisclosurePolicy) -> Flags:
    """Return the cells of named groups that must not be shown for their own sake.

    Where one of two groups that hold everybody was told before, so was the other.
    """
    named = len(counted.groups)
    k, n = counted.k[:, :named], counted.n[:named]
    small = (k < policy.threshold) | (n - k < policy.threshold) | ~counted.comparable
    known = _known_cells(counted, near)
    derived = known[:, ::-1] if named == 2 and not counted.left_out else np.zeros_like(known)
    for row, place in zip(*np.nonzero(~derived), strict=True):
        key, name = counted.keys[row], counted.groups[place]
        small[row, place] |= near.forbids(name, key, int(k[row, place]), int(n[place]), policy)
    return small


def _protected_rows(counted: _Sets, near: _Near, policy: DisclosurePolicy) -> list[Key]:
    small = np.asarray(_small_cells(counted, near, policy).any(axis=1))
    cells = _Cells.of(counted, small, _known_cells(counted, near), policy)
    system = cells.system()
    reach = farthest(system, policy.threshold)
    hidden = protect_flows(system, cells.hidden(), policy.threshold, reach)
    gone = cells.rows_hidden(hidden, len(counted.keys))
    return [key for key, absent in zip(counted.keys, gone, strict=True) if not absent]


@dataclass
class _Cells:
    """Cells of a linear system, collected one after the other; ``row`` is the measure of a cell that may be shown."""

    values: list[int] = field(default_factory=list)
    watched: list[bool] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    is_hidden: list[bool] = field(default_factory=list)
    fixed: list[bool] = field(default_factory=list)
    sums: list[dict[int, float]] = field(default_factory=list)

    @classmethod
    def of(cls, counted: _Sets, small: Flags, known: Flags, policy: DisclosurePolicy) -> _Cells:
        """Write all that is known of the counts: cells, and sums of cells that are 0."""
        cells, width = cls(), len(counted.n)
        index: dict[tuple[Key, int], int] = {}
        for row, key in enumerate(counted.keys):
            for group in range(width):
                named = group < len(counted.groups)
                value = int(counted.k[row, group])
                place = cells.add(
                    value, policy, row=row if named else -1, hidden=bool(small[row]) or not named
                )
                cells.fixed[place] = named and bool(known[row, group])
                index[key, group] = place
            cells.sums.append({index[key, group]: 1.0 for group in range(width)})
        for group in range(width):
            cells.complements(counted, index, group, policy)
            cells.nested(counted, index, group, policy)
            cells.variants(counted, index, group, policy)
        for step, side in _steps_and_sides(counted):
            cells.partition(counted, index, (step, side), policy)
        return cells

    def add(self, value: int, policy: DisclosurePolicy, *, row: int = -1, hidden: bool = True) -> int:
        """Add a cell; one of few patients is watched: while it is hidden, it must span the threshold."""
        self.values.append(value)
        self.watched.append(0 < value < policy.threshold)
        self.row.append(row)
        self.is_hidden.append(hidden)
        self.fixed.append(False)
        return len(self.values) - 1

    def less(self, whole: int | None, parts: Iterable[int], value: int, policy: DisclosurePolicy) -> int:
        """Add the cell of a whole without its parts (a constant whole is None)."""
        place = self.add(value, policy)
        terms = {place: 1.0, **dict.fromkeys(parts, 1.0)}
        self.sums.append(terms if whole is None else {**terms, whole: -1.0})
        return place

    def complements(
        self, counted: _Sets, index: Mapping[tuple[Key, int], int], group: int, policy: DisclosurePolicy
    ) -> None:
        """Nobody beyond the group's own patients has anything."""
        for row, key in enumerate(counted.keys):
            rest = int(counted.n[group] - counted.k[row, group])
            self.less(None, [index[key, group]], rest, policy)

    def nested(
        self, counted: _Sets, index: Mapping[tuple[Key, int], int], group: int, policy: DisclosurePolicy
    ) -> None:
        """Who takes an edge has its steps."""
        for key in counted.keys:
            for step in key[1:] if key[0] == "edge" else ():
                whole, part = index.get((("activity", step), group)), index[key, group]
                if whole is not None:
                    self.less(whole, [part], self.values[whole] - self.values[part], policy)

    def variants(
        self, counted: _Sets, index: Mapping[tuple[Key, int], int], group: int, policy: DisclosurePolicy
    ) -> None:
        """Variants share out the group, and those with a milestone of one activity the patients of this activity."""
        listed = [key for key in counted.keys if key[0] == "variant"]
        if not listed:
            return
        parts = [index[key, group] for key in listed]
        rest = self.less(
            None, parts, int(counted.n[group]) - sum(self.values[part] for part in parts), policy
        )
        for phase, activity in counted.alone.items():
            whole = index.get((("activity", activity), group))
            if whole is not None:
                inside = [index[key, group] for key in listed if phase in key[1:]]
                left = self.values[whole] - sum(self.values[part] for part in inside)
                other = self.less(whole, inside, left, policy)
                self.less(rest, [other], self.values[rest] - left, policy)

    def partition(
        self,
        counted: _Sets,
        index: Mapping[tuple[Key, int], int],
        at: tuple[str, int],
        policy: DisclosurePolicy,
    ) -> None:
        """Who has a step leaves it by an edge or more, and came by one or more; how many more is known of all."""
        step, side = at
        inside = [key for key in counted.keys if key[0] == "edge" and key[side] == step]
        others = sum(
            (cell for key, cell in counted.unpublished.items() if key[side] == step),
            np.zeros(len(counted.n), np.int64),
        )
        over_groups: tuple[dict[int, float], dict[int, float]] = ({}, {})
        for group in range(len(counted.n)):
            whole = index.get((("activity", step), group))
            parts = [index[key, group] for key in inside]
            size = int(counted.n[group]) if whole is None else self.values[whole]
            other = self.add(int(others[group]), policy)
            more = self.add(sum(self.values[part] for part in parts) + int(others[group]) - size, policy)
            self.watched[more] = False
            terms = {**dict.fromkeys(parts, 1.0), other: 1.0, more: -1.0}
            self.sums.append(terms if whole is None else {**terms, whole: -1.0})
            over_groups[0][other], over_groups[1][more] = 1.0, 1.0
        self.sums.extend(over_groups)

    def _order(self) -> Integers:
        return np.argsort(~np.array(self.watched, dtype=np.bool_), kind="stable")

    def hidden(self) -> Flags:
        """Return which cells are hidden, the watched ones first."""
        return np.array(self.is_hidden, dtype=np.bool_)[self._order()]

    def system(self) -> FlowSystem:
        """Return the constraints, the watched cells first; it costs least to hide what few patients have."""
        order = self._order()
        number = np.argsort(order)
        values = np.array(self.values, dtype=np.float64)[order]
        fixed = np.array(self.fixed, dtype=np.bool_)[order]
        rows = np.repeat(np.arange(len(self.sums)), [len(row) for row in self.sums])
        columns = number[[cell for row in self.sums for cell in row]]
        factors = np.array([factor for row in self.sums for factor in row.values()])
        return FlowSystem(
            equal=csr_array((factors, (rows, columns)), shape=(len(self.sums), len(values))),
            least=csr_array((0, len(values)), dtype=np.float64),
            room=np.zeros(0),
            down=np.where(fixed, 0, values),
            up=np.where(fixed, 0, np.inf),
            cost=values + 1,
            n_edges=int(np.sum(self.watched)),
        )

    def rows_hidden(self, hidden: Flags, n_rows: int) -> Flags:
        """Return the measures of which a group is hidden."""
        row = np.array(self.row, dtype=np.int64)[self._order()]
        gone = np.zeros(n_rows, dtype=np.bool_)
        gone[row[hidden & (row >= 0)]] = True
        return gone


def _steps_and_sides(counted: _Sets) -> list[tuple[str, int]]:
    """Return each step that is counted with the side of its edges: 1 where it is the source, 2 the target."""
    edges = any(key[0] == "edge" for key in counted.keys)
    steps = [key[1] for key in counted.keys if key[0] == "activity"]
    return [(START, 1), (END, 2), *((step, side) for step in steps for side in (1, 2))] if edges else []


def _shown_of_many(counted: _Sets, near: _Near, policy: DisclosurePolicy) -> set[tuple[str, Key]]:
    """Return the groups that can be shown for each step."""
    sizes = counted.n
    apart = [
        near.forbids(name, EVERYBODY, int(sizes[i]), int(sizes[i]), policy)
        for i, name in enumerate(counted.groups)
    ]
    small_group = (sizes < policy.threshold) & (sizes > 0)
    small_group[: len(apart)] |= apart
    gone = protect_sum(sizes, small_group, policy.threshold)
    small, known = _small_cells(counted, near, policy), _known_cells(counted, near)
    shown: set[tuple[str, Key]] = set()
    for row, key in enumerate(counted.keys):
        if key[0] == "activity":
            hidden = gone.copy()
            hidden[: len(counted.groups)] |= small[row]
            hidden |= (counted.k[row] > 0) & (counted.k[row] < policy.threshold)
            told = np.append(known[row], [False] * int(counted.left_out)).astype(np.bool_)
            hidden |= _protect_step(counted.k[row], sizes, hidden, told, policy.threshold)
            shown |= {(name, key) for name, absent in zip(counted.groups, hidden, strict=False) if not absent}
    return shown


def _protect_step(k: Integers, n: Integers, hidden: Flags, told: Flags, width: int) -> Flags:
    """Hide the smallest groups until each hidden one may have any of enough counts, given the others and the sum.

    What was told before can't be hidden.
    """
    unknown = hidden & ~told
    for group in np.argsort(n, kind="stable"):
        if _wide_enough(k[unknown], n[unknown], width):
            break
        unknown[group] = not told[group]
    return unknown


def _wide_enough(k: Integers, n: Integers, width: int) -> bool:
    """Say whether counts of known sum and sizes can each be `width` apart: bounds of Fréchet."""
    known = n > 0
    if not known.any():
        return True
    highest = np.minimum(n, k.sum())[known]
    lowest = np.maximum(0, k.sum() - (n.sum() - n))[known]
    return int(known.sum()) > 1 and bool((highest - lowest >= np.minimum(width, n[known])).all())


def _rows(comparison: Comparison, shown: set[tuple[str, Key]], policy: DisclosurePolicy) -> pl.DataFrame:
    """Keep the rows of what is shown, with medians guarded and all rounded."""
    keys = [(row["group"], key_of(row)) for row in comparison.differences.iter_rows(named=True)]
    whole = pl.Series([key[1] == ("case",) for key in keys], dtype=pl.Boolean)
    listed = pl.Series([key in shown for key in keys], dtype=pl.Boolean) | whole
    two = comparison.groups.height == 2 or not whole.any()
    kept = comparison.differences.filter(
        listed if two else listed & ~whole, (pl.col("unit") == "share") | _enough(0, policy)
    ).filter(pl.col("unit") != "exits")
    days = pl.col("unit") == "days"
    shares = [name for name in ("value_a", "value_b", "difference", "low", "high") if name]
    standard = [name for name in CONTRAST_COLUMNS if name.startswith("standardised")]
    guarded = kept.with_columns(
        *(pl.when(~days | _enough(1, policy)).then(name).alias(name) for name in ("low", "high")),
        *(
            pl.when(~days).then(name).alias(name)
            for name in ("p", "q", "standardised_low", "standardised_high")
        ),
        standardised=pl.when(~days | _enough(1, policy)).then("standardised"),
    )
    return guarded.with_columns(
        pl.when(days).then(pl.col(name).round()).otherwise(pl.col(name).round(4)).alias(name)
        for name in (*shares, *standard)
    )


def _enough(limits: int, policy: DisclosurePolicy) -> pl.Expr:
    """Say whether both medians have the threshold of patients on each side, or also outside of their limits."""
    least = 2 * policy.threshold
    while limits and binom.ppf(0.025, least, 0.5) < policy.threshold:
        least += 1
    return pl.min_horizontal("n_a", "n_b") >= least


def _delta(rows: pl.DataFrame, kind: str, table: Released) -> pl.DataFrame:
    """Return the shares of one kind, in the order of the study's map, with what a difference map draws."""
    shares = rows.filter(kind=kind, measure="share").select(
        *(["activity"] if kind == "activity" else ["source", "target"]),
        "difference",
        "significant",
        share_a="value_a",
        share_b="value_b",
        delta=pl.when("significant").then("difference"),
    )
    keys = ["activity"] if kind == "activity" else ["source", "target"]
    drawn = table.frame.filter(level="activity").select("level", *keys, *_labels(table))
    return drawn.join(shares, on=keys, how="inner", maintain_order="left")


def _labels(table: Released) -> list[str]:
    return [name for name in ("label_fr", "label_en") if name in table.frame.columns]


def _funnel(comparison: Comparison, shown: set[tuple[str, Key]]) -> pl.DataFrame:
    keys = [(row["group"], key_of(row)) for row in comparison.funnel.iter_rows(named=True)]
    kept = comparison.funnel.filter(pl.Series([key in shown for key in keys], dtype=pl.Boolean))
    places = {"expected": 1} | dict.fromkeys(
        ("rate", "adjusted", "overall", "low_95", "high_95", "low_998", "high_998"), 3
    )
    return kept.with_columns(pl.col(name).round(digits) for name, digits in places.items())
