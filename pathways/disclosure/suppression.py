"""Protecting small numbers against arithmetic: flows, sums, nested counts. Pure functions on small arrays.

The attacker knows every published number, how the numbers add up, and which cells are hidden. A hidden cell is
protected when the values that fit all this span at least a given width.

References
----------
Suppression by linear programming: Fischetti and Salazar-González, *Solving the cell suppression problem on tabular
data with linear constraints*, Management Science 47(7), 2001; on networks: Kelly, Golden and Assad, *Cell
suppression: disclosure protection for sensitive tabular data*, Networks 22, 1992.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack

from eventlogs.errors import DisclosureRefused
from pathways.mining.kernels import END, START

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

TOLERANCE = 1e-6
"""What the linear programs may be off by, in patients."""


@dataclass(frozen=True)
class FlowLevel:
    """One level of a map, as what would be published of it.

    Parameters
    ----------
    edges : polars.DataFrame
        ``source``, ``target``, ``n_events``, ``n_patients``, with the edges from ``▶`` and to ``■``.
    nodes : polars.DataFrame
        ``activity``, ``at_least``, ``at_most``: what is published of the patients of a node.
    total_between : (int, int) or None
        Between what the level's total flow is known to be from elsewhere; None: it is known nowhere.
    groups : mapping of str to str
        Node of this level by node of the finest; a node that it does not name is the same at both.
    collapsed : bool
        Runs of one node are written once: the level has no edge from a node to itself.
    """

    edges: pl.DataFrame
    nodes: pl.DataFrame
    total_between: tuple[int, int] | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    collapsed: bool = True


@dataclass(frozen=True)
class FlowSystem:
    """What can be known of flows, as linear constraints on the deviation ``d`` of each cell from its true value.

    Cells are the edges of each level in turn, then each level's total. ``equal @ d = 0``: balance at each node,
    sums over levels, totals. ``least @ d <= room``: a node has at least one event a patient, and no more patients
    start or end in it than it has. ``-down <= d <= up`` for a hidden cell; ``d`` is 0 for a published one.
    """

    equal: csr_array
    least: csr_array
    room: Numbers
    down: Numbers
    up: Numbers
    cost: Numbers
    n_edges: int

    def holding(self, fixed: Flags) -> FlowSystem:
        """Return the system in which these cells can't be hidden."""
        return replace(self, down=np.where(fixed, 0, self.down), up=np.where(fixed, 0, self.up))

    def push(self, hidden: Flags, direction: Numbers) -> Numbers:
        """Return the deviation farthest in `direction` among those that fit everything published."""
        limits = np.where(hidden, self.up, 0), np.where(hidden, self.down, 0)
        found = self._solve(-direction, direction, *limits)
        if found is None:
            raise DisclosureRefused("the flows of a map contradict each other; build its levels from one log")
        return found[0]

    def widen(self, hidden: Flags, cell: int, by: float) -> tuple[float, Numbers] | None:
        """Return the cost and the deviation that moves `cell` `by` so much and as few published cells as it can.

        None where no choice of cells allows it.
        """
        if -by > self.down[cell]:
            return None
        cost = np.where(hidden, 0, self.cost)
        up, down = self.up.copy(), self.down.copy()
        up[cell], down[cell] = max(by, 0), max(-by, 0)
        found = self._solve(cost, cost, up, down, fixed=(cell, by))
        return None if found is None else (found[1], found[0])

    def _solve(
        self,
        cost_up: Numbers,
        cost_down: Numbers,
        up: Numbers,
        down: Numbers,
        fixed: tuple[int, float] = (0, 0.0),
    ) -> tuple[Numbers, float] | None:
        """Minimise the cost of ``d = plus - minus``; None where nothing fits."""
        n = len(self.down)
        cell, by = fixed
        lowest = np.zeros(2 * n)
        lowest[cell if by >= 0 else n + cell] = abs(by)
        solution = linprog(
            np.concatenate([cost_up, cost_down]),
            A_ub=hstack([self.least, -self.least], format="csr"),
            b_ub=self.room,
            A_eq=hstack([self.equal, -self.equal], format="csr"),
            b_eq=np.zeros(self.equal.shape[0]),
            bounds=np.column_stack([lowest, np.concatenate([up, down])]),
            method="highs",
        )
        if solution.x is None:
            return None
        return solution.x[:n] - solution.x[n:], float(solution.fun)


Row = dict[int, float]
"""A linear form: coefficient by cell."""


def flow_system(levels: Sequence[FlowLevel]) -> FlowSystem:
    """Write the constraints of a map, of one level or more.

    Parameters
    ----------
    levels : sequence of FlowLevel
        The finest first; edges of the others are sums of its edges between their groups.

    Raises
    ------
    DisclosureRefused
        The levels do not add up.
    """
    keys = [
        (i, s, t) for i, level in enumerate(levels) for s, t in level.edges.select("source", "target").rows()
    ]
    flow = np.concatenate([level.edges["n_events"].to_numpy() for level in levels]).astype(np.float64)
    index = {key: cell for cell, key in enumerate(keys)}
    sums = [*_balance(keys), *_links(index, levels)]
    if np.any(_matrix(sums, len(keys)) @ flow):
        raise DisclosureRefused("the levels of a map do not add up; build them from one log")
    starts = {cell: 1.0 for (i, source, _), cell in index.items() if i == 0 and source == START}
    equal = [*sums, starts, *_totals(keys, len(levels))]
    least, room = _node_bounds(levels, keys, flow)
    totals = [_total_limits(level) for level in levels]
    patients = np.concatenate([level.edges["n_patients"].to_numpy() for level in levels]).astype(np.float64)
    return FlowSystem(
        equal=_matrix(equal, len(keys) + len(levels)),
        least=_matrix(least, len(keys) + len(levels)),
        room=room,
        down=np.append(flow, [down for down, _ in totals]),
        up=np.append(np.full(len(keys), np.inf), [up for _, up in totals]),
        cost=np.append(patients, [float(patients.max(initial=1))] * len(levels)),
        n_edges=len(keys),
    )


def _matrix(rows: Sequence[Row], width: int) -> csr_array:
    values = [value for row in rows for value in row.values()]
    places = [cell for row in rows for cell in row]
    numbers = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    return csr_array((np.array(values, dtype=np.float64), (numbers, places)), shape=(len(rows), width))


def _balance(keys: Sequence[tuple[int, str, str]]) -> list[Row]:
    """What enters a node of the first level leaves it."""
    rows: dict[str, Row] = {}
    for cell, (i, source, target) in enumerate(keys):
        if i == 0 and source != target:
            rows.setdefault(target, {})[cell] = 1.0
            rows.setdefault(source, {})[cell] = -1.0
    return [row for node, row in rows.items() if node not in (START, END)]


def _links(index: Mapping[tuple[int, str, str], int], levels: Sequence[FlowLevel]) -> list[Row]:
    """An edge of a coarser level is the sum of the finest edges between its groups."""
    rows: dict[tuple[int, str, str], Row] = {key: {cell: -1.0} for key, cell in index.items() if key[0] > 0}
    for (i, source, target), cell in index.items():
        for number, level in enumerate(levels[1:], start=1) if i == 0 else ():
            pair = (level.groups.get(source, source), level.groups.get(target, target))
            if pair[0] != pair[1] or not level.collapsed:
                rows.setdefault((number, *pair), {})[cell] = 1.0
    return list(rows.values())


def _totals(keys: Sequence[tuple[int, str, str]], n_levels: int) -> list[Row]:
    """A level's total is the sum of its edges; its cell comes after all edges."""
    rows: list[Row] = [{len(keys) + level: -1.0} for level in range(n_levels)]
    for cell, (i, _, _) in enumerate(keys):
        rows[i][cell] = 1.0
    return rows


def _total_limits(level: FlowLevel) -> tuple[float, float]:
    """How far a hidden total may be below and above."""
    total = int(level.edges["n_events"].sum())
    low, high = level.total_between or (0, np.inf)
    return float(total - low), float(high - total)


def nearest(number: int, step: int) -> int:
    """Round to a multiple of `step`, halves up."""
    return (2 * number + step) // (2 * step) * step


def _node_bounds(
    levels: Sequence[FlowLevel], keys: Sequence[tuple[int, str, str]], flow: Numbers
) -> tuple[list[Row], Numbers]:
    """A node has at least one event a patient, and at most its patients start there, or end, whatever the outcome."""
    patients = {(i, name): limits for i, level in enumerate(levels) for name, *limits in level.nodes.rows()}
    into: dict[tuple[int, str], Row] = {node: {} for node in patients}
    terminals: dict[tuple[str, tuple[int, str]], Row] = {}
    for cell, (i, source, target) in enumerate(keys):
        if (i, target) in into:
            into[i, target][cell] = -1.0
        if source == START and (i, target) in patients:
            terminals.setdefault((START, (i, target)), {})[cell] = 1.0
        if target.startswith(END) and (i, source) in patients:
            terminals.setdefault((END, (i, source)), {})[cell] = 1.0
    room = [sum(flow[cell] for cell in row) - patients[node][0] for node, row in into.items()]
    room += [patients[node][1] - sum(flow[cell] for cell in row) for (_, node), row in terminals.items()]
    return [*into.values(), *terminals.values()], np.array(room, dtype=np.float64)


def protect_flows(
    system: FlowSystem, hidden: Flags, width: int, reach: tuple[Numbers, Numbers] | None = None
) -> Flags:
    """Hide more until the flows of every hidden edge span at least `width`.

    Feasible deviations are kept: one point often shows that many edges are wide enough, so that few of the
    linear programs of an exhaustive audit are solved.

    Parameters
    ----------
    system : FlowSystem
        Constraints.
    hidden : array of bool
        Cells that are hidden for their own sake.
    width : int
        Least span of the values that fit what is published.
    reach : (array of float, array of float), optional
        How far down and up each cell can go where all is hidden (`farthest`), if that may be less than `width`.

    Returns
    -------
    array of bool
        Cells to hide, those given among them.

    Raises
    ------
    DisclosureRefused
        No choice of cells protects an edge.
    """
    low, high = _explore(system, hidden)
    least, most = reach or (np.full(len(low), -np.inf), np.full(len(low), np.inf))
    wanted = np.minimum(most - least, width)
    while (narrow := _narrow(system, hidden, low, high, wanted)).size:
        cell = int(narrow[np.argmax(system.down[narrow])])
        low, high = _stretch(system, hidden, cell, low, high)
        if high[cell] - low[cell] < wanted[cell] - TOLERANCE:
            ends = min(low[cell] + wanted[cell], most[cell]), max(high[cell] - wanted[cell], least[cell])
            ways = [by for by in ends if not low[cell] - TOLERANCE < by < high[cell] + TOLERANCE]
            point = _cheapest(system, hidden, cell, ways)
            hidden = hidden | (np.abs(point) > TOLERANCE)
            low, high = _seen(low, high, point)
    return hidden


def farthest(system: FlowSystem, width: int) -> tuple[Numbers, Numbers]:
    """Return how far down and up each audited cell can go where every cell is hidden: no hiding can give it more.

    Exact where the span is less than `width`; else any two points that far apart.
    """
    hidden = np.ones(len(system.down), dtype=np.bool_)
    low, high = _explore(system, hidden)
    for cell in _narrow(system, hidden, low, high, np.full(len(low), float(width))):
        if high[cell] - low[cell] < width - TOLERANCE:
            low, high = _stretch(system, hidden, int(cell), low, high)
    return low, high


def _stretch(
    system: FlowSystem, hidden: Flags, cell: int, low: Numbers, high: Numbers
) -> tuple[Numbers, Numbers]:
    """Go as far as one cell can, up and down."""
    for sign in (1.0, -1.0):
        direction = np.zeros(len(low))
        direction[cell] = sign
        low, high = _seen(low, high, system.push(hidden, direction))
    return low, high


def _explore(system: FlowSystem, hidden: Flags) -> tuple[Numbers, Numbers]:
    """Go far in a few mixed directions first: most hidden edges turn out wide enough."""
    low = high = np.zeros(len(system.down))
    rng = np.random.default_rng(0)
    for _ in range(8):
        point = system.push(hidden, np.where(hidden, rng.normal(size=len(low)), 0))
        low, high = _seen(low, high, point)
    return low, high


def _seen(low: Numbers, high: Numbers, point: Numbers) -> tuple[Numbers, Numbers]:
    return np.minimum(low, point), np.maximum(high, point)


def _narrow(
    system: FlowSystem, hidden: Flags, low: Numbers, high: Numbers, width: Numbers
) -> NDArray[np.int64]:
    is_edge = np.arange(len(low)) < system.n_edges
    return np.flatnonzero(hidden & is_edge & (high - low < width - TOLERANCE))


def _cheapest(system: FlowSystem, hidden: Flags, cell: int, ways: Iterable[float]) -> Numbers:
    """Move one edge far enough upwards or downwards, whichever hides less."""
    choices = [choice for by in ways if (choice := system.widen(hidden, cell, by)) is not None]
    if not choices:
        raise DisclosureRefused(
            "a flow of fewer patients than the threshold could be computed from the rest of the map; "
            "release a coarser level or more patients"
        )
    return min(choices, key=lambda choice: choice[0])[1]


def protect_sum(
    counts: NDArray[np.int64], hidden: Flags, width: int, order: Iterable[int] | None = None
) -> Flags:
    """Hide more of some counts whose sum is known, until each hidden one spans at least `width`.

    Zeros say nothing of anybody and stay.

    Parameters
    ----------
    counts : array of int
        Counts of 0 or more.
    hidden : array of bool
        Counts that are hidden for their own sake.
    width : int
        Least span.
    order : iterable of int, optional
        Which counts to hide first, by their place; default: the smallest.

    Returns
    -------
    array of bool
        Counts to hide; every count but the zeros where nothing less is enough.
    """
    hidden = hidden.copy()
    for cell in np.argsort(counts, kind="stable") if order is None else order:
        if not hidden.any() or (hidden.sum() > 1 and counts[hidden].sum() >= width):
            break
        hidden[cell] |= counts[cell] > 0
    return hidden


def protect_nested(
    counts: NDArray[np.int64],
    hidden: Flags,
    hideable: Flags,
    pairs: Iterable[tuple[int, int]],
    width: int,
) -> Flags:
    """Hide counts of patients until no complement is small: if S is part of T, then T − S is a count too.

    Parameters
    ----------
    counts : array of int
        Patients in each set.
    hidden : array of bool
        Sets whose count is hidden already.
    hideable : array of bool
        Sets whose count may be hidden.
    pairs : iterable of (int, int)
        ``(S, T)``: patients of set S are among those of set T.
    width : int
        Complements of 1 to ``width - 1`` are small. As parts of parts are parts, a hidden count then spans
        `width` between its largest published part and its smallest published whole.

    Returns
    -------
    array of bool
        Counts to hide.

    Raises
    ------
    DisclosureRefused
        A small complement lies between two counts that can't be hidden.
    """
    small, big = _closed(pairs, len(counts))
    hidden = hidden.copy()
    while True:
        shown = ~hidden[small] & ~hidden[big]
        gap = counts[big] - counts[small]
        tight = np.flatnonzero(shown & (gap > 0) & (gap < width))
        if not tight.size:
            return hidden
        more = np.where(hideable[small[tight]], small[tight], big[tight])
        if not hideable[more].all():
            raise DisclosureRefused(
                "the complement of a count is below the threshold and both counts are published; "
                "release a coarser level or more patients"
            )
        hidden[more] = True


def _closed(pairs: Iterable[tuple[int, int]], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all (part, whole), also those that follow from others."""
    inside = np.eye(n, dtype=np.float32)
    for part, whole in pairs:
        inside[part, whole] = 1
    while (wider := np.minimum(inside @ inside, 1)).sum() > inside.sum():
        inside = wider
    np.fill_diagonal(inside, 0)
    part_of, whole_of = np.nonzero(inside)
    return part_of, whole_of


def merge_bins(counts: Iterable[int], least: int) -> list[int]:
    """Number neighbouring cells so that each number holds at least `least` in all; the rest joins the last.

    Parameters
    ----------
    counts : iterable of int
        Counts in their order.
    least : int
        What each bin must hold; one bin holds everything where the sum is less.

    Returns
    -------
    list of int
        Bin of each cell: 0, 1, ...
    """
    bins, held, number = [], 0, 0
    for count in counts:
        bins.append(number)
        held += count
        if held >= least:
            held, number = 0, number + 1
    last = max(number - 1, 0) if held < least else number
    return [min(number, last) for number in bins]


def protect_parts(parts: NDArray[np.int64], uses: Numbers, totals: NDArray[np.int64], width: int) -> Flags:
    """Drop listed parts until no total minus its listed parts is small.

    Parameters
    ----------
    parts : array of int, length n
        Patients of each listed part (a variant); parts are disjoint.
    uses : array of shape (n, m)
        How often each part counts in each total (a node, an edge, a coarser variant, all patients).
    totals : array of int, length m
        Published totals.
    width : int
        Remainders of 1 to ``width - 1`` are small.

    Returns
    -------
    array of bool
        Parts that may be listed; the rarest are dropped first.
    """
    listed = np.ones(len(parts), dtype=np.bool_)
    rest = totals - parts @ uses
    while (small := np.flatnonzero((rest > 0) & (rest < width) & (uses[listed] > 0).any(axis=0))).size:
        users = np.flatnonzero(listed & (uses[:, small[0]] > 0))
        drop = users[np.argmin(parts[users])]
        listed[drop] = False
        rest = rest + parts[drop] * uses[drop]
    return listed
