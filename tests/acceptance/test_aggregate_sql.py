"""`extract-sql --aggregate`: the same map as a direct build, nothing below the threshold, and a study that opens."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import polars as pl
import pytest

from dashboards.app import create_app
from eventlogs.errors import DefinitionError, DisclosureRefused, ExtractError, InputError, StudyError
from eventlogs.log import EventLog
from eventlogs.snds import schema
from eventlogs.snds.oracle.aggregation import RESULTS, THRESHOLD
from eventlogs.snds.oracle.events import READ
from eventlogs.snds.oracle.script import Script
from eventlogs.synthetic import synthesise
from pathways.aggregates import COUNTS
from pathways.cli import main
from pathways.definition import load
from pathways.extract_sql import extract_sql
from pathways.mining.kernels import END, START, variants
from pathways.mining.maps import milestone_log, process_maps
from pathways.steps import build, mine
from pathways.study import Study
from tests import oracle_sql

CANCERS = {name: f"{name}_cancer" for name in ("breast", "colorectal")}
"""Synthetic extract → definition."""

DOCS = Path(__file__).parents[2] / "docs"

KEY = ["level", "source", "target"]


@dataclass(frozen=True)
class Case:
    """An extract of the tables that the script counts, its direct build, and the script run on it and exported."""

    pathway: str
    direct: Path
    script: Script
    connection: duckdb.DuckDBPyConnection
    exports: Path

    @property
    def log(self) -> EventLog:
        return Study.open(self.direct).log()


@pytest.fixture(scope="module", params=CANCERS)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder, pathway = tmp_path_factory.mktemp("aggregate"), CANCERS[request.param]
    synthesise(folder / "whole", cancer=request.param, patients=600, seed=11)
    oracle_sql.shorten(folder / "whole")
    keep_counted_tables(folder / "whole", folder / "extract")
    build(folder / "extract", folder / "direct", pathway=pathway)
    mine(folder / "direct")
    script = extract_sql(pathway, "2020-2022", aggregate=True)
    connection = oracle_sql.database(folder / "extract", oracle_sql.YEARS)
    oracle_sql.run(script, connection)
    oracle_sql.export(script, connection, folder / "exports")
    (folder / "exports" / "extract.toml").write_text("synthetic = true\n", encoding="utf-8")
    return Case(pathway, folder / "direct", script, connection, folder / "exports")


def keep_counted_tables(whole: Path, out: Path) -> None:
    """Copy the tables that tell an event of an aggregate extraction: a direct build reads others too."""
    out.mkdir()
    for path in whole.iterdir():
        known = schema.family(path.stem)
        if path.is_file() and (known is None or known[0] in READ):
            shutil.copy(path, out)


@pytest.fixture(scope="module")
def study(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Study:
    out = tmp_path_factory.mktemp("study") / "study"
    return build(case.exports, out, pathway=case.pathway, door="aggregate")


def exact_edges(case: Case) -> pl.DataFrame:
    rows = case.connection.execute(
        "SELECT MAP_LEVEL, STEP_FROM, STEP_TO, N_EVENTS, N_PATIENTS, MEDIAN_DAYS FROM ORAUSER.CP_EDGES"
    ).fetchall()
    frame = pl.DataFrame(rows, schema=[*KEY, "n_events", "n_patients", "median_days"], orient="row")
    return frame.with_columns(
        pl.col("source", "target").replace({"(start)": START, "(end)": END}),
        pl.col("median_days").cast(float),
    )


def test_every_edge_has_the_counts_of_a_direct_build(case: Case) -> None:
    whole = process_maps(case.log, load(case.pathway))
    maps = {level: replace(one, outcomes=one.outcomes.clear()) for level, one in whole.items()}
    columns = ["n_events", "n_patients", "median_days"]
    direct = [
        one.flow().select(pl.lit(level).alias("level"), *KEY[1:], *columns) for level, one in maps.items()
    ]
    expected = pl.concat(direct).sort(KEY)
    assert expected.height > 200
    assert exact_edges(case).sort(KEY).cast(dict(expected.schema)).equals(expected)


def test_what_is_released_is_the_direct_release_rounded(case: Case, study: Study) -> None:
    direct, imported = Study.open(case.direct).released("edges").frame, study.released("edges").frame
    both = direct.join(imported, on=KEY, suffix="_sql").filter(pl.col("source") != "*")
    counted = both.filter(pl.col("n_patients").is_not_null())
    assert counted.height > 60
    for name in ("n_events", "n_patients"):
        assert both.select((pl.col(name) - pl.col(f"{name}_sql")).abs().max()).item() <= THRESHOLD // 2
    timed = both.drop_nulls(["median_days", "median_days_sql"])
    assert timed.height > 40  # half a day is rounded up there, to the even day here
    assert timed.select((pl.col("median_days") - pl.col("median_days_sql")).abs().max()).item() <= 1
    sequences = variants(milestone_log(case.log, load(case.pathway))).select("variant", n="n_patients")
    listed = study.released("variants").frame.join(sequences, on="variant", how="left")
    assert listed.height > 5
    assert listed.select((pl.col("n_patients") - pl.col("n")).abs().max()).item() <= THRESHOLD // 2
    assert sequences.filter(pl.col("n") >= THRESHOLD).height == listed.height


def test_no_count_below_the_threshold_and_no_exact_one_leaves(case: Case) -> None:
    assert sorted(name for _, name in case.script.results) == sorted(RESULTS)
    for name in RESULTS:
        table = pl.read_csv(case.exports / f"{name}.csv", separator=";")
        for column in COUNTS[name]:
            assert table.filter((pl.col(column) < THRESHOLD) | (pl.col(column) % THRESHOLD != 0)).is_empty()
    small = exact_edges(case).filter(pl.col("n_patients") < THRESHOLD).height
    edges = pl.read_csv(case.exports / "EDGES.csv", separator=";").height
    assert small > 50 and edges == exact_edges(case).height - small


def test_the_app_opens_the_study_and_nothing_else_does(case: Case, study: Study, tmp_path: Path) -> None:
    assert create_app(study.path).server is not None
    assert study.manifest["synthetic"] and study.manifest["limits"]
    assert study.released_names() == ["edges", "nodes", "summary", "variants"]
    with pytest.raises(StudyError, match="no event log"):
        mine(study.path)
    command = ["build", str(case.exports), "-o", str(tmp_path / "s"), "--pathway", case.pathway]
    assert main([*command, "--from", "aggregate"]) == 0


TAMPERED = {
    "a small count of an edge": ("EDGES", r"\b(\d+)\.0", "7.0", DisclosureRefused),
    "an exact count of a node": ("NODES", r"\b(\d+)\.0", "23.0", DisclosureRefused),
    "another definition": ("SUMMARY", r"[0-9a-f]{64}", "0" * 64, DefinitionError),
    "an unknown node": ("NODES", "gp_consultation", "gp_consultations", DefinitionError),
    "an unknown step": ("EDGES", "gp_consultation", "gp_consultations", DefinitionError),
    "too few patients": ("SUMMARY", r"(?s)\n.*", "\n", ExtractError),
    "a column less": ("VARIANTS", "SEQUENCE_LETTERS", "SEQUENCE", ExtractError),
    "words for numbers": ("VARIANTS", r"\b(\d+)\.0", "many", ExtractError),
}
"""What is wrong: file, what is found in it, what is put there, and the error."""


@pytest.mark.parametrize("wrong", TAMPERED)
def test_what_does_not_come_from_the_script_is_refused(case: Case, tmp_path: Path, wrong: str) -> None:
    name, found, put, error = TAMPERED[wrong]
    folder = tmp_path / "exports"
    shutil.copytree(case.exports, folder)
    text = (folder / f"{name}.csv").read_text(encoding="utf-8")
    (folder / f"{name}.csv").write_text(re.sub(found, put, text, count=1), encoding="utf-8")
    with pytest.raises(error):
        build(folder, tmp_path / "study", pathway=case.pathway, door="aggregate")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("case", ["breast"], indirect=True)
def test_the_commands_of_the_page_run(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(case.exports, tmp_path / "extract")
    page = (DOCS / "how-to" / "extract-on-the-portal.md").read_text(encoding="utf-8")
    lines = re.findall(r"(?m)^ +(pathways (?:extract-sql|build) .*)$", page)
    assert len(lines) == 4
    for line in lines:
        assert main(shlex.split(line)[1:]) == 0, line
    assert Study.open(tmp_path / "study").is_aggregate
    for step in ("breast.sql", "breast-aggregate.sql"):
        assert (tmp_path / step).stat().st_size > 100_000


def test_a_missing_table_and_a_missing_definition_are_said(case: Case, tmp_path: Path) -> None:
    shutil.copytree(case.exports, tmp_path / "exports")
    (tmp_path / "exports" / "EDGES.csv").unlink()
    with pytest.raises(ExtractError, match=r"EDGES\.csv"):
        build(tmp_path / "exports", tmp_path / "study", pathway=case.pathway, door="aggregate")
    with pytest.raises(StudyError, match="--pathway"):
        build(case.exports, tmp_path / "study", door="aggregate")


def test_every_name_is_short_enough_for_oracle() -> None:
    bare = re.sub(
        r"'[^']*'", "", re.sub(r"--.*", "", str(extract_sql("breast_cancer", "2020", aggregate=True)))
    )
    assert max(len(word) for word in re.findall(r"\w+", bare)) <= 30


def test_a_switch_that_the_counting_does_not_follow_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'extends = "breast_cancer"\nid = "own"\nversion = "1"\n'
        '[snds]\nprovider_stays = "leave_out"\nsource = "a choice to be contested"\n'
    )
    with pytest.raises(InputError, match="own: \\[snds\\] sets provider_stays, which the SQL that counts"):
        extract_sql(own, "2021", aggregate=True)
    assert extract_sql(own, "2021").results
