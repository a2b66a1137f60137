"""K2 of hospitals: acts, sessions one by one, diagnoses, visits, and stays that gave nothing else."""

from __future__ import annotations

import polars as pl

from eventlogs.snds.netting import FOUND

PMSI_KNOWN_MONTH = 7
"""Yearly PMSI arrives about June of the next year: known from 1 July (reference feed: annual)."""

WEEK_DAYS, MONTH_SPAN_DAYS = 7, 27
"""Sessions that share more than a week are dated to the month; 27 days after its first, a month is not over."""

STAY = ["person", "table_year", "establishment", "stay"]

EVENTFUL = ("act", "session", "stay", "visit")
"""Kinds of rows that are events whatever else the stay tells."""


def told(rows: pl.DataFrame, *, expanded: bool) -> pl.DataFrame:
    """Return the rows that hospitals tell events by, one an event: sessions one by one where `expanded`.

    A bare stay is one only where the stay gave no other event.

    Parameters
    ----------
    rows : polars.DataFrame
        Dated rows.
    expanded : bool
        A row of n sessions is n rows; else one, of quantity n (the switch ``grouped_sessions``).
    """
    events = rows.filter(pl.col("kind").is_in(EVENTFUL))
    stays = rows.filter(pl.col("kind") == "bare_stay")
    inside = _keyed(events.filter(pl.col("kind") != "visit"))
    silent = _keyed(stays).join(inside, on=[*STAY, "field"], how="anti", nulls_equal=True).drop("field")
    return pl.concat([_spread(events) if expanded else _gathered(events), silent])


def _keyed(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the field of the PMSI (``T_MCO``, ``T_SSR`` …): each numbers its stays on its own."""
    return rows.with_columns(field=pl.col("source").str.head(5))


def hospital_events(told: pl.DataFrame) -> pl.DataFrame:
    """Return the events (`FOUND`) of the rows that `told` gives, numbered by `dating.with_event`."""
    year = pl.coalesce("year", pl.col("until").dt.year(), pl.col("start").dt.year())
    return told.select(
        *FOUND[:-3],
        known_from=pl.date(year + 1, PMSI_KNOWN_MONTH, 1),
        known_until=pl.lit(None, dtype=pl.Date),
        end=pl.when(pl.col("kind").is_in(["stay", "bare_stay"])).then("until"),
    )


def _spread(rows: pl.DataFrame) -> pl.DataFrame:
    """Write a row of n sessions as n rows, evenly spaced from entry to discharge.

    One session keeps its day; several share a stay of up to a week (precision ``week``) or more (``month``), those of
    a stay dated by its month only share that month. A day holds one session of an activity at most.
    """
    several = _several()
    spread = rows.filter(several).with_columns(
        step=pl.int_ranges(0, "quantity"), span=_span(), gaps=pl.col("quantity") - 1
    )
    placed = spread.explode("step", empty_as_null=True).with_columns(
        start=pl.col("start") + pl.duration(days=(pl.col("step") * pl.col("span")) // pl.col("gaps")),
        date_precision=_shared_precision(),
        quantity=pl.lit(1, dtype=pl.Int64),
    )
    return pl.concat([rows.filter(~several), placed.select(rows.columns)])


def _gathered(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave a row of n sessions as one, at entry, dated to the week or month that they share."""
    shared = rows.with_columns(span=_span()).with_columns(
        date_precision=pl.when(_several() & (pl.col("span") > 0))
        .then(_shared_precision())
        .otherwise("date_precision")
    )
    return shared.drop("span")


def _several() -> pl.Expr:
    return (pl.col("kind") == "session") & (pl.col("quantity") > 1).fill_null(False)


def _span() -> pl.Expr:
    stay = (pl.col("until") - pl.col("start")).dt.total_days().fill_null(0)
    return pl.when(pl.col("date_precision") == "month").then(MONTH_SPAN_DAYS).otherwise(stay)


def _shared_precision() -> pl.Expr:
    return pl.when(pl.col("span") <= WEEK_DAYS).then(pl.lit("week")).otherwise(pl.lit("month"))


def touched(rows: pl.DataFrame) -> dict[str, int]:
    """Count the sessions that are told several in a row."""
    return {"trap.grouped_sessions": int(rows.filter(_several())["quantity"].sum())}
