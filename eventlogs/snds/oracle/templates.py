"""Sections written as SQL files: ``-- # Title`` opens one, a line ``;`` ends a statement, ``$name`` is filled in."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from string import Template

from eventlogs.snds.oracle.script import Section, Statement

FOLDER = files("eventlogs.snds.oracle")
TITLE = "-- # "


def sections(file: str, values: Mapping[str, object]) -> tuple[Section, ...]:
    """Return the sections of a file.

    Parameters
    ----------
    file : str
        Name of a file beside this module.
    values : mapping of str to object
        What each ``$name`` stands for.
    """
    text = Template((FOLDER / file).read_text(encoding="utf-8")).substitute(values)
    return tuple(_section(part) for part in text.split(TITLE)[1:])


def _section(text: str) -> Section:
    head, _, body = text.partition("\n\n")
    title, *why = head.splitlines()
    statements = tuple(_statement(part) for part in body.split("\n;\n") if part.strip())
    return Section(title, _words(why), statements)


def _statement(text: str) -> Statement:
    lines = text.strip().splitlines()
    why = [line for line in lines if line.startswith("--")]
    return Statement("\n".join(line for line in lines if not line.startswith("--")), _words(why))


def _words(lines: list[str]) -> str:
    return "\n".join(line.removeprefix("--").strip() for line in lines)
