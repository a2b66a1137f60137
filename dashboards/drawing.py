"""A Dash component: an SVG whose parts can be chosen, by mouse or keyboard. Its script is ``assets/drawing.js``."""

from __future__ import annotations

from typing import Any

from dash.development.base_component import Component

PROPS = ("id", "svg", "chosen", "marked", "caption", "zoomable", "words", "className")


class Drawing(Component):
    """An SVG drawing.

    Parameters
    ----------
    id : str
    svg : str
        The markup. A part that can be chosen has a ``data-key`` (and ``data-ends``, the keys that it joins).
    chosen : str
        Key of the part last chosen by the user; an empty text when the choice is undone.
    marked : str
        Key of the part to mark.
    caption : str
        A line above the drawing, where it is zoomable.
    zoomable : bool
        Whether it can be moved and enlarged; then ``words`` names the buttons (``in``, ``out``, ``fit``).
    words : dict
    className : str
    """

    _namespace = "care_pathways"
    _type = "Drawing"
    _prop_names: list[str] = list(PROPS)  # noqa: RUF012
    _valid_wildcard_attributes: list[str] = []  # noqa: RUF012
    available_properties: list[str] = list(PROPS)  # noqa: RUF012
    available_wildcard_properties: list[str] = []  # noqa: RUF012

    def __init__(self, **props: Any) -> None:
        super().__init__(**props)  # type: ignore[no-untyped-call]
