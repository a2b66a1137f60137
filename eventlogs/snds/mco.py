"""K1 of PMSI MCO: the stays that count, and the acts, sessions, diagnoses and deaths that they tell."""

from __future__ import annotations

from typing import Any

import narwhals as nw

from eventlogs.activities import ActivityRules
from eventlogs.practice import Practice
from eventlogs.snds.chaining import (
    STAY,
    Field,
    by_prefix,
    chained,
    chaining_counts,
    deaths,
    diagnosed,
    hospital_rows,
    keyed,
    of_disease,
    position,
    presence,
    total,
)
from eventlogs.snds.rows import Source, Tables, beside, coded, count_where, misread, together, wrong_key

MCO = Field("T_MCOaaC")

ABORTION = "14Z08Z"
"""GHM that no extract may follow (legal reasons)."""

AUTOMATIC_GHS = "9999"

PREPARATIONS = ["28Z19Z", "28Z20Z", "28Z21Z", "28Z22Z"]
"""Radiotherapy preparations: one event whatever NBR_SEA says."""

PROVIDER_SESSIONS = ["28Z03", "28Z04", *(f"28Z{n:02}" for n in (*range(7, 14), *range(17, 26)))]
"""Sessions that a provider (SEJ_TYP B) performs for another establishment: they stay."""

OTHER_SESSIONS = ["28Z14", "28Z15", "28Z16"]
"""Transfusion, hyperbaric oxygen, apheresis: what the longer list of sessions leaves out."""

METASTASES = ("C77", "C78", "C79")


def touched() -> dict[str, nw.Expr]:
    """Return, by trap, whether a stay of T_MCOaaB falls into it, whatever the switches."""
    ghm = nw.col("GRG_GHM")
    automatic = (nw.col("TYP_GEN_RSA") != "0").fill_null(False) | (
        nw.col("GHS_NUM") == AUTOMATIC_GHS
    ).fill_null(False)
    return {
        "grouping_error": ghm.str.starts_with("90").fill_null(False),
        "special_stay": (ghm == ABORTION).fill_null(False) | automatic,
        "provider_stay": (nw.col("SEJ_TYP") == "B").fill_null(False),
        "sessions_kept": ghm.str.starts_with("28").fill_null(False),
    }


def left_out(practice: Practice) -> list[nw.Expr]:
    """Return what takes a stay of T_MCOaaB away, as practice says; an empty GHM or SEJ_TYP takes nothing away."""
    traps, ghm = touched(), nw.col("GRG_GHM")
    group = ghm.str.slice(0, 5)
    sessions = {
        "sessions": group.is_in(PROVIDER_SESSIONS),
        "all_28": ghm.str.starts_with("28") & ~group.is_in(OTHER_SESSIONS),
        "leave_out": nw.lit(False),
        "keep": nw.lit(True),
    }
    special = "special_stay" if practice.automatic_stays == "leave_out" else None
    return [
        traps["grouping_error"],
        traps[special] if special else (ghm == ABORTION).fill_null(False),
        traps["provider_stay"] & ~sessions[practice.provider_stays].fill_null(True),
    ]


def stays(t: Tables, practice: Practice, year: str) -> nw.LazyFrame[Any]:
    """Return the stays that count, with their person and their dates."""
    read = keyed(t("T_MCOaaB"), MCO).filter(*(~gone for gone in left_out(practice)))
    return read.join(chained(t, MCO, practice, year), on=STAY, how="inner").with_columns(
        nw.col("SOR_ANN").alias("year"),
        nw.col("SOR_MOI").alias("month"),
        nw.lit(None).cast(nw.Int64).alias("offset_days"),
    )


def stay_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return the rows of the stays that the definition names: acts, sessions, diagnoses, bare stays, deaths."""
    kept = stays(t, rules.practice, year)
    positions = _positions(kept, t, rules)
    full = positions.filter(
        nw.col("related"), ~nw.col("GRG_GHM").str.starts_with("28") | nw.col("GRG_GHM").is_null()
    )
    principal = positions.filter(nw.col("principal"))
    return together(
        [
            _acts(kept, t),
            _private_acts(kept, t),
            _sessions(kept, t),
            *by_prefix(principal, t, "DP", rules.of_system("DP")["code"], "stay"),
            *diagnosed(positions, t, rules, full),
            deaths(kept, "T_MCOaaB"),
            presence(kept, "T_MCOaaC"),
        ],
        t,
    )


def first_activity(column: str) -> nw.Expr:
    """Whether an act is told by its first activity: the others (anaesthesia) repeat it."""
    return (nw.col(column) == "1") | nw.col(column).is_null()


def _acts(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    acts = coded(keyed(t("T_MCOaaA"), MCO).filter(first_activity("ACV_ACT")), "CDC_ACT", t("codes.CCAM"))
    told = {"source": nw.lit("T_MCOaaA"), "code_system": nw.lit("CCAM")}
    return hospital_rows(
        acts.join(kept, on=STAY, how="inner"), "act", offset_days=nw.col("ENT_DAT_DEL"), **told
    )


def _private_acts(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    """Acts that private hospitals bill, the code without its extension.

    Before 2013 they have no delay: the same act is in T_MCOaaA, with its day.
    """
    billed = keyed(t("T_MCOaaFM"), MCO).filter(first_activity("ACV_ACT"), ~nw.col("DEL_DAT_ENT").is_null())
    acts = coded(billed.with_columns(nw.col("CCAM_COD").str.slice(0, 7)), "CCAM_COD", t("codes.CCAM"))
    told = {"source": nw.lit("T_MCOaaFM"), "code_system": nw.lit("CCAM")}
    return hospital_rows(
        acts.join(kept, on=STAY, how="inner"), "act", offset_days=nw.col("DEL_DAT_ENT"), **told
    )


def _sessions(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    single = nw.col("GRG_GHM").is_in(PREPARATIONS) | nw.col("NBR_SEA").is_null()
    return hospital_rows(
        coded(kept, "GRG_GHM", t("codes.GHM")),
        "session",
        source=nw.lit("T_MCOaaB"),
        code_system=nw.lit("GHM"),
        quantity=nw.when(single).then(nw.lit(1)).otherwise(nw.col("NBR_SEA")),
    )


def _positions(kept: nw.LazyFrame[Any], t: Tables, rules: ActivityRules) -> nw.LazyFrame[Any]:
    """Return every diagnosis of every stay, and its GHM.

    The D table lacks some diagnoses of the units: B, D and UM are searched together. An associated diagnosis is not
    what the stay was for, unless its principal one is a metastasis (switch ``metastases``).
    """
    unit = keyed(t("T_MCOaaUM"), MCO).join(kept.drop("DGN_PAL", "DGN_REL"), on=STAY, how="inner")
    associated = keyed(t("T_MCOaaD"), MCO).join(kept, on=STAY, how="inner")
    spread = rules.practice.metastases == "with_primary"
    beside_metastasis = of_disease("DGN_PAL", METASTASES if spread else ())
    return nw.concat(
        [
            position(kept, "DGN_PAL", "T_MCOaaB", "GRG_GHM", principal=True, related=True),
            position(kept, "DGN_REL", "T_MCOaaB", "GRG_GHM", related=True),
            position(unit, "DGN_PAL", "T_MCOaaUM", "GRG_GHM", related=True),
            position(unit, "DGN_REL", "T_MCOaaUM", "GRG_GHM", related=True),
            position(associated, "ASS_DGN", "T_MCOaaD", "GRG_GHM", related=beside_metastasis),
        ]
    )


def counted(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count the stays read and those that each trap touches."""
    stay = keyed(t("T_MCOaaB"), MCO)
    both = stay.join(keyed(t("T_MCOaaC"), MCO), on=STAY, how="inner")
    traps = touched()
    primary = keyed(t("T_MCOaaD"), MCO).filter(of_disease("ASS_DGN", rules.cohort.diagnosis))
    spread = stay.filter(of_disease("DGN_PAL", METASTASES)).join(primary, on=STAY, how="semi")
    session = of_disease("DGN_PAL", ("Z51",)) & of_disease("DGN_REL", rules.cohort.diagnosis)
    return beside(
        [
            total(both, "stays_read"),
            stay.select(
                session.sum().alias("trap.session_coding"),
                *(touching.sum().alias(f"trap.{trap}") for trap, touching in traps.items()),
            ),
            total(spread, "trap.metastasis_first"),
            t("T_MCOaaB").select(count_where(wrong_key("ETA_NUM"), "facilities_wrong_key")),
            misread(t, "T_MCOaaA", "CDC_ACT"),
            chaining_counts(t, MCO, rules.practice, year),
        ]
    )


STAYS = Source("PMSI MCO", "T_MCOaaB", stay_rows, counted)
