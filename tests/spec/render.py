"""Renders the specs as reference pages: ``python -m tests.spec.render``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import reduce
from inspect import getdoc
from pathlib import Path

from eventlogs.checks import CHECKS
from eventlogs.checks.evidence import OPERATIONAL
from eventlogs.checks.evidence import Rule as QualityRule
from eventlogs.feeds import FEEDS, Arrival, Feed
from eventlogs.practice import Practice
from eventlogs.snds.traps import TRAPS, Trap
from pathways.definition import BreakdownDefinition
from tests.spec.snds import DEFAULTS, RULES
from tests.spec.snds.writing import Rule
from tests.spec.test_breakdown import SPECS, Spec
from tests.spec.test_conformance import RULES as REFERENCE_RULES
from tests.spec.test_conformance import SPECS as CONFORMANCE
from tests.spec.test_conformance import Spec as ConformanceSpec
from tests.spec.test_eras import SPECS as ERAS
from tests.spec.test_eras import Spec as EraSpec

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

HEAD = """# Rules of the SNDS readers

What a careless reading of the SNDS gets wrong, trap by trap, and what this package does instead. The page is rendered
from the tests, so it can't differ from what the package does. Contest a rule by its name.

**How to read it.** Each trap says what is done, where the rule comes from, what a build counts of it
(`trap.<name>`, printed by `pathways check`, whatever the switches say) and, where practice differs, its switches: keys
of the table `[snds]` of a [definition](definition.md), each with its default and why. Then come examples: a few rows of
SNDS tables, and all the events that are built from them with the breast cancer definition unless another is named.
All persons and rows are invented.

**Shorthand.** `LINE` stands for the nine keys of DCIR, `STAY` for (ETA_NUM, RSA_NUM) of MCO, `VISIT` (external care),
`REHAB` (SSR), `HOME` (HAD) and `PSY` (RIM-P) for the keys of these fields. An empty cell is an empty value in a table;
among the events it is `none`. Columns that are not shown hold [an ordinary value](#ordinary-values). Every person is a
woman born in 1960, named by her pseudonym and birth rank (A-1), with an open ALD for C50, unless IR_BEN_R or
IR_IMB_R is shown.
"""


def snds_page(rules: Iterable[Rule]) -> str:
    """Return the page of SNDS rules: each under its first trap, in the order of the traps, then those of none."""
    of_trap: dict[str, list[Rule]] = {}
    for rule in rules:
        of_trap.setdefault(rule.traps[0] if rule.traps else "", []).append(rule)
    every = [rule for group in of_trap.values() for rule in group]
    traps = [_trap(trap, of_trap.get(trap.id, []), _shown_elsewhere(trap, every)) for trap in TRAPS.values()]
    others = [OTHER_HEAD, *_sections(of_trap.get("", []))]
    return "\n".join([HEAD, _contents(), *traps, *others, "## Ordinary values\n", _ordinary(), ""])


OTHER_HEAD = """## Other rules

Rules of reading that no trap is behind: how acts are dated, how sources are merged, who enters a cohort and when
observation ends.
"""


def _contents() -> str:
    rows = [
        f"{trap.number} | [{trap.id}](#{_anchor(trap)}) | {', '.join(f'`{name}`' for name in trap.switches)}"
        for trap in TRAPS.values()
    ]
    return _rows("no. | trap | switches", rows)


def _anchor(trap: Trap) -> str:
    return f"{trap.number}-{trap.id}"


def _shown_elsewhere(trap: Trap, rules: Iterable[Rule]) -> list[str]:
    return [rule.id for rule in rules if trap.id in rule.traps[1:]]


def _trap(trap: Trap, rules: Iterable[Rule], elsewhere: list[str]) -> str:
    links = ", ".join(f"[{name}](#{name})" for name in elsewhere)
    return "\n".join(
        [
            f"## {trap.number}. {trap.id}\n",
            f"{_sentence(trap.words)}\n",
            f"*Source: {trap.source}. Counted in {trap.unit}, as `{trap.count}`.*\n",
            *map(_switch, trap.switches),
            *([f"See also {links}.\n"] if links else []),
            *_sections(rules),
        ]
    )


def _sections(rules: Iterable[Rule]) -> list[str]:
    """Return the sections of the rules of a trap; tables that an earlier one shows are not shown again."""
    first: dict[str, str] = {}
    return [_section(rule, first.setdefault(repr(rule.tables), rule.id)) for rule in rules]


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _switch(name: str) -> str:
    """Return a switch with its values and its default, as `Practice` documents it."""
    found = re.search(rf"^{name} : (.+)\n((?: +.+\n?)+)", getdoc(Practice) or "", re.MULTILINE)
    if found is None:
        raise KeyError(name)
    kinds = {"tuple of": "list of", "bool": "true or false", "int": "a number", "'": "`"}
    values, words = (
        reduce(lambda text, kind: text.replace(*kind), kinds.items(), found[1]),
        " ".join(found[2].split()),
    )
    default = getattr(Practice(), name)
    return f"- Switch `{name}`, {values}; default `{_written(default)}`. {words}\n"


def _written(value: object) -> str:
    """Return a value as a definition writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    return value.isoformat() if isinstance(value, date) else str(value)


def _ordinary() -> str:
    return "\n".join(
        f"- `{table}`: " + ", ".join(f"{column} = {value or 'empty'}" for column, value in columns.items())
        for table, columns in DEFAULTS.items()
        if columns
    )


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


def _section(rule: Rule, shown_by: str) -> str:
    tables = [f"`{name}`\n\n{_table(text)}" for name, text in rule.tables.items()]
    shown = tables if shown_by == rule.id else [f"Tables: those of [{shown_by}](#{shown_by}).\n"]
    outcome = _table("\n".join([" | ".join(rule.columns), rule.events]))
    counts = ", ".join(f"`{name}` {n}" for name, n in rule.counts.items())
    return "\n".join(
        [
            f"### {rule.id}\n",
            f"{rule.words}{_setting(rule)}\n",
            f"*Source: {rule.source}.*\n",
            *shown,
            f"**{rule.shows.capitalize()}**\n\n{outcome}",
            *([f"**Counted**: {counts}.\n"] if counts else []),
        ]
    )


def _setting(rule: Rule) -> str:
    """Return what the example sets: definition, switches, cohort rules; nothing where all is ordinary."""
    tables = {"snds": rule.practice, "cohort": rule.cohort}
    keys = [f"`[{table}] {k} = {_written(v)}`" for table, given in tables.items() for k, v in given.items()]
    named = [] if rule.pathway == "breast_cancer" else [f"definition `{rule.pathway}`"]
    return f" Set here: {', '.join([*named, *keys])}." if [*named, *keys] else ""


def _table(text: str) -> str:
    head, *rows = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


CONFORMANCE_HEAD = """# Rules of conformance

Rendered from the tests, like the [breakdown rules](breakdown-rules.md). Each example shows events, and what becomes
of one rule of a [reference pathway](definition.md#reference-pathway). Days count from 1 January 2020 (day 0); the
source is observed until day 1000 unless said; `index`, `died` and `seen from` are dates of the patient. The rules are
those of the tests, with round numbers; those of the four cancers are in `pathways/definitions/`, each with its source.
Contest an example by its name.

A patient is *satisfied*, *violated*, *not_applicable* or *undecidable*. A violation with an excuse is counted apart,
and so is a rule that an exit ended before it was decided (*not_applicable*, with the exit).
"""


def conformance_page(rules: Mapping[str, str], specs: Iterable[ConformanceSpec]) -> str:
    """Return the page of conformance rules: each rule as its definition writes it, then its examples."""
    of_rule: dict[str, list[ConformanceSpec]] = {rule: [] for rule in rules}
    for spec in specs:
        of_rule[spec.rule].append(spec)
    parts = [_reference_rule(rule, rules[rule], shown) for rule, shown in of_rule.items()]
    return "\n".join([CONFORMANCE_HEAD, *parts])


def _reference_rule(rule: str, text: str, specs: Iterable[ConformanceSpec]) -> str:
    written = f"[reference.{rule}]\n{text.strip()}"
    shown = "\n".join(
        line for line in written.splitlines() if not line.startswith(("label", "source", "violation"))
    )
    return "\n".join([f"## {rule}\n", f"```\n{shown}\n```\n", *map(_conformance_spec, specs)])


def _conformance_spec(spec: ConformanceSpec) -> str:
    until = "" if spec.observed_until == 1000 else f" Observed until day {spec.observed_until}."
    left = "".join(f" {patient} is followed until day {day}." for patient, day in spec.left_on.items())
    columns = ("patient", "status", "decided on day", "days late", "excused by")
    return "\n".join(
        [
            f"### {spec.id}\n",
            f"{spec.words}{until}{left}\n",
            _lines(spec.events, ("patient", "activity", "day")),
            "**Outcome**\n",
            _lines(spec.outcome, columns),
        ]
    )


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
    (REFERENCE / "conformance-rules.md").write_text(
        conformance_page(REFERENCE_RULES, CONFORMANCE), encoding="utf-8"
    )
    (REFERENCE / "quality-checks.md").write_text(quality_page(CHECKS), encoding="utf-8")
    (REFERENCE / "eras-and-feeds.md").write_text(eras_page(ERAS), encoding="utf-8")
