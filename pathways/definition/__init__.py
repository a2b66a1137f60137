"""Pathway definitions: a question asked of a log, as validated and sourced TOML.

`load` reads a built-in definition by its name, or a file; `Pathway.rules` gives the build what it needs.
Every table and key is checked: an unknown or missing one is an error that names the file, the table, the key
and the nearest word.
"""

from pathways.definition.checks import check_against
from pathways.definition.files import built_in, load, parse
from pathways.definition.objects import (
    Activity,
    BreakdownDefinition,
    Era,
    Kind,
    Language,
    Pathway,
    RiskSettings,
    Role,
)
from pathways.definition.reference import Condition, Excuse, ReferencePathway, ReferenceRule, RuleKind
from pathways.definition.sets import with_day_sets

__all__ = [
    "Activity",
    "BreakdownDefinition",
    "Condition",
    "Era",
    "Excuse",
    "Kind",
    "Language",
    "Pathway",
    "ReferencePathway",
    "ReferenceRule",
    "RiskSettings",
    "Role",
    "RuleKind",
    "built_in",
    "check_against",
    "load",
    "parse",
    "with_day_sets",
]
