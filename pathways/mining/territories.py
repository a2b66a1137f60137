"""Where breakdowns are more frequent than patients' age and deprivation lead to expect.

Rules, one breakdown at a time
------------------------------
- *Expected* count of a territory: indirect standardisation. Each patient counts with the rate of their stratum (age
  band × deprivation quintile) in all territories together; an unknown age or quintile is a stratum of its own.
- *Ratio* observed / expected with 95 % limits by Byar's approximation to the exact Poisson limits (Breslow and Day,
  *Statistical Methods in Cancer Research* II, IARC 82, 1987); wide for frequent breakdowns, hence cautious.
- *Shrunk ratio*: posterior mean under a gamma prior whose mean and variance are moments of all ratios (Clayton and
  Kaldor, Biometrics 43, 1987; Marshall, Applied Statistics 40, 1991).
- *Funnel*: 95 % limits of the rate around the overall rate at that number of patients, with over-dispersion between
  territories added to the binomial variance (Spiegelhalter, Quality and Safety in Health Care 14, 2005). The
  over-dispersion is estimated from the median absolute deviation, which a few true hotspots do not inflate.
- *Hotspot*: the upper mid-p tail of the binomial, as a standard normal deviate reduced for over-dispersion, exceeds
  `HOTSPOT_DEVIATE`. An operational choice: where all territories are alike, some 2 in 100 are flagged.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import binom, norm

from eventlogs.errors import LogError, did_you_mean
from pathways.mining.funnels import Numbers, age_band, between_units, divided, funnel_limits

ANY = "any"
"""The row that pools the breakdowns: at least one broken, among patients evaluable in at least one."""

STATUSES = ("kept", "broken", "excused", "undecidable")
"""What may have become of an expectation; the first two are evaluable."""

HOTSPOT_DEVIATE = 2.05
"""Standard normal deviate above which a territory is a hotspot: one-sided 2 %. An operational choice."""

UNKNOWN = "?"
"""Stands for no territory: without it, who has none could be counted by subtraction from the country."""


def territory_rates(results: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    """Compare the frequency of each breakdown between territories of residence.

    Parameters
    ----------
    results : polars.DataFrame
        ``patient_id``, ``breakdown``, ``status`` (one of `STATUSES`): one row a patient and breakdown.
    patients : polars.DataFrame
        ``patient_id``, ``territory``, ``birth_year``, ``deprivation``, ``index_date``; those without a territory
        are counted under `UNKNOWN`, which the gate hides and never shows.

    Returns
    -------
    polars.DataFrame
        One row a breakdown and territory, and the breakdown ``any``: ``n_evaluable`` (kept or broken), ``n_broken``,
        ``rate``, ``expected``, ``ratio``, ``ratio_low``, ``ratio_high``, ``shrunk_ratio``, ``funnel_low``,
        ``funnel_high``, ``hotspot``. Not yet releasable: see `pathways.disclosure.release_territories`.

    Raises
    ------
    LogError
        A status is unknown.
    """
    for status in results["status"].unique().to_list():
        if status not in STATUSES:
            raise LogError(f"results have the status '{status}'{did_you_mean(str(status), STATUSES)}")
    counts = _counts(_evaluable(results), patients)
    frames = [_compared(frame) for _, frame in counts.group_by("breakdown", maintain_order=True)]
    return pl.concat([_compared(counts.clear()), *frames])


def _evaluable(results: pl.DataFrame) -> pl.DataFrame:
    """Return ``patient_id``, ``breakdown``, ``broken`` of what could be decided, with the rows of ``any``."""
    decided = results.filter(pl.col("status").is_in(["kept", "broken"])).select(
        "patient_id", "breakdown", broken=pl.col("status") == "broken"
    )
    pooled = decided.group_by("patient_id").agg(pl.lit(ANY).alias("breakdown"), pl.col("broken").any())
    return pl.concat([decided, pooled.select(decided.columns)])


def _counts(evaluable: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    """Count by breakdown and territory: evaluable, broken, expected, and the variance of the expected."""
    people = patients.select(
        "patient_id",
        pl.col("territory").fill_null(UNKNOWN),
        "deprivation",
        band=age_band(),
    )
    rate = pl.col("broken").mean().over("breakdown", "band", "deprivation")
    return (
        evaluable.join(people, on="patient_id")
        .with_columns(likely=rate)
        .group_by("breakdown", "territory")
        .agg(
            n_evaluable=pl.len().cast(pl.Int64),
            n_broken=pl.col("broken").sum().cast(pl.Int64),
            expected=pl.col("likely").sum(),
            variance=(pl.col("likely") * (1 - pl.col("likely"))).sum(),
        )
        .sort("breakdown", "territory")
    )


def _compared(counts: pl.DataFrame) -> pl.DataFrame:
    """Add rates, ratios, limits and the flag to the territories of one breakdown."""
    n, broken, expected, variance = (
        counts[name].to_numpy().astype(np.float64)
        for name in ("n_evaluable", "n_broken", "expected", "variance")
    )
    spread = between_units(broken, expected, variance)
    low, high = byar_limits(broken)
    funnel_low, funnel_high = _funnel(n, broken, spread)
    return counts.drop("variance").with_columns(
        rate=broken / n,
        ratio=divided(broken, expected),
        ratio_low=divided(low, expected),
        ratio_high=divided(high, expected),
        shrunk_ratio=shrunk_ratios(broken, expected),
        funnel_low=funnel_low,
        funnel_high=funnel_high,
        hotspot=deviates(n, broken, expected) * _reduction(expected, variance, spread) > HOTSPOT_DEVIATE,
    )


def byar_limits(observed: Numbers) -> tuple[Numbers, Numbers]:
    """Return 95 % limits of Poisson counts by Byar's approximation (Breslow and Day 1987)."""
    z = norm.ppf(0.975)
    positive, above = np.maximum(observed, 1), observed + 1
    low = positive * (1 - 1 / (9 * positive) - z / (3 * np.sqrt(positive))) ** 3
    high = above * (1 - 1 / (9 * above) + z / (3 * np.sqrt(above))) ** 3
    return np.where(observed > 0, low, 0), high


def shrunk_ratios(observed: Numbers, expected: Numbers) -> Numbers:
    """Return posterior means of observed / expected under a gamma prior fitted by moments (Marshall 1991)."""
    total = expected.sum()
    if total == 0:
        return np.ones_like(observed)
    mean = observed.sum() / total
    squares = expected * (divided(observed, expected) - mean) ** 2
    excess = (squares.sum() - mean * len(observed)) / total
    if excess <= 0:
        return np.full_like(observed, mean)
    shrunk: Numbers = (observed + mean**2 / excess) / (expected + mean / excess)
    return shrunk


def deviates(n: Numbers, observed: Numbers, expected: Numbers) -> Numbers:
    """Return the upper mid-p tail of each count as a standard normal deviate (high: more than expected)."""
    likely = divided(expected, n)
    tail = binom.sf(observed, n, likely) + 0.5 * binom.pmf(observed, n, likely)
    return np.asarray(norm.isf(np.clip(tail, 1e-300, 1 - 1e-16)), dtype=np.float64)


def _reduction(expected: Numbers, variance: Numbers, spread: float) -> Numbers:
    """Return how much over-dispersion reduces a deviate: chance's share of the standard deviation."""
    reduction: Numbers = np.sqrt(divided(variance, variance + spread * expected**2))
    return reduction


def _funnel(n: Numbers, broken: Numbers, spread: float) -> tuple[Numbers, Numbers]:
    rate = broken.sum() / max(n.sum(), 1)
    return funnel_limits(rate, rate * (1 - rate) / np.maximum(n, 1), spread)
