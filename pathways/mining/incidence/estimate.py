"""The Aalen-Johansen estimate, from a table of waits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from pathways.mining.incidence.waits import CAUSES, Days, Waits
from pathways.mining.kernels.sequences import Flags

Numbers = NDArray[np.float64]

ROUNDING = 1e-12
"""What sums of shares may be off by."""

INCIDENCE_COLUMNS: dict[str, Any] = {
    "origin": pl.String,
    "target": pl.String,
    "cause": pl.String,
    "day": pl.Int64,
    "n_at_risk": pl.Int64,
    "n": pl.Int64,
    "n_censored": pl.Int64,
    "incidence": pl.Float64,
    "std_error": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "event_free": pl.Float64,
}
"""Columns of `cumulative_incidence`, after those of the strata."""

MEDIAN_COLUMNS: dict[str, Any] = {
    "origin": pl.String,
    "target": pl.String,
    "n": pl.Int64,
    **{f"n_{cause}": pl.Int64 for cause in CAUSES},
    "median_days": pl.Int64,
    "naive_median_days": pl.Int64,
}
"""Columns of `medians`, after those of the strata."""


def cumulative_incidence(
    waits: Waits, at: Sequence[int] | None = None, *, confidence: float = 0.95
) -> pl.DataFrame:
    """Estimate the share who have met each cause by each day, all causes counted (Aalen and Johansen).

    Parameters
    ----------
    waits : Waits
        From `index_waits` or `edge_waits`.
    at : sequence of int, optional
        Days to tell; default: each day on which anything ends a wait of the risk set.
    confidence : float
        Level of the intervals, between 0 and 1.

    Returns
    -------
    polars.DataFrame
        The strata's columns, then `INCIDENCE_COLUMNS`, one row a cause and day: ``n_at_risk`` still waiting at the
        beginning of the day, ``n`` who met the cause on it and ``n_censored`` whose data ended on it, ``incidence``
        (0 to 1) with its standard error and pointwise interval, ``event_free`` (0 to 1). Incidences of all causes of
        a day and ``event_free`` add up to 1. Estimates are null after the last day seen where some still waited, and
        intervals where the incidence is 0 or 1.

    Raises
    ------
    ValueError
        `confidence` is not between 0 and 1.

    Notes
    -----
    Variance: delta method; without censoring it is that of a proportion, ``F (1 - F) / n``. Interval: normal on
    ``log(-log(F))``.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence = {confidence}; give a level between 0 and 1")
    z = float(norm.ppf((1 + confidence) / 2))
    wanted = None if at is None else np.unique(np.asarray(at, dtype=np.int64))
    sets = list(_risk_sets(waits))
    numbers = [_told(risk, risk.days if wanted is None else wanted, z) for risk in sets]
    names = [_named(risk, len(risk.days) if wanted is None else len(wanted)) for risk in sets]
    schema = {name: waits.counts.schema[name] for name in waits.by} | INCIDENCE_COLUMNS
    if not sets:
        return pl.DataFrame(schema=schema)
    columns = {name: np.concatenate([part[name] for part in numbers]) for name in numbers[0]}
    whole = pl.concat(names).with_columns(pl.Series(name, values) for name, values in columns.items())
    return whole.select(pl.col(name).cast(dtype) for name, dtype in schema.items()).fill_nan(None)


@dataclass(frozen=True)
class _RiskSet:
    """Waits of which one thing ends each: days (ascending), and who met which cause, or was censored, on each.

    ``curves`` has the strata's columns, ``origin``, ``target``, ``cause``: one row a column of ``n``.
    """

    curves: pl.DataFrame
    days: Days
    n: Days
    n_censored: Days

    @property
    def n_waiting(self) -> Days:
        """Still waiting at the beginning of each day."""
        ended = self.n.sum(axis=1) + self.n_censored
        return np.cumsum(ended[::-1], dtype=np.int64)[::-1]


def _risk_sets(waits: Waits) -> Iterator[_RiskSet]:
    """Cut the counts into risk sets; inside one, steps by target come first, then death and exit."""
    counts = waits.counts.sort([*waits.risk_set, "target", "day"], nulls_last=True)
    day, n = counts["day"].to_numpy(), counts["n"].to_numpy()
    cause = counts["cause"].cast(pl.Enum(CAUSES)).to_physical().cast(pl.Int64).to_numpy()
    risk_set, target = (
        _runs(counts, columns) for columns in (waits.risk_set, [*waits.by, "origin", "target"])
    )
    bounds = [*np.flatnonzero(np.diff(risk_set, prepend=-1)), counts.height]
    for part in (slice(start, stop) for start, stop in pairwise(bounds)):
        days, place = np.unique(day[part], return_inverse=True)
        steps, column = _columns(cause[part], target[part], waits.competing)
        table = np.zeros((len(days), steps.size + len(CAUSES) - 1), dtype=np.int64)
        np.add.at(table, (place.astype(np.intp), column), n[part])
        yield _RiskSet(_curves(counts[part], steps, waits), days, table[:, :-1], table[:, -1])


def _runs(counts: pl.DataFrame, columns: list[str]) -> Days:
    """Number the runs of rows that are alike in these columns."""
    return counts.select(pl.struct(columns).rle_id().cast(pl.Int64)).to_series().to_numpy()


def _columns(cause: Days, target: Days, competing: bool) -> tuple[Days, Days]:
    """Return the first row of each step's target, and the column of each row."""
    steps = np.flatnonzero(cause == 0) if competing else np.zeros(1, dtype=np.int64)
    codes, first = np.unique(target[steps], return_index=True)
    column = np.where(cause == 0, np.searchsorted(codes, target), len(codes) - 1 + cause)
    return steps[first], column


def _curves(part: pl.DataFrame, steps: Days, waits: Waits) -> pl.DataFrame:
    names = [*waits.by, "origin", "target"]
    own = part[steps].select(names).with_columns(cause=pl.lit("step"))
    shared = part[:1].select(names).with_columns(target=pl.lit(None) if waits.competing else pl.col("target"))
    return pl.concat([own, *(shared.with_columns(cause=pl.lit(cause)) for cause in CAUSES[1:-1])])


def _named(risk: _RiskSet, n_days: int) -> pl.DataFrame:
    return risk.curves[np.repeat(np.arange(risk.curves.height), n_days)]


def _told(risk: _RiskSet, wanted: Days, z: float) -> dict[str, NDArray[Any]]:
    """Return the numbers of one risk set on the days wanted, curve by curve."""
    estimate = _aalen_johansen(risk)
    place = np.searchsorted(risk.days, wanted, side="right") - 1
    on_day = (place >= 0) & (risk.days[place] == wanted)
    beyond = (wanted > risk.days[-1]) & (estimate.event_free[-1] > ROUNDING)
    share = np.vstack([estimate.incidence, np.zeros(risk.n.shape[1])])[place].T
    error = np.vstack([estimate.std_error, np.zeros(risk.n.shape[1])])[place].T
    low, high = _interval(share, error, z)
    waiting = np.append(risk.n_waiting, 0)[np.searchsorted(risk.days, wanted)]
    free = np.append(estimate.event_free, 1.0)[place]
    estimates = {"incidence": share, "std_error": error, "low": low, "high": high, "event_free": free}
    numbers = {
        "day": wanted,
        "n_at_risk": waiting,
        "n": np.where(on_day[:, None], risk.n[place], 0).T,
        "n_censored": np.where(on_day, risk.n_censored[place], 0),
        **{name: np.where(beyond, np.nan, values) for name, values in estimates.items()},
    }
    return {name: np.broadcast_to(values, share.shape).ravel() for name, values in numbers.items()}


@dataclass(frozen=True)
class _Estimate:
    """By day and cause; ``event_free`` by day."""

    incidence: Numbers
    std_error: Numbers
    event_free: Numbers


def _aalen_johansen(risk: _RiskSet) -> _Estimate:
    waiting = risk.n_waiting.astype(np.float64)[:, None]
    events, gone = risk.n.astype(np.float64), risk.n.sum(axis=1, keepdims=True).astype(np.float64)
    free = np.cumprod(1 - gone / waiting, axis=0)
    before = np.vstack([np.ones((1, 1)), free[:-1]])
    share = np.cumsum(before * events / waiting, axis=0)
    variance = _variance(share, before, events, gone, waiting)
    return _Estimate(share, np.sqrt(variance), free[:, 0])


def _variance(share: Numbers, before: Numbers, events: Numbers, gone: Numbers, waiting: Numbers) -> Numbers:
    """Dinse and Larson's equation 6, its squares multiplied out so that running sums are enough."""
    left = waiting - gone
    spread = np.divide(gone, waiting * left, out=np.zeros_like(gone), where=left > 0)
    own = before**2 * events * (waiting - events) / waiting**3
    shared = before * events / waiting**2
    terms = (spread, spread * share, spread * share**2, own, shared, shared * share)
    once, mixed, squared, alone, with_all, with_own = (np.cumsum(term, axis=0) for term in terms)
    later = share**2 * once - 2 * share * mixed + squared
    variance: Numbers = np.maximum(later + alone - 2 * (share * with_all - with_own), 0)
    return variance


def _interval(share: Numbers, error: Numbers, z: float) -> tuple[Numbers, Numbers]:
    """Return the limits of the log(-log) interval; not a number where the share is 0 or 1."""
    inside = (share > 0) & (share < 1)
    safe = np.where(inside, share, 0.5)
    width = z * error / (safe * -np.log(safe))
    return tuple(np.where(inside, safe ** np.exp(sign * width), np.nan) for sign in (1, -1))  # type: ignore[return-value]


def medians(waits: Waits) -> pl.DataFrame:
    """Return the day by which half have had each step, deaths counted, beside the median of those who had it.

    Parameters
    ----------
    waits : Waits
        From `index_waits` or `edge_waits`.

    Returns
    -------
    polars.DataFrame
        The strata's columns, then `MEDIAN_COLUMNS`, one row a step: ``n`` who waited, by what ended the wait;
        ``median_days``, the first day on which the incidence of the step is at least one half, null where it never
        is; ``naive_median_days``, the first day by which half of those who had the step had had it.
    """
    schema = {name: waits.counts.schema[name] for name in waits.by} | MEDIAN_COLUMNS
    frames = (
        _medians(risk).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
        for risk in _risk_sets(waits)
    )
    return pl.concat([pl.DataFrame(schema=schema), *frames])


def _medians(risk: _RiskSet) -> pl.DataFrame:
    is_step = (risk.curves["cause"] == "step").to_numpy()
    share, had = _aalen_johansen(risk).incidence[:, is_step], np.cumsum(risk.n[:, is_step], axis=0)
    death, gone = risk.n.sum(axis=0)[~is_step]
    return risk.curves.filter(is_step).with_columns(
        n=pl.lit(int(risk.n_waiting[0])),
        n_step=pl.Series(had[-1]),
        n_death=pl.lit(int(death)),
        n_exit=pl.lit(int(gone)),
        n_censored=pl.lit(int(risk.n_censored.sum())),
        median_days=_first_day(risk.days, share >= 0.5 - ROUNDING),
        naive_median_days=_first_day(risk.days, (2 * had >= had[-1]) & (had > 0)),
    )


def _first_day(days: Days, reached: Flags) -> pl.Series:
    """Return the first day on which each column is true; null where it never is."""
    first = pl.Series(days[np.argmax(reached, axis=0)])
    return first.to_frame("day").select(pl.when(pl.Series(reached.any(axis=0))).then("day")).to_series()
