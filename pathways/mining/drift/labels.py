"""What a change may be due to: coding, the epidemic, the feed, else practice."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl

from eventlogs.errors import InputError
from eventlogs.log import EventLog
from eventlogs.strata import COVID_MONTHS
from pathways.mining.drift.changes import CHANGE_COLUMNS

LABELS = ("coding", "covid", "feed", "practice")
"""What a change may be due to; ``practice`` is what nothing else explains."""

SWAP = "code_swap"
"""Reason of a change where one code of the activity fell as another rose."""

SWAP_MONTHS = 1
"""How far apart, in months, codes may fall and rise."""

BUILT_IN = files("pathways") / "mining" / "drift" / "known_changes.toml"

KNOWN_COLUMNS: dict[str, Any] = {
    "id": pl.String,
    "label": pl.String,
    "month": pl.Date,
    "months_around": pl.Int64,
    "codes": pl.List(pl.String),
    "code_systems": pl.List(pl.String),
    "sources": pl.List(pl.String),
    "fr": pl.String,
    "en": pl.String,
    "source": pl.String,
}
"""Columns of the dated changes: what happened when, to which codes, systems and tables (an empty list: to any)."""


def known_changes(path: str | Path | None = None) -> pl.DataFrame:
    """Read dated changes of coding and feed.

    Parameters
    ----------
    path : str or pathlib.Path, optional
        A TOML file of ``[[change]]`` tables with the keys of `KNOWN_COLUMNS`; default: the list of the package, drawn
        from the documentation of the SNDS, which is not complete.

    Returns
    -------
    polars.DataFrame
        `KNOWN_COLUMNS`.

    Raises
    ------
    InputError
        The file can't be read, or a change lacks a key or has an unknown one.
    """
    name = "known_changes.toml" if path is None else str(path)
    try:
        text = (BUILT_IN if path is None else Path(path)).read_text(encoding="utf-8")
        rows = tomllib.loads(text).get("change", [])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"{name} can't be read as a list of dated changes; give TOML with [[change]]"
        ) from error
    whole = [_checked(row, name) for row in rows]
    return pl.DataFrame(whole, schema=KNOWN_COLUMNS)


_OPTIONAL: dict[str, list[str]] = {"codes": [], "code_systems": [], "sources": []}


def _checked(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    whole = _OPTIONAL | dict(row)
    for key in KNOWN_COLUMNS.keys() ^ whole.keys():
        what = "lacks the key" if key in KNOWN_COLUMNS else "has an unknown key"
        raise InputError(f"{name}: the change {row.get('id', '?')} {what} '{key}'")
    if whole["label"] not in ("coding", "feed"):
        raise InputError(
            f"{name}: the change {whole['id']} has the label '{whole['label']}'; give coding or feed"
        )
    return whole


def label_changes(
    changes: pl.DataFrame, log: EventLog, known: pl.DataFrame, phases: Mapping[str, str] | None = None
) -> pl.DataFrame:
    """Say what each change may be due to; the first of these that fits.

    - ``coding``, by the list: an activity of the change has an event whose code, code system and table are those of a
      dated change, whose month is near enough; reason: its id.
    - ``coding``, by signature: within `SWAP_MONTHS`, one code of an activity of the change fell while another of the
      same activity rose; reason `SWAP`.
    - ``covid``: the change is in March to June 2020: the first lockdown (`eventlogs.strata.COVID_MONTHS`) or the month
      after.
    - ``feed``: as the first, of dated changes of the feed.
    - ``practice``: nothing of all this. It is not proven by that.

    Parameters
    ----------
    changes : polars.DataFrame
        `CHANGE_COLUMNS`, from `find_changes`.
    log : EventLog
        The log of activities: its codes and tables tell what a dated change concerns.
    known : polars.DataFrame
        `KNOWN_COLUMNS`, from `known_changes`.
    phases : mapping of str to str, optional
        Phase by activity, where the changes are those of phases.

    Returns
    -------
    polars.DataFrame
        `CHANGE_COLUMNS`.
    """
    if changes.is_empty():
        return changes
    rows = changes.with_row_index("row").with_columns(at=_number("month"))
    touched = _touched(rows, log, dict(phases or {}))
    told = pl.concat([_by_list(rows, touched, log, known), _by_swap(rows, touched), _by_covid(rows)])
    order = pl.col("label").replace_strict({"coding": 0, "covid": 1, "feed": 2}, return_dtype=pl.Int64)
    first = told.sort("row", order, "reason").unique("row", keep="first", maintain_order=True)
    labelled = rows.drop("label", "reason").join(first, on="row", how="left", maintain_order="left")
    return labelled.with_columns(pl.col("label").fill_null("practice")).select(*CHANGE_COLUMNS)


def _number(name: str) -> pl.Expr:
    return pl.col(name).dt.year().cast(pl.Int64) * 12 + pl.col(name).dt.month() - 1


def _touched(rows: pl.DataFrame, log: EventLog, phases: Mapping[str, str]) -> pl.DataFrame:
    """Return ``row``, ``activity``: the activities that a change is about."""
    ends = pl.concat(
        [
            rows.filter(pl.col("kind") != "code").select("row", step="target"),
            rows.filter(pl.col("kind") == "edge").select("row", step="source"),
        ]
    )
    activities = pl.DataFrame({"activity": log.activities}, schema={"activity": pl.String}).with_columns(
        step=pl.col("activity").replace(phases)
    )
    of_codes = rows.filter(pl.col("kind") == "code").select("row", activity="source")
    return pl.concat([ends.join(activities, on="step").select("row", "activity"), of_codes]).unique()


def _by_list(rows: pl.DataFrame, touched: pl.DataFrame, log: EventLog, known: pl.DataFrame) -> pl.DataFrame:
    events = log.events.select("activity", "code", "code_system", "source").unique()
    concerned = [
        events.filter(_fits(change)).select(
            "activity",
            when=pl.lit(_months(change["month"]), pl.Int64),
            around=pl.lit(change["months_around"], pl.Int64),
            label=pl.lit(change["label"]),
            reason=pl.lit(change["id"]),
        )
        for change in known.to_dicts()
    ]
    if not concerned:
        return _NOTHING
    near = touched.join(pl.concat(concerned).unique(), on="activity").join(rows.select("row", "at"), on="row")
    return near.filter((pl.col("at") - pl.col("when")).abs() <= pl.col("around")).select(
        "row", "label", "reason"
    )


_NOTHING = pl.DataFrame(schema={"row": pl.UInt32, "label": pl.String, "reason": pl.String})


def _months(day: date) -> int:
    return 12 * day.year + day.month - 1


def _fits(change: Mapping[str, Any]) -> pl.Expr:
    """Say of events whether a dated change concerns them."""
    fits = pl.lit(True)
    for column, name in (("code", "codes"), ("source", "sources")):
        if change[name]:
            begins = [pl.col(column).str.starts_with(text) for text in change[name]]
            fits &= pl.any_horizontal(begins).fill_null(False)
    if change["code_systems"]:
        fits &= pl.col("code_system").is_in(change["code_systems"]).fill_null(False)
    return fits


def _by_swap(rows: pl.DataFrame, touched: pl.DataFrame) -> pl.DataFrame:
    codes = rows.filter(pl.col("kind") == "code").select(
        "at", activity="source", rises=pl.col("share_after") > pl.col("share_before")
    )
    fallen, risen = codes.filter(~pl.col("rises")), codes.filter("rises")
    pairs = fallen.join(risen, on="activity", suffix="_other").filter(
        (pl.col("at") - pl.col("at_other")).abs() <= SWAP_MONTHS
    )
    near = touched.join(pairs.select("activity", when="at"), on="activity").join(
        rows.select("row", "at"), on="row"
    )
    swapped = near.filter((pl.col("at") - pl.col("when")).abs() <= SWAP_MONTHS).select("row").unique()
    return swapped.with_columns(label=pl.lit("coding"), reason=pl.lit(SWAP))


def _by_covid(rows: pl.DataFrame) -> pl.DataFrame:
    first, last = _months(COVID_MONTHS[0]), _months(COVID_MONTHS[-1]) + 1
    return rows.filter(pl.col("at").is_between(first, last)).select(
        "row", label=pl.lit("covid"), reason=pl.lit("first_lockdown")
    )
