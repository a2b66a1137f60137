"""The pages in a real browser: what is seen, what is clicked, and that nothing leaves this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from dashboards.screenshots import NARROW, WIDE, free_port, launch

COMMAND = "import sys; from pathways.cli import main; sys.exit(main(sys.argv[1:]))"
EDGE = "breast_biopsy→pathology_exam"
expect.set_options(timeout=20_000)


@contextmanager
def served(study: Path, *options: str) -> Iterator[str]:
    """Run ``pathways serve`` as a user does, until its page answers."""
    port = free_port()
    words = ["serve", str(study), "--port", str(port), "--no-browser", *options]
    process = subprocess.Popen([sys.executable, "-c", COMMAND, *words], stdout=subprocess.PIPE)
    try:
        wait_for(f"http://127.0.0.1:{port}/", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server stopped"
        try:
            with urllib.request.urlopen(address):
                return
        except URLError:
            time.sleep(0.1)
    raise AssertionError("the server did not answer in 30 s")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium on this machine, and CI must drive one")
        pytest.skip("no chromium on this machine: sh tests/install-chromium.sh")
    with sync_playwright() as playwright:
        opened = launch(playwright, executable)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def address(study_path: Path) -> Iterator[str]:
    with served(study_path) as found:
        yield found


@pytest.fixture(scope="session")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
    yield context
    context.close()


@contextmanager
def watching(visitor: BrowserContext, address: str, path: str, language: str = "fr") -> Iterator[Page]:
    """Open a page; at the end, fail for a console error or a request to another machine."""
    page, complaints, strangers = visitor.new_page(), [], []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def guard(request: Request) -> None:
        url = urlsplit(request.url)
        if url.hostname != "127.0.0.1" and url.scheme not in ("data", "blob"):
            strangers.append(request.url)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", guard)
    visitor.add_cookies([{"name": "language", "value": language, "url": address}])
    page.goto(address + path)
    page.wait_for_selector("main h1")
    yield page
    page.close()
    assert complaints == []
    assert strangers == []


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    ("path", "drawn"),
    [
        ("/", ".process-map .step"),
        (f"/?selected={EDGE}", ".panel .js-plotly-plot .point"),
        ("/ruptures", ".territory-map .territory"),
        ("/liste", "main .card p"),
    ],
)
def test_every_page_fits_wide_and_narrow(
    visitor: BrowserContext, address: str, path: str, drawn: str, language: str
) -> None:
    with watching(visitor, address, path, language) as page:
        expect(page.locator(drawn).first).to_be_attached()
        assert page.evaluate("document.documentElement.lang") == language
        for width, height in (WIDE, NARROW):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"


def test_an_edge_shows_its_delays_and_closes(visitor: BrowserContext, address: str) -> None:
    with watching(visitor, address, "/") as page:
        expect(page.locator(".panel")).to_be_hidden()
        page.locator(f"[data-for='{EDGE}'] .edge-label").click()
        expect(page.locator(".panel h2")).to_contain_text("Biopsie du sein → Examen")
        expect(page.locator(".panel .js-plotly-plot .point").first).to_be_attached()
        expect(page).to_have_url(re.compile(r"selected=breast_biopsy%E2%86%92pathology_exam"))
        page.get_by_role("button", name="Fermer").click()
        expect(page.locator(".panel")).to_be_hidden()


def test_the_map_by_keyboard(visitor: BrowserContext, address: str) -> None:
    with watching(visitor, address, "/") as page:
        page.locator("[data-key][tabindex='0']").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".panel h2")).to_be_visible()
        chosen = page.locator("[data-key].is-marked").get_attribute("data-key")
        assert page.evaluate("document.activeElement.dataset.key") == chosen
        page.keyboard.press("Escape")
        expect(page.locator(".panel")).to_be_hidden()
        assert page.locator(".process-map [tabindex='0']").count() == 1


def test_a_step_says_where_patients_come_from_and_go(visitor: BrowserContext, address: str) -> None:
    with watching(visitor, address, "/", "en") as page:
        page.locator("[data-key='breast_biopsy'] .card").click()
        expect(page.locator(".panel")).to_contain_text("Come from")
        page.locator(".panel .flow", has_text="Pathology exam").first.click()
        expect(page.locator(".panel h2")).to_contain_text("Breast biopsy → Pathology exam")


def test_the_sliders_change_the_map_and_the_link(visitor: BrowserContext, address: str) -> None:
    with watching(visitor, address, "/") as page:
        before = page.locator(".process-map .edge").count()
        slider = page.get_by_role("slider", name="Passages")
        slider.focus()
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        expect(page.locator(".process-map .edge")).not_to_have_count(before)
        page.wait_for_url(f"**/?*paths={slider.get_attribute('aria-valuenow')}*")
        page.wait_for_load_state("networkidle")
        address_now, drawn = page.url, page.locator(".process-map .edge").count()
        page.goto(address_now)
        expect(page.locator(".process-map .edge")).to_have_count(drawn)


def test_no_step_moves_when_sliders_do(visitor: BrowserContext, address: str) -> None:
    def places(page: Page) -> dict[str, list[float]]:
        box = "step => [step.dataset.key, step.querySelector('.card').getBBox()]"
        read = f"steps => steps.map({box}).map(([key, b]) => [key, [b.x, b.y, b.width, b.height]])"
        return dict(page.locator(".process-map .step").evaluate_all(read))

    with watching(visitor, address, "/?activities=55&paths=30") as page:
        before, seen = places(page), page.locator(".process-map").get_attribute("viewBox")
        page.get_by_role("slider", name="Étapes").focus()
        for _ in range(3):
            page.keyboard.press("ArrowLeft")
        expect(page.locator(".process-map .step")).not_to_have_count(len(before))
        after = places(page)
        assert after == {key: place for key, place in before.items() if key in after}
        assert page.locator(".process-map").get_attribute("viewBox") == seen


def test_the_whole_map_is_in_view_at_the_opening(visitor: BrowserContext, address: str) -> None:
    with watching(visitor, address, "/") as page:
        left, top, width, height = (
            float(word) for word in (page.locator(".process-map").get_attribute("viewBox") or "").split()
        )
        read = "steps => steps.map(s => s.getBBox()).map(b => [b.x, b.y, b.x + b.width, b.y + b.height])"
        for x0, y0, x1, y1 in page.locator(".process-map .step").evaluate_all(read):
            assert left <= x0 and x1 <= left + width and top <= y0 and y1 <= top + height


def test_zoom_and_fit(visitor: BrowserContext, address: str) -> None:
    with watching(visitor, address, "/") as page:
        svg = page.locator(".process-map")
        whole = svg.get_attribute("viewBox")
        page.get_by_role("button", name="Agrandir").click()
        assert svg.get_attribute("viewBox") != whole
        page.get_by_role("button", name="Tout voir").click()
        assert svg.get_attribute("viewBox") == whole


@pytest.mark.parametrize("where", ["map", "table", "select"])
def test_a_territory_is_marked_in_all_three(visitor: BrowserContext, address: str, where: str) -> None:
    with watching(visitor, address, "/ruptures?breakdown=late_start") as page:
        page.wait_for_selector(".ag-row")
        if where == "map":
            page.locator("[data-key='59'] path").click(force=True)
        elif where == "table":
            page.locator(".ag-row", has_text="59 · Nord").locator(".ag-cell").first.click()
        else:
            page.get_by_placeholder("Choisir un département").fill("Nord")
            page.get_by_role("option", name="59 · Nord").click()
        expect(page.locator("[data-key='59']")).to_have_class(re.compile("is-marked"))
        expect(page.locator(".ag-row-selected")).to_contain_text("59 · Nord")
        expect(page.locator(".chosen")).to_contain_text("Nord")
        expect(page.locator(".js-plotly-plot .textpoint", has_text="Nord").first).to_be_attached()


def test_the_language_switch_keeps_the_page_and_its_state(visitor: BrowserContext, address: str) -> None:
    with watching(visitor, address, "/ruptures?breakdown=late_start&territory=59") as page:
        page.locator("label", has_text="EN").click()
        expect(page.locator("main h1")).to_have_text("Breakdowns")
        expect(page.locator("[data-key='59']")).to_have_class(re.compile("is-marked"))


def test_light_and_dark(visitor: BrowserContext, address: str) -> None:
    with watching(visitor, address, "/") as page:
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.get_by_role("button", name="Clair ou sombre").click()
        page.wait_for_selector("[data-mantine-color-scheme='dark']")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_the_links_of_the_header(visitor: BrowserContext, address: str) -> None:
    with watching(visitor, address, "/") as page:
        page.get_by_role("link", name="Points de rupture").click()
        expect(page.locator("main h1")).to_have_text("Points de rupture")
        expect(page.locator(".nav .is-here")).to_have_text("Points de rupture")
        assert page.get_by_role("link", name="Liste à risque").count() == 0


def test_the_downloads_arrive(visitor: BrowserContext, address: str) -> None:
    with watching(visitor, address, "/") as page:
        with page.expect_download() as csv:
            page.get_by_role("button", name="Tableau (CSV)").click()
        with page.expect_download() as svg:
            page.get_by_role("button", name="Carte (SVG)").click()
        assert Path(csv.value.path()).read_bytes().startswith("\ufeff".encode())
        assert csv.value.suggested_filename == "parcours-3f9c2ab1.csv"
        assert Path(svg.value.path()).read_text(encoding="utf-8").startswith("<svg")


def test_the_risk_list_of_a_network(visitor: BrowserContext, network_path: Path) -> None:
    with (
        served(network_path, "--risk-list") as found,
        watching(visitor, found, "/liste") as page,
    ):
        expect(page.locator(".banner")).to_contain_text("une personne décide")
        expect(page.locator(".ag-row").first).to_contain_text("Chirurgie conservatrice")
        expect(page.get_by_role("link", name="Liste à risque")).to_be_visible()
        page.set_viewport_size({"width": NARROW[0], "height": NARROW[1]})
        page.wait_for_function("document.querySelector('.ag-cell[col-id=patient_id]').offsetWidth >= 100")
