"""Waits: what ended them and when, counted from a log."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from eventlogs.errors import LogError, did_you_mean
from eventlogs.log import EventLog
from pathways.followup import horizons
from pathways.mining.kernels.sequences import DAY_US, Flags, Integers, Sequences, runs_of

Days = NDArray[np.int64]
Cause = Literal["step", "death", "exit", "censored"]

CAUSES: tuple[Cause, ...] = ("step", "death", "exit", "censored")
"""What ends a wait, in their order inside one day."""

INDEX = "index"
"""Origin of waits that start on the index date."""

DEATHS = ("death",)
"""Activities that are a death: never a step."""

WAIT_COLUMNS: dict[str, Any] = {
    "origin": pl.String,
    "target": pl.String,
    "day": pl.Int64,
    "cause": pl.String,
    "n": pl.Int64,
}
"""Columns of ``Waits.counts``, after those of the strata."""

LEFT_OUT_COLUMNS: dict[str, Any] = {
    "origin": pl.String,
    "target": pl.String,
    "reason": pl.String,
    "n": pl.Int64,
}
"""Columns of ``Waits.left_out``, after those of the strata; ``reason`` is ``before`` or ``unobserved``."""

NEVER = np.iinfo(np.int64).max
"""Day of what never happens."""


@dataclass(frozen=True)
class Waits:
    """Who waited how long, and what ended the wait: additive counts, without patients.

    Parameters
    ----------
    counts : polars.DataFrame
        The strata's columns, then `WAIT_COLUMNS`. ``target`` is what was waited for; where all next activities
        compete, it is the one that came (null with another cause).
    by : tuple of str
        Columns of the strata.
    competing : bool
        Next activities compete with each other for one wait (`edge_waits`); else each target has waits of its own.
    unit : {'patients', 'events'}
        What is counted.
    left_out : polars.DataFrame
        The strata's columns, then `LEFT_OUT_COLUMNS`: who had it *before* the clock started, and whose clock started
        *unobserved* (after the end of the data, a death or an exit).

    Notes
    -----
    Counts here may be small: they leave through `pathways.disclosure` only.
    """

    counts: pl.DataFrame = field(repr=False)
    by: tuple[str, ...]
    competing: bool
    unit: Literal["patients", "events"]
    left_out: pl.DataFrame = field(repr=False)

    @property
    def risk_set(self) -> list[str]:
        """Columns inside which one thing ends one wait."""
        return [*self.by, "origin"] if self.competing else [*self.by, "origin", "target"]

    def of(self, *, origin: str | None = None, target: str | None = None) -> Waits:
        """Return the waits that start at an origin, and those for a target where targets don't compete.

        Raises
        ------
        LogError
            There is no such origin or target, or targets compete: a part of a risk set has no incidence.
        """
        if target is not None and self.competing:
            raise LogError(
                "next activities compete with each other; choose an origin, and the target of its curves"
            )
        counts, left_out = self.counts, self.left_out
        for column, word in (("origin", origin), ("target", target)):
            if word is not None:
                _check_known(column, word, counts)
                counts, left_out = (
                    counts.filter(pl.col(column) == word),
                    left_out.filter(pl.col(column) == word),
                )
        return Waits(counts, self.by, self.competing, self.unit, left_out)


def _check_known(column: str, word: str, counts: pl.DataFrame) -> None:
    known = counts[column].drop_nulls().unique().to_list()
    if word not in known:
        raise LogError(f"no wait has the {column} '{word}'{did_you_mean(word, known)}")


def index_waits(
    log: EventLog,
    *,
    phases: Mapping[str, str] | None = None,
    deaths: Collection[str] = DEATHS,
    exits: Collection[str] = (),
    by: Sequence[str] = (),
    before: Literal["leave_out", "ignore"] = "leave_out",
) -> Waits:
    """Count the waits from the index date to the first event of each activity or phase.

    The clock starts on ``index_date``, else on the day of the first event; a patient with neither is left out.

    Parameters
    ----------
    log : EventLog
        A log of activities.
    phases : mapping of str to str, optional
        Phase by activity: wait for phases.
    deaths : collection of str
        Activities that are a death.
    exits : collection of str
        Activities after which nothing is expected (palliative care), beside ``exit_date``. One of them is still a
        step where it is the target.
    by : sequence of str
        Columns of the patients: a stratum for each combination, null being one.
    before : {'leave_out', 'ignore'}
        Who had the target before the index is *left out* (no longer waiting for a first one), or earlier events are
        *ignored* and the next one counts.

    Raises
    ------
    LogError
        The patients have no such column.

    Examples
    --------
    >>> waits = index_waits(study.log(), exits=("palliative_care",))  # doctest: +SKIP
    >>> cumulative_incidence(waits.of(target="chemotherapy_session"), at=[30, 90])  # doctest: +SKIP
    """
    people = _people(log, deaths, exits, by)
    events = _events(log, people, phases, deaths)
    index = people.index
    if before == "ignore":
        events = events.where(events.day >= index[events.patient])
    observed = (index != NEVER) & (index <= people.end)
    counts, left_out = [], []
    for name, step in _first_days(people, events):
        had = step < index
        target = pl.lit(name).alias("target")
        counts.append(_counted(people, step, observed & ~had).with_columns(target))
        left_out.append(_left(people, had, "before").with_columns(target))
        left_out.append(_left(people, ~observed & ~had, "unobserved").with_columns(target))
    return Waits(
        _tidy(counts, people, WAIT_COLUMNS),
        tuple(by),
        False,
        "patients",
        _tidy(left_out, people, LEFT_OUT_COLUMNS),
    )


def _first_days(people: _People, events: _Events) -> Iterator[tuple[str, Days]]:
    """Yield each name with the day of its first event in each patient."""
    order, runs = runs_of(events.code, events.patient, len(events.names))
    firsts = order[runs]
    bounds = np.searchsorted(events.code[firsts], np.arange(len(events.names) + 1))
    for name, (start, stop) in zip(events.names, pairwise(bounds), strict=True):
        rows, day = firsts[start:stop], np.full(len(people.index), NEVER)
        day[events.patient[rows]] = events.day[rows]
        yield name, day


def edge_waits(
    log: EventLog,
    *,
    phases: Mapping[str, str] | None = None,
    deaths: Collection[str] = DEATHS,
    by: Sequence[str] = (),
    each: Literal["first", "every"] = "first",
) -> Waits:
    """Count the waits from an activity to the next event, whatever it is.

    The next event decides: next activities, death and exit compete. Nothing after the last event but the end of the
    data: censored. An activity after which nothing is expected is an ordinary next event here.

    Parameters
    ----------
    log : EventLog
        A log of activities; its rank order says what is next.
    phases : mapping of str to str, optional
        Phase by activity: from phase to phase, runs of one phase written once.
    deaths : collection of str
        Activities that are a death: no origin, no next event.
    by : sequence of str
        Columns of the patients, as for `index_waits`.
    each : {'first', 'every'}
        Start the clock at the *first* occurrence of the origin in each patient (counts are of patients), or at
        *every* one (counts are of events, and intervals too narrow: events of one patient are not independent).

    Raises
    ------
    LogError
        The patients have no such column.
    """
    people = _people(log, deaths, (), by)
    events = _events(log, people, phases, deaths)
    if phases is not None:
        events = events.where(events.begins_run())
    order, runs = runs_of(events.code, events.patient, len(events.names))
    rows = order[runs] if each == "first" else np.arange(len(events.code))
    observed = events.day[rows] <= people.end[events.patient[rows]]
    return Waits(
        _tidy([_next_events(people, events, rows[observed])], people, WAIT_COLUMNS),
        tuple(by),
        True,
        "patients" if each == "first" else "events",
        _tidy([_unobserved(people, events, rows[~observed])], people, LEFT_OUT_COLUMNS),
    )


def _next_events(people: _People, events: _Events, rows: Integers) -> pl.DataFrame:
    """Count what ended the waits that start at these events."""
    n, who = len(events.names), events.patient[rows]
    next_day, next_code = events.following(rows)
    is_step = next_day <= people.end[who]
    cells = {
        "stratum": people.stratum[who],
        "origin": events.code[rows],
        "day": np.where(is_step, next_day, people.end[who]) - events.day[rows],
        "outcome": np.where(is_step, next_code, n - 1 + people.cause[who]),
    }
    counted = pl.DataFrame(cells).group_by(*cells).agg(n=_n())
    names = pl.Series([*events.names, *(None,) * 3], dtype=pl.String)
    causes = pl.Series([*("step",) * n, *CAUSES[1:]], dtype=pl.String)
    return counted.with_columns(
        origin=names.gather(counted["origin"]),
        target=names.gather(counted["outcome"]),
        cause=causes.gather(counted["outcome"]),
    )


def _unobserved(people: _People, events: _Events, rows: Integers) -> pl.DataFrame:
    cells = pl.DataFrame({"stratum": people.stratum[events.patient[rows]], "origin": events.code[rows]})
    counted = cells.group_by("stratum", "origin").agg(n=_n())
    origin = pl.Series(events.names, dtype=pl.String).gather(counted["origin"])
    return counted.with_columns(origin=origin, target=pl.lit(None), reason=pl.lit("unobserved"))


def _n() -> pl.Expr:
    return pl.len().cast(pl.Int64)


@dataclass(frozen=True)
class _People:
    """Patients as arrays: day of the index, of the first of death, exit and end of the data, and which it is."""

    ids: pl.DataFrame
    index: Days
    end: Days
    cause: Integers
    stratum: Integers
    strata: pl.DataFrame


def _people(log: EventLog, deaths: Collection[str], exits: Collection[str], by: Sequence[str]) -> _People:
    for name in by:
        if name not in log.patients.columns:
            raise LogError(f"patients have no column '{name}'{did_you_mean(name, log.patients.columns)}")
    by_death = pl.col("exit_reason") == "death"
    dated = (
        log.patients.join(horizons(log), on="patient_id", how="left", maintain_order="left")
        .join(_first(log, None, "begun"), on="patient_id", how="left", maintain_order="left")
        .join(_first(log, deaths, "died"), on="patient_id", how="left", maintain_order="left")
        .join(_first(log, exits, "left"), on="patient_id", how="left", maintain_order="left")
        .select(
            index=pl.coalesce("index_date", "begun"),
            death=pl.coalesce("death_date", pl.when(by_death).then("exit_date"), "died"),
            exit=pl.min_horizontal(pl.when(by_death.not_().fill_null(True)).then("exit_date"), "left"),
            censored=pl.coalesce(
                "observed_until", pl.lit(log.events["start"].max(), log.events["start"].dtype)
            ),
        )
    )
    days = [_day(dated[name]) for name in CAUSES[1:]]
    end = np.minimum.reduce(days)
    cause = np.select([day == end for day in days], [1, 2, 3])
    strata, stratum = _strata(log.patients, by)
    return _People(log.patients.select("patient_id"), _day(dated["index"]), end, cause, stratum, strata)


def _first(log: EventLog, activities: Collection[str] | None, name: str) -> pl.DataFrame:
    """Return ``patient_id`` and the start of the first event of these activities, or of any."""
    wanted = pl.col("rank") == 0 if activities is None else pl.col("activity").is_in(list(activities))
    return log.events.filter(wanted).group_by("patient_id").agg(pl.col("start").min().alias(name))


def _day(times: pl.Series) -> Days:
    return (times.to_physical() // DAY_US).fill_null(NEVER).to_numpy()


def _strata(patients: pl.DataFrame, by: Sequence[str]) -> tuple[pl.DataFrame, Integers]:
    """Return the strata with their number, and each patient's number."""
    if not by:
        return pl.DataFrame({"stratum": [0]}), np.zeros(patients.height, dtype=np.int64)
    strata = patients.select(by).unique().sort(by, nulls_last=True).with_row_index("stratum")
    strata = strata.with_columns(pl.col("stratum").cast(pl.Int64))
    own = patients.select(by).join(strata, on=list(by), how="left", nulls_equal=True, maintain_order="left")
    return strata, own["stratum"].to_numpy()


@dataclass(frozen=True)
class _Events:
    """Events that can be steps, as arrays in the order of the log."""

    names: list[str]
    code: Integers
    patient: Integers
    day: Days

    def where(self, kept: Flags) -> _Events:
        return _Events(self.names, self.code[kept], self.patient[kept], self.day[kept])

    def begins_run(self) -> Flags:
        """Flag the first event of each run of one name in one patient."""
        new = np.ones(len(self.code), dtype=np.bool_)
        new[1:] = (self.code[1:] != self.code[:-1]) | (self.patient[1:] != self.patient[:-1])
        return new

    def following(self, rows: Integers) -> tuple[Days, Integers]:
        """Return the day and the code of the event after each; day `NEVER` and any code where there is none."""
        if not len(rows):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        later = np.minimum(rows + 1, len(self.code) - 1)
        same = (later > rows) & (self.patient[later] == self.patient[rows])
        return np.where(same, self.day[later], NEVER), self.code[later]


def _events(
    log: EventLog, people: _People, phases: Mapping[str, str] | None, deaths: Collection[str]
) -> _Events:
    seq = Sequences.of(log)
    words = [(phases or {}).get(name, name) for name in seq.activities]
    living = np.array([name not in deaths for name in seq.activities], dtype=np.bool_)
    names = sorted({word for word, lives in zip(words, living, strict=True) if lives})
    place = {name: code for code, name in enumerate(names)}
    lookup = np.array([place.get(word, 0) for word in words], dtype=seq.activity.dtype)
    ids = log.events.select("patient_id")[seq.first]
    rows = ids.join(people.ids.with_row_index("row"), on="patient_id", how="left", maintain_order="left")[
        "row"
    ]
    whole = _Events(
        names,
        lookup[seq.activity],
        rows.cast(pl.Int64).to_numpy()[seq.patient],
        (seq.start_us // DAY_US).astype(np.int64),
    )
    return whole if living.all() else whole.where(living[seq.activity])


def _counted(people: _People, step: Days, waiting: Flags) -> pl.DataFrame:
    """Count the patients who wait for one target: ``stratum``, ``day``, ``cause``, ``n``."""
    is_step = step <= people.end
    day = (np.where(is_step, step, people.end) - people.index)[waiting]
    cause = np.where(is_step, 0, people.cause)[waiting]
    span = int(day.max(initial=0)) + 1
    cells = np.bincount((people.stratum[waiting] * span + day) * len(CAUSES) + cause)
    filled = np.flatnonzero(cells)
    rest, cause = np.divmod(filled, len(CAUSES))
    return pl.DataFrame(
        {
            "stratum": rest // span,
            "day": rest % span,
            "cause": pl.Series(CAUSES, dtype=pl.String).gather(cause),
            "n": cells[filled],
        }
    )


def _left(people: _People, who: Flags, reason: str) -> pl.DataFrame:
    counted = pl.DataFrame({"stratum": people.stratum[who]}).group_by("stratum").agg(n=_n())
    return counted.with_columns(reason=pl.lit(reason))


def _tidy(frames: Sequence[pl.DataFrame], people: _People, columns: Mapping[str, Any]) -> pl.DataFrame:
    """Put frames of counts together, with the columns of the strata instead of their number."""
    by = [name for name in people.strata.columns if name != "stratum"]
    schema = {name: people.strata.schema[name] for name in by} | dict(columns)
    if not frames:
        return pl.DataFrame(schema=schema)
    defaults = {"origin": pl.lit(INDEX)} if "origin" not in frames[0].columns else {}
    whole = pl.concat(frames).with_columns(**defaults).join(people.strata, on="stratum")
    typed = whole.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    return typed.sort(list(schema)[:-1], nulls_last=True)
