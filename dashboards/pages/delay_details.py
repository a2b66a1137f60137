"""Who has had a step by each day: the curve and what it says in one sentence."""

from __future__ import annotations

from dash import dcc, html
from dash.development.base_component import Component

from dashboards import views
from dashboards.figures import CAUSES, CONFIG, INCIDENCE_HEIGHT, cause_names, cumulative_incidence
from dashboards.results import Results
from dashboards.words import Words
from eventlogs.abstraction import Level

SAID_SINCE_INDEX, SAID_SINCE_STEP = 90, 30


def by_day(results: Results, level: Level, origin: str, target: str, words: Words) -> list[Component]:
    """Return title, sentence, curve and note; nothing where no curve was released."""
    view = views.incidence_view(results, level, origin, target)
    if view is None:
        return []
    graph = dcc.Graph(
        figure=cumulative_incidence(view, words), config=CONFIG, style={"height": f"{INCIDENCE_HEIGHT}px"}
    )
    return [
        html.H3(words("incidence.title")),
        html.P(_sentence(view, words)),
        _legend(view, words),
        graph,
        html.P(words("incidence.note"), className="small soft"),
    ]


def _legend(view: views.IncidenceView, words: Words) -> html.Div:
    names = cause_names(view, words)
    items = [
        html.Span([html.I(style={"background": CAUSES[cause]}, className="edged"), name])
        for cause, name in names.items()
    ]
    return html.Div(items, className="legend")


def _sentence(view: views.IncidenceView, words: Words) -> str:
    day = SAID_SINCE_INDEX if view.since_index else SAID_SINCE_STEP
    row = view.at(day)
    shares = {cause: words.percent(row[cause]) for cause in ("step", "other", "waiting")}
    gone = words.percent(row["death"] + row["exit"])
    key = "incidence.said_index" if view.since_index else "incidence.said_step"
    return words(key, day=words.number(day), gone=gone, **shares)
