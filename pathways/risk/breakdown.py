"""The rupture contract: what was expected, until when, and what became of it.

Every kind of breakdown reduces to *expectations* (a step expected inside a window), and one resolver decides them:

- ``kept``: an expected step came in time, or the plan had ended;
- ``broken``: the deadline passed, observed, without the step; it broke on the deadline;
- ``excused``: death or an exit of the definition came first and in time;
- ``undecidable``: nothing decided it and the sources don't reach the deadline. Silence is not rupture.

Windows are counted in calendar days: an event at any hour of the deadline's day is in time. Events of one patient
are taken by start, then by rank, so what comes first inside a day is the log's explicit order of ties.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl

from eventlogs.errors import LogError
from eventlogs.log import TIME, EventLog
from pathways.definition import BreakdownDefinition, Language, Pathway
from pathways.followup import followed, horizons, until

STATUSES = ("kept", "broken", "excused", "undecidable")

EXPECTATION_COLUMNS: dict[str, pl.DataType] = {
    "patient_id": pl.String(),
    "breakdown": pl.String(),
    "opened": TIME,
    "opened_by": pl.String(),
    "opened_key": pl.Int64(),
    "opened_known_from": TIME,
    "counts_from": TIME,
    "due": TIME,
    "deadline": TIME,
    "closed_by_plan": TIME,
}
"""One row an episode. ``opened_key`` is the place of the opening event among the patient's relevant events."""

RESULT_COLUMNS: dict[str, pl.DataType] = {
    "patient_id": pl.String(),
    "breakdown": pl.String(),
    "status": pl.String(),
    "opened": TIME,
    "opened_by": pl.String(),
    "due": TIME,
    "deadline": TIME,
    "decided_on": TIME,
    "broken_on": TIME,
    "known_from": TIME,
}
"""One row an episode (``BreakdownResults.episodes``) or a patient and breakdown (``BreakdownResults.frame``)."""

PENDING_COLUMNS: dict[str, pl.DataType] = {
    "patient_id": pl.String(),
    "breakdown": pl.String(),
    "opened": TIME,
    "opened_by": pl.String(),
    "due": TIME,
    "deadline": TIME,
    "days_overdue": pl.Int64(),
}
"""One row an expectation that is open at a date."""

KEYS_A_DAY = 1 << 32
"""Room for the places of one patient's events inside the key ``day * KEYS_A_DAY + place``."""


@dataclass(frozen=True)
class BreakdownResults:
    """What became of the expectations of a pathway.

    Parameters
    ----------
    frame : polars.DataFrame
        `RESULT_COLUMNS`, one row a patient and breakdown whose trigger was seen: the first broken episode if any
        is broken, else the last one.
    episodes : polars.DataFrame
        `RESULT_COLUMNS`, one row an episode (each supply of an interruption opens one).
    followed : polars.DataFrame
        ``patient_id``, ``followed_until``: the patient's horizon; for the dead, that of the sources.
    labels : mapping
        Label by breakdown and language.
    """

    frame: pl.DataFrame = field(repr=False)
    episodes: pl.DataFrame = field(repr=False)
    followed: pl.DataFrame = field(repr=False)
    labels: Mapping[str, Mapping[Language, str]] = field(repr=False)

    def summary(self) -> pl.DataFrame:
        """Return counts of patients: ``breakdown``, ``n_patients``, ``kept``, ``broken``, ``excused``, ``undecidable``.

        Every breakdown of the pathway has its row, also when nobody opened it.
        """
        counts = self.frame.group_by("breakdown").agg(
            pl.len().cast(pl.Int64).alias("n_patients"),
            *((pl.col("status") == status).sum().cast(pl.Int64).alias(status) for status in STATUSES),
        )
        every = pl.DataFrame({"breakdown": list(self.labels)}, schema={"breakdown": pl.String})
        return every.join(counts, on="breakdown", how="left", maintain_order="left").with_columns(
            pl.col("n_patients", *STATUSES).fill_null(0)
        )

    def __repr__(self) -> str:
        counts = ", ".join(f"{row['breakdown']} {row['broken']}/{row['n_patients']}" for row in self._rows())
        return f"BreakdownResults(broken/patients: {counts or 'no breakdown defined'})"

    def _repr_html_(self) -> str:
        return str(self.summary()._repr_html_())

    def _rows(self) -> list[dict[str, object]]:
        return self.summary().to_dicts()


def evaluate(log: EventLog, pathway: Pathway, *, silence_lag_days: int = 0) -> BreakdownResults:
    """Decide every breakdown of `pathway` for every patient of `log`.

    Parameters
    ----------
    log : EventLog
        Events, deaths and horizons.
    pathway : Pathway
        Its breakdowns.
    silence_lag_days : int
        Days after a deadline until the silence can be read in this feed: ``known_from`` of a break is its deadline
        plus these days.

    Raises
    ------
    LogError
        An interruption needs quantities that the log lacks.

    Examples
    --------
    >>> results = evaluate(log, load("breast_cancer"))          # doctest: +SKIP
    >>> results.summary()                                       # doctest: +SKIP
    """
    observed = horizons(log)
    resolved = []
    for item in pathway.breakdowns.values():
        stream = _stream(log, item)
        resolved.append(_resolve(_expect(stream, item), stream, observed, silence_lag_days))
    episodes = pl.concat([pl.DataFrame(schema=RESULT_COLUMNS), *resolved])
    return BreakdownResults(
        frame=_per_patient(episodes),
        episodes=episodes,
        followed=followed(log),
        labels={item.id: item.label for item in pathway.breakdowns.values()},  # type: ignore[misc]
    )


def expectations(log: EventLog, definition: BreakdownDefinition) -> pl.DataFrame:
    """Return the expectations that `definition` opens, one row an episode (`EXPECTATION_COLUMNS`).

    *late_step* and *missed_step*: the first trigger of a patient opens one; each restart that comes in time, before
    the step and before an exit, opens it anew. *interruption*: each supply, from the first trigger on and before the
    planned end, opens one that is due when the supply ends. A trigger after an exit opens nothing; nor, for a
    *late_step*, does a trigger after the step itself.

    Parameters
    ----------
    log : EventLog
        Any log.
    definition : BreakdownDefinition
        One breakdown.

    Raises
    ------
    LogError
        An interruption needs quantities that the log lacks.
    """
    return _expect(_stream(log, definition), definition)


def resolve(
    expected: pl.DataFrame,
    log: EventLog,
    definition: BreakdownDefinition,
    *,
    at: date | datetime | None = None,
    silence_lag_days: int = 0,
) -> pl.DataFrame:
    """Decide expectations: the first of step, exit, planned end and deadline does.

    Parameters
    ----------
    expected : polars.DataFrame
        `EXPECTATION_COLUMNS`, from `expectations` on the same log and definition.
    log : EventLog
        The log.
    definition : BreakdownDefinition
        The breakdown.
    at : date or datetime, optional
        Horizon of all patients; default: the horizons of the log, the earliest source and the patient's own first.
    silence_lag_days : int
        Days from a deadline until silence can be read.

    Returns
    -------
    polars.DataFrame
        `RESULT_COLUMNS`, one row an episode, in the order of `expected`.
    """
    horizon = log.patients.select("patient_id", observed_until=pl.lit(at).cast(TIME)) if at else horizons(log)
    return _resolve(expected, _stream(log, definition), horizon, silence_lag_days)


def pending(log: EventLog, pathway: Pathway, at: date | datetime) -> pl.DataFrame:
    """Return the expectations that are open at `at`: no step, no exit, not past the deadline nor the planned end.

    Parameters
    ----------
    log : EventLog
        The log as it was known then: ``log.as_of(at)``. Events dated after `at` are left out.
    pathway : Pathway
        Its breakdowns.
    at : date or datetime
        The landmark.

    Returns
    -------
    polars.DataFrame
        `PENDING_COLUMNS`; ``opened_by`` is the trigger or restart that opened it last; ``days_overdue`` is the number
        of days since ``due``, 0 before.
    """
    known = until(log, at)
    day = pl.lit(at).cast(TIME).dt.truncate("1d")
    return pl.concat(
        [
            pl.DataFrame(schema=PENDING_COLUMNS),
            *(_pending_one(known, item, day) for item in pathway.breakdowns.values()),
        ]
    )


def _stream(log: EventLog, definition: BreakdownDefinition) -> pl.DataFrame:
    """Return the events that matter to one breakdown, deaths included, in order, with their parts as flags."""
    words = {*definition.trigger, *definition.restarts, *definition.expected, *definition.exits}
    columns = ["patient_id", "activity", "start", "rank", "quantity", "known_from"]
    events = log.events.filter(pl.col("activity").is_in(list(words))).select(columns)
    day, death = pl.col("start").dt.truncate("1d"), pl.col("activity").is_null()
    ordered = pl.concat([events, _deaths(log)]).sort("patient_id", day, death, "start", "rank")
    place = pl.int_range(pl.len()).over("person")
    steps = (*definition.expected, *(definition.trigger if definition.kind == "interruption" else ()))
    return ordered.with_columns(person=pl.col("patient_id").rle_id()).with_columns(
        day=day,
        key=_day_key(day) + place,
        is_trigger=_among(definition.trigger),
        is_restart=_among(definition.restarts),
        is_step=_among(steps),
        is_exit=_among(definition.exits) | pl.col("activity").is_null(),
    )


def _deaths(log: EventLog) -> pl.DataFrame:
    """Return deaths as events without an activity or a rank: they come last in their day."""
    return log.patients.filter(pl.col("death_date").is_not_null()).select(
        "patient_id",
        activity=pl.lit(None, pl.String),
        start="death_date",
        rank=pl.lit(None, pl.UInt32),
        quantity=pl.lit(None, pl.Int64),
        known_from=pl.coalesce("death_known_from", "death_date"),
    )


def _among(words: Iterable[str]) -> pl.Expr:
    return pl.col("activity").is_in(list(words)).fill_null(False)


def _day_key(day: pl.Expr) -> pl.Expr:
    return day.dt.epoch("d").cast(pl.Int64) * KEYS_A_DAY


def _days(number: int | None) -> pl.Expr:
    return pl.duration(days=number or 0, time_unit="us")


def _expect(stream: pl.DataFrame, definition: BreakdownDefinition) -> pl.DataFrame:
    opened = _opened(stream, definition)
    chain = _supplies(opened, definition) if definition.kind == "interruption" else _clock(opened, definition)
    return chain.with_columns(breakdown=pl.lit(definition.id)).select(
        pl.col(name).cast(dtype) for name, dtype in EXPECTATION_COLUMNS.items()
    )


def _opened(stream: pl.DataFrame, definition: BreakdownDefinition) -> pl.DataFrame:
    """Return each patient's events from the first trigger on; nobody whose trigger came after what closes it."""
    closes = pl.col("is_exit") | (pl.col("is_step") if definition.kind == "late_step" else pl.lit(False))
    triggered = pl.col("is_trigger").cum_sum().over("person") > 0
    closed = (closes & ~triggered).any().over("person")
    return stream.filter(triggered & ~closed)


def _clock(stream: pl.DataFrame, definition: BreakdownDefinition) -> pl.DataFrame:
    """Return the expectation of each patient, on the clock of the last valid restart."""
    window = definition.within_days + definition.grace_days
    first = pl.col("patient_id").ne_missing(pl.col("patient_id").shift())
    anchored = stream.with_columns(anchor=first | pl.col("is_restart")).with_columns(
        first=first, clock=pl.when("anchor").then("day").forward_fill().shift()
    )
    step = pl.col("is_step") & (pl.col("day") >= pl.col("clock") + _days(definition.from_days))
    lapse = pl.col("is_restart") & (pl.col("day") > pl.col("clock") + _days(window))
    stops = (~pl.col("first") & (step | pl.col("is_exit") | lapse)).cum_sum().over("person")
    opening = (
        anchored.filter((stops == 0) & pl.col("anchor")).group_by("patient_id", maintain_order=True).last()
    )
    return _opening(opening).with_columns(
        counts_from=pl.col("opened") + _days(definition.from_days),
        due=pl.col("opened") + _days(definition.within_days),
        deadline=pl.col("opened") + _days(window),
        closed_by_plan=pl.lit(None, TIME),
    )


def _supplies(stream: pl.DataFrame, definition: BreakdownDefinition) -> pl.DataFrame:
    """Return one expectation a supply; it is due when the longest supply so far ends.

    Days that two supplies both cover are not added: a stock is not carried over, and a short supply does not
    shorten a longer one that is still running.
    """
    exited = pl.col("is_exit").cum_sum().over("person") > 0
    supplies = stream.filter(~exited & pl.col("is_step"))
    _check_quantities(supplies, definition)
    supplied = pl.duration(
        days=pl.col("quantity").fill_null(1) * (definition.supply_days or 0), time_unit="us"
    )
    return (
        _opening(supplies.with_columns(ends=pl.col("day") + supplied))
        .with_columns(
            counts_from=pl.col("opened"),
            due=pl.col("ends").cum_max().over("person"),
            closed_by_plan=pl.col("opened").first().over("person") + _days(definition.planned_days),
        )
        .with_columns(deadline=pl.col("due") + _days(definition.permissible_gap_days))
        .filter(pl.col("opened") < pl.col("closed_by_plan"))
    )


def _check_quantities(supplies: pl.DataFrame, definition: BreakdownDefinition) -> None:
    """Refuse quantities that give no days: a missing one is one unit, unless a unit is a single day."""
    missing = supplies["quantity"].null_count() if definition.supply_days == 1 else 0
    negative = supplies.filter(pl.col("quantity") < 0).height
    if missing or negative:
        raise LogError(
            f"[breakdowns.{definition.id}] needs the days supplied, and {missing} of {supplies.height} supplies have "
            f"no quantity and {negative} a negative one; fill 'quantity' in days, or set supply_days to the days that "
            "one dispensing covers"
        )


def _opening(events: pl.DataFrame) -> pl.DataFrame:
    return events.rename(
        {"day": "opened", "activity": "opened_by", "key": "opened_key", "known_from": "opened_known_from"}
    )


def _resolve(
    expected: pl.DataFrame, stream: pl.DataFrame, horizon: pl.DataFrame, silence_lag_days: int
) -> pl.DataFrame:
    facts = _with_facts(expected, stream).join(horizon, on="patient_id", how="left", maintain_order="left")
    return _decide(facts, silence_lag_days).select(
        pl.col(name).cast(dtype) for name, dtype in RESULT_COLUMNS.items()
    )


def _with_facts(expected: pl.DataFrame, stream: pl.DataFrame) -> pl.DataFrame:
    """Add the first step that counts and the first exit after the opening, each with its day, key and knowledge."""
    later_start = pl.col("counts_from") > pl.col("opened")
    search = pl.when(later_start).then(_day_key(pl.col("counts_from"))).otherwise("opened_key")
    keyed = expected.with_columns(search=search).with_row_index("episode").sort("search")
    found = _next(_next(keyed, stream, "step").sort("opened_key"), stream, "exit")
    return found.sort("episode")


def _next(episodes: pl.DataFrame, stream: pl.DataFrame, what: str) -> pl.DataFrame:
    key = "search" if what == "step" else "opened_key"
    events = stream.filter(f"is_{what}").select(
        "patient_id",
        pl.col("key").alias(f"{what}_key"),
        pl.col("day").alias(f"{what}_day"),
        pl.col("known_from").alias(f"{what}_known"),
    )
    return episodes.join_asof(
        events.sort(f"{what}_key"),
        left_on=key,
        right_on=f"{what}_key",
        by="patient_id",
        strategy="forward",
        allow_exact_matches=False,
        coalesce=False,
        check_sortedness=False,
    )


def _decide(facts: pl.DataFrame, silence_lag_days: int) -> pl.DataFrame:
    """Write status and dates; needs the facts and ``observed_until``."""
    deadline, plan = pl.col("deadline"), pl.col("closed_by_plan")
    step_first = pl.col("step_key").is_not_null() & ~(pl.col("exit_key") < pl.col("step_key")).fill_null(
        False
    )
    step_day = pl.when(step_first & (pl.col("step_day") <= deadline)).then("step_day")
    exit_day = pl.when(~step_first & (pl.col("exit_day") <= deadline)).then("exit_day")
    planned = (plan <= deadline) & (plan <= pl.coalesce(exit_day, step_day, pl.col("observed_until")))
    broken = (deadline <= pl.col("observed_until")) & (plan > deadline).fill_null(True)
    status = (
        pl.when(planned.fill_null(False) | step_day.is_not_null())
        .then(pl.lit("kept"))
        .when(exit_day.is_not_null())
        .then(pl.lit("excused"))
        .when(broken.fill_null(False))
        .then(pl.lit("broken"))
        .otherwise(pl.lit("undecidable"))
    )
    return (
        facts.with_columns(status=status, by_plan=planned.fill_null(False))
        .with_columns(
            decided_on=_decided_on(), broken_on=pl.when(pl.col("status") == "broken").then("deadline")
        )
        .with_columns(known_from=_known_from(silence_lag_days))
    )


def _decided_on() -> pl.Expr:
    return (
        pl.when("by_plan")
        .then("closed_by_plan")
        .when(pl.col("status") == "kept")
        .then("step_day")
        .when(pl.col("status") == "excused")
        .then("exit_day")
        .when(pl.col("status") == "broken")
        .then("deadline")
    )


def _known_from(silence_lag_days: int) -> pl.Expr:
    """When the deciding fact was known, and not before the opening was."""
    fact = (
        pl.when("by_plan")
        .then("closed_by_plan")
        .when(pl.col("status") == "kept")
        .then("step_known")
        .when(pl.col("status") == "excused")
        .then("exit_known")
        .otherwise(pl.col("deadline") + _days(silence_lag_days))
    )
    return pl.when(pl.col("status") != "undecidable").then(pl.max_horizontal(fact, "opened_known_from"))


def _per_patient(episodes: pl.DataFrame) -> pl.DataFrame:
    """Keep one episode a patient and breakdown: the first broken one, else the last."""
    some_broken = pl.col("broken_on").is_not_null().any().over("patient_id", "breakdown")
    return (
        episodes.filter(~some_broken | pl.col("broken_on").is_not_null())
        .with_columns(choice=pl.when(pl.col("broken_on").is_not_null()).then(-_place()).otherwise(_place()))
        .sort("patient_id", "breakdown", "choice")
        .unique(["patient_id", "breakdown"], keep="last", maintain_order=True)
        .drop("choice")
    )


def _place() -> pl.Expr:
    return pl.int_range(pl.len()).over("patient_id", "breakdown")


def _pending_one(log: EventLog, definition: BreakdownDefinition, day: pl.Expr) -> pl.DataFrame:
    stream = _stream(log, definition)
    facts = _with_facts(_expect(stream, definition), stream)
    undecided = pl.col("step_key").is_null() & pl.col("exit_key").is_null()
    running = (pl.col("deadline") >= day) & (pl.col("closed_by_plan") > day).fill_null(True)
    return (
        facts.filter(undecided & running)
        .with_columns(days_overdue=(day - pl.col("due")).dt.total_days().clip(0))
        .select(pl.col(name).cast(dtype) for name, dtype in PENDING_COLUMNS.items())
    )
