"""One colour per phase, the same in every picture; and the two colours of a difference.

Phases take Paul Tol's *muted* scheme (technical note SRON/EPS/TN/09-002), made for
readers who confuse hues; shape, position and label always say the same thing as the colour.
"""

from __future__ import annotations

from collections.abc import Sequence

PHASES = {
    "imaging": "#88ccee",
    "diagnosis": "#332288",
    "surgery": "#cc6677",
    "chemotherapy": "#ddaa33",
    "radiotherapy": "#44aa99",
    "endocrine_therapy": "#aa4499",
    "reconstruction": "#882255",
    "stoma": "#882255",
    "focal_therapy": "#882255",
    "consultation": "#999933",
    "hospital": "#117733",
    "palliative_care": "#8c8c8c",
    "death": "#4d4d4d",
    "outcome": "#4d4d4d",
}
"""Reconstruction, continuity restoration and focal therapy are each of one cancer only."""

OTHERS = ("#88ccee", "#332288", "#cc6677", "#ddaa33", "#44aa99", "#aa4499", "#882255", "#999933", "#117733")

LESS, MORE = "#2166ac", "#b35806"
"""A negative and a positive difference: blue and orange, told apart by readers who confuse red and green."""


def phase_colours(phases: Sequence[str]) -> dict[str, str]:
    """Return a colour for each phase; phases that the registry doesn't know take the others in order."""
    unknown = [phase for phase in phases if phase not in PHASES]
    spare = {phase: OTHERS[place % len(OTHERS)] for place, phase in enumerate(unknown)}
    return {phase: PHASES.get(phase) or spare[phase] for phase in phases}
