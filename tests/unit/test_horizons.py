"""Until when each source is complete, and what that does to the follow-up."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import polars as pl

from eventlogs.log import HORIZON_COLUMNS, EventLog, conform
from eventlogs.snds import schema
from eventlogs.snds.extract import Extract
from eventlogs.snds.horizons import horizons
from pathways.followup import general_horizon


def horizons_of(folder: Path, settings: str = "", **tables: str) -> dict[str, date]:
    for name in ("IR_BEN_R", "T_MCO22C", "T_MCO23_06B", "T_MCO23_06C"):
        (folder / f"{name}.csv").write_text("ETA_NUM\n1\n")
    written = {"ER_PRS_F": "FLX_DIS_DTD\n2022-11-01\n2023-03-01\n", "T_MCO22B": "ETA_NUM\n1\n"} | tables
    for name, text in written.items():
        (folder / f"{name}.csv").write_text(text)
    (folder / "extract.toml").write_text(settings)
    frame = horizons(Extract.open(folder, folder))
    return {row["source"]: row["observed_until"].date() for row in frame.to_dicts()}


def test_each_source_has_its_horizon(tmp_path: Path) -> None:
    found = horizons_of(
        tmp_path, T_SSR21B="ETA_NUM\n1\n", KI_CCI_R="BEN_IDT_ANO;BEN_DCD_DTE\nA;2020-05-04\nB;1600-01-01\n"
    )
    assert found == {
        "dcir": date(2022, 9, 1),
        "mco": date(2023, 6, 30),
        "ssr": date(2021, 12, 31),
        "causes": date(2020, 12, 31),
        "beneficiaries": date(2022, 9, 1),
    }


def test_a_stated_cut_off_stands(tmp_path: Path) -> None:
    settings = "[cutoff]\ndcir = 2021-01-01\npmsi = 2021-02-01\nssr = 2021-03-01\ncauses = 2019-12-31\n"
    found = horizons_of(tmp_path, settings, T_SSR21B="ETA_NUM\n1\n", T_HAD21B="ETA_NUM\n1\n")
    assert found == {
        "dcir": date(2021, 1, 1),
        "mco": date(2021, 2, 1),
        "ssr": date(2021, 3, 1),
        "had": date(2021, 2, 1),
        "beneficiaries": date(2021, 1, 1),
    }


def test_late_sources_shorten_nobodys_follow_up() -> None:
    days = {"dcir": 2023, "mco": 2022, "ssr": 2021, "causes": 2020, "beneficiaries": 2019}
    rows = {
        "patient_id": None,
        "source": list(days),
        "observed_until": [datetime(year, 12, 31) for year in days.values()],
    }
    events = pl.DataFrame({"patient_id": ["a"], "activity": ["x"], "start": [datetime(2020, 1, 1)]})
    log = EventLog.create(events, horizons=conform(pl.DataFrame(rows), HORIZON_COLUMNS, "horizons"))
    assert general_horizon(log) == log.observed_until == datetime(2022, 12, 31)


def test_a_column_is_expected_in_its_years_only() -> None:
    table = schema.tables()["T_MCOaaC"]
    assert not table.expects("COH_NAI_RET", "12")
    assert table.expects("COH_NAI_RET", "13")
    assert table.expects("COH_NAI_RET", "")
    assert not schema.tables()["T_MCOaaMED"].expects("UCD_COD", "16_03")
