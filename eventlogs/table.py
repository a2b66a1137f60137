"""A ready event log in a table: CSV or Parquet, one row an event, with a column mapping.

A source is a file, or a folder with ``events.csv`` (or ``.parquet``), optionally ``patients.csv`` and
``extract.toml`` (``synthetic``, ``role``, ``feed``, ``[cutoff] all``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import polars as pl

from eventlogs.errors import LogError, did_you_mean
from eventlogs.log import EVENT_COLUMNS, HORIZON_COLUMNS, PATIENT_COLUMNS, EventLog, conform

SUFFIXES = (".csv", ".parquet")
COMPUTED = ("rank", "tied")
DATE_FORMATS = (
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
)
ZONED_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")


@dataclass(frozen=True)
class Source:
    """A ready log and what its folder says of it."""

    log: EventLog
    settings: Mapping[str, object] = field(default_factory=dict)


def read(path: Path, columns: Mapping[str, str] | None = None, within_day: tuple[str, ...] = ()) -> Source:
    """Read a log from a table.

    Parameters
    ----------
    path : pathlib.Path
        A CSV (``;``, ``,`` or tab; UTF-8 or Latin-1) or Parquet file, or a folder as said above.
    columns : mapping of str to str, optional
        Canonical name → name in the table (``{"patient_id": "case"}``); the others keep theirs.
    within_day : tuple of str
        Order of activities inside a day, from the definition.

    Raises
    ------
    LogError
        A file or column is missing, empty, or holds what can't be read.
    """
    events_path = _entry(path, "events") if path.is_dir() else path
    if events_path is None or not events_path.is_file():
        raise LogError(f"{path} has no event table; give a CSV or Parquet file, or a folder with events.csv")
    stated = settings(path) if path.is_dir() else {}
    events = _events(frame(events_path), dict(columns or {}), events_path.name)
    patients_path = _entry(path, "patients") if path.is_dir() else None
    patients = None if patients_path is None else _patients(frame(patients_path), events, patients_path.name)
    log = EventLog.create(events, patients, _horizons(events, stated), within_day=within_day)
    return Source(log, stated)


def _entry(folder: Path, stem: str) -> Path | None:
    return next(
        (folder / f"{stem}{suffix}" for suffix in SUFFIXES if (folder / f"{stem}{suffix}").is_file()), None
    )


def settings(folder: Path) -> dict[str, object]:
    """Return what ``extract.toml`` says; nothing where there is none."""
    path = folder / "extract.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except tomllib.TOMLDecodeError as error:
        raise LogError(f"{path} is not valid TOML: {error}; mend that line") from error


def frame(path: Path) -> pl.DataFrame:
    """Read a whole table; CSV values stay text, so that no case named NA and no leading zero is lost."""
    try:
        if path.suffix.lower() == ".parquet":
            return pl.read_parquet(path, glob=False)
        text = _decoded(path)
        mark = max(";,\t", key=text.split("\n", 1)[0].count)
        return pl.read_csv(text.encode(), separator=mark, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LogError(
            f"{path.name} can't be read: it is empty, truncated or no {path.suffix}; export it again"
        ) from error


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _events(frame: pl.DataFrame, columns: dict[str, str], name: str) -> pl.DataFrame:
    if frame.is_empty():
        raise LogError(f"{name} has no row; a log needs at least one event")
    for canonical, there in columns.items():
        if canonical not in EVENT_COLUMNS or canonical in COMPUTED:
            given = [name for name in EVENT_COLUMNS if name not in COMPUTED]
            raise LogError(f"the mapping names '{canonical}'{did_you_mean(canonical, given)}")
        if there not in frame.columns:
            raise LogError(f"{name} has no column '{there}'{did_you_mean(there, frame.columns)}")
    replaced = [
        canonical for canonical, there in columns.items() if canonical in frame.columns and canonical != there
    ]
    named = frame.drop(replaced).rename({there: canonical for canonical, there in columns.items()})
    for needed in ("patient_id", "activity", "start"):
        if needed not in named.columns:
            raise LogError(
                f"{name} has no column '{needed}'; found {', '.join(frame.columns[:12])}; "
                f"say which one it is with --columns {needed}=NAME"
            )
    kept = [column for column in EVENT_COLUMNS if column in named.columns and column not in COMPUTED]
    typed = named.select(_typed(named, column, EVENT_COLUMNS[column], name) for column in kept)
    return typed if "source" in kept else typed.with_columns(source=pl.lit("table"))


def _patients(frame: pl.DataFrame, events: pl.DataFrame, name: str) -> pl.DataFrame:
    if "patient_id" not in frame.columns:
        raise LogError(f"{name} has no column 'patient_id'; found {', '.join(frame.columns[:12])}; add it")
    kept = [column for column in PATIENT_COLUMNS if column in frame.columns]
    typed = frame.select(_typed(frame, column, PATIENT_COLUMNS[column], name) for column in kept)
    return events.select("patient_id").unique().join(typed, on="patient_id", how="full", coalesce=True)


def _typed(frame: pl.DataFrame, column: str, dtype: object, name: str) -> pl.Series:
    values = frame[column]
    if values.dtype == pl.String:
        values = values.str.strip_chars().replace("", None)
    if isinstance(dtype, pl.Datetime) and values.dtype.is_numeric():
        raise LogError(f"{name} has numbers in '{column}'; expected {_expected(dtype)}, write them as dates")
    if isinstance(dtype, pl.Datetime):
        read = times(values) if values.dtype == pl.String else values.cast(dtype, strict=False)
    else:
        read = values.cast(dtype, strict=False)  # type: ignore[arg-type]
    if lost := read.null_count() - values.null_count():
        raise LogError(
            f"{name} has {lost} values of '{column}' that can't be read; expected {_expected(dtype)}"
        )
    return read.alias(column)


def times(values: pl.Series) -> pl.Series:
    """Read text as times, in any of the known forms; those with a zone become UTC, what is no time is null."""
    text = pl.col("text")
    naive = [text.str.to_datetime(form, strict=False, time_unit="us") for form in DATE_FORMATS]
    zoned = [
        text.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC").dt.replace_time_zone(None)
        for form in ZONED_FORMATS
    ]
    return values.to_frame("text").select(pl.coalesce(*naive, *zoned)).to_series()


def _expected(dtype: object) -> str:
    if isinstance(dtype, pl.Datetime):
        return "dates such as 2023-01-31, 31/01/2023, 2023-01-31 14:05:00 or 2023-01-31T14:05:00+01:00"
    return "numbers" if dtype in (pl.Int64, pl.Int32, pl.Int8) else str(dtype)


def _horizons(events: pl.DataFrame, settings: Mapping[str, object]) -> pl.DataFrame | None:
    stated = settings.get("cutoff", {})
    until = stated.get("all") if isinstance(stated, dict) else None
    if not isinstance(until, date | datetime):
        return None
    rows = {"patient_id": [None], "source": ["all"], "observed_until": [until]}
    return conform(pl.DataFrame(rows), HORIZON_COLUMNS, "horizons")


def with_index(log: EventLog, index_activities: tuple[str, ...]) -> EventLog:
    """Fill the patients' index date and death from the events, where the table did not give them.

    Parameters
    ----------
    log : EventLog
        A ready log.
    index_activities : tuple of str
        The first of these is the index event; empty: the first event is.
    """
    anchors = (
        log.events.filter(pl.col("activity").is_in(index_activities)) if index_activities else log.events
    )
    index = anchors.group_by("patient_id").agg(first=pl.col("start").min())
    died = (
        log.events.filter(pl.col("activity") == "death")
        .group_by("patient_id")
        .agg(died_on=pl.col("start").min(), died_known=pl.col("known_from").min())
    )
    patients = (
        log.patients.join(index, on="patient_id", how="left")
        .join(died, on="patient_id", how="left")
        .with_columns(
            index_date=pl.coalesce("index_date", "first"),
            death_date=pl.coalesce("death_date", "died_on"),
            death_known_from=pl.coalesce("death_known_from", "died_known", "death_date"),
        )
        .drop("first", "died_on", "died_known")
        .sort("patient_id")
    )
    return EventLog(
        log.events,
        conform(patients, PATIENT_COLUMNS, "patients"),
        log.horizons,
        log.withdrawn,
        log.within_day,
    )
