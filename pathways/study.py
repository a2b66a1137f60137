"""The study folder: what a build leaves and the later steps add to, replaced as a whole or not at all.

::

    STUDY/
      manifest.json       what was read, with hashes; what was dropped and why; each step's time, memory, energy
      pathway.toml        the definition that was used (absent for a log mapped without one)
      events/             the log, Parquet, sorted by patient and rank
      origins/            the source rows that each event stands for (SNDS), sorted likewise
      withdrawn/          events that a later line took back
      attrition.json      who entered the cohort, step by step (SNDS)
      regimens.parquet    guesses at chemotherapy regimens, where the definition asks for them (SNDS)
      patients.parquet    horizons.parquet
      quality.json        the checks
      released/           what may leave: every table already through the disclosure gate
      selections/<hash>/  the same of a part of the patients: filters.toml, selection.json, released/
      contrasts/<name>/   comparisons of groups: released/, map.svg, map.png
      ledger/             who was in each released selection, at patient level: it never leaves
      model/              the risk model
      lists/              risk lists
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from eventlogs.abstraction import Abstraction, Eras, Level, at_level, eras
from eventlogs.errors import DefinitionError, LogError, StudyError, did_you_mean
from eventlogs.log import EVENT_COLUMNS, EventLog, empty
from pathways.definition import Language, Pathway, parse
from pathways.disclosure import Released
from pathways.filters import FilterStack
from pathways.mining.kernels import EventScan

SCHEMA = 1
"""Version of the folder's form."""

PACKAGES = ("care-pathways", "polars", "pm4py", "scikit-learn", "numpy")

WATTS_PER_CORE = 15.0
"""Assumed draw of a busy core with its share of memory: an assumption, since this machine has no meter."""

GRAMS_PER_KWH = 56.0
"""Carbon intensity of French electricity used by codecarbon 3.3 (gCO2e/kWh)."""


@dataclass(frozen=True)
class Study:
    """A study folder, opened.

    Parameters
    ----------
    path : pathlib.Path
        The folder.
    manifest : dict
        Content of ``manifest.json``.
    """

    path: Path
    manifest: Mapping[str, Any] = field(repr=False)

    @classmethod
    def open(cls, path: str | Path) -> Study:
        """Open a study.

        Raises
        ------
        StudyError
            There is none at `path`, it is half there, or of another version.
        """
        folder = Path(path)
        _recover(folder)
        if not folder.is_dir():
            raise StudyError(f"{folder} is not a study; make one with: pathways build SOURCE -o {folder}")
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError) as error:
            raise StudyError(
                f"{folder} has no readable manifest.json, so it is no whole study; build it again"
            ) from error
        if manifest.get("schema") != SCHEMA:
            raise StudyError(
                f"{folder} has form {manifest.get('schema')}, this version reads {SCHEMA}; build it again"
            )
        for name in ("events", "patients.parquet", "horizons.parquet"):
            if not (folder / name).exists():
                raise StudyError(f"{folder} lacks {name}, so it is no whole study; build it again")
        return cls(folder, manifest)

    @property
    def is_aggregate(self) -> bool:
        """Whether the study was built from anonymous tables: it has no log."""
        return bool(self.manifest["source"]["door"] == "aggregate")

    def log(self) -> EventLog:
        """Read the event log.

        Raises
        ------
        StudyError
            A file is damaged, or the study has none.
        """
        if self.is_aggregate:
            raise StudyError(
                f"{self.path} was built from anonymous tables and has no event log; it can be served, and nothing else"
            )
        try:
            return EventLog(
                events=_parts(self.path / "events"),
                patients=pl.read_parquet(self.path / "patients.parquet", glob=False),
                horizons=pl.read_parquet(self.path / "horizons.parquet", glob=False),
                withdrawn=_parts(self.path / "withdrawn"),
                within_day=tuple(self.manifest["within_day"]),
            )
        except (pl.exceptions.PolarsError, OSError) as error:
            raise StudyError(f"{self.path} has a damaged table; build it again") from error

    def scan(self) -> EventScan:
        """Return the events as files that the kernels read slice by slice: for a log larger than memory.

        Raises
        ------
        StudyError
            A file is damaged, or the study has no events.
        """
        if self.is_aggregate:
            raise StudyError(f"{self.path} was built from anonymous tables and has no event log to scan")
        try:
            patients = pl.read_parquet(self.path / "patients.parquet", glob=False)
            return EventScan.open(self.path / "events", is_sorted=True, patients=patients)
        except (pl.exceptions.PolarsError, OSError, LogError) as error:
            raise StudyError(f"{self.path} has a damaged table; build it again") from error

    def pathway(self) -> Pathway | None:
        """Return the definition that the study was built with, or None."""
        path = self.path / "pathway.toml"
        return parse(path.read_text(encoding="utf-8"), path.name) if path.is_file() else None

    def needed_pathway(self) -> Pathway:
        """Return the definition.

        Raises
        ------
        StudyError
            The study has none.
        """
        if pathway := self.pathway():
            return pathway
        raise StudyError(f"{self.path} was built without a pathway definition; build it again with --pathway")

    def origins(self) -> pl.LazyFrame:
        """Return the source rows that each event stands for, to be filtered before they are collected.

        Returns
        -------
        polars.LazyFrame
            ``patient_id``, ``rank`` (of the event), ``source`` (table), ``key``, ``code``, ``code_system``, ``atc``,
            ``start``, ``quantity``; sorted by patient and rank.

        Raises
        ------
        StudyError
            The study was not built from SNDS tables.
        """
        parts = sorted((self.path / "origins").glob("*.parquet"))
        if not parts:
            raise StudyError(
                f"{self.path} has no origins: only a build from SNDS tables keeps them; build it again"
            )
        return pl.scan_parquet(parts, glob=False)

    def molecules(self) -> pl.DataFrame | None:
        """Return the molecule of each code of a medicine: ``code_system``, ``code``, ``atc``; None without origins."""
        if not (self.path / "origins").is_dir():
            return None
        columns = ["code_system", "code", "atc"]
        return self.origins().select(columns).drop_nulls().unique().sort(columns).collect()

    def origins_of(self, events: pl.DataFrame) -> pl.DataFrame:
        """Return the source rows of chosen events.

        Parameters
        ----------
        events : polars.DataFrame
            Rows of ``study.log().events``: ``patient_id`` and ``rank`` name an event. A log that was cut or renamed
            (`EventLog.as_of`, `EventLog.keep_activities`) is numbered anew and fits no longer.

        Returns
        -------
        polars.DataFrame
            Columns of `origins`, sorted by patient and rank.

        Raises
        ------
        StudyError
            The study was not built from SNDS tables.
        """
        chosen = events.select("patient_id", "rank").unique().lazy()
        return self.origins().join(chosen, on=["patient_id", "rank"], how="semi").collect()

    def at_level(self, level: Level) -> Abstraction:
        """Return the log at a level of abstraction, with the origins of its events.

        Parameters
        ----------
        level : {'code', 'activity', 'phase'}
            As in `eventlogs.abstraction.at_level`.

        Raises
        ------
        StudyError
            A file is damaged.
        DefinitionError
            Phases are asked for and the study has no definition.
        """
        traced, pathway = (self.path / "origins").is_dir(), self.pathway()
        return at_level(
            self.log(),
            level,
            origins=self.origins().collect() if traced else None,
            phases=None if pathway is None else pathway.phase_of(),
        )

    def eras(self) -> Eras:
        """Return the eras of the definition (courses, cycles, stays, exposures) in the log, with their parts.

        Raises
        ------
        StudyError
            The study has no definition, or a file is damaged.
        """
        return eras(self.log(), self.needed_pathway().rules().eras)

    def attrition(self) -> pl.DataFrame:
        """Return who entered the cohort, step by step.

        Returns
        -------
        polars.DataFrame
            ``step``, ``persons`` left after it, ``excluded`` by it, ``words``; in order.

        Raises
        ------
        StudyError
            The study was not built from SNDS tables, or the file is damaged.
        """
        path = self.path / "attrition.json"
        if not path.is_file():
            raise StudyError(
                f"{self.path} has no attrition.json: only a build from SNDS tables makes it; build it again"
            )
        try:
            return pl.DataFrame(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, json.JSONDecodeError) as error:
            raise StudyError(f"{path} is damaged; build the study again") from error

    def regimens(self) -> pl.DataFrame:
        """Return the regimens guessed from the spacing of chemotherapy sessions, all of low confidence.

        Returns
        -------
        polars.DataFrame
            A course a row: ``patient_id``, ``start``, ``end``, ``n_sessions``, ``spacing``, ``regimen``,
            ``confidence``.

        Raises
        ------
        StudyError
            The study has none: they are inferred only where the definition asks for it.
        """
        path = self.path / "regimens.parquet"
        if not path.is_file():
            raise StudyError(
                f"{self.path} has no regimens; set infer_regimens = true in [snds] of the definition and build it again"
            )
        return pl.read_parquet(path, glob=False)

    def released_names(self) -> list[str]:
        """Return the names of the released tables."""
        return sorted(path.stem for path in (self.path / "released").glob("*.parquet"))

    def released(self, name: str) -> Released:
        """Read a released table.

        Raises
        ------
        StudyError
            It is not there or can't be read.
        """
        return _read_released(self.path, name, f"pathways mine {self.path}")

    def selections(self) -> list[SelectedStudy]:
        """Return the released selections of patients, by hash.

        Raises
        ------
        StudyError
            One is damaged.
        """
        folders = sorted((self.path / "selections").glob("[!.]*"))
        return [SelectedStudy.open(self, folder.name) for folder in folders]

    def selection(self, filter_hash: str) -> SelectedStudy:
        """Return one released selection.

        Raises
        ------
        StudyError
            There is none of this hash.
        """
        known = [folder.name for folder in (self.path / "selections").glob("[!.]*")]
        if filter_hash not in known:
            near = (
                did_you_mean(filter_hash, known)
                if known
                else "; make one: pathways mine STUDY --filters FILE"
            )
            raise StudyError(f"{self.path} has no selection '{filter_hash}'{near}")
        return SelectedStudy.open(self, filter_hash)

    def risk_lists(self) -> list[Path]:
        """Return the risk lists (CSV) of the study, newest first."""
        return sorted(
            (self.path / "lists").glob("*.csv"), key=lambda path: path.stat().st_mtime, reverse=True
        )

    def record(self, step: Mapping[str, Any]) -> None:
        """Add a step to the manifest, atomically."""
        manifest = {**self.manifest, "steps": [*self.manifest["steps"], dict(step)]}
        write_json(self.path / "manifest.json", manifest)

    def __repr__(self) -> str:
        counts = self.manifest["counts"]
        return f"Study({self.path.name}: {counts['patients']} patients, {counts['events']} events)"


@dataclass(frozen=True)
class SelectedStudy:
    """A part of a study's patients, as released: it can be read where the released tables of a study are.

    Parameters
    ----------
    path : pathlib.Path
        ``STUDY/selections/<hash>``.
    manifest : dict
        That of the study.
    stack : FilterStack
        Who is in it.
    name : str
        What the user called it; may be empty.
    words : mapping of language to tuple of str
        The filters in words.
    """

    path: Path
    manifest: Mapping[str, Any] = field(repr=False)
    stack: FilterStack
    name: str
    words: Mapping[Language, tuple[str, ...]] = field(repr=False)

    @classmethod
    def open(cls, study: Study, filter_hash: str) -> SelectedStudy:
        """Open a selection of a study.

        Raises
        ------
        StudyError
            It is damaged.
        """
        folder = study.path / "selections" / filter_hash
        try:
            said = json.loads((folder / "selection.json").read_text(encoding="utf-8"))
            stack = FilterStack.from_toml((folder / "filters.toml").read_text(encoding="utf-8"))
            words: dict[Language, tuple[str, ...]] = {
                "fr": tuple(said["words_fr"]),
                "en": tuple(said["words_en"]),
            }
            return cls(folder, study.manifest, stack, said["name"], words)
        except (OSError, json.JSONDecodeError, KeyError, DefinitionError) as error:
            raise StudyError(f"{folder} is damaged; mine this selection again with its filters") from error

    @property
    def hash(self) -> str:
        """The hash of its stack."""
        return self.stack.hash

    def released_names(self) -> list[str]:
        """Return the names of the released tables."""
        return sorted(path.stem for path in (self.path / "released").glob("*.parquet"))

    def released(self, name: str) -> Released:
        """Read a released table.

        Raises
        ------
        StudyError
            It is not there or can't be read.
        """
        again = f"pathways mine {self.path.parents[1]} --filters {self.path / 'filters.toml'}"
        return _read_released(self.path, name, again)

    def risk_lists(self) -> list[Path]:
        """Return no risk list: they are of whole studies."""
        return []


def _read_released(place: Path, name: str, again: str) -> Released:
    folder = place / "released"
    if not (folder / f"{name}.parquet").is_file():
        raise StudyError(f"{place} has no released table '{name}'; make them with: {again}")
    try:
        meta = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        return Released(name, pl.read_parquet(folder / f"{name}.parquet", glob=False), meta)
    except (pl.exceptions.PolarsError, OSError, json.JSONDecodeError) as error:
        raise StudyError(f"released table '{name}' of {place} is damaged; make it again: {again}") from error


def _parts(folder: Path) -> pl.DataFrame:
    parts = [pl.read_parquet(part, glob=False) for part in sorted(folder.glob("*.parquet"))]
    return pl.concat(parts) if parts else empty(EVENT_COLUMNS)


def write_released(folder: Path, tables: Sequence[Released]) -> None:
    """Write released tables: a Parquet and a JSON (numerator, denominator, threshold, filters, study) each."""
    for table in tables:
        table.frame.write_parquet(folder / f"{table.name}.parquet")
        write_json(folder / f"{table.name}.json", table.meta)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON to a temporary sibling, then rename."""
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str), encoding="utf-8")
    partial.replace(path)


def check_place(source: Path, out: Path) -> None:
    """Refuse to write a study where something else is, or over its own source.

    Raises
    ------
    StudyError
        `out` is the source, holds it, or is a folder that holds something and is no study.
    """
    here, there = out.resolve(), source.resolve()
    if here == there or here in there.parents:
        raise StudyError(f"{out} is or holds the source {source}; choose another folder for the study")
    if here.is_dir() and any(here.iterdir()) and not (here / "manifest.json").is_file():
        raise StudyError(f"{out} holds files and is no study; choose another folder, or empty it first")


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give a temporary sibling to fill, and put it in the place of `folder` if all went well.

    A killed run leaves the old folder; the sibling of a killed run is removed by the next one.

    Raises
    ------
    StudyError
        `folder` is a file, or its parent can't be written.
    """
    if folder.is_file():
        raise StudyError(f"{folder} is a file; give the name of a folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _recover(folder)
        for stale in folder.parent.glob(f".{folder.name}.partial-*"):
            _remove_if_abandoned(stale)
        partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
        partial.mkdir()
    except OSError as error:
        raise StudyError(
            f"{folder.parent} can't be written ({error.strerror}); choose another place"
        ) from error
    try:
        yield partial
        _put_in_place(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(partial: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Put back the old folder if a run was killed between the two renames."""
    folder = folder.resolve()
    old = folder.with_name(f".{folder.name}.old")
    if old.is_dir() and not folder.exists():
        old.rename(folder)
    elif old.is_dir():
        shutil.rmtree(old, ignore_errors=True)


def _remove_if_abandoned(partial: Path) -> None:
    try:
        os.kill(int(partial.name.rpartition("-")[2]), 0)
    except ProcessLookupError:
        shutil.rmtree(partial, ignore_errors=True)
    except PermissionError:
        return


@contextmanager
def measured(name: str) -> Iterator[dict[str, Any]]:
    """Measure a step: yields a dict that holds, at the end, its time, memory and estimated energy."""
    start, cpu = time.perf_counter(), _cpu_seconds()
    step: dict[str, Any] = {"step": name, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    yield step
    used = _cpu_seconds() - cpu
    energy = used / 3600 * WATTS_PER_CORE / 1000
    step |= {
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(used, 2),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "energy_kwh_estimate": energy,
        "carbon_g_estimate": energy * GRAMS_PER_KWH,
        "energy_assumes": f"{WATTS_PER_CORE} W per busy core, {GRAMS_PER_KWH} gCO2e/kWh (France)",
    }


def _cpu_seconds() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def hashes(source: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a source, by its path inside it; the folder ``truth`` is never opened."""
    if source.is_file():
        return {source.name: _sha256(source)}
    files = (path for path in sorted(source.rglob("*")) if path.is_file())
    inside = {path.relative_to(source).as_posix(): path for path in files}
    return {name: _sha256(path) for name, path in inside.items() if not name.startswith("truth/")}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(inputs: Mapping[str, str], pathway: Pathway | None) -> str:
    """Return the study's hash: of its inputs, its definition, and this package's version."""
    parts = [
        version("care-pathways"),
        pathway.sha256 if pathway else "",
        *(f"{k}={v}" for k, v in sorted(inputs.items())),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that the numbers depend on."""
    return {name: version(name) for name in PACKAGES}
