"""True probabilities of the planted breakdowns, from the rows of ``truth/risk.parquet``.

The best model of a breakdown can't do better than these. All are net of death and palliative care: they are the
probability that the mechanism fires, for a patient who stays under observation. Nothing of the project is imported.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

GAP_DAYS = 90
LATENESS = ((0, 5, 0.90), (6, 20, 0.08), (21, 60, 0.02))
"""Days from the end of a supply to the next refill of those who continue: (from, to, probability)."""


def survival(days: ArrayLike, mu: ArrayLike, sigma: ArrayLike, p_never: ArrayLike) -> Floats:
    """Probability that the step has not come `days` after the patient was at risk.

    The delay is a lognormal rounded up to whole days, or never with probability `p_never`: exact for whole `days`.
    """
    days = np.asarray(days, dtype=float)
    with np.errstate(divide="ignore"):
        z = (np.log(np.maximum(days, 0)) - np.asarray(mu)) / np.asarray(sigma)
    never = np.asarray(p_never, dtype=float)
    return never + (1 - never) * (1 - ndtr(z))


def missed_step(
    mu: ArrayLike, sigma: ArrayLike, p_never: ArrayLike, *, elapsed_days: ArrayLike, within_days: ArrayLike,
    horizon_days: float,
) -> Floats:  # fmt: skip
    """Probability that the step is found missing in (landmark, landmark + `horizon_days`].

    Parameters
    ----------
    mu, sigma, p_never : array-like
        Parameters of the mechanism.
    elapsed_days : array-like
        Days from being at risk to the landmark, the step not having come.
    within_days : array-like
        Days after which the step is missing.
    horizon_days : float
        Days to look ahead.

    Returns
    -------
    array
        0 where the window closes outside the horizon, NaN where it has closed already.
    """
    elapsed, within = np.asarray(elapsed_days, dtype=float), np.asarray(within_days, dtype=float)
    ratio = survival(within, mu, sigma, p_never) / survival(elapsed, mu, sigma, p_never)
    reached = np.where(within <= elapsed + horizon_days, ratio, 0.0)
    return np.where(elapsed >= within, np.nan, reached)


def lateness_law() -> Floats:
    """Probability of each lateness, from 0 day."""
    law = np.zeros(LATENESS[-1][1] + 1)
    for low, high, share in LATENESS:
        law[low : high + 1] = share / (high - low + 1)
    return law


def interruption(
    monthly_hazard: ArrayLike, monthly_hazard_later: ArrayLike, supply_days: ArrayLike, *, overdue_days: ArrayLike,
    months_supplied: ArrayLike, horizon_days: int,
) -> Floats:  # fmt: skip
    """Probability that 90 days without supply are complete in (landmark, landmark + `horizon_days`].

    Exact for a woman who has had no interruption yet.

    Parameters
    ----------
    monthly_hazard, monthly_hazard_later : array-like
        Probability of stopping for each month of supply, in the first twelve months and after.
    supply_days : array-like
        Days in one refill: 30 or 90.
    overdue_days : array-like
        Days from the end of the last refill's supply to the landmark; negative while she still has tablets. Below 90.
    months_supplied : array-like
        Months of supply before the last refill.
    horizon_days : int
        Days to look ahead.
    """
    hazards = np.column_stack([np.asarray(monthly_hazard, float), np.asarray(monthly_hazard_later, float)])
    supply, overdue = np.asarray(supply_days, int), np.asarray(overdue_days, int)
    months = np.asarray(months_supplied, int)
    answer = np.full(supply.size, np.nan)
    for days in np.unique(supply):
        chosen = supply == days
        answer[chosen] = _interruption(
            hazards[chosen], int(days), overdue[chosen], months[chosen], horizon_days
        )
    return answer


def _interruption(
    hazards: Floats, supply: int, overdue: NDArray[np.int_], months: NDArray[np.int_], horizon: int
) -> Floats:
    """The same for one length of supply: follow the law of the next refill's day, refill after refill."""
    law = lateness_law()
    stop = _stop(hazards, months, supply)
    still = np.concatenate([np.cumsum(law[::-1])[::-1], [0.0]])  # P(lateness >= d)
    not_back = still[np.clip(overdue + 1, 0, law.size)]
    stopped = stop / (stop + (1 - stop) * not_back)
    total = np.where(GAP_DAYS - overdue <= horizon, stopped, 0.0)
    day = np.arange(1, horizon + 1)
    at = np.clip(overdue[:, None] + day[None, :], -1, law.size)
    refill = np.concatenate([law, [0.0, 0.0]])[at]  # beyond the law, and below zero: nobody
    with np.errstate(invalid="ignore", divide="ignore"):
        refill = np.where(not_back[:, None] > 0, (1 - stopped)[:, None] * refill / not_back[:, None], 0.0)
    for rank in range(1, horizon // supply + 2):
        stop = _stop(hazards, months + rank * supply // 30, supply)
        total = total + stop * refill[:, : max(horizon - supply - GAP_DAYS, 0)].sum(axis=1)
        refill = _next_refill((1 - stop)[:, None] * refill, supply, law)
    return total


def _stop(hazards: Floats, months: NDArray[np.int_], supply: int) -> Floats:
    """Probability of stopping at the end of a refill."""
    monthly = np.where(months < 12, hazards[:, 0], hazards[:, 1])
    return 1 - (1 - monthly) ** (supply // 30)


def _next_refill(refill: Floats, supply: int, law: Floats) -> Floats:
    """Law of the day of the following refill."""
    later = np.zeros_like(refill)
    for late, share in enumerate(law):
        shift = supply + late
        if shift < refill.shape[1]:
            later[:, shift:] += share * refill[:, : refill.shape[1] - shift]
    return later
