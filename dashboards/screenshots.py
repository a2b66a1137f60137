"""Pictures of every page, for the documentation and to be looked at after a change.

::

    pip install "care-pathways[test]"      # and Debian's chromium
    python -m dashboards.screenshots STUDY docs/images

The app is served on a free port of this machine; a study that is not synthetic is refused, so that no picture of
real data is published by mistake.
"""

from __future__ import annotations

import argparse
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Literal

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from dashboards.app import create_app, run
from eventlogs.errors import InputError
from pathways.definition import Language
from pathways.study import Study

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
WIDE, NARROW = (1440, 900), (768, 1024)
SETTLED_MS = 1200


@dataclass(frozen=True)
class Shot:
    """One picture: its file, its page, and how the visitor sees it."""

    name: str
    path: str
    language: Language = "fr"
    size: tuple[int, int] = WIDE
    scheme: Literal["light", "dark"] = "light"
    whole: bool = False


EDGE = "breast_ultrasound→breast_biopsy"
SHOTS = (
    Shot("map", "/"),
    Shot("map-edge", f"/?selected={EDGE}"),
    Shot("map-step-en", "/?selected=breast_conserving_surgery", "en"),
    Shot("map-phases-delay", "/?level=phase&measure=median_days"),
    Shot("map-dark", "/", scheme="dark"),
    Shot("map-narrow", "/", size=NARROW),
    Shot("pathways", "/", whole=True),
    Shot("breakdowns", "/ruptures?breakdown=late_start", whole=True),
    Shot("breakdowns-narrow-en", "/ruptures?breakdown=surveillance_lapse", "en", size=NARROW, whole=True),
)


def free_port() -> int:
    """Return a port that no program listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(playwright: Playwright, executable: str) -> Browser:
    """Start a headless Chromium that calls no other machine."""
    return playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)


def visit(browser: Browser, address: str, shot: Shot) -> Page:
    """Open a page as a visitor who reads that language on a screen of that size, and wait for its title."""
    width, height = shot.size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=shot.scheme)
    context.add_cookies([{"name": "language", "value": shot.language, "url": address}])
    page = context.new_page()
    page.goto(address + shot.path)
    page.wait_for_selector("main h1")
    return page


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser.

    Raises
    ------
    InputError
        There is no Chromium on this machine.
    """
    executable = shutil.which("chromium")
    if executable is None:
        raise InputError("there is no chromium on this machine; install it (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = launch(playwright, executable)
        yield browser
        browser.close()


def take(study: Path, out: Path) -> list[Path]:
    """Take every picture of a synthetic study.

    Raises
    ------
    InputError
        The study is not synthetic, or there is no Chromium.
    """
    if not Study.open(study).manifest["synthetic"]:
        raise InputError(f"{study} is not synthetic; give a study made from 'pathways synth'")
    out.mkdir(parents=True, exist_ok=True)
    port = free_port()
    Thread(target=run, args=(create_app(study),), kwargs={"port": port}, daemon=True).start()
    with chromium() as browser:
        return [_take(browser, f"http://localhost:{port}", shot, out) for shot in SHOTS]


def _take(browser: Browser, address: str, shot: Shot, out: Path) -> Path:
    page = visit(browser, address, shot)
    page.wait_for_timeout(SETTLED_MS)
    file = out / f"{shot.name}.png"
    page.screenshot(path=file, full_page=shot.whole)
    page.context.close()
    return file


def main() -> None:
    """Read the command line and take the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path, help="a mined synthetic study")
    parser.add_argument("out", type=Path, help="the folder of the pictures")
    args = parser.parse_args()
    for file in take(args.study, args.out):
        print(file)


if __name__ == "__main__":
    main()
