"""K1 of DCIR: the lines of ER_PRS_F that count, and what their affinée tables add."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from eventlogs.activities import ActivityRules
from eventlogs.snds.rows import LINE_KEY, Source, Tables, as_rows, coded


def _is_not(column: str, value: int) -> nw.Expr:
    return (nw.col(column) != value) | nw.col(column).is_null()


def line_filters() -> dict[str, nw.Expr]:
    """Return, by reason, what a line of ER_PRS_F must satisfy to be kept; an empty value satisfies."""
    return {
        "information_only": _is_not("DPN_QLF", 71) & _is_not("PRS_DPN_QLP", 71),
        "majoration": (nw.col("CPL_MAJ_TOP") < 2) | nw.col("CPL_MAJ_TOP").is_null(),
        "complement": _is_not("CPL_AFF_COD", 16) & _is_not("BSE_PRS_NAT", 0),
    }


def lines(t: Tables) -> nw.LazyFrame[Any]:
    """Return the lines of ER_PRS_F that count, with their person and facility.

    Public stays that leak into DCIR (ETE_IND_TAA = 1) are left to the PMSI.
    """
    places = t("ER_ETE_F")
    leaking = places.filter(nw.col("ETE_IND_TAA") == 1).select(LINE_KEY).unique()
    facility = places.group_by(LINE_KEY).agg(nw.col("ETB_EXE_FIN").min().alias("facility"))
    return (
        t("ER_PRS_F")
        .filter(*line_filters().values())
        .join(t("pairs"), on=["BEN_NIR_PSA", "BEN_RNG_GEM"], how="inner")
        .join(leaking, on=LINE_KEY, how="anti")
        .join(facility, on=LINE_KEY, how="left")
    )


def claim_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return the rows of DCIR that the definition's code lists name."""
    kept = lines(t)
    acts = t("ER_CAM_F").filter((nw.col("CAM_ACT_COD") == "1") | nw.col("CAM_ACT_COD").is_null())
    return nw.concat(
        [
            _lines_with(kept, coded(acts, "CAM_PRS_IDE", t("codes.CCAM")), "ER_CAM_F", "CCAM", "PRS_ACT_QTE"),
            _lines_with(kept, _medicines(t), "ER_PHA_F", "CIP13", "tablets"),
            _lines_with(kept, _units(t), "ER_UCD_F", "UCD", "UCD_DLV_NBR"),
            _services(kept, t),
        ]
    )


def _medicines(t: Tables) -> nw.LazyFrame[Any]:
    found = coded(t("ER_PHA_F"), "PHA_PRS_C13", t("codes.CIP13"))
    return found.with_columns((nw.col("PHA_ACT_QSN") * nw.col("units")).alias("tablets"))


def _units(t: Tables) -> nw.LazyFrame[Any]:
    """UCD are written on 13, 7, or 34008 + 7 characters: the last seven say the same."""
    found = t("ER_UCD_F").with_columns(nw.col("UCD_UCD_COD").str.tail(7).alias("ucd7"))
    return coded(found, "ucd7", t("codes.UCD"))


def _lines_with(
    kept: nw.LazyFrame[Any], detail: nw.LazyFrame[Any], source: str, system: str, quantity: str
) -> nw.LazyFrame[Any]:
    columns = [*LINE_KEY, "code", "activity", *([] if quantity == "PRS_ACT_QTE" else [quantity])]
    return _line_rows(kept.join(detail.select(columns), on=LINE_KEY, how="inner"), source, system, quantity)


def _services(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    """Consultations and the like: the nature of service, performed by a given specialty or by any."""
    coded = kept.with_columns(nw.col("PRS_NAT_REF").alias("code"))
    by_specialty = coded.join(
        t("codes.PRS_NAT"), left_on=["code", "PSE_SPE_COD"], right_on=["code", "specialty"], how="inner"
    )
    by_any = coded.join(t("codes.PRS_NAT_ANY"), on="code", how="inner")
    return nw.concat(
        [_line_rows(rows, "ER_PRS_F", "PRS_NAT", "PRS_ACT_QTE") for rows in (by_specialty, by_any)]
    )


def _line_rows(rows: nw.LazyFrame[Any], source: str, system: str, quantity: str) -> nw.LazyFrame[Any]:
    return as_rows(
        rows,
        kind=nw.lit("line"),
        source=nw.lit(source),
        activity=nw.col("activity"),
        code=nw.col("code"),
        code_system=nw.lit(system),
        date=nw.col("EXE_SOI_DTD"),
        quantity=nw.col(quantity),
        facility=nw.col("facility"),
        flux=nw.col("FLX_DIS_DTD"),
        **{name: nw.col(name) for name in LINE_KEY if name != "FLX_DIS_DTD"},
    )


def dropped(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count, by reason, the lines that the filters leave out."""
    return t("ER_PRS_F").select(
        nw.len().alias("lines_read"),
        nw.col("FLX_DIS_DTD").is_null().sum().alias("lines_without_flux"),
        *((~keep).sum().alias(f"lines_{reason}") for reason, keep in line_filters().items()),
    )


CLAIMS = Source("DCIR", "ER_PRS_F", claim_rows, dropped)
