"""Filters as one stack of verbs that can be composed, written to a file, and told in words.

A verb keeps whole patients (`with_activity`, `lives_in`, ...) or some events of all patients (`keep_activities`,
`drop_activities`, `cut_to_period`, `cut_to_days`). A stack applies them in their order, says how many each left out,
and has a hash that every table made from it carries.
"""

from __future__ import annotations

from pathways.filters.stack import ATTRITION_COLUMNS, NO_FILTER, FilterStack, Selection
from pathways.filters.verbs import (
    ATTRIBUTES,
    LEVELS,
    UNKNOWN,
    VERBS,
    EventVerb,
    PatientVerb,
    Verb,
    keep_patients,
)

__all__ = [
    "ATTRIBUTES",
    "ATTRITION_COLUMNS",
    "LEVELS",
    "NO_FILTER",
    "UNKNOWN",
    "VERBS",
    "EventVerb",
    "FilterStack",
    "PatientVerb",
    "Selection",
    "Verb",
    "keep_patients",
]
