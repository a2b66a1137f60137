"""A script of SQL: statements with their reasons, in sections, written as one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from textwrap import dedent, wrap

WIDTH, LONGEST = 100, 124
"""Where long words are broken, and how long a line is let be."""


@dataclass(frozen=True)
class Statement:
    """One statement, without its semicolon, and why it is there."""

    sql: str
    why: str = ""

    def __str__(self) -> str:
        return f"{commented(self.why)}{self.sql.strip()}\n;\n"


@dataclass(frozen=True)
class Section:
    """Statements under a title."""

    title: str
    why: str
    statements: tuple[Statement, ...]

    def __str__(self) -> str:
        rule = f"-- {'=' * (WIDTH - 3)}\n"
        head = f"{rule}{commented(self.title)}{rule}{commented(self.why)}"
        return f"{head}\n" + "\n".join(str(statement) for statement in self.statements)


@dataclass(frozen=True)
class Script:
    """A whole script.

    Parameters
    ----------
    header : str
        What it is, who may run it, what it writes.
    sections : tuple of Section
        In the order of running.
    results : tuple of (str, str)
        Table to export, and the name (without ``.csv``) of the file that it becomes.
    footer : str
        What to do after it.
    """

    header: str
    sections: tuple[Section, ...]
    results: tuple[tuple[str, str], ...]
    footer: str

    @property
    def statements(self) -> Iterator[str]:
        """The statements alone, one after the other."""
        return (statement.sql for section in self.sections for statement in section.statements)

    def __str__(self) -> str:
        parts = [commented(self.header), *map(str, self.sections), commented(self.footer)]
        return "\n".join(parts)


def commented(words: str) -> str:
    """Return words as lines of comment, long ones wrapped."""
    lines = (piece for line in dedent(words).strip().splitlines() for piece in _wrapped(line))
    return "".join(f"-- {line}".rstrip() + "\n" for line in lines)


def _wrapped(line: str) -> list[str]:
    return wrap(line, WIDTH - 3) if len(line) > LONGEST else [line]


def union(selects: Iterable[str], *, every: bool = False) -> str:
    """Return selects joined by UNION, or UNION ALL."""
    return f"\n{'UNION ALL' if every else 'UNION'} ".join(selects)


def indented(sql: str, by: int = 2) -> str:
    """Return SQL with every line moved to the right."""
    return "\n".join(" " * by + line for line in sql.splitlines())
