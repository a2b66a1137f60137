"""Pages that run: their shell and Python blocks in order, and the text blocks that show what Python printed.

``python -m tests.notebook PAGE`` runs a page in a temporary folder and writes its printed text anew.
"""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from pathways.cli import main

SERVES = ["pathways", "serve"]
BLOCK = re.compile(r"^( *)```(sh|python|text)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of a page, dedented; ``span`` is where its content stands in the page."""

    kind: str
    code: str
    span: tuple[int, int]


def blocks(page: str) -> list[Block]:
    """Return the blocks that run or show what was printed, in order."""
    return [
        Block(found[2], re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE), found.span(3))
        for found in BLOCK.finditer(page)
    ]


def run(page: str) -> Iterator[tuple[Block, str]]:
    """Run a page in the present folder; yield each text block with what the Python block before it printed.

    Raises
    ------
    AssertionError
        A command did not end with 0, or is none of ours.
    """
    namespace: dict[str, object] = {}
    printed = ""
    for block in blocks(page):
        if block.kind == "text":
            yield block, printed
        elif block.kind == "sh":
            _command(block.code)
        else:
            with redirect_stdout(StringIO()) as out:
                exec(compile(block.code, "page", "exec"), namespace)
            printed = out.getvalue()


def _command(code: str) -> None:
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words and words[:2] != SERVES:
            assert words[0] == "pathways" and main(words[1:]) == 0, line


def rewritten(page: str) -> str:
    """Return the page with what its Python blocks print now."""
    for block, printed in reversed(list(run(page))):
        start, stop = block.span
        page = page[:start] + printed + page[stop:]
    return page


if __name__ == "__main__":
    place = Path(sys.argv[1]).resolve()
    text = place.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        place.write_text(rewritten(text), encoding="utf-8")
