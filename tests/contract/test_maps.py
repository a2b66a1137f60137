"""Maps on a real log and on the edge cases that every map function must meet."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import polars as pl
import pytest
from lxml import etree

from eventlogs.log import EventLog
from pathways import definition
from pathways.mining.kernels import (
    EDGE_COLUMNS,
    ELSEWHERE,
    END,
    START,
    case_durations,
    directly_follows,
    end_activities,
    node_counts,
    start_activities,
    variants,
)
from pathways.mining.maps import ProcessMap, collapsed_variants, filter_to, process_maps
from pathways.mining.pm4py_door import to_pm4py
from tests.reference import reference


def log_of(*events: tuple[str, str, int]) -> EventLog:
    frame = pl.DataFrame(events, schema=["patient_id", "activity", "day"], orient="row")
    start = pl.lit(datetime(2020, 1, 1)) + pl.duration(days="day")
    return EventLog.create(frame.select("patient_id", "activity", start=start))


@pytest.fixture(scope="module")
def sepsis() -> EventLog:
    """Sepsis in the order of its document."""
    rows = []
    with gzip.open(reference("logs", "sepsis", "SEPSIS.xes.gz")) as file:
        for _, trace in etree.iterparse(file, tag="{*}trace"):
            case = next(item.get("value") for item in trace if item.get("key") == "concept:name")
            for event in trace.iterfind("{*}event"):
                said = {item.get("key"): item.get("value") for item in event}
                time = datetime.fromisoformat(said["time:timestamp"]).astimezone(UTC).replace(tzinfo=None)
                rows.append((case, said["concept:name"], time))
    frame = pl.DataFrame(rows, schema=["patient_id", "activity", "start"], orient="row")
    return EventLog.create(frame, keep_order=True)


def test_sepsis_has_its_published_size(sepsis):
    one = ProcessMap.from_log(sepsis)
    assert (one.n_patients, one.n_events, one.nodes.height) == (1050, 15_214, 16)
    assert one.variants.height == 846
    assert one.variants["n_patients"].sum() == 1050
    assert one.edges["n_events"].sum() == 15_214 - 1050


def test_sepsis_equals_pm4py(sepsis):
    import pm4py

    frame = to_pm4py(sepsis)
    follows, starts, ends = pm4py.discover_dfg(frame.copy())
    edges = directly_follows(sepsis)
    assert {(s, t): n for s, t, n in edges.select("source", "target", "n_events").rows()} == dict(follows)
    assert dict(start_activities(sepsis).select("activity", "n_patients").rows()) == dict(starts)
    assert dict(end_activities(sepsis).select("activity", "n_patients").rows()) == dict(ends)
    theirs = {tuple(word): n for word, n in pm4py.get_variants(frame.copy()).items()}
    assert {tuple(word): n for word, n, _ in variants(sepsis).rows()} == theirs
    performance, _, _ = pm4py.discover_performance_dfg(frame.copy())
    for source, target, middle, average in edges.select(
        "source", "target", "median_days", "mean_days"
    ).rows():
        assert performance[source, target]["median"] / 86_400 == pytest.approx(middle, abs=1e-9)
        assert performance[source, target]["mean"] / 86_400 == pytest.approx(average, abs=1e-9)


def test_sepsis_says_which_steps_rest_on_ties(sepsis):
    edges = directly_follows(sepsis)
    between = {(s, t): share for s, t, share in edges.select("source", "target", "tied_share").rows()}
    assert between["CRP", "LacticAcid"] > 0.9
    assert between["ER Registration", "ER Triage"] == 0


def test_the_case_named_na_is_a_patient():
    log = log_of(("NA", "a", 0), ("NA", "b", 1), ("x", "a", 0))
    assert ProcessMap.from_log(log).n_patients == 2
    assert case_durations(log)["patient_id"].to_list() == ["NA", "x"]
    assert set(to_pm4py(log)["case:concept:name"]) == {"NA", "x"}


def test_an_empty_log_gives_empty_tables_with_their_columns():
    log = EventLog.create(
        pl.DataFrame(schema={"patient_id": pl.String, "activity": pl.String, "start": pl.Datetime})
    )
    one = ProcessMap.from_log(log)
    assert dict(one.edges.schema) == {name: kind() for name, kind in EDGE_COLUMNS.items()}
    assert one.flow().schema == one.edges.schema
    assert [one.nodes.height, one.variants.height, one.delays.height, one.n_patients] == [0, 0, 0, 0]
    assert set(one.to_networkx()) == {START, END}
    assert "<svg" in one._repr_html_()


def test_one_event_patients_start_and_end_and_make_no_step():
    one = ProcessMap.from_log(log_of(("p", "a", 0), ("q", "a", 3)))
    assert one.edges.is_empty()
    assert one.flow().select("source", "target", "n_events").rows() == [(START, "a", 2), ("a", END, 2)]


def test_quantiles_interpolate_linearly():
    events = [
        (f"p{i}", name, day) for i, gap in enumerate((0, 10, 20, 30)) for name, day in (("a", 0), ("b", gap))
    ]
    row = directly_follows(log_of(*events)).filter(target="b").to_dicts()[0]
    assert (row["median_days"], row["p90_days"], row["mean_days"]) == pytest.approx((15, 27, 15))
    assert (row["min_days"], row["max_days"]) == (0, 30)


def test_ties_are_counted_on_both_sides_of_the_tied_day():
    log = log_of(("p", "a", 0), ("p", "b", 1), ("p", "c", 1), ("p", "d", 2), ("p", "e", 3))
    share = {(s, t): x for s, t, x in directly_follows(log).select("source", "target", "tied_share").rows()}
    assert share == {("a", "b"): 1, ("b", "c"): 1, ("c", "d"): 1, ("d", "e"): 0}


def test_repeats_on_one_day_are_no_tie():
    log = log_of(("p", "a", 0), ("p", "a", 0), ("p", "b", 1))
    assert directly_follows(log)["tied_share"].sum() == 0


def test_more_than_255_activities_keep_their_variants_apart():
    log = log_of(*((f"p{i}", f"a{j:03d}", j) for i in range(2) for j in range(300) if j != i))
    spelt = {tuple(word) for word in variants(log)["variant"].to_list()}
    names = [f"a{j:03d}" for j in range(300)]
    assert spelt == {tuple(names[1:]), (names[0], *names[2:])}


def test_nodes_count_days_from_the_index_date():
    frame = log_of(("p", "biopsy", 10), ("p", "surgery", 40), ("p", "surgery", 90)).events
    patients = pl.DataFrame({"patient_id": ["p"], "index_date": [datetime(2020, 1, 1)]})
    log = EventLog.create(frame, patients)
    assert dict(node_counts(log).select("activity", "median_day").rows()) == {"biopsy": 10, "surgery": 40}


def test_phases_collapse_and_keep_the_whole_duration():
    pathway = definition.load("breast_cancer")
    log = log_of(
        ("p", "mammography", 0),
        ("p", "breast_ultrasound", 1),
        ("p", "mastectomy", 9),
        ("p", "axillary_surgery", 20),
    )
    maps, sequences = process_maps(log, pathway), collapsed_variants(log, pathway)
    assert maps["phase"].edges.select("source", "target", "n_events").rows() == [("imaging", "surgery", 1)]
    assert sequences["phase"].rows() == [(["imaging", "surgery"], 1, 20.0)]
    assert list(process_maps(log, None)) == list(collapsed_variants(log, None)) == ["activity"]


def test_a_map_shows_itself_without_patients():
    one = ProcessMap.from_log(log_of(("secret-1", "<b>", 0), ("secret-1", "c", 1)), name="Sein")
    assert repr(one) == "ProcessMap('Sein': 1 patients, 2 events, 2 nodes, 1 edges)"
    drawn = one._repr_html_()
    assert "secret" not in drawn + repr(one)
    assert "&lt;b&gt;" in drawn
    assert "<b>" not in drawn


def test_networkx_carries_counts_and_terminals():
    graph = ProcessMap.from_log(log_of(("p", "a", 0), ("p", "b", 4), ("q", "a", 0))).to_networkx()
    assert graph.nodes["a"]["n_patients"] == 2
    assert graph.edges["a", "b"]["median_days"] == 4
    assert graph.edges[START, "a"]["n_events"] == 2
    assert graph.edges["a", END]["n_events"] == 1


def test_a_filtered_map_keeps_the_strongest_way_and_says_the_rest():
    log = log_of(
        *((f"p{i}", name, j) for i in range(9) for j, name in enumerate("abc")), ("z", "a", 0), ("z", "d", 1)
    )
    small = ProcessMap.from_log(log).filter_to(activities_share=0.75, paths_share=0)
    assert small.nodes["activity"].to_list() == ["a", "b", "c"]
    assert small.edges.select("source", "target", "n_events").rows() == [
        ("a", "b", 9),
        ("b", "c", 9),
        (ELSEWHERE, ELSEWHERE, 1),
    ]
    assert START in small.to_networkx()


def test_filters_work_on_released_frames_level_by_level():
    nodes = pl.DataFrame(
        {
            "level": ["activity"] * 3 + ["phase"],
            "activity": ["a", "b", "c", "A"],
            "n_patients": [None, 40, 12, 50],
        }
    )
    edges = pl.DataFrame(
        {
            "level": ["activity"] * 4 + ["phase"],
            "source": [START, "a", "b", ELSEWHERE, ELSEWHERE],
            "target": ["a", "b", "c", ELSEWHERE, ELSEWHERE],
            "n_events": [50, 40, 12, 30, None],
        }
    )
    kept, flow = filter_to(nodes, edges, activities_share=0.6)
    assert kept["activity"].to_list() == ["a", "b", "A"]
    rest = flow.filter(pl.col("source") == ELSEWHERE)
    assert rest.select("level", "n_events").rows() == [("activity", 42), ("phase", None)]


@pytest.mark.parametrize("share", [-0.1, 1.2])
def test_a_share_outside_0_to_1_is_refused(share):
    one = ProcessMap.from_log(log_of(("p", "a", 0)))
    with pytest.raises(ValueError, match="give a share between 0 and 1"):
        one.filter_to(paths_share=share)
