"""The process map as SVG: steps in lanes, passages as arrows whose width and label show a measure."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from eventlogs.abstraction import Level
from pathways.definition.objects import Language
from pathways.disclosure.policy import Released
from pathways.drawing import writing
from pathways.drawing.colours import phase_colours
from pathways.drawing.markup import Window, part, tag, text, window
from pathways.drawing.places import EDGE_LABEL_SIZE, LINE_HEIGHT, lay_out
from pathways.drawing.routes import Box, Key, Link, Point, Route, route
from pathways.drawing.style import MAP_STYLE, plain
from pathways.drawing.writing import TEXTS, lines_of, say, width_of
from pathways.mining.kernels import ELSEWHERE, END, START
from pathways.mining.maps import ProcessMap, filter_to
from pathways.mining.outcomes import LABELS, OUTCOMES, fold_death, is_outcome
from pathways.mining.readable import MOST_EDGES, drawn

ARROW = "→"
HIDDEN_KEY = f"{ELSEWHERE}{ARROW}{ELSEWHERE}"
THINNEST, THICKEST = 1.3, 8.0
LABEL_HEIGHT = 18.0
TIE_SHARE = 0.5
DELAYS = ("median_days", "p90_days")
PAD, FACT_LINE, HEAD_ROOM = 20.0, 20.0, 66.0
NOTHING = 1e-9


@dataclass(frozen=True)
class Facts:
    """What is printed with a map: its title, how many patients, what was left out, where it comes from.

    Parameters
    ----------
    title : mapping of language to str
        Name of the pathway; empty: only *Map of pathways*.
    n_patients : int
        Patients of the map, 0 where not known.
    filters : tuple of str
        The filters in words, the last with the hash of their stack.
    study : str
        The study's fingerprint.
    threshold : int or None
        No count of fewer patients was released; None: the counts were not protected.
    cutoff : datetime.date or None
        The day until which data are complete.
    synthetic : bool
        Whether the data are synthetic.
    """

    title: Mapping[str, str] = field(default_factory=dict)
    n_patients: int = 0
    filters: tuple[str, ...] = ()
    study: str = ""
    threshold: int | None = None
    cutoff: dt.date | None = None
    synthetic: bool = False


@dataclass(frozen=True)
class Picture:
    """A map of one level, ready to be drawn.

    Parameters
    ----------
    level : {'code', 'activity', 'phase'}
        What a step is.
    nodes, edges : polars.DataFrame
        What is drawn, as released; ``edges`` without the residual row.
    layout : polars.DataFrame
        Places of every step of the level (`pathways.drawing.LAYOUT_COLUMNS`).
    every : polars.DataFrame
        All edges of the level, drawn or not: they set the scale of the widths.
    n_nodes : int
        Steps of the level, drawn or not.
    hidden_share : float or None
        Share of the flow that is not drawn; None: there is some that can't be said.
    replay : mapping or None
        Row of the released ``replay`` for what is drawn.
    phase_labels : mapping of phase to mapping of language to str
        Names of the lanes.
    facts : Facts
        What is printed with the map.
    """

    level: Level
    nodes: pl.DataFrame = field(repr=False)
    edges: pl.DataFrame = field(repr=False)
    layout: pl.DataFrame = field(repr=False)
    every: pl.DataFrame = field(repr=False)
    n_nodes: int
    hidden_share: float | None
    phase_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    facts: Facts = Facts()
    replay: Mapping[str, Any] | None = None


def map_svg(
    source: ProcessMap | Mapping[str, Released],
    *,
    level: Level = "activity",
    language: Language = "fr",
    measure: str = "n_patients",
    activities_share: float = 1.0,
    paths_share: float = 1.0,
    delta: str | None = None,
    title: str = "",
    notes: Sequence[str] = (),
) -> str:
    """Return a map as a self-contained SVG, with its title, legend and what it was made from printed on it.

    Parameters
    ----------
    source : ProcessMap or mapping of str to Released
        A map, or released tables by name: ``nodes`` and ``edges``, with ``layout`` and ``summary`` where there are
        any (``{name: study.released(name) for name in study.released_names()}``).
    level : {'code', 'activity', 'phase'}
        Which level of released tables to draw; a `ProcessMap` has its own.
    language : {'fr', 'en'}
        Of labels, numbers and dates.
    measure : {'n_patients', 'n_events', 'median_days', 'p90_days'}
        What widths and labels of the arrows show.
    activities_share, paths_share : float
        As in `pathways.mining.maps.filter_to`; what they leave out is one dashed arrow. At most 150 arrows are drawn.
    delta : str, optional
        A column of ``edges`` with a difference of two shares (-1 to 1): arrows are then coloured by its sign and
        as wide as its size, and labelled in percentage points; a null difference is a thin grey arrow without
        label. The same column in ``nodes``, where there is one, replaces their counts.
    title : str
        Printed above the map; default: the pathway's name.
    notes : sequence of str
        More lines to print under the map.

    Returns
    -------
    str
        SVG; every step and every arrow has a title that says its name and its number.

    Examples
    --------
    >>> tables = {name: study.released(name) for name in study.released_names()}  # doctest: +SKIP
    >>> Path("map.svg").write_text(map_svg(tables, paths_share=0.3))              # doctest: +SKIP
    """
    picture = picture_of(
        source, level=level, activities_share=activities_share, paths_share=paths_share, rank=delta
    )
    return draw(picture, language=language, measure=measure, delta=delta, title=title, notes=notes)


def picture_of(
    source: ProcessMap | Mapping[str, Released],
    *,
    level: Level = "activity",
    activities_share: float = 1.0,
    paths_share: float = 1.0,
    rank: str | None = None,
) -> Picture:
    """Choose what is drawn of a map; see `map_svg` (with `rank`, the greatest of that column stay under the cap)."""
    tables = _tables_of(source) if isinstance(source, ProcessMap) else source
    level = source.level if isinstance(source, ProcessMap) else level
    nodes = tables["nodes"].frame.filter(level=level)
    edges = tables["edges"].frame.filter(~pl.col("source").str.starts_with(END), level=level)
    every = edges.filter(pl.col("source") != ELSEWHERE)
    shares = {"activities_share": activities_share, "paths_share": paths_share}
    kept, shown = drawn(nodes, edges, **shares)
    if rank is not None:
        flow = filter_to(nodes, edges, **shares)[1].filter(pl.col("source") != ELSEWHERE)
        shown = flow.sort(pl.col(rank).abs(), descending=True, nulls_last=True).head(MOST_EDGES)
    phases = tables["nodes"].frame.filter(~pl.col("activity").str.starts_with(END), level="phase")
    return Picture(
        level=level,
        nodes=kept,
        edges=shown,
        layout=layout_of(tables).filter(level=level),
        every=every,
        n_nodes=count_steps(nodes),
        hidden_share=_hidden_share(edges, shown),
        phase_labels={row["phase"]: _labels(row) for row in phases.iter_rows(named=True)},
        facts=_facts(tables),
        replay=replay_at(tables["replay"].frame, level, activities_share, paths_share)
        if "replay" in tables
        else None,
    )


def replay_at(
    replay: pl.DataFrame, level: Level, activities_share: float, paths_share: float
) -> Mapping[str, Any] | None:
    """Return the row of a released ``replay`` at a position of the sliders; None where it has none."""
    at = replay.filter(level=level, activities=round(100 * activities_share), paths=round(100 * paths_share))
    return at.row(0, named=True) if at.height else None


def replay_sentence(row: Mapping[str, Any], language: Language) -> str:
    """Say how many pathways a map tells whole: *20 steps explain 83 % of pathways*."""
    told, replayed = (
        _at_least(row[name], row["grain"], language) for name in ("told_share", "replayed_share")
    )
    counts = {"steps": row["n_steps"], "paths": row["n_paths"]}
    written = {name: writing.number(n, language) for name, n in counts.items()}
    if told is None:
        return ""
    first = say(language, "told", share=told, **written)
    return first if replayed is None else first + say(language, "replayed", share=replayed, **written)


def _at_least(share: float | None, grain: float, language: Language) -> str | None:
    if share is None:
        return None
    if share == 0:
        return say(language, "less_than", share=writing.percent(grain, language))
    return writing.percent(share, language)


def count_steps(nodes: pl.DataFrame) -> int:
    """Count the nodes that are steps of care: outcomes are none."""
    return nodes.filter(~pl.col("activity").str.starts_with(END)).height


def layout_of(tables: Mapping[str, Released]) -> pl.DataFrame:
    """Return the released layout, or compute it where the tables have none."""
    if "layout" in tables:
        return tables["layout"].frame
    return lay_out(tables["nodes"].frame, tables["edges"].frame)


def _labels(row: Mapping[str, Any]) -> dict[str, str]:
    return {"fr": row["label_fr"], "en": row["label_en"]}


def _hidden_share(edges: pl.DataFrame, shown: pl.DataFrame) -> float | None:
    pooled = edges.filter(pl.col("source") == ELSEWHERE)["n_events"]
    total = int(edges["n_events"].sum())
    if pooled.null_count() or not total:
        return None
    return 1 - int(shown["n_events"].sum()) / total


def _facts(tables: Mapping[str, Released]) -> Facts:
    meta = tables["edges"].meta
    row = tables["summary"].frame.row(0, named=True) if "summary" in tables else {}
    title = {name: str(row.get(f"pathway_label_{name}") or "") for name in ("fr", "en")}
    filters, threshold = meta.get("filters") or (), meta.get("threshold")
    words = tuple(filters) if isinstance(filters, list | tuple) else ()
    return Facts(
        title={name: words for name, words in title.items() if words},
        n_patients=int(str(row.get("n_patients") or meta.get("denominator") or 0)),
        filters=(*words[:-1], f"{words[-1]} [{meta.get('filter_hash', '')}]") if words else (),
        study=str(meta.get("study") or ""),
        threshold=int(str(threshold)) if threshold is not None else None,
        cutoff=row.get("cutoff"),
        synthetic=bool(row.get("synthetic")),
    )


def _tables_of(process_map: ProcessMap) -> dict[str, Released]:
    """Give a map the form of released tables, unprotected: no threshold is said."""
    name = pl.col("activity")
    labels = {f"label_{x}": name.replace({o: words[x] for o, words in LABELS.items()}) for x in ("fr", "en")}
    nodes = pl.concat([process_map.nodes, process_map.outcome_nodes()], how="diagonal").with_columns(
        level=pl.lit(process_map.level),
        phase=pl.when(name.is_in(OUTCOMES)).then(pl.lit("outcome")).otherwise(name),
        order=pl.lit(0),
        **labels,
    )
    edges = process_map.flow().with_columns(level=pl.lit(process_map.level))
    meta: dict[str, object] = {"denominator": process_map.n_patients}
    return {"nodes": Released("nodes", nodes, meta), "edges": Released("edges", edges, meta)}


def draw(
    picture: Picture,
    *,
    language: Language = "fr",
    measure: str = "n_patients",
    delta: str | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    interactive: bool = False,
) -> str:
    """Return a picture as SVG.

    Parameters
    ----------
    picture : Picture
        From `picture_of`.
    language, measure, delta, title, notes
        As in `map_svg`.
    interactive : bool
        For a page that has the style and prints the facts itself: steps and passages carry keys
        (``data-key``) and roles, colours are left to the page, and nothing is printed around the map.
    """
    look = _Look(language, measure, delta)
    nodes, edges = fold_death(picture.nodes, picture.edges)
    whole = picture
    picture = replace(picture, nodes=nodes, edges=edges)
    steps = _steps(picture, language, delta)
    boxes = _boxes(picture)
    names = {step.key: step.label for step in steps}
    names = {START: say(language, "start"), END: say(language, "end"), **names}
    passages = _passages(picture, names, look)
    routes = route(list(boxes.values()), [passage.link for passage in passages])
    area = _area(boxes, routes)
    body = [
        *_lanes(picture, boxes, area, language),
        *(_arrow(passage, routes[passage.ends], interactive) for passage in passages),
        *(_card(step, boxes[step.key], interactive) for step in steps),
        *(_terminal(boxes[key], names[key]) for key in (START, END) if key in boxes),
        *(_label(passage, routes[passage.ends].label) for passage in passages if passage.label),
        *_residual(picture, area, language, interactive),
    ]
    if interactive:
        name, style = _summary(whole, language), tag("style", MAP_STYLE)
        return window([style, *body], _wider(area), "process-map", name, data_level=picture.level)
    head = title or picture.facts.title.get(language, "") or say(language, "map")
    lines = [*_fact_lines(whole, language), *_legend(picture, look), *notes]
    return _framed(picture, body, area, language, (head, *lines))


@dataclass(frozen=True)
class _Look:
    """What is shown of a picture, and in which language."""

    language: Language
    measure: str
    delta: str | None

    @property
    def column(self) -> str:
        return self.delta or self.measure

    def written(self, value: float | None) -> str:
        if self.delta:
            return writing.points(value, self.language)
        if self.measure in DELAYS:
            return writing.days(value, self.language)
        return writing.number(value, self.language)

    def tone(self, value: float | None) -> str:
        if self.delta:
            return _sign(value) or "none"
        return "delay" if self.measure in DELAYS else "count"


@dataclass(frozen=True)
class _Step:
    """A step ready to be drawn: its lines of text, its share of the patients, its colour."""

    key: str
    lines: tuple[str, ...]
    count: str
    share: float
    colour: str
    tone: str = ""

    @property
    def label(self) -> str:
        return " ".join(self.lines)


@dataclass(frozen=True)
class _Passage:
    """A passage ready to be drawn: its ends, its name, its label, its width and tone."""

    ends: Key
    name: str
    label: str
    width: float
    weight: float
    tone: str

    @property
    def key(self) -> str:
        return ARROW.join(self.ends)

    @property
    def link(self) -> Link:
        width = width_of(self.label, EDGE_LABEL_SIZE) + 4 if self.label else 0.0
        return Link(*self.ends, width, LABEL_HEIGHT, self.weight)


def _steps(picture: Picture, language: Language, delta: str | None) -> list[_Step]:
    colours = phase_colours(sorted({*picture.nodes["phase"], *picture.phase_labels}))
    total = picture.facts.n_patients
    rows = picture.nodes.sort("median_day", "activity", nulls_last=True).iter_rows(named=True)
    return [
        _Step(
            key=row["activity"],
            lines=lines_of(row[f"label_{language}"]),
            count=_count(row["n_patients"], total, language)
            if delta not in row
            else writing.points(row[delta], language),
            share=min(1.0, (row["n_patients"] or 0) / total) if total else 0.0,
            colour=colours[row["phase"]],
            tone=_sign(row[delta]) if delta in row else "",
        )
        for row in rows
    ]


def _count(patients: int | None, total: int, language: Language) -> str:
    if patients is None:
        return say(language, "hidden_count")
    share = f" · {writing.percent(patients / total, language)}" if total else ""
    return f"{writing.number(patients, language)}{share}"


def _sign(value: float | None) -> str:
    return "" if not value else "more" if value > 0 else "less"


def _boxes(picture: Picture) -> dict[str, Box]:
    drawn = {*picture.nodes["activity"], *picture.edges["source"], *picture.edges["target"]}
    placed = picture.layout.filter(pl.col("activity").is_in(list(drawn)))
    rows = placed.select("activity", "lane", "x", "y", "width", "height").rows()
    return {row[0]: Box(*row) for row in rows}


def _passages(picture: Picture, names: Mapping[str, str], look: _Look) -> list[_Passage]:
    scale, heaviest = _largest(picture.every[look.column]), _largest(picture.every["n_events"])
    known = "tied_share" in picture.edges.columns
    tied = picture.edges["tied_share"] if known else [None] * picture.edges.height
    rows = picture.edges.select("source", "target", value=look.column, n="n_events").rows()
    return [
        _Passage(
            ends=(source, target),
            name=f"{names[source]} {ARROW} {names[target]} : {look.written(value)}",
            label="" if value is None else look.written(value) + _tie(tie),
            width=THINNEST + (THICKEST - THINNEST) * (abs(value or 0) / scale) ** 0.75,
            weight=(n or 0) / heaviest,
            tone=look.tone(value),
        )
        for (source, target, value, n), tie in zip(rows, tied, strict=True)
    ]


def _largest(values: pl.Series) -> float:
    return max((abs(value) for value in values.drop_nulls()), default=0) or 1.0


def _tie(share: float | None) -> str:
    return " ≈" if share is not None and share >= TIE_SHARE else ""


def _area(boxes: Mapping[str, Box], routes: Mapping[Key, Route]) -> Window:
    """Return what the steps and passages cover: left, top, width, height."""
    points = [point for one in routes.values() for point in one.points]
    xs = [*(b.left for b in boxes.values()), *(b.right for b in boxes.values()), *(x for x, _ in points)]
    ys = [*(b.top for b in boxes.values()), *(b.bottom for b in boxes.values()), *(y for _, y in points)]
    left, top = min(xs, default=0.0), min(ys, default=0.0)
    return left, top - 6, max(xs, default=0.0) - left, max(ys, default=0.0) - top + 12


def _wider(area: Window) -> Window:
    left, top, width, height = area
    return left - PAD, top - PAD - 22, width + 2 * PAD, height + 2 * PAD + 58


def _lanes(picture: Picture, boxes: Mapping[str, Box], area: Window, language: Language) -> Iterator[str]:
    """Yield the ground of each lane with the names of its phases above it."""
    phases = dict(picture.nodes.select("activity", "phase").rows())
    by_lane: dict[int, list[Box]] = {}
    for box in boxes.values():
        if box.key in phases and not is_outcome(box.key):
            by_lane.setdefault(box.lane, []).append(box)
    for members in by_lane.values() if picture.level != "phase" else ():
        left, right = min(box.left for box in members) - 12, max(box.right for box in members) + 12
        ground = {"x": left, "y": area[1] - 4, "width": right - left, "height": area[3] + 8}
        yield tag("rect", class_="lane", **ground, rx=10)
        names = dict.fromkeys(
            picture.phase_labels.get(phases[box.key], {}).get(language, "") for box in members
        )
        known = [name for name in names if name]
        yield text(" · ".join(known), (left + right) / 2, area[1] - 12, "lane-label")


def _arrow(passage: _Passage, one: Route, interactive: bool) -> str:
    start, *rest = (f"{x:.1f} {y:.1f}" for x, y in one.points)
    path = f"M{start}C{' '.join(rest)}"
    shapes = [
        tag("path", class_="line", d=path, stroke_width=passage.width),
        tag("path", class_="head", d=_head(one, passage.width)),
    ]
    if interactive:
        reach = tag("path", class_="reach", d=path)
        kind, ends = f"edge {passage.tone}", " ".join(passage.ends)
        return part(passage.key, passage.name, kind, reach, *shapes, data_ends=ends)
    return tag("g", tag("title", _escaped(passage.name)), *shapes, class_=f"edge {passage.tone}")


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _head(one: Route, width: float) -> str:
    """Return the arrow's triangle, wider for a wider arrow."""
    (x0, y0), (x1, y1) = one.points[-1], one.tip
    length, half = math.hypot(x1 - x0, y1 - y0) or 1.0, 3.2 + width * 0.75
    dx, dy = half * (x1 - x0) / length, half * (y1 - y0) / length
    return f"M{x0 - dy:.1f} {y0 + dx:.1f}L{x1:.1f} {y1:.1f}L{x0 + dy:.1f} {y0 - dx:.1f}Z"


def _label(passage: _Passage, centre: Point) -> str:
    """Return a passage's label, drawn after all passages so that none crosses it."""
    (x, y), width = centre, passage.link.label_width
    corner = {"x": x - width / 2, "y": y - LABEL_HEIGHT / 2}
    pill = tag("rect", class_="pill", **corner, width=width, height=LABEL_HEIGHT, rx=5)
    kind = f"edge-label {passage.tone}-text" if passage.tone in ("less", "more") else "edge-label"
    named = {"data_for": passage.key, "data_ends": " ".join(passage.ends), "aria_hidden": "true"}
    return tag("g", pill, text(passage.label, x, y + 4.5, kind), class_=f"label {passage.tone}", **named)


def _card(step: _Step, box: Box, interactive: bool) -> str:
    x, y, middle = box.left, box.top, box.x + 3
    spine = f"M{x + 8:.1f} {y:.1f}h-1a7 7 0 0 0 -7 7v{box.height - 14:.1f}a7 7 0 0 0 7 7h1z"
    bar = {"x": x + 8, "y": box.bottom - 5, "width": (box.width - 12) * step.share, "height": 4}
    last = box.y + LINE_HEIGHT * (len(step.lines) + 1) / 2 - 4
    first = last - LINE_HEIGHT * len(step.lines) - 1
    inner = {"x": x + 3, "y": y + 3, "width": box.width - 6, "height": box.height - 6}
    ends = is_outcome(step.key)
    kind = f"step-count {step.tone}-text" if step.tone else "step-count"
    shapes = [
        tag("rect", class_="card", x=x, y=y, width=box.width, height=box.height, rx=8, stroke=step.colour),
        tag("rect", class_="inner", **inner, rx=6, stroke=step.colour)
        if ends
        else tag("path", d=spine, fill=step.colour),
        *(text(line, middle, first + i * LINE_HEIGHT, "step-label") for i, line in enumerate(step.lines)),
        text(step.count, middle, last, kind),
        tag("rect", **bar, fill=step.colour, opacity="0.75"),
    ]
    name = f"{step.label} : {step.count}"
    if interactive:
        return part(step.key, name, "step", *shapes)
    return tag("g", tag("title", _escaped(name)), *shapes, class_="step")


def _terminal(box: Box, name: str) -> str:
    """Return the start (a circle) or the bare end (a square)."""
    if box.key == START:
        shape = tag("circle", class_="terminal", cx=box.x, cy=box.y, r=box.width / 2 - 2)
    else:
        size = {"width": box.width - 6, "height": box.height - 6}
        shape = tag("rect", class_="terminal", x=box.left + 3, y=box.top + 3, **size, rx=4)
    return tag("g", tag("title", _escaped(name)), shape, text(name, box.x, box.y + 5, "end-label"))


def _residual(picture: Picture, area: Window, language: Language, interactive: bool) -> Iterator[str]:
    """Yield the flow that is not drawn: one dashed arrow under the whole map."""
    if picture.hidden_share is not None and picture.hidden_share < NOTHING:
        return
    share = picture.hidden_share
    said = (
        say(language, "hidden_flow_unsaid")
        if share is None
        else say(language, "hidden_flow", share=writing.percent(share, language))
    )
    left, top, width, height = area
    y = top + height + 24
    line = ((left + 40, y), (left + width / 3, y), (left + 2 * width / 3, y), (left + width - 40 - 9, y))
    one = Route(line, (left + width - 40, y), (left + width / 2, y))
    passage = _Passage((ELSEWHERE, ELSEWHERE), said, said, THINNEST, 0.0, "hidden")
    yield _arrow(passage, one, interactive)
    yield _label(passage, one.label)


def _summary(picture: Picture, language: Language) -> str:
    return f"{say(language, 'map')}. {_drawn(picture, language)}"


def _drawn(picture: Picture, language: Language) -> str:
    counts = {
        "nodes": count_steps(picture.nodes),
        "all_nodes": picture.n_nodes,
        "edges": picture.edges.height,
        "all_edges": picture.every.height,
    }
    return say(language, "drawn", **{name: writing.number(n, language) for name, n in counts.items()})


def _framed(
    picture: Picture, body: Sequence[str], area: Window, language: Language, words: Sequence[str]
) -> str:
    """Return a map that stands alone: on paper, with its title and, below it, legend and facts."""
    left, top, width, height = area
    head, *lines = words
    room = max([width_of(line, 14) for line in lines] + [width_of(head, 22), width])
    below = top + height + 58
    foot = [text(line, left, below + i * FACT_LINE, _kind(line, language)) for i, line in enumerate(lines)]
    bottom = below + len(lines) * FACT_LINE
    colours, swatches = _swatches(picture, left, bottom, room, language)
    high = top - HEAD_ROOM - PAD
    whole = (left - PAD, high, room + 2 * PAD, bottom + swatches + PAD - high)
    paper = tag("rect", x=whole[0], y=whole[1], width=whole[2], height=whole[3], fill="#ffffff")
    size = {"width": f"{whole[2]:.0f}", "height": f"{whole[3]:.0f}"}
    heading = text(head, left, top - 48, "title")
    inside = [tag("style", plain(MAP_STYLE)), paper, heading, *body, *foot, *colours]
    return window(inside, whole, "process-map", _summary(picture, language), **size)


def _kind(line: str, language: Language) -> str:
    loud = (say(language, "synthetic"), say(language, "unreleased"))
    return "warning" if line.startswith(loud) else "fact"


def _fact_lines(picture: Picture, language: Language) -> Iterator[str]:
    facts = picture.facts
    if facts.synthetic:
        yield say(language, "synthetic")
    said = [
        say(language, "patients", n=writing.number(facts.n_patients, language)) if facts.n_patients else "",
        _drawn(picture, language),
        say(language, "filters", filters="; ".join(facts.filters))
        if facts.filters
        else say(language, "no_filter"),
        say(language, "cutoff", day=writing.date(facts.cutoff, language)) if facts.cutoff else "",
        say(language, "study", study=facts.study[:12]) if facts.study else "",
        say(language, "threshold", threshold=str(facts.threshold)) if facts.threshold else "",
    ]
    if picture.replay is not None:
        told = replay_sentence({**picture.replay, "n_paths": picture.edges.height}, language)
        yield from [told] if told else []
    yield " · ".join(words for words in said if words)
    if facts.threshold is None:
        yield say(language, "unreleased")


def _legend(picture: Picture, look: _Look) -> Iterator[str]:
    language, shown = look.language, picture.edges[look.column].drop_nulls()
    if shown.len():
        low, high = look.written(min(shown)), look.written(max(shown))
        key = "legend_difference" if look.delta else "legend_width"
        yield say(language, key, measure=TEXTS[language].get(look.measure, look.measure), low=low, high=high)
    if picture.hidden_share is None or picture.hidden_share > NOTHING:
        yield say(language, "legend_hidden")
    if "tied_share" in picture.edges.columns and (picture.edges["tied_share"] >= TIE_SHARE).any():
        yield say(language, "legend_tie")


def _swatches(
    picture: Picture, left: float, top: float, room: float, language: Language
) -> tuple[list[str], float]:
    """Return the phases drawn, each with its colour, in rows as wide as the map; and the height of these rows."""
    colours = phase_colours(sorted({*picture.nodes["phase"], *picture.phase_labels}))
    drawn = dict.fromkeys(picture.nodes.sort("order", "median_day", nulls_last=True)["phase"])
    names = {phase: picture.phase_labels.get(phase, {}).get(language, "") for phase in drawn}
    shapes, x, y = [], left, top + 4.0
    for phase, name in names.items():
        if not name:
            continue
        width = 22 + width_of(name, 14) + 18
        if x + width > left + room:
            x, y = left, y + FACT_LINE
        shapes += [
            tag("rect", x=x, y=y - 11, width=14, height=14, rx=3, fill=colours[phase]),
            text(name, x + 22, y, "fact"),
        ]
        x += width
    return shapes, y - top + FACT_LINE if shapes else 0.0
