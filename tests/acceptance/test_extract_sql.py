"""`extract-sql` round-trips: what the script exports, on DuckDB, builds to the same log as the extract itself."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from eventlogs.errors import DefinitionError, InputError
from eventlogs.log import EventLog
from eventlogs.snds import schema
from eventlogs.snds.oracle.portal import Portal
from eventlogs.snds.oracle.script import Script
from eventlogs.synthetic import synthesise
from pathways.cli import main
from pathways.definition import load
from pathways.extract_sql import extract_sql
from pathways.steps import build
from tests import oracle_sql

CANCERS = {name: f"{name}_cancer" for name in ("breast", "colorectal", "lung", "prostate")}
"""Synthetic extract → definition."""

ARCHIVED = 2021

PERIOD = f"{oracle_sql.YEARS[0]}-{oracle_sql.YEARS[-1]}"


@dataclass(frozen=True)
class Case:
    """A synthetic extract, the log that its direct build gives, and the script run on it."""

    folder: Path
    pathway: str
    direct: EventLog
    script: Script
    connection: duckdb.DuckDBPyConnection


@pytest.fixture(scope="module", params=CANCERS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("sql")
    extract, pathway = folder / "extract", CANCERS[request.param]
    synthesise(extract, cancer=request.param, patients=200, seed=11)
    oracle_sql.shorten(extract)
    name_the_extraction(extract)
    script = extract_sql(pathway, PERIOD)
    connection = oracle_sql.database(extract, oracle_sql.YEARS)
    oracle_sql.run(script, connection)
    log = build(extract, folder / "study", pathway=pathway).log()
    return Case(extract, pathway, log, script, connection)


def name_the_extraction(extract: Path) -> None:
    """Give the extraction a name, after which persons without a national number are named."""
    path = extract / "extract.toml"
    path.write_text('extraction = "test"\n' + path.read_text(encoding="utf-8"), encoding="utf-8")


def same_log(one: EventLog, other: EventLog) -> bool:
    frames = ("events", "patients", "withdrawn")
    return all(getattr(one, name).equals(getattr(other, name)) for name in frames)


def built_from_exports(
    case: Case, script: Script, connection: duckdb.DuckDBPyConnection, out: Path
) -> EventLog:
    """Export what a script made, as its footer says, and build it."""
    oracle_sql.export(script, connection, out / "extract")
    for name in ("extract.toml", "deprivation.csv"):
        shutil.copy(case.folder / name, out / "extract")
    return build(out / "extract", out / "study", pathway=case.pathway).log()


def test_what_the_script_exports_builds_to_the_same_log(case: Case, tmp_path: Path) -> None:
    log = built_from_exports(case, case.script, case.connection, tmp_path)
    assert case.direct.n_events > 1000
    assert same_log(log, case.direct)
    common = log.horizons.join(case.direct.horizons.select("source"), on="source", how="semi")
    assert common.equals(case.direct.horizons)


@pytest.mark.parametrize("case", ["breast"], indirect=True)
def test_archived_years_are_read_with_their_december_under_january(case: Case, tmp_path: Path) -> None:
    script = extract_sql(case.pathway, PERIOD, archived=str(ARCHIVED))
    connection = oracle_sql.database(case.folder, oracle_sql.YEARS)
    archive(connection)
    oracle_sql.run(script, connection)
    assert same_log(built_from_exports(case, script, connection, tmp_path), case.direct)


def archive(connection: duckdb.DuckDBPyConnection) -> None:
    """Move a year of flux to yearly tables, with lines of the next 1 January: some in both tables, some here only."""
    tables = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'ER_%'"
    )
    year, january = f"year(FLX_DIS_DTD) = {ARCHIVED}", f"FLX_DIS_DTD = DATE '{ARCHIVED + 1}-01-01'"
    for (name,) in tables.fetchall():
        connection.execute(
            f"CREATE TABLE {name}_{ARCHIVED} AS SELECT * FROM {name} "
            f"WHERE {year} OR ({january} AND DCT_ORD_NUM % 2 = 0)"
        )
        connection.execute(f"DELETE FROM {name} WHERE {year} OR ({january} AND DCT_ORD_NUM % 4 = 0)")


def test_only_the_cohort_and_the_columns_that_are_read_leave(case: Case) -> None:
    for table, name in case.script.results:
        family, _ = schema.family(name) or ("", "")
        raw, own = (oracle_sql.size(case.connection, each) for each in (name, table))
        assert own <= raw
        assert set(oracle_sql.columns(case.connection, table)) <= set(schema.tables()[family].columns)
    lines = [oracle_sql.size(case.connection, name) for name in ("ORAUSER.CP_ER_PRS_F", "ER_PRS_F")]
    assert lines[0] < lines[1]
    control = next(sql for sql in case.script.statements if "LINKED_BUT_LEFT_OUT" in sql)
    assert oracle_sql.value(case.connection, control) == 0


def test_a_chain_of_pseudonyms_is_followed_round_by_round() -> None:
    rows = [
        ("P1", "A1", None),
        ("P2", "A1", "I2"),
        ("P3", "A3", "I2"),
        ("P4", "A3", None),
        ("P9", "A9", "I9"),
    ]
    connection = oracle_sql.database(Path("nowhere"), [2020])
    connection.executemany(
        "INSERT INTO IR_BEN_R (BEN_NIR_PSA, BEN_NIR_ANO, BEN_IDT_ANO) VALUES (?, ?, ?)", rows
    )
    connection.execute(
        "INSERT INTO IR_IMB_R (BEN_NIR_PSA, MED_MTF_COD, IMB_ETM_NAT) VALUES ('P1', 'C50.9', 41)"
    )
    oracle_sql.run(extract_sql("breast_cancer", "2020"), connection)
    found = connection.execute("SELECT BEN_NIR_PSA FROM ORAUSER.CP_PSEUDONYMS").fetchall()
    assert sorted(pseudonym for (pseudonym,) in found) == ["P1", "P2", "P3", "P4"]


def test_the_script_is_oracle_without_limit_and_with_short_names(tmp_path: Path) -> None:
    out = tmp_path / "breast.sql"
    assert main(["extract-sql", "--pathway", "breast_cancer", "--years", "2018-2023", "-o", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    script = extract_sql("breast_cancer", "2018-2023")
    assert text == str(script)
    assert len(list(oracle_sql.parsed(script))) == len(list(script.statements))
    bare = re.sub(r"--.*", "", text)
    assert "LIMIT" not in bare and "TO_DATE(" in bare
    assert max(len(word) for word in re.findall(r"\w+", re.sub(r"'[^']*'", "", bare))) <= 30
    head = text.split("1. Code lists")[0]
    for word in ("AUTHORISED", "breast_cancer", "sha256", "ORAUSER.CP_", "2024-06"):
        assert word in head


def test_flux_months_go_six_months_beyond_the_last_year_of_care() -> None:
    months = [(f"{month.day:%Y-%m}", month.archive) for month in Portal(2019, 2020, archived=(2019,)).flux()]
    assert len(months) == 12 + 1 + 12 + 6
    assert months[0] == ("2019-01", "2019")
    assert months[11:14] == [("2019-12", "2019"), ("2020-01", "2019"), ("2020-01", "")]
    assert months[-1] == ("2021-06", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"years": "2023-2018"}, "no period"),
        ({"years": "eighteen"}, "no period"),
        ({"years": "2020", "space": "my space"}, "no Oracle schema"),
        ({"years": "2020", "prefix": "MUCH_TOO_LONG_"}, "no table prefix"),
        ({"years": "2020", "flux_months": 30}, "months of flux"),
        ({"years": "2020", "rounds": 0}, "rounds"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        extract_sql("breast_cancer", **options)  # type: ignore[arg-type]


def test_a_definition_without_a_diagnosis_is_refused(tmp_path: Path) -> None:
    text = load("breast_cancer").text
    everybody = tmp_path / "everybody.toml"
    everybody.write_text(re.sub(r'(?m)^diagnosis = \["C50"\]\n', "", text), encoding="utf-8")
    with pytest.raises(DefinitionError, match="no diagnosis"):
        extract_sql(everybody, "2020")
