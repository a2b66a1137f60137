"""The SQL whose results may leave: extraction, events, map, and the tables above the threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from eventlogs.activities import ActivityRules
from eventlogs.snds import schema
from eventlogs.snds.oracle.events import Words, event_sections
from eventlogs.snds.oracle.extraction import extraction
from eventlogs.snds.oracle.portal import Portal
from eventlogs.snds.oracle.script import Script
from eventlogs.snds.oracle.templates import sections

RESULTS = ("SUMMARY", "NODES", "EDGES", "VARIANTS")
"""What leaves, each as OUT_<name>, exported as <name>.csv."""

THRESHOLD = 11
"""Least number of patients behind a number, and what counts are rounded to (CASD rule for the PMSI, taken for all)."""


@dataclass(frozen=True)
class Identity:
    """What says which definition was asked: id, version, fingerprint."""

    id: str
    version: str
    sha256: str


def aggregation(
    rules: ActivityRules,
    lists: Mapping[str, pl.DataFrame],
    words: Words,
    identity: Identity,
    portal: Portal,
) -> Script:
    """Return the script that extracts, counts, and leaves only tables above the threshold to export.

    Parameters
    ----------
    rules : ActivityRules
        Of the definition.
    lists : mapping of str to polars.DataFrame
        The code lists that K1 joins.
    words : Words
        Phases and milestones.
    identity : Identity
        Written into the summary, so that the importer knows the definition again.
    portal : Portal
        Years and names.

    Raises
    ------
    DefinitionError
        The definition asks for no diagnosis, or has too many milestones.
    InputError
        A name would be too long.
    """
    persons = extraction(rules, lists, portal)
    families = {known[0] for _, name in persons.results if (known := schema.family(name)) is not None}
    counted = sections(
        "maps.sql",
        {
            "own": f"{portal.space}.{portal.prefix}",
            "threshold": THRESHOLD,
            "twice": 2 * THRESHOLD,
            "pathway_id": identity.id,
            "pathway_version": identity.version,
            "sha256": identity.sha256,
            "first_year": portal.first_year,
            "last_year": portal.last_year,
        },
    )
    return Script(
        header="",
        sections=(*persons.sections, *event_sections(rules, lists, words, families, portal), *counted),
        results=tuple((portal.own(f"OUT_{name}"), name) for name in RESULTS),
        footer="",
    )
