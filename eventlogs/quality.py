"""Quality checks on an event log: what was found, against which threshold, how grave it is.

Each check has a Kahn category (conformance, completeness, plausibility). Thresholds are operational defaults of
this package, not official ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

import polars as pl

from eventlogs.log import EventLog

Severity = Literal["fatal", "warning", "information"]
Category = Literal["conformance", "completeness", "plausibility"]


@dataclass(frozen=True)
class Check:
    """One check: ``found`` of ``out_of`` rows or patients, and whether their share passes the threshold."""

    id: str
    category: Category
    severity: Severity
    words: str
    found: int
    out_of: int
    threshold: float

    @property
    def share(self) -> float:
        """Share found, 0 when there is nothing to look at."""
        return self.found / self.out_of if self.out_of else 0.0

    @property
    def passed(self) -> bool:
        """Whether the share is within the threshold."""
        return self.share <= self.threshold

    def to_dict(self) -> dict[str, object]:
        """Return the check as plain data."""
        return {**asdict(self), "share": self.share, "passed": self.passed}


@dataclass(frozen=True)
class QualityReport:
    """All checks of a log."""

    checks: tuple[Check, ...]

    @property
    def fatal(self) -> tuple[Check, ...]:
        """Fatal checks that failed."""
        return tuple(check for check in self.checks if check.severity == "fatal" and not check.passed)

    def frame(self) -> pl.DataFrame:
        """Return one row a check."""
        return pl.DataFrame([check.to_dict() for check in self.checks])

    def _repr_html_(self) -> str:
        return self.frame()._repr_html_()


def check_log(log: EventLog, counts: Mapping[str, int] | None = None) -> QualityReport:
    """Run every check.

    Parameters
    ----------
    log : EventLog
        Any log.
    counts : mapping of str to int, optional
        Counts that the build left: rows read and dropped, by reason.
    """
    return QualityReport((*_conformance(log, counts or {}), *_completeness(log), *_plausibility(log)))


def _conformance(log: EventLog, counts: Mapping[str, int]) -> list[Check]:
    read, stays = counts.get("lines_read", 0), counts.get("stays_read", 0)
    chained = sum(count for name, count in counts.items() if name.startswith("chained."))
    return [
        Check("no_event", "conformance", "fatal", "the log has no event", int(log.n_events == 0), 1, 0.0),
        Check(
            "unknown_person", "conformance", "warning", "claim lines whose pseudonym is not in IR_BEN_R",
            counts.get("lines_unknown_person", 0), read, 0.01,
        ),
        Check(
            "chaining_error", "conformance", "warning", "stays with a chaining error (return code, fictitious number)",
            counts.get("trap.chaining_error", 0), chained, 0.05,
        ),
        Check(
            "grouping_error", "conformance", "warning", "stays grouped in error (GHM 90)",
            counts.get("trap.grouping_error", 0), stays, 0.02,
        ),
    ]  # fmt: skip


def _completeness(log: EventLog) -> list[Check]:
    patients = log.patients
    n, silent = patients.height, patients.join(log.events, on="patient_id", how="anti").height
    return [
        Check("patient_without_event", "completeness", "warning", "patients without any event", silent, n, 0.0),
        *(
            Check(
                f"{name}_missing", "completeness", "information", f"patients without {name}",
                patients[name].null_count(), n, 0.05,
            )
            for name in ("sex", "birth_year", "territory", "deprivation")
        ),
        Check(
            "coarse_date", "completeness", "information", "events dated to a week or a month",
            _count(log, pl.col("date_precision").is_in(["week", "month"])), log.n_events, 0.05,
        ),
        Check(
            "right_edge", "completeness", "warning", "events later than the earliest horizon of the sources",
            0 if log.observed_until is None else _count(log, pl.col("start") > log.observed_until), log.n_events, 0.05,
        ),
    ]  # fmt: skip


def _plausibility(log: EventLog) -> list[Check]:
    dated = log.events.join(log.patients.select("patient_id", "death_date", "birth_year"), on="patient_id")
    after = dated.filter(pl.col("start").dt.date() > pl.col("death_date").dt.date()).height
    before = dated.filter(pl.col("start").dt.year() < pl.col("birth_year")).height
    key = ["patient_id", "activity", "start"]
    return [
        Check("after_death", "plausibility", "warning", "events after the patient's death", after, log.n_events, 0.001),
        Check("before_birth", "plausibility", "fatal", "events before birth", before, log.n_events, 0.001),
        Check(
            "end_before_start", "plausibility", "warning", "events that end before they start",
            _count(log, pl.col("end") < pl.col("start")), log.n_events, 0.0,
        ),
        Check(
            "duplicate", "plausibility", "information", "events that repeat patient, activity and time",
            log.n_events - log.events.select(key).n_unique(), log.n_events, 0.01,
        ),
        Check(
            "tied", "plausibility", "information", "events that share their time with a neighbour of another activity",
            _count(log, pl.col("tied")), log.n_events, 0.25,
        ),
    ]  # fmt: skip


def _count(log: EventLog, condition: pl.Expr) -> int:
    return log.events.filter(condition).height
