"""Strata that studies of French claims need: deprivation with overseas apart, the months of the first lockdown."""

from __future__ import annotations

from datetime import date

import polars as pl

DEPRIVATION_STRATA = ("1", "2", "3", "4", "5", "overseas", "unknown")
"""Quintiles of FDep (1: least deprived), and those who have none."""

COVID_MONTHS = (date(2020, 3, 1), date(2020, 4, 1), date(2020, 5, 1))
"""First days of the months when care fell: screening was under 10 % of normal for two months (Vincelet 2021,
PMC8429352, Île-de-France and Hauts-de-France). They are marked, not mended."""


def is_overseas(territory: str = "territory") -> pl.Expr:
    """Return whether a département of residence is overseas (97…): FDep has no value there."""
    return pl.col(territory).str.starts_with("97").fill_null(False)


def deprivation_stratum(deprivation: str = "deprivation", territory: str = "territory") -> pl.Expr:
    """Return the stratum of deprivation: ``1`` to ``5``, ``overseas``, or ``unknown``.

    FDep covers metropolitan communes only: patients overseas are a stratum, not missing values.

    Parameters
    ----------
    deprivation, territory : str
        Columns of the patients table.
    """
    quintile = pl.col(deprivation).cast(pl.String).fill_null("unknown")
    return (
        pl.when(is_overseas(territory))
        .then(pl.lit("overseas"))
        .otherwise(quintile)
        .alias("deprivation_stratum")
    )


def in_covid_months(day: str | pl.Expr = "start") -> pl.Expr:
    """Return whether a day lies in March to May 2020 (`COVID_MONTHS`).

    Parameters
    ----------
    day : str or polars.Expr
        A date or a time.
    """
    column = pl.col(day) if isinstance(day, str) else day
    return column.cast(pl.Date).dt.month_start().is_in(list(COVID_MONTHS)).fill_null(False)


def calendar(first: date, last: date) -> pl.DataFrame:
    """Return the months from `first` to `last`: ``month`` (first day) and ``covid``, a covariate for time series.

    Parameters
    ----------
    first, last : datetime.date
        Any days of the first and the last month.
    """
    months = pl.date_range(first.replace(day=1), last.replace(day=1), "1mo", eager=True).alias("month")
    return months.to_frame().with_columns(covid=in_covid_months("month"))
