"""The tutorials and the how-to pages run as they are written, and the links of the docs lead somewhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from pathways.cli import main
from tests.notebook import blocks, run

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", sorted((DOCS / "tutorials").glob("*.md")), ids=lambda page: page.stem)
def test_tutorial_runs_and_prints_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8")
    for block, printed in run(text):
        assert printed == block.code
    assert len(blocks(text)) > 5


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


@pytest.mark.parametrize("page", sorted((DOCS / "how-to").glob("*.md")), ids=lambda page: page.stem)
def test_how_to_runs(page: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(world, tmp_path / "world")
    monkeypatch.chdir(tmp_path / "world")
    for block, printed in run(page.read_text(encoding="utf-8")):
        assert printed == block.code


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
