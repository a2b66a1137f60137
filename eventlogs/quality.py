"""Quality of an event log: what was found, against which threshold, how grave it is, and what a new build changed.

Each check (`eventlogs.checks`) has a category of Kahn's framework: conformance, completeness, plausibility. Thresholds
are operational defaults of this package, not official ones.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date

import polars as pl

from eventlogs.checks import CHECKS, of_trap
from eventlogs.checks.evidence import Category, Counted, Evidence, Kind, Rule, Severity
from eventlogs.log import EventLog


@dataclass(frozen=True)
class Check:
    """One check, done: ``found`` of ``out_of`` of its unit, and whether their share passes the threshold.

    Parameters
    ----------
    id : str
        Name of the check.
    stratum : str
        A source or a year, where the check looks at each apart; else empty.
    category, kind, severity, unit, words, threshold, why
        As in `eventlogs.checks.evidence.Rule`.
    found, out_of : int
        Number found, and number looked at; out of 0, nothing was there to look at.
    """

    id: str
    stratum: str
    category: Category
    kind: Kind
    severity: Severity
    unit: str
    words: str
    found: int
    out_of: int
    threshold: float | None
    why: str

    @property
    def share(self) -> float:
        """Share found, 0 when there is nothing to look at."""
        return self.found / self.out_of if self.out_of else 0.0

    @property
    def passed(self) -> bool:
        """Whether the share is within the threshold; what has none is only counted."""
        return self.threshold is None or self.share <= self.threshold

    @property
    def state(self) -> str:
        """``fatal``, ``warning`` or ``note`` where it fails; ``ok``, ``count`` (no threshold) or ``nothing`` else."""
        if not self.passed:
            return "note" if self.severity == "information" else self.severity
        if self.threshold is None:
            return "count"
        return "ok" if self.out_of else "nothing"

    def to_dict(self) -> dict[str, object]:
        """Return the check as plain data."""
        return {**asdict(self), "share": self.share, "passed": self.passed, "state": self.state}


@dataclass(frozen=True)
class QualityReport:
    """All checks of a log."""

    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """Checks that failed, whatever their severity."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def fatal(self) -> tuple[Check, ...]:
        """Fatal checks that failed."""
        return tuple(check for check in self.failed if check.severity == "fatal")

    def frame(self) -> pl.DataFrame:
        """Return one row a check and stratum, with the fields of `Check`, ``share``, ``passed`` and ``state``."""
        return pl.DataFrame([check.to_dict() for check in self.checks], infer_schema_length=None)

    def to_dict(self) -> dict[str, object]:
        """Return the report as plain data: ``checks``, and the names of the ``fatal`` ones."""
        return {
            "checks": [check.to_dict() for check in self.checks],
            "fatal": [check.id for check in self.fatal],
        }

    def _repr_html_(self) -> str:
        return self.frame()._repr_html_()


def check_log(
    log: EventLog,
    counts: Mapping[str, int] | None = None,
    *,
    traps: Iterable[Counted] = (),
    origins: pl.DataFrame | None = None,
    absent: Iterable[str] | None = None,
    activities: Collection[str] | None = None,
    today: date | None = None,
) -> QualityReport:
    """Run every check.

    Parameters
    ----------
    log : EventLog
        Any log.
    counts : mapping of str to int, optional
        Counts that the build left: rows read and dropped, by reason.
    traps : iterable of Counted
        Traps of the source, each reported where `counts` has ``trap.<id>``.
    origins : polars.DataFrame, optional
        Origins of the log: at least ``patient_id`` and ``rank``.
    absent : iterable of str, optional
        Tables and columns that the build looked for in vain.
    activities : collection of str, optional
        Activities that the definition names.
    today : datetime.date, optional
        After this day nothing can have happened; default: the day of the check.
    """
    evidence = Evidence(
        log=log,
        counts=counts or {},
        traps=tuple(traps),
        origins=origins,
        absent=None if absent is None else tuple(absent),
        activities=activities,
        today=today or date.today(),
    )
    rules = (*CHECKS, *map(of_trap, evidence.traps))
    return QualityReport(tuple(check for rule in rules for check in _done(rule, evidence)))


def _done(rule: Rule, evidence: Evidence) -> list[Check]:
    return [
        Check(
            id=rule.id,
            stratum=stratum,
            category=rule.category,
            kind=rule.kind,
            severity=rule.severity,
            unit=rule.unit,
            words=rule.words,
            found=found,
            out_of=out_of,
            threshold=rule.threshold,
            why=rule.why,
        )
        for stratum, (found, out_of) in rule.find(evidence).items()
    ]


@dataclass(frozen=True)
class QualityComparison:
    """What a new build changed: failures that came, went and stayed.

    Parameters
    ----------
    new : tuple of Check
        They fail now and did not before.
    resolved : tuple of Check
        They failed before and don't now; as they were before.
    persisting : tuple of Check
        They failed before and still do; as they are now.
    """

    new: tuple[Check, ...]
    resolved: tuple[Check, ...]
    persisting: tuple[Check, ...]

    def frame(self) -> pl.DataFrame:
        """Return one row a failure: ``change`` (new, resolved, persisting), and the columns of a report's frame."""
        parts = {"new": self.new, "resolved": self.resolved, "persisting": self.persisting}
        rows = [{"change": change} | check.to_dict() for change, checks in parts.items() for check in checks]
        names = ("change", *Check.__dataclass_fields__, "share", "passed", "state")
        return (
            pl.DataFrame(rows, infer_schema_length=None)
            if rows
            else pl.DataFrame(schema=dict.fromkeys(names, pl.String))
        )


def compare_quality(old: QualityReport, new: QualityReport) -> QualityComparison:
    """Compare the checks of two builds, by name and stratum.

    Parameters
    ----------
    old, new : QualityReport
        Of two builds, by the same version of this package.
    """
    before, now = _failures(old), _failures(new)
    return QualityComparison(
        new=tuple(check for key, check in now.items() if key not in before),
        resolved=tuple(check for key, check in before.items() if key not in now),
        persisting=tuple(check for key, check in now.items() if key in before),
    )


def _failures(report: QualityReport) -> dict[tuple[str, str], Check]:
    return {(check.id, check.stratum): check for check in report.failed}
