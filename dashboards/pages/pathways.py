"""Pathways: the process map, one passage or step of it, the commonest pathways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import dash_mantine_components as dmc
import polars as pl
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from dashboards import parts, svg, views
from dashboards.colours import phase_colours
from dashboards.drawing import Drawing
from dashboards.figures import CONFIG, delay_histogram
from dashboards.layout import LayoutTooSlow
from dashboards.results import Results
from dashboards.views import ARROW, HIDDEN_KEY, Level, MapState, MapView
from dashboards.visitor import visitor_words
from dashboards.words import Words
from pathways.mining.maps import END, START

CONTROLS = ("map:level", "map:measure", "map:activities", "map:paths")
FLOWS_SHOWN = 6


def layout(results: Results, query: Mapping[str, str], words: Words) -> Component:
    """Return the page as the URL's query describes it."""
    level: Level = "phase" if query.get("level") == "phase" else "activity"
    state = MapState.from_query(query, views.opening_state(results, level))
    view = views.map_view(results, state)
    return html.Div(
        [
            parts.head(html.H1(words("map.title")), *_downloads(words)),
            _controls(state, view, words),
            html.Div(
                [_map(results, view, state, words), _panel_card(results, view, state, words)],
                id="map:split",
                className=_split_class(state.selected),
            ),
            html.Div(_legend(results, view, state, words), id="map:legend", className="map-foot"),
            html.Div([_slow_card(results, view, state, words), _how_card(words)], className="reading"),
            parts.card(html.Div(_variants(results, state.level, words), id="map:variants")),
            parts.card(_table_details(results, view, state, words), name="block"),
        ]
    )


def register(app: Dash, results: Results) -> None:
    """Add the page's callbacks."""

    @app.callback(
        Output("map:activities", "value"),
        Output("map:paths", "value"),
        Output("map:selected", "chosen"),
        Output("map:variants", "children"),
        Input("map:level", "value"),
        prevent_initial_call=True,
    )
    def change_level(level: Level) -> tuple[int, int, str, Any]:
        opening = views.opening_state(results, level)
        return opening.activities, opening.paths, "", _variants(results, level, visitor_words())

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
        pieces = (_draw, _caption, _legend, _slow, _table)
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
        state = MapState(*values, selected=chosen or "")
        panel = _panel(results, views.map_view(results, state), state, visitor_words())
        return panel, state.selected, _split_class(state.selected)

    @app.callback(
        Output("map:selected", "chosen", allow_duplicate=True),
        Input({"pick": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    def pick(clicks: list[int | None]) -> Any:
        return cast("dict[str, str]", ctx.triggered_id)["pick"] if any(clicks) else no_update

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

    app.clientside_callback(
        ClientsideFunction("page", "remember"),
        [Input(name, "value") for name in CONTROLS],
        Input("map:selected", "chosen"),
        prevent_initial_call=True,
    )


def export_csv(results: Results, state: MapState, words: Words) -> dict[str, Any]:
    """Return the passages drawn as a CSV file that a French spreadsheet opens."""
    view = views.map_view(results, state)
    frame = views.with_provenance(view.edges, results, _filter_sentence(view, state, words))
    return dcc.send_string(views.to_csv(frame), f"{words('file.map')}-{results.study[:8]}.csv")


def export_svg(results: Results, state: MapState, words: Words) -> dict[str, Any]:
    """Return the map as an SVG file that says what it shows."""
    view = views.map_view(results, state)
    lines = [study_sentence(results, words), _filter_sentence(view, state, words)]
    drawn = svg.standalone(_draw(results, view, state, words), lines)
    return dcc.send_string(drawn, f"{words('file.map')}-{results.study[:8]}.svg")


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


def _filter_sentence(view: MapView, state: MapState, words: Words) -> str:
    return words(
        "map.filter_line",
        level=_levels(words)[state.level],
        measure=_measures(words)[state.measure],
        steps=words.number(view.nodes.height),
        all_steps=words.number(view.n_nodes),
        paths=words.number(view.edges.height),
        all_paths=words.number(view.n_edges),
    )


def _levels(words: Words) -> dict[str, str]:
    return {"activity": words("map.level_activity"), "phase": words("map.level_phase")}


def _measures(words: Words) -> dict[str, str]:
    return {
        "n_patients": words("map.measure_patients"),
        "n_events": words("map.measure_events"),
        "median_days": words("map.measure_median"),
        "p90_days": words("map.measure_p90"),
    }


def _downloads(words: Words) -> list[Component]:
    return [
        parts.button("map:csv", words("map.download_csv")),
        parts.button("map:svg", words("map.download_svg")),
        parts.download("map:file"),
    ]


def _controls(state: MapState, view: MapView, words: Words) -> html.Div:
    activities, paths = _slider_values(view, words)
    return html.Div(
        [
            parts.control(
                words("map.level"), parts.switch("map:level", state.level, _levels(words), words("map.level"))
            ),
            parts.control(
                words("map.measure"),
                parts.switch("map:measure", state.measure, _measures(words), words("map.measure")),
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
        words("map.of", n=words.number(view.nodes.height), total=words.number(view.n_nodes)),
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
    try:
        return svg.process_map(results, view, state, words)
    except LayoutTooSlow:
        return svg.notice(words("map.too_slow"))


def _caption(results: Results, view: MapView, state: MapState, words: Words) -> str:
    return words(
        "map.shown",
        shown=words.number(view.shown),
        total=words.number(view.n_events),
        share=words.percent(view.shown_share),
    )


def _split_class(selected: str) -> str:
    return "split is-open" if selected else "split"


def _legend(results: Results, view: MapView, state: MapState, words: Words) -> html.Div:
    colours = phase_colours(results.nodes["phase"].unique().sort().to_list())
    names = _phase_names(results, words)
    order = views.columns(results, state.level)
    drawn = sorted(view.nodes["phase"].unique().to_list(), key=lambda phase: order[phase])
    items = [html.Span([html.I(style={"background": colours[p]}), names.get(p, p)]) for p in drawn]
    return html.Div(items, className="legend")


def _phase_names(results: Results, words: Words) -> dict[str, str]:
    rows = results.nodes.filter(pl.col("level") == "phase").iter_rows(named=True)
    return {row["phase"]: words.label(row) for row in rows}


def _names(results: Results, level: Level, words: Words) -> dict[str, str]:
    rows = results.nodes.filter(pl.col("level") == level).iter_rows(named=True)
    return {row["activity"]: words.label(row) for row in rows} | {
        START: words("map.start"),
        END: words("map.end"),
    }


def _panel_card(results: Results, view: MapView, state: MapState, words: Words) -> html.Section:
    panel = html.Div(_panel(results, view, state, words), id="map:panel", **parts.aria(live="polite"))
    return parts.card(panel, name="panel", tabIndex=0, **parts.aria(label=words("map.panel")))


def _panel(results: Results, view: MapView, state: MapState, words: Words) -> list[Component]:
    if state.selected == HIDDEN_KEY:
        content = _hidden_panel(view, results, words)
    elif ARROW in state.selected:
        content = _edge_panel(results, state, words)
    else:
        content = _node_panel(results, state, words)
    return [_close(words), *(content or [parts.empty(words("panel.unknown"))])]


def _close(words: Words) -> Component:
    cross = html.Span("×", **parts.aria(hidden="true"))
    return html.Button([cross, f" {words('panel.close')}"], id={"pick": ""}, className="close", type="button")


def _slow_card(results: Results, view: MapView, state: MapState, words: Words) -> html.Section:
    return parts.card(
        html.H2(words("panel.slow")),
        html.P(words("panel.slow_hint"), className="small soft"),
        html.Div(_slow(results, view, state, words), id="map:slow"),
        name="slow",
    )


def _how_card(words: Words) -> html.Section:
    return parts.card(
        html.H2(words("panel.how")),
        html.P(words("panel.how_text"), className="small"),
        html.P(words("panel.keys"), className="small soft"),
    )


def _slow(results: Results, view: MapView, state: MapState, words: Words) -> Component:
    slow = views.longest_delays(view)
    if slow.is_empty():
        return parts.empty(words("panel.no_delay"))
    names = _names(results, state.level, words)
    longest = slow["median_days"].item(0) or 1
    return _flow_list(
        (
            f"{row['source']}{ARROW}{row['target']}",
            f"{names[row['source']]} {ARROW} {names[row['target']]}",
            words.days(row["median_days"]),
            row["median_days"] / longest,
        )
        for row in slow.iter_rows(named=True)
    )


def _flow_list(items: Iterable[tuple[str, str, str, float]]) -> html.Ul:
    return html.Ul(
        [
            html.Li(
                html.Button(
                    [html.Span(text), html.B(value), parts.bar(share)],
                    id={"pick": key},
                    className="flow",
                    type="button",
                )
            )
            for key, text, value, share in items
        ],
        className="flows",
    )


def _hidden_panel(view: MapView, results: Results, words: Words) -> list[Component]:
    return [
        html.H2(words("panel.hidden_title")),
        html.Div(
            [
                parts.number(words.number(view.hidden_by_sliders), words("panel.hidden_by_sliders")),
                parts.number(words.number(view.hidden_by_threshold), words("panel.hidden_by_threshold")),
            ],
            className="figures",
        ),
        html.P(words("panel.hidden_text", threshold=words.number(results.threshold)), className="small"),
    ]


def _edge_panel(results: Results, state: MapState, words: Words) -> list[Component] | None:
    view = views.edge_view(results, state.level, state.selected)
    if view is None:
        return None
    names = _names(results, state.level, words)
    edge = view.edge
    numbers = [
        parts.number(words.number(edge["n_patients"]), words("edge.patients")),
        parts.number(words.number(edge["n_events"]), words("edge.events")),
        parts.number(words.days(edge["median_days"]), words("edge.median")),
        parts.number(words.days(edge["p90_days"]), words("edge.p90")),
    ]
    return [
        html.H2(f"{names[edge['source']]} {ARROW} {names[edge['target']]}"),
        html.Div(numbers, className="figures"),
        html.H3(words("edge.distribution")),
        _delays(view, words),
        html.P(words("edge.tied", share=words.percent(edge["tied_share"])), className="small soft"),
    ]


def _delays(view: views.EdgeView, words: Words) -> Component:
    if view.delays.is_empty():
        return parts.empty(words("edge.no_delay"))
    return dcc.Graph(figure=delay_histogram(view, words), config=CONFIG)


def _node_panel(results: Results, state: MapState, words: Words) -> list[Component] | None:
    view = views.node_view(results, state.level, state.selected)
    if view is None:
        return None
    names = _names(results, state.level, words)
    return [
        html.H2(words.label(view.node)),
        html.Div(
            [
                parts.number(
                    words.number(view.node["n_patients"]),
                    words("node.patients", share=words.percent(view.share)),
                ),
                parts.number(words.days(view.node["median_day"]), words("node.median_day")),
            ],
            className="figures",
        ),
        html.H3(words("node.before")),
        _flow_list(_flows(view.before, "source", names, words)),
        html.H3(words("node.after")),
        _flow_list(_flows(view.after, "target", names, words)),
        html.P(words("node.note"), className="small soft"),
    ]


def _flows(
    edges: pl.DataFrame, end: str, names: Mapping[str, str], words: Words
) -> Iterable[tuple[str, str, str, float]]:
    for row in edges.head(FLOWS_SHOWN).iter_rows(named=True):
        value = f"{words.number(row['n_events'])} · {words.percent(row['share'])}"
        yield f"{row['source']}{ARROW}{row['target']}", names[row[end]], value, row["share"]


def _variants(results: Results, level: Level, words: Words) -> list[Component]:
    view = views.variants_view(results, level)
    title = parts.head(
        html.H2(words("variants.title")), html.Span(words("variants.note"), className="small soft")
    )
    if view.variants.is_empty():
        return [title, parts.empty(words("variants.empty", threshold=words.number(results.threshold)))]
    longest = view.variants["share"].max()
    rows = [_variant(row, results, level, longest, words) for row in view.variants.iter_rows(named=True)]
    return [
        title,
        html.Div(
            html.Table(
                [_variant_head(view, words), html.Tbody([*rows, *_rest(view, words)])], className="variants"
            ),
            className="scroll",
        ),
    ]


def _variant_head(view: views.VariantsView, words: Words) -> html.Thead:
    patients = words("variants.patients", total=words.number(view.n_patients))
    names = [
        words("variants.rank"),
        words("variants.steps"),
        patients,
        words("variants.share"),
        words("variants.days"),
    ]
    return html.Thead(html.Tr([html.Th(name, scope="col") for name in names]))


def _variant(row: Mapping[str, Any], results: Results, level: Level, longest: Any, words: Words) -> html.Tr:
    return html.Tr(
        [
            html.Td(str(row["rank"])),
            html.Td(_chips(row["variant"], results, level, words)),
            html.Td(f"{words.number(row['n_patients'])} · {words.percent(row['share'], 1)}", className="n"),
            html.Td(parts.bar(row["share"] / longest, "share")),
            html.Td(words.days(row["median_days"]), className="n"),
        ]
    )


def _chips(variant: list[str], results: Results, level: Level, words: Words) -> html.Div:
    names = _names(results, level, words)
    nodes = results.nodes.filter(pl.col("level") == level)
    phases = dict(nodes.select("activity", "phase").iter_rows())
    colours = phase_colours(results.nodes["phase"].unique().sort().to_list())
    return html.Div(
        [
            html.Span(
                names.get(step, step),
                className="chip",
                style={"borderLeftColor": colours.get(phases.get(step, ""), "#888888")},
            )
            for step in variant
        ],
        className="chips",
    )


def _rest(view: views.VariantsView, words: Words) -> list[html.Tr]:
    if view.rest is None:
        return []
    value = f"{words.number(view.rest['n_patients'])} · {words.percent(view.rest['share'], 1)}"
    cells = [
        html.Td(""),
        html.Td(words("variants.rest"), className="soft"),
        html.Td(value, className="n"),
        html.Td(""),
        html.Td(""),
    ]
    return [html.Tr(cells)]


def _table_details(results: Results, view: MapView, state: MapState, words: Words) -> html.Details:
    return html.Details(
        [
            html.Summary(words("map.as_table")),
            html.Div(_table(results, view, state, words), id="map:table", className="scroll"),
        ]
    )


def _table(results: Results, view: MapView, state: MapState, words: Words) -> html.Table:
    names = _names(results, state.level, words)
    header = [
        words("table.source"),
        words("table.target"),
        words("edge.patients"),
        words("edge.events"),
        words("edge.median"),
        words("edge.p90"),
        words("table.tied"),
    ]
    rows = (
        [
            names[row["source"]],
            names[row["target"]],
            words.number(row["n_patients"]),
            words.number(row["n_events"]),
            words.days(row["median_days"]),
            words.days(row["p90_days"]),
            words.percent(row["tied_share"]),
        ]
        for row in view.edges.iter_rows(named=True)
    )
    return parts.table(header, rows, _filter_sentence(view, state, words), numeric_from=2)
