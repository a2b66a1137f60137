"""What a quality check looks at, and what a check is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Literal

import polars as pl

from eventlogs.feeds import family_of
from eventlogs.log import EventLog
from eventlogs.strata import in_covid_months

Severity = Literal["fatal", "warning", "information"]
Category = Literal["conformance", "completeness", "plausibility"]
Kind = Literal["value", "relational", "computational", "completeness", "uniqueness", "atemporal", "temporal"]
"""Subcategories of Kahn's framework; completeness has none of its own."""

Findings = Mapping[str, tuple[int, int]]
"""By stratum (``""``: all), how many were found and out of how many; out of 0 says that there is nothing to look at."""

OPERATIONAL = "operational default of this package"

WHOLE = "all"
"""Stratum, or source of a horizon, that holds for every source."""


@dataclass(frozen=True)
class Counted:
    """A count that the build left and that is worth a line.

    Parameters
    ----------
    id : str
        The count is ``trap.<id>``.
    words : str
        What was counted.
    unit : str
        In which unit.
    source : str
        Where the rule comes from.
    among : str
        Name of the count that it is a share of, or of counts by year (``chained`` of ``chained.2021``); empty: of none.
    """

    id: str
    words: str
    unit: str
    source: str
    among: str = ""


@dataclass(frozen=True)
class Evidence:
    """A log and all that is known of how it was made.

    Parameters
    ----------
    log : EventLog
        The log.
    counts : mapping of str to int
        Counts of the build: rows read and dropped, by reason.
    traps : tuple of Counted
        Traps whose counts are among `counts`.
    origins : polars.DataFrame or None
        ``patient_id`` and ``rank`` of the event that each source row stands for; None: not kept.
    absent : tuple of str or None
        Tables and columns that the build looked for in vain; None: not known.
    activities : collection of str or None
        Activities that the definition names; None: there is no definition.
    today : datetime.date
        After this day nothing can have happened.
    """

    log: EventLog
    counts: Mapping[str, int]
    traps: tuple[Counted, ...]
    origins: pl.DataFrame | None = field(repr=False)
    absent: tuple[str, ...] | None
    activities: Collection[str] | None
    today: date

    @property
    def events(self) -> pl.DataFrame:
        """Events of the log."""
        return self.log.events

    @property
    def patients(self) -> pl.DataFrame:
        """Patients of the log."""
        return self.log.patients

    def total(self, name: str) -> int:
        """Return a count of the build, or the sum of its counts by year."""
        return sum(number for key, number in self.counts.items() if key == name or key.startswith(f"{name}."))

    @cached_property
    def dated(self) -> pl.DataFrame:
        """Events, each with what is known of its patient."""
        return self.events.join(self.patients, on="patient_id", how="left", maintain_order="left")

    @cached_property
    def edges(self) -> pl.DataFrame:
        """Until when each source is complete: ``stratum`` (family of tables, or source), ``until``."""
        general = self.log.horizons.filter(pl.col("patient_id").is_null()).drop_nulls("observed_until")
        return general.group_by(stratum=_stratum()).agg(until=pl.col("observed_until").min())

    @cached_property
    def months(self) -> pl.DataFrame:
        """Patients of each whole month before the horizon, whose number sessions do not inflate: ``stratum``,
        ``month``, ``n``, ``covid``; zeros too."""
        return _whole_months(self._observed, ["stratum"])

    @cached_property
    def facility_months(self) -> pl.DataFrame:
        """As `months`, of each ``facility``."""
        return _whole_months(self._observed.drop_nulls("facility"), ["stratum", "facility"])

    @cached_property
    def follow_up(self) -> pl.DataFrame:
        """Events by source, month of index and month: ``stratum``, ``month``, ``covid``, ``months_since_index``,
        ``patients`` (of that index month), ``n``; zeros too."""
        first = self.events.group_by("patient_id").agg(first=pl.col("start").min())
        index = self.patients.join(first, on="patient_id").select(
            "patient_id", index=pl.coalesce("index_date", "first").cast(pl.Date).dt.month_start()
        )
        cohorts = index.group_by("index").agg(patients=pl.len())
        counted = (
            self._observed.join(index, on="patient_id")
            .group_by("stratum", "index", month=pl.col("start").dt.month_start())
            .agg(n=pl.len())
        )
        cells = self.months.drop("n").join(cohorts, how="cross")
        return cells.join(counted, on=["stratum", "index", "month"], how="left").with_columns(
            pl.col("n").fill_null(0), months_since_index=_number_of("month") - _number_of("index")
        )

    @cached_property
    def _observed(self) -> pl.DataFrame:
        whole = self.edges.filter(pl.col("stratum") == WHOLE)["until"].min()
        told = self.events.select("patient_id", "facility", "start", stratum=_stratum())
        joined = told.join(self.edges, on="stratum", how="left")
        until = pl.coalesce("until", pl.lit(whole, pl.Datetime("us")), pl.col("start").max())
        return joined.with_columns(pl.col("start").cast(pl.Date), until=until.cast(pl.Date))


def _number_of(month: str) -> pl.Expr:
    return pl.col(month).dt.year() * 12 + pl.col(month).dt.month()


def _stratum() -> pl.Expr:
    return pl.coalesce(family_of(), "source", pl.lit(WHOLE))


def _whole_months(events: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    month = pl.col("start").dt.month_start()
    counted = (
        events.filter(month.dt.month_end() <= pl.col("until"))
        .group_by(*key, month=month)
        .agg(n=pl.col("patient_id").n_unique(), until=pl.col("until").first())
    )
    last = pl.col("until").max().dt.offset_by("1d").dt.month_start().dt.offset_by("-1mo")
    spans = counted.group_by(key).agg(first=pl.col("month").min(), last=last)
    every = spans.select(*key, month=pl.date_ranges("first", "last", "1mo")).explode("month")
    filled = every.join(counted, on=[*key, "month"], how="left").with_columns(
        pl.col("n").fill_null(0), covid=in_covid_months("month")
    )
    return filled.drop("until").sort(*key, "month")


Find = Callable[[Evidence], Findings]


@dataclass(frozen=True)
class Rule:
    """One check: what it looks for, in which unit, and how much of it is allowed.

    Parameters
    ----------
    id : str
        Name.
    category, kind : str
        Of Kahn's framework.
    severity : {'fatal', 'warning', 'information'}
        What a failure means: the study can't be used, look at the source, know it.
    unit : str
        What is counted.
    threshold : float or None
        Largest share that passes; None: counted and never failed.
    words : str
        What is found.
    find : callable
        Looks for it.
    why : str
        Where the threshold comes from.
    """

    id: str
    category: Category
    kind: Kind
    severity: Severity
    unit: str
    threshold: float | None
    words: str
    find: Find = field(repr=False)
    why: str = OPERATIONAL


def one(found: int, out_of: int) -> Findings:
    """Return findings without strata."""
    return {"": (found, out_of)}


def share_of(frame: pl.DataFrame, wrong: pl.Expr, among: pl.Expr | None = None) -> Findings:
    """Return how many rows are wrong, of all or of those `among`; null is not wrong."""
    looked_at = frame if among is None else frame.filter(among)
    return one(int(looked_at.select(wrong.fill_null(False).sum()).item()), looked_at.height)


NOTHING: Findings = one(0, 0)
"""There is nothing to look at."""
