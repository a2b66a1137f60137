"""What a definition can't say: words that it does not define, codes that can't exist, codes with two meanings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from eventlogs.activities import CODE_SHAPES, PREFIX_SYSTEMS
from eventlogs.errors import DefinitionError, did_you_mean
from pathways.definition.objects import Activity, Pathway


def check_words(pathway: Pathway, file: str) -> None:
    """Refuse activities that the definition uses and does not define (a ready log defines its own)."""
    if not pathway.activities:
        return
    _refuse_unknown(_used(pathway), "activity", pathway.activities, file)
    _refuse_unknown(_expected(pathway), "activity or phase", {**pathway.activities, **pathway.phases}, file)


def _refuse_unknown(
    used: Mapping[str, tuple[str, ...]], what: str, known: Mapping[str, object], file: str
) -> None:
    for place, words in used.items():
        for word in words:
            if word not in known:
                hint = did_you_mean(word, known)
                raise DefinitionError(f"{file}: {place} names an unknown {what} '{word}'{hint}")


def _expected(pathway: Pathway) -> dict[str, tuple[str, ...]]:
    """Return the activities and phases that the reference pathway names, by place."""
    return {
        f"reference.{rule.id}.{key}": words
        for rule in pathway.reference
        for key, words in rule.words().items()
    }


def _used(pathway: Pathway) -> dict[str, tuple[str, ...]]:
    """Return the activities named, by place."""
    return {
        "within_day": pathway.within_day,
        "cohort.index_activities": pathway.cohort.index_activities,
        "network.activities": pathway.network.activities if pathway.network else (),
        **{f"eras.{name}.activities": era.rule.activities for name, era in pathway.eras.items()},
        **{
            f"breakdowns.{item.id}.{key}": getattr(item, key)
            for item in pathway.breakdowns.values()
            for key in ("trigger", "restarts", "expected", "exits")
        },
    }


def check_codes(activities: Mapping[str, Activity], file: str) -> None:
    """Refuse codes without the shape of their system, and codes that two activities claim.

    Published lists hold codes that do not exist (``QEF005`` for ``QEFA005``): they would find nothing, silently.
    """
    for activity in activities.values():
        for system, codes in activity.codes.items():
            for code in codes:
                if not re.fullmatch(CODE_SHAPES[system], code):
                    raise DefinitionError(
                        f"{file}: [activities.{activity.id}] has {system} = [… '{code}' …], which has not the shape of "
                        f"a {system} code ({CODE_SHAPES[system]}); mend it"
                    )
    for system in CODE_SHAPES:
        _check_claims(list(activities.values()), system, file)


def _check_claims(activities: list[Activity], system: str, file: str) -> None:
    """Refuse a code that is written twice, unless for specialties that differ."""
    claims = sorted(
        (code, activity.id, activity) for activity in activities for code in activity.codes.get(system, ())
    )
    for (code, _, one), (other, _, two) in pairwise(claims):
        meets = other.startswith(code) if system in PREFIX_SYSTEMS else other == code
        if meets and (one is two or _same_specialty(one, two)):
            where = (
                f"[activities.{one.id}]" if one is two else f"[activities.{one.id}] and [activities.{two.id}]"
            )
            raise DefinitionError(
                f"{file}: {where} say {system} {code} and {other}; one row would be two events: keep one"
            )


def _same_specialty(one: Activity, two: Activity) -> bool:
    return not one.specialties or not two.specialties or bool(set(one.specialties) & set(two.specialties))


def check_against(pathway: Pathway, activities: Iterable[str]) -> None:
    """Refuse a definition whose breakdowns or rules name activities that neither it nor the log knows.

    Raises
    ------
    DefinitionError
        Names the breakdown or the rule, and the nearest activity of the log.
    """
    known = {*activities, *pathway.activities}
    for item in pathway.breakdowns.values():
        words = (*item.trigger, *item.restarts, *item.expected, *item.exits)
        _refuse_absent(f"[breakdowns.{item.id}]", words, known)
    for rule in pathway.reference:
        named = (word for words in rule.words().values() for word in words)
        _refuse_absent(f"[reference.{rule.id}]", named, {*known, *pathway.phases})


def _refuse_absent(place: str, words: Iterable[str], known: set[str]) -> None:
    for word in words:
        if word not in known:
            hint = did_you_mean(word, known)
            raise DefinitionError(f"{place} names '{word}', which the log does not have{hint}")
