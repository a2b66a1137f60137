"""Drift: when pathways changed, and whether it was practice, coding, the feed or the epidemic.

Rules
-----
- *Window*: what happens from `BEFORE_DAYS` before a patient's index date to ``within_days`` after it, so that a month
  holds patients at every distance from their index. Months in which recruitment has not filled that window yet, or no
  longer does, are left out: it runs from the first to the last month with half the usual number of new patients.
- *Steps* (``kind`` = ``edge``): a patient counts once a source, in the month of the first such event: the share whose
  next event within ``step_days`` is the target, or ``■`` for none. Months whose steps could not all be seen by the
  horizon of the sources are left out, and so is a patient whose own observation ends before the step.
- *Activities*: a patient counts once, in the month of the first such event. They are compared with the number expected
  from the patients at risk each month, by time since index (indirect standardisation), so that months with many new
  patients do not look like a change.
- *Codes*: within an activity, the share of each code among the first events of the month.
- *Change points*: PELT (Killick, Fearnhead and Eckley, JASA 107, 2012; ``ruptures``) on the binomial likelihood of
  the shares (Poisson for activities), divided by the dispersion between neighbouring months, with a penalty of
  ``3 log(months)``, after Zhang and Siegmund, *A modified Bayes information criterion*, Biometrics 63, 2007.
- *Significance*: months between the neighbouring change points are permuted, the statistic being the best split. Over
  all series with enough patients, those without a change counted with a p-value of 1, at most `FALSE_DISCOVERIES` of
  the changes told are expected to be false (Benjamini and Hochberg).
- *Labels*: see `label_changes`.
- *Distance*: Jensen–Shannon distance (base 2, 0 to 1) of each month's steps from all months together, source by
  source, weighted by source, beside the 95th percentile of what chance alone would give.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from eventlogs.errors import DefinitionError, LogError, did_you_mean
from eventlogs.log import EventLog
from pathways.definition import Pathway
from pathways.mining.drift.changes import CHANGE_COLUMNS, FALSE_DISCOVERIES, find_changes
from pathways.mining.drift.labels import KNOWN_COLUMNS, LABELS, known_changes, label_changes
from pathways.mining.drift.monthly import (
    BEFORE_DAYS,
    DISTANCE_COLUMNS,
    MONTH_COLUMNS,
    Passages,
    monthly_activities,
    monthly_codes,
    monthly_distance,
    monthly_steps,
)
from pathways.mining.maps import phase_log

__all__ = [
    "BEFORE_DAYS",
    "CHANGE_COLUMNS",
    "DISTANCE_COLUMNS",
    "FALSE_DISCOVERIES",
    "KNOWN_COLUMNS",
    "LABELS",
    "MONTH_COLUMNS",
    "Drift",
    "Passages",
    "drift",
    "find_changes",
    "known_changes",
    "label_changes",
    "monthly_activities",
    "monthly_codes",
    "monthly_distance",
    "monthly_steps",
]

DriftLevel = Literal["activity", "phase"]
WITHIN_DAYS = 365
STEP_DAYS = 90


@dataclass(frozen=True)
class Drift:
    """When pathways changed.

    Parameters
    ----------
    level : {'activity', 'phase'}
        What steps and activities are.
    months : polars.DataFrame
        `MONTH_COLUMNS`: every series, month by month.
    changes : polars.DataFrame
        `CHANGE_COLUMNS`: significant changes, the earliest first.
    distance : polars.DataFrame
        `DISTANCE_COLUMNS`.

    Notes
    -----
    Counts here may be small: drift leaves through `pathways.disclosure` only.
    """

    level: DriftLevel
    months: pl.DataFrame = field(repr=False)
    changes: pl.DataFrame = field(repr=False)
    distance: pl.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        counts = self.changes.group_by("label").len().sort("label").rows()
        told = ", ".join(f"{n} {label}" for label, n in counts) or "no change"
        return f"Drift({self.months['month'].n_unique()} months by {self.level}: {told})"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.changes._repr_html_()}"


def drift(
    log: EventLog,
    pathway: Pathway | None = None,
    *,
    level: DriftLevel = "activity",
    within_days: int = WITHIN_DAYS,
    step_days: int = STEP_DAYS,
    known: pl.DataFrame | None = None,
    seed: int = 0,
) -> Drift:
    """Find when steps, activities and codes changed, and say why where it is known.

    Parameters
    ----------
    log : EventLog
        Any log of activities. Without index dates, a patient's index is the first event; without a horizon, the log
        ends on the day of its last event.
    pathway : Pathway, optional
        Gives phases; needed for them only.
    level : {'activity', 'phase'}
        What steps and activities are; codes are always those of activities.
    within_days : int
        Days after the index date that are looked at, 1 or more.
    step_days : int
        Days within which a next event counts as a step, 1 or more.
    known : polars.DataFrame, optional
        `KNOWN_COLUMNS`: dated changes; default: those of the package, see `known_changes`.
    seed : int
        Of permutations; the same seed gives the same result for any row order.

    Returns
    -------
    Drift
        Empty tables where no month is left.

    Raises
    ------
    LogError
        There is no such level, or a number of days is below 1.
    DefinitionError
        Phases are asked for and there is no definition.

    Examples
    --------
    >>> drift(study.log(), study.pathway()).changes  # doctest: +SKIP
    """
    _check(level, within_days, step_days)
    seen = _at(log, pathway, level)
    passages = Passages.of(seen, within_days)
    steps = monthly_steps(passages, step_days=step_days)
    coded = passages if level == "activity" else Passages.of(log, within_days)
    months = pl.concat([steps, monthly_activities(passages), monthly_codes(coded)])
    found = find_changes(months, seed=seed)
    phases = pathway.phase_of() if pathway is not None and level == "phase" else {}
    return Drift(
        level=level,
        months=months,
        changes=label_changes(found, log, known_changes() if known is None else known, phases),
        distance=monthly_distance(steps, seed=seed),
    )


def _check(level: str, within_days: int, step_days: int) -> None:
    if level not in ("activity", "phase"):
        raise LogError(f"there is no level '{level}'{did_you_mean(level, ('activity', 'phase'))}")
    for name, days in (("within_days", within_days), ("step_days", step_days)):
        if days < 1:
            raise LogError(f"{name} = {days}; give 1 or more")


def _at(log: EventLog, pathway: Pathway | None, level: DriftLevel) -> EventLog:
    if level == "activity":
        return log
    if pathway is None:
        raise DefinitionError("the level 'phase' needs a definition; give one, or the level 'activity'")
    return phase_log(log, pathway)
