"""External care of public hospitals: sequences (CSTC) and what was done in them."""

from __future__ import annotations

import polars as pl

from eventlogs.synthetic.tables.shared import VISIT_RETURN_CODES, Setting, as_date, compact, return_codes

KEY = ("year", "ETA_NUM", "SEQ_NUM")
CONSULTATIONS = ("C", "CS", "TC", "TCS", "APC", "CNP", "CCX")
"""ACT_COD of fees in FCSTC; the other NGAP acts are in FBSTC."""


def visit_tables(visits: pl.DataFrame, setting: Setting) -> dict[str, pl.DataFrame]:
    """T_MCOaaCSTC, FBSTC, FCSTC, FMSTC, FLSTC and FHSTC; one sequence an act."""
    placed = setting.placed(visits, "day").with_columns(
        ETA_NUM="centre", opened=pl.col("day") - pl.col("delay")
    )
    number = setting.chunk * 1_000_000 + pl.int_range(1, pl.len() + 1).over("ETA_NUM", "year")
    return setting.by_year(_parts(placed.with_columns(SEQ_NUM=number.cast(pl.String).str.zfill(8))), "T_MCO")


def _parts(visits: pl.DataFrame) -> dict[str, pl.DataFrame]:
    system, code = pl.col("code_system"), pl.col("code")
    ngap = visits.filter(system == "NGAP")
    return {
        "CSTC": _sequences(visits),
        "FCSTC": _services(ngap.filter(code.is_in(CONSULTATIONS))),
        "FBSTC": _services(ngap.filter(~code.is_in(CONSULTATIONS))),
        "FMSTC": _detail(visits.filter(system == "CCAM")).select(
            *KEY, "DEL_DAT_ENT", CCAM_COD="code", ACV_ACT=pl.lit("1"), PHA_ACT=pl.lit("0")
        ),
        "FLSTC": _detail(visits.filter(system == "NABM")).select(
            *KEY, "DEL_DAT_ENT", NABM_COD="code", ACT_NBR=pl.lit(1, dtype=pl.Int8)
        ),
        "FHSTC": _detail(visits.filter(system == "UCD")).select(
            *KEY,
            "DEL_DAT_ENT",
            UCD_UCD_COD="code",
            UCD_COD=pl.col("code").str.tail(7),
            QUA=pl.lit(1, dtype=pl.Int16),
        ),
    }


def _detail(visits: pl.DataFrame) -> pl.DataFrame:
    return visits.with_columns(DEL_DAT_ENT=pl.col("delay").cast(pl.Int16))


def _services(visits: pl.DataFrame) -> pl.DataFrame:
    specialty = pl.col("specialty").cast(pl.String).str.zfill(2)
    return _detail(visits).select(
        *KEY, "DEL_DAT_ENT", ACT_COD="code", EXE_SPE=specialty, ACT_NBR=pl.lit(1, dtype=pl.Int16),
        ACT_COE=pl.lit(1.0, dtype=pl.Float32),
    )  # fmt: skip


def _sequences(visits: pl.DataFrame) -> pl.DataFrame:
    return visits.select(
        *KEY,
        NIR_ANO_17="nir",
        ENT_DAT=compact("opened"),
        SOR_DAT=compact("day"),
        EXE_SOI_DTD=as_date("opened"),
        EXE_SOI_DTF=as_date("day"),
        RNG_NAI=pl.lit(1, dtype=pl.Int8),
        **return_codes(VISIT_RETURN_CODES),
    )
