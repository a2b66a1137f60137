"""Pictures of maps: well-formed, every step labelled and in its place, nothing cut off, and PNG that opens."""

from __future__ import annotations

import io
from datetime import datetime
from itertools import combinations, product
from xml.etree import ElementTree

import matplotlib.image
import polars as pl
import pytest

from eventlogs.log import EventLog
from pathways import definition
from pathways.disclosure import Released, release_map
from pathways.drawing import lay_out, map_png, map_svg, picture_of
from pathways.drawing.colours import LESS, MORE
from pathways.drawing.places import LAYOUT_COLUMNS
from pathways.drawing.routes import Box, Link, route
from pathways.drawing.writing import lines_of
from pathways.mining.kernels import END, START
from pathways.mining.maps import ProcessMap, process_maps
from pathways.mining.outcomes import DEAD, FOLLOWED, LOST

SVG = "{http://www.w3.org/2000/svg}"
COURSES = (
    (40, "mammography breast_biopsy pathology_exam mastectomy chemotherapy_session chemotherapy_session"),
    (60, "mammography breast_biopsy breast_conserving_surgery radiotherapy_session gp_consultation"),
    (30, "gp_consultation mammography breast_biopsy pathology_exam breast_conserving_surgery mammography"),
    (25, "breast_biopsy chemotherapy_session mastectomy hospital_stay palliative_care death"),
)


def log_of() -> EventLog:
    rows = [
        (f"{course}-{patient}", activity, 9 * day)
        for course, (n, words) in enumerate(COURSES)
        for patient in range(n)
        for day, activity in enumerate(words.split())
    ]
    frame = pl.DataFrame(rows, schema=["patient_id", "activity", "day"], orient="row")
    start = pl.lit(datetime(2020, 1, 1)) + pl.duration(days="day")
    return EventLog.create(frame.select("patient_id", "activity", start=start))


@pytest.fixture(scope="module")
def tables() -> dict[str, Released]:
    pathway = definition.load("breast_cancer")
    return {table.name: table for table in release_map(process_maps(log_of(), pathway), pathway=pathway)}


def texts(svg: str) -> list[str]:
    return ["".join(one.itertext()) for one in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize(("level", "language"), [*product(["activity", "phase"], ["fr", "en"])])
def test_every_step_is_labelled_and_everything_has_a_title(tables, level, language) -> None:
    svg = map_svg(tables, level=level, language=language)
    nodes = tables["nodes"].frame.filter(level=level)
    said = texts(svg)
    for label in nodes[f"label_{language}"]:
        assert set(lines_of(label)) <= set(said)
    titles = [one.text or "" for one in ElementTree.fromstring(svg).iter(f"{SVG}title")]
    arrows = tables["edges"].frame.filter(level=level, source=START)
    assert len(titles) >= nodes.height + arrows.height
    assert "var(" not in svg and "href" not in svg


def test_what_it_was_made_from_is_printed(tables) -> None:
    svg = map_svg(tables, activities_share=0.5, paths_share=0.2, notes=["written by hand"], title="A & B")
    printed = " ".join(texts(svg))
    for words in (
        "155 patients",
        "aucun effectif sous 11",
        "sans filtre",
        "written by hand",
        "A & B",
        "flux masqué",
    ):
        assert words in printed


def test_nothing_is_drawn_outside_the_paper(tables) -> None:
    root = ElementTree.fromstring(map_svg(tables))
    left, top, width, height = (float(word) for word in root.attrib["viewBox"].split())
    for one in root.iter(f"{SVG}text"):
        assert left <= float(one.attrib["x"]) <= left + width
        assert top + 12 <= float(one.attrib["y"]) <= top + height
    for one in root.iter(f"{SVG}rect"):
        assert float(one.attrib["x"]) >= left - 1
        assert float(one.attrib["x"]) + float(one.attrib["width"]) <= left + width + 1


def test_steps_do_not_overlap_and_lanes_go_with_time(tables) -> None:
    layout = lay_out(tables["nodes"].frame, tables["edges"].frame)
    assert dict(layout.schema) == {name: kind() for name, kind in LAYOUT_COLUMNS.items()}
    for level in ("activity", "phase"):
        boxes = layout.filter(level=level).to_dicts()
        for a, b in combinations(boxes, 2):
            apart = max(
                abs(a["x"] - b["x"]) - (a["width"] + b["width"]) / 2,
                abs(a["y"] - b["y"]) - (a["height"] + b["height"]) / 2,
            )
            assert apart > 20
    lane = dict(layout.filter(level="phase").select("activity", "lane").rows())
    assert lane[START] == 0 and lane[FOLLOWED] == lane[LOST] == max(lane.values()) == lane["death"]
    assert DEAD not in lane and END not in lane
    assert lane["imaging"] <= lane["diagnosis"] <= lane["surgery"] <= lane["palliative_care"] < lane["death"]


@pytest.mark.parametrize(("activities", "paths"), [*product([0.2, 0.6, 1.0], [0.05, 0.5, 1.0])])
def test_no_slider_moves_a_step(tables, activities, paths) -> None:
    whole = map_svg(tables)
    places = {name: (x, y) for name, x, y in cards(whole)}
    for name, x, y in cards(map_svg(tables, activities_share=activities, paths_share=paths)):
        assert places[name] == (x, y)


def cards(svg: str) -> list[tuple[str, str, str]]:
    steps = [one for one in ElementTree.fromstring(svg).iter(f"{SVG}g") if one.get("class") == "step"]
    found = [(step.findtext(f"{SVG}title") or "", step.find(f"{SVG}rect")) for step in steps]
    return [(name, rect.attrib["x"], rect.attrib["y"]) for name, rect in found if rect is not None]


def test_a_map_that_was_not_released_says_so() -> None:
    svg = map_svg(ProcessMap.from_log(log_of()), language="en")
    assert any("not protected" in words for words in texts(svg))


def test_differences_are_coloured_by_sign_and_said_in_points(tables) -> None:
    n = pl.col("n_events")
    edges = tables["edges"].frame.with_columns(gap=pl.when(n < 50).then(-0.04).when(n > 60).then(0.123))
    svg = map_svg({**tables, "edges": Released("edges", edges, tables["edges"].meta)}, delta="gap")
    assert {"−4,0", "+12,3"} <= set(texts(svg))
    assert LESS in svg and MORE in svg
    kinds = {one.get("class") for one in ElementTree.fromstring(svg).iter(f"{SVG}g")}
    assert {"edge less", "edge more", "edge none"} <= kinds


def test_a_png_opens(tables) -> None:
    image = matplotlib.image.imread(io.BytesIO(map_png(tables, level="phase", zoom=1.0)))
    assert image.shape[0] > 200 and image.shape[1] > 600
    assert image[..., :3].min() < 0.3 < image[..., :3].max()


def test_at_most_150_passages_are_drawn_and_the_rest_is_said(tables) -> None:
    one = tables["edges"].frame.filter(level="activity", source="mammography").head(1)
    many = pl.concat(
        [
            one.with_columns(target=pl.lit("gp_consultation"), n_events=pl.lit(i, pl.Int64))
            for i in range(11, 211)
        ]
    )
    edges = Released("edges", pl.concat([tables["edges"].frame, many]), tables["edges"].meta)
    picture = picture_of({**tables, "edges": edges})
    assert picture.edges.height == 150
    assert picture.hidden_share is not None and picture.hidden_share > 0


def test_a_passage_goes_round_the_steps_between() -> None:
    boxes = [Box(name, lane, 200.0 * lane, 0.0, 80.0, 60.0) for lane, name in enumerate("abc")]
    routed = route(boxes, [Link("a", "c", 20, 18, 1.0), Link("c", "a", 20, 18, 0.5)])
    for one in routed.values():
        inside = [y for x, y in one.points if 160 <= x <= 240]
        assert inside and all(abs(y) > 30 for y in inside)
    assert routed["a", "c"].points[3][1] != routed["c", "a"].points[3][1]
