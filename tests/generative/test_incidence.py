"""Honest delays on generated logs: equal to scikit-survival and to a naive reading, whatever the order of the rows."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlogs.log import EventLog
from pathways.mining.incidence import CAUSES, Waits, cumulative_incidence, edge_waits, index_waits

DAY_0 = datetime(2021, 3, 1)
ACTIVITIES = ("a", "b", "c", "stop", "death")
PHASES = {"a": "P", "b": "P", "c": "Q"}
LIMIT = 14

maybe_day = st.none() | st.integers(-1, LIMIT + 1)
people = st.lists(
    st.fixed_dictionaries(
        {
            "events": st.lists(
                st.tuples(st.sampled_from(ACTIVITIES), st.integers(-2, LIMIT + 1)), max_size=6
            ),
            "index": st.none() | st.just(0),
            "death": maybe_day,
            "exit": maybe_day,
            "reason": st.sampled_from(["scheme_exit", "death"]),
            "until": maybe_day,
            "sex": st.sampled_from([None, "1", "2"]),
        }
    ),
    min_size=1,
    max_size=8,
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Person = dict[str, Any]


def on(day: int | None) -> datetime | None:
    return None if day is None else DAY_0 + timedelta(days=day)


def log_of(people: list[Person], seed: int = 0) -> EventLog:
    """The log of these persons, its rows shuffled."""
    named = [(f"p{number}", one) for number, one in enumerate(people)]
    events = [(name, activity, on(day)) for name, one in named for activity, day in one["events"]]
    patients = [
        (name, one["sex"], *(on(one[word]) for word in ("index", "death", "exit")), reason_of(one))
        for name, one in named
    ]
    horizons = [
        (None, on(LIMIT)),
        *((name, on(one["until"])) for name, one in named if one["until"] is not None),
    ]
    columns = ("patient_id", "sex", "index_date", "death_date", "exit_date", "exit_reason")
    frames = (
        frame(events, "patient_id", "activity", "start"),
        frame(patients, *columns),
        frame(horizons, "patient_id", "observed_until"),
    )
    shuffled = (one.sample(fraction=1, shuffle=True, seed=seed) for one in frames)
    return EventLog.create(*shuffled, within_day=("a", "b", "c"))


def reason_of(one: Person) -> str | None:
    return one["reason"] if one["exit"] is not None else None


def frame(rows: list[Any], *columns: str) -> pl.DataFrame:
    dates = ("start", "observed_until", "index_date", "death_date", "exit_date")
    schema = {name: pl.Datetime("us") if name in dates else pl.String() for name in columns}
    return pl.DataFrame(rows, schema=schema, orient="row")


def ends(one: Person) -> list[tuple[int, int]]:
    """Day and place of death, exit and end of the data: the least comes first; 4 is an exit by an activity."""
    by_death = reason_of(one) == "death"
    died = [day for activity, day in one["events"] if activity == "death"]
    told = [day for day in (one["death"], one["exit"] if by_death else None) if day is not None]
    deaths = told[:1] or sorted(died)[:1]
    exits = [one["exit"]] if one["exit"] is not None and not by_death else []
    until = [LIMIT] if one["until"] is None else [LIMIT, one["until"]]
    stops = [day for activity, day in one["events"] if activity == "stop"]
    return [(day, place) for place, days in enumerate((deaths, exits, until, stops), start=1) for day in days]


def naive_index(people: list[Person], target: str, before: str) -> Counter[tuple[Any, ...]]:
    """Waits of the persons for a target, one by one; stops are exits."""
    found: Counter[tuple[Any, ...]] = Counter()
    for one in people:
        days = [day for _, day in one["events"]]
        index = one["index"] if one["index"] is not None else min(days, default=None)
        steps = sorted(day for activity, day in one["events"] if activity == target)
        if index is None or (before == "leave_out" and steps and steps[0] < index):
            continue
        over = [(day, 2 if place == 4 else place) for day, place in ends(one)]
        day, place = min([*over, *((day, 0) for day in steps if day >= index)])
        if min(over)[0] >= index:
            found[one["sex"], day - index, CAUSES[place]] += 1
    return found


def naive_edges(people: list[Person], every: bool, phases: dict[str, str]) -> Counter[tuple[Any, ...]]:
    """Waits for the next event, one by one."""
    found: Counter[tuple[Any, ...]] = Counter()
    order = {"a": 0, "b": 1, "c": 2}
    for one in people:
        ordered = sorted(one["events"], key=lambda event: (event[1], order.get(event[0], 3), event[0]))
        living = [(phases.get(activity, activity), day) for activity, day in ordered if activity != "death"]
        trace = [
            event for i, event in enumerate(living) if not phases or i == 0 or living[i - 1][0] != event[0]
        ]
        over = min((day, place) for day, place in ends(one) if place != 4)
        seen = set()
        for i, (origin, start) in enumerate(trace):
            if origin in seen or start > over[0]:
                seen.add(origin)
                continue
            seen |= set() if every else {origin}
            follows = i + 1 < len(trace) and trace[i + 1][1] <= over[0]
            name, day = trace[i + 1] if follows else (None, over[0])
            found[origin, name, day - start, "step" if follows else CAUSES[over[1]]] += 1
    return found


def counter(waits: Waits, *columns: str) -> Counter[tuple[Any, ...]]:
    return Counter({tuple(row[:-1]): row[-1] for row in waits.counts.select(*columns, "n").rows()})


@quick
@given(people, st.sampled_from(["leave_out", "ignore"]))
def test_waits_since_the_index_equal_a_naive_reading(people, before):
    waits = index_waits(log_of(people), exits=("stop",), by=["sex"], before=before)
    for target in ("a", "b", "c"):
        if any(activity == target for one in people for activity, _ in one["events"]):
            mine = Waits(waits.counts.filter(target=target), waits.by, False, "patients", waits.left_out)
            assert counter(mine, "sex", "day", "cause") == naive_index(people, target, before)
        else:
            assert target not in waits.counts["target"]
    left = waits.left_out.group_by("target").agg(pl.col("n").sum())
    counted = waits.counts.group_by("target").agg(pl.col("n").sum())
    whole = pl.concat([left, counted]).group_by("target").agg(pl.col("n").sum())
    assert set(whole["n"]) <= {len(people)}


@quick
@given(people, st.booleans(), st.sampled_from([{}, PHASES]))
def test_waits_for_the_next_event_equal_a_naive_reading(people, every, phases):
    waits = edge_waits(log_of(people), each="every" if every else "first", phases=phases or None)
    assert counter(waits, "origin", "target", "day", "cause") == naive_edges(people, every, phases)


@quick
@given(people, st.integers(1, 99))
def test_the_order_of_the_rows_changes_nothing(people, seed):
    for build in (index_waits, edge_waits):
        one, other = build(log_of(people), by=["sex"]), build(log_of(people, seed), by=["sex"])
        assert one.counts.equals(other.counts) and one.left_out.equals(other.left_out)


def simulated(seed: int, n: int, last: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Causes (0: step … 3: censored) and days with many ties; each cause occurs."""
    rng = np.random.default_rng(seed)
    cause, day = rng.integers(0, 4, n), rng.integers(0, last + 1, n)
    cause[:3] = range(3)
    return cause, day


def waits_of(cause: np.ndarray[Any, Any], day: np.ndarray[Any, Any]) -> Waits:
    rows = pl.DataFrame({"day": day, "cause": [CAUSES[code] for code in cause]}).cast({"day": pl.Int64})
    counts = rows.group_by("day", "cause").agg(n=pl.len().cast(pl.Int64))
    named = counts.select(pl.lit("index").alias("origin"), pl.lit("x").alias("target"), "day", "cause", "n")
    return Waits(named, (), False, "patients", named.clear())


@quick
@given(st.integers(0, 10**6), st.integers(4, 80), st.integers(1, 40), st.booleans())
def test_incidence_and_interval_equal_scikit_survival(seed, n, last, followed_on):
    from sksurv.nonparametric import cumulative_incidence_competing_risks

    cause, day = simulated(seed, n, last)
    if followed_on:  # else nobody waits after the last event, where scikit-survival's variance is 0 / 0
        cause, day = np.append(cause, 3), np.append(day, last + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        days, shares, limits = cumulative_incidence_competing_risks(
            np.where(cause == 3, 0, cause + 1),
            day.astype(float),
            conf_type="log-log",
            var_type="Dinse_Approx",
        )
    told = cumulative_incidence(waits_of(cause, day))
    for number, word in enumerate(CAUSES[:3], start=1):
        mine = told.filter(cause=word)
        assert mine["day"].to_list() == days.tolist()
        assert mine["incidence"].to_numpy() == pytest.approx(shares[number], abs=1e-12)
        met = (shares[number] > 0) & followed_on
        assert mine["low"].to_numpy()[met] == pytest.approx(limits[number, 0][met], abs=1e-9)
        assert mine["high"].to_numpy()[met] == pytest.approx(limits[number, 1][met], abs=1e-9)
    assert told.filter(cause="step")["event_free"].to_numpy() == pytest.approx(1 - shares[0], abs=1e-12)


@quick
@given(people)
def test_incidences_and_the_event_free_add_up_to_one(people):
    log = log_of(people)
    for waits in (index_waits(log, by=["sex"]), edge_waits(log), edge_waits(log, each="every")):
        told = cumulative_incidence(waits)
        sums = told.group_by(*waits.risk_set, "day").agg(
            pl.col("incidence").sum(), pl.col("event_free").first()
        )
        assert (sums["incidence"] + sums["event_free"]).to_numpy() == pytest.approx(
            np.ones(sums.height), abs=1e-12
        )
        ordered = pl.col("incidence").is_between(pl.col("low") - 1e-12, pl.col("high") + 1e-12)
        assert told.select(ordered.all()).item()


@quick
@given(st.integers(0, 10**6), st.integers(4, 200), st.integers(1, 40))
def test_without_censoring_it_is_a_proportion_with_its_variance(seed, n, last):
    cause, day = simulated(seed, n, last)
    cause = cause % 3
    told = cumulative_incidence(waits_of(cause, day)).filter(cause="step")
    for when, share, error in told.select("day", "incidence", "std_error").rows():
        plain = float(((cause == 0) & (day <= when)).mean())
        assert share == pytest.approx(plain, abs=1e-12)
        assert error**2 == pytest.approx(plain * (1 - plain) / n, abs=1e-12)
