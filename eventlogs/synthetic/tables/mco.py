"""PMSI MCO: stays, their acts, diagnoses, units and drugs, by year of discharge."""

from __future__ import annotations

import polars as pl

from eventlogs.synthetic.claims import Claims, is_private
from eventlogs.synthetic.tables.shared import RETURN_CODES, Setting, as_date, compact, return_codes

KEY = ("year", "ETA_NUM", "RSA_NUM")
FULL_GHS, AUTOMATIC_GHS = 9606, 9999


def stay_tables(claims: Claims, setting: Setting) -> dict[str, pl.DataFrame]:
    """T_MCOaaB, C, A, D, UM, MED, FH and FM."""
    placed = setting.placed(claims.stays.filter(pl.col("field") == "mco"), "exit").with_columns(
        ETA_NUM=pl.coalesce("double", "centre")
    )
    number = setting.chunk * 1_000_000 + pl.int_range(1, pl.len() + 1).over("ETA_NUM", "year")
    numbered = placed.with_columns(RSA_NUM=number.cast(pl.String).str.zfill(10))
    return setting.by_year(_parts(numbered, claims), "T_MCO")


def _parts(stays: pl.DataFrame, claims: Claims) -> dict[str, pl.DataFrame]:
    """Each table of these stays, with the `year` of discharge."""
    keys = stays.select("stay", "facility", "entry", *KEY)
    acts = keys.join(claims.acts, on="stay", how="inner", maintain_order="left_right")
    drugs = keys.join(claims.drugs, on="stay", how="inner", maintain_order="left_right")
    private = acts.filter(is_private() & (pl.col("activity_code") == "1"))
    return {
        "B": _stays(stays), "C": _chaining(stays), "A": _acts(acts), "D": _associated(stays), "UM": _units(stays),
        "MED": _public_drugs(drugs.filter(~is_private())), "FH": _private_drugs(drugs.filter(is_private())),
        "FM": _billed_acts(private),
    }  # fmt: skip


def _stays(stays: pl.DataFrame) -> pl.DataFrame:
    seance = pl.col("ghm").str.starts_with("28")
    ghs = pl.when(pl.col("automatic") == 2).then(AUTOMATIC_GHS).otherwise(FULL_GHS)
    return stays.select(
        *KEY,
        DGN_PAL="dp",
        DGN_REL="dr",
        GRG_GHM="ghm",
        GHS_NUM=ghs.cast(pl.Int16),
        SEJ_NBJ=pl.when(~seance).then((pl.col("exit") - pl.col("entry")).cast(pl.Int16)),
        NBR_SEA=pl.col("sessions").cast(pl.Int16),
        SEJ_TYP="sej_typ",
        ENT_MOD=pl.lit("8"),
        ENT_PRV=pl.lit(None, dtype=pl.String),
        SOR_MOD=pl.when("died").then(pl.lit("9")).otherwise(pl.lit("8")),
        SOR_DES=pl.lit(None, dtype=pl.String),
        SOR_ANN=pl.col("year").cast(pl.Int32),
        SOR_MOI=as_date("exit").dt.strftime("%m"),
        BDI_COD=pl.col("commune"),
        BDI_DEP=pl.col("territory").str.slice(0, 2),
        AGE_ANN=pl.when(~seance).then((pl.col("year") - pl.col("birth_year")).cast(pl.Int16)),
        COD_SEX=pl.col("sex").cast(pl.String),
        TYP_GEN_RSA=(pl.col("automatic") == 1).cast(pl.Int8),
    )


def _chaining(stays: pl.DataFrame) -> pl.DataFrame:
    dated = ~pl.col("month_only")
    return stays.select(
        *KEY,
        NIR_ANO_17="nir",
        SEJ_NUM=(1000 + pl.col("entry") - 17_000).cast(pl.Int32),
        ENT_DAT=pl.when(dated).then(compact("entry")),
        SOR_DAT=pl.when(dated).then(compact("exit")),
        EXE_SOI_DTD=pl.when(dated).then(as_date("entry")),
        EXE_SOI_DTF=pl.when(dated).then(as_date("exit")),
        SOR_ANN=pl.col("year").cast(pl.Int32),
        SOR_MOI=as_date("exit").dt.strftime("%m"),
        RNG_NAI=pl.lit(1, dtype=pl.Int8),
        **return_codes(RETURN_CODES),
    )


def _acts(acts: pl.DataFrame) -> pl.DataFrame:
    return acts.select(
        *KEY,
        CDC_ACT="code",
        ENT_DAT_DEL=pl.col("delay").cast(pl.Int16),
        ACV_ACT="activity_code",
        PHA_ACT=pl.lit("0"),
        NBR_EXE_ACT=pl.lit(1, dtype=pl.Int8),
    )


def _billed_acts(acts: pl.DataFrame) -> pl.DataFrame:
    """Acts of private stays, told once more with their bill."""
    return acts.select(
        *KEY, CCAM_COD="code", DEL_DAT_ENT=pl.col("delay").cast(pl.Int16), ACV_ACT="activity_code", PHA_ACT=pl.lit("0")
    )  # fmt: skip


def _associated(stays: pl.DataFrame) -> pl.DataFrame:
    listed = stays.filter(pl.col("das").is_not_null() & ~pl.col("das_in_unit"))
    return listed.select(*KEY, ASS_DGN="das", DGN_ASS_NUM=pl.lit(1, dtype=pl.Int8))


def _units(stays: pl.DataFrame) -> pl.DataFrame:
    """One medical unit for each stay, and a second one where the associated diagnosis is its principal."""
    main = stays.select(*KEY, DGN_PAL="dp", DGN_REL="dr", order=pl.lit(1, dtype=pl.Int8))
    second = stays.filter(pl.col("das_in_unit")).select(
        *KEY, DGN_PAL="das", DGN_REL=pl.lit(None, dtype=pl.String), order=pl.lit(2, dtype=pl.Int8)
    )
    return pl.concat([main, second]).select(
        *KEY, "DGN_PAL", "DGN_REL", UM_ORD_NUM="order", AUT_TYP1_UM=pl.lit("C"), ETA_NUM_GEO="ETA_NUM"
    )


def _public_drugs(drugs: pl.DataFrame) -> pl.DataFrame:
    given = (pl.col("entry") + pl.col("delay")).cast(pl.Int32).cast(pl.Date)
    return drugs.select(
        *KEY,
        UCD_UCD_COD="ucd",
        ADM_NBR=pl.col("given").cast(pl.Float64),
        DELAI=pl.col("delay").cast(pl.Int16),
        DAT_ADM_ANN=given.dt.year().cast(pl.Int32),
        ADM_MOIS=given.dt.strftime("%m"),
        NBR_SEJ=pl.col("shared").cast(pl.Int16),
    )


def _private_drugs(drugs: pl.DataFrame) -> pl.DataFrame:
    return drugs.select(
        *KEY,
        UCD_UCD_COD="ucd",
        QUA_COD=pl.col("given").cast(pl.Int16),
        DEL_DAT_ENT=pl.col("delay").cast(pl.Int16),
        ENT_ANN=as_date("entry").dt.year().cast(pl.Int32),
        ENT_MOI=as_date("entry").dt.strftime("%m"),
        COE_TAU=pl.lit(1.0, dtype=pl.Float32),
    )
