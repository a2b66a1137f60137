"""Reading one TOML table: each value is typed, and what nobody asked for is refused with the nearest word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from eventlogs.errors import DefinitionError, did_you_mean

REQUIRED: Any = ...


class Table:
    """One TOML table being read: remembers what was asked for, so that the rest can be refused."""

    def __init__(self, content: Mapping[str, Any], file: str, path: str) -> None:
        self.content, self.file, self.path = content, file, path
        self.asked: set[str] = set()

    @property
    def where(self) -> str:
        return f"{self.file}: [{self.path}]" if self.path else f"{self.file}: the top level"

    def fail(self, sentence: str) -> DefinitionError:
        return DefinitionError(f"{self.where} {sentence}")

    def get(self, key: str, default: Any = REQUIRED) -> Any:
        self.asked.add(key)
        if key in self.content:
            return self.content[key]
        if default is REQUIRED:
            near = did_you_mean(key, [k for k in self.content if k not in self.asked]) if self.content else ""
            raise self.fail(f"has no key '{key}'{near if 'did you mean' in near else '; add it'}")
        return default

    def text(self, key: str, default: Any = REQUIRED) -> str:
        return str(self._typed(key, str, "a text", default))

    def count(self, key: str, default: Any = REQUIRED) -> int:
        value = self._typed(key, int, "a whole number", default)
        if isinstance(value, bool) or value < 0:
            raise self.fail(f"has {key} = {value}; give a number of days or a count of 0 or more")
        return int(value)

    def count_or_none(self, key: str) -> int | None:
        return self.count(key) if key in self.content else None

    def number(self, key: str) -> float:
        value = self._typed(key, int | float, "a number", REQUIRED)
        if isinstance(value, bool) or value <= 0:
            raise self.fail(f"has {key} = {value}; give a number above 0")
        return float(value)

    def flag(self, key: str) -> bool:
        return bool(self._typed(key, bool, "true or false", REQUIRED))

    def day_or_none(self, key: str) -> date | None:
        value = self.get(key, None)
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value
        raise self.fail(f"has {key} = {value!r}; it must be a date, written 2019-01-31 without quotes")

    def words(self, key: str, default: Any = REQUIRED) -> tuple[str, ...]:
        value = self._typed(key, list | tuple, "a list of words", default)
        return tuple(str(item) for item in value)

    def word_lists(self, key: str) -> tuple[tuple[str, ...], ...]:
        value = self._typed(key, list | tuple, "a list of lists of words", REQUIRED)
        if not all(isinstance(item, list | tuple) for item in value):
            raise self.fail(f"has {key} = {value!r}; it must be a list of lists of words")
        return tuple(tuple(str(word) for word in item) for item in value)

    def choice(self, key: str, allowed: Iterable[str], default: Any = REQUIRED) -> str:
        value = self.text(key, default)
        if value not in allowed:
            raise self.fail(f"has {key} = '{value}'{did_you_mean(value, allowed)}")
        return value

    def choices(self, key: str, allowed: Iterable[str], default: Any = REQUIRED) -> tuple[str, ...]:
        values = self.words(key, default)
        for value in values:
            if value not in allowed:
                raise self.fail(f"has {key} = [… '{value}' …]{did_you_mean(value, allowed)}")
        return values

    def _typed(self, key: str, kind: Any, what: str, default: Any) -> Any:
        value = self.get(key, default)
        if not isinstance(value, kind):
            raise self.fail(f"has {key} = {value!r}; it must be {what}")
        return value

    def sub(self, key: str) -> Table:
        path = f"{self.path}.{key}" if self.path else key
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            raise self.fail(f"has {key} = {value!r}; it must be a table [{path}]")
        return Table(value, self.file, path)

    def names(self) -> list[str]:
        return list(self.content)

    def done(self, also: Iterable[str] = ()) -> None:
        allowed = self.asked | set(also)
        for key in self.content:
            if key not in allowed:
                raise self.fail(f"has an unknown key '{key}'{did_you_mean(key, allowed)}")
