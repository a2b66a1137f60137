"""Pictures of maps: where steps stand, how passages go, as SVG and PNG; the app, exports and scripts share them."""

from __future__ import annotations

from pathways.drawing.differences import difference_map
from pathways.drawing.maps import (
    Facts,
    Picture,
    count_steps,
    draw,
    map_svg,
    picture_of,
    replay_at,
    replay_sentence,
)
from pathways.drawing.places import LAYOUT_COLUMNS, lay_out, release_layout
from pathways.drawing.png import map_png, svg_to_png

__all__ = [
    "LAYOUT_COLUMNS",
    "Facts",
    "Picture",
    "count_steps",
    "difference_map",
    "draw",
    "lay_out",
    "map_png",
    "map_svg",
    "picture_of",
    "release_layout",
    "replay_at",
    "replay_sentence",
    "svg_to_png",
]
