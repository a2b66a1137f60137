"""The traps of the SNDS, as data (``traps.toml``): each with its rule, its switches and the name of its count."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

Unit = Literal["lines", "stays", "rows", "events", "patients", "codes"]


@dataclass(frozen=True)
class Trap:
    """One trap.

    Parameters
    ----------
    number : int
        As in the reference page.
    id : str
        Name, in specs, counts and synthetic extracts.
    words : str
        What a careless reading gets wrong, and what is done instead.
    unit : Unit
        What its count counts.
    source : str
        Where the rule comes from.
    switches : tuple of str
        Fields of `practice.Practice` that change the rule, where practice differs.
    """

    number: int
    id: str
    words: str
    unit: Unit
    source: str
    switches: tuple[str, ...] = ()

    @property
    def count(self) -> str:
        """Key of the trap among the counts of a build."""
        return f"trap.{self.id}"


def _read() -> dict[str, Trap]:
    document = tomllib.loads((files("eventlogs.snds") / "traps.toml").read_text(encoding="utf-8"))
    return {
        name: Trap(id=name, switches=tuple(entry.pop("switches", ())), **entry)
        for name, entry in document.items()
    }


TRAPS = _read()
"""All traps by id, in the order of their numbers."""
