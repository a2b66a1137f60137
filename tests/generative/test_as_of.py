"""What a log shows as of a day, against a plain replay: rows arrive and are taken back, one day after the other."""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventlogs.feeds import FEEDS, Arrival, Feed, family_of, under_feed
from eventlogs.log import EVENT_COLUMNS, TIME, EventLog, conform
from eventlogs.snds import horizons, schema

DAY_0 = datetime(2020, 12, 1)
PEOPLE = ("anna", "berthe", "carole")
SOURCES = ("ER_PHA_F", "NS_CAM_F", "T_MCOaaA", "T_SSRaaB", "T_HADaaB", "T_RIPaaRSA", "KI_CCI_R", "hospital")
FAMILY = {"ER": "city", "NS": "city", "T": "hospital", "KI": "causes", "IR": "register"}

EXIT = ("exit_date", "exit_reason")

Row = dict[str, Any]

row = st.fixed_dictionaries(
    {
        "patient_id": st.sampled_from(PEOPLE),
        "activity": st.sampled_from(["x", "palliative_care", "death"]),
        "start": st.integers(0, 40),
        "stay_days": st.one_of(st.none(), st.integers(0, 5)),
        "source": st.sampled_from(SOURCES),
        "lag": st.integers(0, 60),
        "corrections": st.lists(st.integers(1, 30), max_size=2),
        "stands": st.booleans(),
    }
)
NAME = ("patient_id", "activity", "start", "source")
rows = st.lists(row, max_size=8, unique_by=lambda one: tuple(one[name] for name in NAME))
deaths = st.dictionaries(st.sampled_from(PEOPLE), st.tuples(st.integers(0, 50), st.integers(0, 40)))


def day(number: int) -> datetime:
    return DAY_0 + timedelta(days=number)


def states(one: Row) -> list[Row]:
    """Return the states of a row: each visible until the next correction; the last may stand."""
    begins = [one["lag"]]
    for wait in one["corrections"]:
        begins.append(begins[-1] + wait)
    ends = [*begins[1:], None]
    found = [
        {
            "patient_id": one["patient_id"],
            "activity": one["activity"],
            "start": day(one["start"]),
            "end": None if one["stay_days"] is None else day(one["start"] + one["stay_days"]),
            "source": one["source"],
            "quantity": position,
            "known_from": day(one["start"] + begin),
            "known_until": None if end is None else day(one["start"] + end),
        }
        for position, (begin, end) in enumerate(zip(begins, ends, strict=True))
    ]
    return found if one["stands"] or len(found) == 1 else found[:-1]


def palliative(person: str, written: list[Row]) -> list[Row]:
    """Return the states of the palliative care that still stands, of one person."""
    return [
        states(one)[-1]
        for one in written
        if (one["patient_id"], one["activity"]) == (person, "palliative_care")
        and states(one)[-1]["known_until"] is None
    ]


def exit_of(
    person: str, written: list[Row], died: Mapping[str, tuple[int, int]]
) -> tuple[datetime, str] | None:
    """Return when and why a person left: palliative care, else death; carole leaves the scheme on day 20."""
    if comfort := palliative(person, written):
        return min(state["start"] for state in comfort), "palliative_care"
    if person in died:
        return day(died[person][0]), "death"
    return (day(20), "scheme_exit") if person == "carole" else None


def exit_known(
    person: str, written: list[Row], died: Mapping[str, tuple[int, int]], profile: str
) -> datetime | None:
    """Return when an exit is known through a feed."""
    left = exit_of(person, written, died)
    if left is None:
        return None
    if left[1] == "death":
        return death_known(person, written, died, profile)
    if left[1] == "scheme_exit":
        return None if profile == "pmsi_monthly" else day(70)
    told = [
        state["known_from"]
        for one in written
        if (one["patient_id"], one["activity"]) == (person, "palliative_care")
        for state in feed_states(one, profile)
        if state["known_until"] is None and state["start"] == left[0]
    ]
    return min(told, default=None)


def log_of(written: list[Row], died: Mapping[str, tuple[int, int]]) -> EventLog:
    every = [state for one in written for state in states(one)]
    written_columns = (*NAME, "end", "quantity", "known_from", "known_until")
    schema = {name: EVENT_COLUMNS[name] for name in written_columns}
    frame = pl.DataFrame(every, schema=schema).with_columns(date_precision=pl.lit("day"))
    exits = [exit_of(person, written, died) for person in PEOPLE]
    people = pl.DataFrame(
        {
            "patient_id": PEOPLE,
            "death_date": [day(died[p][0]) if p in died else None for p in PEOPLE],
            "death_known_from": [day(sum(died[p])) if p in died else None for p in PEOPLE],
            "exit_date": [left and left[0] for left in exits],
            "exit_reason": [left and left[1] for left in exits],
            "exit_known_from": [exit_known(p, written, died, "snds_annual") for p in PEOPLE],
        },
        schema_overrides=dict.fromkeys(
            ("death_date", "death_known_from", "exit_date", "exit_known_from"), TIME
        )
        | {"exit_reason": pl.String},
    )
    observed = pl.DataFrame({"source": [*SOURCES, "all"], "observed_until": [day(400)] * (len(SOURCES) + 1)})
    return EventLog.create(
        frame.filter(pl.col("known_until").is_null()),
        people,
        observed,
        withdrawn=conform(frame.filter(pl.col("known_until").is_not_null()), EVENT_COLUMNS, "events"),
    )


LAGS: dict[str, dict[str, int | None]] = {
    "pmsi_monthly": {"city": None, "hospital": 45, "register": None, "causes": None},
    "hospital_live": {"city": 30, "hospital": 2, "register": 30, "causes": None},
}
"""The lags once more, written from the description of the feeds and not read from the code."""


def arrival(state: Row, profile: str) -> datetime | None:
    """Return when care arrives through a recomputing feed; None: it keeps its own day."""
    lag = LAGS[profile].get(FAMILY.get(state["source"].split("_")[0], ""))
    if lag is None:
        return None
    ended = max(state["start"], state["end"] or state["start"])
    if profile == "pmsi_monthly":
        ended = ended.replace(day=calendar.monthrange(ended.year, ended.month)[1])
    return ended + timedelta(days=lag)


def feed_states(one: Row, profile: str) -> list[Row]:
    """Return the states of a row with the days on which they appear and disappear, one feed at a time."""
    own = states(one)
    family = FAMILY.get(one["source"].split("_")[0])
    if profile == "snds_annual" or family is None:
        return own
    if LAGS[profile][family] is None:
        return []
    arrives = arrival(own[0], profile)
    assert arrives is not None
    shift = arrives - own[0]["known_from"]
    return [
        state
        | {
            "known_from": state["known_from"] + shift,
            "known_until": state["known_until"] and state["known_until"] + shift,
        }
        for state in own
    ]


def replay(written: list[Row], profile: str, last: int) -> list[Counter[tuple[Any, ...]]]:
    """Return what lies on the table each day, from the first: rows are put on it and taken from it."""
    table: Counter[tuple[Any, ...]] = Counter()
    moves: dict[datetime, list[tuple[int, tuple[Any, ...]]]] = {}
    for state in (state for one in written for state in feed_states(one, profile)):
        seen = tuple(state[name] for name in ("patient_id", "activity", "start", "source", "quantity"))
        moves.setdefault(state["known_from"], []).append((1, seen))
        if state["known_until"] is not None:
            moves.setdefault(state["known_until"], []).append((-1, seen))
    shown = []
    for number in range(last):
        for change, seen in moves.get(day(number), []):
            table[seen] += change
        shown.append(+table)
    return shown


def death_known(
    person: str, written: list[Row], died: Mapping[str, tuple[int, int]], profile: str
) -> datetime | None:
    """Return when a death is known: as the log says, or from the register or the standing event that tells it."""
    if person not in died:
        return None
    if profile == "snds_annual":
        return day(sum(died[person]))
    told = [
        state["known_from"]
        for one in written
        if one["patient_id"] == person and one["activity"] == "death"
        for state in feed_states(one, profile)
        if state["known_until"] is None
    ]
    register = LAGS[profile]["register"]
    read = [] if register is None else [day(died[person][0] + register)]
    return min([*told, *read], default=None)


@pytest.mark.parametrize("profile", FEEDS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows, deaths)
def test_each_day_shows_what_had_arrived_and_was_not_taken_back(
    profile: str, written: list[Row], died: dict[str, tuple[int, int]]
) -> None:
    log = under_feed(log_of(written, died), FEEDS[profile])
    known = {person: death_known(person, written, died, profile) for person in PEOPLE}
    left_known = {person: exit_known(person, written, died, profile) for person in PEOPLE}
    for number, expected in enumerate(replay(written, profile, last=130)):
        then = log.as_of(day(number), FEEDS[profile])
        columns = ["patient_id", "activity", "start", "source", "quantity"]
        assert Counter(then.events.select(columns).rows()) == expected
        exits_seen = {
            person: tuple(left) for person, *left in then.patients.select("patient_id", *EXIT).rows()
        }
        assert exits_seen == {
            person: exit_of(person, written, died) if at is not None and at <= day(number) else (None, None)
            for person, at in left_known.items()
        }
        deaths_seen = dict(then.patients.select("patient_id", "death_date").rows())
        assert deaths_seen == {
            person: day(died[person][0]) if (at := known[person]) is not None and at <= day(number) else None
            for person in PEOPLE
        }


@settings(max_examples=30, deadline=None)
@given(rows, deaths, st.sampled_from(sorted(FEEDS)))
def test_a_feed_applied_twice_is_applied_once(
    written: list[Row], died: dict[str, tuple[int, int]], name: str
) -> None:
    once = under_feed(log_of(written, died), FEEDS[name])
    twice = under_feed(once, FEEDS[name])
    assert twice.events.equals(once.events)
    assert twice.withdrawn.equals(once.withdrawn)
    assert twice.patients.equals(once.patients)


ALL_ARRIVE = Feed(
    id="test",
    arrivals={
        "city": Arrival(30),
        "hospital": Arrival(20, closes="year"),
        "causes": Arrival(9, closes="month"),
    },
    keeps_own_dates=False,
    actionable=(),
    label={},
    source="test",
)


@pytest.mark.parametrize("profile", [*list(FEEDS.values())[1:], ALL_ARRIVE], ids=lambda profile: profile.id)
@settings(max_examples=40, deadline=None)
@given(written=rows, number=st.integers(0, 150))
def test_before_a_horizon_nothing_is_on_its_way(profile: Feed, written: list[Row], number: int) -> None:
    """Silence before the horizon of its source can be read: all care that had ended by then is there."""
    log = under_feed(log_of(written, {}), profile)
    then = log.as_of(day(number), profile)
    until = then.horizons.select("source", "observed_until")
    first_states = pl.concat([log.events, log.withdrawn]).filter(pl.col("quantity") == 0)
    due = first_states.join(until, on="source").filter(
        pl.max_horizontal("start", "end") <= pl.col("observed_until"), pl.col("source") != "hospital"
    )
    assert due.filter(pl.col("known_from") > day(number)).is_empty()


@pytest.mark.parametrize(
    ("feed", "source", "at", "until"),
    [
        ("hospital_live", "ER_PHA_F", date(2021, 3, 31), date(2021, 3, 1)),
        ("hospital_live", "dcir", date(2021, 3, 31), date(2021, 3, 1)),
        ("hospital_live", "T_SSRaaB", date(2021, 3, 31), date(2021, 3, 29)),
        ("pmsi_monthly", "pmsi", date(2021, 3, 16), date(2020, 12, 31)),
        ("pmsi_monthly", "T_MCOaaB", date(2021, 3, 17), date(2021, 1, 31)),
        ("pmsi_monthly", "T_MCOaaB", date(2021, 4, 13), date(2021, 1, 31)),
        ("pmsi_monthly", "T_MCOaaB", date(2021, 4, 14), date(2021, 2, 28)),
        ("snds_annual", "ER_PRS_F", date(2021, 7, 3), date(2021, 1, 1)),
        ("snds_annual", "T_HADaaB", date(2021, 7, 1), date(2019, 12, 31)),
        ("snds_annual", "T_HADaaB", date(2021, 7, 2), date(2020, 12, 31)),
        ("snds_annual", "causes", date(2021, 12, 31), date(2020, 1, 1)),
        ("snds_annual", "hospital", date(2021, 7, 3), date(2021, 7, 3)),
    ],
)
def test_a_horizon_stops_where_the_feed_is_complete(feed: str, source: str, at: date, until: date) -> None:
    events = pl.DataFrame({"patient_id": ["anna"], "activity": ["x"], "start": [datetime(2018, 1, 1)]})
    stated = pl.DataFrame({"source": [source], "observed_until": [datetime(2022, 12, 31)]})
    log = EventLog.create(events, None, stated)
    assert log.as_of(at, FEEDS[feed]).horizons["observed_until"][0] == datetime(
        until.year, until.month, until.day
    )
    assert log.as_of(at).horizons["observed_until"][0] == datetime(at.year, at.month, at.day)


def test_every_snds_table_and_horizon_is_of_a_family() -> None:
    tables = [*schema.tables(), "dcir", "beneficiaries", "causes", *horizons.ANCHORS]
    families = dict(pl.DataFrame({"source": tables}).select("source", family=family_of()).rows())
    assert {name for name, family in families.items() if family is None} == set()
    assert {families[name] for name in ("mco", "ssr", "had", "rip", "T_RIPaaR3A")} == {"hospital"}
    assert (families["NS_PRS_F"], families["KI_CCI_R"], families["IR_IMB_R"]) == (
        "city",
        "causes",
        "register",
    )


def test_sources_that_a_feed_does_not_carry_leave_with_their_horizons() -> None:
    written: Row = {"patient_id": "anna", "activity": "x", "start": 1, "stay_days": None, "source": "ER_PHA_F",
                    "lag": 5, "corrections": [3], "stands": True}  # fmt: skip
    monthly = under_feed(log_of([written], {}), FEEDS["pmsi_monthly"])
    assert monthly.n_events == 0 and monthly.withdrawn.is_empty()
    assert set(monthly.horizons["source"]) == {
        "T_MCOaaA",
        "T_SSRaaB",
        "T_HADaaB",
        "T_RIPaaRSA",
        "hospital",
        "all",
    }
