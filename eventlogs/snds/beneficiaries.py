"""K1 of the beneficiary referentials and of the causes of death: illnesses that open the cohort, certified deaths."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from eventlogs.activities import ActivityRules
from eventlogs.snds.rows import Source, Tables, as_rows, beside, cleaned, count_where, together, with_prefix

ALD_KINDS = [41, 43, 45]
"""IMB_ETM_NAT of long-term illnesses: on the list, off the list, polypathology."""

OPEN_END_YEAR = 2099
"""Year of IMB_ALD_DTF that stands for no end (10.5 % of the rows on 16 October 2020, SNDS documentation)."""


def illnesses(t: Tables) -> nw.LazyFrame[Any]:
    """Return the long-term illnesses of known persons, with their ``diagnosis`` in CIM-10."""
    return (
        t("IR_IMB_R")
        .filter(
            nw.col("IMB_ETM_NAT").is_in(ALD_KINDS),
            (nw.col("MED_NCL_IDT") == "CIM10") | nw.col("MED_NCL_IDT").is_null(),
        )
        .join(t("pairs"), on=["BEN_NIR_PSA", "BEN_RNG_GEM"], how="inner")
        .with_columns(cleaned("MED_MTF_COD").alias("diagnosis"))
    )


def ald_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return the long-term illnesses that open the cohort; chosen by CIM-10, not by the ALD number.

    One row a person and code, whatever its number of versions: it begins at the first date that any version gives, and
    is known from its first insertion (UPD_DTE says nothing of it). A version that is closed does not undo the
    diagnosis.
    """
    found = with_prefix(_versions(illnesses(t)), t, "diagnosis", rules.cohort.diagnosis)
    return together((_opened(rows) for rows in found), t)


def _versions(opened: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return opened.group_by("person", "diagnosis").agg(
        nw.col("IMB_ALD_DTD").min(), nw.col("INS_DTE").min(), nw.len().alias("n")
    )


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


def counted_illnesses(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count the rows of the long-term illnesses, their superfluous versions, and the ends that stand for none."""
    end = nw.col("IMB_ALD_DTF")
    rows = t("IR_IMB_R").select(
        nw.len().alias("illnesses_read"),
        count_where(end.is_null() | (end.dt.year() >= OPEN_END_YEAR), "trap.null_date"),
    )
    superfluous = _versions(illnesses(t)).select((nw.col("n") - 1).sum().alias("trap.ald_versions"))
    return beside([rows, superfluous])


def death_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return the certified deaths, with their initial cause.

    Where the initial cause (DCD_CIM_COD) is empty, the associated one of the lowest rank (KI_ECD_R) stands in. The
    certificate's own number names nobody's origin: it stays out.
    """
    first = _first_causes(t)
    certified = _possible(t).join(t("idents"), on="BEN_IDT_ANO", how="inner")
    told = certified.join(first, on="DCD_IDT_ENC", how="left")
    return as_rows(
        told,
        kind=nw.lit("death"),
        source=nw.lit("KI_CCI_R"),
        code=nw.coalesce(nw.col("DCD_CIM_COD"), nw.col("cause")).str.replace_all("[.+* ]", ""),
        code_system=nw.lit("CIM10"),
        date=nw.col("BEN_DCD_DTE"),
    )


def _possible(t: Tables) -> nw.LazyFrame[Any]:
    """Leave out certificates without a date, of another year than their file's, or of before the birth."""
    died = nw.col("BEN_DCD_DTE").dt.year()
    return t("KI_CCI_R").filter(
        ~nw.col("BEN_DCD_DTE").is_null(),
        (died == nw.col("FLX_PER_ANN")) | nw.col("FLX_PER_ANN").is_null(),
        (died >= nw.col("BEN_NAI_ANN")) | nw.col("BEN_NAI_ANN").is_null(),
    )


def _first_causes(t: Tables) -> nw.LazyFrame[Any]:
    """Return ``DCD_IDT_ENC``, ``cause``: the associated cause of the lowest rank, the first by code among equals."""
    causes = t("KI_ECD_R").filter(~nw.col("ECD_CIM_COD").is_null(), ~nw.col("ECD_CAU_RNG").is_null())
    lowest = causes.group_by("DCD_IDT_ENC").agg(nw.col("ECD_CAU_RNG").min())
    first = causes.join(lowest, on=["DCD_IDT_ENC", "ECD_CAU_RNG"], how="inner")
    return first.group_by("DCD_IDT_ENC").agg(nw.col("ECD_CIM_COD").min().alias("cause"))


def counted_deaths(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count the certificates, those left out, and those of nobody known."""
    possible = _possible(t)
    unknown = possible.join(t("idents"), on="BEN_IDT_ANO", how="anti")
    return beside(
        [
            t("KI_CCI_R").select(nw.len().alias("certificates_read")),
            possible.select(nw.len().alias("certificates_possible")),
            unknown.select(nw.len().alias("certificates_unknown_person")),
        ]
    )


ILLNESSES = Source("IR_IMB_R", "IR_IMB_R", ald_rows, counted_illnesses)

CERTIFICATES = Source("KI_CCI_R", "KI_CCI_R", death_rows, counted_deaths)
