"""Conformance: patients by rule of the reference pathway and status.

What is told of a rule is put beside other tables by whoever attacks it, so the gate looks at the sets of patients
themselves: where a published set is part of another, in fact, and exceeds it by few, one of them is not published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

from eventlogs.errors import DisclosureRefused
from eventlogs.log import EventLog
from pathways.definition import Pathway, ReferenceRule
from pathways.disclosure.policy import (
    POLICY,
    UNFILTERED,
    DisclosurePolicy,
    Origin,
    Released,
    check_enough,
    conform,
    released_table,
)
from pathways.disclosure.suppression import TOLERANCE
from pathways.mining.conformance import ConformanceResult, rule_sets, violation_words
from pathways.mining.maps import milestone_log, phase_log
from pathways.risk.breakdown import STATUSES as BROKEN_STATUSES
from pathways.risk.breakdown import BreakdownResults

Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]

SETS = ("applicable", "satisfied", "violated", "excused", "undecidable", "late", "never", "rest")
"""Sets of patients of a rule: the first is the sum of the next four, ``violated`` that of the two after; ``rest`` are
those whom it does not concern."""
APPLICABLE, SATISFIED, VIOLATED, EXCUSED, UNDECIDABLE, LATE, _NEVER, REST = range(8)
SHOWN = SETS[:-2]

HIDE_FIRST = (EXCUSED, UNDECIDABLE, LATE, APPLICABLE, SATISFIED, VIOLATED)
"""Which number is hidden for a small one: the least useful to the reader first."""

CONFORMANCE_COLUMNS: dict[str, Any] = {
    "rule": pl.String,
    "label_fr": pl.String,
    "label_en": pl.String,
    "kind": pl.String,
    "lookback_days": pl.Int64,
    "from_days": pl.Int64,
    "within_days": pl.Int64,
    "evidence": pl.String,
    "source": pl.String,
    "n_patients": pl.Int64,
    **{f"n_{name}": pl.Int64 for name in SHOWN},
    "share_conforming": pl.Float64,
    "median_days_late": pl.Int64,
    "words_fr": pl.String,
    "words_en": pl.String,
}
"""One row a rule, the most violated first. ``n_violated`` leaves out those excused; ``n_late`` are its patients in whom
the step came after its window."""

BESIDE_COLUMNS: dict[str, Any] = {"set": pl.String, "patient_id": pl.String}
"""Sets of patients whose number is published, or (`WITHHELD`) was hidden on purpose: one row a set and patient."""

WITHHELD = "withheld|"
"""How the name of a set begins whose number another table hides: no number may tell it, nor come near to it."""


def release_conformance(
    result: ConformanceResult,
    everybody: pl.Series,
    beside: pl.DataFrame,
    *,
    policy: DisclosurePolicy = POLICY,
    origin: Origin = UNFILTERED,
) -> Released:
    """Release how many patients satisfied and violated each rule, and how late.

    Parameters
    ----------
    result : ConformanceResult
        From `pathways.mining.conformance.check_conformance`.
    everybody : polars.Series
        Identifiers of the patients of the release; others of `result` are left out.
    beside : polars.DataFrame
        `BESIDE_COLUMNS`: the patients of each number that other tables publish (nodes, statuses of breakdowns).

    Returns
    -------
    Released
        `CONFORMANCE_COLUMNS`. A number of 1 to 10 patients is null, and others with it: statuses add up to
        ``n_applicable``; the patients whom a rule does not concern are the rest of all; and a number that differs by 1
        to 10 from that of a set which holds its patients, or is part of them, would tell that difference. The median
        is shown where at least the threshold of patients lies on each side, in whole days.

    Raises
    ------
    DisclosureRefused
        Fewer patients than the threshold.
    """
    check_enough(len(everybody), policy)
    rules = list(result.reference)
    shared = _overlap(rule_sets(result.frame), [rule.id for rule in rules], everybody, beside)
    shown = ~_hidden(shared, len(rules), policy, _secrets(beside))
    medians = _medians(result.frame.filter(pl.col("patient_id").is_in(everybody.implode())), policy)
    numbers = shared.diagonal()[: len(shown)].reshape(-1, len(SETS))
    rows = [
        _row(rule, counts, flags, len(everybody), medians.get(rule.id))
        for rule, counts, flags in zip(rules, numbers, shown.reshape(-1, len(SETS)), strict=True)
    ]
    frame = conform(pl.DataFrame(rows, schema=CONFORMANCE_COLUMNS), CONFORMANCE_COLUMNS)
    counts = [f"n_{name}" for name in SHOWN]
    return released_table(
        "conformance",
        frame.sort("n_violated", descending=True, nulls_last=True, maintain_order=True),
        policy,
        origin,
        numerator="patients by the status of the rule",
        denominator=len(everybody),
        suppressed=sum(frame[name].null_count() for name in counts),
        rounded="shares to 3 decimals, medians to whole days",
    )


def _row(
    rule: ReferenceRule, counts: Counts, shown: Flags, n_patients: int, median: int | None
) -> dict[str, Any]:
    told = {f"n_{name}": int(n) if flag else None for name, n, flag in zip(SETS, counts, shown, strict=True)}
    satisfied, violated, late = (told[f"n_{name}"] for name in ("satisfied", "violated", "late"))
    days = median if late else None
    words = {
        f"words_{language}": violation_words(rule, language, violated, late, days) if violated else None
        for language in ("fr", "en")
    }
    described = {"rule": rule.id, "label_fr": rule.label["fr"], "label_en": rule.label["en"]}
    defined = ("kind", "lookback_days", "from_days", "within_days", "evidence", "source")
    return {
        **described,
        **{name: getattr(rule, name) for name in defined},
        "n_patients": n_patients,
        **{f"n_{name}": told[f"n_{name}"] for name in SHOWN},
        "share_conforming": _share(satisfied, violated),
        "median_days_late": days,
        **words,
    }


def _share(satisfied: int | None, violated: int | None) -> float | None:
    if satisfied is None or violated is None or not satisfied + violated:
        return None
    return round(satisfied / (satisfied + violated), 3)


def _medians(frame: pl.DataFrame, policy: DisclosurePolicy) -> dict[str, int]:
    """Return the median of the days late by rule, where enough patients lie on each side."""
    late = rule_sets(frame).filter(pl.col("set") == "late").join(frame, on=["rule", "patient_id"])
    medians = late.group_by("rule").agg(n=pl.len(), days=pl.col("days_late").median().round())
    enough = medians.filter(pl.col("n") >= 2 * policy.threshold)
    return dict(enough.select("rule", pl.col("days").cast(pl.Int64)).rows())


def withheld_statuses(
    results: BreakdownResults,
    everybody: pl.Series,
    beside: pl.DataFrame,
    *,
    policy: DisclosurePolicy = POLICY,
) -> dict[str, frozenset[str]]:
    """Return which numbers of each breakdown would tell of few patients beside other tables.

    Parameters
    ----------
    results : BreakdownResults
        What became of the breakdowns.
    everybody : polars.Series
        Identifiers of the patients of the release.
    beside : polars.DataFrame
        `BESIDE_COLUMNS`, from `published_sets` without breakdowns.

    Returns
    -------
    dict of str to frozenset of str
        ``n_patients`` and statuses to hide, by breakdown. They add up as those of a rule do, and are protected alike.
    """
    names = list(results.labels)
    as_rule = {
        "kept": [SATISFIED],
        "broken": [VIOLATED, _NEVER],
        "excused": [EXCUSED],
        "undecidable": [UNDECIDABLE],
    }
    places = pl.DataFrame(
        [(status, SETS[at]) for status, found in as_rule.items() for at in (APPLICABLE, *found)],
        schema=["status", "set"],
        orient="row",
    )
    sets = results.frame.select("patient_id", "status", rule="breakdown").join(places, on="status")
    shared = _overlap(
        sets.select("rule", "set", "patient_id"), names, everybody, beside.select(*BESIDE_COLUMNS)
    )
    hidden = _hidden(shared, len(names), policy, _secrets(beside)).reshape(-1, len(SETS))
    cells = {"n_patients": APPLICABLE, **{status: found[0] for status, found in as_rule.items()}}
    return {
        name: frozenset(cell for cell, at in cells.items() if row[at])
        for name, row in zip(names, hidden, strict=True)
    }


def published_sets(
    log: EventLog,
    pathway: Pathway,
    done: Mapping[str, Released],
    broken: BreakdownResults | None = None,
) -> pl.DataFrame:
    """Return the patients behind the numbers of the map, of its variants and of the breakdowns.

    Parameters
    ----------
    log : EventLog
        The log of the release.
    pathway : Pathway
        Gives the phases.
    done : mapping of str to Released
        ``nodes``, ``edges`` and ``variants`` of the same log; with `broken` also ``breakdowns``.
    broken : BreakdownResults, optional
        What became of the breakdowns.

    Returns
    -------
    polars.DataFrame
        `BESIDE_COLUMNS`, for each number that is shown; the nodes and statuses that are there without a number are
        `WITHHELD`.
    """
    levels = {"activity": log, **({"phase": phase_log(log, pathway)} if pathway.phases else {})}
    sets = [pl.DataFrame(schema=BESIDE_COLUMNS)]
    for level, one in levels.items():
        node = one.events.select("patient_id", "activity").unique()
        nodes, edges = (done[name].frame.filter(level=level) for name in ("nodes", "edges"))
        sets.append(_of_numbers(node, nodes, ["activity"], level))
        told = edges.drop_nulls("n_patients")
        sets.append(_of_numbers(_passages(one), told, ["source", "target"], level))
    if pathway.milestones:
        listed = done["variants"].frame.filter(level="milestone")
        sets.append(_of_numbers(_whole(milestone_log(log, pathway)), listed, ["variant"], "variant"))
    return pl.concat([*sets, *([_decided(broken, done["breakdowns"])] if broken else [])])


def _passages(log: EventLog) -> pl.DataFrame:
    """Return the patients of each edge: ``patient_id``, ``source``, ``target``."""
    following = pl.col("activity").shift(-1).over("patient_id")
    pairs = log.events.select("patient_id", source="activity", target=following)
    return pairs.drop_nulls("target").unique()


def _whole(log: EventLog) -> pl.DataFrame:
    """Return each patient's sequence, repeats written once: ``patient_id``, ``variant``."""
    runs = log.events.filter(pl.col("activity").ne_missing(pl.col("activity").shift().over("patient_id")))
    return runs.group_by("patient_id", maintain_order=True).agg(variant="activity")


def _of_numbers(sets: pl.DataFrame, table: pl.DataFrame, keys: Sequence[str], kind: str) -> pl.DataFrame:
    """Name the sets that a table has rows of, with their patients; those without a number are withheld."""
    words = [pl.col(key).list.join(">") if sets.schema[key] == pl.List else pl.col(key) for key in keys]
    known = sets.join(table.select(*keys, number="n_patients"), on=list(keys))
    name = pl.concat_str([pl.lit(kind), *words], separator="|")
    told = pl.when(pl.col("number").is_null()).then(pl.lit(WITHHELD)).otherwise(pl.lit(""))
    return known.select(pl.concat_str(told, name).alias("set"), "patient_id")


def _decided(results: BreakdownResults, released: Released) -> pl.DataFrame:
    """Return the patients of each status of the breakdowns, and of their sums."""
    statuses = ["n_patients", *BROKEN_STATUSES]
    table = released.frame.unpivot(statuses, index="breakdown", variable_name="status", value_name="n")
    rows = pl.concat([results.frame, results.frame.with_columns(status=pl.lit("n_patients"))])
    return _of_numbers(rows, table.rename({"n": "n_patients"}), ["breakdown", "status"], "breakdown")


def _secrets(beside: pl.DataFrame) -> Flags:
    """Say which sets published elsewhere are withheld, in the order of `_overlap`, with everybody at the end."""
    names = beside["set"].unique(maintain_order=True)
    return np.append(names.str.starts_with(WITHHELD).to_numpy(), False)


def _overlap(sets: pl.DataFrame, rules: Sequence[str], everybody: pl.Series, beside: pl.DataFrame) -> Counts:
    """Count shared patients of each two sets: those of the rules, in order, then those published elsewhere."""
    named = [f"{rule}|{name}" for rule in rules for name in SETS]
    others = [*beside["set"].unique(maintain_order=True), ""]
    place = {name: at for at, name in enumerate([*named, *others])}
    of_rules = sets.select(pl.concat_str("rule", "set", separator="|").alias("set"), "patient_id")
    whole = pl.DataFrame({"set": "", "patient_id": everybody}, schema=BESIDE_COLUMNS)
    concerned = of_rules.filter(pl.col("set").str.ends_with(f"|{SETS[APPLICABLE]}"))
    rests = [
        whole.join(
            concerned.filter(set=f"{rule}|{SETS[APPLICABLE]}"), on="patient_id", how="anti"
        ).with_columns(set=pl.lit(f"{rule}|{SETS[REST]}"))
        for rule in rules
    ]
    rows = pl.concat([of_rules, *rests, beside.select(of_rules.columns), whole]).unique()
    numbered = rows.join(
        pl.DataFrame({"patient_id": everybody}).with_row_index("patient"), on="patient_id"
    ).select("patient", at=pl.col("set").replace_strict(place, return_dtype=pl.Int64))
    at, patient = numbered["at"].to_numpy(), numbered["patient"].to_numpy()
    member = csr_array((np.ones(len(at), dtype=np.int64), (at, patient)), shape=(len(place), len(everybody)))
    return np.asarray((member @ member.T).toarray())


@dataclass(frozen=True)
class _System:
    """What can be known of the numbers of the rules: linear constraints, and the forms that must stay wide.

    Parameters
    ----------
    sizes : array of length n
        The numbers, rule by rule.
    least, most : array of length n
        What the largest published part and the smallest published whole of each set leave.
    equal : array of shape (m, n)
        Sums: ``equal @ x = 0``, but for the last of each rule, which is everybody.
    total : array of length m
        Right side of `equal`.
    nested : array of shape (k, n)
        Parts of wholes: ``nested @ x <= 0``.
    forms : array of shape (f, n)
        Small numbers and small differences, none of which may be computed.
    """

    sizes: Counts
    least: Numbers
    most: Numbers
    equal: csr_array
    total: Numbers
    nested: csr_array
    forms: Numbers

    def extreme(self, form: Numbers, shown: Flags) -> Numbers:
        """Return numbers that fit all that is shown, with the least value of a form."""
        low, high = np.where(shown, self.sizes, self.least), np.where(shown, self.sizes, self.most)
        found = linprog(
            form,
            A_ub=self.nested,
            b_ub=np.zeros(self.nested.shape[0]),
            A_eq=self.equal,
            b_eq=self.total,
            bounds=np.column_stack([low, high]),
            method="highs",
        )
        if found.x is None:
            raise DisclosureRefused("the numbers of the rules contradict each other; build them from one log")
        return np.asarray(found.x)

    def span(self, form: Numbers, shown: Flags) -> tuple[Numbers, Numbers]:
        """Return numbers that fit all that is shown, with the least and the greatest value of a form."""
        return self.extreme(form, shown), self.extreme(-form, shown)


def _systems(
    shared: Counts, n_rules: int, policy: DisclosurePolicy, secret: Flags
) -> tuple[_System, _System]:
    """Return what can be known of the numbers that come near to withheld ones, and of all.

    Of the former only sums are known: which published sets happen to hold the same patients as a withheld one is not.
    """
    n, sizes = n_rules * len(SETS), shared.diagonal()
    part = shared == sizes[:, None]
    gap = sizes[None, :] - sizes[:, None]
    close = part & (gap < policy.threshold)
    near = close & (gap > 0)
    inside, around = part[n:, :n].T & ~secret, part[:n, n:] & ~secret
    withheld = secret & (sizes[n:] >= policy.threshold)
    told = (close[:n, n:] & withheld).any(axis=1) | (close[n:, :n].T & withheld).any(axis=1)
    beside = (near[:n, n:] & ~secret).any(axis=1) | (near[n:, :n].T & ~secret).any(axis=1)
    small = (sizes[:n] > 0) & (sizes[:n] < policy.threshold)
    parts, wholes = np.nonzero(part[:n, :n] & (sizes[:n, None] > 0) & ~_of_one_rule(n_rules))
    differences = np.eye(n)[wholes] - np.eye(n)[parts]
    whole = _System(
        sizes=sizes[:n],
        least=np.where(inside, sizes[n:], 0).max(axis=1).astype(np.float64),
        most=np.where(around, sizes[n:], sizes[-1]).min(axis=1).astype(np.float64),
        equal=csr_array(np.kron(np.eye(n_rules), SUMS)),
        total=np.tile([0.0, 0.0, float(sizes[-1])], n_rules),
        nested=csr_array(-differences),
        forms=np.vstack([np.eye(n)[small | beside], differences[near[parts, wholes]]]),
    )
    free = {"least": np.zeros(n), "most": np.full(n, float(sizes[-1])), "nested": csr_array((0, n))}
    return replace(whole, **free, forms=np.eye(n)[told & (sizes[:n] > 0)]), whole


def _of_one_rule(n_rules: int) -> Flags:
    """Say which two sets are of one rule: their sums tell all of them."""
    return np.kron(np.eye(n_rules), np.ones((len(SETS), len(SETS)))).astype(np.bool_)


SUMS = np.array([[1, -1, -1, -1, -1, 0, 0, 0], [0, 0, 1, 0, 0, -1, -1, 0], [1, 0, 0, 0, 0, 0, 0, 1]])
"""How the sets of a rule add up: its statuses, those violated, and everybody."""


def _hidden(shared: Counts, n_rules: int, policy: DisclosurePolicy, secret: Flags) -> Flags:
    """Return which numbers of the rules are hidden: more and more, until no small one can be computed.

    Numbers that fit what is shown still fit when more is hidden, so each solution widens what is known of every form.
    A form that would be exact without any number of a rule is told by the other tables alone, and is theirs; of one
    that would be narrow no number is shown. A zero concerns nobody and is always shown: who knows the definition often
    knows it anyway.
    """
    systems = _systems(shared, n_rules, policy, secret)
    sizes = systems[0].sizes
    shown = (sizes == 0) | ((sizes >= policy.threshold) & np.tile(np.isin(SETS, SHOWN), n_rules))
    for system in systems:
        shown = _protected(system, shown, policy)
    return np.asarray(~shown)


def _protected(system: _System, shown: Flags, policy: DisclosurePolicy) -> Flags:
    """Hide more until every form of a system is wide."""
    zeros = system.sizes == 0
    low = high = system.forms @ system.sizes
    for place, form in enumerate(system.forms):
        if high[place] - low[place] < policy.threshold - TOLERANCE:
            low, high = _seen(system, low, high, system.span(form, shown))
        if high[place] - low[place] >= policy.threshold - TOLERANCE:
            continue
        widest = _width(system, form, zeros)
        if widest >= policy.threshold - TOLERANCE:
            shown = _widened(system, form, shown, policy)
        elif widest > TOLERANCE:
            shown = shown & ((form == 0) | zeros)
    return shown


def _seen(system: _System, low: Numbers, high: Numbers, points: Sequence[Numbers]) -> tuple[Numbers, Numbers]:
    for point in points:
        values = system.forms @ point
        low, high = np.minimum(low, values), np.maximum(high, values)
    return low, high


def _width(system: _System, form: Numbers, shown: Flags) -> float:
    least, greatest = system.span(form, shown)
    return float(form @ greatest - form @ least)


def _widened(system: _System, form: Numbers, shown: Flags, policy: DisclosurePolicy) -> Flags:
    """Hide more numbers, of the form's own rules first, until the form is wide; then show what need not be hidden."""
    hidden: list[Flags] = []
    while _width(system, form, shown & ~_any(hidden)) < policy.threshold - TOLERANCE:
        hidden.append(_next_cell(form, shown & ~_any(hidden) & (system.sizes > 0)))
    for one in hidden[:-1]:
        others = [other for other in hidden if other is not one]
        if _width(system, form, shown & ~_any(others)) >= policy.threshold - TOLERANCE:
            hidden = others
    return shown & ~_any(hidden)


def _any(flags: Sequence[Flags]) -> Flags:
    return np.any(flags, axis=0) if flags else np.zeros(1, dtype=np.bool_)


def _next_cell(form: Numbers, shown: Flags) -> Flags:
    """Return a number that is shown, of the form's rules, or of any where these have none left."""
    own = np.abs(form).reshape(-1, len(SETS)).sum(axis=1) > 0
    cells = [rule * len(SETS) + name for name in HIDE_FIRST for rule in range(len(own))]
    left = sorted((cell for cell in cells if shown[cell]), key=lambda cell: not own[cell // len(SETS)])
    flags: Flags = np.arange(len(shown)) == left[0]
    return flags
