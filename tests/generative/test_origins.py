"""Events and their origins against a plain walk over the rows: no row is lost by a merge, none is told twice."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlogs.activities import CODE_COLUMNS, ActivityRules, CohortRules
from eventlogs.snds import patient
from eventlogs.snds.rows import ROW

RULES = ActivityRules(
    codes=pl.DataFrame(schema=CODE_COLUMNS),
    derived={"death": "death"},
    cohort=CohortRules(diagnosis=("C50",)),
)

DAY_0 = date(2021, 3, 1)
PEOPLE = 3
"""The last of them has no diagnosis."""

Row = dict[str, Any]
Event = tuple[str, str, date]


def day(number: int) -> date:
    return DAY_0 + timedelta(days=number)


places = {
    "person": st.integers(0, PEOPLE - 1),
    "activity": st.sampled_from(["x", "y"]),
    "date": st.integers(0, 3),
}
line = st.fixed_dictionaries(
    {
        **places,
        "kind": st.just("line"),
        "source": st.sampled_from(["ER_CAM_F", "ER_PHA_F"]),
        "code": st.sampled_from(["A", "B"]),
        "quantity": st.sampled_from([None, 1, 2, -1, -2]),
        "flux": st.integers(30, 34),
    }
)
act = st.fixed_dictionaries(
    {**places, "kind": st.sampled_from(["act", "visit", "stay"]), "source": st.sampled_from(["T_MCOaaA", "T_HADaaB"]),
     "offset_days": st.one_of(st.none(), st.integers(0, 2))}
)  # fmt: skip
session = st.fixed_dictionaries(
    {**places, "kind": st.just("session"), "source": st.just("T_MCOaaB"), "quantity": st.integers(1, 4),
     "until": st.integers(4, 9)}
)  # fmt: skip
death = st.fixed_dictionaries(
    {"person": st.integers(0, PEOPLE - 1), "kind": st.just("death"), "date": st.integers(5, 8),
     "source": st.sampled_from(["KI_CCI_R", "T_MCOaaB"])}
)  # fmt: skip
some_rows = st.lists(st.one_of(line, act, session, death), max_size=14)
registered = st.tuples(*[st.one_of(st.none(), st.integers(5, 8))] * PEOPLE)


def attached(drawn: list[Row]) -> pl.DataFrame:
    opened = [
        {"person": n, "kind": "diagnosis", "source": "IR_IMB_R", "code": "C50"} for n in range(PEOPLE - 1)
    ]
    named = [
        row
        | {name: day(row[name]) for name in ("date", "until", "flux") if row.get(name) is not None}
        | ({"DCT_ORD_NUM": n} if row["kind"] == "line" else {"stay": str(n), "table_year": "21"})
        for n, row in enumerate(drawn)
    ]
    return pl.DataFrame([*opened, *named], schema=ROW)


def people(died: tuple[int | None, ...]) -> pl.DataFrame:
    told = {
        "person": list(range(PEOPLE)),
        "patient_id": [f"p{n}" for n in range(PEOPLE)],
        "death_date": [None if n is None else day(n) for n in died],
        "vital_status_known": [True] * PEOPLE,
    }
    empty = {
        "sex": pl.String,
        "territory": pl.String,
        "excluded": pl.String,
        "birth_year": pl.Int32,
        "deprivation": pl.Int8,
    }
    types = {"person": pl.Int64, "death_date": pl.Date}
    return pl.DataFrame(told, schema_overrides=types).with_columns(
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in empty.items()
    )


def walked(drawn: list[Row], died: tuple[int | None, ...]) -> dict[Event, list[str]]:
    """Return the keys of the rows that each event stands for."""
    found: dict[Event, list[str]] = defaultdict(list)
    lines: dict[tuple[Any, ...], list[tuple[int, Row]]] = defaultdict(list)
    for n, row in enumerate(drawn):
        who = f"p{row['person']}"
        if row["kind"] == "line":
            same = (row["person"], row["activity"], row["date"], row["source"], row["code"])
            lines[same].append((n, row))
        elif row["kind"] == "session":
            span, several = row["until"] - row["date"], row["quantity"]
            for step in range(several):
                shift = step * span // (several - 1) if several > 1 else 0
                found[who, row["activity"], day(row["date"] + shift)].append(f"21|{n}")
        elif row["kind"] != "death":
            found[who, row["activity"], day(row["date"] + (row["offset_days"] or 0))].append(f"21|{n}")
    for told in lines.values():
        if sum(1 if row["quantity"] is None else row["quantity"] for _, row in told) > 0:
            for n, row in told:
                found[f"p{row['person']}", row["activity"], day(row["date"])].append(
                    f"{day(row['flux'])}|{n}"
                )
    for person in range(PEOPLE):
        _walk_death(person, drawn, died[person], found)
    return {event: sorted(keys) for event, keys in found.items() if event[0] != f"p{PEOPLE - 1}"}


def _walk_death(person: int, drawn: list[Row], registered: int | None, found: dict[Event, list[str]]) -> None:
    told = [(0 if row["source"] == "KI_CCI_R" else 2, row["date"], f"21|{n}") for n, row in enumerate(drawn)
            if row["kind"] == "death" and row["person"] == person]  # fmt: skip
    if registered is not None:
        told.append((1, registered, f"p{person}"))
    if told:
        found[f"p{person}", "death", day(min(told)[1])] += [key for _, _, key in told]


@given(some_rows, registered, st.randoms(use_true_random=False))
@settings(max_examples=120, deadline=None)
def test_origins_are_the_rows_that_a_plain_walk_finds(
    drawn: list[Row], died: tuple[int | None, ...], shuffle: Any
) -> None:
    rows = attached(drawn)
    order = list(range(rows.height))
    shuffle.shuffle(order)
    built = patient.build(rows[order], people(died), RULES)
    events = built.events.select("patient_id", "rank", "activity", pl.col("start").dt.date())
    told = built.origins.join(events, on=["patient_id", "rank"], suffix="_of_event")
    assert told.height == built.origins.height
    found: dict[Event, list[str]] = defaultdict(list)
    for who, activity, start, key in told.select("patient_id", "activity", "start_of_event", "key").rows():
        found[who, activity, start.date() if hasattr(start, "date") else start].append(key)
    assert {event: sorted(keys) for event, keys in found.items()} == walked(drawn, died)
    assert set(found) == set(events.select("patient_id", "activity", "start").rows())
    again = patient.build(rows, people(died), RULES)
    assert again.origins.equals(built.origins) and again.events.equals(built.events)
