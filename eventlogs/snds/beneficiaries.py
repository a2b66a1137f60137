"""K1 of the beneficiary referentials: long-term illnesses that open the cohort."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from eventlogs.activities import ActivityRules
from eventlogs.snds.rows import Source, Tables, as_rows, cleaned, together, with_prefix

ALD_KINDS = [41, 43, 45]
"""IMB_ETM_NAT of long-term illnesses: on the list, off the list, polypathology."""


def ald_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return the long-term illnesses that open the cohort; chosen by CIM-10, not by the ALD number."""
    opened = (
        t("IR_IMB_R")
        .filter(
            nw.col("IMB_ETM_NAT").is_in(ALD_KINDS),
            (nw.col("MED_NCL_IDT") == "CIM10") | nw.col("MED_NCL_IDT").is_null(),
        )
        .join(t("pairs"), on=["BEN_NIR_PSA", "BEN_RNG_GEM"], how="inner")
        .with_columns(cleaned("MED_MTF_COD").alias("diagnosis"))
    )
    found = with_prefix(opened, t, "diagnosis", rules.cohort.diagnosis)
    return together((_opened(rows) for rows in found), t)


def _opened(found: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return as_rows(
        found,
        kind=nw.lit("diagnosis"),
        source=nw.lit("IR_IMB_R"),
        code=nw.col("code"),
        code_system=nw.lit("CIM10"),
        date=nw.col("IMB_ALD_DTD"),
        flux=nw.col("INS_DTE"),
    )


def counted(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count the rows of the long-term illnesses."""
    return t("IR_IMB_R").select(nw.len().alias("illnesses_read"))


ILLNESSES = Source("IR_IMB_R", "IR_IMB_R", ald_rows, counted)
