"""K1 is written once for every engine: polars and DuckDB attach the same rows."""

from __future__ import annotations

from pathlib import Path

import duckdb
import narwhals as nw
import polars as pl
import pytest

from eventlogs.activities import ActivityRules
from eventlogs.snds import attach, identity, schema
from eventlogs.snds.codes import code_lists, medicines
from eventlogs.snds.extract import Extract
from eventlogs.snds.rows import ROW, Source, Tables
from eventlogs.synthetic import synthesise
from pathways.definition import load
from tests.contract import hospital

RULES = load("breast_cancer").rules()

HOSPITAL_RULES = hospital.rules(RULES)

YEAR = "21"


def read(folder: Path, work: Path, rules: ActivityRules) -> dict[str, pl.DataFrame]:
    """Return the tables of an extract that K1 may ask for, by name."""
    extract = Extract.open(folder, work)
    extract.check()
    pairs = identity.registry(extract, rules.practice)
    links = identity.link(pairs, identity.persons(pairs, rules.practice))
    found = {
        name: extract.scan(name, YEAR if YEAR in extract.years(name) else None).collect()
        for name in schema.tables()
    }
    found |= {f"codes.{name}": codes for name, codes in code_lists(rules, medicines()).items()}
    return found | dict(links.tables())


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("k1")
    synthesise(folder / "extract", patients=300, seed=5)
    return read(folder / "extract", folder, RULES)


@pytest.fixture(scope="module")
def hospital_tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("hospital")
    return read(hospital.write(folder / "extract"), folder, HOSPITAL_RULES)


def in_polars(tables: dict[str, pl.DataFrame]) -> Tables:
    return lambda name: nw.from_native(tables[name].lazy())


def in_duckdb(tables: dict[str, pl.DataFrame]) -> Tables:
    connection = duckdb.connect()
    return lambda name: nw.from_native(connection.from_arrow(tables[name].to_arrow()))


def rows(source: Source, t: Tables, rules: ActivityRules) -> pl.DataFrame:
    frame: pl.DataFrame = source.rows(t, rules, YEAR).collect("polars").to_native()
    return frame.cast(ROW).sort(list(ROW))


def counts(source: Source, t: Tables, rules: ActivityRules) -> dict[str, int]:
    frame: pl.DataFrame = source.counts(t, rules, YEAR).collect("polars").to_native()
    return {name: int(value or 0) for name, value in frame.to_dicts()[0].items()}


@pytest.mark.parametrize("source", attach.SOURCES, ids=lambda source: source.name)
def test_duckdb_attaches_the_rows_that_polars_attaches(
    source: Source, tables: dict[str, pl.DataFrame]
) -> None:
    expected = rows(source, in_polars(tables), RULES)
    assert expected.height > 10 or source.name in hospital.ROWS or tables[source.anchor].is_empty()
    assert rows(source, in_duckdb(tables), RULES).equals(expected)


@pytest.mark.parametrize("source", attach.HOSPITALS, ids=lambda source: source.name)
def test_every_table_of_the_hospitals_is_attached(
    source: Source, hospital_tables: dict[str, pl.DataFrame]
) -> None:
    found = rows(source, in_polars(hospital_tables), HOSPITAL_RULES)
    day = pl.col("date") + pl.duration(days=pl.col("offset_days").fill_null(0))
    told = found.select("kind", "source", day.cast(pl.String))
    assert set(told.rows()) == hospital.ROWS[source.name]
    assert rows(source, in_duckdb(hospital_tables), HOSPITAL_RULES).equals(found)


@pytest.mark.parametrize("source", attach.HOSPITALS, ids=lambda source: source.name)
def test_both_engines_count_alike(source: Source, hospital_tables: dict[str, pl.DataFrame]) -> None:
    expected = counts(source, in_polars(hospital_tables), HOSPITAL_RULES)
    assert counts(source, in_duckdb(hospital_tables), HOSPITAL_RULES) == expected
    assert expected
