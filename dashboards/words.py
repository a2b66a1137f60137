"""All the app's words, French and English, from ``texts/*.toml``; numbers and dates as each language writes them."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, get_args

from pathways.definition import Language
from pathways.drawing import writing

LANGUAGES: tuple[Language, ...] = get_args(Language)


@dataclass(frozen=True)
class Words:
    """One language's words.

    ``words("map.title")`` gives a text; ``words("map.shown", n="12")`` fills its braces. Texts are looked up by
    table and key of the TOML file; an unknown one is a ``KeyError``, since it is our mistake.
    """

    language: Language
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: str) -> str:
        return self.texts[key].format(**values) if values else self.texts[key]

    def section(self, name: str) -> dict[str, str]:
        """Return one table of the file as it is (the words of the grid)."""
        start = f"{name}."
        return {key.removeprefix(start): text for key, text in self.texts.items() if key.startswith(start)}

    def number(self, value: float | None, digits: int = 0) -> str:
        """Write a number: ``12 345,6`` in French, ``12,345.6`` in English; a dash for nothing."""
        return writing.number(value, self.language, digits)

    def percent(self, share: float | None, digits: int = 0) -> str:
        """Write a share of one as a percentage."""
        return writing.percent(share, self.language, digits)

    def days(self, days: float | None) -> str:
        """Write a delay in days, with its unit."""
        return writing.days(days, self.language)

    def date(self, day: dt.date | None) -> str:
        """Write a date: ``31/12/2023`` in French, ``2023-12-31`` in English."""
        return writing.date(day, self.language)

    def label(self, row: Mapping[str, Any]) -> str:
        """Return ``label_fr`` or ``label_en`` of a released row."""
        return str(row[f"label_{self.language}"])


@cache
def words_in(language: Language) -> Words:
    """Return one language's words.

    Parameters
    ----------
    language : {'fr', 'en'}
    """
    text = (files("dashboards") / "texts" / f"{language}.toml").read_text(encoding="utf-8")
    tables: dict[str, dict[str, str]] = tomllib.loads(text)
    flat = {f"{name}.{key}": value for name, table in tables.items() for key, value in table.items()}
    return Words(language, flat)
