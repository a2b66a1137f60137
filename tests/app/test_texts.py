"""All words are in both languages, with the same gaps to fill, and each is used."""

from __future__ import annotations

import re
from pathlib import Path

import dashboards
from dashboards.words import words_in

FR, EN = words_in("fr").texts, words_in("en").texts
WHOLE_SECTIONS = ("grid", "role", "status", "evidence")
SOURCE = "\n".join(
    path.read_text(encoding="utf-8") for path in Path(dashboards.__file__).parent.rglob("*.py")
)


def test_both_languages_have_the_same_keys() -> None:
    assert FR.keys() == EN.keys()


def test_the_same_gaps_are_filled() -> None:
    gaps = re.compile(r"\{(\w+)\}")
    assert {k: set(gaps.findall(FR[k])) for k in FR} == {k: set(gaps.findall(EN[k])) for k in EN}


def asks_for(key: str) -> bool:
    return f'"{key}"' in SOURCE or f"'{key}'" in SOURCE


def test_no_word_is_unused() -> None:
    unused = [key for key in FR if key.split(".")[0] not in WHOLE_SECTIONS and not asks_for(key)]
    assert unused == []
    assert all(f'section("{name}")' in SOURCE for name in WHOLE_SECTIONS)


def test_no_page_asks_for_a_word_that_is_not_there() -> None:
    asked = set(re.findall(r'words\(\s*["\']([a-z_.0-9]+)["\']', SOURCE))
    assert asked <= FR.keys()
