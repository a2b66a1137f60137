"""Kernels of generated logs equal a naive reference, whatever the order of rows, the files and the slices."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import combinations, groupby, pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlogs.log import EventLog
from pathways.mining.kernels import (
    EventScan,
    activity_positions,
    case_durations,
    delay_counts,
    directly_follows,
    edge_counts,
    end_activities,
    eventually_follows,
    node_counts,
    rework,
    start_activities,
    variants,
)
from pathways.mining.kernels import sequences as slicing

DAY_0 = datetime(2021, 3, 1)
ACTIVITIES = ("biopsy", "surgery", "chemo", "radiotherapy", "death")
WITHIN_DAY = ("biopsy", "chemo", "surgery")
SITES = ("north", "south", None)
IDS = ("NA", "null", "p1", "p10", "p2", "é 3")

steps = st.lists(
    st.tuples(
        st.sampled_from(ACTIVITIES),
        st.one_of(st.integers(0, 6), st.just(4000)),
        st.sampled_from([0, 0, 0, 5, 61]),
        st.sampled_from(SITES),
    ),
    min_size=1,
    max_size=12,
)
people = st.dictionaries(st.sampled_from(IDS), steps, min_size=1, max_size=len(IDS))
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

People = dict[str, list[tuple[str, int, int, str | None]]]
Kernel = Callable[[Any], pl.DataFrame]

KERNELS: tuple[Kernel, ...] = (
    activity_positions,
    case_durations,
    delay_counts,
    directly_follows,
    edge_counts,
    end_activities,
    eventually_follows,
    node_counts,
    rework,
    start_activities,
    variants,
)


def rows(people: People) -> pl.DataFrame:
    events = [
        (patient, activity, DAY_0 + timedelta(days=day, minutes=minute), site)
        for patient, sequence in people.items()
        for activity, day, minute, site in sequence
    ]
    schema = {
        "patient_id": pl.String,
        "activity": pl.String,
        "start": pl.Datetime("us"),
        "facility": pl.String,
    }
    return pl.DataFrame(events, schema=schema, orient="row")


def log_of(people: People) -> EventLog:
    return EventLog.create(rows(people), within_day=WITHIN_DAY)


def sequences(log: EventLog) -> list[list[str]]:
    events = log.events.select("patient_id", "activity").rows()
    return [[activity for _, activity in group] for _, group in groupby(events, key=lambda event: event[0])]


@quick
@given(people)
def test_eventually_follows_equals_every_pair_written_out(people):
    log = log_of(people)
    pairs: Counter[tuple[str, str]] = Counter()
    patients: Counter[tuple[str, str]] = Counter()
    for sequence in sequences(log):
        found = list(combinations(sequence, 2))
        pairs.update(found)
        patients.update(set(found))
    ours = {(s, t): (n, m) for s, t, n, m in eventually_follows(log).rows()}
    assert ours == {pair: (n, patients[pair]) for pair, n in pairs.items()}


@quick
@given(people)
def test_rework_equals_a_naive_reference(people):
    log = log_of(people)
    expected: dict[str, Counter[str]] = defaultdict(Counter)
    for sequence in sequences(log):
        for activity, n in Counter(sequence).items():
            expected[activity].update(
                n_events=n, n_patients=1, n_rework_patients=int(n > 1), n_repeats=n - 1, n_self_loops=0
            )
        for one, other in pairwise(sequence):
            expected[other]["n_self_loops"] += one == other
    ours = {row.pop("activity"): row for row in rework(log).to_dicts()}
    assert ours == {activity: dict(counts) for activity, counts in expected.items()}


@quick
@given(people)
def test_positions_equal_a_naive_reference(people):
    log = log_of(people)
    expected = Counter((a, i) for sequence in sequences(log) for i, a in enumerate(sequence))
    assert {(a, i): n for a, i, n in activity_positions(log).rows()} == expected


@quick
@given(people)
def test_edge_counts_are_those_of_directly_follows(people):
    log = log_of(people)
    assert edge_counts(log).equals(directly_follows(log).select("source", "target", "n_events"))


@quick
@given(people)
def test_strata_of_patients_are_the_edges_of_their_logs(people):
    log = log_of(people)
    group = pl.DataFrame({"patient_id": IDS, "arm": [1, 1, 2, 2, None, 1]})
    ours = directly_follows(log, by=group.head(5))
    known = dict(group.head(5).rows())
    for arm in (1, 2, None):
        chosen = {patient: sequence for patient, sequence in people.items() if known.get(patient) == arm}
        expected = directly_follows(log_of(chosen))
        stratum = None if arm is None else str(arm)
        found = ours.filter(pl.col("stratum").eq_missing(stratum)).drop("stratum")
        assert found.equals(expected)


@quick
@given(people)
def test_strata_of_events_are_those_of_the_step_s_second_event(people):
    log = log_of(people)
    expected: Counter[tuple[str | None, str, str]] = Counter()
    events = log.events.select("patient_id", "activity", "facility").rows()
    for _, group in groupby(events, key=lambda event: event[0]):
        expected.update((site, a, b) for (_, a, _), (_, b, site) in pairwise(group))
    ours = directly_follows(log, by="facility")
    assert {
        tuple(row[:3]): row[3] for row in ours.select("stratum", "source", "target", "n_events").rows()
    } == expected


def same(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Compare exactly; polars reads 0.0 and -0.0 alike."""
    return one.schema == other.schema and one.equals(other)


@quick
@given(people, st.integers(1, 9))
def test_slices_change_nothing(people, n_events):
    log = log_of(people)
    whole = [kernel(log) for kernel in KERNELS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slicing.Sequences.slices, "__defaults__", (n_events,))
        assert all(same(kernel(log), one) for kernel, one in zip(KERNELS, whole, strict=True))


def written(log: EventLog, folder: Path, cuts: tuple[int, ...], size: int) -> Iterator[Path]:
    """Write a log's events, in their order, to files cut anywhere, in row groups of `size` rows."""
    for number, (begin, end) in enumerate(pairwise((0, *cuts, log.n_events))):
        path = folder / f"part-{number:05}.parquet"
        log.events[begin:end].write_parquet(path, row_group_size=size)
        yield path


@quick
@given(people, st.lists(st.integers(0, 40), max_size=3), st.integers(1, 7), st.integers(1, 9))
def test_a_scan_of_sorted_files_equals_the_log(people, cuts, row_group, slice_events):
    log = log_of(people)
    places = tuple(sorted(min(cut, log.n_events) for cut in cuts))
    with tempfile.TemporaryDirectory() as folder:
        paths = list(written(log, Path(folder), places, row_group))
        scan = EventScan.open(paths, is_sorted=True, patients=log.patients, slice_events=slice_events)
        for kernel in KERNELS:
            assert same(kernel(scan), kernel(log)), kernel
        assert same(directly_follows(scan, by="facility"), directly_follows(log, by="facility"))


@quick
@given(
    people,
    st.randoms(use_true_random=False),
    st.booleans(),
    st.sampled_from([3, 1 << 20]),
    st.integers(1, 9),
)
def test_a_scan_of_shuffled_rows_equals_the_log(people, random, integers, memory_events, slice_events):
    frame = rows(people)
    if integers:
        frame = frame.with_columns(
            pl.col("patient_id").replace_strict(dict(zip(IDS, range(-2, 4), strict=True)))
        )
    log = EventLog.create(frame, within_day=WITHIN_DAY)
    order = list(range(frame.height))
    random.shuffle(order)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        frame[order].rename({"start": "at"}).write_parquet(path, row_group_size=5)
        scan = EventScan.open(
            path,
            columns={"start": "at"},
            within_day=WITHIN_DAY,
            slice_events=slice_events,
            memory_events=memory_events,
        )
        for kernel in KERNELS:
            assert same(kernel(scan), kernel(log)), kernel


@quick
@given(people, st.randoms(use_true_random=False), st.integers(0, 999))
def test_rows_that_no_key_of_64_bits_holds_are_sorted_all_the_same(people, random, microsecond):
    """Identifiers near each other at first and far apart later, times to the microsecond."""
    far = {name: str(place * 10**17) for place, name in enumerate(IDS)}
    frame = rows(people).with_columns(
        pl.col("patient_id").replace_strict(far), pl.col("start") + pl.duration(microseconds=microsecond)
    )
    log = EventLog.create(frame)
    order = list(range(frame.height))
    random.shuffle(order)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.parquet"
        frame[order].with_columns(pl.col("patient_id").cast(pl.Int64)).write_parquet(path)
        for slice_events in (1, 1000):
            scan = EventScan.open(path, slice_events=slice_events)
            for kernel in (directly_follows, case_durations, variants):
                assert same(kernel(scan), kernel(log)), kernel
