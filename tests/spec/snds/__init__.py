"""The rules of the SNDS readers, by what they are about.

The page ``docs/reference/snds-rules.md`` is rendered from here, so that an epidemiologist can contest each rule.
"""

from __future__ import annotations

from tests.spec.snds import beneficiaries, codes, dcir, events, pmsi
from tests.spec.snds.writing import Rule

PARTS = (beneficiaries, dcir, codes, pmsi, events)

RULES: tuple[Rule, ...] = tuple(rule for part in PARTS for rule in part.RULES)

DEFAULTS = {name: columns for part in PARTS for name, columns in part.DEFAULTS.items()}
