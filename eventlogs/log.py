"""The event log: what happened to whom, when, in which order, and since when it is known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from eventlogs.errors import LogError, did_you_mean

if TYPE_CHECKING:
    from eventlogs.feeds import Feed

TIME = pl.Datetime("us")

EVENT_COLUMNS: dict[str, Any] = {
    "patient_id": pl.String,
    "activity": pl.String,
    "start": TIME,
    "end": TIME,
    "rank": pl.UInt32,
    "tied": pl.Boolean,
    "source": pl.String,
    "code": pl.String,
    "code_system": pl.String,
    "facility": pl.String,
    "territory_of_care": pl.String,
    "quantity": pl.Int64,
    "date_precision": pl.String,
    "known_from": TIME,
    "known_until": TIME,
}
"""Canonical columns of the events and their types."""

PATIENT_COLUMNS: dict[str, Any] = {
    "patient_id": pl.String,
    "sex": pl.String,
    "birth_year": pl.Int32,
    "territory": pl.String,
    "deprivation": pl.Int8,
    "index_date": TIME,
    "observed_from": TIME,
    "death_date": TIME,
    "death_known_from": TIME,
    "exit_date": TIME,
    "exit_reason": pl.String,
    "exit_known_from": TIME,
    "vital_status_known": pl.Boolean,
    "network": pl.String,
}
"""Canonical columns of the patients and their types.

``exit_date``: end of the observation, by the cohort's rules (``exit_reason``: death, palliative_care, scheme_exit,
abroad), told since ``exit_known_from``; ``vital_status_known``: false where the patient's scheme reports few deaths.
"""

HORIZON_COLUMNS: dict[str, Any] = {"patient_id": pl.String, "source": pl.String, "observed_until": TIME}
"""Canonical columns of the horizons; a null ``patient_id`` means every patient."""

SIDE_SOURCES = ("ssr", "had", "rip", "causes", "beneficiaries")
"""Sources that are later, or shorter, than those in which the steps of a pathway are expected (claims and acute stays):
rehabilitation, home hospitalisation, psychiatry, causes of death, referentials. What they tell counts; that they end
early shortens nobody's follow-up."""

ORIGIN_COLUMNS: dict[str, Any] = {
    "patient_id": pl.String,
    "rank": pl.UInt32,
    "source": pl.String,
    "key": pl.String,
    "code": pl.String,
    "code_system": pl.String,
    "atc": pl.String,
    "start": TIME,
    "quantity": pl.Int64,
}
"""Canonical columns of the origins: the event (``patient_id``, ``rank``), and a source row that it stands for."""

PRECISIONS = ("second", "minute", "hour", "day", "week", "month")


def conform(frame: pl.DataFrame, columns: Mapping[str, Any], what: str) -> pl.DataFrame:
    """Return `frame` with exactly `columns`: missing ones null, types cast, others refused.

    Parameters
    ----------
    frame : polars.DataFrame
        Any frame.
    columns : mapping of str to polars type
        The contract.
    what : str
        Name of the frame, for the message.

    Raises
    ------
    LogError
        A column is unknown or can't be cast.
    """
    for name in frame.columns:
        if name not in columns:
            raise LogError(f"{what} have an unknown column '{name}'{did_you_mean(name, columns)}")
    present = [name for name in columns if name in frame.columns]
    try:
        cast = frame.select(pl.col(name).cast(columns[name]) for name in present)
    except pl.exceptions.PolarsError as error:
        raise LogError(f"{what} have a column of the wrong type; expected {dict(columns)}") from error
    return cast.select(
        pl.col(name) if name in present else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in columns.items()
    )


RESERVED = ("▶", "■", "*")
"""What maps call the start, the end (an outcome's name begins with it) and the rest: no activity has such a name."""


def _check_names(events: pl.DataFrame) -> None:
    start, end, rest = RESERVED
    if events.schema.get("activity") not in (pl.String, pl.Categorical):
        return
    names = events["activity"].unique().cast(pl.String)
    if (taken := names.filter(names.is_in([start, rest]) | names.str.starts_with(end))).len():
        raise LogError(
            f"events have an activity '{taken.sort()[0]}', a name that maps keep for their start, end or rest; "
            "call it otherwise"
        )


def empty(columns: Mapping[str, Any]) -> pl.DataFrame:
    """Return a frame with these columns and no row."""
    return pl.DataFrame(schema=dict(columns))


def in_order(events: pl.DataFrame, within_day: Sequence[str] = ()) -> pl.DataFrame:
    """Sort events by patient and time, break ties by the definition, and number them.

    Order inside one timestamp is that of `within_day`; activities it does not name come after,
    by name; the remaining columns settle the rest, so any shuffle of the rows gives the same result.

    Parameters
    ----------
    events : polars.DataFrame
        Canonical event columns; ``rank`` and ``tied`` are replaced.
    within_day : sequence of str
        Activities in their order inside a day.

    Returns
    -------
    polars.DataFrame
        Sorted by patient and rank; ``rank`` starts at 0 for each patient; ``tied`` says that a
        neighbour of another activity has the same start.
    """
    place = {activity: position for position, activity in enumerate(within_day)}
    order = pl.col("activity").replace_strict(place, default=len(place), return_dtype=pl.Int32)
    settle = ["activity", "source", "code", "facility", "quantity", "end", "known_from", "known_until"]
    ordered = events.sort(["patient_id", "start", order, *settle], nulls_last=True)
    return number(ordered)


def number(events: pl.DataFrame) -> pl.DataFrame:
    """Write ``rank`` and ``tied`` from the present order of the rows (grouped by patient)."""
    new_patient = pl.col("patient_id").ne_missing(pl.col("patient_id").shift())
    position = pl.int_range(pl.len(), dtype=pl.UInt32)
    first = pl.when(new_patient).then(position).forward_fill()
    same_start = ~new_patient & (pl.col("start") == pl.col("start").shift())
    tie = same_start & (pl.col("activity") != pl.col("activity").shift()).fill_null(False)
    return events.with_columns(rank=position - first, tied=tie | tie.shift(-1, fill_value=False))


@dataclass(frozen=True)
class EventLog:
    """Events, patients and horizons; validated at birth, never changed.

    Parameters
    ----------
    events : polars.DataFrame
        `EVENT_COLUMNS`, sorted by patient and rank.
    patients : polars.DataFrame
        `PATIENT_COLUMNS`, one row a patient. Every event's patient is among them.
    horizons : polars.DataFrame
        `HORIZON_COLUMNS`: until when each source was observed.
    withdrawn : polars.DataFrame
        `EVENT_COLUMNS`: events that were visible from ``known_from`` to ``known_until`` and are no
        longer part of the log (a line cancelled later).
    within_day : tuple of str
        The order of activities inside one day.

    Raises
    ------
    LogError
        A contract does not hold.

    Notes
    -----
    Build one with `EventLog.create`, which sorts and completes the frames.
    """

    events: pl.DataFrame = field(repr=False)
    patients: pl.DataFrame = field(repr=False)
    horizons: pl.DataFrame = field(repr=False)
    withdrawn: pl.DataFrame = field(repr=False)
    within_day: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_columns(self.events, EVENT_COLUMNS, "events")
        _check_columns(self.patients, PATIENT_COLUMNS, "patients")
        _check_columns(self.horizons, HORIZON_COLUMNS, "horizons")
        _check_columns(self.withdrawn, EVENT_COLUMNS, "withdrawn events")
        _check_filled(self.events)
        _check_patients(self.events, self.patients)
        _check_order(self.events)

    @classmethod
    def create(
        cls,
        events: pl.DataFrame,
        patients: pl.DataFrame | None = None,
        horizons: pl.DataFrame | None = None,
        *,
        withdrawn: pl.DataFrame | None = None,
        within_day: Sequence[str] = (),
        keep_order: bool = False,
    ) -> EventLog:
        """Complete, sort and number the frames, then validate them.

        Parameters
        ----------
        events : polars.DataFrame
            At least ``patient_id``, ``activity``, ``start``.
        patients : polars.DataFrame, optional
            Default: the patients of the events, with nothing else known.
        horizons : polars.DataFrame, optional
            Default: every source observed until the last event.
        withdrawn : polars.DataFrame, optional
            Events that were visible once and no longer are.
        within_day : sequence of str
            Order of activities inside a day.
        keep_order : bool
            The rows of one patient already stand in their order (a document's order): only number them.

        Raises
        ------
        LogError
            A contract does not hold.
        """
        _check_names(events)
        whole = conform(events, EVENT_COLUMNS, "events").with_columns(
            pl.col("date_precision").fill_null("day"), pl.col("known_from").fill_null(pl.col("start"))
        )
        ordered = (
            number(whole.sort("patient_id", maintain_order=True))
            if keep_order
            else in_order(whole, within_day)
        )
        return cls(
            events=ordered,
            patients=_complete_patients(patients, ordered),
            horizons=_default_horizons(ordered)
            if horizons is None
            else conform(horizons, HORIZON_COLUMNS, "horizons"),
            withdrawn=empty(EVENT_COLUMNS)
            if withdrawn is None
            else conform(withdrawn, EVENT_COLUMNS, "withdrawn events"),
            within_day=tuple(within_day),
        )

    @property
    def n_patients(self) -> int:
        """Number of patients, those without events included."""
        return self.patients.height

    @property
    def n_events(self) -> int:
        """Number of events."""
        return self.events.height

    @property
    def activities(self) -> list[str]:
        """Activities that occur, by name."""
        return self.events["activity"].unique().sort().to_list()

    @property
    def observed_until(self) -> datetime | None:
        """Earliest horizon, for every patient, of the sources where care is expected: after it silence can't be read.

        `SIDE_SOURCES` are left out: causes of death come two years late and tell no care, and a late certificate or
        rehabilitation year must not shorten the follow-up of claims and acute stays.
        """
        expected = pl.col("patient_id").is_null() & pl.col("source").is_in(SIDE_SOURCES).not_().fill_null(
            True
        )
        value = self.horizons.filter(expected)["observed_until"].min()
        return value if isinstance(value, datetime) else None

    def as_of(self, day: date | datetime, feed: Feed | None = None) -> EventLog:
        """Return the log as it was known at `day`.

        Keeps the events visible then (``known_from`` ≤ day < ``known_until``), those since withdrawn
        included; a death or an exit not yet known is null, with the horizon that the exit set; each horizon stops where
        `feed` had brought everything by `day`.

        Parameters
        ----------
        day : date or datetime
            The landmark.
        feed : Feed, optional
            The feed that the log came through: its delays shorten the horizons, so that what was still on its way
            is not read as silence. Without one, horizons stop at `day` itself: decide breakdowns on the whole log
            then, and only what is pending on this one. Rows are not moved: see `eventlogs.feeds.under_feed`.
        """
        seen = pl.concat([self.events, self.withdrawn]).filter(
            pl.col("known_from") <= day,
            pl.col("known_until").is_null() | (pl.col("known_until") > day),
        )
        events = (
            number(seen.sort("patient_id", "rank", maintain_order=True))
            if self.withdrawn.is_empty()
            else in_order(seen, self.within_day)
        )
        patients = _known_of(self.patients, ("death_date", "death_known_from"), day)
        patients = _known_of(patients, ("exit_date", "exit_reason", "exit_known_from"), day)
        to_come = self.patients.filter(pl.col("exit_date").is_not_null() & _unknown("exit_known_from", day))
        complete = pl.lit(day).cast(TIME) if feed is None else feed.complete_until(day)
        horizons = self.horizons.join(to_come, on="patient_id", how="anti").with_columns(
            observed_until=pl.min_horizontal("observed_until", complete)
        )
        return EventLog(events, patients, horizons, empty(EVENT_COLUMNS), self.within_day)

    def with_activities(self, mapping: Mapping[str, str]) -> EventLog:
        """Return the log with activities renamed (for example to their phases); order is kept.

        Parameters
        ----------
        mapping : mapping of str to str
            New name by activity; activities it does not name keep theirs.
        """
        events = number(self.events.with_columns(pl.col("activity").replace(dict(mapping))))
        withdrawn = self.withdrawn.with_columns(pl.col("activity").replace(dict(mapping)))
        return EventLog(events, self.patients, self.horizons, withdrawn, ())

    def keep_activities(self, activities: Iterable[str]) -> EventLog:
        """Return the log with only these activities; the patients stay."""
        kept = pl.col("activity").is_in(list(activities))
        return EventLog(
            number(self.events.filter(kept)),
            self.patients,
            self.horizons,
            self.withdrawn.filter(kept),
            self.within_day,
        )

    def collapse_repeats(self) -> EventLog:
        """Return the log with runs of one activity reduced to the first event of each run."""
        repeat = (pl.col("patient_id") == pl.col("patient_id").shift()) & (
            pl.col("activity") == pl.col("activity").shift()
        )
        events = number(self.events.filter(~repeat.fill_null(False)))
        return EventLog(events, self.patients, self.horizons, self.withdrawn, self.within_day)

    def describe(self) -> pl.DataFrame:
        """Return one row an activity: ``activity``, ``n_events``, ``n_patients``, ``first``, ``last``."""
        return (
            self.events.group_by("activity")
            .agg(
                n_events=pl.len(),
                n_patients=pl.col("patient_id").n_unique(),
                first=pl.col("start").min(),
                last=pl.col("start").max(),
            )
            .sort("n_events", "activity", descending=[True, False])
        )

    def __repr__(self) -> str:
        first, last = self.events["start"].min(), self.events["start"].max()
        period = f"{str(first)[:10]} to {str(last)[:10]}" if self.n_events else "no event"
        return (
            f"EventLog({self.n_patients} patients, {self.n_events} events, "
            f"{len(self.activities)} activities, {period})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.describe()._repr_html_()}"


def _unknown(known_from: str, day: date | datetime) -> pl.Expr:
    return pl.col(known_from).is_null() | (pl.col(known_from) > day)


def _known_of(patients: pl.DataFrame, columns: Sequence[str], day: date | datetime) -> pl.DataFrame:
    """Empty these columns, the last of which says since when they are known, where they were not yet."""
    unknown = _unknown(columns[-1], day)
    return patients.with_columns(pl.when(~unknown).then(pl.col(name)).alias(name) for name in columns)


def _check_columns(frame: pl.DataFrame, columns: Mapping[str, Any], what: str) -> None:
    if dict(frame.schema) != {name: _instance(dtype) for name, dtype in columns.items()}:
        raise LogError(f"{what} have columns {frame.schema}; expected {list(columns)}; use EventLog.create")


def _instance(dtype: Any) -> Any:
    return dtype() if isinstance(dtype, type) else dtype


def _check_filled(events: pl.DataFrame) -> None:
    for name in ("patient_id", "activity", "start", "rank", "known_from"):
        if missing := events[name].null_count():
            raise LogError(
                f"{missing} of {events.height} events have no '{name}'; drop or mend those rows first"
            )
    if unknown := sorted(set(events["date_precision"].unique()) - set(PRECISIONS)):
        raise LogError(f"events have the date precision '{unknown[0]}'; known: {', '.join(PRECISIONS)}")


def _check_patients(events: pl.DataFrame, patients: pl.DataFrame) -> None:
    if patients["patient_id"].null_count():
        raise LogError("a row of the patients has no 'patient_id'; drop it first")
    if doubled := patients.height - patients["patient_id"].n_unique():
        raise LogError(f"{doubled} rows of the patients repeat a patient_id; keep one row a patient")
    orphans = events.select("patient_id").unique().join(patients, on="patient_id", how="anti").height
    if orphans:
        raise LogError(f"{orphans} patients of the events are not in the patients table; add them")


def _check_order(events: pl.DataFrame) -> None:
    before = events.select("patient_id", "rank").shift()
    follows = (events["patient_id"] > before["patient_id"]) | (
        (events["patient_id"] == before["patient_id"]) & (events["rank"] == before["rank"] + 1)
    )
    if not follows.slice(1).all():
        raise LogError("events are not sorted by patient and rank; use EventLog.create")


def _complete_patients(patients: pl.DataFrame | None, events: pl.DataFrame) -> pl.DataFrame:
    known = events.select("patient_id").unique() if patients is None else patients
    return conform(known, PATIENT_COLUMNS, "patients").sort("patient_id")


def _default_horizons(events: pl.DataFrame) -> pl.DataFrame:
    last = events["start"].max()
    sources = events["source"].unique().sort().to_list() or [None]
    rows = {"patient_id": None, "source": sources, "observed_until": last}
    return conform(pl.DataFrame(rows), HORIZON_COLUMNS, "horizons")
