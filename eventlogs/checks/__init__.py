"""The quality checks, as data: each a small function with its category, unit, severity and threshold.

Thresholds are operational defaults of this package, not official ones, unless a check says where its own comes from.
"""

from __future__ import annotations

from eventlogs.checks import completeness, conformance, plausibility
from eventlogs.checks.evidence import Counted, Evidence, Findings, Rule

CHECKS: tuple[Rule, ...] = (*conformance.RULES, *completeness.RULES, *plausibility.RULES)
"""All checks of a log; beside them there is one for each trap that the build counted."""


def of_trap(trap: Counted) -> Rule:
    """Return the check that reports how much a trap touched: counted, never failed."""

    def find(evidence: Evidence) -> Findings:
        return trap_count(evidence, trap)

    return Rule(
        f"trap.{trap.id}",
        "conformance",
        "computational",
        "information",
        trap.unit,
        None,
        trap.words,
        find,
        trap.source,
    )


def trap_count(evidence: Evidence, trap: Counted) -> Findings:
    """Return what a trap touched; none where the build did not count it."""
    found = evidence.counts.get(f"trap.{trap.id}")
    if found is None:
        return {}
    return {"": (found, evidence.total(trap.among) if trap.among else 0)}
