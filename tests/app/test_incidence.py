"""Who has had a step by each day, in the details of the map: from a small made-up released table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from dashboards import views
from dashboards.figures import cause_names, cumulative_incidence
from dashboards.pages.delay_details import by_day
from dashboards.results import OPTIONAL, Results
from dashboards.words import words_in
from pathways.disclosure import INCIDENCE_COLUMNS
from pathways.mining.incidence import INDEX

FR, EN = words_in("fr"), words_in("en")
EDGE = ("breast_biopsy", "pathology_exam")


def rows(origin: str, target: str, **shares: list[float]) -> list[dict[str, Any]]:
    days = (0, 20, 40, 1000)
    return [
        {
            **{"level": "activity", "origin": origin, "target": target, "cause": cause, "day": day},
            **{"n_at_risk": 900 - day // 2, "incidence": share, "low": share - 0.01, "high": share + 0.01},
        }
        for cause, values in shares.items()
        for day, share in zip(days, values, strict=True)
    ]


@pytest.fixture
def told(results: Results) -> Results:
    """Results with the curves of one step and one passage."""
    table = [
        *rows(INDEX, EDGE[1], step=[0, 0.3, 0.5, 0.6], death=[0, 0, 0.1, 0.2], exit=[0.0] * 4),
        *rows(*EDGE, step=[0, 0.4, 0.5, 0.5], other=[0, 0.2, 0.3, 0.3], death=[0.0] * 4, exit=[0.0] * 4),
    ]
    return replace(results, incidence=pl.DataFrame(table, schema=INCIDENCE_COLUMNS))


def test_the_app_reads_the_released_columns() -> None:
    assert dict(OPTIONAL["incidence"]) == INCIDENCE_COLUMNS


def test_shares_of_a_day_are_everybody(told: Results) -> None:
    view = views.incidence_view(told, "activity", *EDGE)
    assert view is not None and not view.since_index
    parts = view.curve.select(pl.sum_horizontal("step", "other", "waiting", "exit", "death")).to_series()
    assert parts.to_list() == pytest.approx([1.0] * 3)
    assert view.at(30)["step"] == 0.4 and view.at(40)["n_at_risk"] == 880


def test_a_curve_stops_where_the_panel_does(told: Results) -> None:
    since = views.incidence_view(told, "activity", INDEX, EDGE[1])
    assert since is not None and since.since_index
    assert since.last_day <= views.LONGEST_SINCE_INDEX


def test_no_curve_no_panel(told: Results, results: Results) -> None:
    assert views.incidence_view(told, "phase", *EDGE) is None
    assert by_day(results, "activity", *EDGE, FR) == []


def test_the_figure_stacks_what_was_met_and_tells_who_waits(told: Results) -> None:
    view = views.incidence_view(told, "activity", INDEX, EDGE[1])
    assert view is not None
    assert list(cause_names(view, EN)) == ["step", "waiting", "death"]
    figure = cumulative_incidence(view, EN)
    names = [trace.name for trace in figure.data if trace.stackgroup]
    assert names == [EN("incidence.step"), EN("incidence.waiting"), EN("incidence.death")]
    assert [note.text for note in figure.layout.annotations][:2] == ["Still waiting:", "900"]


def test_the_sentence_says_the_shares_of_a_day(told: Results) -> None:
    french = by_day(told, "activity", *EDGE, FR)[1].children
    shares = [FR.percent(share) for share in (0.4, 0.2, 0.4)]
    assert all(share in french for share in shares) and french.startswith("Au jour 30")
    english = by_day(told, "activity", INDEX, EDGE[1], EN)[1].children
    assert english == "By day 90: 50% have had this step, 10% have died or left, 40% are still waiting."
