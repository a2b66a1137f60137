"""Each SNDS rule: its tables in, its events out, whatever the order of the rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from eventlogs.snds.build import build
from pathways.definition import load
from tests.spec.snds_rules import RULES, Rule, write


def built(rule: Rule, folder: Path, *, shuffled: bool) -> list[str]:
    extract, out, work = folder / "extract", folder / "out", folder / "work"
    for place in (extract, out, work):
        place.mkdir()
    write(rule, extract)
    if shuffled:
        for path in extract.glob("*.csv"):
            table = pl.read_csv(path, separator=";", infer_schema=False)
            table.reverse().write_csv(path, separator=";")
    build(extract, load("breast_cancer").rules(), out, work)
    events = pl.read_parquet(out / "events" / "*.parquet")
    days = [pl.col(name).dt.date() for name in ("start", "known_from")]
    shown = events.with_columns(days).select(pl.col(rule.columns).cast(pl.String))
    return sorted(" | ".join(row) for row in shown.rows())


@pytest.mark.parametrize("shuffled", [False, True], ids=["as written", "rows reversed"])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule(rule: Rule, shuffled: bool, tmp_path: Path) -> None:
    expected = sorted(
        " | ".join(cell.strip() for cell in line.split("|")) for line in rule.events.splitlines()
    )
    assert built(rule, tmp_path, shuffled=shuffled) == expected


def test_cancelled_line_was_visible_until_its_cancellation(tmp_path: Path) -> None:
    rule = next(rule for rule in RULES if rule.id == "regularisation")
    built(rule, tmp_path, shuffled=False)
    gone = pl.read_parquet(tmp_path / "out" / "withdrawn" / "*.parquet")
    visible = gone.select("patient_id", pl.col("known_from", "known_until").dt.date().cast(pl.String))
    assert visible.rows() == [("cancelled-1", "2021-04-01", "2021-07-01")]
