"""Definitions: the built-in one holds, and each mistake is a sentence that names its place."""

from __future__ import annotations

import pytest

from eventlogs.errors import DefinitionError
from pathways.definition import built_in, check_against, load, parse

SMALL = """
id = "small"
version = "1"
label = { fr = "Petit", en = "Small" }

[phases]
care = { fr = "Soin", en = "Care" }

[activities.surgery]
label = { fr = "Chirurgie", en = "Surgery" }
phase = "care"
CCAM = ["QEFA004"]
source = "trial"

[breakdowns.late]
kind = "late_step"
label = { fr = "Tardif", en = "Late" }
step = { fr = "Chirurgie", en = "Surgery" }
trigger = ["surgery"]
expected = ["surgery"]
within_days = 30
grace_days = 0
exits = []
evidence = "none"
source = "trial"
"""


@pytest.mark.parametrize("name", built_in())
def test_built_in_definitions_hold(name: str) -> None:
    pathway = load(name)
    assert set(pathway.within_day) == set(pathway.activities)
    assert all(activity.source for activity in pathway.activities.values())
    assert all(item.source and item.evidence for item in pathway.breakdowns.values())


def test_small_definition_is_read() -> None:
    assert parse(SMALL, "small.toml").breakdowns["late"].within_days == 30


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("within_days = 30", "within_day = 30", r"small.toml: \[breakdowns.late\] has no key 'within_days'; did you mean 'within_day'"),
        ('phase = "care"', 'phase = "caer"', r"\[activities.surgery\] has phase = 'caer'; did you mean 'care'"),
        ('trigger = ["surgery"]', 'trigger = ["surgry"]', "breakdowns.late.trigger names an unknown activity 'surgry'; did you mean 'surgery'"),
        ("grace_days = 0", "grace_days = -4", "grace_days = -4; give a number of days"),
        ("within_days = 30", "within_days = 0", "opens its window after it closes it"),
        ("within_days = 30", "within_days = '30'", "it must be a whole number"),
        ('kind = "late_step"', 'kind = "late"', "has kind = 'late'"),
        ('CCAM = ["QEFA004"]', 'CCMA = ["QEFA004"]', r"unknown key 'CCMA'|has no code list"),
        ('id = "small"', 'id = "small', "not valid TOML"),
        ('source = "trial"\n\n[breakdowns', "\n[breakdowns", r"\[activities.surgery\] has no key 'source'"),
        ("evidence", "evidance", r"has no key 'evidence'; did you mean 'evidance'"),
        ('id = "small"', 'id = "small"\ncolour = 1', "the top level has an unknown key 'colour'"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_sentence(old: str, new: str, words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        parse(SMALL.replace(old, new), "small.toml")


def test_unknown_name_says_the_nearest() -> None:
    with pytest.raises(DefinitionError, match="did you mean 'breast_cancer'"):
        load("breast_cancr")


def test_missing_file_is_said() -> None:
    with pytest.raises(DefinitionError, match=r"nothing.toml is not a file"):
        load("nothing.toml")


def test_breakdowns_are_checked_against_a_ready_log() -> None:
    text = SMALL[: SMALL.index("[phases]")] + SMALL[SMALL.index("[breakdowns") :]
    with pytest.raises(
        DefinitionError, match="names 'surgery', which the log does not have; did you mean 'surgery!'"
    ):
        check_against(parse(text, "small.toml"), ["surgery!"])
