"""A stack of verbs, applied in their order, each telling whom it left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from typing import Any, Literal

import polars as pl

from eventlogs.errors import did_you_mean
from eventlogs.log import EventLog
from pathways.definition import Language, Pathway
from pathways.filters import reading
from pathways.filters.verbs import (
    AgedBetween,
    AttributeIn,
    CaredIn,
    CountsBetween,
    CutToDays,
    CutToPeriod,
    DropActivities,
    EndsWith,
    FollowsWithin,
    IndexBetween,
    KeepActivities,
    LastsBetween,
    LivesIn,
    ReachedWithin,
    StartsWith,
    TreatedAt,
    VariantIs,
    Verb,
    WithActivity,
    WithoutActivity,
    attribute,
)

NO_FILTER = "0" * 16
"""Hash of the empty stack: everybody, with all events."""

ATTRITION_COLUMNS: dict[str, Any] = {
    "step": pl.Int64,
    "verb": pl.String,
    "words_fr": pl.String,
    "words_en": pl.String,
    "patients_before": pl.Int64,
    "patients_after": pl.Int64,
    "patients_excluded": pl.Int64,
    "events_before": pl.Int64,
    "events_after": pl.Int64,
}
"""Columns of `Selection.attrition`: one row a verb, in order; step 1 is the first. A patient whose events are all cut
stays a patient."""


@dataclass(frozen=True)
class Selection:
    """What a stack keeps of a log.

    Parameters
    ----------
    log : EventLog
        The patients kept, with the events kept.
    attrition : polars.DataFrame
        `ATTRITION_COLUMNS`; its counts are exact, so that it leaves through the gate only.
    """

    log: EventLog = field(repr=False)
    attrition: pl.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        return f"Selection({self.log.n_patients} patients, {self.log.n_events} events, {self.attrition.height} verbs)"


@dataclass(frozen=True)
class FilterStack:
    """Filters as data: verbs in their order. Two stacks of the same verbs are equal and have the same hash.

    Parameters
    ----------
    verbs : tuple of Verb
        Applied from first to last; the order is kept, since the attrition tells it.

    Examples
    --------
    >>> stack = FilterStack().with_activity("mastectomy").lives_in("75", "92")
    >>> stack.say("en")
    ('with mastectomy', 'lives in 75, 92')
    """

    verbs: tuple[Verb, ...] = ()

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name the stack; `NO_FILTER` where it is empty."""
        if not self.verbs:
            return NO_FILTER
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @property
    def cuts_events(self) -> bool:
        """Whether a verb keeps some events only."""
        return any(verb.keeps == "events" for verb in self.verbs)

    @property
    def cuts_time(self) -> bool:
        """Whether a verb leaves out all events of some time: the last that is left is not how a pathway ended."""
        return any(isinstance(verb, CutToPeriod | CutToDays) for verb in self.verbs)

    @property
    def cuts_activities(self) -> bool:
        """Whether a verb leaves out all events of some activities."""
        return any(isinstance(verb, KeepActivities | DropActivities) for verb in self.verbs)

    def __add__(self, other: FilterStack) -> FilterStack:
        return FilterStack((*self.verbs, *other.verbs))

    def __len__(self) -> int:
        return len(self.verbs)

    def then(self, verb: Verb) -> FilterStack:
        """Return the stack with one verb more."""
        return FilterStack((*self.verbs, verb))

    def with_activity(self, *activities: str, match: Literal["any", "all"] = "any") -> FilterStack:
        """Keep patients with any, or all, of these activities."""
        return self.then(WithActivity(activities, match))

    def without_activity(self, *activities: str) -> FilterStack:
        """Keep patients with none of these activities."""
        return self.then(WithoutActivity(activities))

    def starts_with(self, *activities: str) -> FilterStack:
        """Keep patients whose first event is one of these activities."""
        return self.then(StartsWith(activities))

    def ends_with(self, *activities: str) -> FilterStack:
        """Keep patients whose last event is one of these activities."""
        return self.then(EndsWith(activities))

    def follows_within(
        self,
        first: str | Iterable[str],
        then: str | Iterable[str],
        days: int | None = None,
        *,
        directly: bool = False,
        negate: bool = False,
    ) -> FilterStack:
        """Keep patients in whom `then` comes after `first` within `days`, or with `negate` the others."""
        return self.then(FollowsWithin(_tuple(first), _tuple(then), days, directly, negate))

    def reached_within(self, *activities: str, days: int, negate: bool = False) -> FilterStack:
        """Keep patients who reach one of these activities within `days` of the index date, or the others."""
        return self.then(ReachedWithin(activities, days, negate))

    def index_between(self, from_day: date | None = None, to_day: date | None = None) -> FilterStack:
        """Keep patients whose index date lies in a period."""
        return self.then(IndexBetween(from_day, to_day))

    def lives_in(self, *territories: str) -> FilterStack:
        """Keep patients who live in these territories."""
        return self.then(LivesIn(territories))

    def cared_in(self, *territories: str) -> FilterStack:
        """Keep patients with an event in these territories of care."""
        return self.then(CaredIn(territories))

    def treated_at(self, *facilities: str, activities: Iterable[str] | None = None) -> FilterStack:
        """Keep patients with an event, or one of these activities, at these facilities."""
        return self.then(TreatedAt(facilities, None if activities is None else _tuple(activities)))

    def variant_is(
        self, *steps: str, level: Literal["activity", "collapsed", "phase", "milestone"] = "activity"
    ) -> FilterStack:
        """Keep patients whose pathway is exactly this sequence."""
        return self.then(VariantIs(steps, level))

    def lasts_between(self, least_days: int | None = None, most_days: int | None = None) -> FilterStack:
        """Keep patients whose first and last event lie so many days apart."""
        return self.then(LastsBetween(least_days, most_days))

    def counts_between(
        self, least: int | None = None, most: int | None = None, *, activities: Iterable[str] | None = None
    ) -> FilterStack:
        """Keep patients with so many events, or so many of these activities."""
        return self.then(CountsBetween(least, most, None if activities is None else _tuple(activities)))

    def aged_between(self, least_years: int | None = None, most_years: int | None = None) -> FilterStack:
        """Keep patients of an age at the index date."""
        return self.then(AgedBetween(least_years, most_years))

    def attribute_in(self, name: str, *values: object) -> FilterStack:
        """Keep patients with one of these values of an attribute; ``unknown`` where nothing is known."""
        return self.then(AttributeIn(name, tuple(str(value) for value in values)))

    def keep_activities(self, *activities: str) -> FilterStack:
        """Keep the events of these activities; the patients stay."""
        return self.then(KeepActivities(activities))

    def drop_activities(self, *activities: str) -> FilterStack:
        """Keep the events of all other activities; the patients stay."""
        return self.then(DropActivities(activities))

    def cut_to_period(self, from_day: date | None = None, to_day: date | None = None) -> FilterStack:
        """Keep the events of a period; the patients stay, their horizons end with it."""
        return self.then(CutToPeriod(from_day, to_day))

    def cut_to_days(self, from_days: int | None = None, to_days: int | None = None) -> FilterStack:
        """Keep the events some days after the index date; the patients stay, their horizons end with them."""
        return self.then(CutToDays(from_days, to_days))

    def apply(
        self, log: EventLog, pathway: Pathway | None = None, *, among: EventLog | None = None
    ) -> Selection:
        """Apply the verbs in their order.

        Parameters
        ----------
        log : EventLog
            Any log.
        pathway : Pathway, optional
            Gives phases, milestones and labels.
        among : EventLog, optional
            The log whose words the verbs may use; default `log`. Give the whole log to narrow a selection further.

        Raises
        ------
        DefinitionError
            A verb names an activity, a facility, … that the log does not have.
        """
        logs = [log, *self.logs(log, pathway, among=among)]
        rows = [
            _row(verb, pathway, before, after, step)
            for step, (verb, before, after) in enumerate(
                zip(self.verbs, logs, logs[1:], strict=False), start=1
            )
        ]
        return Selection(logs[-1], pl.DataFrame(rows, schema=ATTRITION_COLUMNS, orient="row"))

    def logs(
        self, log: EventLog, pathway: Pathway | None = None, *, among: EventLog | None = None
    ) -> list[EventLog]:
        """Return the log that each verb leaves, in their order; see `apply`."""
        self.check(log if among is None else among, pathway)
        left = accumulate(self.verbs, lambda before, verb: verb.apply(before, pathway), initial=log)
        return list(left)[1:]

    def check(self, log: EventLog, pathway: Pathway | None = None) -> None:
        """Refuse words that the log does not have.

        Raises
        ------
        DefinitionError
            Names the verb, the word, and the nearest known one.
        """
        known: dict[str, set[str]] = {}
        for verb in self.verbs:
            for vocabulary, words in _words(verb):
                if vocabulary not in known:
                    known[vocabulary] = _vocabulary(vocabulary, log, pathway)
                for word in words:
                    if word not in known[vocabulary]:
                        raise verb.fail(
                            f"'{word}', which the log does not know{_near(word, known[vocabulary])}"
                        )

    def say(self, language: Language = "fr", pathway: Pathway | None = None) -> tuple[str, ...]:
        """Return each verb as a sentence, with the definition's labels where one is given."""
        return tuple(verb.say(language, _naming(pathway)) for verb in self.verbs)

    def to_dict(self) -> dict[str, Any]:
        """Return the stack as plain values: ``{"filters": [{"verb": ...}, ...]}``."""
        return {"filters": [verb.to_dict() for verb in self.verbs]}

    def to_json(self) -> str:
        """Return the stack as JSON, the same text for the same stack; dates as text."""
        return json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=True, default=date.isoformat)

    def to_toml(self) -> str:
        """Return the stack as a TOML document."""
        return reading.to_toml(self.to_dict()["filters"])

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], file: str = "filters") -> FilterStack:
        """Read a stack from plain values.

        Parameters
        ----------
        content : mapping
            As `to_dict` returns it; dates may be text.
        file : str
            Name for the messages.

        Raises
        ------
        DefinitionError
            Names file, verb, key, and the nearest word.
        """
        return cls(reading.verbs_of(content, file))

    @classmethod
    def from_json(cls, text: str, file: str = "filters.json") -> FilterStack:
        """Read a stack from JSON; see `from_dict`."""
        return cls.from_dict(reading.parsed_json(text, file), file)

    @classmethod
    def from_toml(cls, text: str, file: str = "filters.toml") -> FilterStack:
        """Read a stack from TOML; see `from_dict`."""
        return cls.from_dict(reading.parsed_toml(text, file), file)

    def __repr__(self) -> str:
        return f"FilterStack({self.hash}: {'; '.join(self.say('en')) or 'everybody'})"


def _tuple(words: str | Iterable[str]) -> tuple[str, ...]:
    return (words,) if isinstance(words, str) else tuple(words)


def _naming(pathway: Pathway | None) -> Any:
    return (lambda word, language: word) if pathway is None else pathway.name


def _row(
    verb: Verb, pathway: Pathway | None, before: EventLog, after: EventLog, step: int
) -> tuple[object, ...]:
    said = (verb.say(language, _naming(pathway)) for language in ("fr", "en"))
    counts = (before.n_patients, after.n_patients, before.n_patients - after.n_patients)
    return (step, verb.verb, *said, *counts, before.n_events, after.n_events)


def _words(verb: Verb) -> list[tuple[str, tuple[str, ...]]]:
    """Return the words that a verb takes from the log, by vocabulary."""
    found = []
    for name, metadata, _ in verb.declared():
        words = getattr(verb, name)
        if metadata["kind"] == "words" and words is not None:
            vocabulary = metadata["vocabulary"]
            asked = getattr(verb, {"attribute": "attribute", "step": "level"}.get(vocabulary, name))
            found.append(
                (f"{vocabulary}:{asked}" if vocabulary in ("attribute", "step") else vocabulary, words)
            )
    return found


def _vocabulary(vocabulary: str, log: EventLog, pathway: Pathway | None) -> set[str]:
    kind, _, which = vocabulary.partition(":")
    if kind == "attribute":
        return {*log.patients.select(attribute(which)).to_series().unique()}
    if which in ("phase", "milestone"):
        return set() if pathway is None else {*pathway.phases}
    if kind in ("activity", "step"):
        return {*log.activities, *([] if pathway is None else pathway.activities)}
    frame = log.patients if kind == "territory" else log.events
    return {*frame[kind].drop_nulls().unique()}


def _near(word: str, known: set[str]) -> str:
    """Name the nearest known word, or a few of them."""
    near = did_you_mean(word, known)
    return near if "did you mean" in near else f"; known: {', '.join(sorted(known)[:12]) or 'none'}"
