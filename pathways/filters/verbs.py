"""The verbs of a filter stack: each keeps whole patients, or some events of all patients.

A verb is data (its fields, as written in a file) with one function. Sets of words are sorted and told once, so that two
verbs that mean the same are equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from typing import Any, ClassVar, Literal

import polars as pl

from eventlogs.abstraction import in_phases
from eventlogs.errors import DefinitionError, did_you_mean
from eventlogs.log import EventLog, number
from pathways.definition import Language, Pathway

Naming = Callable[[str, Language], str]
"""Label of an activity in a language."""

ATTRIBUTES = ("sex", "deprivation", "network", "exit_reason", "index_year")
"""Columns of the patients that `attribute_in` reads; ``index_year`` is the year of the index date."""

UNKNOWN = "unknown"
"""How a missing attribute is written."""

LEVELS = ("activity", "collapsed", "phase", "milestone")
"""What a variant is a sequence of: every event; the same with runs told once; phases; the definition's milestones."""


def words_of(vocabulary: str, *, ordered: bool = False, needed: bool = True) -> Any:
    """Declare a field that is a tuple of words of a vocabulary of the log; None where it may be absent and is."""
    said = {"kind": "words", "vocabulary": vocabulary, "ordered": ordered, "needed": needed}
    return field(metadata=said) if needed else field(default=None, metadata=said)


def days_of(default: int | None = None, *, signed: bool = False) -> Any:
    """Declare a field that is a number of days, or absent."""
    return field(default=default, metadata={"kind": "integer" if signed else "count"})


def needed_days() -> Any:
    """Declare a field that is a number of days."""
    return field(metadata={"kind": "count"})


DAY: dict[str, str] = {"kind": "date"}
"""Says of a field that it is a date."""


def choice_of(allowed: tuple[str, ...], default: Any) -> Any:
    """Declare a field that is one word of a few."""
    return field(default=default, metadata={"kind": "choice", "allowed": allowed})


@dataclass(frozen=True)
class Verb(ABC):
    """One step of a stack.

    Attributes
    ----------
    verb : str
        Its name in files and in the fluent form.
    keeps : {'patients', 'events'}
        Whether whole patients are kept, or some events of all patients.
    """

    verb: ClassVar[str]
    keeps: ClassVar[Literal["patients", "events"]]

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if one.metadata["kind"] == "words" and value is not None:
                object.__setattr__(self, one.name, self._normal(one.name, one.metadata["ordered"]))
            if one.metadata["kind"] == "choice" and value not in one.metadata["allowed"]:
                raise self.fail(f"{one.name} = '{value}'{did_you_mean(str(value), one.metadata['allowed'])}")
            if one.metadata["kind"] == "count" and value is not None and value < 0:
                raise self.fail(f"{one.name} = {value}; give 0 or more")
        self._check()

    def _normal(self, name: str, ordered: bool) -> tuple[str, ...]:
        given = getattr(self, name)
        listed = (given,) if isinstance(given, str) else tuple(str(word) for word in given)
        if not listed:
            raise self.fail(f"{name} = []; name at least one")
        return listed if ordered else tuple(sorted(set(listed)))

    def _check(self) -> None:  # noqa: B027
        """Refuse values that contradict each other."""

    def _check_order(self, low: str, high: str) -> None:
        least, most = getattr(self, low), getattr(self, high)
        if least is None and most is None:
            raise self.fail(f"neither {low} nor {high}; give one or both")
        if least is not None and most is not None and least > most:
            raise self.fail(f"{low} = {least} after {high} = {most}; exchange them")

    def fail(self, sentence: str) -> DefinitionError:
        """Return the error of a value of this verb."""
        return DefinitionError(f"{self.verb} has {sentence}")

    @abstractmethod
    def apply(self, log: EventLog, pathway: Pathway | None = None) -> EventLog:
        """Return the log that the verb leaves."""

    @abstractmethod
    def say(self, language: Language, name: Naming) -> str:
        """Return the verb as a short sentence."""

    @classmethod
    def declared(cls) -> list[tuple[str, Mapping[str, Any], bool]]:
        """Return its fields: name, what a value is (``kind``, ...), whether it must be given."""
        return [(one.name, one.metadata, one.default is MISSING) for one in fields(cls)]

    def to_dict(self) -> dict[str, Any]:
        """Return the verb as plain values, absent ones left out."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in own.items()}
        return {"verb": self.verb, **{key: value for key, value in plain.items() if value is not None}}


def keep_patients(log: EventLog, patients: pl.DataFrame) -> EventLog:
    """Return the log of these patients, whole.

    Parameters
    ----------
    log : EventLog
        Any log.
    patients : polars.DataFrame
        ``patient_id`` of the patients to keep.
    """
    kept = patients.select("patient_id")
    own = pl.col("patient_id").is_null() | pl.col("patient_id").is_in(kept["patient_id"].implode())
    return EventLog(
        log.events.join(kept, on="patient_id", how="semi", maintain_order="left"),
        log.patients.join(kept, on="patient_id", how="semi", maintain_order="left"),
        log.horizons.filter(own),
        log.withdrawn.join(kept, on="patient_id", how="semi", maintain_order="left"),
        log.within_day,
    )


class PatientVerb(Verb):
    """Keeps whole patients: those whose ``patient_id`` `kept` returns."""

    keeps = "patients"

    @abstractmethod
    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return ``patient_id`` of the patients to keep; repeats do no harm."""

    def apply(self, log: EventLog, pathway: Pathway | None = None) -> EventLog:
        """Return the log of the patients kept, whole."""
        return keep_patients(log, self.kept(log, pathway))


class EventVerb(Verb):
    """Keeps some events; every patient stays, with or without events."""

    keeps = "events"


def _has(activities: Iterable[str]) -> pl.Expr:
    return pl.col("activity").is_in(list(activities))


def _others(log: EventLog, patients: pl.DataFrame) -> pl.DataFrame:
    return log.patients.join(patients, on="patient_id", how="anti")


def _listed(activities: Iterable[str], language: Language, name: Naming, join: Literal["or", "and"]) -> str:
    between = {("fr", "or"): " ou ", ("en", "or"): " or ", ("fr", "and"): " et ", ("en", "and"): " and "}
    return between[language, join].join(name(activity, language) for activity in activities)


def _bounds(least: object, most: object, language: Language) -> str:
    """Say a closed interval whose ends may be open."""
    from_, to, between, and_ = {"fr": ("à partir de", "jusqu’à", "entre", "et"),
                                "en": ("from", "up to", "between", "and")}[language]  # fmt: skip
    if least is None or most is None:
        return f"{from_} {least}" if most is None else f"{to} {most}"
    return f"{between} {least} {and_} {most}"


@dataclass(frozen=True)
class WithActivity(PatientVerb):
    """Patients with any, or all, of some activities."""

    verb = "with_activity"
    activities: tuple[str, ...] = words_of("activity")
    match: Literal["any", "all"] = choice_of(("any", "all"), "any")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients with enough of the activities."""
        least = 1 if self.match == "any" else len(self.activities)
        found = log.events.filter(_has(self.activities)).group_by("patient_id")
        return found.agg(pl.col("activity").n_unique()).filter(pl.col("activity") >= least)

    def say(self, language: Language, name: Naming) -> str:
        """Say: with these activities."""
        listed = _listed(self.activities, language, name, "or" if self.match == "any" else "and")
        return f"{'avec' if language == 'fr' else 'with'} {listed}"


@dataclass(frozen=True)
class WithoutActivity(PatientVerb):
    """Patients with none of some activities."""

    verb = "without_activity"
    activities: tuple[str, ...] = words_of("activity")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients without any of the activities, those without events among them."""
        return _others(log, log.events.filter(_has(self.activities)))

    def say(self, language: Language, name: Naming) -> str:
        """Say: without these activities."""
        listed = _listed(self.activities, language, name, "or")
        return f"{'sans' if language == 'fr' else 'without'} {listed}"


@dataclass(frozen=True)
class StartsWith(PatientVerb):
    """Patients whose first event is one of some activities."""

    verb = "starts_with"
    activities: tuple[str, ...] = words_of("activity")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients with such a first event."""
        return log.events.filter(pl.col("rank") == 0, _has(self.activities))

    def say(self, language: Language, name: Naming) -> str:
        """Say: begins with these activities."""
        listed = _listed(self.activities, language, name, "or")
        return f"{'commence par' if language == 'fr' else 'begins with'} {listed}"


@dataclass(frozen=True)
class EndsWith(PatientVerb):
    """Patients whose last event is one of some activities."""

    verb = "ends_with"
    activities: tuple[str, ...] = words_of("activity")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients with such a last event."""
        last = pl.col("patient_id").ne_missing(pl.col("patient_id").shift(-1))
        return log.events.filter(last, _has(self.activities))

    def say(self, language: Language, name: Naming) -> str:
        """Say: ends with these activities."""
        listed = _listed(self.activities, language, name, "or")
        return f"{'finit par' if language == 'fr' else 'ends with'} {listed}"


@dataclass(frozen=True)
class FollowsWithin(PatientVerb):
    """Patients in whom one activity comes after another, within some days.

    The delay is counted from the last such event before it, in days of 24 hours; with `directly`, no other event lies
    between the two. With `negate`, the patients in whom this never happens, those without either activity among them.
    """

    verb = "follows_within"
    first: tuple[str, ...] = words_of("activity")
    then: tuple[str, ...] = words_of("activity")
    days: int | None = days_of()
    directly: bool = field(default=False, metadata={"kind": "flag"})
    negate: bool = field(default=False, metadata={"kind": "flag"})

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients in whom it happens, or with `negate` the others."""
        before = pl.when(_has(self.first)).then("start").shift()
        before = before if self.directly else before.forward_fill()
        previous = log.events.select("patient_id", "activity", "start", before=before.over("patient_id"))
        follows = _has(self.then) & pl.col("before").is_not_null()
        if self.days is not None:
            follows &= pl.col("start") - pl.col("before") <= pl.duration(days=self.days)
        found = previous.filter(follows)
        return _others(log, found) if self.negate else found

    def say(self, language: Language, name: Naming) -> str:
        """Say: B after A, directly or not, within days, or never."""
        first, then = (_listed(words, language, name, "or") for words in (self.first, self.then))
        if language == "fr":
            limit = "" if self.days is None else f", {self.days} jours au plus"
            way = "directement après" if self.directly else "après"
            return f"{'jamais ' if self.negate else ''}{then} {way} {first}{limit}"
        limit = "" if self.days is None else f", within {self.days} days"
        return f"{'never ' if self.negate else ''}{then}{' directly' if self.directly else ''} after {first}{limit}"


@dataclass(frozen=True)
class ReachedWithin(PatientVerb):
    """Patients who reach one of some activities within days of their index date.

    Counted from day to day, the index day is day 0; events before it don't count. With `negate`, all other patients,
    those without an index date among them.
    """

    verb = "reached_within"
    activities: tuple[str, ...] = words_of("activity")
    days: int = needed_days()
    negate: bool = field(default=False, metadata={"kind": "flag"})

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients who reach it in time, or with `negate` the others."""
        found = _since_index(log.events, log.patients).filter(
            _has(self.activities), pl.col("day").is_between(0, self.days)
        )
        return _others(log, found) if self.negate else found

    def say(self, language: Language, name: Naming) -> str:
        """Say: reached within days of the index date."""
        listed = _listed(self.activities, language, name, "or")
        if language == "fr":
            never = "pas de " if self.negate else ""
            return f"{never}{listed} dans les {self.days} jours après la date index"
        return f"{'no ' if self.negate else ''}{listed} within {self.days} days of the index date"


def _since_index(events: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    """Return the events with ``day``: whole days since the index date, from day to day."""
    index = patients.select("patient_id", pl.col("index_date").dt.date())
    dated = events.join(index, on="patient_id", how="left", maintain_order="left")
    return dated.with_columns(day=(pl.col("start").dt.date() - pl.col("index_date")).dt.total_days())


@dataclass(frozen=True)
class IndexBetween(PatientVerb):
    """Patients whose index date lies in a period, both days in; those without an index date are left out."""

    verb = "index_between"
    from_day: date | None = field(default=None, metadata=DAY)
    to_day: date | None = field(default=None, metadata=DAY)

    def _check(self) -> None:
        self._check_order("from_day", "to_day")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients indexed in the period."""
        return log.patients.filter(_between(pl.col("index_date").dt.date(), self.from_day, self.to_day))

    def say(self, language: Language, name: Naming) -> str:
        """Say: index date between two days."""
        bounds = _bounds(self.from_day, self.to_day, language)
        return f"{'date index' if language == 'fr' else 'index date'} {bounds}"


def _between(value: pl.Expr, least: Any, most: Any) -> pl.Expr:
    """Closed interval whose ends may be open; nothing known is not between."""
    above = pl.lit(True) if least is None else value >= least
    below = pl.lit(True) if most is None else value <= most
    return value.is_not_null() & above & below


@dataclass(frozen=True)
class LivesIn(PatientVerb):
    """Patients who live in some territories (INSEE département of residence)."""

    verb = "lives_in"
    territories: tuple[str, ...] = words_of("territory")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the residents."""
        return log.patients.filter(pl.col("territory").is_in(list(self.territories)))

    def say(self, language: Language, name: Naming) -> str:
        """Say: lives in these territories."""
        return f"{'réside dans' if language == 'fr' else 'lives in'} {', '.join(self.territories)}"


@dataclass(frozen=True)
class CaredIn(PatientVerb):
    """Patients with at least one event in some territories of care."""

    verb = "cared_in"
    territories: tuple[str, ...] = words_of("territory_of_care")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients cared for there."""
        return log.events.filter(pl.col("territory_of_care").is_in(list(self.territories)))

    def say(self, language: Language, name: Naming) -> str:
        """Say: cared for in these territories."""
        return f"{'soigné dans' if language == 'fr' else 'cared for in'} {', '.join(self.territories)}"


@dataclass(frozen=True)
class TreatedAt(PatientVerb):
    """Patients with at least one event at some facilities, of any activity or of some."""

    verb = "treated_at"
    facilities: tuple[str, ...] = words_of("facility")
    activities: tuple[str, ...] | None = words_of("activity", needed=False)

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients treated there."""
        there = log.events.filter(pl.col("facility").is_in(list(self.facilities)))
        return there if self.activities is None else there.filter(_has(self.activities))

    def say(self, language: Language, name: Naming) -> str:
        """Say: treated at these facilities, for these activities."""
        of = "" if self.activities is None else f" ({_listed(self.activities, language, name, 'or')})"
        return f"{'traité à' if language == 'fr' else 'treated at'} {', '.join(self.facilities)}{of}"


@dataclass(frozen=True)
class VariantIs(PatientVerb):
    """Patients whose whole pathway is exactly one sequence, at a level (`LEVELS`)."""

    verb = "variant_is"
    steps: tuple[str, ...] = words_of("step", ordered=True)
    level: Literal["activity", "collapsed", "phase", "milestone"] = choice_of(LEVELS, "activity")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients with exactly these steps."""
        place = pl.int_range(pl.len()).over("patient_id")
        wanted = pl.DataFrame({"place": range(len(self.steps)), "activity": self.steps})
        events = self._at_level(log, pathway).events.select("patient_id", "activity", place=place)
        right = events.join(wanted, on=["place", "activity"], how="semi").group_by("patient_id").len("right")
        same = events.group_by("patient_id").len().join(right, on="patient_id")
        return same.filter(pl.col("len") == len(self.steps), pl.col("right") == len(self.steps))

    def _at_level(self, log: EventLog, pathway: Pathway | None) -> EventLog:
        if self.level in ("activity", "collapsed"):
            return log if self.level == "activity" else log.collapse_repeats()
        if pathway is None:
            raise self.fail(
                f"level = '{self.level}', and the log has no definition that names its phases; give one"
            )
        phases = pathway.phase_of()
        if self.level == "phase":
            return in_phases(log, phases)
        kept = (activity for activity, phase in phases.items() if phase in pathway.milestones)
        return log.keep_activities(kept).with_activities(phases).collapse_repeats()

    def say(self, language: Language, name: Naming) -> str:
        """Say: exactly these steps."""
        steps = " → ".join(name(step, language) for step in self.steps)
        return f"{'parcours exact' if language == 'fr' else 'exact pathway'} {steps}"


@dataclass(frozen=True)
class LastsBetween(PatientVerb):
    """Patients whose first and last event lie some days apart (of 24 hours, both ends in); none without events."""

    verb = "lasts_between"
    least_days: int | None = days_of()
    most_days: int | None = days_of()

    def _check(self) -> None:
        self._check_order("least_days", "most_days")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients with such a duration."""
        start = pl.col("start")
        span = log.events.group_by("patient_id", maintain_order=True).agg(days=start.last() - start.first())
        least, most = (None if n is None else pl.duration(days=n) for n in (self.least_days, self.most_days))
        return span.filter(_between(pl.col("days"), least, most))

    def say(self, language: Language, name: Naming) -> str:
        """Say: lasts between so many days."""
        bounds = _bounds(self.least_days, self.most_days, language)
        return f"dure {bounds} jours" if language == "fr" else f"lasts {bounds} days"


@dataclass(frozen=True)
class CountsBetween(PatientVerb):
    """Patients with a number of events, of any activity or of some; 0 counts those without."""

    verb = "counts_between"
    least: int | None = days_of()
    most: int | None = days_of()
    activities: tuple[str, ...] | None = words_of("activity", needed=False)

    def _check(self) -> None:
        self._check_order("least", "most")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients with so many events."""
        events = log.events if self.activities is None else log.events.filter(_has(self.activities))
        counts = log.patients.select("patient_id").join(
            events.group_by("patient_id").len("n_events"), on="patient_id", how="left"
        )
        return counts.filter(_between(pl.col("n_events").fill_null(0), self.least, self.most))

    def say(self, language: Language, name: Naming) -> str:
        """Say: so many events."""
        what = "événements" if language == "fr" else "events"
        of = "" if self.activities is None else f" ({_listed(self.activities, language, name, 'or')})"
        return f"{_bounds(self.least, self.most, language)} {what}{of}"


@dataclass(frozen=True)
class AgedBetween(PatientVerb):
    """Patients of an age at the index date, both ends in: the year of the index date less the year of birth."""

    verb = "aged_between"
    least_years: int | None = days_of()
    most_years: int | None = days_of()

    def _check(self) -> None:
        self._check_order("least_years", "most_years")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients of that age; none of unknown age."""
        age = pl.col("index_date").dt.year() - pl.col("birth_year")
        return log.patients.filter(_between(age, self.least_years, self.most_years))

    def say(self, language: Language, name: Naming) -> str:
        """Say: aged between."""
        bounds = _bounds(self.least_years, self.most_years, language)
        return (
            f"âge {bounds} ans à la date index"
            if language == "fr"
            else f"aged {bounds} years at the index date"
        )


ATTRIBUTE_WORDS: dict[str, dict[Language, str]] = {
    "sex": {"fr": "sexe", "en": "sex"},
    "deprivation": {"fr": "quintile de défavorisation", "en": "deprivation quintile"},
    "network": {"fr": "réseau", "en": "network"},
    "exit_reason": {"fr": "sortie", "en": "exit"},
    "index_year": {"fr": "année index", "en": "index year"},
}


@dataclass(frozen=True)
class AttributeIn(PatientVerb):
    """Patients with some values of an attribute (`ATTRIBUTES`); ``unknown`` is a value: nothing is known."""

    verb = "attribute_in"
    attribute: str = field(metadata={"kind": "choice", "allowed": ATTRIBUTES})
    values: tuple[str, ...] = words_of("attribute")

    def kept(self, log: EventLog, pathway: Pathway | None) -> pl.DataFrame:
        """Return the patients with one of the values."""
        return log.patients.filter(attribute(self.attribute).is_in(list(self.values)))

    def say(self, language: Language, name: Naming) -> str:
        """Say: the attribute and its values."""
        return f"{ATTRIBUTE_WORDS[self.attribute][language]} : {', '.join(self.values)}"


def attribute(name: str) -> pl.Expr:
    """Return an attribute of the patients as a word; ``unknown`` where nothing is known.

    Parameters
    ----------
    name : str
        One of `ATTRIBUTES`.
    """
    column = pl.col("index_date").dt.year() if name == "index_year" else pl.col(name)
    return column.cast(pl.String).fill_null(UNKNOWN)


def _with_events(log: EventLog, kept: pl.Expr, horizons: pl.DataFrame | None = None) -> EventLog:
    return EventLog(
        number(log.events.filter(kept)),
        log.patients,
        log.horizons if horizons is None else horizons,
        log.withdrawn.filter(kept),
        log.within_day,
    )


@dataclass(frozen=True)
class KeepActivities(EventVerb):
    """Only the events of some activities."""

    verb = "keep_activities"
    activities: tuple[str, ...] = words_of("activity")

    def apply(self, log: EventLog, pathway: Pathway | None = None) -> EventLog:
        """Return the log with these activities only; the patients stay."""
        return log.keep_activities(self.activities)

    def say(self, language: Language, name: Naming) -> str:
        """Say: only these activities."""
        listed = _listed(self.activities, language, name, "or")
        return f"{'seulement les actes' if language == 'fr' else 'only the events'} {listed}"


@dataclass(frozen=True)
class DropActivities(EventVerb):
    """All events but those of some activities."""

    verb = "drop_activities"
    activities: tuple[str, ...] = words_of("activity")

    def apply(self, log: EventLog, pathway: Pathway | None = None) -> EventLog:
        """Return the log without these activities; the patients stay."""
        return _with_events(log, ~_has(self.activities))

    def say(self, language: Language, name: Naming) -> str:
        """Say: without the events of these activities."""
        listed = _listed(self.activities, language, name, "or")
        return f"{'sans les actes' if language == 'fr' else 'without the events'} {listed}"


@dataclass(frozen=True)
class CutToPeriod(EventVerb):
    """Only the events that start in a period, both days in.

    Horizons end with the period: what comes after it is not silence.
    """

    verb = "cut_to_period"
    from_day: date | None = field(default=None, metadata=DAY)
    to_day: date | None = field(default=None, metadata=DAY)

    def _check(self) -> None:
        self._check_order("from_day", "to_day")

    def apply(self, log: EventLog, pathway: Pathway | None = None) -> EventLog:
        """Return the log cut to the period; the patients stay."""
        last = pl.lit(self.to_day, dtype=log.horizons.schema["observed_until"])
        until = pl.min_horizontal("observed_until", last)
        inside = _between(pl.col("start").dt.date(), self.from_day, self.to_day)
        return _with_events(log, inside, log.horizons.with_columns(observed_until=until))

    def say(self, language: Language, name: Naming) -> str:
        """Say: events between two days."""
        return f"{'actes' if language == 'fr' else 'events'} {_bounds(self.from_day, self.to_day, language)}"


@dataclass(frozen=True)
class CutToDays(EventVerb):
    """Only the events that start some days after the index date, both ends in, the index day is day 0.

    A patient's horizon ends with the last of these days. Without an index date no event stays.
    """

    verb = "cut_to_days"
    from_days: int | None = days_of(signed=True)
    to_days: int | None = days_of(signed=True)

    def _check(self) -> None:
        self._check_order("from_days", "to_days")

    def apply(self, log: EventLog, pathway: Pathway | None = None) -> EventLog:
        """Return the log cut to the days; the patients stay."""
        events, withdrawn = (self._cut(frame, log.patients) for frame in (log.events, log.withdrawn))
        return EventLog(number(events), log.patients, self._horizons(log), withdrawn, log.within_day)

    def _cut(self, events: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
        dated = _since_index(events, patients)
        return dated.filter(_between(pl.col("day"), self.from_days, self.to_days)).select(events.columns)

    def _horizons(self, log: EventLog) -> pl.DataFrame:
        if self.to_days is None:
            return log.horizons
        ends = pl.col("index_date").dt.truncate("1d") + pl.duration(days=self.to_days)
        own = log.patients.drop_nulls("index_date").select("patient_id", observed_until=ends)
        return pl.concat([log.horizons, own], how="diagonal")

    def say(self, language: Language, name: Naming) -> str:
        """Say: events between two days since the index date."""
        bounds = _bounds(self.from_days, self.to_days, language)
        if language == "fr":
            return f"actes {bounds} jours après la date index"
        return f"events {bounds} days after the index date"


VERBS: dict[str, type[Verb]] = {
    one.verb: one
    for one in (
        WithActivity,
        WithoutActivity,
        StartsWith,
        EndsWith,
        FollowsWithin,
        ReachedWithin,
        IndexBetween,
        LivesIn,
        CaredIn,
        TreatedAt,
        VariantIs,
        LastsBetween,
        CountsBetween,
        AgedBetween,
        AttributeIn,
        KeepActivities,
        DropActivities,
        CutToPeriod,
        CutToDays,
    )
}
"""Every verb, by its name."""
