"""What the pages say, without Dash: pure functions on released tables."""

from __future__ import annotations

import math
from dataclasses import replace
from urllib.parse import parse_qsl

import polars as pl
import pytest

from dashboards import views
from dashboards.results import Results
from dashboards.territory_drawing import territory_map, territory_names
from dashboards.views import BreakdownState, MapState
from dashboards.words import words_in
from pathways.mining.kernels import END, START
from pathways.mining.readable import MOST_EDGES

FR, EN = words_in("fr"), words_in("en")


def test_the_map_opens_on_a_dozen_steps(results: Results) -> None:
    view = views.map_view(results, views.opening_state(results))
    assert 10 <= view.nodes.height <= 15
    assert view.edges.height <= 2 * view.nodes.height


def test_nothing_is_lost_by_the_sliders(results: Results) -> None:
    every = results.edges.filter(level="activity")["n_events"].sum()
    for activities in (5, 40, 100):
        for paths in (5, 30, 100):
            view = views.map_view(results, MapState(activities=activities, paths=paths))
            assert view.shown + view.hidden == every


def test_a_null_pooled_flow_stays_unsaid(results: Results) -> None:
    pooled = pl.col("source") == views.POOLED
    unsaid = replace(results, edges=results.edges.with_columns(pl.when(~pooled).then("n_events")))
    assert views.map_view(unsaid, MapState()).hidden_by_threshold is None


def test_never_more_than_150_passages(results: Results) -> None:
    assert views.map_view(results, MapState()).edges.height <= MOST_EDGES
    twice = results.edges.filter(pl.col("source") != views.POOLED).with_columns(pl.col("target") + "2")
    wide = pl.concat([results.edges, twice])
    nodes = pl.concat([results.nodes, results.nodes.with_columns(pl.col("activity") + "2")])
    view = views.map_view(replace(results, edges=wide, nodes=nodes), MapState())
    assert view.edges.height == MOST_EDGES


def test_the_columns_do_not_move_with_the_sliders(results: Results) -> None:
    order = views.phases_in_order(results, "activity")
    known = [phase for phase in order if phase in ("imaging", "diagnosis", "surgery", "radiotherapy")]
    assert known == ["imaging", "diagnosis", "surgery", "radiotherapy"]


def test_every_step_drawn_can_be_left_and_entered(results: Results) -> None:
    view = views.map_view(results, MapState(activities=60, paths=5))
    drawn = set(view.nodes["activity"])
    assert drawn <= set(view.edges["source"]) and drawn <= set(view.edges["target"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, (55, 30)),
        ({"activities": "42", "paths": "1000"}, (40, 100)),
        ({"activities": "0", "paths": "-3"}, (5, 30)),
        ({"activities": "abc", "paths": "²"}, (55, 30)),
    ],
)
def test_a_url_gives_sliders_in_steps_of_five(query: dict[str, str], expected: tuple[int, int]) -> None:
    state = MapState.from_query(query, MapState(activities=55, paths=30))
    assert (state.activities, state.paths) == expected


def test_a_url_gives_the_whole_state() -> None:
    url = "level=phase&measure=p90_days&activities=80&paths=25&selected=surgery%E2%86%92radiotherapy"
    expected = MapState("phase", "p90_days", 80, 25, "surgery→radiotherapy")
    assert MapState.from_query(dict(parse_qsl(url)), MapState()) == expected


def test_unknown_words_in_a_url_fall_back(results: Results) -> None:
    state = MapState.from_query({"level": "codes", "measure": "<script>"}, MapState())
    assert (state.level, state.measure) == ("activity", "n_patients")
    assert views.level_of({"level": "code"}, results) == "activity"
    assert views.level_of({"level": "phase"}, results) == "phase"
    assert BreakdownState.from_query({"breakdown": "nothing"}, results).breakdown == views.ANY


def test_an_edge_brings_its_delays_in_order(results: Results) -> None:
    view = views.edge_view(results, "activity", "breast_biopsy→pathology_exam")
    assert view is not None
    assert view.delays["day_from"].is_sorted()
    assert view.delays["n_events"].sum() == view.edge["n_events"]
    assert view.delays["day_to"].to_list()[-1] is None


@pytest.mark.parametrize("key", ["nothing→nowhere", "*→*", "→", "breast_biopsy"])
def test_an_edge_that_was_not_released_is_none(results: Results, key: str) -> None:
    assert views.edge_view(results, "activity", key) is None


def test_the_flows_of_a_node_share_out_its_events(results: Results) -> None:
    view = views.node_view(results, "activity", "breast_biopsy")
    assert view is not None
    assert math.isclose(view.before["share"].sum(), 1) and math.isclose(view.after["share"].sum(), 1)
    assert START in view.before["source"] and END not in view.before["source"]
    assert view.before["n_events"].is_sorted(descending=True)


def test_a_node_whose_patients_are_hidden_has_no_share(results: Results) -> None:
    hidden = results.nodes.with_columns(pl.lit(None, pl.Int64).alias("n_patients"))
    view = views.node_view(replace(results, nodes=hidden), "activity", "breast_biopsy")
    assert view is not None and view.share is None


def test_longest_delays_leave_out_loops(results: Results) -> None:
    slow = views.longest_delays(views.map_view(results, MapState()))
    assert slow.height == views.LONGEST_DELAYS
    assert slow["median_days"].is_sorted(descending=True)
    assert (slow["source"] != slow["target"]).all()


def test_variants_listed_others_and_rest_make_everyone(results: Results) -> None:
    view = views.variants_view(results)
    assert view.level == "phase" and view.rest is not None
    assert view.variants.height == views.VARIANTS_SHOWN and view.others.height > 0
    listed = view.variants["n_patients"].sum() + view.others["n_patients"].sum()
    assert listed + view.rest["n_patients"] == view.n_patients


def test_a_hidden_rest_leaves_no_total(results: Results) -> None:
    named = pl.col("rank").is_not_null()
    hidden = results.variants.with_columns(pl.when(named).then("n_patients"), level=pl.lit("activity"))
    view = views.variants_view(replace(results, variants=hidden))
    assert view.n_patients is None and view.level == "activity"


def test_territories_of_the_map_are_all_there(results: Results) -> None:
    view = views.breakdown_view(results, BreakdownState("late_start"), territory_names())
    assert view.territories.height == 101
    assert view.n_suppressed == view.territories["rate"].null_count() > 0
    shown = view.territories.filter(~pl.col("suppressed"))
    assert (shown["rate_low"] < shown["rate"]).all() and (shown["rate"] < shown["rate_high"]).all()


def test_a_suppressed_territory_says_no_number(results: Results) -> None:
    view = views.breakdown_view(results, BreakdownState("late_start"), territory_names())
    numbers = ["n_evaluable", "n_broken", "rate", "rate_low", "rate_high", "shrunk_ratio", "shade"]
    hidden = view.territories.filter("suppressed").select(numbers)
    assert hidden.null_count().row(0) == (hidden.height,) * len(numbers)
    assert "moins de 11" in territory_map(view, FR)


def test_an_unknown_territory_stays_in_the_table_and_off_the_map(results: Results) -> None:
    row = results.territories.filter(breakdown="late_start").head(1).with_columns(territory=pl.lit("<b>"))
    strange = replace(results, territories=pl.concat([results.territories, row]))
    view = views.breakdown_view(strange, BreakdownState("late_start"), territory_names())
    assert view.territories.height == 102
    assert "<b>" not in territory_map(view, FR)


def test_classes_have_fixed_bounds() -> None:
    frame = pl.DataFrame({"rate": [0.05, 0.1, 0.39, 0.9, None]})
    assert frame.select(views.shade_of("rate", views.RATE_BOUNDS))["shade"].to_list() == [0, 1, 3, 4, None]


def test_wilson_interval_against_published_values() -> None:
    # Newcombe, Stat Med 1998;17:857-872, table I: 81/263 and 15/148 and 0/20 and 1/29
    frame = pl.DataFrame({"x": [81, 15, 0, 1], "n": [263, 148, 20, 29]})
    low, high = (c.to_list() for c in frame.select(*views.wilson("x", "n")))
    assert [round(v, 4) + 0 for v in low] == [0.2553, 0.0624, 0.0, 0.0061]
    assert [round(v, 4) for v in high] == [0.3662, 0.1605, 0.1611, 0.1718]


def test_hidden_statuses_have_no_share() -> None:
    row = {"n_patients": 100, "kept": None, "broken": 20, "excused": None, "undecidable": 30}
    assert views.broken_share(row) is None
    assert {status: share for status, _, share in views.status_shares(row)}["kept"] is None


def test_a_study_without_optional_tables_has_empty_views(results: Results) -> None:
    bare = replace(
        results,
        variants=results.variants.clear(),
        territories=results.territories.clear(),
        breakdowns=results.breakdowns.clear(),
        edge_delays=results.edge_delays.clear(),
    )
    assert views.variants_view(bare).rest is None
    assert views.breakdown_ids(bare) == []
    assert views.breakdown_view(bare, BreakdownState(), territory_names()).n_suppressed == 101


def test_files_carry_their_provenance_and_open_in_a_french_spreadsheet(results: Results) -> None:
    view = views.map_view(results, MapState(activities=20, paths=20))
    text = views.to_csv(views.with_provenance(view.edges, results, "filter"))
    head, first, *_ = text.splitlines()
    assert text.startswith("\ufeff")
    assert head.endswith("denominator;threshold;filters;study")
    assert first.endswith(f"2500;11;filter;{results.study}")
    assert ",0" in first or "0," in first


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (FR.number(12345.6, 1), "12\u202f345,6"),
        (EN.number(12345.6, 1), "12,345.6"),
        (FR.percent(0.123, 1), "12,3\u00a0%"),
        (EN.percent(0.123, 1), "12.3%"),
        (FR.number(None), "–"),
        (EN.days(21), "21\u00a0d"),
    ],
)
def test_numbers_are_written_as_each_language_writes_them(said: str, expected: str) -> None:
    assert said == expected
