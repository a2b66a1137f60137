"""Funnels: how far a unit (territory, facility) may lie from all others by chance, and what is more than chance.

The additive model of Spiegelhalter (*Funnel plots for comparing institutional performance*, Statistics in Medicine
24, 2005; *Handling over-dispersion of performance indicators*, Quality and Safety in Health Care 14, 2005): limits
around the overall rate at each unit's sampling variance, with over-dispersion between units added to it.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

Numbers = NDArray[np.float64]

AGE_BANDS = (50, 60, 70, 80)
"""Ages at index, in years, at which a new band starts. An operational choice."""

LEAST_UNITS = 10
"""With fewer, over-dispersion can't be told from chance and is taken as nil."""

MAD_OF_NORMAL = float(norm.ppf(0.75))
"""Median absolute deviation of a standard normal variable."""


def age_band() -> pl.Expr:
    """Return the number of the age band at index (`AGE_BANDS`, 0: below the first); null where age is not known."""
    age = pl.col("index_date").dt.year() - pl.col("birth_year")
    band = pl.sum_horizontal((age >= start).cast(pl.Int8) for start in AGE_BANDS)
    return pl.when(age.is_not_null()).then(band)


def divided(numerator: Numbers, denominator: Numbers) -> Numbers:
    """Divide; by 0 it is 1: nothing seen and nothing expected."""
    return np.divide(numerator, denominator, out=np.ones_like(numerator), where=denominator > 0)


def between_units(observed: Numbers, expected: Numbers, variance: Numbers) -> float:
    """Estimate the variance of the true ratios between units, beyond chance; 0 or more.

    The additive model of Spiegelhalter (2005), with the median absolute deviation in place of winsorised scores, which
    a few true outliers do not inflate.

    Parameters
    ----------
    observed, expected, variance : array of float
        Counts by unit, those expected, and the sampling variance of the count.
    """
    usable = variance > 0
    if usable.sum() < LEAST_UNITS:
        return 0.0
    scores = (observed[usable] - expected[usable]) / np.sqrt(variance[usable])
    dispersion = (np.median(np.abs(scores - np.median(scores))) / MAD_OF_NORMAL) ** 2
    weights, count = expected[usable] ** 2 / variance[usable], usable.sum()
    excess = count * dispersion - (count - 1)
    return max(0.0, float(excess / (weights.sum() - (weights**2).sum() / weights.sum())))


def funnel_limits(
    rate: float, variance: Numbers, spread: float, level: float = 0.95
) -> tuple[Numbers, Numbers]:
    """Return the limits of a rate around the overall one, between 0 and 1.

    Parameters
    ----------
    rate : float
        The overall rate, 0 to 1.
    variance : array of float
        Sampling variance of each unit's rate.
    spread : float
        Variance of the true ratios between units, from `between_units`.
    level : float
        Share of units inside where all are alike: 0.95, or 0.998 for the outer funnel.
    """
    half = norm.ppf((1 + level) / 2) * np.sqrt(variance + rate**2 * spread)
    return np.clip(rate - half, 0, 1), np.clip(rate + half, 0, 1)
