"""Where each step and each passage of the map is drawn.

Graphviz does it, in a child process: inside ours it could neither be interrupted nor run from two threads. Columns
are phases and the order inside a column is given, so a step keeps its place when the sliders move; Graphviz only
chooses distances and routes the passages around the steps.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

POINTS_PER_INCH = 72.0
SECONDS_ALLOWED = 15.0
LAYOUTS_KEPT = 512
SIDE_BY_SIDE = BoundedSemaphore(2)

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A step to place: its size in points and its column (0 is the leftmost)."""

    key: str
    column: int
    width: float
    height: float


@dataclass(frozen=True)
class Link:
    """A passage to route, with the size of its label in points."""

    source: str
    target: str
    label_width: float
    label_height: float


@dataclass(frozen=True)
class Route:
    """A routed passage: Bézier control points (1 + 3 n of them), the arrow's tip, the label's centre."""

    points: tuple[Point, ...]
    tip: Point
    label: Point


@dataclass(frozen=True)
class Placed:
    """A finished layout, in points, y downwards."""

    width: float
    height: float
    boxes: dict[str, Point]
    routes: dict[tuple[str, str], Route]


class LayoutTooSlow(Exception):
    """Graphviz did not finish in the time allowed."""


@lru_cache(maxsize=LAYOUTS_KEPT)
def place(boxes: tuple[Box, ...], links: tuple[Link, ...]) -> Placed:
    """Lay out a map; the same request is answered from memory.

    Parameters
    ----------
    boxes : tuple of Box
        In the order wanted inside each column, top first.
    links : tuple of Link
        At most one for each pair of steps.

    Raises
    ------
    LayoutTooSlow
        After 15 seconds; the child is stopped.
    """
    with SIDE_BY_SIDE:
        answer = _run(dot_source(boxes, links))
    return _read(json.loads(answer), boxes, links)


def dot_source(boxes: tuple[Box, ...], links: tuple[Link, ...]) -> str:
    """Return the DOT text: ranks from the columns alone, passages routed but never pulling a step out of place."""
    names = {box.key: f"n{place}" for place, box in enumerate(boxes)}
    column = {box.key: box.column for box in boxes}
    flat = [a.source != a.target and column[a.source] == column[a.target] for a in links]
    return "\n".join(
        [
            "digraph {",
            "graph [rankdir=LR, newrank=true, splines=true, nodesep=0.42, ranksep=0.34, outputorder=edgesfirst]",
            'node [shape=box, fixedsize=true, label=""]',
            "edge [fontsize=13, arrowsize=0.9]",
            *(_dot_box(box, names) for box in boxes),
            *_dot_columns(boxes, names),
            *(_dot_link(link, names, i, flat=flat[i]) for i, link in enumerate(links)),
            "}",
        ]
    )


def _dot_box(box: Box, names: dict[str, str]) -> str:
    return f"{names[box.key]} [width={box.width / POINTS_PER_INCH:.3f}, height={box.height / POINTS_PER_INCH:.3f}]"


def _dot_columns(boxes: tuple[Box, ...], names: dict[str, str]) -> Iterator[str]:
    columns: dict[int, list[str]] = {}
    for box in boxes:
        columns.setdefault(box.column, []).append(names[box.key])
    for _, members in sorted(columns.items()):
        chain = " -> ".join(members)
        order = f" {chain} [style=invis, weight=0];" if len(members) > 1 else ""
        yield f"{{rank=same; {'; '.join(members)};{order}}}"
    heads = [members[0] for _, members in sorted(columns.items())]
    yield from (f"{left} -> {right} [style=invis, weight=0]" for left, right in pairwise(heads))


def _dot_link(link: Link, names: dict[str, str], place: int, *, flat: bool) -> str:
    """Write one passage. Graphviz loses some labelled edges inside a column: there the label is placed by us."""
    size = f'fixedsize="true" width="{link.label_width:.0f}" height="{link.label_height:.0f}"'
    label = "" if flat else f', label=<<table border="0" {size}><tr><td></td></tr></table>>'
    return f"{names[link.source]} -> {names[link.target]} [id=e{place}, constraint=false{label}]"


def _run(source: str) -> bytes:
    child = [sys.executable, str(Path(__file__).with_name("dot_child.py"))]
    try:
        done = subprocess.run(
            child, input=source.encode(), capture_output=True, timeout=SECONDS_ALLOWED, check=True
        )
    except subprocess.TimeoutExpired as error:
        raise LayoutTooSlow(f"the map was not laid out in {SECONDS_ALLOWED:.0f} s") from error
    return done.stdout


def _read(answer: dict[str, Any], boxes: tuple[Box, ...], links: tuple[Link, ...]) -> Placed:
    _, _, width, height = (float(word) for word in answer["bb"].split(","))
    nodes = {item["name"]: item for item in answer["objects"] if "pos" in item}
    edges = {item["id"]: item for item in answer.get("edges", []) if "id" in item}
    centres = {box.key: _point(nodes[f"n{i}"]["pos"], height) for i, box in enumerate(boxes)}
    routes = {
        (link.source, link.target): _route(edges[f"e{i}"], height)
        or _straight(centres[link.source], centres[link.target])
        for i, link in enumerate(links)
    }
    return Placed(width=width, height=height, boxes=centres, routes=routes)


def _point(text: str, height: float) -> Point:
    x, y = (float(word) for word in text.split(","))
    return x, height - y


def _route(edge: dict[str, Any], height: float) -> Route | None:
    if "pos" not in edge:
        return None
    tip, *points = (_point(word.removeprefix("e,"), height) for word in edge["pos"].split())
    label = _point(edge["lp"], height) if "lp" in edge else _middle(points)
    return Route(points=tuple(points), tip=tip, label=label)


def _middle(points: list[Point]) -> Point:
    """Return the point half along the middle Bézier segment."""
    first = (len(points) - 1) // 3 // 2 * 3
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points[first : first + 4]
    return (x0 + 3 * x1 + 3 * x2 + x3) / 8, (y0 + 3 * y1 + 3 * y2 + y3) / 8


def _straight(start: Point, end: Point) -> Route:
    """Return a straight passage, for the rare one that Graphviz could not route."""
    third = [tuple(a + (b - a) * share for a, b in zip(start, end, strict=True)) for share in (1 / 3, 2 / 3)]
    points = (start, (third[0][0], third[0][1]), (third[1][0], third[1][1]), end)
    return Route(points=points, tip=end, label=_middle(list(points)))
