"""K1 of PMSI SSR (SMR since 2023): rehabilitation, told week by week.

A week has no date but its place in the stay: what it tells is dated by its Monday, with the precision of a week. A
stay is dated by the Monday of its first week, so that the tables of two years, and the weeks of the year before that a
table repeats, tell one stay.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw

from eventlogs.activities import ActivityRules
from eventlogs.practice import Practice
from eventlogs.snds.chaining import (
    STAY,
    Field,
    chained,
    chaining_counts,
    deaths,
    diagnosed,
    hospital_rows,
    keyed,
    position,
    presence,
)
from eventlogs.snds.mco import first_activity
from eventlogs.snds.rows import Source, Tables, beside, coded, together

SSR = Field("T_SSRaaC", stay="RHA_NUM")

WEEK = [*STAY, "RHS_NUM"]

REAL_WEEKS = ("0", "4")
"""TYP_GEN_RHA of weeks that took place (CNAM course on the PMSI); the others are made for billing."""


def monday_offset(days_after_entry: nw.Expr) -> nw.Expr:
    """Return the days from entry to the Monday of the week that lies so many days after it."""
    day = nw.col("entry").dt.weekday().cast(nw.Int64) - 1 + days_after_entry
    return days_after_entry - (day + 7) % 7


def _week_precision() -> nw.Expr:
    return nw.when(~nw.col("entry").is_null()).then(nw.lit("week"))


def weeks(t: Tables, practice: Practice, year: str) -> nw.LazyFrame[Any]:
    """Return the weeks that count, with the person and the dates of their stay."""
    group = [nw.col(name).str.starts_with("90").fill_null(False) for name in ("GRG_GME", "GRG_CMC")]
    made_up = (~nw.col("TYP_GEN_RHA").is_in(REAL_WEEKS)).fill_null(False)
    gone = [*group, *([made_up] if practice.automatic_stays == "leave_out" else [])]
    read = keyed(t("T_SSRaaB"), SSR).filter(*(~each for each in gone))
    return read.join(chained(t, SSR, practice, year), on=STAY, how="inner").with_columns(
        nw.col("ANN_LUN_1S").alias("year"),
        nw.col("MOI_LUN_1S").alias("month"),
        monday_offset(nw.lit(0)).alias("offset_days"),
    )


def week_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return what the definition names of rehabilitation: acts, diagnoses, stays for the disease, deaths."""
    kept = weeks(t, rules.practice, year)
    associated = keyed(t("T_SSRaaD"), SSR).join(kept, on=STAY, how="inner")
    positions = nw.concat(
        [
            position(kept, "MOR_PRP", "T_SSRaaB", principal=True, related=True),
            position(kept, "ETL_AFF", "T_SSRaaB", related=True),
            position(kept, "FP_PEC", "T_SSRaaB", related=True),
            position(associated, "DGN_COD", "T_SSRaaD"),
        ]
    ).unique()
    full = positions.filter(nw.col("related"))
    return together(
        [
            _acts(kept, t),
            *diagnosed(positions, t, rules, full, precision=_week_precision()),
            deaths(kept, "T_SSRaaB"),
            presence(kept, "T_SSRaaC"),
        ],
        t,
    )


def _acts(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    """Acts, on the Monday of their week; a stay without entry is dated by the month of the week (MMAAAA)."""
    done = coded(
        keyed(t("T_SSRaaCCAM"), SSR).filter(first_activity("CCAM_COD_ACT")), "CCAM_ACT", t("codes.CCAM")
    )
    month = nw.col("MOI_ANN").str.zfill(6)
    placed = done.join(kept, on=WEEK, how="inner")
    return hospital_rows(
        placed,
        "act",
        source=nw.lit("T_SSRaaCCAM"),
        code_system=nw.lit("CCAM"),
        until=nw.lit(None),
        part=nw.col("RHS_NUM"),
        offset_days=monday_offset(nw.col("RHS_ANT_SEJ_ENT").fill_null(0)),
        year=month.str.slice(2, 4).cast(nw.Int64),
        month=month.str.slice(0, 2).cast(nw.Int64),
        precision=_week_precision(),
    )


def counted(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count the weeks grouped in error or made for billing, and the stays that the chaining touches."""
    error = nw.any_horizontal(
        *(nw.col(name).str.starts_with("90").fill_null(False) for name in ("GRG_GME", "GRG_CMC")),
        ignore_nulls=False,
    )
    made_up = (~nw.col("TYP_GEN_RHA").is_in(REAL_WEEKS)).fill_null(False)
    week = t("T_SSRaaB").select(
        error.sum().alias("trap.grouping_error"), made_up.sum().alias("trap.special_stay")
    )
    return beside([week, chaining_counts(t, SSR, rules.practice, year)])


REHABILITATION = Source("PMSI SSR", "T_SSRaaB", week_rows, counted)
