"""Milestones -> true events, each with what a claim would hold: code, centre, stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from .course import Course
from .people import Ints
from .scene import Scene

EVENT_SCHEMA: dict[str, type[pl.DataType]] = {
    "person": pl.Int64,
    "activity": pl.String,
    "day": pl.Int64,
    "code": pl.String,
    "code_system": pl.String,
    "facility": pl.Int64,
    "quantity": pl.Int64,
    "nature": pl.Int64,
    "specialty": pl.Int64,
    "supplement": pl.String,
    "lost": pl.String,
    "hospital_act": pl.Boolean,
    "stay": pl.Int64,
    "entry": pl.Int64,
    "exit": pl.Int64,
    "ghm": pl.String,
    "dp": pl.String,
    "dr": pl.String,
    "das": pl.String,
    "external": pl.Boolean,
    "field": pl.String,
}
"""Columns of a true event.

`nature` is set where ER_PRS_F has a line, `stay` where PMSI has a stay, `hospital_act` where the stay codes the act; an
event with none of these that is not `external` is `lost` to the tables, and says why. A null `activity` is care that is
not on the list.

`external` is true for care given at `facility` outside any stay of a public hospital: external-care tables report it,
by its `code_system` (NGAP with `specialty`, CCAM, NABM, UCD), and DCIR has no line of it. `field` says which PMSI the
stay belongs to: ``mco`` (null means this too), ``had``, ``ssr`` or ``rip``. `code_system` is one of:

=========  ===============================================================================================
CCAM       an act; in the stay where `hospital_act`
GHM        a séance
CIM10      the principal or any diagnosis of the stay names the event
PRS_NAT    a service known by its nature and specialty
CIP13      a dispensing in a pharmacy; `quantity` is in boxes
UCD        a hospital drug, 13 characters: with a `stay`, given in it (MED of a public centre, FH of a private one);
           with a `nature`, a line of ER_UCD_F; both for a private stay
NABM       biology: ER_BIO_F, or external care
LPP        a device: ER_TIP_F
NGAP       an act of external care (ACT_COD)
PEC        main mode of care of a home hospitalisation
=========  ===============================================================================================
"""

STAY_KINDS = (
    "surgery", "axilla", "port", "chemo", "chemo_group", "metastatic", "planning", "radiotherapy", "reconstruction",
    "hospital", "other", "palliative", "terminal", "bystander", "bystander_chemo", "infusion", "home", "rehabilitation",
    "biopsy", "stoma", "brachytherapy",
)  # fmt: skip


def emit(person: Ints, day: Ints, **columns: Any) -> pl.DataFrame:
    """Events of `person` on `day`; other columns may be one value or one for each event."""
    base = pl.DataFrame({"person": person, "day": day}, schema={"person": pl.Int64, "day": pl.Int64})
    values = [
        (value if isinstance(value, pl.Series) else pl.Series(value)).alias(name).cast(EVENT_SCHEMA[name])
        if isinstance(value, (pl.Series, np.ndarray))
        else pl.lit(value, dtype=EVENT_SCHEMA[name]).alias(name)
        for name, value in columns.items()
    ]
    return base.with_columns(values)


def pick(
    rng: np.random.Generator, values: Sequence[Any], size: int, shares: Sequence[float] | None = None
) -> pl.Series:
    """Draw `size` values."""
    return pl.Series(list(values))[rng.choice(len(values), size, p=shares)]


def stay_key(kind: str, person: Ints, ordinal: Ints | int = 0) -> Ints:
    """A number for each stay, different for every kind, person and ordinal (below 1024)."""
    return np.int64(STAY_KINDS.index(kind)) * 2**40 + person * 2**10 + ordinal


def spread(counts: Ints) -> tuple[Ints, Ints]:
    """Row and rank of each item when row i has counts[i] items."""
    rows = np.repeat(np.arange(counts.size), counts)
    return rows, np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)


def weekday(day: Ints) -> Ints:
    """0 for Monday."""
    return (day + 3) % 7


def working_day(start: Ints, rank: Ints) -> Ints:
    """Day of the `rank`-th session of a course, Monday to Friday; the first is on `start`, whatever its day."""
    position = np.minimum(weekday(start), 4) + rank
    return np.where(rank == 0, start, start - weekday(start) + 7 * (position // 5) + position % 5)


def until(events: pl.DataFrame, limit: Ints) -> pl.DataFrame:
    """Keep the events that happen on or before each person's `limit`."""
    return events.filter(events["day"].to_numpy() <= limit[events["person"].to_numpy()])


def true_events(scene: Scene[Course]) -> pl.DataFrame:
    """All events of the patients, in the columns of `EVENT_SCHEMA`; stays are clipped at death."""
    dates, cancer = scene.dates, scene.cancer
    planned = until(_gather(scene, cancer.planned), np.minimum(dates.leaves, dates.end))
    kept = pl.concat([planned, until(_gather(scene, cancer.unplanned), dates.end)])
    death = pl.Series(dates.death)[kept["person"]]
    return kept.with_columns(exit=pl.min_horizontal("exit", death))


def _gather(scene: Scene[Course], makers: Sequence[Callable[[Any], pl.DataFrame]]) -> pl.DataFrame:
    empty = pl.DataFrame(schema=EVENT_SCHEMA)
    return pl.concat([empty, *(maker(scene) for maker in makers)], how="diagonal")
