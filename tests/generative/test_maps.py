"""Maps of generated logs: equal to pm4py and to a naive reference, and the laws of flows, ties and filters."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from statistics import mean, median
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlogs.log import EventLog
from pathways.mining.kernels import (
    ELSEWHERE,
    END,
    START,
    case_durations,
    delay_counts,
    directly_follows,
    end_activities,
    start_activities,
    variants,
)
from pathways.mining.maps import ProcessMap, filter_to
from pathways.mining.outcomes import OUTCOMES
from pathways.mining.pm4py_door import to_pm4py

DAY_0 = datetime(2021, 3, 1)
ACTIVITIES = ("biopsy", "surgery", "chemo", "radiotherapy", "death")
WITHIN_DAY = ("biopsy", "chemo", "surgery")
IDS = ("NA", "null", "p1", "p10", "p2", "é 3")

steps = st.lists(
    st.tuples(st.sampled_from(ACTIVITIES), st.integers(0, 6), st.sampled_from([0, 0, 0, 5, 61])),
    min_size=1,
    max_size=9,
)
people = st.dictionaries(st.sampled_from(IDS), steps, min_size=1, max_size=len(IDS))
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

Trace = list[tuple[str, datetime]]


def rows(people: dict[str, list[tuple[str, int, int]]]) -> pl.DataFrame:
    events = [
        (patient, activity, DAY_0 + timedelta(days=day, minutes=minute))
        for patient, sequence in people.items()
        for activity, day, minute in sequence
    ]
    return pl.DataFrame(events, schema=["patient_id", "activity", "start"], orient="row")


def log_of(people: dict[str, list[tuple[str, int, int]]]) -> EventLog:
    return EventLog.create(rows(people), within_day=WITHIN_DAY)


def traces(log: EventLog) -> list[Trace]:
    events = log.events.sort("patient_id", "rank").select("patient_id", "activity", "start").rows()
    return [[(a, t) for _, a, t in group] for _, group in groupby(events, key=lambda event: event[0])]


def linear(values: list[float], share: float) -> float:
    """Quantile by linear interpolation, written out."""
    ordered, place = sorted(values), share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def on_tie(trace: Trace, place: int) -> bool:
    return len({activity for activity, time in trace if time == trace[place][1]}) > 1


def naive_edges(log: EventLog) -> dict[tuple[str, str], dict[str, Any]]:
    found: dict[tuple[str, str], list[tuple[int, float, bool]]] = defaultdict(list)
    for patient, trace in enumerate(traces(log)):
        for i, ((a, t), (b, u)) in enumerate(pairwise(trace)):
            tied = on_tie(trace, i) or on_tie(trace, i + 1)
            found[a, b].append((patient, (u - t) / timedelta(days=1), tied))
    return {
        edge: {
            "n_events": len(seen),
            "n_patients": len({patient for patient, _, _ in seen}),
            "tied_share": sum(tied for _, _, tied in seen) / len(seen),
            "n_tied_patients": len({patient for patient, _, tied in seen if tied}),
            "mean_days": mean(days for _, days, _ in seen),
            "median_days": median(days for _, days, _ in seen),
            "p90_days": linear([days for _, days, _ in seen], 0.9),
            "min_days": min(days for _, days, _ in seen),
            "max_days": max(days for _, days, _ in seen),
        }
        for edge, seen in found.items()
    }


@quick
@given(people)
def test_edges_equal_a_naive_reference(people):
    log = log_of(people)
    ours = {(row.pop("source"), row.pop("target")): row for row in directly_follows(log).to_dicts()}
    expected = naive_edges(log)
    assert ours.keys() == expected.keys()
    for edge, row in ours.items():
        assert row == pytest.approx(expected[edge], abs=1e-9)


@quick
@given(people)
def test_terminals_variants_and_durations_equal_a_naive_reference(people):
    log = log_of(people)
    seen = traces(log)
    firsts = Counter(trace[0][0] for trace in seen)
    lasts = Counter(trace[-1][0] for trace in seen)
    assert dict(start_activities(log).select("activity", "n_patients").rows()) == firsts
    assert dict(end_activities(log).select("activity", "n_patients").rows()) == lasts
    for collapse in (False, True):
        days: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for trace in seen:
            word = tuple(a for a, _ in trace)
            word = tuple(a for a, _ in groupby(word)) if collapse else word
            days[word].append((trace[-1][1] - trace[0][1]) / timedelta(days=1))
        ours = {tuple(v): (n, d) for v, n, d in variants(log, collapse=collapse).rows()}
        assert ours.keys() == days.keys()
        for word, (n, middle) in ours.items():
            assert (n, middle) == (len(days[word]), pytest.approx(median(days[word])))
    durations = case_durations(log)
    assert durations["n_events"].to_list() == [len(trace) for trace in seen]
    assert durations["days"].to_list() == pytest.approx(
        [(trace[-1][1] - trace[0][1]) / timedelta(days=1) for trace in seen]
    )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(people)
def test_maps_equal_pm4py_in_rank_order(people):
    import pm4py

    log = log_of(people)
    frame = to_pm4py(log)
    follows, starts, ends = pm4py.discover_dfg(frame.copy())
    edges = directly_follows(log)
    assert {(s, t): n for s, t, n in edges.select("source", "target", "n_events").rows()} == dict(follows)
    assert dict(start_activities(log).select("activity", "n_patients").rows()) == dict(starts)
    assert dict(end_activities(log).select("activity", "n_patients").rows()) == dict(ends)
    theirs = {tuple(word): n for word, n in pm4py.get_variants(frame.copy()).items()}
    assert {tuple(word): n for word, n, _ in variants(log).rows()} == theirs
    performance, _, _ = pm4py.discover_performance_dfg(frame.copy())
    for source, target, middle, average in edges.select(
        "source", "target", "median_days", "mean_days"
    ).rows():
        assert performance[source, target]["median"] / 86_400 == pytest.approx(middle, abs=1e-9)
        assert performance[source, target]["mean"] / 86_400 == pytest.approx(average, abs=1e-9)


@quick
@given(people, st.randoms(use_true_random=False))
def test_shuffled_rows_change_nothing(people, random):
    frame = rows(people)
    order = list(range(frame.height))
    random.shuffle(order)
    one = ProcessMap.from_log(EventLog.create(frame, within_day=WITHIN_DAY))
    other = ProcessMap.from_log(EventLog.create(frame[order], within_day=WITHIN_DAY))
    for name in ("nodes", "edges", "starts", "ends", "variants", "delays"):
        assert getattr(one, name).equals(getattr(other, name)), name


@quick
@given(people, st.permutations(ACTIVITIES))
def test_steps_that_rest_on_no_tie_stay_whatever_the_order_inside_ties(people, order):
    frame = rows(people)
    one, other = (
        {
            (r["source"], r["target"]): r
            for r in directly_follows(EventLog.create(frame, within_day=way)).to_dicts()
        }
        for way in (WITHIN_DAY, order)
    )
    for edge, row in one.items():
        sure = round(row["n_events"] * (1 - row["tied_share"]))
        assert other.get(edge, {"n_events": 0})["n_events"] >= sure


@quick
@given(people)
def test_what_enters_a_node_leaves_it(people):
    flow = ProcessMap.from_log(log_of(people)).flow()
    into = dict(flow.group_by("target").agg(pl.col("n_events").sum()).rows())
    out = dict(flow.group_by("source").agg(pl.col("n_events").sum()).rows())
    assert into.pop(END) == out.pop(START)
    assert into == out


@quick
@given(people)
def test_delay_counts_add_up_to_the_edges(people):
    log = log_of(people)
    totals = delay_counts(log).group_by("source", "target").agg(pl.col("n_events", "n_first", "n_last").sum())
    joined = directly_follows(log).join(totals, on=["source", "target"], suffix="_by_day")
    assert joined.height == totals.height == directly_follows(log).height
    assert (joined["n_events"] == joined["n_events_by_day"]).all()
    assert (joined["n_patients"] == joined["n_first"]).all()
    assert (joined["n_patients"] == joined["n_last"]).all()


@quick
@given(people, st.floats(0, 1), st.floats(0, 1))
def test_filters_hide_no_flow_unsaid(people, activities, paths):
    one = ProcessMap.from_log(log_of(people))
    nodes, edges = filter_to(one.nodes, one.flow(), activities_share=activities, paths_share=paths)
    assert edges["n_events"].sum() == one.flow()["n_events"].sum()
    assert edges["source"][-1] == edges["target"][-1] == ELSEWHERE
    kept = {*nodes["activity"], START, END, ELSEWHERE, *OUTCOMES}
    assert set(edges["source"]) | set(edges["target"]) <= kept
    assert nodes.height >= 1
    again_nodes, again = filter_to(nodes, edges)
    assert again_nodes.equals(nodes)
    assert again["n_events"].sum() == one.flow()["n_events"].sum()
