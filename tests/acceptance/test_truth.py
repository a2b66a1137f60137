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
    study_one = build(extract, tmp_path / "one", pathway="breast_cancer")
    study_two = build(shuffled, tmp_path / "two", pathway="breast_cancer")
    first, second = study_one.log(), study_two.log()
    assert first.events.equals(second.events)
    assert first.patients.equals(second.patients)
    assert first.withdrawn.equals(second.withdrawn)
    assert study_one.origins().collect().equals(study_two.origins().collect())
    assert study_one.attrition().equals(study_two.attrition())


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


def test_every_event_lists_its_rows(extract: Path, tmp_path: Path) -> None:
    study = build(extract, tmp_path / "study", pathway="breast_cancer")
    events, origins = study.log().events, study.origins().collect()
    key = ["patient_id", "rank"]
    assert events.join(origins, on=key, how="anti").is_empty()
    assert origins.join(events, on=key, how="anti").is_empty()
    assert origins.select(key).equals(origins.select(key).sort(key))
    assert origins.select("source", "key", "code").null_count().row(0)[:2] == (0, 0)
    coded = events.filter(pl.col("code").is_not_null()).select(*key, "source", "code")
    assert coded.join(origins, on=[*key, "source", "code"], how="anti").is_empty(), (
        "told by a row of its source"
    )
    some = events.sample(50, seed=1)
    chosen = study.origins_of(some)
    assert chosen.equals(origins.join(some, on=key, how="semi", maintain_order="left"))
    counts = study.manifest["counts"]
    steps = study.attrition()
    assert steps["persons"].to_list()[0] == counts["persons"]
    assert steps["persons"].to_list()[-1] == counts["patients"]
    assert steps["persons"].diff().drop_nulls().to_list() == [-n for n in steps["excluded"].to_list()[1:]]
