"""K2: since when each patient is observed, and what ended it."""

from __future__ import annotations

from datetime import date

import polars as pl

from eventlogs.activities import PALLIATIVE, CohortRules
from eventlogs.log import HORIZON_COLUMNS, conform

LAG_DAYS = 183
"""Days until a claim is known: 98 to 99 % of care has arrived after six months of flux (SNDS documentation)."""

LEFT_SILENT = ("scheme_exit", "abroad")
"""Exits after which silence can't be read, for nothing would be seen: the patient's own horizon."""

EXIT = {"person": pl.Int64, "exit_date": pl.Date, "exit_reason": pl.String, "exit_known_from": pl.Date}


def care(rows: pl.DataFrame) -> pl.DataFrame:
    """Return ``person``, ``first_care``, ``last_care``: the first and last day of care of any kind.

    Parameters
    ----------
    rows : polars.DataFrame
        Dated rows; those of kind *presence* and *abroad* tell of care that the definition does not name. Without
        them it is the care that the definition names.
    """
    seen = rows.filter(~pl.col("kind").is_in(["diagnosis", "death"]))
    return seen.group_by("person").agg(
        first_care=pl.col("start").min(),
        last_care=pl.max_horizontal(pl.col("start").max(), pl.col("until").max()),
    )


def exits(
    members: pl.DataFrame,
    rows: pl.DataFrame,
    events: pl.DataFrame,
    rules: CohortRules,
    seen_until: date | None,
) -> pl.DataFrame:
    """Return ``person``, ``exit_date``, ``exit_reason``, ``exit_known_from``: the first exit of each who left.

    Parameters
    ----------
    members : polars.DataFrame
        With ``person``, ``index_date``, ``last_care``, ``death_date``, ``death_known_from``.
    rows : polars.DataFrame
        Dated rows.
    events : polars.DataFrame
        Events of the members.
    rules : CohortRules
        ``exits`` names those that count; an exit before the index is none.
    seen_until : datetime.date or None
        Until when claims are complete; None: silence can't be told from what is still to come.
    """
    found = {
        "death": _dead(members),
        "palliative_care": _palliative(events),
        "scheme_exit": _silent(members, rows, rules.silence_days, seen_until),
        "abroad": _abroad(rows),
    }
    named = [
        found[reason].with_columns(exit_reason=pl.lit(reason)).select(list(EXIT)) for reason in rules.exits
    ]
    after = (
        pl.concat([pl.DataFrame(schema=EXIT), *named])
        .join(members.select("person", "index_date"), on="person")
        .filter(pl.col("exit_date") >= pl.col("index_date"))
    )
    return (
        after.sort("person", "exit_date", "exit_reason")
        .group_by("person", maintain_order=True)
        .first()
        .select(list(EXIT))
    )


def _dead(members: pl.DataFrame) -> pl.DataFrame:
    dead = members.filter(pl.col("death_date").is_not_null())
    return dead.select("person", exit_date="death_date", exit_known_from="death_known_from")


def _palliative(events: pl.DataFrame) -> pl.DataFrame:
    first = events.filter(pl.col("activity") == PALLIATIVE, pl.col("start") >= pl.col("index_date"))
    return first.group_by("person").agg(
        exit_date=pl.col("start").min(), exit_known_from=pl.col("known_from").min()
    )


def _silent(
    members: pl.DataFrame, rows: pl.DataFrame, silence_days: int, seen_until: date | None
) -> pl.DataFrame:
    """Return the living without care of any kind for so long before the horizon, on the day of their last care.

    A proxy, since claims don't say who left the scheme. It needs the rows of presence of the claims: without them
    silence may be care that the definition does not name.
    """
    present = (
        rows.filter(pl.col("kind").is_in(["presence", "abroad"]), _of_claims()).select("person").unique()
    )
    silence = pl.duration(days=silence_days)
    left = members.join(present, on="person", how="semi").filter(
        pl.col("death_date").is_null(), pl.col("last_care") + silence < pl.lit(seen_until, dtype=pl.Date)
    )
    known = pl.col("last_care") + silence + pl.duration(days=LAG_DAYS)
    return left.select("person", exit_date="last_care", exit_known_from=known)


def _abroad(rows: pl.DataFrame) -> pl.DataFrame:
    """Return those whose last claims are of a resident abroad, on the first such day after all those in France.

    A hospital does not say where its patients live. Where claims of both residences cross, it is the last day.
    """
    at_home = rows.filter(pl.col("kind") == "presence", _of_claims())
    last = at_home.group_by("person").agg(last=pl.col("until").max())
    gone = rows.filter(pl.col("kind") == "abroad").join(last, on="person", how="left")
    after = gone.filter(pl.col("last").is_null() | (pl.col("until") > pl.col("last")))
    began = pl.col("last").is_null() | (pl.col("start") > pl.col("last"))
    day = pl.when(began).then("start").otherwise("until")
    return (
        after.group_by("person")
        .agg(exit_date=day.min())
        .with_columns(exit_known_from=pl.col("exit_date") + pl.duration(days=LAG_DAYS))
    )


def _of_claims() -> pl.Expr:
    return pl.col("source").str.contains("^(ER|NS)_")


def own_horizons(patients: pl.DataFrame) -> pl.DataFrame:
    """Return the horizons of those who left the scheme or the country: `log.HORIZON_COLUMNS`.

    Death and palliative care are no horizon: they excuse what is expected, which a horizon would leave undecided.

    Parameters
    ----------
    patients : polars.DataFrame
        `log.PATIENT_COLUMNS`.
    """
    left = patients.filter(pl.col("exit_reason").is_in(LEFT_SILENT))
    return conform(
        left.select("patient_id", source=pl.lit("all"), observed_until="exit_date"),
        HORIZON_COLUMNS,
        "horizons",
    )
