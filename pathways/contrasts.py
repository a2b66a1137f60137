"""A comparison of a study's patients, released beside the study: who is compared, what leaves, what is remembered.

The groups whose sizes are told enter the study's ledger (`pathways.selections`), with what was shown of them. A later
comparison or selection of patients that contain them, or are part of them, is held against it; so is this one against
what the ledger has.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

import numpy as np
import polars as pl

from eventlogs.activities import Attribution
from eventlogs.errors import DisclosureRefused, InputError, StudyError, did_you_mean
from eventlogs.log import EventLog
from pathways.definition import Pathway
from pathways.disclosure import DisclosurePolicy, Origin, Released
from pathways.disclosure.compare import BESIDE_COLUMNS, EVERYBODY, release_contrast
from pathways.disclosure.ledger import REFUSAL, few_apart
from pathways.filters import FilterStack
from pathways.mining.compare import compare
from pathways.mining.groups import COLUMNS, Groups, by_column, by_facility, by_period, by_sets
from pathways.releases import Material
from pathways.selections import (
    REST,
    among,
    beside_groups,
    check_nodes,
    flags_of,
    read_ledger,
    remember_groups,
    tells_apart,
)
from pathways.study import Study

FACILITY_RULES: Mapping[str, Attribution] = {
    rule.split("_")[0]: rule for rule in get_args(Attribution) if rule.endswith("facility")
}
"""Words after ``facility:``: ``last``, ``first``, ``most``."""


@dataclass(frozen=True)
class Question:
    """Who is compared with whom.

    Parameters
    ----------
    by : str
        A column (`pathways.mining.groups.COLUMNS`), ``facility``, ``facility:first``, ``facility:last``,
        ``facility:most``, or ``period:YYYY-MM-DD``; empty with `a` and `b`.
    group : str
        Only this group, against all others.
    a, b : FilterStack, optional
        Two sets of patients; who is in both is in none.
    """

    by: str = ""
    group: str = ""
    a: FilterStack | None = None
    b: FilterStack | None = None

    def __post_init__(self) -> None:
        sets = [stack for stack in (self.a, self.b) if stack is not None]
        if len(sets) == 1 or bool(self.by) == bool(sets):
            raise InputError("give what to compare by, or the filters of both A and B")
        if any(stack.cuts_events or not stack.verbs for stack in sets):
            raise InputError(
                "A and B are sets of patients; take out the filters that cut events, and leave one filter at least"
            )
        if self.group and not self.by:
            raise InputError("a group is of what is compared by; leave it out with two filters")

    @property
    def name(self) -> str:
        """Name of the comparison's folder."""
        if self.a is not None and self.b is not None:
            return f"filters-{self.a.hash}-{self.b.hash}"
        return re.sub(r"[^\w-]+", "-", "-".join(word for word in (self.by, self.group) if word))

    def groups(self, log: EventLog, pathway: Pathway | None) -> Groups:
        """Return the groups of a log.

        Raises
        ------
        InputError
            What to compare by is not known, or the log does not tell it.
        """
        if self.a is not None and self.b is not None:
            sets = [stack.apply(log, pathway).log.patients["patient_id"] for stack in (self.a, self.b)]
            return by_sets(log, sets[0], sets[1])
        found = self._grouped(log, pathway)
        return found.against_others(self.group, log) if self.group else found

    def say(self, pathway: Pathway | None, groups: Groups) -> str:
        """Return who is compared, in words."""
        if self.a is None or self.b is None:
            return f"{groups.by}: {' / '.join(groups.names)}" if len(groups.names) == 2 else groups.by
        words = ("; ".join(stack.say("fr", pathway)) for stack in (self.a, self.b))
        return " / ".join(f"{name}: {said}" for name, said in zip("AB", words, strict=True))

    def _grouped(self, log: EventLog, pathway: Pathway | None) -> Groups:
        word, _, detail = self.by.partition(":")
        if word == "period":
            return by_period(log, _day(detail))
        if word == "facility":
            rule = pathway.network if pathway is not None else None
            return by_facility(log, rule.activities if rule else log.activities, _facility_rule(detail))
        if word not in COLUMNS:
            hint = did_you_mean(word, [*COLUMNS, "facility", "period"])
            raise InputError(f"patients can't be compared by '{self.by}'{hint}")
        return by_column(log, word)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"'period:{text}' has no date; write period:2020-01-31") from error


def _facility_rule(word: str) -> Attribution:
    if word and word not in FACILITY_RULES:
        raise InputError(f"'facility:{word}' is not known{did_you_mean(word, FACILITY_RULES)}")
    return FACILITY_RULES[word or "first"]


def released_contrast(study: Study, question: Question, policy: DisclosurePolicy) -> list[Released]:
    """Compare, hold it against all that the study released before, and remember what is told.

    Call it within `pathways.selections.one_at_a_time`.

    Raises
    ------
    StudyError
        The study was not mined, or its ledger is damaged.
    InputError
        There is nothing to compare by the question.
    DisclosureRefused
        A group is too small, or the groups and earlier releases would together tell of a few.
    """
    if not study.released_names():
        raise StudyError(f"{study.path} was not mined; first: pathways mine {study.path}")
    material = Material.of(study, policy)
    log, pathway = material.log, material.pathway
    groups = question.groups(log, pathway)
    members = {name: groups.of.filter(group=name).select("patient_id") for name in groups.names}
    untold = tells_apart(study, log, members, of=question.name)
    if untold and len(members) == 2:
        raise DisclosureRefused(REFUSAL)
    untold += _untold(study, log, members, policy) if len(members) > 2 else []
    if len(members) == 2:
        check_nodes(
            material, study.released("nodes").frame, [among(log, frame) for frame in members.values()]
        )
    comparison = compare(log, groups, pathway, minimum=policy.threshold)
    done = {name: study.released(name) for name in study.released_names()}
    beside = beside_groups(study, log, members, of=question.name)
    known = [beside, _of_territories(question, members, done), _refused(untold)]
    origin = Origin(study.manifest["study"], (question.say(pathway, groups),))
    tables = release_contrast(
        comparison, done, pathway=pathway, beside=pl.concat(known), policy=policy, origin=origin
    )
    phases = {} if pathway is None else pathway.phase_of()
    told = _remembered(tables[0].frame, done, len(members) == 2, phases)
    sets = {name: members[name] for name in told}
    if len(members) > 2 and not (rest := _rest(log, sets)).is_empty():
        sets[REST] = rest
    remember_groups(study, log, sets, told, of=question.name, policy=policy, rest=REST)
    return tables


def _rest(log: EventLog, sets: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return the patients with events who are in none of the sets."""
    everybody = log.events.select("patient_id").unique()
    told = pl.concat([everybody.clear(), *(one.select("patient_id") for one in sets.values())])
    return everybody.join(told, on="patient_id", how="anti")


def _untold(
    study: Study, log: EventLog, members: Mapping[str, pl.DataFrame], policy: DisclosurePolicy
) -> list[str]:
    """Return the groups of many whose size would tell of a few beside an earlier one: they stay among the others."""
    earlier = [flags for entry in read_ledger(study) for flags in flags_of(log, entry).values()]
    groups = {name: among(log, frame) for name, frame in members.items()}
    others = [flags for flags in earlier if not any(np.array_equal(flags, one) for one in groups.values())]
    return [name for name, flags in groups.items() if few_apart(flags, others, policy)]


def _refused(untold: Sequence[str]) -> pl.DataFrame:
    rows = [(name, "\t".join(EVERYBODY), None, None, False) for name in untold]
    return pl.DataFrame(rows, schema=BESIDE_COLUMNS, orient="row")


def _of_territories(
    question: Question, members: Mapping[str, pl.DataFrame], done: Mapping[str, Released]
) -> pl.DataFrame:
    """Return the breakdowns of the territories compared: parts of their patients."""
    if question.by != "territory" or "territories" not in done:
        return pl.DataFrame(schema=BESIDE_COLUMNS)
    counts = done["territories"].frame.filter(pl.col("territory").is_in(list(members)))
    parts = pl.concat(
        [counts.select("territory", k=name) for name in ("n_evaluable", "n_broken")]
    ).drop_nulls("k")
    named = {"group": pl.col("territory"), "key": pl.lit(None), "n": pl.lit(None), "same": pl.lit(False)}
    return parts.with_columns(**named).select(
        pl.col(name).cast(kind) for name, kind in BESIDE_COLUMNS.items()
    )


def _remembered(
    rows: pl.DataFrame, done: Mapping[str, Released], two: bool, phases: Mapping[str, str]
) -> dict[str, dict[str, pl.DataFrame]]:
    """Return, by group, what is told of it in the form of a map's tables, null where it is not.

    Of many groups only steps are told: an edge or a variant of a step that is hidden must stay hidden later.
    """
    sides = [("group", "k_a"), ("other", "k_b")] if two else [("group", "k_a")]
    parts = [
        (name, frame, k) for side, k in sides for (name,), frame in rows.group_by(side, maintain_order=True)
    ]
    return {
        str(name): _tables_of(frame.filter(measure="share"), k, done, two, phases) for name, frame, k in parts
    }


def _tables_of(
    rows: pl.DataFrame, count: str, done: Mapping[str, Released], two: bool, phases: Mapping[str, str]
) -> dict[str, pl.DataFrame]:
    whole = {name: done[name].frame.drop_nulls("n_patients") for name in ("nodes", "edges", "variants")}
    steps = whole["nodes"].filter(level="activity").select("level", "activity")
    edges = whole["edges"].filter(level="activity").select("level", "source", "target", "n_events")
    listed = whole["variants"].filter(level="milestone").select("level", "variant")
    shown = {
        kind: rows.filter(kind=kind).with_columns(n_patients=count)
        for kind in ("activity", "edge", "variant")
    }
    nodes = steps.join(shown["activity"].select("activity", "n_patients"), on="activity", how="left")
    keys = ["source", "target"]
    passages = edges.with_columns(n_events=None).join(
        shown["edge"].select(*keys, "n_patients"), on=keys, how="left"
    )
    words = pl.col("variant").list.join("\t").alias("words")
    known = shown["variant"].select(words, "n_patients")
    sequences = listed.with_columns(words).join(known, on="words", how="left").drop("words")
    if not two:
        hidden = nodes.filter(pl.col("n_patients").is_null())["activity"].to_list()
        passages = passages.filter(pl.any_horizontal(pl.col(keys).is_in(hidden)))
        gone = [phases.get(step, step) for step in hidden]
        sequences = sequences.filter(pl.col("variant").list.eval(pl.element().is_in(gone)).list.any())
    return {
        "nodes": nodes,
        "edges": passages.with_columns(pl.col("n_events").cast(pl.Int64)),
        "variants": sequences,
    }
