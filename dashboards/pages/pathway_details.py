"""Beside and below the map: one passage or step in detail, the longest delays, the commonest pathways, the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl
from dash import dcc, html
from dash.development.base_component import Component

from dashboards import parts, views
from dashboards.figures import CONFIG, HISTOGRAM_HEIGHT, delay_histogram
from dashboards.pages.delay_details import by_day
from dashboards.results import Results
from dashboards.views import ARROW, HIDDEN_KEY, MapState, MapView
from dashboards.words import Words
from eventlogs.abstraction import Level
from pathways.drawing import count_steps
from pathways.drawing.colours import phase_colours
from pathways.mining.incidence import INDEX
from pathways.mining.kernels import END, START

FLOWS_SHOWN = 6
UNKNOWN_COLOUR = "#888888"


def phase_names(results: Results, words: Words) -> dict[str, str]:
    rows = results.nodes.filter(pl.col("level") == "phase").iter_rows(named=True)
    return {row["phase"]: words.label(row) for row in rows}


def _names(results: Results, level: Level, words: Words) -> dict[str, str]:
    rows = results.nodes.filter(pl.col("level") == level).iter_rows(named=True)
    return {row["activity"]: words.label(row) for row in rows} | {
        START: words("map.start"),
        END: words("map.end"),
    }


def panel(results: Results, view: MapView, state: MapState, words: Words) -> list[Component]:
    return [_close(words), *(_content(results, view, state, words) or [parts.empty(words("panel.unknown"))])]


def _content(results: Results, view: MapView, state: MapState, words: Words) -> list[Component] | None:
    if state.selected == HIDDEN_KEY:
        return _hidden_panel(view, results, words)
    content = (_edge_panel if ARROW in state.selected else _node_panel)(results, state, words)
    if content and not view.draws(state.selected):
        content.append(html.P(words("panel.not_drawn"), className="small soft"))
    return content


def _close(words: Words) -> Component:
    cross = html.Span("×", **parts.aria(hidden="true"))
    return html.Button([cross, f" {words('panel.close')}"], id={"pick": ""}, className="close", type="button")


def slow(results: Results, view: MapView, state: MapState, words: Words) -> Component:
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
        *_notes(edge, words),
        *by_day(results, state.level, edge["source"], edge["target"], words),
    ]


def _notes(edge: Mapping[str, Any], words: Words) -> list[Component]:
    tied, unsaid = edge["tied_share"], edge["p90_days"] is None
    notes = [words("edge.tied", share=words.percent(tied))] if tied else []
    notes += [words("edge.too_few")] if unsaid else []
    return [html.P(note, className="small soft") for note in notes]


def _delays(view: views.EdgeView, words: Words) -> Component:
    if view.delays.is_empty():
        return parts.empty(words("edge.no_delay"))
    return dcc.Graph(
        figure=delay_histogram(view, words), config=CONFIG, style={"height": f"{HISTOGRAM_HEIGHT}px"}
    )


def _node_panel(results: Results, state: MapState, words: Words) -> list[Component] | None:
    view = views.node_view(results, state.level, state.selected)
    if view is None:
        return None
    outcome = state.selected.startswith(END)
    names = _names(results, state.level, words)
    return [
        html.H2(words.label(view.node)),
        html.Div(
            [
                parts.number(
                    words.number(view.node["n_patients"]),
                    words("node.patients", share=words.percent(view.share)),
                ),
                *(
                    []
                    if outcome
                    else [parts.number(words.days(view.node["median_day"]), words("node.median_day"))]
                ),
            ],
            className="figures",
        ),
        *by_day(results, state.level, INDEX, view.node["activity"], words),
        html.H3(words("node.before")),
        _flow_list(_flows(view.before, "source", names, words)),
        *([] if outcome else _after(view, names, words)),
        html.P(words("node.note"), className="small soft"),
    ]


def _after(view: views.NodeView, names: Mapping[str, str], words: Words) -> list[Component]:
    return [
        html.H3(words("node.after")),
        _flow_list(_flows(view.after, "target", names, words)),
    ]


def _flows(
    edges: pl.DataFrame, end: str, names: Mapping[str, str], words: Words
) -> Iterable[tuple[str, str, str, float]]:
    for row in edges.head(FLOWS_SHOWN).iter_rows(named=True):
        value = f"{words.number(row['n_events'])} · {words.percent(row['share'])}"
        yield f"{row['source']}{ARROW}{row['target']}", names[row[end]], value, row["share"]


def variants(results: Results, words: Words) -> list[Component]:
    """Return the table of the commonest pathways, each a row of coloured steps."""
    view = views.variants_view(results)
    note = words("variants.note_milestones") if view.level == "phase" else words("variants.note")
    title = html.H2(words("variants.title"))
    if view.variants.is_empty():
        return [title, parts.empty(_no_variant(results, words))]
    longest = view.variants["share"].max()
    rows = [_variant(row, view.level, longest, results, words) for row in view.variants.iter_rows(named=True)]
    body = html.Tbody([*rows, *_others(view, words), *_rest(view, words)])
    return [
        parts.head(title, html.Span(note, className="small soft"), *_variants_file(words)),
        html.Div(html.Table([_variant_head(view, words), body], className="variants"), className="scroll"),
    ]


def _variants_file(words: Words) -> list[Component]:
    return [
        parts.button("map:variants-csv", words("variants.download_csv")),
        parts.download("map:variants-file"),
    ]


def _no_variant(results: Results, words: Words) -> str:
    threshold, total = words.number(results.threshold), words.number(results.summary["n_patients"])
    return words("variants.empty", threshold=threshold, total=total)


def _variant_head(view: views.VariantsView, words: Words) -> html.Thead:
    patients = words("variants.patients", total=words.number(view.n_patients))
    names = [
        words("variants.rank"),
        words("variants.steps"),
        patients,
        words("variants.share"),
        words("variants.days"),
    ]
    kinds = ["", "", "n", "", "n"]
    cells = [html.Th(name, scope="col", className=kind) for name, kind in zip(names, kinds, strict=True)]
    return html.Thead(html.Tr(cells))


def _variant(row: Mapping[str, Any], level: Level, longest: Any, results: Results, words: Words) -> html.Tr:
    return html.Tr(
        [
            html.Td(str(row["rank"])),
            html.Td(_chips(row["variant"], level, results, words)),
            html.Td(_patients(row["n_patients"], row["share"], words), className="n"),
            html.Td(parts.bar(row["share"] / longest, "share")),
            html.Td(words.days(row["median_days"]), className="n"),
        ]
    )


def _patients(patients: int | None, share: float | None, words: Words) -> str:
    return f"{words.number(patients)} · {words.percent(share, 1)}"


def _chips(variant: list[str], level: Level, results: Results, words: Words) -> html.Div:
    names, colours = _names(results, level, words), phase_colours(results.phases)
    phases = dict(results.nodes.filter(level=level).select("activity", "phase").iter_rows())
    return html.Div(
        [
            html.Span(
                names.get(step, step),
                className="chip",
                style={"borderLeftColor": colours.get(phases.get(step, ""), UNKNOWN_COLOUR)},
            )
            for step in variant
        ],
        className="chips",
    )


def _others(view: views.VariantsView, words: Words) -> list[html.Tr]:
    if view.others.is_empty():
        return []
    name = words("variants.others", n=words.number(view.others.height))
    value = _patients(int(view.others["n_patients"].sum()), float(view.others["share"].sum()), words)
    return [_summed(name, value)]


def _rest(view: views.VariantsView, words: Words) -> list[html.Tr]:
    if view.rest is None:
        return []
    value = _patients(view.rest["n_patients"], view.rest["share"], words)
    return [_summed(words("variants.rest"), value)]


def _summed(name: str, value: str) -> html.Tr:
    cells = [
        html.Td(""),
        html.Td(name, className="soft"),
        html.Td(value, className="n"),
        html.Td(""),
        html.Td(""),
    ]
    return html.Tr(cells)


def table(results: Results, view: MapView, state: MapState, words: Words) -> html.Table:
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
    return parts.table(header, rows, filter_sentence(view, state, words), numeric_from=2)


def filter_sentence(view: MapView, state: MapState, words: Words) -> str:
    return words(
        "map.filter_line",
        level=_level_name(state.level, words),
        measure=measures(words)[state.measure],
        steps=words.number(count_steps(view.nodes)),
        all_steps=words.number(view.n_nodes),
        paths=words.number(view.edges.height),
        all_paths=words.number(view.n_edges),
    )


def levels(results: Results, words: Words) -> dict[str, str]:
    """Return the names of the levels that the study has, from the finest to the coarsest."""
    return {level: _level_name(level, words) for level in views.levels(results)}


def _level_name(level: Level, words: Words) -> str:
    names = {
        "code": words("map.level_code"),
        "activity": words("map.level_activity"),
        "phase": words("map.level_phase"),
    }
    return names[level]


def measures(words: Words) -> dict[str, str]:
    return {
        "n_patients": words("map.measure_patients"),
        "n_events": words("map.measure_events"),
        "median_days": words("map.measure_median"),
        "p90_days": words("map.measure_p90"),
    }
