"""Groups of patients to compare: by a column, a facility, a date, or any two sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import pairwise

import polars as pl

from eventlogs.activities import Attribution, NetworkRule
from eventlogs.errors import LogError, did_you_mean
from eventlogs.log import EventLog
from eventlogs.networks import facility_of
from eventlogs.strata import deprivation_stratum
from pathways.mining.funnels import AGE_BANDS, age_band

AGE_NAMES = (
    f"<{AGE_BANDS[0]}",
    *(f"{low}-{high - 1}" for low, high in pairwise(AGE_BANDS)),
    f"{AGE_BANDS[-1]}+",
)
"""Names of the age bands, by number."""

OTHERS = "others"
"""Who is in none of the named groups, where they are compared as one."""


@dataclass(frozen=True)
class Groups:
    """Who is in which group, one group a patient.

    Parameters
    ----------
    of : polars.DataFrame
        ``patient_id``, ``group``: one row a patient in a group.
    by : str
        What the groups are, in words.
    n_neither : int
        Patients with events and in no group: no value for the column, no such facility, in neither set.
    n_both : int
        Patients of two sets: left out of both, for they would be compared with themselves.
    column : str
        The column that the groups are, where they are one: nothing can be standardised on it.
    """

    of: pl.DataFrame = field(repr=False)
    by: str
    n_neither: int = 0
    n_both: int = 0
    column: str = ""

    @property
    def names(self) -> list[str]:
        """Names of the groups, by name."""
        return self.of["group"].unique().sort().to_list()

    def against_others(self, name: str, log: EventLog) -> Groups:
        """Return two groups: this one, and every other patient with events.

        Raises
        ------
        LogError
            There is no such group.
        """
        if name not in self.names:
            raise LogError(f"there is no group '{name}' by {self.by}{did_you_mean(name, self.names)}")
        group = pl.when(pl.col("group") == name).then(pl.lit(name)).otherwise(pl.lit(OTHERS))
        everybody = _with_events(log).join(self.of, on="patient_id", how="left", maintain_order="left")
        sides = everybody.with_columns(group=group.fill_null(OTHERS))
        return Groups(sides, f"{self.by} {name}", column=self.column)


COLUMNS: Mapping[str, Callable[[], pl.Expr]] = {
    "territory": lambda: pl.col("territory"),
    "deprivation": deprivation_stratum,
    "sex": lambda: pl.col("sex"),
    "network": lambda: pl.col("network"),
    "index_year": lambda: pl.col("index_date").dt.year().cast(pl.String),
    "age_band": lambda: age_band().replace_strict(
        range(len(AGE_NAMES)), AGE_NAMES, default=None, return_dtype=pl.String
    ),
}
"""What `by_column` groups by, as expressions on the patients table."""


def by_column(log: EventLog, column: str) -> Groups:
    """Group patients by what their table says of them.

    Parameters
    ----------
    log : EventLog
        The log.
    column : {'territory', 'deprivation', 'sex', 'network', 'index_year', 'age_band'}
        Residence, FDep quintile (``1`` to ``5``, ``overseas``, ``unknown``), sex, network, year and age band at index.

    Raises
    ------
    LogError
        The column is not one of these, or no patient has a value.
    """
    if column not in COLUMNS:
        raise LogError(f"patients can't be grouped by '{column}'{did_you_mean(column, COLUMNS)}")
    found = _grouped(log, log.patients.select("patient_id", group=COLUMNS[column]()), column)
    return replace(found, column=column)


def by_facility(
    log: EventLog, activities: Iterable[str], rule: Attribution = "first_treating_facility"
) -> Groups:
    """Group patients by a facility that treated them, as networks are attributed.

    Parameters
    ----------
    log : EventLog
        The log.
    activities : iterable of str
        Events whose facility counts.
    rule : {'first_treating_facility', 'last_treating_facility', 'most_frequent_facility'}
        Which facility, where there are several (see `eventlogs.networks`).

    Raises
    ------
    LogError
        No event of these activities names a facility.
    """
    found = facility_of(log.events.lazy(), NetworkRule(rule, tuple(activities)))
    return _grouped(log, found.rename({"facility": "group"}), "facility")


def by_period(log: EventLog, day: date) -> Groups:
    """Group patients by their index date: before a day (``< 2020-06-01``), or since it (``≥ 2020-06-01``).

    Raises
    ------
    LogError
        No patient has an index date.
    """
    side = pl.when(pl.col("index_date") < day).then(pl.lit(f"< {day}")).otherwise(pl.lit(f"≥ {day}"))
    dated = log.patients.filter(pl.col("index_date").is_not_null())
    return _grouped(log, dated.select("patient_id", group=side), "index_date")


def by_sets(log: EventLog, a: Iterable[str], b: Iterable[str], names: tuple[str, str] = ("A", "B")) -> Groups:
    """Group patients by two sets of identifiers; who is in both is in none.

    Parameters
    ----------
    log : EventLog
        The log.
    a, b : iterable of str
        ``patient_id`` of each set.
    names : (str, str)
        Of the groups.

    Raises
    ------
    LogError
        One set holds the other: a group would be empty.
    """
    first, second = set(a), set(b)
    both = first & second
    if both in (first, second) and both:
        part, whole = names if both == first else names[::-1]
        raise LogError(
            f"every patient of {part} is in {whole} too, and who is in both is in none; choose groups that differ"
        )
    rows = {
        "patient_id": [*first - both, *second - both],
        "group": [names[0]] * len(first - both) + [names[1]] * len(second - both),
    }
    seen = _with_events(log)
    counted = seen.filter(pl.col("patient_id").is_in(pl.Series(list(both), dtype=pl.String).implode())).height
    frame = pl.DataFrame(rows, schema={"patient_id": pl.String, "group": pl.String})
    grouped = _grouped(log, frame, f"{names[0]} or {names[1]}")
    return Groups(grouped.of, grouped.by, grouped.n_neither - counted, counted)


def _with_events(log: EventLog) -> pl.DataFrame:
    return log.events.filter(pl.col("rank") == 0).select("patient_id")


def _grouped(log: EventLog, frame: pl.DataFrame, by: str) -> Groups:
    """Keep the patients with events and a group."""
    seen = _with_events(log)
    known = seen.join(frame.drop_nulls("group"), on="patient_id", how="inner", maintain_order="left")
    if known.is_empty() and not seen.is_empty():
        raise LogError(f"no patient has a group by {by}; group by something that the log tells")
    return Groups(known, by, n_neither=seen.height - known.height)
