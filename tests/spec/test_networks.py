"""Which network a patient belongs to, one rule each: events and a table in, the network of each patient out."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from eventlogs.activities import NetworkRule
from eventlogs.errors import LogError
from eventlogs.log import EventLog
from eventlogs.networks import attribute
from pathways.steps import build

EVENTS = """
A | surgery      | 0  | 750000001
A | chemotherapy | 30 | 690000002
A | chemotherapy | 51 | 69000000
A | visit        | 90 | 130000003
B | surgery      | 0  | 130000003
B | chemotherapy | 0  | 750000001
C | visit        | 5  | 750000001
D | surgery      | 1  |
E | surgery      | 1  | 999999999
F | surgery      | 1  | 750000001
F | surgery      | 9  | 690000002
"""

TABLE = pl.DataFrame(
    {"facility": ["750000001", "69000000", "130000003"], "network": ["Seine", "Rhône", "Provence"]}
)

PLACES = pl.DataFrame({"territory": ["75", "69"], "network": ["Seine", "Rhône"]})

By = Literal["last_treating_facility", "first_treating_facility", "most_frequent_facility", "territory"]


def log(reverse: bool = False) -> EventLog:
    rows = [[cell.strip() for cell in line.split("|")] for line in EVENTS.strip().splitlines()]
    events = pl.DataFrame(
        [
            (p, activity, datetime(2021, 1, 1) + timedelta(days=int(day)), facility or None)
            for p, activity, day, facility in rows
        ],
        schema=["patient_id", "activity", "start", "facility"],
        orient="row",
    )
    patients = pl.DataFrame({"patient_id": list("ABCDEF"), "territory": ["75", "69", "13", None, "69", "75"]})
    return EventLog.create(
        events.reverse() if reverse else events, patients, within_day=("surgery", "chemotherapy", "visit")
    )


def rule(by: By) -> NetworkRule:
    return NetworkRule(by, ("surgery", "chemotherapy"))


def networks(found: EventLog) -> dict[str, str | None]:
    return dict(found.patients.select("patient_id", "network").sort("patient_id").iter_rows())


@pytest.mark.parametrize("reverse", [False, True], ids=["as written", "rows reversed"])
@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("last_treating_facility", {"A": "Rhône", "B": "Seine", "F": "Rhône"}),
        ("first_treating_facility", {"A": "Seine", "B": "Provence", "F": "Seine"}),
        ("most_frequent_facility", {"A": "Rhône", "B": "Seine", "F": "Rhône"}),
    ],
)
def test_the_treating_facility_says_the_network(
    by: By, expected: dict[str, str | None], reverse: bool
) -> None:
    """Treatments only; a tie of the day is settled by the log's order, as many events by the later one; no treating
    facility, or one that the table does not have: no network."""
    found = networks(attribute(log(reverse), rule(by), TABLE))
    assert found == {**expected, "C": None, "D": None, "E": None}


def test_the_territory_of_residence_says_the_network() -> None:
    found = networks(attribute(log(), rule("territory"), PLACES))
    assert found == {"A": "Seine", "B": "Rhône", "C": None, "D": None, "E": "Rhône", "F": "Seine"}


def test_nothing_else_changes() -> None:
    before = log()
    after = attribute(before, rule("last_treating_facility"), TABLE)
    assert after.events.equals(before.events)
    assert after.patients.drop("network").equals(before.patients.drop("network"))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (TABLE.rename({"network": "name"}), "no column 'network'"),
        (PLACES, "no column 'facility'; write two columns, facility;network"),
        (pl.concat([TABLE, TABLE.with_columns(network=pl.lit("Other"))]), "gives facility 13000000 to"),
    ],
)
def test_a_table_that_can_not_be_used_is_a_sentence(table: pl.DataFrame, words: str) -> None:
    with pytest.raises(LogError, match=words):
        attribute(log(), rule("last_treating_facility"), table)


DEFINITION = """
id = "own"
version = "1"
label = { fr = "Essai", en = "Trial" }
within_day = ["surgery", "chemotherapy", "visit"]
[network]
by = "last_treating_facility"
activities = ["surgery", "chemotherapy"]
source = "trial"
"""


@pytest.mark.parametrize("given", [True, False], ids=["with the table", "without"])
def test_a_build_attributes_where_the_source_has_the_table(given: bool, tmp_path: Path) -> None:
    source, pathway = tmp_path / "source", tmp_path / "own.toml"
    source.mkdir()
    log().events.select("patient_id", "activity", "start", "facility").write_csv(source / "events.csv")
    pathway.write_text(DEFINITION)
    if given:
        TABLE.write_csv(source / "networks.csv", separator=";")
    study = build(source, tmp_path / "study", pathway=pathway, door="table")
    expected = {"A": "Rhône", "B": "Seine", "F": "Rhône"} if given else {}
    assert {k: v for k, v in networks(study.log()).items() if v} == expected
