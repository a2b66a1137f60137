"""K1: the sources that are read, and the code lists that they join.

Each source is a module of joins, filters and selections in the Narwhals subset that polars, DuckDB and PySpark share
(`rows` has what they have in common). A new source is one entry of `SOURCES`.
"""

from __future__ import annotations

import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.snds.beneficiaries import ILLNESSES
from eventlogs.snds.dcir import CLAIMS
from eventlogs.snds.external import VISITS
from eventlogs.snds.had import HOME_CARE
from eventlogs.snds.mco import STAYS
from eventlogs.snds.mco_drugs import DRUGS
from eventlogs.snds.rim import AMBULATORY_PSYCHIATRY, PSYCHIATRY
from eventlogs.snds.rows import Source
from eventlogs.snds.ssr import REHABILITATION

HOSPITALS = (STAYS, DRUGS, VISITS, REHABILITATION, HOME_CARE, PSYCHIATRY, AMBULATORY_PSYCHIATRY)

SOURCES: tuple[Source, ...] = (*HOSPITALS, ILLNESSES, CLAIMS)
"""In the order of reading: those that tell a diagnosis come before the claims."""


PLAIN = ("CCAM", "GHM", "DP", "CIM10", "NABM", "LPP", "PEC")
"""Code systems whose code says all."""


def code_lists(rules: ActivityRules, medicines: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the code lists as tables that K1 joins: ``code``, ``activity`` and, where needed, one more column.

    Parameters
    ----------
    rules : ActivityRules
        Of the definition.
    medicines : polars.DataFrame
        ``cip13``, ``atc``, ``units``: tablets in a box.
    """
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
        **{name: rules.of_system(name).select("code", "activity") for name in PLAIN},
        **{name: codes for system in ("PRS_NAT", "NGAP") for name, codes in _services(rules, system).items()},
        "UCD": rules.of_system("UCD").select(
            pl.col("code").str.tail(7),
            "activity",
            pl.lit(None, dtype=pl.String).alias("atc"),
            units=pl.lit(1),
        ),
        "CIP13": cip13,
        "diagnosis": pl.DataFrame(
            {"code": list(rules.cohort.diagnosis), "activity": [None] * len(rules.cohort.diagnosis)},
            schema={"code": pl.String, "activity": pl.String},
        ),
    }


def _services(rules: ActivityRules, system: str) -> dict[str, pl.DataFrame]:
    """Return the services that some specialties perform, and those that any may."""
    services = rules.of_system(system)
    return {
        system: services.filter(pl.col("specialty").is_not_null()).select(
            "code", pl.col("specialty").cast(pl.Int64), "activity"
        ),
        f"{system}_ANY": services.filter(pl.col("specialty").is_null()).select("code", "activity"),
    }
