"""Claims -> SNDS tables with their true names, keys and types."""

from __future__ import annotations

import numpy as np
import polars as pl

from . import parameters as p
from .claims import Claims, flux_day
from .people import facility_codes

NULL_DATE = "1600-01-01"
JOIN_KEY = (
    "DCT_ORD_NUM", "FLX_DIS_DTD", "FLX_EMT_NUM", "FLX_EMT_ORD", "FLX_EMT_TYP", "FLX_TRT_DTD", "ORG_CLE_NUM",
    "PRS_ORD_NUM", "REM_TYP_AFF",
)  # fmt: skip
"""The nine columns that join ER_PRS_F to its affinée tables."""

PMSI_PARTS = ("B", "C", "A", "D", "UM")
RETURN_CODES = (
    "NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET", "COH_NAI_RET", "COH_SEX_RET",
)  # fmt: skip
LINES_PER_EMITTER = 50_000


def as_date(name: str) -> pl.Expr:
    """Column of day numbers as dates."""
    return pl.col(name).cast(pl.Int32).cast(pl.Date)


def snds_tables(
    claims: Claims, people: pl.DataFrame, territories: pl.DataFrame, calendar: p.Calendar, chunk: int
) -> dict[str, pl.DataFrame]:
    """All tables of one chunk, by SNDS name."""
    facilities = facility_codes(territories)
    tables = _beneficiaries(people) | _dcir(claims.lines, people, facilities, calendar, chunk)
    return tables | _pmsi(claims, people, facilities, calendar, chunk)


# --- beneficiaries ----------------------------------------------------------------------------------------


def _beneficiaries(people: pl.DataFrame) -> dict[str, pl.DataFrame]:
    changed = people.filter(pl.col("change_day").is_not_null())
    earlier = changed.with_columns(psa=pl.col("old_psa"), recorded_death=pl.lit(None, dtype=pl.Int64))
    archived = earlier["old_archived"]
    return {
        "IR_BEN_R": _referential(pl.concat([people, earlier.filter(~archived)])),
        "IR_BEN_R_ARC": _referential(earlier.filter(archived)),
    }


def _referential(people: pl.DataFrame) -> pl.DataFrame:
    death = as_date("recorded_death")
    return people.select(
        BEN_NIR_PSA="psa",
        BEN_RNG_GEM="twin_rank",
        BEN_NIR_ANO="nir",
        BEN_IDT_ANO="patient_id",
        BEN_IDT_TOP=pl.col("nir").is_not_null().cast(pl.Int8),
        BEN_CDI_NIR=pl.lit("00"),
        BEN_NAI_ANN=pl.col("birth_year").cast(pl.Int32),
        BEN_NAI_MOI=pl.col("birth_month").cast(pl.String).str.zfill(2),
        BEN_SEX_COD="sex",
        BEN_DCD_DTE=death.fill_null(pl.lit(NULL_DATE).str.to_date()),
        BEN_DCD_AME=pl.when(death.is_null()).then(pl.lit("160001")).otherwise(death.dt.strftime("%Y%m")),
        ORG_AFF_BEN=pl.lit("01C") + pl.col("dpt").str.slice(1) + pl.lit("1000"),
        BEN_RES_DPT="dpt",
        BEN_RES_COM="com",
        BEN_TOP_CNS=pl.lit(1, dtype=pl.Int8),
    )


# --- DCIR -------------------------------------------------------------------------------------------------


def _dcir(
    lines: pl.DataFrame, people: pl.DataFrame, facilities: pl.Series, calendar: p.Calendar, chunk: int
) -> dict[str, pl.DataFrame]:
    keyed = _keyed(lines, people, calendar, chunk)
    return {
        "ER_PRS_F": _prestations(keyed, people),
        "ER_CAM_F": _ccam(keyed),
        "ER_PHA_F": _pharmacy(keyed),
        "ER_ETE_F": _establishments(keyed, facilities),
        "ER_UCD_F": _hospital_drugs(keyed),
    }


def _keyed(lines: pl.DataFrame, people: pl.DataFrame, calendar: p.Calendar, chunk: int) -> pl.DataFrame:
    """Give each line its nine keys; a document number is used again by other emitters and months."""
    flux = flux_day(lines["day"].to_numpy(), lines["lag"].to_numpy())
    kept = (
        lines.with_columns(flux=pl.Series(flux))
        .filter(pl.col("flux") <= calendar.last_flux)
        .sort("flux", maintain_order=True)
    )
    row = pl.int_range(kept.height, dtype=pl.Int32)
    document = row % LINES_PER_EMITTER
    return kept.with_columns(
        DCT_ORD_NUM=1 + document // 2,
        FLX_DIS_DTD=as_date("flux"),
        FLX_EMT_NUM=1 + row // LINES_PER_EMITTER,
        FLX_EMT_ORD=pl.lit(chunk + 1, dtype=pl.Int32),
        FLX_EMT_TYP=pl.lit(1, dtype=pl.Int8),
        FLX_TRT_DTD=(pl.col("flux") - 27 + pl.col("person") % 25).cast(pl.Int32).cast(pl.Date),
        ORG_CLE_NUM=(pl.lit("01C") + people["dpt"].str.slice(1)[kept["person"]] + pl.lit("1000")),
        PRS_ORD_NUM=(1 + document % 2).cast(pl.Int32),
        REM_TYP_AFF=pl.lit(0, dtype=pl.Int8),
    )


def _prestations(keyed: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """ER_PRS_F: the columns that readers need among its 123."""
    who = people.select(
        "psa", "old_psa", "change_day", "twin_rank", "birth_year", "sex", "dpt", "com", "ald"
    )[keyed["person"]]
    old = pl.col("day") < pl.col("change_day")
    care = (
        pl.when(pl.col("blank") == 0)
        .then(as_date("day"))
        .when(pl.col("blank") == 2)
        .then(pl.lit(NULL_DATE).str.to_date())
    )
    nature, sign = pl.col("nature").cast(pl.Int16), pl.col("quantity").sign()
    return keyed.hstack(who).select(
        *JOIN_KEY,
        BEN_NIR_PSA=pl.when(old).then("old_psa").otherwise("psa"),
        BEN_RNG_GEM="twin_rank",
        BEN_CDI_NIR=pl.lit("00"),
        BEN_NAI_ANN=pl.col("birth_year").cast(pl.Int32),
        BEN_AMA_COD=(as_date("day").dt.year() - pl.col("birth_year")).cast(pl.Int16),
        BEN_SEX_COD="sex",
        BEN_RES_DPT="dpt",
        BEN_RES_COM="com",
        BEN_CMU_TOP=pl.lit(0, dtype=pl.Int8),
        ORG_AFF_BEN="ORG_CLE_NUM",
        EXE_SOI_DTD=care,
        EXE_SOI_DTF=care,
        PRE_PRE_DTD=pl.when(nature == p.PHARMACY).then((pl.col("day") - 3).cast(pl.Int32).cast(pl.Date)),
        PRS_NAT_REF=nature,
        BSE_PRS_NAT=pl.col("base_nature").cast(pl.Int16).fill_null(nature),
        CPL_PRS_NAT=pl.lit(0, dtype=pl.Int16),
        PRS_ACT_QTE=pl.col("quantity").cast(pl.Int16),
        PRS_ACT_NBR=pl.col("quantity").cast(pl.Int16),
        CPL_MAJ_TOP=pl.col("majoration").cast(pl.Int8).fill_null(0),
        CPL_AFF_COD=pl.col("affiliation").cast(pl.Int8).fill_null(0),
        DPN_QLF=pl.col("qualifier").cast(pl.Int8),
        PRS_DPN_QLP=pl.col("provider_qualifier").cast(pl.Int8),
        PFS_EXE_NUM=_providers(keyed),
        PSE_SPE_COD=pl.col("specialty").cast(pl.Int8).fill_null(0),
        PSE_ACT_NAT=pl.lit(0, dtype=pl.Int8),
        EXO_MTF=pl.when("ald").then(pl.lit(42, dtype=pl.Int8)).otherwise(pl.lit(0, dtype=pl.Int8)),
        BSE_REM_MNT=(sign * (15 + nature % 40)).cast(pl.Float32),
        PRS_PAI_MNT=(sign * (25 + nature % 40)).cast(pl.Float32),
    )


def _providers(keyed: pl.DataFrame) -> pl.Series:
    """Invented practice numbers: the same patient sees few practices of a specialty."""
    pool = pl.Series("PFS_EXE_NUM", np.arange(5_000) + 100_000_000).cast(pl.String)
    number = (keyed["person"] // 7 * 31 + keyed["specialty"].fill_null(99) * 17 + keyed["person"] % 3) % 5_000
    return pool[number]


def _ccam(keyed: pl.DataFrame) -> pl.DataFrame:
    """ER_CAM_F: a supplement is a second row of the same prestation."""
    main = keyed.filter(pl.col("ccam").is_not_null()).with_columns(order=pl.lit(1, dtype=pl.Int16))
    more = main.filter(pl.col("supplement").is_not_null()).with_columns(
        ccam=pl.col("supplement"), order=pl.lit(2, dtype=pl.Int16)
    )
    return pl.concat([main, more]).sort("flux", maintain_order=True).select(
        *JOIN_KEY,
        CAM_PRS_IDE="ccam",
        CAM_ACT_COD=pl.lit("1"),
        CAM_TRT_PHA=pl.lit(0, dtype=pl.Int8),
        CAM_ASS_COD=pl.when(pl.col("order") == 2).then(pl.lit("2")),
        CAM_ORD_NUM="order",
    )  # fmt: skip


def _pharmacy(keyed: pl.DataFrame) -> pl.DataFrame:
    boxes = pl.col("boxes") * pl.col("quantity").sign()
    return keyed.filter(pl.col("cip").is_not_null()).select(
        *JOIN_KEY,
        PHA_PRS_C13="cip",
        PHA_ACT_QSN=boxes.cast(pl.Int16),
        PHA_DEC_QSU=pl.lit(0, dtype=pl.Int16),
        PHA_DEC_TOP=pl.lit("S"),
        PHA_ORD_NUM=pl.lit(1, dtype=pl.Int16),
    )


def _establishments(keyed: pl.DataFrame, facilities: pl.Series) -> pl.DataFrame:
    placed = keyed.filter(pl.col("facility").is_not_null())
    return placed.select(
        *JOIN_KEY,
        ETB_EXE_FIN=facilities.str.slice(0, 8)[placed["facility"]],
        ETE_IND_TAA=pl.col("taa").cast(pl.Int8).fill_null(0),
        ETE_GHS_NUM=pl.when(pl.col("nature") == p.GHS).then(pl.lit(9606, dtype=pl.Int16)),
        MDT_COD=pl.lit(3, dtype=pl.Int8),
        DDP_COD=pl.lit(181, dtype=pl.Int16),
        PRS_PPU_SEC=pl.when(pl.col("taa") == 1)
        .then(pl.lit(1, dtype=pl.Int8))
        .otherwise(pl.lit(2, dtype=pl.Int8)),
    )


def _hospital_drugs(keyed: pl.DataFrame) -> pl.DataFrame:
    return keyed.filter(pl.col("ucd").is_not_null()).select(
        *JOIN_KEY,
        UCD_UCD_COD="ucd",
        UCD_DLV_NBR=pl.col("quantity").cast(pl.Int16),
        UCD_TOP_UCD=pl.lit(1, dtype=pl.Int8),
        UCD_FRC_COE=pl.lit(1.0, dtype=pl.Float32),
        UCD_ORD_NUM=pl.lit(1, dtype=pl.Int16),
    )


# --- PMSI -------------------------------------------------------------------------------------------------


def _pmsi(
    claims: Claims, people: pl.DataFrame, facilities: pl.Series, calendar: p.Calendar, chunk: int
) -> dict[str, pl.DataFrame]:
    """MCO tables by year of discharge; stays that end after the last year are not there yet."""
    stays = claims.stays.filter(pl.col("exit") <= calendar.end)
    numbered = _numbered(stays, people, facilities, chunk)
    acts = numbered.select("stay", "year", "ETA_NUM", "RSA_NUM").join(
        claims.acts, on="stay", how="inner", maintain_order="left_right"
    )
    parts = {
        "B": _mco_b(numbered), "C": _mco_c(numbered), "A": _mco_a(acts), "D": _mco_d(numbered), "UM": _mco_um(numbered),
    }  # fmt: skip
    first, last = as_year(calendar.first_index), as_year(calendar.end)
    return {
        f"T_MCO{year % 100}{part}": parts[part].filter(pl.col("year") == year).drop("year")
        for year in range(first, last + 1)
        for part in PMSI_PARTS
    }


def as_year(day: int) -> int:
    """Calendar year of a day number."""
    return int(np.datetime64(day, "D").astype("datetime64[Y]").astype(int)) + 1970


def _numbered(stays: pl.DataFrame, people: pl.DataFrame, facilities: pl.Series, chunk: int) -> pl.DataFrame:
    """Number the stays inside each centre and year, and find the pseudonym under which each was chained."""
    who = people.select(
        "psa", "old_psa", "change_day", "birth_year", "birth_month", "sex", "commune", "territory"
    )[stays["person"]]
    pseudonym = pl.when(pl.col("exit") < pl.col("change_day")).then("old_psa").otherwise("psa")
    return (
        stays.hstack(who)
        .with_columns(
            ETA_NUM=facilities[stays["facility"]],
            year=as_date("exit").dt.year(),
            nir=pl.when("bad_pseudonym").then(pl.lit("x" * 17)).otherwise(pseudonym),
        )
        .with_columns(RSA_NUM=chunk * 1_000_000 + pl.int_range(1, pl.len() + 1).over("ETA_NUM", "year"))
        .with_columns(pl.col("RSA_NUM").cast(pl.String).str.zfill(10))
    )


def _mco_b(stays: pl.DataFrame) -> pl.DataFrame:
    seance = pl.col("ghm").str.starts_with("28")
    return stays.select(
        "year", "ETA_NUM", "RSA_NUM",
        DGN_PAL="dp",
        DGN_REL="dr",
        GRG_GHM="ghm",
        GHS_NUM=pl.lit(9606, dtype=pl.Int16),
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
        TYP_GEN_RSA=pl.lit(0, dtype=pl.Int8),
    )  # fmt: skip


def _mco_c(stays: pl.DataFrame) -> pl.DataFrame:
    codes = {
        name: pl.when(pl.col("return_code") == name).then(pl.lit("1")).otherwise(pl.lit("0"))
        for name in RETURN_CODES
    }
    return stays.select(
        "year", "ETA_NUM", "RSA_NUM",
        NIR_ANO_17="nir",
        SEJ_NUM=(1000 + pl.col("entry") - 17_000).cast(pl.Int32),
        ENT_DAT=as_date("entry").dt.strftime("%d%m%Y"),
        SOR_DAT=as_date("exit").dt.strftime("%d%m%Y"),
        EXE_SOI_DTD=as_date("entry"),
        EXE_SOI_DTF=as_date("exit"),
        SOR_ANN=pl.col("year").cast(pl.Int32),
        SOR_MOI=as_date("exit").dt.strftime("%m"),
        RNG_NAI=pl.lit(1, dtype=pl.Int8),
        **codes,
    )  # fmt: skip


def _mco_a(acts: pl.DataFrame) -> pl.DataFrame:
    return acts.select(
        "year", "ETA_NUM", "RSA_NUM",
        CDC_ACT="code",
        ENT_DAT_DEL=pl.col("delay").cast(pl.Int16),
        ACV_ACT="activity_code",
        PHA_ACT=pl.lit("0"),
        NBR_EXE_ACT=pl.lit(1, dtype=pl.Int8),
    )  # fmt: skip


def _mco_d(stays: pl.DataFrame) -> pl.DataFrame:
    listed = stays.filter(pl.col("das").is_not_null() & ~pl.col("das_in_unit"))
    return listed.select("year", "ETA_NUM", "RSA_NUM", ASS_DGN="das", DGN_ASS_NUM=pl.lit(1, dtype=pl.Int8))


def _mco_um(stays: pl.DataFrame) -> pl.DataFrame:
    """One medical unit for each stay, and a second one where the associated diagnosis is its principal."""
    main = stays.select(
        "year", "ETA_NUM", "RSA_NUM", DGN_PAL="dp", DGN_REL="dr", order=pl.lit(1, dtype=pl.Int8)
    )
    second = stays.filter(pl.col("das_in_unit")).select(
        "year", "ETA_NUM", "RSA_NUM", DGN_PAL="das", DGN_REL=pl.lit(None, dtype=pl.String),
        order=pl.lit(2, dtype=pl.Int8),
    )  # fmt: skip
    return pl.concat([main, second]).select(
        "year", "ETA_NUM", "RSA_NUM", "DGN_PAL", "DGN_REL",
        UM_ORD_NUM="order", AUT_TYP1_UM=pl.lit("C"), ETA_NUM_GEO="ETA_NUM",
    )  # fmt: skip
