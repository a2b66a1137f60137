"""Renders the specs as reference pages: ``python -m tests.spec.render``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from eventlogs.checks import CHECKS
from eventlogs.checks.evidence import OPERATIONAL
from eventlogs.checks.evidence import Rule as QualityRule
from eventlogs.feeds import FEEDS, Arrival, Feed
from pathways.definition import BreakdownDefinition
from tests.spec.snds import DEFAULTS, RULES
from tests.spec.snds.writing import Rule
from tests.spec.test_breakdown import SPECS, Spec
from tests.spec.test_eras import SPECS as ERAS
from tests.spec.test_eras import Spec as EraSpec

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

HEAD = """# Rules of the SNDS readers

This page is rendered from the tests, so it can't differ from what the package does. Each rule shows a small extract and
the events that are built from it with the breast cancer definition. `LINE` stands for the nine keys of DCIR, `STAY` for
(ETA_NUM, RSA_NUM), `VISIT`, `REHAB`, `HOME` and `PSY` for the keys of the other fields of the PMSI; columns that are
not shown hold an ordinary value (list at the end). Every person has an open ALD for C50 unless IR_IMB_R is shown.
Contest a rule by its name.
"""


def snds_page(rules: Iterable[Rule]) -> str:
    """Return the page of SNDS rules."""
    ordinary = "\n".join(
        f"- `{table}`: " + ", ".join(f"{column} = {value or 'empty'}" for column, value in columns.items())
        for table, columns in DEFAULTS.items()
    )
    return "\n".join([HEAD, *(_section(rule) for rule in rules), "## Ordinary values\n", ordinary, ""])


BREAKDOWN_HEAD = """# Rules of the breakdown contract

Rendered from the tests, like the [SNDS rules](snds-rules.md). Days count from 1 January 2020 (day 0); the source is
observed until day 1000 unless said. The definitions below are those of the tests, with round numbers; the windows
of breast cancer are in `pathways/definitions/breast_cancer.toml`, each with its source. All are operational.
"""


def breakdown_page(specs: Iterable[Spec]) -> str:
    """Return the page of breakdown rules."""
    definitions = {spec.definition.id: spec.definition for spec in specs}
    return "\n".join([BREAKDOWN_HEAD, *map(_definition, definitions.values()), *map(_spec, specs)])


def _definition(item: BreakdownDefinition) -> str:
    shown = ("kind", "trigger", "restarts", "expected", "exits", "from_days", "within_days", "grace_days",
             "permissible_gap_days", "supply_days", "planned_days")  # fmt: skip
    values = {name: getattr(item, name) for name in shown}
    said = {
        n: ", ".join(v) if isinstance(v, tuple) else str(v)
        for n, v in values.items()
        if v not in (None, (), 0)
    }
    return f"- **{item.id}**: " + "; ".join(f"{name} = {value}" for name, value in said.items()) + "\n"


def _spec(spec: Spec) -> str:
    events = _lines(spec.events, ("patient", "activity", "day", "quantity"))
    outcome = _lines(spec.outcome, ("patient", "status", "decided on day"))
    until = "" if spec.observed_until == 1000 else f" Observed until day {spec.observed_until}."
    left = "".join(f" {patient} is followed until day {day}." for patient, day in spec.left_on.items())
    words = f"Definition *{spec.definition.id}*. {spec.rule}{until}{left}\n"
    return "\n".join(
        [f"## {spec.id}\n", words, f"*Source: {spec.source}.*\n", events, "**Outcome**\n", outcome]
    )


def _lines(text: str, names: tuple[str, ...]) -> str:
    rows = [line.strip() for line in text.strip().splitlines() if line.strip()]
    width = max((row.count("|") + 1 for row in rows), default=1)
    padded = [row + " |" * (width - 1 - row.count("|")) for row in rows]
    return _table("\n".join([" | ".join(names[:width]), *padded]))


def _section(rule: Rule) -> str:
    tables = [f"`{name}`\n\n{_table(text)}" for name, text in rule.tables.items()]
    outcome = _table("\n".join([" | ".join(rule.columns), rule.events]))
    return "\n".join(
        [
            f"## {rule.id}\n",
            f"{rule.words}\n",
            f"*Source: {rule.source}.*\n",
            *tables,
            f"**Events**\n\n{outcome}",
        ]
    )


def _table(text: str) -> str:
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


QUALITY_HEAD = """# Quality checks

Rendered from the code, so it can't differ from what `pathways check` does. Checks are sorted by the categories of
Kahn's framework for data quality. **Thresholds are operational defaults of this package, not official ones**, unless
the last column says where one comes from; a share above it fails. A *fatal* failure ends `pathways check` with code
4; a *warning* asks to look at the source; *information* asks to know it. What has no threshold
is counted and never fails.

A build from SNDS tables also counts what each trap touched, whatever the switch; `pathways check` prints these counts
last ([the traps and their rules](snds-rules.md)).
"""


def quality_page(rules: Iterable[QualityRule]) -> str:
    """Return the page of quality checks."""
    parts: dict[str, list[str]] = {}
    for rule in rules:
        heading = rule.category if rule.kind == rule.category else f"{rule.category}: {rule.kind}"
        parts.setdefault(heading, []).append(_quality_row(rule))
    sections = [f"## {heading}\n\n" + _rows(QUALITY_COLUMNS, rows) for heading, rows in parts.items()]
    return "\n".join([QUALITY_HEAD, *sections])


QUALITY_COLUMNS = "check | counts | out of | severity | allowed | threshold from"


def _quality_row(rule: QualityRule) -> str:
    allowed = "" if rule.threshold is None else f"{100 * rule.threshold:g} %"
    return f"`{rule.id}` | {rule.words} | {rule.unit} | {rule.severity} | {allowed} | {_why(rule) if allowed else ''}"


def _why(rule: QualityRule) -> str:
    return "operational" if rule.why == OPERATIONAL else rule.why


def _rows(columns: str, rows: Iterable[str]) -> str:
    return _table("\n".join([columns, *rows]))


ERAS_HEAD = """# Eras and feeds

Rendered from the tests and the code. An era is several events taken as one: a course of radiotherapy, a cycle of
chemotherapy, stays that follow each other, an exposure to a drug. A definition's `[eras.NAME]` sets the rule; each era
keeps its parts. The examples have round numbers: courses of at most 10 days between fractions, cycles of 21 days, stays
at most a day apart, supplies with a gap of 90 days. Days count from day 0.
"""

FEEDS_HEAD = """## Feeds

When care is known, by the source that tells it. All lags are operational, to be contested. Through `snds_annual` rows
keep their own dates (flux month, closure of the PMSI); its lags say until when a source is complete.
"""


def eras_page(specs: Iterable[EraSpec]) -> str:
    """Return the page of eras and feeds."""
    feeds = [_feed_row(feed) for feed in FEEDS.values()]
    columns = "feed | city | hospital | register | causes of death | list to act on | source"
    return "\n".join([ERAS_HEAD, *map(_era, specs), FEEDS_HEAD, _rows(columns, feeds)])


def _era(spec: EraSpec) -> str:
    events = _lines(spec.events, ("activity", "day", "last day", "quantity"))
    outcome = _lines(spec.outcome, ("era", "days", "events"))
    return "\n".join([f"## {spec.id}\n", f"{spec.words}\n", events, "**Eras**\n", outcome])


def _feed_row(feed: Feed) -> str:
    waits = " | ".join(_wait(feed.arrivals[family]) for family in ("city", "hospital", "register", "causes"))
    return f"`{feed.id}` | {waits} | {'yes' if feed.actionable else 'no'} | {feed.source}"


def _wait(arrival: Arrival | None) -> str:
    if arrival is None:
        return "not carried"
    after = {"care": "the care", "month": "its month", "year": "its year"}[arrival.closes]
    return f"{arrival.lag_days} days after {after}"


if __name__ == "__main__":
    (REFERENCE / "snds-rules.md").write_text(snds_page(RULES), encoding="utf-8")
    (REFERENCE / "breakdown-rules.md").write_text(breakdown_page(SPECS), encoding="utf-8")
    (REFERENCE / "quality-checks.md").write_text(quality_page(CHECKS), encoding="utf-8")
    (REFERENCE / "eras-and-feeds.md").write_text(eras_page(ERAS), encoding="utf-8")
