"""Pathways: the process map, one passage or step of it, the commonest pathways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import dash_mantine_components as dmc
import polars as pl
from dash import ALL, Dash, Input, Output, State, ctx, html, no_update
from dash.development.base_component import Component

from dashboards import parts, views
from dashboards.drawing import Drawing
from dashboards.pages import pathway_details as details
from dashboards.results import Results
from dashboards.views import MapState, MapView
from dashboards.visitor import visitor_words
from dashboards.words import Words
from eventlogs.abstraction import Level
from pathways.disclosure.maps import OUTCOME_PHASE
from pathways.drawing import count_steps, draw, replay_sentence
from pathways.drawing.colours import phase_colours

CONTROLS = ("map:level", "map:measure", "map:activities", "map:paths")


def layout(results: Results, query: Mapping[str, str], words: Words) -> Component:
    """Return the page as the URL's query describes it."""
    level = views.level_of(query, results)
    state = MapState.from_query({**query, "level": level}, views.opening_state(results, level))
    view = views.map_view(results, state)
    return html.Div(
        [
            parts.head(html.H1(words("map.title")), *_downloads(words)),
            _controls(results, state, view, words),
            html.Div(
                [_map(results, view, state, words), _panel_card(results, view, state, words)],
                id="map:split",
                className=_split_class(state.selected),
            ),
            html.Div(_legend(results, view, state, words), id="map:legend", className="map-foot"),
            html.Div([_slow_card(results, view, state, words), _how_card(words)], className="reading"),
            parts.card(*details.variants(results, words)),
            parts.card(_table_details(results, view, state, words), name="block"),
        ]
    )


def register(app: Dash, results: Results) -> None:
    """Add the page's callbacks."""

    @app.callback(
        Output("map:activities", "value"),
        Output("map:paths", "value"),
        Output("map:selected", "chosen"),
        Input("map:level", "value"),
        prevent_initial_call=True,
    )
    def change_level(level: Level) -> tuple[int, int, str]:
        opening = views.opening_state(results, level)
        return opening.activities, opening.paths, ""

    @app.callback(
        Output("map:selected", "svg"),
        Output("map:selected", "caption"),
        Output("map:legend", "children"),
        Output("map:slow", "children"),
        Output("map:table", "children"),
        Output("map:activities-value", "children"),
        Output("map:paths-value", "children"),
        [Input(name, "value") for name in CONTROLS],
        prevent_initial_call=True,
    )
    def redraw(*values: Any) -> tuple[Any, ...]:
        state, words = MapState(*values), visitor_words()
        view = views.map_view(results, state)
        pieces = (_draw, _caption, _legend, details.slow, details.table)
        return *(piece(results, view, state, words) for piece in pieces), *_slider_values(view, words)

    @app.callback(
        Output("map:panel", "children"),
        Output("map:selected", "marked"),
        Output("map:split", "className"),
        Input("map:selected", "chosen"),
        [Input(name, "value") for name in CONTROLS],
        prevent_initial_call=True,
    )
    def show_panel(chosen: str, *values: Any) -> tuple[Any, str, str]:
        state = replace(MapState(*values), selected=chosen or "")
        panel = details.panel(results, views.map_view(results, state), state, visitor_words())
        return panel, state.selected, _split_class(state.selected)

    @app.callback(
        Output("map:selected", "chosen", allow_duplicate=True),
        Input({"pick": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def pick(clicks: list[int | None]) -> Any:
        return cast("dict[str, str]", ctx.triggered_id)["pick"] if any(clicks) else no_update

    _register_files(app, results)
    parts.remember(app, [*(Input(name, "value") for name in CONTROLS), Input("map:selected", "chosen")])


def _register_files(app: Dash, results: Results) -> None:
    """Add the callbacks of the downloads."""

    @app.callback(
        Output("map:file", "data"),
        Input("map:csv", "n_clicks"),
        Input("map:svg", "n_clicks"),
        [State(name, "value") for name in CONTROLS],
        prevent_initial_call=True,
    )
    def export(csv: int | None, drawing: int | None, *values: Any) -> dict[str, Any]:
        state, words = MapState(*values), visitor_words()
        write = export_svg if ctx.triggered_id == "map:svg" else export_csv
        return write(results, state, words)

    @app.callback(
        Output("map:variants-file", "data"), Input("map:variants-csv", "n_clicks"), prevent_initial_call=True
    )
    def export_commonest(_: int | None) -> dict[str, Any]:
        return export_variants(results, visitor_words())


def export_csv(results: Results, state: MapState, words: Words) -> dict[str, Any]:
    """Return the passages drawn as a CSV file that a French spreadsheet opens."""
    view = views.map_view(results, state)
    frame = views.with_provenance(view.edges, results, details.filter_sentence(view, state, words))
    return parts.file(views.to_csv(frame), f"{words('file.map')}-{results.study[:8]}.csv")


def export_variants(results: Results, words: Words) -> dict[str, Any]:
    """Return all released variants as a CSV file, the steps of each joined by arrows."""
    steps = pl.col("variant").list.join(f" {views.ARROW} ")
    frame = views.with_provenance(results.variants.with_columns(steps), results, "")
    return parts.file(views.to_csv(frame), f"{words('file.variants')}-{results.study[:8]}.csv")


def export_svg(results: Results, state: MapState, words: Words) -> dict[str, Any]:
    """Return the map as an SVG file that says what it shows."""
    view = views.map_view(results, state)
    drawn = draw(
        views.picture(results, view, state),
        language=words.language,
        measure=state.measure,
        notes=[study_sentence(results, words)],
    )
    return parts.file(drawn, f"{words('file.map')}-{results.study[:8]}.svg")


def study_sentence(results: Results, words: Words) -> str:
    """Say in one line which study this is, synthetic or not."""
    summary = results.summary
    return words(
        "map.study_line",
        pathway=str(summary[f"pathway_label_{words.language}"]),
        source=str(summary["source"]),
        first=words.date(summary["first_day"]),
        last=words.date(summary["last_day"]),
        study=results.study[:12],
        synthetic=words("header.synthetic") if summary["synthetic"] else words("header.real"),
    )


def _downloads(words: Words) -> list[Component]:
    return [
        parts.button("map:csv", words("map.download_csv")),
        parts.button("map:svg", words("map.download_svg")),
        parts.download("map:file"),
    ]


def _controls(results: Results, state: MapState, view: MapView, words: Words) -> html.Div:
    activities, paths = _slider_values(view, words)
    return html.Div(
        [
            parts.control(
                words("map.level"),
                parts.switch("map:level", state.level, details.levels(results, words), words("map.level")),
            ),
            parts.control(
                words("map.measure"),
                parts.switch("map:measure", state.measure, details.measures(words), words("map.measure")),
            ),
            _slider("activities", state.activities, words("map.activities"), activities),
            _slider("paths", state.paths, words("map.paths"), paths),
        ],
        className="controls card",
    )


def _slider(name: str, value: int, label: str, said: str) -> html.Div:
    title = [f"{label} : ", html.Span(said, id=f"map:{name}-value", className="value")]
    slider = dmc.Slider(
        id=f"map:{name}",
        value=value,
        min=views.STEP_PERCENT,
        max=100,
        step=views.STEP_PERCENT,
        updatemode="mouseup",
        thumbLabel=label,
        size="sm",
    )
    return parts.control(title, slider)


def _slider_values(view: MapView, words: Words) -> tuple[str, str]:
    return (
        words("map.of", n=words.number(count_steps(view.nodes)), total=words.number(view.n_nodes)),
        words("map.of", n=words.number(view.edges.height), total=words.number(view.n_edges)),
    )


def _map(results: Results, view: MapView, state: MapState, words: Words) -> html.Section:
    drawing = Drawing(
        id="map:selected",
        svg=_draw(results, view, state, words),
        chosen=state.selected,
        marked=state.selected,
        caption=_caption(results, view, state, words),
        zoomable=True,
        words=parts.zoom_words(words),
    )
    return parts.card(drawing, name="map-card")


def _draw(results: Results, view: MapView, state: MapState, words: Words) -> str:
    picture = views.picture(results, view, state)
    return draw(picture, language=words.language, measure=state.measure, interactive=True)


def _caption(results: Results, view: MapView, state: MapState, words: Words) -> str:
    shown = words(
        "map.shown",
        shown=words.number(view.shown),
        total=words.number(view.n_events),
        share=words.percent(view.shown_share),
    )
    row = views.replay(results, state)
    told = "" if row is None else replay_sentence(row, words.language)
    return f"{told}. {shown}" if told else shown


def _split_class(selected: str) -> str:
    return "split is-open" if selected else "split"


def _legend(results: Results, view: MapView, state: MapState, words: Words) -> html.Div:
    colours = phase_colours(results.phases)
    names = details.phase_names(results, words)
    steps = view.nodes.filter(pl.col("phase") != OUTCOME_PHASE)["phase"]
    drawn = [phase for phase in views.phases_in_order(results, state.level) if phase in steps]
    items = [html.Span([html.I(style={"background": colours[p]}), names.get(p, p)]) for p in drawn]
    return html.Div(items, className="legend")


def _panel_card(results: Results, view: MapView, state: MapState, words: Words) -> html.Section:
    panel = html.Div(details.panel(results, view, state, words), id="map:panel", **parts.aria(live="polite"))
    return parts.card(panel, name="panel", tabIndex=0, **parts.aria(label=words("map.panel")))


def _slow_card(results: Results, view: MapView, state: MapState, words: Words) -> html.Section:
    return parts.card(
        html.H2(words("panel.slow")),
        html.P(words("panel.slow_hint"), className="small soft"),
        html.Div(details.slow(results, view, state, words), id="map:slow"),
        name="slow",
    )


def _how_card(words: Words) -> html.Section:
    return parts.card(
        html.H2(words("panel.how")),
        html.P(words("panel.how_text"), className="small"),
        html.P(words("panel.keys"), className="small soft"),
    )


def _table_details(results: Results, view: MapView, state: MapState, words: Words) -> html.Details:
    return html.Details(
        [
            html.Summary(words("map.as_table")),
            html.Div(details.table(results, view, state, words), id="map:table", className="scroll"),
        ]
    )
