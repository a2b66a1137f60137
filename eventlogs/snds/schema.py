"""What the readers know of SNDS tables, as data (``tables/*.toml``), and how a raw column becomes typed."""

from __future__ import annotations

import re
import tomllib
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import polars as pl

Kind = Literal["text", "int", "number", "date"]

KINDS: tuple[Kind, ...] = ("text", "int", "number", "date")

DTYPES: dict[Kind, pl.DataType] = {
    "text": pl.String(),
    "int": pl.Int64(),
    "number": pl.Float64(),
    "date": pl.Date(),
}

DATE_FORMATS: tuple[tuple[str, str, int], ...] = (
    (r"^\d{4}-\d{2}-\d{2}", "%Y-%m-%d", 10),
    (r"^\d{2}/\d{2}/\d{4}", "%d/%m/%Y", 10),
    (r"^\d{4}(?:16|19|20)\d{2}$", "%d%m%Y", 8),
    (r"^(?:16|19|20)\d{6}$", "%Y%m%d", 8),
    (r"^\d{2}[A-Za-z]{3}\d{4}", "%d%b%Y", 9),
)
"""Shapes in which SNDS exports write a date: pattern, format, characters read; the first that fits is taken."""

DIAGNOSES = (
    "DGN_PAL", "DGN_REL", "ASS_DGN", "MED_MTF_COD", "DGN_ASS", "DGN_COD", "MOR_PRP", "ETL_AFF", "FP_PEC", "DCD_CIM_COD",
    "ECD_CIM_COD",
)  # fmt: skip
"""Columns where ``.0`` belongs to the code (C50.0); elsewhere a spreadsheet wrote a code as a decimal number."""

NULL_YEAR = 1600
"""Year written for a missing date (01/01/1600): read as null (Santé publique France, SNDS guide of 2020)."""

FLUX = ("FLX_DIS_DTD", "FLX_TRT_DTD")
"""Dates of the flux: always filled, read as they are so that a filter on them skips row groups."""


@dataclass(frozen=True)
class Table:
    """One table of the schema.

    Parameters
    ----------
    name : str
        Family name.
    source : str
        Whose horizon it has (`horizons`).
    required : bool
        Whether an extract must have it.
    mandatory : tuple of str
        Columns that can't be missed.
    columns : mapping of str to Kind
        Columns that the readers use.
    one_of : str
        Name of a group of tables of which an extract must have exactly one; empty: none.
    since, until : mapping of str to int
        First and last year in which a column exists, where the schema says so.
    """

    name: str
    source: str
    required: bool
    mandatory: tuple[str, ...]
    columns: Mapping[str, Kind]
    one_of: str = ""
    since: Mapping[str, int] = field(default_factory=dict)
    until: Mapping[str, int] = field(default_factory=dict)

    def expects(self, column: str, period: str) -> bool:
        """Tell whether a column exists in a table of this period (``21``, ``21_03``, ``2021``; ``""``: any)."""
        year = year_of(period)
        return year is None or self.since.get(column, year) <= year <= self.until.get(column, year)


@cache
def _documents() -> list[dict[str, Any]]:
    folder = files("eventlogs.snds") / "tables"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return [tomllib.loads((folder / name).read_text(encoding="utf-8")) for name in names]


@cache
def tables() -> dict[str, Table]:
    """Return the known tables by family name (``ER_PRS_F``, ``T_MCOaaB``)."""
    return {
        name: _table(name, entry, document.get("shared", {}))
        for document in _documents()
        for name, entry in document["tables"].items()
    }


def alternatives() -> dict[str, tuple[str, ...]]:
    """Return the groups of tables of which an extract has exactly one."""
    groups = sorted({table.one_of for table in tables().values() if table.one_of})
    return {
        group: tuple(name for name, table in tables().items() if table.one_of == group) for group in groups
    }


@cache
def aliases() -> dict[str, list[str]]:
    """Return other names of identifier columns, by canonical name."""
    return {name: others for document in _documents() for name, others in document.get("aliases", {}).items()}


def _table(name: str, entry: Mapping[str, Any], shared: Mapping[str, Mapping[str, list[str]]]) -> Table:
    key = shared.get(entry.get("key", ""), {})
    written = (entry, key, shared.get(entry.get("shared", ""), {}))
    return Table(
        name=name,
        source=str(entry["source"]),
        required=bool(entry.get("required", False)),
        mandatory=(*entry["mandatory"], *(column for kind in KINDS for column in key.get(kind, ()))),
        columns={column: kind for kind in KINDS for part in written for column in part.get(kind, ())},
        one_of=str(entry.get("one_of", "")),
        since=dict(entry.get("since", {})),
        until=dict(entry.get("until", {})),
    )


FAMILY = re.compile(r"^T_([A-Z]{3})(\d{2}|aa)(?:_(\d{2}|nn))?([A-Z][A-Z0-9]*)$", re.IGNORECASE)
"""Name of a table of the PMSI: field, year, months of a cumulative file, table."""

ARCHIVE = re.compile(r"^((?:ER|NS)_[A-Z]{3}_F)_(20\d{2})$", re.IGNORECASE)

LOOKS_LIKE_SNDS = re.compile(
    r"^((ER|NS)_[A-Z]{3}_F(_\w+)?|(IR|KI|DA|BE)_[A-Z0-9]{3}_[RV]\w*|CT_\w+|T_(MCO|SSR|HAD|RIP|SUP)\w+)$",
    re.IGNORECASE,
)
"""Names that SNDS tables have, those that the readers don't know among them."""

FIRST_YEAR = 90
"""Years on two digits from this on are of the twentieth century."""


def year_of(period: str) -> int | None:
    """Return the year of ``21``, ``21_03`` or ``2021``; None where the table carries none."""
    year = period.partition("_")[0]
    if not year:
        return None
    return int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= FIRST_YEAR else 2000)


def end_of(period: str) -> date:
    """Return the last day of ``21`` (a year) or ``21_03`` (January to March, cumulative)."""
    year, month = year_of(period) or date.max.year, int(period.partition("_")[2] or 12)
    return date(year, month, monthrange(year, month)[1])


def family(name: str) -> tuple[str, str] | None:
    """Return (family, year) of a file or folder name, or None if the readers don't know it.

    ``T_MCO21B`` → (``T_MCOaaB``, ``21``); ``T_MCO21_03B`` → (``T_MCOaaB``, ``21_03``);
    ``T_HAD21A`` → (``T_HADaaA``, ``21``), whatever field and table the schema has;
    ``ER_PRS_F_2019`` → (``ER_PRS_F``, ``2019``); ``IR_BEN_R`` → (``IR_BEN_R``, ``""``).
    """
    if match := FAMILY.match(name):
        period = [part for part in match.group(2, 3) if part and part.isdigit()]
        known = f"T_{match[1].upper()}aa{match[4].upper()}"
        return (known, "_".join(period)) if known in tables() else None
    if match := ARCHIVE.match(name):
        return (match[1].upper(), match[2]) if match[1].upper() in tables() else None
    return (name.upper(), "") if name.upper() in tables() else None


def typed(column: str, kind: Kind, dtype: pl.DataType) -> pl.Expr:
    """Return the expression that reads a raw column of type `dtype` as `kind`; what can't be read is null."""
    raw = pl.col(column)
    if kind == "date" and dtype == pl.Date and column in FLUX:
        return raw
    if kind == "date" and not dtype.is_temporal():
        return _date(_raw_date(_text(_as_text(raw, dtype)))).alias(column)
    if kind == "date":
        return _date(raw).alias(column)
    if kind in ("int", "number"):
        number = _number(raw) if dtype == pl.String else raw
        return number.cast(DTYPES[kind], strict=False).alias(column)
    code = raw.cast(pl.Int64, strict=False).cast(pl.String) if dtype.is_float() else raw.cast(pl.String)
    return _text(code if column in DIAGNOSES else code.str.strip_suffix(".0")).alias(column)


def is_doubtful(kind: Kind, dtype: pl.DataType) -> bool:
    """Say whether a raw column of this type may hold values that can't be read as `kind`."""
    return (kind == "date" and not dtype.is_temporal()) or (kind in ("int", "number") and dtype == pl.String)


def unreadable(column: str, kind: Kind, dtype: pl.DataType) -> pl.Expr:
    """Return whether a raw value is there and can't be read as `kind`."""
    there = _text(_as_text(pl.col(column), dtype))
    read = _raw_date(there) if kind == "date" else typed(column, kind, dtype)
    return there.is_not_null() & read.is_null()


def _number(raw: pl.Expr) -> pl.Expr:
    """Read a number, its decimals after a point or a comma."""
    return _text(raw).str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)


def _as_text(raw: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Write a number as text; a date kept as a number has lost its leading zero, and may end with ``.0``."""
    if dtype != pl.String:
        return raw.cast(pl.Int64, strict=False).cast(pl.String).str.zfill(8)
    whole = raw.str.strip_chars().str.extract(r"^(\d{7,8})(?:\.0)?$")
    return pl.coalesce(whole.str.zfill(8), raw)


def _text(raw: pl.Expr) -> pl.Expr:
    stripped = raw.str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _raw_date(text: pl.Expr) -> pl.Expr:
    return pl.coalesce(
        pl.when(text.str.contains(pattern)).then(text.str.head(width).str.to_date(form, strict=False))
        for pattern, form, width in DATE_FORMATS
    )


def _date(value: pl.Expr) -> pl.Expr:
    day = value.cast(pl.Date)
    return pl.when(day.dt.year() > NULL_YEAR).then(day)
