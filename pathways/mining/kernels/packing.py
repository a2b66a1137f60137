"""Rows in any order into the log's order: patient, start and activity packed in one integer, one sort of one column."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pathways.mining.kernels.sequences import DAY_US, Integers, Sequences, code_type

MEMORY_EVENTS = 1 << 26
"""Events that are sorted at once; more are scattered by patient to temporary files first."""

UNITS_US = (DAY_US, 1_000_000, 1_000, 1)
"""Units of time, in microseconds; the coarsest that says every start exactly is taken."""

KEY_BITS = 64


@dataclass(frozen=True)
class Rows:
    """Rows as integers: patient code, start in units of `unit_us`, activity code, stratum code where there are some."""

    patient: Integers
    start: Integers
    activity: Integers
    stratum: Integers | None = None
    unit_us: int = 1

    def columns(self, unit_us: int) -> list[Integers]:
        """Return the columns, what sorts first first, with starts in `unit_us`."""
        scale = self.unit_us // unit_us
        start = self.start if scale == 1 else self.start.astype(np.int64) * scale
        columns = [self.patient, start, self.activity]
        return columns if self.stratum is None else [*columns, self.stratum]


@dataclass(frozen=True)
class Sorter:
    """Puts rows in order: by patient, start, the order of activities inside a timestamp, stratum.

    Parameters
    ----------
    activities : list of str
        Names, sorted; an activity's code is its place here.
    within_day : sequence of str
        Order of activities inside one timestamp; others follow, by name.
    names : callable
        Identifiers of patient codes.
    slice_events, memory_events : int
        As `pathways.mining.kernels.scan.EventScan`.
    """

    activities: list[str]
    within_day: Sequence[str]
    names: Callable[[Integers], pl.Series]
    slice_events: int
    memory_events: int = MEMORY_EVENTS

    def slices(self, rows: Iterable[Rows], n_events: int) -> Iterator[Sequences]:
        """Yield `n_events` rows, starts in microseconds, in order, in slices of whole patients."""
        ordered = within_day_order(self.activities, self.within_day)
        rank = np.argsort(ordered).astype(np.min_scalar_type(max(len(ordered), 1)))
        n_buckets = -(-n_events // self.memory_events)
        for bucket in [rows] if n_buckets <= 1 else scattered(rows, n_buckets):
            parts = [_compact(part, rank) for part in bucket if len(part.patient)]
            for part, first in _sorted(parts, self.slice_events):
                yield Sequences(
                    activities=self.activities,
                    activity=ordered[part.activity],
                    start_us=part.start * part.unit_us,
                    first=first,
                    ids=self.names(part.patient[first]),
                    patients=pl.DataFrame(),
                    stratum=part.stratum,
                )


def within_day_order(activities: list[str], within_day: Sequence[str]) -> Integers:
    """Return the codes of all activities in their order inside one timestamp."""
    places = {name: place for place, name in enumerate(activities)}
    first = [places[name] for name in dict.fromkeys(within_day) if name in places]
    rest = sorted(set(places.values()) - set(first))
    return np.array([*first, *rest], dtype=code_type(len(activities)))


def _compact(rows: Rows, rank: Integers) -> Rows:
    """Return the rows in few bytes: starts in the coarsest unit that says them, activities by their order in a day."""
    for unit in UNITS_US:
        start = rows.start // unit
        if (start * unit == rows.start).all():
            break
    return Rows(rows.patient, _narrow(start), rank[rows.activity], rows.stratum, unit)


def _narrow(values: Integers) -> Integers:
    small = not len(values) or (values.min() >= -(1 << 31) and values.max() < 1 << 31)
    return values.astype(np.int32) if small else values


def _sorted(parts: list[Rows], slice_events: int) -> Iterator[tuple[Rows, Integers]]:
    """Yield slices of sorted rows, with the rows at which patients begin."""
    unit = min((part.unit_us for part in parts), default=1)
    lows, bits = _layout(parts, unit)
    if sum(bits) > KEY_BITS:
        yield from _sorted_by_columns(parts, unit, slice_events)
        return
    keys = _keys(parts, unit, lows, bits)
    keys.sort()
    below, low = sum(bits[1:]), 0
    while low < len(keys):
        until = ((int(keys[min(low + slice_events, len(keys)) - 1]) >> below) + 1) << below
        high = len(keys) if until >> KEY_BITS else int(np.searchsorted(keys, np.uint64(until)))
        yield _unpacked(keys[low:high], lows, bits, unit)
        low = high


def _layout(parts: list[Rows], unit: int) -> tuple[list[int], list[int]]:
    """Return the least value of each column, and how many bits its range takes."""
    some = [part.columns(unit) for part in parts if len(part.patient)]
    lows = [min(int(values.min()) for values in column) for column in zip(*some, strict=True)]
    highs = [max(int(values.max()) for values in column) for column in zip(*some, strict=True)]
    return lows, [(high - low).bit_length() for low, high in zip(lows, highs, strict=True)]


def _keys(parts: list[Rows], unit: int, lows: list[int], bits: list[int]) -> Integers:
    """Pack each row in one integer; the parts are let go as they are read."""
    keys = np.empty(sum(len(part.patient) for part in parts), dtype=np.uint64)
    end = len(keys)
    while parts:
        part = parts.pop()
        begin = end - len(part.patient)
        key, end = keys[begin:end], begin
        key[:] = 0
        for column, low, width in zip(part.columns(unit), lows, bits, strict=True):
            key <<= np.uint64(width)
            key |= np.subtract(column, low, dtype=np.int64).view(np.uint64)
    return keys


def _unpacked(keys: Integers, lows: list[int], bits: list[int], unit: int) -> tuple[Rows, Integers]:
    columns, shift = [], sum(bits)
    for low, width in zip(lows, bits, strict=True):
        shift -= width
        values = (keys >> np.uint64(shift)) & np.uint64((1 << width) - 1) if width else np.zeros_like(keys)
        columns.append(values.view(np.int64) + low)
    return _rows(columns, unit), _begins(columns[0])


def _rows(columns: Sequence[Integers], unit: int) -> Rows:
    patient, start, activity, *stratum = columns
    return Rows(patient, start, activity, stratum[0] if stratum else None, unit)


def _begins(patient: Integers) -> Integers:
    new = np.ones(len(patient), dtype=np.bool_)
    new[1:] = patient[1:] != patient[:-1]
    return np.flatnonzero(new)


def _sorted_by_columns(parts: list[Rows], unit: int, slice_events: int) -> Iterator[tuple[Rows, Integers]]:
    """Sort rows that no key of 64 bits holds: slower, with more memory."""
    columns = [np.concatenate(column) for column in zip(*(part.columns(unit) for part in parts), strict=True)]
    order = np.lexsort(columns[::-1])
    patient, low = columns[0][order], 0
    while low < len(order):
        last = patient[min(low + slice_events, len(order)) - 1]
        high = int(np.searchsorted(patient, last, side="right"))
        rows = _rows([column[order[low:high]] for column in columns], unit)
        yield rows, _begins(rows.patient)
        low = high


def scattered(parts: Iterable[Rows], n_buckets: int) -> Iterator[list[Rows]]:
    """Write the rows to a temporary file for each bucket of patients, then yield what each file holds."""
    kind = None
    with tempfile.TemporaryDirectory(prefix="care-pathways-") as folder, ExitStack() as stack:
        paths = [Path(folder) / f"bucket-{bucket:05}" for bucket in range(n_buckets)]
        files = [stack.enter_context(path.open("wb")) for path in paths]
        for part in parts:
            records = _records(part)
            kind = records.dtype
            bucket = part.patient % n_buckets
            for number, file in enumerate(files):
                records[bucket == number].tofile(file)
        stack.close()
        for path in paths:
            read = np.fromfile(path, dtype=kind)
            yield [_rows([np.ascontiguousarray(read[name]) for name in read.dtype.names or ()], 1)]


def _records(rows: Rows) -> np.ndarray[Any, Any]:
    columns = {f"column_{place}": values for place, values in enumerate(rows.columns(1))}
    records = np.empty(len(rows.patient), dtype=[(name, values.dtype) for name, values in columns.items()])
    for name, values in columns.items():
        records[name] = values
    return records


class Dense:
    """Dense codes of 64-bit words, in order of first appearance: a hash table probed for many words at once.

    Words should be spread evenly over their range (hashes).
    """

    def __init__(self) -> None:
        self._slots = np.full(1 << 10, -1, dtype=np.int32)
        self._words = np.zeros(1 << 10, dtype=np.uint64)
        self.n_words = 0

    def codes(self, words: Integers) -> tuple[Integers, Integers]:
        """Return the code of each word, and the places of the words seen for the first time, in order of code."""
        found = self._found(words)
        missing = np.flatnonzero(found < 0)
        if not len(missing):
            return found, missing
        new, at = np.unique(words[missing], return_index=True)
        self._insert(new)
        found[missing] = self._found(words[missing])
        return found, missing[at]

    def _slot(self, words: Integers) -> Integers:
        return (words >> np.uint64(KEY_BITS + 1 - len(self._slots).bit_length())).view(np.int64)

    def _found(self, words: Integers) -> Integers:
        slot = self._slot(words)
        code = self._slots[slot]
        clash = np.flatnonzero((self._words[code] != words) & (code >= 0))
        while len(clash):
            slot[clash] = (slot[clash] + 1) % len(self._slots)
            code[clash] = self._slots[slot[clash]]
            clash = clash[(self._words[code[clash]] != words[clash]) & (code[clash] >= 0)]
        return code

    def _insert(self, new: Integers) -> None:
        before, self.n_words = self.n_words, self.n_words + len(new)
        if self.n_words > len(self._words):
            self._words = np.append(self._words, np.zeros(self.n_words, dtype=np.uint64))
        self._words[before : self.n_words] = new
        if 2 * self.n_words > len(self._slots):
            self._slots = np.full(4 << self.n_words.bit_length(), -1, dtype=np.int32)
            before = 0
        self._place(np.arange(before, self.n_words, dtype=np.int32))

    def _place(self, codes: Integers) -> None:
        slot = self._slot(self._words[codes])
        while len(codes):
            free = self._slots[slot] < 0
            self._slots[slot[free]] = codes[free]
            lost = self._slots[slot] != codes
            codes, slot = codes[lost], (slot[lost] + 1) % len(self._slots)
