"""A map as PNG: the SVG drawn by resvg, with a font that comes along, so that any machine gives the same picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import resvg_py

from pathways.disclosure.policy import Released
from pathways.drawing.maps import map_svg
from pathways.mining.maps import ProcessMap

FONT = "DejaVu Sans"
"""Bundled with matplotlib, which pm4py needs."""


def map_png(source: ProcessMap | Mapping[str, Released], *, zoom: float = 2.0, **options: Any) -> bytes:
    """Return a map as PNG.

    Parameters
    ----------
    source : ProcessMap or mapping of str to Released
        As in `map_svg`.
    zoom : float
        Pixels a point.
    **options
        Those of `map_svg`.
    """
    return svg_to_png(map_svg(source, **options), zoom=zoom)


def svg_to_png(svg: str, *, zoom: float = 2.0) -> bytes:
    """Draw an SVG of this package as PNG; no font of the machine is used."""
    return bytes(
        resvg_py.svg_to_bytes(
            svg_string=svg,
            zoom=zoom,
            skip_system_fonts=True,
            font_files=[str(font) for font in _fonts()],
            font_family=FONT,
            sans_serif_family=FONT,
        )
    )


def _fonts() -> list[Path]:
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return [folder / name for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf")]
