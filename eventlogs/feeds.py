"""Feeds: when each source would have been known to whoever reads a list, and until when it would be complete.

A model that learns from complete data and runs on what has arrived is wrong by a third of its risks; so training
sees the log as the feed of its future user would have shown it. The lags are operational assumptions, written here
to be contested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

import polars as pl

from eventlogs.errors import InputError, did_you_mean
from eventlogs.log import TIME, EventLog, number

Family = Literal["city", "hospital", "register", "causes"]

FAMILIES: dict[Family, str] = {
    "city": r"^(ER|NS)_|^dcirs?$",
    "hospital": r"^T_|^(pmsi|mco|ssr|had|rip)$",
    "register": r"^IR_|^beneficiaries$",
    "causes": r"^KI_|^causes$",
}
"""Source families by the names of SNDS tables and horizons: DCIR and DCIRS; PMSI (MCO, external care, SSR, HAD, RIM-P);
beneficiaries; causes of death."""

DEATH, PALLIATIVE = "death", "palliative_care"
"""Activities that tell of a death and of an exit, in every definition and every log."""

STATE = ["patient_id", "activity", "start", "source", "code"]
"""What the states of one corrected row share."""

Period = Literal["care", "month", "year"]


@dataclass(frozen=True)
class Arrival:
    """When care of one family arrives.

    Parameters
    ----------
    lag_days : int
        Days from the end of the care, or of its period, until it is known.
    closes : {'care', 'month', 'year'}
        What must be over before it is sent: the care itself, its month, its year.
    """

    lag_days: int
    closes: Period = "care"

    def known_from(self) -> pl.Expr:
        """Return when an event is known, from its ``start`` and ``end``."""
        ended = pl.max_horizontal("start", "end")
        december = pl.datetime(ended.dt.year(), 12, 31)
        closed = {"care": ended, "month": ended.dt.month_end(), "year": december}[self.closes]
        return closed + pl.duration(days=self.lag_days)

    def complete_until(self, day: datetime) -> datetime:
        """Return the last moment of care of which everything has arrived at `day`."""
        arrived = day - timedelta(days=self.lag_days)
        if self.closes == "care":
            return arrived
        tomorrow = datetime.combine(arrived.date(), time.min) + timedelta(days=1)
        begun = tomorrow.replace(day=1) if self.closes == "month" else tomorrow.replace(month=1, day=1)
        return begun - timedelta(days=1)


@dataclass(frozen=True)
class Feed:
    """When each family of sources is known, and whether a list can be acted upon.

    Parameters
    ----------
    id : str
        Name.
    arrivals : mapping of family to Arrival or None
        How each family arrives; None: the feed does not carry it. Sources of no family arrive as they say.
    keeps_own_dates : bool
        The log's own ``known_from`` and ``known_until`` are those of this feed; `arrivals` then tell only until
        when each family is complete.
    actionable : tuple of str
        Kinds of breakdown for which a list arrives in time to call somebody.
    label : mapping of str to str
        What it is, in words, by language.
    source : str
        Where the lags come from.
    """

    id: str
    arrivals: Mapping[Family, Arrival | None]
    keeps_own_dates: bool
    actionable: tuple[str, ...]
    label: Mapping[str, str]
    source: str

    def complete_until(self, day: date | datetime) -> pl.Expr:
        """Return, from ``source``, the last moment of care of which everything has arrived at `day`."""
        at = _moment(day)
        until = {name: a.complete_until(at) for name, a in self.arrivals.items() if a is not None}
        return family_of().replace_strict(until, default=at, return_dtype=TIME)


FEEDS: dict[str, Feed] = {
    feed.id: feed
    for feed in (
        Feed(
            id="snds_annual",
            arrivals={
                "city": Arrival(183),
                "hospital": Arrival(183, closes="year"),
                "register": Arrival(183),
                "causes": Arrival(730),
            },
            keeps_own_dates=True,
            actionable=(),
            label={
                "fr": "SNDS, clôture annuelle : pseudonymisé et tardif, lecture rétrospective",
                "en": "SNDS, closed yearly: pseudonymised and late, retrospective reading",
            },
            source="rows: the log's own dates (flux month of DCIR, closure of PMSI); completeness: 98 to 99 % of "
            "claims after six months, PMSI about June of the next year, causes of death about two years (SNDS "
            "documentation)",
        ),
        Feed(
            id="pmsi_monthly",
            arrivals={
                "city": None,
                "hospital": Arrival(45, closes="month"),
                "register": None,
                "causes": None,
            },
            keeps_own_dates=False,
            actionable=(),
            label={
                "fr": "PMSI mensuel : séjours seuls, connus 45 jours après la fin du mois, pseudonymisés",
                "en": "Monthly PMSI: stays only, known 45 days after the month's end, pseudonymised",
            },
            source="operational: a month is sent during the next one and validated after it",
        ),
        Feed(
            id="hospital_live",
            arrivals={"city": Arrival(30), "hospital": Arrival(2), "register": Arrival(30), "causes": None},
            keeps_own_dates=False,
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
    snds = sources.to_frame("source").select(family_of().is_not_null().any()).item()
    return FEEDS["snds_annual" if snds else "hospital_live"]


def family_of() -> pl.Expr:
    """Return the `Family` of ``source``; null where it is no SNDS table."""
    found = pl.lit(None, pl.String)
    for family, pattern in FAMILIES.items():
        found = pl.when(pl.col("source").str.contains(pattern)).then(pl.lit(family)).otherwise(found)
    return found


def under_feed(log: EventLog, profile: Feed) -> EventLog:
    """Return the log as if it had come through `profile`: ``known_from`` and ``known_until`` are recomputed.

    A row is first known when its care arrives; what corrected it later keeps its distance from that day, so a line
    cancelled 60 days after it arrived is visible for 60 days here too. Care from sources of no family keeps its own
    dates. Care that the feed does not carry leaves the log, with its horizons. A death is known from the register,
    or from the event that tells it; an exit from the death or the palliative care that it is, or from claims.

    Parameters
    ----------
    log : EventLog
        Any log.
    profile : Feed
        One of `FEEDS`, or your own.
    """
    if profile.keeps_own_dates:
        return log
    carried = ~family_of().is_in(_absent(profile)).fill_null(False)
    firsts = log.withdrawn.group_by(STATE).agg(first=pl.col("known_from").min())
    events, withdrawn = (
        _rearrived(rows.filter(carried), firsts, profile) for rows in (log.events, log.withdrawn)
    )
    patients = _attributes_known(log.patients, events, profile)
    return EventLog(number(events), patients, log.horizons.filter(carried), withdrawn, log.within_day)


def _absent(profile: Feed) -> list[str]:
    return [family for family, arrival in profile.arrivals.items() if arrival is None]


def _rearrived(rows: pl.DataFrame, firsts: pl.DataFrame, profile: Feed) -> pl.DataFrame:
    """Move each row's days of knowledge; `firsts` tells when the first state of a corrected row was known."""
    known = rows.join(firsts, on=STATE, how="left", nulls_equal=True, maintain_order="left").with_columns(
        first=pl.min_horizontal("first", "known_from"), arrival=_arrival(profile)
    )
    shift = (pl.col("arrival") - pl.col("first")).fill_null(pl.duration(days=0))
    return known.with_columns(pl.col("known_from", "known_until") + shift).select(rows.columns)


def _arrival(profile: Feed) -> pl.Expr:
    arrival = pl.lit(None, TIME)
    for family, rule in profile.arrivals.items():
        if rule is not None:
            arrival = pl.when(family_of() == family).then(rule.known_from()).otherwise(arrival)
    return arrival


def _attributes_known(patients: pl.DataFrame, events: pl.DataFrame, profile: Feed) -> pl.DataFrame:
    """Say since when deaths and exits are known: silence is read in claims, with the delay that the log gives it."""
    register = profile.arrivals.get("register")
    read = pl.lit(None) if register is None else pl.col("death_date") + pl.duration(days=register.lag_days)
    deaths = events.filter(pl.col("activity") == DEATH).group_by("patient_id")
    comfort = events.filter(pl.col("activity") == PALLIATIVE).group_by("patient_id", exit_date="start")
    joined = patients.join(
        deaths.agg(told_dead=pl.col("known_from").min()), on="patient_id", how="left", maintain_order="left"
    ).join(
        comfort.agg(told_palliative=pl.col("known_from").min()),
        on=["patient_id", "exit_date"],
        how="left",
        maintain_order="left",
    )
    died = pl.when(pl.col("death_date").is_not_null()).then(pl.min_horizontal(read.cast(TIME), "told_dead"))
    silent = None if "city" in _absent(profile) else "exit_known_from"
    left = (
        pl.when(pl.col("exit_reason") == "death").then("death_known_from")
        .when(pl.col("exit_reason") == PALLIATIVE).then("told_palliative")
        .otherwise(silent)
    )  # fmt: skip
    known = joined.with_columns(death_known_from=died).with_columns(exit_known_from=left.cast(TIME))
    return known.select(patients.columns)


def _moment(day: date | datetime) -> datetime:
    return day if isinstance(day, datetime) else datetime.combine(day, time.min)
