"""A study built from a synthetic extract, at its three levels and in eras, and its quality."""

from __future__ import annotations

import polars as pl
import pytest

from eventlogs.abstraction import LEVELS, Level, merged, merged_origins
from eventlogs.synthetic import TRAPS, synthesise
from eventlogs.synthetic.quirks import NATURAL
from pathways.mining.maps import ProcessMap
from pathways.steps import build, check, compare
from pathways.study import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("levels")
    told = [
        trap for trap in TRAPS if trap not in {*NATURAL, "double_facility"}
    ]  # which leaves a hole before 2019
    synthesise(folder / "extract", patients=300, seed=11, quirks=told)
    return build(folder / "extract", folder / "study", pathway="breast_cancer")


@pytest.mark.parametrize("level", LEVELS)
def test_no_source_row_is_lost_at_any_level(study: Study, level: Level) -> None:
    found, rows = study.at_level(level), study.origins().collect()
    key = ["patient_id", "source", "key", "code"]
    assert found.origins.select(key).sort(key).equals(rows.select(key).sort(key))
    stood_for = found.origins.select("patient_id", "rank").unique().sort(pl.all())
    assert stood_for.equals(found.log.events.select("patient_id", "rank"))
    assert ProcessMap.from_log(found.log, level=level).n_events == found.log.n_events


def test_levels_go_from_fine_to_coarse(study: Study) -> None:
    sizes = [study.at_level(level).log.n_events for level in LEVELS]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[-1]
    codes = study.at_level("code").log.events
    day = ["patient_id", "activity", pl.col("start").dt.date()]
    assert codes.select(day).is_unique().all()


def test_eras_of_the_definition_keep_their_parts(study: Study) -> None:
    eras, log = study.eras(), study.log()
    assert {"radiotherapy_course", "chemotherapy_cycle"} <= set(eras.eras["era"])
    coarse = merged(log, eras)
    assert coarse.n_events == log.n_events - eras.parts.height + eras.eras.height
    assert merged_origins(log, eras, study.origins().collect()).height == study.origins().collect().height


def test_a_synthetic_study_fails_no_grave_check(study: Study) -> None:
    report = check(study.path)
    assert [item.id for item in report.failed if item.severity != "information"] == []
    looked_at = {item.id for item in report.checks if item.state != "nothing"}
    assert {"origin_missing", "chaining_error", "feed_lag", "unknown_person", "trap.majoration"} <= looked_at
    assert compare(study.path, study.path).new == ()
