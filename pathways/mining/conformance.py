"""Conformance to the reference pathway: each rule of the definition, decided for each patient.

A rule has an *anchor* (the index date, or the first event of some activities) and a *window* of calendar days around
it, both ends included. Statuses:

- ``satisfied``: what was expected was seen in the window, or what must not be was not seen until its end;
- ``violated``: the window ended, observed, without it, or what must not be was seen; ``excused_by`` names the
  declared excuse that justifies it, and such a violation is counted apart;
- ``not_applicable``: there is no anchor, it comes after an exit, or `Condition` excludes the patient; with
  ``excused_by``, the rule applied and an exit (death always is one) ended it before it was decided;
- ``undecidable``: nothing decided it and the sources don't reach the end of the window, or, for what should come
  before the anchor, its beginning. Silence is not violation.

Horizons, deaths and exits are those of `pathways.risk.breakdown`; inside a day the log's order decides. All patients
are decided at once (`pathways.mining.rules`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from eventlogs.errors import LogError, did_you_mean
from eventlogs.log import EventLog
from pathways.definition import Language, Pathway, ReferencePathway, ReferenceRule
from pathways.mining.rules import CONFORMANCE_COLUMNS, Facts, judge

SUMMARY_COLUMNS: dict[str, Any] = {
    "rule": pl.String(),
    "n_patients": pl.Int64(),
    "n_applicable": pl.Int64(),
    "n_satisfied": pl.Int64(),
    "n_violated": pl.Int64(),
    "n_excused": pl.Int64(),
    "n_undecidable": pl.Int64(),
    "n_not_applicable": pl.Int64(),
    "n_late": pl.Int64(),
    "share_conforming": pl.Float64(),
    "median_days_late": pl.Float64(),
    "days_lost": pl.Int64(),
}
"""One row a rule. ``n_violated`` leaves out those excused; ``n_applicable`` is the sum of satisfied, violated, excused
and undecidable. ``n_late``: violated, not excused, and the step came after the window; ``median_days_late`` and
``days_lost`` (person-days) are theirs. ``share_conforming`` is satisfied over satisfied and violated, null where nobody
is either."""


@dataclass(frozen=True)
class ConformanceResult:
    """What became of each rule of the reference pathway.

    Parameters
    ----------
    frame : polars.DataFrame
        `CONFORMANCE_COLUMNS`, one row a rule and patient of the log, in the order of the rules, then of the patients.
    reference : ReferencePathway
        The rules.
    patients : polars.DataFrame
        The patients of the log, for `by_column`.
    """

    frame: pl.DataFrame = field(repr=False)
    reference: ReferencePathway = field(repr=False)
    patients: pl.DataFrame = field(repr=False)

    def summary(self) -> pl.DataFrame:
        """Return `SUMMARY_COLUMNS`, one row a rule in the order of the definition."""
        return _in_order(_counted(self.frame, ["rule"]), self.reference).select(
            pl.col(name).cast(dtype) for name, dtype in SUMMARY_COLUMNS.items()
        )

    def violations(self, language: Language = "fr", by: str = "n_violated") -> pl.DataFrame:
        """Return the rules that somebody violated without excuse, told in words, the worst first.

        Parameters
        ----------
        language : {'fr', 'en'}
            Of the words.
        by : {'n_violated', 'days_lost'}
            Rank by patients touched, or by days lost (person-days of those in whom the step came late: days of those
            in whom it never came can't be counted).

        Returns
        -------
        polars.DataFrame
            ``rule``, ``words``, ``n_violated``, ``n_late``, ``median_days_late``, ``days_lost``.
        """
        found = self.summary().filter(pl.col("n_violated") > 0).sort(by, descending=True, maintain_order=True)
        words = [
            violation_words(self.reference[row["rule"]], language, *_told(row)) for row in found.to_dicts()
        ]
        numbers = ("n_violated", "n_late", "median_days_late", "days_lost")
        return found.select("rule", pl.Series("words", words, dtype=pl.String), *numbers)

    def by_patient(self) -> pl.DataFrame:
        """Return ``patient_id``, ``n_decided``, ``n_violated``, ``n_excused``, ``share_conforming``, one row a patient.

        ``n_decided`` counts rules satisfied, or violated without excuse; the share is theirs, null without any.
        """
        counts = _counted(self.frame, ["patient_id"])
        decided = pl.col("n_satisfied") + pl.col("n_violated")
        return (
            self.patients.select("patient_id")
            .join(counts, on="patient_id", how="left", maintain_order="left")
            .select(
                "patient_id",
                n_decided=decided.fill_null(0),
                n_violated=pl.col("n_violated").fill_null(0),
                n_excused=pl.col("n_excused").fill_null(0),
                share_conforming="share_conforming",
            )
        )

    def by_month(self) -> pl.DataFrame:
        """Return the summary by month of the anchor: ``month``, then `SUMMARY_COLUMNS`; without anchor, no row.

        The last months are those of the fastest: whoever had the step is decided, who waits is undecidable.
        """
        month = self.frame.filter(pl.col("anchor_date").is_not_null(), _applies()).with_columns(
            month=pl.col("anchor_date").dt.truncate("1mo").cast(pl.Date)
        )
        counts = _counted(month, ["rule", "month"]).sort("month", maintain_order=True)
        return self._ordered(counts, "month")

    def by_column(self, name: str) -> pl.DataFrame:
        """Return the summary by a column of the patients (``territory`` ...): that column, then `SUMMARY_COLUMNS`.

        Raises
        ------
        LogError
            The patients have no such column.
        """
        if name not in self.patients.columns:
            raise LogError(f"the patients have no column '{name}'{did_you_mean(name, self.patients.columns)}")
        beside = self.frame.join(self.patients.select("patient_id", name), on="patient_id", how="left")
        return self._ordered(_counted(beside, ["rule", name]).sort(name, maintain_order=True), name)

    def score(self, weights: Mapping[str, float] | None = None) -> float | None:
        """Return the share of decided rules that conform, over all patients and rules; None where nothing is decided.

        Parameters
        ----------
        weights : mapping of str to float, optional
            Weight by grade of evidence. Off by default: a grade says how sure a rule is, not how much its breach
            costs a patient, and no published scale turns one into the other. A grade left out weighs 0.
        """
        graded = self.summary().with_columns(
            weight=pl.col("rule").replace_strict(self._weights(weights), return_dtype=pl.Float64, default=0.0)
        )
        satisfied, decided = graded.select(
            (pl.col("weight") * pl.col("n_satisfied")).sum().alias("satisfied"),
            (pl.col("weight") * (pl.col("n_satisfied") + pl.col("n_violated"))).sum().alias("decided"),
        ).row(0)
        return float(satisfied / decided) if decided else None

    def _weights(self, weights: Mapping[str, float] | None) -> dict[str, float]:
        return {r.id: 1.0 if weights is None else float(weights.get(r.evidence, 0.0)) for r in self.reference}

    def _ordered(self, counts: pl.DataFrame, name: str) -> pl.DataFrame:
        columns = [pl.col(column).cast(dtype) for column, dtype in SUMMARY_COLUMNS.items()]
        place = {rule.id: at for at, rule in enumerate(self.reference)}
        order = pl.col("rule").replace_strict(place, return_dtype=pl.Int64, default=None)
        return counts.sort(order, maintain_order=True).select(name, *columns)

    def __repr__(self) -> str:
        counts = ", ".join(
            f"{row['rule']} {row['n_violated']}/{row['n_satisfied'] + row['n_violated']}"
            for row in self.summary().to_dicts()
        )
        return f"ConformanceResult(violated/decided: {counts or 'no rule defined'})"

    def _repr_html_(self) -> str:
        return str(self.summary()._repr_html_())


def check_conformance(log: EventLog, pathway: Pathway, *, unseen: Collection[str] = ()) -> ConformanceResult:
    """Decide every rule of the reference pathway for every patient.

    Parameters
    ----------
    log : EventLog
        Events, deaths and horizons.
    pathway : Pathway
        Its ``reference``; ``cohort.lookback_days`` says how far before the index the log reaches.
    unseen : collection of str
        Activities that no source of this log tells (city care in a hospital's feed): where a rule rests on one of them,
        silence decides nothing.

    Examples
    --------
    >>> result = check_conformance(log, load("breast_cancer"))          # doctest: +SKIP
    >>> result.violations("fr")                                         # doctest: +SKIP
    """
    facts = Facts.of(log, pathway, frozenset(unseen))
    judged = [judge(rule, facts) for rule in pathway.reference]
    frame = pl.concat([pl.DataFrame(schema=CONFORMANCE_COLUMNS), *judged])
    return ConformanceResult(frame, pathway.reference, log.patients)


def rule_sets(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the patients behind the numbers of a summary: ``rule``, ``set``, ``patient_id``.

    Sets are ``applicable``, its parts ``satisfied``, ``violated``, ``excused``, ``undecidable``, and those of
    ``violated``: ``late`` (the step came after its window) and ``never``.
    """
    unexcused = (pl.col("status") == "violated") & pl.col("excused_by").is_null()
    late = pl.col("days_late").is_not_null()
    sets = {
        "applicable": _applies(),
        "satisfied": pl.col("status") == "satisfied",
        "violated": unexcused,
        "excused": pl.col("excused_by").is_not_null(),
        "undecidable": pl.col("status") == "undecidable",
        "late": unexcused & late,
        "never": unexcused & ~late,
    }
    return pl.concat(
        [
            frame.filter(rows).select("rule", pl.lit(name).alias("set"), "patient_id")
            for name, rows in sets.items()
        ]
    )


def violation_words(
    rule: ReferenceRule,
    language: Language,
    n_violated: int,
    n_late: int | None = None,
    median_days_late: float | None = None,
) -> str:
    """Tell a violation in words, from the numbers given only.

    Examples
    --------
    >>> violation_words(rule, "en", 123, 41, 20)                        # doctest: +SKIP
    'Conserving surgery without radiotherapy within 84 days: 123 patients, of whom 41 later (a median of 20 days lost)'
    """
    said = _WORDS[language]
    days = rule.lookback_days if rule.kind == "precedence" else rule.within_days
    window = (
        "" if days is None else said["before" if rule.kind == "precedence" else "within"].format(days=days)
    )
    late = said["late"].format(n=n_late) + _lost(said, median_days_late) if n_late else ""
    patients = said["patients"].format(n=n_violated, s="s" if n_violated > 1 else "")
    return f"{rule.violation[language]}{window}{patients}{late}"


def _lost(said: Mapping[str, str], median_days_late: float | None) -> str:
    if median_days_late is None:
        return ""
    return said["lost"].format(days=f"{median_days_late:.0f}", s="s" if median_days_late >= 1.5 else "")


_WORDS: dict[Language, dict[str, str]] = {
    "fr": {
        "within": " dans les {days} jours",
        "before": " dans les {days} jours d'avant",
        "patients": " : {n} patient{s}",
        "late": ", dont {n} plus tard",
        "lost": " ({days} jour{s} perdu{s} en médiane)",
    },
    "en": {
        "within": " within {days} days",
        "before": " in the {days} days before",
        "patients": ": {n} patient{s}",
        "late": ", of whom {n} later",
        "lost": " (a median of {days} day{s} lost)",
    },
}


def _told(row: Mapping[str, Any]) -> tuple[int, int, float | None]:
    return row["n_violated"], row["n_late"], row["median_days_late"]


def _applies() -> pl.Expr:
    """Say that the rule applied, whatever became of it."""
    return (pl.col("status") != "not_applicable") | pl.col("excused_by").is_not_null()


def _counted(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Return the numbers of `SUMMARY_COLUMNS` by group, in the order of first appearance."""
    unexcused = (pl.col("status") == "violated") & pl.col("excused_by").is_null()
    late = pl.col("days_late").filter(unexcused).drop_nulls()
    satisfied, violated = (pl.col("status") == "satisfied").sum(), unexcused.sum()
    decided = satisfied + violated
    return (
        frame.group_by(by, maintain_order=True)
        .agg(
            n_patients=pl.len(),
            n_applicable=_applies().sum(),
            n_satisfied=satisfied,
            n_violated=violated,
            n_excused=pl.col("excused_by").is_not_null().sum(),
            n_undecidable=(pl.col("status") == "undecidable").sum(),
            n_not_applicable=(~_applies()).sum(),
            n_late=late.len(),
            share_conforming=pl.when(decided > 0).then(satisfied / decided),
            median_days_late=late.median(),
            days_lost=late.sum(),
        )
        .with_columns(pl.col("^n_.*$").cast(pl.Int64))
    )


def _in_order(counts: pl.DataFrame, reference: ReferencePathway) -> pl.DataFrame:
    """Return one row a rule of the definition, those that concern nobody too."""
    every = pl.DataFrame({"rule": list(reference.rules)}, schema={"rule": pl.String})
    joined = every.join(counts, on="rule", how="left", maintain_order="left")
    return joined.with_columns(pl.col("^n_.*$", "days_lost").fill_null(0))
