"""Simulated patients land within the published intervals of the four cancers, and the page that shows it is current."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from eventlogs.synthetic import parameters
from eventlogs.synthetic.cancers import CANCERS, breast, colorectal, lung, prostate
from tests.acceptance.published import PAGE, ROWS, Published, Simulated, line, page, simulate

patients = cache(simulate)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.cancer}: {row.what}")
def test_generated_numbers_are_near_the_published_ones(row: Published) -> None:
    generated = row.generated(patients(row.cancer))
    print(line(row, generated))
    assert row.holds(generated), line(row, generated)


def test_every_cancer_is_compared() -> None:
    assert {row.cancer for row in ROWS} == set(CANCERS)


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.acceptance.published"


def broken_rows(simulated: Simulated) -> set[str]:
    """What the rows of a cancer find wrong."""
    rows = [row for row in ROWS if row.cancer == simulated.name]
    return {row.what for row in rows if not row.holds(row.generated(simulated))}


@pytest.mark.parametrize(
    ("name", "moved", "value", "found"),
    [
        ("breast", (breast, "START_MEAN_MU"), breast.START_MEAN_MU + 0.15, "biopsy → first treatment"),
        ("breast", (breast, "BASE_LOG_HAZARD"), breast.BASE_LOG_HAZARD + 0.3,
         "endocrine therapy stopped at 1 year (12 to 14)"),
        ("colorectal", (colorectal, "NEOADJUVANT_SHARE"), 0.45, "rectum: colonoscopy → surgery, all"),
        ("colorectal", (colorectal, "EMERGENCY_SHARE"), 0.18, "colon: found in an emergency"),
        ("lung", (lung, "SURVIVAL_SHAPE"), 1.0, "dead at 1 year"),
        ("lung", (lung, "SEQUENTIAL_RADIOTHERAPY_SHARE"), 0.3, "bronchoscopy → radiotherapy"),
        ("prostate", (prostate, "SALVAGE_RADIOTHERAPY_SHARE"), 0.30, "treated by radiotherapy"),
        ("prostate", (parameters, "OTHER_DEATH_LOG_HAZARD_AT_60"), -4.8, "dead at 2 years"),
    ],
)  # fmt: skip
def test_a_parameter_that_moves_is_seen(
    name: str, moved: tuple[Any, str], value: float, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*moved, value)
    assert found in broken_rows(simulate(name, 6000))
