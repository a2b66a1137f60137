"""Conformance: patients by rule of the reference pathway and status.

What is told of a rule is put beside other tables by whoever attacks it, so the gate looks at the sets of patients
themselves: where a published set is part of another, in fact, and exceeds it by few, one of them is not published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from pathways.mining.maps import phase_log
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
"""Sets of patients whose number is published: one row a set and patient."""


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
    shown = ~_hidden(shared, len(rules), policy)
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


def published_sets(
    log: EventLog,
    pathway: Pathway,
    nodes: Released,
    broken: tuple[BreakdownResults, Released] | None = None,
) -> pl.DataFrame:
    """Return the patients behind the numbers of the nodes and of the breakdowns.

    Parameters
    ----------
    log : EventLog
        The log of the release.
    pathway : Pathway
        Gives the phases.
    nodes : Released
        From `release_map` on the same log.
    broken : (BreakdownResults, Released), optional
        What became of the breakdowns, and what was released of it.

    Returns
    -------
    polars.DataFrame
        `BESIDE_COLUMNS`, for each number that is shown.
    """
    levels = {"activity": log, **({"phase": phase_log(log, pathway)} if pathway.phases else {})}
    sets = [pl.DataFrame(schema=BESIDE_COLUMNS)]
    for level, one in levels.items():
        shown = nodes.frame.filter(pl.col("n_patients").is_not_null(), level=level)
        node = one.events.select("patient_id", "activity").unique().join(shown, on="activity", how="semi")
        sets.append(node.select(_named(level, "activity"), "patient_id"))
    return pl.concat([*sets, *([_decided(*broken)] if broken else [])])


def _named(*parts: str) -> pl.Expr:
    words = [pl.lit(parts[0]), *(pl.col(name) for name in parts[1:])]
    return pl.concat_str(words, separator="|").alias("set")


def _decided(results: BreakdownResults, released: Released) -> pl.DataFrame:
    """Return the patients of each published status of the breakdowns, and of their sums."""
    shown = released.frame.unpivot(["n_patients", *BROKEN_STATUSES], index="breakdown").drop_nulls("value")
    rows = pl.concat([results.frame, results.frame.with_columns(status=pl.lit("n_patients"))])
    named = rows.join(shown, left_on=["breakdown", "status"], right_on=["breakdown", "variable"], how="semi")
    return named.select(_named("breakdown", "breakdown", "status"), "patient_id")


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


def _system(shared: Counts, n_rules: int, policy: DisclosurePolicy) -> _System:
    n, sizes = n_rules * len(SETS), shared.diagonal()
    part = shared == sizes[:, None]
    gap = sizes[None, :] - sizes[:, None]
    near = part & (gap > 0) & (gap < policy.threshold)
    inside, around = part[n:, :n].T, part[:n, n:]
    beside = near[:n, n:].any(axis=1) | near[n:, :n].any(axis=0)
    small = (sizes[:n] > 0) & (sizes[:n] < policy.threshold)
    of_one = np.eye(n)[small | beside]
    parts, wholes = np.nonzero(part[:n, :n] & (sizes[:n, None] > 0) & ~_of_one_rule(n_rules))
    differences = np.eye(n)[wholes] - np.eye(n)[parts]
    sums = np.kron(np.eye(n_rules), SUMS)
    return _System(
        sizes=sizes[:n],
        least=np.where(inside, sizes[n:], 0).max(axis=1).astype(np.float64),
        most=np.where(around, sizes[n:], sizes[-1]).min(axis=1).astype(np.float64),
        equal=csr_array(sums),
        total=np.tile([0.0, 0.0, float(sizes[-1])], n_rules),
        nested=csr_array(-differences),
        forms=np.vstack([of_one, differences[near[parts, wholes]]]),
    )


def _of_one_rule(n_rules: int) -> Flags:
    """Say which two sets are of one rule: their sums tell all of them."""
    return np.kron(np.eye(n_rules), np.ones((len(SETS), len(SETS)))).astype(np.bool_)


SUMS = np.array([[1, -1, -1, -1, -1, 0, 0, 0], [0, 0, 1, 0, 0, -1, -1, 0], [1, 0, 0, 0, 0, 0, 0, 1]])
"""How the sets of a rule add up: its statuses, those violated, and everybody."""


def _hidden(shared: Counts, n_rules: int, policy: DisclosurePolicy) -> Flags:
    """Return which numbers of the rules are hidden: more and more, until no small one can be computed.

    Numbers that fit what is shown still fit when more is hidden, so each solution widens what is known of every form.
    A form that would be narrow without any number of a rule is told by the other tables alone, and is theirs. A zero
    concerns nobody and is always shown: who knows the definition often knows it anyway.
    """
    system = _system(shared, n_rules, policy)
    zeros = system.sizes == 0
    shown = zeros | ((system.sizes >= policy.threshold) & np.tile(np.isin(SETS, SHOWN), n_rules))
    low = high = system.forms @ system.sizes
    for form, values in enumerate(system.forms):
        if high[form] - low[form] < policy.threshold - TOLERANCE:
            low, high = _seen(system, low, high, system.span(values, shown))
        if high[form] - low[form] >= policy.threshold - TOLERANCE:
            continue
        if _width(system, values, zeros) >= policy.threshold - TOLERANCE:
            shown = _widened(system, values, shown, policy)
    return np.asarray(~shown)


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
