"""Where each step and each passage of the map is drawn.

Graphviz does it, in a child process: inside ours it could neither be interrupted nor run from two threads. Columns
are phases and the order inside a column is given, so a step keeps its place among the others when the sliders move
(in 342 of 360 slider positions of two synthetic studies; in the rest Graphviz swapped two steps of a column). Graphviz
chooses distances and routes the passages around the steps; the labels are placed here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
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

LABEL_SHARES = (0.5, *(0.5 + side * step / 24 for step in range(1, 10) for side in (-1, 1)))

Point = tuple[float, float]
Area = tuple[float, float, float, float]
Course = tuple[tuple[Point, ...], Point]
"""A passage's Bézier points, and the tip of its arrow."""


@dataclass(frozen=True)
class Box:
    """A step to place: its size in points and its column (0 is the leftmost)."""

    key: str
    column: int
    width: float
    height: float


@dataclass(frozen=True)
class Link:
    """A passage to route: the size of its label in points, and how much it should be straight (0 or more)."""

    source: str
    target: str
    label_width: float
    label_height: float
    weight: int


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
    """Return the DOT text: ranks from the columns alone, order inside a rank as given.

    It is written top to bottom, to be turned by us: left to right, and also with labels, Graphviz 14 does not
    always keep the order inside a rank.
    """
    names = {box.key: f"n{place}" for place, box in enumerate(boxes)}
    column = {box.key: box.column for box in boxes}
    return "\n".join(
        [
            "digraph {",
            "graph [rankdir=TB, splines=true, nodesep=0.5, ranksep=0.95]",
            'node [shape=box, fixedsize=true, label=""]',
            "edge [arrowsize=0.9]",
            *(_dot_box(box, names) for box in boxes),
            *_dot_columns(boxes, names),
            *(
                f"{names[link.source]} -> {names[link.target]} "
                f"[id=e{place}, {_pull(link, column[link.target] - column[link.source])}]"
                for place, link in enumerate(links)
            ),
            "}",
        ]
    )


def _pull(link: Link, columns_right: int) -> str:
    return f"weight={link.weight}" if columns_right > 0 else "constraint=false, weight=0"


def _dot_box(box: Box, names: dict[str, str]) -> str:
    turned = f"width={box.height / POINTS_PER_INCH:.3f}, height={box.width / POINTS_PER_INCH:.3f}"
    return f"{names[box.key]} [{turned}]"


def _dot_columns(boxes: tuple[Box, ...], names: dict[str, str]) -> Iterator[str]:
    columns: dict[int, list[str]] = {}
    for box in boxes:
        columns.setdefault(box.column, []).append(names[box.key])
    for _, members in sorted(columns.items()):
        chain = " -> ".join(members)
        order = f" {chain} [style=invis, weight=1];" if len(members) > 1 else ""
        yield f"{{rank=same; {'; '.join(members)};{order}}}"
    heads = [members[0] for _, members in sorted(columns.items())]
    yield from (f"{left} -> {right} [style=invis, weight=0]" for left, right in pairwise(heads))


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
    _, _, across, down = (float(word) for word in answer["bb"].split(","))
    nodes = {item["name"]: item for item in answer["objects"] if "pos" in item}
    edges = {item["id"]: item for item in answer.get("edges", []) if "id" in item}
    centres = {box.key: _point(nodes[f"n{i}"]["pos"], down) for i, box in enumerate(boxes)}
    paths = {
        (link.source, link.target): _path(edges[f"e{i}"], down)
        or _straight(centres[link.source], centres[link.target])
        for i, link in enumerate(links)
    }
    labels = place_labels(paths, centres, boxes, links)
    routes = {key: Route(points, tip, labels[key]) for key, (points, tip) in paths.items()}
    return Placed(width=down, height=across, boxes=centres, routes=routes)


def _point(text: str, down: float) -> Point:
    """Turn a point of Graphviz's (y upwards) a quarter, so that downwards becomes to the right."""
    x, y = (float(word) for word in text.split(","))
    return down - y, x


def _path(edge: dict[str, Any], down: float) -> Course | None:
    if "pos" not in edge:
        return None
    tip, *points = (_point(word.removeprefix("e,"), down) for word in edge["pos"].split())
    return tuple(points), tip


def _straight(start: Point, end: Point) -> Course:
    """Return a straight passage, for the rare one that Graphviz could not route."""
    (x0, y0), (x3, y3) = start, end
    first, second = ((x0 + (x3 - x0) * share, y0 + (y3 - y0) * share) for share in (1 / 3, 2 / 3))
    return (start, first, second, end), end


def place_labels(
    paths: Mapping[tuple[str, str], Course],
    centres: Mapping[str, Point],
    boxes: Iterable[Box],
    links: Iterable[Link],
) -> dict[tuple[str, str], Point]:
    """Put each label on its passage, where it covers least of the steps and of the labels put before."""
    taken = [_area(centres[box.key], box.width, box.height) for box in boxes]
    labels: dict[tuple[str, str], Point] = {}
    for link in links:
        spots = (_along(paths[link.source, link.target][0], share) for share in LABEL_SHARES)
        areas = [(spot, _area(spot, link.label_width, link.label_height)) for spot in spots]
        spot, area = min(areas, key=lambda item: sum(_overlap(item[1], other) for other in taken))
        taken.append(area)
        labels[link.source, link.target] = spot
    return labels


def _along(points: tuple[Point, ...], share: float) -> Point:
    """Return the point at a share of the way along Bézier segments taken as equally long."""
    segments = (len(points) - 1) // 3
    place = min(int(share * segments), segments - 1)
    t = share * segments - place
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    four = points[3 * place : 3 * place + 4]
    return (
        sum(weight * x for weight, (x, _) in zip(weights, four, strict=True)),
        sum(weight * y for weight, (_, y) in zip(weights, four, strict=True)),
    )


def _area(centre: Point, width: float, height: float) -> Area:
    return centre[0] - width / 2, centre[1] - height / 2, centre[0] + width / 2, centre[1] + height / 2


def _overlap(one: Area, other: Area) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide * high if wide > 0 and high > 0 else 0.0
