"""What the command does, as functions: build, check, mine, train, score, demo.

Each takes paths and plain values, leaves a study folder behind, and returns an object that a script can use.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from eventlogs import meds, networks, omop, table, xes
from eventlogs.activities import ActivityRules
from eventlogs.checks.evidence import Counted
from eventlogs.engine import Progress, silent
from eventlogs.errors import DefinitionError, DisclosureRefused, InputError, StudyError, did_you_mean
from eventlogs.feeds import FEEDS, feed_of
from eventlogs.log import EVENT_COLUMNS, HORIZON_COLUMNS, PATIENT_COLUMNS, EventLog, empty
from eventlogs.quality import QualityComparison, QualityReport, check_log, compare_quality
from pathways import contrasts, definition, selections
from pathways.aggregates import LIMITS, read_aggregates, settings_of
from pathways.definition import Language, Pathway
from pathways.disclosure import (
    POLICY,
    DisclosurePolicy,
    Origin,
    Released,
)
from pathways.drawing import difference_map, svg_to_png
from pathways.filters import FilterStack
from pathways.mining.pm4py_door import discover_released
from pathways.releases import Material, Ties, released
from pathways.risk.model import RiskModel, load_model
from pathways.risk.model import train as fit
from pathways.risk.risklist import RiskList
from pathways.risk.risklist import score as risk_list
from pathways.study import (
    SCHEMA,
    Study,
    check_place,
    fingerprint,
    hashes,
    measured,
    package_versions,
    replacing,
    write_json,
    write_released,
)

if TYPE_CHECKING:
    from eventlogs.snds.traps import Trap

Door = Literal["snds", "aggregate", "omop", "meds", "xes", "table"]


_Reader = Callable[[Path, Path, Pathway | None, dict[str, str], Progress], "_Made"]


@dataclass(frozen=True)
class _Made:
    """What a door left in the study's folder, for the manifest."""

    counts: Mapping[str, int]
    role: str
    feed: str
    synthetic: bool
    cutoff: Mapping[str, date]
    absent: tuple[str, ...] = ()
    unused: Mapping[str, Any] = field(default_factory=dict)
    limits: tuple[str, ...] = ()


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
        An SNDS extract folder, the exports of ``extract-sql --aggregate``, a folder of OMOP tables, a MEDS data set,
        an XES file, or a table (file or folder).
    out : path
        The study folder; a study already there is replaced once the new one is whole.
    pathway : str or path, optional
        A built-in definition's name or a TOML file. Needed for ``snds`` and ``aggregate``; a ready log is mapped
        without one.
    door : {'snds', 'aggregate', 'omop', 'meds', 'xes', 'table'}
        What `source` is. A study of aggregates has released tables and no log.
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
    DisclosureRefused
        An aggregate is of too few patients.
    """
    place, chosen = Path(source), definition.load(pathway) if pathway is not None else None
    if door not in _DOORS:
        raise StudyError(f"there is no door '{door}'{did_you_mean(door, _DOORS)}")
    check_place(place, Path(out))
    with measured("build") as step, replacing(Path(out).resolve()) as folder:
        made = _DOORS[door](place, folder, chosen, dict(columns or {}), progress)
        if chosen is not None:
            _attribute(place, folder, chosen)
            (folder / "pathway.toml").write_text(chosen.text, encoding="utf-8")
        write_json(folder / "manifest.json", _manifest(place, door, chosen, made))
        _keep_ledger(Path(out), folder)
        built = Study.open(folder)
        checked = QualityReport(()) if built.is_aggregate else quality_of(built)
        write_json(folder / "quality.json", checked.to_dict())
    study = Study.open(out)
    study.record(step)
    return Study.open(out)


def _keep_ledger(former: Path, folder: Path) -> None:
    """Take over what the former study released: building it again must not make it forget."""
    if (former / "ledger").is_dir():
        shutil.copytree(former / "ledger", folder / "ledger")


def _attribute(place: Path, folder: Path, pathway: Pathway) -> None:
    """Fill the patients' network, where the definition has a rule and the source the table that it names."""
    rule = pathway.network
    if rule is None or not (place / rule.table).is_file():
        return
    patients, parts = folder / "patients.parquet", sorted((folder / "events").glob("*.parquet"))
    known = pl.read_parquet(patients, glob=False)
    events = pl.scan_parquet(parts, glob=False)
    networks.with_network(known, events, rule, networks.read(place / rule.table)).write_parquet(patients)


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
        "unused": dict(made.unused),
        "limits": list(made.limits),
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


def _from_snds(
    source: Path, folder: Path, pathway: Pathway | None, columns: dict[str, str], progress: Progress
) -> _Made:
    from eventlogs.snds import build as snds

    if source.is_file() or any((source / f"events{suffix}").is_file() for suffix in table.SUFFIXES):
        other = "xes" if ".xes" in source.suffixes else "table"
        raise StudyError(f"{source} is no SNDS extract; for a ready event log add --from {other}")
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
    unused = {
        "unknown_tables": list(report.unknown_tables),
        "superseded_tables": list(report.superseded_tables),
        "unread_columns": dict(report.unread_columns),
        "unreadable_values": dict(report.unreadable_values),
    }
    return _Made(report.counts, "snds", "snds_annual", report.synthetic, report.cutoff, absent, unused)


def _from_aggregate(
    source: Path, folder: Path, pathway: Pathway | None, columns: dict[str, str], progress: Progress
) -> _Made:
    """Write the released tables of a folder of exports, beside an empty log."""
    if pathway is None:
        raise StudyError("aggregates need the definition that wrote their SQL; add --pathway")
    if columns:
        raise StudyError("aggregates have the columns that the SQL gave them; leave --columns out")
    progress("write", 0, 1)
    synthetic = bool(settings_of(source).get("synthetic", False))
    tables = read_aggregates(
        source, pathway, Origin(fingerprint(hashes(source), pathway)), synthetic=synthetic
    )
    (folder / "released").mkdir()
    write_released(folder / "released", tables)
    _write_models(folder / "released", tables)
    _write_log(_empty_log(), folder)
    progress("write", 1, 1)
    summary = tables[0].frame.row(0, named=True)
    return _Made(
        counts={"events": summary["n_events"], "patients": summary["n_patients"]},
        role="snds",
        feed="snds_annual",
        synthetic=synthetic,
        cutoff={"all": summary["cutoff"]},
        limits=LIMITS,
    )


def _empty_log() -> EventLog:
    events = empty(EVENT_COLUMNS)
    return EventLog(events, empty(PATIENT_COLUMNS), empty(HORIZON_COLUMNS), events)


def _from_xes(
    source: Path, folder: Path, pathway: Pathway | None, columns: dict[str, str], progress: Progress
) -> _Made:
    return _ready(table.Source(xes.read(source, columns)), folder, pathway, progress)


def _from_warehouse(read: Callable[[Path, ActivityRules | None], table.Source]) -> _Reader:
    """Return the door of a warehouse, whose tables have standard columns."""

    def door(
        source: Path, folder: Path, pathway: Pathway | None, columns: dict[str, str], progress: Progress
    ) -> _Made:
        if columns:
            raise StudyError("a warehouse has standard columns; leave --columns out")
        return _ready(read(source, pathway.rules() if pathway else None), folder, pathway, progress)

    return door


def _from_table(
    source: Path, folder: Path, pathway: Pathway | None, columns: dict[str, str], progress: Progress
) -> _Made:
    return _ready(
        table.read(source, columns, pathway.within_day if pathway else ()), folder, pathway, progress
    )


_DOORS: dict[Door, _Reader] = {
    "snds": _from_snds,
    "aggregate": _from_aggregate,
    "omop": _from_warehouse(omop.read),
    "meds": _from_warehouse(meds.read),
    "xes": _from_xes,
    "table": _from_table,
}


def _ready(source: table.Source, folder: Path, pathway: Pathway | None, progress: Progress) -> _Made:
    progress("write", 0, 1)
    if pathway is not None:
        definition.check_against(pathway, source.log.activities)
        _check_triggers(pathway, source.log)
    log = table.with_index(source.log, pathway.cohort.index_activities if pathway else ())
    _write_log(log, folder)
    progress("write", 1, 1)
    horizons = (
        log.horizons.drop_nulls("observed_until").group_by("source").agg(pl.col("observed_until").max())
    )
    snds = feed_of(log) == FEEDS["snds_annual"]
    return _Made(
        counts={"events_read": log.n_events, "events": log.n_events, "patients": log.n_patients},
        role="snds" if snds else str(source.settings.get("role", "log")),
        feed="snds_annual" if snds else str(source.settings.get("feed", "hospital_live")),
        synthetic=bool(source.settings.get("synthetic", False)),
        cutoff={row["source"]: row["observed_until"].date() for row in horizons.to_dicts()},
    )


def _check_triggers(pathway: Pathway, log: EventLog) -> None:
    """Refuse a definition whose breakdowns nothing in the log can open: it is of something else."""
    triggers = {word for item in pathway.breakdowns.values() for word in item.trigger}
    if triggers and triggers.isdisjoint(log.activities):
        wanted, own = ", ".join(sorted(triggers)), ", ".join(log.activities[:8])
        raise DefinitionError(
            f"the log has none of the activities that open a breakdown of '{pathway.id}' ({wanted}); "
            f"its own are {own}…, so map them or give a definition of this log"
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
    report = quality_of(opened)
    write_json(opened.path / "quality.json", report.to_dict())
    return report


def quality_of(study: Study) -> QualityReport:
    """Run the quality checks on a study, with all that its build left; nothing is written.

    Raises
    ------
    StudyError
        A table of the study is damaged.
    """
    pathway, manifest = study.pathway(), study.manifest
    snds, traced = manifest["source"]["door"] == "snds", (study.path / "origins").is_dir()
    return check_log(
        study.log(),
        manifest["counts"],
        traps=_traps() if snds else (),
        origins=study.origins().select("patient_id", "rank").collect() if traced else None,
        absent=manifest["absent"] if snds else None,
        activities=None if pathway is None or not pathway.activities else tuple(pathway.activities),
    )


def _traps() -> list[Counted]:
    from eventlogs.snds.traps import TRAPS

    return [Counted(trap.id, trap.words, trap.unit, trap.source, _among(trap)) for trap in TRAPS.values()]


_AMONG = {"lines": "lines_read", "stays": "chained", "events": "events", "patients": "persons"}
"""Count of the build that a trap's count is a share of, by unit; rows and codes are of several kinds."""

_OF_THE_COHORT = ("ald_is_no_diagnosis", "without_ald", "death_sources", "deprivation_overseas")
"""Traps counted among the patients of the cohort; those of other patients' traps are all persons read."""


def _among(trap: Trap) -> str:
    return "patients" if trap.id in _OF_THE_COHORT else _AMONG.get(trap.unit, "")


def compare(study: str | Path, against: str | Path) -> QualityComparison:
    """Compare the quality of a study with that of another build, both checked now; nothing is written.

    Parameters
    ----------
    study : path
        The newer build.
    against : path
        The older one.

    Raises
    ------
    StudyError
        One of them is no whole study.
    """
    return compare_quality(quality_of(Study.open(against)), quality_of(Study.open(study)))


def mine(
    study: str | Path,
    *,
    filters: FilterStack | str | Path | None = None,
    name: str = "",
    policy: DisclosurePolicy = POLICY,
    ties: Ties = "order",
    progress: Progress = silent,
) -> Study:
    """Map a study's pathways, decide its breakdowns, and write what may leave to ``released/``.

    With filters, the same of the patients that they keep, to ``selections/<hash>/released/``: counts are rounded, and
    nothing leaves that would tell of a few patients beside what the study released before
    (`pathways.disclosure.ledger`, `pathways.disclosure.selections`). ``released/`` stays as it is.

    Parameters
    ----------
    study : path
        A study folder.
    filters : FilterStack or path, optional
        A stack, or a TOML or JSON file of one. The study must have been mined without filters first.
    name : str
        What to call the selection.
    policy : DisclosurePolicy
        How small a number may be.
    ties : {'order', 'sets'}
        Read the events of a day in the definition's order, or as one event whose activity is their set: then maps
        and variants of sets are released, and nothing that is said of single activities.
    progress : callable
        Told of each step.

    Returns
    -------
    Study
        ``study.selection(stack.hash)`` is what was released with filters.

    Raises
    ------
    StudyError
        There is no whole study, or with filters it was not mined.
    DefinitionError
        The filters are not valid, or name what the log does not have.
    DisclosureRefused
        There are too few patients for anything to leave, together with earlier releases they would tell of a few, or
        the study was released with its ties read otherwise.
    """
    opened = Study.open(study)
    _check_ties(opened, ties, filters is not None)
    if filters is not None:
        stack = filters if isinstance(filters, FilterStack) else selections.read_stack(filters)
        return _mine_selection(opened, stack, name, policy, progress)
    with measured("mine") as step, replacing(opened.path / "released") as folder:
        progress("mine", 0, 2)
        tables = released(Material.of(opened, policy).with_ties(ties))
        progress("mine", 1, 2)
        write_released(folder, tables)
        refused = _write_models(folder, tables)
        progress("mine", 2, 2)
    opened.record(step | {"ties": ties} | ({"model": refused} if refused else {}))
    return Study.open(study)


def _check_ties(study: Study, ties: Ties, selected: bool) -> None:
    """Refuse a second reading of ties: who has a step only beside others is the difference of two released counts."""
    if selected and ties != "order":
        raise InputError("a selection is released with its ties in order; leave --ties out, or --filters")
    before = {step["ties"] for step in study.manifest["steps"] if "ties" in step}
    if before - {ties}:
        raise DisclosureRefused(
            f"{study.path} was released with ties as {before.pop()}, and both readings together would tell of few "
            "patients; keep to the first, or look at the other in a script, where nothing is released"
        )


def _mine_selection(
    study: Study, stack: FilterStack, name: str, policy: DisclosurePolicy, progress: Progress
) -> Study:
    with measured("mine") as step, selections.one_at_a_time(study):
        progress("mine", 0, 2)
        prepared = selections.prepare(study, stack, policy)
        progress("mine", 1, 2)
        selections.remember(study, prepared.entry, stack.to_toml())
        with replacing(study.path / "selections" / stack.hash) as folder:
            selections.describe(folder, prepared, name, policy)
            (folder / "released").mkdir()
            write_released(folder / "released", prepared.tables)
            refused = _write_models(folder / "released", list(prepared.tables))
        progress("mine", 2, 2)
    study.record(step | {"filter_hash": stack.hash} | ({"model": refused} if refused else {}))
    return Study.open(study.path)


def contrast(
    study: str | Path,
    *,
    by: str = "",
    group: str = "",
    a: FilterStack | str | Path | None = None,
    b: FilterStack | str | Path | None = None,
    language: Language = "fr",
    policy: DisclosurePolicy = POLICY,
    progress: Progress = silent,
) -> tuple[list[Released], Path]:
    """Compare groups of a study's patients, and write what may leave to ``contrasts/<name>/released/``.

    Parameters
    ----------
    study : path
        A mined study.
    by : str
        ``territory``, ``deprivation``, ``sex``, ``age_band``, ``index_year``, ``network``, ``facility`` (of the first
        treatment; ``facility:last``, ``facility:most``), or ``period:YYYY-MM-DD`` (index date before and since).
    group : str
        Only this group, against all other patients.
    a, b : FilterStack or path, optional
        Two sets of patients instead: stacks of filters, or files of them. Who is in both is left out of both.
    language : {'fr', 'en'}
        Of the difference map.
    policy : DisclosurePolicy
        How small a number may be.
    progress : callable
        Told of each step.

    Returns
    -------
    list of Released, pathlib.Path
        ``contrast``, and ``contrast_nodes``, ``contrast_edges`` of two groups or ``funnel`` of more; their folder, with
        the difference map of two groups (``map.svg``, ``map.png``).

    Raises
    ------
    StudyError
        The study was not mined.
    InputError
        There is nothing to compare by this.
    DisclosureRefused
        A group is too small, or the groups and earlier releases would together tell of a few.
    """
    opened = Study.open(study)
    stacks = [selections.read_stack(one) if isinstance(one, str | Path) else one for one in (a, b)]
    question = contrasts.Question(by, group, *stacks)
    with measured("contrast") as step, selections.one_at_a_time(opened):
        progress("contrast", 0, 2)
        tables = contrasts.released_contrast(opened, question, policy)
        progress("contrast", 1, 2)
        place = opened.path / "contrasts" / question.name
        with replacing(place) as folder:
            (folder / "released").mkdir()
            write_released(folder / "released", tables)
            _write_difference_map(folder, tables, opened, language)
        progress("contrast", 2, 2)
    opened.record(step | {"contrast": question.name})
    return tables, place


def _write_difference_map(folder: Path, tables: Sequence[Released], study: Study, language: Language) -> None:
    """Write the difference map of two groups, where an edge is shown."""
    named = {one.name: one for one in tables}
    if "contrast_edges" not in named or named["contrast_edges"].frame.is_empty():
        return
    svg = difference_map(named, {name: study.released(name) for name in study.released_names()}, language)
    (folder / "map.svg").write_text(svg, encoding="utf-8")
    (folder / "map.png").write_bytes(svg_to_png(svg))


def _write_models(folder: Path, maps: list[Released]) -> str:
    """Discover a process model from the released edges, write it as BPMN and PNML, or return why there is none."""
    edges = next(table for table in maps if table.name == "edges")
    try:
        model = discover_released(edges.frame)
    except DisclosureRefused as refusal:
        return f"no model is released: {refusal}"
    model.write_bpmn(folder / "model_activity.bpmn")
    model.write_pnml(folder / "model_activity.pnml")
    return ""


def train(
    study: str | Path, *, feed: str = "hospital_live", seed: int = 0, progress: Progress = silent
) -> RiskModel:
    """Learn the risk of breakdown from a study, and write model and card to ``model/``.

    Parameters
    ----------
    study : path
        A study built with a definition that has breakdowns.
    feed : str
        Feed of the place where the model will be used: what is known at a landmark is simulated for it.
    seed : int
        Of every random choice.
    progress : callable
        Told of each step.

    Raises
    ------
    StudyError
        There is no whole study, or it has no definition.
    InputError
        Too few patients or breakdowns to learn from.
    """
    opened = Study.open(study)
    with measured("train") as step, replacing(opened.path / "model") as folder:
        progress("train", 0, 1)
        model = fit(
            opened.log(),
            opened.needed_pathway(),
            feed=feed,
            seed=seed,
            synthetic=opened.manifest["synthetic"],
        )
        model.save(folder)
        progress("train", 1, 1)
    opened.record({**step, "seed": seed, "feed": feed})
    return model


def score(
    study: str | Path,
    *,
    model: str | Path,
    at: date,
    capacity: int = 50,
    out: str | Path | None = None,
    file_format: Literal["csv", "xlsx"] = "csv",
    language: Language = "fr",
) -> tuple[RiskList, Path]:
    """Write the risk list of a study at a date.

    Parameters
    ----------
    study : path
        A network's own study; on an SNDS study the list is retrospective and stays in the study.
    model : path
        Folder that `train` wrote.
    at : date
        Date of the list: what was known then.
    capacity : int
        Most patients on the list.
    out : path, optional
        Where to write it; default ``STUDY/lists/<date>.csv``. A list written elsewhere is kept there too.
    file_format : {'csv', 'xlsx'}
        Form of `out`.
    language : {'fr', 'en'}
        Of the reasons.

    Returns
    -------
    RiskList, pathlib.Path
        The list and where it is.

    Raises
    ------
    DisclosureRefused
        `out` lies outside an SNDS study.
    StudyError
        `out` lies among the study's own files.
    InputError
        The model does not fit the study.
    """
    opened = Study.open(study)
    kept = opened.path / "lists" / f"{at.isoformat()}.{file_format}"
    place = kept if out is None else Path(out)
    inside = opened.path.resolve() in place.resolve().parents
    if inside and place.resolve().parent != kept.resolve().parent:
        raise StudyError(
            f"{place} is among the study's own files; leave -o out, or write the list to {kept.parent}"
        )
    if opened.manifest["role"] == "snds" and not inside:
        raise DisclosureRefused(
            "SNDS data are pseudonymised: this list is retrospective and stays in the study; leave -o out, "
            "and score the network's own log for a list to act on"
        )
    with measured("score") as step:
        log, pathway = opened.log(), opened.needed_pathway()
        made = risk_list(
            log,
            load_model(model),
            pathway,
            at=at,
            capacity=capacity,
            language=language,
            feed=opened.manifest["feed"],
        )
        for path, form in {kept.with_suffix(".csv"): "csv", kept: file_format, place: file_format}.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            made.write(path, form)
    opened.record({**step, "at": at.isoformat(), "capacity": capacity})
    return made, place
