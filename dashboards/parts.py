"""Small pieces of page that several pages share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, dcc, html
from dash.development.base_component import Component

from dashboards.colours import STATUSES
from dashboards.words import Words

Children = Any

GRID_THEME = (
    "themeQuartz.withParams({backgroundColor: 'var(--surface)', foregroundColor: 'var(--ink)', "
    "accentColor: 'var(--accent)', borderColor: 'var(--rule)', headerBackgroundColor: 'var(--surface)', "
    "headerTextColor: 'var(--ink-soft)', selectedRowBackgroundColor: 'var(--accent-soft)', "
    "rowHoverColor: 'var(--ground)', fontFamily: 'inherit', fontSize: 13.5, headerFontWeight: 600, "
    "wrapperBorderRadius: '8px', cellHorizontalPadding: 10})"
)


def aria(**names: str) -> dict[str, Any]:
    """Return attributes that a screen reader reads: ``aria(label="…")``."""
    return {f"aria-{name}": value for name, value in names.items()}


def card(*children: Children, name: str = "", **props: Any) -> html.Section:
    """Return a framed block."""
    return html.Section(list(children), className=f"card {name}".strip(), **props)


def head(title: Children, *aside: Children) -> html.Div:
    """Return a block's title with what stands at its right."""
    return html.Div([title, html.Div(list(aside), className="actions")], className="head")


def control(name: Children, widget: Component) -> html.Div:
    """Return a control under its name."""
    return html.Div([html.Span(name, className="name"), widget], className="control")


def switch(identifier: str, value: str, choices: Mapping[str, str], label: str) -> dmc.SegmentedControl:
    """Return a row of choices, one of which is on."""
    data = [{"value": key, "label": text} for key, text in choices.items()]
    return dmc.SegmentedControl(
        id=identifier, value=value, data=data, size="sm", attributes={"root": {"aria-label": label}}
    )


def number(value: str, name: str) -> html.Div:
    """Return one large number with its name under it."""
    return html.Div([html.B(value), html.Span(name)], className="figure-n")


def bar(share: float | None, name: str = "bar", colour: str | None = None) -> html.Div:
    """Return a bar as long as a share of one."""
    style = {"width": f"{100 * (share or 0):.1f}%"} | ({"background": colour} if colour else {})
    return html.Div(html.I(style=style), className=name, **aria(hidden="true"))


def stacked(shares: Sequence[tuple[str, int | None, float | None]], name: str = "stack") -> html.Div:
    """Return a bar of statuses; a hidden one has no length."""
    return html.Div(
        [
            html.I(style={"width": f"{100 * (share or 0):.2f}%", "background": STATUSES[status]})
            for status, _, share in shares
        ],
        className=name,
        **aria(hidden="true"),
    )


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], caption: str, numeric_from: int
) -> html.Table:
    """Return a plain table; columns from ``numeric_from`` on are numbers."""
    kinds = ["" if place < numeric_from else "n" for place in range(len(header))]
    return html.Table(
        [
            html.Caption(caption),
            html.Thead(
                html.Tr(
                    [
                        html.Th(text, className=kind, scope="col")
                        for text, kind in zip(header, kinds, strict=True)
                    ]
                )
            ),
            html.Tbody(
                [
                    html.Tr([html.Td(text, className=kind) for text, kind in zip(row, kinds, strict=True)])
                    for row in rows
                ]
            ),
        ],
        className="plain-table",
    )


def button(identifier: str, text: str) -> dmc.Button:
    """Return a quiet button."""
    return dmc.Button(text, id=identifier, variant="default", size="compact-sm")


def file(content: str, name: str) -> dict[str, Any]:
    """Return what `download` needs to hand a text file over."""
    return {"content": content, "filename": name, "base64": False}


def remember(app: Dash, inputs: Sequence[Input]) -> None:
    """Keep the values of a page's controls in its URL, so that a link can be shared."""
    in_browser: Any = app.clientside_callback
    in_browser(ClientsideFunction("page", "remember"), *inputs, prevent_initial_call=True)


def download(identifier: str) -> dcc.Download:
    """Return the invisible part through which a file leaves."""
    return dcc.Download(id=identifier)


def empty(text: str) -> html.P:
    """Return what stands where there is nothing to show."""
    return html.P(text, className="empty")


def zoom_words(words: Words) -> dict[str, str]:
    """Return the names of a drawing's buttons."""
    return {"in": words("zoom.in"), "out": words("zoom.out"), "fit": words("zoom.fit")}
