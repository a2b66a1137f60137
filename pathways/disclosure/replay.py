"""How many pathways the map tells whole, for each position of the sliders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from eventlogs.abstraction import Level
from pathways.disclosure.policy import (
    POLICY,
    UNFILTERED,
    DisclosurePolicy,
    Origin,
    Released,
    conform,
    released_table,
)
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.maps import ProcessMap
from pathways.mining.outcomes import is_outcome
from pathways.mining.readable import Edge, Replay, drawn_sets

REPLAY_COLUMNS: dict[str, Any] = {
    "level": pl.String,
    "activities": pl.Int64,
    "paths": pl.Int64,
    "n_steps": pl.Int64,
    "n_paths": pl.Int64,
    "told_share": pl.Float64,
    "replayed_share": pl.Float64,
    "grain": pl.Float64,
}
POSITIONS = range(5, 101, 5)
GRAINS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def release_replay(
    maps: Mapping[Level, ProcessMap],
    nodes: Released,
    edges: Released,
    variants: Released,
    *,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release, for each position of the sliders, the share of pathways that the map drawn there tells and replays.

    Parameters
    ----------
    maps : mapping of level to ProcessMap
        The maps that `nodes` and `edges` were released from.
    nodes, edges, variants : Released
        From `release_map` and `release_variants` or `release_milestones`.
    policy : DisclosurePolicy
        Threshold.
    origin : Origin
        Study and filters.

    Returns
    -------
    Released
        `REPLAY_COLUMNS`. ``activities``, ``paths``: the sliders, in percent. ``told_share``: at least this share
        of the patients has only activities drawn; ``replayed_share``: and only passages drawn between them
        (`pathways.mining.readable`). Shares are rounded down to the ``grain``, a step that holds the threshold of
        patients; 1 is said of all patients only. A share is null where it would leave fewer than the threshold of
        values possible, knowing the counts of what is not drawn and the variants listed.
    """
    frames = [pl.DataFrame(schema=REPLAY_COLUMNS)]
    for level in edges.frame["level"].unique(maintain_order=True):
        one = next(one for name, one in maps.items() if name == level)
        frames.append(_of_level(one, nodes.frame, edges.frame, variants.frame, policy))
    table = pl.concat(frames)
    hidden = int(table.select(pl.col("told_share", "replayed_share").null_count()).sum_horizontal().item())
    return released_table(
        "replay",
        table,
        policy,
        origin,
        numerator="patients whose whole pathway is drawn",
        denominator=next(iter(maps.values())).n_patients,
        suppressed=hidden,
        rounded="down to the grain, which holds at least the threshold of patients",
    )


def _of_level(
    one: ProcessMap,
    nodes: pl.DataFrame,
    edges: pl.DataFrame,
    variants: pl.DataFrame,
    policy: DisclosurePolicy,
) -> pl.DataFrame:
    known = _Known.of(one, nodes.filter(level=one.level), edges.filter(level=one.level), variants)
    shown = drawn_sets(known.nodes, known.edges, POSITIONS)
    sets = list(shown.values())
    counted = Replay.of(one.variants).counts(sets)
    total, threshold = one.n_patients, policy.threshold
    grain = next((grain for grain in GRAINS if grain * total >= threshold), 1.0)
    bounds = [known.bounds(activities, passages) for activities, passages in sets]
    shares = [
        [_said(int(n), total, grain, limits[i], threshold) for n, limits in zip(counts, bounds, strict=True)]
        for i, counts in enumerate(counted)
    ]
    columns = {
        "level": one.level,
        "activities": [activities for activities, _ in shown],
        "paths": [paths for _, paths in shown],
        "n_steps": [sum(not name.startswith(END) for name in kept) for kept, _ in sets],
        "n_paths": [len(passages) for _, passages in sets],
        "told_share": pl.Series(shares[0], dtype=pl.Float64),
        "replayed_share": pl.Series(shares[1], dtype=pl.Float64),
        "grain": grain,
    }
    return conform(pl.DataFrame(columns), REPLAY_COLUMNS)


def _said(count: int, total: int, grain: float, limits: tuple[int, int], threshold: int) -> float | None:
    """Round a share down, or hide it where few values would be left between what is known and what is said."""
    low, high = limits
    if low == high or count == total:
        return count / total if count == total else _floor(count / total, grain)
    said = _floor(count / total, grain)
    least = max(low, int(np.ceil(said * total - 1e-9)))
    most = min(high, int(np.ceil((said + grain) * total - 1e-9)) - 1, total - 1)
    return said if most - least + 1 >= threshold else None


def _floor(share: float, grain: float) -> float:
    return round(int(share / grain + 1e-9) * grain, 2)


@dataclass(frozen=True)
class _Known:
    """What the other tables say of the patients of nodes, passages and variants of one level."""

    nodes: pl.DataFrame
    edges: pl.DataFrame
    total: int
    absent: int
    unseen: int
    listed: Sequence[tuple[frozenset[str], frozenset[Edge], bool, int]]
    phase_of: Mapping[str, str]
    node_counts: Sequence[tuple[str, int | None]]
    edge_counts: Sequence[tuple[str, str, int | None]]

    @classmethod
    def of(cls, one: ProcessMap, nodes: pl.DataFrame, edges: pl.DataFrame, variants: pl.DataFrame) -> _Known:
        """Read the released tables of the level of a map."""
        rows = variants.filter(pl.col("variant").list.len() > 0, level=_variant_level(one.level, variants))
        own = one.level in variants["level"]
        listed = [
            (
                frozenset(s for s in w if not is_outcome(s)),
                frozenset((a, b) for a, b in pairwise(w) if a != b),
                own,
                n,
            )
            for w, n in rows.select("variant", "n_patients").drop_nulls().rows()
        ]
        counts = nodes.select("activity", "n_patients").rows()
        passages = edges.filter(pl.col("source") != ELSEWHERE).height
        flow = edges.filter(
            ~pl.col("source").is_in([START, ELSEWHERE]), pl.col("source") != pl.col("target")
        ).select("source", "target", "n_patients")
        return cls(
            nodes=nodes,
            edges=edges,
            total=one.n_patients,
            absent=one.nodes.height - nodes.filter(~pl.col("activity").str.starts_with(END)).height,
            unseen=one.flow().height - passages,
            node_counts=[(name, n) for name, n in counts if not is_outcome(name)],
            edge_counts=[row for row in flow.rows() if not row[1].startswith(END)],
            listed=listed,
            phase_of=dict(nodes.select("activity", "phase").rows()),
        )

    def bounds(self, activities: set[str], passages: set[Edge]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return between what the patients told, and replayed, must lie."""
        out = [n for name, n in self.node_counts if name not in activities]
        dropped = [n for *edge, n in self.edge_counts if tuple(edge) not in passages]
        inside, outside = self._listed(activities, None)
        replayed, lost = self._listed(activities, passages)
        return (
            self._between(out, self.absent, inside, outside),
            self._between([*out, *dropped], self.absent + self.unseen, replayed, lost),
        )

    def _between(
        self, counts: Sequence[int | None], unknown: int, inside: int, outside: int
    ) -> tuple[int, int]:
        known = [n for n in counts if n is not None]
        whole = unknown == 0 and len(known) == len(counts)
        low = self.total - sum(known) if whole else 0
        return max(low, inside), self.total - max([outside, *known])

    def _listed(self, activities: set[str], passages: set[Edge] | None) -> tuple[int, int]:
        """Return the listed patients who are surely told, and surely not."""
        phases = {self.phase_of.get(name, name) for name in activities}
        inside = outside = 0
        for steps, moves, own, n in self.listed:
            if own:
                fits = activities >= steps and (passages is None or passages >= moves)
                inside, outside = inside + n * fits, outside + n * (not fits)
            elif not phases >= steps:
                outside += n
        return inside, outside


def _variant_level(level: Level, variants: pl.DataFrame) -> str:
    return level if level in variants["level"] else "milestone"
