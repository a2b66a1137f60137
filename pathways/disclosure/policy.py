"""How small a number may be, and the form of what passed the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from eventlogs.errors import DisclosureRefused
from pathways.filters import NO_FILTER


@dataclass(frozen=True)
class DisclosurePolicy:
    """How small a number may be.

    Parameters
    ----------
    threshold : int
        Least number of patients behind a number, least span of a hidden one. 11 or more.
    event_rounding : int
        The total of events is said to a multiple of this.

    Raises
    ------
    DisclosureRefused
        A threshold below 11.
    """

    threshold: int = 11
    event_rounding: int = 100

    def __post_init__(self) -> None:
        if self.threshold < 11:
            raise DisclosureRefused(f"a threshold of {self.threshold} is below 11; give 11 or more")

    def is_small(self, count: pl.Expr) -> pl.Expr:
        """Say of a count of patients that it concerns somebody and too few."""
        return count.is_between(1, self.threshold - 1)


@dataclass(frozen=True)
class Released:
    """A table that passed the gate.

    Parameters
    ----------
    name : str
        Name of the table.
    frame : polars.DataFrame
        What may be shown.
    meta : dict
        ``numerator``, ``denominator``, ``threshold``, ``filters``, ``filter_hash``, ``study``, ``suppressed``,
        ``rounded``; of a study's, ``ties``: how the events of a day were read.
    """

    name: str
    frame: pl.DataFrame
    meta: dict[str, object] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Released({self.name!r}: {self.frame.height} rows, {self.meta.get('suppressed', 0)} cells hidden)"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.frame._repr_html_()}"


@dataclass(frozen=True)
class Origin:
    """Where a release comes from: the study's hash, the filters in words, the hash of their stack; for the meta."""

    study: str = ""
    filters: tuple[str, ...] = ()
    filter_hash: str = NO_FILTER


POLICY = DisclosurePolicy()
UNFILTERED = Origin()


def released_table(
    name: str, frame: pl.DataFrame, policy: DisclosurePolicy, origin: Origin, **words: object
) -> Released:
    meta: dict[str, object] = {
        "numerator": words["numerator"],
        "denominator": words["denominator"],
        "threshold": policy.threshold,
        "filters": list(origin.filters),
        "filter_hash": origin.filter_hash,
        "study": origin.study,
        "suppressed": words["suppressed"],
        "rounded": words["rounded"],
    }
    return Released(name, frame, meta)


def check_enough(n_patients: int, policy: DisclosurePolicy) -> None:
    if n_patients < policy.threshold:
        raise DisclosureRefused(
            f"there are fewer than {policy.threshold} patients; nothing of them can be released, widen the selection"
        )


def conform(frame: pl.DataFrame, columns: Mapping[str, Any]) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in columns.items())
