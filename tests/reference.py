"""Where reference data are, when they are there: the folder named by ``CARE_PATHWAYS_DATA``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("CARE_PATHWAYS_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))


def reference(*parts: str) -> Path:
    """Return a path of the reference data, or skip the test with a clear reason."""
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"reference data absent: {'/'.join(parts)} (set CARE_PATHWAYS_DATA to their folder)")
    return path
