"""Feeds: when each source would have been known to whoever reads a list.

A model that learns from complete data and runs on what has arrived is wrong by a third of its risks; so training
sees the log as the feed of its future user would have shown it. The lags are operational assumptions, written here
to be contested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from eventlogs.errors import InputError, did_you_mean
from eventlogs.log import TIME, EventLog, number
from pathways.definition import Kind, Language

Family = Literal["city", "hospital", "register"]

FAMILIES: dict[Family, str] = {"city": r"^ER_", "hospital": r"^T_", "register": r"^(IR|KI)_"}
"""Source families by the names of SNDS tables: DCIR, PMSI, beneficiaries and causes of death."""


@dataclass(frozen=True)
class Feed:
    """When each family of sources is known, and whether a list can be acted upon.

    Parameters
    ----------
    lag_days : mapping of family to int or None
        Days from the care (its end, when it has one) until it is known; None: the feed does not carry it.
        An empty mapping keeps the log's own ``known_from``.
    closes_monthly : bool
        Hospital care is sent once its month is over: the lag counts from the end of the month.
    actionable : tuple of str
        Kinds of breakdown for which a list arrives in time to call somebody.
    label : mapping of language to str
        What it is, in words.
    source : str
        Where the lags come from.
    """

    id: str
    lag_days: Mapping[Family, int | None]
    closes_monthly: bool
    actionable: tuple[Kind, ...]
    label: Mapping[Language, str]
    source: str

    @property
    def silence_lag_days(self) -> int:
        """Days after which silence can be read: the longest lag."""
        return max((lag for lag in self.lag_days.values() if lag is not None), default=0)


FEEDS: dict[str, Feed] = {
    feed.id: feed
    for feed in (
        Feed(
            id="snds_annual",
            lag_days={},
            closes_monthly=False,
            actionable=(),
            label={
                "fr": "SNDS, clôture annuelle : pseudonymisé et tardif, lecture rétrospective",
                "en": "SNDS, closed yearly: pseudonymised and late, retrospective reading",
            },
            source="the log's own dates: flux month of DCIR, closure of PMSI",
        ),
        Feed(
            id="pmsi_monthly",
            lag_days={"city": None, "hospital": 45, "register": None},
            closes_monthly=True,
            actionable=(),
            label={
                "fr": "PMSI mensuel : séjours seuls, connus 45 jours après la fin du mois, pseudonymisés",
                "en": "Monthly PMSI: stays only, known 45 days after the month's end, pseudonymised",
            },
            source="operational: a month is sent during the next one and validated after it",
        ),
        Feed(
            id="hospital_live",
            lag_days={"city": 30, "hospital": 2, "register": 30},
            closes_monthly=False,
            actionable=("late_step", "missed_step", "interruption"),
            label={
                "fr": "Système hospitalier du réseau : ses soins en 2 jours, les soins de ville en 30 jours",
                "en": "The network's own hospital system: its care within 2 days, city care within 30 days",
            },
            source="operational: a network's log is exported daily and learns of city care monthly",
        ),
    )
}


def feed(name: str) -> Feed:
    """Return a feed by its name.

    Raises
    ------
    InputError
        There is no such feed.
    """
    if name not in FEEDS:
        raise InputError(f"there is no feed '{name}'{did_you_mean(name, FEEDS)}")
    return FEEDS[name]


def feed_of(log: EventLog) -> Feed:
    """Return ``snds_annual`` when any source of the log is an SNDS table, else ``hospital_live``."""
    sources = pl.concat([log.events["source"], log.horizons["source"]]).drop_nulls().unique()
    snds = any(sources.str.contains(pattern).any() for pattern in FAMILIES.values())
    return FEEDS["snds_annual" if snds else "hospital_live"]


def under_feed(log: EventLog, profile: Feed) -> EventLog:
    """Return the log as if it had come through `profile`: ``known_from`` is recomputed from the dates of care.

    Care from sources outside the SNDS families keeps its own ``known_from``. Care that the feed does not carry
    leaves the log. Corrections belong to the feed that made them: withdrawn events of recomputed families leave too.

    Parameters
    ----------
    log : EventLog
        Any log.
    profile : Feed
        One of `FEEDS`, or your own.
    """
    if not profile.lag_days:
        return log
    carried = log.events.filter(~_family().is_in(_absent(profile)).fill_null(False))
    events = carried.with_columns(
        known_from=_known_from(profile), known_until=pl.when(_family().is_null()).then("known_until")
    )
    register = profile.lag_days.get("register")
    known_death = pl.lit(None) if register is None else pl.col("death_date") + pl.duration(days=register)
    patients = log.patients.with_columns(death_known_from=known_death.cast(TIME))
    withdrawn = log.withdrawn.filter(_family().is_null())
    return EventLog(number(events), patients, log.horizons, withdrawn, log.within_day)


def _family() -> pl.Expr:
    found = pl.lit(None, pl.String)
    for family, pattern in FAMILIES.items():
        found = pl.when(pl.col("source").str.contains(pattern)).then(pl.lit(family)).otherwise(found)
    return found


def _absent(profile: Feed) -> list[str]:
    return [family for family, lag in profile.lag_days.items() if lag is None]


def _known_from(profile: Feed) -> pl.Expr:
    ended = pl.max_horizontal("start", "end")
    monthly = (_family() == "hospital") & profile.closes_monthly
    sent = pl.when(monthly.fill_null(False)).then(ended.dt.month_end()).otherwise(ended)
    lags = {family: lag for family, lag in profile.lag_days.items() if lag is not None}
    lag = _family().replace_strict(lags, default=None, return_dtype=pl.Int64)
    return pl.coalesce(sent + pl.duration(days=lag), "known_from")
