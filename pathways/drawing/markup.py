"""SVG markup: one function makes every element, and escapes every word."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

MARGIN = 14.0

Window = tuple[float, float, float, float]


def tag(name: str, *children: str, **attributes: str | float) -> str:
    """Return one element.

    Parameters
    ----------
    name : str
    *children : str
        Markup that is already made; text comes from `words_in_svg`.
    **attributes : str or float
        ``_`` at the end of a name is dropped, inside it is a dash; numbers are written with one decimal.
    """
    written = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items())
    inside = "".join(children)
    return f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>"


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def text(words: str, x: float, y: float, kind: str) -> str:
    """Return a line of text of a class of the style sheet."""
    return tag("text", escape(words), class_=kind, x=x, y=y)


def part(key: str, name: str, kind: str, *children: str, **attributes: str) -> str:
    """Return a part that can be chosen: it has a key, and a name that is shown and read out."""
    title = tag("title", escape(name))
    named = {"role": "button", "aria_label": name, **attributes}
    return tag("g", title, *children, class_=kind, data_key=key, **named)


def drawing(body: Iterable[str], width: float, height: float, kind: str, name: str) -> str:
    """Return a whole drawing with its margins."""
    inside = tag("g", *body, transform=f"translate({MARGIN:.0f} {MARGIN:.0f})")
    return window([inside], (0.0, 0.0, width + 2 * MARGIN, height + 2 * MARGIN), kind, name)


def window(body: Iterable[str], area: Window, kind: str, name: str, **attributes: str) -> str:
    """Return a drawing that shows an area of its coordinates: left, top, width, height."""
    box = " ".join(f"{value:.0f}" for value in area)
    return tag(
        "svg",
        *body,
        xmlns="http://www.w3.org/2000/svg",
        class_=kind,
        viewBox=box,
        data_box=box,
        role="group",
        aria_label=name,
        **attributes,
    )


def notice(words: str) -> str:
    """Return a drawing that is one sentence."""
    return drawing([text(words, 450, 140, "step-label")], 900, 280, "notice", words)
