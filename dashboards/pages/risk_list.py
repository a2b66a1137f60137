"""The risk list: the only page with lines about patients. It opens only on a network's own study, when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dash_ag_grid as dag
import polars as pl
from dash import html
from dash.development.base_component import Component

from dashboards import parts
from dashboards.results import OpenStudy
from dashboards.words import Words

NOMINATIVE_ROLES = ("network", "log")
ROW_HEIGHT, HEAD_HEIGHT, MOST_HEIGHT = 74, 52, 760
TEXTS = ("expected_step", "reason_1", "reason_2", "reason_3")


def may_open(study: OpenStudy, asked: bool) -> bool:
    """Say whether the list may be shown: asked for, and the study is a network's own log.

    A list scored on SNDS data is retrospective and about pseudonyms: it stays in the study.
    """
    return asked and study.manifest["role"] in NOMINATIVE_ROLES


def layout(study: OpenStudy, words: Words) -> Component:
    """Return the page with the newest list."""
    title = parts.head(html.H1(words("list.title")))
    newest = next(iter(study.risk_lists()), None)
    if newest is None:
        return html.Div([title, parts.empty(words("list.none"))])
    frame = read_list(newest)
    return html.Div([title, _banner(frame, words), parts.card(_grid(frame, words))])


def closed(words: Words) -> Component:
    """Return the page that says why there is no list here."""
    return html.Div([parts.head(html.H1(words("list.title"))), parts.card(html.P(words("list.closed")))])


def read_list(path: Path) -> pl.DataFrame:
    """Read a list as the project writes it: ``;``, UTF-8 with a byte-order mark."""
    return pl.read_csv(path, separator=";", infer_schema=False).with_columns(
        pl.col("rank", "days_overdue").cast(pl.Int64, strict=False),
        pl.col("risk").str.replace(",", ".").cast(pl.Float64, strict=False),
        pl.col("due_date", "scored_at").str.slice(0, 10).str.to_date(strict=False),
    )


def _banner(frame: pl.DataFrame, words: Words) -> html.Div:
    scored, model = frame["scored_at"].max(), frame["model"].first()
    said = words(
        "list.as_of",
        date=words.date(scored),  # type: ignore[arg-type]
        n=words.number(frame.height),
        model=str(model),
    )
    return html.Div(
        [
            html.B(words("list.proposal")),
            html.P(words("list.limits"), className="small"),
            html.Div(said, className="small"),
        ],
        className="banner",
        role="note",
    )


def _grid(frame: pl.DataFrame, words: Words) -> dag.AgGrid:
    rows = [_row(row, words) for row in frame.iter_rows(named=True)]
    return dag.AgGrid(
        id="list:grid",
        rowData=rows,
        columnDefs=_columns(words),
        columnSize="responsiveSizeToFit",
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "filter": True,
            "wrapText": True,
            "autoHeight": True,
            "wrapHeaderText": True,
            "autoHeaderHeight": True,
        },
        dashGridOptions={
            "localeText": words.section("grid"),
            "animateRows": False,
            "theme": {"function": parts.GRID_THEME},
        },
        style={"height": f"{min(MOST_HEIGHT, HEAD_HEIGHT + ROW_HEIGHT * len(rows))}px"},
    )


def _row(row: Mapping[str, Any], words: Words) -> dict[str, Any]:
    texts = {name: (row[name] or "").replace(" ;", "\u00a0;").replace(" :", "\u00a0:") for name in TEXTS}
    return {
        "rank": row["rank"],
        "patient_id": row["patient_id"],
        "risk": row["risk"],
        "risk_text": words.percent(row["risk"]),
        "due_date": str(row["due_date"] or ""),
        "due_text": words.date(row["due_date"]),
        "days_overdue": row["days_overdue"],
        "overdue_text": _overdue(row["days_overdue"], words),
        **texts,
    }


def _overdue(days: int | None, words: Words) -> str:
    return words.days(days) if days is None or days >= 0 else words("list.ahead", days=words.days(-days))


def _columns(words: Words) -> list[dict[str, Any]]:
    def text(field: str, name: str, **more: Any) -> dict[str, Any]:
        return {"field": field, "headerName": words(name), **more}

    def number(field: str, name: str, shown: str, width: int) -> dict[str, Any]:
        formatter = {"valueFormatter": {"function": f"params.data.{shown}"}, "minWidth": width}
        late = (
            {"cellClassRules": {"is-late": "params.data.days_overdue > 0"}} if field == "days_overdue" else {}
        )
        return text(field, name, type="rightAligned", filter="agNumberColumnFilter", **formatter, **late)

    return [
        text("rank", "list.rank", type="rightAligned", minWidth=70, filter=False),
        text("patient_id", "list.patient", minWidth=115),
        number("risk", "list.risk", "risk_text", 95),
        text("expected_step", "list.step", minWidth=170),
        text("due_date", "list.due", minWidth=125, valueFormatter={"function": "params.data.due_text"}),
        number("days_overdue", "list.overdue", "overdue_text", 120),
        text("reason_1", "list.reason_1", minWidth=255),
        text("reason_2", "list.reason_2", minWidth=185),
        text("reason_3", "list.reason_3", minWidth=185),
    ]
