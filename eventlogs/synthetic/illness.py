"""IR_IMB_R: the long-term illness status (ALD), which opens some weeks off the diagnosis."""

from __future__ import annotations

import numpy as np
import polars as pl

from .tables import as_date

DIABETES_SHARE = 0.08  # ours


def ald_days(rng: np.random.Generator, people: pl.DataFrame, planted: frozenset[str]) -> pl.Series:
    """Day on which the ALD for the cancer begins; null for who has none.

    With ``ald_is_no_diagnosis`` it differs from the diagnosis by more than a week for nearly three in four (73 % of
    breast cancers in one linkage study, BEH 2016;26-27).
    """
    size = people.height
    near = rng.random(size) < 0.27
    weeks = rng.integers(8, 57, size) * np.where(rng.random(size) < 0.85, 1, -1)
    shift = np.where(near, rng.integers(-3, 8, size), weeks) * ("ald_is_no_diagnosis" in planted)
    ill = pl.col("ald") & ~pl.col("kind").is_in(["benign", "twin"])
    start = pl.min_horizontal(pl.col("index_day") + pl.Series(shift), "death_day")
    return people.select(pl.when(ill).then(start)).to_series()


def long_term_illness(
    rng: np.random.Generator, people: pl.DataFrame, planted: frozenset[str]
) -> pl.DataFrame:
    """ALD rows, with the traps that were asked for.

    ``ald_versions``: a later version of some rows. ``null_date``: open ends written 2099-12-31 or 1600-01-01.
    """
    cancer = _opened(
        people.filter(pl.col("ald_day").is_not_null()).with_columns(start="ald_day", number=pl.lit(30))
    )
    diabetes = _opened(
        people.filter(pl.Series(rng.random(people.height) < DIABETES_SHARE)).with_columns(
            start=pl.col("index_day") - 900, site=pl.lit("E119"), number=pl.lit(8)
        )
    )
    rows = pl.concat([cancer, diabetes])
    table = _table(rows, _open_end(rng, rows.height) if "null_date" in planted else _no_end(rows.height))
    return _with_versions(rng, table) if "ald_versions" in planted else table


def _opened(rows: pl.DataFrame) -> pl.DataFrame:
    """Under the pseudonym of the day of opening."""
    psa = pl.when(pl.col("start") < pl.col("change_day")).then("old_psa").otherwise("psa")
    return rows.select("twin_rank", "start", "site", "number", psa=psa)


def _no_end(size: int) -> pl.Series:
    return pl.Series([None], dtype=pl.Date).new_from_index(0, size)


def _open_end(rng: np.random.Generator, size: int) -> pl.Series:
    ends = pl.Series(["2099-12-31", "1600-01-01", None]).str.to_date()
    return ends[rng.integers(0, 3, size)]


def _table(rows: pl.DataFrame, end: pl.Series) -> pl.DataFrame:
    return rows.with_columns(inserted=pl.col("start") + 20).select(
        BEN_NIR_PSA="psa",
        BEN_RNG_GEM="twin_rank",
        IMB_ALD_DTD=as_date("start"),
        IMB_ALD_DTF=end,
        IMB_ALD_NUM=pl.col("number").cast(pl.Int8),
        IMB_ETM_NAT=pl.lit(41, dtype=pl.Int8),
        INS_DTE=as_date("inserted"),
        MED_MTF_COD="site",
        MED_NCL_IDT=pl.lit("CIM10"),
        UPD_DTE=as_date("inserted"),
    )


def _with_versions(rng: np.random.Generator, table: pl.DataFrame) -> pl.DataFrame:
    """One row in four has a later version with another start."""
    again = table.filter(pl.Series(rng.random(table.height) < 0.25)).with_columns(
        pl.col("IMB_ALD_DTD") + pl.duration(days=15), pl.col("INS_DTE") + pl.duration(days=200)
    )
    return pl.concat([table, again])
