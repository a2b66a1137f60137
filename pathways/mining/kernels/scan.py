"""Parquet files as a log, read slice by slice: larger than memory, in order or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from eventlogs.errors import LogError, did_you_mean
from eventlogs.log import PATIENT_COLUMNS, conform, empty
from pathways.mining.kernels.arrow import integers, series
from pathways.mining.kernels.packing import MEMORY_EVENTS, Rows, Sorter
from pathways.mining.kernels.people import People
from pathways.mining.kernels.sequences import DAY_US, SLICE_EVENTS, Flags, Integers, Sequences, code_type

COLUMNS = {name: name for name in ("patient_id", "activity", "start", "rank")}
"""The columns that a scan reads, under our names."""


@dataclass(frozen=True)
class EventScan:
    """Events in Parquet files, read by the kernels as they need them.

    Parameters
    ----------
    paths : tuple of pathlib.Path
        The files.
    is_sorted : bool
        Whether patients are whole and their events in order, as in a study's ``events/``: then ``rank`` is read,
        which is 0 where a patient begins. Else rows are sorted by patient, start, `within_day` and activity.
    columns : mapping of str to str
        Our column (``patient_id``, ``activity``, ``start``, ``rank``) → the files' column.
    within_day : tuple of str
        Order of activities inside one timestamp, for files that are not sorted; others follow, by name.
    patients : polars.DataFrame
        `eventlogs.log.PATIENT_COLUMNS`: index dates and strata; of some patients or none.
    slice_events : int
        Events of a slice. A patient is never cut: a slice may hold one with more.
    memory_events : int
        Files that are not sorted and hold more events than this are first scattered by patient to temporary
        files, each of about so many events: 8 to 24 bytes an event are held.

    Notes
    -----
    Open one with `EventScan.open` or `pathways.study.Study.scan`. Rows of the same patient, start and activity can't
    be told apart by the kernels. Two text identifiers are taken for one if two 64-bit hashes of both agree.
    """

    paths: tuple[Path, ...]
    is_sorted: bool = False
    columns: Mapping[str, str] = field(default_factory=lambda: COLUMNS)
    within_day: tuple[str, ...] = ()
    patients: pl.DataFrame = field(default_factory=lambda: empty(PATIENT_COLUMNS), repr=False)
    slice_events: int = SLICE_EVENTS
    memory_events: int = MEMORY_EVENTS

    @classmethod
    def open(
        cls,
        paths: str | Path | Iterable[str | Path],
        *,
        is_sorted: bool = False,
        columns: Mapping[str, str] | None = None,
        within_day: Sequence[str] = (),
        patients: pl.DataFrame | None = None,
        **sizes: int,
    ) -> EventScan:
        """Open files, or the Parquet files of a folder, and check their columns.

        Parameters
        ----------
        paths : path or iterable of path
            Files, or one folder.
        is_sorted, columns, within_day, patients
            As the class; `columns` names those that differ.
        **sizes : int
            ``slice_events``, ``memory_events``.

        Raises
        ------
        LogError
            There is no file, it is no Parquet, or a column is absent or of a type that can't be used.
        """
        known = empty(PATIENT_COLUMNS) if patients is None else conform(patients, PATIENT_COLUMNS, "patients")
        scan = cls(
            paths=_files(paths),
            is_sorted=is_sorted,
            columns=COLUMNS | dict(columns or {}),
            within_day=tuple(within_day),
            patients=known,
            **sizes,
        )
        for path in scan.paths:
            scan._check(path)
        return scan

    def _check(self, path: Path) -> None:
        schema = _opened(path).schema_arrow
        needed = list(COLUMNS) if self.is_sorted else [name for name in COLUMNS if name != "rank"]
        for name in needed:
            theirs = self.columns[name]
            if theirs not in schema.names:
                raise LogError(f"{path} has no column '{theirs}'{did_you_mean(theirs, schema.names)}")
            kind = schema.field(theirs).type
            if not _USABLE[name](kind):
                raise LogError(f"{path}: column '{theirs}' is of type {kind}; give {_WANTED[name]}")

    @property
    def n_events(self) -> int:
        """Number of events."""
        return sum(_opened(path).metadata.num_rows for path in self.paths)

    @cached_property
    def activities(self) -> list[str]:
        """Names of all activities, sorted."""
        return self.values(self.columns["activity"])

    def values(self, column: str) -> list[str]:
        """Return the distinct values of a column of the files, as sorted text, nulls left out.

        Raises
        ------
        LogError
            There is no such column.
        """
        found: set[Any] = set()
        for batch in self.batches([column], [column]):
            array = batch.column(0)
            if pa.types.is_dictionary(array.type):
                found |= set(array.dictionary.to_pylist())
            elif pa.types.is_integer(array.type) and not array.null_count:
                found |= set(np.unique(integers(array)).tolist())
            else:
                found |= set(series(array).unique().to_list())
        return sorted({str(value) for value in found if value is not None})

    def batches(self, columns: Sequence[str], as_codes: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
        """Yield rows of the files, in their order; text columns `as_codes` come dictionary-encoded."""
        for path in self.paths:
            known = _opened(path).schema_arrow.names
            if absent := [column for column in columns if column not in known]:
                raise LogError(f"{path} has no column '{absent[0]}'{did_you_mean(absent[0], known)}")
            file = _opened(path, [column for column in as_codes if column in known])
            try:
                for group in range(file.num_row_groups):
                    yield from self._group(file, group, list(columns))
            except (pa.ArrowException, OSError) as error:
                raise LogError(f"{path} is damaged; write it again") from error

    def _group(self, file: pq.ParquetFile, group: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Yield one row group: at once where it is small, which costs least, else in slices."""
        if file.metadata.row_group(group).num_rows <= self.slice_events:
            yield from file.read_row_group(group, columns=columns, use_threads=False).to_batches()
        else:
            yield from file.iter_batches(
                self.slice_events, row_groups=[group], columns=columns, use_threads=False
            )

    def slices(self, *, start: bool = True, ids: bool = False, by: str | None = None) -> Iterator[Sequences]:
        """Yield slices of whole patients, in order.

        Parameters
        ----------
        start, ids : bool
            With times, with the patients' identifiers; else these are empty.
        by : str, optional
            With the strata of this column of the files: codes in the order of `values`, nulls last.
        """
        strata = None if by is None else {name: place for place, name in enumerate(self.values(by))}
        found = self._in_file_order(start, ids, by, strata) if self.is_sorted else self._resorted(by, strata)
        for seq in found:
            yield replace(seq, patients=self.patients.select("patient_id", "index_date"))

    def _resorted(self, by: str | None, strata: Mapping[str, int] | None) -> Iterator[Sequences]:
        people = People()
        sorter = Sorter(self.activities, self.within_day, people.names, self.slice_events, self.memory_events)
        yield from sorter.slices(self._rows(people, by, strata), self.n_events)

    def _rows(self, people: People, by: str | None, strata: Mapping[str, int] | None) -> Iterator[Rows]:
        for batch in self._read(("patient_id", "start", "activity"), by):
            yield Rows(
                patient=people.codes(batch["patient_id"]),
                start=_microseconds(batch["start"]),
                activity=_coded(batch["activity"], self._places),
                stratum=None if by is None or strata is None else _coded(batch[by], strata),
            )

    def _in_file_order(
        self, start: bool, ids: bool, by: str | None, strata: Mapping[str, int] | None
    ) -> Iterator[Sequences]:
        names = ["activity", "rank", *(["start"] if start else []), *(["patient_id"] if ids else [])]
        waiting = Waiting(self.activities)
        for batch in self._read(names, by):
            begins = integers(batch["rank"]) == 0
            waiting.add(
                begins,
                {
                    "activity": _coded(batch["activity"], self._places),
                    "start_us": _microseconds(batch["start"]) if start else np.zeros(0, dtype=np.int64),
                    "stratum": None if by is None or strata is None else _coded(batch[by], strata),
                },
                _first_ids(batch["patient_id"], begins) if ids else None,
            )
            yield from waiting.whole()
        yield from waiting.rest()

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.activities)}

    def _read(self, names: Sequence[str], by: str | None) -> Iterator[dict[str, pa.Array]]:
        """Yield the columns of each batch under our names, filled, and that of the strata."""
        theirs = [self.columns[name] for name in names]
        wanted = list(dict.fromkeys([*theirs, *([by] if by is not None else [])]))
        text = [self.columns["activity"], *([self.columns["patient_id"]] if self.is_sorted else [])]
        for batch in self.batches(wanted, [*text, *([by] if by is not None else [])]):
            columns = {name: batch.column(self.columns[name]) for name in names}
            for name, column in columns.items():
                if column.null_count:
                    n = column.null_count
                    raise LogError(
                        f"{n} of {batch.num_rows} events have no '{name}'; drop or mend those rows"
                    )
            yield columns if by is None else {**columns, by: batch.column(by)}

    def __repr__(self) -> str:
        order = "sorted" if self.is_sorted else "unsorted"
        return f"EventScan({len(self.paths)} files, {self.n_events} events, {order})"


def _files(paths: str | Path | Iterable[str | Path]) -> tuple[Path, ...]:
    given = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    files = [file for path in given for file in (sorted(path.glob("*.parquet")) if path.is_dir() else [path])]
    if not files:
        raise LogError(f"{', '.join(map(str, given)) or 'no path'} holds no Parquet file; give one or more")
    return tuple(files)


def _opened(path: Path, as_codes: Sequence[str] = ()) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, read_dictionary=list(as_codes))
    except (pa.ArrowException, OSError) as error:
        raise LogError(f"{path} can't be read as Parquet; give a whole Parquet file") from error


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_category(kind: Any) -> bool:
    return bool(pa.types.is_dictionary(kind)) and _is_text(kind.value_type)


def _is_name(kind: Any) -> bool:
    return _is_text(kind) or _is_category(kind) or bool(pa.types.is_integer(kind))


def _is_time(kind: Any) -> bool:
    return bool(pa.types.is_date(kind)) or (pa.types.is_timestamp(kind) and kind.tz is None)


_USABLE = {"patient_id": _is_name, "activity": _is_name, "start": _is_time, "rank": pa.types.is_integer}
_WANTED = {
    "patient_id": "text or integers",
    "activity": "text or integers",
    "start": "dates or times without a time zone",
    "rank": "integers",
}


def _microseconds(column: pa.Array) -> Integers:
    """Return times since 1970; read as the integers that they are, without a cast."""
    if pa.types.is_date32(column.type):
        return integers(column).astype(np.int64) * DAY_US
    times = integers(column)
    per_us = _PER_US["ms" if pa.types.is_date64(column.type) else column.type.unit]
    return times // 1000 if per_us is None else times * per_us if per_us > 1 else times


_PER_US = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": None}


def _coded(column: pa.Array, places: Mapping[str, int]) -> Integers:
    """Return the place of each value, nulls after all."""
    if not pa.types.is_dictionary(column.type):
        return _coded_integers(column, places)
    table = np.array(
        [*(places[name] for name in column.dictionary.to_pylist()), len(places)], dtype=code_type(len(places))
    )
    indices = column.indices
    rows = series(indices).fill_null(len(table) - 1).to_numpy() if column.null_count else integers(indices)
    return np.asarray(table[rows])


def _coded_integers(column: pa.Array, places: Mapping[str, int]) -> Integers:
    """Return the place of each integer: through a table where they are near each other, else by search."""
    known = {int(name): place for name, place in places.items()}
    if not known:
        return np.zeros(len(column), dtype=code_type(0))
    ordered = np.array(sorted(known), dtype=np.int64)
    table = np.array(
        [*(known[value] for value in ordered.tolist()), len(places)], dtype=code_type(len(places))
    )
    rows = series(column).fill_null(int(ordered[0])).to_numpy() if column.null_count else integers(column)
    if int(ordered[-1]) - int(ordered[0]) < NEAR_VALUES:
        near = np.zeros(int(ordered[-1]) - int(ordered[0]) + 1, dtype=table.dtype)
        near[ordered - ordered[0]] = table[:-1]
        found = near[rows.astype(np.int64) - ordered[0]]
    else:
        found = table[np.searchsorted(ordered, rows)]
    return (
        np.where(series(column).is_null().to_numpy(), table[-1], found)
        if column.null_count
        else np.asarray(found)
    )


NEAR_VALUES = 1 << 16
"""Integers in so wide a range are looked up in a table."""


def _first_ids(column: pa.Array, begins: Flags) -> pl.Series:
    """Return the identifier of each patient who begins here."""
    rows = np.flatnonzero(begins)
    if not pa.types.is_dictionary(column.type):
        return series(column).gather(rows).cast(pl.String)
    return series(column.dictionary).cast(pl.String).gather(integers(column.indices)[rows])


class Waiting:
    """Sorted rows, cut where a patient begins: what is left of the last one waits for the rows that follow."""

    def __init__(self, activities: list[str]) -> None:
        self._activities = activities
        self._parts: list[tuple[Flags, dict[str, Integers | None]]] = []
        self._ids: list[pl.Series] = []

    def add(self, begins: Flags, columns: dict[str, Integers | None], ids: pl.Series | None) -> None:
        """Take the rows that follow: where patients begin, the columns, and who begins.

        Raises
        ------
        LogError
            The very first row is not a patient's first.
        """
        if not self._parts and len(begins) and not begins[0]:
            raise LogError("the first event has a rank above 0; give files that begin with a whole patient")
        if len(begins):
            self._parts.append((begins, columns))
        if ids is not None:
            self._ids.append(ids)

    def whole(self) -> Iterator[Sequences]:
        """Yield the patients who are whole: all but the last."""
        if not self._parts:
            return
        begins, columns = self._parts[-1]
        cut = len(begins) - 1 - int(np.argmax(begins[::-1]))
        if not begins[cut] or (cut == 0 and len(self._parts) == 1):
            return
        head = [*self._parts[:-1], (begins[:cut], _cut(columns, slice(0, cut)))]
        self._parts = [(begins[cut:], _cut(columns, slice(cut, None)))]
        yield self._sequences(head)

    def rest(self) -> Iterator[Sequences]:
        """Yield the last patient: no rows follow."""
        if self._parts:
            yield self._sequences(self._parts)

    def _sequences(self, parts: list[tuple[Flags, dict[str, Integers | None]]]) -> Sequences:
        begins = np.concatenate([begins for begins, _ in parts])
        columns: dict[str, Any] = {
            name: None if values is None else np.concatenate([columns[name] for _, columns in parts])
            for name, values in parts[0][1].items()
        }
        first = np.flatnonzero(begins)
        ids = pl.concat([pl.Series(dtype=pl.String), *self._ids])
        self._ids = [ids[len(first) :]]
        return Sequences(
            activities=self._activities,
            first=first,
            ids=ids[: len(first)],
            patients=pl.DataFrame(),
            **columns,
        )


def _cut(columns: dict[str, Integers | None], rows: slice) -> dict[str, Integers | None]:
    return {name: None if values is None else values[rows] for name, values in columns.items()}
