"""XES event logs (``.xes``, ``.xes.gz``): an input in the order of the document, and an export of a log.

What the standard has no name for is written under ``care:`` and read back: a log that was written reads as the same
events, patients and horizons. Withdrawn events are not in the file.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

import polars as pl

from eventlogs.errors import LogError, did_you_mean
from eventlogs.log import EVENT_COLUMNS, HORIZON_COLUMNS, PATIENT_COLUMNS, TIME, EventLog
from eventlogs.patient_level import NOTICE, keep_outside_released

OWN = "care:"
"""Prefix of the attributes that the standard has no name for."""

STANDARD = {
    "activity": "concept:name",
    "start": "time:timestamp",
    "facility": "org:group",
    **{
        name: OWN + name
        for name in EVENT_COLUMNS
        if name not in ("patient_id", "activity", "start", "facility", "rank", "tied")
    },
}
"""Event attribute read into, and written from, each canonical column unless the mapping says otherwise."""

PATIENT = {name: OWN + name for name in PATIENT_COLUMNS if name != "patient_id"}
"""Trace attribute of each column of the patients."""

HORIZON, HORIZON_OF_ALL = f"{OWN}observed_until:", f"{OWN}all_observed_until:"
"""Attribute, but for the source, that says until when one patient (of the trace), or all (of the log), was observed."""

_Row = tuple[str | None, ...]


@dataclass
class _Told:
    """What a document says beside its events: rows of patients and of horizons."""

    patients: list[_Row] = field(default_factory=list)
    horizons: list[_Row] = field(default_factory=list)


def read(path: Path, columns: Mapping[str, str] | None = None) -> EventLog:
    """Read an XES log; the document's order is the rank, and equal timestamps are flagged as ties.

    Parameters
    ----------
    path : pathlib.Path
        ``.xes`` or ``.xes.gz``.
    columns : mapping of str to str, optional
        Canonical column → event attribute, beside or instead of `STANDARD`; ``patient_id`` → trace attribute
        (default ``concept:name``). Times become naive UTC.

    Raises
    ------
    LogError
        The file is missing, damaged, or lacks a case name, an activity or a timestamp.
    """
    mapping = {"patient_id": "concept:name", **STANDARD, **(columns or {})}
    for canonical in mapping:
        if canonical not in EVENT_COLUMNS:
            raise LogError(f"the mapping names '{canonical}'{did_you_mean(canonical, EVENT_COLUMNS)}")
    if not path.is_file():
        raise LogError(f"{path} is not a file; give an .xes or .xes.gz file")
    told = _Told()
    try:
        rows = list(_rows(path, mapping, told))
    except (ElementTree.ParseError, OSError, EOFError) as error:
        raise LogError(
            f"{path.name} can't be read as XES: it is damaged or truncated; export it again"
        ) from error
    if not rows:
        raise LogError(f"{path.name} has no event; a log needs at least one")
    patients = _patients(told.patients, path.name) if told.patients else None
    horizons = _horizons(told.horizons, path.name) if told.horizons else None
    return EventLog.create(_frame(rows, list(mapping), path.name), patients, horizons, keep_order=True)


def _rows(path: Path, mapping: Mapping[str, str], told: _Told) -> Iterator[_Row]:
    """Yield the events; add to `told` what traces and log say beside them."""
    case, *wanted = mapping.values()
    with _open(path) as file:
        for _, element in ElementTree.iterparse(file, events=("end",)):
            if (key := element.get("key", "")).startswith(HORIZON_OF_ALL):
                told.horizons.append((None, key.removeprefix(HORIZON_OF_ALL) or None, element.get("value")))
            if _tag(element) != "trace":
                continue
            trace = _attributes(element)
            name = trace.get(case)
            _hear(told, name, {key: value for key, value in trace.items() if key.startswith(OWN)})
            for event in element:
                if _tag(event) == "event":
                    values = _attributes(event)
                    yield (name, *(values.get(key) for key in wanted))
            element.clear()


def _hear(told: _Told, name: str | None, said: Mapping[str, str]) -> None:
    """Add what a trace says of its patient."""
    if said:
        told.patients.append((name, *(said.get(key) for key in PATIENT.values())))
    for key, value in said.items():
        if key.startswith(HORIZON):
            told.horizons.append((name, key.removeprefix(HORIZON) or None, value))


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    return {child.attrib["key"]: child.attrib.get("value", "") for child in element if "key" in child.attrib}


def _frame(rows: list[_Row], names: list[str], file: str) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    for name in ("patient_id", "activity", "start"):
        if missing := frame[name].null_count():
            raise LogError(
                f"{file} has {missing} events without {name}; say which attribute holds it with --columns"
            )
    return _timed(frame, file).with_columns(
        pl.col("source").fill_null("xes"), pl.col("date_precision").fill_null("second")
    )


def _patients(rows: list[_Row], file: str) -> pl.DataFrame:
    names = ["patient_id", *PATIENT]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    flag = pl.col("vital_status_known").replace_strict({"true": True, "false": False}, default=None)
    return _timed(frame, file).with_columns(flag).unique("patient_id", keep="first", maintain_order=True)


def _horizons(rows: list[_Row], file: str) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=dict.fromkeys(HORIZON_COLUMNS, pl.String), orient="row")
    return _timed(frame, file)


def _timed(frame: pl.DataFrame, file: str) -> pl.DataFrame:
    """Read the columns that are times as naive UTC."""
    columns = {**HORIZON_COLUMNS, **PATIENT_COLUMNS, **EVENT_COLUMNS}
    return frame.with_columns(
        _times(frame[name], file) for name in frame.columns if columns[name] == TIME and frame[name].count()
    )


def _times(texts: pl.Series, file: str) -> pl.Series:
    try:
        times = [None if text is None else datetime.fromisoformat(text) for text in texts]
    except ValueError as error:
        raise LogError(
            f"{file} has a timestamp that is no ISO 8601 date; mend it or choose another attribute"
        ) from error
    naive = [time.astimezone(UTC).replace(tzinfo=None) if time and time.tzinfo else time for time in times]
    return pl.Series(texts.name, naive, dtype=TIME)


HEAD = f"""<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1.0" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
<classifier name="Activity" keys="concept:name"/>
<string key="{OWN}notice" value="{NOTICE}"/>
"""
PATIENTS_A_SLICE = 5_000
"""Patients whose text is in memory at once."""


def write(log: EventLog, path: Path) -> None:
    """Write a log as XES, in its order, in one move: all of it or nothing. It is patient-level.

    Parameters
    ----------
    log : EventLog
        Any log; its times are written as UTC, and patients without an event as empty traces.
    path : pathlib.Path
        ``.xes`` or ``.xes.gz``.

    Raises
    ------
    LogError
        The path ends otherwise, or can't be written.
    DisclosureRefused
        It is in a folder ``released``.
    """
    keep_outside_released(path, "an event log")
    if not path.name.endswith((".xes", ".xes.gz")):
        raise LogError(f"{path.name} does not end in .xes or .xes.gz; give a path that does")
    with _created(path) as file:
        file.write(HEAD.encode())
        of_all = log.horizons.filter(pl.col("patient_id").is_null()).select(_horizon(HORIZON_OF_ALL))
        file.writelines(f"{line}\n".encode() for line in of_all.to_series().drop_nulls())
        own = _own_horizons(log)
        for events, patients in _slices(log):
            known = patients.join(own, on="patient_id", how="left", maintain_order="left")
            file.writelines(trace.encode() for trace in _traces(events, known))
        file.write(b"</log>\n")


@contextmanager
def _created(path: Path) -> Iterator[IO[bytes]]:
    part = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        with part.open("wb") as raw:
            if path.suffix == ".gz":
                with gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield raw
        part.replace(path)
    except OSError as error:
        raise LogError(f"{path} can't be written ({error.strerror}); choose another place") from error
    finally:
        part.unlink(missing_ok=True)


def _slices(log: EventLog) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield the events and the rows of some patients at a time, in the order of the log."""
    patients, events = log.patients.sort("patient_id"), log.events
    ids = events["patient_id"]
    for first in range(0, patients.height, PATIENTS_A_SLICE):
        some = patients.slice(first, PATIENTS_A_SLICE)
        begin = int(ids.search_sorted(some["patient_id"][0], "left"))
        end = int(ids.search_sorted(some["patient_id"][-1], "right"))
        yield events.slice(begin, end - begin), some


def _own_horizons(log: EventLog) -> pl.DataFrame:
    """Return ``patient_id`` and ``horizons``, the elements of the patients that have horizons of their own."""
    own = log.horizons.filter(pl.col("patient_id").is_not_null())
    return own.group_by("patient_id", maintain_order=True).agg(horizons=_horizon(HORIZON).str.join(""))


def _horizon(prefix: str) -> pl.Expr:
    source = pl.col("source").fill_null("").str.replace_many(ESCAPES)
    return pl.format(f'<date key="{prefix}{{}}" value="{{}}"/>', source, _stamp(pl.col("observed_until")))


def _stamp(time: pl.Expr) -> pl.Expr:
    return time.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00")


def _traces(events: pl.DataFrame, patients: pl.DataFrame) -> pl.Series:
    inside = pl.concat_str(_attribute(key, name) for name, key in STANDARD.items())
    written = events.select("patient_id", event=pl.format("<event>{}</event>\n", inside))
    by_patient = written.group_by("patient_id").agg(pl.col("event").str.join(""))
    told = [
        _attribute("concept:name", "patient_id"),
        *(_attribute(key, name) for name, key in PATIENT.items()),
    ]
    traces = patients.join(by_patient, on="patient_id", how="left", maintain_order="left")
    body = pl.concat_str(*told, pl.col("horizons").fill_null(""), pl.lit("\n"), pl.col("event").fill_null(""))
    return traces.select(trace=pl.format("<trace>{}</trace>\n", body))["trace"]


ESCAPES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "\t": "&#9;",
    "\n": "&#10;",
    "\r": "&#13;",
    **{chr(code): "\ufffd" for code in range(32) if chr(code) not in "\t\n\r"},
}
"""How characters are written in an attribute; those that XML can't hold become U+FFFD."""

KINDS = {TIME: "date", pl.Boolean: "boolean", pl.Int64: "int", pl.Int32: "int", pl.Int8: "int"}
"""Element by type of column; text is a string."""


def _attribute(key: str, name: str) -> pl.Expr:
    """Return the element of one attribute, or nothing where the value is null."""
    dtype = {**PATIENT_COLUMNS, **EVENT_COLUMNS}[name]
    kind, value = KINDS.get(dtype, "string"), pl.col(name)
    if dtype == TIME:
        text = _stamp(value)
    elif kind == "string":
        text = value.str.replace_many(ESCAPES)
    else:
        text = value.cast(pl.String)
    return pl.format(f'<{kind} key="{key}" value="{{}}"/>', text).fill_null("")
