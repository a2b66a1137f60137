"""Ready logs: tables and XES, with a column mapping."""

from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from eventlogs import table, xes
from eventlogs.errors import LogError
from pathways.steps import build

XES = """<?xml version="1.0" encoding="UTF-8"?>
<log xmlns="http://www.xes-standard.org/">
  <trace>
    <string key="concept:name" value="NA"/>
    <event><string key="concept:name" value="z"/><date key="time:timestamp" value="2021-03-28T03:30:00+02:00"/></event>
    <event><string key="concept:name" value="a"/><date key="time:timestamp" value="2021-03-28T01:30:00Z"/></event>
  </trace>
</log>"""


def test_xes_keeps_the_document_order_and_a_case_named_na(tmp_path: Path) -> None:
    path = tmp_path / "log.xes.gz"
    path.write_bytes(gzip.compress(XES.encode()))
    log = xes.read(path)
    assert log.events.select("patient_id", "activity", "tied").rows() == [
        ("NA", "z", True),
        ("NA", "a", True),
    ]
    assert log.events["start"].to_list() == [datetime(2021, 3, 28, 1, 30)] * 2


def test_xes_that_is_cut_off_is_said(tmp_path: Path) -> None:
    path = tmp_path / "log.xes.gz"
    path.write_bytes(gzip.compress(XES.encode())[:-20])
    with pytest.raises(LogError, match="damaged or truncated"):
        xes.read(path)


def test_xes_attribute_can_be_mapped(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    path.write_text(XES)
    with pytest.raises(LogError, match="2 events without activity"):
        xes.read(path, {"activity": "task"})


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_table_in_any_usual_form(separator: str, encoding: str, tmp_path: Path) -> None:
    lines = [
        ["case", "activity", "start"],
        ["007", "échographie", "31/01/2021"],
        ["NA", "biopsie", "2021-02-01"],
    ]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(separator.join(line) for line in lines), encoding=encoding)
    log = table.read(path, {"patient_id": "case"}).log
    assert log.events.select("patient_id", "activity").rows() == [("007", "échographie"), ("NA", "biopsie")]
    assert log.events["start"].to_list() == [datetime(2021, 1, 31), datetime(2021, 2, 1)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2021-03-28T03:30:00+02:00", datetime(2021, 3, 28, 1, 30)),
        ("2021-03-28T01:30:00Z", datetime(2021, 3, 28, 1, 30)),
        ("28/03/2021 01:30", datetime(2021, 3, 28, 1, 30)),
        ("2021-03-28 01:30:00.5", datetime(2021, 3, 28, 1, 30, 0, 500_000)),
    ],
)
def test_times_in_usual_forms(written: str, read: datetime, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"case;patient_id;activity;start\n1;x;y;{written}\n")
    assert table.read(path, {"patient_id": "case"}).log.events.select("patient_id", "start").rows() == [
        ("1", read)
    ]


def test_numbers_are_no_times(tmp_path: Path) -> None:
    pl.DataFrame({"patient_id": ["a"], "activity": ["x"], "start": [1_600_000_000]}).write_parquet(
        tmp_path / "e.parquet"
    )
    with pytest.raises(LogError, match="has numbers in 'start'"):
        table.read(tmp_path / "e.parquet")


def test_claims_in_a_table_are_still_claims(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("patient_id;activity;start;source\n1;x;2021-01-01;ER_CAM_F\n")
    study = build(path, tmp_path / "study", door="table")
    assert (study.manifest["role"], study.manifest["feed"]) == ("snds", "snds_annual")


def test_folder_with_patients_and_a_cutoff(tmp_path: Path) -> None:
    pl.DataFrame({"patient_id": ["a"], "activity": ["x"], "start": [datetime(2021, 1, 1)]}).write_parquet(
        tmp_path / "events.parquet"
    )
    (tmp_path / "patients.csv").write_text("patient_id;sex\na;F\nb;M\n")
    (tmp_path / "extract.toml").write_text('role = "network"\n[cutoff]\nall = 2021-06-30\n')
    source = table.read(tmp_path)
    assert source.settings["role"] == "network"
    assert source.log.patients.select("patient_id", "sex").rows() == [("a", "F"), ("b", "M")]
    assert source.log.observed_until == datetime(2021, 6, 30)


@pytest.mark.parametrize(
    ("content", "columns", "words"),
    [
        ("case;activity;start\n1;x;2021-01-01\n", {}, "no column 'patient_id'; found case, activity, start"),
        (
            "patient_id;activity;start\n1;x;31 janvier\n",
            {},
            "1 values of 'start' that can't be read; expected dates",
        ),
        ("patient_id;activity;start\n", {}, "has no row"),
        ("", {}, "empty, truncated"),
        ("patient_id;activity;start\n1;;2021-01-01\n", {}, "have no 'activity'"),
        (
            "patient_id;activity;start\n1;x;2021-01-01\n",
            {"start": "strat"},
            "no column 'strat'; did you mean 'start'",
        ),
        (
            "patient_id;activity;start\n1;x;2021-01-01\n",
            {"strat": "start"},
            "names 'strat'; did you mean 'start'",
        ),
    ],
)
def test_a_bad_table_is_a_sentence(content: str, columns: dict[str, str], words: str, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(content)
    with pytest.raises(LogError, match=words):
        table.read(path, columns)
