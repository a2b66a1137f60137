"""ER_PRS_F and its affinée tables, joined on nine keys."""

from __future__ import annotations

import numpy as np
import polars as pl

from eventlogs.synthetic import parameters as p
from eventlogs.synthetic.claims import flux_day
from eventlogs.synthetic.tables.shared import JOIN_KEY, NULL_DATE, Setting, as_date

LINES_PER_EMITTER = 50_000


def claim_tables(lines: pl.DataFrame, setting: Setting) -> dict[str, pl.DataFrame]:
    """ER_PRS_F and the tables that detail its lines; lines of a later flux are not there yet."""
    keyed = _keyed(lines, setting)
    return {
        "ER_PRS_F": _prestations(keyed, setting.people),
        "ER_CAM_F": _ccam(keyed),
        "ER_PHA_F": _pharmacy(keyed),
        "ER_ETE_F": _establishments(keyed, setting.facilities),
        "ER_UCD_F": _hospital_drugs(keyed),
        "ER_BIO_F": _biology(keyed),
        "ER_TIP_F": _devices(keyed),
    }


def _keyed(lines: pl.DataFrame, setting: Setting) -> pl.DataFrame:
    """Give each line its nine keys; a document number is used again by other emitters and months."""
    flux = flux_day(lines["day"].to_numpy(), lines["lag"].to_numpy())
    kept = (
        lines.with_columns(flux=pl.Series(flux))
        .filter(pl.col("flux") <= setting.calendar.last_flux)
        .sort("flux", maintain_order=True)
    )
    row = pl.int_range(kept.height, dtype=pl.Int32)
    document = row % LINES_PER_EMITTER
    return kept.with_columns(
        DCT_ORD_NUM=1 + document // 2,
        FLX_DIS_DTD=as_date("flux"),
        FLX_EMT_NUM=1 + row // LINES_PER_EMITTER,
        FLX_EMT_ORD=pl.lit(setting.chunk + 1, dtype=pl.Int32),
        FLX_EMT_TYP=pl.lit(1, dtype=pl.Int8),
        FLX_TRT_DTD=(pl.col("flux") - 27 + pl.col("person") % 25).cast(pl.Int32).cast(pl.Date),
        ORG_CLE_NUM=(pl.lit("01C") + setting.people["dpt"].str.slice(1)[kept["person"]] + pl.lit("1000")),
        PRS_ORD_NUM=(1 + document % 2).cast(pl.Int32),
        REM_TYP_AFF=pl.lit(0, dtype=pl.Int8),
    )


def _prestations(keyed: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    """ER_PRS_F: the columns that readers need among its 123."""
    who = people.select(
        "psa", "old_psa", "change_day", "twin_rank", "birth_year", "sex", "dpt", "com", "ald", "number_kind"
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
        BEN_CDI_NIR="number_kind",
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
    short = pl.col("short_code").fill_null(False)
    return keyed.filter(pl.col("cip").is_not_null()).select(
        *JOIN_KEY,
        PHA_PRS_C13=pl.when(~short).then("cip"),
        PHA_PRS_IDE=pl.when(short).then(pl.col("cip") // 10 % 10_000_000),
        PHA_ACT_QSN=boxes.cast(pl.Int16),
        PHA_DEC_QSU=pl.lit(0, dtype=pl.Int16),
        PHA_DEC_TOP=pl.lit("S"),
        PHA_ORD_NUM=pl.lit(1, dtype=pl.Int16),
    )


def _establishments(keyed: pl.DataFrame, facilities: pl.Series) -> pl.DataFrame:
    placed = keyed.filter(pl.col("facility").is_not_null())
    placed = placed.with_columns(number=facilities[placed["facility"]])
    return placed.select(
        *JOIN_KEY,
        ETB_EXE_FIN=pl.when(pl.col("full_number").fill_null(False))
        .then("number")
        .otherwise(pl.col("number").str.head(8)),
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
        UCD_TOP_UCD=(pl.col("nature") == p.HOSPITAL_DRUG).cast(pl.Int8),
        UCD_FRC_COE=pl.lit(1.0, dtype=pl.Float32),
        UCD_ORD_NUM=pl.lit(1, dtype=pl.Int16),
    )


def _biology(keyed: pl.DataFrame) -> pl.DataFrame:
    return keyed.filter(pl.col("nabm").is_not_null()).select(
        *JOIN_KEY,
        BIO_PRS_IDE=pl.col("nabm").cast(pl.Int16),
        BIO_ACT_QSN=pl.col("quantity").cast(pl.Int16),
        BIO_ORD_NUM=pl.lit(1, dtype=pl.Int16),
    )


def _devices(keyed: pl.DataFrame) -> pl.DataFrame:
    return keyed.filter(pl.col("lpp").is_not_null()).select(
        *JOIN_KEY,
        TIP_PRS_IDE=pl.col("lpp").cast(pl.Int64),
        TIP_ACT_QSN=pl.col("quantity").cast(pl.Int16),
        TIP_ORD_NUM=pl.lit(1, dtype=pl.Int16),
    )
