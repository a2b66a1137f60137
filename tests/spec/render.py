"""Renders the specs as reference pages: ``python -m tests.spec.render``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.spec.snds_rules import DEFAULTS, RULES, Rule

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

HEAD = """# Rules of the SNDS readers

This page is rendered from the tests, so it can't differ from what the package does. Each rule shows a small extract and
the events that are built from it with the breast cancer definition. `LINE` stands for the nine keys of DCIR, `STAY` for
(ETA_NUM, RSA_NUM); columns that are not shown hold an ordinary value (list at the end). Every person has an open ALD
for C50 unless IR_IMB_R is shown. Contest a rule by its name.
"""


def snds_page(rules: Iterable[Rule]) -> str:
    """Return the page of SNDS rules."""
    ordinary = "\n".join(
        f"- `{table}`: " + ", ".join(f"{column} = {value or 'empty'}" for column, value in columns.items())
        for table, columns in DEFAULTS.items()
    )
    return "\n".join([HEAD, *(_section(rule) for rule in rules), "## Ordinary values\n", ordinary, ""])


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
