"""The three levels of a log: what becomes of its events, and that no origin is lost on the way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogs.abstraction import LEVELS, Abstraction, at_level, complete_origins
from eventlogs.errors import DefinitionError, LogError
from eventlogs.log import EVENT_COLUMNS, ORIGIN_COLUMNS, TIME, EventLog, conform
from pathways.mining.maps import ProcessMap

DAY_0 = datetime(2020, 1, 1)
PHASES = {"biopsy": "diagnosis", "scan": "diagnosis", "operation": "surgery", "tablets": "drug"}

EVENTS = """
anna | biopsy    | 0 | CCAM  | QEHJ001 | 1
anna | operation | 9 | CCAM  | QEFA004 | 1
anna | tablets   | 9 | CIP13 | 3400934 | 60
anna | tablets   | 9 | CIP13 | 3400934 | 60
"""

ORIGINS = """
anna | 0 | ER_CAM_F | a1 | QEHJ001 | CCAM  |         | 1
anna | 0 | ER_CAM_F | a2 | QEHH001 | CCAM  |         | 1
anna | 1 | T_MCOaaA | s1 | QEFA004 | CCAM  |         | 1
anna | 1 | ER_CAM_F | a3 | QEFA004 | CCAM  |         | 1
anna | 2 | ER_PHA_F | p1 | 3400934 | CIP13 | L02BG03 | 30
anna | 2 | ER_PHA_F | p2 | 3400935 | CIP13 | L02BG03 | 30
"""


def table(text: str, columns: list[str]) -> pl.DataFrame:
    rows = [[cell.strip() or None for cell in line.split("|")] for line in text.strip().splitlines()]
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def log() -> EventLog:
    frame = table(EVENTS, ["patient_id", "activity", "day", "code_system", "code", "quantity"]).unique(
        maintain_order=True
    )
    start = (pl.lit(DAY_0) + pl.duration(days=pl.col("day").cast(pl.Int64))).cast(TIME)
    return EventLog.create(
        frame.with_columns(start=start, quantity=pl.col("quantity").cast(pl.Int64)).drop("day"),
        within_day=["operation", "tablets"],
    )


def origins() -> pl.DataFrame:
    columns = ["patient_id", "rank", "source", "key", "code", "code_system", "atc", "quantity"]
    return conform(table(ORIGINS, columns), ORIGIN_COLUMNS, "origins")


def rows(found: Abstraction) -> list[tuple[Any, ...]]:
    return found.log.events.select("rank", "activity", "source", "quantity").rows()


def keys(found: Abstraction) -> list[tuple[Any, ...]]:
    return found.origins.select("rank", "key").rows()


def test_codes_are_events_of_a_day_and_medicines_their_molecule() -> None:
    """Two codes of one biopsy are two events; an act told twice is one; two boxes of one molecule are one."""
    found = at_level(log(), "code", origins=origins())
    assert rows(found) == [
        (0, "CCAM:QEHH001", "ER_CAM_F", 1),
        (1, "CCAM:QEHJ001", "ER_CAM_F", 1),
        (2, "CCAM:QEFA004", "T_MCOaaA", 1),
        (3, "L02BG03", "ER_PHA_F", 60),
    ]
    assert sorted(keys(found)) == [(0, "a2"), (1, "a1"), (2, "a3"), (2, "s1"), (3, "p1"), (3, "p2")]


def test_a_row_of_several_sessions_is_a_session_on_each_of_their_days() -> None:
    sessions = EventLog.create(
        pl.DataFrame({"patient_id": "anna", "activity": "session", "start": [DAY_0, DAY_0 + timedelta(days=7)],
                      "quantity": [1, 1]})
    )  # fmt: skip
    told = pl.DataFrame(
        {"patient_id": "anna", "rank": [0, 1], "source": "T_MCOaaB", "key": "21|1|1", "code": "28Z07Z",
         "code_system": "GHM", "start": [DAY_0, DAY_0], "quantity": [2, 2]}
    )  # fmt: skip
    found = at_level(sessions, "code", origins=conform(told, ORIGIN_COLUMNS, "origins")).log.events
    assert found.select("activity", "start", "quantity").rows() == [
        ("GHM:28Z07Z", DAY_0, 1),
        ("GHM:28Z07Z", DAY_0 + timedelta(days=7), 1),
    ]


def test_the_activity_level_is_the_log() -> None:
    found = at_level(log(), "activity", origins=origins())
    assert found.log.events.equals(log().events) and found.origins.equals(origins())


def test_phases_gather_the_origins_of_their_run() -> None:
    found = at_level(log(), "phase", origins=origins(), phases=PHASES | {"operation": "drug"})
    assert found.log.events.select("rank", "activity").rows() == [(0, "diagnosis"), (1, "drug")]
    assert keys(found) == [(0, "a1"), (0, "a2"), (1, "s1"), (1, "a3"), (1, "p1"), (1, "p2")]


def test_a_log_without_origins_is_its_own() -> None:
    found = at_level(log(), "code")
    assert rows(found) == [
        (0, "CCAM:QEHJ001", None, 1),
        (1, "CCAM:QEFA004", None, 1),
        (2, "CIP13:3400934", None, 60),
    ]
    assert found.origins.height == 3


def test_a_line_taken_back_has_its_code_too() -> None:
    gone = log().events.tail(1).with_columns(known_until=pl.col("known_from") + pl.duration(days=30))
    both = EventLog.create(
        log().events.drop("rank", "tied"), withdrawn=gone, within_day=["operation", "tablets"]
    )
    assert at_level(both, "code", origins=origins()).log.withdrawn["activity"].to_list() == ["L02BG03"]


@pytest.mark.parametrize("level", LEVELS)
def test_a_map_can_be_made_at_each_level(level: Any) -> None:
    found = at_level(log(), level, origins=origins(), phases=PHASES)
    drawn = ProcessMap.from_log(found.log, level=level)
    assert drawn.n_events == found.log.n_events and drawn.level == level


events = st.lists(
    st.fixed_dictionaries(
        {
            "patient_id": st.sampled_from(["anna", "berthe"]),
            "activity": st.sampled_from(sorted(PHASES)),
            "start": st.integers(0, 9).map(lambda number: DAY_0 + timedelta(days=number)),
            "code": st.sampled_from(["A", "B", None]),
        }
    ),
    max_size=15,
)


@settings(max_examples=60, deadline=None)
@given(events, st.lists(st.tuples(st.integers(0, 14), st.sampled_from("ABC")), max_size=20))
def test_no_origin_is_lost_at_any_level(written: list[dict[str, Any]], more: list[tuple[int, str]]) -> None:
    schema = {name: EVENT_COLUMNS[name] for name in ("patient_id", "activity", "start", "code")}
    whole = EventLog.create(pl.DataFrame(written, schema=schema))
    places = [(place, code) for place, code in more if place < whole.n_events]
    told = whole.events[[place for place, _ in places]].select("patient_id", "rank", "start", "source")
    given_ones = conform(
        told.with_columns(code=pl.Series([code for _, code in places], dtype=pl.String)),
        ORIGIN_COLUMNS,
        "origins",
    )
    complete = complete_origins(whole, given_ones)
    what = ["patient_id", "code", "start"]
    for level in LEVELS:
        found = at_level(whole, level, origins=given_ones, phases=PHASES)
        assert found.origins.select(what).sort(what).equals(complete.select(what).sort(what))
        stood_for = found.origins.select("patient_id", "rank").unique()
        assert stood_for.sort(pl.all()).equals(found.log.events.select("patient_id", "rank"))


def test_what_cannot_be_done_is_said() -> None:
    with pytest.raises(LogError, match="there is no level 'phases'; did you mean 'phase'"):
        at_level(log(), "phases")  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="needs the phase of each activity"):
        at_level(log(), "phase")
