"""What the command does, as functions: build, check, mine, train, score, demo.

Each takes paths and plain values, leaves a study folder behind, and returns an object that a script can use.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import polars as pl

from eventlogs import table, xes
from eventlogs.engine import Progress, silent
from eventlogs.errors import DisclosureRefused, StudyError
from eventlogs.log import EventLog
from eventlogs.quality import QualityReport, check_log
from pathways import definition
from pathways.definition import Language, Pathway
from pathways.study import (
    SCHEMA,
    Study,
    fingerprint,
    hashes,
    measured,
    package_versions,
    replacing,
    write_json,
)

Door = Literal["snds", "xes", "table"]
Role = Literal["snds", "network", "log"]


@dataclass(frozen=True)
class _Made:
    """What a door left in the study's folder, for the manifest."""

    counts: Mapping[str, int]
    role: str
    feed: str
    synthetic: bool
    cutoff: Mapping[str, date]
    absent: tuple[str, ...] = ()


def build(
    source: str | Path,
    out: str | Path,
    *,
    pathway: str | Path | None = None,
    door: Door = "snds",
    columns: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> Study:
    """Turn a source into a study: the event log, its patients, its manifest and its quality checks.

    Parameters
    ----------
    source : path
        An SNDS extract folder, an XES file, or a table (file or folder).
    out : path
        The study folder; a study already there is replaced once the new one is whole.
    pathway : str or path, optional
        A built-in definition's name or a TOML file. Needed for ``snds``; a ready log is mapped without one.
    door : {'snds', 'xes', 'table'}
        What `source` is.
    columns : mapping of str to str, optional
        Canonical column → column or attribute of the source (``xes`` and ``table``).
    progress : callable
        Told of each step: what, done, total.

    Returns
    -------
    Study

    Raises
    ------
    ExtractError, LogError, DefinitionError, StudyError
        The input can't be used; nothing is written.
    """
    place, chosen = Path(source), definition.load(pathway) if pathway is not None else None
    with measured("build") as step, replacing(Path(out)) as folder:
        made = _DOORS[door](place, folder, chosen, dict(columns or {}), progress)
        if chosen is not None:
            (folder / "pathway.toml").write_text(chosen.text, encoding="utf-8")
        write_json(folder / "manifest.json", _manifest(place, door, chosen, made))
        built = Study.open(folder)
        write_json(folder / "quality.json", _quality(check_log(built.log(), made.counts)))
    study = Study.open(out)
    study.record(step)
    return Study.open(out)


def _manifest(source: Path, door: Door, pathway: Pathway | None, made: _Made) -> dict[str, Any]:
    inputs = hashes(source)
    return {
        "schema": SCHEMA,
        "study": fingerprint(inputs, pathway),
        "packages": package_versions(),
        "source": {"door": door, "name": source.name, "sha256": inputs},
        "pathway": None if pathway is None else _identity(pathway),
        "within_day": [] if pathway is None else list(pathway.within_day),
        "role": made.role,
        "feed": made.feed,
        "synthetic": made.synthetic,
        "cutoff": {name: day.isoformat() for name, day in made.cutoff.items()},
        "absent": list(made.absent),
        "counts": dict(made.counts),
        "steps": [],
    }


def _identity(pathway: Pathway) -> dict[str, Any]:
    return {
        "id": pathway.id,
        "version": pathway.version,
        "label": dict(pathway.label),
        "sha256": pathway.sha256,
    }


def _quality(report: QualityReport) -> dict[str, Any]:
    return {
        "checks": [check.to_dict() for check in report.checks],
        "fatal": [check.id for check in report.fatal],
    }


def _from_snds(
    source: Path, folder: Path, pathway: Pathway | None, columns: dict[str, str], progress: Progress
) -> _Made:
    from eventlogs.snds import build as snds

    if pathway is None:
        raise StudyError(
            "an SNDS extract needs a pathway definition that says which codes are events; "
            f"add --pathway, one of: {', '.join(definition.built_in())}, or a TOML file"
        )
    if columns:
        raise StudyError(
            "columns of an SNDS extract are renamed in its extract.toml [columns]; leave --columns out"
        )
    with tempfile.TemporaryDirectory(prefix=".work-", dir=folder) as work:
        report = snds.build(source, pathway.rules(), folder, Path(work), progress)
    absent = (*report.absent_tables, *report.absent_columns)
    return _Made(report.counts, "snds", "snds_annual", report.synthetic, report.cutoff, absent)


def _from_xes(
    source: Path, folder: Path, pathway: Pathway | None, columns: dict[str, str], progress: Progress
) -> _Made:
    return _ready(table.Source(xes.read(source, columns)), folder, pathway, progress)


def _from_table(
    source: Path, folder: Path, pathway: Pathway | None, columns: dict[str, str], progress: Progress
) -> _Made:
    return _ready(table.read(source, columns, pathway.within_day if pathway else ()), folder, pathway, progress)


_DOORS: dict[Door, Callable[[Path, Path, Pathway | None, dict[str, str], Progress], _Made]] = {
    "snds": _from_snds,
    "xes": _from_xes,
    "table": _from_table,
}


def _ready(source: table.Source, folder: Path, pathway: Pathway | None, progress: Progress) -> _Made:
    progress("write", 0, 1)
    if pathway is not None:
        definition.check_against(pathway, source.log.activities)
    log = table.with_index(source.log, pathway.cohort.index_activities if pathway else ())
    _write_log(log, folder)
    progress("write", 1, 1)
    horizons = (
        log.horizons.drop_nulls("observed_until").group_by("source").agg(pl.col("observed_until").max())
    )
    return _Made(
        counts={"events_read": log.n_events, "events": log.n_events, "patients": log.n_patients},
        role=str(source.settings.get("role", "log")),
        feed=str(source.settings.get("feed", "hospital_live")),
        synthetic=bool(source.settings.get("synthetic", False)),
        cutoff={row["source"]: row["observed_until"].date() for row in horizons.to_dicts()},
    )


def _write_log(log: EventLog, folder: Path) -> None:
    (folder / "events").mkdir()
    log.events.write_parquet(folder / "events" / "part-00000.parquet")
    log.patients.write_parquet(folder / "patients.parquet")
    log.horizons.write_parquet(folder / "horizons.parquet")


def check(study: str | Path) -> QualityReport:
    """Run the quality checks on a study and write them to its ``quality.json``.

    Raises
    ------
    StudyError
        There is no whole study.
    """
    opened = Study.open(study)
    report = check_log(opened.log(), opened.manifest["counts"])
    write_json(opened.path / "quality.json", _quality(report))
    return report
