"""The only import of pm4py, and the log under its names.

pm4py is imported inside the functions, since that takes seconds.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import polars as pl

from eventlogs.log import EventLog

if TYPE_CHECKING:
    import pandas as pd

NAMES = {"patient_id": "case:concept:name", "activity": "concept:name", "start": "time:timestamp"}
"""pm4py's names of our columns; the others keep theirs."""


def to_pm4py(log: EventLog) -> pd.DataFrame:
    """Return the events under pm4py's names, in our rank order.

    Parameters
    ----------
    log : EventLog
        Any log.

    Returns
    -------
    pandas.DataFrame
        One row an event: ``case:concept:name``, ``concept:name``, ``time:timestamp`` (our naive times, written as
        UTC as pm4py asks) and the other columns of `eventlogs.log.EVENT_COLUMNS`. pm4py adds columns to frames that it
        is given: each call returns a new frame.
    """
    frame = log.events.with_columns(
        pl.col("start", "end", "known_from", "known_until").dt.replace_time_zone("UTC")
    )
    return frame.rename(NAMES).to_pandas()


def pm4py_module(name: str) -> Any:
    """Return a module of pm4py, imported without its banner."""
    vars(sys)["_pm4py_welcome_shown"] = True
    import pm4py

    return import_module(f"{pm4py.__name__}.{name}")
