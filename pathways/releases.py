"""What `mine` releases: each table with the function that makes it and passes it through the gate.

A release is a function of the `Material` and of the tables released before it, which it may need to protect.
`RELEASES` is the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from eventlogs.abstraction import Level
from eventlogs.log import SIDE_SOURCES, EventLog
from pathways.definition import Pathway
from pathways.disclosure import (
    POLICY,
    UNFILTERED,
    DisclosurePolicy,
    Origin,
    Released,
    published_sets,
    release_breakdowns,
    release_clusters,
    release_conformance,
    release_delays,
    release_incidence,
    release_map,
    release_milestones,
    release_summary,
    release_territories,
    release_variants,
)
from pathways.mining.cluster import clusters
from pathways.mining.conformance import check_conformance
from pathways.mining.incidence import DEATHS, edge_waits, index_waits
from pathways.mining.kernels import variants
from pathways.mining.maps import collapsed_variants, milestone_log, process_maps
from pathways.mining.territories import territory_rates
from pathways.risk.breakdown import BreakdownResults, evaluate
from pathways.study import Study


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
    """

    log: EventLog = field(repr=False)
    pathway: Pathway | None = field(default=None, repr=False)
    policy: DisclosurePolicy = POLICY
    origin: Origin = UNFILTERED
    source: str = ""
    synthetic: bool = False
    cutoff: date | None = None

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
        )

    @cached_property
    def broken(self) -> BreakdownResults | None:
        """What became of the breakdowns; None without any."""
        return evaluate(self.log, self.pathway) if self.pathway and self.pathway.breakdowns else None


Release = Callable[[Material, Mapping[str, Released]], list[Released]]
"""Makes tables from the material and the tables released before it, by name."""


def released(material: Material) -> list[Released]:
    """Make every table of `RELEASES`, in order.

    Raises
    ------
    DisclosureRefused
        There are too few patients for anything to leave.
    """
    done: dict[str, Released] = {}
    for release in RELEASES:
        done |= {table.name: table for table in release(material, done)}
    return list(done.values())


def maps(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``nodes``, ``edges``, ``edge_delays``, ``variants``, by activity and by phase where defined.

    Variants are sequences of milestones where the definition names some; else whole sequences of activities.
    """
    log, pathway, gate = material.log, material.pathway, _gate(material)
    by_level = process_maps(log, pathway)
    nodes, edges = release_map(by_level, pathway=pathway, **gate)
    delays = release_delays(by_level, edges, **gate)
    if pathway is not None and pathway.milestones:
        sequences = variants(milestone_log(log, pathway))
        shared = release_milestones(sequences, nodes, by_level["activity"].n_patients, **gate)
    else:
        whole = collapsed_variants(log, pathway)
        shared = release_variants(whole, nodes, edges, pathway=pathway, **gate)
    return [nodes, edges, delays, shared]


def _gate(material: Material) -> dict[str, Any]:
    return {"policy": material.policy, "origin": material.origin}


def breakdowns(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``breakdowns`` and, where patients have a territory, ``territories``; nothing without a breakdown."""
    log, pathway, gate = material.log, material.pathway, _gate(material)
    results = material.broken
    if pathway is None or results is None:
        return []
    by_status = release_breakdowns(results.summary(), pathway, nodes=done["nodes"], **gate)
    if not log.patients["territory"].count():
        return [by_status]
    return [by_status, release_territories(territory_rates(results.frame, log.patients), by_status, **gate)]


def conformance(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``conformance`` to the reference pathway; nothing without a rule."""
    log, pathway = material.log, material.pathway
    if pathway is None or not pathway.reference:
        return []
    broken = (material.broken, done["breakdowns"]) if material.broken else None
    beside = published_sets(log, pathway, done["nodes"], broken)
    everybody = log.events["patient_id"].unique(maintain_order=True)
    return [release_conformance(check_conformance(log, pathway), everybody, beside, **_gate(material))]


def incidence(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``incidence``: how many have had each step by each day, deaths and exits counted."""
    log, pathway = material.log, material.pathway
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
        breakdowns=done.get("breakdowns"),
        pathway=pathway,
        **_gate(material),
    )
    return [table]


def _exits(pathway: Pathway | None) -> list[str]:
    """Return the activities after which a breakdown of the definition expects nothing, deaths apart."""
    plans = () if pathway is None else pathway.breakdowns.values()
    return sorted({name for plan in plans for name in plan.exits} - set(DEATHS))


def groups(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``clusters`` of pathways and ``cluster_traits``, what they are rich in."""
    found = clusters(material.log, material.pathway)
    shown = (done[name] for name in ("nodes", "edges", "variants"))
    return list(release_clusters(found, *shown, pathway=material.pathway, **_gate(material)))


def summary(material: Material, done: Mapping[str, Released]) -> list[Released]:
    """Release ``summary``: what the study holds, in one row."""
    said: dict[str, Any] = {name: getattr(material, name) for name in ("source", "synthetic", "cutoff")}
    return [release_summary(material.log, material.pathway, **said, **_gate(material))]


RELEASES: tuple[Release, ...] = (maps, breakdowns, conformance, incidence, groups, summary)
"""What `mine` releases, in the order in which tables protect each other."""
