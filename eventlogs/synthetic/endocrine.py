"""Refills of endocrine therapy: a monthly hazard of stopping, small lateness otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import parameters as p
from .people import Bools, Floats, Ints

MONTH_DAYS = 30  # a box holds 30 tablets, one a day
HORIZON_MONTHS = 63


@dataclass(frozen=True)
class Refills:
    """Days of the refills and of the first interruption.

    Attributes
    ----------
    days : array (patients, refills)
        Day of each refill; far above `parameters.NEVER` after a definitive stop.
    interrupted : array (patients,)
        Day on which 90 days without supply are complete, or `parameters.NEVER`.
    """

    days: Ints
    interrupted: Ints


def draw_refills(rng: np.random.Generator, start: Ints, monthly_hazard: Floats, boxes: Ints) -> Refills:
    """Draw refills from the first one on.

    At the end of each supply the woman stops with probability ``1 - (1 - h)**boxes``, where ``h`` is her monthly hazard
    (times `parameters.LATER_HAZARD_RATIO` after twelve months); otherwise she comes back with a lateness of
    `parameters.LATENESS`. A refill never comes before the supply ends, so no stock builds up.
    """
    shape = (start.size, HORIZON_MONTHS)
    supply = MONTH_DAYS * boxes
    months = np.arange(HORIZON_MONTHS)[None, :] * boxes[:, None]
    hazard = monthly_hazard[:, None] * np.where(months < 12, 1.0, p.LATER_HAZARD_RATIO)
    stops = rng.random(shape) < 1 - (1 - hazard) ** boxes[:, None]
    first_stop = np.where(stops.any(axis=1), stops.argmax(axis=1), HORIZON_MONTHS)
    gaps = supply[:, None] + _lateness(rng, shape)
    at_stop = np.arange(HORIZON_MONTHS)[None, :] == first_stop[:, None]
    gaps = np.where(at_stop, (supply + _absence(rng, start.size))[:, None], gaps)
    days = start[:, None] + np.cumsum(gaps, axis=1) - gaps
    last = np.take_along_axis(days, np.minimum(first_stop, HORIZON_MONTHS - 1)[:, None], axis=1)[:, 0]
    interrupted = last + supply + p.INTERRUPTION_DAYS
    return Refills(days, np.where(first_stop < HORIZON_MONTHS, np.minimum(interrupted, p.NEVER), p.NEVER))


def _lateness(rng: np.random.Generator, shape: tuple[int, int]) -> Ints:
    low, high, share = (np.array(column) for column in zip(*p.LATENESS, strict=True))
    segment = np.searchsorted(np.cumsum(share)[:-1], rng.random(shape), side="right")
    late: Ints = low[segment] + (rng.random(shape) * (high - low + 1)[segment]).astype(np.int64)
    return late


def _absence(rng: np.random.Generator, size: int) -> Ints:
    """Days without supply after a stop: 91 or more where she restarts, else for ever."""
    restarts: Bools = rng.random(size) < p.RESTART_SHARE
    days = 91 + rng.exponential(p.RESTART_MEAN_DAYS, size).astype(np.int64)
    return np.where(restarts, days, p.NEVER)
