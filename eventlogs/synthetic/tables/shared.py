"""What tables of several sources share: keys, dates, who a row is about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from eventlogs.synthetic import parameters as p

NULL_DATE = "1600-01-01"
JOIN_KEY = (
    "DCT_ORD_NUM", "FLX_DIS_DTD", "FLX_EMT_NUM", "FLX_EMT_ORD", "FLX_EMT_TYP", "FLX_TRT_DTD", "ORG_CLE_NUM",
    "PRS_ORD_NUM", "REM_TYP_AFF",
)  # fmt: skip
"""The nine columns that join ER_PRS_F to its affinée tables."""

RETURN_CODES = (
    "NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET", "COH_NAI_RET", "COH_SEX_RET",
)  # fmt: skip
"""Return codes of the chaining of stays."""

VISIT_RETURN_CODES = ("NIR_RET", "NAI_RET", "SEX_RET", "IAS_RET", "ENT_DAT_RET")
"""Return codes of the chaining of external care."""

NOBODY = "x" * 17
"""A NIR_ANO_17 that stands for nobody."""

CHAINED = ("psa", "old_psa", "change_day", "birth_year", "birth_month", "sex", "commune", "territory")
"""What the PMSI knows of a person."""


@dataclass(frozen=True)
class Setting:
    """Who and where the rows of a chunk are about, and until when tables go.

    Attributes
    ----------
    people : polars.DataFrame
        One row a person, in the order of their numbers.
    facilities : polars.Series
        FINESS of each centre.
    calendar : parameters.Calendar
        Of the tables.
    chunk : int
        Its number: keeps keys apart.
    """

    people: pl.DataFrame
    facilities: pl.Series
    calendar: p.Calendar
    chunk: int

    def placed(self, rows: pl.DataFrame, day: str) -> pl.DataFrame:
        """Rows of a year that is over, with `year`, `centre`, `nir` and what the PMSI knows of the person."""
        seen = rows.filter(pl.col(day) <= self.calendar.end)
        return seen.hstack(self.people.select(CHAINED)[seen["person"]]).with_columns(
            centre=self.facilities[seen["facility"]], year=as_date(day).dt.year(), nir=chained_under(day)
        )

    def by_year(self, parts: dict[str, pl.DataFrame], prefix: str) -> dict[str, pl.DataFrame]:
        """One table a part and year of discharge: ``T_MCO`` and ``B`` give ``T_MCO21B``."""
        return {
            f"{prefix}{year % 100}{part}": table.filter(pl.col("year") == year).drop("year")
            for part, table in parts.items()
            for year in table_years(self.calendar)
        }


def table_years(calendar: p.Calendar) -> range:
    """Years of the PMSI tables: from the lookback of the first index to the end."""
    return range(as_year(calendar.first_index - p.LOOKBACK_DAYS), as_year(calendar.end) + 1)


def as_date(name: str) -> pl.Expr:
    """Column of day numbers as dates."""
    return pl.col(name).cast(pl.Int32).cast(pl.Date)


def as_year(day: int) -> int:
    """Calendar year of a day number."""
    return int(np.datetime64(day, "D").astype("datetime64[Y]").astype(int)) + 1970


def compact(name: str) -> pl.Expr:
    """Column of day numbers as DDMMYYYY."""
    return as_date(name).dt.strftime("%d%m%Y")


def chained_under(day: str) -> pl.Expr:
    """The pseudonym under which care of `day` was chained."""
    named = pl.when(pl.col(day) < pl.col("change_day")).then("old_psa").otherwise("psa")
    return pl.when("bad_pseudonym").then(pl.lit(NOBODY)).otherwise(named)


def return_codes(names: tuple[str, ...]) -> dict[str, pl.Expr]:
    """Columns of return codes: ``1`` for the one in error, ``0`` for the others."""
    wrong = pl.col("return_code")
    return {name: pl.when(wrong == name).then(pl.lit("1")).otherwise(pl.lit("0")) for name in names}
