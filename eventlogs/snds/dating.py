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


ACTS_OF_STAYS, ACTS_OF_CLAIMS = ("T_MCOaaA", "T_MCOaaFM"), ("ER_CAM_F", "NS_CAM_F")

SAME_ACT = ["person", "activity", "code", "facility"]


def on_one_day(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Give an act that a stay and a claim tell on different days the day of the surer; return also how many rows moved.

    One of them may know the entry of the stay only: the claim that is dated to it, or the act of a stay that has no
    delay. It takes the day of the other (the first, inside the stay, of the same hospital), unless either source tells
    the other's day too. Two days that are both stated stay two acts, and so does a claim of elsewhere.

    Parameters
    ----------
    rows : polars.DataFrame
        Result of `with_start`.
    """
    act, claim = pl.col("source").is_in(ACTS_OF_STAYS), pl.col("source").is_in(ACTS_OF_CLAIMS)
    stays = rows.filter(pl.col("kind") == "act", act).select(
        "row", "start", *SAME_ACT, entry="date", leave="until", is_dated=pl.col("offset_days").is_not_null()
    )
    claims = rows.filter(pl.col("kind") == "line", claim).select("row", "start", *SAME_ACT)
    both = stays.join(claims, on=SAME_ACT, suffix="_claim").filter(
        pl.col("start_claim").is_between("entry", pl.coalesce("leave", "start"))
    )
    together = both.filter(pl.col("start") == pl.col("start_claim"))
    apart = both.join(together, on="row", how="anti").join(together, on="row_claim", how="anti")
    at_entry = (pl.col("start_claim") == pl.col("entry")) & (pl.col("start") > pl.col("entry"))
    moved = pl.concat(
        [
            apart.filter(at_entry).select(row="row_claim", day="start"),
            apart.filter(~pl.col("is_dated")).select("row", day="start_claim"),
        ]
    )
    days = moved.group_by("row").agg(pl.col("day").min())
    placed = rows.join(days, on="row", how="left", maintain_order="left")
    return placed.with_columns(start=pl.coalesce("day", "start")).drop("day"), days.height


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
