"""What `mine` releases: each table with the function that makes it and passes it through the gate.

A release is a function of the `Material` and of the tables released before it, which it may need to protect.
`RELEASES` is the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from itertools import chain
from typing import Any, Literal

import polars as pl

from eventlogs.abstraction import Level, day_sets
from eventlogs.log import SIDE_SOURCES, EventLog
from pathways.definition import Pathway, with_day_sets
from pathways.disclosure import (
    POLICY,
    UNFILTERED,
    Counted,
    DisclosurePolicy,
    Origin,
    Released,
    published_sets,
    release_breakdowns,
    release_clusters,
    release_conformance,
    release_delays,
    release_drift,
    release_incidence,
    release_map,
    release_milestones,
    release_replay,
    release_summary,
    release_territories,
    release_variants,
    withheld_statuses,
)
from pathways.drawing import release_layout
from pathways.filters import keep_patients
from pathways.mining.cluster import clusters
from pathways.mining.conformance import check_conformance
from pathways.mining.drift import drift
from pathways.mining.incidence import DEATHS, INDEX, edge_waits, index_waits
from pathways.mining.kernels import variants
from pathways.mining.maps import collapsed_variants, milestone_log, process_maps
from pathways.mining.territories import STATUSES, territory_rates
from pathways.risk.breakdown import BreakdownResults, evaluate
from pathways.study import Study

Ties = Literal["order", "sets"]
"""How events of one day are read: in the definition's order, or as one event whose activity is their set."""


@dataclass(frozen=True)
class Material:
    """What a release is made of.

    Parameters
    ----------
    log : EventLog
        The patients of the release, with their events.
    pathway : Pathway or None
        Gives phases, milestones, labels and breakdowns.
    policy : DisclosurePolicy
        How small a number may be.
    origin : Origin
        Study and filters, for the tables' meta.
    source : str
        Where the data come from, in words.
    synthetic : bool
        Whether they are synthetic.
    cutoff : datetime.date or None
        The day until which they are complete.
    ties : {'order', 'sets'}
        How the log's days are written: see `with_ties`.
    molecules : polars.DataFrame or None
        The molecule of each code of a medicine (`pathways.mining.codes.MOLECULE_COLUMNS`), where the source rows are
        known: then maps are also made by code.
    found : polars.DataFrame or None
        What became of each patient (`pathways.mining.outcomes.outcomes`); None: what the log says.
    """

    log: EventLog = field(repr=False)
    pathway: Pathway | None = field(default=None, repr=False)
    policy: DisclosurePolicy = POLICY
    origin: Origin = UNFILTERED
    source: str = ""
    synthetic: bool = False
    cutoff: date | None = None
    ties: Ties = "order"
    molecules: pl.DataFrame | None = field(default=None, repr=False)
    found: pl.DataFrame | None = field(default=None, repr=False)

    @classmethod
    def of(cls, study: Study, policy: DisclosurePolicy = POLICY) -> Material:
        """Take all patients of a study."""
        stated = {name: day for name, day in study.manifest["cutoff"].items() if name not in SIDE_SOURCES}
        return cls(
            log=study.log(),
            pathway=study.pathway(),
            policy=policy,
            origin=Origin(study.manifest["study"]),
            source=study.manifest["source"]["name"],
            synthetic=study.manifest["synthetic"],
            cutoff=min((date.fromisoformat(day) for day in stated.values()), default=None),
            molecules=study.molecules(),
        )

    @cached_property
    def broken(self) -> BreakdownResults | None:
        """What became of the breakdowns; None without any."""
        return evaluate(self.log, self.pathway) if self.pathway and self.pathway.breakdowns else None

    def with_ties(self, ties: Ties) -> Material:
        """Return the material with the events of a day in order, as they are, or as sets (`day_sets`).

        Sets are activities as others are, so that the gate protects them as it protects a log of them; but what is
        said of single activities (codes, breakdowns, milestones, incidence, clusters) is not of sets, and is not
        released beside them: only `OF_SETS` is.
        """
        if ties == self.ties:
            return self
        log = day_sets(self.log)
        pathway = None if self.pathway is None else with_day_sets(self.pathway, log.activities)
        return replace(self, log=log, pathway=pathway, ties=ties, molecules=None)


Release = Callable[[Material, Mapping[str, Released]], list[Released]]
"""Makes tables from the material and the tables released before it, by name."""


def released(material: Material, releases: Sequence[Release] | None = None) -> list[Released]:
    """Make every table of some releases, in order.

    Parameters
    ----------
    material : Material
        What they are made of.
    releases : sequence of Release, optional
        Default: `RELEASES`, or `OF_SETS` where days are sets.

    Raises
    ------
    DisclosureRefused
        There are too few patients for anything to leave.
    """
    done: dict[str, Released] = {}
    usual = OF_SETS if material.ties == "sets" else RELEASES
    for release in usual if releases is None else releases:
        done |= {table.name: table for table in release(material, done)}
    return [replace(table, meta={**table.meta, "ties": material.ties}) for table in done.values()]


def maps(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``nodes``, ``edges``, ``layout``, ``edge_delays``, ``variants``, ``replay``, at each level.

    Variants are sequences of milestones where the definition names some; else whole sequences of activities.
    """
    log, pathway, gate = material.log, material.pathway, _gate(material)
    by_level = process_maps(log, pathway, material.molecules, material.found)
    nodes, edges = release_map(by_level, pathway=pathway, **gate)
    delays = release_delays(by_level, edges, **gate)
    if pathway is not None and pathway.milestones:
        sequences = variants(milestone_log(log, pathway))
        shared = release_milestones(sequences, nodes, by_level["activity"].n_patients, **gate)
    else:
        whole = collapsed_variants(log, pathway)
        shared = release_variants(whole, nodes, edges, pathway=pathway, **gate)
    replay = release_replay(by_level, nodes, edges, shared, **gate)
    return [nodes, edges, release_layout(nodes, edges), delays, shared, replay]


def _gate(material: Material) -> dict[str, Any]:
    return {"policy": material.policy, "origin": material.origin}


def breakdowns(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``breakdowns`` and, where patients have a territory, ``territories``; nothing without a breakdown."""
    log, pathway, gate = material.log, material.pathway, _gate(material)
    results = material.broken
    if pathway is None or results is None:
        return []
    beside = published_sets(log, pathway, done)
    withheld = withheld_statuses(results, _everybody(log), beside, policy=material.policy)
    counts = results.summary()
    by_status = release_breakdowns(counts, pathway, withheld=withheld, **gate)
    if not log.patients["territory"].count():
        return [by_status]
    return [by_status, release_territories(territory_rates(results.frame, log.patients), by_status, **gate)]


def conformance(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``conformance`` to the reference pathway; nothing without a rule."""
    log, pathway = material.log, material.pathway
    if pathway is None or not pathway.reference:
        return []
    beside = published_sets(log, pathway, done, material.broken)
    result = check_conformance(log, pathway)
    return [release_conformance(result, _everybody(log), beside, **_gate(material))]


def _everybody(log: EventLog) -> pl.Series:
    """Return the patients with events: those that the tables count."""
    return log.events["patient_id"].unique(maintain_order=True)


def incidence(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``incidence``: how many have had each step by each day, deaths and exits counted.

    Of patients with events, as the tables that protect it.
    """
    log, pathway = keep_patients(material.log, material.log.events.unique("patient_id")), material.pathway
    exits = _exits(pathway)
    phases: dict[Level, dict[str, str] | None] = {"activity": None}
    if pathway is not None and pathway.phases:
        phases["phase"] = pathway.phase_of()
    table = release_incidence(
        {level: index_waits(log, phases=words, exits=exits) for level, words in phases.items()},
        {level: edge_waits(log, phases=words) for level, words in phases.items()},
        done["nodes"],
        done["edges"],
        done["edge_delays"],
        counted=expectations_published(pathway, done),
        pathway=pathway,
        **_gate(material),
    )
    return [table]


def expectations_published(pathway: Pathway | None, done: Mapping[str, Released]) -> list[Counted]:
    """Return the counts that ``breakdowns`` and ``conformance`` publish of waits, with what is waited for."""
    if pathway is None:
        return []
    words = {("breakdowns", plan.id): (plan.trigger, plan.expected) for plan in pathway.breakdowns.values()}
    for rule in pathway.reference:
        words["conformance", rule.id] = rule.anchor, (*rule.steps, *chain(*rule.options))
    found = []
    for table, key in (("breakdowns", "breakdown"), ("conformance", "rule")):
        for row in done[table].frame.to_dicts() if table in done else []:
            starts, steps = words[table, row[key]]
            numbers = (row[name] for name in row if name.startswith("n_") or name in STATUSES)
            found.append(Counted(_starts(starts, pathway), frozenset(steps), tuple(filter(None, numbers))))
    return found


def _starts(words: Sequence[str], pathway: Pathway) -> frozenset[str]:
    """Add the index where it is meant, or may be the day of one of these activities."""
    at_index = not words or set(words) & set(pathway.cohort.index_activities)
    return frozenset({*words, *((INDEX,) if at_index else ())})


def _exits(pathway: Pathway | None) -> list[str]:
    """Return the activities after which a breakdown of the definition expects nothing, deaths apart."""
    plans = () if pathway is None else pathway.breakdowns.values()
    return sorted({name for plan in plans for name in plan.exits} - set(DEATHS))


def groups(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``clusters`` of pathways and ``cluster_traits``, what they are rich in."""
    found = clusters(material.log, material.pathway)
    shown = (done[name] for name in ("nodes", "edges", "variants"))
    return list(release_clusters(found, *shown, pathway=material.pathway, **_gate(material)))


def over_time(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``drift`` by month, ``drift_changes`` and ``drift_distance``."""
    found = drift(material.log, material.pathway)
    return list(
        release_drift(found, done["nodes"], done["edges"], pathway=material.pathway, **_gate(material))
    )


def summary(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``summary``: what the study holds, in one row."""
    said: dict[str, Any] = {name: getattr(material, name) for name in ("source", "synthetic", "cutoff")}
    return [release_summary(material.log, material.pathway, **said, **_gate(material))]


RELEASES: tuple[Release, ...] = (maps, breakdowns, conformance, incidence, groups, over_time, summary)
"""What `mine` releases, in the order in which tables protect each other."""

OF_SELECTIONS: tuple[Release, ...] = (maps, breakdowns, conformance, summary)
"""What `mine` releases of a selection of patients: what `pathways.disclosure.selections` can protect."""

OF_SETS: tuple[Release, ...] = (maps, summary)
"""What it releases of days written as sets."""
