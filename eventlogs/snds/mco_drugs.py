"""K1 of drugs outside the GHS, in the stays of PMSI MCO: public (MED), under early access (MEDATU), private (FH).

The PMSI is the only source for public hospitals; private ones tell the same drug in ER_UCD_F, which comes first unless
practice says otherwise (switch ``private_drugs``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import narwhals as nw

from eventlogs.activities import ActivityRules
from eventlogs.practice import Practice
from eventlogs.snds.chaining import STAY, hospital_rows, keyed, total
from eventlogs.snds.mco import MCO, stays
from eventlogs.snds.rows import Source, Tables, beside, coded, together, ucd7


@dataclass(frozen=True)
class DrugTable:
    """How a table of drugs names its columns; ``shared_by`` is the number of stays that repeat a line."""

    name: str
    old_code: str
    delay: str
    amount: str
    year: str
    month: str
    shared_by: str | None = None


MED = DrugTable("T_MCOaaMED", "UCD_COD", "DELAI", "ADM_NBR", "DAT_ADM_ANN", "ADM_MOIS", "NBR_SEJ")
MEDATU = DrugTable("T_MCOaaMEDATU", "UCD_COD", "DAT_DELAI", "ADM_NBR", "ADM_ANN", "ADM_MOIS", "SEJ_NBR")
FH = DrugTable("T_MCOaaFH", "COD_UCD", "DEL_DAT_ENT", "QUA_COD", "ENT_ANN", "ENT_MOI")


def tables(practice: Practice) -> tuple[DrugTable, ...]:
    """Return the tables that are read: that of private hospitals only where practice prefers it to DCIR."""
    return (MED, MEDATU, FH) if practice.private_drugs == "pmsi" else (MED, MEDATU)


def drug_rows(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Return the drugs given in the stays that count, on the day of entry + delay.

    Lines that were not given (ADM_NBR ≤ 0) are left out. A stay without entry is dated by the month of the line.
    """
    kept = stays(t, rules.practice, year).drop("year", "month")
    return together((_given(kept, t, table) for table in tables(rules.practice)), t)


def _named(t: Tables, table: DrugTable) -> nw.LazyFrame[Any]:
    lines = keyed(t(table.name), MCO).with_columns(
        ucd7(nw.coalesce("UCD_UCD_COD", table.old_code)).alias("ucd7")
    )
    return coded(lines, "ucd7", t("codes.UCD"))


def _given(kept: nw.LazyFrame[Any], t: Tables, table: DrugTable) -> nw.LazyFrame[Any]:
    given = _named(t, table).filter((nw.col(table.amount) > 0) | nw.col(table.amount).is_null())
    undated = nw.col("entry").is_null()
    return hospital_rows(
        given.join(kept, on=STAY, how="inner"),
        "act",
        source=nw.lit(table.name),
        code_system=nw.lit("UCD"),
        atc=nw.col("atc"),
        until=nw.lit(None),
        offset_days=nw.col(table.delay),
        year=nw.when(undated).then(nw.col(table.year)).otherwise(nw.col("SOR_ANN")),
        month=nw.when(undated).then(nw.col(table.month)).otherwise(nw.col("SOR_MOI")),
        quantity=_share(table) * nw.col("units"),
    )


def _share(table: DrugTable) -> nw.Expr:
    """Return the whole units of one stay, at least one: a line that several stays repeat is divided among them."""
    amount = nw.col(table.amount)
    shared = amount / nw.col(table.shared_by) if table.shared_by else amount
    several = (nw.col(table.shared_by) > 1).fill_null(False) if table.shared_by else nw.lit(False)
    return nw.when(several).then(shared).otherwise(amount).ceil().cast(nw.Int64).fill_null(1)


def counted(t: Tables, rules: ActivityRules, year: str = "") -> nw.LazyFrame[Any]:
    """Count the lines of listed drugs that were not given, and those that DCIR tells too."""
    given = nw.col("amount") <= 0
    amounts = [_named(t, table).select(nw.col(table.amount).alias("amount")) for table in (MED, MEDATU)]
    not_given = nw.concat(amounts).filter(given)
    return beside([total(not_given, "not_given"), total(_named(t, FH), "private")]).select(
        (nw.col("not_given") + nw.col("private")).alias("trap.drugs_told_twice")
    )


DRUGS = Source("PMSI MCO, drugs", "T_MCOaaB", drug_rows, counted)
