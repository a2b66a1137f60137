"""What is known about a patient at a landmark, and nothing later.

A *row* is an expectation that is open at a landmark (patient, breakdown, landmark). Its features are read from the
log as it was known then, which is passed in: what came later, or was known later, isn't there to leak. Counts are
made by array kernels over events sorted by patient and time, one pass a landmark.

Deprivation is not a feature: it serves to audit the list, not to make it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.errors import InputError
from eventlogs.feeds import Feed, under_feed
from eventlogs.log import TIME, EventLog
from pathways.definition import BreakdownDefinition, Language, Pathway
from pathways.followup import general_horizon, until
from pathways.risk.breakdown import PENDING_COLUMNS, BreakdownResults, pending

Unit = Literal["days", "count", "share", "years", "flag", "category"]
About = Literal["expectation", "history", "person", "place"]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WINDOWS_DAYS = (30, 90, 180, 365)
EMERGENCY = "emergency_visit"
CATEGORY = "territory"
KEYS = ("patient_id", "breakdown", "landmark")

ROW_COLUMNS: dict[str, pl.DataType] = {**PENDING_COLUMNS, "landmark": TIME}
"""A landmark row: a pending expectation and its landmark."""


UNKNOWN: Mapping[Language, str] = {"fr": "inconnu", "en": "unknown"}
NEVER: Mapping[Language, str] = {"fr": "jamais", "en": "never"}
NONE: Mapping[Language, str] = {"fr": "aucun", "en": "none"}


@dataclass(frozen=True)
class Feature:
    """One column: its name, its words, its unit, what it is about, and the word for a missing value."""

    id: str
    label: Mapping[Language, str]
    unit: Unit
    about: About = "history"
    missing: Mapping[Language, str] = field(default_factory=lambda: UNKNOWN)


def _feature(id: str, fr: str, en: str, unit: Unit, about: About = "history", **more: Any) -> Feature:
    return Feature(id, {"fr": fr, "en": en}, unit, about, **more)


FEATURES: tuple[Feature, ...] = (
    _feature(
        "days_since_opened",
        "Jours depuis l'ouverture de l'attente",
        "Days since the expectation opened",
        "days",
        "expectation",
    ),
    _feature("days_until_due", "Jours avant l'échéance", "Days until due", "days", "expectation"),
    _feature(
        "days_until_deadline",
        "Jours avant la fin de tolérance",
        "Days until the deadline",
        "days",
        "expectation",
    ),
    _feature(
        "share_of_window_used", "Part du délai écoulée", "Share of the window used", "share", "expectation"
    ),
    _feature(
        "n_past_steps",
        "Nombre de fois où l'étape attendue a déjà eu lieu",
        "Times the expected step came before",
        "count",
    ),
    _feature(
        "days_since_step",
        "Jours depuis la dernière étape de ce type",
        "Days since the last such step",
        "days",
        "expectation",
        missing=NEVER,
    ),
    _feature(
        "step_gap_mean_days",
        "Écart moyen entre ces étapes",
        "Mean gap between such steps",
        "days",
        missing=NONE,
    ),
    _feature(
        "step_gap_max_days",
        "Plus long écart entre ces étapes",
        "Longest gap between such steps",
        "days",
        missing=NONE,
    ),
    *(
        _feature(
            f"n_events_{days}d",
            f"Soins du parcours sur {days} jours",
            f"Pathway events in {days} days",
            "count",
        )
        for days in WINDOWS_DAYS
    ),
    _feature(
        "days_since_event",
        "Jours depuis le dernier soin du parcours",
        "Days since the last pathway event",
        "days",
        missing=NEVER,
    ),
    _feature(
        "gap_mean_days",
        "Écart moyen entre jours de soin",
        "Mean gap between days of care",
        "days",
        missing=NONE,
    ),
    _feature(
        "gap_max_days",
        "Plus long écart entre jours de soin",
        "Longest gap between days of care",
        "days",
        missing=NONE,
    ),
    _feature(
        "gap_last_days",
        "Dernier écart entre jours de soin",
        "Last gap between days of care",
        "days",
        missing=NONE,
    ),
    _feature("n_activities", "Activités différentes", "Distinct activities", "count"),
    _feature(
        "n_emergency_180d", "Passages aux urgences sur 180 jours", "Emergency visits in 180 days", "count"
    ),
    _feature(
        "n_facilities_365d",
        "Établissements différents sur 365 jours",
        "Distinct facilities in 365 days",
        "count",
        "place",
    ),
    _feature("n_handovers", "Changements d'établissement", "Changes of facility", "count", "place"),
    _feature(
        "share_care_elsewhere",
        "Part des soins hors du département de résidence",
        "Share of care outside the territory of residence",
        "share",
        "place",
    ),
    _feature("days_since_index", "Jours depuis la date index", "Days since the index date", "days"),
    _feature("age_years", "Âge", "Age", "years", "person"),
    _feature("is_female", "Femme", "Woman", "flag", "person"),
)
"""Features of every pathway; `describe` adds those of one pathway's phases, activities and breakdowns."""


def describe(pathway: Pathway) -> tuple[Feature, ...]:
    """Return every feature of `pathway`, in the order of the columns; the last one is the category."""
    groups, several = dict.fromkeys(phases(pathway).values()), bool(pathway.activities)
    return (
        *FEATURES,
        *(item for group in groups for item in _of_group(pathway, group)),
        *(_of_activity(pathway, activity) for activity in (pathway.activities if several else ())),
        *(_of_breakdown(item) for item in pathway.breakdowns.values()),
        _feature(CATEGORY, "Département de résidence", "Territory of residence", "category", "person"),
    )


def feature_names(pathway: Pathway) -> tuple[str, ...]:
    """Return the names of the columns."""
    return tuple(item.id for item in describe(pathway))


def phases(pathway: Pathway) -> dict[str, str]:
    """Return group by activity: the phases, or the breakdowns' own activities where a definition has no phases."""
    if pathway.activities:
        return pathway.phase_of()
    words = [
        word
        for item in pathway.breakdowns.values()
        for word in (*item.trigger, *item.restarts, *item.expected)
    ]
    return {word: word for word in words}


def _of_group(pathway: Pathway, group: str) -> tuple[Feature, Feature]:
    fr, en = pathway.name(group, "fr"), pathway.name(group, "en")
    since_fr, since_en = f"Jours depuis le dernier soin ({fr})", f"Days since the last event ({en})"
    return (
        _feature(f"n_365d_{group}", f"Soins sur 365 jours ({fr})", f"Events in 365 days ({en})", "count"),
        _feature(recency_of(group), since_fr, since_en, "days", missing=NEVER),
    )


def recency_of(group: str) -> str:
    """Return the name of the feature that tells the days since a group of activities."""
    return f"days_since_{group}"


def _of_activity(pathway: Pathway, activity: str) -> Feature:
    fr, en = pathway.name(activity, "fr"), pathway.name(activity, "en")
    return _feature(
        f"n_activity_{activity}", f"Nombre sur 365 jours ({fr})", f"Number in 365 days ({en})", "count"
    )


def _of_breakdown(item: BreakdownDefinition) -> Feature:
    return _feature(f"breakdown_{item.id}", item.label["fr"], item.label["en"], "flag", "expectation")


def landmark_dates(log: EventLog, pathway: Pathway) -> list[datetime]:
    """Return the calendar landmarks of a log: every ``landmark_every_days``, horizon fully observed after each.

    The last one is ``horizon_days`` before the earliest source's horizon, the others step back from it to the first
    event.
    """
    first, last = log.events["start"].min(), general_horizon(log)
    if not isinstance(first, datetime) or last is None:
        return []
    newest = datetime.combine(last.date(), time.min) - timedelta(days=pathway.risk.horizon_days)
    every = timedelta(days=max(1, pathway.risk.landmark_every_days))
    return [newest - every * step for step in range((newest - first) // every, -1, -1)]


def landmark_rows(
    log: EventLog, pathway: Pathway, dates: Iterable[date | datetime], feed: Feed
) -> pl.DataFrame:
    """Return the expectations open at each landmark, as known then through `feed` (`ROW_COLUMNS`).

    Parameters
    ----------
    log : EventLog
        The whole log.
    pathway : Pathway
        Its breakdowns.
    dates : iterable of date
        Landmarks.
    feed : Feed
        When each source is known.
    """
    return landmark_table(log, pathway, dates, feed).select(*ROW_COLUMNS)


def landmark_table(
    log: EventLog, pathway: Pathway, dates: Iterable[date | datetime], feed: Feed
) -> pl.DataFrame:
    """Return the landmark rows with their features: `ROW_COLUMNS`, then `feature_names`."""
    fed = under_feed(log, feed)
    tables = [_one_landmark(fed.as_of(day, feed), pathway, day) for day in dates]
    return pl.concat([_no_rows(pathway), *tables])


def _no_rows(pathway: Pathway) -> pl.DataFrame:
    kinds = {item.id: pl.String() if item.id == CATEGORY else pl.Float64() for item in describe(pathway)}
    return pl.DataFrame(schema={**ROW_COLUMNS, **kinds})


def _one_landmark(known: EventLog, pathway: Pathway, day: date | datetime) -> pl.DataFrame:
    rows = rows_at(known, pathway, day)
    return pl.concat([rows, features(known, rows, pathway)], how="horizontal")


def rows_at(known: EventLog, pathway: Pathway, day: date | datetime) -> pl.DataFrame:
    """Return the rows of one landmark (`ROW_COLUMNS`): expectations that can break within the horizon.

    Their deadline is still to come and not later than ``risk.horizon_days`` ahead: a later one can't break in time,
    whatever happens, and such rows would only flatter the model.

    Parameters
    ----------
    known : EventLog
        ``log.as_of(day)``.
    """
    at = pl.lit(day).cast(TIME)
    latest = at + pl.duration(days=pathway.risk.horizon_days)
    can_break = (pl.col("deadline") > at) & (pl.col("deadline") <= latest)
    return pending(known, pathway, day).filter(can_break).with_columns(landmark=at)


def features(known: EventLog, rows: pl.DataFrame, pathway: Pathway) -> pl.DataFrame:
    """Return the features of `rows`, in their order: `feature_names`, Float64, the category String; null is unknown.

    Parameters
    ----------
    known : EventLog
        The log as of the landmark.
    rows : polars.DataFrame
        `ROW_COLUMNS`, all of one landmark.
    pathway : Pathway
        The definition.

    Raises
    ------
    InputError
        The rows have several landmarks: the log can be as of one only.
    """
    if rows["landmark"].n_unique() > 1:
        raise InputError("the rows have several landmarks; pass those of one landmark with the log as of it")
    if rows.is_empty():
        return _no_rows(pathway).select(feature_names(pathway))
    at = rows["landmark"][0]
    people = rows.select("patient_id").unique(maintain_order=True).with_row_index("code")
    history = _history(until(known, at), people, at)
    of_patient = people.select("patient_id").hstack(pl.DataFrame(_patient_columns(history, pathway)))
    table = (
        rows.join(people, on="patient_id", how="left", maintain_order="left")
        .join(of_patient, on="patient_id", how="left", maintain_order="left")
        .join(_person_columns(known, at, pathway), on="patient_id", how="left", maintain_order="left")
        .with_columns(_expectation_columns(pathway))
        .pipe(_with_steps, history, pathway)
    )
    names = [name for name in feature_names(pathway) if name != CATEGORY]
    return table.select(pl.col(names).cast(pl.Float64).fill_nan(None), pl.col(CATEGORY))


def labels(results: BreakdownResults, rows: pl.DataFrame, horizon_days: int) -> pl.Series:
    """Return what became of `rows` within the horizon: 1 broken, 0 not, null where it can't be known.

    1: an episode of that breakdown breaks after the landmark and up to ``horizon_days`` later. 0: none does, and the
    patient was observed until then or died. Null: the window is not fully observed. A row is excluded by its window
    alone, whatever happened inside, so that quick outcomes aren't over-represented.

    Parameters
    ----------
    results : BreakdownResults
        From the complete log.
    rows : polars.DataFrame
        `ROW_COLUMNS`.
    horizon_days : int
        Days ahead.

    Returns
    -------
    polars.Series
        Int8, in the order of `rows`.
    """
    breaks = results.episodes.drop_nulls("broken_on").select("patient_id", "breakdown", "broken_on")
    keyed = rows.select(*KEYS).with_row_index("row")
    end = pl.col("landmark") + pl.duration(days=horizon_days)
    inside = (pl.col("broken_on") > pl.col("landmark")) & (pl.col("broken_on") <= end)
    broken = keyed.join(breaks, on=["patient_id", "breakdown"]).filter(inside)["row"].unique()
    return (
        keyed.join(results.followed, on="patient_id", how="left", maintain_order="left")
        .select(
            label=pl.when(pl.col("followed_until") >= end).then(
                pl.col("row").is_in(broken.implode()).cast(pl.Int8)
            )
        )
        .to_series()
    )


@dataclass(frozen=True)
class _History:
    """Events of the people asked for, sorted by person and time; ``age`` is in days before the landmark."""

    n: int
    code: Ints
    age: Floats
    activity: Ints
    facility: Ints
    elsewhere: Floats
    """1 outside the territory of residence, 0 inside, NaN unknown."""
    words: Mapping[str, int]
    """Code by activity."""

    def of(self, mask: NDArray[np.bool_]) -> _History:
        return _History(
            self.n,
            self.code[mask],
            self.age[mask],
            self.activity[mask],
            self.facility[mask],
            self.elsewhere[mask],
            self.words,
        )

    def among(self, words: Iterable[str]) -> _History:
        wanted = np.zeros(len(self.words), dtype=bool)
        wanted[[self.words[word] for word in words if word in self.words]] = True
        return self.of(wanted[self.activity])

    def counts(self, within_days: float = np.inf) -> Floats:
        return np.bincount(self.code[self.age <= within_days], minlength=self.n).astype(float)

    def recency(self) -> Floats:
        last = np.full(self.n, np.nan)
        last[self.code] = self.age
        return last

    def distinct(self, values: Ints) -> Floats:
        pairs = np.unique(self.code * (values.max(initial=0) + 1) + values)
        return np.bincount(pairs // (values.max(initial=0) + 1), minlength=self.n).astype(float)

    def changes(self, values: Ints) -> Floats:
        changed = (self.code[1:] == self.code[:-1]) & (values[1:] != values[:-1])
        return np.bincount(self.code[1:][changed], minlength=self.n).astype(float)

    def gaps(self) -> tuple[Floats, Floats, Floats]:
        """Mean, longest and last number of days between consecutive days of care; NaN without two days."""
        days = np.floor(self.age)
        gap = days[:-1] - days[1:]
        kept = (self.code[1:] == self.code[:-1]) & (gap > 0)
        code, gap = self.code[1:][kept], gap[kept]
        number = np.bincount(code, minlength=self.n)
        total = np.bincount(code, weights=gap, minlength=self.n)
        longest, last = np.full(self.n, -np.inf), np.full(self.n, np.nan)
        np.maximum.at(longest, code, gap)
        last[code] = gap
        mean = np.where(number > 0, total / np.maximum(number, 1), np.nan)
        return mean, np.where(number > 0, longest, np.nan), last


def _history(known: EventLog, people: pl.DataFrame, at: datetime) -> _History:
    home = known.patients.select("patient_id", home="territory")
    day = pl.lit(at).dt.truncate("1d")
    events = (
        known.events.select("patient_id", "activity", "start", "facility", "territory_of_care")
        .join(people, on="patient_id", how="inner", maintain_order="left")
        .join(home, on="patient_id", how="left", maintain_order="left")
        .sort("code", "start", maintain_order=True)
        .with_columns(
            age=(day - pl.col("start").dt.truncate("1d")).dt.total_days().cast(pl.Float64).clip(0),
            facility=pl.col("facility").rank("dense").cast(pl.Int64).fill_null(0),
            word=pl.col("activity").cast(pl.Enum(known.activities)).to_physical().cast(pl.Int64),
            elsewhere=(pl.col("territory_of_care") != pl.col("home")).cast(pl.Float64),
        )
    )
    return _History(
        n=people.height,
        code=events["code"].cast(pl.Int64).to_numpy(),
        age=events["age"].to_numpy(),
        activity=events["word"].to_numpy(),
        facility=events["facility"].to_numpy(),
        elsewhere=events["elsewhere"].fill_null(np.nan).to_numpy(),
        words={word: code for code, word in enumerate(known.activities)},
    )


def _patient_columns(history: _History, pathway: Pathway) -> dict[str, Floats]:
    year = history.of(history.age <= 365)
    placed, recent = history.of(history.facility > 0), year.of(year.facility > 0)
    mean, longest, last = history.gaps()
    return {
        **{f"n_events_{days}d": history.counts(days) for days in WINDOWS_DAYS},
        "days_since_event": history.recency(),
        "gap_mean_days": mean,
        "gap_max_days": longest,
        "gap_last_days": last,
        "n_activities": history.distinct(history.activity),
        "n_emergency_180d": history.among([EMERGENCY]).counts(180),
        "n_facilities_365d": recent.distinct(recent.facility),
        "n_handovers": placed.changes(placed.facility),
        "share_care_elsewhere": _share(year),
        **_group_columns(history, year, pathway),
    }


def _share(year: _History) -> Floats:
    known = year.of(~np.isnan(year.elsewhere))
    total = known.counts()
    away = np.bincount(known.code, weights=known.elsewhere, minlength=known.n)
    return np.where(total > 0, away / np.maximum(total, 1), np.nan)


def _group_columns(history: _History, year: _History, pathway: Pathway) -> dict[str, Floats]:
    groups = phases(pathway)
    columns: dict[str, Floats] = {}
    for group in dict.fromkeys(groups.values()):
        words = [activity for activity, name in groups.items() if name == group]
        columns[f"n_365d_{group}"] = year.among(words).counts()
        columns[recency_of(group)] = history.among(words).recency()
    for activity in pathway.activities:
        columns[f"n_activity_{activity}"] = year.among([activity]).counts()
    return columns


def _known_index(known: EventLog, pathway: Pathway) -> pl.DataFrame:
    """Return each patient's first index event among those known: that of the patients table may not have come yet."""
    anchors = pathway.cohort.index_activities
    events = known.events.filter(pl.col("activity").is_in(anchors)) if anchors else known.events
    return events.group_by("patient_id").agg(known_index=pl.col("start").min())


def _person_columns(known: EventLog, at: datetime, pathway: Pathway) -> pl.DataFrame:
    seen = pl.max_horizontal("index_date", "known_index")
    index = pl.when(
        pl.col("index_date").is_not_null() & pl.col("known_index").is_not_null(), seen <= at
    ).then(seen)
    people = known.patients.join(
        _known_index(known, pathway), on="patient_id", how="left", maintain_order="left"
    )
    return people.select(
        "patient_id",
        CATEGORY,
        age_years=(at.year - pl.col("birth_year")).cast(pl.Float64),
        is_female=pl.when(pl.col("sex").is_in(["F", "2"]))
        .then(1.0)
        .when(pl.col("sex").is_not_null())
        .then(0.0),
        days_since_index=(pl.lit(at) - index).dt.total_days().cast(pl.Float64),
    )


def _expectation_columns(pathway: Pathway) -> list[pl.Expr]:
    day = pl.col("landmark").dt.truncate("1d")
    window = (pl.col("deadline") - pl.col("opened")).dt.total_days()
    used = (day - pl.col("opened")).dt.total_days()
    return [
        used.alias("days_since_opened"),
        (pl.col("due") - day).dt.total_days().alias("days_until_due"),
        (pl.col("deadline") - day).dt.total_days().alias("days_until_deadline"),
        pl.when(window > 0).then(used / window).alias("share_of_window_used"),
        *(
            (pl.col("breakdown") == name).cast(pl.Float64).alias(f"breakdown_{name}")
            for name in pathway.breakdowns
        ),
    ]


def _with_steps(table: pl.DataFrame, history: _History, pathway: Pathway) -> pl.DataFrame:
    """Add, for each row, the past of its own expected step."""
    steps = pl.concat([_steps(history.among(item.expected), item.id) for item in pathway.breakdowns.values()])
    return table.join(steps, on=["code", "breakdown"], how="left", maintain_order="left")


def _steps(past: _History, breakdown: str) -> pl.DataFrame:
    mean, longest, _ = past.gaps()
    return pl.DataFrame(
        {
            "code": np.arange(past.n, dtype=np.uint32),
            "n_past_steps": past.counts(),
            "days_since_step": past.recency(),
            "step_gap_mean_days": mean,
            "step_gap_max_days": longest,
        }
    ).with_columns(breakdown=pl.lit(breakdown))
