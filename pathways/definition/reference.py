"""The reference pathway: what is expected of a patient, as rules with a window, a grade of evidence and a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

RuleKind = Literal["existence", "response", "precedence", "absence", "alternatives"]
Evidence = Literal["guideline", "consensus", "cohort", "operational", "none"]


@dataclass(frozen=True)
class Condition:
    """Whom a rule concerns, by what they had around the anchor.

    Parameters
    ----------
    having, lacking : tuple of str
        Activities or phases: one of `having` was seen, and none of `lacking`.
    lookback_days : int or None
        How far before the anchor; None: as far as the log goes.
    within_days : int or None
        How far after the anchor; None: only what comes before it in the log's order.
    """

    having: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    lookback_days: int | None = None
    within_days: int | None = None


@dataclass(frozen=True)
class Excuse:
    """A justified deviation: a violation is excused where one of `steps` was seen in the excuse's own window.

    Parameters
    ----------
    steps : tuple of str
        Activities or phases.
    lookback_days, from_days : int
        The window opens so many days before the anchor, or after it.
    within_days : int or None
        It closes so many days after the anchor; None: when the rule's own window does.
    """

    id: str
    label: Mapping[str, str]
    steps: tuple[str, ...]
    source: str
    lookback_days: int = 0
    from_days: int = 0
    within_days: int | None = None


@dataclass(frozen=True)
class ReferenceRule:
    """One expectation of the reference pathway. Operational unless its source says otherwise.

    Parameters
    ----------
    kind : {'existence', 'response', 'precedence', 'absence', 'alternatives'}
        *existence*: a step around the anchor; *response*: a step after it; *precedence*: a step before it; *absence*:
        no step after it; *alternatives*: one whole option after it.
    label, violation : mapping of str to str
        What is expected, and what was seen instead, by language, without the window: words add it.
    anchor : tuple of str
        Activities or phases, the first one seen counts; empty: the index date.
    steps : tuple of str
        Activities or phases: any of them is the step.
    options : tuple of tuple of str
        For alternatives: in an option each word must be seen; one option is enough.
    restarts : tuple of str
        For a response: activities or phases that move the anchor when they come before the step, in time.
    lookback_days : int
        Days before the anchor in which the window opens (existence, precedence).
    from_days : int
        Days after the anchor in which it opens.
    within_days : int or None
        Days after the anchor in which it closes; None for an absence: never.
    exits : tuple of str
        Activities or phases from which on nothing is expected; death always is one.
    """

    id: str
    kind: RuleKind
    label: Mapping[str, str]
    violation: Mapping[str, str]
    exits: tuple[str, ...]
    evidence: str
    source: str
    anchor: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    options: tuple[tuple[str, ...], ...] = ()
    restarts: tuple[str, ...] = ()
    lookback_days: int = 0
    from_days: int = 0
    within_days: int | None = None
    applies_if: Condition | None = None
    excused_by: Mapping[str, Excuse] = field(default_factory=dict)

    def words(self) -> dict[str, tuple[str, ...]]:
        """Return the activities and phases that the rule names, by the key that does."""
        condition = self.applies_if or Condition()
        return {
            "anchor": self.anchor,
            "steps": self.steps,
            "options": tuple(word for option in self.options for word in option),
            "restarts": self.restarts,
            "exits": self.exits,
            "applies_if.having": condition.having,
            "applies_if.lacking": condition.lacking,
            **{f"excused_by.{name}.steps": excuse.steps for name, excuse in self.excused_by.items()},
        }


@dataclass(frozen=True)
class ReferencePathway:
    """The rules of a pathway, by id, in their order."""

    rules: Mapping[str, ReferenceRule] = field(default_factory=dict)

    def __iter__(self) -> Iterator[ReferenceRule]:
        return iter(self.rules.values())

    def __len__(self) -> int:
        return len(self.rules)

    def __getitem__(self, rule: str) -> ReferenceRule:
        return self.rules[rule]
