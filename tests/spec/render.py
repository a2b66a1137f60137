"""Renders the specs as reference pages: ``python -m tests.spec.render``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pathways.definition import BreakdownDefinition
from tests.spec.snds import DEFAULTS, RULES
from tests.spec.snds.writing import Rule
from tests.spec.test_breakdown import SPECS, Spec

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


if __name__ == "__main__":
    (REFERENCE / "snds-rules.md").write_text(snds_page(RULES), encoding="utf-8")
    (REFERENCE / "breakdown-rules.md").write_text(breakdown_page(SPECS), encoding="utf-8")
