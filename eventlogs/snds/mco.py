"""K1 of PMSI MCO: the stays that count, and the acts, sessions, diagnoses and deaths that they tell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import narwhals as nw

from eventlogs.activities import ActivityRules
from eventlogs.snds.rows import STAY_KEY, Source, Tables, as_rows, cleaned, coded, together, with_prefix

RETURN_CODES = [
    "NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET", "COH_NAI_RET", "COH_SEX_RET",
]  # fmt: skip

FICTITIOUS = ["xxxxxxxxxxxxxxxxx", "XXXXXXXXXXXXXXXXD", "XXXXXXXXXXXXXXXXS"]
"""Values of NIR_ANO_17 that stand for nobody."""

PREPARATIONS = ["28Z19Z", "28Z20Z", "28Z21Z", "28Z22Z"]
"""Radiotherapy preparations: one event whatever NBR_SEA says."""

PROVIDER_SESSIONS = ["28Z03", "28Z04", *(f"28Z{n:02}" for n in (*range(7, 14), *range(17, 26)))]
"""Sessions that a provider (SEJ_TYP B) performs for another establishment: they stay."""


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


def stays(t: Tables) -> nw.LazyFrame[Any]:
    """Return the stays that count, with their person."""
    chained = t("T_MCOaaB").join(t("T_MCOaaC"), on=STAY_KEY, how="inner")
    return chained.filter(*stay_filters().values()).join(t("pseudonyms"), on="NIR_ANO_17", how="inner")


def stay_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return the rows of the PMSI that the definition names: acts, sessions, diagnoses, bare stays, deaths."""
    kept = stays(t)
    positions = _positions(kept, t)
    principal = positions.filter(nw.col("principal"))
    rows = together(
        [
            _acts(kept, t),
            _sessions(kept, t),
            *_by_prefix(principal, t, "DP", rules.of_system("DP")["code"], "stay"),
            *_by_prefix(positions, t, "CIM10", rules.of_system("CIM10")["code"], "stay"),
            *_by_prefix(positions, t, "diagnosis", rules.cohort.diagnosis, "diagnosis"),
            *_bare_stays(positions, t, rules),
            _deaths(kept),
        ],
        t,
    )
    return rows.with_columns(nw.lit(year).alias("table_year"))


def _acts(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    acts = t("T_MCOaaA").filter((nw.col("ACV_ACT") == "1") | nw.col("ACV_ACT").is_null())
    found = coded(acts, "CDC_ACT", t("codes.CCAM")).join(kept, on=STAY_KEY, how="inner")
    return _stay_events(
        found, "act", "T_MCOaaA", "CCAM", nw.lit(1), offset_days=nw.col("ENT_DAT_DEL"), until=None
    )


def _sessions(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    found = coded(kept, "GRG_GHM", t("codes.GHM"))
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
        cleaned(column).alias("diagnosis"),
        nw.lit(source).alias("table"),
        nw.lit(principal).alias("principal"),
        nw.lit(related).alias("related"),
    )  # fmt: skip


def _by_prefix(
    positions: nw.LazyFrame[Any], t: Tables, name: str, prefixes: Iterable[str], kind: str
) -> list[nw.LazyFrame[Any]]:
    return [
        _stay_events(found, kind, nw.col("table"), "CIM10", nw.lit(1))
        for found in with_prefix(positions, t, name, prefixes)
    ]


def _bare_stays(positions: nw.LazyFrame[Any], t: Tables, rules: ActivityRules) -> list[nw.LazyFrame[Any]]:
    """Full stays for the disease (principal or related diagnosis): events if nothing else comes of them."""
    activity = rules.derived.get("stay_without_other_event")
    if activity is None:
        return []
    full = positions.filter(
        nw.col("related"), ~nw.col("GRG_GHM").str.starts_with("28") | nw.col("GRG_GHM").is_null()
    )
    found = _by_prefix(full, t, "diagnosis", rules.cohort.diagnosis, "bare_stay")
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
    return as_rows(
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


def dropped(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count, by reason, the stays that the filters leave out."""
    chained = t("T_MCOaaB").join(t("T_MCOaaC"), on=STAY_KEY, how="inner")
    reasons = ((~keep).sum().alias(f"stays_{reason}") for reason, keep in stay_filters().items())
    return chained.select(nw.len().alias("stays_read"), *reasons)


STAYS = Source("PMSI MCO", "T_MCOaaB", stay_rows, dropped)
