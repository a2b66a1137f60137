"""The Oracle scripts on DuckDB: parsed as Oracle statement by statement, translated, run on an extract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import sqlglot

from eventlogs.snds import schema
from eventlogs.snds.oracle.script import Script

KINDS = {"text": "VARCHAR", "int": "BIGINT", "number": "DOUBLE", "date": "DATE"}

TEXT_DATES = ("ENT_DAT", "SOR_DAT")
"""Dates that the PMSI keeps as text, DDMMYYYY."""


YEARS = range(2020, 2023)
"""Years of care of the extracts here: fewer statements, faster tests."""


def shorten(extract: Path) -> None:
    """Leave of an extract the care of `YEARS` that had arrived six months later."""
    lines = pl.col("EXE_SOI_DTD").dt.year().is_between(YEARS[0], YEARS[-1])
    arrived = pl.col("FLX_DIS_DTD") <= date(YEARS[-1] + 1, 6, 1)
    claims = extract / "ER_PRS_F.parquet"
    pl.read_parquet(claims).filter(lines, arrived).write_parquet(claims)
    for path in extract.glob("*.parquet"):
        name, year = schema.family(path.stem) or ("", "")
        of_stays = name.startswith("T_") and 2000 + int(year[:2]) in YEARS
        if year and not of_stays:
            path.unlink()


def database(extract: Path, years: Iterable[int]) -> duckdb.DuckDBPyConnection:
    """Load an extract as the SNDS has it: typed tables, every table of the years there, perhaps empty."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA ORAUSER; CREATE TABLE DUAL AS SELECT 'X' AS DUMMY")
    for path in sorted(extract.glob("*.parquet")):
        connection.execute(f"CREATE TABLE {path.stem} AS SELECT * FROM read_parquet('{path}')")
    for name, table in schema.tables().items():
        for raw in names_of(name, years):
            _complete(connection, raw, table)
    return connection


def names_of(family: str, years: Iterable[int]) -> list[str]:
    return [family.replace("aa", f"{year % 100:02}", 1) for year in years] if "aa" in family else [family]


def _complete(connection: duckdb.DuckDBPyConnection, name: str, table: schema.Table) -> None:
    """Add the columns, or the whole table, that a synthetic extract leaves out and the SNDS has."""
    wanted = {
        column: "VARCHAR" if column in TEXT_DATES else KINDS[kind] for column, kind in table.columns.items()
    }
    found = connection.execute(
        "SELECT upper(column_name) FROM information_schema.columns WHERE upper(table_name) = ?",
        [name.upper()],
    ).fetchall()
    if not found:
        columns = ", ".join(f"{column} {kind}" for column, kind in wanted.items())
        connection.execute(f"CREATE TABLE {name} ({columns})")
    for column in wanted.keys() - {column for (column,) in found} if found else ():
        connection.execute(f"ALTER TABLE {name} ADD COLUMN {column} {wanted[column]}")


def parsed(script: Script) -> Iterator[sqlglot.Expression]:
    """Parse the whole file as Oracle, so that comments and semicolons are tried too."""
    statements = [
        statement for statement in sqlglot.parse(str(script), read="oracle") if statement is not None
    ]
    yield from (statement for statement in statements if not isinstance(statement, sqlglot.exp.Semicolon))


def run(script: Script, connection: duckdb.DuckDBPyConnection) -> None:
    """Run a script, statement by statement."""
    for statement in parsed(script):
        connection.execute(statement.sql(dialect="duckdb"))


def export(script: Script, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Write each result table as the header of the script asks: CSV, semicolons, ISO dates."""
    folder.mkdir()
    for table, name in script.results:
        path = folder / f"{name}.csv"
        connection.execute(f"COPY {table} TO '{path}' (HEADER, DELIMITER ';')")


def value(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    return int(connection.execute(sqlglot.transpile(sql, read="oracle", write="duckdb")[0]).fetchall()[0][0])


def size(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    return value(connection, f"SELECT COUNT(*) FROM {table}")


def columns(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [name for name, *_ in connection.execute(f"SELECT * FROM {table} WHERE 1 = 0").description or ()]
