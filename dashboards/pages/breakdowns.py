"""Breakdowns: which ones, where, and whether a territory differs more than chance allows."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
import polars as pl
from dash import Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboards import parts, views
from dashboards.colours import CIVIDIS, STATUSES
from dashboards.drawing import Drawing
from dashboards.figures import CONFIG, FUNNEL_HEIGHT, funnel
from dashboards.results import Results
from dashboards.territory_drawing import territory_map, territory_names, territory_sentence
from dashboards.views import BreakdownState, BreakdownView
from dashboards.visitor import visitor_words
from dashboards.words import Words

CONTROLS = ("where:breakdown", "where:measure", "where:territory")


def layout(results: Results, query: Mapping[str, str], words: Words) -> Component:
    """Return the page as the URL's query describes it."""
    if not views.breakdown_ids(results):
        return html.Div([parts.head(html.H1(words("breakdown.title"))), parts.empty(words("breakdown.none"))])
    state = BreakdownState.from_query(query, results)
    view = _view(results, state)
    return html.Div(
        [
            parts.head(html.H1(words("breakdown.title")), *_downloads(words)),
            _choices(results, state, words),
            html.Div(
                [_map_card(view, state, words), _grid_card(view, state, words)], className="territories"
            ),
            html.Div([_funnel_card(view, state, words), _definition_card(view, words)], className="two"),
        ]
    )


def register(app: Dash, results: Results) -> None:
    """Add the page's callbacks."""

    @app.callback(
        Output("where:map", "svg"),
        Output("where:classes", "children"),
        Output("where:grid", "rowData"),
        Output("where:definition", "children"),
        Input("where:breakdown", "value"),
        Input("where:measure", "value"),
        prevent_initial_call=True,
    )
    def redraw(breakdown: str, measure: Any) -> tuple[Any, ...]:
        words, view = visitor_words(), _view(results, BreakdownState(breakdown, measure))
        drawn = territory_map(view, words)
        return drawn, _classes(view, measure, words), _rows(view, words), _definition(view, words)

    @app.callback(
        Output("where:funnel", "figure"),
        Output("where:chosen", "children"),
        Output("where:map", "marked"),
        Output("where:grid", "selectedRows"),
        Output("where:grid", "scrollTo"),
        [Input(name, "value") for name in CONTROLS],
        prevent_initial_call=True,
    )
    def mark(*values: Any) -> tuple[Any, ...]:
        words, state = visitor_words(), BreakdownState(values[0], values[1], values[2] or "")
        view = _view(results, state)
        said, row = _chosen(view, state, words), {"ids": [state.territory] if state.territory else []}
        place = {"rowId": state.territory} if state.territory else no_update
        return funnel(view, state.territory, words), said, state.territory, row, place

    @app.callback(Output("where:territory", "value"), Input("where:map", "chosen"), prevent_initial_call=True)
    def choose_on_map(chosen: str) -> str | None:
        return chosen or None

    @app.callback(
        Output("where:territory", "value", allow_duplicate=True),
        Input("where:funnel", "clickData"),
        prevent_initial_call=True,
    )
    def choose_on_funnel(click: dict[str, Any] | None) -> Any:
        return click["points"][0].get("customdata", no_update) if click else no_update

    @app.callback(
        Output("where:territory", "value", allow_duplicate=True),
        Input("where:grid", "cellClicked"),
        prevent_initial_call=True,
    )
    def choose_in_grid(cell: dict[str, Any] | None) -> Any:
        return cell["rowId"] if cell else no_update

    @app.callback(
        Output("where:file", "data"),
        Input("where:csv", "n_clicks"),
        State("where:breakdown", "value"),
        State("where:measure", "value"),
        prevent_initial_call=True,
    )
    def export(_: int | None, breakdown: str, measure: Any) -> dict[str, Any]:
        return export_csv(results, BreakdownState(breakdown, measure), visitor_words())

    parts.remember(app, [Input(name, "value") for name in CONTROLS])


def export_csv(results: Results, state: BreakdownState, words: Words) -> dict[str, Any]:
    """Return the territories as a CSV file that a French spreadsheet opens."""
    frame = _view(results, state).territories.drop("shade")
    text = views.to_csv(views.with_provenance(frame, results, state.breakdown))
    return parts.file(text, f"{words('file.territories')}-{state.breakdown}-{results.study[:8]}.csv")


def _view(results: Results, state: BreakdownState) -> BreakdownView:
    return views.breakdown_view(results, state, territory_names())


def _downloads(words: Words) -> list[Component]:
    return [parts.button("where:csv", words("breakdown.download_csv")), parts.download("where:file")]


def _choices(results: Results, state: BreakdownState, words: Words) -> dmc.RadioGroup:
    rows = {row["breakdown"]: row for row in results.breakdowns.iter_rows(named=True)}
    cards = [_choice(name, rows.get(name), results, words) for name in views.breakdown_ids(results)]
    return dmc.RadioGroup(
        html.Div(cards, className="choices"),
        id="where:breakdown",
        value=state.breakdown,
        attributes={"root": {"aria-label": words("breakdown.choose")}},
    )


def _choice(name: str, row: Mapping[str, Any] | None, results: Results, words: Words) -> dmc.RadioCard:
    content, bar = (_any_choice(words), []) if row is None else (_one_choice(row, words), [_bar(row)])
    hotspots = views.n_hotspots(results, name)
    said = (
        [html.Div(words("breakdown.hotspots", n=words.number(hotspots)), className="small hot")]
        if hotspots
        else []
    )
    return dmc.RadioCard([*content, *said, *bar], value=name, className="choice")


def _any_choice(words: Words) -> list[Component]:
    return [
        html.Div(words("breakdown.any"), className="title"),
        html.Div(words("breakdown.any_hint"), className="small soft"),
    ]


def _one_choice(row: Mapping[str, Any], words: Words) -> list[Component]:
    return [
        html.Div(words.label(row), className="title"),
        html.Div(words.percent(views.broken_share(row)), className="big"),
        html.Div(words("breakdown.of_evaluable"), className="small soft"),
    ]


def _bar(row: Mapping[str, Any]) -> Component:
    return parts.stacked(views.status_shares(row))


def _map_card(view: BreakdownView, state: BreakdownState, words: Words) -> html.Section:
    measures = {"shrunk_ratio": words("territory.ratio"), "rate": words("territory.rate")}
    drawing = Drawing(
        id="where:map", svg=territory_map(view, words), chosen=state.territory, marked=state.territory
    )
    switch = parts.switch("where:measure", state.measure, measures, words("territory.measure"))
    return parts.card(
        parts.head(html.H2(words("territory.map_title")), switch),
        drawing,
        html.Div(_classes(view, state.measure, words), id="where:classes"),
        name="territory-card",
    )


def _classes(view: BreakdownView, measure: str, words: Words) -> list[Component]:
    write = words.percent if measure == "rate" else lambda value: words.number(value, 2)
    ends = [None, *view.bounds, None]
    names = [_class_name(low, high, write, words) for low, high in pairwise(ends)]
    items = [
        html.Span([html.I(style={"background": colour}), name])
        for colour, name in zip(CIVIDIS, names, strict=True)
    ]
    suppressed = words("territory.hatched", n=words.number(view.n_suppressed))
    return [
        html.Div(
            [
                *items,
                html.Span([html.I(className="hatched"), suppressed]),
                html.Span([html.I(className="outlined"), words("territory.hotspot")]),
            ],
            className="classes",
        ),
        html.Div(words("territory.credit"), className="small soft"),
    ]


def _class_name(low: float | None, high: float | None, write: Any, words: Words) -> str:
    if low is None:
        return words("territory.below", value=write(high))
    if high is None:
        return words("territory.above", value=write(low))
    return words("territory.between", low=write(low), high=write(high))


def _grid_card(view: BreakdownView, state: BreakdownState, words: Words) -> html.Section:
    choice = dmc.Select(
        id="where:territory",
        value=state.territory or None,
        data=_territory_options(),
        searchable=True,
        clearable=True,
        placeholder=words("territory.choose"),
        size="sm",
        w=250,
        attributes={"input": {"aria-label": words("territory.choose")}},
    )
    return parts.card(
        parts.head(html.H2(words("territory.table_title")), choice),
        html.Div(
            _chosen(view, state, words), id="where:chosen", className="chosen", **parts.aria(live="polite")
        ),
        html.Div(_grid(view, state, words), className="grid-host"),
        name="territory-card",
    )


def _territory_options() -> list[dict[str, str]]:
    rows = territory_names().sort("territory").iter_rows(named=True)
    return [{"value": row["territory"], "label": f"{row['territory']} · {row['name']}"} for row in rows]


def _chosen(view: BreakdownView, state: BreakdownState, words: Words) -> list[Component | str]:
    row = view.territories.filter(pl.col("territory") == state.territory)
    if row.is_empty():
        return [words("territory.none_chosen")]
    found = row.row(0, named=True)
    return [html.B(f"{found['name']} : "), territory_sentence(found, words)]


def _grid(view: BreakdownView, state: BreakdownState, words: Words) -> dag.AgGrid:
    return dag.AgGrid(
        id="where:grid",
        rowData=_rows(view, words),
        columnDefs=_columns(words),
        getRowId="params.data.territory",
        selectedRows={"ids": [state.territory]} if state.territory else [],
        columnSize="responsiveSizeToFit",
        defaultColDef={"sortable": True, "resizable": True, "wrapHeaderText": True, "autoHeaderHeight": True},
        dashGridOptions={
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "localeText": words.section("grid"),
            "animateRows": False,
            "rowHeight": 34,
            "theme": {"function": parts.GRID_THEME},
        },
        style={"height": "100%"},
    )


def _columns(words: Words) -> list[dict[str, Any]]:
    def measured(field: str, name: str, width: int) -> dict[str, Any]:
        return {
            "field": field,
            "headerName": words(name),
            "type": "rightAligned",
            "minWidth": width,
            "valueFormatter": {"function": f"params.data.{field}_text"},
        }

    return [
        {"field": "name", "headerName": words("territory.name"), "minWidth": 210},
        measured("n_evaluable", "territory.n", 100),
        measured("n_broken", "territory.broken", 92),
        measured("rate", "territory.rate_interval", 152),
        measured("shrunk_ratio", "territory.ratio_column", 96),
    ]


def _rows(view: BreakdownView, words: Words) -> list[dict[str, Any]]:
    return [_row(row, words) for row in view.territories.iter_rows(named=True)]


def _row(row: Mapping[str, Any], words: Words) -> dict[str, Any]:
    hidden = row["suppressed"] or row["rate"] is None
    interval = words(
        "territory.interval",
        value=words.percent(row["rate"], 1),
        low=words.number(100 * (row["rate_low"] or 0)),
        high=words.number(100 * (row["rate_high"] or 0)),
    )
    return {
        "territory": row["territory"],
        "name": f"{row['territory']} · {row['name']}" + (" ◆" if row["hotspot"] else ""),
        **{field: row[field] for field in ("n_evaluable", "n_broken", "rate", "shrunk_ratio")},
        "n_evaluable_text": words("territory.below_threshold")
        if hidden
        else words.number(row["n_evaluable"]),
        "n_broken_text": words.number(row["n_broken"]),
        "rate_text": words.number(None) if hidden else interval,
        "shrunk_ratio_text": words.number(row["shrunk_ratio"], 2),
    }


def _funnel_card(view: BreakdownView, state: BreakdownState, words: Words) -> html.Section:
    graph = dcc.Graph(
        id="where:funnel",
        figure=funnel(view, state.territory, words),
        config=CONFIG,
        style={"height": f"{FUNNEL_HEIGHT}px"},
    )
    hint = html.P(words("funnel.text"), className="small soft")
    return parts.card(html.H2(words("funnel.title")), hint, graph)


def _definition_card(view: BreakdownView, words: Words) -> html.Section:
    return parts.card(html.Div(_definition(view, words), id="where:definition"))


def _definition(view: BreakdownView, words: Words) -> list[Component]:
    if view.row is None:
        return [html.H2(words("breakdown.any")), html.P(words("breakdown.any_text")), _operational(words)]
    row = view.row
    return [
        html.H2(words("definition.title", name=words.label(row))),
        html.P(_window(row, words)),
        *_statuses(row, words),
        html.P(
            [html.B(words("definition.evidence")), f" {_evidence(row['evidence'], words)}"], className="small"
        ),
        html.P([html.B(words("definition.source")), f" {row['source']}"], className="small"),
        _operational(words),
    ]


def _operational(words: Words) -> html.P:
    return html.P(words("definition.operational"), className="small soft")


def _window(row: Mapping[str, Any], words: Words) -> str:
    values = {"within": words.days(row["within_days"]), "grace": words.days(row["grace_days"])}
    sentences = {
        "late_step": "definition.late_step",
        "missed_step": "definition.missed_step",
        "interruption": "definition.interruption",
    }
    return words(sentences[row["kind"]], **values)


def _evidence(grade: str, words: Words) -> str:
    return words.section("evidence").get(grade, grade)


def _statuses(row: Mapping[str, Any], words: Words) -> list[Component]:
    shares = views.status_shares(row)
    names = words.section("status")
    items = [
        html.Span(
            [
                html.I(style={"background": STATUSES[status]}),
                words("status_line.text", name=names[status], n=words.number(n), share=words.percent(share)),
            ]
        )
        for status, n, share in shares
    ]
    patients = words("definition.patients", n=words.number(row["n_patients"]))
    return [html.H3(patients), parts.stacked(shares, "stack tall"), html.Div(items, className="legend")]
