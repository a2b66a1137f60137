"""Change points of monthly series: where the likelihood breaks, and whether chance would break it as much."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import ruptures
from numpy.typing import NDArray
from ruptures.base import BaseCost
from scipy.special import xlogy
from scipy.stats import chi2, false_discovery_control

from pathways.mining.drift.monthly import SERIES

Numbers = NDArray[np.float64]

FALSE_DISCOVERIES = 0.05
"""Share of false discoveries among the changes told."""

LEAST_PATIENTS = 30
"""A series is looked at where at least so many patients are in it, and as many of those who could be are not. An
operational choice: with fewer, no monthly change can be told from chance."""

LEAST_MONTHS = 3
"""Shortest stretch between two changes, in months. An operational choice: the first lockdown lasted about three."""

N_PERMUTATIONS = 999
N_MORE_PERMUTATIONS = 19_999
"""Permutations, and those of a p-value that is small: enough for false discoveries among some hundred series."""

CHANGE_COLUMNS: dict[str, Any] = {
    "kind": pl.String,
    "source": pl.String,
    "target": pl.String,
    "month": pl.Date,
    "n_before": pl.Int64,
    "of_before": pl.Int64,
    "n_after": pl.Int64,
    "of_after": pl.Int64,
    "share_before": pl.Float64,
    "share_after": pl.Float64,
    "ratio": pl.Float64,
    "p_value": pl.Float64,
    "q_value": pl.Float64,
    "label": pl.String,
    "reason": pl.String,
}
"""Columns of a table of changes. ``month``: the first of the new regime; before and after it, as far as the
neighbouring changes: patients, of how many, and their share (for an activity: of patients at risk, a month).
``ratio``: observed over expected after, divided by before. ``label`` and ``reason``: see `label_changes`."""


class _Likelihood(BaseCost):  # type: ignore[misc]
    """Twice the negative log-likelihood of a stretch with one rate, divided by the dispersion.

    The signal has the columns observed and trials; without ``poisson``, a trial fails or not.
    """

    model = "rates"
    min_size = 1

    def __init__(self, poisson: bool, dispersion: float) -> None:
        self.poisson, self.dispersion = poisson, dispersion

    def fit(self, signal: Numbers) -> _Likelihood:
        self.signal = signal
        sums = np.vstack([np.zeros(2), np.cumsum(signal, axis=0)])
        stretches = np.maximum(sums[None] - sums[:, None], 0)
        self.costs = deviance(stretches[..., 0], stretches[..., 1], self.poisson) / self.dispersion
        return self

    def error(self, start: int, end: int) -> float:
        return float(self.costs[start, end])


def deviance(observed: Any, trials: Any, poisson: bool) -> Any:
    """Return twice the negative log-likelihood at its best rate, but for what no cut changes.

    Parameters
    ----------
    observed, trials : float or array
        Patients, of how many (expected ones for ``poisson``).
    poisson : bool
        Poisson counts; else binomial.
    """
    rate = np.divide(observed, trials, out=np.zeros_like(observed * 1.0), where=trials > 0)
    if poisson:
        return -2 * xlogy(observed, rate)
    return -2 * (xlogy(observed, rate) + xlogy(trials - observed, 1 - rate))


def find_changes(months: pl.DataFrame, *, seed: int = 0) -> pl.DataFrame:
    """Find the significant change points of all series.

    Parameters
    ----------
    months : polars.DataFrame
        `MONTH_COLUMNS`.
    seed : int
        Of the permutations.

    Returns
    -------
    polars.DataFrame
        `CHANGE_COLUMNS` with null labels, the earliest first.
    """
    found: list[dict[str, Any]] = []
    n_quiet = 0
    for key, series in months.sort(*SERIES, "month").group_by(SERIES, maintain_order=True):
        if not _is_large(series):
            continue
        changes = _changes_of(series, np.random.default_rng((seed, 3)))
        found += [dict(zip(SERIES, key, strict=True)) | change for change in changes]
        n_quiet += not changes
    if not found:
        return pl.DataFrame(schema=CHANGE_COLUMNS)
    p_values = np.array([change["p_value"] for change in found] + [1.0] * n_quiet)
    q_values = false_discovery_control(p_values)[: len(found)]
    frame = pl.DataFrame(found).with_columns(
        q_value=pl.Series(q_values), label=pl.lit(None, pl.String), reason=pl.lit(None, pl.String)
    )
    kept = frame.filter(pl.col("q_value") <= FALSE_DISCOVERIES).sort("month", "q_value", *SERIES)
    return kept.select(pl.col(name).cast(dtype) for name, dtype in CHANGE_COLUMNS.items())


def _is_large(series: pl.DataFrame) -> bool:
    n, of = int(series["n_patients"].sum()), int(series["n_of"].sum())
    return series.height >= 2 * LEAST_MONTHS and n >= LEAST_PATIENTS and of - n >= LEAST_PATIENTS


def _changes_of(series: pl.DataFrame, rng: np.random.Generator) -> list[dict[str, Any]]:
    poisson = series["kind"].first() == "activity"
    signal = series.select("n_patients", "expected" if poisson else "n_of").to_numpy().astype(np.float64)
    cuts = change_points(signal, poisson)
    bounds = [0, *cuts, len(signal)]
    return [
        _change(series, *bounds[place : place + 3])
        | {"p_value": split_p_value(signal[bounds[place] : bounds[place + 2]], poisson, rng)}
        for place in range(len(cuts))
    ]


def change_points(signal: Numbers, poisson: bool = False) -> list[int]:
    """Return the rows at which a new rate begins.

    Parameters
    ----------
    signal : array of shape (n_months, 2)
        Patients, of how many (expected ones for ``poisson``).
    poisson : bool
        Poisson counts; else binomial.

    Returns
    -------
    list of int
        Rows, `LEAST_MONTHS` apart at least.
    """
    cost = _Likelihood(poisson, dispersion(signal, poisson))
    search = ruptures.Pelt(custom_cost=cost, min_size=LEAST_MONTHS, jump=1).fit(signal)
    cuts: list[int] = search.predict(pen=3 * np.log(len(signal)))[:-1]
    return cuts


def dispersion(signal: Numbers, poisson: bool) -> float:
    """Return the variance of neighbouring months over what chance gives, 1 or more.

    A robust estimate: the median squared difference of neighbouring Pearson residuals, so that a change point, which
    is one difference of many, does not raise it.
    """
    observed, trials = signal[signal[:, 1] > 0].T
    rate = observed.sum() / trials.sum()
    variance = trials * rate * (1 if poisson else 1 - rate)
    if len(observed) < 2 or rate == 0 or not variance.all():
        return 1.0
    residuals = (observed - trials * rate) / np.sqrt(variance)
    return max(1.0, float(np.median(np.diff(residuals) ** 2) / 2 / chi2.ppf(0.5, 1)))


def split_p_value(signal: Numbers, poisson: bool, rng: np.random.Generator) -> float:
    """Return how often the best split of the months in random order is as good as that of the months as they are."""
    seen = _best_split(signal[None], poisson)[0] - 1e-9
    for n in (N_PERMUTATIONS, N_MORE_PERMUTATIONS):
        shuffled = rng.permuted(np.tile(np.arange(len(signal)), (n, 1)), axis=1)
        p = float((1 + (_best_split(signal[shuffled], poisson) >= seen).sum()) / (n + 1))
        if p > 0.02:
            break
    return p


def _best_split(signals: Numbers, poisson: bool) -> Numbers:
    """Return the highest gain in likelihood of one cut, of each of many signals of shape (n, months, 2)."""
    sums = np.cumsum(signals, axis=1)
    left, whole = sums[:, LEAST_MONTHS - 1 : -LEAST_MONTHS], sums[:, -1:]
    parts = [deviance(side[..., 0], side[..., 1], poisson) for side in (left, whole - left)]
    best: Numbers = (deviance(whole[..., 0], whole[..., 1], poisson) - sum(parts)).max(axis=1)
    return best


def _change(series: pl.DataFrame, start: int, cut: int, end: int) -> dict[str, Any]:
    sums = [
        series[a:b].select(pl.col("n_patients", "n_of", "expected").sum()).row(0)
        for a, b in ((start, cut), (cut, end))
    ]
    (n_before, of_before, due_before), (n_after, of_after, due_after) = sums
    before, after = n_before / max(due_before, 1e-9), n_after / max(due_after, 1e-9)
    return {
        "month": series["month"][cut],
        "n_before": n_before,
        "of_before": of_before,
        "n_after": n_after,
        "of_after": of_after,
        "share_before": n_before / max(of_before, 1),
        "share_after": n_after / max(of_after, 1),
        "ratio": after / before if before else None,
    }
