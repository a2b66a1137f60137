"""Stacks as files: TOML and JSON in, TOML out."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from eventlogs.errors import DefinitionError
from pathways.definition.reading import REQUIRED, Table
from pathways.filters.verbs import VERBS, Verb


def verbs_of(content: Mapping[str, Any], file: str) -> tuple[Verb, ...]:
    """Read the verbs of a stack.

    Raises
    ------
    DefinitionError
        Names file, verb, key, and the nearest word.
    """
    top = Table(content, file, "")
    listed = top.get("filters", [])
    top.done()
    if not isinstance(listed, list | tuple) or not all(isinstance(one, Mapping) for one in listed):
        raise top.fail("has filters that are no list of tables; write each under [[filters]]")
    return tuple(_verb(Table(one, file, f"filters.{i}")) for i, one in enumerate(listed, start=1))


def _verb(table: Table) -> Verb:
    kind = VERBS[table.choice("verb", VERBS)]
    given = {name: _value(table, name, metadata, needed) for name, metadata, needed in kind.declared()}
    table.done()
    try:
        return kind(**{name: value for name, value in given.items() if value is not REQUIRED})
    except DefinitionError as error:
        raise DefinitionError(f"{table.where} {error}") from error


def _value(table: Table, name: str, metadata: Mapping[str, Any], needed: bool) -> Any:
    """Read one field; `REQUIRED` stands for one that is absent and may be."""
    if not needed and name not in table.content:
        table.get(name, None)
        return REQUIRED
    readers: dict[str, Callable[[Table, str], Any]] = {
        "words": _words,
        "count": Table.count,
        "integer": _integer,
        "date": _day,
        "flag": Table.flag,
    }
    if metadata["kind"] == "choice":
        return table.choice(name, metadata["allowed"])
    return readers[metadata["kind"]](table, name)


def _words(table: Table, name: str) -> tuple[str, ...]:
    value = table.get(name)
    return (value,) if isinstance(value, str) else table.words(name)


def _integer(table: Table, name: str) -> int:
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise table.fail(f"has {name} = {value!r}; give a whole number of days")
    return value


def _day(table: Table, name: str) -> date | None:
    value = table.get(name)
    if not isinstance(value, str):
        return table.day_or_none(name)
    try:
        return date.fromisoformat(value)
    except ValueError as error:
        raise table.fail(f"has {name} = '{value}'; it must be a date, written 2019-01-31") from error


def parsed_json(text: str, file: str) -> dict[str, Any]:
    """Return a JSON document.

    Raises
    ------
    DefinitionError
        It is none, or no object.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise DefinitionError(f"{file} is not valid JSON at line {error.lineno}: {error.msg}") from error
    if not isinstance(content, dict):
        raise DefinitionError(f'{file} holds no object; write {{"filters": [...]}}')
    return content


def parsed_toml(text: str, file: str) -> dict[str, Any]:
    """Return a TOML document.

    Raises
    ------
    DefinitionError
        It is none.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{file} is not valid TOML: {error}") from error


def to_toml(verbs: Iterable[Mapping[str, Any]]) -> str:
    """Write verbs as plain values into a TOML document."""
    tables = ("\n".join(f"{key} = {_literal(value)}" for key, value in verb.items()) for verb in verbs)
    return "\n".join(f"[[filters]]\n{table}\n" for table in tables)


def _literal(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if isinstance(value, date):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
