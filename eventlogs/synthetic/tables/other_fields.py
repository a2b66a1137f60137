"""PMSI beside MCO: home care (HAD), rehabilitation (SSR) and psychiatry (RIM-P)."""

from __future__ import annotations

import polars as pl

from eventlogs.synthetic.tables.shared import RETURN_CODES, Setting, as_date, compact, return_codes

HOME_KEY = ("year", "ETA_NUM_EPMSI", "RHAD_NUM")
REHABILITATION_KEY = ("year", "ETA_NUM", "RHA_NUM")
PSYCHIATRY_KEY = ("year", "ETA_NUM_EPMSI", "RIP_NUM")
SUBSEQUENCE_DAYS = 14  # ours: a home stay is described anew so often
WEEK = 7


def other_stay_tables(stays: pl.DataFrame, setting: Setting) -> dict[str, pl.DataFrame]:
    """T_HADaaB, C, D, A; T_SSRaaB, C, D; T_RIPaaRSA, RSAD, C; by year of discharge."""
    others = setting.placed(stays.filter(pl.col("field") != "mco"), "exit")
    home, rehabilitation, psychiatry = (
        _numbered(others.filter(pl.col("field") == field), setting.chunk) for field in ("had", "ssr", "rip")
    )
    return (
        setting.by_year(_home(home), "T_HAD")
        | setting.by_year(_rehabilitation(rehabilitation), "T_SSR")
        | setting.by_year(_psychiatry(psychiatry), "T_RIP")
    )


def _numbered(stays: pl.DataFrame, chunk: int) -> pl.DataFrame:
    number = chunk * 1000 + pl.int_range(1, pl.len() + 1).over("centre", "year")
    return stays.with_columns(number=number.cast(pl.String))


def _chaining(stays: pl.DataFrame) -> dict[str, pl.Expr]:
    return {
        "NIR_ANO_17": pl.col("nir"), "ENT_DAT": compact("entry"), "SOR_DAT": compact("exit"),
        "EXE_SOI_DTD": as_date("entry"), "EXE_SOI_DTF": as_date("exit"),
        "SOR_ANN": pl.col("year").cast(pl.Int32), "SOR_MOI": as_date("exit").dt.strftime("%m"),
        **return_codes(RETURN_CODES),
    }  # fmt: skip


def _parts_of(stays: pl.DataFrame, length: int, first_day: pl.Expr) -> pl.DataFrame:
    """One row for each `length` days of a stay from `first_day`: `part` from 1, `part_start`."""
    parts = 1 + (pl.col("exit") - first_day).clip(0) // length
    return stays.with_columns(part=pl.int_ranges(0, parts)).explode("part", empty_as_null=True).with_columns(
        part_start=first_day + length * pl.col("part"), part=pl.col("part") + 1
    )  # fmt: skip


def _home(stays: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """A row of B is a sub-sequence, not a stay: a stay of one sequence has several."""
    keyed = stays.with_columns(ETA_NUM_EPMSI="centre", RHAD_NUM=pl.col("number").str.zfill(5))
    parts = _parts_of(keyed, SUBSEQUENCE_DAYS, pl.col("entry")).with_columns(
        SEQ_NUM=pl.lit("0001"), SSEQ_NUM=pl.col("part").cast(pl.String).str.zfill(4)
    )
    grain = (*HOME_KEY, "SEQ_NUM", "SSEQ_NUM")
    return {
        "B": parts.select(
            *grain, DGN_PAL="dp", PEC_PAL="mode", PEC_ASS=pl.lit("00"), DEP_COT=pl.lit("040"),
            SEQ_SEJ_NBJ=pl.lit(0, dtype=pl.Int16),
            SSEQ_SEQ_NBJ=(pl.col("part_start") - pl.col("entry")).cast(pl.Int16),
            SOR_MOD=pl.when("died").then(pl.lit("9")).otherwise(pl.lit("8")),
            SOR_ANN=pl.col("year").cast(pl.Int32), SOR_MOI=as_date("exit").dt.strftime("%m"),
        ),
        "C": keyed.select(*HOME_KEY, **_chaining(keyed)),
        "D": parts.filter(pl.col("das").is_not_null()).select(*grain, DGN_ASS="das"),
        "A": parts.clear().select(
            *grain, CCAM_COD=pl.lit(None, dtype=pl.String), DEL_DEB_SSEQ=pl.lit(0, dtype=pl.Int16)
        ),
    }  # fmt: skip


def _rehabilitation(stays: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """A row of B is a week from Monday to Sunday."""
    keyed = stays.with_columns(
        ETA_NUM="centre",
        RHA_NUM=pl.col("number").str.zfill(7),
        monday=pl.col("entry") - (pl.col("entry") + 3) % WEEK,
    )
    weeks = _parts_of(keyed, WEEK, pl.col("monday")).with_columns(
        RHS_NUM=pl.col("part").cast(pl.String).str.zfill(3)
    )
    week = as_date("part_start")
    grain = (*REHABILITATION_KEY, "RHS_NUM")
    return {
        "B": weeks.select(
            *grain, MOR_PRP="dp", ETL_AFF="dr", FP_PEC=pl.lit("Z5080"), GRG_GME=pl.lit("1603A0"),
            MOI_ANN=week.dt.strftime("%m%Y"),
            RHS_ANT_SEJ_ENT=(pl.col("part_start") - pl.col("entry")).clip(0).cast(pl.Int16),
            SOR_MOD=pl.when("died").then(pl.lit("9")).otherwise(pl.lit("8")),
        ),
        "C": keyed.select(
            *REHABILITATION_KEY, **_chaining(keyed),
            MOI_LUN_1S=as_date("monday").dt.strftime("%m"), ANN_LUN_1S=as_date("monday").dt.year().cast(pl.Int32),
        ),
        "D": weeks.filter(pl.col("das").is_not_null()).select(*grain, DGN_COD="das"),
    }  # fmt: skip


def _psychiatry(stays: pl.DataFrame) -> dict[str, pl.DataFrame]:
    keyed = stays.with_columns(
        ETA_NUM_EPMSI="centre", RIP_NUM=pl.col("number").str.zfill(6), SEQ_SEQ_NUM=pl.lit("001")
    )
    grain = (*PSYCHIATRY_KEY, "SEQ_SEQ_NUM")
    return {
        "RSA": keyed.select(
            *grain, DGN_PAL="dp", DEL_DAT=pl.lit(0, dtype=pl.Int16), SEQ_FIN_ANN=pl.col("year").cast(pl.Int32),
            SOR_MOD=pl.when("died").then(pl.lit("9")).otherwise(pl.lit("8")),
        ),
        "RSAD": keyed.filter(pl.col("das").is_not_null()).select(*grain, ASS_DGN="das"),
        "C": keyed.select(*PSYCHIATRY_KEY, **_chaining(keyed)),
    }  # fmt: skip
