"""K1 of external care (ACE): visits to public hospitals without a stay, chained through T_MCOaaCSTC.

DCIR repeats them for information only (DPN_QLF 71, left out there): here they are told by the hospital.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw

from eventlogs.activities import ActivityRules
from eventlogs.practice import Practice
from eventlogs.snds.chaining import (
    STAY,
    VISIT_RETURN_CODES,
    Field,
    chained,
    chaining_counts,
    hospital_rows,
    keyed,
    presence,
    total,
)
from eventlogs.snds.mco import first_activity
from eventlogs.snds.rows import Source, Tables, beside, coded, misread, together, ucd7

EXTERNAL = Field("T_MCOaaCSTC", stay="SEQ_NUM", return_codes=VISIT_RETURN_CODES, doubled=("AP-HP", "AP-HM"))
"""The hospitals of Lyon (HCL) report their external care once."""


def visits(t: Tables, practice: Practice, year: str) -> nw.LazyFrame[Any]:
    """Return the visits that can be attributed; the header of the bill gives a month to those without a date."""
    month = keyed(t("T_MCOaaFASTC"), EXTERNAL).group_by(STAY)
    billed = month.agg(nw.col("SOR_ANN").min().alias("year"), nw.col("SOR_MOI").min().alias("month"))
    return chained(t, EXTERNAL, practice, year).join(billed, on=STAY, how="left")


def visit_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return what the definition names of external care: acts, consultations, biology, drugs, devices."""
    kept = visits(t, rules.practice, year)
    handed_out = [_drugs(kept, t)] if rules.practice.retrocession == "pmsi" else []
    return together(
        [
            _acts(kept, t),
            *_consultations(kept, t, "T_MCOaaFBSTC"),
            *_consultations(kept, t, "T_MCOaaFCSTC"),
            *(_listed(kept, t, table) for table in LISTED),
            *handed_out,
            presence(kept, "T_MCOaaCSTC"),
        ],
        t,
    )


def _at_visit(
    kept: nw.LazyFrame[Any], detail: nw.LazyFrame[Any], source: str, system: str, **given: nw.Expr
) -> nw.LazyFrame[Any]:
    told = {"source": nw.lit(source), "code_system": nw.lit(system), "until": nw.lit(None)}
    found = detail.join(kept, on=STAY, how="inner")
    return hospital_rows(found, "visit", offset_days=nw.col("DEL_DAT_ENT"), **told, **given)


def _acts(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    acts = keyed(t("T_MCOaaFMSTC"), EXTERNAL).filter(first_activity("ACV_ACT"))
    found = coded(acts.with_columns(nw.col("CCAM_COD").str.slice(0, 7)), "CCAM_COD", t("codes.CCAM"))
    return _at_visit(kept, found, "T_MCOaaFMSTC", "CCAM")


def _consultations(kept: nw.LazyFrame[Any], t: Tables, source: str) -> list[nw.LazyFrame[Any]]:
    """Acts of the NGAP, by the specialty that performs them or by any."""
    acts = keyed(t(source), EXTERNAL).with_columns(nw.col("ACT_COD").alias("code"))
    by_specialty = acts.join(
        t("codes.NGAP"), left_on=["code", "EXE_SPE"], right_on=["code", "specialty"], how="inner"
    )
    by_any = acts.join(t("codes.NGAP_ANY"), on="code", how="inner")
    return [_at_visit(kept, found, source, "NGAP") for found in (by_specialty, by_any)]


@dataclass(frozen=True)
class Listed:
    """A table of lines with one code, padded with zeros, of so many ``characters`` in its list, and a quantity."""

    name: str
    code: str
    system: str
    quantity: str
    characters: int


LISTED = (
    Listed("T_MCOaaFLSTC", "NABM_COD", "NABM", "ACT_NBR", 4),
    Listed("T_MCOaaFPSTC", "LPP_COD", "LPP", "LPP_QUA", 7),
)


def _listed(kept: nw.LazyFrame[Any], t: Tables, table: Listed) -> nw.LazyFrame[Any]:
    given = (nw.col(table.quantity) > 0) | nw.col(table.quantity).is_null()
    code = nw.col(table.code).str.replace_all("^0+", "").str.zfill(table.characters)
    lines = keyed(t(table.name), EXTERNAL).filter(given).with_columns(code)
    found = coded(lines, table.code, t(f"codes.{table.system}"))
    return _at_visit(kept, found, table.name, table.system, quantity=nw.col(table.quantity).fill_null(1))


def _handed_out(t: Tables) -> nw.LazyFrame[Any]:
    lines = keyed(t("T_MCOaaFHSTC"), EXTERNAL).with_columns(
        ucd7(nw.coalesce("UCD_UCD_COD", "UCD_COD")).alias("ucd7")
    )
    return coded(lines, "ucd7", t("codes.UCD"))


def _drugs(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    """Drugs that the hospital hands out; ER_UCD_F tells them too."""
    given = _handed_out(t).filter((nw.col("QUA") > 0) | nw.col("QUA").is_null())
    told = {"atc": nw.col("atc"), "quantity": nw.col("QUA").fill_null(1) * nw.col("units")}
    return _at_visit(kept, given, "T_MCOaaFHSTC", "UCD", **told)


def counted(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count the visits that the chaining touches, and the drugs that DCIR tells too."""
    return beside(
        [
            total(_handed_out(t), "trap.drugs_told_twice"),
            misread(t, "T_MCOaaFMSTC", "CCAM_COD"),
            chaining_counts(t, EXTERNAL, rules.practice, year),
        ]
    )


VISITS = Source("PMSI MCO, external care", "T_MCOaaCSTC", visit_rows, counted)
