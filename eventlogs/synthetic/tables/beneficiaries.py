"""IR_BEN_R, its archive, IR_IBA_R, and the causes of death."""

from __future__ import annotations

import polars as pl

from eventlogs.synthetic.tables.shared import as_date


def beneficiary_tables(people: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The referentials: one row a pseudonym and rank (IR_BEN_R), one a person (IR_IBA_R)."""
    changed = people.filter(pl.col("change_day").is_not_null())
    earlier = changed.with_columns(psa=pl.col("old_psa"), recorded_death=pl.lit(None, dtype=pl.Int64))
    archived = earlier["old_archived"]
    return {
        "IR_BEN_R": _referential(pl.concat([people, earlier.filter(~archived)])),
        "IR_BEN_R_ARC": _referential(earlier.filter(archived)),
        "IR_IBA_R": _persons(people),
    }


def _referential(people: pl.DataFrame) -> pl.DataFrame:
    death = as_date("recorded_death")
    return people.select(
        BEN_NIR_PSA="psa",
        BEN_RNG_GEM="twin_rank",
        BEN_NIR_ANO="nir",
        BEN_IDT_ANO="patient_id",
        BEN_IDT_TOP=pl.col("nir").is_not_null().cast(pl.Int8),
        BEN_CDI_NIR="number_kind",
        BEN_NAI_ANN=pl.col("birth_year").cast(pl.Int32),
        BEN_NAI_MOI=pl.col("birth_month").cast(pl.String).str.zfill(2),
        BEN_SEX_COD="sex",
        BEN_DCD_DTE=death,
        BEN_DCD_AME=death.dt.strftime("%Y%m"),
        ORG_AFF_BEN=pl.lit("01C") + pl.col("dpt").str.slice(1) + pl.lit("1000"),
        BEN_RES_DPT="dpt",
        BEN_RES_COM="com",
        BEN_TOP_CNS=pl.lit(1, dtype=pl.Int8),
    )


def _persons(people: pl.DataFrame) -> pl.DataFrame:
    return people.select(
        BEN_IDT_ANO="patient_id",
        BEN_IDT_TOP=pl.col("nir").is_not_null().cast(pl.Int8),
        ASS_NIR_ANO="nir",
        BEN_CDI_NIR="number_kind",
        BEN_NAI_ANN=pl.col("birth_year").cast(pl.Int32),
        BEN_NAI_MOI=pl.col("birth_month").cast(pl.String).str.zfill(2),
        BEN_SEX_COD="sex",
        BEN_DCD_DTE=as_date("recorded_death"),
        ORG_AFF_BEN=pl.lit("01C") + pl.col("dpt").str.slice(1) + pl.lit("1000"),
        BEN_RES_DPT="dpt",
        BEN_RES_COM="com",
        BEN_TOP_CNS=pl.lit(1, dtype=pl.Int8),
    )


def cause_tables(people: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """KI_CCI_R, one row a death that was linked, and KI_ECD_R, its causes by rank."""
    dead = people.filter(pl.col("certified_death").is_not_null()).with_columns(
        cause=pl.col("site"),  # causes are not simulated
        certificate=pl.lit("C") + pl.col("number").cast(pl.String).str.zfill(12),
        date=as_date("certified_death"),
    )
    keys = {
        "DCD_IDT_ENC": pl.col("certificate"), "DCD_IDT_TOP": pl.lit(1, dtype=pl.Int8),
        "BEN_IDT_ANO": pl.col("patient_id"), "BEN_NIR_ANO": pl.col("nir"),
        "BEN_DCD_DTE": pl.col("date"), "BEN_DCD_AME": pl.col("date").dt.strftime("%Y%m"),
    }  # fmt: skip
    ranks = pl.DataFrame(
        {"ECD_CAU_RNG": [1, 2], "ECD_CIM_COD": [None, "I509"]}, schema_overrides={"ECD_CAU_RNG": pl.Int16}
    )
    return {
        "KI_CCI_R": dead.select(
            **keys, DCD_CIM_COD="cause", DCD_LIE_COD=pl.lit(2, dtype=pl.Int8), BEN_SEX_COD="sex",
            BEN_NAI_ANN=pl.col("birth_year").cast(pl.Int32),
        ),
        "KI_ECD_R": dead.join(ranks, how="cross", maintain_order="left_right").select(
            **keys, ECD_CAU_RNG="ECD_CAU_RNG", ECD_CIM_COD=pl.coalesce("ECD_CIM_COD", "cause")
        ),
    }  # fmt: skip
