"""Until when each source is complete: as ``extract.toml`` states, else derived from what the tables hold."""

from __future__ import annotations

from datetime import date

import polars as pl

from eventlogs.errors import ExtractError
from eventlogs.log import HORIZON_COLUMNS, conform
from eventlogs.snds import schema
from eventlogs.snds.extract import Extract

FEED_LAG_MONTHS = 6
"""Months of flux after which 98 to 99 % of care has arrived (SNDS documentation): sets an unstated horizon of DCIR."""

ANCHORS = {"mco": "T_MCOaaB", "ssr": "T_SSRaaB", "had": "T_HADaaB", "rip": "T_RIPaaRSA"}
"""The table whose years say until when a field of the PMSI is there."""


def horizons(extract: Extract) -> pl.DataFrame:
    """Return until when each source that is there is complete.

    ``dcir``: the last flux month less `FEED_LAG_MONTHS`; ``mco``, ``ssr``, ``had``, ``rip``: the end of the last
    year or cumulative month; ``causes``: the end of the year of the last certificate, since they come by years (about
    two after the deaths); ``beneficiaries``: as ``dcir``, whose flux updates the referentials.

    Returns
    -------
    polars.DataFrame
        `HORIZON_COLUMNS`; ``patient_id`` is null: they hold for everybody.

    Raises
    ------
    ExtractError
        Neither DCIR nor PMSI MCO has a date to go by.
    """
    dcir = extract.cutoff("dcir") or _dcir(extract)
    fields = {
        name: extract.cutoff(name) or _field(extract, table)
        for name, table in ANCHORS.items()
        if extract.has(table)
    }
    found = {
        "dcir": dcir,
        **fields,
        "causes": _causes(extract),
        "beneficiaries": extract.cutoff("beneficiaries") or dcir,
    }
    there = {source: day for source, day in found.items() if day is not None}
    rows = {"patient_id": None, "source": list(there), "observed_until": list(there.values())}
    return conform(pl.DataFrame(rows), HORIZON_COLUMNS, "horizons")


def _dcir(extract: Extract) -> date:
    last = extract.scan(extract.claims).select(
        pl.col("FLX_DIS_DTD").max().dt.month_start().dt.offset_by(f"-{FEED_LAG_MONTHS}mo")
    )
    return _day(last, f"{extract.claims} has no FLX_DIS_DTD at all; give [cutoff] dcir in extract.toml")


def _field(extract: Extract, anchor: str) -> date | None:
    """Return the end of the last period of a field of the PMSI, or of the last discharge where files carry none."""
    if ends := [schema.end_of(period) for period in extract.years(anchor) if period]:
        return max(ends)
    if anchor != ANCHORS["mco"]:
        return None
    last = extract.scan("T_MCOaaC").select(pl.col("SOR_DAT").max())
    return _day(last, "T_MCOaaC has no SOR_DAT at all; give [cutoff] mco in extract.toml")


def _causes(extract: Extract) -> date | None:
    if not extract.has("KI_CCI_R"):
        return None
    year = extract.scan("KI_CCI_R").select(pl.col("BEN_DCD_DTE").max().dt.year()).collect().item()
    return extract.cutoff("causes") or (None if year is None else date(int(year), 12, 31))


def _day(frame: pl.LazyFrame, otherwise: str) -> date:
    value = frame.collect().item()
    if not isinstance(value, date):
        raise ExtractError(otherwise)
    return value
