"""View data -> plotly figures. Text and grid take the page's colours from the style sheet, in light and dark."""

from __future__ import annotations

from html import escape
from typing import Any

import plotly.graph_objects as go
import polars as pl

from dashboards.views import BreakdownView, EdgeView, IncidenceView
from dashboards.words import Words

BAR = "#8092a8"
DOT, HOT, LIMIT, CHOSEN = "#6b7f97", "#d1361a", "#8c8c8c", "#1f5f8b"
CONFIG: Any = {"displayModeBar": False, "responsive": True}
CAUSES = {
    "step": CHOSEN,
    "other": "#a9c4d9",
    "waiting": "rgba(0,0,0,0)",
    "exit": "#ddcc77",
    "death": "#4d4d4d",
}
HISTOGRAM_HEIGHT, FUNNEL_HEIGHT, INCIDENCE_HEIGHT = 210, 340, 310
AT_RISK_TOLD = 5
HEADROOM = 1.14
NAMED_DOTS = 3


def delay_histogram(view: EdgeView, words: Words) -> go.Figure:
    """Return the delays of one passage: one bar a released bin, as high as its events a day.

    Bins are unequal (each holds at least the threshold), so area and not height is the count; the last bin has no
    released end and is drawn as wide as the one before.
    """
    bins = view.delays.with_columns(
        (pl.col("day_to") - pl.col("day_from") + 1).fill_null(strategy="forward").fill_null(1).alias("width")
    )
    said = [_bin_sentence(row, words) for row in bins.iter_rows(named=True)]
    bars = go.Bar(
        x=(bins["day_from"] + bins["width"] / 2).to_list(),
        y=(bins["n_events"] / bins["width"]).to_list(),
        width=bins["width"].to_list(),
        marker={"color": BAR, "line": {"width": 0.6, "color": "rgba(255,255,255,0.8)"}},
        hovertext=said,
        hoverinfo="text",
    )
    figure = go.Figure(bars, _layout(words, HISTOGRAM_HEIGHT))
    for name, column, side in (("edge.median", "median_days", "right"), ("edge.p90", "p90_days", "left")):
        _mark_delay(figure, view.edge[column], words(name), side)
    figure.update_xaxes(title_text=words("edge.days_axis"), rangemode="tozero")
    figure.update_yaxes(title_text=words("edge.density_axis"), rangemode="tozero", nticks=4)
    return figure


def _mark_delay(figure: go.Figure, days: float | None, name: str, side: str) -> None:
    if days is not None:
        figure.add_vline(days, line={"color": CHOSEN, "width": 1.5, "dash": "dot"})
        place = {"x": days, "y": 1.0, "yref": "paper", "yanchor": "bottom", "xanchor": side}
        figure.add_annotation(text=name, showarrow=False, **place)


def _bin_sentence(row: dict[str, int | None], words: Words) -> str:
    key = "edge.bin_open" if row["day_to"] is None else "edge.bin"
    return words(
        key,
        first=words.number(row["day_from"]),
        last=words.number(row["day_to"]),
        n=words.number(row["n_events"]),
    )


def cumulative_incidence(view: IncidenceView, words: Words) -> go.Figure:
    """Return who has had a step by each day, stacked to everybody, with the number at risk beneath.

    From below: the step with its interval, another next step, those who still wait (not filled), exits and deaths.
    """
    figure = go.Figure(layout=_layout(words, INCIDENCE_HEIGHT))
    for cause, name in cause_names(view, words).items():
        figure.add_trace(_share(view, cause, name, words))
    for limit in ("low", "high"):
        figure.add_trace(_interval(view, limit))
    figure.update_layout(
        hovermode="x",
        annotations=_at_risk(view, words),
    )
    since = words("incidence.since_index") if view.since_index else words("incidence.since_step")
    figure.update_xaxes(title_text=since, anchor="y", range=[0, max(1, view.last_day)])
    return figure.update_yaxes(domain=[0.36, 1], range=[0, 1], tickformat=".0%", nticks=6)


def cause_names(view: IncidenceView, words: Words) -> dict[str, str]:
    """Return the causes that some patients met, from below in the figure, with their names."""
    names = {
        "step": words("incidence.step"),
        "other": words("incidence.other"),
        "waiting": words("incidence.waiting"),
        "exit": words("incidence.exit"),
        "death": words("incidence.death"),
    }
    some = view.curve.select(pl.col(*CAUSES).max() > 0).row(0, named=True)
    return {cause: names[cause] for cause in CAUSES if some[cause]}


def _share(view: IncidenceView, cause: str, name: str, words: Words) -> go.Scatter:
    shares = view.curve[cause].to_list()
    return go.Scatter(
        x=view.curve["day"].to_list(),
        y=shares,
        name=name,
        stackgroup="everybody",
        line={"shape": "hv", "width": 0, "color": CAUSES[cause]},
        fillcolor=CAUSES[cause],
        hovertext=[f"{name}: {words.percent(share)}" for share in shares],
        hoverinfo="text",
    )


def _interval(view: IncidenceView, limit: str) -> go.Scatter:
    return go.Scatter(
        x=view.curve["day"].to_list(),
        y=view.curve[limit].to_list(),
        mode="lines",
        line={"shape": "hv", "width": 1, "dash": "dot", "color": LIMIT},
        hoverinfo="skip",
    )


def _at_risk(view: IncidenceView, words: Words) -> list[dict[str, Any]]:
    """Write how many still wait on a few days, under the axis."""
    days = [round(view.last_day * place / (AT_RISK_TOLD - 1)) for place in range(AT_RISK_TOLD)]
    sides = ["left", *["center"] * (AT_RISK_TOLD - 2), "right"]
    below = {"yref": "paper", "yanchor": "bottom", "showarrow": False}
    told = [
        {"text": words.number(view.at(day)["n_at_risk"]), "x": day, "xanchor": side, "y": 0, **below}
        for day, side in zip(days, sides, strict=True)
    ]
    name = {
        "text": words("incidence.at_risk"),
        "x": 0,
        "xref": "paper",
        "xanchor": "left",
        "y": 0.09,
        **below,
    }
    return [name, *told]


def funnel(view: BreakdownView, territory: str, words: Words) -> go.Figure:
    """Return the funnel: each territory's rate against its number of patients, within its 95 % limits.

    A small territory far from the mean but inside the limits differs no more than chance allows.
    """
    shown = view.territories.filter(pl.col("rate").is_not_null()).sort("n_evaluable")
    figure = go.Figure(layout=_layout(words, FUNNEL_HEIGHT))
    if shown.is_empty():
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
        return figure.add_annotation(text=words("funnel.empty"), showarrow=False)
    for limit in ("funnel_low", "funnel_high"):
        figure.add_trace(_limit(shown, limit))
    figure.add_trace(_dots(shown, territory, words))
    figure.update_xaxes(title_text=words("funnel.n_axis"), rangemode="tozero")
    top = 100 * max([0.1, *shown["rate"].to_list(), *shown["funnel_high"].drop_nulls().to_list()])
    figure.update_yaxes(
        title_text=words("funnel.rate_axis"), ticksuffix=words("funnel.suffix"), range=[0, HEADROOM * top]
    )
    return figure


def _limit(shown: pl.DataFrame, limit: str) -> go.Scatter:
    return go.Scatter(
        x=shown["n_evaluable"].to_list(),
        y=(100 * shown[limit]).to_list(),
        mode="lines",
        line={"color": LIMIT, "width": 1.3, "dash": "dash"},
        hoverinfo="skip",
    )


def _dots(shown: pl.DataFrame, territory: str, words: Words) -> go.Scatter:
    chosen = pl.col("territory") == territory
    highest = pl.col("rate").rank("ordinal", descending=True) <= NAMED_DOTS
    look = shown.select(
        pl.when(chosen)
        .then(pl.lit(CHOSEN))
        .when("hotspot")
        .then(pl.lit(HOT))
        .otherwise(pl.lit(DOT))
        .alias("colour"),
        pl.when(chosen).then(15).when("hotspot").then(10).otherwise(8).alias("size"),
        pl.when("hotspot").then(pl.lit("diamond")).otherwise(pl.lit("circle")).alias("symbol"),
        pl.when(chosen | (pl.col("hotspot") & highest)).then("name").otherwise(pl.lit("")).alias("text"),
    )
    return go.Scatter(
        x=shown["n_evaluable"].to_list(),
        y=(100 * shown["rate"]).to_list(),
        mode="markers+text",
        marker={
            "color": look["colour"].to_list(),
            "size": look["size"].to_list(),
            "symbol": look["symbol"].to_list(),
            "opacity": 0.85,
            "line": {"width": 1, "color": "#ffffff"},
        },
        text=look["text"].to_list(),
        textposition="top center",
        customdata=shown["territory"].to_list(),
        hovertext=[
            words(
                "funnel.hover",
                name=escape(row["name"]),
                rate=words.percent(row["rate"], 1),
                n=words.number(row["n_evaluable"]),
            )
            for row in shown.iter_rows(named=True)
        ],
        hoverinfo="text",
    )


def _layout(words: Words, height: int) -> go.Layout:
    axis = {
        "title": {"font": {"size": 12.5}, "standoff": 8},
        "showline": False,
        "gridcolor": "#dfe4ea",
        "zerolinecolor": "#dfe4ea",
        "fixedrange": True,
        "automargin": True,
    }
    return go.Layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 22, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        separators=",\u202f" if words.language == "fr" else ".,",
        font={"size": 12.5},
        hoverlabel={"align": "left"},
        xaxis=axis,
        yaxis=axis,
        template="none",
    )
