"""Patient-level files: what they say of themselves, and where they never go."""

from __future__ import annotations

from pathlib import Path

from eventlogs.errors import DisclosureRefused

NOTICE = "patient-level data: it stays where the log may be, and never enters a folder of released tables"
"""What a patient-level file, or the one beside it, says."""

RELEASED = "released"
"""Name of the folders that hold only what passed the disclosure gate."""


def keep_outside_released(path: Path, what: str) -> None:
    """Refuse a place inside any folder ``released``, links followed.

    Raises
    ------
    DisclosureRefused
        `path` is in one.
    """
    place = path.resolve()
    if RELEASED in (folder.name for folder in (place, *place.parents)):
        raise DisclosureRefused(
            f"{what} is patient-level and {path} is in a folder '{RELEASED}', which holds only what passed the gate; "
            "choose another place"
        )
