"""Pathway definitions: a question asked of a log, as validated and sourced TOML.

`load` reads a built-in definition by its name, or a file; `Pathway.rules` gives the build what it needs.
Every table and key is checked: an unknown or missing one is an error that names the file, the table, the key
and the nearest word.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args

import polars as pl

from eventlogs.activities import CODE_COLUMNS, CODE_SYSTEMS, DERIVED, ActivityRules, CohortRules
from eventlogs.errors import DefinitionError, did_you_mean

Kind = Literal["late_step", "missed_step", "interruption"]
Language = Literal["fr", "en"]

BUILT_IN = files("pathways") / "definitions"


@dataclass(frozen=True)
class Activity:
    """One activity: its names, its phase, and the codes or the rule that make it."""

    id: str
    label: Mapping[str, str]
    phase: str
    codes: Mapping[str, tuple[str, ...]]
    specialties: tuple[int, ...]
    derived: str | None
    source: str


@dataclass(frozen=True)
class Cohort:
    """Who enters: diagnosis prefixes (CIM-10), the index event, and how far back events are kept."""

    diagnosis: tuple[str, ...] = ()
    index_activities: tuple[str, ...] = ()
    lookback_days: int | None = None
    source: str = ""


@dataclass(frozen=True)
class BreakdownDefinition:
    """A care breakdown (rupture de parcours) that can be computed and contested. Operational, not official.

    Parameters
    ----------
    kind : {'late_step', 'missed_step', 'interruption'}
        *late_step*: the expected step does not come within the window, whether it comes later or never.
        *missed_step*: no expected step between ``from_days`` and the end of the window.
        *interruption*: a repeated step stops for longer than ``permissible_gap_days`` after its supply ends.
    trigger : tuple of str
        Activities that open the expectation; the first one seen does.
    restarts : tuple of str
        Activities that restart the clock when they come before the deadline (each chemotherapy session).
    expected : tuple of str
        Activities that keep the expectation.
    from_days, within_days, grace_days : int
        Days after the trigger: earliest day that counts, end of the window, days tolerated beyond it.
    permissible_gap_days, supply_days, planned_days : int or None
        For interruptions: gap tolerated after the end of supply; days that one unit of ``quantity`` supplies;
        planned duration since the first, after which a stop is planned.
    exits : tuple of str
        Activities that excuse: from then on nothing is expected.
    """

    id: str
    kind: Kind
    label: Mapping[str, str]
    step: Mapping[str, str]
    trigger: tuple[str, ...]
    expected: tuple[str, ...]
    exits: tuple[str, ...]
    evidence: str
    source: str
    restarts: tuple[str, ...] = ()
    from_days: int = 0
    within_days: int = 0
    grace_days: int = 0
    permissible_gap_days: int | None = None
    supply_days: int | None = None
    planned_days: int | None = None


@dataclass(frozen=True)
class RiskSettings:
    """How the risk is learnt: days ahead, days between landmarks, list size; with their source."""

    horizon_days: int = 180
    landmark_every_days: int = 90
    capacity: int = 50
    source: str = "operational default of care-pathways"


@dataclass(frozen=True)
class Pathway:
    """A whole definition: cohort, activities at two levels, order inside a day, breakdowns, risk settings.

    ``milestones`` are the phases whose sequence tells a pathway in short (its treatments, say).
    """

    id: str
    version: str
    label: Mapping[str, str]
    cohort: Cohort
    phases: Mapping[str, Mapping[str, str]]
    milestones: tuple[str, ...]
    activities: Mapping[str, Activity]
    within_day: tuple[str, ...]
    breakdowns: Mapping[str, BreakdownDefinition]
    risk: RiskSettings
    text: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """Fingerprint of the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def rules(self) -> ActivityRules:
        """Return what the build needs."""
        return ActivityRules(
            codes=_code_table(self.activities.values()),
            derived={a.derived: a.id for a in self.activities.values() if a.derived},
            cohort=CohortRules(
                diagnosis=self.cohort.diagnosis,
                index_activities=self.cohort.index_activities,
                lookback_days=self.cohort.lookback_days,
            ),
            within_day=self.within_day,
        )

    def phase_of(self) -> dict[str, str]:
        """Return phase by activity."""
        return {activity.id: activity.phase for activity in self.activities.values()}

    def name(self, word: str, language: Language = "fr") -> str:
        """Return the label of an activity or a phase; any other word is returned as it is."""
        if word in self.activities:
            return self.activities[word].label[language]
        return self.phases[word][language] if word in self.phases else word


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
        if not path.is_file():
            raise DefinitionError(
                f"{path} is not a file; give a definition's path or one of: {', '.join(built_in())}"
            )
        try:
            return parse(path.read_text(encoding="utf-8"), str(path))
        except UnicodeDecodeError as error:
            raise DefinitionError(
                f"{path} is not written in UTF-8, as TOML must be; save it as UTF-8"
            ) from error
    if str(name_or_path) not in built_in():
        raise DefinitionError(
            f"there is no pathway '{name_or_path}'{did_you_mean(str(name_or_path), built_in())}"
        )
    return parse((BUILT_IN / f"{name_or_path}.toml").read_text(encoding="utf-8"), f"{name_or_path}.toml")


def parse(text: str, file: str) -> Pathway:
    """Read a definition from its text.

    Parameters
    ----------
    text : str
        TOML.
    file : str
        Name used in messages.

    Raises
    ------
    DefinitionError
        Names the file, the table, the key and the nearest word.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{file} is not valid TOML: {error}; mend that line") from error
    top = _Table(document, file, "")
    phases = {name: _labels(top.sub("phases"), name) for name in top.sub("phases").names()}
    activities = {
        name: _activity(top.sub("activities").sub(name), name, phases)
        for name in top.sub("activities").names()
    }
    pathway = Pathway(
        id=top.text("id"),
        version=top.text("version"),
        label=_labels(top, "label"),
        cohort=_cohort(top.sub("cohort")),
        phases=phases,
        milestones=_milestones(top, phases),
        activities=activities,
        within_day=top.words("within_day", ()),
        breakdowns={
            name: _breakdown(top.sub("breakdowns").sub(name), name) for name in top.sub("breakdowns").names()
        },
        risk=_risk(top.sub("risk")),
        text=text,
    )
    top.done(("phases", "activities", "cohort", "breakdowns", "risk"))
    _check_words(pathway, file)
    return pathway


class _Table:
    """One TOML table being read: remembers what was asked for, so that the rest can be refused."""

    def __init__(self, content: Mapping[str, Any], file: str, path: str) -> None:
        self.content, self.file, self.path = content, file, path
        self.asked: set[str] = set()

    @property
    def where(self) -> str:
        return f"{self.file}: [{self.path}]" if self.path else f"{self.file}: the top level"

    def fail(self, sentence: str) -> DefinitionError:
        return DefinitionError(f"{self.where} {sentence}")

    def get(self, key: str, default: Any = ...) -> Any:
        self.asked.add(key)
        if key in self.content:
            return self.content[key]
        if default is ...:
            near = did_you_mean(key, [k for k in self.content if k not in self.asked]) if self.content else ""
            raise self.fail(f"has no key '{key}'{near if 'did you mean' in near else '; add it'}")
        return default

    def text(self, key: str, default: Any = ...) -> str:
        return str(self._typed(key, str, "a text", default))

    def count(self, key: str, default: Any = ...) -> int:
        value = self._typed(key, int, "a whole number", default)
        if isinstance(value, bool) or value < 0:
            raise self.fail(f"has {key} = {value}; give a number of days or a count of 0 or more")
        return int(value)

    def words(self, key: str, default: Any = ...) -> tuple[str, ...]:
        value = self._typed(key, list | tuple, "a list of words", default)
        return tuple(str(item) for item in value)

    def _typed(self, key: str, kind: Any, what: str, default: Any) -> Any:
        value = self.get(key, default)
        if not isinstance(value, kind):
            raise self.fail(f"has {key} = {value!r}; it must be {what}")
        return value

    def sub(self, key: str) -> _Table:
        path = f"{self.path}.{key}" if self.path else key
        value = self.content.get(key, {})
        if not isinstance(value, dict):
            raise self.fail(f"has {key} = {value!r}; it must be a table [{path}]")
        return _Table(value, self.file, path)

    def names(self) -> list[str]:
        return list(self.content)

    def done(self, also: Iterable[str] = ()) -> None:
        allowed = self.asked | set(also)
        for key in self.content:
            if key not in allowed:
                raise self.fail(f"has an unknown key '{key}'{did_you_mean(key, allowed)}")


def _labels(table: _Table, key: str) -> dict[str, str]:
    table.asked.add(key)
    labels = table.sub(key)
    found = {language: labels.text(language) for language in get_args(Language)}
    labels.done()
    return found


def _milestones(top: _Table, phases: Mapping[str, Any]) -> tuple[str, ...]:
    chosen = top.words("milestones", ())
    for word in chosen:
        if word not in phases:
            raise top.fail(f"has milestones = [… '{word}' …]{did_you_mean(word, phases)}")
    return chosen


def _activity(table: _Table, name: str, phases: Mapping[str, Any]) -> Activity:
    phase = table.text("phase")
    if phase not in phases:
        raise table.fail(f"has phase = '{phase}'{did_you_mean(phase, phases)}")
    derived = table.text("derived", "") or None
    if derived and derived not in DERIVED:
        raise table.fail(f"has derived = '{derived}'{did_you_mean(derived, DERIVED)}")
    activity = Activity(
        id=name,
        label=_labels(table, "label"),
        phase=phase,
        codes={system: table.words(system) for system in CODE_SYSTEMS if system in table.content},
        specialties=tuple(int(word) for word in table.words("specialties", ())),
        derived=derived,
        source=table.text("source"),
    )
    table.done()
    if not activity.codes and not derived:
        raise table.fail(f"has no code list; give one of {', '.join(CODE_SYSTEMS)} or derived")
    return activity


def _cohort(table: _Table) -> Cohort:
    if not table.content:
        return Cohort()
    cohort = Cohort(
        diagnosis=table.words("diagnosis", ()),
        index_activities=table.words("index_activities", ()),
        lookback_days=table.count("lookback_days") if "lookback_days" in table.content else None,
        source=table.text("source"),
    )
    table.done()
    return cohort


def _breakdown(table: _Table, name: str) -> BreakdownDefinition:
    kind = table.text("kind")
    if kind not in get_args(Kind):
        raise table.fail(f"has kind = '{kind}'{did_you_mean(kind, get_args(Kind))}")
    interruption = kind == "interruption"
    definition = BreakdownDefinition(
        id=name,
        kind=kind,  # type: ignore[arg-type]
        label=_labels(table, "label"),
        step=_labels(table, "step"),
        trigger=table.words("trigger"),
        expected=table.words("expected"),
        exits=table.words("exits"),
        evidence=table.text("evidence"),
        source=table.text("source"),
        restarts=() if interruption else table.words("restarts", ()),
        from_days=table.count("from_days", 0) if kind == "missed_step" else 0,
        within_days=0 if interruption else table.count("within_days"),
        grace_days=0 if interruption else table.count("grace_days"),
        permissible_gap_days=table.count("permissible_gap_days") if interruption else None,
        supply_days=table.count("supply_days") if interruption else None,
        planned_days=table.count("planned_days") if interruption else None,
    )
    table.done()
    if not interruption and definition.from_days >= definition.within_days:
        raise table.fail("opens its window after it closes it; from_days must be less than within_days")
    return definition


def _risk(table: _Table) -> RiskSettings:
    if not table.content:
        return RiskSettings()
    settings = RiskSettings(
        horizon_days=table.count("horizon_days"),
        landmark_every_days=table.count("landmark_every_days"),
        capacity=table.count("capacity"),
        source=table.text("source"),
    )
    table.done()
    return settings


def _check_words(pathway: Pathway, file: str) -> None:
    """Refuse activities that the definition uses and does not define (a ready log defines its own)."""
    if not pathway.activities:
        return
    used: dict[str, tuple[str, ...]] = {
        "within_day": pathway.within_day,
        "cohort.index_activities": pathway.cohort.index_activities,
    }
    for item in pathway.breakdowns.values():
        for key in ("trigger", "restarts", "expected", "exits"):
            used[f"breakdowns.{item.id}.{key}"] = getattr(item, key)
    for place, words in used.items():
        for word in words:
            if word not in pathway.activities:
                hint = did_you_mean(word, pathway.activities)
                raise DefinitionError(f"{file}: {place} names an unknown activity '{word}'{hint}")


def check_against(pathway: Pathway, activities: Iterable[str]) -> None:
    """Refuse a definition whose breakdowns name activities that neither it nor the log knows.

    Raises
    ------
    DefinitionError
        Names the breakdown and the nearest activity of the log.
    """
    known = {*activities, *pathway.activities}
    for item in pathway.breakdowns.values():
        for word in (*item.trigger, *item.restarts, *item.expected, *item.exits):
            if word not in known:
                hint = did_you_mean(word, known)
                raise DefinitionError(
                    f"[breakdowns.{item.id}] names '{word}', which the log does not have{hint}"
                )


def _code_table(activities: Iterable[Activity]) -> pl.DataFrame:
    rows = [
        (system, code, specialty, activity.id)
        for activity in activities
        for system, codes in activity.codes.items()
        for code in codes
        for specialty in (activity.specialties or (None,))
    ]
    return pl.DataFrame(rows, schema=CODE_COLUMNS, orient="row")
