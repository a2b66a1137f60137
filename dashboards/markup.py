"""SVG markup: one function makes every element, and escapes every word."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape
from importlib.resources import files

MARGIN = 14.0
FOOT_LINE = 18.0


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
    wide, high = width + 2 * MARGIN, height + 2 * MARGIN
    return tag(
        "svg",
        tag("g", *body, transform=f"translate({MARGIN:.0f} {MARGIN:.0f})"),
        xmlns="http://www.w3.org/2000/svg",
        class_=kind,
        viewBox=f"0 0 {wide:.0f} {high:.0f}",
        data_width=wide,
        data_height=high,
        role="group",
        aria_label=name,
    )


def notice(words: str) -> str:
    """Return a drawing that is one sentence."""
    return drawing([text(words, 450, 140, "step-label")], 900, 280, "notice", words)


def standalone(svg: str, lines: list[str]) -> str:
    """Return a drawing that can be opened alone: on paper, its style inside, and lines that say what it is."""
    box = svg.partition('viewBox="0 0 ')[2].partition('"')[0]
    width, height = (float(word) for word in box.split())
    taller = height + FOOT_LINE * (len(lines) + 1)
    foot = [text(line, MARGIN, height + FOOT_LINE * (place + 1), "foot") for place, line in enumerate(lines)]
    head, _, rest = svg.replace(f'"0 0 {box}"', f'"0 0 {width:.0f} {taller:.0f}"', 1).partition(">")
    paper = tag("rect", width=width, height=taller, fill="#ffffff")
    return f"{head}><style>{_style()}</style>{paper}{rest.removesuffix('</svg>')}{''.join(foot)}</svg>"


@cache
def _style() -> str:
    return (files("dashboards") / "assets" / "drawing.css").read_text(encoding="utf-8")
