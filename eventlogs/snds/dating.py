"""K2, first step: when each row happened, how precisely, and which event it belongs to."""

from __future__ import annotations

import polars as pl

FACILITY_LENGTH = 8
"""Characters of a FINESS number that are compared: the ninth is a key, which DCIR leaves out (ETB_EXE_FIN)."""

DAY_BITS, ACTIVITY_BITS = 22, 11
"""Room for a day (years 1 to 9999) and for an activity in the number of an event; 30 bits remain for the person."""

EARLIEST_DAY = -719_162
"""1 January of the year 1, in days from 1970."""


def with_start(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Give each row its ``start``, ``date_precision`` and number ``row``; return also how many rows have no date.

    An act or a drug inside a stay is dated entry + offset (ENT_DAT_DEL, DELAI). A stay without dates (before 2009) is
    dated by its month of discharge. What the reader says of the precision (``precision``: a week, a month) comes first.
    A row without any date can be no event; a diagnosis without a date still opens the cohort. Facilities
    told by SNDS tables are shortened to their first eight characters.
    """
    exact = pl.col("date") + pl.duration(days=pl.col("offset_days").fill_null(0))
    in_year = pl.when(pl.col("month").is_between(1, 12)).then("month")
    told = pl.when(exact.is_not_null()).then(pl.lit("day")).otherwise(pl.lit("month"))
    dated = rows.with_columns(
        start=pl.coalesce(exact, pl.date(pl.col("year"), in_year, 1)),
        date_precision=pl.coalesce("precision", told),
        facility=pl.when(_is_finess())
        .then(pl.col("facility").str.head(FACILITY_LENGTH))
        .otherwise("facility"),
    )
    needed = pl.col("start").is_not_null() | (pl.col("kind") == "diagnosis")
    kept = dated.filter(needed)
    return kept.with_row_index("row"), dated.height - kept.height


def _is_finess() -> pl.Expr:
    """Return whether a facility is told by an SNDS table; a warehouse has numbers of its own."""
    return pl.col("source").str.contains("^(T|ER|NS)_")


def with_event(rows: pl.DataFrame, activities: pl.Enum) -> pl.DataFrame:
    """Add ``event``: one number for a person, an activity and a day, in their order.

    Parameters
    ----------
    rows : polars.DataFrame
        With ``person``, ``activity``, ``start``.
    activities : polars.Enum
        Every activity there may be.
    """
    day = pl.col("start").dt.epoch("d").cast(pl.Int64) - EARLIEST_DAY
    activity = pl.col("activity").cast(activities).to_physical().cast(pl.Int64)
    return rows.with_columns(event=(pl.col("person") * 2**ACTIVITY_BITS + activity) * 2**DAY_BITS + day)


def touched(rows: pl.DataFrame) -> dict[str, int]:
    """Count the attached rows whose facility has more than the eight characters that are compared."""
    return {
        "trap.facility_numbers": rows.filter(
            _is_finess(), pl.col("facility").str.len_chars() > FACILITY_LENGTH
        ).height
    }
