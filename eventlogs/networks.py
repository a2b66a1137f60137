"""Which network of care follows a patient: the rule of the definition, applied to a log and a table of facilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import polars as pl

from eventlogs.activities import Attribution, NetworkRule
from eventlogs.errors import LogError
from eventlogs.log import EventLog

FINESS_CHARACTERS = 8
"""FINESS numbers have nine digits, or the first eight: these are compared."""

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


def attribute(log: EventLog, rule: NetworkRule, table: pl.DataFrame) -> EventLog:
    """Return the log with ``patients.network`` filled by the rule.

    Parameters
    ----------
    log : EventLog
        Any log; its ``network`` is replaced.
    rule : NetworkRule
        Of the definition.
    table : polars.DataFrame
        ``network`` and ``facility`` (FINESS, 8 or 9 digits), or ``territory`` for a rule by residence: see `read`.

    Returns
    -------
    EventLog
        ``network`` is null for a patient without such an event, and where the table does not have the facility: it is
        not looked for at another one.

    Raises
    ------
    LogError
        The table lacks a column, or gives one facility to two networks.

    Notes
    -----
    Events at one facility are counted once an event. Where two facilities have as many, that of the later event is
    taken; the log's order settles the rest, so that a shuffle of rows changes nothing.
    """
    return replace(log, patients=with_network(log.patients, log.events.lazy(), rule, table))


def with_network(
    patients: pl.DataFrame, events: pl.LazyFrame, rule: NetworkRule, table: pl.DataFrame
) -> pl.DataFrame:
    """Return the patients with their network; `events` need ``patient_id``, ``rank``, ``activity``, ``facility``."""
    key = key_of(rule)
    networks = _checked(table, key)
    place = patients.select("patient_id", "territory") if key == "territory" else facility_of(events, rule)
    found = place.join(networks, on=key, how="left").select("patient_id", "network")
    return (
        patients.drop("network")
        .join(found, on="patient_id", how="left", maintain_order="left")
        .select(patients.columns)
    )


def key_of(rule: NetworkRule) -> str:
    """Return the column of the table that the rule looks up: ``territory`` or ``facility``."""
    return "territory" if rule.by == "territory" else "facility"


def facility_of(events: pl.LazyFrame, rule: NetworkRule) -> pl.DataFrame:
    """Return ``patient_id``, ``facility``: the one that the rule gives each patient with such an event."""
    seen = events.filter(
        pl.col("activity").is_in(list(rule.activities)), pl.col("facility").is_not_null()
    ).select("patient_id", "rank", pl.col("facility").str.head(FINESS_CHARACTERS))
    chosen = _FACILITY[rule.by](seen).unique("patient_id", keep="first", maintain_order=True)
    return chosen.select("patient_id", "facility").collect()


_FACILITY: Mapping[Attribution, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "last_treating_facility": lambda seen: seen.sort("patient_id", "rank", descending=[False, True]),
    "first_treating_facility": lambda seen: seen.sort("patient_id", "rank"),
    "most_frequent_facility": lambda seen: (
        seen.group_by("patient_id", "facility")
        .agg(events=pl.len(), latest=pl.col("rank").max())
        .sort("patient_id", "events", "latest", descending=[False, True, True])
    ),
}


def _checked(table: pl.DataFrame, key: str) -> pl.DataFrame:
    if missing := [name for name in (key, "network") if name not in table.columns]:
        raise LogError(
            f"the table of networks has no column '{missing[0]}'; write two columns, {key};network"
        )
    code = pl.col(key).cast(pl.String).str.strip_chars()
    networks = table.select(
        code.str.head(FINESS_CHARACTERS) if key == "facility" else code, "network"
    ).unique()
    if not (twice := networks.filter(pl.col(key).is_duplicated()).sort(key)).is_empty():
        two = ", ".join(twice["network"].head(2).sort())
        raise LogError(f"the table of networks gives {key} {twice[key][0]} to {two}; keep one")
    return networks


def read(path: Path) -> pl.DataFrame:
    """Read a table of networks: CSV with a header, ``facility;network`` or ``territory;network``, all text.

    Raises
    ------
    LogError
        The file can't be read.
    """
    try:
        return pl.read_csv(path, separator=";", infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise LogError(
            f"{path.name} can't be read; write two columns, facility;network or territory;network"
        ) from error
