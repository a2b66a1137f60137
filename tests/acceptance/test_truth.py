"""The built log against the planted truth of a synthetic extract, event for event, and against shuffled rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from eventlogs.synthetic import synthesise
from pathways.steps import build

KEY = ["patient_id", "activity", "start"]


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("truth") / "extract"
    synthesise(out, patients=1500, seed=3)
    return out


def built_events(extract: Path, out: Path) -> pl.DataFrame:
    return build(extract, out, pathway="breast_cancer").log().events


def test_log_equals_the_planted_truth(extract: Path, tmp_path: Path) -> None:
    events = built_events(extract, tmp_path / "study").with_columns(pl.col("start").dt.date())
    truth = pl.read_parquet(extract / "truth" / "events.parquet").filter("observable")
    assert events.height > 50_000
    assert events.select(KEY).sort(KEY).equals(truth.select(KEY).sort(KEY))


def test_row_order_and_format_change_nothing(extract: Path, tmp_path: Path) -> None:
    shuffled = tmp_path / "shuffled"
    shuffled.mkdir()
    for path in extract.glob("*.parquet"):
        table = pl.read_parquet(path).sample(fraction=1.0, shuffle=True, seed=1)
        table.write_csv(shuffled / f"{path.stem}.csv", separator=";", date_format="%d/%m/%Y")
    for name in ("extract.toml", "deprivation.csv"):
        (shuffled / name).write_bytes((extract / name).read_bytes())
    first = build(extract, tmp_path / "one", pathway="breast_cancer").log()
    second = build(shuffled, tmp_path / "two", pathway="breast_cancer").log()
    assert first.events.equals(second.events)
    assert first.patients.equals(second.patients)
    assert first.withdrawn.equals(second.withdrawn)


def test_many_slices_and_buckets_give_the_same_log(
    extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = built_events(extract, tmp_path / "one")
    monkeypatch.setattr("eventlogs.snds.build.LINES_PER_SLICE", 5_000)
    monkeypatch.setattr("eventlogs.snds.build.PERSONS_PER_BUCKET", 100)
    assert built_events(extract, tmp_path / "many").equals(whole)


def test_truth_is_never_read(extract: Path, tmp_path: Path) -> None:
    study = build(extract, tmp_path / "study", pathway="breast_cancer")
    assert not [name for name in study.manifest["source"]["sha256"] if "truth" in name]
