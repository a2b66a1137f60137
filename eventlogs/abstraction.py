"""Event abstraction: a log at the level of codes, activities or phases, and events merged into eras; origins are kept.

Whatever is merged, each event still lists the source rows that it stands for (`eventlogs.log.ORIGIN_COLUMNS`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from eventlogs.activities import EraRule
from eventlogs.errors import DefinitionError, LogError, did_you_mean
from eventlogs.log import EVENT_COLUMNS, ORIGIN_COLUMNS, TIME, EventLog, conform, empty, number

Level = Literal["code", "activity", "phase"]
LEVELS: tuple[Level, ...] = ("code", "activity", "phase")
"""From the finest to the coarsest: what a row says, what was done, what it was part of."""

EVENT = ["patient_id", "rank"]
ERA = ["patient_id", "era", "number"]

ERA_COLUMNS: dict[str, Any] = {
    "patient_id": pl.String,
    "era": pl.String,
    "number": pl.UInt32,
    "start": TIME,
    "end": TIME,
    "n_events": pl.UInt32,
    "quantity": pl.Int64,
    "activity": pl.String,
}
"""Columns of `Eras.eras`; ``number`` counts the eras of a rule and patient from 1, ``activity`` is the first part's."""

PART_COLUMNS: dict[str, Any] = {
    "patient_id": pl.String,
    "rank": pl.UInt32,
    "era": pl.String,
    "number": pl.UInt32,
}
"""Columns of `Eras.parts`: which event of the log (``patient_id``, ``rank``) is part of which era."""


@dataclass(frozen=True)
class Abstraction:
    """A log at one level, and the source rows that its events stand for.

    Parameters
    ----------
    level : {'code', 'activity', 'phase'}
        What an event is.
    log : EventLog
        The log at that level.
    origins : polars.DataFrame
        `ORIGIN_COLUMNS`; ``rank`` is that of `log`. No origin is lost from one level to the next.
    """

    level: Level
    log: EventLog
    origins: pl.DataFrame = field(repr=False)


def at_level(
    log: EventLog,
    level: Level,
    *,
    origins: pl.DataFrame | None = None,
    phases: Mapping[str, str] | None = None,
) -> Abstraction:
    """Return a log at a level of abstraction.

    *code*: one event a patient, code and day; the activity is ``SYSTEM:code``, or the molecule (ATC) of a medicine.
    *activity*: the log itself. *phase*: activities renamed to their phases, runs of one phase written once.

    Parameters
    ----------
    log : EventLog
        A log of activities.
    level : {'code', 'activity', 'phase'}
        What an event shall be.
    origins : polars.DataFrame, optional
        `ORIGIN_COLUMNS` of `log`; an event without any is its own origin.
    phases : mapping of str to str, optional
        Phase by activity; needed for phases only.

    Raises
    ------
    LogError
        There is no such level, or the origins are not those of the log.
    DefinitionError
        Phases are asked for and not given.

    Examples
    --------
    >>> at_level(study.log(), "code", origins=study.origins()).log  # doctest: +SKIP
    """
    if level not in LEVELS:
        raise LogError(f"there is no level '{level}'{did_you_mean(level, LEVELS)}")
    rows = complete_origins(log, origins)
    if level == "code":
        return _at_codes(log, rows)
    if level == "phase":
        return _at_phases(log, rows, phases)
    return Abstraction(level, log, rows)


def complete_origins(log: EventLog, origins: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the origins of every event of a log; an event that has none told is its own origin.

    Parameters
    ----------
    log : EventLog
        Any log.
    origins : polars.DataFrame, optional
        `ORIGIN_COLUMNS`.

    Returns
    -------
    polars.DataFrame
        `ORIGIN_COLUMNS`, sorted by patient and rank.

    Raises
    ------
    LogError
        An origin is of no event of this log.
    """
    told = empty(ORIGIN_COLUMNS) if origins is None else conform(origins, ORIGIN_COLUMNS, "origins")
    if strangers := told.join(log.events, on=EVENT, how="anti").height:
        raise LogError(
            f"{strangers} origins are of no event of this log; give those of the log as it was built"
        )
    alone = log.events.join(told, on=EVENT, how="anti")
    own = alone.select(name for name in ORIGIN_COLUMNS if name in alone.columns)
    return pl.concat([told, conform(own, ORIGIN_COLUMNS, "origins")]).sort(EVENT, maintain_order=True)


def in_phases(log: EventLog, phases: Mapping[str, str]) -> EventLog:
    """Return the log with activities renamed to their phases and runs of one phase written once."""
    return log.with_activities(phases).collapse_repeats()


def _at_phases(log: EventLog, origins: pl.DataFrame, phases: Mapping[str, str] | None) -> Abstraction:
    if phases is None:
        raise DefinitionError("the level 'phase' needs the phase of each activity; give phases, by activity")
    phase = pl.col("activity").replace(dict(phases))
    begins = (phase != phase.shift()).over("patient_id").fill_null(True)
    places = log.events.select(*EVENT, place=begins.cum_sum().over("patient_id") - 1)
    return Abstraction("phase", in_phases(log, phases), _moved(origins, places))


def _moved(origins: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Give origins the rank ``place`` of the event that now stands for theirs."""
    moved = origins.join(places, on=EVENT, how="left", maintain_order="left")
    ranked = moved.with_columns(rank=pl.col("place").cast(pl.UInt32)).select(*ORIGIN_COLUMNS)
    return ranked.sort(EVENT, maintain_order=True)


SET_MARK = " + "
"""Between the names of a set of activities."""


def day_sets(log: EventLog, *, apart: Collection[str] = ("death",)) -> EventLog:
    """Return the log with what a patient has at one timestamp written as one event: no order inside a day is claimed.

    The event's activity is the set, "a + b": each activity once, in the log's order within a day, then by name. Where
    dates are days, a step is a day with care; where they are times, only what shares a timestamp is put together.

    Parameters
    ----------
    log : EventLog
        A log of activities.
    apart : collection of str
        Activities that stay events of their own: what a pathway ends with must be seen to end it.

    Returns
    -------
    EventLog
        An event that stands alone is kept as it is. A set ends when its last part does and is known once its last part
        is (to see what was known at a date, take ``log.as_of`` first); it has the code, the facility and the source of
        its parts where they agree, and no quantity. Corrected lines are of events and not of sets: they are left out.

    Raises
    ------
    LogError
        An activity's own name holds " + ": it could be taken for a set.

    Examples
    --------
    >>> ProcessMap.from_log(day_sets(study.log()))  # doctest: +SKIP
    """
    if doubtful := [name for name in log.activities if SET_MARK in name]:
        raise LogError(
            f"the activity '{doubtful[0]}' reads as a set of activities; rename it without '{SET_MARK}'"
        )
    place = {activity: position for position, activity in enumerate(log.within_day)}
    order = pl.col("activity").replace_strict(place, default=len(place), return_dtype=pl.Int32)
    alone = pl.when(pl.col("activity").is_in(list(apart))).then("activity")
    day = ["patient_id", "start", "alone"]
    events = log.events.with_columns(order=order, alone=alone).with_columns(n=pl.len().over(day))
    kept = events.filter(pl.col("n") == 1).select(*EVENT_COLUMNS)
    grouped = events.filter(pl.col("n") > 1).group_by(day, maintain_order=True).agg(_set_columns())
    whole = pl.concat([kept, conform(grouped.drop("alone"), EVENT_COLUMNS, "events")])
    return EventLog(
        number(whole.sort("patient_id", "rank")), log.patients, log.horizons, log.withdrawn.clear()
    )


def _set_columns() -> list[pl.Expr]:
    shared = ("source", "code", "code_system", "facility", "territory_of_care")
    names = pl.col("activity").sort_by("order", "activity").unique(maintain_order=True)
    return [
        names.str.join(SET_MARK).alias("activity"),
        pl.col("rank").min(),
        pl.col("end", "known_from").max(),
        pl.lit(False).alias("tied"),
        *(pl.when(pl.col(name).n_unique() == 1).then(pl.col(name).first()).alias(name) for name in shared),
        pl.col("date_precision").first(),
    ]


MOLECULE = pl.coalesce("atc", pl.when(pl.col("code_system") == "ATC").then("code"))


def _at_codes(log: EventLog, origins: pl.DataFrame) -> Abstraction:
    rows = _rows_of_codes(log, origins)
    key = ["patient_id", "text", "day"]
    events = _events_of_codes(rows, key).sort("patient_id", "rank", "activity")
    places = events.select(
        "patient_id", "day", text="activity", place=pl.int_range(pl.len()).over("patient_id")
    )
    ranked = rows.join(places, on=key, how="left", maintain_order="left")
    molecules = origins.drop_nulls("atc").unique(["code_system", "code"], keep="first", maintain_order=True)
    withdrawn = log.withdrawn.join(
        molecules.select("code_system", "code", "atc"),
        on=["code_system", "code"],
        how="left",
        maintain_order="left",
    ).with_columns(activity=_text())
    at_codes = EventLog(
        number(conform(events.drop("day"), EVENT_COLUMNS, "events")),
        log.patients,
        log.horizons,
        withdrawn.select(*EVENT_COLUMNS),
    )
    kept = ranked.with_columns(rank=pl.col("place").cast(pl.UInt32)).select(*ORIGIN_COLUMNS)
    return Abstraction("code", at_codes, kept.sort(EVENT, maintain_order=True))


def _text() -> pl.Expr:
    written = pl.concat_str("code_system", "code", separator=":")
    return pl.coalesce(MOLECULE, written, "code", "activity")


def _rows_of_codes(log: EventLog, origins: pl.DataFrame) -> pl.DataFrame:
    """Return the origins with what their event says; the day is the event's, since one row may tell several."""
    said = log.events.select(
        *EVENT, "activity", "end", "facility", "territory_of_care", "date_precision", "known_from",
        day="start", of_event="quantity",
    )  # fmt: skip
    told = origins.join(said, on=EVENT, how="left", maintain_order="left")
    return told.with_columns(
        text=_text(), start=pl.col("start"), day=pl.col("day").dt.truncate("1d"), at="day"
    )


def _events_of_codes(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Return one event a patient, code and day; its quantity is the first source's, and no more than its event's."""
    first = pl.col("source").eq_missing(pl.col("source").first())
    quantity = pl.when(pl.col("quantity").count() > 0).then(pl.col("quantity").filter(first).sum())
    return (
        rows.group_by(key, maintain_order=True)
        .agg(
            pl.col("rank").min(),
            pl.col("source", "code", "code_system", "date_precision").first(),
            pl.col("facility", "territory_of_care").drop_nulls().first(),
            pl.col("known_from").min(),
            pl.col("end").max(),
            start=pl.col("at").min(),
            quantity=pl.min_horizontal(quantity, pl.col("of_event").max()),
        )
        .rename({"text": "activity"})
    )


@dataclass(frozen=True)
class Eras:
    """Events merged into eras: courses, cycles, stays, exposures; each with its parts.

    Parameters
    ----------
    eras : polars.DataFrame
        `ERA_COLUMNS`, sorted by patient, era and number.
    parts : polars.DataFrame
        `PART_COLUMNS`: each event of a rule's activities is part of exactly one of its eras.
    """

    eras: pl.DataFrame = field(repr=False)
    parts: pl.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        return f"Eras({self.eras.height} eras of {self.parts.height} events)"


def eras(log: EventLog, rules: Iterable[EraRule]) -> Eras:
    """Merge the events of each rule into eras.

    Days are calendar days. *course* and *stay*: an event that begins more than ``gap_days`` after the last day of
    those before it begins a new era (of an event without an end, the last day is its start). *cycle*: an event
    ``gap_days`` or more after the first of the cycle begins the next one. *supply*: as a course, the last day being
    the start and ``quantity`` × ``days_per_unit`` (whole days; no quantity counts as one unit); the longest supply so
    far counts, a stock is not carried over.

    Parameters
    ----------
    log : EventLog
        Any log.
    rules : iterable of EraRule
        An event whose activity several rules name is a part of one era of each.

    Raises
    ------
    DefinitionError
        A rule can't be applied: a negative gap, a cycle shorter than a day, a supply without ``days_per_unit``.
    """
    found = [_of_rule(log.events, rule) for rule in rules]
    parts = pl.concat([pl.DataFrame(schema={**PART_COLUMNS, **_SUMMED}), *found])
    summary = parts.group_by(ERA).agg(
        pl.col("start").min(),
        pl.col("until").max().alias("end"),
        n_events=pl.len(),
        quantity=pl.when(pl.col("quantity").count() > 0).then(pl.col("quantity").sum()),
        activity=pl.col("activity").sort_by("start", "rank").first(),
    )
    return Eras(
        conform(summary, ERA_COLUMNS, "eras").sort(ERA),
        parts.select(*PART_COLUMNS).sort("era", *EVENT),
    )


_SUMMED: dict[str, Any] = {"start": TIME, "until": TIME, "quantity": pl.Int64, "activity": pl.String}


def _of_rule(events: pl.DataFrame, rule: EraRule) -> pl.DataFrame:
    _check(rule)
    kept = events.filter(pl.col("activity").is_in(rule.activities)).sort("patient_id", "start", "rank")
    rows = kept.with_columns(until=_until(rule), day=pl.col("start").dt.epoch("d"))
    begins = _begins_cycle(rows, rule.gap_days) if rule.kind == "cycle" else _begins_after(rule.gap_days)
    return (
        rows.with_columns(begins=begins)
        .with_columns(
            era=pl.lit(rule.id), number=pl.col("begins").cum_sum().over("patient_id").cast(pl.UInt32)
        )
        .select(*PART_COLUMNS, *_SUMMED)
    )


def _check(rule: EraRule) -> None:
    least = 1 if rule.kind == "cycle" else 0
    if rule.gap_days < least:
        raise DefinitionError(f"the era '{rule.id}' has gap_days = {rule.gap_days}; give {least} or more")
    if rule.kind == "supply" and rule.days_per_unit is None:
        raise DefinitionError(
            f"the era '{rule.id}' is a supply without days_per_unit; give the days of one unit"
        )


def _until(rule: EraRule) -> pl.Expr:
    """Return the last moment of each event."""
    if rule.kind != "supply":
        return pl.max_horizontal("start", "end")
    days = (pl.col("quantity").fill_null(1) * (rule.days_per_unit or 0)).floor().cast(pl.Int64)
    return pl.col("start") + pl.duration(days=pl.max_horizontal(days, 0))


def _begins_after(gap_days: int) -> pl.Expr:
    """Return which events begin an era: more than `gap_days` after all that came before, of the patient."""
    last_day = pl.col("until").dt.epoch("d").cum_max().shift().over("patient_id")
    return (pl.col("day") - last_day > gap_days).fill_null(True)


def _begins_cycle(rows: pl.DataFrame, cycle_days: int) -> pl.Series:
    """Return which events begin a cycle: the first of a patient, then the first `cycle_days` or more after the last.

    Where each event's next cycle would begin is found for all at once; the cycles are then walked in step, the
    first of every patient, then the second of every patient.
    """
    begins = np.zeros(rows.height, dtype=bool)
    if rows.is_empty():
        return pl.Series(begins)
    person = rows["patient_id"].rle_id().to_numpy().astype(np.int64)
    day = rows["day"].to_numpy().astype(np.int64)
    place = person * (int(day.max() - day.min()) + cycle_days + 1) + day - day.min()
    following = np.searchsorted(place, place + cycle_days)
    owner = np.append(person, -1)
    at = np.flatnonzero(np.diff(person, prepend=-1))
    while at.size:
        begins[at] = True
        at = following[at][owner[following[at]] == person[at]]
    return pl.Series(begins)


def merged(log: EventLog, found: Eras) -> EventLog:
    """Return the log with the parts of eras replaced by one event an era, named after it.

    The event stands where its first part stood, from the start of the era to its end, with the sum of the
    quantities; the rest is its first part's (the code only if all parts share it). It is known once its last part is,
    so nothing of it is known too early; to see an era under way, take ``log.as_of`` first. Corrected lines are of rows
    and not of eras: they are left out.

    Parameters
    ----------
    log : EventLog
        The log that the eras were made from.
    found : Eras
        From `eras`.
    """
    events = conform(_merge(log, found).select(*EVENT_COLUMNS), EVENT_COLUMNS, "events")
    return EventLog(number(events), log.patients, log.horizons, log.withdrawn.clear(), log.within_day)


def merged_origins(log: EventLog, found: Eras, origins: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the origins of the events of `merged`: those of all parts of an era are the era's.

    Parameters
    ----------
    log : EventLog
        The log that the eras were made from.
    found : Eras
        From `eras`.
    origins : polars.DataFrame, optional
        `ORIGIN_COLUMNS` of `log`.

    Raises
    ------
    LogError
        An origin is of no event of this log.
    """
    placed = _merge(log, found).with_columns(place=pl.int_range(pl.len()).over("patient_id"))
    of_parts = found.parts.join(placed.drop_nulls("number").select(*ERA, "place"), on=ERA)
    alone = placed.filter(pl.col("number").is_null())
    places = pl.concat([of_parts.select(*EVENT, "place"), alone.select(*EVENT, "place")])
    return _moved(complete_origins(log, origins), places)


def _merge(log: EventLog, found: Eras) -> pl.DataFrame:
    """Return the events that stay and one an era, in order; ``rank`` is still that of the (first) event."""
    alone = log.events.join(found.parts, on=EVENT, how="anti").with_columns(
        era=pl.lit(None, pl.String), number=pl.lit(None, pl.UInt32)
    )
    code = pl.when(pl.col("code").n_unique() == 1).then(pl.col("code").first())
    of_eras = (
        log.events.join(found.parts, on=EVENT)
        .sort(*ERA, "rank")
        .group_by(ERA, maintain_order=True)
        .agg(
            pl.col(
                "rank", "source", "code_system", "facility", "territory_of_care", "date_precision"
            ).first(),
            pl.col("known_from").max(),
            code=code,
        )
        .join(found.eras.drop("activity", "n_events"), on=ERA)
        .with_columns(activity="era", tied=pl.lit(False), known_until=pl.lit(None, TIME))
    )
    return pl.concat([alone, of_eras.select(alone.columns)]).sort("patient_id", "rank", "activity")
