"""Code lists → activities: what a definition asks of the tables, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

CODE_SYSTEMS = ("CCAM", "GHM", "DP", "CIM10", "ATC", "CIP13", "UCD", "PRS_NAT")
"""What a code list may be written in.

``DP``: principal diagnosis of a stay; ``CIM10``: diagnosis in any position of a stay; ``PRS_NAT``: nature of
service, with the specialties that perform it. ``ATC`` is translated to ``CIP13`` by the medicines table.
"""

DERIVED = ("death", "stay_without_other_event")
"""Activities that no code names: they are derived from several tables."""

CODE_COLUMNS = {
    "code_system": pl.String,
    "code": pl.String,
    "specialty": pl.Int32,
    "activity": pl.String,
}


@dataclass(frozen=True)
class ActivityRules:
    """What the build needs to know of a pathway definition.

    Parameters
    ----------
    codes : polars.DataFrame
        ``code_system`` (one of `CODE_SYSTEMS`), ``code``, ``specialty`` (null: any), ``activity``.
    derived : mapping of str to str
        Rule (one of `DERIVED`) → activity.
    diagnosis : tuple of str
        CIM-10 prefixes of the cohort; empty: no diagnosis is asked for.
    index_activities : tuple of str
        The first of these is the index event; empty: the first event is.
    lookback_days : int or None
        Events earlier than this before the index are left out; None keeps all.
    within_day : tuple of str
        Order of activities inside a day.
    """

    codes: pl.DataFrame = field(repr=False)
    derived: dict[str, str]
    diagnosis: tuple[str, ...]
    index_activities: tuple[str, ...]
    lookback_days: int | None
    within_day: tuple[str, ...]

    def of_system(self, *systems: str) -> pl.DataFrame:
        """Return the codes of these systems: ``code``, ``specialty``, ``activity``."""
        return self.codes.filter(pl.col("code_system").is_in(systems)).drop("code_system")
