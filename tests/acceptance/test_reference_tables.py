"""The readers on small tables that no one here wrote: coherent fixtures, and random tables of the true shapes."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from eventlogs.practice import Practice
from eventlogs.snds import identity, schema
from eventlogs.snds.extract import Extract
from eventlogs.snds.identity import extraction_name, temporary_name
from pathways.cli import main
from tests.reference import reference

HERE = Path(__file__).parent

COUNTED_BY_HAND = """
Patient_01-1 | unit_medicine | 2006-01-15 | day   | ER_UCD_F | 20
Patient_01-1 | medicine      | 2006-01-15 | day   | ER_PHA_F | 2
Patient_02-1 | act           | 2006-01-01 | month | T_MCOaaA | 1
Patient_02-1 | act           | 2007-02-01 | month | T_MCOaaA | 1
Patient_02-1 | death         | 2008-01-25 | day   | IR_BEN_R | 1
Patient_02-1 | act           | 2008-03-10 | day   | T_MCOaaA | 1
"""
"""Everybody's events: the claim of line 1 has no date, line 100 is a majoration, the others of Patient_02 are for
information; the stays of 2006 and 2007 have only their month; ENT_DAT_DEL is 2 in 2008."""

STAYS_BY_HAND = """
Patient_02-1 | stay | 2006-01-01 | month | T_MCOaaB | 1
Patient_02-1 | stay | 2007-02-01 | month | T_MCOaaB | 1
Patient_02-1 | stay | 2008-03-15 | day   | T_MCOaaB | 1
"""
"""With the diagnosis C67: one stay a year gives no act of the list and is an event itself."""


def rows(text: str) -> list[str]:
    return sorted(" | ".join(cell.strip() for cell in line.split("|")) for line in text.strip().splitlines())


def temporary_names(source: Path) -> dict[str, str]:
    """Return the pair that each name stands for, from the fixture's set of pairs."""
    pairs = ["Patient_01-1", "Patient_02-1"]
    extract = Extract.open(source, source)
    extraction = extraction_name(extract, pl.Series(pairs))
    return {temporary_name(extraction, pair): pair for pair in pairs}


def events(study: Path, source: Path) -> list[str]:
    """Return the events; the fixtures have no national number, so their persons have names of this extraction only."""
    names = temporary_names(source)
    frame = pl.read_parquet(study / "events" / "*.parquet").with_columns(
        pl.col("start").dt.date(), pl.col("patient_id").replace(names)
    )
    shown = frame.select(
        pl.col("patient_id", "activity", "start", "date_precision", "source", "quantity").cast(pl.String)
    )
    return sorted(" | ".join(row) for row in shown.rows())


@pytest.mark.parametrize("fixture", ["extraction", "flattening"])
def test_fixtures_give_the_events_counted_by_hand(fixture: str, tmp_path: Path) -> None:
    source = reference("snds", "fixtures", fixture)
    study = tmp_path / "study"
    assert main(["build", str(source), "-o", str(study), "--pathway", str(HERE / "anyone.toml")]) == 0
    assert events(study, source) == rows(COUNTED_BY_HAND)


def test_fixtures_with_a_diagnosis(tmp_path: Path) -> None:
    source = reference("snds", "fixtures", "extraction")
    study = tmp_path / "study"
    assert main(["build", str(source), "-o", str(study), "--pathway", str(HERE / "bladder.toml")]) == 0
    of_patient_02 = [row for row in rows(COUNTED_BY_HAND) if row.startswith("Patient_02")]
    assert events(study, source) == sorted([*of_patient_02, *rows(STAYS_BY_HAND)])


def test_random_tables_say_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = reference("snds", "random_tables")
    code = main(["build", str(source), "-o", str(tmp_path / "study"), "--pathway", "breast_cancer"])
    said = " ".join(capsys.readouterr().err.split())
    assert code == 3
    assert "T_MCOaaC has 3 rows that repeat (ETA_NUM, RSA_NUM); give one table a year" in said
    assert not list(tmp_path.iterdir())


def test_random_tables_with_distinct_stays_say_that_nobody_enters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = reference("snds", "random_tables")
    mended = tmp_path / "tables"
    mended.mkdir()
    for path in source.rglob("*.csv"):
        table = pl.read_csv(path, infer_schema=False)
        distinct = table.unique(["ETA_NUM", "RSA_NUM"]) if path.stem in ("T_MCOaaB", "T_MCOaaC") else table
        distinct.write_csv(mended / path.name)
    assert main(["build", str(mended), "-o", str(tmp_path / "study"), "--pathway", "breast_cancer"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Nobody entered the cohort: of 10 persons in IR_BEN_R, 0 have a diagnosis" in said


def test_every_column_that_is_read_is_one_of_its_table() -> None:
    source = reference("snds", "random_tables")
    headers = {
        path.stem: set(path.read_text(encoding="utf-8").split("\n", 1)[0].split(","))
        for path in source.rglob("*.csv")
    }
    tables = {name: table for name, table in schema.tables().items() if name in headers}
    unknown = {name: set(table.columns) - headers[name] for name, table in tables.items()}
    assert len(tables) > 30
    assert {name: columns for name, columns in unknown.items() if columns} == {}


def test_causes_and_referentials_of_random_tables_are_read(tmp_path: Path) -> None:
    source = reference("snds", "random_tables")
    names = (
        "IR_BEN_R",
        "IR_IBA_R",
        "KI_CCI_R",
        "KI_ECD_R",
        "ER_PRS_F",
        "ER_BIO_F",
        "ER_TIP_F",
        "T_MCOaaB",
        "T_MCOaaC",
    )
    for path in source.rglob("*.csv"):
        if path.stem in names:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    extract = Extract.open(tmp_path, tmp_path)
    practice = Practice()
    pairs = identity.registry(extract, practice)
    people = identity.persons(pairs, practice)
    certificates = extract.scan("KI_CCI_R").collect()
    assert people.height >= 10
    assert certificates.height == 10
    assert certificates["BEN_DCD_DTE"].null_count() == 0
    assert extract.scan("KI_ECD_R").collect()["ECD_CIM_COD"].str.starts_with("C").all()
    assert set(identity.link(pairs, people).idents["BEN_IDT_ANO"]) >= set(
        extract.scan("IR_IBA_R").collect()["BEN_IDT_ANO"].drop_nulls()
    )
