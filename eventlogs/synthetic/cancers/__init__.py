"""The cancers that the generator knows, one module each: numbers with their source, course, events."""

from __future__ import annotations

from typing import Any

from eventlogs.synthetic.scene import Cancer

from .breast import BREAST
from .colorectal import COLORECTAL
from .lung import LUNG
from .prostate import PROSTATE

CANCERS: dict[str, Cancer[Any]] = {cancer.name: cancer for cancer in (BREAST, COLORECTAL, LUNG, PROSTATE)}
"""By the name that `synthesise` takes."""
