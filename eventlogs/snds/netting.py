"""K2 of claims: corrections and cancellations are summed with what they correct, as their fluxes arrive."""

from __future__ import annotations

import polars as pl

FOUND = [
    "event", "person", "activity", "start", "source", "code", "code_system", "date_precision", "facility",
    "quantity", "known_from", "known_until", "end",
]  # fmt: skip
"""Columns of the events found, before those of one day are merged."""

SAME_LINE = ["event", "source", "code"]
"""What a correction repeats of the line that it corrects."""

NO_DAY = pl.lit(None, dtype=pl.Date)


def counted(lines: pl.DataFrame, *, positive_only: bool) -> pl.DataFrame:
    """Return the lines to net, a line without a quantity counting for one.

    Parameters
    ----------
    lines : polars.DataFrame
        Rows of kind *line*, with ``event``.
    positive_only : bool
        Drop negative lines rather than sum them: cancelled originals stay (the switch ``regularisations``).
    """
    filled = lines.with_columns(pl.col("quantity").fill_null(1))
    return filled.filter(pl.col("quantity") > 0) if positive_only else filled


def net(lines: pl.DataFrame, *, positive_only: bool = False) -> pl.DataFrame:
    """Net regularisations: lines of one person, activity, day, source and code are summed as their fluxes arrive.

    A cancellation repeats the line with a negative quantity, in a later flux and with other keys. Filtering on
    a positive quantity would keep the cancelled originals.

    Parameters
    ----------
    lines : polars.DataFrame
        Result of `counted`.
    positive_only : bool
        Lines are not summed over fluxes as corrections: each stands from the first flux that told it.

    Returns
    -------
    polars.DataFrame
        `FOUND`, one row a state: ``quantity`` as it stood from the month of flux ``known_from`` until
        ``known_until`` (null: it still stands). The facility is that of the last line with a positive quantity.
    """
    repeated = lines.select(pl.struct(SAME_LINE).is_duplicated()).to_series()
    alone = lines.filter(~repeated).select(
        *FOUND[:-3], pl.col("flux").alias("known_from"), known_until=NO_DAY, end=NO_DAY
    )
    several = lines.filter(repeated)
    return pl.concat([alone, _told_first(several) if positive_only else _states(several)])


def _states(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the states of lines that came more than once."""
    arrived = (
        lines.group_by(*SAME_LINE, "flux")
        .agg(
            pl.col("quantity").sum(),
            pl.col("person", "activity", "start", "code_system", "date_precision").min(),
            facility=pl.col("facility").filter(pl.col("quantity") > 0).max(),
        )
        .sort(*SAME_LINE, "flux", nulls_last=True)
    )
    states = arrived.with_columns(
        pl.col("quantity").cum_sum().over(SAME_LINE), pl.col("facility").forward_fill().over(SAME_LINE)
    ).filter(pl.col("quantity").ne_missing(pl.col("quantity").shift()).over(SAME_LINE))
    return states.with_columns(
        known_from="flux", known_until=pl.col("flux").shift(-1).over(SAME_LINE), end=NO_DAY
    ).select(FOUND)


def _told_first(lines: pl.DataFrame) -> pl.DataFrame:
    return (
        lines.group_by(SAME_LINE)
        .agg(
            pl.col("quantity").sum(),
            pl.col("person", "activity", "start", "code_system", "date_precision").min(),
            pl.col("facility").max(),
            known_from=pl.col("flux").min(),
        )
        .with_columns(known_until=NO_DAY, end=NO_DAY)
        .select(FOUND)
    )


def standing(netted: pl.DataFrame) -> pl.DataFrame:
    """Return the lines that still stand."""
    return netted.filter(pl.col("quantity") > 0, pl.col("known_until").is_null())


def superseded(netted: pl.DataFrame) -> pl.DataFrame:
    """Return the states that were visible until a later flux corrected or cancelled them."""
    return netted.filter(pl.col("quantity") > 0, pl.col("known_until").is_not_null())


def origins(lines: pl.DataFrame, stands: pl.DataFrame) -> pl.DataFrame:
    """Return ``row``, ``event`` of the lines that a standing one sums: the original, its cancellation, the new one.

    The lines of what was cancelled for good stand for no event.
    """
    return lines.join(stands, on=SAME_LINE, how="semi", nulls_equal=True).select("row", "event")


def touched(lines: pl.DataFrame) -> dict[str, int]:
    """Count the negative lines, and the lines of a private radiotherapy fraction beyond its first (CCAM ZZNL, YYYY)."""
    fraction = lines.filter(pl.col("code").str.contains("^(ZZNL|YYYY)"), pl.col("quantity") > 0)
    return {
        "trap.regularisation": lines.filter(pl.col("quantity") < 0).height,
        "trap.private_radiotherapy": fraction.height - fraction["event"].n_unique(),
    }
