"""K1: joins, filters and selections that attach a person to every row and keep what the definition needs.

Relational and order-free, in the Narwhals subset that polars, DuckDB and PySpark share: no date arithmetic, no
order, no text made from rows. What remains to be done with all rows of a person at hand is in `patient`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import narwhals as nw
import polars as pl

from eventlogs.activities import ActivityRules

Tables = Callable[[str], "nw.LazyFrame[Any]"]
"""Gives a table by name: an SNDS family, ``pairs``, ``pseudonyms``, or a code list (``codes.CCAM``)."""

LINE_KEY = [
    "DCT_ORD_NUM", "FLX_DIS_DTD", "FLX_EMT_NUM", "FLX_EMT_ORD", "FLX_EMT_TYP", "FLX_TRT_DTD", "ORG_CLE_NUM",
    "PRS_ORD_NUM", "REM_TYP_AFF",
]  # fmt: skip
"""The nine columns that join ER_PRS_F to its affinée tables."""

STAY_KEY = ["ETA_NUM", "RSA_NUM"]

ROW: dict[str, Any] = {
    "person": pl.Int64,
    "kind": pl.String,
    "source": pl.String,
    "activity": pl.String,
    "code": pl.String,
    "code_system": pl.String,
    "date": pl.Date,
    "until": pl.Date,
    "offset_days": pl.Int64,
    "year": pl.Int64,
    "month": pl.Int64,
    "quantity": pl.Int64,
    "facility": pl.String,
    "flux": pl.Date,
    "establishment": pl.String,
    "stay": pl.String,
}
"""Columns of K1's rows.

``kind``: *line* (DCIR, still to be netted), *act*, *session* (``quantity`` of them in one row), *stay* (an event at
entry), *bare_stay* (an event only if the stay gave no other), *diagnosis* (opens the cohort, no event), *death*.
"""

RETURN_CODES = [
    "NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET", "COH_NAI_RET", "COH_SEX_RET",
]  # fmt: skip

FICTITIOUS = ["xxxxxxxxxxxxxxxxx", "XXXXXXXXXXXXXXXXD", "XXXXXXXXXXXXXXXXS"]
"""Values of NIR_ANO_17 that stand for nobody."""

PREPARATIONS = ["28Z19Z", "28Z20Z", "28Z21Z", "28Z22Z"]
"""Radiotherapy preparations: one event whatever NBR_SEA says."""

PROVIDER_SESSIONS = ["28Z03", "28Z04", *(f"28Z{n:02}" for n in (*range(7, 14), *range(17, 26)))]
"""Sessions that a provider (SEJ_TYP B) performs for another establishment: they stay."""

ALD_KINDS = [41, 43, 45]
"""IMB_ETM_NAT of long-term illnesses: on the list, off the list, polypathology."""


def _is_not(column: str, value: int) -> nw.Expr:
    return (nw.col(column) != value) | nw.col(column).is_null()


def line_filters() -> dict[str, nw.Expr]:
    """Return, by reason, what a line of ER_PRS_F must satisfy to be kept; an empty value satisfies."""
    return {
        "information_only": _is_not("DPN_QLF", 71) & _is_not("PRS_DPN_QLP", 71),
        "majoration": (nw.col("CPL_MAJ_TOP") < 2) | nw.col("CPL_MAJ_TOP").is_null(),
        "complement": _is_not("CPL_AFF_COD", 16) & _is_not("BSE_PRS_NAT", 0),
    }


def stay_filters() -> dict[str, nw.Expr]:
    """Return, by reason, what a stay (T_MCOaaB joined to T_MCOaaC) must satisfy to be kept."""
    provider = (nw.col("SEJ_TYP") == "B") & ~nw.col("GRG_GHM").str.slice(0, 5).is_in(PROVIDER_SESSIONS)
    chained = [(nw.col(code) == "0") | nw.col(code).is_null() for code in RETURN_CODES]
    return {
        "grouping_error": ~nw.col("GRG_GHM").str.starts_with("90") | nw.col("GRG_GHM").is_null(),
        "provider_stay": ~provider | nw.col("SEJ_TYP").is_null() | nw.col("GRG_GHM").is_null(),
        "chaining_error": nw.all_horizontal(*chained, ignore_nulls=False)
        & ~nw.col("NIR_ANO_17").is_in(FICTITIOUS),
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


def claim_rows(t: Tables) -> nw.LazyFrame[Any]:
    """Return the rows of DCIR that the definition's code lists name."""
    kept = lines(t)
    acts = t("ER_CAM_F").filter((nw.col("CAM_ACT_COD") == "1") | nw.col("CAM_ACT_COD").is_null())
    return nw.concat(
        [
            _lines_with(
                kept, _coded(acts, "CAM_PRS_IDE", t("codes.CCAM")), "ER_CAM_F", "CCAM", "PRS_ACT_QTE"
            ),
            _lines_with(kept, _medicines(t), "ER_PHA_F", "CIP13", "tablets"),
            _lines_with(kept, _units(t), "ER_UCD_F", "UCD", "UCD_DLV_NBR"),
            _services(kept, t),
        ]
    )


def _coded(frame: nw.LazyFrame[Any], column: str, codes: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return frame.with_columns(nw.col(column).alias("code")).join(codes, on="code", how="inner")


def _medicines(t: Tables) -> nw.LazyFrame[Any]:
    found = _coded(t("ER_PHA_F"), "PHA_PRS_C13", t("codes.CIP13"))
    return found.with_columns((nw.col("PHA_ACT_QSN") * nw.col("units")).alias("tablets"))


def _units(t: Tables) -> nw.LazyFrame[Any]:
    """UCD are written on 13, 7, or 34008 + 7 characters: the last seven say the same."""
    found = t("ER_UCD_F").with_columns(nw.col("UCD_UCD_COD").str.tail(7).alias("ucd7"))
    return _coded(found, "ucd7", t("codes.UCD"))


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
    return _rows(
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
    )


def stays(t: Tables) -> nw.LazyFrame[Any]:
    """Return the stays that count, with their person."""
    chained = t("T_MCOaaB").join(t("T_MCOaaC"), on=STAY_KEY, how="inner")
    return chained.filter(*stay_filters().values()).join(t("pseudonyms"), on="NIR_ANO_17", how="inner")


def stay_rows(t: Tables, rules: ActivityRules) -> nw.LazyFrame[Any]:
    """Return the rows of the PMSI that the definition names: acts, sessions, diagnoses, bare stays, deaths."""
    kept = stays(t)
    positions = _positions(kept, t)
    principal = positions.filter(nw.col("principal"))
    return nw.concat(
        [
            _acts(kept, t),
            _sessions(kept, t),
            *_by_prefix(principal, t, "DP", rules.of_system("DP")["code"], "stay"),
            *_by_prefix(positions, t, "CIM10", rules.of_system("CIM10")["code"], "stay"),
            *_by_prefix(positions, t, "diagnosis", rules.diagnosis, "diagnosis"),
            *_bare_stays(positions, t, rules),
            _deaths(kept),
        ]
    )


def _acts(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    acts = t("T_MCOaaA").filter((nw.col("ACV_ACT") == "1") | nw.col("ACV_ACT").is_null())
    found = _coded(acts, "CDC_ACT", t("codes.CCAM")).join(kept, on=STAY_KEY, how="inner")
    return _stay_events(
        found, "act", "T_MCOaaA", "CCAM", nw.lit(1), offset_days=nw.col("ENT_DAT_DEL"), until=None
    )


def _sessions(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    found = _coded(kept, "GRG_GHM", t("codes.GHM"))
    counted = nw.col("GRG_GHM").is_in(PREPARATIONS) | nw.col("NBR_SEA").is_null()
    return _stay_events(
        found, "session", "T_MCOaaB", "GHM", nw.when(counted).then(nw.lit(1)).otherwise(nw.col("NBR_SEA"))
    )


def _positions(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    """Return every diagnosis of every stay: ``diagnosis`` (without dots, signs, blanks), ``principal``, ``related``.

    The D table lacks some diagnoses of the units: B, D and UM are searched together.
    """
    unit = t("T_MCOaaUM").join(kept.drop("DGN_PAL", "DGN_REL"), on=STAY_KEY, how="inner")
    associated = t("T_MCOaaD").join(kept, on=STAY_KEY, how="inner")
    return nw.concat(
        [
            _position(kept, "DGN_PAL", "T_MCOaaB", principal=True, related=True),
            _position(kept, "DGN_REL", "T_MCOaaB", principal=False, related=True),
            _position(unit, "DGN_PAL", "T_MCOaaUM", principal=False, related=True),
            _position(unit, "DGN_REL", "T_MCOaaUM", principal=False, related=True),
            _position(associated, "ASS_DGN", "T_MCOaaD", principal=False, related=False),
        ]
    )


def _position(
    frame: nw.LazyFrame[Any], column: str, source: str, *, principal: bool, related: bool
) -> nw.LazyFrame[Any]:
    return frame.filter(~nw.col(column).is_null()).select(
        "person", *STAY_KEY, "ENT_DAT", "SOR_DAT", "SOR_ANN", "SOR_MOI", "GRG_GHM",
        nw.col(column).str.replace_all("[.+* ]", "").alias("diagnosis"),
        nw.lit(source).alias("table"),
        nw.lit(principal).alias("principal"),
        nw.lit(related).alias("related"),
    )  # fmt: skip


def _by_prefix(
    positions: nw.LazyFrame[Any], t: Tables, name: str, prefixes: Iterable[str], kind: str
) -> list[nw.LazyFrame[Any]]:
    """Join a list of CIM-10 prefixes, one join for each length that occurs in it."""
    lengths = sorted({len(prefix) for prefix in prefixes})
    return [_with_prefix(positions, t(f"codes.{name}"), length, kind) for length in lengths]


def _with_prefix(
    positions: nw.LazyFrame[Any], codes: nw.LazyFrame[Any], length: int, kind: str
) -> nw.LazyFrame[Any]:
    found = positions.with_columns(nw.col("diagnosis").str.slice(0, length).alias("code")).join(
        codes, on="code", how="inner"
    )
    return _stay_events(found, kind, nw.col("table"), "CIM10", nw.lit(1))


def _bare_stays(positions: nw.LazyFrame[Any], t: Tables, rules: ActivityRules) -> list[nw.LazyFrame[Any]]:
    """Full stays for the disease (principal or related diagnosis): events if nothing else comes of them."""
    activity = rules.derived.get("stay_without_other_event")
    if activity is None:
        return []
    full = positions.filter(
        nw.col("related"), ~nw.col("GRG_GHM").str.starts_with("28") | nw.col("GRG_GHM").is_null()
    )
    found = _by_prefix(full, t, "diagnosis", rules.diagnosis, "bare_stay")
    return [rows.with_columns(nw.lit(activity).alias("activity")) for rows in found]


def _deaths(kept: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    died = kept.filter(nw.col("SOR_MOD") == "9").with_columns(
        nw.col("SOR_DAT").alias("ENT_DAT"),
        nw.lit("9").alias("code"),
        nw.lit(None, nw.String).alias("activity"),
    )
    return _stay_events(died, "death", "T_MCOaaB", "SOR_MOD", nw.lit(1), until=None)


def _stay_events(
    rows: nw.LazyFrame[Any],
    kind: str,
    source: str | nw.Expr,
    system: str,
    quantity: nw.Expr,
    *,
    until: str | None = "SOR_DAT",
    offset_days: nw.Expr | None = None,
) -> nw.LazyFrame[Any]:
    return _rows(
        rows,
        kind=nw.lit(kind),
        source=nw.lit(source) if isinstance(source, str) else source,
        activity=nw.col("activity"),
        code=nw.col("code"),
        code_system=nw.lit(system),
        date=nw.col("ENT_DAT"),
        **({"until": nw.col(until)} if until else {}),
        **({"offset_days": offset_days} if offset_days is not None else {}),
        year=nw.col("SOR_ANN"),
        month=nw.col("SOR_MOI"),
        quantity=quantity,
        facility=nw.col("ETA_NUM"),
        establishment=nw.col("ETA_NUM"),
        stay=nw.col("RSA_NUM"),
    )


def ald_rows(t: Tables, rules: ActivityRules) -> nw.LazyFrame[Any]:
    """Return the long-term illnesses that open the cohort; chosen by CIM-10, not by the ALD number."""
    opened = (
        t("IR_IMB_R")
        .filter(
            nw.col("IMB_ETM_NAT").is_in(ALD_KINDS),
            (nw.col("MED_NCL_IDT") == "CIM10") | nw.col("MED_NCL_IDT").is_null(),
        )
        .join(t("pairs"), on=["BEN_NIR_PSA", "BEN_RNG_GEM"], how="inner")
        .with_columns(nw.col("MED_MTF_COD").str.replace_all("[.+* ]", "").alias("diagnosis"))
    )
    lengths = sorted({len(prefix) for prefix in rules.diagnosis})
    return nw.concat([_ald_with_prefix(opened, t("codes.diagnosis"), length) for length in lengths])


def _ald_with_prefix(opened: nw.LazyFrame[Any], codes: nw.LazyFrame[Any], length: int) -> nw.LazyFrame[Any]:
    found = opened.with_columns(nw.col("diagnosis").str.slice(0, length).alias("code")).join(
        codes, on="code", how="inner"
    )
    return _rows(
        found,
        kind=nw.lit("diagnosis"),
        source=nw.lit("IR_IMB_R"),
        code=nw.col("code"),
        code_system=nw.lit("CIM10"),
        date=nw.col("IMB_ALD_DTD"),
        flux=nw.col("INS_DTE"),
    )


NARWHALS: Mapping[Any, Any] = {pl.Int64: nw.Int64, pl.String: nw.String, pl.Date: nw.Date}


def _rows(frame: nw.LazyFrame[Any], **values: nw.Expr) -> nw.LazyFrame[Any]:
    """Return exactly the columns of `ROW`, each cast, those not given empty."""
    return frame.select(
        values.get(name, nw.col("person") if name == "person" else nw.lit(None))
        .cast(NARWHALS[dtype])
        .alias(name)
        for name, dtype in ROW.items()
    )


def code_lists(rules: ActivityRules, medicines: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the code lists as tables that K1 joins: ``code``, ``activity`` and, where needed, one more column.

    Parameters
    ----------
    rules : ActivityRules
        Of the definition.
    medicines : polars.DataFrame
        ``cip13``, ``atc``, ``units``: tablets in a box.
    """
    services = rules.of_system("PRS_NAT")
    by_atc = medicines.join(rules.of_system("ATC"), left_on="atc", right_on="code")
    cip13 = pl.concat(
        [
            by_atc.select(pl.col("cip13").alias("code"), "units", "activity"),
            rules.of_system("CIP13")
            .join(medicines, left_on="code", right_on="cip13", how="left")
            .select("code", pl.col("units").fill_null(1), "activity"),
        ]
    ).unique("code", keep="first", maintain_order=True)
    return {
        **{name: rules.of_system(name).select("code", "activity") for name in ("CCAM", "GHM", "DP", "CIM10")},
        "UCD": rules.of_system("UCD").select(pl.col("code").str.tail(7), "activity"),
        "CIP13": cip13,
        "PRS_NAT": services.filter(pl.col("specialty").is_not_null()).select(
            "code", pl.col("specialty").cast(pl.Int64), "activity"
        ),
        "PRS_NAT_ANY": services.filter(pl.col("specialty").is_null()).select("code", "activity"),
        "diagnosis": pl.DataFrame(
            {"code": list(rules.diagnosis), "activity": [None] * len(rules.diagnosis)},
            schema={"code": pl.String, "activity": pl.String},
        ),
    }
