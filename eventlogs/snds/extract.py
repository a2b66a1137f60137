"""An extract folder: where each table is, and how it is read, lazily and typed."""

from __future__ import annotations

import codecs
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from filecmp import cmp
from functools import cached_property
from pathlib import Path

import polars as pl

from eventlogs.errors import ExtractError
from eventlogs.snds import schema

SUFFIXES = (".csv", ".parquet")
CHUNK = 1 << 20

PMSI = ("mco", "ssr", "had", "rip")
"""Fields of the PMSI: each has its own horizon."""


@dataclass(frozen=True)
class Found:
    """What a look at the tables found that the build can do without.

    Parameters
    ----------
    absent : tuple of str
        Optional columns that are absent though their year has them, as ``TABLE.COLUMN``.
    unreadable : mapping of str to int
        ``TABLE.COLUMN`` → values that can't be read and are taken as empty.
    """

    absent: tuple[str, ...]
    unreadable: Mapping[str, int]


@dataclass(frozen=True)
class Extract:
    """A folder with one entry per SNDS table.

    Parameters
    ----------
    folder : pathlib.Path
        Searched recursively; entries are named as their table, with a literal year, ``aa`` or ``aa_nn``.
    found : mapping of (family, year) to tuple of pathlib.Path
        Files of each table.
    settings : mapping
        Content of ``extract.toml``: ``columns`` (canonical name → name here), ``cutoff`` (source → last
        complete day of care), ``extraction`` (its name, under which persons without a national number are named),
        ``synthetic``.
    work : pathlib.Path
        A folder for what must be rewritten before it can be read (Latin-1 text).
    superseded : mapping of (family, period) to tuple of pathlib.Path
        Cumulative files of a year that a fuller one replaces.
    unknown : tuple of str
        Entries named as SNDS tables that the readers don't use.
    """

    folder: Path
    found: Mapping[tuple[str, str], tuple[Path, ...]]
    settings: Mapping[str, object]
    work: Path
    superseded: Mapping[tuple[str, str], tuple[Path, ...]] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @classmethod
    def open(cls, folder: Path, work: Path) -> Extract:
        """Find the tables of `folder`.

        Raises
        ------
        ExtractError
            The folder is missing or has no known table, a table is there twice, or a required one is absent.
        """
        if not folder.is_dir():
            raise ExtractError(f"{folder} is not a folder; give the folder that holds the SNDS tables")
        found, unknown = _find(folder)
        fullest, superseded = _fullest(found)
        extract = cls(folder, fullest, _settings(folder), work, superseded, unknown)
        extract._check_presence()
        return extract

    def _check_presence(self) -> None:
        """Refuse an extract without a required table, or with two tables of which there can be one only."""
        tables, groups = schema.tables(), schema.alternatives()
        missing = {name: name for name, table in tables.items() if table.required and not self.has(name)}
        for group in groups.values():
            there = [name for name in group if self.has(name)]
            if len(there) > 1:
                raise ExtractError(
                    f"{self.folder} has both {' and '.join(there)}, which tell the same care and would count twice; "
                    "keep one, with its own affinée tables"
                )
            missing |= {} if there else {group[0]: " or ".join(group)}
        if missing:
            raise ExtractError(
                f"{self.folder} has no table {', '.join(missing[name] for name in tables if name in missing)}; "
                f"found {', '.join(sorted({name for name, _ in self.found})) or 'no SNDS table'}; "
                "add a file or folder of that name (.parquet or .csv)"
            )

    @property
    def claims(self) -> str:
        """The table of claims: ER_PRS_F (DCIR) or NS_PRS_F (DCIRS)."""
        return next(name for name in schema.alternatives()["claims"] if self.has(name))

    def years(self, name: str) -> list[str]:
        """Return the years under which a table is there (``[""]`` when it carries none)."""
        return sorted(year for family, year in self.found if family == name)

    def has(self, name: str) -> bool:
        """Tell whether the table is there."""
        return bool(self.years(name))

    @property
    def synthetic(self) -> bool:
        """Whether ``extract.toml`` says that the data are synthetic."""
        return bool(self.settings.get("synthetic", False))

    def cutoff(self, source: str) -> date | None:
        """Return the last complete day of care that ``extract.toml`` states for a source.

        ``pmsi`` stands for every field of the PMSI, ``all`` for every source.
        """
        stated = self.settings.get("cutoff", {})
        if not isinstance(stated, dict):
            return None
        names = [source, *(["pmsi"] if source in PMSI else []), "all"]
        value = next((stated[name] for name in names if name in stated), None)
        return value.date() if isinstance(value, datetime) else value

    def superseded_rows(self) -> int:
        """Count the rows of the files that a fuller one replaces."""
        files = [path for paths in self.superseded.values() for path in paths]
        return sum(int(_collect(_raw(path).select(pl.len()), path).item()) for path in files)

    def unread_columns(self) -> dict[str, int]:
        """Count, table by table, the columns that are there and that the readers don't use."""
        unread: dict[str, int] = {}
        for (name, _), paths in sorted(self._readable.items()):
            used = set(self._names(name, paths[0]).values())
            unread[name] = max(unread.get(name, 0), len(set(_columns(paths[0])) - used))
        return {name: n for name, n in unread.items() if n}

    def scan(self, name: str, year: str | None = None) -> pl.LazyFrame:
        """Return a table, typed, with all the columns that the schema knows (absent ones null).

        Parameters
        ----------
        name : str
            Family name.
        year : str, optional
            One year only; default all, one after the other.
        """
        years = self.years(name) if year is None else [year]
        pieces = [file for y in years for file in self._dated(name, y)]
        return pl.concat(pieces) if pieces else _empty(schema.tables()[name])

    def _dated(self, name: str, year: str) -> list[pl.LazyFrame]:
        """Return a table's files of one year; a stay without a year of discharge has that of its table."""
        files = [self._typed(name, path) for path in self._readable.get((name, year), ())]
        if name != "T_MCOaaB" or not year:
            return files
        discharge = pl.col("SOR_ANN").fill_null(schema.year_of(year))
        return [file.with_columns(discharge) for file in files]

    @cached_property
    def _readable(self) -> dict[tuple[str, str], tuple[Path, ...]]:
        return {
            key: tuple(_as_utf8(path, self.work) if path.suffix.lower() == ".csv" else path for path in paths)
            for key, paths in self.found.items()
        }

    def _typed(self, name: str, path: Path) -> pl.LazyFrame:
        table = schema.tables()[name]
        raw, names = _raw(path), self._names(name, path)
        dtypes = raw.collect_schema()
        return raw.rename({there: column for column, there in names.items()}, strict=False).select(
            schema.typed(column, kind, dtypes[names[column]])
            if column in names
            else pl.lit(None, dtype=schema.DTYPES[kind]).alias(column)
            for column, kind in table.columns.items()
        )

    def _names(self, name: str, path: Path) -> dict[str, str]:
        """Return the name in the file of each column that is there."""
        present = set(_columns(path))
        renamed = self.settings.get("columns", {})
        renamed = renamed if isinstance(renamed, dict) else {}
        names = {}
        for column in schema.tables()[name].columns:
            for candidate in (renamed.get(column, column), *schema.aliases().get(column, ())):
                if candidate in present:
                    names[column] = candidate
                    break
        return names

    def check(self) -> Found:
        """Look at every table's columns and values.

        Returns
        -------
        Found
            Optional columns that are absent, and values of optional columns that can't be read.

        Raises
        ------
        ExtractError
            A file can't be read, a mandatory column is absent, a table is empty, or a value of a date or a
            number can't be read in a mandatory column or in a table that the build needs.
        """
        absent: set[str] = set()
        unreadable: Counter[str] = Counter()
        for (name, period), paths in sorted(self._readable.items()):
            for path in paths:
                absent |= self._absent_columns(name, period, path)
                unreadable.update(self._unreadable_values(name, path))
        self._check_stays()
        self._check_months()
        for name, table in schema.tables().items():
            if self._needs(table) and self.scan(name).select(pl.len()).collect().item() == 0:
                raise ExtractError(f"{name} has no row; an extract needs at least one, check the export")
        return Found(tuple(sorted(absent)), dict(unreadable))

    def _needs(self, table: schema.Table) -> bool:
        return table.required or (bool(table.one_of) and self.has(table.name))

    def _check_stays(self) -> None:
        """Refuse a year whose stays have no chaining table, or whose keys repeat: RSA_NUM starts again each year."""
        for year in self.years("T_MCOaaB"):
            here = f"T_MCO{year or 'aa'}"
            if year not in self.years("T_MCOaaC"):
                raise ExtractError(
                    f"{here}B has no {here}C beside it, so its stays belong to nobody; add {here}C"
                )
            for part in ("B", "C"):
                keys = self.scan(f"T_MCOaa{part}", year).select("ETA_NUM", "RSA_NUM")
                counts = keys.select(n=pl.len(), distinct=pl.struct(pl.all()).n_unique()).collect()
                if doubled := counts["n"].item() - counts["distinct"].item():
                    raise ExtractError(
                        f"{here}{part} has {doubled} rows that repeat (ETA_NUM, RSA_NUM); "
                        "give one table a year, named with its year (T_MCO21B)"
                    )

    def _check_months(self) -> None:
        """Refuse a flux month that an archived table and the current one both hold: it would count twice.

        The lines of December of an archived year have 1 January of the next year as their flux: they are in one of the
        two tables.
        """
        for name in sorted({family for family, _ in self.found if family.startswith(("ER_", "NS_"))}):
            years = self.years(name)
            if len(years) > 1:
                self._check_months_of(name, years)

    def _check_months_of(self, name: str, years: list[str]) -> None:
        seen: dict[date, str] = {}
        for year in years:
            here = f"{name}_{year}" if year else name
            months = self.scan(name, year).select(pl.col("FLX_DIS_DTD").drop_nulls().unique()).collect()
            for month in months["FLX_DIS_DTD"].to_list():
                if month in seen:
                    raise ExtractError(
                        f"flux month {month:%Y-%m} is both in {here} and in {seen[month]}; keep one of the two"
                    )
                seen[month] = here

    def _absent_columns(self, name: str, period: str, path: Path) -> set[str]:
        table, names = schema.tables()[name], self._names(name, path)
        expected = [column for column in table.columns if table.expects(column, period)]
        for column in table.mandatory:
            if column not in names and column in expected:
                raise ExtractError(
                    f"{path.name} has no column {column}, which {name} needs; "
                    f"found {', '.join(_columns(path)[:8])}…; "
                    "add it, or say its name in extract.toml [columns]"
                )
        return {f"{name}.{column}" for column in expected if column not in names}

    def _unreadable_values(self, name: str, path: Path) -> dict[str, int]:
        table, names, dtypes = schema.tables()[name], self._names(name, path), _raw(path).collect_schema()
        doubtful = {
            column: kind
            for column, kind in table.columns.items()
            if column in names and schema.is_doubtful(kind, dtypes[names[column]])
        }
        if not doubtful:
            return {}
        raw = _raw(path).select(pl.col(names[column]).alias(column) for column in doubtful)
        bad = {c: schema.unreadable(c, kind, dtypes[names[c]]) for c, kind in doubtful.items()}
        counts = _collect(raw.select(wrong.sum().alias(column) for column, wrong in bad.items()), path)
        wrong = {column: int(counts[column].item()) for column in doubtful if counts[column].item()}
        for column, n in wrong.items():
            if self._needs(table) or column in table.mandatory:
                shape = _shape(raw.filter(bad[column]), column)
                raise ExtractError(
                    f"{path.name} has {n} values of {column} that are no {doubtful[column]} "
                    f"(shaped like '{shape}'); write dates as JJ/MM/AAAA or AAAA-MM-JJ and numbers with digits only"
                )
        return {f"{name}.{column}": n for column, n in wrong.items()}


def _find(folder: Path) -> tuple[dict[tuple[str, str], tuple[Path, ...]], tuple[str, ...]]:
    """Return the files of each known table, and the names of entries that look like a table and are not known."""
    found: dict[tuple[str, str], tuple[Path, ...]] = {}
    where: dict[tuple[str, str], Path] = {}
    unknown: list[str] = []
    for entry in _entries(folder):
        name = entry.stem if entry.is_file() else entry.name
        key = schema.family(name)
        if key is None:
            unknown += [name] if schema.LOOKS_LIKE_SNDS.match(name) else []
        elif key in where:
            _refuse_other_content(where[key], entry, folder)
        else:
            where[key] = entry
            found[key] = (entry,) if entry.is_file() else _parts(entry)
    return found, tuple(sorted(set(unknown)))


def _fullest(
    found: Mapping[tuple[str, str], tuple[Path, ...]],
) -> tuple[dict[tuple[str, str], tuple[Path, ...]], dict[tuple[str, str], tuple[Path, ...]]]:
    """Keep, of the files of one table and year, the one that reaches furthest; return also the others.

    A file of the year under way (``21_03``) is cumulative: the year, or a later month, holds all of its rows.
    """
    last: dict[tuple[str, int | None], str] = {}
    for name, period in found:
        key = (name, schema.year_of(period))
        if key not in last or (period and schema.end_of(last[key]) < schema.end_of(period)):
            last[key] = period
    fullest = {key: paths for key, paths in found.items() if last[key[0], schema.year_of(key[1])] == key[1]}
    return fullest, {key: paths for key, paths in found.items() if key not in fullest}


def _refuse_other_content(first: Path, second: Path, folder: Path) -> None:
    """Accept a second copy of a table only if it is the same file, byte for byte."""
    if not (first.is_file() and second.is_file() and cmp(first, second, shallow=False)):
        raise ExtractError(
            f"table {second.stem} is there twice with different content, as {first.relative_to(folder)} and "
            f"{second.relative_to(folder)}; keep one"
        )


def _entries(folder: Path) -> Iterator[Path]:
    """Yield table files and table folders, without looking inside those of known tables."""
    for entry in sorted(folder.iterdir()):
        if entry.is_dir() and not schema.family(entry.name):
            yield from ([entry] if schema.LOOKS_LIKE_SNDS.match(entry.name) else [])
            yield from _entries(entry)
        elif entry.is_dir() or entry.suffix.lower() in SUFFIXES:
            yield entry


def _parts(folder: Path) -> tuple[Path, ...]:
    parts = tuple(sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES))
    if not parts:
        raise ExtractError(
            f"{folder.name} is a folder without .parquet or .csv files; put the table's files in it"
        )
    return parts


def _settings(folder: Path) -> dict[str, object]:
    path = folder / "extract.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ExtractError(f"{path} is not valid TOML: {error}; mend that line") from error


def _raw(path: Path) -> pl.LazyFrame:
    if path.suffix.lower() == ".csv":
        return pl.scan_csv(path, separator=_separator(path), infer_schema=False, glob=False)
    return pl.scan_parquet(path, glob=False)


def _columns(path: Path) -> list[str]:
    try:
        return _raw(path).collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ExtractError(_cannot_read(path)) from error


def _collect(frame: pl.LazyFrame, path: Path) -> pl.DataFrame:
    try:
        return frame.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ExtractError(_cannot_read(path)) from error


def _cannot_read(path: Path) -> str:
    kind = "Parquet" if path.suffix.lower() == ".parquet" else "CSV"
    return f"{path.name} can't be read as {kind}: it is empty, truncated or damaged; export it again"


def _separator(path: Path) -> str:
    with path.open("rb") as file:
        header = file.readline()
    return max(";,\t|", key=lambda mark: header.count(mark.encode()))


def _as_utf8(path: Path, work: Path) -> Path:
    """Return the file itself if it is UTF-8, else a copy rewritten from Latin-1 in the work folder."""
    if _is_utf8(path):
        return path
    copy = work / "utf8" / f"{abs(hash(path))}-{path.name}"
    copy.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open(encoding="latin-1", newline="") as old,
        copy.open("w", encoding="utf-8", newline="") as new,
    ):
        while piece := old.read(CHUNK):
            new.write(piece)
    return copy


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as file:
        try:
            while piece := file.read(CHUNK):
                decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _shape(wrong: pl.LazyFrame, column: str) -> str:
    """Return the shape of the first of some values, letters and digits masked."""
    text = pl.col(column).cast(pl.String)
    masked = wrong.select(text.str.replace_all(r"\d", "9").str.replace_all(r"[A-Za-zÀ-ÿ]", "a").str.head(20))
    return str(masked.head(1).collect().item(0, 0))


def _empty(table: schema.Table) -> pl.LazyFrame:
    return pl.LazyFrame(schema={column: schema.DTYPES[kind] for column, kind in table.columns.items()})
