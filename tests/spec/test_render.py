"""The pages rendered from the specs are those of the docs."""

from __future__ import annotations

import pytest

from eventlogs.checks import CHECKS
from tests.spec.render import (
    REFERENCE,
    breakdown_page,
    conformance_page,
    eras_page,
    quality_page,
    snds_page,
)
from tests.spec.snds import RULES
from tests.spec.test_breakdown import SPECS
from tests.spec.test_conformance import RULES as REFERENCE_RULES
from tests.spec.test_conformance import SPECS as CONFORMANCE
from tests.spec.test_eras import SPECS as ERAS

PAGES = {
    "snds-rules.md": lambda: snds_page(RULES),
    "breakdown-rules.md": lambda: breakdown_page(SPECS),
    "conformance-rules.md": lambda: conformance_page(REFERENCE_RULES, CONFORMANCE),
    "quality-checks.md": lambda: quality_page(CHECKS),
    "eras-and-feeds.md": lambda: eras_page(ERAS),
}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str) -> None:
    written = (REFERENCE / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "render the pages with: python -m tests.spec.render"
