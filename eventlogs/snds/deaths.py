"""K2: one death a person, from whoever dates it best."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from eventlogs.snds.hospital import PMSI_KNOWN_MONTH
from eventlogs.snds.rows import ROW

KNOWN_AFTER_DAYS = {"beneficiaries": 183, "causes": 730}
"""Days until a death is known, since neither referential says when it was recorded.

IR_BEN_R: six months, by when 98 to 99 % of care has arrived. KI_CCI_R: two years, the delay of the causes of death
(SNDS documentation). A discharge mode is known with the yearly PMSI.
"""

TELLERS = {"KI_CCI_R": "causes", "IR_BEN_R": "beneficiaries"}
"""Who tells a death, by table; every other table is of stays."""


def registered(people: pl.DataFrame) -> pl.DataFrame:
    """Return the deaths of IR_BEN_R as rows (`rows.ROW`), beside those that K1 attached."""
    dead = people.filter(pl.col("death_date").is_not_null()).select("person", date="death_date")
    known = dead.with_columns(kind=pl.lit("death"), source=pl.lit("IR_BEN_R"))
    return pl.concat([pl.DataFrame(schema=ROW), known], how="diagonal")


def told(rows: pl.DataFrame) -> pl.DataFrame:
    """Return every death: ``row``, ``person``, ``source``, ``date_precision``, ``start``, ``teller``, ``known_from``.

    A stay without a day of discharge tells a month: the death is on its last day, so that no care of that month comes
    after it (as for BEN_DCD_AME).

    Parameters
    ----------
    rows : polars.DataFrame
        Dated rows; those of kind *death* count.
    """
    teller = pl.col("source").replace_strict(TELLERS, default="stays", return_dtype=pl.String)
    last_possible = pl.when(pl.col("date_precision") == "month").then(pl.col("start").dt.month_end())
    seen = rows.filter(pl.col("kind") == "death").select(
        "row", "person", "source", "date_precision", start=last_possible.otherwise("start"), teller=teller
    )
    return seen.with_columns(known_from=_known_from())


def _known_from() -> pl.Expr:
    later = pl.col("teller").replace_strict(KNOWN_AFTER_DAYS, default=None, return_dtype=pl.Int64)
    closure = pl.date(pl.col("start").dt.year() + 1, PMSI_KNOWN_MONTH, 1)
    return pl.coalesce(pl.col("start") + pl.duration(days=later), closure)


def deaths(told: pl.DataFrame, order: Sequence[str]) -> pl.DataFrame:
    """Return one death a person: the date of the first teller in `order`, known from the first that told it.

    Parameters
    ----------
    told : polars.DataFrame
        Result of `told`, of the tellers in `order`.
    order : sequence of {'causes', 'beneficiaries', 'stays'}
        The surest first.

    Returns
    -------
    polars.DataFrame
        ``person``, ``start``, ``date_precision``, ``source``, ``known_from``, sorted by person.
    """
    place = {teller: position for position, teller in enumerate(order)}
    return (
        told.sort("person", pl.col("teller").replace_strict(place, return_dtype=pl.Int32), "start", "source")
        .group_by("person", maintain_order=True)
        .agg(pl.col("start", "date_precision", "source").first(), pl.col("known_from").min())
    )


def as_found(deaths: pl.DataFrame, activity: str) -> pl.DataFrame:
    """Return the columns of `netting.FOUND` but ``event``: deaths as events of this activity."""
    return deaths.select(
        "person",
        pl.lit(activity, dtype=pl.String).alias("activity"),
        "start",
        "source",
        *(pl.lit(None, dtype=pl.String).alias(name) for name in ("code", "code_system")),
        "date_precision",
        pl.lit(None, dtype=pl.String).alias("facility"),
        pl.lit(1, dtype=pl.Int64).alias("quantity"),
        "known_from",
        *(pl.lit(None, dtype=pl.Date).alias(name) for name in ("known_until", "end")),
    )


def disagreeing(told: pl.DataFrame) -> pl.DataFrame:
    """Return the persons whose death IR_BEN_R does not tell, or that two sources date differently."""
    return (
        told.group_by("person")
        .agg(registered=(pl.col("teller") == "beneficiaries").any(), dates=pl.col("start").n_unique())
        .filter(~pl.col("registered") | (pl.col("dates") > 1))
        .select("person")
    )
