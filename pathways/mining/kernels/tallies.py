"""Counts and exact distributions that add up slice by slice, in bounded memory."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pathways.mining.kernels.sequences import DAY_US, Integers

DENSE_CELLS = 1 << 23
"""Up to so many cells are counted in one array; more are sorted and counted as runs."""

WAITING = 1 << 18
"""Values that wait to be counted together, at least."""

WHOLE_DAYS = 1024
"""Delays of 0 to so many whole days are counted by day; others by their microseconds."""


class Tally:
    """How often each of `n_cells` small integers occurs.

    Parameters
    ----------
    n_cells : int
        Values are 0 to ``n_cells - 1``.
    """

    def __init__(self, n_cells: int) -> None:
        self._n_cells = n_cells
        self._dense = np.zeros(n_cells, dtype=np.int64) if n_cells <= DENSE_CELLS else None
        self._cells: Integers = np.zeros(0, dtype=np.int64)
        self._counts: Integers = np.zeros(0, dtype=np.int64)
        self._waiting: list[tuple[Integers, Integers | None]] = []
        self._n_waiting = 0

    def add(self, cells: Integers, times: Integers | None = None) -> None:
        """Count each of these values once more, or so many times more."""
        self._waiting.append((cells, times))
        self._n_waiting += len(cells)
        n_cells = len(self._cells) if self._dense is None else self._n_cells
        if self._n_waiting >= max(WAITING, n_cells):
            self._count()

    def counts(self) -> tuple[Integers, Integers]:
        """Return the values that occurred, ascending, and how often."""
        self._count()
        if self._dense is None:
            return self._cells, self._counts
        cells = np.flatnonzero(self._dense)
        return cells, self._dense[cells]

    def _count(self) -> None:
        if not self._waiting:
            return
        cells = np.concatenate([cells for cells, _ in self._waiting])
        times = [times for _, times in self._waiting if times is not None]
        self._waiting, self._n_waiting = [], 0
        if self._dense is not None:
            weights = np.concatenate(times) if times else None
            self._dense += np.bincount(cells, weights, self._n_cells).astype(np.int64, copy=False)
            return
        found = _added(cells, np.concatenate(times)) if times else _runs(np.sort(cells))
        self._cells, self._counts = _added(
            np.concatenate([self._cells, found[0]]), np.concatenate([self._counts, found[1]])
        )


def _runs(ordered: Integers) -> tuple[Integers, Integers]:
    """Return the distinct values of a sorted array, and how often each occurs."""
    begins = begins_of(ordered)
    return ordered[begins].astype(np.int64), np.diff(begins, append=len(ordered))


def _added(cells: Integers, counts: Integers) -> tuple[Integers, Integers]:
    """Return the distinct cells, ascending, and the sum of their counts."""
    if not len(cells):
        return cells.astype(np.int64), counts.astype(np.int64)
    order = np.argsort(cells, kind="stable")
    ordered = cells[order].astype(np.int64)
    begins = begins_of(ordered)
    return ordered[begins], np.add.reduceat(counts[order].astype(np.int64), begins)


def begins_of(ordered: Integers) -> Integers:
    """Return where each run of equal values begins."""
    new = np.ones(len(ordered), dtype=np.bool_)
    new[1:] = ordered[1:] != ordered[:-1]
    return np.flatnonzero(new)


class Delays:
    """Delays by group, exactly: whole days as counts, others as counts of their microseconds.

    Parameters
    ----------
    n_groups : int
        Groups are 0 to ``n_groups - 1``.
    """

    def __init__(self, n_groups: int) -> None:
        self._n_groups = n_groups
        self._days = Tally(n_groups * WHOLE_DAYS)
        self._others: list[pl.DataFrame] = []
        self._n_others = 0

    def add(self, group: Integers, delay_us: Integers) -> None:
        """Count these delays, each in its group."""
        days = delay_us // DAY_US
        whole = (days * DAY_US == delay_us) & (days >= 0) & (days < WHOLE_DAYS)
        if whole.all():
            self._days.add(self._cell(group, days))
            return
        self._days.add(self._cell(group[whole], days[whole]))
        other = pl.DataFrame({"group": group[~whole].astype(np.int64), "delay_us": delay_us[~whole]})
        self._others.append(other.with_columns(n=pl.lit(1, pl.Int64)))
        self._n_others += other.height
        if self._n_others >= max(16 * WAITING, 2 * self._others[0].height):
            self._others = [self._added()]
            self._n_others = self._others[0].height

    def _cell(self, group: Integers, days: Integers) -> Integers:
        kind = np.int32 if self._n_groups * WHOLE_DAYS < 1 << 31 else np.int64
        return np.asarray(group.astype(kind) * WHOLE_DAYS + days.astype(kind))

    def _added(self) -> pl.DataFrame:
        return pl.concat(self._others).group_by("group", "delay_us").agg(pl.col("n").sum())

    def distribution(self) -> pl.DataFrame:
        """Return ``group``, ``delay_us``, ``n``, sorted by group and delay."""
        cells, counts = self._days.counts()
        whole = pl.DataFrame(
            {"group": cells // WHOLE_DAYS, "delay_us": cells % WHOLE_DAYS * DAY_US, "n": counts}
        )
        if not self._others:
            return whole
        return pl.concat([whole, self._added()]).sort("group", "delay_us")

    def statistics(self) -> pl.DataFrame:
        """Return ``group``, ``n``, then mean, median, p90, minimum and maximum in days, one row a group seen.

        Quantiles interpolate linearly between order statistics.
        """
        frame = self.distribution()
        group, delay, n = (frame[name].to_numpy() for name in ("group", "delay_us", "n"))
        begins, until = begins_of(group), np.cumsum(n)
        ends = np.append(begins, len(group))[1:] - 1
        before = until[begins] - n[begins]
        total, days = until[ends] - before, delay / DAY_US

        return pl.DataFrame(
            {
                "group": group[begins],
                "n": total,
                "mean_days": (np.add.reduceat(days * n, begins) if len(begins) else days) / total,
                "median_days": _quantile(0.5, days, until, before, total),
                "p90_days": _quantile(0.9, days, until, before, total),
                "min_days": days[begins],
                "max_days": days[ends],
            }
        )


def _quantile(
    share: float, days: NDArray[np.float64], until: Integers, before: Integers, total: Integers
) -> NDArray[np.float64]:
    """Return a quantile of each group: `total` delays, after the `before` of other groups, `until` each cell's end."""
    place = share * (total - 1)
    low = np.floor(place).astype(np.int64)
    below = days[np.searchsorted(until, before + low, side="right")]
    above = days[np.searchsorted(until, before + np.minimum(low + 1, total - 1), side="right")]
    return np.asarray(below + (place - low) * (above - below))
