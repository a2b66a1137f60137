"""The tutorial runs as it is written, and the links of the docs lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pathways.cli import main

DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL = DOCS / "tutorials" / "from-extract-to-list.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)


def test_tutorial_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    for line in lines:
        words = shlex.split(line)
        if words[:2] == ["pathways", "serve"]:
            continue
        assert words[0] == "pathways" and main(words[1:]) == 0, line
    namespace: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, TUTORIAL.name, "exec"), namespace)
    assert len(lines) > 6


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
