"""Kernels equal pm4py on three real logs, in the order of their documents, from the log and from its files."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from eventlogs.log import EventLog
from pathways.mining.kernels import (
    EventScan,
    Log,
    activity_positions,
    case_durations,
    directly_follows,
    end_activities,
    eventually_follows,
    rework,
    start_activities,
    variants,
)
from pathways.mining.pm4py_door import to_pm4py
from tests.reference import reference

PUBLISHED = {
    "sepsis/SEPSIS.xes.gz": (1_050, 15_214, 16, 846),
    "road_fine/road_fine.xes.gz": (150_370, 561_470, 11, 231),
    "hospital_billing/hospital_billing.parquet": (10_000, 49_951, 16, 288),
}
"""Cases, events, activities and variants as published; hospital billing has 287 in its file, where time goes back."""


def of_xes(path: Path) -> pl.DataFrame:
    """Read patient, activity and start of a document that has one element a line."""
    text = pl.Series("line", gzip.decompress(path.read_bytes()).decode().split("\n")).to_frame()
    said = r'key="(?:concept:name|time:timestamp)" value="([^"]*)"'
    lines = text.select(
        opens=pl.col("line").str.extract("<(trace|event)>").forward_fill(),
        trace=pl.col("line").str.contains("<trace>", literal=True).cum_sum(),
        event=pl.col("line").str.contains("<event>", literal=True).cum_sum(),
        is_time=pl.col("line").str.contains('"time:timestamp"', literal=True),
        value=pl.col("line").str.extract(said),
    ).filter(pl.col("value").is_not_null())
    cases = (
        lines.filter(opens="trace", is_time=False).group_by("trace").agg(patient_id=pl.col("value").first())
    )
    inside = lines.filter(opens="event")
    times = inside.filter(is_time=True).select("event", start="value")
    events = inside.filter(is_time=False).join(times, on="event", maintain_order="left")
    return events.join(cases, on="trace", maintain_order="left").select(
        "patient_id",
        pl.col("value").alias("activity"),
        pl.col("start")
        .str.to_datetime("%+", time_zone="UTC")
        .dt.replace_time_zone(None)
        .cast(pl.Datetime("us")),
    )


def of_parquet(path: Path) -> pl.DataFrame:
    """Read a log whose file is not in the order of time, unlike the documents of the others."""
    frame = pl.read_parquet(path).select("activity", patient_id="case_id", start="timestamp")
    return frame.sort("start", maintain_order=True)


@pytest.fixture(scope="module", params=PUBLISHED)
def named_log(request: pytest.FixtureRequest) -> tuple[str, EventLog]:
    path = reference("logs", *request.param.split("/"))
    frame = of_xes(path) if ".xes" in path.suffixes else of_parquet(path)
    return request.param, EventLog.create(frame, keep_order=True)


@pytest.fixture(params=["log", "files"])
def log(named_log: tuple[str, EventLog], request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    """The log itself, and its rows in three files read a few thousand at a time."""
    events = named_log[1].events
    if request.param == "log":
        return named_log[1]
    for number, rows in enumerate((events[:1000], events[1000:1001], events[1001:])):
        rows.write_parquet(tmp_path / f"part-{number}.parquet", row_group_size=30_000)
    return EventScan.open(tmp_path, is_sorted=True, slice_events=7_000)


def test_a_real_log_has_its_published_size(named_log, log):
    n_cases, n_events, n_activities, n_variants = PUBLISHED[named_log[0]]
    assert (named_log[1].n_patients, log.n_events, len(log.activities)) == (n_cases, n_events, n_activities)
    assert variants(log).height == n_variants


def test_kernels_equal_pm4py_on_a_real_log(named_log, log):
    import pm4py

    frame = to_pm4py(named_log[1])
    follows, starts, ends = pm4py.discover_dfg(frame.copy())
    edges = directly_follows(log)
    assert {(s, t): n for s, t, n in edges.select("source", "target", "n_events").rows()} == dict(follows)
    assert dict(start_activities(log).select("activity", "n_patients").rows()) == dict(starts)
    assert dict(end_activities(log).select("activity", "n_patients").rows()) == dict(ends)
    theirs = {tuple(word): n for word, n in pm4py.get_variants(frame.copy()).items()}
    assert {tuple(word): n for word, n, _ in variants(log).rows()} == theirs
    performance, _, _ = pm4py.discover_performance_dfg(frame.copy())
    for name in ("mean", "median", "min", "max"):
        ours = {
            (s, t): days * 86_400 for s, t, days in edges.select("source", "target", f"{name}_days").rows()
        }
        assert ours == pytest.approx({edge: said[name] for edge, said in performance.items()}, abs=1e-3)


@pytest.mark.filterwarnings("ignore:The 'lsuffix' and 'rsuffix' keywords")  # pm4py's own call
def test_what_is_done_again_and_later_equals_pm4py_on_a_real_log(named_log, log):
    import pm4py

    frame = to_pm4py(named_log[1])
    eventually = {
        (s, t): n for s, t, n in eventually_follows(log).select("source", "target", "n_pairs").rows()
    }
    assert eventually == dict(pm4py.discover_eventually_follows_graph(frame.copy()))
    again = rework(log).filter(pl.col("n_rework_patients") > 0)
    found = dict(again.select("activity", "n_rework_patients").rows())
    assert found == dict(pm4py.get_rework_cases_per_activity(frame.copy()))
    activity = log.activities[0]
    places = activity_positions(log).filter(activity=activity).select("position", "n_events").rows()
    assert dict(places) == pm4py.get_activity_position_summary(frame.copy(), activity)
    days = case_durations(log)["days"].sort()
    seconds = pl.Series(sorted(pm4py.get_all_case_durations(frame.copy())), dtype=pl.Float64)
    assert (days * 86_400 - seconds).abs().max() < 1e-3
