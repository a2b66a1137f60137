"""A cancer as the generator knows it, and what its event makers read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import polars as pl

from . import parameters as p
from .course import Course, Milestones, Profile
from .people import Land, Population

C = TypeVar("C", bound=Course)
C_co = TypeVar("C_co", bound=Course, covariant=True)
Rng = np.random.Generator


@dataclass(frozen=True)
class Lookalike:
    """What a person without the cancer may have: an imaging act, the biopsy, an operation for something benign.

    Each act is `activity` (null: on no list), `code`; the operation adds its principal diagnosis and GHM.
    """

    imaging: tuple[str | None, str]
    biopsy: tuple[str | None, tuple[str, ...]]
    operation: tuple[str | None, str, str, str]
    other_cancer: str


@dataclass(frozen=True)
class Hospital:
    """GHM of stays without a listed act (alive, at death) and of the port; plausible, only their beginning is read."""

    medical_ghm: str
    terminal_ghm: str
    port_ghm: str


@dataclass(frozen=True)
class Cancer(Generic[C]):
    """One cancer: who has it, how its course is drawn, which events come from it.

    Attributes
    ----------
    name : str
        As in `synthesise`.
    diagnosis : tuple of str
        CIM-10 prefixes that put a person in the cohort.
    anchors : tuple of str
        Activities that may be the index: the diagnostic act, then the treatments.
    subtypes : tuple of str
        Names of `Profile.subtype`.
    regimens : tuple of tuple of int
        Days of the sessions of each regimen, from the first.
    near_diagnosis_days : int or None
        An index event lies at most so many days before the first diagnosis; null: any does.
    weekly_regimen : int or None
        The regimen whose sessions from the fourth on are weekly.
    surgeons : tuple of tuple
        Specialties of the surgeon, with their shares.
    draw : callable
        People, land and calendar -> course.
    planned, unplanned : tuple of callable
        Event makers: care that stops with palliative care, and care that doesn't.
    """

    name: str
    diagnosis: tuple[str, ...]
    population: Population
    anchors: tuple[str, ...]
    subtypes: tuple[str, ...]
    regimens: tuple[tuple[int, ...], ...]
    surgeons: tuple[tuple[int, ...], tuple[float, ...]]
    hospital: Hospital
    lookalike: Lookalike
    draw: Callable[[Rng, pl.DataFrame, Land, p.Calendar], C]
    planned: tuple[Callable[[Scene[C]], pl.DataFrame], ...]
    unplanned: tuple[Callable[[Scene[C]], pl.DataFrame], ...]
    weekly_regimen: int | None = None
    near_diagnosis_days: int | None = None


@dataclass(frozen=True)
class Scene(Generic[C_co]):
    """What event makers read."""

    rng: Rng
    people: pl.DataFrame
    cancer: Cancer[Any]
    course: C_co

    @property
    def size(self) -> int:
        """Number of patients."""
        return self.people.height

    @property
    def profile(self) -> Profile:
        """What is true of each patient from the start."""
        return self.course.profile

    @property
    def dates(self) -> Milestones:
        """Milestones of each patient."""
        return self.course.dates
