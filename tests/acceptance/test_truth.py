"""The built log against the planted truth of a synthetic extract, event for event, and against shuffled rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from eventlogs.snds.traps import TRAPS as KNOWN_TRAPS
from eventlogs.synthetic import CANCERS, TRAPS, synthesise
from eventlogs.synthetic.quirks import NATURAL
from pathways.steps import build
from pathways.study import Study

KEY = ["patient_id", "activity", "start"]


COUNTED_ALIKE = [
    "policy_holder", "shared_pseudonym", "fictitious_number", "chaining_error", "double_facility", "grouping_error",
    "special_stay", "provider_stay", "sessions_kept", "information_line", "public_leak", "majoration", "month_only",
    "cip_lengths", "misread_acts",
]  # fmt: skip
"""Traps whose count by the readers is that of the rows, stays or patients in the tables."""


@pytest.fixture(scope="module", params=list(CANCERS))
def cancer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def extract(cancer: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("truth") / "extract"
    synthesise(out, patients=800, seed=3, cancer=cancer)
    return out


@pytest.fixture(scope="module")
def small(cancer: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("truth") / "small"
    synthesise(out, patients=250, seed=5, cancer=cancer)
    return out


@pytest.fixture(scope="module")
def small_study(small: Path, cancer: str, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return build(small, tmp_path_factory.mktemp("truth") / "study", pathway=f"{cancer}_cancer")


def built_events(extract: Path, out: Path, cancer: str) -> pl.DataFrame:
    return build(extract, out, pathway=f"{cancer}_cancer").log().events


def assert_log_equals_truth(extract: Path, out: Path, cancer: str) -> None:
    events = built_events(extract, out, cancer).with_columns(pl.col("start").dt.date())
    truth = pl.read_parquet(extract / "truth" / "events.parquet").filter("observable")
    assert dict(truth.join(events, on=KEY, how="anti")["activity"].value_counts().iter_rows()) == {}
    assert dict(events.join(truth, on=KEY, how="anti")["activity"].value_counts().iter_rows()) == {}
    assert events.select(KEY).sort(KEY).equals(truth.select(KEY).sort(KEY))


def test_log_equals_the_planted_truth(extract: Path, cancer: str, tmp_path: Path) -> None:
    assert_log_equals_truth(extract, tmp_path / "study", cancer)


def test_log_equals_the_truth_of_clean_tables(cancer: str, tmp_path: Path) -> None:
    synthesise(tmp_path / "extract", patients=400, seed=3, cancer=cancer, quirks="none")
    assert_log_equals_truth(tmp_path / "extract", tmp_path / "study", cancer)


@pytest.mark.parametrize("trap", [trap for trap in TRAPS if trap not in NATURAL])
def test_every_trap_alone(trap: str, tmp_path: Path) -> None:
    synthesise(tmp_path / "extract", patients=250, seed=3, quirks=[trap])
    assert_log_equals_truth(tmp_path / "extract", tmp_path / "study", "breast")


def test_the_readers_count_what_was_planted(small: Path, small_study: Study) -> None:
    counts = small_study.manifest["counts"]
    truth = pl.read_parquet(small / "truth" / "traps.parquet").filter(pl.col("trap").is_in(COUNTED_ALIKE))
    assert {trap: counts[f"trap.{trap}"] for trap in COUNTED_ALIKE} == dict(
        truth.select("trap", "planted").iter_rows()
    )


def test_the_generator_plants_the_traps_that_the_readers_know() -> None:
    assert tuple(KNOWN_TRAPS) == TRAPS


def test_row_order_and_format_change_nothing(
    small: Path, small_study: Study, cancer: str, tmp_path: Path
) -> None:
    shuffled = tmp_path / "shuffled"
    shuffled.mkdir()
    for path in small.glob("*.parquet"):
        table = pl.read_parquet(path).sample(fraction=1.0, shuffle=True, seed=1)
        table.write_csv(shuffled / f"{path.stem}.csv", separator=";", date_format="%d/%m/%Y")
    for name in ("extract.toml", "deprivation.csv"):
        (shuffled / name).write_bytes((small / name).read_bytes())
    other = build(shuffled, tmp_path / "two", pathway=f"{cancer}_cancer")
    first, second = small_study.log(), other.log()
    assert first.events.equals(second.events)
    assert first.patients.equals(second.patients)
    assert first.withdrawn.equals(second.withdrawn)
    assert small_study.origins().collect().equals(other.origins().collect())
    assert small_study.attrition().equals(other.attrition())


def test_many_slices_and_buckets_give_the_same_log(
    small: Path, small_study: Study, cancer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventlogs.snds.build.LINES_PER_SLICE", 5_000)
    monkeypatch.setattr("eventlogs.snds.build.PERSONS_PER_BUCKET", 100)
    assert built_events(small, tmp_path / "many", cancer).equals(small_study.log().events)


def test_truth_is_never_read(small_study: Study) -> None:
    assert not [name for name in small_study.manifest["source"]["sha256"] if "truth" in name]


def test_each_event_lists_its_rows(small_study: Study) -> None:
    events, origins = small_study.log().events, small_study.origins().collect()
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
    chosen = small_study.origins_of(some)
    assert chosen.equals(origins.join(some, on=key, how="semi", maintain_order="left"))
    counts = small_study.manifest["counts"]
    steps = small_study.attrition()
    assert steps["persons"].to_list()[0] == counts["persons"]
    assert steps["persons"].to_list()[-1] == counts["patients"]
    assert steps["persons"].diff().drop_nulls().to_list() == [-n for n in steps["excluded"].to_list()[1:]]
