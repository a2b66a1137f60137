"""The gate: what may leave, and how it is protected."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True)
class DisclosurePolicy:
    """How small a number may be."""

    threshold: int = 11


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
        ``numerator``, ``denominator``, ``threshold``, ``filters``, ``study``, ``suppressed``, ``rounded``.
    """

    name: str
    frame: pl.DataFrame
    meta: dict[str, object] = field(default_factory=dict)
