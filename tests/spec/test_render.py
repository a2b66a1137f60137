"""The pages rendered from the specs are those of the docs."""

from __future__ import annotations

import pytest

from tests.spec.render import REFERENCE, breakdown_page, snds_page
from tests.spec.snds import RULES
from tests.spec.test_breakdown import SPECS

PAGES = {"snds-rules.md": lambda: snds_page(RULES), "breakdown-rules.md": lambda: breakdown_page(SPECS)}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str) -> None:
    written = (REFERENCE / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "render the pages with: python -m tests.spec.render"
