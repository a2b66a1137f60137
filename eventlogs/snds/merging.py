"""K2: one event a person, activity and day, whoever tells it."""

from __future__ import annotations

import polars as pl

from eventlogs.snds.netting import FOUND

SOURCE_ORDER = (
    *(f"T_MCOaa{part}" for part in ("A", "B", "D", "UM", "MED", "MEDATU", "FH", "FM")),
    *(f"T_HADaa{part}" for part in ("B", "A", "D", "MED", "MEDATU", "FH")),
    *(f"T_SSRaa{part}" for part in ("B", "CCAM", "D", "MED", "MEDATU", "FH")),
    *(f"T_RIPaa{part}" for part in ("RSA", "RSAD")),
    *(f"T_MCOaa{part}" for part in ("FMSTC", "FHSTC", "FLSTC", "FBSTC", "FCSTC", "FASTC", "FPSTC", "CSTC")),
    *(f"{form}_{table}_F" for form in ("ER", "NS") for table in ("UCD", "CAM", "PHA", "BIO", "TIP", "PRS")),
    "KI_CCI_R",
    "IR_BEN_R",
)
"""Which source tells of an act seen in several: the stay, then the hospital's external care, then the claim."""

AS_TOLD = ["code", "code_system", "date_precision", "facility", "end", "known_until"]

SETTLE = ["code", "date_precision", "facility", "end", "quantity", "known_from"]


def one_a_day(found: pl.DataFrame) -> pl.DataFrame:
    """Keep one event a person, activity and day.

    The same act told by a stay and by a claim is one act; several claim lines of one radiotherapy fraction are
    one fraction. The row of the first source in `SOURCE_ORDER` is kept, then the first code; what claims and drug
    tables deliver is added over the kept source's rows, and other quantities are its largest; the event is known from
    the first time any source told it.

    Parameters
    ----------
    found : polars.DataFrame
        `FOUND`.
    """
    repeated = found.select(pl.col("event").is_duplicated()).to_series()
    return pl.concat([found.filter(~repeated), _merged(found.filter(repeated))]).sort("event")


def _merged(found: pl.DataFrame) -> pl.DataFrame:
    kept = pl.col("source") == pl.col("source").first()
    delivered = pl.col("source").first().str.contains("^(ER|NS)_") | (pl.col("code_system").first() == "UCD")
    of_kept = pl.col("quantity").filter(kept)
    return (
        found.sort("event", _place(), "source", *SETTLE, nulls_last=True)
        .group_by("event", maintain_order=True)
        .agg(
            pl.col("person", "activity", "start", "source", *AS_TOLD).first(),
            quantity=pl.when(delivered.fill_null(False)).then(of_kept.sum()).otherwise(of_kept.max()),
            known_from=pl.col("known_from").min(),
        )
        .select(FOUND)
    )


def _place() -> pl.Expr:
    place = {source: position for position, source in enumerate(SOURCE_ORDER)}
    return pl.col("source").replace_strict(place, default=len(place), return_dtype=pl.Int32)


def touched(found: pl.DataFrame) -> dict[str, int]:
    """Count the events found beyond the first of a day, and how many of those merge several sources."""
    sources = found.select("event", "source").unique()
    return {
        "duplicates_merged": found.height - found["event"].n_unique(),
        "events_told_by_several_sources": sources.height - sources["event"].n_unique(),
    }
