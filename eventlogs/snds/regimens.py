"""K2: what can be said of chemotherapy whose molecules are inside the price of the stay: little, from spacing.

Generic molecules (paclitaxel, docetaxel, fluorouracil, oxaliplatin) are paid by the GHS and leave no code. The
spacing of sessions suggests a regimen of breast cancer (ehrpop 0.0.9: every 7 days weekly paclitaxel; three times 14
days, then 7, anthracycline then paclitaxel; 21 then 7 likewise; all 21, anthracycline or docetaxel). It is a guess, of
low confidence, and off by default (the switch ``infer_regimens``).
"""

from __future__ import annotations

from typing import Any

import polars as pl

from eventlogs.log import TIME

CHEMOTHERAPY = "^(28Z07Z|28Z17Z|Z511)"
"""Codes of a chemotherapy session: GHM 28Z07Z, 28Z17Z, or principal diagnosis Z51.1."""

HOME_CHEMOTHERAPY = ("05",)
"""Main mode of care (PEC) of chemotherapy at home."""

STAY = ["person", "table_year", "establishment", "stay"]

COURSE_GAP_DAYS = 42
"""Two planned intervals of 21 days without a session end a course (this package's choice)."""

TOLERANCE_DAYS = 2
"""Sessions shift around week-ends and holidays (this package's choice)."""

SPACINGS = {"W": 7, "F": 14, "T": 21}
"""Letters of the spacing: a week, a fortnight, three weeks; anything else is X."""

PATTERNS = {
    "^W{3,}$": "weekly_paclitaxel",
    "^F{3}[FT]?W{2,}$": "anthracycline_then_paclitaxel",
    "^T{2,3}W{2,}$": "anthracycline_then_paclitaxel",
    "^T{2,}$": "anthracycline_or_docetaxel",
}
"""Spacing of a whole course → what it suggests; no other spacing suggests anything."""

REGIMEN_COLUMNS: dict[str, Any] = {
    "patient_id": pl.String,
    "start": TIME,
    "end": TIME,
    "n_sessions": pl.Int64,
    "spacing": pl.String,
    "regimen": pl.String,
    "confidence": pl.String,
}
"""Columns of the regimens: a course a row; ``regimen`` is null where the spacing suggests none."""


def sessions(events: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the chemotherapy sessions: ``patient_id``, ``start``, and whether a molecule is told.

    A molecule is told by a drug of the same day or of a stay of that day.

    Parameters
    ----------
    events : polars.DataFrame
        Events of the members, with ``person`` and ``patient_id``.
    rows : polars.DataFrame
        Dated rows.
    """
    home = (pl.col("code_system") == "PEC") & pl.col("code").is_in(list(HOME_CHEMOTHERAPY))
    found = events.filter(pl.col("code").str.contains(CHEMOTHERAPY) | home)
    days = [rows.filter(_is_drug()).select("person", "start"), _days_of_stays_with_drugs(rows)]
    told = pl.concat(days).unique().with_columns(molecule=pl.lit(True))
    joined = (
        found.select("person", "patient_id", "start").unique().join(told, on=["person", "start"], how="left")
    )
    return joined.select("patient_id", "start", pl.col("molecule").fill_null(False)).sort(
        "patient_id", "start"
    )


def _is_drug() -> pl.Expr:
    return pl.col("atc").is_not_null() | pl.col("code_system").is_in(["UCD", "CIP13"]).fill_null(False)


def _days_of_stays_with_drugs(rows: pl.DataFrame) -> pl.DataFrame:
    of_stays = rows.filter(pl.col("stay").is_not_null())
    return of_stays.join(of_stays.filter(_is_drug()), on=STAY, how="semi", nulls_equal=True).select(
        "person", "start"
    )


def infer(sessions: pl.DataFrame) -> pl.DataFrame:
    """Name a regimen from the spacing of the sessions of each course, with low confidence.

    Parameters
    ----------
    sessions : polars.DataFrame
        ``patient_id``, ``start``.

    Returns
    -------
    polars.DataFrame
        `REGIMEN_COLUMNS`: ``spacing`` has a letter an interval (`SPACINGS`), ``confidence`` is ``low``.
    """
    ordered = sessions.sort("patient_id", "start")
    interval = pl.col("start").diff().dt.total_days().over("patient_id")
    opens = (interval.is_null() | (interval > COURSE_GAP_DAYS)).cum_sum()
    letters = ordered.with_columns(
        course=opens, letter=pl.when(interval <= COURSE_GAP_DAYS).then(_letter(interval))
    )
    courses = letters.group_by("patient_id", "course", maintain_order=True).agg(
        start=pl.col("start").min(),
        end=pl.col("start").max(),
        n_sessions=pl.len(),
        spacing=pl.col("letter").drop_nulls().str.join(""),
    )
    suggested = [
        pl.when(pl.col("spacing").str.contains(form)).then(pl.lit(name)) for form, name in PATTERNS.items()
    ]
    named = courses.with_columns(regimen=pl.coalesce(suggested), confidence=pl.lit("low"))
    return named.select(pl.col(name).cast(dtype) for name, dtype in REGIMEN_COLUMNS.items())


def _letter(interval: pl.Expr) -> pl.Expr:
    near = [
        pl.when((interval - days).abs() <= TOLERANCE_DAYS).then(pl.lit(letter))
        for letter, days in SPACINGS.items()
    ]
    return pl.coalesce(*near, pl.lit("X"))
