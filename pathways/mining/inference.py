"""Differences between two groups: intervals, tests and standardisation, over arrays of many measures at once.

- *Shares*: Newcombe's hybrid score interval of a difference (Statistics in Medicine 17, 1998, 873, method 10), from
  Wilson's limits of each share; Pearson's χ² test without continuity correction. Where an expected count is under 25,
  its far tail is too short for many tests: a p-value under 0.05 is then Fisher's mid-p (Lancaster, Journal of the
  American Statistical Association 56, 1961, 223) if that is larger.
- *Medians*: distribution-free limits of each median from the binomial (order statistics: Conover, *Practical
  Nonparametric Statistics*), put together as Newcombe does for shares (MOVER: Zou and Donner, Statistics in Medicine
  27, 2008, 1693). Days have many ties: such limits are then wider than needed, never narrower. The p-value is that of
  Mood's median test: shares above the pooled median, as shares are compared.
- *Ratios of events* (exits of a step): the linearised variance of a ratio with patients as clusters (Cochran, *Sampling
  Techniques*, chapter 6); the p-value is read from the interval (Altman and Bland, BMJ 343, 2011, d2304).
- *False discoveries*: Benjamini and Hochberg (Journal of the Royal Statistical Society B 57, 1995, 289).
- *Direct standardisation*: see `standardised_shares`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, chi2, false_discovery_control, hypergeom, norm

Numbers = NDArray[np.float64]
Counts = NDArray[np.integer[Any]]

Z = float(norm.ppf(0.975))
"""Standard normal deviate of a 95 % interval."""


@dataclass(frozen=True)
class Difference:
    """A − B of many measures: ``estimate``, its 95 % limits ``low`` and ``high``, two-sided ``p``."""

    estimate: Numbers
    low: Numbers
    high: Numbers
    p: Numbers


def wilson(k: Counts, n: Counts) -> tuple[Numbers, Numbers]:
    """Return Wilson's 95 % limits of shares ``k / n`` (Journal of the American Statistical Association 22, 1927)."""
    share = k / n
    centre, half = share + Z**2 / (2 * n), Z * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return (centre - half) / (1 + Z**2 / n), (centre + half) / (1 + Z**2 / n)


def combine(
    a: Numbers, a_limits: tuple[Numbers, Numbers], b: Numbers, b_limits: tuple[Numbers, Numbers]
) -> tuple[Numbers, Numbers]:
    """Return the limits of ``a − b`` from those of each: squares are added on the side that matters (MOVER)."""
    low = a - b - np.hypot(a - a_limits[0], b_limits[1] - b)
    high = a - b + np.hypot(a_limits[1] - a, b - b_limits[0])
    return low, high


def difference_of_shares(k_a: Counts, n_a: Counts, k_b: Counts, n_b: Counts) -> Difference:
    """Compare ``k_a / n_a`` with ``k_b / n_b``: Newcombe's interval, Pearson's χ² test or Fisher's.

    Parameters
    ----------
    k_a, n_a, k_b, n_b : array of int
        Patients with the event, and all, of each group; ``n`` at least 1.
    """
    a, b = k_a / n_a, k_b / n_b
    low, high = combine(a, wilson(k_a, n_a), b, wilson(k_b, n_b))
    return Difference(a - b, low, high, p_of_shares(k_a, n_a, k_b, n_b))


LARGE = 25
"""Expected count from which Pearson's χ² is relied upon in its far tail. An operational choice."""


def p_of_shares(k_a: Counts, n_a: Counts, k_b: Counts, n_b: Counts) -> Numbers:
    """Return the p-value that two shares are alike (see above)."""
    pooled, total = (k_a + k_b) / (n_a + n_b), n_a + n_b
    variance = pooled * (1 - pooled) * (1 / n_a + 1 / n_b)
    squared = np.divide((k_a / n_a - k_b / n_b) ** 2, variance, out=np.zeros_like(pooled), where=variance > 0)
    p = np.asarray(chi2.sf(squared, 1), dtype=np.float64)
    expected = np.minimum(n_a, n_b) * np.minimum(pooled, 1 - pooled)
    check = (p < 0.05) & (expected < LARGE)
    having = (k_a + k_b)[check]
    p[check] = np.maximum(p[check], _mid_p(k_a[check], total[check], having, n_a[check]))
    return p


def _mid_p(k: Counts, total: Counts, having: Counts, drawn: Counts) -> Numbers:
    """Return Fisher's two-sided mid-p: twice the smaller tail, which holds half of what was seen."""
    seen = hypergeom.pmf(k, total, having, drawn)
    below = hypergeom.cdf(k, total, having, drawn) - seen / 2
    above = hypergeom.sf(k, total, having, drawn) + seen / 2
    return np.asarray(np.minimum(2 * np.minimum(below, above), 1), dtype=np.float64)


def median_ranks(n: Counts) -> tuple[Counts, Counts]:
    """Return the places (0 the smallest) of the order statistics that bound a median with at least 95 %.

    Under 6 values there is no such pair: the smallest and the largest are returned, with less coverage.
    """
    rank = np.maximum(binom.ppf(0.025, n, 0.5).astype(np.int64), 1)
    return rank - 1, n - rank


def p_of_interval(estimate: Numbers, low: Numbers, high: Numbers) -> Numbers:
    """Return the two-sided p-value that a 95 % interval implies, from its side towards 0 (Altman and Bland 2011)."""
    towards_zero = np.where(estimate > 0, estimate - low, high - estimate)
    away = np.abs(estimate) > 0
    ratio = np.divide(
        np.abs(estimate), towards_zero, out=np.full_like(estimate, np.inf), where=towards_zero > 0
    )
    return np.where(away, 2 * norm.sf(Z * ratio), 1.0)


@dataclass(frozen=True)
class ClusterSums:
    """Sums over the patients of a group for a ratio ``y / x`` of events: ``n`` patients with x > 0, and moments."""

    n: Numbers
    y: Numbers
    x: Numbers
    yy: Numbers
    xy: Numbers
    xx: Numbers

    def squares(self, ratio: Numbers) -> Numbers:
        """Return ``Σ (y − ratio · x)²``."""
        return np.maximum(self.yy - 2 * ratio * self.xy + ratio**2 * self.xx, 0)


def difference_of_ratios(a: ClusterSums, b: ClusterSums) -> Difference:
    """Compare two ratios of events, patients being the units that vary.

    The variance of a group's ratio is its own (Cochran, chapter 6) or that of the groups pooled, whichever is larger:
    in a small group where all do the same, its own would be nil.
    """
    pooled = (a.y + b.y) / (a.x + b.x)
    spread = (a.squares(pooled) + b.squares(pooled)) / (a.xx + b.xx)
    estimate = a.y / a.x - b.y / b.x
    error = np.sqrt(_variance(a, spread) + _variance(b, spread))
    low, high = estimate - Z * error, estimate + Z * error
    return Difference(estimate, low, high, p_of_interval(estimate, low, high))


def _variance(group: ClusterSums, spread: Numbers) -> Numbers:
    own = group.squares(group.y / group.x) * group.n / np.maximum(group.n - 1, 1)
    return np.maximum(own, spread * group.xx) / group.x**2


def q_values(p: Numbers) -> Numbers:
    """Return the Benjamini–Hochberg adjusted p-values: a share of those under 0.05, 5 % on average, is false."""
    return np.asarray(false_discovery_control(p) if len(p) else p, dtype=np.float64)


def heterogeneity(k: Numbers, n: Numbers) -> Numbers:
    """Return the p-value that shares are alike in all groups: Pearson's χ² with groups − 1 degrees of freedom.

    Parameters
    ----------
    k, n : array of shape (measures, groups)
        Patients with the event, and all; groups without a patient count for nothing.
    """
    pooled = (k.sum(axis=1) / np.maximum(n.sum(axis=1), 1))[:, None]
    expected = n * pooled
    variance = expected * (1 - pooled)
    terms = np.divide((k - expected) ** 2, variance, out=np.zeros_like(expected), where=variance > 0)
    return np.asarray(chi2.sf(terms.sum(axis=1), np.maximum((n > 0).sum(axis=1) - 1, 1)), dtype=np.float64)


@dataclass(frozen=True)
class Standardised:
    """Shares at the pooled population's mix: ``a``, ``b``, limits of ``a − b``, and ``covered``.

    ``covered`` is the share of the pooled patients in strata that both groups have; 0: nothing can be standardised.
    """

    a: Numbers
    b: Numbers
    low: Numbers
    high: Numbers
    covered: Numbers


def standard_weights(n_a: Numbers, n_b: Numbers) -> tuple[Numbers, Numbers]:
    """Return the weight of each stratum (last axis) and the share of the pooled patients that the weights cover.

    A stratum that one group has not is left out of both, and the other weights grow to 1 together: no value is
    invented for the empty cell.
    """
    pooled = n_a + n_b
    common = np.where((n_a > 0) & (n_b > 0), pooled, 0.0)
    total = common.sum(axis=-1, keepdims=True)
    weights = np.divide(common, total, out=np.zeros_like(common), where=total > 0)
    return weights, total[..., 0] / np.maximum(pooled.sum(axis=-1), 1)


def standardised_shares(k_a: Numbers, n_a: Numbers, k_b: Numbers, n_b: Numbers) -> Standardised:
    """Standardise shares directly, the two groups pooled being the standard population.

    The share of a group is ``Σ w p`` and its variance ``Σ w² p (1 − p) / n`` over the strata (Breslow and Day,
    *Statistical Methods in Cancer Research* II, IARC 82, 1987, chapter 2; binomial here). In the variance, each
    stratum's p has one more patient at the group's own share, and ``p (1 − p)`` is scaled to be unbiased where strata
    are alike: a stratum of a few patients with none or all of them would count as without error.

    Parameters
    ----------
    k_a, k_b : array of shape (measures, strata)
        Patients with the event.
    n_a, n_b : array of shape (measures, strata) or (strata,)
        All patients.
    """
    weights, covered = standard_weights(n_a, n_b)
    a, a_variance = _weighted(k_a, n_a, weights)
    b, b_variance = _weighted(k_b, n_b, weights)
    half = Z * np.sqrt(a_variance + b_variance)
    known = np.broadcast_to(covered, a.shape)
    return Standardised(a, b, a - b - half, a - b + half, known)


def _weighted(k: Numbers, n: Numbers, weights: Numbers) -> tuple[Numbers, Numbers]:
    size = np.maximum(n, 1)
    crude = (k.sum(axis=-1) / np.maximum(n.sum(axis=-1), 1))[..., None]
    padded = (k + crude) / (size + 1)
    unbiased = (size + 1) ** 2 / (size**2 + size + 1)
    variance = weights**2 * padded * (1 - padded) * unbiased / size
    return (weights * k / size).sum(axis=-1), variance.sum(axis=-1)
