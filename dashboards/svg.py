"""Drawings as SVG markup: the process map and the territory map. Every word that comes from data is escaped."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import polars as pl

from dashboards.colours import CIVIDIS, phase_colours
from dashboards.layout import Box, Link, Placed, Point, Route, place
from dashboards.results import Results
from dashboards.views import (
    ARROW,
    HIDDEN_KEY,
    BreakdownView,
    MapState,
    MapView,
    columns,
    share_of,
)
from dashboards.words import Words
from pathways.mining.maps import END, START

LINE_CHARACTERS = 14
LONGEST_WORD = 18
CHARACTER_WIDTH = 9.1
COUNT_CHARACTER_WIDTH = 8.2
LINE_HEIGHT = 18.0
LABEL_CHARACTER_WIDTH = 8.0
LABEL_HEIGHT = 18.0
TERMINAL_SIZE = 58.0
MARGIN = 14.0
STRAIGHTEST = 8
THINNEST, THICKEST = 1.4, 9.0
MAP_WIDTH = 640.0
MEAN_LATITUDE = 46.5
DELAYS = ("median_days", "p90_days")


@dataclass(frozen=True)
class Step:
    """A step ready to be drawn: its lines of text and its size."""

    key: str
    lines: tuple[str, ...]
    count: str
    share: float
    colour: str
    column: int

    @property
    def width(self) -> float:
        longest = max(len(line) for line in self.lines) * CHARACTER_WIDTH
        return max(longest, len(self.count) * COUNT_CHARACTER_WIDTH, 76.0) + 26

    @property
    def height(self) -> float:
        return (len(self.lines) + 1) * LINE_HEIGHT + 18


def process_map(results: Results, view: MapView, state: MapState, words: Words) -> str:
    """Return the process map as SVG.

    Steps are boxes in columns by phase, passages are arrows whose width and label show the measure, START is a
    circle and END a double square; flow that is not drawn is one dashed arrow.

    Raises
    ------
    dashboards.layout.LayoutTooSlow
        Graphviz did not finish in time.
    """
    steps = _steps(results, view, state, words)
    labels = _edge_labels(view, state, words)
    boxes = _boxes(steps, columns(results, state.level))
    placed = place(tuple(boxes), tuple(_links(labels, view)))
    widths = _widths(view, state)
    names = {step.key: " ".join(step.lines) for step in steps} | _terminal_names(words)
    body = [
        *(
            _edge(key, placed.routes[key], text, widths.get(key), names, state)
            for key, text in labels.items()
        ),
        *(_step(step, placed.boxes[step.key], words) for step in steps),
        _terminal(START, placed.boxes[START], words("map.start")),
        _terminal(END, placed.boxes[END], words("map.end")),
    ]
    return _svg(body, placed, words("map.title"), _map_summary(view, words), "process-map")


def _steps(results: Results, view: MapView, state: MapState, words: Words) -> list[Step]:
    order = columns(results, state.level)
    colours = phase_colours(results.nodes["phase"].unique().sort().to_list())
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


def lines_of(label: str) -> tuple[str, ...]:
    """Break a label into short lines between words; a word too long for any box is cut with a hyphen."""
    cut = [part for word in label.split() for part in _cut(word)]
    return tuple(
        textwrap.wrap(" ".join(cut), LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)
    ) or ("–",)


def _cut(word: str) -> list[str]:
    if len(word) <= LONGEST_WORD:
        return [word]
    half = math.ceil(len(word) / 2)
    return [f"{word[:half]}-", *_cut(word[half:])]


def _count(patients: int | None, total: int, words: Words) -> str:
    share = share_of(patients, total)
    return words.number(patients) if share is None else f"{words.number(patients)} · {words.percent(share)}"


def _edge_labels(view: MapView, state: MapState, words: Words) -> dict[tuple[str, str], str]:
    write = words.days if state.measure in DELAYS else words.number
    rows = view.edges.select("source", "target", state.measure).iter_rows()
    labels = {(source, target): "" if value is None else write(value) for source, target, value in rows}
    if view.hidden:
        hidden = words("map.hidden_flow", share=words.percent(view.hidden / view.n_events))
        labels[START, END] = hidden
    return labels


def _boxes(steps: Iterable[Step], order: Mapping[str, int]) -> Iterable[Box]:
    yield Box(START, 0, TERMINAL_SIZE, TERMINAL_SIZE)
    yield from (Box(step.key, step.column, step.width, step.height) for step in steps)
    yield Box(END, len(order) + 1, TERMINAL_SIZE, TERMINAL_SIZE)


def _links(labels: Mapping[tuple[str, str], str], view: MapView) -> Iterable[Link]:
    most = view.edges["n_events"].max() or 1
    rows = view.edges.select("source", "target", 1 + (STRAIGHTEST * pl.col("n_events")) // most).iter_rows()
    weights = {(source, target): weight for source, target, weight in rows}
    for (source, target), text in labels.items():
        width = len(text) * LABEL_CHARACTER_WIDTH + 8
        yield Link(source, target, width, LABEL_HEIGHT, weights.get((source, target), 0))


def _widths(view: MapView, state: MapState) -> dict[tuple[str, str], float]:
    most = view.edges[state.measure].max() or 1
    share = (pl.col(state.measure) / pl.lit(most)).sqrt()
    width = (THINNEST + (THICKEST - THINNEST) * share).fill_null(THINNEST)
    rows = view.edges.select("source", "target", width.alias("width")).iter_rows()
    return {(source, target): value for source, target, value in rows}


def _terminal_names(words: Words) -> dict[str, str]:
    return {START: words("map.start"), END: words("map.end")}


def _map_summary(view: MapView, words: Words) -> str:
    return words(
        "map.summary",
        steps=words.number(view.nodes.height),
        paths=words.number(view.edges.height),
        share=words.percent(view.shown_share),
    )


def _edge(
    key: tuple[str, str],
    route: Route,
    text: str,
    width: float | None,
    names: Mapping[str, str],
    state: MapState,
) -> str:
    source, target = key
    hidden = width is None
    tone = "hidden" if hidden else "delay" if state.measure in DELAYS else "count"
    name = text if hidden else f"{names[source]} {ARROW} {names[target]} : {text}"
    data_key = HIDDEN_KEY if hidden else f"{source}{ARROW}{target}"
    thick = THINNEST if width is None else width
    path = _path(route.points)
    return (
        f'<g class="edge {tone}" data-key="{escape(data_key)}" data-ends="{escape(source)} {escape(target)}" '
        f'role="button" aria-label="{escape(name)}"><title>{escape(name)}</title>'
        f'<path class="reach" d="{path}"/><path class="line" d="{path}" stroke-width="{thick:.1f}"/>'
        f'<path class="head" d="{_arrow_head(route, thick)}"/>{_edge_label(route.label, text)}</g>'
    )


def _edge_label(centre: Point, text: str) -> str:
    if not text:
        return ""
    width = len(text) * LABEL_CHARACTER_WIDTH + 6
    x, y = centre[0] - width / 2, centre[1] - LABEL_HEIGHT / 2
    return (
        f'<rect class="pill" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{LABEL_HEIGHT}" rx="5"/>'
        f'<text class="edge-label" x="{centre[0]:.1f}" y="{centre[1] + 5:.1f}">{escape(text)}</text>'
    )


def _path(points: tuple[Point, ...]) -> str:
    start, *rest = (f"{x:.1f} {y:.1f}" for x, y in points)
    return f"M{start}C{' '.join(rest)}"


def _arrow_head(route: Route, width: float) -> str:
    (x0, y0), (x1, y1) = route.points[-1], route.tip
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    along, half = ((x1 - x0) / length, (y1 - y0) / length), 3.2 + width * 0.75
    left = (x0 - along[1] * half, y0 + along[0] * half)
    right = (x0 + along[1] * half, y0 - along[0] * half)
    return f"M{left[0]:.1f} {left[1]:.1f}L{x1:.1f} {y1:.1f}L{right[0]:.1f} {right[1]:.1f}Z"


def _step(step: Step, centre: Point, words: Words) -> str:
    left, top = centre[0] - step.width / 2, centre[1] - step.height / 2
    name = f"{' '.join(step.lines)} : {words('map.patients_of', n=step.count)}"
    texts = "".join(
        f'<text class="step-label" x="{centre[0] + 3:.1f}" y="{top + 22 + place * LINE_HEIGHT:.1f}">{escape(line)}</text>'
        for place, line in enumerate(step.lines)
    )
    bottom = top + step.height
    return (
        f'<g class="step" data-key="{escape(step.key)}" role="button" aria-label="{escape(name)}">'
        f"<title>{escape(name)}</title>"
        f'<rect class="card" x="{left:.1f}" y="{top:.1f}" width="{step.width:.1f}" height="{step.height:.1f}" rx="8" '
        f'stroke="{step.colour}"/>'
        f'<path d="M{left + 8:.1f} {top:.1f}h-1a7 7 0 0 0 -7 7v{step.height - 14:.1f}a7 7 0 0 0 7 7h1z" fill="{step.colour}"/>'
        f'{texts}<text class="step-count" x="{centre[0] + 3:.1f}" y="{bottom - 13:.1f}">{escape(step.count)}</text>'
        f'<rect x="{left + 8:.1f}" y="{bottom - 5:.1f}" width="{(step.width - 12) * step.share:.1f}" height="4" '
        f'fill="{step.colour}" opacity="0.75"/></g>'
    )


def _terminal(key: str, centre: Point, name: str) -> str:
    x, y = centre
    half = TERMINAL_SIZE / 2 - 2
    shape = (
        f'<circle class="terminal" cx="{x:.1f}" cy="{y:.1f}" r="{half:.1f}"/>'
        if key == START
        else f'<rect class="terminal" x="{x - half:.1f}" y="{y - half:.1f}" width="{2 * half:.1f}" height="{2 * half:.1f}" rx="4"/>'
        f'<rect class="terminal inner" x="{x - half + 5:.1f}" y="{y - half + 5:.1f}" width="{2 * half - 10:.1f}" height="{2 * half - 10:.1f}" rx="2"/>'
    )
    return (
        f'<g class="end">{shape}<text class="end-label" x="{x:.1f}" y="{y + 5:.1f}">{escape(name)}</text></g>'
    )


def _svg(body: Iterable[str], placed: Placed, title: str, summary: str, kind: str) -> str:
    width, height = placed.width + 2 * MARGIN, placed.height + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="{kind}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'data-width="{width:.0f}" data-height="{height:.0f}" role="group" aria-label="{escape(title)}. {escape(summary)}">'
        f'<g transform="translate({MARGIN} {MARGIN})">{"".join(body)}</g></svg>'
    )


def notice(text: str) -> str:
    """Return a drawing that is one sentence."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 300" data-width="900" data-height="300" role="img">'
        f'<text class="step-label" x="450" y="150">{escape(text)}</text></svg>'
    )


def standalone(svg: str, lines: Iterable[str]) -> str:
    """Return a drawing that can be opened alone: its style inside, and lines of text that say what it is."""
    lines = list(lines)
    width, height = (float(word) for word in svg.partition('viewBox="0 0 ')[2].partition('"')[0].split())
    foot = "".join(
        f'<text class="foot" x="{MARGIN}" y="{height + 18 + 18 * place:.0f}">{escape(line)}</text>'
        for place, line in enumerate(lines)
    )
    taller = height + 18 * len(lines) + 18
    grown = svg.replace(
        f'viewBox="0 0 {width:.0f} {height:.0f}"', f'viewBox="0 0 {width:.0f} {taller:.0f}"', 1
    )
    head, _, rest = grown.partition(">")
    paper = f'<rect width="{width:.0f}" height="{taller:.0f}" fill="#ffffff"/>'
    return f"{head}><style>{_style()}</style>{paper}{rest.removesuffix('</svg>')}{foot}</svg>"


@cache
def _style() -> str:
    return (files("dashboards") / "assets" / "drawing.css").read_text(encoding="utf-8")


@cache
def territory_shapes() -> dict[str, Any]:
    """Return the départements' outlines (GeoJSON) that ship with the app."""
    text = (files("dashboards") / "geo" / "departements.geojson").read_text(encoding="utf-8")
    shapes: dict[str, Any] = json.loads(text)
    return shapes


@cache
def territory_names() -> pl.DataFrame:
    """Return ``territory``, ``name`` and ``region`` of the 101 départements."""
    rows = [feature["properties"] for feature in territory_shapes()["features"]]
    return pl.DataFrame(rows).select(pl.col("code").alias("territory"), "name", "region")


@cache
def _outlines() -> dict[str, str]:
    return {f["id"]: _outline(f["geometry"]["coordinates"]) for f in territory_shapes()["features"]}


@cache
def _frame() -> tuple[float, float, float, float]:
    points = [point for parts in _parts().values() for part in parts for point in part[0]]
    longitudes, latitudes = zip(*points, strict=True)
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


@cache
def _parts() -> dict[str, list[list[list[Point]]]]:
    return {f["id"]: f["geometry"]["coordinates"] for f in territory_shapes()["features"]}


def _project(point: Point) -> Point:
    west, _, east, north = _frame()
    squeeze = math.cos(math.radians(MEAN_LATITUDE))
    scale = MAP_WIDTH / ((east - west) * squeeze)
    return (point[0] - west) * squeeze * scale, (north - point[1]) * scale


def _outline(parts: list[list[list[Point]]]) -> str:
    return "".join(f"M{'L'.join(map(_spot, ring))}Z" for part in parts for ring in part)


def _spot(point: Point) -> str:
    x, y = _project(point)
    return f"{x:.1f} {y:.1f}"


@cache
def _inset_labels() -> str:
    """Name the overseas départements under their insets."""
    names = dict(territory_names().select("territory", "name").iter_rows())
    return "".join(_inset_label(names[code], _parts()[code]) for code in names if code.startswith("97"))


def _inset_label(name: str, parts: list[list[list[Point]]]) -> str:
    spots = [_project(point) for part in parts for point in part[0]]
    left, right = min(x for x, _ in spots), max(x for x, _ in spots)
    bottom = max(y for _, y in spots)
    return f'<text class="inset-label" x="{(left + right) / 2:.1f}" y="{bottom + 13:.1f}">{escape(name)}</text>'


def territory_map(view: BreakdownView, words: Words) -> str:
    """Return the territory map as SVG: shaded by class, hatched where suppressed, hotspots outlined."""
    west, south, east, north = _frame()
    height = MAP_WIDTH * (north - south) / ((east - west) * math.cos(math.radians(MEAN_LATITUDE)))
    known = _outlines()
    rows = [row for row in view.territories.iter_rows(named=True) if row["territory"] in known]
    rows.sort(key=lambda row: (row["hotspot"], row["territory"]))
    body = [HATCH, *(_territory(row, known[row["territory"]], words) for row in rows), _inset_labels()]
    size = Placed(MAP_WIDTH, height, {}, {})
    return _svg(body, size, words("territory.map_title"), words("territory.map_summary"), "territory-map")


HATCH = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="hatch-paper" width="6" height="6"/><line class="hatch-line" x1="0" y1="0" x2="0" y2="6"/>'
    "</pattern></defs>"
)


def _territory(row: Mapping[str, Any], outline: str, words: Words) -> str:
    name = f"{row['name']} ({row['territory']}) : {territory_sentence(row, words)}"
    fill = "url(#hatch)" if row["shade"] is None else CIVIDIS[row["shade"]]
    kind = "territory hotspot" if row["hotspot"] else "territory"
    return (
        f'<g class="{kind}" data-key="{row["territory"]}" role="button" aria-label="{escape(name)}">'
        f'<title>{escape(name)}</title><path d="{outline}" fill="{fill}"/></g>'
    )


def territory_sentence(row: Mapping[str, Any], words: Words) -> str:
    """Say a territory's numbers in one line."""
    if row["suppressed"] or row["rate"] is None:
        return words("territory.suppressed")
    return words(
        "territory.sentence",
        broken=words.number(row["n_broken"]),
        n=words.number(row["n_evaluable"]),
        rate=words.percent(row["rate"], 1),
        ratio=words.number(row["shrunk_ratio"], 2),
    )
