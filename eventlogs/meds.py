"""MEDS (Medical Event Data Standard 0.4): an input, and an export of a log.

A data set is a folder with ``data/**/*.parquet`` (``subject_id``, ``time``, ``code`` …) and ``metadata/``. Codes are
written ``SYSTEM//code``. An export has more columns than the standard asks for (`EXTRA`): reading it again gives
the same log.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from eventlogs import coded, table
from eventlogs.activities import ActivityRules
from eventlogs.errors import ExtractError
from eventlogs.log import HORIZON_COLUMNS, PATIENT_COLUMNS, TIME, EventLog, conform
from eventlogs.patient_level import keep_outside_released

BIRTH, DEATH, SEX, ACTIVITY = "MEDS_BIRTH", "MEDS_DEATH", "GENDER", "ACTIVITY"
"""Codes of the standard, and the systems of what has no code: ``GENDER//F``, ``ACTIVITY//hospital_stay``."""

MEDS_VERSION = "0.4.1"
"""Version of the standard that exports follow."""

EXTRA = ("activity", "end", "source", "facility", "quantity", "date_precision", "known_from")
"""Columns of an export beyond the standard's."""

MALE, FEMALE = ("M", "MALE", "8507"), ("F", "FEMALE", "8532")


def read(folder: Path, rules: ActivityRules | None = None) -> table.Source:
    """Read a MEDS data set.

    Parameters
    ----------
    folder : pathlib.Path
        The folder that holds ``data``.
    rules : ActivityRules, optional
        Of a definition: codes become its activities. Default: activities are those of the ``activity`` column where
        there is one, else the codes.

    Returns
    -------
    table.Source
        The log, and what ``extract.toml`` says. Subjects keep their numbers, as text.

    Raises
    ------
    ExtractError
        There is no data file, a column is missing or of the wrong type, or nothing has a time.
    """
    facts, settings = _facts(folder), table.settings(folder)
    subjects = _subjects(facts)
    dated = facts.filter(pl.col("time").is_not_null(), pl.col("code") != BIRTH)
    if dated.is_empty():
        raise ExtractError(f"{folder} has no dated code but births; check the export")
    if rules is None or "activity" in facts.columns:
        return table.Source(_ready(dated, subjects, settings, rules), settings)
    care = dated.filter(pl.col("code") != DEATH)
    return table.Source(_by_rules(care, subjects, settings, rules), settings)


def _facts(folder: Path) -> pl.DataFrame:
    parts = sorted((folder / "data").rglob("*.parquet")) if (folder / "data").is_dir() else []
    if not parts:
        raise ExtractError(f"{folder} has no data/*.parquet; give the folder of a MEDS data set")
    needed = {"subject_id": pl.Int64(), "time": TIME, "code": pl.String()}
    try:
        frames = [pl.read_parquet(part, glob=False) for part in parts]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ExtractError(
            f"a file of {folder / 'data'} can't be read: it is truncated or damaged"
        ) from error
    facts = pl.concat(frames, how="diagonal_relaxed")
    for name, dtype in needed.items():
        if facts.schema.get(name) != dtype:
            raise ExtractError(
                f"{folder / 'data'} has {name} as {facts.schema.get(name)}; MEDS asks for {dtype}"
            )
    return facts.with_row_index("row").with_columns(
        pl.col("row").cast(pl.Int64), patient_id=pl.col("subject_id").cast(pl.String)
    )


def _subjects(facts: pl.DataFrame) -> pl.DataFrame:
    """Return one row a subject, with what `patient.build` asks for."""
    parts = pl.col("code").str.to_uppercase().str.split("//")
    gender = pl.when(parts.list.first() == SEX).then(parts.list.last())
    return (
        facts.group_by("patient_id")
        .agg(
            birth_year=pl.col("time").filter(pl.col("code") == BIRTH).min().dt.year(),
            death_date=pl.col("time").filter(pl.col("code") == DEATH).min().dt.date(),
            sex=pl.when(gender.is_in(MALE))
            .then(pl.lit("M"))
            .when(gender.is_in(FEMALE))
            .then(pl.lit("F"))
            .drop_nulls()
            .first(),
        )
        .sort("patient_id")
        .with_row_index("person")
        .with_columns(
            pl.col("person").cast(pl.Int64),
            *(pl.lit(None, dtype=pl.String).alias(name) for name in ("commune", "territory", "excluded")),
            n_pseudonyms=pl.lit(1, dtype=pl.UInt32),
            deprivation=pl.lit(None, dtype=pl.Int8),
            vital_status_known=pl.lit(True),
        )
    )


def _horizons(dated: pl.DataFrame, settings: dict[str, object]) -> pl.DataFrame:
    stated = settings.get("cutoff", {})
    cutoff = stated.get("all") if isinstance(stated, dict) else None
    until = dated["time"].max() if cutoff is None else cutoff
    return conform(
        pl.DataFrame({"patient_id": [None], "source": ["meds"], "observed_until": [until]}),
        HORIZON_COLUMNS,
        "horizons",
    )


def _ready(
    dated: pl.DataFrame, subjects: pl.DataFrame, settings: dict[str, object], rules: ActivityRules | None
) -> EventLog:
    """Events as they stand: an export of ours, or codes as activities."""
    own = [name for name in EXTRA if name in dated.columns]
    died = pl.col("code") == DEATH
    named = pl.when(died).then(pl.lit("death")).otherwise("code").alias("activity")
    split = pl.col("code").str.split_exact("//", 1)
    system, code = split.struct.field("field_0"), split.struct.field("field_1")
    coded_ = code.is_not_null() & (system != ACTIVITY)
    events = dated.select(
        "patient_id",
        *own,
        *([] if "activity" in own else [named]),
        *([] if "source" in own else [pl.lit("meds").alias("source")]),
        pl.col("time").alias("start"),
        code_system=pl.when(coded_).then(system),
        code=pl.when(coded_).then(code),
    )
    columns = [name for name in PATIENT_COLUMNS if name in subjects.columns]
    patients = subjects.select(pl.col(name).cast(PATIENT_COLUMNS[name]) for name in columns)
    within_day = rules.within_day if rules else ()
    return EventLog.create(events, patients, _horizons(dated, settings), within_day=within_day)


def _by_rules(
    care: pl.DataFrame, subjects: pl.DataFrame, settings: dict[str, object], rules: ActivityRules
) -> EventLog:
    split = pl.col("code").str.split_exact("//", 1)
    codes = care.select(
        "row",
        place=pl.lit(0, dtype=pl.Int64),
        system=split.struct.field("field_0").str.to_uppercase().replace(coded.VOCABULARIES),
        code=split.struct.field("field_1"),
        principal=pl.lit(True),
    ).drop_nulls("code")
    nothing: dict[str, Any] = {
        "end": TIME,
        "visit": pl.String,
        "facility": pl.String,
        "entry": TIME,
        "leave": TIME,
        "inpatient": pl.Boolean,
    }
    absent = [
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in nothing.items() if name not in care.columns
    ]
    facts = care.with_columns(
        *absent,
        pl.col("time").alias("start"),
        pl.col("patient_id").alias("person_id"),
        source=pl.lit("meds"),
        quantity=pl.lit(1.0)
        if "numeric_value" not in care.columns
        else pl.col("numeric_value").cast(pl.Float64),
    )
    return coded.build(facts, codes, subjects, _horizons(care, settings), rules)


def write(log: EventLog, out: Path) -> None:
    """Write a log as a MEDS data set.

    Subjects are numbered in the order of ``patient_id``; the pseudonyms are not written. The data are patient-level all
    the same: they stay where the log may be.

    Parameters
    ----------
    log : EventLog
        Any log.
    out : pathlib.Path
        A folder that is not there yet, or empty.

    Raises
    ------
    ExtractError
        The folder holds something.
    DisclosureRefused
        It is in a folder ``released``.
    """
    keep_outside_released(out, "a MEDS data set")
    if out.exists() and any(out.iterdir()):
        raise ExtractError(f"{out} is there and not empty; give a new folder")
    (out / "data").mkdir(parents=True, exist_ok=True)
    (out / "metadata").mkdir(exist_ok=True)
    facts = _as_facts(log, _numbered(log.patients))
    _store(facts, out / "data" / "0.parquet")
    _store(_codes(facts), out / "metadata" / "codes.parquet")
    (out / "metadata" / "dataset.json").write_text(json.dumps(_dataset()), encoding="utf-8")


def _store(frame: pl.DataFrame, path: Path) -> None:
    """Write a file whose text columns have the Arrow type that the standard asks for."""
    found = frame.to_arrow()
    pq.write_table(found.cast(pa.schema([(field.name, _plain(field.type)) for field in found.schema])), path)


def _plain(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_large_list(dtype):
        return pa.list_(_plain(dtype.value_type))
    return pa.string() if pa.types.is_large_string(dtype) else dtype


def _numbered(patients: pl.DataFrame) -> pl.DataFrame:
    """Give each patient a number; all have as many digits, so that they sort as text too."""
    first = 10 ** len(str(patients.height))
    return patients.select(
        "patient_id", "birth_year", "sex", "death_date", subject_id=pl.int_range(pl.len()) + first
    )


def _as_facts(log: EventLog, subjects: pl.DataFrame) -> pl.DataFrame:
    born = subjects.drop_nulls("birth_year").select(
        "subject_id", time=pl.date("birth_year", 1, 1).cast(TIME), code=pl.lit(BIRTH), place=pl.lit(0)
    )
    gender = subjects.drop_nulls("sex").select(
        "subject_id", time=pl.lit(None, dtype=TIME), code=pl.lit(f"{SEX}//") + pl.col("sex"), place=pl.lit(0)
    )
    name = pl.when(pl.col("activity") == "death").then(pl.lit(DEATH)).otherwise(_code())
    told = log.events.join(subjects, on="patient_id").select(
        "subject_id", "rank", *EXTRA, time="start", code=name, place=pl.lit(1)
    )
    whole = pl.concat([gender, born, told], how="diagonal").sort(
        "subject_id", "place", "time", "rank", nulls_last=False, maintain_order=True
    )
    return whole.select(
        "subject_id", "time", "code", pl.col("quantity").cast(pl.Float32).alias("numeric_value"), *EXTRA
    )


def _code() -> pl.Expr:
    """``SYSTEM//code`` where the event has a code, else ``ACTIVITY//activity``."""
    known = pl.concat_str("code_system", pl.lit("//"), "code")
    return pl.coalesce(known, pl.concat_str(pl.lit(f"{ACTIVITY}//"), "activity"))


def _codes(facts: pl.DataFrame) -> pl.DataFrame:
    """Return the codes that occur, each with the activity it stood for as its description."""
    return (
        facts.group_by("code")
        .agg(description=pl.col("activity").drop_nulls().min())
        .sort("code")
        .with_columns(parent_codes=pl.lit([], dtype=pl.List(pl.String)))
    )


def _dataset() -> dict[str, str | list[str]]:
    return {
        "dataset_name": "care-pathways event log",
        "etl_name": "care-pathways",
        "etl_version": version("care-pathways"),
        "meds_version": MEDS_VERSION,
        "site_id_columns": ["facility"],
        "other_extension_columns": [name for name in EXTRA if name != "facility"],
    }
