"""Definitions as files: built-in ones by name, a user's by path, and what a file extends."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from eventlogs.errors import DefinitionError, did_you_mean
from pathways.definition import parts
from pathways.definition.checks import check_codes, check_words
from pathways.definition.objects import Pathway
from pathways.definition.reading import Table
from pathways.definition.reference import ReferencePathway

BUILT_IN = files("pathways") / "definitions"
SHARED = BUILT_IN / "shared"
"""What several built-in definitions extend; not a definition by itself."""


def built_in() -> list[str]:
    """Return the names of the definitions that ship with the package."""
    return sorted(Path(entry.name).stem for entry in BUILT_IN.iterdir() if entry.name.endswith(".toml"))


def load(name_or_path: str | Path) -> Pathway:
    """Read a definition: a built-in name (``breast_cancer``) or the path of a TOML file.

    Raises
    ------
    DefinitionError
        The file is not there, is no TOML, or says something impossible.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return parse(_read(path), str(path), path.parent)
    if str(name_or_path) not in built_in():
        raise DefinitionError(
            f"there is no pathway '{name_or_path}'{did_you_mean(str(name_or_path), built_in())}"
        )
    return parse((BUILT_IN / f"{name_or_path}.toml").read_text(encoding="utf-8"), f"{name_or_path}.toml")


def _read(path: Path) -> str:
    if not path.is_file():
        raise DefinitionError(
            f"{path} is not a file; give a definition's path or one of: {', '.join(built_in())}"
        )
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DefinitionError(f"{path} is not written in UTF-8, as TOML must be; save it as UTF-8") from error


def parse(text: str, file: str, folder: Path | None = None) -> Pathway:
    """Read a definition from its text.

    Parameters
    ----------
    text : str
        TOML.
    file : str
        Name used in messages.
    folder : pathlib.Path, optional
        Where a file that it extends by path is looked for.

    Raises
    ------
    DefinitionError
        Names the file, the table, the key and the nearest word.
    """
    own = _document(text, file)
    document = _extended(own, file, folder, ())
    pathway = _pathway(Table(document, file, ""), text if "extends" not in own else written(document))
    check_words(pathway, file)
    check_codes(pathway.activities, file)
    return pathway


def _document(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{file} is not valid TOML: {error}; mend that line") from error


def _extended(
    document: Mapping[str, Any], file: str, folder: Path | None, seen: tuple[str, ...]
) -> dict[str, Any]:
    """Return the document laid over the one that it extends."""
    if "extends" not in document:
        return dict(document)
    name = str(document["extends"])
    if name in seen:
        raise DefinitionError(f"{file} extends '{name}', which extends it back; take one away")
    text, place = _parent(name, file, folder)
    parent = _extended(_document(text, name), name, place, (*seen, name))
    own = {key: value for key, value in document.items() if key != "extends"}
    return laid_over(parent, own)


def _parent(name: str, file: str, folder: Path | None) -> tuple[str, Path | None]:
    if name.endswith(".toml"):
        path = (folder or Path()) / name
        return _read(path), path.parent
    for place in (BUILT_IN, SHARED):
        if (place / f"{name}.toml").is_file():
            return (place / f"{name}.toml").read_text(encoding="utf-8"), None
    raise DefinitionError(f"{file} extends '{name}', which does not exist{did_you_mean(name, built_in())}")


def laid_over(parent: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return `own` with what only `parent` has: tables are merged key by key, lists and values are replaced."""
    merged = {
        key: laid_over(parent[key], value)
        if isinstance(value, dict) and isinstance(parent.get(key), dict)
        else value
        for key, value in own.items()
    }
    return {**merged, **{key: value for key, value in parent.items() if key not in own}}


def written(document: Mapping[str, Any]) -> str:
    """Return a definition's document as TOML: values first, then tables."""
    return "\n".join(_lines(document, ())) + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    values = {key: value for key, value in table.items() if not isinstance(value, dict)}
    if path and (values or not table):
        yield f"[{'.'.join(map(_key, path))}]"
    yield from (f"{_key(key)} = {_value(value)}" for key, value in values.items())
    for key in (key for key in table if key not in values):
        yield from _lines(table[key], (*path, key))


def _key(word: str) -> str:
    return word if re.fullmatch(r"[A-Za-z0-9_-]+", word) else json.dumps(word, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _pathway(top: Table, text: str) -> Pathway:
    phases = {name: parts.labels(top.sub("phases"), name) for name in top.sub("phases").names()}
    activities = {
        name: parts.activity(top.sub("activities").sub(name), name, phases)
        for name in top.sub("activities").names()
    }
    cohort = parts.cohort(top.sub("cohort"), activities)
    eras, breakdowns = top.sub("eras"), top.sub("breakdowns")
    pathway = Pathway(
        id=top.text("id"),
        version=top.text("version"),
        label=parts.labels(top, "label"),
        cohort=cohort,
        phases=phases,
        milestones=top.choices("milestones", phases, ()),
        activities=activities,
        within_day=top.words("within_day", ()),
        eras={name: parts.era(eras.sub(name), name) for name in eras.names()},
        breakdowns={name: parts.breakdown(breakdowns.sub(name), name) for name in breakdowns.names()},
        risk=parts.risk(top.sub("risk")),
        practice=parts.practice(top.sub("snds")),
        network=parts.network(top.sub("network"), cohort.treatments),
        reference=_reference(top.sub("reference")),
        text=text,
    )
    top.done(("phases", "activities", "cohort", "eras", "breakdowns", "risk", "snds", "network", "reference"))
    return pathway


def _reference(table: Table) -> ReferencePathway:
    return ReferencePathway({name: parts.reference_rule(table.sub(name), name) for name in table.names()})
