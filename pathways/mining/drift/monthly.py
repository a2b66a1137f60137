"""Monthly counts of steps, activities and codes, one patient once a series."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import rel_entr

from eventlogs.log import EventLog
from pathways.mining.kernels import END

BEFORE_DAYS = 90
"""Days before the index date that are looked at: the examinations that lead to it. An operational choice."""

N_DRAWS = 200
"""Draws for the distance that chance alone would give."""

MONTH_COLUMNS: dict[str, Any] = {
    "kind": pl.String,
    "source": pl.String,
    "target": pl.String,
    "month": pl.Date,
    "n_patients": pl.Int64,
    "n_of": pl.Int64,
    "expected": pl.Float64,
    "share": pl.Float64,
}
"""Columns of a monthly table. ``kind``: ``edge`` (``target`` right after ``source``; ``■``: none), ``activity``
(``source`` is empty), ``code`` (``target`` is a code of the activity ``source``). ``n_patients`` of ``n_of``: who could
be counted, for an activity those who are in their window and had none yet. ``expected``: from all months."""

DISTANCE_COLUMNS: dict[str, Any] = {
    "month": pl.Date,
    "n_patients": pl.Int64,
    "distance": pl.Float64,
    "chance_95": pl.Float64,
}
"""Columns of `monthly_distance`: ``n_patients`` counts a patient once a source of steps."""

SERIES = ["kind", "source", "target"]


@dataclass(frozen=True)
class Passages:
    """First passages of patients at each activity, inside their window; what monthly tables are counted from.

    Parameters
    ----------
    people : polars.DataFrame
        ``patient_id``, ``index``, ``opens``, ``closes`` (excluded), ``seen_until`` (death or end of observation),
        ``decided_until`` (end of observation).
    frame : polars.DataFrame
        One row a patient and activity: the first event inside the window, with the event after it.
    first, last : int
        Months in which recruitment fills the window, both included, as ``12 * year + month - 1``.
    last_day : datetime.datetime
        Until when the sources are complete.
    """

    people: pl.DataFrame = field(repr=False)
    frame: pl.DataFrame = field(repr=False)
    first: int
    last: int
    last_day: datetime

    @classmethod
    def of(cls, log: EventLog, within_days: int) -> Passages:
        """Take the passages of a log, to `within_days` after the index date."""
        people = _people(log, within_days)
        last_day = _last_day(log)
        begins, ends = _recruitment(people) if people.height else (last_day, last_day)
        return cls(
            people=people,
            frame=_first_passages(log, people),
            first=_number(begins + timedelta(days=within_days - 1)) + 1,
            last=min(_last_whole(ends - timedelta(days=BEFORE_DAYS)), _last_whole(last_day)),
            last_day=last_day,
        )


def _last_day(log: EventLog) -> datetime:
    day = log.observed_until or log.events["start"].max()
    return day if isinstance(day, datetime) else datetime(1970, 1, 1)


def _people(log: EventLog, within_days: int) -> pl.DataFrame:
    own = log.horizons.drop_nulls("patient_id").group_by("patient_id").agg(own=pl.col("observed_until").min())
    firsts = log.events.filter(pl.col("rank") == 0).select("patient_id", first="start")
    complete = pl.lit(_last_day(log))
    people = (
        firsts.join(log.patients, on="patient_id", how="left")
        .join(own, on="patient_id", how="left")
        .select(
            "patient_id",
            index=pl.coalesce("index_date", "first"),
            seen_until=pl.min_horizontal("own", "death_date", complete),
            decided_until=pl.min_horizontal("own", complete),
        )
    )
    return people.with_columns(
        opens=pl.col("index").dt.offset_by(f"-{BEFORE_DAYS}d"),
        closes=pl.col("index").dt.offset_by(f"{within_days}d"),
    ).sort("patient_id")


def _recruitment(people: pl.DataFrame) -> tuple[datetime, datetime]:
    """Return the first day of the first and the last day of the last month with half the usual number of new patients.

    The usual number is the median over patients of the new patients of their month.
    """
    months = people.group_by(month=pl.col("index").dt.month_start()).len().sort("month")
    usual = months["len"].gather(np.repeat(np.arange(months.height), months["len"])).median()
    full = months.filter(pl.col("len") >= pl.lit(usual) / 2)
    first, last = full.select(pl.col("month").min(), end=pl.col("month").max().dt.month_end()).row(0)
    assert isinstance(first, datetime) and isinstance(last, datetime)
    return first, last


def _number(day: datetime) -> int:
    return 12 * day.year + day.month - 1


def _last_whole(day: datetime) -> int:
    """Return the last month that ends by a day."""
    return _number(day + timedelta(days=1)) - 1


def _month(name: str) -> pl.Expr:
    return pl.col(name).dt.year().cast(pl.Int64) * 12 + pl.col(name).dt.month() - 1


def _as_date(name: str) -> pl.Expr:
    return pl.date(pl.col(name) // 12, pl.col(name) % 12 + 1, 1).alias("month")


def _first_passages(log: EventLog, people: pl.DataFrame) -> pl.DataFrame:
    following = log.events.select(
        "patient_id", "rank", "activity", "start", "code", "code_system",
        next=pl.col("activity").shift(-1).over("patient_id"),
        next_start=pl.col("start").shift(-1).over("patient_id"),
    )  # fmt: skip
    inside = following.join(people, on="patient_id").filter(
        pl.col("start") >= pl.col("opens"), pl.col("start") < pl.col("closes")
    )
    first = inside.sort("patient_id", "rank").unique(
        ["patient_id", "activity"], keep="first", maintain_order=True
    )
    return first.with_columns(number=_month("start"))


def monthly_steps(passages: Passages, *, step_days: int) -> pl.DataFrame:
    """Count by month where patients went from the first passage at each activity.

    Parameters
    ----------
    passages : Passages
        Of any log.
    step_days : int
        See `pathways.mining.drift.drift`.

    Returns
    -------
    polars.DataFrame
        `MONTH_COLUMNS` with ``kind`` = ``edge``: every target of a source in every month.
    """
    last = min(passages.last, _last_whole(passages.last_day - timedelta(days=step_days)))
    due = pl.col("start").dt.offset_by(f"{step_days}d")
    came = (pl.col("next_start") <= due).fill_null(False)
    steps = (
        passages.frame.filter(pl.col("number").is_between(passages.first, last))
        .filter(came | (pl.col("decided_until") >= due))
        .select(
            "number",
            kind=pl.lit("edge"),
            source="activity",
            target=pl.when(came).then("next").otherwise(pl.lit(END)),
        )
    )
    return _filled(steps, passages.first, last)


def monthly_codes(passages: Passages) -> pl.DataFrame:
    """Count by month with which code patients had their first event of each activity.

    Parameters
    ----------
    passages : Passages
        Of a log of activities; those with one code only, or none, are left out.

    Returns
    -------
    polars.DataFrame
        `MONTH_COLUMNS` with ``kind`` = ``code``; ``target`` is written ``SYSTEM:code``.
    """
    code = pl.concat_str("code_system", "code", separator=":")
    coded = (
        passages.frame.filter(pl.col("number").is_between(passages.first, passages.last))
        .select("number", kind=pl.lit("code"), source="activity", target=pl.coalesce(code, "code"))
        .drop_nulls("target")
        .filter(pl.col("target").n_unique().over("source") > 1)
    )
    return _filled(coded, passages.first, passages.last)


def _filled(passages: pl.DataFrame, first: int, last: int) -> pl.DataFrame:
    """Count passages by series and month, with the months and targets that have none."""
    counts = passages.group_by(*SERIES, "number").agg(n_patients=pl.len())
    series = passages.select(SERIES).unique()
    months = pl.DataFrame({"number": np.arange(first, max(last + 1, first))}, schema={"number": pl.Int64})
    every = series.join(months, how="cross").join(counts, on=[*SERIES, "number"], how="left")
    whole = every.with_columns(pl.col("n_patients").fill_null(0).cast(pl.Int64))
    group = ["kind", "source", "number"]
    told = whole.with_columns(n_of=pl.col("n_patients").sum().over(group)).with_columns(
        expected=pl.col("n_of") * pl.col("n_patients").sum().over(SERIES) / pl.col("n_of").sum().over(SERIES)
    )
    return _conform(told)


def _conform(counts: pl.DataFrame) -> pl.DataFrame:
    share = pl.when(pl.col("n_of") > 0).then(pl.col("n_patients") / pl.col("n_of"))
    shaped = counts.with_columns(_as_date("number"), share=share)
    return shaped.select(pl.col(name).cast(dtype) for name, dtype in MONTH_COLUMNS.items()).sort(
        *SERIES, "month"
    )


def monthly_activities(passages: Passages) -> pl.DataFrame:
    """Count by month the patients with their first event of each activity, and how many were expected.

    Parameters
    ----------
    passages : Passages
        Of any log.

    Returns
    -------
    polars.DataFrame
        `MONTH_COLUMNS` with ``kind`` = ``activity``. Patients are at risk from the month in which their window opens
        to the first event, the end of the window, their death or the end of their observation; ``expected`` gives each
        month at risk the chance of all months as many calendar months from the index.
    """
    if passages.last < passages.first:
        return pl.DataFrame(schema=MONTH_COLUMNS)
    events = passages.frame.select("patient_id", "activity", event="number")
    frames = [
        _of_activity(name, passages, firsts)
        for (name,), firsts in events.group_by("activity", maintain_order=True)
    ]
    return pl.concat([pl.DataFrame(schema=MONTH_COLUMNS), *frames]).sort(*SERIES, "month")


def _of_activity(name: object, passages: Passages, firsts: pl.DataFrame) -> pl.DataFrame:
    people = passages.people.join(firsts, on="patient_id", how="left").select(
        begin=_month("opens"),
        stop=pl.min_horizontal(
            "event", _month("seen_until"), _month("closes") - (pl.col("closes").dt.day() == 1).cast(pl.Int64)
        ),
        event="event",
        index=_month("index"),
    )
    arrays = {key: people[key].fill_null(-1).to_numpy().astype(np.int64) for key in people.columns}
    n_months = passages.last - passages.first + 1
    at_risk, events = _risk_table(arrays, passages.first, n_months)
    chance = np.divide(
        events.sum(axis=0), at_risk.sum(axis=0), out=np.zeros(at_risk.shape[1]), where=at_risk.sum(axis=0) > 0
    )
    frame = pl.DataFrame(
        {
            "kind": "activity",
            "source": "",
            "target": name,
            "number": np.arange(passages.first, passages.last + 1),
            "n_patients": events.sum(axis=1),
            "n_of": at_risk.sum(axis=1),
            "expected": at_risk @ chance,
        }
    )
    return _conform(frame)


def _risk_table(
    people: dict[str, NDArray[np.int64]], first: int, n_months: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return patients at risk and first events by month and by months since the index."""
    begin, stop, event, index = (people[key] for key in ("begin", "stop", "event", "index"))
    longest = int((stop - begin).max(initial=0)) + 1
    earliest = int((begin - index).min(initial=0))
    at_risk = np.zeros((n_months, longest + 1))
    events = np.zeros_like(at_risk)
    for age in range(longest + 1):
        month = index + earliest + age
        inside = (month >= begin) & (month <= stop) & (month >= first) & (month < first + n_months)
        at_risk[:, age] = np.bincount(month[inside] - first, minlength=n_months)
        had = inside & (month == event)
        events[:, age] = np.bincount(month[had] - first, minlength=n_months)
    return at_risk, events


def monthly_distance(steps: pl.DataFrame, *, seed: int = 0) -> pl.DataFrame:
    """Measure how far each month's steps are from those of all months.

    Parameters
    ----------
    steps : polars.DataFrame
        From `monthly_steps`.
    seed : int
        Of the draws of chance.

    Returns
    -------
    polars.DataFrame
        `DISTANCE_COLUMNS`.
    """
    if steps.is_empty():
        return pl.DataFrame(schema=DISTANCE_COLUMNS)
    rng = np.random.default_rng((seed, 2))
    months = steps["month"].unique().sort()
    total, drawn = np.zeros(len(months)), np.zeros((N_DRAWS, len(months)))
    n_patients = np.zeros(len(months), dtype=np.int64)
    everybody = float(steps["n_patients"].sum())
    for _, source in steps.group_by("source", maintain_order=True):
        counts = source.pivot("target", index="month", values="n_patients").sort("month").drop("month")
        table = counts.to_numpy().astype(np.float64)
        weight, n = table.sum() / everybody, table.sum(axis=1).astype(np.int64)
        mean = table.sum(axis=0) / table.sum()
        total += weight * _divergence(table, mean)
        drawn += weight * _divergence(rng.multinomial(n, mean, size=(N_DRAWS, len(n))).astype(float), mean)
        n_patients += n
    return pl.DataFrame(
        {
            "month": months,
            "n_patients": n_patients,
            "distance": np.sqrt(total),
            "chance_95": np.sqrt(np.quantile(drawn, 0.95, axis=0)),
        },
        schema=DISTANCE_COLUMNS,
    )


def _divergence(counts: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Jensen–Shannon divergence (base 2) of each row of counts from a distribution; 0 for an empty row."""
    n = counts.sum(axis=-1, keepdims=True)
    shares = np.where(n > 0, counts / np.maximum(n, 1), mean)
    middle = (shares + mean) / 2
    divergence = (rel_entr(shares, middle) + rel_entr(mean, middle)).sum(axis=-1)
    scaled: NDArray[np.float64] = divergence / (2 * np.log(2))
    return scaled
