"""K2: the source rows that each event stands for, through every merge."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from eventlogs.log import ORIGIN_COLUMNS

CLAIM_KEY = [
    "flux", "DCT_ORD_NUM", "FLX_EMT_NUM", "FLX_EMT_ORD", "FLX_EMT_TYP", "FLX_TRT_DTD", "ORG_CLE_NUM",
    "PRS_ORD_NUM", "REM_TYP_AFF",
]  # fmt: skip
"""The nine keys of a line of DCIR, the month of flux first."""

STAY_KEY = ["table_year", "establishment", "stay", "part"]
"""The keys of a row of the PMSI: year of the table, hospital, stay, and a further number where there is one."""

SETTLE = ["source", "key", "start", "code", "quantity"]


def origins(rows: pl.DataFrame, parts: Iterable[pl.DataFrame], events: pl.DataFrame) -> pl.DataFrame:
    """Return the origins of events.

    Parameters
    ----------
    rows : polars.DataFrame
        Dated rows; ``row`` is their position.
    parts : iterable of polars.DataFrame
        ``row``, ``event``: which row tells which event; a row of several sessions tells several.
    events : polars.DataFrame
        ``event``, ``patient_id``, ``rank``, in order.

    Returns
    -------
    polars.DataFrame
        `ORIGIN_COLUMNS`, sorted by patient and rank. A row of a referential has the patient as its key.
    """
    placed = events.select("event", place=pl.int_range(pl.len(), dtype=pl.UInt32))
    told = pl.concat(part.select("row", "event") for part in parts).join(placed, on="event")
    described = rows.select("source", "code", "code_system", "atc", "start", "quantity", key=_key())
    ordered = _in_order(told.select("place", "row"), described)
    whose = events.select("patient_id", "rank")[ordered["place"]]
    named = whose.hstack(described[ordered["row"]]).with_columns(
        pl.coalesce("key", "patient_id").alias("key")
    )
    return named.select(pl.col(name).cast(dtype) for name, dtype in ORIGIN_COLUMNS.items())


def _in_order(told: pl.DataFrame, described: pl.DataFrame) -> pl.DataFrame:
    """Sort by event; only the origins of merged events need be compared by what they say."""
    several = told.select(pl.col("place").is_duplicated()).to_series()
    merged = told.filter(several)
    compared = merged.hstack(described[merged["row"]]).sort("place", *SETTLE, nulls_last=True)
    return pl.concat([told.filter(~several), compared.select("place", "row")]).sort(
        "place", maintain_order=True
    )


def _key() -> pl.Expr:
    claim = pl.concat_str(CLAIM_KEY, separator="|", ignore_nulls=True)
    stay = pl.concat_str(STAY_KEY, separator="|", ignore_nulls=True)
    return (
        pl.when(pl.col("DCT_ORD_NUM").is_not_null())
        .then(claim)
        .when(pl.col("CLE_DCI_JNT").is_not_null())
        .then("CLE_DCI_JNT")
        .when(pl.col("stay").is_not_null())
        .then(stay)
    )
