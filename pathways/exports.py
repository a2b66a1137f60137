"""What leaves a study as files: patient-level ones, kept out of every ``released/``, and released ones.

Beside each table stands a JSON: whether it is patient-level; what is counted, the filters, the threshold, the study.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import networkx as nx
import polars as pl

from eventlogs import xes
from eventlogs.abstraction import Level
from eventlogs.errors import InputError, did_you_mean
from eventlogs.log import EventLog
from eventlogs.patient_level import NOTICE, keep_outside_released
from pathways.definition import Language
from pathways.disclosure import Released
from pathways.drawing import map_png, map_svg
from pathways.mining.kernels import EDGE_COLUMNS, directly_follows, variants
from pathways.mining.maps import ProcessMap, milestone_log
from pathways.mining.pm4py_door import (
    Alignments,
    ProcessModel,
    align,
    discover_released,
    load_model,
    milestone_model,
)
from pathways.mining.readable import opening
from pathways.study import SelectedStudy, Study, write_json

TABLES = (".csv", ".parquet")
"""Suffixes of a table."""

LOGS = (".xes", ".xes.gz", *TABLES)
"""Suffixes of a log."""


@dataclass(frozen=True)
class Asked:
    """What is to be exported, beside its name.

    Parameters
    ----------
    study : Study
        The study.
    level : {'code', 'activity', 'phase'}
        Of the log, or of the released edges.
    patient : str or None
        Whose trace.
    model : path or None
        The model to align with (``.pnml``, ``.bpmn``); the definition's milestones in order without one.
    language : {'fr', 'en'}
        Of a drawn map.
    measure : str
        What the arrows of a drawn map show, as in `pathways.drawing.map_svg`.
    activities_share, paths_share : float, optional
        Shares of the most frequent activities and paths that a drawn map keeps, 0 to 1; without them, those at
        which the app opens.
    """

    study: Study
    level: Level = "activity"
    patient: str | None = None
    model: str | Path | None = None
    language: Language = "fr"
    measure: str = "n_patients"
    activities_share: float | None = None
    paths_share: float | None = None
    selection: str | None = None

    @property
    def tables(self) -> Study | SelectedStudy:
        """What holds the released tables: the study, or a selection of its patients."""
        return self.study if self.selection is None else self.study.selection(self.selection)

    def log(self) -> EventLog:
        """Return the study's log at the level asked for."""
        return self.study.log() if self.level == "activity" else self.study.at_level(self.level).log


Meta = dict[str, Any]


@dataclass(frozen=True)
class Export:
    """One thing that can be exported: its words, its suffixes, and the function that writes it and tells its meta.

    ``options`` are those of `Asked` that it looks at, beside the selection.
    """

    words: str
    suffixes: tuple[str, ...]
    write: Callable[[Asked, Path], Meta]
    patient_level: bool
    options: tuple[str, ...] = ()


def export(
    study: str | Path,
    what: str,
    out: str | Path,
    *,
    level: Level = "activity",
    patient: str | None = None,
    model: str | Path | None = None,
    language: Language = "fr",
    measure: str = "n_patients",
    activities_share: float | None = None,
    paths_share: float | None = None,
    selection: str | None = None,
) -> Path:
    """Write one thing of a study to a file, in one move, and a JSON that says what it is beside it.

    Parameters
    ----------
    study : path
        The study.
    what : str
        A name of `EXPORTS`, or of a released table (``edges``, ``variants`` …).
    out : path
        The file; its suffix chooses the form.
    level : {'code', 'activity', 'phase'}
        Of the log or of the map.
    patient : str, optional
        Whose ``trace``.
    model : path, optional
        The model of ``alignments``; the definition's milestones in order without one.
    language : {'fr', 'en'}
        Of a drawn ``map``.
    measure : {'n_patients', 'n_events', 'median_days', 'p90_days'}
        What the arrows of a drawn ``map`` show.
    activities_share, paths_share : float, optional
        Shares of the most frequent activities and paths that a drawn ``map`` keeps, 0 to 1; without them, those at
        which the app opens.
    selection : str, optional
        Hash of a released selection of patients: its tables, map or model.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    DisclosureRefused
        Something patient-level would enter a folder ``released``.
    InputError
        The study, the name, the suffix, the patient or the model can't be used.
    """
    looks = (level, patient, model, language, measure, activities_share, paths_share, selection)
    asked, path = Asked(Study.open(study), *looks), Path(out)
    chosen = _chosen(asked.tables, what)
    if chosen.patient_level and selection is not None:
        raise InputError(
            f"'{what}' is of the whole study; leave --selection out, or apply the filters to its log"
        )
    _check_path(path, what, chosen)
    _check_options(asked, what, chosen)
    with _in_one_move(path, chosen.suffixes) as part:
        meta = chosen.write(asked, part)
    notice = {"notice": NOTICE} if chosen.patient_level else {}
    about = {"what": chosen.words, "patient_level": chosen.patient_level, **notice}
    write_json(path.with_name(f"{path.name}.json"), {**about, "study": asked.study.manifest["study"], **meta})
    return path


def _chosen(study: Study | SelectedStudy, what: str) -> Export:
    if what in EXPORTS:
        return EXPORTS[what]
    if what in study.released_names():
        return Export(f"the released table {what}", TABLES, _released_table(what), patient_level=False)
    raise InputError(
        f"there is no '{what}' to export{did_you_mean(what, [*EXPORTS, *study.released_names()])}"
    )


def _check_options(asked: Asked, what: str, chosen: Export) -> None:
    """Refuse an option that would change nothing."""
    of_all = ("study", "selection", *chosen.options)
    for one in fields(asked):
        if one.name not in of_all and getattr(asked, one.name) != one.default:
            option = one.name.replace("_", "-")
            raise InputError(f"'{what}' is the same whatever --{option} says; leave it out")


def _check_path(path: Path, what: str, chosen: Export) -> None:
    if not path.name.endswith(chosen.suffixes):
        raise InputError(f"{path.name} is no form of {what}; end it in {' or '.join(chosen.suffixes)}")
    if chosen.patient_level:
        keep_outside_released(path, what)
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is not a folder; make it first")


@contextmanager
def _in_one_move(path: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Give a file to write beside `path`, of the same suffix, and put it in its place if all went well."""
    suffix = max((one for one in suffixes if path.name.endswith(one)), key=len)
    part = path.with_name(f".{path.name}.partial-{os.getpid()}{suffix}")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise InputError(f"{path} can't be written ({error.strerror}); choose another place") from error
    finally:
        part.unlink(missing_ok=True)


def _events(asked: Asked, path: Path) -> Meta:
    return _write_log(asked.log(), path)


def _trace(asked: Asked, path: Path) -> Meta:
    if asked.patient is None:
        raise InputError("a trace is of one patient; say which with --patient")
    log, own = asked.log(), pl.col("patient_id") == asked.patient
    patients = log.patients.filter(own)
    if patients.is_empty():
        raise InputError("the study has no patient of that name; look in its patients.parquet")
    one = EventLog(log.events.filter(own), patients, log.horizons, log.withdrawn.filter(own), log.within_day)
    return _write_log(one, path)


def _write_log(log: EventLog, path: Path) -> Meta:
    if path.suffix in TABLES:
        _write_table(log.events, path)
    else:
        xes.write(log, path)
    return {"n_patients": log.n_patients, "n_events": log.n_events}


def _durations(asked: Asked, path: Path) -> Meta:
    _write_table(directly_follows(asked.log()), path)
    return {"columns": list(EDGE_COLUMNS)}


def _sequences(asked: Asked, path: Path) -> Meta:
    frame = variants(asked.log())
    _write_table(frame, path)
    return {"n_patients": frame["n_patients"].sum(), "n_sequences": frame.height}


def _alignments(asked: Asked, path: Path) -> Meta:
    found = _aligned(asked)
    _write_table(found.frame, path)
    names = ("average_fitness", "log_fitness", "fitting_share", "n_patients", "n_unaligned_patients")
    return {"model": _model_name(asked), **{name: getattr(found, name) for name in names}}


def _aligned(asked: Asked) -> Alignments:
    if asked.model is not None:
        log, model = asked.log(), load_model(asked.model)
        _check_shared(model, log)
        return align(ProcessMap.from_log(log, level=asked.level), model)
    pathway = asked.study.needed_pathway()
    return align(ProcessMap.from_log(milestone_log(asked.study.log(), pathway)), milestone_model(pathway))


def _check_shared(model: ProcessModel, log: EventLog) -> None:
    if not set(model.activities) & set(log.activities):
        raise InputError(
            f"{model.name} names no activity of the log at this level; its tasks are called as the log's activities "
            f"({', '.join(log.activities[:3])} …), or choose another --level"
        )


def _model_name(asked: Asked) -> str:
    return "milestones of the definition, in order" if asked.model is None else Path(asked.model).name


def _released_model(asked: Asked, path: Path) -> Meta:
    edges = asked.tables.released("edges")
    model = discover_released(edges.frame, level=asked.level)
    model.write_bpmn(path) if path.suffix == ".bpmn" else model.write_pnml(path)
    return {"level": asked.level, "from": "the released edges", **edges.meta}


def _released_map(asked: Asked, path: Path) -> Meta:
    tables = {name: asked.tables.released(name) for name in asked.tables.released_names()}
    if path.suffix == ".graphml":
        _write_graph(tables["nodes"], tables["edges"], asked.level, path)
        return {"level": asked.level, **tables["edges"].meta}
    looks: Meta = {name: getattr(asked, name) for name in ("level", "language", "measure")} | _shares(
        asked, tables
    )
    if path.suffix == ".svg":
        path.write_text(map_svg(tables, **looks), encoding="utf-8")
    else:
        path.write_bytes(map_png(tables, **looks))
    return {**looks, **tables["edges"].meta}


def _shares(asked: Asked, tables: Mapping[str, Released]) -> Meta:
    """Return the shares asked for; those not asked for are of the map at its opening."""
    nodes, edges = (tables[name].frame.filter(level=asked.level) for name in ("nodes", "edges"))
    activities, paths = opening(nodes, edges)
    return {
        "activities_share": activities if asked.activities_share is None else asked.activities_share,
        "paths_share": paths if asked.paths_share is None else asked.paths_share,
    }


def _write_graph(nodes: Released, edges: Released, level: Level, path: Path) -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    for row in nodes.frame.filter(level=level).to_dicts():
        graph.add_node(row.pop("activity"), **_told(row))
    for row in edges.frame.filter(level=level).to_dicts():
        graph.add_edge(row.pop("source"), row.pop("target"), **_told(row))
    nx.write_graphml(graph, path)


def _told(row: Mapping[str, Any]) -> Meta:
    """Leave out what is hidden: the format has no null."""
    return {name: value for name, value in row.items() if value is not None}


def _released_table(name: str) -> Callable[[Asked, Path], Meta]:
    def write(asked: Asked, path: Path) -> Meta:
        table = asked.tables.released(name)
        _write_table(table.frame, path)
        return table.meta

    return write


def _write_table(frame: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        _flat(frame).write_csv(path)


BETWEEN = " > "
"""What separates the activities of a sequence in a CSV."""


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Write lists of words as one text, and leave out lists of more: a CSV has neither."""
    nested = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    words = [name for name in nested if frame.schema[name] == pl.List(pl.String)]
    joined = frame.with_columns(pl.col(name).list.join(BETWEEN) for name in words)
    return joined.drop(name for name in nested if name not in words)


_LOOKS = ("level", "language", "measure", "activities_share", "paths_share")

EXPORTS: Mapping[str, Export] = {
    "events": Export("the event log", LOGS, _events, True, ("level",)),
    "trace": Export("the events of one patient", LOGS, _trace, True, ("level", "patient")),
    "durations": Export("steps with least and greatest delay, in days", TABLES, _durations, True, ("level",)),
    "sequences": Export("every sequence of activities", TABLES, _sequences, True, ("level",)),
    "alignments": Export(
        "every sequence matched with a model", TABLES, _alignments, True, ("level", "model")
    ),
    "model": Export(
        "a model found in released edges", (".bpmn", ".pnml"), _released_model, False, ("level",)
    ),
    "map": Export("the released map", (".svg", ".png", ".graphml"), _released_map, False, _LOOKS),
}
"""What can be exported beside released tables, by name."""
