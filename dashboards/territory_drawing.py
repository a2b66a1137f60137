"""The territory map as SVG: shaded by class, hatched where suppressed, hotspots outlined."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl

from dashboards.colours import CIVIDIS
from dashboards.views import BreakdownView
from dashboards.words import Words
from pathways.drawing.markup import drawing, part, tag, text
from pathways.drawing.routes import Point

WIDTH = 640.0
MEAN_LATITUDE = 46.5
OVERSEAS = "97"
HATCH = tag(
    "defs",
    tag(
        "pattern",
        tag("rect", class_="hatch-paper", width=6, height=6),
        tag("line", class_="hatch-line", x1=0, y1=0, x2=0, y2=6),
        id="hatch",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    ),
)

Ring = list[Point]


def territory_map(view: BreakdownView, words: Words) -> str:
    """Return the map of the départements, each a part that can be chosen and says its numbers."""
    known = _outlines()
    rows = view.territories.filter(pl.col("territory").is_in(list(known))).sort("hotspot", "territory")
    body = [HATCH, *(_territory(row, known, words) for row in rows.iter_rows(named=True)), _inset_labels()]
    name = f"{words('territory.map_title')}. {words('territory.map_summary')}"
    return drawing(body, WIDTH, _height(), "territory-map", name)


@cache
def territory_names() -> pl.DataFrame:
    """Return ``territory``, ``name`` and ``region`` of the 101 départements."""
    rows = [feature["properties"] for feature in _features()]
    return pl.DataFrame(rows).select(pl.col("code").alias("territory"), "name", "region")


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


def _territory(row: Mapping[str, Any], outlines: Mapping[str, str], words: Words) -> str:
    name = f"{row['name']} ({row['territory']}) : {territory_sentence(row, words)}"
    fill = "url(#hatch)" if row["shade"] is None else CIVIDIS[row["shade"]]
    kind = "territory hotspot" if row["hotspot"] else "territory"
    return part(row["territory"], name, kind, tag("path", d=outlines[row["territory"]], fill=fill))


@cache
def _features() -> list[dict[str, Any]]:
    content = (files("dashboards") / "geo" / "departements.geojson").read_text(encoding="utf-8")
    features: list[dict[str, Any]] = json.loads(content)["features"]
    return features


@cache
def _rings() -> dict[str, list[Ring]]:
    return {
        feature["id"]: [ring for polygon in feature["geometry"]["coordinates"] for ring in polygon]
        for feature in _features()
    }


@cache
def _outlines() -> dict[str, str]:
    return {code: "".join(map(_outline, rings)) for code, rings in _rings().items()}


def _outline(ring: Ring) -> str:
    spots = (f"{x:.1f} {y:.1f}" for x, y in map(_project, ring))
    return f"M{'L'.join(spots)}Z"


@cache
def _frame() -> tuple[float, float, float, float]:
    points = [point for rings in _rings().values() for ring in rings for point in ring]
    longitudes, latitudes = zip(*points, strict=True)
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


@cache
def _points_per_degree() -> Point:
    """Return points for one degree of longitude and of latitude: true to shape at the mean latitude."""
    west, _, east, _ = _frame()
    across = WIDTH / (east - west)
    return across, across / math.cos(math.radians(MEAN_LATITUDE))


def _height() -> float:
    _, south, _, north = _frame()
    return (north - south) * _points_per_degree()[1]


def _project(point: Point) -> Point:
    west, _, _, north = _frame()
    across, down = _points_per_degree()
    return (point[0] - west) * across, (north - point[1]) * down


@cache
def _inset_labels() -> str:
    """Name the overseas départements under their insets."""
    rows = territory_names().filter(pl.col("territory").str.starts_with(OVERSEAS)).select("territory", "name")
    return "".join(_inset_label(name, _rings()[code]) for code, name in rows.iter_rows())


def _inset_label(name: str, rings: list[Ring]) -> str:
    across, down = zip(*(_project(point) for ring in rings for point in ring), strict=True)
    return text(name, (min(across) + max(across)) / 2, max(down) + 13, "inset-label")
