"""Each SNDS rule: its tables in, its events out, whatever the order of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from eventlogs.practice import Practice
from eventlogs.snds.build import build
from eventlogs.snds.traps import TRAPS
from pathways.definition import load
from tests.spec.snds import DEFAULTS, RULES
from tests.spec.snds.writing import Rule, write


def built(rule: Rule, folder: Path, *, shuffled: bool) -> tuple[list[str], Mapping[str, int]]:
    """Build a rule's tables; return the shown columns of the events, and the counts."""
    extract, out, work = folder / "extract", folder / "out", folder / "work"
    for place in (extract, out, work):
        place.mkdir()
    write(rule, extract, DEFAULTS)
    if shuffled:
        for path in extract.glob("*.csv"):
            table = pl.read_csv(path, separator=";", infer_schema=False)
            table.reverse().write_csv(path, separator=";")
    defined = load(rule.pathway).rules()
    cohort = replace(defined.cohort, **rule.cohort)
    rules = replace(defined, practice=Practice(**rule.practice), cohort=cohort)
    report = build(extract, rules, out, work)
    patients = pl.read_parquet(out / "patients.parquet")
    asked = (out / "regimens.parquet").exists()
    assert asked == rules.practice.infer_regimens, "regimens are inferred when asked for only"
    found = "regimens.parquet" if rule.shows == "regimens" else "events/*.parquet"
    events = pl.read_parquet(out / found).join(patients, on="patient_id")
    days = [pl.col(name).dt.date() for name, dtype in events.schema.items() if dtype.is_temporal()]
    shown = events.with_columns(days).select(pl.col(rule.columns).cast(pl.String).fill_null("none"))
    return sorted(" | ".join(row) for row in shown.rows()), report.counts


@pytest.mark.parametrize("shuffled", [False, True], ids=["as written", "rows reversed"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule(rule: Rule, shuffled: bool, tmp_path: Path) -> None:
    expected = sorted(
        " | ".join(cell.strip() for cell in line.split("|")) for line in rule.events.splitlines()
    )
    events, counts = built(rule, tmp_path, shuffled=shuffled)
    assert events == expected
    assert {name: counts.get(name, 0) for name in rule.counts} == rule.counts


def test_every_trap_has_a_spec() -> None:
    told = {trap for rule in RULES for trap in rule.traps}
    assert told <= set(TRAPS)
    assert set(TRAPS) - told == set(), "traps without a rule that tests them"


def test_cancelled_line_was_visible_until_its_cancellation(tmp_path: Path) -> None:
    rule = next(rule for rule in RULES if rule.id == "regularisation")
    built(rule, tmp_path, shuffled=False)
    gone = pl.read_parquet(tmp_path / "out" / "withdrawn" / "*.parquet")
    visible = gone.select("patient_id", pl.col("known_from", "known_until").dt.date().cast(pl.String))
    assert visible.rows() == [("cancelled-1", "2021-04-01", "2021-07-01")]


def test_withdrawn_line_is_hidden_once_another_tells_the_event(tmp_path: Path) -> None:
    tables = {
        "ER_PRS_F": """LINE | BEN_NIR_PSA | EXE_SOI_DTD | PRS_ACT_QTE | FLX_DIS_DTD
1 | A | 2021-03-01 | 1  | 2021-04-01
2 | A | 2021-03-01 | -1 | 2021-07-01
3 | A | 2021-03-01 | 1  | 2021-06-01
4 | B | 2021-03-01 | 1  | 2021-04-01
5 | B | 2021-03-01 | -1 | 2021-07-01
6 | B | 2021-03-01 | 1  | 2021-04-01""",
        "ER_CAM_F": """LINE | CAM_PRS_IDE | FLX_DIS_DTD
1 | QEHJ001 | 2021-04-01
2 | QEHJ001 | 2021-07-01
3 | QEHJ004 | 2021-06-01
4 | QEHJ001 | 2021-04-01
5 | QEHJ001 | 2021-07-01
6 | QEHJ004 | 2021-04-01""",
    }
    built(Rule("withdrawn", "", "", tables, ""), tmp_path, shuffled=False)
    gone = pl.read_parquet(tmp_path / "out" / "withdrawn" / "*.parquet")
    visible = gone.select("patient_id", pl.col("known_from", "known_until").dt.date().cast(pl.String))
    assert visible.rows() == [("A-1", "2021-04-01", "2021-06-01")]
