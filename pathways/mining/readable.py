"""A map small enough to be read, and how many pathways it tells whole.

A pathway is *told by the steps* that are kept when all its activities are among them, and *replayed* when, besides,
each of its passages from one activity to another is among those kept. Repeats of an activity, the start and the end
ask for no passage; the activity *death* and the outcomes are always kept. Shares are of all patients, and exact.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil, floor
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pathways.mining.kernels import ELSEWHERE, END
from pathways.mining.maps import ProcessMap, filter_to
from pathways.mining.outcomes import is_outcome

MOST_EDGES = 150
"""How many passages a drawn map has at most: more are neither laid out nor read."""

SLIDER_STEP = 0.05
"""Shares are chosen in steps of this."""

OPENING_NODES = 14
OPENING_EDGES_PER_NODE = 1.5
"""Steps, and passages a step, of a map at its opening: what a page shows without crowding. An operational choice."""

Edge = tuple[str, str]
T = TypeVar("T", bound=Hashable)


def opening(nodes: pl.DataFrame, edges: pl.DataFrame) -> tuple[float, float]:
    """Return the shares of activities and of paths that give a map of a dozen steps, whatever the size of the study.

    Parameters
    ----------
    nodes, edges : polars.DataFrame
        Of one level, as in `drawn`.
    """
    activities = _up_to(OPENING_NODES, _count_steps(nodes))
    kept, every = drawn(nodes, edges, activities_share=activities)
    wanted = OPENING_EDGES_PER_NODE * _count_steps(kept)
    return activities, _up_to(wanted, every.height)


def _count_steps(nodes: pl.DataFrame) -> int:
    return nodes.filter(~pl.col("activity").str.starts_with(END)).height


def _up_to(wanted: float, total: int) -> float:
    steps = max(1, floor(min(1.0, wanted / max(1, total)) / SLIDER_STEP + 1e-9))
    return round(steps * SLIDER_STEP, 2)


def drawn(
    nodes: pl.DataFrame, edges: pl.DataFrame, *, activities_share: float = 1.0, paths_share: float = 1.0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the nodes and passages of one level that a map draws: `filter_to`, at most 150, without the residual row.

    Parameters
    ----------
    nodes, edges : polars.DataFrame
        Of one level, as `pathways.mining.maps.filter_to` takes them. Passages from an outcome to ``■`` are left out.
    activities_share, paths_share : float
        As there.
    """
    inner = edges.filter(~pl.col("source").str.starts_with(END))
    kept, flow = filter_to(nodes, inner, activities_share=activities_share, paths_share=paths_share)
    shown = flow.filter(pl.col("source") != ELSEWHERE)
    order = ["n_events", "source", "target"]
    return kept, shown.sort(order, descending=[True, False, False]).head(MOST_EDGES)


def drawn_sets(
    nodes: pl.DataFrame, edges: pl.DataFrame, percents: Sequence[int]
) -> dict[tuple[int, int], tuple[set[str], set[Edge]]]:
    """Return what `drawn` draws at every pair of positions of the two sliders: activities and passages, as sets.

    Parameters
    ----------
    nodes, edges : polars.DataFrame
        As `drawn` takes them.
    percents : sequence of int
        Positions of a slider, 0 to 100.
    """
    found: dict[tuple[int, int], tuple[set[str], set[Edge]]] = {}
    for activities in percents:
        inner = edges.filter(~pl.col("source").str.starts_with(END), pl.col("source") != ELSEWHERE)
        kept, flow = filter_to(nodes, inner, activities_share=activities / 100)
        strongest, backbone = _by_strength(flow.select("source", "target", "n_events").rows()[:-1])
        for paths in percents:
            chosen = {*strongest[: ceil(paths / 100 * len(strongest))], *backbone}
            first = sorted(chosen, key=lambda edge: (-edge[2], edge[:2]))[:MOST_EDGES]
            found[activities, paths] = set(kept["activity"]), {(s, t) for s, t, _ in first}
    return found


Flow = tuple[str, str, int]


def _by_strength(flow: Sequence[Flow]) -> tuple[list[Flow], set[Flow]]:
    """Return passages, the most frequent first, and the strongest out of and into each node."""
    ordered = sorted(flow, key=lambda edge: -edge[2])
    out: dict[str, Flow] = {}
    into: dict[str, Flow] = {}
    for edge in ordered:
        out.setdefault(edge[0], edge)
        into.setdefault(edge[1], edge)
    return ordered, {*out.values(), *into.values()}


@dataclass(frozen=True)
class Replay:
    """Pathways as sets of activities and passages, ready to be replayed on many maps.

    Parameters
    ----------
    activities : dict of str to int
        Column of each activity in `uses_activity`.
    passages : dict of (str, str) to int
        Column of each passage between two activities in `uses_passage`.
    uses_activity, uses_passage : sparse arrays, one row a variant
        1 where the variant has it.
    n_patients : array of int
        Patients of each variant.
    """

    activities: Mapping[str, int]
    passages: Mapping[Edge, int]
    uses_activity: csr_array = field(repr=False)
    uses_passage: csr_array = field(repr=False)
    n_patients: NDArray[np.int64] = field(repr=False)

    @classmethod
    def of(cls, variants: pl.DataFrame) -> Replay:
        """Read ``variant``, ``n_patients`` (`pathways.mining.kernels.variants`, repeats kept or not)."""
        rows = variants.select("variant").with_row_index("row").explode("variant")
        steps = rows.rename({"variant": "source"}).with_columns(target=pl.col("source").shift(-1).over("row"))
        between = steps.drop_nulls("target").filter(pl.col("source") != pl.col("target"))
        acts = steps.select("row", key="source").drop_nulls().unique(maintain_order=True)
        moves = between.select("row", key=pl.struct("source", "target")).unique(maintain_order=True)
        names = acts["key"].unique().sort().to_list()
        pairs = between.select("source", "target").unique().sort("source", "target").rows()
        keys = pl.Series([{"source": s, "target": t} for s, t in pairs], dtype=moves.schema["key"])
        return cls(
            {name: i for i, name in enumerate(names)},
            {pair: i for i, pair in enumerate(pairs)},
            _matrix(acts, pl.Series(names, dtype=pl.String), variants.height),
            _matrix(moves, keys, variants.height),
            variants["n_patients"].to_numpy(),
        )

    def counts(
        self, maps: Sequence[tuple[Collection[str], Collection[Edge]]]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return, for each map, the patients told by its steps, and of those the patients that it replays.

        Parameters
        ----------
        maps : sequence of (activities, passages)
            What each map keeps.
        """
        out_acts = _missing(self.activities, [activities for activities, _ in maps])
        out_moves = _missing(self.passages, [passages for _, passages in maps])
        for name, place in self.activities.items():
            if is_outcome(name):
                out_acts[place] = 0
        told = self.uses_activity @ out_acts == 0
        replayed = told & (self.uses_passage @ out_moves == 0)
        return self.n_patients @ told, self.n_patients @ replayed


def _matrix(uses: pl.DataFrame, keys: pl.Series, n_rows: int) -> csr_array:
    columns = pl.DataFrame({"key": keys}).with_row_index("column")
    placed = uses.join(columns, on="key", maintain_order="left")
    cells = (placed["row"].to_numpy(), placed["column"].to_numpy())
    return csr_array((np.ones(placed.height, dtype=np.float32), cells), shape=(n_rows, len(keys)))


def _missing(
    places: Mapping[str, int] | Mapping[Edge, int], kept: Sequence[Collection[object]]
) -> NDArray[np.float32]:
    """Return a column a map: 1 for what it does not keep."""
    out = np.ones((len(places), len(kept)), dtype=np.float32)
    for column, names in enumerate(kept):
        out[[place for name, place in places.items() if name in names], column] = 0
    return out


@dataclass(frozen=True)
class Budget:
    """A map inside a budget, and what it tells.

    Parameters
    ----------
    map : ProcessMap
        Its nodes and edges, with the residual row (``*`` to ``*``).
    told_share, replayed_share : float
        Shares of the patients told by its steps, and replayed.
    """

    map: ProcessMap
    told_share: float
    replayed_share: float

    def sentence(self, language: str = "fr") -> str:
        """Say it: *20 nodes explain 83 % of pathways*."""
        n = sum(not is_outcome(name) for name in self.map.nodes["activity"])
        between = (pl.col("source") != ELSEWHERE) & (pl.col("source") != pl.col("target"))
        m = self.map.edges.filter(between).height
        told, replayed = (f"{100 * share:.0f}" for share in (self.told_share, self.replayed_share))
        if language == "fr":
            return f"{n} étapes expliquent {told} % des parcours ; {m} passages en rejouent {replayed} %"
        return f"{n} steps explain {told}% of pathways; {m} passages replay {replayed}%"


def within_budget(process_map: ProcessMap, n_activities: int, n_edges: int) -> Budget:
    """Keep at most so many activities and passages, those that explain the most pathways.

    Activities first, then passages between them; each is the better of two greedy choices: things are dropped one by
    one, each time the one whose loss costs the fewest patients, or whole pathways are added while they fit. On
    2 230 random budgets for at most eight activities it was the best choice there is in 93 %, and at worst 54 % of it.

    Parameters
    ----------
    process_map : ProcessMap
        With its variants.
    n_activities, n_edges : int
        Most activities (*death* and outcomes not counted) and most passages between two different activities. Repeats,
        and the first and last events of what is kept, are drawn besides.

    Raises
    ------
    ValueError
        Fewer than one activity, or fewer than no passage.
    """
    if n_activities < 1 or n_edges < 0:
        raise ValueError(
            f"a budget of {n_activities} activities and {n_edges} passages; give 1 and 0 or more"
        )
    words = [(w, n) for w, n in process_map.variants.select("variant", "n_patients").rows()]
    always = {name for name in process_map.nodes["activity"] if is_outcome(name)}
    acts = _best([(set(w) - always, n) for w, n in words], n_activities) | always
    inside = [(set(_moves(w)), n) for w, n in words if acts.issuperset(w)]
    moves = _best(inside, n_edges)
    kept = _limited(process_map, acts, moves)
    told, replayed = Replay.of(process_map.variants).counts([(acts, moves)])
    total = max(process_map.n_patients, 1)
    return Budget(kept, int(told[0]) / total, int(replayed[0]) / total)


def _moves(word: Iterable[str]) -> list[Edge]:
    return [(a, b) for a, b in pairwise(word) if a != b]


def _best(parts: Sequence[tuple[set[T], int]], most: int) -> set[T]:
    """Return at most `most` things, the better of two greedy choices."""
    choices = (_by_dropping(parts, most), _by_adding(parts, most))
    return max(choices, key=lambda kept: sum(n for things, n in parts if things <= kept))


def _by_adding(parts: Sequence[tuple[set[T], int]], most: int) -> set[T]:
    """Add whole pathways while they fit, each time the one with most patients a thing that it adds."""
    kept: set[T] = set()
    left = [(things, n) for things, n in parts if len(things) <= most]
    while left:
        things, _ = max(left, key=lambda part: part[1] / max(len(part[0] - kept), 0.5))
        kept |= things
        left = [part for part in left if not part[0] <= kept and len(kept | part[0]) <= most]
    return kept


def _by_dropping(parts: Sequence[tuple[set[T], int]], most: int) -> set[T]:
    """Drop, one by one, the thing that costs the fewest patients."""
    use: dict[T, int] = {}
    frequency: dict[T, int] = {}
    for things, n in parts:
        for thing in things:
            use[thing] = frequency[thing] = use.get(thing, 0) + n
    alive = list(parts)
    while len(use) > most:
        gone = min(use, key=lambda thing: (use[thing], frequency[thing], str(thing)))
        for things, n in alive:
            if gone in things:
                for thing in things:
                    use[thing] -= n
        alive = [(things, n) for things, n in alive if gone not in things]
        del use[gone]
    return set(use)


def _limited(one: ProcessMap, activities: set[str], moves: set[Edge]) -> ProcessMap:
    """Return the map with these activities and passages only, the rest as one residual row."""
    pair = pl.struct("source", "target")
    wanted = [{"source": s, "target": t} for s, t in sorted(moves | {(a, a) for a in activities})]
    known = pl.Series(wanted, dtype=pl.Struct({"source": pl.String, "target": pl.String}))
    flow = one.edges.filter(pl.col("source") != ELSEWHERE)
    edges = flow.filter(pair.is_in(known.implode()))
    hidden = int(one.edges["n_events"].sum()) - int(edges["n_events"].sum())
    rest = pl.DataFrame({"source": [ELSEWHERE], "target": [ELSEWHERE], "n_events": [hidden]})
    return replace(
        one,
        nodes=one.nodes.filter(pl.col("activity").is_in(sorted(activities))),
        edges=pl.concat([edges, rest], how="diagonal"),
    )
