"""K1 is written once for every engine: polars and DuckDB attach the same rows."""

from __future__ import annotations

from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from eventlogs.snds import attach, identity, schema
from eventlogs.snds.build import medicines
from eventlogs.snds.extract import Extract
from eventlogs.snds.rows import ROW, Source, Tables
from eventlogs.synthetic import synthesise
from pathways.definition import load

RULES = load("breast_cancer").rules()


YEAR = "21"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("k1")
    synthesise(folder / "extract", patients=300, seed=5)
    extract = Extract.open(folder / "extract", folder)
    pairs = identity.registry(extract, RULES.practice)
    links = identity.link(pairs, identity.persons(pairs, RULES.practice))
    found = {
        name: extract.scan(name, YEAR if YEAR in extract.years(name) else None).collect()
        for name in schema.tables()
    }
    found |= {f"codes.{name}": codes for name, codes in attach.code_lists(RULES, medicines()).items()}
    return found | dict(links.tables())


@pytest.mark.parametrize("source", attach.SOURCES, ids=lambda source: source.name)
def test_duckdb_attaches_the_rows_that_polars_attaches(
    source: Source, tables: dict[str, pl.DataFrame]
) -> None:
    connection = duckdb.connect()

    def in_polars(name: str) -> nw.LazyFrame[Any]:
        return nw.from_native(tables[name].lazy())

    def in_duckdb(name: str) -> nw.LazyFrame[Any]:
        return nw.from_native(connection.from_arrow(tables[name].to_arrow()))

    def rows(t: Tables) -> pl.DataFrame:
        frame: pl.DataFrame = source.rows(t, RULES, YEAR).collect("polars").to_native()
        return frame.cast(ROW).sort(list(ROW))

    expected = rows(in_polars)
    assert expected.height > 100 or tables[source.anchor].is_empty()
    assert rows(in_duckdb).equals(expected)
