"""A trap of the care itself: the fall of the spring of 2020."""

from __future__ import annotations

from datetime import date

import polars as pl

from eventlogs.synthetic import parameters as p
from eventlogs.synthetic.quirks.draw import Rng, drawn

LOCKDOWN = p.day_number(date(2020, 3, 17)), p.day_number(date(2020, 5, 10))
FEWER_VISITS_SHARE = 0.40
VISITS = ("gp_consultation", "emergency_visit")


def covid(events: pl.DataFrame, rng: Rng) -> pl.DataFrame:
    """Fewer visits to general practitioners and emergency departments during the lockdown; the course is untouched."""
    during = events["day"].is_between(*LOCKDOWN) & events["activity"].is_in(VISITS)
    return events.filter(~(during & drawn(rng, events.height, FEWER_VISITS_SHARE)))
