"""How each passage of a map goes from step to step, around the others, and where its label stands.

Steps stand in lanes (see `pathways.drawing.places`). A passage that skips lanes takes, in each of them, the gap
between steps that is nearest to its straight line; no two passages take one gap at one height while there is room.
It is plain geometry on what is drawn: no step moves, and a map of 150 passages takes a few hundredths of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]
Key = tuple[str, str]
Area = tuple[float, float, float, float]

LABEL_SHARES = (0.5, *(0.5 + side * step / 24 for step in range(1, 10) for side in (-1, 1)))
CLEARANCE, TRACK = 9.0, 11.0
PORT_MARGIN, HEAD = 12.0, 9.0
LOOP_WIDTH, LOOP_HEIGHT = 26.0, 25.0


@dataclass(frozen=True)
class Box:
    """A step in its place: its lane (0 is the leftmost), its centre and its size in points."""

    key: str
    lane: int
    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2


@dataclass(frozen=True)
class Link:
    """A passage to route: the size of its label in points, and its weight (the heaviest go straightest)."""

    source: str
    target: str
    label_width: float
    label_height: float
    weight: float


@dataclass(frozen=True)
class Route:
    """A routed passage: Bézier control points (1 + 3 n of them), the arrow's tip, the label's centre."""

    points: tuple[Point, ...]
    tip: Point
    label: Point


def route(boxes: Sequence[Box], links: Sequence[Link]) -> dict[Key, Route]:
    """Route the passages of a map.

    Parameters
    ----------
    boxes : sequence of Box
        Every step that is drawn.
    links : sequence of Link
        At most one for each pair of steps drawn.
    """
    places = {box.key: box for box in boxes}
    ports = _ports(places, links)
    lanes = _Lanes(boxes)
    courses: dict[Key, tuple[tuple[Point, ...], Point]] = {}
    for link in sorted(links, key=lambda link: (-link.weight, link.source, link.target)):
        key = (link.source, link.target)
        courses[key] = _course(places[link.source], places[link.target], ports[key], lanes)
    labels = place_labels({key: points for key, (points, _) in courses.items()}, boxes, links)
    return {key: Route(points, tip, labels[key]) for key, (points, tip) in courses.items()}


def _course(
    source: Box, target: Box, ports: tuple[float, float], lanes: _Lanes
) -> tuple[tuple[Point, ...], Point]:
    if source.key == target.key:
        return _loop(source)
    if source.lane == target.lane:
        return _inside_lane(source, target, ports, lanes)
    forth = target.lane > source.lane
    start = (source.right if forth else source.left, ports[0])
    tip = (target.left if forth else target.right, ports[1])
    end = (tip[0] - HEAD if forth else tip[0] + HEAD, tip[1])
    stops = lanes.through(source.lane, target.lane, start, end)
    return _smooth([start, *stops, end]), tip


def _smooth(points: Sequence[Point]) -> tuple[Point, ...]:
    """Join points by curves that are level at each of them."""
    controls = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        controls += [(middle, y0), (middle, y1), (x1, y1)]
    return tuple(controls)


def _loop(box: Box) -> tuple[tuple[Point, ...], Point]:
    """Leave by the top and come back to it, near the right corner."""
    out, back = box.right - 14 - LOOP_WIDTH, box.right - 14
    high = box.top - LOOP_HEIGHT
    return ((out, box.top), (out, high), (back, high), (back, box.top - HEAD)), (back, box.top)


def _inside_lane(
    source: Box, target: Box, ports: tuple[float, float], lanes: _Lanes
) -> tuple[tuple[Point, ...], Point]:
    """Go straight to the neighbour above or below; else round the steps between, downwards on the right."""
    down = target.y > source.y
    if lanes.are_neighbours(source, target):
        x = (source.x + target.x) / 2 + (14 if down else -14)
        y0, tip = (source.bottom, target.top) if down else (source.top, target.bottom)
        y1 = tip - HEAD if down else tip + HEAD
        third = (y1 - y0) / 3
        return ((x, y0), (x, y0 + third), (x, y1 - third), (x, y1)), (x, tip)
    side = max if down else min
    edge = side((box.right if down else box.left) for box in lanes.between(source, target))
    bulge = edge + (34 if down else -34) + (ports[0] - source.y) * 0.25
    start = (source.right if down else source.left, ports[0])
    tip_x = target.right if down else target.left
    end = (tip_x + HEAD if down else tip_x - HEAD, ports[1])
    return (start, (bulge, start[1]), (bulge, end[1]), end), (tip_x, ports[1])


class _Lanes:
    """The lanes of the steps drawn, and the heights at which passages go through them already."""

    def __init__(self, boxes: Iterable[Box]) -> None:
        self.members: dict[int, list[Box]] = {}
        for box in sorted(boxes, key=lambda box: box.y):
            self.members.setdefault(box.lane, []).append(box)
        self.taken: dict[int, list[float]] = {lane: [] for lane in self.members}

    def between(self, source: Box, target: Box) -> list[Box]:
        low, high = sorted((source.y, target.y))
        return [box for box in self.members[source.lane] if low <= box.y <= high]

    def are_neighbours(self, source: Box, target: Box) -> bool:
        return len(self.between(source, target)) == 2

    def through(self, first: int, last: int, start: Point, end: Point) -> list[Point]:
        """Return the points at which a passage enters and leaves each lane that it crosses."""
        inside = range(first + 1, last) if last > first else range(first - 1, last, -1)
        stops: list[Point] = []
        for lane in inside:
            if lane not in self.members:
                continue
            members = self.members[lane]
            left = min(box.left for box in members) - 6
            right = max(box.right for box in members) + 6
            share = ((left + right) / 2 - start[0]) / ((end[0] - start[0]) or 1)
            y = self._free(lane, start[1] + share * (end[1] - start[1]))
            stops += [(left, y), (right, y)] if last > first else [(right, y), (left, y)]
        return stops

    def _free(self, lane: int, wanted: float) -> float:
        """Return the free height of a lane that is nearest to the one wanted, and take it."""
        steps = (TRACK * step * side for step in range(400) for side in (1, -1))
        heights = (wanted + step for step in steps)
        y = next(
            (y for y in heights if self._is_clear(lane, y) and not self._is_taken(lane, y)),
            self._beyond(lane),
        )
        self.taken[lane].append(y)
        return y

    def _is_clear(self, lane: int, y: float) -> bool:
        return all(y < box.top - CLEARANCE or y > box.bottom + CLEARANCE for box in self.members[lane])

    def _is_taken(self, lane: int, y: float) -> bool:
        return any(abs(y - other) < TRACK - 1 for other in self.taken[lane])

    def _beyond(self, lane: int) -> float:
        return max([box.bottom for box in self.members[lane]] + self.taken[lane]) + TRACK


def _ports(places: Mapping[str, Box], links: Sequence[Link]) -> dict[Key, tuple[float, float]]:
    """Return the heights at which each passage leaves and enters: spread on each side of a step, none crossing."""
    sides: dict[tuple[str, bool], list[tuple[float, Key, int]]] = {}
    for link in links:
        source, target = places[link.source], places[link.target]
        key = (link.source, link.target)
        if source.key == target.key:
            continue
        forth = target.lane > source.lane or (target.lane == source.lane and target.y > source.y)
        arrives_right = target.lane == source.lane and forth
        sides.setdefault((source.key, forth), []).append((_slope(source, target), key, 0))
        sides.setdefault(
            (target.key, arrives_right or (not forth and target.lane != source.lane)), []
        ).append((_slope(target, source), key, 1))
    heights: dict[Key, list[float]] = {(link.source, link.target): [0.0, 0.0] for link in links}
    for (name, _), ends in sides.items():
        box = places[name]
        room = box.height - 2 * PORT_MARGIN
        for place, (_, key, end) in enumerate(sorted(ends), start=1):
            heights[key][end] = box.top + PORT_MARGIN + room * place / (len(ends) + 1)
    return {key: (out, into) for key, (out, into) in heights.items()}


def _slope(here: Box, there: Box) -> float:
    return (there.y - here.y) / (abs(there.x - here.x) + 40)


def place_labels(
    paths: Mapping[Key, tuple[Point, ...]], boxes: Iterable[Box], links: Iterable[Link]
) -> dict[Key, Point]:
    """Put each label on its passage, where it covers least of the steps and of the labels put before."""
    taken = [(box.left, box.top, box.right, box.bottom) for box in boxes]
    labels: dict[Key, Point] = {}
    for link in sorted(links, key=lambda link: (-link.weight, link.source, link.target)):
        spots = (along(paths[link.source, link.target], share) for share in LABEL_SHARES)
        areas = [(spot, _area(spot, link.label_width, link.label_height)) for spot in spots]
        spot, area = min(areas, key=lambda item: sum(_overlap(item[1], other) for other in taken))
        taken.append(area)
        labels[link.source, link.target] = spot
    return labels


def along(points: Sequence[Point], share: float) -> Point:
    """Return the point at a share of the way along Bézier segments, measured by their ends' distance."""
    segments = [points[first : first + 4] for first in range(0, len(points) - 1, 3)]
    lengths = [abs(s[3][0] - s[0][0]) + abs(s[3][1] - s[0][1]) + 1e-9 for s in segments]
    left = share * sum(lengths)
    for segment, length in zip(segments, lengths, strict=True):
        if left <= length:
            return _bezier(segment, left / length)
        left -= length
    return points[-1]


def _bezier(four: Sequence[Point], t: float) -> Point:
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    x, y = (sum(w * point[axis] for w, point in zip(weights, four, strict=True)) for axis in (0, 1))
    return x, y


def _area(centre: Point, width: float, height: float) -> Area:
    return centre[0] - width / 2, centre[1] - height / 2, centre[0] + width / 2, centre[1] + height / 2


def _overlap(one: Area, other: Area) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return wide * high if wide > 0 and high > 0 else 0.0
