"""Errors that a user can cause or must know of.

::

    CarePathwaysError            exit code 1
    ├── InputError               3   what the user gave can't be used; the sentence says where and what to do
    │   ├── ExtractError         3   an SNDS extract: folder, table, column, bytes
    │   ├── LogError             3   an event log or its column mapping
    │   ├── DefinitionError      3   a pathway definition (TOML)
    │   ├── ModelError           3   a process model (PNML, BPMN), or one that can't be run to its end
    │   └── StudyError           3   a study folder that is missing, half there, or of another version
    ├── CheckFailed              4   a fatal quality check
    └── DisclosureRefused        5   the disclosure policy says no

Each message is one sentence: what is wrong, what was found, what to do. It never holds a patient's data.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class CarePathwaysError(Exception):
    """Root of every error raised on purpose."""

    exit_code: int = 1


class InputError(CarePathwaysError):
    """The user's input can't be used as it is."""

    exit_code = 3


class ExtractError(InputError):
    """An SNDS extract lacks a table or column, or a file can't be read."""


class LogError(InputError):
    """An event log or its column mapping is not usable."""


class DefinitionError(InputError):
    """A pathway definition is not valid."""


class ModelError(InputError):
    """A process model can't be read, or can't be run from its start to its end."""


class StudyError(InputError):
    """A study folder is missing, incomplete, or of another version."""


class CheckFailed(CarePathwaysError):
    """A fatal quality check did not hold."""

    exit_code = 4


class DisclosureRefused(CarePathwaysError):
    """The disclosure policy does not let this leave."""

    exit_code = 5


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the nearest choice, or the list of choices.

    Parameters
    ----------
    word : str
        What was found.
    choices : iterable of str
        What would have been understood.
    """
    known = sorted(choices)
    near = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}"
