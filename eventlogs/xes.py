"""XES event logs (``.xes``, ``.xes.gz``), in the order of the document."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

import polars as pl

from eventlogs.errors import LogError, did_you_mean
from eventlogs.log import EVENT_COLUMNS, EventLog

STANDARD = {"activity": "concept:name", "start": "time:timestamp", "facility": "org:group"}
"""Event attribute read into each canonical column unless the mapping says otherwise."""


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
    try:
        rows = list(_rows(path, mapping))
    except (ElementTree.ParseError, OSError, EOFError) as error:
        raise LogError(
            f"{path.name} can't be read as XES: it is damaged or truncated; export it again"
        ) from error
    if not rows:
        raise LogError(f"{path.name} has no event; a log needs at least one")
    return EventLog.create(_frame(rows, list(mapping), path.name), keep_order=True)


def _rows(path: Path, mapping: Mapping[str, str]) -> Iterator[tuple[str | None, ...]]:
    case, *wanted = mapping.values()
    with _open(path) as file:
        for _, element in ElementTree.iterparse(file, events=("end",)):
            if _tag(element) != "trace":
                continue
            name = _attributes(element).get(case)
            for event in element:
                if _tag(event) == "event":
                    values = _attributes(event)
                    yield (name, *(values.get(key) for key in wanted))
            element.clear()


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    return {child.attrib["key"]: child.attrib.get("value", "") for child in element if "key" in child.attrib}


def _frame(rows: list[tuple[str | None, ...]], names: list[str], file: str) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    for name in ("patient_id", "activity", "start"):
        if missing := frame[name].null_count():
            raise LogError(
                f"{file} has {missing} events without {name}; say which attribute holds it with --columns"
            )
    try:
        times = [datetime.fromisoformat(text) for text in frame["start"]]
    except ValueError as error:
        raise LogError(
            f"{file} has a timestamp that is no ISO 8601 date; mend it or choose another attribute"
        ) from error
    naive = [time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time for time in times]
    return frame.with_columns(
        start=pl.Series(naive, dtype=pl.Datetime("us")), source=pl.lit("xes"), date_precision=pl.lit("second")
    )
