"""Where each step of a map stands: once for all, whatever is drawn of it.

Lanes go from left to right: the start, then the phases by their median day since the index (small neighbours share a
lane, a phase of many steps takes several), then what became of patients. Inside a lane the step of most patients
stands in the middle and the others above and below it, on the side of the steps that they lead to: what the sliders
leave is then near the middle. Everything is computed from the whole map, so no filter moves anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import ceil
from typing import Any

import polars as pl

from pathways.disclosure.policy import Released
from pathways.drawing.writing import lines_of, width_of
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.outcomes import fold_death, is_outcome

LAYOUT_COLUMNS: dict[str, Any] = {
    "level": pl.String,
    "activity": pl.String,
    "lane": pl.Int64,
    "x": pl.Float64,
    "y": pl.Float64,
    "width": pl.Float64,
    "height": pl.Float64,
}
"""Where each step stands: its lane (0 is the start's), its centre and its size in points; y goes downwards."""

LABEL_SIZE, COUNT_SIZE, EDGE_LABEL_SIZE = 15.5, 13.0, 13.0
LINE_HEIGHT = 18.0
TERMINAL_SIZE = 62.0
NARROWEST = 96.0
LANE_GAP, STEP_GAP = 96.0, 46.0
LANES_WANTED = 6


def lay_out(nodes: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Place every step of a map, each level by itself.

    Parameters
    ----------
    nodes : polars.DataFrame
        ``level``, ``activity``, ``phase``, ``label_fr``, ``label_en``, ``n_patients``, ``median_day``, as released.
    edges : polars.DataFrame
        ``level``, ``source``, ``target``, ``n_events``, as released.

    Returns
    -------
    polars.DataFrame
        `LAYOUT_COLUMNS`, one row a step, with ``▶``, and ``■`` where no outcome is known.
    """
    levels = nodes["level"].unique(maintain_order=True)
    parts = [_level(nodes.filter(level=level), edges.filter(level=level)) for level in levels]
    return pl.concat([pl.DataFrame(schema=LAYOUT_COLUMNS), *parts])


def release_layout(nodes: Released, edges: Released) -> Released:
    """Return the places of a map's steps as a table beside the tables they come from: it says no more than they."""
    words = {"numerator": "places in points", "suppressed": 0, "rounded": "nothing"}
    return Released("layout", lay_out(nodes.frame, edges.frame), {**nodes.meta, **words})


def _level(nodes: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    level = nodes["level"][0]
    nodes, edges = fold_death(nodes, edges)
    flow = edges.filter(pl.col("source") != ELSEWHERE).select("source", "target", "n_events").rows()
    frequency = _frequency(nodes, flow)
    sizes = {row["activity"]: _size(row) for row in nodes.iter_rows(named=True)}
    lanes = [[START], *_phase_lanes(nodes, frequency), _last_lane(nodes)]
    sizes |= {name: (TERMINAL_SIZE, TERMINAL_SIZE) for name in (START, END) if name not in sizes}
    heights = {name: height for name, (_, height) in sizes.items()}
    middles = _stacked(lanes, frequency, heights, flow)
    rows = [
        (level, name, lane, x, middles[name], *sizes[name])
        for lane, (members, x) in enumerate(zip(lanes, _centres(lanes, sizes), strict=True))
        for name in members
    ]
    return pl.DataFrame(rows, schema=LAYOUT_COLUMNS, orient="row")


def _frequency(nodes: pl.DataFrame, flow: Sequence[tuple[str, str, int]]) -> dict[str, int]:
    """Return the patients of each step; where they are hidden, the flow into it."""
    into: dict[str, int] = {}
    for _, target, n in flow:
        into[target] = into.get(target, 0) + (n or 0)
    counts = nodes.select("activity", "n_patients").rows()
    return {name: into.get(name, 0) if n is None else n for name, n in counts}


def _size(row: Mapping[str, Any]) -> tuple[float, float]:
    """Return the width and height of a step with its longest words, in either language."""
    labels = [lines_of(row[f"label_{language}"]) for language in ("fr", "en")]
    widest = max(width_of(line, LABEL_SIZE) for lines in labels for line in lines)
    width = max(widest, width_of("9 999 999 · 99 %", COUNT_SIZE), NARROWEST) + 26
    return width, (max(len(lines) for lines in labels) + 1) * LINE_HEIGHT + 18


def _phase_lanes(nodes: pl.DataFrame, frequency: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield the steps of each lane: phases in order of their day, packed up to an even share of the steps."""
    inside = nodes.filter(~pl.col("activity").map_elements(is_outcome, pl.Boolean))
    room = max(2, ceil(inside.height / LANES_WANTED))
    lane: list[str] = []
    for phase in _phases_in_time(inside, frequency):
        steps = (
            inside.filter(phase=phase).sort("median_day", "activity", nulls_last=True)["activity"].to_list()
        )
        *full, rest = _pieces(steps, 2 * room)
        if lane and (full or len(lane) + len(rest) > room):
            yield lane
            lane = []
        yield from full
        lane = [*lane, *rest]
    if lane:
        yield lane


def _pieces(steps: Sequence[str], most: int) -> list[list[str]]:
    """Cut a list into equal parts of at most `most`."""
    size = ceil(len(steps) / ceil(len(steps) / most))
    return [list(steps[first : first + size]) for first in range(0, len(steps), size)]


def _phases_in_time(nodes: pl.DataFrame, frequency: Mapping[str, int]) -> list[str]:
    """Return the phases by the mean of their steps' median days, weighted by patients."""
    weight = pl.col("activity").replace_strict(frequency, return_dtype=pl.Float64).clip(1)
    known = pl.col("median_day").is_not_null()
    day = (pl.col("median_day") * weight).sum() / weight.filter(known).sum()
    phases = nodes.group_by("phase").agg(day=pl.when(known.any()).then(day), order=pl.col("order").min())
    return phases.sort("day", "order", "phase", nulls_last=True)["phase"].to_list()


def _last_lane(nodes: pl.DataFrame) -> list[str]:
    names = [name for name in nodes["activity"] if is_outcome(name)]
    return names if any(name.startswith(END) for name in names) else [*names, END]


def _centres(lanes: Sequence[Sequence[str]], sizes: Mapping[str, tuple[float, float]]) -> Iterator[float]:
    left = 0.0
    for members in lanes:
        width = max(sizes[name][0] for name in members)
        yield left + width / 2
        left += width + LANE_GAP


def _stacked(
    lanes: Sequence[Sequence[str]],
    frequency: Mapping[str, int],
    heights: Mapping[str, float],
    flow: Sequence[tuple[str, str, int]],
) -> dict[str, float]:
    """Return the middle of each step: the most frequent first, each on the side of those that it is tied to."""
    near: dict[str, list[tuple[str, int]]] = {}
    for source, target, n in flow:
        near.setdefault(source, []).append((target, n or 0))
        near.setdefault(target, []).append((source, n or 0))
    lane_of = {name: lane for lane, members in enumerate(lanes) for name in members}
    stacks: dict[int, list[str]] = {lane: [] for lane in range(len(lanes))}
    middles: dict[str, float] = {}
    for name in sorted(lane_of, key=lambda name: (-frequency.get(name, 1 << 62), name)):
        stack = stacks[lane_of[name]]
        stack.insert(0 if _belongs_above(name, stack, near, middles) else len(stack), name)
        middles |= _spread(stack, heights)
    top = min(middles[name] - heights[name] / 2 for name in middles)
    return {name: middle - top for name, middle in middles.items()}


def _belongs_above(
    name: str,
    stack: Sequence[str],
    near: Mapping[str, Sequence[tuple[str, int]]],
    middles: Mapping[str, float],
) -> bool:
    """Say on which side of its lane a step goes, never more than two steps out of balance."""
    placed = [(middles[other], n) for other, n in near.get(name, ()) if other in middles and other != name]
    pull = sum(y * n for y, n in placed) / max(sum(n for _, n in placed), 1)
    above = sum(middles[other] < -1 for other in stack)
    below = sum(middles[other] > 1 for other in stack)
    if abs(above - below) > 1:
        return above < below
    return pull < 0 or (pull == 0 and above < below)


def _spread(stack: Sequence[str], heights: Mapping[str, float]) -> dict[str, float]:
    """Return the middles of a stack of steps, the whole of it centred on 0."""
    steps = [(heights[above] + heights[below]) / 2 + STEP_GAP for above, below in pairwise(stack)]
    total = sum(heights[name] for name in stack) + STEP_GAP * (len(stack) - 1)
    y = -total / 2 + heights[stack[0]] / 2
    places = [y]
    for step in steps:
        places.append(places[-1] + step)
    return dict(zip(stack, places, strict=True))
