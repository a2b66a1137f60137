"""A comparison of a study's patients, released beside the study: who is compared, what leaves, what is remembered.

The groups whose sizes are told enter the study's ledger (`pathways.selections`), with what was shown of them. A later
comparison or selection of patients that contain them, or are part of them, is held against it; so is this one against
what the ledger has.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import get_args

import numpy as np
import polars as pl

from eventlogs.activities import Attribution
from eventlogs.errors import DisclosureRefused, InputError, StudyError, did_you_mean
from eventlogs.log import EventLog
from pathways.definition import Pathway
from pathways.disclosure import DisclosurePolicy, Origin, Released
from pathways.disclosure.compare import BESIDE_COLUMNS, EVERYBODY, Key, release_contrast
from pathways.disclosure.ledger import REFUSAL, Flags, few_apart, few_in_a_sum, tells_of_few
from pathways.filters import FilterStack
from pathways.mining.compare import compare
from pathways.mining.groups import COLUMNS, Groups, by_column, by_facility, by_period, by_sets
from pathways.releases import Material
from pathways.selections import Entry, among, flags_of, read_ledger
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


@dataclass(frozen=True)
class Contrast:
    """What a comparison releases, and what the study must remember before it does."""

    name: str
    tables: tuple[Released, ...]
    entries: tuple[Entry, ...] = field(repr=False)


def prepare(study: Study, question: Question, policy: DisclosurePolicy) -> Contrast:
    """Compare, hold it against all that the study released before, and make the tables.

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
    members = _members(log, groups)
    earlier = [
        (flags_of(log, entry), entry)
        for entry in read_ledger(study)
        if not entry.key.startswith(f"contrast-{question.name}.")
    ]
    untold = _untold(log, members, [flags for flags, _ in earlier], policy)
    comparison = compare(log, groups, pathway, minimum=policy.threshold)
    done = {name: study.released(name) for name in study.released_names()}
    phases = {} if pathway is None else pathway.phase_of()
    known = [
        _beside(members, earlier, done, phases),
        _of_territories(question, members, done),
        _refused(untold),
    ]
    origin = Origin(study.manifest["study"], (question.say(pathway, groups),))
    tables = release_contrast(
        comparison, done, pathway=pathway, beside=pl.concat(known), policy=policy, origin=origin
    )
    entries = _entries(question.name, log, members, tables[0], policy)
    return Contrast(question.name, tuple(tables), tuple(entries))


def _members(log: EventLog, groups: Groups) -> dict[str, Flags]:
    return {name: among(log, groups.of.filter(group=name)) for name in groups.names}


def _untold(
    log: EventLog,
    members: Mapping[str, Flags],
    earlier: Sequence[Mapping[str, Flags]],
    policy: DisclosurePolicy,
) -> list[str]:
    """Return the groups whose size would, with what was told before, tell of a few; of two groups, refuse then."""
    before = [flags for sets in earlier for flags in sets.values()]
    whole = [np.ones(log.n_patients, dtype=np.bool_), among(log, log.events)]
    if len(members) == 2:
        told = list(whole) + before
        for flags in members.values():
            if tells_of_few(flags, told, policy):
                raise DisclosureRefused(REFUSAL)
            told.append(flags)
        return []
    large = {name: flags for name, flags in members.items() if flags.sum() >= policy.threshold}
    untold = [name for name, flags in large.items() if few_apart(flags, [*whole, *before], policy)]
    told = [flags for name, flags in large.items() if name not in untold]
    if before and few_in_a_sum([*whole, *before, *told], policy):
        raise DisclosureRefused(REFUSAL)
    return untold


def _refused(untold: Sequence[str]) -> pl.DataFrame:
    rows = [(name, "\t".join(EVERYBODY), None, None, False) for name in untold]
    return pl.DataFrame(rows, schema=BESIDE_COLUMNS, orient="row")


def _beside(
    members: Mapping[str, Flags],
    earlier: Sequence[tuple[Mapping[str, Flags], Entry]],
    done: Mapping[str, Released],
    phases: Mapping[str, str],
) -> pl.DataFrame:
    """Return what is known of the sets of the ledger that contain a group, or are part of it.

    What a comparison hid of such a set stays hidden.
    """
    rows: list[tuple[str, str, int | None, int, bool]] = []
    every = [key for key, _ in _counts({name: table.frame for name, table in done.items()})]
    for sets, entry in earlier:
        other, known = sets["patients"], dict(_counts(entry.tables))
        absent = dict.fromkeys(_hidden(entry, known, every, phases))
        for name, flags in members.items():
            if not (flags & ~other).any() or not (other & ~flags).any():
                same, n = bool(np.array_equal(flags, other)), int(other.sum())
                sized: dict[Key, int | None] = {EVERYBODY: n, **known, **absent}
                rows += [(name, "\t".join(key), k, n, same) for key, k in sized.items()]
    return pl.DataFrame(rows, schema=BESIDE_COLUMNS, orient="row")


def _hidden(
    entry: Entry, known: Mapping[Key, int], every: Sequence[Key], phases: Mapping[str, str]
) -> Iterator[Key]:
    """Yield what an earlier comparison hid: steps, edges and variants, or steps with the edges and variants of them."""
    if not entry.key.startswith("contrast-"):
        return
    steps = {key[1] for key in every if key[0] == "activity" and key not in known}
    words = steps | {phases.get(step, step) for step in steps}
    for key in every:
        touched = not words.isdisjoint(key[1:])
        if key not in known and (key[0] == "activity" or "edges" in entry.tables or touched):
            yield key


def _counts(tables: Mapping[str, pl.DataFrame]) -> Iterator[tuple[Key, int]]:
    """Yield the counts of patients of released nodes, edges and variants, by key."""
    if "nodes" in tables:
        nodes = tables["nodes"].filter(level="activity").select("activity", "n_patients").drop_nulls()
        yield from ((("activity", name), n) for name, n in nodes.rows())
    if "edges" in tables:
        edges = tables["edges"].filter(level="activity").select("source", "target", "n_patients").drop_nulls()
        yield from ((("edge", source, target), n) for source, target, n in edges.rows())
    if "variants" in tables:
        listed = tables["variants"].filter(pl.col("level") == "milestone", pl.col("variant").list.len() > 0)
        yield from ((("variant", *words), n) for words, n in listed.select("variant", "n_patients").rows())


def _of_territories(
    question: Question, members: Mapping[str, Flags], done: Mapping[str, Released]
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


def _entries(
    name: str, log: EventLog, members: Mapping[str, Flags], contrast: Released, policy: DisclosurePolicy
) -> Iterator[Entry]:
    """Yield, for the ledger, each group of which a row is shown, with what is shown of it."""
    sides = [("group", "k_a"), ("other", "k_b")] if len(members) == 2 else [("group", "k_a")]
    for side, count in sides:
        for (group,), rows in contrast.frame.group_by(side, maintain_order=True):
            sets = pl.DataFrame({"patient_id": log.patients["patient_id"], "patients": members[str(group)]})
            slug = hashlib.sha256(str(group).encode()).hexdigest()[:12]
            counted = rows.filter(measure="share").with_columns(n_patients=pl.col(count))
            tables = _remembered(counted)
            kept = tables if len(members) == 2 else {"nodes": tables["nodes"]}
            yield Entry(f"contrast-{name}.{slug}-{policy.threshold}", sets, kept)


def _remembered(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Write the counts of a group in the form of a map's tables."""
    of_kind = {kind: rows.filter(kind=kind) for kind in ("activity", "edge", "variant")}
    level, events = pl.lit("activity").alias("level"), pl.lit(None, dtype=pl.Int64).alias("n_events")
    return {
        "nodes": of_kind["activity"].select(level, "activity", "n_patients"),
        "edges": of_kind["edge"].select(level, "source", "target", events, "n_patients"),
        "variants": of_kind["variant"].select(pl.lit("milestone").alias("level"), "variant", "n_patients"),
    }
