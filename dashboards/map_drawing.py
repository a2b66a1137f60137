"""The process map as SVG: steps in columns by phase, passages as arrows whose width and label show the measure."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from dashboards.colours import phase_colours
from dashboards.layout import Box, Link, Point, Route, place
from dashboards.markup import drawing, part, tag, text
from dashboards.results import Results
from dashboards.views import ARROW, HIDDEN_KEY, MapState, MapView, columns, share_of
from dashboards.words import Words
from pathways.mining.kernels import END, START

LINE_CHARACTERS = 14
LONGEST_WORD = 18
CHARACTER_WIDTH = 9.1
COUNT_CHARACTER_WIDTH = 8.2
LABEL_CHARACTER_WIDTH = 8.0
LINE_HEIGHT = 18.0
LABEL_HEIGHT = 18.0
NARROWEST = 76.0
TERMINAL_SIZE = 58.0
THINNEST, THICKEST = 1.4, 9.0
STRAIGHTEST = 8
DELAYS = ("median_days", "p90_days")

Key = tuple[str, str]


@dataclass(frozen=True)
class Step:
    """A step ready to be drawn: its lines of text, its share of the patients, its colour and column."""

    key: str
    lines: tuple[str, ...]
    count: str
    share: float
    colour: str
    column: int

    @property
    def name(self) -> str:
        return f"{' '.join(self.lines)} : {self.count}"

    @property
    def width(self) -> float:
        longest = max(len(line) for line in self.lines) * CHARACTER_WIDTH
        return max(longest, len(self.count) * COUNT_CHARACTER_WIDTH, NARROWEST) + 26

    @property
    def height(self) -> float:
        return (len(self.lines) + 1) * LINE_HEIGHT + 18


@dataclass(frozen=True)
class Passage:
    """A passage ready to be drawn: its key on the page, its name, its label, its width and tone."""

    ends: Key
    key: str
    name: str
    label: str
    width: float
    weight: int
    tone: str

    @property
    def label_width(self) -> float:
        return len(self.label) * LABEL_CHARACTER_WIDTH + 6


def process_map(results: Results, view: MapView, state: MapState, words: Words) -> str:
    """Return the process map.

    START is a circle and END a double square; the flow that is not drawn is one dashed arrow between them.

    Raises
    ------
    dashboards.layout.LayoutTooSlow
        Graphviz did not finish in time.
    """
    steps = _steps(results, view, state, words)
    passages = _passages(view, state, {step.key: " ".join(step.lines) for step in steps}, words)
    boxes = _boxes(steps, last_column=len(columns(results, state.level)) + 1)
    links = (Link(*passage.ends, passage.label_width, LABEL_HEIGHT, passage.weight) for passage in passages)
    placed = place(tuple(boxes), tuple(links))
    body = [
        *(_arrow(passage, placed.routes[passage.ends]) for passage in passages),
        *(_card(step, placed.boxes[step.key]) for step in steps),
        *(_label(passage, placed.routes[passage.ends].label) for passage in passages if passage.label),
        _start(placed.boxes[START], words("map.start")),
        _end(placed.boxes[END], words("map.end")),
    ]
    return drawing(body, placed.width, placed.height, "process-map", _summary(view, words))


def lines_of(label: str) -> tuple[str, ...]:
    """Break a label into short lines between words; a word too long for any box is cut with a hyphen."""
    cut = " ".join(piece for word in label.split() for piece in _cut(word))
    return tuple(textwrap.wrap(cut, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)) or (
        "–",
    )


def _cut(word: str) -> list[str]:
    if len(word) <= LONGEST_WORD:
        return [word]
    half = math.ceil(len(word) / 2)
    return [f"{word[:half]}-", *_cut(word[half:])]


def _steps(results: Results, view: MapView, state: MapState, words: Words) -> list[Step]:
    order = columns(results, state.level)
    colours = phase_colours(results.phases)
    total = results.summary["n_patients"]
    rows = view.nodes.sort(["median_day", "activity"], nulls_last=True).iter_rows(named=True)
    return [
        Step(
            key=row["activity"],
            lines=lines_of(words.label(row)),
            count=_count(row["n_patients"], total, words),
            share=share_of(row["n_patients"], total) or 0.0,
            colour=colours[row["phase"]],
            column=order[row["phase"]],
        )
        for row in rows
    ]


def _count(patients: int | None, total: int, words: Words) -> str:
    share = share_of(patients, total)
    if share is None:
        return words("map.hidden_count")
    return f"{words.number(patients)} · {words.percent(share)}"


def _passages(view: MapView, state: MapState, names: Mapping[str, str], words: Words) -> list[Passage]:
    known = {**names, START: words("map.start"), END: words("map.end")}
    write = words.days if state.measure in DELAYS else words.number
    width = THINNEST + (THICKEST - THINNEST) * _share_of_most(state.measure).sqrt()
    weight = (1 + STRAIGHTEST * _share_of_most("n_events")).cast(pl.Int64)
    rows = view.edges.select(
        "source", "target", state.measure, width.fill_null(THINNEST).alias("w"), weight.alias("g")
    )
    drawn = [
        Passage(
            ends=(source, target),
            key=f"{source}{ARROW}{target}",
            name=f"{known[source]} {ARROW} {known[target]} : {write(value)}",
            label="" if value is None else write(value),
            width=thick,
            weight=straight,
            tone="delay" if state.measure in DELAYS else "count",
        )
        for source, target, value, thick, straight in rows.iter_rows()
    ]
    return [*drawn, *_hidden(view, words)]


def _share_of_most(column: str) -> pl.Expr:
    return pl.col(column) / pl.max_horizontal(pl.col(column).max(), 1)


def _hidden(view: MapView, words: Words) -> Iterator[Passage]:
    if view.hidden:
        said = words("map.hidden_flow", share=words.percent(share_of(view.hidden, view.n_events)))
        yield Passage((START, END), HIDDEN_KEY, said, said, THINNEST, 0, "hidden")


def _boxes(steps: list[Step], last_column: int) -> Iterator[Box]:
    yield Box(START, 0, TERMINAL_SIZE, TERMINAL_SIZE)
    yield from (Box(step.key, step.column, step.width, step.height) for step in steps)
    yield Box(END, last_column, TERMINAL_SIZE, TERMINAL_SIZE)


def _summary(view: MapView, words: Words) -> str:
    said = words(
        "map.summary",
        steps=words.number(view.nodes.height),
        paths=words.number(view.edges.height),
        share=words.percent(view.shown_share),
    )
    return f"{words('map.title')}. {said}"


def _arrow(passage: Passage, route: Route) -> str:
    path = _bezier(route.points)
    return part(
        passage.key,
        passage.name,
        f"edge {passage.tone}",
        tag("path", class_="reach", d=path),
        tag("path", class_="line", d=path, stroke_width=passage.width),
        tag("path", class_="head", d=_head(route, passage.width)),
        data_ends=" ".join(passage.ends),
    )


def _label(passage: Passage, centre: Point) -> str:
    """Return a passage's label, drawn after all passages so that none crosses it."""
    (x, y), width = centre, passage.label_width
    corner = {"x": x - width / 2, "y": y - LABEL_HEIGHT / 2}
    pill = tag("rect", class_="pill", **corner, width=width, height=LABEL_HEIGHT, rx=5)
    words = text(passage.label, x, y + 5, "edge-label")
    ends = " ".join(passage.ends)
    kind = f"label {passage.tone}"
    return tag("g", pill, words, class_=kind, data_for=passage.key, data_ends=ends, aria_hidden="true")


def _bezier(points: tuple[Point, ...]) -> str:
    start, *rest = (f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{start}C{' '.join(rest)}"


def _head(route: Route, width: float) -> str:
    """Return the arrow's triangle, wider for a wider arrow."""
    (x0, y0), (x1, y1) = route.points[-1], route.tip
    length, half = math.hypot(x1 - x0, y1 - y0) or 1.0, 3.2 + width * 0.75
    dx, dy = half * (x1 - x0) / length, half * (y1 - y0) / length
    return f"M{x0 - dy:.1f} {y0 + dx:.1f}L{x1:.1f} {y1:.1f}L{x0 + dy:.1f} {y0 - dx:.1f}Z"


def _card(step: Step, centre: Point) -> str:
    x, y = centre[0] - step.width / 2, centre[1] - step.height / 2
    middle, bottom = centre[0] + 3, y + step.height
    spine = f"M{x + 8:.1f} {y:.1f}h-1a7 7 0 0 0 -7 7v{step.height - 14:.1f}a7 7 0 0 0 7 7h1z"
    bar = {"x": x + 8, "y": bottom - 5, "width": (step.width - 12) * step.share, "height": 4}
    return part(
        step.key,
        step.name,
        "step",
        tag("rect", class_="card", x=x, y=y, width=step.width, height=step.height, rx=8, stroke=step.colour),
        tag("path", d=spine, fill=step.colour),
        *(
            text(line, middle, y + 22 + place * LINE_HEIGHT, "step-label")
            for place, line in enumerate(step.lines)
        ),
        text(step.count, middle, bottom - 13, "step-count"),
        tag("rect", **bar, fill=step.colour, opacity="0.75"),
    )


def _start(centre: Point, name: str) -> str:
    x, y = centre
    circle = tag("circle", class_="terminal", cx=x, cy=y, r=TERMINAL_SIZE / 2 - 2)
    return tag("g", circle, text(name, x, y + 5, "end-label"))


def _end(centre: Point, name: str) -> str:
    (x, y), side = centre, TERMINAL_SIZE - 4
    outer = tag("rect", class_="terminal", x=x - side / 2, y=y - side / 2, width=side, height=side, rx=4)
    inner_side = side - 10
    corner = {"x": x - inner_side / 2, "y": y - inner_side / 2}
    inner = tag("rect", class_="terminal inner", **corner, width=inner_side, height=inner_side, rx=2)
    return tag("g", outer, inner, text(name, x, y + 5, "end-label"))
