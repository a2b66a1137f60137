"""The finest map: activities told apart by the code of each event (act, diagnosis, molecule of a medicine).

Events stay the events of the log, in its order; only their names are finer. What a map counts by activity is then the
sum of what it counts by code, which is what lets the gate protect both. `eventlogs.abstraction.at_level` goes further
(one event a code and day, from the source rows): its counts are of other events, and don't add up to these.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from eventlogs.log import EventLog, number
from pathways.definition.objects import Language

MOST_CODES = 20
"""How many codes have a node of their own; the others of an activity share one."""

OTHERS = "*"
OTHERS_LABEL: dict[Language, str] = {"fr": "(autres codes)", "en": "(other codes)"}
BETWEEN = "/"

MOLECULE_COLUMNS: dict[str, Any] = {"code_system": pl.String, "code": pl.String, "atc": pl.String}
"""The molecule (ATC) of each code of a medicine; a frame without rows leaves codes as they are."""


def by_code(
    log: EventLog, molecules: pl.DataFrame, most_codes: int = MOST_CODES
) -> tuple[EventLog, dict[str, str]]:
    """Name each event of a log by its activity and code.

    Parameters
    ----------
    log : EventLog
        A log of activities; an event without a code keeps the name of its activity.
    molecules : polars.DataFrame
        `MOLECULE_COLUMNS`.
    most_codes : int
        Codes of most patients that keep a name of their own.

    Returns
    -------
    EventLog
        The same events, named ``activity/SYSTEM:code``, ``activity/molecule``, or ``activity/*`` for rarer codes.
    dict of str to str
        Activity by name.
    """
    atc = (
        molecules.select("code_system", "code", "atc")
        .drop_nulls()
        .unique(["code_system", "code"], keep="first")
    )
    told = log.events.join(atc, on=["code_system", "code"], how="left", maintain_order="left")
    written = pl.concat_str("code_system", "code", separator=":")
    text = told.select("patient_id", "activity", text=pl.coalesce("atc", written, "code"))
    people = text.drop_nulls().group_by("activity", "text").agg(pl.col("patient_id").n_unique().alias("n"))
    kept = people.sort("n", "activity", "text", descending=[True, False, False]).head(most_codes)
    named = text.join(
        kept.with_columns(own=pl.col("text")), on=["activity", "text"], how="left", maintain_order="left"
    ).select(
        "activity",
        name=pl.when(pl.col("text").is_null())
        .then("activity")
        .otherwise(pl.concat_str("activity", pl.lit(BETWEEN), pl.col("own").fill_null(OTHERS))),
    )
    events = number(log.events.with_columns(activity=named["name"]))
    fine = EventLog(events, log.patients, log.horizons, log.withdrawn.clear(), ())
    return fine, dict(named.unique().select("name", "activity").rows())


def code_of(name: str, language: Language) -> str:
    """Return what a name of `by_code` says after its activity."""
    code = name.rpartition(BETWEEN)[2]
    return OTHERS_LABEL[language] if code == OTHERS else code
