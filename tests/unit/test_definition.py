"""Definitions: the built-in one holds, and each mistake is a sentence that names its place."""

from __future__ import annotations

from dataclasses import fields
from datetime import date
from pathlib import Path

import pytest

from eventlogs.activities import CODE_SYSTEMS, CohortRules
from eventlogs.errors import DefinitionError
from eventlogs.practice import Practice
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


WHOLE = (
    SMALL
    + """
[cohort]
diagnosis = ["C50"]
diagnosis_in = ["stay"]
index = ["first_treatment", "ald"]
near_diagnosis_days = 90
washout_days = 365
min_age = 18
max_age = 75
sex = "F"
index_from = 2018-01-01
index_until = 2020-12-31
exits = ["death", "abroad"]
silence_days = 500
source = "trial"

[eras.course]
label = { fr = "Cure", en = "Course" }
activities = ["surgery"]
kind = "supply"
gap_days = 30
days_per_unit = 1.5
source = "trial"

[snds]
metastases = "ignored"
double_facilities_until = 2018
death_order = ["stays", "causes"]
infer_regimens = true
source = "trial"

[network]
by = "most_frequent_facility"
source = "trial"
"""
).replace('phase = "care"', 'phase = "care"\nrole = "treatment"')


def test_every_table_is_read() -> None:
    pathway = parse(WHOLE, "whole.toml")
    rules = pathway.rules()
    assert rules.cohort.index == ("first_treatment", "ald")
    assert (rules.cohort.treatments, rules.cohort.diagnostics) == (("surgery",), ())
    assert (rules.cohort.index_from, rules.cohort.silence_days) == (date(2018, 1, 1), 500)
    assert (rules.cohort.near_diagnosis_days, rules.cohort.sex) == (90, "F")
    assert [(era.id, era.kind, era.days_per_unit) for era in rules.eras] == [("course", "supply", 1.5)]
    assert pathway.name("course", "en") == "Course"
    assert rules.practice == Practice(
        metastases="ignored",
        double_facilities_until=2018,
        death_order=("stays", "causes"),
        infer_regimens=True,
    )
    assert pathway.network is not None
    assert (pathway.network.activities, pathway.network.table) == (("surgery",), "networks.csv")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('metastases = "ignored"', 'metastases = "ignore"', r"\[snds\] has metastases = 'ignore'; did you mean 'ignored'"),
        ('metastases = "ignored"', 'metastasis = "ignored"', r"\[snds\] has an unknown key 'metastasis'; did you mean 'metastases'"),
        ('["stays", "causes"]', '["stay"]', r"has death_order = \[… 'stay' …\]; did you mean 'stays'"),
        ("infer_regimens = true", 'infer_regimens = "yes"', "it must be true or false"),
        ('infer_regimens = true\nsource = "trial"', "infer_regimens = true", r"\[snds\] has no key 'source'"),
        ('"ald"]', '"adl"]', r"has index = \[… 'adl' …\]; did you mean 'ald'"),
        ('"first_treatment", "ald"', "", "name at least one strategy"),
        ('role = "treatment"', 'role = "diagnostic"', 'no activity has role = "treatment"'),
        ('role = "treatment"', 'role = "treatmnt"', "has role = 'treatmnt'; did you mean 'treatment'"),
        ("index_from = 2018-01-01", 'index_from = "2018"', "it must be a date"),
        ("index_from = 2018-01-01", "index_from = 2022-01-01", "after index_until"),
        ("min_age = 18", "min_age = 80", "min_age = 80 above max_age = 75"),
        ('sex = "F"', 'sex = "W"', "has sex = 'W'; known: F, M"),
        ('"abroad"]', '"abrod"]', "did you mean 'abroad'"),
        ("days_per_unit = 1.5", "days_per_unit = 0", "give a number above 0"),
        ('kind = "supply"', 'kind = "course"', "unknown key 'days_per_unit'"),
        ('activities = ["surgery"]', 'activities = ["surgry"]', "eras.course.activities names an unknown activity 'surgry'"),
        ('by = "most_frequent_facility"', 'by = "last_facility"', "has by = 'last_facility'"),
        ("QEFA004", "QEF004", "has CCAM = .* 'QEF004' .*, which has not the shape of a CCAM code"),
        ('["QEFA004"]', '["QEFA004", "QEFA004"]', r"\[activities.surgery\] say CCAM QEFA004 and QEFA004"),
        ('CCAM = ["QEFA004"]', 'CCAM = ["QEFA004"]\nspecialties = [4]', "has specialties, which PRS_NAT and NGAP only have"),
    ],
)  # fmt: skip
def test_a_mistake_in_any_table_is_a_sentence(old: str, new: str, words: str) -> None:
    assert old in WHOLE
    with pytest.raises(DefinitionError, match=words):
        parse(WHOLE.replace(old, new), "whole.toml")


SECOND = """
[activities.second]
label = { fr = "Deux", en = "Two" }
phase = "care"
source = "trial"
"""


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ('CCAM = ["QEFA004"]', 'CCAM = ["QEFA004"]', True),
        ('DP = ["Z51"]', 'DP = ["Z511"]', True),
        ('DP = ["Z511"]', 'CIM10 = ["Z511"]', False),
        ('PRS_NAT = ["1112"]\nspecialties = [4]', 'PRS_NAT = ["1112"]\nspecialties = [8]', False),
        ('PRS_NAT = ["1112"]\nspecialties = [4]', 'PRS_NAT = ["1112"]\nspecialties = [4, 8]', True),
        ('PRS_NAT = ["1112"]\nspecialties = [4]', 'PRS_NAT = ["1112"]', True),
    ],
)
def test_a_code_has_one_meaning(first: str, second: str, refused: bool) -> None:
    text = SMALL.replace('CCAM = ["QEFA004"]', first) + SECOND + second
    if refused:
        with pytest.raises(
            DefinitionError, match=r"\[activities.surgery\] and \[activities.second\]|second.*surgery"
        ):
            parse(text, "two.toml")
    else:
        assert set(parse(text, "two.toml").activities) == {"surgery", "second"}


@pytest.mark.parametrize("name", built_in())
def test_the_text_of_a_definition_stands_alone(name: str) -> None:
    pathway = load(name)
    again = parse(pathway.text, "again.toml")
    assert "extends" not in pathway.text
    assert again == pathway or again.text == pathway.text
    assert again.rules().codes.equals(pathway.rules().codes)
    assert (again.cohort, again.eras, again.breakdowns) == (pathway.cohort, pathway.eras, pathway.breakdowns)


def test_a_file_extends_a_built_in_definition_or_a_file(tmp_path: Path) -> None:
    mine, yours = tmp_path / "mine.toml", tmp_path / "yours.toml"
    mine.write_text('extends = "breast_cancer"\nid = "mine"\n[breakdowns.late_start]\nwithin_days = 30\n')
    yours.write_text('extends = "mine.toml"\nid = "yours"\n[snds]\nmetastases = "ignored"\nsource = "us"\n')
    built, own = load("breast_cancer"), load(yours)
    assert own.id == "yours"
    assert own.breakdowns["late_start"].within_days == 30
    assert own.breakdowns["late_start"].expected == built.breakdowns["late_start"].expected
    assert own.practice.metastases == "ignored"
    assert own.within_day == built.within_day
    assert own.sha256 != built.sha256


def test_a_file_that_extends_nothing_known_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        DefinitionError, match="extends 'breast_cancr', which does not exist; did you mean 'breast_cancer'"
    ):
        parse('extends = "breast_cancr"', "x.toml")
    one = tmp_path / "one.toml"
    one.write_text('extends = "one.toml"\n')
    with pytest.raises(DefinitionError, match="extends it back"):
        load(one)


def test_the_reference_page_names_every_key() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "definition.md").read_text(encoding="utf-8")
    roles = {"treatments", "diagnostics"}
    words = {item.name for kind in (CohortRules, Practice) for item in fields(kind)} - roles | set(
        CODE_SYSTEMS
    )
    assert [word for word in sorted(words) if f"`{word}`" not in page] == []


def test_the_example_of_the_reference_page_is_a_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "definition.md").read_text(encoding="utf-8")
    rule = page[page.index("[reference.radiotherapy]") :].split("```")[0]
    read = parse(f'extends = "breast_cancer"\nid = "own"\n{rule}', "own.toml").reference["radiotherapy"]
    assert read.within_days == 84 and read.applies_if and list(read.excused_by) == ["mastectomy"]


@pytest.mark.parametrize("name", built_in())
def test_each_cancer_has_a_reference_pathway_of_sourced_rules(name: str) -> None:
    reference = load(name).reference
    assert 5 <= len(reference) <= 8 and {rule.kind for rule in reference} >= {
        "existence",
        "response",
        "absence",
    }
    for rule in reference:
        assert rule.source and rule.label.keys() == rule.violation.keys() == {"fr", "en"}
        assert rule.evidence != "operational" or rule.source.startswith("operational: ")
        assert all(excuse.source for excuse in rule.excused_by.values())
