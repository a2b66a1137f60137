"""What a definition holds: frozen objects, validated by the reading of their TOML."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from eventlogs.activities import CODE_COLUMNS, ActivityRules, CohortRules, EraRule, NetworkRule
from eventlogs.practice import Practice
from pathways.definition.reference import ReferencePathway

Kind = Literal["late_step", "missed_step", "interruption"]
Language = Literal["fr", "en"]
Role = Literal["treatment", "diagnostic"]


@dataclass(frozen=True)
class Activity:
    """One activity: its names, its phase, its role, and the codes or the rule that make it.

    ``role`` says what the activity is for the index: a *treatment* of the disease, or the *diagnostic* act
    (biopsy, endoscopy) that finds it.
    """

    id: str
    label: Mapping[str, str]
    phase: str
    codes: Mapping[str, tuple[str, ...]]
    specialties: tuple[int, ...]
    derived: str | None
    source: str
    role: Role | None = None


@dataclass(frozen=True)
class Era:
    """How events are merged at a coarser level, with its names."""

    label: Mapping[str, str]
    rule: EraRule


@dataclass(frozen=True)
class BreakdownDefinition:
    """A care breakdown (rupture de parcours) that can be computed and contested. Operational, not official.

    Parameters
    ----------
    kind : {'late_step', 'missed_step', 'interruption'}
        *late_step*: the expected step does not come within the window, whether it comes later or never.
        *missed_step*: no expected step between ``from_days`` and the end of the window.
        *interruption*: a repeated step stops for longer than ``permissible_gap_days`` after its supply ends.
    trigger : tuple of str
        Activities that open the expectation; the first one seen does.
    restarts : tuple of str
        Activities that restart the clock when they come before the deadline (each chemotherapy session).
    expected : tuple of str
        Activities that keep the expectation.
    from_days, within_days, grace_days : int
        Days after the trigger: earliest day that counts, end of the window, days tolerated beyond it.
    permissible_gap_days, supply_days, planned_days : int or None
        For interruptions: gap tolerated after the end of supply; days that one unit of ``quantity`` supplies;
        planned duration since the first, after which a stop is planned.
    exits : tuple of str
        Activities that excuse: from then on nothing is expected.
    """

    id: str
    kind: Kind
    label: Mapping[str, str]
    step: Mapping[str, str]
    trigger: tuple[str, ...]
    expected: tuple[str, ...]
    exits: tuple[str, ...]
    evidence: str
    source: str
    restarts: tuple[str, ...] = ()
    from_days: int = 0
    within_days: int = 0
    grace_days: int = 0
    permissible_gap_days: int | None = None
    supply_days: int | None = None
    planned_days: int | None = None


@dataclass(frozen=True)
class RiskSettings:
    """How the risk is learnt: days ahead, days between landmarks, list size; with their source."""

    horizon_days: int = 180
    landmark_every_days: int = 90
    capacity: int = 50
    source: str = "operational default of care-pathways"


@dataclass(frozen=True)
class Pathway:
    """A whole definition: cohort, activities at three levels, order inside a day, eras, expectations, settings.

    ``milestones`` are the phases whose sequence tells a pathway in short (its treatments, say). ``text`` is the
    definition as one TOML document that stands alone, what it extends included.
    """

    id: str
    version: str
    label: Mapping[str, str]
    cohort: CohortRules
    phases: Mapping[str, Mapping[str, str]]
    milestones: tuple[str, ...]
    activities: Mapping[str, Activity]
    within_day: tuple[str, ...]
    eras: Mapping[str, Era]
    breakdowns: Mapping[str, BreakdownDefinition]
    risk: RiskSettings
    practice: Practice
    network: NetworkRule | None
    reference: ReferencePathway
    text: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """Fingerprint of the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def rules(self) -> ActivityRules:
        """Return what the build needs."""
        return ActivityRules(
            codes=_code_table(self.activities.values()),
            derived={a.derived: a.id for a in self.activities.values() if a.derived},
            cohort=self.cohort,
            within_day=self.within_day,
            eras=tuple(era.rule for era in self.eras.values()),
            practice=self.practice,
        )

    def activities_of(self, words: Iterable[str]) -> tuple[str, ...]:
        """Return activities: a phase among `words` gives its own, unless an activity has its name."""
        members: dict[str, list[str]] = {}
        for name, phase in self.phase_of().items():
            members.setdefault(phase, []).append(name)
        found = [[word] if word in self.activities else members.get(word, [word]) for word in words]
        return tuple(dict.fromkeys(name for group in found for name in group))

    def phase_of(self) -> dict[str, str]:
        """Return phase by activity."""
        return {activity.id: activity.phase for activity in self.activities.values()}

    def name(self, word: str, language: Language = "fr") -> str:
        """Return the label of an activity, a phase or an era; any other word is returned as it is."""
        labels = {
            **self.phases,
            **{id_: era.label for id_, era in self.eras.items()},
            **{id_: activity.label for id_, activity in self.activities.items()},
        }
        return labels[word][language] if word in labels else word


def _code_table(activities: Iterable[Activity]) -> pl.DataFrame:
    rows = [
        (system, code, specialty, activity.id)
        for activity in activities
        for system, codes in activity.codes.items()
        for code in codes
        for specialty in (activity.specialties if system in ("PRS_NAT", "NGAP") else ()) or (None,)
    ]
    return pl.DataFrame(rows, schema=CODE_COLUMNS, orient="row")
