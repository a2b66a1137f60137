"""The tutorials and the how-to pages run as they are written, and the links of the docs lead somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from pathways.cli import main

DOCS = Path(__file__).parents[2] / "docs"
SERVES = ["pathways", "serve"]


def page(kind: str, name: str) -> Path:
    return DOCS / kind / f"{name}.md"


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the blocks of shell and Python in order, those of a list dedented."""
    found = re.findall(r"^( *)```(sh|python)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    return [(kind, re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)) for indent, kind, code in found]


def run(written: Path) -> int:
    """Run a page in the present folder; return how many blocks it has."""
    namespace: dict[str, object] = {}
    every = blocks(written.read_text(encoding="utf-8"))
    for kind, code in every:
        if kind == "python":
            exec(compile(code, written.name, "exec"), namespace)
        else:
            command_lines(code)
    return len(every)


def command_lines(code: str) -> None:
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words and words[:2] != SERVES:
            assert words[0] == "pathways" and main(words[1:]) == 0, line


def test_tutorial_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(page("tutorials", "from-extract-to-list")) > 5


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the how-to pages expect it: an extract (synthetic), its mined study, and a former one."""
    folder = tmp_path_factory.mktemp("world")
    extract, study = folder / "extract", folder / "study"
    commands = (
        ["synth", extract, "--patients", 800, "--seed", 7],
        ["build", extract, "-o", study, "--pathway", "breast_cancer"],
        ["mine", study],
    )
    for words in commands:
        assert main([str(word) for word in words]) == 0
    shutil.copytree(extract, folder / "extract-2025")
    shutil.copytree(study, folder / "study-2024")
    return folder


@pytest.mark.parametrize("written", sorted((DOCS / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_how_to_runs(written: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(world, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    run(written)


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
