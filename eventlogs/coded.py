"""Coded care of any warehouse → the rows that K2 turns into events, by the code lists of a definition.

The doors of hospital warehouses (`omop`, `meds`) give care and the codes it may stand for; cohort, order inside a day,
merges and origins are then those of an SNDS extract, since the kernel is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from eventlogs.activities import CODE_SYSTEMS, ActivityRules
from eventlogs.log import TIME, EventLog
from eventlogs.snds import patient
from eventlogs.snds.codes import code_lists, medicines
from eventlogs.snds.rows import ROW

VOCABULARIES: Mapping[str, str] = {"ICD10": "CIM10", "ICD-10": "CIM10", "CIM-10": "CIM10"}
"""Code system of a definition by the name that a warehouse gives it, where they differ (recalled, not verified)."""

CARE: dict[str, Any] = {
    "row": pl.Int64, "person_id": pl.String, "start": TIME, "end": TIME, "visit": pl.String, "source": pl.String,
    "facility": pl.String, "quantity": pl.Float64, "inpatient": pl.Boolean, "entry": TIME, "leave": TIME,
}  # fmt: skip
"""Columns of care that are read, others are passed over: one row a fact; ``visit`` with its kind, entry and leave."""

CODES: dict[str, Any] = {
    "row": pl.Int64, "place": pl.Int64, "system": pl.String, "code": pl.String, "principal": pl.Boolean,
}  # fmt: skip
"""Columns of the codes that a row may stand for, in the order of ``place``; ``principal``: maybe the principal one."""


def build(
    care: pl.DataFrame,
    codes: pl.DataFrame,
    people: pl.DataFrame,
    horizons: pl.DataFrame,
    rules: ActivityRules,
) -> EventLog:
    """Return the log that a definition asks for.

    Parameters
    ----------
    care : polars.DataFrame
        Columns of `CARE`.
    codes : polars.DataFrame
        Columns of `CODES`.
    people : polars.DataFrame
        What `patient.build` asks for, and ``observed_from``, ``observed_until``.
    horizons : polars.DataFrame
        Horizon columns.
    rules : ActivityRules
        Of the definition.

    Notes
    -----
    Care is known from the day it ends: a warehouse does not say when a row arrived. Events have the grain of a day, and
    the order inside it is the definition's.
    """
    clean = codes.with_columns(_clean_code())
    rows = care.join(
        people.select("person", "patient_id"), left_on="person_id", right_on="patient_id"
    ).with_columns(date=pl.col("start").cast(pl.Date), until=pl.col("end").cast(pl.Date))
    found = pl.concat(
        [
            _acts(rows, matched(clean, rules)),
            _diagnoses(rows, diagnosed(clean, rules)),
            _bare_stays(rows, diagnosed(clean, rules), rules),
        ]
    )
    held = patient.build(found, people, _open_ended(rules))
    members = held.patients
    own = horizons.filter(
        pl.col("patient_id").is_null() | pl.col("patient_id").is_in(members["patient_id"].implode())
    )
    return EventLog.create(
        held.events.with_columns(known_from=pl.max_horizontal("start", "end")),
        members.with_columns(death_known_from="death_date", exit_known_from="exit_date"),
        own,
        within_day=rules.within_day,
    )


def _clean_code() -> pl.Expr:
    code = pl.col("code").str.strip_chars().str.to_uppercase()
    plain = code.str.replace_all("[.+* ]", "")
    return (
        pl.when(pl.col("system") == "CIM10")
        .then(plain)
        .when(pl.col("system") == "UCD")
        .then(code.str.tail(7))
        .otherwise(code)
        .alias("code")
    )


def matched(codes: pl.DataFrame, rules: ActivityRules) -> pl.DataFrame:
    """Return the activity of each row that the definition names: ``row``, ``system``, ``code``, ``activity``.

    Diagnoses match by their first characters, the others whole; the first place that matches speaks for the row.
    Consultations need a specialty, which these warehouses don't give with the act: they are left out unless any
    specialty will do.
    """
    own = _lists(rules)
    whole = codes.filter(pl.col("system") != "CIM10").join(own, on=["system", "code"])
    positions = codes.filter(pl.col("system") == "CIM10")
    prefixed = [
        _starting(positions, own.filter(pl.col("system") == "CIM10")),
        _starting(positions.filter("principal"), own.filter(pl.col("system") == "DP")),
    ]
    return (
        pl.concat([whole, *prefixed])
        .sort("row", "place", "system", "code", "activity")
        .unique("row", keep="first", maintain_order=True)
        .select("row", "system", "code", "activity")
    )


def _lists(rules: ActivityRules) -> pl.DataFrame:
    """Return ``system``, ``code``, ``activity`` of every list; medicines by their own numbers and by their class."""
    lists = code_lists(rules, medicines())
    return pl.concat(
        lists[system].select(pl.lit(system).alias("system"), "code", "activity")
        for system in CODE_SYSTEMS
        if system in lists and "specialty" not in lists[system].columns
    )


def _starting(codes: pl.DataFrame, own: pl.DataFrame) -> pl.DataFrame:
    """Join codes to a list of prefixes, one join for each length in it."""
    lengths = own["code"].str.len_chars().unique().sort()
    parts = [
        codes.with_columns(pl.col("code").str.head(n)).join(own.select("code", "activity"), on="code")
        for n in lengths
    ]
    return pl.concat([codes.clear().with_columns(activity=pl.lit("")), *parts])


def diagnosed(codes: pl.DataFrame, rules: ActivityRules) -> pl.DataFrame:
    """Return the rows that hold a diagnosis of the cohort: ``row``, ``code`` (the prefix)."""
    schema = {"code": pl.String, "activity": pl.String}
    prefixes = pl.DataFrame([(prefix, "") for prefix in rules.cohort.diagnosis], schema=schema, orient="row")
    found = _starting(codes.filter(pl.col("system") == "CIM10"), prefixes)
    return found.select("row", "code").unique("row", keep="first", maintain_order=True)


def _acts(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Coded care: an act on its day; a diagnosis that is an activity lasts as the row does."""
    return _as_rows(
        rows.join(found, on="row"),
        kind=pl.when(pl.col("system") == "CIM10").then(pl.lit("stay")).otherwise(pl.lit("act")),
        activity=pl.col("activity"),
        code=pl.col("code"),
        code_system=pl.col("system"),
        quantity=pl.col("quantity").fill_null(1).clip(1),
    )


def _diagnoses(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    return _as_rows(
        rows.join(found, on="row"), kind=pl.lit("diagnosis"), code=pl.col("code"), code_system=pl.lit("CIM10")
    )


def _bare_stays(rows: pl.DataFrame, found: pl.DataFrame, rules: ActivityRules) -> pl.DataFrame:
    """Inpatient visits for the disease: events if nothing else comes of them."""
    activity = rules.derived.get("stay_without_other_event")
    stays = rows.join(found, on="row").filter(
        pl.col("inpatient").fill_null(False), pl.lit(activity is not None)
    )
    return _as_rows(
        stays,
        kind=pl.lit("bare_stay"),
        activity=pl.lit(activity, dtype=pl.String),
        code=pl.col("code"),
        code_system=pl.lit("CIM10"),
        date=pl.col("entry").cast(pl.Date),
        until=pl.col("leave").cast(pl.Date),
    )


def _as_rows(frame: pl.DataFrame, **values: pl.Expr) -> pl.DataFrame:
    """Return exactly the columns of `ROW`; those not given come from the care, or are empty."""
    shared = {
        "person": pl.col("person"),
        "source": pl.col("source"),
        "date": pl.col("date"),
        "until": pl.col("until"),
        "facility": pl.col("facility"),
        "establishment": pl.col("facility"),
        "stay": pl.col("visit"),
        "part": pl.col("row"),
    } | values
    return frame.select(shared.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in ROW.items())


def _open_ended(rules: ActivityRules) -> ActivityRules:
    """Exits that only claims of a whole country show are not looked for in a warehouse."""
    kept = tuple(exit_ for exit_ in rules.cohort.exits if exit_ not in ("scheme_exit", "abroad"))
    return replace(rules, cohort=replace(rules.cohort, exits=kept))
