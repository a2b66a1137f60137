"""OMOP CDM 5.x tables: a hospital warehouse as an input.

With a definition, clinical rows become the rows that `eventlogs.snds.patient` turns into events, so that cohort, order
inside a day, merges and origins are those of the SNDS. Without one, every row is an event named by its concept.

A folder holds one file a table (``person.parquet``, ``condition_occurrence.csv`` …, any case) and optionally
``extract.toml``: ``synthetic``, ``role``, ``feed``, ``[cutoff] all``, ``[vocabularies]`` (OMOP vocabulary → code
system of the definition, beside `coded.VOCABULARIES`; a vocabulary named as a code system is that system).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from eventlogs import coded, table
from eventlogs.activities import CODE_SYSTEMS, ActivityRules
from eventlogs.errors import ExtractError, did_you_mean
from eventlogs.log import HORIZON_COLUMNS, PATIENT_COLUMNS, TIME, EventLog, conform

SEX = {8507: "M", 8532: "F"}
"""Standard gender concepts."""

INPATIENT = (9201, 262)
"""Standard visit concepts: inpatient visit, emergency room and inpatient visit."""

PRINCIPAL = (32902, 32903, 32901)
"""Condition status: primary diagnosis, primary discharge diagnosis, primary admission diagnosis (recalled)."""


@dataclass(frozen=True)
class Domain:
    """One clinical table: how its columns are named, and in which code systems its raw values may be written."""

    table: str
    prefix: str
    spans: bool
    systems: tuple[str, ...]

    def column(self, part: str) -> str:
        """Return the name of ``start_date``, ``end_date``, ``concept_id`` … in this table."""
        if not self.spans and part.startswith("start_"):
            return f"{self.prefix}_{part.removeprefix('start_')}"
        return f"{self.prefix}_{part}"


DOMAINS = (
    Domain("condition_occurrence", "condition", True, ("CIM10",)),
    Domain("procedure_occurrence", "procedure", False, ("CCAM", "NGAP")),
    Domain("drug_exposure", "drug_exposure", True, ("CIP13", "UCD", "ATC")),
    Domain("measurement", "measurement", False, ("NABM",)),
    Domain("observation", "observation", False, ("GHM", "PEC")),
    Domain("device_exposure", "device_exposure", True, ("LPP",)),
)
"""Tables that hold care; the order in which a row's origins are listed."""

CONCEPTS = {"drug_exposure": "drug", "device_exposure": "device"}
"""Tables whose concept columns have another prefix than their dates."""

DETAIL: dict[str, Any] = {
    "row": pl.Int64, "domain": pl.String, "person_id": pl.String, "start": TIME, "end": TIME, "visit": pl.String,
    "concept": pl.String, "source_concept": pl.String, "value": pl.String, "status": pl.String, "quantity": pl.Float64,
}  # fmt: skip
"""Columns of clinical rows, whatever their table."""


@dataclass(frozen=True)
class Warehouse:
    """The tables of a folder, read lazily as text and typed where used.

    Parameters
    ----------
    folder : pathlib.Path
        One file a table.
    settings : mapping
        Content of ``extract.toml``.
    """

    folder: Path
    settings: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> Warehouse:
        """Open a folder.

        Raises
        ------
        ExtractError
            It is no folder, has no ``person`` table or no table of care.
        """
        if not folder.is_dir():
            raise ExtractError(f"{folder} is no folder; give the folder that holds the OMOP tables")
        opened = cls(folder, table.settings(folder))
        if not opened.has("person"):
            found = ", ".join(sorted(opened.paths)) or "no table"
            raise ExtractError(
                f"{folder} has no OMOP table person; found {found}; add person.parquet or person.csv"
            )
        if not any(opened.has(domain.table) for domain in DOMAINS):
            names = ", ".join(domain.table for domain in DOMAINS)
            raise ExtractError(f"{folder} has no OMOP table of care; add one of {names}")
        _ = opened.systems  # an unknown code system is told before anything is read
        return opened

    @cached_property
    def paths(self) -> dict[str, Path]:
        """File of each table, by its name in lower case."""
        return {
            path.stem.lower(): path
            for path in sorted(self.folder.iterdir())
            if path.suffix.lower() in table.SUFFIXES
        }

    @cached_property
    def systems(self) -> dict[str, str]:
        """Code system by OMOP vocabulary."""
        stated = self.settings.get("vocabularies", {})
        own = {str(k): str(v) for k, v in stated.items()} if isinstance(stated, dict) else {}
        for name in own.values():
            if name not in CODE_SYSTEMS:
                raise ExtractError(
                    f"{self.folder / 'extract.toml'}: [vocabularies] gives the code system '{name}'"
                    f"{did_you_mean(name, CODE_SYSTEMS)}"
                )
        return {**{name: name for name in CODE_SYSTEMS}, **coded.VOCABULARIES, **own}

    def has(self, name: str) -> bool:
        """Tell whether the table is there."""
        return name in self.paths

    def read(self, name: str, *columns: str, needed: Iterable[str] = ()) -> pl.DataFrame:
        """Return columns of a table as text (absent ones null; an absent table is empty).

        Raises
        ------
        ExtractError
            A needed column is absent.
        """
        if not self.has(name):
            return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
        frame = table.frame(self.paths[name]).rename(str.lower)
        for column in needed:
            if column not in frame.columns:
                raise ExtractError(
                    f"{self.paths[name].name} has no column {column}, which OMOP's {name} needs; "
                    f"found {', '.join(frame.columns[:8])}; add it"
                )
        return frame.select(
            pl.col(column).cast(pl.String).replace("", None) if column in frame.columns else _absent(column)
            for column in columns
        )

    def times(self, frame: pl.DataFrame, column: str, name: str) -> pl.Series:
        """Read a text column as times.

        Raises
        ------
        ExtractError
            A value is there and is no date.
        """
        read = table.times(frame[column])
        if lost := read.null_count() - frame[column].null_count():
            raise ExtractError(
                f"{name} has {lost} values of {column} that are no dates; write them as 2023-01-31"
            )
        return read


def _absent(column: str) -> pl.Expr:
    return pl.lit(None, dtype=pl.String).alias(column)


def read(folder: Path, rules: ActivityRules | None = None) -> table.Source:
    """Read a warehouse.

    Parameters
    ----------
    folder : pathlib.Path
        The tables.
    rules : ActivityRules, optional
        Of a definition: events are its activities, patients its cohort. Default: every clinical row is an event.

    Returns
    -------
    table.Source
        The log, and what ``extract.toml`` says. Care is known from the day it ends: CDM tables don't say when a row
        arrived, so a feed profile must be chosen where that matters.

    Raises
    ------
    ExtractError
        A table or column that is needed is missing, or a value can't be read.
    """
    warehouse = Warehouse.open(folder)
    details = clinical_rows(warehouse)
    if details.is_empty():
        raise ExtractError(f"{folder} has no dated clinical row; check the export")
    people = persons(warehouse)
    log = (
        everything(warehouse, details, people)
        if rules is None
        else by_rules(warehouse, details, people, rules)
    )
    return table.Source(log, warehouse.settings)


def clinical_rows(warehouse: Warehouse) -> pl.DataFrame:
    """Return every dated row of care of a person, in the columns of `DETAIL`."""
    parts = [_domain_rows(warehouse, domain) for domain in DOMAINS if warehouse.has(domain.table)]
    return (
        pl.concat([pl.DataFrame(schema=DETAIL).drop("row"), *parts])
        .filter(pl.col("person_id").is_not_null() & pl.col("start").is_not_null())
        .with_row_index("row")
        .select(pl.col(name).cast(dtype) for name, dtype in DETAIL.items())
    )


def _domain_rows(warehouse: Warehouse, domain: Domain) -> pl.DataFrame:
    concept = CONCEPTS.get(domain.table, domain.prefix)
    dates = [domain.column(part) for part in ("start_datetime", "start_date")]
    ends = [domain.column(part) for part in ("end_datetime", "end_date")] if domain.spans else []
    codes = [f"{concept}_concept_id", f"{concept}_source_concept_id", f"{concept}_source_value"]
    other = ["person_id", "visit_occurrence_id", "quantity", "condition_status_concept_id"]
    raw = warehouse.read(domain.table, *other, *codes, *dates, *ends, needed=("person_id", codes[0]))
    timed = raw.with_columns(warehouse.times(raw, name, domain.table).alias(name) for name in (*dates, *ends))
    none = pl.lit(None, dtype=TIME)
    return timed.select(
        pl.lit(domain.table).alias("domain"),
        "person_id",
        pl.coalesce(*dates).alias("start"),
        (pl.coalesce(*ends) if ends else none).alias("end"),
        pl.col("visit_occurrence_id").alias("visit"),
        *(
            pl.col(there).alias(name)
            for name, there in zip(("concept", "source_concept", "value"), codes, strict=True)
        ),
        pl.col("condition_status_concept_id").alias("status"),
        pl.col("quantity").cast(pl.Float64, strict=False),
    )


def persons(warehouse: Warehouse) -> pl.DataFrame:
    """Return one row a person, with what `patient.build` asks for, and ``observed_from``, ``observed_until``."""
    names = ("person_id", "gender_concept_id", "year_of_birth", "location_id")
    raw = warehouse.read("person", *names, needed=names[:2])
    known = raw.filter(pl.col("person_id").is_not_null()).unique(
        "person_id", keep="first", maintain_order=True
    )
    gender = pl.col("gender_concept_id").cast(pl.Int64, strict=False)
    return (
        known.join(_deaths(warehouse), on="person_id", how="left")
        .join(_territories(warehouse), on="location_id", how="left")
        .join(_observation(warehouse), on="person_id", how="left")
        .sort("person_id")
        .with_row_index("person")
        .select(
            pl.col("person").cast(pl.Int64),
            patient_id="person_id",
            sex=gender.replace_strict(SEX, default=None, return_dtype=pl.String),
            birth_year=pl.col("year_of_birth").cast(pl.Int32, strict=False),
            commune=pl.lit(None, dtype=pl.String),
            territory="territory",
            death_date=pl.col("death").cast(pl.Date),
            n_pseudonyms=pl.lit(1, dtype=pl.UInt32),
            deprivation=pl.lit(None, dtype=pl.Int8),
            excluded=pl.lit(None, dtype=pl.String),
            vital_status_known=pl.lit(True),
            observed_from="observed_from",
            observed_until="observed_until",
        )
    )


def _deaths(warehouse: Warehouse) -> pl.DataFrame:
    raw = warehouse.read("death", "person_id", "death_datetime", "death_date")
    days = raw.with_columns(
        warehouse.times(raw, name, "death").alias(name) for name in ("death_datetime", "death_date")
    )
    return days.group_by("person_id").agg(death=pl.coalesce("death_date", "death_datetime").min())


def _territories(warehouse: Warehouse) -> pl.DataFrame:
    """Return the département of each location: the first characters of a French postal code."""
    raw = (
        warehouse.read("location", "location_id", "zip")
        .drop_nulls("location_id")
        .unique("location_id", keep="first")
    )
    zipped = pl.col("zip").str.strip_chars()
    overseas = zipped.str.starts_with("97")
    found = pl.when(overseas).then(zipped.str.head(3)).otherwise(zipped.str.head(2))
    return raw.select("location_id", territory=pl.when(zipped.str.contains(r"^\d{5}$")).then(found))


def _observation(warehouse: Warehouse) -> pl.DataFrame:
    """Return the first and last day on which each person is observed."""
    names = ("observation_period_start_date", "observation_period_end_date")
    raw = warehouse.read("observation_period", "person_id", *names).drop_nulls("person_id")
    days = raw.with_columns(warehouse.times(raw, name, "observation_period").alias(name) for name in names)
    return days.group_by("person_id").agg(
        observed_from=pl.col(names[0]).min(), observed_until=pl.col(names[1]).max()
    )


def horizons(warehouse: Warehouse, people: pl.DataFrame, last: datetime) -> pl.DataFrame:
    """Return until when care is observed: the stated cut-off or the last care, and each person's own period."""
    stated = warehouse.settings.get("cutoff", {})
    cutoff = stated.get("all") if isinstance(stated, dict) else None
    general = pl.DataFrame(
        {
            "patient_id": [None],
            "source": ["omop"],
            "observed_until": [cutoff if isinstance(cutoff, date) else last],
        }
    )
    own = people.filter(pl.col("observed_until").is_not_null()).select(
        "patient_id", "observed_until", source=pl.lit("omop")
    )
    return pl.concat([conform(part, HORIZON_COLUMNS, "horizons") for part in (general, own)])


def _visits(warehouse: Warehouse) -> pl.DataFrame:
    """Return ``visit``, ``facility`` (the care site's own number, else its name) and what kind it is."""
    dates = ("visit_start_date", "visit_end_date")
    raw = warehouse.read(
        "visit_occurrence", "visit_occurrence_id", "visit_concept_id", "care_site_id", *dates
    )
    timed = raw.with_columns(warehouse.times(raw, name, "visit_occurrence").alias(name) for name in dates)
    sites = warehouse.read(
        "care_site", "care_site_id", "care_site_source_value", "care_site_name"
    ).drop_nulls("care_site_id")
    return (
        timed.drop_nulls("visit_occurrence_id")
        .unique("visit_occurrence_id", keep="first", maintain_order=True)
        .join(sites.unique("care_site_id", keep="first", maintain_order=True), on="care_site_id", how="left")
        .select(
            visit="visit_occurrence_id",
            facility=pl.coalesce("care_site_source_value", "care_site_name", "care_site_id"),
            inpatient=pl.col("visit_concept_id")
            .cast(pl.Int64, strict=False)
            .is_in(INPATIENT)
            .fill_null(False),
            entry=dates[0],
            leave=dates[1],
        )
    )


def _concepts(warehouse: Warehouse) -> pl.DataFrame:
    """Return ``concept``, ``name``, ``system`` (null where the definition has none), ``code``."""
    raw = warehouse.read("concept", "concept_id", "concept_name", "vocabulary_id", "concept_code")
    return (
        raw.drop_nulls("concept_id")
        .unique("concept_id", keep="first", maintain_order=True)
        .select(
            concept="concept_id",
            name="concept_name",
            system=pl.col("vocabulary_id").replace_strict(
                warehouse.systems, default=None, return_dtype=pl.String
            ),
            code="concept_code",
        )
    )


# --- without a definition -----------------------------------------------------------------------------------


def everything(warehouse: Warehouse, details: pl.DataFrame, people: pl.DataFrame) -> EventLog:
    """Return every clinical row as an event, named by its standard concept, else by its raw value; deaths too."""
    named = (
        details.join(_concepts(warehouse), on="concept", how="left")
        .join(_visits(warehouse), on="visit", how="left")
        .with_columns(
            activity=pl.coalesce(
                "name", pl.concat_str("domain", pl.lit(": "), pl.col("value").fill_null("?"))
            )
        )
    )
    care = named.select(
        "activity", "start", "facility",
        patient_id="person_id", end="end", source=pl.lit("omop.") + pl.col("domain"), code="value",
        quantity=pl.col("quantity").cast(pl.Int64, strict=False), date_precision=_precision(),
        known_from=pl.max_horizontal("start", "end"),
    )  # fmt: skip
    died = people.drop_nulls("death_date").select(
        "patient_id", activity=pl.lit("death"), start=pl.col("death_date").cast(TIME), source=pl.lit("omop.death"),
        date_precision=pl.lit("day"),
    )  # fmt: skip
    events = pl.concat([care, died], how="diagonal").join(people, on="patient_id", how="semi")
    columns = [name for name in PATIENT_COLUMNS if name in people.columns and name != "observed_until"]
    patients = people.select(pl.col(name).cast(PATIENT_COLUMNS[name]) for name in columns)
    return EventLog.create(events, patients, horizons(warehouse, people, _last(details)))


def _precision() -> pl.Expr:
    midnight = (
        (pl.col("start").dt.hour() == 0)
        & (pl.col("start").dt.minute() == 0)
        & (pl.col("start").dt.second() == 0)
    )
    return pl.when(midnight).then(pl.lit("day")).otherwise(pl.lit("second"))


def _last(details: pl.DataFrame) -> datetime:
    value = details["start"].max()
    assert isinstance(value, datetime)
    return value


# --- by a definition ----------------------------------------------------------------------------------------


def by_rules(
    warehouse: Warehouse, details: pl.DataFrame, people: pl.DataFrame, rules: ActivityRules
) -> EventLog:
    """Return the log that a definition asks for, built by the same kernel as an SNDS extract's."""
    care = details.join(_visits(warehouse), on="visit", how="left").with_columns(
        source=pl.lit("omop.") + pl.col("domain")
    )
    return coded.build(
        care, candidates(warehouse, details), people, horizons(warehouse, people, _last(details)), rules
    )


def candidates(warehouse: Warehouse, details: pl.DataFrame) -> pl.DataFrame:
    """Return the codes that each row may stand for, in the columns of `coded.CODES`.

    Their order: the source concept, the raw value (in each system of its table), the standard concept, the ATC class
    above it.
    """
    concepts = _concepts(warehouse).drop_nulls("system").select("concept", "system", "code")
    systems = pl.DataFrame([{"domain": d.table, "system": s} for d in DOMAINS for s in d.systems])
    atc = (
        warehouse.read("concept_ancestor", "ancestor_concept_id", "descendant_concept_id")
        .rename({"descendant_concept_id": "concept"})
        .join(concepts.filter(pl.col("system") == "ATC"), left_on="ancestor_concept_id", right_on="concept")
    )
    status = pl.col("status").cast(pl.Int64, strict=False)
    rows = details.with_columns(principal=status.is_in(PRINCIPAL) | status.is_null() | (status == 0))
    parts = [
        rows.join(concepts, left_on="source_concept", right_on="concept"),
        rows.drop_nulls("value").join(systems, on="domain").with_columns(code="value"),
        rows.join(concepts, on="concept"),
        rows.join(atc, on="concept"),
    ]
    return pl.concat(
        part.select("row", pl.lit(place, dtype=pl.Int64).alias("place"), "system", "code", "principal")
        for place, part in enumerate(parts)
    )
