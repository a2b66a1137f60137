"""The Dash app: a header, three pages, and the guards around them.

The app holds released tables and nothing else, except on the page of the risk list, which exists only on a network's
own study and only when it was asked for. Nothing is fetched from another machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from dash.development.base_component import Component
from flask import Response
from werkzeug.serving import WSGIRequestHandler, make_server

from dashboards import parts
from dashboards.pages import breakdowns, pathways, risk_list
from dashboards.results import Results, read_results
from dashboards.visitor import visitor_language, visitor_words
from dashboards.words import LANGUAGES, Words
from pathways.study import Study

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
LIST_PATH = "/liste"

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

INDEX = """<!DOCTYPE html>
<html lang="{language}">
<head>{metas}<title>{title}</title>{favicon}{css}</head>
<body>{app_entry}<footer>{config}{scripts}{renderer}</footer></body>
</html>"""

THEME = {
    "fontFamily": "var(--font)",
    "primaryColor": "accent",
    "primaryShade": {"light": 7, "dark": 4},
    "colors": {
        "accent": [
            "#eef5fa",
            "#dce9f2",
            "#b7d2e5",
            "#8fbad8",
            "#6ea6cd",
            "#4f8fbc",
            "#3577a5",
            "#1f5f8b",
            "#174b70",
            "#0f3855",
        ]
    },
    "defaultRadius": "md",
}


@dataclass(frozen=True)
class Page:
    """A page of the app: its path, the key of its name, and what builds it from the URL's query."""

    path: str
    name: str
    build: Callable[[Mapping[str, str], Words], Component]


class App(Dash):
    """A Dash whose document says its language."""

    def interpolate_index(self, **pieces: Any) -> str:  # type: ignore[override]
        """Fill the document: see `dash.Dash.interpolate_index`."""
        return INDEX.format(language=visitor_language(), **pieces)


def create_app(study_path: str | Path, *, risk_list: bool = False) -> Dash:
    """Build the app of one study.

    Parameters
    ----------
    study_path : path
        A study folder that has been mined.
    risk_list : bool
        Whether to open the page of the risk list, on a study whose role is ``network`` or ``log``.

    Returns
    -------
    dash.Dash
        ``app.server`` is the WSGI application. Two apps in one process share nothing.

    Raises
    ------
    StudyError
        There is no study there, or it has not been mined.
    """
    study = Study.open(study_path)
    results = read_results(study)
    app = App(
        "dashboards",
        title=visitor_words()("header.app"),
        update_title="",
        compress=True,
        suppress_callback_exceptions=True,
        enable_mcp=False,
    )
    pages = _pages(study, results, asked=risk_list)
    app.layout = partial(_frame, results, pages)
    _register(app, results, pages)
    _guard(app)
    return app


def run(app: Dash, host: str = "127.0.0.1", port: int = 8050) -> None:
    """Serve the app until interrupted, one thread a request; no debugger, no reloader, no log of requests."""
    make_server(host, port, app.server, threaded=True, request_handler=_Quiet).serve_forever()


class _Quiet(WSGIRequestHandler):
    """Keeps connections open, and writes no line for each request."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def _pages(study: Study, results: Results, *, asked: bool) -> tuple[Page, ...]:
    pages = (
        Page("/", "nav.pathways", partial(pathways.layout, results)),
        Page("/ruptures", "nav.breakdowns", partial(breakdowns.layout, results)),
    )
    if not risk_list.may_open(study, asked):
        return pages
    return (*pages, Page(LIST_PATH, "nav.list", lambda query, words: risk_list.layout(study, words)))


def page_at(pages: tuple[Page, ...], path: str, search: str, words: Words) -> Component:
    """Return the page at a path, in the state that the URL's query holds."""
    for page in pages:
        if page.path == path:
            return page.build(dict(parse_qsl(search.removeprefix("?"))), words)
    if path == LIST_PATH:
        return risk_list.closed(words)
    return html.Div([parts.head(html.H1(words("nav.unknown")))])


def _register(app: Dash, results: Results, pages: tuple[Page, ...]) -> None:
    @app.callback(
        Output("page", "children"),
        Output("nav", "children"),
        Input("where", "pathname"),
        Input("where", "search"),
    )
    def go(path: str, search: str) -> tuple[Component, list[Component]]:
        words = visitor_words()
        return page_at(pages, path, search or "", words), _links(pages, path, words)

    pathways.register(app, results)
    breakdowns.register(app, results)
    in_browser: Any = app.clientside_callback
    in_browser(ClientsideFunction("page", "speak"), Input("language", "value"), prevent_initial_call=True)


def _frame(results: Results, pages: tuple[Page, ...]) -> dmc.MantineProvider:
    words = visitor_words()
    return dmc.MantineProvider(
        [
            dcc.Location(id="where", refresh="callback-nav"),
            html.A(words("nav.skip"), href="#page", className="skip"),
            html.Header([_top_row(results, pages, words)], className="top"),
            _facts(results, words),
            html.Main(id="page", tabIndex=-1),
        ],
        theme=THEME,
        defaultColorScheme="auto",
    )


def _top_row(results: Results, pages: tuple[Page, ...], words: Words) -> html.Div:
    summary = results.summary
    badge = [html.Span(words("header.synthetic"), className="badge")] if summary["synthetic"] else []
    languages = {str(language): language.upper() for language in LANGUAGES}
    brand = [html.B(str(summary[f"pathway_label_{words.language}"])), html.Span(words("header.app"))]
    return html.Div(
        [
            html.Div(brand, className="brand"),
            html.Nav(
                _links(pages, "", words), id="nav", className="nav", **parts.aria(label=words("nav.label"))
            ),
            html.Div(
                [
                    *badge,
                    parts.switch("language", words.language, languages, words("header.language")),
                    _scheme_toggle(words),
                ],
                className="top-tools",
            ),
        ],
        className="top-row",
    )


def _scheme_toggle(words: Words) -> dmc.ColorSchemeToggle:
    return dmc.ColorSchemeToggle(
        lightIcon=html.Span("☀", **parts.aria(hidden="true")),
        darkIcon=html.Span("☾", **parts.aria(hidden="true")),
        variant="default",
        size="lg",
        **parts.aria(label=words("header.scheme")),
    )


def _links(pages: tuple[Page, ...], path: str, words: Words) -> list[Component]:
    return [
        dcc.Link(words(page.name), href=page.path, className="is-here" if page.path == path else "")
        for page in pages
    ]


def _facts(results: Results, words: Words) -> html.Div:
    summary = results.summary
    facts = [
        (words.number(summary["n_patients"]), words("header.patients")),
        (words.number(summary["n_events"]), words("header.events")),
        (f"{words.date(summary['first_day'])} – {words.date(summary['last_day'])}", ""),
        (str(summary["source"]), _role(results.role, words)),
        ("", words("header.threshold", threshold=words.number(results.threshold))),
    ]
    return html.Div([html.Span([html.B(bold), f" {text}"]) for bold, text in facts], className="facts")


def _role(role: str, words: Words) -> str:
    return words.section("role").get(role, role)


def _guard(app: Dash) -> None:
    """Answer only to this machine's names, and send with each answer what the browser may load."""
    app.server.config["TRUSTED_HOSTS"] = list(LOOPBACK)
    app.server.after_request(partial(_with_headers, content_policy(app.csp_hashes())))


def _with_headers(policy: str, response: Response) -> Response:
    response.headers.update(HEADERS | {"Content-Security-Policy": policy})
    return response


def content_policy(hashes: Sequence[str]) -> str:
    """Return the content security policy: everything from this machine, no ``eval``, in no frame.

    Parameters
    ----------
    hashes : sequence of str
        Of the inline scripts, as Dash gives them once all callbacks are declared.
    """
    scripts = " ".join(["'self'", *hashes])
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src {scripts}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "worker-src 'self' blob:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )
