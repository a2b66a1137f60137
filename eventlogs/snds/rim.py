"""K1 of PMSI RIM-P, psychiatry: stays for the disease, and ambulatory acts that no one can be linked to."""

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
    keyed,
    position,
    presence,
    total,
)
from eventlogs.snds.rows import Source, Tables, beside, together

RIM = Field("T_RIPaaC", "ETA_NUM_EPMSI", "RIP_NUM")


def sequences(t: Tables, practice: Practice, year: str) -> nw.LazyFrame[Any]:
    """Return the sequences that count, with the person and the dates of their stay."""
    read = keyed(t("T_RIPaaRSA"), RIM)
    kept = read if practice.automatic_stays == "keep" else read.filter(~_made_up())
    return kept.join(chained(t, RIM, practice, year), on=STAY, how="inner").with_columns(
        nw.col("SEQ_FIN_ANN").alias("year"),
        nw.col("SEQ_FIN_MOI").alias("month"),
        nw.lit(None).cast(nw.Int64).alias("offset_days"),
    )


def _made_up() -> nw.Expr:
    return (nw.col("TYP_GEN_RSA") != "0").fill_null(False)


def sequence_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return the diagnoses of psychiatric stays, the stays that tell the disease in any position, and deaths."""
    kept = sequences(t, rules.practice, year)
    associated = keyed(t("T_RIPaaRSAD"), RIM).join(kept, on=STAY, how="inner")
    positions = nw.concat(
        [
            position(kept, "DGN_PAL", "T_RIPaaRSA", principal=True, related=True),
            position(associated, "ASS_DGN", "T_RIPaaRSAD", related=True),
        ]
    ).unique()
    return together(
        [
            *diagnosed(positions, t, rules, positions),
            deaths(kept, "T_RIPaaRSA"),
            presence(kept, "T_RIPaaC"),
        ],
        t,
    )


def counted(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count the sequences made for billing, and the stays that the chaining touches."""
    made_up = t("T_RIPaaRSA").select(_made_up().sum().alias("trap.special_stay"))
    return beside([made_up, chaining_counts(t, RIM, rules.practice, year)])


def no_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return no row: ambulatory psychiatry has no pseudonym."""
    return together((), t)


def ambulatory_counted(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count the ambulatory acts, which are not read."""
    return total(t("T_RIPaaR3A"), "trap.unchained_psychiatry")


PSYCHIATRY = Source("PMSI RIM-P", "T_RIPaaRSA", sequence_rows, counted)

AMBULATORY_PSYCHIATRY = Source("PMSI RIM-P, ambulatory", "T_RIPaaR3A", no_rows, ambulatory_counted)
