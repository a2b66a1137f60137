"""K1 of the PMSI, what its fields share: from a stay to a person, and what is left out on the way.

Each field (MCO, external care, SSR, HAD, RIM-P) has a chaining table, which gives the pseudonym of a stay, its dates
and the return codes of the controls that the number went through. The rule is the same for all: a stay counts for a
person only if every return code is 0 and the pseudonym stands for somebody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import narwhals as nw
import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.practice import Practice
from eventlogs.snds.rows import Tables, as_rows, cleaned, with_prefix
from eventlogs.snds.schema import year_of

RETURN_CODES = (
    "NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET", "PMS_RET", "DAT_RET", "COH_NAI_RET", "COH_SEX_RET",
)  # fmt: skip
"""Return codes of the chaining tables of stays; the two of coherence exist since 2013, an absent one is no error."""

VISIT_RETURN_CODES = ("NIR_RET", "NAI_RET", "SEX_RET", "IAS_RET", "ENT_DAT_RET")
"""Those of external care, whose files are not merged in the same way."""

FICTITIOUS = ["xxxxxxxxxxxxxxxxx", "XXXXXXXXXXXXXXXXD", "XXXXXXXXXXXXXXXXS"]
"""Values of NIR_ANO_17 that stand for nobody."""

DOUBLES = files("eventlogs.snds") / "double_facilities.csv"
"""FINESS numbers of sites that report beside their legal entity: ``finess``, ``cnam`` (in the CNAM's list of 46),
``drees`` (in the list of 166 of DREES and SCALPEL), ``group``. The list is printed with 90787460, one digit short: its
neighbours, its control digit and a later page of the SNDS documentation say 690787460. The group is that under which
SCALPEL and the SNDS documentation print the number.
"""

STAY = ["establishment", "stay"]
"""The key of a stay, by whatever names its field gives it."""


@dataclass(frozen=True)
class Field:
    """One field of the PMSI: where its stays are chained, and how it names things.

    Parameters
    ----------
    chaining : str
        Family of the chaining table.
    establishment, stay : str
        Columns of the key of a stay.
    return_codes : tuple of str
        Columns that must be 0.
    doubled : tuple of str
        Groups of hospitals whose sites report twice in this field.
    """

    chaining: str
    establishment: str = "ETA_NUM"
    stay: str = "RSA_NUM"
    return_codes: tuple[str, ...] = RETURN_CODES
    doubled: tuple[str, ...] = ("AP-HP", "HCL", "AP-HM")


def keyed(frame: nw.LazyFrame[Any], field: Field) -> nw.LazyFrame[Any]:
    """Return a table of the field with its key named as in `STAY`."""
    return frame.rename({field.establishment: "establishment", field.stay: "stay"})


def chained(t: Tables, field: Field, practice: Practice, year: str) -> nw.LazyFrame[Any]:
    """Return the stays that can be attributed: `STAY`, ``person``, ``entry``, ``discharge``, ``table_year``."""
    read = _chaining(t, field).with_columns(nw.lit(year).alias("table_year"))
    return (
        read.filter(~nw.col("NIR_ANO_17").is_in(FICTITIOUS), *_left_in(field, practice, year))
        .join(t("pseudonyms"), on="NIR_ANO_17", how="inner")
        .drop("NIR_ANO_17", *field.return_codes)
    )


def _chaining(t: Tables, field: Field) -> nw.LazyFrame[Any]:
    return keyed(t(field.chaining), field).with_columns(
        nw.coalesce("ENT_DAT", "EXE_SOI_DTD").alias("entry"),
        nw.coalesce("SOR_DAT", "EXE_SOI_DTF").alias("discharge"),
    ).drop("ENT_DAT", "SOR_DAT", "EXE_SOI_DTD", "EXE_SOI_DTF")  # fmt: skip


def _left_in(field: Field, practice: Practice, year: str) -> list[nw.Expr]:
    wrong, double = _wrong_codes(field), _double(field, practice, year)
    return [
        *([~wrong] if practice.return_codes == "all_zero" else []),
        *([~double] if practice.double_facilities != "keep" else []),
    ]


def _wrong_codes(field: Field) -> nw.Expr:
    wrong = ((nw.col(code) != "0").fill_null(False) for code in field.return_codes)
    return nw.any_horizontal(*wrong, ignore_nulls=False)


@cache
def doubles(listed_by: str, groups: tuple[str, ...]) -> list[str]:
    """Return the sites of some groups that report twice, by the list of the ``cnam`` or of ``drees``."""
    table = pl.read_csv(DOUBLES.read_bytes(), separator=";", schema_overrides={"finess": pl.String})
    chosen = table.filter(pl.col(listed_by) == 1, pl.col("group").is_in(groups))
    return chosen["finess"].to_list()


def _double(field: Field, practice: Practice, year: str) -> nw.Expr:
    """Whether the hospital is a site that reports beside its legal entity, in a year when it did."""
    listed_by = "drees" if practice.double_facilities == "keep" else practice.double_facilities
    site = nw.col("establishment").is_in(doubles(listed_by, field.doubled)).fill_null(False)
    known = year_of(year)
    when = nw.col("entry").dt.year() if known is None else nw.lit(known)
    return site & (when <= practice.double_facilities_until).fill_null(False)


def chaining_counts(t: Tables, field: Field, practice: Practice, year: str) -> nw.LazyFrame[Any]:
    """Count in one row the stays that the chaining touches, whatever the switches: by trap, and errors by year.

    ``chained.<year>`` is the number of stays read in that year, ``chaining_error.<year>`` those among them that can't
    be attributed; the year is ``unknown`` where the table's name has none.
    """
    error = _wrong_codes(field) | nw.col("NIR_ANO_17").is_in(FICTITIOUS).fill_null(False)
    named = year_of(year) or "unknown"
    return _chaining(t, field).select(
        nw.len().alias(f"chained.{named}"),
        error.sum().alias(f"chaining_error.{named}"),
        error.sum().alias("trap.chaining_error"),
        _double(field, practice, year).sum().alias("trap.double_facility"),
        nw.col("entry").is_null().sum().alias("trap.month_only"),
    )


def total(frame: nw.LazyFrame[Any], name: str) -> nw.LazyFrame[Any]:
    """Count the rows of a frame, in one row."""
    return frame.select(nw.len().alias(name))


READ = {
    "activity": "activity",
    "code": "code",
    "date": "entry",
    "until": "discharge",
    "offset_days": "offset_days",
    "year": "year",
    "month": "month",
    "facility": "establishment",
    "establishment": "establishment",
    "stay": "stay",
    "table_year": "table_year",
}
"""Which column of a frame of stays a column of `rows.ROW` is read from, unless said otherwise."""


def hospital_rows(found: nw.LazyFrame[Any], kind: str, **given: nw.Expr) -> nw.LazyFrame[Any]:
    """Return rows of the PMSI from a frame that has the key and the dates of the stays.

    What `given` does not say is read from the columns of `READ`: ``offset_days`` is counted from entry, ``year`` and
    ``month`` date a stay without entry.
    """
    read = {name: nw.col(column) for name, column in READ.items()}
    return as_rows(found, **{"kind": nw.lit(kind), "quantity": nw.lit(1), **read, **given})


def presence(kept: nw.LazyFrame[Any], source: str) -> nw.LazyFrame[Any]:
    """Return the first and last day that each person was seen in these stays: care of any kind ends a silence."""
    leave = nw.coalesce("discharge", "entry").alias("discharge")
    seen = kept.filter(~nw.col("entry").is_null()).with_columns(leave).group_by("person")
    dated = seen.agg(nw.col("entry", "table_year").min(), nw.col("discharge").max())
    return as_rows(
        dated,
        kind=nw.lit("presence"),
        source=nw.lit(source),
        date=nw.col("entry"),
        until=nw.col("discharge"),
        table_year=nw.col("table_year"),
    )


POSITION = ["person", *STAY, "entry", "discharge", "year", "month", "offset_days", "table_year"]
"""Columns of a diagnosis of a stay, beside ``diagnosis``, ``table``, ``principal`` and ``related``."""


def position(
    frame: nw.LazyFrame[Any],
    column: str,
    table: str,
    *more: str,
    principal: bool = False,
    related: bool | nw.Expr = False,
) -> nw.LazyFrame[Any]:
    """Return a diagnosis of every stay: ``diagnosis`` without dots, signs and blanks; `more` columns are kept.

    ``principal``: that of the whole stay; ``related``: the stay was for it.
    """
    return frame.filter(~nw.col(column).is_null()).select(
        *POSITION,
        *more,
        cleaned(column).alias("diagnosis"),
        nw.lit(table).alias("table"),
        nw.lit(principal).alias("principal"),
        (nw.lit(related) if isinstance(related, bool) else related).alias("related"),
    )


def by_prefix(
    positions: nw.LazyFrame[Any],
    t: Tables,
    name: str,
    prefixes: Iterable[str],
    kind: str,
    **given: nw.Expr,
) -> list[nw.LazyFrame[Any]]:
    """Return the rows of the diagnoses that a list of CIM-10 prefixes names."""
    told = {"source": nw.col("table"), "code_system": nw.lit("CIM10"), **given}
    return [hospital_rows(found, kind, **told) for found in with_prefix(positions, t, name, prefixes)]


def diagnosed(
    positions: nw.LazyFrame[Any],
    t: Tables,
    rules: ActivityRules,
    full: nw.LazyFrame[Any],
    **given: nw.Expr,
) -> list[nw.LazyFrame[Any]]:
    """Return what diagnoses tell, in any field: events, the opening of the cohort, stays for the disease.

    Parameters
    ----------
    positions : narwhals.LazyFrame
        Rows of `position`.
    full : narwhals.LazyFrame
        Those among them that a stay was for: an event if nothing else comes of the stay.
    """
    disease = rules.cohort.diagnosis
    bare = rules.derived.get("stay_without_other_event")
    stays = by_prefix(full, t, "diagnosis", disease, "bare_stay", activity=nw.lit(bare), **given)
    return [
        *by_prefix(positions, t, "CIM10", rules.of_system("CIM10")["code"], "stay", **given),
        *by_prefix(positions, t, "diagnosis", disease, "diagnosis", **given),
        *(stays if bare is not None else []),
    ]


def of_disease(column: str, prefixes: Iterable[str]) -> nw.Expr:
    """Whether a diagnosis begins with one of these prefixes; an empty one does not."""
    found = [cleaned(column).str.starts_with(prefix).fill_null(False) for prefix in prefixes]
    never = nw.col(column).is_null() & ~nw.col(column).is_null()
    return nw.any_horizontal(never, *found, ignore_nulls=False)


def deaths(died: nw.LazyFrame[Any], source: str) -> nw.LazyFrame[Any]:
    """Return the deaths that discharge mode 9 tells, on the day of discharge."""
    none = nw.lit(None)
    dated = {"date": nw.col("discharge"), "until": none, "offset_days": none}
    told = {"activity": none, "code": nw.lit("9"), "code_system": nw.lit("SOR_MOD"), "source": nw.lit(source)}
    return hospital_rows(died.filter(nw.col("SOR_MOD") == "9"), "death", **told, **dated)
