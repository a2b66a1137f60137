"""K1 is written once for every engine: polars and DuckDB attach the same rows."""

from __future__ import annotations

from typing import Any

import duckdb
import narwhals as nw
import polars as pl
import pytest

from eventlogs.snds import attach, identity
from eventlogs.snds.build import medicines
from eventlogs.snds.extract import Extract
from eventlogs.synthetic import synthesise
from pathways.definition import load

RULES = load("breast_cancer").rules()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    folder = tmp_path_factory.mktemp("k1")
    synthesise(folder / "extract", patients=300, seed=5)
    extract = Extract.open(folder / "extract", folder)
    pairs = identity.registry(extract)
    links = identity.pair_to_person(pairs, identity.persons(pairs))
    found = {name: extract.scan(name).collect() for name in ("IR_IMB_R", *_claims())}
    found |= {name: extract.scan(name, "21").collect() for name in _stays()}
    found |= {f"codes.{name}": codes for name, codes in attach.code_lists(RULES, medicines()).items()}
    return found | {"pairs": links, "pseudonyms": identity.pseudonym_to_person(links)}


def _claims() -> tuple[str, ...]:
    return ("ER_PRS_F", "ER_CAM_F", "ER_PHA_F", "ER_UCD_F", "ER_ETE_F")


def _stays() -> tuple[str, ...]:
    return tuple(f"T_MCOaa{part}" for part in ("B", "C", "A", "D", "UM"))


@pytest.mark.parametrize("part", ["claims", "stays", "ald"])
def test_duckdb_attaches_the_rows_that_polars_attaches(part: str, tables: dict[str, pl.DataFrame]) -> None:
    connection = duckdb.connect()

    def in_polars(name: str) -> nw.LazyFrame[Any]:
        return nw.from_native(tables[name].lazy())

    def in_duckdb(name: str) -> nw.LazyFrame[Any]:
        return nw.from_native(connection.from_arrow(tables[name].to_arrow()))

    def rows(t: attach.Tables) -> pl.DataFrame:
        attached = {
            "claims": lambda: attach.claim_rows(t),
            "stays": lambda: attach.stay_rows(t, RULES),
            "ald": lambda: attach.ald_rows(t, RULES),
        }[part]()
        frame: pl.DataFrame = attached.collect("polars").to_native()
        return frame.cast(attach.ROW).sort(list(attach.ROW))

    expected = rows(in_polars)
    assert expected.height > 100
    assert rows(in_duckdb).equals(expected)
