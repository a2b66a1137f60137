"""K1 of PMSI HAD: hospital care at home.

Rows are sub-sequences of sequences of stays, not stays: a sequence has one main mode of care, and is one event.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw

from eventlogs.activities import ActivityRules
from eventlogs.practice import Practice
from eventlogs.snds.chaining import (
    STAY,
    Field,
    chained,
    chaining_counts,
    deaths,
    diagnosed,
    hospital_rows,
    keyed,
    position,
    presence,
)
from eventlogs.snds.mco import first_activity
from eventlogs.snds.rows import Source, Tables, beside, coded, together

HAD = Field("T_HADaaC", "ETA_NUM_EPMSI", "RHAD_NUM")

SEQUENCE = [*STAY, "SEQ_NUM"]

SUBSEQUENCE = [*SEQUENCE, "SSEQ_NUM"]


def subsequences(t: Tables, practice: Practice, year: str) -> nw.LazyFrame[Any]:
    """Return the sub-sequences that count, with the person and dates of their stay; ``offset_days``: their sequence's.

    The discharge is that of the stay: while it lasts there is none.
    """
    read = keyed(t("T_HADaaB"), HAD)
    return read.join(chained(t, HAD, practice, year), on=STAY, how="inner").with_columns(
        nw.col("SOR_ANN_SSEQ").alias("year"),
        nw.col("SOR_MOI_SSEQ").alias("month"),
        nw.col("SEQ_SEJ_NBJ").fill_null(0).alias("offset_days"),
    )


def sequence_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return what the definition names of home care: modes of care, acts, diagnoses, stays for the disease, deaths.

    A diagnosis is dated by the sequence that tells it, a stay that gave nothing else by its entry.
    """
    kept = subsequences(t, rules.practice, year)
    associated = keyed(t("T_HADaaD"), HAD).join(kept, on=SUBSEQUENCE, how="inner")
    positions = nw.concat(
        [
            position(kept, "DGN_PAL", "T_HADaaB", principal=True, related=True),
            position(associated, "DGN_ASS", "T_HADaaD"),
        ]
    ).unique()
    whole = nw.lit(0).cast(nw.Int64).alias("offset_days")
    full = positions.filter(nw.col("related")).with_columns(whole).unique()
    return together(
        [
            _modes(kept, t),
            _acts(kept, t),
            *diagnosed(positions, t, rules, full),
            deaths(kept, "T_HADaaB"),
            presence(kept, "T_HADaaC"),
        ],
        t,
    )


def _modes(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    """One event a sequence and listed mode of care, main or associated, where the sequence begins."""
    told = nw.concat(
        [
            coded(kept.with_columns(nw.col(mode).str.zfill(2)), mode, t("codes.PEC"))
            for mode in ("PEC_PAL", "PEC_ASS")
        ]
    )
    of_sequence = ["person", *SEQUENCE, "code", "activity", "entry", "table_year"]
    begun = told.group_by(*of_sequence).agg(
        nw.col("offset_days", "year", "month").min(), nw.col("discharge").max()
    )
    return hospital_rows(
        begun,
        "stay",
        source=nw.lit("T_HADaaB"),
        code_system=nw.lit("PEC"),
        until=nw.lit(None),
        part=nw.col("SEQ_NUM"),
    )


def _acts(kept: nw.LazyFrame[Any], t: Tables) -> nw.LazyFrame[Any]:
    """Acts, dated from their sub-sequence."""
    done = coded(keyed(t("T_HADaaA"), HAD).filter(first_activity("ACT_COD")), "CCAM_COD", t("codes.CCAM"))
    since_sequence = nw.col("SSEQ_SEQ_NBJ").fill_null(0) + nw.col("DEL_DEB_SSEQ").fill_null(0)
    return hospital_rows(
        done.join(kept, on=SUBSEQUENCE, how="inner"),
        "act",
        source=nw.lit("T_HADaaA"),
        code_system=nw.lit("CCAM"),
        until=nw.lit(None),
        part=nw.col("SEQ_NUM"),
        offset_days=nw.col("offset_days") + since_sequence,
    )


def counted(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count the rows that are no sequence of their own, and the stays that the chaining touches."""
    rows = keyed(t("T_HADaaB"), HAD).group_by(*SEQUENCE).agg(nw.len().alias("rows"))
    further = rows.select((nw.col("rows").cast(nw.Int64) - 1).sum().alias("trap.unchained_psychiatry"))
    return beside([further, chaining_counts(t, HAD, rules.practice, year)])


HOME_CARE = Source("PMSI HAD", "T_HADaaB", sequence_rows, counted)
