"""K1: the sources that are read, and the code lists that they join.

Each source is a module of joins, filters and selections in the Narwhals subset that polars, DuckDB and PySpark share
(`rows` has what they have in common). A new source is one entry of `SOURCES`.
"""

from __future__ import annotations

import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.snds.beneficiaries import CERTIFICATES, ILLNESSES
from eventlogs.snds.dcir import CLAIMS, SIMPLIFIED_CLAIMS
from eventlogs.snds.mco import STAYS
from eventlogs.snds.rows import Source

SOURCES: tuple[Source, ...] = (STAYS, ILLNESSES, CERTIFICATES, CLAIMS, SIMPLIFIED_CLAIMS)
"""In the order of reading: those that tell a diagnosis come before the claims."""


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
        **{
            name: rules.of_system(name).select("code", "activity")
            for name in ("CCAM", "GHM", "DP", "CIM10", "NABM", "LPP")
        },
        "UCD": rules.of_system("UCD").select(pl.col("code").str.tail(7), "activity"),
        "CIP13": cip13,
        "CIP7": cip13.head(0),
        "PRS_NAT": services.filter(pl.col("specialty").is_not_null()).select(
            "code", pl.col("specialty").cast(pl.Int64), "activity"
        ),
        "PRS_NAT_ANY": services.filter(pl.col("specialty").is_null()).select("code", "activity"),
        "diagnosis": pl.DataFrame(
            {"code": list(rules.cohort.diagnosis), "activity": [None] * len(rules.cohort.diagnosis)},
            schema={"code": pl.String, "activity": pl.String},
        ),
    }
