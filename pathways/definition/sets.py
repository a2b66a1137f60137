"""A definition extended to the sets of activities that a day holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import get_args

from eventlogs.abstraction import SET_MARK
from pathways.definition.objects import Activity, Language, Pathway


def with_day_sets(pathway: Pathway, activities: Iterable[str]) -> Pathway:
    """Return the definition with each set of activities as an activity.

    Parameters
    ----------
    pathway : Pathway
        A definition of single activities.
    activities : iterable of str
        Of `eventlogs.abstraction.day_sets`: single activities and sets, "a + b".

    Returns
    -------
    Pathway
        A set is labelled by its parts, and is of the earliest of their phases, in the definition's order. Milestones,
        breakdowns and the reference pathway are of single activities: they are left out.
    """
    sets = {name: _of_set(pathway, name) for name in activities if SET_MARK in name}
    known = {name: found for name, found in sets.items() if found is not None}
    return replace(
        pathway,
        activities={**pathway.activities, **known},
        milestones=(),
        breakdowns={},
        reference=replace(pathway.reference, rules={}),
    )


def _of_set(pathway: Pathway, name: str) -> Activity | None:
    """Return a set as an activity; None where no part of it is defined."""
    parts = name.split(SET_MARK)
    phases = {pathway.activities[part].phase for part in parts if part in pathway.activities}
    if not phases:
        return None
    return Activity(
        id=name,
        label={
            language: SET_MARK.join(pathway.name(part, language) for part in parts)
            for language in get_args(Language)
        },
        phase=min(phases, key=list(pathway.phases).index),
        codes={},
        specialties=(),
        derived=None,
        source="the activities of one day, taken together",
    )
